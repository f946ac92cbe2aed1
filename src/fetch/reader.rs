//! Takes in the answer to a hop: decides how much of it is read, and where its page leads.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use encoding_rs::Encoding;
use url::Url;

use super::body::{Body, is_too_large};
use crate::address;
use crate::engine::{Flow, Receive};
use crate::error::Failure;
use crate::headers::Headers;
use crate::job::{StackEntry, Truncated};
use crate::sniff::{self, ContentType, Hints};

/// How much of an unwanted body is read to make its connection usable again.
const SKIP: u64 = 64 << 10;
/// How long that may take. A server that trickles is not worth its connection.
const SKIP_TIME: Duration = Duration::from_secs(1);
/// The sizes at which the start of a page is searched. The network's cuts make no difference, and what
/// comes early is found early.
const LOOKS: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];

/// What is wanted of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Want {
    /// The body is wanted.
    pub body: bool,
    /// The request is one whose answer has no body, whatever its head says.
    pub bodiless: bool,
    /// Redirections are followed, and their bodies are of no use.
    pub follow: bool,
    /// A `Refresh` header counts as such a redirection.
    pub refresh: bool,
    /// Codings are undone.
    pub decode: bool,
    /// The largest body.
    pub limit: u64,
    /// What to look for in the start of a page.
    pub look: Look,
    /// The encoding that the caller knows pages to be in.
    pub encoding: Option<&'static Encoding>,
}

/// What to look for in the start of a page.
#[derive(Clone, Copy, Default)]
pub(crate) struct Look {
    pub meta_refresh: bool,
    pub js_relocation: bool,
    pub canonical: bool,
}

impl Look {
    pub fn is_any(self) -> bool {
        self.depth() > 0
    }

    /// How far into the page to look.
    fn depth(self) -> usize {
        match self {
            Self {
                js_relocation: true,
                ..
            }
            | Self {
                canonical: true, ..
            } => 64 << 10,
            Self {
                meta_refresh: true, ..
            } => 1 << 10,
            _ => 0,
        }
    }
}

/// Where the start of a page leads, except to what can't be fetched. Most pages lead nowhere, and URLs
/// are large.
#[derive(Default)]
pub(crate) struct Targets {
    pub meta_refresh: Option<Box<Url>>,
    pub js_relocation: Option<Box<Url>>,
    pub canonical: Option<Box<Url>>,
    /// Whether one target leads away from the page, which makes the rest of it useless.
    away: bool,
}

/// The page that hints come from.
struct Origin<'a> {
    url: &'a str,
    encoding: &'static Encoding,
    /// No more of it will be searched.
    last: bool,
    /// Where the job was before; no page is believed to lead back there.
    been: &'a [Arc<str>],
}

impl Targets {
    /// Selects what is looked for from what was found in the page.
    fn of(page: &Origin<'_>, look: Look, hints: Hints) -> Self {
        let Ok(url) = Url::parse(page.url) else {
            return Self::default();
        };
        let base = hints
            .base
            .and_then(|base| address::target_in(&url, &base, page.encoding));
        let base = base.as_ref().unwrap_or(&url);
        let target = |text: &String| address::target_in(base, text, page.encoding);
        // A refresh in `<noscript>` is for readers without scripts, and often leads to a page that only
        // says that scripts are needed. It therefore counts only where scripts are not followed and
        // nothing else that was searched leads on.
        let of_noscript = || {
            let alone = !look.js_relocation && page.last;
            hints
                .noscript_refresh
                .iter()
                .filter(|_| alone)
                .find_map(target)
        };
        let meta_refresh = match look.meta_refresh {
            true => hints
                .meta_refresh
                .iter()
                .find_map(target)
                .or_else(of_noscript),
            false => None,
        };
        let wanted = |text: &Option<String>, wanted: bool| {
            let text = text.as_ref().filter(|_| wanted);
            text.and_then(target)
        };
        let js_relocation = wanted(&hints.js_relocation, look.js_relocation);
        let leads = |target: &Option<Url>| {
            let target = target.as_ref();
            target.is_some_and(|target| is_away(target, &url, page.been))
        };
        Self {
            away: leads(&meta_refresh) || leads(&js_relocation),
            meta_refresh: meta_refresh.map(Box::new),
            js_relocation: js_relocation.map(Box::new),
            canonical: wanted(&hints.canonical, look.canonical).map(Box::new),
        }
    }

    /// Whether nothing is left to look for.
    fn are_all(&self, look: Look) -> bool {
        self.away || !look.meta_refresh && !look.js_relocation && self.canonical.is_some()
    }
}

