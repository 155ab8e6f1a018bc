//! The end of a pool, in every phase. That nothing is left is checked after each test.

use std::fs;
use std::time::Duration;

use pyproc::{CallError, Pool, PoolConfig, ShutdownError};

use crate::support::{
    appears, children, config, failure, next_call_works, pid, scenario, scratch, script, start,
    wait_until, worker,
};

fn slow() -> PoolConfig {
    worker(
        r#"
        import atexit

        @expose
        def block(mark):
            open(mark + ".runs", "w").close()
            while not os.path.exists(mark + ".go"):
                time.sleep(0.001)
            return "done"

        @expose
        async def block_async(mark):
            open(mark + ".runs", "w").close()
            while not os.path.exists(mark + ".go"):
                await asyncio.sleep(0.001)
            return "done"

        @expose
        def at_exit(mark):
            atexit.register(lambda: open(mark, "w").close())

        @expose
        def keep_running():
            threading.Thread(target=time.sleep, args=(3600,)).start()
        "#,
    )
}

#[test]
fn idle() {
    scenario(async || {
        let pool = start(slow().workers(3)).await;
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
        let error = failure(pool.call::<_, ()>("echo", &1)).await;
        assert_eq!(error, CallError::Closed);
        assert!(!error.may_have_run());
        // Once more is no harm.
        pool.shutdown().await.expect("shutdown");
        assert_eq!(children(), Vec::<u32>::new());
    });
}

#[test]
fn exit_handlers_of_workers_run() {
    scenario(async || {
        let pool = start(slow()).await;
        let mark = scratch().join("at-exit");
        let _: () = pool.call("at_exit", &mark).await.expect("at_exit");
        pool.shutdown().await.expect("shutdown");
        assert!(mark.exists());
    });
}

/// Shuts down while one call runs and another runs or waits; both finish.
async fn finishes(function: &str) {
    let pool = start(slow()).await;
    let marks = [scratch().join("first"), scratch().join("second")];
    let [first, second] = marks.clone().map(|mark| {
        let (pool, function) = (pool.clone(), function.to_owned());
        tokio::spawn(async move { pool.call::<_, String>(&function, &mark).await })
    });
    appears(&marks[0].with_extension("runs")).await;
    let mut stopping = std::pin::pin!(pool.shutdown());
    tokio::select! {
        biased;
        result = &mut stopping => panic!("calls run: {result:?}"),
        () = std::future::ready(()) => {}
    }
    let error = failure(pool.call::<_, ()>("echo", &1)).await;
    assert_eq!(error, CallError::Closed);
    for mark in &marks {
        fs::write(mark.with_extension("go"), "").unwrap();
    }
    stopping.await.expect("shutdown");
    assert_eq!(first.await.unwrap().as_deref(), Ok("done"));
    assert_eq!(second.await.unwrap().as_deref(), Ok("done"));
}

#[test]
fn running_and_queued_calls_finish() {
    scenario(async || finishes("block").await);
}

#[test]
fn running_coroutines_finish() {
    scenario(async || finishes("block_async").await);
}

/// What does not finish in time is stopped: what ran, and what never will.
async fn is_stopped(function: &str) {
    let after = Duration::from_millis(200);
    let pool = start(slow().max_concurrency(1).shutdown_timeout(after)).await;
    let marks = [scratch().join("first"), scratch().join("second")];
    let [first, second] = marks.clone().map(|mark| {
        let (pool, function) = (pool.clone(), function.to_owned());
        tokio::spawn(async move { pool.call::<_, String>(&function, &mark).await })
    });
    appears(&marks[0].with_extension("runs")).await;
    let error = pool.shutdown().await.expect_err("calls are left");
    assert_eq!(error, ShutdownError::Unfinished { stopped: 2, after });
    let (first, second) = (
        failure(async { first.await.unwrap() }).await,
        failure(async { second.await.unwrap() }).await,
    );
    assert_eq!(first, CallError::Cancelled);
    assert!(first.may_have_run());
    assert_eq!(second, CallError::Closed);
    assert!(!second.may_have_run());
    assert!(!marks[1].with_extension("runs").exists());
}

