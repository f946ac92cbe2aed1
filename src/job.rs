//! A job and its result.

#![forbid(unsafe_code)]

use std::any::Any;
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
    /// Find where the URL ends, without a body.
    Resolve,
}

/// One URL to request or resolve, and what comes back with its result.
///
/// ```
/// use rouet::Job;
///
/// let job = Job::resolve("https://example.com/").group("example").item(("line", 7));
/// # assert_eq!(job.item, ("line", 7));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Job<T = ()> {
    /// Whether to download or only to find the end.
    pub kind: Kind,
    /// The URL. White space, invisible marks (such as byte order marks) and quotes around it are
    /// removed. A URL without a scheme gets `http://` if it starts with a host; a path, a file name, a
    /// number or a mail address does not. A bad URL, or one with U+FFFD, which stands for lost bytes,
    /// gives a result with `invalid-url`. For an empty one see
    /// [`StreamConfig::passthrough`](crate::StreamConfig::passthrough).
    pub url: Arc<str>,
    /// The politeness key. `None` is the URL's registrable domain, or the host if it has none. The
    /// empty key is unconstrained.
    pub group: Option<Box<str>>,
    /// What comes back with the result, such as the row that the URL is from. If the stream is dropped
    /// before that, the item is dropped soon after, on any thread.
    pub item: T,
    /// How the job is done; `None`: as the stream's options say.
    pub options: Option<Arc<Options>>,
    /// Options that were read once for many jobs, instead of `options`.
    pub kept_options: Option<KeptOptions>,
}

impl Job {
    /// A job that downloads `url`.
    pub fn request(url: impl Into<Arc<str>>) -> Self {
        Self {
            kind: Kind::Request,
            url: url.into(),
            group: None,
            item: (),
            options: None,
            kept_options: None,
        }
    }

    /// A job that finds where `url` ends.
    pub fn resolve(url: impl Into<Arc<str>>) -> Self {
        Self {
            kind: Kind::Resolve,
            ..Self::request(url)
        }
    }
}

impl<T> Job<T> {
    /// The same job, with that item instead of its own.
    #[must_use]
    pub fn item<U>(self, item: U) -> Job<U> {
        self.map(|_| item)
    }

    /// The same job, with what its item becomes.
    pub(crate) fn map<U>(self, item: impl FnOnce(T) -> U) -> Job<U> {
        Job {
            kind: self.kind,
            url: self.url,
            group: self.group,
            item: item(self.item),
            options: self.options,
            kept_options: self.kept_options,
        }
    }

    /// The same job in that group.
    #[must_use]
    pub fn group(self, group: impl Into<Box<str>>) -> Self {
        Self {
            group: Some(group.into()),
            ..self
        }
    }

    /// The same job with those options.
    #[must_use]
    pub fn options(self, options: impl Into<Arc<Options>>) -> Self {
        Self {
            options: Some(options.into()),
            ..self
        }
    }

    /// The same job with those options, which were read beforehand.
    #[must_use]
    pub fn kept_options(self, options: KeptOptions) -> Self {
        Self {
            kept_options: Some(options),
            ..self
        }
    }
}

/// The item of a job, whatever its type, on the way to the caller who gave it.
#[derive(Debug)]
pub(crate) enum Item {
    /// Of a job that came through the C interface: its tag and its userdata.
    #[cfg(feature = "capi")]
    Numbers(u64, usize),
    /// And whether to drop it runs any code.
    Any(Box<dyn Any + Send>, bool),
}

impl Item {
    pub fn of<T: Send + 'static>(item: T) -> Self {
        Self::Any(Box::new(item), std::mem::needs_drop::<T>())
    }

    pub fn needs_drop(&self) -> bool {
        matches!(self, Self::Any(_, true))
    }

    /// The item, in the type that it was given in.
    pub fn into<T: 'static>(self) -> T {
        match self {
            Self::Any(item, _) => match item.downcast() {
                Ok(item) => *item,
                Err(_) => unreachable!("the stream takes no others"),
            },
            #[cfg(feature = "capi")]
            Self::Numbers(..) => unreachable!("C takes its results itself"),
        }
    }

    pub fn as_mut<T: 'static>(&mut self) -> &mut T {
        match self {
            Self::Any(item, _) => item.downcast_mut().expect("the stream takes no others"),
            #[cfg(feature = "capi")]
            Self::Numbers(..) => unreachable!("C has callbacks of its own"),
        }
    }
}

