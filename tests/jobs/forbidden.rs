//! Where a pool may not connect to, it does not, by whatever name, form or way.
//!
//! Each test has a network of its own in which every address there is leads to this machine: what
//! the library would connect to if it were let to, a server here would see.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::dns::{Answer, Dns};
use crate::support::proxy::{Admit, Proxy};
use crate::support::raw::{Raw, Request, answer};
use crate::support::*;
use rouet::{Job, JobResult, Options, Pool, PoolConfig};

const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 34);
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const FORBIDDEN: &str = "forbidden-address";

/// Whoever asked at the port of the web.
struct Web {
    /// The address each connection was made to, and what was asked for there.
    seen: Arc<Mutex<Vec<(IpAddr, String)>>>,
    names: Dns,
}

impl Web {
    /// A web on every address of the test's own network, and a name server.
    fn start() -> Self {
        own::ip("route add local 0.0.0.0/0 dev lo");
        own::ip("-6 route add local ::/0 dev lo");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        Raw::on("[::]:80", move |request| {
            let local = request.local.ip().to_canonical();
            log.lock().unwrap().push((local, request.target.clone()));
            page(request)
        });
        Self {
            seen,
            names: Dns::start(names()),
        }
    }

    /// The addresses that were connected to since the last time.
    fn visited(&self) -> Vec<IpAddr> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.into_iter().map(|(address, _)| address).collect()
    }
}

/// `/KIND/TARGET` leads to the target, which is percent-encoded; all else is a page.
fn page(request: &Request) -> Vec<u8> {
    let mut parts = request.target.splitn(3, '/').skip(1);
    let (kind, target) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let target = decoded(target);
    let html = |body: String| answer("200 OK", &["Content-Type: text/html"], &body);
    match kind {
        "301" | "302" | "303" | "307" | "308" => answer(
            &format!("{kind} Moved"),
            &[&format!("Location: {target}")],
            "",
        ),
        "refresh" => answer("200 OK", &[&format!("Refresh: 0; url={target}")], ""),
        "meta" => html(format!(
            "<meta http-equiv=\"refresh\" content=\"0; url={target}\">"
        )),
        "js" => html(format!("<script>location = \"{target}\"</script>")),
        "canonical" => html(format!("<link rel=\"canonical\" href=\"{target}\">")),
        _ => answer("200 OK", &[], "a page"),
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// What the name server says: the names of `TABLE`, and one that changes its mind.
fn names() -> impl FnMut(&str) -> Answer + Send {
    const V6: fn([u16; 8]) -> IpAddr =
        |[a, b, c, d, e, f, g, h]| IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h));
    let one = |address: IpAddr| Answer::Addresses(Vec::leak(vec![address]));
    let mut asked = 0;
    move |name| match name {
        "public.test" => Answer::Address(PUBLIC),
        "public6.test" => one(V6([0x2606, 0x2800, 0x220, 1, 0, 0, 0, 1])),
        "nat64-public.test" => one(V6([0x64, 0xff9b, 0, 0, 0, 0, 0x5db8, 0xd822])),
        "private.test" | "a.b.private.test" => Answer::Address(PRIVATE),
        "loopback.test" | "127.0.0.1.nip.test" | "localhost.test" => {
            Answer::Address(Ipv4Addr::LOCALHOST)
        }
        "zero.test" => Answer::Address(Ipv4Addr::UNSPECIFIED),
        "metadata.test" => Answer::Address(Ipv4Addr::new(169, 254, 169, 254)),
        "shared.test" => Answer::Address(Ipv4Addr::new(100, 64, 0, 1)),
        "loopback6.test" => one(V6([0, 0, 0, 0, 0, 0, 0, 1])),
        "mapped.test" => one(V6([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1])),
        "nat64.test" => one(V6([0x64, 0xff9b, 0, 0, 0, 0, 0x7f00, 1])),
        "6to4.test" => one(V6([0x2002, 0x7f00, 1, 0, 0, 0, 0, 0])),
        "unique-local.test" => one(V6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254])),
        "alias.test" => Answer::Alias("inner.private.test", PRIVATE),
        "all-private.test" => Answer::Addresses(Vec::leak(vec![
            PRIVATE.into(),
            Ipv4Addr::LOCALHOST.into(),
            V6([0, 0, 0, 0, 0, 0, 0, 1]),
        ])),
        "mixed.test" => Answer::Addresses(Vec::leak(vec![
            PRIVATE.into(),
            V6([0, 0, 0, 0, 0, 0, 0, 1]),
            PUBLIC.into(),
        ])),
        "rebinding.test" => {
            // A look-up asks twice, for IPv4 and for IPv6.
            asked += 1;
            Answer::Address(if asked <= 2 { PUBLIC } else { PRIVATE })
        }
        _ => Answer::NoSuchName,
    }
}

