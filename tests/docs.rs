//! What the documents say: their programs compile and run, their lists are whole.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rouet_site::{Options, Site};

mod support;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compiles a C program against the library built with these tests, and runs it.
fn run_c(name: &str, source: &str, arguments: &[String]) -> Output {
    compile_and_run("cc", &["-std=c11"], &format!("{name}.c"), source, arguments)
}

/// The same for C++.
fn run_cpp(name: &str, source: &str, arguments: &[String]) -> Output {
    let flags = ["-std=c++17", "-Wconversion", "-Wshadow"];
    compile_and_run("g++", &flags, &format!("{name}.cpp"), source, arguments)
}

fn compile_and_run(
    compiler: &str,
    flags: &[&str],
    name: &str,
    source: &str,
    arguments: &[String],
) -> Output {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, source).unwrap();
    let program = file.with_file_name(format!("{name}-program"));
    // Cargo puts the library that it built for this test beside it.
    let test = std::env::current_exe().unwrap();
    let libraries = test.parent().unwrap();
    let compiled = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic"])
        .arg("-I")
        .arg(root().join("include"))
        .arg(&file)
        .arg("-L")
        .arg(libraries)
        .arg("-lrouet")
        // As DT_RPATH, which comes before cargo's LD_LIBRARY_PATH: that may have an older one.
        .arg(format!(
            "-Wl,--disable-new-dtags,-rpath,{}",
            libraries.display()
        ))
        .arg("-o")
        .arg(&program)
        .output()
        .expect("a compiler");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    Command::new(program).args(arguments).output().unwrap()
}

/// The README's program in a language.
fn readme_program(language: &str) -> String {
    let readme = read("README.md");
    readme
        .split(&format!("```{language}\n"))
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap_or_else(|| panic!("the README has no {language} program"))
        .to_owned()
}

#[test]
fn the_readme_program_runs() {
    let site = Site::start(Options::default()).unwrap();
    let urls = ["/bytes/1000", "/redirect/2", "/status/404"].map(|path| site.url(path));
    let mut arguments = urls.to_vec();
    arguments.push("ftp://example.com/".into());
    let output = run_c("readme", &readme_program("c"), &arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.contains(&format!("200 {} 1000 bytes", urls[0])),
        "{text}"
    );
    assert!(
        text.contains(&format!("200 {}", site.url("/echo"))),
        "{text}"
    );
    assert!(text.contains(&format!("404 {}", urls[2])), "{text}");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("its scheme is ftp"), "{complaint}");
}

#[test]
fn the_readme_program_in_cpp_runs() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    let site = Site::start(Options::default()).unwrap();
    let urls = ["/redirect/2", "/status/404"].map(|path| site.url(path));
    let mut arguments = urls.to_vec();
    arguments.push("ftp://example.com/".into());
    let program = readme_program("cpp");
    let output = run_cpp("readme", &program, &arguments);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort();
    let expected = [
        format!("200 {}", site.url("/echo")),
        format!("404 {}", urls[1]),
    ];
    assert_eq!(lines, expected);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("its scheme is ftp"), "{complaint}");
    assert!(run_cpp("readme-alone", &program, &[]).status.success());
}

/// The program that a header shows in its first screen, as one copies it.
fn first_screen(header: &str) -> String {
    let header = read(header);
    let lines: Vec<&str> = header
        .lines()
        .skip_while(|line| !line.contains("In one screen:"))
        .skip(2)
        .take_while(|line| line.trim() == "*" || line.starts_with(" *     "))
        .map(|line| line.trim_start_matches(" *"))
        .collect();
    lines.join("\n")
}

/// The program that the man page shows, as it is read there.
fn man_program() -> String {
    let output = Command::new(root().join("scripts/man")).arg("0").output();
    let page = String::from_utf8(output.expect("a man page").stdout).expect("UTF-8");
    let description = page.split(".Sh DESCRIPTION").nth(1).expect("a description");
    let literal = description
        .split(".Bd -literal\n")
        .nth(1)
        .expect("a program");
    let lines = literal.lines().take_while(|line| *line != ".Ed");
    // As mdoc(7) has it: \e is a backslash, \& nothing.
    lines
        .map(|line| line.replace("\\&", "").replace("\\e", "\\") + "\n")
        .collect()
}

