//! Each behaviour by an example, then all of them together against a naive model.

use super::retry::Backoff;
use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

const A: StreamId = StreamId(0);
const B: StreamId = StreamId(1);

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn rule(throttle: u64, parallelism: u32) -> Rule {
    Rule {
        throttle: ms(throttle),
        parallelism,
    }
}

/// Jobs are named by strings in the examples.
type Names = Scheduler<&'static str>;

/// The jobs that start at that time through these gates, and their turns.
fn starts_through(
    jobs: &mut Names,
    now: u64,
    gate: impl Fn(StreamId) -> Gate,
) -> (Vec<&'static str>, Vec<Turn>) {
    std::iter::from_fn(|| jobs.start(ms(now), &gate))
        .map(|started| (started.job, started.turn))
        .unzip()
}

fn starts(jobs: &mut Names, now: u64) -> (Vec<&'static str>, Vec<Turn>) {
    starts_through(jobs, now, |_| Gate::Open)
}

fn end(jobs: &mut Names, turns: Vec<Turn>, now: u64) {
    for turn in turns {
        jobs.end(turn, None, ms(now));
    }
}

#[test]
fn throttle_runs_from_the_last_end() {
    let mut jobs = Names::new(rule(10, 1), None);
    jobs.push(A, "a", 0, "first", ms(0));
    jobs.push(A, "a", 1, "second", ms(0));
    let (started, turns) = starts(&mut jobs, 0);
    assert_eq!(started, ["first"]);
    assert_eq!(jobs.next_time(), None, "only the end can change anything");
    assert!(starts(&mut jobs, 50).0.is_empty());
    end(&mut jobs, turns, 50);
    assert_eq!(jobs.next_time(), Some(ms(60)));
    assert!(starts(&mut jobs, 59).0.is_empty());
    assert_eq!(starts(&mut jobs, 60).0, ["second"]);
}

#[test]
fn throttle_runs_from_the_last_start_too() {
    let mut jobs = Names::new(rule(10, 2), None);
    for (order, job) in ["first", "second", "third"].into_iter().enumerate() {
        jobs.push(A, "a", order as u64, job, ms(0));
    }
    assert_eq!(starts(&mut jobs, 0).0, ["first"]);
    assert_eq!(jobs.next_time(), Some(ms(10)));
    assert!(starts(&mut jobs, 9).0.is_empty());
    assert_eq!(starts(&mut jobs, 10).0, ["second"]);
    assert!(starts(&mut jobs, 99).0.is_empty(), "two are in flight");
}

#[test]
fn no_parallelism_counts_as_one() {
    let mut jobs = Names::new(rule(0, 0), None);
    jobs.push(A, "a", 0, "first", ms(0));
    jobs.push(A, "a", 1, "second", ms(0));
    assert_eq!(starts(&mut jobs, 0).0, ["first"]);
}

#[test]
fn a_lane_goes_by_order_however_it_was_pushed() {
    let mut jobs = Names::new(rule(0, 9), None);
    for (order, job) in [(4, "e"), (1, "b"), (3, "d"), (2, "c"), (0, "a"), (2, "c'")] {
        jobs.push(A, "a", order, job, ms(0));
    }
    assert_eq!(starts(&mut jobs, 0).0, ["a", "b", "c", "c'", "d", "e"]);
}

#[test]
fn a_retry_waits_and_then_goes_before_younger_jobs() {
    let mut jobs = Names::new(rule(0, 1), None);
    jobs.push_at(A, "a", 0, "retry", ms(10), ms(0));
    jobs.push(A, "a", 1, "b", ms(0));
    jobs.push(A, "a", 2, "c", ms(0));
    assert_eq!((jobs.queued(), jobs.next_time()), (3, Some(ms(10))));
    let (started, turns) = starts(&mut jobs, 9);
    assert_eq!(started, ["b"]);
    end(&mut jobs, turns, 10);
    assert_eq!(starts(&mut jobs, 10).0, ["retry"]);
}

