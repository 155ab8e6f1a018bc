//! Every interleaving, under the memory model, of what the two processes do to the words they share:
//! a record is whole when it is seen, nobody sleeps through one, a call is run or taken back but
//! never both. `RUSTFLAGS="--cfg loom" cargo test --release -p pyproc-ipc --test loom_ring`
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Notify};
use loom::thread;
use pyproc_ipc::index::Indices;
use pyproc_ipc::record::{State, claim, revoke};

/// Bytes of the only kind of record in these models.
const RECORD: u64 = 64;

/// Two shared words, a bell, and the memory of a ring with room for one record.
struct Ring {
    indices: Indices,
    bell: Notify,
    record: UnsafeCell<u64>,
}

// SAFETY: `record` is accessed under the rules that these tests check; loom reports a race as a failure.
unsafe impl Sync for Ring {}

impl Ring {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            indices: Indices::new(),
            bell: Notify::new(),
            record: UnsafeCell::new(0),
        })
    }

    /// What a producer does after it has written.
    fn publish(&self, tail: u64) {
        self.indices.publish(tail);
        if self.indices.wake_needed() {
            self.bell.notify();
        }
    }

    /// What a consumer does that has read everything below `seen`: the new tail.
    fn next(&self, seen: u64) -> u64 {
        loop {
            let tail = self.indices.tail();
            if tail != seen {
                return tail;
            }
            if self.indices.prepare_sleep(seen) {
                // Nobody rings: a deadlock, which loom reports.
                self.bell.wait();
                self.indices.awake();
            }
        }
    }
}

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(check);
}

#[test]
fn a_consumer_never_sleeps_through_a_record() {
    model(|| {
        let ring = Ring::new();
        let producer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || ring.publish(RECORD))
        };
        assert_eq!(ring.next(0), RECORD);
        producer.join().expect("the producer");
    });
}

#[test]
fn nor_through_the_second_while_it_wakes_for_the_first() {
    model(|| {
        let ring = Ring::new();
        let producer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                ring.publish(RECORD);
                ring.publish(2 * RECORD);
            })
        };
        let mut seen = 0;
        while seen < 2 * RECORD {
            seen = ring.next(seen);
        }
        producer.join().expect("the producer");
    });
}

/// The host's way: whoever arms the bell may be another thread than who sleeps; a caller disarms it,
/// looks, and arms it again.
#[test]
fn nor_when_it_has_armed_disarmed_and_armed_again() {
    model(|| {
        let ring = Ring::new();
        let producer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || ring.publish(RECORD))
        };
        if ring.indices.prepare_sleep(0) {
            ring.indices.awake();
        }
        assert_eq!(ring.next(0), RECORD);
        producer.join().expect("the producer");
    });
}

#[test]
fn both_directions_at_once() {
    model(|| {
        let requests = Ring::new();
        let responses = Ring::new();
        let worker = {
            let (requests, responses) = (Arc::clone(&requests), Arc::clone(&responses));
            thread::spawn(move || {
                requests.next(0);
                responses.publish(RECORD);
            })
        };
        requests.publish(RECORD);
        assert_eq!(responses.next(0), RECORD);
        worker.join().expect("the worker");
    });
}

#[test]
fn a_record_is_whole_when_it_is_seen_and_free_when_it_was_read() {
    model(|| {
        let ring = Ring::new();
        let producer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                // SAFETY: nothing is published yet; the memory is the producer's.
                ring.record.with_mut(|record| unsafe { *record = 1 });
                ring.publish(RECORD);
                while ring.indices.head() < RECORD {
                    thread::yield_now();
                }
                // SAFETY: the consumer has given the memory back.
                ring.record.with_mut(|record| unsafe { *record = 2 });
                ring.publish(2 * RECORD);
            })
        };
        for turn in 1..=2 {
            ring.next((turn - 1) * RECORD);
            // SAFETY: published and not given back.
            assert_eq!(ring.record.with(|record| unsafe { *record }), turn);
            ring.indices.consume(turn * RECORD);
        }
        producer.join().expect("the producer");
    });
}

#[test]
fn a_call_is_started_or_taken_back_never_both() {
    model(|| {
        let state = Arc::new(AtomicU32::new(State::Queued as u32));
        let worker = {
            let state = Arc::clone(&state);
            thread::spawn(move || claim(&state))
        };
        let taken_back = revoke(&state).expect("a state");
        let started = worker.join().expect("the worker");
        assert!(
            started != taken_back,
            "started: {started}, taken back: {taken_back}"
        );
        let expected = if started {
            State::Started
        } else {
            State::Revoked
        };
        assert_eq!(state.load(Ordering::Relaxed), expected as u32);
    });
}
