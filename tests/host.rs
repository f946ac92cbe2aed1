//! What the process around the library does: it forks, breaks pipes, sets clocks, unloads the
//! library, closes descriptors and runs out of them. The programs are those of `tests/c`.

mod support;

use support::c::{compile, plain, run};
use support::wire::{Fault, Wire};
use support::{faults, secure_site, site};

#[test]
fn fork() {
    let site = secure_site();
    let program = compile("tests/c/fork.c");
    let authority = site.ca_file().expect("it serves https");
    let secure = site.https_url("").expect("it serves https");
    let forks = || {
        let mut program = plain(&program);
        program.args([site.url(""), secure.clone()]).arg(authority);
        // Children can't free what they inherit.
        program.env("LSAN_OPTIONS", "detect_leaks=0");
        program
    };
    run(&mut forks(), 0);
    for after in (0..30_000).step_by(500) {
        run(forks().arg(after.to_string()), 0);
    }
}

#[test]
fn starved() {
    let site = site();
    let program = compile("tests/c/starved.c");
    // With a sanitizer, the places in a backtrace take longer to name than a result may take.
    let mut program = plain(&program);
    run(program.env("RUST_BACKTRACE", "0").arg(site.url("")), 0);
}

#[test]
fn clock() {
    let site = site();
    let program = compile("tests/c/clock.c");
    run(plain(&program).arg(site.url("")), 0);
}

#[test]
fn pipes() {
    let (site, faults) = (secure_site(), faults());
    let cut = |fault| Wire::to(site.https_port().expect("it serves https"), fault).url("/echo");
    let program = compile("tests/c/pipes.c");
    run(
        plain(&program)
            .arg(site.ca_file().expect("it serves https"))
            .args([faults.url("/reset"), faults.url("/close")])
            .args([cut(Fault::CutAfterRequest), cut(Fault::ResetHandshake)]),
        0,
    );
}

#[test]
fn broken() {
    let site = site();
    let program = compile("tests/c/broken.c");
    run(plain(&program).arg(site.url("")), 0);
}

/// However the process ends while TLS runs, it ends, and with its own status.
#[test]
fn exit() {
    let site = secure_site();
    let program = compile("tests/c/exit.c");
    let authority = site.ca_file().expect("it serves https");
    let secure = site.https_url("").expect("it serves https");
    for way in [
        "return",
        "thread",
        "throttle_fn",
        "consumer",
        "worker",
        "late",
    ] {
        for round in 0..30 {
            let mut program = plain(&program);
            program.arg(&secure).arg(authority).arg(way);
            program.arg((round * 3_300).to_string());
            // OpenSSL is the program's too, unless it is built in.
            let first = round % 2 == 0 && !cfg!(feature = "static-ssl");
            program.args(first.then_some("first"));
            // What is under way is not freed.
            program.env("LSAN_OPTIONS", "detect_leaks=0");
            run(&mut program, 7);
        }
    }
}

#[test]
fn memory() {
    let (site, faults) = (site(), faults());
    let program = compile("tests/c/memory.c");
    let mut program = plain(&program);
    // With its names, a backtrace takes more memory than there is.
    program.env("RUST_BACKTRACE", "0");
    run(
        program.args([faults.url("/body-chunks"), site.url("/text")]),
        0,
    );
}
