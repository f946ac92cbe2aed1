//! A body that arrives: its limit, and undoing its compression.

use std::io::{self, Write};

use memmap2::MmapMut;

use crate::error::{ErrorCode, Failure};
use coding::Coding;

mod coding;
mod fallible;
mod inflate;

/// The most room made in advance because a header promised so much.
const RESERVE: u64 = 16 << 20;
/// A body is in one piece up to here, unless a header promised more, and in pieces of its own behind.
const FIRST: usize = 1 << 20;
/// The largest of those.
const PIECE: usize = 16 << 20;
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
            // Without it the body grows with what comes, or says then that there is no memory.
            let _ = bytes.try_reserve_exact(length.min(RESERVE) as usize);
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
        if error.kind() == io::ErrorKind::OutOfMemory {
            return Failure::new(
                ErrorCode::InternalError,
                "no memory is left for the body: lower max_body_size or max_workers",
            );
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
    /// The first of them.
    bytes: Vec<u8>,
    /// The others: grown in one piece, a large body would be there nearly twice each time that it is
    /// moved. They go back to the system at once.
    more: Vec<Piece>,
    /// How many there are.
    length: u64,
    limit: u64,
}

struct Piece {
    memory: MmapMut,
    length: usize,
}

impl Kept {
    /// None yet; `bytes` has the room for the first.
    fn of(bytes: Vec<u8>, limit: u64) -> Self {
        Self {
            bytes,
            more: Vec::new(),
            length: 0,
            limit,
        }
    }

    /// Takes them all in, or fails for want of memory.
    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        if self.more.is_empty() {
            let room = self.bytes.capacity().max(FIRST) - self.bytes.len();
            let first;
            (first, bytes) = bytes.split_at(room.min(bytes.len()));
            self.bytes.try_reserve(first.len()).map_err(no_memory)?;
            self.bytes.extend_from_slice(first);
        }
        while !bytes.is_empty() {
            let full = |piece: &Piece| piece.length == piece.memory.len();
            if self.more.last().is_none_or(full) {
                let size = (self.length / 8).clamp(FIRST as u64, PIECE as u64);
                self.more.try_reserve(1).map_err(no_memory)?;
                self.more.push(Piece {
                    memory: MmapMut::map_anon(size as usize).map_err(no_memory)?,
                    length: 0,
                });
            }
            let piece = self.more.last_mut().expect("made above");
            let room = &mut piece.memory[piece.length..];
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            piece.length += count;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Puts them into one piece, which takes the memory of another but for moments.
    fn join(&mut self) -> io::Result<()> {
        if self.more.is_empty() {
            return Ok(());
        }
        let mut all = Vec::new();
        all.try_reserve_exact(self.length as usize)
            .map_err(no_memory)?;
        all.append(&mut std::mem::take(&mut self.bytes));
        for piece in self.more.drain(..) {
            all.extend_from_slice(&piece.memory[..piece.length]);
        }
        self.bytes = all;
        Ok(())
    }
}

fn no_memory<E>(_: E) -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (self.limit - self.length).min(bytes.len() as u64) as usize;
        self.append(&bytes[..room])?;
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
        self.join()?;
        let bytes = std::mem::take(&mut self.bytes);
        // Grown by doubling, up to half of it may be empty.
        if bytes.capacity() - bytes.len() <= bytes.len() / 4 + 4096 {
            return Ok((bytes, true));
        }
        let mut fitting = Vec::new();
        match fitting.try_reserve_exact(bytes.len()) {
            Ok(()) => fitting.extend_from_slice(&bytes),
            Err(_) => return Ok((bytes, true)),
        }
        Ok((fitting, true))
    }

    fn bytes(&mut self) -> &[u8] {
        // Without memory for all in one piece the first have to do.
        let _ = self.join();
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_is_what_came_in_whatever_pieces() {
        let bytes: Vec<u8> = (0..(5 << 20) + 123_u32)
            .map(|at| (at % 251) as u8)
            .collect();
        for (promised, size) in [
            (None, 16 << 10),
            (None, 1 << 20),
            (None, usize::MAX),
            (Some(bytes.len() as u64), 100_003),
            (Some(10), 100_003),
        ] {
            for look in [false, true] {
                let limit = bytes.len() as u64;
                let mut body = Body::new(None, promised, limit).expect("a body");
                for piece in bytes.chunks(size) {
                    body.push(piece).expect("memory");
                    if look && size > 100_000 {
                        body.kept();
                    }
                }
                assert!(body.bytes().expect("bytes") == bytes, "{size}");
                let more = body.push(b"x").expect_err("it is full");
                assert!(is_too_large(&more));
                assert!(body.finish(limit).expect("a body").0 == bytes, "{size}");
            }
        }
    }

    #[test]
    fn a_body_is_as_large_as_its_limit_and_no_larger() {
        for limit in [1, FIRST - 1, FIRST, FIRST + 1, 2 * FIRST, 2 * FIRST + 1] {
            let mut body = Body::new(None, None, limit as u64).expect("a body");
            let error = body.push(&vec![b'x'; limit + 1]).expect_err("one more");
            assert!(is_too_large(&error));
            assert_eq!(body.kept().len(), limit);
        }
    }
}
