//! What must hold for any bytes: one function for each target, beside the code that it tests. The
//! fuzzers in `fuzz/` call them, and so does the test below, with the fuzzers' findings and changes to
//! them, on any Rust.

use crate::{address, fetch, schedule, sniff};

pub(crate) mod lines;

type Target = (&'static str, fn(&[u8]));

/// The targets, by the names of their fuzzers and of the folders in `fuzz/corpus`.
const TARGETS: &[Target] = &[
    ("answer", fetch::fuzz::answer),
    #[cfg(feature = "capi")]
    ("api", crate::ffi::fuzz::run),
    ("clean", address::fuzz::clean),
    ("cookies", fetch::fuzz::cookies),
    ("encoding", sniff::fuzz::encoding),
    ("hints", sniff::fuzz::hints),
    ("infer", address::fuzz::infer),
    ("js", sniff::fuzz::js),
    ("limits", address::fuzz::limits),
    ("links", sniff::fuzz::links),
    ("location", address::fuzz::location),
    ("media", sniff::fuzz::media),
    ("refresh", sniff::fuzz::refresh),
    ("scheduler", schedule::model::run),
];

/// Runs a target on some bytes. Panics where something does not hold.
pub fn run(target: &str, input: &[u8]) {
    let known = TARGETS.iter().find(|(name, _)| *name == target);
    known.expect("a target of that name").1(input);
}

// The engine makes little difference here: one is enough.
#[cfg(all(test, feature = "capi", not(engine = "isahc")))]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;

    /// How many changes a target sees, and how long they may take: a slow machine sees fewer.
    const CHANGES: usize = 3_000;
    const TIME: Duration = Duration::from_secs(4);
    /// How long one input may take, in a debug build on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(30);
    const LONGEST: usize = 4 << 10;

    fn folder() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    /// What the fuzzers have kept for a target, in the same order each time.
    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = folder().join("corpus").join(target);
        let files = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("a file").path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        let read = |file: &_| fs::read(file).expect("a file");
        files.iter().map(read).collect()
    }

    /// The words that the fuzzers insert.
    fn words() -> Vec<Vec<u8>> {
        let text = fs::read_to_string(folder().join("words")).expect("a file");
        let words: Vec<_> = text.lines().filter_map(word).collect();
        assert!(words.len() > 100, "{} words", words.len());
        words
    }

    /// The word in a line of libFuzzer's: in quotes, with `\\`, `\"` and `\xAB`.
    fn word(line: &str) -> Option<Vec<u8>> {
        let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.bytes();
        let mut word = Vec::new();
        while let Some(byte) = rest.next() {
            word.push(match byte {
                b'\\' => match rest.next()? {
                    b'x' => {
                        let digits = [rest.next()?, rest.next()?];
                        u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                    }
                    other => other,
                },
                other => other,
            });
        }
        Some(word)
    }

    /// An input that resembles one of the corpus.
    fn changed(corpus: &[Vec<u8>], words: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
        let any = |list: &[Vec<u8>], random: &mut fastrand::Rng| -> Vec<u8> {
            random.choice(list).cloned().unwrap_or_default()
        };
        let mut input = any(corpus, random);
        for _ in 0..random.usize(1..=4) {
            let at = random.usize(0..=input.len());
            let end = random.usize(at..=input.len()).min(at + random.usize(..64));
            match random.u32(0..6) {
                0 => {
                    input.splice(at..end, any(words, random));
                }
                1 => {
                    // A part of another input, or a piece of its own again.
                    let other = any(corpus, random);
                    let from = random.usize(0..=other.len());
                    input.splice(at..end, other[from..].iter().take(256).copied());
                }
                2 => {
                    input.drain(at..end);
                }
                3 => input.truncate(at),
                _ if at < input.len() => match random.bool() {
                    true => input[at] = random.u8(..),
                    false => input[at] ^= 1 << random.u8(..8),
                },
                _ => input.push(random.u8(..)),
            }
        }
        input.truncate(LONGEST);
        input
    }

    /// Says which input it was, if something does not hold.
    struct Seen<'a>(&'a str, &'a [u8]);

    impl Drop for Seen<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("{} does not hold of b\"{}\"", self.0, self.1.escape_ascii());
            }
        }
    }

    fn check(target: &str, input: &[u8]) {
        let _seen = Seen(target, input);
        let start = Instant::now();
        run(target, input);
        let took = start.elapsed();
        assert!(took < PATIENCE, "it took {took:?}");
    }

    fn replay(target: &str) {
        let (corpus, words) = (corpus(target), words());
        assert!(corpus.len() > 10, "{} of {target}", corpus.len());
        for input in &corpus {
            check(target, input);
        }
        // The changes are the same each time, which makes failures repeatable.
        let mut random = fastrand::Rng::with_seed(8);
        let start = Instant::now();
        let mut count = 0;
        while count < CHANGES && start.elapsed() < TIME {
            check(target, &changed(&corpus, &words, &mut random));
            count += 1;
        }
        println!("{target}: {} kept, {count} changed", corpus.len());
    }

    macro_rules! replays {
        ($($target:ident),*) => {
            $(#[test] fn $target() { replay(stringify!($target)); })*

            #[test]
            fn each_target_is_replayed_and_has_a_fuzzer() {
                let replayed = [$(stringify!($target)),*];
                assert!(TARGETS.iter().map(|(name, _)| *name).eq(replayed));
                let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("a file");
                for name in replayed {
                    assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name}");
                }
                assert_eq!(manifest.matches("[[bin]]").count(), replayed.len());
            }
        };
    }

    replays!(
        answer, api, clean, cookies, encoding, hints, infer, js, limits, links, location, media,
        refresh, scheduler
    );
}
