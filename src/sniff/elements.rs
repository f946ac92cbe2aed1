//! What a page refers to: its links and everything on it.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use encoding_rs::Encoding;
use url::Url;

use super::links::Targets;
use super::refresh::refresh;
use super::srcset;
use super::tags::{self, Event, Known, Syntax, Tag};
use crate::process::memory;

/// One reference from a page to something else, by an attribute of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Element {
    /// Where it leads: absolute, `http` or `https`, its query in the page's encoding.
    pub url: String,
    /// The name of the element in lower case: `"img"`.
    pub element: &'static str,
    /// The name of the attribute in lower case: `"srcset"`.
    pub attribute: &'static str,
    /// The element's `rel` as written, without white space at its ends; empty if it has none.
    pub rel: Arc<str>,
    /// What a reader sees in its place, in one line: the text of an `<a>` or `<button>` with the `alt`
    /// of its images; the `alt` of an image; otherwise empty.
    pub text: Arc<str>,
}

/// The elements that refer to something, and how, by the HTML Standard's index of attributes. Obsolete
/// ones are included, because pages have them. Their `rel`, `alt` and the like are kept too.
const HTML: [Known; 33] = [
    known("a", &["href", "ping", "rel"]),
    known("area", &["href", "ping", "rel", "alt"]),
    known("audio", &["src"]),
    known("base", &["href"]),
    known("bgsound", &["src"]),
    known("blockquote", &["cite"]),
    known("body", &["background"]),
    known("button", &["formaction"]),
    known("del", &["cite"]),
    known("embed", &["src"]),
    known("form", &["action", "rel"]),
    known("frame", &["src", "longdesc"]),
    known("html", &["manifest"]),
    known("iframe", &["src", "longdesc"]),
    IMG,
    known("input", &["src", "formaction", "type", "alt"]),
    known("ins", &["cite"]),
    known("link", &["href", "imagesrcset", "rel"]),
    known("meta", &["content", "http-equiv"]),
    known("object", &["data"]),
    known("q", &["cite"]),
    known("script", &["src"]),
    known("source", &["src", "srcset"]),
    known("table", &["background"]),
    known("tbody", &["background"]),
    known("td", &["background"]),
    known("tfoot", &["background"]),
    known("th", &["background"]),
    known("thead", &["background"]),
    known("tr", &["background"]),
    known("track", &["src"]),
    known("video", &["src", "poster"]),
    // The parser treats it as `img`.
    known("image", IMG.attributes),
];

const IMG: Known = known("img", &["src", "srcset", "longdesc", "lowsrc", "alt"]);

/// The same for SVG.
const DRAWING: [Known; 5] = [
    known("a", &["href", "xlink:href", "rel"]),
    known("feimage", &["href", "xlink:href"]),
    known("image", &["href", "xlink:href"]),
    known("script", &["href", "xlink:href"]),
    known("use", &["href", "xlink:href"]),
];

const fn known(name: &'static str, attributes: &'static [&'static str]) -> Known {
    Known { name, attributes }
}

fn wanted(name: &[u8], drawing: bool) -> Option<&'static Known> {
    let table: &[Known] = if drawing { &DRAWING } else { &HTML };
    let found = table.iter().find(|known| known.name.as_bytes() == name)?;
    Some(match (found.name, drawing) {
        ("image", false) => &IMG,
        _ => found,
    })
}

