//! The texts of the table in the words of each language.

use crate::table::{Entry, Kind, Language, Scope, Table, Value};

/// `snake_case` to `camelCase`.
pub fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &capital(part))
}

/// With its first letter large.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// With its first letter small, unless the word is an abbreviation.
pub fn small(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// A name in Go, whose abbreviations are large.
fn go_name(entry: &Entry) -> String {
    if let Some(name) = entry.names.get(&Language::Go) {
        return name.clone();
    }
    let words = entry.name.split('_').map(|word| match word {
        "ua" | "js" | "tls" | "ca" | "dns" | "http" | "https" => word.to_uppercase(),
        "fn" => "Func".into(),
        word => capital(word),
    });
    let no = if entry.is_on() { "No" } else { "" };
    words.fold(no.to_owned(), |name, word| name + &word)
}

/// An option's name where it is declared.
pub fn name(entry: &Entry, language: Language) -> String {
    match language {
        Language::C | Language::Cpp => entry.name.clone(),
        Language::Go => go_name(entry),
        Language::Node => camel(entry.part().unwrap_or(&entry.name)),
        Language::Rust => match entry.names.get(&Language::Rust) {
            Some(name) => name.clone(),
            None => entry.part().unwrap_or(&entry.name).to_owned(),
        },
    }
}

/// How the text on one option names another.
fn reference(from: &Entry, to: &Entry, language: Language) -> String {
    let name = name(to, language);
    let is_near = from.of == to.of;
    match language {
        Language::C | Language::Cpp => name,
        Language::Go if is_near && to.of != Scope::Stream => name,
        Language::Go if to.of == Scope::Job => format!("[Options.{name}]"),
        Language::Go => format!("[{name}]"),
        Language::Node if to.part().is_some() && from.part().is_none() => format!("retry.{name}"),
        Language::Node => name,
        Language::Rust if to.part().is_some() && from.part().is_none() => {
            format!("`Retry::{name}`")
        }
        Language::Rust if !is_near => format!("`Options::{name}`"),
        Language::Rust => format!("`{name}`"),
    }
}

fn function(name: &str, language: Language) -> String {
    match language {
        Language::C => format!("pool_{name}"),
        Language::Cpp => format!("pool::{name}"),
        Language::Go => format!("[Pool.{}]", capital(&camel(name))),
        Language::Node => format!("{{@link Pool.{}}}", camel(name)),
        Language::Rust => format!("`Pool::{name}`"),
    }
}

fn error_code(code: &str, language: Language) -> String {
    match (language, code) {
        (Language::C, "invalid-argument") => "POOL_INVALID_ARGUMENT".into(),
        (Language::Cpp, "invalid-argument") => "status::invalid_argument".into(),
        (Language::Go, code) => {
            let code = code.trim_end_matches(|letter: char| "-0123456789".contains(letter));
            format!("[Err{}]", capital(&camel(&code.replace('-', "_"))))
        }
        (Language::Rust, "invalid-argument") => "[`Error::InvalidArgument`]".into(),
        (Language::Rust, code) => format!("`{code}`"),
        (_, code) => code.to_owned(),
    }
}

/// A text of the table about an option, in the words of a language.
pub fn render(table: &Table, from: &Entry, text: &str, language: Language) -> String {
    let mut said = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '[', '`']) {
        said += &rest[..at];
        let close = match rest.as_bytes()[at] {
            b'{' => '}',
            b'[' => ']',
            _ => '`',
        };
        let inner = &rest[at + 1..];
        let end = inner.find(close);
        let end = end.unwrap_or_else(|| panic!("{}: {text}: no {close}", from.name));
        let inner = &inner[..end];
        said += &match close {
            ']' => error_code(inner, language),
            // In a comment it is plain text, but for tools that would take it for HTML.
            '`' => match language {
                Language::Node | Language::Rust => format!("`{inner}`"),
                Language::C if inner.contains('<') => format!("`{inner}`"),
                _ => inner.to_owned(),
            },
            _ => match (inner, inner.strip_prefix("Pool.")) {
                (_, Some(name)) => function(name, language),
                ("stream" | "streams", _) if matches!(language, Language::Go | Language::Node) => {
                    inner.replace("stream", "run")
                }
                ("stream" | "streams", _) => inner.to_owned(),
                _ => reference(from, table.find(inner), language),
            },
        };
        rest = &rest[at + end + 2..];
    }
    said + rest
}

/// 10000 as 10,000. Four digits read well as they are.
pub fn grouped(number: u64) -> String {
    fn in_threes(number: u64) -> String {
        match number {
            0..1000 => number.to_string(),
            _ => format!("{},{:03}", in_threes(number / 1000), number % 1000),
        }
    }
    match number {
        0..10_000 => number.to_string(),
        _ => in_threes(number),
    }
}

