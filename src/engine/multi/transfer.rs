//! One transfer on a curl easy handle: its setup, and the intake of what arrives.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int, c_long, c_void};
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use curl::easy::{
    Easy2, Handler, HttpVersion as CurlVersion, InfoType, List, ReadError, WriteError,
};
use curl::multi::Easy2Handle;
use curl_sys::CURLoption;
use once_cell::sync::OnceCell;
use socket2::{SockAddr, SockAddrStorage, Socket};
use url::{Position, Url};

use super::Shared;
use super::idle::{Speech, Tls, unacknowledged};
use super::sockets::Sockets;
use crate::address::shown;
use crate::engine::codes::{self, Circumstances};
use crate::engine::{Flow, Hop, Receive, SHARE, SHARE_BYTES, browser, guard, request};
use crate::error::{ErrorCode, Failure};
use crate::headers::Headers;
use crate::job::Timings;
use crate::options::HttpVersion;
use crate::plan::{Plan, Scheme};
use crate::process::{descriptors, memory};

// Not in curl-sys.
const CURLOPT_PREREQFUNCTION: CURLoption = curl_sys::CURLOPTTYPE_FUNCTIONPOINT + 312;
const CURLOPT_PREREQDATA: CURLoption = curl_sys::CURLOPTTYPE_OBJECTPOINT + 313;
const PREREQ_OK: c_int = 0;
const PREREQ_ABORT: c_int = 1;
const CURLOPT_REQUEST_TARGET: CURLoption = curl_sys::CURLOPTTYPE_OBJECTPOINT + 266;
const CURLOPT_TLS13_CIPHERS: CURLoption = curl_sys::CURLOPTTYPE_OBJECTPOINT + 276;
const TIME_T: curl_sys::CURLINFO = 0x60_0000;
const TOTAL_TIME_T: curl_sys::CURLINFO = TIME_T + 50;
const NAMELOOKUP_TIME_T: curl_sys::CURLINFO = TIME_T + 51;
const CONNECT_TIME_T: curl_sys::CURLINFO = TIME_T + 52;
const STARTTRANSFER_TIME_T: curl_sys::CURLINFO = TIME_T + 54;
const APPCONNECT_TIME_T: curl_sys::CURLINFO = TIME_T + 56;
const ACTIVESOCKET: curl_sys::CURLINFO = 0x50_0000 + 44;
const TLS_SSL_PTR: curl_sys::CURLINFO = 0x40_0000 + 45;
const CONN_ID: curl_sys::CURLINFO = TIME_T + 64;
const NO_CONNECTION: curl_sys::curl_off_t = -1;
/// A proxy's answer to CONNECT is not the server's.
const CURLOPT_SUPPRESS_CONNECT_HEADERS: CURLoption = curl_sys::CURLOPTTYPE_LONG + 265;

/// The speed that a hurrying transfer must reach, in bytes a second, and how many seconds it may fall
/// short of it.
const LEAST_SPEED: (c_long, c_long) = (64 << 10, 1);

/// Trailers mean nothing to us, but curl keeps them: 5,000 of 4 KB, where it takes a head of 300 KB.
const MAX_TRAILERS: usize = 300 << 10;

/// What curl calls while a transfer runs.
pub(super) struct Transfer<R> {
    /// Present while a transfer runs.
    pub receiver: Option<R>,
    pub headers: Headers,
    pub status: u16,
    /// The head is over: later header lines are trailers, which nobody asked for.
    body_began: bool,
    /// The answer is HTTP/1.x.
    is_http1: bool,
    /// The receiver wanted no more: curl's error about that does not count.
    stopped: bool,
    /// The number of bytes of trailers that came.
    trailers: usize,
    /// The number of bytes of the body that came, as they were sent.
    received: u64,
    /// A fault in the head, or behind the body, that curl tolerates.
    malformed: Option<String>,
    /// What no memory was left for.
    lacking: Option<&'static str>,
    /// A receiver panicked. The `curl` crate would catch that too, but tell nobody afterwards.
    panicked: bool,
    share: Share,
    watch: Rc<Watch>,
}

/// How much of the shard's turn a transfer has used.
#[derive(Default)]
struct Share {
    /// The transfer's number in its engine.
    key: usize,
    /// The turn that this share belongs to.
    turn: u64,
    time: Duration,
    bytes: usize,
    /// How many bytes were taken of those that curl gives again after a pause.
    taken: usize,
}

impl Share {
    fn is_used_up(&self) -> bool {
        self.time >= SHARE || self.bytes >= SHARE_BYTES
    }
}

