//! The callbacks of curl that the `curl` crate hands on in part, or not at all: what they see, and what
//! they decide.

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_long, c_void};
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use curl::easy::Easy2;
use curl_sys::CURLoption;
use socket2::{SockAddr, SockAddrStorage, Socket};

use super::ask::*;
use super::idle::{Speech, Tls, unacknowledged};
use super::shared::Shared;
use super::sockets::Sockets;

/// The speed that a hurrying transfer must reach, in bytes a second, and how many seconds it may fall
/// short of it.
const LEAST_SPEED: (c_long, c_long) = (64 << 10, 1);

/// What the callbacks write that the `curl` crate hands on only in part, or not at all. curl calls them
/// on the shard's thread.
pub(super) struct Watch {
    pub shared: Arc<Shared>,
    /// Whether sockets go to where the URL leads. A proxy is the caller's own choice, and the pool's
    /// limits do not apply to it.
    pub direct: Cell<bool>,
    /// Whether a connection was opened rather than reused.
    pub opened: Cell<bool>,
    /// The connection that the request went out on, by curl's number, and its socket.
    pub connection: Cell<i64>,
    pub socket: Cell<RawFd>,
    /// Whether it counts among the connection's transfers.
    pub joined: Cell<bool>,
    /// Whether HTTP/2 is spoken in the clear.
    pub prior_knowledge: Cell<bool>,
    /// Whether the request consists of a head alone.
    pub bodiless: Cell<bool>,
    /// Whether answers carry the numbers of their requests.
    pub multiplexed: Cell<bool>,
    /// Whether what came on a kept connection was not an answer to the request.
    pub early: Cell<bool>,
    /// Whether curl chose a kept connection that was unfit. Nothing was sent on it.
    pub unfit: Cell<bool>,
    /// Why the system gave no socket, which curl does not ask; 0 if it gave one.
    pub no_socket: Cell<c_int>,
    /// The address for which no socket was opened, and what forbids it.
    pub refused: RefCell<Option<(String, &'static str)>>,
    /// Whether curl was about to send the request.
    pub sent: Cell<bool>,
    /// Whether no connection of the handle's profile is kept.
    pub single: Cell<bool>,
    /// Whether curl was about to send the request again, and was stopped.
    pub repeats: Cell<bool>,
    /// Whether the server wants HTTP/1.1 instead of the HTTP/2 stream.
    pub wants_http1: Cell<bool>,
    /// Whether what came over HTTP/2 was found to be broken.
    pub broken: Cell<bool>,
    /// The system's error when the request went out, which belongs to an address tried earlier and not
    /// to the connection.
    pub errno_before: Cell<c_int>,
    /// curl's handle, once it is configured.
    pub easy: Cell<*mut curl_sys::CURL>,
    /// Whether the transfer has been told to hurry.
    pub hurries: Cell<bool>,
    /// Whether the transfer has used its share of a turn and waits for the next.
    pub paused: Cell<bool>,
}

impl Watch {
    pub fn new(shared: &Arc<Shared>) -> Self {
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
    pub fn hurry(&self, hurries: bool) {
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
    pub fn note_errno(&self) {
        let mut errno: c_long = 0;
        if self.ask(curl_sys::CURLINFO_OS_ERRNO, &mut errno).is_ok() {
            self.errno_before.set(errno as c_int);
        }
    }

    /// Whether an answer that begins on a kept connection was sent before its request arrived: the
    /// peer's system has then acknowledged nothing of the request, as it does with each answer. A
    /// request with a body may be answered midway.
    pub fn is_early(&self) -> bool {
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
    pub fn may_send(&self) -> bool {
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
    pub fn leave(&self) {
        if self.joined.replace(false) {
            self.shared.sockets().left(self.connection.get());
        }
    }

    /// Takes in what curl tells about HTTP/2. A server may ask for HTTP/1.1 by ending the stream or the
    /// connection (RFC 9113, section 7, HTTP_1_1_REQUIRED). We may also end the connection over what
    /// came (section 5.4.1), and curl's error does not say that if the peer has gone by then.
    pub fn hear(&self, line: &[u8]) {
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
    pub fn speech(&self) -> Speech {
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
    pub fn ask<T>(&self, what: curl_sys::CURLINFO, into: &mut T) -> Result<(), curl::Error> {
        // SAFETY: the handle owns the watch, so it is live; the caller knows what it asks for.
        check(unsafe { curl_sys::curl_easy_getinfo(self.easy.get(), what, into) })
    }

    /// Sets a number while the transfer runs.
    pub fn set_long(&self, option: CURLoption, value: c_long) -> Result<(), curl::Error> {
        // SAFETY: the handle owns the watch, so it is live; the option takes a long.
        check(unsafe { curl_sys::curl_easy_setopt(self.easy.get(), option, value) })
    }

    pub fn clear(&self) {
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
    pub fn open(
        &self,
        family: c_int,
        kind: c_int,
        protocol: c_int,
        to: &SockAddr,
    ) -> Option<RawFd> {
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

    pub fn forbids(&self, to: &SockAddr) -> Option<&'static str> {
        let limits = &self.shared.limits;
        match to.as_socket() {
            Some(to) => limits.on_address(to.ip()).or(limits.on_port(to.port())),
            // curl has no other kinds to connect to; if it had, their networks would be unknown.
            None => limits.are_on_addresses().then_some("it is none of IP"),
        }
    }
}

/// Makes curl send a request only once for each transfer, and not on an unfit connection. By itself,
/// curl repeats a request at once when a kept connection turns out to be closed. `watch` must outlive
/// the handle's use.
pub(super) fn set_before_send<H>(easy: &Easy2<H>, watch: *const Watch) -> Result<(), curl::Error> {
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
pub(super) fn set_open_socket<H>(easy: &Easy2<H>, watch: *const Watch) -> Result<(), curl::Error> {
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
pub(super) unsafe fn address_of(given: *const curl_sys::curl_sockaddr) -> SockAddr {
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
pub(super) fn set_close_socket<H>(
    easy: &Easy2<H>,
    sockets: *const Mutex<Sockets>,
) -> Result<(), curl::Error> {
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
