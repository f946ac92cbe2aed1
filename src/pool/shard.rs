//! A shard: one thread with its own engine, its own groups, and the jobs in them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use log::Level;
use smol_str::SmolStr;

use super::attempts::Attempts;
use super::common::Common;
use super::config::PoolConfig;
use super::delivery;
use super::inbox::{Inbox, Message, Order};
use super::stream::core::Core;
use super::task::{Task, Work};
use crate::address;
use crate::engine::Engine as _;
use crate::error::{ErrorCode, Failure, words_of};
use crate::fetch::{self, Attempt, Engine, Start};
use crate::job::{Done, Kind};
use crate::process::fork;
use crate::process::memory;
use crate::schedule::{Gate, Parallelism, Scheduler, Started, StreamId, Time, Turn};
use crate::sync::atomic::Ordering;
use crate::sync::thread;

/// Turns without a look at the outside, while each brings the next.
const BUSY_TURNS: usize = 32;

/// Such turns take no longer than this, because the post, the network and forks wait.
const BUSY: Duration = Duration::from_millis(5);

/// How often an attempt is repeated because a kept connection had been closed. curl's own limit is
/// the same.
const REPEATS: u8 = 5;

/// Room for that many messages is kept between two looks at the post.
const POST_KEPT: usize = 1024;

/// How long a shard rests after a fault. A fault that lasts would otherwise keep a core busy.
const REST: Duration = Duration::from_millis(100);

/// An attempt that has ended.
struct Ended {
    task: Box<Task>,
    turn: Turn,
    /// When it began, on the scheduler's clock.
    began: Time,
    /// `None`: it was broken off.
    outcome: Option<Attempt>,
}

impl Ended {
    /// When it ended. This is counted from its beginning, because the date may be set meanwhile.
    fn date(&self, now: Time) -> SystemTime {
        let counted = |began: SystemTime| began.checked_add(now.saturating_sub(self.began));
        let date = self.task.began().and_then(counted);
        date.unwrap_or_else(SystemTime::now)
    }
}

/// What attempts are made with. They share it, because a count of the pool's own for each attempt
/// would have the shards' cores wait for each other.
struct Tools {
    engine: Engine,
    common: Arc<Common>,
}

pub(super) struct Shard {
    index: usize,
    common: Arc<Common>,
    inbox: Arc<Inbox>,
    /// Where the scheduler's time begins.
    epoch: Instant,
    scheduler: Scheduler<Box<Task>>,
    /// The pool's own.
    throttle: Duration,
    // Dropped before the tools, which they use.
    running: Attempts<StreamId, Ended>,
    /// Attempts that have ended, to be seen to next.
    ended: Vec<Ended>,
    /// Their workers, for the jobs that start next.
    spare: usize,
    /// The stream that gave a place to the job that is just being started.
    reserved: Option<StreamId>,
    /// `None`: the shard starts anew.
    tools: Option<Rc<Tools>>,
    max_connects: usize,
    streams: HashMap<StreamId, Arc<Core>>,
    /// Results on their way to their streams.
    outgoing: VecDeque<(Arc<Core>, u64, Done)>,
    /// Streams whose event descriptors are to be told of results, and when.
    untold: Vec<(Arc<Core>, Instant)>,
    /// Messages are read from its front: a panic over one loses no other.
    post: VecDeque<Message>,
    stopping: bool,
}

impl Shard {
    pub fn new(
        index: usize,
        common: Arc<Common>,
        config: PoolConfig,
        max_connects: usize,
    ) -> Result<Self, Failure> {
        let inbox = Arc::clone(&common.inboxes[index]);
        let default = config.rule.parallelism;
        let parallelism = config.parallelism_fn.map(|ask| -> Parallelism {
            // A function that panics has nothing to say.
            Box::new(move |group| {
                catch_unwind(AssertUnwindSafe(|| fork::at_rest(|| ask(group)))).unwrap_or(default)
            })
        });
        let mut shard = Self {
            index,
            common,
            epoch: Instant::now(),
            throttle: config.rule.throttle,
            scheduler: Scheduler::new(config.rule, parallelism),
            running: Attempts::new(Arc::clone(&inbox.bell)),
            inbox,
            ended: Vec::new(),
            spare: 0,
            reserved: None,
            tools: None,
            max_connects,
            streams: HashMap::new(),
            outgoing: VecDeque::new(),
            untold: Vec::new(),
            post: VecDeque::new(),
            stopping: false,
        };
        shard.make_engine()?;
        Ok(shard)
    }

