//! When to look at which group again.

use super::Time;
use super::slab::Id;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Room for this many entries is kept when none is left.
const KEPT: usize = 1024;

/// Groups by time. Nearly all of them rest equally long from now, and a new entry is mostly the latest
/// of all. Such entries lie in a row; only the others cost a search for their place.
#[derive(Debug, Default)]
pub(super) struct Timers {
    row: VecDeque<(Time, Id)>,
    heap: BinaryHeap<Reverse<(Time, Id)>>,
}

impl Timers {
    /// `usual`: whether the group rests as long as most. A group that rests for an hour would end the
    /// row for all that come within it.
    pub(super) fn push(&mut self, time: Time, id: Id, usual: bool) {
        match usual && self.row.back().is_none_or(|last| *last <= (time, id)) {
            true => self.row.push_back((time, id)),
            false => self.heap.push(Reverse((time, id))),
        }
    }

    /// The first entry.
    pub(super) fn peek(&self) -> Option<(Time, Id)> {
        let heap = self.heap.peek().map(|Reverse(entry)| *entry);
        let row = self.row.front().copied();
        row.into_iter().chain(heap).min()
    }

    pub(super) fn pop(&mut self) -> Option<(Time, Id)> {
        let first = self.peek()?;
        if self.row.front() == Some(&first) {
            self.row.pop_front();
            if self.row.is_empty() {
                self.row.shrink_to(KEPT);
            }
        } else {
            self.heap.pop();
            if self.heap.is_empty() {
                self.heap.shrink_to(KEPT);
            }
        }
        Some(first)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.row.len() + self.heap.len()
    }
}
