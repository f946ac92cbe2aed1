//! Streams: laziness, bounds, order, cancelling, and many threads at once.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::raw::{Gate, Raw, answer};
use crate::support::*;
use futures_util::{Stream as _, StreamExt as _};
use rouet::{Error, Job, JobResult, JobStream, Next, Pool, Retry, StreamConfig};
use rouet_site::Site;
use tokio::runtime::Builder;

/// Hands in jobs made of their numbers from `from` on, until there is no room.
fn fill(stream: &JobStream<u64>, from: u64, job: impl Fn(u64) -> Job) -> u64 {
    let mut count = from;
    // Room may come for as long as jobs start.
    loop {
        match stream.submit(job(count).item(count), Some(ms(300))) {
            Ok(()) => count += 1,
            Err(refused) => {
                assert_eq!(refused.error, Error::Full);
                return count;
            }
        }
        assert!(count < from + 100_000, "no end of room");
    }
}

/// Every result but those taken, by item.
fn rest_by_item(stream: &JobStream<u64>) -> Vec<(u64, JobResult)> {
    stream.finish();
    let mut pairs = drain_pairs(stream);
    pairs.sort_by_key(|(item, _)| *item);
    pairs
}

#[test]
fn a_stream_whose_results_nobody_takes_comes_to_a_stop() {
    let site = site();
    for ordered in [false, true] {
        site.clear_log();
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = 20;
            config.ordered = ordered;
        });
        let accepted = fill(&stream, 0, |_| Job::request(site.url("/bytes/10")));
        let most = if ordered { 20 } else { 40 };
        assert_eq!(accepted, most);
        eventually("started", || stream.stats().started == 20);
        let stats = stream.stats();
        assert_eq!((stats.accepted, stats.held), (most, most - 20));
        assert_eq!((stats.delivered, stats.failed), (0, 0));
        eventually("done", || site.log().len() == 20);
        assert_eq!(stream.pending() as u64, most);

        let pairs = rest_by_item(&stream);
        assert_eq!(items(&pairs), (0..most).collect::<Vec<_>>());
        assert_eq!(stream.stats().held + stream.stats().started, 0);
        assert_eq!(stream.stats().buffered_bytes, 0);
        assert_eq!(site.log().len() as u64, most);
    }
}

#[test]
fn a_buffer_of_one_is_enough() {
    let site = site();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = 1;
            config.ordered = ordered;
        });
        thread::scope(|scope| {
            scope.spawn(|| {
                for item in 0..200 {
                    submit(&stream, Job::request(site.url("/bytes/10")).item(item));
                }
                stream.finish();
            });
            let pairs = drain_pairs(&stream);
            assert_eq!(items(&pairs), (0..200).collect::<Vec<_>>());
        });
    }
}

/// However it is made up: a result that goes by ten URLs of 20 KB holds 200 KB.
#[test]
fn all_that_a_result_holds_weighs() {
    const PATH: usize = 20_000;
    const MOST: u64 = 300_000;
    let server = Raw::start(|request| {
        let number: usize = request.target[1..2].parse().expect("a number");
        let next = format!("Location: /{}{}", number + 1, "x".repeat(PATH));
        match number {
            9 => answer("200 OK", &[], ""),
            _ => answer("302 Found", &[&next], ""),
        }
    });
    let pool = pool_of(Duration::ZERO, 64, 4, 1);
    let stream = stream_of(&pool, |config| config.max_buffered_bytes = MOST);
    for _ in 0..25 {
        submit(&stream, Job::request(server.url("/0")));
    }
    eventually("full", || {
        stream.stats().buffered_bytes >= MOST && pool.stats().in_flight == 0
    });
    let stats = stream.stats();
    // Two, and those that were under way.
    assert!(stats.started <= 2 + 4, "{stats:?}");
    assert!(
        stats.buffered_bytes >= stats.started * 9 * PATH as u64,
        "{stats:?}"
    );
    stream.finish();
    assert_eq!(drain(&stream).len(), 25);
    assert_eq!(stream.stats().buffered_bytes, 0);
}

/// A message that names a long URL.
#[test]
fn an_error_weighs_too() {
    let pool = hasty_pool();
    let stream = stream(&pool);
    let url = format!("ftp://example.com/{}", "x".repeat(100_000));
    submit(&stream, Job::request(url));
    eventually("done", || {
        stream.stats().started == 1 && pool.stats().in_flight == 0
    });
    eventually("counted", || stream.stats().buffered_bytes > 100_000);
    assert_eq!(code(&take(&stream)), "invalid-url");
    assert_eq!(stream.stats().buffered_bytes, 0);
}

#[test]
fn results_that_weigh_too_much_hold_the_stream_back() {
    let site = site();
    for ordered in [false, true] {
        site.clear_log();
        let stream = stream_of(&pool_of(Duration::ZERO, 64, 2, 2), |config| {
            config.max_buffered_bytes = 300_000;
            config.buffer_size = 100;
            config.ordered = ordered;
        });
        for item in 0..50 {
            submit(&stream, Job::request(site.url("/bytes/100000")).item(item));
        }
        eventually("full", || stream.stats().buffered_bytes >= 300_000);
        let halted = stream.stats();
        // Those in flight when the bound was reached are let go on: one a worker.
        assert!(halted.started <= 5, "{halted:?}");
        assert!(halted.buffered_bytes < 600_000, "{halted:?}");
        assert!(site.log().len() <= 5, "{}", site.log().len());
        assert_eq!(rest_by_item(&stream).len(), 50);
        assert_eq!(stream.stats().buffered_bytes, 0);
    }
}

#[test]
fn a_result_larger_than_the_bound_still_comes() {
    let site = site();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.max_buffered_bytes = 1;
            config.ordered = ordered;
        });
        let jobs = (0..5).map(|item| Job::request(site.url("/bytes/100000")).item(item));
        assert_eq!(run(&stream, jobs).len(), 5);
    }
}

