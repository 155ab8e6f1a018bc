//! Pools whose first worker lies, and what has to hold for all of them.

use std::future::Future;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyproc::{CallError, Pool, PoolConfig};
use pyproc_ipc::lane::INLINE_MAX;

/// Far beyond what anything here takes.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Calls of one test, from so many callers at a time.
const CALLS: usize = 600;
const CALLERS: usize = 24;

/// Descriptors and children belong to the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test that has to leave no descriptor, child or mapping behind.
pub(crate) fn leaves_nothing<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let before = Left::now();
    runtime.block_on(async {
        tokio::time::timeout(WATCHDOG, test())
            .await
            .expect("the test hangs");
    });
    let start = Instant::now();
    loop {
        let left = Left::now();
        if left == before {
            return;
        }
        assert!(
            start.elapsed() < WATCHDOG,
            "{before:?} before, {left:?} after"
        );
        // /proc tells what is left, not when that changes.
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Left {
    descriptors: usize,
    children: Vec<String>,
    shared: usize,
}

impl Left {
    fn now() -> Self {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let children = tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
        let mut children: Vec<String> = children.filter(|list| !list.is_empty()).collect();
        children.sort();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        Self {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            children,
            shared: maps.lines().filter(|line| line.contains("pyproc")).count(),
        }
    }
}

/// A pool of which the first worker tells `lie`. All of its workers are the hostile program.
pub(crate) fn config(lie: &str) -> PoolConfig {
    let program = Path::new(env!("CARGO_BIN_EXE_hostile-worker"));
    PoolConfig::new(program.to_str().unwrap())
        .python(program)
        .env("HOSTILE", lie)
        .workers(2)
        .ring(128 * 1024)
        .timeout(Duration::from_secs(20))
        .start_timeout(Duration::from_secs(20))
        .restart_backoff_initial(Duration::from_millis(1))
}

/// How the calls of a test ended.
#[derive(Default, Debug)]
pub(crate) struct Ends {
    pub(crate) good: usize,
    pub(crate) errors: Vec<CallError>,
}

impl Ends {
    pub(crate) fn any(&self, is: impl Fn(&CallError) -> bool) -> bool {
        self.errors.iter().any(is)
    }
}

/// One call with contents of its own: its echo has to be exactly that.
async fn echo(
    pool: &Pool,
    number: usize,
    bytes: usize,
    timeout: Duration,
) -> Result<(), CallError> {
    let sent = (number, "x".repeat(bytes + number % 50));
    let received: (usize, String) = pool.request("echo").timeout(timeout).call(&sent).await?;
    // The worker shortens what does not fit into the ring.
    let is_own = received.0 == number
        && (received.1 == sent.1 || received.1 == "large" && bytes > INLINE_MAX);
    assert!(is_own, "call {number} got the answer of {}", received.0);
    Ok(())
}

/// Many calls from many callers, each with its own contents.
pub(crate) async fn storm(pool: &Pool, bytes: usize, timeout: Duration) -> Ends {
    let callers = (0..CALLERS).map(|caller| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut ends = Ends::default();
            for number in (caller..CALLS).step_by(CALLERS) {
                match echo(&pool, number, bytes, timeout).await {
                    Ok(()) => ends.good += 1,
                    Err(error) => ends.errors.push(error),
                }
            }
            ends
        })
    });
    let mut all = Ends::default();
    for caller in callers.collect::<Vec<_>>() {
        let ends = caller.await.unwrap();
        all.good += ends.good;
        all.errors.extend(ends.errors);
    }
    all
}

/// The whole course of a lie that is found out or comes to nothing: a storm of calls, of which only
/// those fail that `fails` knows, and a pool that is as good as new afterwards.
pub(crate) async fn survives(
    config: PoolConfig,
    bytes: usize,
    timeout: Duration,
    fails: impl Fn(&CallError) -> bool,
) -> Ends {
    let pool = Pool::start(config).await.unwrap();
    let ends = storm(&pool, bytes, timeout).await;
    for error in &ends.errors {
        assert!(fails(error), "{error:?}");
    }
    assert!(ends.good > 0, "{ends:?}");
    for number in 0..100 {
        // The liar's place may still be in its hands; the calls that it has are its own.
        if let Err(error) = echo(&pool, number, bytes, timeout).await {
            assert!(fails(&error), "{error:?}");
        }
    }
    ends
}

pub(crate) fn is_protocol(error: &CallError) -> bool {
    matches!(error, CallError::Protocol { .. })
}

pub(crate) fn is_timeout(error: &CallError) -> bool {
    matches!(error, CallError::Timeout { .. })
}
