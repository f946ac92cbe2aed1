//! What Rust's own structs have of the options.

use crate::c::call;
use crate::table::{Entry, Kind, Language, Scope, Table, Value};
use crate::words::{camel, capital, name, sentences, wrap};

/// The options that are fields of a struct of Rust's. Those that lie deeper (`rule.throttle`) are
/// written by hand; `the_defaults_are_the_same_in_c_and_rust` in `src/ffi/config.rs` holds them to the
/// table.
fn fields_of(table: &Table, of: Scope, is_part: bool) -> impl Iterator<Item = &Entry> {
    let entries = table.all().filter(move |entry| entry.of == of);
    entries
        .filter(|entry| entry.is_in(Language::Rust))
        .filter(move |entry| entry.part().is_some() == is_part)
        .filter(|entry| !name(entry, Language::Rust).contains('.'))
}

fn kind(entry: &Entry) -> String {
    match entry.kind {
        Kind::Flag => "bool".into(),
        Kind::Seconds => "Duration".into(),
        Kind::Number => "u32".into(),
        Kind::Size => "usize".into(),
        Kind::Bytes => "u64".into(),
        Kind::Text => "Option<String>".into(),
        Kind::Path => "Option<PathBuf>".into(),
        Kind::Texts => "Vec<String>".into(),
        Kind::Statuses | Kind::Ports => "Vec<u16>".into(),
        Kind::Retry => "Option<Retry>".into(),
        Kind::Limit | Kind::Choice => "Option<u32>".into(),
        Kind::HttpVersion => "HttpVersion".into(),
        Kind::Headers => "Vec<(String, String)>".into(),
        Kind::Body => "Option<Arc<[u8]>>".into(),
        Kind::Options => "Arc<Options>".into(),
        Kind::Function => {
            let of_items = if entry.of == Scope::Stream { "<T>" } else { "" };
            format!("Option<{}{of_items}>", capital(&camel(&entry.name)))
        }
        Kind::Userdata => unreachable!("Rust has closures"),
    }
}

pub fn fields(table: &Table, of: Scope, is_part: bool) -> String {
    let mut text = String::new();
    for entry in fields_of(table, of, is_part) {
        let said = sentences(table, entry, Language::Rust, |text| text).join(" ");
        text += &wrap(&said, "    ///");
        text += &format!(
            "    pub {}: {},\n",
            name(entry, Language::Rust),
            kind(entry)
        );
    }
    text
}

fn default(entry: &Entry) -> String {
    match (entry.kind, &entry.default) {
        (Kind::Retry | Kind::Limit | Kind::Choice, _) => "None".into(),
        (Kind::Seconds, Some(Value::Whole(seconds))) => format!("Duration::from_secs({seconds})"),
        (Kind::Seconds, Some(Value::Float(seconds))) => {
            format!("Duration::from_secs_f64({seconds})")
        }
        (Kind::HttpVersion, Some(Value::Word(word))) => format!("HttpVersion::{}", capital(word)),
        (_, Some(Value::Flag(on))) => on.to_string(),
        (_, Some(Value::Whole(number))) => number.to_string(),
        (kind, _) if kind.is_list() => "Vec::new()".into(),
        (Kind::Options, _) => "Arc::default()".into(),
        _ => "None".into(),
    }
}

/// What a setter takes, and what the field gets of it.
fn given(entry: &Entry) -> (String, String) {
    let name = name(entry, Language::Rust);
    let (kind, value) = match entry.kind {
        Kind::Text => ("impl Into<String>", "Some({}.into())"),
        Kind::Path => ("impl Into<PathBuf>", "Some({}.into())"),
        Kind::Body => ("impl Into<Arc<[u8]>>", "Some({}.into())"),
        Kind::Options => ("impl Into<Arc<Options>>", "{}.into()"),
        Kind::Texts => (
            "impl IntoIterator<Item = impl Into<String>>",
            "{}.into_iter().map(Into::into).collect()",
        ),
        Kind::Headers => (
            "impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>",
            "pairs({})",
        ),
        Kind::Statuses | Kind::Ports => {
            ("impl IntoIterator<Item = u16>", "{}.into_iter().collect()")
        }
        Kind::Retry => ("Retry", "Some({})"),
        Kind::Limit | Kind::Choice => ("u32", "Some({})"),
        _ => return (kind(entry), name.clone()),
    };
    (kind.into(), value.replace("{}", &name))
}