#[test]
fn ordered_results_come_as_submitted() {
    let site = site();
    let stream = stream_of(&hasty_pool(), |config| {
        config.ordered = true;
        config.buffer_size = 64;
    });
    let mut random = fastrand::Rng::with_seed(7);
    thread::scope(|scope| {
        scope.spawn(|| {
            for item in 0..300 {
                let path = match random.u64(0..10) {
                    0 => "/nosuch".to_owned(),
                    1 => "/redirect/2".to_owned(),
                    _ => format!("/slow?ms={}", random.u64(0..30)),
                };
                let url = match item % 17 {
                    3 => "ftp://nowhere/".to_owned(),
                    _ => site.url(&path),
                };
                submit(&stream, Job::request(url).item(item));
            }
            stream.finish();
        });
        assert_eq!(items(&drain_pairs(&stream)), (0..300).collect::<Vec<_>>());
    });
}

/// A server whose `/held` answers once the gate is open.
fn gated() -> (Raw, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Raw::start(move |request| {
        if request.target.starts_with("/held") {
            held.pass();
        }
        answer("200 OK", &[], "ok")
    });
    (server, gate)
}

#[test]
fn a_stuck_job_of_an_ordered_stream_holds_back_what_is_beyond_its_window() {
    let ((server, gate), site) = (gated(), site());
    let stream = stream_of(&hasty_pool(), |config| {
        config.ordered = true;
        config.buffer_size = 16;
    });
    let accepted = fill(&stream, 0, |item| match item {
        0 => Job::request(server.url("/held")),
        _ => Job::request(site.url("/bytes/10")),
    });
    assert_eq!(accepted, 16);
    eventually("the others are done", || {
        site.log()
            .iter()
            .filter(|entry| entry.status == 200)
            .count()
            == 15
    });
    assert!(matches!(stream.next(Some(Duration::ZERO)), Next::Nothing));
    gate.open();
    assert_eq!(items(&rest_by_item(&stream)), (0..16).collect::<Vec<_>>());
}

#[test]
fn the_job_an_ordered_stream_waits_for_starts_whatever_the_others_weigh() {
    let site = site();
    let pool = hasty_pool();
    pool.set_domain_rule("slow", rule(ms(600), 1)).unwrap();
    // From now on the group has to wait.
    let first = stream(&pool);
    run(&first, [Job::request(site.url("/text")).group("slow")]);

    let stream = stream_of(&pool, |config| {
        config.ordered = true;
        config.max_buffered_bytes = 150_000;
    });
    let jobs = (0..20).map(|item| {
        let job = Job::request(site.url("/bytes/100000")).item(item);
        if item % 10 == 0 {
            job.group("slow")
        } else {
            job
        }
    });
    for job in jobs {
        submit(&stream, job);
    }
    eventually("full", || stream.stats().buffered_bytes >= 150_000);
    stream.finish();
    assert_eq!(items(&drain_pairs(&stream)), (0..20).collect::<Vec<_>>());
}

#[test]
fn the_job_an_ordered_stream_waits_for_is_retried_whatever_the_others_weigh() {
    let (site, faults) = (site(), faults());
    let stream = stream_of(&hasty_pool(), |config| {
        config.ordered = true;
        config.max_buffered_bytes = 150_000;
        config.options = options(|options| {
            options.retry = Some(Retry::default().min_wait(ms(300)));
        });
    });
    submit(&stream, Job::request(faults.url("/flaky/head/1")).item(0));
    eventually("failed once", || faults.requests("/flaky/head/1") == 1);
    for item in 1..20 {
        submit(&stream, Job::request(site.url("/bytes/100000")).item(item));
    }
    stream.finish();
    let pairs = drain_pairs(&stream);
    assert_eq!(items(&pairs), (0..20).collect::<Vec<_>>());
    assert_eq!(pairs[0].1.attempts, 2);
}

#[test]
fn unordered_results_come_as_they_are_done() {
    let (server, gate) = gated();
    let stream = stream(&hasty_pool());
    submit(&stream, Job::request(server.url("/held")).item(1));
    submit(&stream, Job::request(server.url("/")).item(2));
    assert_eq!(take_pair(&stream).0, 2);
    gate.open();
    assert_eq!(take_pair(&stream).0, 1);
}

#[test]
fn a_job_without_url_passes_through_or_is_refused() {
    let pool = hasty_pool();
    for url in ["", "  ", "\n"] {
        let strict = stream(&pool);
        match strict.submit(Job::request(url), None) {
            Err(refused) => match refused.error {
                Error::InvalidArgument(why) => assert!(why.contains("url"), "{why}"),
                other => panic!("{other:?}"),
            },
            Ok(()) => panic!("accepted"),
        }
        assert_eq!(strict.stats().accepted, 0);
        for ordered in [false, true] {
            let lenient = stream_of(&pool, |config| {
                config.passthrough = true;
                config.ordered = ordered;
            });
            submit(&lenient, Job::resolve(url).item(5));
            let (item, result) = take_pair(&lenient);
            assert_ok(&result);
            assert_eq!((result.url.as_deref(), item, result.status), (None, 5, 0));
            assert_eq!((result.attempts, result.stack.len()), (0, 0));
            assert_eq!(result.end_url(), None);
            assert!(result.headers.is_empty() && result.body.is_empty());
        }
    }
}

#[test]
fn bad_urls_are_held_back_like_any_other() {
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = 16;
            config.ordered = ordered;
        });
        let bad = |item| Job::request(format!("ftp://bad/{item}"));
        let accepted = fill(&stream, 0, bad);
        assert_eq!(accepted, if ordered { 16 } else { 32 });
        thread::scope(|scope| {
            scope.spawn(|| {
                for item in accepted..10_000 {
                    submit(&stream, bad(item).item(item));
                }
                stream.finish();
            });
            let pairs = drain_pairs(&stream);
            let came: HashSet<u64> = items(&pairs).into_iter().collect();
            assert_eq!((pairs.len(), came.len()), (10_000, 10_000));
            assert!(
                pairs
                    .iter()
                    .all(|(_, result)| code(result) == "invalid-url")
            );
        });
        assert_eq!(stream.stats().failed, 10_000);
    }
}

#[test]
fn much_that_needs_no_network_is_done_to_its_end() {
    let (server, gate) = gated();
    let stream = stream(&pool_of(Duration::ZERO, 1, 1, 1));
    submit(&stream, Job::request(server.url("/held")).item(0));
    // All are there, and nothing more is heard from outside, when the one worker comes free.
    for item in 1..1000 {
        submit(&stream, Job::request("ftp://bad/").item(item));
    }
    gate.open();
    assert_eq!(rest_by_item(&stream).len(), 1000);
}

/// What an item may be: anything, such as what the caller knows of the URL.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    line: u64,
    words: Vec<String>,
}