#[cfg(feature = "capi")]
impl Item {
    pub fn numbers(&self) -> Numbers {
        match self {
            Self::Numbers(tag, userdata) => Numbers {
                tag: *tag,
                userdata: *userdata,
                value: 0,
            },
            Self::Any(..) => Numbers::default(),
        }
    }
}

/// A job's result, and its item.
#[derive(Debug)]
pub(crate) struct Done {
    pub item: Item,
    pub result: JobResult,
}

impl Done {
    pub fn into_pair<T: 'static>(self) -> (T, JobResult) {
        (self.item.into(), self.result)
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
    /// Nothing: the page before declares this URL for itself, and it was not requested.
    Canonical,
}

impl HopKind {
    /// The kind's slug, stable over versions: `"location-header"`.
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

/// Why the body of a result may be incomplete: the words of the WARC format's `WARC-Truncated` (WARC
/// 1.1, section 5.13), and one more. Others may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Truncated {
    /// The connection ended without TLS's goodbye, where only its end marks the body's. Most often the
    /// body is whole.
    Disconnect,
    /// The body broke the rules of its `Content-Encoding`, but its content came whole: the trailer was
    /// missing or wrong, or the body was in no coding and is as it came.
    Coding,
}

impl Truncated {
    /// The word, stable over versions: `"disconnect"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Coding => "coding",
        }
    }
}

/// One entry of a result's stack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackEntry {
    /// The URL as it was requested, or would have been.
    pub url: Arc<str>,
    /// What led on from here.
    pub kind: HopKind,
    /// The answer's status. 0: no answer came, or no request was made.
    pub status: u16,
}

/// Where the time of an attempt went, summed over its hops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Looking up names.
    pub name_lookup: Duration,
    /// Connecting, also to a proxy.
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

/// The result of a job: exactly one for each that was accepted. The job's item comes beside it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobResult {
    /// The job's kind.
    pub kind: Kind,
    /// The URL as submitted; `None`: the job had none.
    pub url: Option<Arc<str>>,
    /// Why there is no answer; `None`: success, whatever the status.
    pub error: Option<Failure>,
    /// The status of the last answer; 0 if none came.
    pub status: u16,
    /// The headers of the last answer.
    pub headers: Headers,
    /// The URLs at which the job was, in order.
    pub stack: Vec<StackEntry>,
    /// The body of the last answer, decompressed if the job asked for compression.
    pub body: Vec<u8>,
    /// Why the body may be incomplete; `None`: it is whole, or there is none.
    pub truncated: Option<Truncated>,
    /// When the last attempt began.
    pub start_time: SystemTime,
    /// When the last attempt ended.
    pub end_time: SystemTime,
    /// Where the last attempt's time went.
    pub timings: Timings,
    /// The number of attempts made; 0 if the job ended before its first.
    pub attempts: u32,
    /// What C's results have beside: the job's tag and userdata, and what the callback attached.
    #[cfg(feature = "capi")]
    pub(crate) numbers: Numbers,
    pub(crate) group: Group,
    pub(crate) known_encoding: Option<&'static Encoding>,
    /// Whether the codings that the headers name were undone.
    pub(crate) decoded: bool,
    pub(crate) content: OnceLock<Box<Content>>,
}

/// What a result has for C alone.
#[cfg(feature = "capi")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    pub tag: u64,
    pub userdata: usize,
    pub value: usize,
}

/// The politeness key of a job. Most are part of its URL and are not stored twice.
#[derive(Clone, Debug, Default)]
pub(crate) enum Group {
    /// The job asks no server.
    #[default]
    None,
    /// The part of the URL between these two places.
    InUrl(u32, u32),
    Own(Box<str>),
}

