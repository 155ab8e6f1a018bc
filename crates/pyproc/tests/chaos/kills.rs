//! Workers killed in the middle of calls, again and again.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pyproc::{CallError, Exit, Pool};
use rustix::process::{Pid, Signal};

use crate::support::{children, descriptors, eventually, maps_of, next_call_works, start, worker};
use crate::{FUNCTIONS, Random, amount, chaos, resident_kib, two_threads};

const WORKERS: u32 = 2;
const CALLERS: u64 = 8;

/// What the callers share.
struct Hunt {
    pool: Pool,
    /// Processes that were killed.
    killed: Mutex<HashSet<u32>>,
    /// Calls lost with each.
    lost: Mutex<HashMap<u32, u64>>,
    /// The next call's number.
    next: AtomicU64,
    answers: AtomicU64,
    repeated: AtomicU64,
}

impl Hunt {
    fn new(pool: Pool) -> Arc<Self> {
        Arc::new(Self {
            pool,
            killed: Mutex::default(),
            lost: Mutex::default(),
            next: AtomicU64::new(1),
            answers: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
        })
    }

    /// Calls until `hits` kills have hit a call that had started.
    async fn until(self: &Arc<Self>, hits: u64, functions: &'static [&'static str]) {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let hunt = Arc::clone(self);
                tokio::spawn(async move {
                    let mut random = Random(caller);
                    while (hunt.lost.lock().unwrap().len() as u64) < hits {
                        hunt.call(&mut random, functions).await;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.expect("a caller that is content");
        }
    }

    async fn call(&self, random: &mut Random, functions: &[&'static str]) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let microseconds = random.below(5_000);
        let function = functions[random.below(functions.len() as u64) as usize];
        let idempotent = random.below(4) == 0;
        let mut request = self.pool.request(function);
        if idempotent {
            request = request.idempotent().max_attempts(100_000);
        }
        match request.call::<_, (u64, u32)>(&(number, microseconds)).await {
            Ok((answer, pid)) => {
                assert_eq!(answer, number, "the answer to another call");
                self.answers.fetch_add(1, Ordering::Relaxed);
                // One that has answered is replaced at once. What it runs by then is hit.
                if random.below(16) == 0 {
                    tokio::time::sleep(Duration::from_micros(random.below(3_000))).await;
                    self.kill(pid);
                }
            }
            Err(CallError::WorkerDied {
                pid,
                exit,
                may_have_run,
                ..
            }) => {
                assert!(!idempotent, "call {number} can be repeated, and is lost");
                assert!(may_have_run, "call {number} had not started, and is lost");
                assert_eq!(exit, Exit::Signal(9));
                assert!(
                    self.killed.lock().unwrap().contains(&pid),
                    "nobody killed {pid}"
                );
                *self.lost.lock().unwrap().entry(pid).or_default() += 1;
            }
            Err(other) => panic!("call {number} of {function}: {other:?}"),
        }
        if idempotent {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn kill(&self, pid: u32) {
        if self.killed.lock().unwrap().insert(pid) {
            let pid = Pid::from_raw(pid.cast_signed()).expect("a process");
            rustix::process::kill_process(pid, Signal::KILL)
                .expect("a worker that nobody else kills");
        }
    }
}

/// What a pool at rest holds.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    descriptors: usize,
    maps: usize,
    children: usize,
}

impl Holdings {
    fn now() -> Self {
        let maps = maps_of(std::process::id(), "pyproc-");
        Self {
            descriptors: descriptors().len(),
            maps,
            children: children().len(),
        }
    }
}

fn kills(functions: &'static [&'static str], at_once: u64) {
    two_threads().block_on(async {
        let pool = start(worker(FUNCTIONS).workers(WORKERS)).await;
        let before = Holdings::now();
        let hunt = Hunt::new(pool.clone());
        hunt.until(amount(10), functions).await;
        let memory = resident_kib();
        hunt.until(amount(100), functions).await;
        eventually("everything is as before", async || {
            Holdings::now() == before
        })
        .await;
        let grown = resident_kib().saturating_sub(memory);
        assert!(
            grown < 16 * 1024,
            "{grown} KiB more than when a tenth was done"
        );
        assert!(
            hunt.answers.load(Ordering::Relaxed) > 0 && hunt.repeated.load(Ordering::Relaxed) > 0
        );
        let lost = hunt.lost.lock().unwrap().clone();
        for (pid, calls) in lost {
            assert!(
                calls <= at_once,
                "{calls} calls were lost with {pid}, which ran {at_once} at a time"
            );
        }
        next_call_works(&pool).await;
        pool.shutdown().await.expect("nothing runs");
    });
}

#[test]
fn kills_lose_what_had_started_and_nothing_else() {
    // A process runs one plain call at a time: with it, one call can be lost.
    chaos(|| kills(&["spend", "doze"], 1));
}

#[test]
fn kills_among_coroutines() {
    chaos(|| kills(&["spend", "wait"], CALLERS));
}