#[test]
fn an_item_comes_back_as_it_was() {
    let stream = stream(&hasty_pool());
    for url in ["ftp://bad/", "http://127.0.0.1:1/"] {
        let row = Row {
            line: u64::MAX,
            words: vec![url.to_owned(), String::new()],
        };
        submit(&stream, Job::resolve(url).item(row.clone()));
        let (item, result) = take_pair(&stream);
        assert_eq!(item, row);
        assert_eq!(
            (result.kind, result.url.as_deref()),
            (rouet::Kind::Resolve, Some(url))
        );
    }
}

#[test]
fn a_full_stream_gives_the_job_back() {
    let (server, gate) = gated();
    let stream = stream_of(&hasty_pool(), |config| {
        config.buffer_size = 1;
        config.ordered = true;
    });
    let held = Job::request(server.url("/held"));
    submit(&stream, held.item("held".to_owned()));
    let job = Job::request("http://a.test/");
    let job = job.item("nine".to_owned()).group("g");
    let began = Instant::now();
    let refused = stream.submit(job, Some(ms(50))).unwrap_err();
    assert_eq!(refused.error, Error::Full);
    let job = refused.job;
    assert_eq!((&*job.url, &*job.item), ("http://a.test/", "nine"));
    assert_eq!(job.group.as_deref(), Some("g"));
    assert!(began.elapsed() >= ms(50));
    gate.open();
}

#[test]
fn a_closed_stream_takes_no_more_jobs() {
    let pool = hasty_pool();
    let (finished, cancelled) = (stream(&pool), stream(&pool));
    finished.finish();
    cancelled.cancel();
    for stream in [finished, cancelled] {
        let job = Job::request("http://a.test/").item("nine".to_owned());
        let refused = stream.submit(job, None).unwrap_err();
        assert_eq!(refused.error, Error::Closed);
        assert_eq!(refused.job.item, "nine");
        assert!(matches!(stream.next(None), Next::Done));
        stream.finish();
        stream.cancel();
        assert!(matches!(stream.next(None), Next::Done));
        assert_eq!(stream.stats().accepted, 0);
    }
}

#[test]
fn a_submitter_that_waits_hears_of_the_end() {
    let (server, _gate) = gated();
    for end in [JobStream::finish, JobStream::cancel] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = 1;
            config.ordered = true;
        });
        submit(&stream, Job::request(server.url("/held")));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| stream.submit(Job::request("http://a.test/"), None));
            thread::sleep(ms(20));
            end(&stream);
            assert_eq!(waiting.join().unwrap().unwrap_err().error, Error::Closed);
        });
    }
}

#[test]
fn results_of_before_the_finish_come_after_it() {
    let site = site();
    let stream = stream(&hasty_pool());
    for item in 0..10 {
        submit(&stream, Job::request(site.url("/bytes/10")).item(item));
    }
    stream.finish();
    assert_eq!(drain(&stream).len(), 10);
    assert_eq!(stream.pending(), 0);
}

#[test]
fn cancelling_gives_every_job_one_result_at_once() {
    let site = site();
    for ordered in [false, true] {
        let pool = pool(Duration::from_secs(3600), 2);
        let stream = stream_of(&pool, |config| config.ordered = ordered);
        // In flight in two groups, behind their throttles, unconstrained, bad, and waiting to be
        // tried again.
        let retry = options(|options| {
            options.retry = Some(Retry::default().min_wait(Duration::from_secs(3600)));
        });
        for item in 0..100 {
            let job = match item % 5 {
                0 => Job::request(site.url("/hang")),
                1 => Job::request(site.url("/hang")).group("other"),
                2 => Job::request(site.url("/endless?ms=5")).group(""),
                3 => Job::request("ftp://bad/"),
                _ => Job::request(format!("http://127.0.0.1:{}/", closed_port()))
                    .group("")
                    .options(Arc::clone(&retry)),
            };
            submit(&stream, job.item(item));
        }
        eventually("under way", || site.max_in_flight("127.0.0.1") >= 20);
        let began = Instant::now();
        stream.cancel();
        assert!(began.elapsed() < ms(500), "{:?}", began.elapsed());
        let mut pairs = drain_pairs(&stream);
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        if !ordered {
            pairs.sort_by_key(|(item, _)| *item);
        }
        assert_eq!(items(&pairs), (0..100).collect::<Vec<_>>());
        for (item, result) in &pairs {
            let expected: &[_] = match item % 5 {
                3 => &["invalid-url", "cancelled"],
                4 => &[refused(), "cancelled"],
                _ => &["cancelled"],
            };
            assert!(
                expected.contains(&code(result)),
                "{item}: {:?}",
                result.error
            );
            let url = result.url.as_deref().unwrap();
            assert!(message(result).contains(url), "{}", message(result));
        }
        assert_eq!(pool.stats().in_flight, 0);
    }
}

#[test]
fn what_was_done_before_the_cancel_stays_done() {
    let site = site();
    let stream = stream(&hasty_pool());
    for item in 0..5 {
        submit(&stream, Job::request(site.url("/bytes/10")).item(item));
    }
    submit(&stream, Job::request(site.url("/hang")).item(9));
    eventually("done", || stream.stats().buffered_bytes >= 50);
    let done = stream.stats().buffered_bytes;
    stream.cancel();
    let results = drain(&stream);
    assert_eq!(results.len(), 6);
    let fine = results
        .iter()
        .filter(|result| result.error.is_none())
        .count();
    assert!(fine >= 1, "{done} bytes were there");
    assert!(
        results
            .iter()
            .all(|result| (code(result) == "ok") == (result.body.len() == 10))
    );
}

#[test]
fn cancelling_a_stream_leaves_the_others_alone() {
    let (site, (server, gate)) = (site(), gated());
    let pool = hasty_pool();
    let (doomed, kept) = (stream(&pool), stream(&pool));
    for item in 0..20 {
        submit(&doomed, Job::request(site.url("/hang")).item(item));
        submit(&kept, Job::request(server.url("/held")).item(item));
    }
    eventually("under way", || pool.stats().in_flight == 40);
    doomed.cancel();
    assert!(
        drain(&doomed)
            .iter()
            .all(|result| code(result) == "cancelled")
    );
    gate.open();
    submit(&kept, Job::request(server.url("/")).item(20));
    let pairs = rest_by_item(&kept);
    assert_eq!(items(&pairs), (0..=20).collect::<Vec<_>>());
    pairs.iter().for_each(|(_, result)| assert_ok(result));
}

