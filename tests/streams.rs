//! Streams: laziness, bounds, order, cancelling, and many threads at once.

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures_core::Stream as _;
use rouet::{Error, Job, JobResult, Next, Retry, Rule, Stream, Submit};
use support::raw::{Gate, Raw, answer};
use support::*;

/// Hands in jobs made of their numbers from `from` on, until there is no room.
fn fill(stream: &Stream, from: u64, job: impl Fn(u64) -> Job) -> u64 {
    let mut count = from;
    // Room may come for as long as jobs start.
    while let Submit::Accepted = stream
        .submit(job(count).tag(count), Some(ms(300)))
        .expect("the stream is open")
    {
        count += 1;
        assert!(count < from + 100_000, "no end of room");
    }
    count
}

/// Every result but those taken, by tag.
fn rest_by_tag(stream: &Stream) -> Vec<JobResult> {
    stream.finish();
    let mut results = drain(stream);
    results.sort_by_key(|result| result.tag);
    results
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

        let results = rest_by_tag(&stream);
        assert_eq!(tags(&results), (0..most).collect::<Vec<_>>());
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
                for tag in 0..200 {
                    submit(&stream, Job::request(site.url("/bytes/10")).tag(tag));
                }
                stream.finish();
            });
            let results = drain(&stream);
            assert_eq!(tags(&results), (0..200).collect::<Vec<_>>());
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
        for tag in 0..50 {
            submit(&stream, Job::request(site.url("/bytes/100000")).tag(tag));
        }
        eventually("full", || stream.stats().buffered_bytes >= 300_000);
        let halted = stream.stats();
        // Those in flight when the bound was reached are let go on: one a worker.
        assert!(halted.started <= 5, "{halted:?}");
        assert!(halted.buffered_bytes < 600_000, "{halted:?}");
        assert!(site.log().len() <= 5, "{}", site.log().len());
        assert_eq!(rest_by_tag(&stream).len(), 50);
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
        let jobs = (0..5).map(|tag| Job::request(site.url("/bytes/100000")).tag(tag));
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
            for tag in 0..300 {
                let path = match random.u64(0..10) {
                    0 => "/nosuch".to_owned(),
                    1 => "/redirect/2".to_owned(),
                    _ => format!("/slow?ms={}", random.u64(0..30)),
                };
                let url = match tag % 17 {
                    3 => "ftp://nowhere/".to_owned(),
                    _ => site.url(&path),
                };
                submit(&stream, Job::request(url).tag(tag));
            }
            stream.finish();
        });
        assert_eq!(tags(&drain(&stream)), (0..300).collect::<Vec<_>>());
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
    let accepted = fill(&stream, 0, |tag| match tag {
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
    assert_eq!(tags(&rest_by_tag(&stream)), (0..16).collect::<Vec<_>>());
}

#[test]
fn the_job_an_ordered_stream_waits_for_starts_whatever_the_others_weigh() {
    let site = site();
    let pool = hasty_pool();
    let rule = Rule {
        throttle: ms(600),
        parallelism: 1,
    };
    pool.set_domain_rule("slow", rule).unwrap();
    // From now on the group has to wait.
    let first = stream(&pool);
    run(&first, [Job::request(site.url("/text")).group("slow")]);

    let stream = stream_of(&pool, |config| {
        config.ordered = true;
        config.max_buffered_bytes = 150_000;
    });
    let jobs = (0..20).map(|tag| {
        let job = Job::request(site.url("/bytes/100000")).tag(tag);
        if tag % 10 == 0 {
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
    assert_eq!(tags(&drain(&stream)), (0..20).collect::<Vec<_>>());
}

#[test]
fn the_job_an_ordered_stream_waits_for_is_retried_whatever_the_others_weigh() {
    let (site, faults) = (site(), faults());
    let stream = stream_of(&hasty_pool(), |config| {
        config.ordered = true;
        config.max_buffered_bytes = 150_000;
        config.options = options(|options| {
            options.retry = Some(Retry {
                min_wait: ms(300),
                ..Retry::default()
            });
        });
    });
    submit(&stream, Job::request(faults.url("/flaky/head/1")));
    eventually("failed once", || faults.requests("/flaky/head/1") == 1);
    for tag in 1..20 {
        submit(&stream, Job::request(site.url("/bytes/100000")).tag(tag));
    }
    stream.finish();
    let results = drain(&stream);
    assert_eq!(tags(&results), (0..20).collect::<Vec<_>>());
    assert_eq!(results[0].attempts, 2);
}

#[test]
fn unordered_results_come_as_they_are_done() {
    let (server, gate) = gated();
    let stream = stream(&hasty_pool());
    submit(&stream, Job::request(server.url("/held")).tag(1));
    submit(&stream, Job::request(server.url("/")).tag(2));
    assert_eq!(take(&stream).tag, 2);
    gate.open();
    assert_eq!(take(&stream).tag, 1);
}

#[test]
fn a_job_without_url_passes_through_or_is_refused() {
    let pool = hasty_pool();
    for url in ["", "  ", "\n"] {
        let strict = stream(&pool);
        match strict.submit(Job::request(url), None) {
            Err(Error::InvalidArgument(why)) => assert!(why.contains("url"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(strict.stats().accepted, 0);
        for ordered in [false, true] {
            let lenient = stream_of(&pool, |config| {
                config.passthrough = true;
                config.ordered = ordered;
            });
            submit(&lenient, Job::resolve(url).tag(5));
            let result = take(&lenient);
            assert_ok(&result);
            assert_eq!(
                (result.url.as_deref(), result.tag, result.status),
                (None, 5, 0)
            );
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
        let bad = |tag| Job::request(format!("ftp://bad/{tag}")).tag(tag);
        let accepted = fill(&stream, 0, bad);
        assert_eq!(accepted, if ordered { 16 } else { 32 });
        thread::scope(|scope| {
            scope.spawn(|| {
                for tag in accepted..10_000 {
                    submit(&stream, bad(tag));
                }
                stream.finish();
            });
            let results = drain(&stream);
            let came: HashSet<u64> = results.iter().map(|result| result.tag).collect();
            assert_eq!((results.len(), came.len()), (10_000, 10_000));
            assert!(results.iter().all(|result| code(result) == "invalid-url"));
        });
        assert_eq!(stream.stats().failed, 10_000);
    }
}

#[test]
fn much_that_needs_no_network_is_done_to_its_end() {
    let (server, gate) = gated();
    let stream = stream(&pool_of(Duration::ZERO, 1, 1, 1));
    submit(&stream, Job::request(server.url("/held")));
    // All are there, and nothing more is heard from outside, when the one worker comes free.
    for tag in 1..1000 {
        submit(&stream, Job::request("ftp://bad/").tag(tag));
    }
    gate.open();
    assert_eq!(rest_by_tag(&stream).len(), 1000);
}

#[test]
fn tag_and_userdata_come_back() {
    let stream = stream(&hasty_pool());
    for url in ["ftp://bad/", "http://127.0.0.1:1/"] {
        let job = Job {
            tag: u64::MAX,
            userdata: usize::MAX - 1,
            ..Job::resolve(url)
        };
        submit(&stream, job);
        let result = take(&stream);
        assert_eq!((result.tag, result.userdata), (u64::MAX, usize::MAX - 1));
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
    submit(&stream, Job::request(server.url("/held")));
    let job = Job::request("http://a.test/").tag(9).group("g");
    let began = Instant::now();
    match stream.submit(job, Some(ms(50))).unwrap() {
        Submit::Full(job) => {
            assert_eq!((&*job.url, job.tag), ("http://a.test/", 9));
            assert_eq!(job.group.as_deref(), Some("g"));
        }
        Submit::Accepted => panic!("accepted"),
    }
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
        let refused = stream.submit(Job::request("http://a.test/"), None);
        assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
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
    for end in [Stream::finish, Stream::cancel] {
        let stream = stream_of(&hasty_pool(), |config| {
            config.buffer_size = 1;
            config.ordered = true;
        });
        submit(&stream, Job::request(server.url("/held")));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| stream.submit(Job::request("http://a.test/"), None));
            thread::sleep(ms(20));
            end(&stream);
            assert!(matches!(waiting.join().unwrap(), Err(Error::Closed)));
        });
    }
}

#[test]
fn results_of_before_the_finish_come_after_it() {
    let site = site();
    let stream = stream(&hasty_pool());
    for tag in 0..10 {
        submit(&stream, Job::request(site.url("/bytes/10")).tag(tag));
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
            options.retry = Some(Retry {
                min_wait: Duration::from_secs(3600),
                ..Retry::default()
            });
        });
        for tag in 0..100 {
            let job = match tag % 5 {
                0 => Job::request(site.url("/hang")),
                1 => Job::request(site.url("/hang")).group("other"),
                2 => Job::request(site.url("/endless?ms=5")).group(""),
                3 => Job::request("ftp://bad/"),
                _ => Job::request(format!("http://127.0.0.1:{}/", closed_port()))
                    .group("")
                    .options(Arc::clone(&retry)),
            };
            submit(&stream, job.tag(tag));
        }
        eventually("under way", || site.max_in_flight("127.0.0.1") >= 20);
        let began = Instant::now();
        stream.cancel();
        assert!(began.elapsed() < ms(500), "{:?}", began.elapsed());
        let mut results = drain(&stream);
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        if !ordered {
            results.sort_by_key(|result| result.tag);
        }
        assert_eq!(tags(&results), (0..100).collect::<Vec<_>>());
        for result in &results {
            let expected: &[_] = match result.tag % 5 {
                3 => &["invalid-url", "cancelled"],
                4 => &[refused(), "cancelled"],
                _ => &["cancelled"],
            };
            assert!(
                expected.contains(&code(result)),
                "{}: {:?}",
                result.tag,
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
    for tag in 0..5 {
        submit(&stream, Job::request(site.url("/bytes/10")).tag(tag));
    }
    submit(&stream, Job::request(site.url("/hang")).tag(9));
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
    for tag in 0..20 {
        submit(&doomed, Job::request(site.url("/hang")).tag(tag));
        submit(&kept, Job::request(server.url("/held")).tag(tag));
    }
    eventually("under way", || pool.stats().in_flight == 40);
    doomed.cancel();
    assert!(
        drain(&doomed)
            .iter()
            .all(|result| code(result) == "cancelled")
    );
    gate.open();
    submit(&kept, Job::request(server.url("/")).tag(20));
    let results = rest_by_tag(&kept);
    assert_eq!(tags(&results), (0..=20).collect::<Vec<_>>());
    results.iter().for_each(assert_ok);
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
                let job = Job::request(site.url("/bytes/10")).tag(from);
                matches!(stream.submit(job, Some(PATIENCE)), Ok(Submit::Accepted))
            });
            for _ in 0..4 {
                take(&stream);
            }
            assert!(waiting.join().unwrap());
        });
        assert_eq!(rest_by_tag(&stream).len() as u64, from + 1 - 4);
    }
}

#[test]
fn one_thread_may_wait_for_what_another_hands_in() {
    let site = site();
    let stream = stream(&hasty_pool());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| stream.next(None));
        thread::sleep(ms(20));
        submit(&stream, Job::request(site.url("/text")).tag(3));
        match waiting.join().unwrap() {
            Next::Result(result) => assert_eq!(result.tag, 3),
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
                while let Next::Result(_) = stream.next(None) {
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
                        came.lock().unwrap().extend(tags(&batch));
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
                            submit(stream, job.tag(thread * 250 + i));
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
                    .map(|tag| Job::request(site.url("/bytes/10")).tag(*tag));
                let mut came = tags(&run(&stream, jobs));
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
    submit(&stream, Job::request(site.url("/bytes/0")));
    let mut seen = 0;
    while stream.pending() > 0 {
        let result = take(&stream);
        assert_ok(&result);
        seen += 1;
        // A tree of two branches, six deep.
        if result.tag < 6 {
            for _ in 0..2 {
                let job = Job::request(site.url("/bytes/10")).tag(result.tag + 1);
                let mut job = Some(job);
                while let Some(waiting) = job.take() {
                    match stream.submit(waiting, Some(Duration::ZERO)).unwrap() {
                        Submit::Accepted => {}
                        Submit::Full(back) => {
                            let deeper = take(&stream);
                            seen += 1;
                            // Kept shallow: room is made, not more work.
                            assert_ok(&deeper);
                            job = Some(back);
                        }
                    }
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
    for tag in 0..25 {
        submit(&stream, Job::request(site.url("/bytes/10")).tag(tag));
    }
    stream.finish();
    eventually("done", || {
        stream.stats().buffered_bytes > 0 && stream.stats().held == 0
    });
    while stream.next_many(10, Some(PATIENCE), &mut taken) {
        assert!(taken.len() <= 25);
    }
    let mut tags = tags(&taken);
    tags.sort_unstable();
    assert_eq!(tags, (0..25).collect::<Vec<_>>());
    let before = taken.len();
    assert!(!stream.next_many(10, None, &mut taken));
    assert_eq!(taken.len(), before);
}

/// Whether a descriptor polls readable within that many milliseconds.
fn readable(fd: i32, timeout: i32) -> bool {
    let mut poll = libc::pollfd {
        fd,
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
        assert_eq!(stream.event_fd().unwrap(), fd);
        assert!(!readable(fd, 0));
        for _ in 0..3 {
            submit(&stream, Job::request(site.url("/text")));
            assert!(readable(fd, SOON));
            assert!(readable(fd, 0));
            take(&stream);
            assert!(!readable(fd, 0));
        }
        for _ in 0..3 {
            submit(&stream, Job::request(site.url("/text")));
        }
        for _ in 0..3 {
            assert!(readable(fd, SOON));
            assert!(matches!(stream.next(Some(Duration::ZERO)), Next::Result(_)));
        }
        assert!(!readable(fd, 0));
        stream.finish();
        assert!(readable(fd, 0));
        assert!(matches!(stream.next(None), Next::Done));
        assert!(readable(fd, 0));
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
                let job = Job::request(site.url("/text")).tag(submitted);
                match stream.submit(job, Some(Duration::ZERO)).unwrap() {
                    Submit::Accepted => submitted += 1,
                    Submit::Full(_) => break,
                }
            }
            assert!(readable(fd, 30_000), "{} results, then none", taken.len());
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
        let mut tags = tags(&taken);
        tags.sort_unstable();
        assert_eq!(tags, (0..jobs as u64).collect::<Vec<_>>());
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
fn next_of(mut results: &mut rouet::Results<'_>) -> Option<JobResult> {
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
                for tag in 0..100 {
                    submit(&stream, Job::request(site.url("/bytes/10")).tag(tag));
                }
                stream.finish();
            });
            let mut results = stream.results();
            let mut came = HashSet::new();
            while let Some(result) = next_of(&mut results) {
                assert!(came.insert(result.tag));
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
            let first = next_of(&mut results).map(|result| code(&result));
            (first, next_of(&mut results).is_none())
        });
        eventually("under way", || !site.log().is_empty());
        stream.cancel();
        assert_eq!(consumer.join().unwrap(), (Some("cancelled"), true));
    });
}

#[test]
fn a_configuration_out_of_its_range_is_refused_by_name() {
    let pool = hasty_pool();
    let refused = |set: fn(&mut rouet::StreamConfig)| {
        let mut config = rouet::StreamConfig::default();
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
    assert!(refused(|config| config.threads = 100_000).contains("threads"));
    assert!(refused(|config| config.max_workers = u32::MAX).contains("max_workers"));
    assert!(refused(|config| config.rule.parallelism = 0).contains("parallelism"));
}
