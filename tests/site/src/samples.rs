//! Known contents, plain and compressed, sound and broken.

use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compress, Compression, Crc, FlushCompress};

/// The text of `/text`, and of `/gzip` and its like once decoded: 20 KB.
pub fn known_text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut text: String = (0..)
            .map(|i| {
                format!(
                    "{i} : la fileuse tourne son rouet, naïve œuvre n° {}.\n",
                    i * i
                )
            })
            .scan(0, |length, line| {
                *length += line.len();
                (*length < 20_000).then_some(line)
            })
            .collect();
        text.extend(std::iter::repeat_n('.', 20_000 - text.len()));
        text
    });
    &TEXT
}

/// The `length` bytes of `/bytes/N`, `/chunked/N` and `/drip`: 0 to 250, over and over.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// A piece of [`pattern`] that can be repeated: its length is a multiple of 251.
pub(crate) fn pattern_piece() -> Bytes {
    static PIECE: LazyLock<Bytes> = LazyLock::new(|| pattern(251 * 256).into());
    PIECE.clone()
}

/// [`known_text`] as told by a route's name, and the `Content-Encoding` it has.
pub(crate) fn encoded(name: &str) -> Option<(Bytes, &'static str)> {
    static GZIP: LazyLock<Bytes> = LazyLock::new(|| gzip(known_text().as_bytes()).into());
    static DEFLATE: LazyLock<Bytes> = LazyLock::new(|| {
        let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
        out.write_all(known_text().as_bytes())
            .and_then(|()| out.finish())
            .expect("writing to memory")
            .into()
    });
    static DEFLATE_RAW: LazyLock<Bytes> = LazyLock::new(|| {
        let mut out = DeflateEncoder::new(Vec::new(), Compression::default());
        out.write_all(known_text().as_bytes())
            .and_then(|()| out.finish())
            .expect("writing to memory")
            .into()
    });
    static BR: LazyLock<Bytes> = LazyLock::new(|| {
        let mut out = Vec::new();
        brotli::CompressorReader::new(known_text().as_bytes(), 4096, 5, 18)
            .read_to_end(&mut out)
            .expect("reading from memory");
        out.into()
    });
    // Brotli has no checksum and takes most noise: this is the half of the text, whole, and then a
    // block whose reserved bit is set.
    static BR_CORRUPT: LazyLock<Bytes> = LazyLock::new(|| {
        let mut out = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 18);
        out.write_all(&known_text().as_bytes()[..10_000])
            .and_then(|()| out.flush())
            .expect("writing to memory");
        [out.get_ref().as_slice(), &[0x0E; 100]].concat().into()
    });
    static ZSTD: LazyLock<Bytes> = LazyLock::new(|| {
        let mut out = zstd::Encoder::new(Vec::new(), 3).expect("a valid level");
        out.include_checksum(true)
            .and_then(|()| out.write_all(known_text().as_bytes()))
            .and_then(|()| out.finish())
            .expect("writing to memory")
            .into()
    });
    Some(match name {
        "gzip" => (GZIP.clone(), "gzip"),
        "gzip-corrupt" => (corrupt(&GZIP), "gzip"),
        "gzip-truncated" => (GZIP.slice(..GZIP.len() / 2), "gzip"),
        "deflate" => (DEFLATE.clone(), "deflate"),
        "deflate-raw" => (DEFLATE_RAW.clone(), "deflate"),
        "br" => (BR.clone(), "br"),
        "br-corrupt" => (BR_CORRUPT.clone(), "br"),
        "zstd" => (ZSTD.clone(), "zstd"),
        "zstd-corrupt" => (corrupt(&ZSTD), "zstd"),
        _ => return None,
    })
}

/// Bytes whose middle is spoilt: what a checksum tells, at the end if not before.
fn corrupt(bytes: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0xFF);
    bytes.into()
}

/// Bytes in gzip, quickly compressed.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    out.write_all(bytes)
        .and_then(|()| out.finish())
        .expect("writing to memory")
}

/// `mb` MB of zeros in gzip, in pieces: each MB is the same block, compressed once.
pub(crate) fn gzip_bomb(mb: u64) -> (impl Iterator<Item = Bytes> + Send, u64) {
    static BLOCK: LazyLock<(Bytes, Crc)> = LazyLock::new(|| {
        let zeros = vec![0; 1 << 20];
        let mut crc = Crc::new();
        crc.update(&zeros);
        let mut block = Vec::with_capacity(1 << 16);
        // A full flush ends on a byte, and leaves nothing to be looked back at.
        Compress::new(Compression::best(), false)
            .compress_vec(&zeros, &mut block, FlushCompress::Full)
            .expect("compressing in memory");
        (block.into(), crc)
    });
    const HEAD: &[u8] = b"\x1F\x8B\x08\0\0\0\0\0\0\xFF";
    let (block, block_crc) = &*BLOCK;
    let mut crc = Crc::new();
    (0..mb).for_each(|_| crc.combine(block_crc));
    let mut tail = vec![0x03, 0x00]; // a last block, empty
    tail.extend_from_slice(&crc.sum().to_le_bytes());
    tail.extend_from_slice(&((mb << 20) as u32).to_le_bytes());
    let length = HEAD.len() as u64 + mb * block.len() as u64 + tail.len() as u64;
    let pieces = std::iter::once(Bytes::from_static(HEAD))
        .chain((0..mb).map(|_| block.clone()))
        .chain([Bytes::from(tail)]);
    (pieces, length)
}