#[test]
fn a_due_retry_still_waits_for_the_throttle() {
    let mut jobs = Names::new(rule(10, 1), None);
    jobs.push(A, "a", 0, "first", ms(0));
    let (_, turns) = starts(&mut jobs, 0);
    end(&mut jobs, turns, 0);
    jobs.push_at(A, "a", 0, "again", ms(4), ms(0));
    assert_eq!(jobs.next_time(), Some(ms(4)));
    assert!(starts(&mut jobs, 4).0.is_empty());
    assert_eq!(jobs.next_time(), Some(ms(10)));
    assert_eq!(starts(&mut jobs, 10).0, ["again"]);
}

#[test]
fn a_retry_alone_keeps_no_state() {
    let mut jobs = Names::new(rule(10, 1), None);
    jobs.push(A, "a", 0, "first", ms(0));
    let (_, turns) = starts(&mut jobs, 0);
    end(&mut jobs, turns, 0);
    jobs.push_at(A, "a", 0, "again", ms(99), ms(0));
    assert!(starts(&mut jobs, 10).0.is_empty());
    assert_eq!((jobs.groups(), jobs.next_time()), (0, Some(ms(99))));
    assert_eq!(starts(&mut jobs, 99).0, ["again"]);
}

#[test]
fn streams_take_turns() {
    let mut jobs = Names::new(rule(0, 1), None);
    for (group, job) in [("a", "A1"), ("b", "A2"), ("c", "A3")] {
        jobs.push(A, group, 0, job, ms(0));
    }
    jobs.push(B, "d", 0, "B1", ms(0));
    jobs.push(B, "e", 0, "B2", ms(0));
    assert_eq!(starts(&mut jobs, 0).0, ["A1", "B1", "A2", "B2", "A3"]);
}

#[test]
fn streams_take_turns_in_a_group_they_share() {
    let mut jobs = Names::new(rule(10, 1), None);
    for (order, pair) in [["A1", "B1"], ["A2", "B2"]].into_iter().enumerate() {
        jobs.push(A, "a", order as u64, pair[0], ms(0));
        jobs.push(B, "a", order as u64, pair[1], ms(0));
    }
    let mut all = Vec::new();
    for step in 0..4 {
        let (started, turns) = starts(&mut jobs, step * 10);
        all.extend(started);
        end(&mut jobs, turns, step * 10);
    }
    assert_eq!(all, ["A1", "B1", "A2", "B2"]);
}

#[test]
fn the_longest_ready_group_comes_first() {
    let mut jobs = Names::new(rule(0, 1), None);
    jobs.set_rule("slow", rule(20, 1), ms(0));
    jobs.set_rule("fast", rule(10, 1), ms(0));
    for (group, job) in [("slow", "s"), ("fast", "f")] {
        jobs.push(A, group, 0, job, ms(0));
        jobs.push(A, group, 1, job, ms(0));
    }
    let (started, turns) = starts(&mut jobs, 0);
    assert_eq!(started, ["s", "f"]);
    end(&mut jobs, turns, 0);
    jobs.push_at(A, "retry", 0, "r", ms(15), ms(0));
    // All became ready between the two calls.
    assert_eq!(starts(&mut jobs, 30).0, ["f", "r", "s"]);
}

#[test]
fn a_closed_stream_keeps_its_place() {
    let mut jobs = Names::new(rule(0, 1), None);
    for (group, job) in [("a", "A1"), ("b", "A2")] {
        jobs.push(A, group, 0, job, ms(0));
    }
    jobs.push(B, "c", 0, "B1", ms(0));
    let closed = |stream| {
        if stream == A {
            Gate::Closed
        } else {
            Gate::Open
        }
    };
    assert_eq!(starts_through(&mut jobs, 0, closed).0, ["B1"]);
    assert_eq!(jobs.queued(), 2);
    assert_eq!(starts(&mut jobs, 0).0, ["A1", "A2"]);
}

