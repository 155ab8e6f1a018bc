//! The closed loop: a fixed number of calls in flight, the next as soon as one is answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::Call;
use super::progress::Progress;
use super::tally::Tally;

/// Makes calls for `duration`, `concurrency` at a time, all on the runtime's one thread.
pub(super) fn run(
    runtime: &Runtime,
    call: &Call,
    concurrency: u32,
    duration: Duration,
    progress: &Progress,
) -> anyhow::Result<Tally> {
    let tally = Arc::new(Mutex::new(Tally::new()?));
    let end = Instant::now() + duration;
    runtime.block_on(async {
        if concurrency == 1 {
            one_after_another(call.clone(), end, 1, &tally, progress).await;
            return Ok(());
        }
        let callers: Vec<_> = (0..concurrency)
            .map(|_| {
                let (call, tally, progress) = (call.clone(), Arc::clone(&tally), progress.clone());
                tokio::spawn(async move {
                    one_after_another(call, end, SAMPLE, &tally, &progress).await
                })
            })
            .collect();
        for caller in callers {
            caller.await?;
        }
        Ok::<_, tokio::task::JoinError>(())
    })?;
    let tally = Arc::into_inner(tally).expect("every caller has ended");
    Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// With many calls in flight, the latency of one in this many short calls is taken: looking at the
/// clock and recording would otherwise be a tenth of what is measured.
const SAMPLE: u64 = 8;

/// A call that takes less than this, its wait for others included, is short.
const SHORT: Duration = Duration::from_millis(1);

async fn one_after_another(
    call: Call,
    end: Instant,
    sample: u64,
    tally: &Mutex<Tally>,
    progress: &Progress,
) {
    // One thread makes all the calls, so the lock is always free.
    let tally = || tally.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sent = Instant::now();
    while sent < end {
        let mut result = call.make().await;
        let latency = sent.elapsed();
        tally().call(&result, latency);
        let mut more = 0;
        if sample > 1 && latency < SHORT {
            while result.is_ok() && more + 1 < sample {
                result = call.make().await;
                more += 1;
            }
            tally().more_calls(&result, more);
        }
        progress.more(1 + more);
        if result.is_err() {
            // A refusal comes at once; the others must have their turn.
            tokio::task::yield_now().await;
        }
        // Not `now`: what was done since is not part of the next call.
        sent = Instant::now();
    }
}
