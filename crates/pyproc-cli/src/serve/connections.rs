//! The open connections: how many there are, what each of them does, and which have to go.
//!
//! No connection has a timer. What it does is noted with a few relaxed stores, by the number of the
//! current tick instead of a clock, and one task looks through all connections once a tick.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use hyper::Version;
use parking_lot::Mutex;

use super::settings::Settings;

/// How often connections are looked through: as exact as their timeouts are.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// A moment, in ticks since the program's start.
type Tick = u32;

/// Bytes per second that a client has to send or to take in the long run, once its first grace is over.
pub(super) const SLOWEST: u32 = 1024;

/// The same per tick.
const PER_TICK: u32 = SLOWEST / (1000 / TICK.as_millis() as u32);

/// How long a connection that answered something lately may have another request on its way when the
/// gateway stops.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// All open connections.
pub(super) struct Connections {
    open: Mutex<Vec<Arc<Watch>>>,
    count: AtomicUsize,
    most: usize,
    now: AtomicU32,
    draining: AtomicBool,
    limits: Limits,
}

/// Timeouts in ticks.
struct Limits {
    head: Tick,
    idle: Tick,
    stalled: Tick,
    on_its_way: Tick,
}

impl Limits {
    /// Rounded up, and one more since a tick has begun already when something happens: never early.
    fn ticks(timeout: Duration) -> Tick {
        let ticks = timeout.as_millis().div_ceil(TICK.as_millis()) + 1;
        Tick::try_from(ticks).unwrap_or(Tick::MAX)
    }
}

/// What one connection does.
#[derive(Default)]
pub(super) struct Watch {
    /// Requests that have a head and whose answers are not written.
    active: AtomicU32,
    /// When it last began to wait: for its first request, the rest of a head, or another request.
    since: AtomicU32,
    /// When a write began to wait for the client to read, later by what it has read since at
    /// [`SLOWEST`]; 0 while none waits.
    stalled: AtomicU32,
    /// Whether part of a head has come.
    in_head: AtomicBool,
    /// Whether a request has been made.
    used: AtomicBool,
    /// HTTP/2, where frames come that belong to no request.
    multiplexed: AtomicBool,
    /// Whether its task waits for bytes, and so hears of the client's end.
    listens: AtomicBool,
    /// Whether its task is to see if the client is still there.
    asked: AtomicBool,
    order: AtomicU8,
    waker: AtomicWaker,
    place: AtomicUsize,
}

/// What a connection is told to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Nothing.
    GoOn,
    /// Answer what was begun, take nothing more.
    Finish,
    /// End at once.
    Close,
}

impl Connections {
    pub(super) fn new(settings: &Settings, most: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            count: AtomicUsize::new(0),
            most,
            now: AtomicU32::new(1),
            draining: AtomicBool::new(false),
            limits: Limits {
                head: Limits::ticks(settings.header_timeout),
                idle: Limits::ticks(settings.idle_timeout),
                stalled: Limits::ticks(settings.body_timeout),
                on_its_way: Limits::ticks(ON_ITS_WAY),
            },
        })
    }

    /// Takes up a connection; nothing when there are as many as there may be.
    pub(super) fn open(self: &Arc<Self>) -> Option<Open> {
        let mut open = self.open.lock();
        if open.len() >= self.most {
            return None;
        }
        let watch = Arc::new(Watch::default());
        watch.since.store(self.now(), Relaxed);
        watch.place.store(open.len(), Relaxed);
        open.push(Arc::clone(&watch));
        self.count.store(open.len(), Relaxed);
        Some(Open {
            connections: Arc::clone(self),
            watch,
        })
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// How many of them have requests under way.
    pub(super) fn busy(&self) -> usize {
        let open = self.open.lock();
        open.iter()
            .filter(|watch| watch.active.load(Relaxed) > 0)
            .count()
    }

    /// Whether connections are to close when they have answered.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// From now on connections end with their next answer, and those that wait for nothing at once.
    pub(super) fn drain(&self) {
        self.draining.store(true, Relaxed);
        self.look(self.now());
    }

    /// Closes those that took too long, tick by tick, for ever.
    pub(super) async fn watch(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.now.fetch_add(1, Relaxed) + 1;
            self.look(now);
        }
    }

    fn look(&self, now: Tick) {
        let draining = self.is_draining();
        for watch in self.open.lock().iter() {
            let order = watch.judge(now, &self.limits, draining);
            if order != Order::GoOn {
                watch.order.store(order as u8, Relaxed);
                watch.waker.wake();
            } else if watch.is_deaf() {
                watch.asked.store(true, Relaxed);
                watch.waker.wake();
            }
        }
    }

    fn now(&self) -> Tick {
        self.now.load(Relaxed)
    }
}

impl Watch {
    /// Whether it may not hear of its client's end: hyper does not wait for bytes while it has some of the
    /// next request.
    fn is_deaf(&self) -> bool {
        self.active.load(Relaxed) > 0
            && !self.listens.load(Relaxed)
            && !self.multiplexed.load(Relaxed)
    }