    fn make_engine(&mut self) -> Result<(), Failure> {
        self.common.pass("engine");
        let engine = Engine::new(
            Arc::clone(self.inbox.bell.poller()),
            Arc::clone(&self.common.names),
            Arc::clone(&self.common.connections),
            self.max_connects,
            Arc::clone(&self.common.limits),
        )?;
        let common = Arc::clone(&self.common);
        self.tools = Some(Rc::new(Tools { engine, common }));
        Ok(())
    }

    fn tools(&self) -> &Rc<Tools> {
        self.tools.as_ref().expect("there while jobs run")
    }

    /// Works until it is stopped. A fault ends the jobs that are here, and no others.
    pub fn run(mut self) {
        while let Err(why) = caught(|| self.work()) {
            self.log_fault(&why);
            while let Err(why) = caught(|| self.start_anew()) {
                self.log_fault(&why);
            }
        }
    }

    fn log_fault(&self, why: &str) {
        self.common.log.write(Level::Error, || {
            format!(
                "shard {}: its jobs end, and it starts anew: {why}",
                self.index
            )
        });
    }

    /// Ends the jobs, rests, and makes a new engine. What comes meanwhile waits in the post. If there
    /// can be no engine, the post is read, and the next call ends its jobs too: nothing is held that
    /// nobody runs.
    fn start_anew(&mut self) -> Result<(), String> {
        let ended = caught(|| {
            self.end_jobs();
            self.scheduler.start_anew(self.now());
            Ok::<_, Failure>(())
        });
        fork::at_rest(|| thread::sleep(REST));
        let outcome = ended.and_then(|()| caught(|| self.make_engine()));
        if outcome.is_err() {
            self.read_post();
        }
        match self.stopping {
            true => Ok(()),
            false => outcome,
        }
    }

    /// Drops the engine, and the jobs that have started. Each of these gives its result as it is dropped.
    fn end_jobs(&mut self) {
        self.running = Attempts::new(Arc::clone(&self.inbox.bell));
        self.ended.clear();
        self.tools = None;
        if let Some(stream) = self.reserved.take().and_then(|id| self.streams.get(&id)) {
            stream.unreserve();
        }
        self.spare = 0;
        self.common
            .ring(self.common.workers.release_all(self.index));
        self.deliver();
        self.tell();
    }

    fn work(&mut self) -> io::Result<()> {
        loop {
            self.read_post();
            if self.stopping {
                return Ok(());
            }
            let mut busy = true;
            let began = self.now();
            for _ in 0..BUSY_TURNS {
                // The shard's own futures ring the bell too. It is silenced before they are polled,
                // and only other threads keep the shard from its sleep.
                self.inbox.bell.silence();
                let started = self.start_jobs();
                let ended = self.poll_jobs();
                let woken = self.tools().engine.drive();
                busy = started || ended || woken;
                if !busy || self.now() - began >= BUSY {
                    break;
                }
            }
            if busy {
                // The last turn may have made way for more. The shard looks again before it sleeps.
                self.inbox.bell.ring();
            }
            self.deliver();
            self.tell();
            self.common.groups[self.index].store(self.scheduler.groups() as u64, Ordering::Relaxed);
            self.sleep()?;
        }
    }

    fn now(&self) -> Time {
        self.epoch.elapsed()
    }

    fn read_post(&mut self) {
        if self.post.is_empty() {
            self.inbox.empty(&mut self.post);
        }
        if !self.post.is_empty() {
            let now = self.now();
            while let Some(message) = self.post.pop_front() {
                self.read(message, now);
            }
        }
        // The room of a burst is not kept for ever.
        self.post.shrink_to(POST_KEPT);
    }

