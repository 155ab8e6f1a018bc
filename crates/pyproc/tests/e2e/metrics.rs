//! What a pool reports: every metric of the list and no other, each moved by what it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use pyproc::metrics::METRICS;
use pyproc::{Body, CallError, ContentType, Phase, Pool};
use rustix::process::Signal;

use crate::support::{
    PATIENCE, Recorder, Scrape, appears, eventually, failure, kill, let_go, next_call_works, pid,
    scenario, scratch, start, worker, worker_to_block,
};

const WORKER: &str = r#"
    @expose
    def fail():
        raise ValueError("no")

    @expose
    def add(left: int, right: int):
        return left + right

    @expose
    def vanish(how: int):
        if how < 0:
            os.kill(os.getpid(), -how)
        os._exit(how)

    @expose
    def large(size):
        return "x" * size

    @expose
    def give_lock():
        return threading.Lock()

    @expose(timeout="100ms")
    def stubborn():
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                pass
"#;

/// Which calls have ended how since `before`, as "function outcome".
fn calls(recorder: &Recorder, pool: &Pool, before: &mut Scrape) -> BTreeMap<String, f64> {
    let now = recorder.scrape(pool);
    let moved = now.moved(before, "pyproc_calls_total");
    *before = now;
    moved
        .into_iter()
        .map(|(labels, by)| {
            let part = |label: &str| labels.split(' ').find_map(|part| part.strip_prefix(label));
            let (function, outcome) = (part("function="), part("outcome="));
            (format!("{} {}", function.unwrap(), outcome.unwrap()), by)
        })
        .collect()
}

fn once(series: &str) -> BTreeMap<String, f64> {
    BTreeMap::from([(series.to_owned(), 1.0)])
}

fn nothing() -> BTreeMap<String, f64> {
    BTreeMap::new()
}

/// Begins a call of `block`; it runs when this returns, until [`let_go`].
async fn block(pool: &Pool, mark: &Path) -> tokio::task::JoinHandle<Result<String, CallError>> {
    let (pool, of_call) = (pool.clone(), mark.to_owned());
    let call = tokio::spawn(async move { pool.call::<_, String>("block", &of_call).await });
    appears(mark).await;
    call
}

#[test]
fn a_scrape_has_every_listed_metric_and_no_other() {
    scenario(async || {
        let recorder = Recorder::install();
        let pool = start(worker_to_block(WORKER).workers(2).name("shop")).await;
        next_call_works(&pool).await;
        let text = "x".repeat(100_000);
        assert_eq!(pool.call::<_, String>("echo", &text).await, Ok(text));
        failure(pool.call::<_, ()>("nobody", &())).await;
        let scrape = recorder.scrape(&pool);
        let found = scrape.all();
        for (name, labels) in &found {
            let metric = METRICS.iter().find(|metric| metric.name == name);
            let metric = metric.unwrap_or_else(|| panic!("{name} is not listed"));
            let listed: BTreeSet<String> = std::iter::once(&"pool")
                .chain(metric.labels)
                .map(ToString::to_string)
                .collect();
            assert_eq!(*labels, listed, "{name}");
        }
        for metric in METRICS {
            assert!(
                found.iter().any(|(name, _)| name == metric.name),
                "{} does not appear",
                metric.name
            );
            assert_eq!(scrape.kinds[metric.name], metric.kind.to_string());
            assert_eq!(scrape.help[metric.name], metric.meaning);
        }
        pool.shutdown().await.expect("shutdown");
        let after = recorder.read();
        for state in ["starting", "up", "stopping", "down"] {
            assert_eq!(after.value("pyproc_workers", &[("state", state)]), 0.0);
        }
        assert_eq!(
            after.value("pyproc_segment_bytes", &[("pool", "shop")]),
            0.0
        );
    });
}

