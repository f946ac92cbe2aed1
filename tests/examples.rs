//! The examples that a user starts from, in C and C++, run against the test site: plain, under
//! valgrind in a debug build, and with sanitizers. (`fetch` and `throughput` are in `c.rs`.)

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rouet_site::{Options, Site, known_text};

mod support;

use support::c::{
    all_ways, compile_with, feed, finished, interrupt, plain, root, run, said, scratch,
};

fn site() -> Site {
    Site::start(Options::default()).expect("the site starts")
}

/// How libuv is linked.
const LIBUV: &[&str] = &["-luv"];

/// The event loops, and what they are linked with.
const LOOPS: [(&str, &[&str]); 2] = [("examples/c/epoll.c", &[]), ("examples/c/libuv.c", LIBUV)];

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}

#[test]
fn event_loops() {
    if !support::needs::library("libuv") {
        return;
    }
    let site = site();
    for (source, flags) in LOOPS {
        for mut command in all_ways(source, flags) {
            let urls = ["/bytes/1000", "/redirect/2", "/status/404", "/text"];
            let output = run(command.args(urls.map(|path| site.url(path))), 0);
            let expected = [
                format!("200 {} 1000 bytes", site.url("/bytes/1000")),
                format!("404 {} 0 bytes", site.url("/status/404")),
                format!("200 {} {} bytes", site.url("/text"), known_text().len()),
            ];
            let lines = lines(&output);
            assert_eq!(lines.len(), 4, "{output}");
            for line in &expected {
                assert!(lines.contains(line.as_str()), "{source}: {output}");
            }
            assert!(output.contains(&format!("200 {} ", site.url("/echo"))));
        }
        // What fails: at once, in the library, and on the way.
        let program = compile_with(source, "", flags);
        let urls = ["", "not a URL", "http://127.0.0.1:1/"];
        let child = feed(plain(&program).args(urls).arg(site.url("/text")), "");
        let (output, errors) = said(child, 1);
        assert_eq!(output.lines().count(), 1, "{output}");
        assert!(errors.contains("url is empty"), "{errors}");
        assert!(errors.contains("not a URL"), "{errors}");
        assert!(errors.contains("http://127.0.0.1:1/"), "{errors}");
        run(&mut plain(&program), 2);
        run(plain(&program).arg(""), 1); // with nothing to wait for
    }
}

/// More URLs than there is room for: the loops hand over the rest as they take results.
#[test]
fn event_loops_with_more_than_there_is_room_for() {
    if !support::needs::library("libuv") {
        return;
    }
    let site = site();
    for (source, flags) in LOOPS {
        let program = compile_with(source, "", flags);
        // Each a site of its own, or the throttle would make it long; all fail at once.
        let urls = (0..3000).map(|number| format!("ftp://{number}.example/"));
        let child = feed(plain(&program).args(urls).arg(site.url("/text")), "");
        let (output, errors) = said(child, 1);
        assert_eq!(output.lines().count(), 1, "{output}");
        // It says how far it is, too, once a second.
        let failed = errors.lines().filter(|line| line.contains("ftp://"));
        assert_eq!(failed.count(), 3000, "{source}");
    }
}

#[test]
fn event_loops_end_on_an_interrupt() {
    if !support::needs::library("libuv") {
        return;
    }
    let site = site();
    for (source, flags) in LOOPS {
        for mut command in all_ways(source, flags) {
            let before = site.log().len();
            let child = command
                .args((0..9).map(|number| site.url(&format!("/hang?{number}"))))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts");
            let started = Instant::now();
            while site.log().len() == before {
                assert!(started.elapsed() < Duration::from_secs(60), "no request");
                sleep(Duration::from_millis(10));
            }
            interrupt(&child);
            let (output, errors) = said(child, 1);
            assert_eq!(output, "");
            let cancelled = errors.matches("cancelled").count();
            assert_eq!(cancelled, 9, "{source}: {errors}");
        }
    }
}

#[test]
fn crawl() {
    let site = site();
    let start = site.url("/page/0");
    for mut command in all_ways("examples/c/crawl.c", &[]) {
        let before = site.log().len();
        let output = run(command.args([&start, "12", "0.01"]), 0);
        // Each page once, none but this host's, and no more than were asked for. Some of the
        // site's pages never answer.
        let log = site.log();
        let asked: BTreeSet<&str> = log[before..].iter().map(|entry| &*entry.path).collect();
        assert_eq!(asked.len(), 12, "{asked:?}");
        assert!(asked.iter().all(|path| path.starts_with("/page/")));
        let printed: BTreeSet<String> = output
            .lines()
            .map(|line| {
                let (status, url) = line.split_once(' ').expect("a status and a URL");
                assert!(["200", "404", "500", "503"].contains(&status), "{line}");
                url.to_owned()
            })
            .collect();
        assert_eq!(printed.len(), output.lines().count(), "{output}");
        assert!(printed.len() > 6 && printed.contains(&start), "{output}");
        assert!(printed.iter().all(|url| {
            let path = url.strip_prefix(&site.url("")).expect("this site's");
            asked.contains(path)
        }));
    }
    let program = compile_with("examples/c/crawl.c", "", &[]);
    // It is drained long before there are so many, and a loop of pages is no endless crawl.
    let leaf = site.url("/status/200?header=Content-Type:text/html&body=%3Ca%20href=/text%23x%3E%3Ca%20href=/text%23y%3E");
    let output = run(plain(&program).args([&leaf, "1000", "0"]), 0);
    assert_eq!(output, format!("200 {leaf}\n200 {}\n", site.url("/text")));
    let child = feed(plain(&program).args(["http://127.0.0.1:1/", "5"]), "");
    assert!(said(child, 1).1.contains("http://127.0.0.1:1/"));
    for wrong in [
        &[start.as_str()][..],
        &[&start, "x"],
        &[&start, "0"],
        &[&start, "5", "fast"],
    ] {
        run(plain(&program).args(wrong), 2);
    }
}

