//! Kept connections: what comes on one that nobody uses is nobody's answer.
//!
//! RFC 9112, section 9.3.1: an answer belongs to the request that has waited for it longest. One that
//! comes while none waits belongs to none. Over isahc curl is left alone (`docs/isahc.md`).

#![cfg(not(feature = "isahc"))]

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::proxy::{Admit, Proxy};
use crate::support::raw::read_request;
use crate::support::script::{
    Met, PING, Piece, SETTINGS, Script, Tongue, WINDOW_UPDATE, answer2, go_away, reset, stream_of,
};
use crate::support::*;
use rouet::{HttpVersion, Job, JobResult, Kind, Options};
use socket2::{SockFilter, SockRef};

/// For what was said to arrive: short enough that the system may still hold it back, but for a proxy
/// that does so too (40 ms, tcp(7)).
const ON_ITS_WAY: Duration = Duration::from_millis(20);
const THROUGH_A_TUNNEL: Duration = Duration::from_millis(100);
/// Between an answer and what comes behind it.
const LATER: Duration = Duration::from_millis(5);
/// Jobs, one after the other.
const JOBS: usize = 6;

/// The page of a URL or path.
fn page(target: &str) -> String {
    let path = target.rsplit('/').next().unwrap_or_default();
    format!("the page of {path}")
}

/// A whole answer that keeps the connection.
fn whole(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// What comes behind each sound answer, by its name; the head of that answer, which has the length
/// of the page where it says `LENGTH`; and whether it has a body.
const BEHIND: &[(&str, &str, bool, &[u8])] = &[
    (
        "an answer",
        LONG,
        true,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    ),
    (
        "a redirection",
        LONG,
        true,
        b"HTTP/1.1 302 Found\r\nLocation: /wrong\r\nContent-Length: 0\r\n\r\n",
    ),
    // RFC 9110, section 15.5.9.
    (
        "a 408",
        LONG,
        true,
        b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "an interim answer",
        LONG,
        true,
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
    ),
    ("more of the body", LONG, true, b"and so on and so on"),
    // RFC 9112, section 2.2: a server may not send it.
    ("a line break", LONG, true, b"\r\n"),
    ("a byte", LONG, true, b"x"),
    (
        "a body behind a 204",
        "HTTP/1.1 204 No Content\r\n\r\n",
        false,
        b"wrong",
    ),
    (
        "a body behind a 304",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        false,
        b"wrong",
    ),
    (
        "an answer behind chunks",
        CHUNKED,
        true,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    ),
    (
        "an answer behind nothing",
        EMPTY,
        false,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    ),
];
const LONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: LENGTH\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A sound answer to a request, of those above.
fn sound(head: &str, has_body: bool, met: &Met) -> Vec<u8> {
    let page = page(&met.target);
    let head = head.replace("LENGTH", &page.len().to_string());
    let body = match (has_body && met.method != "HEAD", head.contains("chunked")) {
        (false, _) => String::new(),
        (true, true) => format!("{:x}\r\n{page}\r\n0\r\n\r\n", page.len()),
        (true, false) => page,
    };
    (head + &body).into_bytes()
}

/// The ways a job may take to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Direct,
    /// The server is the proxy, and both hosts are asked through it.
    Proxy,
    Tls,
    Tunnel,
}

impl Way {
    fn tongue(self) -> Tongue {
        match self {
            Self::Direct | Self::Proxy => Tongue::Http1,
            Self::Tls | Self::Tunnel => Tongue::Tls,
        }
    }

    /// The jobs, each of a page of its own, and one after the other.
    fn jobs(self, server: &Script, kind: Kind) -> Vec<Job> {
        let tunnel = (self == Self::Tunnel).then(|| Proxy::http(Admit::All).url("http"));
        let proxy = format!("http://127.0.0.1:{}", server.port);
        let options = options(|options| {
            options.insecure = true;
            options.proxy = match self {
                Self::Proxy => Some(proxy),
                _ => tunnel,
            };
        });
        let url = |n: usize| match self {
            Self::Proxy => format!("http://{}.test/{n}", ["a", "b"][n % 2]),
            _ => server.url(&format!("/{n}")),
        };
        let job = |n: usize| match kind {
            Kind::Request => Job::request(url(n)),
            _ => Job::resolve(url(n)),
        };
        let job = |n| job(n).group("one").options(Arc::clone(&options));
        (0..JOBS).map(job).collect()
    }
}

