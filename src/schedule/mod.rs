//! The scheduler decides which queued job may start now, and when to ask again.
//!
//! It is pure: no clock, no threads, no I/O; the caller tells the time. A group has at most
//! `parallelism` jobs in flight, and its next one starts no sooner than `throttle` after its last start
//! and its last end. Streams take turns (round-robin). Within a stream, the group that has been ready
//! longest comes first; within a group, the job of lowest order. A group that is
//! held starts nothing until it is released.
//!
//! One step, `settle`, runs on a group whenever something about it has changed, and everything follows
//! from it. A group that may start has all its lanes in its streams' ready lists, one that may not has
//! none there, and one that must wait has an entry in the heap of timers.

#![forbid(unsafe_code)]

#[cfg(any(test, fuzzing))]
pub(crate) mod model;
mod names;
mod queue;
mod retry;
mod slab;
#[cfg(test)]
mod tests;
mod timers;

pub(crate) use retry::Backoff;

use names::{Named, Names};
use queue::Queue;
use slab::{Id, Slab};
use smol_str::SmolStr;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use timers::Timers;

/// A moment, as the time since an epoch that the caller chooses.
pub type Time = Duration;

/// How politely a group is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// A job starts no sooner than this after the group's last start and its last end. Default: 0.2 s.
    pub throttle: Duration,
    /// How many of the group's jobs may be in flight. At least 1. Default: 1.
    pub parallelism: u32,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            throttle: Duration::from_millis(200),
            parallelism: 1,
        }
    }
}

impl Rule {
    /// Sets the field `throttle`.
    #[must_use]
    pub fn throttle(mut self, throttle: Duration) -> Self {
        self.throttle = throttle;
        self
    }

    /// Sets the field `parallelism`.
    #[must_use]
    pub fn parallelism(mut self, parallelism: u32) -> Self {
        self.parallelism = parallelism;
        self
    }
}

/// The rule of the group with the empty name.
const UNLIMITED: Rule = Rule {
    throttle: Duration::ZERO,
    parallelism: u32::MAX,
};

impl Rule {
    /// A group that may start nothing would keep its jobs for ever.
    fn clamped(self) -> Self {
        let parallelism = self.parallelism.max(1);
        Self {
            parallelism,
            ..self
        }
    }
}

/// A stream, by a number of the caller's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

/// Whether a stream may start jobs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may start any job.
    Open,
    /// It may start none.
    Closed,
    /// It may start only the job of this order, once that is the first of its group and stream.
    Only(u64),
}

/// A job that starts now.
#[derive(Debug)]
pub struct Started<J> {
    /// The job.
    pub job: J,
    /// Its stream.
    pub stream: StreamId,
    /// The turn to give back to [`Scheduler::end`].
    pub turn: Turn,
}

/// A job's place among those in flight in its group. It cannot be copied and therefore ends once. Its
/// group lives as long as it does, which makes a check against reused slots needless.
#[derive(Debug)]
#[must_use = "a turn that is never ended occupies its group for ever"]
pub struct Turn {
    group: Id,
}

/// The state of a group, kept while it has jobs or must wait.
#[derive(Debug)]
struct Group {
    /// The name, stored inline if it is short, as most are.
    name: SmolStr,
    /// The index of its rule; most groups share the default.
    rule: u32,
    /// A rule of its own instead of the default, for as long as the group lives.
    own: Option<Box<Rule>>,
    in_flight: u32,
    /// The first of its lanes in the queue; `None` means that nothing is queued.
    lanes: Option<Id>,
    /// The later of its last start and last end.
    last: Option<Time>,
    /// Whether it has an entry among the timers, no later than it is due.
    timed: bool,
    /// Whether none of its jobs may start.
    held: bool,
}

impl Named for Group {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Group {
    /// When its throttle next allows a start.
    fn next_start(&self, rule: Rule) -> Time {
        self.last
            .map_or(Time::ZERO, |last| last.saturating_add(rule.throttle))
    }

    fn has_room(&self, rule: Rule) -> bool {
        self.in_flight < rule.parallelism
    }

