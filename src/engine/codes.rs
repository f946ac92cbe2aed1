//! Maps curl's codes, its words and the system's errno to our error codes.

use std::io;
use std::time::Duration;

use curl_sys as code;
use url::Url;

use crate::address::shown;
use crate::error::{ErrorCode, Failure};
use crate::plan::Plan;
use crate::process::descriptors;
use crate::subcode::Subcode;

// Not in curl-sys.
const CURLE_WEIRD_SERVER_REPLY: code::CURLcode = 8;
const CURLE_PROXY: code::CURLcode = 97;
const CURLE_SSL_CLIENTCERT: code::CURLcode = 98;
const CURLE_TOO_LARGE: code::CURLcode = 100;

/// How far a transfer had come when it failed, and by what way.
pub(super) struct Circumstances<'a> {
    /// The system's last error on the connection; 0 if there was none. `None`: the engine can't tell.
    pub errno: Option<i32>,
    /// Whether a connection stood, TLS included.
    pub connected: bool,
    /// Whether the head of the answer had begun.
    pub answered: bool,
    /// Whether what came over HTTP/2 was found to be broken.
    pub broken: bool,
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
    let kind = classify(error, how);
    // If memory is short, curl's words say where that was noticed, and not what it was.
    let is_memory = error.code() == code::CURLE_OUT_OF_MEMORY;
    let words = own_words.filter(|_| !is_memory);
    let words = words.unwrap_or(error.description());
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
    // In other cases the errno may be left over from an address tried earlier.
    let is_of_socket = matches!(
        error.code(),
        code::CURLE_COULDNT_CONNECT | code::CURLE_SEND_ERROR | code::CURLE_RECV_ERROR
    );
    if is_of_socket && let Some(errno) = how.errno.filter(|errno| *errno != 0) {
        message.push_str(&format!(": {}", io::Error::from_raw_os_error(errno)));
        if descriptors::are_out(errno) {
            message.push_str(": ");
            message.push_str(descriptors::MORE);
        }
    }
    message.push_str(&format!(", after {:.3} s", how.took.as_secs_f64()));
    Failure {
        subcode: (kind == ErrorCode::Ssl)
            .then(|| subcode(error.code(), own_words))
            .flatten(),
        ..Failure::new(kind, message)
    }
}

/// The particular fault of TLS. The words are OpenSSL's verdict on a certificate, or curl's on names;
/// isahc passes on neither.
fn subcode(curl: code::CURLcode, words: Option<&str>) -> Option<Subcode> {
    let says = |any: &[&str]| {
        any.iter()
            .any(|what| words.is_some_and(|words| words.contains(what)))
    };
    Some(match curl {
        code::CURLE_SSL_CACERT_BADFILE => Subcode::CaFile,
        CURLE_SSL_CLIENTCERT | code::CURLE_SSL_CERTPROBLEM => Subcode::ClientCertificate,
        _ if says(&["certificate required"]) => Subcode::ClientCertificate,
        code::CURLE_PEER_FAILED_VERIFICATION | code::CURLE_SSL_ISSUER_ERROR => {
            words?;
            match () {
                () if says(&["certificate has expired"]) => Subcode::Expired,
                () if says(&["certificate is not yet valid"]) => Subcode::NotYetValid,
                () if says(&["subject name", "hostname mismatch", "IP address mismatch"]) => {
                    Subcode::WrongName
                }
                () if says(&[
                    "self-signed certificate",
                    "self signed certificate",
                    "issuer certificate",
                    // One of that name is known, but has another key or number.
                    "key identifier mismatch",
                    "issuer serial number mismatch",
                    "unable to verify the first certificate",
                    "certificate not trusted",
                ]) =>
                {
                    Subcode::UnknownAuthority
                }
                () => Subcode::BadCertificate,
            }
        }
        code::CURLE_SSL_PINNEDPUBKEYNOTMATCH | code::CURLE_SSL_INVALIDCERTSTATUS => {
            Subcode::BadCertificate
        }
        _ => Subcode::Protocol,
    })
}

/// The failure if the answer is a proxy's: only proxies ask for credentials with 407 (RFC 9110, section
/// 15.5.8).
pub(super) fn refused_by_proxy(url: &Url, status: u16, plan: &Plan) -> Option<Failure> {
    (status == 407 && plan.proxy.is_some()).then(|| {
        Failure::new(
            ErrorCode::ProxyError,
            format!(
                "{}: the proxy asks for credentials (status 407)",
                shown(url.as_str())
            ),
        )
    })
}

/// Whether an error concerns one HTTP/2 stream and not its connection.
#[cfg(not(engine = "isahc"))]
pub(super) fn is_of_stream(error: &curl::Error) -> bool {
    error.code() == code::CURLE_HTTP2_STREAM
}

/// Whether curl says of an HTTP/2 connection only that it ended or that its peer wants no more on it,
/// or repeats what the system said of its socket, which is the same end met while sending.
fn is_end_of_http2(error: &curl::Error) -> bool {
    let is_of_socket = |words: &str| {
        let starts = ["Send failure: ", "Recv failure: "];
        starts.iter().any(|start| words.starts_with(start))
    };
    error.code() == code::CURLE_HTTP2 && error.extra_description().is_none_or(is_of_socket)
}