/// What the callbacks write that the `curl` crate hands on only in part, or not at all. curl calls them
/// on the shard's thread.
struct Watch {
    shared: Arc<Shared>,
    /// Whether sockets go to where the URL leads. A proxy is the caller's own choice, and the pool's
    /// limits do not apply to it.
    direct: Cell<bool>,
    /// Whether a connection was opened rather than reused.
    opened: Cell<bool>,
    /// The connection that the request went out on, by curl's number, and its socket.
    connection: Cell<i64>,
    socket: Cell<RawFd>,
    /// Whether it counts among the connection's transfers.
    joined: Cell<bool>,
    /// Whether HTTP/2 is spoken in the clear.
    prior_knowledge: Cell<bool>,
    /// Whether the request consists of a head alone.
    bodiless: Cell<bool>,
    /// Whether answers carry the numbers of their requests.
    multiplexed: Cell<bool>,
    /// Whether what came on a kept connection was not an answer to the request.
    early: Cell<bool>,
    /// Whether curl chose a kept connection that was unfit. Nothing was sent on it.
    unfit: Cell<bool>,
    /// Why the system gave no socket, which curl does not ask; 0 if it gave one.
    no_socket: Cell<c_int>,
    /// The address for which no socket was opened, and what forbids it.
    refused: RefCell<Option<(String, &'static str)>>,
    /// Whether curl was about to send the request.
    sent: Cell<bool>,
    /// Whether no connection of the handle's profile is kept.
    single: Cell<bool>,
    /// Whether curl was about to send the request again, and was stopped.
    repeats: Cell<bool>,
    /// Whether the server wants HTTP/1.1 instead of the HTTP/2 stream.
    wants_http1: Cell<bool>,
    /// Whether what came over HTTP/2 was found to be broken.
    broken: Cell<bool>,
    /// The system's error when the request went out, which belongs to an address tried earlier and not
    /// to the connection.
    errno_before: Cell<c_int>,
    /// curl's handle, once it is configured.
    easy: Cell<*mut curl_sys::CURL>,
    /// Whether the transfer has been told to hurry.
    hurries: Cell<bool>,
    /// Whether the transfer has used its share of a turn and waits for the next.
    paused: Cell<bool>,
}

impl Watch {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            direct: Cell::new(true),
            opened: Cell::default(),
            connection: Cell::new(NO_CONNECTION),
            socket: Cell::new(curl_sys::CURL_SOCKET_BAD),
            joined: Cell::default(),
            prior_knowledge: Cell::default(),
            bodiless: Cell::default(),
            multiplexed: Cell::default(),
            early: Cell::default(),
            unfit: Cell::default(),
            no_socket: Cell::default(),
            refused: RefCell::default(),
            sent: Cell::default(),
            single: Cell::default(),
            repeats: Cell::default(),
            wants_http1: Cell::default(),
            broken: Cell::default(),
            errno_before: Cell::default(),
            easy: Cell::new(std::ptr::null_mut()),
            hurries: Cell::default(),
            paused: Cell::default(),
        }
    }

    /// Tells curl to give up the transfer if it is too slow, or no longer to do so.
    fn hurry(&self, hurries: bool) {
        if self.hurries.replace(hurries) != hurries {
            let (bytes, seconds) = if hurries { LEAST_SPEED } else { (0, 0) };
            // curl reads these options from time to time during a transfer. At worst the transfer takes
            // its whole time.
            let _ = self
                .set_long(curl_sys::CURLOPT_LOW_SPEED_LIMIT, bytes)
                .and_then(|()| self.set_long(curl_sys::CURLOPT_LOW_SPEED_TIME, seconds));
        }
    }

    /// Notes the system's last error during the transfer.
    fn note_errno(&self) {
        let mut errno: c_long = 0;
        if self.ask(curl_sys::CURLINFO_OS_ERRNO, &mut errno).is_ok() {
            self.errno_before.set(errno as c_int);
        }
    }

    /// Whether an answer that begins on a kept connection was sent before its request arrived: the
    /// peer's system has then acknowledged nothing of the request, as it does with each answer. A
    /// request with a body may be answered midway.
    fn is_early(&self) -> bool {
        let mut sent: c_long = 0;
        if self.opened.get()
            || self.multiplexed.get()
            || !self.bodiless.get()
            || self.socket.get() == curl_sys::CURL_SOCKET_BAD
            || self
                .ask(curl_sys::CURLINFO_REQUEST_SIZE, &mut sent)
                .is_err()
        {
            return false;
        }
        // SAFETY: the transfer runs on it.
        let waits = unacknowledged(unsafe { BorrowedFd::borrow_raw(self.socket.get()) });
        sent > 0 && waits >= sent as usize
    }

    /// Whether a request may go out on the connection that curl chose for it. A kept one may have been
    /// closed, or may hold something that nobody asked for.
    fn may_send(&self) -> bool {
        let mut id = NO_CONNECTION;
        if self.ask(CONN_ID, &mut id).is_err() {
            return true;
        }
        let mut sockets = self.shared.sockets();
        let known = sockets.socket_of(id).filter(|_| !self.opened.get());
        let fd = match known {
            Some(fd) => fd,
            None => {
                let mut fd = curl_sys::CURL_SOCKET_BAD;
                match self.ask(ACTIVESOCKET, &mut fd) {
                    Ok(()) if fd != curl_sys::CURL_SOCKET_BAD => sockets.met(fd, id, self.speech()),
                    _ => return true,
                }
                fd
            }
        };
        if sockets.speaks_http2(fd) {
            self.multiplexed.set(true);
            // curl tells only here why a stream or the connection is given up. If this fails, such an
            // end looks like any other.
            let _ = self.set_long(curl_sys::CURLOPT_VERBOSE, 1);
        }
        self.connection.set(id);
        self.socket.set(fd);
        // A server may speak first on a new connection, and the content of an answer that comes before
        // its question tells it apart.
        let fit = self.opened.get() || sockets.is_fit(fd);
        if fit {
            sockets.joined(fd);
            self.joined.set(true);
        } else {
            self.unfit.set(true);
            // The transfer's end would leave an HTTP/2 connection open. If this fails, a later transfer
            // meets the connection once more.
            let _ = self.set_long(curl_sys::CURLOPT_FORBID_REUSE, 1);
        }
        fit
    }

    /// The transfer has ended: what comes on its connection is not meant for it.
    fn leave(&self) {
        if self.joined.replace(false) {
            self.shared.sockets().left(self.connection.get());
        }
    }

    /// Takes in what curl tells about HTTP/2. A server may ask for HTTP/1.1 by ending the stream or the
    /// connection (RFC 9113, section 7, HTTP_1_1_REQUIRED). We may also end the connection over what
    /// came (section 5.4.1), and curl's error does not say that if the peer has gone by then.
    fn hear(&self, line: &[u8]) {
        if line.starts_with(b"nghttp2 shuts down connection with error ") {
            self.broken.set(true);
        } else if line.starts_with(b"Downgrades to HTTP/1.1") {
            self.wants_http1.set(true);
        } else if let Some(rest) = line.strip_prefix(b"received GOAWAY, error=13, last_stream=") {
            // The server ignored streams above that number; all stream numbers are above 0.
            let none = rest.trim_ascii_end() == b"0";
            let id = self.connection.get();
            self.shared.sockets().note_http1(id, none);
        }
    }

    /// What is spoken on the connection.
    fn speech(&self) -> Speech {
        /// curl's `struct curl_tlssessioninfo`.
        #[repr(C)]
        struct Info {
            backend: c_int,
            internals: *mut c_void,
        }
        const OPENSSL: c_int = 1;
        let mut info: *const Info = std::ptr::null();
        let tls = match self.ask(TLS_SSL_PTR, &mut info) {
            // SAFETY: what curl gives here belongs to its handle.
            Ok(()) => unsafe { info.as_ref() }
                .filter(|info| info.backend == OPENSSL)
                .and_then(|info| Tls::new(info.internals)),
            Err(_) => None,
        };
        let http2 = match &tls {
            // SAFETY: curl is about to use the connection.
            Some(tls) => unsafe { tls.speaks_http2() },
            None => self.prior_knowledge.get(),
        };
        Speech { tls, http2 }
    }

    /// Asks curl something about the running transfer. `what` is of the type `T`.
    fn ask<T>(&self, what: curl_sys::CURLINFO, into: &mut T) -> Result<(), curl::Error> {
        // SAFETY: the handle owns the watch, so it is live; the caller knows what it asks for.
        check(unsafe { curl_sys::curl_easy_getinfo(self.easy.get(), what, into) })
    }

    /// Sets a number while the transfer runs.
    fn set_long(&self, option: CURLoption, value: c_long) -> Result<(), curl::Error> {
        // SAFETY: the handle owns the watch, so it is live; the option takes a long.
        check(unsafe { curl_sys::curl_easy_setopt(self.easy.get(), option, value) })
    }

    fn clear(&self) {
        if self.unfit.replace(false) {
            // The profile's value returns. At worst this hop's connection is not kept.
            let _ = self.set_long(curl_sys::CURLOPT_FORBID_REUSE, self.single.get().into());
        }
        self.opened.set(false);
        self.early.set(false);
        self.connection.set(NO_CONNECTION);
        self.socket.set(curl_sys::CURL_SOCKET_BAD);
        self.no_socket.set(0);
        self.refused.take();
        self.sent.set(false);
        self.repeats.set(false);
        self.wants_http1.set(false);
        self.broken.set(false);
        if self.multiplexed.replace(false) {
            // At worst curl tells more than anybody listens to.
            let _ = self.set_long(curl_sys::CURLOPT_VERBOSE, 0);
        }
        self.errno_before.set(0);
        self.paused.set(false);
        self.hurry(false);
    }

    /// Opens the socket to connect to an address with, if that is allowed. curl connects to exactly
    /// this address, and therefore it is judged here, whatever named it and whatever its look-up gave.
    fn open(&self, family: c_int, kind: c_int, protocol: c_int, to: &SockAddr) -> Option<RawFd> {
        if self.sent.get() {
            // curl wants to send the request again. See `set_before_send`.
            self.repeats.set(true);
            return None;
        }
        if self.direct.get()
            && let Some(by) = self.forbids(to)
        {
            let address = match to.as_socket() {
                Some(address) => address.to_string(),
                None => format!("an address of family {family}"),
            };
            self.refused.replace(Some((address, by)));
            return None;
        }
        // socket2 sets close-on-exec; curl does not.
        let socket = match Socket::new(family.into(), kind.into(), Some(protocol.into())) {
            Ok(socket) => socket,
            Err(error) => {
                self.no_socket.set(error.raw_os_error().unwrap_or(0));
                return None;
            }
        };
        let fd = socket.into_raw_fd();
        self.shared.opened(fd);
        self.opened.set(true);
        Some(fd)
    }

    fn forbids(&self, to: &SockAddr) -> Option<&'static str> {
        let limits = &self.shared.limits;
        match to.as_socket() {
            Some(to) => limits.on_address(to.ip()).or(limits.on_port(to.port())),
            // curl has no other kinds to connect to; if it had, their networks would be unknown.
            None => limits.are_on_addresses().then_some("it is none of IP"),
        }
    }
}

