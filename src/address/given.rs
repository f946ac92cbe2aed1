//! Cleans up URLs as people have them: copied with quotes, without a scheme, or from files with
//! invisible marks and blanks.

use std::borrow::Cow;

use url::{Host, Url};

use super::{check, group, parse, shown};
use crate::error::{ErrorCode, Failure};

/// The URL that a job's text stands for, parsed by the URL Standard: without what surrounds it, and
/// with the scheme `http` or `https`.
pub(crate) fn clean(text: &str) -> Result<Url, Failure> {
    read(text).map_err(|why| {
        Failure::new(
            ErrorCode::InvalidUrl,
            format!(
                "{:?} is not a URL that can be requested: {why}",
                shown(text)
            ),
        )
    })
}

fn read(text: &str) -> Result<Url, String> {
    let text = bare(text);
    let is_control = match text.is_ascii() {
        // This checks all bytes at once, because most URLs are ASCII and none of those stops it early.
        true => text
            .bytes()
            .fold(false, |any, byte| any | byte.is_ascii_control()),
        false => text.contains(char::is_control),
    };
    if is_control {
        return Err("it has a control character".into());
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("it is not UTF-8, or was not: U+FFFD stands for bytes that were lost".into());
    }
    let parsed = |text: &str| {
        let url = parse(None, text).map_err(|error| error.to_string())?;
        check(&url)?;
        Ok(url)
    };
    if has_scheme(text) {
        return parsed(text);
    }
    // The URL Standard treats \ as / here.
    let rest = text.trim_start_matches(['/', '\\']);
    match text.len() - rest.len() {
        0 => {}
        1 => return Err("it is a path without a host".into()),
        _ => return parsed(&format!("http://{rest}")),
    }
    let authority = text.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    match () {
        () if text.is_empty() => return Err("it is empty".into()),
        () if authority.is_empty() => return Err("it is relative, without a host".into()),
        () if authority.contains('@') => {
            return Err("it is a mail address, or lacks http:// before a user's name".into());
        }
        () => {}
    }
    let url = parsed(&format!("http://{text}"))?;
    match is_no_host(&url, authority) {
        Some(why) => Err(format!("{why}; if it is a host, put http:// before it")),
        None => Ok(url),
    }
}

/// The groups that a rule of that name is for: the name itself, which a job may have given, and the
/// host that it reads as, in any spelling. `None`: it is not a host, or reads the same.
pub(crate) fn named(name: &str) -> Result<(Option<&str>, Option<String>), String> {
    let address = name.trim().parse::<std::net::Ipv6Addr>();
    let url = match address {
        Ok(address) => {
            Url::parse(&format!("http://[{address}]/")).map_err(|error| error.to_string())
        }
        Err(_) => read(name),
    };
    let is_url = name.contains("://");
    let url = match url {
        Ok(url) => url,
        Err(why) if is_url => {
            return Err(format!("is {:?}, which is no group: {why}", shown(name)));
        }
        // A job's own group may have any name.
        Err(_) => return Ok((Some(name), None)),
    };
    let site = group(&url);
    let host = url.host_str().unwrap_or_default();
    let refused = |why: &str| {
        let name = shown(name);
        Err(format!(
            "is {name:?}, {why}: the group that it is in is {site}"
        ))
    };
    match () {
        () if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
            refused("which is a page, and not a group")
        }
        () if url.port().is_some() => refused("and a group has all ports of its hosts"),
        () if site != host.strip_suffix('.').unwrap_or(host) => {
            refused("which is a host of a group, and not one")
        }
        () => {
            let own = (!is_url).then_some(name);
            Ok((own, (own != Some(site)).then(|| site.to_owned())))
        }
    }
}

/// The text without what people put around a URL: white space, invisible marks, quotes, and the
/// brackets of RFC 3986, appendix C.
fn bare(text: &str) -> &str {
    let mut bare = text.trim_matches(is_nothing);
    loop {
        let Some(first) = bare
            .chars()
            .next()
            .filter(|first| closing(*first).is_some())
        else {
            return bare;
        };
        // A mark alone at the start does not belong to a URL either.
        let within = &bare[first.len_utf8()..];
        let ends = closing(first).unwrap_or_default();
        let within = ends
            .chars()
            .find_map(|end| within.strip_suffix(end))
            .unwrap_or(within);
        let within = match within.get(..4) {
            Some(mark) if first == '<' && mark.eq_ignore_ascii_case("url:") => &within[4..],
            _ => within,
        };
        bare = within.trim_matches(is_nothing);
    }
}

