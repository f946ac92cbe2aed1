//! Why a job, or a call, failed.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;

use crate::subcode::Subcode;

/// The stable name of what went wrong with a job.
///
/// [`ErrorCode::as_str`] gives the slug that C, Go and Node see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The URL can't be parsed, or its scheme is not `http` or `https`.
    InvalidUrl,
    /// The host's name does not exist.
    UnknownHost,
    /// The host's name could not be looked up for now.
    NameResolutionFailure,
    /// The host's name exists, but has no address.
    NoAddressAssociatedWithHostname,
    /// The peer refused the connection.
    ConnectionRefused,
    /// The peer closed or reset the connection before the answer was whole.
    ConnectionAborted,
    /// The connection could not be made, for a reason that no other code names.
    ConnectionError,
    /// The host can't be reached.
    NoRouteToHost,
    /// The network can't be reached.
    UnreachableNetwork,
    /// No connection was made within [`Options::connect_timeout`](crate::Options::connect_timeout).
    ConnectTimeout,
    /// No answer began within [`Options::timeout`](crate::Options::timeout), or the system gave up
    /// on a connection that had fallen silent.
    ReadTimeout,
    /// The answer was not whole within [`Options::timeout`](crate::Options::timeout).
    Timeout,
    /// TLS failed: the certificate, the handshake, or the CA file.
    Ssl,
    /// The job met more redirections than [`Options::max_redirects`](crate::Options::max_redirects).
    MaxRedirects,
    /// A redirection led to a URL at which the job had been.
    InfiniteRedirects,
    /// A redirection led from a URL to itself.
    SelfRedirect,
    /// A redirection led to something that is not an `http` or `https` URL.
    InvalidRedirect,
    /// A `Location` header's host has bytes that are not UTF-8. In its other parts such bytes are
    /// percent-encoded.
    BadlyEncodedLocation,
    /// A gzip body is broken or incomplete. If only the trailer is missing or wrong, the body is there:
    /// see [`Truncated`](crate::Truncated).
    InvalidGzip,
    /// A deflate, br or zstd body is broken or incomplete.
    InvalidEncoding,
    /// The final status is one of [`Options::raise_on_statuses`](crate::Options::raise_on_statuses).
    InvalidStatus(u16),
    /// The proxy could not be reached, or refused.
    ProxyError,
    /// The request could not be sent.
    SendError,
    /// The answer could not be received.
    ReceiveError,
    /// The stream's [`callback`](crate::StreamConfig::callback) failed.
    CallbackError,
    /// The stream or the pool was cancelled.
    Cancelled,
    /// The body was larger than [`Options::max_body_size`](crate::Options::max_body_size).
    BodyTooLarge,
    /// The peer did not speak HTTP as it is specified.
    ProtocolError,
    /// The pool may not go there:
    /// [`PoolConfig::deny_private_addresses`](crate::PoolConfig::deny_private_addresses) or the fields
    /// after it forbid the address, port or scheme.
    ForbiddenAddress,
    /// The library or the machine under it has a fault.
    InternalError,
}

impl ErrorCode {
    /// The code's slug, stable over versions: `"connection-refused"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidUrl => "invalid-url",
            Self::UnknownHost => "unknown-host",
            Self::NameResolutionFailure => "name-resolution-failure",
            Self::NoAddressAssociatedWithHostname => "no-address-associated-with-hostname",
            Self::ConnectionRefused => "connection-refused",
            Self::ConnectionAborted => "connection-aborted",
            Self::ConnectionError => "connection-error",
            Self::NoRouteToHost => "no-route-to-host",
            Self::UnreachableNetwork => "unreachable-network",
            Self::ConnectTimeout => "connect-timeout",
            Self::ReadTimeout => "read-timeout",
            Self::Timeout => "timeout",
            Self::Ssl => "ssl",
            Self::MaxRedirects => "max-redirects",
            Self::InfiniteRedirects => "infinite-redirects",
            Self::SelfRedirect => "self-redirect",
            Self::InvalidRedirect => "invalid-redirect",
            Self::BadlyEncodedLocation => "badly-encoded-location",
            Self::InvalidGzip => "invalid-gzip",
            Self::InvalidEncoding => "invalid-encoding",
            Self::InvalidStatus(status) => invalid_status(status),
            Self::ProxyError => "proxy-error",
            Self::SendError => "send-error",
            Self::ReceiveError => "receive-error",
            Self::CallbackError => "callback-error",
            Self::Cancelled => "cancelled",
            Self::BodyTooLarge => "body-too-large",
            Self::ProtocolError => "protocol-error",
            Self::ForbiddenAddress => "forbidden-address",
            Self::InternalError => "internal-error",
        }
    }
}

const INVALID_STATUS: &str = "invalid-status-000";

/// `invalid-status-N` for each status of three digits, one behind the other, because slugs are static.
static INVALID_STATUSES: [u8; 1000 * INVALID_STATUS.len()] = {
    let mut slugs = [0; 1000 * INVALID_STATUS.len()];
    let mut at = 0;
    while at < slugs.len() {
        let (status, place) = (at / INVALID_STATUS.len(), at % INVALID_STATUS.len());
        slugs[at] = match INVALID_STATUS.len() - place {
            1 => b'0' + (status % 10) as u8,
            2 => b'0' + (status / 10 % 10) as u8,
            3 => b'0' + (status / 100) as u8,
            _ => INVALID_STATUS.as_bytes()[place],
        };
        at += 1;
    }
    slugs
};

fn invalid_status(status: u16) -> &'static str {
    let start = usize::from(status) * INVALID_STATUS.len();
    INVALID_STATUSES
        .get(start..start + INVALID_STATUS.len())
        .and_then(|slug| std::str::from_utf8(slug).ok())
        .unwrap_or("invalid-status")
}

impl Error {
    /// No memory is left for what a call needs.
    pub(crate) fn no_memory(what: &str) -> Self {
        Self::OutOfResources(format!("no memory is left for {what}"))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a job has no answer: a code for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What kind of failure it is.
    pub code: ErrorCode,
    /// The particular cause, where a code covers several and the cause is known.
    pub subcode: Option<Subcode>,
    /// What failed and where, with the words of the library that noticed.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            subcode: None,
            message: message.into(),
        }
    }

    /// No memory is left for what the job with that URL, as it is shown, needs.
    pub(crate) fn no_memory(url: &str, what: &str) -> Self {
        let message = format!("{url}: no memory is left for {what}: lower max_workers");
        Self::new(ErrorCode::InternalError, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

/// The message of a panic.
pub(crate) fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words")
}

/// Why a call on a pool or a stream was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A value is out of its range; the sentence names the field.
    InvalidArgument(String),
    /// There was no room for the job in time.
    Full,
    /// The stream was finished or cancelled and takes no more jobs.
    Closed,
    /// The machine gave no thread, descriptor or memory.
    OutOfResources(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidArgument(why) | Self::OutOfResources(why) => f.write_str(why),
            Self::Full => f.write_str(
                "the stream is full: results have to be taken before it takes more jobs",
            ),
            Self::Closed => {
                f.write_str("the stream was finished or cancelled: it takes no more jobs")
            }
        }
    }
}

impl std::error::Error for Error {}
