//! 100,000 URLs on 1,000 domains, of which some misbehave, over several streams at once that are
//! cancelled and opened anew: every job that was accepted gives exactly one result.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use fastrand::Rng;
use rouet::{Error, Job, Next, Options, Pool, PoolConfig};
use rouet_site::{Faults, Options as SiteOptions, Site};
use support::*;

const JOBS: usize = 100_000;
const DOMAINS: u64 = 1000;
const LANES: usize = 5;

/// Where the domains are, and what to ask of them.
struct Web {
    _site: Site,
    _faults: Faults,
    good: Arc<Options>,
    faulty: Arc<Options>,
    closed: Arc<Options>,
}

impl Web {
    fn start() -> Self {
        let site = Site::start(SiteOptions {
            keep_log: false,
            ..SiteOptions::default()
        })
        .expect("a site");
        let faults = faults();
        let to = |port| {
            options(|options| {
                options.connect_to = all_to(port);
                options.compressed = true;
                options.max_body_size = 10_000;
            })
        };
        Self {
            good: to(site.port()),
            faulty: to(faults.port()),
            closed: to(closed_port()),
            _site: site,
            _faults: faults,
        }
    }

    fn job(&self, random: &mut Rng) -> Job {
        let domain = random.u64(0..DOMAINS);
        let (paths, options): (&[&str], _) = match domain % 20 {
            0 => (
                &[
                    "/close",
                    "/reset",
                    "/truncate",
                    "/garbage",
                    "/bad-chunk",
                    "/keep-then-drop",
                ],
                &self.faulty,
            ),
            1 => (&["/"], &self.closed),
            2 => (&[":0/", ":99999/", "/\0"], &self.good),
            3 => (
                &[
                    "/redirect/2",
                    "/loop/a",
                    "/gzip",
                    "/gzip-corrupt",
                    "/bytes/20000",
                    "/slow?ms=5",
                ],
                &self.good,
            ),
            _ => (
                &["/empty", "/bytes/100", "/chunked/2000", "/nosuch"],
                &self.good,
            ),
        };
        let path = random.choice(paths).expect("there are paths");
        let url = match random.u64(0..100) {
            0 => String::new(),
            _ => format!("http://domain-{domain}.test{path}"),
        };
        let job = match random.bool() {
            true => Job::request(url),
            false => Job::resolve(url),
        };
        job.options(Arc::clone(options))
    }
}

/// How often each job was accepted, and came back.
struct Ledger {
    accepted: Vec<AtomicU8>,
    came: Vec<AtomicU8>,
}

/// Runs the jobs of those items, on one stream after the other.
fn lane(pool: &Pool, web: &Web, ledger: &Ledger, items: std::ops::Range<usize>, mut random: Rng) {
    let mut next = items.start;
    while next < items.end {
        let ordered = random.bool();
        let stream = stream_of(pool, |config| {
            config.passthrough = true;
            config.ordered = ordered;
            config.buffer_size = random.usize(1..300);
            config.max_buffered_bytes = random.u64(1000..1_000_000);
        });
        // Most are cancelled on the way.
        let cancel_after = random.usize(0..2 * (items.end - items.start) / 3);
        let slow = random.bool();
        let mut jobs = random.fork();
        next = thread::scope(|scope| {
            let submitter = scope.spawn(|| {
                let mut item = next;
                while item < items.end {
                    let job = web.job(&mut jobs).item(item);
                    match stream.submit(job, Some(PATIENCE)).map_err(Error::from) {
                        Ok(()) => {
                            ledger.accepted[item].fetch_add(1, Ordering::Relaxed);
                            item += 1;
                        }
                        Err(Error::Closed) => return item,
                        other => panic!("{other:?}, {:?}", stream.stats()),
                    }
                }
                stream.finish();
                item
            });
            let (mut taken, mut last) = (0, None);
            loop {
                let item = match stream.next(Some(PATIENCE)) {
                    Next::Result(item, _) => item,
                    Next::Done => break,
                    Next::Nothing => panic!("stuck: {:?}, {:?}", stream.stats(), pool.stats()),
                };
                assert!(!ordered || last < Some(item), "{item} after {last:?}");
                last = Some(item);
                ledger.came[item].fetch_add(1, Ordering::Relaxed);
                taken += 1;
                if taken == cancel_after {
                    stream.cancel();
                }
                if slow && taken % 500 == 0 {
                    thread::sleep(ms(5));
                }
            }
            let stats = stream.stats();
            assert_eq!((stats.held, stats.started, stats.buffered_bytes), (0, 0, 0));
            assert_eq!(stats.accepted, stats.delivered);
            submitter.join().expect("a submitter")
        });
    }
}

fn every_job_gives_one_result(seed: u64) {
    let web = Web::start();
    let config = PoolConfig::default().max_workers(128).rule(rule(ms(1), 1));
    let pool = Pool::new(config).expect("a pool");
    let counts = || (0..JOBS).map(|_| AtomicU8::new(0)).collect();
    let ledger = Ledger {
        accepted: counts(),
        came: counts(),
    };
    let share = JOBS / LANES;
    thread::scope(|scope| {
        for number in 0..LANES {
            let (pool, web, ledger) = (&pool, &web, &ledger);
            let random = Rng::with_seed(seed * 1000 + number as u64);
            let items = number * share..(number + 1) * share;
            scope.spawn(move || lane(pool, web, ledger, items, random));
        }
    });
    let wrong: Vec<usize> = (0..JOBS)
        .filter(|&item| {
            let count = |counts: &[AtomicU8]| counts[item].load(Ordering::Relaxed);
            (count(&ledger.accepted), count(&ledger.came)) != (1, 1)
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "seed {seed}: {} jobs, such as {wrong:.5?}",
        wrong.len()
    );
    assert_eq!(pool.stats().in_flight, 0);
    eventually("no group is left", || pool.stats().groups == 0);
}

#[test]
fn every_job_gives_one_result_whatever_happens() {
    // A round takes some 20 s on two cores when nothing is optimised.
    let rounds = if cfg!(debug_assertions) { 1 } else { 3 };
    for seed in 1..=rounds {
        every_job_gives_one_result(seed);
    }
}
