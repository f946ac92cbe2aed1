//! Python packages to test against, each test's in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::needs;

/// The `python` of an environment that has the requirements of `tests/NAME/requirements.txt` and
/// nothing else. It is made when it is not there and kept between runs, under `target/tmp`.
///
/// `None`: there is no Python for it, or the package index can't be reached; the test is skipped.
pub fn python(name: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{name}/requirements.txt"));
    let wanted = fs::read_to_string(&file).expect("the requirements");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{name}"));
    let python = folder.join("bin/python");
    // Written last: an environment that was left half made is made anew.
    let done = folder.join("installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Some(python);
    }
    let _ = fs::remove_dir_all(&folder);
    if !needs::tools(&["python3"]) {
        return None;
    }
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    if !made.status.success() {
        needs::skip("needs Python's venv, which scripts/setup test installs");
        return None;
    }
    let installed = run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--no-input"])
        .args(["--timeout", "10", "--retries", "1", "--requirement"])
        .arg(&file));
    if installed.status.success() {
        fs::write(&done, &wanted).expect("noted");
        return Some(python);
    }
    let said = said(&installed);
    // pip has no status of its own for this. It warns when it tries again, and so it always does.
    let unreachable = said.contains("Retrying (Retry(");
    assert!(unreachable, "pip installs no {}:\n{said}", file.display());
    needs::skip(&format!(
        "needs {name}, of the Python package index, which can't be reached"
    ));
    None
}

fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}
