//! A job, and what comes of it.

#![forbid(unsafe_code)]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use encoding_rs::Encoding;
use url::{Position, Url};

use crate::address;
use crate::error::{Error, Failure};
use crate::headers::Headers;
use crate::options::{self, Options};
use crate::plan::KeptOptions;
use crate::sniff::{self, ContentType, Element, Head, Media, Syntax};

/// What a job is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Download: the body is in the result.
    #[default]
    Request,
    /// Find where the URL ends; no body.
    Resolve,
}

/// One URL to request or resolve.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Whether to download or only to find the end.
    pub kind: Kind,
    /// The URL. White space, marks that are not seen (as byte order marks) and quotes around it are
    /// taken off, and `http://` is put before it when it has no scheme and starts with a host: a
    /// path, a file's name, a number or a mail address is none. A bad one, or one with U+FFFD, which
    /// stands for bytes that were lost, gives a result with `invalid-url`. Empty: see
    /// [`StreamConfig::passthrough`](crate::StreamConfig::passthrough).
    pub url: Arc<str>,
    /// The politeness key; `None`: the registrable domain of the URL, or its host when that has
    /// none. The empty one is unconstrained.
    pub group: Option<Box<str>>,
    /// Comes back in the result.
    pub tag: u64,
    /// Comes back in the result: room for a pointer of the caller's; never looked at.
    pub userdata: usize,
    /// How the job is done; `None`: as the stream's options say.
    pub options: Option<Arc<Options>>,
    /// The same, read beforehand for many jobs. It is given instead of `options`.
    pub kept_options: Option<KeptOptions>,
}

impl Job {
    /// A job that downloads `url`.
    pub fn request(url: impl Into<Arc<str>>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }

    /// A job that finds where `url` ends.
    pub fn resolve(url: impl Into<Arc<str>>) -> Self {
        Self {
            kind: Kind::Resolve,
            ..Self::request(url)
        }
    }

    /// The same job with that tag.
    pub fn tag(self, tag: u64) -> Self {
        Self { tag, ..self }
    }

    /// The same job in that group.
    pub fn group(self, group: impl Into<Box<str>>) -> Self {
        Self {
            group: Some(group.into()),
            ..self
        }
    }

    /// The same job with those options.
    pub fn options(self, options: Arc<Options>) -> Self {
        Self {
            options: Some(options),
            ..self
        }
    }

    /// The same job with those options, which were read beforehand.
    pub fn kept_options(self, options: KeptOptions) -> Self {
        Self {
            kept_options: Some(options),
            ..self
        }
    }
}

/// What led on from a URL of the stack, or that it is the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HopKind {
    /// Nothing: the job ended here.
    Hit,
    /// A redirect status with a `Location` header (RFC 9110, section 10.2.2).
    LocationHeader,
    /// A `Refresh` header.
    RefreshHeader,
    /// `<meta http-equiv="refresh">` in the page.
    MetaRefresh,
    /// A script in the page.
    JsRelocation,
    /// The URL itself: it was not requested.
    Infer,
    /// Nothing: it is what the page before calls itself, and was not requested.
    Canonical,
}

impl HopKind {
    /// Its slug, stable over versions: `"location-header"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::LocationHeader => "location-header",
            Self::RefreshHeader => "refresh-header",
            Self::MetaRefresh => "meta-refresh",
            Self::JsRelocation => "js-relocation",
            Self::Infer => "infer",
            Self::Canonical => "canonical",
        }
    }
}

/// Why the body of a result may not be all there was: the words of the WARC format's `WARC-Truncated`
/// (WARC 1.1, section 5.13), and one more. There may be others later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Truncated {
    /// The connection ended without TLS's goodbye, where nothing but its end tells that of the body:
    /// what came may be all, and most often is.
    Disconnect,
    /// A coding was not as `Content-Encoding` has it, but what is in it came whole: there was no
    /// trailer, or a wrong one, or the body was in no coding at all and is as it came.
    Coding,
}

impl Truncated {
    /// Its word, stable over versions: `"disconnect"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Coding => "coding",
        }
    }
}

/// One entry of a result's stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEntry {
    /// The URL as it was requested, or would have been.
    pub url: Arc<str>,
    /// What led on from here.
    pub kind: HopKind,
    /// The answer's status; 0: no answer came, or no request was made.
    pub status: u16,
}

/// Where the time of an attempt went, summed over its hops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Looking up names.
    pub name_lookup: Duration,
    /// Connecting, to a proxy too.
    pub connect: Duration,
    /// TLS handshakes.
    pub tls: Duration,
    /// From then to the first byte of the answer.
    pub wait: Duration,
    /// From the first byte of the answer to its last.
    pub receive: Duration,
}

