//! What the caller has called: the callback of a stream, and the functions that set a group's pace.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::raw::{Gate, Raw, answer};
use crate::support::*;
use rouet::{Job, JobResult, JobStream, Next, Pool, PoolConfig, Retry, StreamConfig};

fn stream_with<T: Send + 'static>(
    pool: &Pool,
    callback: impl Fn(&mut T, &mut JobResult) -> Result<(), String> + Send + Sync + 'static,
) -> JobStream<T> {
    let config = StreamConfig::default().callback(callback);
    pool.stream(config).expect("a stream")
}

/// An item that a callback writes to.
#[derive(Debug, Default)]
struct Note {
    number: usize,
    /// What the callback wrote.
    value: Option<String>,
}

impl Note {
    fn of(number: usize) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }
}

#[test]
fn a_callback_sees_each_answer_once_and_may_change_its_item() {
    let site = site();
    let calls = Arc::new(Mutex::new(HashMap::new()));
    let seen = Arc::clone(&calls);
    let stream = stream_of(&hasty_pool(), |config| {
        config.passthrough = true;
        config.callback = Some(Arc::new(move |note: &mut Note, result| {
            *seen.lock().unwrap().entry(note.number).or_insert(0) += 1;
            note.value = Some(format!("{} bytes", result.body.len()));
            Ok(())
        }));
    });
    let mut jobs: Vec<Job> = (0..100)
        .map(|size| Job::request(site.url(&format!("/bytes/{size}"))))
        .collect();
    jobs.push(Job::request(site.url("/status/404")));
    jobs.push(Job::resolve(site.url("/redirect/2")));
    // These have no answer.
    jobs.push(Job::request(format!("http://127.0.0.1:{}/", closed_port())));
    jobs.push(Job::request("ftp://bad/"));
    jobs.push(Job::request(""));
    let jobs = jobs.into_iter().enumerate();
    let pairs = run_pairs(&stream, jobs.map(|(n, job)| job.item(Note::of(n))));
    assert_eq!(pairs.len(), 105);
    for (note, result) in &pairs {
        let called = note.number <= 101;
        let value = called.then(|| format!("{} bytes", result.body.len()));
        assert_eq!(note.value, value);
    }
    let came: HashSet<usize> = pairs.iter().map(|(note, _)| note.number).collect();
    assert_eq!(came.len(), 105);
    let calls = calls.lock().unwrap();
    assert_eq!(calls.len(), 102);
    assert!(calls.values().all(|count| *count == 1));
}

#[test]
fn a_callback_that_fails_is_an_error_of_its_job_alone() {
    let site = site();
    let stream = stream_with(&hasty_pool(), |note: &mut Note, _| {
        note.value = Some("seen".into());
        match note.number {
            0 => Err("the disk is full".into()),
            1 => panic!("on purpose"),
            _ => Ok(()),
        }
    });
    let jobs = (0..4).map(|n| Job::request(site.url("/bytes/10")).item(Note::of(n)));
    let mut pairs = run_pairs(&stream, jobs);
    pairs.sort_by_key(|(note, _)| note.number);
    let codes: Vec<_> = pairs.iter().map(|(_, result)| code(result)).collect();
    assert_eq!(codes, ["callback-error", "callback-error", "ok", "ok"]);
    let failed = &pairs[0].1;
    assert!(message(failed).contains("the disk is full"));
    assert!(message(failed).contains(&site.url("/bytes/10")));
    // What came is there all the same, and what the callback did to the item.
    assert_eq!((failed.status, failed.body.len()), (200, 10));
    for (note, _) in &pairs {
        assert_eq!(note.value.as_deref(), Some("seen"));
    }
    assert_eq!(stream.stats().failed, 2);
}

#[test]
fn a_callback_is_called_after_the_last_attempt_only() {
    let site = site();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let stream = stream_with(&hasty_pool(), move |_, _| {
        count.fetch_add(1, SeqCst);
        Ok(())
    });
    let job = Job::request(site.url("/status/503")).options(options(|options| {
        options.retry = Some(Retry::default().min_wait(ms(5)).on_statuses([503]));
    }));
    let results = run(&stream, [job]);
    assert_eq!((results[0].attempts, calls.load(SeqCst)), (3, 1));
}

#[test]
fn the_order_is_kept_whatever_the_callbacks_take() {
    let site = site();
    let stream = stream_of(&hasty_pool(), |config| {
        config.ordered = true;
        config.callback = Some(Arc::new(|item: &mut u64, _| {
            std::thread::sleep(ms((*item * 7) % 13));
            Ok(())
        }));
    });
    let jobs = (0..60).map(|item| Job::request(site.url("/bytes/1")).item(item));
    assert_eq!(
        items(&run_pairs(&stream, jobs)),
        (0..60).collect::<Vec<_>>()
    );
}

