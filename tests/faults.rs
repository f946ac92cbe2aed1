//! Every fault, over every way to ask: a request, a resolve by HEAD and one that reads the page, on
//! ordered and unordered streams, with and without retries, all at once. Each job gives one result,
//! of the kind the table says, and nothing is left behind. And what has no end is stopped while it
//! is small.

mod support;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rouet::{HttpVersion, Job, JobResult, JobStream, Next, Options, Pool, Retry};
use rouet_site::{Faults, Site};
use support::dns::{Answer, Dns};
use support::process::{descriptors, peak, threads};
use support::wire::{Fault, Wire};
use support::*;

/// What comes of a fault by each way to ask: an error's code; or a status, behind which, after a
/// colon, may be the body of a request. Where several are told apart by chance alone, with `|` between.
#[derive(Clone, Copy)]
struct Outcomes {
    request: &'static str,
    /// A resolve by HEAD.
    head: &'static str,
    /// A resolve by GET.
    look: &'static str,
}

/// The same by all ways.
const fn all(outcome: &'static str) -> Outcomes {
    get(outcome, outcome)
}

/// The same by GET.
const fn get(outcome: &'static str, head: &'static str) -> Outcomes {
    each(outcome, head, outcome)
}

const fn each(request: &'static str, head: &'static str, look: &'static str) -> Outcomes {
    Outcomes {
        request,
        head,
        look,
    }
}

/// Sets a job's options.
type Set<'a> = Box<dyn Fn(&mut Options) + Sync + 'a>;

/// A fault, where it is met, and what is to come of it.
struct Row<'a> {
    name: String,
    /// `HOST` stands for a host of each job's own, which is this machine.
    url: String,
    outcomes: Outcomes,
    set: Vec<Set<'a>>,
}

impl<'a> Row<'a> {
    fn new(name: &str, url: impl Into<String>, outcomes: Outcomes) -> Self {
        Self {
            name: name.to_owned(),
            url: url.into(),
            outcomes,
            set: Vec::new(),
        }
    }

    fn with(mut self, set: impl Fn(&mut Options) + Sync + 'a) -> Self {
        self.set.push(Box::new(set));
        self
    }

    fn expected(&self, way: &str) -> &'static str {
        match way {
            "request" => self.outcomes.request,
            "head" => self.outcomes.head,
            _ => self.outcomes.look,
        }
    }
}

const ABORTED: Outcomes = all("connection-aborted");
const BROKEN: Outcomes = all("protocol-error");
const HELLO: Outcomes = each("200:hello", "200", "200");

