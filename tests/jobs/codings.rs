//! `Content-Encoding`: what is undone, in which order, and what comes of bodies that are not what it
//! says. From real servers, for requests and for resolves that read the page.

use std::io::Write;

use crate::support::raw::{Raw, answer};
use crate::support::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use rouet::{Job, JobResult, Truncated};

/// A page that leads on, so that a resolve shows whether it could be read.
const PAGE: &str = "<meta http-equiv=refresh content='0;url=/end'>A page of some words.";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = DeflateEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

/// A server that has this body under these header lines, and an end.
fn server(headers: &[&str], body: Vec<u8>) -> Raw {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    Raw::start(move |request| match &*request.target {
        "/end" => answer("200 OK", &[], "end"),
        _ => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{headers}\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            [head.as_bytes(), &body].concat()
        }
    })
}

fn requested(server: &Raw) -> JobResult {
    fetch_with(server.url("/"), |options| options.compressed = true)
}

/// A resolve that looks into the page.
fn resolved(server: &Raw) -> JobResult {
    let set = options(|options| {
        options.compressed = true;
        options.follow_meta_refresh = true;
    });
    fetch(Job::resolve(server.url("/")).options(set))
}

/// That both read the page.
#[track_caller]
fn assert_read(server: &Raw, what: &str) -> JobResult {
    let result = requested(server);
    assert_ok(&result);
    assert_eq!(text(&result), PAGE, "{what}");
    let end = resolved(server);
    assert_ok(&end);
    assert_eq!(end.end_url(), Some(&*server.url("/end")), "{what}");
    result
}

/// RFC 9110, sections 5.3 and 8.4: several lines are one list, in the order in which the codings were
/// applied; `identity` is none, `x-gzip` is gzip (8.4.1.3), names have no case, and elements may be
/// empty (5.6.1.2).
#[test]
fn codings_are_one_list_over_all_lines() {
    let page = PAGE.as_bytes();
    let once = gzip(page);
    let twice = gzip(&once);
    let both = gzip(&zlib(page));
    let three = zlib(&gzip(&deflate(page)));
    for (codings, body) in [
        (&["gzip"][..], &once),
        (&["identity", "gzip"], &once),
        (&["gzip", "identity"], &once),
        (&["identity, gzip"], &once),
        (&["", "gzip"], &once),
        (&[", ,gzip,"], &once),
        (&["GZip"], &once),
        (&["x-gzip"], &once),
        (&["X-GZIP", "Identity"], &once),
        (&["gzip", "gzip"], &twice),
        (&["gzip, gzip"], &twice),
        (&["gzip,x-gzip"], &twice),
        (&["deflate", "gzip"], &both),
        (&["deflate, gzip"], &both),
        (&["deflate", "identity", "", "gzip"], &both),
        (&["deflate,gzip", "deflate"], &three),
        (&["deflate", "gzip,\tdeflate"], &three),
    ] {
        let lines: Vec<_> = codings
            .iter()
            .enumerate()
            .map(|(at, value)| match at {
                0 => format!("Content-Encoding: {value}"),
                _ => format!("X-Between: {at}\r\ncontent-encoding:{value}"),
            })
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let server = server(&lines, body.clone());
        assert_read(&server, &format!("{codings:?}"));
    }
}

/// One that is not known, on whichever line, leaves the body as it came.
#[test]
fn a_coding_that_nobody_knows_leaves_all_of_them() {
    let body = gzip(PAGE.as_bytes());
    for lines in [
        ["Content-Encoding: gzip", "Content-Encoding: loom"],
        ["Content-Encoding: loom", "Content-Encoding: gzip"],
    ] {
        let result = requested(&server(&lines, body.clone()));
        assert_ok(&result);
        assert_eq!(result.body, body, "{lines:?}");
    }
}

