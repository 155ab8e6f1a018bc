//! What a call of a function is expected to cost its worker.

use super::WINDOW_NS;

/// What is known of a function's cost.
#[derive(Clone, Copy)]
pub(super) struct Function {
    /// Smoothed run time; 0: never answered.
    run_ns: u64,
    pub(super) is_async: bool,
}

impl Function {
    /// One that has never answered.
    pub(super) fn new(is_async: bool) -> Self {
        Self {
            run_ns: 0,
            is_async,
        }
    }

    /// Takes in how long a call ran. One that was interrupted by something else on the machine says
    /// little, so a sample counts for at most four times what was known.
    #[inline]
    pub(super) fn learn(&mut self, run_ns: u64) {
        let sample = run_ns.max(1);
        self.run_ns = match self.run_ns {
            0 => sample,
            known => (known * 7 + sample.min(known.saturating_mul(4) + 1_000)) / 8,
        };
    }

    /// What a call is expected to cost; a function that never answered fills a window by itself.
    #[inline]
    pub(super) fn cost(&self) -> u64 {
        if self.is_async {
            0
        } else if self.run_ns == 0 {
            WINDOW_NS
        } else {
            // For what surrounds the shortest function.
            self.run_ns.max(400)
        }
    }
}
