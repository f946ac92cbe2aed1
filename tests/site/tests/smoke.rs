//! The site and the faults, seen by the smallest of clients.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use rouet_site::{Fate, Faults, Kind, Options, Site, fate, gaps, kind, known_text, page, pattern};

/// The raw answer to a request, that closes the connection.
fn fetch(port: u16, method: &str, path: &str, host: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = head.map_or(0, |end| end + 4);
    let head = String::from_utf8_lossy(&answer[..body]).into_owned();
    Ok((head, answer[body..].to_vec()))
}

fn get(port: u16, path: &str) -> (String, Vec<u8>) {
    fetch(port, "GET", path, "a.test").unwrap()
}

#[test]
fn routes_answer() {
    let site = Site::start(Options::default()).unwrap();
    let port = site.port();
    let (head, body) = get(port, "/text");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, known_text().as_bytes());
    let (head, body) = fetch(port, "HEAD", "/text", "a.test").unwrap();
    assert!(head.contains("content-length: 20000\r\n"), "{head}");
    assert!(body.is_empty());
    assert_eq!(get(port, "/bytes/100000").1, pattern(100_000));
    assert!(
        get(port, "/chunked/9")
            .0
            .contains("transfer-encoding: chunked")
    );
    assert!(get(port, "/status/418").0.starts_with("HTTP/1.1 418"));
    assert!(
        get(port, "/redirect/2")
            .0
            .contains("location: /redirect/1\r\n")
    );
    assert!(get(port, "/redirect/1").0.contains("location: /echo\r\n"));
    let echo = String::from_utf8(get(port, "/echo?x=1").1).unwrap();
    assert!(
        echo.contains(r#"["host","a.test"],["connection","close"]"#),
        "{echo}"
    );
    assert!(get(port, "/nothing").0.starts_with("HTTP/1.1 404"));
}

#[test]
fn the_log_tells_what_was_asked() {
    let site = Site::start(Options::default()).unwrap();
    let path = "/slow?ms=100";
    let ask = |host: &'static str| {
        let port = site.port();
        std::thread::spawn(move || fetch(port, "GET", path, host).unwrap())
    };
    let asked = [ask("A.test:80"), ask("a.test"), ask("b.test")];
    for thread in asked {
        thread.join().unwrap();
    }
    let log = site.log();
    assert_eq!(log.len(), 3);
    assert_eq!(site.connections(), 3);
    assert_eq!(site.max_in_flight("a.test"), 2);
    assert_eq!(site.max_in_flight("b.test"), 1);
    for entry in &log {
        assert_eq!(
            (entry.path.as_str(), entry.status, entry.bytes),
            (path, 200, 5)
        );
        assert!(entry.ended - entry.at >= Duration::from_millis(100));
    }
    let (host, gap) = gaps(&log).smallest.unwrap();
    assert!(host == "a.test" && gap < Duration::from_millis(100));
    site.clear_log();
    assert!(site.log().is_empty());
}

#[test]
fn pages_are_what_the_functions_tell() {
    let site = Site::start(Options::default()).unwrap();
    for n in 0..200 {
        let answer = get(site.port(), &format!("/page/{n}"));
        match fate(n) {
            Fate::Gone => assert_eq!(answer, (String::new(), vec![])),
            Fate::Error(status) => assert!(answer.0.starts_with(&format!("HTTP/1.1 {status}"))),
            Fate::Fine | Fate::Slow(_) => {
                let charset = format!("content-type: {}\r\n", kind(n).content_type());
                assert!(answer.0.contains(&charset), "{}", answer.0);
                if !answer.0.contains("chunked") {
                    assert_eq!(answer.1, page("a.test", n).body);
                }
            }
        }
    }
    assert!((0..200).any(|n| kind(n) == Kind::ShiftJis));
    let (head, _) = fetch(site.port(), "GET", "/page/5", "old-3.test:8080").unwrap();
    assert!(
        head.contains("location: http://site-3.test:8080/page/5\r\n"),
        "{head}"
    );
}

