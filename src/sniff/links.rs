//! The links of a page.

use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;

use encoding_rs::Encoding;
use hashbrown::HashTable;
use url::Url;

use super::tags::{self, Kind, Noscript, Syntax};
use crate::address;
use crate::process::memory;

/// How many bytes of URLs are made for each byte of a page, and for any page. A long base before many
/// short links would make gigabytes from a megabyte.
const GROWTH: usize = 8;
const ROOM: usize = 16 << 20;
/// The most bytes that are made, however large the page.
const MOST: usize = 256 << 20;

/// Where the `<a href>` and `<area href>` of a page lead: absolute, `http` and `https` only, each once,
/// in the order of the page. Fragments are kept, because some sites have their pages in them; links to
/// the page itself are left out. `encoding` is the page's, and that of queries. `None`: no memory is
/// left for them.
pub(crate) fn links(
    page: &Url,
    html: &str,
    syntax: Syntax,
    encoding: &'static Encoding,
) -> Option<Vec<String>> {
    let _kept = memory::keep_back(html.len())?;
    let found = Found::read(html, syntax)?;
    let mut targets = Targets::of(page, html, found.base, encoding);
    // The links found so far, by their places.
    let (mut seen, hasher) = (HashTable::new(), RandomState::new());
    let mut links: Vec<String> = Vec::new();
    for href in found.hrefs {
        if memory::is_out() {
            return None;
        }
        let link = match targets.read(&href, true) {
            ControlFlow::Continue(Some(url)) => String::from(url),
            ControlFlow::Continue(None) => continue,
            ControlFlow::Break(()) => break,
        };
        let hash = |link: &String| hasher.hash_one(link);
        let known = |place: &usize| links[*place] == link;
        if seen.find(hash(&link), known).is_none() {
            let rehash = |place: &usize| hash(&links[*place]);
            seen.try_reserve(1, rehash).ok()?;
            links.try_reserve(1).ok()?;
            seen.insert_unique(hash(&link), links.len(), |place| hash(&links[*place]));
            links.push(link);
        }
    }
    Some(links)
}

/// Makes URLs from a page's references, while there is room for them.
pub(super) struct Targets {
    page: Url,
    bases: Bases,
    encoding: &'static Encoding,
    /// How many more bytes of URLs may be made.
    room: usize,
}

impl Targets {
    /// `base`: the page's `<base href>`.
    pub fn of(page: &Url, html: &str, base: Option<String>, encoding: &'static Encoding) -> Self {
        // Saved pages have a `file:` base, which is useless to anyone else.
        let base = base.and_then(|href| address::target_in(page, &href, encoding));
        let bases = Bases::of(base.unwrap_or_else(|| page.clone()));
        let mut page = page.clone();
        page.set_fragment(None);
        Self {
            page,
            bases,
            encoding,
            room: html.len().saturating_mul(GROWTH).clamp(ROOM, MOST),
        }
    }

    /// Where a reference leads. `None`: to what can't be fetched, or to its own page, if that is to be
    /// left out. `Break`: there is no room for more.
    pub fn read(&mut self, reference: &str, leaves_out_page: bool) -> ControlFlow<(), Option<Url>> {
        let (base, cost) = self.bases.of_href(reference);
        let url = address::parse_in(base, reference, self.encoding);
        let length = url.as_ref().map_or(0, |url| url.as_str().len());
        match self.room.checked_sub(cost.max(length)) {
            Some(left) => self.room = left,
            None => return ControlFlow::Break(()),
        }
        let wanted = |url: &Url| {
            let stays = leaves_out_page && is_itself(&self.page, url, reference);
            address::check(url).is_ok() && !stays
        };
        ControlFlow::Continue(url.ok().filter(wanted).map(|mut url| {
            if url.fragment() == Some("") {
                url.set_fragment(None);
            }
            url
        }))
    }
}

/// What the links of a page are relative to. A base may be as long as the page and is read for each
/// relative link, however short the result: that must not take quadratic time.
struct Bases {
    whole: Url,
    /// The base without its query and without what follows the last slash of its path, which most links
    /// are not relative to (RFC 3986, section 5.2.3).
    folder: Url,
}

impl Bases {
    fn of(whole: Url) -> Self {
        let folder = whole.join(".").unwrap_or_else(|_| whole.clone());
        Self { whole, folder }
    }

    /// What that link is relative to, and how many bytes of it are read for the link.
    fn of_href(&self, href: &str) -> (&Url, usize) {
        // The URL Standard removes these, and reads `http:x` of an `http` page as relative.
        let is_taken_away = |text: char| text <= ' ';
        let href = href.trim_start_matches(is_taken_away);
        let mark = href.find([':', '/', '\\', '?', '#']);
        match mark.map(|at| (at, href.as_bytes()[at])) {
            // A link with a scheme reads nothing, except in the case above.
            Some((at, b':')) => {
                let rest = href[at + 1..].trim_start_matches(is_taken_away);
                let may_be_ours = href.starts_with(['h', 'H']) && !rest.starts_with(['/', '\\']);
                (
                    &self.whole,
                    self.whole.as_str().len() * usize::from(may_be_ours),
                )
            }
            Some((0, b'/' | b'\\')) => (&self.folder, 0),
            None if href.is_empty() => (&self.whole, self.whole.as_str().len()),
            Some((0, _)) => (&self.whole, self.whole.as_str().len()),
            _ => (&self.folder, self.folder.as_str().len()),
        }
    }
}

