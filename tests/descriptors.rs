//! A process with many descriptors open. On its own, because it raises the process's limit.

use std::fs::File;

use rouet::{Job, Next, Pool, PoolConfig, StreamConfig};
use rouet_site::{Options, Site};
use rustix::process::{Resource, getrlimit, setrlimit};

#[test]
fn a_host_with_a_thousand_descriptors_can_still_connect() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the limit may be raised to its maximum");
    let site = Site::start(Options::default()).unwrap();
    let open: Vec<File> = (0..1100)
        .map(|_| File::open("/dev/null").expect("a descriptor"))
        .collect();

    let pool = Pool::new(PoolConfig::default()).unwrap();
    let stream = pool.stream(StreamConfig::default()).unwrap();
    let job = Job::request(site.url("/bytes/10"));
    stream.submit(job, None).unwrap();
    let Next::Result((), result) = stream.next(None) else {
        panic!("no result")
    };
    assert_eq!(result.error, None);
    assert_eq!(result.body.len(), 10);
    drop(open);
}
