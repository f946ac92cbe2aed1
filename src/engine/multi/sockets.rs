//! Which sockets curl waits for, and what the poller knows of them.
//!
//! curl forgets a socket at the end of a transfer and asks for it again when the connection is reused,
//! often in the same turn. Telling the poller at once would cost two system calls a request. Collecting
//! the changes until just before the wait mostly costs none.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;

use polling::{Event, PollMode};
use socket2::SockRef;

use super::idle::{Speech, State, acknowledge};
use crate::process::fork;
use crate::sync::Poller;

/// How often a reused connection is examined closely: a server that sends something unasked mostly does
/// so behind each answer.
const TRIALS: u8 = 2;

/// The number of refusals remembered until the transfers on those connections have heard of them.
const REFUSALS: usize = 64;

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
    /// The registered interest; `None`: the descriptor is not in the poller.
    registered: Option<Interest>,
    /// Whether it stands in `changed`.
    changed: bool,
    /// Whether it belongs to a connection. We hear when a connection closes, and it may stay registered
    /// while nobody wants it. curl's own descriptors close unseen.
    connection: bool,
    /// What is known of the connection since a request was about to go out on it.
    link: Option<Link>,
    /// The last wait that found it ready.
    ready: u32,
}

#[derive(Clone, Copy)]
struct Link {
    /// curl's number of the connection.
    id: i64,
    speech: Speech,
    /// Whether something came that nobody asked for.
    spent: bool,
    /// How many requests went out on it after the first, counted only while few.
    reused: u8,
    /// How many transfers have a request on it. A paused transfer counts, though curl waits for nothing
    /// there meanwhile.
    users: u32,
}

/// The bookkeeping of one multi handle's sockets. It is a table, not a map, because descriptors are
/// small numbers.
pub(super) struct Sockets {
    poller: Arc<Poller>,
    entries: Vec<Entry>,
    /// Descriptors whose interest may differ from what is registered.
    changed: Vec<RawFd>,
    /// The sockets of connections, by curl's numbers.
    links: HashMap<i64, RawFd>,
    /// The latest connections that ended because their servers want HTTP/1.1, and whether the server
    /// looked at none of the requests.
    refusals: VecDeque<(i64, bool)>,
    /// The number of waits so far.
    waits: u32,
}

