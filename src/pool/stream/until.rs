//! How long a caller waits.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::process::fork;
use crate::sync::{Condvar, MutexGuard};

/// How long to wait.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Now,
    At(Instant),
    Never,
}

impl Until {
    /// For so long (`None`: for ever) from now on.
    pub fn after(timeout: Option<Duration>) -> Self {
        match timeout {
            // This spares a look at the clock.
            Some(Duration::ZERO) => Self::Now,
            Some(timeout) => Instant::now()
                .checked_add(timeout)
                .map_or(Self::Never, Self::At),
            None => Self::Never,
        }
    }

    /// Waits to be notified. `None`: the time is up.
    pub fn wait<'a, T>(
        self,
        what: &Condvar,
        guard: MutexGuard<'a, T>,
    ) -> Option<MutexGuard<'a, T>> {
        match self {
            Self::Now => None,
            // Nothing that this thread could wait for comes any more.
            _ if fork::is_ender() => None,
            Self::Never => Some(what.wait(guard).unwrap_or_else(PoisonError::into_inner)),
            Self::At(time) => {
                let left = time.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                let (guard, _) = what
                    .wait_timeout(guard, left)
                    .unwrap_or_else(PoisonError::into_inner);
                Some(guard)
            }
        }
    }
}
