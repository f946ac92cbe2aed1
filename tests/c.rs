//! The C API, used from C: the programs of `tests/c` and `examples/c` are compiled as strictly as
//! a compiler can and run against the test site, plain and, in a debug build, under valgrind too.
//! (A release build's memory is not the system allocator's: valgrind would see little of it.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rouet_site::{Faults, Options, Site, known_text, page, urls};

mod support;

use support::c::{
    all_ways, compile, compile_with, feed, finished, interrupt, is_released, library_folder, plain,
    root, run, scratch, ways,
};

fn site() -> Site {
    Site::start(Options::default()).expect("the site starts")
}

#[test]
fn bad_input() {
    let site = site();
    for mut program in ways(&compile("tests/c/bad_input.c")) {
        run(program.arg(site.url("")), 0);
    }
}

#[test]
fn content() {
    let site = site();
    for mut program in ways(&compile("tests/c/content.c")) {
        run(program.arg(site.url("")), 0);
    }
}

/// What docs/guide.md shows. The site takes requests as a proxy does, too.
#[test]
fn guide() {
    let site = site();
    for mut program in ways(&compile("tests/c/guide.c")) {
        run(program.arg(site.url("")).arg(site.url("")), 0);
    }
}

#[test]
fn lifecycle() {
    let (site, faults) = (site(), Faults::start().expect("the fault server starts"));
    for mut program in ways(&compile("tests/c/lifecycle.c")) {
        run(program.arg(site.url("")).arg(faults.url("")), 0);
    }
}

#[test]
fn threads() {
    let site = site();
    for (mut program, jobs) in ways(&compile("tests/c/threads.c"))
        .into_iter()
        .zip(["20000", "2000"])
    {
        run(program.arg(site.url("")).arg(jobs), 0);
    }
}

#[test]
fn plugin() {
    let site = site();
    let library = library_folder().join("librouet.so");
    let program = compile_with("tests/c/plugin.c", "", &["-rdynamic", "-ldl"]);
    for (mut way, rounds) in ways(&program).into_iter().zip(["30", "3"]) {
        run(way.arg(&library).arg(site.url("")).arg(rounds), 0);
    }
}

/// The library's own allocator, which a debug build does not have, gives back what others free.
#[test]
fn bodies_freed_by_another_thread_do_not_pile_up() {
    if !is_released() {
        return;
    }
    let site = site();
    let mut program = plain(&compile("tests/c/bodies.c"));
    let grown = run(program.arg(site.url("/bytes/8388608")), 0);
    let grown: u64 = grown.trim().parse().expect("MiB");
    assert!(grown < 150, "{grown} MiB for bodies of 8 MiB, two at once");
}

#[test]
fn throughput() {
    let site = site();
    let program = compile("examples/c/throughput.c");
    let url = site.url("/text");
    for mut command in all_ways("examples/c/throughput.c", &[]) {
        let line = run(command.args(["300", "8", &url]), 0);
        assert!(line.starts_with("300 requests, 0 errors, "), "{line}");
    }
    let line = run(plain(&program).args(["20", "2", &site.url("/nowhere")]), 1);
    assert!(line.starts_with("20 requests, 20 errors, "), "{line}");
    run(&mut plain(&program), 2);
}

/// A report of `fetch`: by URL, the other fields by name. Has no quoted fields.
fn rows(report: &str) -> BTreeMap<&str, BTreeMap<&str, &str>> {
    let mut lines = report.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    lines
        .map(|line| {
            assert!(!line.contains('"'), "{line}");
            let fields = names.iter().copied().zip(line.split(',')).collect();
            (line.split(',').next().expect("a URL"), fields)
        })
        .collect()
}

#[test]
fn fetch_reports_on_each_url_once() {
    let site = site();
    let list: Vec<String> = urls(120, 30, None).collect();
    let input = list.join("\n");
    for mut command in all_ways("examples/c/fetch.c", &[]) {
        let child = feed(
            command
                .args(["--throttle", "0.05", "--compressed", "--connect-to"])
                .arg(format!("::127.0.0.1:{}", site.port())),
            &input,
        );
        let report = finished(child, 0);
        let rows = rows(&report);
        let reported: BTreeSet<&str> = rows.keys().copied().collect();
        assert_eq!(reported, list.iter().map(String::as_str).collect());
        for (url, row) in rows {
            let answered = row["error_code"].is_empty();
            assert_eq!(answered, !row["status"].is_empty(), "{url}: {row:?}");
            let hops = if url.contains("//old-") { "2" } else { "1" };
            assert!(!answered || row["hops"] == hops, "{url}: {row:?}");
            assert!(row["seconds"].parse::<f64>().is_ok(), "{url}: {row:?}");
            if row["status"] == "200" {
                let host = row["end_url"].split('/').nth(2).expect("a host");
                let number = url.rsplit('/').next().expect("a page").parse();
                let body = page(host, number.expect("a number")).body;
                assert_eq!(row["bytes"], body.len().to_string(), "{url}: {row:?}");
            }
        }
    }
}

