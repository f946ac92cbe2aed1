//! Each behaviour by an example, then all of them together against a naive model.

use super::retry::Backoff;
use super::*;
use proptest::prelude::*;

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
fn a_held_group_starts_nothing_until_it_is_released() {
    let mut jobs = Names::new(rule(10, 2), None);
    jobs.push(A, "a", 0, "first", ms(0));
    let (started, turns) = starts(&mut jobs, 0);
    assert_eq!(started, ["first"]);
    assert_eq!(jobs.hold("a", ms(1)), 1, "one is in flight");
    jobs.push(A, "a", 1, "second", ms(2));
    jobs.push_at(A, "a", 2, "a retry", ms(20), ms(2));
    jobs.push(A, "b", 3, "another's", ms(2));
    assert_eq!(starts(&mut jobs, 50).0, ["another's"]);
    end(&mut jobs, turns, 60);
    assert_eq!(jobs.hold("a", ms(60)), 0);
    assert!(starts(&mut jobs, 99).0.is_empty());
    assert_eq!(
        jobs.next_time(),
        None,
        "only its release can change anything"
    );
    jobs.release("a", ms(99));
    assert_eq!(starts(&mut jobs, 99).0, ["second"]);
    assert_eq!(starts(&mut jobs, 109).0, ["a retry"]);
}

#[test]
fn a_group_is_held_though_it_has_no_job_and_its_state_is_dropped() {
    let mut jobs = Names::new(rule(10, 1), None);
    assert_eq!(jobs.hold("a", ms(0)), 0);
    jobs.hold("", ms(0));
    assert_eq!(jobs.groups(), 0);
    jobs.push(A, "a", 0, "held", ms(0));
    jobs.push(A, "", 1, "free", ms(0));
    assert_eq!(starts(&mut jobs, 0).0, ["free"]);
    assert_eq!(jobs.remove_stream(A), ["held"], "it can be cancelled");
    jobs.push(A, "a", 2, "again", ms(500));
    jobs.start_anew(ms(500));
    jobs.push(A, "a", 3, "held still", ms(500));
    assert!(starts(&mut jobs, 999).0.is_empty());
    jobs.release("a", ms(999));
    jobs.release("a", ms(999));
    assert_eq!(starts(&mut jobs, 999).0, ["held still"]);
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
    // Group b is gone at once; a goes on as politely as before.
    assert_eq!((jobs.queued(), jobs.groups(), jobs.in_flight()), (1, 1, 1));
    end(&mut jobs, turns, 5);
    assert!(starts(&mut jobs, 14).0.is_empty());
    assert_eq!(starts(&mut jobs, 15).0, ["other"]);
}

#[test]
fn a_scheduler_that_starts_anew_has_no_job_and_forgets_no_wait() {
    let mut jobs = Scheduler::new(rule(100, 1), None);
    jobs.set_rule("slow", rule(300, 1), ms(0));
    for (order, group) in ["a", "slow", "told", "a"].into_iter().enumerate() {
        jobs.push(StreamId(0), group, order as u64, group, ms(0));
    }
    jobs.push_at(StreamId(0), "b", 9, "b", ms(50), ms(0));
    let (started, mut turns) = starts(&mut jobs, 0);
    assert_eq!(started, ["a", "slow", "told"]);
    jobs.end(turns.remove(2), Some(ms(200)), ms(0));

    jobs.start_anew(ms(40));
    assert_eq!((jobs.queued(), jobs.in_flight(), jobs.groups()), (0, 0, 3));
    for (order, group) in ["a", "slow", "told", "b"].into_iter().enumerate() {
        jobs.push(StreamId(0), group, order as u64, group, ms(40));
    }
    assert_eq!(starts(&mut jobs, 139).0, ["b"], "nobody has heard of it");
    assert_eq!(starts(&mut jobs, 140).0, ["a"]);
    assert_eq!(starts(&mut jobs, 240).0, ["told"]);
    assert_eq!(starts(&mut jobs, 339).0, [] as [&str; 0]);
    assert_eq!(starts(&mut jobs, 340).0, ["slow"]);
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
    // This is not timed: if any step looked at all groups, it would run for hours.
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

proptest! {
    #[test]
    fn any_sequence_goes_as_the_model_says(bytes in proptest::collection::vec(any::<u8>(), 1..1_000)) {
        model::run(&bytes);
    }
}
