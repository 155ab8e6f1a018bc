//! Lies through the control socket and the doorbells, once the pool is up.

use std::time::Duration;

use pyproc::CallError;

use crate::harness::{config, is_protocol, is_timeout, leaves_nothing, survives};

const LONG: Duration = Duration::from_secs(20);

fn is_found_out(lie: &str) {
    leaves_nothing(async || {
        let ends = survives(config(lie), 10, LONG, is_protocol).await;
        assert!(ends.any(is_protocol), "{lie} was not found out: {ends:?}");
    });
}

fn comes_to_nothing(lie: &str) {
    leaves_nothing(async || {
        survives(config(lie), 10, LONG, |_| false).await;
    });
}

#[test]
fn messages_that_are_none() {
    for lie in [
        "control-garbage",
        "control-oversize",
        "control-empty",
        "segment-dropped",
        "segment-dropped-max",
    ] {
        is_found_out(lie);
    }
}

#[test]
fn messages_out_of_turn() {
    for lie in ["ready-twice", "function-after-ready"] {
        is_found_out(lie);
    }
}

/// A worker that closes its ends and goes on is given a second, in case that was its end.
#[test]
fn ends_that_are_closed() {
    for lie in ["control-close", "bell-close"] {
        leaves_nothing(async || {
            let timed_out = |error: &CallError| is_protocol(error) || is_timeout(error);
            survives(config(lie), 10, LONG, timed_out).await;
        });
    }
}

#[test]
fn bells_that_are_full_or_never_silent() {
    for lie in ["bell-full", "bell-endless"] {
        comes_to_nothing(lie);
    }
}

#[test]
fn talking_without_end() {
    comes_to_nothing("talk-endless");
}

/// The count of descriptors is compared by every test; here there are thousands on their way.
#[test]
fn descriptors_that_are_sent() {
    comes_to_nothing("descriptors");
}

#[test]
fn cancellations_that_are_not_read() {
    leaves_nothing(async || {
        survives(
            config("control-unread"),
            10,
            Duration::from_millis(1),
            is_timeout,
        )
        .await;
    });
}
