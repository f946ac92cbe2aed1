//! Where pages lead on to, by other means than a `Location`: for request and resolve, in any mix.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::raw::{Raw, Request, answer};
use crate::support::*;
use rouet::{Job, JobResult, Options};

const HTML: &str = "Content-Type: text/html";

fn page(body: &str) -> Vec<u8> {
    answer("200 OK", &[HTML], body)
}

/// All that can be followed is.
fn all(options: &mut Options) {
    options.follow_meta_refresh = true;
    options.follow_js_relocation = true;
    options.infer_redirection = true;
    options.canonicalize = true;
}

/// A site whose pages lead from one to the next in every way there is.
fn mixed() -> Raw {
    Raw::start(|request| match &*request.target {
        "/1" => answer("302 Found", &["Location: /2"], "moved"),
        "/2" => answer("200 OK", &[HTML, "Refresh: 5; URL='/3?a=b&amp'"], "wait"),
        "/3?a=b&amp" => page("<meta http-equiv=Refresh content='0;url=/4'>"),
        "/4" => page("<script>if (top == self) { window.location.replace('\\/5') }</script>"),
        "/5" => page("<base href='/dir/'><meta http-equiv=refresh content='1; url=6?x=1&amp;y=2'>"),
        "/dir/6?x=1&y=2" => answer("308 Moved", &["Location: /out?url=%2F7"], ""),
        "/7" => page("<title>end</title><link rel='alternate canonical' href='/seven#top'>"),
        other => answer("404 Not Found", &[], other),
    })
}

/// URL without its origin, kind, status.
fn ways(result: &JobResult) -> Vec<(String, &'static str, u16)> {
    let path = |url: &str| format!("/{}", url.splitn(4, '/').nth(3).unwrap_or_default());
    hops(result)
        .into_iter()
        .map(|(url, kind, status)| (path(url), kind, status))
        .collect()
}

#[test]
fn all_ways_mix_along_one_chain() {
    let server = mixed();
    let expected = [
        ("/1", "location-header", 302),
        ("/2", "refresh-header", 200),
        ("/3?a=b&amp", "meta-refresh", 200),
        ("/4", "js-relocation", 200),
        ("/5", "meta-refresh", 200),
        ("/dir/6?x=1&y=2", "location-header", 308),
        ("/out?url=%2F7", "infer", 0),
        ("/7", "hit", 200),
        ("/seven#top", "canonical", 0),
    ]
    .map(|(url, kind, status)| (url.to_owned(), kind, status));
    for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
        let result = fetch(kind(server.url("/1")).options(options(all)));
        assert_ok(&result);
        assert_eq!(ways(&result), expected);
        assert_eq!(result.end_url(), Some(&*server.url("/seven#top")));
        assert_eq!(result.status, 200);
    }
    let result = fetch_with(server.url("/1"), all);
    assert!(text(&result).contains("<title>end"));
    assert!(
        fetch(Job::resolve(server.url("/1")).options(options(all)))
            .body
            .is_empty()
    );
}

#[test]
fn nothing_is_followed_that_was_not_asked_for() {
    let server = mixed();
    let ends = |path: &str, set: fn(&mut Options)| {
        let result = fetch_with(server.url(path), set);
        assert_ok(&result);
        ways(&result)
            .into_iter()
            .map(|(url, ..)| url)
            .collect::<Vec<_>>()
    };
    assert_eq!(ends("/1", |_| {}), ["/1", "/2", "/3?a=b&amp"]);
    assert_eq!(
        ends("/1", |o| o.follow_refresh_header = false),
        ["/1", "/2"]
    );
    assert_eq!(
        ends("/2", |o| o.follow_meta_refresh = true),
        ["/2", "/3?a=b&amp", "/4"]
    );
    assert_eq!(ends("/4", |o| o.follow_js_relocation = true), ["/4", "/5"]);
    assert_eq!(ends("/7", |o| o.canonicalize = true), ["/7", "/seven#top"]);
    assert_eq!(
        ends("/1", |o| {
            all(o);
            o.follow_redirects = false;
        }),
        ["/1"]
    );
}

#[test]
fn each_kind_of_loop_is_found() {
    let server = Raw::start(|request| match &*request.target {
        "/a" => answer("200 OK", &["Refresh: 0;url=/b"], ""),
        "/b" => page("<meta http-equiv=refresh content='0;url=/a#again'>"),
        "/js" => page("<script>location='/js2'</script>"),
        "/js2" => page("<script>location='/js'</script>"),
        path => {
            let number: u32 = path[1..].parse().unwrap_or(0);
            answer("200 OK", &[&format!("Refresh: 0;url=/{}", number + 1)], "")
        }
    });
    for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
        let fails = |path: &str, set: &dyn Fn(&mut Options)| {
            let result = fetch(kind(server.url(path)).options(options(|options| {
                all(options);
                set(options);
            })));
            (code(&result), result.stack.len())
        };
        // Pages that send their readers to each other are pages.
        assert_eq!(fails("/a", &|_| {}), ("ok", 2));
        assert_eq!(fails("/js", &|_| {}), ("ok", 2));
        let most = |options: &mut Options| options.max_redirects = Some(3);
        assert_eq!(fails("/1", &most), ("max-redirects", 4));
        assert_eq!(fails("/out?url=/a", &most), ("ok", 3));
    }
}

