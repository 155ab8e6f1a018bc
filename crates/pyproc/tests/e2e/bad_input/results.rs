//! Functions that ran, and whose result or exception is all that there is to tell.

use pyproc::{CallError, ContentType, Pool};
use serde_json::{Value, json};

use crate::support::{failure, next_call_works, scenario, start, worker};

/// The sentence of a call whose function has run.
async fn failed(pool: &Pool, function: &str, wanted: ContentType) -> String {
    let error = failure(pool.request(function).accept(wanted).send()).await;
    assert!(error.may_have_run(), "{error:?}");
    next_call_works(pool).await;
    error.to_string()
}

#[test]
fn a_result_that_cannot_be_encoded() {
    scenario(async || {
        let pool = start(worker(
            r#"
            class Model:
                pass

            @expose
            def number():
                return 1j

            @expose
            def nested():
                return {"models": [Model()]}

            @expose
            async def later():
                return Model()

            @expose
            def itself():
                value = []
                value.append(value)
                return value

            @expose
            def surrogate():
                return "\udc80"

            @expose
            def huge_number():
                return 1 << 70

            @expose
            def text():
                return "text"
            "#,
        ))
        .await;
        for (function, sentence) in [
            ("number", "a value of type `complex` cannot be encoded"),
            (
                "nested",
                "a value of type `__main__.Model` cannot be encoded",
            ),
            (
                "later",
                "a value of type `__main__.Model` cannot be encoded",
            ),
            (
                "itself",
                "maximum recursion depth exceeded while serializing an object",
            ),
            (
                "surrogate",
                "'utf-8' codec can't encode character '\\udc80' in position 0: surrogates not allowed",
            ),
        ] {
            for wanted in [ContentType::MsgPack, ContentType::Json] {
                assert_eq!(
                    failed(&pool, function, wanted).await,
                    format!("the function's result cannot be used: {sentence}")
                );
            }
        }
        assert_eq!(
            failed(&pool, "huge_number", ContentType::MsgPack).await,
            "the function's result cannot be used: can't serialize ints < -2**63 or > 2**64 - 1"
        );
        assert_eq!(
            failed(&pool, "text", ContentType::Raw).await,
            "the function's result cannot be used: the caller asked for raw bytes and the function returned `str`"
        );
        let error = failure(pool.call::<_, u32>("text", &())).await;
        assert_eq!(
            error.to_string(),
            "the function's result cannot be used: it is not a u32 (it has a string there)"
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn nan_in_json() {
    scenario(async || {
        let pool = start(worker(
            r#"
            import numpy

            @expose
            def bare():
                return float("nan")

            @expose
            def nested():
                return {"scores": [1.0, float("-inf")], "none": None}

            @expose
            def array():
                return numpy.array([[1.0], [float("inf")]])
            "#,
        ))
        .await;
        for (function, what) in [
            ("bare", "nan at $"),
            ("nested", "-inf at $.scores[1]"),
            ("array", "inf at $[1][0]"),
        ] {
            assert_eq!(
                failed(&pool, function, ContentType::Json).await,
                format!("the function's result cannot be used: {what} cannot be written as JSON")
            );
        }
        // MessagePack has them.
        assert!(
            pool.call::<_, f64>("bare", &())
                .await
                .expect("NaN")
                .is_nan()
        );
        let array: Vec<Vec<f64>> = pool.call("array", &()).await.expect("an array");
        assert_eq!(array, [[1.0], [f64::INFINITY]]);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn an_exception_with_its_traceback() {
    scenario(async || {
        let pool = start(worker(
            r#"
            class NoSuchCustomer(LookupError):
                pass

            def look_up(number):
                raise NoSuchCustomer(f"customer {number} is unknown")

            @expose
            def customer(number):
                return look_up(number)

            @expose
            async def customer_later(number):
                await asyncio.sleep(0)
                return look_up(number)

            @expose
            def silent():
                raise ValueError
            "#,
        ))
        .await;
        for function in ["customer", "customer_later"] {
            let error = failure(pool.call::<_, Value>(function, &json!(7))).await;
            assert_eq!(
                error.to_string(),
                "the Python function raised NoSuchCustomer: customer 7 is unknown"
            );
            let CallError::Python { traceback, .. } = &error else {
                panic!("{error:?}")
            };
            let lines: Vec<&str> = traceback.lines().map(str::trim).collect();
            assert_eq!(lines[0], "Traceback (most recent call last):");
            assert!(lines[1].ends_with(&format!("in {function}")), "{traceback}");
            assert_eq!(lines[2], "return look_up(number)");
            assert_eq!(
                *lines.last().unwrap(),
                "NoSuchCustomer: customer 7 is unknown"
            );
            assert!(!traceback.contains("pyproc_worker/"), "{traceback}");
            assert!(error.may_have_run());
            next_call_works(&pool).await;
        }
        let error = failure(pool.call::<_, Value>("silent", &())).await;
        assert_eq!(error.to_string(), "the Python function raised ValueError");
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_result_beyond_the_limit() {
    scenario(async || {
        let pool = start(
            worker(
                "
                @expose
                def much():
                    return bytes(2 << 20)
                ",
            )
            .max_body(1 << 20),
        )
        .await;
        assert_eq!(
            failed(&pool, "much", ContentType::Raw).await,
            "the function's result is too large: 2MiB where `max_body` allows 1MiB; send less or raise `max_body`"
        );
        pool.shutdown().await.expect("shutdown");
    });
}
