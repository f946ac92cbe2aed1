//! What the start of a page says of where it leads.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use lol_html::errors::RewritingError;
use lol_html::html_content::{Element, TextChunk};
use lol_html::{HtmlRewriter, Settings, element, text};

use super::js::relocation;
use super::refresh::refresh;

const HTML: &str = "http://www.w3.org/1999/xhtml";

/// The types under which browsers run a script, by the MIME Sniffing standard.
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

/// What a page says of where it leads, each as written there: entities undone, white space trimmed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// The first `<base href>`: what the others are relative to. It may be empty.
    pub base: Option<String>,
    /// The URL of the first `<meta http-equiv=refresh>` that has one.
    pub meta_refresh: Option<String>,
    /// The first target that a script in the page sends the reader to.
    pub js_relocation: Option<String>,
    /// The first `<link rel=canonical>`.
    pub canonical: Option<String>,
}

/// Reads the start of a page, which may be cut off anywhere.
///
/// Only what a browser would take for an element counts: nothing in comments, templates, scripts
/// or other raw text. A `<noscript>` is read for its meta refresh, as by a browser without
/// scripts: those that need it are who gets here.
pub(crate) fn hints(html: &str) -> Hints {
    let page = RefCell::new(Page {
        html,
        ..Page::default()
    });
    // Nothing is rewritten, memory is not limited: the one error left is one of our handlers', and
    // they have none. What was found before it would still be right.
    let _ = page_pass(html, &page);
    let mut page = page.into_inner();
    page.end_text();
    let mut hints = page.hints;
    hints.js_relocation = hints.js_relocation.or(page.onload);
    hints
}

/// What is known of a page on the way through it.
#[derive(Default)]
struct Page<'a> {
    html: &'a str,
    hints: Hints,
    /// The target within `<body onload>`, which runs after the scripts of the page.
    onload: Option<String>,
    /// Whether a body was there: a second one's attributes don't count.
    has_body: bool,
    /// Where the last element within a template starts.
    inert: Option<usize>,
    /// The text element that is open, and its text.
    text: Option<(Raw, Range<usize>)>,
}

/// The elements whose text is read.
#[derive(Clone, Copy)]
enum Raw {
    Script,
    Noscript,
}

fn page_pass(html: &str, page: &RefCell<Page<'_>>) -> Result<(), RewritingError> {
    let in_text = |chunk: &mut TextChunk<'_>| {
        page.borrow_mut().text_chunk(chunk);
        Ok(())
    };
    // Handlers run in the order given here: the template's before that of the element itself.
    let settings = Settings::new()
        .with_strict(false)
        .append_element_content_handler(element!("template *", |element| {
            page.borrow_mut().inert = Some(element.source_location().bytes().start);
            Ok(())
        }))
        .append_element_content_handler(element!("base[href]", |element| {
            page.borrow_mut().base(element);
            Ok(())
        }))
        .append_element_content_handler(element!("meta[http-equiv][content]", |element| {
            page.borrow_mut().meta(element);
            Ok(())
        }))
        .append_element_content_handler(element!("link[rel][href]", |element| {
            page.borrow_mut().link(element);
            Ok(())
        }))
        .append_element_content_handler(element!("body", |element| {
            page.borrow_mut().body(element);
            Ok(())
        }))
        .append_element_content_handler(element!("script", |element| {
            page.borrow_mut().script(element);
            Ok(())
        }))
        .append_element_content_handler(element!("noscript", |element| {
            page.borrow_mut().noscript(element);
            Ok(())
        }))
        .append_element_content_handler(text!("script", in_text))
        .append_element_content_handler(text!("noscript", in_text));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| ());
    rewriter.write(html.as_bytes())?;
    rewriter.end()
}

