//! The cookies of one attempt at a stateful job (RFC 6265, and the prefixes of its successor,
//! draft-ietf-httpbis-rfc6265bis).
//!
//! The jar is our own, because a cookie may have any octets: the crates `cookie` and `cookie_store`
//! read it as UTF-8, know few forms of dates, and send cookies in no order.

use std::cmp::Reverse;
use std::time::{SystemTime, UNIX_EPOCH};

use url::{Host, Url};

use crate::address;
use crate::headers::Headers;

mod date;

/// The most cookies kept, which is what RFC 6265, section 6.1 asks for at least. The oldest goes first.
const MOST: usize = 3000;

/// What the answers of an attempt have set so far.
#[derive(Default)]
pub(super) struct Jar {
    /// The cookies in the order of their creation.
    cookies: Vec<Cookie>,
}

/// A cookie that is kept (section 5.3).
struct Cookie {
    name: Box<[u8]>,
    value: Box<[u8]>,
    /// When it ends, in seconds of Unix's time.
    expires: Option<i64>,
    domain: Box<str>,
    /// Whether it is for exactly that host.
    host_only: bool,
    path: Box<[u8]>,
    secure: bool,
}

/// The value of a `Set-Cookie` header as it is read (section 5.2).
#[derive(Default)]
struct Given<'a> {
    name: &'a [u8],
    value: &'a [u8],
    expires: Option<i64>,
    /// In seconds.
    max_age: Option<i64>,
    /// The domain without its leading dot, in lower case. Empty means none.
    domain: Vec<u8>,
    /// `None`: the path of the URL that set it.
    path: Option<&'a [u8]>,
    secure: bool,
}

impl Jar {
    /// Takes the cookies of an answer from `url`. Cookies for another site, or for a whole public
    /// suffix such as `co.uk`, are passed over.
    pub fn take(&mut self, url: &Url, headers: &Headers) {
        let now = now();
        for value in headers.get_all("set-cookie") {
            if let Some(given) = Given::read(value) {
                self.keep(url, given, now);
            }
        }
    }

    /// Section 5.3.
    fn keep(&mut self, url: &Url, given: Given<'_>, now: i64) {
        let Some(host) = url.host_str() else { return };
        let Ok(domain) = std::str::from_utf8(&given.domain) else {
            // No host has such a name.
            return;
        };
        // A host that is itself a suffix may have its own cookies (step 5).
        let is_suffix = !domain.is_empty() && address::is_public_suffix(domain);
        let host_only = domain.is_empty() || is_suffix && domain == host;
        if !host_only && (is_suffix || !domain_matches(url, domain)) {
            return;
        }
        let path = given.path.unwrap_or_else(|| default_path(url));
        // Section 5.7 of 6265bis, step 20 and after.
        let is_prefixed = |prefix: &[u8]| {
            let start = given.name.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let is_host = is_prefixed(b"__Host-");
        if (is_host || is_prefixed(b"__Secure-")) && !(given.secure && is_secure(url))
            || is_host && !(host_only && given.path == Some(b"/"))
        {
            return;
        }
        let cookie = Cookie {
            name: given.name.into(),
            value: given.value.into(),
            expires: match given.max_age {
                Some(seconds) if seconds <= 0 => Some(i64::MIN),
                Some(seconds) => Some(now.saturating_add(seconds)),
                None => given.expires,
            },
            domain: if host_only { host } else { domain }.into(),
            host_only,
            path: path.into(),
            secure: given.secure,
        };
        let place = self.cookies.iter().position(|other| {
            other.name == cookie.name && other.domain == cookie.domain && other.path == cookie.path
        });
        match (place, cookie.is_over(now)) {
            // The cookie inherits the creation time of the one before.
            (Some(at), false) => self.cookies[at] = cookie,
            (Some(at), true) => drop(self.cookies.remove(at)),
            (None, false) => {
                if self.cookies.len() == MOST {
                    self.cookies.remove(0);
                }
                self.cookies.push(cookie);
            }
            (None, true) => {}
        }
    }

    /// The value of the `Cookie` header for a request to `url` (section 5.4). `own` is what the caller
    /// wants sent there. It comes first, but a cookie that an answer set replaces one of the same name.
    pub fn header(&self, url: &Url, own: Option<&str>) -> Option<Vec<u8>> {
        let now = now();
        let fits = |cookie: &&Cookie| cookie.fits(url) && !cookie.is_over(now);
        let mut cookies: Vec<&Cookie> = self.cookies.iter().filter(fits).collect();
        // Longer paths come first, then earlier creation, which the stable sort keeps.
        cookies.sort_by_key(|cookie| Reverse(cookie.path.len()));
        let own = own.into_iter().flat_map(|own| own.split(';'));
        let own = own.map(str::trim).filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default().trim();
            let is_set = cookies
                .iter()
                .any(|cookie| *cookie.name == *name.as_bytes());
            !pair.is_empty() && !is_set
        });
        let mut pairs: Vec<Vec<u8>> = own.map(|pair| pair.as_bytes().to_vec()).collect();
        pairs.extend(
            cookies
                .iter()
                .map(|cookie| [&*cookie.name, &*cookie.value].join(&b'=')),
        );
        (!pairs.is_empty()).then(|| pairs.join(&b"; "[..]))
    }
}

