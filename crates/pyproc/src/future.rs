//! One call as a future: submit, look for the answer, leave nothing behind when dropped.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pyproc_ipc::clock::{COARSE_STEP_NS, coarse_ns, now_ns};
use pyproc_ipc::lane::Watch;
use pyproc_ipc::wait::{Peer, spin};

use crate::calls::{CallData, Outcome};
use crate::core::{Core, Waiting};
use crate::error::CallError;
use crate::pool::Shared;
use crate::scheduler::{Nanos, Spec};
use crate::slab::Key;

enum State {
    New(Spec),
    Waiting(Key),
    Over,
}

/// A call on its way. Its data is with the pool while it is under way, and back when it resolves.
pub(crate) struct Call<'p, 'd> {
    shared: &'p Shared,
    data: &'d mut CallData,
    state: State,
}

impl<'p, 'd> Call<'p, 'd> {
    /// A call that is submitted at the first poll. The deadline in `spec` is relative to it.
    pub(crate) fn new(shared: &'p Shared, spec: Spec, data: &'d mut CallData) -> Self {
        Self {
            shared,
            data,
            state: State::New(spec),
        }
    }
}

/// From this timeout on a deadline is reckoned by the coarse clock, which costs a fifth of the other.
pub(crate) const COARSE_FROM_NS: Nanos = 1_000_000_000;

/// When a call with this timeout is over: never early, with the coarse clock a little late.
#[inline]
fn deadline(timeout: Nanos) -> (Nanos, Nanos) {
    if timeout < COARSE_FROM_NS {
        let now = now_ns();
        return (now, now.saturating_add(timeout));
    }
    let now = coarse_ns();
    (
        now,
        now.saturating_add(timeout).saturating_add(COARSE_STEP_NS),
    )
}

impl Future for Call<'_, '_> {
    type Output = Result<Outcome, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = self.shared;
        let mut core;
        let (key, mut first, mut now) = match mem::replace(&mut self.state, State::Over) {
            State::New(mut spec) => {
                let now;
                (now, spec.deadline) = deadline(spec.timeout);
                core = shared.core.lock();
                match core.submit(now, spec, mem::take(self.data)) {
                    Ok(key) if core.may_lead(key) => {
                        let now = now_ns();
                        core.made(key, now);
                        (key, true, now)
                    }
                    Ok(key) => (key, true, now),
                    Err(refused) => {
                        let (error, data) = *refused;
                        if let Some(large) = data.large {
                            core.ends.give_back(*large, false);
                        }
                        return Poll::Ready(Err(error));
                    }
                }
            }
            State::Waiting(key) => {
                core = shared.core.lock();
                if let Some((outcome, data)) = core.take(key) {
                    shared.unlock(core);
                    *self.data = data;
                    return Poll::Ready(Ok(outcome));
                }
                let now = now_ns();
                if core.may_lead(key) {
                    core.drain(now);
                }
                (key, false, now)
            }
            State::Over => return Poll::Ready(Err(CallError::Closed)),
        };
        self.state = State::Waiting(key);
        loop {
            if !first && let Some((outcome, data)) = core.take(key) {
                self.state = State::Over;
                shared.unlock(core);
                *self.data = data;
                return Poll::Ready(Ok(outcome));
            }
            if !core.woken.is_empty() && core.may_lead(key) {
                // Others have their answers: let them run, they may have more to ask.
                core.lead(key);
                core.lead_later(now);
                return pend(shared, core, key, context, true);
            }
            match core.waiting(now, key, first) {
                Waiting::Follow => {
                    if core.scheduler.is_done(key) {
                        // Its answer came while the bell was being armed: nobody else will wake it.
                        first = false;
                        continue;
                    }
                    return pend(shared, core, key, context, false);
                }
                Waiting::Yield => return pend(shared, core, key, context, true),
                Waiting::Spin(budget) => {
                    let watches = core.watches();
                    let peer = if core.ends.rang {
                        Peer::Waking
                    } else {
                        Peer::Awake
                    };
                    shared.unlock(core);
                    let (found, at) = look(&watches, now, budget, peer);
                    core = shared.core.lock();
                    first = false;
                    now = at;
                    core.spun(found);
                    if found {
                        let before = core.activity;
                        core.drain(now);
                        if core.activity == before {
                            // Nothing after all; a worker that makes believe must not hold this thread.
                            now = now_ns();
                        }
                        continue;
                    }
                    core.sleep(now);
                    if core.scheduler.is_done(key) {
                        continue;
                    }
                    return pend(shared, core, key, context, false);
                }
            }
        }
    }
}

/// Looks at the lanes for `budget` nanoseconds: whether something has come, and the time. When a
/// worker has begun to write a large result meanwhile, it looks for as long again, once.
#[inline]
fn look(watches: &Watches, start: u64, budget: u64, peer: Peer) -> (bool, u64) {
    let (found, now) = spin(start, budget, peer, || watches.ready());
    if found || !watches.has_begun() {
        return (found, now);
    }
    spin(now, budget, peer, || watches.ready())
}

/// The lanes that a leader watches. Nearly always one.
pub(crate) enum Watches {
    One(Watch),
    Many(Vec<Watch>),
}

impl Watches {
    #[inline]
    pub(crate) fn ready(&self) -> bool {
        match self {
            Self::One(watch) => watch.ready(),
            Self::Many(watches) => watches.iter().any(Watch::ready),
        }
    }

    fn has_begun(&self) -> bool {
        match self {
            Self::One(watch) => watch.has_begun(),
            Self::Many(watches) => watches.iter().any(Watch::has_begun),
        }
    }
}

impl Core {
    /// The lanes that have something to answer.
    pub(crate) fn watches(&mut self) -> Watches {
        let mut busy =
            (0..self.ends.ends.len()).filter(|&worker| self.scheduler.outstanding(worker) > 0);
        let first = busy
            .next()
            .and_then(|worker| self.ends.ends[worker].as_ref());
        match (first, busy.next()) {
            (Some(end), None) => Watches::One(end.lane.watch()),
            _ => {
                let busy = (0..self.ends.ends.len())
                    .filter(|&worker| self.scheduler.outstanding(worker) > 0);
                Watches::Many(
                    busy.filter_map(|worker| Some(self.ends.ends[worker].as_ref()?.lane.watch()))
                        .collect(),
                )
            }
        }
    }
}

/// Leaves the waker and lets go of the lock.
fn pend<T>(
    shared: &Shared,
    mut core: parking_lot::MutexGuard<'_, Core>,
    key: Key,
    context: &mut Context<'_>,
    again: bool,
) -> Poll<T> {
    if let Some(data) = core.scheduler.data(key) {
        match &mut data.waker {
            Some(waker) if waker.will_wake(context.waker()) => {}
            waker => *waker = Some(context.waker().clone()),
        }
    }
    shared.unlock(core);
    if again {
        context.waker().wake_by_ref();
    }
    Poll::Pending
}

impl Drop for Call<'_, '_> {
    fn drop(&mut self) {
        match mem::replace(&mut self.state, State::Over) {
            State::Over => {}
            State::New(_) => {
                if let Some(large) = self.data.large.take() {
                    self.shared.core.lock().ends.give_back(*large, false);
                }
            }
            State::Waiting(key) => {
                let mut core = self.shared.core.lock();
                core.give_up(now_ns(), key);
                self.shared.unlock(core);
            }
        }
    }
}
