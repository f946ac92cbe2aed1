//! The hops of an attempt so far, and the next one.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use url::Url;

use super::cookies::Jar;
use super::heads::{Doubt, Heads};
use super::reader::{Look, Page, Reader, Want};
use super::{Attempt, Start, redirects, refreshes};
use crate::address;
use crate::engine::{Exchange, Hop, is_idempotent};
use crate::error::{ErrorCode, Failure};
use crate::headers::Headers;
use crate::job::{HopKind, StackEntry, Timings};
use crate::plan::Plan;

pub(super) struct Chain<'a> {
    plan: &'a Arc<Plan>,
    url: Cow<'a, Url>,
    /// The URL as text, shared by everyone who keeps it.
    text: Arc<str>,
    method: Cow<'a, str>,
    /// Whether the options' body is still sent.
    body: bool,
    /// Whether every hop so far was on the origin of the first.
    home: bool,
    max_redirects: u32,
    began: Instant,
    /// Whether a request was made.
    asked: bool,
    /// Whether the next hop needs a new connection, because a kept one turned out to be closed.
    fresh: bool,
    stack: Vec<StackEntry>,
    /// The place in the stack where the method last changed: before it, the same URL was another
    /// request.
    same_method: usize,
    timings: Timings,
    /// What HEAD got for the URL that is now asked with GET.
    doubted: Option<Doubt>,
    /// For a stateful job: the cookies set, and those sent with each entry of the stack.
    jar: Option<Jar>,
    sent: Vec<Option<Vec<u8>>>,
    /// The cookies to send with the next hop.
    cookie: Option<Vec<u8>>,
}

impl<'a> Chain<'a> {
    /// `max_redirects` applies unless the options have a number.
    pub fn new(start: Start<'a>, plan: &'a Arc<Plan>, max_redirects: u32) -> Self {
        let Start {
            url,
            given,
            fresh,
            began,
        } = start;
        let text = match **given == *url.as_str() {
            true => Arc::clone(given),
            false => url.as_str().into(),
        };
        Self {
            plan,
            url: Cow::Borrowed(url),
            text,
            method: Cow::Borrowed(plan.method.as_deref().unwrap_or("GET")),
            body: true,
            home: true,
            max_redirects: plan.max_redirects.unwrap_or(max_redirects),
            began,
            asked: false,
            fresh,
            stack: Vec::with_capacity(1),
            same_method: 0,
            timings: Timings::default(),
            doubted: None,
            jar: plan.stateful.then(Jar::default),
            sent: Vec::new(),
            cookie: plan.cookie.as_deref().map(Into::into),
        }
    }

    /// Asks with HEAD, unless the caller gave a method or a body, which HEAD can't have, or pages are
    /// searched.
    pub fn spare_bodies(&mut self) {
        let options = &**self.plan;
        if options.method.is_none() && options.body.is_none() && !self.look().is_any() {
            self.method = Cow::Borrowed("HEAD");
        }
    }

    /// Asks with GET from here on if HEAD is known to get another answer.
    pub fn choose_method(&mut self, heads: &Heads) {
        if self.may_fall_back() && heads.lies(&self.url) {
            self.method = Cow::Borrowed("GET");
        }
    }

    /// Whether HEAD may have got another answer than GET would. This hop must then be repeated with
    /// GET, which later hops keep. What GET gets is learnt here too.
    pub fn is_doubted(&mut self, exchange: &Exchange<Box<Reader>>, heads: &Heads) -> bool {
        if exchange.stale {
            // HEAD was not used.
            return false;
        }
        let doubt = Doubt::of(exchange);
        if let Some(doubted) = self.doubted.take()
            && (doubt.is_some() || exchange.status != 0)
        {
            heads.learn(&self.url, doubted, doubt == Some(doubted));
        }
        let Some(doubt) =
            doubt.filter(|doubt| self.may_fall_back() && !heads.is_believed(&self.url, *doubt))
        else {
            return false;
        };
        self.doubted = Some(doubt);
        self.asked = true;
        self.timings += exchange.timings;
        self.take_cookies(&exchange.headers);
        self.method = Cow::Borrowed("GET");
        self.cookie = self.cookie_for(&self.url, self.home);
        true
    }

    /// Whether HEAD is used and GET may be.
    fn may_fall_back(&self) -> bool {
        let options = &**self.plan;
        options.head_fallback && options.method.is_none() && self.method == "HEAD"
    }

    /// The failure that results if the attempt's time is over.
    pub fn lateness(&self) -> Option<Failure> {
        let timeout = self.plan.timeout;
        (self.began.elapsed() >= timeout).then(|| {
            let url = address::shown(self.url.as_str());
            let what = format!("{url}: its body was not unfolded within {timeout:?}");
            Failure::new(ErrorCode::Timeout, what)
        })
    }

