//! Faults of a shard itself, which nothing public can bring about. Each job has its result all the
//! same, and the shard goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};
use rouet_site::{Options as SiteOptions, Site};

use super::{JobStream, Next, Pool, PoolConfig, StreamConfig};
use crate::job::{Job, JobResult};
use crate::options::Options;
use crate::schedule::Rule;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));
/// More than a shard rests after a fault.
const THROTTLE: Duration = Duration::from_millis(600);
/// That of one host.
const SLOW: Duration = Duration::from_millis(1200);
/// What the library logged.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl Log for Lines {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target() == "rouet"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

const JOBS: u64 = 40;
const PLACES: [&str; 6] = ["read", "start", "launch", "end", "deliver", "sleep"];

fn pool() -> Pool {
    Pool::new(PoolConfig {
        max_workers: Some(8),
        threads: Some(1),
        rule: Rule {
            throttle: THROTTLE,
            parallelism: 1,
        },
        ..PoolConfig::default()
    })
    .expect("a pool")
}

fn stream<T: Send + 'static>(pool: &Pool, site: &Site, ordered: bool) -> JobStream<T> {
    let options = Options {
        connect_to: vec![format!("::127.0.0.1:{}", site.port())],
        ..Options::default()
    };
    let config = StreamConfig {
        // Too little for all jobs: those that hand them in wait for room, fault or not.
        buffer_size: 16,
        ordered,
        options: Arc::new(options),
        ..StreamConfig::default()
    };
    pool.stream(config).expect("a stream")
}

/// Does a job at each of twenty hosts, and another.
fn round(stream: &JobStream<u64>) -> Vec<(u64, JobResult)> {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for item in 0..JOBS {
                let job = Job::request(format!("http://host-{}.test/text", item % 20)).item(item);
                stream.submit(job, PATIENCE).expect("accepted");
            }
        });
        let take = |_| match stream.next(PATIENCE) {
            Next::Result(item, result) => (item, *result),
            other => panic!("no result: {other:?}, {:?}", stream.stats()),
        };
        (0..JOBS).map(take).collect()
    })
}

#[test]
fn a_shard_that_panics_ends_its_jobs_and_goes_on() {
    std::thread::scope(|scope| {
        for (place, ordered) in PLACES.into_iter().zip([false, true].into_iter().cycle()) {
            scope.spawn(move || panics_at(place, ordered));
        }
    });
}

fn panics_at(place: &'static str, ordered: bool) {
    let site = Site::start(SiteOptions::default()).expect("a site");
    let pool = pool();
    // A second logger is refused: the first is this one too.
    let _ = log::set_logger(&Lines);
    log::set_max_level(LevelFilter::Error);
    let slow = Rule {
        throttle: SLOW,
        parallelism: 1,
    };
    pool.set_domain_rule("host-3.test", slow).expect("a rule");
    let stream = stream(&pool, &site, ordered);
    pool.common().trap.set(place, 4..5);
    let pairs = round(&stream);

    let mut items: Vec<u64> = pairs.iter().map(|(item, _)| *item).collect();
    items.sort_unstable();
    assert!(
        items.into_iter().eq(0..JOBS),
        "{place}: each has one result"
    );
    let (failed, done): (Vec<_>, Vec<_>) = pairs
        .iter()
        .map(|(_, result)| result)
        .partition(|result| result.error.is_some());
    for result in &failed {
        let failure = result.error.as_ref().expect("it failed");
        assert_eq!(failure.code.as_str(), "internal-error", "{place}");
        assert!(failure.message.starts_with("http://host-"), "{failure}");
    }
    // What was handed in later, and what was done before, knows nothing of it.
    assert!(!done.is_empty(), "{place}: {failed:?}");
    let words = format!("shard 0: its jobs end, and it starts anew: panic: on purpose: {place}");
    assert!(LINES.lock().unwrap().contains(&words), "{place}: {words}");

    assert!(
        round(&stream)
            .iter()
            .all(|(_, result)| result.status == 200)
    );
    let stats = (stream.stats(), pool.stats());
    assert_eq!((stats.0.held, stats.0.started), (0, 0), "{place}");
    assert_eq!(stats.1.in_flight, 0, "{place}: all workers are back");
    polite(&site, place);

    stream.finish();
    assert!(matches!(stream.next(PATIENCE), Next::Done), "{place}");
    let began = Instant::now();
    drop((stream, pool));
    assert!(began.elapsed() < Duration::from_secs(10), "{place}");
}

/// No host was asked before its throttle had run out, the fault notwithstanding.
fn polite(site: &Site, place: &str) {
    let mut hosts: BTreeMap<String, Duration> = BTreeMap::new();
    for entry in site.log() {
        let rest = match &*entry.host {
            "host-3.test" => SLOW,
            _ => THROTTLE,
        };
        if let Some(before) = hosts.insert(entry.host.clone(), entry.at) {
            let gap = entry.at - before;
            // One that the fault ended may have come to the site late.
            assert!(gap >= rest / 2, "{place}: {} after {gap:?}", entry.host);
        }
    }
}

#[test]
fn a_shard_that_can_not_go_on_holds_no_job() {
    let site = Site::start(SiteOptions::default()).expect("a site");
    let pool = pool();
    let stream = stream(&pool, &site, false);
    let trap = &pool.common().trap;
    trap.set("engine", 0..usize::MAX);
    trap.set("sleep", 5..6);
    for (_, result) in round(&stream) {
        assert!(result.status == 200 || result.error.is_some());
    }
    // However long it lasts, whoever hands in jobs goes on, and has results.
    let failed = round(&stream);
    assert!(failed.iter().all(|(_, result)| {
        result
            .error
            .as_ref()
            .is_some_and(|failure| failure.code.as_str() == "internal-error")
    }));
    trap.set("engine", 0..0);
    let done = round(&stream);
    assert_eq!(done.last().map(|(_, result)| result.status), Some(200));
    assert_eq!((stream.stats().held, stream.stats().started), (0, 0));

    trap.set("engine", 0..usize::MAX);
    trap.set("sleep", 0..1);
    let began = Instant::now();
    drop((stream, pool));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "it ends all the same"
    );
}

#[test]
fn a_hold_that_a_fault_lost_says_so_and_one_that_was_answered_outlives_a_fault() {
    let site = Site::start(SiteOptions::default()).expect("a site");
    let pool = pool();
    let trap = &pool.common().trap;
    trap.set("read", 0..1);
    pool.hold("host-3.test").expect_err("it is lost");
    assert_eq!(pool.hold("host-3.test"), Ok(0));
    trap.set("sleep", 0..1);
    // It falls into the trap before it reads what comes after this.
    assert_eq!(pool.hold("host-5.test"), Ok(0));
    let stream = stream(&pool, &site, false);
    let job = |host| Job::request(format!("http://{host}.test/text"));
    for host in ["host-3", "host-4"] {
        stream.submit(job(host), PATIENCE).expect("accepted");
    }
    let group = |next| match next {
        Next::Result((), result) => result.group().map(str::to_owned),
        other => panic!("no result: {other:?}"),
    };
    assert_eq!(group(stream.next(PATIENCE)).as_deref(), Some("host-4.test"));
    pool.release("host-3.test").expect("a group");
    assert_eq!(group(stream.next(PATIENCE)).as_deref(), Some("host-3.test"));
}
