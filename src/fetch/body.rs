//! Taking in a body: its limit, and undoing its compression.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zstd::stream::zio::Writer;

use url::Url;

use crate::address;
use crate::engine::{Flow, Receive};
use crate::error::{ErrorCode, Failure};
use crate::headers::Headers;
use crate::sniff::{self, Hints};

/// How much of a body nobody wants is read, so that its connection can be used again.
const SKIP: u64 = 64 << 10;
/// The most room made in advance because a header promised so much.
const RESERVE: u64 = 16 << 20;
/// How many codings may lie over each other; curl stops at five too.
const LAYERS: usize = 5;
/// At which sizes the start of a page is looked into: where the network happens to cut it makes no
/// difference, and what comes early is found early.
const LOOKS: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, 64 << 10];

/// What is wanted of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Want {
    /// The body.
    pub body: bool,
    /// The request is one whose answer has none, whatever its head says.
    pub bodiless: bool,
    /// Redirections are followed, so that their bodies are of no use.
    pub follow: bool,
    /// A `Refresh` header is such a redirection.
    pub refresh: bool,
    /// Codings are undone.
    pub decode: bool,
    /// The largest body.
    pub limit: u64,
    /// What is looked for in the start of a page.
    pub look: Look,
}

/// What is looked for in the start of a page.
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

    /// How far into the page.
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

/// Where the start of a page leads.
#[derive(Default)]
pub(crate) struct Targets {
    pub meta_refresh: Option<Result<Url, Failure>>,
    /// What is read out of a script is a guess: one that can't be requested is none.
    pub js_relocation: Option<Url>,
    pub canonical: Option<Url>,
    /// Whether one leads away from the page, so that the rest of it is of no use.
    away: bool,
}

impl Targets {
    /// What is looked for of what was found in the page of that URL.
    fn of(page: &str, look: Look, hints: Hints) -> Self {
        let Ok(page) = Url::parse(page) else {
            return Self::default();
        };
        let base = hints.base.and_then(|base| address::join(&page, &base).ok());
        let base = base.as_ref().unwrap_or(&page);
        let join = |target: Option<String>, wanted: bool| {
            let target = target.filter(|_| wanted)?;
            Some(address::join(base, &target))
        };
        let meta_refresh = join(hints.meta_refresh, look.meta_refresh);
        let js_relocation = join(hints.js_relocation, look.js_relocation).and_then(Result::ok);
        let leaves = |target: &Url| !address::same_page(target, &page);
        Self {
            // An invalid one is an error, for which no body is needed.
            away: meta_refresh
                .as_ref()
                .is_some_and(|target| target.as_ref().map_or(true, leaves))
                || js_relocation.as_ref().is_some_and(leaves),
            meta_refresh,
            js_relocation,
            canonical: join(hints.canonical, look.canonical).and_then(Result::ok),
        }
    }

    /// Whether there is nothing left to look for.
    fn are_all(&self, look: Look) -> bool {
        self.away || !look.meta_refresh && !look.js_relocation && self.canonical.is_some()
    }
}

/// What becomes of the bytes that arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No head yet.
    Head,
    /// They are kept, and their start is looked into.
    Look,
    /// They are kept.
    Keep,
    /// They are passed over, to keep the connection.
    Skip,
    /// None is needed.
    Over,
}

/// Takes in the answer to a hop.
pub(crate) struct Reader {
    /// The URL that answers.
    url: Box<str>,
    want: Want,
    state: State,
    /// What the head said of the body.
    length: Option<u64>,
    codings: Option<Box<[u8]>>,
    content_type: Option<Box<[u8]>>,
    /// There from its first byte on: the head of an answer to HEAD promises what does not come.
    body: Option<Body>,
    targets: Targets,
    /// How much of the body was looked into.
    looked: usize,
    failure: Option<Failure>,
    /// Bytes that arrived.
    arrived: u64,
}

impl Reader {
    pub fn new(url: &Url, want: Want) -> Self {
        Self {
            url: url.as_str().into(),
            want,
            state: State::Head,
            length: None,
            codings: None,
            content_type: None,
            body: None,
            targets: Targets::default(),
            looked: 0,
            failure: None,
            arrived: 0,
        }
    }

