//! `Content-Encoding`: what is undone, in which order, and what comes of bodies that are not what it
//! says. From real servers, for requests and for resolves that read the page.

mod support;

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use rouet::{Job, JobResult};
use support::raw::{Raw, answer};
use support::*;

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
