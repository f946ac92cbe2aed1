//! The engine over curl's multi handle: one for each shard, driven by the shard's own loop.
//!
//! The order within a turn matters. curl's zero timer starts new transfers, and `drive` runs it before
//! `wait` flushes socket updates. A connection reused in the same turn then costs no system calls but
//! its send and its receive.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::num::NonZero;
use std::os::fd::RawFd;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use curl::multi::{Easy2Handle, Events};
use slab::Slab;
use url::Url;

use super::source::{self, Source};
use super::{Engine, Exchange, Hop, Names, Receive, guard, in_curls_range, left, route};
use crate::address::{Limits, shown};
use crate::error::{ErrorCode, Failure};
use crate::process::fork;
use crate::sync::Poller;
use handle::{Handle, Ways};
use shared::{Shared, Timer};
use sockets::{Interest, Sockets};
use transfer::Transfer;

mod ask;
mod handle;
mod idle;
#[cfg(all(feature = "capi", target_os = "linux", not(debug_assertions)))]
mod memory;
mod names;
mod shared;
mod sockets;
mod transfer;
mod watch;

/// How many idle handles are looked at for one that is set as a hop has it. To set another costs
/// little.
const LOOKED_AT: usize = 64;
/// The most events taken from the poller at once.
const EVENTS: NonZero<usize> = NonZero::new(256).unwrap();

// Not in curl-sys.
const CURLMOPT_QUICK_EXIT: curl_sys::CURLMoption = curl_sys::CURLOPTTYPE_LONG + 21;
const QUICK: std::ffi::c_long = 1;
const CURLMOPT_NETWORK_CHANGED: curl_sys::CURLMoption = curl_sys::CURLOPTTYPE_LONG + 17;
const CLEAR_CONNECTIONS: std::ffi::c_long = 2;

/// How many kept connections a transfer tries before it makes its own.
const MOST_UNFIT: u32 = 8;

/// How long the engine remembers that a host wants HTTP/1.1, and for how many hosts.
const KEEP_PLAIN: Duration = Duration::from_secs(60 * 60);
const MOST_PLAIN: usize = 10_000;
/// How long due work of curl's runs in one go.
const DRIVE: Duration = Duration::from_micros(200);
/// How long the network may keep a turn busy before some work is put off, and how long a turn then
/// spends on that.
const GREEDY: Duration = Duration::from_millis(2);

/// How long a transfer without a descriptor waits before it tries again.
const BREATH: Duration = Duration::from_millis(100);

/// Whether curl can make a multi handle now: it can't if no descriptor or memory is left.
fn curl_has_multi() -> bool {
    curl::init();
    // SAFETY: curl is initialised; the handle is used for nothing and given back.
    unsafe {
        let handle = curl_sys::curl_multi_init();
        let there = !handle.is_null();
        if there {
            curl_sys::curl_multi_cleanup(handle);
        }
        there
    }
}

/// A transfer that curl runs.
struct Running<R> {
    easy: Easy2Handle<Transfer<R>>,
    /// What `easy` was split from, without it.
    settings: handle::Settings,
    waker: Option<Waker>,
    outcome: Option<Result<(), curl::Error>>,
}

/// Performs hops on one curl multi handle.
pub(crate) struct Multi<R: Receive> {
    // The fields drop in this order: transfers, then curl with its connections, then what these call.
    running: RefCell<Slab<Running<R>>>,
    idle: RefCell<Vec<Handle<R>>>,
    curl: curl::multi::Multi,
    shared: Arc<Shared>,
    names: Arc<Names>,
    poller: Arc<Poller>,
    events: RefCell<polling::Events>,
    /// How many of them curl knows.
    seen: Cell<usize>,
    /// Transfers that ended while nobody could be told; `drive` calls their wakers.
    finished: RefCell<Vec<usize>>,
    /// Transfers that are paused because they always have something to read. Some of them go on in each
    /// turn.
    greedy: RefCell<VecDeque<usize>>,
    /// Transfers that wait for a descriptor, and until when.
    starved: RefCell<Vec<(Instant, Waker)>>,
    /// Hosts and ports that want HTTP/1.1, and until when that is remembered.
    plain: RefCell<HashMap<Box<str>, Instant>>,
    /// How many handles are kept for later hops.
    keep: usize,
}