/// The paths of fixed bytes.
const SAID: &[(&str, Outcomes)] = &[
    ("close", ABORTED),
    ("reset", ABORTED),
    ("half-close", HELLO),
    ("half-close-early", ABORTED),
    ("half-close-body", each("connection-aborted", "200", "200")),
    ("close-status", ABORTED),
    ("reset-status", ABORTED),
    ("close-head", ABORTED),
    ("reset-head", ABORTED),
    ("truncate", each("connection-aborted", "200", "200")),
    ("reset-body", each("connection-aborted", "200", "200")),
    ("close-end", HELLO),
    ("reset-end", HELLO),
    ("close-open", HELLO),
    ("reset-open", get("connection-aborted", "200")),
    ("silence", all("read-timeout")),
    ("silence-status", all("read-timeout")),
    ("silence-head", all("timeout")),
    ("stall", each("timeout", "200", "200")),
    ("silence-chunk", get("timeout", "200")),
    ("silence-end", get("timeout", "200")),
    ("moved-silence", FOUND),
    // To HEAD it was all, but the server is silent to the next request too.
    (
        "moved-silence-chunk",
        each("200:ok\n", "read-timeout", "200"),
    ),
    ("length-short", HELLO),
    ("length-zero", each("200:", "200", "200")),
    ("length-negative", BROKEN),
    ("length-words", BROKEN),
    ("length-empty", BROKEN),
    ("length-plus", BROKEN),
    ("length-hex", BROKEN),
    ("length-list", HELLO),
    (
        "length-most",
        each("body-too-large", "200", "connection-aborted"),
    ),
    ("length-beyond", HELLO),
    ("length-twice", HELLO),
    ("dup-length", BROKEN),
    ("length-and-chunks", HELLO),
    ("truncate-chunk", get("connection-aborted", "200")),
    ("reset-chunk", get("connection-aborted", "200")),
    ("bad-chunk", get("protocol-error", "200")),
    ("chunk-empty", get("protocol-error", "200")),
    ("chunk-negative", get("protocol-error", "200")),
    ("chunk-beyond", get("protocol-error", "200")),
    ("chunk-most", get("connection-aborted", "200")),
    ("chunk-long", get("protocol-error", "200")),
    ("chunk-glued", get("protocol-error", "200")),
    ("chunk-cut-size", get("connection-aborted", "200")),
    ("chunk-cut", get("connection-aborted", "200")),
    ("chunk-cut-last", get("connection-aborted", "200")),
    ("chunk-cut-trailer", get("connection-aborted", "200")),
    ("chunk-trailer", HELLO),
    ("chunk-bad-trailer", get("protocol-error", "200")),
    ("chunk-extension", each("200:hellohello", "200", "200")),
    ("chunk-more", HELLO),
    ("chunked-twice", HELLO),
    ("woven", get("protocol-error", "200")),
    ("continue", HELLO),
    ("early-hints", HELLO),
    ("continue-only", ABORTED),
    ("continue-silence", all("read-timeout")),
    ("continue-body", HELLO),
    ("switching", BROKEN),
    ("switching-silence", BROKEN),
    ("switching-head", BROKEN),
    ("double", HELLO),
    ("double-close", HELLO),
    ("garbage-behind", HELLO),
    ("garbage", BROKEN),
    ("http09", BROKEN),
    ("http09-silence", BROKEN),
    ("ssh", BROKEN),
    ("icy", BROKEN),
    ("rtsp", BROKEN),
    ("line-breaks", BROKEN),
    ("http10", HELLO),
    ("http12", BROKEN),
    ("http20", HELLO),
    ("http77", BROKEN),
    ("lower-case", HELLO),
    ("status-none", BROKEN),
    ("status-two", BROKEN),
    ("status-four", BROKEN),
    ("status-zero", BROKEN),
    ("status-words", BROKEN),
    ("status-999", each("999:hello", "999", "999")),
    ("status-bare", HELLO),
    ("status-nul", BROKEN),
    ("status-204", each("204:", "204", "204")),
    ("status-304", each("304:", "304", "304")),
    ("header-cr", BROKEN),
    ("header-lf", HELLO),
    ("header-nul", BROKEN),
    ("header-nul-name", BROKEN),
    ("header-bell", HELLO),
    ("header-folded", HELLO),
    ("header-folded-first", HELLO),
    ("header-folded-length", HELLO),
    ("header-no-colon", BROKEN),
    ("header-no-name", HELLO),
    ("header-no-value", HELLO),
    ("header-space", HELLO),
    ("header-space-length", HELLO),
    ("header-utf8", HELLO),
    ("header-request", BROKEN),
    ("header-status", BROKEN),
    // Plain text that is said to be in a coding.
    ("gzip-noise", each("200:not gzip!", "200", "200")),
    ("deflate-noise", each("invalid-encoding", "200", "200")),
    ("br-noise", each("invalid-encoding", "200", "200")),
    ("zstd-noise", each("200:not zstd!", "200", "200")),
    ("gzip-nothing", each("200:", "200", "200")),
    ("coding-unknown", HELLO),
    ("codings-many", each("invalid-encoding", "200", "200")),
];

const FLOOD: Outcomes = BROKEN;
const BOMB: Outcomes = each("body-too-large", "200", "200");

