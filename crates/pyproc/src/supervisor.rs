//! When to start which worker again: a state machine without IO or clock.
//!
//! A process that had answered a call is replaced at once. One that died before its first answer is
//! replaced after a pause that doubles with every such death in a row, with jitter, so that workers
//! which cannot start do not all try at the same moment.

use std::time::Duration;

use crate::scheduler::Nanos;

/// Where one worker of the pool is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// No process; a start is due at this time.
    Down { start_at: Nanos },
    /// A process runs.
    Running,
}

struct Place {
    life: Life,
    /// Deaths before a first answer, in a row.
    failures: u32,
    generation: u32,
}

/// The lives of all workers of a pool.
pub(crate) struct Supervisor {
    places: Vec<Place>,
    initial: Nanos,
    longest: Nanos,
    jitter: u64,
}

impl Supervisor {
    /// Every worker is due to start at once. `seed` moves the jitter.
    pub(crate) fn new(workers: usize, initial: Duration, longest: Duration, seed: u64) -> Self {
        let place = || Place {
            life: Life::Down { start_at: 0 },
            failures: 0,
            generation: 0,
        };
        Self {
            places: (0..workers).map(|_| place()).collect(),
            initial: initial.as_nanos() as Nanos,
            longest: longest.as_nanos() as Nanos,
            jitter: seed | 1,
        }
    }

    /// The workers to start now.
    pub(crate) fn due(&self, now: Nanos) -> Vec<usize> {
        let due = |place: &Place| matches!(place.life, Life::Down { start_at } if start_at <= now);
        (0..self.places.len())
            .filter(|&worker| due(&self.places[worker]))
            .collect()
    }

    /// When the next start is due; `Nanos::MAX`: none.
    pub(crate) fn next(&self) -> Nanos {
        let start_at = |place: &Place| match place.life {
            Life::Down { start_at } => start_at,
            Life::Running => Nanos::MAX,
        };
        self.places.iter().map(start_at).min().unwrap_or(Nanos::MAX)
    }

    /// A process has been started for this worker; its generation, which no other had.
    pub(crate) fn started(&mut self, worker: usize) -> u32 {
        let place = &mut self.places[worker];
        place.life = Life::Running;
        place.generation = place.generation.wrapping_add(1);
        place.generation
    }

    /// The worker's process has ended, or could not be started. How long until the next.
    pub(crate) fn died(&mut self, now: Nanos, worker: usize, had_answered: bool) -> Duration {
        let pause = if had_answered {
            self.places[worker].failures = 0;
            0
        } else {
            let doublings = self.places[worker].failures.min(32);
            let pause = self
                .initial
                .saturating_mul(1 << doublings)
                .min(self.longest);
            self.places[worker].failures += 1;
            self.jittered(pause)
        };
        self.places[worker].life = Life::Down {
            start_at: now.saturating_add(pause),
        };
        Duration::from_nanos(pause)
    }

    /// Between three quarters and the whole of `pause`.
    fn jittered(&mut self, pause: Nanos) -> Nanos {
        // xorshift64: good enough to spread starts, and the same for the same seed.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        pause - (pause / 4).saturating_mul(self.jitter % 1024) / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    fn supervisor() -> Supervisor {
        Supervisor::new(2, Duration::from_millis(100), Duration::from_secs(1), 7)
    }

    #[test]
    fn a_worker_that_had_answered_is_replaced_at_once() {
        let mut supervisor = supervisor();
        assert_eq!(supervisor.due(0), [0, 1]);
        assert_eq!(supervisor.started(0), 1);
        supervisor.started(1);
        assert_eq!(supervisor.next(), Nanos::MAX);
        assert_eq!(supervisor.died(50, 0, true), Duration::ZERO);
        assert_eq!(supervisor.due(50), [0]);
        assert_eq!(supervisor.started(0), 2);
    }

    #[test]
    fn deaths_before_a_first_answer_back_off_and_an_answer_forgives_them() {
        let mut supervisor = supervisor();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            supervisor.started(0);
            pauses.push(supervisor.died(0, 0, false).as_nanos() as Nanos);
        }
        for (pause, whole) in pauses
            .iter()
            .zip([100, 200, 400, 800, 1000, 1000, 1000, 1000])
        {
            assert!(
                *pause <= whole * MS && *pause >= whole * MS * 3 / 4,
                "{pause} of {whole} ms"
            );
        }
        assert!(supervisor.due(0).iter().all(|&worker| worker == 1));
        assert_eq!(supervisor.due(pauses[7]), [0, 1]);
        supervisor.started(0);
        supervisor.died(0, 0, true);
        supervisor.started(0);
        assert!(supervisor.died(0, 0, false) <= Duration::from_millis(100));
    }
}
