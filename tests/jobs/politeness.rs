//! Politeness, proved by what the server saw.
//!
//! A lower bound on the time between the arrivals of two requests of a group is exact: the first
//! had arrived before it was answered, its end came after that, and only then did the throttle
//! begin that the second waited for.

use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::raw::{Gate, Raw, answer};
use crate::support::*;
use rouet::{Job, JobStream, Pool, PoolConfig, StreamConfig};
use rouet_site::{Entry, Site};

const LONG: Duration = Duration::from_secs(3600);

/// A stream that connects every name to the site.
fn stream_to<T: Send + 'static>(pool: &Pool, site: &Site) -> JobStream<T> {
    stream_of(pool, |config| {
        config.options = options(|options| options.connect_to = all_to(site.port()));
    })
}

/// The same on a pool of its own that is not polite, and with more of a configuration.
fn stream_to_with(site: &Site, set: impl FnOnce(&mut StreamConfig)) -> JobStream {
    stream_of(&hasty_pool(), |config| {
        config.options = options(|options| options.connect_to = all_to(site.port()));
        set(config);
    })
}

/// Submits a job for each URL.
fn submit_all<'a>(stream: &JobStream, urls: impl IntoIterator<Item = &'a str>) {
    for url in urls {
        submit(stream, Job::request(url));
    }
}

fn hosts(log: &[Entry]) -> Vec<&str> {
    log.iter().map(|entry| entry.host.as_str()).collect()
}

#[track_caller]
fn assert_spaced(log: &[Entry], least: Duration) {
    for gap in gaps(log) {
        assert!(gap >= least, "{gap:?} is less than {least:?}");
    }
}

#[test]
fn requests_of_a_group_are_spaced() {
    let site = site();
    let stream = stream_to(&pool(ms(100), 1), &site);
    let jobs = (0..8).map(|i| Job::request(site.url(&format!("/bytes/{i}"))));
    assert_eq!(run(&stream, jobs).len(), 8);
    assert_eq!(site.log().len(), 8);
    assert_spaced(&site.log(), ms(100));
}

#[test]
fn a_request_that_met_a_closed_connection_waits_its_turn_to_be_made_again() {
    // Each connection's second request is dropped without an answer: any client makes it again,
    // and curl left alone would do so at once.
    let faults = faults();
    let path = "/keep-then-drop";
    let stream = stream(&pool(ms(100), 1));
    let results = run(&stream, (0..4).map(|_| Job::request(faults.url(path))));
    for result in &results {
        assert_eq!(
            (code(result), result.attempts),
            ("ok", 1),
            "{}",
            message(result)
        );
    }
    let times = faults.times(path);
    assert!(times.len() > 4, "none was dropped");
    // isahc does leave curl alone.
    let hasty = times
        .windows(2)
        .filter(|pair| pair[1] - pair[0] < ms(100))
        .count();
    assert_eq!(hasty, by_engine(0, times.len() - 4), "{times:?}");
}

#[test]
fn the_throttle_counts_from_the_end_of_a_slow_answer() {
    let site = site();
    let stream = stream_to(&pool(ms(100), 1), &site);
    let jobs = (0..4).map(|_| Job::request(site.url("/slow?ms=150")));
    assert_eq!(run(&stream, jobs).len(), 4);
    assert_spaced(&site.log(), ms(250));
    assert_eq!(site.max_in_flight("127.0.0.1"), 1);
}

#[test]
fn the_throttle_counts_from_starts_while_others_are_in_flight() {
    let site = site();
    let stream = stream_to(&pool(ms(200), 10), &site);
    for _ in 0..4 {
        submit(&stream, Job::request(site.url("/hang")));
    }
    eventually("all are in flight", || site.log().len() == 4);
    // A request may have been on its way for longer than the next one.
    let gaps = gaps(&site.log());
    assert!(gaps.iter().sum::<Duration>() >= ms(500), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap >= ms(100)), "{gaps:?}");
}

