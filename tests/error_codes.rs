//! Every error code, provoked for real. What other files provoke already is listed at the end,
//! where a test sees that no code is left out. Over curl's multi handle only: isahc does not tell
//! some of them apart (`docs/isahc.md`).

#![cfg(not(feature = "isahc"))]

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, mpsc};

use rouet::{HttpVersion, Job, JobResult, Options, Retry};
use rouet_site::{Site, known_text};
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{SockFilter, SockRef};
use support::dns::{Answer, Dns};
use support::raw::read_request;
use support::wire::{Fault, Wire};
use support::*;

/// Checks the code, that the message says at which URL, and that it has these words.
#[track_caller]
fn assert_fails(result: &JobResult, expected: &str, words: &str) {
    let (url, said) = (result.end_url().unwrap_or_default(), message(result));
    assert_eq!(code(result), expected, "{url}: {said}");
    assert!(said.contains(url), "{url}: {said}");
    assert!(said.contains(words), "{url}: {said} has no {words:?}");
}

// Names.

/// Checks what comes of a name when name servers answer like that.
fn look_up(test: &str, answers: &'static [Answer], expected: &str, words: &str) {
    own::network(test, || {
        let names = |at: usize| format!("http://name-{at}.test/");
        let dns = Dns::start(|name| {
            let number = name.trim_start_matches("name-").trim_end_matches(".test");
            answers[number.parse::<usize>().expect("a name of ours")]
        });
        for at in 0..answers.len() {
            for job in [Job::request(names(at)), Job::resolve(names(at))] {
                let set = |options: &mut Options| options.connect_timeout = ms(500);
                let result = fetch(job.options(options(set)));
                assert_fails(&result, expected, words);
                assert_fails(&result, expected, &format!("name-{at}.test"));
                assert_eq!((result.attempts, result.stack.len()), (1, 1));
            }
        }
        assert_eq!(dns.questions(), 4 * answers.len());
    });
}

#[test]
fn a_name_that_is_none_is_unknown() {
    let answers = &[Answer::NoSuchName];
    let test = "a_name_that_is_none_is_unknown";
    look_up(test, answers, "unknown-host", "Name or service not known");
}

#[test]
fn a_name_without_an_address_has_none() {
    look_up(
        "a_name_without_an_address_has_none",
        &[Answer::Nothing],
        "no-address-associated-with-hostname",
        "No address associated with hostname",
    );
}

#[test]
fn a_resolver_that_fails_may_do_better_later() {
    look_up(
        "a_resolver_that_fails_may_do_better_later",
        &[Answer::Failure, Answer::Refusal],
        "name-resolution-failure",
        "Temporary failure in name resolution",
    );
}

#[test]
fn a_resolver_that_is_silent_is_not_waited_for() {
    look_up(
        "a_resolver_that_is_silent_is_not_waited_for",
        &[Answer::Silence],
        "name-resolution-failure",
        "took more than 0.5 s",
    );
}

#[test]
fn a_resolver_that_is_away_may_come_back() {
    own::network("a_resolver_that_is_away_may_come_back", || {
        let words = "Temporary failure in name resolution";
        let result = fetch(Job::request("http://name.test/"));
        assert_fails(&result, "name-resolution-failure", words);
    });
}

#[test]
fn a_name_is_looked_up_again_when_the_job_is_tried_again() {
    own::network(
        "a_name_is_looked_up_again_when_the_job_is_tried_again",
        || {
            let mut asked = 0;
            let dns = Dns::start(move |_| {
                asked += 1;
                // A look-up asks two questions.
                match asked <= 2 {
                    true => Answer::Failure,
                    false => Answer::Address(Ipv4Addr::LOCALHOST),
                }
            });
            let site = site();
            let url = format!("http://name.test:{}/text", site.port());
            let result = fetch_with(url, |options| {
                // Longer than a failure holds.
                options.retry = Some(Retry::default().min_wait(ms(2000)));
            });
            assert_eq!(text(&result), known_text());
            assert_eq!((result.attempts, dns.questions()), (2, 4));
        },
    );
}

// Ways.

#[test]
fn a_port_nobody_listens_on_refuses() {
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://127.0.0.1:{}/", closed_port());
        let result = fetch(Job::request(url));
        assert_fails(&result, "connection-refused", "Connection refused");
    }
}

