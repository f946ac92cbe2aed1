//! What curl's callbacks and the engine share.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::sockets::Sockets;
use crate::address::Limits;

/// What curl's callbacks and the engine share. Only the shard's thread uses it; the callbacks'
/// signatures demand the locks, which are never contended.
pub(super) struct Shared {
    pub sockets: Mutex<Sockets>,
    pub timer: Timer,
    /// Counts the shard's turns.
    pub turn: AtomicU64,
    /// The transfers that have used their share of a turn.
    pub paused: Mutex<Vec<usize>>,
    pub connections: Arc<AtomicU64>,
    pub limits: Arc<Limits>,
}

impl Shared {
    pub fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn paused(&self) -> MutexGuard<'_, Vec<usize>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn opened(&self, fd: RawFd) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.sockets().opened(fd);
    }
}

/// When curl wants to be called next, in nanoseconds from `epoch`. It is not a lock because curl sets
/// it several times a request.
pub(super) struct Timer {
    epoch: Instant,
    at: AtomicU64,
}

impl Timer {
    const OFF: u64 = u64::MAX;
    const NOW: u64 = 0;

    pub fn new() -> Self {
        Self {
            epoch: Instant::now(),
            at: AtomicU64::new(Self::OFF),
        }
    }

    pub fn set(&self, delay: Option<Duration>) {
        let at = match delay {
            None => Self::OFF,
            Some(Duration::ZERO) => Self::NOW,
            Some(delay) => (self.epoch.elapsed() + delay).as_nanos() as u64,
        };
        self.at.store(at, Ordering::Relaxed);
    }

    /// The time, if there is one; a time that has passed counts as now.
    pub fn at(&self) -> Option<Instant> {
        match self.at.load(Ordering::Relaxed) {
            Self::OFF => None,
            at => Some(self.epoch + Duration::from_nanos(at)),
        }
    }

    /// Whether its time has come.
    pub fn is_due(&self) -> bool {
        self.at.load(Ordering::Relaxed) == Self::NOW
    }

    /// Turns it off and returns true if its time has come.
    pub fn take_due(&self) -> bool {
        let due = match self.at.load(Ordering::Relaxed) {
            Self::OFF => false,
            Self::NOW => true,
            at => self.epoch.elapsed() >= Duration::from_nanos(at),
        };
        if due {
            self.set(None);
        }
        due
    }
}
