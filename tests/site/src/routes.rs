//! The routes of the site, the same on every host. All take any method, HEAD included.
//!
//! | path | answer |
//! |------|--------|
//! | `/page/N` | see `pages.rs`; in gzip when the request accepts it |
//! | `/echo` | JSON of `method`, `host` (and port), `path`, `version`, `headers` (`[name, value]`, in order), `body_length`, `body` |
//! | `/status/N?body=…&header=Name:value` | that status, with that body (none without one) and those headers |
//! | `/redirect/N?status=S` | N hops of status S (302), the last one to `/echo` |
//! | `/redirect-to?url=…&status=S` | one hop, its `Location` being the percent-decoded bytes of `url` |
//! | `/loop/a`, `/loop/b` | redirect to each other |
//! | `/self` | redirects to itself |
//! | `/no-location`, `/location-empty` | 302 without `Location`, with an empty one |
//! | `/text` | the known text ([`known_text`](crate::known_text)), plain |
//! | `/gzip`, `/deflate` (zlib), `/deflate-raw`, `/br`, `/zstd` | the known text in that encoding, whatever is accepted |
//! | `/gzip-corrupt`, `/gzip-truncated`, `/br-corrupt`, `/zstd-corrupt` | the same, broken |
//! | `/gzip-bomb?mb=N` | N MB (10) of zeros in gzip |
//! | `/bytes/N`, `/chunked/N` | N bytes of [`pattern`](crate::pattern), with and without `Content-Length` |
//! | `/endless?ms=N` | chunks for ever, N ms (0) apart |
//! | `/slow?ms=N` | the head after N ms (1000) |
//! | `/drip?bytes=N&ms=M` | N bytes (10) spread over M ms (1000) |
//! | `/hang` | no answer, ever |
//! | `/cookie?set=name=value` | sets these cookies (`set` may be repeated) |
//! | `/headers?count=N&size=M` | N (10) headers `X-I`, of values of M bytes (10) |
//! | `/empty` | 200 without a body |
//! | `/no-head` | 405 to HEAD, 200 to the rest |
//! | anything else | 404 |

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, LOCATION, SET_COOKIE, VARY,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::sleep;

use crate::body::Source;
use crate::pages::{self, Fate};
use crate::query::{Query, json_string};
use crate::samples;

type Answer = Response<Source>;

/// How many bytes a chunk has at most.
const CHUNK: usize = 8 * 1024;

/// Whom a request is to.
pub(crate) struct Asked {
    /// The host, in lower case, without its port.
    pub host: String,
    /// `:port`, if the request tells one.
    pub port: String,
    /// Whether it came through TLS.
    pub secure: bool,
}

impl Asked {
    pub fn new<T>(request: &Request<T>, secure: bool) -> Self {
        let authority = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => match request.headers().get(HOST) {
                Some(host) => host.to_str().unwrap_or_default(),
                None => "",
            },
        };
        // The colons of an IPv6 address are within brackets.
        let (host, port) = match authority.rfind(':') {
            Some(colon) if !authority[colon..].contains(']') => authority.split_at(colon),
            _ => (authority, ""),
        };
        Self {
            host: host.replace('\t', " ").to_ascii_lowercase(),
            port: port.to_owned(),
            secure,
        }
    }
}

