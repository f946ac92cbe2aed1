//! Following redirections, and what must not follow along.

use crate::support::raw::{Raw, answer};
use crate::support::*;
use rouet::{Job, JobResult, Options};

/// The text as the value of a query's key.
fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn a_chain_is_followed_and_told_hop_by_hop() {
    let site = site();
    for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
        let result = fetch(kind(site.url("/redirect/3")));
        assert_ok(&result);
        assert_eq!(result.status, 200);
        assert_eq!(
            hops(&result),
            [
                (&*site.url("/redirect/3"), "location-header", 302),
                (&*site.url("/redirect/2"), "location-header", 302),
                (&*site.url("/redirect/1"), "location-header", 302),
                (&*site.url("/echo"), "hit", 200),
            ]
        );
        assert_eq!(result.end_url(), Some(&*site.url("/echo")));
        assert_eq!(result.url.as_deref(), Some(&*site.url("/redirect/3")));
    }
}

#[test]
fn every_redirect_status_is_followed_and_no_other() {
    let site = site();
    for status in [301, 302, 303, 307, 308] {
        let result = fetch(Job::request(
            site.url(&format!("/redirect/2?status={status}")),
        ));
        let statuses: Vec<_> = result.stack.iter().map(|entry| entry.status).collect();
        assert_eq!(statuses, [status, status, 200]);
    }
    for status in [200, 201, 300, 304, 305, 306, 400, 404] {
        let url = site.url(&format!("/redirect-to?url=/echo&status={status}"));
        let result = fetch(Job::request(&*url));
        assert_ok(&result);
        assert_eq!(hops(&result), [(&*url, "hit", status)]);
    }
}

#[test]
fn a_resolve_asks_with_head_and_gives_no_body() {
    let site = site();
    let result = fetch(Job::resolve(site.url("/redirect/2")));
    assert_ok(&result);
    assert!(result.body.is_empty());
    assert!(site.log().iter().all(|entry| entry.method == "HEAD"));
    assert_eq!(site.log().len(), 3);
}

#[test]
fn a_resolve_with_a_body_asks_with_get() {
    // HEAD has no body.
    let posted = options(|options| options.body = Some(b"wool"[..].into()));
    let server = Raw::start(|request| {
        let got = format!("X-Got: {} {}", request.method, request.body.len());
        answer("200 OK", &[&got], "")
    });
    let result = fetch(Job::resolve(server.url("/")).options(posted));
    assert_ok(&result);
    assert_eq!(result.headers.get("x-got"), Some(&b"GET 4"[..]));
}

/// Where a `Location` of those bytes (percent-encoded) leads from `/redirect-to`.
fn led_to(site: &rouet_site::Site, location: &str) -> JobResult {
    fetch(Job::request(
        site.url(&format!("/redirect-to?url={location}")),
    ))
}

#[test]
fn a_location_may_be_relative_or_raw_bytes() {
    let site = site();
    let port = site.port();
    for (location, path) in [
        ("/text".to_owned(), "/text"),
        ("text".to_owned(), "/text"),
        ("./a/../text".to_owned(), "/text"),
        (format!("//127.0.0.1:{port}/text"), "/text"),
        (format!("http://127.0.0.1:{port}/text"), "/text"),
        (format!("HTTP://localhost:{port}/text"), "/text"),
        // UTF-8, and Latin-1, which goes back as it came.
        ("/caf%C3%A9".to_owned(), "/caf%C3%A9"),
        ("/caf%E9".to_owned(), "/caf%E9"),
        ("/a%20b".to_owned(), "/a%20b"),
        ("/a%2525b".to_owned(), "/a%25b"),
        ("/path%5Cto".to_owned(), "/path/to"),
    ] {
        site.clear_log();
        let result = led_to(&site, &location);
        assert_ok(&result);
        assert_eq!(result.stack.len(), 2, "{location}");
        assert_eq!(site.log()[1].path, path, "{location}");
    }
}

