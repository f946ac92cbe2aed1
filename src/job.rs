//! A job, and what comes of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::Failure;
use crate::headers::Headers;
use crate::options::Options;

/// What a job is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Download: the body is in the result.
    #[default]
    Request,
    /// Find where the URL ends; no body.
    Resolve,
}

/// One URL to request or resolve.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Whether to download or only to find the end.
    pub kind: Kind,
    /// The URL. White space around it is taken off and `http://` put before it when it has no
    /// scheme. A bad one gives a result with `invalid-url`. Empty: see
    /// [`StreamConfig::passthrough`](crate::StreamConfig::passthrough).
    pub url: Box<str>,
    /// The politeness key; `None`: the registrable domain of the URL, or its host when that has
    /// none. The empty one is unconstrained.
    pub group: Option<Box<str>>,
    /// Comes back in the result.
    pub tag: u64,
    /// Comes back in the result: room for a pointer of the caller's; never looked at.
    pub userdata: usize,
    /// How the job is done; `None`: as the stream's options say.
    pub options: Option<Arc<Options>>,
}

impl Job {
    /// A job that downloads `url`.
    pub fn request(url: impl Into<Box<str>>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }

    /// A job that finds where `url` ends.
    pub fn resolve(url: impl Into<Box<str>>) -> Self {
        Self {
            kind: Kind::Resolve,
            ..Self::request(url)
        }
    }

    /// The same job with that tag.
    pub fn tag(self, tag: u64) -> Self {
        Self { tag, ..self }
    }

    /// The same job in that group.
    pub fn group(self, group: impl Into<Box<str>>) -> Self {
        Self {
            group: Some(group.into()),
            ..self
        }
    }

    /// The same job with those options.
    pub fn options(self, options: Arc<Options>) -> Self {
        Self {
            options: Some(options),
            ..self
        }
    }
}

/// What led on from a URL of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HopKind {
    /// Nothing: the job ended here.
    Hit,
    /// A redirect status with a `Location` header (RFC 9110, section 10.2.2).
    LocationHeader,
}

impl HopKind {
    /// Its slug, stable over versions: `"location-header"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::LocationHeader => "location-header",
        }
    }
}

/// One entry of a result's stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEntry {
    /// The URL as it was requested.
    pub url: Box<str>,
    /// What led on from here.
    pub kind: HopKind,
    /// The answer's status; 0: no answer came.
    pub status: u16,
}

/// Where the time of an attempt went, summed over its hops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Looking up names.
    pub name_lookup: Duration,
    /// Connecting, to a proxy too.
    pub connect: Duration,
    /// TLS handshakes.
    pub tls: Duration,
    /// From then to the first byte of the answer.
    pub wait: Duration,
    /// From the first byte of the answer to its last.
    pub receive: Duration,
}

impl std::ops::AddAssign for Timings {
    fn add_assign(&mut self, other: Self) {
        self.name_lookup += other.name_lookup;
        self.connect += other.connect;
        self.tls += other.tls;
        self.wait += other.wait;
        self.receive += other.receive;
    }
}

/// What came of a job: exactly one for each that was accepted.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// The job's kind.
    pub kind: Kind,
    /// The job's tag.
    pub tag: u64,
    /// The job's userdata.
    pub userdata: usize,
    /// The URL as it was submitted; `None`: the job had none.
    pub url: Option<Box<str>>,
    /// Why there is no answer; `None`: success, whatever the status.
    pub error: Option<Failure>,
    /// The status of the last answer; 0: none came.
    pub status: u16,
    /// The headers of the last answer.
    pub headers: Headers,
    /// The URLs the job was at, the first one first.
    pub stack: Vec<StackEntry>,
    /// The body of the last answer, decompressed when the job asked for compression.
    pub body: Vec<u8>,
    /// When the last attempt began.
    pub start_time: SystemTime,
    /// When it ended.
    pub end_time: SystemTime,
    /// Where the last attempt's time went.
    pub timings: Timings,
    /// How many attempts were made; 0: none, the job ended before its first.
    pub attempts: u32,
}

impl JobResult {
    /// Where the job ended: the last URL of the stack.
    pub fn end_url(&self) -> Option<&str> {
        self.stack.last().map(|entry| &*entry.url)
    }

    /// What the result weighs against
    /// [`StreamConfig::max_buffered_bytes`](crate::StreamConfig::max_buffered_bytes).
    pub(crate) fn size(&self) -> u64 {
        (self.body.capacity() + self.headers.size()) as u64
    }
}