#[test]
fn a_host_no_way_leads_to_has_a_code_for_each_reason() {
    own::network("a_host_no_way_leads_to_has_a_code_for_each_reason", || {
        for (route, address, expected, words) in [
            (
                "unreachable",
                "192.0.2.1",
                "no-route-to-host",
                "No route to host",
            ),
            (
                "prohibit",
                "192.0.2.2",
                "connection-error",
                "Permission denied",
            ),
            (
                "blackhole",
                "192.0.2.3",
                "connection-error",
                "Invalid argument",
            ),
            (
                "",
                "192.0.2.4",
                "unreachable-network",
                "Network is unreachable",
            ),
        ] {
            if !route.is_empty() {
                own::ip(&format!("route add {route} {address}"));
            }
            for scheme in ["http", "https"] {
                let result = fetch(Job::request(format!("{scheme}://{address}/")));
                assert_fails(&result, expected, words);
            }
            let through = fetch_with("http://127.0.0.1/", |options| {
                options.proxy = Some(format!("http://{address}:8080"));
            });
            assert_fails(&through, "proxy-error", address);
        }
    });
}

#[test]
fn a_connection_that_the_system_gives_up_on_times_out() {
    own::network("a_connection_that_the_system_gives_up_on_times_out", || {
        // One packet more, after a second, and two of waiting for an answer to it.
        own::set_ipv4("tcp_syn_retries", "1");
        let (full, _filling) = full_listener();
        let url = format!("http://{full}/");
        let result = fetch_with(url, |options| options.connect_timeout = PATIENCE);
        assert_fails(&result, "connect-timeout", &full.ip().to_string());
    });
}

#[test]
fn no_descriptor_left_is_no_connection() {
    own::process("no_descriptor_left_is_no_connection", || {
        let site = site();
        let stream = stream(&hasty_pool());
        submit(&stream, Job::request(site.url("/text")));
        assert_ok(&take(&stream));

        let limit = getrlimit(Resource::Nofile);
        let mut none = limit;
        none.current = Some(0);
        setrlimit(Resource::Nofile, none).unwrap();
        // Another host, as the connection to the first is kept.
        let url = format!("http://localhost:{}/text", site.port());
        let job = Job::request(&*url);
        // It waits for one as it would for a connection.
        submit(
            &stream,
            job.options(options(|options| options.connect_timeout = ms(300))),
        );
        let result = take(&stream);
        setrlimit(Resource::Nofile, limit).unwrap();
        assert_fails(&result, "connection-error", "Too many open files");

        submit(&stream, Job::request(&*url));
        assert_eq!(text(&take(&stream)), known_text());
    });
}

/// A kept connection that turns out to be closed once the request is on it, when there is no descriptor
/// for another.
#[test]
fn a_request_is_not_sent_again_once_there_is_a_descriptor() {
    own::process(
        "a_request_is_not_sent_again_once_there_is_a_descriptor",
        || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            let (tell, told) = mpsc::channel();
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    while let Some(request) = read_request(&mut stream) {
                        if request.method == "POST" {
                            break;
                        }
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                        stream.write_all(answer).unwrap();
                    }
                    drop(stream);
                    tell.send(()).unwrap();
                }
            });
            let stream = stream(&hasty_pool());
            submit(&stream, Job::request(&*url));
            assert_ok(&take(&stream));

            let limit = getrlimit(Resource::Nofile);
            let mut none = limit;
            none.current = Some(0);
            setrlimit(Resource::Nofile, none).unwrap();
            let job = Job::request(&*url);
            submit(&stream, job.options(options(|options| post(options, 1))));
            told.recv_timeout(PATIENCE).unwrap();
            std::thread::sleep(ms(50));
            setrlimit(Resource::Nofile, limit).unwrap();
            assert_fails(&take(&stream), "connection-aborted", "");
            let again = told.recv_timeout(ms(300));
            assert_eq!(again, Err(mpsc::RecvTimeoutError::Timeout));
        },
    );
}

// Silence.