/// Does jobs, one after the other, each once all is said to the one before.
fn results(server: &Script, jobs: Vec<Job>) -> Vec<JobResult> {
    let tunnels = |job: &Job| {
        let options = job.options.as_deref();
        server.is_secure() && options.is_some_and(|options| options.proxy.is_some())
    };
    let pause = match jobs.iter().any(tunnels) {
        true => THROUGH_A_TUNNEL,
        false => ON_ITS_WAY,
    };
    results_after(server, jobs, pause)
}

/// The same, with a pause behind each.
fn results_after(server: &Script, jobs: Vec<Job>, pause: Duration) -> Vec<JobResult> {
    let pool = pool(Duration::ZERO, 1);
    let stream = stream(&pool);
    let each = jobs.into_iter().map(|job| {
        submit(&stream, job);
        let result = take(&stream);
        eventually("all is said", || server.said() == server.met().len());
        thread::sleep(pause);
        result
    });
    each.collect()
}

/// Whether each page was asked for once.
fn assert_each_once(server: &Script, case: &str) {
    let mut asked: HashMap<String, usize> = HashMap::new();
    for met in server.met() {
        *asked.entry(met.target).or_default() += 1;
    }
    assert_eq!(asked.len(), JOBS, "{case}: {asked:?}");
    assert!(asked.values().all(|times| *times == 1), "{case}: {asked:?}");
}

#[test]
fn what_comes_behind_an_answer_is_nobodys() {
    let ways = [Way::Direct, Way::Proxy, Way::Tls, Way::Tunnel];
    let whens = [None, Some(Duration::ZERO), Some(LATER)];
    thread::scope(|scope| {
        for way in ways {
            for kind in [Kind::Request, Kind::Resolve] {
                scope.spawn(move || {
                    for when in whens {
                        for behind in BEHIND {
                            check_behind(way, kind, when, behind);
                        }
                    }
                });
            }
        }
    });
}

/// `when`: how long after the answer it comes; `None`: in the same write.
fn check_behind(
    way: Way,
    kind: Kind,
    when: Option<Duration>,
    &(name, head, has_body, extra): &(&str, &'static str, bool, &'static [u8]),
) {
    let case = format!("{name}, {way:?}, {kind:?}, {when:?}");
    let server = Script::start(way.tongue(), move |met| {
        let answer = sound(head, has_body, met);
        match when {
            None => vec![Piece::Say([&answer, extra].concat())],
            Some(when) => vec![
                Piece::Say(answer),
                Piece::Pause(when),
                Piece::Say(extra.to_vec()),
            ],
        }
    });
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    for result in results(&server, way.jobs(&server, kind)) {
        assert_ok(&result);
        assert_eq!(Some(result.status), status, "{case}");
        assert_eq!(result.attempts, 1, "{case}");
        let url = result.url.as_deref().unwrap_or_default();
        let expected = match kind == Kind::Request && has_body {
            true => page(url),
            false => String::new(),
        };
        assert_eq!(text(&result), expected, "{case}: {url}");
    }
    assert_each_once(&server, &case);
}

#[test]
fn the_body_of_an_answer_to_head_is_nobodys() {
    // RFC 9110, section 9.3.2: there is none.
    for way in [Way::Direct, Way::Proxy, Way::Tls, Way::Tunnel] {
        for later in [false, true] {
            let server = Script::start(way.tongue(), move |met| {
                let (head, body) = (sound(LONG, false, met), page(&met.target).into_bytes());
                match later {
                    false => vec![Piece::Say([head, body].concat())],
                    true => vec![Piece::Say(head), Piece::Pause(LATER), Piece::Say(body)],
                }
            });
            for result in results(&server, way.jobs(&server, Kind::Resolve)) {
                assert_ok(&result);
                assert_eq!(result.status, 200);
            }
            assert_each_once(&server, &format!("{way:?}, later: {later}"));
        }
    }
}

