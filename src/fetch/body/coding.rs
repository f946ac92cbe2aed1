//! The codings of RFC 9110, section 8.4.1, and those registered since: which a body is really in, and
//! their decoders.

use std::io::{self, Write};

use brotli_decompressor::BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW;
use brotli_decompressor::writer::DecompressorWriterCustomAlloc;
use zstd::stream::raw::{DParameter, Decoder};
use zstd::stream::zio::Writer;

use super::fallible::{Cell, Fallible};
use super::inflate::{Inflate, Wrapping};
use super::{Kept, Layer, Under, is_too_large};

/// The largest window of zstd: 8 MiB (RFC 9659). A frame may ask for 128 MiB of memory otherwise.
const ZSTD_WINDOW_LOG: u32 = 23;
/// The checksum that a frame of zstd may end in (RFC 8878, section 3.1.1).
const ZSTD_CHECKSUM: usize = 4;
/// How much text is held against a coding that has no magic number.
const START: usize = 512;
/// And to how much that may unfold.
const UNFOLDED: u64 = 64 << 10;

/// A coding that can be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// By its name in lower case.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// A layer that undoes it, and writes to the one under it.
    pub fn undone_to(self, under: Under) -> Under {
        Box::new(Claim {
            coding: self,
            plain: false,
            state: State::Open(Vec::new(), Some(under)),
        })
    }

    /// Whether bytes that start like this are in the coding. `None`: more are needed to tell.
    fn is_of(self, start: &[u8], is_end: bool) -> Option<bool> {
        /// Whether what came fits, and whether it is all of it.
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
                // A frame to be skipped (RFC 8878, section 3.1.2).
                [first @ 0x50..=0x5F, ..] => by_magic(begins(start, &[*first, 0x2A, 0x4D, 0x18])),
                _ => by_magic(begins(start, &[0x28, 0xB5, 0x2F, 0xFD])),
            },
            // What is compressed has bytes that no text has; what has none is tried.
            Self::Deflate | Self::Brotli if !is_text(start) => {
                (start.len() > 1 || is_end).then_some(true)
            }
            Self::Deflate | Self::Brotli if start.len() < START && !is_end => None,
            Self::Deflate | Self::Brotli => Some(self.takes(start, is_end)),
        }
    }

    /// Whether the decoder finds no mistake.
    fn takes(self, start: &[u8], is_end: bool) -> bool {
        let kept = Kept::of(Vec::new(), UNFOLDED);
        let Ok(mut decoder) = self.decoder(start, Box::new(kept)) else {
            return true;
        };
        let outcome = decoder.write_all(start).and_then(|()| match is_end {
            true => decoder.finish().map(drop),
            false => Ok(()),
        });
        outcome.as_ref().err().is_none_or(is_too_large)
    }

    /// `start`: what will be written first.
    fn decoder(self, start: &[u8], under: Under) -> io::Result<Under> {
        Ok(match self {
            Self::Gzip => Box::new(Inflate::new(Wrapping::Gzip, under)),
            Self::Deflate => Box::new(Inflate::new(Wrapping::of_deflate(start), under)),
            Self::Brotli => {
                let memory = Fallible::default();
                let parts = || memory.clone();
                let buffer = parts().cell(16 << 10)?;
                let mut decoder =
                    DecompressorWriterCustomAlloc::new(under, buffer, parts(), parts(), parts());
                // Larger ones than RFC 7932 has, of up to 1 GiB.
                decoder.set_parameter(BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
                Box::new(Brotli { decoder, memory })
            }
            Self::Zstd => {
                let no_memory = |error| io::Error::new(io::ErrorKind::OutOfMemory, error);
                let mut decoder = Decoder::new().map_err(no_memory)?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
                Box::new(Zstd {
                    decoder: Writer::new(under, decoder),
                })
            }
        })
    }
}

/// Whether bytes may be the start of text: there is no "binary data byte" of the MIME Sniffing
/// Standard among them, nor a DEL; or they have the mark of UTF-16.
fn is_text(start: &[u8]) -> bool {
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F);
    start.starts_with(&[0xFE, 0xFF])
        || start.starts_with(&[0xFF, 0xFE])
        || !start.iter().any(is_binary)
}

