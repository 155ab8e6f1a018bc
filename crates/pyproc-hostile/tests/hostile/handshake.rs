//! Lies during the handshake: the pool does not come up, says why, and leaves nothing behind.

use std::time::Duration;

use pyproc::{Pool, StartError};

use crate::harness::{config, is_protocol, leaves_nothing, survives};

fn fails_to_start(lie: &str, is_expected: impl Fn(&StartError) -> bool) {
    leaves_nothing(async || {
        let error = Pool::start(config(lie).env("HOSTILE_ALL", "1"))
            .await
            .unwrap_err();
        assert!(is_expected(&error), "{lie}: {error:?}");
    });
}

fn is_protocol_error(error: &StartError) -> bool {
    matches!(error, StartError::Protocol { .. })
}

#[test]
fn messages_that_are_none() {
    for lie in [
        "handshake-garbage",
        "handshake-other-message",
        "handshake-deep",
        "handshake-huge-length",
        "handshake-oversize",
        "handshake-segment",
    ] {
        fails_to_start(lie, is_protocol_error);
    }
}

#[test]
fn more_functions_than_anybody_has() {
    for lie in ["handshake-functions", "handshake-long-functions"] {
        fails_to_start(lie, |error| error.to_string().contains("functions"));
    }
}

#[test]
fn ends_that_are_closed() {
    for lie in ["handshake-close", "handshake-bell-close"] {
        fails_to_start(lie, is_protocol_error);
    }
}

#[test]
fn another_version_names_both() {
    for lie in ["handshake-version", "handshake-rejected"] {
        fails_to_start(lie, |error| {
            let sentence = error.to_string();
            let ours = format!("pyproc {}", env!("CARGO_PKG_VERSION"));
            matches!(error, StartError::VersionMismatch { .. })
                && sentence.contains("9.8.7")
                && sentence.contains(&ours)
        });
    }
}

/// It says that it has failed, and stays.
#[test]
fn a_failure_without_an_end() {
    fails_to_start("handshake-failed", |error| {
        matches!(error, StartError::ScriptRaised { .. })
    });
}

#[test]
fn silence() {
    leaves_nothing(async || {
        let config = config("handshake-silent").start_timeout(Duration::from_millis(300));
        let error = Pool::start(config).await.unwrap_err();
        assert!(matches!(error, StartError::Timeout { .. }), "{error:?}");
    });
}

#[test]
fn what_is_odd_but_harmless() {
    for lie in [
        "handshake-duplicates",
        "handshake-huge-strings",
        "handshake-rings",
    ] {
        leaves_nothing(async || {
            let pool = Pool::start(config(lie)).await;
            if lie == "handshake-huge-strings" {
                // The workers do not agree on what they expose.
                assert!(pool.is_err() || pool.is_ok_and(|pool| !pool.functions().is_empty()));
            } else {
                pool.unwrap();
                survives(config(lie), 10, Duration::from_secs(20), |_| false).await;
            }
        });
    }
}

#[test]
fn answers_before_there_was_a_call() {
    leaves_nothing(async || {
        survives(
            config("handshake-answers"),
            10,
            Duration::from_secs(20),
            is_protocol,
        )
        .await;
    });
}
