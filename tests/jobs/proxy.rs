//! Through proxies.

use std::process::Command;

use crate::support::proxy::{Admit, Proxy};
use crate::support::*;
use rouet::{Job, JobResult, Options};
use rouet_site::{Site, known_text};

/// By address, as curl would try ::1 as well for `localhost`.
fn secure_url(site: &Site) -> String {
    format!("https://127.0.0.1:{}/text", site.https_port().unwrap())
}

fn through(site: &Site, proxy: String, url: String) -> JobResult {
    fetch_with(url, |options| {
        options.proxy = Some(proxy);
        options.ca_file = site.ca_file().map(Into::into);
    })
}

/// The URLs of the known text, plain and over TLS.
fn urls(site: &Site) -> [String; 2] {
    [site.url("/text"), secure_url(site)]
}

#[test]
fn an_http_proxy_is_asked_for_the_url_or_for_a_tunnel() {
    let site = secure_site();
    let proxy = Proxy::http(Admit::All);
    for url in urls(&site) {
        assert_eq!(text(&through(&site, proxy.url("http"), url)), known_text());
    }
    let secure = site.https_port().unwrap();
    assert_eq!(
        proxy.asked(),
        [
            format!("GET {}", site.url("/text")),
            format!("CONNECT 127.0.0.1:{secure}"),
        ]
    );
}

#[test]
fn a_socks_proxy_is_asked_for_a_connection() {
    let site = secure_site();
    for scheme in ["socks5", "socks5h"] {
        let proxy = Proxy::socks5(Admit::All);
        for url in urls(&site) {
            assert_eq!(text(&through(&site, proxy.url(scheme), url)), known_text());
        }
        assert_eq!(proxy.asked().len(), 2);
        assert_eq!(proxy.asked()[0], format!("127.0.0.1:{}", site.port()));
    }
}

#[test]
fn proxy_authorization_among_the_headers_is_for_the_proxy_alone() {
    // RFC 9110, section 11.7.2: it is for the next proxy inbound; a server has no use for it.
    let site = secure_site();
    let basic = "Basic c3Bpbm5lcjp3aDplZWw=";
    let secure = |path: &str| {
        let port = site.https_port().expect("https");
        format!("https://127.0.0.1:{port}{path}")
    };
    let ask = |url: String, proxy: Option<String>| {
        fetch_with(url, |options| {
            options.headers = vec![
                ("proxy-authorization".into(), basic.into()),
                ("X-Other".into(), "stays".into()),
            ];
            options.proxy = proxy;
            options.ca_file = site.ca_file().map(Into::into);
        })
    };
    let known = Proxy::http(Admit::Known);
    let open = Proxy::socks5(Admit::All);
    let cases = [
        (site.url("/echo"), None),
        (secure("/echo"), None),
        (site.url("/echo"), Some(open.url("socks5"))),
        (site.url("/echo"), Some(known.url("http"))),
    ];
    for (url, proxy) in cases {
        let said = text(&ask(url.clone(), proxy.clone())).to_ascii_lowercase();
        assert!(
            !said.contains("proxy-authorization"),
            "{url}, {proxy:?}: {said}"
        );
        assert!(said.contains("x-other"), "{url}, {proxy:?}: {said}");
    }
    // Without the header the proxy would refuse.
    let tunnelled = ask(secure("/echo"), Some(known.url("http")));
    match cfg!(feature = "isahc") {
        true => assert_eq!(code(&tunnelled), "internal-error"),
        false => {
            let said = text(&tunnelled).to_ascii_lowercase();
            assert!(!said.contains("proxy-authorization"), "{said}");
            assert!(said.contains("x-other"), "{said}");
            // It goes to the proxy on each hop, also where the origin changes.
            let there = site.url(&format!("/redirect-to?url={}", secure("/echo")));
            let result = ask(there, Some(known.url("http")));
            assert_ok(&result);
        }
    }
}

#[test]
fn the_credentials_of_a_proxy_are_shown_to_it() {
    let site = secure_site();
    for (proxy, scheme) in [
        (Proxy::http(Admit::Known), "http"),
        (Proxy::socks5(Admit::Known), "socks5"),
    ] {
        for url in urls(&site) {
            let result = through(&site, proxy.url_with_credentials(scheme), url);
            assert_eq!(text(&result), known_text(), "{scheme}");
        }
    }
}

#[test]
fn the_credentials_of_a_proxy_are_not_shown_to_the_server() {
    let (faults, proxy) = (faults(), Proxy::http(Admit::Known));
    let head = text(&fetch_with(faults.url("/head"), |options| {
        options.proxy = Some(proxy.url_with_credentials("http"));
    }));
    assert!(head.contains("Via: 1.1 test"), "{head}");
    let secure = secure_site();
    let echo = through(
        &secure,
        proxy.url_with_credentials("http"),
        secure.https_url("/echo").unwrap(),
    );
    assert!(
        !text(&echo).contains("proxy-authorization"),
        "{}",
        text(&echo)
    );
}

