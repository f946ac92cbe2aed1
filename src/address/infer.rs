//! Guesses from a URL itself where it redirects to, without a request.

use std::borrow::Cow;

use url::{Position, Url};

use super::{check, group};

/// The parameters in which redirectors hold their target, in any case.
const NAMES: [&str; 12] = [
    "url",
    "u",
    "target",
    "redirect",
    "redirect_to",
    "l",
    "link",
    "next",
    "goto",
    "redir",
    "orig",
    // Only in some places: see `holds_target`.
    "q",
];

/// One step towards the target that a URL holds within itself: in a parameter with a usual name, or
/// behind the address of an AMP cache.
///
/// It is a guess, because a parameter `link` may mean something else. The first parameter counts that
/// holds an absolute URL, or a path from the root of the same site.
pub(crate) fn infer(url: &Url) -> Option<Url> {
    let target = amp(url).or_else(|| parameter(url))?;
    (check(&target).is_ok() && target != *url).then_some(target)
}

/// The target in a parameter. Redirectors also put parameters behind `&` without any `?`, and into the
/// fragment, where a page's script finds them.
fn parameter(url: &Url) -> Option<Url> {
    let mut rest = &url[Position::BeforePath..];
    while let Some(at) = rest.find(['?', '&']) {
        rest = &rest[at + 1..];
        let end = rest.find(['=', '?', '&']).unwrap_or(rest.len());
        let Some(value) = rest[end..].strip_prefix('=') else {
            continue;
        };
        // A URL copied from a page's source has `&amp;` for `&`.
        let name = &rest[..end];
        let name = name.strip_prefix("amp;").unwrap_or(name);
        let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
        rest = value;
        if let Some(known) = known {
            // A `?` in the value belongs to the target.
            let value = &value[..value.find('&').unwrap_or(value.len())];
            rest = &rest[value.len()..];
            if let Some(target) = holds_target(url, known, value) {
                return Some(target);
            }
        }
    }
    None
}

/// The target in the value of a parameter with that name.
fn holds_target(url: &Url, name: &str, value: &str) -> Option<Url> {
    let text = decoded(value);
    let text = text.trim_matches(|c: char| c <= ' ');
    // The target was encoded twice.
    let text = match has_prefix(text, "http%3A") || has_prefix(text, "https%3A") {
        true => decoded(text),
        false => text.into(),
    };
    // A URL parser would drop some of these and join what they separate.
    if text.contains(|c: char| c.is_control()) {
        return None;
    }
    let is_absolute = has_prefix(&text, "http://") || has_prefix(&text, "https://");
    let path = url.path().trim_end_matches('/');
    let is_redirector = path.ends_with("/url") || path.ends_with("/redirect");
    let target = match name {
        // A search for a URL does not redirect to it.
        "q" if !is_redirector => None,
        _ if is_absolute => super::parse(None, &text).ok(),
        // YouTube lets its users omit the scheme.
        "q" if group(url) == "youtube.com" => with_scheme("https", &text),
        "q" => None,
        _ if text.starts_with('/') => super::parse(Some(url), &text).ok(),
        _ => None,
    };
    target.filter(|target| check(target).is_ok())
}

/// The page behind an AMP cache: `…cdn.ampproject.org/c/s/host/path`, `google.com/amp/s/host/path`. The
/// `s` stands for https.
fn amp(url: &Url) -> Option<Url> {
    let host = url.host_str()?;
    let site = group(url);
    let is_cache = host == "cdn.ampproject.org" || host.ends_with(".cdn.ampproject.org");
    let is_viewer = (site.starts_with("google.") || site == "bing.com")
        && (host == site || host.strip_suffix(site) == Some("www."));
    let rest = &url[Position::BeforePath..];
    let after = |prefix: &str| has_prefix(rest, prefix).then(|| &rest[prefix.len()..]);
    let rest = match (is_cache, is_viewer) {
        (true, _) => after("/c/").or_else(|| after("/v/"))?,
        (_, true) => after("/amp/")?,
        _ => return None,
    };
    let (scheme, rest) = match has_prefix(rest, "s/") {
        true => ("https", &rest[2..]),
        false => ("http", rest),
    };
    // A viewer encodes the page's `?`, because the viewer's path ends there.
    let encoded = rest.get(..rest.find(['?', '#']).unwrap_or(rest.len()))?;
    let query = encoded.find("%3F").or_else(|| encoded.find("%3f"));
    match query.filter(|_| is_viewer) {
        Some(at) => with_scheme(scheme, &format!("{}?{}", &rest[..at], &rest[at + 3..])),
        None => with_scheme(scheme, rest),
    }
}