fn limited(set: impl FnOnce(&mut PoolConfig)) -> Pool {
    let mut config = PoolConfig::default()
        .max_workers(64)
        .threads(2)
        .rule(rule(ms(0), 64));
    set(&mut config);
    Pool::new(config).expect("a pool")
}

fn guarded() -> Pool {
    limited(|config| config.deny_private_addresses = true)
}

/// Does a job on a pool.
fn on(pool: &Pool, url: impl Into<Arc<str>>, set: impl FnOnce(&mut Options)) -> JobResult {
    let stream = stream(pool);
    submit(&stream, Job::request(url).options(options(set)));
    take(&stream)
}

/// Forms that lead to an address that is no public server's.
const TABLE: &[&str] = &[
    // Plain.
    "http://127.0.0.1/",
    "http://127.0.0.1:80/",
    "127.0.0.1",
    "127.0.0.1:80/x",
    "//127.0.0.1/",
    "http:127.0.0.1/",
    "http:/127.0.0.1/",
    "http:///127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "HTTP://127.0.0.1/",
    " \t http://127.0.0.1/ \n",
    "http://127.127.127.127/",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://10.0.0.5/",
    "http://10.255.255.255/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://169.254.169.254/latest/meta-data/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.0.0.192/opc/v1/instance/",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://192.168.0.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    // One number, or fewer than four; decimal, octal, hexadecimal, and all of them at once.
    "http://2130706433/",
    "2130706433",
    "http://3232235521/",
    "http://2852039166/",
    "http://167772165/",
    "http://0/",
    "http://00/",
    "http://0x0/",
    "http://127.1/",
    "http://127.0.1/",
    "http://10.5/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://0177.0.0.1/",
    "http://0177.1/",
    "http://017700000001/",
    "http://00000177.0.0.1/",
    "http://0251.0376.0251.0376/",
    "http://0251.254.169.254/",
    "http://127.000.000.001/",
    "http://0x7f000001/",
    "http://0x7F000001/",
    "http://0X7f.1/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.0.0.1/",
    "http://0x00000007f.1/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0xa9.254.0251.0376/",
    "http://0300.0250.0.1/",
    // With a dot behind.
    "http://127.0.0.1./",
    "http://2130706433./",
    "http://0x7f.1./",
    // Encoded, and characters that come to others.
    "http://%31%32%37.0.0.1/",
    "http://127%2e0%2e0%2e1/",
    "http://%30x7f%30%30%30%30%301/",
    "http://１２７．０．０．１/",
    "http://127。0。0。1/",
    "http://127｡0｡0｡1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/",
    "http://127.0.0.1\u{ad}/",
    "http://12\u{200b}7.0.0.1/",
    "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/",
    "http://０ｘ７ｆ.1/",
    // With somebody else's name before, behind or within.
    "http://public.test@127.0.0.1/",
    "http://public.test:80@127.0.0.1/",
    "http://public.test%40@127.0.0.1/",
    "http://public.test%2f@127.0.0.1/",
    "http://a:b@public.test@127.0.0.1/",
    "http://127.0.0.1#@public.test/",
    "http://127.0.0.1?@public.test/",
    "http://127.0.0.1\\@public.test/",
    "http://127.0.0.1/public.test",
    "http://127.0.0.1:80\\@public.test:80/",
    // IPv6.
    "http://[::1]/",
    "http://[::1]:80/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "http://[::0001]/",
    "http://[::]/",
    "http://[0::0]/",
    "http://[::0.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[::FFFF:7F00:0001]/",
    "http://[::ffff:0.0.0.0]/",
    "http://[::ffff:10.0.0.5]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::10.0.0.5]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:7f00:1::1]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[2001:0:5db8:d822::80ff:fffe]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[100::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fd20:ce::254]/",
    "http://[fec0::1]/",
    "http://[5f00::1]/",
    "http://[4000::1]/",
    "http://public.test@[::1]/",
    // Names.
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost:80/",
    "http://www.localhost/",
    "http://%6c%6f%63%61%6c%68%6f%73%74/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://public.test@localhost/",
    "http://loopback.test/",
    "http://loopback.test./",
    "http://LoopBack.TEST/",
    "http://localhost.test/",
    "http://127.0.0.1.nip.test/",
    "http://private.test/",
    "http://a.b.private.test/",
    "http://zero.test/",
    "http://metadata.test/",
    "http://shared.test/",
    "http://loopback6.test/",
    "http://mapped.test/",
    "http://nat64.test/",
    "http://6to4.test/",
    "http://unique-local.test/",
    "http://alias.test/",
    "http://all-private.test/",
];