    fn is_idle(&self) -> bool {
        self.lanes.is_none() && self.in_flight == 0
    }

    /// When it may start a job or be dropped, if nothing else happens.
    fn due(&self, rule: Rule, now: Time) -> Option<Time> {
        let may_start = self.lanes.is_some() && self.has_room(rule) && !self.held;
        let matters = self.is_idle() || may_start;
        Some(self.next_start(rule)).filter(|&time| matters && time > now)
    }
}

/// A job that waits for its retry. It names its group, whose state may be dropped meanwhile.
#[derive(Debug)]
struct Retry<J> {
    stream: StreamId,
    group: Box<str>,
    order: u64,
    job: J,
}

/// Returns how many jobs of a group may be in flight, asked when the group comes to life; 0 counts as
/// 1.
pub type Parallelism = Box<dyn Fn(&str) -> u32>;

/// Decides which queued job starts next.
///
/// Call [`Self::start`] until it gives none: after a job is pushed, when one has ended, when a gate has
/// opened, and when [`Self::next_time`] has come. If `now` goes backwards, the latest one seen holds.
pub struct Scheduler<J> {
    /// The default first, then those of `rule_names`.
    rules: Vec<Rule>,
    parallelism: Option<Parallelism>,
    rule_names: HashMap<Box<str>, u32>,
    /// The groups that are held, whether they have a state or not.
    held: HashSet<Box<str>>,
    names: Names,
    groups: Slab<Group>,
    queue: Queue<J>,
    /// When to look at a group again; these are mere hints, see [`Self::ring`].
    timers: Timers,
    /// By time, then by arrival.
    retries: BTreeMap<(Time, u64), Retry<J>>,
    retry_count: u64,
    in_flight: usize,
    now: Time,
}

impl<J> Scheduler<J> {
    /// Makes an empty scheduler. `default` holds for groups without a rule of their own, except for
    /// what `parallelism` says about them.
    pub fn new(default: Rule, parallelism: Option<Parallelism>) -> Self {
        Self {
            rules: vec![default.clamped(), UNLIMITED],
            parallelism,
            rule_names: HashMap::from([("".into(), 1)]),
            held: HashSet::new(),
            names: Names::default(),
            groups: Slab::new(),
            queue: Queue::new(),
            timers: Timers::default(),
            retries: BTreeMap::new(),
            retry_count: 0,
            in_flight: 0,
            now: Time::ZERO,
        }
    }

    /// Sets the rule of a group from now on; a wait under way is adjusted to it. The group with the
    /// empty name has no limits and takes no rule.
    pub fn set_rule(&mut self, group: &str, rule: Rule, now: Time) {
        self.advance(now);
        if group.is_empty() {
            return;
        }
        let index = *self.rule_names.entry(group.into()).or_insert_with(|| {
            self.rules.push(rule);
            u32::try_from(self.rules.len() - 1).expect("fewer than four billion rules")
        });
        self.rules[index as usize] = rule.clamped();
        if let Some(id) = self.names.find(group, &self.groups) {
            let group = &mut self.groups[id];
            group.rule = index;
            group.own = None;
            // Its timer may be too late now. A second timer makes the old one harmless.
            group.timed = false;
            self.settle(id);
        }
        self.trim();
    }

    /// Lets no job of a group start from now on, until [`Self::release`]. Its jobs in flight go on.
    /// Gives how many these are. The group of the empty name has no limits and is not held.
    pub fn hold(&mut self, group: &str, now: Time) -> u32 {
        self.advance(now);
        if group.is_empty() {
            return 0;
        }
        self.held.insert(group.into());
        self.set_held(group, true)
    }

    /// Lets the jobs of a group start again.
    pub fn release(&mut self, group: &str, now: Time) {
        self.advance(now);
        if self.held.remove(group) {
            self.set_held(group, false);
        }
    }

    fn set_held(&mut self, group: &str, held: bool) -> u32 {
        let id = self.names.find(group, &self.groups);
        let in_flight = id.map_or(0, |id| {
            let group = &mut self.groups[id];
            group.held = held;
            let in_flight = group.in_flight;
            self.settle(id);
            in_flight
        });
        self.trim();
        in_flight
    }

