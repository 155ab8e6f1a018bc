//! Functions that do not come back.

use std::time::Duration;

use pyproc::{CallError, Phase, Pool, PoolConfig};
use rustix::process::Signal;

use crate::support::{
    Events, appears, failure, is_alive, kill, next_call_works, pid, processes, scenario, scratch,
    start, worker,
};

const LIMIT: Duration = Duration::from_millis(300);

/// A caller's timeout that a call reaches its function within, however slow the machine.
const CALLER: Duration = Duration::from_secs(1);

/// A worker whose functions set [`LIMIT`] themselves, all but those of every worker.
fn limited(source: &str) -> PoolConfig {
    worker(&source.replace("@expose", "@expose(timeout=\"300ms\")"))
        .grace(Duration::from_millis(200))
}

/// The caller's time ran out while the function ran.
#[track_caller]
fn timed_out(error: &CallError, after: Duration) {
    assert_eq!(
        *error,
        CallError::Timeout {
            phase: Phase::Run,
            after
        }
    );
    let after = humantime::format_duration(after);
    assert_eq!(
        error.to_string(),
        format!("the call timed out after {after} while the function was running")
    );
    assert!(error.may_have_run());
}

/// The limit has killed the worker; another one answers.
async fn killed_by_the_limit(pool: &Pool, worker: u32) {
    next_call_works(pool).await;
    assert!(!is_alive(worker));
    assert_ne!(pid(pool).await, worker);
}

#[test]
fn a_stopped_worker_is_killed_at_the_limit() {
    scenario(async || {
        let pool = start(limited(
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
            kill(worker, Signal::STOP);
        });
        timed_out(&error, LIMIT);
        killed_by_the_limit(&pool, worker).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_loop_in_python_is_ended_without_killing_its_worker() {
    scenario(async || {
        let pool = start(limited(
            "
            @expose
            def spin():
                while True:
                    pass
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        let error = failure(pool.call::<_, ()>("spin", &())).await;
        timed_out(&error, LIMIT);
        next_call_works(&pool).await;
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn c_code_that_holds_the_gil_is_killed_at_the_limit_and_shows_its_stack() {
    scenario(async || {
        let events = Events::collect();
        let pool = start(limited(
            "
            @expose
            def crunch():
                return sum(range(10**12))
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        let error = failure(pool.call::<_, u64>("crunch", &())).await;
        timed_out(&error, LIMIT);
        killed_by_the_limit(&pool, worker).await;
        let ended =
            |event: &crate::support::Event| event.message == "a worker ended and is replaced";
        let ended = events.find(ended).expect("an event that says so");
        assert_eq!(ended.fields["pid"], worker.to_string());
        assert!(ended.fields["stderr"].contains("in crunch"), "{ended:?}");
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_callers_short_timeout_never_kills_a_busy_worker() {
    scenario(async || {
        let pool = start(worker(
            "
            @expose
            def crunch(seconds):
                # One step of the interpreter: nothing can interrupt it.
                until = time.monotonic() + seconds
                return any(map(until.__lt__, iter(time.monotonic, None)))
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        for _ in 0..2 {
            let error = failure(pool.request("crunch").timeout(CALLER).call::<_, bool>(&1.5)).await;
            timed_out(&error, CALLER);
            next_call_works(&pool).await;
            assert_eq!(pid(&pool).await, worker);
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn what_catches_every_exception_is_killed_by_the_limit() {
    scenario(async || {
        let pool = start(limited(
            "
            @expose
            def stubborn():
                while True:
                    try:
                        time.sleep(3600)
                    except BaseException:
                        pass
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        let error = failure(pool.call::<_, ()>("stubborn", &())).await;
        timed_out(&error, LIMIT);
        killed_by_the_limit(&pool, worker).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn what_catches_exceptions_is_asked_again_and_not_killed_for_a_caller() {
    scenario(async || {
        let pool = start(worker(
            r#"
            @expose
            def stubborn(mark):
                asked = []
                while len(asked) < 4:
                    try:
                        time.sleep(3600)
                    except BaseException as error:
                        asked.append(type(error).__name__)
                with open(mark + ".new", "w") as file:
                    file.write(" ".join(asked))
                os.rename(mark + ".new", mark)
            "#,
        ))
        .await;
        let worker = pid(&pool).await;
        let mark = scratch().join("asked");
        let error = failure(
            pool.request("stubborn")
                .timeout(CALLER)
                .call::<_, ()>(&mark),
        )
        .await;
        timed_out(&error, CALLER);
        appears(&mark).await;
        assert_eq!(
            std::fs::read_to_string(&mark).unwrap(),
            ["DeadlineExceeded"; 4].join(" ")
        );
        next_call_works(&pool).await;
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn waits_are_ended_by_the_interrupt_and_the_worker_lives() {
    scenario(async || {
        let pool = start(worker(
            "
            import queue, socket

            @expose
            def wait_for_lock():
                lock = threading.Lock()
                lock.acquire()
                lock.acquire()

            @expose
            def wait_for_event():
                threading.Event().wait()

            @expose
            def wait_for_queue():
                queue.SimpleQueue().get()

            @expose
            def wait_for_socket():
                left, right = socket.socketpair()
                left.recv(1)

            @expose
            def wait_for_connection():
                with socket.create_server(('127.0.0.1', 0)) as server:
                    server.accept()

            @expose
            def wait_for_time():
                time.sleep(3600)

            @expose
            def wait_for_thread():
                thread = threading.Thread(target=time.sleep, args=(3600,), daemon=True)
                thread.start()
                thread.join()
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        for what in [
            "lock",
            "event",
            "queue",
            "socket",
            "connection",
            "time",
            "thread",
        ] {
            let function = format!("wait_for_{what}");
            let error = failure(pool.request(&function).timeout(CALLER).call::<_, ()>(&())).await;
            timed_out(&error, CALLER);
            next_call_works(&pool).await;
            assert_eq!(pid(&pool).await, worker, "{function}");
        }
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_coroutine_that_blocks_the_loop_is_killed_at_the_limit() {
    scenario(async || {
        let pool = start(limited(
            "
            @expose
            async def block():
                while True:
                    try:
                        time.sleep(3600)
                    except BaseException:
                        pass
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        let error = failure(pool.call::<_, ()>("block", &())).await;
        timed_out(&error, LIMIT);
        killed_by_the_limit(&pool, worker).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn calls_beside_a_stuck_worker_go_on() {
    scenario(async || {
        let pool = start(
            limited(
                "
            @expose
            def crunch():
                return sum(range(10**12))
            ",
            )
            .workers(2),
        )
        .await;
        let mut answered = 0;
        let stuck = failure(pool.call::<_, u64>("crunch", &()));
        let mut stuck = std::pin::pin!(stuck);
        let error = loop {
            tokio::select! {
                biased;
                error = &mut stuck => break error,
                answer = pool.call::<_, u32>("echo", &answered) => {
                    assert_eq!(answer, Ok(answered));
                    answered += 1;
                }
            }
        };
        timed_out(&error, LIMIT);
        assert!(answered > 0, "no call was answered meanwhile");
        processes(&pool, 2).await;
        pool.shutdown().await.expect("shutdown");
    });
}