impl<R: Receive> Engine<R> for Multi<R> {
    fn new(
        poller: Arc<Poller>,
        names: Arc<Names>,
        connections: Arc<AtomicU64>,
        max_connects: usize,
        limits: Arc<Limits>,
    ) -> Result<Self, Failure> {
        let shared = Arc::new(Shared {
            sockets: Mutex::new(Sockets::new(Arc::clone(&poller))),
            timer: Timer::new(),
            turn: AtomicU64::default(),
            paused: Mutex::default(),
            connections,
            limits,
        });
        let failure = |why: &str| {
            Failure::new(
                ErrorCode::InternalError,
                format!("curl's multi handle: {why}"),
            )
        };
        // The crate panics when curl gives no handle. Asking first keeps that panic off the program's
        // standard error, though the answer may be out of date.
        let curl = match curl_has_multi() {
            true => catch_unwind(curl::multi::Multi::new).ok(),
            false => None,
        };
        let mut curl =
            curl.ok_or_else(|| failure("no descriptor or memory is left (see ulimit -n)"))?;
        Self::set_up(&mut curl, &shared, max_connects)
            .map_err(|error| failure(&error.to_string()))?;
        Ok(Self {
            running: RefCell::default(),
            idle: RefCell::default(),
            curl,
            shared,
            names,
            poller,
            events: RefCell::new(polling::Events::with_capacity(EVENTS)),
            seen: Cell::default(),
            finished: RefCell::default(),
            greedy: RefCell::default(),
            starved: RefCell::default(),
            plain: RefCell::default(),
            keep: max_connects,
        })
    }

    async fn perform(&self, hop: Hop<'_>, receiver: R) -> Exchange<R> {
        let mut name_lookup = Duration::ZERO;
        let mut found = None;
        let limits = &*self.shared.limits;
        if let Err(failure) = guard::check(limits, &hop) {
            return Exchange::failed(receiver, failure, name_lookup);
        }
        let mut ways = names::ways(&hop);
        let told = guard::is_told_addresses(limits, hop.plan);
        if let Some((host, port)) = names::name_to_look_up(hop.url, hop.plan, told) {
            let began = Instant::now();
            let answer = self.names.lookup_for(&hop, host).await;
            name_lookup = began.elapsed();
            match answer.and_then(|addresses| guard::sift(limits, &hop, host, addresses)) {
                Ok(addresses) => {
                    ways.pins.push(names::pin(host, port, &addresses));
                    found = Some(addresses);
                }
                Err(failure) => return Exchange::failed(receiver, failure, name_lookup),
            }
        }
        match self.source(&hop, found.as_deref()).await {
            Ok((from, took)) => {
                name_lookup += took;
                ways.from = from;
            }
            Err(failure) => return Exchange::failed(receiver, failure, name_lookup),
        }
        let mut receiver = receiver;
        let mut hop = hop;
        // How many kept connections were unfit.
        let mut unfit = 0;
        // Since when no descriptor was left for the transfer.
        let mut starved = None;
        loop {
            let waited = starved.map_or(Duration::ZERO, |since: Instant| since.elapsed());
            let spent = name_lookup + waited;
            let key = match self.start(&hop, receiver, spent, &ways) {
                Ok(key) => key,
                Err((receiver, failure)) => {
                    return Exchange::failed(receiver, failure, name_lookup);
                }
            };
            let finished = Finished {
                engine: self,
                key: Some(key),
                url: hop.url,
                name_lookup,
            };
            let (exchange, lacks) = finished.await;
            let patience = hop.patience();
            match lacks {
                // A connection that others use stays, and would be chosen again.
                Some(Lack::Connection) => {
                    unfit += 1;
                    hop.fresh |= unfit == MOST_UNFIT;
                }
                Some(Lack::Descriptor) if spent + BREATH < patience => {
                    starved.get_or_insert_with(Instant::now);
                    self.wait_for_descriptor().await;
                }
                _ => return exchange,
            }
            // Nothing was sent, and the receiver is unchanged.
            receiver = exchange.receiver;
        }
    }

