//! The pool's own thread: starts and ends processes, hears what they say, watches the clock, and
//! drains lanes when no caller does.
//!
//! Processes are started here because the parent-death signal follows the thread that forks.

mod ended;
mod failure;
mod housekeeping;
mod output;
mod ready;
mod stop;
mod worker;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use pyproc_ipc::clock::now_ns;
use pyproc_ipc::quota;
use pyproc_ipc::wait::{Peer, spin, spin_cap};
use rustix::event::{EventfdFlags, Timespec, epoll};

use crate::board::{Board, Reason};
use crate::config::Settings;
use crate::core::Core;
use crate::error::{StartError, first_line};
use crate::metrics::publish::Publisher;
use crate::pool::Shared;
use crate::scheduler::{Nanos, Scheduler};
use crate::segments::Allowance;
use crate::signal::Signal;
use crate::supervisor::Supervisor;
use stop::Stop;
use worker::{Recipe, Running, Stage, Verdict};

/// How often the driver looks while callers rely on one another.
const TICK_NS: Nanos = 1_000_000;

/// How long a worker that has closed its connection, or said why it cannot serve, has for ending.
const CLOSING_NS: Nanos = 1_000_000_000;

/// What an event of the epoll instance is about.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum About {
    Bell,
    Control,
    Exit,
    Stdout,
    Stderr,
}

const KICK: u64 = u64::MAX;

/// The driver's state.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    recipe: Recipe,
    supervisor: Supervisor,
    workers: Vec<Option<Running>>,
    /// Every worker has been up once.
    started: bool,
    stop: Option<Stop>,
    idle_ticks: u32,
    seen_activity: u64,
    next_retire: Nanos,
    /// What is tallied has waited for long enough.
    publish_due: bool,
    buffer: Vec<u8>,
}

impl Driver {
    /// Everything that can be done, and fail, before there is a thread.
    pub(crate) fn prepare(settings: Settings) -> Result<(Arc<Shared>, Self), StartError> {
        let system =
            |action| move |source: rustix::io::Errno| worker::refused(action, source.into());
        failure::check_script(&settings)?;
        let python = crate::python::find(&settings)?;
        let kick = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(system("create an event descriptor"))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(system("create an epoll instance"))?;
        epoll::add(
            &epoll,
            &kick,
            epoll::EventData::new_u64(KICK),
            epoll::EventFlags::IN,
        )
        .map_err(system("watch an event descriptor"))?;
        let spin_ns = spin_cap(
            quota::available_cpus(),
            quota::quota().is_some(),
            settings.spin.as_nanos() as u64,
        );
        let recipe = Recipe::new(&settings, python, spin_ns);
        let supervisor = Supervisor::new(
            settings.workers,
            settings.restart_backoff_initial,
            settings.restart_backoff_max,
            now_ns(),
        );
        let scheduler = Scheduler::new(
            settings.workers,
            settings.queue,
            settings.max_concurrency as usize,
        );
        let shared = Arc::new(Shared {
            board: Board::new(settings.workers),
            publisher: Mutex::new(Publisher::new(&settings.name, settings.workers)),
            core: Mutex::new(Core::new(scheduler, settings.workers, spin_ns)),
            allowance: Allowance::new(settings.segment_memory),
            replies: Arc::default(),
            kick,
            epoll,
            started: Signal::default(),
            stopped: Signal::default(),
            functions: OnceLock::new(),
            settings,
        });
        let workers = (0..shared.settings.workers).map(|_| None).collect();
        let driver = Self {
            shared: Arc::clone(&shared),
            recipe,
            supervisor,
            workers,
            started: false,
            stop: None,
            idle_ticks: 0,
            seen_activity: 0,
            next_retire: Nanos::MAX,
            publish_due: false,
            buffer: worker::message_buffer(),
        };
        Ok((shared, driver))
    }

