//! A job on its way from its submission to its result.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use url::Url;

use super::stream::core::Core;
use crate::address;
use crate::error::{ErrorCode, Failure};
use crate::fetch::{self, Attempt};
use crate::job::{Group, Job, JobResult, Kind};
use crate::plan::Plan;

/// What there is to do for a job.
pub(crate) enum Work {
    Fetch(Url),
    /// Its URL is not valid.
    Refuse(Failure),
    /// It has no URL.
    PassThrough,
}

/// A job on its way. It gives exactly one result, whatever becomes of it: a task that is dropped
/// without one gives `internal-error`.
///
/// A stream may hold millions of tasks, so the URL is kept as text.
pub(crate) struct Task {
    pub kind: Kind,
    /// Whether it counts among its stream's started jobs, or the held ones.
    pub started: bool,
    /// Attempts that do not count, because they met a closed connection.
    pub repeats: u8,
    pub attempts: u32,
    /// As submitted.
    pub url: Arc<str>,
    /// The same as it was read, if few jobs were held then. The others are read again at the start.
    read: Option<Box<Url>>,
    group: Group,
    pub plan: Arc<Plan>,
    tag: u64,
    userdata: usize,
    pub order: u64,
    /// When the last attempt began.
    pub began: Option<SystemTime>,
    /// `None`: the result was given.
    stream: Option<Arc<Core>>,
}

impl Task {
    /// A job that `stream` has admitted as its number `order`. Its options are `plan`.
    pub fn new(job: Job, plan: Arc<Plan>, order: u64, stream: Arc<Core>) -> Box<Self> {
        let Job {
            kind,
            url,
            group,
            tag,
            userdata,
            options: _,
            kept_options: _,
        } = job;
        let work = work(&url);
        let group = match (&work, group) {
            (Work::Fetch(_), Some(group)) => Group::Own(group),
            (Work::Fetch(target), None) => {
                let asked = fetch::first_asked(target, &plan);
                let asked = asked.as_ref().unwrap_or(target);
                Group::of_url(&url, asked)
            }
            // No server is asked, so there is none to spare.
            _ => Group::None,
        };
        let read = match work {
            Work::Fetch(target) if stream.holds_few() => Some(Box::new(target)),
            _ => None,
        };
        Box::new(Self {
            kind,
            started: false,
            repeats: 0,
            attempts: 0,
            url,
            read,
            group,
            plan,
            tag,
            userdata,
            order,
            began: None,
            stream: Some(stream),
        })
    }

    pub fn stream(&self) -> &Arc<Core> {
        self.stream.as_ref().expect("has no result yet")
    }

    /// What there is to do now.
    pub fn work(&mut self) -> Work {
        match self.read.take() {
            Some(url) => Work::Fetch(*url),
            None => work(&self.url),
        }
    }

    pub fn group(&self) -> &str {
        self.group.name(&self.url).unwrap_or_default()
    }

    /// The job's URL, for people.
    pub fn shown(&self) -> Cow<'_, str> {
        match is_blank(&self.url) {
            true => "a job without URL".into(),
            false => address::shown(&self.url),
        }
    }

    /// The job's result, and the stream it goes to.
    pub fn finish(mut self, attempt: Attempt, ended: SystemTime) -> (Arc<Core>, u64, JobResult) {
        let stream = self.stream.take().expect("has no result yet");
        let result = self.result(attempt, ended);
        stream.weigh(&result);
        (stream, self.order, result)
    }

    /// What the job's result is if the attempt is its last.
    pub fn result(&self, attempt: Attempt, ended: SystemTime) -> JobResult {
        let mut url = (!is_blank(&self.url)).then(|| Arc::clone(&self.url));
        let mut attempt = attempt;
        if self.plan.mask_credentials {
            let hops = attempt.stack.iter_mut().map(|hop| &mut hop.url);
            for url in url.iter_mut().chain(hops) {
                if let Cow::Owned(masked) = address::masked(url) {
                    *url = masked.into();
                }
            }
        }
        let began = self.began.unwrap_or(ended);
        JobResult {
            kind: self.kind,
            tag: self.tag,
            userdata: self.userdata,
            url,
            error: attempt.failure,
            status: attempt.status,
            headers: attempt.headers,
            stack: attempt.stack,
            body: attempt.body,
            truncated: attempt.truncated,
            start_time: began,
            // The date may have been set back since.
            end_time: ended.max(began),
            timings: attempt.timings,
            attempts: self.attempts,
            value: 0,
            group: self.group.clone(),
            known_encoding: self.plan.encoding(),
            decoded: self.plan.compressed,
            content: Default::default(),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        if !self.started {
            stream.skip();
        }
        let message = format!(
            "{}: a fault in the library, which its log tells of, ended the job",
            self.shown()
        );
        let failure = Failure::new(ErrorCode::InternalError, message);
        let result = self.result(failure.into(), SystemTime::now());
        stream.weigh(&result);
        stream.deliver([(self.order, result)]);
    }
}

/// Whether a job with that URL has no URL.
pub(crate) fn is_blank(url: &str) -> bool {
    url.trim().is_empty()
}

/// What there is to do for a job with that URL.
fn work(url: &str) -> Work {
    match is_blank(url) {
        true => Work::PassThrough,
        false => address::clean(url).map_or_else(Work::Refuse, Work::Fetch),
    }
}