impl Sockets {
    pub fn new(poller: Arc<Poller>) -> Self {
        Self {
            poller,
            entries: Vec::new(),
            changed: Vec::new(),
            links: HashMap::new(),
            refusals: VecDeque::new(),
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

    /// A connection's socket was opened; what was known of that number no longer holds.
    pub fn opened(&mut self, fd: RawFd) {
        self.unlink(fd);
        let entry = self.entry(fd);
        entry.wanted = Interest::NONE;
        entry.registered = None;
        entry.connection = true;
    }

    /// A connection's socket is about to be closed. The kernel then drops it from the poller, but not
    /// while a forked process has a copy.
    pub fn closing(&mut self, fd: RawFd) {
        if fork::has_forked() {
            self.remove(fd);
        }
        self.unlink(fd);
        let entry = self.entry(fd);
        entry.wanted = Interest::NONE;
        entry.registered = None;
        entry.connection = false;
    }

    fn unlink(&mut self, fd: RawFd) {
        if let Some(link) = self.entry(fd).link.take() {
            self.links.remove(&link.id);
        }
    }

    /// The socket of the connection with that curl number, if it was met.
    pub fn socket_of(&self, id: i64) -> Option<RawFd> {
        self.links.get(&id).copied()
    }

    /// The server of a connection wants HTTP/1.1. `none`: it looked at none of the requests there.
    pub fn note_http1(&mut self, id: i64, none: bool) {
        if self.refusals.len() == REFUSALS {
            self.refusals.pop_front();
        }
        self.refusals.push_back((id, none));
    }

    /// Whether `note_http1` was called for a connection, and with what.
    pub fn http1_wanted(&self, id: i64) -> Option<bool> {
        let told = self.refusals.iter().find(|(other, _)| *other == id);
        told.map(|(_, none)| *none)
    }

    /// Whether HTTP/2 is spoken on a connection.
    pub fn speaks_http2(&mut self, fd: RawFd) -> bool {
        self.entry(fd).link.is_some_and(|link| link.speech.http2)
    }

    /// A request is about to go out on a connection for the first time.
    pub fn met(&mut self, fd: RawFd, id: i64, speech: Speech) {
        // Another transfer may have been the first on it.
        let known = self.entry(fd).link.filter(|link| link.id == id);
        self.unlink(fd);
        self.entry(fd).link = Some(Link {
            id,
            speech,
            spent: false,
            reused: 0,
            users: known.map_or(0, |link| link.users),
        });
        self.links.insert(id, fd);
    }

    /// No further request may go out on a connection.
    pub fn give_up(&mut self, id: i64) {
        if let Some(fd) = self.socket_of(id)
            && let Some(link) = &mut self.entry(fd).link
        {
            link.spent = true;
        }
    }

    /// A transfer's request goes out on a connection, which is in use until `left`.
    pub fn joined(&mut self, fd: RawFd) {
        if let Some(link) = &mut self.entry(fd).link {
            link.users += 1;
        }
    }

    /// A transfer that joined a connection has ended.
    pub fn left(&mut self, id: i64) {
        if let Some(fd) = self.socket_of(id)
            && let Some(link) = &mut self.entry(fd).link
        {
            link.users = link.users.saturating_sub(1);
        }
    }

    /// Whether transfers run on a connection and own what comes there.
    fn is_used(&mut self, fd: RawFd) -> bool {
        self.entry(fd).link.is_some_and(|link| link.users > 0)
    }

    /// Whether a request may go out on a kept connection.
    pub fn is_fit(&mut self, fd: RawFd) -> bool {
        if let Some(link) = &mut self.entry(fd).link {
            if link.speech.http2 && link.users > 0 {
                return !link.spent;
            }
            if link.reused < TRIALS {
                link.reused += 1;
                // SAFETY: as for its state.
                acknowledge(unsafe { BorrowedFd::borrow_raw(fd) });
            }
        }
        self.state(fd) != State::Spent
    }

    /// The state of a connection that nobody uses. A spent one stays spent.
    fn state(&mut self, fd: RawFd) -> State {
        let Some(link) = &mut self.entry(fd).link else {
            return State::Harmless;
        };
        if !link.spent {
            // SAFETY: the socket has not been closed, or the link would be gone. Its TLS lives too,
            // because curl ends it in the call that closes the socket. No TLS proxy lies between,
            // because connections to such proxies are not kept.
            let state = unsafe { link.speech.state(BorrowedFd::borrow_raw(fd)) };
            if state != State::Spent {
                return state;
            }
            link.spent = true;
        }
        State::Spent
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

    /// Tells the poller what has changed, just before it waits.
    pub fn flush(&mut self) -> io::Result<()> {
        self.waits = self.waits.wrapping_add(1);
        while let Some(fd) = self.changed.pop() {
            let entry = self.entry(fd);
            entry.changed = false;
            let Entry {
                wanted, registered, ..
            } = *entry;
            // An idle connection stays registered, because most are soon wanted again in the same way.
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

    /// Whether curl is to hear of an event. If nobody wants it, there are two cases. All transfers on
    /// the connection are paused: it is left alone until one goes on. Or it is idle: it is examined,
    /// and given up if what came makes it unfit.
    pub fn wanted(&mut self, fd: RawFd, readable: bool) -> bool {
        if self.entry(fd).wanted != Interest::NONE {
            return true;
        }
        let is_idle = self.entry(fd).connection && !self.is_used(fd);
        let state = match readable && is_idle {
            true => self.state(fd),
            false => State::Harmless,
        };
        if state != State::Quiet {
            // It would be ready for ever.
            self.remove(fd);
        }
        if state == State::Spent {
            // SAFETY: as for its state. curl closes it at its next look, and the shutdown spares its
            // peer that wait. A socket that is closed already does no harm.
            let _ = SockRef::from(&unsafe { BorrowedFd::borrow_raw(fd) }).shutdown(Shutdown::Both);
        }
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
            // SAFETY: only borrowed for the call. If it was closed unseen, the call fails, and nothing
            // is left to do.
            let _ = self.poller.delete(unsafe { BorrowedFd::borrow_raw(fd) });
        }
    }
}