#[test]
fn a_connection_the_system_gives_up_on_is_a_read_timeout() {
    own::network(
        "a_connection_the_system_gives_up_on_is_a_read_timeout",
        || {
            own::set_ipv4("tcp_retries2", "1");
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 1000]);
                // From here on it is as if the cable was cut: each packet is dropped (BPF_RET, 0).
                let nothing = [SockFilter::new(6, 0, 0, 0)];
                SockRef::from(&stream).attach_filter(&nothing).unwrap();
                std::thread::park();
            });
            let result = fetch_with(url, |options| post(options, 20_000_000));
            assert_fails(&result, "read-timeout", "Connection timed out");
        },
    );
}

// TLS.

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let (site, other) = (secure_site(), secure_site());
    let asked = |host: &str, authority: &Site| {
        fetch_with(format!("https://{host}/text"), |options| {
            options.ca_file = authority.ca_file().map(Into::into);
            options.connect_to = all_to(site.https_port().unwrap());
        })
    };
    assert_eq!(text(&asked("sound.test", &site)), known_text());
    // RFC 5280, sections 4.1.2.5 and 6.1; RFC 9110, section 4.3.4.
    for (host, subcode, words) in [
        ("expired.test", "expired", "certificate has expired"),
        (
            "early.test",
            "not-yet-valid",
            "certificate is not yet valid",
        ),
        (
            "self-signed.test",
            "unknown-authority",
            "self-signed certificate",
        ),
        (
            "example.org",
            "wrong-name",
            "subject name matches target hostname 'example.org'",
        ),
    ] {
        let result = asked(host, &site);
        assert_fails(&result, "ssl", words);
        assert_subcode(&result, by_engine(Some(subcode), None));
    }
    // The sites' authorities have the same name. OpenSSL 3.0.2 says that the key is another, later ones
    // that there is none.
    let result = asked("sound.test", &other);
    assert_fails(&result, "ssl", "SSL certificate");
    assert_subcode(&result, by_engine(Some("unknown-authority"), None));
    assert!(site.log().len() == 1, "{:?}", site.log());

    // No TLS is spoken there (RFC 8446, section 6.2).
    let plain = format!("https://127.0.0.1:{}/", site.port());
    for job in [Job::request(&*plain), Job::resolve(&*plain)] {
        let result = fetch(job);
        assert_eq!(code(&result), "ssl", "{}", message(&result));
        assert_subcode(&result, Some("protocol"));
    }
    let result = fetch_with(site.https_url("/text").unwrap(), |options| {
        options.ca_file = Some("/nowhere/ca.pem".into());
    });
    assert_eq!(code(&result), "ssl", "{}", message(&result));
    assert_subcode(&result, Some("ca-file"));
    // Other codes have none.
    assert_subcode(
        &fetch(Job::request(format!("http://127.0.0.1:{}/", closed_port()))),
        None,
    );
}

#[track_caller]
fn assert_subcode(result: &JobResult, expected: Option<&str>) {
    let failure = result.error.as_ref().expect("a failure");
    let subcode = failure.subcode.map(|subcode| subcode.as_str());
    assert_eq!(subcode, expected, "{failure}");
}

/// What comes of a request to a secure site when that goes wrong on the way to it.
fn over_wire(fault: Fault, path: &str, body: usize, version: HttpVersion) -> JobResult {
    let site = secure_site();
    let wire = Wire::to(site.https_port().unwrap(), fault);
    fetch_with(wire.url(path), |options| {
        options.ca_file = site.ca_file().map(Into::into);
        options.http_version = version;
        if body > 0 {
            post(options, body);
        }
    })
}

fn post(options: &mut Options, body: usize) {
    options.method = Some("POST".into());
    options.body = Some(vec![b'x'; body].into());
}

const VERSIONS: [HttpVersion; 2] = [HttpVersion::Http11, HttpVersion::Any];

#[test]
fn an_answer_that_is_spoilt_on_its_way_cannot_be_received() {
    for version in VERSIONS {
        for (fault, path, status) in [
            (Fault::ForgeAnswer, "/hang", 0),
            (Fault::SpoilAnswer(100_000), "/bytes/1000000", 200),
            (Fault::SpoilAnswer(100_000), "/chunked/1000000", 200),
        ] {
            let result = over_wire(fault, path, 0, version);
            assert_fails(&result, "receive-error", "bad record mac");
            assert_fails(&result, "receive-error", "(address 127.0.0.1)");
            assert_eq!(result.status, status, "{path}");
            assert!(result.body.is_empty(), "{path}");
        }
    }
}

