//! The least and the most that a key may be, written once: `resolve` checks them, the schema shows them.

use std::ops::RangeInclusive;
use std::time::Duration;

use pyproc_ipc::lane::{RING_MAX, RING_MIN};

use crate::scheduler::ENTRIES;

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// 365.25 days, which people read as `1year`.
const YEAR: Duration = Duration::from_secs(31_557_600);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

pub(super) const WORKERS: RangeInclusive<u32> = 1..=1024;
pub(super) const QUEUE: RangeInclusive<u32> = 0..=1_000_000;
pub(super) const MAX_CONCURRENCY: RangeInclusive<u32> = 1..=ENTRIES as u32;
pub(super) const TIMEOUT: RangeInclusive<Duration> = MILLISECOND..=YEAR;
pub(super) const GRACE: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
pub(super) const START_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=DAY;
pub(super) const SHUTDOWN_TIMEOUT: RangeInclusive<Duration> = Duration::ZERO..=DAY;
pub(super) const MAX_ATTEMPTS: RangeInclusive<u32> = 1..=1_000_000;
pub(super) const MAX_BODY: RangeInclusive<u64> = KIB..=TIB;
pub(super) const RING: RangeInclusive<u64> = RING_MIN as u64..=RING_MAX as u64;
pub(super) const SEGMENT_MEMORY: RangeInclusive<u64> = MIB..=16 * TIB;
pub(super) const SEGMENT_IDLE: RangeInclusive<Duration> = Duration::ZERO..=DAY;
pub(super) const SPIN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_millis(10);
pub(super) const RESTART_BACKOFF_INITIAL: RangeInclusive<Duration> = MILLISECOND..=HOUR;
/// Its least is the value of `restart_backoff_initial`, which this says only where that is least.
pub(super) const RESTART_BACKOFF_MAX: RangeInclusive<Duration> = MILLISECOND..=DAY;
