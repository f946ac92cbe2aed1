//! The start tags of a page, as a browser would see them.

use std::convert::Infallible;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, ForwardingEmitter, Span, State, Tokenizer};

/// How the content of `<noscript>` is treated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Noscript {
    /// Its tags belong to the page, as in a browser without scripts.
    Tags,
    /// It is text, as in a browser with scripts.
    Text,
}

/// The rules by which markup is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Html,
    /// Any element may be empty (`<script src="x"/>`, `<title/>`), only scripts, styles and titles
    /// contain anything but markup, a tag ends only its own element, and CDATA may be anywhere.
    /// Documents that are not well-formed are read on all the same: only scripts and styles count as
    /// raw text as in HTML, because many such pages were written for both.
    Xml,
}

/// What a page consists of.
pub(super) enum Event<'a> {
    /// A start tag. That of a `<script>` or another raw text element comes with its text.
    Start(&'a Tag, &'a str),
    /// Text that a reader sees.
    Text(&'a str),
    /// The end tag of an element of that name.
    End(&'a [u8]),
}

/// Visits the start tags of a page. That of a `<script>` or another raw text element comes with its
/// text, and only if it has any.
///
/// Comments and raw text contain no tags, and a tag that is cut off does not count. The content of a
/// template is not part of the page until a script puts it there.
pub(super) fn read(
    html: &str,
    syntax: Syntax,
    noscript: Noscript,
    mut visit: impl FnMut(&Tag, &str),
) {
    walk(html, syntax, noscript, None, |event| {
        if let Event::Start(tag, text) = event {
            visit(tag, text);
        }
    });
}

/// Which attributes of an element are kept, by its name and whether it is within a drawing.
pub(super) type Wanted = fn(name: &[u8], drawing: bool) -> Option<&'static Known>;

/// An element of which some attributes are kept.
pub(super) struct Known {
    pub name: &'static str,
    pub attributes: &'static [&'static str],
}

/// Visits all start tags of a page, with raw text elements at once and without text; the text between
/// them; and the end tags. A `<noscript>` is read as in a browser without scripts.
pub(super) fn read_all(html: &str, syntax: Syntax, wanted: Wanted, visit: impl FnMut(Event<'_>)) {
    walk(html, syntax, Noscript::Tags, Some(wanted), visit);
}

fn walk(
    html: &str,
    syntax: Syntax,
    noscript: Noscript,
    wanted: Option<Wanted>,
    visit: impl FnMut(Event<'_>),
) {
    let place = Place {
        visit,
        syntax,
        noscript,
        wanted,
        tag: Tag::default(),
        raw: None,
        in_raw: false,
        state: None,
        templates: 0,
        noscripts: 0,
        drawings: Vec::new(),
    };
    let Ok(()) = Tokenizer::new_with_emitter(html, Tags(CallbackEmitter::new(place))).finish();
}

/// A start tag.
#[derive(Default)]
pub(super) struct Tag {
    pub kind: Kind,
    /// The tag's name, if it is one whose attributes are asked for by name.
    pub name: &'static str,
    /// Whether it is within a `<noscript>` whose content is markup.
    pub in_noscript: bool,
    wanted: &'static [&'static str],
    /// The attributes asked for, with entities decoded. The first of a name counts.
    attributes: Vec<(&'static str, String)>,
    /// Whether the value of the last attribute is being read.
    at_value: bool,
}

impl Tag {
    /// The value of an attribute that `Kind::attributes` lists or that was asked for.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }

    /// The attributes that were asked for, in the order of the page.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let attributes = self.attributes.iter();
        attributes.map(|(name, value)| (*name, value.as_str()))
    }

    fn attribute(&mut self, name: &[u8]) {
        let known = self.wanted.iter();
        let known = known.copied().find(|known| known.as_bytes() == name);
        let known = known.filter(|known| self.get(known).is_none());
        self.at_value = known.is_some();
        // No event reports an empty value.
        self.attributes
            .extend(known.map(|known| (known, String::new())));
    }

    fn value(&mut self, text: &[u8]) {
        if let Some((_, value)) = self.attributes.last_mut().filter(|_| self.at_value) {
            *value = String::from_utf8_lossy(text).into_owned();
        }
    }
}

/// What a tag means here.
#[derive(Clone, Copy, Default)]
pub(super) enum Kind {
    /// `<a>` and `<area>`, the former within drawings too.
    Anchor,
    Base,
    Body,
    /// `<link>`
    Link,
    Meta,
    Noscript,
    Script,
    Template,
    /// SVG and MathML, whose syntax is a little different.
    Drawing,
    /// An element that holds HTML within a drawing.
    Island,
    /// What follows is not markup, and must be read in this state.
    Raw(State),
    #[default]
    Other,
}

impl Kind {
    fn of(name: &[u8]) -> Self {
        match name {
            b"a" | b"area" => Self::Anchor,
            b"base" => Self::Base,
            b"body" => Self::Body,
            b"link" => Self::Link,
            b"meta" => Self::Meta,
            b"noscript" => Self::Noscript,
            b"script" => Self::Script,
            b"template" => Self::Template,
            b"svg" | b"math" => Self::Drawing,
            b"title" | b"textarea" => Self::Raw(State::RcData),
            b"style" | b"xmp" | b"iframe" | b"noembed" | b"noframes" => Self::Raw(State::RawText),
            b"plaintext" => Self::Raw(State::PlainText),
            _ => Self::Other,
        }
    }

    fn within_drawing(name: &[u8]) -> Self {
        match name {
            _ if is_island(name) => Self::Island,
            b"a" | b"template" | b"svg" | b"math" => Self::of(name),
            _ => Self::Other,
        }
    }

    /// The attributes that are kept.
    fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Anchor | Self::Base => &["href"],
            Self::Body => &["onload"],
            Self::Link => &["rel", "href"],
            Self::Meta => &["http-equiv", "content"],
            Self::Script => &["src", "nomodule", "type", "language"],
            _ => &[],
        }
    }

    /// How to read what follows, if it is not markup.
    fn state(self, syntax: Syntax, noscript: Noscript) -> Option<State> {
        match self {
            Self::Raw(state) => Some(state),
            Self::Script => Some(State::ScriptData),
            Self::Noscript if syntax == Syntax::Html => {
                (noscript == Noscript::Text).then_some(State::RawText)
            }
            _ => None,
        }
    }
}

