//! Results that cannot be encoded, floods of output, other pools, children, threads, signals.

use pyproc::{CallError, Exit};
use rustix::process::Signal;

use crate::support::{
    Events, appears, eventually, failure, is_alive, kill, next_call_works, pid, runtime, scenario,
    scenario_under, scratch, start, wait_until, worker,
};

#[test]
fn a_result_that_cannot_be_encoded_is_an_error_of_its_call_alone() {
    scenario(async || {
        let pool = start(worker(
            "
            @expose
            def opaque():
                return object()
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        for _ in 0..3 {
            let error = failure(pool.call::<_, ()>("opaque", &())).await;
            assert_eq!(
                error.to_string(),
                "the function's result cannot be used: a value of type `object` cannot be encoded"
            );
            assert!(matches!(error, CallError::BadResult { .. }) && error.may_have_run());
            next_call_works(&pool).await;
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_worker_that_floods_its_output_answers_calls() {
    scenario(async || {
        let events = Events::collect();
        let pool = start(worker(
            r#"
            stop = threading.Event()

            def flood():
                while not stop.is_set():
                    os.write(1, b"x" * 4095 + b"\n")
                    os.write(2, b"no line break ")

            @expose
            def begin():
                for _ in range(2):
                    threading.Thread(target=flood, daemon=True).start()

            @expose
            def end():
                stop.set()

            @expose
            def print_much(lines):
                for line in range(lines):
                    print("line", line)
                return lines
            "#,
        ))
        .await;
        let _: () = pool.call("begin", &()).await.expect("begin");
        for value in 0..500 {
            assert_eq!(pool.call::<_, u32>("echo", &value).await, Ok(value));
        }
        assert_eq!(pool.call::<_, u32>("print_much", &10_000).await, Ok(10_000));
        let _: () = pool.call("end", &()).await.expect("end");
        eventually("the last line", async || {
            events.find(|event| event.message == "line 9999").is_some()
        })
        .await;
        assert!(events.find(|event| event.message.len() == 4095).is_some());
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn two_pools_know_nothing_of_each_other() {
    scenario(async || {
        let one = start(worker("@expose\ndef who():\n    return 1").workers(2)).await;
        let two = start(worker(
            "@expose\ndef who():\n    return 2\n\n@expose\ndef only_here():\n    return True",
        ))
        .await;
        for _ in 0..200 {
            let (first, second) =
                tokio::join!(one.call::<_, u8>("who", &()), two.call::<_, u8>("who", &()));
            assert_eq!((first, second), (Ok(1), Ok(2)));
        }
        let error = failure(one.call::<_, bool>("only_here", &())).await;
        assert!(
            matches!(error, CallError::NoSuchFunction { .. }) && !error.may_have_run(),
            "{error:?}"
        );
        let other = pid(&two).await;
        kill(pid(&one).await, Signal::KILL);
        next_call_works(&one).await;
        assert_eq!(pid(&two).await, other);
        one.shutdown().await.expect("shutdown");
        next_call_works(&two).await;
        assert_eq!(pid(&two).await, other);
        two.shutdown().await.expect("shutdown");
    });
}

const WITH_CHILD: &str = r#"
    import subprocess

    @expose
    def start_child(own_session):
        child = subprocess.Popen(
            ["sleep", "3600"], close_fds=False, start_new_session=own_session, stdin=subprocess.DEVNULL
        )
        return child.pid

    @expose
    def hang(mark):
        open(mark, "w").close()
        time.sleep(3600)
"#;

#[test]
fn a_child_of_a_worker_ends_with_it() {
    scenario(async || {
        let pool = start(worker(WITH_CHILD)).await;
        let worker = pid(&pool).await;
        let child: u32 = pool.call("start_child", &false).await.expect("a child");
        assert!(is_alive(child));
        kill(worker, Signal::KILL);
        next_call_works(&pool).await;
        wait_until("the child's end", || !is_alive(child));
        let child: u32 = pool.call("start_child", &false).await.expect("a child");
        pool.shutdown().await.expect("shutdown");
        wait_until("the child's end", || !is_alive(child));
    });
}

#[test]
fn a_child_that_keeps_descriptors_hides_neither_death_nor_end() {
    scenario(async || {
        let pool = start(worker(WITH_CHILD)).await;
        let worker = pid(&pool).await;
        // It has left the worker's group and holds its pipes.
        let child: u32 = pool.call("start_child", &true).await.expect("a child");
        let mark = scratch().join("runs");
        let (error, ()) = tokio::join!(failure(pool.call::<_, ()>("hang", &mark)), async {
            appears(&mark).await;
            kill(worker, Signal::KILL);
        });
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
        next_call_works(&pool).await;
        let other: u32 = pool.call("start_child", &true).await.expect("a child");
        pool.shutdown().await.expect("shutdown");
        for child in [child, other] {
            assert!(is_alive(child), "a daemon of its own session is left alone");
            kill(child, Signal::KILL);
            wait_until("the child's end", || !is_alive(child));
        }
    });
}

#[test]
fn a_host_that_ignores_sigchld() {
    scenario_under(&["env", "--ignore-signal=CHLD"], async || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let ignored = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:\t"))
            .unwrap();
        assert!(
            u64::from_str_radix(ignored, 16).unwrap() & 1 << 16 != 0,
            "SIGCHLD is not ignored"
        );

        let pool = start(worker(WITH_CHILD)).await;
        let worker = pid(&pool).await;
        let child: u32 = pool.call("start_child", &false).await.expect("a child");
        let mark = scratch().join("runs");
        let (error, ()) = tokio::join!(failure(pool.call::<_, ()>("hang", &mark)), async {
            appears(&mark).await;
            kill(worker, Signal::KILL);
        });
        assert!(
            matches!(
                error,
                CallError::WorkerDied {
                    exit: Exit::Unknown,
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            format!("the worker (pid {worker}) ended while it ran this call")
        );
        assert!(error.may_have_run());
        next_call_works(&pool).await;
        wait_until("the child's end", || !is_alive(child));
        pool.shutdown().await.expect("shutdown");
    });
}

const WITH_THREAD: &str = r#"
    goal = None

    def count():
        global goal
        while True:
            if goal is None:
                continue
            steps, mark = goal
            if steps > 0:
                goal = (steps - 1, mark)
            else:
                open(mark, "w").close()
                goal = None

    threading.Thread(target=count, daemon=True).start()

    @expose
    def reach(steps, mark):
        global goal
        goal = (steps, mark)
"#;

#[test]
fn a_background_thread_goes_on_while_its_worker_is_idle() {
    scenario(async || {
        let pool = start(worker(WITH_THREAD)).await;
        let mark = scratch().join("reached");
        let _: () = pool
            .call("reach", &(2_000_000, &mark))
            .await
            .expect("reach");
        // No call meanwhile.
        appears(&mark).await;
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_background_thread_goes_on_under_load() {
    scenario(async || {
        let pool = start(worker(WITH_THREAD)).await;
        let mark = scratch().join("reached");
        let _: () = pool
            .call("reach", &(3_000_000, &mark))
            .await
            .expect("reach");
        let load = pool.clone();
        let reached = mark.clone();
        let others = std::thread::spawn(move || {
            runtime().block_on(async {
                let mut calls = 0_u64;
                while !reached.exists() {
                    let calls_at_once = futures(&load, calls);
                    for answer in calls_at_once.await {
                        assert!(answer.is_ok(), "{answer:?}");
                    }
                    calls += 1;
                }
                calls
            })
        });
        appears(&mark).await;
        assert!(others.join().unwrap() > 0);
        next_call_works(&pool).await;
        pool.shutdown().await.expect("shutdown");
    });
}

/// Calls that are made at the same time, so that the worker always has a next one.
async fn futures(pool: &pyproc::Pool, value: u64) -> [Result<u64, CallError>; 8] {
    let call = || pool.call("echo", &value);
    let (a, b, c, d, e, f, g, h) = tokio::join!(
        call(),
        call(),
        call(),
        call(),
        call(),
        call(),
        call(),
        call()
    );
    [a, b, c, d, e, f, g, h]
}
