//! How other threads wake a shard.

use std::io;
use std::sync::Arc;

use crate::sync::Poller;
use crate::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Wakes one shard. Whoever rings needs to know nothing else of it.
pub(crate) struct Bell {
    /// The shard waits on its poller, or is about to.
    asleep: AtomicBool,
    /// It was rung since the shard last fell to work.
    rung: AtomicBool,
    poller: Arc<Poller>,
}

/// The bells of a pool's shards.
pub(crate) type Bells = Arc<[Arc<Bell>]>;

impl Bell {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            asleep: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            poller: Arc::new(Poller::new()?),
        })
    }

    pub fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    pub fn ring(&self) {
        self.rung.store(true, SeqCst);
        if self.asleep.swap(false, SeqCst) {
            // This fails only if the poller is broken. The shard notices that too, and says it.
            let _ = self.poller.notify();
        }
    }

    /// The shard falls to work, which covers all that rang until now.
    pub fn silence(&self) {
        self.rung.store(false, SeqCst);
    }

    /// Runs `wait` as the shard's sleep, unless the bell was rung or there is something to do. That
    /// is asked after the shard has said that it sleeps: whatever comes later wakes it.
    pub fn sleep<T>(&self, is_idle: impl FnOnce() -> bool, wait: impl FnOnce() -> T) -> Option<T> {
        self.asleep.store(true, SeqCst);
        let sleeps = !self.rung.load(SeqCst) && is_idle();
        let outcome = sleeps.then(wait);
        self.asleep.store(false, SeqCst);
        outcome
    }
}
