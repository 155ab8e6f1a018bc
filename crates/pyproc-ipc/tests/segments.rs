//! Segments between the two ends of a lane: who may use which memory when, told by release words alone.
#![cfg(not(loom))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what went wrong by panicking"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use pyproc_ipc::lane::{AnswerBody, HostLane, Outgoing};
use pyproc_ipc::record::{ContentType, Kind, SegmentRef};
use pyproc_ipc::shm::{Memory, PeerAccess};
use pyproc_ipc::store::{SegmentError, SegmentStore};
use pyproc_ipc::worker::{IncomingBody, Response, WorkerLane};

use support::ends;

const SIZE: usize = 64 * 1024;

/// The same memory, mapped again as the other process would.
fn mapped_again(memory: &Memory, writable: bool) -> Memory {
    let fd = memory.fd().try_clone_to_owned().unwrap();
    Memory::open(fd, memory.bytes(), writable).unwrap()
}

/// A call whose body is in `segment`, sent and claimed; the worker's reading of the reference.
fn sent(host: &mut HostLane, worker: &mut WorkerLane, segment: SegmentRef) -> SegmentRef {
    let call = Outgoing {
        call: 1,
        function: 0,
        deadline: 0,
        content: ContentType::Raw,
        wanted: ContentType::None,
        raw_bytes: false,
    };
    host.push_segment(&call, b"trace", segment)
        .unwrap()
        .unwrap();
    host.publish();
    let incoming = worker.poll().unwrap().unwrap();
    assert_eq!(worker.extension(&incoming), b"trace");
    let IncomingBody::Segment(reference) = worker.body(&incoming).unwrap() else {
        panic!("inline")
    };
    reference
}

fn result() -> Response {
    Response {
        kind: Kind::Result,
        call: 1,
        content: ContentType::Raw,
        run_ns: 0,
    }
}

#[test]
fn a_request_segment_is_free_when_the_last_reference_to_its_view_goes() {
    let (mut host, mut worker) = ends();
    let store = SegmentStore::default();
    let mut memory = Memory::create("request", SIZE, PeerAccess::ReadOnly).unwrap();
    store.add_request(7, mapped_again(&memory, false));
    for turn in [1, 2, u32::MAX, 0] {
        memory.as_mut_slice().unwrap().fill(turn as u8);
        let segment = SegmentRef {
            number: 7,
            turn,
            bytes: 50_000,
        };
        let reference = sent(&mut host, &mut worker, segment);
        assert_eq!(reference, segment);
        let view = Arc::new(
            worker
                .view(reference, store.request(7, Duration::ZERO).unwrap())
                .unwrap(),
        );
        assert_eq!(view.bytes(), vec![turn as u8; 50_000]);
        let another = Arc::clone(&view);
        drop(view);
        assert!(
            !host.request_segment_free(segment),
            "free while it is in use, turn {turn}"
        );
        drop(another);
        assert!(
            host.request_segment_free(segment),
            "not free after turn {turn}"
        );
        assert!(!host.request_segment_free(SegmentRef {
            turn: turn.wrapping_add(1),
            ..segment
        }));
    }
}

#[test]
fn no_view_leaves_its_segment_and_no_number_its_table() {
    let (host, worker) = ends();
    let memory = Arc::new(mapped_again(
        &Memory::create("request", SIZE, PeerAccess::ReadOnly).unwrap(),
        false,
    ));
    let beyond = SegmentRef {
        number: 0,
        turn: 1,
        bytes: SIZE as u64 + 1,
    };
    assert!(worker.view(beyond, Arc::clone(&memory)).is_none());
    assert!(!host.request_segment_free(beyond));
    let unknown = SegmentRef {
        number: 256,
        turn: 0,
        bytes: 1,
    };
    assert!(!host.request_segment_free(unknown));
    host.free_response_segment(SegmentRef {
        number: u32::MAX,
        turn: 1,
        bytes: 1,
    });
    drop(worker.view(unknown, memory).unwrap());
    assert_eq!(worker.response_released(u32::MAX), 0);
    let store = SegmentStore::default();
    assert!(store.request(0, Duration::from_millis(1)).is_none());
}

#[test]
fn a_worker_cannot_map_a_request_segment_writable() {
    let memory = Memory::create("request", SIZE, PeerAccess::ReadOnly).unwrap();
    let fd = memory.fd().try_clone_to_owned().unwrap();
    assert!(Memory::open(fd, SIZE, true).is_err());
}