#[test]
fn a_request_that_is_spoilt_on_its_way_is_answered_with_an_alert() {
    for version in VERSIONS {
        let result = over_wire(Fault::SpoilRequest, "/text", 0, version);
        assert_fails(&result, "receive-error", "alert bad record mac");
    }
}

#[test]
fn a_secure_connection_that_is_cut_is_aborted() {
    for version in VERSIONS {
        for (fault, path, body) in [
            (Fault::CutHandshake, "/text", 0),
            (Fault::ResetHandshake, "/text", 0),
            (Fault::CutAfterRequest, "/hang", 0),
            (Fault::CutAfterRequest, "/echo", 10_000_000),
            (Fault::Cut(100_000), "/bytes/1000000", 0),
            (Fault::Cut(100_000), "/chunked/1000000", 0),
        ] {
            let result = over_wire(fault, path, body, version);
            assert_fails(&result, "connection-aborted", "");
        }
    }
}

// HTTP/2.

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Asks in HTTP/2 a server that says just this, and closes.
fn told(bytes: Vec<u8>) -> JobResult {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        // The preface ends as a head does.
        while let Ok((mut stream, _)) = listener.accept() {
            if read_request(&mut stream).is_some() && stream.write_all(&bytes).is_ok() {
                end(stream);
            }
        }
    });
    fetch_with(url, |options| {
        options.http_version = HttpVersion::Http2PriorKnowledge;
    })
}

/// Closes a connection when the peer has: before, what it still sends would have it reset.
fn end(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

#[test]
fn a_stream_or_connection_of_http2_that_is_given_up_is_aborted() {
    let settings = frame(4, 0, 0, &[]);
    let head = frame(1, 4, 1, &[0x88]);
    let data = frame(0, 0, 1, b"hello");
    let reset = |why: u8| frame(3, 0, 1, &[0, 0, 0, why]);
    let going_away = |last: u8| frame(7, 0, 0, &[0, 0, 0, last, 0, 0, 0, 0]);
    for (what, said) in [
        ("nothing", vec![]),
        ("closed", vec![settings.clone()]),
        (
            "closed after the head",
            vec![settings.clone(), head.clone()],
        ),
        (
            "closed within the body",
            vec![settings.clone(), head.clone(), data.clone()],
        ),
        ("an internal error", vec![settings.clone(), reset(2)]),
        ("refused", vec![settings.clone(), reset(7)]),
        ("cancelled", vec![settings.clone(), reset(8)]),
        ("ended without a head", vec![settings.clone(), reset(0)]),
        (
            "an internal error after the head",
            vec![settings.clone(), head.clone(), reset(2)],
        ),
        (
            "an internal error within the body",
            vec![settings.clone(), head.clone(), data.clone(), reset(2)],
        ),
        ("going away", vec![settings.clone(), going_away(0)]),
        (
            "going away after the head",
            vec![settings.clone(), head.clone(), going_away(1)],
        ),
    ] {
        let result = told(said.concat());
        assert_eq!(
            code(&result),
            "connection-aborted",
            "{what}: {}",
            message(&result)
        );
    }
}

#[test]
fn broken_frames_are_protocol_errors() {
    let settings = frame(4, 0, 0, &[]);
    let head = frame(1, 4, 1, &[0x88]);
    let data = frame(0, 0, 1, b"hello");
    for (what, said) in [
        (
            "HTTP/1.1",
            vec![b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()],
        ),
        ("odd settings", vec![frame(4, 0, 0, &[1, 2, 3])]),
        (
            "data of no stream",
            vec![settings.clone(), frame(0, 0, 0, b"x")],
        ),
        ("data without a head", vec![settings.clone(), data.clone()]),
        (
            "a head that is not to be unpacked",
            vec![settings.clone(), frame(1, 4, 1, &[0xFF; 6])],
        ),
        (
            "a head without a status",
            vec![settings.clone(), frame(1, 4, 1, &[0x84])],
        ),
        (
            "a frame too long",
            vec![settings.clone(), head.clone(), vec![0xFF; 9]],
        ),
        (
            "data of no stream within the body",
            vec![
                settings.clone(),
                head.clone(),
                data.clone(),
                frame(0, 0, 0, b"x"),
            ],
        ),
    ] {
        let result = told(said.concat());
        assert_eq!(
            code(&result),
            "protocol-error",
            "{what}: {}",
            message(&result)
        );
    }
}

/// The preface and the frames of a client, up to its first head (RFC 9113, sections 3.4 and 4.1).
fn read_head_of_http2(stream: &mut TcpStream) -> Option<()> {
    stream.read_exact(&mut [0; 24]).ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).ok()?;
        if head[3] == 1 {
            return Some(());
        }
    }
}

