//! When to make a call once more: a policy for tower's `retry`.

use std::time::Duration;

use pyproc::{Call, CallError, Reply, Retry};
use tokio::time::{Sleep, sleep};
use tower::retry::Policy;

/// A short burst is no reason to turn anybody away: waits for a moment, once.
#[derive(Clone, Default)]
pub(crate) struct Patience {
    is_over: bool,
}

impl Policy<Call, Reply, CallError> for Patience {
    type Future = Sleep;

    fn retry(&mut self, _: &mut Call, result: &mut Result<Reply, CallError>) -> Option<Sleep> {
        let error = result.as_ref().err()?;
        if error.retry() != Retry::Safe || std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        Some(sleep(Duration::from_millis(20)))
    }

    fn clone_request(&mut self, call: &Call) -> Option<Call> {
        call.try_clone()
    }
}