#[test]
fn a_site_stops_at_once_and_writes_its_log() {
    let folder = std::env::temp_dir().join(format!("rouet-smoke-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("log");
    let site = Site::start(Options {
        tls: true,
        log_file: Some(file.clone()),
        ..Options::default()
    })
    .unwrap();
    let ca = site.ca_file().unwrap().to_owned();
    assert!(ca.exists());
    get(site.port(), "/bytes/7");
    let mut hung = TcpStream::connect((Ipv4Addr::LOCALHOST, site.port())).unwrap();
    write!(hung, "GET /hang HTTP/1.1\r\nHost: h.test\r\n\r\n").unwrap();
    while site.log().len() < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let start = Instant::now();
    drop(site);
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(!ca.exists());
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.contains("\ta.test\tGET\t/bytes/7\t200\t7\n"), "{log}");
    assert!(log.contains("\th.test\tGET\t/hang\t0\t0\n"), "{log}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn faults_happen() {
    let faults = Faults::start().unwrap();
    let port = faults.port();
    assert_eq!(get(port, "/close"), (String::new(), vec![]));
    let reset = fetch(port, "GET", "/reset", "a.test").unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    assert_eq!(get(port, "/truncate").1.len(), 100);
    assert!(!get(port, "/garbage").0.starts_with("HTTP"));
    let path = "/flaky/key/2";
    assert!(get(port, path).0.is_empty());
    assert!(get(port, path).0.is_empty());
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
    write!(stream, "GET /head HTTP/1.1\r\nHoSt: B\r\n\r\n").unwrap();
    write!(stream, "GET /flaky-status/k/1/503 HTTP/1.1\r\n\r\n").unwrap();
    write!(stream, "GET /flaky-status/k/1/503 HTTP/1.1\r\n\r\n").unwrap();
    write!(stream, "GET /keep-then-drop HTTP/1.1\r\n\r\n").unwrap();
    write!(stream, "GET /last HTTP/1.1\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(
        answers.matches("HTTP/1.1 200 OK\r\n").count(),
        4,
        "{answers}"
    );
    assert_eq!(
        answers.matches("HTTP/1.1 503 Flaky\r\n").count(),
        1,
        "{answers}"
    );
    assert!(answers.contains("HoSt: B\r\n"), "{answers}");
    assert_eq!(faults.requests(path), 3);
    assert_eq!(faults.requests("/last"), 1);
    assert_eq!(faults.connections(), 6 + 1);
}

#[test]
fn fixed_bytes_lead_somewhere_or_end() {
    let faults = Faults::start().unwrap();
    let port = faults.port();
    assert_eq!(get(port, "/half-close").1, b"hello");
    assert_eq!(get(port, "/close-head").0, "");
    assert!(get(port, "/early-hints").0.starts_with("HTTP/1.1 103"));
    let (head, body) = get(port, "/location?to=/%E9");
    assert!(head.contains("Location: /\u{FFFD}\r\n"), "{head}");
    assert!(body.is_empty());
    assert!(get(port, "/chain/7").0.contains("Location: /chain/8\r\n"));
    assert_eq!(get(port, "/body?mb=2").1.len(), 2 << 20);
    assert_eq!(get(port, "/drip-body?ms=1").1, b"hello");
}

#[test]
fn doors_open_and_late_ports_too() {
    let faults = Faults::start().unwrap();
    for name in Faults::doors() {
        let url = faults.door(name).unwrap();
        assert_eq!(url, faults.door(name).unwrap());
        let port = url.rsplit(':').next().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
    }
    assert!(faults.door("nosuch").is_err());
    let late = faults.late().unwrap();
    let port = late.port();
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    late.open().unwrap();
    assert_eq!(get(port, "/close-end").1, b"hello");
}
