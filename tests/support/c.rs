//! Compiling and running the C and C++ programs of this repository.

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::needs;

/// The library to test, if it is not the one that cargo built for this test: one as it is released.
fn given_library() -> Option<PathBuf> {
    std::env::var_os("ROUET_LIBRARY").map(PathBuf::from)
}

/// Whether the programs run on a library as it is released.
pub fn is_released() -> bool {
    !cfg!(debug_assertions) || given_library().is_some()
}

/// The sanitizer that is in the given library and has to be in the programs, if any: `address` or
/// `thread`. See `scripts/sanitize`.
fn sanitizer() -> Option<String> {
    std::env::var("ROUET_SANITIZER").ok()
}

/// What puts it into a program.
fn sanitizing(kind: &String) -> Vec<OsString> {
    let mut flags = vec![format!("-fsanitize={kind}").into()];
    if kind == "thread" {
        flags.push(root().join("tests/support/tsan.c").into());
    }
    flags
}

/// The folder of the `librouet.so` that the programs run on.
pub fn library_folder() -> PathBuf {
    let beside =
        given_library().unwrap_or_else(|| std::env::current_exe().expect("this test is a file"));
    let folder = beside.parent().expect("a file is in a folder");
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

/// Compiles a C or C++ program of this repository against the header and the library.
pub fn compile(source: &str) -> PathBuf {
    compile_with(source, "", &[])
}

/// The same, with more flags; `mark` tells the program from others of that source.
pub fn compile_with(source: &str, mark: &str, flags: &[&str]) -> PathBuf {
    // Tests that run at once have programs of their own.
    let test = std::thread::current()
        .name()
        .expect("a test's thread")
        .to_owned();
    let name = Path::new(source).file_stem().expect("a file");
    let program = scratch(&format!("{}-{test}{mark}", name.display()));
    let folder = library_folder();
    let mut compiler;
    if source.ends_with(".cpp") {
        compiler = Command::new("g++");
        compiler.args(["-std=c++17", "-Wconversion", "-Wshadow"]);
    } else {
        compiler = Command::new("cc");
        compiler.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L"]);
    }
    run(
        compiler
            .args(["-Wall", "-Wextra", "-Werror", "-pedantic"])
            .args(["-O1", "-g", "-pthread"])
            .arg("-I")
            .arg(root().join("include"))
            .arg(root().join(source))
            .arg("-o")
            .arg(&program)
            .arg("-L")
            .arg(&folder)
            // A program that only loads the library can unload it.
            .args(["-Wl,--as-needed", "-lrouet"])
            .args(flags)
            .args(sanitizer().iter().flat_map(sanitizing))
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
    if !is_released() && needs::tools(&["valgrind"]) {
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
        .arg(concat!(
            "--suppressions=",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/c/valgrind.supp"
        ))
        .arg(program);
    command
}

/// The program of a source in all its ways: those of `ways`, and under the sanitizers for addresses,
/// leaks and undefined behaviour, which see the program's own code.
pub fn all_ways(source: &str, flags: &[&str]) -> Vec<Command> {
    let mut all = ways(&compile_with(source, "", flags));
    if sanitizer().is_none() {
        all.push(sanitized(source, flags));
    }
    all
}

/// The program with sanitizers compiled in: what they find makes the exit status 9.
fn sanitized(source: &str, flags: &[&str]) -> Command {
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = compile_with(source, "-sanitized", &[&sanitizers[..], flags].concat());
    let mut command = Command::new(program);
    command
        .env("ASAN_OPTIONS", "exitcode=9:detect_leaks=1")
        .env("UBSAN_OPTIONS", "exitcode=9:print_stacktrace=1");
    command
}

/// A command's input and what it writes there.
pub fn feed(command: &mut Command, input: impl AsRef<[u8]>) -> Child {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut pipe = child.stdin.take().expect("a pipe");
    // A program that does not want it may have ended already.
    if let Err(error) = pipe.write_all(input.as_ref()) {
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{command:?}");
    }
    child
}

/// What a child writes, until it ends with the given exit status.
pub fn finished(child: Child, status: i32) -> String {
    said(child, status).0
}

/// The same, and what it writes to standard error.
pub fn said(child: Child, status: i32) -> (String, String) {
    let output = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{errors}");
    let text = String::from_utf8(output.stdout).expect("the report is UTF-8");
    (text, errors)
}

/// Interrupts a program, as Ctrl-C does.
pub fn interrupt(child: &Child) {
    let kill = format!("kill -INT {}", child.id());
    run(Command::new("sh").args(["-c", &kill]), 0);
}
