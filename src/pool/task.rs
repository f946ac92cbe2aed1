//! A job on its way from its submission to its result.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use url::Url;

use super::stream::core::Core;
use crate::address;
use crate::error::{ErrorCode, Failure};
use crate::fetch::{self, Attempt};
use crate::job::{Done, Group, Item, Job, JobResult, Kind};
use crate::plan::Plan;

/// What there is to do for a job.
pub(crate) enum Work {
    Fetch(Url),
    /// Its URL is not valid.
    Refuse(Failure),
    /// It has no URL.
    PassThrough,
}

/// How far a job is.
enum Stage {
    /// No attempt was made. The URL as it was read, if few jobs were held then; the others are read
    /// again at the start.
    Held(Option<Box<Url>>),
    /// The last attempt began then.
    Began(SystemTime),
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
    group: Group,
    pub plan: Arc<Plan>,
    pub order: u64,
    stage: Stage,
    /// Where the result goes, and what goes with it. `None`: it was given.
    owed: Option<(Arc<Core>, Item)>,
}

impl Task {
    /// A job that `stream` has admitted as its number `order`. Its options are `plan`.
    pub fn new(job: Job<Item>, plan: Arc<Plan>, order: u64, stream: Arc<Core>) -> Box<Self> {
        let Job {
            kind,
            url,
            group,
            item,
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
            group,
            plan,
            order,
            stage: Stage::Held(read),
            owed: Some((stream, item)),
        })
    }

    pub fn stream(&self) -> &Arc<Core> {
        let (stream, _) = self.owed.as_ref().expect("has no result yet");
        stream
    }

    /// What there is to do now.
    pub fn work(&mut self) -> Work {
        let read = match &mut self.stage {
            Stage::Held(read) => read.take(),
            Stage::Began(_) => None,
        };
        read.map_or_else(|| work(&self.url), |url| Work::Fetch(*url))
    }

    /// When the last attempt began.
    pub fn began(&self) -> Option<SystemTime> {
        match self.stage {
            Stage::Held(_) => None,
            Stage::Began(began) => Some(began),
        }
    }

    /// Counts an attempt that begins now.
    pub fn begin(&mut self, now: SystemTime) {
        self.attempts += 1;
        self.stage = Stage::Began(now);
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
    pub fn finish(mut self, attempt: Attempt, ended: SystemTime) -> (Arc<Core>, u64, Done) {
        self.end(attempt, ended).expect("has no result yet")
    }

    fn end(&mut self, attempt: Attempt, ended: SystemTime) -> Option<(Arc<Core>, u64, Done)> {
        let result = self.result(attempt, ended);
        let (stream, item) = self.owed.take()?;
        stream.weigh(&result);
        Some((stream, self.order, Done { item, result }))
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
        let began = self.began().unwrap_or(ended);
        JobResult {
            kind: self.kind,
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
            #[cfg(feature = "capi")]
            numbers: self
                .owed
                .as_ref()
                .map(|(_, item)| item.numbers())
                .unwrap_or_default(),
            group: self.group.clone(),
            known_encoding: self.plan.encoding(),
            decoded: self.plan.compressed,
            content: Default::default(),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let Some((stream, _)) = &self.owed else {
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
        if let Some((stream, order, done)) = self.end(failure.into(), SystemTime::now()) {
            stream.deliver([(order, done)]);
        }
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
