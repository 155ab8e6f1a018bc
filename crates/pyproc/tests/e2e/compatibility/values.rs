//! Values and exceptions at the edges of what the encodings can say.

use pyproc::{Body, CallError, ContentType};
use serde_json::{Value, json};

use crate::support::{failure, next_call_works, scenario, start, worker};

#[test]
fn numpy_results() {
    scenario(async || {
        let pool = start(worker(
            "
            import numpy as np

            @expose
            def scalars():
                return [np.int64(-3), np.uint8(200), np.float32(0.5), np.bool_(True), np.str_('a')]

            @expose
            def arrays():
                return {'matrix': np.arange(6).reshape(2, 3), 'empty': np.zeros(0), 'column': np.eye(3)[:, 1]}

            @expose
            def total(x: np.ndarray):
                return x.sum()
            ",
        ))
        .await;
        for wanted in [ContentType::MsgPack, ContentType::Json] {
            let of = async |function| {
                let reply = pool
                    .request(function)
                    .accept(wanted)
                    .send()
                    .await
                    .expect("a reply");
                reply.decode::<Value>().expect("a value")
            };
            assert_eq!(of("scalars").await, json!([-3, 200, 0.5, true, "a"]));
            assert_eq!(
                of("arrays").await,
                json!({"matrix": [[0, 1, 2], [3, 4, 5]], "empty": [], "column": [0.0, 1.0, 0.0]})
            );
        }
        assert_eq!(pool.call::<_, f64>("total", &[1.5, 2.5]).await, Ok(4.0));
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn bytes_in_and_out() {
    scenario(async || {
        let pool = start(worker(
            "
            @expose
            def backwards(data: bytes):
                return data[::-1]

            @expose
            def view(data: memoryview):
                return [data.nbytes, data.readonly]
            ",
        ))
        .await;
        for length in [0, 1, 1000, 100_000] {
            let bytes: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
            let reply = pool
                .request("backwards")
                .body(Body::raw(bytes.clone()))
                .send()
                .await
                .expect("bytes");
            assert_eq!(reply.content_type(), ContentType::Raw);
            assert!(reply.bytes().iter().eq(bytes.iter().rev()));
            let reply = pool
                .request("view")
                .body(Body::raw(bytes))
                .send()
                .await
                .expect("a view");
            assert_eq!(reply.decode::<Value>().unwrap(), json!([length, true]));
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn exceptions_that_are_hard_to_describe() {
    scenario(async || {
        let pool = start(worker(
            r#"
            class Unspeakable(Exception):
                def __str__(self):
                    raise RuntimeError("no text")

            class Stubborn(Exception):
                def __str__(self):
                    sys.exit("not even that")

            @expose
            def fail(kind):
                if kind == "unspeakable":
                    raise Unspeakable
                if kind == "stubborn":
                    raise Stubborn
                if kind == "huge":
                    raise ValueError("x" * (1 << 20))
                if kind == "wide":
                    raise ValueError("模" * (1 << 20))
                if kind == "surrogate":
                    raise ValueError("\udc80 and \ud83d")
                if kind == "chain":
                    error = None
                    for number in range(2000):
                        new = ValueError(number)
                        new.__cause__ = error
                        error = new
                    raise error
                if kind == "group":
                    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])
                if kind == "note":
                    error = ValueError("noted")
                    error.__notes__ = [3, "a note"]
                    raise error
                if kind == "deep":
                    def down(): return down()
                    down()
            "#,
        ))
        .await;
        for (kind, name, start_of_message) in [
            (
                "unspeakable",
                "Unspeakable",
                "(the exception's own text could not be made)",
            ),
            ("stubborn", "Stubborn", ""),
            ("huge", "ValueError", "xxxx"),
            ("wide", "ValueError", "模模模"),
            ("surrogate", "ValueError", "\\udc80 and \\ud83d"),
            ("chain", "ValueError", "1999"),
            ("group", "ExceptionGroup", "several (2 sub-exceptions)"),
            ("note", "ValueError", "noted"),
            ("deep", "RecursionError", "maximum recursion depth exceeded"),
        ] {
            let error = failure(pool.call::<_, ()>("fail", kind)).await;
            let CallError::Python {
                exception,
                message,
                traceback,
            } = &error
            else {
                panic!("{kind}: {error:?}")
            };
            assert!(exception.starts_with(name), "{kind}: {exception}");
            assert!(
                message.starts_with(start_of_message),
                "{kind}: {}",
                &message[..message.len().min(300)]
            );
            assert!(message.len() + traceback.len() < 256 * 1024, "{kind}");
            next_call_works(&pool).await;
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn text_of_every_kind() {
    scenario(async || {
        let pool = start(worker("")).await;
        let long = "ü\u{1F600}".repeat(50_000);
        for text in [
            "",
            "\0",
            "\u{7f}\u{80}\u{ffff}\u{10ffff}",
            "a\u{301}",
            "\u{202e}txt",
            long.as_str(),
        ] {
            assert_eq!(
                pool.call::<_, String>("echo", text).await.as_deref(),
                Ok(text)
            );
            let body = Body::json(json!(text).to_string());
            let reply = pool.request("echo").body(body).send().await.expect("JSON");
            assert_eq!(reply.decode::<String>().as_deref(), Ok(text));
        }
        let deep = (0..400).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(failure_or(pool.call::<_, Value>("echo", &deep).await), None);
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

/// Deep values arrive, or are refused as what they are.
fn failure_or(result: Result<Value, CallError>) -> Option<CallError> {
    match result {
        Ok(_) | Err(CallError::BadResult { .. } | CallError::Malformed { .. }) => None,
        Err(error) => Some(error),
    }
}
