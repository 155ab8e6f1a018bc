//! A value that one thread sets once and any number of tasks wait for, on any runtime.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

enum State<T> {
    Waiting(Vec<Waker>),
    Set(T),
}

/// Set once; the first value stays.
pub(crate) struct Signal<T> {
    state: Mutex<State<T>>,
}

impl<T> Default for Signal<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State::Waiting(Vec::new())),
        }
    }
}

impl<T: Clone> Signal<T> {
    pub(crate) fn set(&self, value: T) {
        let mut state = self.state.lock();
        if let State::Waiting(wakers) = &mut *state {
            let wakers = std::mem::take(wakers);
            *state = State::Set(value);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    pub(crate) async fn wait(&self) -> T {
        poll_fn(|context| match &mut *self.state.lock() {
            State::Set(value) => Poll::Ready(value.clone()),
            State::Waiting(wakers) => {
                if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }
}
