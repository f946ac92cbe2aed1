//! What a stream's handle and the shards share: the bounds, and the results to be taken.
//!
//! It knows nothing of the pool but the bells of its shards.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::calls::Calls;
use super::config::{Callback, StreamConfig};
use super::event::{Event, EventFd};
use super::until::Until;
use crate::error::Error;
use crate::job::{Done, Item, JobResult};
use crate::plan::Plan;
use crate::pool::bell::Bells;
use crate::process::fork;
use crate::schedule::{Gate, StreamId};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// A stream that holds no more jobs than this, the default of `buffer_size`, holds few.
const FEW: usize = 1024;

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

/// What the handle of a stream and the shards share.
pub(crate) struct Core {
    pub id: StreamId,
    pub config: StreamConfig<Item>,
    /// How jobs are done that have no options of their own.
    pub plan: Arc<Plan>,
    /// Jobs accepted and not started.
    held: AtomicUsize,
    /// Jobs started whose results were not taken.
    started: AtomicUsize,
    /// Bytes of results not taken.
    bytes: AtomicU64,
    /// The order of the result to be taken next, if the stream is ordered.
    head: AtomicU64,
    /// A shard found no room to start a job, and is to be woken when there is some.
    stalled: AtomicBool,
    /// Callers that wait for room.
    submitters: AtomicUsize,
    cancelled: AtomicBool,
    /// Nobody takes what is outstanding: the handle is gone, or the process is ending. It changes under
    /// the lock.
    given_up: AtomicBool,
    state: Mutex<State>,
    room_or_end: Condvar,
    arrived: Condvar,
    /// Results that wait for the callback, and calls under way.
    pub calls: Calls,
    /// The callback, until the handle is gone: it may hold what ends with the stream.
    callback: Mutex<Option<Callback<Item>>>,
    pub has_callback: bool,
    /// Rung when there is room again to start a job.
    bells: Bells,
}

#[derive(Default)]
struct State {
    /// Results to be taken. In an ordered stream there are gaps: jobs that are not done.
    results: VecDeque<Option<Done>>,
    /// How many results there are, without the gaps.
    there: usize,
    /// Jobs accepted whose results were not taken.
    outstanding: usize,
    closed: bool,
    next_order: u64,
    delivered: u64,
    failed: u64,
    waker: Option<Waker>,
    /// Tasks that wait for room to submit, by their tickets. Each is counted among the submitters until
    /// it is woken.
    waiting: BTreeMap<u64, Waker>,
    next_ticket: u64,
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

    /// Brings the event descriptor into line after results were taken. What it was not told of yet,
    /// it is told later.
    fn signal_taken(&mut self) {
        if !self.ready() {
            self.signal();
        }
    }
}

