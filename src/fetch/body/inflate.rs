//! Data compressed with deflate (RFC 1951): gzip, zlib, and what servers call deflate.
//!
//! flate2's decoders refuse data with a missing or wrong trailer, and do not say whether that is the
//! only fault. The wrapping is therefore read here.

use std::io;

use adler2::Adler32;
use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::decoder::{Decoder, Step, breaks_off};

/// The furthest that deflate looks back.
pub(super) const WINDOW: usize = 32 << 10;

// The flags of gzip (RFC 1952, section 2.3.1).
const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xE0;

/// What is around the compressed bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// Members, one behind the other (RFC 1952, section 2.2). Anything behind them that does not start
    /// a member, such as zeros that fill a block, is passed over, as by gzip and browsers.
    Gzip,
    /// RFC 1950.
    Zlib,
    None,
}

impl Wrapping {
    /// "deflate" is zlib by its specification (RFC 9110, section 8.4.1.2) and bare deflate from some
    /// servers. The first two bytes tell: see RFC 1950, section 2.2.
    pub fn of_deflate(start: &[u8]) -> Self {
        match start {
            [first, second, ..]
                if first & 0x0F == 8
                    && first >> 4 <= 7
                    && u16::from_be_bytes([*first, *second]) % 31 == 0 =>
            {
                Self::Zlib
            }
            _ => Self::None,
        }
    }
}

/// Undoes deflate.
pub(super) struct Inflate {
    wrapping: Wrapping,
    stage: Stage,
    decoder: Decompress,
    check: Check,
    /// Each trailer was there and right, as far as that matters.
    whole: bool,
}

/// What is being read.
enum Stage {
    /// A header's bytes so far.
    Header(Header),
    Data,
    /// A trailer's bytes so far.
    Trailer(Vec<u8>),
    /// Perhaps another member, whose first byte may have come.
    Between(Option<u8>),
    /// Bytes that do not count.
    Over,
}

/// What the trailer is compared with.
enum Check {
    Crc(Crc),
    Adler(Adler32),
    None,
}

impl Check {
    fn of(wrapping: Wrapping) -> Self {
        match wrapping {
            Wrapping::Gzip => Self::Crc(Crc::new()),
            Wrapping::Zlib => Self::Adler(Adler32::new()),
            Wrapping::None => Self::None,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(crc) => crc.update(bytes),
            Self::Adler(adler) => adler.write_slice(bytes),
            Self::None => {}
        }
    }

    /// The length of the trailer.
    fn len(&self) -> usize {
        match self {
            Self::Crc(_) => 8,
            Self::Adler(_) => 4,
            Self::None => 0,
        }
    }

    /// Whether the trailer is right. An error: it shows that the data is wrong.
    fn is_right(&self, trailer: &[u8]) -> io::Result<bool> {
        let wrong = || Err(corrupt("the checksum behind the data is another one's"));
        match (self, trailer.as_chunks().0) {
            (Self::Crc(crc), [sum, size]) => {
                let (sum, size) = (u32::from_le_bytes(*sum), u32::from_le_bytes(*size));
                // Corrupt data usually has another length, but a similar one. A corrupt trailer states
                // any length.
                let off = size.abs_diff(crc.amount());
                match (sum == crc.sum(), off) {
                    (false, 1..) if off <= crc.amount() / 2 => wrong(),
                    (is_right, off) => Ok(is_right && off == 0),
                }
            }
            // Nothing tells corrupt data from a corrupt trailer.
            (Self::Adler(adler), [sum]) => match u32::from_be_bytes(*sum) == adler.checksum() {
                true => Ok(true),
                false => wrong(),
            },
            _ => Ok(true),
        }
    }
}

impl Inflate {
    pub fn new(wrapping: Wrapping) -> Self {
        Self {
            wrapping,
            stage: match wrapping {
                Wrapping::None => Stage::Data,
                _ => Stage::Header(Header::default()),
            },
            decoder: Decompress::new(false),
            check: Check::of(wrapping),
            whole: true,
        }
    }

    /// Takes some of the data.
    fn inflate(&mut self, from: &[u8], to: &mut [u8]) -> Step {
        let before = (self.decoder.total_in(), self.decoder.total_out());
        // The decoder works up to the end of its window. On a mistake there it withholds what it had no
        // room for; it is therefore given room up to that end.
        let most = WINDOW - before.1 as usize % WINDOW;
        let most = most.min(to.len());
        let to = &mut to[..most];
        let status = self.decoder.decompress(from, to, FlushDecompress::None);
        let taken = (self.decoder.total_in() - before.0) as usize;
        let made = (self.decoder.total_out() - before.1) as usize;
        self.check.update(&to[..made]);
        let outcome = match status {
            Ok(Status::StreamEnd) => {
                self.stage = Stage::Trailer(Vec::new());
                self.end_trailer().map(|()| false)
            }
            // It lacks neither bytes nor room.
            Ok(_) if taken + made == 0 && !from.is_empty() => Err(corrupt(DATA)),
            Ok(_) => Ok(made == to.len()),
            Err(_) => Err(corrupt(DATA)),
        };
        Step::of(taken, made, outcome)
    }

    /// Continues behind the trailer, if that is there.
    fn end_trailer(&mut self) -> io::Result<()> {
        if let Stage::Trailer(came) = &self.stage
            && came.len() == self.check.len()
        {
            self.whole &= self.check.is_right(came)?;
            self.stage = match self.wrapping {
                Wrapping::Gzip => Stage::Between(None),
                _ => Stage::Over,
            };
        }
        Ok(())
    }