impl<R> Transfer<R> {
    /// One that has met nothing yet.
    fn new(watch: Rc<Watch>) -> Self {
        Self {
            receiver: None,
            headers: Headers::default(),
            status: 0,
            body_began: false,
            is_http1: false,
            stopped: false,
            trailers: 0,
            received: 0,
            malformed: None,
            lacking: None,
            panicked: false,
            share: Share::default(),
            watch,
        }
    }
}

impl<R: Receive> Transfer<R> {
    /// Whether the final answer began, not only an interim one (1xx).
    fn has_answer(&self) -> bool {
        self.status >= 200
    }

    /// Takes the status and headers of the answer, as far as they came.
    pub fn take_answer(&mut self) -> (u16, Headers) {
        let headers = std::mem::take(&mut self.headers);
        match self.has_answer() {
            // Others need the memory that the headers hold.
            true if self.lacking.is_some() => (self.status, Headers::default()),
            true => (self.status, headers),
            false => Default::default(),
        }
    }

    fn begin_body(&mut self) -> Flow {
        self.body_began = true;
        let (status, headers) = (self.status, &self.headers);
        let Some(receiver) = &mut self.receiver else {
            return Flow::Stop;
        };
        let flow = catch_unwind(AssertUnwindSafe(|| receiver.head(status, headers)));
        self.after(flow)
    }

    /// Pauses the transfer, unless it is paused already. False: nothing was done.
    pub fn pause(&self, easy: &Easy2Handle<Self>) -> bool {
        let pause = || {
            // SAFETY: the handle is live, and no callback of its transfer runs.
            check(unsafe { curl_sys::curl_easy_pause(easy.raw(), curl_sys::CURLPAUSE_RECV) })
        };
        let pauses = !self.watch.paused.get() && pause().is_ok();
        if pauses {
            self.watch.paused.set(true);
        }
        pauses
    }

    /// The transfer has ended and no longer uses its connection.
    pub fn leave(&self) {
        self.watch.leave();
    }

    /// Whether it was paused; this ends the pause.
    pub fn was_paused(&self) -> bool {
        self.watch.paused.replace(false)
    }

    /// Takes in as much of what came as this turn's share allows. Returns how much that was, and
    /// whether there is more to do.
    fn take_share(&mut self, data: &[u8]) -> (usize, Flow) {
        let turn = self.watch.shared.turn.load(Ordering::Relaxed);
        if self.share.turn != turn {
            self.share.turn = turn;
            self.share.time = Duration::ZERO;
            self.share.bytes = 0;
        }
        let is_costly = self.receiver.as_ref().is_some_and(R::is_costly);
        let before = self.share.time;
        // Cheap data is counted in bytes alone, which saves two looks at the clock.
        let began = is_costly.then(Instant::now);
        let mut rest = data;
        let mut flow = Flow::More;
        while flow == Flow::More && !self.share.is_used_up() {
            let left = rest.len();
            flow = self.take_in(&mut rest);
            self.share.bytes += left - rest.len();
            if let Some(began) = began {
                self.share.time = before + began.elapsed();
            }
        }
        let taken = data.len() - rest.len();
        self.received += taken as u64;
        (taken, flow)
    }

