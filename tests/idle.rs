//! What a pool costs while it has nothing to do. On its own, because it measures the process.

use std::thread;
use std::time::Duration;

use rouet::{Job, Next, Pool, PoolConfig, Rule, StreamConfig};
use rouet_site::{Options, Site};

/// The CPU time of this process, in hundredths of a second.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // Fields 14 and 15 of proc(5); the third is the first after the name.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn an_ordered_stream_that_is_full_by_weight_sleeps() {
    let site = Site::start(Options::default()).unwrap();
    let rule = Rule::default().throttle(Duration::ZERO);
    let pool = Pool::new(PoolConfig::default().rule(rule)).unwrap();
    let config = StreamConfig::default()
        .ordered(true)
        .max_buffered_bytes(1000);
    let stream = pool.stream(config).unwrap();
    for group in 0..50 {
        let job = Job::request(site.url("/bytes/2000")).group(group.to_string());
        stream.submit(job, None).unwrap();
    }
    while stream.stats().buffered_bytes < 1000 || pool.stats().in_flight > 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let before = cpu();
    thread::sleep(Duration::from_secs(1));
    let used = cpu() - before;
    assert!(
        used < 30,
        "{used} hundredths of a second of CPU for nothing"
    );

    stream.finish();
    let mut taken = 0;
    while let Next::Result((), result) = stream.next(None) {
        assert_eq!(result.error, None);
        taken += 1;
    }
    assert_eq!(taken, 50);
}
