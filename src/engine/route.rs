//! Where a hop goes, whichever engine takes it there.

use url::Url;

pub(super) use crate::address::literal as address;
use crate::plan::Plan;

/// The host and port of a URL.
pub(super) fn own(url: &Url) -> Option<(&str, u16)> {
    Some((url.host_str()?, url.port_or_known_default()?))
}

/// Where `connect_to` leads a URL, if anywhere.
pub(super) fn led<'a>(url: &'a Url, plan: &'a Plan) -> Option<(&'a str, u16)> {
    let (host, port) = own(url)?;
    plan.led(host, port)
}

/// The host and port that a hop connects to.
pub(super) fn to<'a>(url: &'a Url, plan: &'a Plan) -> Option<(&'a str, u16)> {
    led(url, plan).or_else(|| own(url))
}

/// RFC 6761, section 6.3: curl connects these to the loopback addresses without a look-up.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}
