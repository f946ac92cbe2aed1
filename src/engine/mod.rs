//! Performing one hop: sockets, timers, TLS, names, and what went wrong in our words.
//!
//! The room knows nothing of jobs, groups or redirections: it is given a URL and how to ask for
//! it, and gives back an answer or a failure.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::{Duration, Instant};

use url::Url;

use crate::address::Limits;
use crate::error::Failure;
use crate::headers::Headers;
use crate::job::Timings;
use crate::plan::Plan;
use crate::sync::Poller;

mod browser;
#[cfg(not(engine = "pretend"))]
mod codes;
mod guard;
#[cfg(engine = "isahc")]
mod isahc;
#[cfg(engine = "multi")]
mod multi;
mod names;
#[cfg(all(target_os = "linux", not(engine = "pretend")))]
mod openssl;
#[cfg(engine = "pretend")]
mod pretend;
mod request;
mod route;
#[cfg(engine = "multi")]
mod source;

/// The engine that the library is built with.
#[cfg(engine = "isahc")]
pub(crate) use isahc::Isahc as Chosen;
#[cfg(engine = "multi")]
pub(crate) use multi::Multi as Chosen;
pub(crate) use names::Names;
#[cfg(engine = "pretend")]
pub(crate) use pretend::Pretend as Chosen;
pub(crate) use request::is_idempotent;

/// curl counts in milliseconds and takes 0 for no limit.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest time curl can count on every platform.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// What one transfer may take of a turn of its shard to take in what came: so long, or so many bytes.
/// The rest waits for the next turn, so that no server keeps the others of its shard waiting.
const SHARE: Duration = Duration::from_micros(250);
#[cfg(not(engine = "isahc"))]
const SHARE_BYTES: usize = 512 << 10;

/// The seam: what an engine promises the shard that it belongs to. A build has one engine, so its
/// calls are static.
///
/// Each shard has its own, and makes, uses and drops it on its thread. Threads of the engine's, if it
/// has any, only wake futures and notify the poller. A turn of the shard polls the futures, then calls
/// `drive`; when nothing moves any more, `wait` is its sleep.
pub(crate) trait Engine<R: Receive>: Sized {
    /// An engine that waits on `poller` and counts its connections in `connections`. It keeps at most
    /// `max_connects` of them open while idle. It connects only where `limits` let it. They never
    /// change, so a kept connection was within them.
    fn new(
        poller: Arc<Poller>,
        names: Arc<Names>,
        connections: Arc<AtomicU64>,
        max_connects: usize,
        limits: Arc<Limits>,
    ) -> Result<Self, Failure>;

    /// Performs one hop, and gives the receiver back whatever came of it. Dropping the future breaks
    /// the hop off; the receiver is then called no more. All futures are dropped before the engine.
    fn perform(&self, hop: Hop<'_>, receiver: R) -> impl Future<Output = Exchange<R>>;

    /// Does what is due without the network, for a moment at most: while a server sends faster than
    /// it is read, there is always something due. True: it woke a future.
    fn drive(&self) -> bool;

    /// Waits, at rest as forks want it, for the network, for `notify` on the poller, or for the time
    /// `until`; then takes in what came, for a moment at most. It may return without any of these. An
    /// error is the poller's, and the engine is of no use after it.
    fn wait(&self, until: Option<Instant>) -> io::Result<()>;
}

/// One HTTP exchange to perform.
pub(crate) struct Hop<'a> {
    pub url: &'a Url,
    pub method: &'a str,
    /// Whether the options' body is sent.
    pub body: bool,
    /// Whether this is still the origin the caller meant: others get no credentials.
    pub home: bool,
    /// Whether a new connection is to be made for it, rather than a kept one be used.
    pub fresh: bool,
    /// The value of the `Cookie` header, of any bytes but control characters; what the options say of
    /// cookies is in it already.
    pub cookie: Option<&'a [u8]>,
    pub plan: &'a Arc<Plan>,
    /// What is left of the attempt's time.
    pub time_left: Duration,
}

impl Hop<'_> {
    /// How long may pass until there is a connection.
    fn patience(&self) -> Duration {
        self.plan.connect_timeout.min(self.time_left)
    }
}

/// Takes in the answer as it arrives.
pub(crate) trait Receive: 'static {
    /// The head is complete; the body, if any, follows.
    fn head(&mut self, status: u16, headers: &Headers) -> Flow;
    /// A piece of the body. Some of it is taken off its front, as much as takes a moment at most; what
    /// is left is given again.
    fn data(&mut self, bytes: &mut &[u8]) -> Flow;
    /// Whether that may take far longer than its size says, as of what is compressed.
    #[cfg_attr(
        engine = "isahc",
        expect(dead_code, reason = "isahc gives small pieces anyway")
    )]
    fn is_costly(&self) -> bool {
        false
    }
}

/// Whether the receiver wants the rest of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    /// Of a piece of the body: it is not done with what it was given. What is left of that, which may
    /// be nothing, is to be given before any other.
    More,
    /// At the end of a head: only so that the connection can be used again. The engine need not
    /// wait for what does not come at once.
    Hurry,
    Stop,
}

/// What came of a hop.
pub(crate) struct Exchange<R> {
    pub receiver: R,
    /// The answer's status; 0: none came.
    pub status: u16,
    pub headers: Headers,
    pub timings: Timings,
    /// Why the exchange is not whole. A receiver that stopped it is no failure.
    pub failure: Option<Failure>,
    /// The failure is that of a kept connection which had been closed before an answer came, or of
    /// one that the server wants no more of HTTP/2 on: the request may be made again if it may be
    /// made twice (RFC 9110, section 9.2.2).
    pub stale: bool,
    /// It may be made again whatever it is: the server told that it did not act on it.
    pub unprocessed: bool,
    /// The failure is no more than that the connection ended without TLS's goodbye, where nothing but
    /// its end tells that of the answer (RFC 9112, section 6.3): all of it may have come.
    pub unclosed: bool,
    /// The request was sent, and the connection or the HTTP/2 stream closed or reset before an answer
    /// began.
    pub unanswered: bool,
}

impl<R> Exchange<R> {
    fn failed(receiver: R, failure: Failure, name_lookup: Duration) -> Self {
        Self {
            receiver,
            status: 0,
            headers: Default::default(),
            timings: Timings {
                name_lookup,
                ..Timings::default()
            },
            failure: Some(failure),
            stale: false,
            unprocessed: false,
            unclosed: false,
            unanswered: false,
        }
    }
}

/// A time limit that curl can count.
fn in_curls_range(time: Duration) -> Duration {
    time.clamp(SHORTEST, LONGEST)
}

/// Lets the others of the shard have their turn.
pub(crate) async fn others_first() {
    let mut waited = false;
    poll_fn(|context| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
