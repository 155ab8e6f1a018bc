//! [`HealthWatch`]: waits for what changes in a pool's health.
//!
//! A channel of its own in a few lines: a version, and the wakers of those who wait for the next. A
//! crate for it would bring more than this, and the changes come from one place.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use crate::health::Health;
use crate::pool::Shared;

/// Tells when a worker's state or the pool's readiness changes; from [`Pool::watch`](crate::Pool::watch).
///
/// It works on any runtime and does not keep the pool alive. Calls that come and go are no change.
///
/// ```no_run
/// # async fn example(pool: &pyproc::Pool) {
/// let mut watch = pool.watch();
/// while let Some(health) = watch.changed().await {
///     println!("ready: {}, {}", health.ready, health.reason.unwrap_or_default());
/// }
/// # }
/// ```
pub struct HealthWatch {
    shared: Arc<Shared>,
    number: u64,
    seen: u64,
}

impl HealthWatch {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let (number, seen) = shared.board.watcher();
        Self {
            shared: Arc::clone(shared),
            number,
            seen,
        }
    }

    /// The pool's health now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Waits for a change after the last one that this returned, or after the watch was made, and
    /// returns the health as it is then. Changes in quick succession may come as one. `None`: the pool
    /// has ended.
    ///
    /// # Cancel safety
    /// A change is not lost when the future is dropped.
    pub async fn changed(&mut self) -> Option<Health> {
        let board = &self.shared.board;
        self.seen = poll_fn(|context| board.poll(self.number, self.seen, context)).await?;
        Some(self.shared.health())
    }
}

impl Clone for HealthWatch {
    fn clone(&self) -> Self {
        let mut watch = Self::new(&self.shared);
        watch.seen = self.seen;
        watch
    }
}

impl Drop for HealthWatch {
    fn drop(&mut self) {
        self.shared.board.forget(self.number);
    }
}

impl fmt::Debug for HealthWatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HealthWatch")
            .field("pool", &self.shared.settings.name)
            .finish_non_exhaustive()
    }
}