impl Page<'_> {
    fn base(&mut self, element: &Element<'_, '_>) {
        if self.hints.base.is_none() && self.counts(element) {
            self.hints.base = attribute(element, "href");
        }
    }

    fn meta(&mut self, element: &Element<'_, '_>) {
        if self.hints.meta_refresh.is_none() && self.counts(element) {
            self.hints.meta_refresh = meta_refresh(element);
        }
    }

    fn link(&mut self, element: &Element<'_, '_>) {
        if self.hints.canonical.is_some() || !self.counts(element) {
            return;
        }
        let rel = attribute(element, "rel").unwrap_or_default();
        if rel
            .split_ascii_whitespace()
            .any(|word| word.eq_ignore_ascii_case("canonical"))
        {
            self.hints.canonical = attribute(element, "href").filter(|href| !href.is_empty());
        }
    }

    fn body(&mut self, element: &Element<'_, '_>) {
        if !std::mem::replace(&mut self.has_body, true) && self.counts(element) {
            self.onload = attribute(element, "onload").and_then(|code| relocation(&code));
        }
    }

    fn script(&mut self, element: &Element<'_, '_>) {
        self.end_text();
        if self.hints.js_relocation.is_none() && self.counts(element) && is_run(element) {
            self.start_text(Raw::Script, element);
        }
    }

    fn noscript(&mut self, element: &Element<'_, '_>) {
        self.end_text();
        if self.hints.meta_refresh.is_none() && self.counts(element) {
            self.start_text(Raw::Noscript, element);
        }
    }

    /// Whether an element is HTML's own and part of the page.
    fn counts(&self, element: &Element<'_, '_>) -> bool {
        element.namespace_uri() == HTML
            && self.inert != Some(element.source_location().bytes().start)
    }

    fn start_text(&mut self, raw: Raw, element: &Element<'_, '_>) {
        let start = element.source_location().bytes().end;
        self.text = Some((raw, start..start));
    }

    fn text_chunk(&mut self, chunk: &TextChunk<'_>) {
        if let Some((_, text)) = &mut self.text {
            text.end = chunk.source_location().bytes().end.max(text.end);
        }
        if chunk.last_in_text_node() {
            self.end_text();
        }
    }

    /// Reads the text of the element that was open.
    fn end_text(&mut self) {
        let Some((raw, text)) = self.text.take() else {
            return;
        };
        let text = self.html.get(text).unwrap_or_default();
        match raw {
            Raw::Script => {
                let found = self.hints.js_relocation.take();
                self.hints.js_relocation = found.or_else(|| relocation(text));
            }
            Raw::Noscript => {
                let found = self.hints.meta_refresh.take();
                self.hints.meta_refresh = found.or_else(|| noscript_refresh(text));
            }
        }
    }
}

/// The meta refresh within a `<noscript>`. One within another is not looked into.
fn noscript_refresh(html: &str) -> Option<String> {
    if !html.contains('<') {
        return None;
    }
    let page = RefCell::new(Page {
        html,
        ..Page::default()
    });
    let settings = Settings::new()
        .with_strict(false)
        .append_element_content_handler(element!("template *", |element| {
            page.borrow_mut().inert = Some(element.source_location().bytes().start);
            Ok(())
        }))
        .append_element_content_handler(element!("meta[http-equiv][content]", |element| {
            page.borrow_mut().meta(element);
            Ok(())
        }));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| ());
    let _ = rewriter
        .write(html.as_bytes())
        .and_then(|()| rewriter.end());
    page.into_inner().hints.meta_refresh
}

fn meta_refresh(element: &Element<'_, '_>) -> Option<String> {
    let pragma = attribute(element, "http-equiv")?;
    if !pragma.eq_ignore_ascii_case("refresh") {
        return None;
    }
    let content = attribute(element, "content")?;
    let url = refresh(content.as_bytes())?;
    // It is cut at ASCII characters, so it is text as before.
    Some(String::from_utf8_lossy(url).into_owned())
}

/// Whether a browser runs the text of a `<script>`.
fn is_run(element: &Element<'_, '_>) -> bool {
    // Modules are for browsers of today, `nomodule` for those that don't know them.
    if element.has_attribute("src") || element.has_attribute("nomodule") {
        return false;
    }
    let language = || {
        let language = attribute(element, "language").filter(|language| !language.is_empty());
        language.map(|language| format!("text/{language}"))
    };
    let kind = attribute(element, "type").or_else(language);
    kind.is_none_or(|kind| {
        JAVASCRIPT
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&kind))
    })
}

/// The value of an attribute: entities undone, white space trimmed.
fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    let value = element.get_attribute(name)?;
    let value: Cow<'_, str> = htmlize::unescape_attribute(value.as_str());
    Some(value.trim_matches(|c: char| c <= ' ').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(html: &str) -> Option<String> {
        hints(html).meta_refresh
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
                meta_refresh: Some("/m?a=1&b=2".into()),
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
        assert_eq!(meta(&format!("{first}{tag}")).as_deref(), Some("/first"));
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
            assert_eq!(found.meta_refresh.is_some(), end >= 58, "{end}");
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
        // By the standard, a meta ends the picture it stands in.
        let html = "<svg><text><meta http-equiv=refresh content='0;url=/x'>";
        assert_eq!(meta(html).as_deref(), Some("/x"));
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
