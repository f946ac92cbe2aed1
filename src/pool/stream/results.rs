//! A stream's results, one after the other.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::handle::{JobStream, SubmitError};
use crate::error::Error;
use crate::job::{Done, Job, JobResult};

impl<T: Send + 'static> JobStream<T> {
    /// The results to come, one after the other, until the stream was finished or cancelled and all
    /// were taken. Each step waits for a result.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { stream: self }
    }

    /// The results as an asynchronous stream, on any executor. It ends when the stream was
    /// finished or cancelled and all were taken. One task at a time may wait on it.
    pub fn results(&self) -> Results<'_, T> {
        Results { stream: self }
    }

    /// Submits jobs as there is room for them, and gives the results as they come; finishes the stream
    /// when there are no more jobs. Both happen on the thread that asks for results, in turns, so a
    /// source that waits holds back results that are there. Jobs that the source yields after an error
    /// go on as before.
    ///
    /// An error is that of a job that was not accepted. When the stream is finished or cancelled from
    /// elsewhere, that is one more error and then the end. Nobody else may take results of the stream
    /// meanwhile. If the iterator is dropped early, the stream stays open, and one job may be lost that
    /// was taken from the source and found no room.
    pub fn run<I: IntoIterator<Item = Job<T>>>(&self, jobs: I) -> Run<'_, T, I::IntoIter> {
        Run {
            stream: self,
            jobs: Some(jobs.into_iter()),
            next: None,
        }
    }
}

impl<'a, T: Send + 'static> IntoIterator for &'a JobStream<T> {
    type Item = (T, JobResult);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The results of a [`JobStream`], each with its job's item: [`JobStream::iter`].
pub struct Iter<'a, T = ()> {
    stream: &'a JobStream<T>,
}

impl<T: Send + 'static> Iterator for Iter<'_, T> {
    type Item = (T, JobResult);

    fn next(&mut self) -> Option<(T, JobResult)> {
        // It waits for ever, but in a process that is ending nothing comes any more.
        self.stream.pop(None).1
    }
}

/// The results of a [`JobStream`] as an asynchronous stream: [`JobStream::results`].
pub struct Results<'a, T = ()> {
    stream: &'a JobStream<T>,
}

impl<T: Send + 'static> futures_core::Stream for Results<'_, T> {
    type Item = (T, JobResult);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<(T, JobResult)>> {
        let taken = self.stream.any().poll_take(context);
        taken.map(|done| done.map(Done::into_pair))
    }
}

/// Jobs that are submitted while their results are taken: [`JobStream::run`].
pub struct Run<'a, T, I> {
    stream: &'a JobStream<T>,
    /// `None`: there are no more.
    jobs: Option<I>,
    /// The job that found no room.
    next: Option<Job<T>>,
}

impl<T: Send + 'static, I: Iterator<Item = Job<T>>> Run<'_, T, I> {
    /// Submits the next job. `false`: there is no room, or there are no more.
    fn submit(&mut self) -> Result<bool, SubmitError<T>> {
        let Some(jobs) = &mut self.jobs else {
            return Ok(false);
        };
        let Some(job) = self.next.take().or_else(|| jobs.next()) else {
            self.jobs = None;
            self.stream.finish();
            return Ok(false);
        };
        match self.stream.submit(job, Some(Duration::ZERO)) {
            Ok(()) => Ok(true),
            Err(refused) if refused.error == Error::Full => {
                self.next = Some(refused.job);
                Ok(false)
            }
            Err(refused) => {
                if refused.error == Error::Closed {
                    self.jobs = None;
                }
                Err(refused)
            }
        }
    }
}

impl<T: Send + 'static, I: Iterator<Item = Job<T>>> Iterator for Run<'_, T, I> {
    type Item = Result<(T, JobResult), SubmitError<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // A result that is there makes room when it is taken.
            match self.stream.pop(Some(Duration::ZERO)) {
                (_, Some(pair)) => return Some(Ok(pair)),
                (false, None) if self.jobs.is_none() => return None,
                _ => {}
            }
            match self.submit() {
                Ok(true) => {}
                Ok(false) => return self.stream.iter().next().map(Ok),
                Err(refused) => return Some(Err(refused)),
            }
        }
    }
}

/// Shows itself without asking anything of `T`.
macro_rules! shows_its_stream {
    ($($name:ident<$($of:ident),*>),*) => {
        $(impl<$($of),*> fmt::Debug for $name<'_, $($of),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct(stringify!($name));
                shown.field("stream", self.stream).finish_non_exhaustive()
            }
        })*
    };
}

shows_its_stream!(Iter<T>, Results<T>, Run<T, I>);
