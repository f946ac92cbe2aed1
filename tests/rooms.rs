//! The walls of `docs/architecture.md` hold: each room uses those that its table names, and no others,
//! and the files of `src/pool` use each other in one direction only.

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
    let paths = code.split("crate::").skip(1).flat_map(paths);
    paths.map(|path| path[0].clone()).collect()
}

/// The paths that a text begins with, as `a::b` and `a::c::d` in `a::{b, c::d};`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let Some(list) = text.strip_prefix('{') else {
        let first = word(text);
        if first.is_empty() {
            return Vec::new();
        }
        let rests = match text[first.len()..].strip_prefix("::") {
            Some(rest) => paths(rest),
            None => Vec::new(),
        };
        let joined = |rest: Vec<String>| [vec![first.clone()], rest].concat();
        return match rests.is_empty() {
            true => vec![vec![first]],
            false => rests.into_iter().map(joined).collect(),
        };
    };
    let mut depth = 0;
    let mut items = vec![String::new()];
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        items.last_mut().expect("one").push(letter);
    }
    items.iter().flat_map(|item| paths(item.trim())).collect()
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

/// Which file of a room uses which. A file is named by its path, as `stream/core`, and that of a
/// folder, which uses all that it gives out, by the folder's.
fn files_of(room: &str) -> Rooms {
    let names = format!("crate::{room}::");
    let room = root().join("src").join(room);
    let files = files(&room).into_iter().map(|file| {
        let path = file.strip_prefix(&room).expect("in the room");
        let folder = path.parent().expect("a folder").to_owned();
        let is_folders = path.ends_with("mod.rs");
        let name = if is_folders {
            folder.clone()
        } else {
            path.with_extension("")
        };
        // All that it uses, named from the room on.
        let here = match folder.to_str().expect("ASCII") {
            "" => names.clone(),
            name => format!("{names}{}::", name.replace('/', "::")),
        };
        let code = code(&read(&file));
        assert!(
            !code.contains("super::super::"),
            "{name:?}: named from the crate on"
        );
        let mut code = match is_folders {
            true => code.replace("use ", &format!("use {here}")),
            false => code.replace("super::", &here),
        };
        // A file beside its folder names what is in there from itself on.
        if !is_folders {
            let own = format!("{here}{}::", name.file_name().expect("a name").display());
            let inner = |line: &str| Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
            for inner in code.lines().filter_map(inner).collect::<Vec<_>>() {
                code = code.replace(&format!("use {inner}::"), &format!("use {own}{inner}::"));
            }
        }
        (name.to_str().expect("ASCII").to_owned(), code)
    });
    let files: BTreeMap<String, String> = files.collect();
    let file_of = |path: Vec<String>| {
        let longer = (0..=path.len()).rev().map(|parts| path[..parts].join("/"));
        let mut known = longer.filter(|name| files.contains_key(name));
        known.next().expect("at least the room's own")
    };
    let uses = |(name, code): (&String, &String)| {
        let paths = code.split(&names).skip(1).flat_map(paths);
        let uses = paths.map(file_of).filter(|other| other != name);
        (name.clone(), uses.collect())
    };
    let is_test = |name: &str| {
        let last = name.rsplit('/').next().unwrap_or_default();
        matches!(last, "tests" | "models" | "model" | "fuzz" | "steps")
    };
    let looked_at = files.iter().filter(|(name, _)| !is_test(name));
    looked_at.map(uses).collect()
}

/// Files that use each other in a circle, and those between such, if there are any.
fn circle(files: &Rooms) -> BTreeSet<&String> {
    let mut left: BTreeSet<&String> = files.keys().collect();
    // A file that uses none that is left, or is used by none, is in no circle.
    let is_done = |file: &String, left: &BTreeSet<&String>| {
        files[file].iter().all(|other| !left.contains(other))
            || left.iter().all(|other| !files[*other].contains(file))
    };
    while let Some(done) = left.iter().copied().find(|file| is_done(file, &left)) {
        left.remove(done);
    }
    left
}

#[test]
fn files_of_a_room_use_each_other_in_one_direction() {
    let pool = files_of("pool");
    assert!(pool["stream/core"].contains("bell"), "{pool:?}");
    assert!(pool["stream/handle"].contains("handle"), "{pool:?}");
    assert!(pool[""].contains("stream/handle"), "{pool:?}");
    assert!(files_of("fetch")["body"].contains("body/coding"));
    for room in [
        "address", "engine", "fetch", "ffi", "pool", "process", "schedule", "sniff",
    ] {
        let mut files = files_of(room);
        if room != "pool" {
            // What a room gives out itself is known to its files, and made with them.
            files.remove("");
            files.values_mut().for_each(|uses| _ = uses.remove(""));
        }
        let circle = circle(&files);
        assert!(
            circle.is_empty(),
            "{room}: in a circle: {circle:?} of {files:#?}"
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
    let all = paths("{a, b::{c::D, e}}; f::g");
    let all: Vec<String> = all.iter().map(|path| path.join("::")).collect();
    assert_eq!(all.join(" "), "a b::c::D b::e");
    assert_eq!(
        names(&code("// crate::pool\nuse crate::x; // crate::y")),
        "x"
    );
}
