//! Streams: what a caller hands in and takes out, and the bounds on what lies between.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use url::Url;

use super::callbacks::{self, Calls};
use super::inbox::Message;
use super::log::Level;
use super::{Common, Pool};
use crate::address;
use crate::error::{Error, ErrorCode, Failure};
use crate::fetch::{self, Attempt};
use crate::job::{Group, Job, JobResult, Kind};
use crate::options::Options;
use crate::plan::Plan;
use crate::process::fork;
use crate::process::memory;
use crate::schedule::{Gate, StreamId};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// The event descriptor does not tell of results again so soon, while more are to come: an event
/// loop then finds several at once, and is spared most of its wake-ups.
const QUIET: Duration = Duration::from_millis(1);

/// So many jobs held are few: the default of `buffer_size`.
const FEW: usize = 1024;

/// How a stream is set up.
#[derive(Clone)]
pub struct StreamConfig {
    /// Jobs held and not started, those that wait for a retry included, and again jobs started
    /// whose results were not taken, so it also bounds the stream's transfers at once; at least 1.
    /// An ordered stream has this many jobs outstanding in all. Default 1024.
    pub buffer_size: usize,
    /// Bytes of results not taken, beyond which no more jobs are started; the bodies of those
    /// under way come on top. At least 1. Default 256 MiB.
    pub max_buffered_bytes: u64,
    /// Whether results come in the order of submission. Default no: as they are done.
    pub ordered: bool,
    /// Whether a job without URL gives a result without URL, error and answer. Default no: it is
    /// [`Error::InvalidArgument`].
    pub passthrough: bool,
    /// How jobs are done that have no options of their own.
    pub options: Arc<Options>,
    /// Called with each result that has an answer, before it can be taken; see [`Callback`]. Default
    /// none.
    pub callback: Option<Callback>,
}

/// What a stream has done with its results before they can be taken, such as saving a body.
///
/// It runs on threads of its own, 64 at most over the pool, for several results at once, and may
/// take its time: it holds back no transfer, only the room in the stream's buffer that a result
/// takes, and its thread from other callbacks. It is
/// called once for each job that has an answer, whatever its status, and may change what is in the
/// result or attach [`JobResult::value`]. An `Err`, or a panic, makes the result a
/// `callback-error` with those words. It may submit jobs and cancel, but must not wait for the
/// stream, nor drop it. Results that wait for it when the stream is cancelled end in `cancelled`;
/// calls under way are waited for when the stream is dropped.
pub type Callback = Arc<dyn Fn(&mut JobResult) -> Result<(), String> + Send + Sync>;

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            buffer_size: 1024,
            max_buffered_bytes: 256 << 20,
            ordered: false,
            passthrough: false,
            options: Arc::default(),
            callback: None,
        }
    }
}

impl std::fmt::Debug for StreamConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamConfig")
            .field("buffer_size", &self.buffer_size)
            .field("max_buffered_bytes", &self.max_buffered_bytes)
            .field("ordered", &self.ordered)
            .field("passthrough", &self.passthrough)
            .field("options", &self.options)
            .field("callback", &self.callback.is_some())
            .finish()
    }
}

/// What became of a job that was handed in.
#[derive(Debug)]
pub enum Submit {
    /// Exactly one result will come.
    Accepted,
    /// There was no room in time; here it is back.
    Full(Job),
}

/// What a look for a result came to.
#[derive(Debug)]
pub enum Next {
    /// Here is one.
    Result(Box<JobResult>),
    /// None came in time.
    Nothing,
    /// The stream was finished or cancelled and all results were taken.
    Done,
}

/// What a stream is doing and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Jobs accepted so far.
    pub accepted: u64,
    /// Results taken so far.
    pub delivered: u64,
    /// Results so far, taken or not, that were errors.
    pub failed: u64,
    /// Jobs accepted and not started, those that wait for a retry included.
    pub held: u64,
    /// Jobs started whose results were not taken.
    pub started: u64,
    /// Bytes that results not taken hold: bodies, headers, URLs, messages and they themselves.
    pub buffered_bytes: u64,
}

/// One lazily fed run of jobs on a [`Pool`].
///
/// Any thread may use it through a shared reference. Dropping it cancels what is outstanding.
pub struct Stream {
    core: Arc<Core>,
    /// Keeps the engine running.
    pool: Pool,
}