/// Whether the connection ended without TLS's goodbye. `words` are as in `classify`, from OpenSSL 3 or
/// older.
fn is_cut_off(words: Option<&str>) -> bool {
    let says = |what| words.is_some_and(|words| words.contains(what));
    says("unexpected eof while reading") || says("Connection closed abruptly")
}

/// Whether that happened while an answer was received.
#[cfg(not(engine = "isahc"))]
pub(super) fn is_unclosed(error: &curl::Error) -> bool {
    error.is_recv_error() && is_cut_off(error.extra_description())
}

/// Only curl's words about this very failure, not those about all failures of its code, tell some
/// failures apart; `tests/error_codes.rs` checks that they still do.
fn classify(error: &curl::Error, how: &Circumstances<'_>) -> ErrorCode {
    let (curl, words) = (error.code(), error.extra_description());
    let is_end = is_end_of_http2(error);
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
        code::CURLE_COULDNT_CONNECT if how.errno.is_some_and(descriptors::are_out) => {
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
        // Any failure on the connection at that point was in telling the peer so.
        code::CURLE_HTTP2
        | code::CURLE_HTTP2_STREAM
        | code::CURLE_PARTIAL_FILE
        | code::CURLE_SEND_ERROR
        | code::CURLE_RECV_ERROR
            if how.broken =>
        {
            ErrorCode::ProtocolError
        }
        // A broken frame after the first bytes of a body comes as this code too.
        code::CURLE_PARTIAL_FILE if says("nghttp2 ") => ErrorCode::ProtocolError,
        code::CURLE_GOT_NOTHING | code::CURLE_PARTIAL_FILE => ErrorCode::ConnectionAborted,
        // curl may call a failed send a failed receive, and the other way round.
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
        // TLS 1.3 reports this after the handshake.
        code::CURLE_SEND_ERROR | code::CURLE_RECV_ERROR if says("alert certificate required") => {
            ErrorCode::Ssl
        }
        // TLS is broken; over HTTP/2 that may be noticed while sending.
        code::CURLE_SEND_ERROR | code::CURLE_RECV_ERROR if says("SSL_read") => {
            ErrorCode::ReceiveError
        }
        code::CURLE_SEND_ERROR => ErrorCode::SendError,
        // Chunks or heads are broken.
        code::CURLE_RECV_ERROR if how.errno == Some(0) && how.answered => ErrorCode::ProtocolError,
        code::CURLE_RECV_ERROR => ErrorCode::ReceiveError,
        // The server gave up an HTTP/2 stream or closed the connection, about which curl says nothing.
        // It does report a broken frame, except through isahc.
        code::CURLE_HTTP2 if is_end && how.errno.is_some() => ErrorCode::ConnectionAborted,
        code::CURLE_HTTP2_STREAM if says("reset by server") || says("was closed cleanly") => {
            ErrorCode::ConnectionAborted
        }
        code::CURLE_SSL_CONNECT_ERROR
        | code::CURLE_PEER_FAILED_VERIFICATION
        | code::CURLE_SSL_ENGINE_NOTFOUND
        | code::CURLE_SSL_ENGINE_SETFAILED
        | code::CURLE_SSL_ENGINE_INITFAILED
        | code::CURLE_SSL_CERTPROBLEM
        | CURLE_SSL_CLIENTCERT
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests' servers can't produce these cases; the words are OpenSSL's and curl's.
    #[test]
    fn what_of_tls_it_was() {
        let failed = code::CURLE_PEER_FAILED_VERIFICATION;
        let problem = |words: &str| format!("SSL certificate problem: {words}");
        for (words, expected) in [
            ("certificate has expired", Subcode::Expired),
            ("certificate is not yet valid", Subcode::NotYetValid),
            ("hostname mismatch", Subcode::WrongName),
            ("IP address mismatch", Subcode::WrongName),
            ("self signed certificate", Subcode::UnknownAuthority),
            (
                "self-signed certificate in certificate chain",
                Subcode::UnknownAuthority,
            ),
            (
                "unable to get local issuer certificate",
                Subcode::UnknownAuthority,
            ),
            (
                "unable to verify the first certificate",
                Subcode::UnknownAuthority,
            ),
            (
                "authority and subject key identifier mismatch",
                Subcode::UnknownAuthority,
            ),
            ("CA md too weak", Subcode::BadCertificate),
            ("unsuitable certificate purpose", Subcode::BadCertificate),
        ] {
            assert_eq!(
                subcode(failed, Some(&problem(words))),
                Some(expected),
                "{words}"
            );
        }
        assert_eq!(subcode(failed, None), None);
        let alert = "TLS cert problem: tlsv13 alert certificate required";
        let asked = Some(Subcode::ClientCertificate);
        assert_eq!(subcode(CURLE_SSL_CLIENTCERT, Some(alert)), asked);
        assert_eq!(subcode(code::CURLE_RECV_ERROR, Some(alert)), asked);
        assert_eq!(
            subcode(code::CURLE_SSL_CONNECT_ERROR, None),
            Some(Subcode::Protocol)
        );
        assert_eq!(
            subcode(code::CURLE_SSL_CIPHER, None),
            Some(Subcode::Protocol)
        );
    }
}
