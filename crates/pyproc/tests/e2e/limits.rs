//! Under the limits of a control group: memory that runs out, processors that are rationed.

use std::fs;

use pyproc::{CallError, Exit, OutOfMemory};

use crate::support::{Limit, failure, next_call_works, pid, scenario_limited, start, worker};

#[test]
fn a_worker_that_takes_all_of_the_memory_dies_of_that() {
    scenario_limited(Limit::Memory(256 << 20), async || {
        let pool = start(worker(
            "
            @expose
            def grow():
                held = []
                while True:
                    held.append(bytearray(b'x') * (8 << 20))
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        let error = failure(pool.call::<_, ()>("grow", &())).await;
        let CallError::WorkerDied {
            exit: Exit::Signal(9),
            out_of_memory: OutOfMemory::Probably,
            ..
        } = error
        else {
            panic!("not a death for want of memory: {error:?}");
        };
        assert_eq!(
            error.to_string(),
            format!(
                "the worker (pid {worker}) was killed by SIGKILL, probably because memory \
                 ran out, while it ran this call"
            )
        );
        assert!(error.may_have_run());
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn under_a_quota_nobody_spins() {
    const CALLS: u64 = 400;
    scenario_limited(Limit::Cpu(50), async || {
        let pool = start(worker("")).await;
        next_call_works(&pool).await;
        let worker = pid(&pool).await;
        let before = sleeps(worker);
        for value in 0..CALLS {
            assert_eq!(pool.call::<_, u64>("echo", &value).await, Ok(value));
        }
        // A worker that spins sleeps hardly ever; half leaves room for calls that come before it does.
        let slept = sleeps(worker) - before;
        assert!(
            slept >= CALLS / 2,
            "it slept {slept} times in {CALLS} calls"
        );
        pool.shutdown().await.expect("shutdown");
    });
}

/// How often the threads of a process have gone to sleep.
fn sleeps(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .expect("tasks")
        .flatten();
    let sleeps = |status: String| {
        let mut lines = status.lines();
        lines.find_map(|line| {
            line.strip_prefix("voluntary_ctxt_switches:")?
                .trim()
                .parse::<u64>()
                .ok()
        })
    };
    tasks
        .filter_map(|task| sleeps(fs::read_to_string(task.path().join("status")).ok()?))
        .sum::<u64>()
}
