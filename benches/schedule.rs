//! The scheduler by itself, under a virtual clock: what a decision costs, what queued jobs and live
//! groups take, and how near a run comes to its lower bound.
//!
//!     cargo bench --bench schedule -- [--quick] [--groups N,N] [--jobs N] [--input I,I] [--load L,L]
//!
//! Prints a JSON object a line: one of memory for each number of groups, then one for each run.
//! `cycle_ns` is the CPU time of all that a job asks of the scheduler, from its push to its end, and of
//! the simulation around it; `push_ns`, `start_ns` and `end_ns` are what one call takes, by a sample.
//! There are about three calls of `start` a job, as most of them find that nothing may start.
//!
//! Inputs: `uniform`, each group has as many jobs as the others, shuffled; `zipf`, the k-th largest
//! has a share of k^-0.8, shuffled; `clustered`, the same jobs, each group's in one run, as in a
//! sorted list.
//!
//! Loads: `pool`, what a pool on two cores does by default: 1024 jobs buffered, 128 workers, 0.2 s of
//! throttle, jobs of 0.05 to 0.15 s; `buffered`, the same with all jobs buffered at the start;
//! `resting`, all jobs buffered, and nearly all groups waiting for their throttle all the time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::num::NonZero;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Taken by itself, which it can be only because it knows of nothing else.
#[path = "../src/schedule/mod.rs"]
#[allow(dead_code, unused_imports)]
mod schedule;

use schedule::{Gate, Rule, Scheduler, StreamId, Time, Turn};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const STREAM: StreamId = StreamId(0);
/// One call of so many is timed by itself.
const SAMPLE: u64 = 64;