    fn take_in(&mut self, data: &mut &[u8]) -> Flow {
        let Some(receiver) = &mut self.receiver else {
            return Flow::Stop;
        };
        if memory::is_out() {
            self.lacking = Some("the body");
            return Flow::Stop;
        }
        let flow = catch_unwind(AssertUnwindSafe(|| receiver.data(data)));
        self.after(flow)
    }

    fn after(&mut self, flow: std::thread::Result<Flow>) -> Flow {
        flow.unwrap_or_else(|_| {
            self.panicked = true;
            Flow::Stop
        })
    }
}

impl<R: Receive> Handler for Transfer<R> {
    fn header(&mut self, line: &[u8]) -> bool {
        if self.body_began {
            self.trailers += line.len();
            let fits = self.trailers <= MAX_TRAILERS;
            if !fits {
                let what =
                    format!("more than {MAX_TRAILERS} bytes of trailers came behind the body");
                self.malformed = Some(what);
            }
            return fits;
        }
        // curl ignores case here too.
        if line
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"HTTP/"))
        {
            if self.status == 0 && self.watch.is_early() {
                self.watch.early.set(true);
                return false;
            }
            // Each answer starts anew, because interim ones (1xx) come before the one that counts.
            self.headers.clear();
            self.is_http1 = line.get(5..7) == Some(b"1.");
            match status_of(line) {
                // HTTP ends here: curl would wait for an answer behind it.
                Some(101) => {
                    let what = "the answer is 101 (Switching Protocols), which was not asked for";
                    self.malformed = Some(what.to_owned());
                    return false;
                }
                Some(status) => self.status = status,
                None => {
                    let line = String::from_utf8_lossy(line.trim_ascii());
                    let what = format!("the answer starts with {line:?}, which is no status line");
                    self.malformed = Some(what);
                    return false;
                }
            }
        } else if let Some(b'\r' | b'\n') = line.first() {
            // curl ends a head by the same rule.
            if self.has_answer() {
                match self.begin_body() {
                    Flow::Continue | Flow::More => {}
                    Flow::Hurry => self.watch.hurry(true),
                    Flow::Stop => {
                        self.stopped = true;
                        return false;
                    }
                }
            }
        } else if memory::is_out() || !self.headers.make_room(line) {
            self.lacking = Some("the headers");
            return false;
        } else {
            self.headers.push(line);
        }
        true
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        // After a pause curl gives the same bytes again, together with newer ones.
        let Some(new) = data.get(self.share.taken..) else {
            self.share.taken -= data.len();
            return Ok(data.len());
        };
        let (taken, flow) = self.take_share(new);
        match flow {
            Flow::Stop => {
                self.stopped = true;
                Ok(0)
            }
            Flow::More => {
                self.share.taken += taken;
                self.watch.paused.set(true);
                self.watch.shared.paused().push(self.share.key);
                Err(WriteError::Pause)
            }
            Flow::Continue | Flow::Hurry => {
                self.share.taken = 0;
                Ok(data.len())
            }
        }
    }

    fn debug(&mut self, kind: InfoType, data: &[u8]) {
        if let InfoType::Text = kind {
            self.watch.hear(data);
        }
    }

    fn read(&mut self, _: &mut [u8]) -> Result<usize, ReadError> {
        // curl gets bodies whole.
        Ok(0)
    }
}

/// The status of a status line (RFC 9112, section 4): three digits.
fn status_of(line: &[u8]) -> Option<u16> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = &line[space + 1..] else {
        return None;
    };
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
    let digits = [a, b, c].map(|digit| u16::from(digit - b'0'));
    ends.then_some(digits[0] * 100 + digits[1] * 10 + digits[2])
}

/// The failure of a request whose kept connection was too old.
pub(super) fn stale(url: &Url) -> Failure {
    let what = "the kept connection was closed, or out of step, before an answer came";
    Failure::new(
        ErrorCode::ConnectionAborted,
        format!("{}: {what}", shown(url.as_str())),
    )
}

/// All of a handle's settings that the next hop may well share.
pub(super) struct Profile {
    plan: Arc<Plan>,
    method: String,
    body: bool,
    home: bool,
}

impl Profile {
    fn of(hop: &Hop<'_>) -> Self {
        Self {
            plan: Arc::clone(hop.plan),
            method: hop.method.to_owned(),
            body: hop.body,
            home: hop.home,
        }
    }

    fn fits(&self, hop: &Hop<'_>) -> bool {
        Arc::ptr_eq(&self.plan, hop.plan)
            && self.method == hop.method
            && self.body == hop.body
            && self.home == hop.home
    }
}

/// The settings of a handle: the next hop sets only what differs.
pub(super) struct Settings {
    profile: Profile,
    timeout: Duration,
    connect_timeout: Duration,
    /// The host and port that it connects to instead of the URL's.
    led: Option<(String, u16)>,
    /// Whether addresses are set.
    pinned: bool,
    cookie: Option<Vec<u8>>,
    from: Option<String>,
    fresh: bool,
    http1: bool,
    /// Whether the request's target is set, instead of curl taking it from the URL.
    targeted: bool,
    /// Whether the hop's URL is https.
    secure: bool,
}

impl Settings {
    fn of(hop: &Hop<'_>) -> Self {
        Self {
            profile: Profile::of(hop),
            timeout: Duration::ZERO,
            connect_timeout: Duration::ZERO,
            led: None,
            pinned: false,
            cookie: None,
            from: None,
            fresh: false,
            http1: false,
            targeted: false,
            secure: false,
        }
    }
}

/// Where a hop goes, and from where.
#[derive(Default)]
pub(super) struct Ways {
    /// The host and port to connect to, if they are not the URL's.
    pub led: Option<(String, u16)>,
    /// Addresses of that host and of the proxy, as in curl's --resolve.
    pub pins: Vec<String>,
    /// The source of its connections, as in curl's --interface.
    pub from: Option<String>,
}

/// A curl handle that runs nothing.
pub(super) struct Handle<R> {
    pub easy: Easy2<Transfer<R>>,
    settings: Settings,
}