#[test]
fn a_connection_that_was_closed_is_not_asked() {
    for way in [Way::Direct, Way::Proxy, Way::Tls, Way::Tunnel] {
        for kind in [Kind::Request, Kind::Resolve] {
            let server = Script::start(way.tongue(), move |met| {
                let answer = sound(LONG, met.method != "HEAD", met);
                vec![Piece::Say(answer), Piece::Pause(LATER), Piece::Close]
            });
            for result in results(&server, way.jobs(&server, kind)) {
                assert_ok(&result);
            }
            assert_each_once(&server, &format!("{way:?}, {kind:?}"));
            assert_eq!(server.connections(), JOBS);
        }
    }
}

/// How many connections the jobs took over a server that answers so.
fn connections(
    tongue: Tongue,
    answer: impl Fn(&Met) -> Vec<Piece> + Send + Sync + 'static,
) -> usize {
    connections_of(JOBS, ON_ITS_WAY, tongue, answer)
}

/// The same, of so many jobs, with a pause behind each.
fn connections_of(
    count: usize,
    pause: Duration,
    tongue: Tongue,
    answer: impl Fn(&Met) -> Vec<Piece> + Send + Sync + 'static,
) -> usize {
    let server = Script::start(tongue, answer);
    let version = match tongue {
        Tongue::Http2 => HttpVersion::Http2PriorKnowledge,
        _ => HttpVersion::Any,
    };
    let options = Options::default().insecure(true).http_version(version);
    let options = Arc::new(options);
    let job = |n| Job::request(server.url(&format!("/{n}"))).options(Arc::clone(&options));
    for result in results_after(&server, (0..count).map(job).collect(), pause) {
        assert_ok(&result);
        assert_eq!((result.status, result.attempts), (200, 1));
    }
    assert_eq!(server.met().len(), count, "{:?}", server.met());
    server.connections()
}

#[test]
fn a_connection_is_kept_where_nothing_comes() {
    let answer = |met: &Met| vec![Piece::Say(sound(LONG, true, met))];
    assert_eq!(connections(Tongue::Http1, answer), 1);
    assert_eq!(connections(Tongue::Tls, answer), 1);
    let answer = |met: &Met| vec![Piece::Say(answer2(met))];
    assert_eq!(connections(Tongue::Http2, answer), 1);
    assert_eq!(connections(Tongue::TlsHttp2, answer), 1);
}

#[test]
fn late_messages_of_tls_cost_no_connection() {
    // RFC 8446, section 4.6: they may come at any time.
    for later in [Duration::ZERO, LATER] {
        let answer =
            move |answer: Vec<u8>| vec![Piece::Say(answer), Piece::Pause(later), Piece::NewKeys];
        let one = connections(Tongue::Tls, move |met| answer(sound(LONG, true, met)));
        assert_eq!(one, 1);
        assert_eq!(
            connections(Tongue::TlsHttp2, move |met| answer(answer2(met))),
            1
        );
    }
}

#[test]
fn nor_do_they_after_a_second() {
    // curl then looks at a connection itself, and keeps none on which something waits to be read.
    let pause = Duration::from_millis(1200);
    let one = connections_of(3, pause, Tongue::Tls, |met| {
        vec![Piece::Say(sound(LONG, true, met)), Piece::NewKeys]
    });
    assert_eq!(one, 1);
    let one = connections_of(3, pause, Tongue::TlsHttp2, |met| {
        vec![Piece::Say([&answer2(met), PING].concat()), Piece::NewKeys]
    });
    assert_eq!(one, 1);
}

#[test]
fn frames_about_the_connection_cost_none() {
    // RFC 9113, sections 6.5, 6.7 and 6.9.
    for tongue in [Tongue::Http2, Tongue::TlsHttp2] {
        for frames in [PING, SETTINGS, WINDOW_UPDATE] {
            let one = connections(tongue, move |met| {
                vec![
                    Piece::Say(answer2(met)),
                    Piece::Pause(LATER),
                    Piece::Say(frames.to_vec()),
                ]
            });
            assert_eq!(one, 1, "{tongue:?}: {frames:?}");
        }
    }
}

#[test]
fn a_connection_of_http2_that_is_to_end_is_not_asked() {
    // RFC 9113, section 6.8.
    for tongue in [Tongue::Http2, Tongue::TlsHttp2] {
        for behind in [&b""[..], PING] {
            let all = connections(tongue, move |met| {
                let last = [behind, &go_away(stream_of(met), 0)].concat();
                vec![
                    Piece::Say(answer2(met)),
                    Piece::Pause(LATER),
                    Piece::Say(last),
                ]
            });
            assert_eq!(all, JOBS, "{tongue:?}");
        }
    }
}

