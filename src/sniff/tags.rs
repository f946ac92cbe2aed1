//! The start tags of a page, in the way a browser would see them.

use std::convert::Infallible;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, ForwardingEmitter, Span, State, Tokenizer};

/// What becomes of the content of `<noscript>`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Noscript {
    /// Its tags are the page's, as in a browser without scripts.
    Tags,
    /// It is text, as in a browser with scripts.
    Text,
}

/// Visits the start tags of a page. That of a `<script>` or other element of raw text comes with
/// its text, and only if it has any.
///
/// There are no tags in comments and raw text, and a tag that is cut off does not count. The
/// content of a template is no part of the page until a script puts it there.
pub(super) fn read(html: &str, noscript: Noscript, visit: impl FnMut(&Tag, &str)) {
    let place = Place {
        visit,
        noscript,
        tag: Tag::default(),
        raw: None,
        state: None,
        templates: 0,
        drawings: Vec::new(),
    };
    let Ok(()) = Tokenizer::new_with_emitter(html, Tags(CallbackEmitter::new(place))).finish();
}

/// A start tag.
#[derive(Default)]
pub(super) struct Tag {
    pub kind: Kind,
    /// Those that are asked for, entities decoded. Of two of a name the first counts.
    attributes: Vec<(&'static str, String)>,
    /// Whether the last of them is being read.
    at_value: bool,
}

impl Tag {
    /// The value of one of the attributes that `Kind::attributes` lists.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }

    fn attribute(&mut self, name: &[u8]) {
        let known = self.kind.attributes().iter();
        let known = known.copied().find(|known| known.as_bytes() == name);
        let known = known.filter(|known| self.get(known).is_none());
        self.at_value = known.is_some();
        // An empty value is not heard of again.
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
    /// What holds HTML within a drawing.
    Island,
    /// What follows is no markup, and to be read in this state.
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

    /// How to read what follows, if it is no markup.
    fn state(self, noscript: Noscript) -> Option<State> {
        match self {
            Self::Raw(state) => Some(state),
            Self::Script => Some(State::ScriptData),
            Self::Noscript => (noscript == Noscript::Text).then_some(State::RawText),
            _ => None,
        }
    }
}

/// The standard's "integration points" but for `<annotation-xml>`, which hardly ever is one.
fn is_island(name: &[u8]) -> bool {
    matches!(
        name,
        b"desc" | b"foreignobject" | b"title" | b"mi" | b"mn" | b"mo" | b"ms" | b"mtext"
    )
}

/// The tags that end a drawing someone forgot to close, by the standard. Of `<font>` it would
/// depend on its attributes.
fn ends_drawing(name: &[u8]) -> bool {
    const NAMES: &str = "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 \
        h6 head hr i img li listing menu meta nobr ol p pre ruby s small span strong strike sub \
        sup table tt u ul var";
    NAMES.split(' ').any(|known| known.as_bytes() == name)
}

/// Where in a page the tokenizer is: what it has to be told, as it knows nothing of elements.
struct Place<F> {
    visit: F,
    noscript: Noscript,
    /// The start tag being read.
    tag: Tag,
    /// The start tag whose raw text is being read.
    raw: Option<Tag>,
    /// How to read on.
    state: Option<State>,
    /// How many templates are open.
    templates: usize,
    /// The drawings that are open, and `false` for each island in them.
    drawings: Vec<bool>,
}

impl<F: FnMut(&Tag, &str)> Place<F> {
    fn in_drawing(&self) -> bool {
        self.drawings.last() == Some(&true)
    }

    fn leave_drawings(&mut self) {
        while self.in_drawing() {
            self.drawings.pop();
        }
    }

    fn open(&mut self, name: &[u8]) {
        if self.in_drawing() && ends_drawing(name) {
            self.leave_drawings();
        }
        self.tag = Tag {
            kind: if self.in_drawing() {
                Kind::within_drawing(name)
            } else {
                Kind::of(name)
            },
            ..Tag::default()
        };
    }

    fn start(&mut self, self_closing: bool) {
        let tag = std::mem::take(&mut self.tag);
        match tag.kind {
            Kind::Template => self.templates += 1,
            Kind::Drawing if !self_closing => self.drawings.push(true),
            Kind::Island if !self_closing => self.drawings.push(false),
            _ => {}
        }
        self.state = tag.kind.state(self.noscript);
        if self.templates > 0 {
            return;
        }
        if self.state.is_some() {
            self.raw = Some(tag);
        } else {
            (self.visit)(&tag, "");
        }
    }

    fn text(&mut self, text: &[u8]) {
        if let Some(tag) = self.raw.take() {
            (self.visit)(&tag, &String::from_utf8_lossy(text));
        }
    }

    fn end(&mut self, name: &[u8]) {
        self.raw = None;
        match name {
            b"template" => self.templates = self.templates.saturating_sub(1),
            b"svg" | b"math" if self.in_drawing() => {
                self.drawings.pop();
            }
            b"p" | b"br" => self.leave_drawings(),
            _ if is_island(name) && !self.in_drawing() => {
                self.drawings.pop();
            }
            _ => {}
        }
    }
}

impl<F: FnMut(&Tag, &str)> Callback<Infallible, ()> for Place<F> {
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

/// What the tokenizer works for, and asks.
struct Tags<F: FnMut(&Tag, &str)>(CallbackEmitter<Place<F>>);

impl<F: FnMut(&Tag, &str)> ForwardingEmitter for Tags<F> {
    type Token = Infallible;

    fn inner(&mut self) -> &mut impl Emitter<Token = Infallible> {
        &mut self.0
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let state = self.0.emit_current_tag();
        self.0.callback_mut().state.take().or(state)
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.0.callback_mut().in_drawing()
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
        let mut seen = Vec::new();
        read(html, noscript, |tag, text| {
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
}