#[test]
fn a_plain_function_that_does_not_finish_is_stopped() {
    scenario(async || is_stopped("block").await);
}

#[test]
fn a_coroutine_that_does_not_finish_is_stopped() {
    scenario(async || is_stopped("block_async").await);
}

#[test]
fn a_worker_that_does_not_end_is_ended() {
    scenario(async || {
        let pool = start(slow()).await;
        let _: () = pool.call("keep_running", &()).await.expect("keep_running");
        // Its thread outlives the main thread, but not SIGTERM.
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_worker_that_ignores_even_sigterm_is_killed() {
    scenario(async || {
        let pool = start(worker(
            "
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            threading.Thread(target=time.sleep, args=(3600,)).start()
            ",
        ))
        .await;
        next_call_works(&pool).await;
        let error = pool.shutdown().await.expect_err("it had to be killed");
        assert_eq!(
            error,
            ShutdownError::Killed {
                killed: 1,
                after: Duration::from_secs(4)
            }
        );
    });
}

#[test]
fn the_future_of_a_shutdown_may_be_dropped() {
    scenario(async || {
        let pool = start(slow()).await;
        next_call_works(&pool).await;
        tokio::select! {
            biased;
            _ = pool.shutdown() => {}
            () = std::future::ready(()) => {}
        }
        let error = failure(pool.call::<_, ()>("echo", &1)).await;
        assert_eq!(error, CallError::Closed);
        wait_until("the workers' end", || children().is_empty());
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn during_the_start() {
    scenario(async || {
        let mark = scratch().join("imports");
        let source = format!(
            "open({:?}, 'w').close()\nimport time\ntime.sleep(3600)\n",
            mark.display().to_string()
        );
        let config = config(&script(&source)).workers(2);
        tokio::select! {
            result = Pool::start(config) => panic!("it never starts: {result:?}"),
            () = appears(&mark) => {}
        }
        wait_until("the workers' end", || children().is_empty());
    });
}

#[test]
fn before_the_start_has_begun() {
    scenario(async || {
        drop(Pool::start(slow()));
        assert_eq!(children(), Vec::<u32>::new());
        // Polled once, and dropped.
        tokio::select! {
            biased;
            result = Pool::start(slow()) => panic!("so soon: {result:?}"),
            () = std::future::ready(()) => {}
        }
        wait_until("the workers' end", || children().is_empty());
    });
}

#[test]
fn a_pool_is_dropped_while_calls_run_and_wait() {
    scenario(async || {
        let pool = start(slow()).await;
        let mark = scratch().join("first");
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let (pool, mark) = (pool.clone(), mark.clone());
                tokio::spawn(async move { pool.call::<_, String>("block", &mark).await })
            })
            .collect();
        appears(&mark.with_extension("runs")).await;
        drop(pool);
        for call in calls {
            call.abort();
            assert!(call.await.expect_err("aborted").is_cancelled());
        }
        wait_until("the workers' end", || children().is_empty());
    });
}

#[test]
fn while_a_worker_is_being_replaced() {
    scenario(async || {
        for _ in 0..5 {
            let pool = start(worker("").workers(2)).await;
            let worker = pid(&pool).await;
            crate::support::kill(worker, rustix::process::Signal::KILL);
            // The replacement is perhaps importing, perhaps not yet started.
            pool.shutdown().await.expect("shutdown");
        }
    });
}

#[test]
fn ten_pools_start_and_end_at_once() {
    scenario(async || {
        let pools: Vec<_> = (0..10)
            .map(|_| {
                tokio::spawn(async {
                    let pool = start(worker("")).await;
                    next_call_works(&pool).await;
                    pool.shutdown().await.expect("shutdown");
                })
            })
            .collect();
        for pool in pools {
            pool.await.unwrap();
        }
    });
}

#[test]
fn a_stopped_worker_is_killed() {
    scenario(async || {
        let pool = start(worker("")).await;
        let worker = pid(&pool).await;
        crate::support::kill(worker, rustix::process::Signal::STOP);
        let error = pool.shutdown().await.expect_err("it had to be killed");
        assert_eq!(
            error,
            ShutdownError::Killed {
                killed: 1,
                after: Duration::from_secs(4)
            }
        );
    });
}
