//! Cookies along the chain of a stateful job.

use crate::support::raw::{Raw, answer};
use crate::support::*;
use rouet::{Job, JobResult, Options};
use rouet_site::Site;

/// The `Cookie` header that a page of `/echo` saw.
fn cookie_seen(result: &JobResult) -> Option<String> {
    let seen = text(result);
    let at = seen.to_ascii_lowercase().find("[\"cookie\",")?;
    seen[at..].split('"').nth(3).map(str::to_owned)
}

fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// A hop on a host of `site` that sets a cookie and leads to `next`.
fn hop(host: &str, cookie: &str, next: &str) -> String {
    format!(
        "http://{host}/status/302?header=Set-Cookie:{}&header=Location:{}",
        quoted(cookie),
        quoted(next)
    )
}

/// What `/echo` on one host gets after another one has set a cookie.
fn sent(
    site: &Site,
    from: &str,
    cookie: &str,
    to: &str,
    set: impl FnOnce(&mut Options),
) -> Option<String> {
    let start = hop(from, cookie, &format!("http://{to}/echo"));
    let result = fetch_with(start, |options| {
        options.connect_to = all_to(site.port());
        options.stateful = true;
        set(options);
    });
    assert_eq!(result.stack.len(), 2, "{:?}", result.error);
    cookie_seen(&result)
}

#[test]
fn a_cookie_goes_to_the_hosts_it_is_meant_for() {
    let site = site();
    for (cookie, to, expected) in [
        ("k=v; Path=/", "www.example.co.uk", Some("k=v")),
        ("k=v; Path=/", "example.co.uk", None),
        (
            "k=v; Path=/; Domain=example.co.uk",
            "example.co.uk",
            Some("k=v"),
        ),
        (
            "k=v; Path=/; Domain=example.co.uk",
            "other.example.co.uk",
            Some("k=v"),
        ),
        ("k=v; Path=/; Domain=co.uk", "other.co.uk", None),
        ("k=v; Path=/; Domain=other.co.uk", "other.co.uk", None),
        ("k=v; Path=/elsewhere", "www.example.co.uk", None),
        ("k=v; Path=/; Max-Age=0", "www.example.co.uk", None),
        ("k=v; Path=/; Secure", "www.example.co.uk", None),
        // The folder of /status/302.
        ("k=v", "www.example.co.uk", None),
    ] {
        let seen = sent(&site, "www.example.co.uk", cookie, to, |_| {});
        assert_eq!(seen.as_deref(), expected, "{cookie} to {to}");
    }
}

#[test]
fn without_state_no_cookie_is_kept() {
    let site = site();
    let seen = sent(&site, "a.com", "k=v; Path=/", "a.com", |options| {
        options.stateful = false;
    });
    assert_eq!(seen, None);
}

#[test]
fn the_callers_cookies_are_joined_at_home_and_stay_there() {
    let site = site();
    let own = |options: &mut Options| options.cookie = Some("own=1; k=old".into());
    let seen = sent(&site, "a.com", "k=v; Path=/", "a.com", own);
    assert_eq!(seen.as_deref(), Some("own=1; k=v"));
    let seen = sent(&site, "a.com", "k=v; Path=/; Domain=a.com", "b.a.com", own);
    assert_eq!(seen.as_deref(), Some("k=v"));
    assert_eq!(sent(&site, "a.com", "k=v; Path=/", "b.com", own), None);
}

#[test]
fn state_is_kept_over_tls_and_secure_cookies_do_not_leave_it() {
    let site = secure_site();
    let ports = vec![
        format!(":443:127.0.0.1:{}", site.https_port().unwrap()),
        format!(":80:127.0.0.1:{}", site.port()),
    ];
    for (scheme, expected) in [("https", Some("k=v")), ("http", None)] {
        let start = hop(
            "a.test",
            "k=v; Secure; Path=/",
            &format!("{scheme}://a.test/echo"),
        )
        .replace("http://a.test/status", "https://a.test/status");
        let result = fetch_with(start, |options| {
            options.stateful = true;
            options.connect_to = ports.clone();
            options.ca_file = site.ca_file().map(Into::into);
        });
        assert_eq!(cookie_seen(&result).as_deref(), expected, "{scheme}");
    }
}

/// A page that wants a cookie and sends whoever has none back to itself.
fn cookie_wall() -> Raw {
    Raw::start(|request| {
        let has = request
            .head
            .to_ascii_lowercase()
            .contains("cookie: seen=yes");
        match (&*request.target, has) {
            ("/wall", true) => answer("200 OK", &[], "come in"),
            ("/wall", false) => answer(
                "302 Found",
                &["Location: /wall", "Set-Cookie: seen=yes"],
                "",
            ),
            ("/page", true) => answer("200 OK", &["Content-Type: text/html"], "come in"),
            ("/page", false) => answer(
                "200 OK",
                &[
                    "Content-Type: text/html",
                    "Set-Cookie: seen=yes",
                    "Refresh: 0; url=/page",
                ],
                "wait",
            ),
            ("/detour", _) => answer("302 Found", &["Location: /there"], ""),
            ("/there", true) => answer("200 OK", &[], "come in"),
            ("/there", false) => answer(
                "302 Found",
                &["Location: /detour", "Set-Cookie: seen=yes"],
                "",
            ),
            _ => answer("302 Found", &["Location: /self"], ""),
        }
    })
}

