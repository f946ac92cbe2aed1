//! Threads for the callers' callbacks, and what waits for them: callbacks may take their time, and
//! the shards have none.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::job::Done;
use crate::sync::{Condvar, Mutex, MutexGuard, thread};

/// Callbacks at once, over the pool: they may well wait for a disk or a database.
const THREADS: usize = 64;

/// How long the end of a pool waits for threads that have nothing to do any more. They end as soon as
/// they get a core, which takes long on a busy machine only.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// Whether this thread is one for callbacks.
    static IS_ONE: Cell<bool> = const { Cell::new(false) };
}

/// The threads of a pool's callbacks.
#[derive(Default)]
pub(crate) struct Callbacks {
    /// The first call starts it, because many pools never need it. tokio starts and ends the threads.
    runtime: Mutex<Option<Runtime>>,
}

impl Callbacks {
    /// Runs `call` on a thread. `false`: the system has no thread left.
    pub fn run(&self, call: impl FnOnce() + Send + 'static) -> bool {
        if cfg!(feature = "shuttle") {
            // shuttle knows its own threads only.
            thread::spawn(call);
            return true;
        }
        // tokio panics when the system has no thread left.
        catch_unwind(AssertUnwindSafe(|| {
            let call = || {
                IS_ONE.set(true);
                call();
            };
            self.handle().map(|handle| handle.spawn_blocking(call))
        }))
        .is_ok_and(|spawned| spawned.is_some())
    }

    fn runtime(&self) -> MutexGuard<'_, Option<Runtime>> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self) -> Option<Handle> {
        let mut runtime = self.runtime();
        if runtime.is_none() {
            *runtime = Builder::new_current_thread()
                .max_blocking_threads(THREADS)
                .thread_name("rouet-callback")
                .build()
                .ok();
        }
        Some(runtime.as_ref()?.handle().clone())
    }

    /// Ends the threads. Each stream has waited for its calls by then. `soon`: without waiting for them, as on
    /// one of them.
    pub fn stop(&self, soon: bool) {
        if let Some(runtime) = self.runtime().take() {
            match soon || IS_ONE.get() {
                true => runtime.shutdown_background(),
                false => runtime.shutdown_timeout(PATIENCE),
            }
        }
    }
}

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
