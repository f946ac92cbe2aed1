//! The way of results to their stream, through its callback if it has one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::callbacks::Callbacks;
use super::stream::core::{Core, Left};
use crate::address;
use crate::error::{ErrorCode, Failure};
use crate::job::Done;
use crate::process::fork;

/// Sees results on their way to where they are taken from. Gives when to `tell` of them, if that was
/// not done.
pub(super) fn hand_over(
    stream: &Arc<Core>,
    threads: &Callbacks,
    results: impl IntoIterator<Item = (u64, Done)>,
) -> Option<Instant> {
    if stream.is_given_up() {
        // Dropping an item may take its time, and the shard has none.
        let left = Left(results.into_iter().map(|(_, done)| done).collect());
        if left.0.iter().any(|done| done.item.needs_drop()) {
            // If there is no thread left, they are dropped here.
            threads.run(move || {
                // What the items use may be gone.
                fork::stop_at_end();
                drop(left);
            });
        }
        return None;
    }
    if !stream.has_callback {
        return stream.deliver_soon(results);
    }
    for (order, done) in results {
        match done.result.has_answer() {
            true => call(stream, threads, order, done),
            false => stream.deliver([(order, done)]),
        }
    }
    None
}

/// Has the callback see a result, which is then delivered.
fn call(stream: &Arc<Core>, threads: &Callbacks, order: u64, done: Done) {
    stream.calls.push(order, done);
    // This is asked after the result is there: a cancel that came before finds no result to give up,
    // and one that comes after finds it.
    if stream.is_cancelled() {
        return give_up(stream);
    }
    let core = Arc::clone(stream);
    let started = threads.run(move || {
        // What the callback uses may be gone.
        fork::stop_at_end();
        // A cancelled stream's results are given up, and its end waits for no call begun since.
        if let Some((order, done)) = core.calls.begin(|| !core.is_cancelled()) {
            let done = see(&core, done);
            core.deliver([(order, done)]);
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

fn fail(stream: &Core, results: impl IntoIterator<Item = (u64, Done)>, code: ErrorCode, why: &str) {
    stream.deliver(results.into_iter().map(|(order, mut done)| {
        let url = address::shown(done.result.url.as_deref().unwrap_or_default());
        let failure = Failure::new(code, format!("{url}: {why}"));
        stream.reweigh(&mut done.result, |result| result.error = Some(failure));
        (order, done)
    }));
}

/// Shows a result to the callback.
fn see(stream: &Core, mut done: Done) -> Done {
    // It is there until the call has ended, for which the stream's end waits.
    let Some(callback) = stream.callback() else {
        return done;
    };
    let Done { item, result } = &mut done;
    // The callback may take the body, or make it larger.
    stream.reweigh(result, |result| {
        let outcome = catch_unwind(AssertUnwindSafe(|| callback(item, result)));
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
    done
}
