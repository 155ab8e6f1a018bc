//! Calls that no function takes: each is refused with a sentence, and the function is not run.

use pyproc::{Body, CallError, Pool};
use serde_json::{Value, json};

use crate::support::{failure, next_call_works, scenario, start, worker};

const FUNCTIONS: &str = r#"
    import dataclasses, msgspec, typing

    class Point(msgspec.Struct, forbid_unknown_fields=True):
        x: float
        y: float = 0.0

    class Shape(msgspec.Struct):
        name: str
        points: list[Point]

    @expose
    def predict(shape: Shape):
        return len(shape.points)

    @expose
    def scale(value: float, factor: int = 2):
        return value * factor

    @expose
    def nothing():
        return None

    @expose
    def only_named(*, width: int):
        return width
"#;

/// The sentence of a call that is refused before the function has run, the same from MessagePack
/// and from JSON.
async fn refused(pool: &Pool, function: &str, arguments: Value) -> String {
    let error = failure(pool.call::<_, Value>(function, &arguments)).await;
    let body = Body::json(arguments.to_string());
    let from_json = failure(pool.request(function).body(body).send()).await;
    assert_eq!(error, from_json);
    assert!(!error.may_have_run(), "{error:?}");
    next_call_works(pool).await;
    error.to_string()
}

/// The same for one body.
async fn refused_body(pool: &Pool, function: &str, body: Body) -> String {
    let error = failure(pool.request(function).body(body).send()).await;
    assert!(!error.may_have_run(), "{error:?}");
    next_call_works(pool).await;
    error.to_string()
}

#[test]
fn an_unknown_function() {
    scenario(async || {
        let pool = start(worker(FUNCTIONS)).await;
        assert_eq!(
            refused(&pool, "preidct", json!({})).await,
            "no function is named `preidct`; did you mean `predict`?"
        );
        assert_eq!(
            refused(&pool, "xyz", json!({})).await,
            "no function is named `xyz`; there is `pid`, `linger`, `echo`, `predict`, `scale`, `nothing`, \
             `only_named` and `health`"
        );
        assert_eq!(
            refused(&pool, "", json!({})).await,
            "no function is named ``; there is `pid`, `linger`, `echo`, `predict`, `scale`, `nothing`, \
             `only_named` and `health`"
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_wrong_argument() {
    scenario(async || {
        let pool = start(worker(FUNCTIONS)).await;
        let point = json!({"name": "a", "points": [{"x": 1.5}, {"x": "far"}]});
        for (function, arguments, sentence) in [
            (
                "predict",
                point,
                "argument `$.points[1].x` is wrong: expected float, got str",
            ),
            (
                "predict",
                json!([1]),
                "the argument is wrong: expected object, got array",
            ),
            (
                "predict",
                json!(null),
                "the argument is wrong: expected object, got null",
            ),
            (
                "scale",
                json!({"value": "1"}),
                "argument `$.value` is wrong: expected float, got str",
            ),
            (
                "scale",
                json!([1, "2"]),
                "argument `$[1]` is wrong: expected int, got str",
            ),
            (
                "scale",
                json!([1, 2, 3]),
                "the argument is wrong: expected at most 2 items, got 3",
            ),
            (
                "scale",
                json!(7),
                "the argument is wrong: expected object or array, got int",
            ),
            (
                "nothing",
                json!([1]),
                "the argument is wrong: expected no arguments, got array",
            ),
            (
                "only_named",
                json!([1]),
                "the argument is wrong: expected object, got array",
            ),
        ] {
            assert_eq!(refused(&pool, function, arguments).await, sentence);
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn an_unknown_field() {
    scenario(async || {
        let pool = start(worker(FUNCTIONS)).await;
        for (function, arguments, sentence) in [
            (
                "scale",
                json!({"value": 1, "facotr": 3}),
                "argument `$.facotr` is wrong: expected one of value, factor, got an unknown name",
            ),
            (
                "only_named",
                json!({"width": 1, "height": 3}),
                "argument `$.height` is wrong: expected width, got an unknown name",
            ),
            (
                "predict",
                json!({"name": "a", "points": [{"x": 1, "z": 3}]}),
                "argument `$.points[0].z` is wrong: expected no such field, got one",
            ),
        ] {
            assert_eq!(refused(&pool, function, arguments).await, sentence);
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_missing_argument() {
    scenario(async || {
        let pool = start(worker(FUNCTIONS)).await;
        for (function, arguments, sentence) in [
            (
                "scale",
                json!({"factor": 3}),
                "argument `$.value` is wrong: expected a value, got nothing",
            ),
            (
                "scale",
                json!([]),
                "the argument is wrong: expected at least 1 items, got 0",
            ),
            (
                "only_named",
                json!({}),
                "argument `$.width` is wrong: expected a value, got nothing",
            ),
            (
                "predict",
                json!({"name": "a", "points": [{"x": 1}, {"y": 2}]}),
                "argument `$.points[1].x` is wrong: expected a value, got nothing",
            ),
        ] {
            assert_eq!(refused(&pool, function, arguments).await, sentence);
        }
        for (function, sentence) in [
            (
                "scale",
                "the argument is wrong: expected a value for value, got no body",
            ),
            (
                "predict",
                "the argument is wrong: expected a body for shape, got nothing",
            ),
        ] {
            assert_eq!(refused_body(&pool, function, Body::empty()).await, sentence);
        }
        pool.shutdown().await.expect("shutdown");
    });
}

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
