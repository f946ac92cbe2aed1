//! What the shards and the handles of a pool share.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::bell::Bells;
use super::callbacks::Callbacks;
use super::config::ThrottleFn;
use super::inbox::{Inbox, Message, Order};
use super::log::Log;
use super::task::Task;
#[cfg(test)]
use super::trap::Trap;
use super::workers::Workers;
use crate::address::Limits;
use crate::engine::Names;
use crate::fetch::Heads;
use crate::plan::Plans;

/// What the shards and the handles of a pool share.
pub(crate) struct Common {
    pub workers: Workers,
    pub names: Arc<Names>,
    pub heads: Heads,
    pub plans: Plans,
    pub callbacks: Callbacks,
    pub throttle_fn: Option<ThrottleFn>,
    pub limits: Arc<Limits>,
    pub log: Log,
    pub inboxes: Vec<Arc<Inbox>>,
    /// Those of the inboxes.
    pub bells: Bells,
    pub connections: Arc<AtomicU64>,
    /// The live groups of each shard.
    pub groups: Vec<AtomicU64>,
    /// Which shard a group lives in.
    hasher: RandomState,
    #[cfg(test)]
    pub trap: Trap,
}

impl Common {
    /// `shards` of them share `max_workers` workers.
    pub fn new(
        shards: u32,
        max_workers: u32,
        throttle_fn: Option<ThrottleFn>,
        limits: Limits,
    ) -> io::Result<Self> {
        let inboxes = (0..shards)
            .map(|_| Inbox::new().map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            workers: Workers::new(max_workers as usize, shards as usize),
            names: Arc::new(Names::new()),
            heads: Heads::default(),
            plans: Plans::default(),
            callbacks: Callbacks::default(),
            throttle_fn,
            limits: Arc::new(limits),
            log: Log::default(),
            bells: inboxes
                .iter()
                .map(|inbox| Arc::clone(&inbox.bell))
                .collect(),
            inboxes,
            connections: Arc::default(),
            groups: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            #[cfg(test)]
            trap: Trap::default(),
        })
    }

    /// The shard that a group lives in.
    pub fn shard_of(&self, group: &str) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(group.as_bytes());
        (hasher.finish() % self.inboxes.len() as u64) as usize
    }

    /// Leaves a job with its group's shard.
    pub fn hand_in(&self, task: Box<Task>) {
        let shard = self.shard_of(task.group());
        let inbox = &self.inboxes[shard];
        inbox.leave(Message::Job(task));
        // This is asked after the job is there, or the shard could fall asleep between the two.
        if !self.workers.busy(shard) {
            inbox.bell.ring();
        }
    }

    /// Tells a group's shard about the group.
    pub fn tell(&self, group: Box<str>, order: Order) {
        let shard = self.shard_of(&group);
        self.inboxes[shard].send(Message::Group(Box::new((group, order))));
    }

    pub fn broadcast(&self, message: impl Fn() -> Message) {
        for inbox in &self.inboxes {
            inbox.send(message());
        }
    }

    pub fn ring(&self, shards: impl Iterator<Item = usize>) {
        for shard in shards {
            self.bells[shard].ring();
        }
    }

    /// Where the tests have a shard panic.
    #[inline]
    pub fn pass(&self, _place: &'static str) {
        #[cfg(test)]
        self.trap.pass(_place);
    }
}
