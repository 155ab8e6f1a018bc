//! What must hold whatever comes at the wrong moment: kills, deadlines, cancellations, all mixed.
//!
//! `PYPROC_SOAK=1` does ten times as much. Every random choice comes from a fixed seed; the moments
//! at which things happen do not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to panic")]
#![allow(clippy::panic, reason = "a test that cannot go on is to panic")]

#[path = "../e2e"]
mod e2e {
    #[expect(
        dead_code,
        unused_imports,
        reason = "shared with the end-to-end tests, which use all of it"
    )]
    pub(crate) mod support;
}

mod cancellation;
mod deadlines;
mod kills;
mod mixes;

use std::time::Duration;

use e2e::support;
use support::Isolation;

/// Ten times as much on request.
fn amount(usual: u64) -> u64 {
    if soaking() { usual * 10 } else { usual }
}

fn soaking() -> bool {
    std::env::var_os("PYPROC_SOAK").is_some_and(|value| value == "1")
}

/// A test in a process of its own, with time for a soak.
fn chaos<F: FnOnce()>(body: F) {
    let limit = Duration::from_secs(if soaking() { 1_800 } else { 300 });
    let mut isolation = Isolation::of::<F>();
    isolation.limit = limit;
    isolation.run(body);
}

/// A runtime with two threads.
fn two_threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime")
}

/// What the workers of all these tests can do. `spend` occupies the thread, `wait` the event loop's
/// clock; both return their first argument and the process they ran in.
const FUNCTIONS: &str = r#"
def spend_for(microseconds):
    end = time.monotonic() + microseconds / 1e6
    while time.monotonic() < end:
        pass

@expose
def spend(number, microseconds):
    spend_for(microseconds)
    return number, os.getpid()

@expose
def doze(number, microseconds):
    time.sleep(microseconds / 1e6)
    return number, os.getpid()

@expose
async def wait(number, microseconds):
    await asyncio.sleep(microseconds / 1e6)
    return number, os.getpid()

@expose
def reflect(body: bytes):
    return body
"#;

/// Numbers that look random and are the same for the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The host's own memory in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("its memory");
    line.split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number")
}