/// Those of what is slow or large.
const LARGE: &[(&str, Outcomes)] = &[
    ("drip-head?ms=1", HELLO),
    ("drip-head?ms=500", all("read-timeout")),
    ("drip-body?ms=1", HELLO),
    ("drip-body?ms=1000", get("timeout", "200")),
    ("header-flood", FLOOD),
    ("header-line", FLOOD),
    ("header-line?mb=64", FLOOD),
    ("header-lines", FLOOD),
    ("header-lines?mb=64", FLOOD),
    ("status-line", FLOOD),
    ("continue-flood", FLOOD),
    ("body", BOMB),
    ("body-chunks", BOMB),
    ("chunk-size", get("protocol-error", "200")),
    ("chunk-extensions?mb=4", HELLO),
    ("chunk-trailers", get("protocol-error", "200")),
    ("chunk-trailers?mb=1", get("protocol-error", "200")),
    ("gzip-members?mb=0", each("200:", "200", "200")),
    ("bomb-gzip?mb=64", BOMB),
    ("bomb-gzip-twice?mb=64", BOMB),
    ("bomb-deflate?mb=64", BOMB),
    ("bomb-br?mb=64", BOMB),
    ("bomb-br-slow?mb=64", BOMB),
    ("bomb-zstd?mb=64", BOMB),
    ("window-br?log=30", each("invalid-encoding", "200", "200")),
    ("window-zstd?log=31", each("invalid-encoding", "200", "200")),
    ("window-zstd?log=27", each("invalid-encoding", "200", "200")),
    ("window-zstd?log=23", all("200")),
    ("cut-gzip", each("invalid-gzip", "200", "200")),
    ("cut-deflate", each("invalid-encoding", "200", "200")),
    ("cut-br", each("invalid-encoding", "200", "200")),
    ("cut-zstd", each("invalid-encoding", "200", "200")),
];

const ASTRAY: Outcomes = all("invalid-redirect");
const FOUND: Outcomes = each("200:ok\n", "200", "200");

/// Redirections. `HOST` and `PORT` are those of the first URL, on `CLOSED` nobody listens.
const REDIRECTIONS: &[(&str, Outcomes)] = &[
    ("self", all("self-redirect")),
    ("location?to=", all("self-redirect")),
    ("loop/a", all("infinite-redirects")),
    ("chain/1", all("max-redirects")),
    ("location?to=/chain/1&status=307", all("max-redirects")),
    ("location?to=javascript:alert(1)", ASTRAY),
    ("location?to=file:///etc/passwd", ASTRAY),
    ("location?to=ftp://HOST/", ASTRAY),
    ("location?to=mailto:someone@example.com", ASTRAY),
    ("location?to=data:text/plain,hello", ASTRAY),
    ("location?to=gopher://HOST:PORT/1", ASTRAY),
    ("location?to=http://", ASTRAY),
    ("location?to=http:///", ASTRAY),
    ("location?to=http://a%20b/", ASTRAY),
    ("location?to=http://HOST:0/", ASTRAY),
    ("location?to=http://HOST:99999/", ASTRAY),
    ("location?to=http://[::1/", ASTRAY),
    ("location?to=http://[::1]:PORT/", all("connection-refused")),
    (
        "location?to=http://127.0.0.1:CLOSED/",
        all("connection-refused"),
    ),
    ("location?to=http://127.1:PORT/", FOUND),
    ("location?to=http://[::ffff:127.0.0.1]:PORT/", FOUND),
    ("location?to=http://localhost:PORT/", FOUND),
    ("location?to=//HOST:PORT/", FOUND),
    ("location?to=http://user:password@HOST:PORT/", FOUND),
    ("location?to=HTTP://HOST:PORT%5Cback", FOUND),
    ("location?to=/a%20b%20c", FOUND),
    ("location?to=%20%20/trimmed%20", FOUND),
    ("location?to=/caf%C3%A9", FOUND),
    ("location?to=/caf%E9", FOUND),
    ("location?to=/%93quoted%94", FOUND),
    ("location?to=/%95%5C%8E%A6", FOUND),
    ("location?to=/caf%C3", FOUND),
    ("location?to=http://%FC/", all("badly-encoded-location")),
    ("location?to=/%01", FOUND),
    ("location?to=///HOST:PORT/", FOUND),
    ("location?to=/C:/../..", FOUND),
    ("location?to=/%00", BROKEN),
    ("location?to=/a%0Db", BROKEN),
    ("location?to=/a%0AX-Injected:%201", FOUND),
    ("location-long", FOUND),
    ("location-long?kb=90", FOUND),
    ("location-long?kb=1000", BROKEN),
];

/// Where HEAD gets another answer than GET.
const HEADS: &[(&str, Outcomes)] = &[
    ("no-head?status=0", FOUND),
    ("no-head?status=400", FOUND),
    ("no-head?status=404", FOUND),
    ("no-head?status=503", FOUND),
    ("no-head?status=429", each("200:ok\n", "429", "200")),
];

