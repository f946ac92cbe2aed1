//! A caller's handle on a stream.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use super::config::StreamConfig;
use super::core::{Core, StreamStats};
use super::until::Until;
use crate::error::Error;
use crate::job::{Job, JobResult};
use crate::options::Options;
use crate::pool::delivery;
use crate::pool::handle::Pool;
use crate::pool::inbox::Message;
use crate::pool::log::Level;
use crate::pool::task::{Task, is_blank};
use crate::process::{fork, memory};

/// What became of a job that was handed in.
#[derive(Debug)]
pub enum Submit {
    /// Exactly one result will come.
    Accepted,
    /// There was no room in time; here it is back.
    Full(Job),
}

/// What a look for a result came to.
#[derive(Debug)]
pub enum Next {
    /// Here is one.
    Result(Box<JobResult>),
    /// None came in time.
    Nothing,
    /// The stream was finished or cancelled and all results were taken.
    Done,
}

/// One lazily fed run of jobs on a [`Pool`].
///
/// Any thread may use it through a shared reference. Dropping it cancels what is outstanding.
pub struct Stream {
    core: Arc<Core>,
    /// This keeps the engine running.
    pool: Pool,
}

impl Pool {
    /// Opens a stream of jobs on this pool.
    ///
    /// [`Error::InvalidArgument`] names a field that is out of its range.
    pub fn stream(&self, config: StreamConfig) -> Result<Stream, Error> {
        let id = self.next_stream();
        config.check()?;
        let common = self.common();
        let plan = common.plans.of(&config.options)?;
        let core = Core::new(id, config, plan, Arc::clone(&common.bells));
        common
            .log
            .write(Level::Info, || format!("stream {} opened", id.0));
        Ok(Stream {
            core: Arc::new(core),
            pool: self.clone(),
        })
    }
}

impl Stream {
    /// The pool it runs on.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    /// How it does jobs that have no options of their own.
    pub fn options(&self) -> &Arc<Options> {
        &self.core.config.options
    }

    /// Hands in a job. Waits for room for so long (`Duration::ZERO`: not at all; `None`: for ever).
    ///
    /// [`Error::Closed`]: the stream was finished or cancelled. [`Error::InvalidArgument`]: the
    /// job has no URL, or an option is out of its range. [`Error::OutOfResources`]: no memory is left.
    pub fn submit(&self, job: Job, timeout: Option<Duration>) -> Result<Submit, Error> {
        self.submit_until(job, Until::after(timeout))
    }

    pub(crate) fn submit_until(&self, job: Job, until: Until) -> Result<Submit, Error> {
        let common = self.pool.common();
        let plan = match (&job.options, &job.kept_options) {
            (None, None) => Arc::clone(&self.core.plan),
            (Some(options), None) => common.plans.of(options)?,
            (None, Some(kept)) => Arc::clone(&kept.0),
            (Some(_), Some(_)) => {
                return Err(Error::InvalidArgument(
                    "options and kept_options are both given: one would be lost".into(),
                ));
            }
        };
        if is_blank(&job.url) && !self.core.config.passthrough {
            return Err(Error::InvalidArgument(
                "url is empty: a job without URL is taken only by a stream with passthrough".into(),
            ));
        }
        // What it is made into takes more than its URL.
        let kept = memory::keep_back(job.url.len());
        let _kept = kept.ok_or_else(|| Error::no_memory("one more job"))?;
        let Some(order) = self.core.admit(until)? else {
            return Ok(Submit::Full(job));
        };
        // The job has its place by now, and nobody takes it while the URL is read.
        common.hand_in(Task::new(job, plan, order, Arc::clone(&self.core)));
        Ok(Submit::Accepted)
    }

    /// Takes the next result. Waits for one for so long (`Duration::ZERO`: not at all; `None`: for
    /// ever).
    pub fn next(&self, timeout: Option<Duration>) -> Next {
        let mut taken = Vec::with_capacity(1);
        match (self.next_many(1, timeout, &mut taken), taken.pop()) {
            (_, Some(result)) => Next::Result(Box::new(result)),
            (true, None) => Next::Nothing,
            (false, None) => Next::Done,
        }
    }

    /// Takes up to `max` results at once: waits as [`Stream::next`] does for the first, then takes
    /// those that are there. Gives `false` when no more will come.
    pub fn next_many(
        &self,
        max: usize,
        timeout: Option<Duration>,
        into: &mut Vec<JobResult>,
    ) -> bool {
        let mut left = max;
        self.next_while(timeout, into, |_| {
            let wanted = left > 0;
            left -= usize::from(wanted);
            wanted
        })
    }

    /// Takes results for as long as they are `wanted`, which is asked under a lock and must not call
    /// the stream: waits as [`Stream::next`] does for the first that is there, then takes those that
    /// are. Gives `false` when no more will come.
    pub fn next_while(
        &self,
        timeout: Option<Duration>,
        into: &mut Vec<JobResult>,
        wanted: impl FnMut(&JobResult) -> bool,
    ) -> bool {
        self.core.take_while(Until::after(timeout), into, wanted)
    }

    /// Says that no more jobs will come.
    pub fn finish(&self) {
        self.core.close();
        let id = self.core.id.0;
        let log = &self.pool.common().log;
        log.write(Level::Info, || format!("stream {id} finished"));
    }

    /// Finishes the stream and ends what is outstanding: each job's result comes, promptly, with
    /// `cancelled` unless it was done already. Does not wait.
    pub fn cancel(&self) {
        // The order matters. A job accepted before the close is either in an inbox by the time its
        // shard hears of the cancel, or its shard sees that the stream is cancelled.
        self.core.close();
        if !self.core.set_cancelled() {
            let id = self.core.id;
            let common = self.pool.common();
            common.broadcast(|| Message::Cancel(id));
            delivery::give_up(&self.core);
            common
                .log
                .write(Level::Info, || format!("stream {} cancelled", id.0));
        }
        if fork::is_ending() {
            self.core.give_up();
        }
    }

    /// Cancels, and waits for the callbacks under way.
    pub(crate) fn end(&self) {
        self.cancel();
        // What the callback uses may end with the stream.
        self.core.calls.wait();
    }

    /// How many accepted jobs' results were not taken yet.
    pub fn pending(&self) -> usize {
        self.core.outstanding()
    }

    /// What the stream is doing; the figures may be a moment old.
    pub fn stats(&self) -> StreamStats {
        self.core.stats()
    }

    /// A descriptor that polls readable while a result can be taken or the stream is done. Made by
    /// the first call, closed with the stream. After it told of results it may tell of the next up to
    /// 1 ms late, while there is more to come: several are then there at once. An event loop that can
    /// only read may read from it: it never blocks, and gives a byte for each time that there is
    /// something after there was nothing.
    ///
    /// [`Error::OutOfResources`]: no descriptor is left.
    pub fn event_fd(&self) -> Result<RawFd, Error> {
        self.core.event_fd()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.pool.why_useless().is_some() {
            return;
        }
        self.end();
        // The shards may hold the core a moment longer, but the caller's descriptor ends now.
        self.core.close_event_fd();
        let id = self.core.id;
        self.pool.common().broadcast(|| Message::Close(id));
    }
}
