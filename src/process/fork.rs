//! Forks of the process, and its end.
//!
//! Of a process's threads a child has only the one that forked, of its sockets copies, and of its
//! locks whatever state they were in. OpenSSL has locks for the whole process and does not look after
//! them: a child that was forked while another thread held one would wait for it for ever. So a fork
//! waits until the threads that may hold any are at rest.
//!
//! `exit` runs what the process's libraries have registered while all other threads go on, and
//! OpenSSL's clean-up frees what they use. We have OpenSSL register none, but a program that used it
//! before us has one. So `exit` waits in the same way, and those threads never fall to work again.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
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
/// The thread that ends the process; 0: none yet.
static ENDER: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static WORKS: Cell<bool> = const { Cell::new(false) };
}

/// How long a fork, or the process's end, waits for the work of others, which seldom takes a
/// millisecond.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one waits before it looks again.
const PAUSE: Duration = Duration::from_micros(20);
/// How long a thread sleeps at once that has nothing to do any more.
const LONG: Duration = Duration::from_secs(60);

/// Notices forks from now on, and the process's end by `exit` or the return from `main`. What is
/// registered with `atexit` later runs earlier: so what a program tidies up that it had before its
/// first pool is tidied up when the pools do nothing any more.
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
        // SAFETY: the functions may run at any fork: they use numbers, and the first the clock too,
        // in the process that forks. The C library forgets them when this one is unloaded.
        match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        // Miri knows no such function.
        // SAFETY: it may run at any exit: it uses numbers and the clock.
        match !cfg!(miri) && unsafe { libc::atexit(at_exit) } != 0 {
            true => Err(io::Error::from_raw_os_error(libc::ENOMEM)),
            false => Ok(()),
        }
    });
    watched.copied()
}

/// Waits until no thread is at work but this one, should it be.
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

/// Whether the process is ending: the shards do nothing any more.
pub(crate) fn is_ending() -> bool {
    ENDER.load(SeqCst) != 0
}

/// Whether this thread is the one that ends the process: nobody is left for it to wait for.
pub(crate) fn is_ender() -> bool {
    let ender = ENDER.load(SeqCst);
    ender != 0 && ender == this_thread()
}

/// Holds this thread for good if the process is ending, unless it is the one that ends it.
pub(crate) fn stop_at_end() {
    while is_ending() && !is_ender() {
        thread::sleep(LONG);
    }
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
        // Not even for a function of the caller's.
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

/// Tells a process from those that it was forked from.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// Whether there may be processes with copies of this one's sockets.
#[cfg(not(engine = "isahc"))]
pub(crate) fn has_forked() -> bool {
    FORKED.load(Relaxed)
}
