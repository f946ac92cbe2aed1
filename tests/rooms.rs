//! The walls of `docs/architecture.md` hold: each room uses those that its table names, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Rooms = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files of a folder and those below, or the file itself.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).expect("a folder");
    entries
        .flat_map(|entry| files(&entry.expect("an entry").path()))
        .collect()
}

/// Without comments, and without the tests at the end, which may look at anything.
fn code(text: &str) -> String {
    let code = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .expect("a start");
    let lines = code
        .lines()
        .map(|line| line.split("//").next().expect("a start"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names of the paths that begin with `crate::`, as `address` and `error` in
/// `use crate::{address, error::Failure}`.
fn used(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for letter in list.chars() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names.insert(word(item.trim()));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            item.push(letter);
        }
        names.insert(word(item.trim()));
    }
    names.remove("");
    names
}

fn word(text: &str) -> String {
    let is_part = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    text.chars().take_while(is_part).collect()
}

/// What each room of the sources uses.
fn built() -> Rooms {
    let mut rooms = Rooms::new();
    for entry in fs::read_dir(root().join("src")).expect("the sources") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("ASCII");
        // Where the rooms are named, and the fuzzers, which ask all of them.
        if ["lib", "fuzz"].contains(&name) {
            continue;
        }
        let is_looked_at = |path: &PathBuf| {
            let name = path.file_stem().and_then(|name| name.to_str());
            !matches!(name, Some("fuzz" | "tests" | "models" | "model"))
        };
        let files = files(&path).into_iter().filter(is_looked_at);
        let uses = files.flat_map(|file| used(&code(&read(file))));
        let uses = uses.filter(|other| other != name);
        rooms.entry(name.to_owned()).or_default().extend(uses);
    }
    rooms
}

/// What the table says.
fn drawn() -> Rooms {
    let text = read(root().join("docs/architecture.md"));
    let table = text.split_once("\n| room |").expect("the table of rooms").1;
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let names = |cell: &str| -> BTreeSet<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(|name| {
                let name = name.trim_start_matches("src/").trim_end_matches('/');
                name.trim_end_matches(".rs").to_owned()
            })
            .collect()
    };
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let uses = names(cells[3]);
        names(cells[1])
            .into_iter()
            .map(move |room| (room, uses.clone()))
            .collect::<Vec<_>>()
    };
    rows.flat_map(row).collect()
}

#[test]
fn each_room_uses_what_the_table_says() {
    let mut built = built();
    let names: BTreeSet<String> = built.keys().cloned().collect();
    for uses in built.values_mut() {
        // What the crate gives out is named by its room too, but for the C interface.
        uses.retain(|other| names.contains(other));
    }
    let drawn = drawn();
    assert_eq!(
        built.keys().collect::<Vec<_>>(),
        drawn.keys().collect::<Vec<_>>()
    );
    for (room, uses) in &built {
        assert_eq!(
            uses, &drawn[room],
            "{room}: what it uses, and what the table says"
        );
    }
}

#[test]
fn rooms_without_unsafe_say_so() {
    for entry in fs::read_dir(root().join("src")).expect("the sources") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("ASCII")
            .to_owned();
        if ["lib", "fuzz", "engine", "ffi", "process"].contains(&name.as_str()) {
            continue;
        }
        let file = if path.is_dir() {
            path.join("mod.rs")
        } else {
            path
        };
        let says = read(&file)
            .lines()
            .any(|line| line == "#![forbid(unsafe_code)]");
        assert!(says, "{}", file.display());
    }
}

#[test]
fn paths_are_read() {
    let names = |code: &str| used(code).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(
        names("use crate::{address, error::{Error, Failure}, a::b};"),
        "a address error"
    );
    assert_eq!(
        names("use crate::job::Timings;\nlet it = crate::sniff::mime(it);"),
        "job sniff"
    );
    assert_eq!(
        names(&code("// crate::pool\nuse crate::x; // crate::y")),
        "x"
    );
}
