//! The codings of RFC 9110, section 8.4.1, and those registered since: which one a body is really in,
//! and their decoders.

use std::io;

use brotli_decompressor::BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW;
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState};
use zstd::stream::raw::{self, DParameter, Operation};
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode::{
    self, ZSTD_error_checksum_wrong, ZSTD_error_memory_allocation,
};

use super::aside::Aside;
use super::decoder::{Decoder, Step, breaks_off};
use super::fallible::Fallible;
use super::inflate::{Inflate, Wrapping};

/// The largest window of zstd: 8 MiB (RFC 9659). Without a limit, a frame may demand 128 MiB of memory.
const ZSTD_WINDOW_LOG: u32 = 23;
/// The largest window of brotli that is filled on the shard's thread: 512 KiB, nginx's default. The
/// decoder can't be stopped before the window is full, and a few bytes can say to fill it two bytes at
/// a time: 4 MiB took 33 to 52 ms.
const BROTLI_WINDOW_LOG: u8 = 19;
/// How much brotli's decoder makes at once on a thread of its own.
const ASIDE: usize = 256 << 10;
/// The checksum at the end of a zstd frame (RFC 8878, section 3.1.1).
const ZSTD_CHECKSUM: usize = 4;
/// The number of bytes of text that are tried with a coding without a magic number.
pub(super) const START: usize = 512;
/// How much that text may unfold to.
const UNFOLDED: usize = 64 << 10;

