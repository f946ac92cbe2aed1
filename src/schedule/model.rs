//! Takes a scheduler through a sequence of steps beside a naive model of it.

use super::*;

/// Takes both through the steps that the bytes stand for, and then lets everything end. Panics if the
/// scheduler differs from the model, or is less polite than it must be.
pub(crate) fn run(bytes: &[u8]) {
    let mut pair = Pair::new();
    let mut bytes = bytes.iter();
    while let Some(op) = Op::read(&mut bytes) {
        pair.apply(op);
    }
    pair.finish();
}

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// The groups of the random tests; the first has no limits.
const GROUPS: [&str; 5] = ["", "a", "b", "c", "d"];
const STREAMS: u32 = 3;
const DEFAULT: Rule = Rule {
    throttle: Duration::from_millis(7),
    parallelism: 1,
};

/// One step, read from bytes for the sake of a fuzzer.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// `behind`: how much the order lags behind the newest.
    Push {
        stream: u32,
        group: usize,
        behind: u64,
        wait: Option<u64>,
    },
    Start,
    /// Ends any of the jobs in flight, and may have it tried again after a while.
    End {
        pick: usize,
        retry: Option<u64>,
        throttle: Option<u64>,
    },
    Open {
        stream: u32,
    },
    Close {
        stream: u32,
    },
    /// Admits only the order of any queued job.
    Only {
        stream: u32,
        pick: usize,
    },
    Rule {
        group: usize,
        rule: Rule,
    },
    /// Holds a group, or releases it.
    Hold {
        group: usize,
        held: bool,
    },
    Remove {
        stream: u32,
    },
    Wait {
        millis: u64,
    },
    /// Moves to the time that the scheduler names.
    Jump,
}

impl Op {
    /// The step that the next bytes stand for, with kinds in the proportions that make most happen.
    /// `None`: no byte is left.
    fn read(bytes: &mut std::slice::Iter<'_, u8>) -> Option<Self> {
        let kind = *bytes.next()?;
        let mut below = |end: u64| u64::from(bytes.next().copied().unwrap_or(0)) % end;
        let maybe = |byte: u64| byte.checked_sub(120).filter(|&wait| wait < 30);
        Some(match kind % 48 {
            0..12 => Self::Push {
                stream: below(STREAMS.into()) as u32,
                group: below(GROUPS.len() as u64) as usize,
                behind: below(6),
                wait: maybe(below(150)),
            },
            12..24 => Self::Start,
            24..32 => Self::End {
                pick: below(256) as usize,
                retry: maybe(below(150)),
                throttle: maybe(below(150)),
            },
            32..34 => Self::Open {
                stream: below(STREAMS.into()) as u32,
            },
            34 => Self::Close {
                stream: below(STREAMS.into()) as u32,
            },
            35..37 => Self::Only {
                stream: below(STREAMS.into()) as u32,
                pick: below(256) as usize,
            },
            37..39 => Self::Rule {
                group: below(GROUPS.len() as u64) as usize,
                rule: Rule {
                    // Every other rule has no throttle.
                    throttle: ms(below(40).saturating_sub(20)),
                    parallelism: below(4) as u32,
                },
            },
            39 => Self::Remove {
                stream: below(STREAMS.into()) as u32,
            },
            40..44 => Self::Wait { millis: below(25) },
            44 => Self::Hold {
                group: below(GROUPS.len() as u64) as usize,
                held: below(2) == 0,
            },
            _ => Self::Jump,
        })
    }
}

/// What the scheduler asks when a group comes to life.
fn parallelism(group: &str) -> u32 {
    match group == GROUPS[2] {
        true => 2,
        false => DEFAULT.parallelism,
    }
}

/// A job that has not started.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Job {
    id: u32,
    stream: u32,
    group: usize,
    order: u64,
    /// The earliest start of a retry; `None` once it is queued.
    at: Option<Time>,
    /// The time at which it was queued, or pushed for a retry: it tells equal orders apart.
    arrival: u64,
}

#[derive(Debug)]
struct Live {
    group: usize,
    in_flight: u32,
    last: Option<Time>,
    throttle: Option<Time>,
}

/// What a scheduler must do, found by looking at everything each time.
#[derive(Debug, Default)]
struct Model {
    now: Time,
    rules: Vec<(usize, Rule)>,
    held: [bool; GROUPS.len()],
    live: Vec<Live>,
    jobs: Vec<Job>,
    /// Since when a stream could have started a job of a group.
    ready: Vec<((u32, usize), Time)>,
    /// The streams that have jobs queued, least recently served first.
    turns: Vec<u32>,
    arrivals: u64,
}

