//! What the Node binding has of the options: its table, and the fields of its types.

use crate::c::{CONFIG, JOB};
use crate::table::{Entry, Kind, Language, Scope, Table};
use crate::words::{name, sentences, wrap};

/// The kind of an option in lib/options.js.
fn kind(entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Flag => "flag",
        Kind::Seconds => "seconds",
        Kind::Number | Kind::Choice => "uint",
        Kind::Size | Kind::Bytes => "size",
        Kind::Text | Kind::Path => "text",
        Kind::Texts => "texts",
        Kind::Statuses | Kind::Ports => "numbers",
        Kind::Retry => "retry",
        Kind::Limit => "int",
        Kind::HttpVersion => "httpVersion",
        Kind::Headers => "headers",
        Kind::Body => "bytes",
        _ => panic!("{} has no kind in Node", entry.name),
    }
}

/// The type of an option in index.d.ts.
fn kind_of_type(entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Flag => "boolean",
        Kind::Text | Kind::Path => "string",
        Kind::Texts => "Iterable<string>",
        Kind::Statuses | Kind::Ports => "Iterable<number>",
        Kind::Retry => "boolean | Retry",
        Kind::HttpVersion => "HttpVersion",
        Kind::Headers => {
            "Headers | Iterable<readonly [string, string | null]> | Record<string, string | null>"
        }
        Kind::Body => "string | Uint8Array",
        _ => "number",
    }
}

fn of(table: &Table, scope: Scope, is_part: bool) -> impl Iterator<Item = &Entry> {
    let entries = table.all().filter(move |entry| entry.of == scope);
    entries
        .filter(|entry| entry.is_in(Language::Node))
        .filter(move |entry| entry.part().is_some() == is_part)
}

/// A field's size and sign, as lib/layout.js has them.
fn layout(rust: &str) -> &'static str {
    match rust {
        "i32" => "int",
        "u32" => "uint",
        "f64" => "double",
        "usize" => "size",
        "u64" => "uint64",
        _ => "pointer",
    }
}

/// lib/table.js.
pub fn table(table: &Table) -> String {
    let mut text = String::from(
        "'use strict';\n\n\
         // Generated from options/options.toml: change it there, then `make options`.\n",
    );
    for (title, scopes) in [("optionsFields", JOB), ("configFields", CONFIG)] {
        let whose = if scopes == JOB { "options" } else { "config" };
        text += &format!(
            "\n/** The fields of pool_{whose}_t, as [name, type] in C's order. */\n\
             exports.{title} = [\n  ['struct_size', 'size'],\n"
        );
        for field in table.of(scopes).flat_map(Entry::c_fields) {
            text += &format!("  ['{}', '{}'],\n", field.name, layout(&field.rust));
        }
        text += "];\n";
    }
    text += "\n/*\n * Options by their names here: their kind, their field in C, that of their length, and \
             the most that they\n * may be. What is here in seconds is in milliseconds under the \
             same name with Ms behind it.\n */\n";
    for (title, scope, is_part) in [
        ("RETRY", Scope::Job, true),
        ("OPTIONS", Scope::Job, false),
        ("STREAM", Scope::Stream, false),
        ("POOL", Scope::Pool, false),
    ] {
        text += &format!("\nexports.{title} = {{\n");
        for entry in of(table, scope, is_part) {
            let fields = entry.c_fields();
            let mut said = format!("kind: '{}', field: '{}'", kind(entry), entry.name);
            if let Some(count) = fields.get(1) {
                said += &format!(", count: '{}'", count.name);
            }
            if let Some(most) = entry.node_most {
                said += &format!(", most: {most}");
            }
            text += &format!("  {}: {{ {said} }},\n", name(entry, Language::Node));
        }
        text += "};\n";
    }
    text
}

/// A comment on a field of a type.
fn comment(said: &str) -> String {
    let line = format!("  /** {said} */\n");
    if line.chars().count() <= 101 {
        return line;
    }
    format!("  /**\n{}   */\n", wrap(said, "   *"))
}

/// The fields of a type of index.d.ts.
pub fn fields(table: &Table, scope: Scope, is_part: bool) -> String {
    let mut text = String::new();
    for entry in of(table, scope, is_part) {
        let name = name(entry, Language::Node);
        text += &comment(&sentences(table, entry, Language::Node, |text| text).join(" "));
        text += &format!("  {name}?: {};\n", kind_of_type(entry));
        if entry.kind == Kind::Seconds {
            let more = if entry.node_most.is_some() {
                ", without a most"
            } else {
                ""
            };
            text += &comment(&format!("The same in milliseconds{more}."));
            text += &format!("  {name}Ms?: number;\n");
        }
    }
    text
}