#[test]
fn every_call_moves_one_outcome_by_one() {
    scenario(async || {
        let recorder = Recorder::install();
        let pool = start(worker_to_block(WORKER).queue(1).max_body(200_000)).await;
        let mut before = recorder.scrape(&pool);
        let mut moved = || calls(&recorder, &pool, &mut before);

        next_call_works(&pool).await;
        assert_eq!(moved(), once("echo ok"));
        let reply = pool.request("echo").body(Body::json("[1]")).send().await;
        reply.expect("an echo");
        assert_eq!(moved(), once("echo ok"));
        let text = "x".repeat(50_000);
        let _: String = pool.call("echo", &text).await.expect("an echo");
        assert_eq!(moved(), once("echo ok"));
        let body = Body::raw(text.clone());
        pool.request("large")
            .body(Body::json("60000"))
            .send()
            .await
            .expect("a reply");
        assert_eq!(moved(), once("large ok"));
        drop(body);

        failure(pool.call::<_, ()>("fail", &())).await;
        assert_eq!(moved(), once("fail python"));
        failure(pool.call::<_, i32>("add", &("one", 2))).await;
        assert_eq!(moved(), once("add bad_argument"));
        failure(pool.call::<_, ()>("nobody", &())).await;
        failure(pool.call::<_, ()>("anybody", &())).await;
        assert_eq!(
            moved(),
            [("(unknown) no_such_function".to_owned(), 2.0)].into()
        );
        let broken = pool.request("echo").body(Body::json("[1")).send();
        assert!(matches!(broken.await, Err(CallError::Malformed { .. })));
        assert_eq!(moved(), once("echo malformed"));
        failure(pool.call::<_, String>("echo", &"x".repeat(300_000))).await;
        assert_eq!(moved(), once("echo too_large"));
        failure(pool.call::<_, String>("large", &300_000)).await;
        assert_eq!(moved(), once("large too_large"));
        failure(pool.call::<_, ()>("give_lock", &())).await;
        assert_eq!(moved(), once("give_lock bad_result"));

        // The function returned; its caller cannot read what.
        failure(pool.call::<_, u32>("echo", "no number")).await;
        assert_eq!(moved(), once("echo bad_result"));
        failure(pool.call::<_, u32>("echo", &text)).await;
        assert_eq!(moved(), once("echo bad_result"));

        let mark = scratch().join("runs");
        let blocked = block(&pool, &mark).await;
        let hasty = pool.request("echo").timeout(Duration::from_millis(20));
        let error = failure(hasty.call::<_, u64>(&1)).await;
        assert!(matches!(
            error,
            CallError::Timeout {
                phase: Phase::Queue,
                ..
            }
        ));
        assert_eq!(moved(), once("echo timeout_queue"));
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.call::<_, u64>("echo", &1).await }
        });
        eventually("a full queue", async || pool.health().queue_length == 1).await;
        let error = failure(pool.call::<_, u64>("add", &(1, 2))).await;
        assert!(matches!(error, CallError::Overloaded { .. }));
        assert_eq!(moved(), once("add overloaded"));
        let body = Body::json("[1, 2]");
        let error = pool
            .request("add")
            .body(body)
            .send()
            .await
            .expect_err("no room");
        assert!(matches!(error, CallError::Overloaded { .. }));
        assert_eq!(moved(), once("add overloaded"));
        // Its caller goes away while it waits.
        waiting.abort();
        assert!(waiting.await.is_err());
        assert_eq!(moved(), once("echo dropped"));
        let_go(&mark);
        blocked.await.unwrap().expect("block");
        assert_eq!(moved(), once("block ok"));

        let mark = scratch().join("runs_too_long");
        let short = pool.request("block").timeout(Duration::from_secs(1));
        let error = failure(short.call::<_, ()>(&mark)).await;
        assert!(matches!(
            error,
            CallError::Timeout {
                phase: Phase::Run,
                ..
            }
        ));
        assert_eq!(moved(), once("block timeout_run"));
        let_go(&mark);

        pool.shutdown().await.expect("shutdown");
        assert_eq!(moved(), nothing());
        assert_eq!(
            failure(pool.call::<_, u64>("echo", &1)).await,
            CallError::Closed
        );
        assert_eq!(moved(), once("echo closed"));
    });
}

#[test]
fn a_call_that_a_shutdown_stops_is_counted_although_the_driver_is_gone() {
    scenario(async || {
        let recorder = Recorder::install();
        let pool = start(worker_to_block(WORKER).shutdown_timeout(Duration::ZERO)).await;
        let before = recorder.scrape(&pool);
        let mark = scratch().join("runs");
        let blocked = block(&pool, &mark).await;
        let _ = pool.shutdown().await;
        assert_eq!(blocked.await.unwrap(), Err(CallError::Cancelled));
        drop(pool);
        let moved = recorder.read().moved(&before, "pyproc_calls_total");
        assert_eq!(moved, once("function=block outcome=cancelled"));
    });
}

