//! Where a pool may connect to: networks, ports, schemes. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// Addresses that no public server has: IANA's IPv4 Special-Purpose Address Registry (RFC 6890 and its
/// successors), and multicast.
const PRIVATE_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),        // this network; 0.0.0.0 is this machine
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // behind a provider's NAT; Alibaba's metadata
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // Azure's metadata, on an address that looks public
    v4(169, 254, 0, 0, 16),   // link-local; the metadata of most clouds
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments; Oracle's metadata
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved; 255.255.255.255 is all on this network
];

/// IPv6 is defined the other way round: only these addresses are given to public servers (IANA's IPv6
/// Global Unicast Address Assignments). Loopback, unique local, link-local, multicast and unassigned
/// addresses are all outside.
const PUBLIC_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Exceptions within that (IANA's IPv6 Special-Purpose Address Registry).
const PRIVATE_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments, Teredo within
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16),     // 6to4, given up by RFC 7526
    v6(0x3fff, 0, 0, 20),     // documentation
];

/// Translates to all of IPv4 (NAT64, RFC 6052): as public as the IPv4 address in it.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// The same for private networks (RFC 8215).
const LOCAL_NAT64: Ipv6Net = v6(0x64, 0xff9b, 1, 48);
const TEREDO: Ipv6Net = v6(0x2001, 0, 0, 32);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);
/// IPv4-compatible (RFC 4291, section 2.5.5.1).
const COMPATIBLE: Ipv6Net = v6(0, 0, 0, 96);
/// IPv4-translated (RFC 7915 and before).
const TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96);

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => PRIVATE_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) if NAT64.contains(&address) => false,
        IpAddr::V6(address) => {
            !PUBLIC_V6.contains(&address)
                || PRIVATE_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// The IPv4 addresses that packets to an IPv6 address may end up at.
fn within(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let bits = address.to_bits();
    let at = |shift: u32| Ipv4Addr::from_bits((bits >> shift) as u32);
    let is_in = |network: &Ipv6Net| network.contains(&address);
    let (first, second) = match () {
        // The server, and the client behind it with its bits inverted (RFC 4380).
        () if is_in(&TEREDO) => (Some(at(64)), Some(Ipv4Addr::from_bits(!(bits as u32)))),
        () if is_in(&SIX_TO_FOUR) => (Some(at(80)), None),
        () if [NAT64, LOCAL_NAT64, TRANSLATED].iter().any(is_in) => (Some(at(0)), None),
        // :: and ::1 contain no IPv4 address.
        () if is_in(&COMPATIBLE) && bits >> 24 != 0 => (Some(at(0)), None),
        () => (None, None),
    };
    first.into_iter().chain(second)
}

fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Where Linux connects unspecified addresses: to this machine itself.
fn loopback(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Some(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}

/// A network as text: `10.0.0.0/8`, `fc00::/7`, or an address alone.
fn network(text: &str) -> Result<IpNet, String> {
    // The standard library reads 010 neither as 10 nor as 8.
    let read = || match text.split_once('/') {
        None => text
            .parse()
            .ok()
            .map(|address: IpAddr| IpNet::from(address)),
        Some((_, prefix)) if !prefix.bytes().all(|byte| byte.is_ascii_digit()) => None,
        Some((address, prefix)) => IpNet::new(address.parse().ok()?, prefix.parse().ok()?).ok(),
    };
    let network = read().ok_or_else(|| {
        format!("has {text:?}: it is a network such as 10.0.0.0/8 or fc00::/7, or an address")
    })?;
    if network != network.trunc() {
        return Err(format!(
            "has {text:?}, which has bits beyond its prefix: it is {} or {}",
            network.trunc(),
            network.addr()
        ));
    }
    Ok(match network {
        // Addresses are compared in their form on the wire.
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(address) => Ipv4Net::new_assert(address, v6.prefix_len() - 96).into(),
            None => network,
        },
        _ => network,
    })
}

fn networks(field: &str, texts: &[String]) -> Result<Vec<IpNet>, String> {
    let read = |text: &String| network(text).map_err(|why| format!("{field} {why}"));
    texts.iter().map(read).collect()
}

/// What a pool may connect to.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    deny_private: bool,
    deny: Vec<IpNet>,
    allow: Vec<IpNet>,
    ports: Vec<u16>,
    https_only: bool,
}