/// Nothing can be connected to there, so that nobody was says nothing.
const DEAD_ENDS: &[&str] = &[
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
];

/// Forms that are no URL.
const NO_URLS: &[&str] = &[
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65616/",
    "http://127.0.0.1:80:80/",
    "http://127.0.0.1.1/",
    "http://127.0.0.256/",
    "http://256.0.0.1/",
    "http://0x17f000001/",
    "http://4294967296/",
    "http://127.0.0.08/",
    "http://[127.0.0.1]/",
    "http://[::1/",
    "http://::1/",
    "http://[::ffff:127.0.0.1.1]/",
    "http://[fe80::1%25lo]/",
    "http://[fe80::1%lo]/",
    "http://[::1%00]/",
    "http://127.0.0.1%00/",
    "http://127.0.0.1%00.public.test/",
    "http://127.0.0.1%0d%0a/",
    "http://127.0.0.1%20/",
    "http://127..0.1/",
    "http://127.0.0.1../",
    "http://.127.0.0.1/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:80/_GET%20/",
    "dict://127.0.0.1/",
    "ftp://127.0.0.1/",
    "ldap://127.0.0.1/",
    "unix:/var/run/docker.sock",
    "jar:http://127.0.0.1/!/",
    "data:text/html,x",
];

#[test]
fn no_form_of_a_private_address_is_connected_to() {
    own::network("no_form_of_a_private_address_is_connected_to", || {
        assert!(TABLE.len() >= 100, "{}", TABLE.len());
        let web = Web::start();
        let pool = guarded();
        for kind in [Job::request, Job::resolve] as [fn(&'static str) -> Job; 2] {
            let stream = stream(&pool);
            for &form in TABLE {
                submit(&stream, kind(form));
                let result = take(&stream);
                assert_eq!(code(&result), FORBIDDEN, "{form:?}: {result:?}");
                assert!(
                    message(&result).ends_with("is forbidden (deny_private_addresses)"),
                    "{form:?}: {}",
                    message(&result)
                );
            }
            for &form in NO_URLS {
                submit(&stream, kind(form));
                assert_eq!(code(&take(&stream)), "invalid-url", "{form:?}");
            }
        }
        assert!(web.visited().is_empty());
        assert_eq!(pool.stats().connections, 0);

        // The same forms do lead there if they are let to: the table is not forbidden by chance.
        let pool = hasty_pool();
        for &form in TABLE {
            let result = on(&pool, form, |options| options.connect_timeout = ms(2000));
            let visited = web.visited();
            if DEAD_ENDS.contains(&form) {
                continue;
            }
            assert_eq!(code(&result), "ok", "{form:?}: {}", message(&result));
            assert_eq!(visited.len(), 1, "{form:?}");
        }
    });
}

#[test]
fn public_addresses_are_connected_to() {
    own::network("public_addresses_are_connected_to", || {
        let web = Web::start();
        let pool = guarded();
        for (form, address) in [
            ("http://93.184.216.34/", "93.184.216.34"),
            ("http://[::ffff:93.184.216.34]/", "93.184.216.34"),
            ("http://public.test/", "93.184.216.34"),
            ("http://public6.test/", "2606:2800:220:1::1"),
            // As the names of an IPv6 network are that reaches IPv4 by NAT64.
            ("http://nat64-public.test/", "64:ff9b::93.184.216.34"),
            ("http://127.0.0.1@public.test/", "93.184.216.34"),
            ("http://127.0.0.1 @public.test/", "93.184.216.34"),
            ("http://public.test\\@127.0.0.1/", "93.184.216.34"),
            // Of several addresses, those that may be.
            ("http://mixed.test/", "93.184.216.34"),
        ] {
            let result = on(&pool, form, |_| {});
            assert_eq!(code(&result), "ok", "{form}: {}", message(&result));
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(web.visited(), [address], "{form}");
        }
    });
}

#[test]
fn a_name_that_rebinds_leads_nowhere_else() {
    own::network("a_name_that_rebinds_leads_nowhere_else", || {
        let web = Web::start();
        let first = guarded();
        assert_eq!(code(&on(&first, "http://rebinding.test/", |_| {})), "ok");
        assert_eq!(web.visited(), [IpAddr::from(PUBLIC)]);
        assert_eq!(web.names.questions(), 2);
        // Its address is another by now. Who looks it up anew finds out, and goes no further; also
        // on the way of a redirection.
        for url in [
            "http://rebinding.test/".to_owned(),
            format!(
                "http://public.test/302/{}",
                encoded("http://rebinding.test/")
            ),
        ] {
            let result = on(&guarded(), url, |_| {});
            assert_eq!(code(&result), FORBIDDEN);
            assert!(
                message(&result).contains("10.0.0.5, the address of rebinding.test,"),
                "{}",
                message(&result)
            );
        }
        // Who knows it from before does not.
        assert_eq!(code(&on(&first, "http://rebinding.test/", |_| {})), "ok");
        assert!(web.visited().iter().all(|&address| address == PUBLIC));
        // And without limits it would have led there.
        assert_eq!(
            code(&on(&hasty_pool(), "http://rebinding.test/", |_| {})),
            "ok"
        );
        assert_eq!(web.visited(), [IpAddr::from(PRIVATE)]);
    });
}

#[test]
fn no_redirection_leads_to_a_private_address() {
    own::network("no_redirection_leads_to_a_private_address", || {
        let web = Web::start();
        let pool = guarded();
        let all = |options: &mut Options| {
            options.follow_meta_refresh = true;
            options.follow_js_relocation = true;
            options.infer_redirection = true;
            options.compressed = true;
        };
        let kinds = [
            ("301", "location-header"),
            ("302", "location-header"),
            ("303", "location-header"),
            ("307", "location-header"),
            ("308", "location-header"),
            ("refresh", "refresh-header"),
            ("meta", "meta-refresh"),
            ("js", "js-relocation"),
        ];
        let targets = [
            "http://10.0.0.5/",
            "//10.0.0.5/",
            "http://2130706433/",
            "http://0177.1/",
            "http://[::ffff:10.0.0.5]/",
            "http://localhost/",
            "http://private.test/",
            "http://alias.test/",
            "http://nat64.test/",
        ];
        for (path, kind) in kinds {
            for target in targets {
                let start = format!("http://public.test/{path}/{}", encoded(target));
                let result = on(&pool, &*start, all);
                assert_eq!(code(&result), FORBIDDEN, "{path} to {target}: {result:?}");
                // How far it came is told.
                let stack = hops(&result);
                let status = path.parse().unwrap_or(200);
                assert_eq!(stack[0], (&*start, kind, status));
                assert_eq!(
                    (stack.len(), stack[1].1, stack[1].2),
                    (2, "hit", 0),
                    "{stack:?}"
                );
                assert_eq!(result.status, 0);
            }
        }
        // From the URL alone, without a request.
        let start = format!("http://public.test/?url={}", encoded("http://10.0.0.5/"));
        let result = on(&pool, &*start, all);
        assert_eq!(code(&result), FORBIDDEN);
        assert_eq!(
            hops(&result),
            [(&*start, "infer", 0), ("http://10.0.0.5/", "hit", 0)]
        );
        // By several hops.
        let last = format!("http://public6.test/meta/{}", encoded("http://127.1/"));
        let start = format!("http://public.test/302/{}", encoded(&last));
        let result = on(&pool, start, all);
        assert_eq!((code(&result), result.stack.len()), (FORBIDDEN, 3));
        let visited = web.visited();
        assert!(visited.len() > kinds.len() * targets.len(), "{visited:?}");
        assert!(!visited.contains(&PRIVATE.into()) && !visited.iter().any(IpAddr::is_loopback));

        // What is not requested is not forbidden.
        let start = format!(
            "http://public.test/canonical/{}",
            encoded("http://10.0.0.5/")
        );
        let result = on(&pool, start, |options| options.canonicalize = true);
        assert_eq!(code(&result), "ok");
        assert_eq!(result.end_url(), Some("http://10.0.0.5/"));
        // Nor is it tried again.
        let result = on(&pool, "http://10.0.0.5/", |options| {
            options.retry = Some(rouet::Retry::default());
        });
        assert_eq!((code(&result), result.attempts), (FORBIDDEN, 1));
    });
}

#[test]
fn whatever_named_an_address_it_is_the_one_connected_to_that_counts() {
    own::network(
        "whatever_named_an_address_it_is_the_one_connected_to_that_counts",
        || {
            let web = Web::start();
            let pool = guarded();
            for to in [
                "127.0.0.1:80",
                "2130706433:80",
                "0x7f.1:",
                "[::1]:80",
                "[::ffff:127.0.0.1]:",
                "localhost:80",
                "LOCALHOST.:80",
                "private.test:80",
                "10.0.0.5:",
            ] {
                let result = on(&pool, "http://public.test/", |options| {
                    options.connect_to = vec![format!("public.test:80:{to}")];
                });
                assert_eq!(code(&result), FORBIDDEN, "{to}: {}", message(&result));
            }
            for addresses in [
                "127.0.0.1",
                "[::1]",
                "::ffff:10.0.0.5",
                "10.0.0.5,127.0.0.1",
                "0.0.0.0",
                "64:ff9b::a00:5",
            ] {
                // Each with a name of its own: curl keeps what it was told.
                let name = format!("given-{}.test", addresses.len());
                let result = on(&pool, format!("http://{name}/"), |options| {
                    options.dns = vec![format!("{name}:80:{addresses}")];
                });
                assert_eq!(
                    code(&result),
                    FORBIDDEN,
                    "{addresses}: {}",
                    message(&result)
                );
            }
            assert!(web.visited().is_empty());

            // Of several addresses those that may be: which only the socket tells, as curl chooses.
            for (name, addresses) in [
                ("first.test", "10.0.0.5,93.184.216.34"),
                ("last.test", "93.184.216.34,[::1],127.0.0.1"),
            ] {
                let result = on(&pool, format!("http://{name}/"), |options| {
                    options.dns = vec![format!("{name}:80:{addresses}")];
                });
                assert_eq!(code(&result), "ok", "{addresses}: {}", message(&result));
                assert_eq!(web.visited(), [IpAddr::from(PUBLIC)]);
            }
            // And the other way: a private URL that leads to a public address does not touch it.
            let result = on(&pool, "http://10.0.0.5/", |options| {
                options.connect_to = vec!["::93.184.216.34:".into()];
            });
            assert_eq!(code(&result), "ok");
            assert_eq!(web.visited(), [IpAddr::from(PUBLIC)]);

            // What stands in the way of an address that may be is told as ever.
            let result = on(&pool, "http://closed.test:81/", |options| {
                options.dns = vec!["closed.test:81:10.0.0.5,93.184.216.34".into()];
            });
            assert_eq!(code(&result), refused());
        },
    );
}

#[test]
fn networks_and_ports_are_denied_and_allowed() {
    own::network("networks_and_ports_are_denied_and_allowed", || {
        let web = Web::start();
        Raw::on("[::]:8080", |_| answer("200 OK", &[], "another"));
        let texts = |list: &[&str]| -> Vec<String> { list.iter().map(|s| s.to_string()).collect() };

        // What stands for any address is this machine: Linux connects it to loopback.
        for (deny, allow, any, any6) in [
            (&["127.0.0.0/8", "::1"][..], &[][..], FORBIDDEN, FORBIDDEN),
            (&["127.0.0.1"], &[], FORBIDDEN, "ok"),
            (&["::1"], &[], "ok", FORBIDDEN),
            (&["0.0.0.0", "::"], &[], FORBIDDEN, FORBIDDEN),
            (&["10.0.0.0/8", "fc00::/7"], &[], "ok", "ok"),
            (&["0.0.0.0/0", "::/0"], &["127.0.0.0/8", "::1"], "ok", "ok"),
        ] {
            let pool = limited(|config| {
                config.deny_networks = texts(deny);
                config.allow_networks = texts(allow);
            });
            for (url, expected) in [
                ("http://0.0.0.0:8080/", any),
                ("http://0:8080/", any),
                ("http://[::ffff:0.0.0.0]:8080/", any),
                ("http://[::]:8080/", any6),
            ] {
                let result = on(&pool, url, |_| {});
                assert_eq!(
                    code(&result),
                    expected,
                    "{url}, {deny:?}: {}",
                    message(&result)
                );
            }
            for (addresses, expected) in [("0.0.0.0", any), ("[::]", any6)] {
                let result = on(&pool, "http://named.test:8080/", |options| {
                    options.dns = vec![format!("named.test:8080:{addresses}")];
                });
                assert_eq!(code(&result), expected, "{addresses}, {deny:?}");
            }
        }

        // What is allowed comes first.
        let pool = limited(|config| {
            config.deny_private_addresses = true;
            config.deny_networks = texts(&["93.184.0.0/16"]);
            config.allow_networks = texts(&["127.0.0.0/8", "93.184.216.34"]);
        });
        for (url, expected) in [
            ("http://127.0.0.1/", "ok"),
            ("http://[::ffff:127.0.0.1]/", "ok"),
            ("http://localhost/", "ok"),
            ("http://loopback.test/", "ok"),
            ("http://public.test/", "ok"),
            ("http://[::1]/", FORBIDDEN),
            ("http://10.0.0.5/", FORBIDDEN),
            ("http://93.184.216.35/", FORBIDDEN),
            ("http://[64:ff9b::93.184.216.35]/", FORBIDDEN),
        ] {
            let result = on(&pool, url, |_| {});
            assert_eq!(code(&result), expected, "{url}: {}", message(&result));
            assert_eq!(web.visited().len(), usize::from(expected == "ok"), "{url}");
        }

        let pool = limited(|config| config.allowed_ports = vec![80, 443]);
        for (url, to, expected) in [
            ("http://public.test/", None, "ok"),
            ("http://public.test:8080/", None, FORBIDDEN),
            ("http://public.test:22/", None, FORBIDDEN),
            ("http://127.0.0.1:8080/", None, FORBIDDEN),
            // The port that is connected to counts.
            ("http://public.test/", Some("::public.test:8080"), FORBIDDEN),
            ("http://public.test:8080/", Some("::public.test:80"), "ok"),
        ] {
            let result = on(&pool, url, |options| {
                options.connect_to = to.into_iter().map(str::to_owned).collect();
            });
            assert_eq!(code(&result), expected, "{url}: {}", message(&result));
        }
        let start = format!(
            "http://public.test/302/{}",
            encoded("http://public.test:22/")
        );
        let result = on(&pool, start, |_| {});
        assert_eq!((code(&result), result.stack.len()), (FORBIDDEN, 2));
        assert!(message(&result).ends_with("port 22 is forbidden (allowed_ports)"));
    });
}

#[test]
fn a_port_that_is_not_allowed_is_forbidden() {
    let site = site();
    let pool = limited(|config| config.allowed_ports = vec![80, 443]);
    let result = on(&pool, site.url("/text"), |_| {});
    assert_eq!(code(&result), "forbidden-address");
    assert!(site.log().is_empty());
    let pool = limited(|config| config.allowed_ports = vec![80, site.port()]);
    assert_eq!(code(&on(&pool, site.url("/text"), |_| {})), "ok");
}

#[test]
fn https_only_is_https_on_every_hop() {
    let site = secure_site();
    let port = site.https_port().expect("a port");
    let pool = limited(|config| config.https_only = true);
    let trusting = |options: &mut Options| {
        options.ca_file = site.ca_file().map(Into::into);
        options.follow_meta_refresh = true;
    };
    let secure = format!("https://127.0.0.1:{port}");
    assert_eq!(code(&on(&pool, format!("{secure}/text"), trusting)), "ok");
    let plain = on(&pool, site.url("/text"), trusting);
    assert_eq!(code(&plain), FORBIDDEN);
    assert!(message(&plain).ends_with("is forbidden (https_only)"));
    let down = format!("{secure}/redirect-to?url={}", encoded(&site.url("/text")));
    site.clear_log();
    let result = on(&pool, down, trusting);
    assert_eq!((code(&result), result.stack.len()), (FORBIDDEN, 2));
    assert_eq!(site.log().len(), 1);
}

#[test]
fn a_proxy_is_free_of_the_limits_and_what_it_is_asked_for_is_not() {
    own::network(
        "a_proxy_is_free_of_the_limits_and_what_it_is_asked_for_is_not",
        || {
            let web = Web::start();
            let pool = limited(|config| {
                config.deny_private_addresses = true;
                config.allowed_ports = vec![80];
            });
            for scheme in ["http", "socks5", "socks5h"] {
                let proxy = match scheme {
                    "http" => Proxy::http(Admit::All),
                    _ => Proxy::socks5(Admit::All),
                };
                let through = |url: &str| {
                    on(&pool, url, |options| {
                        options.proxy = Some(proxy.url(scheme))
                    })
                };
                // The proxy is on a private address and a port of its own.
                let result = through("http://93.184.216.34/");
                assert_eq!(code(&result), "ok", "{scheme}: {}", message(&result));
                let result = through("http://public.test/");
                assert_eq!(code(&result), "ok", "{scheme}: {}", message(&result));
                assert_eq!(web.visited(), [IpAddr::from(PUBLIC); 2]);
                let asked = proxy.asked().len();
                for url in [
                    "http://127.0.0.1/",
                    "http://2130706433/",
                    "http://[::1]/",
                    "http://[::ffff:10.0.0.5]/",
                    "http://localhost/",
                    "http://localhost./",
                    "http://public.test:22/",
                ] {
                    assert_eq!(code(&through(url)), FORBIDDEN, "{scheme} {url}");
                }
                let start = format!("http://public.test/302/{}", encoded("http://10.0.0.5/"));
                assert_eq!(code(&through(&start)), FORBIDDEN, "{scheme}");
                let led = on(&pool, "http://public.test/", |options| {
                    options.proxy = Some(proxy.url(scheme));
                    options.connect_to = vec!["::127.0.0.1:".into()];
                });
                assert_eq!(code(&led), FORBIDDEN, "{scheme}");
                // Names are looked up by most proxies, out of sight.
                let name = through("http://private.test/");
                let (expected, visited) = match scheme {
                    "socks5" => (FORBIDDEN, vec![IpAddr::from(PUBLIC)]),
                    _ => ("ok", vec![IpAddr::from(PUBLIC), IpAddr::from(PRIVATE)]),
                };
                assert_eq!(code(&name), expected, "{scheme}: {}", message(&name));
                assert_eq!(web.visited(), visited, "{scheme}");
                assert_eq!(proxy.asked().len(), asked + visited.len(), "{scheme}");
            }
            // Addresses that a proxy is told by dns: which of them it takes is not ours to say.
            let proxy = Proxy::socks5(Admit::All);
            let result = on(&pool, "http://given.test/", |options| {
                options.proxy = Some(proxy.url("socks5"));
                options.dns = vec!["given.test:80:93.184.216.34,10.0.0.5".into()];
            });
            assert_eq!(code(&result), FORBIDDEN);
            assert!(proxy.asked().is_empty());
        },
    );
}

#[test]
fn limits_that_are_none_are_refused_by_name() {
    type Set = fn(&mut PoolConfig);
    let cases: [(&str, Set); 7] = [
        ("deny_networks", |c| {
            c.deny_networks = vec!["10.0.0.0/33".into()]
        }),
        ("deny_networks", |c| {
            c.deny_networks = vec!["example.com".into()]
        }),
        ("deny_networks", |c| c.deny_networks = vec![String::new()]),
        ("deny_networks", |c| {
            c.deny_networks = vec!["10.0.0.0/8".into(); 10_001];
        }),
        ("allow_networks", |c| {
            c.allow_networks = vec!["10.0.0.1/8".into()]
        }),
        ("allow_networks", |c| {
            c.allow_networks = vec!["127.1".into()]
        }),
        ("allowed_ports", |c| c.allowed_ports = vec![80, 0]),
    ];
    for (field, set) in cases {
        let mut config = PoolConfig::default();
        set(&mut config);
        match Pool::new(config) {
            Err(rouet::Error::InvalidArgument(why)) => assert!(why.starts_with(field), "{why}"),
            other => panic!("{field}: {other:?}"),
        }
    }
}

/// What an attacker would have the server take for a line of its own.
const INJECTED: &str = "X-Injected: 1";

#[test]
fn no_option_gets_a_line_break_or_a_nul_onto_the_wire() {
    let injected = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&injected);
    let server = Raw::start(move |request| {
        let first = request.head.lines().next().unwrap_or_default();
        let lines = request.head.split(['\r', '\n']);
        let is_ours = |line: &str| line.starts_with(INJECTED);
        if lines.into_iter().any(is_ours) || request.head.contains('\0') || first.len() > 4096 {
            count.fetch_add(1, Ordering::Relaxed);
        }
        answer("200 OK", &[], "")
    });
    let proxy = Proxy::http(Admit::All);
    let stream = stream(&hasty_pool());
    type Set = fn(&mut Options, String);
    let fields: [(&str, Set); 12] = [
        ("method", |o, text| o.method = Some(format!("GET{text}"))),
        ("a header's name", |o, text| {
            o.headers = vec![(format!("X-A{text}"), "1".into())];
        }),
        ("a header's value", |o, text| {
            o.headers = vec![("X-A".into(), format!("1{text}"))];
        }),
        ("User-Agent", |o, text| {
            o.headers = vec![("User-Agent".into(), format!("me{text}"))];
        }),
        ("Host", |o, text| {
            o.headers = vec![("Host".into(), format!("a.test{text}"))];
        }),
        ("cookie", |o, text| o.cookie = Some(format!("a=b{text}"))),
        ("a stateful job's cookie", |o, text| {
            o.stateful = true;
            o.cookie = Some(format!("a=b{text}"));
        }),
        ("proxy", |o, text| {
            o.proxy = Some(format!("http://127.0.0.1{text}"))
        }),
        ("connect_to", |o, text| {
            o.connect_to = vec![format!("::127.0.0.1{text}:1")];
        }),
        ("dns", |o, text| {
            o.dns = vec![format!("a.test:80:127.0.0.1{text}")]
        }),
        ("network_interface", |o, text| {
            o.network_interface = Some(format!("lo{text}"))
        }),
        ("known_encoding", |o, text| {
            o.known_encoding = Some(format!("utf-8{text}"));
        }),
    ];
    let breaks = ["\r\n", "\n", "\r", "\0", "\r\n\r\n", "\n\n"];
    for (field, set) in fields {
        for end in breaks {
            for text in [
                format!("{end}{INJECTED}"),
                format!("{end}{INJECTED}\r\nX: "),
            ] {
                let job = Job::request(server.url("/")).options(options(|o| set(o, text)));
                match stream.submit(job, None).map_err(rouet::Error::from) {
                    Err(rouet::Error::InvalidArgument(_)) => {}
                    other => panic!("{field} with {end:?}: {other:?}"),
                }
            }
        }
    }
    // The URL, in each of its parts: refused, or sent as what it encodes.
    for end in breaks {
        let port = server.port();
        for url in [
            format!("http://127.0.0.1:{port}/a{end}{INJECTED}"),
            format!("http://127.0.0.1:{port}/?a{end}{INJECTED}"),
            format!("http://127.0.0.1:{port}/#{end}{INJECTED}"),
            format!("http://me{end}{INJECTED}@127.0.0.1:{port}/"),
            format!("http://127.0.0.1{end}{INJECTED}:{port}/"),
        ] {
            assert_eq!(code(&fetch(Job::request(&*url))), "invalid-url", "{url:?}");
        }
        let hidden = encoded(&format!("{end}{INJECTED}"));
        for url in [
            format!("http://127.0.0.1:{port}/a{hidden}"),
            format!("http://127.0.0.1:{port}/?a{hidden}"),
            format!("http://127.0.0.1:{port}/#{hidden}"),
        ] {
            assert_eq!(code(&fetch(Job::request(&*url))), "ok", "{url:?}");
            let asked = fetch_with(url, |options| options.proxy = Some(proxy.url("http")));
            assert_eq!(code(&asked), "ok");
        }
        // Credentials are encoded, or not sent at all.
        for url in [
            format!("http://me{hidden}:you@127.0.0.1:{port}/"),
            format!("http://me:you{hidden}@127.0.0.1:{port}/"),
        ] {
            fetch(Job::request(url));
        }
        let credentials = format!("http://me{hidden}:you@127.0.0.1:{port}");
        fetch_with("http://a.test/", |options| {
            options.proxy = Some(credentials)
        });
        // A group is for ourselves.
        let grouped = Job::request(server.url("/")).group(format!("a{end}{INJECTED}"));
        assert_eq!(code(&fetch(grouped)), "ok");
    }
    assert_eq!(injected.load(Ordering::Relaxed), 0);
}