/// The answer to a request; an error is to close the connection without one.
pub(crate) async fn answer(asked: &Asked, request: Request<Incoming>) -> io::Result<Answer> {
    let (parts, body) = request.into_parts();
    let query = Query(parts.uri.query().unwrap_or_default());
    let path = parts.uri.path().trim_start_matches('/');
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let number = rest.parse::<u64>().ok();
    Ok(match (name, number) {
        ("page", Some(n)) => return page(asked, &parts.headers, n).await,
        ("echo", _) => echo(asked, &parts, body).await?,
        ("status", Some(status)) => status_of(status, query),
        ("redirect", Some(0)) => echo(asked, &parts, body).await?,
        ("redirect", Some(hops)) => {
            let mark = if query.0.is_empty() { "" } else { "?" };
            let next = match hops {
                1 => "/echo".to_owned(),
                _ => format!("/redirect/{}{mark}{}", hops - 1, query.0),
            };
            redirect(query.number("status", 302), next.as_bytes())
        }
        ("redirect-to", _) => redirect(
            query.number("status", 302),
            &query.get("url").unwrap_or_default(),
        ),
        ("loop", _) if rest == "a" => redirect(302, b"/loop/b"),
        ("loop", _) if rest == "b" => redirect(302, b"/loop/a"),
        ("self", _) => redirect(302, b"/self"),
        ("no-location", _) => plain(302, "no Location\n"),
        ("location-empty", _) => redirect(302, b""),
        ("text", _) => plain(200, samples::known_text()),
        ("gzip-bomb", _) => {
            let (pieces, length) = samples::gzip_bomb(query.number("mb", 10));
            let mut answer = Response::new(Source::pieces(Some(length), pieces));
            set(&mut answer, CONTENT_ENCODING, "gzip");
            answer
        }
        ("bytes", Some(length)) => Response::new(bytes(length)),
        ("chunked", Some(length)) => {
            let pieces = Source::repeat(samples::pattern_piece(), length, CHUNK);
            Response::new(Source::pieces(None, pieces))
        }
        ("endless", _) => {
            let pieces = std::iter::repeat_with(|| samples::pattern_piece().slice(..CHUNK));
            let source = Source::pieces(None, pieces);
            Response::new(match query.number("ms", 0) {
                0 => source,
                ms => source.paced(Duration::from_millis(ms)),
            })
        }
        ("slow", _) => {
            sleep(Duration::from_millis(query.number("ms", 1000))).await;
            plain(200, "slow\n")
        }
        ("drip", _) => drip(query.number("bytes", 10), query.number("ms", 1000)),
        ("hang", _) => std::future::pending().await,
        ("cookie", _) => cookies(query),
        ("headers", _) => many_headers(query),
        ("empty", _) => Response::new(Source::of("")),
        ("no-head", _) if parts.method == Method::HEAD => {
            let mut answer = plain(405, "");
            set(&mut answer, ALLOW, "GET");
            answer
        }
        ("no-head", _) => plain(200, "not for HEAD\n"),
        _ => match samples::encoded(name) {
            Some((bytes, encoding)) => {
                let mut answer = plain(200, bytes);
                set(&mut answer, CONTENT_ENCODING, encoding);
                answer
            }
            None => plain(404, "no such route\n"),
        },
    })
}

fn set(answer: &mut Answer, name: HeaderName, value: &'static str) {
    answer
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}

/// A text. A status that HTTP does not allow for an answer becomes a 400.
fn plain(status: u64, text: impl Into<Bytes>) -> Answer {
    let known = u16::try_from(status)
        .ok()
        .filter(|status| *status >= 200)
        .and_then(|status| StatusCode::from_u16(status).ok());
    let mut answer = Response::new(Source::of(text));
    *answer.status_mut() = known.unwrap_or(StatusCode::BAD_REQUEST);
    set(&mut answer, CONTENT_TYPE, "text/plain; charset=utf-8");
    answer
}

fn redirect(status: u64, location: &[u8]) -> Answer {
    let Ok(location) = HeaderValue::from_bytes(location) else {
        return plain(400, "not a header's value\n");
    };
    let mut answer = plain(status, "moved\n");
    answer.headers_mut().insert(LOCATION, location);
    answer
}

fn bytes(length: u64) -> Source {
    let piece = samples::pattern_piece();
    match usize::try_from(length) {
        Ok(short) if short <= piece.len() => Source::of(piece.slice(..short)),
        _ => Source::pieces(Some(length), Source::repeat(piece, length, usize::MAX)),
    }
}

fn drip(length: u64, ms: u64) -> Answer {
    // A byte at a time, or more when that would be more often than every 5 ms.
    let count = length.min(ms / 5).max(1);
    let most = length.div_ceil(count).max(1);
    let count = length.div_ceil(most).max(1);
    let pause = Duration::from_millis(ms).div_f64(count as f64);
    let piece = samples::pattern_piece();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let pieces = Source::repeat(piece, length, most);
    Response::new(Source::pieces(Some(length), pieces).paced(pause))
}

fn cookies(query: Query<'_>) -> Answer {
    let mut answer = plain(200, "cookies\n");
    for cookie in query.all("set") {
        match HeaderValue::from_bytes(&cookie) {
            Ok(cookie) => answer.headers_mut().append(SET_COOKIE, cookie),
            Err(_) => return plain(400, "not a header's value\n"),
        };
    }
    answer
}