#[test]
fn a_gate_may_let_one_order_through() {
    let mut jobs = Names::new(rule(10, 1), None);
    for (group, order, job) in [("a", 5, "a"), ("b", 4, "b"), ("c", 3, "c"), ("c", 2, "c'")] {
        jobs.push(A, group, order, job, ms(0));
    }
    let only = |jobs: &mut Names, order| starts_through(jobs, 0, |_| Gate::Only(order));
    assert!(only(&mut jobs, 9).0.is_empty());
    assert!(only(&mut jobs, 3).0.is_empty(), "it is second in its lane");
    assert_eq!(only(&mut jobs, 2).0, ["c'"]);
    assert!(only(&mut jobs, 3).0.is_empty(), "its group is busy");
    jobs.push(A, "b", 1, "b'", ms(0));
    assert!(only(&mut jobs, 4).0.is_empty(), "another got before it");
    assert_eq!(only(&mut jobs, 1).0, ["b'"]);
    assert_eq!(starts(&mut jobs, 0).0, ["a"]);
}

#[test]
fn the_empty_group_has_no_limits_and_takes_its_turn() {
    let mut jobs = Names::new(rule(10, 1), None);
    jobs.set_rule("", rule(99, 1), ms(0));
    for (order, job) in ["free 1", "free 2", "free 3"].into_iter().enumerate() {
        jobs.push(A, "", order as u64, job, ms(0));
    }
    jobs.push(A, "a", 3, "a", ms(0));
    jobs.push(A, "b", 4, "b", ms(0));
    let (started, turns) = starts(&mut jobs, 0);
    assert_eq!(started, ["free 1", "a", "b", "free 2", "free 3"]);
    end(&mut jobs, turns, 0);
    assert_eq!(jobs.groups(), 2, "the empty one keeps no state");
}

#[test]
fn a_group_is_dropped_just_when_its_throttle_has_run_out() {
    let mut jobs = Names::new(rule(10, 1), None);
    jobs.push(A, "a", 0, "a", ms(0));
    let (_, turns) = starts(&mut jobs, 0);
    end(&mut jobs, turns, 5);
    assert_eq!(jobs.next_time(), Some(ms(15)));
    assert!(starts(&mut jobs, 14).0.is_empty());
    assert_eq!(jobs.groups(), 1);
    assert!(starts(&mut jobs, 15).0.is_empty());
    assert_eq!((jobs.groups(), jobs.next_time()), (0, None));
}

#[test]
fn a_group_without_throttle_is_dropped_at_its_end() {
    let mut jobs = Names::new(rule(0, 1), None);
    jobs.push(A, "a", 0, "a", ms(0));
    let (_, turns) = starts(&mut jobs, 0);
    assert_eq!((jobs.groups(), jobs.in_flight()), (1, 1));
    end(&mut jobs, turns, 0);
    assert_eq!((jobs.groups(), jobs.in_flight()), (0, 0));
}

#[test]
fn a_rule_applies_to_a_live_group_and_survives_it() {
    let mut jobs = Names::new(rule(100, 1), None);
    for order in 0..3 {
        jobs.push(A, "a", order, "a", ms(0));
    }
    let (_, turns) = starts(&mut jobs, 0);
    end(&mut jobs, turns, 0);
    assert_eq!(jobs.next_time(), Some(ms(100)));
    jobs.set_rule("a", rule(10, 1), ms(0));
    assert_eq!(jobs.next_time(), Some(ms(10)), "shorter");
    jobs.set_rule("a", rule(20, 1), ms(5));
    assert_eq!(jobs.next_time(), Some(ms(20)), "longer");
    for time in [20, 40] {
        let (started, turns) = starts(&mut jobs, time);
        assert_eq!(started, ["a"]);
        end(&mut jobs, turns, time);
    }
    assert!(starts(&mut jobs, 60).0.is_empty());
    assert_eq!(jobs.groups(), 0);
    jobs.push(A, "a", 3, "a", ms(60));
    let (_, turns) = starts(&mut jobs, 60);
    end(&mut jobs, turns, 60);
    assert_eq!(jobs.next_time(), Some(ms(80)));
}

#[test]
fn a_longer_rule_holds_back_a_group_that_was_ready() {
    let mut jobs = Names::new(rule(10, 1), None);
    jobs.push(A, "a", 0, "first", ms(0));
    jobs.push(A, "a", 1, "second", ms(0));
    let (_, turns) = starts(&mut jobs, 0);
    end(&mut jobs, turns, 0);
    jobs.set_rule("a", rule(50, 1), ms(20));
    assert!(starts(&mut jobs, 49).0.is_empty());
    assert_eq!(starts(&mut jobs, 50).0, ["second"]);
}

