//! What panics in the caller's own code, on the library's threads: that is its fault alone.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake};

use futures_core::Stream as _;
use rouet::Job;

mod support;

use support::{
    assert_ok, drain, eventually, hasty_pool, log, own, site, stream, submit, take_pair,
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