/// What there is to do for a job.
pub(crate) enum Work {
    Fetch(Url),
    /// Its URL is none.
    Refuse(Failure),
    /// It has no URL.
    PassThrough,
}

/// A job on its way. It gives exactly one result, whatever becomes of it: if it is dropped without
/// one, `internal-error`.
///
/// A stream may hold millions of these, so the URL is kept as text.
pub(crate) struct Task {
    pub kind: Kind,
    /// Whether it counts among its stream's started jobs, or the held ones.
    pub started: bool,
    /// Attempts that do not count, because they met a closed connection.
    pub repeats: u8,
    pub attempts: u32,
    /// As submitted.
    pub url: Arc<str>,
    /// The same as it was read, if few jobs were held then; the others are read again at the start.
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
        // At once, so that the next start already reckons with it.
        stream.bytes.fetch_add(result.size(), SeqCst);
        (stream, self.order, result)
    }

    /// What the job's result is, should the attempt be its last.
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

/// Wakes who waits. It is the caller's executor: if it panics, that is no fault of a job.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}

/// Whether a job with that URL has none.
fn is_blank(url: &str) -> bool {
    url.trim().is_empty()
}

/// What there is to do for a job with that URL.
fn work(url: &str) -> Work {
    match is_blank(url) {
        true => Work::PassThrough,
        false => address::clean(url).map_or_else(Work::Refuse, Work::Fetch),
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
        let attempt = Attempt {
            failure: Some(failure),
            ..Attempt::default()
        };
        let result = self.result(attempt, SystemTime::now());
        stream.bytes.fetch_add(result.size(), SeqCst);
        stream.deliver([(self.order, result)]);
    }
}

/// What the handle of a stream and the shards share.
pub(crate) struct Core {
    pub id: StreamId,
    pub config: StreamConfig,
    /// How jobs are done that have no options of their own.
    plan: Arc<Plan>,
    /// Jobs accepted and not started.
    held: AtomicUsize,
    /// Jobs started whose results were not taken.
    started: AtomicUsize,
    /// Bytes of results not taken.
    pub bytes: AtomicU64,
    /// The order of the result to be taken next, if the stream is ordered.
    head: AtomicU64,
    /// A shard found no room to start a job, and is to be woken when there is some.
    stalled: AtomicBool,
    /// Callers that wait for room.
    submitters: AtomicUsize,
    cancelled: AtomicBool,
    state: Mutex<State>,
    room: Condvar,
    arrived: Condvar,
    /// Results that wait for the callback, and calls under way.
    pub calls: Calls,
    pub common: Arc<Common>,
}

#[derive(Default)]
struct State {
    /// Results to be taken. In an ordered stream there are gaps: jobs that are not done.
    results: VecDeque<Option<JobResult>>,
    /// How many they are, without the gaps.
    there: usize,
    /// Jobs accepted whose results were not taken.
    outstanding: usize,
    closed: bool,
    /// The process is ending, and what is outstanding comes no more.
    given_up: bool,
    next_order: u64,
    delivered: u64,
    failed: u64,
    waker: Option<Waker>,
    event: Option<Event>,
}

impl State {
    fn ready(&self) -> bool {
        matches!(self.results.front(), Some(Some(_)))
    }

    fn done(&self) -> bool {
        self.closed && self.outstanding == 0
    }

    /// Brings the event descriptor into line.
    fn signal(&mut self) {
        let readable = self.ready() || self.done();
        if let Some(event) = &mut self.event {
            event.set(readable);
        }
    }

    /// Brings the event descriptor into line after results were taken: what it was not told of yet
    /// it will be.
    fn signal_taken(&mut self) {
        if !self.ready() {
            self.signal();
        }
    }

    /// Until when the event descriptor is best left alone.
    fn quiet(&self) -> Option<Instant> {
        let event = self.event.as_ref().filter(|event| !event.readable)?;
        let until = event.told?.checked_add(QUIET)?;
        (Instant::now() < until).then_some(until)
    }
}

/// A pipe that holds a byte while there is something to take.
struct Event {
    reader: PipeReader,
    writer: PipeWriter,
    readable: bool,
    /// When it last became readable.
    told: Option<Instant>,
}

impl Event {
    fn set(&mut self, readable: bool) {
        if self.readable == readable {
            return;
        }
        if !readable {
            // Empty already if the caller reads from it.
            let _ = self.reader.read(&mut [0]);
        } else if self.writer.write_all(&[1]).is_err() {
            // Can't be: the pipe holds one byte at most.
            return;
        } else {
            self.told = Some(Instant::now());
        }
        self.readable = readable;
    }
}

