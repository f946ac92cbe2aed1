//! Takes in an arriving body: checks its limit and undoes its compression.

use std::io;

use memmap2::MmapMut;

use crate::error::{ErrorCode, Failure};
use aside::NO_THREAD;
use coding::Coding;
use layer::{Layer, ROOM};

mod aside;
mod coding;
mod decoder;
mod fallible;
mod inflate;
mod layer;
#[cfg(test)]
mod steps;

/// The most room that is made in advance because a header promised so much.
const RESERVE: u64 = 16 << 20;
/// A body is in one piece up to this size, unless a header promised more; further bytes go into
/// separate pieces.
const FIRST: usize = 1 << 20;
/// The largest such piece.
const PIECE: usize = 16 << 20;
/// How many codings may lie over each other; curl stops at five too.
const LAYERS: usize = 5;

/// A body that is arriving.
///
/// In each coding a few bytes may unfold to a thousand times as many. The body is therefore unfolded in
/// steps: in each, one coding undoes a little, and the caller may do other work in between.
pub(super) struct Body {
    /// The layers, outermost first. Each takes what the one before it made.
    layers: Vec<Layer>,
    kept: Kept,
    /// The outermost coding's name; empty if there is none.
    coding: String,
}

impl Body {
    /// A body under the codings of a `Content-Encoding` header (RFC 9110, section 8.4).
    pub fn new(codings: Option<&[u8]>, length: Option<u64>, limit: u64) -> Result<Self, Failure> {
        Self::with_room(codings, length, limit, ROOM)
    }