#[test]
fn a_kept_connection_of_http2_that_closes_at_the_next_request_is_replaced() {
    // As of HTTP/1.1, where curl does it: what was asked had no answer, and may be asked anew.
    for tongue in [Tongue::Http2, Tongue::TlsHttp2] {
        let server = Script::start(tongue, |met| match stream_of(met) {
            1 => vec![Piece::Say(answer2(met))],
            _ => vec![Piece::Close],
        });
        let options = options(|options| {
            options.insecure = true;
            if tongue == Tongue::Http2 {
                options.http_version = HttpVersion::Http2PriorKnowledge;
            }
        });
        let job = |n| Job::request(server.url(&format!("/{n}"))).options(Arc::clone(&options));
        for result in results(&server, (0..4).map(job).collect()) {
            assert_eq!(text(&result), "ok");
            assert_eq!(result.attempts, 1);
        }
    }
}

#[test]
fn an_answer_from_before_its_request_came_is_none() {
    // What was under way when the request went out: each segment behind a request's arrival
    // acknowledges it (RFC 9293, section 3.10.7.4), and this one does not.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    thread::spawn(move || {
        for (n, mut stream) in listener.incoming().flatten().enumerate() {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                while let Some(request) = read_request(&mut stream) {
                    log.lock().expect("a log").push((n, request.target.clone()));
                    let body = page(&request.target);
                    let _ = stream.write_all(&whole(&body));
                    if n == 0 {
                        // Nothing gets through to it until the next request has been sent.
                        let drop_all = SockFilter::new(0x06, 0, 0, 0);
                        let filtered = SockRef::from(&stream).attach_filter(&[drop_all]);
                        filtered.expect("a filter");
                        thread::sleep(ms(100));
                        let _ = stream.write_all(&whole("wrong"));
                        thread::sleep(ms(100));
                        let opened = SockRef::from(&stream).detach_filter();
                        opened.expect("no filter");
                    }
                }
            });
        }
    });
    let pool = pool(ms(20), 1);
    let url = |n| format!("http://127.0.0.1:{port}/{n}");
    for result in run(&stream(&pool), (0..4).map(|n| Job::request(url(n)))) {
        let expected = page(result.url.as_deref().unwrap_or_default());
        assert_eq!(text(&result), expected);
        assert_eq!(result.attempts, 1);
    }
    let asked = asked.lock().expect("a log");
    let second: Vec<usize> = asked.iter().map(|(n, _)| *n).collect();
    assert_eq!(second.iter().filter(|n| **n > 0).count(), 3, "{asked:?}");
}

/// How a server says that it wants HTTP/1.1 (RFC 9113, section 7: HTTP_1_1_REQUIRED).
const HTTP_1_1_REQUIRED: u8 = 0xD;

#[test]
fn a_server_that_wants_http1_is_asked_once_more_and_so_from_then_on() {
    for method in ["GET", "POST"] {
        for by_connection in [false, true] {
            let server = Script::start(Tongue::TlsBoth, move |met| match &*met.method {
                // Of HTTP/2 there is none.
                "" => vec![Piece::Say(match by_connection {
                    false => reset(met, HTTP_1_1_REQUIRED),
                    true => go_away(0, HTTP_1_1_REQUIRED),
                })],
                _ => vec![Piece::Say(sound(LONG, true, met))],
            });
            let options = options(|options| {
                options.insecure = true;
                options.method = Some(method.to_owned());
                options.body = (method == "POST").then(|| (*b"words").into());
            });
            let job = |n| Job::request(server.url(&format!("/{n}"))).options(Arc::clone(&options));
            let case = format!("{method}, by the connection: {by_connection}");
            let results = results(&server, (0..JOBS).map(job).collect());
            for (n, result) in results.iter().enumerate() {
                assert_eq!(text(result), format!("the page of {n}"), "{case}");
                assert_eq!(result.attempts, 1, "{case}");
            }
            let met = server.met();
            let asked: Vec<&str> = met.iter().map(|met| &*met.method).collect();
            assert_eq!(asked.len(), JOBS + 1, "{case}: {met:?}");
            assert_eq!(asked[0], "", "{case}: {met:?}");
            assert!(
                asked[1..].iter().all(|asked| *asked == method),
                "{case}: {met:?}"
            );
            assert_eq!(server.connections(), 2, "{case}");
            assert_eq!(server.accepted(), 2, "{case}");
        }
    }
}