#[test]
fn every_end_of_a_worker_moves_one_reason_by_one() {
    scenario(async || {
        let recorder = Recorder::install();
        let pool = start(worker_to_block(WORKER).grace(Duration::from_millis(100))).await;
        next_call_works(&pool).await;
        let mut before = recorder.scrape(&pool);
        let restarts = |before: &mut Scrape| {
            let now = recorder.scrape(&pool);
            let moved = now.moved(before, "pyproc_worker_restarts_total");
            let calls = now.moved(before, "pyproc_calls_total");
            *before = now;
            (moved, calls)
        };
        let up = || async { eventually("a new worker", async || pool.health().ready).await };

        // A kill from outside, while nothing runs: no call is touched.
        let health = pool.health();
        kill(health.workers[0].pid.unwrap(), Signal::KILL);
        eventually("a restart", async || pool.health().workers[0].restarts == 1).await;
        assert_eq!(restarts(&mut before), (once("reason=signal"), nothing()));
        up().await;
        failure(pool.call::<_, ()>("vanish", &-9)).await;
        let died = once("function=vanish outcome=worker_died");
        assert_eq!(restarts(&mut before), (once("reason=signal"), died.clone()));
        failure(pool.call::<_, ()>("vanish", &3)).await;
        assert_eq!(restarts(&mut before), (once("reason=exit"), died));
        up().await;
        failure(pool.call::<_, ()>("stubborn", &())).await;
        eventually("a restart", async || pool.health().workers[0].restarts == 4).await;
        let timeout = once("function=stubborn outcome=timeout_run");
        assert_eq!(restarts(&mut before), (once("reason=limit"), timeout));
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
        let (moved, _) = restarts(&mut before);
        assert_eq!(moved, nothing(), "a shutdown is no restart");
    });
}

