//! What to do when the process has no memory left.
//!
//! Rust ends the process when an allocation fails, unless its caller can be told, and most can't, also
//! in the crates that we use. The library's allocator (`ffi/allocator.rs`) therefore has a reserve for
//! small blocks. It is only a respite: everything that lets a job grow asks here, and ends the job.
//! What may be large is allocated in ways that may fail, or `keep_back` provides for it beforehand.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether the allocator is the library's own. Others have no reserve, and nothing here helps then.
const IS_OWN: bool = cfg!(all(feature = "capi", not(debug_assertions)));

/// The size of the reserve.
#[cfg(feature = "capi")]
pub(crate) const RESERVE: usize = 16 << 20;
/// The largest block it lends.
pub(crate) const LARGEST: usize = 4 << 20;
/// How much may be lent before jobs end over it. Some of it stays lent when memory is free again.
const LITTLE: usize = 1 << 20;
/// How much may be lent before results are no longer given out, because their takers may keep them.
#[cfg(feature = "capi")]
const MUCH: usize = RESERVE - LARGEST;
/// An allocation of this size shows whether memory is free again; the reserve never lends so much.
const PROBE: usize = 2 * LARGEST;

/// Text up to this size is read without checking the memory first: the reserve can hold what is made of
/// it.
const SHORT: usize = 256 << 10;

/// The bytes that the reserve has lent.
pub(crate) static LENT: AtomicUsize = AtomicUsize::new(0);

/// Whether no memory is left for jobs.
#[inline]
pub(crate) fn is_out() -> bool {
    IS_OWN && LENT.load(Ordering::Relaxed) > LITTLE && !has_room(PROBE)
}

/// Whether no memory is left for giving out results either.
#[cfg(feature = "capi")]
#[inline]
pub(crate) fn is_spent() -> bool {
    IS_OWN && LENT.load(Ordering::Relaxed) > MUCH && !has_room(PROBE)
}

#[cold]
fn has_room(size: usize) -> bool {
    // What this thread keeps back is for its work, not for this probe. As long as it has that, there is
    // room.
    let kept = take(Vec::new());
    // The compiler must not see that nobody uses the probe.
    let has = kept.capacity() > 0 || black_box(Vec::<u8>::new()).try_reserve_exact(size).is_ok();
    drop(take(kept));
    has
}

/// Makes room for one more in a list. `None`: no memory is left for jobs.
pub(crate) fn room_for_one<T>(list: &mut Vec<T>) -> Option<()> {
    match is_out() {
        true => None,
        false => list.try_reserve(1).ok(),
    }
}

thread_local! {
    // It has no destructor, because registering one takes memory: `Kept` empties it.
    static KEPT: Cell<ManuallyDrop<Vec<u8>>> = const { Cell::new(ManuallyDrop::new(Vec::new())) };
}

/// Memory that is kept back on this thread.
pub(crate) struct Kept(());

/// Keeps memory back for this thread's work on so much text. That may take several times as much, in
/// crates that can't be told that none is left. An allocation that fails on this thread then gets it.
/// `None`: no memory is left.
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

/// Gives back what this thread keeps back. `false`: it kept nothing.
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
