//! Performs one hop: sockets, timers, TLS, names, and errors in our own words.
//!
//! This room knows nothing of jobs, groups or redirections. It gets a URL and how to ask for it, and
//! gives back an answer or a failure.

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

/// curl counts in milliseconds and takes 0 as no limit.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest time curl can count on every platform.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// How much time, or how many bytes, one transfer may take of its shard's turn. The rest waits for the
/// next turn, which keeps one server from holding up the shard's others.
pub(crate) const SHARE: Duration = Duration::from_micros(250);
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
    /// Whether this is still the origin that the caller meant: others get no credentials.
    pub home: bool,
    /// Whether it needs a new connection instead of a kept one.
    pub fresh: bool,
    /// The value of the `Cookie` header, of any bytes but control characters; it includes the options'
    /// cookies.
    pub cookie: Option<&'a [u8]>,
    pub plan: &'a Arc<Plan>,
    /// What is left of the attempt's time.
    pub time_left: Duration,
}

impl Hop<'_> {
    /// How long the connection may take.
    fn patience(&self) -> Duration {
        self.plan.connect_timeout.min(self.time_left)
    }
}

/// Takes in the answer as it arrives.
pub(crate) trait Receive: 'static {
    /// The head is complete; the body, if any, follows.
    fn head(&mut self, status: u16, headers: &Headers) -> Flow;
    /// Takes a piece of the body: removes some of it from the front, as much as takes only a moment.
    /// What is left is given again.
    fn data(&mut self, bytes: &mut &[u8]) -> Flow;
    /// Whether taking a piece may cost far more than its size suggests, as with compressed data.
    #[cfg_attr(
        engine = "isahc",
        allow(dead_code, reason = "isahc gives small pieces anyway")
    )]
    fn is_costly(&self) -> bool {
        false
    }
}

/// A large one is boxed, because it goes through many hands: that saves 1,700 instructions a request.
impl<R: Receive> Receive for Box<R> {
    fn head(&mut self, status: u16, headers: &Headers) -> Flow {
        (**self).head(status, headers)
    }

    fn data(&mut self, bytes: &mut &[u8]) -> Flow {
        (**self).data(bytes)
    }

    fn is_costly(&self) -> bool {
        (**self).is_costly()
    }
}

/// Whether the receiver wants the rest of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    /// For a piece of the body: the receiver is not done. The rest of the piece, which may be empty,
    /// must be given before any other.
    More,
    /// At the end of a head: only to make the connection usable again. The engine need not wait for
    /// what does not come at once.
    Hurry,
    Stop,
}

/// The outcome of a hop.
pub(crate) struct Exchange<R> {
    pub receiver: R,
    /// The answer's status; 0 if none came.
    pub status: u16,
    pub headers: Headers,
    pub timings: Timings,
    /// Why the exchange is not whole. A receiver that stopped it is not a failure.
    pub failure: Option<Failure>,
    /// The kept connection had been closed before an answer came, or the server wants no more HTTP/2 on
    /// it. The request may be made again if it may be made twice (RFC 9110, section 9.2.2).
    pub stale: bool,
    /// The server said that it did not act on the request, which may be made again whatever it is.
    pub unprocessed: bool,
    /// The only failure is that the connection ended without TLS's goodbye, where only that end marks
    /// the end of the answer (RFC 9112, section 6.3): the answer may be whole.
    pub unclosed: bool,
    /// The request was sent, and the connection or the HTTP/2 stream was closed or reset before an
    /// answer began.
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

/// Lets the shard's other work have its turn.
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
