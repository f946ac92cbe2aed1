//! `include/rouet.hpp`: it has all that the C header has, compiles without a warning wherever it is
//! to, and does what it says, plain, under valgrind in a debug build, and with sanitizers.

use std::fs;
use std::process::Command;

use rouet_site::{Faults, Options, Site};

mod support;

use support::c::{all_ways, root, run, scratch};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn surface() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    let site = Site::start(Options::default()).expect("the site starts");
    let faults = Faults::start().expect("the fault server starts");
    for mut program in all_ways("tests/cpp/surface.cpp", &[]) {
        let output = run(program.arg(site.url("")).arg(faults.url("")), 0);
        assert!(output.ends_with("ok threads\n"), "{output}");
    }
}

#[test]
fn without_exceptions() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    let site = Site::start(Options::default()).expect("the site starts");
    for mut program in all_ways("tests/cpp/no_exceptions.cpp", &["-fno-exceptions"]) {
        assert_eq!(run(program.arg(site.url("")), 0), "ok\n");
    }
}

const WARNINGS: &[&str] = &[
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Werror",
];

#[test]
fn gcc_compiles_all_without_a_warning() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    compiles_all_without_a_warning("g++");
}

#[test]
fn clang_compiles_all_without_a_warning() {
    if !support::needs::tools(&["clang++"]) {
        return;
    }
    compiles_all_without_a_warning("clang++");
}

/// Every program, by all the standards.
fn compiles_all_without_a_warning(compiler: &str) {
    // A program that includes nothing else, and has no use for most of it.
    let alone = scratch(&format!("{compiler}-alone.cpp"));
    fs::write(&alone, "#include <rouet.hpp>\n").expect("written");
    let mut sources = vec![alone.clone()];
    for folder in ["examples/cpp", "tests/cpp"] {
        for entry in fs::read_dir(root().join(folder)).expect("programs") {
            let path = entry.expect("a program").path();
            if path.extension().is_some_and(|extension| extension == "cpp") {
                sources.push(path);
            }
        }
    }
    assert!(sources.len() > 5, "{sources:?}");
    for standard in ["c++17", "c++20", "c++2b"] {
        for source in &sources {
            let compile = || {
                let mut command = Command::new(compiler);
                command
                    .arg(format!("-std={standard}"))
                    .args(WARNINGS)
                    .args(["-fsyntax-only", "-I"])
                    .arg(root().join("include"))
                    .arg(source);
                command
            };
            let without = source.ends_with("no_exceptions.cpp");
            if !without {
                run(&mut compile(), 0);
            }
            if without || *source == alone {
                run(compile().args(["-fno-exceptions", "-fno-rtti"]), 0);
            }
        }
    }
}

/// Two files of one program may both include it.
#[test]
fn links_twice_into_one_program() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    let main = scratch("twice-main.cpp");
    let other = scratch("twice-other.cpp");
    fs::write(
        &main,
        "#include <rouet.hpp>\nconst char *other();\n\
         int main() { return rouet::version() == other() ? 0 : 1; }\n",
    )
    .expect("written");
    fs::write(
        &other,
        "#include <rouet.hpp>\nconst char *other();\n\
         const char *other() { rouet::pool unused(nullptr); return rouet::version(); }\n",
    )
    .expect("written");
    let flags = [other.to_str().expect("a path")];
    let program = support::c::compile_with(main.to_str().expect("a path"), "", &flags);
    run(&mut Command::new(program), 0);
}

/// The names of a C struct's fields.
fn fields<'a>(header: &'a str, name: &str) -> Vec<&'a str> {
    let (_, body) = header
        .split_once(&format!("typedef struct {name} {{\n"))
        .unwrap_or_else(|| panic!("the header has no {name}"));
    let (body, _) = body.split_once("\n}").expect("its end");
    body.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| {
            let line = line.trim_end_matches(';');
            &line[line.rfind([' ', '*']).expect("a type and a name") + 1..]
        })
        .filter(|field| *field != "struct_size")
        .collect()
}

/// What follows a line of rouet.hpp, up to a line that closes it in the same column.
fn within<'a>(header: &'a str, start: &str) -> &'a str {
    let (_, body) = header
        .split_once(start)
        .unwrap_or_else(|| panic!("rouet.hpp has no {start}"));
    &body[..body.find("\n}").expect("its end")]
}

