//! The table itself, `options.toml`, and what C's structs are by it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A language that has options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    C,
    Cpp,
    Go,
    Node,
    Rust,
}

/// What an option is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Job,
    Stream,
    Pool,
}

/// How an option is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Yes or no; an `int32_t` of 0 or 1.
    Flag,
    /// A time; a `double` of seconds.
    Seconds,
    /// A `uint32_t`.
    Number,
    /// A `uint32_t` of which 0 leaves the choice to the library, as `None` does in Rust.
    Choice,
    /// A `size_t`.
    Size,
    /// A `uint64_t`.
    Bytes,
    /// Text, which ends in a NUL.
    Text,
    /// The name of a file.
    Path,
    /// A list of texts.
    Texts,
    /// A list of three-digit numbers.
    Statuses,
    /// A list of ports.
    Ports,
    /// `retry`, which is a flag in C, and in Rust and Node the whole of its parts.
    Retry,
    /// `max_redirects`, an `int32_t` of which -1 is none given.
    Limit,
    HttpVersion,
    Headers,
    Body,
    /// `options` in the configuration of a stream.
    Options,
    /// A function, called with what `userdata` points to.
    Function,
    /// What a function is called with. Other languages than C have closures.
    Userdata,
}

impl Kind {
    /// Whether it has several entries.
    pub fn is_list(self) -> bool {
        matches!(
            self,
            Self::Texts | Self::Statuses | Self::Ports | Self::Headers
        )
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Flag(bool),
    Whole(i64),
    Float(f64),
    Word(String),
}

/// One option.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub of: Scope,
    pub kind: Kind,
    pub default: Option<Value>,
    pub means: Option<String>,
    pub above: Option<u64>,
    pub least: Option<u64>,
    pub most: Option<u64>,
    pub count: Option<String>,
    #[serde(default = "one")]
    pub since: u32,
    pub text: String,
    pub off: Option<String>,
    #[serde(default)]
    pub more: BTreeMap<Language, String>,
    #[serde(default)]
    pub names: BTreeMap<Language, String>,
    #[serde(default)]
    pub absent: BTreeMap<Language, String>,
    pub userdata: Option<String>,
    pub go_none: Option<String>,
    pub node_most: Option<u64>,
}

fn one() -> u32 {
    1
}

impl Entry {
    /// Whether a language has it.
    pub fn is_in(&self, language: Language) -> bool {
        let is_closure = self.kind == Kind::Userdata && language != Language::C;
        !is_closure && !self.absent.contains_key(&language)
    }

    /// What a part of `retry` is called within that.
    pub fn part(&self) -> Option<&str> {
        self.name.strip_prefix("retry_")
    }

    /// Whether it is a flag that is on by default.
    pub fn is_on(&self) -> bool {
        self.default == Some(Value::Flag(true))
    }

    /// Its fields in C.
    pub fn c_fields(&self) -> Vec<CField> {
        let (rust, null) = match self.kind {
            Kind::Flag | Kind::Retry | Kind::Limit | Kind::HttpVersion => ("i32", ""),
            Kind::Seconds => ("f64", ""),
            Kind::Number | Kind::Choice => ("u32", ""),
            Kind::Size => ("usize", ""),
            Kind::Bytes => ("u64", ""),
            Kind::Text | Kind::Path => ("*const c_char", "std::ptr::null()"),
            Kind::Texts => ("*const *const c_char", "std::ptr::null()"),
            Kind::Statuses | Kind::Ports => ("*const u16", "std::ptr::null()"),
            Kind::Headers => ("*const pool_header_t", "std::ptr::null()"),
            Kind::Body => ("*const c_void", "std::ptr::null()"),
            Kind::Options => ("*const pool_options_t", "std::ptr::null()"),
            Kind::Function => ("", "None"),
            Kind::Userdata => ("*mut c_void", "std::ptr::null_mut()"),
        };
        let rust = match self.kind {
            Kind::Function => format!("pool_{}_fn", self.name.trim_end_matches("_fn")),
            _ => rust.to_owned(),
        };
        let default = match &self.default {
            None => null.to_owned(),
            Some(Value::Flag(on)) => i32::from(*on).to_string(),
            Some(Value::Whole(seconds)) if self.kind == Kind::Seconds => format!("{seconds}.0"),
            Some(Value::Whole(number)) => number.to_string(),
            Some(Value::Float(seconds)) => seconds.to_string(),
            Some(Value::Word(word)) => format!("POOL_HTTP_{}", word.to_uppercase()),
        };
        let mut fields = vec![CField {
            name: self.name.clone(),
            rust,
            default,
            of: None,
        }];
        if let Some((name, of)) = self.size_field() {
            fields.push(CField {
                name,
                rust: "usize".into(),
                default: "0".into(),
                of: Some(of),
            });
        }
        fields
    }

    /// The field in C that says how much there is, and the words for that.
    fn size_field(&self) -> Option<(String, &'static str)> {
        match (self.kind, &self.count) {
            (Kind::Body, _) => Some((format!("{}_size", self.name), "bytes")),
            (_, Some(count)) => Some((count.clone(), "entries")),
            _ => None,
        }
    }
}

/// A field of a struct of C's, as Rust has it.
pub struct CField {
    pub name: String,
    pub rust: String,
    pub default: String,
    /// Of a field that counts: what it counts.
    pub of: Option<&'static str>,
}

/// All options.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(rename = "option")]
    entries: Vec<Entry>,
}

impl Table {
    pub fn read(text: &str) -> Self {
        let table: Self =
            toml::from_str(text).unwrap_or_else(|error| panic!("options.toml: {error}"));
        table.check();
        table
    }

    /// What the form of an entry can't say.
    fn check(&self) {
        for entry in &self.entries {
            let Entry { name, kind, .. } = entry;
            let of_kind = match kind {
                Kind::Flag | Kind::Retry => matches!(entry.default, Some(Value::Flag(_))),
                Kind::Seconds => matches!(entry.default, Some(Value::Whole(_) | Value::Float(_))),
                Kind::Number | Kind::Choice | Kind::Size | Kind::Bytes | Kind::Limit => {
                    matches!(entry.default, Some(Value::Whole(_)))
                }
                Kind::HttpVersion => matches!(entry.default, Some(Value::Word(_))),
                Kind::Userdata => entry.default.is_none(),
                _ => entry.default.is_none() && entry.means.is_some(),
            };
            assert!(of_kind, "{name}: its default is not of its kind");
            assert_eq!(kind.is_list(), entry.count.is_some(), "{name}: count");
            let is_checked = entry.above.is_none_or(|above| above == 0);
            assert!(
                is_checked,
                "{name}: that it is above anything but 0 is not checked"
            );
            let is_function = *kind == Kind::Function;
            assert_eq!(is_function, entry.userdata.is_some(), "{name}: userdata");
        }
        for scope in [&[Scope::Job][..], &[Scope::Stream, Scope::Pool]] {
            let editions: Vec<u32> = self.of(scope).map(|entry| entry.since).collect();
            assert!(
                editions.is_sorted() && editions.first() == Some(&1),
                "a struct grows at its end: {editions:?}"
            );
        }
    }

    /// The options of some scopes, in C's order.
    pub fn of(&self, scopes: &[Scope]) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| scopes.contains(&entry.of))
    }

    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub fn find(&self, name: &str) -> &Entry {
        let found = self.entries.iter().find(|entry| entry.name == name);
        found.unwrap_or_else(|| panic!("options.toml names {name}, which is no option"))
    }
}
