//! What goes wrong, by its name, and with words that say where.

use std::net::Ipv4Addr;

use crate::support::dns::{Answer, Dns};
use crate::support::raw::Raw;
use crate::support::*;
use rouet::{Job, JobResult, Options};

/// Checks the code, and that the message names the URL.
#[track_caller]
fn assert_fails(result: &JobResult, expected: &str) {
    let url = result.url.as_deref().unwrap_or_default();
    assert_eq!(code(result), expected, "{url}: {}", message(result));
    assert!(message(result).contains(url), "{url}: {}", message(result));
    assert!(result.body.is_empty(), "{url}");
}

#[test]
fn every_fault_has_its_code() {
    let faults = faults();
    for (path, expected) in [
        ("/close", "connection-aborted"),
        ("/reset", by_engine("connection-aborted", "receive-error")),
        ("/truncate", "connection-aborted"),
        ("/truncate-chunk", "connection-aborted"),
        (
            "/reset-body",
            by_engine("connection-aborted", "receive-error"),
        ),
        ("/stall", "timeout"),
        ("/silence", "read-timeout"),
        ("/garbage", "protocol-error"),
        ("/bad-chunk", by_engine("protocol-error", "receive-error")),
        ("/http09", "protocol-error"),
        (
            "/header-flood",
            by_engine("protocol-error", "receive-error"),
        ),
        ("/dup-length", "protocol-error"),
    ] {
        let result = fetch_with(faults.url(path), |options| options.timeout = ms(500));
        assert_fails(&result, expected);
        assert_eq!(result.attempts, 1);
        assert_eq!(faults.requests(path), 1, "{path}");
        let url = faults.url(path);
        assert_eq!(result.end_url(), Some(&*url));
    }
}

#[test]
fn a_broken_answer_still_tells_its_status_and_headers() {
    let result = fetch(Job::request(faults().url("/truncate")));
    assert_eq!(result.status, 200);
    assert_eq!(result.stack[0].status, 200);
    assert_eq!(result.headers.get("content-length"), Some(&b"1000"[..]));
    let result = fetch(Job::request(faults().url("/close")));
    assert_eq!((result.status, result.stack[0].status), (0, 0));
    assert!(result.headers.is_empty());
}

#[test]
fn lies_in_answers_are_protocol_errors() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: woven\r\n\r\n",
        "HTTP/7.7 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
    ] {
        let server = Raw::start(|_| head.as_bytes().to_vec());
        assert_fails(&fetch(Job::request(server.url("/"))), "protocol-error");
    }
}

#[test]
fn a_status_that_is_none_is_a_protocol_error() {
    let server = Raw::start(|_| b"HTTP/1.1 999999 What\r\n\r\nbody".to_vec());
    assert_fails(&fetch(Job::request(server.url("/"))), "protocol-error");
}

#[test]
fn a_closed_port_refuses() {
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/x", closed_port());
        assert_fails(&fetch(Job::request(&*url)), refused());
        assert_fails(&fetch(Job::resolve(&*url)), refused());
    }
    let url = format!("https://127.0.0.1:{}/", closed_port());
    assert_fails(&fetch(Job::request(url)), refused());
}

#[test]
fn https_to_a_server_without_it_is_an_error_of_tls() {
    let site = site();
    let url = format!("https://127.0.0.1:{}/", site.port());
    assert_fails(&fetch(Job::request(url)), "ssl");
}

#[test]
fn a_name_is_looked_up_once_for_all_who_ask() {
    own::network("a_name_is_looked_up_once_for_all_who_ask", || {
        let dns = Dns::start(|name| match name {
            "known.test" => Answer::Address(Ipv4Addr::LOCALHOST),
            _ => Answer::NoSuchName,
        });
        let site = site();
        for name in ["known.test", "unknown.test"] {
            let (pool, before) = (hasty_pool(), dns.questions());
            let url = format!("http://{name}:{}/", site.port());
            let jobs = (0..20).map(|_| Job::request(&*url));
            assert_eq!(run(&stream(&pool), jobs).len(), 20);
            assert_eq!(pool.stats().name_lookups, 1);
            assert_eq!(dns.questions() - before, 2);
        }
    });
}

#[test]
fn a_proxy_of_no_known_name_is_at_fault() {
    own::network("a_proxy_of_no_known_name_is_at_fault", || {
        Dns::start(|_| Answer::NoSuchName);
        let result = fetch_with("http://127.0.0.1/", |options| {
            options.proxy = Some("http://nosuch.test:8080".into());
        });
        assert_fails(&result, "proxy-error");
        assert!(message(&result).contains("nosuch.test"));
    });
}