    fn judge(&self, now: Tick, limits: &Limits, draining: bool) -> Order {
        // What happens meanwhile may have the next tick's number.
        let passed = |since: Tick, limit: Tick| now.saturating_sub(since) >= limit;
        let stalled = self.stalled.load(Relaxed);
        if stalled != 0 && passed(stalled, limits.stalled) {
            return Order::Close;
        }
        // With what the last request has left: when it ended.
        if self.active.load(Acquire) > 0 {
            // Responses say that the connection closes; HTTP/2 has a frame for it.
            return if draining && self.multiplexed.load(Relaxed) {
                Order::Finish
            } else {
                Order::GoOn
            };
        }
        let since = self.since.load(Relaxed);
        let waits_for_a_head = self.in_head.load(Relaxed) || !self.used.load(Relaxed);
        if waits_for_a_head && passed(since, limits.head) {
            return Order::Close;
        }
        if !waits_for_a_head && passed(since, limits.idle) {
            // HTTP/2 asks the client first, who need not answer.
            return if passed(since, limits.idle.saturating_add(limits.head)) {
                Order::Close
            } else {
                Order::Finish
            };
        }
        let quiet = !self.in_head.load(Relaxed) && passed(since, limits.on_its_way);
        if draining && (quiet || self.multiplexed.load(Relaxed)) {
            return Order::Finish;
        }
        Order::GoOn
    }
}

/// An open connection's entry; dropped when it has ended.
pub(super) struct Open {
    connections: Arc<Connections>,
    watch: Arc<Watch>,
}

impl Open {
    /// Whether the connection's task waits for bytes.
    #[inline]
    pub(super) fn listens(&self, listens: bool) {
        self.watch.listens.store(listens, Relaxed);
    }

    /// Whether somebody wants to know if the client is still there; asked once.
    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        self.watch.asked.load(Relaxed) && self.watch.asked.swap(false, Relaxed)
    }

    /// Bytes have come.
    #[inline]
    pub(super) fn received(&self, bytes: &[u8]) {
        let watch = &self.watch;
        if watch.active.load(Relaxed) > 0 || watch.multiplexed.load(Relaxed) {
            return;
        }
        if !watch.used.load(Relaxed) && bytes.starts_with(b"PRI ") {
            watch.multiplexed.store(true, Relaxed);
            return;
        }
        if !watch.in_head.swap(true, Relaxed) && watch.used.load(Relaxed) {
            watch.since.store(self.connections.now(), Relaxed);
        }
    }

    /// The client does not read what is to be written.
    #[inline]
    pub(super) fn write_waits(&self) {
        if self.watch.stalled.load(Relaxed) == 0 {
            self.watch.stalled.store(self.connections.now(), Relaxed);
        }
    }

    /// The client has read so many bytes, and more may wait.
    #[inline]
    pub(super) fn written(&self, bytes: usize) {
        let stalled = self.watch.stalled.load(Relaxed);
        if stalled != 0 {
            let earned = Tick::try_from(bytes)
                .unwrap_or(Tick::MAX)
                .div_ceil(PER_TICK);
            let later = stalled.saturating_add(earned).min(self.connections.now());
            self.watch.stalled.store(later, Relaxed);
        }
    }

    /// Nothing more waits to be written.
    #[inline]
    pub(super) fn flushed(&self) {
        if self.watch.stalled.load(Relaxed) != 0 {
            self.watch.stalled.store(0, Relaxed);
        }
    }

    /// A request has its head; it is under way until what this returns is dropped.
    #[inline]
    pub(super) fn request(&self, version: Version) -> Active {
        self.watch.active.fetch_add(1, Relaxed);
        self.watch.in_head.store(false, Relaxed);
        self.watch.used.store(true, Relaxed);
        if version == Version::HTTP_2 {
            self.watch.multiplexed.store(true, Relaxed);
        }
        Active {
            connections: Arc::clone(&self.connections),
            watch: Arc::clone(&self.watch),
        }
    }

    /// What the connection has to do; wakes the task that asks when that changes.
    #[inline]
    pub(super) fn order(&self, context: &std::task::Context<'_>) -> Order {
        self.watch.waker.register(context.waker());
        match self.watch.order.load(Relaxed) {
            order if order == Order::Close as u8 => Order::Close,
            order if order == Order::Finish as u8 => Order::Finish,
            _ => Order::GoOn,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        let place = self.watch.place.load(Relaxed);
        open.swap_remove(place);
        if let Some(moved) = open.get(place) {
            moved.place.store(place, Relaxed);
        }
        self.connections.count.store(open.len(), Relaxed);
    }
}

/// A request under way.
pub(super) struct Active {
    connections: Arc<Connections>,
    watch: Arc<Watch>,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.watch.since.store(self.connections.now(), Relaxed);
        self.watch.active.fetch_sub(1, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_meanwhile_is_not_late() {
        let limits = Limits {
            head: 2,
            idle: 2,
            stalled: 2,
            on_its_way: 2,
        };
        for draining in [false, true] {
            let watch = Watch::default();
            watch.since.store(8, Relaxed);
            assert!(watch.judge(7, &limits, draining) == Order::GoOn);
            watch.used.store(true, Relaxed);
            assert!(watch.judge(7, &limits, draining) == Order::GoOn);
            watch.stalled.store(8, Relaxed);
            assert!(watch.judge(7, &limits, draining) == Order::GoOn);
            assert!(watch.judge(10, &limits, draining) == Order::Close);
        }
    }
}