/// What goes wrong before anything is asked, in HTTP/2, and in how TLS ends.
const DOORS: &[(&str, Outcomes)] = &[
    ("close", ABORTED),
    ("reset", ABORTED),
    ("silence", all("read-timeout")),
    ("tls-close", ABORTED),
    ("tls-reset", ABORTED),
    ("tls-silence", all("connect-timeout")),
    ("tls-http", all("ssl")),
    ("tls-garbage", all("ssl")),
    ("tls-handshake-failure", all("ssl")),
    ("tls-protocol-version", all("ssl")),
    ("tls-internal-error", all("ssl")),
    ("tls-unrecognized-name", all("ssl")),
    ("tls-goodbye", all("ssl")),
    ("tls-cut-hello", ABORTED),
    ("tls-old", all("ssl")),
    ("tls-odd-cipher", all("ssl")),
    ("tls-long-record", all("ssl")),
    ("tls-open", HELLO),
    ("tls-open-10", HELLO),
    ("tls-open-empty", each("200:", "200", "200")),
    ("tls-open-gzip", HELLO),
    (
        "tls-open-gzip-cut",
        each("connection-aborted", "200", "200"),
    ),
    ("tls-open-reset", get("connection-aborted", "200")),
    ("tls-open-head", ABORTED),
    ("tls-open-length", get("connection-aborted", "200")),
    ("tls-open-chunk", get("connection-aborted", "200")),
    ("h2-close", ABORTED),
    ("h2-close-mute", ABORTED),
    ("h2-close-head", get("connection-aborted", "200")),
    ("h2-close-body", get("connection-aborted", "200")),
    ("h2-go-away", ABORTED),
    ("h2-go-away-calm", ABORTED),
    ("h2-go-away-http11", HELLO),
    ("h2-go-away-head", get("connection-aborted", "200")),
    ("h2-go-away-body", get("connection-aborted", "200")),
    ("h2-go-away-sound", HELLO),
    ("h2-reset", ABORTED),
    ("h2-reset-internal", ABORTED),
    ("h2-reset-refused", ABORTED),
    ("h2-reset-cancel", ABORTED),
    ("h2-reset-http11", HELLO),
    ("h2-reset-head", get("connection-aborted", "200")),
    ("h2-reset-body", get("connection-aborted", "200")),
    ("h2-reset-end", HELLO),
    ("h2-http1", BROKEN),
    ("h2-odd-settings", BROKEN),
    ("h2-no-settings", BROKEN),
    ("h2-no-stream", BROKEN),
    ("h2-other-stream", BROKEN),
    ("h2-no-head", BROKEN),
    ("h2-odd-head", BROKEN),
    ("h2-no-status", BROKEN),
    ("h2-long-frame", get("protocol-error", "200")),
    ("h2-push", ABORTED),
    ("h2-hpack-bomb", BROKEN),
    ("h2-hpack-bomb-open", BROKEN),
    ("h2-switching", BROKEN),
    ("h2-silence", all("read-timeout")),
    ("h2-silence-body", get("timeout", "200")),
    ("h2-continuations", BROKEN),
    ("h2-settings", BROKEN),
    ("h2-pings", BROKEN),
    ("h2-body", BOMB),
];

/// Certificates that are wrong, by the host that has one.
const CERTIFICATES: &[(&str, Outcomes)] = &[
    ("sound.test", all("200")),
    ("expired.test", all("ssl")),
    ("early.test", all("ssl")),
    ("self-signed.test", all("ssl")),
    ("example.org", all("ssl")),
];

/// What goes wrong with TLS once the handshake is over, or within it.
const WIRES: &[(Fault, &str, Outcomes)] = &[
    (Fault::CutHandshake, "/text", ABORTED),
    (Fault::ResetHandshake, "/text", ABORTED),
    (Fault::CutAfterRequest, "/hang", ABORTED),
    (Fault::ForgeAnswer, "/hang", all("receive-error")),
    (Fault::SpoilRequest, "/text", all("receive-error")),
    (
        Fault::SpoilAnswer(100_000),
        "/bytes/1000000",
        each("receive-error", "200", "200"),
    ),
    (
        Fault::Cut(100_000),
        "/chunked/1000000",
        each("connection-aborted", "200", "200"),
    ),
];

