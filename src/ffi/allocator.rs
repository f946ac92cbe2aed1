//! The library's own allocator: mimalloc, and a reserve for when no memory is left.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

use mimalloc::MiMalloc;

use super::reserve::{is_lent, lend, take_back};
use crate::process::memory;

/// mimalloc gives each larger block a page of its own.
const LARGE: usize = 64 << 10;
/// The bytes of large blocks that a thread takes before it looks again at what other threads have
/// freed of its own.
const LOOK: usize = 4 << 20;

unsafe extern "C" {
    /// From mimalloc.h: makes the calling thread take back those of its blocks that others have
    /// freed.
    fn mi_collect(force: bool);
}

/// mimalloc with a count of bytes. Its threads look at what others have freed of their blocks only
/// every so many calls: with bodies of 8 MiB, 800 MiB could wait. The reserve gives blocks that
/// mimalloc has no memory for, unless they are large.
pub(crate) struct Allocator;

thread_local! {
    /// Bytes of large blocks taken since the last look.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

#[inline]
fn reckon(size: usize) {
    if size > LARGE {
        look_after(size);
    }
}

#[cold]
fn look_after(size: usize) {
    // A thread that is ending has lost its count.
    let due = TAKEN.try_with(|taken| {
        let sum = taken.get().saturating_add(size);
        taken.set(if sum < LOOK { sum } else { 0 });
        sum >= LOOK
    });
    if due == Ok(true) {
        // SAFETY: mi_collect may be called at any time; it moves nothing that is in use.
        unsafe { mi_collect(false) };
    }
}

/// Allocates a block for which mimalloc has no memory. NULL: the reserve has none either.
///
/// # Safety
/// As for `GlobalAlloc::alloc`.
#[cold]
unsafe fn alloc_in_need(layout: Layout) -> *mut u8 {
    if memory::give_back() {
        // SAFETY: the caller's promise.
        let block = unsafe { MiMalloc.alloc(layout) };
        if !block.is_null() {
            return block;
        }
    }
    lend(layout)
}

// SAFETY: a block belongs to mimalloc or to the reserve, is told apart by its address, and goes
// back to its owner. Nothing in here panics.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        reckon(layout.size());
        // SAFETY: as the caller has it.
        unsafe {
            match MiMalloc.alloc(layout) {
                block if block.is_null() => alloc_in_need(layout),
                block => block,
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        reckon(layout.size());
        // SAFETY: as the caller has it; an allocated block has that many bytes.
        unsafe {
            let mut block = MiMalloc.alloc_zeroed(layout);
            if block.is_null() {
                block = alloc_in_need(layout);
                if !block.is_null() {
                    block.write_bytes(0, layout.size());
                }
            }
            block
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_lent(block) {
            return take_back(block, layout);
        }
        // SAFETY: as the caller has it: the block is mimalloc's, because it is not the reserve's.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        reckon(size);
        if !is_lent(block) {
            // SAFETY: as the caller has it: the block is mimalloc's, because it is not the
            // reserve's.
            let moved = unsafe { MiMalloc.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: as the caller has it.
        unsafe { self.move_block(block, layout, size) }
    }
}

impl Allocator {
    /// Moves a block out of the reserve, or into it.
    ///
    /// # Safety
    /// As for `GlobalAlloc::realloc`.
    #[cold]
    unsafe fn move_block(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size that is valid for a layout of that alignment. Both
        // blocks have the bytes that are copied, and the new block replaces the old one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, size.min(layout.size()));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
