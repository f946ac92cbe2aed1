//! Running the callers' callbacks, on threads of their own: they may take their time, and the
//! shards have none.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::stream::{Callback, Core};
use crate::address;
use crate::error::{ErrorCode, Failure};
use crate::job::JobResult;
use crate::process::fork;
use crate::sync::atomic::Ordering::SeqCst;
use crate::sync::{Condvar, Mutex, MutexGuard, thread};

/// Callbacks at once, over the pool: they may well wait for a disk or a database.
const THREADS: usize = 64;

/// How long the end of a pool waits for threads that have nothing to do any more. They end as soon as
/// they get a core, which takes long on a busy machine only.
const PATIENCE: Duration = Duration::from_secs(1);

/// The threads of a pool's callbacks.
#[derive(Default)]
pub(crate) struct Callbacks {
    /// Started by the first call: many pools never need it. tokio starts and ends the threads.
    runtime: Mutex<Option<Runtime>>,
}

impl Callbacks {
    /// Runs `call` on a thread. `false`: there is none to be had.
    fn run(&self, call: impl FnOnce() + Send + 'static) -> bool {
        if cfg!(feature = "shuttle") {
            // Which knows its own threads only.
            thread::spawn(call);
            return true;
        }
        // tokio panics when the system has no thread left.
        catch_unwind(AssertUnwindSafe(|| {
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

    /// Ends the threads; each stream has waited for its calls.
    pub fn stop(&self) {
        if let Some(runtime) = self.runtime().take() {
            runtime.shutdown_timeout(PATIENCE);
        }
    }
}

/// A stream's calls.
#[derive(Default)]
pub(crate) struct Calls {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(u64, JobResult)>,
    running: usize,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Has the callback see a result, which is then delivered.
pub(super) fn call(stream: &Arc<Core>, callback: &Callback, order: u64, result: JobResult) {
    stream.calls.state().waiting.push_back((order, result));
    // Looked at after the result is there: a cancel before it finds none, one after it does.
    if stream.is_cancelled() {
        return give_up(stream);
    }
    let (core, callback) = (Arc::clone(stream), Arc::clone(callback));
    let started = stream.common.callbacks.run(move || {
        // What the callback uses may be gone.
        fork::stop_at_end();
        let next = {
            let mut state = core.calls.state();
            // Those of a cancelled stream are given up, and its end waits for no call begun since.
            let next = match core.is_cancelled() {
                true => None,
                false => state.waiting.pop_front(),
            };
            state.running += usize::from(next.is_some());
            next
        };
        if let Some((order, result)) = next {
            let result = see(&core, &callback, result);
            core.deliver([(order, result)]);
            core.calls.state().running -= 1;
            core.calls.ended.notify_all();
        }
    });
    if !started {
        let waiting = stream.calls.state().waiting.pop_back();
        fail(
            stream,
            waiting,
            ErrorCode::InternalError,
            "no thread for the callback",
        );
    }
}

/// Ends the results that wait for a callback of a stream that was cancelled.
pub(super) fn give_up(stream: &Core) {
    let waiting = std::mem::take(&mut stream.calls.state().waiting);
    fail(
        stream,
        waiting,
        ErrorCode::Cancelled,
        "the stream was cancelled before its callback was called",
    );
}

fn fail(
    stream: &Core,
    results: impl IntoIterator<Item = (u64, JobResult)>,
    code: ErrorCode,
    why: &str,
) {
    stream.deliver(results.into_iter().map(|(order, mut result)| {
        let url = address::shown(result.url.as_deref().unwrap_or_default());
        let failure = Failure::new(code, format!("{url}: {why}"));
        reweigh(stream, &mut result, |result| result.error = Some(failure));
        (order, result)
    }));
}

/// Shows a result to the callback.
fn see(stream: &Core, callback: &Callback, mut result: JobResult) -> JobResult {
    // The callback may take the body, or make it larger.
    reweigh(stream, &mut result, |result| {
        let outcome = catch_unwind(AssertUnwindSafe(|| callback(result)));
        let why = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some("it panicked".into()),
        };
        if let Some(why) = why {
            let url = address::shown(result.url.as_deref().unwrap_or_default());
            let message = format!("{url}: the callback failed: {why}");
            result.error = Some(Failure::new(ErrorCode::CallbackError, message));
        }
        // What it asked of the body is not counted, and it may have changed what that was about.
        result.content = Default::default();
    });
    result
}

/// Changes a result whose bytes its stream has counted, and counts them anew.
fn reweigh(stream: &Core, result: &mut JobResult, change: impl FnOnce(&mut JobResult)) {
    let before = result.size();
    change(result);
    // In this order, so that the count is never below what is there.
    stream.bytes.fetch_add(result.size(), SeqCst);
    stream.bytes.fetch_sub(before, SeqCst);
}
