//! A pool belongs to no runtime.

use std::sync::mpsc;
use std::thread;

use pyproc::Pool;

use crate::support::{Isolation, next_call_works, runtime, start, worker};

#[test]
fn several_runtimes_use_a_pool_and_the_one_that_started_it_goes_first() {
    Isolation::named(concat!(
        module_path!(),
        "::several_runtimes_use_a_pool_and_the_one_that_started_it_goes_first"
    ))
    .run(|| {
        let starter = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let pool = starter.block_on(start(worker("").workers(2)));
        let (ready, all_ready) = mpsc::channel();
        let callers: Vec<_> = (0..4_u64)
            .map(|caller| {
                let (pool, ready) = (pool.clone(), ready.clone());
                thread::spawn(move || runtime().block_on(calls(pool, caller, ready)))
            })
            .collect();
        for _ in &callers {
            all_ready.recv().unwrap();
        }
        // Its threads go while the others call.
        drop(starter);
        for caller in callers {
            caller.join().unwrap();
        }
        runtime().block_on(async {
            next_call_works(&pool).await;
            pool.shutdown().await.expect("shutdown");
        });
    });
}

async fn calls(pool: Pool, caller: u64, ready: mpsc::Sender<()>) {
    next_call_works(&pool).await;
    ready.send(()).unwrap();
    for round in 0..2_000 {
        let value = caller << 32 | round;
        assert_eq!(pool.call::<_, u64>("echo", &value).await, Ok(value));
    }
}

#[test]
fn many_tasks_on_many_threads() {
    Isolation::named(concat!(module_path!(), "::many_tasks_on_many_threads")).run(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let pool = start(worker("").workers(2)).await;
            let callers: Vec<_> = (0..64_u64)
                .map(|caller| {
                    let pool = pool.clone();
                    tokio::spawn(async move {
                        for round in 0..500 {
                            let value = caller << 32 | round;
                            assert_eq!(pool.call::<_, u64>("echo", &value).await, Ok(value));
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.unwrap();
            }
            pool.shutdown().await.expect("shutdown");
        });
    });
}

#[test]
fn a_runtime_whose_one_thread_is_blocked_delays_no_other() {
    Isolation::named(concat!(
        module_path!(),
        "::a_runtime_whose_one_thread_is_blocked_delays_no_other"
    ))
    .run(|| {
        let pool = runtime().block_on(start(worker(
            "
            @expose
            def wait(seconds):
                time.sleep(seconds)
            ",
        )));
        let (done, is_done) = mpsc::channel::<()>();
        let (blocks, is_blocked) = mpsc::channel();
        let blocked = pool.clone();
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let mut call = std::pin::pin!(blocked.call::<_, ()>("wait", &0.05));
                tokio::select! {
                    biased;
                    result = &mut call => panic!("so soon: {result:?}"),
                    () = std::future::ready(()) => {}
                }
                // It was the one that looked for answers, and looks no more.
                blocks.send(()).unwrap();
                is_done.recv().unwrap();
                call.await.expect("answered meanwhile");
            });
        });
        is_blocked.recv().unwrap();
        runtime().block_on(async {
            for _ in 0..100 {
                next_call_works(&pool).await;
            }
        });
        done.send(()).unwrap();
        thread.join().unwrap();
    });
}
