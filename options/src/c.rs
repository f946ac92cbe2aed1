//! What `src/ffi` has of the options, from which C's header is made, and the same as
//! `tests/header` declares it.

use crate::table::{Entry, Kind, Language, Scope, Table};
use crate::words::{name, sentences, small, wrap};

pub const JOB: &[Scope] = &[Scope::Job];
/// A pool's configuration has its first stream's too.
pub const CONFIG: &[Scope] = &[Scope::Stream, Scope::Pool];

/// What a field's comment says.
pub fn said(table: &Table, entry: &Entry) -> String {
    let first = |text: String| match entry.kind {
        Kind::Flag | Kind::Retry => format!("1: {}", small(&text)),
        _ => text,
    };
    sentences(table, entry, Language::C, first).join(" ")
}

/// What the comment of a field that counts says.
pub fn said_of_count(entry: &Entry, what: &str) -> String {
    let most = entry.most.map(crate::words::grouped);
    let most = most.map_or(String::new(), |most| format!(" At most {most}."));
    format!("The number of {what} in {}.{most} Default 0.", entry.name)
}

pub fn fields(table: &Table, of: &[Scope]) -> String {
    let mut text = String::new();
    for entry in table.of(of) {
        for field in entry.c_fields() {
            let said = match field.of {
                Some(what) => said_of_count(entry, what),
                None => said(table, entry),
            };
            let whose = match entry.of {
                Scope::Job => "",
                Scope::Stream => "Stream. ",
                Scope::Pool => "Pool. ",
            };
            let said = format!("{whose}{said}");
            text += &wrap(&said, "    ///");
            text += &format!("    pub {}: {},\n", field.name, field.rust);
        }
    }
    text
}

/// As `tests/header` declares them.
pub fn declared(table: &Table, of: &[Scope]) -> String {
    let fields = table.of(of).flat_map(Entry::c_fields);
    fields
        .map(|field| {
            let rust = if field.rust == "f64" {
                "c_double"
            } else {
                &field.rust
            };
            format!("    pub {}: {rust},\n", field.name)
        })
        .collect()
}

/// The sizes that a struct had, and has.
pub fn sizes(table: &Table, of: &[Scope]) -> String {
    let mut edition = 1;
    let mut sizes = Vec::new();
    for entry in table.of(of) {
        if entry.since > edition {
            edition = entry.since;
            sizes.push(format!("offset_of!(Self, {})", entry.name));
        }
    }
    sizes.push("size_of::<Self>()".into());
    let text = sizes.join(", ");
    if text.len() <= 60 {
        return format!("    const SIZES: &'static [usize] = &[{text}];\n");
    }
    let lines: String = sizes
        .iter()
        .map(|size| format!("        {size},\n"))
        .collect();
    format!("    const SIZES: &'static [usize] = &[\n{lines}    ];\n")
}

pub fn defaults(table: &Table, of: &[Scope]) -> String {
    let fields = table.of(of).flat_map(Entry::c_fields);
    fields
        .map(|field| format!("            {}: {},\n", field.name, field.default))
        .collect()
}

/// A call as rustfmt writes it, with what follows it.
pub fn call(indent: usize, start: &str, arguments: &[&str], end: &str) -> String {
    let blank = " ".repeat(indent);
    let line = arguments.join(", ");
    if line.len() <= 60 {
        return format!("{blank}{start}({line}){end}\n");
    }
    let lines: String = arguments
        .iter()
        .map(|argument| format!("{blank}    {argument},\n"))
        .collect();
    format!("{blank}{start}(\n{lines}{blank}){end}\n")
}

/// An option of C's as Rust's, in a struct of Rust's.
fn to_rust(entry: &Entry, indent: usize) -> String {
    let field = &entry.name;
    let start = |function: &str| format!("{}: {function}", name(entry, Language::Rust));
    let given = format!("given.{field}");
    let count = entry
        .c_fields()
        .get(1)
        .map(|count| format!("given.{}", count.name));
    let count = count.unwrap_or_default();
    let quoted = format!("\"{field}\"");
    let plain = |value: &str| format!("{}{},\n", " ".repeat(indent), start(value));
    match entry.kind {
        Kind::Choice => plain(&format!("choice({given})")),
        Kind::Number | Kind::Size | Kind::Bytes => plain(&given),
        Kind::Flag => call(indent, &start("flag"), &[&given, &quoted], "?,"),
        Kind::Seconds => call(indent, &start("seconds"), &[&given, &quoted], "?,"),
        Kind::Text => call(indent, &start("owned"), &[&given, &quoted], "?,"),
        Kind::Limit => call(indent, &start("limit"), &[&given, &quoted], "?,"),
        Kind::Path => call(indent, &start("path"), &[&given], ","),
        Kind::Texts => call(indent, &start("texts"), &[&given, &count, &quoted], "?,"),
        Kind::Statuses | Kind::Ports => {
            call(indent, &start("numbers"), &[&given, &count, &quoted], "?,")
        }
        Kind::Headers => call(indent, &start("headers"), &[&given, &count], "?,"),
        Kind::Body => call(indent, &start("body"), &[&given, &count], "?,"),
        Kind::HttpVersion => call(indent, &start("http_version"), &[&given], "?,"),
        Kind::Function => {
            let userdata = format!("given.{}", entry.userdata.as_deref().unwrap_or_default());
            call(indent, &start(field), &[&given, &userdata], ",")
        }
        // What is made of several fields.
        Kind::Retry | Kind::Options | Kind::Userdata => String::new(),
    }
}

/// Options of C's as Rust's. What lies deeper in Rust's structs is written by hand.
pub fn all_to_rust(table: &Table, of: Scope, is_part: bool) -> String {
    table
        .of(&[of])
        .filter(|entry| entry.part().is_some() == is_part)
        .filter(|entry| !name(entry, Language::Rust).contains('.'))
        .map(|entry| to_rust(entry, 12))
        .collect()
}

/// An option of Rust's as C's.
fn of_rust(entry: &Entry) -> Vec<String> {
    let whose = if entry.part().is_some() {
        "retry"
    } else {
        "source"
    };
    let value = format!("{whose}.{}", name(entry, Language::Rust));
    match entry.kind {
        Kind::Flag => vec![format!("{value}.into()")],
        Kind::Retry => vec![format!("{value}.is_some().into()")],
        Kind::Seconds => vec![format!("{value}.as_secs_f64()")],
        Kind::Limit => vec![format!("limit_of({value})")],
        Kind::HttpVersion => vec![format!("http_version_of({value})")],
        Kind::Text => vec![format!("held.text({value}.as_deref())")],
        Kind::Path => vec![format!("held.path({value}.as_deref())")],
        Kind::Texts => vec![format!("held.texts(&{value})"), format!("{value}.len()")],
        Kind::Headers => vec![format!("held.headers(&{value})"), format!("{value}.len()")],
        Kind::Statuses | Kind::Ports => {
            vec![format!("{value}.as_ptr()"), format!("{value}.len()")]
        }
        Kind::Body => vec![
            format!("body_of(&{value})"),
            format!("body_size_of(&{value})"),
        ],
        Kind::Number | Kind::Choice | Kind::Size | Kind::Bytes => vec![value],
        Kind::Options | Kind::Function | Kind::Userdata => {
            panic!("{} is not of a job", entry.name)
        }
    }
}

/// A job's options of Rust's as C's.
pub fn all_of_rust(table: &Table) -> String {
    let mut text = String::new();
    for entry in table.of(JOB) {
        for (field, value) in entry.c_fields().iter().zip(of_rust(entry)) {
            text += &format!("            {}: {value},\n", field.name);
        }
    }
    text
}