    /// Whether all that was wanted of the answer came, so that what happens to the rest of it is
    /// no failure.
    pub fn has_enough(&self) -> bool {
        matches!(self.state, State::Skip | State::Over)
    }

    /// The body, if it is wanted, and what was found in it; or why there is none.
    pub fn finish(mut self) -> Result<(Vec<u8>, Targets), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut body = Vec::new();
        if !self.has_enough() {
            // A coding may give out its last bytes only now.
            match self.body.take() {
                Some(came) if self.want.body => body = came.finish(self.want.limit)?,
                Some(mut came) => body = came.bytes().unwrap_or_default().to_vec(),
                None => {}
            }
            if self.state == State::Look {
                self.look(&body);
            }
        }
        if !self.want.body || self.targets.away {
            body = Vec::new();
        }
        Ok((body, self.targets))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let limit = self.want.limit;
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let length = self.length.filter(|_| self.want.body);
                let body = Body::new(self.codings.as_deref(), length, limit)?;
                self.body.insert(body)
            }
        };
        body.push(bytes)
            .map_err(|error| body.failure(&error, limit))?;
        if self.state == State::Look {
            self.look_at_what_came()?;
        }
        Ok(())
    }

    /// Looks into the body as far as it came, at the sizes of `LOOKS`.
    fn look_at_what_came(&mut self) -> Result<(), Failure> {
        let depth = self.want.look.depth();
        loop {
            let next = LOOKS.iter().copied().find(|size| *size > self.looked);
            let Some(next) = next.filter(|next| *next <= depth) else {
                break;
            };
            let Some(mut body) = self.body.take() else {
                break;
            };
            let bytes = match body.bytes() {
                Ok(bytes) => bytes,
                Err(error) => return Err(body.failure(&error, self.want.limit)),
            };
            let came = bytes.len() >= next;
            if came {
                self.look(&bytes[..next]);
            }
            self.body = Some(body);
            if !came || self.targets.are_all(self.want.look) {
                break;
            }
        }
        let done = self.looked >= depth || self.targets.are_all(self.want.look);
        if done {
            self.state = match self.want.body && !self.targets.away {
                true => State::Keep,
                false => State::Over,
            };
        }
        Ok(())
    }

    fn look(&mut self, start: &[u8]) {
        let start = &start[..start.len().min(self.want.look.depth())];
        if start.len() > self.looked {
            self.looked = start.len();
            let text = sniff::decode_start(self.content_type.as_deref(), start);
            self.targets = Targets::of(&self.url, self.want.look, sniff::hints(&text));
        }
    }

    /// Whether a `Refresh` header leads to another page than this one.
    fn leaves(&self, status: u16, headers: &Headers) -> bool {
        let Some(target) = super::refreshes(status, headers) else {
            return false;
        };
        match Url::parse(&self.url).map(|url| (address::refresh(&url, target), url)) {
            Ok((Ok(target), url)) => !address::same_page(&target, &url),
            // An invalid one is an error, for which no body is needed.
            _ => true,
        }
    }

    /// What the state asks of the connection.
    fn flow(&self) -> Flow {
        // The last byte came: there is nothing to stop, and the connection can be used again.
        let whole = self.length == Some(self.arrived);
        match self.state {
            State::Over if !whole => Flow::Stop,
            State::Skip if self.arrived > SKIP => Flow::Stop,
            _ => Flow::Continue,
        }
    }
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
        self.length = headers
            .get("content-length")
            .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let moved = follow && super::redirects(status, headers);
        let moves = moved || follow && refresh && self.leaves(status, headers);
        if status >= 400 {
            // An error page leads nowhere, but may say which page it is.
            look.meta_refresh = false;
            look.js_relocation = false;
        }
        if look.is_any()
            && let Some(mimetype) = sniff::mimetype(headers.get("content-type"), "", b"")
            && !sniff::could_be_html(Some(&mimetype))
        {
            look = Look::default();
        }
        self.want.look = look;
        let looks = look.is_any();
        self.state = match self.want.body {
            _ if moves => State::Skip,
            true if looks => State::Look,
            true => State::Keep,
            false if looks => State::Look,
            false => State::Skip,
        };
        match self.state {
            State::Skip => {
                // Short, or of a redirection, whose body is: worth its connection.
                let short = self.length.map_or(moved, |length| length <= SKIP);
                if !short && !bodiless {
                    self.state = State::Over;
                    return Flow::Stop;
                }
            }
            _ => {
                let header = |name| headers.get(name).map(Into::into);
                self.codings = header("content-encoding").filter(|_| self.want.decode);
                self.content_type = header("content-type").filter(|_| looks);
            }
        }
        Flow::Continue
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.arrived += bytes.len() as u64;
        if matches!(self.state, State::Look | State::Keep)
            && let Err(failure) = self.take(bytes)
        {
            // A page that can't be read on leads nowhere: only its body is lost.
            self.state = State::Over;
            self.failure = Some(failure).filter(|_| self.want.body);
            return Flow::Stop;
        }
        self.flow()
    }
}