/// Names, and what a name server answers for them.
const NAMES: &[(&str, Answer, Outcomes)] = &[
    ("none.names.test", Answer::NoSuchName, all("unknown-host")),
    (
        "empty.names.test",
        Answer::Nothing,
        all("no-address-associated-with-hostname"),
    ),
    (
        "failing.names.test",
        Answer::Failure,
        all("name-resolution-failure"),
    ),
    (
        "refusing.names.test",
        Answer::Refusal,
        all("name-resolution-failure"),
    ),
    (
        "silent.names.test",
        Answer::Silence,
        all("name-resolution-failure"),
    ),
    (
        "late.names.test",
        Answer::Slow(LATE, Ipv4Addr::LOCALHOST),
        all("name-resolution-failure"),
    ),
    (
        "noise.names.test",
        Answer::Noise,
        all("name-resolution-failure"),
    ),
    (
        "stranger.names.test",
        Answer::Stranger,
        all("name-resolution-failure"),
    ),
    (
        "slow.names.test",
        Answer::Slow(SLOW, Ipv4Addr::LOCALHOST),
        FOUND,
    ),
    (
        "elsewhere.names.test",
        Answer::Address(Ipv4Addr::new(127, 0, 0, 9)),
        all("connection-refused"),
    ),
    (
        "any.names.test",
        Answer::Address(Ipv4Addr::UNSPECIFIED),
        FOUND,
    ),
    (
        "nowhere.names.test",
        Answer::Address(Ipv4Addr::new(192, 0, 2, 1)),
        all("unreachable-network"),
    ),
    (
        "second.names.test",
        Answer::Addresses(&[
            IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)),
            IpAddr::V4(Ipv4Addr::LOCALHOST),
        ]),
        FOUND,
    ),
    (
        "alias.names.test",
        Answer::Alias("other.test", Ipv4Addr::LOCALHOST),
        FOUND,
    ),
];

const SLOW: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_millis(2000);

/// What is not to end has as long.
const SHORT: Duration = Duration::from_millis(3000);
/// And what is to end, on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(360);

/// The servers of the matrix.
struct Web {
    faults: Faults,
    site: Site,
    wires: Vec<Wire>,
    /// Where nobody accepts.
    full: SocketAddr,
    closed: u16,
}

impl Web {
    fn rows(&self) -> Vec<Row<'_>> {
        let port = self.faults.port();
        let path = |(path, outcomes): &(&str, Outcomes)| {
            let path = path
                .replace("PORT", &port.to_string())
                .replace("CLOSED", &self.closed.to_string());
            Row::new(&path, format!("http://HOST:{port}/{path}"), *outcomes)
        };
        let mut rows: Vec<Row> = SAID.iter().chain(LARGE).map(path).collect();
        rows.extend(REDIRECTIONS.iter().chain(HEADS).map(path));
        rows.extend(DOORS.iter().map(|&(name, outcomes)| {
            let url = self.faults.door(name).expect("a door");
            let row = Row::new(name, url.replace("127.0.0.1", "HOST"), outcomes);
            row.with(|options| {
                if name.starts_with("h2-") {
                    options.http_version = HttpVersion::Http2PriorKnowledge;
                }
                // Its certificates are of nobody's.
                options.insecure = name.starts_with("tls-open");
            })
        }));
        let secure = |options: &mut Options| {
            options.ca_file = self.site.ca_file().map(Into::into);
        };
        rows.extend(CERTIFICATES.iter().map(|&(host, outcomes)| {
            let port = self.site.https_port().expect("https");
            let row = Row::new(host, format!("https://{host}:{port}/text"), outcomes);
            row.with(move |options| options.connect_to = all_to(port))
                .with(secure)
        }));
        let wired = |(&(_, path, outcomes), wire): (&(Fault, &str, Outcomes), &Wire)| {
            let url = wire.url(path);
            Row::new(&url, url.replace("127.0.0.1", "HOST"), outcomes).with(secure)
        };
        rows.extend(WIRES.iter().zip(&self.wires).map(wired));
        // Of two addresses nobody is at the first: that is not to be mixed up with what follows.
        for (path, outcome) in [
            ("header-flood", BROKEN),
            ("bad-chunk", get("protocol-error", "200")),
            ("reset", ABORTED),
            ("length-twice", HELLO),
        ] {
            let name = format!("{path} at a second address");
            let row = Row::new(&name, format!("http://HOST:{port}/{path}"), outcome);
            rows.push(row.with(move |options| {
                options.connect_to.clear();
                options.dns = vec![format!("*:{port}:127.0.0.9,127.0.0.1")];
            }));
        }
        rows.push(Row::new(
            "a closed port",
            format!("http://HOST:{}/", self.closed),
            all("connection-refused"),
        ));
        rows.push(Row::new(
            "a full port",
            format!("http://{}/", self.full),
            all("connect-timeout"),
        ));
        rows
    }

    /// Those of names.
    fn names(&self) -> Vec<Row<'_>> {
        let port = self.faults.port();
        let row = |(name, _, outcomes): &(&str, Answer, Outcomes)| {
            let row = Row::new(name, format!("http://{name}:{port}/"), *outcomes);
            row.with(|options| options.connect_timeout = LATE / 2)
        };
        NAMES.iter().map(row).collect()
    }
}