/// The range of an option as a sentence, if it has one.
pub fn range(entry: &Entry, language: Language) -> Option<String> {
    let most = match language {
        Language::Node => entry.most.or(entry.node_most),
        _ => entry.most,
    };
    // In Go 0 is the default, and what is below is refused.
    let least = entry.least.filter(|_| language != Language::Go);
    let above = entry.above.filter(|_| language != Language::Go);
    let said = match (above, least, most.map(grouped)) {
        (Some(above), _, None) => format!("above {above}"),
        (Some(above), _, Some(most)) => format!("above {above}, at most {most}"),
        (_, Some(least), Some(most)) => format!("{least} to {most}"),
        (_, Some(0), None) => "0 or above".into(),
        (_, Some(least), None) => format!("at least {least}"),
        (_, _, Some(most)) if entry.kind.is_list() => format!("at most {most} entries"),
        (_, _, Some(most)) => format!("at most {most}"),
        _ => String::new(),
    };
    let in_seconds = match language {
        Language::C | Language::Node if entry.kind == Kind::Seconds => "in seconds",
        _ => "",
    };
    let parts = [in_seconds, &said].map(str::to_owned);
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| capital(&parts.join(", ")) + ".")
}

/// The value that an option has by default, as a language would show it; empty: it shows none.
fn default_value(entry: &Entry, language: Language) -> String {
    let unit = match (language, entry.kind) {
        (Language::C | Language::Node, _) => "",
        (_, Kind::Seconds) => " s",
        _ => "",
    };
    match &entry.default {
        None if language == Language::C => "NULL".into(),
        None => String::new(),
        Some(Value::Flag(on)) => match language {
            Language::Rust if entry.kind == Kind::Retry => "`None`".into(),
            Language::C => i32::from(*on).to_string(),
            Language::Go => String::new(),
            _ => on.to_string(),
        },
        Some(Value::Whole(number)) => format!("{number}{unit}"),
        Some(Value::Float(number)) => format!("{number}{unit}"),
        Some(Value::Word(word)) => match language {
            Language::C => format!("POOL_HTTP_{}", word.to_uppercase()),
            Language::Cpp => word.clone(),
            Language::Go => format!("[HTTP{}]", capital(word)),
            Language::Node => format!("\"{word}\""),
            Language::Rust => format!("`HttpVersion::{}`", capital(word)),
        },
    }
}

/// What is said of the default.
pub fn default(table: &Table, entry: &Entry, language: Language) -> Option<String> {
    let mut value = default_value(entry, language);
    let means = entry.means.as_deref();
    let means = means.map(|means| render(table, entry, means, language));
    let is_word = match (&entry.default, language) {
        // A number that is only a way to say the words.
        (Some(Value::Whole(number)), _) if *number > 1 => true,
        (Some(Value::Whole(_)), Language::Go) => true,
        (Some(Value::Whole(-1)), Language::Rust) => true,
        (_, Language::Rust) if entry.kind == Kind::Choice => true,
        _ => false,
    };
    if is_word && means.is_some() && language != Language::C {
        value.clear();
    }
    let said = match (value.is_empty(), means) {
        (true, None) => return None,
        (true, Some(means)) => format!(": {means}"),
        (false, None) if language == Language::C => format!(" {value}"),
        (false, None) => format!(": {value}"),
        (false, Some(means)) => format!(" {value}: {means}"),
    };
    let none = match (language, &entry.go_none) {
        (Language::Go, Some(none)) => format!("; [{none}]: none"),
        _ => String::new(),
    };
    Some(format!("Default{said}{none}."))
}

/// The sentences on an option, from the first word on; `first` makes the beginning.
pub fn sentences(
    table: &Table,
    entry: &Entry,
    language: Language,
    first: impl FnOnce(String) -> String,
) -> Vec<String> {
    let render = |text: &String| render(table, entry, text, language);
    let off = entry.off.as_ref().map(|off| match language {
        Language::C => format!("0: {}", render(off)),
        Language::Go => {
            let with = if entry.is_on() { "With" } else { "Without" };
            format!("{with} {} {}", go_name(entry), render(off))
        }
        _ => format!("false: {}", render(off)),
    });
    let mut all = vec![first(render(&entry.text))];
    all.extend(entry.more.get(&language).map(render));
    all.extend(off);
    // C has the count of a list in a field of its own.
    if !(language == Language::C && entry.kind.is_list()) {
        all.extend(range(entry, language));
    }
    all.extend(default(table, entry, language));
    all
}

/// Words in lines that each begin with `start` and are no wider than 100 letters.
pub fn wrap(text: &str, start: &str) -> String {
    let mut lines = String::new();
    let mut line = start.trim_end().to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        // A tab is shown as four.
        let width = |text: &str| {
            text.chars()
                .map(|c| if c == '\t' { 4 } else { 1 })
                .sum::<usize>()
        };
        if !is_empty && width(&line) + 1 + width(word) > 100 {
            lines += &line;
            lines.push('\n');
            line = start.trim_end().to_owned();
        }
        line.push(' ');
        line += word;
        is_empty = false;
    }
    lines + &line + "\n"
}