impl std::ops::AddAssign for Timings {
    fn add_assign(&mut self, other: Self) {
        self.name_lookup += other.name_lookup;
        self.connect += other.connect;
        self.tls += other.tls;
        self.wait += other.wait;
        self.receive += other.receive;
    }
}

/// What came of a job: exactly one for each that was accepted.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// The job's kind.
    pub kind: Kind,
    /// The job's tag.
    pub tag: u64,
    /// The job's userdata.
    pub userdata: usize,
    /// The URL as it was submitted; `None`: the job had none.
    pub url: Option<Arc<str>>,
    /// Why there is no answer; `None`: success, whatever the status.
    pub error: Option<Failure>,
    /// The status of the last answer; 0: none came.
    pub status: u16,
    /// The headers of the last answer.
    pub headers: Headers,
    /// The URLs the job was at, the first one first.
    pub stack: Vec<StackEntry>,
    /// The body of the last answer, decompressed when the job asked for compression.
    pub body: Vec<u8>,
    /// Why the body may not be all there was; `None`: it is whole, or there is none.
    pub truncated: Option<Truncated>,
    /// When the last attempt began.
    pub start_time: SystemTime,
    /// When it ended.
    pub end_time: SystemTime,
    /// Where the last attempt's time went.
    pub timings: Timings,
    /// How many attempts were made; 0: none, the job ended before its first.
    pub attempts: u32,
    /// What the stream's [`callback`](crate::StreamConfig::callback) attached: room for a pointer;
    /// 0 without one.
    pub value: usize,
    pub(crate) group: Group,
    pub(crate) known_encoding: Option<&'static Encoding>,
    /// Whether the codings that the headers name were undone.
    pub(crate) decoded: bool,
    pub(crate) content: OnceLock<Box<Content>>,
}

/// The politeness key of a job: mostly a part of its URL, and then not kept twice.
#[derive(Clone, Debug, Default)]
pub(crate) enum Group {
    /// The job asks no server.
    #[default]
    None,
    /// From there to there.
    InUrl(u32, u32),
    Own(Box<str>),
}

impl Group {
    /// The group of that name of a job with that URL. `host_ends`: where it would be in it.
    pub fn of(url: &str, name: &str, host_ends: usize) -> Self {
        let there = |end: usize| {
            let start = end.checked_sub(name.len())?;
            let same = url.get(start..end)? == name;
            same.then_some(Self::InUrl(start as u32, u32::try_from(end).ok()?))
        };
        there(host_ends).unwrap_or_else(|| Self::Own(name.into()))
    }

    /// That of a URL, which is handed in as `text`.
    pub fn of_url(text: &str, url: &Url) -> Self {
        Self::of(text, address::group(url), url[..Position::AfterHost].len())
    }

    /// Its name, given the job's URL.
    pub fn name<'a>(&'a self, url: &'a str) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::InUrl(start, end) => url.get(*start as usize..*end as usize),
            Self::Own(name) => Some(name),
        }
    }
}

/// What the bytes of a body are, found out when it is first asked for, and kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    head: OnceLock<Head>,
    media: OnceLock<Media>,
    encoding: OnceLock<&'static Encoding>,
    text: OnceLock<String>,
    links: OnceLock<Vec<String>>,
    elements: OnceLock<Vec<Element>>,
}

