//! What the documents say: their programs compile and run, their lists are whole.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rouet_site::{Options, Site};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compiles a C program against the library built with these tests, and runs it.
fn run_c(name: &str, source: &str, arguments: &[String]) -> Output {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(file.with_extension("c"), source).unwrap();
    // Cargo puts the library that it built for this test beside it.
    let test = std::env::current_exe().unwrap();
    let libraries = test.parent().unwrap();
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"])
        .arg("-I")
        .arg(root().join("include"))
        .arg(file.with_extension("c"))
        .arg("-L")
        .arg(libraries)
        .arg("-lrouet")
        // As DT_RPATH, which comes before cargo's LD_LIBRARY_PATH: that may have an older one.
        .arg(format!(
            "-Wl,--disable-new-dtags,-rpath,{}",
            libraries.display()
        ))
        .arg("-o")
        .arg(&file)
        .output()
        .expect("a C compiler");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    Command::new(file).args(arguments).output().unwrap()
}

#[test]
fn the_readme_program_runs() {
    let readme = read("README.md");
    let program = readme
        .split("```c\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the README has a C program");
    let site = Site::start(Options::default()).unwrap();
    let urls = ["/bytes/1000", "/redirect/2", "/status/404"].map(|path| site.url(path));
    let mut arguments = urls.to_vec();
    arguments.push("ftp://example.com/".into());
    let output = run_c("readme", program, &arguments);
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
fn the_headers_first_screen_runs() {
    let header = read("include/rouet.h");
    let lines: Vec<&str> = header
        .lines()
        .skip_while(|line| !line.contains("In one screen:"))
        .skip(2)
        .take_while(|line| line.trim() == "*" || line.starts_with(" *     "))
        .map(|line| line.trim_start_matches(" *"))
        .collect();
    let site = Site::start(Options::default()).unwrap();
    let body = lines
        .join("\n")
        .replace("http://example.com/", &site.url("/bytes/7"));
    assert!(body.contains("pool_free(pool);"), "{body}");
    let program =
        format!("#include <rouet.h>\n#include <stdio.h>\nint main(void) {{\n{body}\n}}\n");
    let output = run_c("screen", &program, &[]);
    let expected = format!("{} 200 7\n", site.url("/bytes/7"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
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
