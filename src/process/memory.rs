//! What there is to do when the process has no memory left.
//!
//! Rust ends the process when an allocation fails that it can't be told of, and most are of that kind,
//! in the crates that we use too. So the library's allocator (`ffi/allocator.rs`) has a reserve, which
//! small blocks come from then. It is no more than a respite: all that lets a job grow asks here, and
//! ends the job. What may be large is asked for in ways that may fail, or `keep_back` sees to it
//! beforehand.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether the allocator is the library's own. Others have no reserve, and nothing here helps then.
const IS_OWN: bool = cfg!(all(feature = "capi", not(debug_assertions)));

/// The bytes that the reserve has.
#[cfg(feature = "capi")]
pub(crate) const RESERVE: usize = 16 << 20;
/// The largest block it lends.
pub(crate) const LARGEST: usize = 4 << 20;
/// What it may have lent before jobs end over it: some of it stays lent when memory is there again.
const LITTLE: usize = 1 << 20;
/// What it may have lent before results are no longer given out, as their taker may keep them.
#[cfg(feature = "capi")]
const MUCH: usize = RESERVE - LARGEST;
/// What is asked for to see whether memory is there again. The reserve has none of that size.
const PROBE: usize = 2 * LARGEST;

/// Text up to here is read without a look at the memory beforehand: what is made of it comes from
/// the reserve if need be.
const SHORT: usize = 256 << 10;

/// The bytes that the reserve has lent.
pub(crate) static LENT: AtomicUsize = AtomicUsize::new(0);

/// Whether there is none left for jobs.
#[inline]
pub(crate) fn is_out() -> bool {
    IS_OWN && LENT.load(Ordering::Relaxed) > LITTLE && !has_room(PROBE)
}

/// Whether there is none left to give out results in either.
#[cfg(feature = "capi")]
#[inline]
pub(crate) fn is_spent() -> bool {
    IS_OWN && LENT.load(Ordering::Relaxed) > MUCH && !has_room(PROBE)
}

#[cold]
fn has_room(size: usize) -> bool {
    // Made where the compiler can't see that nobody uses it.
    black_box(Vec::<u8>::new()).try_reserve_exact(size).is_ok()
}

thread_local! {
    // Without a destructor, which would take memory to register: `Kept` empties it.
    static KEPT: Cell<ManuallyDrop<Vec<u8>>> = const { Cell::new(ManuallyDrop::new(Vec::new())) };
}

/// Memory that is kept back on this thread.
pub(crate) struct Kept(());

/// Keeps memory back for what this thread is about to do with so many bytes of text: it may take
/// several times as much, in crates that can't be told that there is none. An allocation of this
/// thread that fails gets it then. `None`: there is none.
pub(crate) fn keep_back(text: usize) -> Option<Kept> {
    let kept = Kept(());
    if !IS_OWN || text <= SHORT {
        return (!is_out()).then_some(kept);
    }
    let mut memory = Vec::new();
    let size = text.saturating_mul(4).max(PROBE);
    memory.try_reserve_exact(size).ok()?;
    drop(take(memory));
    Some(kept)
}

/// Gives back what this thread keeps back. `false`: it was nothing.
pub(crate) fn give_back() -> bool {
    let kept = take(Vec::new());
    kept.capacity() > 0
}

fn take(new: Vec<u8>) -> Vec<u8> {
    let old = KEPT.try_with(|kept| kept.replace(ManuallyDrop::new(new)));
    old.map_or_else(|_| Vec::new(), ManuallyDrop::into_inner)
}

impl Drop for Kept {
    fn drop(&mut self) {
        if IS_OWN {
            give_back();
        }
    }
}
