//! What the process around the library does: it forks, breaks pipes, sets clocks, unloads the
//! library, closes descriptors and runs out of them. The programs are those of `tests/c`.

mod support;

use support::c::{compile, plain, run};
use support::secure_site;

#[test]
fn fork() {
    let site = secure_site();
    let program = compile("tests/c/fork.c");
    let authority = site.ca_file().expect("it serves https");
    let secure = site.https_url("").expect("it serves https");
    run(
        plain(&program).args([site.url(""), secure]).arg(authority),
        0,
    );
}