#[test]
fn a_bad_url_is_a_result() {
    let stream = stream(&hasty_pool());
    for (item, url) in (0..).zip([
        "http://",
        "https:///",
        "http://:80/",
        "ftp://example.com/",
        "mailto:someone@example.com",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/plain,x",
        "http://a b/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://exam\0ple.com/",
        "http://example.com/a\r\nb",
        "http://[::1/",
        "http://[::g]/",
        "http://999.1.1.1/",
        "http://a%00b/",
        "http://exa<mple>.com/",
        "://example.com",
        "?",
        "#",
    ]) {
        submit(&stream, Job::request(url).item(item));
        let (came, result) = take_pair(&stream);
        assert_eq!(code(&result), "invalid-url", "{url:?}");
        assert_eq!(result.url.as_deref(), Some(url));
        assert_eq!(
            (came, result.attempts, result.status),
            (item, 0, 0),
            "{url:?}"
        );
        assert!(result.stack.is_empty(), "{url:?}");
        // Quoted, so that a line break in it does no harm in a log.
        assert!(
            message(&result).contains(&format!("{url:?}")),
            "{}",
            message(&result)
        );
    }
}

#[test]
fn the_message_on_a_huge_url_is_short() {
    let url = format!("ftp://example.com/{}", "x".repeat(1_000_000));
    let result = fetch(Job::request(&*url));
    assert_eq!(code(&result), "invalid-url");
    assert!(message(&result).len() < 1000);
    assert_eq!(result.url.as_deref(), Some(&*url));
}

#[test]
fn a_huge_url_is_an_answer_of_the_server_or_an_error_but_comes_back() {
    // curl takes 8 MB at most.
    let url = site().url(&format!("/{}", "x".repeat(9_000_000)));
    let result = fetch(Job::request(&*url));
    assert!(result.error.is_some());
    assert_eq!(result.url.as_deref(), Some(&*url));
}

#[test]
fn a_proxy_that_cannot_be_reached_is_at_fault() {
    let site = secure_site();
    let port = closed_port();
    for scheme in ["http", "https", "socks5", "socks5h"] {
        for url in [site.url("/text"), site.https_url("/text").unwrap()] {
            let through = |options: &mut Options| {
                options.proxy = Some(format!("{scheme}://127.0.0.1:{port}"));
            };
            let result = fetch_with(url, through);
            let expected = match scheme {
                "https" => by_engine("proxy-error", "internal-error"),
                _ => "proxy-error",
            };
            assert_fails(&result, expected);
        }
    }
    assert!(site.log().is_empty());
}

#[test]
fn slugs_are_stable() {
    use rouet::ErrorCode::*;
    let slugs = [
        (InvalidUrl, "invalid-url"),
        (UnknownHost, "unknown-host"),
        (NameResolutionFailure, "name-resolution-failure"),
        (
            NoAddressAssociatedWithHostname,
            "no-address-associated-with-hostname",
        ),
        (ConnectionRefused, "connection-refused"),
        (ConnectionAborted, "connection-aborted"),
        (ConnectionError, "connection-error"),
        (NoRouteToHost, "no-route-to-host"),
        (UnreachableNetwork, "unreachable-network"),
        (ConnectTimeout, "connect-timeout"),
        (ReadTimeout, "read-timeout"),
        (Timeout, "timeout"),
        (Ssl, "ssl"),
        (MaxRedirects, "max-redirects"),
        (InfiniteRedirects, "infinite-redirects"),
        (SelfRedirect, "self-redirect"),
        (InvalidRedirect, "invalid-redirect"),
        (BadlyEncodedLocation, "badly-encoded-location"),
        (InvalidGzip, "invalid-gzip"),
        (InvalidEncoding, "invalid-encoding"),
        (ProxyError, "proxy-error"),
        (SendError, "send-error"),
        (ReceiveError, "receive-error"),
        (Cancelled, "cancelled"),
        (BodyTooLarge, "body-too-large"),
        (ProtocolError, "protocol-error"),
        (ForbiddenAddress, "forbidden-address"),
        (InternalError, "internal-error"),
    ];
    for (code, slug) in slugs {
        assert_eq!(code.as_str(), slug);
        assert_eq!(code.to_string(), slug);
    }
}