/// The ways to ask.
const WAYS: [&str; 3] = ["request", "head", "look"];

fn job(row: &Row, way: &str, host: &str, retry: bool) -> Job {
    let patience = |limit| match row.expected(way).contains(limit) {
        true => SHORT,
        false => LONG,
    };
    let mut options = Options::default()
        .compressed(true)
        .max_body_size(1 << 20)
        .connect_to([format!("{host}::127.0.0.1:")])
        .follow_meta_refresh(way == "look")
        .connect_timeout(patience("connect-timeout"))
        .timeout(patience("timeout"));
    options.retry = retry.then(|| Retry::default().max_attempts(2).min_wait(ms(10)));
    row.set.iter().for_each(|set| set(&mut options));
    let url = row.url.replace("HOST", host);
    let job = match way {
        "request" => Job::request(url),
        _ => Job::resolve(url),
    };
    job.options(Arc::new(options))
}

/// Whether a failure is tried again, as `docs/errors.md` has it.
fn is_retried(code: &str) -> bool {
    matches!(
        code,
        "name-resolution-failure"
            | "connection-refused"
            | "connection-aborted"
            | "connection-error"
            | "no-route-to-host"
            | "unreachable-network"
            | "proxy-error"
            | "send-error"
            | "receive-error"
            | "protocol-error"
    )
}

/// What is wrong with a result, if anything.
fn complaint(row: &Row, way: &str, retry: bool, result: &JobResult) -> Option<String> {
    let expected = row.expected(way);
    let (code, said) = (code(result), message(result));
    let body = String::from_utf8_lossy(&result.body);
    let came = match code {
        "ok" => format!("{}:{body}", result.status),
        code => code.to_owned(),
    };
    let fits = |outcome: &str| outcome == came || Some(outcome) == came.split(':').next();
    if !expected.split('|').any(fits) {
        return Some(format!("{came:.80?} in place of {expected:?}: {said}"));
    }
    let attempts = 1 + u32::from(retry && is_retried(code));
    if result.attempts != attempts {
        return Some(format!(
            "{} attempts in place of {attempts}",
            result.attempts
        ));
    }
    if way != "request" && !body.is_empty() {
        return Some(format!("a body of {} bytes", result.body.len()));
    }
    // Messages cut long URLs short.
    let at: String = result
        .end_url()
        .unwrap_or_default()
        .chars()
        .take(100)
        .collect();
    if code != "ok" && !said.contains(&at) {
        return Some(format!("{said:?} does not name {at}"));
    }
    None
}

/// Runs the rows in all ways, with and without retries, on an ordered stream of the first pool and
/// an unordered one of the second at once, and says what was wrong with which.
fn run_rows(pools: &[Pool; 2], rows: &[Row]) -> Vec<(usize, String)> {
    let modes = [(false, false), (false, true), (true, false), (true, true)];
    let count = rows.len() * WAYS.len();
    let lane = |(ordered, retry): (bool, bool)| {
        let stream = stream_of(&pools[usize::from(ordered)], |config| {
            config.ordered = ordered
        });
        let pairs = thread::scope(|scope| {
            scope.spawn(|| {
                for (item, (row, way)) in cells(rows).enumerate() {
                    let host = format!("{item}-{ordered}-{retry}.test");
                    submit(&stream, job(row, way, &host, retry).item(item));
                }
                stream.finish();
            });
            drain_patiently(&stream)
        });
        let mut came = items(&pairs);
        if !ordered {
            came.sort_unstable();
        }
        let due: Vec<usize> = (0..count).collect();
        assert_eq!(came, due, "ordered: {ordered}, retry: {retry}");
        let complaints = pairs.iter().filter_map(|(item, result)| {
            let at = item / WAYS.len();
            let way = WAYS[item % WAYS.len()];
            let why = complaint(&rows[at], way, retry, result)?;
            let name = &rows[at].name;
            let why = format!("{name} by {way}, ordered: {ordered}, retry: {retry}: {why}");
            Some((at, why))
        });
        complaints.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let lanes = modes.map(|mode| scope.spawn(move || lane(mode)));
        let complaints = lanes.map(|lane| lane.join().expect("a lane's end"));
        complaints.concat()
    })
}