/// The functions that set an option each and give the whole on.
fn setters(table: &Table, of: Scope, is_part: bool) -> String {
    let mut text = String::new();
    for entry in fields_of(table, of, is_part) {
        // What takes a closure is written by hand.
        if entry.kind == Kind::Function {
            continue;
        }
        let name = name(entry, Language::Rust);
        let (kind, value) = given(entry);
        let start = format!("    pub fn {name}(mut self, {name}: {kind}) -> Self {{");
        let start = match start.len() {
            0..=100 => start,
            _ => format!(
                "    pub fn {name}(\n        mut self,\n        {name}: {kind},\n    ) -> Self {{"
            ),
        };
        text += &format!(
            "\n    /// Sets the field `{name}`.\n    #[must_use]\n{start}\n        \
             self.{name} = {value};\n        self\n    }}\n"
        );
    }
    text.split_off(1)
}

/// `src/setters.rs`.
pub fn all_setters(table: &Table) -> String {
    let mut text = String::from(
        "//! A function for each option, which sets it. Generated by make options.\n\n\
         #![forbid(unsafe_code)]\n\n\
         use std::path::PathBuf;\nuse std::sync::Arc;\nuse std::time::Duration;\n\n\
         use crate::options::{HttpVersion, Options, Retry, pairs};\nuse crate::pool::{PoolConfig, StreamConfig};\n",
    );
    for (of, is_part, start) in [
        (Scope::Job, false, "impl Options"),
        (Scope::Job, true, "impl Retry"),
        (Scope::Pool, false, "impl PoolConfig"),
        (Scope::Stream, false, "impl<T> StreamConfig<T>"),
    ] {
        text += &format!("\n{start} {{\n{}}}\n", setters(table, of, is_part));
    }
    text
}

/// How each field of a stream's configuration is copied, apart from the callback.
pub fn copied(table: &Table) -> String {
    fields_of(table, Scope::Stream, false)
        .filter(|entry| entry.kind != Kind::Function)
        .map(|entry| {
            let name = name(entry, Language::Rust);
            let copy = match entry.kind {
                Kind::Options => format!("Arc::clone(&self.{name})"),
                _ => format!("self.{name}"),
            };
            format!("            {name}: {copy},\n")
        })
        .collect()
}

pub fn defaults(table: &Table, of: Scope, is_part: bool) -> String {
    fields_of(table, of, is_part)
        .map(|entry| {
            let name = name(entry, Language::Rust);
            format!("            {name}: {},\n", default(entry))
        })
        .collect()
}

/// Whether each option is in its range, in the order of the table.
pub fn checks(table: &Table, of: Scope, is_part: bool) -> String {
    let (whose, indent) = if is_part { ("retry", 12) } else { ("self", 8) };
    let mut text = String::new();
    for entry in table
        .of(&[of])
        .filter(|entry| (entry.part().is_some()) == is_part)
    {
        let value = format!("{whose}.{}", name(entry, Language::Rust));
        let quoted = format!("\"{}\"", entry.name);
        let mut check = |function: &str, value: &str, bound: Option<u64>| {
            let bound = bound.map(|bound| bound.to_string());
            let mut arguments = vec![&*quoted, value];
            arguments.extend(bound.as_deref());
            text += &call(indent, &format!("ranges::{function}"), &arguments, "?;");
        };
        if entry.above.is_some() {
            check("above_zero", &value, None);
        }
        // A number that is not given is in range.
        let (value, least) = match entry.kind {
            Kind::Choice => (format!("{value}.unwrap_or(1)"), Some(1)),
            _ => (value, entry.least),
        };
        if let Some(least @ 1..) = least {
            check("at_least", &value, Some(least));
        }
        if let Some(most) = entry.most {
            match entry.kind.is_list() {
                true => check("entries", &format!("{value}.len()"), Some(most)),
                false => check("at_most", &value, Some(most)),
            }
        }
        if entry.kind == Kind::Statuses {
            check("statuses", &format!("&{value}"), None);
        }
    }
    text
}

/// How a configuration shows itself; a function is only there or not.
pub fn shown(table: &Table, of: Scope) -> String {
    fields_of(table, of, false)
        .map(|entry| {
            let name = name(entry, Language::Rust);
            let is_some = if entry.kind == Kind::Function {
                ".is_some()"
            } else {
                ""
            };
            format!("        shown.field(\"{name}\", &self.{name}{is_some});\n")
        })
        .collect()
}

/// Names the first option of a pool that differs from the engine's.
pub fn conflicts(table: &Table) -> String {
    let mut text = String::new();
    for entry in table.of(&[Scope::Pool]) {
        let field = name(entry, Language::Rust);
        let condition = match entry.kind {
            Kind::Userdata => continue,
            Kind::Function => format!("self.{field}.is_some()"),
            _ => format!("self.differs(other, |config| &config.{field})"),
        };
        text += &format!(
            "        if {condition} {{\n            return Some(\"{}\");\n        }}\n",
            entry.name
        );
    }
    text
}