impl Group {
    /// The group of that name for a job with that URL. `host_ends` is where the name would end in the
    /// URL.
    pub fn of(url: &str, name: &str, host_ends: usize) -> Self {
        let there = |end: usize| {
            let start = end.checked_sub(name.len())?;
            let same = url.get(start..end)? == name;
            same.then_some(Self::InUrl(start as u32, u32::try_from(end).ok()?))
        };
        there(host_ends).unwrap_or_else(|| Self::Own(name.into()))
    }

    /// The group of a URL, whose text is `text`.
    pub fn of_url(text: &str, url: &Url) -> Self {
        Self::of(text, address::group(url), url[..Position::AfterHost].len())
    }

    /// The group's name, given the job's URL.
    pub fn name<'a>(&'a self, url: &'a str) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::InUrl(start, end) => url.get(*start as usize..*end as usize),
            Self::Own(name) => Some(name),
        }
    }
}

/// What the bytes of a body are, computed at the first question and kept.
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
    /// The result that a job would have if it got this page with status 200, to ask for the text, links
    /// and the like of pages that were kept. `url` is where the page was found, and `content_type` is
    /// its `Content-Type` header.
    ///
    /// [`Error::InvalidArgument`]: `url` is not a URL, `content_type` has a line break, or
    /// `known_encoding` is not an encoding's label.
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

    /// The same for an answer with all its headers. Several `Content-Type` headers count together, and
    /// the file name in a `Content-Disposition` counts for [`Self::ext`]. A `Content-Encoding` says
    /// that the body is still in that coding.
    ///
    /// [`Error::InvalidArgument`]: `url` is not a URL, a header's name is not a name or its value has a
    /// line break, or `known_encoding` is not an encoding's label.
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
            #[cfg(feature = "capi")]
            numbers: Numbers::default(),
            group,
            known_encoding,
            decoded: false,
            content: OnceLock::new(),
        })
    }

    /// The group whose turn the job waited for: the one it named, or that of its URL
    /// ([`url_group`](crate::url_group)). Redirections do not change it. The empty one is
    /// unconstrained. `None`: no server was to be asked, because the URL was missing or bad.
    pub fn group(&self) -> Option<&str> {
        self.group.name(self.url.as_deref().unwrap_or_default())
    }

    /// Where the job ended: the last URL of the stack.
    pub fn end_url(&self) -> Option<&str> {
        self.stack.last().map(|entry| &*entry.url)
    }

    /// The body's content, allocated late because most results are never asked.
    fn content(&self) -> &Content {
        self.content.get_or_init(Box::default)
    }

    /// The URL of the page that is the body.
    fn page(&self) -> Option<Url> {
        let mut stack = self.stack.iter().rev();
        let asked = stack.find(|entry| entry.kind != HopKind::Canonical)?;
        Url::parse(&asked.url).ok()
    }

    /// Whether the job got an answer, whatever its status, and did not fail.
    pub(crate) fn has_answer(&self) -> bool {
        self.error.is_none() && self.status != 0
    }

    /// The media type of the body, in lower case and without parameters. The `Content-Type` headers
    /// decide (Fetch Standard, "extract a MIME type": the last that is well-formed counts). If they are
    /// missing, or say `unknown/unknown`, `application/unknown` or `*/*`, the first bytes of the body
    /// decide (MIME Sniffing Standard), and then the extension of its file name or URL.
    pub fn mimetype(&self) -> Option<&str> {
        self.media()?.mimetype.as_deref()
    }

    /// The file extension that fits the body, with its dot (`".html"`). The file name in
    /// `Content-Disposition` gives it (RFC 6266), if its extension is a usual one; otherwise
    /// [`Self::mimetype`], or the URL if that type says nothing definite.
    pub fn ext(&self) -> Option<&str> {
        self.media()?.ext.as_deref()
    }

    /// Whether the body is text, by its media type, or by its bytes if that is unknown. Bytes in a
    /// coding that was not undone, such as gzip that nobody asked for, are not text.
    pub fn is_text(&self) -> bool {
        self.media().is_some_and(|media| media.is_text)
    }

    /// Whether the body's media type allows for HTML.
    pub fn could_be_html(&self) -> bool {
        self.media().is_some_and(|media| media.could_be_html)
    }

    /// Whether the body is HTML: text of the media type `text/html` or `application/xhtml+xml`, however
    /// it begins, and of another XML type if its root is `<html>`.
    pub fn is_html(&self) -> bool {
        self.media().is_some_and(|media| media.is_html)
    }

    /// The encoding of a text body, by its lower-case name in the Encoding Standard. It comes from
    /// [`Options::known_encoding`], the byte order mark, the `Content-Type`, the page's own
    /// declaration, or detection, in this order. A declaration that the bytes contradict is passed
    /// over, and so is ISO-8859-1 in the `Content-Type` if the page says something else.
    pub fn encoding(&self) -> Option<&'static str> {
        self.encoding_of_text().map(sniff::name)
    }

    /// The body as text, if it is text; malformed parts become U+FFFD.
    pub fn text(&self) -> Option<&str> {
        let text = self.text_and_nul()?;
        Some(&text[..text.len() - 1])
    }

    /// The links of an HTML body: the `http` and `https` URLs of its `<a>` and `<area>`, absolute, each
    /// once, in the order of the page. Their queries are in the page's encoding, as browsers write them
    /// (URL Standard).
    pub fn links(&self) -> &[String] {
        once(&self.content().links, || self.find_links()).map_or(&[], |links| links)
    }

    /// Finds the links for a caller who keeps them in another form. `None`: there can be none, or no
    /// memory is left for them.
    pub(crate) fn find_links(&self) -> Option<Vec<String>> {
        if !self.is_html() {
            return None;
        }
        let (page, text, syntax, encoding) = self.markup()?;
        sniff::links(&page, text, syntax, encoding)
    }

    /// Everything that an HTML body refers to: by `<a>`, `<img>`, `srcset`, `<script>`, `<link>`,
    /// `<iframe>`, `<form>` and all others whose attributes have URLs, including those of SVG and
    /// obsolete ones. Order and repeats are the page's. References that are not `http` or `https`, that
    /// stay within the page (`#top`), and `<a>` and `<area>` that lead to the page itself are left out.
    pub fn elements(&self) -> &[Element] {
        once(&self.content().elements, || self.find_elements()).map_or(&[], |elements| elements)
    }

    /// Finds them for a caller who keeps them in another form. `None`: there can be none, or no memory
    /// is left for them.
    pub(crate) fn find_elements(&self) -> Option<Vec<Element>> {
        if !self.is_html() {
            return None;
        }
        let (page, text, syntax, encoding) = self.markup()?;
        sniff::elements(&page, text, syntax, encoding)
    }

    /// The page's URL and text, its syntax and its encoding.
    fn markup(&self) -> Option<(Url, &str, Syntax, &'static Encoding)> {
        let syntax = sniff::syntax(self.mimetype());
        Some((self.page()?, self.text()?, syntax, self.encoding_of_text()?))
    }

    /// The text with a NUL behind it, for C.
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

    /// What the headers say about the body.
    fn head(&self) -> &Head {
        let headers = &self.headers;
        self.content().head.get_or_init(|| Head {
            content_type: ContentType::of(headers.get_all("content-type")),
            filename: sniff::filename(headers.get_all("content-disposition")),
            coded: !self.decoded && headers.codings().next().is_some(),
        })
    }

    /// How much the result counts against
    /// [`StreamConfig::max_buffered_bytes`](crate::StreamConfig::max_buffered_bytes): everything that
    /// it holds, because each URL of a stack may be as long as a head.
    pub(crate) fn size(&self) -> u64 {
        let (url, stack) = (self.url.as_ref(), &self.stack);
        // The first URL of the stack may be the same text.
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

/// Returns what was found, or finds it now. If no memory is left there is nothing, and a later call may
/// find it.
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