/// URL Standard, section 4.4, over bytes as they came: what is no UTF-8 is percent-encoded.
#[test]
fn a_location_of_any_bytes_goes_back_as_it_came() {
    let site = site();
    for (location, path) in [
        // Windows-1252, Shift_JIS, GBK, and UTF-8 that is cut off.
        ("/%93quoted%94", "/%93quoted%94"),
        ("/%80", "/%80"),
        ("/a%FF%9Fb", "/a%FF%9Fb"),
        ("/%93%FA%96%7B", "/%93%FA%96%7B"),
        ("/%95%5C%8E%A6", "/%95%5C%8E%A6"),
        ("/%D6%D0%CE%C4", "/%D6%D0%CE%C4"),
        ("/caf%C3", "/caf%C3"),
        ("/%E2%82/%C3%A9", "/%E2%82/%C3%A9"),
    ] {
        for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
            site.clear_log();
            let url = site.url(&format!("/redirect-to?url={location}"));
            let result = fetch(kind(url));
            assert_ok(&result);
            assert_eq!(result.stack.len(), 2, "{location}");
            assert_eq!(site.log()[1].path, path, "{location}");
        }
    }
}

#[test]
fn a_location_whose_host_is_no_text_is_badly_encoded() {
    let site = site();
    for location in [
        "//b%FCcher.example/",
        "http://%93/",
        "http://%83%5C.example/%E9",
    ] {
        let url = site.url(&format!("/redirect-to?url={location}"));
        let result = fetch(Job::request(&*url));
        assert_eq!(code(&result), "badly-encoded-location", "{location}");
        assert!(message(&result).contains(&url), "{}", message(&result));
        assert_eq!(result.stack.len(), 1);
        assert_eq!((result.stack[0].status, result.status), (302, 302));
    }
}

/// URL Standard, section 4.4: special authority ignore slashes state; shorten a URL's path.
#[test]
fn a_location_is_read_as_the_url_standard_has_it() {
    let site = site();
    let port = site.port();
    for (location, path) in [
        (format!("///127.0.0.1:{port}/text"), "/text"),
        (format!("////127.0.0.1:{port}/x/../text"), "/text"),
        (format!("%5C/%5C127.0.0.1:{port}/text"), "/text"),
        ("/C:/../text".to_owned(), "/text"),
        ("C%7C/../text".to_owned(), "/text"),
        ("/a/C:/%252e%252E/../text".to_owned(), "/text"),
        (format!("http://127.0.0.1:{port}/C:/../text"), "/text"),
    ] {
        site.clear_log();
        let result = led_to(&site, &location);
        assert_ok(&result);
        assert_eq!(result.stack.len(), 2, "{location}");
        assert_eq!(site.log()[1].path, path, "{location}");
    }
    let result = fetch(Job::request(site.url("/C:/../text")));
    assert_eq!(result.end_url(), Some(&*site.url("/text")));
}

#[test]
fn a_location_that_cannot_be_requested_is_invalid() {
    let site = site();
    for location in [
        "ftp://example.com/",
        "javascript:alert(1)",
        "mailto:someone@example.com",
        "file:///etc/passwd",
        "data:text/plain,hello",
        "http://",
        "http://a%20b/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://[::1/",
    ] {
        let url = site.url(&format!("/redirect-to?url={}", quoted(location)));
        let result = fetch(Job::request(&*url));
        assert_eq!(code(&result), "invalid-redirect", "{location}");
        assert!(message(&result).contains(&url), "{}", message(&result));
        assert!(message(&result).contains(location), "{}", message(&result));
    }
    // A space in a host, which the query above does not keep.
    assert_eq!(code(&led_to(&site, "http://a%20b/")), "invalid-redirect");
}

#[test]
fn a_page_sent_to_itself_is_a_self_redirect() {
    let site = site();
    for path in ["/self", "/self#part", "/location-empty"] {
        let url = site.url(path);
        let result = fetch(Job::request(&*url));
        assert_eq!(code(&result), "self-redirect", "{path}");
        assert_eq!(hops(&result), [(&*url, "location-header", 302)]);
        assert!(message(&result).contains(&url), "{}", message(&result));
    }
    assert!(site.log().len() == 3);
}

#[test]
fn a_url_met_twice_is_an_infinite_redirect() {
    let site = site();
    let result = fetch(Job::request(site.url("/loop/a")));
    assert_eq!(code(&result), "infinite-redirects");
    assert_eq!(
        hops(&result),
        [
            (&*site.url("/loop/a"), "location-header", 302),
            (&*site.url("/loop/b"), "location-header", 302),
        ]
    );
    assert!(
        message(&result).contains(&site.url("/loop/a")),
        "{}",
        message(&result)
    );
}

