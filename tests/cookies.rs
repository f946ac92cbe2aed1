//! Cookies along the chain of a stateful job.

mod support;

use rouet::{Job, JobResult, Options};
use rouet_site::Site;
use support::raw::{Raw, answer};
use support::*;

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