#[test]
fn a_dropped_stream_ends_its_jobs_and_no_others() {
    let site = site();
    let pool = hasty_pool();
    let kept = stream(&pool);
    {
        let dropped = stream(&pool);
        for _ in 0..10 {
            submit(&dropped, Job::request(site.url("/hang")));
        }
        eventually("under way", || pool.stats().in_flight == 10);
    }
    eventually("ended", || pool.stats().in_flight == 0);
    submit(&kept, Job::request(site.url("/text")));
    assert_ok(&take(&kept));
}

#[test]
fn a_pool_goes_on_as_long_as_a_stream_of_it_is_there() {
    let site = site();
    let stream = stream(&hasty_pool());
    submit(&stream, Job::request(site.url("/text")));
    assert_ok(&take(&stream));
    assert_eq!(stream.pool().stats().in_flight, 0);
}

#[test]
fn a_submitter_that_waits_goes_on_when_results_are_taken() {
    let site = site();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = 4;
            config.ordered = ordered;
        });
        let from = fill(&stream, 0, |_| Job::request(site.url("/bytes/10")));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let job = Job::request(site.url("/bytes/10")).item(from);
                stream.submit(job, Some(PATIENCE)).is_ok()
            });
            for _ in 0..4 {
                take(&stream);
            }
            assert!(waiting.join().unwrap());
        });
        assert_eq!(rest_by_item(&stream).len() as u64, from + 1 - 4);
    }
}

#[test]
fn one_thread_may_wait_for_what_another_hands_in() {
    let site = site();
    let stream = stream(&hasty_pool());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| stream.next(None));
        thread::sleep(ms(20));
        submit(&stream, Job::request(site.url("/text")).item(3));
        match waiting.join().unwrap() {
            Next::Result(item, _) => assert_eq!(item, 3),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn all_who_wait_hear_that_nothing_more_will_come() {
    let site = site();
    let stream = stream(&hasty_pool());
    let taken = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Next::Result(..) = stream.next(None) {
                    taken.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..3 {
            submit(&stream, Job::request(site.url("/text")));
        }
        stream.finish();
    });
    assert_eq!(taken.into_inner(), 3);
}

#[test]
fn many_threads_submit_and_take() {
    let site = site();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = 8;
            config.ordered = ordered;
        });
        let came = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut batch = Vec::new();
                    while stream.next_many(3, None, &mut batch) {
                        came.lock().unwrap().extend(items(&batch));
                        batch.clear();
                    }
                });
            }
            let submitters: Vec<_> = (0..4)
                .map(|thread| {
                    let (stream, site) = (&stream, &site);
                    scope.spawn(move || {
                        for i in 0..250 {
                            let job = Job::request(site.url("/bytes/10"));
                            submit(stream, job.item(thread * 250 + i));
                        }
                    })
                })
                .collect();
            for submitter in submitters {
                submitter.join().unwrap();
            }
            stream.finish();
        });
        let mut came = came.into_inner().unwrap();
        came.sort_unstable();
        assert_eq!(came, (0..1000).collect::<Vec<_>>());
    }
}

#[test]
fn several_streams_run_at_once_each_with_its_own_results() {
    let site = site();
    let pool = hasty_pool();
    thread::scope(|scope| {
        for number in 0..6 {
            let (pool, site) = (&pool, &site);
            scope.spawn(move || {
                let stream = stream_of(pool, |config| config.ordered = number % 2 == 0);
                let all: Vec<u64> = (0..100).map(|i| number * 1000 + i).collect();
                let jobs = all
                    .iter()
                    .map(|item| Job::request(site.url("/bytes/10")).item(*item));
                let mut came = items(&run_pairs(&stream, jobs));
                if number % 2 == 1 {
                    came.sort_unstable();
                }
                assert_eq!(came, all);
            });
        }
    });
}

#[test]
fn results_may_be_answered_with_new_jobs() {
    let site = site();
    let stream = stream_of(&hasty_pool(), |config| config.buffer_size = 4);
    submit(&stream, Job::request(site.url("/bytes/0")).item(0));
    let mut seen = 0;
    while stream.pending() > 0 {
        let (depth, result) = take_pair(&stream);
        assert_ok(&result);
        seen += 1;
        // A tree of two branches, six deep.
        if depth < 6 {
            for _ in 0..2 {
                let mut job = Job::request(site.url("/bytes/10")).item(depth + 1);
                while let Err(refused) = stream.submit(job, Some(Duration::ZERO)) {
                    assert_eq!(refused.error, Error::Full);
                    let deeper = take(&stream);
                    seen += 1;
                    // Kept shallow: room is made, not more work.
                    assert_ok(&deeper);
                    job = refused.job;
                }
            }
        }
    }
    assert_eq!(seen, stream.stats().accepted);
    stream.finish();
    assert!(matches!(stream.next(None), Next::Done));
}

#[test]
fn next_many_takes_what_is_there_up_to_a_maximum() {
    let site = site();
    let stream = stream(&hasty_pool());
    let mut taken = Vec::new();
    assert!(stream.next_many(10, Some(Duration::ZERO), &mut taken));
    assert!(taken.is_empty());
    for item in 0..25 {
        submit(&stream, Job::request(site.url("/bytes/10")).item(item));
    }
    stream.finish();
    eventually("done", || {
        stream.stats().buffered_bytes > 0 && stream.stats().held == 0
    });
    while stream.next_many(10, Some(PATIENCE), &mut taken) {
        assert!(taken.len() <= 25);
    }
    let mut items = items(&taken);
    items.sort_unstable();
    assert_eq!(items, (0..25).collect::<Vec<_>>());
    let before = taken.len();
    assert!(!stream.next_many(10, None, &mut taken));
    assert_eq!(taken.len(), before);
}

