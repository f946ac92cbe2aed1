//! The cookies of one attempt at a stateful job (RFC 6265).

use cookie_store::{CookieStore, RawCookie};
use url::Url;

use crate::address;
use crate::headers::Headers;

/// What the answers of an attempt have set so far.
#[derive(Default)]
pub(super) struct Jar {
    store: CookieStore,
}

impl Jar {
    /// Takes in the cookies of an answer from `url`. One for another site, or for all of a public
    /// suffix such as `co.uk`, is passed over, and so is one that is no UTF-8 or has a control
    /// character, which could end the line that it is sent back in.
    pub fn take(&mut self, url: &Url, headers: &Headers) {
        for (name, value) in headers.lines() {
            if !name.eq_ignore_ascii_case(b"set-cookie") {
                continue;
            }
            let Some(mut cookie) = std::str::from_utf8(value)
                .ok()
                .filter(|text| !text.contains(|c: char| c.is_control() && c != '\t'))
                .and_then(|text| RawCookie::parse(text).ok())
            else {
                continue;
            };
            let domain = cookie.domain().map(str::to_ascii_lowercase);
            // RFC 6265, section 4.1.1: names in ASCII. Others could turn into a suffix later.
            if domain.as_ref().is_some_and(|domain| !domain.is_ascii()) {
                continue;
            }
            if let Some(domain) = domain
                && address::is_public_suffix(&domain)
            {
                if url.host_str() != Some(&*domain) {
                    continue;
                }
                // Section 5.3, step 5: the host that is a suffix itself may have its own.
                cookie.unset_domain();
            }
            // One that is refused or has expired leaves nothing to send.
            let _ = self.store.insert_raw(&cookie, url);
        }
    }

    /// The value of the `Cookie` header for a request to `url`. `own`: what the caller wants sent
    /// there; a cookie of that name that an answer has set comes instead.
    pub fn header(&self, url: &Url, own: Option<&str>) -> Option<String> {
        let mut cookies = self.store.matches(url);
        // Longer paths first (section 5.4); then by name, to be the same each time.
        cookies.sort_by_key(|cookie| {
            let path: &str = &cookie.path;
            (std::cmp::Reverse(path.len()), cookie.name())
        });
        let mut pairs: Vec<String> = own
            .into_iter()
            .flat_map(|own| own.split(';'))
            .map(str::trim)
            .filter(|pair| {
                let name = pair.split('=').next().unwrap_or_default().trim();
                !pair.is_empty() && cookies.iter().all(|cookie| cookie.name() != name)
            })
            .map(str::to_owned)
            .collect();
        pairs.extend(cookies.iter().map(|cookie| {
            let (name, value) = cookie.name_value();
            format!("{name}={value}")
        }));
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn jar(from: &str, cookies: &[&str]) -> Jar {
        let mut headers = Headers::default();
        for cookie in cookies {
            headers.push(format!("Set-Cookie: {cookie}\r\n").as_bytes());
        }
        let mut jar = Jar::default();
        jar.take(&url(from), &headers);
        jar
    }

    #[track_caller]
    fn assert_sent(from: &str, cookie: &str, to: &str, expected: Option<&str>) {
        let sent = jar(from, &[cookie]).header(&url(to), None);
        assert_eq!(sent.as_deref(), expected, "{cookie} of {from} to {to}");
    }

    #[test]
    fn a_cookie_goes_where_it_is_meant_to() {
        let from = "http://www.example.co.uk/a/b";
        for (cookie, to, sent) in [
            // Of the host only, unless a domain is given.
            ("k=v", "http://www.example.co.uk/a/", true),
            ("k=v", "http://www.example.co.uk:81/a/", true),
            ("k=v", "https://www.example.co.uk/a/", true),
            ("k=v", "http://example.co.uk/a/", false),
            ("k=v", "http://x.www.example.co.uk/a/", false),
            ("k=v; Domain=example.co.uk", "http://example.co.uk/a/", true),
            (
                "k=v; Domain=.example.co.uk",
                "http://x.example.co.uk/a/",
                true,
            ),
            (
                "k=v; Domain=EXAMPLE.co.uk",
                "http://x.example.co.uk/a/",
                true,
            ),
            // Not another's, nor a whole suffix's.
            ("k=v; Domain=other.co.uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=co.uk", "http://www.example.co.uk/a/", false),
            ("k=v; Domain=co.uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=.co.uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=uk", "http://www.example.co.uk/a/", false),
            ("k=v; Domain=ｃｏ.ｕｋ", "http://other.co.uk/a/", false),
            ("k=v; Domain=co.\u{200b}uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=co。uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=co.uk.", "http://other.co.uk/a/", false),
            // Paths: by default that of the page's folder.
            ("k=v", "http://www.example.co.uk/a", true),
            ("k=v", "http://www.example.co.uk/ab", false),
            ("k=v", "http://www.example.co.uk/", false),
            ("k=v; Path=/", "http://www.example.co.uk/", true),
            ("k=v; Path=/c", "http://www.example.co.uk/c/d", true),
            ("k=v; Path=/c", "http://www.example.co.uk/cd", false),
            // Expiry.
            ("k=v; Max-Age=60", "http://www.example.co.uk/a/", true),
            ("k=v; Max-Age=0", "http://www.example.co.uk/a/", false),
            ("k=v; Max-Age=-1", "http://www.example.co.uk/a/", false),
            (
                "k=v; Expires=Wed, 21 Oct 2015 07:28:00 GMT",
                "http://www.example.co.uk/a/",
                false,
            ),
            (
                "k=v; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
                "http://www.example.co.uk/a/",
                true,
            ),
        ] {
            assert_sent(from, cookie, to, sent.then_some("k=v"));
        }
        let from = "https://example.com/";
        assert_sent(from, "k=v; Secure", "https://example.com/", Some("k=v"));
        assert_sent(from, "k=v; Secure", "http://example.com/", None);
    }

    #[test]
    fn a_host_that_is_a_suffix_has_cookies_of_its_own() {
        let from = "http://github.io/";
        assert_sent(from, "k=v; Domain=github.io", from, Some("k=v"));
        assert_sent(from, "k=v; Domain=github.io", "http://a.github.io/", None);
        assert_sent("http://127.0.0.1/", "k=v", "http://127.0.0.1/", Some("k=v"));
        assert_sent("http://localhost/", "k=v", "http://localhost/", Some("k=v"));
    }

    #[test]
    fn a_later_cookie_takes_the_place_of_an_earlier_one() {
        let set = jar("http://a.com/", &["a=1", "b=2", "a=3", "b=; Max-Age=0"]);
        assert_eq!(
            set.header(&url("http://a.com/"), None).as_deref(),
            Some("a=3")
        );
    }

    #[test]
    fn the_callers_own_come_first_and_give_way_to_those_set() {
        let set = jar("http://a.com/x/y", &["b=2; Path=/", "c=3"]);
        let sent = set.header(&url("http://a.com/x/"), Some("a=1; b=old;; d"));
        assert_eq!(sent.as_deref(), Some("a=1; d; c=3; b=2"));
        assert_eq!(Jar::default().header(&url("http://a.com/"), None), None);
    }
}