/// What a page refers to, with the page's order and repeats. References to what can't be fetched or
/// that stay within the page (`#top`) are left out, and so are `<a>` and `<area>` that lead to the page
/// itself. Whether a browser would load one is not judged: see `rel`. `None`: no memory is left for
/// them.
pub(crate) fn elements(
    page: &Url,
    html: &str,
    syntax: Syntax,
    encoding: &'static Encoding,
) -> Option<Vec<Element>> {
    let _kept = memory::keep_back(html.len())?;
    let mut found = Found::default();
    tags::read_all(html, syntax, wanted, |event| match event {
        Event::Start(tag, _) => found.start(tag),
        Event::Text(text) => found.text(text),
        Event::End(name) => found.end(name),
    });
    while let Some(open) = found.open.pop() {
        found.close(&open);
    }
    if found.lacks_memory {
        return None;
    }
    let mut targets = Targets::of(page, html, found.base, encoding);
    let mut elements = Vec::new();
    for reference in found.references {
        let Reference {
            element,
            attribute,
            target,
            rel,
            text,
        } = reference;
        let leaves_out_page = is_link(element, attribute) || target.starts_with('#');
        let url = match targets.read(&target, leaves_out_page) {
            ControlFlow::Continue(Some(url)) => url,
            ControlFlow::Continue(None) => continue,
            ControlFlow::Break(()) => break,
        };
        memory::room_for_one(&mut elements)?;
        elements.push(Element {
            url: url.into(),
            element,
            attribute,
            rel,
            text,
        });
    }
    Some(elements)
}

/// A reference as it is written.
struct Reference {
    element: &'static str,
    attribute: &'static str,
    target: String,
    rel: Arc<str>,
    text: Arc<str>,
}

/// An element whose text is being read.
struct Open {
    name: &'static str,
    /// The element's references.
    references: Range<usize>,
    text: String,
}

#[derive(Default)]
struct Found {
    /// The first `<base href>`, which applies to all references, those before it too.
    base: Option<String>,
    references: Vec<Reference>,
    open: Vec<Open>,
    nothing: Arc<str>,
    /// No memory was left for another reference.
    lacks_memory: bool,
}

impl Found {
    fn start(&mut self, tag: &Tag) {
        if tag.name == "base" {
            self.base = self
                .base
                .take()
                .or_else(|| tag.get("href").map(str::to_owned));
            return;
        }
        if tag.name == "a" || tag.name == "button" {
            // Neither can be within another of its kind.
            self.end(tag.name.as_bytes());
        }
        let shared = |name: &str, nothing: &Arc<str>| match tag.get(name) {
            Some(value) if !trimmed(value).is_empty() => one_line(value).into(),
            _ => Arc::clone(nothing),
        };
        let rel = shared("rel", &self.nothing);
        let is_image = tag.name != "input" || is(tag, "type", "image");
        let text = match is_image {
            true => shared("alt", &self.nothing),
            false => Arc::clone(&self.nothing),
        };
        if tag.name == "img" {
            self.text(&format!(" {text} "));
        }
        let start = self.references.len();
        for (attribute, value) in tag.attributes() {
            let mut add = |target: &str| {
                let target = trimmed(target);
                // An empty link leads to the page; an empty picture or script leads to nothing.
                if !target.is_empty() || is_link(tag.name, attribute) {
                    self.lacks_memory =
                        self.lacks_memory || memory::room_for_one(&mut self.references).is_none();
                    if self.lacks_memory {
                        return;
                    }
                    self.references.push(Reference {
                        element: tag.name,
                        attribute,
                        target: target.to_owned(),
                        rel: Arc::clone(&rel),
                        text: Arc::clone(&text),
                    });
                }
            };
            match attribute {
                "rel" | "alt" | "type" | "http-equiv" => {}
                "srcset" | "imagesrcset" => {
                    srcset::candidates(value).for_each(&mut add);
                }
                "ping" => value.split_ascii_whitespace().for_each(&mut add),
                // By the HTML Standard this is a button's picture.
                "src" if !is_image => {}
                // SVG 2 prefers the attribute without a prefix.
                "xlink:href" if tag.get("href").is_some() => {}
                "content" => {
                    let target = refresh(trimmed(value).as_bytes());
                    if let Some(target) = target.filter(|_| is(tag, "http-equiv", "refresh")) {
                        add(&String::from_utf8_lossy(target));
                    }
                }
                _ => add(value),
            }
        }
        let references = start..self.references.len();
        if matches!(tag.name, "a" | "button") && !references.is_empty() {
            self.open.push(Open {
                name: tag.name,
                references,
                text: String::new(),
            });
        }
    }

    fn text(&mut self, text: &str) {
        // The innermost element gets the text: otherwise nested ones would store it many times.
        if let Some(open) = self.open.last_mut() {
            open.text.push_str(text);
        }
    }