#[test]
fn a_page_that_refreshes_itself_is_the_end_of_the_way() {
    let server = Raw::start(|request| match &*request.target {
        "/header" => answer("200 OK", &[HTML, "Refresh: 60; url=/header"], "news"),
        "/header2" => answer("200 OK", &[HTML, "Refresh: 60"], "news"),
        "/meta" => page("<meta http-equiv=refresh content='60;url=#now'>news"),
        "/meta2" => page("<meta http-equiv=refresh content=60>news"),
        _ => page("<script>location='/script#x'</script>news"),
    });
    for path in ["/header", "/header2", "/meta", "/meta2", "/script"] {
        let result = fetch_with(server.url(path), all);
        assert!(text(&result).ends_with("news"), "{path}");
        assert_eq!(ways(&result), [(path.to_owned(), "hit", 200)]);
        let result = fetch(Job::resolve(server.url(path)).options(options(all)));
        assert_eq!(ways(&result), [(path.to_owned(), "hit", 200)]);
    }
}

/// As a browser shows them in turn: the last one that is new is the result, with its body.
#[test]
fn pages_that_refresh_each_other_are_pages() {
    let server = Raw::start(|request| {
        let leads = |way: &str, to: &str| match way {
            "header" => answer("200 OK", &[HTML, &format!("Refresh: 9;url={to}")], "news"),
            "meta" => page(&format!(
                "<meta http-equiv=refresh content='9;url={to}'>news"
            )),
            _ => answer("302 Found", &[&format!("Location: {to}")], ""),
        };
        let mut parts = request.target[1..].splitn(3, '/');
        let mut part = || parts.next().unwrap_or_default();
        // /1/WAY/BACK goes to /2/BACK/WAY, and that back again.
        let (number, way, back) = (part(), part(), part());
        let other = if number == "1" { "2" } else { "1" };
        leads(way, &format!("/{other}/{back}/{way}"))
    });
    for (way, back) in [
        ("header", "header"),
        ("header", "meta"),
        ("meta", "header"),
        ("meta", "meta"),
        ("location", "header"),
        ("location", "meta"),
    ] {
        for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
            let job = kind(server.url(&format!("/1/{way}/{back}")));
            let result = fetch(job.options(options(all)));
            assert_ok(&result);
            assert_eq!(result.stack.len(), 2, "{way}, {back}");
            let end = format!("/2/{back}/{way}");
            assert_eq!(result.end_url(), Some(&*server.url(&end)));
            let body = String::from_utf8_lossy(&result.body);
            let is_request = result.kind == rouet::Kind::Request;
            assert_eq!(body.ends_with("news"), is_request, "{way}, {back}: {body}");
        }
    }
    // A `Location` that leads back never ends.
    for way in ["header", "meta"] {
        let result = fetch_with(server.url(&format!("/1/{way}/location")), all);
        assert_eq!(code(&result), "infinite-redirects", "{way}");
    }
}

#[test]
fn error_pages_lead_nowhere_but_may_name_themselves() {
    let server = Raw::start(|_| {
        let body = "<meta http-equiv=refresh content='0;url=/x'><script>location='/y'</script>\
                    <link rel=canonical href=/z>";
        answer("404 Not Found", &[HTML, "Refresh: 0;url=/w"], body)
    });
    let result = fetch_with(server.url("/"), all);
    assert_eq!(
        ways(&result),
        [("/".into(), "hit", 404), ("/z".into(), "canonical", 0)]
    );
    assert!(text(&result).contains("canonical"));
}

#[test]
fn only_pages_of_html_are_looked_into() {
    for kind in ["text/plain", "image/png", "application/json"] {
        let header = format!("Content-Type: {kind}");
        let server = Raw::start(move |_| {
            answer(
                "200 OK",
                &[&header],
                "<meta http-equiv=refresh content='0;url=/x'>",
            )
        });
        let result = fetch_with(server.url("/"), all);
        assert_eq!(result.stack.len(), 1, "{kind}");
        assert!(!result.body.is_empty());
    }
    for headers in [&[][..], &["Content-Type: application/xhtml+xml"]] {
        let server = Raw::start(move |request| match &*request.target {
            "/" => answer(
                "200 OK",
                headers,
                "<meta http-equiv='refresh' content='0;url=/x'/>",
            ),
            _ => answer("200 OK", &[], ""),
        });
        assert_eq!(fetch_with(server.url("/"), all).stack.len(), 2);
    }
}