/// `mb` MB of zeros in zlib, but for its checksum: who takes it all has taken too much.
pub(crate) fn deflate_bomb(mb: u64) -> impl Iterator<Item = Bytes> + Send {
    let pieces = gzip_bomb(mb).0.skip(1);
    std::iter::once(Bytes::from_static(b"\x78\xDA")).chain(pieces)
}

/// `mb` MB of zeros in brotli.
pub(crate) fn br_bomb(mb: u64) -> impl Iterator<Item = Bytes> + Send {
    // The first MB, each of those behind it, and the end.
    static PIECES: LazyLock<[Bytes; 3]> = LazyLock::new(|| {
        let zeros = vec![0; 1 << 20];
        let mut out = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 5, 22);
        let mut ends = Vec::new();
        for _ in 0..2 {
            out.write_all(&zeros)
                .and_then(|()| out.flush())
                .expect("writing to memory");
            ends.push(out.get_ref().len());
        }
        let all = Bytes::from(out.into_inner());
        [
            all.slice(..ends[0]),
            all.slice(ends[0]..ends[1]),
            all.slice(ends[1]..),
        ]
    });
    let [first, next, end] = &*PIECES;
    let rest = (1..mb).map(|_| next.clone());
    std::iter::once(first.clone())
        .chain(rest)
        .chain([end.clone()])
}

/// `mb` MB in brotli, in multiples of 16, of which a few bytes say to repeat the last four two at a
/// time. That is the slowest way to make much of little. The window is filled
/// before the decoder stops; it has 2^`log` bytes, 18 to 24.
pub(crate) fn br_slow(mb: u64, log: u8) -> impl Iterator<Item = Bytes> + Send {
    const BLOCK: u64 = 16 << 20;
    /// Bits are sent from the lowest on (RFC 7932, section 1.5.1).
    #[derive(Default)]
    struct Bits {
        bytes: Vec<u8>,
        count: usize,
    }
    impl Bits {
        fn push(&mut self, value: u64, count: usize) {
            for at in 0..count {
                if self.count.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                let bit = (value >> at & 1) as u8;
                self.bytes[self.count / 8] |= bit << (self.count % 8);
                self.count += 1;
            }
        }

        /// The head of a meta-block (section 9.2) that is not the last.
        fn head(&mut self, length: u64, is_uncompressed: bool) {
            self.push(0, 1);
            // The length has four nibbles or six.
            let (code, bits) = if length <= 1 << 16 { (0, 16) } else { (2, 24) };
            self.push(code, 2);
            self.push(length - 1, bits);
            self.push(is_uncompressed.into(), 1);
        }
    }
    let mut bits = Bits::default();
    bits.push(u64::from(log - 17) << 1 | 1, 4); // the window (section 9.1)
    bits.head(4, true);
    bits.count = bits.bytes.len() * 8;
    bits.bytes.extend(b"slow");
    bits.count += 4 * 8;
    for _ in 0..mb / 16 {
        bits.head(BLOCK, false);
        bits.push(0, 3); // one type of block each for literals, commands and distances
        bits.push(0, 2 + 4); // distances as they are
        bits.push(0, 2); // the context of literals
        bits.push(0, 2); // one tree each for literals and distances
        // Three simple codes of one symbol (section 3.4), which take no bits: a literal; no literals
        // and a copy of two bytes from where the last was; a distance.
        for of_symbol in [8, 10, 6] {
            bits.push(1, 2);
            bits.push(0, 2);
            bits.push(0, of_symbol);
        }
    }
    bits.push(0b11, 2); // the last meta-block, which is empty
    let all = Bytes::from(bits.bytes);
    (0..all.len())
        .step_by(1 << 14)
        .map(move |at| all.slice(at..all.len().min(at + (1 << 14))))
}

/// `mb` MB of zeros in zstd (RFC 8878): blocks that say "128 KB of this byte".
pub(crate) fn zstd_bomb(mb: u64) -> impl Iterator<Item = Bytes> + Send {
    let block = |last: u32| ((128_u32 << 10) << 3 | 1 << 1 | last).to_le_bytes();
    let head = zstd_head(23);
    let blocks = |count: u64| Bytes::from([&block(0)[..3], b"\0"].concat().repeat(count as usize));
    let end = Bytes::from([&block(1)[..3], b"\0"].concat());
    let whole = blocks(8);
    std::iter::once(Bytes::from(head))
        .chain((1..mb).map(move |_| whole.clone()))
        .chain([blocks(7), end])
}