#[test]
fn failures_are_spaced_as_answers_are() {
    let faults = faults();
    let stream = stream(&pool(ms(100), 1));
    let jobs = (0..5).map(|_| Job::request(faults.url("/close")));
    assert_eq!(run(&stream, jobs).len(), 5);
    let times = faults.times("/close");
    assert_eq!(times.len(), 5);
    assert!(
        times.windows(2).all(|pair| pair[1] - pair[0] >= ms(100)),
        "{times:?}"
    );
}

#[test]
fn a_group_has_as_many_in_flight_as_it_may_and_no_more() {
    let site = site();
    for parallelism in [1, 3] {
        site.clear_log();
        let stream = stream_to(&pool(Duration::ZERO, parallelism), &site);
        let jobs = (0..15).map(|_| Job::request(site.url("/slow?ms=30")));
        assert_eq!(run(&stream, jobs).len(), 15);
        assert_eq!(site.max_in_flight("127.0.0.1"), parallelism as usize);
    }
}

#[test]
fn every_host_without_a_registrable_domain_is_its_own_group() {
    let site = site();
    // Hosts of the made-up suffix `test`; more than there are shards.
    let names: Vec<String> = (0..30)
        .map(|i| format!("http://{i}.site.test/hang"))
        .collect();
    let stream = stream_to(&pool(LONG, 1), &site);
    submit_all(&stream, names.iter().map(String::as_str));
    submit_all(&stream, ["http://127.0.0.1/hang", "http://127.0.0.2/hang"]);
    eventually("all arrive", || site.log().len() == 32);
}

#[test]
fn subdomains_of_a_registrable_domain_are_one_group() {
    let site = site();
    let stream = stream_to(&pool(ms(100), 1), &site);
    submit_all(
        &stream,
        [
            "http://a.example.co.uk/text",
            "http://b.example.co.uk/text",
            "https://nothing.to.do.with.it.example.com/",
            "http://example.co.uk/text",
            "http://EXAMPLE.co.uk./text",
            "http://a.b.c.example.co.uk:81/text",
        ],
    );
    stream.finish();
    drain(&stream);
    assert_eq!(site.log().len(), 5);
    assert_spaced(&site.log(), ms(100));
}

#[test]
fn those_who_share_a_private_suffix_are_groups_of_their_own() {
    let site = site();
    let stream = stream_to(&pool(LONG, 1), &site);
    let urls = [
        "http://x.github.io/hang",
        "http://y.github.io/hang",
        "http://www.x.github.io/never",
        "http://a.co.uk/hang",
        "http://b.co.uk/hang",
    ];
    submit_all(&stream, urls);
    eventually("those of their own arrive", || site.log().len() == 4);
    stream.cancel();
    drain(&stream);
    assert!(
        site.log().iter().all(|entry| entry.path == "/hang"),
        "{:?}",
        site.log()
    );
}

#[test]
fn jobs_may_name_their_group() {
    let site = site();
    let stream = stream_to(&pool(ms(100), 1), &site);
    for i in 0..6 {
        submit(
            &stream,
            Job::request(format!("http://host-{i}.test/text")).group("ours"),
        );
    }
    stream.finish();
    drain(&stream);
    assert_eq!(site.log().len(), 6);
    assert_spaced(&site.log(), ms(100));

    // And one host may be in several.
    site.clear_log();
    let stream = stream_to(&pool(LONG, 1), &site);
    for i in 0..6 {
        submit(
            &stream,
            Job::request("http://a.test/hang").group(format!("group {i}")),
        );
    }
    eventually("all arrive", || site.log().len() == 6);
}

#[test]
fn the_empty_group_is_unconstrained() {
    let site = site();
    let stream = stream_to(&pool(LONG, 1), &site);
    for _ in 0..30 {
        submit(&stream, Job::request(site.url("/hang")).group(""));
    }
    eventually("all arrive", || site.log().len() == 30);
}