/// What comes of answers in HTTP/2 whose server resets the connection right behind them: what it sent
/// before counts, and that nothing can be sent to it does not.
fn told_and_reset(bytes: Vec<u8>) -> Vec<JobResult> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let bytes = bytes.clone();
            std::thread::spawn(move || {
                read_head_of_http2(&mut stream)?;
                stream.write_all(&bytes).ok()?;
                SockRef::from(&stream).set_linger(Some(ms(0))).ok()
            });
        }
    });
    let options = options(|options| {
        options.http_version = HttpVersion::Http2PriorKnowledge;
    });
    // Each of a connection of its own.
    let url = |i: u32| format!("http://{i}.localhost:{port}/");
    let jobs = (0..40).map(|i| Job::request(url(i)).options(Arc::clone(&options)));
    run(&stream(&hasty_pool()), jobs)
}

#[test]
fn broken_frames_are_protocol_errors_though_the_connection_is_reset() {
    let settings = frame(4, 0, 0, &[]);
    for said in [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        [settings.clone(), frame(0, 0, 0, b"x")].concat(),
        [settings.clone(), frame(0, 0, 1, b"hello")].concat(),
        [settings.clone(), frame(1, 4, 1, &[0xFF; 6])].concat(),
    ] {
        for result in told_and_reset(said.clone()) {
            let message = message(&result);
            assert_eq!(code(&result), "protocol-error", "{said:?}: {message}");
        }
    }
}

/// An answer is whole once it has its length (RFC 9110, section 8.6).
#[test]
fn a_whole_answer_of_http2_counts_though_the_connection_is_reset() {
    let settings = frame(4, 0, 0, &[]);
    // `:status: 200` and `content-length: 5` (RFC 7541, sections 6.1 and 6.2.2).
    let head = frame(1, 4, 1, b"\x88\x0F\x0D\x015");
    let said = |data: &[u8]| [&*settings, &head, &frame(0, 1, 1, data)].concat();
    for result in told_and_reset(said(b"hello")) {
        assert_ok(&result);
        assert_eq!(text(&result), "hello");
    }
    let cut = [&*settings, &head, &frame(0, 0, 1, b"hell")].concat();
    for result in told_and_reset(cut) {
        assert_eq!(code(&result), "connection-aborted", "{}", message(&result));
    }
}

#[test]
fn headers_that_http2_does_not_take_cannot_be_sent() {
    let site = site();
    let long = |version| {
        fetch_with(site.url("/echo"), |options| {
            options.http_version = version;
            options.headers = vec![("X-Long".into(), "x".repeat(70_000))];
        })
    };
    assert_ok(&long(HttpVersion::Http11));
    let result = long(HttpVersion::Http2PriorKnowledge);
    assert_fails(&result, "send-error", "Failed sending data to the peer");
    assert_eq!(site.log().len(), 1);
}

// What the caller wants, and what the machine has not.

#[test]
fn a_status_that_is_not_wanted_is_an_error_with_its_answer() {
    let site = site();
    let raising = |url: String| {
        fetch_with(url, |options| {
            options.raise_on_statuses = vec![302, 404, 503]
        })
    };
    for (path, expected) in [
        ("/status/404?body=gone", "invalid-status-404"),
        ("/redirect-to?url=/status/503", "invalid-status-503"),
    ] {
        let result = raising(site.url(path));
        assert_fails(&result, expected, "");
        assert_eq!(result.status.to_string(), expected[expected.len() - 3..]);
        assert!(!result.headers.is_empty(), "{path}");
    }
    // That of a redirection is not final.
    assert_ok(&raising(site.url("/redirect/1")));
}

