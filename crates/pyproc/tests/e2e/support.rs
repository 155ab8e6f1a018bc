//! What the tests share: a process per test, checked afterwards; workers from a few lines of Python.

mod control_group;
mod isolation;
mod processes;
mod scrape;
mod spans;
mod tracing;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pyproc::{CallError, Pool, PoolConfig};

pub(crate) use control_group::{Limit, scenario_limited};
pub(crate) use isolation::{Isolation, scratch};
pub(crate) use processes::{children, descriptors, is_alive, kill, maps_of, state_of};
pub(crate) use scrape::{Recorder, Scrape};
pub(crate) use spans::Spans;
pub(crate) use tracing::{Event, Events};

/// How long anything may take before the test counts as hung: never a measure of speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A test body that awaits, in a process of its own, on a runtime with one thread.
pub(crate) fn scenario<F: AsyncFnOnce()>(test: F) {
    scenario_under(&[], test);
}

/// The same, in a process that is started through this program and its arguments.
pub(crate) fn scenario_under<F: AsyncFnOnce()>(program: &[&str], test: F) {
    Isolation::of::<F>()
        .under(program)
        .run(|| runtime().block_on(test()));
}

/// A runtime with one thread and a clock.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

/// What every worker of these tests begins with.
const HEAD: &str = "\
import asyncio, os, signal, sys, threading, time
from pyproc_worker import expose, run_worker

@expose
def pid():
    return os.getpid()

@expose
def linger():
    time.sleep(0.02)
    return os.getpid()

@expose
def echo(value):
    return value

";

/// The configuration for one worker whose script is `source`, after what all of them have: `pid()`,
/// `linger()` and `echo(value)`, the usual imports, and the call of `run_worker` at the end.
///
/// The script lies in the test's scratch folder and goes with it.
pub(crate) fn worker(source: &str) -> PoolConfig {
    let source = format!(
        "{HEAD}{}\nif __name__ == \"__main__\":\n    run_worker()\n",
        dedent(source)
    );
    config(&script(&source))
}

/// `block(mark)`: tells that it runs by making the file `mark`, and goes on until [`let_go`].
const BLOCK: &str = "\
@expose
def block(mark):
    open(mark, 'w').close()
    while not os.path.exists(mark + '.go'):
        time.sleep(0.001)
    return 'done'

";

/// As [`worker`], with `block(mark)` besides, which occupies its worker until [`let_go`].
pub(crate) fn worker_to_block(source: &str) -> PoolConfig {
    worker(&format!("{BLOCK}{}", dedent(source)))
}

/// Lets the call of `block` with this mark return.
pub(crate) fn let_go(mark: &Path) {
    fs::write(format!("{}.go", mark.display()), "").expect("a file");
}

/// A script of exactly these lines, in the test's scratch folder.
pub(crate) fn script(source: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let path = scratch().join(format!(
        "worker_{}.py",
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    fs::write(&path, source).expect("a script");
    path
}

/// The configuration for one worker with this script and the checkout's Python.
pub(crate) fn config(script: &Path) -> PoolConfig {
    PoolConfig::new(script.to_str().expect("a path of text"))
        .python(python())
        .workers(1)
}

/// The interpreter of the checkout's `.venv`, which has the package.
pub(crate) fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    assert!(
        python.exists(),
        "there is no {}: run `make build` first",
        python.display()
    );
    python
}

/// Takes away the indentation that all lines have, so that Python can stand indented in Rust.
pub(crate) fn dedent(source: &str) -> String {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let common = source
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(indentation)
        .min()
        .unwrap_or(0);
    source
        .lines()
        .flat_map(|line| [line.get(common..).unwrap_or(""), "\n"])
        .collect()
}

/// A pool of these workers.
pub(crate) async fn start(config: PoolConfig) -> Pool {
    Pool::start(config).await.expect("the pool starts")
}

/// The process of a pool with one worker.
pub(crate) async fn pid(pool: &Pool) -> u32 {
    pool.call("pid", &()).await.expect("a worker that answers")
}

/// The processes of a pool with this many workers.
pub(crate) async fn processes(pool: &Pool, workers: usize) -> Vec<u32> {
    let mut found = Vec::new();
    eventually("every worker", async || {
        let calls = (0..workers).map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.call::<_, u32>("linger", &()).await })
        });
        for call in calls.collect::<Vec<_>>() {
            found.push(call.await.expect("a task").expect("a worker that answers"));
        }
        found.sort_unstable();
        found.dedup();
        found.len() >= workers
    })
    .await;
    found
}

/// Shows that the pool still works: a call is answered, within a patience that only a hang exceeds.
pub(crate) async fn next_call_works(pool: &Pool) {
    let answer = tokio::time::timeout(PATIENCE, pool.call::<_, u64>("echo", &41)).await;
    assert_eq!(
        answer
            .expect("the next call hangs")
            .expect("the next call works"),
        41
    );
}

/// Awaits an error, within a patience that only a hang exceeds.
pub(crate) async fn failure<T: std::fmt::Debug>(
    call: impl Future<Output = Result<T, CallError>>,
) -> CallError {
    tokio::time::timeout(PATIENCE, call)
        .await
        .expect("the call hangs")
        .expect_err("the call fails")
}

/// Looks again and again until `condition` holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let watchdog = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < watchdog, "never came: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Looks again and again until `condition` holds, while the runtime goes on.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let watchdog = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < watchdog, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a worker has made this file, which it does when its function runs.
pub(crate) async fn appears(path: &Path) {
    eventually(&format!("{}", path.display()), async || path.exists()).await;
}

/// Python for a worker that has OpenTelemetry's SDK: `spans()` tells what has been exported, each as
/// `{name, trace, id, parent, kind, status, state}`.
pub(crate) const OPEN_TELEMETRY: &str = r#"
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    def ids(span):
        context = span.get_span_context()
        return [f"{context.trace_id:032x}", f"{context.span_id:016x}"]

    @expose
    def spans():
        def one(span):
            trace_id, span_id = ids(span)
            return {
                "name": span.name, "trace": trace_id, "id": span_id,
                "parent": f"{span.parent.span_id:016x}" if span.parent else None,
                "kind": span.kind.name, "status": span.status.status_code.name,
                "state": span.context.trace_state.to_header(),
            }
        return [one(span) for span in exporter.get_finished_spans()]

    @expose
    def plain(value):
        return ids(trace.get_current_span())

    @expose
    def bare():
        return ids(trace.get_current_span())

    @expose
    async def coroutine(value):
        await asyncio.sleep(0.001)
        return ids(trace.get_current_span())
"#;