impl Core {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(SeqCst)
    }

    /// Whether a job may start now. `Open` takes its place among the started, to be given back
    /// with `unreserve` if none did; `Only` does not: see `reserve_head`.
    pub fn reserve(&self) -> Gate {
        match self.try_reserve() {
            Gate::Open => Gate::Open,
            _ => {
                // Room made before this was said would go unnoticed.
                self.stalled.store(true, SeqCst);
                self.try_reserve()
            }
        }
    }

    fn try_reserve(&self) -> Gate {
        let too_heavy = self.bytes.load(SeqCst) >= self.config.max_buffered_bytes;
        if self.config.ordered && too_heavy {
            // The one job that the others' results wait for must not wait for them.
            return Gate::Only(self.head.load(SeqCst));
        }
        // An ordered stream is bounded at submission already.
        let before = self.started.fetch_add(1, SeqCst);
        if too_heavy || before >= self.config.buffer_size && !self.config.ordered {
            self.started.fetch_sub(1, SeqCst);
            return Gate::Closed;
        }
        Gate::Open
    }

    /// The job that an `Only` gate let through takes its place.
    pub fn reserve_head(&self) {
        self.started.fetch_add(1, SeqCst);
    }

    pub fn unreserve(&self) {
        self.started.fetch_sub(1, SeqCst);
        self.wake_stalled();
    }

    /// A job whose place was reserved has started.
    pub fn start(&self) {
        self.held.fetch_sub(1, SeqCst);
        self.tell_submitters();
    }

    /// A job that had started waits for its retry.
    pub fn hold_again(&self) {
        self.held.fetch_add(1, SeqCst);
        self.unreserve();
    }

    /// A job is taken out before it started: to be delivered like one that did.
    pub fn skip(&self) {
        self.started.fetch_add(1, SeqCst);
        self.start();
    }

    fn tell_submitters(&self) {
        if self.submitters.load(SeqCst) > 0 {
            // Under the lock, so that one about to wait is waiting.
            let _state = self.state();
            self.room.notify_all();
        }
    }

    fn wake_stalled(&self) {
        if self.stalled.swap(false, SeqCst) {
            for inbox in &self.common.inboxes {
                inbox.ring();
            }
        }
    }

    /// Sees results on their way to where they are taken from, and gives when to `tell` of them, if
    /// that was not done.
    pub fn hand_over(
        self: &Arc<Self>,
        results: impl IntoIterator<Item = (u64, JobResult)>,
    ) -> Option<Instant> {
        match &self.config.callback {
            None => self.deliver_soon(results),
            Some(callback) => {
                for (order, result) in results {
                    match result.has_answer() {
                        true => callbacks::call(self, callback, order, result),
                        false => self.deliver([(order, result)]),
                    }
                }
                None
            }
        }
    }

    /// Puts results where they are taken from.
    pub fn deliver(&self, results: impl IntoIterator<Item = (u64, JobResult)>) {
        if self.deliver_soon(results).is_some() {
            self.tell(true);
        }
    }

    /// Puts results where they are taken from, and gives when to `tell` the event descriptor of
    /// them, if not at once.
    pub fn deliver_soon(
        &self,
        results: impl IntoIterator<Item = (u64, JobResult)>,
    ) -> Option<Instant> {
        let mut state = self.state();
        if state.given_up {
            return None;
        }
        let was_ready = state.ready();
        for (order, result) in results {
            state.failed += u64::from(result.error.is_some());
            state.there += 1;
            if !self.config.ordered {
                state.results.push_back(Some(result));
                continue;
            }
            let index = (order - self.head.load(SeqCst)) as usize;
            while state.results.len() <= index {
                state.results.push_back(None);
            }
            state.results[index] = Some(result);
        }
        if was_ready || !state.ready() {
            // Nobody waits for what is there already.
            return None;
        }
        let quiet = state.quiet().filter(|_| !self.is_urgent(&state));
        if quiet.is_none() {
            state.signal();
        }
        let waker = state.waker.take();
        drop(state);
        self.arrived.notify_all();
        wake(waker);
        quiet
    }

    /// Tells the event descriptor of the results that are there, if it is time or they are needed.
    /// False: later.
    pub fn tell(&self, is_time: bool) -> bool {
        let mut state = self.state();
        let now = is_time || self.is_urgent(&state);
        if now {
            state.signal();
        }
        now
    }

    /// Whether nothing goes on before results were taken.
    fn is_urgent(&self, state: &State) -> bool {
        let full = self.config.ordered && !self.has_room(state) && self.held.load(SeqCst) == 0;
        full || self.stalled.load(SeqCst) || state.outstanding <= state.there
    }

    /// Takes the results that are there, until one is not wanted.
    fn take(
        &self,
        state: &mut State,
        into: &mut Vec<JobResult>,
        mut wanted: impl FnMut(&JobResult) -> bool,
    ) {
        let before = into.len();
        while let Some(Some(next)) = state.results.front()
            && into.try_reserve(1).is_ok()
            && wanted(next)
            && let Some(result) = state.results.pop_front().flatten()
        {
            into.push(result);
        }
        let taken = &into[before..];
        if taken.is_empty() {
            return;
        }
        state.outstanding -= taken.len();
        state.there -= taken.len();
        state.delivered += taken.len() as u64;
        self.head.fetch_add(taken.len() as u64, SeqCst);
        self.bytes
            .fetch_sub(taken.iter().map(JobResult::size).sum(), SeqCst);
        let started = self.started.fetch_sub(taken.len(), SeqCst) - taken.len();
        state.signal_taken();
        if self.config.ordered || self.submitters.load(SeqCst) > 0 {
            self.room.notify_all();
        }
        if state.done() {
            // Others who wait learn that nothing more will come.
            self.arrived.notify_all();
        }
        // A little more than room for one, where the buffer is large: a consumer that is slow
        // need not wake the shards for each result.
        let slack = (self.config.buffer_size / 4).clamp(1, 64);
        let waits = self.config.ordered || state.results.is_empty();
        if waits || started + slack <= self.config.buffer_size {
            self.wake_stalled();
        }
    }

    fn has_room(&self, state: &State) -> bool {
        let size = self.config.buffer_size;
        match self.config.ordered {
            true => state.outstanding < size,
            false => self.held.load(SeqCst) < size,
        }
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.tell_closed(state);
    }

    /// Leaves what is outstanding: nobody is there who would end it.
    fn give_up(&self) {
        let mut state = self.state();
        state.given_up = true;
        state.results.clear();
        state.there = 0;
        state.outstanding = 0;
        self.tell_closed(state);
    }

    fn tell_closed(&self, mut state: MutexGuard<'_, State>) {
        state.signal();
        let waker = state.waker.take();
        drop(state);
        self.room.notify_all();
        self.arrived.notify_all();
        wake(waker);
    }
}