#[test]
fn fetch_saves_bodies_and_reports_where() {
    let site = site();
    let program = compile("examples/c/fetch.c");
    let (folder, report, list) = (scratch("bodies"), scratch("report.csv"), scratch("list"));
    let _ = fs::remove_dir_all(&folder);
    let urls = [
        site.url("/text"),
        format!("\t{}  \r", site.url("/echo?a,b")),
        format!("{}\u{e9}\"", site.url("/echo?")),
        site.url("/empty"),
        "not a URL".to_owned(),
    ];
    fs::write(&list, format!("# a list\n\n{}", urls.join("\n \n"))).expect("written");
    run(
        plain(&program)
            .args(["--throttle", "0", "--ordered", "--user-agent", "tester"])
            .args(["--header", "X-One: 1", "--header", "X-Two:2"])
            .arg("--output")
            .arg(&folder)
            .arg("--report")
            .arg(&report)
            .arg(&list),
        0,
    );
    let report = fs::read_to_string(&report).expect("a report");
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 6, "{report}");
    let header = "url,end_url,status,error_code,hops,bytes,seconds,truncated,file";
    assert_eq!(lines[0], header);
    let file = |line: &str| PathBuf::from(line.rsplit(',').next().expect("a file"));
    let text = known_text();
    assert!(lines[1].starts_with(&site.url("/text,")), "{}", lines[1]);
    assert!(lines[1].contains(&format!(",200,,1,{},", text.len())));
    assert_eq!(fs::read(file(lines[1])).expect("a body"), text.as_bytes());
    assert!(lines[2].starts_with(&format!("\"{}\",", site.url("/echo?a,b"))));
    let echo = fs::read_to_string(file(lines[2])).expect("a body");
    for header in ["tester", "[\"x-one\",\"1\"]", "[\"x-two\",\"2\"]"] {
        assert!(echo.contains(header), "{echo}");
    }
    let quoted = format!("\"{}\u{e9}\"\"\",", site.url("/echo?"));
    assert!(lines[3].starts_with(&quoted), "{}", lines[3]);
    assert!(lines[4].contains(",200,,1,0,") && lines[4].ends_with(','));
    assert!(lines[5].starts_with("not a URL,,,invalid-url,0,0,"));
    let saved = fs::read_dir(&folder).expect("a folder").count();
    assert_eq!(saved, 3, "{report}");
}

#[test]
fn fetch_resolves() {
    let site = site();
    let program = compile("examples/c/fetch.c");
    let child = feed(
        plain(&program).args(["--resolve", "--quiet"]),
        site.url("/redirect/3"),
    );
    let report = finished(child, 0);
    let expected = format!(
        "{},{},200,,4,0,",
        site.url("/redirect/3"),
        site.url("/echo")
    );
    assert!(report.contains(&expected), "{report}");
    assert!(site.log().iter().all(|entry| entry.method == "HEAD"));
}

#[test]
fn fetch_goes_where_pages_lead() {
    let site = site();
    let program = compile("examples/c/fetch.c");
    let quoted =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    let page = |body: &str, headers: &str| {
        let path = format!("/status/200?header=Content-Type:text/html{headers}&body=");
        site.url(&(path + &quoted(body)))
    };
    let named = page("<link rel=canonical href=/named>", "");
    let cookie = page(
        &format!("<script>location='{named}'</script>"),
        "&header=Set-Cookie:a=b",
    );
    let meta = page(
        &format!("<meta http-equiv=refresh content='0;url={cookie}'>"),
        "",
    );
    let start = format!("http://way.invalid/?url={}", quoted(&meta));
    let flags = [
        "--pages",
        "--infer",
        "--canonical",
        "--stateful",
        "--quiet",
        "--resolve",
    ];
    let report = finished(feed(plain(&program).args(flags), &start), 0);
    let expected = format!("{start},{},200,,5,0,", site.url("/named"));
    assert!(report.contains(&expected), "{report}");
}

#[test]
fn fetch_takes_any_line() {
    let site = site();
    let program = compile("examples/c/fetch.c");
    let mut input = b"\xef\xbb\xbf".to_vec(); // a mark that editors leave at the start
    input.extend(site.url("/echo?first\n").bytes());
    input.extend(b"   # no URL\n\r\n\0\n");
    input.extend(format!("{}/{}\n", site.url("/echo"), "x".repeat(1 << 20)).bytes());
    input.extend(site.url("/echo?caf").bytes());
    input.extend(b"\xe9\n");
    input.extend(format!("{} a b\n", site.url("/echo?")).bytes());
    input.extend(site.url("/echo?last").bytes());
    let child = feed(
        plain(&program).args(["--throttle", "0", "--ordered"]),
        input,
    );
    let report = finished(child, 0);
    let lines: Vec<&str> = report.lines().skip(1).collect();
    assert_eq!(lines.len(), 6, "{report:.2000}");
    assert!(lines[0].starts_with(&site.url("/echo?first,")));
    assert!(lines[0].contains(",200,"), "{}", lines[0]);
    assert!(lines[1].starts_with("\0,,,invalid-url,"), "{}", lines[1]);
    assert!(lines[2].len() > 1 << 20);
    assert!(lines[3].starts_with(&site.url("/echo?caf%E9,")));
    assert!(lines[4].starts_with(&site.url("/echo? a b,")));
    assert!(lines[5].starts_with(&site.url("/echo?last,")));
    assert!(lines[5].contains(",200,"), "{}", lines[5]);
}

