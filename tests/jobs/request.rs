//! Downloading: what is sent, what comes back, and its limits.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::support::dns::{Answer, Dns};
use crate::support::proxy::{Admit, Proxy};
use crate::support::raw::{Raw, answer};
use crate::support::*;
use rouet::{Error, HttpVersion, Job, Kind, Options, Retry, StreamConfig};
use rouet_site::{known_text, pattern};
use url::{Position, Url};

/// The head of the request that `set` makes, byte for byte.
fn head_of(set: impl FnOnce(&mut Options)) -> String {
    text(&fetch_with(faults().url("/head"), set))
}

fn header_lines(head: &str) -> Vec<&str> {
    head.trim_end().lines().skip(1).collect()
}

#[test]
fn a_request_is_a_get_that_says_who_asks_and_little_else() {
    let faults = faults();
    let head = text(&fetch(Job::request(faults.url("/head"))));
    let mut lines = header_lines(&head);
    lines.sort_unstable();
    let host = format!("Host: 127.0.0.1:{}", faults.port());
    let agent = concat!("User-Agent: rouet/", env!("CARGO_PKG_VERSION"));
    assert!(head.starts_with("GET /head HTTP/1.1\r\n"), "{head}");
    assert_eq!(lines, ["Accept: */*", &host, agent]);
}