/// HTML Standard, "shared declarative refresh steps", and browsers without an app for the scheme.
#[test]
fn a_target_that_cannot_be_requested_is_none() {
    let server = Raw::start(|request| {
        let (way, target) = request.target[1..].split_once('?').unwrap_or_default();
        match way {
            "header" => answer(
                "200 OK",
                &[HTML, &format!("Refresh: 0;url={target}")],
                "here",
            ),
            "meta" => page(&format!(
                "<meta http-equiv=refresh content='0;url={target}'>here"
            )),
            "js" => page(&format!("<script>location='{target}'</script>here")),
            _ => page(&format!("<link rel=canonical href='{target}'>here")),
        }
    });
    for target in [
        "ftp://x/",
        "mailto:x@y",
        "market://details?id=a.b",
        "intent://a.example/#Intent;scheme=http;end",
        "itms-apps://itunes.example/app",
        "javascript:history.back()",
        "app://open",
        "http://",
        "http://a.example:99999/",
        "http://a..example/",
        "http://[::1/",
    ] {
        for way in ["header", "meta", "js", "canonical"] {
            let path = format!("/{way}?{target}");
            for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
                let result = fetch(kind(server.url(&path)).options(options(all)));
                assert_ok(&result);
                assert_eq!((result.stack.len(), result.status), (1, 200), "{path}");
                let body = String::from_utf8_lossy(&result.body);
                let is_request = result.kind == rouet::Kind::Request;
                assert_eq!(body.ends_with("here"), is_request, "{path}: {body}");
            }
        }
    }
}

/// No standard says how several are read: the first that leads somewhere.
#[test]
fn of_several_refresh_headers_the_first_that_leads_somewhere_counts() {
    let server = Raw::start(|request| match &*request.target {
        "/" => answer(
            "200 OK",
            &[
                "Refresh: 60",
                "Refresh: 0;url=market://x",
                "refresh: 0;url=/one",
                "Refresh: 0;url=/two",
            ],
            "",
        ),
        path => answer("200 OK", &[], path),
    });
    assert_eq!(text(&fetch_with(server.url("/"), all)), "/one");
    assert_eq!(
        fetch(Job::resolve(server.url("/"))).end_url(),
        Some(&*server.url("/one"))
    );
}

/// What comes behind a refresh that is none: in the page, and in a script that tries an app first and
/// has a page for those who lack it.
#[test]
fn behind_what_cannot_be_fetched_the_next_one_counts() {
    for target in [
        "market://details?id=x",
        "intent://x#Intent;end",
        "mailto:x@y",
        "javascript:go()",
    ] {
        let server = Raw::start(move |request| match &*request.target {
            "/meta" => page(&format!(
                "<meta http-equiv=refresh content='0;url={target}'>\
                 <meta http-equiv=refresh content='0;url=/next'>"
            )),
            "/js" => page(&format!(
                "<script>location='{target}'; setTimeout(() => {{ location='/next' }}, 9)</script>"
            )),
            _ => page("the next"),
        });
        for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
            for path in ["/meta", "/js"] {
                let result = fetch(kind(server.url(path)).options(options(all)));
                assert_ok(&result);
                assert_eq!(result.end_url(), Some(&*server.url("/next")), "{target}");
            }
        }
    }
}