/// The results of a stream that is, or will be, finished, with their items.
fn drain_patiently<T: Send + 'static>(stream: &JobStream<T>) -> Vec<(T, JobResult)> {
    let next = || match stream.next(Some(LONG / 3)) {
        Next::Result(item, result) => Some((item, *result)),
        Next::Done => None,
        Next::Nothing => panic!("stuck: {:?}", stream.stats()),
    };
    std::iter::from_fn(next).collect()
}

fn cells<'a>(rows: &'a [Row<'a>]) -> impl Iterator<Item = (&'a Row<'a>, &'static str)> {
    rows.iter().flat_map(|row| WAYS.map(|way| (row, way)))
}

#[test]
fn every_fault_gives_one_result_of_its_kind() {
    own::network("every_fault_gives_one_result_of_its_kind", || {
        Dns::start(|name| {
            let known = NAMES.iter().find(|(known, ..)| *known == name);
            known.map_or(Answer::NoSuchName, |(_, answer, _)| *answer)
        });
        let (full, _filling) = full_listener();
        let site = secure_site();
        let lay = |(fault, ..): &(Fault, &str, Outcomes)| {
            Wire::to(site.https_port().expect("https"), *fault)
        };
        let web = Web {
            faults: faults(),
            wires: WIRES.iter().map(lay).collect(),
            site,
            full,
            closed: closed_port(),
        };
        // What has little time is not run beside what takes much of the machine's.
        let is_short = |row: &Row| WAYS.iter().any(|way| row.expected(way).contains("timeout"));
        let (mut short, rows): (Vec<_>, Vec<_>) = web.rows().into_iter().partition(is_short);
        // What the process keeps once it has made a pool.
        drop(stream::<()>(&hasty_pool()));
        let before = descriptors();
        let pools = [(); 2].map(|()| pool_of(Duration::ZERO, 64, 128, 2));
        let mut complaints = run_rows(&pools, &rows);
        complaints.extend(run_rows(&pools, &web.names()));
        // How far a server came in so little time is also a matter of the machine: again, if need be.
        let mut late = Vec::new();
        for _ in 0..10 {
            late = run_rows(&pools, &short);
            let bad: HashSet<usize> = late.iter().map(|(at, _)| *at).collect();
            let mut at = 0..;
            short.retain(|_| at.next().is_some_and(|at| bad.contains(&at)));
            if short.is_empty() {
                break;
            }
        }
        complaints.extend(late);
        let complaints: Vec<String> = complaints.into_iter().map(|(_, why)| why).collect();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        drop(pools);
        eventually("no thread is left", || threads() == 0);
        // The servers' ends of connections are descriptors of this process too.
        eventually("no descriptor is left", || descriptors() <= before);
    });
}

/// What has no end, or is large, and would be kept by who is not careful.
const VAST: &[&str] = &[
    "header-flood",
    "header-line",
    "header-line?mb=64",
    "header-lines?mb=64",
    "status-line",
    "continue-flood",
    "body",
    "body-chunks",
    "chunk-size",
    "chunk-extensions?mb=8",
    "chunk-trailers",
    "gzip-members?mb=0",
    "bomb-gzip",
    "bomb-gzip-twice?mb=256",
    "bomb-deflate",
    "bomb-br",
    "bomb-zstd",
    "window-br",
    "window-zstd?log=27",
    "length-most",
    "chunk-most",
];
const VAST_DOORS: &[&str] = &[
    "h2-hpack-bomb",
    "h2-continuations",
    "h2-settings",
    "h2-pings",
    "h2-body",
];

/// Jobs at once, the largest body, and what all of them may take: with what is under way in the server,
/// and what an allocator keeps of it, also for each thread that unfolds brotli. Each of the above has
/// 64 MB, or more, for each job.
const WORKERS: u32 = 4;
const LIMIT: u64 = 1 << 20;
const BOUND: usize = 64 << 20;

