//! Where a hop goes: which name must be looked up before curl can connect, if any.

use std::net::IpAddr;

use url::{Host, Url};

use crate::options::Options;

/// The host and port whose name must be looked up before curl can connect, if any.
pub(super) fn name_to_look_up<'a>(url: &'a Url, options: &'a Options) -> Option<(&'a str, u16)> {
    if options.proxy.is_some() {
        // The proxy looks it up; the proxy's own name is left to curl.
        return None;
    }
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let redirected = options
        .connect_to
        .iter()
        .find_map(|entry| connect_to(entry, host, port));
    let (host, port) = match redirected {
        Some(target) => target,
        None => match url.host()? {
            Host::Domain(_) => (host, port),
            Host::Ipv4(_) | Host::Ipv6(_) => return None,
        },
    };
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    // RFC 6761, section 6.3: curl connects these to the loopback addresses without asking.
    let is_local = host == "localhost" || host.ends_with(".localhost");
    let given = |entry: &String| {
        let entry = entry.trim_start_matches('+');
        split_host(entry).is_some_and(|(name, rest)| {
            let number = rest.split(':').next().unwrap_or_default();
            (name == "*" || name.eq_ignore_ascii_case(host)) && number.parse() == Ok(port)
        })
    };
    (!is_address && !is_local && !options.dns.iter().any(given)).then_some((host, port))
}

/// Where a `HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT` entry leads a host and port, if it is
/// about them.
fn connect_to<'a>(entry: &'a str, host: &'a str, port: u16) -> Option<(&'a str, u16)> {
    let (from_host, rest) = split_host(entry)?;
    let (from_port, rest) = rest.split_once(':')?;
    let (to_host, to_port) = split_host(rest)?;
    let about = (from_host.is_empty() || from_host.eq_ignore_ascii_case(host))
        && (from_port.is_empty() || from_port.parse() == Ok(port));
    about.then(|| {
        let to_host = if to_host.is_empty() { host } else { to_host };
        (to_host, to_port.parse().unwrap_or(port))
    })
}

/// Splits a host, in brackets if it is an IPv6 address, from what follows its colon.
fn split_host(text: &str) -> Option<(&str, &str)> {
    match text.find(']').filter(|_| text.starts_with('[')) {
        Some(end) => Some((&text[..=end], text[end + 1..].strip_prefix(':')?)),
        None => text.split_once(':'),
    }
}

/// An entry for curl's --resolve that ages as one of curl's own look-ups would.
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
            assert_eq!(name_to_look_up(&url, &options), expected, "{url}");
        }
    }
}