#[test]
fn an_end_may_set_the_throttle_of_its_group() {
    let mut jobs = Names::new(rule(10, 1), None);
    for (order, group) in [(0, "a"), (1, "a"), (2, "a"), (3, "b"), (4, "b")] {
        jobs.push(A, group, order, group, ms(0));
    }
    let (_, turns) = starts(&mut jobs, 0);
    for (turn, throttle) in turns.into_iter().zip([50, 20]) {
        jobs.end(turn, Some(ms(throttle)), ms(0));
    }
    assert!(starts(&mut jobs, 19).0.is_empty());
    let (started, turns) = starts(&mut jobs, 20);
    assert_eq!(started, ["b"]);
    end(&mut jobs, turns, 20);
    let (started, mut turns) = starts(&mut jobs, 50);
    assert_eq!(started, ["a"]);
    jobs.end(turns.remove(0), Some(ms(0)), ms(50));
    let (started, turns) = starts(&mut jobs, 50);
    assert_eq!(started, ["a"]);
    end(&mut jobs, turns, 50);
    assert!(starts(&mut jobs, 50).0.is_empty());
    assert_eq!(
        jobs.groups(),
        0,
        "it is forgotten when nothing is left to wait for"
    );
    jobs.set_rule("a", rule(30, 1), ms(50));
    jobs.push(A, "a", 5, "a", ms(50));
    let (_, mut turns) = starts(&mut jobs, 50);
    jobs.end(turns.remove(0), Some(ms(5)), ms(50));
    assert_eq!(jobs.next_time(), Some(ms(80)), "a rule comes first");
}

#[test]
fn a_group_may_be_asked_how_many_it_takes() {
    let parallelism = |group: &str| u32::from(group == "a") * 2;
    let mut jobs = Names::new(rule(0, 3), Some(Box::new(parallelism)));
    for (order, group) in (0..).zip(["a", "a", "a", "b", "b", "", ""]) {
        jobs.push(A, group, order, group, ms(0));
    }
    let (mut started, _) = starts(&mut jobs, 0);
    started.sort();
    assert_eq!(started, ["", "", "a", "a", "b"]);
}

#[test]
fn a_removed_stream_gives_back_its_jobs_in_order() {
    let mut jobs = Names::new(rule(10, 1), None);
    jobs.push_at(A, "a", 1, "1", ms(99), ms(0));
    for (group, order, job) in [("b", 4, "4"), ("a", 3, "3"), ("a", 0, "0"), ("b", 2, "2")] {
        jobs.push(A, group, order, job, ms(0));
    }
    jobs.push(B, "a", 0, "other", ms(0));
    let only = |stream| {
        if stream == A {
            Gate::Only(0)
        } else {
            Gate::Closed
        }
    };
    let (started, turns) = starts_through(&mut jobs, 0, only);
    assert_eq!(started, ["0"]);
    assert_eq!(jobs.remove_stream(A), ["1", "2", "3", "4"]);
    assert!(jobs.remove_stream(A).is_empty());
    // Group b is gone at once; a goes on, as politely as before.
    assert_eq!((jobs.queued(), jobs.groups(), jobs.in_flight()), (1, 1, 1));
    end(&mut jobs, turns, 5);
    assert!(starts(&mut jobs, 14).0.is_empty());
    assert_eq!(starts(&mut jobs, 15).0, ["other"]);
}

#[test]
fn a_clock_that_goes_back_is_not_believed() {
    let mut jobs = Names::new(rule(10, 1), None);
    jobs.push(A, "a", 0, "first", ms(20));
    jobs.push(A, "a", 1, "second", ms(15));
    let (_, turns) = starts(&mut jobs, 15);
    end(&mut jobs, turns, 5);
    assert_eq!(jobs.next_time(), Some(ms(30)));
}

#[test]
fn times_without_end_do_not_overflow() {
    let mut jobs = Names::new(
        Rule {
            throttle: Duration::MAX,
            parallelism: u32::MAX,
        },
        None,
    );
    jobs.push(A, "a", u64::MAX, "first", ms(1));
    jobs.push(A, "a", u64::MAX, "second", ms(1));
    jobs.push_at(A, "b", 0, "never", Time::MAX, ms(1));
    let (started, turns) = starts(&mut jobs, 1);
    assert_eq!(started, ["first"]);
    end(&mut jobs, turns, 2);
    assert_eq!(jobs.next_time(), Some(Time::MAX));
}

