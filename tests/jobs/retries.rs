//! Trying again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::*;
use rouet::{Job, JobResult, Options, Retry};

const LONG: Duration = Duration::from_secs(3600);

/// Options that try again after `min_wait`.
fn retrying(min_wait: Duration, set: impl FnOnce(&mut Retry)) -> Arc<Options> {
    let mut retry = Retry::default().min_wait(min_wait);
    set(&mut retry);
    options(|options| options.retry = Some(retry))
}

fn fetch_retrying(url: String, set: impl FnOnce(&mut Retry)) -> JobResult {
    fetch(Job::request(url).options(retrying(ms(20), set)))
}

#[test]
fn a_broken_connection_is_tried_again() {
    let faults = faults();
    let result = fetch_retrying(faults.url("/flaky/a/2"), |_| {});
    assert_eq!(text(&result), "ok\n");
    assert_eq!(result.attempts, 3);
    assert_eq!(faults.requests("/flaky/a/2"), 3);
    // Those that failed leave nothing behind.
    assert_eq!(result.stack.len(), 1);
}

#[test]
fn waits_grow_fourfold_and_vary_by_a_quarter() {
    let faults = faults();
    let job = Job::request(faults.url("/flaky/a/3"));
    let result = fetch(job.options(retrying(ms(40), |retry| retry.max_attempts = 4)));
    assert_ok(&result);
    let times = faults.times("/flaky/a/3");
    assert_eq!(times.len(), 4);
    for (pair, wait) in times.windows(2).zip([40, 160, 640]) {
        let gap = pair[1] - pair[0];
        assert!(gap >= ms(wait * 3 / 4), "{times:?}");
        // In the worst of cases the machine is busy.
        assert!(gap < ms(wait * 5 / 4) + Duration::from_secs(2), "{times:?}");
    }
}

#[test]
fn no_wait_is_longer_than_the_longest() {
    let faults = faults();
    let job = Job::request(faults.url("/flaky/a/5"));
    let began = Instant::now();
    let result = fetch(job.options(retrying(ms(50), |retry| {
        retry.max_attempts = 6;
        retry.max_wait = ms(50);
    })));
    assert_ok(&result);
    assert_eq!(result.attempts, 6);
    // Without the limit the last wait alone would be 12.8 s.
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(
        faults
            .times("/flaky/a/5")
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= ms(37))
    );
}

#[test]
fn the_last_failure_is_the_result_when_all_attempts_are_used_up() {
    let faults = faults();
    let result = fetch_retrying(faults.url("/close"), |_| {});
    assert_eq!(code(&result), "connection-aborted");
    assert_eq!((result.attempts, faults.requests("/close")), (3, 3));
    assert_eq!(result.stack.len(), 1);
    let took = result.end_time.duration_since(result.start_time).unwrap();
    // Of the last attempt, not of all.
    assert!(took < ms(100), "{took:?}");

    let url = format!("http://127.0.0.1:{}/", closed_port());
    let result = fetch_retrying(url, |retry| retry.max_attempts = 5);
    assert_eq!((code(&result), result.attempts), (refused(), 5));
}

#[test]
fn what_may_pass_is_tried_again() {
    let faults = faults();
    for path in [
        "/reset",
        "/truncate",
        "/truncate-chunk",
        "/reset-body",
        "/garbage",
        "/bad-chunk",
    ] {
        let result = fetch_retrying(faults.url(path), |retry| retry.max_attempts = 2);
        assert!(result.error.is_some());
        assert_eq!((result.attempts, faults.requests(path)), (2, 2), "{path}");
    }
}

#[test]
fn nothing_is_tried_again_unless_asked_for() {
    let faults = faults();
    let result = fetch(Job::request(faults.url("/close")));
    assert_eq!((code(&result), result.attempts), ("connection-aborted", 1));
    let once = fetch_retrying(faults.url("/flaky/a/1"), |retry| retry.max_attempts = 1);
    assert_eq!((code(&once), once.attempts), ("connection-aborted", 1));
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    let site = secure_site();
    let retry = retrying(ms(1), |_| {});
    let with = |set: fn(&mut Options)| {
        let mut options = (*retry).clone();
        set(&mut options);
        Arc::new(options)
    };
    for (url, options, expected) in [
        (site.https_url("/text").unwrap(), retry.clone(), "ssl"),
        (site.url("/loop/a"), retry.clone(), "infinite-redirects"),
        (site.url("/self"), retry.clone(), "self-redirect"),
        (site.url("/redirect/20"), retry.clone(), "max-redirects"),
        (
            site.url("/redirect-to?url=ftp://a/"),
            retry.clone(),
            "invalid-redirect",
        ),
        (
            site.url("/gzip-corrupt"),
            with(|o| o.compressed = true),
            "invalid-gzip",
        ),
        (
            site.url("/bytes/10"),
            with(|o| o.max_body_size = 1),
            "body-too-large",
        ),
        (
            site.url("/hang"),
            with(|o| o.timeout = ms(50)),
            "read-timeout",
        ),
        (site.url("/status/503"), retry.clone(), "ok"),
    ] {
        let result = fetch(Job::request(&*url).options(options));
        assert_eq!((code(&result), result.attempts), (expected, 1), "{url}");
    }
    let bad = fetch(Job::request("ftp://bad/").options(retry.clone()));
    assert_eq!((code(&bad), bad.attempts), ("invalid-url", 0));
    let unknown = fetch(Job::request("http://nosuch.invalid/").options(retry));
    match code(&unknown) {
        "unknown-host" => assert_eq!(unknown.attempts, 1),
        // The machine's resolver is out of reach.
        "name-resolution-failure" => assert_eq!(unknown.attempts, 3),
        other => panic!("{other}"),
    }
}