/// Whether a text has a name, and not only as a part of another.
fn has(text: &str, name: &str) -> bool {
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + name.len()..].starts_with(part))
}

#[test]
fn nothing_of_the_c_header_is_missing() {
    let (c, cpp) = (read("include/rouet.h"), read("include/rouet.hpp"));
    // Comments name much that is not there.
    let code: String = cpp
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    // By struct, but for the options, which are generated: where its fields are declared, and where
    // each is handed to C or read from it, and those that C needs and C++ does not, as containers know
    // their sizes.
    for (name, declared, converted, prefix, implied) in [
        (
            "pool_job_t",
            "\nstruct job {\n",
            "\nclass pool {\n",
            "c.",
            &["url_size", "group_size"][..],
        ),
        (
            "pool_stats_t",
            "\nstruct stats {\n",
            "\nclass pool {\n",
            "c.",
            &[],
        ),
        (
            "pool_header_t",
            "\nstruct header_view {\n",
            "\nstruct header_view {\n",
            "c.",
            &["name_size", "value_size"],
        ),
        (
            "pool_hop_t",
            "\nstruct hop {\n",
            "\nstruct hop {\n",
            "c.",
            &["url_size"],
        ),
        (
            "pool_element_t",
            "\nstruct element {\n",
            "\nstruct element {\n",
            "c.",
            &["element", "url_size", "rel_size", "text_size"],
        ),
        (
            "pool_result_t",
            "\nclass result_view {\n",
            "\nclass result_view {\n",
            "c().",
            &[
                "block_size", // of C's memory, which C frees
                "url_size",
                "end_url_size",
                "header_count",
                "stack_count",
                "body_size",
            ],
        ),
    ] {
        let fields = fields(&c, name);
        assert!(fields.len() > 2, "{name}: {fields:?}");
        let (declared, converted) = (within(&code, declared), within(&code, converted));
        for field in &fields {
            let here = implied.contains(field) || has(declared, field);
            assert!(here, "{name}.{field} has no counterpart");
            let used = *field == "block_size" || has(converted, &format!("{prefix}{field}"));
            assert!(used, "{name}.{field} is not used");
        }
        for field in implied {
            assert!(fields.contains(field), "{name} has no {field} any more");
        }
    }

    // Each function and constant; but that which is for languages to which a call of C costs much.
    let functions: Vec<&str> = c
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#', '*']) && !line.contains("typedef"))
        .filter_map(|line| {
            let name = &line[..line.find('(')?];
            name[name.rfind([' ', '*'])? + 1..].strip_prefix("pool_")
        })
        .filter(|&function| function != "next_packed")
        .collect();
    assert!(functions.len() > 28, "{functions:?}");
    for function in functions {
        assert!(has(&code, &format!("pool_{function}")), "pool_{function}");
    }
    let constants: Vec<&str> = c
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("#define ").unwrap_or(line.trim_start());
            let name = &line[..line.find(' ')?];
            name.starts_with("POOL_").then_some(name)
        })
        .collect();
    assert!(constants.len() > 17, "{constants:?}");
    for constant in constants {
        // The versions are macros in C++ too; the library's own are functions.
        let known = ["POOL_VERSION", "POOL_ABI_VERSION"].contains(&constant);
        assert!(known || has(&code, constant), "{constant}");
    }
}

/// Everything public has a comment, but for what its neighbour's comment says and what every
/// container or iterator has.
#[test]
fn each_public_item_is_documented() {
    let header = read("include/rouet.hpp");
    for name in [
        "\nstruct options {\n",
        "\nstruct config {\n",
        "\nstruct job {\n",
        "\nstruct page {\n",
        "\nstruct stats {\n",
        "\nstruct header_view {\n",
        "\nstruct hop {\n",
        "\nstruct element {\n",
        "\nenum class status : int {\n",
        "\nenum class kind : std::int32_t {\n",
        "\nenum class http_version : std::int32_t {\n",
        "\nenum class log_level : std::int32_t {\n",
    ] {
        let mut commented = false;
        let mut members = 0;
        for line in within(&header, name).lines().map(str::trim) {
            if line.starts_with("explicit") {
                break;
            }
            if line.starts_with("// ") {
                continue; // what is generated begins or ends
            }
            if !line.starts_with("///") && !line.is_empty() {
                assert!(commented, "{name}{line}");
                members += 1;
            }
            commented = line.starts_with("///");
        }
        assert!(members >= 2, "{name}");
    }
}
