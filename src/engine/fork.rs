//! Noticing that the process was forked: of its threads a child has only the one that forked, and of
//! its sockets copies.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use once_cell::sync::OnceCell;

/// Grows by one in each child.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static FORKED: AtomicBool = AtomicBool::new(false);

/// Notices forks from now on.
pub(crate) fn watch() -> io::Result<()> {
    static WATCHED: OnceCell<()> = OnceCell::new();
    extern "C" fn before() {
        FORKED.store(true, Relaxed);
    }
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Relaxed);
    }
    let watched = WATCHED.get_or_try_init(|| {
        // SAFETY: the functions may run at any fork: they only set numbers. The C library forgets
        // them when this one is unloaded.
        match unsafe { libc::pthread_atfork(Some(before), None, Some(in_child)) } {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    });
    watched.copied()
}

/// Tells a process from those that it was forked from.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// Whether there may be processes with copies of this one's sockets.
#[cfg(not(feature = "isahc"))]
pub(super) fn has_forked() -> bool {
    FORKED.load(Relaxed)
}
