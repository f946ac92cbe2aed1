//! Finds where a script sends its reader, without running it.
//!
//! A script that relocates the page does so in one of a few ways, with the URL in a string literal.
//! This module splits the script into tokens, which tells code from comments and strings, and looks for
//! those ways. It can't know whether the code is ever reached.

use std::iter::Peekable;
use std::str::Chars;

/// The names through which a script reaches its own window, or the one it is shown in.
const WINDOWS: [&str; 7] = [
    "window",
    "document",
    "self",
    "top",
    "parent",
    "globalThis",
    "frames",
];

/// After these words a `/` starts a regular expression, not a division.
const OPERATORS: [&str; 16] = [
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "delete",
    "void",
    "throw",
    "new",
    "else",
    "do",
    "instanceof",
    "yield",
    "await",
    "default",
    "extends",
];

/// How deep code in strings is followed: each level escapes the one below.
const DEEPEST: u32 = 3;

/// The target of the first assignment of a string literal to the page's location, however it is
/// written. Targets that keep the reader on the page (`#top`, `javascript:…`) or lead to what can't be
/// fetched (`market:…`) do not count.
pub(crate) fn relocation(script: &str) -> Option<String> {
    relocation_within(script, DEEPEST)
}

fn relocation_within(script: &str, depth: u32) -> Option<String> {
    // Most scripts never mention it.
    if !script.contains("location") {
        return None;
    }
    let code = Code {
        text: script,
        tokens: Lexer::new(script).tokens(),
    };
    (0..code.tokens.len()).find_map(|at| code.assigned(at).or_else(|| code.timed(at, depth)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An identifier or keyword.
    Name,
    /// A whole string literal, or a template literal without substitutions, with its quotes.
    Text,
    /// Another token that is a value: a number, a regular expression, the end of a template.
    Value,
    /// `++` or `--`.
    Step,
    Arrow,
    Punct(u8),
    /// An operator of several characters, or the open part of a template.
    Operator,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
    /// It is the first token of its line.
    newline: bool,
    /// The name would be declared here, or be a member's: it is not the global.
    declared: bool,
}

/// A script and its tokens.
struct Code<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl Code<'_> {
    /// The target, if an assignment to a location starts at this token.
    fn assigned(&self, at: usize) -> Option<String> {
        let after = self.location(at)?;
        if self.is(after, b'=') && self.ends(after + 2) {
            return self.target(after + 1);
        }
        match self.member(after)? {
            ("href", after) if self.is(after, b'=') && self.ends(after + 2) => {
                self.target(after + 1)
            }
            ("replace" | "assign", after)
                if self.is(after, b'(') && self.is_argument(after + 1) =>
            {
                self.target(after + 1)
            }
            _ => None,
        }
    }

    /// The target within code that a timer gets as text.
    fn timed(&self, at: usize, depth: u32) -> Option<String> {
        let is_timer = matches!(self.name(at), Some("setTimeout" | "setInterval"));
        if !is_timer || !self.is(at + 1, b'(') || !self.is_argument(at + 2) {
            return None;
        }
        let object = at.checked_sub(2).and_then(|object| self.name(object));
        if self.is_member(at) && !object.is_some_and(|name| WINDOWS.contains(&name)) {
            return None;
        }
        relocation_within(&self.literal(at + 2)?, depth.checked_sub(1)?)
    }

    /// The token behind the reference to the page's location that starts here.
    fn location(&self, at: usize) -> Option<usize> {
        let name = self.name(at)?;
        if self.is_member(at) {
            return None;
        }
        if name == "location" {
            return (!self.tokens[at].declared).then_some(at + 1);
        }
        if !WINDOWS.contains(&name) {
            return None;
        }
        let mut after = at + 1;
        loop {
            match self.member(after)? {
                ("location", after) => return Some(after),
                (name, next) if WINDOWS.contains(&name) => after = next,
                _ => return None,
            }
        }
    }

    /// The name in a `.name` or `["name"]` that starts here, and the token behind it.
    fn member(&self, at: usize) -> Option<(&str, usize)> {
        if self.is(at, b'.') {
            return Some((self.name(at + 1)?, at + 2));
        }
        let text = self.tokens.get(at + 1)?;
        let is_named = self.is(at, b'[') && text.kind == Kind::Text && self.is(at + 2, b']');
        is_named.then(|| (&self.text[text.start + 1..text.end - 1], at + 3))
    }

    fn is_member(&self, at: usize) -> bool {
        at > 0 && self.is(at - 1, b'.')
    }

    /// Whether a literal is a whole argument.
    fn is_argument(&self, at: usize) -> bool {
        self.is(at + 1, b',') || self.is(at + 1, b')')
    }

    /// Whether an assignment ends before this token instead of continuing with it.
    fn ends(&self, at: usize) -> bool {
        let Some(token) = self.tokens.get(at) else {
            return true;
        };
        match token.kind {
            // The end of a template's substitution.
            Kind::Value | Kind::Operator if self.text[token.start..].starts_with('}') => true,
            // `(location = "x") => …` is a parameter's default.
            Kind::Punct(b')') => self
                .tokens
                .get(at + 1)
                .is_none_or(|next| next.kind != Kind::Arrow),
            Kind::Punct(b';' | b',' | b']' | b'}' | b':') => true,
            // A line break acts as a semicolon where the next line can't continue.
            Kind::Name => token.newline && !matches!(self.name(at), Some("in" | "instanceof")),
            Kind::Text => token.newline && !self.text[token.start..].starts_with('`'),
            Kind::Value | Kind::Step | Kind::Punct(b'{' | b'!' | b'~') => token.newline,
            _ => false,
        }
    }

    /// The literal at this token, if it leads anywhere.
    fn target(&self, at: usize) -> Option<String> {
        let literal = self.literal(at)?;
        let target = literal.trim_matches(|c: char| c <= ' ');
        let stays = target.is_empty() || target.starts_with('#') || has_other_scheme(target);
        (!stays).then(|| target.to_owned())
    }

    /// The literal at this token, with its escapes decoded.
    fn literal(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at).filter(|t| t.kind == Kind::Text)?;
        unescaped(&self.text[token.start + 1..token.end - 1])
    }

    fn name(&self, at: usize) -> Option<&str> {
        let token = self.tokens.get(at).filter(|t| t.kind == Kind::Name)?;
        Some(&self.text[token.start..token.end])
    }

    fn is(&self, at: usize, punct: u8) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.kind == Kind::Punct(punct))
    }
}

