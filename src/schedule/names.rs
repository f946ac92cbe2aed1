//! Which group has which name.

use super::slab::{Id, Slab};
use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};

/// Room for so many names is kept when none is left.
const KEPT: usize = 1024;

/// What has a name.
pub(super) trait Named {
    fn name(&self) -> &str;
}

/// The slots of a slab's values by their names, which are the values' own: a million of them are
/// looked up in a table that is small enough for the processor's cache.
///
/// The hash is seeded and withstands those who choose names: they come from URLs.
#[derive(Debug, Default)]
pub(super) struct Names {
    table: HashTable<Id>,
    hasher: RandomState,
}

impl Names {
    pub(super) fn find(&self, name: &str, slab: &Slab<impl Named>) -> Option<Id> {
        let hash = self.hasher.hash_one(name);
        let found = self.table.find(hash, |&id| slab[id].name() == name);
        found.copied()
    }

    /// Adds a value of that slab whose name is not there.
    pub(super) fn insert(&mut self, id: Id, slab: &Slab<impl Named>) {
        let hash = |&id: &Id| self.hasher.hash_one(slab[id].name());
        self.table.insert_unique(hash(&id), id, hash);
    }

    /// Takes out a value of that slab.
    pub(super) fn remove(&mut self, id: Id, name: &str) {
        let hash = self.hasher.hash_one(name);
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        if self.table.is_empty() && self.table.capacity() > KEPT {
            self.table = HashTable::new();
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}
