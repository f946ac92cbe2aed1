//! Python packages to test against, each test's in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The `python` of an environment that has the requirements of `tests/NAME/requirements.txt` and
/// nothing else. It is made when it is not there and kept between runs, under `target/tmp`.
///
/// `None`: it had to be made and the package index can't be reached. That is said on stderr, and
/// is a failure when the environment variable `required` says `required`.
pub fn python(name: &str, required: &str) -> Option<PathBuf> {
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
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    assert!(
        made.status.success(),
        "python3 makes no virtual environment; `scripts/setup test` installs what it lacks:\n{}",
        said(&made)
    );
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
    let must = std::env::var(required).is_ok_and(|value| value == "required");
    assert!(
        unreachable && !must,
        "pip installs no {}:\n{said}",
        file.display()
    );
    eprintln!(
        "NOT COMPARED with {name}: the package index can't be reached ({required}=required makes \
         this a failure)"
    );
    None
}

fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!(
            "{:?}: {error}; `scripts/setup test` installs what is missing",
            command.get_program()
        ),
    }
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}
