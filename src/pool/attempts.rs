//! The attempts under way on a shard: futures, polled on its thread when they were woken.
//!
//! Hundreds of thousands start and end in a second. Therefore nothing is allocated for one but its
//! future: the wakers belong to the places, which are used again.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use slab::Slab;

use super::bell::Bell;
use crate::sync::{Mutex, MutexGuard};

/// An attempt, which ends in a `T`; what it belongs to is a `K`.
type Running<K, T> = (K, Pin<Box<dyn Future<Output = T>>>);

/// The attempts of a shard.
pub(super) struct Attempts<K, T> {
    running: Slab<Running<K, T>>,
    /// Not polled yet.
    fresh: Vec<usize>,
    /// One for each place. They outlive its attempts: a wake-up that comes late wakes the next one for
    /// nothing, which is harmless.
    wakers: Vec<Waker>,
    woken: Arc<Woken>,
    /// Room for the next to be woken.
    spare: Vec<usize>,
    /// Whether the attempt that is polled is to break off.
    broken: Rc<Cell<bool>>,
}

/// The places that were woken, and the bell of their shard.
struct Woken {
    places: Mutex<Vec<usize>>,
    bell: Arc<Bell>,
}

impl Woken {
    fn places(&self) -> MutexGuard<'_, Vec<usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Place {
    index: usize,
    all: Arc<Woken>,
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut places = self.all.places();
        places.push(self.index);
        let first = places.len() == 1;
        drop(places);
        // The ring for the first tells of all that come until the shard looks.
        if first {
            self.all.bell.ring();
        }
    }
}

impl<K: Copy + PartialEq, T> Attempts<K, T> {
    /// `bell` is rung when there is something to poll.
    pub fn new(bell: Arc<Bell>) -> Self {
        Self {
            running: Slab::new(),
            fresh: Vec::new(),
            wakers: Vec::new(),
            woken: Arc::new(Woken {
                places: Mutex::default(),
                bell,
            }),
            spare: Vec::new(),
            broken: Rc::default(),
        }
    }

    /// Tells an attempt that it is broken off.
    pub fn line(&self) -> Line {
        Line(Rc::clone(&self.broken))
    }

    /// Takes in an attempt, to be polled by the next `poll`.
    pub fn push(&mut self, owner: K, attempt: impl Future<Output = T> + 'static) {
        let index = self.running.insert((owner, Box::pin(attempt)));
        if index == self.wakers.len() {
            let all = Arc::clone(&self.woken);
            self.wakers.push(Arc::new(Place { index, all }).into());
        }
        self.fresh.push(index);
    }

    /// Polls those that are new or were woken, and gives what they ended in.
    pub fn poll(&mut self, ended: &mut Vec<T>) {
        let mut due = std::mem::take(&mut self.spare);
        std::mem::swap(&mut due, &mut self.woken.places());
        due.append(&mut self.fresh);
        for index in due.drain(..) {
            ended.extend(self.poll_one(index));
        }
        self.spare = due;
    }

    fn poll_one(&mut self, index: usize) -> Option<T> {
        let (_, attempt) = self.running.get_mut(index)?;
        let mut context = Context::from_waker(&self.wakers[index]);
        match attempt.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => {
                drop(self.running.remove(index));
                Some(outcome)
            }
            Poll::Pending => None,
        }
    }

    /// Breaks off all attempts of an owner.
    pub fn break_off(&mut self, owner: K, ended: &mut Vec<T>) {
        let theirs = self
            .running
            .iter()
            .filter(|(_, (other, _))| *other == owner);
        let theirs: Vec<usize> = theirs.map(|(index, _)| index).collect();
        self.broken.set(true);
        for index in theirs {
            ended.extend(self.poll_one(index));
        }
        self.broken.set(false);
    }
}

/// Breaks an attempt off.
pub(super) struct Line(Rc<Cell<bool>>);

impl Line {
    /// A future's outcome; `None`: it was broken off.
    pub async fn until_broken<T>(self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|context| match self.0.get() {
            true => Poll::Ready(None),
            false => future.as_mut().poll(context).map(Some),
        })
        .await
    }
}