/// Whether a descriptor polls readable within that many milliseconds.
fn readable(fd: impl AsFd, timeout: i32) -> bool {
    let mut poll = libc::pollfd {
        fd: fd.as_fd().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid entry.
    let count = unsafe { libc::poll(&mut poll, 1, timeout) };
    count == 1 && poll.revents & libc::POLLIN != 0
}

#[test]
fn the_event_descriptor_is_readable_while_there_is_something_to_take() {
    const SOON: i32 = 30_000;
    let site = site();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| config.ordered = ordered);
        let fd = stream.event_fd().unwrap();
        assert_eq!(stream.event_fd().unwrap().as_raw_fd(), fd.as_raw_fd());
        assert!(!readable(&fd, 0));
        for _ in 0..3 {
            submit(&stream, Job::request(site.url("/text")));
            assert!(readable(&fd, SOON));
            assert!(readable(&fd, 0));
            take(&stream);
            assert!(!readable(&fd, 0));
        }
        for _ in 0..3 {
            submit(&stream, Job::request(site.url("/text")));
        }
        for _ in 0..3 {
            assert!(readable(&fd, SOON));
            assert!(matches!(
                stream.next(Some(Duration::ZERO)),
                Next::Result(..)
            ));
        }
        assert!(!readable(&fd, 0));
        stream.finish();
        assert!(readable(&fd, 0));
        assert!(matches!(stream.next(None), Next::Done));
        assert!(readable(&fd, 0));
    }
}

#[test]
fn an_event_descriptor_asked_for_late_tells_of_what_is_there() {
    let site = site();
    let stream = stream(&hasty_pool());
    submit(&stream, Job::request(site.url("/text")));
    eventually("done", || stream.stats().buffered_bytes > 0);
    assert!(readable(stream.event_fd().unwrap(), 0));
    stream.cancel();
    drain(&stream);
    assert!(readable(stream.event_fd().unwrap(), 0));
}

#[test]
fn the_event_descriptor_tells_of_several_results_at_once() {
    let site = site();
    for (ordered, size) in [(false, 1024), (true, 1024), (false, 1), (true, 1)] {
        let jobs = 3000;
        // One after the other, so that results come one by one.
        let stream = stream_of(&pool_of(Duration::ZERO, 1, 1, 1), |config| {
            config.ordered = ordered;
            config.buffer_size = size;
        });
        let fd = stream.event_fd().unwrap();
        let began = Instant::now();
        let (mut taken, mut submitted, mut wakes) = (Vec::new(), 0, 0);
        while taken.len() < jobs {
            while submitted < jobs as u64 {
                let job = Job::request(site.url("/text")).item(submitted);
                match stream.submit(job, Some(Duration::ZERO)) {
                    Ok(()) => submitted += 1,
                    Err(refused) => {
                        assert_eq!(refused.error, Error::Full);
                        break;
                    }
                }
            }
            assert!(readable(&fd, 30_000), "{} results, then none", taken.len());
            wakes += 1;
            let before = taken.len();
            assert!(stream.next_many(1024, Some(Duration::ZERO), &mut taken));
            assert!(taken.len() > before, "readable for nothing");
        }
        if size > 1 {
            // One a millisecond, but for those that could not wait: at the start and the end.
            let most = began.elapsed().as_millis() as usize + 50;
            assert!(wakes < most, "{wakes} wake-ups in {:?}", began.elapsed());
        }
        let mut items = items(&taken);
        items.sort_unstable();
        assert_eq!(items, (0..jobs as u64).collect::<Vec<_>>());
    }
}

#[test]
fn the_event_descriptor_may_be_kept_and_read_from() {
    let site = site();
    let stream = stream(&hasty_pool());
    let fd = stream.event_fd().unwrap();
    let kept = fd.clone();
    let read = || {
        let mut file = File::from(kept.as_fd().try_clone_to_owned().unwrap());
        file.read(&mut [0; 8]).map_err(|error| error.kind())
    };
    for _ in 0..2 {
        assert_eq!(read(), Err(ErrorKind::WouldBlock));
        submit(&stream, Job::request(site.url("/text")));
        assert!(readable(&kept, 30_000));
        assert_eq!(read(), Ok(1));
        take(&stream);
    }
    drop(fd);
    drop(stream);
    // That is something too, and then nothing more will come.
    assert_eq!(read(), Ok(1));
    for _ in 0..2 {
        assert_eq!(read(), Ok(0));
    }
}

/// Wakes the thread that waits.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The next result of an asynchronous stream, waited for by parking this thread.
fn next_of<T: Send + 'static>(mut results: &mut rouet::Results<'_, T>) -> Option<(T, JobResult)> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match std::pin::Pin::new(&mut results).poll_next(&mut context) {
            Poll::Ready(next) => return next,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn results_are_an_asynchronous_stream() {
    let site = site();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = 4;
            config.ordered = ordered;
        });
        thread::scope(|scope| {
            scope.spawn(|| {
                for item in 0..100 {
                    submit(&stream, Job::request(site.url("/bytes/10")).item(item));
                }
                stream.finish();
            });
            let mut results = stream.results();
            let mut came = HashSet::new();
            while let Some((item, _)) = next_of(&mut results) {
                assert!(came.insert(item));
            }
            assert_eq!(came.len(), 100);
            assert!(next_of(&mut results).is_none());
        });
    }
}

#[test]
fn an_asynchronous_consumer_hears_of_a_cancel() {
    let site = site();
    let stream = stream(&hasty_pool());
    submit(&stream, Job::request(site.url("/hang")));
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let mut results = stream.results();
            let first = next_of(&mut results).map(|((), result)| code(&result));
            (first, next_of(&mut results).is_none())
        });
        eventually("under way", || !site.log().is_empty());
        stream.cancel();
        assert_eq!(consumer.join().unwrap(), (Some("cancelled"), true));
    });
}

#[test]
fn a_loop_over_a_stream_takes_every_result() {
    let site = site();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| config.ordered = ordered);
        for item in 0..20 {
            let job = Job::request(site.url(&format!("/bytes/{item}")));
            submit(&stream, job.item(item));
        }
        stream.finish();
        let mut came = Vec::new();
        for (item, result) in &stream {
            assert_eq!((result.status, result.body.len()), (200, item));
            came.push(item);
        }
        if !ordered {
            came.sort_unstable();
        }
        assert_eq!(came, (0..20).collect::<Vec<_>>());
        assert!(stream.iter().next().is_none());
    }
}

