//! Where connections come from (`network_interface`), in words that keep curl from looking a name up:
//! it would block all transfers of its thread meanwhile.

use std::ffi::CString;
use std::net::IpAddr;

/// The meaning of a `network_interface`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source<'a> {
    /// A source that curl takes as it is.
    Known(String),
    /// A host name whose address must be looked up, and the prefix that curl gets before it.
    Name(&'static str, &'a str),
}

/// Reads a `network_interface`: an address, an interface, or otherwise a host name. As in curl, a
/// prefix `if!` or `host!` says which.
pub(super) fn read(interface: &str) -> Source<'_> {
    if interface.starts_with("if!") {
        return Source::Known(interface.to_owned());
    }
    let host = interface.strip_prefix("host!");
    let name = host.unwrap_or(interface);
    // The zone of a link-local address is an interface (RFC 4007, section 11).
    let address = name.split_once('%').map_or(name, |(address, _)| address);
    if address.parse::<IpAddr>().is_ok() {
        return Source::Known(format!("host!{name}"));
    }
    match host.is_none() && is_interface(name) {
        true => Source::Known(format!("if!{name}")),
        false => Source::Name("host!", name),
    }
}

fn is_interface(name: &str) -> bool {
    let Ok(name) = CString::new(name) else {
        return false;
    };
    // SAFETY: it is text that ends in a NUL.
    unsafe { libc::if_nametoindex(name.as_ptr()) != 0 }
}

/// The one of a name's addresses to connect from, because curl takes only one. `to`: where to, as far
/// as that is known.
pub(super) fn choose(from: &[IpAddr], to: &[IpAddr]) -> Option<IpAddr> {
    let fits = |from: &&IpAddr| to.is_empty() || to.iter().any(|to| to.is_ipv4() == from.is_ipv4());
    from.iter().find(fits).or(from.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_interfaces_need_no_look_up() {
        let known = |text: &str| Source::Known(text.into());
        for (interface, expected) in [
            ("127.0.0.2", known("host!127.0.0.2")),
            ("::1", known("host!::1")),
            ("fe80::1%lo", known("host!fe80::1%lo")),
            ("host!127.0.0.2", known("host!127.0.0.2")),
            ("lo", known("if!lo")),
            ("if!lo", known("if!lo")),
            ("if!nosuch0", known("if!nosuch0")),
            ("nosuch0", Source::Name("host!", "nosuch0")),
            ("host!lo", Source::Name("host!", "lo")),
            ("me.example.com", Source::Name("host!", "me.example.com")),
        ] {
            assert_eq!(read(interface), expected, "{interface}");
        }
    }

    #[test]
    fn the_address_is_of_the_family_that_is_connected_to() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let both = [address("::2"), address("127.0.0.2")];
        assert_eq!(choose(&both, &[address("127.0.0.1")]), Some(both[1]));
        assert_eq!(choose(&both, &[address("::1")]), Some(both[0]));
        assert_eq!(choose(&both, &[]), Some(both[0]));
        assert_eq!(choose(&both[..1], &[address("127.0.0.1")]), Some(both[0]));
        assert_eq!(choose(&[], &[]), None);
    }
}