impl Model {
    fn rule(&self, group: usize) -> Rule {
        let set = self.rules.iter().rev().find(|set| set.0 == group);
        let own = self.live.iter().find(|live| live.group == group);
        match (group, set) {
            (0, _) => UNLIMITED,
            (_, Some(set)) => set.1,
            (_, None) => Rule {
                throttle: own
                    .and_then(|live| live.throttle)
                    .unwrap_or(DEFAULT.throttle),
                parallelism: parallelism(GROUPS[group]),
            },
        }
    }

    fn next_start(&self, live: &Live) -> Time {
        live.last
            .map_or(Time::ZERO, |last| last + self.rule(live.group).throttle)
    }

    fn has_room(&self, live: &Live) -> bool {
        live.in_flight < self.rule(live.group).parallelism.max(1)
    }

    fn is_queued(&self, group: usize) -> bool {
        self.jobs
            .iter()
            .any(|job| job.group == group && job.at.is_none())
    }

    fn live(&mut self, group: usize) -> &mut Live {
        self.live
            .iter_mut()
            .find(|live| live.group == group)
            .expect("a live group")
    }

    fn queue(&mut self, mut job: Job) {
        self.arrivals += 1;
        job.arrival = self.arrivals;
        if job.at.is_none_or(|at| at <= self.now) {
            job.at = None;
            if self.live.iter().all(|live| live.group != job.group) {
                self.live.push(Live {
                    group: job.group,
                    in_flight: 0,
                    last: None,
                    throttle: None,
                });
            }
            if !self.turns.contains(&job.stream) {
                self.turns.push(job.stream);
            }
        }
        self.jobs.push(job);
        self.update();
    }

    fn take(&mut self, id: u32) -> Job {
        let at = self.jobs.iter().position(|job| job.id == id);
        self.jobs.remove(at.expect("a job that has not started"))
    }

    /// Applies what holds at every moment to the present one.
    fn update(&mut self) {
        let gone = |live: &Live| {
            live.in_flight == 0 && !self.is_queued(live.group) && self.next_start(live) <= self.now
        };
        let keep: Vec<bool> = self.live.iter().map(|live| !gone(live)).collect();
        let mut keep = keep.into_iter();
        self.live.retain(|_| keep.next() == Some(true));

        let due = |job: &&Job| job.at.is_some_and(|at| at <= self.now);
        let first = self
            .jobs
            .iter()
            .filter(due)
            .min_by_key(|job| (job.at, job.arrival));
        if let Some(&job) = first {
            self.take(job.id);
            return self.queue(job);
        }

        let (jobs, now) = (&self.jobs, self.now);
        let queued = |stream| {
            jobs.iter()
                .any(|job| job.stream == stream && job.at.is_none())
        };
        self.turns.retain(|&stream| queued(stream));
        let ready = |&&Job {
                         stream, group, at, ..
                     }: &&Job| {
            let live = self.live.iter().find(|live| live.group == group);
            let starts =
                live.is_some_and(|live| self.has_room(live) && self.next_start(live) <= now);
            (at.is_none() && starts && !self.held[group]).then_some((stream, group))
        };
        let lanes: Vec<_> = jobs.iter().filter_map(|job| ready(&job)).collect();
        self.ready.retain(|(lane, _)| lanes.contains(lane));
        for lane in lanes {
            if self.ready.iter().all(|(known, _)| *known != lane) {
                self.ready.push((lane, now));
            }
        }
    }

    fn next_time(&self) -> Option<Time> {
        let groups = self
            .live
            .iter()
            .filter(|live| match self.is_queued(live.group) {
                true => self.has_room(live) && !self.held[live.group],
                false => live.in_flight == 0,
            });
        let groups = groups.map(|live| self.next_start(live));
        let retries = self.jobs.iter().filter_map(|job| job.at);
        groups.chain(retries).filter(|&time| time > self.now).min()
    }

    fn advance(&mut self, now: Time) {
        while let Some(time) = self.next_time().filter(|&time| time <= now) {
            self.now = time;
            self.update();
        }
        self.now = now;
        self.update();
    }

