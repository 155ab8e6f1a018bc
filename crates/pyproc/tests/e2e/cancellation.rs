//! Callers that go away or run out of time: what becomes of their calls.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use pyproc::{CallError, Phase, Pool, PoolConfig};

use crate::support::{
    appears, failure, next_call_works, pid, processes, scenario, scratch, start, worker,
};

/// Functions that tell in a file how they ended.
fn telling() -> PoolConfig {
    worker(
        r#"
        def tell(mark, what):
            with open(mark + ".new", "w") as file:
                file.write(what)
            os.rename(mark + ".new", mark)

        @expose
        def plain(mark):
            tell(mark + ".runs", "")
            try:
                time.sleep(3600)
            except BaseException as error:
                tell(mark, type(error).__name__)
                raise

        @expose
        async def coroutine(mark):
            tell(mark + ".runs", "")
            try:
                await asyncio.sleep(3600)
            except BaseException as error:
                tell(mark, type(error).__name__)
                raise

        @expose
        def block(mark):
            tell(mark + ".runs", "")
            while not os.path.exists(mark + ".go"):
                time.sleep(0.001)
            return "done"
        "#,
    )
}

/// Makes a call and drops its future once the function runs.
async fn drop_when_running(pool: &Pool, function: &str, mark: &Path) {
    let runs = mark.with_extension("runs");
    let call = pool.call::<_, ()>(function, mark);
    tokio::select! {
        result = call => panic!("it never returns: {result:?}"),
        () = appears(&runs) => {}
    }
}

async fn told(mark: &Path) -> String {
    appears(mark).await;
    fs::read_to_string(mark).unwrap()
}

#[test]
fn dropping_the_future_interrupts_a_plain_function() {
    scenario(async || {
        let pool = start(telling()).await;
        let worker = pid(&pool).await;
        for round in 0..5 {
            let mark = scratch().join(format!("plain-{round}"));
            drop_when_running(&pool, "plain", &mark).await;
            assert_eq!(told(&mark).await, "DeadlineExceeded");
            next_call_works(&pool).await;
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn dropping_the_future_cancels_a_coroutine() {
    scenario(async || {
        let pool = start(telling()).await;
        let worker = pid(&pool).await;
        for round in 0..5 {
            let mark = scratch().join(format!("coroutine-{round}"));
            drop_when_running(&pool, "coroutine", &mark).await;
            assert_eq!(told(&mark).await, "CancelledError");
            next_call_works(&pool).await;
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_callers_timeout_cancels_what_runs() {
    scenario(async || {
        let pool = start(telling()).await;
        let worker = pid(&pool).await;
        let after = Duration::from_secs(1);
        for (function, exception) in [
            ("plain", "DeadlineExceeded"),
            ("coroutine", "CancelledError"),
        ] {
            let mark = scratch().join(function);
            let error = failure(pool.request(function).timeout(after).call::<_, ()>(&mark)).await;
            assert_eq!(
                error,
                CallError::Timeout {
                    phase: Phase::Run,
                    after
                }
            );
            assert!(error.may_have_run());
            assert_eq!(told(&mark).await, exception);
            next_call_works(&pool).await;
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

/// A pool whose one worker is busy until [`Busy::release`].
struct Busy {
    pool: Pool,
    mark: PathBuf,
    call: tokio::task::JoinHandle<Result<String, CallError>>,
}

impl Busy {
    async fn start() -> Self {
        let pool = start(telling()).await;
        let mark = scratch().join("busy");
        let (caller, argument) = (pool.clone(), mark.clone());
        let call = tokio::spawn(async move { caller.call("block", &argument).await });
        appears(&mark.with_extension("runs")).await;
        Self { pool, mark, call }
    }

    async fn release(self) -> Pool {
        fs::write(self.mark.with_extension("go"), "").unwrap();
        assert_eq!(self.call.await.unwrap().as_deref(), Ok("done"));
        self.pool
    }
}

#[test]
fn a_queued_call_whose_future_is_dropped_never_runs() {
    scenario(async || {
        let busy = Busy::start().await;
        let mark = scratch().join("queued");
        {
            let mut queued = pin!(busy.pool.call::<_, ()>("plain", &mark));
            std::future::poll_fn(|context| {
                assert!(queued.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        let pool = busy.release().await;
        next_call_works(&pool).await;
        assert!(!mark.with_extension("runs").exists());
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_queued_call_whose_time_runs_out_never_runs() {
    scenario(async || {
        let busy = Busy::start().await;
        let mark = scratch().join("queued");
        let after = Duration::from_millis(30);
        let error = failure(
            busy.pool
                .request("plain")
                .timeout(after)
                .call::<_, ()>(&mark),
        )
        .await;
        assert_eq!(
            error,
            CallError::Timeout {
                phase: Phase::Queue,
                after
            }
        );
        assert_eq!(
            error.to_string(),
            "the call timed out after 30ms in the queue, before a worker started it"
        );
        assert!(!error.may_have_run());
        let pool = busy.release().await;
        next_call_works(&pool).await;
        assert!(!mark.with_extension("runs").exists());
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_future_that_was_never_polled_is_no_call() {
    scenario(async || {
        let pool = start(telling()).await;
        let mark = scratch().join("never");
        drop(pool.call::<_, ()>("plain", &mark));
        next_call_works(&pool).await;
        assert!(!mark.with_extension("runs").exists());
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_call_that_ends_in_time_is_not_disturbed_by_one_that_was_cancelled() {
    scenario(async || {
        let pool = start(
            worker(
                "
            @expose
            def wait(milliseconds):
                until = time.monotonic() + milliseconds / 1000
                while time.monotonic() < until:
                    pass
                return milliseconds

            @expose
            async def wait_async(milliseconds):
                await asyncio.sleep(milliseconds / 1000)
                return milliseconds
            ",
            )
            .workers(2),
        )
        .await;
        let workers = processes(&pool, 2).await;
        let mut random = Random(11);
        let calls = (0..8).map(|_| {
            let (pool, seed) = (pool.clone(), random.next());
            tokio::spawn(async move {
                let mut random = Random(seed);
                let (mut in_time, mut late) = (0, 0);
                for _ in 0..60 {
                    let milliseconds = random.next() % 6;
                    let function = ["wait", "wait_async"][(random.next() % 2) as usize];
                    let limit = Duration::from_micros(random.next() % 8000);
                    let call = pool.call::<_, u64>(function, &milliseconds);
                    match tokio::time::timeout(limit, call).await {
                        Ok(answer) => {
                            assert_eq!(answer, Ok(milliseconds));
                            in_time += 1;
                        }
                        // The future is dropped, wherever it was.
                        Err(_) => late += 1,
                    }
                    assert_eq!(pool.call::<_, u64>("wait", &0).await, Ok(0));
                }
                (in_time, late)
            })
        });
        let calls: Vec<_> = calls.collect();
        let (mut in_time, mut late) = (0, 0);
        for call in calls {
            let (more_in_time, more_late) = call.await.unwrap();
            in_time += more_in_time;
            late += more_late;
        }
        assert!(in_time > 0 && late > 0, "{in_time} in time, {late} late");
        assert_eq!(processes(&pool, 2).await, workers);
        pool.shutdown().await.expect("shutdown");
    });
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}
