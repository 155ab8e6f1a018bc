//! What a pool reports through the [`metrics`](https://docs.rs/metrics) facade: the list of it, and
//! how it gets there.
//!
//! A call is tallied in plain integers under the lock that it takes anyway; the driver thread hands
//! what has changed to the recorder, about once a second while calls are made and once after the
//! last of them. [`Pool::publish_metrics`](crate::Pool::publish_metrics) does so at once, for a
//! scrape that is to be exact. The recorder has to be installed before the pool is started: handles
//! are looked up once.
//!
//! Durations are exact to within a sixteenth, which is the width of a bucket of the tally, and to a
//! microsecond or two: a call does not read the clock for them, it takes the latest time that any call
//! has read. Most recorders keep every value of a histogram until they are scraped; so of more than
//! 4,096 calls of one function between two publications a sample is recorded, which has their shape
//! but not their number. `pyproc_calls_total` has the number.
//!
//! [`METRICS`] and [`LABELS`] are the one list: the documentation's tables are made from it, and a
//! test compares it with what a recorder gets.
//!
//! ```
//! for metric in pyproc::metrics::METRICS {
//!     println!("{} ({}): {}", metric.name, metric.kind, metric.meaning);
//! }
//! ```

mod histogram;
mod list;
pub(crate) mod publish;
pub(crate) mod tally;

pub use list::{Kind, LABELS, Label, METRICS, Metric};
#[doc(hidden)]
pub use list::{labels_table, metrics_table};

/// How long what has changed may wait for being handed on.
pub(crate) const INTERVAL_NS: crate::scheduler::Nanos = 1_000_000_000;