#[test]
fn a_refresh_within_noscript_is_for_those_who_run_no_scripts() {
    const NOSCRIPT: &str =
        "<noscript><meta http-equiv=refresh content='0;url=/noscript'></noscript>";
    let own = "<meta http-equiv=refresh content='0;url=/own'>";
    let script = "<script>location='/js'</script>";
    let server = Raw::start(move |request| match &*request.target {
        "/alone" => page(&format!("{NOSCRIPT}content")),
        "/before" => page(&format!("{NOSCRIPT}{own}content")),
        "/script" => page(&format!("{script}{NOSCRIPT}content")),
        "/late" => page(&format!("{NOSCRIPT}{}{own}", " ".repeat(3000))),
        "/header" => answer("200 OK", &[HTML, "Refresh: 0;url=/own"], NOSCRIPT),
        "/unfit" => page(&format!(
            "<meta http-equiv=refresh content='0;url=market://x'>{NOSCRIPT}"
        )),
        "/xhtml" => answer(
            "200 OK",
            &["Content-Type: application/xhtml+xml"],
            "<html><head><title/><noscript><meta http-equiv='refresh' \
             content='0;url=/noscript'/></noscript></head></html>",
        ),
        _ => page("end"),
    });
    let meta: fn(&mut Options) = |options| options.follow_meta_refresh = true;
    let deep: fn(&mut Options) = |options| {
        options.follow_meta_refresh = true;
        options.canonicalize = true;
    };
    for (path, set, end) in [
        // Scripts are not followed, and there is nothing else.
        ("/alone", meta, "/noscript"),
        ("/alone", deep, "/noscript"),
        ("/script", meta, "/noscript"),
        ("/unfit", meta, "/noscript"),
        ("/xhtml", meta, "/noscript"),
        // Something else leads on.
        ("/before", meta, "/own"),
        ("/header", meta, "/own"),
        // Behind what is looked into for a refresh alone, and within.
        ("/late", meta, "/noscript"),
        ("/late", deep, "/own"),
        // Scripts are followed: it is not for us.
        ("/alone", all, "/alone"),
        ("/script", all, "/js"),
        ("/before", all, "/own"),
        ("/unfit", all, "/unfit"),
        ("/xhtml", all, "/xhtml"),
        ("/alone", |_| {}, "/alone"),
    ] {
        for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
            let result = fetch(kind(server.url(path)).options(options(set)));
            assert_ok(&result);
            assert_eq!(result.end_url(), Some(&*server.url(end)), "{path}");
        }
    }
}

/// The URL Standard's parser with an encoding: the query is in the page's, all else in UTF-8.
#[test]
fn what_leads_on_is_in_the_encoding_of_the_page() {
    const DECLARED: &str = "Content-Type: text/html; charset=windows-1251";
    // `ж` is E6 there.
    let bytes = |headers: &[&str], body: &str| {
        let (body, ..) = encoding_rs::WINDOWS_1251.encode(body);
        let mut page = answer("200 OK", headers, &" ".repeat(body.len()));
        let head = page.len() - body.len();
        page.truncate(head);
        [page, body.into_owned()].concat()
    };
    let server = Raw::start(move |request| match &*request.target {
        "/meta" => bytes(
            &[DECLARED],
            "<meta http-equiv=refresh content='0;url=/ж?q=ж&amp;r=%D0%B6'>",
        ),
        "/js" => bytes(&[DECLARED], "<script>location = '/?q=ж'</script>"),
        "/canonical" => bytes(&[DECLARED], "<link rel=canonical href='/?q=ж#ж'>"),
        "/base" => bytes(
            &[DECLARED],
            "<base href='/b?ж'><meta http-equiv=refresh content='0;url=#ж'>",
        ),
        "/known" => bytes(
            &[HTML],
            "<meta http-equiv=refresh content='0;url=/known?q=ж'>",
        ),
        "/declared" => bytes(
            &[HTML],
            "<meta charset=windows-1251><meta http-equiv=refresh content='0;url=/?q=ж日'>",
        ),
        "/links" => bytes(
            &[DECLARED],
            "<a href='/s?q=ж'>1</a><area href='//o.example/ж?ж#ж'><a href='/?q=日'>",
        ),
        // What no page can be asked for again and again.
        _ => page("end"),
    });
    for (path, end) in [
        ("/meta", "/%D0%B6?q=%E6&r=%D0%B6"),
        ("/js", "/?q=%E6"),
        ("/canonical", "/?q=%E6#%D0%B6"),
        ("/base", "/b?%E6#%D0%B6"),
    ] {
        for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
            let result = fetch(kind(server.url(path)).options(options(all)));
            assert_ok(&result);
            assert_eq!(result.end_url(), Some(&*server.url(end)), "{path}");
        }
    }
    // Declared by the page itself; what the encoding lacks is a character reference.
    let result = fetch_with(server.url("/declared"), all);
    let end = server.url("/?q=%E6%26%2326085%3B");
    assert_eq!(result.end_url(), Some(&*end));
    // As the caller knows it.
    let result = fetch_with(server.url("/known"), |options| {
        all(options);
        options.known_encoding = Some("windows-1251".into());
    });
    assert_eq!(result.end_url(), Some(&*server.url("/known?q=%E6")));
    let result = fetch_with(server.url("/links"), |_| {});
    assert_eq!(
        result.links(),
        [
            server.url("/s?q=%E6"),
            "http://o.example/%D0%B6?%E6#%D0%B6".into(),
            server.url("/?q=%26%2326085%3B"),
        ]
    );
}

