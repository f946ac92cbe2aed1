//! `make install`, and what is built on it: the projects of `tests/consumers` are copied out of the
//! tree and know of rouet only what pkg-config or CMake tells them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use rouet_site::{Options, Site};

mod support;

use support::c::{root, run, scratch};

fn site() -> Site {
    Site::start(Options::default()).expect("the site starts")
}

/// A command that knows nothing of the libraries cargo built for these tests.
fn tool(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// `make GOAL` with these variables; one at a time, as they share a folder.
fn make(goal: &str, variables: &[(&str, &Path)]) -> String {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let mut command = tool("make");
    command.arg("-C").arg(root()).arg(goal);
    for (name, value) in variables {
        command.arg(format!("{name}={}", value.display()));
    }
    run(&mut command, 0)
}

/// A folder of this name that is not there yet.
fn fresh(name: &str) -> PathBuf {
    let folder = scratch(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// Where the library is installed for these tests.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = fresh("prefix");
        make("install", &[("PREFIX", &prefix)]);
        prefix
    })
}

fn copy(from: &Path, to: &Path) {
    run(tool("cp").arg("-a").arg(from).arg(to), 0);
}

/// The projects, in a folder of their own.
fn consumers(name: &str) -> PathBuf {
    let folder = fresh(&format!("consumers-{name}"));
    copy(&root().join("tests/consumers"), &folder);
    folder
}

/// Builds a project that asks pkg-config.
fn make_project(folder: &Path, prefix: &Path, pkg_config: &str) {
    run(
        tool("make")
            .arg("-C")
            .arg(folder)
            .env("PKG_CONFIG", pkg_config)
            .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")),
        0,
    );
}

fn cmake_project(folder: &Path, prefix: &Path) {
    let build = folder.join("build");
    let mut command = tool("cmake");
    command.arg("-S").arg(folder).arg("-B").arg(&build);
    run(
        command.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())),
        0,
    );
    run(tool("cmake").arg("--build").arg(&build), 0);
}

/// The librouet that a program would be run with.
fn loaded(program: &Path) -> Option<PathBuf> {
    let list = run(tool("ldd").arg(program), 0);
    let line = list.lines().find(|line| line.contains("librouet"))?;
    assert!(!line.contains("not found"), "{line}");
    Some(line.split_whitespace().nth(2).expect("a path").into())
}

fn gets(program: &Path, library: Option<PathBuf>) {
    let site = site();
    assert_eq!(loaded(program), library, "{}", program.display());
    let output = run(tool(program).arg(site.url("/bytes/1000")), 0);
    assert_eq!(output, "200 1000\n", "{}", program.display());
}

fn soname() -> String {
    format!("librouet.so.{}", rouet::ffi::POOL_ABI_VERSION)
}

fn files(folder: &Path) -> BTreeSet<String> {
    let list = run(
        tool("find")
            .arg(folder)
            .args(["!", "-type", "d", "-printf", "%P\n"]),
        0,
    );
    list.lines().map(str::to_owned).collect()
}

/// What is installed, but for the library's own file, and where.
fn expected(lib: &str) -> BTreeSet<String> {
    let headers = fs::read_dir(root().join("include")).expect("there are headers");
    let mut expected: BTreeSet<String> = headers
        .map(|header| header.expect("a header").file_name())
        .map(|name| format!("include/{}", name.to_str().expect("ASCII")))
        .collect();
    let library = [
        "librouet.a",
        "librouet.so",
        &soname(),
        "pkgconfig/rouet.pc",
        "cmake/rouet/rouet-config.cmake",
        "cmake/rouet/rouet-config-version.cmake",
    ]
    .map(|file| format!("{lib}/{file}"));
    expected.extend(library);
    expected.insert("share/man/man3/rouet.3".into());
    expected
}

