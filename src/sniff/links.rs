//! The links of a page.

use std::collections::HashSet;

use encoding_rs::Encoding;
use url::Url;

use super::tags::{self, Kind, Noscript, Syntax};
use crate::address;

/// How many bytes of URLs are made for each byte of a page, and for any page. A long base before
/// many short links would make gigabytes of a megabyte.
const GROWTH: usize = 16;
const ROOM: usize = 16 << 20;
/// How many are made at most, however large the page.
const MOST: usize = 256 << 20;

/// Where the `<a href>` and `<area href>` of a page lead: absolute, `http` and `https` only, each
/// once, in the order of the page. Fragments are kept, as some sites have their pages in them; a
/// link to the page itself is left out. `encoding`: the page's, in which queries are written.
pub(crate) fn links(
    page: &Url,
    html: &str,
    syntax: Syntax,
    encoding: &'static Encoding,
) -> Vec<String> {
    let found = Found::read(html, syntax);
    // Saved pages come with a base of `file:`, of no use to anyone else.
    let base = found
        .base
        .and_then(|href| address::target_in(page, &href, encoding));
    let base = base.as_ref().unwrap_or(page);
    let mut page = page.clone();
    page.set_fragment(None);
    let mut room = room(html);
    let mut seen = HashSet::new();
    let mut links = Vec::new();
    for href in found.hrefs {
        let Ok(mut url) = address::parse_in(base, &href, encoding) else {
            continue;
        };
        room = match room.checked_sub(url.as_str().len()) {
            Some(left) => left,
            None => break,
        };
        if address::check(&url).is_err() || is_itself(&page, &url, &href) {
            continue;
        }
        if url.fragment() == Some("") {
            url.set_fragment(None);
        }
        let link = String::from(url);
        if !seen.contains(&link) {
            seen.insert(link.clone());
            links.push(link);
        }
    }
    links
}

/// How many bytes of URLs are made of a page at most.
pub(super) fn room(html: &str) -> usize {
    html.len().saturating_mul(GROWTH).clamp(ROOM, MOST)
}

/// Whether a link leads to the page it is on, or within it. A fragment behind a written-out
/// address is a link of its own.
pub(super) fn is_itself(page: &Url, url: &Url, href: &str) -> bool {
    let (address, fragment) = match url.as_str().split_once('#') {
        Some((address, fragment)) => (address, fragment),
        None => (url.as_str(), ""),
    };
    address == page.as_str() && (fragment.is_empty() || href.trim_start().starts_with('#'))
}

/// What the tags of a page say, entities decoded.
#[derive(Default)]
struct Found {
    /// The first `<base href>`, which holds for all links, those before it too.
    base: Option<String>,
    hrefs: Vec<String>,
}