/// A body that is arriving.
struct Body {
    layers: Box<dyn Layer>,
    /// The outermost coding's name; empty: none.
    coding: String,
}

impl Body {
    /// A body under the codings of a `Content-Encoding` header (RFC 9110, section 8.4).
    fn new(codings: Option<&[u8]>, length: Option<u64>, limit: u64) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(codings.unwrap_or_default()).to_ascii_lowercase();
        let mut codings: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|coding| !matches!(*coding, "" | "identity"))
            .collect();
        // One we did not ask for and can't undo is the caller's: the body stays as it is.
        if codings.iter().any(|coding| !is_known(coding)) {
            codings.clear();
        }
        if codings.len() > LAYERS {
            return Err(Failure::new(
                ErrorCode::InvalidEncoding,
                format!("the body lies under {} codings: {text}", codings.len()),
            ));
        }
        let mut bytes = Vec::new();
        if let Some(length) = length.filter(|_| codings.is_empty()) {
            if length > limit {
                return Err(too_large(limit, &format!(": it says it has {length}")));
            }
            bytes.reserve_exact(length.min(RESERVE) as usize);
        }
        let mut layers: Box<dyn Layer> = Box::new(Kept { bytes, limit });
        // Named in the order they were applied: the innermost, applied first, is undone last.
        for coding in &codings {
            layers = layer(coding, layers).map_err(|error| {
                let message = format!("no memory for {coding}: {error}");
                Failure::new(ErrorCode::InternalError, message)
            })?;
        }
        Ok(Self {
            layers,
            coding: codings
                .last()
                .map_or_else(String::new, |coding| coding.to_string()),
        })
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.layers.write_all(bytes)
    }

    /// The bytes so far.
    fn bytes(&mut self) -> io::Result<&[u8]> {
        // The decoders hold some back.
        self.layers.flush()?;
        Ok(self.layers.bytes())
    }

    fn failure(&self, error: &io::Error, limit: u64) -> Failure {
        if error.kind() == io::ErrorKind::FileTooLarge {
            return too_large(limit, "");
        }
        let code = match self.coding.as_str() {
            "gzip" | "x-gzip" => ErrorCode::InvalidGzip,
            _ => ErrorCode::InvalidEncoding,
        };
        Failure::new(
            code,
            format!("the body is not valid {}: {error}", self.coding),
        )
    }

    fn finish(mut self, limit: u64) -> Result<Vec<u8>, Failure> {
        match self.layers.finish() {
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(self.failure(&error, limit)),
        }
    }
}

fn too_large(limit: u64, how: &str) -> Failure {
    Failure::new(
        ErrorCode::BodyTooLarge,
        format!("the body has more than max_body_size = {limit} bytes{how}"),
    )
}

/// A coding being undone, or the bytes at the end of it.
trait Layer: Write {
    /// Checks that what was written is whole, and gives the bytes at the end.
    fn finish(&mut self) -> io::Result<Vec<u8>>;
    /// The bytes that have reached the end.
    fn bytes(&mut self) -> &[u8];
}

