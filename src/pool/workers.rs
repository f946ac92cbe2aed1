//! Who may run a transfer: the pool's workers, shared by its shards.
//!
//! A worker is a permit, not a thread. Each shard is sure of its share. It may borrow what others
//! leave idle, but only while no other shard lacks a worker.

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

pub(crate) struct Workers {
    free: AtomicUsize,
    total: usize,
    shards: Vec<Shard>,
}

#[derive(Default)]
struct Shard {
    /// The workers it is sure of.
    share: usize,
    in_use: AtomicUsize,
    /// It has a job that could start and found no worker, or a job that it has not looked at.
    hungry: AtomicBool,
}

impl Workers {
    /// `total` workers over `shards` shards, of which there are no more than workers.
    pub fn new(total: usize, shards: usize) -> Self {
        Self {
            free: AtomicUsize::new(total),
            total,
            shards: (0..shards)
                .map(|index| Shard {
                    share: total / shards + usize::from(index < total % shards),
                    ..Shard::default()
                })
                .collect(),
        }
    }

    /// Takes a worker for a job that can start. If there is none, the shard is hungry, and hears of
    /// the next one through `release`.
    pub fn take(&self, shard: usize) -> bool {
        let own = &self.shards[shard];
        // This is said first: a worker released meanwhile is then not missed.
        own.hungry.store(true, SeqCst);
        let modest = own.in_use.load(SeqCst) < own.share || self.hungry_but(shard).next().is_none();
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

    /// The shard has no job that could start. Gives the shards to wake, because they held back for it.
    pub fn sated(&self, shard: usize) -> impl Iterator<Item = usize> {
        self.shards[shard].hungry.store(false, SeqCst);
        let free = self.free.load(SeqCst) > 0;
        self.hungry_but(shard).filter(move |_| free)
    }

    /// Whether a shard whose job has ended may give the worker to its next one.
    pub fn may_keep(&self, shard: usize) -> bool {
        let own = &self.shards[shard];
        own.in_use.load(SeqCst) <= own.share || self.hungry_but(shard).next().is_none()
    }

    /// Gives a worker back, and the shards to wake for it.
    pub fn release(&self, shard: usize) -> impl Iterator<Item = usize> {
        self.shards[shard].in_use.fetch_sub(1, SeqCst);
        self.free.fetch_add(1, SeqCst);
        self.hungry_but(shard)
    }

    /// Gives back all that a shard has, and the shards to wake for it.
    pub fn release_all(&self, shard: usize) -> impl Iterator<Item = usize> {
        let own = &self.shards[shard];
        own.hungry.store(false, SeqCst);
        self.free.fetch_add(own.in_use.swap(0, SeqCst), SeqCst);
        self.hungry_but(shard)
    }

    /// Whether a shard that just got a job need not hear of it: no worker is free, and the end of one
    /// of its own jobs will have it look.
    pub fn busy(&self, shard: usize) -> bool {
        let own = &self.shards[shard];
        if own.in_use.load(SeqCst) == 0 {
            return false;
        }
        // This is said first: a worker that another shard releases from now on wakes this one.
        own.hungry.store(true, SeqCst);
        self.free.load(SeqCst) == 0
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
    fn all_workers_are_lent_when_all_are_hungry() {
        let workers = Workers::new(7, 4);
        for shard in 0..4 {
            workers.busy(shard);
            assert!(workers.take(shard));
        }
        let more = (0..4).filter(|&shard| workers.take(shard)).count();
        assert_eq!((more, workers.in_use()), (3, 7));
    }

    #[test]
    fn a_shard_that_held_back_is_woken_when_the_other_is_sated() {
        let workers = Workers::new(4, 2);
        assert!((0..4).all(|_| workers.take(0)));
        assert!(!workers.take(1));
        workers.release(0).for_each(drop);
        workers.release(0).for_each(drop);
        assert!(!workers.take(0), "another is hungry");
        assert!(workers.take(1));
        assert_eq!(workers.sated(1).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_job_left_with_a_busy_shard_is_heard_of_when_another_releases() {
        let workers = Workers::new(2, 2);
        assert!(workers.take(0) && workers.take(1));
        assert!(workers.busy(0));
        assert_eq!(workers.release(1).collect::<Vec<_>>(), [0]);
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
        workers.sated(0).for_each(drop);
        assert!(workers.take(1));
        assert!(!workers.take(1));
    }

    #[test]
    fn a_worker_is_kept_but_what_was_borrowed_is_not_when_another_is_hungry() {
        let workers = Workers::new(4, 2);
        assert!((0..3).all(|_| workers.take(0)));
        assert!(workers.may_keep(0));
        assert!(workers.take(1) && !workers.take(1));
        assert!(!workers.may_keep(0), "it has one more than its share");
        workers.release(0).for_each(drop);
        assert!(workers.may_keep(0));
    }
}
