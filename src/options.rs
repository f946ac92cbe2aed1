//! How jobs are done, and how a pool and a stream are set up.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;

use crate::error::Error;
use crate::headers::is_token;
use crate::schedule::Backoff;
use crate::sniff;

/// More headers than any server takes.
const MAX_HEADERS: usize = 1000;
/// Each hop goes through them.
const MAX_ENTRIES: usize = 10_000;

/// Which HTTP versions to offer. A host that gives HTTP/2 up for HTTP/1.1 (RFC 9113, section 7,
/// HTTP_1_1_REQUIRED) is asked once more in that, and so for an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/2 over TLS where the server takes it, HTTP/1.1 otherwise.
    #[default]
    Any,
    /// HTTP/1.1 only.
    Http11,
    /// HTTP/2 without asking first, also in the clear (RFC 9113, section 3.3).
    Http2PriorKnowledge,
}

/// When a failed attempt is made again. See [`Options::retry`].
///
/// The wait after attempt *n* is `min_wait`·4^(*n*−1), at most `max_wait`, varied by up to a
/// quarter either way. A job that waits occupies no worker, and when its time has come it queues
/// in its group as any other. Made again are attempts that ended in a refused, reset or broken
/// connection, an unreachable host or network, an error of the proxy, the protocol, sending or
/// receiving, or a name look-up that failed for now (`docs/errors.md` has the list).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Retry {
    /// Attempts in all, the first included; at least 1. Default 3.
    pub max_attempts: u32,
    /// The wait after the first attempt. Default 10 s.
    pub min_wait: Duration,
    /// The longest wait. Default one day.
    pub max_wait: Duration,
    /// Whether time-outs are tried again too. Default no.
    pub on_timeout: bool,
    /// Statuses of a final answer that are tried again too. Default none.
    pub on_statuses: Vec<u16>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            min_wait: Duration::from_secs(10),
            max_wait: Duration::from_secs(24 * 60 * 60),
            on_timeout: false,
            on_statuses: Vec::new(),
        }
    }
}

impl Retry {
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff {
            max_attempts: self.max_attempts,
            min_wait: self.min_wait,
            max_wait: self.max_wait,
        }
    }
}

