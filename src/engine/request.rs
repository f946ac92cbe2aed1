//! What is sent for a hop, whichever engine sends it.

use super::browser;
use super::route::proxy_scheme;
use crate::options::Options;

/// Sent unless the options have a `User-Agent`: a polite client says who it is.
const USER_AGENT: &str = concat!("rouet/", env!("CARGO_PKG_VERSION"));

const PROXY_AUTHORIZATION: &str = "proxy-authorization";

/// Whether the options have a header of that name.
pub(super) fn given(options: &Options, name: &str) -> bool {
    options
        .headers
        .iter()
        .any(|(other, _)| other.eq_ignore_ascii_case(name))
}

/// The `User-Agent` to send. `None`: it is among the options' headers.
pub(super) fn user_agent(options: &Options) -> Option<&'static str> {
    (!given(options, "user-agent")).then_some(match options.spoof_ua {
        true => browser::USER_AGENT,
        false => USER_AGENT,
    })
}

/// Whether the request asks for its connection to be closed behind the answer: nothing more is then
/// sent on it (RFC 9112, section 9.6).
pub(super) fn closes(options: &Options) -> bool {
    let is_close = |value: &str| {
        let mut words = value.split(',');
        words.any(|word| word.trim().eq_ignore_ascii_case("close"))
    };
    options
        .headers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("connection") && is_close(value))
}

/// The headers to send but for the `User-Agent` and the `Cookie` of the hop. `home` and `kept` are
/// the hop's: whether this is the origin the caller meant, and still the body.
pub(super) fn headers(
    options: &Options,
    home: bool,
    kept: bool,
) -> impl Iterator<Item = (&str, &str)> {
    let codings = options.compressed && !given(options, "accept-encoding");
    let ours = codings.then_some(("Accept-Encoding", "gzip, deflate, br, zstd"));
    let theirs = options.headers.iter().filter_map(move |(name, value)| {
        let is = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        let private = is(&["authorization", "cookie", "host"]);
        if is(&[PROXY_AUTHORIZATION]) {
            return None;
        }
        // The Fetch standard drops these with the body they are about (HTTP-redirect fetch).
        let about_body = is(&[
            "content-encoding",
            "content-language",
            "content-location",
            "content-type",
        ]);
        let sent = (home || !private) && (kept || !about_body);
        // Blanks around a value are none of it (RFC 9110, section 5.5), and to curl nothing but
        // blanks is a header to be left out.
        sent.then_some((&**name, value.trim_matches([' ', '\t'])))
    });
    ours.into_iter().chain(theirs)
}

/// The headers that are for the proxy alone, on each hop: none of it is the server's business (RFC
/// 9110, section 11.7.2). Only those that speak HTTP take any.
pub(super) fn proxy_headers(options: &Options) -> impl Iterator<Item = (&str, &str)> {
    let is_theirs = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(PROXY_AUTHORIZATION);
    let headers = options.headers.iter().filter(is_theirs);
    let taken = has_http_proxy(options);
    headers
        .filter(move |_| taken)
        .map(|(name, value)| (&**name, &**value))
}

/// Whether there is a proxy that speaks HTTP.
pub(super) fn has_http_proxy(options: &Options) -> bool {
    matches!(proxy_scheme(options), Some("http" | "https"))
}

/// The body to send, if any. `kept` is the hop's: whether the options' body is still sent.
pub(super) fn body<'a>(options: &'a Options, method: &str, kept: bool) -> Option<&'a [u8]> {
    // Methods that have a body by definition say so when it is empty (RFC 9110, section 8.6).
    let always = matches!(method, "POST" | "PUT" | "PATCH");
    let bytes = options.body.as_deref();
    bytes
        .filter(|_| kept && method != "HEAD")
        .or(always.then_some(&[]))
}

/// Whether a request may be sent anew of the client's own accord (RFC 9110, section 9.2.2).
pub(crate) fn is_idempotent(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
    )
}
