//! Where a hop goes, whichever engine takes it there.

use url::Url;

pub(super) use crate::address::literal as address;
use crate::address::split_host;
use crate::options::Options;

/// The host and port of a URL.
pub(super) fn own(url: &Url) -> Option<(&str, u16)> {
    Some((url.host_str()?, url.port_or_known_default()?))
}

/// The scheme of the proxy, if there is one. `Options::check` takes it in lower case only.
pub(super) fn proxy_scheme(options: &Options) -> Option<&str> {
    Some(options.proxy.as_deref()?.split_once("://")?.0)
}

/// Where `connect_to` leads a URL, if anywhere.
pub(super) fn led<'a>(url: &'a Url, options: &'a Options) -> Option<(&'a str, u16)> {
    let (host, port) = own(url)?;
    options
        .connect_to
        .iter()
        .find_map(|entry| connect_to(entry, host, port))
}

/// RFC 6761, section 6.3: curl connects these to the loopback addresses without asking.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// The addresses that `dns` gives a name, with commas between. As in curl, the last entry counts,
/// and one for the name before one for any.
pub(super) fn given<'a>(options: &'a Options, host: &str, port: u16) -> Option<&'a str> {
    let mut of_any = None;
    for entry in options.dns.iter().rev() {
        let Some((name, rest)) = split_host(entry.trim_start_matches('+')) else {
            continue;
        };
        match rest.split_once(':') {
            Some((number, addresses)) if number.parse() == Ok(port) => match name {
                "*" => of_any = of_any.or(Some(addresses)),
                name if name.eq_ignore_ascii_case(host) => return Some(addresses),
                _ => {}
            },
            _ => {}
        }
    }
    of_any
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