#[test]
fn run_submits_no_more_than_there_is_room_for_and_gives_every_result() {
    const SIZE: usize = 4;
    const JOBS: usize = 100;
    let site = site();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = SIZE;
            config.ordered = ordered;
        });
        let asked = Cell::new(0);
        let jobs = (0..JOBS).map(|item| {
            asked.set(asked.get() + 1);
            let job = Job::request(site.url(&format!("/bytes/{item}")));
            job.item((item, format!("row {item}")))
        });
        let mut results = stream.run(jobs);
        assert_eq!(asked.get(), 0);
        let mut came = Vec::new();
        for done in results.by_ref() {
            let (item, result) = done.expect("accepted");
            assert_eq!((result.status, result.body.len()), (200, item.0));
            assert_eq!(item.1, format!("row {}", item.0));
            came.push(item.0);
            // Those that are held, those that are started, and one that found no room.
            let most = if ordered { SIZE } else { 2 * SIZE } + 1;
            assert!(asked.get() <= came.len() + most, "{}", asked.get());
        }
        assert!(results.next().is_none());
        if !ordered {
            came.sort_unstable();
        }
        assert_eq!(came, (0..JOBS).collect::<Vec<_>>());
        assert_eq!(stream.stats().delivered, JOBS as u64);
        let late = Job::request(site.url("/text")).item((0, String::new()));
        assert_eq!(stream.submit(late, None).unwrap_err().error, Error::Closed);
    }
}

#[test]
fn a_job_that_run_cannot_submit_does_not_stop_the_others() {
    let site = site();
    let stream = stream_of(&hasty_pool(), |config| config.buffer_size = 4);
    let jobs = (0..40).map(|item| {
        let url = match item % 10 {
            3 => String::new(),
            _ => site.url("/bytes/10"),
        };
        Job::request(url).item(item)
    });
    let (mut came, mut refused) = (Vec::new(), Vec::new());
    for done in stream.run(jobs) {
        match done {
            Ok((item, result)) => {
                assert_ok(&result);
                came.push(item);
            }
            Err(error) => {
                assert!(error.to_string().contains("url"), "{error}");
                assert!(matches!(error.error, Error::InvalidArgument(_)));
                refused.push(error.job.item);
            }
        }
    }
    assert_eq!(refused, [3, 13, 23, 33]);
    came.sort_unstable();
    assert!(came.into_iter().eq((0..40).filter(|item| item % 10 != 3)));
}

#[test]
fn run_ends_with_a_stream_that_is_cancelled() {
    let site = site();
    let stream = stream_of(&hasty_pool(), |config| config.buffer_size = 4);
    let jobs = (0..).map(|item| Job::request(site.url("/bytes/10")).item(item));
    let (mut came, mut refused) = (0, Vec::new());
    for done in stream.run(jobs) {
        match done {
            Ok(_) => came += 1,
            Err(error) => refused.push(error.error),
        }
        if came == 10 {
            stream.cancel();
        }
    }
    assert_eq!(refused, [Error::Closed]);
    assert_eq!(came, stream.stats().accepted);
}

/// Does a future on this thread, and the tasks that it spawns, which must end.
fn on_this_thread<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().build();
    let timely = async { tokio::time::timeout(PATIENCE, future).await };
    runtime.unwrap().block_on(timely).expect("stuck")
}

/// The next result, which must come.
async fn next_pair<T: Send + 'static>(results: &mut rouet::Results<'_, T>) -> (T, JobResult) {
    results.next().await.expect("one more")
}

#[test]
fn a_task_that_submits_waits_for_room_and_leaves_its_thread_to_others() {
    let site = site();
    for ordered in [false, true] {
        let stream = Arc::new(stream_of(&hasty_pool(), |config| {
            config.buffer_size = 4;
            config.ordered = ordered;
        }));
        let mut came = on_this_thread(async {
            let (submitted, url) = (Arc::clone(&stream), site.url("/bytes/10"));
            let submitter = tokio::spawn(async move {
                for item in 0..50 {
                    let job = Job::request(&*url).item(item);
                    submitted.submit_async(job).await.expect("accepted");
                }
                submitted.finish();
            });
            let taken = Arc::clone(&stream);
            let taker = tokio::spawn(async move {
                let pairs: Vec<_> = taken.results().collect().await;
                pairs.iter().for_each(|(_, result)| assert_ok(result));
                items(&pairs)
            });
            submitter.await.unwrap();
            taker.await.unwrap()
        });
        if !ordered {
            came.sort_unstable();
        }
        assert_eq!(came, (0..50).collect::<Vec<_>>());
    }
}

#[test]
fn several_tasks_may_wait_for_room() {
    for ordered in [false, true] {
        let (server, gate) = gated();
        let stream = Arc::new(stream_of(&hasty_pool(), |config| {
            config.buffer_size = 1;
            config.ordered = ordered;
        }));
        let from = fill(&stream, 0, |_| Job::request(server.url("/held")));
        let mut came = on_this_thread(async {
            let waiting = [0, 1].map(|n| {
                let stream = Arc::clone(&stream);
                let job = Job::request(server.url("/")).item(from + n);
                tokio::spawn(async move { stream.submit_async(job).await })
            });
            tokio::time::sleep(ms(50)).await;
            assert!(waiting.iter().all(|task| !task.is_finished()));
            assert_eq!(stream.stats().accepted, from);
            gate.open();
            let (mut results, mut came) = (stream.results(), Vec::new());
            for _ in 0..from + 2 {
                came.push(next_pair(&mut results).await.0);
            }
            for task in waiting {
                task.await.unwrap().expect("accepted");
            }
            came
        });
        came.sort_unstable();
        assert_eq!(came, (0..from + 2).collect::<Vec<_>>());
    }
}

#[test]
fn tasks_and_threads_submit_at_once() {
    const EACH: u64 = 100;
    let site = site();
    for ordered in [false, true] {
        let stream = Arc::new(stream_of(&hasty_pool(), |config| {
            config.buffer_size = 2;
            config.ordered = ordered;
        }));
        let job = |item| Job::request(site.url("/bytes/10")).item(item);
        let jobs = |n: u64| (n * EACH..(n + 1) * EACH).map(job).collect::<Vec<_>>();
        let mut came = thread::scope(|scope| {
            for n in 0..2 {
                let (stream, jobs) = (&stream, jobs(n));
                scope.spawn(move || jobs.into_iter().for_each(|job| submit(stream, job)));
            }
            on_this_thread(async {
                for n in 2..5 {
                    let (stream, jobs) = (Arc::clone(&stream), jobs(n));
                    tokio::spawn(async move {
                        for job in jobs {
                            stream.submit_async(job).await.expect("accepted");
                        }
                    });
                }
                let (mut results, mut came) = (stream.results(), Vec::new());
                for _ in 0..5 * EACH {
                    came.push(next_pair(&mut results).await.0);
                }
                came
            })
        });
        came.sort_unstable();
        assert_eq!(came, (0..5 * EACH).collect::<Vec<_>>());
    }
}

