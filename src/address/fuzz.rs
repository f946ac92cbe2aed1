//! What must hold for any URL. See `crate::fuzz`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

use super::{Limits, check, group, same_page, shown};
use crate::error::{ErrorCode, Failure};
use crate::fuzz::lines::{line, text_line};

/// The longest message: the visible part of a URL or two, with each character escaped, and some words.
const MESSAGE: usize = 6_000;

/// Checks a URL that is about to be requested.
fn assert_can_be_requested(url: &Url) {
    assert!(check(url).is_ok(), "{url}");
    assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    let again = super::clean(url.as_str()).expect("a clean URL is one");
    assert_eq!(again, *url, "cleaning is done once");
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if has_credentials {
        assert!(shown(url.as_str()).contains("://***@"), "{url}");
    }
    assert!(same_page(url, url));

    let site = group(url);
    let host = url.host_str().expect("a host");
    assert!(!site.is_empty() && host.trim_end_matches('.').ends_with(site));
    if matches!(url.host(), Some(Host::Domain(_))) {
        let home = super::clean(&format!("//{site}")).expect("a site is a host");
        assert_eq!(group(&home), site, "{url}");
    }
}

fn assert_says(failure: &Failure, codes: &[ErrorCode]) {
    assert!(codes.contains(&failure.code), "{failure:?}");
    assert!(failure.message.chars().count() < MESSAGE, "{failure:?}");
}

/// The input is the text of a URL.
pub(crate) fn clean(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let cleaned = super::clean(&text);
    match &cleaned {
        Ok(url) => assert_can_be_requested(url),
        Err(failure) => assert_says(failure, &[ErrorCode::InvalidUrl]),
    }
    for padded in [
        format!(" {text}\n"),
        format!("\u{feff}{text}\0"),
        format!("\u{200b}{text}\u{2060}"),
    ] {
        assert_eq!(
            super::clean(&padded).ok(),
            cleaned.clone().ok(),
            "{padded:?}"
        );
    }
    // The text is quoted, unless it has half a quotation already.
    if !text
        .trim()
        .starts_with(|char: char| !char.is_ascii_alphanumeric())
    {
        let quoted = super::clean(&format!("\"{text}\""));
        assert_eq!(quoted.ok(), cleaned.ok(), "{text:?}");
    }
}

/// The first line is a URL, the rest what a header or a page there leads on to.
pub(crate) fn location(mut input: &[u8]) {
    let Ok(base) = super::clean(&text_line(&mut input)) else {
        return;
    };
    let invalid = [ErrorCode::InvalidRedirect, ErrorCode::BadlyEncodedLocation];
    match super::location(&base, input) {
        Ok(url) => {
            assert_can_be_requested(&url);
            let bare = input.iter().all(|byte| *byte != b'#');
            assert!(!bare || url.fragment() == base.fragment(), "{url}");
            let refreshed = super::refresh(&base, input).expect("the same but for the fragment");
            assert!(same_page(&refreshed, &url), "{refreshed} {url}");
        }
        Err(failure) => {
            assert_says(&failure, &invalid);
            let failure = super::refresh(&base, input).expect_err("the same");
            assert_says(&failure, &invalid);
        }
    }
    if let Ok(url) = super::join(&base, &String::from_utf8_lossy(input)) {
        assert_can_be_requested(&url);
        // An absolute URL leads to the same place from everywhere.
        assert_eq!(super::join(&base, url.as_str()).ok(), Some(url));
    }
}

/// The input is the text of a URL that may hold others.
pub(crate) fn infer(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(mut url) = super::clean(&text) else {
        return;
    };
    let mut met = HashSet::from([url.clone()]);
    while let Some(target) = super::infer(&url) {
        assert_can_be_requested(&target);
        if !met.insert(target.clone()) {
            break;
        }
        assert!(met.len() <= text.len(), "it goes on and on: {target}");
        url = target;
    }
}