#[test]
fn redirections_are_followed_up_to_the_maximum() {
    let site = site();
    let led = |mut job: Job, path: &str, max| {
        job.url = site.url(path).into();
        fetch(job.options(options(|options| options.max_redirects = max)))
    };
    for (job, max, most) in [
        (Job::request(""), None, 10),
        (Job::resolve(""), None, 20),
        (Job::request(""), Some(3), 3),
        (Job::resolve(""), Some(1), 1),
        (Job::request(""), Some(0), 0),
    ] {
        let fine = led(job.clone(), &format!("/redirect/{most}"), max);
        assert_ok(&fine);
        assert_eq!((fine.status, fine.stack.len()), (200, most + 1));
        let url = format!("/redirect/{}", most + 1);
        let result = led(job, &url, max);
        assert_eq!(code(&result), "max-redirects");
        assert_eq!(result.stack.len(), most + 1);
        assert!(
            message(&result).contains(&site.url("/")),
            "{}",
            message(&result)
        );
    }
}

#[test]
fn a_redirect_status_without_location_is_an_answer() {
    let site = site();
    let url = site.url("/no-location");
    let result = fetch(Job::request(&*url));
    assert_eq!(text(&result), "no Location\n");
    assert_eq!(hops(&result), [(&*url, "hit", 302)]);
}

#[test]
fn redirections_are_not_followed_when_not_asked_to() {
    let site = site();
    let url = site.url("/redirect/3");
    for job in [Job::request(&*url), Job::resolve(&*url)] {
        let result = fetch(job.options(options(|options| options.follow_redirects = false)));
        assert_ok(&result);
        assert_eq!(hops(&result), [(&*url, "hit", 302)]);
        assert_eq!(result.headers.get("location"), Some(&b"/redirect/2"[..]));
    }
    let kept = fetch_with(&*url, |options| options.follow_redirects = false);
    assert_eq!(text(&kept), "moved\n");
    // Nor judged.
    let url = site.url("/redirect-to?url=ftp://example.com/");
    assert_ok(&fetch_with(url, |options| options.follow_redirects = false));
}

fn post(options: &mut Options) {
    options.method = Some("POST".into());
    options.body = Some(b"wool"[..].into());
    options.headers = vec![("Content-Type".into(), "text/wool".into())];
}