/// What an open bracket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    /// The parameters of a function.
    Parameters,
    /// What follows `if`, `for` and the like: a statement comes next.
    Condition,
    /// Any other `(`.
    Group,
    /// `[`
    Square,
    Block,
    /// A function's body.
    Function,
    /// The members of an object or a class.
    Object,
    /// `${…}` in a template.
    Substitution,
}

/// Splits a script into tokens. It tracks its place as far as needed to tell a division from a regular
/// expression, and an assignment from a declaration.
struct Lexer<'a> {
    text: &'a str,
    at: usize,
    newline: bool,
    tokens: Vec<Token>,
    open: Vec<Bracket>,
    /// The number of functions in `open`.
    functions: usize,
    /// The bracket that was last closed.
    closed: Option<Bracket>,
    /// The place is between `function` and its parameters, or between `class` and its members.
    function: bool,
    class: bool,
    /// The depth of the current declaration of local names.
    declaring: Option<usize>,
    /// Up to here a `/` starts no regular expression: the end of the line was searched before.
    no_regex: usize,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Lexer {
            text,
            at: 0,
            newline: true,
            tokens: Vec::new(),
            open: Vec::new(),
            functions: 0,
            closed: None,
            function: false,
            class: false,
            declaring: None,
            no_regex: 0,
        }
    }

    fn tokens(mut self) -> Vec<Token> {
        while let Some(first) = self.rest().chars().next() {
            match first {
                '\n' | '\r' | '\u{2028}' | '\u{2029}' => {
                    self.newline = true;
                    self.at += first.len_utf8();
                }
                _ if first.is_whitespace() || first == '\u{feff}' => self.at += first.len_utf8(),
                '/' => self.slash(),
                '<' if self.rest().starts_with("<!--") => self.skip_line(),
                '-' if self.newline && self.rest().starts_with("-->") => self.skip_line(),
                '"' | '\'' => self.string(first),
                '`' => {
                    self.at += 1;
                    self.template(self.at - 1, true);
                }
                '0'..='9' => self.number(),
                '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
                '(' | '[' | '{' => self.opening(first as u8),
                ')' | ']' | '}' => self.closing(first as u8),
                _ if is_name(first) => self.name(),
                _ => self.operator(first),
            }
        }
        self.tokens
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Adds a token that starts there and ends here.
    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token {
            kind,
            start,
            end: self.at,
            newline: std::mem::take(&mut self.newline),
            declared: false,
        });
    }

    /// The last token, and its text.
    fn last(&self) -> Option<(Kind, &'a str)> {
        let last = self.tokens.last()?;
        Some((last.kind, &self.text[last.start..last.end]))
    }

    /// Whether a value ends here, with the effect that an operator follows.
    fn is_behind_value(&self) -> bool {
        match self.last() {
            Some((Kind::Name, name)) => !OPERATORS.contains(&name),
            Some((Kind::Text | Kind::Value | Kind::Step | Kind::Punct(b']'), _)) => true,
            Some((Kind::Punct(b')'), _)) => self.closed != Some(Bracket::Condition),
            Some((Kind::Punct(b'}'), _)) => self.closed == Some(Bracket::Object),
            _ => false,
        }
    }

    /// Reads a comment, a division or a regular expression.
    fn slash(&mut self) {
        let rest = self.rest();
        if rest.starts_with("//") {
            return self.skip_line();
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            let length = comment.find("*/").unwrap_or(comment.len());
            self.newline |= comment[..length].contains(['\n', '\r']);
            self.at = (self.at + length + 4).min(self.text.len());
            return;
        }
        if self.is_behind_value() || self.at < self.no_regex {
            return self.operator('/');
        }
        match self.regex() {
            Ok(length) => {
                let start = self.at;
                self.at += length;
                self.push(Kind::Value, start);
            }
            Err(length) => {
                self.no_regex = self.at + length;
                self.operator('/');
            }
        }
    }

    /// The length of the regular expression here without flags, or of the line if there is none.
    fn regex(&self) -> Result<usize, usize> {
        let mut in_class = false;
        let mut bytes = self.rest().bytes().enumerate().skip(1);
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'\n' | b'\r' => return Err(at),
                b'\\' if matches!(bytes.next(), None | Some((_, b'\n' | b'\r'))) => return Err(at),
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => return Ok(at + 1),
                _ => (),
            }
        }
        Err(self.rest().len())
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
    }

    /// Reads a string; a string that its line's end cuts off is not a text.
    fn string(&mut self, quote: char) {
        let start = self.at;
        self.at += 1;
        loop {
            let rest = self.rest();
            let Some(end) = rest.find([quote, '\\', '\n', '\r']) else {
                self.at = self.text.len();
                return self.push(Kind::Value, start);
            };
            self.at += end;
            match rest.as_bytes()[end] {
                b'\\' => self.skip_escape(),
                b'\n' | b'\r' => return self.push(Kind::Value, start),
                _ => {
                    self.at += 1;
                    return self.push(Kind::Text, start);
                }
            }
        }
    }

    /// Skips a backslash and what it escapes.
    fn skip_escape(&mut self) {
        let escaped = match self.rest()[1..].chars().next() {
            Some('\r') if self.rest()[1..].starts_with("\r\n") => 2,
            Some(escaped) => escaped.len_utf8(),
            None => 0,
        };
        self.at += 1 + escaped;
    }

    /// Reads a template, from behind its backtick or behind a substitution.
    fn template(&mut self, start: usize, whole: bool) {
        while let Some(next) = self.rest().find(['`', '\\', '$']) {
            self.at += next;
            match self.rest().as_bytes()[0] {
                b'\\' => self.skip_escape(),
                b'`' => {
                    self.at += 1;
                    return self.push(if whole { Kind::Text } else { Kind::Value }, start);
                }
                _ if self.rest().starts_with("${") => {
                    self.at += 2;
                    self.open.push(Bracket::Substitution);
                    return self.push(Kind::Operator, start);
                }
                _ => self.at += 1,
            }
        }
        self.at = self.text.len();
        self.push(Kind::Value, start);
    }

    fn number(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let end = rest.find(|c: char| !is_name(c) && c != '.');
        self.at += end.unwrap_or(rest.len());
        self.push(Kind::Value, start);
    }

    fn name(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        self.at += name.len();
        let is_member = matches!(self.last(), Some((Kind::Punct(b'.'), _)));
        let declared = name == "location" && !is_member && self.declares();
        if !is_member {
            match name {
                "function" => self.function = true,
                "class" => self.class = true,
                "let" | "const" => self.declaring = Some(self.open.len()),
                "var" if self.functions > 0 => self.declaring = Some(self.open.len()),
                _ => (),
            }
        }
        self.push(Kind::Name, start);
        if let Some(last) = self.tokens.last_mut() {
            last.declared = declared;
        }
    }

    /// Whether a name here is declared, or belongs to a member.
    fn declares(&self) -> bool {
        match (self.last(), self.open.last()) {
            (Some((Kind::Name, "let" | "const" | "function" | "class" | "import")), _) => true,
            // At the top level this is the window's own location, and navigates.
            (Some((Kind::Name, "var")), _) => self.functions > 0,
            (_, Some(Bracket::Parameters)) => true,
            (Some((Kind::Punct(b'{' | b',' | b';' | b'}'), _)), Some(Bracket::Object)) => true,
            (Some((Kind::Name, "static")), Some(Bracket::Object)) => true,
            (Some((Kind::Punct(b','), _)), _) => self.declaring == Some(self.open.len()),
            _ => false,
        }
    }

    fn opening(&mut self, byte: u8) {
        let last = self.last();
        let bracket = match byte {
            b'[' => Bracket::Square,
            b'(' if std::mem::take(&mut self.function) => Bracket::Parameters,
            b'(' => match last {
                Some((Kind::Name, "if" | "for" | "while" | "with" | "switch" | "catch")) => {
                    Bracket::Condition
                }
                _ => Bracket::Group,
            },
            _ if std::mem::take(&mut self.class) => Bracket::Object,
            _ => match last {
                None | Some((Kind::Punct(b';' | b'{' | b'}'), _)) => Bracket::Block,
                Some((Kind::Arrow, _)) => Bracket::Function,
                Some((Kind::Punct(b')'), _)) => match self.closed {
                    Some(Bracket::Condition) => Bracket::Block,
                    _ => Bracket::Function,
                },
                Some((Kind::Name, "else" | "do" | "try" | "finally" | "static")) => Bracket::Block,
                // The colon belongs to a label or a case, unless it is a member's.
                Some((Kind::Punct(b':'), _)) if self.open.last() != Some(&Bracket::Object) => {
                    Bracket::Block
                }
                Some((Kind::Value | Kind::Text | Kind::Step, _)) => Bracket::Block,
                _ => Bracket::Object,
            },
        };
        self.functions += usize::from(bracket == Bracket::Function);
        self.open.push(bracket);
        self.at += 1;
        self.push(Kind::Punct(byte), self.at - 1);
    }

    fn closing(&mut self, byte: u8) {
        use Bracket::*;
        let start = self.at;
        self.at += 1;
        let closes = match self.open.last() {
            Some(Parameters | Condition | Group) => byte == b')',
            Some(Square) => byte == b']',
            Some(Block | Function | Object | Substitution) => byte == b'}',
            None => false,
        };
        // A surplus bracket, as in code that was cut or misread, is passed over.
        self.closed = if closes { self.open.pop() } else { None };
        self.functions -= usize::from(self.closed == Some(Function));
        if self.declaring.is_some_and(|depth| depth > self.open.len()) {
            self.declaring = None;
        }
        match self.closed {
            Some(Substitution) => self.template(start, false),
            _ => self.push(Kind::Punct(byte), start),
        }
    }

    fn operator(&mut self, first: char) {
        let start = self.at;
        let rest = self.rest();
        let same = rest.chars().take(3).take_while(|&c| c == first).count();
        let (length, kind) = match first {
            '=' if rest.starts_with("=>") => (2, Kind::Arrow),
            '=' if same > 1 => (same, Kind::Operator),
            '+' | '-' if same > 1 => (2, Kind::Step),
            '?' if rest.starts_with("?.")
                && !rest[2..].starts_with(|c: char| c.is_ascii_digit()) =>
            {
                (2, Kind::Punct(b'.'))
            }
            '!' | '<' | '>' | '&' | '|' | '*' | '%' | '^' | '+' | '-' | '/' | '?' => {
                let same = if first == '!' { 1 } else { same };
                let equals = rest[same..].chars().take(2).take_while(|&c| c == '=');
                let equals = equals.count();
                match (same + equals, first) {
                    (1, _) => (1, Kind::Punct(first as u8)),
                    (length, _) => (length, Kind::Operator),
                }
            }
            _ if first.is_ascii() => (1, Kind::Punct(first as u8)),
            _ => (first.len_utf8(), Kind::Operator),
        };
        self.at += length;
        if first == ';' && self.declaring == Some(self.open.len()) {
            self.declaring = None;
        }
        self.push(kind, start);
    }
}

