//! The retry clock: how long a failed job waits before its next attempt.

use std::time::Duration;

/// The waits between the attempts of one job: each four times the one before, up to a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How many times a job is tried in all.
    pub max_attempts: u32,
    /// The wait after the first attempt.
    pub min_wait: Duration,
    /// The longest wait, before jitter.
    pub max_wait: Duration,
}

impl Backoff {
    /// The wait after attempt number `attempt` (1 is the first) has failed, or `None` if it was the
    /// last. `jitter`, from -1 to 1, varies it by up to a quarter: a host that failed many jobs at once
    /// should not get them all back at once.
    pub fn wait(&self, attempt: u32, jitter: f64) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        // Fewer than 63 quadruplings from 1 ns already saturate a Duration.
        let wait = (1..attempt.min(64))
            .fold(self.min_wait, |wait, _| wait.saturating_mul(4))
            .min(self.max_wait);
        let jitter = if jitter.is_nan() { 0.0 } else { jitter };
        let quarter = wait / 4;
        let shift = quarter.mul_f64(jitter.abs().min(1.0)).min(quarter);
        Some(if jitter < 0.0 {
            wait.saturating_sub(shift)
        } else {
            wait.saturating_add(shift)
        })
    }
}
