//! A task that looks for answers in place of the callers.

use std::future::poll_fn;
use std::os::fd::AsFd;
use std::task::{Poll, ready};
use std::time::Duration;

use pyproc::{CallError, Look, Pool};
use tokio::io::unix::AsyncFd;

use crate::support::{Isolation, PATIENCE, eventually, next_call_works, start, worker};

fn with_io<F: AsyncFnOnce()>(name: &str, test: F) {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    // The first one opens what tokio keeps for signals as long as the process lives, where that is built in.
    drop(runtime());
    Isolation::named(name).run(|| runtime().block_on(test()));
}

/// As a program's task would.
async fn keep(pool: Pool) {
    let mut lookout = pool.lookout().unwrap();
    // What `AsyncFd` owns, nobody else closes.
    #[expect(deprecated, reason = "sound for a descriptor that is owned")]
    let bells = AsyncFd::new(lookout.as_fd().try_clone_to_owned().unwrap()).unwrap();
    drop(pool);
    poll_fn(|context| {
        while lookout.look(context) == Look::Sleep {
            ready!(bells.poll_read_ready(context))
                .unwrap()
                .clear_ready();
            lookout.heard();
        }
        context.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
}

const FUNCTIONS: &str = "
    @expose
    async def later(value):
        await asyncio.sleep(0.001)
        return value

    @expose
    def slow(value):
        time.sleep(0.002)
        return value

    @expose
    def die(value):
        os._exit(3)
";

#[test]
fn everybody_gets_an_answer_with_a_lookout_and_after_it() {
    with_io(
        concat!(
            module_path!(),
            "::everybody_gets_an_answer_with_a_lookout_and_after_it"
        ),
        async || {
            let pool = start(worker(FUNCTIONS).workers(2)).await;
            let lookout = tokio::spawn(keep(pool.clone()));
            let calls = |rounds: u64| {
                let calls: Vec<_> = (0..48_u64)
                    .map(|caller| {
                        let pool = pool.clone();
                        tokio::spawn(async move {
                            for round in 0..rounds {
                                let function =
                                    ["echo", "later", "slow"][(caller + round) as usize % 3];
                                let value = caller << 32 | round;
                                let answer = tokio::time::timeout(
                                    PATIENCE,
                                    pool.call::<_, u64>(function, &value),
                                )
                                .await;
                                assert_eq!(answer.expect("it hangs"), Ok(value), "{function}");
                            }
                        })
                    })
                    .collect();
                async {
                    for call in calls {
                        call.await.unwrap();
                    }
                }
            };
            calls(30).await;
            // One at a time, so that both sides sleep in between.
            for _ in 0..50 {
                next_call_works(&pool).await;
            }
            // It goes while calls wait.
            let under_way = calls(10);
            tokio::task::yield_now().await;
            lookout.abort();
            under_way.await;
            // Another may come.
            let lookout = tokio::spawn(keep(pool.clone()));
            calls(10).await;
            lookout.abort();
            pool.shutdown().await.expect("shutdown");
        },
    );
}

#[test]
fn a_worker_that_dies_is_noticed_and_its_successor_is_looked_after() {
    with_io(
        concat!(
            module_path!(),
            "::a_worker_that_dies_is_noticed_and_its_successor_is_looked_after"
        ),
        async || {
            let pool = start(worker(FUNCTIONS)).await;
            let lookout = tokio::spawn(keep(pool.clone()));
            for _ in 0..3 {
                let died = tokio::time::timeout(PATIENCE, pool.call::<_, u64>("die", &1)).await;
                assert!(matches!(
                    died.expect("it hangs"),
                    Err(CallError::WorkerDied { .. })
                ));
                eventually("the next worker answers", async || {
                    pool.call::<_, u64>("slow", &7).await == Ok(7)
                })
                .await;
            }
            let late = pool.request("slow").timeout(Duration::from_micros(1));
            assert!(matches!(
                late.call::<_, u64>(&1).await,
                Err(CallError::Timeout { .. })
            ));
            next_call_works(&pool).await;
            lookout.abort();
            pool.shutdown().await.expect("shutdown");
        },
    );
}

#[test]
fn there_is_one_lookout_at_a_time() {
    with_io(
        concat!(module_path!(), "::there_is_one_lookout_at_a_time"),
        async || {
            let pool = start(worker("")).await;
            let first = pool.lookout().unwrap();
            let second = pool.lookout().unwrap_err();
            assert_eq!(second.to_string(), "the pool has a lookout already");
            drop(first);
            // Without it, callers look for themselves.
            next_call_works(&pool).await;
            drop(pool.lookout().unwrap());
            pool.shutdown().await.expect("shutdown");
        },
    );
}
