//! What workers log and print arrives in `tracing` with the worker and the call.

use pyproc::{Pool, RequestId, TraceContext};
use tracing::Level;

use crate::support::{Event, Events, OPEN_TELEMETRY, eventually, pid, scenario, start, worker};

const WORKER: &str = r#"
    import logging, subprocess
    from pyproc_worker import current_call

    log = logging.getLogger("shop.orders")
    logging.getLogger().setLevel(logging.DEBUG)

    @expose
    def talk(word):
        log.debug("debug %s", word)
        log.info("info %s", word)
        log.warning("warning %s", word)
        log.error("error %s", word)
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("exception %s", word)
        print("print", word)
        print("print err", word, file=sys.stderr)
        print("two\nlines", word)
        print("no end", word, end="", flush=True)
        return current_call().id

    @expose
    async def talk_async(word):
        log.info("before %s", word)
        await asyncio.sleep(0.01)
        log.info("after %s", word)
        return current_call().id

    @expose
    def talk_beside_python(word):
        os.write(1, f"raw {word}\n".encode())
        subprocess.run(["echo", "child", word], check=True)

    @expose
    def talk_later(word):
        threading.Timer(0.01, lambda: print("later", word)).start()
"#;

/// The event with this message, once it has come.
async fn event(events: &Events, message: &str) -> Event {
    let mut found = None;
    eventually(message, async || {
        found = events.find(|event| event.message == message);
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// Checks what all events of a worker carry; the call, if they have one.
#[track_caller]
fn of(event: &Event, worker: u32, level: Level) -> Option<u64> {
    assert_eq!(event.target, "pyproc::worker");
    assert_eq!(event.level, level, "{event:?}");
    assert_eq!(event.fields["worker"], "0");
    assert_eq!(event.fields["pid"], worker.to_string());
    event.fields.get("call").map(|call| call.parse().unwrap())
}

async fn talking() -> (Events, Pool, u32) {
    let events = Events::collect();
    let pool = start(worker(WORKER)).await;
    let worker = pid(&pool).await;
    (events, pool, worker)
}

#[test]
fn records_of_logging_carry_level_logger_and_call() {
    scenario(async || {
        let (events, pool, worker) = talking().await;
        for word in ["one", "two"] {
            let call: u64 = pool.call("talk", word).await.expect("talk");
            for (message, level) in [
                ("debug", Level::DEBUG),
                ("info", Level::INFO),
                ("warning", Level::WARN),
                ("error", Level::ERROR),
            ] {
                let event = event(&events, &format!("{message} {word}")).await;
                assert_eq!(of(&event, worker, level), Some(call));
                assert_eq!(event.fields["logger"], "shop.orders");
            }
            let exception = events
                .find(|event| event.message.starts_with(&format!("exception {word}\n")))
                .unwrap();
            assert_eq!(of(&exception, worker, Level::ERROR), Some(call));
            assert!(
                exception.message.contains("Traceback")
                    && exception.message.contains("ZeroDivisionError")
            );
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn lines_of_print_carry_stream_and_call() {
    scenario(async || {
        let (events, pool, worker) = talking().await;
        let call: u64 = pool.call("talk", "word").await.expect("talk");
        for (message, stream) in [
            ("print word", "stdout"),
            ("print err word", "stderr"),
            ("two", "stdout"),
            ("lines word", "stdout"),
            ("no end word", "stdout"),
        ] {
            let event = event(&events, message).await;
            assert_eq!(of(&event, worker, Level::INFO), Some(call), "{message}");
            assert_eq!(event.fields["stream"], stream);
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn coroutines_that_run_at_the_same_time_keep_their_calls_apart() {
    scenario(async || {
        let (events, pool, worker) = talking().await;
        let talk = |word: &'static str| pool.call::<_, u64>("talk_async", word);
        let (one, two, three) = tokio::join!(talk("one"), talk("two"), talk("three"));
        for (word, call) in [("one", one), ("two", two), ("three", three)] {
            for when in ["before", "after"] {
                let event = event(&events, &format!("{when} {word}")).await;
                assert_eq!(
                    of(&event, worker, Level::INFO),
                    Some(*call.as_ref().unwrap())
                );
            }
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn what_is_written_beside_python_arrives_without_a_call() {
    scenario(async || {
        let (events, pool, worker) = talking().await;
        let _: () = pool.call("talk_beside_python", "word").await.expect("talk");
        for message in ["raw word", "child word"] {
            let event = event(&events, message).await;
            assert_eq!(of(&event, worker, Level::INFO), None);
            assert_eq!(event.fields["stream"], "stdout");
        }
        let _: () = pool.call("talk_later", "word").await.expect("talk");
        let later = event(&events, "later word").await;
        assert_eq!(of(&later, worker, Level::INFO), None);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn what_a_module_says_while_it_is_imported_arrives() {
    scenario(async || {
        let events = Events::collect();
        let pool = start(worker("print('hello from the import')")).await;
        let hello = event(&events, "hello from the import").await;
        assert_eq!(of(&hello, pid(&pool).await, Level::INFO), None);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_plain_function_between_coroutines_is_a_call_of_its_own() {
    scenario(async || {
        let (_, pool, _) = talking().await;
        for word in ["one", "two"] {
            let one: u64 = pool.call("talk_async", word).await.expect("talk");
            let other: u64 = pool.call("talk", word).await.expect("talk");
            assert_ne!(one, other);
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn lines_carry_the_request_and_the_trace_of_their_call() {
    scenario(async || {
        let events = Events::collect();
        let source = format!(
            "{OPEN_TELEMETRY}{}",
            r#"
    import logging
    from pyproc_worker import current_call

    tracer = trace.get_tracer("test")

    def say(word):
        print(f"print {word}")
        logging.warning("warning %s", word)
        return [current_call().request_id, *ids(trace.get_current_span())]

    @expose
    def said(word):
        return say(word)

    @expose
    async def said_async(word):
        await asyncio.sleep(0.001)
        return say(word)

    @expose
    def said_in_a_span(word):
        with tracer.start_as_current_span("inner"):
            return say(word)
"#
        );
        let pool = start(worker(&source)).await;
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for function in ["said", "said_async", "said_in_a_span"] {
            for (request, traced) in [(true, true), (true, false), (false, true), (false, false)] {
                let word = format!("{function} {request} {traced}");
                let mut call = pool.request(function);
                if request {
                    call = call.request_id(RequestId::parse("r-4711").expect("an id"));
                }
                if traced {
                    call = call.trace_context(TraceContext::parse(parent, None).expect("one"));
                }
                let seen: (Option<String>, String, String) =
                    call.call(&word).await.expect(function);
                assert_eq!(seen.0.as_deref(), request.then_some("r-4711"));
                for message in [format!("print {word}"), format!("warning {word}")] {
                    let fields = event(&events, &message).await.fields;
                    let field = |name: &str| fields.get(name).map(String::as_str);
                    assert_eq!(field("request_id"), request.then_some("r-4711"), "{word}");
                    if traced {
                        assert_eq!(field("trace_id"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
                    }
                    let in_a_span = seen.2 != "0".repeat(16);
                    assert_eq!(in_a_span, traced || function == "said_in_a_span");
                    assert_eq!(field("trace_id"), in_a_span.then_some(seen.1.as_str()));
                    assert_eq!(field("span_id"), in_a_span.then_some(seen.2.as_str()));
                }
            }
        }
        pool.shutdown().await.expect("shutdown");
    });
}
