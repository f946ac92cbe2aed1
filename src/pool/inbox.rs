//! What other threads tell a shard.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, PoisonError};

use super::answer::Answer;
use super::bell::Bell;
use super::task::Task;
use crate::schedule::{Rule, StreamId};
use crate::sync::{Mutex, MutexGuard};

/// What a shard is told about a group.
pub(crate) enum Order {
    Rule(Rule),
    /// Hold it, and answer how many of its jobs are under way.
    Hold(Answer<u64>),
    Release,
}

/// What a shard is told.
pub(crate) enum Message {
    Job(Box<Task>),
    /// About a group. It is boxed because it is rare and large, and the others are small.
    Group(Box<(Box<str>, Order)>),
    Cancel(StreamId),
    /// The stream's handle is gone.
    Close(StreamId),
    Stop,
}

/// A shard's post, and the bell to wake it with.
pub(crate) struct Inbox {
    /// `None`: the shard is gone. What is sent to it now is dropped, and a dropped task gives its
    /// result.
    post: Mutex<Option<VecDeque<Message>>>,
    pub bell: Arc<Bell>,
}

impl Inbox {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            post: Mutex::new(Some(VecDeque::new())),
            bell: Arc::new(Bell::new()?),
        })
    }

    pub fn send(&self, message: Message) {
        self.leave(message);
        self.bell.ring();
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
        // The lock is free by now: a dropped task's result goes to its stream.
        drop(refused);
    }

    /// Takes the post into `into`, which is empty and whose room is used for the next post.
    pub fn empty(&self, into: &mut VecDeque<Message>) {
        if let Some(post) = &mut *self.post() {
            std::mem::swap(post, into);
        }
    }

    /// Runs `wait` as the shard's sleep, unless there is something to do.
    pub fn sleep<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        let is_idle = || self.post().as_ref().is_none_or(VecDeque::is_empty);
        self.bell.sleep(is_idle, wait)
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