#[test]
fn a_post_goes_on_as_get_without_body_or_as_it_is() {
    let site = site();
    for (status, method, length) in [
        (301, "GET", 0),
        (302, "GET", 0),
        (303, "GET", 0),
        (307, "POST", 4),
        (308, "POST", 4),
    ] {
        let body = text(&fetch_with(
            site.url(&format!("/redirect-to?url=/echo&status={status}")),
            post,
        ));
        assert!(
            body.contains(&format!(r#""method":"{method}""#)),
            "{status}: {body}"
        );
        assert!(
            body.contains(&format!(r#""body_length":{length}"#)),
            "{status}: {body}"
        );
        // What told of the body goes with it (Fetch standard, HTTP-redirect fetch, step 12).
        let typed = body.contains("text/wool");
        assert_eq!(typed, method == "POST", "{status}: {body}");
    }
}

#[test]
fn another_method_changes_only_for_303() {
    let site = site();
    for (method, status, expected) in [
        ("PUT", 301, "PUT"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
        ("DELETE", 303, "GET"),
        ("DELETE", 302, "DELETE"),
        ("DELETE", 307, "DELETE"),
    ] {
        let url = site.url(&format!("/redirect-to?url=/echo&status={status}"));
        let body = text(&fetch_with(url, |options| {
            options.method = Some(method.into())
        }));
        assert!(
            body.contains(&format!(r#""method":"{expected}""#)),
            "{method} {status}: {body}"
        );
    }
    let head = fetch_with(site.url("/redirect-to?url=/echo&status=303"), |options| {
        options.method = Some("HEAD".into());
    });
    assert_ok(&head);
    assert!(
        site.log()
            .iter()
            .rev()
            .take(2)
            .all(|entry| entry.method == "HEAD")
    );
}

#[test]
fn a_post_that_is_answered_by_its_own_page_is_no_self_redirect() {
    let server = Raw::start(|request| match request.method.as_str() {
        "POST" => answer("303 See Other", &["Location: /form"], ""),
        _ => answer("200 OK", &[], "thanks"),
    });
    let result = fetch_with(server.url("/form"), post);
    assert_eq!(text(&result), "thanks");
    let url = server.url("/form");
    assert_eq!(
        hops(&result),
        [(&*url, "location-header", 303), (&*url, "hit", 200)]
    );
}

#[test]
fn a_post_loop_is_still_found() {
    let server = Raw::start(|_| answer("303 See Other", &["Location: /form"], ""));
    let result = fetch_with(server.url("/form"), post);
    assert_eq!(code(&result), "self-redirect");
    assert_eq!(result.stack.len(), 2);
}

/// Options with what is private and what is not.
fn private(options: &mut Options) {
    options.cookie = Some("secret-cookie=1".into());
    options.headers = [
        ("Authorization", "Bearer secret-token"),
        ("Proxy-Authorization", "Basic secret-proxy"),
        ("X-Public", "thread"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
}

#[test]
fn nothing_private_follows_to_another_origin() {
    let (site, faults) = (site(), faults());
    let url = site.url(&format!("/redirect-to?url={}", faults.url("/head")));
    let head = text(&fetch_with(url, private));
    assert!(!head.contains("secret"), "{head}");
    assert!(head.contains("X-Public: thread"), "{head}");
    assert!(head.contains("User-Agent: rouet/"), "{head}");
}

#[test]
fn what_is_private_stays_on_its_own_origin() {
    let site = site();
    let body = text(&fetch_with(site.url("/redirect/2"), private));
    assert!(body.contains("secret-token"), "{body}");
    assert!(body.contains("secret-cookie=1"), "{body}");
}

#[test]
fn nothing_private_comes_back_after_another_origin() {
    let (home, away) = (site(), site());
    let back = away.url(&format!("/redirect-to?url={}", home.url("/echo")));
    let url = home.url(&format!("/redirect-to?url={}", quoted(&back)));
    let result = fetch_with(url, private);
    let body = text(&result);
    assert_eq!(result.stack.len(), 3);
    assert!(!body.contains("secret"), "{body}");
    assert!(body.contains("thread"), "{body}");
}

#[test]
fn another_host_on_the_same_port_is_another_origin() {
    let site = site();
    let url = "http://a.test/redirect-to?url=http://b.test/echo";
    let body = text(&fetch_with(url, |options| {
        private(options);
        options.connect_to = all_to(site.port());
    }));
    assert!(body.contains(r#""host":"b.test""#), "{body}");
    assert!(!body.contains("secret"), "{body}");
}

#[test]
fn https_is_another_origin_than_http() {
    let site = secure_site();
    let target = site.https_url("/echo").unwrap();
    let url = format!("http://localhost:{}/redirect-to?url={target}", site.port());
    let body = text(&fetch_with(url, |options| {
        private(options);
        options.ca_file = site.ca_file().map(Into::into);
    }));
    assert!(body.contains("HTTP/2.0"), "{body}");
    assert!(!body.contains("secret"), "{body}");
}

#[test]
fn a_cookie_given_as_a_header_does_not_follow_either() {
    let (site, faults) = (site(), faults());
    let url = site.url(&format!("/redirect-to?url={}", faults.url("/head")));
    let head = text(&fetch_with(url, |options| {
        options.headers = vec![("cookie".into(), "secret-cookie=2".into())];
    }));
    assert!(!head.contains("secret"), "{head}");
}

#[test]
fn a_given_host_header_is_not_sent_to_another_origin() {
    let (site, faults) = (site(), faults());
    let url = site.url(&format!("/redirect-to?url={}", faults.url("/head")));
    let head = text(&fetch_with(url, |options| {
        options.headers = vec![("Host".into(), "secret.test".into())];
    }));
    assert!(
        head.contains(&format!("\r\nHost: 127.0.0.1:{}\r\n", faults.port())),
        "{head}"
    );
    assert_eq!(site.log()[0].host, "secret.test");
}

#[test]
fn credentials_of_the_url_do_not_follow_to_another_origin() {
    let (site, faults) = (site(), faults());
    let target = faults.url("/head");
    let url = format!(
        "http://user:pass@127.0.0.1:{}/redirect-to?url={target}",
        site.port()
    );
    let head = text(&fetch(Job::request(url)));
    assert!(
        !head.to_ascii_lowercase().contains("authorization"),
        "{head}"
    );
}

#[test]
fn cookies_set_on_the_way_are_not_sent() {
    let server = Raw::start(|request| match request.target.as_str() {
        "/" => answer("302 Found", &["Location: /next", "Set-Cookie: a=1"], ""),
        _ => answer("200 OK", &[], &request.head),
    });
    let head = text(&fetch(Job::request(server.url("/"))));
    assert!(!head.to_ascii_lowercase().contains("\r\ncookie:"), "{head}");
}

#[test]
fn a_fragment_is_inherited_unless_there_is_another() {
    let site = site();
    let ended = |path: &str| {
        fetch(Job::request(site.url(path)))
            .end_url()
            .map(str::to_owned)
    };
    assert_eq!(ended("/redirect/2#part"), Some(site.url("/echo#part")));
    assert_eq!(
        ended("/redirect-to?url=/echo%23own#part"),
        Some(site.url("/echo#own"))
    );
}

#[test]
fn the_headers_and_body_are_those_of_the_last_answer() {
    let server = Raw::start(|request| match request.target.as_str() {
        "/" => answer("301 Moved", &["Location: /end", "X-First: 1"], "moved away"),
        _ => answer("200 OK", &["X-Last: 2"], "here"),
    });
    let result = fetch(Job::request(server.url("/")));
    assert_eq!(text(&result), "here");
    assert_eq!(result.headers.get("x-first"), None);
    assert_eq!(result.headers.get("x-last"), Some(&b"2"[..]));
}

#[test]
fn the_body_of_a_redirection_is_of_no_interest() {
    // Longer than the limit, in a coding it does not have.
    let server = Raw::start(|request| match request.target.as_str() {
        "/" => {
            let headers = ["Location: /end", "Content-Encoding: gzip"];
            answer("302 Found", &headers, &"moved ".repeat(100_000))
        }
        _ => answer("200 OK", &[], "here"),
    });
    let result = fetch_with(server.url("/"), |options| {
        options.compressed = true;
        options.max_body_size = 100;
    });
    assert_eq!(text(&result), "here");
}

#[test]
fn a_failure_on_the_way_tells_how_far_it_came() {
    let site = site();
    let target = format!("http://127.0.0.1:{}/", closed_port());
    let url = site.url(&format!("/redirect-to?url={target}"));
    let result = fetch(Job::request(&*url));
    assert_eq!(code(&result), refused());
    assert_eq!(
        hops(&result),
        [(&*url, "location-header", 302), (&*target, "hit", 0)]
    );
    assert!(message(&result).contains(&target), "{}", message(&result));
    assert_eq!(result.status, 0);
}

#[test]
fn several_locations_that_differ_are_a_protocol_error() {
    let server = Raw::start(|request| match request.target.as_str() {
        "/" => answer("302 Found", &["Location: /first", "location: /second"], ""),
        path => answer("200 OK", &[], path),
    });
    let result = fetch(Job::request(server.url("/")));
    assert_eq!(code(&result), "protocol-error");
}

/// As browsers do: what is said twice is said once.
#[test]
fn a_location_that_is_repeated_is_one() {
    for (one, other) in [("/end", "/end"), ("/%E9", "/%E9")] {
        let server = Raw::start(move |request| match request.target.as_str() {
            "/" => {
                let lines = [format!("Location: {one}"), format!("location:{other} ")];
                answer("302 Found", &lines.each_ref().map(String::as_str), "")
            }
            path => answer("200 OK", &[], path),
        });
        assert_eq!(text(&fetch(Job::request(server.url("/")))), one);
    }
    let server = Raw::start(|_| answer("302 Found", &["Location:", "Location: /b"], ""));
    let result = fetch(Job::request(server.url("/")));
    assert_eq!(code(&result), "protocol-error");
}

#[test]
fn a_location_of_a_query_alone_keeps_the_path() {
    let server = Raw::start(|request| match request.target.as_str() {
        "/a/b?x" => answer("302 Found", &["Location: ?y"], ""),
        target => answer("200 OK", &[], target),
    });
    assert_eq!(text(&fetch(Job::request(server.url("/a/b?x")))), "/a/b?y");
}