#[test]
fn time_outs_are_tried_again_when_asked_for() {
    let faults = faults();
    let mut options = (*retrying(ms(10), |retry| retry.on_timeout = true)).clone();
    options.timeout = ms(100);
    let result = fetch(Job::request(faults.url("/silence")).options(Arc::new(options)));
    assert_eq!((code(&result), result.attempts), ("read-timeout", 3));
    assert_eq!(faults.requests("/silence"), 3);
}

#[test]
fn statuses_are_tried_again_when_asked_for() {
    let faults = faults();
    let asked = |path: &str, statuses: &[u16]| {
        fetch_retrying(faults.url(path), |retry| {
            retry.on_statuses = statuses.into()
        })
    };
    let result = asked("/flaky-status/a/2/503", &[429, 503]);
    assert_eq!(
        (text(&result).as_str(), result.status, result.attempts),
        ("ok\n", 200, 3)
    );

    // The last answer is an answer, whatever its status.
    let result = asked("/flaky-status/b/9/503", &[503]);
    assert_eq!(
        (text(&result).as_str(), result.status, result.attempts),
        ("flaky\n", 503, 3)
    );
    assert_eq!(faults.requests("/flaky-status/b/9/503"), 3);

    let result = asked("/flaky-status/c/2/500", &[503]);
    assert_eq!((result.status, result.attempts), (500, 1));
}

#[test]
fn a_job_that_waits_to_be_tried_again_occupies_no_worker() {
    let faults = faults();
    let pool = pool_of(Duration::ZERO, 1, 1, 1);
    let stream = stream(&pool);
    let job = Job::request(faults.url("/close"));
    submit(&stream, job.options(retrying(LONG, |_| {})).item(0));
    for item in 1..4 {
        submit(&stream, Job::request(faults.url("/x")).item(item));
        assert_eq!(take_pair(&stream).0, item);
    }
    assert_eq!(faults.requests("/close"), 1);
    let stats = stream.stats();
    assert_eq!((stats.held, stats.started), (1, 0));
    assert_eq!(pool.stats().in_flight, 0);
    assert_eq!(stream.pending(), 1);
}

#[test]
fn the_throttle_holds_when_a_job_is_tried_again() {
    let faults = faults();
    let stream = stream(&pool(ms(200), 1));
    let retry = retrying(ms(1), |_| {});
    submit(
        &stream,
        Job::request(faults.url("/flaky/a/2")).options(retry),
    );
    let result = take(&stream);
    assert_eq!((text(&result).as_str(), result.attempts), ("ok\n", 3));
    let times = faults.times("/flaky/a/2");
    assert!(
        times.windows(2).all(|pair| pair[1] - pair[0] >= ms(200)),
        "{times:?}"
    );
}

#[test]
fn a_cancel_ends_the_wait_at_once() {
    let faults = faults();
    for ordered in [false, true] {
        let stream = stream_of(&hasty_pool(), |config| config.ordered = ordered);
        let before = faults.requests("/close");
        submit(
            &stream,
            Job::request(faults.url("/close")).options(retrying(LONG, |_| {})),
        );
        eventually("failed once", || {
            faults.requests("/close") == before + 1 && stream.stats().held == 1
        });
        let began = Instant::now();
        stream.cancel();
        let result = take(&stream);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
        assert_eq!((code(&result), result.attempts), ("cancelled", 1));
        assert!(drain(&stream).is_empty());
    }
}

#[test]
fn each_attempt_has_the_whole_time() {
    let faults = faults();
    let mut options = (*retrying(ms(300), |_| {})).clone();
    options.timeout = ms(500);
    let result = fetch(Job::request(faults.url("/flaky/a/1")).options(Arc::new(options)));
    assert_ok(&result);
    assert_eq!(result.attempts, 2);
}

#[test]
fn a_body_is_sent_again_with_each_attempt() {
    use crate::support::raw::{Raw, answer};
    use std::sync::atomic::{AtomicUsize, Ordering};
    let count = AtomicUsize::new(0);
    let server = Raw::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Vec::new(),
        _ => answer("200 OK", &[], &String::from_utf8_lossy(&request.body)),
    });
    let mut options = (*retrying(ms(10), |_| {})).clone();
    options.method = Some("POST".into());
    options.body = Some(b"wool"[..].into());
    let result = fetch(Job::request(server.url("/")).options(Arc::new(options)));
    assert_eq!((text(&result).as_str(), result.attempts), ("wool", 3));
}

#[test]
fn resolving_is_tried_again_as_well() {
    let faults = faults();
    // The first attempt asks with HEAD, and then with GET.
    let job = Job::resolve(faults.url("/flaky/a/2"));
    let result = fetch(job.options(retrying(ms(10), |_| {})));
    assert_ok(&result);
    assert_eq!((result.status, result.attempts), (200, 2));
}

#[test]
fn a_status_that_is_raised_may_be_tried_again_too() {
    let site = site();
    let raised = |retried: Vec<u16>| {
        site.clear_log();
        let mut set = Options::clone(&retrying(ms(20), |retry| {
            retry.on_statuses = retried;
            retry.max_attempts = 2;
        }));
        set.raise_on_statuses = vec![404, 503];
        let result = fetch(Job::request(site.url("/status/503")).options(Arc::new(set)));
        assert_eq!(code(&result), "invalid-status-503");
        assert_eq!((result.status, result.stack[0].status), (503, 503));
        site.log().len()
    };
    assert_eq!(raised(vec![500, 503]), 2);
    assert_eq!(raised(vec![500]), 1);
}
