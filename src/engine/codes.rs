//! What curl's codes, its words and the system's errno come to in our error codes.

use std::io;
use std::time::Duration;

use curl_sys as code;
use url::Url;

use super::{MORE_DESCRIPTORS, is_of_descriptors};
use crate::address::shown;
use crate::error::{ErrorCode, Failure};
use crate::options::Options;

// Not in curl-sys.
const CURLE_WEIRD_SERVER_REPLY: code::CURLcode = 8;
const CURLE_PROXY: code::CURLcode = 97;
const CURLE_TOO_LARGE: code::CURLcode = 100;

/// How far a transfer had come when it failed, and by what way.
pub(super) struct Circumstances<'a> {
    /// The system's last error on the connection; 0: none. `None`: the engine can't tell.
    pub errno: Option<i32>,
    /// Whether a connection stood, TLS included.
    pub connected: bool,
    /// Whether the head of the answer had begun.
    pub answered: bool,
    /// The peer's address as text, if one was tried.
    pub peer: Option<&'a str>,
    /// The proxy between us and the server.
    pub proxy: Option<&'a str>,
    /// The interface to connect from.
    pub interface: Option<&'a str>,
    pub took: Duration,
}

/// The failure behind a curl error on a URL.
pub(super) fn failure(url: &str, error: &curl::Error, how: &Circumstances<'_>) -> Failure {
    let own_words = error.extra_description();
    let kind = classify(error.code(), own_words, how);
    let words = own_words.unwrap_or(error.description());
    let mut message = format!("{}: {words}", shown(url));
    if let Some(peer) = how.peer {
        message.push_str(&format!(" (address {peer})"));
    }
    if let Some(proxy) = how.proxy {
        message.push_str(&format!(" (proxy {})", shown(proxy)));
    }
    if let Some(interface) = how.interface {
        message.push_str(&format!(" (interface {interface})"));
    }
    // Elsewhere the errno may be left over from an address tried before.
    let is_of_socket = matches!(
        error.code(),
        code::CURLE_COULDNT_CONNECT | code::CURLE_SEND_ERROR | code::CURLE_RECV_ERROR
    );
    if is_of_socket && let Some(errno) = how.errno.filter(|errno| *errno != 0) {
        message.push_str(&format!(": {}", io::Error::from_raw_os_error(errno)));
        if is_of_descriptors(errno) {
            message.push_str(": ");
            message.push_str(MORE_DESCRIPTORS);
        }
    }
    message.push_str(&format!(", after {:.3} s", how.took.as_secs_f64()));
    Failure::new(kind, message)
}

/// The failure when the answer is a proxy's: only they ask for credentials with 407 (RFC 9110,
/// section 15.5.8).
pub(super) fn refused_by_proxy(url: &Url, status: u16, options: &Options) -> Option<Failure> {
    (status == 407 && options.proxy.is_some()).then(|| {
        Failure::new(
            ErrorCode::ProxyError,
            format!(
                "{}: the proxy asks for credentials (status 407)",
                shown(url.as_str())
            ),
        )
    })
}

/// Whether the connection ended without TLS's goodbye. `words` as below: those of OpenSSL 3, and
/// older.
fn is_cut_off(words: Option<&str>) -> bool {
    let says = |what| words.is_some_and(|words| words.contains(what));
    says("unexpected eof while reading") || says("Connection closed abruptly")
}

/// Whether that happened while an answer was received.
#[cfg(not(feature = "isahc"))]
pub(super) fn is_unclosed(error: &curl::Error) -> bool {
    error.is_recv_error() && is_cut_off(error.extra_description())
}

