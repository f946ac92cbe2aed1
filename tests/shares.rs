//! What a server that sends faster than it is read leaves to the others of its shard. The program is
//! `tests/c/share.c`.

mod support;

use support::c::{compile, plain, run};
use support::{faults, site};

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
        let line = run(command.env("LSAN_OPTIONS", "detect_leaks=0"), 0);
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