/// How many threads of this process do not sleep (proc(5)).
fn awake() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("threads");
    let stats =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    let sleeps = |stat: &String| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('S'))
    };
    stats.filter(|stat| !sleeps(stat)).count()
}

#[test]
fn no_memory_for_a_thread_is_an_internal_error() {
    own::process("no_memory_for_a_thread_is_an_internal_error", || {
        let site = site();
        let pool = hasty_pool();
        let seen = stream_of(&pool, |config| {
            config.callback = Some(Arc::new(|_, _| Ok(())))
        });
        let unseen = stream(&pool);
        submit(&unseen, Job::request(site.url("/text")));
        assert_ok(&take(&unseen));
        let faults = faults();
        let undone = Options::default().compressed(true);
        // Its window is unfolded on a thread of its own.
        let slow = Job::request(faults.url("/bomb-br-slow?mb=16")).options(undone);
        // The server's threads are in this process, and want memory as they start.
        eventually("all other threads sleep", || awake() == 1);

        let limit = getrlimit(Resource::As);
        let mut tight = limit;
        // A thread wants two megabytes to stand on.
        tight.current = Some(memory() + 1_000_000);
        setrlimit(Resource::As, tight).unwrap();
        submit(&seen, Job::request(site.url("/text")));
        let uncalled = take(&seen);
        submit(&unseen, Job::request("http://name.test/"));
        let unnamed = take(&unseen);
        submit(&unseen, slow.clone());
        let coded = take(&unseen);
        submit(&unseen, Job::request(site.url("/text")));
        let untouched = take(&unseen);
        setrlimit(Resource::As, limit).unwrap();

        assert_fails(&uncalled, "internal-error", "no thread for the callback");
        assert_fails(&unnamed, "internal-error", "no thread to look up names on");
        assert_fails(&coded, "internal-error", "is left to undo br");
        // Nothing else suffers, and nothing is broken for good.
        assert_eq!(text(&untouched), known_text());
        submit(&seen, Job::request(site.url("/text")));
        assert_eq!(text(&take(&seen)), known_text());
        submit(&unseen, slow);
        assert_eq!(take(&unseen).body.len(), 4 + (16 << 20));
    });
}

/// The bytes of address space that the process has.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.and_then(|size| size.trim().strip_suffix(" kB"));
    size.unwrap().parse::<u64>().unwrap() * 1024
}

// All of them.

