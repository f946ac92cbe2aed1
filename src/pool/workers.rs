//! Who may run a transfer: the pool's workers, shared by its shards.
//!
//! A worker is a permit, not a thread. Each shard is sure of its share; what others leave idle it
//! may borrow, but only while no other shard wants for one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

pub(crate) struct Workers {
    free: AtomicUsize,
    total: usize,
    share: usize,
    shards: Vec<Shard>,
}

#[derive(Default)]
struct Shard {
    in_use: AtomicUsize,
    /// It has a job that could start and found no worker.
    hungry: AtomicBool,
}

impl Workers {
    /// `total` workers over `shards` shards, of which there are no more than workers.
    pub fn new(total: usize, shards: usize) -> Self {
        Self {
            free: AtomicUsize::new(total),
            total,
            share: total / shards,
            shards: (0..shards).map(|_| Shard::default()).collect(),
        }
    }

    /// Takes a worker for a job that can start. If there is none the shard is hungry, and hears
    /// of the next one through `release`.
    pub fn take(&self, shard: usize) -> bool {
        let own = &self.shards[shard];
        // Said first, so that a worker released meanwhile is not missed.
        own.hungry.store(true, SeqCst);
        let modest =
            own.in_use.load(SeqCst) < self.share || self.hungry_but(shard).next().is_none();
        let taken = modest
            && self
                .free
                .fetch_update(SeqCst, SeqCst, |free| free.checked_sub(1))
                .is_ok();
        if taken {
            own.hungry.store(false, SeqCst);
            own.in_use.fetch_add(1, SeqCst);
        }
        taken
    }

    /// The shard has no job that could start.
    pub fn sated(&self, shard: usize) {
        self.shards[shard].hungry.store(false, SeqCst);
    }

    /// Gives a worker back; the shards to wake for it.
    pub fn release(&self, shard: usize) -> impl Iterator<Item = usize> {
        self.shards[shard].in_use.fetch_sub(1, SeqCst);
        self.free.fetch_add(1, SeqCst);
        self.hungry_but(shard)
    }

    /// Whether a shard that just got a job need not hear of it: no worker is free, and one of its
    /// own will end and bring it round.
    pub fn busy(&self, shard: usize) -> bool {
        self.free.load(SeqCst) == 0 && self.shards[shard].in_use.load(SeqCst) > 0
    }

    pub fn in_use(&self) -> usize {
        self.total - self.free.load(SeqCst)
    }

    fn hungry_but(&self, shard: usize) -> impl Iterator<Item = usize> {
        self.shards
            .iter()
            .enumerate()
            .filter(move |(index, other)| *index != shard && other.hungry.load(SeqCst))
            .map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_borrows_what_others_leave() {
        let workers = Workers::new(4, 2);
        assert!((0..4).all(|_| workers.take(0)));
        assert!(!workers.take(0));
        assert_eq!(workers.in_use(), 4);
    }

    #[test]
    fn a_hungry_shard_gets_its_share_back() {
        let workers = Workers::new(4, 2);
        assert!((0..4).all(|_| workers.take(0)));
        assert!(!workers.take(1));
        assert_eq!(workers.release(0).collect::<Vec<_>>(), [1]);
        assert!(
            !workers.take(0),
            "it has more than its share, and another is hungry"
        );
        assert!(workers.take(1));
        workers.release(0).for_each(drop);
        workers.sated(0);
        assert!(workers.take(1));
        assert!(!workers.take(1));
    }
}
