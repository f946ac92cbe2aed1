//! Forks of the process: of its threads a child has only the one that forked, of its sockets copies,
//! and of its locks whatever state they were in.
//!
//! OpenSSL has locks for the whole process and does not look after them: a child that was forked
//! while another thread held one would wait for it for ever. So a fork waits until the threads that
//! may hold any are at rest.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

/// Grows by one in each child.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static FORKED: AtomicBool = AtomicBool::new(false);
/// Forks under way: meanwhile nobody falls to work.
static FORKING: AtomicU32 = AtomicU32::new(0);
/// Threads at work.
static AT_WORK: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static WORKS: Cell<bool> = const { Cell::new(false) };
}

/// How long a fork waits for the work of others, which seldom takes a millisecond.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one waits before it looks again.
const PAUSE: Duration = Duration::from_micros(20);

/// Notices forks from now on.
pub(crate) fn watch() -> io::Result<()> {
    static WATCHED: OnceCell<()> = OnceCell::new();
    extern "C" fn before() {
        FORKED.store(true, Relaxed);
        FORKING.fetch_add(1, SeqCst);
        // Not for itself, should it fork while it works.
        let own = u32::from(WORKS.get());
        let began = Instant::now();
        while AT_WORK.load(SeqCst) > own && began.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
        }
    }
    extern "C" fn in_parent() {
        FORKING.fetch_sub(1, SeqCst);
    }
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Relaxed);
        FORKING.store(0, SeqCst);
        AT_WORK.store(u32::from(WORKS.get()), SeqCst);
    }
    let watched = WATCHED.get_or_try_init(|| {
        // SAFETY: the functions may run at any fork: they use numbers, and the first the clock too,
        // in the process that forks. The C library forgets them when this one is unloaded.
        match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    });
    watched.copied()
}

/// Runs what no fork may fall into. It must not wait for other threads but in [`at_rest`].
pub(crate) fn at_work<T>(work: impl FnOnce() -> T) -> T {
    switched(true, work)
}

/// Runs what a fork may fall into, as waits and the callers' functions, amid work or not.
pub(crate) fn at_rest<T>(rest: impl FnOnce() -> T) -> T {
    switched(false, rest)
}

fn switched<T>(to: bool, run: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            switch(self.0);
        }
    }
    let _back = Back(WORKS.get());
    switch(to);
    run()
}

fn switch(to: bool) {
    if WORKS.replace(to) == to {
        return;
    }
    if !to {
        AT_WORK.fetch_sub(1, SeqCst);
        return;
    }
    loop {
        AT_WORK.fetch_add(1, SeqCst);
        if FORKING.load(SeqCst) == 0 {
            return;
        }
        AT_WORK.fetch_sub(1, SeqCst);
        while FORKING.load(SeqCst) > 0 {
            thread::sleep(PAUSE);
        }
    }
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
