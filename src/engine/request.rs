//! What is sent for a hop, whichever engine sends it.

use super::browser;
use crate::plan::{Concern, Plan, Scheme};

/// Sent unless the options have a `User-Agent`: a polite client says who it is.
const USER_AGENT: &str = concat!("rouet/", env!("CARGO_PKG_VERSION"));

/// The `User-Agent` to send. `None`: it is among the options' headers.
pub(super) fn user_agent(plan: &Plan) -> Option<&'static str> {
    (!plan.has_header("user-agent")).then_some(match plan.spoof_ua {
        true => browser::USER_AGENT,
        false => USER_AGENT,
    })
}

/// Whether the request asks to close its connection after the answer, with the effect that nothing more
/// is sent on it (RFC 9112, section 9.6).
pub(super) fn closes(plan: &Plan) -> bool {
    let is_close = |value: &str| {
        let mut words = value.split(',');
        words.any(|word| word.trim().eq_ignore_ascii_case("close"))
    };
    let mut headers = plan.headers();
    headers.any(|(name, value, _)| name.eq_ignore_ascii_case("connection") && is_close(value))
}

/// The headers to send, except for the hop's `User-Agent` and `Cookie`. `home` and `kept` are the
/// hop's: whether this is the origin that the caller meant, and whether the body is still sent.
pub(super) fn headers(plan: &Plan, home: bool, kept: bool) -> impl Iterator<Item = (&str, &str)> {
    let codings = plan.compressed && !plan.has_header("accept-encoding");
    let ours = codings.then_some(("Accept-Encoding", "gzip, deflate, br, zstd"));
    let theirs = plan.headers().filter_map(move |(name, value, concern)| {
        let sent = match concern {
            Concern::Request => true,
            Concern::Caller => home,
            Concern::Body => kept,
            Concern::Proxy => false,
        };
        sent.then_some((name, value))
    });
    ours.into_iter().chain(theirs)
}

/// The headers for the proxy alone, on each hop; they are not the server's business (RFC 9110, section
/// 11.7.2). Only proxies that speak HTTP take any.
pub(super) fn proxy_headers(plan: &Plan) -> impl Iterator<Item = (&str, &str)> {
    let taken = has_http_proxy(plan);
    plan.headers()
        .filter(move |(_, _, concern)| taken && *concern == Concern::Proxy)
        .map(|(name, value, _)| (name, value))
}

/// Whether there is a proxy that speaks HTTP.
pub(super) fn has_http_proxy(plan: &Plan) -> bool {
    plan.proxy_scheme().is_some_and(Scheme::is_http)
}

/// The body to send, if any. `kept` is the hop's: whether the options' body is still sent.
pub(super) fn body<'a>(plan: &'a Plan, method: &str, kept: bool) -> Option<&'a [u8]> {
    // Methods that have a body by definition announce an empty one too (RFC 9110, section 8.6).
    let always = matches!(method, "POST" | "PUT" | "PATCH");
    let bytes = plan.body.as_deref();
    bytes
        .filter(|_| kept && method != "HEAD")
        .or(always.then_some(&[]))
}

/// Whether a client may repeat a request by itself (RFC 9110, section 9.2.2).
pub(crate) fn is_idempotent(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
    )
}