/// Whether a URL has a scheme that can't be fetched, such as `javascript:` or an app's: a script that
/// tries it has another target for those without the app.
fn has_other_scheme(target: &str) -> bool {
    let Some((scheme, _)) = target.split_once(':') else {
        return false;
    };
    // A URL parser skips these characters.
    let scheme: String = scheme
        .chars()
        .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
        .collect();
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme
        && !["http", "https"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&scheme))
}

/// Whether a name can have this character. `#` starts a class's private names, and an escaped name is
/// never a location.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '_' | '$' | '#' | '\\')
        || (!c.is_ascii() && !c.is_whitespace() && c != '\u{feff}')
}

/// The characters that a literal stands for; `None` if an escape in it is malformed.
fn unescaped(literal: &str) -> Option<String> {
    let mut text = String::with_capacity(literal.len());
    let mut chars = literal.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next()? {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' => text.push('\x08'),
            'f' => text.push('\x0c'),
            'v' => text.push('\x0b'),
            'x' => text.push(char::from_u32(digits(&mut chars, 2)?)?),
            'u' => text.push(unit(&mut chars)?),
            // The line continues.
            '\r' => {
                chars.next_if_eq(&'\n');
            }
            '\n' | '\u{2028}' | '\u{2029}' => (),
            first @ '0'..='7' => {
                let mut code = first as u32 - '0' as u32;
                for _ in 0..2 {
                    let next = chars.next_if(|c| c.is_digit(8) && code * 8 < 256);
                    code = next
                        .and_then(|c| c.to_digit(8))
                        .map_or(code, |d| code * 8 + d);
                }
                text.push(char::from_u32(code)?);
            }
            other => text.push(other),
        }
    }
    Some(text)
}