    /// Takes some bytes of what surrounds the data, and returns how many.
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(&byte) = bytes.first() else {
            return Ok(0);
        };
        match &mut self.stage {
            Stage::Header(header) => {
                let (taken, is_over) = match self.wrapping {
                    Wrapping::Gzip => header.take_gzip(bytes)?,
                    _ => header.take_zlib(byte)?,
                };
                if is_over {
                    self.whole &= header.is_right;
                    self.stage = Stage::Data;
                }
                Ok(taken)
            }
            Stage::Data => Ok(0),
            Stage::Trailer(came) => {
                let left = self.check.len() - came.len();
                let piece = &bytes[..left.min(bytes.len())];
                came.extend_from_slice(piece);
                let taken = piece.len();
                self.end_trailer()?;
                Ok(taken)
            }
            Stage::Between(first) => {
                match (*first, byte) {
                    (None, 0x1F) => *first = Some(0x1F),
                    (Some(_), 0x8B) => {
                        let mut header = Header::default();
                        header.take_gzip(&[0x1F, 0x8B])?;
                        self.stage = Stage::Header(header);
                        self.decoder.reset(false);
                        self.check = Check::of(self.wrapping);
                    }
                    _ => self.stage = Stage::Over,
                }
                Ok(1)
            }
            Stage::Over => Ok(bytes.len()),
        }
    }
}

const DATA: &str = "corrupt deflate stream";

fn corrupt(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

impl Decoder for Inflate {
    fn step(&mut self, from: &[u8], to: &mut [u8]) -> Step {
        // What surrounds the data, and empty data, leave the room to what follows.
        let mut taken = 0;
        loop {
            let rest = &from[taken..];
            let step = match self.stage {
                Stage::Data => self.inflate(rest, to),
                _ => match self.take(rest) {
                    Ok(taken) => Step::of(taken, 0, Ok(false)),
                    Err(mistake) => Step::of(0, 0, Err(mistake)),
                },
            };
            taken += step.taken;
            if taken == from.len() || step.made > 0 || step.outcome.is_err() {
                return Step { taken, ..step };
            }
        }
    }

    fn end(&mut self) -> io::Result<bool> {
        match self.stage {
            Stage::Header(_) | Stage::Data => Err(breaks_off()),
            Stage::Trailer(_) => Ok(false),
            Stage::Between(_) | Stage::Over => Ok(self.whole),
        }
    }
}

/// A header that is read byte by byte.
#[derive(Default)]
struct Header {
    /// The bytes that came of the current `part`.
    at: usize,
    part: Part,
    flags: u8,
    /// The size of the extra field.
    extras: u16,
    crc: Crc,
    /// The header's own checksum.
    given: u16,
    is_right: bool,
}

/// The parts of gzip's header (RFC 1952, section 2.3).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    /// Ten bytes.
    #[default]
    Fixed,
    ExtraLength,
    Extra,
    Name,
    Comment,
    Crc,
    Over,
}

impl Header {
    /// Returns how many bytes were taken, and whether the header is over.
    fn take_gzip(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        for (index, &byte) in bytes.iter().enumerate() {
            self.take(byte)?;
            if self.part == Part::Over {
                return Ok((index + 1, true));
            }
        }
        Ok((bytes.len(), false))
    }

    fn take(&mut self, byte: u8) -> io::Result<()> {
        let at = self.at;
        self.at += 1;
        if self.part != Part::Crc {
            self.crc.update(&[byte]);
        }
        let is_last = match self.part {
            Part::Fixed => {
                let fits = match at {
                    0 => byte == 0x1F,
                    1 => byte == 0x8B,
                    2 => byte == 8,
                    3 => {
                        self.flags = byte;
                        byte & RESERVED == 0
                    }
                    _ => true,
                };
                if !fits {
                    return Err(corrupt("invalid gzip header"));
                }
                at == 9
            }
            Part::ExtraLength => {
                self.extras |= u16::from(byte) << (8 * at);
                at == 1
            }
            Part::Extra => self.at == usize::from(self.extras),
            Part::Name | Part::Comment => byte == 0,
            Part::Crc => {
                self.given |= u16::from(byte) << (8 * at);
                at == 1
            }
            Part::Over => true,
        };
        if is_last {
            self.go_on();
        }
        Ok(())
    }

    /// Moves on to the next part that is there.
    fn go_on(&mut self) {
        let has = |flag| self.flags & flag != 0;
        let is_right = match self.part {
            Part::Crc => self.given == self.crc.sum() as u16,
            _ => true,
        };
        let next = |part: Part| match part {
            Part::Fixed => (Part::ExtraLength, has(FEXTRA)),
            Part::ExtraLength => (Part::Extra, self.extras > 0),
            Part::Extra => (Part::Name, has(FNAME)),
            Part::Name => (Part::Comment, has(FCOMMENT)),
            Part::Comment => (Part::Crc, has(FHCRC)),
            Part::Crc | Part::Over => (Part::Over, true),
        };
        let mut part = self.part;
        loop {
            let is_there;
            (part, is_there) = next(part);
            if is_there {
                break;
            }
        }
        (self.part, self.at, self.is_right) = (part, 0, is_right);
    }

    fn take_zlib(&mut self, byte: u8) -> io::Result<(usize, bool)> {
        self.at += 1;
        if self.at == 1 {
            return Ok((1, false));
        }
        // The method was checked before. Data that needs an unknown dictionary can't be decompressed.
        let wants_dictionary = byte & 0x20 != 0;
        match wants_dictionary {
            true => Err(corrupt("a zlib header that asks for a dictionary")),
            false => {
                self.is_right = true;
                Ok((1, true))
            }
        }
    }
}
