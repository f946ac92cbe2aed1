//! The library's own allocator: mimalloc, and no more than it needs.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

use mimalloc::MiMalloc;

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

// SAFETY: it only hands on to mimalloc.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        reckon(layout.size());
        // SAFETY: as the caller has it.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        reckon(layout.size());
        // SAFETY: as the caller has it.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller has it.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        reckon(size);
        // SAFETY: as the caller has it.
        unsafe { MiMalloc.realloc(block, layout, size) }
    }
}