#[test]
fn politeness_outlives_a_stream() {
    let site = site();
    let pool = pool(ms(300), 1);
    for _ in 0..3 {
        let stream = stream_to(&pool, &site);
        assert_eq!(run(&stream, [Job::request(site.url("/text"))]).len(), 1);
    }
    assert_spaced(&site.log(), ms(300));
}

#[test]
fn politeness_outlives_what_was_cancelled() {
    let site = site();
    let pool = pool(ms(300), 1);
    {
        let stream = stream_to(&pool, &site);
        submit(&stream, Job::request(site.url("/hang")));
        eventually("in flight", || site.log().len() == 1);
    }
    let stream = stream_to(&pool, &site);
    run(&stream, [Job::request(site.url("/text"))]);
    assert_spaced(&site.log(), ms(300));
}

#[test]
fn streams_at_once_share_their_politeness() {
    let site = site();
    let pool = pool(ms(50), 1);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let stream = stream_to(&pool, &site);
                run(&stream, (0..4).map(|_| Job::request(site.url("/text"))));
            });
        }
    });
    assert_eq!(site.log().len(), 12);
    assert_spaced(&site.log(), ms(50));
}

#[test]
fn a_domain_may_have_a_rule_of_its_own() {
    let site = site();
    let pool = pool(Duration::ZERO, 1);
    pool.set_domain_rule("slow.test", rule(ms(200), 1)).unwrap();
    pool.set_domain_rule("example.com", rule(Duration::ZERO, 4))
        .unwrap();
    assert!(pool.set_domain_rule("x.test", rule(LONG, 0)).is_err());
    let stream = stream_to(&pool, &site);
    for i in 0..12 {
        submit(
            &stream,
            Job::request(format!("http://{i}.example.com/slow?ms=30")).group("example.com"),
        );
        if i % 3 == 0 {
            submit(&stream, Job::request("http://slow.test/text"));
        }
    }
    stream.finish();
    drain(&stream);
    let log = site.log();
    let (slow, wide): (Vec<Entry>, Vec<Entry>) =
        log.into_iter().partition(|entry| entry.host == "slow.test");
    assert_eq!((slow.len(), wide.len()), (4, 12));
    assert_spaced(&slow, ms(200));
    assert_eq!(most_at_once(&wide), 4);
}

