//! How other threads reach a shard.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

use super::stream::Task;
use crate::schedule::{Rule, StreamId};
use crate::sync::atomic::{AtomicBool, Ordering::SeqCst};
use crate::sync::{Mutex, MutexGuard, Poller};

/// What a shard is told.
pub(crate) enum Message {
    Job(Box<Task>),
    /// Boxed, as there are few: the others are small.
    Rule(Box<(Box<str>, Rule)>),
    Cancel(StreamId),
    /// The stream's handle is gone.
    Close(StreamId),
    Stop,
}

/// A shard's post, and the bell to wake it with.
pub(crate) struct Inbox {
    /// `None`: the shard is gone; what is sent to it now is dropped, and a dropped task has a
    /// result.
    post: Mutex<Option<VecDeque<Message>>>,
    /// The shard waits on its poller, or is about to.
    asleep: AtomicBool,
    /// Rung since the shard last fell to work.
    rung: AtomicBool,
    poller: Arc<Poller>,
}

impl Inbox {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            post: Mutex::new(Some(VecDeque::new())),
            asleep: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            poller: Arc::new(Poller::new()?),
        })
    }

    pub fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    pub fn send(&self, message: Message) {
        self.leave(message);
        self.ring();
    }

    /// Sends without waking the shard.
    pub fn leave(&self, message: Message) {
        let refused = match &mut *self.post() {
            Some(post) => {
                post.push_back(message);
                None
            }
            None => Some(message),
        };
        // Dropped out of the lock: a task's result goes to its stream.
        drop(refused);
    }

    pub fn ring(&self) {
        self.rung.store(true, SeqCst);
        if self.asleep.swap(false, SeqCst) {
            // It fails only if the poller is broken; then the shard notices too, and says so.
            let _ = self.poller.notify();
        }
    }

    /// The shard falls to work: what rang until now will be seen to.
    pub fn silence(&self) {
        self.rung.store(false, SeqCst);
    }

    /// Takes the post into `into`, which is empty and whose room is used for the next.
    pub fn empty(&self, into: &mut VecDeque<Message>) {
        if let Some(post) = &mut *self.post() {
            std::mem::swap(post, into);
        }
    }

    /// Runs `wait` as the shard's sleep, unless there is something to do.
    pub fn sleep<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        self.asleep.store(true, SeqCst);
        let idle = !self.rung.load(SeqCst) && self.post().as_ref().is_none_or(VecDeque::is_empty);
        let outcome = idle.then(wait);
        self.asleep.store(false, SeqCst);
        outcome
    }

    /// The shard is gone: drops its post, now and to come.
    pub fn close(&self) {
        let post = self.post().take();
        drop(post);
    }

    fn post(&self) -> MutexGuard<'_, Option<VecDeque<Message>>> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the shard's futures: what wakes one from another thread wakes the shard.
impl Wake for Inbox {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
