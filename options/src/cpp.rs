//! What `include/rouet.hpp` has of the options.

use crate::table::{Entry, Kind, Language, Scope, Table, Value};
use crate::words::{sentences, wrap};

/// A member's type, and what it is at first.
fn member(entry: &Entry) -> String {
    let Entry { name, default, .. } = entry;
    let plain = |kind: &str| match default {
        Some(Value::Flag(on)) => format!("{kind} {name} = {on}"),
        Some(Value::Whole(number)) => format!("{kind} {name} = {number}"),
        _ => format!("{kind} {name}{{}}"),
    };
    match (entry.kind, default) {
        (Kind::Flag | Kind::Retry, _) => plain("bool"),
        (Kind::Seconds, Some(Value::Whole(seconds))) => format!("seconds {name}{{{seconds}}}"),
        (Kind::Seconds, Some(Value::Float(seconds))) => format!("seconds {name}{{{seconds}}}"),
        (Kind::HttpVersion, Some(Value::Word(word))) => {
            format!("rouet::{name} {name} = rouet::{name}::{word}")
        }
        (Kind::Number | Kind::Choice, _) => plain("std::uint32_t"),
        (Kind::Size, _) => plain("std::size_t"),
        (Kind::Bytes, _) => plain("std::uint64_t"),
        (Kind::Limit, _) => plain("std::int32_t"),
        (Kind::Text | Kind::Path | Kind::Body, _) => plain("std::optional<std::string>"),
        (Kind::Texts, _) => plain("std::vector<std::string>"),
        (Kind::Statuses | Kind::Ports, _) => plain("std::vector<std::uint16_t>"),
        (Kind::Headers, _) => plain("std::vector<header>"),
        (Kind::Options, _) => plain("rouet::options"),
        (Kind::Function, _) => plain(&format!("rouet::{}_fn", name.trim_end_matches("_fn"))),
        _ => panic!("{name} has no type in C++"),
    }
}

pub fn fields(table: &Table, of: &[Scope]) -> String {
    let mut text = String::new();
    for &scope in of {
        for entry in table.of(&[scope]) {
            if !entry.is_in(Language::Cpp) {
                continue;
            }
            let first = |text: String| match scope {
                Scope::Job => text,
                Scope::Stream => "Stream. ".to_owned() + &text,
                Scope::Pool => "Pool. ".to_owned() + &text,
            };
            let said = sentences(table, entry, Language::Cpp, first).join(" ");
            text += &wrap(&said, "  ///");
            text += &format!("  {};\n", member(entry));
        }
    }
    text
}

/// Hands each option over to its counterpart in C, or the other way round. What has more than one
/// counterpart, as functions, is written by hand.
pub fn visits(table: &Table, of: &[Scope]) -> String {
    let mut text = String::new();
    for entry in table.of(of) {
        let visit = match entry.kind {
            Kind::Flag | Kind::Retry => "flag",
            Kind::Seconds => "time",
            Kind::Number
            | Kind::Choice
            | Kind::Size
            | Kind::Bytes
            | Kind::Limit
            | Kind::HttpVersion => "number",
            Kind::Text | Kind::Path => "text",
            Kind::Texts => "texts",
            Kind::Statuses | Kind::Ports => "numbers",
            Kind::Headers => "headers",
            Kind::Body => "bytes",
            Kind::Options | Kind::Function | Kind::Userdata => continue,
        };
        let mut arguments = Vec::new();
        if matches!(entry.kind, Kind::Text | Kind::Path | Kind::Texts) {
            arguments.push(format!("\"{}\"", entry.name));
        }
        arguments.push(format!("mine.{}", entry.name));
        arguments.extend(
            entry
                .c_fields()
                .iter()
                .map(|field| format!("c.{}", field.name)),
        );
        text += &format!("  visit.{visit}({});\n", arguments.join(", "));
    }
    text
}