impl Limits {
    /// The arguments are the fields of the pool's configuration; the sentence names the one that is
    /// wrong.
    pub fn new(
        deny_private_addresses: bool,
        deny_networks: &[String],
        allow_networks: &[String],
        allowed_ports: &[u16],
        https_only: bool,
    ) -> Result<Self, String> {
        if allowed_ports.contains(&0) {
            return Err("allowed_ports has 0: a port is 1 to 65535".into());
        }
        if !allow_networks.is_empty() && !deny_private_addresses && deny_networks.is_empty() {
            networks("allow_networks", allow_networks)?;
            return Err(
                "allow_networks takes networks out of those denied, and none is: set \
                 deny_private_addresses, or deny_networks to 0.0.0.0/0 and ::/0 if nothing but \
                 these is to be let through"
                    .into(),
            );
        }
        Ok(Self {
            deny_private: deny_private_addresses,
            deny: networks("deny_networks", deny_networks)?,
            allow: networks("allow_networks", allow_networks)?,
            ports: allowed_ports.to_vec(),
            https_only,
        })
    }

    /// Whether everything is allowed, as by default.
    pub fn are_none(&self) -> bool {
        !self.are_on_addresses() && self.ports.is_empty() && !self.https_only
    }

    /// Whether any address is forbidden.
    pub fn are_on_addresses(&self) -> bool {
        self.deny_private || !self.deny.is_empty()
    }