/// Whether a page leads to another one that the job was not at before.
fn is_away(target: &Url, page: &Url, been: &[Arc<str>]) -> bool {
    let new = address::without_fragment(target.as_str());
    !address::same_page(target, page)
        && been.iter().all(|url| address::without_fragment(url) != new)
}

/// The page in an answer.
#[derive(Default)]
pub(crate) struct Page {
    pub body: Vec<u8>,
    pub truncated: Option<Truncated>,
}

/// What happens to arriving bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The head has not come yet.
    Head,
    /// They are kept, and their start is searched.
    Look,
    /// They are kept.
    Keep,
    /// They are passed over, to keep the connection.
    Skip,
    /// None are needed.
    Over,
}

/// Takes in the answer to a hop.
pub(crate) struct Reader {
    /// The URL that answers.
    url: Arc<str>,
    /// The URLs at which the job was before.
    been: Vec<Arc<str>>,
    want: Want,
    state: State,
    /// The body's length by its head.
    length: Option<u64>,
    codings: Option<Box<[u8]>>,
    content_type: ContentType,
    /// Present from its first byte on, because the head of an answer to HEAD promises what does not
    /// come.
    body: Option<Body>,
    targets: Targets,
    /// How much of the body was searched.
    looked: usize,
    failure: Option<Failure>,
    /// What is wrong with the end of the body.
    unended: Option<Failure>,
    /// The number of bytes that arrived.
    arrived: u64,
    /// Since when they are passed over.
    skipping: Option<Instant>,
}

impl Reader {
    /// Makes a reader for the answer of a URL. `stack`: where the job was before.
    pub fn new(url: &Arc<str>, stack: &[StackEntry], want: Want) -> Self {
        let been = stack.iter().filter(|_| want.follow);
        Self {
            url: Arc::clone(url),
            been: been.map(|entry| Arc::clone(&entry.url)).collect(),
            want,
            state: State::Head,
            length: None,
            codings: None,
            content_type: ContentType::default(),
            body: None,
            targets: Targets::default(),
            looked: 0,
            failure: None,
            unended: None,
            arrived: 0,
            skipping: None,
        }
    }

    /// Whether everything wanted of the answer came; what happens to the rest is then not a failure.
    pub fn has_enough(&self) -> bool {
        matches!(self.state, State::Skip | State::Over)
    }

    /// Does some of the work left when everything has arrived. True: there is more.
    pub fn end(&mut self) -> bool {
        let limit = self.limit();
        let is_wanted = matches!(self.state, State::Look | State::Keep) && self.unended.is_none();
        let Some(body) = self.body.as_mut().filter(|_| is_wanted) else {
            return false;
        };
        body.end().unwrap_or_else(|error| {
            self.unended = Some(body.failure(&error, limit));
            false
        })
    }

    /// The body, if it is wanted, and what was found in it; or why there is none. `unclosed`: there may
    /// have been more of it.
    pub fn finish(mut self, unclosed: bool) -> Result<(Page, Targets), Failure> {
        while self.end() {}
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut page = Page::default();
        let (want, limit) = (self.want.body, self.limit());
        if !self.has_enough() {
            page.truncated = unclosed.then_some(Truncated::Disconnect);
            page.body = match (self.body.take(), self.unended.take()) {
                (None, _) => Vec::new(),
                (Some(_), Some(failure)) if want => return Err(failure),
                // Where the body breaks off makes no difference to what comes before.
                (Some(mut body), Some(_)) => body.kept().to_vec(),
                (Some(body), None) => {
                    let (bytes, whole) = body.finish(limit)?;
                    page.truncated = page.truncated.or((!whole).then_some(Truncated::Coding));
                    bytes
                }
            };
            if self.state == State::Look {
                let start = &page.body[..page.body.len().min(self.want.look.depth())];
                let whole = start.len() == page.body.len();
                self.look(start, whole);
            }
        }
        if !want || self.targets.away {
            page = Page::default();
        }
        Ok((page, self.targets))
    }

    /// The largest body that is taken.
    fn limit(&self) -> u64 {
        match self.want.body {
            true => self.want.limit,
            false => self.want.look.depth() as u64,
        }
    }

