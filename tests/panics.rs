//! What panics in the caller's own code, on the library's threads: that is its fault alone.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use futures_core::Stream as _;
use rouet::Job;

mod support;

use support::{
    assert_ok, drain, eventually, hasty_pool, log, own, pool_of, site, stream, submit, take,
    take_pair,
};

/// An executor's waker.
struct Panics(AtomicUsize);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
        panic!("on purpose");
    }
}

#[test]
fn a_waker_that_panics_loses_no_result() {
    let site = site();
    let stream = stream(&hasty_pool());
    let waker = Arc::new(Panics(AtomicUsize::new(0)));
    for round in 0..20 {
        {
            let mut results = pin!(stream.results());
            let waker = Arc::clone(&waker).into();
            let mut context = Context::from_waker(&waker);
            assert!(matches!(
                results.as_mut().poll_next(&mut context),
                Poll::Pending
            ));
        }
        submit(&stream, Job::request(site.url("/text")).item(round));
        eventually("it was woken", || waker.0.load(SeqCst) as u64 == round + 1);
        let (item, result) = take_pair(&stream);
        assert_eq!(item, round);
        assert_ok(&result);
    }
}

#[test]
fn a_log_that_panics_loses_its_lines_only() {
    own::process("a_log_that_panics_loses_its_lines_only", || {
        let lines = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&lines);
        log::to(move |_| {
            count.fetch_add(1, SeqCst);
            panic!("on purpose");
        });
        let site = site();
        let stream = stream(&hasty_pool());
        for _ in 0..100 {
            submit(&stream, Job::request(site.url("/text")));
        }
        stream.finish();
        let results = drain(&stream);
        assert_eq!(results.len(), 100);
        results.iter().for_each(assert_ok);
        assert!(lines.load(SeqCst) >= 100);
    });
}

/// An item that panics in its end.
#[derive(Debug)]
struct Breaks;

impl Drop for Breaks {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[test]
fn an_item_that_panics_in_its_end_is_no_other_jobs_fault() {
    let site = site();
    let pool = pool_of(Duration::ZERO, 64, 64, 1);
    for _ in 0..20 {
        let other = stream(&pool);
        submit(&other, Job::request(site.url("/slow?ms=100")));
        let left = stream(&pool);
        submit(&left, Job::request(site.url("/slow?ms=1000")).item(Breaks));
        eventually("they are under way", || pool.stats().in_flight == 2);
        // If the job has ended by then, that is on this thread.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(left)));
        assert_ok(&take(&other));
    }
}

/// A pool that only an item holds ends with it, whatever thread that is on.
#[test]
fn an_item_may_be_the_last_to_hold_its_pool() {
    own::process("an_item_may_be_the_last_to_hold_its_pool", || {
        let site = site();
        for _ in 0..10 {
            let pool = pool_of(Duration::ZERO, 64, 64, 2);
            let stream = stream(&pool);
            for _ in 0..4 {
                let job = Job::request(site.url("/slow?ms=50")).item(pool.clone());
                submit(&stream, job);
            }
            eventually("they are under way", || pool.stats().in_flight == 4);
            drop(pool);
            drop(stream);
            eventually("its threads are gone", || {
                let tasks = fs::read_dir("/proc/self/task").expect("threads");
                let mut names = tasks.filter_map(|task| {
                    fs::read_to_string(task.expect("a thread").path().join("comm")).ok()
                });
                !names.any(|name| name.starts_with("rouet-"))
            });
        }
    });
}
