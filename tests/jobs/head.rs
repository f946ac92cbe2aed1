//! HEAD, by which a URL is resolved where that will do (RFC 9110, section 9.3.2), and servers that
//! answer it otherwise than GET.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::support::raw::{Raw, Request, answer, read_request};
use crate::support::*;
use rouet::{Job, JobResult, Options};
use socket2::SockRef;

#[test]
fn a_resolve_asks_with_get_where_head_is_refused() {
    let site = site();
    let result = fetch(Job::resolve(site.url("/no-head")));
    assert_ok(&result);
    assert_eq!(hops(&result), [(&*site.url("/no-head"), "hit", 200)]);
    assert!(result.body.is_empty());
    let methods: Vec<_> = site.log().iter().map(|e| e.method.clone()).collect();
    assert_eq!(methods, ["HEAD", "GET"]);
    for status in [405, 501] {
        let server = Raw::start(move |request| match &*request.method {
            "HEAD" => answer(&format!("{status} No"), &[], ""),
            _ => answer("302 Found", &["Location: /end"], ""),
        });
        let result = fetch(Job::resolve(server.url("/a")));
        // The rest of the way goes with GET: /end redirects to itself then.
        assert_eq!(code(&result), "self-redirect");
        assert_eq!(result.stack.len(), 2);
    }
    // A method of the caller's own is kept.
    let given = options(|options| options.method = Some("HEAD".into()));
    let result = fetch(Job::resolve(site.url("/no-head")).options(given));
    assert_eq!(hops(&result), [(&*site.url("/no-head"), "hit", 405)]);
}

/// The methods and paths that a server was asked with.
type Log = Arc<Mutex<Vec<String>>>;

/// A server that keeps a log. No bytes: it closes the connection; `None`: it resets it.
fn server(answer: impl Fn(&Request) -> Option<Vec<u8>> + Send + 'static) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let log = Log::default();
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Some(request) = read_request(&mut stream) else {
                continue;
            };
            let asked = format!("{} {}", request.method, request.target);
            kept.lock().expect("no panic").push(asked);
            match answer(&request) {
                // The client may have gone away.
                Some(bytes) => drop(stream.write_all(&bytes)),
                None => {
                    let linger = Some(std::time::Duration::ZERO);
                    SockRef::from(&stream)
                        .set_linger(linger)
                        .expect("an option");
                }
            }
        }
    });
    (format!("http://127.0.0.1:{port}"), log)
}

/// Resolves paths one after the other on one pool.
fn resolve(origin: &str, paths: &[&str], set: impl FnOnce(&mut Options)) -> Vec<JobResult> {
    let options = options(set);
    let stream = stream(&hasty_pool());
    let job = |path: &&str| {
        submit(
            &stream,
            Job::resolve(format!("{origin}{path}")).options(options.clone()),
        );
        take(&stream)
    };
    paths.iter().map(job).collect()
}

fn asked(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().expect("no panic"))
}

const DOUBTED: [u16; 10] = [400, 403, 404, 405, 406, 500, 501, 502, 503, 599];

#[test]
fn what_head_gets_and_get_does_not_is_not_believed_and_paid_for_once_a_host() {
    for status in DOUBTED {
        let (origin, log) = server(move |request| {
            Some(match (&*request.method, &*request.target) {
                ("HEAD", _) => answer(&format!("{status} No"), &[], ""),
                (_, "/moved") => answer("302 Found", &["Location: /end"], ""),
                _ => answer("200 OK", &[], "a page"),
            })
        });
        let results = resolve(&origin, &["/a", "/b?c", "/moved"], |_| {});
        for result in &results {
            assert_ok(result);
            assert_eq!((result.status, result.body.len()), (200, 0), "{status}");
        }
        let expected = ["HEAD /a", "GET /a", "GET /b?c", "GET /moved", "GET /end"];
        assert_eq!(asked(&log), expected, "{status}");
        assert_eq!(results[0].stack.len(), 1, "the stack has one entry a hop");
    }
}

#[test]
fn no_answer_to_head_is_not_believed_either() {
    for reset in [false, true] {
        let (origin, log) = server(move |request| match &*request.method {
            "HEAD" if reset => None,
            "HEAD" => Some(Vec::new()),
            _ => Some(answer("200 OK", &[], "a page")),
        });
        for result in resolve(&origin, &["/a", "/b"], |_| {}) {
            assert_ok(&result);
            assert_eq!((result.status, result.attempts), (200, 1), "reset: {reset}");
        }
        assert_eq!(
            asked(&log),
            ["HEAD /a", "GET /a", "GET /b"],
            "reset: {reset}"
        );
    }
}