impl<R: Receive> Handle<R> {
    pub fn new(shared: &Arc<Shared>, hop: &Hop<'_>) -> Result<Self, curl::Error> {
        let easy = Easy2::new(Transfer::new(Rc::new(Watch::new(shared))));
        let mut handle = Self::join(easy, Settings::of(hop));
        handle.configure()?;
        Ok(handle)
    }

    /// Whether its settings suit the hop, apart from those that differ between any two hops.
    pub fn fits(&self, hop: &Hop<'_>) -> bool {
        self.settings.profile.fits(hop)
    }

    /// Splits off the handle that curl runs under that number in its engine.
    pub fn split(mut self, key: usize) -> (Easy2<Transfer<R>>, Settings) {
        self.easy.get_mut().share.key = key;
        (self.easy, self.settings)
    }

    pub fn join(easy: Easy2<Transfer<R>>, settings: Settings) -> Self {
        Self { easy, settings }
    }

    /// How the transfer's time was spent, and the total. curl counts each phase from the transfer's
    /// start, and gives 0 for phases that were not reached; a reused connection skips some.
    pub fn timings(&self) -> (Timings, Duration) {
        let at = |what| time(&self.easy, what);
        let total = at(TOTAL_TIME_T);
        let (mut looked_up, mut connected, mut secured) = Default::default();
        if self.opened() {
            looked_up = at(NAMELOOKUP_TIME_T).min(total);
            connected = at(CONNECT_TIME_T).max(looked_up);
            secured = at(APPCONNECT_TIME_T).max(connected);
            if !self.is_connected() {
                // The phase that failed took the rest.
                secured = total;
                if connected == looked_up {
                    connected = total;
                }
            }
        }
        let answered = match at(STARTTRANSFER_TIME_T) {
            Duration::ZERO => total,
            time => time.max(secured),
        };
        let timings = Timings {
            name_lookup: looked_up,
            connect: connected - looked_up,
            tls: secured - connected,
            wait: answered.saturating_sub(secured),
            receive: total.saturating_sub(answered),
        };
        (timings, total)
    }

    /// Whether the connection turned out to be gone when the request was on it, and curl would have
    /// repeated the request at once. curl was stopped, because the engine does not decide when to ask a
    /// server again.
    fn was_repeated(&self) -> bool {
        self.easy.get_ref().watch.repeats.get()
    }

    /// Whether a kept connection was gone when the request was on it, or an HTTP/2 connection ended to
    /// make way for HTTP/1.1. `error` is curl's, `failure` is ours for it. curl reports the end of an
    /// HTTP/2 connection by many errors, and repeats nothing.
    pub fn is_stale(&self, error: Option<&curl::Error>, failure: Option<&Failure>) -> bool {
        let transfer = self.easy.get_ref();
        let ended = failure.is_some_and(|failure| failure.code == ErrorCode::ConnectionAborted)
            && !error.is_some_and(codes::is_of_stream);
        let watch = &transfer.watch;
        let unanswered = self.was_sent() && transfer.status == 0;
        let told = || watch.shared.sockets().http1_wanted(watch.connection.get());
        let foreseen = !self.opened() || told().is_some();
        self.was_repeated() || watch.early.get() || ended && unanswered && foreseen
    }

    /// Whether it opened a connection instead of reusing one.
    fn opened(&self) -> bool {
        self.easy.get_ref().watch.opened.get()
    }

    /// Whether a connection stood, TLS included.
    fn is_connected(&self) -> bool {
        let last = match self.settings.secure {
            true => APPCONNECT_TIME_T,
            false => CONNECT_TIME_T,
        };
        !self.opened() || !time(&self.easy, last).is_zero()
    }

    /// Whether the request was on a connection.
    pub fn was_sent(&self) -> bool {
        self.easy.get_ref().watch.sent.get()
    }

    /// Whether the only fault is that the connection ended without TLS's goodbye, where only that end
    /// marks the end of the answer (RFC 9112, section 6.3).
    pub fn is_unclosed(&self, error: &curl::Error) -> bool {
        let transfer = self.easy.get_ref();
        let tells = |name| transfer.headers.get(name).is_some();
        transfer.body_began
            && transfer.malformed.is_none()
            && transfer.is_http1
            && !tells("content-length")
            && !tells("transfer-encoding")
            && codes::is_unclosed(error)
    }

    /// Whether an HTTP/2 answer came whole, by its length, and only telling the peer so failed: a peer
    /// that closes its connection at once may have reset it by then.
    fn is_whole(&self, error: &curl::Error) -> bool {
        let transfer = self.easy.get_ref();
        let length = || {
            let value = std::str::from_utf8(transfer.headers.get("content-length")?).ok()?;
            value.trim().parse().ok()
        };
        error.is_send_error()
            && transfer.watch.multiplexed.get()
            && !transfer.watch.broken.get()
            && transfer.body_began
            && length() == Some(transfer.received)
    }

    /// Whether the system had no descriptor for a socket that the transfer needed, and nothing was sent
    /// over another.
    pub fn had_no_descriptor(&self) -> bool {
        let no_socket = self.easy.get_ref().watch.no_socket.get();
        !self.was_sent() && descriptors::are_out(no_socket)
    }

    /// Whether the server wants HTTP/1.1 for what was sent, and if so, whether it said that it did not
    /// act on it. `stale`: nothing came of the request.
    pub fn wants_http1(&self, stale: bool) -> Option<bool> {
        let transfer = self.easy.get_ref();
        let watch = &transfer.watch;
        if transfer.status != 0 {
            return None;
        }
        match watch.wants_http1.get() {
            true => Some(true),
            false => {
                let told = watch.shared.sockets().http1_wanted(watch.connection.get());
                told.filter(|_| stale)
            }
        }
    }

    /// Gives up the connection, because its peer broke the protocol. curl would keep an HTTP/2
    /// connection.
    pub fn give_up_connection(&self) {
        let watch = &self.easy.get_ref().watch;
        watch.shared.sockets().give_up(watch.connection.get());
    }

    /// Whether curl chose a kept connection that was unfit, with the effect that nothing was sent.
    pub fn met_unfit(&self) -> bool {
        self.easy.get_ref().watch.unfit.get()
    }