#[test]
fn what_has_no_end_takes_little_memory() {
    own::process("what_has_no_end_takes_little_memory", || {
        let faults = faults();
        let paths = VAST.iter().map(|path| faults.url(&format!("/{path}")));
        let paths = paths.map(|url| (url, HttpVersion::Any));
        let doors = VAST_DOORS
            .iter()
            .map(|name| faults.door(name).expect("a door"));
        let doors = doors.map(|url| (url, HttpVersion::Http2PriorKnowledge));
        let pool = pool_of(Duration::ZERO, 64, WORKERS, 1);
        let before = peak();
        for (url, version) in paths.chain(doors) {
            let options = options(|options| {
                options.compressed = true;
                options.max_body_size = LIMIT;
                options.timeout = LONG;
                options.http_version = version;
                options.follow_meta_refresh = true;
            });
            let stream = stream(&pool);
            for i in 0..2 * WORKERS {
                let url = url.replace("127.0.0.1", &format!("{i}.localhost"));
                let job = match i % 2 {
                    0 => Job::request(url),
                    _ => Job::resolve(url),
                };
                submit(&stream, job.options(Arc::clone(&options)));
            }
            stream.finish();
            let results = drain_patiently(&stream);
            assert_eq!(results.len(), 2 * WORKERS as usize, "{url}");
            let grown = peak() - before;
            assert!(grown < BOUND, "{url}: {} MiB", grown >> 20);
        }
        println!("{} MiB at most", (peak() - before) >> 20);
    });
}

/// How often, to meet with each order of what comes and the connection's end.
const TIMES: usize = 18;

#[test]
fn a_fault_of_http2_has_one_code_in_whatever_order_it_comes() {
    let faults = faults();
    let pool = hasty_pool();
    let mut complaints = Vec::new();
    let way_of = |time: usize| WAYS[time % WAYS.len()];
    let broken = DOORS.iter().filter(|(name, outcomes)| {
        name.starts_with("h2-") && outcomes.request == BROKEN.request && !name.contains("ings")
    });
    for (name, outcomes) in broken {
        let row = Row::new(name, faults.door(name).expect("a door"), *outcomes);
        let options = options(|options| {
            options.http_version = HttpVersion::Http2PriorKnowledge;
            options.timeout = LONG;
            options.connect_timeout = LONG;
            // Before the server closes, after it, and in the midst of it.
            options.retry = Some(Retry::default().max_attempts(2).min_wait(ms(10)));
        });
        let stream = stream(&pool);
        for time in 0..TIMES {
            let url = row.url.replace("127.0.0.1", &format!("{time}.localhost"));
            let job = match way_of(time) {
                "request" => Job::request(url),
                _ => Job::resolve(url),
            };
            let options = (*options).clone();
            let options = options.follow_meta_refresh(way_of(time) == "look");
            submit(&stream, job.options(options).item(time));
        }
        stream.finish();
        for (time, result) in drain_patiently(&stream) {
            let why = complaint(&row, way_of(time), true, &result);
            complaints.extend(why.map(|why| format!("{name}: {why}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn no_fault_is_left_out() {
    let named = |table: &[(&'static str, Outcomes)]| -> Vec<&str> {
        let path = |(path, _): &(&'static str, _)| path.split('?').next().unwrap_or_default();
        table.iter().map(path).collect()
    };
    assert_eq!(named(SAID), Faults::said().collect::<Vec<_>>());
    assert_eq!(named(DOORS), Faults::doors().collect::<Vec<_>>());
    let mut large = named(LARGE);
    large.dedup();
    assert_eq!(large, Faults::endless().collect::<Vec<_>>());
}

#[test]
fn a_server_that_comes_back_is_met_again() {
    let faults = faults();
    let late = faults.late().expect("a port");
    let pool = hasty_pool();
    let stream = stream(&pool);
    let retry = Retry::default()
        .min_wait(ms(200))
        .max_attempts(20)
        .max_wait(ms(500));
    let options = options(|options| options.retry = Some(retry));
    let url = format!("http://127.0.0.1:{}/", late.port());
    submit(&stream, Job::request(url).options(options));
    eventually("refused once", || {
        pool.stats().connections > 0 && stream.stats().started == 0
    });
    late.open().expect("it listens");
    let result = take(&stream);
    assert_eq!(text(&result), "ok\n");
    assert!(result.attempts > 1);
}
