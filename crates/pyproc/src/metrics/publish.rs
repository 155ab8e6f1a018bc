//! From the tallies to the program's recorder: handles looked up once, moved by what has changed.

use ::metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use crate::core::Core;
use crate::pool::Shared;
use crate::scheduler::Nanos;

use super::list::{Kind, METRICS, Metric};
use super::tally::{FunctionTally, OK, OUTCOMES, Sheet};
use crate::board::{REASONS, Standing};
use crate::functions::Functions;
use crate::health::WorkerState;

/// The label of calls whose function does not exist.
const UNKNOWN: &str = "(unknown)";

const DIRECTIONS: [&str; 2] = ["request", "response"];

/// The pool's state at one moment, as copied under its lock.
pub(crate) struct Snapshot {
    /// Tallies by slot: 0 for unknown names, then the functions.
    pub(crate) functions: Vec<(usize, Sheet)>,
    pub(crate) in_flight: usize,
    pub(crate) queued: usize,
    /// Bytes of bodies since the start, by direction.
    pub(crate) body_bytes: [u64; 2],
    /// By worker and direction.
    pub(crate) rings: Vec<[f64; 2]>,
    /// By direction.
    pub(crate) segments: [usize; 2],
}

impl Core {
    /// Copies what is to be handed on; fresh tallies come from `spare`.
    fn snapshot(&mut self, spare: &mut Vec<Sheet>) -> Snapshot {
        self.publish_at = Nanos::MAX;
        self.published = self.activity;
        let ends = &self.ends.ends;
        let present = || ends.iter().flatten();
        Snapshot {
            functions: self.tally.take(spare),
            in_flight: self.scheduler.busy(),
            queued: self.scheduler.queued(),
            body_bytes: [self.tally.request_bytes, self.tally.response_bytes],
            rings: ends
                .iter()
                .map(|end| end.as_ref().map_or([0.0; 2], |end| end.lane.occupancy()))
                .collect(),
            segments: [
                present().map(|end| end.requests.count()).sum(),
                present().map(|end| end.responses.count()).sum(),
            ],
        }
    }
}

impl Shared {
    /// Hands everything on that is tallied until now.
    pub(crate) fn publish(&self) {
        self.publish_by(&mut self.publisher.lock());
    }

    /// The same from the driver, which does not wait for a thread that is at it.
    pub(crate) fn try_publish(&self, now: Nanos) {
        match self.publisher.try_lock() {
            Some(mut publisher) => self.publish_by(&mut publisher),
            None => self.core.lock().publish_at = now.saturating_add(super::INTERVAL_NS),
        }
    }

    fn publish_by(&self, publisher: &mut Publisher) {
        let snapshot = self.core.lock().snapshot(&mut publisher.spare);
        let standing = self.board.standing();
        let segment_bytes = self.allowance.used();
        publisher.publish(snapshot, &standing, segment_bytes, self.functions.get());
    }
}

struct FunctionHandles {
    pool: String,
    function: String,
    outcomes: [Option<Counter>; OUTCOMES.len()],
    duration: Histogram,
    wait: Histogram,
    /// Calls that were handed on as `ok` and were something else: the next ones make up for it.
    owed: i64,
}

/// The handles of one pool.
pub(crate) struct Publisher {
    pool: String,
    functions: Vec<Option<FunctionHandles>>,
    in_flight: Gauge,
    queued: Gauge,
    workers: [Gauge; WorkerState::ALL.len()],
    restarts: [Total; REASONS.len()],
    rings: Vec<[Gauge; 2]>,
    body_bytes: [Total; 2],
    segments: [Gauge; 2],
    segment_bytes: Gauge,
    /// Tallies that have been handed on, to be used again.
    pub(crate) spare: Vec<Sheet>,
}

/// A counter and what it has been told so far.
struct Total {
    counter: Counter,
    told: u64,
}

impl Total {
    fn new(counter: Counter) -> Self {
        counter.increment(0);
        Self { counter, told: 0 }
    }

    fn tell(&mut self, total: u64) {
        if total > self.told {
            self.counter.increment(total - self.told);
            self.told = total;
        }
    }
}

