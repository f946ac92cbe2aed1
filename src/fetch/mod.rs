//! What one job does, hop by hop.
//!
//! `request` and `resolve` are the whole story of an attempt. When it runs, and whether it is
//! made again, is decided elsewhere, from what they return.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use url::Url;

use crate::address;
use crate::engine::{Exchange, Hop, Multi};
use crate::error::{ErrorCode, Failure};
use crate::headers::Headers;
use crate::job::{HopKind, StackEntry, Timings};
use crate::options::Options;
use body::{Reader, Want};

mod body;
mod retry;

pub(crate) use retry::wait_before_retry;

/// The engine that jobs run on.
pub(crate) type Engine = Multi<Reader>;

/// What came of an attempt.
#[derive(Default)]
pub(crate) struct Attempt {
    pub failure: Option<Failure>,
    pub status: u16,
    pub headers: Headers,
    pub stack: Vec<StackEntry>,
    pub body: Vec<u8>,
    pub timings: Timings,
    /// A kept connection had been closed, and the request is one that may be sent anew of the
    /// client's own accord (RFC 9110, section 9.2.2): the attempt does not count.
    pub stale: bool,
}

/// Downloads a URL: follows its redirections and takes the body at their end.
pub(crate) async fn request(start: &Url, options: &Arc<Options>, engine: &Engine) -> Attempt {
    let mut chain = Chain::new(start, options, "GET", options.max_redirects.unwrap_or(10));
    loop {
        let exchange = engine.perform(chain.hop(), chain.reader(Want::Body)).await;
        if let Some(attempt) = chain.step(exchange) {
            return attempt;
        }
    }
}

/// Finds where a URL ends: follows its redirections and takes no body.
pub(crate) async fn resolve(start: &Url, options: &Arc<Options>, engine: &Engine) -> Attempt {
    let mut chain = Chain::new(start, options, "HEAD", options.max_redirects.unwrap_or(20));
    loop {
        let exchange = engine
            .perform(chain.hop(), chain.reader(Want::Nothing))
            .await;
        if let Some(attempt) = chain.step(exchange) {
            return attempt;
        }
    }
}

/// Whether an answer sends its client elsewhere (RFC 9110, section 15.4). Without `Location` it is
/// an answer like any other.
fn redirects(status: u16, headers: &Headers) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308) && headers.get("location").is_some()
}

/// The hops of an attempt so far, and the next one.
struct Chain<'a> {
    options: &'a Arc<Options>,
    url: Cow<'a, Url>,
    method: Cow<'a, str>,
    /// Whether the options' body is still sent.
    body: bool,
    /// Whether every hop so far was on the origin of the first.
    home: bool,
    max_redirects: u32,
    began: Instant,
    stack: Vec<StackEntry>,
    /// Where in the stack the method last changed: before that, the same URL was another request.
    same_method: usize,
    timings: Timings,
}

impl<'a> Chain<'a> {
    fn new(start: &'a Url, options: &'a Arc<Options>, method: &'a str, max_redirects: u32) -> Self {
        Self {
            options,
            url: Cow::Borrowed(start),
            method: Cow::Borrowed(options.method.as_deref().unwrap_or(method)),
            body: true,
            home: true,
            max_redirects,
            began: Instant::now(),
            stack: Vec::with_capacity(1),
            same_method: 0,
            timings: Timings::default(),
        }
    }

    fn hop(&self) -> Hop<'_> {
        Hop {
            url: &self.url,
            method: &self.method,
            body: self.body,
            home: self.home,
            options: self.options,
            time_left: match self.stack.is_empty() {
                // The whole of it, to the letter: the engine need not set it anew.
                true => self.options.timeout,
                false => self.options.timeout.saturating_sub(self.began.elapsed()),
            },
        }
    }

    fn reader(&self, want: Want) -> Reader {
        let Options {
            follow_redirects,
            compressed,
            max_body_size,
            ..
        } = **self.options;
        Reader::new(want, follow_redirects, compressed, max_body_size)
    }

    /// Takes in a hop's exchange. `None`: there is a next one; otherwise what the attempt came to.
    fn step(&mut self, exchange: Exchange<Reader>) -> Option<Attempt> {
        let Exchange {
            receiver,
            status,
            headers,
            timings,
            failure,
            stale,
        } = exchange;
        self.timings += timings;
        self.stack.push(StackEntry {
            url: self.url.as_str().into(),
            kind: HopKind::Hit,
            status,
        });
        let mut attempt = Attempt {
            status,
            headers,
            stale: stale && is_idempotent(&self.method),
            ..Attempt::default()
        };
        let outcome = match failure {
            Some(failure) => Err(failure),
            None if self.options.follow_redirects && redirects(status, &attempt.headers) => {
                match self.redirect(status, &attempt.headers) {
                    Ok(()) => return None,
                    Err(failure) => Err(failure),
                }
            }
            None => receiver.finish().map_err(|failure| Failure {
                message: format!("{}: {}", address::shown(self.url.as_str()), failure.message),
                ..failure
            }),
        };
        match outcome {
            Ok(body) => attempt.body = body,
            Err(failure) => attempt.failure = Some(failure),
        }
        attempt.stack = std::mem::take(&mut self.stack);
        attempt.timings = self.timings;
        Some(attempt)
    }

    /// Turns to where a redirection leads.
    fn redirect(&mut self, status: u16, headers: &Headers) -> Result<(), Failure> {
        let target = address::location(&self.url, headers.get("location").unwrap_or_default())?;
        if let Some(last) = self.stack.last_mut() {
            last.kind = HopKind::LocationHeader;
        }
        // Browsers go on from these with GET, and RFC 9110, section 15.4 lets them.
        let to_get = match (status, &*self.method) {
            (303, method) => method != "GET" && method != "HEAD",
            (301 | 302, method) => method == "POST",
            _ => false,
        };
        if to_get {
            self.method = Cow::Borrowed("GET");
            self.body = false;
            self.same_method = self.stack.len();
        }

        let fail = |code, what: &str| {
            Err(Failure::new(
                code,
                format!(
                    "{} redirects to {}, {what}",
                    address::shown(self.url.as_str()),
                    address::shown(target.as_str()),
                ),
            ))
        };
        let met =
            |entry: &StackEntry| without_fragment(&entry.url) == without_fragment(target.as_str());
        if let Some(at) = self.stack[self.same_method..].iter().rposition(met) {
            return match self.same_method + at + 1 == self.stack.len() {
                true => fail(ErrorCode::SelfRedirect, "which is itself"),
                false => fail(
                    ErrorCode::InfiniteRedirects,
                    "where the job has been already",
                ),
            };
        }
        if self.stack.len() > self.max_redirects as usize {
            return fail(
                ErrorCode::MaxRedirects,
                &format!("one more than max_redirects = {}", self.max_redirects),
            );
        }
        self.home &= target.origin() == self.url.origin();
        self.url = Cow::Owned(target);
        Ok(())
    }
}

/// RFC 9110, section 9.2.2.
fn is_idempotent(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
    )
}

fn without_fragment(url: &str) -> &str {
    url.split('#').next().unwrap_or_default()
}