    fn drive(&self) -> bool {
        self.shared.turn.fetch_add(1, Ordering::Relaxed);
        let mut began = None;
        while self.shared.timer.take_due() {
            self.act(|curl| curl.timeout());
            if began.get_or_insert_with(Instant::now).elapsed() >= DRIVE {
                let sockets = self.shared.sockets();
                let greedy = self.those_on(|socket| sockets.was_ready(socket));
                drop(sockets);
                self.pause(&greedy);
                break;
            }
        }
        self.serve_greedy();
        self.wake_starved() | self.wake()
    }

    fn wait(&self, until: Option<Instant>) -> io::Result<()> {
        let timeout = self
            .shared
            .timer
            .at()
            .into_iter()
            .chain(until)
            .chain(self.starved.borrow().iter().map(|(due, _)| *due).min())
            .min()
            .map(left);
        let none_waits = self.greedy.borrow().is_empty() && self.shared.paused().is_empty();
        let timeout = match none_waits {
            true => timeout,
            false => Some(Duration::ZERO),
        };
        let mut events = self.events.borrow_mut();
        let mut seen = self.seen.replace(0);
        if seen < events.len() {
            // What was put off comes first; a fork may come before it.
            fork::at_rest(|| ());
        } else {
            seen = 0;
            self.shared.sockets().flush()?;
            events.clear();
            match fork::at_rest(|| self.poller.wait(&mut events, timeout)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                outcome => outcome?,
            };
            let mut sockets = self.shared.sockets();
            for event in events.iter() {
                sockets.note_ready(event.key as RawFd);
            }
        }
        let began = Instant::now();
        for event in events.iter().skip(seen) {
            let since = began.elapsed();
            if since >= GREEDY {
                break;
            }
            seen += 1;
            let fd = event.key as RawFd;
            if !self.shared.sockets().wanted(fd, event.readable) {
                continue;
            }
            let mut happened = Events::new();
            happened.input(event.readable).output(event.writable);
            let at_rest = !self.shared.timer.is_due();
            self.act(|curl| curl.action(fd, &happened));
            // It has not read all there is.
            let is_greedy = at_rest && self.shared.timer.is_due();
            if is_greedy && began.elapsed() - since >= DRIVE {
                self.pause(&self.those_on(|socket| socket == fd));
            }
        }
        self.seen.set(seen);
        Ok(())
    }
}

impl<R: Receive> Multi<R> {
    fn set_up(
        multi: &mut curl::multi::Multi,
        shared: &Arc<Shared>,
        max_connects: usize,
    ) -> Result<(), curl::MultiError> {
        let book = Arc::clone(shared);
        multi.socket_function(move |fd, events, _| {
            let wanted = Interest {
                read: events.input() || events.input_and_output(),
                write: events.output() || events.input_and_output(),
            };
            book.sockets().want(fd, wanted);
        })?;
        let book = Arc::clone(shared);
        multi.timer_function(move |delay| {
            book.timer.set(delay);
            true
        })?;
        multi.set_max_connects(max_connects)?;
        // The names of proxies are looked up by curl, on threads that its end must not wait for.
        set_long(multi, CURLMOPT_QUICK_EXIT, QUICK)
    }

