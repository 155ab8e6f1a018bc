//! [`Lookout`]: looks for answers in place of the callers, as a task of a runtime that has more to do.
//!
//! Without one, a caller that waits looks by itself, and keeps its thread meanwhile: that is the fastest
//! way for one call and for many calls that are all there is. A server with many connections has other
//! tasks that could run; what they submit belongs into the same batch. A lookout looks between them,
//! and the workers wake the runtime itself instead of the pool's own thread.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Waker};

use pyproc_ipc::clock::now_ns;
use pyproc_ipc::lane::Pace;
use rustix::event::{Timespec, epoll};

use crate::core::Core;
use crate::driver::{bell_data, event_parts};
use crate::pool::Shared;
use crate::scheduler::Nanos;

/// Between two offers of the processor to whoever waits for it: each costs a system call.
const OFFER_NS: Nanos = 2_000;

/// When there is more time between two looks, the runtime has had something else to do meanwhile.
const IDLE_NS: Nanos = 3_000;

/// Calls from one sleep to the next, on average, from which on wake-ups are cheap: many calls share one.
const CROWD: u64 = 4;

/// As many and no more, and wake-ups are worth a spin again.
const FEW: u64 = 2;

/// Sleeps that the average goes back.
const SLEEPS: u64 = 16;

/// How long a look may take then.
const CROWDED_NS: Nanos = 10_000;

/// What the pool knows of its lookout.
pub(crate) struct Post {
    /// Where the bells of all lanes are heard.
    bells: Arc<OwnedFd>,
    /// It waits to be woken, by a submission or by a bell.
    asleep: bool,
    waker: Option<Waker>,
    /// Calls come in batches.
    crowded: bool,
}

impl Post {
    fn pace(&self) -> Pace {
        if self.crowded {
            Pace::Crowded
        } else {
            Pace::Patient
        }
    }

    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep
    }
}

impl Core {
    /// A call has been submitted: its answer is to be looked for.
    #[inline]
    pub(crate) fn rouse(&mut self) {
        if let Some(post) = &mut self.lookout
            && std::mem::take(&mut post.asleep)
        {
            self.woken.extend(post.waker.take());
            self.disarm();
        }
    }

    fn set_crowded(&mut self, crowded: bool) {
        let Some(post) = &mut self.lookout else {
            return;
        };
        if std::mem::replace(&mut post.crowded, crowded) != crowded {
            let pace = post.pace();
            for end in self.ends.ends.iter().flatten() {
                end.lane.set_pace(pace);
            }
        }
    }

    fn is_crowded(&self) -> bool {
        self.lookout.as_ref().is_some_and(|post| post.crowded)
    }

    /// A worker that is up rings the lookout if there is one, and the driver otherwise. Where that cannot
    /// be arranged, the driver goes on hearing it.
    pub(crate) fn direct_bell(&mut self, driver: &OwnedFd, worker: usize) {
        let Some(Some(end)) = self.ends.ends.get(worker) else {
            return;
        };
        let data = epoll::EventData::new_u64(bell_data(worker, end.generation));
        let bell = end.lane.bell();
        // Without flags the driver still hears of the end of a worker.
        let heard = match &self.lookout {
            Some(post) => {
                end.lane.set_pace(post.pace());
                if epoll::add(&*post.bells, bell, data, epoll::EventFlags::IN).is_err() {
                    return;
                }
                epoll::EventFlags::empty()
            }
            None => {
                end.lane.set_pace(Pace::Own);
                epoll::EventFlags::IN
            }
        };
        // It fails where the worker has closed its end, of which the driver has heard.
        let _ = epoll::modify(driver, bell, data, heard);
    }
}

/// Looks for the answers to a pool's calls, so that their callers need not; from
/// [`Pool::lookout`](crate::Pool::lookout).
///
/// It belongs to no runtime: a task calls [`look`](Self::look) each time it is polled and does as it is
/// told, and meanwhile waits for its descriptor to become readable. It does not keep the pool alive, and
/// when it is dropped callers look by themselves again.
pub struct Lookout {
    shared: Arc<Shared>,
    bells: Arc<OwnedFd>,
    /// The pool's activity at the last look.
    seen: u64,
    /// Submissions and answers since it last slept.
    burst: u64,
    /// The average of the last ones, times [`SLEEPS`].
    bursts: u64,
    /// When something last happened, later by what the runtime has done meanwhile.
    since: Nanos,
    looked: Nanos,
    offered: Nanos,
}