impl Found {
    /// Reads a page's tags, those of `<noscript>` too: nobody runs scripts here.
    fn read(html: &str, syntax: Syntax) -> Self {
        let mut found = Self::default();
        tags::read(html, syntax, Noscript::Tags, |tag, _| {
            let href = || tag.get("href").map(str::to_owned);
            match tag.kind {
                Kind::Anchor => found.hrefs.extend(href()),
                Kind::Base if found.base.is_none() => found.base = href(),
                _ => {}
            }
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::UTF_8;
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = "http://ex.com/dir/page.html";

    fn links(page: &Url, html: &str) -> Vec<String> {
        super::links(page, html, Syntax::Html, UTF_8)
    }

    fn found(html: &str) -> Vec<String> {
        links(&Url::parse(PAGE).unwrap(), html)
    }

    #[track_caller]
    fn check(html: &str, expected: &[&str]) {
        assert_eq!(found(html), expected, "{html}");
    }

    #[test]
    fn resolves_and_cleans() {
        for (href, link) in [
            ("b", "http://ex.com/dir/b"),
            ("b.html#x", "http://ex.com/dir/b.html#x"),
            ("b.html#", "http://ex.com/dir/b.html"),
            ("?q=1", "http://ex.com/dir/page.html?q=1"),
            ("..", "http://ex.com/"),
            ("//o.com/x", "http://o.com/x"),
            ("HTTP://O.com", "http://o.com/"),
            ("https://ex.com:443/p", "https://ex.com/p"),
            (" \n/a\n\tb ", "http://ex.com/ab"),
            ("/x?a=1&amp;b=2", "http://ex.com/x?a=1&b=2"),
            ("/x?a=1&copy=2", "http://ex.com/x?a=1&copy=2"),
            ("/x&#47;y&eacute;", "http://ex.com/x/y%C3%A9"),
            ("/é è", "http://ex.com/%C3%A9%20%C3%A8"),
            ("http://münchen.de/", "http://xn--mnchen-3ya.de/"),
            (
                "x.php?u=http://o.com",
                "http://ex.com/dir/x.php?u=http://o.com",
            ),
            ("http://localhost:8080/", "http://localhost:8080/"),
        ] {
            check(&format!("<p><a class=x href='{href}'>y</a>"), &[link]);
        }
    }

    #[test]
    fn leaves_out_what_is_no_link() {
        for href in [
            "mailto:x@y.z",
            "javascript:void(0)",
            "tel:1",
            "ftp://x.com/",
            "data:,x",
            "http://",
            "http://[bad",
            "http://a..b/",
            "http://x.com:0/",
        ] {
            check(&format!("<a href='{href}'>y</a>"), &[]);
        }
        check(
            "<a name=x><link href=/l><img src=/i><a data-href=/d><ahref=/no>",
            &[],
        );
        check("<p><a href='/cut", &[]);
        check("", &[]);
    }

    #[test]
    fn leaves_out_the_page_itself() {
        check(
            "<a href>1</a><a href=''>2</a><a href='#'>3</a><a href=' #x'>4</a>",
            &[],
        );
        check(
            "<a href=page.html><a href='http://ex.com/dir/page.html#'>",
            &[],
        );
        // As minet has it: a fragment behind an address may be a page of its own.
        check(
            "<a href='/dir/page.html#x'>",
            &["http://ex.com/dir/page.html#x"],
        );
        check(
            "<base href=/other><a href='#x'>",
            &["http://ex.com/other#x"],
        );
        let page = Url::parse("http://ex.com/#here").unwrap();
        assert!(links(&page, "<a href='/'><a href='#there'>").is_empty());
    }

    #[test]
    fn keeps_the_order_and_each_once() {
        check(
            "<A HREF=/1>x</A><area href=\"/2\"><a href=/1 ><a\nhref = '/2#z'><a href=/1/>",
            &[
                "http://ex.com/1",
                "http://ex.com/2",
                "http://ex.com/2#z",
                "http://ex.com/1/",
            ],
        );
        check(
            "<a href=/x href=/y><a href='' href=/z>",
            &["http://ex.com/x"],
        );
        check("<svg><a href=/s></a></svg>", &["http://ex.com/s"]);
    }

    #[test]
    fn takes_the_first_base() {
        check(
            "<base href='http://b.com/q/'><a href=z>",
            &["http://b.com/q/z"],
        );
        check(
            "<a href=z><base target=x><base href=/q/><base href=/r/>",
            &["http://ex.com/q/z"],
        );
        check("<base href='http://['><a href=z>", &["http://ex.com/dir/z"]);
        check(
            "<base href='file:///x/'><a href=z>",
            &["http://ex.com/dir/z"],
        );
        check(
            "<template><base href=/q/></template><a href=z>",
            &["http://ex.com/dir/z"],
        );
    }

    #[test]
    fn searches_markup_only() {
        for raw in [
            "script", "style", "textarea", "title", "template", "xmp", "iframe", "noembed",
            "noframes",
        ] {
            let html = format!("<{raw}><a href=/in></a></{raw}><a href=/after>");
            check(&html, &["http://ex.com/after"]);
        }
        check(
            "<!-- <a href=/c> --><a href=/after>",
            &["http://ex.com/after"],
        );
        check(
            "<script><!-- <script></script> <a href=/in> --></script><a href=/x>",
            &["http://ex.com/x"],
        );
        check("<plaintext><a href=/p></plaintext>", &[]);
        check("<noscript><a href=/n></a></noscript>", &["http://ex.com/n"]);
        check(
            "<template><template></template><a href=/t></template></template><a href=/x>",
            &["http://ex.com/x"],
        );
        check(
            "<svg><title/><style/></svg><a href=/x>",
            &["http://ex.com/x"],
        );
    }

    #[test]
    fn queries_are_in_the_encoding_of_the_page() {
        let page = Url::parse(PAGE).unwrap();
        let html =
            "<base href='/b?ж'><a href='?q=ж'><a href='/ж?q=日&amp;r=%D0%B6#ж'><a href='#ж'>";
        let encoding = Encoding::for_label(b"windows-1251").unwrap();
        assert_eq!(
            super::links(&page, html, Syntax::Html, encoding),
            [
                "http://ex.com/b?q=%E6",
                "http://ex.com/%D0%B6?q=%26%2326085%3B&r=%D0%B6#%D0%B6",
                "http://ex.com/b?%E6#%D0%B6",
            ]
        );
    }

    #[test]
    fn xml_has_its_own_rules() {
        let page = Url::parse(PAGE).unwrap();
        let html = "<title/><script src='x'/><a href='/1'/><iframe src='x'/><a href='/2'/>";
        assert_eq!(links(&page, html), [""; 0]);
        let found = super::links(&page, html, Syntax::Xml, UTF_8);
        assert_eq!(found, ["http://ex.com/1", "http://ex.com/2"]);
    }

    #[test]
    fn stays_linear() {
        for (piece, count) in [
            ("<a href=", 1),
            ("<a ", 1),
            ("<", 1),
            ("<!--", 1),
            ("&", 1),
            ("<a href=/x>", 1),
            ("<template>", 1),
            ("</a href=x", 1),
            ("<a href='&amp;", 1),
            ("x=1 ", 1),
            ("<script>", 1),
            ("<![CDATA[", 1),
            ("<!doctype ", 1),
        ] {
            let links = found(&format!("<a {}", piece.repeat(200_000)));
            assert!(links.len() <= count, "{piece}: {}", links.len());
        }
    }

    const PIECES: &[&str] = &[
        "<",
        ">",
        "/",
        "a",
        "area",
        "base",
        " ",
        "href",
        "=",
        "\"",
        "'",
        "<a href=",
        "<!--",
        "-->",
        "&amp",
        ";",
        "#",
        "é",
        "<script>",
        "</script",
        "<template>",
        "</template>",
        "<svg>",
        "<title/>",
        "\0",
        "http://",
        "x.com",
        "?",
        ":",
    ];

    #[test]
    fn does_not_grow_without_bound() {
        let base = "x".repeat(1 << 20);
        let hrefs: String = (0..1000).map(|i| format!("<a href={i}>")).collect();
        let links = found(&format!("<base href='/{base}/'>{hrefs}"));
        assert_eq!(links.len(), 16, "a page of 1 MiB");
    }

    proptest! {
        #[test]
        fn takes_anything(html in any::<String>()) {
            found(&html);
        }

        #[test]
        fn takes_any_markup(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
            let html = pieces.concat();
            let links = found(&html);
            for link in &links {
                let url = Url::parse(link).unwrap();
                prop_assert!(matches!(url.scheme(), "http" | "https"));
                prop_assert_eq!(url.as_str(), link);
            }
            let unique: HashSet<_> = links.iter().collect();
            prop_assert_eq!(unique.len(), links.len());
        }
    }
}
