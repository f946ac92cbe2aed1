//! Memory for the decoder of brotli, which can be told that there is none.

use std::io;
use std::rc::Rc;

use brotli_decompressor::{Allocator, StandardAlloc};

/// A piece of it.
pub(super) type Cell = <StandardAlloc as Allocator<u8>>::AllocatedMemory;

/// Gives what there is memory for, and else nothing, which ends the decoding. Its clones are one.
#[derive(Clone, Default)]
pub(super) struct Fallible {
    failed: Rc<std::cell::Cell<bool>>,
}

impl Fallible {
    /// Whether there was no memory for something.
    pub fn failed(&self) -> bool {
        self.failed.get()
    }

    pub fn cell(&mut self, length: usize) -> io::Result<Cell> {
        let cell = self.alloc_cell(length);
        match self.failed() {
            true => Err(io::ErrorKind::OutOfMemory.into()),
            false => Ok(cell),
        }
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
