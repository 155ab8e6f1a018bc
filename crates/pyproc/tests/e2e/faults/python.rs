//! What Python code can do that ends, doubles or outlives ordinary programs.

use std::time::Duration;

use pyproc::{CallError, Phase};

use crate::support::{failure, is_alive, next_call_works, pid, scenario, start, worker};

#[test]
fn exceptions_that_end_programs_end_their_call_alone() {
    scenario(async || {
        let pool = start(worker(
            r#"
            @expose
            def leave(kind):
                raise {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "generator": GeneratorExit()}[kind]

            @expose
            async def leave_async(kind):
                await asyncio.sleep(0)
                leave(kind)
            "#,
        ))
        .await;
        let worker = pid(&pool).await;
        for function in ["leave", "leave_async"] {
            for (kind, name) in [
                ("exit", "SystemExit"),
                ("interrupt", "KeyboardInterrupt"),
                ("generator", "GeneratorExit"),
            ] {
                let error = failure(pool.call::<_, ()>(function, kind)).await;
                let CallError::Python {
                    exception,
                    traceback,
                    ..
                } = &error
                else {
                    panic!("{function}, {kind}: {error:?}");
                };
                assert_eq!(exception, name);
                assert!(traceback.contains("in leave"), "{traceback}");
                assert!(error.may_have_run());
                next_call_works(&pool).await;
            }
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn plain_functions_of_a_plain_worker_may_raise_anything() {
    scenario(async || {
        let pool = start(worker(
            "
            @expose
            def leave():
                sys.exit('no more')

            @expose
            def recurse():
                return recurse()

            @expose
            def want_memory():
                return bytes(1 << 60)
            ",
        ))
        .await;
        let worker = pid(&pool).await;
        for (function, name) in [
            ("leave", "SystemExit"),
            ("recurse", "RecursionError"),
            ("want_memory", "MemoryError"),
        ] {
            let error = failure(pool.call::<_, ()>(function, &())).await;
            assert!(
                matches!(&error, CallError::Python { exception, .. } if exception == name),
                "{error:?}"
            );
            next_call_works(&pool).await;
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_function_that_forks_is_answered_once() {
    scenario(async || {
        let pool = start(worker(
            r#"
            import multiprocessing

            @expose
            def fork():
                child = os.fork()
                if child:
                    os.waitpid(child, 0)
                return child

            def double(connection, value):
                print("printed in a child")
                connection.send(value * 2)

            @expose
            def in_process(method, value):
                context = multiprocessing.get_context(method)
                ours, theirs = context.Pipe()
                process = context.Process(target=double, args=(theirs, value))
                process.start()
                result = ours.recv()
                process.join()
                return result, process.exitcode
            "#,
        ))
        .await;
        let worker = pid(&pool).await;
        for _ in 0..5 {
            let child: u32 = pool.call("fork", &()).await.expect("fork");
            assert!(!is_alive(child));
            next_call_works(&pool).await;
        }
        for method in ["fork", "spawn"] {
            let result = pool
                .call::<_, (u32, u32)>("in_process", &(method, 21))
                .await;
            assert_eq!(result, Ok((42, 0)), "{method}");
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_coroutine_that_ignores_its_cancellation_is_killed_by_the_limit() {
    scenario(async || {
        let pool = start(
            worker(
                r#"
                @expose(timeout="300ms")
                async def stubborn():
                    while True:
                        try:
                            await asyncio.sleep(3600)
                        except BaseException:
                            pass
                "#,
            )
            .grace(Duration::from_millis(200)),
        )
        .await;
        let worker = pid(&pool).await;
        let after = Duration::from_millis(300);
        let error = failure(pool.call::<_, ()>("stubborn", &())).await;
        assert_eq!(
            error,
            CallError::Timeout {
                phase: Phase::Run,
                after
            }
        );
        // The loop goes on meanwhile.
        next_call_works(&pool).await;
        crate::support::eventually("the worker's end", async || !is_alive(worker)).await;
        next_call_works(&pool).await;
        assert_ne!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}
