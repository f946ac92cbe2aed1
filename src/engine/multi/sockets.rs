//! Which sockets curl waits for, and what the poller was told of it.
//!
//! curl forgets a socket at the end of a transfer and asks for it again when the connection is
//! reused, often in the same turn. Told to the poller at once that is two system calls a request;
//! gathered until just before the wait it is mostly none.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;

use polling::{Event, PollMode};

use crate::sync::Poller;

use crate::engine::fork;

/// What curl wants to know of a socket, or what the poller was asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Interest {
    pub read: bool,
    pub write: bool,
}

impl Interest {
    const NONE: Self = Self {
        read: false,
        write: false,
    };
}

#[derive(Clone, Copy, Default)]
struct Entry {
    wanted: Interest,
    /// What is registered; `None`: the descriptor is not in the poller.
    registered: Option<Interest>,
    /// Whether it stands in `changed`.
    changed: bool,
    /// Whether it is a connection's: we hear of its closing, so it may stay registered while
    /// nobody wants it. curl's own descriptors close unseen.
    connection: bool,
    /// The last wait that found it ready.
    ready: u32,
}

/// The bookkeeping of one multi handle's sockets. Descriptors are small numbers: a table, not a map.
pub(super) struct Sockets {
    poller: Arc<Poller>,
    entries: Vec<Entry>,
    /// Descriptors whose interest may differ from what is registered.
    changed: Vec<RawFd>,
    /// Counts the waits.
    waits: u32,
}

impl Sockets {
    pub fn new(poller: Arc<Poller>) -> Self {
        Self {
            poller,
            entries: Vec::new(),
            changed: Vec::new(),
            waits: 0,
        }
    }

    fn entry(&mut self, fd: RawFd) -> &mut Entry {
        // Descriptors are not negative.
        let index = fd as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, Entry::default());
        }
        &mut self.entries[index]
    }

    /// A connection's socket was opened; nothing known of that number holds any more.
    pub fn opened(&mut self, fd: RawFd) {
        let entry = self.entry(fd);
        entry.wanted = Interest::NONE;
        entry.registered = None;
        entry.connection = true;
    }

    /// A connection's socket is about to be closed: the kernel drops it from the poller, but not as
    /// long as a forked process has a copy.
    pub fn closing(&mut self, fd: RawFd) {
        if fork::has_forked() {
            self.remove(fd);
        }
        let entry = self.entry(fd);
        entry.wanted = Interest::NONE;
        entry.registered = None;
        entry.connection = false;
    }

    /// curl wants this of the socket from now on.
    pub fn want(&mut self, fd: RawFd, wanted: Interest) {
        let entry = self.entry(fd);
        entry.wanted = wanted;
        if wanted == Interest::NONE && !entry.connection {
            // Its number may mean another descriptor by the time of the flush.
            self.remove(fd);
            return;
        }
        if !entry.changed {
            entry.changed = true;
            self.changed.push(fd);
        }
    }

    /// Tells the poller what has changed. Called just before it waits.
    pub fn flush(&mut self) -> io::Result<()> {
        self.waits = self.waits.wrapping_add(1);
        while let Some(fd) = self.changed.pop() {
            let entry = self.entry(fd);
            entry.changed = false;
            let Entry {
                wanted, registered, ..
            } = *entry;
            // An idle connection stays registered: most are wanted again just as they were.
            if wanted == Interest::NONE || registered == Some(wanted) {
                continue;
            }
            let event = Event::new(fd as usize, wanted.read, wanted.write);
            let outcome = match registered {
                // SAFETY: curl wants the socket, so it is open; it is forgotten when it closes.
                None => unsafe { self.poller.add_with_mode(fd, event, PollMode::Level) },
                Some(_) => {
                    // SAFETY: as above.
                    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
                    self.poller.modify_with_mode(fd, event, PollMode::Level)
                }
            };
            outcome?;
            self.entry(fd).registered = Some(wanted);
        }
        Ok(())
    }

    /// Whether curl is to hear of an event. If nobody wants it (an idle connection was closed by
    /// its peer), the socket is taken out of the poller, or it would be ready for ever.
    pub fn wanted(&mut self, fd: RawFd) -> bool {
        if self.entry(fd).wanted != Interest::NONE {
            return true;
        }
        self.remove(fd);
        false
    }

    /// A wait found it ready.
    pub fn note_ready(&mut self, fd: RawFd) {
        let wait = self.waits;
        self.entry(fd).ready = wait;
    }

    /// Whether the last wait found it ready.
    pub fn was_ready(&self, fd: RawFd) -> bool {
        let entry = self.entries.get(fd as usize);
        entry.is_some_and(|entry| entry.ready == self.waits)
    }

    fn remove(&mut self, fd: RawFd) {
        if self.entry(fd).registered.take().is_some() {
            // SAFETY: only borrowed for the call; if it was closed unseen the call fails, which
            // leaves things as they should be.
            let _ = self.poller.delete(unsafe { BorrowedFd::borrow_raw(fd) });
        }
    }
}