#[test]
fn no_answer_gets_a_line_break_or_a_nul_onto_the_wire() {
    let heads = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&heads);
    let server = Raw::start(move |request| {
        log.lock().unwrap().push_str(&request.head);
        let lines = ["\r", "\n", "\0", "\u{b}", "%0d%0a"];
        let asked = request.target[1..].split_once('-');
        let end = asked.and_then(|(_, number)| lines.get(number.parse::<usize>().ok()?));
        let (Some((way, _)), Some(end)) = (asked, end) else {
            return answer("200 OK", &[], ""); // where one led
        };
        let html = |body: String| answer("200 OK", &["Content-Type: text/html"], &body);
        match way {
            "location" => answer(
                "302 Found",
                &[&format!("Location: /end{end}{INJECTED}")],
                "",
            ),
            "refresh" => answer(
                "200 OK",
                &[&format!("Refresh: 0; url=/end{end}{INJECTED}")],
                "",
            ),
            "meta" => html(format!(
                "<meta http-equiv=refresh content='0; url=/end{end}{INJECTED}'>"
            )),
            "entity" => html(format!(
                "<meta http-equiv=refresh content='0; url=/end&#13;&#10;{INJECTED}{end}'>"
            )),
            "js" => html(format!(
                "<script>location = \"/end\\r\\n{INJECTED}{end}\"</script>"
            )),
            "cookie" => answer(
                "302 Found",
                &[&format!("Set-Cookie: a=b{end}{INJECTED}"), "Location: /end"],
                "",
            ),
            other => panic!("{other}"),
        }
    });
    for way in ["location", "refresh", "meta", "entity", "js", "cookie"] {
        for number in 0..5 {
            let result = fetch_with(server.url(&format!("/{way}-{number}")), |options| {
                options.follow_meta_refresh = true;
                options.follow_js_relocation = true;
                options.stateful = true;
            });
            assert!(!result.stack.is_empty(), "{way} {number}: {result:?}");
        }
    }
    let heads = heads.lock().unwrap();
    assert!(heads.contains("GET /end"), "{heads}");
    assert!(
        !heads.contains('\0') && !heads.contains('\u{b}'),
        "{heads:?}"
    );
    let lines = heads.split(['\r', '\n']);
    assert!(
        !lines.into_iter().any(|line| line.starts_with("X-Injected")),
        "{heads:?}"
    );
}
