//! docs/options.md, which has C's names, types and words.

use crate::c::{said, said_of_count};
use crate::table::{Scope, Table};

const HEAD: &str = "\
# Options

Generated from `options/options.toml`, from which each language has them: change them there, then
`make options`.

The names, types and defaults here are those of C, which has `NULL` for what is not given, and the number
of a list's entries in a field of its own. In other languages:

- C++ has them in `rouet::config` and `rouet::options`, with the types of its library.
- Rust has them in `PoolConfig`, `StreamConfig`, `Options` and `Retry`: `Duration` for seconds, `bool`
  for flags, `Option` for what C leaves out by `NULL`, 0 or -1. Each is a field, and a function that sets it.
- Go has them in `Config` and `Options` (`FollowMetaRefresh`), and those of a stream as functions
  (`BufferSize`). What is on by default has `No` before its name (`NoHeadFallback`).
- Node has them in one object (`followMetaRefresh`). The parts of `retry` are within that (`minWait`).
";

/// A type of Rust's as C writes it.
pub fn c_type(rust: &str) -> String {
    let (rust, stars) = match rust {
        "*const *const c_char" => ("const char", " *const *"),
        "*const c_char" => ("const char", " *"),
        "*const c_void" => ("const void", " *"),
        "*mut c_void" => ("void", " *"),
        "*const u16" => ("const uint16_t", " *"),
        "*const pool_header_t" => ("const pool_header_t", " *"),
        "*const pool_options_t" => ("const pool_options_t", " *"),
        "i32" => ("int32_t", ""),
        "u32" => ("uint32_t", ""),
        "u64" => ("uint64_t", ""),
        "usize" => ("size_t", ""),
        "f64" => ("double", ""),
        function => (function, ""),
    };
    format!("{rust}{stars}")
}

/// A row, whose default is told in a column of its own.
fn row(name: &str, kind: &str, said: &str) -> String {
    // Within backticks letters are what they are.
    let escape = |text: &str| {
        let parts = text.split('`').enumerate().map(|(at, part)| match at % 2 {
            0 => part.replace('<', "&lt;").replace('*', "\\*"),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("`").replace('|', "\\|")
    };
    let (meaning, default) = said
        .rsplit_once("Default ")
        .unwrap_or_else(|| panic!("{name}: {said}"));
    let default = default.trim_end_matches('.');
    let default = match default.split_once(": ") {
        Some((value, means)) => format!("`{value}`: {}", escape(means)),
        None => format!("`{default}`"),
    };
    let meaning = escape(meaning.trim());
    format!("| `{name}` | `{kind}` | {default} | {meaning} |\n")
}

const TABLE: &str = "| name | type | default | meaning |\n| --- | --- | --- | --- |\n";

/// The fields of a job, which are no options, as the header has them.
fn job(header: &str) -> String {
    let (_, body) = header
        .split_once("typedef struct pool_job_t {\n")
        .expect("the header has pool_job_t");
    let (body, _) = body.split_once("\n}").expect("its end");
    let mut text = String::new();
    let mut comment = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("// ") {
            comment.push(words);
            continue;
        }
        let said = std::mem::take(&mut comment).join(" ");
        let line = line.trim_end_matches(';');
        let (kind, field) = line.split_at(line.rfind([' ', '*']).expect("a name") + 1);
        if field != "struct_size" {
            text += &row(field, kind.replace("struct ", "").trim(), &said);
        }
    }
    text
}

pub fn options(table: &Table, header: &str) -> String {
    let mut text = HEAD.to_owned();
    for (title, scope) in [
        ("The pool: `pool_config_t`", Scope::Pool),
        ("The stream: `pool_config_t`", Scope::Stream),
        ("How jobs are done: `pool_options_t`", Scope::Job),
    ] {
        text += &format!("\n## {title}\n\n{TABLE}");
        for entry in table.of(&[scope]) {
            for field in entry.c_fields() {
                let said = match field.of {
                    Some(what) => said_of_count(entry, what),
                    None => said(table, entry),
                };
                text += &row(&field.name, &c_type(&field.rust), &said);
            }
        }
    }
    text += &format!("\n## A job: `pool_job_t`\n\n{TABLE}{}", job(header));
    text
}