#[test]
fn slow_callbacks_hold_back_their_stream_and_no_other() {
    let site = site();
    let gate = Gate::default();
    let pool = hasty_pool();
    let shut = gate.clone();
    let slow = stream_of(&pool, |config| {
        config.buffer_size = 8;
        config.callback = Some(Arc::new(move |_, _| {
            shut.pass();
            Ok(())
        }));
    });
    let quick = stream_with(&pool, |_, _| Ok(()));
    for item in 0..16 {
        submit(&slow, Job::request(site.url("/bytes/1")).item(item));
    }
    eventually("all the room is taken", || site.log().len() == 8);
    let jobs = (0..50).map(|item| Job::request(site.url("/bytes/1")).item(item));
    assert_eq!(run(&quick, jobs).len(), 50);
    assert_eq!(site.log().len(), 58);
    assert_eq!(pool.stats().in_flight, 0, "no worker is held");
    gate.open();
    slow.finish();
    assert_eq!(drain(&slow).len(), 16);
}

#[test]
fn a_callback_may_take_the_body_out() {
    let site = site();
    let stream = stream_of(&hasty_pool(), |config| {
        config.max_buffered_bytes = 100_000;
        config.callback = Some(Arc::new(|body: &mut Vec<u8>, result| {
            *body = std::mem::take(&mut result.body);
            Ok(())
        }));
    });
    // More than fits, if it counted.
    for _ in 0..50 {
        submit(
            &stream,
            Job::request(site.url("/bytes/50000")).item(Vec::new()),
        );
    }
    eventually("all are done", || site.log().len() == 50);
    stream.finish();
    let pairs = drain_pairs(&stream);
    assert_eq!(pairs.len(), 50);
    assert!(
        pairs
            .iter()
            .all(|(body, result)| body.len() == 50_000 && result.body.is_empty())
    );
    assert_eq!(stream.stats().buffered_bytes, 0);
}

#[test]
fn a_callback_may_submit_more() {
    let site = site();
    let pool = hasty_pool();
    let place: Arc<Mutex<Option<Arc<JobStream<u64>>>>> = Arc::default();
    let (own, base) = (Arc::clone(&place), site.url("/bytes/"));
    let stream = Arc::new(stream_with(&pool, move |item, _| {
        let stream = own
            .lock()
            .unwrap()
            .clone()
            .expect("set before the first job");
        if *item < 20 {
            let next = *item + 1;
            let next = Job::request(format!("{base}{next}")).item(next);
            assert!(stream.submit(next, Some(Duration::ZERO)).is_ok());
        }
        Ok(())
    }));
    *place.lock().unwrap() = Some(Arc::clone(&stream));
    submit(&stream, Job::request(site.url("/bytes/0")).item(0));
    // A job may be done before the call that submitted it has returned.
    let mut items: Vec<u64> = (0..=20).map(|_| take_pair(&stream).0).collect();
    items.sort_unstable();
    assert!(items.into_iter().eq(0..=20));
    assert_eq!(stream.pending(), 0);
    // The callback holds the stream: what it holds must go first.
    *place.lock().unwrap() = None;
}

#[test]
fn results_that_wait_for_a_callback_are_cancelled_at_once() {
    let site = site();
    let gate = Gate::default();
    let shut = gate.clone();
    let began = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&began);
    let stream = stream_with(&hasty_pool(), move |_, _| {
        count.fetch_add(1, SeqCst);
        shut.pass();
        Ok(())
    });
    for item in 0..200 {
        submit(&stream, Job::request(site.url("/bytes/1")).item(item));
    }
    eventually("all threads are taken", || began.load(SeqCst) == 64);
    eventually("all answers are there", || site.log().len() == 200);
    stream.cancel();
    // Those under way are the caller's own; the others come without them.
    for _ in 0..136 {
        assert_eq!(code(&take(&stream)), "cancelled");
    }
    assert!(matches!(stream.next(Some(ms(20))), Next::Nothing));
    gate.open();
    let rest = drain(&stream);
    assert_eq!(rest.len(), 64);
    assert!(rest.iter().all(|result| result.error.is_none()));
    assert_eq!(began.load(SeqCst), 64);
}

#[test]
fn a_stream_waits_for_its_callbacks_before_it_is_gone() {
    let site = site();
    let (entered, ended) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (enter, end) = (Arc::clone(&entered), Arc::clone(&ended));
    let pool = hasty_pool();
    let stream = stream_with(&pool, move |_, _| {
        enter.store(true, SeqCst);
        std::thread::sleep(ms(100));
        end.store(true, SeqCst);
        Ok(())
    });
    submit(&stream, Job::request(site.url("/bytes/1")));
    eventually("it was called", || entered.load(SeqCst));
    drop(stream);
    assert!(ended.load(SeqCst));
}