    fn read(&mut self, message: Message, now: Time) {
        self.common.pass("read");
        match message {
            Message::Job(task) => {
                let stream = task.stream();
                if stream.is_cancelled() {
                    stream.skip();
                    return self.give_up(*task);
                }
                let id = stream.id;
                self.streams.entry(id).or_insert_with(|| Arc::clone(stream));
                self.queue(task, now, now);
            }
            Message::Group(message) => {
                let (group, order) = *message;
                match order {
                    Order::Rule(rule) => self.scheduler.set_rule(&group, rule, now),
                    Order::Hold(answer) => answer.give(self.scheduler.hold(&group, now).into()),
                    Order::Release => self.scheduler.release(&group, now),
                }
            }
            Message::Cancel(id) => {
                for task in self.scheduler.remove_stream(id) {
                    task.stream().skip();
                    self.give_up(*task);
                }
                self.running.break_off(id, &mut self.ended);
                self.see_ended();
            }
            Message::Close(id) => {
                self.streams.remove(&id);
            }
            Message::Stop => self.stopping = true,
        }
    }

    /// Queues a job, from `at` on.
    fn queue(&mut self, task: Box<Task>, at: Time, now: Time) {
        let (stream, order) = (task.stream().id, task.order);
        // The name is the task's own; the scheduler copies it where it must keep it.
        let group = SmolStr::from(task.group());
        self.scheduler.push_at(stream, &group, order, task, at, now);
    }

    /// Starts what may start now. True: something did.
    fn start_jobs(&mut self) -> bool {
        // One time serves all, because a look at the clock costs as much as all else here.
        let now = self.now();
        let mut date = None;
        while let Some(started) = self.start_job(now) {
            let date = *date.get_or_insert_with(SystemTime::now);
            self.launch(started, now, date);
        }
        for _ in 0..std::mem::take(&mut self.spare) {
            self.free_worker();
        }
        date.is_some()
    }

    fn start_job(&mut self, now: Time) -> Option<Started<Box<Task>>> {
        let (workers, streams) = (&self.common.workers, &self.streams);
        let mut worker = self.spare > 0;
        self.spare -= usize::from(worker);
        let mut starved = false;
        // An open gate takes a place. Its stream has a job that may start, and is the one chosen.
        let reserved = &mut self.reserved;
        let started = self.scheduler.start(now, |id| {
            let Some(stream) = streams.get(&id).filter(|_| !starved) else {
                return Gate::Closed;
            };
            let gate = stream.reserve();
            if matches!(gate, Gate::Closed) {
                return gate;
            }
            if !worker {
                worker = workers.take(self.index);
                starved = !worker;
            }
            if starved {
                if matches!(gate, Gate::Open) {
                    stream.unreserve();
                }
                return Gate::Closed;
            }
            if matches!(gate, Gate::Open) {
                *reserved = Some(id);
            }
            gate
        });
        let chosen = started.as_ref().map(|started| started.stream);
        if let Some(id) = chosen.filter(|_| chosen != self.reserved) {
            streams[&id].reserve_head();
            self.reserved = chosen;
        }
        if chosen.is_some() {
            self.common.pass("start");
        }
        if chosen.is_none() {
            self.spare += usize::from(worker);
            if !starved {
                self.common.ring(self.common.workers.sated(self.index));
            }
        }
        started
    }

    fn free_worker(&self) {
        self.common.ring(self.common.workers.release(self.index));
    }