    /// Queues a job. Orders that mostly increase within a stream are cheap.
    #[cfg(any(test, fuzzing))]
    pub fn push(&mut self, stream: StreamId, group: &str, order: u64, job: J, now: Time) {
        self.advance(now);
        self.enqueue(stream, group, order, job);
        self.trim();
    }

    /// Queues a job for a later time, as a retry. It then takes its place by order.
    pub fn push_at(
        &mut self,
        stream: StreamId,
        group: &str,
        order: u64,
        job: J,
        at: Time,
        now: Time,
    ) {
        self.advance(now);
        if at <= self.now {
            self.enqueue(stream, group, order, job);
        } else {
            self.retry_count += 1;
            let retry = Retry {
                stream,
                group: group.into(),
                order,
                job,
            };
            self.retries.insert((at, self.retry_count), retry);
        }
        self.trim();
    }

    /// Starts the next job that may start now. `gate` is asked at most once about a stream, and only if
    /// the stream has a job that may start.
    pub fn start(&mut self, now: Time, gate: impl FnMut(StreamId) -> Gate) -> Option<Started<J>> {
        self.advance(now);
        let started = self.queue.choose(gate).map(|(lane, group)| {
            let state = &mut self.groups[group];
            state.in_flight += 1;
            state.last = Some(self.now);
            self.in_flight += 1;
            let (stream, job) = self.queue.serve(lane, &mut state.lanes);
            self.settle(group);
            let turn = Turn { group };
            Started { job, stream, turn }
        });
        self.trim();
        started
    }

    /// Whether the turn's group was given a rule.
    pub fn has_rule(&self, turn: &Turn) -> bool {
        self.groups[turn.group].rule != 0
    }

    /// Ends the job of this turn. `throttle` is the group's throttle from now on, for as long as the
    /// group lives, unless the group was given a rule.
    pub fn end(&mut self, turn: Turn, throttle: Option<Time>, now: Time) {
        self.advance(now);
        let group = &mut self.groups[turn.group];
        if let Some(throttle) = throttle.filter(|_| group.rule == 0) {
            let own = group.own.get_or_insert_with(|| Box::new(self.rules[0]));
            if throttle < std::mem::replace(&mut own.throttle, throttle) {
                // Its timer may be too late now. A second timer makes the old one harmless.
                group.timed = false;
            }
        }
        group.in_flight -= 1;
        group.last = Some(self.now);
        self.in_flight -= 1;
        self.settle(turn.group);
        self.trim();
    }

    /// The earliest time at which a job may start or a group's state can be dropped, if no other call
    /// comes before. `None` if nothing waits for time to pass.
    pub fn next_time(&self) -> Option<Time> {
        let timer = self.timers.peek().map(|(time, _)| time);
        let retry = self.retries.keys().next().map(|(time, _)| *time);
        [timer, retry].into_iter().flatten().min()
    }

    /// Removes and returns a stream's jobs that have not started, by order. Its jobs in flight go on.
    pub fn remove_stream(&mut self, stream: StreamId) -> Vec<J> {
        let mut jobs = Vec::new();
        while let Some((lane, group)) = self.queue.any_lane(stream) {
            let chain = &mut self.groups[group].lanes;
            self.queue.clear(lane, chain, &mut jobs);
            self.settle(group);
        }
        let retries = self.retries.extract_if(.., |_, job| job.stream == stream);
        jobs.extend(retries.map(|(_, retry)| (retry.order, retry.job)));
        jobs.sort_by_key(|(order, _)| *order);
        self.trim();
        jobs.into_iter().map(|(_, job)| job).collect()
    }

