//! Rings and records against a model: whatever the two ends of a lane do in whatever order, calls and
//! answers arrive whole, in order, once, and a ring is full exactly when the model says so.
#![cfg(not(loom))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what went wrong by panicking"
)]

mod support;

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use pyproc_ipc::lane::{Answer, AnswerBody, HostLane, INLINE_MAX, Outgoing, Pace, RING_MIN};
use pyproc_ipc::record::{ContentType, Kind, RECORD_ALIGN, SegmentRef, record_bytes};
use pyproc_ipc::worker::{Incoming, IncomingBody, Response, WorkerLane};

use support::ends;

/// Where the bytes of one ring are, kept by the test itself.
#[derive(Default)]
struct Room {
    tail: u64,
    taken: u64,
    released: u64,
}

impl Room {
    const CAPACITY: u64 = RING_MIN as u64;

    /// The position of a record that is written now; `None`: no room.
    fn write(&mut self, payload: usize) -> Option<u64> {
        let need = record_bytes(payload) as u64;
        let to_end = Self::CAPACITY - self.tail % Self::CAPACITY;
        let padding = if need > to_end { to_end } else { 0 };
        if self.tail + padding + need - self.released > Self::CAPACITY {
            return None;
        }
        let position = self.tail + padding;
        self.tail = position + need;
        Some(position)
    }

    fn take(&mut self, position: u64, payload: usize) {
        self.taken = position + record_bytes(payload) as u64;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Written,
    Published,
    Revoked,
}

#[derive(Clone, Debug)]
enum Body {
    Inline(Vec<u8>),
    Segment(SegmentRef),
}

#[derive(Debug)]
struct Call {
    id: u64,
    function: u16,
    deadline: u64,
    extension: Vec<u8>,
    body: Body,
    position: u64,
    fate: Fate,
}

impl Call {
    fn payload(&self) -> usize {
        self.extension.len()
            + match &self.body {
                Body::Inline(bytes) => bytes.len(),
                Body::Segment(_) => SegmentRef::BYTES,
            }
    }
}

/// One thing that one of the two ends does.
#[derive(Clone, Debug)]
enum Step {
    Push {
        bytes: usize,
        extension: usize,
    },
    PushSegment(u32, u32, u64),
    Publish,
    Poll,
    DoneReading,
    ReleaseRequests,
    Revoke(prop::sample::Index),
    Respond {
        which: prop::sample::Index,
        bytes: usize,
        kind: u8,
    },
    RespondSegment(prop::sample::Index, u64),
    Pop,
    ReleaseAnswers,
    HostSleeps,
    WorkerSleeps,
}

/// Mostly small; now and then up to what a ring carries, so that it wraps and fills.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..100_usize,
        2 => 0..4_000_usize,
        2 => (INLINE_MAX - 200)..=INLINE_MAX,
        1 => Just(RECORD_ALIGN - 32),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (size(), 0..40_usize).prop_map(|(bytes, extension)| Step::Push { bytes, extension }),
        1 => any::<(u32, u32, u64)>().prop_map(|(number, turn, bytes)| Step::PushSegment(number, turn, bytes)),
        4 => Just(Step::Publish),
        6 => Just(Step::Poll),
        3 => Just(Step::DoneReading),
        1 => Just(Step::ReleaseRequests),
        2 => any::<prop::sample::Index>().prop_map(Step::Revoke),
        6 => (any::<prop::sample::Index>(), size(), 2..=4_u8)
            .prop_map(|(which, bytes, kind)| Step::Respond { which, bytes, kind }),
        1 => any::<(prop::sample::Index, u64)>().prop_map(|(which, bytes)| Step::RespondSegment(which, bytes)),
        6 => Just(Step::Pop),
        3 => Just(Step::ReleaseAnswers),
        1 => Just(Step::HostSleeps),
        1 => Just(Step::WorkerSleeps),
    ]
}

/// The lane, and what it should hold.
struct Harness {
    host: HostLane,
    worker: WorkerLane,
    calls: VecDeque<Call>,
    claimed: Vec<u64>,
    answers: VecDeque<(Kind, u64, u64, Body, u64)>,
    requests: Room,
    responses: Room,
    next: u64,
    host_armed: bool,
    worker_asleep: bool,
}

impl Harness {
    fn new() -> Self {
        let (host, worker) = ends();
        Self {
            host,
            worker,
            calls: VecDeque::new(),
            claimed: Vec::new(),
            answers: VecDeque::new(),
            requests: Room::default(),
            responses: Room::default(),
            next: 1,
            host_armed: false,
            worker_asleep: false,
        }
    }

