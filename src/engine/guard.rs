//! Checks whether a hop may go where it goes, as far as that is known before there is a connection.
//!
//! `multi/watch.rs` has the last word, on the address that each socket is opened for. This check
//! refuses with better words, and covers what a proxy would be asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use url::{Host, Url};

use super::Hop;
use super::route::{address, is_local, to};
use crate::address::{Limits, shown};
use crate::error::{ErrorCode, Failure};
use crate::plan::{Plan, Scheme};

/// The failure of a hop to `url`: what is forbidden, and by which field.
pub(super) fn forbidden(url: &Url, what: &str, by: &str) -> Failure {
    Failure::new(
        ErrorCode::ForbiddenAddress,
        format!("{}: {what} is forbidden ({by})", shown(url.as_str())),
    )
}

/// Refuses a hop by its scheme, its port, and its addresses if these are known.
pub(super) fn check(limits: &Limits, hop: &Hop<'_>) -> Result<(), Failure> {
    if limits.are_none() {
        return Ok(());
    }
    let (url, plan) = (hop.url, &**hop.plan);
    if let Some(by) = limits.on_scheme(url.scheme()) {
        return Err(forbidden(url, "a URL that is no https", by));
    }
    let Some((host, port)) = to(url, plan) else {
        return Ok(());
    };
    if let Some(by) = limits.on_port(port) {
        return Err(forbidden(url, &format!("port {port}"), by));
    }
    if !limits.are_on_addresses() {
        return Ok(());
    }
    let known = known(host, port, plan);
    // Of several addresses, the proxy gets or takes one, and we can't say which.
    let any = plan.proxy.is_some();
    match first_forbidden(limits, &known) {
        Some((address, by)) if any || permitted(limits, &known).next().is_none() => {
            Err(forbidden(url, &address.to_string(), by))
        }
        _ => Ok(()),
    }
}

/// Those of a name's addresses that may be connected to. If there are none, the hop is refused.
pub(super) fn sift(
    limits: &Limits,
    hop: &Hop<'_>,
    host: &str,
    addresses: Arc<[IpAddr]>,
) -> Result<Arc<[IpAddr]>, Failure> {
    let Some((address, by)) = first_forbidden(limits, &addresses) else {
        return Ok(addresses);
    };
    let left: Arc<[IpAddr]> = permitted(limits, &addresses).collect();
    match left.is_empty() {
        false => Ok(left),
        true => {
            let what = format!("{address}, the address of {host},");
            Err(forbidden(hop.url, &what, by))
        }
    }
}

/// Whether we tell the hop's proxy addresses, and therefore look them up and judge them.
pub(super) fn is_told_addresses(limits: &Limits, plan: &Plan) -> bool {
    limits.are_on_addresses() && plan.proxy_scheme() == Some(Scheme::Socks5)
}

/// The addresses of a host that are known without a look-up.
fn known(host: &str, port: u16, plan: &Plan) -> Vec<IpAddr> {
    // connect_to may write an address in any form that a URL may.
    let is = match Host::parse(host) {
        Ok(Host::Ipv4(address)) => Some(address.into()),
        Ok(Host::Ipv6(address)) => Some(address.into()),
        _ => address(host),
    };
    if let Some(address) = is {
        return vec![address];
    }
    // Other proxies look names up themselves.
    let ours = plan.proxy.is_none() || plan.proxy_scheme() == Some(Scheme::Socks5);
    if let Some(list) = plan.given(host, port).filter(|_| ours) {
        return list.to_vec();
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    match is_local(host) {
        true => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        false => Vec::new(),
    }
}

fn first_forbidden(limits: &Limits, addresses: &[IpAddr]) -> Option<(IpAddr, &'static str)> {
    let judged = |address: &IpAddr| Some((*address, limits.on_address(*address)?));
    addresses.iter().find_map(judged)
}

fn permitted(limits: &Limits, addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let is_free = |address: &&IpAddr| limits.on_address(**address).is_none();
    addresses.iter().filter(is_free).copied()
}