impl Publisher {
    /// Looks the handles up and describes every metric.
    pub(crate) fn new(pool: &str, workers: usize) -> Self {
        METRICS.iter().for_each(describe);
        let by_direction = DIRECTIONS.map(|direction| (pool.to_owned(), direction));
        Self {
            in_flight: gauge!("pyproc_calls_in_flight", "pool" => pool.to_owned()),
            queued: gauge!("pyproc_queue_length", "pool" => pool.to_owned()),
            workers: WorkerState::ALL.map(|state| {
                gauge!("pyproc_workers", "pool" => pool.to_owned(), "state" => state.label())
            }),
            restarts: REASONS.map(|reason| {
                Total::new(counter!(
                    "pyproc_worker_restarts_total", "pool" => pool.to_owned(), "reason" => reason
                ))
            }),
            rings: (0..workers)
                .map(|worker| {
                    DIRECTIONS.map(|direction| {
                        gauge!(
                            "pyproc_ring_occupancy_ratio", "pool" => pool.to_owned(),
                            "worker" => worker.to_string(), "direction" => direction
                        )
                    })
                })
                .collect(),
            body_bytes: by_direction.clone().map(|(pool, direction)| {
                Total::new(counter!(
                    "pyproc_body_bytes_total", "pool" => pool, "direction" => direction
                ))
            }),
            segments: by_direction.map(|(pool, direction)| {
                gauge!("pyproc_segments", "pool" => pool, "direction" => direction)
            }),
            segment_bytes: gauge!("pyproc_segment_bytes", "pool" => pool.to_owned()),
            pool: pool.to_owned(),
            functions: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Hands on what has changed.
    pub(crate) fn publish(
        &mut self,
        snapshot: Snapshot,
        standing: &Standing,
        segment_bytes: usize,
        functions: Option<&Functions>,
    ) {
        for (slot, mut tally) in snapshot.functions {
            self.function(slot, functions).publish(&mut tally);
            tally.clear();
            self.spare.push(tally);
        }
        self.in_flight.set(snapshot.in_flight as f64);
        self.queued.set(snapshot.queued as f64);
        for (gauge, workers) in self.workers.iter().zip(standing.workers) {
            gauge.set(workers as f64);
        }
        for (counter, restarts) in self.restarts.iter_mut().zip(standing.restarts) {
            counter.tell(restarts);
        }
        for (gauges, full) in self.rings.iter().zip(snapshot.rings) {
            for (gauge, full) in gauges.iter().zip(full) {
                gauge.set(full);
            }
        }
        for (counter, bytes) in self.body_bytes.iter_mut().zip(snapshot.body_bytes) {
            counter.tell(bytes);
        }
        for (gauge, segments) in self.segments.iter().zip(snapshot.segments) {
            gauge.set(segments as f64);
        }
        self.segment_bytes.set(segment_bytes as f64);
    }

    fn function(&mut self, slot: usize, functions: Option<&Functions>) -> &mut FunctionHandles {
        if slot >= self.functions.len() {
            self.functions.resize_with(slot + 1, || None);
        }
        let pool = &self.pool;
        self.functions[slot].get_or_insert_with(|| {
            let name = slot
                .checked_sub(1)
                .and_then(|number| functions?.list.get(number))
                .map_or(UNKNOWN, |function| &function.info.name);
            FunctionHandles::new(pool, name)
        })
    }
}

impl FunctionHandles {
    fn new(pool: &str, function: &str) -> Self {
        let (pool, function) = (pool.to_owned(), function.to_owned());
        Self {
            duration: histogram!(
                "pyproc_call_duration_seconds", "pool" => pool.clone(), "function" => function.clone()
            ),
            wait: histogram!(
                "pyproc_queue_wait_seconds", "pool" => pool.clone(), "function" => function.clone()
            ),
            outcomes: Default::default(),
            owed: 0,
            pool,
            function,
        }
    }

    fn publish(&mut self, tally: &mut FunctionTally) {
        tally.outcomes[OK] += self.owed;
        self.owed = tally.outcomes[OK].min(0);
        for (outcome, &times) in tally.outcomes.iter().enumerate() {
            if times > 0 {
                let counter = self.outcomes[outcome].get_or_insert_with(|| {
                    counter!(
                        "pyproc_calls_total", "pool" => self.pool.clone(),
                        "function" => self.function.clone(), "outcome" => OUTCOMES[outcome]
                    )
                });
                counter.increment(times.unsigned_abs());
            }
        }
        tally
            .duration
            .drain(|value, times| self.duration.record_many(value, times));
        tally
            .wait
            .drain(|value, times| self.wait.record_many(value, times));
    }
}

fn describe(metric: &Metric) {
    let unit = match metric.unit {
        "seconds" => Unit::Seconds,
        "bytes" => Unit::Bytes,
        _ => Unit::Count,
    };
    match metric.kind {
        Kind::Counter => describe_counter!(metric.name, unit, metric.meaning),
        Kind::Gauge => describe_gauge!(metric.name, unit, metric.meaning),
        Kind::Histogram => describe_histogram!(metric.name, unit, metric.meaning),
    }
}