/// XML 1.0, section 3.1: any element may be empty.
#[test]
fn pages_of_xml_are_read_by_its_rules() {
    const XHTML: &str = "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head>\
        <title/><script src='/s.js'/><style/><meta http-equiv='refresh' content='0;url=/next'/>\
        </head><body><a href='/1'/><iframe src='/x'/><a href='/2'>2</a></body></html>";
    for kind in [
        Some("application/xhtml+xml"),
        Some("application/xml"),
        Some("text/xml"),
        None,
        Some("text/html"),
    ] {
        let header = kind.map(|kind| format!("Content-Type: {kind}"));
        let server = Raw::start(move |request| match &*request.target {
            "/next" => page("end"),
            _ => answer("200 OK", header.as_deref().as_slice(), XHTML),
        });
        let result = fetch_with(server.url("/page.xml"), |_| {});
        assert!(result.is_html(), "{kind:?}");
        let links = match kind {
            // In HTML the title does not end.
            Some("text/html") => vec![],
            _ => vec![server.url("/1"), server.url("/2")],
        };
        assert_eq!(result.links(), links, "{kind:?}");
        let result = fetch_with(server.url("/"), all);
        let follows = matches!(kind, None | Some("application/xhtml+xml"));
        assert_eq!(result.stack.len(), 1 + usize::from(follows), "{kind:?}");
    }
}

/// MIME Sniffing Standard, section 7.1: what has no type is a page if it starts as one.
#[test]
fn what_has_no_type_leads_on_if_it_is_a_page() {
    let refresh = "<meta http-equiv=refresh content='0;url=/x'>";
    let pdf = format!("%PDF-1.7\n{refresh}");
    let json = format!("{{\"a\": \"{refresh}\"}}");
    let plain = format!("plain {refresh}");
    let notice = format!("Notice: Undefined index {refresh}");
    for (kind, body, hops) in [
        (None, refresh, 2),
        (Some("unknown/unknown"), refresh, 2),
        (None, &*pdf, 1),
        (None, &json, 1),
        (None, &plain, 1),
        (Some("text/html"), &plain, 2),
        (Some("text/html"), &notice, 2),
        (Some("text/html"), &json, 2),
    ] {
        let header = kind.map(|kind| format!("Content-Type: {kind}"));
        let body = body.to_owned();
        let server = Raw::start(move |request| match &*request.target {
            "/" => answer("200 OK", header.as_deref().as_slice(), &body),
            _ => page("end"),
        });
        for job in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
            let result = fetch(job(server.url("/")).options(options(all)));
            assert_eq!(result.stack.len(), hops, "{kind:?}");
        }
    }
}

#[test]
fn a_post_goes_on_as_get() {
    let server = Raw::start(|request| match &*request.target {
        "/" if request.method == "POST" => page("<meta http-equiv=refresh content='0;url=/'>"),
        _ => answer(
            "200 OK",
            &[],
            &format!("{} {}", request.method, request.body.len()),
        ),
    });
    let result = fetch_with(server.url("/"), |options| {
        all(options);
        options.method = Some("POST".into());
        options.body = Some((*b"form").into());
    });
    assert_eq!(text(&result), "GET 0");
    assert_eq!(result.stack.len(), 2);
}

#[test]
fn a_non_ascii_target_is_read_in_the_encoding_of_the_page() {
    let seen = |request: &Request| answer("200 OK", &[], &request.target);
    let body = b"<meta charset=iso-8859-1><meta http-equiv=refresh content='0;url=/caf\xe9'>";
    let server = Raw::start(move |request| match &*request.target {
        "/" => {
            let mut page = answer("200 OK", &[HTML, &format!("X: {}", body.len())], "");
            let head = String::from_utf8_lossy(&page).replace(
                "Content-Length: 0",
                &format!("Content-Length: {}", body.len()),
            );
            page = head.into_bytes();
            page.extend_from_slice(body);
            page
        }
        _ => seen(request),
    });
    assert_eq!(text(&fetch_with(server.url("/"), all)), "/caf%C3%A9");
}

/// A server that sends this and then more and more, until the client goes away; and how many
/// bytes it got rid of.
fn endless(start: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Some(request) = crate::support::raw::read_request(&mut stream) else {
                continue;
            };
            if request.target != "/" {
                let _ = stream.write_all(&answer("200 OK", &[HTML], "the end"));
                continue;
            }
            let head = format!("HTTP/1.1 200 OK\r\n{HTML}\r\n\r\n{start}");
            let mut piece = head.into_bytes();
            while stream.write_all(&piece).is_ok() {
                count.fetch_add(piece.len(), Ordering::SeqCst);
                piece = vec![b' '; 4096];
                // So that what the kernel's buffers hold is not taken for what was read.
                std::thread::sleep(ms(1));
            }
        }
    });
    (url, sent)
}

/// How an endless page starts, what it is in the stack, under which options, and how much of it may
/// be read.
type Case<'a> = (&'a str, &'static str, fn(&mut Options), usize);