    /// Bytes that no other record has.
    fn content(&self, bytes: usize) -> Vec<u8> {
        (0..bytes)
            .map(|at| (self.next.wrapping_mul(31) as usize + at * 7) as u8)
            .collect()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push { bytes, extension } => {
                self.push(Body::Inline(self.content(bytes)), extension)
            }
            Step::PushSegment(number, turn, bytes) => self.push(
                Body::Segment(SegmentRef {
                    number,
                    turn,
                    bytes,
                }),
                0,
            ),
            Step::Publish => self.publish(),
            Step::Poll => self.poll(),
            Step::DoneReading => {
                self.worker.done_reading();
                if self.requests.taken - self.requests.released >= Room::CAPACITY / 8 {
                    self.requests.released = self.requests.taken;
                }
            }
            Step::ReleaseRequests => {
                let there = self.calls.iter().any(|call| call.fate != Fate::Written);
                assert_eq!(self.worker.spin(0).is_some(), there);
                self.requests.released = self.requests.taken;
            }
            Step::Revoke(which) => self.revoke(which),
            Step::Respond { which, bytes, kind } => {
                let body = Body::Inline(self.content(bytes));
                self.respond(which, Kind::from_u8(kind).unwrap(), body);
            }
            Step::RespondSegment(which, bytes) => {
                self.respond(
                    which,
                    Kind::Result,
                    Body::Segment(SegmentRef {
                        number: 3,
                        turn: 9,
                        bytes,
                    }),
                );
            }
            Step::Pop => self.pop(),
            Step::ReleaseAnswers => {
                self.host.release();
                self.responses.released = self.responses.taken;
            }
            Step::HostSleeps => {
                let armed = self.host.arm();
                assert_eq!(armed, self.answers.is_empty());
                self.host_armed = armed;
            }
            Step::WorkerSleeps => {
                let published = self.calls.iter().any(|call| call.fate != Fate::Written);
                let asleep = self.worker.prepare_sleep();
                assert_eq!(asleep, !published);
                self.worker_asleep = asleep;
                self.requests.released = self.requests.taken;
            }
        }
    }

    fn push(&mut self, body: Body, extension: usize) {
        let id = self.next;
        self.next += 1;
        let function = id as u16;
        let deadline = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let outgoing = Outgoing {
            call: id,
            function,
            deadline,
            content: ContentType::Json,
            wanted: ContentType::Raw,
            raw_bytes: false,
        };
        let extension = vec![id as u8; extension];
        let pushed = match &body {
            Body::Inline(bytes) => self.host.push(&outgoing, &extension, bytes),
            Body::Segment(reference) => self.host.push_segment(&outgoing, &extension, *reference),
        };
        let call = Call {
            id,
            function,
            deadline,
            extension,
            body,
            position: 0,
            fate: Fate::Written,
        };
        let expected = self.requests.write(call.payload());
        assert_eq!(pushed, Ok(expected));
        if let Some(position) = expected {
            self.calls.push_back(Call { position, ..call });
        }
    }

    fn publish(&mut self) {
        self.host.publish();
        let mut news = false;
        for call in &mut self.calls {
            // One that was revoked before it was published is in the ring all the same.
            news |= call.fate == Fate::Written;
            if call.fate == Fate::Written {
                call.fate = Fate::Published;
            }
        }
        if news && self.worker_asleep {
            self.worker.sleep(Some(Duration::ZERO)).unwrap();
            self.worker_asleep = false;
        }
    }

    fn poll(&mut self) {
        if self.worker_asleep {
            self.worker.woken();
            self.worker_asleep = false;
        }
        let incoming = self.worker.poll().unwrap();
        while self
            .calls
            .front()
            .is_some_and(|call| call.fate == Fate::Revoked)
        {
            let call = self.calls.pop_front().unwrap();
            self.requests.take(call.position, call.payload());
        }
        let Some(incoming) = incoming else {
            assert!(
                self.calls
                    .front()
                    .is_none_or(|call| call.fate == Fate::Written),
                "a call was not seen"
            );
            return;
        };
        let call = self.calls.pop_front().expect("a call out of nothing");
        assert_eq!(call.fate, Fate::Published);
        self.requests.take(call.position, call.payload());
        check(&self.worker, &incoming, &call);
        self.claimed.push(call.id);
        // Until it is answered, the host's attempt to take it back fails.
        assert_eq!(self.host.revoke(call.position), Ok(false));
    }

    fn revoke(&mut self, which: prop::sample::Index) {
        // The host only takes back what it has made visible.
        let candidates: Vec<usize> = (0..self.calls.len())
            .filter(|&index| self.calls[index].fate == Fate::Published)
            .collect();
        if candidates.is_empty() {
            return;
        }
        let call = &mut self.calls[candidates[which.index(candidates.len())]];
        assert_eq!(self.host.revoke(call.position), Ok(true));
        call.fate = Fate::Revoked;
    }

    fn respond(&mut self, which: prop::sample::Index, kind: Kind, body: Body) {
        if self.claimed.is_empty() {
            return;
        }
        let index = which.index(self.claimed.len());
        let call = self.claimed[index];
        let run_ns = call.wrapping_mul(77);
        let response = Response {
            kind,
            call,
            content: ContentType::MsgPack,
            run_ns,
        };
        let (written, payload) = match &body {
            Body::Inline(bytes) => (self.worker.respond(&response, bytes), bytes.len()),
            Body::Segment(reference) => (
                self.worker.respond_segment(&response, *reference),
                SegmentRef::BYTES,
            ),
        };
        let expected = self.responses.write(payload);
        assert_eq!(written, Ok(expected.is_some()));
        if let Some(position) = expected {
            self.next += 1;
            self.claimed.swap_remove(index);
            self.answers.push_back((kind, call, run_ns, body, position));
            if self.host_armed {
                assert!(
                    self.host.bell().wait(Some(Duration::ZERO)).unwrap(),
                    "the host was not woken"
                );
                self.host.bell().clear();
                self.host_armed = false;
            }
        }
    }

    fn pop(&mut self) {
        if self.host_armed {
            self.host.disarm();
            self.host_armed = false;
        }
        assert_eq!(self.host.ready(), !self.answers.is_empty());
        let mut buffer = vec![0xee; 5];
        let mut asked = None;
        let answer = self
            .host
            .pop(|call| {
                asked = Some(call);
                Some(&mut buffer)
            })
            .unwrap();
        let Some((kind, call, run_ns, body, position)) = self.answers.pop_front() else {
            assert!(answer.is_none());
            return;
        };
        let answer: Answer = answer.expect("an answer was not seen");
        assert_eq!(asked, Some(call));
        assert_eq!(
            (answer.kind, answer.call, answer.run_ns),
            (kind, call, run_ns)
        );
        assert_eq!(answer.content, ContentType::MsgPack);
        match body {
            Body::Inline(bytes) => {
                assert_eq!((answer.body, &buffer), (AnswerBody::Inline, &bytes));
                self.responses.take(position, bytes.len());
            }
            Body::Segment(reference) => {
                assert_eq!(answer.body, AnswerBody::Segment(reference));
                self.responses.take(position, SegmentRef::BYTES);
            }
        }
    }
}