#[test]
fn a_million_groups_cost_what_a_thousand_do() {
    // Not timed: were any step to look at all groups, this would run for hours.
    let groups = if cfg!(debug_assertions) {
        100_000
    } else {
        1_000_000
    };
    let mut jobs = Scheduler::new(rule(1_000, 1), None);
    let (total, mut now) = (groups + groups / 4, ms(0));
    for order in 0..total {
        let name = format!("{}.example", order % groups);
        jobs.push(StreamId(order % 3), &name, order.into(), order, now);
    }
    let mut seen = vec![false; total as usize];
    while jobs.queued() > 0 {
        let mut turns = Vec::new();
        while turns.len() < 1_000
            && let Some(started) = jobs.start(now, |_| Gate::Open)
        {
            assert!(!std::mem::replace(&mut seen[started.job as usize], true));
            turns.push(started.turn);
        }
        if turns.is_empty() {
            now = jobs.next_time().expect("something left to wait for");
        }
        for turn in turns {
            jobs.end(turn, None, now);
        }
        assert!(jobs.timers.len() <= jobs.groups(), "one timer a group");
    }
    assert!(seen.into_iter().all(|seen| seen));
    assert!(jobs.start(now + ms(1_000), |_| Gate::Open).is_none());
    assert_eq!(jobs.groups(), 0);
}

#[test]
fn backoff_grows_fourfold_up_to_its_cap() {
    let backoff = Backoff {
        max_attempts: 6,
        min_wait: ms(1_000),
        max_wait: ms(60_000),
    };
    let waits = |jitter| (1..8).map(move |attempt| backoff.wait(attempt, jitter));
    let secs = |list: [u64; 5]| list.map(|millis| Some(ms(millis)));
    let last = [None, None];
    let exact = secs([1_000, 4_000, 16_000, 60_000, 60_000]);
    let short = secs([750, 3_000, 12_000, 45_000, 45_000]);
    let long = secs([1_250, 5_000, 20_000, 75_000, 75_000]);
    assert!(waits(0.0).eq(exact.into_iter().chain(last)));
    assert!(waits(-1.0).eq(short.into_iter().chain(last)));
    assert!(waits(1.0).eq(long.into_iter().chain(last)));
}

proptest! {
    #[test]
    fn backoff_stays_within_a_quarter_of_its_cap(
        attempts in any::<[u32; 2]>(),
        waits in any::<[Duration; 2]>(),
        jitter in any::<f64>(),
    ) {
        let [max_attempts, attempt] = attempts;
        let [min_wait, max_wait] = waits;
        let backoff = Backoff { max_attempts, min_wait, max_wait };
        let wait = backoff.wait(attempt, jitter);
        prop_assert_eq!(wait.is_none(), attempt >= max_attempts);
        if let Some(wait) = wait {
            prop_assert!(wait <= max_wait.saturating_add(max_wait / 4));
            prop_assert!(wait >= min_wait.min(max_wait) / 4 * 3);
        }
    }
}

/// The groups of the random tests; the first has no limits.
const GROUPS: [&str; 5] = ["", "a", "b", "c", "d"];
const STREAMS: u32 = 3;
const DEFAULT: Rule = Rule {
    throttle: Duration::from_millis(7),
    parallelism: 1,
};

#[derive(Clone, Debug)]
enum Op {
    /// `behind`: by how much the order lags behind the newest.
    Push {
        stream: u32,
        group: usize,
        behind: u64,
        wait: Option<u64>,
    },
    Start,
    /// Ends any of the jobs in flight, and maybe has it tried again after a while.
    End {
        pick: Index,
        retry: Option<u64>,
        throttle: Option<u64>,
    },
    Open {
        stream: u32,
    },
    Close {
        stream: u32,
    },
    /// Lets through just the order of any queued job.
    Only {
        stream: u32,
        pick: Index,
    },
    Rule {
        group: usize,
        rule: Rule,
    },
    Remove {
        stream: u32,
    },
    Wait {
        millis: u64,
    },
    /// To the time the scheduler names.
    Jump,
}