#[test]
fn a_page_is_read_no_further_than_needed() {
    let refresh = "<meta http-equiv=refresh content='0;url=/x'>";
    let canonical = format!("{}<link rel=canonical href=/y>", " ".repeat(30 << 10));
    let cases: [Case<'_>; 5] = [
        // What is found, in the first KiB and beyond.
        (
            refresh,
            "meta-refresh",
            |o| o.follow_meta_refresh = true,
            64 << 10,
        ),
        (
            "<script>location='/x'</script>",
            "js-relocation",
            all,
            64 << 10,
        ),
        (&canonical, "hit", |o| o.canonicalize = true, 200 << 10),
        // What is not there.
        ("nothing", "hit", |o| o.follow_meta_refresh = true, 64 << 10),
        ("nothing", "hit", all, 250 << 10),
    ];
    for (start, kind, set, most) in cases {
        let (url, sent) = endless(start.into());
        let result = fetch(Job::resolve(url).options(options(set)));
        assert_ok(&result);
        assert_eq!(hops(&result)[0].1, kind, "{start:.30}");
        let sent = sent.load(Ordering::SeqCst);
        // isahc reads on a thread of its own, which goes on meanwhile.
        let most = by_engine(most, 8 * most);
        assert!(sent <= most, "{sent} bytes for {start:.30}");
    }
    // A request needs no more of a page that leads on, either.
    let (url, sent) = endless(refresh.into());
    let result = fetch_with(url, all);
    assert_eq!(text(&result), "the end");
    assert!(sent.load(Ordering::SeqCst) <= 64 << 10);
}

#[test]
fn the_limit_of_what_is_looked_at_is_to_the_byte() {
    let refresh = "<meta http-equiv=refresh content='0;url=/x'>";
    let link = "<link rel=canonical href=/y>";
    let server = Raw::start(move |request| match request.target.rsplit_once('/') {
        Some((what, before)) if before.parse::<usize>().is_ok() => {
            let before = " ".repeat(before.parse().unwrap_or(0));
            let found = if what == "/refresh" { refresh } else { link };
            page(&format!("{before}{found} and more"))
        }
        _ => page("end"),
    });
    let hops = |path: String, set: fn(&mut Options)| {
        [Job::request, Job::resolve].map(|kind: fn(String) -> Job| {
            let result = fetch(kind(server.url(&path)).options(options(set)));
            assert_ok(&result);
            result.stack.len()
        })
    };
    let (kib, deep) = (1024 - refresh.len(), (64 << 10) - link.len());
    assert_eq!(
        hops(format!("/refresh/{kib}"), |o| o.follow_meta_refresh = true),
        [2, 2]
    );
    let beyond = kib + 1;
    assert_eq!(
        hops(format!("/refresh/{beyond}"), |o| o.follow_meta_refresh =
            true),
        [1, 1]
    );
    assert_eq!(hops(format!("/refresh/{beyond}"), all), [2, 2]);
    assert_eq!(
        hops(format!("/link/{deep}"), |o| o.canonicalize = true),
        [2, 2]
    );
    assert_eq!(
        hops(format!("/link/{}", deep + 1), |o| o.canonicalize = true),
        [1, 1]
    );
}

#[test]
fn compressed_pages_are_looked_into_too() {
    let site = site();
    // The site compresses its pages where the client takes it; each links to others.
    for compressed in [true, false] {
        let result = fetch_with(site.url("/page/1"), |options| {
            all(options);
            options.compressed = compressed;
        });
        assert_ok(&result);
        assert!(result.is_html());
        let resolved = fetch(
            Job::resolve(site.url("/page/1")).options(options(|options| {
                all(options);
                options.compressed = compressed;
            })),
        );
        assert_eq!(hops(&resolved), hops(&result));
    }
    for corrupt in ["/gzip-corrupt", "/br-corrupt"] {
        let job = Job::resolve(site.url(corrupt));
        let result = fetch(job.options(options(|options| {
            all(options);
            options.compressed = true;
        })));
        // Its body is not what a resolve is for.
        assert_ok(&result);
        assert_eq!(result.stack.len(), 1);
    }
}

#[test]
fn a_connection_is_kept_when_the_page_came_whole() {
    let site = site();
    let pool = pool_of(ms(0), 1, 1, 1);
    let stream = stream_of(&pool, |config| {
        config.options = options(|options| options.follow_meta_refresh = true);
    });
    let refresh = "<meta http-equiv=refresh content='0;url=/text'>";
    let quoted: String = refresh.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let path = format!("/status/200?header=Content-Type:text/html&body={quoted}");
    let results = run(&stream, (0..5).map(|_| Job::request(site.url(&path))));
    assert!(results.iter().all(|result| result.stack.len() == 2));
    assert_eq!(site.connections(), 1);
}