/// RFC 9110, section 8.6: a length that is repeated is one.
#[test]
fn a_repeated_length_is_one() {
    let length = PAGE.len();
    let list = format!("Content-Length: {length}, {length}");
    let server = server(&[&list], PAGE.into());
    assert_eq!(text(&requested(&server)), PAGE);
}

/// What comes of a body by request, and that a resolve reads the page in it all the same.
#[track_caller]
fn assert_marked(coding: &str, body: &[u8], what: &str) {
    let line = format!("Content-Encoding: {coding}");
    let server = server(&[&line], body.to_vec());
    let result = assert_read(&server, what);
    assert_eq!(result.truncated, Some(Truncated::Coding), "{what}");
    assert_eq!(resolved(&server).truncated, None, "{what}");
}

/// RFC 1952, section 2.3.1, and RFC 1950, section 2.2: checksum and length come behind the data.
#[test]
fn a_body_whose_coding_lacks_its_trailer_is_there_and_marked() {
    let page = PAGE.as_bytes();
    let (gz, z) = (gzip(page), zlib(page));
    let spoilt = |body: &[u8], behind: usize| {
        let mut body = body.to_vec();
        let at = body.len() - behind;
        body[at] ^= 1;
        body
    };
    for missing in 1..=8 {
        assert_marked(
            "gzip",
            &gz[..gz.len() - missing],
            &format!("gzip {missing}"),
        );
        assert_marked(
            "x-gzip",
            &spoilt(&gz, missing),
            &format!("spoilt {missing}"),
        );
        let other = [&gz[..gz.len() - 8], &[missing as u8 - 1; 8]].concat();
        assert_marked("gzip", &other, &format!("another trailer {missing}"));
    }
    for missing in 1..=4 {
        assert_marked(
            "deflate",
            &z[..z.len() - missing],
            &format!("zlib {missing}"),
        );
        // A checksum alone does not tell whether it or the data is spoilt.
        let server = server(&["Content-Encoding: deflate"], spoilt(&z, missing));
        assert_eq!(code(&requested(&server)), "invalid-encoding", "{missing}");
    }
    // Under another one, and over it.
    let bare = &gz[..gz.len() - 8];
    assert_marked("gzip, deflate", &zlib(bare), "within zlib");
    assert_marked(
        "deflate, gzip",
        &gzip(&z)[..gzip(&z).len() - 8],
        "around zlib",
    );
    // RFC 8878, section 3.1.1: a frame may end in a checksum.
    let mut zstd = zstd::stream::Encoder::new(Vec::new(), 3).expect("a level");
    zstd.include_checksum(true).expect("an option");
    zstd.write_all(page).expect("memory");
    let zstd = zstd.finish().expect("memory");
    for missing in 1..=4 {
        assert_marked(
            "zstd",
            &zstd[..zstd.len() - missing],
            &format!("zstd {missing}"),
        );
        let server = server(&["Content-Encoding: zstd"], spoilt(&zstd, missing));
        assert_eq!(code(&requested(&server)), "invalid-encoding", "{missing}");
    }
    // What is as it should be is not.
    for (coding, body) in [
        ("gzip", gz),
        ("deflate", z),
        ("deflate", deflate(page)),
        ("zstd", zstd),
    ] {
        let server = server(&[&format!("Content-Encoding: {coding}")], body);
        assert_eq!(assert_read(&server, coding).truncated, None, "{coding}");
    }
}

