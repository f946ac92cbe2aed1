//! What a program that was compiled earlier relies on: `docs/abi.md` has the rules. `abi/VERSION`
//! holds the header as that version declares it, and libabigail's record of it; `make abi` writes
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rouet_site::{Options, Site};

mod support;

use support::c::{library_folder, output, root, run, scratch, ways};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The header of the tree, as the compiler sees it.
fn header() -> String {
    declarations(&fs::read_to_string(root().join("include/rouet.h")).expect("a header"))
}

/// A header without its comments and empty lines.
fn declarations(header: &str) -> String {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code += before;
        rest = comment.split_once("*/").expect("a comment that ends").1;
    }
    code += rest;
    code.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .fold(String::new(), |code, line| code + line + "\n")
}

/// The versions that are recorded.
fn recorded() -> Vec<String> {
    let folders = fs::read_dir(root().join("abi")).expect("there is abi/");
    folders
        .map(|folder| folder.expect("a folder").file_name())
        .map(|name| name.into_string().expect("ASCII"))
        .collect()
}

fn record(version: &str, file: &str) -> String {
    let path = root().join("abi").join(version).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn abi_version(header: &str) -> &str {
    let line = header
        .split_once("#define POOL_ABI_VERSION ")
        .expect("it is there")
        .1;
    line.split_once('\n').expect("a line").0
}

/// What a header declares.
#[derive(Default)]
struct Interface {
    /// Constants, functions, and types without entries, each as it is declared.
    declarations: BTreeSet<String>,
    /// The entries of each enum and struct, by its name.
    lists: BTreeMap<String, Vec<String>>,
}

fn interface(header: &str) -> Interface {
    let mut interface = Interface::default();
    let mut statement = String::new();
    for line in header.lines() {
        if line.starts_with('#') || line == "extern \"C\" {" || line == "}" {
            // These two constants are there to change.
            let there_to_change = ["#define POOL_VERSION ", "#define POOL_ABI_VERSION "];
            if line.starts_with("#define POOL_")
                && !there_to_change.iter().any(|at| line.starts_with(at))
            {
                interface.declarations.insert(line.to_owned());
            }
            continue;
        }
        statement = format!("{statement} {}", line.trim());
        if !line.ends_with(';') || statement.matches(['{', '}']).count() % 2 == 1 {
            continue;
        }
        let text = std::mem::take(&mut statement);
        let text = text.trim().trim_end_matches(';');
        match text.split_once('{') {
            Some((_, rest)) => {
                let (entries, name) = rest.rsplit_once('}').expect("a list that ends");
                let entries = entries
                    .split([',', ';'])
                    .map(|entry| entry.trim().to_owned());
                let entries = entries.filter(|entry| !entry.is_empty()).collect();
                interface.lists.insert(name.trim().to_owned(), entries);
            }
            None => assert!(interface.declarations.insert(text.to_owned()), "{text}"),
        }
    }
    assert_eq!(statement, "", "a statement that does not end");
    interface
}

/// The size of each of these types.
fn sizes(header: &str, types: &[&String]) -> Vec<String> {
    let mut source = format!("{header}\n#include <stdio.h>\nint main(void) {{\n");
    for name in types {
        source += &format!("printf(\"%zu\\n\", sizeof({name}));\n");
    }
    let program = build("sizes", &(source + "return 0; }\n"), &[]);
    run(&mut Command::new(program), 0)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Compiles a source; the test's name keeps files of tests that run at once apart.
fn build(name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let thread = std::thread::current();
    let test = thread.name().expect("a test's thread");
    let file = scratch(&format!("abi-{test}-{name}"));
    fs::write(file.with_extension("c"), source).expect("written");
    let mut cc = Command::new("cc");
    cc.arg(file.with_extension("c"))
        .arg("-o")
        .arg(&file)
        .args(arguments);
    run(&mut cc, 0);
    file
}

/// What of `old` is no longer so in `new`, and what is new there.
fn compare(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
    let (before, after) = (interface(old), interface(new));
    let without = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).cloned().collect()
    };
    let gone = without(&before.declarations, &after.declarations);
    let mut broken: Vec<String> = gone
        .iter()
        .map(|text| format!("gone or changed: {text}"))
        .collect();
    let mut added = without(&after.declarations, &before.declarations);
    for (name, entries) in &after.lists {
        match before.lists.get(name) {
            None => added.push(name.clone()),
            Some(known) if known == entries => {}
            Some(known) => {
                let is_enum = entries.iter().all(|entry| entry.starts_with("POOL_"));
                let stays = match is_enum {
                    true => known.iter().all(|entry| entries.contains(entry)),
                    false => entries.starts_with(known),
                };
                let [was, is] = [old, new].map(|header| sizes(header, &[name]));
                if !stays {
                    broken.push(format!("what {name} had is gone or changed"));
                } else if is_enum {
                    added.push(format!("values of {name}"));
                } else if entries[0] != "size_t struct_size" {
                    broken.push(format!("{name} grew, but has no struct_size to tell by"));
                } else if was == is {
                    broken.push(format!(
                        "the field added to {name} hides in its padding: its size is {} as before, \
                         so programs that do not have the field can't be told from those that do; \
                         add one that makes it longer",
                        is[0]
                    ));
                } else {
                    added.push(format!("fields of {name}"));
                }
            }
        }
    }
    for name in before
        .lists
        .keys()
        .filter(|name| !after.lists.contains_key(*name))
    {
        broken.push(format!("{name} is gone"));
    }
    (broken, added)
}