/// What follows `\u`: four digits, a pair of these, or any number of digits in braces.
fn unit(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    if chars.next_if_eq(&'{').is_some() {
        let mut code = 0_u32;
        loop {
            match chars.next()? {
                '}' => return Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
                digit => code = code.checked_mul(16)? + digit.to_digit(16)?,
            }
        }
    }
    let unit = digits(chars, 4)?;
    if !(0xD800..0xDC00).contains(&unit) {
        return Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    // This is half a character: the other half must follow.
    let mut ahead = chars.clone();
    let low = match (ahead.next(), ahead.next()) {
        (Some('\\'), Some('u')) => digits(&mut ahead, 4),
        _ => None,
    };
    match low.filter(|low| (0xDC00..0xE000).contains(low)) {
        Some(low) => {
            *chars = ahead;
            char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        }
        None => Some(char::REPLACEMENT_CHARACTER),
    }
}

fn digits(chars: &mut Peekable<Chars<'_>>, count: u32) -> Option<u32> {
    (0..count).try_fold(0, |code, _| Some(code * 16 + chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds() {
        for (script, expected) in [
            ("location = '/x'", "/x"),
            ("location=\"/x\";", "/x"),
            ("location = `/x`", "/x"),
            ("window.location='/x'", "/x"),
            ("window.location.href = '/x';", "/x"),
            ("document.location.href='/x'", "/x"),
            ("self.location='/x'", "/x"),
            ("top . location\n=\n'/x'", "/x"),
            ("parent.location.href='/x'", "/x"),
            ("window.top.location='/x'", "/x"),
            ("window.document.location='/x'", "/x"),
            ("window['location']='/x'", "/x"),
            ("window[\"location\"][\"href\"] = '/x'", "/x"),
            ("location['replace']('/x')", "/x"),
            ("location.replace('/x')", "/x"),
            ("location?.assign('/x')", "/x"),
            ("window.location.assign('/x', 1)", "/x"),
            ("location='/x'\nfoo()", "/x"),
            ("location='/x'\n++i", "/x"),
            ("location='/x'}", "/x"),
            ("a ? location='/x' : location='/y'", "/x"),
            ("a && (location='/x')", "/x"),
            ("if (a) location='/x'; else location='/y'", "/x"),
            ("if (location != '/y') { location = '/x' }", "/x"),
            ("a = location = '/x'", "/x"),
            ("function f() { location = '/x' } f()", "/x"),
            ("go(() => { location = '/x' })", "/x"),
            ("go(() => location = '/x')", "/x"),
            ("({ go: function () { location = '/x' } })", "/x"),
            ("({ go() { location = '/x' } })", "/x"),
            ("class A { go() { location = '/x' } }", "/x"),
            ("({ go: location = '/x' })", "/x"),
            ("setTimeout(function(){location.href='/x'}, 10)", "/x"),
            ("setTimeout(\"location.href='/x'\", 10)", "/x"),
            ("window.setTimeout('location=\\'/x\\'', 10)", "/x"),
            ("setInterval(`location = '/x'`)", "/x"),
            ("setTimeout('setTimeout(\"location=`/x`\")')", "/x"),
            ("var location = '/x'", "/x"),
            ("if (a) { var location = '/x' }", "/x"),
            ("let a = 1; b = 2, location = '/x'", "/x"),
            ("for (let i = 0; i < 3; i++) location = '/x'", "/x"),
            ("let a = () => { b(), location = '/x' }", "/x"),
            ("<!-- a '\nlocation='/x'\n//-->", "/x"),
            ("// it's\nlocation='/x'", "/x"),
            ("/* it's */location='/x'", "/x"),
            ("a = /it's/; location='/x'", "/x"),
            ("if (a) /'/.test(b); location='/x'", "/x"),
            ("a = /[/'\"]/g; location='/x'", "/x"),
            ("a = b / 2; c = \"/\"; location='/x'", "/x"),
            ("a = (b) / 2 + '/'; location='/x'", "/x"),
            ("a = `it's ${b ? `${'`'}` : {}} '`; location='/x'", "/x"),
            ("a = `${location = '/x'}`", "/x"),
            ("a = 'it\\'s'; location='/x'", "/x"),
            ("a = 'unclosed\nlocation='/x'", "/x"),
            ("\u{feff}\u{a0}location\u{a0}='/x'", "/x"),
            ("location = ''; location = '/x'", "/x"),
            ("location = '#top'; location = '/x'", "/x"),
            ("location = 'javascript:void(0)'; location = '/x'", "/x"),
            ("location = 'market://details?id=x'; location = '/x'", "/x"),
            (
                "location='app://x'; setTimeout(function () { location = 'HTTPS://x/' }, 9)",
                "HTTPS://x/",
            ),
            ("location = '/x:y'", "/x:y"),
            ("location = 'x?y:z'", "x?y:z"),
            (
                "location = 'http:\\/\\/example.com\\/'",
                "http://example.com/",
            ),
            ("location = '\\x2f\\u0078\\u{78}\\57'", "/xx/"),
            ("location = '/\\ud83d\\ude00\\ud83d'", "/\u{1f600}\u{fffd}"),
            ("location = '/a\\\nb\\\r\nc'", "/abc"),
            ("location = ' /x\\n'", "/x"),
        ] {
            assert_eq!(relocation(script).as_deref(), Some(expected), "{script}");
        }
    }

    #[test]
    fn finds_nothing() {
        for script in [
            "",
            "location",
            "location == '/x'",
            "location === '/x'",
            "location != '/x'",
            "location += '/x'",
            "location => '/x'",
            "location = '/x' + a",
            "location = '/x'\n+ a",
            "location = '/x' in a",
            "location = '/x'.concat(a)",
            "location = '/x' ? a : b",
            "location = a ? '/x' : '/y'",
            "location = a || '/x'",
            "location = a + '/x'",
            "location = `/x${a}`",
            "location = a`/x`",
            "location = '/x",
            "location = '/x\n'",
            "location.href = '/x' + a",
            "location.replace('/x' + a)",
            "location.href.replace('/x', '/y')",
            "location.pathname = '/x'",
            "location.reload('/x')",
            "mylocation = '/x'",
            "location2 = '/x'",
            "$location = '/x'",
            "#location = '/x'",
            "foo.location = '/x'",
            "foo.window.location = '/x'",
            "foo().location = '/x'",
            "window.opener.location = '/x'",
            "let location = '/x'",
            "const a = 1, location = '/x'",
            "function f() { var location = '/x' }",
            "function f() { var a, location = '/x' }",
            "function f(location = '/x') {}",
            "(location = '/x') => 1",
            "let { location = '/x' } = a",
            "class A { location = '/x' }",
            "class A { a() {} location = '/x' }",
            "({ location: '/x' })",
            "// location = '/x'",
            "/* location = '/x' */",
            "a = \"location = '/x'\"",
            "a = `location = '/x'`",
            "a = /location='x'/",
            "foo.setTimeout(\"location='/x'\")",
            "setTimeout(\"location='/x'\" + a)",
            "setTimeout(\"// location='/x'\")",
            "location = ''",
            "location = ' '",
            "location = '#top'",
            "location = 'javascript:x()'",
            "location = ' JavaS\\ncript:x()'",
            "location = 'intent://x#Intent;end'",
            "location = 'itms-apps://x'",
            "location = 'mailto:x@y'",
            "location = '\\x4'",
            "location = '\\u{110000000000}'",
        ] {
            assert_eq!(relocation(script), None, "{script}");
        }
    }

    #[test]
    fn long_scripts_take_no_longer_by_the_byte() {
        for piece in [
            "/[",
            "(",
            "{",
            "`${",
            "=",
            "/",
            "a/",
            "window.",
            "'\\",
            "<!--",
            "setTimeout('",
        ] {
            let script = format!("{}location", piece.repeat(200_000 / piece.len()));
            assert_eq!(relocation(&script), None, "{piece}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text(script in "\\PC{0,60}") {
            relocation(&format!("{script}location{script}"));
        }

        #[test]
        fn any_tokens(script in "(location|window|setTimeout|var|let|function|class|\\.|=|\\(|\\)|\\[|\\]|\\{|\\}|'|\"|`|\\$\\{|/|\\*|\\\\|\\\\u|\\\\x|\n| |,|;|:|\\?|\\+|=>|é|1){0,40}") {
            if let Some(target) = relocation(&script) {
                proptest::prop_assert!(!target.is_empty());
            }
        }
    }
}
