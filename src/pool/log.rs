//! What a pool has to say while it runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::process::fork;

/// How much a line of log matters. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the library could not do and no result tells.
    Error = 1,
    /// Attempts that failed and will be made again.
    Warn,
    /// The engine's stop; streams opened, finished and cancelled.
    Info,
    /// Each hop.
    Debug,
}

/// What takes the lines of a log.
pub type LogFn = Arc<dyn Fn(Level, &str) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Log {
    /// Lines above this level are not even made. 0: no line is.
    level: AtomicU8,
    sink: RwLock<Option<LogFn>>,
}

impl Log {
    pub fn set(&self, log: Option<(Level, LogFn)>) {
        let (level, sink) = match log {
            Some((level, sink)) => (level as u8, Some(sink)),
            None => (0, None),
        };
        // Waits for lines on their way to the former function.
        *self.sink.write().unwrap_or_else(PoisonError::into_inner) = sink;
        self.level.store(level, Ordering::Relaxed);
    }

    pub fn write(&self, level: Level, line: impl FnOnce() -> String) {
        if level as u8 > self.level.load(Ordering::Relaxed) {
            return;
        }
        if let Some(sink) = &*self.sink.read().unwrap_or_else(PoisonError::into_inner) {
            // If the function panics, the line is lost and nothing else.
            let _ = catch_unwind(AssertUnwindSafe(|| fork::at_rest(|| sink(level, &line()))));
        }
    }
}
