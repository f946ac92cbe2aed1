//! What the documents say: their programs compile and run, their lists are whole, and their links lead
//! somewhere.

use std::collections::{BTreeMap, BTreeSet};
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

/// The files below a folder that have this extension, by their paths from the root of the tree; but for
/// what was built or installed.
fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let path = format!("{folder}{name}");
        if entry.file_type().expect("a type").is_dir() {
            let is_built = ["target", "node_modules", ".git", ".tools"].contains(&&*name);
            if !is_built && path != "fuzz/corpus" {
                found.extend(files(&format!("{path}/"), extension));
            }
        } else if Path::new(&name)
            .extension()
            .is_some_and(|it| it == extension)
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A document in parts: its prose, line by line, and its blocks of code with their languages.
fn parts(document: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut prose, mut blocks) = (Vec::new(), Vec::new());
    let mut block: Option<(String, String)> = None;
    for line in document.lines() {
        match (line.trim_start().strip_prefix("```"), &mut block) {
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some(language), None) => block = Some((language.to_owned(), String::new())),
            (None, Some((_, code))) => *code += &format!("{line}\n"),
            (None, None) => prose.push(line.to_owned()),
        }
    }
    assert!(block.is_none(), "a block of code without end");
    (prose, blocks)
}

/// The names of a document's headings, as GitHub makes them.
fn anchors(prose: &[String]) -> BTreeSet<String> {
    let mut seen = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in prose {
        let text = line.trim_start_matches('#');
        if text.len() == line.len() || !text.starts_with(' ') {
            continue;
        }
        let name: String = text
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let times: &mut u32 = seen.entry(name.clone()).or_default();
        anchors.insert(match *times {
            0 => name,
            n => format!("{name}-{n}"),
        });
        *times += 1;
    }
    anchors
}

/// Where the links of a line lead.
fn links(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect();
    let ends = prose.split("](").skip(1);
    ends.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let documents = files("", "md");
    assert!(documents.len() > 15, "{documents:?}");
    let mut checked = 0;
    for document in &documents {
        let (prose, _) = parts(&read(document));
        for link in prose.iter().flat_map(|line| links(line)) {
            if link.contains("://") {
                continue;
            }
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(document).parent().expect("a folder");
            let target = match path {
                "" => root().join(document),
                path => root().join(folder).join(path),
            };
            assert!(target.exists(), "{document}: {link} leads nowhere");
            if !anchor.is_empty() {
                let (prose, _) = parts(&std::fs::read_to_string(&target).expect("a document"));
                assert!(
                    anchors(&prose).contains(anchor),
                    "{document}: {link}: there is no such heading"
                );
            }
        }
    }
    assert!(checked > 100, "{checked} links");
}

#[test]
fn every_document_is_in_the_index() {
    for folder in ["docs/", "docs/decisions/"] {
        let (prose, _) = parts(&read(&format!("{folder}README.md")));
        let linked: BTreeSet<String> = prose.iter().flat_map(|line| links(line)).collect();
        for document in files(folder, "md") {
            let name = document.strip_prefix(folder).expect("it is in there");
            let is_own = name != "README.md" && !name.contains('/');
            assert!(
                !is_own || linked.contains(name),
                "{folder}README.md does not name {name}"
            );
        }
    }
}

/// The guide shows nothing that is not run: each block stands, line by line, in a program that the
/// tests of its language run (`tests/c.rs`, `tests/examples.rs`, `go test`, `node --test`).
#[test]
fn the_guides_code_is_that_of_programs() {
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    assert!(read("tests/c.rs").contains("\"tests/c/guide.c\""));
    let mut c = files("examples/c/", "c");
    c.push("tests/c/guide.c".into());
    let programs = BTreeMap::from([
        ("c", c),
        ("go", vec!["bindings/go/guide_test.go".to_owned()]),
        ("js", vec!["bindings/node/test/guide.test.js".to_owned()]),
    ]);
    let programs: BTreeMap<&str, Vec<Vec<String>>> = programs
        .into_iter()
        .map(|(language, paths)| {
            (
                language,
                paths.iter().map(|path| lines(&read(path))).collect(),
            )
        })
        .collect();
    let (_, blocks) = parts(&read("docs/guide.md"));
    for language in programs.keys() {
        assert!(blocks.iter().any(|(of, _)| of == language), "no {language}");
    }
    for (language, code) in blocks {
        let code = lines(&code);
        let programs = programs
            .get(&*language)
            .unwrap_or_else(|| panic!("nothing runs {language}: {code:#?}"));
        assert!(
            programs
                .iter()
                .any(|program| program.windows(code.len()).any(|part| part == code)),
            "no program has this: {code:#?}"
        );
    }
}