/// More URLs than a pool holds and starts at once, on as many sites, and what becomes of them.
fn many(site: &Site) -> (Vec<String>, Vec<String>) {
    // RFC 6761, section 6.3: they are all this machine.
    let url = |n: usize| format!("http://s{n}.localhost:{}/bytes/{}", site.port(), n % 10);
    let urls: Vec<String> = (0..5000).map(url).collect();
    let line = |(n, url): (usize, &String)| format!("{url} 200 {}", n % 10);
    let mut lines: Vec<String> = urls.iter().enumerate().map(line).collect();
    lines.sort();
    (urls, lines)
}

/// The program is given five thousand URLs, and some that are none, and does them all.
fn assert_does_many(output: &Output, expected: &[String]) {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort();
    assert!(lines == expected, "{} lines: {complaint}", lines.len());
    assert!(complaint.contains("its scheme is ftp"), "{complaint}");
    assert!(complaint.contains("url is empty"), "{complaint}");
    assert_eq!(complaint.lines().count(), 2, "{complaint}");
}

#[test]
fn the_headers_first_screen_runs() {
    let site = Site::start(Options::default()).unwrap();
    let (mut urls, expected) = many(&site);
    urls.push("ftp://example.com/".into());
    urls.insert(2500, String::new());
    let program = first_screen("include/rouet.h");
    assert!(program.contains("pool_free(pool);"), "{program}");
    assert_does_many(&run_c("screen", &program, &urls), &expected);
    assert!(run_c("screen-alone", &program, &[]).status.success());
}

#[test]
fn the_man_pages_program_is_that_of_the_header() {
    let lines = |program: String| -> Vec<String> {
        let lines = program.lines().map(|line| line.trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    let program = man_program();
    assert_eq!(
        lines(program.clone()),
        lines(first_screen("include/rouet.h"))
    );
    let site = Site::start(Options::default()).unwrap();
    let output = run_c("man", &program, &[site.url("/bytes/7")]);
    let expected = format!("{} 200 7\n", site.url("/bytes/7"));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        expected,
        "{output:?}"
    );
}

#[test]
fn the_cpp_headers_first_screen_runs() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    let site = Site::start(Options::default()).unwrap();
    let (mut urls, expected) = many(&site);
    urls.push("ftp://example.com/".into());
    urls.insert(2500, String::new());
    let program = first_screen("include/rouet.hpp");
    assert!(program.contains("rouet::pool pool(config);"), "{program}");
    assert_does_many(&run_cpp("screen", &program, &urls), &expected);
    assert!(run_cpp("screen-alone", &program, &[]).status.success());
}

#[test]
fn every_error_code_is_explained() {
    let codes = read("src/error.rs");
    let documented = read("docs/errors.md");
    let slugs: Vec<&str> = codes
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("Self::")?
                .split("=> \"")
                .nth(1)?
                .strip_suffix("\",")
        })
        .chain(["invalid-status-N"])
        .collect();
    assert!(slugs.len() > 20, "{slugs:?}");
    for slug in &slugs {
        assert!(
            documented.contains(&format!("| `{slug}` |")),
            "docs/errors.md has no {slug}"
        );
    }
    let rows = documented
        .lines()
        .filter(|line| line.starts_with("| `"))
        .count();
    assert_eq!(
        rows,
        slugs.len(),
        "docs/errors.md explains codes that are none"
    );
}

#[test]
fn every_subcode_is_explained() {
    let (codes, documented) = (read("src/subcode.rs"), read("docs/errors.md"));
    let slugs: Vec<&str> = codes.split("=> \"").skip(1).collect();
    assert!(slugs.len() > 7, "{slugs:?}");
    for slug in slugs {
        let slug = slug.split('"').next().unwrap_or_default();
        assert!(documented.contains(&format!("\n- `{slug}`: ")), "{slug}");
        for header in [
            "include/rouet.h",
            "include/rouet.hpp",
            "bindings/go/errors.go",
        ] {
            let header = read(header).replace("\n", " ");
            assert!(header.contains(&format!("\"{slug}\"")), "nothing of {slug}");
        }
    }
}