    /// Where a hop's connections come from, in curl's words, and how long it took to look that up.
    /// `found`: the addresses of its host, if they were looked up.
    async fn source(
        &self,
        hop: &Hop<'_>,
        found: Option<&[IpAddr]>,
    ) -> Result<(Option<String>, Duration), Failure> {
        let Some(interface) = hop.plan.network_interface.as_deref() else {
            return Ok((None, Duration::ZERO));
        };
        let (before, name) = match source::read(interface) {
            Source::Known(text) => return Ok((Some(text), Duration::ZERO)),
            Source::Name(before, name) => (before, name),
        };
        let began = Instant::now();
        let own = hop.url.host_str().and_then(route::address);
        let to = found.unwrap_or(own.as_slice());
        let from = self.names.lookup(name, hop.patience()).await;
        let why = match from.map(|from| source::choose(&from, to)) {
            Ok(Some(address)) => {
                return Ok((Some(format!("{before}{address}")), began.elapsed()));
            }
            Ok(None) => String::new(),
            Err(why) => format!(": {}", why.message),
        };
        let url = shown(hop.url.as_str());
        Err(Failure::new(
            ErrorCode::ConnectionError,
            format!("{url}: {interface} is no interface here, and no host with an address{why}"),
        ))
    }

    /// Closes the connections that nobody uses, and waits a little. The transfer keeps its worker
    /// meanwhile, with the effect that fewer run at once.
    async fn wait_for_descriptor(&self) {
        // If this fails, others may still free some.
        let _ = set_long(&self.curl, CURLMOPT_NETWORK_CHANGED, CLEAR_CONNECTIONS);
        let due = Instant::now() + BREATH;
        poll_fn(|context| {
            if left(due).is_zero() {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            self.starved.borrow_mut().push((due, waker));
            Poll::Pending
        })
        .await
    }

    /// Gives a transfer to curl, or returns the receiver.
    fn start(
        &self,
        hop: &Hop<'_>,
        receiver: R,
        spent: Duration,
        ways: &Ways,
    ) -> Result<usize, (R, Failure)> {
        let failure = |words: String| {
            Failure::new(
                ErrorCode::InternalError,
                format!("{}: curl: {words}", shown(hop.url.as_str())),
            )
        };
        let timeout = in_curls_range(hop.time_left.saturating_sub(spent));
        let connect = in_curls_range(hop.plan.connect_timeout.saturating_sub(spent));

        let mut handle = match self
            .unused(hop)
            .map_or_else(|| Handle::new(&self.shared, hop), Ok)
        {
            Ok(handle) => handle,
            Err(error) => return Err((receiver, failure(error.to_string()))),
        };
        let http1 = self.wants_http1(hop.url);
        let ready = handle.prepare(hop, receiver, timeout, connect, ways, http1);
        if let Err((receiver, error)) = ready {
            return Err((receiver, failure(error.to_string())));
        }
        let mut running = self.running.borrow_mut();
        let entry = running.vacant_entry();
        let key = entry.key();
        let (easy, settings) = handle.split(key);
        let mut easy = match self.curl.add2(easy) {
            Ok(easy) => easy,
            // curl refuses only a handle that is broken or was added before, and neither can happen.
            Err(error) => unreachable!("curl took no handle: {error}"),
        };
        easy.set_token(key).expect("a handle keeps a number");
        entry.insert(Running {
            easy,
            settings,
            waker: None,
            outcome: None,
        });
        Ok(key)
    }

    /// Whether a URL's host and port want HTTP/1.1.
    fn wants_http1(&self, url: &Url) -> bool {
        let plain = self.plain.borrow();
        !plain.is_empty()
            && plain
                .get(authority(url))
                .is_some_and(|until| Instant::now() < *until)
    }

    /// Remembers that a URL's host and port want HTTP/1.1.
    fn note_http1(&self, url: &Url) {
        let mut plain = self.plain.borrow_mut();
        if plain.len() >= MOST_PLAIN {
            let now = Instant::now();
            plain.retain(|_, until| now < *until);
        }
        if plain.len() < MOST_PLAIN {
            plain.insert(authority(url).into(), Instant::now() + KEEP_PLAIN);
        }
    }

    /// The transfers on sockets of a kind.
    fn those_on(&self, is_one: impl Fn(RawFd) -> bool) -> Vec<usize> {
        let running = self.running.borrow();
        let theirs = running
            .iter()
            .filter(|(_, one)| ask::socket(&one.easy).is_some_and(&is_one));
        theirs.map(|(key, _)| key).collect()
    }

    /// Pauses transfers that always have something to read: otherwise curl would run them again with
    /// each event of another.
    fn pause(&self, keys: &[usize]) {
        let running = self.running.borrow();
        for key in keys {
            if let Some(transfer) = running.get(*key).filter(|one| one.outcome.is_none())
                && transfer.easy.get_ref().pause(&transfer.easy)
            {
                self.greedy.borrow_mut().push_back(*key);
            }
        }
    }

    /// Lets the paused transfers go on, one after the other, for a while.
    fn serve_greedy(&self) {
        self.greedy
            .borrow_mut()
            .extend(self.shared.paused().drain(..));
        let waiting = self.greedy.borrow().len();
        if waiting == 0 {
            return;
        }
        let began = Instant::now();
        for _ in 0..waiting {
            let next = self.greedy.borrow_mut().pop_front();
            if let Some(key) = next
                && self.resume(key)
            {
                while self.shared.timer.take_due() {
                    self.act(|curl| curl.timeout());
                    // There is more to read, unless it stopped by itself.
                    if self.shared.timer.is_due() {
                        self.pause(&[key]);
                        break;
                    }
                }
            }
            if began.elapsed() >= GREEDY {
                break;
            }
        }
    }

    /// Lets a paused transfer go on. False: it has ended.
    fn resume(&self, key: usize) -> bool {
        let mut running = self.running.borrow_mut();
        // Another transfer may have its number by now.
        let Some(transfer) = running.get_mut(key).filter(|one| one.outcome.is_none()) else {
            return false;
        };
        if !transfer.easy.get_ref().was_paused() {
            return false;
        }
        // The call delivers what came right here. If the receiver wants no more, curl would end the
        // transfer only with the next bytes.
        if let Err(error) = transfer.easy.unpause_write() {
            transfer.outcome = Some(Err(error));
            self.finished.borrow_mut().push(key);
        }
        true
    }

    fn wake_starved(&self) -> bool {
        let mut starved = self.starved.borrow_mut();
        let before = starved.len();
        if before > 0 {
            let now = Instant::now();
            for (_, waker) in starved.extract_if(.., |(due, _)| *due <= now) {
                waker.wake();
            }
        }
        starved.len() < before
    }

    fn act(&self, action: impl FnOnce(&curl::multi::Multi) -> Result<u32, curl::MultiError>) {
        // This fails only for a handle or a socket that curl does not know, and neither can happen.
        let outcome = action(&self.curl);
        debug_assert!(outcome.is_ok(), "{outcome:?}");
        let mut running = self.running.borrow_mut();
        self.curl.messages(|message| {
            let Ok(key) = message.token() else { return };
            if let Some(transfer) = running.get_mut(key) {
                transfer.outcome = message.result_for2(&transfer.easy);
                transfer.easy.get_ref().leave();
                self.finished.borrow_mut().push(key);
            }
        });
    }

    fn wake(&self) -> bool {
        let finished = self.finished.take();
        for &key in &finished {
            let waker = self
                .running
                .borrow_mut()
                .get_mut(key)
                .and_then(|t| t.waker.take());
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        !finished.is_empty()
    }

    /// Takes a transfer back from curl, ended or not.
    fn take(&self, key: usize) -> (Handle<R>, Option<Result<(), curl::Error>>) {
        let Running {
            easy,
            settings,
            outcome,
            ..
        } = self.running.borrow_mut().remove(key);
        let easy = self.curl.remove2(easy).expect("the handle was added");
        easy.get_ref().leave();
        (Handle::join(easy, settings), outcome)
    }

    /// An idle handle: one whose settings suit the hop, if there is one.
    fn unused(&self, hop: &Hop<'_>) -> Option<Handle<R>> {
        let mut idle = self.idle.borrow_mut();
        let first = idle.len().saturating_sub(LOOKED_AT);
        match idle[first..].iter().rposition(|handle| handle.fits(hop)) {
            Some(at) => Some(idle.swap_remove(first + at)),
            None => idle.pop(),
        }
    }

    fn recycle(&self, handle: Handle<R>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.keep {
            idle.push(handle);
        }
    }
}

impl<R: Receive> Drop for Multi<R> {
    fn drop(&mut self) {
        // The transfers go before `curl`, whose end closes the connections through callbacks that need
        // `shared`.
        self.running.get_mut().clear();
        self.idle.get_mut().clear();
    }
}

/// What a transfer lacked before anything was sent.
enum Lack {
    Descriptor,
    /// The kept connection that it was given was unfit.
    Connection,
}

/// The end of a transfer. Dropping it early aborts the transfer.
struct Finished<'a, R: Receive> {
    engine: &'a Multi<R>,
    /// Present until the transfer was taken back.
    key: Option<usize>,
    url: &'a Url,
    name_lookup: Duration,
}

impl<R: Receive> Future for Finished<'_, R> {
    type Output = (Exchange<R>, Option<Lack>);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let key = self.key.expect("polled after its end");
        {
            let mut running = self.engine.running.borrow_mut();
            let transfer = &mut running[key];
            if transfer.outcome.is_none() {
                transfer.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.key = None;
        let (mut handle, outcome) = self.engine.take(key);
        let error = outcome.and_then(Result::err);
        let (mut timings, took) = handle.timings();
        timings.name_lookup += self.name_lookup;
        let unclosed = error
            .as_ref()
            .is_some_and(|error| handle.is_unclosed(error));
        let is_of_protocol = |failure: &Failure| failure.code == ErrorCode::ProtocolError;
        let mut failure = handle.failure(self.url, error.as_ref(), took);
        let stale = handle.is_stale(error.as_ref(), failure.as_ref());
        let wants_http1 = handle.wants_http1(stale);
        if wants_http1.is_some() {
            self.engine.note_http1(self.url);
        }
        if stale {
            failure = Some(handle::stale(self.url));
        }
        if failure.as_ref().is_some_and(is_of_protocol) {
            handle.give_up_connection();
        }
        let sent = handle.was_sent();
        // A transfer that ran into its time-out had a socket: it was trying another address.
        let is_early = |failure: &Failure| failure.code != ErrorCode::ConnectTimeout;
        let no_descriptor = failure.as_ref().is_some_and(is_early) && handle.had_no_descriptor();
        let lacks = match handle.met_unfit() {
            true => Some(Lack::Connection),
            false => no_descriptor.then_some(Lack::Descriptor),
        };
        let transfer = handle.easy.get_mut();
        let (status, headers) = transfer.take_answer();
        let is_aborted = |failure: &Failure| failure.code == ErrorCode::ConnectionAborted;
        let unanswered = sent && status == 0 && failure.as_ref().is_some_and(is_aborted);
        let exchange = Exchange {
            receiver: transfer.receiver.take().expect("given at the start"),
            status,
            headers,
            timings,
            failure,
            stale,
            unprocessed: wants_http1 == Some(true),
            unclosed,
            unanswered,
        };
        self.engine.recycle(handle);
        Poll::Ready((exchange, lacks))
    }
}

impl<R: Receive> Drop for Finished<'_, R> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            // Its connection can't be used again; curl closes it.
            self.engine.take(key);
        }
    }
}

/// The host and port of a URL, as it writes them.
fn authority(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

fn set_long(
    multi: &curl::multi::Multi,
    option: curl_sys::CURLMoption,
    value: std::ffi::c_long,
) -> Result<(), curl::MultiError> {
    // SAFETY: the handle is live; the option takes a long.
    match unsafe { curl_sys::curl_multi_setopt(multi.raw(), option, value) } {
        curl_sys::CURLM_OK => Ok(()),
        code => Err(curl::MultiError::new(code)),
    }
}