/// Invisible characters around a URL: white space, what the URL Standard removes (C0 controls), and
/// format characters: byte order mark, zero width, direction, soft hyphen.
fn is_nothing(char: char) -> bool {
    // Nearly all characters are of this kind.
    if char.is_ascii_graphic() {
        return false;
    }
    char.is_whitespace()
        || char.is_ascii_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{180b}'..='\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
        )
}

/// What ends a quotation that starts with this, in one language or another.
fn closing(first: char) -> Option<&'static str> {
    Some(match first {
        '"' | '\u{ff02}' => "\"\u{ff02}",
        '\'' | '\u{ff07}' => "'\u{ff07}",
        '`' | '\u{b4}' => "`'\u{b4}",
        '<' => ">",
        '«' => "»",
        '»' => "«»",
        '‹' => "›",
        '›' => "‹›",
        '“' => "”“",
        '”' => "”“",
        '„' | '\u{201f}' => "“”",
        '‘' => "’‘",
        '’' => "’‘",
        '‚' | '\u{201b}' => "‘’",
        '「' => "」",
        '『' => "』",
        '〈' => "〉",
        '《' => "》",
        '〝' => "〞〟",
        _ => return None,
    })
}

/// Schemes whose URLs may have only digits behind the colon, like a port.
const WITH_NUMBERS: [&str; 24] = [
    "about",
    "bitcoin",
    "callto",
    "cid",
    "data",
    "facetime",
    "fax",
    "geo",
    "imessage",
    "isbn",
    "issn",
    "javascript",
    "mailto",
    "mid",
    "mms",
    "mmsto",
    "modem",
    "sip",
    "sips",
    "skype",
    "sms",
    "smsto",
    "tel",
    "whatsapp",
];

/// Whether text starts with a scheme instead of `host:port`.
fn has_scheme(text: &str) -> bool {
    // Most URLs do, and need no further look.
    if text.starts_with("http://") || text.starts_with("https://") {
        return true;
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    // `localhost:8080/x` has a port behind its colon; `mailto:x`, `tel:123` and `http:/x` do not.
    let port = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && !rest.starts_with("//");
    let is_known = || {
        WITH_NUMBERS
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    };
    is_scheme && (!is_port || !scheme.contains('.') && (port.is_empty() || is_known()))
}

/// Why text without a scheme names no host, if so. `authority`: what was read as the host.
fn is_no_host(url: &Url, authority: &str) -> Option<String> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    match url.host()? {
        Host::Ipv6(_) => None,
        // The URL Standard reads 12345 as the address 0.0.48.57, but its author meant a number: no
        // server has an address that starts with 0.
        Host::Ipv4(address) if address.octets()[0] == 0 && host.parse() != Ok(address) => {
            Some(format!("{host} is a number"))
        }
        Host::Ipv4(_) => None,
        Host::Domain(_) if port.is_some_and(|port| !port.is_empty()) => None,
        Host::Domain(domain) => {
            let domain = domain.strip_suffix('.').unwrap_or(domain);
            let Some((_, last)) = domain.rsplit_once('.') else {
                return (domain != "localhost")
                    .then(|| format!("{host} is a word or a path, without a dot"));
            };
            let is_known = psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known());
            (!is_known && is_of_files(last)).then(|| format!("{host} is the name of a file"))
        }
    }
}

