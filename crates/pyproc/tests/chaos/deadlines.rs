//! Deadlines that fall near the end of a call: each concerns its own call and no other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pyproc::{CallError, Pool};

use crate::support::{next_call_works, pid, start, worker};
use crate::{FUNCTIONS, Random, amount, chaos, two_threads};

/// How long the function takes by itself.
const RUN_US: u64 = 200;

/// The median time of a call.
async fn usual(pool: &Pool, function: &str) -> Duration {
    let mut times = Vec::new();
    for number in 0..101_u64 {
        let began = Instant::now();
        let _: (u64, u32) = pool
            .call(function, &(number, RUN_US))
            .await
            .expect("a call without a deadline");
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[50]
}

fn deadlines(function: &'static str) {
    let calls = amount(5_000);
    two_threads().block_on(async {
        let pool = start(worker(FUNCTIONS).workers(1)).await;
        let process = pid(&pool).await;
        let usual = usual(&pool, function).await.as_nanos() as u64;
        let over = AtomicBool::new(false);
        let (answered, late) = (AtomicU64::new(0), AtomicU64::new(0));
        let hurried = async |caller: u64| {
            let mut random = Random(caller);
            for number in (caller..calls).step_by(2) {
                // From half of the usual time to twice that, since two callers share one worker.
                let timeout = Duration::from_nanos(usual / 2 + random.below(usual * 3 / 2));
                let request = pool.request(function).timeout(timeout);
                match request.call::<_, (u64, u32)>(&(number, RUN_US)).await {
                    Ok(answer) => {
                        assert_eq!(answer, (number, process));
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(CallError::Timeout { .. }) => {
                        late.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(other) => panic!("call {number}: {other:?}"),
                }
            }
        };
        let patient = async {
            let mut number = 1 << 32;
            while !over.load(Ordering::Relaxed) {
                number += 1;
                let answer = pool.call::<_, (u64, u32)>("doze", &(number, RUN_US)).await;
                assert_eq!(
                    answer.expect("a call that nobody hurries"),
                    (number, process)
                );
            }
        };
        let both = async {
            tokio::join!(hurried(0), hurried(1));
            over.store(true, Ordering::Relaxed);
        };
        tokio::join!(both, patient);
        assert!(
            answered.into_inner() > 0 && late.into_inner() > 0,
            "deadlines on both sides of the end"
        );
        assert_eq!(
            pid(&pool).await,
            process,
            "a short timeout never costs a worker"
        );
        next_call_works(&pool).await;
        pool.shutdown().await.expect("nothing runs");
    });
}

#[test]
fn deadlines_near_the_end_of_python_code() {
    chaos(|| deadlines("spend"));
}

#[test]
fn deadlines_near_the_end_of_a_sleep() {
    chaos(|| deadlines("doze"));
}

#[test]
fn deadlines_near_the_end_of_a_coroutine() {
    chaos(|| deadlines("wait"));
}
