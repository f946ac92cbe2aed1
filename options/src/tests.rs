use super::*;
use crate::table::{Entry, Language};
use crate::words::{camel, capital, name, render, wrap};

fn table() -> Table {
    Table::read(&read("options/options.toml"))
}

#[test]
fn all_is_as_the_table_has_it() {
    for (path, text) in written(&table()) {
        assert!(
            read(path) == text,
            "{path} is not what options/options.toml says: make options"
        );
    }
}

/// The fields of a struct of C's, as [name, type], but for its size.
fn c_fields<'a>(header: &'a str, name: &str) -> Vec<(&'a str, String)> {
    let (_, body) = header
        .split_once(&format!("typedef struct {name} {{\n"))
        .unwrap_or_else(|| panic!("the header has no {name}"));
    let (body, _) = body.split_once("\n}").expect("its end");
    let lines = body.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with("//"))
        .map(|line| {
            let line = line.trim_end_matches(';');
            let (kind, field) = line.split_at(line.rfind([' ', '*']).expect("a name") + 1);
            (field, kind.replace("struct ", "").trim().to_owned())
        })
        .filter(|(field, _)| *field != "struct_size")
        .collect()
}

#[test]
fn the_header_has_the_fields_of_the_table() {
    let (table, header) = (table(), read("include/rouet.h"));
    for (name, scopes) in [("pool_options_t", JOB), ("pool_config_t", CONFIG)] {
        let fields: Vec<_> = table.of(scopes).flat_map(Entry::c_fields).collect();
        let expected: Vec<_> = fields
            .iter()
            .map(|field| (&*field.name, docs::c_type(&field.rust)))
            .collect();
        assert_eq!(c_fields(&header, name), expected, "{name}");
    }
}

/// A text without its comments.
fn code(path: &str) -> String {
    let text = read(path);
    let is_code = |line: &&str| {
        let line = line.trim_start();
        !["//", "/*", "* "].iter().any(|mark| line.starts_with(mark))
    };
    let lines: Vec<_> = text.lines().filter(is_code).collect();
    lines.join("\n")
}

/// What is not there by generation is by hand; so this looks at what came of both. An option that
/// a language does not have says why.
#[test]
fn every_language_has_every_option() {
    use Language::*;
    let table = table();
    for (language, files) in [
        (C, &["include/rouet.h"][..]),
        (Cpp, &["include/rouet.hpp"]),
        (
            Go,
            &[
                "bindings/go/options.go",
                "bindings/go/pool.go",
                "bindings/go/run.go",
            ],
        ),
        (Node, &["bindings/node/index.d.ts"]),
        (
            Rust,
            &[
                "src/options.rs",
                "src/pool/config.rs",
                "src/pool/stream/config.rs",
            ],
        ),
    ] {
        let all: String = files.iter().map(|path| code(path)).collect();
        let words: Vec<&str> = all
            .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .collect();
        for entry in table.all() {
            let wanted = name(entry, language);
            let wanted = wanted.rsplit('.').next().expect("a name");
            let is_there = words.contains(&wanted);
            assert!(
                is_there || !entry.is_in(language),
                "{language:?} lacks {wanted}, {}",
                entry.name
            );
        }
    }
    // A reason is one.
    let mut reasons = table.all().flat_map(|entry| entry.absent.values());
    assert!(reasons.all(|reason| reason.len() > 10));
}

#[test]
fn the_ranges_and_names_of_each_language() {
    let table = table();
    let said = |name: &str, language| {
        words::sentences(&table, table.find(name), language, |text| text).join(" ")
    };
    let ends = |name: &str, language, end: &str| {
        let said = said(name, language);
        assert!(said.ends_with(end), "{name} in {language:?}: {said}");
    };
    ends(
        "connect_timeout",
        Language::C,
        "hop. In seconds, above 0. Default 5.",
    );
    ends(
        "connect_timeout",
        Language::Cpp,
        "hop. Above 0. Default: 5 s.",
    );
    ends("connect_timeout", Language::Go, "hop. Default: 5 s.");
    ends(
        "connect_timeout",
        Language::Node,
        "hop. In seconds, above 0, at most 60. Default: 5.",
    );
    ends(
        "retry_min_wait",
        Language::Go,
        "attempt. Default: 10 s; [NoWait]: none.",
    );
    ends(
        "max_body_size",
        Language::C,
        "At least 1. Default 268435456: 256 MiB.",
    );
    ends(
        "max_body_size",
        Language::Rust,
        "At least 1. Default: 256 MiB.",
    );
    ends(
        "max_workers",
        Language::C,
        "Default 0: 64 a core, within the process's limit of descriptors.",
    );
    ends(
        "deny_networks",
        Language::Node,
        "At most 10,000 entries. Default: none.",
    );
    ends("throttle", Language::Cpp, "0 or above. Default: 0.2 s.");
    ends(
        "head_fallback",
        Language::C,
        "0: the answer to HEAD is the result. Default 1.",
    );

    let meta = table.find("follow_meta_refresh");
    let refers = |language| {
        render(
            &table,
            meta,
            "{follow_js_relocation} [body-too-large] `<a>`",
            language,
        )
    };
    for (language, said) in [
        (Language::C, "follow_js_relocation body-too-large `<a>`"),
        (Language::Go, "FollowJSRelocation [ErrBodyTooLarge] <a>"),
        (Language::Node, "followJsRelocation body-too-large `<a>`"),
        (
            Language::Rust,
            "`follow_js_relocation` `body-too-large` `<a>`",
        ),
    ] {
        assert_eq!(refers(language), said);
    }
    assert_eq!(
        name(table.find("follow_redirects"), Language::Go),
        "NoFollowRedirects"
    );
}

#[test]
fn words_and_lines() {
    assert_eq!(camel("spoof_tls_ciphers"), "spoofTlsCiphers");
    assert_eq!(capital("word"), "Word");
    assert_eq!(words::small("A proxy"), "a proxy");
    assert_eq!(words::small("URLs go"), "URLs go");
    assert_eq!(words::grouped(1_000), "1000");
    assert_eq!(words::grouped(10_000), "10,000");
    let text = "word ".repeat(40);
    let lines = wrap(&text, "    ///");
    assert!(
        lines
            .lines()
            .all(|line| line.len() <= 100 && line.starts_with("    /// word"))
    );
    assert_eq!(lines.lines().count(), 3);
}

#[test]
fn a_part_is_put_between_its_lines() {
    let text =
        "a\n    // Generated by make options: one.\nold\n    // End of what is generated.\nb\n";
    let parts = [("one", "new\n".to_owned())];
    assert_eq!(filled("x", text, &parts), text.replace("old", "new"));
}
