//! The lines that pools write, of all the tests of a binary: there is one logger a process.

use std::sync::OnceLock;

use log::{LevelFilter, Log, Metadata, Record, set_logger, set_max_level};

type Take = Box<dyn Fn(&str) + Send + Sync>;

struct Logger(OnceLock<Take>);

static LOGGER: Logger = Logger(OnceLock::new());

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "rouet"
    }

    fn log(&self, record: &Record<'_>) {
        let take = self.0.get().filter(|_| self.enabled(record.metadata()));
        if let Some(take) = take {
            take(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Has a function called with each line from now on. One test of a binary may.
pub fn to(take: impl Fn(&str) + Send + Sync + 'static) {
    let first = LOGGER.0.set(Box::new(take)).is_ok();
    assert!(first, "another test has the log");
    set_logger(&LOGGER).expect("no other logger");
    set_max_level(LevelFilter::Trace);
}