#[test]
fn a_worker_that_does_not_come_up_again_is_counted_as_that() {
    scenario(async || {
        let recorder = Recorder::install();
        let mark = scratch().join("was_here");
        let pool = start(worker(&format!(
            "
            mark = {:?}
            if os.path.exists(mark):
                sys.exit(3)
            open(mark, 'w').close()
            ",
            mark.display()
        )))
        .await;
        let before = recorder.scrape(&pool);
        kill(pid(&pool).await, Signal::KILL);
        eventually("a failed start", async || {
            pool.health().workers[0].restarts >= 2
        })
        .await;
        let moved = recorder
            .scrape(&pool)
            .moved(&before, "pyproc_worker_restarts_total");
        assert_eq!(moved["reason=signal"], 1.0);
        assert!(moved["reason=start"] >= 1.0);
        assert_eq!(moved.len(), 2);
        fs::remove_file(mark).unwrap();
        eventually("a worker", async || pool.health().ready).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn durations_and_waits_are_those_of_the_calls() {
    scenario(async || {
        let recorder = Recorder::install();
        let pool = start(worker_to_block(WORKER)).await;
        let histogram = |scrape: &Scrape, name: &str, function: &str| {
            let of = [("function", function)];
            let part = |part| scrape.value(&format!("pyproc_{name}_seconds_{part}"), &of);
            (part("count"), part("sum"))
        };
        let mark = scratch().join("runs");
        let blocked = block(&pool, &mark).await;
        let begin = std::time::Instant::now();
        let waiting: Vec<_> = (0..10)
            .map(|value: u64| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.call::<_, u64>("echo", &value).await })
            })
            .collect();
        eventually("ten waiting calls", async || {
            pool.health().queue_length == 10
        })
        .await;
        let scrape = recorder.scrape(&pool);
        assert_eq!(scrape.value("pyproc_queue_length", &[]), 10.0);
        assert_eq!(scrape.value("pyproc_calls_in_flight", &[]), 1.0);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let waited = begin.elapsed().as_secs_f64();
        let_go(&mark);
        for call in waiting {
            call.await.unwrap().expect("an echo");
        }
        blocked.await.unwrap().expect("block");
        let scrape = recorder.scrape(&pool);
        assert_eq!(scrape.value("pyproc_queue_length", &[]), 0.0);
        assert_eq!(scrape.value("pyproc_calls_in_flight", &[]), 0.0);
        let (count, duration) = histogram(&scrape, "call_duration", "echo");
        assert_eq!(count, 10.0);
        let (count, wait) = histogram(&scrape, "queue_wait", "echo");
        assert_eq!(count, 10.0);
        // Known to within a sixteenth; no upper bound, the machine may be slow.
        assert!(
            duration > 10.0 * 0.05 * 0.9 && wait > 10.0 * 0.05 * 0.9,
            "{duration} {wait}"
        );
        assert!(wait <= duration * 1.13);
        let (count, duration) = histogram(&scrape, "call_duration", "block");
        assert!(
            count == 1.0 && duration >= waited * 0.9,
            "{duration} of {waited}"
        );
        // What ran had not waited: a worker was idle.
        let (count, wait) = histogram(&scrape, "queue_wait", "block");
        assert!(
            count == 1.0 && wait < duration / 2.0,
            "{wait} of {duration}"
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn bytes_segments_rings_and_workers_move() {
    scenario(async || {
        let recorder = Recorder::install();
        let pool = start(worker_to_block(WORKER).workers(2)).await;
        let before = recorder.scrape(&pool);
        let up = [("state", "up")];
        assert_eq!(before.value("pyproc_workers", &up), 2.0);
        assert_eq!(before.value("pyproc_segment_bytes", &[]), 0.0);
        let text = "x".repeat(100_000);
        let reply = pool
            .request("large")
            .body(Body::json("100000"))
            .accept(ContentType::Json);
        assert_eq!(reply.send().await.expect("a reply").bytes().len(), 100_002);
        let scrape = recorder.scrape(&pool);
        assert_eq!(
            scrape.moved(&before, "pyproc_body_bytes_total"),
            [
                ("direction=request".to_owned(), 6.0),
                ("direction=response".to_owned(), 100_002.0)
            ]
            .into()
        );
        assert_eq!(
            scrape.value("pyproc_segments", &[("direction", "response")]),
            1.0
        );
        assert_eq!(
            scrape.value("pyproc_segments", &[("direction", "request")]),
            0.0
        );
        let kept = scrape.value("pyproc_segment_bytes", &[]);
        assert!(kept >= 100_002.0, "{kept}");
        let _: String = pool.call("echo", &text).await.expect("an echo");
        let scrape = recorder.scrape(&pool);
        // One; two where the call has left a worker that was slow to begin.
        let segments = scrape.value("pyproc_segments", &[("direction", "request")]);
        assert!((1.0..=2.0).contains(&segments), "{segments}");
        assert!(scrape.value("pyproc_segment_bytes", &[]) > kept);

        // A worker that is stopped leaves what it is given in its ring.
        let workers: Vec<u32> = pool
            .health()
            .workers
            .iter()
            .filter_map(|worker| worker.pid)
            .collect();
        for &worker in &workers {
            kill(worker, Signal::STOP);
        }
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let (pool, text) = (pool.clone(), text[..30_000].to_owned());
                tokio::spawn(async move { pool.call::<_, String>("echo", &text).await })
            })
            .collect();
        eventually("two calls on their way", async || {
            pool.health().in_flight == 2
        })
        .await;
        let scrape = recorder.scrape(&pool);
        for worker in ["0", "1"] {
            let ring = [("worker", worker), ("direction", "request")];
            let full = scrape.value("pyproc_ring_occupancy_ratio", &ring);
            assert!(full > 0.02 && full <= 1.0, "{full}");
        }
        for &worker in &workers {
            kill(worker, Signal::CONT);
        }
        for call in waiting {
            call.await.unwrap().expect("an echo");
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn what_has_changed_is_handed_on_without_being_asked_for() {
    scenario(async || {
        let recorder = Recorder::install();
        let pool = start(worker_to_block(WORKER)).await;
        next_call_works(&pool).await;
        let ok = [("function", "echo"), ("outcome", "ok")];
        eventually("the call", async || {
            recorder.read().value("pyproc_calls_total", &ok) == 1.0
        })
        .await;
        let mark = scratch().join("runs");
        let blocked = block(&pool, &mark).await;
        let in_flight = || recorder.read().value("pyproc_calls_in_flight", &[]);
        eventually("a call in flight", async || in_flight() == 1.0).await;
        let_go(&mark);
        blocked.await.unwrap().expect("block");
        eventually("none in flight", async || in_flight() == 0.0).await;
        kill(pid(&pool).await, Signal::KILL);
        let killed = [("reason", "signal")];
        eventually("a restart", async || {
            recorder
                .read()
                .value("pyproc_worker_restarts_total", &killed)
                == 1.0
        })
        .await;
        tokio::time::timeout(PATIENCE, pool.shutdown())
            .await
            .expect("in time")
            .expect("shutdown");
    });
}

#[test]
fn thousands_of_calls_from_several_tasks_are_counted_exactly() {
    scenario(async || {
        let recorder = Recorder::install();
        let pool = start(worker_to_block(WORKER).workers(2)).await;
        let callers: Vec<_> = (0..64)
            .map(|caller: u64| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    for round in 0..100 {
                        if (caller + round).is_multiple_of(10) {
                            failure(pool.call::<_, ()>("fail", &())).await;
                        } else {
                            pool.call::<_, u64>("echo", &round).await.expect("an echo");
                        }
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        let scrape = recorder.scrape(&pool);
        let of = |function, outcome| {
            scrape.value(
                "pyproc_calls_total",
                &[("function", function), ("outcome", outcome)],
            )
        };
        assert_eq!(of("echo", "ok"), 5760.0);
        assert_eq!(of("fail", "python"), 640.0);
        assert_eq!(scrape.value("pyproc_calls_total", &[]), 6400.0);
        pool.shutdown().await.expect("shutdown");
    });
}