/// Some zeros in brotli, that ask for a window of 2^`log` bytes: above 24 it is none of RFC 7932.
pub(crate) fn br_window(log: u8) -> Vec<u8> {
    let params = BrotliEncoderParams {
        large_window: true,
        lgwin: 18,
        ..BrotliEncoderParams::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &[0; 1000][..], &mut out, &params).expect("writing to memory");
    // Said where the head of such streams has it: for a large window the encoder would take as much
    // memory as the decoder.
    assert_eq!((out[0], out[1] & 63), (0x11, 18), "a large window");
    out[1] = (out[1] & !63) | log;
    out
}

/// Some zeros in zstd, that ask for a window of 2^`log` bytes to be undone.
pub(crate) fn zstd_window(log: u8) -> Vec<u8> {
    let block = (1000_u32 << 3 | 1 << 1 | 1).to_le_bytes();
    [&zstd_head(log)[..], &block[..3], b"\0"].concat()
}

/// The head of a frame with a window of 2^`log` bytes.
fn zstd_head(log: u8) -> Vec<u8> {
    [&0xFD2F_B528_u32.to_le_bytes()[..], &[0, (log - 10) << 3]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
    use std::io;

    fn decode(name: &str) -> io::Result<String> {
        let (bytes, _) = encoded(name).unwrap();
        let mut out = String::new();
        match name.split('-').next().unwrap() {
            "gzip" => GzDecoder::new(&*bytes).read_to_string(&mut out)?,
            "deflate" if name == "deflate" => ZlibDecoder::new(&*bytes).read_to_string(&mut out)?,
            "deflate" => DeflateDecoder::new(&*bytes).read_to_string(&mut out)?,
            "br" => brotli::Decompressor::new(&*bytes, 4096).read_to_string(&mut out)?,
            _ => zstd::Decoder::new(&*bytes)?.read_to_string(&mut out)?,
        };
        Ok(out)
    }

    #[test]
    fn samples_decode_or_fail_as_told() {
        assert_eq!(known_text().len(), 20_000);
        for name in ["gzip", "deflate", "deflate-raw", "br", "zstd"] {
            assert_eq!(decode(name).unwrap(), known_text(), "{name}");
        }
        assert!(decode("gzip-truncated").is_err());
        for name in ["gzip-corrupt", "br-corrupt", "zstd-corrupt"] {
            assert!(decode(name).is_err(), "{name}");
        }
        // These fail when data is invalid, and wait for the rest when it is too short.
        let spoilt = |name| encoded(name).unwrap().0;
        let br = brotli::DecompressorWriter::new(io::sink(), 4096).write_all(&spoilt("br-corrupt"));
        assert!(br.is_err());
        let mut zstd = zstd::stream::write::Decoder::new(io::sink()).unwrap();
        assert!(zstd.write_all(&spoilt("zstd-corrupt")).is_err());
        let mut gzip = flate2::write::GzDecoder::new(io::sink());
        let written = gzip.write_all(&spoilt("gzip-corrupt"));
        assert!(written.and_then(|()| gzip.try_finish()).is_err());
    }

    #[test]
    fn the_bomb_is_valid_gzip() {
        for mb in [0, 1, 5] {
            let (pieces, length) = gzip_bomb(mb);
            let bytes: Vec<u8> = pieces.flatten().collect();
            assert_eq!(bytes.len() as u64, length);
            let mut out = Vec::new();
            GzDecoder::new(&*bytes).read_to_end(&mut out).unwrap();
            assert_eq!(out.len() as u64, mb << 20);
            assert!(out.iter().all(|&byte| byte == 0));
        }
    }
    #[test]
    fn the_other_bombs_are_valid() {
        let mut out = Vec::new();
        let br: Vec<u8> = br_bomb(5).flatten().collect();
        brotli::Decompressor::new(&*br, 4096)
            .read_to_end(&mut out)
            .unwrap();
        assert_eq!(out, vec![0; 5 << 20]);
        let (slow, mut words) = (br_slow(32, 24).flatten().collect::<Vec<u8>>(), Vec::new());
        brotli::Decompressor::new(&*slow, 4096)
            .read_to_end(&mut words)
            .unwrap();
        assert_eq!(words, b"slow".repeat(1 + (8 << 20)));
        let zstd: Vec<u8> = zstd_bomb(5).flatten().collect();
        assert_eq!(zstd::decode_all(&*zstd).unwrap(), out);
        assert_eq!(zstd::decode_all(&*zstd_window(27)).unwrap(), [0; 1000]);
        let (window, mut small) = (br_window(26), Vec::new());
        brotli::Decompressor::new(&*window, 4096)
            .read_to_end(&mut small)
            .unwrap();
        assert_eq!(small, [0; 1000]);
        let deflate: Vec<u8> = deflate_bomb(5).flatten().collect();
        let mut start = vec![0; 4 << 20];
        ZlibDecoder::new(&*deflate).read_exact(&mut start).unwrap();
        assert_eq!(start, out[..4 << 20]);
    }
}