#[test]
fn a_proxy_that_refuses_a_tunnel_is_at_fault() {
    let site = secure_site();
    for (proxy, scheme) in [
        (Proxy::http(Admit::Nobody), "http"),
        (Proxy::http(Admit::Known), "http"),
        (Proxy::socks5(Admit::Nobody), "socks5"),
        (Proxy::socks5(Admit::Known), "socks5"),
    ] {
        let url = secure_url(&site);
        let result = through(&site, proxy.url(scheme), url.clone());
        assert_eq!(
            code(&result),
            "proxy-error",
            "{scheme}: {}",
            message(&result)
        );
        assert!(message(&result).contains(&url), "{}", message(&result));
        assert_eq!((result.status, result.body.len()), (0, 0));
    }
    assert!(site.log().is_empty());
}

#[test]
fn a_socks_proxy_that_refuses_is_at_fault_for_http_too() {
    let site = site();
    for admit in [Admit::Nobody, Admit::Known] {
        let proxy = Proxy::socks5(admit);
        let result = through(&site, proxy.url("socks5"), site.url("/text"));
        assert_eq!(code(&result), "proxy-error", "{}", message(&result));
    }
    let proxy = Proxy::socks5(Admit::Known);
    let wrong = proxy.url("socks5").replace("//", "//someone:else@");
    let result = through(&site, wrong, site.url("/text"));
    assert_eq!(code(&result), "proxy-error", "{}", message(&result));
}

#[test]
fn a_proxy_that_asks_for_credentials_is_at_fault_for_http_too() {
    // 407 comes from proxies only (RFC 9110, section 15.5.8).
    let (site, proxy) = (site(), Proxy::http(Admit::Known));
    let result = through(&site, proxy.url("http"), site.url("/text"));
    assert_eq!(code(&result), "proxy-error");
}

#[test]
fn another_refusal_of_an_http_proxy_is_an_answer() {
    // Nothing tells it from the server's own.
    let (site, proxy) = (site(), Proxy::http(Admit::Nobody));
    let result = through(&site, proxy.url("http"), site.url("/text"));
    assert_eq!((text(&result).as_str(), result.status), ("no\n", 403));
}

#[test]
fn a_server_that_the_proxy_cannot_reach_is_the_proxys_word() {
    let site = secure_site();
    for (proxy, scheme) in [
        (Proxy::http(Admit::All), "http"),
        (Proxy::socks5(Admit::All), "socks5"),
    ] {
        let url = format!("https://127.0.0.1:{}/", closed_port());
        let result = through(&site, proxy.url(scheme), url);
        assert_eq!(
            code(&result),
            "proxy-error",
            "{scheme}: {}",
            message(&result)
        );
    }
}

#[test]
fn the_headers_of_a_proxys_tunnel_are_not_the_answers() {
    let (site, proxy) = (secure_site(), Proxy::http(Admit::All));
    let result = through(&site, proxy.url("http"), secure_url(&site));
    assert_ok(&result);
    assert_eq!(result.headers.get("x-proxy"), None);
}

#[test]
fn the_proxy_looks_names_up() {
    let (site, proxy) = (site(), Proxy::socks5(Admit::All));
    let pool = hasty_pool();
    let stream = stream(&pool);
    let url = format!("http://localhost:{}/text", site.port());
    let set = |options: &mut Options| options.proxy = Some(proxy.url("socks5h"));
    submit(&stream, Job::request(url).options(options(set)));
    assert_eq!(text(&take(&stream)), known_text());
    assert_eq!(proxy.asked(), [format!("localhost:{}", site.port())]);
    assert_eq!(pool.stats().name_lookups, 0);
}

#[test]
fn redirections_go_through_the_proxy_too() {
    let (site, proxy) = (site(), Proxy::http(Admit::All));
    assert_ok(&through(&site, proxy.url("http"), site.url("/redirect/2")));
    assert_eq!(proxy.asked().len(), 3);
}

#[test]
fn a_connection_is_direct_when_no_proxy_is_given() {
    let site = secure_site();
    for url in urls(&site) {
        let result = fetch_with(url, |options| {
            options.ca_file = site.ca_file().map(Into::into);
        });
        assert_eq!(text(&result), known_text());
    }
}

#[test]
fn the_proxies_of_the_environment_are_not_looked_at() {
    // The test above again, in a process of its own.
    let nobody = format!("http://127.0.0.1:{}", closed_port());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("a_connection_is_direct_when_no_proxy_is_given");
    for name in [
        "http_proxy",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        command.env(name, &nobody);
    }
    let output = command
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(" 1 passed"), "{said}");
}

#[test]
fn the_exceptions_of_the_environment_are_not_looked_at() {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("an_http_proxy_is_asked_for_the_url_or_for_a_tunnel")
        .envs([("no_proxy", "127.0.0.1"), ("NO_PROXY", "*")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(" 1 passed"), "{said}");
}
