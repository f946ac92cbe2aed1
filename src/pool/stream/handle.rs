//! A caller's handle on a stream.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::any::AnyStream;
use super::config::StreamConfig;
use super::core::StreamStats;
use super::event::EventFd;
use super::until::Until;
use crate::address;
use crate::error::Error;
use crate::job::{Done, Item, Job, JobResult};
use crate::options::Options;
use crate::pool::handle::Pool;

/// Why a job was not accepted, and the job.
///
/// The job is not used up: it can be submitted again, here or elsewhere.
#[derive(Clone)]
#[non_exhaustive]
pub struct SubmitError<T = ()> {
    /// Why. [`Error::Full`]: there was no room in time. [`Error::Closed`]: the stream was finished or
    /// cancelled. [`Error::InvalidArgument`]: the job has no URL, or an option is out of its range.
    /// [`Error::OutOfResources`]: no memory is left.
    pub error: Error,
    /// The job as it was given.
    pub job: Job<T>,
}

impl<T: 'static> SubmitError<T> {
    fn of((error, job): (Error, Job<Item>)) -> Self {
        let job = job.map(Item::into);
        Self { error, job }
    }
}

impl<T> fmt::Display for SubmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> fmt::Debug for SubmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitError")
            .field("error", &self.error)
            .field("url", &address::shown(&self.job.url))
            .finish_non_exhaustive()
    }
}

impl<T> std::error::Error for SubmitError<T> {}

impl<T> From<SubmitError<T>> for Error {
    fn from(error: SubmitError<T>) -> Self {
        error.error
    }
}

/// What a look for a result came to.
#[derive(Debug)]
pub enum Next<T = ()> {
    /// Here is one, and the item of its job.
    Result(T, Box<JobResult>),
    /// None came in time.
    Nothing,
    /// The stream was finished or cancelled and all results were taken.
    Done,
}

/// One lazily fed run of jobs on a [`Pool`]. `T` is the type of the jobs' items: each comes back with
/// its job's result.
///
/// Any thread may use it through a shared reference, also while others wait in it. Dropping it cancels
/// what is outstanding.
///
/// A thread that submits waits while the stream is full, until results are taken. A program therefore
/// submits and takes on two threads or tasks, or has [`JobStream::run`] do both in turns.
///
/// ```
/// # let site = rouet_site::Site::start(Default::default()).unwrap();
/// # let urls = [(1, site.url("/text")), (2, site.url("/bytes/10"))];
/// use rouet::{Job, Pool, PoolConfig, StreamConfig};
///
/// let pool = Pool::new(PoolConfig::default())?;
/// let stream = pool.stream(StreamConfig::default())?;
/// let jobs = urls.map(|(id, url)| Job::request(url).item(id));
/// for done in stream.run(jobs) {
///     let (id, result) = done?;
///     println!("{id} {}", result.status);
///     # assert_eq!(result.status, 200);
/// }
/// # assert_eq!(stream.stats().delivered, 2);
/// # Ok::<(), rouet::Error>(())
/// ```
pub struct JobStream<T = ()> {
    any: AnyStream,
    items: PhantomData<fn(T) -> T>,
}

impl Pool {
    /// Opens a stream of jobs on this pool.
    ///
    /// [`Error::InvalidArgument`] names a field that is out of its range.
    pub fn stream<T: Send + 'static>(
        &self,
        config: StreamConfig<T>,
    ) -> Result<JobStream<T>, Error> {
        Ok(JobStream {
            any: AnyStream::open(self, config.erased())?,
            items: PhantomData,
        })
    }
}