    /// The jobs of which one must start now.
    fn candidates(&self, gates: &[Gate]) -> Vec<Job> {
        for &stream in &self.turns {
            let lanes = self.ready.iter().filter(|((of, _), _)| *of == stream);
            let since = lanes.clone().map(|(_, since)| since).min();
            let firsts = lanes.filter_map(|((stream, group), lane_since)| {
                let jobs = self
                    .jobs
                    .iter()
                    .filter(|job| job.stream == *stream && job.group == *group && job.at.is_none());
                let first = *jobs.min_by_key(|job| (job.order, job.arrival))?;
                let passes = match gates[*stream as usize] {
                    Gate::Open => Some(lane_since) == since,
                    Gate::Closed => false,
                    Gate::Only(order) => first.order == order,
                };
                passes.then_some(first)
            });
            let firsts: Vec<Job> = firsts.collect();
            if !firsts.is_empty() {
                return firsts;
            }
        }
        Vec::new()
    }

    fn start(&mut self, id: u32) -> Job {
        let job = self.take(id);
        let now = self.now;
        let live = self.live(job.group);
        live.in_flight += 1;
        live.last = Some(now);
        self.ready
            .retain(|(lane, _)| *lane != (job.stream, job.group));
        self.turns.retain(|&stream| stream != job.stream);
        self.turns.push(job.stream);
        self.update();
        job
    }

    fn end(&mut self, group: usize, throttle: Option<Time>) {
        let now = self.now;
        let ruled = self.rules.iter().any(|set| set.0 == group);
        let live = self.live(group);
        live.throttle = throttle.filter(|_| !ruled).or(live.throttle);
        live.in_flight -= 1;
        live.last = Some(now);
        self.update();
    }
}

/// What a server sees of a group, kept for ever: it checks politeness without the model.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    in_flight: u32,
    /// Until when the last start or end holds it back, since its rule last changed.
    until: Option<Time>,
}

/// A scheduler and a model of it, taken through the same steps.
struct Pair {
    scheduler: Scheduler<u32>,
    model: Model,
    seen: [Seen; GROUPS.len()],
    gates: [Gate; STREAMS as usize],
    flying: Vec<(Job, Turn)>,
    now: Time,
    /// The number of jobs, and also the newest order.
    pushed: u32,
    gone: u32,
}

impl Pair {
    fn new() -> Self {
        Self {
            scheduler: Scheduler::new(DEFAULT, Some(Box::new(parallelism))),
            model: Model::default(),
            seen: Default::default(),
            gates: [Gate::Open; STREAMS as usize],
            flying: Vec::new(),
            now: Time::ZERO,
            pushed: 0,
            gone: 0,
        }
    }

    fn apply(&mut self, op: Op) {
        self.model.advance(self.now);
        match op {
            Op::Push {
                stream,
                group,
                behind,
                wait,
            } => {
                let order = u64::from(self.pushed).saturating_sub(behind);
                self.push(self.pushed, stream, group, order, wait);
                self.pushed += 1;
            }
            Op::Start => {
                self.start();
            }
            Op::End {
                pick,
                retry,
                throttle,
            } => {
                if !self.flying.is_empty() {
                    let throttle = throttle.map(ms);
                    self.end(pick % self.flying.len(), retry, throttle);
                }
            }
            Op::Open { stream } => self.gates[stream as usize] = Gate::Open,
            Op::Close { stream } => self.gates[stream as usize] = Gate::Closed,
            Op::Only { stream, pick } => {
                let jobs = self.model.jobs.iter().filter(|job| job.stream == stream);
                let orders: Vec<u64> = jobs.map(|job| job.order).collect();
                if !orders.is_empty() {
                    self.gates[stream as usize] = Gate::Only(orders[pick % orders.len()]);
                }
            }
            Op::Rule { group, rule } => {
                self.scheduler.set_rule(GROUPS[group], rule, self.now);
                self.model.rules.push((group, rule));
                self.model.update();
                self.seen[group].until = None;
            }
            Op::Hold { group, held: true } => {
                let in_flight = self.scheduler.hold(GROUPS[group], self.now);
                // The group without limits is not held.
                self.model.held[group] = group > 0;
                let flying = self.flying.iter().filter(|(job, _)| job.group == group);
                assert!(group == 0 || in_flight as usize == flying.count());
                self.model.update();
            }
            Op::Hold { group, held: false } => self.release(group),
            Op::Remove { stream } => {
                let jobs = self.scheduler.remove_stream(StreamId(stream));
                let removed = jobs.iter().map(|&id| self.model.take(id));
                let removed: Vec<Job> = removed.collect();
                assert!(removed.is_sorted_by_key(|job| job.order));
                assert!(removed.iter().all(|job| job.stream == stream));
                assert!(self.model.jobs.iter().all(|job| job.stream != stream));
                self.gone += u32::try_from(removed.len()).expect("few jobs");
                self.model.update();
            }
            Op::Wait { millis } => {
                self.now += ms(millis);
                // The state is the same whether it is told at one late call or at all calls.
                self.start();
            }
            Op::Jump => {
                if let Some(time) = self.scheduler.next_time() {
                    assert!(time > self.now, "its time has come and gone");
                    self.now = time;
                    self.start();
                }
            }
        }
        self.compare();
    }