    /// Drops all jobs. Those in flight have ended too, and their turns must not be given back. All
    /// rules hold, held groups stay held, and each group rests as after the end of a job. A panic on
    /// the way through here may have left anything half done; this function trusts none of it.
    pub fn start_anew(&mut self, now: Time) {
        let groups = std::mem::replace(&mut self.groups, Slab::new());
        self.names = Names::default();
        self.queue = Queue::new();
        self.timers = Timers::default();
        self.retries.clear();
        self.in_flight = 0;
        self.now = now.max(self.now);
        for group in groups.into_values() {
            let held = self.held.contains(&*group.name);
            let id = self.groups.insert(Group {
                held,
                in_flight: 0,
                lanes: None,
                last: Some(self.now),
                timed: false,
                ..group
            });
            self.names.insert(id, &self.groups);
            self.settle(id);
        }
    }

    /// The number of jobs that are queued or wait for a retry.
    #[cfg(any(test, fuzzing))]
    pub fn queued(&self) -> usize {
        self.queue.len() + self.retries.len()
    }

    /// The number of groups that have a state.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The number of jobs that have started and not ended.
    #[cfg(any(test, fuzzing))]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn rule(&self, group: &Group) -> Rule {
        match &group.own {
            Some(own) => **own,
            None => self.rules[group.rule as usize],
        }
    }

    fn enqueue(&mut self, stream: StreamId, name: &str, order: u64, job: J) {
        let id = match self.names.find(name, &self.groups) {
            Some(id) => id,
            None => self.add_group(name),
        };
        let chain = &mut self.groups[id].lanes;
        self.queue.insert((id, chain), stream, order, job);
        self.settle(id);
    }

    fn add_group(&mut self, name: &str) -> Id {
        let rule = self.rule_names.get(name).copied().unwrap_or(0);
        let own = self.parallelism.as_ref().filter(|_| rule == 0);
        let own = own.map(|parallelism| {
            let rule = Rule {
                parallelism: parallelism(name),
                ..self.rules[0]
            };
            Box::new(rule.clamped())
        });
        let id = self.groups.insert(Group {
            name: name.into(),
            rule,
            own,
            in_flight: 0,
            lanes: None,
            last: None,
            timed: false,
            held: self.held.contains(name),
        });
        self.names.insert(id, &self.groups);
        id
    }

    /// Brings everything that depends on a group into line with it.
    fn settle(&mut self, id: Id) {
        let rule = self.rule(&self.groups[id]);
        let group = &mut self.groups[id];
        let rested = group.next_start(rule) <= self.now;
        if group.is_idle() && rested {
            let group = self.groups.remove(id);
            self.names.remove(id, &group.name);
            return;
        }
        let ready = rested && group.has_room(rule) && !group.held;
        self.queue.set_ready(group.lanes, ready);
        // An entry that comes too early is harmless: the group is looked at again then.
        if let Some(due) = group.due(rule, self.now)
            && !group.timed
        {
            group.timed = true;
            let usual = rule.throttle == self.rules[0].throttle;
            self.timers.push(due, id, usual);
        }
    }

    /// Does everything that has become due, in order of time: a group that became ready earlier is
    /// queued before a later one.
    fn advance(&mut self, now: Time) {
        let now = now.max(self.now);
        while let Some(time) = self.next_time().filter(|&time| time <= now) {
            self.now = time;
            // At the same time a group goes before a retry, because it may be due to be dropped.
            if self.timers.peek().is_some_and(|entry| entry.0 <= time) {
                self.ring();
            } else if let Some((_, retry)) = self.retries.pop_first() {
                self.enqueue(retry.stream, &retry.group, retry.order, retry.job);
            }
        }
        self.now = now;
    }

    /// Takes the first timer and looks at its group again. An old timer, from a former rule or the
    /// slot's former group, changes nothing.
    fn ring(&mut self) {
        if let Some((_, id)) = self.timers.pop()
            && self.groups.get(id).is_some_and(|group| group.timed)
        {
            self.groups[id].timed = false;
            self.settle(id);
        }
    }

    /// Removes the first timers while nothing is due at them, which saves [`Self::next_time`]'s caller
    /// needless wake-ups.
    fn trim(&mut self) {
        while let Some((time, id)) = self.timers.peek() {
            let group = self.groups.get(id);
            let due = group.and_then(|group| group.due(self.rule(group), self.now));
            if due == Some(time) {
                break;
            }
            self.ring();
        }
    }
}