#[test]
fn crawl_in_cpp_reports_broken_links() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    let site = site();
    let page = |body: &str| {
        let quoted: String = body.bytes().map(|byte| format!("%{byte:02x}")).collect();
        site.url(&format!(
            "/status/200?header=Content-Type:text/html&body={quoted}"
        ))
    };
    // A page that links to one with links: a good one, one that is not there, one met already,
    // one elsewhere that nobody listens at, and one elsewhere that leads to yet another.
    let far = site.url("/nowhere").replace("127.0.0.1", "localhost");
    let inner = page(&format!(
        "<a href=/text><a href=/status/410><a href='http://127.0.0.1:1/'><a href='{far}'>"
    ));
    let start = page(&format!(
        "<a href='{inner}'><a href=/text#x><a href=/no-head>"
    ));
    for mut command in all_ways("examples/cpp/crawl.cpp", &[]) {
        let before = site.log().len();
        let child = feed(command.args([&start, "50"]), "");
        let (output, errors) = said(child, 1);
        let lines = lines(&output);
        assert_eq!(lines.len(), 3, "{output}");
        assert!(
            lines.contains(&*format!("{inner}: {}: 410", site.url("/status/410"))),
            "{output}"
        );
        assert!(lines.contains(&*format!("{inner}: {far}: 404")), "{output}");
        assert!(
            output.contains(&format!("{inner}: http://127.0.0.1:1/: ")),
            "{output}"
        );
        assert!(errors.contains("7 links, 3 broken"), "{errors}");
        let log = site.log();
        let mut methods: Vec<_> = log[before..].iter().map(|entry| &*entry.method).collect();
        methods.sort();
        // A HEAD that gets 404 is asked again with GET.
        assert_eq!(
            methods,
            ["GET", "GET", "GET", "GET", "GET", "GET", "HEAD"],
            "{log:?}"
        );
    }
    let program = compile_with("examples/cpp/crawl.cpp", "", &[]);
    let child = feed(plain(&program).args([&site.url("/text"), "5"]), "");
    assert!(said(child, 0).1.contains("1 links, 0 broken"));
    let child = feed(plain(&program).args([&start, "2"]), "");
    assert!(said(child, 0).1.contains("2 links, 0 broken"));
    let child = feed(
        plain(&program).args(["http://caf\u{e9}.example/\u{1}", "5"]),
        "",
    );
    assert!(said(child, 1).0.contains("the command line: "));
    let child = feed(plain(&program).args(["", "5"]), "");
    assert!(said(child, 2).1.contains("url is empty"));
    for wrong in [&[start.as_str()][..], &[&start, "x"]] {
        run(plain(&program).args(wrong), 2);
    }
}

/// An empty folder for one test.
fn empty_folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn download() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    let site = site();
    for source in ["examples/c/download.c", "examples/cpp/download.cpp"] {
        for mut command in all_ways(source, &[]) {
            let folder = empty_folder("saved");
            let urls = ["/text", "/bytes/1000", "/empty"].map(|path| site.url(path));
            let output = run(command.arg(&folder).args(&urls), 0);
            assert_eq!(output.lines().count(), 3, "{output}");
            for (url, body) in urls.iter().zip([
                known_text().as_bytes().to_vec(),
                rouet_site::pattern(1000).to_vec(),
                Vec::new(),
            ]) {
                let path = output
                    .lines()
                    .find_map(|line| line.strip_prefix(&format!("200 {url} ")))
                    .unwrap_or_else(|| panic!("{url}: {output}"));
                assert!(PathBuf::from(path).starts_with(&folder), "{path}");
                assert!(fs::read(path).expect("a file") == body, "{url}: {path}");
                assert_eq!(path.ends_with(".txt"), url.ends_with("/text"), "{path}");
            }
            assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 3);
        }
        // A file that can't be written, beside an URL that can't be had.
        let program = compile_with(source, "", &[]);
        let folder = empty_folder("refused");
        fs::create_dir(folder.join(if source.ends_with(".c") {
            "0001.txt"
        } else {
            "0.txt"
        }))
        .expect("a folder where a file is to be");
        let urls = [
            site.url("/text"),
            site.url("/bytes/7"),
            "http://127.0.0.1:1/".into(),
        ];
        let child = feed(plain(&program).arg(&folder).args(urls), "");
        let (output, errors) = said(child, 1);
        assert_eq!(output.lines().count(), 1, "{output}");
        assert!(errors.contains("Is a directory"), "{errors}");
        assert!(errors.contains("http://127.0.0.1:1/: "), "{errors}");
        run(plain(&program).arg(&folder), 2);
    }
    // A full disk is a failure too, though it is told of late.
    for source in ["examples/c/download.c", "examples/cpp/download.cpp"] {
        let folder = empty_folder("full");
        let name = if source.ends_with(".c") {
            "0001.txt"
        } else {
            "0.txt"
        };
        std::os::unix::fs::symlink("/dev/full", folder.join(name)).expect("a link");
        let program = compile_with(source, "", &[]);
        let child = feed(plain(&program).arg(&folder).arg(site.url("/text")), "");
        assert!(said(child, 1).1.contains("No space left"), "{source}");
    }
}

