//! Which call waits for which: nothing waits behind a slow call while a worker is idle.

use std::fs;
use std::path::PathBuf;

use pyproc::{CallError, ContentType, Pool, PoolConfig};

use crate::support::{
    PATIENCE, appears, eventually, failure, next_call_works, pid, scenario, scratch, start, worker,
};

fn gated() -> PoolConfig {
    worker(
        r#"
        @expose
        def wait_for(gate):
            if gate:
                open(gate + ".runs", "w").close()
                while not os.path.exists(gate):
                    time.sleep(0.001)
            return os.getpid()

        @expose
        async def wait_for_async(gate):
            open(gate + ".runs", "w").close()
            while not os.path.exists(gate):
                await asyncio.sleep(0.001)
            return os.getpid()
        "#,
    )
}

/// Calls that run until their gate is opened.
struct Gate {
    path: PathBuf,
    calls: Vec<tokio::task::JoinHandle<Result<u32, CallError>>>,
}

impl Gate {
    fn new(name: &str) -> Self {
        Self {
            path: scratch().join(name),
            calls: Vec::new(),
        }
    }

    fn call(&mut self, pool: &Pool, function: &'static str) {
        let (pool, path) = (pool.clone(), self.path.clone());
        self.calls.push(tokio::spawn(
            async move { pool.call(function, &path).await },
        ));
    }

    async fn runs(&self) {
        appears(&self.path.with_extension("runs")).await;
    }

    /// The processes in which the calls have run.
    async fn open(self) -> Vec<u32> {
        fs::write(&self.path, "").unwrap();
        let mut processes = Vec::new();
        for call in self.calls {
            processes.push(call.await.unwrap().expect("answered"));
        }
        processes
    }
}

#[test]
fn a_slow_call_delays_no_other_while_a_worker_is_idle() {
    scenario(async || {
        let pool = start(gated().workers(2)).await;
        // Known as quick, many calls of it are sent ahead to one worker.
        for _ in 0..200 {
            let _: u32 = pool.call("wait_for", "").await.expect("at once");
        }
        for round in 0..10 {
            let mut gate = Gate::new(&format!("gate-{round}"));
            gate.call(&pool, "wait_for");
            let quick: Vec<_> = (0..100)
                .map(|_| {
                    let pool = pool.clone();
                    tokio::spawn(async move { pool.call::<_, u32>("wait_for", "").await })
                })
                .collect();
            let mut others = Vec::new();
            for call in quick {
                let answer = tokio::time::timeout(PATIENCE, call)
                    .await
                    .expect("it waits behind the slow call");
                others.push(answer.unwrap().expect("at once"));
            }
            gate.runs().await;
            gate.open().await;
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn large_bodies_delay_no_other_either() {
    scenario(async || {
        let pool = start(gated().workers(2)).await;
        for _ in 0..50 {
            let _: u32 = pool.call("wait_for", "").await.expect("at once");
        }
        let mut gate = Gate::new("gate");
        gate.call(&pool, "wait_for");
        gate.runs().await;
        let large = "x".repeat(100_000);
        for _ in 0..20 {
            let (first, second) = tokio::join!(
                pool.call::<_, String>("echo", &large),
                pool.call::<_, String>("echo", &large)
            );
            assert!(first.is_ok_and(|text| text.len() == 100_000));
            assert!(second.is_ok_and(|text| text.len() == 100_000));
        }
        gate.open().await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn memory_written_for_a_worker_that_is_busy_by_then_goes_to_another() {
    scenario(async || {
        let pool = start(gated().workers(2)).await;
        let large = "x".repeat(100_000);
        for _ in 0..4 {
            let (first, second) = tokio::join!(
                pool.call::<_, String>("echo", &large),
                pool.call::<_, String>("echo", &large)
            );
            assert!(first.is_ok() && second.is_ok());
        }
        for round in 0..10 {
            let mut body = pool.allocate(100_000).expect("memory");
            body.fill(b' ');
            body[..2].copy_from_slice(b"17");
            let mut gate = Gate::new(&format!("gate-{round}"));
            gate.call(&pool, "wait_for");
            gate.runs().await;
            let call = pool
                .request("echo")
                .body(body.into_body(ContentType::Json))
                .send();
            let reply = tokio::time::timeout(PATIENCE, call)
                .await
                .expect("it waits for the busy worker");
            assert_eq!(reply.expect("echo").decode(), Ok(17));
            gate.open().await;
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn calls_spread_over_all_workers() {
    scenario(async || {
        let pool = start(gated().workers(3)).await;
        let mut gates: Vec<Gate> = (0..3)
            .map(|number| Gate::new(&format!("gate-{number}")))
            .collect();
        for gate in &mut gates {
            gate.call(&pool, "wait_for");
            gate.runs().await;
        }
        let mut processes = Vec::new();
        for gate in gates {
            processes.extend(gate.open().await);
        }
        processes.sort_unstable();
        processes.dedup();
        assert_eq!(processes.len(), 3);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn coroutines_run_at_the_same_time_up_to_max_concurrency() {
    scenario(async || {
        let pool = start(
            worker(
                r#"
                running = most = 0

                @expose
                async def meet(count):
                    global running, most
                    running += 1
                    most = max(most, running)
                    while most < count:
                        await asyncio.sleep(0.001)
                    await asyncio.sleep(0.01)
                    running -= 1
                    return most
                "#,
            )
            .max_concurrency(5),
        )
        .await;
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.call::<_, u32>("meet", &5).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), Ok(5));
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn plain_calls_are_answered_beside_as_many_coroutines_as_may_run() {
    scenario(async || {
        let pool = start(gated().max_concurrency(2)).await;
        let mut gates = [Gate::new("gate-0"), Gate::new("gate-1")];
        for gate in &mut gates {
            gate.call(&pool, "wait_for_async");
            gate.runs().await;
        }
        for number in 0..10 {
            let answer = tokio::time::timeout(PATIENCE, pool.call::<_, u32>("echo", &number))
                .await
                .expect("it waits behind the coroutines");
            assert_eq!(answer, Ok(number));
        }
        for gate in gates {
            assert_eq!(gate.open().await.len(), 1);
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn beyond_the_queue_calls_are_refused_at_once() {
    scenario(async || {
        let pool = start(gated().queue(3)).await;
        let mut gate = Gate::new("gate");
        gate.call(&pool, "wait_for");
        gate.runs().await;
        for _ in 0..3 {
            gate.call(&pool, "wait_for");
        }
        tokio::task::yield_now().await;
        let error = failure(pool.call::<_, u32>("wait_for", "")).await;
        assert_eq!(
            error,
            CallError::Overloaded {
                waiting: 3,
                limit: 3
            }
        );
        assert!(!error.may_have_run());
        assert_eq!(gate.open().await.len(), 4);
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn workers_that_never_answered_are_replaced_with_growing_pauses_and_the_pool_recovers() {
    scenario(async || {
        let flag = scratch().join("broken");
        let source = format!(
            "if os.path.exists({:?}): os._exit(9)",
            flag.display().to_string()
        );
        let pool =
            start(worker(&source).restart_backoff_initial(std::time::Duration::from_millis(5)))
                .await;
        let worker = pid(&pool).await;
        fs::write(&flag, "").unwrap();
        crate::support::kill(worker, rustix::process::Signal::KILL);
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pid(&pool).await }
        });
        eventually("the worker's end", async || {
            !crate::support::is_alive(worker)
        })
        .await;
        fs::remove_file(&flag).unwrap();
        assert_ne!(waiting.await.unwrap(), worker);
        pool.shutdown().await.expect("shutdown");
    });
}