fn many_headers(query: Query<'_>) -> Answer {
    let mut answer = plain(200, "headers\n");
    let value = "v".repeat(query.number("size", 10_usize).min(1 << 20));
    for i in 0..query.number("count", 10).min(20_000) {
        let name = HeaderName::try_from(format!("x-{i}"));
        let value = HeaderValue::try_from(value.as_str());
        if let (Ok(name), Ok(value)) = (name, value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn status_of(status: u64, query: Query<'_>) -> Answer {
    let mut answer = plain(status, query.get("body").unwrap_or_default());
    if query.all("header").next().is_some() {
        answer.headers_mut().remove(CONTENT_TYPE);
    }
    for header in query.all("header") {
        let mut halves = header.splitn(2, |&byte| byte == b':');
        let name = halves.next().unwrap_or_default();
        let value = halves.next().unwrap_or_default().trim_ascii();
        match (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => answer.headers_mut().append(name, value),
            _ => return plain(400, "not a header\n"),
        };
    }
    answer
}

async fn echo(asked: &Asked, parts: &Parts, body: Incoming) -> io::Result<Answer> {
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let headers: Vec<String> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            let name = json_string(name.as_str().as_bytes());
            format!("[{name},{}]", json_string(value.as_bytes()))
        })
        .collect();
    let path = parts.uri.path_and_query().map_or("*", |path| path.as_str());
    let json = format!(
        "{{\"method\":{},\"host\":{},\"path\":{},\"version\":\"{:?}\",\"headers\":[{}],\"body_length\":{},\"body\":{}}}\n",
        json_string(parts.method.as_str().as_bytes()),
        json_string(format!("{}{}", asked.host, asked.port).as_bytes()),
        json_string(path.as_bytes()),
        parts.version,
        headers.join(","),
        body.len(),
        json_string(&body),
    );
    let mut answer = Response::new(Source::of(json));
    set(&mut answer, CONTENT_TYPE, "application/json");
    Ok(answer)
}

async fn page(asked: &Asked, headers: &HeaderMap, n: u64) -> io::Result<Answer> {
    if let Some(partner) = pages::partner(&asked.host) {
        let scheme = if asked.secure { "https" } else { "http" };
        let target = format!("{scheme}://{partner}{}/page/{n}", asked.port);
        return Ok(redirect(301 + n % 2, target.as_bytes()));
    }
    match pages::fate(n) {
        Fate::Fine => {}
        Fate::Slow(pause) => sleep(pause).await,
        Fate::Error(status) => return Ok(plain(u64::from(status), format!("error {status}\n"))),
        Fate::Gone => return Err(io::Error::other("gone, as it has to")),
    }
    let kind = pages::kind(n);
    let gzip = kind.is_text() && accepts_gzip(headers);
    let host = asked.host.clone();
    // Written by other threads than those that take the requests, whose times have to be right.
    let body = tokio::task::spawn_blocking(move || {
        let body = pages::page(&host, n).body;
        if gzip { samples::gzip(&body) } else { body }
    });
    let body = Bytes::from(body.await.map_err(io::Error::other)?);
    let mut answer = Response::new(match pages::chunked(n) {
        true => {
            let length = body.len() as u64;
            Source::pieces(None, Source::repeat(body, length, CHUNK))
        }
        false => Source::of(body),
    });
    set(&mut answer, CONTENT_TYPE, kind.content_type());
    if kind.is_text() {
        set(&mut answer, VARY, "accept-encoding");
    }
    if gzip {
        set(&mut answer, CONTENT_ENCODING, "gzip");
    }
    Ok(answer)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT_ENCODING).iter();
    values.any(|value| {
        let value = value.to_str().unwrap_or_default();
        value.split(',').any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_asked_has_no_port() {
        let host = |uri: &str, host: &str| {
            let request = Request::builder().uri(uri).header(HOST, host).body(());
            let asked = Asked::new(&request.unwrap(), false);
            (asked.host, asked.port)
        };
        let pair = |host: &str, port: &str| (host.to_owned(), port.to_owned());
        assert_eq!(host("/", "A.test:81"), pair("a.test", ":81"));
        assert_eq!(host("/", "a.test"), pair("a.test", ""));
        assert_eq!(host("http://b.test:82/", "a.test"), pair("b.test", ":82"));
        assert_eq!(host("/", "[::1]"), pair("[::1]", ""));
        assert_eq!(host("/", "[::1]:83"), pair("[::1]", ":83"));
    }

    #[test]
    fn gzip_is_accepted_when_told() {
        let accepts = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            accepts_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, value)]))
        };
        assert!(accepts("br, GZIP;q=0.5"));
        assert!(!accepts("br, gzip;q=0"));
        assert!(!accepts("identity"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