/// The URL of text that starts with a host. A host without a dot does not count: it is some other word.
fn with_scheme(scheme: &str, text: &str) -> Option<Url> {
    let host = text.split(['/', '?', '#']).next()?;
    let is_host = host.contains('.') && !host.starts_with('.') && !host.contains([' ', '@', '\\']);
    super::parse(None, &format!("{scheme}://{text}"))
        .ok()
        .filter(|_| is_host)
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Text with its percent-encoding decoded. Bytes that are not UTF-8 stay encoded, for the server that
/// knows what they are.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let bytes = percent_decoded(text.as_bytes());
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        for byte in chunk.invalid() {
            decoded.push_str(&format!("%{byte:02X}"));
        }
    }
    decoded.into()
}

/// Bytes with their percent-encoding decoded; a `%` that starts no code stays.
pub(crate) fn percent_decoded(mut text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    while let [first, rest @ ..] = text {
        let code = match (first, rest) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match code {
            Some((high, low)) => {
                bytes.push((high * 16 + low) as u8);
                text = &rest[2..];
            }
            None => {
                bytes.push(*first);
                text = rest;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inferred(url: &str) -> Option<String> {
        infer(&Url::parse(url).unwrap()).map(String::from)
    }

    #[test]
    fn names() {
        for name in NAMES {
            let expected = (name != "q").then(|| "http://b.com/x".to_owned());
            for name in [name.to_owned(), name.to_uppercase()] {
                let url = format!("http://a.com/p?x=1&{name}=http%3A%2F%2Fb.com%2Fx&y=2");
                assert_eq!(inferred(&url), expected, "{url}");
            }
        }
        for name in [
            "xurl", "my_url", "url2", "to", "dest", "uri", "ref", "return", "",
        ] {
            let url = format!("http://a.com/?{name}=http%3A%2F%2Fb.com%2Fx");
            assert_eq!(inferred(&url), None, "{url}");
        }
    }

    #[test]
    fn infers() {
        for (url, expected) in [
            // ural does the same.
            (
                "http://a.com/?url=http://b.com/x?z=1&y=2",
                "http://b.com/x?z=1",
            ),
            (
                "http://a.com/?url=http%3A%2F%2Fb.com%2Fx%3Fz%3D1%26w%3D2&y",
                "http://b.com/x?z=1&w=2",
            ),
            ("http://a.com/?url=%68ttp:%2f%2fb.com", "http://b.com/"),
            ("http://a.com/?url=//b.com/x", "http://b.com/x"),
            ("https://a.com:81/p/?next=%2Fx%3Fz", "https://a.com:81/x?z"),
            (
                "http://a.com/?url=http%3A%2F%2Fb.com%2Fx+y%20z%2520%C3%A9",
                "http://b.com/x+y%20z%20%C3%A9",
            ),
            (
                "http://a.com/?url=http%3A%2F%2Fb.com%2Fx#frag",
                "http://b.com/x#frag",
            ),
            ("http://a.com/x&url=http%3A%2F%2Fb.com", "http://b.com/"),
            ("http://a.com/#/x?url=http%3A%2F%2Fb.com", "http://b.com/"),
            (
                "http://a.com/?redirect=http://c.com/&url=http://b.com/",
                "http://c.com/",
            ),
            ("http://a.com/?url=&url=http://c.com/", "http://c.com/"),
            (
                "http://a.com/?x=http://b.com?url=http%3A%2F%2Fc.com",
                "http://c.com/",
            ),
            (
                "http://a.com/?url=http%3A%2F%2Fb.com%2F%3Furl%3Dhttp%253A%252F%252Fc.com",
                "http://b.com/?url=http%3A%2F%2Fc.com",
            ),
            (
                "https://l.facebook.com/l.php?h=A&u=https%3A%2F%2Fb.com%2Fx%3Ffbclid%3D1",
                "https://b.com/x?fbclid=1",
            ),
            (
                "https://www.google.com/url?q=http%3A%2F%2Fb.com",
                "http://b.com/",
            ),
            (
                "https://www.google.com/url?sa=t&q=&url=http%3A%2F%2Fb.com",
                "http://b.com/",
            ),
            (
                "https://www.youtube.com/redirect?event=x&q=b.com%2Fx&v=1",
                "https://b.com/x",
            ),
            (
                "https://b-com.cdn.ampproject.org/c/s/b.com/x?a=1#f",
                "https://b.com/x?a=1#f",
            ),
            ("https://cdn.ampproject.org/v/s/b.com/x", "https://b.com/x"),
            (
                "https://b-com.cdn.ampproject.org/?url=http%3A%2F%2Fb.com",
                "http://b.com/",
            ),
            // ural does otherwise, or nothing.
            (
                "http://b-com.cdn.ampproject.org/c/b.com/x",
                "http://b.com/x",
            ),
            (
                "https://www.google.com/amp/s/b.com/x%3Famp=1",
                "https://b.com/x?amp=1",
            ),
            ("https://google.co.uk/amp/b.com/x", "http://b.com/x"),
            (
                "https://www.google.com/url?sa=t&q=http%3A%2F%2Fb.com",
                "http://b.com/",
            ),
            (
                "http://a.com/?link=42&url=http%3A%2F%2Fb.com",
                "http://b.com/",
            ),
            (
                "http://a.com/?url=http://a%20b/&u=http://b.com",
                "http://b.com/",
            ),
            (
                "http://a.com/?x=1&amp;url=http%3A%2F%2Fb.com",
                "http://b.com/",
            ),
            ("http://a.com/?url=HTTP%3A%2F%2FB.com", "http://b.com/"),
            ("http://a.com/?url=%20http%3A%2F%2Fb.com", "http://b.com/"),
            (
                "http://a.com/?url=https%253A%252F%252Fb.com",
                "https://b.com/",
            ),
            (
                "http://a.com/?url=http%3A%2F%2Fb.com%2F%E9",
                "http://b.com/%E9",
            ),
        ] {
            assert_eq!(inferred(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn infers_nothing() {
        for url in [
            "http://a.com/",
            "http://a.com/?url",
            "http://a.com/?url=",
            "http://a.com/?url=x",
            "http://a.com/?url=b.com/x",
            "http://a.com/?url=../x",
            "http://a.com/?url=http",
            "http://a.com/?url=http://",
            "http://a.com/?url=http:b.com",
            "http://a.com/?url=ftp://b.com",
            "http://a.com/?url=javascript:alert(1)",
            "http://a.com/?url=http://b..com",
            "http://a.com/?url=http://b.com:99999",
            "http://a.com/?url=foo http://b.com",
            "http://a.com/?url=http%3A%2F%2Fb.com%0A%0Dx",
            "http://a.com/url=http://b.com",
            "http://a.com/http://b.com",
            "http://a.com/?http://b.com",
            "http://a.com/?url=//",
            "https://www.google.com/search?q=http://b.com",
            "https://www.google.com/url?q=b.com",
            "https://www.google.com/url?q=/x",
            "https://www.youtube.com/redirect?q=foo",
            "https://www.youtube.com/watch?q=b.com",
            "https://cdn.ampproject.org/c/s/",
            "https://cdn.ampproject.org/c/s",
            "https://cdn.ampproject.org/i/s/b.com/x.png",
            "https://www.ampproject.org/c/s/b.com/x",
            "https://a.com/x.cdn.ampproject.org/c/s/b.com/x",
            "https://a.com/amp/s/b.com/x",
            "https://www.google.com/amp/s/about",
        ] {
            assert_eq!(inferred(url), None, "{url}");
        }
        assert_eq!(
            inferred("http://a.com/x?a&url=http://a.com/x?a"),
            Some("http://a.com/x?a".into())
        );
        assert_eq!(
            inferred("http://a.com/x#?url=%2Fx"),
            Some("http://a.com/x".into())
        );
    }

    #[test]
    fn long_urls_take_no_longer_by_the_byte() {
        for piece in ["?url=", "&url=http://", "?", "&url=%2", "url=/"] {
            let url = format!("http://a.com/?{}", piece.repeat(200_000 / piece.len()));
            infer(&Url::parse(&url).unwrap());
        }
    }

    proptest::proptest! {
        #[test]
        fn a_target_can_be_requested(rest in "(url|u|q|=|&|\\?|#|/|http|://|%3A|%2F|%25|%|b\\.com|amp;|/url|/redirect|é|\\.| ){0,24}") {
            for host in ["a.com", "www.google.com", "youtube.com", "x.cdn.ampproject.org"] {
                for path in ["", "c/s/", "amp/", "?url="] {
                    if let Ok(url) = Url::parse(&format!("http://{host}/{path}{rest}"))
                        && let Some(target) = infer(&url)
                    {
                        proptest::prop_assert!(check(&target).is_ok());
                        proptest::prop_assert_ne!(target, url);
                    }
                }
            }
        }

        #[test]
        fn any_text(rest in "\\PC{0,60}") {
            if let Ok(url) = Url::parse(&format!("http://a.com/?url={rest}"))
                && let Some(target) = infer(&url)
            {
                proptest::prop_assert!(check(&target).is_ok());
            }
        }
    }
}