fn op() -> impl Strategy<Value = Op> {
    let stream = 0..STREAMS;
    let group = 0..GROUPS.len();
    let wait = || proptest::option::weighted(0.2, 0_u64..30);
    let push = (stream.clone(), group.clone(), 0_u64..6, wait());
    let end = (any::<Index>(), wait(), wait());
    let rules = (prop_oneof![Just(0), 1_u64..20], 0_u32..4);
    prop_oneof![
        12 => push.prop_map(|(stream, group, behind, wait)| Op::Push { stream, group, behind, wait }),
        12 => Just(Op::Start),
        8 => end.prop_map(|(pick, retry, throttle)| Op::End { pick, retry, throttle }),
        2 => stream.clone().prop_map(|stream| Op::Open { stream }),
        1 => stream.clone().prop_map(|stream| Op::Close { stream }),
        2 => (stream.clone(), any::<Index>()).prop_map(|(stream, pick)| Op::Only { stream, pick }),
        2 => (group, rules).prop_map(|(group, (millis, parallelism))| Op::Rule {
            group,
            rule: rule(millis, parallelism),
        }),
        1 => stream.prop_map(|stream| Op::Remove { stream }),
        4 => (0_u64..25).prop_map(|millis| Op::Wait { millis }),
        4 => Just(Op::Jump),
    ]
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
    /// Not before this, for a retry; none once it is queued.
    at: Option<Time>,
    /// Tells equal orders apart: when it was queued, or for a retry pushed.
    arrival: u64,
}

#[derive(Debug)]
struct Live {
    group: usize,
    in_flight: u32,
    last: Option<Time>,
    throttle: Option<Time>,
}

/// What a scheduler is to do, found by looking at everything each time.
#[derive(Debug, Default)]
struct Model {
    now: Time,
    rules: Vec<(usize, Rule)>,
    live: Vec<Live>,
    jobs: Vec<Job>,
    /// Since when a stream might have started a job of a group.
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
            (0, _) => rule(0, u32::MAX),
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

    /// What holds at every moment, for the present one.
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
            (at.is_none() && starts).then_some((stream, group))
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
                true => self.has_room(live),
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

    /// The jobs of which one has to start now.
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

/// What a server sees of a group, kept for ever: politeness checked without the model.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    in_flight: u32,
    /// Until when the last start or end holds it back, since its rule last changed.
    until: Option<Time>,
}

/// A scheduler and a model of it, taken through the same.
struct Pair {
    scheduler: Scheduler<u32>,
    model: Model,
    seen: [Seen; GROUPS.len()],
    gates: [Gate; STREAMS as usize],
    flying: Vec<(Job, Turn)>,
    now: Time,
    /// Counts the jobs, and is the newest order too.
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
                    self.end(pick.index(self.flying.len()), retry, throttle);
                }
            }
            Op::Open { stream } => self.gates[stream as usize] = Gate::Open,
            Op::Close { stream } => self.gates[stream as usize] = Gate::Closed,
            Op::Only { stream, pick } => {
                let jobs = self.model.jobs.iter().filter(|job| job.stream == stream);
                let orders: Vec<u64> = jobs.map(|job| job.order).collect();
                if !orders.is_empty() {
                    self.gates[stream as usize] = Gate::Only(*pick.get(&orders));
                }
            }
            Op::Rule { group, rule } => {
                self.scheduler.set_rule(GROUPS[group], rule, self.now);
                self.model.rules.push((group, rule));
                self.model.update();
                self.seen[group].until = None;
            }
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
                // Whether it says so at a late call or at all calls, the state is the same.
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

    /// With all gates open, jumping from one named time to the next completes everything.
    fn finish(&mut self) {
        self.gates = [Gate::Open; STREAMS as usize];
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

proptest! {
    #[test]
    fn any_sequence_goes_as_the_model_says(ops in proptest::collection::vec(op(), 1..200)) {
        let mut pair = Pair::new();
        for op in ops {
            pair.apply(op);
        }
        pair.finish();
    }
}