impl JobResult {
    /// What a job would have come to that got this page with status 200: to ask for the text, links
    /// and the like of pages that were kept. `url`: where the page was found; `content_type`: what its
    /// `Content-Type` header says.
    ///
    /// [`Error::InvalidArgument`]: `url` is no URL, `content_type` has a line break, or
    /// `known_encoding` is no label of an encoding.
    pub fn of_page(
        url: Option<&str>,
        content_type: Option<&[u8]>,
        known_encoding: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Self, Error> {
        if content_type.is_some_and(has_line_break) {
            let message = "content_type has a line break".into();
            return Err(Error::InvalidArgument(message));
        }
        let headers = content_type.map(|value| ("Content-Type", value));
        Self::of_answer(url, headers, known_encoding, body)
    }

    /// The same of an answer with all its headers: several `Content-Type` count together, and the file
    /// name in a `Content-Disposition` for [`Self::ext`]. A `Content-Encoding` says that the body is
    /// still in that coding.
    ///
    /// [`Error::InvalidArgument`]: `url` is no URL, a header's name is none or its value has a line
    /// break, or `known_encoding` is no label of an encoding.
    pub fn of_answer<'a>(
        url: Option<&str>,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        known_encoding: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Self, Error> {
        let url = url.map(address::clean).transpose();
        let url = url.map_err(|failure| Error::InvalidArgument(failure.message))?;
        let known_encoding = known_encoding.map(options::encoding).transpose()?;
        let mut lines = Headers::default();
        for (name, value) in headers {
            let is_name = |byte: u8| byte.is_ascii_graphic() && byte != b':';
            if name.is_empty() || !name.bytes().all(is_name) {
                let message = format!("headers has {name:?}, which is no header's name");
                return Err(Error::InvalidArgument(message));
            }
            if has_line_break(value) {
                let message = format!("headers has a line break in the value of {name}");
                return Err(Error::InvalidArgument(message));
            }
            lines.push(&[name.as_bytes(), b": ", value].concat());
        }
        let group = url.as_ref();
        let group = group.map_or(Group::None, |url| Group::of_url(url.as_str(), url));
        let text: Option<Arc<str>> = url.map(|url| url.as_str().into());
        let now = SystemTime::now();
        Ok(Self {
            kind: Kind::Request,
            tag: 0,
            userdata: 0,
            url: text.clone(),
            error: None,
            status: 200,
            headers: lines,
            stack: text
                .into_iter()
                .map(|url| StackEntry {
                    url,
                    kind: HopKind::Hit,
                    status: 200,
                })
                .collect(),
            body,
            truncated: None,
            start_time: now,
            end_time: now,
            timings: Timings::default(),
            attempts: 0,
            value: 0,
            group,
            known_encoding,
            decoded: false,
            content: OnceLock::new(),
        })
    }

    /// The group the job was in, whose turn it waited for: as it was given, or that of its URL
    /// ([`url_group`](crate::url_group)). Redirections do not change it. The empty one is
    /// unconstrained; `None`: no server was to be asked, the job having no URL or a bad one.
    pub fn group(&self) -> Option<&str> {
        self.group.name(self.url.as_deref().unwrap_or_default())
    }

    /// Where the job ended: the last URL of the stack.
    pub fn end_url(&self) -> Option<&str> {
        self.stack.last().map(|entry| &*entry.url)
    }

    /// Most results are never asked.
    fn content(&self) -> &Content {
        self.content.get_or_init(Box::default)
    }

    /// The page that the body is of.
    fn page(&self) -> Option<Url> {
        let mut stack = self.stack.iter().rev();
        let asked = stack.find(|entry| entry.kind != HopKind::Canonical)?;
        Url::parse(&asked.url).ok()
    }

    /// Whether the job got an answer, whatever its status, and did not fail.
    pub(crate) fn has_answer(&self) -> bool {
        self.error.is_none() && self.status != 0
    }

    /// The media type of the body, in lower case and without parameters: as the `Content-Type`
    /// headers say (Fetch Standard, "extract a MIME type": the last that is well-formed counts). Without
    /// one, or if it is `unknown/unknown`, `application/unknown` or `*/*`: as the first bytes of the
    /// body tell (MIME Sniffing Standard), and then the extension of its file name or URL.
    pub fn mimetype(&self) -> Option<&str> {
        self.media()?.mimetype.as_deref()
    }

    /// The file extension that fits, with its dot (`".html"`): that of the file name in
    /// `Content-Disposition` (RFC 6266), if it is a usual one; that of [`Self::mimetype`]; or the URL's
    /// when that says nothing definite.
    pub fn ext(&self) -> Option<&str> {
        self.media()?.ext.as_deref()
    }

    /// Whether the body is text, by its media type, or its bytes when that is unknown. Bytes of a
    /// coding that was not undone, as gzip that nobody asked for, are none.
    pub fn is_text(&self) -> bool {
        self.media().is_some_and(|media| media.is_text)
    }

    /// Whether the body's media type allows for HTML.
    pub fn could_be_html(&self) -> bool {
        self.media().is_some_and(|media| media.could_be_html)
    }

    /// Whether the body is HTML: text of the media type `text/html` or `application/xhtml+xml`,
    /// however it begins; of another XML type, if its root is `<html>`.
    pub fn is_html(&self) -> bool {
        self.media().is_some_and(|media| media.is_html)
    }

    /// The encoding of the body, if it is text, by its name in the Encoding Standard in lower case:
    /// that of [`Options::known_encoding`], or by its byte order mark, the `Content-Type`, what the
    /// page says, and then by detection. A declaration that the bytes give the lie is passed over,
    /// and ISO-8859-1 in the `Content-Type` if the page says something else.
    pub fn encoding(&self) -> Option<&'static str> {
        self.encoding_of_text().map(sniff::name)
    }

    /// The body as text, if it is text; what is malformed in it becomes U+FFFD.
    pub fn text(&self) -> Option<&str> {
        let text = self.text_and_nul()?;
        Some(&text[..text.len() - 1])
    }

