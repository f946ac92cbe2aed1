//! Performing one hop: sockets, timers, TLS, names, and what went wrong in our words.
//!
//! The room knows nothing of jobs, groups or redirections: it is given a URL and how to ask for
//! it, and gives back an answer or a failure.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::error::Failure;
use crate::headers::Headers;
use crate::job::Timings;
use crate::options::Options;

mod browser;
mod multi;
mod names;

pub(crate) use multi::Multi;
pub(crate) use names::Names;

/// One HTTP exchange to perform.
pub(crate) struct Hop<'a> {
    pub url: &'a Url,
    pub method: &'a str,
    /// Whether the options' body is sent.
    pub body: bool,
    /// Whether this is still the origin the caller meant: others get no credentials.
    pub home: bool,
    /// The value of the `Cookie` header; what the options say of cookies is in it already.
    pub cookie: Option<&'a str>,
    pub options: &'a Arc<Options>,
    /// What is left of the attempt's time.
    pub time_left: Duration,
}

/// Takes in the answer as it arrives.
pub(crate) trait Receive: 'static {
    /// The head is complete; the body, if any, follows.
    fn head(&mut self, status: u16, headers: &Headers) -> Flow;
    /// A piece of the body.
    fn data(&mut self, bytes: &[u8]) -> Flow;
}

/// Whether the receiver wants the rest of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// What came of a hop.
pub(crate) struct Exchange<R> {
    pub receiver: R,
    /// The answer's status; 0: none came.
    pub status: u16,
    pub headers: Headers,
    pub timings: Timings,
    /// Why the exchange is not whole. A receiver that stopped it is no failure.
    pub failure: Option<Failure>,
    /// The failure is that of a kept connection which had been closed before an answer came.
    pub stale: bool,
}