    /// Why the transfer is not whole, if it is not, given the time that it took.
    pub fn failure(
        &self,
        url: &Url,
        error: Option<&curl::Error>,
        took: Duration,
    ) -> Option<Failure> {
        let transfer = self.easy.get_ref();
        let plan = &self.settings.profile.plan;
        let protocol = |code, what: &str| {
            Some(Failure::new(
                code,
                format!("{}: {what}", shown(url.as_str())),
            ))
        };
        if transfer.panicked {
            return protocol(
                ErrorCode::InternalError,
                "the library panicked over the answer",
            );
        }
        if let Some(what) = transfer.lacking {
            return Some(Failure::no_memory(&shown(url.as_str()), what));
        }
        if let Some(what) = &transfer.malformed {
            return protocol(ErrorCode::ProtocolError, what);
        }
        if error.is_none()
            && let Some(failure) = codes::refused_by_proxy(url, transfer.status, plan)
        {
            return Some(failure);
        }
        // curl takes what it has as the answer.
        if error.is_none() && !transfer.body_began {
            return protocol(
                ErrorCode::ConnectionAborted,
                "the connection was closed within the head of the answer",
            );
        }
        let error = error.filter(|error| !transfer.stopped && !self.is_whole(error))?;
        // If there were other addresses, their outcome counts.
        if !self.opened()
            && transfer.watch.no_socket.get() == 0
            && let Some((address, by)) = &*transfer.watch.refused.borrow()
        {
            return Some(guard::forbidden(url, address, by));
        }
        let peer = self.easy.primary_ip().ok().flatten();
        let circumstances = Circumstances {
            errno: match self.easy.os_errno() {
                Ok(0) => Some(transfer.watch.no_socket.get()),
                Ok(errno) if errno == transfer.watch.errno_before.get() => Some(0),
                errno => errno.ok(),
            },
            connected: self.is_connected(),
            answered: transfer.has_answer(),
            broken: transfer.watch.broken.get(),
            peer: peer.filter(|ip| !ip.is_empty()),
            proxy: plan.proxy.as_deref(),
            interface: plan.network_interface.as_deref(),
            took,
        };
        Some(codes::failure(url.as_str(), error, &circumstances))
    }

    /// Prepares the handle for a hop. `http1`: its host wants HTTP/1.1.
    pub fn prepare(
        &mut self,
        hop: &Hop<'_>,
        receiver: R,
        timeout: Duration,
        connect_timeout: Duration,
        ways: &Ways,
        http1: bool,
    ) -> Result<(), (R, curl::Error)> {
        match self.set(hop, timeout, connect_timeout, ways, http1) {
            Ok(()) => {
                let transfer = self.easy.get_mut();
                transfer.watch.clear();
                *transfer = Transfer {
                    receiver: Some(receiver),
                    headers: std::mem::take(&mut transfer.headers),
                    ..Transfer::new(Rc::clone(&transfer.watch))
                };
                Ok(())
            }
            Err(error) => Err((receiver, error)),
        }
    }

    fn set(
        &mut self,
        hop: &Hop<'_>,
        timeout: Duration,
        connect_timeout: Duration,
        ways: &Ways,
        http1: bool,
    ) -> Result<(), curl::Error> {
        if !self.fits(hop) {
            self.easy.reset();
            self.settings = Settings::of(hop);
            self.configure()?;
        }
        if self.settings.timeout != timeout {
            self.easy.timeout(timeout)?;
            self.settings.timeout = timeout;
        }
        if self.settings.connect_timeout != connect_timeout {
            self.easy.connect_timeout(connect_timeout)?;
            self.settings.connect_timeout = connect_timeout;
        }
        if self.settings.cookie.as_deref() != hop.cookie {
            match hop.cookie {
                Some(cookie) => set_text(&self.easy, curl_sys::CURLOPT_COOKIE, cookie)?,
                None => set_null(&self.easy, curl_sys::CURLOPT_COOKIE)?,
            }
            self.settings.cookie = hop.cookie.map(Into::into);
        }
        if self.settings.from != ways.from {
            // A hop without a source has a profile of its own, and therefore a handle that was reset.
            if let Some(from) = &ways.from {
                self.easy.interface(from)?;
            }
            self.settings.from.clone_from(&ways.from);
        }
        if self.settings.http1 != http1 {
            self.easy
                .http_version(version(&self.settings.profile.plan, http1))?;
            self.settings.http1 = http1;
        }
        if self.settings.fresh != hop.fresh {
            self.easy.fresh_connect(hop.fresh)?;
            self.settings.fresh = hop.fresh;
        }
        if self.settings.led != ways.led {
            // The list has the one place, already found: curl would search all of connect_to.
            let mut list = List::new();
            if let Some((host, port)) = &ways.led {
                list.append(&format!("::{host}:{port}"))?;
            }
            self.easy.connect_to(list)?;
            self.settings.led.clone_from(&ways.led);
        }
        // curl drops these after each transfer.
        if self.settings.pinned || !ways.pins.is_empty() {
            let mut list = List::new();
            for pin in &ways.pins {
                list.append(pin)?;
            }
            self.easy.resolve(list)?;
            self.settings.pinned = !ways.pins.is_empty();
        }
        self.settings.secure = hop.url.scheme() == "https";
        let target = changed_by_curl(hop.url).then(|| {
            let plan = &self.settings.profile.plan;
            target(
                hop.url,
                !self.settings.secure && request::has_http_proxy(plan),
            )
        });
        match &target {
            Some(target) => set_text(&self.easy, CURLOPT_REQUEST_TARGET, target.as_bytes())?,
            None if self.settings.targeted => set_null(&self.easy, CURLOPT_REQUEST_TARGET)?,
            None => {}
        }
        self.settings.targeted = target.is_some();
        self.easy.url(hop.url.as_str())
    }

    /// Applies the profile to a handle that is new or reset.
    fn configure(&mut self) -> Result<(), curl::Error> {
        let Profile {
            plan,
            method,
            body,
            home,
        } = &self.settings.profile;
        let easy = &mut self.easy;

        let watch = Rc::clone(&easy.get_ref().watch);
        watch.direct.set(plan.proxy.is_none());
        watch.easy.set(easy.raw());
        let clear = plan.http_version == HttpVersion::Http2PriorKnowledge;
        watch.prior_knowledge.set(clear);
        set_open_socket(easy, Rc::as_ptr(&watch))?;
        set_close_socket(easy, &watch.shared.sockets)?;
        set_before_send(easy, Rc::as_ptr(&watch))?;
        set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)?;
        // The URL parser has removed the dots already.
        easy.path_as_is(true)?;

