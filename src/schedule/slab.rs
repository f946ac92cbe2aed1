//! Stores with reused slots, and linked lists threaded through them: what lets a queued job
//! cost a few tens of bytes and no allocation of its own.

use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// The slot of a value in a [`Slab`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(NonZeroU32);

impl Id {
    /// The lowest of all: where a search in an ordered set begins.
    pub(super) const MIN: Self = Self(NonZeroU32::MIN);

    /// Counts from one, so that an `Option<Id>` is as small as an `Id`.
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

/// Values in reusable slots; the free ones form a list.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Option<Id>,
    len: usize,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: None,
            len: 0,
        }
    }

    /// How many values it holds.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, value: T) -> Id {
        self.len += 1;
        let Some(id) = self.free else {
            // By halves: a million slots doubled would waste as much as they hold.
            if self.slots.len() == self.slots.capacity() {
                self.slots.reserve_exact(self.slots.len() / 2 + 4);
            }
            self.slots.push(Slot::Used(value));
            return Id::from_index(self.slots.len() - 1);
        };
        let slot = &mut self.slots[id.index()];
        if let Slot::Free(next) = *slot {
            self.free = next;
        }
        *slot = Slot::Used(value);
        id
    }

    /// Takes the value out; the slot may be reused at once.
    pub(super) fn remove(&mut self, id: Id) -> T {
        let slot = std::mem::replace(&mut self.slots[id.index()], Slot::Free(self.free));
        let Slot::Used(value) = slot else {
            unreachable!("an id is given back once");
        };
        self.free = Some(id);
        self.len -= 1;
        value
    }

    /// The value of that slot, or none if the slot is free.
    pub(super) fn get(&self, id: Id) -> Option<&T> {
        match &self.slots[id.index()] {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
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
        match &mut self.slots[id.index()] {
            Slot::Used(value) => value,
            Slot::Free(_) => unreachable!("an id in use"),
        }
    }
}

/// The neighbours of a value in the one list it is in.
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

    /// Links a value in before another one, or at the back.
    pub(super) fn insert<T: Linked>(&mut self, slab: &mut Slab<T>, id: Id, before: Option<Id>) {
        let prev = match before {
            Some(next) => slab[next].links().prev,
            None => self.tail,
        };
        *slab[id].links() = Links { prev, next: before };
        self.join(slab, prev, Some(id));
        self.join(slab, Some(id), before);
    }

    /// Links a value of this list out.
    pub(super) fn remove<T: Linked>(&mut self, slab: &mut Slab<T>, id: Id) {
        let Links { prev, next } = *slab[id].links();
        self.join(slab, prev, next);
    }

    /// Makes two values neighbours; none stands for the end of the list on that side.
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