#[test]
fn an_inferred_target_is_asked_without_its_detour() {
    let site = site();
    let target = site.url("/text");
    let quoted: String = target.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for start in [
        format!("http://nobody.invalid/redirect?x=1&url={quoted}"),
        format!("https://l.facebook.com/l.php?u={quoted}&h=abc"),
    ] {
        for kind in [Job::request, Job::resolve] as [fn(String) -> Job; 2] {
            let infer = options(|options| options.infer_redirection = true);
            let result = fetch(kind(start.clone()).options(infer));
            assert_ok(&result);
            assert_eq!(
                hops(&result),
                [(&*start, "infer", 0), (&*target, "hit", 200)]
            );
        }
    }
    assert_eq!(site.log().len(), 4);
}

#[test]
fn the_site_that_is_asked_is_the_one_that_is_spared() {
    let site = site();
    let infer = |pool: &rouet::Pool| {
        stream_of(pool, |config| {
            config.options = options(|options| {
                options.infer_redirection = true;
                options.connect_to = all_to(site.port());
            });
        })
    };
    // By many ways to one site.
    let jobs = (0..5).map(|n| {
        Job::request(format!(
            "http://way{n}.com/?url=http%3A%2F%2Fone.com%2Ftext"
        ))
    });
    let results = run(&infer(&pool(ms(60), 1)), jobs);
    assert!(results.iter().all(|result| result.status == 200));
    assert_eq!(site.log().len(), 5);
    assert!(gaps(&site.log()).iter().all(|gap| *gap >= ms(60)));
    // By one way to many, none of which waits for another.
    let jobs =
        (0..5).map(|n| Job::request(format!("http://way.com/?u=http%3A%2F%2Fsite{n}.com%2Ftext")));
    let hour = std::time::Duration::from_secs(3600);
    assert_eq!(run(&infer(&pool(hour, 1)), jobs).len(), 5);
}

#[test]
fn credentials_do_not_follow_what_a_page_says_to_another_origin() {
    let other = site();
    let echo = other.url("/echo");
    let server = Raw::start(move |request| match &*request.target {
        "/header" => answer("200 OK", &[&format!("Refresh: 0;url={echo}")], ""),
        "/meta" => page(&format!("<meta http-equiv=refresh content='0;url={echo}'>")),
        "/js" => page(&format!("<script>location='{echo}'</script>")),
        _ => page(""),
    });
    let echoed: String = other
        .url("/echo")
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    for path in ["/header", "/meta", "/js", &format!("/infer?url={echoed}")] {
        let result = fetch_with(server.url(path), |options| {
            all(options);
            options.cookie = Some("secret=1".into());
            options.headers = vec![("Authorization".into(), "secret".into())];
        });
        let seen = text(&result);
        assert!(seen.contains("\"method\""), "{path}: {seen}");
        assert!(!seen.contains("secret"), "{path}: {seen}");
    }
}

/// A server that answers one request a connection and says nothing of closing it.
fn closing(answer: impl Fn(&Request) -> String + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if let Some(request) = crate::support::raw::read_request(&mut stream) {
                asked.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(answer(&request).as_bytes());
            }
        }
    });
    (url, count)
}

#[test]
fn a_way_within_a_host_that_closes_unannounced_is_gone_once() {
    let (url, asked) = closing(|request| match &*request.target {
        "/a" => "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n".into(),
        "/b" => "HTTP/1.1 200 OK\r\nRefresh: 0;url=/c\r\nContent-Length: 0\r\n\r\n".into(),
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend".into(),
    });
    let stream = stream_of(&pool_of(ms(0), 1, 1, 1), |_| {});
    let results = run(&stream, (0..8).map(|_| Job::request(format!("{url}/a"))));
    for result in &results {
        assert_eq!(text(result), "end");
        assert_eq!((result.stack.len(), result.attempts), (3, 1));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 24);
}

#[test]
fn a_redirection_is_not_held_up_by_a_body_that_does_not_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let Some(request) = crate::support::raw::read_request(&mut stream) else {
                continue;
            };
            let answer: &[u8] = match &*request.target {
                "/a" => b"HTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\nand so on",
                _ => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend",
            };
            let _ = stream.write_all(answer);
            open.push(stream);
        }
    });
    let result = fetch_with(url, |options| {
        options.timeout = std::time::Duration::from_secs(3600)
    });
    assert_eq!(text(&result), "end");
}