#[test]
fn every_method_is_sent_as_it_is() {
    let site = site();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let body = text(&fetch_with(site.url("/echo"), |options| {
            options.method = Some(method.into());
        }));
        assert!(body.contains(&format!(r#""method":"{method}""#)), "{body}");
        assert!(body.contains(r#""body_length":0"#), "{body}");
    }
}

#[test]
fn a_body_is_sent_with_every_method_that_may_have_one() {
    let site = site();
    for method in ["POST", "PUT", "PATCH", "DELETE", "GET", "BREW"] {
        let body = text(&fetch_with(site.url("/echo"), |options| {
            options.method = Some(method.into());
            options.body = Some(b"wool, yarn"[..].into());
        }));
        assert!(body.contains(&format!(r#""method":"{method}""#)), "{body}");
        assert!(body.contains(r#""body":"wool, yarn""#), "{body}");
    }
}

#[test]
fn a_large_body_arrives_whole() {
    let server = Raw::start(|request| answer("200 OK", &[], &request.body.len().to_string()));
    let result = fetch_with(server.url("/"), |options| {
        options.method = Some("POST".into());
        options.body = Some(pattern(3_000_000).into());
    });
    assert_eq!(text(&result), "3000000");
}

#[test]
fn a_post_has_no_header_that_nobody_asked_for() {
    let head = head_of(|options| {
        options.method = Some("POST".into());
        options.body = Some(pattern(2_000_000).into());
    });
    assert!(head.starts_with("POST /head HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Length: 2000000\r\n"), "{head}");
    let lower = head.to_ascii_lowercase();
    let named = "\r\ncontent-type: application/octet-stream\r\n";
    assert_eq!(lower.contains("\r\ncontent-type:"), by_engine(false, true));
    assert_eq!(lower.contains(named), by_engine(false, true), "{head}");
    assert!(!lower.contains("\r\nexpect:"), "{head}");
}

#[test]
fn a_post_without_body_says_that_it_is_empty() {
    let head = head_of(|options| options.method = Some("POST".into()));
    assert!(head.contains("\r\nContent-Length: 0\r\n"), "{head}");
}

#[test]
fn headers_are_sent_in_order_with_their_case_and_repeats() {
    let given = [
        ("X-Second", "2"),
        ("x-FIRST", "1"),
        ("X-Repeated", "one"),
        ("X-Empty", ""),
        ("X-Repeated", "two"),
    ];
    let head = head_of(|options| {
        options.headers = given
            .map(|(name, value)| (name.into(), value.into()))
            .into();
    });
    let lines: Vec<&str> = header_lines(&head)
        .into_iter()
        .filter(|line| line.to_ascii_lowercase().starts_with("x-"))
        .map(str::trim_end)
        .collect();
    let as_given = [
        "X-Second: 2",
        "x-FIRST: 1",
        "X-Repeated: one",
        "X-Empty:",
        "X-Repeated: two",
    ];
    let grouped = [
        "X-Second: 2",
        "X-First: 1",
        "X-Repeated: one",
        "X-Repeated: two",
        "X-Empty:",
    ];
    assert_eq!(lines, by_engine(as_given, grouped));
}

#[test]
fn a_header_takes_the_place_of_the_default_one() {
    let head = head_of(|options| {
        options.compressed = true;
        options.headers = vec![
            ("user-agent".into(), "spinner/1".into()),
            ("Accept".into(), "text/html".into()),
            ("accept-encoding".into(), "br".into()),
            ("Host".into(), "elsewhere.test".into()),
        ];
    });
    let lower = head.to_ascii_lowercase();
    for (name, line) in [
        ("user-agent:", "user-agent: spinner/1"),
        ("accept:", "accept: text/html"),
        ("accept-encoding:", "accept-encoding: br"),
        ("host:", "host: elsewhere.test"),
    ] {
        let found: Vec<_> = lower
            .lines()
            .filter(|line| line.starts_with(name))
            .collect();
        assert_eq!(found, [line], "{head}");
    }
}

#[test]
fn a_header_value_may_be_utf8() {
    let result = fetch_with(faults().url("/head"), |options| {
        options.headers = vec![("X-Name".into(), "Ariane à l’œuvre".into())];
    });
    assert_eq!(code(&result), by_engine("ok", "internal-error"));
    let said = match result.error {
        None => text(&result),
        Some(ref failure) => failure.message.clone(),
    };
    let expected = by_engine("X-Name: Ariane à l’œuvre\r\n", "can't send X-Name");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_cookie_is_sent() {
    let head = head_of(|options| options.cookie = Some("a=1; b=2".into()));
    assert!(head.contains("\r\nCookie: a=1; b=2\r\n"), "{head}");
}

#[test]
fn credentials_in_the_url_are_sent() {
    let faults = faults();
    let url = format!("http://user:p%40ss@127.0.0.1:{}/head", faults.port());
    let head = text(&fetch(Job::request(url)));
    assert!(
        head.contains("\r\nAuthorization: Basic dXNlcjpwQHNz\r\n"),
        "{head}"
    );
}

#[test]
fn headers_come_back_in_order_with_repeats() {
    let site = site();
    let url = site.url("/status/200?header=X-B:1&header=X-A:2&header=X-B:%203&header=X-E:");
    let result = fetch(Job::request(url));
    let ours: Vec<(&str, &[u8])> = result
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-"))
        .collect();
    assert_eq!(
        ours,
        [
            ("x-b", &b"1"[..]),
            ("x-b", b"3"),
            ("x-a", b"2"),
            ("x-e", b""),
        ]
    );
    assert_eq!(result.headers.get("X-B"), Some(&b"1"[..]));
}

#[test]
fn headers_that_are_not_utf8_come_back_as_bytes() {
    let server = Raw::start(|_| {
        b"HTTP/1.1 200 OK\r\nX-Latin: caf\xE9\r\nX-CASE: kept\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let result = fetch(Job::request(server.url("/")));
    let headers: Vec<_> = result.headers.iter().collect();
    assert_eq!(
        headers,
        [
            (by_engine("X-Latin", "x-latin"), &b"caf\xE9"[..]),
            (by_engine("X-CASE", "x-case"), b"kept"),
            (by_engine("Content-Length", "content-length"), b"0"),
        ]
    );
}

#[test]
fn a_thousand_headers_come_back() {
    let result = fetch(Job::request(site().url("/headers?count=1000")));
    assert_ok(&result);
    assert_eq!(result.headers.get("x-999"), Some(&b"vvvvvvvvvv"[..]));
}

#[test]
fn interim_answers_and_trailers_are_no_part_of_the_headers() {
    let server = Raw::start(|_| {
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n\
          HTTP/1.1 200 OK\r\nX-Final: yes\r\nTransfer-Encoding: chunked\r\n\r\n\
          2\r\nok\r\n0\r\nX-Trailer: late\r\n\r\n"
            .to_vec()
    });
    let result = fetch(Job::request(server.url("/")));
    assert_eq!(text(&result), "ok");
    assert_eq!(result.status, 200);
    let names: Vec<_> = result.headers.iter().map(|(name, _)| name).collect();
    let expected = ["X-Final", "Transfer-Encoding"];
    let lower = ["x-final", "transfer-encoding"];
    assert_eq!(names, by_engine(expected, lower));
}

#[test]
fn every_coding_is_undone_when_compressed_is_set() {
    let site = site();
    for path in ["/text", "/gzip", "/deflate", "/deflate-raw", "/br", "/zstd"] {
        let result = fetch_with(site.url(path), |options| options.compressed = true);
        assert_eq!(text(&result), known_text(), "{path}");
    }
    let head = head_of(|options| options.compressed = true);
    assert!(
        head.contains("\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"),
        "{head}"
    );
}

#[test]
fn nothing_is_undone_when_compressed_is_not_set() {
    let site = site();
    let result = fetch(Job::request(site.url("/gzip")));
    assert_ok(&result);
    assert_eq!(result.body[..2], [0x1F, 0x8B]);
    assert_eq!(result.headers.get("content-encoding"), Some(&b"gzip"[..]));
    let broken = fetch(Job::request(site.url("/gzip-corrupt")));
    assert_ok(&broken);
}

#[test]
fn a_coding_nobody_knows_is_left_alone() {
    let site = site();
    let url = site.url("/status/200?body=woven&header=Content-Encoding:loom");
    let result = fetch_with(url, |options| options.compressed = true);
    assert_eq!(text(&result), "woven");
}

#[test]
fn broken_codings_are_errors_without_a_body() {
    let site = site();
    for (path, expected) in [
        ("/gzip-corrupt", "invalid-gzip"),
        ("/gzip-truncated", "invalid-gzip"),
        ("/br-corrupt", "invalid-encoding"),
        ("/zstd-corrupt", "invalid-encoding"),
    ] {
        let url = site.url(path);
        let result = fetch_with(url.clone(), |options| options.compressed = true);
        assert_eq!(code(&result), expected, "{path}");
        assert!(message(&result).contains(&url), "{}", message(&result));
        assert!(result.body.is_empty(), "{path}");
        assert_eq!(result.status, 200, "{path}");
    }
}

/// The known text in a coding, as the site sends it, cut to its half.
fn half_of(path: &str) -> Vec<u8> {
    let mut whole = fetch(Job::request(site().url(path))).body;
    whole.truncate(whole.len() / 2);
    whole
}

#[test]
fn truncated_codings_are_errors() {
    for (coding, path, expected) in [
        ("gzip", "/gzip", "invalid-gzip"),
        ("deflate", "/deflate", "invalid-encoding"),
        ("deflate", "/deflate-raw", "invalid-encoding"),
        ("br", "/br", "invalid-encoding"),
        ("zstd", "/zstd", "invalid-encoding"),
    ] {
        let half = half_of(path);
        let server = Raw::start(move |_| {
            let length = half.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
            );
            [head.as_bytes(), &half].concat()
        });
        let result = fetch_with(server.url("/"), |options| options.compressed = true);
        assert_eq!(code(&result), expected, "{path}");
    }
}

#[test]
fn an_empty_body_is_valid_under_any_coding() {
    let site = site();
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let url = site.url(&format!("/status/200?header=Content-Encoding:{coding}"));
        let result = fetch_with(url, |options| options.compressed = true);
        assert_eq!(text(&result), "", "{coding}");
    }
    let head = fetch_with(site.url("/gzip"), |options| {
        options.compressed = true;
        options.method = Some("HEAD".into());
    });
    assert_eq!(text(&head), "");
    let none = site.url("/status/204?header=Content-Encoding:gzip");
    let none = fetch_with(none, |options| options.compressed = true);
    assert_eq!((text(&none), none.status), (String::new(), 204));
}

#[test]
fn a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
    let site = site();
    for path in ["/bytes/100000", "/chunked/100000"] {
        let limited = |limit| fetch_with(site.url(path), |options| options.max_body_size = limit);
        assert_eq!(limited(100_000).body, pattern(100_000), "{path}");
        let result = limited(99_999);
        assert_eq!(code(&result), "body-too-large", "{path}");
        assert!(result.body.is_empty());
        assert_eq!(result.status, 200);
        assert!(
            message(&result).contains(&site.url(path)),
            "{}",
            message(&result)
        );
    }
}

#[test]
fn the_limit_holds_after_decompression() {
    let site = site();
    let limited = |path: &str, limit| {
        fetch_with(site.url(path), |options| {
            options.compressed = true;
            options.max_body_size = limit;
        })
    };
    for path in ["/gzip", "/deflate", "/deflate-raw", "/br", "/zstd"] {
        assert_eq!(text(&limited(path, 20_000)), known_text(), "{path}");
        assert_eq!(code(&limited(path, 19_999)), "body-too-large", "{path}");
    }
    let bomb = limited("/gzip-bomb?mb=1000", 1 << 20);
    assert_eq!(code(&bomb), "body-too-large");
    assert!(bomb.body.is_empty());
}

#[test]
fn a_body_without_end_is_broken_off_at_the_limit() {
    let result = fetch_with(site().url("/endless"), |options| {
        options.max_body_size = 1_000_000;
    });
    assert_eq!(code(&result), "body-too-large");
}

#[test]
fn the_length_a_head_answer_tells_is_no_body() {
    let result = fetch_with(site().url("/bytes/1000"), |options| {
        options.method = Some("HEAD".into());
        options.max_body_size = 10;
    });
    assert_ok(&result);
    assert_eq!(result.headers.get("content-length"), Some(&b"1000"[..]));
}

#[test]
fn a_time_out_ends_an_answer_that_never_comes_or_never_ends() {
    let site = site();
    for (path, expected) in [
        ("/hang", "read-timeout"),
        ("/drip?bytes=1000&ms=60000", "timeout"),
        ("/endless?ms=10", "timeout"),
    ] {
        let url = site.url(path);
        let result = fetch_with(url.clone(), |options| options.timeout = ms(300));
        assert_eq!(code(&result), expected, "{path}");
        assert!(message(&result).contains(&url), "{}", message(&result));
        let took = result.end_time.duration_since(result.start_time).unwrap();
        assert!(took >= ms(300), "{took:?}");
        assert!(result.body.is_empty(), "{path}");
    }
}

#[test]
fn the_time_out_is_over_all_hops_together() {
    let server = Raw::start(|request| {
        std::thread::sleep(ms(150));
        let next = format!("Location: {}x", request.target);
        answer("302 Found", &[&next], "")
    });
    let result = fetch_with(server.url("/"), |options| options.timeout = ms(500));
    assert_eq!(code(&result), "read-timeout");
    assert!((2..=4).contains(&result.stack.len()), "{:?}", hops(&result));
}

#[test]
fn a_connection_that_is_not_accepted_times_out() {
    let (address, _filling) = full_listener();
    let url = format!("http://{address}/");
    let result = fetch_with(url.clone(), |options| options.connect_timeout = ms(200));
    assert_eq!(code(&result), "connect-timeout");
    assert!(message(&result).contains(&url), "{}", message(&result));
}

#[test]
fn a_handshake_that_is_not_answered_is_a_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let result = fetch_with(url, |options| options.connect_timeout = ms(200));
    assert_eq!(code(&result), "connect-timeout");
}

#[test]
fn the_connect_timeout_is_over_once_connected() {
    let result = fetch_with(site().url("/slow?ms=500"), |options| {
        options.connect_timeout = ms(100);
    });
    assert_eq!(text(&result), "slow\n");
}

#[test]
fn certificates_are_checked_against_the_ca_file() {
    let (ours, other) = (secure_site(), secure_site());
    let url = ours.https_url("/text").unwrap();
    let with_ca = |url: &str, ca: &rouet_site::Site| {
        fetch_with(url, |options| {
            options.ca_file = ca.ca_file().map(Into::into)
        })
    };
    assert_eq!(text(&with_ca(&url, &ours)), known_text());
    for result in [with_ca(&url, &other), fetch(Job::request(&*url))] {
        assert_eq!(code(&result), "ssl");
        assert!(message(&result).contains(&url), "{}", message(&result));
    }
    let insecure = fetch_with(&*url, |options| options.insecure = true);
    assert_eq!(text(&insecure), known_text());
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let site = secure_site();
    let port = site.https_port().unwrap();
    let asked = |host: &str, insecure| {
        fetch_with(format!("https://{host}/text"), |options| {
            options.ca_file = site.ca_file().map(Into::into);
            options.connect_to = all_to(port);
            options.insecure = insecure;
        })
    };
    assert_eq!(text(&asked("any.test", false)), known_text());
    assert_eq!(code(&asked("example.org", false)), "ssl");
    assert_eq!(text(&asked("example.org", true)), known_text());
}

#[test]
fn a_ca_file_that_is_not_there_is_an_error_of_tls() {
    let site = secure_site();
    let result = fetch_with(site.https_url("/text").unwrap(), |options| {
        options.ca_file = Some("/nonexistent/ca.pem".into());
    });
    assert_eq!(code(&result), "ssl");
    assert!(
        message(&result).contains("/nonexistent/ca.pem"),
        "{}",
        message(&result)
    );
}

/// Reading a bundle costs more than all else in a connection: the file is gone after the first.
#[cfg(not(feature = "isahc"))]
#[test]
fn the_authorities_are_read_once_for_all_connections_of_a_thread() {
    let site = secure_site();
    let file = std::env::temp_dir().join(format!("rouet-test-{}-once.pem", std::process::id()));
    std::fs::copy(site.ca_file().unwrap(), &file).expect("a file");
    let pool = pool_of(Duration::ZERO, 1, 8, 1);
    let stream = stream_of(&pool, |config| {
        config.options = options(|options| {
            options.ca_file = Some(file.clone());
            options.connect_to = all_to(site.https_port().unwrap());
        });
    });
    submit(&stream, Job::request("https://first.test/text"));
    assert_eq!(text(&take(&stream)), known_text());
    std::fs::remove_file(&file).expect("it is there");
    let later = run(
        &stream,
        (0..5).map(|i| Job::request(format!("https://{i}.test/text"))),
    );
    assert_eq!(pool.stats().connections, 6);
    for result in later {
        assert_ok(&result);
    }
}

#[test]
fn the_http_version_is_negotiated_or_as_told() {
    let site = secure_site();
    let (plain, secure) = (site.url("/echo"), site.https_url("/echo").unwrap());
    for (url, version, expected) in [
        (&plain, HttpVersion::Any, "HTTP/1.1"),
        (&plain, HttpVersion::Http11, "HTTP/1.1"),
        (&plain, HttpVersion::Http2PriorKnowledge, "HTTP/2.0"),
        (&secure, HttpVersion::Any, "HTTP/2.0"),
        (&secure, HttpVersion::Http11, "HTTP/1.1"),
        (&secure, HttpVersion::Http2PriorKnowledge, "HTTP/2.0"),
    ] {
        let result = fetch_with(&**url, |options| {
            options.http_version = version;
            options.ca_file = site.ca_file().map(Into::into);
        });
        let body = text(&result);
        let version = format!(r#""version":"{expected}""#);
        assert!(body.contains(&version), "{url} {version}: {body}");
    }
}

#[test]
fn http2_requests_have_bodies_headers_and_codings_too() {
    let site = secure_site();
    let set = |options: &mut Options| {
        options.ca_file = site.ca_file().map(Into::into);
        options.compressed = true;
    };
    let echo = fetch_with(site.https_url("/echo").unwrap(), |options| {
        set(options);
        options.method = Some("POST".into());
        options.body = Some(b"wool"[..].into());
        options.headers = vec![("X-One".into(), "1".into())];
    });
    let body = text(&echo);
    assert!(
        body.contains("HTTP/2.0") && body.contains(r#""body":"wool""#),
        "{body}"
    );
    assert!(body.contains(r#"["x-one","1"]"#), "{body}");
    for path in [
        "/gzip",
        "/bytes/300000",
        "/chunked/300000",
        "/redirect/3",
        "/empty",
    ] {
        let result = fetch_with(site.https_url(path).unwrap(), set);
        assert_ok(&result);
        assert_eq!(result.status, 200);
        match path {
            "/gzip" => assert_eq!(text(&result), known_text()),
            "/bytes/300000" | "/chunked/300000" => assert_eq!(result.body, pattern(300_000)),
            _ => {}
        }
    }
}

#[test]
fn connections_are_used_again() {
    let site = secure_site();
    let pool = pool_of(Duration::ZERO, 1, 8, 2);
    let stream = stream_of(&pool, |config| {
        config.options = options(|options| options.ca_file = site.ca_file().map(Into::into));
    });
    let plain = site.url("/bytes/1000");
    // By address: for `localhost` curl would try ::1 as well.
    let secure = format!(
        "https://127.0.0.1:{}/bytes/1000",
        site.https_port().unwrap()
    );
    let jobs = (0..50).map(|i| Job::request(if i % 2 == 0 { &*plain } else { &*secure }));
    let results = run(&stream, jobs);
    assert!(results.iter().all(|result| result.body == pattern(1000)));
    assert_eq!(site.connections(), 2);
    assert_eq!(pool.stats().connections, 2);
    let reused = |url: &str| {
        results
            .iter()
            .filter(|result| result.url.as_deref() == Some(url))
            .skip(1)
            .all(|result| result.timings.connect.is_zero() && result.timings.tls.is_zero())
    };
    assert!(reused(&plain) && reused(&secure));
}

#[test]
fn a_kept_connection_that_the_server_closes_is_no_error() {
    let faults = faults();
    for path in ["/keep-then-close?ms=1", "/keep-then-drop"] {
        let stream = stream(&pool(ms(20), 1));
        let results = run(&stream, (0..5).map(|_| Job::request(faults.url(path))));
        for result in &results {
            assert_eq!(text(result), "ok\n", "{path}");
            assert_eq!(result.attempts, 1);
        }
    }
}

#[test]
fn a_post_that_met_a_closed_connection_is_not_sent_again() {
    // The server may have acted on it (RFC 9110, section 9.2.2).
    let faults = faults();
    let stream = stream_of(&pool(ms(20), 1), |config| {
        config.options = options(|options| options.method = Some("POST".into()));
    });
    let results = run(
        &stream,
        (0..4).map(|_| Job::request(faults.url("/keep-then-drop"))),
    );
    let lost = results
        .iter()
        .filter(|result| code(result) == "connection-aborted");
    // isahc sends each on a connection of its own.
    assert_eq!(lost.count(), by_engine(2, 0));
    assert_eq!(faults.requests("/keep-then-drop"), 4);
}

#[test]
fn a_resolve_sends_no_body() {
    let site = site();
    let job = Job::resolve(site.url("/echo")).options(options(|options| {
        options.body = Some(b"left over"[..].into());
        options.timeout = ms(5000);
    }));
    let result = fetch(job);
    assert_eq!(
        (code(&result), result.status),
        ("ok", 200),
        "{}",
        message(&result)
    );
}

#[test]
fn connect_to_leads_any_name_elsewhere() {
    let site = site();
    let asked = |url: &str, entry: String| {
        let url = url.to_owned();
        fetch_with(url, |options| options.connect_to = vec![entry])
    };
    let port = site.port();
    for (url, entry) in [
        ("http://a.test/echo", format!("::127.0.0.1:{port}")),
        ("http://b.test/echo", format!("b.test:80:127.0.0.1:{port}")),
        ("http://c.test:99/echo", format!("c.test::localhost:{port}")),
        ("http://D.TEST/echo", format!("d.test:80:127.0.0.1:{port}")),
    ] {
        let host = url[7..]
            .split(['/', ':'])
            .next()
            .unwrap()
            .to_ascii_lowercase();
        let result = asked(url, entry);
        assert!(
            text(&result).contains(&format!(r#""host":"{host}"#)),
            "{}",
            text(&result)
        );
    }
}

#[test]
fn dns_gives_a_name_its_addresses() {
    let site = site();
    let port = site.port();
    for entry in [
        format!("a.test:{port}:127.0.0.1"),
        format!("+a.test:{port}:127.0.0.1"),
        format!("A.Test:{port}:127.0.0.1"),
        format!("*:{port}:127.0.0.1"),
        // The first does not listen, curl goes on to the next.
        format!("a.test:{port}:127.0.0.9,127.0.0.1"),
    ] {
        let result = fetch_with(format!("http://a.test:{port}/text"), |options| {
            options.dns = vec![entry.clone()];
        });
        assert_eq!(code(&result), "ok", "{entry}: {}", message(&result));
    }
}

#[test]
fn localhost_needs_no_look_up() {
    let site = site();
    let pool = hasty_pool();
    let stream = stream(&pool);
    submit(
        &stream,
        Job::request(format!("http://localhost:{}/text", site.port())),
    );
    assert_eq!(text(&take(&stream)), known_text());
    assert_eq!(pool.stats().name_lookups, 0);
}

#[test]
fn interface_is_where_connections_come_from() {
    let server = Raw::start(|request| answer("200 OK", &[], &request.peer.ip().to_string()));
    for address in ["127.0.0.1", "127.0.0.2"] {
        let result = fetch_with(server.url("/"), |options| {
            options.network_interface = Some(address.into());
        });
        assert_eq!(text(&result), address);
    }
    let result = fetch_with(server.url("/"), |options| {
        options.network_interface = Some("nosuch0".into());
    });
    assert_eq!(code(&result), "connection-error");
}

#[test]
#[cfg_attr(feature = "isahc", ignore = "it takes no host name: docs/isahc.md")]
fn the_look_up_of_an_interface_holds_up_no_other_job() {
    own::network("the_look_up_of_an_interface_holds_up_no_other_job", || {
        const LATE: Duration = Duration::from_millis(700);
        Dns::start(|name| match name {
            "slow.test" => Answer::Slow(LATE, Ipv4Addr::new(127, 0, 0, 7)),
            _ => Answer::NoSuchName,
        });
        let server = Raw::start(|request| answer("200 OK", &[], &request.peer.ip().to_string()));
        // All on one shard.
        let pool = pool_of(Duration::ZERO, 1, 64, 1);
        let stream = stream(&pool);
        let from = |name: &str, n: usize| {
            let interface = (!name.is_empty()).then(|| name.to_owned());
            let options = options(|options| options.network_interface = interface);
            let job = Job::request(server.url("/")).group(n.to_string());
            job.options(options).item(n)
        };
        for (n, name) in [
            "slow.test",
            "host!slow.test",
            "",
            "lo",
            "127.0.0.2",
            "none.test",
        ]
        .into_iter()
        .enumerate()
        {
            submit(&stream, from(name, n));
        }
        stream.finish();
        let began = Instant::now();
        for _ in 0..4 {
            let (n, result) = take_pair(&stream);
            match n {
                2 | 3 => assert_eq!(text(&result), "127.0.0.1"),
                4 => assert_eq!(text(&result), "127.0.0.2"),
                5 => {
                    assert_eq!(code(&result), "connection-error");
                    assert!(
                        message(&result).contains("none.test"),
                        "{}",
                        message(&result)
                    );
                }
                _ => panic!("{n} came first"),
            }
        }
        assert!(began.elapsed() < LATE / 2, "{:?}", began.elapsed());
        for _ in 0..2 {
            let result = take(&stream);
            match cfg!(feature = "isahc") {
                false => assert_eq!(text(&result), "127.0.0.7"),
                // Of a name it makes nothing.
                true => assert_eq!(code(&result), "connection-error"),
            }
        }
    });
}

#[test]
fn passwords_are_in_no_log_and_on_request_in_no_result() {
    let site = site();
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = Arc::clone(&log);
    log::to(move |line| lines.lock().expect("a log").push(line.to_owned()));
    let pool = hasty_pool();
    let host = format!("127.0.0.1:{}", site.port());
    let closed = closed_port();
    for kind in [Kind::Request, Kind::Resolve] {
        for mask in [false, true] {
            let with = |max_redirects| {
                options(|options| {
                    options.mask_credentials = mask;
                    options.max_redirects = max_redirects;
                    options.retry = Some(Retry::default().max_attempts(2).min_wait(ms(1)));
                })
            };
            let job = |url: String, max_redirects| {
                let job = match kind {
                    Kind::Request => Job::request(url),
                    _ => Job::resolve(url),
                };
                job.options(with(max_redirects))
            };
            let there = format!("http://user:secret@{host}/text");
            let urls = [
                there.clone(),
                format!("user:secret@{host}/text"),
                format!(
                    "http://{host}/redirect-to?url={}",
                    there.replace(':', "%3A")
                ),
                format!("http:\\\\user:secret@127.0.0.1:{closed}"),
                "ftp://user:secret@a.test/".to_owned(),
                "http://user:secret@a..test/".to_owned(),
            ];
            let stream = stream(&pool);
            let jobs = urls.iter().map(|url| job(url.clone(), None));
            let last = job(urls[2].clone(), Some(0));
            for result in run(&stream, jobs.chain([last])) {
                let url = result.url.as_deref().unwrap_or_default();
                let hops: Vec<&str> = result.stack.iter().map(|hop| &*hop.url).collect();
                let said = format!("{url} {hops:?} {}", message(&result));
                // What is asked for is no credential of the URL's.
                let said = said.replace("url=http%3A//user%3Asecret@", "");
                // It is not in the stack where its hop was one too many.
                let leads_there = url.contains(":secret@") || hops.len() > 1;
                assert_eq!(said.contains("secret"), !mask && leads_there, "{said}");
                assert!(!mask || said.contains("***@"), "{said}");
                assert!(
                    !message(&result).contains(":secret@"),
                    "{}",
                    message(&result)
                );
            }
        }
    }
    // Those of other tests are there too.
    let log = log.lock().expect("a log").clone();
    for shown in [
        format!("***@{host}/text: 200"),
        format!("***@127.0.0.1:{closed}"),
    ] {
        assert!(log.iter().any(|line| line.contains(&shown)), "{log:?}");
    }
    let leaks = |line: &&String| line.contains(":secret@");
    assert_eq!(log.iter().find(leaks), None);
    // They are only not shown.
    let authorization = "Basic dXNlcjpzZWNyZXQ=";
    let url = format!("http://user:secret@{host}/echo");
    let shown = fetch_with(url, |options| options.mask_credentials = true);
    assert!(text(&shown).contains(authorization));
}

#[test]
fn a_url_is_cleaned_and_comes_back_as_it_was_submitted() {
    let site = site();
    let port = site.port();
    for (given, path) in [
        (format!("127.0.0.1:{port}/a b?q=é#frag"), "/a%20b?q=%C3%A9"),
        (format!(" \t http://127.0.0.1:{port}/x \n"), "/x"),
        (format!("HTTP://127.0.0.1:{port}/a/../b/./c"), "/b/c"),
        (format!("http://127.0.0.1:{port}"), "/"),
        (
            format!("//127.0.0.1:{port}/%7Euser/%2e%2E/kept%2F"),
            "/kept%2F",
        ),
        (format!("http://127.0.0.1:{port}?q"), "/?q"),
        (format!("localhost:{port}/l"), "/l"),
    ] {
        site.clear_log();
        let result = fetch(Job::request(&*given));
        assert_ok(&result);
        assert_eq!(result.url.as_deref(), Some(&*given));
        assert_eq!(site.log()[0].path, path, "{given}");
        assert_eq!(site.log().len(), 1);
    }
}

#[test]
fn a_target_goes_out_as_the_url_standard_writes_it() {
    // URL Standard, "path percent-encode set" and the URL serialiser: what is percent-encoded
    // already stays as it is, in its case too. curl writes it in upper case since 8.20.
    let site = secure_site();
    let authority = format!("127.0.0.1:{}", site.port());
    let secure = format!("127.0.0.1:{}", site.https_port().expect("https"));
    let plain_proxy = Proxy::http(Admit::All);
    let (http, https) = (format!("http://{authority}"), format!("https://{secure}"));
    for (start, version, proxied) in [
        (&http, HttpVersion::Any, false),
        (&http, HttpVersion::Http2PriorKnowledge, false),
        (&https, HttpVersion::Any, false),
        (&https, HttpVersion::Http11, false),
        (&http, HttpVersion::Any, true),
        (&https, HttpVersion::Any, true),
    ] {
        let options = options(|options| {
            options.http_version = version;
            options.proxy = proxied.then(|| plain_proxy.url("http"));
            options.ca_file = site.ca_file().map(Into::into);
            options.head_fallback = false;
        });
        let paths = [
            "/caf%c3%a9",
            "/plain",
            "/caf%C3%a9?q=%d0%b6&r=%D0%B6#%c3",
            "/a%2fb%2Fc/?%aa",
            "/%zz%e%?%",
            "//twice//%ea",
            "/empty?",
            "/{a}|b^c`d'?{a}|b^c`d'",
            "/é%e9?é%e9",
            "/a b%5c\\c?a b",
        ];
        site.clear_log();
        let urls = paths.map(|path| format!("{start}{path}"));
        let jobs = urls.iter().flat_map(|url| {
            [Job::request(&**url), Job::resolve(&**url)]
                .map(|job| job.options(Arc::clone(&options)))
        });
        run(&stream(&pool(Duration::ZERO, 1)), jobs)
            .iter()
            .for_each(assert_ok);
        let targets = urls.iter().flat_map(|url| {
            let url = Url::parse(url).expect("a URL");
            // The crate leaves `^` in a path; the URL Standard does not.
            let path = url.path().replace('^', "%5E");
            let target = path + &url[Position::AfterPath..Position::AfterQuery];
            [target.clone(), target]
        });
        let asked: Vec<String> = site.log().into_iter().map(|entry| entry.path).collect();
        let expected: Vec<String> = targets.collect();
        let case = format!("{start}, {version:?}, proxied: {proxied}");
        match cfg!(feature = "isahc") {
            false => assert_eq!(asked, expected, "{case}"),
            // It can't tell curl to leave them alone.
            true => assert_eq!(asked[2], "/plain", "{case}"),
        }
    }
    let user = format!("http://user:pass@{authority}/%c3%a9?#x");
    let options = options(|options| options.proxy = Some(plain_proxy.url("http")));
    assert_ok(&fetch(Job::request(user).options(options)));
    let path = by_engine("/%c3%a9?", "/%c3%a9");
    let last = plain_proxy.asked().pop();
    assert_eq!(last, Some(format!("GET http://{authority}{path}")));
}

#[test]
fn a_server_that_redirects_to_lower_case_is_no_loop() {
    let faults = faults();
    let result = fetch(Job::request(
        faults.url("/location?to=/caf%25c3%25a9&status=301"),
    ));
    assert_eq!(text(&result), "ok\n");
    assert_eq!(result.end_url(), Some(&*faults.url("/caf%c3%a9")));
    let server = Raw::start(|request| match &*request.target {
        "/caf%c3%a9" => answer("200 OK", &[], "lower"),
        _ => answer("301 Moved Permanently", &["Location: /caf%c3%a9"], ""),
    });
    let result = fetch(Job::request(server.url("/caf%C3%A9")));
    let expected = by_engine("ok", "self-redirect");
    assert_eq!(code(&result), expected);
}

#[test]
fn an_international_name_is_asked_for_in_punycode() {
    let site = site();
    let result = fetch_with("http://bücher.test/text", |options| {
        options.connect_to = all_to(site.port());
    });
    assert_eq!(text(&result), known_text());
    assert_eq!(site.log()[0].host, "xn--bcher-kva.test");
    assert_eq!(result.end_url(), Some("http://xn--bcher-kva.test/text"));
    assert_eq!(result.url.as_deref(), Some("http://bücher.test/text"));
}

#[test]
fn a_fragment_stays_in_the_stack_and_is_not_sent() {
    let site = site();
    let url = site.url("/text#part");
    let result = fetch(Job::request(&*url));
    assert_eq!(result.end_url(), Some(&*url));
    assert_eq!(site.log()[0].path, "/text");
}

#[test]
fn timings_are_parts_of_the_whole() {
    let site = secure_site();
    let fetched = |url: String| {
        fetch_with(url, |options| {
            options.ca_file = site.ca_file().map(Into::into)
        })
    };
    let slow = fetched(site.url("/slow?ms=200"));
    let drip = fetched(site.url("/drip?bytes=20&ms=200"));
    let secure = fetched(site.https_url("/text").unwrap());
    for result in [&slow, &drip, &secure] {
        assert_ok(result);
        let took = result.end_time.duration_since(result.start_time).unwrap();
        let timings = result.timings;
        let sum =
            timings.name_lookup + timings.connect + timings.tls + timings.wait + timings.receive;
        assert!(sum <= took + ms(20), "{timings:?} in {took:?}");
        assert!(!timings.connect.is_zero(), "{timings:?}");
    }
    assert!(slow.timings.wait >= ms(190), "{:?}", slow.timings);
    assert!(drip.timings.receive >= ms(150), "{:?}", drip.timings);
    assert!(slow.timings.tls.is_zero(), "{:?}", slow.timings);
    assert!(!secure.timings.tls.is_zero(), "{:?}", secure.timings);
}

#[test]
fn statuses_of_errors_are_successes() {
    let site = site();
    for status in [400, 401, 403, 404, 410, 418, 429, 451, 500, 502, 503, 599] {
        let url = site.url(&format!("/status/{status}?body=why"));
        let result = fetch(Job::request(&*url));
        assert_eq!((text(&result).as_str(), result.status), ("why", status));
        assert_eq!(hops(&result), [(&*url, "hit", status)]);
        assert_eq!(result.attempts, 1);
    }
}

#[test]
fn answers_without_body_are_whole() {
    let site = site();
    for status in [204, 304] {
        let result = fetch(Job::request(site.url(&format!("/status/{status}"))));
        assert_eq!((text(&result).as_str(), result.status), ("", status));
    }
    assert_eq!(text(&fetch(Job::request(site.url("/empty")))), "");
    let head = fetch_with(site.url("/bytes/1000"), |options| {
        options.method = Some("HEAD".into());
    });
    assert_eq!((text(&head).as_str(), head.status), ("", 200));
    assert_eq!(head.headers.get("content-length"), Some(&b"1000"[..]));
    assert_eq!(site.log().last().unwrap().method, "HEAD");
}

#[test]
fn large_bodies_come_whole() {
    let site = site();
    for path in ["/bytes/20000000", "/chunked/20000000"] {
        let result = fetch(Job::request(site.url(path)));
        assert_ok(&result);
        assert!(
            result.body == pattern(20_000_000),
            "{path}: {}",
            result.body.len()
        );
    }
}

#[test]
fn a_resolve_is_a_head_request() {
    let site = site();
    let result = fetch(Job::resolve(site.url("/bytes/1000")));
    assert_ok(&result);
    assert_eq!((result.status, result.body.len()), (200, 0));
    assert_eq!(site.log()[0].method, "HEAD");
    assert_eq!(result.kind, rouet::Kind::Resolve);
}

#[test]
fn options_out_of_their_range_are_refused_by_name() {
    let stream = stream(&hasty_pool());
    let refused = |set: fn(&mut Options)| {
        let job = Job::request("http://a.test/").options(options(set));
        match stream.submit(job, None).map_err(Error::from) {
            Err(Error::InvalidArgument(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    type Set = fn(&mut Options);
    let cases: [(&str, Set); 13] = [
        ("timeout", |o| o.timeout = Duration::ZERO),
        ("connect_timeout", |o| o.connect_timeout = Duration::ZERO),
        ("max_body_size", |o| o.max_body_size = 0),
        ("method", |o| o.method = Some("GE T".into())),
        ("method", |o| o.method = Some("CONNECT".into())),
        ("method", |o| o.method = Some("connect".into())),
        ("body", |o| {
            o.method = Some("HEAD".into());
            o.body = Some([1][..].into());
        }),
        ("headers", |o| {
            o.headers = vec![("A b".into(), String::new())]
        }),
        ("headers", |o| {
            o.headers = vec![("A".into(), "x\r\nInjected: 1".into())]
        }),
        ("cookie", |o| o.cookie = Some("a\nb".into())),
        ("connect_to", |o| o.connect_to = vec!["a:b".into()]),
        ("proxy", |o| o.proxy = Some("gopher://x".into())),
        ("retry_max_attempts", |o| {
            o.retry = Some(Retry::default().max_attempts(0));
        }),
    ];
    for (field, set) in cases {
        let why = refused(set);
        assert!(why.contains(field), "{field}: {why}");
    }
    stream.finish();
    assert!(drain(&stream).is_empty());
}

/// What would have a server see a request end, or its connection go on, elsewhere than we do: the
/// rest of a body, or of an answer, would be another job's.
#[test]
fn what_frames_a_request_or_rules_its_connection_is_not_for_a_job_to_say() {
    let pool = hasty_pool();
    let stream = stream(&pool);
    let refused = |headers: &[(&str, &str)]| {
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let options = options(|options| options.headers = pairs.collect());
        let job = Job::request("http://a.test/").options(Arc::clone(&options));
        let submitted = stream.submit(job, None).map_err(Error::from);
        let opened = pool.stream(StreamConfig::<()>::default().options(options));
        match (submitted, opened) {
            (Err(Error::InvalidArgument(why)), Err(Error::InvalidArgument(same))) => {
                assert_eq!(why, same);
                why
            }
            other => panic!("{headers:?}: {other:?}"),
        }
    };
    for (name, value) in [
        // RFC 9112, section 6.
        ("Content-Length", "5"),
        ("content-length", "0"),
        ("CONTENT-LENGTH", ""),
        ("Content-Length", "5, 5"),
        ("Transfer-Encoding", "chunked"),
        ("transfer-encoding", "gzip, chunked"),
        ("Transfer-Encoding", "identity"),
        ("Transfer-Encoding", "\tchunked"),
        // RFC 9110, sections 6.6.2, 7.6.1, 7.8, 10.1.1, 10.1.4; RFC 7540, section 3.2.1.
        ("Trailer", "X-Sum"),
        ("Connection", "Upgrade"),
        ("Connection", "close, X-Own"),
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Proxy-Connection", "keep-alive"),
        ("Upgrade", "h2c"),
        ("upgrade", "websocket"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        ("Expect", "100-continue"),
        ("expect", "something"),
        ("TE", "gzip"),
        ("te", "trailers, deflate;q=0.5"),
        // RFC 9110, section 7.2.
        ("Host", ""),
        ("Host", "  "),
        ("Host", ":80"),
        ("Host", "a.test b.test"),
        ("Host", "a.test/x"),
        ("Host", "http://a.test"),
        ("Host", "me@a.test"),
    ] {
        let why = refused(&[(name, value)]);
        assert!(why.contains(&format!("headers has {name}: ")), "{why}");
        assert!(why.contains("(RFC 9"), "it says by which rule: {why}");
        // Where it stands among others makes no difference.
        let among = refused(&[("X-One", "1"), (name, value), ("X-Two", "2")]);
        assert_eq!(among, why);
    }
    let why = refused(&[("Host", "a.test"), ("host", "b.test")]);
    assert!(why.contains("Host more than once"), "{why}");
    // RFC 9110, section 5.5.
    for value in ["a\x01b", "a\x7f", "\x0b", "\x1b[0m"] {
        assert!(refused(&[("X-A", value)]).contains("control character"));
    }
    stream.finish();
    assert!(drain(&stream).is_empty());
}

/// Headers that browsers send, and that people copy from them.
#[test]
fn what_says_nothing_new_of_the_connection_is_sent() {
    for (name, value, sent) in [
        ("Connection", "keep-alive", "connection: keep-alive"),
        ("Connection", "Keep-Alive, TE", "connection: keep-alive, te"),
        ("TE", "trailers", "te: trailers"),
        ("Keep-Alive", "115", "keep-alive: 115"),
        (
            "Upgrade-Insecure-Requests",
            "1",
            "upgrade-insecure-requests: 1",
        ),
        ("Content-Length-Hint", "1", "content-length-hint: 1"),
        ("Host", "a.test:8080", "host: a.test:8080"),
        ("Host", "[::1]:80", "host: [::1]:80"),
        ("X-Blanks", " \t ", "x-blanks:"),
        ("Accept", "  ", "accept:"),
    ] {
        let head = head_of(|options| options.headers = vec![(name.into(), value.into())]);
        let lower = head.to_ascii_lowercase();
        let lines = lower.lines().map(str::trim_end);
        let prefix = format!("{}:", name.to_ascii_lowercase());
        let found: Vec<_> = lines.filter(|line| line.starts_with(&prefix)).collect();
        assert_eq!(found, [sent], "{head}");
    }
}

/// RFC 9112, section 9.6: nothing is sent on a connection that a request asked to close, whatever
/// its server makes of that.
#[test]
fn a_connection_that_a_job_asks_to_close_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // Of the kind that does not heed it.
                for number in 1.. {
                    if crate::support::raw::read_request(&mut stream).is_none() {
                        return;
                    }
                    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
                    if write!(stream, "{head}{number}").is_err() {
                        return;
                    }
                }
            });
        }
    });
    for (value, expected) in [
        ("close", "111"),
        ("Keep-Alive, CLOSE", "111"),
        ("keep-alive", "123"),
    ] {
        let pool = pool_of(Duration::ZERO, 1, 4, 1);
        let stream = stream_of(&pool, |config| {
            config.options = options(|options| {
                options.headers = vec![("Connection".into(), value.into())];
            });
        });
        let numbers: String = (0..3)
            .map(|_| {
                submit(&stream, Job::request(&*url));
                text(&take(&stream)).to_owned()
            })
            .collect();
        assert_eq!(numbers, expected, "{value}");
    }
}

#[test]
fn a_request_broken_off_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (closed, was_closed) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Reads the request, then the end of the connection.
        let _ = stream.read_to_end(&mut Vec::new());
        closed.send(()).unwrap();
    });
    let result = fetch_with(url, |options| options.timeout = ms(200));
    assert_eq!(code(&result), "read-timeout");
    was_closed.recv_timeout(PATIENCE).expect("still open");
}

#[test]
fn a_browser_s_name_is_sent_when_asked_for() {
    let site = site();
    let agent = |set: fn(&mut Options)| text(&fetch_with(site.url("/echo"), set));
    assert!(agent(|_| {}).contains("rouet/"));
    let spoofed = agent(|options| options.spoof_ua = true);
    assert!(
        spoofed.contains("Mozilla/5.0") && spoofed.contains("Chrome/"),
        "{spoofed}"
    );
    assert!(!spoofed.contains("rouet"), "{spoofed}");
    let own = agent(|options| {
        options.spoof_ua = true;
        options.headers = vec![("user-agent".into(), "mine/1".into())];
    });
    assert!(own.contains("mine/1") && !own.contains("Mozilla"), "{own}");
}

/// The cipher suites that a client offers in its first message (RFC 8446, section 4.1.2), but for
/// those that are none: GREASE and signals.
#[cfg(not(feature = "isahc"))]
fn ciphers_offered(set: impl FnOnce(&mut Options)) -> Vec<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 5 + 4 + 2 + 32 + 1];
        stream.read_exact(&mut head).unwrap();
        let mut session = vec![0; head[43].into()];
        stream.read_exact(&mut session).unwrap();
        let mut size = [0; 2];
        stream.read_exact(&mut size).unwrap();
        let mut suites = vec![0; u16::from_be_bytes(size).into()];
        stream.read_exact(&mut suites).unwrap();
        let pairs = suites
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        tell.send(pairs.filter(|suite| *suite != 0x00FF).collect())
            .unwrap();
    });
    let result = fetch_with(url, |options| {
        options.timeout = Duration::from_secs(5);
        set(options);
    });
    assert!(result.error.is_some());
    told.recv_timeout(PATIENCE).expect("a first message")
}

#[test]
#[cfg(not(feature = "isahc"))]
fn a_browser_s_ciphers_are_offered_when_asked_for() {
    // As Chrome has them, by their numbers in the registry of IANA.
    let browser = [
        0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014,
        0x009C, 0x009D, 0x002F, 0x0035,
    ];
    assert_eq!(
        ciphers_offered(|options| options.spoof_tls_ciphers = true),
        browser
    );
    assert_ne!(ciphers_offered(|_| {}), browser);
}

#[test]
fn what_comes_behind_gzip_is_passed_over() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for (behind, expected) in [
        (vec![], "ok"),
        (vec![0; 3], "ok"),
        (vec![0; 5000], "ok"),
        (b"more".to_vec(), "ok"),
        (gzip("second"), "ok"),
        ([gzip("second"), vec![0; 100]].concat(), "ok"),
        // A member that breaks off.
        (gzip("second")[..12].to_vec(), "invalid-gzip"),
    ] {
        let first = gzip("first ");
        let body = [first, behind.clone()].concat();
        let server = Raw::start(move |_| {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), &body].concat()
        });
        let result = fetch_with(server.url("/"), |options| options.compressed = true);
        assert_eq!(code(&result), expected, "{behind:?}");
        if expected == "ok" {
            let second = if behind.starts_with(&[0x1F]) {
                "second"
            } else {
                ""
            };
            assert_eq!(text(&result), format!("first {second}"));
        }
    }
}
