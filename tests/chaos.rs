//! Everything at once and at random, through the C interface: `tests/c/chaos.c`, whose head says
//! what. Each failure prints the seed it came of; `ROUET_CHAOS_SEED` has it again, and
//! `ROUET_CHAOS_SECONDS` says how long the whole test takes.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rouet_site::{Options, Site};

mod support;

use support::c::{compile_with, is_released, plain};
use support::{closed_port, faults};

/// What a variable of the environment says.
fn asked(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is {value:?}: it is a number")))
}

/// Runs the program against servers of its own, and tells what it says as it says it.
fn chaos(mut program: Command, seed: u64, seconds: u64) {
    let site = Site::start(Options {
        tls: true,
        keep_log: false,
        ..Options::default()
    })
    .expect("a site");
    let faults = faults();
    program
        .arg(site.port().to_string())
        .arg(faults.port().to_string())
        .arg(closed_port().to_string())
        .arg(site.https_port().expect("it has one").to_string())
        .arg(site.ca_file().expect("it has one"))
        .args(["--seconds", &seconds.to_string()])
        .args(["--seed", &seed.to_string()])
        // What names a backtrace's places takes 70 MiB of memory, and keeps them.
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped());
    let mut child = program.spawn().expect("it starts");
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        println!("{}", line.expect("text"));
    }
    let status = child.wait().expect("it ends");
    assert!(status.success(), "it ended with {status}");
}

/// Half of the time with one seed, half with another; three minutes in all on the library as it is
/// released, 10 s on others. Seeds of each day's own are for `make soak`.
#[test]
fn whatever_happens_nothing_is_lost() {
    let program = compile_with("tests/c/chaos.c", "", &["-lm"]);
    let usual = if is_released() { 60 } else { 10 };
    let seconds = asked("ROUET_CHAOS_SECONDS").unwrap_or(usual);
    match asked("ROUET_CHAOS_SEED") {
        Some(seed) => chaos(plain(&program), seed, seconds),
        None => {
            chaos(plain(&program), 1, seconds.div_ceil(2));
            chaos(plain(&program), 2, seconds.div_ceil(2));
        }
    }
}
