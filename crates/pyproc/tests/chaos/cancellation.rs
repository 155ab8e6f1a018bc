//! Callers that go away, at every point of calls that end in every way.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use pyproc::{CallError, Pool};

use crate::support::{appears, next_call_works, pid, runtime, scratch, start, worker};
use crate::{FUNCTIONS, Random, amount, chaos, two_threads};

/// How a call ends if it is left alone; each as a plain function and as a coroutine.
const ENDS: &str = r#"
def mark(name):
    if os.path.isabs(name):
        open(name, "w").close()

@expose
def plain_ok(name):
    mark(name)
    return name

@expose
def plain_error(name):
    mark(name)
    raise ValueError(name)

@expose
def plain_slow(name):
    mark(name)
    time.sleep(0.02)
    return name

@expose
def plain_never(name):
    mark(name)
    while True:
        time.sleep(0.001)

@expose
async def async_ok(name):
    mark(name)
    return name

@expose
async def async_error(name):
    mark(name)
    raise ValueError(name)

@expose
async def async_slow(name):
    mark(name)
    await asyncio.sleep(0.02)
    return name

@expose
async def async_never(name):
    mark(name)
    await asyncio.Event().wait()

@expose
def running():
    return 0
"#;

const ROUNDS: u64 = 5;

/// Polls once.
async fn poll_once<F: Future>(call: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut call = Some(call);
    poll_fn(
        |context| match call.take().expect("polled once").poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        },
    )
    .await
}

/// The answer, where one came, is this call's.
fn right(name: &str, answer: Result<String, CallError>) {
    match answer {
        Ok(answer) => assert_eq!(answer, name),
        Err(CallError::Python {
            exception, message, ..
        }) => assert_eq!((exception.as_str(), message.as_str()), ("ValueError", name)),
        Err(other) => panic!("{name}: {other:?}"),
    }
}

/// The caller goes while its call waits in the host, behind as many as the worker takes.
async fn in_the_queue(pool: &Pool, function: &str) {
    let mut before = Vec::new();
    for _ in 0..70 {
        let mut call = Box::pin(pool.call::<_, String>("async_never", &""));
        assert!(poll_once(call.as_mut()).await.is_none());
        before.push(call);
    }
    let never = scratch().join("never");
    let name = never.to_str().expect("a path of text");
    {
        let mut call = pin!(pool.call::<_, String>(function, name));
        assert!(poll_once(call.as_mut()).await.is_none());
    }
    drop(before);
    next_call_works(pool).await;
    assert!(
        !never.exists(),
        "{function} ran although it was taken back in the queue"
    );
}

/// The caller goes as soon as the call is on its way.
async fn while_it_is_sent(pool: &Pool, function: &str) {
    let mut call = pin!(pool.call::<_, String>(function, "sent"));
    if let Some(answer) = poll_once(call.as_mut()).await {
        right("sent", answer);
    }
}

/// The caller goes once the function runs.
async fn while_it_runs(pool: &Pool, function: &str, round: u64) {
    let mark = scratch().join(format!("{function}-{round}"));
    let name = mark.to_str().expect("a path of text");
    let call = pool.call::<_, String>(function, name);
    tokio::select! {
        biased;
        () = appears(&mark) => {}
        answer = call => right(name, answer),
    }
}

/// The caller goes when its answer may be there, unread.
async fn before_it_is_received(pool: &Pool, function: &str) {
    let mut call = pin!(pool.call::<_, String>(function, "received"));
    if let Some(answer) = poll_once(call.as_mut()).await {
        right("received", answer);
        return;
    }
    if !function.ends_with("never") {
        // What the worker runs after it has been answered before.
        next_call_works(pool).await;
    }
}

fn row(function: &'static str) {
    runtime().block_on(async {
        let pool = start(worker(&format!("{FUNCTIONS}{ENDS}")).workers(1)).await;
        let process = pid(&pool).await;
        for round in 0..ROUNDS {
            in_the_queue(&pool, function).await;
            next_call_works(&pool).await;
            while_it_is_sent(&pool, function).await;
            next_call_works(&pool).await;
            while_it_runs(&pool, function, round).await;
            next_call_works(&pool).await;
            before_it_is_received(&pool, function).await;
            next_call_works(&pool).await;
        }
        assert_eq!(
            pid(&pool).await,
            process,
            "a caller that goes never costs a worker"
        );
        pool.shutdown().await.expect("nothing runs");
    });
}

#[test]
fn a_plain_call_that_would_succeed() {
    chaos(|| row("plain_ok"));
}

#[test]
fn a_plain_call_that_would_fail() {
    chaos(|| row("plain_error"));
}

#[test]
fn a_plain_call_that_is_slow() {
    chaos(|| row("plain_slow"));
}

#[test]
fn a_plain_call_that_never_ends() {
    chaos(|| row("plain_never"));
}

#[test]
fn a_coroutine_that_would_succeed() {
    chaos(|| row("async_ok"));
}

#[test]
fn a_coroutine_that_would_fail() {
    chaos(|| row("async_error"));
}

#[test]
fn a_coroutine_that_is_slow() {
    chaos(|| row("async_slow"));
}

#[test]
fn a_coroutine_that_never_ends() {
    chaos(|| row("async_never"));
}

#[test]
fn callers_that_go_at_any_moment() {
    const FUNCTIONS_OF_ALL_KINDS: [&str; 8] = [
        "plain_ok",
        "plain_error",
        "plain_slow",
        "plain_never",
        "async_ok",
        "async_error",
        "async_slow",
        "async_never",
    ];
    chaos(|| {
        two_threads().block_on(async {
            let pool = start(worker(&format!("{FUNCTIONS}{ENDS}")).workers(2)).await;
            let callers: Vec<_> = (0..6)
                .map(|caller| {
                    let pool = pool.clone();
                    tokio::spawn(async move {
                        let mut random = Random(caller);
                        for _ in 0..amount(150) {
                            let function = FUNCTIONS_OF_ALL_KINDS[random.below(8) as usize];
                            let patience = Duration::from_micros(random.below(3_000));
                            let call = pool.clone();
                            if random.below(2) == 0 {
                                let task = tokio::spawn(async move { call.call::<_, String>(function, "").await });
                                // Callers that give up at any moment are what this is about.
                                tokio::time::sleep(patience).await;
                                task.abort();
                                if let Ok(answer) = task.await {
                                    right("", answer);
                                }
                            } else {
                                tokio::select! {
                                    answer = call.call::<_, String>(function, "") => right("", answer),
                                    () = tokio::time::sleep(patience) => {}
                                }
                            }
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.expect("a caller that is content");
            }
            for _ in 0..10 {
                next_call_works(&pool).await;
            }
            pool.shutdown().await.expect("nothing runs");
        });
    });
}
