//! The name that must be looked up before curl can connect, if any, and how curl is told of it.

use std::net::IpAddr;

use url::{Host, Url};

use super::handle::Ways;
use crate::engine::Hop;
use crate::engine::route::{address, is_local, led, to};
use crate::plan::Plan;

/// The host and port whose name must be looked up before curl can connect, if any. `told`: its proxy,
/// if it has one, must be told addresses of ours.
pub(super) fn name_to_look_up<'a>(
    url: &'a Url,
    plan: &'a Plan,
    told: bool,
) -> Option<(&'a str, u16)> {
    if plan.proxy.is_some() && !told {
        // The proxy looks the name up; the proxy's own name is left to curl.
        return None;
    }
    if plan.connect_to.is_empty() && !matches!(url.host(), Some(Host::Domain(_))) {
        return None;
    }
    let (host, port) = to(url, plan)?;
    let known = address(host).is_some() || is_local(host) || plan.given(host, port).is_some();
    (!known).then_some((host, port))
}

/// Where a hop goes by its plan, before the addresses that are still looked up.
pub(super) fn ways(hop: &Hop<'_>) -> Ways {
    let plan = &**hop.plan;
    let led = led(hop.url, plan);
    let proxy = plan.proxy().map(|proxy| (&*proxy.host, proxy.port));
    let given = |(host, port)| Some(pin(host, port, plan.given(host, port)?));
    Ways {
        led: led.map(|(host, port)| (host.to_owned(), port)),
        pins: to(hop.url, plan)
            .into_iter()
            .chain(proxy)
            .filter_map(given)
            .collect(),
        from: None,
    }
}

/// An entry for curl's --resolve that ages like curl's own look-ups.
pub(super) fn pin(host: &str, port: u16, addresses: &[IpAddr]) -> String {
    let addresses: Vec<String> = addresses
        .iter()
        .map(|address| address.to_string())
        .collect();
    format!("+{host}:{port}:{}", addresses.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    #[test]
    fn names_that_need_a_look_up() {
        let options = Options {
            connect_to: vec![
                "a.test:80:127.0.0.1:8080".into(),
                "b.test::c.test:".into(),
                ":8443:[::1]:443".into(),
            ],
            dns: vec!["D.Test:80:127.0.0.1".into(), "*:81:127.0.0.1".into()],
            ..Options::default()
        };
        let plan = Plan::of(options.into()).expect("options in range");
        for (url, expected) in [
            ("http://a.test/", None),
            ("http://a.test:82/", Some(("a.test", 82))),
            ("http://a.test:81/", None),
            ("http://b.test/", Some(("c.test", 80))),
            ("https://c.test/", Some(("c.test", 443))),
            ("https://c.test:8443/", None),
            ("http://d.test/", None),
            ("https://d.test/", Some(("d.test", 443))),
            ("http://127.0.0.1/", None),
            ("http://[::1]/", None),
            ("http://localhost/", None),
            ("http://www.localhost/", None),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(name_to_look_up(&url, &plan, false), expected, "{url}");
        }
    }
}