#[test]
fn a_response_segment_is_used_again_only_after_it_was_copied_out() {
    let (mut host, mut worker) = ends();
    let store = SegmentStore::default();
    let memory = Memory::create("response", SIZE, PeerAccess::ReadWrite).unwrap();
    store.add_response(3, mapped_again(&memory, true));
    assert!(store.response(&worker, SIZE + 1).is_none());
    for round in 1..=3_u8 {
        let body = vec![round; SIZE];
        let reference = store.response(&worker, SIZE).unwrap().fill(&body).unwrap();
        assert!(store.response(&worker, 1).is_none(), "taken twice");
        assert!(worker.respond_segment(&result(), reference).unwrap());
        assert!(
            store.response(&worker, 1).is_none(),
            "taken before it was copied out"
        );
        let answer = host
            .pop(|_| Some(Box::leak(Box::default())))
            .unwrap()
            .unwrap();
        assert_eq!(answer.body, AnswerBody::Segment(reference));
        let mut copy = Vec::new();
        assert!(memory.copy_to(SIZE, &mut copy));
        assert_eq!(copy, body);
        host.free_response_segment(reference);
    }
    // The host may only take back what it has seen the last use of.
    let last = store.response(&worker, 1).unwrap().fill(b"x").unwrap();
    assert!(!store.drop_response(3, last.turn - 1));
    host.free_response_segment(last);
    assert!(store.drop_response(3, last.turn));
    assert!(store.response(&worker, 1).is_none());
}

#[test]
fn the_smallest_that_fits_is_taken_and_nothing_is_filled_past_its_end() {
    let (_host, worker) = ends();
    let store = SegmentStore::default();
    for (number, size) in [(0, 4 * SIZE), (1, SIZE), (2, 2 * SIZE)] {
        let memory = Memory::create("response", size, PeerAccess::ReadWrite).unwrap();
        store.add_response(number, mapped_again(&memory, true));
    }
    let buffer = store.response(&worker, SIZE + 1).unwrap();
    assert!(buffer.fill(&vec![0; 2 * SIZE + 1]).is_none());
    let taken = store
        .response(&worker, SIZE + 1)
        .unwrap()
        .fill(&vec![0; SIZE + 1])
        .unwrap();
    assert_eq!(taken.number, 0);
    assert_eq!(
        store
            .response(&worker, 1)
            .unwrap()
            .fill(&[])
            .unwrap()
            .number,
        1
    );
}

#[test]
fn a_worker_that_asks_gets_a_segment_a_refusal_or_its_time_is_over() {
    let (_host, worker) = ends();
    let store = Arc::new(SegmentStore::default());
    let long = Duration::from_secs(60);
    let granting = Arc::clone(&store);
    let ask = |request| {
        std::thread::spawn(move || {
            let memory = Memory::create("response", SIZE, PeerAccess::ReadWrite).unwrap();
            granting.add_response(0, mapped_again(&memory, true));
            granting.answer(request, true);
        });
    };
    assert!(
        store
            .response_or_ask(&worker, 100, long, ask)
            .unwrap()
            .fill(&[1; 100])
            .is_some()
    );
    let error = |result: Result<_, SegmentError>| result.map(drop).unwrap_err();
    let denied = store.response_or_ask(&worker, SIZE, long, |request| {
        store.answer(request, false);
    });
    assert_eq!(error(denied), SegmentError::Denied(SIZE as u64));
    let late = store.response_or_ask(&worker, SIZE, Duration::from_millis(1), |_| {});
    assert_eq!(error(late), SegmentError::TimedOut(SIZE as u64));
    let closed = store.response_or_ask(&worker, SIZE, long, |_| store.close());
    assert_eq!(error(closed), SegmentError::Closed);
}

#[test]
fn an_answer_that_comes_late_is_not_taken_for_the_next_one() {
    let (_host, worker) = ends();
    let store = SegmentStore::default();
    let grant = |number, request, size| {
        let memory = Memory::create("response", size, PeerAccess::ReadWrite).unwrap();
        store.add_response(number, mapped_again(&memory, true));
        store.answer(request, true);
    };
    let mut given_up = 0;
    let at_once = Duration::ZERO;
    let late = store.response_or_ask(&worker, SIZE, at_once, |request| given_up = request);
    assert_eq!(late.map(drop), Err(SegmentError::TimedOut(SIZE as u64)));
    let long = Duration::from_secs(60);
    let granted = store.response_or_ask(&worker, 2 * SIZE, long, |request| {
        grant(0, given_up, SIZE);
        store.answer(given_up, false);
        grant(1, request, 2 * SIZE);
    });
    assert!(granted.is_ok());
}
