//! Everything at the same time: sizes, kinds of functions, runtimes, workers that stand still.

use std::time::Duration;

use pyproc::{Body, CallError, ContentType, Pool};
use rustix::process::Signal;

use crate::support::{
    children, eventually, kill, maps_of, next_call_works, runtime, start, worker,
};
use crate::{FUNCTIONS, Random, amount, chaos, two_threads};

/// A body that tells its number and length.
fn body(number: u64, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length).map(|at| (at as u64 ^ number) as u8).collect();
    let head = number.to_le_bytes();
    let known = head.len().min(length);
    bytes[..known].copy_from_slice(&head[..known]);
    bytes
}

/// One call of any kind; its answer is checked.
async fn any_call(pool: &Pool, number: u64, random: &mut Random) {
    let microseconds = random.below(200);
    match random.below(8) {
        0..3 => {
            let answer: (u64, u32) = pool
                .call("spend", &(number, microseconds))
                .await
                .expect("a plain call");
            assert_eq!(answer.0, number);
        }
        3..5 => {
            let answer: (u64, u32) = pool
                .call("wait", &(number, microseconds))
                .await
                .expect("a coroutine");
            assert_eq!(answer.0, number);
        }
        kind => {
            let most = if random.below(4) == 0 {
                3 << 20
            } else {
                40_000
            };
            let sent = body(number, random.below(most) as usize);
            let body = if kind == 7 {
                let mut memory = pool.allocate(sent.len()).expect("memory");
                memory.copy_from_slice(&sent);
                memory.into_body(ContentType::Raw)
            } else {
                Body::raw(sent.clone())
            };
            let request = pool.request("reflect").body(body);
            match kind {
                5 => {
                    // Its caller may go, whatever the body is doing then.
                    let patience = Duration::from_micros(random.below(2_000));
                    let reply = tokio::time::timeout(patience, request.send()).await;
                    assert!(
                        reply.is_err()
                            || reply.is_ok_and(|reply| reply.expect("a reply").bytes() == &sent)
                    );
                }
                6 => match request
                    .timeout(Duration::from_micros(random.below(3_000)))
                    .send()
                    .await
                {
                    Ok(reply) => assert!(reply.bytes() == &sent),
                    Err(CallError::Timeout { .. }) => {}
                    Err(other) => panic!("call {number}: {other:?}"),
                },
                _ => assert!(request.send().await.expect("a reply").bytes() == &sent),
            }
        }
    }
}

#[test]
fn all_sizes_and_kinds_from_several_runtimes() {
    chaos(|| {
        let calls = amount(400);
        let config = worker(FUNCTIONS)
            .workers(2)
            .segment_idle(Duration::from_millis(50));
        let pool = runtime().block_on(start(config));
        std::thread::scope(|scope| {
            for thread in 0..3_u64 {
                let pool = &pool;
                scope.spawn(move || {
                    let run = async {
                        let callers = (0..4_u64).map(|caller| async move {
                            let mut random = Random(thread * 4 + caller);
                            for turn in 0..calls {
                                any_call(pool, (thread * 4 + caller) << 32 | turn, &mut random)
                                    .await;
                            }
                        });
                        all(callers.collect()).await;
                    };
                    if thread == 0 {
                        two_threads().block_on(run)
                    } else {
                        runtime().block_on(run)
                    }
                });
            }
        });
        runtime().block_on(async {
            eventually("idle segments are given back", async || {
                maps_of(std::process::id(), "pyproc-segment") == 0
            })
            .await;
            for worker in children() {
                eventually("by the workers too", async || {
                    maps_of(worker, "pyproc-segment") == 0
                })
                .await;
            }
            next_call_works(&pool).await;
            pool.shutdown().await.expect("nothing runs");
        });
    });
}

/// Awaits all of them in one task.
async fn all(calls: Vec<impl Future<Output = ()>>) {
    let mut calls: Vec<_> = calls.into_iter().map(|call| Some(Box::pin(call))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut calls {
            if let Some(call) = slot
                && call.as_mut().poll(context).is_ready()
            {
                *slot = None;
            }
        }
        if calls.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[test]
fn a_worker_that_stands_still_holds_up_nobody_who_could_go_elsewhere() {
    chaos(|| {
        runtime().block_on(async {
            let pool = start(worker(FUNCTIONS).workers(2)).await;
            for _ in 0..amount(5) {
                next_call_works(&pool).await;
                let workers = children();
                for &stopped in &workers {
                    kill(stopped, Signal::STOP);
                    // It runs nothing: whatever it is sent can be taken back.
                    for number in 0..20_u64 {
                        let calls = (0..3).map(|_| async {
                            let (answer, process): (u64, u32) =
                                pool.call("spend", &(number, 50)).await.expect("an answer");
                            assert_eq!(answer, number);
                            assert_ne!(process, stopped);
                        });
                        all(calls.collect()).await;
                        let sent = body(number, 100_000);
                        let reply = pool
                            .request("reflect")
                            .body(Body::raw(sent.clone()))
                            .send()
                            .await;
                        assert!(reply.expect("a reply").bytes() == &sent);
                    }
                    kill(stopped, Signal::CONT);
                }
                assert_eq!(children(), workers);
            }
            pool.shutdown().await.expect("nothing runs");
        });
    });
}
