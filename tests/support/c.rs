//! Compiling and running the C programs of this repository.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the `librouet.so` that cargo built for this test: the test's own.
pub fn library_folder() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    let folder = test.parent().expect("target/PROFILE/deps");
    assert!(
        folder.join("librouet.so").exists(),
        "there is no {}/librouet.so",
        folder.display()
    );
    folder.to_owned()
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs a tool of the machine, and says what to do when it is not there.
pub fn output(command: &mut Command) -> Output {
    let name = command.get_program().to_owned();
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{name:?}: {error}; `scripts/setup test` installs what is missing"),
    }
}

/// The output of a command that has to come to the given exit status.
pub fn run(command: &mut Command, status: i32) -> String {
    let output = output(command);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{command:?} ended with {}:\n{text}{errors}",
        output.status
    );
    text.into_owned()
}

/// Compiles a C program of this repository against the header and the library.
pub fn compile(source: &str) -> PathBuf {
    // Tests that run at once have programs of their own.
    let test = std::thread::current()
        .name()
        .expect("a test's thread")
        .to_owned();
    let name = Path::new(source).file_stem().expect("a file");
    let program = scratch(&format!("{}-{test}", name.display()));
    let folder = library_folder();
    run(
        Command::new("cc")
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"])
            .args(["-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-pthread"])
            .arg("-I")
            .arg(root().join("include"))
            .arg(root().join(source))
            .arg("-o")
            .arg(&program)
            .arg("-L")
            .arg(&folder)
            .arg("-lrouet")
            // As DT_RPATH, which comes before cargo's LD_LIBRARY_PATH: that may have an older one.
            .arg(format!(
                "-Wl,--disable-new-dtags,-rpath,{}",
                folder.display()
            )),
        0,
    );
    program
}

/// The ways to run a program.
pub fn ways(program: &Path) -> Vec<Command> {
    let mut ways = vec![plain(program)];
    if cfg!(debug_assertions) {
        ways.push(valgrind(program));
    }
    ways
}

pub fn plain(program: &Path) -> Command {
    Command::new(program)
}

/// The program under valgrind: a bad access or a leak makes the exit status 9.
pub fn valgrind(program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
        .arg("--errors-for-leak-kinds=definite,possible")
        .arg("--show-leak-kinds=definite,possible")
        .arg(program);
    command
}
