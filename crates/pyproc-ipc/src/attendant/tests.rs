use super::*;
use crate::control::inherited;
use crate::process::Exit;
use crate::shm::PeerAccess;
use crate::testing::*;
use std::sync::atomic::AtomicUsize;

const STAND_IN: &str = "attendant::tests::stand_in";

static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);
static WAKES: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    INTERRUPTS.fetch_add(1, Ordering::SeqCst);
}

fn interrupts() -> usize {
    INTERRUPTS.load(Ordering::SeqCst)
}

#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "it does not come");
        std::thread::yield_now();
    }
}

/// Not a test: what this program does when another test starts it in a role.
#[test]
fn stand_in() {
    let Some(role) = role() else { return };
    // SAFETY: the handler does nothing but count.
    unsafe {
        let handler = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::signal(guard::interrupt_signal(), handler);
    }
    let control = inherited().expect("control");
    assert!(inherited().is_none());
    let segments = Arc::new(SegmentStore::default());
    let wake = || {
        WAKES.fetch_add(1, Ordering::SeqCst);
    };
    let attendant =
        Attendant::start(control, Arc::clone(&segments), Box::new(wake)).expect("starts");
    match role.as_str() {
        "cancel" => cancel(&attendant),
        "early" => early(&attendant),
        "segments" => take_segments(&attendant, &segments),
        "sleep" => sleep(&attendant),
        _ => {}
    }
    until(|| attendant.shutting_down());
    std::process::exit(0);
}

fn say(attendant: &Attendant, request: u32) {
    attendant
        .send(&ToHost::SegmentRequest { request, bytes: 0 })
        .expect("send");
}

fn cancel(attendant: &Attendant) {
    attendant.set_current(7);
    say(attendant, 1);
    // The call goes on all the same, so it is asked again.
    until(|| interrupts() >= 3 && attendant.interrupt_pending());
    assert!(attendant.is_cancelled(7));
    attendant.set_current(0);
    assert!(!attendant.interrupt_pending());
    attendant.set_current(8);
    assert!(!attendant.interrupt_pending());
    say(attendant, 2);
    until(|| attendant.interrupt_pending());
    assert!(attendant.is_cancelled(8));
    attendant.set_current(0);
    assert!(attendant.take_cancelled_async().is_empty());
    assert_eq!(WAKES.load(Ordering::SeqCst), 0);
    say(attendant, 3);
}

fn early(attendant: &Attendant) {
    attendant.set_current(7);
    say(attendant, 1);
    until(|| WAKES.load(Ordering::SeqCst) == 1);
    assert_eq!(attendant.take_cancelled_async(), [9]);
    assert!(!attendant.interrupt_pending());
    assert_eq!(interrupts(), 0);
    attendant.set_current(0);
    attendant.set_current(9);
    assert!(attendant.interrupt_pending());
    assert!(interrupts() >= 1);
    until(|| interrupts() >= 3);
    attendant.set_current(10);
    assert!(!attendant.interrupt_pending());
    say(attendant, 2);
}

fn sleep(attendant: &Attendant) {
    attendant.set_current(7);
    say(attendant, 1);
    // SAFETY: no arguments. Whenever the interrupt comes, one of the later ones ends the wait.
    unsafe { libc::pause() };
    assert!(attendant.interrupt_pending());
    attendant.set_current(0);
    say(attendant, 2);
}

fn take_segments(attendant: &Attendant, segments: &SegmentStore) {
    let memory = segments.request(5, DEADLINE).expect("it is granted");
    // SAFETY: inside the mapping, which nobody writes any more.
    assert_eq!(unsafe { memory.as_ptr().read_volatile() }, 42);
    drop(memory);
    say(attendant, 1);
    until(|| segments.request(5, Duration::ZERO).is_none());
    assert!(segments.request(6, Duration::ZERO).is_none());
}

struct Host {
    control: ControlSocket,
    spawned: crate::process::Spawned,
}

impl Host {
    fn of(role: &str) -> Self {
        let (control, spawned) = in_role(STAND_IN, role);
        Self { control, spawned }
    }

    fn send(&self, message: &ToWorker, fds: &[std::os::fd::BorrowedFd<'_>]) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.control.send(&bytes, fds).expect("send");
    }

    #[track_caller]
    fn hear(&mut self) -> ToHost {
        match receive(&self.control) {
            Some(bytes) => ToHost::decode(&bytes).expect("a message"),
            None => unreachable!("{}", read_to_end(&self.spawned.stderr)),
        }
    }

    #[track_caller]
    fn expect(&mut self, request: u32) {
        assert_eq!(self.hear(), ToHost::SegmentRequest { request, bytes: 0 });
    }

    #[track_caller]
    fn shut_down(mut self) {
        self.send(&ToWorker::Shutdown, &[]);
        let exit = self.spawned.process.wait_timeout(DEADLINE).expect("wait");
        assert_eq!(exit, Some(Exit::Status(0)));
    }
}

#[test]
fn the_current_call_is_interrupted_until_it_ends() {
    let mut host = Host::of("cancel");
    host.expect(1);
    host.send(&ToWorker::Cancel { call: 7 }, &[]);
    host.expect(2);
    host.send(&ToWorker::Cancel { call: 8 }, &[]);
    host.expect(3);
    host.shut_down();
}

#[test]
fn a_call_is_cancelled_before_it_begins() {
    let mut host = Host::of("early");
    host.expect(1);
    host.send(&ToWorker::Cancel { call: 9 }, &[]);
    host.expect(2);
    host.shut_down();
}

#[test]
fn a_wait_in_the_kernel_ends() {
    let mut host = Host::of("sleep");
    host.expect(1);
    host.send(&ToWorker::Cancel { call: 7 }, &[]);
    host.expect(2);
    host.shut_down();
}

#[test]
fn segments_come_and_go() {
    let mut host = Host::of("segments");
    let memory = Memory::create("test", 4096, PeerAccess::ReadOnly).expect("memory");
    // SAFETY: inside the mapping; nobody reads it before it is granted.
    unsafe { memory.as_ptr().write_volatile(42) };
    let direction = Direction::Request;
    let grant = |number, bytes| ToWorker::SegmentGrant {
        number,
        bytes,
        direction,
        request: 0,
    };
    host.send(&grant(6, 4096), &[]);
    host.send(&grant(5, 4096), &[memory.fd()]);
    let ToHost::Log(log) = host.hear() else {
        unreachable!("segment 6 has no memory")
    };
    assert_eq!(
        log.message,
        "could not map segment 6 of 4096 bytes: its descriptor is missing: are there too many open files?"
    );
    host.expect(1);
    host.send(
        &ToWorker::SegmentDrop {
            number: 5,
            direction,
            turn: 0,
        },
        &[],
    );
    assert_eq!(
        host.hear(),
        ToHost::SegmentDropped {
            number: 5,
            direction
        }
    );
    host.shut_down();
}

#[test]
fn garbage_from_the_host_is_ignored() {
    let host = Host::of("nothing");
    host.control.send(b"garbage", &[]).expect("send");
    host.send(&ToWorker::Cancel { call: 0 }, &[]);
    host.shut_down();
}

#[test]
fn the_end_of_the_connection_ends_the_worker() {
    let mut host = Host::of("nothing");
    drop(host.control);
    let exit = host.spawned.process.wait_timeout(DEADLINE).expect("wait");
    assert_eq!(exit, Some(Exit::Signal(libc::SIGKILL)));
}