    fn launch(&mut self, started: Started<Box<Task>>, now: Time, date: SystemTime) {
        let Started {
            job: mut task,
            turn,
            ..
        } = started;
        task.stream().start();
        task.started = true;
        self.reserved = None;
        self.common.pass("launch");
        let kept = memory::keep_back(task.url.len());
        let work = match &kept {
            Some(_) => task.work(),
            None => Work::Refuse(Failure::no_memory(&task.shown(), "a request")),
        };
        if kept.is_none() || matches!(work, Work::Fetch(_)) {
            task.begin(date);
        }
        drop(kept);
        let tools = Rc::clone(self.tools());
        let line = self.running.line();
        let since = self.epoch + now;
        self.running.push(task.stream().id, async move {
            let attempt = AssertUnwindSafe(attempt(&task, work, since, &tools)).catch_unwind();
            let outcome = line.until_broken(attempt).await;
            let outcome = outcome.map(|attempt| attempt.unwrap_or_else(|_| panicked(&task)));
            Ended {
                task,
                turn,
                began: now,
                outcome,
            }
        });
    }

    /// Runs the attempts that can go on. True: one has ended.
    fn poll_jobs(&mut self) -> bool {
        self.running.poll(&mut self.ended);
        self.see_ended()
    }

    /// Sees to the attempts that have ended. True: there was one.
    fn see_ended(&mut self) -> bool {
        if self.ended.is_empty() {
            return false;
        }
        let mut ended = std::mem::take(&mut self.ended);
        // This is no sooner than any of them ended.
        let now = self.now();
        for one in ended.drain(..) {
            self.end(one, now);
        }
        self.ended = ended;
        true
    }

    fn end(&mut self, ended: Ended, now: Time) {
        self.common.pass("end");
        let date = ended.date(now);
        let Ended {
            task,
            turn,
            outcome,
            ..
        } = ended;
        let outcome = match self.scheduler.has_rule(&turn) {
            true => outcome.map(|attempt| (attempt, None)),
            false => outcome.map(|attempt| self.ask_throttle(&task, attempt, date)),
        };
        let throttle = outcome.as_ref().and_then(|(_, throttle)| *throttle);
        self.scheduler.end(turn, throttle, now);
        match self.common.workers.may_keep(self.index) {
            true => self.spare += 1,
            false => self.free_worker(),
        }
        let Some((attempt, _)) = outcome else {
            return self.give_up(*task);
        };
        self.log_hops(&attempt);
        if attempt.stale && task.repeats < REPEATS && !task.stream().is_cancelled() {
            return self.repeat(task, now);
        }
        let jitter = fastrand::f64() * 2.0 - 1.0;
        let wait = fetch::wait_before_retry(&task.plan, &attempt, task.attempts, jitter);
        match wait {
            Some(wait) if !task.stream().is_cancelled() => self.retry(task, &attempt, wait, now),
            _ => self.outgoing.push_back(task.finish(attempt, date)),
        }
    }

    /// Has the caller say how long the attempt's group shall wait now.
    fn ask_throttle(
        &self,
        task: &Task,
        attempt: Attempt,
        date: SystemTime,
    ) -> (Attempt, Option<Duration>) {
        let ask = match &self.common.throttle_fn {
            Some(ask) if !attempt.stale && !task.group().is_empty() => ask,
            _ => return (attempt, None),
        };
        let result = task.result(attempt, date);
        let said = catch_unwind(AssertUnwindSafe(|| {
            fork::at_rest(|| ask(task.group(), &result))
        }));
        let throttle = said.ok().flatten().unwrap_or(self.throttle);
        (result.into(), Some(throttle))
    }

    /// Queues a job anew whose request met a closed connection. Its group's throttle holds.
    fn repeat(&mut self, mut task: Box<Task>, now: Time) {
        task.attempts -= 1;
        task.repeats += 1;
        self.queue_again(task, now, now);
    }

    /// Queues a job that had started, from `at` on.
    fn queue_again(&mut self, mut task: Box<Task>, at: Time, now: Time) {
        task.started = false;
        task.stream().hold_again();
        self.queue(task, at, now);
    }

    fn retry(&mut self, task: Box<Task>, attempt: &Attempt, wait: Duration, now: Time) {
        self.common.log.write(Level::Warn, || {
            let why = match &attempt.failure {
                Some(failure) => failure.to_string(),
                None => format!("status {}", attempt.status),
            };
            format!(
                "attempt {} failed, next in {:.1} s: {why}",
                task.attempts,
                wait.as_secs_f64()
            )
        });
        self.queue_again(task, now.saturating_add(wait), now);
    }