impl<T: Send + 'static> JobStream<T> {
    /// The pool it runs on.
    pub fn pool(&self) -> &Pool {
        self.any.pool()
    }

    /// How it does jobs that have no options of their own.
    pub fn options(&self) -> &Arc<Options> {
        self.any.options()
    }

    /// Hands in a job. Waits for room for so long (`Duration::ZERO`: not at all; `None`: for ever).
    /// [`SubmitError::error`] says why it was not accepted; if it was, exactly one result will come.
    pub fn submit(&self, job: Job<T>, timeout: Option<Duration>) -> Result<(), SubmitError<T>> {
        let submitted = self.any.submit(job.map(Item::of), Until::after(timeout));
        submitted.map_err(SubmitError::of)
    }

    /// Hands in a job as [`JobStream::submit`] does, from an asynchronous task: waits for room without
    /// a thread, on any executor. Several tasks may wait. If the future is dropped before it is ready,
    /// the job was not accepted.
    ///
    /// ```
    /// # let site = rouet_site::Site::start(Default::default()).unwrap();
    /// # let url = site.url("/text");
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// # use futures_core::Stream;
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    /// use rouet::{Job, Pool, PoolConfig, StreamConfig};
    ///
    /// let pool = Pool::new(PoolConfig::default())?;
    /// let stream = pool.stream(StreamConfig::default())?;
    /// stream.submit_async(Job::request(url).item("first")).await?;
    /// stream.finish();
    /// // With the crate futures, or one like it: while let Some(...) = results.next().await
    /// let mut results = pin!(stream.results());
    /// while let Some((item, result)) = poll_fn(|context| results.as_mut().poll_next(context)).await {
    ///     println!("{item}: {}", result.status);
    ///     # assert_eq!(result.status, 200);
    /// }
    /// # assert_eq!(stream.stats().delivered, 1);
    /// # Ok::<(), rouet::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn submit_async(&self, job: Job<T>) -> Result<(), SubmitError<T>> {
        let submitted = self.any.submit_async(job.map(Item::of)).await;
        submitted.map_err(SubmitError::of)
    }

    /// Takes the next result. Waits for one for so long (`Duration::ZERO`: not at all; `None`: for
    /// ever).
    pub fn next(&self, timeout: Option<Duration>) -> Next<T> {
        match self.pop(timeout) {
            (_, Some((item, result))) => Next::Result(item, Box::new(result)),
            (true, None) => Next::Nothing,
            (false, None) => Next::Done,
        }
    }

    /// Takes the next result, and says whether more may come.
    pub(super) fn pop(&self, timeout: Option<Duration>) -> (bool, Option<(T, JobResult)>) {
        let mut taken = Vec::with_capacity(1);
        let more = self.any.take(1, timeout, &mut taken);
        (more, taken.pop().map(Done::into_pair))
    }

    /// Takes up to `max` results at once: waits as [`JobStream::next`] does for the first, then takes
    /// those that are there. Gives `false` when no more will come.
    pub fn next_many(
        &self,
        max: usize,
        timeout: Option<Duration>,
        into: &mut Vec<(T, JobResult)>,
    ) -> bool {
        let mut taken = Vec::new();
        let more = self.any.take(max, timeout, &mut taken);
        into.extend(taken.into_iter().map(Done::into_pair));
        more
    }

    /// Says that no more jobs will come.
    pub fn finish(&self) {
        self.any.finish();
    }

    /// Finishes the stream and ends what is outstanding: each job's result comes, promptly, with
    /// `cancelled` unless it was done already. Does not wait.
    pub fn cancel(&self) {
        self.any.cancel();
    }

    /// How many accepted jobs' results were not taken yet.
    pub fn pending(&self) -> usize {
        self.any.pending()
    }

    /// What the stream is doing; the figures may be a moment old.
    pub fn stats(&self) -> StreamStats {
        self.any.stats()
    }

    /// A descriptor for an event loop of the caller's. It is made by the first call.
    ///
    /// [`Error::OutOfResources`]: no descriptor is left.
    pub fn event_fd(&self) -> Result<EventFd, Error> {
        self.any.event_fd()
    }

    pub(super) fn any(&self) -> &AnyStream {
        &self.any
    }
}

impl<T> fmt::Debug for JobStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobStream")
            .field("stats", &self.any.stats())
            .finish_non_exhaustive()
    }
}