#[test]
fn what_get_gets_too_is_believed_from_then_on() {
    for status in DOUBTED {
        let (origin, log) = server(move |_| Some(answer(&format!("{status} No"), &[], "")));
        for result in resolve(&origin, &["/a", "/b", "/c"], |_| {}) {
            assert_ok(&result);
            assert_eq!(result.status, status);
        }
        // That HEAD is not allowed, or not known, says nothing of the next URL.
        let expected: &[_] = match status {
            405 | 501 => &[
                "HEAD /a", "GET /a", "HEAD /b", "GET /b", "HEAD /c", "GET /c",
            ],
            _ => &["HEAD /a", "GET /a", "HEAD /b", "HEAD /c"],
        };
        assert_eq!(asked(&log), expected, "{status}");
    }
    let (origin, log) = server(|_| Some(Vec::new()));
    for result in resolve(&origin, &["/a", "/b"], |_| {}) {
        assert_eq!(
            code(&result),
            by_engine("connection-aborted", code(&result))
        );
        assert_eq!(result.status, 0);
    }
    assert_eq!(asked(&log), ["HEAD /a", "GET /a", "HEAD /b"]);
    // Of one kind of answer it tells nothing about the others.
    let (origin, log) = server(|request| {
        Some(match (&*request.method, &*request.target) {
            (_, "/gone") => answer("404 No", &[], ""),
            ("HEAD", _) => answer("403 No", &[], ""),
            _ => answer("200 OK", &[], ""),
        })
    });
    let results = resolve(&origin, &["/gone", "/here", "/gone"], |_| {});
    let statuses: Vec<_> = results.iter().map(|result| result.status).collect();
    assert_eq!(statuses, [404, 200, 404]);
    let expected = [
        "HEAD /gone",
        "GET /gone",
        "HEAD /here",
        "GET /here",
        "GET /gone",
    ];
    assert_eq!(asked(&log), expected);
}

#[test]
fn other_answers_to_head_are_the_answer() {
    for status in [200, 204, 304, 401, 402, 407, 410, 429, 451, 600] {
        let (origin, log) = server(move |_| Some(answer(&format!("{status} So"), &[], "")));
        let results = resolve(&origin, &["/a"], |_| {});
        assert_eq!(results[0].status, status);
        assert_eq!(asked(&log), ["HEAD /a"], "{status}");
    }
}

#[test]
fn without_the_fallback_the_answer_to_head_is_the_result() {
    for status in DOUBTED {
        let (origin, log) = server(move |request| {
            Some(match &*request.method {
                "HEAD" => answer(&format!("{status} No"), &[], ""),
                _ => answer("200 OK", &[], ""),
            })
        });
        let results = resolve(&origin, &["/a"], |options| options.head_fallback = false);
        assert_eq!(results[0].status, status);
        assert_eq!(asked(&log), ["HEAD /a"]);
    }
    let (origin, log) = server(|_| Some(Vec::new()));
    let results = resolve(&origin, &["/a"], |options| options.head_fallback = false);
    assert_ne!(code(&results[0]), "ok");
    assert_eq!(asked(&log), ["HEAD /a"]);
}

#[test]
fn each_host_is_known_by_itself() {
    let (origin, log) = server(|request| {
        Some(match &*request.method {
            "HEAD" => answer("405 No", &[], ""),
            _ => answer("200 OK", &[], ""),
        })
    });
    let port = origin
        .rsplit(':')
        .next()
        .expect("a port")
        .parse()
        .expect("a number");
    let stream = stream(&hasty_pool());
    for (host, path) in [
        ("a.test", "/1"),
        ("b.test", "/2"),
        ("a.test", "/3"),
        ("A.test", "/4"),
    ] {
        let set = options(|options| options.connect_to = all_to(port));
        submit(
            &stream,
            Job::resolve(format!("http://{host}{path}")).options(set),
        );
        assert_eq!(take(&stream).status, 200);
    }
    let expected = ["HEAD /1", "GET /1", "HEAD /2", "GET /2", "GET /3", "GET /4"];
    assert_eq!(asked(&log), expected);
}

/// A hop to a host that is known to answer HEAD otherwise is made with GET, as those after it are.
#[test]
fn a_redirection_leads_to_a_host_that_is_known() {
    let (liar, liars) = server(|request| {
        Some(match &*request.method {
            "HEAD" => answer("403 No", &[], ""),
            _ => answer("200 OK", &[], ""),
        })
    });
    let to = format!("Location: {liar}/b");
    let (origin, log) = server(move |_| Some(answer("302 Found", &[&to], "")));
    let stream = stream(&hasty_pool());
    for url in [format!("{liar}/a"), format!("{origin}/r")] {
        submit(&stream, Job::resolve(url));
        assert_eq!(take(&stream).status, 200);
    }
    assert_eq!(asked(&log), ["HEAD /r"]);
    assert_eq!(asked(&liars), ["HEAD /a", "GET /a", "GET /b"]);
}