impl Stream {
    pub(super) fn open(pool: Pool, id: StreamId, config: StreamConfig) -> Result<Self, Error> {
        if config.buffer_size == 0 {
            return Err(Error::InvalidArgument(
                "buffer_size is 0: it is at least 1".into(),
            ));
        }
        if config.max_buffered_bytes == 0 {
            return Err(Error::InvalidArgument(
                "max_buffered_bytes is 0: it is at least 1".into(),
            ));
        }
        let plan = pool.common().plans.of(&config.options)?;
        let core = Arc::new(Core {
            id,
            config,
            plan,
            held: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            head: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            submitters: AtomicUsize::new(0),
            cancelled: AtomicBool::new(false),
            state: Mutex::default(),
            room: Condvar::new(),
            arrived: Condvar::new(),
            calls: Calls::default(),
            common: Arc::clone(pool.common()),
        });
        pool.common()
            .log
            .write(Level::Info, || format!("stream {} opened", id.0));
        Ok(Self { core, pool })
    }

    /// The pool it runs on.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How it does jobs that have no options of their own.
    pub fn options(&self) -> &Arc<Options> {
        &self.core.config.options
    }

    /// Hands in a job. Waits for room for so long (`Duration::ZERO`: not at all; `None`: for ever).
    ///
    /// [`Error::Closed`]: the stream was finished or cancelled. [`Error::InvalidArgument`]: the
    /// job has no URL, or an option is out of its range. [`Error::OutOfResources`]: no memory is left.
    pub fn submit(&self, job: Job, timeout: Option<Duration>) -> Result<Submit, Error> {
        self.submit_until(job, Until::after(timeout))
    }