    /// What forbids an address, if anything. An IPv6 address that contains an IPv4 one is forbidden if
    /// either is. `0.0.0.0` and `::` are judged as loopback, which Linux connects them to. They are
    /// also forbidden if they are so themselves, unless loopback is allowed.
    pub fn on_address(&self, address: IpAddr) -> Option<&'static str> {
        if !self.are_on_addresses() {
            return None;
        }
        // IPv4-mapped addresses are IPv4 on the wire.
        let address = address.to_canonical();
        let carried = match address {
            IpAddr::V6(address) => Some(within(address).map(IpAddr::from)),
            IpAddr::V4(_) => None,
        };
        let mut all = std::iter::once(address).chain(carried.into_iter().flatten());
        all.find_map(|address| match loopback(address) {
            None => self.on_bare(address),
            Some(real) if is_in(&self.allow, real) => None,
            Some(real) => self.on_bare(real).or_else(|| self.on_bare(address)),
        })
    }

    /// The same for exactly this address, without what it may stand for.
    fn on_bare(&self, address: IpAddr) -> Option<&'static str> {
        if is_in(&self.allow, address) {
            None
        } else if is_in(&self.deny, address) {
            Some("deny_networks")
        } else {
            (self.deny_private && is_private(address)).then_some("deny_private_addresses")
        }
    }

    /// What forbids a port, if anything.
    pub fn on_port(&self, port: u16) -> Option<&'static str> {
        let is_free = self.ports.is_empty() || self.ports.contains(&port);
        (!is_free).then_some("allowed_ports")
    }

    /// What forbids a scheme, if anything.
    pub fn on_scheme(&self, scheme: &str) -> Option<&'static str> {
        (self.https_only && scheme != "https").then_some("https_only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(deny: &[&str], allow: &[&str], private: bool) -> Limits {
        let texts = |list: &[&str]| -> Vec<String> { list.iter().map(|s| s.to_string()).collect() };
        Limits::new(private, &texts(deny), &texts(allow), &[], false).expect("limits")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    /// The IPv6 addresses through which packets can reach an IPv4 one.
    fn disguises(address: Ipv4Addr) -> Vec<Ipv6Addr> {
        let bits = u128::from(address.to_bits());
        let of = |prefix: &str| prefix.parse::<Ipv6Addr>().expect(prefix).to_bits();
        let mut list = vec![
            of("::ffff:0:0") | bits,
            of("::ffff:0:0:0") | bits,
            of("64:ff9b::") | bits,
            of("64:ff9b:1::") | bits,
            of("2002::") | bits << 80,
            of("2002::1") | bits << 80,
            of("2001::") | bits << 64,
            of("2001:0:102:304::") | u128::from(!address.to_bits()),
        ];
        // Those of 0.0.0.0/8 are left out, because ::1 is among them.
        if address.octets()[0] != 0 {
            list.push(bits);
        }
        list.into_iter().map(Ipv6Addr::from_bits).collect()
    }

    #[test]
    fn what_is_private() {
        let limits = limits(&[], &[], true);
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            let expected = Some("deny_private_addresses");
            assert_eq!(limits.on_address(ip(text)), expected, "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:2800:220:1::1",
            "2a00::1",
            "3ffe::1",
        ] {
            assert_eq!(limits.on_address(ip(text)), None, "{text}");
        }
    }

    #[test]
    fn allowed_comes_before_denied() {
        let some = limits(
            &["8.8.0.0/16", "2a00::/16"],
            &["8.8.8.0/24", "::1", "10.0.0.0/8"],
            true,
        );
        for (text, expected) in [
            ("8.8.4.4", Some("deny_networks")),
            ("::ffff:8.8.4.4", Some("deny_networks")),
            ("64:ff9b::8.8.4.4", Some("deny_networks")),
            ("2a00::1", Some("deny_networks")),
            ("8.8.8.8", None),
            ("64:ff9b::8.8.8.8", None),
            ("9.9.9.9", None),
            ("::1", None),
            ("127.0.0.1", Some("deny_private_addresses")),
            ("10.1.2.3", None),
            ("64:ff9b::10.1.2.3", None),
            // The address within is allowed, but 6to4 is not.
            ("2002:a01:203::", Some("deny_private_addresses")),
        ] {
            assert_eq!(some.on_address(ip(text)), expected, "{text}");
        }
        // Only one network is allowed.
        let only = limits(&["0.0.0.0/0", "::/0"], &["127.0.0.0/8"], false);
        assert_eq!(only.on_address(ip("127.0.0.1")), None);
        assert_eq!(only.on_address(ip("8.8.8.8")), Some("deny_networks"));
        assert_eq!(only.on_address(ip("2a00::1")), Some("deny_networks"));
        assert_eq!(Limits::default().on_address(ip("127.0.0.1")), None);
    }

    #[test]
    fn any_address_is_this_machine() {
        let both = ["0.0.0.0", "::ffff:0.0.0.0", "64:ff9b::0.0.0.0"];
        for (deny, allow, private, forbidden) in [
            (&["127.0.0.0/8"][..], &[][..], false, true),
            (&["127.0.0.1"], &[], false, true),
            (&["0.0.0.0/8"], &[], false, true),
            (&["0.0.0.0"], &[], false, true),
            (&["10.0.0.0/8"], &[], false, false),
            (&["127.0.0.0/8"], &["0.0.0.0/8"], false, true),
            (&["0.0.0.0/0", "::/0"], &["127.0.0.0/8"], false, false),
            (&[], &["127.0.0.1"], true, false),
            (&[], &["0.0.0.0"], true, true),
            (&[], &[], true, true),
        ] {
            let limits = limits(deny, allow, private);
            for text in &both[..2] {
                let found = limits.on_address(ip(text));
                assert_eq!(
                    found.is_some(),
                    forbidden,
                    "{text}: {deny:?} {allow:?} {private}"
                );
            }
            if forbidden {
                assert!(limits.on_address(ip(both[2])).is_some());
            }
        }
        for (deny, allow, private, forbidden) in [
            (&["::1"][..], &[][..], false, true),
            (&["::/127"], &[], false, true),
            (&["::"], &[], false, true),
            (&["127.0.0.0/8", "fc00::/7"], &[], false, false),
            (&["::/0"], &["::1"], false, false),
            (&["::1"], &["::"], false, true),
            (&[], &["::1"], true, false),
            (&[], &["::"], true, true),
        ] {
            let found = limits(deny, allow, private).on_address(ip("::"));
            assert_eq!(found.is_some(), forbidden, "{deny:?} {allow:?} {private}");
        }
    }

    #[test]
    fn what_is_allowed_must_have_been_denied() {
        let allow = ["10.0.0.0/8".to_owned()];
        let why = Limits::new(false, &[], &allow, &[], false).expect_err("no effect");
        assert!(
            why.starts_with("allow_networks ") && why.contains("deny_networks"),
            "{why}"
        );
        assert!(Limits::new(true, &[], &allow, &[], false).is_ok());
        assert!(Limits::new(false, &["::/0".to_owned()], &allow, &[], false).is_ok());
    }

    #[test]
    fn networks_that_are_none() {
        for (text, words) in [
            ("", "it is a network"),
            ("10", "it is a network"),
            ("10.0.0.0/33", "it is a network"),
            ("10.0.0.0/", "it is a network"),
            ("10.0.0.0/+8", "it is a network"),
            ("10.0.0.0/8/8", "it is a network"),
            (" 10.0.0.0/8", "it is a network"),
            ("010.0.0.0/8", "it is a network"),
            ("0x0a.0.0.0/8", "it is a network"),
            ("fe80::1%eth0", "it is a network"),
            ("example.com", "it is a network"),
            ("10.0.0.1/8", "it is 10.0.0.0/8 or 10.0.0.1"),
            ("fc00::1/7", "it is fc00::/7 or fc00::1"),
        ] {
            let error = network(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
        assert_eq!(network("10.1.2.3"), network("10.1.2.3/32"));
        // As an IPv6 network it would match no address.
        assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    }

    proptest! {
        #[test]
        fn no_disguise_helps(bits: u32, prefix in 0u8..=32) {
            let address = Ipv4Addr::from_bits(bits);
            let private = limits(&[], &[], true);
            let mine = Ipv4Net::new(address, prefix).expect("a prefix").trunc().to_string();
            let denied = limits(&[&mine], &[], false);
            prop_assert_eq!(denied.on_address(address.into()), Some("deny_networks"));
            for disguise in disguises(address) {
                let found = private.on_address(disguise.into());
                prop_assert!(!is_private(address.into()) || found.is_some(), "{}", disguise);
                prop_assert!(denied.on_address(disguise.into()).is_some(), "{}", disguise);
            }
            // These are as public as what they stand for.
            for prefix in ["::ffff:0:0", "64:ff9b::"] {
                let prefix: Ipv6Addr = prefix.parse().expect("an address");
                let disguise = Ipv6Addr::from_bits(prefix.to_bits() | u128::from(bits));
                prop_assert_eq!(private.on_address(disguise.into()).is_some(), is_private(address.into()));
            }
        }

        #[test]
        fn what_the_standard_library_knows_is_private(bits: u32, wide: u128) {
            let v4 = Ipv4Addr::from_bits(bits);
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified()
            {
                prop_assert!(is_private(v4.into()), "{}", v4);
            }
            let v6 = Ipv6Addr::from_bits(wide);
            if v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unique_local()
                || v6.is_unicast_link_local()
            {
                prop_assert!(is_private(v6.into()), "{}", v6);
            }
        }

        #[test]
        fn a_network_has_the_addresses_that_start_like_it(a: u128, b: u128, prefix in 0u8..=128) {
            let net = Ipv6Net::new(Ipv6Addr::from_bits(a), prefix).expect("a prefix").trunc();
            // Mapped networks belong to IPv4.
            prop_assume!(net.addr().to_ipv4_mapped().is_none());
            let limits = limits(&[&net.to_string()], &[], false);
            let near = (a & net.netmask().to_bits()) | (b & net.hostmask().to_bits());
            let near = Ipv6Addr::from_bits(near);
            if near.to_ipv4_mapped().is_none() {
                prop_assert!(limits.on_address(near.into()).is_some());
            }
            let starts_alike = prefix == 0 || (a ^ b) >> (128 - u32::from(prefix)) == 0;
            let b = Ipv6Addr::from_bits(b);
            prop_assume!(b.to_ipv4_mapped().is_none());
            prop_assert_eq!(limits.on_address(b.into()).is_some(), starts_alike);
        }
    }
}