/// Each code, and a test that provokes it.
const PROVOKED: &[(&str, &str, &str)] = &[
    ("invalid-url", "errors", "a_bad_url_is_a_result"),
    (
        "unknown-host",
        "error_codes",
        "a_name_that_is_none_is_unknown",
    ),
    (
        "name-resolution-failure",
        "error_codes",
        "a_resolver_that_fails_may_do_better_later",
    ),
    (
        "name-resolution-failure",
        "error_codes",
        "a_resolver_that_is_silent_is_not_waited_for",
    ),
    (
        "no-address-associated-with-hostname",
        "error_codes",
        "a_name_without_an_address_has_none",
    ),
    (
        "connection-refused",
        "error_codes",
        "a_port_nobody_listens_on_refuses",
    ),
    ("connection-aborted", "errors", "every_fault_has_its_code"),
    (
        "connection-aborted",
        "error_codes",
        "a_secure_connection_that_is_cut_is_aborted",
    ),
    (
        "connection-aborted",
        "error_codes",
        "a_stream_or_connection_of_http2_that_is_given_up_is_aborted",
    ),
    (
        "connection-error",
        "error_codes",
        "no_descriptor_left_is_no_connection",
    ),
    (
        "connection-error",
        "request",
        "interface_is_where_connections_come_from",
    ),
    (
        "no-route-to-host",
        "error_codes",
        "a_host_no_way_leads_to_has_a_code_for_each_reason",
    ),
    (
        "unreachable-network",
        "error_codes",
        "a_host_no_way_leads_to_has_a_code_for_each_reason",
    ),
    (
        "connect-timeout",
        "request",
        "a_connection_that_is_not_accepted_times_out",
    ),
    (
        "connect-timeout",
        "request",
        "a_handshake_that_is_not_answered_is_a_connect_timeout",
    ),
    ("read-timeout", "errors", "every_fault_has_its_code"),
    (
        "read-timeout",
        "error_codes",
        "a_connection_the_system_gives_up_on_is_a_read_timeout",
    ),
    ("timeout", "errors", "every_fault_has_its_code"),
    (
        "ssl",
        "error_codes",
        "what_is_wrong_with_a_certificate_is_said",
    ),
    (
        "ssl",
        "request",
        "a_ca_file_that_is_not_there_is_an_error_of_tls",
    ),
    (
        "max-redirects",
        "redirects",
        "redirections_are_followed_up_to_the_maximum",
    ),
    (
        "infinite-redirects",
        "redirects",
        "a_url_met_twice_is_an_infinite_redirect",
    ),
    (
        "self-redirect",
        "redirects",
        "a_page_sent_to_itself_is_a_self_redirect",
    ),
    (
        "invalid-redirect",
        "redirects",
        "a_location_that_cannot_be_requested_is_invalid",
    ),
    (
        "badly-encoded-location",
        "redirects",
        "a_location_whose_host_is_no_text_is_badly_encoded",
    ),
    (
        "invalid-gzip",
        "request",
        "broken_codings_are_errors_without_a_body",
    ),
    (
        "invalid-encoding",
        "request",
        "broken_codings_are_errors_without_a_body",
    ),
    (
        "invalid-status-",
        "error_codes",
        "a_status_that_is_not_wanted_is_an_error_with_its_answer",
    ),
    (
        "proxy-error",
        "errors",
        "a_proxy_that_cannot_be_reached_is_at_fault",
    ),
    (
        "proxy-error",
        "proxy",
        "a_proxy_that_refuses_a_tunnel_is_at_fault",
    ),
    (
        "proxy-error",
        "proxy",
        "a_proxy_that_asks_for_credentials_is_at_fault_for_http_too",
    ),
    (
        "send-error",
        "error_codes",
        "headers_that_http2_does_not_take_cannot_be_sent",
    ),
    (
        "receive-error",
        "error_codes",
        "an_answer_that_is_spoilt_on_its_way_cannot_be_received",
    ),
    (
        "callback-error",
        "callbacks",
        "a_callback_that_fails_is_an_error_of_its_job_alone",
    ),
    (
        "cancelled",
        "streams",
        "cancelling_a_stream_leaves_the_others_alone",
    ),
    (
        "body-too-large",
        "request",
        "a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not",
    ),
    ("protocol-error", "errors", "every_fault_has_its_code"),
    (
        "protocol-error",
        "error_codes",
        "broken_frames_are_protocol_errors",
    ),
    (
        "forbidden-address",
        "forbidden",
        "a_port_that_is_not_allowed_is_forbidden",
    ),
    (
        "internal-error",
        "error_codes",
        "no_memory_for_a_thread_is_an_internal_error",
    ),
];

#[test]
fn every_code_is_provoked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("a source");
    let codes = read("src/error.rs");
    let mut slugs: Vec<&str> = codes
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::"))
        .filter_map(|line| line.split("=> \"").nth(1)?.strip_suffix("\","))
        .collect();
    assert!(slugs.len() > 20, "{slugs:?}");
    slugs.push("invalid-status-");
    for slug in &slugs {
        let is_there = PROVOKED.iter().any(|(provoked, ..)| provoked == slug);
        assert!(is_there, "no test provokes {slug}");
    }
    for (slug, file, test) in PROVOKED {
        assert!(slugs.contains(slug), "{slug} is no code");
        let path = [format!("tests/jobs/{file}.rs"), format!("tests/{file}.rs")];
        let path = path.iter().find(|path| root.join(path).exists());
        let source = read(path.unwrap_or_else(|| panic!("there is no {file}.rs")));
        let (_, body) = source
            .split_once(&format!("#[test]\nfn {test}() {{\n"))
            .unwrap_or_else(|| panic!("tests/{file}.rs has no test {test}"));
        let (body, _) = body.split_once("\n}\n").expect("an end");
        assert!(
            body.contains(&format!("\"{slug}")),
            "{test} expects no {slug}"
        );
    }
}
