//! Bodies that are not what they say they are, too large, or of no use to the function.

use pyproc::{Body, CallError};

use super::arguments::{FUNCTIONS, refused_body};
use crate::support::{failure, next_call_works, scenario, start, worker};

#[test]
fn malformed_json() {
    scenario(async || {
        let pool = start(worker(FUNCTIONS)).await;
        for (function, body, sentence) in [
            (
                "echo",
                "{\"value\" 1}",
                "the body of the call is malformed: JSON is malformed: expected ':' (byte 9)",
            ),
            (
                "scale",
                "{\"value\": 1",
                "the body of the call is malformed: Input data was truncated",
            ),
            (
                "scale",
                "{\"value\": NaN}",
                "the body of the call is malformed: JSON is malformed: invalid character (byte 10)",
            ),
            (
                "scale",
                "",
                "the body of the call is malformed: Input data was truncated",
            ),
            (
                "nothing",
                "{} {}",
                "the body of the call is malformed: JSON is malformed: trailing characters (byte 4)",
            ),
            (
                "echo",
                "'single'",
                "the body of the call is malformed: JSON is malformed: invalid character (byte 0)",
            ),
        ] {
            assert_eq!(
                refused_body(&pool, function, Body::json(body)).await,
                sentence,
                "{body}"
            );
        }
        let body = Body::json(&b"\"\xff\xfe\""[..]);
        assert_eq!(
            refused_body(&pool, "echo", body).await,
            "the body of the call is malformed: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
        );
        let deep = Body::json("[".repeat(30_000));
        assert_eq!(
            refused_body(&pool, "echo", deep).await,
            "the body of the call is malformed: maximum recursion depth exceeded while deserializing an object"
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn malformed_messagepack() {
    scenario(async || {
        let pool = start(worker(FUNCTIONS)).await;
        for (function, body, sentence) in [
            (
                "echo",
                &b"\x92\x01"[..],
                "the body of the call is malformed: Input data was truncated",
            ),
            (
                "scale",
                b"\x81",
                "the body of the call is malformed: Input data was truncated",
            ),
            (
                "scale",
                b"",
                "the body of the call is malformed: Input data was truncated",
            ),
            (
                "echo",
                b"\xc1",
                "the body of the call is malformed: MessagePack data is malformed: invalid opcode '\\xc1' (byte 0)",
            ),
            (
                "echo",
                b"\x01\x02",
                "the body of the call is malformed: MessagePack data is malformed: trailing characters (byte 1)",
            ),
            (
                "echo",
                b"\xa1\xff",
                "the body of the call is malformed: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
            ),
        ] {
            assert_eq!(
                refused_body(&pool, function, Body::msgpack(body)).await,
                sentence,
                "{body:?}"
            );
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn raw_bytes_for_a_function_that_wants_fields() {
    scenario(async || {
        let pool = start(worker(FUNCTIONS)).await;
        for (function, sentence) in [
            (
                "scale",
                "the argument is wrong: expected an object or array, got 3 raw bytes",
            ),
            (
                "predict",
                "the argument is wrong: expected Shape, got 3 raw bytes",
            ),
            (
                "nothing",
                "the argument is wrong: expected no arguments, got 3 raw bytes",
            ),
        ] {
            assert_eq!(
                refused_body(&pool, function, Body::raw("abc")).await,
                sentence
            );
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn arguments_that_rust_cannot_encode() {
    scenario(async || {
        struct Unwilling;
        impl serde::Serialize for Unwilling {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom(
                    "no value of this type leaves the program",
                ))
            }
        }
        let pool = start(worker(FUNCTIONS)).await;
        let error = failure(pool.call::<_, ()>("echo", &Unwilling)).await;
        assert_eq!(
            error.to_string(),
            "the body of the call is malformed: the arguments cannot be encoded \
             (no value of this type leaves the program)"
        );
        assert!(!error.may_have_run());
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_body_beyond_the_limit() {
    scenario(async || {
        let pool = start(worker(FUNCTIONS).max_body(1 << 20)).await;
        assert_eq!(
            refused_body(&pool, "echo", Body::raw(vec![0; (1 << 20) + 1])).await,
            "the body of the call is too large: 1048577B where `max_body` allows 1MiB; send less or raise `max_body`"
        );
        pool.shutdown().await.expect("shutdown");
        let error = failure(pool.call::<_, ()>("echo", &1)).await;
        assert_eq!(
            error.to_string(),
            "the pool is shut down and takes no more calls"
        );
        assert_eq!(error, CallError::Closed);
    });
}