fn is_known(coding: &str) -> bool {
    matches!(coding, "gzip" | "x-gzip" | "deflate" | "br" | "zstd")
}

fn layer(coding: &str, under: Box<dyn Layer>) -> io::Result<Box<dyn Layer>> {
    Ok(match coding {
        "br" => Box::new(Brotli {
            decoder: DecompressorWriter::new(under, 16 << 10),
        }),
        "zstd" => Box::new(Zstd {
            decoder: Writer::new(under, zstd::stream::raw::Decoder::new()?),
        }),
        "deflate" => Box::new(Deflate::Undecided(Some(under))),
        _ => Box::new(Gzip {
            decoder: MultiGzDecoder::new(under),
        }),
    })
}

/// The end of the layers: the bytes, as many as the limit allows.
struct Kept {
    bytes: Vec<u8>,
    limit: u64,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Layer for Kept {
    fn finish(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = std::mem::take(&mut self.bytes);
        // Grown by doubling, up to half of it may be empty.
        if bytes.capacity() - bytes.len() > bytes.len() / 4 + 4096 {
            bytes.shrink_to_fit();
        }
        Ok(bytes)
    }

    fn bytes(&mut self) -> &[u8] {
        &self.bytes
    }
}

/// A coding's layer: a decoder that writes to the layer under it.
macro_rules! coding {
    ($name:ident, $decoder:ty, $finish:ident, $under:ident) => {
        struct $name {
            decoder: $decoder,
        }

        impl Write for $name {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.decoder.write(bytes)
            }

            fn flush(&mut self) -> io::Result<()> {
                self.decoder.flush()
            }
        }

        impl Layer for $name {
            fn finish(&mut self) -> io::Result<Vec<u8>> {
                self.decoder.$finish()?;
                self.decoder.$under().finish()
            }

            fn bytes(&mut self) -> &[u8] {
                self.decoder.$under().bytes()
            }
        }
    };
}

type Under = Box<dyn Layer>;
type ZstdWriter = Writer<Under, zstd::stream::raw::Decoder<'static>>;

coding!(Gzip, MultiGzDecoder<Under>, try_finish, get_mut);
coding!(Brotli, DecompressorWriter<Under>, close, get_mut);
coding!(Zstd, ZstdWriter, finish, writer_mut);

/// "deflate" is zlib by its specification (RFC 9110, section 8.4.1.2) and bare deflate by some
/// servers. The first byte tells: zlib's has 8 in its low half and at most 7 in its high one.
enum Deflate {
    Undecided(Option<Box<dyn Layer>>),
    Zlib(ZlibDecoder<Box<dyn Layer>>),
    Bare(DeflateDecoder<Box<dyn Layer>>),
}

impl Write for Deflate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let (Self::Undecided(under), Some(first)) = (&mut *self, bytes.first()) {
            let under = under.take().expect("decided once");
            *self = match first & 0x0F == 8 && first >> 4 <= 7 {
                true => Self::Zlib(ZlibDecoder::new(under)),
                false => Self::Bare(DeflateDecoder::new(under)),
            };
        }
        match self {
            Self::Undecided(_) => Ok(0),
            Self::Zlib(decoder) => decoder.write(bytes),
            Self::Bare(decoder) => decoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Undecided(_) => Ok(()),
            Self::Zlib(decoder) => decoder.flush(),
            Self::Bare(decoder) => decoder.flush(),
        }
    }
}

impl Layer for Deflate {
    fn finish(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Undecided(under) => under.as_mut().expect("not decided").finish(),
            Self::Zlib(decoder) => {
                decoder.try_finish()?;
                decoder.get_mut().finish()
            }
            Self::Bare(decoder) => {
                decoder.try_finish()?;
                decoder.get_mut().finish()
            }
        }
    }
    fn bytes(&mut self) -> &[u8] {
        match self {
            Self::Undecided(under) => under.as_mut().expect("not decided").bytes(),
            Self::Zlib(decoder) => decoder.get_mut().bytes(),
            Self::Bare(decoder) => decoder.get_mut().bytes(),
        }
    }
}