    /// The links of the body, if it is HTML: the `http` and `https` URLs of its `<a>` and `<area>`,
    /// absolute, each once, in the order of the page. Their queries are in the encoding of the page,
    /// as browsers write them (URL Standard).
    pub fn links(&self) -> &[String] {
        once(&self.content().links, || self.find_links()).map_or(&[], |links| links)
    }

    /// The links, for one who keeps them in another form. `None`: there can be none, or there is no
    /// memory for them.
    pub(crate) fn find_links(&self) -> Option<Vec<String>> {
        if !self.is_html() {
            return None;
        }
        let (page, text, syntax, encoding) = self.markup()?;
        sniff::links(&page, text, syntax, encoding)
    }

    /// All that the body refers to, if it is HTML: by `<a>`, `<img>`, `srcset`, `<script>`, `<link>`,
    /// `<iframe>`, `<form>` and all others whose attributes have URLs, those of SVG and those that are
    /// obsolete too, in the order of the page and as often as it does. Left out is what is not `http` or
    /// `https`, what stays within the page (`#top`), and `<a>` and `<area>` that lead to the page itself.
    pub fn elements(&self) -> &[Element] {
        once(&self.content().elements, || self.find_elements()).map_or(&[], |elements| elements)
    }

    /// The same, for one who keeps them in another form. `None`: there can be none, or there is no
    /// memory for them.
    pub(crate) fn find_elements(&self) -> Option<Vec<Element>> {
        if !self.is_html() {
            return None;
        }
        let (page, text, syntax, encoding) = self.markup()?;
        sniff::elements(&page, text, syntax, encoding)
    }

    /// The page's URL and text, and how that is read.
    fn markup(&self) -> Option<(Url, &str, Syntax, &'static Encoding)> {
        let syntax = sniff::syntax(self.mimetype());
        Some((self.page()?, self.text()?, syntax, self.encoding_of_text()?))
    }

    /// The text with a NUL behind it, which C wants.
    pub(crate) fn text_and_nul(&self) -> Option<&str> {
        let encoding = self.encoding_of_text()?;
        let decode = || Some(sniff::decode(encoding, &self.body, 1)? + "\0");
        once(&self.content().text, decode).map(String::as_str)
    }

    fn encoding_of_text(&self) -> Option<&'static Encoding> {
        if !self.is_text() {
            return None;
        }
        let detect = || {
            let url = self.page();
            let tld = url
                .as_ref()
                .and_then(|url| url.domain()?.rsplit('.').next());
            sniff::detect(self.head().content_type.charset, &self.body, tld)
        };
        let encoding = self
            .content()
            .encoding
            .get_or_init(|| self.known_encoding.unwrap_or_else(detect));
        Some(encoding)
    }

    /// `None`: the job was to have no body, or got no answer.
    fn media(&self) -> Option<&Media> {
        if self.kind == Kind::Resolve || self.status == 0 {
            return None;
        }
        Some(self.content().media.get_or_init(|| {
            let url = self.page();
            let url = url.as_ref().map_or("", Url::as_str);
            Media::of(self.head(), url, &self.body)
        }))
    }

    /// What the headers say of the body.
    fn head(&self) -> &Head {
        let headers = &self.headers;
        self.content().head.get_or_init(|| Head {
            content_type: ContentType::of(headers.get_all("content-type")),
            filename: sniff::filename(headers.get_all("content-disposition")),
            coded: !self.decoded && headers.codings().next().is_some(),
        })
    }

    /// What the result weighs against
    /// [`StreamConfig::max_buffered_bytes`](crate::StreamConfig::max_buffered_bytes).
    ///
    /// All that it holds: a URL of a stack may be as long as a head, and the next that it leads to too.
    pub(crate) fn size(&self) -> u64 {
        let (url, stack) = (self.url.as_ref(), &self.stack);
        // The first of the stack may be the very same.
        let same = stack.first().zip(url);
        let same = same.is_some_and(|(first, url)| Arc::ptr_eq(&first.url, url));
        let hops = stack.iter().skip(usize::from(same));
        let size = size_of::<Self>()
            + url.map_or(0, |url| url.len())
            + self
                .error
                .as_ref()
                .map_or(0, |error| error.message.capacity())
            + self.headers.size()
            + stack.capacity() * size_of::<StackEntry>()
            + hops.map(|hop| hop.url.len()).sum::<usize>()
            + self.body.capacity();
        size as u64
    }
}

/// What was found, or is found now. Without memory for it there is none, and it may be asked for again.
pub(crate) fn once<T>(known: &OnceLock<T>, find: impl FnOnce() -> Option<T>) -> Option<&T> {
    if known.get().is_none() {
        let found = find()?;
        return Some(known.get_or_init(|| found));
    }
    known.get()
}

fn has_line_break(value: &[u8]) -> bool {
    value.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}