/// Neither does slow input keep results back, nor do slow servers keep input back.
#[test]
fn fetch_waits_for_nothing_it_need_not() {
    let site = site();
    let program = compile("examples/c/fetch.c");
    let mut child = feed(plain(&program).stdin(Stdio::piped()), "");
    assert!(finished(child, 0).starts_with("url,"), "no input is fine");

    child = plain(&program)
        .args(["--throttle", "0", "--parallelism", "9"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    let mut report = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    report.read_line(&mut line).expect("the header");
    writeln!(input, "{}", site.url("/slow?ms=3000")).expect("it is read");
    for number in 0..3 {
        let started = Instant::now();
        writeln!(input, "{}", site.url(&format!("/echo?{number}"))).expect("it is read");
        write!(input, "{}", site.url("/ec")).expect("it is read"); // half a line
        line.clear();
        report.read_line(&mut line).expect("a line");
        assert!(
            line.starts_with(&site.url(&format!("/echo?{number},"))),
            "{line}"
        );
        assert!(started.elapsed() < Duration::from_secs(2), "{line}");
        writeln!(input, "ho?end").expect("it is read");
        line.clear();
        report.read_line(&mut line).expect("a line");
        assert!(line.starts_with(&site.url("/echo?end,")), "{line}");
    }
    drop(input);
    line.clear();
    report.read_line(&mut line).expect("a line");
    assert!(line.contains("/slow?ms=3000"), "{line}");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn fetch_ends_on_an_interrupt() {
    let site = site();
    let program = compile("examples/c/fetch.c");
    let mut child = plain(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    for number in 0..50 {
        writeln!(input, "{}", site.url(&format!("/hang?{number}"))).expect("it is read");
    }
    let started = Instant::now();
    while site.log().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "no request");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The input stays open all the while.
    interrupt(&child);
    let report = finished(child, 130);
    assert_eq!(report.lines().count(), 51, "{report}");
    assert!(
        report
            .lines()
            .skip(1)
            .all(|line| line.contains(",cancelled,"))
    );
    drop(input);
}

#[test]
fn fetch_says_what_is_wrong() {
    let site = site();
    let program = compile("examples/c/fetch.c");
    let says = |arguments: &[&str], status: i32, words: &str| {
        let child = feed(plain(&program).args(arguments), site.url("/text"));
        let output = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {errors}"
        );
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    };
    says(&["--nonsense"], 2, "nonsense");
    says(&["--throttle", "fast"], 2, "--throttle takes a number");
    says(&["--throttle", "-1"], 2, "throttle");
    says(&["--workers", "-1"], 2, "--workers takes a number");
    says(&["--parallelism", "0"], 2, "domain_parallelism");
    says(&["--timeout", "0"], 2, "timeout");
    says(&["--header", "nothing"], 2, "NAME: VALUE");
    says(&["--header", "A: b\nc"], 2, "header");
    says(&["--connect-to", "nowhere"], 2, "connect_to");
    says(&["--dns", "nowhere"], 2, "dns");
    says(&["one", "two"], 2, "one FILE");
    says(&["/nonexistent/list"], 1, "/nonexistent/list: No such file");
    says(&["/"], 1, "/: Is a directory");
    says(&["--report", "/nonexistent/report"], 1, "No such file");
    says(&["--output", "/nonexistent/bodies"], 1, "No such file");
    says(&["--report", "/dev/full"], 1, "/dev/full: No space left");
    says(&["--output", "/dev/null"], 1, "Not a directory");
    for flag in ["--help", "--version"] {
        assert!(!run(plain(&program).arg(flag), 0).is_empty());
    }
}

#[test]
fn the_header_compiles_alone() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    for (language, standard) in [
        ("c", "c99"),
        ("c", "c11"),
        ("c", "c17"),
        ("c++", "c++11"),
        ("c++", "c++17"),
        ("c++", "c++20"),
    ] {
        let source = scratch(&format!("header-{standard}"));
        fs::write(&source, "#include <rouet.h>\n").expect("written");
        let compiler = if language == "c" { "cc" } else { "g++" };
        run(
            Command::new(compiler)
                .arg(format!("-std={standard}"))
                .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"])
                .arg("-I")
                .arg(root().join("include"))
                .args(["-x", language])
                .arg(&source),
            0,
        );
    }
}

/// So that it can be loaded beside another libcurl: nothing else of what is linked in shows.
#[test]
fn only_the_header_s_functions_are_exported() {
    run(
        Command::new(root().join("scripts/exports")).arg(library_folder().join("librouet.so")),
        0,
    );
}