    fn release(&mut self, group: usize) {
        self.scheduler.release(GROUPS[group], self.now);
        self.model.held[group] = false;
        self.model.update();
    }

    fn push(&mut self, id: u32, stream: u32, group: usize, order: u64, wait: Option<u64>) {
        let (key, name) = (StreamId(stream), GROUPS[group]);
        let at = wait.map(|wait| self.now + ms(wait));
        match at {
            None => self.scheduler.push(key, name, order, id, self.now),
            Some(at) => self.scheduler.push_at(key, name, order, id, at, self.now),
        }
        self.model.queue(Job {
            id,
            stream,
            group,
            order,
            at,
            arrival: 0,
        });
    }

    fn start(&mut self) -> bool {
        self.model.advance(self.now);
        let candidates = self.model.candidates(&self.gates);
        let mut asked = Vec::new();
        let started = self.scheduler.start(self.now, |stream| {
            assert!(!asked.contains(&stream), "asked twice");
            asked.push(stream);
            self.gates[stream.0 as usize]
        });
        let Some(started) = started else {
            assert!(candidates.is_empty(), "{candidates:?} should have started");
            return false;
        };
        let fits = candidates.iter().any(|job| job.id == started.job);
        assert!(fits, "{} started, not one of {candidates:?}", started.job);
        let job = self.model.start(started.job);
        assert_eq!(job.stream, started.stream.0);

        let rule = self.model.rule(job.group);
        let seen = &mut self.seen[job.group];
        assert!(
            seen.in_flight < rule.parallelism.max(1),
            "too many in flight"
        );
        assert!(seen.until.is_none_or(|until| self.now >= until), "too soon");
        assert!(!self.model.held[job.group], "its group is held");
        seen.in_flight += 1;
        seen.until = Some(self.now + rule.throttle);
        self.flying.push((job, started.turn));
        true
    }

    fn end(&mut self, index: usize, retry: Option<u64>, throttle: Option<Time>) {
        let (job, turn) = self.flying.swap_remove(index);
        let before = self.model.rule(job.group).throttle;
        self.scheduler.end(turn, throttle, self.now);
        self.model.end(job.group, throttle);
        let ruled = self.model.rules.iter().any(|set| set.0 == job.group);
        let free = job.group == 0 || ruled;
        let seen = &mut self.seen[job.group];
        seen.in_flight -= 1;
        let throttle = throttle.filter(|_| !free).unwrap_or(before);
        seen.until = Some(self.now + throttle);
        match retry {
            Some(_) => self.push(job.id, job.stream, job.group, job.order, retry),
            None => self.gone += 1,
        }
    }

    fn compare(&self) {
        let (scheduler, model) = (&self.scheduler, &self.model);
        assert_eq!(scheduler.queued(), model.jobs.len());
        assert_eq!(scheduler.groups(), model.live.len());
        assert_eq!(scheduler.in_flight(), self.flying.len());
        assert_eq!(scheduler.next_time(), model.next_time());
    }

    /// With all gates open and all groups released, jumping from one named time to the next completes
    /// everything.
    fn finish(&mut self) {
        self.gates = [Gate::Open; STREAMS as usize];
        self.model.advance(self.now);
        (0..GROUPS.len()).for_each(|group| self.release(group));
        loop {
            while self.start() {
                self.compare();
            }
            if self.flying.is_empty() {
                let Some(time) = self.scheduler.next_time() else {
                    break;
                };
                assert!(time > self.now, "its time has come and gone");
                self.now = time;
            } else {
                self.end(0, None, None);
            }
            self.model.advance(self.now);
        }
        assert_eq!(self.gone, self.pushed, "lost or doubled");
        assert_eq!(self.scheduler.groups() + self.scheduler.queued(), 0);
        assert!(self.scheduler.queue.is_bare() && self.scheduler.names.is_empty());
    }
}
