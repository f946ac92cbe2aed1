//! What the allocator lends when no memory is left; `crate::memory` says what for. Nothing in here
//! panics or allocates.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process::memory::{LARGEST, LENT, RESERVE};

/// The reserve's bytes. The library's zeroed data holds them: the system promises that memory from
/// the start, but it takes none before it is written to.
#[repr(align(4096))]
struct Reserve(UnsafeCell<MaybeUninit<[u8; RESERVE]>>);

// SAFETY: only the borrower of a block touches its bytes; everybody else takes only their address.
unsafe impl Sync for Reserve {}

static BYTES: Reserve = Reserve(UnsafeCell::new(MaybeUninit::zeroed()));
static BOOK: Mutex<Book> = Mutex::new(Book([0; RESERVE / UNIT / WORD]));

/// Larger blocks may have no more than half of the reserve.
const SMALL: usize = 64 << 10;
/// The reserve is lent in multiples of this many bytes.
const UNIT: usize = 64;
const WORD: usize = u64::BITS as usize;
const UNITS: usize = RESERVE / UNIT;

/// One bit for each unit: whether it is lent. A block knows its size, which makes other notes
/// needless.
struct Book([u64; UNITS / WORD]);

impl Book {
    /// Finds the first `count` free units in a row that start at a multiple of `step`.
    fn find(&self, count: usize, step: usize) -> Option<usize> {
        let mut start = 0;
        while start + count <= UNITS {
            match (start..start + count).find_map(|at| self.lent_from(at)) {
                Some(end) => start = end.next_multiple_of(step),
                None => return Some(start),
            }
        }
        None
    }

    /// Where the run of lent units that starts here ends. `None`: this unit is free.
    fn lent_from(&self, at: usize) -> Option<usize> {
        let word = self.0.get(at / WORD)? >> (at % WORD);
        let lent = word.trailing_ones() as usize;
        (lent > 0).then_some(at + lent)
    }

    fn mark(&mut self, units: std::ops::Range<usize>, lent: bool) {
        for at in units {
            if let Some(word) = self.0.get_mut(at / WORD) {
                let bit = 1 << (at % WORD);
                *word = if lent { *word | bit } else { *word & !bit };
            }
        }
    }
}

fn book() -> MutexGuard<'static, Book> {
    BOOK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start() -> *mut u8 {
    BYTES.0.get().cast()
}

/// Whether a block belongs to the reserve.
#[inline]
pub(super) fn is_lent(block: *mut u8) -> bool {
    block.addr().wrapping_sub(start().addr()) < RESERVE
}

/// Lends a block; NULL if there is none. Large blocks leave half of the reserve to others.
pub(super) fn lend(layout: Layout) -> *mut u8 {
    let size = layout.size().next_multiple_of(UNIT);
    let mut book = book();
    let lent = LENT.load(Ordering::Relaxed) + size;
    if size > LARGEST || size > SMALL && lent > RESERVE / 2 || layout.align() > 4096 {
        return null_mut();
    }
    let step = layout.align().div_ceil(UNIT);
    let Some(first) = book.find(size / UNIT, step) else {
        return null_mut();
    };
    book.mark(first..first + size / UNIT, true);
    LENT.store(lent, Ordering::Relaxed);
    start().wrapping_add(first * UNIT)
}

/// Takes back a block that was lent with that layout.
#[cold]
pub(super) fn take_back(block: *mut u8, layout: Layout) {
    let size = layout.size().next_multiple_of(UNIT);
    let first = (block.addr() - start().addr()) / UNIT;
    let mut book = book();
    book.mark(first..first + size / UNIT, false);
    LENT.fetch_sub(size, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_lends_each_byte_once_and_takes_it_back() {
        let before = LENT.load(Ordering::Relaxed);
        let mut random = fastrand::Rng::with_seed(7);
        let mut blocks: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for round in 0..if cfg!(miri) { 500 } else { 20_000 } {
            if random.usize(..5) < 2 || random.usize(..4000) == 0 {
                let at = random.usize(..blocks.len().max(1));
                if at < blocks.len() {
                    let (block, layout, mark) = blocks.swap_remove(at);
                    // SAFETY: the block was lent with as many bytes.
                    let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
                    assert!(bytes.iter().all(|byte| *byte == mark));
                    take_back(block, layout);
                }
                continue;
            }
            let size = 1 << random.u32(..17);
            let size = random.usize(size / 2..size).max(1);
            let layout = Layout::from_size_align(size, 1 << random.u32(..13)).expect("a layout");
            let block = lend(layout);
            if !block.is_null() {
                assert!(is_lent(block) && block.addr().is_multiple_of(layout.align()));
                let mark = round as u8;
                // SAFETY: it was lent just now, with as many bytes.
                unsafe { block.write_bytes(mark, size) };
                blocks.push((block, layout, mark));
            }
        }
        assert!(LENT.load(Ordering::Relaxed) > before);
        for (block, layout, _) in blocks {
            take_back(block, layout);
        }
        assert_eq!(LENT.load(Ordering::Relaxed), before);
        let whole = Layout::from_size_align(LARGEST, 1).expect("a layout");
        let block = lend(whole);
        assert!(!block.is_null());
        take_back(block, whole);
    }
}