/// `words`: what curl says of this very failure, beyond what it says of all with that code. They
/// alone tell some apart; that they still do, `tests/error_codes.rs` sees.
fn classify(curl: code::CURLcode, words: Option<&str>, how: &Circumstances<'_>) -> ErrorCode {
    let proxied = how.proxy.is_some();
    let says = |what| words.is_some_and(|words| words.contains(what));
    let cut_off = is_cut_off(words);
    let is_io = matches!(
        curl,
        code::CURLE_SEND_ERROR | code::CURLE_RECV_ERROR | code::CURLE_SSL_CONNECT_ERROR
    );
    match curl {
        code::CURLE_URL_MALFORMAT => ErrorCode::InvalidUrl,
        code::CURLE_COULDNT_RESOLVE_HOST => ErrorCode::NameResolutionFailure,
        code::CURLE_COULDNT_RESOLVE_PROXY | CURLE_PROXY => ErrorCode::ProxyError,
        code::CURLE_OPERATION_TIMEDOUT if !how.connected => ErrorCode::ConnectTimeout,
        code::CURLE_OPERATION_TIMEDOUT if !how.answered => ErrorCode::ReadTimeout,
        code::CURLE_OPERATION_TIMEDOUT => ErrorCode::Timeout,
        code::CURLE_COULDNT_CONNECT if how.errno.is_some_and(is_of_descriptors) => {
            ErrorCode::ConnectionError
        }
        code::CURLE_COULDNT_CONNECT if proxied => ErrorCode::ProxyError,
        code::CURLE_COULDNT_CONNECT | code::CURLE_INTERFACE_FAILED => match how.errno {
            Some(libc::ECONNREFUSED) => ErrorCode::ConnectionRefused,
            Some(libc::ECONNRESET | libc::ECONNABORTED) => ErrorCode::ConnectionAborted,
            Some(libc::EHOSTUNREACH | libc::EHOSTDOWN) => ErrorCode::NoRouteToHost,
            Some(libc::ENETUNREACH | libc::ENETDOWN) => ErrorCode::UnreachableNetwork,
            Some(libc::ETIMEDOUT) => ErrorCode::ConnectTimeout,
            _ => ErrorCode::ConnectionError,
        },
        // A broken frame after the first bytes of a body comes as this too.
        code::CURLE_PARTIAL_FILE if says("nghttp2 ") => ErrorCode::ProtocolError,
        code::CURLE_GOT_NOTHING | code::CURLE_PARTIAL_FILE => ErrorCode::ConnectionAborted,
        // Where sending failed curl may say that receiving did, and the other way round.
        _ if is_io
            && matches!(
                how.errno,
                Some(libc::EPIPE | libc::ECONNRESET | libc::ECONNABORTED)
            ) =>
        {
            ErrorCode::ConnectionAborted
        }
        // A CONNECT that the proxy refused comes as this before there is a connection.
        code::CURLE_RECV_ERROR if proxied && !how.connected => ErrorCode::ProxyError,
        _ if is_io && cut_off => ErrorCode::ConnectionAborted,
        code::CURLE_SEND_ERROR | code::CURLE_RECV_ERROR if how.errno == Some(libc::ETIMEDOUT) => {
            ErrorCode::ReadTimeout
        }
        // TLS is broken; over HTTP/2 that may be noticed while sending.
        code::CURLE_SEND_ERROR | code::CURLE_RECV_ERROR if says("SSL_read") => {
            ErrorCode::ReceiveError
        }
        code::CURLE_SEND_ERROR => ErrorCode::SendError,
        // Broken chunks and heads.
        code::CURLE_RECV_ERROR if how.errno == Some(0) && how.answered => ErrorCode::ProtocolError,
        code::CURLE_RECV_ERROR => ErrorCode::ReceiveError,
        // The server gave an HTTP/2 stream up, or closed the connection, of which curl says
        // nothing; of a broken frame it does, but for isahc.
        code::CURLE_HTTP2 if words.is_none() && how.errno.is_some() => ErrorCode::ConnectionAborted,
        code::CURLE_HTTP2_STREAM if says("reset by server") || says("was closed cleanly") => {
            ErrorCode::ConnectionAborted
        }
        code::CURLE_SSL_CONNECT_ERROR
        | code::CURLE_PEER_FAILED_VERIFICATION
        | code::CURLE_SSL_ENGINE_NOTFOUND
        | code::CURLE_SSL_ENGINE_SETFAILED
        | code::CURLE_SSL_ENGINE_INITFAILED
        | code::CURLE_SSL_CERTPROBLEM
        | code::CURLE_SSL_CIPHER
        | code::CURLE_SSL_CACERT_BADFILE
        | code::CURLE_SSL_CRL_BADFILE
        | code::CURLE_SSL_ISSUER_ERROR
        | code::CURLE_SSL_SHUTDOWN_FAILED
        | code::CURLE_USE_SSL_FAILED
        | code::CURLE_SSL_PINNEDPUBKEYNOTMATCH
        | code::CURLE_SSL_INVALIDCERTSTATUS => ErrorCode::Ssl,
        CURLE_WEIRD_SERVER_REPLY
        | code::CURLE_UNSUPPORTED_PROTOCOL
        | code::CURLE_HTTP2
        | code::CURLE_HTTP2_STREAM
        | code::CURLE_BAD_CONTENT_ENCODING
        | CURLE_TOO_LARGE
        | code::CURLE_CHUNK_FAILED => ErrorCode::ProtocolError,
        _ => ErrorCode::InternalError,
    }
}