    /// Takes some of what arrived. True: there is more to do.
    fn take(&mut self, bytes: &mut &[u8]) -> Result<bool, Failure> {
        let limit = self.limit();
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let length = self.length.filter(|_| self.want.body);
                let body = Body::new(self.codings.as_deref(), length, limit)?;
                self.body.insert(body)
            }
        };
        let outcome = body.take(bytes);
        if self.state == State::Look
            && let Some(mut body) = self.body.take()
        {
            // What came before a mistake is searched all the same: whether the network cut between it
            // and the mistake must make no difference.
            self.look_in_steps(body.kept());
            self.body = Some(body);
            // Nothing further is read, whatever a little of it may unfold to.
            let enough = |error: &io::Error| !self.want.body && is_too_large(error);
            if self.state == State::Over || outcome.as_ref().is_err_and(enough) {
                self.state = State::Over;
                return Ok(false);
            }
        }
        match (outcome, &self.body) {
            (Err(error), Some(body)) => Err(body.failure(&error, limit)),
            (outcome, _) => Ok(outcome.unwrap_or(false)),
        }
    }

    /// Searches the start of the body, as far as it came, at the sizes of `LOOKS`.
    fn look_in_steps(&mut self, start: &[u8]) {
        let look = self.want.look;
        for size in LOOKS {
            if size > look.depth() || size > start.len() || self.targets.are_all(look) {
                break;
            }
            if size > self.looked {
                self.look(&start[..size], false);
            }
        }
        if self.looked >= look.depth() || self.targets.are_all(look) {
            self.state = match self.want.body && !self.targets.away {
                true => State::Keep,
                false => State::Over,
            };
        }
    }

    /// `whole`: nothing comes behind it.
    fn look(&mut self, start: &[u8], whole: bool) {
        if start.len() <= self.looked && !whole {
            return;
        }
        self.looked = start.len();
        let declared = self.content_type.essence.as_deref();
        let mimetype = sniff::mimetype(declared, None, "", start);
        if !sniff::is_html(mimetype.as_deref(), start) {
            return;
        }
        let encoding = self
            .want
            .encoding
            .unwrap_or_else(|| sniff::detect_start(self.content_type.charset, start));
        let mut text = sniff::decode_start(encoding, start);
        if !whole {
            // The sign keeps an expression in a script that is cut off from looking complete.
            text.push('+');
        }
        let look = self.want.look;
        let page = Origin {
            url: &self.url,
            encoding,
            last: whole || start.len() >= look.depth(),
            been: &self.been,
        };
        let hints = sniff::hints(&text, sniff::syntax(mimetype.as_deref()));
        self.targets = Targets::of(&page, look, hints);
    }

    /// Whether a `Refresh` header leads away.
    fn leaves(&self, status: u16, headers: &Headers) -> bool {
        if headers.get("refresh").is_none() {
            return false;
        }
        let Ok(url) = Url::parse(&self.url) else {
            return false;
        };
        super::refreshes(&url, status, headers)
            .is_some_and(|target| is_away(&target, &url, &self.been))
    }

    fn is_slow(&self) -> bool {
        self.skipping
            .is_some_and(|since| since.elapsed() > SKIP_TIME)
    }

    /// What the state asks of the connection.
    fn flow(&self) -> Flow {
        // After the last byte there is nothing to stop, and the connection can be used again.
        let whole = self.length == Some(self.arrived);
        match self.state {
            State::Over if !whole => Flow::Stop,
            State::Skip if self.arrived > SKIP || self.is_slow() => Flow::Stop,
            _ => Flow::Continue,
        }
    }
}

/// The body's length by its head: one number, which may be repeated (RFC 9110, section 8.6), and which
/// does not count beside `Transfer-Encoding` (RFC 9112, section 6.3).
fn length(headers: &Headers) -> Option<u64> {
    if headers.get("transfer-encoding").is_some() {
        return None;
    }
    let mut lengths = headers
        .list("content-length")
        .map(|number| std::str::from_utf8(number).ok()?.parse::<u64>().ok());
    let first = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}

/// All the codings: several lines are one list (RFC 9110, sections 5.3 and 8.4).
fn codings(headers: &Headers) -> Option<Box<[u8]>> {
    let codings: Vec<&[u8]> = headers.codings().collect();
    (!codings.is_empty()).then(|| codings.join(&b", "[..]).into())
}

