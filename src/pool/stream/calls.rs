//! The results of a stream that wait for its callback.

use std::collections::VecDeque;
use std::sync::PoisonError;

use crate::job::Done;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// A stream's results that wait for its callback, and its calls under way.
#[derive(Default)]
pub(crate) struct Calls {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(u64, Done)>,
    running: usize,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, order: u64, done: Done) {
        self.state().waiting.push_back((order, done));
    }

    /// Takes the result that was pushed last.
    pub fn take_last(&self) -> Option<(u64, Done)> {
        self.state().waiting.pop_back()
    }

    pub fn take_all(&self) -> VecDeque<(u64, Done)> {
        std::mem::take(&mut self.state().waiting)
    }

    /// Takes the result that has waited longest, for a call that begins now, unless none is `wanted`
    /// any more. That is asked under the lock: `wait` misses no call that was found wanted.
    pub fn begin(&self, wanted: impl FnOnce() -> bool) -> Option<(u64, Done)> {
        let mut state = self.state();
        let next = match wanted() {
            true => state.waiting.pop_front(),
            false => None,
        };
        state.running += usize::from(next.is_some());
        next
    }

    /// A call that began has ended, and its result was delivered.
    pub fn end(&self) {
        self.state().running -= 1;
        self.ended.notify_all();
    }

    /// Waits until no call is under way.
    pub fn wait(&self) {
        let state = self.state();
        drop(
            self.ended
                .wait_while(state, |state| state.running > 0)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}