#[test]
fn no_callback_is_called_once_its_stream_is_gone() {
    let site = site();
    let pool = hasty_pool();
    let late = Arc::new(AtomicBool::new(false));
    for round in 0..200 {
        let gone = Arc::new(AtomicBool::new(false));
        let (is_gone, was_late) = (Arc::clone(&gone), Arc::clone(&late));
        let stream = stream_with(&pool, move |_, _| {
            std::thread::yield_now();
            was_late.fetch_or(is_gone.load(SeqCst), SeqCst);
            Ok(())
        });
        for item in 0..20 {
            submit(
                &stream,
                Job::request(site.url("/bytes/1")).item(item).group(""),
            );
        }
        std::thread::sleep(Duration::from_micros(round * 20));
        drop(stream);
        gone.store(true, SeqCst);
    }
    drop(pool);
    assert!(!late.load(SeqCst));
}

fn pool_with(set: impl FnOnce(&mut PoolConfig)) -> Pool {
    let mut config = PoolConfig::default().threads(2).rule(rule(ms(0), 1));
    set(&mut config);
    Pool::new(config).expect("a pool")
}

#[test]
fn a_function_sets_the_pace_from_what_came() {
    // As a server asks for it.
    let server = Raw::start(|request| match &*request.target {
        "/slow" => answer("429 Too Many", &["Retry-After: 150"], ""),
        _ => answer("200 OK", &[], ""),
    });
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let pool = pool_with(|config| {
        config.throttle_fn = Some(Arc::new(move |group, result| {
            let wait = result.headers.get("retry-after")?;
            let wait = std::str::from_utf8(wait).ok()?.parse().ok()?;
            log.lock().unwrap().push((group.to_owned(), result.status));
            Some(ms(wait))
        }));
    });
    let stream = stream(&pool);
    let ends: Vec<_> = ["/a", "/slow", "/b", "/c"]
        .map(|path| {
            submit(&stream, Job::request(server.url(path)).group("g"));
            let result = take(&stream);
            assert_ok(&result);
            (result.start_time, result.end_time)
        })
        .into();
    let gap = |n: usize| ends[n].0.duration_since(ends[n - 1].1).unwrap_or_default();
    assert!(gap(2) >= ms(145), "{:?}", gap(2));
    assert!(gap(3) < ms(100), "the next answer was quick: {:?}", gap(3));
    assert_eq!(*asked.lock().unwrap(), [("g".to_owned(), 429)]);
}

#[test]
fn a_rule_comes_before_the_functions_and_a_panic_says_nothing() {
    let site = site();
    let asked = Arc::new(Mutex::new(HashSet::new()));
    let of_fn = Arc::clone(&asked);
    let pool = pool_with(|config| {
        config.throttle_fn = Some(Arc::new(move |group, _| {
            of_fn.lock().unwrap().insert(group.to_owned());
            panic!("on purpose");
        }));
        config.parallelism_fn = Some(Arc::new(|group| match group {
            "panics" => panic!("on purpose"),
            _ => 1,
        }));
    });
    pool.set_domain_rule("ruled", rule(ms(0), 4)).unwrap();
    let stream = stream(&pool);
    let jobs = ["ruled", "panics", ""].into_iter().flat_map(|group| {
        let url = site.url("/bytes/1");
        (0..3).map(move |_| Job::request(&*url).group(group))
    });
    assert_eq!(run(&stream, jobs).len(), 9);
    assert_eq!(*asked.lock().unwrap(), HashSet::from(["panics".to_owned()]));
}

#[test]
fn a_function_says_how_many_a_group_takes() {
    let site = site();
    let pool = pool_with(|config| {
        config.parallelism_fn = Some(Arc::new(|group| match group {
            "wide.com" => 3,
            _ => 1,
        }));
    });
    let stream = stream_of(&pool, |config| {
        config.options = options(|options| options.connect_to = all_to(site.port()));
    });
    let jobs = (0..24).map(|n| {
        let host = if n % 2 == 0 { "wide.com" } else { "narrow.com" };
        Job::request(format!("http://{host}/slow?ms=30"))
    });
    assert_eq!(run(&stream, jobs).len(), 24);
    assert_eq!(site.max_in_flight("wide.com"), 3);
    assert_eq!(site.max_in_flight("narrow.com"), 1);
}

#[test]
fn retries_are_paced_by_the_function_too() {
    let site = site();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let pool = pool_with(|config| {
        config.throttle_fn = Some(Arc::new(move |_, result| {
            assert_eq!(result.status, 503);
            count.fetch_add(1, SeqCst);
            Some(ms(100))
        }));
    });
    let stream = stream(&pool);
    let job = Job::request(site.url("/status/503")).options(options(|options| {
        options.retry = Some(Retry::default().min_wait(ms(1)).on_statuses([503]));
    }));
    assert_eq!(run(&stream, [job])[0].attempts, 3);
    assert_eq!(asked.load(SeqCst), 3);
    assert!(gaps(&site.log()).iter().all(|gap| *gap >= ms(100)));
}
