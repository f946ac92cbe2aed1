//! Taking in a body: its limit, and undoing its compression.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use zstd::stream::zio::Writer;

use crate::engine::{Flow, Receive};
use crate::error::{ErrorCode, Failure};
use crate::headers::Headers;

/// How much of a body nobody wants is read, so that its connection can be used again.
const SKIP: u64 = 64 << 10;
/// The most room made in advance because a header promised so much.
const RESERVE: u64 = 16 << 20;
/// How many codings may lie over each other; curl stops at five too.
const LAYERS: usize = 5;

/// Takes in the answer to a hop.
pub(crate) struct Reader {
    want: Want,
    /// Whether a redirection will be followed, so that its body is of no use.
    follow: bool,
    /// Whether codings are undone.
    decode: bool,
    limit: u64,
    /// What the head said of the body.
    length: Option<u64>,
    codings: Option<Box<[u8]>>,
    /// There from its first byte on: the head of an answer to HEAD promises what does not come.
    body: Option<Body>,
    failure: Option<Failure>,
    /// Bytes of an unwanted body so far.
    skipped: u64,
}

/// Whether the body is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Body,
    Nothing,
}

impl Reader {
    pub fn new(want: Want, follow: bool, decode: bool, limit: u64) -> Self {
        Self {
            want,
            follow,
            decode,
            limit,
            length: None,
            codings: None,
            body: None,
            failure: None,
            skipped: 0,
        }
    }

    /// The whole body, or why there is none.
    pub fn finish(self) -> Result<Vec<u8>, Failure> {
        match (self.failure, self.body) {
            (Some(failure), _) => Err(failure),
            (None, Some(body)) => body.finish(self.limit),
            (None, None) => Ok(Vec::new()),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let body = match &mut self.body {
            Some(body) => body,
            None => self
                .body
                .insert(Body::new(self.codings.as_deref(), self.length, self.limit)?),
        };
        body.push(bytes)
            .map_err(|error| body.failure(&error, self.limit))
    }
}

impl Receive for Reader {
    fn head(&mut self, status: u16, headers: &Headers) -> Flow {
        if self.follow && super::redirects(status, headers) {
            self.want = Want::Nothing;
        }
        if self.want == Want::Body {
            self.codings = match self.decode {
                true => headers.get("content-encoding").map(Into::into),
                false => None,
            };
            self.length = headers
                .get("content-length")
                .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        }
        Flow::Continue
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        if self.want == Want::Nothing {
            self.skipped += bytes.len() as u64;
            return match self.skipped <= SKIP {
                true => Flow::Continue,
                false => Flow::Stop,
            };
        }
        match self.take(bytes) {
            Ok(()) => Flow::Continue,
            Err(failure) => {
                self.failure = Some(failure);
                Flow::Stop
            }
        }
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
        Ok(())
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
}