impl Receive for Reader {
    fn head(&mut self, status: u16, headers: &Headers) -> Flow {
        let Want {
            bodiless,
            follow,
            refresh,
            mut look,
            ..
        } = self.want;
        self.length = length(headers);
        let moved = follow && super::redirects(status, headers);
        let moves = moved || follow && refresh && self.leaves(status, headers);
        if status >= 400 {
            // An error page leads nowhere, but may say which page it is.
            look.meta_refresh = false;
            look.js_relocation = false;
        }
        if look.is_any() {
            self.content_type = ContentType::of(headers.get_all("content-type"));
            if !sniff::could_be_html(self.content_type.essence.as_deref()) {
                look = Look::default();
            }
        }
        self.want.look = look;
        let looks = look.is_any();
        self.state = match self.want.body {
            _ if moves => State::Skip,
            _ if looks => State::Look,
            true => State::Keep,
            false => State::Skip,
        };
        match self.state {
            State::Skip => {
                // A short body is worth its connection, and so is that of a redirection, which is
                // short. A body that ends with the connection is not.
                let ends = headers.get("transfer-encoding").is_some();
                let short = self.length.map_or(moved && ends, |length| length <= SKIP);
                if !short && !bodiless {
                    self.state = State::Over;
                    return Flow::Stop;
                }
                self.skipping = Some(Instant::now());
                if !bodiless && self.length != Some(0) {
                    return Flow::Hurry;
                }
            }
            _ => {
                self.codings = self.want.decode.then(|| codings(headers)).flatten();
            }
        }
        Flow::Continue
    }

    fn data(&mut self, bytes: &mut &[u8]) -> Flow {
        let before = bytes.len();
        let outcome = match self.state {
            State::Look | State::Keep => self.take(bytes),
            _ => Ok(false),
        };
        if self.has_enough() {
            // The rest is passed over.
            *bytes = &[];
        }
        self.arrived += (before - bytes.len()) as u64;
        match outcome {
            Ok(true) => Flow::More,
            Ok(false) => self.flow(),
            Err(failure) => {
                // A page that can't be read further leads nowhere: only its body is lost.
                self.state = State::Over;
                self.failure = Some(failure).filter(|_| self.want.body);
                Flow::Stop
            }
        }
    }

    fn is_costly(&self) -> bool {
        !self.has_enough() && self.codings.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn want(body: bool, limit: u64, meta_refresh: bool) -> Want {
        Want {
            body,
            bodiless: false,
            follow: true,
            refresh: true,
            decode: true,
            limit,
            look: Look {
                meta_refresh,
                ..Look::default()
            },
            encoding: None,
        }
    }

    /// Where the page of an answer in pieces of that size leads, or what is wrong with it.
    fn read(want: Want, body: &[u8], size: usize) -> Result<Option<String>, String> {
        let mut headers = Headers::default();
        headers.push(b"Content-Type: text/html");
        headers.push(b"Content-Encoding: gzip");
        let mut reader = Reader::new(&"http://example.com/".into(), &[], want);
        let mut flow = reader.head(200, &headers);
        for mut piece in body.chunks(size) {
            if flow != Flow::Stop {
                flow = reader.data(&mut piece);
            }
            while flow == Flow::More {
                flow = reader.data(&mut piece);
            }
        }
        let (_, targets) = reader.finish(false).map_err(|failure| failure.message)?;
        Ok(targets.meta_refresh.map(|target| String::from(*target)))
    }

    #[test]
    fn what_comes_before_a_mistake_counts_wherever_the_network_cuts() {
        let mut page = b"<meta http-equiv=refresh content='0;url=/x'>".to_vec();
        let mut random = fastrand::Rng::with_seed(1);
        page.resize_with(40 << 10, || random.alphanumeric() as u8);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&page).expect("compressed");
        let mut corrupt = gzip.finish().expect("compressed");
        let middle = corrupt.len() / 2;
        corrupt[middle..].fill(0xFF);
        for body in [true, false] {
            for limit in [1 << 20, 8 << 10] {
                let want = want(body, limit, true);
                for size in [usize::MAX, 4096, 1000, 100] {
                    let found = read(want, &corrupt, size);
                    let leads = Ok(Some("http://example.com/x".to_owned()));
                    assert_eq!(found, leads, "in pieces of {size}, {body}, {limit}");
                }
            }
        }
    }

    #[test]
    fn a_body_that_is_too_large_before_a_mistake_is_too_large_wherever_the_network_cuts() {
        let text = [b'a'; 200];
        let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
        gzip.write_all(&text).expect("compressed");
        gzip.flush().expect("compressed");
        let mut corrupt = gzip.get_ref().clone();
        corrupt.extend([0xFF; 100]);
        for meta_refresh in [true, false] {
            for limit in [text.len() as u64, 10] {
                let want = want(true, limit, meta_refresh);
                for size in [usize::MAX, 100, 3, 1] {
                    let error = read(want, &corrupt, size).expect_err("it is corrupt");
                    let expected = match limit {
                        10 => "the body has more than max_body_size = 10 bytes",
                        _ => "the body is not valid gzip",
                    };
                    let case = format!("in pieces of {size}, {meta_refresh}");
                    assert!(error.starts_with(expected), "{error}: {case}");
                }
            }
        }
    }
}
