//! How threads wait for each other: by the standard library's means or, with the feature `shuttle`, by
//! that crate's, which run all threads as one and try the orders that they may take (`pool/models.rs`).

#![forbid(unsafe_code)]

#[cfg(not(feature = "shuttle"))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};

#[cfg(not(any(feature = "shuttle", miri)))]
pub(crate) use polling::Poller;
#[cfg(any(feature = "shuttle", miri))]
pub(crate) use sleeper::Poller;

#[cfg(any(feature = "shuttle", miri))]
mod sleeper {
    use std::io;
    use std::sync::PoisonError;
    use std::time::Duration;

    use super::{Condvar, Mutex, thread};

    /// A poller without sockets that can only be notified, but sleeps where shuttle and Miri see it.
    #[derive(Default)]
    pub(crate) struct Poller {
        notified: Mutex<bool>,
        changed: Condvar,
    }

    impl Poller {
        pub fn new() -> io::Result<Self> {
            Ok(Self::default())
        }

        pub fn notify(&self) -> io::Result<()> {
            *self.notified.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.changed.notify_all();
            Ok(())
        }

        /// Waits until notified, or for that long.
        pub fn wait(&self, timeout: Option<Duration>) {
            if cfg!(feature = "shuttle") && timeout.is_some() {
                // shuttle has no time: what waits for a moment ends at once.
                thread::yield_now();
                *self.notified.lock().unwrap_or_else(PoisonError::into_inner) = false;
                return;
            }
            let timeout = timeout.unwrap_or(Duration::MAX);
            let notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
            let (mut notified, _) = self
                .changed
                .wait_timeout_while(notified, timeout, |notified| !*notified)
                .unwrap_or_else(PoisonError::into_inner);
            *notified = false;
        }
    }
}
