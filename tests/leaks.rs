//! What is left behind: nothing. One test, so that nothing else runs in its process.

mod support;

use std::time::{Duration, Instant};

use rouet::Job;
use support::process::{descriptors, threads};
use support::*;

#[test]
fn a_dropped_pool_leaves_no_thread_and_no_descriptor() {
    let (site, faults) = (secure_site(), faults());
    // What the process keeps once it has made a pool.
    drop(stream::<()>(&hasty_pool()));
    // The server's ends of connections are descriptors of this process too.
    let before = descriptors();
    for round in 0..10 {
        let pool = pool_of(Duration::ZERO, 64, 64, 4);
        let (busy, untaken) = (
            stream(&pool),
            stream_of(&pool, |config| config.ordered = true),
        );
        busy.event_fd().unwrap();
        let insecure = options(|options| options.insecure = true);
        for i in 0..20 {
            let job = Job::request(match i % 4 {
                0 => site.url("/hang"),
                1 => faults.url("/silence"),
                2 => format!("http://127.0.0.1:{}/", closed_port()),
                _ => site.https_url("/endless?ms=5").unwrap(),
            });
            submit(&busy, job.options(insecure.clone()));
            submit(&untaken, Job::request(site.url("/text")));
        }
        submit(&busy, Job::request("http://nosuch.invalid/"));
        eventually("under way", || pool.stats().in_flight >= 10);
        assert!(threads() >= 4);

        let began = Instant::now();
        // In every order.
        match round % 3 {
            0 => drop((pool, busy, untaken)),
            1 => drop((busy, untaken, pool)),
            _ => drop((untaken, pool, busy)),
        }
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    }
    eventually("no thread is left", || threads() == 0);
    eventually("no descriptor is left", || descriptors() <= before);
}