/// Whether two IPv6 addresses start with the same bits.
fn starts_alike(one: Ipv6Addr, other: Ipv6Addr, bits: u32) -> bool {
    bits == 0 || (one.to_bits() ^ other.to_bits()) >> (128 - bits) == 0
}

/// The address as IPv6, and how many bits of that come before those of IPv4.
fn wide(address: IpAddr) -> (Ipv6Addr, u32) {
    match address {
        IpAddr::V4(address) => (address.to_ipv6_mapped(), 96),
        IpAddr::V6(address) => (address, 0),
    }
}

/// Whether an address is in a network, by their text alone.
fn is_within(address: IpAddr, network: &str) -> bool {
    let (start, prefix) = match network.split_once('/') {
        Some((start, prefix)) => (start, prefix.parse().ok()),
        None => (network, None),
    };
    let start: IpAddr = start.parse().expect("a network starts with an address");
    let (start, before) = wide(start);
    let bits = prefix.map_or(128, |prefix: u32| before + prefix);
    let mapped = |address: Ipv6Addr| address.to_ipv4_mapped().is_some();
    let address = wide(address).0;
    // A network as wide as all of IPv6 does not contain IPv4 addresses.
    mapped(address) == (mapped(start) && bits >= 96) && starts_alike(start, address, bits)
}

/// The first byte is `p` if private addresses are denied. The first line goes on with denied networks,
/// the second has allowed ones, and the third the addresses in question.
pub(crate) fn limits(mut input: &[u8]) {
    let private = input.first() == Some(&b'p');
    input = input.get(1..).unwrap_or_default();
    let mut words = || -> Vec<String> {
        let text = String::from_utf8_lossy(line(&mut input)).into_owned();
        text.split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (deny, allow, asked) = (words(), words(), words());
    let limits = match Limits::new(private, &deny, &allow, &[], false) {
        Ok(limits) => limits,
        Err(why) => {
            assert!(why.starts_with("deny_networks ") || why.starts_with("allow_networks "));
            return;
        }
    };
    assert_eq!(limits.are_on_addresses(), private || !deny.is_empty());
    let addresses = asked.iter().filter_map(|text| {
        // The text is read as in a URL, where an address may be written in many ways.
        let url = super::clean(&format!("http://{text}/")).ok()?;
        match url.host()? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        }
    });
    let list = |networks: &[String], address| networks.iter().any(|it| is_within(address, it));
    for address in addresses {
        let why = limits.on_address(address);
        // Linux connects the unspecified address to this machine, whatever the address itself is.
        let real = match address.to_canonical() {
            IpAddr::V4(any) if any.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        let (denied, allowed) = match real == address.to_canonical() {
            true => (list(&deny, address), list(&allow, address)),
            // The address is judged twice: by what it connects to, and by itself.
            false => {
                let itself = list(&deny, address) && !list(&allow, address);
                (list(&deny, real) || itself, list(&allow, real))
            }
        };
        if denied && !allowed {
            assert_eq!(why, Some("deny_networks"), "{address}");
        }
        if why == Some("deny_private_addresses") {
            assert!(private, "{address}");
        }
        if let IpAddr::V4(address) = address {
            let forbidden = denied || private && is_local(address.into());
            assert_eq!(why.is_some(), forbidden && !allowed);
            // The address is forbidden in every disguise.
            let bits = u128::from(address.to_bits());
            let nat64 = Ipv6Addr::from_bits(0x64_ff9b << 96 | bits);
            for dressed in [address.to_ipv6_mapped(), nat64] {
                let other = limits.on_address(dressed.into());
                assert!(why.is_none() || other.is_some(), "{dressed}");
            }
        }
        if private && !allowed && is_local(address) {
            assert!(why.is_some(), "{address}");
        }
    }
}

/// Whether an address is certainly not public. For IPv4 this is exact.
fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => match address.octets() {
            [0 | 10 | 127 | 224..=255, ..] => true,
            [100, second, ..] => second & 0xc0 == 64,
            [168, 63, 129, 16] | [169, 254, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
            [172, second, ..] => second & 0xf0 == 16,
            [192, 168, ..] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
            _ => false,
        },
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}
