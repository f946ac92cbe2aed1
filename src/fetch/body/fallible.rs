//! Memory for brotli's decoder, which can be told that none is left.

use std::cell::Cell;
use std::rc::Rc;

use brotli_decompressor::{Allocator, StandardAlloc};

/// Gives memory while some is left, and otherwise nothing, which ends the decoding. Its clones share
/// one state.
#[derive(Clone, Default)]
pub(super) struct Fallible {
    failed: Rc<Cell<bool>>,
}

impl Fallible {
    /// Whether memory was refused.
    pub fn failed(&self) -> bool {
        self.failed.get()
    }
}

impl<T: Clone + Default> Allocator<T> for Fallible {
    type AllocatedMemory = <StandardAlloc as Allocator<T>>::AllocatedMemory;

    fn alloc_cell(&mut self, length: usize) -> Self::AllocatedMemory {
        let mut cell = Vec::new();
        match cell.try_reserve_exact(length) {
            Ok(()) => cell.resize(length, T::default()),
            Err(_) => self.failed.set(true),
        }
        cell.into()
    }

    fn free_cell(&mut self, _: Self::AllocatedMemory) {}
}
