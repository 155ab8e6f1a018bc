//! Rings that are full: calls wait for room, answers for a reader, and neither is forgotten.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pyproc::{CallError, Phase};

use crate::support::{
    Isolation, PATIENCE, appears, eventually, let_go, next_call_works, runtime, scenario, scratch,
    start, worker, worker_to_block,
};

/// Just short of what travels in the ring.
const LONG: usize = 32_000;

#[test]
fn the_smallest_ring_takes_every_body() {
    scenario(async || {
        let pool = start(
            worker(
                "
                @expose
                async def echo_async(text):
                    await asyncio.sleep(0)
                    return text
                ",
            )
            .ring(128 << 10),
        )
        .await;
        let calls: Vec<_> = (0..32_usize)
            .map(|caller| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    for round in 0..50 {
                        let text = "x".repeat((caller * 7919 + round * 104_729) % LONG);
                        let function = ["echo", "echo_async"][(caller + round) % 2];
                        let answer =
                            tokio::time::timeout(PATIENCE, pool.call::<_, String>(function, &text))
                                .await;
                        assert_eq!(answer.expect("it hangs"), Ok(text));
                    }
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn calls_that_were_taken_back_make_room_again() {
    scenario(async || {
        let pool = start(
            worker_to_block(
                r#"
                @expose
                async def length(text):
                    return len(text)
                "#,
            )
            .ring(128 << 10),
        )
        .await;
        let mark = scratch().join("runs");
        let block = tokio::spawn({
            let (pool, mark) = (pool.clone(), mark.clone());
            async move { pool.call::<_, String>("block", &mark).await }
        });
        appears(&mark).await;
        let text = "x".repeat(LONG);
        let length = |timeout| {
            let (pool, text) = (pool.clone(), text.clone());
            tokio::spawn(async move {
                pool.request("length")
                    .timeout(timeout)
                    .call::<_, usize>(&text)
                    .await
            })
        };
        // They fill the ring and are taken back from it; the others never came that far.
        let after = Duration::from_millis(50);
        let hasty: Vec<_> = (0..4).map(|_| length(after)).collect();
        let patient: Vec<_> = (0..4).map(|_| length(PATIENCE)).collect();
        for call in hasty {
            assert_eq!(
                call.await.unwrap(),
                Err(CallError::Timeout {
                    phase: Phase::Queue,
                    after
                })
            );
        }
        let_go(&mark);
        block.await.unwrap().expect("block");
        for call in patient {
            assert_eq!(call.await.unwrap(), Ok(LONG));
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn answers_that_their_callers_do_not_take_hold_up_nobody() {
    Isolation::named(concat!(
        module_path!(),
        "::answers_that_their_callers_do_not_take_hold_up_nobody"
    ))
    .run(|| {
        let pool = runtime().block_on(start(
            worker(
                r#"
            answered = 0

            @expose
            def long(size):
                global answered
                answered += 1
                return "x" * size

            @expose
            def count():
                return answered
            "#,
            )
            .ring(128 << 10),
        ));
        let (done, is_done) = mpsc::channel::<()>();
        let (blocks, is_blocked) = mpsc::channel();
        let blocked = pool.clone();
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let call = || {
                    let pool = blocked.clone();
                    tokio::spawn(async move { pool.call::<_, String>("long", &LONG).await })
                };
                let calls: Vec<_> = (0..50).map(|_| call()).collect();
                tokio::task::yield_now().await;
                // All are made, and nobody takes an answer: far more than the ring holds.
                blocks.send(()).unwrap();
                is_done.recv().unwrap();
                for call in calls {
                    assert_eq!(call.await.unwrap().map(|text| text.len()), Ok(LONG));
                }
            });
        });
        is_blocked.recv().unwrap();
        runtime().block_on(async {
            eventually("fifty answers", async || {
                pool.call::<_, u32>("count", &()).await == Ok(50)
            })
            .await;
            next_call_works(&pool).await;
        });
        done.send(()).unwrap();
        thread.join().unwrap();
    });
}