        let bytes = request::body(plan, method, *body);
        watch.bodiless.set(bytes.is_none());
        match bytes {
            Some(bytes) => {
                easy.post_fields_copy(bytes)?;
                easy.custom_request(method)?;
            }
            None if method == "GET" => easy.get(true)?,
            None if method == "HEAD" => easy.nobody(true)?,
            None => easy.custom_request(method)?,
        }
        easy.http_headers(headers(plan, *home, *body, bytes.is_some())?)?;
        let mut to_proxy = List::new();
        for (name, value) in request::proxy_headers(plan) {
            append(&mut to_proxy, name, value)?;
        }
        easy.proxy_headers(to_proxy)?;
        if let Some(name) = request::user_agent(plan) {
            easy.useragent(name)?;
        }
        // curl heeds `Connection: close` only in the answer. What a TLS proxy sends unasked can't be
        // seen, because curl does not give that TLS out.
        let single = request::closes(plan) || plan.proxy_scheme() == Some(Scheme::Https);
        easy.get_ref().watch.single.set(single);
        easy.forbid_reuse(single)?;

        easy.http_version(version(plan, false))?;
        // An empty proxy also keeps curl from the environment's.
        easy.proxy(plan.proxy.as_deref().unwrap_or(""))?;
        easy.noproxy("")?;

        if let Some(file) = plan.ca_file.as_deref().or(system_authorities()) {
            easy.cainfo(file)?;
            easy.proxy_cainfo(&file.to_string_lossy())?;
            // curl parses a bundle once for all its connections, but only if no directory is set:
            // otherwise a connection costs 20 times as much (docs/tls.md).
            set_null(easy, curl_sys::CURLOPT_CAPATH)?;
        }
        if plan.spoof_tls_ciphers {
            easy.ssl_cipher_list(browser::TLS12_CIPHERS)?;
            set_text(
                easy,
                CURLOPT_TLS13_CIPHERS,
                browser::TLS13_CIPHERS.as_bytes(),
            )?;
        }
        if plan.insecure {
            easy.ssl_verify_peer(false)?;
            easy.ssl_verify_host(false)?;
            easy.proxy_ssl_verify_peer(false)?;
            easy.proxy_ssl_verify_host(false)?;
        }
        Ok(())
    }
}

/// The system's bundle of certificate authorities. `None`: the system has only a directory of them, or
/// the environment names a directory, which curl then reads for each connection.
fn system_authorities() -> Option<&'static Path> {
    static FOUND: OnceCell<Option<PathBuf>> = OnceCell::new();
    FOUND
        .get_or_init(|| match std::env::var_os("SSL_CERT_DIR") {
            Some(_) => None,
            None => openssl_probe::probe().cert_file,
        })
        .as_deref()
}

/// Whether curl would alter the URL's path or query. Since 8.20 it writes `%c3` as `%C3`, which the URL
/// Standard does not, and servers may tell the two apart. To a proxy it omits the question mark of an
/// empty query.
fn changed_by_curl(url: &Url) -> bool {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let is_rewritten = |(at, _): (usize, &str)| {
        let hex = target.as_bytes().get(at + 1..at + 3).unwrap_or_default();
        let is_lower = |byte: &u8| matches!(byte, b'a'..=b'f');
        hex.iter().all(u8::is_ascii_hexdigit) && hex.iter().any(is_lower)
    };
    target.ends_with('?') || target.match_indices('%').any(is_rewritten)
}

/// The request target (RFC 9112, section 3.2). `whole`: a proxy gets the whole URL.
fn target(url: &Url, whole: bool) -> Cow<'_, str> {
    match whole {
        false => url[Position::BeforePath..Position::AfterQuery].into(),
        // The server's credentials and the fragment are left out.
        true => {
            let scheme = &url[..Position::AfterScheme];
            let rest = &url[Position::BeforeHost..Position::AfterQuery];
            format!("{scheme}://{rest}").into()
        }
    }
}

/// The version to offer. `http1`: the host wants HTTP/1.1.
fn version(plan: &Plan, http1: bool) -> CurlVersion {
    match plan.http_version {
        _ if http1 => CurlVersion::V11,
        HttpVersion::Any => CurlVersion::V2TLS,
        HttpVersion::Http11 => CurlVersion::V11,
        HttpVersion::Http2PriorKnowledge => CurlVersion::V2PriorKnowledge,
    }
}

/// The header lines to send, in curl's syntax. `home` and `kept` are the hop's; `body`: whether a body
/// is sent.
fn headers(plan: &Plan, home: bool, kept: bool, body: bool) -> Result<List, curl::Error> {
    let mut list = List::new();
    // curl adds these to a body by itself otherwise.
    if body {
        list.append("Expect:")?;
        if !plan.has_header("content-type") {
            list.append("Content-Type:")?;
        }
    }
    for (name, value) in request::headers(plan, home, kept) {
        append(&mut list, name, value)?;
    }
    Ok(list)
}

fn append(list: &mut List, name: &str, value: &str) -> Result<(), curl::Error> {
    match value.is_empty() {
        true => list.append(&format!("{name};")),
        false => list.append(&format!("{name}: {value}")),
    }
}

fn check(code: curl_sys::CURLcode) -> Result<(), curl::Error> {
    match code {
        curl_sys::CURLE_OK => Ok(()),
        code => Err(curl::Error::new(code)),
    }
}

/// A time of a transfer that has ended, in curl's own unit, because the `curl` crate goes through
/// floating point.
fn time<H>(easy: &Easy2<H>, what: curl_sys::CURLINFO) -> Duration {
    let mut microseconds: curl_sys::curl_off_t = 0;
    // SAFETY: the handle is live; the times named here are given as such a number.
    let code = unsafe { curl_sys::curl_easy_getinfo(easy.raw(), what, &mut microseconds) };
    match code {
        curl_sys::CURLE_OK => Duration::from_micros(microseconds.max(0) as u64),
        _ => Duration::ZERO,
    }
}