#[test]
fn what_is_installed() {
    if !support::needs::tools(&["mandoc"]) {
        return;
    }
    let prefix = prefix();
    assert_eq!(files(prefix), expected("lib"));
    for header in fs::read_dir(root().join("include")).expect("there are headers") {
        let header = header.expect("a header");
        let installed = prefix.join("include").join(header.file_name());
        assert!(fs::read(header.path()).unwrap() == fs::read(installed).unwrap());
    }
    let library = prefix.join("lib/librouet.so");
    let tags = run(tool("readelf").arg("-d").arg(&library), 0);
    assert!(
        tags.contains(&format!("Library soname: [{}]", soname())),
        "{tags}"
    );
    // Both show the names of the header and no other.
    run(tool(root().join("scripts/exports")).arg(&library), 0);
    run(
        tool(root().join("scripts/exports")).arg(prefix.join("lib/librouet.a")),
        0,
    );
    let told = |what: &str| {
        let mut command = tool("pkg-config");
        command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
        run(command.args([what, "rouet"]), 0).trim().to_owned()
    };
    assert_eq!(told("--modversion"), env!("CARGO_PKG_VERSION"));
    assert_eq!(told("--cflags"), format!("-I{}/include", prefix.display()));
    assert_eq!(
        told("--libs"),
        format!("-L{}/lib -lrouet", prefix.display())
    );
    let page = prefix.join("share/man/man3/rouet.3");
    run(
        tool("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(&page),
        0,
    );
    let text = run(
        tool("mandoc")
            .args(["-T", "ascii"])
            .arg(&page)
            .env("MANWIDTH", "80"),
        0,
    );
    for words in [
        "pool_submit(pool, &job, 0);",
        "POOL_AGAIN",
        "retry_max_wait",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn destdir_and_libdir_hold_and_uninstall_leaves_nothing() {
    if !support::needs::tools(&["cmake"]) {
        return;
    }
    let destination = fresh("destination");
    let machine = run(tool("cc").arg("-dumpmachine"), 0);
    let lib = format!("lib/{}", machine.trim()); // where Debian has its libraries
    let libdir = Path::new("/usr").join(&lib);
    let places = [
        ("DESTDIR", destination.as_path()),
        ("PREFIX", Path::new("/usr")),
        ("LIBDIR", &libdir),
    ];
    make("install", &places);
    assert_eq!(files(&destination.join("usr")), expected(&lib));
    let installed = destination.join("usr").join(&lib);
    let said = fs::read_to_string(installed.join("pkgconfig/rouet.pc")).unwrap();
    assert!(said.starts_with("prefix=/usr\n"), "{said}");
    assert!(
        said.contains(&format!("\nlibdir=${{prefix}}/{lib}\n")),
        "{said}"
    );
    // What is there can be used from there.
    let folder = consumers("destination").join("cmake");
    cmake_project(&folder, &destination.join("usr"));
    gets(&folder.join("build/get"), Some(installed.join(soname())));
    make("uninstall", &places);
    assert_eq!(files(&destination), BTreeSet::new());
}

#[test]
fn a_project_of_make_and_pkg_config() {
    let folder = consumers("make").join("make");
    make_project(&folder, prefix(), "pkg-config");
    gets(
        &folder.join("get"),
        Some(prefix().join("lib").join(soname())),
    );
}

#[test]
fn a_project_that_links_the_static_library() {
    let folder = consumers("static").join("static");
    make_project(&folder, prefix(), "pkg-config");
    gets(&folder.join("get"), None);
}

#[test]
fn a_project_of_cmake() {
    if !support::needs::tools(&["cmake"]) {
        return;
    }
    let folder = consumers("cmake").join("cmake");
    cmake_project(&folder, prefix());
    gets(
        &folder.join("build/get"),
        Some(prefix().join("lib").join(soname())),
    );
    gets(&folder.join("build/get-static"), None);
}

#[test]
fn cmake_s_package_knows_its_version() {
    if !support::needs::tools(&["cmake"]) {
        return;
    }
    let folder = consumers("version").join("cmake");
    let project = fs::read_to_string(folder.join("CMakeLists.txt")).unwrap();
    for (version, accepted) in [
        ("0.1.0", true),
        ("0.0.9", true),
        ("0.2", false),
        ("1", false),
    ] {
        let asks = project.replace("rouet 0.1 ", &format!("rouet {version} "));
        fs::write(folder.join("CMakeLists.txt"), asks).unwrap();
        let mut command = tool("cmake");
        command
            .arg("-S")
            .arg(&folder)
            .arg("-B")
            .arg(folder.join("build"));
        command.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display()));
        run(&mut command, if accepted { 0 } else { 1 });
    }
}

/// A prefix can be moved, where the tool that tells of it asks where it is.
#[test]
fn a_prefix_that_was_moved() {
    if !support::needs::tools(&["cmake"]) {
        return;
    }
    let moved = fresh("moved");
    copy(prefix(), &moved);
    let folder = consumers("moved");
    let library = Some(moved.join("lib").join(soname()));
    make_project(&folder.join("make"), &moved, "pkg-config --define-prefix");
    gets(&folder.join("make/get"), library.clone());
    cmake_project(&folder.join("cmake"), &moved);
    gets(&folder.join("cmake/build/get"), library);
}

/// A program with a libcurl of its own keeps it, however it is linked.
#[test]
fn beside_another_libcurl() {
    if !support::needs::library("libcurl") {
        return;
    }
    let site = site();
    let folder = consumers("two-curls").join("two-curls");
    make_project(&folder, prefix(), "pkg-config");
    for program in [
        "both",
        "both-curl-first",
        "both-static",
        "both-static-curl-first",
    ] {
        run(tool(folder.join(program)).arg(site.url("/bytes/1000")), 0);
    }
    let (library, copied) = (prefix().join("lib/librouet.so"), folder.join("copy.so"));
    fs::copy(&library, &copied).expect("a copy");
    run(
        tool(folder.join("loads"))
            .arg(library)
            .arg(copied)
            .arg(site.url("/bytes/1000")),
        0,
    );
}

/// The Go binding, as a program finds it that is not in the tree.
#[test]
fn the_go_binding_by_pkg_config() {
    if !support::needs::tools(&["go"]) {
        return;
    }
    let site = site();
    let program = scratch("throughput-go");
    run(
        tool("go")
            .current_dir(root().join("bindings/go"))
            .args(["build", "-tags", "rouet_pkgconfig", "-o"])
            .arg(&program)
            .arg("./examples/throughput")
            .env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"))
            .env(
                "CGO_LDFLAGS",
                format!("-Wl,-rpath,{}/lib", prefix().display()),
            ),
        0,
    );
    assert_eq!(loaded(&program), Some(prefix().join("lib").join(soname())));
    let line = run(tool(&program).args(["20", "2", &site.url("/text")]), 0);
    assert!(line.starts_with("20 requests, 0 errors"), "{line}");
}

/// What the README says of installing, to the letter.
#[test]
fn the_readme_s_way_from_installing_to_a_program() {
    let site = site();
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    let block = |from: &str, kind: &str| {
        let rest = readme.split_once(from).expect("the section").1;
        let rest = rest.split_once(&format!("```{kind}\n")).expect("a block").1;
        rest.split_once("```").expect("an end").0.to_owned()
    };
    let folder = fresh("readme-install");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("first.c"), block("## Thirty lines of C", "c")).expect("written");
    let commands = block("## Install", "sh");
    let (install, compile) = commands.split_once('\n').expect("two commands");
    assert_eq!(install, "make install PREFIX=$HOME/.local");
    let commands = compile
        .replace("$HOME/.local", prefix().to_str().expect("UTF-8"))
        .replace("example.com", &site.url("/bytes/1000"));
    let output = run(
        tool("sh")
            .args(["-e", "-c", &commands])
            .current_dir(&folder),
        0,
    );
    let line = format!("200 {} 1000 bytes\n", site.url("/bytes/1000"));
    assert_eq!(output, line.repeat(2), "shared, then static: {commands}");
}
