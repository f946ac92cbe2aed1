//! What rouet does, beside what minet does, whose place it takes: the same jobs on the same web
//! through both, on this machine. They differ where `docs/minet-differences.md` says so, in kinds;
//! each kind is recognised here by its name there, and a difference of no kind is a failure, as is
//! a kind that does not occur.
//!
//! minet comes from the Python package index, into an environment that is kept between runs.
//! minet's licence is not this one's: it is run here, and nothing of it is read or copied.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rouet::{JobResult, Kind, Options};
use serde_json::{Map, Value, json};

#[path = "minet/cases.rs"]
mod cases;
#[path = "minet/encodings.rs"]
mod encodings;
#[path = "minet/kinds.rs"]
mod kinds;
mod support;
#[path = "minet/web.rs"]
mod web;

use kinds::{KINDS, kind_of};
use support::{code, pool, run_pairs, stream_of, venv};
use web::{Case, Web};

/// What came of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Its code, or `ok`: then the rest counts.
    pub error: String,
    /// Of a download.
    pub status: Option<u64>,
    pub end_url: String,
    /// The URL, kind and status of each entry.
    pub stack: Vec<(String, String, u64)>,
    /// By its name in the Encoding Standard, where it has one.
    pub encoding: Option<String>,
    pub text: Option<String>,
}

/// One field of an outcome that is not the same.
pub struct Difference<'a> {
    pub case: &'a Case,
    pub field: &'static str,
    pub minet: &'a Outcome,
    pub ours: &'a Outcome,
}

#[test]
fn does_what_minet_does_but_for_known_differences() {
    let Some(python) = venv::python("minet") else {
        return;
    };
    let mut web = Web::start();
    cases::add(&mut web);
    encodings::add(&mut web);
    let minet = by_minet(&python, &web.cases);
    let ours = by_rouet(&web.cases);

    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut unknown = String::new();
    for ((case, minet), ours) in web.cases.iter().zip(&minet).zip(&ours) {
        for field in differing(minet, ours) {
            let difference = Difference {
                case,
                field,
                minet,
                ours,
            };
            match kind_of(&difference) {
                None if is_isahcs(&difference) => {}
                Some(kind) => drop(found.entry(kind).or_default().insert(&case.name)),
                None => {
                    let (minet, ours) = (shown(minet, field), shown(ours, field));
                    let _ = writeln!(
                        unknown,
                        "{}: {field}: {}\n    minet {minet}\n    ours  {ours}",
                        case.name, case.job.url
                    );
                }
            }
        }
    }
    println!("{} jobs; kinds of differences:", web.cases.len());
    for (kind, names) in &found {
        let names: Vec<&str> = names.iter().copied().collect();
        println!("{:5} {kind}: {}", names.len(), names.join(", "));
    }
    let gone: Vec<&str> = KINDS
        .iter()
        .map(|(kind, _)| *kind)
        .filter(|kind| !found.contains_key(kind))
        .collect();
    assert!(
        unknown.is_empty() && gone.is_empty(),
        "kinds that do not occur: {gone:?}\ndifferences of no kind:\n{unknown}"
    );
}

/// Whether it is only that isahc, the second engine, does not tell why a connection failed:
/// `docs/isahc.md` has it.
fn is_isahcs(difference: &Difference<'_>) -> bool {
    let pair = [&difference.minet.error, &difference.ours.error].map(String::as_str);
    cfg!(feature = "isahc")
        && difference.field == "error"
        && matches!(
            pair,
            ["connection-refused" | "invalid-url", "connection-error"]
                | ["connection-aborted", "receive-error"]
        )
}

/// The table that people read has a row for each kind, and no more.
#[test]
fn the_kinds_of_differences_are_those_of_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/minet-differences.md");
    let text = fs::read_to_string(path).expect("the document");
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(rows, kinds);
}

fn by_minet(python: &Path, cases: &[Case]) -> Vec<Outcome> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let jobs: PathBuf = folder.join("minet-jobs.jsonl");
    let lines: String = cases
        .iter()
        .map(|case| format!("{}\n", job(case)))
        .collect();
    fs::write(&jobs, lines).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/minet/run.py");
    let output = Command::new(python)
        .arg("-I") // nothing of this machine's own Python
        .arg(script)
        .stdin(File::open(jobs).expect("written"))
        .stderr(Stdio::inherit())
        .output()
        .expect("python runs");
    assert!(
        output.status.success(),
        "minet ended with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let outcomes: Vec<Outcome> = text
        .lines()
        .map(|line| read(&serde_json::from_str(line).expect("a line of JSON")))
        .collect();
    assert_eq!(outcomes.len(), cases.len());
    outcomes
}

/// A job as `run.py` takes it.
fn job(case: &Case) -> Value {
    let kind = match case.job.kind {
        Kind::Request => "request",
        Kind::Resolve => "resolve",
    };
    json!({"kind": kind, "url": &*case.job.url, "args": arguments(case)})
}