    pub(crate) fn submit_until(&self, job: Job, until: Until) -> Result<Submit, Error> {
        let core = &self.core;
        let plan = match (&job.options, &job.kept_options) {
            (None, None) => Arc::clone(&core.plan),
            (Some(options), None) => core.common.plans.of(options)?,
            (None, Some(kept)) => Arc::clone(&kept.0),
            (Some(_), Some(_)) => {
                return Err(Error::InvalidArgument(
                    "options and kept_options are both given: one would be lost".into(),
                ));
            }
        };
        if is_blank(&job.url) && !core.config.passthrough {
            return Err(Error::InvalidArgument(
                "url is empty: a job without URL is taken only by a stream with passthrough".into(),
            ));
        }
        // What it is made into takes more than its URL.
        let kept = memory::keep_back(job.url.len());
        let _kept = kept.ok_or_else(|| Error::no_memory("one more job"))?;
        let mut state = core.state();
        loop {
            if state.closed {
                return Err(Error::Closed);
            }
            if core.has_room(&state) {
                break;
            }
            core.submitters.fetch_add(1, SeqCst);
            // Room may have come before this was said.
            let waited = match core.has_room(&state) {
                true => Some(state),
                false => until.wait(&core.room, state),
            };
            core.submitters.fetch_sub(1, SeqCst);
            match waited {
                Some(guard) => state = guard,
                None => return Ok(Submit::Full(job)),
            }
        }
        // Counted, so nobody else takes the place while the URL is read without the lock.
        let order = state.next_order;
        state.next_order += 1;
        state.outstanding += 1;
        core.held.fetch_add(1, SeqCst);
        drop(state);
        self.accept(job, plan, order);
        Ok(Submit::Accepted)
    }

    fn accept(&self, job: Job, plan: Arc<Plan>, order: u64) {
        let core = &self.core;
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
            // No server is asked, so none needs sparing.
            _ => Group::None,
        };
        let read = match work {
            Work::Fetch(target) if core.held.load(SeqCst) <= FEW => Some(Box::new(target)),
            _ => None,
        };
        let task = Box::new(Task {
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
            stream: Some(Arc::clone(core)),
        });
        let shard = core.common.shard_of(task.group());
        let inbox = &core.common.inboxes[shard];
        inbox.leave(Message::Job(task));
        // Asked after the job is there, or the shard could fall asleep between the two.
        if !core.common.workers.busy(shard) {
            inbox.ring();
        }
    }

    /// Takes the next result. Waits for one for so long (`Duration::ZERO`: not at all; `None`: for
    /// ever).
    pub fn next(&self, timeout: Option<Duration>) -> Next {
        let mut taken = Vec::with_capacity(1);
        match (self.next_many(1, timeout, &mut taken), taken.pop()) {
            (_, Some(result)) => Next::Result(Box::new(result)),
            (true, None) => Next::Nothing,
            (false, None) => Next::Done,
        }
    }

    /// Takes up to `max` results at once: waits as [`Stream::next`] does for the first, then takes
    /// those that are there. Gives `false` when no more will come.
    pub fn next_many(
        &self,
        max: usize,
        timeout: Option<Duration>,
        into: &mut Vec<JobResult>,
    ) -> bool {
        let mut left = max;
        self.next_while(timeout, into, |_| {
            let wanted = left > 0;
            left -= usize::from(wanted);
            wanted
        })
    }

    /// Takes results for as long as they are `wanted`, which is asked under a lock and must not call
    /// the stream: waits as [`Stream::next`] does for the first that is there, then takes those that
    /// are. Gives `false` when no more will come.
    pub fn next_while(
        &self,
        timeout: Option<Duration>,
        into: &mut Vec<JobResult>,
        wanted: impl FnMut(&JobResult) -> bool,
    ) -> bool {
        let until = Until::after(timeout);
        let mut state = self.core.state();
        loop {
            if state.ready() {
                self.core.take(&mut state, into, wanted);
                return true;
            }
            if state.done() {
                return false;
            }
            match until.wait(&self.core.arrived, state) {
                Some(guard) => state = guard,
                None => return true,
            }
        }
    }

    /// The results as an asynchronous stream, on any executor. It ends when the stream was
    /// finished or cancelled and all were taken. One task at a time may wait on it.
    pub fn results(&self) -> Results<'_> {
        Results { stream: self }
    }

    /// Says that no more jobs will come.
    pub fn finish(&self) {
        self.core.close();
        let id = self.core.id.0;
        self.core
            .common
            .log
            .write(Level::Info, || format!("stream {id} finished"));
    }

    /// Finishes the stream and ends what is outstanding: each job's result comes, promptly, with
    /// `cancelled` unless it was done already. Does not wait.
    pub fn cancel(&self) {
        // In this order: a job accepted before the close is either in an inbox by the time its
        // shard hears of the cancel, or its shard sees that the stream is cancelled.
        self.core.close();
        if !self.core.cancelled.swap(true, SeqCst) {
            let id = self.core.id;
            self.core.common.broadcast(|| Message::Cancel(id));
            callbacks::give_up(&self.core);
            self.core
                .common
                .log
                .write(Level::Info, || format!("stream {} cancelled", id.0));
        }
        if fork::is_ending() {
            self.core.give_up();
        }
    }

    /// Cancels, and waits for the callbacks under way.
    pub(crate) fn end(&self) {
        self.cancel();
        // What the callback uses may end with the stream.
        self.core.calls.wait();
    }

    /// How many accepted jobs' results were not taken yet.
    pub fn pending(&self) -> usize {
        self.core.state().outstanding
    }

    /// What the stream is doing; the figures may be a moment old.
    pub fn stats(&self) -> StreamStats {
        let core = &self.core;
        let state = core.state();
        StreamStats {
            accepted: state.next_order,
            delivered: state.delivered,
            failed: state.failed,
            held: core.held.load(SeqCst) as u64,
            started: core.started.load(SeqCst) as u64,
            buffered_bytes: core.bytes.load(SeqCst),
        }
    }

    /// A descriptor that polls readable while a result can be taken or the stream is done. Made by
    /// the first call, closed with the stream. After it told of results it may tell of the next up to
    /// 1 ms late, while there is more to come: several are then there at once. An event loop that can
    /// only read may read from it: it never blocks, and gives a byte for each time that there is
    /// something after there was nothing.
    ///
    /// [`Error::OutOfResources`]: no descriptor is left.
    pub fn event_fd(&self) -> Result<RawFd, Error> {
        let mut state = self.core.state();
        if state.event.is_none() {
            let none = |error: io::Error| {
                Error::OutOfResources(format!("no descriptor to tell of results: {error}"))
            };
            let (reader, writer) = io::pipe().map_err(none)?;
            rustix::io::ioctl_fionbio(&reader, true).map_err(|error| none(error.into()))?;
            state.event = Some(Event {
                reader,
                writer,
                readable: false,
                told: None,
            });
            state.signal();
        }
        let event = state.event.as_ref().map(|event| event.reader.as_raw_fd());
        Ok(event.expect("made above"))
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.pool.why_useless().is_some() {
            return;
        }
        self.end();
        // The shards may hold the core a moment longer; the descriptor is the caller's to miss.
        self.core.state().event = None;
        let id = self.core.id;
        self.core.common.broadcast(|| Message::Close(id));
    }
}

