//! A stream's results, as an asynchronous stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::handle::Stream;
use crate::job::JobResult;

/// The results of a [`Stream`], as an asynchronous stream.
#[derive(Debug)]
pub struct Results<'a> {
    stream: &'a Stream,
}

impl Stream {
    /// The results as an asynchronous stream, on any executor. It ends when the stream was
    /// finished or cancelled and all were taken. One task at a time may wait on it.
    pub fn results(&self) -> Results<'_> {
        Results { stream: self }
    }
}

impl futures_core::Stream for Results<'_> {
    type Item = JobResult;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<JobResult>> {
        self.stream.core().poll_take(context)
    }
}
