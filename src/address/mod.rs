//! Reads URLs: what a job's text means, and which site it belongs to. Pure.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::ops::Range;

use url::{Host, Url};

use crate::error::{ErrorCode, Failure};

mod entry;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod given;
mod infer;
mod limits;
mod parse;
mod query;

pub(crate) use entry::{check_proxy, literal, read_connect_to, read_dns, split_host};
pub(crate) use given::{clean, named};
pub(crate) use infer::{infer, percent_decoded};
pub(crate) use limits::Limits;
pub(crate) use parse::parse;
pub(crate) use query::{parse_in, target_in};

/// The number of a URL's characters that a message shows.
const SHOWN: usize = 200;

/// A URL for people: without its credentials, and shortened if it is very long.
pub(crate) fn shown(url: &str) -> Cow<'_, str> {
    let open = masked(url);
    match open.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &open[..end]).into(),
        None => open,
    }
}

/// A URL, or text given for one, with `***` in place of its user and password.
pub(crate) fn masked(url: &str) -> Cow<'_, str> {
    match credentials(url) {
        Some(place) => format!("{}***{}", &url[..place.start], &url[place.end..]).into(),
        None => url.into(),
    }
}

/// The place of the credentials in a URL, or in text that `clean` makes one of: before the last `@` of
/// what precedes the path (URL Standard, authority state). Slashes may lean either way, or be missing.
fn credentials(url: &str) -> Option<Range<usize>> {
    // Most URLs have no credentials, and some are a megabyte long.
    if !url.contains('@') {
        return None;
    }
    let is_odd = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r');
    let bytes = url.as_bytes();
    let of_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-. \t\n\r".contains(byte);
    let scheme = bytes.iter().take_while(|byte| of_scheme(byte)).count();
    let (name, behind) = match bytes.get(scheme) {
        Some(b':') => (url[..scheme].trim(), scheme + 1),
        _ => ("", bytes.len() - url.trim_start().len()),
    };
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let skipped = bytes[behind..].iter();
    let skipped = skipped
        .take_while(|byte| is_slash(byte) || is_odd(byte))
        .count();
    let slashes = bytes[behind..behind + skipped]
        .iter()
        .filter(|byte| is_slash(byte))
        .count();
    // This is a path, or a mail address.
    if name.is_empty() && slashes == 1 || name.eq_ignore_ascii_case("mailto") {
        return None;
    }
    let start = behind + skipped;
    let authority = url[start..].split(['/', '\\', '?', '#']).next()?;
    let end = start + authority.rfind('@')?;
    (end > start).then_some(start..end)
}

/// Checks whether a URL can be requested, or says why not.
pub(crate) fn check(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("its scheme is {}, not http or https", url.scheme()));
    }
    match url.host_str() {
        None | Some("") => Err("it has no host".into()),
        // The URL standard allows it, but no name has one, and no group would own it.
        Some(host)
            if host.starts_with('.') || host.as_bytes().windows(2).any(|two| two == b"..") =>
        {
            Err("its host has an empty label".into())
        }
        Some(_) if url.port() == Some(0) => Err("port 0 can't be connected to".into()),
        Some(_) => Ok(()),
    }
}