/// However its host is written, it is the rule of its group.
#[test]
fn a_rule_is_for_the_host_that_its_name_reads_as() {
    let site = site();
    let rule = rule(ms(150), 1);
    for (name, url) in [
        ("Ex.COM", "http://www.ex.com/text"),
        ("ex.com.", "http://ex.com/text"),
        ("http://ex.com/", "http://ex.com./text"),
        ("HTTPS://EX.com", "ex.com/text"),
        ("bücher.com", "http://xn--bcher-kva.com/text"),
        ("xn--bcher-kva.com", "http://www.bücher.com/text"),
        ("0x7f.1", "http://127.0.0.1/text"),
        ("::1", "http://[::1]/text"),
    ] {
        let pool = pool(Duration::ZERO, 8);
        pool.set_domain_rule(name, rule).expect(name);
        let before = site.log().len();
        let stream = stream_to(&pool, &site);
        run(&stream, (0..3).map(|_| Job::request(url)));
        assert_eq!(site.log().len(), before + 3, "{name}");
        assert_spaced(&site.log()[before..], ms(150));
    }
    // And a group of a job's own that is written so has it too.
    let pool = pool(Duration::ZERO, 8);
    pool.set_domain_rule("My.Group", rule).unwrap();
    let before = site.log().len();
    let job = |i| Job::request(format!("http://{i}.test/text")).group("My.Group");
    run(&stream_to(&pool, &site), (0..3).map(job));
    assert_spaced(&site.log()[before..], ms(150));
    for name in [
        "WWW.Ex.com",
        "http://www.ex.com/",
        "ex.com:8080",
        "http://ex.com/x",
        "http://",
        "",
    ] {
        match pool.set_domain_rule(name, rule) {
            Err(rouet::Error::InvalidArgument(why)) => assert!(why.starts_with("domain "), "{why}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_result_tells_its_group() {
    let site = site();
    let stream = stream_to_with(&site, |config| config.passthrough = true);
    let inferring = options(|options| {
        options.infer_redirection = true;
        options.connect_to = all_to(site.port());
    });
    for (job, expected) in [
        (Job::request("http://www.ex.co.uk/text"), Some("ex.co.uk")),
        (Job::resolve("http://www.ex.co.uk/text"), Some("ex.co.uk")),
        (Job::request(" \u{feff}\"EX.com/text\" "), Some("ex.com")),
        (
            Job::request("http://bücher.de/text"),
            Some("xn--bcher-kva.de"),
        ),
        (
            Job::request("http://me:secret@a.test:81/text"),
            Some("a.test"),
        ),
        (Job::request("http://[::1]/text"), Some("[::1]")),
        (Job::request("http://ex.com/text").group("own"), Some("own")),
        (Job::request("http://ex.com/text").group(""), Some("")),
        // That it waited for, not where it was led.
        (
            Job::request("http://ex.com/redirect-to?url=http://other.com/text"),
            Some("ex.com"),
        ),
        (
            Job::request("http://ex.com/?url=http%3A%2F%2Fother.com%2Ftext").options(inferring),
            Some("other.com"),
        ),
        (Job::request("http://"), None),
        (Job::request("/about").group("own"), None),
        (Job::request(""), None),
    ] {
        let url = job.url.clone();
        let own = job.group.is_some() || job.options.is_some();
        submit(&stream, job);
        let result = take(&stream);
        assert_eq!(result.group(), expected, "{url:?}");
        if let (false, Some(group)) = (own, expected) {
            assert_eq!(rouet::url_group(&url).as_deref(), Ok(group));
        }
    }
    let page = rouet::JobResult::of_page(Some("www.ex.com/x"), None, None, Vec::new());
    assert_eq!(page.unwrap().group(), Some("ex.com"));
    // A callback may change what a result says.
    let callback: rouet::Callback = Arc::new(|_, result| {
        result.url = Some("é".into());
        Ok(())
    });
    let stream = stream_to_with(&site, |config| config.callback = Some(callback.clone()));
    submit(&stream, Job::request("http://ex.com/text"));
    assert_eq!(take(&stream).group(), None);
}

/// It would wait for itself.
#[test]
fn a_group_is_not_held_from_within() {
    static POOL: OnceLock<Pool> = OnceLock::new();
    static SAID: Mutex<String> = Mutex::new(String::new());
    let site = site();
    let config = PoolConfig::default().throttle_fn(|group, _| {
        let held = POOL.get().expect("set below").hold(group);
        *SAID.lock().unwrap() = held.unwrap_err().to_string();
        None
    });
    let pool = POOL.get_or_init(|| Pool::new(config).unwrap());
    run(
        &stream_to(pool, &site),
        [Job::request("http://ex.com/text")],
    );
    let said = SAID.lock().unwrap();
    assert!(said.contains("throttle_fn"), "{said}");
}

#[test]
fn a_held_group_starts_nothing_until_it_is_released() {
    let site = site();
    let pool = pool(Duration::ZERO, 2);
    let (stream, other) = (stream_to(&pool, &site), stream_to(&pool, &site));
    submit(&stream, Job::request("http://www.ex.com/slow?ms=500"));
    while pool.stats().in_flight == 0 {
        thread::sleep(ms(5));
    }
    assert_eq!(pool.hold("http://Ex.com/").unwrap(), 1, "it goes on");
    for stream in [&stream, &other] {
        submit(stream, Job::request("http://ex.com/text"));
        submit(stream, Job::request("http://b.test/text"));
    }
    assert_eq!(take(&other).group(), Some("b.test"));
    assert!((0..2).all(|_| take(&stream).status == 200));
    assert_eq!(pool.hold("ex.com").unwrap(), 0, "it has ended");
    thread::sleep(ms(50));
    assert_eq!(site.log().len(), 3);
    // What is held is cancelled at once.
    other.cancel();
    let cancelled = take(&other).error.map(|failure| failure.code);
    assert_eq!(cancelled, Some(rouet::ErrorCode::Cancelled));
    assert_eq!(stream.pending(), 1);
    pool.release("ex.com").unwrap();
    assert_eq!(take(&stream).status, 200);

    // A group may be held before it has a job, and what ends a pool does not wait for its release.
    assert_eq!(pool.hold("my group").unwrap(), 0);
    submit(
        &stream,
        Job::request("http://c.test/text").group("my group"),
    );
    for name in ["", "www.ex.com", "http://"] {
        assert!(pool.hold(name).is_err() && pool.release(name).is_err());
    }
    let began = Instant::now();
    drop((stream, other, pool));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(site.log().len(), 4);
}

#[test]
fn a_new_rule_holds_at_once() {
    let site = site();
    let pool = pool(LONG, 1);
    let stream = stream_to(&pool, &site);
    for _ in 0..3 {
        submit(&stream, Job::request("http://a.test/text"));
    }
    take(&stream);
    pool.set_domain_rule("a.test", rule(ms(1), 1)).unwrap();
    take(&stream);
    take(&stream);
}

/// The most requests that were under way at once.
fn most_at_once(log: &[Entry]) -> usize {
    let mut steps: Vec<(Duration, isize)> = log
        .iter()
        .flat_map(|entry| [(entry.at, 1), (entry.ended, -1)])
        .collect();
    // At the same time an end comes before a start.
    steps.sort_unstable();
    let (mut now, mut most) = (0_isize, 0);
    for (_, step) in steps {
        now += step;
        most = most.max(now);
    }
    most.unsigned_abs()
}

#[test]
fn a_group_that_hangs_does_not_hold_up_the_others() {
    let site = site();
    for max_workers in [2, 3] {
        let pool = pool_of(ms(1), 1, max_workers, 2);
        let stream = stream_to(&pool, &site);
        for _ in 0..20 {
            let job = Job::request("http://stuck.test/hang");
            submit(&stream, job.item("stuck"));
        }
        for i in 0..40 {
            let job = Job::request(format!("http://{}.test/text", i % 5));
            submit(&stream, job.item("other"));
        }
        for _ in 0..40 {
            assert_eq!(take_pair(&stream).0, "other");
        }
    }
}

#[test]
fn a_group_that_waits_for_its_throttle_occupies_no_worker() {
    let site = site();
    let pool = pool_of(LONG, 1, 1, 1);
    let stream = stream_to(&pool, &site);
    for _ in 0..20 {
        submit(&stream, Job::request("http://first.test/text"));
    }
    for i in 0..20 {
        submit(&stream, Job::request(format!("http://{i}.test/text")));
    }
    for _ in 0..21 {
        assert_ok(&take(&stream));
    }
}

#[test]
fn there_are_never_more_transfers_than_workers() {
    let site = site();
    for (max_workers, threads) in [(1, 1), (5, 2), (5, 4), (7, 7)] {
        site.clear_log();
        let pool = pool_of(Duration::ZERO, 2, max_workers, threads);
        thread::scope(|scope| {
            for number in 0..3 {
                let (pool, site) = (&pool, &site);
                scope.spawn(move || {
                    let stream = stream_to(pool, site);
                    let jobs = (0..20)
                        .map(|i| Job::request(format!("http://{number}-{i}.test/slow?ms=20")));
                    assert_eq!(run(&stream, jobs).len(), 20);
                });
            }
        });
        assert_eq!(site.log().len(), 60);
        assert_eq!(
            most_at_once(&site.log()),
            max_workers as usize,
            "{threads} threads"
        );
        assert_eq!(pool.stats().in_flight, 0);
    }
}

#[test]
fn the_state_of_a_group_is_kept_for_its_throttle_and_then_dropped() {
    let site = site();
    let pool = pool(ms(500), 1);
    let stream = stream_to(&pool, &site);
    for i in 0..50 {
        submit(&stream, Job::request(format!("http://{i}.test/text")));
    }
    for _ in 0..50 {
        take(&stream);
    }
    let groups = pool.stats().groups;
    assert!((1..=50).contains(&groups), "{groups}");
    eventually("all are dropped", || pool.stats().groups == 0);
}

/// A server whose `/held` answers once the gate is open, and a pool of one worker that it holds.
fn one_worker_held(stream: impl Fn(&Pool, u16) -> JobStream) -> (Pool, JobStream, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Raw::start(move |_| {
        held.pass();
        answer("200 OK", &[], "held")
    });
    let pool = pool_of(Duration::ZERO, 1, 1, 1);
    let holding = stream(&pool, server.port());
    submit(&holding, Job::request(server.url("/held")).group("holding"));
    eventually("held", || pool.stats().in_flight == 1);
    (pool, holding, gate)
}

#[test]
fn groups_take_turns() {
    let site = site();
    let (pool, _holding, gate) = one_worker_held(|pool, _| stream(pool));
    let stream = stream_to(&pool, &site);
    for host in ["a.test", "b.test", "c.test"] {
        submit_all(&stream, [&*format!("http://{host}/text"); 5]);
    }
    gate.open();
    stream.finish();
    drain(&stream);
    let log = site.log();
    let turns = hosts(&log);
    for round in turns.chunks(3) {
        let mut round = round.to_vec();
        round.sort_unstable();
        assert_eq!(round, ["a.test", "b.test", "c.test"], "{turns:?}");
    }
}

#[test]
fn streams_take_turns() {
    let site = site();
    let (pool, _holding, gate) = one_worker_held(|pool, _| stream(pool));
    let streams = [stream_to(&pool, &site), stream_to(&pool, &site)];
    for (number, stream) in streams.iter().enumerate() {
        // Many groups in one of them are no reason to have more turns.
        for i in 0..10 {
            let host = format!("{number}-{}.test", if number == 0 { i } else { 0 });
            submit(stream, Job::request(format!("http://{host}/text")));
        }
    }
    gate.open();
    for stream in &streams {
        stream.finish();
        drain(stream);
    }
    let log = site.log();
    let turns: Vec<&str> = hosts(&log).into_iter().map(|host| &host[..1]).collect();
    for pair in turns.chunks(2) {
        assert_ne!(pair[0], pair[1], "{turns:?}");
    }
}

#[test]
fn jobs_of_a_group_start_in_the_order_they_were_handed_in() {
    let site = site();
    let stream = stream_to(&pool(Duration::ZERO, 1), &site);
    let jobs = (0..50).map(|i| Job::request(site.url(&format!("/bytes/{i}"))));
    run(&stream, jobs);
    let paths: Vec<String> = site.log().into_iter().map(|entry| entry.path).collect();
    let expected: Vec<String> = (0..50).map(|i| format!("/bytes/{i}")).collect();
    assert_eq!(paths, expected);
}

#[test]
fn a_redirection_counts_for_the_group_of_the_job() {
    let site = site();
    let stream = stream_to(&pool(ms(100), 1), &site);
    submit_all(
        &stream,
        [
            "http://a.test/redirect-to?url=http://b.test/slow%3fms=100",
            "http://a.test/text",
        ],
    );
    stream.finish();
    drain(&stream);
    let log = site.log();
    assert_eq!(hosts(&log), ["a.test", "b.test", "a.test"]);
    assert!(log[2].at - log[1].at >= ms(200), "{:?}", gaps(&log));
}