/// Nothing is left in a decoder, however much it gives out at once.
#[test]
fn large_bodies_are_undone_to_their_end() {
    let mut random = fastrand::Rng::with_seed(7);
    let words: Vec<String> = (0..300).map(|_| format!("{:x} ", random.u64(..))).collect();
    for size in [100_000, 131_072, 300_000, 1_000_003] {
        let mut text = String::new();
        while text.len() < size {
            text.push_str(&words[random.usize(..words.len())]);
        }
        text.truncate(size);
        for (text, name) in [(text, "words"), ("a".repeat(size), "one letter")] {
            let bytes = text.as_bytes();
            for checked in [true, false] {
                let mut zstd = zstd::stream::Encoder::new(Vec::new(), 3).expect("a level");
                zstd.include_checksum(checked).expect("an option");
                zstd.write_all(bytes).expect("memory");
                let zstd = zstd.finish().expect("memory");
                let bodies = [
                    ("gzip", gzip(bytes)),
                    ("deflate", zlib(bytes)),
                    ("zstd", zstd),
                ];
                for (coding, body) in bodies {
                    let line = format!("Content-Encoding: {coding}");
                    let result = requested(&server(&[&line], body.clone()));
                    let what = format!("{size} of {name} in {coding}, {checked}");
                    assert_ok(&result);
                    assert!(result.body == bytes, "{what}: {}", result.body.len());
                    assert_eq!(result.truncated, None, "{what}");
                    if coding == "gzip" || coding == "zstd" && checked {
                        let cut = body[..body.len() - 3].to_vec();
                        let result = requested(&server(&[&line], cut));
                        assert!(result.body == bytes, "{what}: {}", result.body.len());
                        assert_eq!(result.truncated, Some(Truncated::Coding), "{what}");
                    }
                }
            }
        }
    }
}

/// All of it arrives at once, and is undone over many turns.
#[test]
fn a_few_bytes_are_undone_to_their_end_whatever_they_unfold_to() {
    let page = "a".repeat(16_000_000);
    let brotli = |bytes: &[u8]| {
        let params = brotli::enc::BrotliEncoderParams {
            quality: 4,
            ..Default::default()
        };
        let (mut bytes, mut out) = (bytes, Vec::new());
        brotli::BrotliCompress(&mut bytes, &mut out, &params).expect("memory");
        out
    };
    let bytes = page.as_bytes();
    for (codings, body) in [
        ("br", brotli(bytes)),
        ("gzip, gzip", gzip(&gzip(bytes))),
        ("deflate, gzip, br", brotli(&gzip(&zlib(bytes)))),
        ("br, gzip", gzip(&brotli(bytes))),
    ] {
        let line = format!("Content-Encoding: {codings}");
        let result = requested(&server(&[&line], body));
        assert_ok(&result);
        assert!(result.body == bytes, "{codings}: {}", result.body.len());
        assert_eq!(result.truncated, None, "{codings}");
    }
}

/// Where the length behind the data is nearly right the trailer is sound, and the data is not.
#[test]
fn data_that_is_spoilt_is_no_body() {
    let site = site();
    for path in ["/gzip-corrupt", "/gzip-truncated"] {
        let result = fetch_with(site.url(path), |options| options.compressed = true);
        assert_eq!(code(&result), "invalid-gzip", "{path}");
        assert_eq!((result.truncated, result.body.len()), (None, 0), "{path}");
    }
}

/// A gzip header may have more than ten bytes (RFC 1952, section 2.3), and a checksum of its own.
#[test]
fn a_header_of_gzip_is_read_whole() {
    let page = PAGE.as_bytes();
    let mut out = flate2::GzBuilder::new()
        .extra(vec![7; 300])
        .filename("page.html")
        .comment("a comment")
        .write(Vec::new(), Compression::default());
    out.write_all(page).expect("memory");
    let plain = out.finish().expect("memory");
    let server_of = |body: Vec<u8>| server(&["Content-Encoding: gzip"], body);
    assert_eq!(
        assert_read(&server_of(plain.clone()), "extras").truncated,
        None
    );
    // With the header's checksum, right and wrong.
    let header = 10 + 2 + 300 + "page.html".len() + 1 + "a comment".len() + 1;
    let mut checked = plain.clone();
    checked[3] |= 2;
    let mut crc = flate2::Crc::new();
    crc.update(&checked[..header]);
    checked.splice(header..header, (crc.sum() as u16).to_le_bytes());
    assert_eq!(
        assert_read(&server_of(checked.clone()), "checked").truncated,
        None
    );
    checked[header] ^= 1;
    assert_marked("gzip", &checked, "a wrong checksum of the header");
    let reserved = {
        let mut body = plain.clone();
        body[3] |= 0x80;
        body
    };
    for broken in [
        reserved,
        plain[..header - 5].to_vec(),
        plain[..header].to_vec(),
    ] {
        assert_eq!(code(&requested(&server_of(broken))), "invalid-gzip");
    }
}

