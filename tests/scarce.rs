//! A process that has few descriptors left, or none. On its own, because it lowers its limit.

mod support;

use std::fs::File;
use std::sync::mpsc::channel;
use std::thread;

use rouet::{Error, Pool, PoolConfig};
use rustix::process::{Resource, getrlimit, setrlimit};
use support::process::descriptors;
use support::*;

/// However many a pool's start finds, it ends, in a pool or in words that tell what is missing.
#[test]
fn a_pool_that_finds_no_descriptor_says_so() {
    let (give, take) = channel();
    // A pool leaves some to the rest of the process, which has taken them.
    let _rest: Vec<File> = (0..100)
        .map(|_| File::open("/dev/null").expect("a descriptor"))
        .collect();
    let before = descriptors();
    let usual = getrlimit(Resource::Nofile);
    let (mut failed, mut started) = (0, 0);
    for left in 0..30 {
        let mut limit = usual;
        limit.current = Some(before as u64 + left);
        setrlimit(Resource::Nofile, limit).expect("a limit may be lowered");
        let give = give.clone();
        let config = PoolConfig::default().max_workers(2).threads(2);
        thread::spawn(move || give.send(Pool::new(config)));
        match take.recv_timeout(PATIENCE).expect("the start ends") {
            Ok(pool) => {
                started += 1;
                drop(pool);
            }
            Err(Error::OutOfResources(why)) => {
                failed += 1;
                assert!(why.starts_with("no "), "{why}");
            }
            Err(other) => panic!("{left} descriptors: {other}"),
        }
    }
    setrlimit(Resource::Nofile, usual).expect("it may be raised again");
    assert!(
        started > 0 && failed > 0,
        "{started} started, {failed} did not"
    );
    eventually("no descriptor is left", || descriptors() <= before);
}
