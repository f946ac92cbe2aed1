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
use support::source::without_comments;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The header of the tree, as the compiler sees it.
fn header() -> String {
    declarations(&fs::read_to_string(root().join("include/rouet.h")).expect("a header"))
}

/// A header without its comments and empty lines.
fn declarations(header: &str) -> String {
    without_comments(header)
        .lines()
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

/// The size of a type.
fn size(header: &str, name: &str) -> String {
    let source = format!(
        "{header}\n#include <stdio.h>\nint main(void) {{ printf(\"%zu\", sizeof({name})); return 0; }}\n"
    );
    run(&mut Command::new(build("size", &source, &[])), 0)
}

/// A file of the test's own.
fn file(name: &str) -> PathBuf {
    let thread = std::thread::current();
    let test = thread.name().expect("a test's thread");
    scratch(&format!("abi-{test}-{name}"))
}

/// Compiles a source.
fn build(name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let file = file(name);
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
                let [was, is] = [old, new].map(|header| size(header, name));
                if !stays {
                    broken.push(format!("what {name} had is gone or changed"));
                } else if is_enum {
                    added.push(format!("values of {name}"));
                } else if entries[0] != "size_t struct_size" {
                    broken.push(format!("{name} grew, but has no struct_size to tell by"));
                } else if was == is {
                    broken.push(format!(
                        "the field added to {name} hides in its padding: its size is {is} as before, \
                         so programs that do not have the field can't be told from those that do; \
                         add one that makes it longer"
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
    let now = file("now").with_extension("abi");
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
    if !support::needs::tools(&["abidw", "abidiff"]) {
        return;
    }
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
         POOL_ABI_VERSION in src/ffi/mod.rs, then make abi"
    );
    assert!(
        added.is_empty(),
        "the interface grew: {added:#?}\n{report}\nOptions that came after a release have a `since` of \
         their own (CONTRIBUTING.md). make abi records it"
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

/// A header to judge changes of.
const SAMPLE: &str = "\
#ifndef SAMPLE_H
#define SAMPLE_H
#include <stddef.h>
#include <stdint.h>
#define POOL_ABI_VERSION 1
#define POOL_RESOLVE 1
typedef enum pool_status_t {
  POOL_OK = 0,
  POOL_AGAIN = 1,
} pool_status_t;
typedef struct pool_t pool_t;
typedef struct pool_hop_t {
  const char *url;
} pool_hop_t;
typedef struct pool_job_t {
  size_t struct_size;
  uint64_t tag;
  int32_t kind;
} pool_job_t;
typedef uint32_t (*pool_parallelism_fn)(const char *group,
                                        void *userdata);
#ifdef __cplusplus
extern \"C\" {
#endif
uint32_t pool_abi_version(void);
enum pool_status_t pool_submit(struct pool_t *pool,
                               const struct pool_job_t *job,
                               int32_t timeout_ms);
#ifdef __cplusplus
}
#endif
#endif
";

/// The check sees what it is there to see.
#[test]
fn changes_are_told_from_additions() {
    let after = |what: &'static str, more: &str| (what, format!("{what}{more}"));
    let before = |more: &str, what: &'static str| (what, format!("{more}{what}"));
    let to = |what: &'static str, other: &str| (what, other.to_owned());
    let edits = [
        ("nothing", to("kind", "kind"), "same"),
        (
            "a field",
            before("  double more;\n", "} pool_job_t;"),
            "added",
        ),
        (
            "two fields",
            before("  void *one;\n  int two;\n", "} pool_job_t;"),
            "added",
        ),
        (
            "a function",
            after("pool_abi_version(void);\n", "int pool_more(void);\n"),
            "added",
        ),
        (
            "a status",
            after("  POOL_AGAIN = 1,\n", "  POOL_MORE = 2,\n"),
            "added",
        ),
        (
            "a constant",
            after("#define POOL_RESOLVE 1\n", "#define POOL_MORE 2\n"),
            "added",
        ),
        (
            "a type",
            before(
                "typedef struct pool_more_t pool_more_t;\n",
                "typedef struct pool_hop_t {",
            ),
            "added",
        ),
        (
            "a field in padding",
            before("  int32_t more;\n", "} pool_job_t;"),
            "broken",
        ),
        (
            "a field in between",
            before("  int64_t more;\n", "  int32_t kind;"),
            "broken",
        ),
        (
            "a field where there is no size",
            before("  double more;\n", "} pool_hop_t;"),
            "broken",
        ),
        (
            "a field's type",
            to("uint64_t tag", "int64_t tag"),
            "broken",
        ),
        (
            "a field's name",
            to("uint64_t tag", "uint64_t label"),
            "broken",
        ),
        ("a field gone", to("  int32_t kind;\n", ""), "broken"),
        (
            "an argument's type",
            to("int32_t timeout_ms", "int64_t timeout_ms"),
            "broken",
        ),
        (
            "a function gone",
            to("uint32_t pool_abi_version(void);\n", ""),
            "broken",
        ),
        (
            "a callback's type",
            to("uint32_t (*pool", "uint64_t (*pool"),
            "broken",
        ),
        (
            "a status's number",
            to("POOL_AGAIN = 1", "POOL_AGAIN = 2"),
            "broken",
        ),
        ("a status gone", to("  POOL_AGAIN = 1,\n", ""), "broken"),
        (
            "a constant's value",
            to("POOL_RESOLVE 1", "POOL_RESOLVE 2"),
            "broken",
        ),
    ];
    for (what, (from, to), expected) in edits {
        assert!(SAMPLE.contains(from), "{what}: there is no {from}");
        let (broken, added) = compare(SAMPLE, &SAMPLE.replacen(from, &to, 1));
        let verdict = match (broken.is_empty(), added.is_empty()) {
            (true, true) => "same",
            (true, false) => "added",
            (false, _) => "broken",
        };
        assert_eq!(verdict, expected, "{what}: {broken:?} {added:?}");
    }
}

#[test]
fn libabigail_sees_changes() {
    if !support::needs::tools(&["abidw", "abidiff"]) {
        return;
    }
    let recorded = root().join("abi").join(VERSION).join("rouet.abi");
    let changed = header().replace("double throttle,", "float throttle,");
    let report = abidiff(&recorded, &changed);
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

/// A struct of a size that no version had is refused, in words: one that has a field more than the
/// library knows, and one that has too few. So a size that the library forgot shows in the test above.
#[test]
fn sizes_that_no_version_had_are_refused() {
    let header = header();
    for name in ["pool_config_t", "pool_options_t", "pool_job_t"] {
        let (start, end) = (format!("typedef struct {name} {{\n"), format!("}} {name};"));
        let (before, rest) = header.split_once(&start).expect("the struct");
        let (fields, after) = rest.split_once(&end).expect("its end");
        let longer = format!("{fields}  double more;\n");
        for (kind, fields) in [("longer", &*longer), ("shorter", "  size_t struct_size;\n")] {
            let include = scratch(&format!("abi-{name}-{kind}"));
            fs::create_dir_all(&include).expect("a folder");
            let edited = format!("{before}{start}{fields}{end}{after}");
            fs::write(include.join("rouet.h"), edited).expect("written");
            let source = format!(
                "#include <rouet.h>\n#include <stdio.h>\nint main(void) {{\n{name} s;\n\
                 printf(\"%d \", {}(&s, sizeof s));\nputs(pool_last_error());\nreturn 0;\n}}\n",
                name.replace("_t", "_init")
            );
            let program = link(&format!("{name}-{kind}"), &source, &include);
            let said = run(&mut Command::new(program), 0);
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
}