#[test]
fn a_redirection_whose_body_trickles_is_followed_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let request = crate::support::raw::read_request(&mut stream).expect("a request");
                let head = "HTTP/1.1 301 Moved\r\nLocation: /b\r\nContent-Length: 50000\r\n\r\n";
                let mut piece: &[u8] = match &*request.target {
                    "/a" => head.as_bytes(),
                    _ => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend",
                };
                while stream.write_all(piece).is_ok() && request.target == "/a" {
                    piece = b"x";
                    std::thread::sleep(ms(50));
                }
            });
        }
    });
    let result = fetch_with(url, |options| {
        options.timeout = std::time::Duration::from_secs(600)
    });
    assert_eq!(text(&result), "end");
}

#[test]
fn a_little_that_unfolds_to_much_is_read_no_further_than_needed() {
    let fast = flate2::Compression::fast();
    let once = flate2::write::GzEncoder::new(Vec::new(), fast);
    let mut encoder = flate2::write::GzEncoder::new(once, fast);
    encoder.write_all(b"<link rel=canonical href=/y>").unwrap();
    for _ in 0..300 {
        encoder.write_all(&[b' '; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap().finish().unwrap();
    assert!(bomb.len() < 64 << 10);
    let server = Raw::start(move |_| {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{HTML}\r\nContent-Encoding: gzip, gzip\r\nContent-Length: {}\r\n\r\n",
            bomb.len()
        );
        [head.as_bytes(), &bomb].concat()
    });
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    let before = peak();
    for set in [all as fn(&mut Options), |o| o.follow_js_relocation = true] {
        let result = fetch(Job::resolve(server.url("/")).options(options(|options| {
            set(options);
            options.compressed = true;
        })));
        assert_ok(&result);
        let found = hops(&result).last().unwrap().1;
        assert!(["canonical", "hit"].contains(&found));
    }
    assert!(peak() - before < 150 << 10, "{} KiB more", peak() - before);
}

#[test]
fn a_guess_that_leads_back_is_none() {
    let server = Raw::start(|request| match &*request.target {
        "/page" => answer("302 Found", &["Location: /login?next=/page"], ""),
        "/m" => page("<script>if (!mobile) location = '/d'</script>mobile"),
        "/d" => page("<script>if (mobile) location = '/m'</script>desktop"),
        _ => page("log in"),
    });
    let result = fetch_with(server.url("/page"), all);
    assert_eq!(text(&result), "log in");
    assert_eq!(
        ways(&result),
        [
            ("/page".into(), "location-header", 302),
            ("/login?next=/page".into(), "hit", 200)
        ]
    );
    let result = fetch_with(server.url("/m"), all);
    assert!(text(&result).ends_with("desktop"));
    assert_eq!(
        ways(&result),
        [
            ("/m".into(), "js-relocation", 200),
            ("/d".into(), "hit", 200)
        ]
    );
}

#[test]
fn a_script_is_not_believed_where_our_look_cuts_it_off() {
    let script = "<script>location='/en";
    let before = " ".repeat(1024 - script.len() - 1);
    let server = Raw::start(move |request| match &*request.target {
        "/" => page(&format!(
            "{before}{script}'+window.language+'/'</script>{}",
            " ".repeat(9000)
        )),
        _ => page("no"),
    });
    let result = fetch_with(server.url("/"), all);
    assert_eq!(ways(&result), [("/".into(), "hit", 200)]);
}

#[test]
fn links_are_relative_to_the_page_that_was_asked() {
    let server = Raw::start(|_| {
        page("<link rel=canonical href='http://www.other.example/deep/'><a href=x.html>x</a>")
    });
    let result = fetch_with(server.url("/dir/"), all);
    assert_eq!(result.end_url(), Some("http://www.other.example/deep/"));
    assert_eq!(result.links(), [server.url("/dir/x.html")]);
}

#[test]
fn a_stateful_page_that_refreshes_itself_with_ever_new_cookies_is_the_end() {
    let count = AtomicUsize::new(0);
    let server = Raw::start(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let cookie = format!("Set-Cookie: seen={number}");
        answer("200 OK", &[HTML, "Refresh: 300; url=/", &cookie], "news")
    });
    let result = fetch_with(server.url("/"), |options| options.stateful = true);
    assert_eq!(text(&result), "news");
    assert_eq!(result.stack.len(), 2);
}

#[test]
fn stateful_pages_that_refresh_each_other_with_ever_new_cookies_are_the_end() {
    let count = AtomicUsize::new(0);
    let server = Raw::start(move |request| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let cookie = format!("Set-Cookie: seen={number}; Path=/");
        let to = if request.target == "/" { "/b" } else { "/" };
        answer(
            "200 OK",
            &[HTML, &format!("Refresh: 300; url={to}"), &cookie],
            "news",
        )
    });
    let result = fetch_with(server.url("/"), |options| options.stateful = true);
    assert_eq!(text(&result), "news");
    assert_eq!(result.stack.len(), 3);
}