/// How a job is done. `Options::default()` has the documented defaults.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// The request method; `None`: GET for a request, HEAD for a resolve.
    pub method: Option<String>,
    /// Headers to send, in this order, 1000 at most. One with an empty value is sent empty. `Authorization`,
    /// `Cookie` and `Host` are not sent on to another origin. `Proxy-Authorization` goes to an HTTP
    /// proxy alone, on each hop, and to no server (RFC 9110, section 11.7.2).
    ///
    /// What says where a request ends and what becomes of its connection is the library's own, and
    /// refused: `Content-Length`, `Transfer-Encoding`, `Trailer`, `Expect`, `Upgrade`,
    /// `HTTP2-Settings`, `Proxy-Connection`, a `TE` but `trailers`, a `Connection` but `keep-alive`,
    /// `TE` and `close`, which closes the connection behind the answer. So is a second `Host`, and
    /// one that is no host.
    pub headers: Vec<(String, String)>,
    /// The value of a `Cookie` header; not sent on to another origin. Default none.
    pub cookie: Option<String>,
    /// Whether cookies that answers set on the way are sent with the job's next hops, to the hosts
    /// and paths they are meant for (RFC 6265). They are forgotten when the attempt ends. A URL may
    /// then be met again after a cookie was set. Default no.
    pub stateful: bool,
    /// Whether to send the `User-Agent` of a widespread browser instead of `rouet/VERSION`. One
    /// among `headers` comes first. Default no.
    pub spoof_ua: bool,
    /// What to send as the request's body. Default none.
    pub body: Option<Arc<[u8]>>,
    /// Whether to ask for gzip, deflate, br or zstd, and undo them. Default no.
    pub compressed: bool,
    /// The time to look up the name, connect and shake hands, each hop. Default 5 s.
    pub connect_timeout: Duration,
    /// The time for a whole attempt, all hops and the body. Default 30 s.
    pub timeout: Duration,
    /// Whether redirections are followed, of any kind. Default yes.
    pub follow_redirects: bool,
    /// How many redirections are followed; `None`: 10 for a request, 20 for a resolve.
    pub max_redirects: Option<u32>,
    /// Whether a `Refresh` header is followed, on an answer below 400 that is no redirection itself,
    /// whatever its delay. Of several the first that leads to what can be requested counts. A page that refreshes itself, or leads back to where the
    /// job was, or to what can't be requested, is where a job ends. Default yes.
    pub follow_refresh_header: bool,
    /// Whether a page's `<meta http-equiv="refresh">` is followed likewise. It is looked for in the
    /// first 1 KiB of an HTML body, or 64 KiB with `follow_js_relocation` or `canonicalize`; a
    /// resolve then uses GET. One within `<noscript>` counts only without `follow_js_relocation` and
    /// where nothing else leads on. Default no.
    pub follow_meta_refresh: bool,
    /// Whether a page's script that sends its reader elsewhere is followed likewise, where it does
    /// so by plain text such as `location = "…"` or `location.replace("…")` within the first
    /// 64 KiB of an HTML body; a resolve then uses GET. Default no.
    pub follow_js_relocation: bool,
    /// Whether the target is taken from the URL itself, without a request, where the URL is that
    /// of a known kind of redirection: `…?url=…`, `l.facebook.com/l.php?u=…`, AMP caches. The job's
    /// group is then that of the target. Default no.
    pub infer_redirection: bool,
    /// Whether the stack ends in the URL that the last page calls its own with
    /// `<link rel="canonical">`, if it is another and is told in the first 64 KiB. It is not
    /// requested. A resolve then uses GET. Default no.
    pub canonicalize: bool,
    /// Final statuses that are errors: `invalid-status-404`. Default none.
    pub raise_on_statuses: Vec<u16>,
    /// The encoding of the text, by a label of the Encoding Standard such as `windows-1251`: it is
    /// then not looked for. Default none.
    pub known_encoding: Option<String>,
    /// The largest body taken, in bytes after decompression. Default 256 MiB.
    pub max_body_size: u64,
    /// Whether certificates go unchecked. Default no.
    pub insecure: bool,
    /// Whether to offer the TLS ciphers of a widespread browser, in its order. Default no.
    pub spoof_tls_ciphers: bool,
    /// A PEM file of the certificate authorities to trust; default the system's.
    pub ca_file: Option<PathBuf>,
    /// A proxy: `http://`, `https://`, `socks5://` or `socks5h://`, with credentials if it needs
    /// them. Default none; the environment's `http_proxy` is not looked at.
    pub proxy: Option<String>,
    /// `HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT`, as in curl: connect there instead. An empty
    /// HOST or PORT matches any. Ports are 1 to 65535, and hosts are written as in a URL (`xn--…`).
    /// At most 10,000. Default none.
    pub connect_to: Vec<String>,
    /// `HOST:PORT:ADDRESS[,ADDRESS]`, as in curl's `--resolve`: use these addresses. A HOST of `*`
    /// is any. At most 10,000. Jobs of one pool share connections by host and port: do not give one
    /// host different addresses in one pool. Default none.
    pub dns: Vec<String>,
    /// The local interface, address or host name to connect from. A host name is looked up for each
    /// hop, as the URL's is. Default any.
    pub interface: Option<String>,
    /// Which HTTP versions to offer.
    pub http_version: HttpVersion,
    /// When a failed attempt is made again. Default never.
    pub retry: Option<Retry>,
    /// Whether the result's URLs, as submitted and in its stack, have `***` in place of a user and
    /// password. Messages and the log always do. Headers and bodies stay as they came. Default no.
    pub mask_credentials: bool,
    /// Whether a resolve whose HEAD got 400, 403, 404, 405, 406 or 5xx, or no answer because the
    /// connection was closed or reset, asks with GET too, at once: many servers answer HEAD otherwise
    /// than GET. The pool remembers of each host, up to some thousands, what came of it: where GET
    /// got another answer its next URLs are asked for with GET alone, where it got the same such an
    /// answer to HEAD is believed, but for 405 and 501, which are of the method. Without it the answer
    /// to HEAD is the result. Default yes.
    pub head_fallback: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            method: None,
            headers: Vec::new(),
            cookie: None,
            stateful: false,
            spoof_ua: false,
            body: None,
            compressed: false,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            follow_redirects: true,
            max_redirects: None,
            follow_refresh_header: true,
            follow_meta_refresh: false,
            follow_js_relocation: false,
            infer_redirection: false,
            canonicalize: false,
            raise_on_statuses: Vec::new(),
            known_encoding: None,
            max_body_size: 256 << 20,
            insecure: false,
            spoof_tls_ciphers: false,
            ca_file: None,
            proxy: None,
            connect_to: Vec::new(),
            dns: Vec::new(),
            interface: None,
            http_version: HttpVersion::Any,
            retry: None,
            mask_credentials: false,
            head_fallback: true,
        }
    }
}