    /// Makes a body whose steps make at most that much.
    fn with_room(
        codings: Option<&[u8]>,
        length: Option<u64>,
        limit: u64,
        room: usize,
    ) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(codings.unwrap_or_default()).to_ascii_lowercase();
        let mut names = text.split(',').map(str::trim);
        // A coding that we did not ask for and can't undo is the caller's: the body stays as it is.
        let known: Option<Vec<Coding>> = names.clone().map(Coding::of).collect();
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
            // If this fails, the body grows with what comes, or a later step reports that no memory is
            // left.
            let _ = bytes.try_reserve_exact(length.min(RESERVE) as usize);
        }
        let layer = |coding| Layer::new(coding, room);
        let outermost = names.next_back().filter(|_| !codings.is_empty());
        Ok(Self {
            coding: outermost.unwrap_or_default().to_owned(),
            // Codings are named in the order in which they were applied: the innermost, applied first,
            // is undone last.
            layers: codings.into_iter().rev().map(layer).collect(),
            kept: Kept::of(bytes, limit),
        })
    }

    /// Takes some of what arrived, from the front. True: there is more to do before anything else is
    /// taken, if only with what was taken already.
    ///
    /// On a mistake, everything before it is still delivered.
    pub fn take(&mut self, bytes: &mut &[u8]) -> io::Result<bool> {
        if self.layers.is_empty() {
            self.kept.take(std::mem::take(bytes))?;
            return Ok(false);
        }
        self.work(bytes, false)
    }

    /// Does some of the work left after the last byte. True: there is more.
    pub fn end(&mut self) -> io::Result<bool> {
        self.work(&mut &[][..], true)
    }

    /// Lets one layer take a step. `is_end`: nothing comes behind the bytes.
    fn work(&mut self, bytes: &mut &[u8], is_end: bool) -> io::Result<bool> {
        if let Some(at) = self.next(bytes, is_end) {
            let (before, rest) = self.layers.split_at_mut(at);
            let (layer, behind) = rest.split_first_mut().expect("one of them");
            match before.last_mut() {
                Some(above) => {
                    let ends = above.has_ended();
                    let taken = layer.step(above.made(), ends);
                    above.use_up(taken);
                }
                None => {
                    let taken = layer.step(bytes, is_end);
                    *bytes = &bytes[taken..];
                }
            }
            if behind.is_empty() {
                let made = layer.made();
                self.kept.take(made)?;
                layer.use_up(layer.made().len());
            }
        }
        if self.next(bytes, is_end).is_some() {
            return Ok(true);
        }
        // The innermost layer's mistake comes first in what was sent.
        let mistakes = self.layers.iter_mut().rev().find_map(Layer::mistake);
        mistakes.map_or(Ok(false), Err)
    }

    /// The layer whose turn it is. The innermost go first, which uses up what was made before more is
    /// made.
    fn next(&self, bytes: &[u8], is_end: bool) -> Option<usize> {
        (0..self.layers.len()).rev().find(|&at| {
            let (from, ends) = match at.checked_sub(1).map(|above| &self.layers[above]) {
                Some(above) => (above.made(), above.has_ended()),
                None => (bytes, is_end),
            };
            self.layers[at].can_go_on(!from.is_empty() || ends)
        })
    }

    /// The bytes so far.
    pub fn kept(&mut self) -> &[u8] {
        // If no memory is left for one piece, the first bytes must do.
        let _ = self.kept.join();
        &self.kept.bytes
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
        if error.kind() == NO_THREAD {
            return Failure::new(
                ErrorCode::InternalError,
                format!(
                    "no thread, or memory for one, is left to undo {}: lower max_workers",
                    self.coding
                ),
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

    /// The bytes, and whether all codings ended as they should, once nothing is left to do.
    pub fn finish(mut self, limit: u64) -> Result<(Vec<u8>, bool), Failure> {
        let joined = self.kept.join();
        joined.map_err(|error| self.failure(&error, limit))?;
        let whole = self.layers.iter().all(Layer::is_whole);
        Ok((self.kept.into_fitting(), whole))
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

/// The end of the layers: the bytes, up to the limit.
struct Kept {
    /// The first of them.
    bytes: Vec<u8>,
    /// The other bytes, in pieces: a large body in one piece would exist nearly twice at each move. The
    /// memory of pieces returns to the system at once.
    more: Vec<Piece>,
    /// The number of bytes.
    length: u64,
    limit: u64,
}

struct Piece {
    memory: MmapMut,
    length: usize,
}

impl Kept {
    /// Holds nothing yet; `bytes` has the room for the first.
    fn of(bytes: Vec<u8>, limit: u64) -> Self {
        Self {
            bytes,
            more: Vec::new(),
            length: 0,
            limit,
        }
    }

    /// Takes as many bytes as the limit allows. An error: there were more, or no memory is left.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = (self.limit - self.length).min(bytes.len() as u64) as usize;
        self.append(&bytes[..room])?;
        match room == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    /// Takes all the bytes, or fails for lack of memory.
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

    /// Joins the bytes into one piece, which takes the memory of a second one only for moments.
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

    /// The first bytes, which are all of them after `join`, in no more memory than they need.
    fn into_fitting(self) -> Vec<u8> {
        let bytes = self.bytes;
        // After growth by doubling, up to half of it may be empty.
        if bytes.capacity() - bytes.len() <= bytes.len() / 4 + 4096 {
            return bytes;
        }
        let mut fitting = Vec::new();
        match fitting.try_reserve_exact(bytes.len()) {
            Ok(()) => fitting.extend_from_slice(&bytes),
            Err(_) => return bytes,
        }
        fitting
    }
}

fn no_memory<E>(_: E) -> io::Error {
    io::ErrorKind::OutOfMemory.into()
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
                for mut piece in bytes.chunks(size) {
                    assert!(!body.take(&mut piece).expect("memory"));
                    if look && size > 100_000 {
                        body.kept();
                    }
                }
                assert!(body.kept() == bytes, "{size}");
                let more = body.take(&mut &b"x"[..]).expect_err("it is full");
                assert!(is_too_large(&more));
                assert!(body.finish(limit).expect("a body").0 == bytes, "{size}");
            }
        }
    }

    #[test]
    fn a_body_is_as_large_as_its_limit_and_no_larger() {
        for limit in [1, FIRST - 1, FIRST, FIRST + 1, 2 * FIRST, 2 * FIRST + 1] {
            let mut body = Body::new(None, None, limit as u64).expect("a body");
            let bytes = vec![b'x'; limit + 1];
            let error = body.take(&mut &bytes[..]).expect_err("one more");
            assert!(is_too_large(&error));
            assert_eq!(body.kept().len(), limit);
        }
    }
}
