//! Finds groups by name.

use super::slab::{Id, Slab};
use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};

/// Room for this many names is kept when none is left.
const KEPT: usize = 1024;

/// What has a name.
pub(super) trait Named {
    fn name(&self) -> &str;
}

/// The slots of a slab's values by their names, which the values hold: a million of them are found
/// through a table that fits into the processor's cache.
///
/// The hash is seeded against people who choose names, because these come from URLs.
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

    /// Adds a value of that slab whose name is new.
    pub(super) fn insert(&mut self, id: Id, slab: &Slab<impl Named>) {
        let hash = |&id: &Id| self.hasher.hash_one(slab[id].name());
        self.table.insert_unique(hash(&id), id, hash);
    }

    /// Removes a value of that slab.
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