/// The results of a [`Stream`], as an asynchronous stream.
#[derive(Debug)]
pub struct Results<'a> {
    stream: &'a Stream,
}

impl futures_core::Stream for Results<'_> {
    type Item = JobResult;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<JobResult>> {
        let core = &self.stream.core;
        let mut state = core.state();
        let mut taken = Vec::with_capacity(1);
        let mut first = true;
        core.take(&mut state, &mut taken, |_| std::mem::take(&mut first));
        match taken.pop() {
            Some(result) => Poll::Ready(Some(result)),
            None if state.done() => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// How long to wait.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Now,
    At(Instant),
    Never,
}

impl Until {
    /// For so long (`None`: for ever) from now on.
    pub fn after(timeout: Option<Duration>) -> Self {
        match timeout {
            // Spares the clock a look.
            Some(Duration::ZERO) => Self::Now,
            Some(timeout) => Instant::now()
                .checked_add(timeout)
                .map_or(Self::Never, Self::At),
            None => Self::Never,
        }
    }

    /// Waits to be notified; `None` when the time is up.
    fn wait<'a>(
        self,
        what: &Condvar,
        guard: MutexGuard<'a, State>,
    ) -> Option<MutexGuard<'a, State>> {
        match self {
            Self::Now => None,
            // Nothing it could wait for comes.
            _ if fork::is_ender() => None,
            Self::Never => Some(what.wait(guard).unwrap_or_else(PoisonError::into_inner)),
            Self::At(time) => {
                let left = time.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                let (guard, _) = what
                    .wait_timeout(guard, left)
                    .unwrap_or_else(PoisonError::into_inner);
                Some(guard)
            }
        }
    }
}
