//! Workers that die while they run a call.

use std::collections::HashSet;

use pyproc::{CallError, Exit, OutOfMemory, Pool};
use rustix::process::Signal;

use crate::support::{
    appears, failure, kill, next_call_works, pid, scenario, scratch, start, worker,
};

/// What a worker's death looks like to the call that it ran.
#[track_caller]
fn died(error: &CallError, worker: u32, expected: Exit, sentence: &str) -> String {
    let CallError::WorkerDied {
        pid,
        exit,
        out_of_memory,
        stderr_tail,
        may_have_run: true,
    } = error
    else {
        panic!("not the death of a worker: {error:?}");
    };
    assert_eq!(
        (*pid, *exit, *out_of_memory),
        (worker, expected, OutOfMemory::No)
    );
    assert_eq!(
        error.to_string(),
        format!("the worker (pid {worker}) {sentence} while it ran this call")
    );
    assert!(error.may_have_run());
    stderr_tail.clone()
}

/// The pool answers again, from another process.
async fn replaced(pool: &Pool, worker: u32) {
    next_call_works(pool).await;
    assert_ne!(pid(pool).await, worker);
}

#[test]
fn sigkill_in_the_middle_of_a_call() {
    scenario(async || {
        let pool = start(worker(
            r#"
            @expose
            def hang(mark):
                open(mark, "w").close()
                time.sleep(3600)
            "#,
        ))
        .await;
        let worker = pid(&pool).await;
        let mark = scratch().join("runs");
        let (error, ()) = tokio::join!(failure(pool.call::<_, ()>("hang", &mark)), async {
            appears(&mark).await;
            kill(worker, Signal::KILL);
        });
        died(&error, worker, Exit::Signal(9), "was killed by SIGKILL");
        replaced(&pool, worker).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn sigkill_while_idle_is_nobodys_error() {
    scenario(async || {
        let pool = start(worker("")).await;
        for _ in 0..3 {
            let worker = pid(&pool).await;
            kill(worker, Signal::KILL);
            // The call may still reach the dead worker's ring; it has not started there.
            replaced(&pool, worker).await;
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn os_exit_in_a_function() {
    scenario(async || {
        let pool = start(worker(
            r#"
            @expose
            def leave(status):
                print("last words", file=sys.stderr)
                os._exit(status)
            "#,
        ))
        .await;
        for status in [0, 3] {
            let worker = pid(&pool).await;
            let error = failure(pool.call::<_, ()>("leave", &status)).await;
            let tail = died(
                &error,
                worker,
                Exit::Status(status),
                &format!("exited with status {status}"),
            );
            assert_eq!(tail, "last words\n");
            replaced(&pool, worker).await;
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_segmentation_fault_shows_pythons_stack() {
    scenario(async || {
        let pool = start(worker(
            r#"
            import ctypes

            @expose
            def read_null():
                return ctypes.string_at(0)
            "#,
        ))
        .await;
        let worker = pid(&pool).await;
        let error = failure(pool.call::<_, ()>("read_null", &())).await;
        let tail = died(&error, worker, Exit::Signal(11), "was killed by SIGSEGV");
        assert!(
            tail.starts_with("Fatal Python error: Segmentation fault\n"),
            "{tail}"
        );
        assert!(tail.contains("in read_null\n"), "{tail}");
        assert_eq!(error.detail(), Some(tail.trim_end()));
        replaced(&pool, worker).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn calls_that_had_not_started_survive_the_death_of_their_worker() {
    scenario(async || {
        let pool = start(worker(
            r#"
            @expose
            def hang(mark):
                open(mark, "w").close()
                time.sleep(3600)

            @expose
            def quick(value):
                return value, os.getpid()
            "#,
        ))
        .await;
        // Known to be quick, they are written into the ring ahead of time.
        for value in 0..100_u32 {
            let _: (u32, u32) = pool.call("quick", &value).await.expect("quick");
        }
        let worker = pid(&pool).await;
        let mark = scratch().join("runs");
        let quick = async {
            appears(&mark).await;
            let calls = (0..200_u32).map(|value| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.call::<_, (u32, u32)>("quick", &value).await })
            });
            let calls: Vec<_> = calls.collect();
            // All of them are submitted once this task has had another turn.
            tokio::task::yield_now().await;
            kill(worker, Signal::KILL);
            let mut processes = HashSet::new();
            for (value, call) in (0..).zip(calls) {
                let (answer, process) = call.await.expect("a task").expect("had not started");
                assert_eq!(answer, value);
                processes.insert(process);
            }
            assert!(!processes.contains(&worker));
        };
        let (error, ()) = tokio::join!(failure(pool.call::<_, ()>("hang", &mark)), async {
            tokio::task::LocalSet::new().run_until(quick).await;
        });
        died(&error, worker, Exit::Signal(9), "was killed by SIGKILL");
        pool.shutdown().await.expect("shutdown");
    });
}

const DIES_AT_FIRST: &str = r#"
    @expose
    def stubborn(folder, deaths):
        for attempt in range(1, 100):
            try:
                os.close(os.open(f"{folder}/attempt-{attempt}", os.O_CREAT | os.O_EXCL))
                break
            except FileExistsError:
                continue
        if attempt <= deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        return attempt
"#;

#[test]
fn an_idempotent_call_is_given_to_another_worker() {
    scenario(async || {
        let pool = start(worker(DIES_AT_FIRST).workers(2)).await;
        let request = pool.request("stubborn").idempotent();
        assert_eq!(request.call(&(scratch(), 2)).await, Ok(3));
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn an_idempotent_call_is_given_up_after_max_attempts() {
    scenario(async || {
        let pool = start(worker(DIES_AT_FIRST)).await;
        next_call_works(&pool).await;
        let request = pool.request("stubborn").idempotent().max_attempts(2);
        let error = failure(request.call::<_, u32>(&(scratch(), 100))).await;
        assert!(
            matches!(
                error,
                CallError::WorkerDied {
                    exit: Exit::Signal(9),
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(error.may_have_run());
        assert!(scratch().join("attempt-2").exists() && !scratch().join("attempt-3").exists());

        // One that is not is started once.
        let error = failure(pool.call::<_, u32>("stubborn", &(scratch(), 100))).await;
        assert!(matches!(error, CallError::WorkerDied { .. }), "{error:?}");
        assert!(scratch().join("attempt-3").exists() && !scratch().join("attempt-4").exists());
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}
