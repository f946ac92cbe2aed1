//! The descriptor that tells an event loop of results.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The descriptor does not tell of results again so soon while more are to come. An event loop then
/// finds several at once, and most of its wake-ups are saved.
const QUIET: Duration = Duration::from_millis(1);

/// A descriptor that polls readable while a result can be taken or the stream is done.
///
/// After it told of results it may tell of the next up to 1 ms late, while there is more to come:
/// several are then there at once. An event loop that can only read may read from it: it never blocks,
/// and gives a byte for each time that there is something after there was nothing. It stays open for
/// as long as this value or the stream lives, and is readable for good when the stream is gone.
#[derive(Clone, Debug)]
pub struct EventFd(Arc<PipeReader>);

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A pipe that holds a byte while there is something to take.
pub(super) struct Event {
    reader: Arc<PipeReader>,
    writer: PipeWriter,
    readable: bool,
    /// When it last became readable.
    told: Option<Instant>,
}

impl Event {
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        Ok(Self {
            reader: Arc::new(reader),
            writer,
            readable: false,
            told: None,
        })
    }

    pub fn fd(&self) -> EventFd {
        EventFd(Arc::clone(&self.reader))
    }

    pub fn set(&mut self, readable: bool) {
        if self.readable == readable {
            return;
        }
        if !readable {
            // It is empty already if the caller reads from it.
            let _ = (&*self.reader).read(&mut [0]);
        } else if self.writer.write_all(&[1]).is_err() {
            // This cannot be: the pipe holds one byte at most.
            return;
        } else {
            self.told = Some(Instant::now());
        }
        self.readable = readable;
    }

    /// Until when it is best left alone.
    pub fn quiet(&self) -> Option<Instant> {
        let told = self.told.filter(|_| !self.readable)?;
        let until = told.checked_add(QUIET)?;
        (Instant::now() < until).then_some(until)
    }
}