impl Core {
    pub fn new(
        id: StreamId,
        mut config: StreamConfig<Item>,
        plan: Arc<Plan>,
        bells: Bells,
    ) -> Self {
        let callback = config.callback.take();
        Self {
            has_callback: callback.is_some(),
            callback: Mutex::new(callback),
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
            given_up: AtomicBool::new(false),
            state: Mutex::default(),
            room_or_end: Condvar::new(),
            arrived: Condvar::new(),
            calls: Calls::default(),
            bells,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job's place among the held, and gives the job's number. `None`: there was no room in
    /// time.
    pub fn admit(&self, until: Until) -> Result<Option<u64>, Error> {
        let mut state = self.state();
        loop {
            if state.closed {
                return Err(Error::Closed);
            }
            if self.has_room(&state) {
                break;
            }
            self.submitters.fetch_add(1, SeqCst);
            // Room may have come before this was said.
            let waited = match self.has_room(&state) {
                true => Some(state),
                false => until.wait(&self.room_or_end, state),
            };
            self.submitters.fetch_sub(1, SeqCst);
            match waited {
                Some(guard) => state = guard,
                None => return Ok(None),
            }
        }
        Ok(Some(self.take_place(&mut state)))
    }

    /// Takes a job's place as `admit` does. If there is no room, the waker is woken when there may be,
    /// unless the caller, who has a `ticket`, stops waiting.
    pub fn poll_admit(
        &self,
        ticket: &mut Option<u64>,
        context: &mut Context<'_>,
    ) -> Poll<Result<u64, Error>> {
        let waker = context.waker().clone();
        // Dropping a waker runs code of the executor. This one is declared before the lock, and is
        // therefore dropped after it.
        let _before;
        let mut state = self.state();
        let before = ticket.take();
        _before = before.and_then(|number| self.leave(&mut state, number));
        if state.closed {
            return Poll::Ready(Err(Error::Closed));
        }
        if !self.has_room(&state) {
            self.submitters.fetch_add(1, SeqCst);
            // Room may have come before this was said.
            if !self.has_room(&state) {
                let number = before.unwrap_or(state.next_ticket);
                state.next_ticket = state.next_ticket.max(number + 1);
                state.waiting.insert(number, waker);
                *ticket = Some(number);
                return Poll::Pending;
            }
            self.submitters.fetch_sub(1, SeqCst);
        }
        Poll::Ready(Ok(self.take_place(&mut state)))
    }

    /// Waits no longer for room. Others may have it, if this was told of some.
    pub fn stop_waiting(&self, ticket: u64) {
        let mut state = self.state();
        let waker = self.leave(&mut state, ticket);
        let others = match waker {
            Some(_) => Vec::new(),
            None => self.room_came(&mut state),
        };
        drop(state);
        wake(others);
    }

    fn leave(&self, state: &mut State, ticket: u64) -> Option<Waker> {
        let waker = state.waiting.remove(&ticket)?;
        self.submitters.fetch_sub(1, SeqCst);
        Some(waker)
    }

    fn take_place(&self, state: &mut State) -> u64 {
        let order = state.next_order;
        state.next_order += 1;
        state.outstanding += 1;
        self.held.fetch_add(1, SeqCst);
        order
    }

    fn has_room(&self, state: &State) -> bool {
        self.room(state) > 0
    }

    /// How many more jobs it takes.
    fn room(&self, state: &State) -> usize {
        let taken = match self.config.ordered {
            true => state.outstanding,
            false => self.held.load(SeqCst),
        };
        self.config.buffer_size.saturating_sub(taken)
    }

    /// Whether so few jobs are held that each may take some memory.
    pub fn holds_few(&self) -> bool {
        self.held.load(SeqCst) <= FEW
    }

    /// Whether a job may start now. `Open` takes its place among the started, which `unreserve`
    /// gives back if no job starts. `Only` takes none: see `reserve_head`.
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

    /// A job is taken out before it started. Its result is delivered as that of one that did.
    pub fn skip(&self) {
        self.started.fetch_add(1, SeqCst);
        self.start();
    }

    fn tell_submitters(&self) {
        if self.submitters.load(SeqCst) > 0 {
            // A submitter that is about to wait holds the lock until it waits.
            let mut state = self.state();
            let wakers = self.room_came(&mut state);
            drop(state);
            wake(wakers);
        }
    }

    /// Tells threads that wait for room, and gives the tasks to wake: those that have waited longest,
    /// and no more than there is room for.
    fn room_came(&self, state: &mut State) -> Vec<Waker> {
        self.room_or_end.notify_all();
        let most = match state.closed {
            true => usize::MAX,
            false => self.room(state),
        };
        let next = || Some(state.waiting.pop_first()?.1);
        let wakers: Vec<Waker> = std::iter::from_fn(next).take(most).collect();
        self.submitters.fetch_sub(wakers.len(), SeqCst);
        wakers
    }

    fn wake_stalled(&self) {
        if self.stalled.swap(false, SeqCst) {
            for bell in &*self.bells {
                bell.ring();
            }
        }
    }

    /// Counts a result's bytes. This is done as soon as there is a result, because the next start
    /// must already reckon with it.
    pub fn weigh(&self, result: &JobResult) {
        self.bytes.fetch_add(result.size(), SeqCst);
    }

    /// Changes a result whose bytes are counted, and counts them anew.
    pub fn reweigh(&self, result: &mut JobResult, change: impl FnOnce(&mut JobResult)) {
        let before = result.size();
        change(result);
        // In this order the count is never below what is there.
        self.weigh(result);
        self.bytes.fetch_sub(before, SeqCst);
    }

    /// Puts results where they are taken from.
    pub fn deliver(&self, results: impl IntoIterator<Item = (u64, Done)>) {
        if self.deliver_soon(results).is_some() {
            self.tell(true);
        }
    }

    /// Puts results where they are taken from. Gives when to `tell` the event descriptor of them, if
    /// it was not told at once.
    pub fn deliver_soon(&self, results: impl IntoIterator<Item = (u64, Done)>) -> Option<Instant> {
        let mut state = self.state();
        if self.is_given_up() {
            drop(state);
            drop(Left(results.into_iter().map(|(_, done)| done).collect()));
            return None;
        }
        let was_ready = state.ready();
        for (order, done) in results {
            state.failed += u64::from(done.result.error.is_some());
            state.there += 1;
            if !self.config.ordered {
                state.results.push_back(Some(done));
                continue;
            }
            let index = (order - self.head.load(SeqCst)) as usize;
            while state.results.len() <= index {
                state.results.push_back(None);
            }
            state.results[index] = Some(done);
        }
        if was_ready || !state.ready() {
            // Nobody waits for what is there already.
            return None;
        }
        let quiet = state.event.as_ref().and_then(Event::quiet);
        let quiet = quiet.filter(|_| !self.is_urgent(&state));
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

    /// Waits for a result, and takes those that are there for as long as they are `wanted`. False:
    /// no more will come.
    pub fn take_while(
        &self,
        until: Until,
        into: &mut Vec<Done>,
        wanted: impl FnMut(&JobResult) -> bool,
    ) -> bool {
        let mut state = self.state();
        loop {
            if state.ready() {
                let wakers = self.take(&mut state, into, wanted);
                drop(state);
                wake(wakers);
                return true;
            }
            if state.done() {
                return false;
            }
            match until.wait(&self.arrived, state) {
                Some(guard) => state = guard,
                None => return true,
            }
        }
    }

    /// Takes a result. If there is none yet, the waker is woken by the next one.
    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<Done>> {
        let mut state = self.state();
        let mut taken = Vec::with_capacity(1);
        let mut first = true;
        let wakers = self.take(&mut state, &mut taken, |_| std::mem::take(&mut first));
        match taken.pop() {
            Some(done) => {
                drop(state);
                wake(wakers);
                Poll::Ready(Some(done))
            }
            None if state.done() => Poll::Ready(None),
            None => {
                let before = state.waker.replace(context.waker().clone());
                drop(state);
                drop(before);
                Poll::Pending
            }
        }
    }

    /// Takes the results that are there, until one is not wanted. Gives the tasks to wake.
    fn take(
        &self,
        state: &mut State,
        into: &mut Vec<Done>,
        mut wanted: impl FnMut(&JobResult) -> bool,
    ) -> Vec<Waker> {
        let before = into.len();
        while let Some(Some(next)) = state.results.front()
            && into.try_reserve(1).is_ok()
            && wanted(&next.result)
            && let Some(done) = state.results.pop_front().flatten()
        {
            into.push(done);
        }
        let taken = &into[before..];
        if taken.is_empty() {
            return Vec::new();
        }
        state.outstanding -= taken.len();
        state.there -= taken.len();
        state.delivered += taken.len() as u64;
        self.head.fetch_add(taken.len() as u64, SeqCst);
        let sizes = taken.iter().map(|done| done.result.size());
        self.bytes.fetch_sub(sizes.sum(), SeqCst);
        let started = self.started.fetch_sub(taken.len(), SeqCst) - taken.len();
        state.signal_taken();
        let wakers = match self.config.ordered || self.submitters.load(SeqCst) > 0 {
            true => self.room_came(state),
            false => Vec::new(),
        };
        if state.done() {
            // Others who wait learn that nothing more will come.
            self.arrived.notify_all();
        }
        // Where the buffer is large, there has to be a little more than room for one: a slow consumer
        // need not wake the shards for each result.
        let slack = (self.config.buffer_size / 4).clamp(1, 64);
        let waits = self.config.ordered || state.results.is_empty();
        if waits || started + slack <= self.config.buffer_size {
            self.wake_stalled();
        }
        wakers
    }

    fn callback_slot(&self) -> MutexGuard<'_, Option<Callback<Item>>> {
        self.callback.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn callback(&self) -> Option<Callback<Item>> {
        self.callback_slot().clone()
    }

    /// Takes the callback away, for which no result waits any more.
    pub fn take_callback(&self) -> Option<Callback<Item>> {
        self.callback_slot().take()
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(SeqCst)
    }

    /// From now on it is cancelled. True: it was before.
    pub fn set_cancelled(&self) -> bool {
        self.cancelled.swap(true, SeqCst)
    }

    /// No more jobs come.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.tell_closed(state);
    }

    /// Leaves what is outstanding: nobody is there who would end it, or take it. Gives what is there
    /// already.
    pub fn give_up(&self) -> impl Sized + use<> {
        let mut state = self.state();
        self.given_up.store(true, SeqCst);
        let left = std::mem::take(&mut state.results);
        state.there = 0;
        state.outstanding = 0;
        self.tell_closed(state);
        left
    }

    /// Whether nobody takes what comes.
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(SeqCst)
    }

    fn tell_closed(&self, mut state: MutexGuard<'_, State>) {
        state.signal();
        let waker = state.waker.take();
        let wakers = self.room_came(&mut state);
        drop(state);
        self.arrived.notify_all();
        wake(waker.into_iter().chain(wakers));
    }

    /// How many accepted jobs' results were not taken yet.
    pub fn outstanding(&self) -> usize {
        self.state().outstanding
    }

    pub fn stats(&self) -> StreamStats {
        let state = self.state();
        StreamStats {
            accepted: state.next_order,
            delivered: state.delivered,
            failed: state.failed,
            held: self.held.load(SeqCst) as u64,
            started: self.started.load(SeqCst) as u64,
            buffered_bytes: self.bytes.load(SeqCst),
        }
    }

    /// The event descriptor, made by the first call.
    pub fn event_fd(&self) -> Result<EventFd, Error> {
        let mut state = self.state();
        if let Some(event) = &state.event {
            return Ok(event.fd());
        }
        let event = Event::new().map_err(|error| {
            Error::OutOfResources(format!("no descriptor to tell of results: {error}"))
        })?;
        let fd = event.fd();
        state.event = Some(event);
        state.signal();
        Ok(fd)
    }

    pub fn close_event_fd(&self) {
        self.state().event = None;
    }
}

/// Results that nobody takes. Dropping an item runs the caller's code, which may do anything: its panic
/// is no fault of a job.
pub(crate) struct Left(pub Vec<Done>);

impl Drop for Left {
    fn drop(&mut self) {
        for done in self.0.drain(..) {
            let _ = catch_unwind(AssertUnwindSafe(|| fork::at_rest(|| drop(done))));
        }
    }
}

/// Wakes who waits. The waker is of the caller's executor: its panic is no fault of a job.
fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}
