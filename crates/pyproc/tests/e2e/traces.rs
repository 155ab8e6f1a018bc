//! A call's span in Rust, its trace in Python.

use std::collections::BTreeMap;
use std::time::Duration;

use pyproc::{CallError, Pool, TraceContext};
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{
    OPEN_TELEMETRY, Spans, appears, eventually, failure, kill, next_call_works, pid, scenario,
    scratch, start, worker,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const STATE: &str = "vendor=opaque,other=1";

fn context() -> TraceContext {
    TraceContext::parse(&format!("00-{TRACE}-{PARENT}-01"), Some(STATE)).expect("a good one")
}

/// A call that is part of the trace.
async fn traced<R: serde::de::DeserializeOwned>(
    pool: &Pool,
    function: &str,
    argument: &Value,
) -> Result<R, CallError> {
    pool.request(function)
        .trace_context(context())
        .call(argument)
        .await
}

/// A span that a worker has exported.
#[derive(Debug, Deserialize)]
struct Exported {
    name: String,
    trace: String,
    id: String,
    parent: Option<String>,
    kind: String,
    status: String,
    state: String,
}

#[test]
fn the_context_is_shown_to_the_call_that_carries_it_and_to_no_other() {
    scenario(async || {
        let pool = start(worker(
            "
            from pyproc_worker import current_call

            @expose
            def shown(value):
                call = current_call()
                return [call.traceparent, call.tracestate, len(value)]

            @expose
            async def shown_async(value):
                await asyncio.sleep(0.001)
                return shown(value)

            @expose
            def shown_without_body():
                return shown('')
            ",
        ))
        .await;
        let parent = format!("00-{TRACE}-{PARENT}-01");
        for function in ["shown", "shown_async"] {
            // Short ones travel in the ring, the long one in a segment.
            for length in [0, 1, 30_000, 100_000] {
                let text = json!("x".repeat(length));
                let none: Value = pool.call(function, &text).await.expect("a call");
                assert_eq!(none, json!([null, null, length]));
                let shown: Value = traced(&pool, function, &text).await.expect("a call");
                assert_eq!(shown, json!([parent, STATE, length]), "{function} {length}");
            }
        }
        let shown: Value = pool
            .request("shown_without_body")
            .trace_context(context())
            .call(&())
            .await
            .expect("a call");
        assert_eq!(shown[0], json!(parent));
        let lone = TraceContext::parse(&parent, None).expect("a good one");
        let request = pool.request("shown").trace_context(lone);
        let shown: Value = request.call("").await.expect("a call");
        assert_eq!(shown, json!([parent, null, 0]));
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_worker_that_does_not_use_opentelemetry_does_not_import_it() {
    scenario(async || {
        let pool = start(worker(
            "
            @expose
            def imported():
                return 'opentelemetry' in sys.modules
            ",
        ))
        .await;
        assert_eq!(pool.call("imported", &()).await, Ok(false));
        assert_eq!(traced(&pool, "imported", &json!(null)).await, Ok(false));
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn without_opentelemetry_calls_that_carry_a_context_work() {
    scenario(async || {
        let pool = start(worker(
            "
            from pyproc_worker import current_call

            # What an import finds where the package is not installed.
            sys.modules['opentelemetry'] = None

            @expose
            async def shown():
                return current_call().traceparent
            ",
        ))
        .await;
        assert_eq!(traced(&pool, "echo", &json!(7)).await, Ok(7));
        let shown: String = traced(&pool, "shown", &json!(null)).await.expect("a call");
        assert!(shown.contains(TRACE));
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn functions_run_in_spans_that_continue_the_trace() {
    scenario(async || {
        let source = format!(
            "{OPEN_TELEMETRY}
    @expose
    def fail():
        raise ValueError('no')
"
        );
        let pool = start(worker(&source)).await;
        let mut seen = BTreeMap::new();
        for (function, argument) in [
            ("plain", json!(1)),
            ("bare", json!(null)),
            ("coroutine", json!(1)),
        ] {
            let ids: [String; 2] = traced(&pool, function, &argument).await.expect("a call");
            assert_eq!(ids[0], TRACE);
            seen.insert(function.to_owned(), ids[1].clone());
            // The next call without a context is in no span.
            let ids: [String; 2] = pool.call(function, &argument).await.expect("a call");
            assert_eq!(ids, ["0".repeat(32), "0".repeat(16)]);
        }
        let error = failure(traced::<()>(&pool, "fail", &json!(null))).await;
        let CallError::Python { traceback, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(!traceback.contains("opentelemetry"), "{traceback}");
        let spans: Vec<Exported> = pool.call("spans", &()).await.expect("spans");
        assert_eq!(spans.len(), 4);
        for span in &spans {
            assert_eq!(span.trace, TRACE);
            assert_eq!(span.parent.as_deref(), Some(PARENT));
            assert_eq!((span.kind.as_str(), span.state.as_str()), ("SERVER", STATE));
            if span.name == "fail" {
                assert_eq!(span.status, "ERROR");
            } else {
                assert_eq!(seen[&span.name], span.id, "{}", span.name);
                assert_eq!(span.status, "UNSET");
            }
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_call_that_is_interrupted_leaves_no_span_behind() {
    scenario(async || {
        let source = format!(
            r#"{OPEN_TELEMETRY}
    @expose
    def hang(mark):
        open(mark, "w").close()
        time.sleep(3600)

    @expose
    async def hang_async(mark):
        open(mark, "w").close()
        await asyncio.sleep(3600)
"#
        );
        let pool = start(worker(&source)).await;
        for function in ["hang", "hang_async"] {
            let mark = scratch().join(function);
            let request = pool.request(function).trace_context(context());
            let error = failure(
                request
                    .timeout(Duration::from_millis(300))
                    .call::<_, ()>(&mark),
            )
            .await;
            assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
            appears(&mark).await;
            let ids: [String; 2] = pool.call("plain", &0).await.expect("a call");
            assert_eq!(ids, ["0".repeat(32), "0".repeat(16)]);
            eventually("its span", async || {
                let spans: Vec<Exported> = pool.call("spans", &()).await.expect("spans");
                spans.iter().any(|span| span.name == function)
            })
            .await;
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn every_call_has_a_span_that_says_how_it_ended() {
    scenario(async || {
        let spans = Spans::collect();
        let pool = start(worker(
            r#"
            @expose
            def hang(mark):
                open(mark, "w").close()
                time.sleep(3600)
            "#,
        ))
        .await;
        let span = |function: &str, outcome: &str, attempts: Option<u32>| {
            let mut fields: BTreeMap<String, String> = [
                ("function".to_owned(), function.to_owned()),
                ("otel.kind".to_owned(), "client".to_owned()),
                ("outcome".to_owned(), outcome.to_owned()),
            ]
            .into();
            if let Some(attempts) = attempts {
                fields.insert("worker".to_owned(), "0".to_owned());
                fields.insert("attempts".to_owned(), attempts.to_string());
            }
            vec![fields]
        };
        next_call_works(&pool).await;
        assert_eq!(spans.take(), span("echo", "ok", Some(1)));
        pool.request("pid").send().await.expect("a reply");
        assert_eq!(spans.take(), span("pid", "ok", Some(1)));
        let text = "x".repeat(100_000);
        let _: String = pool.call("echo", &text).await.expect("an echo");
        assert_eq!(spans.take(), span("echo", "ok", Some(1)));
        failure(pool.call::<_, u32>("echo", "no number")).await;
        assert_eq!(spans.take(), span("echo", "bad_result", Some(1)));
        failure(pool.call::<_, ()>("nobody", &())).await;
        assert_eq!(spans.take(), span("nobody", "no_such_function", None));

        let process = pid(&pool).await;
        spans.take();
        let mark = scratch().join("runs");
        let (error, ()) = tokio::join!(
            failure(
                pool.request("hang")
                    .idempotent()
                    .max_attempts(2)
                    .call::<_, ()>(&mark)
            ),
            async {
                for round in 0..2 {
                    appears(&mark).await;
                    std::fs::remove_file(&mark).unwrap();
                    let workers = || pool.health().workers;
                    eventually("the process", async || workers()[0].generation == round + 1).await;
                    kill(workers()[0].pid.unwrap_or(process), Signal::KILL);
                }
            }
        );
        assert!(matches!(error, CallError::WorkerDied { .. }));
        assert_eq!(spans.take(), span("hang", "worker_died", Some(2)));

        eventually("a worker", async || pool.health().ready).await;
        let dropped = tokio::spawn({
            let (pool, mark) = (pool.clone(), mark.clone());
            async move { pool.call::<_, ()>("hang", &mark).await }
        });
        appears(&mark).await;
        dropped.abort();
        assert!(dropped.await.is_err());
        assert_eq!(spans.take(), span("hang", "dropped", None));
        pool.shutdown().await.expect("shutdown");
    });
}
