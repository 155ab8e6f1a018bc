//! Calls that no function takes: each is refused with a sentence, and the function is not run.

use pyproc::{Body, Pool};
use serde_json::{Value, json};

use crate::support::{failure, next_call_works, scenario, start, worker};

pub(super) const FUNCTIONS: &str = r#"
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
pub(super) async fn refused_body(pool: &Pool, function: &str, body: Body) -> String {
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