impl Options {
    /// Whether redirections are taken from URLs themselves.
    pub(crate) fn infers(&self) -> bool {
        self.follow_redirects && self.infer_redirection
    }

    /// Whether every field is in its range, but for those that a plan has in another form; the sentence
    /// names the one that is not.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |why: String| Err(Error::InvalidArgument(why));
        for (field, time) in [
            ("connect_timeout", self.connect_timeout),
            ("timeout", self.timeout),
        ] {
            if time.is_zero() {
                return wrong(format!("{field} is 0: it is above 0"));
            }
        }
        if self.max_body_size == 0 {
            return wrong("max_body_size is 0: it is at least 1".into());
        }
        let method = self.method.as_deref();
        if let Some(method) = method.filter(|method| !is_token(method.as_bytes())) {
            return wrong(format!(
                "method is {method:?}: it is a token (RFC 9110, section 9.1)"
            ));
        }
        if method.is_some_and(|method| method.eq_ignore_ascii_case("CONNECT")) {
            return wrong(
                "method is CONNECT, which would make a tunnel of the connection (RFC 9110, section \
                 9.3.6): to go through a proxy, give it as proxy"
                    .into(),
            );
        }
        if method == Some("HEAD") && self.body.is_some() {
            return wrong("body can't be sent with method HEAD".into());
        }
        for (field, count, most) in [
            ("headers", self.headers.len(), MAX_HEADERS),
            ("connect_to", self.connect_to.len(), MAX_ENTRIES),
            ("dns", self.dns.len(), MAX_ENTRIES),
        ] {
            if count > most {
                return wrong(format!(
                    "{field} has {count} entries: it has at most {most}"
                ));
            }
        }
        for (name, value) in &self.headers {
            if !is_token(name.as_bytes()) {
                return wrong(format!(
                    "headers has the name {name:?}: it is a token (RFC 9110, section 5.1)"
                ));
            }
            if !is_field_value(value) {
                return wrong(format!(
                    "headers has a value for {name} with a line break, a NUL or another control \
                     character (RFC 9110, section 5.5)"
                ));
            }
            if let Some(why) = framing(name, value) {
                return wrong(format!("headers has {name}: {value:?}: {why}"));
            }
        }
        if self
            .cookie
            .as_deref()
            .is_some_and(|cookie| !is_field_value(cookie))
        {
            return wrong("cookie has a line break, a NUL or another control character".into());
        }
        let count = |wanted: &str| {
            let is_it = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(wanted);
            self.headers.iter().filter(is_it).count()
        };
        if count("host") > 1 {
            return wrong(
                "headers has Host more than once, which no server takes (RFC 9112, section 3.2)"
                    .into(),
            );
        }
        let given = |wanted: &str| count(wanted) > 0;
        if self.cookie.is_some() && given("cookie") {
            return wrong(
                "cookie and a Cookie among headers are both given: one would be lost".into(),
            );
        }
        if self.stateful && given("cookie") {
            return wrong(
                "headers has a Cookie, which a stateful job can't add to: give it as cookie".into(),
            );
        }
        for (field, statuses) in [
            ("raise_on_statuses", &self.raise_on_statuses[..]),
            (
                "retry_on_statuses",
                self.retry.as_ref().map_or(&[], |retry| &retry.on_statuses),
            ),
        ] {
            if let Some(status) = statuses
                .iter()
                .find(|status| !(100..1000).contains(*status))
            {
                return wrong(format!("{field} has {status}: a status has three digits"));
            }
        }
        for (field, text) in [("proxy", &self.proxy), ("interface", &self.interface)] {
            if text
                .as_ref()
                .is_some_and(|text| text.is_empty() || text.contains(char::is_control))
            {
                return wrong(format!("{field} is empty or has a control character"));
            }
        }
        if let Some(retry) = &self.retry {
            if retry.max_attempts == 0 {
                return wrong("retry_max_attempts is 0: it is at least 1".into());
            }
            if retry.max_wait < retry.min_wait {
                return wrong("retry_max_wait is below retry_min_wait".into());
            }
        }
        Ok(())
    }
}

