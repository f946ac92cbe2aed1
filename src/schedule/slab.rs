//! Stores with reused slots, and linked lists threaded through them. They let a queued job cost a few
//! tens of bytes and no allocation of its own.

use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// The slot of a value in a [`Slab`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(NonZeroU32);

impl Id {
    /// The lowest of all, where a search in an ordered set begins.
    pub(super) const MIN: Self = Self(NonZeroU32::MIN);

    /// Counts from one, which makes an `Option<Id>` as small as an `Id`.
    fn from_index(index: usize) -> Self {
        let id = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(id.expect("fewer than four billion slots"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Debug)]
enum Slot<T> {
    Used(T),
    Free(Option<Id>),
}

/// The number of slots in a chunk.
const CHUNK: usize = 1024;

/// Values in reusable slots; the free ones form a list. Slots lie in chunks, which lets millions of
/// them grow without copying or doubling. When the last value goes, all chunks but one are freed.
#[derive(Debug)]
pub(super) struct Slab<T> {
    /// All chunks are full except the last, which is never empty.
    chunks: Vec<Vec<Slot<T>>>,
    free: Option<Id>,
    len: usize,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: None,
            len: 0,
        }
    }

    /// The number of values.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, value: T) -> Id {
        self.len += 1;
        let Some(id) = self.free else {
            return self.push(value);
        };
        let slot = self.slot(id);
        let next = match *slot {
            Slot::Free(next) => next,
            Slot::Used(_) => unreachable!("a free id"),
        };
        *slot = Slot::Used(value);
        self.free = next;
        id
    }

    /// Adds a slot.
    fn push(&mut self, value: T) -> Id {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            // The first chunk grows as needed, because most slabs stay small.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let last = self.chunks.last_mut().expect("added above");
        last.push(Slot::Used(value));
        Id::from_index(before + last.len() - 1)
    }

    /// Removes the value; the slot may be reused at once.
    pub(super) fn remove(&mut self, id: Id) -> T {
        let free = self.free;
        let slot = std::mem::replace(self.slot(id), Slot::Free(free));
        let Slot::Used(value) = slot else {
            unreachable!("an id is given back once");
        };
        self.free = Some(id);
        self.len -= 1;
        if self.len == 0 {
            self.chunks.truncate(1);
            self.chunks[0].clear();
            self.free = None;
        }
        value
    }

    /// The value of that slot; `None` if the slot is free.
    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let (chunk, place) = (id.index() / CHUNK, id.index() % CHUNK);
        match self.chunks.get(chunk)?.get(place)? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// All values.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.chunks
            .into_iter()
            .flatten()
            .filter_map(|slot| match slot {
                Slot::Used(value) => Some(value),
                Slot::Free(_) => None,
            })
    }

    fn slot(&mut self, id: Id) -> &mut Slot<T> {
        &mut self.chunks[id.index() / CHUNK][id.index() % CHUNK]
    }
}

impl<T> Index<Id> for Slab<T> {
    type Output = T;

    fn index(&self, id: Id) -> &T {
        self.get(id).expect("an id in use")
    }
}

impl<T> IndexMut<Id> for Slab<T> {
    fn index_mut(&mut self, id: Id) -> &mut T {
        match self.slot(id) {
            Slot::Used(value) => value,
            Slot::Free(_) => unreachable!("an id in use"),
        }
    }
}

/// The neighbours of a value in the one list that it is in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    pub(super) prev: Option<Id>,
    pub(super) next: Option<Id>,
}

/// A value that carries its place in a list.
pub(super) trait Linked {
    fn links(&mut self) -> &mut Links;
}

/// A doubly linked list of values of one slab.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct List {
    pub(super) head: Option<Id>,
    pub(super) tail: Option<Id>,
}

impl List {
    pub(super) fn is_empty(self) -> bool {
        self.head.is_none()
    }

    /// Links a value into the list, before another one or at the back.
    pub(super) fn insert<T: Linked>(&mut self, slab: &mut Slab<T>, id: Id, before: Option<Id>) {
        let prev = match before {
            Some(next) => slab[next].links().prev,
            None => self.tail,
        };
        *slab[id].links() = Links { prev, next: before };
        self.join(slab, prev, Some(id));
        self.join(slab, Some(id), before);
    }

    /// Unlinks a value of this list.
    pub(super) fn remove<T: Linked>(&mut self, slab: &mut Slab<T>, id: Id) {
        let Links { prev, next } = *slab[id].links();
        self.join(slab, prev, next);
    }

    /// Makes two values neighbours; `None` is the end of the list on that side.
    fn join<T: Linked>(&mut self, slab: &mut Slab<T>, prev: Option<Id>, next: Option<Id>) {
        match prev {
            Some(prev) => slab[prev].links().next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => slab[next].links().prev = prev,
            None => self.tail = prev,
        }
    }
}