    pub fn hop(&self) -> Hop<'_> {
        let timeout = self.plan.timeout;
        let time_left = match self.asked {
            // The time is exactly the whole: the engine need not set it anew.
            false => timeout,
            true => timeout.saturating_sub(self.began.elapsed()),
        };
        Hop {
            url: &self.url,
            method: &self.method,
            body: self.body,
            home: self.home,
            fresh: self.fresh,
            cookie: self.cookie.as_deref(),
            plan: self.plan,
            time_left,
        }
    }

    /// The receiver for the hop's answer. `body`: its body is wanted.
    pub fn reader(&self, body: bool) -> Box<Reader> {
        let options = &**self.plan;
        Box::new(Reader::new(
            &self.text,
            &self.stack,
            Want {
                body,
                bodiless: self.method == "HEAD",
                follow: options.follow_redirects,
                refresh: options.follow_refresh_header,
                decode: options.compressed,
                limit: options.max_body_size,
                look: self.look(),
                encoding: self.plan.encoding(),
            },
        ))
    }

    fn look(&self) -> Look {
        let options = &**self.plan;
        Look {
            meta_refresh: options.follow_redirects && options.follow_meta_refresh,
            js_relocation: options.follow_redirects && options.follow_js_relocation,
            canonical: options.canonicalize,
        }
    }

    /// Moves on to where the next URL leads by itself, as often as it does. `Some`: the outcome of the
    /// attempt, if it ended here.
    pub fn infer(&mut self) -> Option<Attempt> {
        if !self.plan.infers() {
            return None;
        }
        // This is a guess, and one that leads back does not count: a login page leads back to where it
        // was asked for.
        while let Some(target) = address::infer(&self.url)
            && self.met(&target, self.same_method).is_none()
        {
            self.push(0);
            if let Err(failure) = self.lead(HopKind::Infer, target) {
                return Some(self.end(Attempt::default(), Err(failure)));
            }
        }
        None
    }

    /// Takes in a hop's exchange. `None`: there is a next hop; otherwise the attempt's outcome.
    pub fn step(&mut self, exchange: Exchange<Box<Reader>>) -> Option<Attempt> {
        let Exchange {
            receiver,
            status,
            headers,
            timings,
            failure,
            stale,
            unprocessed,
            unclosed,
            unanswered: _,
        } = exchange;
        self.asked = true;
        self.timings += timings;
        let stale = unprocessed || stale && is_idempotent(&self.method);
        if stale && !self.stack.is_empty() && !self.fresh {
            // The server closed the connection behind the redirection. Only the hop that was due is
            // made again, not the way so far.
            self.fresh = true;
            return None;
        }
        self.fresh = false;
        self.push(status);
        self.take_cookies(&headers);
        let attempt = Attempt {
            status,
            headers,
            stale,
            ..Attempt::default()
        };
        let outcome = match failure {
            Some(failure) if receiver.has_enough() && is_of_body(failure.code) => {
                self.go_on(status, &attempt.headers, receiver, None)
            }
            Some(failure) if unclosed => {
                self.go_on(status, &attempt.headers, receiver, Some(failure))
            }
            Some(failure) => Err(failure),
            None => self.go_on(status, &attempt.headers, receiver, None),
        };
        match outcome {
            Ok(None) => None,
            Ok(Some(page)) => Some(self.end(attempt, Ok(page))),
            Err(failure) => Some(self.end(attempt, Err(failure))),
        }
    }

    /// Notes that the job was at the URL.
    fn push(&mut self, status: u16) {
        self.stack.push(StackEntry {
            url: Arc::clone(&self.text),
            kind: HopKind::Hit,
            status,
        });
        if self.jar.is_some() {
            self.sent.push(self.cookie.clone());
        }
    }

    /// Moves on to where the answer leads, or gives the page that is the end. `unclosed`: the failure
    /// if the body, which may be whole, is not.
    fn go_on(
        &mut self,
        status: u16,
        headers: &Headers,
        receiver: Box<Reader>,
        unclosed: Option<Failure>,
    ) -> Result<Option<Page>, Failure> {
        let options = &**self.plan;
        if options.follow_redirects && redirects(status, headers) {
            let header = super::location(&self.url, headers)?;
            let target = address::location(&self.url, header)?;
            self.change_method(status);
            self.lead(HopKind::LocationHeader, target)?;
            return Ok(None);
        }
        if options.follow_redirects
            && options.follow_refresh_header
            && let Some(target) = refreshes(&self.url, status, headers)
            && self.turn_page(HopKind::RefreshHeader, target)?
        {
            return Ok(None);
        }
        let is_unclosed = unclosed.is_some();
        let (page, targets) = receiver.finish(is_unclosed).map_err(|failure| {
            let message = format!("{}: {}", address::shown(self.url.as_str()), failure.message);
            unclosed.unwrap_or(Failure { message, ..failure })
        })?;
        if let Some(target) = targets.meta_refresh
            && self.turn_page(HopKind::MetaRefresh, *target)?
        {
            return Ok(None);
        }
        if let Some(target) = targets.js_relocation
            && self.met(&target, self.same_method).is_none()
            && self.turn_page(HopKind::JsRelocation, *target)?
        {
            return Ok(None);
        }
        if options.raise_on_statuses.contains(&status) {
            return Err(Failure::new(
                ErrorCode::InvalidStatus(status),
                format!(
                    "{}: status {status} is one of raise_on_statuses",
                    address::shown(self.url.as_str())
                ),
            ));
        }
        if let Some(target) = targets.canonical.filter(|target| **target != *self.url) {
            self.stack.push(StackEntry {
                url: target.as_str().into(),
                kind: HopKind::Canonical,
                status: 0,
            });
        }
        Ok(Some(page))
    }

    /// Moves on to where a page sends its reader. `false`: it leads to itself, or to where the job was
    /// before, as pages do that reload themselves or take turns: the page is the end.
    fn turn_page(&mut self, kind: HopKind, target: Url) -> Result<bool, Failure> {
        let from = match self.becomes_get(303) {
            true => self.stack.len(),
            false => self.same_method,
        };
        if self.met(&target, from).is_some() || self.went(&target, from) {
            return Ok(false);
        }
        self.change_method(303);
        self.lead(kind, target)?;
        Ok(true)
    }

    /// Whether the job has gone from this page to the target before, counting from an index of the
    /// stack. New cookies make a page another one, but not time after time.
    fn went(&self, target: &Url, from: usize) -> bool {
        let is = |at: usize, url: &Url| {
            let been = address::without_fragment(&self.stack[at].url);
            been == address::without_fragment(url.as_str())
        };
        (from + 1..self.stack.len()).any(|at| is(at - 1, &self.url) && is(at, target))
    }

    /// Browsers continue with GET after these, and RFC 9110, section 15.4 allows it.
    fn becomes_get(&self, status: u16) -> bool {
        match (status, &*self.method) {
            (303, method) => method != "GET" && method != "HEAD",
            (301 | 302, method) => method == "POST",
            _ => false,
        }
    }

    fn change_method(&mut self, status: u16) {
        if self.becomes_get(status) {
            self.method = Cow::Borrowed("GET");
            self.body = false;
            self.same_method = self.stack.len();
        }
    }

    /// Moves on to the target.
    fn lead(&mut self, kind: HopKind, target: Url) -> Result<(), Failure> {
        if let Some(last) = self.stack.last_mut() {
            last.kind = kind;
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
        if let Some(at) = self.met(&target, self.same_method) {
            return match at + 1 == self.stack.len() {
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
        self.cookie = self.cookie_for(&target, self.home);
        self.text = target.as_str().into();
        self.url = Cow::Owned(target);
        Ok(())
    }

    /// Where in the stack, from an index on, a request to `target` was made before: for a stateful job,
    /// with the same cookies.
    fn met(&self, target: &Url, from: usize) -> Option<usize> {
        let cookie = self.jar.as_ref().map(|_| {
            let home = self.home && target.origin() == self.url.origin();
            self.cookie_for(target, home)
        });
        let target = address::without_fragment(target.as_str());
        (from..self.stack.len()).rfind(|&at| {
            address::without_fragment(&self.stack[at].url) == target
                && cookie
                    .as_ref()
                    .is_none_or(|cookie| *cookie == self.sent[at])
        })
    }

    fn take_cookies(&mut self, headers: &Headers) {
        if let Some(jar) = &mut self.jar {
            jar.take(&self.url, headers);
        }
    }

    /// The cookies to send to a URL. `home`: it is on the origin that the caller meant.
    fn cookie_for(&self, url: &Url, home: bool) -> Option<Vec<u8>> {
        let own = self.plan.cookie.as_deref().filter(|_| home);
        match &self.jar {
            Some(jar) => jar.header(url, own),
            None => own.map(Into::into),
        }
    }

    fn end(&mut self, attempt: Attempt, outcome: Result<Page, Failure>) -> Attempt {
        let (page, failure) = match outcome {
            Ok(page) => (page, None),
            Err(failure) => (Page::default(), Some(failure)),
        };
        Attempt {
            body: page.body,
            truncated: page.truncated,
            failure,
            stack: std::mem::take(&mut self.stack),
            timings: self.timings,
            ..attempt
        }
    }
}

/// Whether a failure may be one of the body alone.
fn is_of_body(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ConnectionAborted
            | ErrorCode::ProtocolError
            | ErrorCode::ReadTimeout
            | ErrorCode::ReceiveError
            | ErrorCode::Timeout
    )
}
