//! ctest2 looks at what `src/lib.rs` declares; this looks at what it forgot.

#[path = "../../support/source.rs"]
mod source;

use source::without_comments;

const HEADER: &str = include_str!("../../../include/rouet.h");
const DECLARED: &str = include_str!("../src/lib.rs");

fn words(code: &str) -> impl DoubleEndedIterator<Item = &str> {
    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[test]
fn every_name_of_the_header_is_declared() {
    let (header, declared) = (without_comments(HEADER), without_comments(DECLARED));
    let ours = |word: &&str| word.starts_with("pool_") || word.starts_with("POOL_");
    assert!(
        words(&header).filter(ours).count() > 100,
        "the header was read"
    );
    for name in words(&header).filter(ours) {
        assert!(
            words(&declared).any(|word| word == name),
            "src/lib.rs lacks {name}"
        );
    }
}

/// A new field may hide in a struct's padding, where its size does not show it.
#[test]
fn every_field_of_the_header_is_declared() {
    let (header, declared) = (without_comments(HEADER), without_comments(DECLARED));
    let mut structs = 0;
    for part in header.split("typedef struct ").skip(1) {
        let Some((name, rest)) = part.split_once(" {") else {
            continue; // opaque
        };
        let fields = rest.split_once('}').expect("a struct that ends").0;
        let there = fields
            .split(';')
            .filter_map(|field| words(field).next_back())
            .collect::<Vec<_>>();
        let here = declared
            .split_once(&format!("pub struct {name} {{"))
            .unwrap_or_else(|| panic!("src/lib.rs lacks {name}"))
            .1
            .split_once('}')
            .expect("a struct that ends")
            .0
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub "))
            .filter_map(|field| field.split_once(':'))
            .map(|(field, _)| field.trim_end_matches('_'))
            .collect::<Vec<_>>();
        assert_eq!(here, there, "fields of {name}: src/lib.rs, then the header");
        structs += 1;
    }
    assert_eq!(structs, 8, "the header was read");
}