/// A coding that can be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding of that name, in lower case.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// Whether bytes that start like this are in the coding. `None`: more are needed to tell.
    pub fn is_of(self, start: &[u8], is_end: bool) -> Option<bool> {
        /// Whether what came fits, and whether it is complete.
        fn begins(start: &[u8], magic: &[u8]) -> (bool, bool) {
            let count = start.len().min(magic.len());
            (start[..count] == magic[..count], count == magic.len())
        }
        let by_magic = |(fits, whole): (bool, bool)| match fits {
            true if !whole && !is_end => None,
            fits => Some(fits),
        };
        match self {
            Self::Gzip => by_magic(begins(start, &[0x1F, 0x8B])),
            Self::Zstd => match start {
                // A frame to skip (RFC 8878, section 3.1.2).
                [first @ 0x50..=0x5F, ..] => by_magic(begins(start, &[*first, 0x2A, 0x4D, 0x18])),
                _ => by_magic(begins(start, &[0x28, 0xB5, 0x2F, 0xFD])),
            },
            // Compressed data has bytes that no text has. Data without them is tried.
            Self::Deflate | Self::Brotli if !is_text(start) => {
                (start.len() > 1 || is_end).then_some(true)
            }
            Self::Deflate | Self::Brotli if start.len() < START && !is_end => None,
            Self::Deflate | Self::Brotli => Some(self.takes(start, is_end)),
        }
    }

    /// Whether the decoder finds no mistake.
    fn takes(self, start: &[u8], is_end: bool) -> bool {
        let mut start = start.to_vec();
        if self == Self::Brotli {
            shrink_window(&mut start);
        }
        let Ok(mut decoder) = self.decoder(&start) else {
            return true;
        };
        let mut room = vec![0; UNFOLDED / 4];
        let (mut left, mut all) = (&start[..], 0);
        loop {
            let Step {
                taken,
                made,
                outcome,
            } = decoder.step(left, &mut room);
            left = &left[taken..];
            all += made;
            if all > UNFOLDED {
                return true;
            }
            match outcome {
                Ok(false) if left.is_empty() => return !is_end || decoder.end().is_ok(),
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// Makes the decoder. `start`: the first bytes of what it will be given.
    pub fn decoder(self, start: &[u8]) -> io::Result<Box<dyn Decoder>> {
        Ok(match self {
            Self::Gzip => Box::new(Inflate::new(Wrapping::Gzip)),
            Self::Deflate => Box::new(Inflate::new(Wrapping::of_deflate(start))),
            // Such a window may be slow to fill.
            Self::Brotli if window_log(start) > BROTLI_WINDOW_LOG => {
                Box::new(Aside::new(ASIDE, Brotli::new)?)
            }
            Self::Brotli => Box::new(Brotli::new()),
            Self::Zstd => Box::new(Zstd::new()?),
        })
    }
}

/// Whether bytes may be the start of text: none is a "binary data byte" of the MIME Sniffing Standard
/// or a DEL, or they have the mark of UTF-16.
fn is_text(start: &[u8]) -> bool {
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F);
    start.starts_with(&[0xFE, 0xFF])
        || start.starts_with(&[0xFF, 0xFE])
        || !start.iter().any(is_binary)
}

/// The window of a brotli stream has 2 to the power of this bytes, by its first bits (RFC 7932, section
/// 9.1). Windows below 2^18 bytes are all taken for 2^16.
fn window_log(start: &[u8]) -> u8 {
    match start.first() {
        Some(first) if first & 1 == 1 => 17 + (first >> 1 & 7),
        _ => 16,
    }
}

/// Makes the window of a brotli stream 256 KiB, if it is larger. No copy in the first 256 KiB notices
/// that.
fn shrink_window(start: &mut [u8]) {
    if window_log(start) > 18 {
        start[0] = start[0] & !0xF | 0b0011;
    }
}

struct Brotli {
    state: BrotliState<Fallible, Fallible, Fallible>,
    memory: Fallible,
    is_over: bool,
}

impl Brotli {
    fn new() -> Self {
        let memory = Fallible::default();
        let mut state = BrotliState::new(memory.clone(), memory.clone(), memory.clone());
        // This refuses windows beyond RFC 7932, of up to 1 GiB.
        state.set_parameter(BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
        Self {
            state,
            memory,
            is_over: false,
        }
    }
}

impl Decoder for Brotli {
    fn step(&mut self, from: &[u8], to: &mut [u8]) -> Step {
        let (mut left, mut taken) = (from.len(), 0);
        let (mut room, mut made) = (to.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut taken,
            from,
            &mut room,
            &mut made,
            to,
            &mut 0,
            &mut self.state,
        );
        self.is_over = matches!(result, BrotliResult::ResultSuccess);
        let invalid = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
        let outcome = match result {
            BrotliResult::ResultFailure if self.memory.failed() => {
                Err(io::ErrorKind::OutOfMemory.into())
            }
            BrotliResult::ResultFailure => invalid("corrupt data"),
            BrotliResult::ResultSuccess if left > 0 => invalid("something is behind its end"),
            BrotliResult::NeedsMoreOutput => Ok(true),
            _ => Ok(false),
        };
        Step::of(taken, made, outcome)
    }

    fn end(&mut self) -> io::Result<bool> {
        match self.is_over {
            true => Ok(true),
            false => Err(breaks_off()),
        }
    }
}

struct Zstd {
    decoder: raw::Decoder<'static>,
    /// The last frame is over.
    is_over: bool,
    /// What was made of a block may not have been given out yet.
    holds: bool,
}

impl Zstd {
    fn new() -> io::Result<Self> {
        let no_memory = |error| io::Error::new(io::ErrorKind::OutOfMemory, error);
        let mut decoder = raw::Decoder::new().map_err(no_memory)?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
        Ok(Self {
            decoder,
            is_over: false,
            holds: false,
        })
    }

    /// Takes bytes up to the end of a block without giving out their content: on a mistake in the next
    /// block, the decoder would not say how much it gave.
    fn take(&mut self, from: &[u8]) -> io::Result<usize> {
        if self.is_over {
            self.decoder.reinit()?;
        }
        let status = self
            .decoder
            .run_on_buffers(from, &mut [])
            .map_err(of_zstd)?;
        self.is_over = status.remaining == 0;
        self.holds = !self.is_over;
        Ok(status.bytes_read)
    }

    fn give(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let status = self.decoder.run_on_buffers(&[], to).map_err(of_zstd)?;
        self.is_over = status.remaining == 0;
        self.holds = status.bytes_written == to.len();
        Ok(status.bytes_written)
    }
}

impl Decoder for Zstd {
    fn step(&mut self, from: &[u8], to: &mut [u8]) -> Step {
        let (mut taken, mut made) = (0, 0);
        let mut step = || {
            if !self.holds && !from.is_empty() {
                taken = self.take(from)?;
            }
            if self.holds {
                made = self.give(to)?;
            }
            Ok(self.holds)
        };
        let outcome = step();
        Step::of(taken, made, outcome)
    }

    fn end(&mut self) -> io::Result<bool> {
        if self.is_over {
            return Ok(true);
        }
        // If only the checksum is missing, any other checksum is wrong.
        let lacks_checksum = (0..ZSTD_CHECKSUM)
            .find_map(|_| self.take(&[0]).err())
            .is_some_and(|error| is(&error, ZSTD_error_checksum_wrong));
        match lacks_checksum {
            true => Ok(false),
            false => Err(breaks_off()),
        }
    }
}

/// Whether an error is zstd's of that kind.
fn is(error: &io::Error, kind: ZSTD_ErrorCode) -> bool {
    let error = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<zstd::Error>());
    error.is_some_and(|error| error.is(kind))
}

/// An error of zstd's, in our own words where no memory was left for the window.
fn of_zstd(error: io::Error) -> io::Error {
    match is(&error, ZSTD_error_memory_allocation) {
        true => io::ErrorKind::OutOfMemory.into(),
        false => error,
    }
}