/// What the task of a lookout should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Look {
    /// Let other tasks run, then look again.
    Again,
    /// Look again when woken, or when the descriptor is readable.
    Sleep,
}

impl Lookout {
    pub(crate) fn new(shared: &Arc<Shared>) -> io::Result<Self> {
        let bells = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let mut core = shared.core.lock();
        if core.lookout.is_some() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the pool has a lookout already",
            ));
        }
        core.lookout = Some(Post {
            bells: Arc::clone(&bells),
            asleep: false,
            waker: None,
            crowded: false,
        });
        for worker in 0..core.ends.ends.len() {
            core.direct_bell(&shared.epoll, worker);
        }
        drop(core);
        Ok(Self {
            shared: Arc::clone(shared),
            bells,
            seen: 0,
            burst: 0,
            bursts: 0,
            since: 0,
            looked: 0,
            offered: 0,
        })
    }

    /// Takes the answers that are there and wakes their callers.
    pub fn look(&mut self, context: &Context<'_>) -> Look {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        if let Some(post) = &mut core.lookout
            && std::mem::take(&mut post.asleep)
        {
            core.disarm();
        }
        let now = now_ns();
        let more = core.drain(now);
        let happened = core.activity.wrapping_sub(self.seen);
        self.seen = core.activity;
        self.burst += happened;
        if self.burst >= 2 * CROWD * SLEEPS {
            // So many that the average needs no other.
            self.bursts = self.bursts.max(2 * CROWD * SLEEPS);
            core.set_crowded(true);
        }
        let between = now.saturating_sub(self.looked);
        let idle = between < IDLE_NS;
        if happened > 0 {
            self.since = now;
        } else if !idle {
            self.since += between;
        }
        let waits = core.scheduler.sent() > 0;
        let mut budget = core.spin_ns();
        if core.is_crowded() {
            budget = budget.min(CROWDED_NS);
        }
        if more || (waits && (happened > 0 || now.saturating_sub(self.since) < budget)) {
            shared.unlock(core);
            self.again(now, idle && happened == 0);
            return Look::Again;
        }
        if core.scheduler.busy() > 0 {
            core.arm();
            if !core.woken.is_empty() {
                shared.unlock(core);
                self.again(now, false);
                return Look::Again;
            }
        }
        core.spun(!waits);
        self.bursts = self.bursts - self.bursts / SLEEPS + self.burst;
        self.burst = 0;
        if self.bursts >= 2 * CROWD * SLEEPS {
            core.set_crowded(true);
        } else if self.bursts <= 2 * FEW * SLEEPS {
            core.set_crowded(false);
        }
        if let Some(post) = &mut core.lookout {
            post.asleep = true;
            post.waker = Some(context.waker().clone());
        }
        shared.unlock(core);
        Look::Sleep
    }

    /// Before the next look: in a runtime without anything else to do, whoever is waited for may be
    /// waiting for this very processor.
    fn again(&mut self, now: Nanos, idle: bool) {
        if idle && now.saturating_sub(self.offered) >= OFFER_NS {
            self.offered = now;
            std::thread::yield_now();
        }
        self.looked = now;
    }

    /// To be called when the descriptor was readable, before the next look.
    pub fn heard(&mut self) {
        const NOW: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 16];
        let count = epoll::wait(&*self.bells, &mut events[..], Some(&NOW)).unwrap_or(0);
        let mut core = self.shared.core.lock();
        for event in &events[..count] {
            let data = event.data;
            let (worker, generation, _) = event_parts(data.u64());
            let Some(end) = core.ends.get(worker) else {
                continue;
            };
            if end.generation != generation {
                continue;
            }
            end.armed = false;
            if !end.lane.bell().clear() {
                // The worker is gone, of which the driver hears as well.
                let _ = epoll::delete(&*self.bells, end.lane.bell());
            }
        }
    }
}

impl AsFd for Lookout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bells.as_fd()
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.core.lock();
        core.lookout = None;
        for worker in 0..core.ends.ends.len() {
            core.direct_bell(&shared.epoll, worker);
        }
        core.disarm();
        core.watched();
        shared.unlock(core);
    }
}

impl fmt::Debug for Lookout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lookout").finish_non_exhaustive()
    }
}