/// As browsers have it for gzip: what does not start as the coding does is in none.
#[test]
fn text_that_is_said_to_be_in_a_coding_is_there_and_marked() {
    for coding in [
        "gzip", "x-gzip", "deflate", "br", "zstd", "gzip, br", "br, gzip",
    ] {
        assert_marked(coding, PAGE.as_bytes(), coding);
    }
    // The inner of two that are said to be there is not.
    assert_marked("gzip, gzip", &gzip(PAGE.as_bytes()), "gzip, gzip");
    assert_marked("br, deflate", &zlib(PAGE.as_bytes()), "br, deflate");
    let long = "words and more of them, ".repeat(500);
    for text in [
        "x",
        "{}",
        "hi",
        "hello",
        "xylophone",
        "H",
        "no\nlines\tat all",
        "caf\u{e9} \u{4e2d}\u{6587}",
        &long,
    ] {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let line = format!("Content-Encoding: {coding}");
            let result = requested(&server(&[&line], text.into()));
            assert_eq!(crate::support::text(&result), text, "{coding}");
            assert_eq!(
                result.truncated,
                Some(Truncated::Coding),
                "{coding}: {text:.9}"
            );
        }
    }
    // What has a magic number is known not to have it, whatever it is.
    let png = [&b"\x89PNG\r\n\x1a\n"[..], &[0; 100]].concat();
    for coding in ["gzip", "zstd"] {
        let line = format!("Content-Encoding: {coding}");
        let result = requested(&server(&[&line], png.clone()));
        assert_eq!(result.body, png, "{coding}");
        assert_eq!(result.truncated, Some(Truncated::Coding));
    }
    for coding in ["deflate", "br"] {
        let line = format!("Content-Encoding: {coding}");
        let result = requested(&server(&[&line], png.clone()));
        assert_eq!(code(&result), "invalid-encoding", "{coding}");
    }
}

/// Without a length the end of the connection is the end of the body (RFC 9112, section 6.3); over TLS
/// it should come with a goodbye (RFC 9112, section 9.8), which many leave out.
#[test]
fn a_body_that_ends_without_the_goodbye_of_tls_is_there_and_marked() {
    let faults = faults();
    let ask = |door: &str, kind: fn(String) -> Job| {
        let set = options(|options| {
            options.insecure = true;
            options.compressed = true;
        });
        fetch(kind(faults.door(door).expect("a door")).options(set))
    };
    for (door, body) in [
        ("tls-open", "hello"),
        ("tls-open-10", "hello"),
        ("tls-open-empty", ""),
        ("tls-open-gzip", "hello"),
    ] {
        let result = ask(door, Job::request);
        if by_engine(false, true) {
            // isahc does not tell why receiving failed.
            assert_eq!(code(&result), "receive-error", "{door}");
            continue;
        }
        assert_eq!(crate::support::text(&result), body, "{door}");
        assert_eq!(result.truncated, Some(Truncated::Disconnect), "{door}");
        assert_eq!(ask(door, Job::resolve).truncated, None, "{door}");
    }
    for door in [
        "tls-open-gzip-cut",
        "tls-open-reset",
        "tls-open-length",
        "tls-open-chunk",
    ] {
        let result = ask(door, Job::request);
        let expected = by_engine("connection-aborted", code(&result));
        assert_eq!(code(&result), expected, "{door}");
        assert_eq!((result.truncated, result.body.len()), (None, 0), "{door}");
    }
}
