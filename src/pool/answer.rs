//! A shard's answer to a message.

use std::sync::{Arc, PoisonError};

use super::stream::until::Until;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Waits for an answer.
pub(crate) struct Question<T>(Arc<Shared<T>>);

/// Gives the answer, once. If it is dropped instead, the one who waits hears that.
pub(crate) struct Answer<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

enum State<T> {
    Open,
    Given(T),
    Lost,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first that is said holds.
    fn say(&self, what: State<T>) {
        let mut state = self.state();
        if let State::Open = *state {
            *state = what;
            self.changed.notify_one();
        }
    }
}

/// A question to send along with a message.
pub(crate) fn question<T>() -> (Question<T>, Answer<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::Open),
        changed: Condvar::new(),
    });
    (Question(Arc::clone(&shared)), Answer(shared))
}

impl<T> Question<T> {
    /// Waits for the answer. `None`: it does not come, because the shard is gone or had a fault.
    pub fn wait(self) -> Option<T> {
        let mut state = self.0.state();
        loop {
            match std::mem::replace(&mut *state, State::Lost) {
                State::Given(answer) => return Some(answer),
                State::Lost => return None,
                State::Open => *state = State::Open,
            }
            state = Until::Never.wait(&self.0.changed, state)?;
        }
    }
}

impl<T> Answer<T> {
    pub fn give(self, answer: T) {
        self.0.say(State::Given(answer));
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.0.say(State::Lost);
    }
}