/// The options that are not as by default, as minet's arguments.
fn arguments(case: &Case) -> Map<String, Value> {
    let options = &*case.options;
    let default = Options::default();
    let mut arguments = Map::new();
    let mut set = |name: &str, value: Value| arguments.insert(name.into(), value);
    if let Some(method) = &options.method {
        set("method", json!(method));
    }
    if let Some(body) = &options.body {
        set("body", json!(String::from_utf8_lossy(body)));
    }
    if let Some(cookie) = &options.cookie {
        set("cookie", json!(cookie));
    }
    if options.timeout != default.timeout {
        set("timeout", json!(options.timeout.as_secs_f64()));
    }
    let most = match case.job.kind {
        Kind::Request => 10,
        Kind::Resolve => 20,
    };
    set(
        "max_redirects",
        json!(options.max_redirects.unwrap_or(most)),
    );
    for (name, value, usual) in [
        ("stateful", options.stateful, false),
        ("compressed", options.compressed, false),
        ("follow_redirects", options.follow_redirects, true),
        ("follow_refresh_header", options.follow_refresh_header, true),
        ("follow_meta_refresh", options.follow_meta_refresh, false),
        ("follow_js_relocation", options.follow_js_relocation, false),
        ("infer_redirection", options.infer_redirection, false),
        ("canonicalize", options.canonicalize, false),
    ] {
        if value != usual {
            set(name, json!(value));
        }
    }
    if !options.raise_on_statuses.is_empty() {
        set("raise_on_statuses", json!(options.raise_on_statuses));
    }
    if case.job.kind == Kind::Request && case.detect {
        set("known_encoding", json!(options.known_encoding));
    }
    arguments
}

/// An outcome as `run.py` writes it.
fn read(line: &Value) -> Outcome {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let entries = line["stack"].as_array().into_iter().flatten();
    Outcome {
        error: text(&line["error"]).unwrap_or_else(|| "ok".into()),
        status: line["status"].as_u64(),
        end_url: text(&line["end_url"]).unwrap_or_default(),
        stack: entries
            .map(|entry| {
                let word = |at: usize| text(&entry[at]).expect("text");
                (word(0), word(1), number(&entry[2]))
            })
            .collect(),
        encoding: text(&line["encoding"]).map(|name| standard_name(&name)),
        text: text(&line["text"]),
    }
}

/// The Encoding Standard's name of an encoding that Python calls so; Python's own where the
/// standard does not know it.
fn standard_name(name: &str) -> String {
    let label = match name {
        "ascii" => return name.to_owned(),
        "cp874" => "windows-874",
        "cp932" => "windows-31j",
        "cp949" => "windows-949",
        "iso2022_jp" => "iso-2022-jp",
        "iso8859-16" => "iso-8859-16",
        "big5hkscs" => "big5-hkscs",
        "mac-roman" => "macintosh",
        "mac-cyrillic" => "x-mac-cyrillic",
        _ => name,
    };
    [label.to_owned(), label.replace('_', "-")]
        .iter()
        .find_map(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
        .map_or_else(|| name.to_owned(), |found| found.name().to_lowercase())
}

fn by_rouet(cases: &[Case]) -> Vec<Outcome> {
    let stream = stream_of(&pool(Duration::ZERO, 32), |config| {
        config.buffer_size = cases.len();
    });
    let jobs = cases.iter().enumerate();
    let pairs = run_pairs(&stream, jobs.map(|(at, case)| case.job.clone().item(at)));
    let mut outcomes = vec![Outcome::default(); cases.len()];
    for (at, result) in pairs {
        outcomes[at] = outcome(&result);
    }
    outcomes
}

fn outcome(result: &JobResult) -> Outcome {
    let downloaded = result.kind == Kind::Request;
    let stack = result.stack.iter();
    Outcome {
        error: code(result).to_owned(),
        status: downloaded.then_some(u64::from(result.status)),
        end_url: result.end_url().unwrap_or_default().to_owned(),
        stack: stack
            .map(|entry| {
                let kind = entry.kind.as_str().to_owned();
                (entry.url.to_string(), kind, u64::from(entry.status))
            })
            .collect(),
        encoding: result.encoding().map(str::to_owned),
        text: result.text().map(str::to_owned),
    }
}

/// The names of the fields that differ. Of failures only the code is compared.
fn differing(minet: &Outcome, ours: &Outcome) -> Vec<&'static str> {
    if minet.error != ours.error || ours.error != "ok" {
        let differ = minet.error != ours.error;
        return differ.then_some("error").into_iter().collect();
    }
    [
        ("status", minet.status == ours.status),
        ("end_url", minet.end_url == ours.end_url),
        ("stack", minet.stack == ours.stack),
        ("encoding", minet.encoding == ours.encoding),
        ("text", minet.text == ours.text),
    ]
    .into_iter()
    .filter(|(_, same)| !same)
    .map(|(field, _)| field)
    .collect()
}

fn shown(outcome: &Outcome, field: &str) -> String {
    let text = match field {
        "error" => format!("{} {:?}", outcome.error, outcome.stack),
        "status" => format!("{:?}", outcome.status),
        "end_url" => outcome.end_url.clone(),
        "stack" => format!("{:?}", outcome.stack),
        "encoding" => format!("{:?}", outcome.encoding),
        _ => format!("{:?}", outcome.text),
    };
    let start: String = text.chars().take(600).collect();
    start
}