/// The standard's "integration points" apart from `<annotation-xml>`, which hardly ever is one.
fn is_island(name: &[u8]) -> bool {
    matches!(
        name,
        b"desc" | b"foreignobject" | b"title" | b"mi" | b"mn" | b"mo" | b"ms" | b"mtext"
    )
}

/// The tags that end an unclosed drawing, by the standard. For `<font>` it would depend on the
/// attributes.
fn ends_drawing(name: &[u8]) -> bool {
    const NAMES: &str = "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 \
        h6 head hr i img li listing menu meta nobr ol p pre ruby s small span strong strike sub \
        sup table tt u ul var";
    NAMES.split(' ').any(|known| known.as_bytes() == name)
}

/// The elements whose content is not markup in HTML alone.
fn is_raw_in_html_only(name: &[u8]) -> bool {
    matches!(
        name,
        b"xmp" | b"iframe" | b"noembed" | b"noframes" | b"plaintext"
    )
}

/// Where in a page the tokenizer is: it must be told, because it knows nothing of elements.
struct Place<F> {
    visit: F,
    syntax: Syntax,
    noscript: Noscript,
    wanted: Option<Wanted>,
    /// The start tag being read.
    tag: Tag,
    /// The start tag whose raw text is being read.
    raw: Option<Tag>,
    /// Whether the text being read is raw, and invisible to readers.
    in_raw: bool,
    /// How to read on.
    state: Option<State>,
    /// The number of open templates.
    templates: usize,
    /// The number of open `<noscript>` whose content is markup.
    noscripts: usize,
    /// The open drawings, with `false` for each island in them.
    drawings: Vec<bool>,
}

