//! What one job does, hop by hop.
//!
//! `request` and `resolve` each tell an attempt from start to end. Others decide when it runs and
//! whether it is repeated, from what they return.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use url::Url;

use crate::address;
use crate::engine::{self, Engine as _, Exchange, others_first};
use crate::error::{ErrorCode, Failure};
use crate::headers::Headers;
use crate::job::{JobResult, StackEntry, Timings, Truncated};
use crate::options::Options;
use crate::plan::Plan;
use crate::sniff;
use chain::Chain;
use reader::Reader;

mod body;
mod chain;
mod cookies;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod heads;
mod reader;
mod retry;

pub(crate) use heads::Heads;
pub(crate) use retry::wait_before_retry;

/// The engine that jobs run on.
pub(crate) type Engine = engine::Chosen<Box<Reader>>;

/// The outcome of an attempt.
#[derive(Default)]
pub(crate) struct Attempt {
    pub failure: Option<Failure>,
    pub status: u16,
    pub headers: Headers,
    pub stack: Vec<StackEntry>,
    pub body: Vec<u8>,
    pub truncated: Option<Truncated>,
    pub timings: Timings,
    /// A kept connection had been closed, and the client may repeat this request by itself (RFC 9110,
    /// section 9.2.2): the attempt does not count.
    pub stale: bool,
}

/// An attempt that came to nothing else.
impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..Self::default()
        }
    }
}

/// An attempt from the result that it gave.
impl From<JobResult> for Attempt {
    fn from(result: JobResult) -> Self {
        Self {
            failure: result.error,
            status: result.status,
            headers: result.headers,
            stack: result.stack,
            body: result.body,
            truncated: result.truncated,
            timings: result.timings,
            stale: false,
        }
    }
}

/// Where an attempt starts.
pub(crate) struct Start<'a> {
    pub url: &'a Url,
    /// The same URL as submitted.
    pub given: &'a Arc<str>,
    /// Whether the first hop needs a new connection, because an earlier attempt met a kept one that was
    /// closed.
    pub fresh: bool,
    /// When its time began to count.
    pub began: Instant,
}

/// Downloads a URL: follows its redirections and takes the body at their end.
pub(crate) async fn request(start: Start<'_>, plan: &Arc<Plan>, engine: &Engine) -> Attempt {
    let mut chain = Chain::new(start, plan, 10);
    loop {
        if let Some(attempt) = chain.infer() {
            return attempt;
        }
        let exchange = ask(&chain, chain.reader(true), engine).await;
        if let Some(attempt) = chain.step(exchange) {
            return attempt;
        }
    }
}

/// Finds where a URL ends: follows its redirections and takes no body. HEAD suffices, unless what leads
/// on may be in the page, or a server answers HEAD differently from GET, as `heads` knows.
pub(crate) async fn resolve(
    start: Start<'_>,
    plan: &Arc<Plan>,
    engine: &Engine,
    heads: &Heads,
) -> Attempt {
    let mut chain = Chain::new(start, plan, 20);
    chain.spare_bodies();
    loop {
        if let Some(attempt) = chain.infer() {
            return attempt;
        }
        chain.choose_method(heads);
        let exchange = ask(&chain, chain.reader(false), engine).await;
        if chain.is_doubted(&exchange, heads) {
            continue;
        }
        if let Some(attempt) = chain.step(exchange) {
            return attempt;
        }
    }
}

/// Performs the next hop. The work left when everything has arrived is done in turns with others.
async fn ask(chain: &Chain<'_>, reader: Box<Reader>, engine: &Engine) -> Exchange<Box<Reader>> {
    let mut exchange = engine.perform(chain.hop(), reader).await;
    while (exchange.failure.is_none() || exchange.unclosed) && exchange.receiver.end() {
        if let Some(failure) = chain.lateness() {
            exchange.failure = Some(failure);
            exchange.unclosed = false;
        }
        others_first().await;
    }
    exchange
}

/// The URL that a job asks first, if it is not its own: the site that is asked must be the site that is
/// spared.
pub(crate) fn first_asked(url: &Url, options: &Options) -> Option<Url> {
    if !options.infers() {
        return None;
    }
    // A job gives up after that many.
    let most = options.max_redirects.unwrap_or(20) as usize;
    std::iter::successors(address::infer(url), address::infer)
        .take(most.min(20))
        .last()
}

/// Whether an answer sends its client elsewhere (RFC 9110, section 15.4). Without `Location` it is an
/// answer like any other.
fn redirects(status: u16, headers: &Headers) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308) && headers.get("location").is_some()
}

/// The one `Location` of an answer. The value is not a list (RFC 9110, section 10.2.2): if two lines
/// differ, nothing tells which is meant, and browsers follow neither.
fn location<'a>(url: &Url, headers: &'a Headers) -> Result<&'a [u8], Failure> {
    let mut lines = headers.get_all("location");
    let first = lines.next().unwrap_or_default();
    match lines.find(|line| *line != first) {
        None => Ok(first),
        Some(other) => Err(Failure::new(
            ErrorCode::ProtocolError,
            format!(
                "{} has two Locations, {:?} and {:?}",
                address::shown(url.as_str()),
                address::shown(&String::from_utf8_lossy(first)),
                address::shown(&String::from_utf8_lossy(other)),
            ),
        )),
    }
}

/// Where the `Refresh` header of an answer from `url` leads, if it counts: an error page leads nowhere.
/// No standard says how to read several lines; the first that leads to what can be requested counts,
/// and the others are ignored, as is what is not a URL.
fn refreshes(url: &Url, status: u16, headers: &Headers) -> Option<Url> {
    if status >= 400 {
        return None;
    }
    headers
        .get_all("refresh")
        .filter_map(sniff::refresh)
        .find_map(|target| address::refresh(url, target).ok())
}