/// A job as the pool has it: as large as a box, and never zero.
type Job = NonZero<usize>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Input {
    Uniform,
    Zipf,
    Clustered,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Load {
    Pool,
    Buffered,
    Resting,
}

const INPUTS: [(&str, Input); 3] = [
    ("uniform", Input::Uniform),
    ("zipf", Input::Zipf),
    ("clustered", Input::Clustered),
];
const LOADS: [(&str, Load); 3] = [
    ("pool", Load::Pool),
    ("buffered", Load::Buffered),
    ("resting", Load::Resting),
];

/// The world that the scheduler is run in.
struct World {
    buffer: usize,
    workers: usize,
    throttle: Duration,
    /// The shortest and the longest time a job takes.
    service: (Duration, Duration),
}

impl Load {
    fn world(self, groups: usize) -> World {
        let pool = World {
            buffer: 1024,
            workers: 128,
            throttle: Duration::from_millis(200),
            service: (Duration::from_millis(50), Duration::from_millis(150)),
        };
        match self {
            Self::Pool => pool,
            Self::Buffered => World {
                buffer: usize::MAX,
                ..pool
            },
            // The workers together could end one job a microsecond; the groups rest for two of all
            // their turns.
            Self::Resting => World {
                buffer: usize::MAX,
                throttle: Duration::from_micros(2 * groups as u64),
                service: (Duration::from_micros(64), Duration::from_micros(192)),
                ..pool
            },
        }
    }
}

impl World {
    /// What the job of that number takes: a hash of the number, so that the bound knows it too.
    fn service(&self, order: usize) -> Duration {
        let mut bits = (order as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let (least, most) = self.service;
        let span = (most - least).as_nanos() as u64;
        least + Duration::from_nanos((bits ^ (bits >> 31)) % span)
    }

    /// No policy can be done sooner: the work over the workers, and each group's jobs one after the
    /// other with the throttle between.
    fn bound(&self, sequence: &[u32], groups: usize) -> Duration {
        let mut each = vec![Duration::ZERO; groups];
        let mut total = Duration::ZERO;
        for (order, group) in sequence.iter().enumerate() {
            let service = self.service(order);
            total += service;
            each[*group as usize] += service + self.throttle;
        }
        let group = each.into_iter().max().unwrap_or_default();
        (total / self.workers as u32).max(group.saturating_sub(self.throttle))
    }
}

/// Which group each job is of.
fn sequence(input: Input, groups: usize, jobs: usize) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(1);
    let exponent = if input == Input::Uniform { 0.0 } else { 0.8 };
    let weights = (1..=groups).map(|rank| (rank as f64).powf(-exponent));
    let total: f64 = weights.clone().sum();
    let mut runs = Vec::with_capacity(groups);
    let (mut reached, mut given) = (0.0, 0);
    for (group, weight) in weights.enumerate() {
        reached += weight;
        let until = (reached / total * jobs as f64).round() as usize;
        runs.push((group as u32, until - given));
        given = until;
    }
    random.shuffle(&mut runs);
    let mut sequence = Vec::with_capacity(jobs);
    for (group, count) in runs {
        sequence.extend(std::iter::repeat_n(group, count));
    }
    if input != Input::Clustered {
        random.shuffle(&mut sequence);
    }
    sequence
}

/// The name of a group, of the usual length of a domain, without an allocation.
struct Name([u8; 19]);

impl Name {
    fn new() -> Self {
        Self(*b"site0000000.example")
    }

    fn of(&mut self, mut group: u32) -> &str {
        for digit in self.0[4..11].iter_mut().rev() {
            *digit = b'0' + (group % 10) as u8;
            group /= 10;
        }
        std::str::from_utf8(&self.0).expect("it is ASCII")
    }
}

/// A job that runs.
struct Running {
    end: Time,
    turn: Turn,
}

impl Ord for Running {
    fn cmp(&self, other: &Self) -> Ordering {
        self.end.cmp(&other.end)
    }
}

impl PartialOrd for Running {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Running {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Running {}

/// What calls of one kind took, by a sample of them.
#[derive(Default)]
struct Calls {
    count: u64,
    samples: Vec<u32>,
}

impl Calls {
    fn run<T>(&mut self, call: impl FnOnce() -> T) -> T {
        self.count += 1;
        if !self.count.is_multiple_of(SAMPLE) {
            return call();
        }
        let before = Instant::now();
        let outcome = call();
        let nanos = before.elapsed().as_nanos();
        self.samples.push(u32::try_from(nanos).unwrap_or(u32::MAX));
        outcome
    }

    /// Nanoseconds a call, without what looking at the clock takes, and without the slowest
    /// hundredth: in those the machine did something else.
    fn each(&mut self, clock: f64) -> f64 {
        self.samples.sort_unstable();
        let kept = &self.samples[..self.samples.len() * 99 / 100];
        let sum: f64 = kept.iter().copied().map(f64::from).sum();
        (sum / kept.len().max(1) as f64 - clock).max(0.0)
    }
}

/// The time that this thread has had a processor: what else the machine does is not in it.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What two looks at the clock are apart.
fn clock() -> f64 {
    let mut calls = Calls::default();
    for _ in 0..1_000_000 {
        calls.run(|| black_box(()));
    }
    calls.each(0.0)
}

fn bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn new_scheduler(world: &World) -> Scheduler<Job> {
    let rule = Rule {
        throttle: world.throttle,
        parallelism: 1,
    };
    Scheduler::new(rule, None)
}

/// What came of a run.
#[derive(Default)]
struct Outcome {
    cpu: Duration,
    pushes: Calls,
    starts: Calls,
    ends: Calls,
    makespan: Time,
    peak_groups: usize,
    peak_bytes: usize,
    groups_left: usize,
    bytes_left: usize,
}

/// Sees all jobs through a new scheduler, as a shard of the pool does.
fn simulate(world: &World, sequence: &[u32]) -> Outcome {
    let mut outcome = Outcome::default();
    for calls in [&mut outcome.pushes, &mut outcome.starts, &mut outcome.ends] {
        // Before anything is counted.
        calls.samples.reserve(sequence.len() / SAMPLE as usize * 4);
    }
    let mut name = Name::new();
    let mut running = BinaryHeap::with_capacity(world.workers + 1);
    let (mut now, mut next, mut held) = (Time::ZERO, 0, 0);
    let empty = bytes();
    let mut scheduler = new_scheduler(world);
    let begun = cpu();
    loop {
        while held < world.buffer && next < sequence.len() {
            let group = name.of(sequence[next]);
            let job = Job::MIN.saturating_add(next);
            outcome
                .pushes
                .run(|| scheduler.push_at(STREAM, group, next as u64, job, now, now));
            next += 1;
            held += 1;
        }
        outcome.peak_groups = outcome.peak_groups.max(scheduler.groups());
        outcome.peak_bytes = outcome.peak_bytes.max(bytes() - empty);
        let gate = match running.len() < world.workers {
            true => Gate::Open,
            false => Gate::Closed,
        };
        let started = outcome.starts.run(|| scheduler.start(now, |_| gate));
        if let Some(started) = started {
            held -= 1;
            let end = now + world.service(started.job.get() - 1);
            let turn = started.turn;
            running.push(Reverse(Running { end, turn }));
            continue;
        }
        let end = running.peek().map(|running| running.0.end);
        let Some(time) = [end, scheduler.next_time()].into_iter().flatten().min() else {
            break;
        };
        now = time;
        if end == Some(now)
            && let Some(Reverse(Running { turn, .. })) = running.pop()
        {
            outcome.ends.run(|| scheduler.end(turn, None, now));
            outcome.makespan = now;
        }
    }
    outcome.cpu = cpu() - begun;
    outcome.groups_left = scheduler.groups();
    outcome.bytes_left = bytes() - empty;
    outcome
}

/// What a live group and a queued job take: one job in each group, then nine more.
fn memory(groups: usize) -> String {
    let world = Load::Buffered.world(groups);
    let mut name = Name::new();
    let empty = bytes();
    let mut scheduler = new_scheduler(&world);
    let mut fill = |from: usize, to: usize| {
        for order in from..to {
            let group = name.of((order % groups) as u32);
            let job = Job::MIN.saturating_add(order);
            scheduler.push_at(STREAM, group, order as u64, job, Time::ZERO, Time::ZERO);
        }
        bytes() - empty
    };
    let thin = fill(0, groups);
    let full = fill(groups, 10 * groups);
    let job = (full - thin) as f64 / (9 * groups) as f64;
    let group = thin as f64 / groups as f64 - job;
    format!(
        r#"{{"measure": "memory", "groups": {groups}, "job_bytes": {job:.1}, "group_bytes": {group:.1}}}"#
    )
}

fn run(input: (&str, Input), load: (&str, Load), groups: usize, jobs: usize, clock: f64) -> String {
    let world = load.1.world(groups);
    let sequence = sequence(input.1, groups, jobs);
    let mut outcome = simulate(&world, &sequence);
    assert_eq!(outcome.ends.count, jobs as u64, "each job ran once");
    let bound = world.bound(&sequence, groups).as_secs_f64();
    let makespan = outcome.makespan.as_secs_f64();
    let mut line = format!(r#"{{"measure": "run", "input": "{}""#, input.0);
    let mut add = |name: &str, value: f64| {
        write!(line, r#", "{name}": {value}"#).expect("a string takes it");
    };
    let rounded = |value: f64| (value * 10.0).round() / 10.0;
    add("groups", groups as f64);
    add("jobs", jobs as f64);
    add(
        "cycle_ns",
        rounded(outcome.cpu.as_nanos() as f64 / jobs as f64),
    );
    add("push_ns", rounded(outcome.pushes.each(clock)));
    add("start_ns", rounded(outcome.starts.each(clock)));
    add("end_ns", rounded(outcome.ends.each(clock)));
    add(
        "starts_a_job",
        rounded(outcome.starts.count as f64 / jobs as f64),
    );
    add("peak_groups", outcome.peak_groups as f64);
    add("peak_bytes", outcome.peak_bytes as f64);
    add("groups_left", outcome.groups_left as f64);
    add("bytes_left", outcome.bytes_left as f64);
    add("makespan_s", makespan);
    add("bound_s", bound);
    add("ratio", (makespan / bound * 1e4).round() / 1e4);
    write!(line, r#", "load": "{}"}}"#, load.0).expect("a string takes it");
    line
}

/// The values of a comma-separated list by their names.
fn chosen<T: Copy>(all: &[(&'static str, T)], names: &str) -> Vec<(&'static str, T)> {
    let find = |name: &str| all.iter().find(|(known, _)| *known == name).copied();
    names
        .split(',')
        .map(|name| find(name).unwrap_or_else(|| usage(&format!("{name:?} is not known"))))
        .collect()
}

fn number(text: &str) -> usize {
    let number = text.replace('_', "").parse().ok();
    number
        .filter(|number| (1..=10_000_000).contains(number))
        .unwrap_or_else(|| usage(&format!("{text:?} is no number from 1 to 10,000,000")))
}

fn usage(wrong: &str) -> ! {
    eprintln!(
        "schedule: {wrong}\nusage: cargo bench --bench schedule -- [--quick] [--groups N,N] \
         [--jobs N] [--input uniform,zipf,clustered] [--load pool,buffered,resting]"
    );
    std::process::exit(2)
}

fn main() {
    let mut groups = vec![1_000, 10_000, 100_000, 1_000_000];
    let mut jobs = None;
    let (mut inputs, mut loads) = (INPUTS.to_vec(), LOADS.to_vec());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .unwrap_or_else(|| usage(&format!("{word} has no value")))
        };
        match word.as_str() {
            // What cargo says to all.
            "--bench" => {}
            "--quick" => groups = vec![1_000, 10_000],
            "--groups" => groups = value().split(',').map(number).collect(),
            "--jobs" => jobs = Some(number(&value())),
            "--input" => inputs = chosen(&INPUTS, &value()),
            "--load" => loads = chosen(&LOADS, &value()),
            _ => usage(&format!("{word:?} is not known")),
        }
    }
    for &groups in &groups {
        println!("{}", memory(groups));
    }
    let clock = clock();
    for &groups in &groups {
        let jobs = jobs.unwrap_or((10 * groups).max(100_000));
        for &input in &inputs {
            for &load in &loads {
                println!("{}", run(input, load, groups, jobs, clock));
            }
        }
    }
}
