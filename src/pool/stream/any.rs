//! A handle on a stream of jobs with items of any type: that of
//! [`JobStream`](super::handle::JobStream) and of C's handle.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use log::Level;

use super::config::StreamConfig;
use super::core::{Core, StreamStats};
use super::event::EventFd;
use super::until::Until;
use crate::error::Error;
use crate::job::{Done, Item, Job, JobResult};
use crate::options::Options;
use crate::plan::Plan;
use crate::pool::delivery;
use crate::pool::handle::Pool;
use crate::pool::inbox::Message;
use crate::pool::task::{Task, is_blank};
use crate::process::fork;
use crate::process::memory::{self, Kept};

/// One lazily fed run of jobs on a pool. Dropping it cancels what is outstanding.
pub(crate) struct AnyStream {
    core: Arc<Core>,
    /// This keeps the engine running.
    pool: Pool,
}

/// A task that waits for room, until it is dropped.
struct Waiting<'a> {
    core: &'a Core,
    ticket: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.core.stop_waiting(ticket);
        }
    }
}

/// Keeps memory back for a job, whose URL has that length. What it is made into takes more.
fn keep_back(length: usize) -> Result<Kept, Error> {
    memory::keep_back(length).ok_or_else(|| Error::no_memory("one more job"))
}

impl AnyStream {
    /// Opens a stream. [`Error::InvalidArgument`] names a field that is out of its range.
    pub fn open(pool: &Pool, config: StreamConfig<Item>) -> Result<Self, Error> {
        let id = pool.next_stream();
        config.check()?;
        let common = pool.common();
        let plan = common.plans.of(&config.options)?;
        let core = Core::new(id, config, plan, Arc::clone(&common.bells));
        common
            .log
            .write(Level::Info, || format!("stream {} opened", id.0));
        Ok(Self {
            core: Arc::new(core),
            pool: pool.clone(),
        })
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub fn options(&self) -> &Arc<Options> {
        &self.core.config.options
    }

    /// Hands in a job, if there is room in time. An error comes with the job.
    pub fn submit(&self, job: Job<Item>, until: Until) -> Result<(), (Error, Job<Item>)> {
        let admitted = self.read(&job).and_then(|plan| {
            let kept = keep_back(job.url.len())?;
            let order = self.core.admit(until)?.ok_or(Error::Full)?;
            Ok((plan, order, kept))
        });
        self.hand_in(job, admitted)
    }

    /// Hands in a job as soon as there is room. An error comes with the job.
    pub async fn submit_async(&self, job: Job<Item>) -> Result<(), (Error, Job<Item>)> {
        let mut waiting = Waiting {
            core: &self.core,
            ticket: None,
        };
        let length = job.url.len();
        let admitted = match self.read(&job) {
            Ok(plan) => {
                // Memory is kept back for one thread, and the next look may be on another.
                let place = poll_fn(|context| match keep_back(length) {
                    Ok(kept) => {
                        let order = self.core.poll_admit(&mut waiting.ticket, context);
                        order.map_ok(|order| (order, kept))
                    }
                    Err(error) => Poll::Ready(Err(error)),
                });
                place.await.map(|(order, kept)| (plan, order, kept))
            }
            Err(error) => Err(error),
        };
        self.hand_in(job, admitted)
    }

    /// Checks a job, and reads its options.
    fn read(&self, job: &Job<Item>) -> Result<Arc<Plan>, Error> {
        let plan = match (&job.options, &job.kept_options) {
            (None, None) => Arc::clone(&self.core.plan),
            (Some(options), None) => self.pool.common().plans.of(options)?,
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
        Ok(plan)
    }

    /// Hands in a job that has its plan, its place, and memory for what it is made into. The place
    /// stays its own while the URL is read. An error comes with the job.
    fn hand_in(
        &self,
        job: Job<Item>,
        admitted: Result<(Arc<Plan>, u64, Kept), Error>,
    ) -> Result<(), (Error, Job<Item>)> {
        match admitted {
            Ok((plan, order, _kept)) => {
                let task = Task::new(job, plan, order, Arc::clone(&self.core));
                self.pool.common().hand_in(task);
                Ok(())
            }
            Err(error) => Err((error, job)),
        }
    }

    /// Takes results for as long as they are `wanted`, which is asked under a lock and must not call
    /// the stream: waits for the first that is there, then takes those that are. Gives `false` when no
    /// more will come.
    pub fn take_while(
        &self,
        timeout: Option<Duration>,
        into: &mut Vec<Done>,
        wanted: impl FnMut(&JobResult) -> bool,
    ) -> bool {
        self.core.take_while(Until::after(timeout), into, wanted)
    }

    /// Takes up to `max` results as `take_while` does.
    pub fn take(&self, max: usize, timeout: Option<Duration>, into: &mut Vec<Done>) -> bool {
        let mut left = max;
        self.take_while(timeout, into, |_| {
            let wanted = left > 0;
            left -= usize::from(wanted);
            wanted
        })
    }

    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<Done>> {
        self.core.poll_take(context)
    }

    /// Says that no more jobs will come.
    pub fn finish(&self) {
        self.core.close();
        let id = self.core.id.0;
        let log = &self.pool.common().log;
        log.write(Level::Info, || format!("stream {id} finished"));
    }

    /// Finishes the stream and ends what is outstanding.
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
            drop(self.core.give_up());
        }
    }

    /// Cancels, and waits for the callbacks under way.
    pub fn end(&self) {
        self.cancel();
        // What the callback uses may end with the stream.
        self.core.calls.wait();
    }

    pub fn pending(&self) -> usize {
        self.core.outstanding()
    }

    pub fn stats(&self) -> StreamStats {
        self.core.stats()
    }

    pub fn event_fd(&self) -> Result<EventFd, Error> {
        self.core.event_fd()
    }
}

impl Drop for AnyStream {
    fn drop(&mut self) {
        if self.pool.why_useless().is_some() {
            return;
        }
        self.end();
        // They are dropped last, which runs code of the caller's: it may do anything.
        let _left = (self.core.give_up(), self.core.take_callback());
        // The shards may hold the core a moment longer, but the caller's descriptor ends now.
        self.core.close_event_fd();
        let id = self.core.id;
        self.pool.common().broadcast(|| Message::Close(id));
    }
}
