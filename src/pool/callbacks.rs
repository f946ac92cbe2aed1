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
