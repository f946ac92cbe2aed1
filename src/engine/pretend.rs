//! An engine without a network, for places without one: under shuttle, which must know everything that
//! a thread waits for, and under Miri, which runs no foreign code. It heeds the limits and answers each
//! request with 200 and its URL, from another thread.

use std::cell::RefCell;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_channel::oneshot;

use super::{Engine, Exchange, Flow, Hop, Names, Receive, guard, left};
use crate::address::Limits;
use crate::error::Failure;
use crate::headers::Headers;
use crate::job::Timings;
use crate::process::fork;
use crate::sync::Poller;
use crate::sync::thread::{self, JoinHandle};

/// Performs hops without a network.
pub(crate) struct Pretend<R: Receive> {
    poller: Arc<Poller>,
    connections: Arc<AtomicU64>,
    limits: Arc<Limits>,
    answers: RefCell<Vec<JoinHandle<()>>>,
    receivers: PhantomData<R>,
}

impl<R: Receive> Engine<R> for Pretend<R> {
    fn new(
        poller: Arc<Poller>,
        _: Arc<Names>,
        connections: Arc<AtomicU64>,
        _: usize,
        limits: Arc<Limits>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            poller,
            connections,
            limits,
            answers: RefCell::default(),
            receivers: PhantomData,
        })
    }

    async fn perform(&self, hop: Hop<'_>, mut receiver: R) -> Exchange<R> {
        if let Err(failure) = guard::check(&self.limits, &hop) {
            return Exchange::failed(receiver, failure, Duration::ZERO);
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        let (answer, arrival) = oneshot::channel();
        let thread = thread::spawn(move || {
            // Nobody waits for it if the hop was aborted.
            let _ = answer.send(());
        });
        self.answers.borrow_mut().push(thread);
        // It ends only by sending.
        let _ = arrival.await;
        let headers = Headers::default();
        if receiver.head(200, &headers) == Flow::Continue {
            let mut body = hop.url.as_str().as_bytes();
            while receiver.data(&mut body) == Flow::More {}
        }
        Exchange {
            receiver,
            status: 200,
            headers,
            timings: Timings::default(),
            failure: None,
            stale: false,
            unprocessed: false,
            unclosed: false,
            unanswered: false,
        }
    }

    fn drive(&self) -> bool {
        // Each answer comes by itself.
        false
    }

    fn wait(&self, until: Option<Instant>) -> io::Result<()> {
        fork::at_rest(|| self.poller.wait(until.map(left)));
        Ok(())
    }
}

impl<R: Receive> Drop for Pretend<R> {
    fn drop(&mut self) {
        for thread in self.answers.take() {
            thread.join().expect("it only sends");
        }
    }
}
