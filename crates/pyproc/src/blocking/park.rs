//! Runs a future on the calling thread: polls, and sleeps until it is woken.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// The thread polls, or is about to look whether it may sleep.
const POLLING: u8 = 0;
/// It is to poll once more.
const WOKEN: u8 = 1;
/// It sleeps, or is about to.
const ASLEEP: u8 = 2;

/// A thread that can be woken. Waking it while it is awake makes no system call, and neither does
/// [`park`](Self::park) after that: futures wake themselves to be polled again.
struct Parker {
    thread: Thread,
    state: AtomicU8,
}

/// A parker and the waker made from it.
struct Sleeper {
    parker: Arc<Parker>,
    waker: Waker,
}

thread_local! {
    /// Kept from call to call, so that a call allocates nothing. It is taken out while in use: a
    /// call inside of another one gets its own, and cannot take the outer one's wake-up.
    static SPARE: Cell<Option<Sleeper>> = const { Cell::new(None) };
}

/// Polls `future` on this thread until it is ready.
#[inline]
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let sleeper = SPARE.take().unwrap_or_else(Sleeper::new);
    let mut context = Context::from_waker(&sleeper.waker);
    let output = loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => break output,
            Poll::Pending => sleeper.parker.park(),
        }
    };
    SPARE.set(Some(sleeper));
    output
}

impl Sleeper {
    fn new() -> Self {
        let parker = Arc::new(Parker {
            thread: thread::current(),
            state: AtomicU8::new(POLLING),
        });
        let waker = Waker::from(Arc::clone(&parker));
        Self { parker, waker }
    }
}

impl Parker {
    /// Sleeps until it is woken, or not at all if it has been woken since the last time.
    #[inline]
    fn park(&self) {
        while self
            .state
            .compare_exchange(WOKEN, POLLING, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            self.sleep();
        }
    }

    #[cold]
    fn sleep(&self) {
        let fell =
            self.state
                .compare_exchange(POLLING, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        if fell != Err(WOKEN) {
            // It may return for no reason, or because somebody else unparks this thread.
            thread::park();
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    #[inline]
    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == ASLEEP {
            self.thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{poll_fn, ready};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_future_that_is_ready_is_polled_once() {
        assert_eq!(block_on(ready(7)), 7);
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_again() {
        let mut polls = 0;
        let polls = block_on(poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 1_000 {
                Poll::Ready(polls)
            } else {
                Poll::Pending
            }
        }));
        assert_eq!(polls, 1_000);
    }

    /// Sends its waker at each poll but the last, and is ready at that.
    fn woken_from_outside(times: usize, wakers: mpsc::Sender<Waker>) -> impl Future<Output = ()> {
        let mut left = times;
        poll_fn(move |context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            wakers.send(context.waker().clone()).expect("a receiver");
            Poll::Pending
        })
    }

    #[test]
    fn another_thread_wakes_it_at_any_moment() {
        let (wakers, woken) = mpsc::channel();
        let waking = thread::spawn(move || woken.into_iter().for_each(Waker::wake));
        block_on(woken_from_outside(20_000, wakers));
        waking.join().expect("no panic");
    }

    #[test]
    fn unparking_its_thread_is_no_wake_up_and_harms_nothing() {
        let (wakers, woken) = mpsc::channel::<Waker>();
        let sleeper = thread::current();
        let waking = thread::spawn(move || {
            for waker in woken {
                sleeper.unpark();
                sleeper.unpark();
                waker.wake();
            }
        });
        block_on(woken_from_outside(2_000, wakers));
        waking.join().expect("no panic");
    }

    #[test]
    fn one_inside_of_another_does_not_take_its_wake_up() {
        let mut inside = false;
        block_on(poll_fn(|context| {
            if inside {
                return Poll::Ready(());
            }
            inside = true;
            context.waker().wake_by_ref();
            let mut again = true;
            block_on(poll_fn(|context| {
                if !std::mem::take(&mut again) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            }));
            Poll::Pending
        }));
    }
}
