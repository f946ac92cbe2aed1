//! What is the second engine's own: what it can't do it says, and what it does by itself.
#![cfg(feature = "isahc")]

mod support;

use std::time::Instant;

use rouet::{Job, Options};
use rouet_site::known_text;
use socket2::{Domain, SockAddr, Socket, Type};
use support::proxy::{Admit, Proxy};
use support::raw::Raw;
use support::*;

#[test]
fn what_it_cannot_do_is_an_error_that_says_so() {
    let site = secure_site();
    let (plain, secure) = (site.url("/text"), site.https_url("/text").unwrap());
    type Set = fn(&mut Options);
    let cases: [(&str, &str, Set); 6] = [
        (&plain, "TLS to a proxy", |o| {
            o.proxy = Some("https://127.0.0.1:1".into())
        }),
        (&plain, "proxy's address from dns", |o| {
            o.proxy = Some("http://proxy.test:8080".into());
            o.dns = vec!["proxy.test:8080:127.0.0.1".into()];
        }),
        (&plain, "connect_to a name", |o| {
            o.proxy = Some("http://127.0.0.1:1".into());
            o.connect_to = vec!["::elsewhere.test:80".into()];
        }),
        (&plain, "not plain ASCII", |o| o.cookie = Some("a=é".into())),
        (&plain, "not plain ASCII", |o| {
            o.headers = vec![("X-Bell".into(), "é".into())];
        }),
        (&secure, "ciphers of TLS 1.3", |o| {
            o.spoof_tls_ciphers = true
        }),
    ];
    for (url, expected, set) in cases {
        let result = fetch_with(url, set);
        assert_eq!(code(&result), "internal-error", "{}", message(&result));
        let start = format!("{url}: the isahc engine can't ");
        assert!(message(&result).starts_with(&start), "{}", message(&result));
        assert!(message(&result).contains(expected), "{}", message(&result));
    }
    assert!(site.log().is_empty());
    let plain = fetch_with(plain, |options| options.spoof_tls_ciphers = true);
    assert_eq!(text(&plain), known_text());
}

#[test]
fn a_url_longer_than_it_reads_is_invalid() {
    let result = fetch(Job::request(
        site().url(&format!("/{}", "x".repeat(70_000))),
    ));
    assert_eq!(code(&result), "invalid-url");
    assert!(message(&result).contains("the isahc engine can't read"));
}

#[test]
fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    // Its queue of connections to be accepted being full, the system drops what comes.
    let site = site();
    let port = site.port();
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let address: std::net::SocketAddr = format!("127.0.0.9:{port}").parse().unwrap();
    deaf.bind(&SockAddr::from(address)).unwrap();
    deaf.listen(0).unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, ms(200)) {
        filling.push(stream);
    }
    let asked = |addresses: &str| {
        fetch_with(format!("http://a.test:{port}/text"), |options| {
            options.dns = vec![format!("a.test:{port}:{addresses}")];
            options.connect_timeout = ms(400);
        })
    };
    let began = Instant::now();
    assert_eq!(text(&asked("127.0.0.9,127.0.0.1")), known_text());
    assert!(began.elapsed() >= ms(200), "{:?}", began.elapsed());
    assert_eq!(code(&asked("127.0.0.9")), "connect-timeout");
}

#[test]
fn a_proxy_is_led_to_an_address() {
    let (site, proxy) = (site(), Proxy::http(Admit::All));
    let result = fetch_with("http://a.test/text", |options| {
        options.proxy = Some(proxy.url("http"));
        options.connect_to = all_to(site.port());
    });
    assert_eq!(text(&result), known_text());
    assert_eq!(
        proxy.asked(),
        [format!("CONNECT 127.0.0.1:{}", site.port())]
    );
}

#[test]
fn a_line_that_is_no_header_is_a_protocol_error() {
    let server = Raw::start(|_| b"HTTP/1.1 200 OK\r\nB ad: 1\r\n\r\nbody".to_vec());
    let result = fetch(Job::request(server.url("/")));
    assert_eq!(code(&result), "protocol-error", "{}", message(&result));
}

#[test]
fn requests_that_must_not_be_sent_twice_share_no_connection() {
    for (method, connections) in [("POST", 4), ("PUT", 1)] {
        let site = site();
        let stream = stream_of(&pool(ms(0), 1), |config| {
            config.options = options(|options| options.method = Some(method.into()));
        });
        let results = run(&stream, (0..4).map(|_| Job::request(site.url("/echo"))));
        results.iter().for_each(assert_ok);
        assert_eq!(site.connections(), connections, "{method}");
    }
}
