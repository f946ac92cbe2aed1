//! The bodies of the answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::log::Ticket;

/// Where the bytes of a body come from, and how many they are when that is told beforehand
/// (then there is a `Content-Length`).
pub(crate) struct Source {
    pieces: Box<dyn Iterator<Item = Bytes> + Send>,
    left: Option<u64>,
    pace: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Source {
    /// Known bytes.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        Self::pieces(Some(length), Some(bytes).into_iter())
    }

    /// Pieces, of `length` bytes in all if it has to be told.
    pub fn pieces(
        length: Option<u64>,
        pieces: impl Iterator<Item = Bytes> + Send + 'static,
    ) -> Self {
        Self {
            pieces: Box::new(pieces.filter(|piece| !piece.is_empty())),
            left: length,
            pace: None,
        }
    }

    /// The first `length` bytes of a piece over and over, each time at most `most` bytes of it.
    pub fn repeat(piece: Bytes, length: u64, most: usize) -> impl Iterator<Item = Bytes> + Send {
        let mut given = 0;
        std::iter::from_fn(move || {
            let from = (given % piece.len() as u64) as usize;
            let left = usize::try_from(length - given).unwrap_or(usize::MAX);
            let count = left.min(most).min(piece.len() - from);
            given += count as u64;
            (count > 0).then(|| piece.slice(from..from + count))
        })
    }

    /// The same, with a pause before each piece.
    pub fn paced(mut self, pause: Duration) -> Self {
        self.pace = Some((pause, Box::pin(sleep_until(Instant::now() + pause))));
        self
    }

    /// How many bytes are left, if that is told.
    pub fn length(&self) -> Option<u64> {
        self.left
    }
}

/// A body being sent, whose end is logged.
pub(crate) struct Body {
    source: Source,
    ticket: Ticket,
}

impl Body {
    pub fn new(source: Source, ticket: Ticket) -> Self {
        Self { source, ticket }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { source, ticket } = &mut *self;
        if let Some((pause, sleep)) = &mut source.pace {
            ready!(sleep.as_mut().poll(context));
            let next = sleep.deadline() + *pause;
            sleep.as_mut().reset(next);
        }
        let Some(piece) = source.pieces.next() else {
            return Poll::Ready(None);
        };
        ticket.sent(piece.len());
        if let Some(left) = &mut source.left {
            *left = left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.source.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.source.left {
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_piece_has_the_length_told() {
        let piece = Bytes::from_static(b"abc");
        let bytes = |length, most| -> Vec<u8> {
            Source::repeat(piece.clone(), length, most)
                .flatten()
                .collect()
        };
        assert_eq!(bytes(8, 100), b"abcabcab");
        assert_eq!(bytes(8, 2), b"abcabcab");
        assert_eq!(bytes(0, 2), b"");
    }
}
