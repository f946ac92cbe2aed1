//! Forks of the process, and its end.
//!
//! A child has only the thread that forked, copies of the process's sockets, and its locks in whatever
//! state they were. OpenSSL has locks for the whole process and does not look after them: a child
//! forked while another thread held one would wait for it for ever. A fork therefore waits until the
//! threads that may hold any are at rest.
//!
//! `exit` runs what the process's libraries have registered while all other threads go on, and
//! OpenSSL's clean-up frees what they use. We make OpenSSL register none, but a program that used
//! OpenSSL before us has one. `exit` therefore waits in the same way, and those threads never work
//! again.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

/// Grows by one in each child.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static FORKED: AtomicBool = AtomicBool::new(false);
/// The number of forks under way, during which no thread may start to work.
static FORKING: AtomicU32 = AtomicU32::new(0);
/// The number of threads at work.
static AT_WORK: AtomicU32 = AtomicU32::new(0);
/// The thread that ends the process; 0 until there is one.
static ENDER: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static WORKS: Cell<bool> = const { Cell::new(false) };
    /// Whether the thread works or rests between work.
    static SERVES: Cell<bool> = const { Cell::new(false) };
}

/// How long a fork, or the process's end, waits for the others' work, which seldom takes a millisecond.
const PATIENCE: Duration = Duration::from_secs(1);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_micros(20);
/// How long a thread with nothing left to do sleeps at a time.
const LONG: Duration = Duration::from_secs(60);

/// Notices forks from now on, and the process's end by `exit` or the return from `main`. What is
/// registered with `atexit` later runs earlier. The clean-up of what a program had before its first
/// pool therefore runs when the pools no longer do anything.
pub(crate) fn watch() -> io::Result<()> {
    static WATCHED: OnceCell<()> = OnceCell::new();
    extern "C" fn before() {
        FORKED.store(true, Relaxed);
        FORKING.fetch_add(1, SeqCst);
        wait_for_rest();
    }
    extern "C" fn in_parent() {
        FORKING.fetch_sub(1, SeqCst);
    }
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Relaxed);
        FORKING.store(0, SeqCst);
        ENDER.store(0, SeqCst);
        AT_WORK.store(u32::from(WORKS.get()), SeqCst);
    }
    extern "C" fn at_exit() {
        ENDER.store(this_thread(), SeqCst);
        wait_for_rest();
    }
    let watched = WATCHED.get_or_try_init(|| {
        // SAFETY: the functions may run at any fork. They use numbers, and the first also the clock, in
        // the process that forks. The C library forgets them when this library is unloaded.
        match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        // Miri does not know this function. SAFETY: at_exit may run at any exit: it uses numbers and
        // the clock.
        match !cfg!(miri) && unsafe { libc::atexit(at_exit) } != 0 {
            true => Err(io::Error::from_raw_os_error(libc::ENOMEM)),
            false => Ok(()),
        }
    });
    watched.copied()
}

/// Waits until no other thread is at work.
fn wait_for_rest() {
    let own = u32::from(WORKS.get());
    let began = Instant::now();
    while AT_WORK.load(SeqCst) > own && began.elapsed() < PATIENCE {
        thread::sleep(PAUSE);
    }
}

fn this_thread() -> usize {
    // SAFETY: always allowed.
    unsafe { libc::pthread_self() as usize }
}

/// Whether the process is ending, in which case the shards do nothing any more.
pub(crate) fn is_ending() -> bool {
    ENDER.load(SeqCst) != 0
}

/// Whether this thread ends the process: it has nobody left to wait for.
pub(crate) fn is_ender() -> bool {
    let ender = ENDER.load(SeqCst);
    ender != 0 && ender == this_thread()
}

/// Holds this thread for good if the process is ending, unless this thread ends it.
pub(crate) fn stop_at_end() {
    while is_ending() && !is_ender() {
        thread::sleep(LONG);
    }
}

/// Runs work that no fork may interrupt. It must not wait for other threads, except within [`at_rest`].
pub(crate) fn at_work<T>(work: impl FnOnce() -> T) -> T {
    SERVES.set(true);
    switched(true, work)
}

/// Whether this thread is one of those that work, at rest or not.
pub(crate) fn is_worker() -> bool {
    // Shuttle's threads are all one.
    SERVES.get() && !cfg!(feature = "shuttle")
}

/// Runs what a fork may interrupt, such as waits and the callers' functions, within work or not.
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
        // A function of the caller's must not run on either.
        stop_at_end();
        return;
    }
    loop {
        AT_WORK.fetch_add(1, SeqCst);
        if FORKING.load(SeqCst) == 0 && !is_ending() {
            return;
        }
        AT_WORK.fetch_sub(1, SeqCst);
        stop_at_end();
        while FORKING.load(SeqCst) > 0 {
            thread::sleep(PAUSE);
        }
    }
}

/// A number that tells a process from those that it was forked from.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// Whether there may be processes with copies of this one's sockets.
#[cfg(not(engine = "isahc"))]
pub(crate) fn has_forked() -> bool {
    FORKED.load(Relaxed)
}
