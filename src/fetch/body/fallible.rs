//! Memory for the decoder of brotli, which can be told that there is none.

use std::cell::Cell;
use std::rc::Rc;

use brotli_decompressor::{Allocator, StandardAlloc};

/// Gives what there is memory for, and else nothing, which ends the decoding. Its clones are one.
#[derive(Clone, Default)]
pub(super) struct Fallible {
    failed: Rc<Cell<bool>>,
}

impl Fallible {
    /// Whether there was no memory for something.
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