#[test]
fn the_repeat_over_http1_takes_its_turn() {
    // It is a request of its own: the throttle holds between the two.
    let throttle = ms(300);
    let server = Script::start(Tongue::TlsBoth, |met| match &*met.method {
        "" => vec![Piece::Say(reset(met, HTTP_1_1_REQUIRED))],
        _ => vec![Piece::Say(sound(LONG, true, met))],
    });
    let options = options(|options| options.insecure = true);
    let pool = pool(throttle, 1);
    let began = Instant::now();
    let job = Job::request(server.url("/0")).options(options);
    let result = run(&stream(&pool), [job]);
    assert_eq!(text(&result[0]), "the page of 0");
    assert!(began.elapsed() >= throttle, "{:?}", began.elapsed());
}

/// The server did not look at it, so that tells nothing of HEAD.
#[test]
fn a_head_that_is_to_be_repeated_over_http1_is_one_there_too() {
    let server = Script::start(Tongue::TlsBoth, |met| match &*met.method {
        "" => vec![Piece::Say(reset(met, HTTP_1_1_REQUIRED))],
        _ => vec![Piece::Say(sound(LONG, true, met))],
    });
    let options = options(|options| options.insecure = true);
    let job = |path| Job::resolve(server.url(path)).options(Arc::clone(&options));
    let results = run(&stream(&hasty_pool()), [job("/0")]);
    assert_ok(&results[0]);
    let methods: Vec<_> = server.met().into_iter().map(|met| met.method).collect();
    assert_eq!(methods, ["", "HEAD"]);
}

#[test]
fn many_streams_of_a_server_that_wants_http1_all_go_there() {
    for by_connection in [false, true] {
        let server = Script::start(Tongue::TlsBoth, move |met| match &*met.method {
            "" if by_connection => vec![
                Piece::Pause(ms(50)),
                Piece::Say(go_away(0, HTTP_1_1_REQUIRED)),
                Piece::Close,
            ],
            "" => vec![Piece::Say(reset(met, HTTP_1_1_REQUIRED))],
            _ => vec![Piece::Say(sound(LONG, true, met))],
        });
        let options = options(|options| options.insecure = true);
        let job = |n| Job::request(server.url(&format!("/{n}"))).options(Arc::clone(&options));
        let results = run(&stream(&pool(Duration::ZERO, 8)), (0..40).map(job));
        for result in &results {
            assert_ok(result);
            assert_eq!((result.status, result.attempts), (200, 1));
        }
        let old: HashSet<String> = server.met().into_iter().map(|met| met.target).collect();
        assert!((0..40).all(|n| old.contains(&format!("/{n}"))));
    }
}

/// RFC 9112, section 9.6: nothing more is sent on a connection after `Connection: close`. Nor is it
/// when that request was first meant for a kept connection that turned out to be spent.
#[test]
fn one_that_is_to_be_closed_is_not_kept_behind_one_that_was_spent() {
    for pause in (0..60).map(|step| Duration::from_micros(step * 20)) {
        let server = Script::start(Tongue::Http1, move |met| {
            let mut said = vec![Piece::Say(whole(&page(&met.target)))];
            if met.target == "/spent" {
                said.extend([Piece::Pause(pause), Piece::Say(b"x".to_vec())]);
            }
            said
        });
        let stream = stream(&pool_of(Duration::ZERO, 1, 1, 1));
        let closing = options(|options| {
            options.headers = vec![("Connection".into(), "close".into())];
        });
        for path in ["/spent", "/a", "/b", "/c"] {
            let mut job = Job::request(server.url(path));
            if path != "/spent" {
                job = job.options(Arc::clone(&closing));
            }
            submit(&stream, job);
            // What was on its way when the next request went out can't be told from its answer.
            take(&stream);
        }
        let mut closed = HashSet::new();
        for met in server.met() {
            assert!(!closed.contains(&met.connection), "{pause:?}: {met:?}");
            if met.target != "/spent" {
                closed.insert(met.connection);
            }
        }
    }
}
