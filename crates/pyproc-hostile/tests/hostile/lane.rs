//! Lies through shared memory: positions, headers, ids, state words, segments, the memory itself.

use std::time::Duration;

use pyproc::{CallError, Pool};

use crate::harness::{Ends, config, is_protocol, is_timeout, leaves_nothing, storm, survives};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

/// The liar is found out: what it has fails with `Protocol`, everything else succeeds.
fn is_found_out(lie: &str) -> Ends {
    let mut ends = Ends::default();
    leaves_nothing(async || {
        ends = survives(config(lie), 10, LONG, is_protocol).await;
        assert!(ends.any(is_protocol), "{lie} was not found out: {ends:?}");
    });
    ends
}

/// The lie comes to nothing: every call succeeds.
fn comes_to_nothing(lie: &str) {
    leaves_nothing(async || {
        survives(config(lie), 10, LONG, |_| false).await;
    });
}

#[test]
fn positions_of_answers() {
    for lie in [
        "tail-far",
        "tail-max",
        "tail-unaligned",
        "tail-empty-records",
        "tail-backwards",
        "indices-nonsense",
    ] {
        is_found_out(lie);
    }
}

#[test]
fn positions_of_calls() {
    for lie in ["head-far", "head-unaligned", "head-max"] {
        // Looked at when the ring seems full, which it is if the other worker is slow enough.
        leaves_nothing(async || {
            survives(config(lie), 20_000, LONG, is_protocol).await;
        });
    }
}

#[test]
fn header_fields() {
    for lie in [
        "kind-unknown",
        "kind-call",
        "flags-unknown",
        "content-unknown",
        "length-max",
        "length-beyond-tail",
        "length-beyond-ring",
        "extension",
        "extension-beyond-length",
        "padding",
        "error-nonsense",
    ] {
        is_found_out(lie);
    }
}

#[test]
fn what_the_liar_did_is_told() {
    leaves_nothing(async || {
        let pool = Pool::start(config("kind-unknown")).await.unwrap();
        let ends = storm(&pool, 10, LONG).await;
        assert!(ends.any(is_protocol), "{ends:?}");
        let worker = &pool.health().workers[0];
        assert!(worker.restarts >= 1, "{worker:?}");
        let error = worker.last_error.as_deref().unwrap_or_default();
        assert!(error.starts_with("it broke the protocol: "), "{error}");
    });
}

#[test]
fn padding_without_end() {
    is_found_out("padding-endless");
}

#[test]
fn ids_of_other_calls() {
    for lie in [
        "id-unknown",
        "id-previous-generation",
        "id-next-version",
        "id-max",
    ] {
        let ends = is_found_out(lie);
        assert!(
            ends.any(|error| error
                .to_string()
                .contains("which this worker does not have")),
            "{lie}: {ends:?}"
        );
    }
}

/// The first of the two counts; whether there is a call left that the second could cost is chance.
#[test]
fn two_answers_to_one_call() {
    leaves_nothing(async || {
        survives(config("twice"), 10, LONG, is_protocol).await;
    });
}

#[test]
fn references_to_segments() {
    for lie in [
        "segment-unknown",
        "segment-number-max",
        "segment-short-reference",
        "segment-past-end",
        "segment-bytes-max",
    ] {
        is_found_out(lie);
    }
}

/// Both answers come from one segment: its own calls may get anything, but no other's.
#[test]
fn a_segment_used_twice_at_once() {
    leaves_nothing(async || {
        let own = |error: &CallError| {
            is_protocol(error)
                || matches!(
                    error,
                    CallError::Malformed { .. } | CallError::BadResult { .. }
                )
        };
        survives(
            config("segment-reused").timeout(SHORT).grace(SHORT),
            10,
            LONG,
            |error| {
                own(error) || is_timeout(error) || matches!(error, CallError::WorkerDied { .. })
            },
        )
        .await;
    });
}

#[test]
fn a_state_word_that_is_no_state() {
    leaves_nothing(async || {
        // Whether the host looks at it depends on whether it wants the call back.
        survives(config("state-nonsense"), 10, SHORT, |error| {
            is_protocol(error) || is_timeout(error)
        })
        .await;
    });
}

#[test]
fn an_answer_without_a_claim() {
    leaves_nothing(async || {
        // Unless the call had been taken back by then.
        survives(config("answer-without-claim"), 10, LONG, is_protocol).await;
    });
}

#[test]
fn calls_are_not_read() {
    leaves_nothing(async || {
        survives(config("not-reading"), 10, SHORT, is_timeout).await;
    });
}

/// Large calls fill the ring of a worker that does not read; the other one gets what does not fit.
#[test]
fn calls_are_not_read_and_the_ring_is_full() {
    leaves_nothing(async || {
        survives(config("not-reading"), 30_000, SHORT, is_timeout).await;
    });
}

#[test]
fn calls_are_read_and_never_answered() {
    leaves_nothing(async || {
        let config = config("never-answering")
            .timeout(Duration::from_millis(200))
            .grace(SHORT);
        let ends = survives(config, 10, LONG, |error| {
            is_timeout(error) || matches!(error, CallError::WorkerDied { .. })
        })
        .await;
        assert!(ends.any(is_timeout), "{ends:?}");
    });
}

/// A tail that moves to and fro keeps nobody busy for ever.
#[test]
fn a_tail_that_flickers() {
    leaves_nothing(async || {
        let died = |error: &CallError| matches!(error, CallError::WorkerDied { .. });
        let config = config("tail-flickers")
            .timeout(Duration::from_millis(200))
            .grace(SHORT);
        survives(config, 10, LONG, |error| {
            is_protocol(error) || is_timeout(error) || died(error)
        })
        .await;
    });
}

#[test]
fn the_hosts_own_position_is_no_business_of_the_worker() {
    leaves_nothing(async || {
        survives(config("host-head-moved"), 10, SHORT, is_timeout).await;
    });
}

#[test]
fn memory_that_is_punched() {
    leaves_nothing(async || {
        survives(config("punched"), 10, LONG, is_protocol).await;
    });
}

#[test]
fn memory_that_is_resized_or_sealed() {
    comes_to_nothing("resized");
}

#[test]
fn segments_released_early() {
    leaves_nothing(async || {
        let own =
            |error: &CallError| !matches!(error, CallError::Overloaded { .. } | CallError::Closed);
        survives(config("released-early"), 100_000, LONG, own).await;
    });
}

#[test]
fn a_request_for_half_of_the_address_space() {
    comes_to_nothing("segment-huge-request");
}

/// What one worker asks for and does not use, the other can still have.
#[test]
fn requests_for_all_of_the_memory() {
    leaves_nothing(async || {
        let pool = Pool::start(config("segment-many-requests").segment_memory(1 << 30))
            .await
            .unwrap();
        let ends = storm(&pool, 10, LONG).await;
        assert!(ends.errors.is_empty(), "{ends:?}");
        pool.allocate(400 << 20).expect("memory is left");
    });
}
