//! The C API against httpbin, a server that others wrote to test clients with.
//!
//! httpbin comes from the Python package index, into an environment that is kept between runs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

mod support;

use support::c::{compile, root, run, ways};
use support::venv;

/// httpbin on a port of its own, until it is dropped: it ends with its standard input.
struct Httpbin {
    child: Child,
    url: String,
}

impl Httpbin {
    fn start(python: &Path) -> Self {
        let mut child = Command::new(python)
            .arg("-I") // nothing of this machine's own Python
            .arg(root().join("tests/httpbin/serve.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut port)
            .expect("a line");
        let port: u16 = port.trim().parse().expect("httpbin says its port");
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Httpbin {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // How it ends is nothing to tell.
        let _ = self.child.wait();
    }
}

#[test]
fn httpbin() {
    let Some(python) = venv::python("httpbin") else {
        return;
    };
    let httpbin = Httpbin::start(&python);
    for mut program in ways(&compile("tests/c/httpbin.c")) {
        run(program.arg(&httpbin.url), 0);
    }
}