#[test]
fn a_submission_that_is_given_up_is_no_job() {
    let (server, gate) = gated();
    let stream = Arc::new(stream_of(&hasty_pool(), |config| {
        config.buffer_size = 1;
        config.ordered = true;
    }));
    let job = |path, item: &Arc<&'static str>| Job::request(server.url(path)).item(item.clone());
    let [first, given_up, last] = ["first", "given up", "last"].map(Arc::new);
    submit(&stream, job("/held", &first));
    on_this_thread(async {
        let waiting = [&given_up, &last].map(|item| {
            let (stream, job) = (Arc::clone(&stream), job("/", item));
            tokio::spawn(async move { stream.submit_async(job).await })
        });
        tokio::time::sleep(ms(20)).await;
        let [doomed, waiting] = waiting;
        doomed.abort();
        assert!(doomed.await.unwrap_err().is_cancelled());
        assert_eq!(Arc::strong_count(&given_up), 1);
        assert_eq!(stream.stats().accepted, 1);
        gate.open();
        let mut results = stream.results();
        assert_eq!(*next_pair(&mut results).await.0, "first");
        // What the other left is no obstacle.
        waiting.await.unwrap().expect("accepted");
        assert_eq!(*next_pair(&mut results).await.0, "last");
    });
    assert_eq!((stream.pending(), stream.stats().accepted), (0, 2));
    stream.finish();
    assert!(matches!(stream.next(None), Next::Done));
}

/// A task may not wait as a thread does.
#[test]
fn a_pool_may_end_within_a_task() {
    for callback in [false, true] {
        let (server, gate) = gated();
        let pool = hasty_pool();
        let stream = stream_of(&pool, |config| {
            if callback {
                config.callback = Some(Arc::new(|_: &mut String, _| Ok(())));
            }
        });
        on_this_thread(async {
            let job = |path| Job::request(server.url(path)).item(path.to_owned());
            if callback {
                stream.submit_async(job("/")).await.expect("accepted");
                let mut results = stream.results();
                assert_eq!(next_pair(&mut results).await.0, "/");
            }
            stream.submit_async(job("/held")).await.expect("accepted");
            eventually("it is under way", || pool.stats().in_flight == 1);
            drop(stream);
            eventually("it is given up", || pool.stats().in_flight == 0);
            drop(pool);
        });
        drop(gate);
    }
}

/// What is caught in the callback is free as soon as the stream is dropped.
#[test]
fn a_callback_ends_with_its_stream() {
    let site = site();
    let pool = hasty_pool();
    for _ in 0..50 {
        let seen = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&seen);
        let stream = stream_of(&pool, |config| {
            config.callback = Some(Arc::new(move |_, _| {
                counts.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }));
        });
        run(&stream, (0..3).map(|_| Job::request(site.url("/bytes/1"))));
        submit_late(&stream);
        drop(stream);
        let seen = Arc::into_inner(seen).expect("nobody else holds it");
        assert_eq!(seen.into_inner(), 3);
    }
}

/// A stream that was finished takes no more.
fn submit_late(stream: &JobStream) {
    let refused = stream.submit(Job::request("http://a.test/"), None);
    assert_eq!(refused.expect_err("it is closed").error, Error::Closed);
}

#[test]
fn a_submission_that_is_given_up_leaves_nothing_behind() {
    let (server, _gate) = gated();
    let stream = stream_of(&hasty_pool(), |config| {
        config.buffer_size = 1;
        config.ordered = true;
    });
    submit(&stream, Job::request(server.url("/held")));
    let unpark = Arc::new(Unpark(thread::current()));
    for _ in 0..10 {
        let waker = Waker::from(Arc::clone(&unpark));
        let mut context = Context::from_waker(&waker);
        let mut submission = pin!(stream.submit_async(Job::request(server.url("/"))));
        // However often it is looked at.
        for _ in 0..3 {
            assert!(submission.as_mut().poll(&mut context).is_pending());
        }
    }
    assert_eq!(Arc::strong_count(&unpark), 1);
}

#[test]
fn a_task_gets_the_job_back_that_is_not_accepted() {
    let (server, _gate) = gated();
    for end in [JobStream::finish, JobStream::cancel] {
        let stream = Arc::new(stream_of(&hasty_pool(), |config| {
            config.buffer_size = 1;
            config.ordered = true;
        }));
        let job = |url: &str, item: &str| Job::request(url).item(item.to_owned());
        on_this_thread(async {
            let refused = stream.submit_async(job(" ", "blank")).await.unwrap_err();
            assert!(matches!(refused.error, Error::InvalidArgument(_)));
            assert_eq!((&*refused.job.url, &*refused.job.item), (" ", "blank"));

            let held = job(&server.url("/held"), "held");
            stream.submit_async(held).await.expect("accepted");
            let own = Arc::clone(&stream);
            let waits = job("http://a.test/", "waits").group("g");
            let waiting = tokio::spawn(async move { own.submit_async(waits).await });
            tokio::time::sleep(ms(20)).await;
            assert!(!waiting.is_finished());
            end(&stream);
            let refused = waiting.await.unwrap().unwrap_err();
            assert_eq!(
                (&refused.error, &*refused.job.item),
                (&Error::Closed, "waits")
            );
            assert_eq!(&*refused.job.url, "http://a.test/");
            assert_eq!(refused.job.group.as_deref(), Some("g"));

            let late = job("http://a.test/", "late");
            let refused = stream.submit_async(late).await.unwrap_err();
            assert_eq!(
                (&refused.error, &*refused.job.item),
                (&Error::Closed, "late")
            );
        });
        assert_eq!(stream.stats().accepted, 1);
    }
}

/// How often each item was dropped.
#[derive(Clone)]
struct Drops(Arc<Vec<AtomicUsize>>);

impl Drops {
    fn of(items: usize) -> Self {
        Self(Arc::new((0..items).map(|_| AtomicUsize::new(0)).collect()))
    }

