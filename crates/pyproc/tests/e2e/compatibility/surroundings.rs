//! What code does to the process that it runs in.

use serde_json::{Value, json};

use crate::support::{Events, eventually, next_call_works, pid, scenario, start, worker};

#[test]
fn current_call_tells_of_the_call_that_runs() {
    scenario(async || {
        let pool = start(worker(
            "
            from pyproc_worker import current_call

            @expose
            def plain():
                call, others = current_call(), []
                thread = threading.Thread(target=lambda: others.append(current_call()))
                thread.start()
                thread.join()
                return [call.id > 0, call.remaining is not None and call.remaining > 0, call.cancelled, others]

            @expose
            async def later():
                await asyncio.sleep(0)
                inside = await asyncio.to_thread(current_call)
                return [current_call().id > 0, inside.id == current_call().id, current_call().cancelled]
            ",
        ))
        .await;
        let request = || {
            pool.request("plain")
                .timeout(std::time::Duration::from_secs(50))
        };
        assert_eq!(
            request().call::<_, Value>(&()).await,
            Ok(json!([true, true, false, [null]]))
        );
        assert_eq!(
            pool.call::<_, Value>("later", &()).await,
            Ok(json!([true, true, false]))
        );
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn streams_that_are_closed_replaced_or_not_text() {
    scenario(async || {
        let events = Events::collect();
        let pool = start(worker(
            r#"
            import io

            @expose
            def write(kind):
                if kind == "bytes":
                    os.write(2, b"\xff\xfe not text\n")
                if kind == "partial":
                    print("no line break", end="", flush=True)
                if kind == "surrogate":
                    print("odd \udc80", file=sys.stderr)
                if kind == "replace":
                    sys.stdout = io.StringIO()
                    print("for nobody")
                if kind == "none":
                    sys.stdout = sys.stderr = None
                    print("for nobody")
                if kind == "close":
                    sys.__stdout__.close()
                if kind == "descriptors":
                    os.close(1)
                    os.close(2)
                return kind
            "#,
        ))
        .await;
        let worker = pid(&pool).await;
        for kind in [
            "bytes",
            "partial",
            "surrogate",
            "replace",
            "none",
            "close",
            "descriptors",
        ] {
            assert_eq!(
                pool.call::<_, String>("write", kind).await.as_deref(),
                Ok(kind)
            );
            next_call_works(&pool).await;
        }
        for line in ["\u{fffd}\u{fffd} not text", "no line break", "odd \\udc80"] {
            eventually(line, async || {
                events.find(|event| event.message == line).is_some()
            })
            .await;
        }
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn folders_programs_and_signals_of_its_own() {
    scenario(async || {
        let pool = start(worker(
            r#"
            import subprocess

            received = []

            @expose
            def move():
                os.chdir("/")
                return os.getcwd()

            @expose
            def run():
                # No descriptor of the worker, nothing that makes it take itself for one.
                code = "import os, sys, pyproc_worker; print(sorted(os.listdir('/proc/self/fd')), 'PYPROC_CONTROL_FD' in os.environ)"
                return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

            @expose
            def fork():
                # What a child has of the worker's sockets.
                read, write = os.pipe()
                child = os.fork()
                if child == 0:
                    links = []
                    for name in os.listdir("/proc/self/fd"):
                        try:
                            links.append(os.readlink(f"/proc/self/fd/{name}"))
                        except OSError:
                            pass
                    os.write(write, ";".join(link for link in links if "socket" in link).encode())
                    os._exit(0)
                os.close(write)
                os.waitpid(child, 0)
                found = os.read(read, 65536).decode()
                os.close(read)
                return found

            @expose
            def signals():
                for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGALRM):
                    signal.signal(number, lambda number, frame: received.append(number))
                os.kill(os.getpid(), signal.SIGUSR1)
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                while len(received) < 2:
                    time.sleep(0.001)
                return len(received)
            "#,
        ))
        .await;
        let worker = pid(&pool).await;
        assert_eq!(
            pool.call::<_, String>("move", &()).await.as_deref(),
            Ok("/")
        );
        // 3 is the folder that is being listed.
        assert_eq!(
            pool.call::<_, String>("run", &()).await.as_deref(),
            Ok("['0', '1', '2', '3'] False\n")
        );
        assert_eq!(pool.call::<_, String>("fork", &()).await.as_deref(), Ok(""));
        assert_eq!(pool.call::<_, u32>("signals", &()).await, Ok(2));
        next_call_works(&pool).await;
        assert_eq!(pid(&pool).await, worker);
        pool.shutdown().await.expect("shutdown");
    });
}
