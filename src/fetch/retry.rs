//! Decides which attempts are made again.

use std::time::Duration;

use super::Attempt;
use crate::error::ErrorCode;
use crate::options::Options;

/// How long to wait before the job is tried again, if it is. `attempts`: made so far. `jitter`: drawn
/// from -1 to 1.
pub(crate) fn wait_before_retry(
    options: &Options,
    attempt: &Attempt,
    attempts: u32,
    jitter: f64,
) -> Option<Duration> {
    let retry = options.retry.as_ref()?;
    let again = match &attempt.failure {
        Some(failure) => match failure.code {
            ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionAborted
            | ErrorCode::ConnectionError
            | ErrorCode::NoRouteToHost
            | ErrorCode::UnreachableNetwork
            | ErrorCode::NameResolutionFailure
            | ErrorCode::ProtocolError
            | ErrorCode::ProxyError
            | ErrorCode::ReceiveError
            | ErrorCode::SendError => true,
            ErrorCode::ConnectTimeout | ErrorCode::ReadTimeout | ErrorCode::Timeout => {
                retry.on_timeout
            }
            ErrorCode::InvalidStatus(status) => retry.on_statuses.contains(&status),
            _ => false,
        },
        None => retry.on_statuses.contains(&attempt.status),
    };
    if !again {
        return None;
    }
    retry.backoff().wait(attempts, jitter)
}