/// The politeness key of a URL: its registrable domain by the public suffix list, private section
/// included; or its host, if it has none (an IP address, `localhost`, a suffix itself, a host under a
/// suffix that the list does not know).
pub(crate) fn group(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    if !matches!(url.host(), Some(Host::Domain(_))) {
        return host;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    match psl::domain(host.as_bytes()) {
        Some(domain) if domain.suffix().is_known() => &host[host.len() - domain.as_bytes().len()..],
        _ => host,
    }
}

/// Whether a host name, perhaps with a dot before it, belongs to nobody: it is a public suffix on the
/// list, or has no dot within.
pub(crate) fn is_public_suffix(host: &str) -> bool {
    let host = host.trim_start_matches('.').trim_end_matches('.');
    let is_known =
        |suffix: psl::Suffix<'_>| suffix.is_known() && suffix.as_bytes().len() == host.len();
    !host.contains('.') || psl::suffix(host.as_bytes()).is_some_and(is_known)
}

/// Where a page leads from `base`, by a URL in it.
pub(crate) fn join(base: &Url, text: &str) -> Result<Url, Failure> {
    let invalid = |why: String| {
        Failure::new(
            ErrorCode::InvalidRedirect,
            format!(
                "{} redirects to {:?}: {why}",
                shown(base.as_str()),
                shown(text)
            ),
        )
    };
    let url = parse(Some(base), text).map_err(|error| invalid(error.to_string()))?;
    check(&url).map_err(invalid)?;
    Ok(url)
}

/// Where a `Refresh` header leads from `base`; its bytes are read as those of a `Location`.
pub(crate) fn refresh(base: &Url, target: &[u8]) -> Result<Url, Failure> {
    join_bytes(base, target)
}

/// A URL without its fragment, which no server sees.
pub(crate) fn without_fragment(url: &str) -> &str {
    url.split('#').next().unwrap_or_default()
}

/// Whether two URLs differ at most in their fragments.
pub(crate) fn same_page(one: &Url, other: &Url) -> bool {
    without_fragment(one.as_str()) == without_fragment(other.as_str())
}

/// Where a `Location` header leads from `base`.
///
/// The header may be relative, and of any bytes (RFC 9110, section 10.2.2 asks for ASCII; servers send
/// anything). A target without a fragment inherits the base's (same section).
pub(crate) fn location(base: &Url, header: &[u8]) -> Result<Url, Failure> {
    let mut url = join_bytes(base, header)?;
    if url.fragment().is_none() {
        url.set_fragment(base.fragment());
    }
    Ok(url)
}

fn join_bytes(base: &Url, target: &[u8]) -> Result<Url, Failure> {
    let text = match std::str::from_utf8(target) {
        Ok(text) => return join(base, text),
        Err(_) => text_of(target, |byte| format!("%{byte:02X}")),
    };
    join(base, &text).map_err(|failure| {
        // With other characters in their place it can be requested: the bytes that are not UTF-8 are in
        // the host, and make it fail.
        if join(base, &text_of(target, |_| "x".into())).is_err() {
            return failure;
        }
        let message = format!(
            "{} redirects to {:?}, whose host has bytes that are no UTF-8",
            shown(base.as_str()),
            shown(&text),
        );
        Failure::new(ErrorCode::BadlyEncodedLocation, message)
    })
}

/// Bytes as text, with replacements for those that are not UTF-8. Percent-encoded, they return to their
/// server as it expects them, whatever encoding they are in.
fn text_of(bytes: &[u8], other: impl Fn(u8) -> String) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    // The length of the current run of non-ASCII bytes.
    let mut run = 0;
    for chunk in bytes.utf8_chunks() {
        let mut valid = chunk.valid();
        if run % 2 == 1
            && let Some(rest) = valid.strip_prefix('\\')
        {
            // It is the second half of a Shift_JIS, GBK or Big5 character, and not a slash.
            text.push_str(&other(b'\\'));
            (valid, run) = (rest, 0);
        }
        text.push_str(valid);
        text.extend(chunk.invalid().iter().map(|&byte| other(byte)));
        run = match valid.bytes().rev().position(|byte| byte.is_ascii()) {
            Some(behind) => behind,
            None => run + valid.len(),
        } + chunk.invalid().len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        for (url, expected) in [
            ("http://www.example.com/", "example.com"),
            ("http://example.com./", "example.com"),
            ("http://a.b.example.co.uk/", "example.co.uk"),
            ("http://someone.github.io/", "someone.github.io"),
            ("http://www.someone.github.io/", "someone.github.io"),
            ("http://github.io/", "github.io"),
            ("http://localhost:8080/", "localhost"),
            ("http://127.0.0.1:8080/", "127.0.0.1"),
            ("http://[::1]/", "[::1]"),
            ("http://a.site-1.test/", "a.site-1.test"),
        ] {
            assert_eq!(group(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn groups_by_the_public_suffix_list() {
        let table = include_str!("../../tests/data/public-suffixes.txt");
        let parsed = |host: &str| Url::parse(&format!("http://{host}/")).unwrap();
        let mut count = 0;
        for row in table.lines().filter(|row| !row.starts_with("//")) {
            let (host, domain) = row.split_once(' ').expect(row);
            let url = parsed(host);
            count += 1;
            if check(&url).is_err() {
                assert!(host.starts_with('.') && domain == "none", "{row}");
                continue;
            }
            // By the list, an unknown suffix is one label; here a host under such a suffix is its own
            // group.
            let expected = match domain {
                "none" => host,
                _ if host.ends_with(".example") => host,
                domain => domain,
            };
            assert_eq!(group(&url), parsed(expected).host_str().unwrap(), "{row}");
        }
        assert!(count > 70, "{count} rows read");
    }

    #[test]
    fn locations() {
        let base = Url::parse("http://example.com/a/b?c#frag").unwrap();
        let led = |header: &[u8]| {
            location(&base, header).map_or_else(|failure| failure.code.to_string(), String::from)
        };
        assert_eq!(led(b"/x#own"), "http://example.com/x#own");
        assert_eq!(led(b"x"), "http://example.com/a/x#frag");
        assert_eq!(led(b"//other.com/x"), "http://other.com/x#frag");
        assert_eq!(led("/é".as_bytes()), "http://example.com/%C3%A9#frag");
        assert_eq!(led(b"/\xe9"), "http://example.com/%E9#frag");
        assert_eq!(led(b"?d"), "http://example.com/a/b?d#frag");
        // Windows-1252's quotes, Shift_JIS, GBK, and a UTF-8 character that is cut off.
        assert_eq!(
            led(b"/\x93quoted\x94"),
            "http://example.com/%93quoted%94#frag"
        );
        assert_eq!(
            led(b"/\x93\xfa\x96{?\x8c\xea"),
            "http://example.com/%93%FA%96%7B?%8C%EA#frag"
        );
        assert_eq!(
            led(b"/\x95\\\x8e\xa6\\x"),
            "http://example.com/%95%5C%8E%A6/x#frag"
        );
        assert_eq!(led(b"x?\xd6\xd0#\xff"), "http://example.com/a/x?%D6%D0#%FF");
        assert_eq!(led(b"/caf\xc3"), "http://example.com/caf%C3#frag");
        assert_eq!(
            led(b"/\xc3\xa9\xe2\x82/\xc3\xa9"),
            "http://example.com/%C3%A9%E2%82/%C3%A9#frag"
        );
        // URL Standard, section 4.4: control characters are encoded, line breaks and tabs are removed.
        assert_eq!(led(b"/\x01\x7f"), "http://example.com/%01%7F#frag");
        assert_eq!(led(b" /a\t\xe9\x0b"), "http://example.com/a%E9#frag");
        assert_eq!(
            led("//b\u{fc}cher.example/".as_bytes()),
            "http://xn--bcher-kva.example/#frag"
        );
        assert_eq!(
            led(b"//b\xc3\xbccher.example/\xfc"),
            "http://xn--bcher-kva.example/%FC#frag"
        );
        // No host has such bytes.
        assert_eq!(led(b"//b\xfccher.example/"), "badly-encoded-location");
        assert_eq!(led(b"http://\x93/"), "badly-encoded-location");
        assert_eq!(led(b"//host:99999/\xfc"), "invalid-redirect");
        assert_eq!(led(b"javascript:\xfc"), "invalid-redirect");
        assert_eq!(led(b"///other.com/x"), "http://other.com/x#frag");
        assert_eq!(led(b"/C:/../x"), "http://example.com/x#frag");
        assert_eq!(led(b"javascript:alert(1)"), "invalid-redirect");
        assert_eq!(led(b"ftp://example.com/"), "invalid-redirect");
        assert_eq!(led(b"http://"), "invalid-redirect");
        assert_eq!(led(b"http://a b/"), "invalid-redirect");
    }

    #[test]
    fn messages_show_no_credentials_and_no_megabyte() {
        assert_eq!(
            shown("http://me:secret@example.com/@x"),
            "http://***@example.com/@x"
        );
        assert_eq!(
            shown("http://example.com/?a=b@c"),
            "http://example.com/?a=b@c"
        );
        assert_eq!(shown("mailto:me@example.com"), "mailto:me@example.com");
        // As read by the URL Standard, and by `clean`, which adds a scheme where there is none.
        for (url, expected) in [
            ("https://a:b@c@host/", "https://***@host/"),
            ("HTTP:\\\\me:secret@host\\x", "HTTP:\\\\***@host\\x"),
            ("http:/me:secret@host", "http:/***@host"),
            ("http:me:secret@host", "http:***@host"),
            ("//me:secret@host/", "//***@host/"),
            ("me:secret@host/", "me:***@host/"),
            (" \n http://me:secret@host/ ", " \n http://***@host/ "),
            ("ht\ttp://me:sec\nret@host/", "ht\ttp://***@host/"),
            ("http://me@host?me:secret@x", "http://***@host?me:secret@x"),
            ("http://host:80/@a:b@c", "http://host:80/@a:b@c"),
            ("host:80/a@b", "host:80/a@b"),
            ("/a@b", "/a@b"),
            ("@", "@"),
            ("", ""),
            ("é:é@é", "***@é"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
            assert_eq!(masked(url), expected, "{url}");
        }
        let long = format!("http://example.com/{}", "é".repeat(1000));
        assert_eq!(shown(&long).chars().count(), SHOWN + 1);
    }

    proptest::proptest! {
        #[test]
        fn a_location_leads_to_http_or_nowhere(header: Vec<u8>) {
            let base = Url::parse("https://example.com/").unwrap();
            if let Ok(url) = location(&base, &header) {
                proptest::prop_assert!(check(&url).is_ok());
            }
        }
    }
}