/// A coding that is said to be there. Where the first bytes are none of it they go on as they are:
/// servers say gzip of what they left plain.
struct Claim {
    coding: Coding,
    plain: bool,
    state: State,
}

enum State {
    /// The bytes so far, and what is under the decoder to be.
    Open(Vec<u8>, Option<Under>),
    Settled(Under),
}

impl Claim {
    /// Takes in bytes until it is clear what they are. `is_end`: no more come.
    fn settle(&mut self, bytes: &[u8], is_end: bool) -> io::Result<()> {
        let State::Open(start, under) = &mut self.state else {
            return Ok(());
        };
        start.extend_from_slice(bytes);
        let Some(is_coded) = self.coding.is_of(start, is_end) else {
            return Ok(());
        };
        let (start, under) = (std::mem::take(start), under.take().expect("settled once"));
        self.plain = !is_coded;
        let mut settled = match is_coded {
            true => self.coding.decoder(&start, under)?,
            false => under,
        };
        let outcome = settled.write_all(&start);
        self.state = State::Settled(settled);
        outcome
    }

    fn layer(&mut self) -> Option<&mut Under> {
        match &mut self.state {
            State::Settled(layer) => Some(layer),
            State::Open(_, under) => under.as_mut(),
        }
    }
}

impl Write for Claim {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Settled(layer) => layer.write(bytes),
            State::Open(..) => self.settle(bytes, false).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.layer().map_or(Ok(()), |layer| layer.flush())
    }
}

impl Layer for Claim {
    fn finish(&mut self) -> io::Result<(Vec<u8>, bool)> {
        if let State::Open(start, Some(under)) = &mut self.state
            && start.is_empty()
        {
            // Nothing is in any coding.
            return under.finish();
        }
        self.settle(&[], true)?;
        let plain = self.plain;
        let layer = self.layer().ok_or(io::ErrorKind::OutOfMemory)?;
        layer
            .finish()
            .map(|(bytes, whole)| (bytes, whole && !plain))
    }

    fn bytes(&mut self) -> &[u8] {
        self.layer().map_or(&[], |layer| layer.bytes())
    }
}

struct Brotli {
    decoder: DecompressorWriterCustomAlloc<Under, Cell, Fallible, Fallible, Fallible>,
    memory: Fallible,
}

impl Brotli {
    /// What a mistake is: there may have been no memory.
    fn why(&self, mistake: io::Error) -> io::Error {
        match self.memory.failed() {
            true => io::ErrorKind::OutOfMemory.into(),
            false => mistake,
        }
    }
}

impl Write for Brotli {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.decoder.write(bytes).map_err(|error| self.why(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.decoder.flush()
    }
}

impl Layer for Brotli {
    fn finish(&mut self) -> io::Result<(Vec<u8>, bool)> {
        self.decoder.close().map_err(|error| self.why(error))?;
        self.decoder.get_mut().finish()
    }

    fn bytes(&mut self) -> &[u8] {
        self.decoder.get_mut().bytes()
    }
}

struct Zstd {
    decoder: Writer<Under, Decoder<'static>>,
}

impl Write for Zstd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.decoder.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.decoder.flush()
    }
}

impl Layer for Zstd {
    fn finish(&mut self) -> io::Result<(Vec<u8>, bool)> {
        // What the decoder holds back is not to be lost with what may be missing.
        let outcome = self.decoder.flush().and_then(|()| self.decoder.finish());
        let whole = outcome.is_ok();
        if let Err(mistake) = outcome {
            // Where nothing but the checksum is missing, any other is a wrong one.
            let lacks_checksum = mistake.kind() == io::ErrorKind::UnexpectedEof
                && (0..ZSTD_CHECKSUM)
                    .find_map(|_| self.decoder.write(&[0]).err())
                    .is_some_and(|error| is_of_checksum(&error));
            if !lacks_checksum {
                return Err(mistake);
            }
        }
        let finished = self.decoder.writer_mut().finish();
        finished.map(|(bytes, under)| (bytes, under && whole))
    }

    fn bytes(&mut self) -> &[u8] {
        self.decoder.writer_mut().bytes()
    }
}

/// Whether all that is wrong with a frame of zstd is its checksum; it has words for it only.
fn is_of_checksum(error: &io::Error) -> bool {
    error.to_string().contains("match checksum")
}
