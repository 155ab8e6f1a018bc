//! The blocking pool: no runtime in the process unless a test makes one.

use std::thread;
use std::time::Duration;

use pyproc::blocking::Pool;
use pyproc::{Body, CallError, ContentType, Phase, PoolConfig, Retry, StartError};

use rustix::process::Signal;

use crate::support::{
    Isolation, PATIENCE, children, config, kill, let_go, processes, runtime, script, wait_until,
    worker, worker_to_block,
};

/// A test in a process of its own.
fn alone<F: FnOnce()>(test: F) {
    Isolation::of::<F>().run(test);
}

fn start(config: PoolConfig) -> Pool {
    Pool::start(config).expect("the pool starts")
}

fn next_call_works(pool: &Pool) {
    let answer = pool.request("echo").timeout(PATIENCE).call(&41);
    assert_eq!(answer, Ok(41));
}

#[test]
fn calls_without_any_runtime() {
    alone(|| {
        let pool = start(worker("").workers(2));
        assert_eq!(pool.call("echo", "Grüße"), Ok("Grüße".to_owned()));
        let reply = pool
            .request("echo")
            .body(Body::json(r#"{"value": 1}"#))
            .accept(ContentType::Json)
            .send()
            .expect("echo");
        assert_eq!(reply.bytes(), r#"{"value":1}"#);
        assert!(pool.functions().iter().any(|echo| echo.name == "echo"));

        let mut large = pool.allocate(1 << 20).expect("memory");
        large.fill(7);
        let reply = pool
            .request("echo")
            .body(large.into_body(ContentType::Raw))
            .accept(ContentType::Raw)
            .send()
            .expect("echo");
        assert_eq!(reply.bytes(), &vec![7; 1 << 20]);

        pool.shutdown().expect("shutdown");
        assert_eq!(pool.call("echo", &1), Err::<u8, _>(CallError::Closed));
        assert_eq!(children(), Vec::<u32>::new());
    });
}

#[test]
fn eight_threads_call_at_once() {
    alone(|| {
        let pool = start(worker("").workers(2));
        let callers: Vec<_> = (0..8_u64)
            .map(|caller| {
                let pool = pool.clone();
                thread::spawn(move || {
                    for round in 0..2_000 {
                        let value = caller << 32 | round;
                        assert_eq!(pool.call("echo", &value), Ok(value));
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        pool.shutdown().expect("shutdown");
    });
}

#[test]
fn a_timeout_answers_the_thread_and_leaves_the_worker() {
    alone(|| {
        let pool = start(worker(
            "
            @expose
            def stall():
                time.sleep(3600)
            ",
        ));
        let pid: u32 = pool.call("pid", &()).unwrap();
        let after = Duration::from_secs(1);
        let error = pool
            .request("stall")
            .timeout(after)
            .call::<_, ()>(&())
            .expect_err("it does not end");
        let phase = Phase::Run;
        assert_eq!(error, CallError::Timeout { phase, after });
        assert_eq!(pool.call("pid", &()), Ok(pid));
    });
}

#[test]
fn a_death_ends_the_call_or_moves_it_to_another_worker() {
    alone(|| {
        let pool = start(worker(
            r#"
            @expose
            def die_once(mark):
                if not os.path.exists(mark):
                    open(mark, "w").close()
                    os.kill(os.getpid(), signal.SIGKILL)
                return "alive"
            "#,
        ));
        let mark = |name| crate::support::scratch().join(name);
        let error = pool
            .call::<_, String>("die_once", &mark("first"))
            .expect_err("it dies");
        assert!(matches!(error, CallError::WorkerDied { .. }), "{error}");
        assert_eq!(error.retry(), Retry::IfIdempotent);
        let again = pool.request("die_once").idempotent().max_attempts(2);
        assert_eq!(again.call(&mark("second")), Ok("alive".to_owned()));
        next_call_works(&pool);
    });
}

#[test]
fn a_shutdown_lets_the_calls_of_other_threads_finish() {
    alone(|| {
        let pool = start(worker_to_block(""));
        let mark = crate::support::scratch().join("runs");
        let caller = thread::spawn({
            let (pool, mark) = (pool.clone(), mark.clone());
            move || pool.call::<_, String>("block", &mark)
        });
        wait_until("it runs", || mark.exists());
        let stopping = thread::spawn({
            let pool = pool.clone();
            move || pool.shutdown()
        });
        wait_until("it takes no more calls", || {
            // What came before the shutdown waits behind the call that runs.
            let hasty = pool.request("echo").timeout(Duration::from_millis(1));
            hasty.call::<_, u8>(&1) == Err(CallError::Closed)
        });
        let_go(&mark);
        assert_eq!(caller.join().unwrap(), Ok("done".to_owned()));
        assert_eq!(stopping.join().unwrap(), Ok(()));
    });
}

#[test]
fn the_last_handle_of_either_kind_ends_the_pool() {
    alone(|| {
        let pool = start(worker(""));
        let handle = pool.as_async().clone();
        drop(pool);
        let pool = handle.blocking();
        drop(handle);
        next_call_works(&pool);
        let pool = pyproc::Pool::from(pool);
        let pool = Pool::from(pool);
        next_call_works(&pool);
        drop(pool);
        wait_until("no worker is left", || children().is_empty());
    });
}

#[test]
fn a_pool_that_cannot_start_says_why() {
    alone(|| {
        let error = Pool::start(config(&script("import nothing_of_that_name\n")))
            .expect_err("it cannot be imported");
        assert!(
            matches!(error, StartError::ScriptExited { .. }),
            "{error:?}"
        );
    });
}

#[test]
fn inside_of_a_runtime_it_blocks_the_thread_and_no_more() {
    alone(|| {
        runtime().block_on(async {
            let pool = crate::support::start(worker("").workers(2)).await;
            let [first, second] = processes(&pool, 2).await[..] else {
                panic!("two workers");
            };
            // A task of this very thread looks for the answers, and cannot while the thread is blocked.
            let mut call = std::pin::pin!(pool.call::<_, u32>("linger", &()));
            tokio::select! {
                biased;
                result = &mut call => panic!("so soon: {result:?}"),
                () = std::future::ready(()) => {}
            }
            let blocking = pool.blocking();
            for _ in 0..100 {
                next_call_works(&blocking);
            }
            kill(first, Signal::KILL);
            kill(second, Signal::KILL);
            assert!(matches!(
                call.await,
                Err(CallError::WorkerDied { .. }) | Ok(_)
            ));
            next_call_works(&blocking);
            blocking.shutdown().expect("shutdown");
        });
    });
}