/// libabigail's record of what a header declares. It is taken from a library of C that defines the
/// functions and does nothing: what the compiler says of the Rust one has the names of Rust, and
/// changes with the compiler. That they agree is what tests/header and scripts/exports see to.
fn abidw(header: &str) -> String {
    let (types, functions) = header.split_once("extern \"C\" {\n").expect("functions");
    let soname = format!("-Wl,-soname,librouet.so.{}", abi_version(header));
    let source = format!(
        "{types}extern \"C\" {{\n{}",
        functions.replace(");\n", ") { __builtin_trap(); }\n")
    );
    let library = build(
        "library",
        &source,
        &["-g", "-w", "-shared", "-fPIC", &soname],
    );
    let mut command = Command::new("abidw");
    command.args([
        "--no-architecture",
        "--no-corpus-path",
        "--no-comp-dir-path",
        "--no-show-locs",
    ]);
    // The file's name is that of the test.
    let text = run(command.arg(library), 0);
    text.lines()
        .map(|line| match line.split_once(" path='") {
            Some((head, rest)) => format!("{head}{}\n", rest.split_once('\'').expect("its end").1),
            None => format!("{line}\n"),
        })
        .collect()
}

/// What libabigail says of two headers' records; nothing when it sees no difference.
fn abidiff(recorded: &Path, header: &str) -> String {
    let now = recorded
        .parent()
        .expect("a folder")
        .file_name()
        .expect("a version");
    let now = scratch(&format!("abi-{}.abi", now.display()));
    fs::write(&now, abidw(header)).expect("written");
    let output = output(
        Command::new("abidiff")
            .arg("--harmless")
            .arg(recorded)
            .arg(now),
    );
    match output.status.success() {
        true => String::new(),
        false => String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

fn git(arguments: &[&str]) -> bool {
    let output = Command::new("git")
        .current_dir(root())
        .args(arguments)
        .output();
    output.is_ok_and(|output| output.status.success())
}

/// Whether this version has a tag, as far as this copy of the repository knows.
fn released(version: &str) -> bool {
    git(&[
        "rev-parse",
        "--quiet",
        "--verify",
        &format!("refs/tags/v{version}"),
    ])
}

/// Writes the record of this version, unless that takes away what programs rely on.
fn write_record() {
    assert!(
        !released(VERSION),
        "{VERSION} is released and its record stays: raise the version in Cargo.toml, then make abi"
    );
    let (folder, now) = (root().join("abi").join(VERSION), header());
    if folder.exists() {
        let old = record(VERSION, "rouet.h");
        let (broken, _) = compare(&old, &now);
        assert!(
            broken.is_empty() || abi_version(&old) != abi_version(&now),
            "programs compiled with abi/{VERSION} would break: {broken:#?}\nUndo that, or move \
             POOL_ABI_VERSION in src/ffi/mod.rs; or, if no one can have compiled with it, remove \
             abi/{VERSION} first"
        );
    }
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("rouet.h"), &now).expect("written");
    fs::write(folder.join("rouet.abi"), abidw(&now)).expect("written");
}

#[test]
fn the_record_is_that_of_the_header() {
    if std::env::var_os("ROUET_WRITE_ABI").is_some() {
        write_record();
    }
    assert!(
        recorded().iter().any(|version| version == VERSION),
        "abi/ has no {VERSION}: make abi records it"
    );
    let (old, now) = (record(VERSION, "rouet.h"), header());
    assert_eq!(
        abi_version(&old),
        abi_version(&now),
        "POOL_ABI_VERSION moved: make abi records it"
    );
    let (broken, added) = compare(&old, &now);
    let report = abidiff(&root().join("abi").join(VERSION).join("rouet.abi"), &now);
    assert!(
        broken.is_empty(),
        "programs compiled earlier would break: {broken:#?}\n{report}\nUndo that, or move \
         POOL_ABI_VERSION in src/ffi/mod.rs and the library's version in Cargo.toml, then make abi"
    );
    assert!(
        added.is_empty(),
        "the interface grew: {added:#?}\n{report}\nmake abi records it"
    );
    assert!(report.is_empty(), "libabigail sees a change:\n{report}");
}

#[test]
fn the_records_of_released_versions_stay() {
    for version in recorded().iter().filter(|version| released(version)) {
        let (tag, folder) = (format!("v{version}"), format!("abi/{version}"));
        assert!(
            git(&["diff", "--quiet", &tag, "--", &folder]),
            "{folder} is not what {tag} has: git checkout {tag} {folder}, raise the version in \
             Cargo.toml, then make abi"
        );
    }
}

#[test]
fn what_earlier_versions_had_is_there() {
    let now = header();
    for version in recorded() {
        let old = record(&version, "rouet.h");
        if abi_version(&old) != abi_version(&now) {
            continue; // programs are to be compiled anew, and its soname is another
        }
        let (broken, _) = compare(&old, &now);
        assert!(
            broken.is_empty(),
            "programs compiled with {version} would break: {broken:#?}\nUndo that, or move \
             POOL_ABI_VERSION in src/ffi/mod.rs and the library's version in Cargo.toml"
        );
    }
}

/// The check sees what it is there to see, and asks for what it should.
#[test]
fn changes_are_told_from_additions() {
    let header = header();
    let edits = [
        ("nothing", "", "", "same"),
        (
            "a field at the end",
            "} pool_config_t;",
            "  double more;\n} pool_config_t;",
            "added",
        ),
        (
            "two at the end",
            "} pool_result_t;",
            "  void *one;\n  int32_t two;\n} pool_result_t;",
            "added",
        ),
        (
            "a function",
            "uint32_t pool_abi_version(void);",
            "uint32_t pool_abi_version(void);\nint pool_more(void);",
            "added",
        ),
        (
            "a status",
            "  POOL_INTERNAL_ERROR = 6,",
            "  POOL_INTERNAL_ERROR = 6,\n  POOL_MORE = 7,",
            "added",
        ),
        (
            "a constant",
            "#define POOL_RESOLVE 1",
            "#define POOL_RESOLVE 1\n#define POOL_MORE 2",
            "added",
        ),
        (
            "a struct",
            "typedef struct pool_hop_t {",
            "typedef struct pool_more_t {\n  int one;\n} pool_more_t;\ntypedef struct pool_hop_t {",
            "added",
        ),
        (
            "a field in padding",
            "} pool_job_t;",
            "  int32_t more;\n} pool_job_t;",
            "broken",
        ),
        (
            "a field in between",
            "  void *value;",
            "  int32_t more;\n  void *value;",
            "broken",
        ),
        (
            "a field of a struct without size",
            "} pool_hop_t;",
            "  double more;\n} pool_hop_t;",
            "broken",
        ),
        (
            "a field's type",
            "  uint64_t tag;",
            "  int64_t tag;",
            "broken",
        ),
        (
            "a field's name",
            "  uint64_t tag;",
            "  uint64_t label;",
            "broken",
        ),
        ("a field gone", "  uint64_t tag;\n", "", "broken"),
        (
            "an argument's type",
            "double throttle,",
            "float throttle,",
            "broken",
        ),
        (
            "a function gone",
            "uint32_t pool_abi_version(void);\n",
            "",
            "broken",
        ),
        (
            "a callback's type",
            "uint32_t (*pool_parallelism_fn)",
            "uint64_t (*pool_parallelism_fn)",
            "broken",
        ),
        (
            "a status's number",
            "  POOL_INTERNAL_ERROR = 6,",
            "  POOL_INTERNAL_ERROR = 7,",
            "broken",
        ),
        (
            "a constant's value",
            "#define POOL_RESOLVE 1",
            "#define POOL_RESOLVE 2",
            "broken",
        ),
    ];
    for (what, from, to, expected) in edits {
        assert!(header.contains(from), "{what}: the header has no {from}");
        let (broken, added) = compare(&header, &header.replace(from, to));
        let verdict = match (broken.is_empty(), added.is_empty()) {
            (true, true) => "same",
            (true, false) => "added",
            (false, _) => "broken",
        };
        assert_eq!(verdict, expected, "{what}: {broken:?} {added:?}");
    }
    let report = abidiff(
        &root().join("abi").join(VERSION).join("rouet.abi"),
        &header.replace("double throttle,", "float throttle,"),
    );
    assert!(report.contains("pool_set_domain_rule"), "{report}");
}

/// Compiles with a header other than the tree's, and links to the library of the tree.
fn link(name: &str, source: &str, include: &Path) -> PathBuf {
    let (include, folder) = (format!("-I{}", include.display()), library_folder());
    let (library, run_with) = (
        format!("-L{}", folder.display()),
        format!("-Wl,--disable-new-dtags,-rpath,{}", folder.display()),
    );
    let strict = [
        "-std=c11",
        "-D_POSIX_C_SOURCE=200809L",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-g",
    ];
    let mut arguments = strict.to_vec();
    let tests = format!("-I{}", root().join("tests/c").display());
    arguments.extend([&*include, &*tests, &*library, "-lrouet", &*run_with]);
    build(name, source, &arguments)
}

/// Programs compiled with the header of an earlier version run on with the library of this one.
#[test]
fn programs_of_earlier_versions_run() {
    let site = Site::start(Options::default()).expect("the site starts");
    let source = fs::read_to_string(root().join("tests/c/earlier.c")).expect("a program");
    let mut programs = 0;
    for version in recorded() {
        if abi_version(&record(&version, "rouet.h")) != abi_version(&header()) {
            continue;
        }
        let program = link(&version, &source, &root().join("abi").join(&version));
        for mut command in ways(&program) {
            run(command.arg(site.url("")), 0);
        }
        programs += 1;
    }
    assert!(programs > 0, "no version is recorded");
}

/// A struct of a size that no version had is refused, in words; so a size that the library forgot
/// would show in the test above.
#[test]
fn sizes_that_no_version_had_are_refused() {
    let header = header();
    let longer = |end: &str| (end.to_owned(), format!("  double more;\n{end}"));
    let edits = [
        ("pool_config_t", longer("} pool_config_t;")),
        (
            "pool_config_t",
            (
                "  void *callback_userdata;\n} pool_config_t;".to_owned(),
                "} pool_config_t;".to_owned(),
            ),
        ),
        ("pool_options_t", longer("} pool_options_t;")),
        (
            "pool_options_t",
            (
                "  size_t retry_on_status_count;\n} pool_options_t;".to_owned(),
                "} pool_options_t;".to_owned(),
            ),
        ),
        ("pool_job_t", longer("} pool_job_t;")),
        (
            "pool_job_t",
            (
                "  int32_t kind;\n} pool_job_t;".to_owned(),
                "} pool_job_t;".to_owned(),
            ),
        ),
    ];
    for (index, (name, (from, to))) in edits.iter().enumerate() {
        assert!(header.contains(from), "{name}");
        let include = scratch(&format!("abi-sized-{index}"));
        fs::create_dir_all(&include).expect("a folder");
        fs::write(include.join("rouet.h"), header.replace(from, to)).expect("written");
        let source = format!(
            "#include <rouet.h>\n#include <stdio.h>\nint main(void) {{\n{name} s;\n\
             printf(\"%d \", {}(&s, sizeof s));\nputs(pool_last_error());\nreturn 0;\n}}\n",
            name.replace("_t", "_init")
        );
        let said = run(
            &mut Command::new(link(&index.to_string(), &source, &include)),
            0,
        );
        assert!(
            said.starts_with(&format!("4 {name}.struct_size is ")),
            "{said}"
        );
        assert!(
            said.contains("which no version of this library knows"),
            "{said}"
        );
    }
}

/// The number in the soname is POOL_ABI_VERSION.
#[test]
fn the_soname_moves_with_the_interface() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let section = manifest
        .split_once("[package.metadata.capi.library]\n")
        .expect("it is there")
        .1;
    let line = section
        .lines()
        .find(|line| line.starts_with("version = "))
        .expect("a version");
    assert_eq!(
        line,
        format!("version = \"{}.0.0\"", abi_version(&header()))
    );
}
