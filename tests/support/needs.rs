//! What a test needs that a machine may not have: then the test is skipped, and that is said and
//! counted (`scripts/test`). With `ROUET_TEST_ALL=1` it fails instead.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Whether these programs are on the machine. If one is not, the test is to return at once.
#[must_use]
pub fn tools(names: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Users who are not root may not have the second in their path.
    let folders: Vec<_> = std::env::split_paths(&path)
        .chain([Path::new("/usr/sbin").to_owned()])
        .collect();
    let is_there = |name: &&&str| folders.iter().any(|folder| folder.join(name).is_file());
    match names.iter().find(|name| !is_there(name)) {
        None => true,
        Some(missing) => {
            skip(&format!(
                "needs {missing}, which scripts/setup test installs"
            ));
            false
        }
    }
}

/// Whether a library of C can be linked with. If it can't, the test is to return at once.
#[must_use]
pub fn library(name: &str) -> bool {
    let found = Command::new("pkg-config").args(["--exists", name]).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        skip(&format!(
            "needs {name}'s headers, which scripts/setup test installs"
        ));
    }
    is_there
}

/// Says that this test, or a part of it, is skipped, and why.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let all = std::env::var_os("ROUET_TEST_ALL").is_some_and(|all| all == "1");
    assert!(!all, "ROUET_TEST_ALL=1, and {test} {why}");
    // Past what keeps back the output of tests that pass. One write, as tests run side by side.
    let line = format!("skipped: test {test} {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
