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
            one_after_another(call.clone(), end, &tally, progress).await;
            return Ok(());
        }
        let callers: Vec<_> = (0..concurrency)
            .map(|_| {
                let (call, tally, progress) = (call.clone(), Arc::clone(&tally), progress.clone());
                tokio::spawn(async move { one_after_another(call, end, &tally, &progress).await })
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

async fn one_after_another(call: Call, end: Instant, tally: &Mutex<Tally>, progress: &Progress) {
    let mut sent = Instant::now();
    while sent < end {
        let result = call.make().await;
        let answered = Instant::now();
        // One thread makes all the calls, so the lock is always free.
        tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .call(&result, answered - sent);
        progress.one_more();
        if result.is_err() {
            // A refusal comes at once; the others must have their turn.
            tokio::task::yield_now().await;
        }
        sent = answered;
    }
}
