//! Threads for the callers' callbacks: these may take their time, and the shards have none.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::sync::{Mutex, MutexGuard, thread};

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
    /// tokio starts and ends the threads.
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    /// The first call starts it, because many pools never need it.
    #[default]
    Unused,
    Running(Runtime),
    Stopped,
}

impl Callbacks {
    /// Runs `call` on a thread. `false`: the system has no thread left, or the pool is ending; `call`
    /// is dropped.
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self) -> Option<Handle> {
        let mut state = self.state();
        if let State::Unused = *state {
            let runtime = Builder::new_current_thread()
                .max_blocking_threads(THREADS)
                .thread_name("rouet-callback")
                .build();
            *state = State::Running(runtime.ok()?);
        }
        match &*state {
            State::Running(runtime) => Some(runtime.handle().clone()),
            _ => None,
        }
    }

    /// Ends the threads. Each stream has waited for its calls by then. `soon`: without waiting for
    /// them, as on one of them.
    pub fn stop(&self, soon: bool) {
        let state = std::mem::replace(&mut *self.state(), State::Stopped);
        if let State::Running(runtime) = state {
            // tokio lets no thread wait that runs asynchronous tasks.
            match soon || IS_ONE.get() || Handle::try_current().is_ok() {
                true => runtime.shutdown_background(),
                false => runtime.shutdown_timeout(PATIENCE),
            }
        }
    }
}
