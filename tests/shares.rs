//! What a server that sends faster than it is read leaves to the others of its shard. The program is
//! `tests/c/share.c`.

mod support;

use std::sync::Arc;

use rouet::{HttpVersion, Job};
use rouet_site::pattern;
use support::c::{compile, plain};
use support::*;

/// Milliseconds: of other jobs, in the middle and at most, of a fork, of `pool_cancel`, until all its
/// jobs have ended, of `pool_free`. On a machine that has more to do all takes longer, as what other
/// jobs take without the fast senders tells.
const MOST: [f64; 6] = [50.0, 1000.0, 100.0, 100.0, 1000.0, 100.0];

fn leaves_the_others_their_turn(fault: &str, number: u32) {
    let (site, faults) = (site(), faults());
    let program = compile("tests/c/share.c");
    let mut seen = Vec::new();
    // The machine may have had more to do.
    for _ in 0..3 {
        let mut command = plain(&program);
        command.args([faults.url(fault), site.url("/text"), number.to_string()]);
        let line = c::run(command.env("LSAN_OPTIONS", "detect_leaks=0"), 0);
        let times: Vec<f64> = line
            .split_whitespace()
            .map(|time| time.parse().expect("a number"))
            .collect();
        assert_eq!(times.len(), 1 + MOST.len(), "{line}");
        let busy = 10.0 * times[0];
        if times[1..]
            .iter()
            .zip(MOST)
            .all(|(time, most)| *time < most + busy)
        {
            return;
        }
        seen.push(times);
    }
    panic!("{fault}, {number} at once: {seen:?}, where {MOST:?} is allowed");
}

#[test]
fn a_body_without_end() {
    leaves_the_others_their_turn("/body", 1);
}

#[test]
fn members_of_gzip_without_end() {
    leaves_the_others_their_turn("/gzip-members", 1);
}

#[test]
fn extensions_of_chunks_without_end() {
    leaves_the_others_their_turn("/chunk-extensions", 8);
}

#[test]
fn interim_answers_without_end() {
    leaves_the_others_their_turn("/continue-flood", 1);
}

#[test]
fn a_bomb() {
    leaves_the_others_their_turn("/bomb-gzip", 1);
}

#[test]
fn a_bomb_of_deflate() {
    leaves_the_others_their_turn("/bomb-deflate", 1);
}

#[test]
fn a_bomb_of_brotli() {
    leaves_the_others_their_turn("/bomb-br", 1);
}

/// A few bytes that take long to unfold.
#[test]
fn a_slow_bomb_of_brotli() {
    // The largest window, a usual one, and one that is filled on the shard's thread.
    for fault in [
        "/bomb-br-slow",
        "/bomb-br-slow?log=22",
        "/bomb-br-slow?log=19",
    ] {
        leaves_the_others_their_turn(fault, 8);
    }
}

#[test]
fn a_bomb_of_zstd() {
    leaves_the_others_their_turn("/bomb-zstd", 1);
}

/// A few bytes that unfold to a bomb.
#[test]
fn a_bomb_in_gzip() {
    leaves_the_others_their_turn("/bomb-gzip-twice", 1);
}

#[test]
fn bombs_in_gzip() {
    leaves_the_others_their_turn("/bomb-gzip-twice", 8);
}

const LARGE: usize = 24_000_000;
/// At once, so that each waits for its share most of the time.
const AT_ONCE: usize = 6;

/// What comes while a transfer is paused is its own: its connection is in use, though nothing is
/// waited for there.
#[test]
fn what_is_paused_comes_whole() {
    let site = secure_site();
    let whole = pattern(LARGE);
    let pool = pool_of(ms(0), 64, 64, 1);
    for version in [HttpVersion::Http11, HttpVersion::Any] {
        let options = options(|options| {
            options.http_version = version;
            options.ca_file = site.ca_file().map(Into::into);
            options.timeout = 4 * PATIENCE;
        });
        for path in ["/bytes", "/chunked"] {
            let path = format!("{path}/{LARGE}");
            for url in [site.url(&path), site.https_url(&path).expect("https")] {
                let job = Job::request(url.clone()).options(Arc::clone(&options));
                for result in run(&stream(&pool), vec![job; AT_ONCE]) {
                    assert_ok(&result);
                    assert_eq!(result.attempts, 1, "{url}");
                    assert!(result.body == whole, "{url}: {}", result.body.len());
                }
            }
        }
    }
}

/// The same where nothing that comes is part of the body.
#[test]
fn what_is_paused_within_a_chunk_comes_whole() {
    let faults = faults();
    let pool = pool_of(ms(0), 64, 64, 1);
    let job = Job::request(faults.url("/chunk-extensions?mb=16"));
    for result in run(&stream(&pool), vec![job; AT_ONCE]) {
        assert_ok(&result);
        assert_eq!(text(&result), "hello");
        assert_eq!(result.attempts, 1);
    }
}

/// A connection of HTTP/2 whose streams are all paused takes more of them.
#[test]
fn what_is_paused_leaves_its_connection_to_others() {
    let site = secure_site();
    let pool = pool_of(ms(0), 64, 64, 1);
    let options = options(|options| {
        options.ca_file = site.ca_file().map(Into::into);
        options.timeout = 4 * PATIENCE;
    });
    let job = |path: &str| {
        let url = site.https_url(path).expect("https");
        Job::request(url).options(Arc::clone(&options))
    };
    run(&stream(&pool), [job("/text")]);
    let large = stream(&pool);
    for _ in 0..AT_ONCE {
        submit(&large, job("/bytes/8000000"));
    }
    large.finish();
    for _ in 0..50 {
        run(&stream(&pool), [job("/text")])
            .iter()
            .for_each(assert_ok);
    }
    for result in drain(&large) {
        assert_ok(&result);
        assert_eq!(result.body.len(), 8_000_000);
    }
    assert_eq!(site.connections(), 1);
}
