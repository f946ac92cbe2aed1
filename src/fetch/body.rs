//! A body that arrives: its limit, and undoing its compression.

use std::io::{self, Write};

use crate::error::{ErrorCode, Failure};
use coding::Coding;

mod coding;
mod inflate;

/// The most room made in advance because a header promised so much.
const RESERVE: u64 = 16 << 20;
/// How many codings may lie over each other; curl stops at five too.
const LAYERS: usize = 5;

/// A body that is arriving.
pub(super) struct Body {
    layers: Layers,
    /// The outermost coding's name; empty: none.
    coding: String,
}

enum Layers {
    None(Kept),
    Some(Box<dyn Layer>),
}

impl Layers {
    fn outermost(&mut self) -> &mut dyn Layer {
        match self {
            Self::None(kept) => kept,
            Self::Some(layers) => &mut **layers,
        }
    }
}

impl Body {
    /// A body under the codings of a `Content-Encoding` header (RFC 9110, section 8.4).
    pub fn new(codings: Option<&[u8]>, length: Option<u64>, limit: u64) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(codings.unwrap_or_default()).to_ascii_lowercase();
        let names: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|coding| !matches!(*coding, "" | "identity"))
            .collect();
        // One we did not ask for and can't undo is the caller's: the body stays as it is.
        let known: Option<Vec<Coding>> = names.iter().map(|name| Coding::of(name)).collect();
        let codings = known.unwrap_or_default();
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
        let kept = Kept::of(bytes, limit);
        let Some(outermost) = names.last().filter(|_| !codings.is_empty()) else {
            return Ok(Self {
                layers: Layers::None(kept),
                coding: String::new(),
            });
        };
        let mut layers: Box<dyn Layer> = Box::new(kept);
        // Named in the order they were applied: the innermost, applied first, is undone last.
        for coding in codings {
            layers = coding.undone_to(layers);
        }
        Ok(Self {
            layers: Layers::Some(layers),
            coding: outermost.to_string(),
        })
    }

    /// Takes in what arrived. Where there is a mistake in it, nothing of before is held back.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let layers = self.layers.outermost();
        layers.write_all(bytes).map_err(|mistake| {
            // That came before it, and may have been too much already.
            let too_large = layers.flush().err().filter(is_too_large);
            too_large.unwrap_or(mistake)
        })
    }

    /// The bytes so far, but for those that a coding holds back.
    pub fn kept(&mut self) -> &[u8] {
        self.layers.outermost().bytes()
    }

    /// The bytes so far.
    pub fn bytes(&mut self) -> io::Result<&[u8]> {
        // The decoders hold some back.
        self.layers.outermost().flush()?;
        Ok(self.layers.outermost().bytes())
    }

    pub fn failure(&self, error: &io::Error, limit: u64) -> Failure {
        if is_too_large(error) {
            return too_large(limit, "");
        }
        let code = match self.coding.as_str() {
            _ if error.kind() == io::ErrorKind::OutOfMemory => ErrorCode::InternalError,
            "gzip" | "x-gzip" => ErrorCode::InvalidGzip,
            _ => ErrorCode::InvalidEncoding,
        };
        Failure::new(
            code,
            format!("the body is not valid {}: {error}", self.coding),
        )
    }

    /// The bytes, and whether all of them were wrapped as the codings have it.
    pub fn finish(&mut self, limit: u64) -> Result<(Vec<u8>, bool), Failure> {
        let finished = self.layers.outermost().finish();
        finished.map_err(|error| self.failure(&error, limit))
    }
}

/// Whether there was more than the limit.
pub(super) fn is_too_large(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

fn too_large(limit: u64, how: &str) -> Failure {
    Failure::new(
        ErrorCode::BodyTooLarge,
        format!("the body has more than max_body_size = {limit} bytes{how}"),
    )
}

/// A coding being undone, or the bytes at the end of it.
trait Layer: Write {
    /// Checks that what was written is whole, and gives the bytes at the end, and whether their
    /// wrapping was as it should be.
    fn finish(&mut self) -> io::Result<(Vec<u8>, bool)>;
    /// The bytes that have reached the end.
    fn bytes(&mut self) -> &[u8];
}

type Under = Box<dyn Layer>;

/// The end of the layers: the bytes, as many as the limit allows.
struct Kept {
    bytes: Vec<u8>,
    limit: u64,
}

impl Kept {
    /// None yet; `bytes` has the room for the first.
    fn of(bytes: Vec<u8>, limit: u64) -> Self {
        Self { bytes, limit }
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (self.limit - self.bytes.len() as u64).min(bytes.len() as u64) as usize;
        self.bytes.extend_from_slice(&bytes[..room]);
        match room == bytes.len() {
            true => Ok(room),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Layer for Kept {
    fn finish(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let mut bytes = std::mem::take(&mut self.bytes);
        // Grown by doubling, up to half of it may be empty.
        if bytes.capacity() - bytes.len() > bytes.len() / 4 + 4096 {
            bytes.shrink_to_fit();
        }
        Ok((bytes, true))
    }

    fn bytes(&mut self) -> &[u8] {
        &self.bytes
    }
}
