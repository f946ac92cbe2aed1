//! What the start of a page says about where it leads.

use super::js::relocation;
use super::refresh::refresh;
use super::tags::{self, Kind, Noscript, Syntax, Tag};

/// The types with which browsers run a script, by the MIME Sniffing standard.
const JAVASCRIPT: [&str; 17] = [
    "",
    "module",
    "application/ecmascript",
    "application/javascript",
    "application/x-ecmascript",
    "application/x-javascript",
    "text/ecmascript",
    "text/javascript",
    "text/javascript1.0",
    "text/javascript1.1",
    "text/javascript1.2",
    "text/javascript1.3",
    "text/javascript1.4",
    "text/javascript1.5",
    "text/jscript",
    "text/livescript",
    "text/x-javascript",
];

/// What a page says about where it leads, each as written, with entities decoded and white space
/// trimmed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// The first `<base href>`, to which the others are relative. It may be empty.
    pub base: Option<String>,
    /// The URL of each `<meta http-equiv=refresh>` that has one.
    pub meta_refresh: Vec<String>,
    /// The same for those within `<noscript>`.
    pub noscript_refresh: Vec<String>,
    /// The first target to which a script in the page sends the reader.
    pub js_relocation: Option<String>,
    /// The first `<link rel=canonical>`.
    pub canonical: Option<String>,
}

/// Reads the start of a page, which may be cut off anywhere.
///
/// Only what a browser would take for an element counts, and nothing in comments, templates, scripts or
/// other raw text. A `<noscript>` is read only for its meta refresh, which is kept apart.
pub(crate) fn hints(html: &str, syntax: Syntax) -> Hints {
    let mut page = Page::default();
    tags::read(html, syntax, Noscript::Text, |tag, text| {
        page.read(tag, text);
    });
    let mut hints = page.hints;
    hints.js_relocation = hints.js_relocation.or(page.onload);
    hints
}

/// What is known of a page on the way through it.
#[derive(Default)]
struct Page {
    hints: Hints,
    /// The target within `<body onload>`, which runs after the scripts of the page.
    onload: Option<String>,
    /// Whether a body was there: a second one's attributes do not count.
    has_body: bool,
}

impl Page {
    fn read(&mut self, tag: &Tag, text: &str) {
        let hints = &mut self.hints;
        match tag.kind {
            Kind::Base if hints.base.is_none() => {
                hints.base = attribute(tag, "href").map(str::to_owned);
            }
            Kind::Meta if tag.in_noscript => hints.noscript_refresh.extend(meta_refresh(tag)),
            Kind::Meta => hints.meta_refresh.extend(meta_refresh(tag)),
            Kind::Noscript => read_noscript(text, &mut hints.noscript_refresh),
            Kind::Link if hints.canonical.is_none() => hints.canonical = canonical(tag),
            Kind::Script if hints.js_relocation.is_none() && is_run(tag) => {
                hints.js_relocation = relocation(text);
            }
            Kind::Body if !self.has_body => {
                self.has_body = true;
                self.onload = attribute(tag, "onload").and_then(relocation);
            }
            _ => {}
        }
    }
}

/// Finds each meta refresh within a `<noscript>`, but not within a nested one.
fn read_noscript(html: &str, found: &mut Vec<String>) {
    tags::read(html, Syntax::Html, Noscript::Text, |tag, _| {
        if matches!(tag.kind, Kind::Meta) {
            found.extend(meta_refresh(tag));
        }
    });
}

fn meta_refresh(tag: &Tag) -> Option<String> {
    let pragma = attribute(tag, "http-equiv")?;
    if !pragma.eq_ignore_ascii_case("refresh") {
        return None;
    }
    let url = refresh(attribute(tag, "content")?.as_bytes())?;
    // The cuts are at ASCII characters, and the text stays valid.
    Some(String::from_utf8_lossy(url).into_owned())
}

fn canonical(tag: &Tag) -> Option<String> {
    let mut words = attribute(tag, "rel")?.split_ascii_whitespace();
    if !words.any(|word| word.eq_ignore_ascii_case("canonical")) {
        return None;
    }
    let href = attribute(tag, "href").filter(|href| !href.is_empty());
    href.map(str::to_owned)
}