/// Whether file names end like this. Asked only about endings that are not known for hosts, unlike .com
/// and .zip.
fn is_of_files(extension: &str) -> bool {
    const OF_SERVERS: [&str; 10] = [
        "asp", "aspx", "cfm", "cgi", "htmls", "jsp", "jspx", "php", "phtml", "shtm",
    ];
    let extension: Cow<'_, str> = match extension.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => extension.to_ascii_lowercase().into(),
        false => extension.into(),
    };
    let of_server = OF_SERVERS.contains(&&*extension) || extension.starts_with("php");
    of_server || mime_guess::from_ext(&extension).first_raw().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        clean(text).map_or_else(|failure| failure.code.to_string(), String::from)
    }

    #[track_caller]
    fn assert_refused(text: &str, words: &str) {
        let failure = clean(text).expect_err(text);
        assert_eq!(failure.code, ErrorCode::InvalidUrl);
        assert!(failure.message.contains(words), "{}", failure.message);
    }

    #[test]
    fn cleans() {
        for (text, expected) in [
            ("http://example.com", "http://example.com/"),
            ("  https://Example.COM/a b \n", "https://example.com/a%20b"),
            ("example.com", "http://example.com/"),
            ("example.com/path?q=1#f", "http://example.com/path?q=1#f"),
            ("example.com:8080/path", "http://example.com:8080/path"),
            ("localhost:8080", "http://localhost:8080/"),
            ("//example.com/x", "http://example.com/x"),
            ("127.0.0.1:80/x", "http://127.0.0.1/x"),
            (
                "http://bücher.example/ü",
                "http://xn--bcher-kva.example/%C3%BC",
            ),
            ("HTTP://EXAMPLE.com:80/", "http://example.com/"),
            ("http://[::1]:81/", "http://[::1]:81/"),
            (
                "example.com?u=http://other.com/",
                "http://example.com/?u=http://other.com/",
            ),
            ("http:/example.com/x", "http://example.com/x"),
            ("", "invalid-url"),
            ("http://", "invalid-url"),
            ("ftp://example.com/", "invalid-url"),
            ("mailto:someone@example.com", "invalid-url"),
            ("javascript:alert(1)", "invalid-url"),
            ("file:///etc/passwd", "invalid-url"),
            ("http://a b/", "invalid-url"),
            (".", "invalid-url"),
            ("http://example..com/", "invalid-url"),
            ("http://example.com../", "invalid-url"),
            ("http://example.com:99999/", "invalid-url"),
            ("http://example.com:65536/", "invalid-url"),
            ("example.com:65536", "invalid-url"),
            ("http://example.com:65535/", "http://example.com:65535/"),
            ("http://example.com:0/", "invalid-url"),
            ("http://exam\0ple.com/", "invalid-url"),
            ("http://example.com/a\r\nb", "invalid-url"),
        ] {
            assert_eq!(cleaned(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_around_a_url_is_none_of_it() {
        let nothing = [
            " ", "\t", "\r\n", "\0", "\u{1a}", "\u{85}", "\u{a0}", "\u{ad}", "\u{180e}",
            "\u{2003}", "\u{2028}", "\u{200b}", "\u{200c}", "\u{200d}", "\u{200e}", "\u{202a}",
            "\u{2060}", "\u{2066}", "\u{3000}", "\u{fe0f}", "\u{feff}",
        ];
        for mark in nothing {
            for text in [
                format!("{mark}http://example.com/x"),
                format!("http://example.com/x{mark}"),
                format!("{mark}{mark} example.com/x {mark}"),
                format!("{mark}\"{mark}http://example.com/x{mark}\"{mark}"),
            ] {
                assert_eq!(cleaned(&text), "http://example.com/x", "{text:?}");
            }
        }
        for (open, close) in [
            ("\"", "\""),
            ("'", "'"),
            ("`", "`"),
            ("``", "''"),
            ("<", ">"),
            ("<URL:", ">"),
            ("<url: ", " >"),
            ("«", "»"),
            ("« ", " »"),
            ("»", "«"),
            ("‹", "›"),
            ("“", "”"),
            ("„", "“"),
            ("”", "”"),
            ("‘", "’"),
            ("‚", "‘"),
            ("「", "」"),
            ("《", "》"),
            ("\"'", "'\""),
            ("\"<", ">\""),
            ("\"", ""),
            ("“", ""),
            ("'", ""),
            ("<", ""),
        ] {
            for url in ["http://example.com/x", "example.com/x", "//example.com/x"] {
                let text = format!("{open}{url}{close}");
                assert_eq!(cleaned(&text), "http://example.com/x", "{text:?}");
            }
        }
        // Quotes within belong to the URL, also at its end unless they were opened.
        for (text, expected) in [
            ("http://example.com/\"x\"", "http://example.com/%22x%22"),
            ("http://example.com/it's'", "http://example.com/it's'"),
            ("http://example.com/«x»", "http://example.com/%C2%ABx%C2%BB"),
            ("http://example.com/(x)", "http://example.com/(x)"),
            ("\"http://example.com/'", "http://example.com/'"),
        ] {
            assert_eq!(cleaned(text), expected, "{text:?}");
        }
        for text in ["\"\"", "''", "<>", "\u{feff}", "\u{200b}\"\u{200b}\"", "\""] {
            assert_refused(text, "it is empty");
        }
    }

    #[test]
    fn what_is_no_host_is_not_asked() {
        for (text, words) in [
            ("/about", "a path without a host"),
            ("/", "a path without a host"),
            ("/a/b?c#d", "a path without a host"),
            ("\\about", "a path without a host"),
            ("\"/about\"", "a path without a host"),
            ("?q=1", "relative"),
            ("#top", "relative"),
            ("./x", "empty label"),
            ("../x", "empty label"),
            ("//", "empty host"),
            ("tel:123", "its scheme is tel"),
            ("TEL:112", "its scheme is tel"),
            ("tel:+49123", "its scheme is tel"),
            ("sms:5550100", "its scheme is sms"),
            ("callto:123", "its scheme is callto"),
            ("isbn:9783", "its scheme is isbn"),
            ("javascript:0", "its scheme is javascript"),
            ("about:blank", "its scheme is about"),
            ("urn:isbn:123", "its scheme is urn"),
            ("C:\\Users\\x", "its scheme is c"),
            ("someone@example.com", "mail address"),
            ("about", "without a dot"),
            ("pages/about.html", "without a dot"),
            ("about?x=a.b", "without a dot"),
            ("12345", "is a number"),
            ("0", "is a number"),
            ("0x30", "is a number"),
            ("16777215/x", "is a number"),
            ("about.html", "about.html is the name of a file"),
            ("About.HTML", "the name of a file"),
            ("index.php?id=3", "the name of a file"),
            ("contact.aspx", "the name of a file"),
            ("logo.png", "the name of a file"),
            ("style.css#x", "the name of a file"),
            ("a.b.tar.gz", "the name of a file"),
            ("robots.txt", "the name of a file"),
            ("feed.xml/", "the name of a file"),
            ("\u{fffd}", "U+FFFD"),
            ("http://example.com/caf\u{fffd}", "U+FFFD"),
            ("http://caf\u{fffd}.com/", "U+FFFD"),
        ] {
            assert_refused(text, words);
        }
        for (text, expected) in [
            // A scheme shows that the host is meant, and so does a port.
            ("http://about/", "http://about/"),
            ("http://about.html/", "http://about.html/"),
            ("//about.html/x", "http://about.html/x"),
            ("\\\\example.com\\x", "http://example.com/x"),
            ("http://127.1/", "http://127.0.0.1/"),
            ("http://someone@example.com/", "http://someone@example.com/"),
            ("about:8080", "invalid-url"),
            ("web:8080/x", "http://web:8080/x"),
            ("about.html:8080", "http://about.html:8080/"),
            ("localhost", "http://localhost/"),
            ("localhost/index.html", "http://localhost/index.html"),
            ("LOCALHOST", "http://localhost/"),
            ("127.0.0.1", "http://127.0.0.1/"),
            ("127.1", "http://127.0.0.1/"),
            ("2130706433", "http://127.0.0.1/"),
            ("0.0.0.0:80", "http://0.0.0.0/"),
            ("[::1]", "http://[::1]/"),
            ("[::1]:81/x", "http://[::1]:81/x"),
            // Endings of hosts that are also endings of files.
            ("index.pl", "http://index.pl/"),
            ("archive.zip", "http://archive.zip/"),
            ("example.com", "http://example.com/"),
            ("example.com.", "http://example.com./"),
            ("bücher.de", "http://xn--bcher-kva.de/"),
            ("müller.рф/x", "http://xn--mller-kva.xn--p1ai/x"),
            // Names in private networks.
            ("nas.local", "http://nas.local/"),
            ("wiki.corp/x", "http://wiki.corp/x"),
            ("a.test", "http://a.test/"),
            ("host.lan", "http://host.lan/"),
            ("x.internal", "http://x.internal/"),
            ("x.home.arpa", "http://x.home.arpa/"),
            ("x.example", "http://x.example/"),
            ("x.onion", "http://x.onion/"),
            ("x.localdomain", "http://x.localdomain/"),
            ("x.intranet", "http://x.intranet/"),
        ] {
            assert_eq!(cleaned(text), expected, "{text:?}");
        }
    }

    #[test]
    fn endings_of_networks_of_ones_own_are_none_of_files() {
        // RFC 2606, RFC 6761, RFC 6762 appendix G, RFC 7686, RFC 8375, ICANN's .internal.
        for ending in [
            "alt",
            "corp",
            "example",
            "home",
            "internal",
            "intranet",
            "invalid",
            "lan",
            "local",
            "localdomain",
            "localhost",
            "mail",
            "onion",
            "private",
            "test",
        ] {
            assert!(!is_of_files(ending), "{ending}");
        }
    }

    #[test]
    fn names_of_rules_are_read_as_hosts() {
        for (name, own, site) in [
            ("ex.com", Some("ex.com"), None),
            ("Ex.COM", Some("Ex.COM"), Some("ex.com")),
            ("ex.com.", Some("ex.com."), Some("ex.com")),
            (" ex.com\n", Some(" ex.com\n"), Some("ex.com")),
            ("ex.com/", Some("ex.com/"), Some("ex.com")),
            ("//ex.com", Some("//ex.com"), Some("ex.com")),
            ("\"ex.com\"", Some("\"ex.com\""), Some("ex.com")),
            ("http://ex.com/", None, Some("ex.com")),
            ("HTTPS://EX.com", None, Some("ex.com")),
            ("http://ex.com:80/", None, Some("ex.com")),
            ("http://ex.com./", None, Some("ex.com")),
            ("bücher.com", Some("bücher.com"), Some("xn--bcher-kva.com")),
            ("BÜCHER.com", Some("BÜCHER.com"), Some("xn--bcher-kva.com")),
            ("xn--bcher-kva.com", Some("xn--bcher-kva.com"), None),
            ("ex.co.uk", Some("ex.co.uk"), None),
            ("co.uk", Some("co.uk"), None),
            ("someone.github.io", Some("someone.github.io"), None),
            ("localhost", Some("localhost"), None),
            ("LocalHost", Some("LocalHost"), Some("localhost")),
            ("127.0.0.1", Some("127.0.0.1"), None),
            ("http://0x7f.1/", None, Some("127.0.0.1")),
            ("[::1]", Some("[::1]"), None),
            ("::1", Some("::1"), Some("[::1]")),
            ("0:0:0:0:0:0:0:1", Some("0:0:0:0:0:0:0:1"), Some("[::1]")),
            // Names that the jobs chose.
            ("a group", Some("a group"), None),
            ("slow", Some("slow"), None),
            ("Mirrors", Some("Mirrors"), None),
            ("team/3", Some("team/3"), None),
            ("my.group.test", Some("my.group.test"), None),
        ] {
            let site = site.map(str::to_owned);
            assert_eq!(named(name), Ok((own, site)), "{name:?}");
        }
        for (name, words) in [
            ("WWW.Ex.com", "the group that it is in is ex.com"),
            ("www.ex.com", "the group that it is in is ex.com"),
            ("http://www.ex.com/", "the group that it is in is ex.com"),
            ("a.b.ex.co.uk", "the group that it is in is ex.co.uk"),
            ("*.ex.com", "the group that it is in is ex.com"),
            ("ex.com:8080", "has all ports"),
            ("http://127.0.0.1:8080/", "has all ports"),
            ("http://ex.com/about", "is a page"),
            ("ex.com/about", "is a page"),
            ("http://ex.com/?q", "is a page"),
            ("http://", "which is no group"),
            ("ftp://ex.com/", "its scheme is ftp"),
            ("http://a b/", "which is no group"),
        ] {
            let why = named(name).expect_err(name);
            assert!(why.contains(words), "{name}: {why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_a_group_has_a_rule(text in "[a-zA-Z0-9.-]{1,30}") {
            if let Ok(url) = clean(&text) {
                let site = super::super::group(&url).to_owned();
                let named = named(&site).map_err(proptest::test_runner::TestCaseError::fail)?;
                proptest::prop_assert_eq!(named.0, Some(&*site));
            }
        }

        #[test]
        fn cleaning_is_stable(text in "\\PC{0,60}") {
            if let Ok(url) = clean(&text) {
                proptest::prop_assert_eq!(clean(url.as_str()).unwrap(), url.clone());
                proptest::prop_assert!(!super::super::group(&url).is_empty());
            }
        }

        #[test]
        fn what_is_around_makes_no_difference(
            text in "[a-z/.:]{1,12}", around in "[ \u{feff}\u{200b}\u{2060}\t\0]{0,4}"
        ) {
            let padded = clean(&format!("{around}{text}{around}"));
            proptest::prop_assert_eq!(padded.ok(), clean(&text).ok());
        }
    }
}