impl Cookie {
    fn is_over(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether it is sent to a URL.
    fn fits(&self, url: &Url) -> bool {
        let is_at_home = match self.host_only {
            true => url.host_str() == Some(&*self.domain),
            false => domain_matches(url, &self.domain),
        };
        is_at_home
            && path_matches(url.path().as_bytes(), &self.path)
            && (!self.secure || is_secure(url))
    }
}

impl<'a> Given<'a> {
    /// Section 5.2. `None`: it has no name, or it has a control character, which could end the line
    /// that it is sent back in and for which 6265bis refuses it.
    fn read(text: &'a [u8]) -> Option<Self> {
        if text
            .iter()
            .any(|&byte| byte.is_ascii_control() && byte != b'\t')
        {
            return None;
        }
        let mut parts = text.split(|&byte| byte == b';');
        let (name, value) = split_at_equals(parts.next()?);
        let mut given = Given {
            name,
            value: value?,
            ..Self::default()
        };
        for attribute in parts {
            let (name, value) = split_at_equals(attribute);
            given.take(name, value.unwrap_or_default());
        }
        (!name.is_empty()).then_some(given)
    }

    /// Takes an attribute; the last of a name counts.
    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("Expires") {
            self.expires = date::seconds(value).or(self.expires);
        } else if is("Max-Age") {
            self.max_age = seconds_of(value).or(self.max_age);
        } else if is("Domain") && !value.is_empty() {
            self.domain = value
                .strip_prefix(b".")
                .unwrap_or(value)
                .to_ascii_lowercase();
        } else if is("Path") {
            self.path = Some(value).filter(|path| path.starts_with(b"/"));
        } else if is("Secure") {
            self.secure = true;
        }
    }
}

/// The parts before and behind the first `=`, without the white space around them. A cookie has no
/// control characters but tabs.
fn split_at_equals(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |&byte| byte == b'=').map(<[u8]>::trim_ascii);
    (parts.next().unwrap_or_default(), parts.next())
}

/// The value of `Max-Age` (section 5.2.2): digits, perhaps with a minus before them.
fn seconds_of(value: &[u8]) -> Option<i64> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?;
    // A number too large to count is treated as the largest.
    Some(
        text.parse()
            .unwrap_or(if value == digits { i64::MAX } else { i64::MIN }),
    )
}

/// Section 5.1.3: the URL's host, or a domain above it; an address has none above it.
fn domain_matches(url: &Url, domain: &str) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    host == domain
        || matches!(url.host(), Some(Host::Domain(_)))
            && host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'))
}

/// Section 5.1.4: the folder of the URL's path.
fn default_path(url: &Url) -> &[u8] {
    let path = url.path().as_bytes();
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(end) if end > 0 => &path[..end],
        _ => b"/",
    }
}

/// The same section.
fn path_matches(asked: &[u8], path: &[u8]) -> bool {
    asked
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || path.ends_with(b"/") || rest.starts_with(b"/"))
}