/// Whether a browser runs the text of a `<script>`.
fn is_run(tag: &Tag) -> bool {
    // Modules are for today's browsers, `nomodule` for those that do not know them.
    if tag.get("src").is_some() || tag.get("nomodule").is_some() {
        return false;
    }
    let language = || {
        let language = attribute(tag, "language").filter(|language| !language.is_empty());
        language.map(|language| format!("text/{language}"))
    };
    let kind = attribute(tag, "type").map(str::to_owned).or_else(language);
    kind.is_none_or(|kind| {
        JAVASCRIPT
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&kind))
    })
}

/// The value of an attribute, with white space trimmed.
fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    let value = tag.get(name)?;
    Some(value.trim_matches(|c: char| c <= ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(html: &str) -> Hints {
        super::hints(html, Syntax::Html)
    }

    /// The first refresh: the page's own before those for browsers without scripts.
    fn meta(html: &str) -> Option<String> {
        let found = hints(html);
        found
            .meta_refresh
            .into_iter()
            .chain(found.noscript_refresh)
            .next()
    }

    fn js(html: &str) -> Option<String> {
        hints(html).js_relocation
    }

    #[test]
    fn a_page() {
        let page = r#"<!doctype html><html><head><title>x <base href=no></title>
            <base target=_top><BASE HREF=" /b/ "><base href=/no/>
            <meta http-equiv=refresh content=5>
            <meta HTTP-EQUIV="Refresh" CONTENT="0; URL='/m?a=1&amp;b=2'">
            <meta http-equiv=refresh content="0;url=/no">
            <link rel=stylesheet href=no><link rel=canonical><link rel=canonical href="">
            <link rel="alternate CANONICAL" href="&#x2F;c&eacute;"><link rel=canonical href=/no>
            <script>if (a < b) { location = "/j" } "<meta>"</script>
            <script>location = "/no"</script></head>"#;
        assert_eq!(
            hints(page),
            Hints {
                base: Some("/b/".into()),
                meta_refresh: vec!["/m?a=1&b=2".into(), "/no".into()],
                noscript_refresh: Vec::new(),
                js_relocation: Some("/j".into()),
                canonical: Some("/cé".into()),
            }
        );
        assert_eq!(hints(""), Hints::default());
    }

    #[test]
    fn meta_refreshes() {
        let tag = "<meta http-equiv=refresh content='0;url=/x'>";
        for (before, after) in [
            ("", ""),
            ("<p>", ""),
            ("<noscript>", "</noscript>"),
            ("<noscript>", ""),
            ("<head><noscript><p>", "</p></noscript>"),
            ("<noscript></noscript>", ""),
            ("<template></template>", ""),
            ("<div><template></div></template>", ""),
            ("<script>'</scrip'</script>", ""),
            ("<svg><path d=''/></svg>", ""),
            ("<!-- -->", ""),
            ("<select>", ""),
            ("<x-y>", ""),
        ] {
            let html = format!("{before}{tag}{after}");
            assert_eq!(meta(&html).as_deref(), Some("/x"), "{html}");
        }
        for (before, after) in [
            ("<!--", "-->"),
            ("<!--", ""),
            ("<script>", "</script>"),
            ("<script>", ""),
            ("<script type=text/plain>", "</script>"),
            ("<style>", "</style>"),
            ("<title>", "</title>"),
            ("<textarea>", "</textarea>"),
            ("<xmp>", "</xmp>"),
            ("<iframe>", "</iframe>"),
            ("<plaintext>", ""),
            ("<template>", "</template>"),
            ("<template><p><b>", "</template>"),
            ("<noscript><!--", "--></noscript>"),
            ("<noscript><template>", "</template></noscript>"),
            ("<template><noscript>", "</noscript></template>"),
            ("<svg><text><![CDATA[", "]]></text></svg>"),
            ("<a title=\"", "\">"),
        ] {
            let html = format!("{before}{tag}{after}");
            assert_eq!(meta(&html), None, "{html}");
        }
        let first = "<noscript><meta http-equiv=refresh content='0;url=/first'></noscript>";
        let found = hints(&format!("{first}{tag}"));
        assert_eq!(found.noscript_refresh, ["/first"]);
        assert_eq!(found.meta_refresh, ["/x"]);
        let found = super::hints(&format!("{first}{tag}"), Syntax::Xml);
        assert_eq!(found.noscript_refresh, ["/first"]);
        assert_eq!(found.meta_refresh, ["/x"]);
        assert_eq!(
            meta("<meta http-equiv=refresh content='0;url=/a&copy=1&amp=2&ampx'>").as_deref(),
            Some("/a&copy=1&amp=2&ampx")
        );
    }

    #[test]
    fn a_tag_that_is_cut_off_does_not_count() {
        let page = "<base href=/b><meta http-equiv=refresh content='0;url=/x'><link rel=canonical href=/c>";
        for end in (0..=page.len()).filter(|&end| page.is_char_boundary(end)) {
            let found = hints(&page[..end]);
            assert_eq!(found.base.is_some(), end >= 14, "{end}");
            assert_eq!(!found.meta_refresh.is_empty(), end >= 58, "{end}");
            assert_eq!(found.canonical.is_some(), end >= page.len(), "{end}");
        }
    }

    #[test]
    fn what_is_not_html_does_not_count() {
        for html in [
            "<svg><base href=/x><link rel=canonical href=/x><script>location='/x'</script></svg>",
            "<math><base href=/x></math>",
            "<template><base href=/x><link rel=canonical href=/x><script>location='/x'</script></template>",
        ] {
            assert_eq!(hints(html), Hints::default(), "{html}");
        }
        // By the standard, a meta ends the picture around it.
        let html = "<svg><text><meta http-equiv=refresh content='0;url=/x'>";
        assert_eq!(meta(html).as_deref(), Some("/x"));
    }

    #[test]
    fn a_page_of_xml() {
        let page = "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head><title/>\
            <script src='/s.js'/><style/><base href='/b/'/><link rel='canonical' href='/c'/>\
            <meta http-equiv='refresh' content='0; url=/m?a&amp;b'/>\
            <script><![CDATA[ if (a && b) location = '/j?a&b' ]]></script></head></html>";
        let found = super::hints(page, Syntax::Xml);
        assert_eq!(
            found,
            Hints {
                base: Some("/b/".into()),
                meta_refresh: vec!["/m?a&b".into()],
                noscript_refresh: Vec::new(),
                js_relocation: Some("/j?a&b".into()),
                canonical: Some("/c".into()),
            }
        );
        assert_eq!(hints(page), Hints::default(), "a title that does not end");
    }

    #[test]
    fn scripts() {
        for html in [
            "<script>location='/x'</script>",
            "<script>location='/x'",
            "<script>location='/x'; foo('",
            "<script>a</script><p><script>location='/x'</script>",
            "<script type=module>location='/x'</script>",
            "<script type='Text/JavaScript'>location='/x'</script>",
            "<script type=''>location='/x'</script>",
            "<script language=JavaScript>location='/x'</script>",
            "<script><!--\nlocation='/x'\n//--></script>",
            "<body onload=\"location='/x'\">",
            "<body onload='location=&quot;/x&#34;'>",
            "<script src=/y></script><script>location='/x'</script>",
            "<body onload=\"location='/y'\"><script>location='/x'</script>",
        ] {
            assert_eq!(js(html).as_deref(), Some("/x"), "{html}");
        }
        for html in [
            "location='/x'",
            "<p onclick=\"location='/x'\">",
            "<!-- <script>location='/x'</script> -->",
            "<script src=/y>location='/x'</script>",
            "<script type=application/ld+json>location='/x'</script>",
            "<script type=text/template>location='/x'</script>",
            "<script language=vbscript>location='/x'</script>",
            "<script nomodule>location='/x'</script>",
            "<noscript><script>location='/x'</script></noscript>",
            "<body><body onload=\"location='/x'\">",
            "<script>location='/x",
        ] {
            assert_eq!(js(html), None, "{html}");
        }
    }

    #[test]
    fn huge_attributes_and_deep_pages() {
        let long = "x".repeat(3 << 20);
        let html = format!("<a title='{long}'><base href='{long}'><link rel=canonical href=/c>");
        let found = hints(&html);
        assert_eq!(found.base.map(|base| base.len()), Some(long.len()));
        assert_eq!(found.canonical.as_deref(), Some("/c"));
        for piece in [
            "<noscript>",
            "<div>",
            "<template>",
            "<svg>",
            "<script>",
            "<",
            "<p a",
        ] {
            hints(&piece.repeat(64 << 10 >> 3));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text(html in "\\PC{0,80}") {
            hints(&html);
        }

        #[test]
        fn any_markup(html in "(<|>|</|/>|<!--|-->|<meta |<base |<link |<script|<noscript|<template|<svg|<title|http-equiv=refresh |content=|rel=canonical |href=|'|\"|0;url=|/x|&amp|&#|;|location=|]]>|<!\\[CDATA\\[|é| ){0,40}") {
            hints(&html);
        }
    }
}