    fn end(&mut self, name: &[u8]) {
        if let Some(at) = self.open.iter().rposition(|it| it.name.as_bytes() == name) {
            let open = self.open.remove(at);
            self.close(&open);
        }
    }

    fn close(&mut self, open: &Open) {
        let text: Arc<str> = one_line(&open.text).into();
        for reference in &mut self.references[open.references.clone()] {
            reference.text = Arc::clone(&text);
        }
    }
}

/// Whether `links` includes it.
fn is_link(element: &str, attribute: &str) -> bool {
    matches!(element, "a" | "area") && matches!(attribute, "href" | "xlink:href")
}

/// Whether an attribute equals a keyword, in any case.
fn is(tag: &Tag, attribute: &str, keyword: &str) -> bool {
    tag.get(attribute)
        .is_some_and(|value| trimmed(value).eq_ignore_ascii_case(keyword))
}

/// A value without the white space around it.
fn trimmed(value: &str) -> &str {
    value.trim_matches(|c: char| c <= ' ')
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(1 << 10));
    for word in text.split_ascii_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use encoding_rs::UTF_8;

    use super::*;
    use crate::address;

    const PAGE: &str = "http://ex.com/dir/page.html";

    fn found_by(html: &str, syntax: Syntax) -> Vec<String> {
        let page = Url::parse(PAGE).unwrap();
        let shown = |it: Element| {
            let mut shown = format!("{} {} {}", it.element, it.attribute, it.url);
            if !it.rel.is_empty() {
                shown += &format!(" [{}]", it.rel);
            }
            if !it.text.is_empty() {
                shown += &format!(" '{}'", it.text);
            }
            shown
        };
        let found = elements(&page, html, syntax, UTF_8).expect("memory");
        found.into_iter().map(shown).collect()
    }

    #[track_caller]
    fn check(html: &str, expected: &[&str]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|line| line.replace(" /", " http://ex.com/"))
            .collect();
        assert_eq!(found_by(html, Syntax::Html), expected, "{html}");
    }

    /// The HTML Standard's index of attributes: those whose values are URLs.
    #[test]
    fn all_elements() {
        for (html, expected) in [
            (
                "<a href=/x rel='nofollow  NOOPENER'>t</a>",
                "a href /x [nofollow NOOPENER] 't'",
            ),
            ("<area href=/x alt=t>", "area href /x 't'"),
            ("<audio src=/x>", "audio src /x"),
            ("<bgsound src=/x>", "bgsound src /x"),
            ("<blockquote cite=/x>", "blockquote cite /x"),
            ("<body background=/x>", "body background /x"),
            (
                "<button formaction=/x> go <b>on</b></button>",
                "button formaction /x 'go on'",
            ),
            ("<del cite=/x>", "del cite /x"),
            ("<embed src=/x>", "embed src /x"),
            ("<form action=/x method=post>", "form action /x"),
            ("<form action=/x rel=search>", "form action /x [search]"),
            ("<frameset><frame src=/x>", "frame src /x"),
            ("<html manifest=/x>", "html manifest /x"),
            ("<iframe src=/x></iframe>", "iframe src /x"),
            ("<iframe src=/x longdesc='#d'>", "iframe src /x"),
            ("<IMG SRC=/x ALT=' a\n picture '>", "img src /x 'a picture'"),
            ("<img longdesc=/x>", "img longdesc /x"),
            ("<img lowsrc=/x>", "img lowsrc /x"),
            ("<image src=/x>", "img src /x"),
            ("<input type=Image src=/x alt=t>", "input src /x 't'"),
            (
                "<input type=submit src=/no formaction=/x>",
                "input formaction /x",
            ),
            ("<ins cite=/x>", "ins cite /x"),
            (
                "<link rel='preload' as=image imagesrcset='/x 1x'>",
                "link imagesrcset /x [preload]",
            ),
            ("<link rel=stylesheet href=/x>", "link href /x [stylesheet]"),
            (
                "<link rel=canonical href=page.html>",
                "link href /dir/page.html [canonical]",
            ),
            (
                "<meta http-equiv=Refresh content='5; url=/x'>",
                "meta content /x",
            ),
            ("<object data=/x>", "object data /x"),
            ("<q cite=/x>", "q cite /x"),
            ("<script src=/x></script>", "script src /x"),
            ("<script src=/x>location='/y'", "script src /x"),
            ("<picture><source srcset='/x 1x'>", "source srcset /x"),
            ("<video><source src=/x>", "source src /x"),
            ("<table background=/x>", "table background /x"),
            ("<td background=/x>", "td background /x"),
            ("<track src=/x>", "track src /x"),
            ("<video poster=/x>", "video poster /x"),
            ("<video src=/x>", "video src /x"),
            (
                "<svg><a xlink:href=/x><text>t</text></a>",
                "a xlink:href /x 't'",
            ),
            ("<svg><image href=/x xlink:href=/no>", "image href /x"),
            (
                "<svg><use xlink:href='/x#icon'/></svg>",
                "use xlink:href /x#icon",
            ),
            ("<svg><feImage href=/x>", "feimage href /x"),
            ("<svg><script href=/x></script>", "script href /x"),
            ("<noscript><img src=/x></noscript>", "img src /x"),
        ] {
            check(html, &[expected]);
        }
        check(
            "<a href=/1 ping='/2  /3'>x</a>",
            &["a href /1 'x'", "a ping /2 'x'", "a ping /3 'x'"],
        );
        check(
            "<img srcset='/1, /2 2x,/3 foo, /4 4x' src=/5 alt=a>",
            &[
                "img srcset /1 'a'",
                "img srcset /2 'a'",
                "img srcset /4 'a'",
                "img src /5 'a'",
            ],
        );
    }

    #[test]
    fn leaves_out_what_is_none() {
        for html in [
            "<a>",
            "<a href>x",
            "<a href=''>x",
            "<a href='#top'>x",
            "<a href=page.html>x",
            "<a href='mailto:x@y'>x",
            "<img src>",
            "<img src=' '>",
            "<img src='data:,x'>",
            "<img data-src=/x>",
            "<input src=/x>",
            "<script>x</script>",
            "<meta content='0;url=/x'>",
            "<meta http-equiv=refresh content=5>",
            "<link rel=x>",
            "<object data='#x'>",
            "<svg><use href='#icon'></svg>",
            "<svg><img2 src=/x></svg>",
            "<!-- <img src=/x> -->",
            "<template><img src=/x></template>",
            "<title><img src=/x></title>",
            "<script>'<img src=/x>'</script>",
            "<textarea><img src=/x></textarea>",
            "<iframe><img src=/x></iframe>",
            "<img src=/cut",
            "<p src=/x href=/x>",
            "",
            "<img src='http://['>",
            "<a href='ftp://x/'>",
            "<base href=/x>",
        ] {
            check(html, &[]);
        }
    }

    #[test]
    fn text_is_what_is_read() {
        for (html, expected) in [
            (
                "<a href=/x>one <b>two</b>\n three</a> four",
                "'one two three'",
            ),
            ("<a href=/x><img src='' alt='a picture'></a>", "'a picture'"),
            ("<a href=/x>see<img src='' alt=it>now</a>", "'see it now'"),
            ("<a href=/x>a &amp; b&nbsp;c</a>", "'a & b\u{a0}c'"),
            (
                "<a href=/x>a<script>b</script><style>c</style>d</a>",
                "'ad'",
            ),
            ("<a href=/x>a<!-- b -->c</a>", "'ac'"),
            ("<a href=/x>open", "'open'"),
            ("<a href=/x><p>over<p>paragraphs</a>", "'overparagraphs'"),
            ("<a href=/x>a<template>b</template>c</a>", "'ac'"),
            ("<a href=/x>a</b>c</a>", "'ac'"),
        ] {
            check(html, &[&format!("a href /x {expected}")]);
        }
        check(
            "<a href=/1>one<a href=/2>two</a>three</a>",
            &["a href /1 'one'", "a href /2 'two'"],
        );
        check(
            "<a href=/1>one <button formaction=/2>two</button> three</a>",
            &["a href /1 'one three'", "button formaction /2 'two'"],
        );
        check("<a href=/1>one<a>two</a>", &["a href /1 'one'"]);
    }

    #[test]
    fn goes_by_base_encoding_and_syntax() {
        check(
            "<img src=x><base href=/b/><base href=/c/><a href=y>",
            &["img src /b/x", "a href /b/y"],
        );
        check(
            "<base href=/b><a href='#x'><a href><img src='#x'><img src>",
            &["a href /b#x", "a href /b", "img src /b#x"],
        );
        check("<base href='file:///x/'><img src=x>", &["img src /dir/x"]);
        let page = Url::parse(PAGE).unwrap();
        let encoding = Encoding::for_label(b"windows-1251").unwrap();
        let html = "<form action='/s?q=ж'><img srcset='/ж?ж 1x'>";
        let found = elements(&page, html, Syntax::Html, encoding).expect("memory");
        let urls: Vec<_> = found.iter().map(|it| &*it.url).collect();
        assert_eq!(urls, ["http://ex.com/s?q=%E6", "http://ex.com/%D0%B6?%E6"]);
        let html = "<title/><script src='/1'/><iframe src='/2'/><img src='/3'/>";
        assert_eq!(found_by(html, Syntax::Html).len(), 0);
        assert_eq!(found_by(html, Syntax::Xml).len(), 3);
    }

    #[test]
    fn has_the_links_of_the_page() {
        let page = Url::parse(PAGE).unwrap();
        let html = "<a href=1>1</a><area href=2><a href='#x'><a href=page.html><a href=1>\
                    <svg><a href=3></a></svg><a href='page.html#y'>";
        let links = crate::sniff::links(&page, html, Syntax::Html, UTF_8);
        let mut found: Vec<_> = elements(&page, html, Syntax::Html, UTF_8)
            .expect("memory")
            .into_iter()
            .map(|it| it.url)
            .collect();
        found.remove(2);
        assert_eq!(Some(found), links);
    }

    #[test]
    fn stays_linear_and_bounded() {
        for piece in [
            "<a href=/x>",
            "<button formaction=/x>",
            "<a href=/x><button formaction=/y>",
            "x",
            "<img srcset='",
            "<img srcset='a, b, ",
            "</a>",
            "<svg>",
            "<a ping='x ",
            "&amp;",
        ] {
            found_by(
                &format!("<a href=/x>{}", piece.repeat(50_000)),
                Syntax::Html,
            );
        }
        let base = "x".repeat(1 << 20);
        let images: String = (0..1000).map(|i| format!("<img src={i}>")).collect();
        let found = found_by(&format!("<base href='/{base}/'>{images}"), Syntax::Html);
        assert_eq!(found.len(), 15, "a page of 1 MiB");
        // All references of an element share one copy of its texts.
        let long = "x".repeat(1 << 20);
        let set: String = (0..50_000).map(|i| format!("{i}, ")).collect();
        let page = Url::parse(PAGE).unwrap();
        let html = format!("<img alt={long} srcset='{set}'>");
        let found = elements(&page, &html, Syntax::Html, UTF_8).expect("memory");
        assert_eq!(found.len(), 50_000);
        assert!(Arc::ptr_eq(&found[0].text, &found[49_999].text));
    }

    proptest::proptest! {
        #[test]
        fn any_markup(html in "(<|>|</|/>|<a |<img |<base |<link |<script|<svg|<use |<button |<template|</a>|href=|src=|srcset=|alt=|rel=|'|\"|/x|, |1x|#|&amp|é| |text){0,40}") {
            for syntax in [Syntax::Html, Syntax::Xml] {
                let page = Url::parse(PAGE).unwrap();
                for found in elements(&page, &html, syntax, UTF_8).expect("memory") {
                    let url = Url::parse(&found.url).unwrap();
                    proptest::prop_assert_eq!(url.as_str(), &*found.url);
                    proptest::prop_assert!(address::check(&url).is_ok());
                }
            }
        }
    }
}
