//! The way of results to their stream, through its callback if it has one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::callbacks::Callbacks;
use super::stream::config::Callback;
use super::stream::core::Core;
use crate::address;
use crate::error::{ErrorCode, Failure};
use crate::job::JobResult;
use crate::process::fork;

/// Sees results on their way to where they are taken from. Gives when to `tell` of them, if that was
/// not done.
pub(super) fn hand_over(
    stream: &Arc<Core>,
    threads: &Callbacks,
    results: impl IntoIterator<Item = (u64, JobResult)>,
) -> Option<Instant> {
    let Some(callback) = &stream.config.callback else {
        return stream.deliver_soon(results);
    };
    for (order, result) in results {
        match result.has_answer() {
            true => call(stream, threads, callback, order, result),
            false => stream.deliver([(order, result)]),
        }
    }
    None
}

/// Has the callback see a result, which is then delivered.
fn call(
    stream: &Arc<Core>,
    threads: &Callbacks,
    callback: &Callback,
    order: u64,
    result: JobResult,
) {
    stream.calls.push(order, result);
    // This is asked after the result is there: a cancel that came before finds no result to give up,
    // and one that comes after finds it.
    if stream.is_cancelled() {
        return give_up(stream);
    }
    let (core, callback) = (Arc::clone(stream), Arc::clone(callback));
    let started = threads.run(move || {
        // What the callback uses may be gone.
        fork::stop_at_end();
        // A cancelled stream's results are given up, and its end waits for no call begun since.
        if let Some((order, result)) = core.calls.begin(|| !core.is_cancelled()) {
            let result = see(&core, &callback, result);
            core.deliver([(order, result)]);
            core.calls.end();
        }
    });
    if !started {
        fail(
            stream,
            stream.calls.take_last(),
            ErrorCode::InternalError,
            "no thread for the callback",
        );
    }
}

/// Ends the results that wait for a callback of a stream that was cancelled.
pub(super) fn give_up(stream: &Core) {
    fail(
        stream,
        stream.calls.take_all(),
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
        stream.reweigh(&mut result, |result| result.error = Some(failure));
        (order, result)
    }));
}

/// Shows a result to the callback.
fn see(stream: &Core, callback: &Callback, mut result: JobResult) -> JobResult {
    // The callback may take the body, or make it larger.
    stream.reweigh(&mut result, |result| {
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
        // What the callback asked of the body is not counted, and it may have changed the body.
        result.content = Default::default();
    });
    result
}