    fn log_hops(&self, attempt: &Attempt) {
        for hop in &attempt.stack {
            self.common
                .log
                .write(Level::Debug, || match (&attempt.failure, hop.status) {
                    (Some(failure), 0) => failure.to_string(),
                    (_, status) => {
                        let url = address::masked(&hop.url);
                        format!("{url}: {status} ({})", hop.kind.as_str())
                    }
                });
        }
    }

    /// Ends a job whose stream was cancelled.
    fn give_up(&mut self, task: Task) {
        let failure = Failure::new(
            ErrorCode::Cancelled,
            format!("{}: the stream was cancelled", task.shown()),
        );
        self.outgoing
            .push_back(task.finish(failure.into(), SystemTime::now()));
    }

    /// Hands the results of this turn to their streams, each stream's at once.
    fn deliver(&mut self) {
        while let Some((stream, ..)) = self.outgoing.front() {
            let stream = Arc::clone(stream);
            self.common.pass("deliver");
            let results = std::iter::from_fn(|| {
                let (next, ..) = self.outgoing.front()?;
                if !Arc::ptr_eq(next, &stream) {
                    return None;
                }
                let (_, order, done) = self.outgoing.pop_front()?;
                Some((order, done))
            });
            let known = |(other, _): &(Arc<Core>, _)| Arc::ptr_eq(other, &stream);
            if let Some(due) = delivery::hand_over(&stream, &self.common.callbacks, results)
                && !self.untold.iter().any(known)
            {
                self.untold.push((stream, due));
            }
        }
        // Many results come at once after a cancel. Their room is not kept either.
        self.outgoing.shrink_to(POST_KEPT);
    }

    /// Tells the event descriptors whose time has come.
    fn tell(&mut self) {
        if !self.untold.is_empty() {
            let now = Instant::now();
            self.untold
                .retain(|(stream, due)| !stream.tell(*due <= now));
        }
    }

    fn sleep(&mut self) -> io::Result<()> {
        self.common.pass("sleep");
        // A time too far off for the clock never comes.
        let next = self.scheduler.next_time();
        let until = next.and_then(|time| self.epoch.checked_add(time));
        let untold = self.untold.iter().map(|(_, due)| *due);
        let until = until.into_iter().chain(untold).min();
        let engine = &self.tools().engine;
        match self.inbox.sleep(|| engine.wait(until)) {
            Some(outcome) => outcome,
            // There is something to do, but the network must not be forgotten over it.
            None => engine.wait(Some(self.epoch)),
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        // What cannot run any more ends here.
        self.inbox.close();
        self.end_jobs();
        for (stream, _) in self.untold.drain(..) {
            stream.tell(true);
        }
    }
}

/// What went wrong, if something did: an error, or a panic.
pub(super) fn caught<E: std::fmt::Display>(
    work: impl FnOnce() -> Result<(), E>,
) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("panic: {}", words_of(&*panic))),
    }
}

/// The outcome of an attempt that panicked.
fn panicked(task: &Task) -> Attempt {
    let message = format!("{}: the library panicked over the job", task.shown());
    Failure::new(ErrorCode::InternalError, message).into()
}

/// One attempt at a job.
async fn attempt(task: &Task, work: Work, began: Instant, tools: &Tools) -> Attempt {
    let Tools { engine, common } = tools;
    let start = |url| Start {
        url,
        given: &task.url,
        fresh: task.repeats > 0,
        began,
    };
    match (work, task.kind) {
        (Work::Fetch(url), Kind::Request) => fetch::request(start(&url), &task.plan, engine).await,
        (Work::Fetch(url), Kind::Resolve) => {
            fetch::resolve(start(&url), &task.plan, engine, &common.heads).await
        }
        (Work::Refuse(failure), _) => failure.into(),
        (Work::PassThrough, _) => Attempt::default(),
    }
}
