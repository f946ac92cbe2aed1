//! The descriptor that tells an event loop of results.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// The descriptor does not tell of results again so soon while more are to come. An event loop then
/// finds several at once, and most of its wake-ups are saved.
const QUIET: Duration = Duration::from_millis(1);

/// A pipe that holds a byte while there is something to take.
pub(super) struct Event {
    reader: PipeReader,
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
            reader,
            writer,
            readable: false,
            told: None,
        })
    }

    pub fn fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    pub fn set(&mut self, readable: bool) {
        if self.readable == readable {
            return;
        }
        if !readable {
            // It is empty already if the caller reads from it.
            let _ = self.reader.read(&mut [0]);
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
