//! What the process around the library does: it forks, breaks pipes, sets clocks, unloads the
//! library, closes descriptors and runs out of them. The programs are those of `tests/c`.

mod support;

use std::process::Command;

use support::c::{compile, is_released, plain, run};
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

/// However much less memory there is than work, the process lives. It is the allocator of a release that
/// sees to that; of other builds it is the system's.
#[test]
fn exhausted() {
    if !is_released() {
        return;
    }
    let (site, faults) = (site(), faults());
    let program = compile("tests/c/exhausted.c");
    let limited = |what: &str, mib: usize| {
        let limit = format!("ulimit -S -v {} && exec \"$@\"", mib << 10);
        let mut shell = Command::new("sh");
        shell.args(["-c", &limit, "sh"]).arg(&program).arg(what);
        shell.args([site.url("/"), faults.url("/")]);
        // Else each thread of the system's allocator takes 64 MiB of what there may be.
        shell
            .env("MALLOC_ARENA_MAX", "1")
            .env("RUST_BACKTRACE", "0");
        run(&mut shell, 0)
    };
    let counts = (160..400).step_by(6).map(|mib| limited("load", mib));
    let reached = counts.filter(|said| said.contains("accepted")).count();
    assert!(reached >= 20, "{reached} of the limits let a pool be");
    for what in ["pages", "headers", "urls"] {
        for mib in (160..400).step_by(40) {
            limited(what, mib);
        }
        let said = limited(what, 240);
        assert!(!said.contains(" 0 times"), "{what}: {said}");
    }
}