impl<F: FnMut(Event<'_>)> Place<F> {
    fn in_drawing(&self) -> bool {
        self.drawings.last() == Some(&true)
    }

    fn leave_drawings(&mut self) {
        while self.in_drawing() {
            self.drawings.pop();
        }
    }

    fn open(&mut self, name: &[u8]) {
        let html = self.syntax == Syntax::Html;
        if html && self.in_drawing() && ends_drawing(name) {
            self.leave_drawings();
        }
        let drawing = self.in_drawing();
        let kind = match drawing {
            true => Kind::within_drawing(name),
            false if !html && is_raw_in_html_only(name) => Kind::Other,
            false => Kind::of(name),
        };
        let element = self.wanted.map(|wanted| wanted(name, drawing));
        let (name, wanted) = match element {
            None => ("", kind.attributes()),
            Some(None) => ("", &[][..]),
            Some(Some(element)) => (element.name, element.attributes),
        };
        self.tag = Tag {
            kind,
            name,
            wanted,
            in_noscript: self.noscripts > 0,
            ..Tag::default()
        };
    }

    fn start(&mut self, self_closing: bool) {
        let tag = std::mem::take(&mut self.tag);
        let empty = self_closing && self.syntax == Syntax::Xml;
        match tag.kind {
            Kind::Template if !empty => self.templates += 1,
            Kind::Drawing if !self_closing => self.drawings.push(true),
            Kind::Island if !self_closing => self.drawings.push(false),
            _ => {}
        }
        self.state = match empty {
            true => None,
            false => tag.kind.state(self.syntax, self.noscript),
        };
        if matches!(tag.kind, Kind::Noscript) && self.state.is_none() && !empty {
            self.noscripts += 1;
        }
        self.in_raw = self.state.is_some();
        if self.templates > 0 {
            return;
        }
        if self.in_raw && self.wanted.is_none() {
            self.raw = Some(tag);
        } else {
            (self.visit)(Event::Start(&tag, ""));
        }
    }

    fn text(&mut self, text: &[u8]) {
        if let Some(tag) = self.raw.take() {
            let text = String::from_utf8_lossy(text);
            let text = match (self.syntax, tag.kind) {
                (Syntax::Xml, Kind::Script) => text_of_xml(&text).into(),
                _ => text,
            };
            (self.visit)(Event::Start(&tag, &text));
        } else if self.wanted.is_some() && !self.in_raw && self.templates == 0 {
            (self.visit)(Event::Text(&String::from_utf8_lossy(text)));
        }
    }

    fn end(&mut self, name: &[u8]) {
        self.raw = None;
        self.in_raw = false;
        if self.templates == 0 {
            (self.visit)(Event::End(name));
        }
        match name {
            b"template" => self.templates = self.templates.saturating_sub(1),
            b"noscript" => self.noscripts = self.noscripts.saturating_sub(1),
            b"svg" | b"math" if self.in_drawing() => {
                self.drawings.pop();
            }
            b"p" | b"br" if self.syntax == Syntax::Html => self.leave_drawings(),
            _ if is_island(name) && !self.in_drawing() => {
                self.drawings.pop();
            }
            _ => {}
        }
    }
}

/// The text of an XML element that was read as raw: without the marks of its CDATA sections, or with
/// its predefined entities decoded (XML 1.0, sections 2.7 and 4.6).
fn text_of_xml(raw: &str) -> String {
    const ENTITIES: [(&str, &str); 5] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    if raw.contains("<![CDATA[") {
        return raw.replace("<![CDATA[", "").replace("]]>", "");
    }
    let undo = |text: String, (from, to): (&str, &str)| text.replace(from, to);
    ENTITIES.into_iter().fold(raw.to_owned(), undo)
}

impl<F: FnMut(Event<'_>)> Callback<Infallible, ()> for Place<F> {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _: Span<()>) -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } => self.open(name),
            CallbackEvent::AttributeName { name } => self.tag.attribute(name),
            CallbackEvent::AttributeValue { value } => self.tag.value(value),
            CallbackEvent::CloseStartTag { self_closing } => self.start(self_closing),
            CallbackEvent::String { value } => self.text(value),
            CallbackEvent::EndTag { name } => self.end(name),
            _ => {}
        }
        None
    }
}

