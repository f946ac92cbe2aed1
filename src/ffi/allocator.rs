//! The library's own allocator: mimalloc, and a reserve for when there is no memory left.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

use mimalloc::MiMalloc;

use super::reserve::{is_lent, lend, take_back};
use crate::process::memory;

/// Above it each block is a page of its own to mimalloc.
const LARGE: usize = 64 << 10;
/// Bytes of large blocks a thread takes between two looks at what other threads have freed of its.
const LOOK: usize = 4 << 20;

unsafe extern "C" {
    /// Of mimalloc.h: has the calling thread take back what others have freed of its blocks.
    fn mi_collect(force: bool);
}

/// mimalloc, whose threads look at what others have freed of their blocks after so many calls:
/// were they of 8 MiB each, as bodies may be, 800 MiB would wait. Here the bytes count too.
///
/// What mimalloc has no memory for comes from the reserve, unless it is large.
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
    // A thread that is ending has no count any more.
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

/// A block that mimalloc has no memory for. NULL: nor has the reserve.
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

// SAFETY: a block is mimalloc's or the reserve's, which are told apart by its address, and goes back to
// where it came from. Nothing in here panics.
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
        // SAFETY: as the caller has it; a block that is there has as many bytes.
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
        // SAFETY: as the caller has it: the block is not the reserve's, so it is mimalloc's.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        reckon(size);
        if !is_lent(block) {
            // SAFETY: as the caller has it: the block is not the reserve's, so it is mimalloc's.
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
    /// Moves a block of the reserve's, or into it.
    ///
    /// # Safety
    /// As for `GlobalAlloc::realloc`.
    #[cold]
    unsafe fn move_block(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the caller's promise the size is one of a layout of that alignment, both blocks
        // have as many bytes as are copied, and the old one is given up for the new one.
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