/// Whether what is sent there can't be read on the way: over TLS, or within this machine, as in
/// browsers (Secure Contexts, section 3.1).
fn is_secure(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
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
        let sent = sent.map(|sent| String::from_utf8_lossy(&sent).into_owned());
        assert_eq!(sent.as_deref(), expected, "{cookie} of {from} to {to}");
    }

    #[test]
    fn a_cookie_goes_where_it_is_meant_to() {
        let from = "http://www.example.co.uk/a/b";
        for (cookie, to, sent) in [
            // Cookies are for the host only, unless a domain is given.
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
            // They are not for another domain or for a whole suffix.
            ("k=v; Domain=other.co.uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=co.uk", "http://www.example.co.uk/a/", false),
            ("k=v; Domain=co.uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=.co.uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=uk", "http://www.example.co.uk/a/", false),
            ("k=v; Domain=ｃｏ.ｕｋ", "http://other.co.uk/a/", false),
            ("k=v; Domain=co.\u{200b}uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=co。uk", "http://other.co.uk/a/", false),
            ("k=v; Domain=co.uk.", "http://other.co.uk/a/", false),
            // The default path is that of the page's folder.
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
        let sent = set.header(&url("http://a.com/"), None);
        assert_eq!(sent.as_deref(), Some(&b"a=3"[..]));
    }

    #[test]
    fn the_callers_own_come_first_and_give_way_to_those_set() {
        let set = jar("http://a.com/x/y", &["b=2; Path=/", "c=3"]);
        let sent = set.header(&url("http://a.com/x/"), Some("a=1; b=old;; d"));
        assert_eq!(sent.as_deref(), Some(&b"a=1; d; c=3; b=2"[..]));
        assert_eq!(Jar::default().header(&url("http://a.com/"), None), None);
    }

    /// RFC 6265, section 5.2.
    #[test]
    fn a_cookie_is_read_as_the_rfc_has_it() {
        let from = "http://a.com/x/y";
        let to = "http://a.com/x/";
        for (cookie, sent) in [
            ("k=v", Some("k=v")),
            (" k = v ", Some("k=v")),
            ("k\t=\tv w\t; x", Some("k=v w")),
            ("k=", Some("k=")),
            ("k=a=b", Some("k=a=b")),
            ("k=\"a b\"", Some("k=\"a b\"")),
            ("k=\"a;b\"", Some("k=\"a")),
            ("k=a, b=c", Some("k=a, b=c")),
            ("k=%20", Some("k=%20")),
            ("k k=v", Some("k k=v")),
            // A cookie without a name is none.
            ("k", None),
            ("=v", None),
            ("", None),
            (";k=v", None),
            // The last attribute of a name counts, in any case; an unreadable one does not.
            ("k=v; path=/z; PATH=/x", Some("k=v")),
            ("k=v; path=/x; path=/z", None),
            ("k=v; path=/z; path=", Some("k=v")),
            ("k=v; path=z", Some("k=v")),
            ("k=v; Domain=b.com; Domain=a.com", Some("k=v")),
            ("k=v; Domain=a.com; Domain=b.com", None),
            ("k=v; Domain=a.com; Domain=", Some("k=v")),
            ("k=v; Domain=", Some("k=v")),
            ("k=v; Domain=.", Some("k=v")),
            ("k=v; Domain=..a.com", None),
            ("k=v; Domain=.A.COM", Some("k=v")),
            ("k=v; Max-Age=10; Max-Age=0", None),
            ("k=v; Max-Age=0; Max-Age=10", Some("k=v")),
            (
                "k=v; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                Some("k=v"),
            ),
            (
                "k=v; Max-Age=0; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
                None,
            ),
            ("k=v; Max-Age=-5", None),
            ("k=v; Max-Age=+0", Some("k=v")),
            ("k=v; Max-Age=0x", Some("k=v")),
            ("k=v; Max-Age=-", Some("k=v")),
            ("k=v; Max-Age=99999999999999999999", Some("k=v")),
            ("k=v; Max-Age=-99999999999999999999", None),
            ("k=v; Expires=never", Some("k=v")),
            (
                "k=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=never",
                None,
            ),
            ("k=v; Secure; HttpOnly; SameSite=Strict; Other", None),
            ("k=v; HttpOnly", Some("k=v")),
            ("k=v\u{1}", None),
            ("k=v; x=\u{7f}", None),
        ] {
            assert_sent(from, cookie, to, sent);
        }
    }

    #[test]
    fn cookies_are_octets() {
        for value in [
            &b"\xe9\xff\x80"[..],
            b"\x93\xfa\x96{",
            "\u{444}\u{85}".as_bytes(),
        ] {
            let mut headers = Headers::default();
            headers.push(&[b"Set-Cookie: n", value, b"=v", value, b"; Path=/"].concat());
            let mut jar = Jar::default();
            jar.take(&url("http://a.com/x"), &headers);
            let sent = jar.header(&url("http://a.com/"), Some("own=\u{e9}"));
            let expected = [b"own=\xc3\xa9; n", value, b"=v", value].concat();
            assert_eq!(sent, Some(expected));
        }
        // No host has such a name, and no URL such a path.
        for attribute in [&b"Domain=\xe9.com"[..], b"Domain=a.com\xff", b"Path=/\xe9"] {
            let mut headers = Headers::default();
            headers.push(&[b"Set-Cookie: n=v; ", attribute].concat());
            let mut jar = Jar::default();
            jar.take(&url("http://a.com/\u{e9}"), &headers);
            assert_eq!(jar.header(&url("http://a.com/\u{e9}"), None), None);
        }
    }

    /// RFC 6265, section 5.4, step 2; and 5.3, step 11, by which a cookie keeps its creation time.
    #[test]
    fn longer_paths_come_first_and_then_those_created_earlier() {
        let cookies = [
            "z=1; Path=/",
            "a=2; Path=/",
            "m=3; Path=/x/",
            "b=4; Path=/x/y",
            "c=5; Path=/x",
            "z=6; Path=/",
            "a=7; Path=/x",
            "d=8; Path=/; Domain=a.com",
        ];
        let set = jar("http://a.com/x/y", &cookies);
        let sent = set.header(&url("http://a.com/x/y/z"), None);
        let expected = "b=4; m=3; c=5; a=7; z=6; a=2; d=8";
        assert_eq!(sent.as_deref(), Some(expected.as_bytes()));
    }

    /// RFC 6265bis, section 4.1.3.
    #[test]
    fn prefixes_promise_something() {
        let to = "https://www.a.com/";
        for (cookie, https, http) in [
            ("__Secure-k=v; Secure; Path=/", true, false),
            ("__Secure-k=v; Secure; Domain=a.com; Path=/", true, false),
            ("__secure-k=v; Secure; Path=/", true, false),
            ("__Secure-k=v; Path=/", false, false),
            ("__Host-k=v; Secure; Path=/", true, false),
            ("__HOST-k=v; Path=/", false, false),
            ("__Host-k=v; Secure", false, false),
            ("__Host-k=v; Secure; Path=", false, false),
            ("__Host-k=v; Secure; Path=/x", false, false),
            ("__Host-k=v; Secure; Path=/; Domain=www.a.com", false, false),
            ("__Host-k=v; Secure; Path=/; Domain=", true, false),
            ("__Host=v; Path=/", true, true),
            ("_Secure-k=v; Path=/", true, true),
        ] {
            for (from, sent) in [("https://www.a.com/", https), ("http://www.a.com/", http)] {
                let pair = cookie.split(';').next().filter(|_| sent);
                assert_sent(from, cookie, to, pair);
            }
        }
    }

    #[test]
    fn this_machine_is_secure() {
        for (to, sent) in [
            ("http://localhost/", true),
            ("http://127.0.0.2/", true),
            ("http://[::1]/", true),
            ("http://10.0.0.1/", false),
        ] {
            assert_sent(to, "k=v; Secure", to, sent.then_some("k=v"));
        }
        // An address is in no domain (section 5.1.3).
        assert_sent(
            "http://1.2.3.4/",
            "k=v; Domain=3.4",
            "http://1.2.3.4/",
            None,
        );
        assert_sent(
            "http://1.2.3.4/",
            "k=v; Domain=1.2.3.4",
            "http://1.2.3.4/",
            Some("k=v"),
        );
    }

    #[test]
    fn a_jar_is_bounded() {
        let cookies: Vec<String> = (0..MOST + 10).map(|n| format!("k{n}=v")).collect();
        let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
        let set = jar("http://a.com/", &cookies);
        assert_eq!(set.cookies.len(), MOST);
        assert_eq!(*set.cookies[0].name, b"k10"[..]);
    }
}
