//! What `scripts/setup` decides, on machines and archives that are made up: nothing is installed, and
//! nothing beyond a folder of the test's own is looked at. `scripts/fresh` has the real systems.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a bare system has; a script needs no more to find out what is missing.
const BASE: &[&str] = &[
    "cat", "chmod", "cut", "dirname", "env", "grep", "head", "mkdir", "rm", "sed", "sh", "sort",
    "tr", "uname",
];

/// What `build` needs besides Rust.
const COMPILERS: &str = "gcc libc6-dev make pkg-config libssl-dev zlib1g-dev";

/// A machine: its programs, and what its archive offers.
struct Machine {
    folder: PathBuf,
    archive: BTreeMap<&'static str, &'static str>,
}

impl Machine {
    /// With nothing but the certificates that a clone needs; the user is root.
    fn new() -> Self {
        let test = std::thread::current();
        let name = test.name().expect("a test");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("setup")
            .join(name);
        let _ = fs::remove_dir_all(&folder);
        for part in ["bin", "home", "project/scripts", "system/etc/ssl/certs"] {
            fs::create_dir_all(folder.join(part)).expect("a folder");
        }
        fs::write(folder.join("system/etc/ssl/certs/ca-certificates.crt"), "").expect("a file");
        for script in ["setup", "tools"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
            fs::copy(
                source.join(script),
                folder.join("project/scripts").join(script),
            )
            .expect("a script");
        }
        for tool in BASE {
            let real = ["/usr/bin", "/bin"]
                .map(|bin| Path::new(bin).join(tool))
                .into_iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| panic!("this machine has no {tool}"));
            symlink(real, folder.join("bin").join(tool)).expect("a link");
        }
        let machine = Self {
            folder,
            archive: BTreeMap::new(),
        };
        machine.program("id", "echo 0");
        // Each notes what it was asked for.
        machine.program("apt-get", "echo \"apt-get $*\" >>\"$ROUET_SYSTEM/../done\"");
        machine.program(
            "apt-cache",
            "archive=$ROUET_SYSTEM/../archive
             while [ \"$1\" = -o ]; do shift 2; done
             case $1 in
             pkgnames) sed -n \"s/^\\($2[^ ]*\\) .*/\\1/p\" \"$archive\" ;;
             policy) sed -n \"s/^$2 \\(.*\\)/  Candidate: \\1/p\" \"$archive\" ;;
             esac",
        );
        machine
    }

    fn offers(mut self, packages: &[(&'static str, &'static str)]) -> Self {
        self.archive.extend(packages.iter().copied());
        self
    }

    /// Puts a program on the PATH.
    fn program(&self, name: &str, does: &str) {
        self.file(&format!("bin/{name}"), does);
    }

    /// Puts a program anywhere in the machine's folder.
    fn file(&self, path: &str, does: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, format!("#!/bin/sh\n{does}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("allowed");
    }

    /// What `build` needs besides Rust is there.
    fn with_compilers(self) -> Self {
        for name in ["cc", "make", "pkg-config"] {
            self.program(name, "exit 0");
        }
        self
    }

    fn with_rust(self, version: &str) -> Self {
        self.program("cargo", &format!("echo cargo {version}"));
        self.program("rustc", &format!("echo rustc {version}"));
        self
    }

    fn setup(&self, arguments: &[&str]) -> Output {
        let archive: String = self
            .archive
            .iter()
            .map(|(name, version)| format!("{name} {version}\n"))
            .collect();
        fs::write(self.folder.join("archive"), archive).expect("written");
        Command::new(self.folder.join("project/scripts/setup"))
            .args(arguments)
            .env_clear()
            .env("PATH", self.folder.join("bin"))
            .env("HOME", self.folder.join("home"))
            .env("ROUET_SYSTEM", self.folder.join("system"))
            .stdin(std::process::Stdio::null())
            .output()
            .expect("a shell")
    }

    /// What would be done.
    fn plan(&self, level: &str) -> String {
        let output = self.setup(&["--plan", level]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(self.done(), "", "a plan does nothing");
        said(&output)
    }

    /// What was done, and asked of others.
    fn done(&self) -> String {
        fs::read_to_string(self.folder.join("done")).unwrap_or_default()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// The one command.
fn command(plan: &str) -> &str {
    let line = plan
        .lines()
        .map(|line| line.trim_start_matches("setup:").trim())
        .find(|line| line.starts_with("apt-get"));
    let line = line.unwrap_or_else(|| panic!("no command: {plan}"));
    let (update, install) = line.split_once("; ").expect("two steps");
    assert_eq!(update, "apt-get -q update");
    install
        .strip_prefix(
            "DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends ",
        )
        .expect("it installs")
}

fn debian_12() -> Machine {
    Machine::new().offers(&[
        ("gcc", "4:12.2.0-3"),
        ("cargo", "0.66.0+ds1-1"),
        ("cargo-web", "1.96.0+dfsg1-1~deb12u2"),
        ("golang-go", "2:1.19~1"),
        ("golang-1.19-go", "1.19.8-2"),
        ("nodejs", "18.20.4+dfsg-1~deb12u2"),
    ])
}

#[test]
fn debian_12_has_rust_under_another_name_and_neither_go_nor_node() {
    let machine = debian_12();
    let build = machine.plan("build");
    assert_eq!(command(&build), format!("{COMPILERS} cargo-web rustc-web"));
    let test = machine.plan("test");
    let packages: Vec<_> = command(&test).split(' ').collect();
    assert!(
        packages.ends_with(&["cargo-web", "rustc-web", "golang-go"]),
        "{test}"
    );
    assert!(
        test.contains("downloads Go 1.24.13 as a module into .tools"),
        "{test}"
    );
    assert!(
        test.contains("installs Node 22.20.0 from the Python package index"),
        "{test}"
    );
    // One sentence a thing: what, which packages, why.
    assert!(
        test.contains("setup: no valgrind: needs valgrind, to test the C interface"),
        "{test}"
    );
}

#[test]
fn a_tilde_in_a_version_is_no_older() {
    let machine = Machine::new().offers(&[
        ("gcc", "4:14.2.0-1"),
        ("cargo", "1.85.1+dfsg1-1+deb13u1"),
        ("cargo-web", "1.96.0+dfsg1-1~deb13u1+b1"),
        ("rustup", "1.27.1-3+b1"),
        ("golang-go", "2:1.24~2"),
        ("nodejs", "20.19.2+dfsg-1+deb13u3"),
    ]);
    let packages = machine.plan("test");
    let end = ["cargo-web", "rustc-web", "golang-go", "nodejs", "npm"];
    assert!(command(&packages).ends_with(&end.join(" ")), "{packages}");
}

#[test]
fn the_newest_of_the_versioned_packages_is_taken() {
    let machine = Machine::new().offers(&[
        ("gcc", "4:11.2.0-1ubuntu1"),
        ("cargo", "1.75.0+dfsg0ubuntu1~bpo0-0ubuntu0.22.04.1"),
        ("cargo-1.85", "1.85.1"),
        ("cargo-1.91", "1.91.1+dfsg~22.04-0ubuntu0.22.04.3"),
        ("cargo-1.91-doc", "1.91.1+dfsg~22.04-0ubuntu0.22.04.3"),
        ("rustup", "1.26.0-5ubuntu0.1"),
        ("golang-go", "2:1.18~0ubuntu2"),
        ("golang-1.9-go", "1.9.1"),
        ("golang-1.24-go", "1.24.13"),
        ("golang-1.26-go", "1.26.8"),
        ("nodejs", "12.22.9~dfsg-1ubuntu3.6"),
    ]);
    let packages = machine.plan("test");
    assert!(
        command(&packages).ends_with("cargo-1.91 rustc-1.91 golang-1.26-go"),
        "{packages}"
    );
}

#[test]
fn what_is_there_is_found_by_its_path() {
    let machine = debian_12().with_compilers().with_rust("1.75.0");
    machine.file("system/usr/lib/rust-1.80/bin/cargo", "echo cargo 1.80.1");
    machine.file("system/usr/lib/rust-1.97/bin/cargo", "echo cargo 1.97.1");
    assert_eq!(machine.plan("build"), "", "nothing is missing");
}

#[test]
fn a_user_s_own_rust_is_not_taken_away() {
    let machine = debian_12().with_compilers().with_rust("0.66.0");
    machine.program("dpkg-query", "[ \"$4\" != rustc ] || printf installed");
    let plan = machine.plan("build");
    assert!(!plan.contains("cargo-web"), "it would remove rustc: {plan}");
    assert!(
        plan.contains("downloads rustup's toolchain 1.95.0 into .tools"),
        "{plan}"
    );
}

/// Its default, and rustup itself, stay as they are.
#[test]
fn a_user_s_rustup_gets_one_toolchain_more() {
    let machine = debian_12().with_compilers();
    machine.program(
        "rustup",
        "echo \"rustup $*\" >>\"$ROUET_SYSTEM/../done\"
         case $1 in
         toolchain) case $2 in
             list) [ ! -e \"$ROUET_SYSTEM/new\" ] || echo 1.95.0-x86_64-unknown-linux-gnu ;;
             install) mkdir -p \"$ROUET_SYSTEM/new\" ;;
             esac ;;
         run) echo cargo 1.95.0 ;;
         esac",
    );
    let output = machine.setup(&["build"]);
    assert!(output.status.success(), "{}", said(&output));
    let installs: Vec<_> = machine.done().lines().map(str::to_owned).collect();
    let installs: Vec<_> = installs
        .iter()
        .filter(|line| line.contains("install"))
        .collect();
    assert_eq!(
        installs,
        ["rustup toolchain install 1.95.0 --profile minimal --no-self-update"]
    );
    assert!(!machine.done().contains("default"), "{}", machine.done());
}

