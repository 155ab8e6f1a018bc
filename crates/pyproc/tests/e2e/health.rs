//! What a pool says of itself, and that it is true.

use std::fs;
use std::time::Duration;

use pyproc::{CallError, Health, HealthWatch, Pool, WorkerState};
use rustix::process::Signal;

use crate::support::{
    PATIENCE, appears, eventually, is_alive, kill, let_go, next_call_works, pid, scenario, scratch,
    start, worker, worker_to_block,
};

/// The next health that the watch tells and that fits.
async fn watched(watch: &mut HealthWatch, what: &str, fits: impl Fn(&Health) -> bool) -> Health {
    let look = async {
        loop {
            let health = watch.changed().await.expect("the pool is there");
            if fits(&health) {
                return health;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"))
}

/// A worker that comes up for the second time only when a file says so.
async fn gated() -> (Pool, std::path::PathBuf) {
    let mark = scratch().join("was_here");
    let pool = start(worker(&format!(
        "
        mark = {:?}
        if os.path.exists(mark):
            while not os.path.exists(mark + '.go'):
                time.sleep(0.001)
        open(mark, 'w').close()
        ",
        mark.display()
    )))
    .await;
    (pool, mark.with_extension("go"))
}

#[test]
fn a_fresh_pool_is_ready_and_says_who_its_workers_are() {
    scenario(async || {
        let pool = start(worker("").workers(2).queue(77).name("shop")).await;
        let process = pid(&pool).await;
        let health = pool.health();
        assert_eq!(
            (health.pool.as_str(), health.ready, &health.reason),
            ("shop", true, &None)
        );
        assert_eq!(
            (health.queue_length, health.queue_limit, health.in_flight),
            (0, 77, 0)
        );
        assert_eq!(health.workers.len(), 2);
        for (place, worker) in health.workers.iter().enumerate() {
            assert_eq!((worker.worker, worker.state), (place, WorkerState::Up));
            assert!(is_alive(worker.pid.expect("a process")));
            assert_eq!((worker.generation, worker.restarts), (1, 0));
            assert!(worker.age_seconds.expect("an age") > 0.0);
            let resident = worker.rss_bytes.expect("a size");
            assert!((1 << 20..1 << 32).contains(&resident), "{resident}");
            assert_eq!(
                (worker.starts_in_seconds, &worker.last_error),
                (None, &None)
            );
            assert_eq!(worker.calls, u64::from(worker.pid == Some(process)));
        }
        let json = serde_json::to_value(&health).unwrap();
        assert_eq!(json["workers"][1]["state"], "up");
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn calls_that_run_and_wait_are_shown() {
    scenario(async || {
        let pool = start(worker_to_block("")).await;
        let mark = scratch().join("runs");
        let call = |function: &'static str| {
            let (pool, mark) = (pool.clone(), mark.clone());
            tokio::spawn(async move {
                pool.request(function)
                    .call::<_, serde_json::Value>(&mark)
                    .await
            })
        };
        let blocked = call("block");
        appears(&mark).await;
        let waiting = [call("echo"), call("echo"), call("echo")];
        eventually("three that wait", async || pool.health().queue_length == 3).await;
        let health = pool.health();
        assert!(health.ready, "it takes calls, they only have to wait");
        assert_eq!((health.in_flight, health.workers[0].in_flight), (1, 1));
        let_go(&mark);
        blocked.await.unwrap().expect("block");
        for call in waiting {
            call.await.unwrap().expect("an echo");
        }
        let health = pool.health();
        assert_eq!(
            (
                health.queue_length,
                health.in_flight,
                health.workers[0].calls
            ),
            (0, 0, 4)
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_kill_is_told_and_while_nobody_is_up_the_pool_is_not_ready() {
    scenario(async || {
        let (pool, gate) = gated().await;
        let process = pid(&pool).await;
        let mut watch = pool.watch();
        kill(process, Signal::KILL);
        let health = watched(&mut watch, "a start", |health| {
            health.workers[0].state == WorkerState::Starting
        })
        .await;
        assert!(!health.ready);
        assert_eq!(
            health.reason.as_deref(),
            Some("no worker is up, 1 of 1 are starting")
        );
        assert_eq!(
            health.last_error.as_deref(),
            Some("it was killed by SIGKILL")
        );
        let worker = &health.workers[0];
        assert_eq!(
            (worker.generation, worker.restarts, worker.calls),
            (2, 1, 0)
        );
        assert_ne!(worker.pid, Some(process));
        fs::write(gate, "").unwrap();
        let health = watched(&mut watch, "a worker", |health| health.ready).await;
        let worker = &health.workers[0];
        assert_eq!((worker.state, worker.restarts), (WorkerState::Up, 1));
        assert_eq!(
            worker.last_error.as_deref(),
            Some("it was killed by SIGKILL")
        );
        assert!(health.reason.is_none());
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_worker_that_cannot_start_again_is_down_with_its_reason() {
    scenario(async || {
        let mark = scratch().join("was_here");
        let pool = start(
            worker(&format!(
                "
                mark = {:?}
                if os.path.exists(mark):
                    raise ValueError('no model today')
                open(mark, 'w').close()
                ",
                mark.display()
            ))
            .restart_backoff_initial(Duration::from_secs(1)),
        )
        .await;
        let process = pid(&pool).await;
        let mut watch = pool.watch();
        kill(process, Signal::KILL);
        let health = watched(&mut watch, "a failed start", |health| {
            health.workers[0].state == WorkerState::Down && health.workers[0].restarts >= 2
        })
        .await;
        assert!(!health.ready);
        let worker = &health.workers[0];
        assert_eq!(
            (worker.pid, worker.age_seconds, worker.rss_bytes),
            (None, None, None)
        );
        // There is a pause, though the one before it had answered.
        assert!(worker.starts_in_seconds > Some(0.0));
        let error = worker.last_error.clone().expect("an error");
        assert!(
            error.ends_with("raised ValueError: no model today"),
            "{error}"
        );
        let reason = health.reason.expect("a reason");
        assert!(
            reason.starts_with("no worker is up, the next start is in "),
            "{reason}"
        );
        // Probes show it to everybody.
        assert!(!reason.contains("no model"), "{reason}");
        assert_eq!(health.last_error, Some(error));
        fs::remove_file(mark).unwrap();
        watched(&mut watch, "a worker", |health| health.ready).await;
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_function_past_its_limit_is_the_reason_of_its_workers_end() {
    scenario(async || {
        let pool = start(
            worker(
                r#"
                @expose(timeout="100ms")
                def stubborn():
                    while True:
                        try:
                            time.sleep(3600)
                        except BaseException:
                            pass
                "#,
            )
            .grace(Duration::from_millis(50)),
        )
        .await;
        let mut watch = pool.watch();
        let error = pool.call::<_, ()>("stubborn", &()).await;
        assert!(matches!(error, Err(CallError::Timeout { .. })));
        // The end itself may be over before the watch is looked at.
        let health = watched(&mut watch, "a new one", |health| {
            health.ready && health.workers[0].last_error.is_some()
        })
        .await;
        assert_eq!(
            health.workers[0].last_error.as_deref(),
            Some("a function ran past its time limit and did not stop, so it was killed")
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_shutdown_is_told_and_ends_the_watch() {
    scenario(async || {
        let pool = start(worker_to_block("")).await;
        let mark = scratch().join("runs");
        let mut watch = pool.watch();
        let mut other = watch.clone();
        let blocked = tokio::spawn({
            let (pool, mark) = (pool.clone(), mark.clone());
            async move { pool.call::<_, String>("block", &mark).await }
        });
        appears(&mark).await;
        let shutdown = tokio::spawn({
            let pool = pool.clone();
            async move { pool.shutdown().await }
        });
        let health = watched(&mut watch, "the shutdown", |health| !health.ready).await;
        assert_eq!(health.reason.as_deref(), Some("the pool is shutting down"));
        let_go(&mark);
        blocked.await.unwrap().expect("block");
        shutdown.await.unwrap().expect("shutdown");
        let mut last = None;
        while let Some(health) = other.changed().await {
            last = Some(health);
        }
        assert_eq!(
            last.and_then(|health| health.reason).as_deref(),
            Some("the pool is shut down")
        );
        assert!(!pool.health().ready);
        drop(pool);
        assert_eq!(
            watch.health().reason.as_deref(),
            Some("the pool is shut down")
        );
    });
}

#[test]
fn a_watch_does_not_keep_the_pool() {
    scenario(async || {
        let pool = start(worker("")).await;
        let mut watch = pool.watch();
        drop(pool);
        let end = async { while watch.changed().await.is_some() {} };
        tokio::time::timeout(PATIENCE, end)
            .await
            .expect("the pool ends");
    });
}