/// The tokenizer's client, which it asks and tells.
struct Tags<F: FnMut(Event<'_>)>(CallbackEmitter<Place<F>>);

impl<F: FnMut(Event<'_>)> ForwardingEmitter for Tags<F> {
    type Token = Infallible;

    fn inner(&mut self) -> &mut impl Emitter<Token = Infallible> {
        &mut self.0
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let state = self.0.emit_current_tag();
        self.0.callback_mut().state.take().or(state)
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        let place = self.0.callback_mut();
        place.syntax == Syntax::Xml || place.in_drawing()
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where tags lead, and what scripts say.
    fn seen(html: &str, noscript: Noscript) -> String {
        seen_by(html, Syntax::Html, noscript)
    }

    fn seen_by(html: &str, syntax: Syntax, noscript: Noscript) -> String {
        let mut seen = Vec::new();
        read(html, syntax, noscript, |tag, text| {
            seen.extend(tag.get("href").map(str::to_owned));
            if matches!(tag.kind, Kind::Script | Kind::Noscript) && !text.is_empty() {
                seen.push(text.to_owned());
            }
        });
        seen.join(" ")
    }

    #[test]
    fn drawings() {
        let after = "<base href=1>";
        for (before, counts) in [
            ("<svg>", false),
            ("<svg/>", true),
            ("<svg></svg>", true),
            ("<svg><svg></svg>", false),
            ("<svg><svg><p>", true),
            ("<svg></p>", true),
            ("</svg>", true),
            ("<svg><foreignObject>", true),
            ("<svg><foreignObject/>", false),
            ("<svg><foreignObject></foreignObject>", false),
            ("<svg><foreignObject><svg></svg>", true),
            ("<math><mi>", true),
            ("<svg><title>", true),
            ("<svg><title/></svg>", true),
            ("<title/>", false),
            ("<svg><style></svg>", true),
            ("<svg><![CDATA[</svg>", false),
            ("<svg><![CDATA[</svg>]]></svg>", true),
            ("<![CDATA[>", true),
        ] {
            let html = format!("{before}{after}");
            let expected = if counts { "1" } else { "" };
            assert_eq!(seen(&html, Noscript::Tags), expected, "{html}");
        }
    }

    #[test]
    fn raw_text() {
        for (html, tags, text) in [
            ("<script>a&amp;</script>b", "a&amp;", "a&amp;"),
            ("<script></script>b", "", ""),
            ("<script>a</script href=b", "a", "a"),
            ("<script>a</style>b", "a</style>b", "a</style>b"),
            (
                "<noscript><a href=1></noscript><a href=2>",
                "1 2",
                "<a href=1> 2",
            ),
            ("<template><script>a</script></template>b", "", ""),
            ("<template><title></template></title><a href=1>", "", ""),
        ] {
            assert_eq!(seen(html, Noscript::Tags), tags, "{html}");
            assert_eq!(seen(html, Noscript::Text), text, "{html}");
        }
    }

    /// XML 1.0, sections 2.7 and 3.1.
    #[test]
    fn empty_elements() {
        for (before, html, xml) in [
            ("<script src='x'/>", false, true),
            ("<title/>", false, true),
            ("<textarea />", false, true),
            ("<style/>", false, true),
            ("<iframe src='x'/>", false, true),
            ("<noscript/>", true, true),
            ("<template/>", false, true),
            ("<plaintext>", false, true),
            ("<xmp>", false, true),
            ("<br/><p/><div/>", true, true),
            ("<title></title>", true, true),
            ("<title>", false, false),
            ("<script>", false, false),
            ("<![CDATA[ <x> ]]>", true, true),
            ("<svg xmlns='x'><p/></svg>", true, true),
            ("<svg xmlns='x'><title/></svg>", true, true),
        ] {
            let page = format!("{before}<a href='1'/>");
            for (syntax, counts) in [(Syntax::Html, html), (Syntax::Xml, xml)] {
                let mut found = false;
                read(&page, syntax, Noscript::Tags, |tag, _| {
                    found |= tag.get("href").is_some();
                });
                assert_eq!(found, counts, "{page} by {syntax:?}");
            }
        }
        let page = "<p><![CDATA[<a href='1'>]]></p><a href='2'/>";
        assert_eq!(seen_by(page, Syntax::Xml, Noscript::Tags), "2");
        for (script, text) in [
            ("a &amp;&amp; b &lt; '&quot;'", "a && b < '\"'"),
            ("<![CDATA[a && b]]>", "a && b"),
            ("//<![CDATA[\na &amp; b\n//]]>", "//\na &amp; b\n//"),
        ] {
            let page = format!("<script>{script}</script>");
            assert_eq!(seen_by(&page, Syntax::Xml, Noscript::Text), text, "{page}");
        }
    }
}