#[test]
fn without_rights_the_one_command_is_told() {
    let machine = debian_12();
    machine.program("id", "echo 1000");
    let output = machine.setup(&["build"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let said = said(&output);
    assert!(
        said.contains("that needs root, and there is no sudo. Ask who may to run:"),
        "{said}"
    );
    assert_eq!(command(&said), format!("{COMPILERS} curl"));
    assert!(
        said.contains("Nothing goes on without: C compiler, make,"),
        "{said}"
    );
    assert_eq!(machine.done(), "");
}

#[test]
fn what_only_tests_need_does_not_stop_a_user() {
    let machine = debian_12().with_compilers().with_rust("1.95.0");
    machine.program("id", "echo 1000");
    machine.program("python3", "exit 0");
    machine.program("go", "echo go version go1.26.0 linux/amd64");
    machine.program("node", "echo v22.1.0");
    machine.program("npm", "exit 0");
    let output = machine.setup(&["test"]);
    assert!(output.status.success(), "{}", said(&output));
    let said = said(&output);
    assert!(command(&said).contains(" valgrind "), "{said}");
    assert!(said.contains("goes on without them"), "{said}");
    assert_eq!(machine.done(), "");
}

/// Checking licences is worth ten seconds of setting up, but stops nobody.
#[test]
fn cargo_deny_is_had_where_it_can_be() {
    let machine = debian_12().with_compilers().with_rust("1.95.0");
    for tool in ["doxygen", "mandoc", "rustup"] {
        machine.program(tool, "exit 0");
    }
    let plan = machine.plan("lint");
    assert!(
        plan.contains("no cargo-deny: installs 0.20.2 from the Python package index into .tools"),
        "{plan}"
    );
    assert_eq!(command(&plan), "python3 python3-venv");
    // There is no Python in the end, and no way to install it.
    machine.program("id", "echo 1000");
    let output = machine.setup(&["lint"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("cargo-deny can't be had from here: goes on without it"),
        "{}",
        said(&output)
    );
    machine.program("cargo-deny", "exit 0");
    assert_eq!(machine.plan("lint"), "", "nothing is missing");
}

#[test]
fn sudo_is_asked_once() {
    let machine = debian_12();
    machine.program("id", "echo 1000");
    machine.program(
        "sudo",
        "[ \"$1\" = -n ] || echo \"sudo\" >>\"$ROUET_SYSTEM/../done\"
         [ \"$1\" = -n ] || exec \"$@\"",
    );
    // It installs nothing, so that Rust is missing afterwards, which is said.
    let output = machine.setup(&["build"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("there is no Rust 1.91"),
        "{}",
        said(&output)
    );
    let done = machine.done();
    assert_eq!(done.matches("sudo").count(), 1, "{done}");
    assert!(
        done.starts_with("sudo\napt-get -q update\napt-get -q install -y"),
        "{done}"
    );
}

/// A container has no lists of packages: they are had first, to choose by.
#[test]
fn without_lists_of_packages_they_are_had_first() {
    let machine = Machine::new();
    machine.program(
        "apt-get",
        "case \"$*\" in
         *update*) echo 'gcc 1
cargo-1.97 1.97.1' >\"$ROUET_SYSTEM/../archive\" ;;
         esac",
    );
    let output = machine.setup(&["--plan", "build"]);
    let said = said(&output);
    assert!(
        said.contains("there are no lists of packages yet"),
        "{said}"
    );
    assert_eq!(command(&said), format!("{COMPILERS} cargo-1.97 rustc-1.97"));
}

#[test]
fn a_mistake_in_the_call_is_one() {
    let output = Machine::new().setup(&["everything"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).starts_with("Usage: scripts/setup"),
        "{}",
        said(&output)
    );
}
