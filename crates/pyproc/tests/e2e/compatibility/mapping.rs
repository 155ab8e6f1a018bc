//! How a body becomes arguments: every row of the table, through MessagePack and through JSON.

use pyproc::{Body, Pool, PoolConfig};
use serde_json::{Value, json};

use crate::support::{python, scenario, start, worker};

/// The result, the same from both encodings.
async fn both(pool: &Pool, function: &str, arguments: Value) -> Value {
    let result: Value = pool.call(function, &arguments).await.expect("MessagePack");
    let body = Body::json(arguments.to_string());
    let reply = pool
        .request(function)
        .body(body)
        .send()
        .await
        .expect("JSON");
    assert_eq!(reply.decode::<Value>().expect("a value"), result);
    result
}

async fn without_body(pool: &Pool, function: &str) -> Value {
    let reply = pool.request(function).body(Body::empty()).send().await;
    reply.expect("no body").decode().expect("a value")
}

/// The result of a function of a module, where both encodings have to agree.
async fn of_module(target: &str, arguments: Value) -> Value {
    let pool = start(PoolConfig::new(target).python(python()).workers(1)).await;
    let function = target.split_once(':').expect("a function").1;
    let result = both(&pool, function, arguments).await;
    pool.shutdown().await.expect("shutdown");
    result
}

#[test]
fn functions_of_modules() {
    scenario(async || {
        for (target, arguments, result) in [
            ("math:hypot", json!([3, 4]), json!(5.0)),
            ("json:dumps", json!({"a": [1]}), json!("{\"a\": [1]}")),
            ("statistics:mean", json!([1, 2, 6]), json!(3)),
            ("builtins:max", json!([1, 7, 3]), json!(7)),
            ("builtins:str.upper", json!("größe"), json!("GRÖSSE")),
            ("operator:add", json!([2, 3]), json!(5)),
            (
                "textwrap:shorten",
                json!({"text": "one two three", "width": 9}),
                json!("one [...]"),
            ),
        ] {
            assert_eq!(of_module(target, arguments).await, result, "{target}");
        }
    });
}

#[test]
fn no_parameters() {
    scenario(async || {
        let pool = start(worker("@expose\ndef f():\n    return 'called'\n")).await;
        for arguments in [json!(null), json!({})] {
            assert_eq!(both(&pool, "f", arguments).await, "called");
        }
        assert_eq!(without_body(&pool, "f").await, "called");
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn one_parameter_takes_the_whole_body() {
    scenario(async || {
        let pool = start(worker(
            "
            @expose
            def one(value):
                return [value]

            @expose
            def optional(value='default', *, precision=2, **others):
                return [value, precision, others]
            ",
        ))
        .await;
        for body in [
            json!(null),
            json!([1, 2]),
            json!({"value": 1}),
            json!("text"),
            json!(1.5),
            json!(true),
        ] {
            assert_eq!(both(&pool, "one", body.clone()).await, json!([body]));
            assert_eq!(
                both(&pool, "optional", body.clone()).await,
                json!([body, 2, {}])
            );
        }
        assert_eq!(
            without_body(&pool, "optional").await,
            json!(["default", 2, {}])
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn any_number_of_parameters() {
    scenario(async || {
        let pool = start(worker(
            "
            @expose
            def every(*values):
                return list(values)

            @expose
            def first_and(first, *others, last=None):
                return [first, list(others), last]
            ",
        ))
        .await;
        assert_eq!(both(&pool, "every", json!([1, [2]])).await, json!([1, [2]]));
        assert_eq!(
            both(&pool, "every", json!({"a": 1})).await,
            json!([{"a": 1}])
        );
        assert_eq!(without_body(&pool, "every").await, json!([]));
        assert_eq!(
            both(&pool, "first_and", json!([1, 2, 3])).await,
            json!([1, [2, 3], null])
        );
        assert_eq!(
            both(&pool, "first_and", json!({"first": 1, "last": 9})).await,
            json!([1, [], 9])
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn several_parameters() {
    scenario(async || {
        let pool = start(worker(
            "
            @expose
            def two(a, b=2):
                return [a, b]

            @expose
            def more(a, b=2, **others):
                return [a, b, others]

            @expose(body='whole')
            def whole(a, b=2):
                return [a, b]
            ",
        ))
        .await;
        assert_eq!(
            both(&pool, "two", json!({"a": 1, "b": 3})).await,
            json!([1, 3])
        );
        assert_eq!(both(&pool, "two", json!({"a": 1})).await, json!([1, 2]));
        assert_eq!(both(&pool, "two", json!([1])).await, json!([1, 2]));
        assert_eq!(both(&pool, "two", json!([1, 3])).await, json!([1, 3]));
        assert_eq!(
            both(&pool, "more", json!({"a": 1, "c": 3})).await,
            json!([1, 2, {"c": 3}])
        );
        assert_eq!(
            both(&pool, "whole", json!({"a": 1})).await,
            json!([{"a": 1}, 2])
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn annotated_parameters_are_of_their_type() {
    scenario(async || {
        let pool = start(worker(
            r#"
            import dataclasses, datetime, enum, msgspec, typing

            class Struct(msgspec.Struct):
                value: float

            @dataclasses.dataclass
            class Data:
                value: float
                tags: list[str] = dataclasses.field(default_factory=list)

            class Typed(typing.TypedDict):
                value: float

            class Colour(enum.Enum):
                RED = "red"

            def kind(value):
                return [type(value).__name__, getattr(value, "value", value)]

            @expose
            def struct(x: Struct): return kind(x)
            @expose
            def data(x: Data): return kind(x)
            @expose
            def typed(x: Typed): return kind(x)
            @expose
            def integer(x: int): return kind(x)
            @expose
            def text(x: "str | None"): return kind(x)
            @expose
            def colour(x: Colour): return kind(x)
            @expose
            def mixed(x: Struct, times: int = 2): return [x.value * times]
            "#,
        ))
        .await;
        for (function, argument, result) in [
            ("struct", json!({"value": 1}), json!(["Struct", 1.0])),
            ("data", json!({"value": 1}), json!(["Data", 1.0])),
            (
                "typed",
                json!({"value": 1.5}),
                json!(["dict", {"value": 1.5}]),
            ),
            ("integer", json!(7), json!(["int", 7])),
            ("text", json!(null), json!(["NoneType", null])),
            ("colour", json!("red"), json!(["Colour", "red"])),
            ("mixed", json!({"x": {"value": 2}}), json!([4.0])),
            ("mixed", json!([{"value": 2}, 3]), json!([6.0])),
        ] {
            assert_eq!(both(&pool, function, argument).await, result, "{function}");
        }
        pool.shutdown().await.expect("shutdown");
    });
}