#[test]
fn a_url_may_be_met_again_once_a_cookie_was_set() {
    let server = cookie_wall();
    for (path, hops) in [("/wall", 2), ("/page", 2), ("/detour", 4)] {
        for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
            let stateful = options(|options| options.stateful = true);
            let result = fetch(kind(server.url(path)).options(stateful));
            assert_ok(&result);
            assert_eq!((result.status, result.stack.len()), (200, hops), "{path}");
        }
        let stateful = options(|options| options.stateful = true);
        let result = fetch(Job::request(server.url(path)).options(stateful));
        assert_eq!(text(&result), "come in");
    }
    let expected = [
        ("/wall", "self-redirect"),
        ("/detour", "infinite-redirects"),
    ];
    for (path, expected) in expected {
        assert_eq!(code(&fetch(Job::request(server.url(path)))), expected);
    }
}

#[test]
fn a_loop_that_no_cookie_breaks_is_still_one() {
    let server = cookie_wall();
    let stateful = options(|options| options.stateful = true);
    let result = fetch(Job::request(server.url("/self")).options(stateful.clone()));
    assert_eq!(code(&result), "self-redirect");
    // A new cookie each time: it is the number of redirections that ends it.
    let counter = std::sync::atomic::AtomicU32::new(0);
    let server = Raw::start(move |_| {
        let number = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        answer(
            "302 Found",
            &["Location: /", &format!("Set-Cookie: n={number}")],
            "",
        )
    });
    let result = fetch(Job::request(server.url("/")).options(stateful));
    assert_eq!(code(&result), "max-redirects");
    assert_eq!(result.stack.len(), 11);
}

#[test]
fn each_job_and_each_attempt_has_cookies_of_its_own() {
    let server = cookie_wall();
    let stateful = options(|options| options.stateful = true);
    let stream = stream(&hasty_pool());
    let jobs = (0..10).map(|_| Job::request(server.url("/wall")).options(stateful.clone()));
    assert!(
        run(&stream, jobs)
            .iter()
            .all(|result| result.stack.len() == 2)
    );
}

#[test]
fn a_cookie_among_the_headers_is_refused_for_stateful_jobs() {
    let stream = stream(&hasty_pool());
    let job = Job::request("http://a.com/").options(options(|options| {
        options.stateful = true;
        options.headers = vec![("cookie".into(), "a=1".into())];
    }));
    let error = stream.submit(job, None).unwrap_err();
    assert!(error.to_string().contains("give it as cookie"), "{error}");
}

/// What comes back of a cookie: the bytes of the `Cookie` line, and whether the job went well.
fn sent_back(lines: Vec<Vec<u8>>) -> (JobResult, Vec<u8>) {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let heard = std::sync::Arc::clone(&seen);
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut piece = [0; 4096];
            while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(count) if count > 0 => head.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            let answer = match head.starts_with(b"GET /end") {
                true => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_vec(),
                false => {
                    let head = b"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n";
                    [&head[..], &lines.concat()].concat()
                }
            };
            *heard.lock().expect("no panic") = head;
            let _ = stream.write_all(&[&answer[..], b"Connection: close\r\n\r\n"].concat());
        }
    });
    let stateful = options(|options| options.stateful = true);
    let url = format!("http://127.0.0.1:{port}/start");
    let result = fetch(Job::request(url).options(stateful));
    let head = seen.lock().expect("no panic").clone();
    let is_cookie = |line: &&[u8]| line.to_ascii_lowercase().starts_with(b"cookie: ");
    let line = head.split(|byte| *byte == b'\n').find(is_cookie);
    let line = line.map_or(&b""[..], |line| line[8..].trim_ascii_end());
    (result, line.to_vec())
}

/// RFC 6265, section 5.2: a cookie is of octets, and goes back as it came.
#[test]
fn a_cookie_goes_back_byte_for_byte() {
    let values: [&[u8]; 4] = [
        b"caf\xe9",
        b"\x93\xfa\x96\x7b\xff",
        "\u{444}\u{20ac}".as_bytes(),
        b"\"a b\", \\c",
    ];
    for value in values {
        let line = [b"Set-Cookie: k=", value, b"; Path=/\r\n"].concat();
        let (result, sent) = sent_back(vec![line]);
        if by_engine(false, !value.is_ascii()) {
            assert!(message(&result).contains("not plain ASCII"), "{result:?}");
            continue;
        }
        assert_ok(&result);
        assert_eq!(sent, [b"k=", value].concat(), "{}", value.escape_ascii());
    }
}

/// RFC 6265, sections 5.1.1 and 5.4.
#[test]
fn cookies_go_back_in_their_order_until_their_date() {
    let line = |line: &str| format!("Set-Cookie: {line}\r\n").into_bytes();
    let (result, sent) = sent_back(vec![
        line("z=1; Path=/"),
        line("a=2; Path=/; Expires=Sun Nov  6 08:49:37 1994"),
        line("b=3; Path=/; Expires=6 Nov 94 8:49:37"),
        line("c=4; Path=/; Expires=Tuesday, 06-Nov-68 08:49:37 GMT"),
        line("d=5; Path=/end"),
        line("e=6; Path=/; Expires=1994-11-06T08:49:37Z"),
        line("__Host-f=7; Path=/"),
    ]);
    assert_ok(&result);
    assert_eq!(sent.escape_ascii().to_string(), "d=5; z=1; c=4; e=6");
}