/// RFC 9110, section 5.5. What is not ASCII is let pass.
fn is_field_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b'\t' || !byte.is_ascii_control())
}

/// Why a header is not the caller's to give, if it is not: the server would see the request end, or
/// its connection go on, elsewhere than we do, and the next job would get what is none of its own.
fn framing(name: &str, value: &str) -> Option<&'static str> {
    const CONNECTION: &str = "what becomes of a connection is not up to one job (RFC 9110, section \
                              7.6.1); leave it out, or say keep-alive or close";
    const UPGRADE: &str = "no other protocol is spoken (RFC 9110, section 7.8); leave it out";
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let only = |known: &[&str]| {
        let is_known = |word: &str| known.iter().any(|other| word.eq_ignore_ascii_case(other));
        value.split(',').all(|word| is_known(word.trim()))
    };
    match () {
        () if is("content-length") || is("transfer-encoding") => {
            Some("where a request ends follows from body (RFC 9112, section 6.3); leave it out")
        }
        () if is("trailer") => Some("no trailers are sent (RFC 9110, section 6.6.2); leave it out"),
        () if is("expect") => Some(
            "a body is sent at once, and waits for no leave (RFC 9110, section 10.1.1); leave it out",
        ),
        () if is("upgrade") || is("http2-settings") => Some(UPGRADE),
        () if is("proxy-connection") => Some(CONNECTION),
        () if is("connection") && !only(&["keep-alive", "close", "te", ""]) => Some(CONNECTION),
        () if is("te") && !only(&["trailers", ""]) => Some(
            "no transfer coding is undone but chunked (RFC 9110, section 10.1.4); leave it out, or \
             say trailers",
        ),
        () if is("host") && !is_host(value) => {
            Some("it is a host, with a port behind a colon if need be (RFC 9110, section 7.2)")
        }
        () => None,
    }
}

/// The characters of RFC 3986's `host` and `port`; whether there is such a host, the server knows.
fn is_host(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t']);
    !text.is_empty()
        && !text.starts_with(':')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=[]:".contains(&byte))
}

/// The encoding of that label.
pub(crate) fn encoding(label: &str) -> Result<&'static Encoding, Error> {
    sniff::for_label(label).ok_or_else(|| {
        Error::InvalidArgument(format!(
            "known_encoding is {label:?}, which is no label of the Encoding Standard"
        ))
    })
}
