//! A body comes out the same whatever pieces it arrives in, and however small the steps are.

use std::io::{self, Write};

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// The codings by the names used here; the name in a header comes first.
const CODINGS: [&str; 8] = [
    "gzip",
    "gzip members",
    "deflate",
    "deflate bare",
    "br",
    "br large",
    "zstd",
    "zstd checksum",
];

fn encode(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let encoded = || -> io::Result<Vec<u8>> {
        Ok(match coding {
            "gzip members" => {
                let middle = bytes.len() / 2;
                let [first, second] = [&bytes[..middle], &bytes[middle..]];
                [encode("gzip", first), encode("gzip", second)].concat()
            }
            "gzip" => {
                let mut out = GzEncoder::new(Vec::new(), Compression::default());
                out.write_all(bytes)?;
                out.finish()?
            }
            "deflate" => {
                let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
                out.write_all(bytes)?;
                out.finish()?
            }
            "deflate bare" => {
                let mut out = DeflateEncoder::new(Vec::new(), Compression::default());
                out.write_all(bytes)?;
                out.finish()?
            }
            "br" => brotli(bytes, 16)?,
            "br large" => {
                let mut out = brotli(bytes, 18)?;
                // For a window of 16 MiB the encoder would take much time and memory. Up to 256 KiB its
                // size makes no difference.
                out[0] |= 0xF;
                out
            }
            _ => {
                let mut out = zstd::Encoder::new(Vec::new(), 1)?;
                out.include_checksum(coding == "zstd checksum")?;
                out.write_all(bytes)?;
                out.finish()?
            }
        })
    };
    encoded().expect("memory")
}

/// `log`: the window has 2^`log` bytes.
fn brotli(mut bytes: &[u8], log: i32) -> io::Result<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality: 4,
        lgwin: log,
        ..BrotliEncoderParams::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut bytes, &mut out, &params)?;
    Ok(out)
}

/// The name of a coding in a header.
fn name(coding: &'static str) -> &'static str {
    coding.split(' ').next().unwrap_or_default()
}

/// The outcome of a body: its bytes, and whether it was whole, or what is wrong with it.
type Outcome = (Vec<u8>, Result<bool, String>);

/// Undoes the codings of a body that arrives in pieces of one size, in steps of one size.
fn undo(codings: &str, bytes: &[u8], limit: u64, piece: usize, room: usize) -> Outcome {
    let mut body =
        Body::with_room(Some(codings.as_bytes()), None, limit, room).expect("few codings");
    let outcome = (|| {
        for mut piece in bytes.chunks(piece) {
            while body.take(&mut piece)? {}
            assert!(piece.is_empty());
        }
        while body.end()? {}
        Ok(())
    })();
    match outcome {
        Ok(()) => {
            let (bytes, whole) = body.finish(limit).expect("memory");
            (bytes, Ok(whole))
        }
        Err(error) => {
            let failure = body.failure(&error, limit);
            (body.kept().to_vec(), Err(failure.message))
        }
    }
}

/// A body: text, repetition, or anything.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(select(&b"abc <>\n"[..]), 0..2000),
        (any::<u8>(), 0..100_000_usize).prop_map(|(byte, count)| vec![byte; count]),
        vec(any::<u8>(), 0..500),
    ]
}

/// The damage done to what is sent.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Cut(Index),
    Changed(Index, u8),
    Behind(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::None),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), 1..=255_u8).prop_map(|(at, by)| Damage::Changed(at, by)),
        vec(any::<u8>(), 1..20).prop_map(Damage::Behind),
    ]
}

impl Damage {
    fn on(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Self::Changed(at, by) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= by;
            }
            Self::Changed(..) => {}
            Self::Behind(more) => bytes.extend(more),
        }
    }
}

proptest! {
    #[test]
    fn neither_pieces_nor_steps_make_a_difference(
        content in content(),
        codings in vec(select(&CODINGS[..]), 1..4),
        damage in damage(),
        damaged in any::<Index>(),
        limit in select(&[1 << 20, 1000, 0][..]),
        piece in select(&[1, 2, 7, 100, 300, usize::MAX][..]),
        room in select(&[1, 3, 100, 5000, ROOM][..]),
    ) {
        let damaged = damaged.index(codings.len());
        let mut bytes = content.clone();
        for (at, coding) in codings.iter().enumerate() {
            bytes = encode(coding, &bytes);
            if at == damaged {
                damage.on(&mut bytes);
            }
        }
        let names: Vec<_> = codings.iter().map(|coding| name(coding)).collect();
        let names = names.join(", ");
        let whole = undo(&names, &bytes, limit, usize::MAX, ROOM);
        let cut = undo(&names, &bytes, limit, piece, room);
        if matches!(damage, Damage::None) {
            let is_too_large = content.len() as u64 > limit;
            prop_assert_eq!(whole.1.is_err(), is_too_large);
            prop_assert!(is_too_large || whole == (content, Ok(true)));
        }
        // On a mistake within one step's input, brotli's decoder withholds what it made, and deflate's
        // what it had no room for.
        let is_exact = room >= ROOM && !names.contains("br");
        if is_exact || whole.1.is_ok() || cut.1.is_ok() {
            let [in_one, in_pieces] = [&whole, &cut].map(|(bytes, how)| (bytes.len(), how));
            prop_assert!(whole == cut, "{:?}, {:?}", in_one, in_pieces);
        } else {
            prop_assert!(cut.0.starts_with(&whole.0) || whole.0.starts_with(&cut.0));
        }
    }
}

/// A step takes little and makes little, whatever a few bytes unfold to.
#[test]
fn a_step_is_small_whatever_bytes_unfold_to() {
    let zeros = vec![0; 4 << 20];
    for codings in [
        &["gzip"][..],
        &["deflate"],
        &["br"],
        &["zstd"],
        &["gzip", "gzip"],
        &["zstd", "gzip", "br"],
    ] {
        let bomb = codings
            .iter()
            .fold(zeros.clone(), |bytes, coding| encode(coding, &bytes));
        let mut body = Body::new(Some(codings.join(",").as_bytes()), None, u64::MAX).expect("few");
        let (mut rest, mut length) = (&bomb[..], 0);
        let mut is_end = false;
        loop {
            let before = rest.len();
            let goes_on = match is_end {
                false => body.take(&mut rest),
                true => body.end(),
            };
            assert!(before - rest.len() <= 512, "{codings:?}");
            assert!(body.kept.length - length <= ROOM as u64, "{codings:?}");
            length = body.kept.length;
            match goes_on.expect("no mistake") {
                true => {}
                false if is_end => break,
                false => is_end = rest.is_empty(),
            }
        }
        assert_eq!(length, zeros.len() as u64, "{codings:?}");
    }
}
