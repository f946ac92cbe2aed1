//! What the Go binding has of the options.

use crate::table::{Entry, Kind, Language, Scope, Table};
use crate::words::{name, sentences, small, wrap};

fn kind(entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Flag | Kind::Retry => "bool",
        Kind::Seconds => "time.Duration",
        Kind::Number | Kind::Choice | Kind::Size | Kind::Limit => "int",
        Kind::Bytes => "int64",
        Kind::Text | Kind::Path => "string",
        Kind::Texts => "[]string",
        Kind::Statuses | Kind::Ports => "[]int",
        Kind::Headers => "http.Header",
        Kind::Body => "[]byte",
        Kind::HttpVersion => "HTTPVersion",
        Kind::Function if entry.name == "throttle_fn" => {
            "func(group string, response *Response, err error) time.Duration"
        }
        Kind::Function if entry.name == "parallelism_fn" => "func(group string) int",
        _ => panic!("{} has no type in Go", entry.name),
    }
}

/// The comment of an option, which in Go begins with its name. `is` is the verb of one that is no
/// flag.
fn said(table: &Table, entry: &Entry, is: &str) -> String {
    let name = name(entry, Language::Go);
    let first = |text: String| match entry.kind {
        Kind::Flag | Kind::Retry if entry.is_on() => {
            format!("{name} turns off the default, which {}", small(&text))
        }
        Kind::Flag | Kind::Retry => format!("{name} {}", small(&text)),
        _ => format!("{name} {is} {}", small(&text)),
    };
    sentences(table, entry, Language::Go, first).join(" ")
}

fn of(table: &Table, scope: Scope) -> impl Iterator<Item = &Entry> {
    let entries = table.all().filter(move |entry| entry.of == scope);
    entries.filter(|entry| entry.is_in(Language::Go))
}

pub fn fields(table: &Table, scope: Scope) -> String {
    let mut text = String::new();
    for entry in of(table, scope) {
        let name = name(entry, Language::Go);
        let is = match entry.kind.is_list() {
            true if name.ends_with('s') => "are",
            true => "has",
            false => "is",
        };
        text += &wrap(&said(table, entry, is), "\t//");
        text += &format!("\t{name} {}\n", kind(entry));
    }
    text
}

/// The lines that write options from `from` into C's.
pub fn encode(table: &Table, scope: Scope, from: &str) -> String {
    let mut text = String::new();
    for entry in of(table, scope) {
        let go = name(entry, Language::Go);
        let fields = entry.c_fields();
        let to = format!("&c.{}", fields[0].name);
        let value = match scope {
            Scope::Stream => format!("{from}.{}", small(&go)),
            _ => format!("{from}.{go}"),
        };
        let count = fields.get(1).map(|count| format!("&c.{}", count.name));
        let count = count.unwrap_or_default();
        text += &match entry.kind {
            Kind::Flag if entry.is_on() => format!("\tunset({to}, {value})\n"),
            Kind::Flag | Kind::Retry => format!("\tflag({to}, {value})\n"),
            Kind::Seconds => match &entry.go_none {
                Some(none) => {
                    format!("\te.secondsOrNone({to}, \"{go}\", \"{none}\", {value})\n")
                }
                None => format!("\te.seconds({to}, \"{go}\", {value})\n"),
            },
            Kind::Number | Kind::Choice | Kind::Size => {
                format!("\tnumber(e, {to}, \"{go}\", int64({value}))\n")
            }
            Kind::Bytes => format!("\tnumber(e, {to}, \"{go}\", {value})\n"),
            Kind::Limit => format!("\te.limit({to}, \"{go}\", {value})\n"),
            Kind::HttpVersion => format!("\te.httpVersion({to}, {value})\n"),
            Kind::Text | Kind::Path => format!("\te.string({to}, \"{go}\", {value})\n"),
            Kind::Texts => format!("\te.strings({to}, {count}, \"{go}\", {value})\n"),
            Kind::Statuses | Kind::Ports => {
                format!("\te.numbers({to}, {count}, \"{go}\", {value})\n")
            }
            Kind::Headers => format!("\te.headers(c, {value})\n"),
            Kind::Body => format!("\te.body(c, {value})\n"),
            // Whose functions there are is told once the pool has begun.
            Kind::Function | Kind::Options | Kind::Userdata => String::new(),
        };
    }
    text
}

/// The options of a run, as it keeps them.
pub fn settings(table: &Table) -> String {
    let longest = of(table, Scope::Stream).map(|entry| name(entry, Language::Go).len());
    let longest = longest.max().unwrap_or_default();
    of(table, Scope::Stream)
        .map(|entry| {
            let name = small(&name(entry, Language::Go));
            format!("\t{name:longest$} {}\n", kind(entry))
        })
        .collect()
}

/// The functions that make the options of a run.
pub fn functions(table: &Table) -> String {
    let mut text = String::new();
    for entry in of(table, Scope::Stream) {
        let name = name(entry, Language::Go);
        let field = small(&name);
        text += &wrap(&said(table, entry, "sets"), "//");
        text += &match entry.kind {
            Kind::Flag => {
                format!(
                    "func {name}() Option {{ return func(r *runOptions) {{ r.{field} = true }} }}\n\n"
                )
            }
            _ => format!(
                "func {name}(value {}) Option {{\n\treturn func(r *runOptions) {{ r.{field} = value }}\n}}\n\n",
                kind(entry)
            ),
        };
    }
    text
}