/// The socket of a running transfer.
pub(super) fn socket<H>(easy: &Easy2Handle<H>) -> Option<RawFd> {
    let mut socket: curl_sys::curl_socket_t = curl_sys::CURL_SOCKET_BAD;
    // SAFETY: the handle is live; its socket is given as one.
    let code = unsafe { curl_sys::curl_easy_getinfo(easy.raw(), ACTIVESOCKET, &mut socket) };
    (code == curl_sys::CURLE_OK && socket >= 0).then_some(socket)
}

fn set_long<H>(easy: &Easy2<H>, option: CURLoption, value: i64) -> Result<(), curl::Error> {
    // SAFETY: the handle is live; the option takes a long.
    check(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, value as c_long) })
}

fn set_text<H>(easy: &Easy2<H>, option: CURLoption, value: &[u8]) -> Result<(), curl::Error> {
    let value = CString::new(value)?;
    // SAFETY: the handle is live; the option takes text that ends in a NUL, which curl copies.
    check(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, value.as_ptr()) })
}

fn set_null<H>(easy: &Easy2<H>, option: CURLoption) -> Result<(), curl::Error> {
    // SAFETY: the handle is live; the option takes a pointer, NULL for none.
    check(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, std::ptr::null::<c_void>()) })
}

/// Makes curl send a request only once for each transfer, and not on an unfit connection. By itself,
/// curl repeats a request at once when a kept connection turns out to be closed. `watch` must outlive
/// the handle's use.
fn set_before_send<H>(easy: &Easy2<H>, watch: *const Watch) -> Result<(), curl::Error> {
    type Function = extern "C" fn(*mut c_void, *mut c_char, *mut c_char, c_int, c_int) -> c_int;
    extern "C" fn count(
        watch: *mut c_void,
        _: *mut c_char,
        _: *mut c_char,
        _: c_int,
        _: c_int,
    ) -> c_int {
        // SAFETY: the handle that curl runs owns the watch.
        let watch = unsafe { &*watch.cast::<Watch>() };
        if watch.sent.get() {
            watch.repeats.set(true);
            return PREREQ_ABORT;
        }
        // A panic must not reach curl.
        let fits = catch_unwind(AssertUnwindSafe(|| watch.may_send()));
        if !matches!(fits, Ok(true)) {
            return PREREQ_ABORT;
        }
        // curl has opened its last socket: earlier failures no longer matter.
        if watch.opened.get() {
            watch.note_errno();
        }
        watch.sent.set(true);
        PREREQ_OK
    }
    let function: Function = count;
    // SAFETY: the handle is live, and the options take a function of this type and a pointer.
    unsafe {
        check(curl_sys::curl_easy_setopt(
            easy.raw(),
            CURLOPT_PREREQFUNCTION,
            function,
        ))?;
        check(curl_sys::curl_easy_setopt(
            easy.raw(),
            CURLOPT_PREREQDATA,
            watch.cast::<c_void>(),
        ))
    }
}

/// Makes curl ask us for each socket that it connects with. `watch` must outlive the handle's use.
fn set_open_socket<H>(easy: &Easy2<H>, watch: *const Watch) -> Result<(), curl::Error> {
    extern "C" fn open(
        watch: *mut c_void,
        _: curl_sys::curlsocktype,
        to: *mut curl_sys::curl_sockaddr,
    ) -> curl_sys::curl_socket_t {
        // SAFETY: the handle that curl runs owns the watch; the address lives during the call.
        let (watch, address) = unsafe { (&*watch.cast::<Watch>(), address_of(to)) };
        // SAFETY: as above.
        let (family, kind, protocol) = unsafe { ((*to).family, (*to).socktype, (*to).protocol) };
        // A panic must not reach curl.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            watch.open(family, kind, protocol, &address)
        }));
        opened.ok().flatten().unwrap_or(curl_sys::CURL_SOCKET_BAD)
    }
    let function: curl_sys::curl_opensocket_callback = open;
    // SAFETY: the handle is live, and the options take a function of this type and a pointer.
    unsafe {
        check(curl_sys::curl_easy_setopt(
            easy.raw(),
            curl_sys::CURLOPT_OPENSOCKETFUNCTION,
            function,
        ))?;
        check(curl_sys::curl_easy_setopt(
            easy.raw(),
            curl_sys::CURLOPT_OPENSOCKETDATA,
            watch.cast::<c_void>(),
        ))
    }
}

/// The address in curl's form, which may be longer than the type says: `addrlen` tells.
///
/// # Safety
/// `given` is what curl hands to the function that opens sockets.
unsafe fn address_of(given: *const curl_sys::curl_sockaddr) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: the caller's promise: there are as many bytes of the address.
    unsafe {
        let length = ((*given).addrlen as usize).min(size_of::<SockAddrStorage>());
        std::ptr::copy_nonoverlapping(
            (&raw const (*given).addr).cast::<u8>(),
            (&raw mut storage).cast::<u8>(),
            length,
        );
        SockAddr::new(storage, length as libc::socklen_t)
    }
}

/// Makes curl tell us of each socket that it closes. The last may close as late as the end of the multi
/// handle, and `sockets` must outlive that.
fn set_close_socket<H>(easy: &Easy2<H>, sockets: *const Mutex<Sockets>) -> Result<(), curl::Error> {
    extern "C" fn close(sockets: *mut c_void, fd: curl_sys::curl_socket_t) -> c_int {
        // SAFETY: the multi handle owns the sockets' book for as long as curl has connections,
        // and curl hands over the socket: it is ours to close.
        let (book, socket) =
            unsafe { (&*sockets.cast::<Mutex<Sockets>>(), OwnedFd::from_raw_fd(fd)) };
        book.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closing(fd);
        drop(socket);
        0
    }
    let function: extern "C" fn(*mut c_void, curl_sys::curl_socket_t) -> c_int = close;
    // SAFETY: the handle is live, and the options take a function of this type and a pointer.
    unsafe {
        check(curl_sys::curl_easy_setopt(
            easy.raw(),
            curl_sys::CURLOPT_CLOSESOCKETFUNCTION,
            function,
        ))?;
        check(curl_sys::curl_easy_setopt(
            easy.raw(),
            curl_sys::CURLOPT_CLOSESOCKETDATA,
            sockets.cast::<c_void>(),
        ))
    }
}
