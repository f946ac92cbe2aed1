//! What a pool has to say while it runs.
//!
//! Rust programs get it from the crate `log`, under this target. Through the C interface each pool may
//! have a function of its own too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::log::Level;

use crate::process::fork;

/// The target of the crate `log`.
const TARGET: &str = "rouet";

#[derive(Default)]
pub(crate) struct Log {
    #[cfg(feature = "capi")]
    sink: sink::Sink,
}

impl Log {
    pub fn write(&self, level: Level, line: impl FnOnce() -> String) {
        #[cfg(feature = "capi")]
        let by_c = self.sink.hears(level);
        #[cfg(not(feature = "capi"))]
        let by_c = false;
        // This asks no logger, whose code may do anything.
        if !by_c && level > ::log::max_level() {
            return;
        }
        // If what takes the line panics, the line is lost and nothing else.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            fork::at_rest(|| {
                if !by_c && !::log::log_enabled!(target: TARGET, level) {
                    return;
                }
                let line = line();
                ::log::log!(target: TARGET, level, "{line}");
                #[cfg(feature = "capi")]
                self.sink.write(level, &line);
            });
        }));
    }

    /// Sends lines up to a level to a function too, or to none. Waits for lines on their way to the
    /// former one.
    #[cfg(feature = "capi")]
    pub fn set(&self, log: Option<(Level, LogFn)>) {
        self.sink.set(log);
    }
}

#[cfg(feature = "capi")]
pub(crate) use sink::LogFn;

#[cfg(feature = "capi")]
mod sink {
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::sync::{Arc, PoisonError, RwLock};

    use ::log::Level;

    /// What takes the lines of a log.
    pub(crate) type LogFn = Arc<dyn Fn(Level, &str) + Send + Sync>;

    /// Where a pool's lines go.
    #[derive(Default)]
    pub(super) struct Sink {
        /// Lines above this level are not even made. 0: no line is.
        level: AtomicU8,
        function: RwLock<Option<LogFn>>,
    }

    impl Sink {
        pub fn set(&self, log: Option<(Level, LogFn)>) {
            let (level, function) = match log {
                Some((level, function)) => (level as u8, Some(function)),
                None => (0, None),
            };
            *self
                .function
                .write()
                .unwrap_or_else(PoisonError::into_inner) = function;
            self.level.store(level, Ordering::Relaxed);
        }

        pub fn hears(&self, level: Level) -> bool {
            level as u8 <= self.level.load(Ordering::Relaxed)
        }

        pub fn write(&self, level: Level, line: &str) {
            let function = self.function.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(function) = function.as_ref().filter(|_| self.hears(level)) {
                function(level, line);
            }
        }
    }
}
