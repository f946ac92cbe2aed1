//! What Rust's own structs have of the options.

use crate::c::call;
use crate::table::{Entry, Kind, Language, Scope, Table, Value};
use crate::words::{camel, capital, name, sentences, wrap};

/// The options that are fields of a struct of Rust's. Those that lie deeper (`rule.throttle`) are
/// written by hand; `the_defaults_are_the_same_in_c_and_rust` in `src/ffi/config.rs` holds them to the table.
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
        Kind::Limit => "Option<u32>".into(),
        Kind::HttpVersion => "HttpVersion".into(),
        Kind::Headers => "Vec<(String, String)>".into(),
        Kind::Body => "Option<Arc<[u8]>>".into(),
        Kind::Options => "Arc<Options>".into(),
        Kind::Function => format!("Option<{}>", capital(&camel(&entry.name))),
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
        (Kind::Retry | Kind::Limit, _) => "None".into(),
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
        if let Some(least @ 1..) = entry.least {
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