/// Whether a link leads to its own page, or within it. A fragment behind a written-out address is a
/// link of its own.
fn is_itself(page: &Url, url: &Url, href: &str) -> bool {
    let (address, fragment) = match url.as_str().split_once('#') {
        Some((address, fragment)) => (address, fragment),
        None => (url.as_str(), ""),
    };
    address == page.as_str() && (fragment.is_empty() || href.trim_start().starts_with('#'))
}

/// What the tags of a page say, with entities decoded.
#[derive(Default)]
struct Found {
    /// The first `<base href>`, which applies to all links, those before it too.
    base: Option<String>,
    hrefs: Vec<String>,
}

impl Found {
    /// Reads a page's tags, including those of `<noscript>`, because nobody runs scripts here. `None`:
    /// no memory is left for what they say.
    fn read(html: &str, syntax: Syntax) -> Option<Self> {
        let mut found = Self::default();
        let mut fits = true;
        tags::read(html, syntax, Noscript::Tags, |tag, _| {
            let href = || tag.get("href").map(str::to_owned);
            match tag.kind {
                Kind::Anchor => {
                    fits = fits && memory::room_for_one(&mut found.hrefs).is_some();
                    found.hrefs.extend(href().filter(|_| fits));
                }
                Kind::Base if found.base.is_none() => found.base = href(),
                _ => {}
            }
        });
        fits.then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use encoding_rs::UTF_8;
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = "http://ex.com/dir/page.html";

    fn links(page: &Url, html: &str) -> Vec<String> {
        super::links(page, html, Syntax::Html, UTF_8).expect("memory")
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
        // minet does the same: a fragment behind an address may be a page of its own.
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
            super::links(&page, html, Syntax::Html, encoding).expect("memory"),
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
        let found = super::links(&page, html, Syntax::Xml, UTF_8).expect("memory");
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
    fn a_link_is_relative_to_the_same_as_ever() {
        let hrefs = [
            "b",
            ".",
            "..",
            "../",
            "./b?x",
            "?q",
            "#f",
            "",
            " ",
            "\t?q",
            " #f",
            "/x",
            "//o.com/x",
            "\\\\o.com",
            "b:c",
            "http:b",
            "http:?q",
            "http:",
            "http:#f",
            "https:b",
            "b/c:d",
            "b?c:d",
            "\n\t",
            "\t\n#f",
            "b\t?",
            "..?q",
            "%2e%2e/x",
            "\u{1}b",
            "?\t",
            "h\nttp:?q",
            ":",
            ":/b",
            "x\\y",
        ];
        for base in [
            "http://ex.com",
            "http://ex.com/?a=/b/c",
            "http://ex.com/dir/page.html?q#f",
            "http://ex.com/dir/sub/",
            "http://ex.com//",
            "http://ex.com/a;b/c:d",
            "https://u:p@ex.com:81/x/y?/z",
        ] {
            let base = Url::parse(base).unwrap();
            let bases = Bases::of(base.clone());
            for href in hrefs {
                let (given, _) = bases.of_href(href);
                assert_eq!(given.join(href), base.join(href), "{href:?} in {base}");
            }
        }
    }

    /// A page of that many bytes, half of it a base, and half links relative to it.
    fn page_with_a_base_of_half(size: usize, end: &str, href: &str) -> String {
        let base = "x".repeat(size / 2);
        let link = format!("<a href='{href}'>");
        format!(
            "<base href='/{base}{end}'>{}",
            link.repeat(size / 2 / link.len())
        )
    }

    fn cpu_seconds() -> i64 {
        use rustix::time::{ClockId, clock_gettime};
        clock_gettime(ClockId::ThreadCPUTime).tv_sec
    }

    #[test]
    fn a_long_base_is_linear() {
        for (end, href) in [("", "."), ("/", ".."), ("", "http:.")] {
            let page = page_with_a_base_of_half(6 << 20, end, href);
            let began = cpu_seconds();
            let links = found(&page);
            assert!(links.len() <= 1, "{end}, {href}");
            // Each of 200,000 links would read 3 MB.
            let took = cpu_seconds() - began;
            assert!(took < 20, "{end}, {href}: {took} s");
        }
    }

    #[test]
    fn does_not_grow_without_bound() {
        let base = "x".repeat(1 << 20);
        let hrefs: String = (0..1000).map(|i| format!("<a href={i}>")).collect();
        let links = found(&format!("<base href='/{base}/'>{hrefs}"));
        assert_eq!(links.len(), 15, "a page of 1 MiB");
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