    /// Starts the thread.
    pub(crate) fn spawn(self) -> Result<(), StartError> {
        let shared = Arc::clone(&self.shared);
        std::thread::Builder::new()
            .name("pyproc-driver".to_owned())
            .spawn(move || self.run())
            .map(drop)
            .map_err(|source| {
                // Nobody else will say so.
                shared.stopped.set(Ok(()));
                StartError::System {
                    action: "start its thread",
                    source,
                }
            })
    }

    fn run(mut self) {
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 64];
        loop {
            let next = self.housekeeping();
            if self.is_over() {
                break;
            }
            let timeout = timeout(next);
            // Interrupted by a signal: looked again.
            let count =
                epoll::wait(&self.shared.epoll, &mut events[..], timeout.as_ref()).unwrap_or(0);
            for event in &events[..count] {
                let data = event.data;
                self.event(data.u64());
            }
        }
        self.finish();
    }

    fn event(&mut self, data: u64) {
        if data == KICK {
            let mut counter = [0; 8];
            let _ = rustix::io::read(&self.shared.kick, &mut counter);
            self.assist();
            return;
        }
        let (worker, generation, about) = event_parts(data);
        let current = self.workers.get_mut(worker).and_then(Option::as_mut);
        let Some(running) = current.filter(|running| running.generation == generation) else {
            return;
        };
        match about {
            Some(About::Bell) => self.bell(worker),
            Some(About::Control) => self.control(worker),
            Some(About::Exit) => self.exited(worker),
            Some(About::Stdout) => running.read_stdout(),
            Some(About::Stderr) => running.read_stderr(),
            None => {}
        }
    }

    /// Looks for the answer of a worker that has just been woken, when a caller asks for it.
    fn assist(&mut self) {
        let mut core = self.shared.core.lock();
        if !std::mem::take(&mut core.assist) {
            return;
        }
        let cap = core.spin_cap();
        self.look(core, cap);
    }

    /// Looks for answers for at most `budget` nanoseconds; whether one has come.
    fn look(&self, mut core: MutexGuard<'_, Core>, budget: Nanos) -> bool {
        core.disarm();
        let watches = core.watches();
        self.shared.unlock(core);
        let (found, _) = spin(now_ns(), budget, Peer::Waking, || watches.ready());
        let mut core = self.shared.core.lock();
        while core.drain(now_ns()) {}
        core.watched();
        self.shared.unlock(core);
        found
    }

    /// A worker has rung: nobody else looks for its answers.
    fn bell(&mut self, worker: usize) {
        if let Some(Running {
            stage: Stage::Handshake { lane, .. },
            ..
        }) = &self.workers[worker]
        {
            // There is nothing that it could have answered yet.
            if !lane.bell().clear() {
                let _ = epoll::delete(&self.shared.epoll, lane.bell());
                self.hung_up(worker);
            }
            return;
        }
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        let mut hung_up = false;
        if let Some(end) = core.ends.get(worker) {
            end.armed = false;
            if !end.lane.bell().clear() {
                let _ = epoll::delete(&self.shared.epoll, end.lane.bell());
                hung_up = true;
            }
        }
        let now = now_ns();
        // Within bounds, so that one worker cannot occupy the driver; what is left rings again.
        let mut taken = 0;
        for _ in 0..16 {
            let more = core.drain_lane(now, worker, 64);
            taken += more;
            if more < 64 {
                break;
            }
        }
        if taken == 0 && core.nobody_looks() && !hung_up {
            // It has rung ahead of its answer.
            let budget = core.spin_rung.nanoseconds();
            let found = self.look(core, budget);
            let mut core = shared.core.lock();
            if found {
                core.spin_rung.succeeded();
            } else {
                core.spin_rung.failed();
            }
            return;
        }
        core.watched();
        shared.unlock(core);
        if hung_up {
            self.hung_up(worker);
        }
    }

    /// A worker has closed one of its ends, which only its exit does: that is about to be heard of,
    /// or the worker is no longer one.
    fn hung_up(&mut self, worker: usize) {
        if let Some(running) = &mut self.workers[worker] {
            running.ends_by = running.ends_by.min(now_ns() + CLOSING_NS);
        }
    }

    fn watch(
        &self,
        fd: BorrowedFd<'_>,
        worker: usize,
        generation: u32,
        about: About,
    ) -> rustix::io::Result<()> {
        let data = epoll::EventData::new_u64(event_data(worker, generation, about));
        epoll::add(&self.shared.epoll, fd, data, epoll::EventFlags::IN)
    }

    /// Starts the processes that are due.
    fn start_due(&mut self, now: Nanos) {
        if self.stop.is_some() {
            return;
        }
        for worker in self.supervisor.due(now) {
            let generation = self.supervisor.started(worker);
            match self
                .recipe
                .start(worker, generation)
                .and_then(|running| self.watched(running))
            {
                Ok(running) => {
                    let pid = running.source.pid;
                    self.shared.board.started(now, worker, pid, generation);
                    self.workers[worker] = Some(running);
                }
                Err(error) => {
                    let pause = self.supervisor.died(now, worker, false);
                    if !self.started {
                        self.start_failed(error);
                        return;
                    }
                    let sentence = first_line(&error);
                    self.shared
                        .board
                        .ended(now, worker, pause, Reason::Start, sentence);
                    tracing::error!(target: "pyproc", worker, error = %error, again_in = ?pause, "a worker could not be started");
                }
            }
        }
    }

    fn watched(&self, running: Running) -> Result<Running, StartError> {
        let worker = running.source.worker;
        let add = || -> rustix::io::Result<()> {
            let generation = running.generation;
            self.watch(running.process.pidfd(), worker, generation, About::Exit)?;
            self.watch(running.control.as_fd(), worker, generation, About::Control)?;
            let [stdout, stderr] = running.fds();
            if let Some(fd) = stdout {
                self.watch(fd.as_fd(), worker, generation, About::Stdout)?;
            }
            if let Some(fd) = stderr {
                self.watch(fd.as_fd(), worker, generation, About::Stderr)?;
            }
            if let Stage::Handshake { lane, .. } = &running.stage {
                self.watch(lane.bell().as_fd(), worker, generation, About::Bell)?;
            }
            Ok(())
        };
        match add() {
            Ok(()) => Ok(running),
            Err(source) => Err(worker::refused("watch a worker", source.into())),
        }
    }

    /// The pool cannot come up: its caller is told, everything is taken down.
    fn start_failed(&mut self, error: StartError) {
        self.shared
            .started
            .set(Err(Arc::new(Mutex::new(Some(error)))));
        self.stop_now();
    }

    /// Ends a process that has broken the protocol, or is late.
    fn condemn(&mut self, worker: usize, verdict: Verdict) {
        if let Some(running) = &mut self.workers[worker] {
            // The first says what was wrong; it may have been the worker's own word.
            running.verdict.get_or_insert(verdict);
            running.process.kill_group();
            self.shared.board.stopping(worker);
        }
    }
}

fn event_data(worker: usize, generation: u32, about: About) -> u64 {
    u64::from(generation) << 32 | (worker as u64) << 3 | about as u64
}

/// What a bell's event carries.
pub(crate) fn bell_data(worker: usize, generation: u32) -> u64 {
    event_data(worker, generation, About::Bell)
}

pub(crate) fn event_parts(data: u64) -> (usize, u32, Option<About>) {
    let about = [
        About::Bell,
        About::Control,
        About::Exit,
        About::Stdout,
        About::Stderr,
    ];
    let worker = (data as u32 >> 3) as usize;
    (
        worker,
        (data >> 32) as u32,
        about.get((data & 7) as usize).copied(),
    )
}

/// Until `next`; `None`: for ever.
fn timeout(next: Nanos) -> Option<Timespec> {
    if next == Nanos::MAX {
        return None;
    }
    let left = next.saturating_sub(now_ns());
    Some(Timespec {
        tv_sec: (left / 1_000_000_000) as i64,
        tv_nsec: (left % 1_000_000_000) as i64,
    })
}