fn check(worker: &WorkerLane, incoming: &Incoming, call: &Call) {
    assert_eq!(incoming.call(), call.id);
    assert_eq!(incoming.function(), call.function);
    assert_eq!(incoming.deadline(), call.deadline);
    assert_eq!(
        (incoming.content(), incoming.wanted().content),
        (ContentType::Json, ContentType::Raw)
    );
    assert_eq!(worker.extension(incoming), call.extension);
    match (worker.body(incoming).unwrap(), &call.body) {
        (IncomingBody::Inline(bytes), Body::Inline(expected)) => assert_eq!(bytes, expected),
        (IncomingBody::Segment(reference), Body::Segment(expected)) => {
            assert_eq!(reference, *expected)
        }
        (got, expected) => panic!("{got:?} instead of {expected:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_lane_behaves_like_two_queues(steps in prop::collection::vec(step(), 1..400)) {
        let mut harness = Harness::new();
        for step in steps {
            harness.step(step);
        }
        // Whatever is still on its way arrives.
        harness.publish();
        while !harness.calls.is_empty() {
            harness.poll();
        }
        while !harness.answers.is_empty() {
            harness.pop();
        }
        prop_assert!(harness.worker.poll().unwrap().is_none());
        prop_assert!(!harness.host.ready());
    }
}

#[test]
fn a_full_ring_takes_nothing_until_something_was_read() {
    let (mut host, mut worker) = ends();
    let call = |call| Outgoing {
        call,
        function: 0,
        deadline: 0,
        content: ContentType::None,
        wanted: ContentType::None,
        raw_bytes: false,
    };
    let body = vec![1; 2 * RECORD_ALIGN - 32];
    let fits = RING_MIN / (2 * RECORD_ALIGN);
    for id in 0..fits as u64 {
        assert_eq!(host.push(&call(id), &[], &body), Ok(Some(id * 128)));
    }
    assert_eq!(host.push(&call(0), &[], &[]), Ok(None));
    host.publish();
    assert_eq!(worker.poll().unwrap().unwrap().call(), 0);
    // Read, but not given back.
    assert_eq!(host.push(&call(0), &[], &[]), Ok(None));
    worker.spin(0);
    assert_eq!(host.push(&call(0), &[], &body), Ok(Some(RING_MIN as u64)));
    assert_eq!(host.push(&call(0), &[], &[]), Ok(None));
}

/// Both ends at full speed in threads of their own, sleeping whenever they can: no call is lost, none
/// is run after it was taken back, and nobody sleeps through a bell.
#[test]
fn two_threads_neither_lose_nor_repeat_anything() {
    const CALLS: u64 = 200_000;
    const LONG: Duration = Duration::from_secs(60);
    let (mut host, mut worker) = ends();
    let serving = std::thread::spawn(move || {
        let mut served = 0_u64;
        loop {
            let Some(incoming) = worker.poll().unwrap() else {
                // A ring that came too late for one sleep ends the next one early.
                let start = std::time::Instant::now();
                worker.sleep(Some(LONG)).unwrap();
                assert!(start.elapsed() < LONG, "the host did not ring");
                continue;
            };
            let IncomingBody::Inline(body) = worker.body(&incoming).unwrap() else {
                panic!("not a segment")
            };
            let body = body.to_vec();
            worker.done_reading();
            if incoming.call() == u64::MAX {
                return served;
            }
            served += 1;
            let response = Response {
                kind: Kind::Result,
                call: incoming.call(),
                content: ContentType::Raw,
                run_ns: 0,
            };
            let mut attempt = 0;
            while !worker.respond(&response, &body).unwrap() {
                worker.wait_for_room(attempt);
                attempt += 1;
            }
        }
    });
    let call = |call| Outgoing {
        call,
        function: 0,
        deadline: 0,
        content: ContentType::Raw,
        wanted: ContentType::Raw,
        raw_bytes: false,
    };
    let body = |id: u64| {
        id.to_le_bytes().repeat(if id.is_multiple_of(97) {
            2_000
        } else {
            (id % 5) as usize
        })
    };
    let mut out = VecDeque::new();
    let (mut next, mut revoked, mut answered) = (0, 0, 0);
    let mut buffer = Vec::new();
    while answered + revoked < CALLS {
        while next < CALLS && out.len() < 200 {
            let Some(position) = host.push(&call(next), &[], &body(next)).unwrap() else {
                break;
            };
            out.push_back((next, position));
            next += 1;
        }
        host.publish();
        if next.is_multiple_of(3)
            && let Some(&(_, position)) = out.back()
            && host.revoke(position).unwrap()
        {
            out.pop_back();
            revoked += 1;
        }
        let mut any = false;
        while let Some(answer) = host.pop(|_| Some(&mut buffer)).unwrap() {
            any = true;
            let (expected, _) = out.pop_front().expect("an answer to nothing");
            assert_eq!(answer.call, expected);
            assert_eq!(buffer, body(expected));
            answered += 1;
        }
        host.release();
        if !any && !out.is_empty() && host.arm() {
            assert!(
                host.bell().wait(Some(LONG)).unwrap(),
                "the worker did not ring"
            );
            assert!(host.bell().clear(), "the worker has ended");
            host.disarm();
        }
    }
    while host.push(&call(u64::MAX), &[], &[]).unwrap().is_none() {
        std::thread::yield_now();
    }
    host.publish();
    assert_eq!(serving.join().unwrap(), answered);
    assert_eq!(answered + revoked, CALLS);
    assert!(revoked > 0 && answered > 0);
}

#[test]
fn a_worker_knows_how_it_is_to_wait() {
    let (host, worker) = ends();
    assert_eq!(worker.pace(), Pace::Own);
    for pace in [Pace::Patient, Pace::Crowded, Pace::Own] {
        host.set_pace(pace);
        assert_eq!(worker.pace(), pace);
    }
}