#[test]
fn threads() {
    let site = site();
    let words = known_text()
        .split(|letter: char| letter.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
        .count();
    assert!(words > 100);
    for mut command in all_ways("examples/c/threads.c", &[]) {
        let urls = ["/text", "/bytes/9", "/empty"].map(|path| site.url(path));
        let input = format!("\n  {}\r\n{}\n\n{}", urls[0], urls[1], urls[2]);
        let output = finished(feed(command.arg("4"), input), 0);
        let lines = lines(&output);
        assert_eq!(lines.len(), 3, "{output}");
        assert!(output.contains(&format!("{words} words in ")), "{output}");
        assert!(
            lines.contains(&*format!("0 words in {}", urls[2])),
            "{output}"
        );
    }
    let program = compile_with("examples/c/threads.c", "", &[]);
    let many: String = (0..3000).map(|n| format!("ftp://{n}.example/\n")).collect();
    let (output, errors) = said(feed(plain(&program).arg("3"), many), 1);
    assert_eq!((output.len(), errors.lines().count()), (0, 3000));
    let (_, errors) = said(feed(plain(&program).arg("1"), b"\xff\n"), 1);
    assert!(errors.contains("not UTF-8"), "{errors}");
    for wrong in [&[][..], &["0"], &["65"], &["many"], &["1", "2"]] {
        run(plain(&program).args(wrong), 2);
    }
}

#[test]
fn resolve_in_cpp_keeps_the_order() {
    if !support::needs::tools(&["g++"]) {
        return;
    }
    let site = site();
    let paths = ["/slow?ms=300", "/redirect/3", "/text"];
    for mut command in all_ways("examples/cpp/resolve.cpp", &[]) {
        let input = paths.map(|path| site.url(path)).join("\n \n");
        let output = finished(feed(&mut command, input), 0);
        let expected: String = paths
            .iter()
            .zip(["/slow?ms=300", "/echo", "/text"])
            .map(|(from, to)| format!("{} -> {}\n", site.url(from), site.url(to)))
            .collect();
        assert_eq!(output, expected);
    }
    let program = compile_with("examples/cpp/resolve.cpp", "", &[]);
    let input = [b"\xff\nftp://a.example/\n", site.url("/text").as_bytes()].concat();
    let (output, errors) = said(feed(&mut plain(&program), input), 1);
    assert_eq!(output.lines().count(), 1, "{output}");
    assert!(
        errors.contains("not UTF-8") && errors.contains("its scheme is ftp"),
        "{errors}"
    );
    assert_eq!(finished(feed(&mut plain(&program), ""), 0), "");
}

/// What an example says of how it is built is what its test does: the file's name and the libraries.
#[test]
fn each_example_says_how_to_build_it_and_is_tested() {
    let tests = fs::read_to_string(root().join("tests/examples.rs")).expect("this file");
    let tests = tests + &fs::read_to_string(root().join("tests/c.rs")).expect("its neighbour");
    for (folder, compiler) in [("examples/c", "cc "), ("examples/cpp", "c++ -std=c++17 ")] {
        for entry in fs::read_dir(root().join(folder)).expect("examples") {
            let path = entry.expect("an example").path();
            let file = path.file_name().expect("a name").display().to_string();
            let source = format!("{folder}/{file}");
            assert!(
                tests.contains(&format!("\"{source}\"")),
                "{source} has no test"
            );
            let text = fs::read_to_string(&path).expect("it is text");
            let name = path.file_stem().expect("a name").display().to_string();
            let built = ["fetch", "throughput"].contains(&&*name) // by make
                || text.lines().any(|line| {
                    let line = line.trim_start_matches(['/', '*', ' ']);
                    line.starts_with(compiler)
                        && line.contains(&format!(" {file} $(pkg-config --cflags --libs rouet"))
                        && line.ends_with(&format!(" -o {name}"))
                        && line.contains(" libuv)") == text.contains("#include <uv.h>")
                });
            assert!(built, "{source} does not say how to build it");
        }
    }
}