    fn item(&self, number: usize) -> Counted {
        Counted(number, self.clone())
    }

    fn counts(&self) -> Vec<usize> {
        let counts = self.0.iter();
        counts.map(|count| count.load(Ordering::SeqCst)).collect()
    }

    #[track_caller]
    fn assert_all(&self, count: usize) {
        assert_eq!(self.counts(), vec![count; self.0.len()]);
    }
}

/// An item that counts that it was dropped.
struct Counted(usize, Drops);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.0[self.0].fetch_add(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[test]
fn an_item_that_was_taken_is_the_callers() {
    type Take = fn(&JobStream<Counted>) -> Vec<(Counted, JobResult)>;
    let ways: [Take; 4] = [
        |stream| drain_pairs(stream),
        |stream| stream.iter().collect(),
        |stream| {
            let mut taken = Vec::new();
            while stream.next_many(3, Some(PATIENCE), &mut taken) {}
            taken
        },
        |stream| on_this_thread(stream.results().collect()),
    ];
    let site = site();
    for take_all in ways {
        let drops = Drops::of(10);
        // It may fail: the item is there all the same.
        let stream = stream_of(&hasty_pool(), |config| {
            config.callback = Some(Arc::new(|item: &mut Counted, _| match item.0 {
                0 => panic!("on purpose"),
                1 => Err("on purpose".into()),
                _ => Ok(()),
            }));
        });
        for n in 0..10 {
            let url = match n % 5 {
                4 => "ftp://bad/".to_owned(),
                _ => site.url("/bytes/10"),
            };
            submit(&stream, Job::request(url).item(drops.item(n)));
        }
        stream.finish();
        let taken = take_all(&stream);
        drop(stream);
        assert_eq!(taken.len(), 10);
        drops.assert_all(0);
        drop(taken);
        drops.assert_all(1);
    }
}

/// On a pool with a worker: jobs that are done, one under way and others that are held.
fn in_all_states(pool: &Pool, site: &Site, drops: &Drops, ordered: bool) -> JobStream<Counted> {
    let stream = stream_of(pool, |config| config.ordered = ordered);
    for n in 0..drops.0.len() {
        let path = if n < 5 { "/bytes/10" } else { "/hang" };
        submit(&stream, Job::request(site.url(path)).item(drops.item(n)));
    }
    eventually("five are done, and one is under way", || {
        stream.stats().started == 6
    });
    stream
}

#[test]
fn items_that_nobody_takes_are_dropped_with_their_stream() {
    let site = site();
    for ordered in [false, true] {
        let (pool, drops) = (pool_of(Duration::ZERO, 1, 1, 1), Drops::of(20));
        let stream = in_all_states(&pool, &site, &drops, ordered);
        drops.assert_all(0);
        drop(stream);
        eventually("dropped", || drops.counts().iter().all(|count| *count > 0));
        drops.assert_all(1);
        // And none again with the pool.
        drop(pool);
        drops.assert_all(1);
    }
}

#[test]
fn items_of_jobs_that_are_cancelled_come_back() {
    let site = site();
    for ordered in [false, true] {
        let (pool, drops) = (pool_of(Duration::ZERO, 1, 1, 1), Drops::of(20));
        let stream = in_all_states(&pool, &site, &drops, ordered);
        stream.cancel();
        let mut pairs = drain_pairs(&stream);
        pairs.sort_by_key(|(item, _)| item.0);
        for (n, (item, result)) in pairs.iter().enumerate() {
            let expected = if n < 5 { "ok" } else { "cancelled" };
            assert_eq!((item.0, code(result)), (n, expected));
        }
        drop((stream, pool));
        drops.assert_all(0);
        drop(pairs);
        drops.assert_all(1);
    }
}

#[test]
fn the_item_of_a_job_that_is_not_accepted_is_the_callers() {
    let (server, _gate) = gated();
    let drops = Drops::of(6);
    let stream = stream_of(&hasty_pool(), |config| {
        config.buffer_size = 1;
        config.ordered = true;
    });
    let job = |n| Job::request(server.url("/held")).item(drops.item(n));
    submit(&stream, job(0));
    let mut blank = job(1);
    blank.url = "".into();
    let mut refused = vec![
        stream.submit(blank, None).unwrap_err(),
        stream.submit(job(2), Some(Duration::ZERO)).unwrap_err(),
        stream.submit(job(3), Some(ms(10))).unwrap_err(),
    ];
    {
        let mut waiting = pin!(stream.submit_async(job(4)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert_eq!(drops.counts()[4], 0);
    }
    assert_eq!(drops.counts()[4], 1);
    stream.cancel();
    refused.push(stream.submit(job(5), None).unwrap_err());
    assert_eq!(drops.counts(), [0, 0, 0, 0, 1, 0]);
    for (refused, n) in refused.iter().zip([1, 2, 3, 5]) {
        assert_eq!(refused.job.item.0, n);
    }
    drop(refused);
    assert_eq!(drops.counts(), [0, 1, 1, 1, 1, 1]);
    drop(drain_pairs(&stream));
    drops.assert_all(1);
}

#[test]
fn a_configuration_out_of_its_range_is_refused_by_name() {
    let pool = hasty_pool();
    let refused = |set: fn(&mut StreamConfig)| {
        let mut config = StreamConfig::default();
        set(&mut config);
        match pool.stream(config) {
            Err(Error::InvalidArgument(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(|config| config.buffer_size = 0).contains("buffer_size"));
    assert!(refused(|config| config.max_buffered_bytes = 0).contains("max_buffered_bytes"));
    let why =
        refused(|config| config.options = options(|options| options.timeout = Duration::ZERO));
    assert!(why.contains("timeout"), "{why}");

    let refused = |set: fn(&mut rouet::PoolConfig)| {
        let mut config = rouet::PoolConfig::default();
        set(&mut config);
        match rouet::Pool::new(config) {
            Err(Error::InvalidArgument(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(|config| config.threads = Some(0)).contains("threads"));
    assert!(refused(|config| config.threads = Some(100_000)).contains("threads"));
    assert!(refused(|config| config.max_workers = Some(0)).contains("max_workers"));
    assert!(refused(|config| config.max_workers = Some(u32::MAX)).contains("max_workers"));
    assert!(refused(|config| config.rule.parallelism = 0).contains("parallelism"));
}
