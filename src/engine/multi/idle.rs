//! Whether a kept connection that nobody uses is still fit for a request.
//!
//! What comes on an idle connection was not asked for. It would be taken for the answer to the next
//! request: another URL's page, or over a proxy another host's. curl itself checks only a connection
//! that has been idle for a second, and not what OpenSSL has read ahead.
//!
//! Two things may come and change nothing: session tickets and new keys of TLS 1.3 (RFC 8446, section
//! 4.6), and HTTP/2's frames about the connection (RFC 9113, section 6).

use std::ffi::{c_int, c_uchar, c_uint, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use openssl_sys as ssl;
use socket2::SockRef;

// Not in openssl-sys; in OpenSSL since 1.1.0.
unsafe extern "C" {
    fn SSL_has_pending(ssl: *const ssl::SSL) -> c_int;
    fn SSL_set0_rbio(ssl: *mut ssl::SSL, bio: *mut ssl::BIO);
    fn SSL_set0_wbio(ssl: *mut ssl::SSL, bio: *mut ssl::BIO);
    fn BIO_up_ref(bio: *mut ssl::BIO) -> c_int;
}
const BIO_NOCLOSE: c_int = 0;
const BIO_CTRL_PENDING: c_int = 10;

/// How many bytes of what came are examined: some dozen HTTP/2 frames.
const LOOK: usize = 1024;

/// What a connection speaks.
#[derive(Clone, Copy, Default)]
pub(super) struct Speech {
    pub tls: Option<Tls>,
    pub http2: bool,
}

/// OpenSSL's side of a connection. Valid only while curl has the connection's socket open.
#[derive(Clone, Copy)]
pub(super) struct Tls(NonNull<ssl::SSL>);

// SAFETY: OpenSSL ties a connection to no thread if only one at a time uses it. Here that is always the
// shard's, which also runs curl.
unsafe impl Send for Tls {}

/// The state of a connection that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is left to read.
    Quiet,
    /// What came may precede the next answer.
    Harmless,
    /// It is closed, or what came would be taken for the next answer.
    Spent,
}

/// Makes the system acknowledge what came now, not with the next request. A server's system may hold
/// more back until then (Nagle's algorithm, RFC 9293, section 3.7.4), and would send it just as that
/// request arrives. The call fails where there is nothing to hold.
#[cfg(target_os = "linux")]
pub(super) fn acknowledge(socket: BorrowedFd<'_>) {
    // tcp(7): even numbers do it only this once.
    static ONCE: c_int = 2;
    // SAFETY: the option takes an int.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_QUICKACK,
            (&raw const ONCE).cast(),
            size_of::<c_int>() as libc::socklen_t,
        );
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn acknowledge(_: BorrowedFd<'_>) {}

/// The number of bytes that the peer's system has not acknowledged.
pub(super) fn unacknowledged(socket: BorrowedFd<'_>) -> usize {
    let mut count: c_int = 0;
    // SAFETY: the request writes an int.
    let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &mut count) };
    usize::try_from(count).unwrap_or(0) * usize::from(outcome == 0)
}

impl Speech {
    /// Examines what came on a connection's socket.
    ///
    /// # Safety
    /// The socket is open, and belongs to the TLS.
    pub unsafe fn state(&self, socket: BorrowedFd<'_>) -> State {
        let mut room = [MaybeUninit::uninit(); LOOK];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        let came = match SockRef::from(&socket).recv_with_flags(&mut room, flags) {
            // It is closed, perhaps behind something that OpenSSL has read.
            Ok(0) => return State::Spent,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return State::Spent,
        };
        // SAFETY: so many bytes were written.
        let bytes = unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<u8>(), came) };
        match self.tls {
            None => self.state_of(bytes),
            // SAFETY: the caller's promise.
            Some(tls) if came > 0 || unsafe { tls.has_pending() } => {
                let mut room = [0; LOOK];
                // SAFETY: as above.
                match unsafe { tls.peek(socket, &mut room) } {
                    Some(length) => self.state_of(&room[..length]),
                    None => State::Spent,
                }
            }
            Some(_) => State::Quiet,
        }
    }

    /// The state that these decrypted bytes put the connection in.
    fn state_of(&self, bytes: &[u8]) -> State {
        match bytes {
            [] => State::Quiet,
            _ if self.http2 && are_harmless(bytes) => State::Harmless,
            _ => State::Spent,
        }
    }
}

impl Tls {
    /// Takes what curl gives as the TLS of a connection; `None`: it has none.
    pub fn new(pointer: *mut c_void) -> Option<Self> {
        NonNull::new(pointer.cast()).map(Self)
    }

    /// Whether HTTP/2 was agreed on (RFC 7301).
    ///
    /// # Safety
    /// curl has the connection.
    pub unsafe fn speaks_http2(&self) -> bool {
        let (mut name, mut length): (*const c_uchar, c_uint) = (std::ptr::null(), 0);
        // SAFETY: the caller's promise. What it points to is the connection's own.
        let name = unsafe {
            ssl::SSL_get0_alpn_selected(self.0.as_ptr(), &mut name, &mut length);
            match name.is_null() {
                true => return false,
                false => std::slice::from_raw_parts(name, length as usize),
            }
        };
        name == b"h2"
    }

    /// Whether OpenSSL, which reads ahead, has bytes that nobody has read.
    ///
    /// # Safety
    /// curl has the connection.
    unsafe fn has_pending(&self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { SSL_has_pending(self.0.as_ptr()) != 0 }
    }

    /// Reads tickets and keys, and shows the start of what else came, which stays unread. `None`: the
    /// connection is broken or at its end.
    ///
    /// # Safety
    /// curl has the connection, nothing lies between TLS and the socket, and no call to OpenSSL is
    /// under way on it.
    unsafe fn peek(&self, socket: BorrowedFd<'_>, room: &mut [u8]) -> Option<usize> {
        let ssl = self.0.as_ptr();
        // SAFETY: the caller's promise. curl's own way to the socket works only within its calls; it is
        // taken out and put back. Each BIO counts its owners: `SSL_set0_*` takes one count of the new
        // BIO and gives up one of the old, and a BIO that is to outlive that needs one more.
        unsafe {
            let from = ssl::BIO_new_socket(socket.as_raw_fd(), BIO_NOCLOSE);
            // It is not the socket, because writing to a closed one could end the program by SIGPIPE.
            let to = ssl::BIO_new(ssl::BIO_s_mem());
            if from.is_null() || to.is_null() {
                ssl::BIO_free_all(from);
                ssl::BIO_free_all(to);
                return None;
            }
            let (reads, writes) = (ssl::SSL_get_rbio(ssl), ssl::SSL_get_wbio(ssl));
            for bio in [reads, writes, to] {
                BIO_up_ref(bio);
            }
            SSL_set0_rbio(ssl, from);
            SSL_set0_wbio(ssl, to);
            ssl::ERR_clear_error();
            let length = ssl::SSL_peek(ssl, room.as_mut_ptr().cast(), room.len() as c_int);
            let why = ssl::SSL_get_error(ssl, length);
            // The peer may ask for new keys in return.
            let mut said = [0_u8; LOOK];
            let answer = ssl::BIO_read(to, said.as_mut_ptr().cast(), said.len() as c_int);
            let rest = ssl::BIO_ctrl(to, BIO_CTRL_PENDING, 0, std::ptr::null_mut());
            SSL_set0_rbio(ssl, reads);
            SSL_set0_wbio(ssl, writes);
            ssl::BIO_free_all(to);
            ssl::ERR_clear_error();
            let answer = &said[..usize::try_from(answer).unwrap_or(0)];
            match usize::try_from(length) {
                _ if rest > 0 || !send(socket, answer) => None,
                Ok(length) if length > 0 => Some(length),
                _ => (why == ssl::SSL_ERROR_WANT_READ).then_some(0),
            }
        }
    }
}

/// Sends bytes, and returns whether all could be sent at once.
fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> bool {
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    let sent = |sent: usize| sent == bytes.len();
    bytes.is_empty()
        || SockRef::from(&socket)
            .send_with_flags(bytes, flags)
            .is_ok_and(sent)
}

/// Whether these are frames that HTTP/2 servers send by themselves and that do not affect later
/// requests. Frames of unknown types are passed over (RFC 9113, section 4.1).
fn are_harmless(mut bytes: &[u8]) -> bool {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const PUSH_PROMISE: u8 = 5;
    const GOAWAY: u8 = 7;
    const CONTINUATION: u8 = 9;
    // Section 4.2: a longer frame is an error, because curl asks for no more.
    const LONGEST: usize = 1 << 14;
    while let [a, b, c, kind, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if matches!(*kind, DATA | HEADERS | PUSH_PROMISE | GOAWAY | CONTINUATION) {
            return false;
        }
        if length > LONGEST {
            return false;
        }
        // Flags and the stream precede what the length counts.
        bytes = rest.get(5 + length..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingpong";
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    const WINDOW_UPDATE: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\0\0\x10\0";
    const GO_AWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn frames_about_the_connection_are_harmless() {
        // RFC 9113, sections 6.1 to 6.10.
        let all = [PING, SETTINGS, WINDOW_UPDATE].concat();
        for length in 0..=all.len() {
            assert!(are_harmless(&all[..length]), "cut at {length}");
        }
        assert!(
            are_harmless(b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\0"),
            "RST_STREAM"
        );
        assert!(are_harmless(b"\0\0\x01\xEE\0\0\0\0\0x"), "an unknown type");
        for bad in [
            GO_AWAY,
            b"\0\0\x05\0\x01\0\0\0\x01hello",
            b"\0\0\x01\x01\x04\0\0\0\x01\x88",
            b"\0\0\x05\x05\x04\0\0\0\x01\0\0\0\x02\x82",
            b"\0\0\0\x09\x04\0\0\0\x01",
            b"HTTP/1.1 408 Request Timeout\r\n",
        ] {
            assert!(!are_harmless(bad), "{bad:?}");
            assert!(
                !are_harmless(&[PING, bad].concat()),
                "{bad:?} behind a PING"
            );
        }
    }

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (theirs, _) = listener.accept().expect("accepted");
        (ours, theirs)
    }

    fn state(socket: &TcpStream, http2: bool) -> State {
        let speech = Speech { tls: None, http2 };
        // SAFETY: the socket is open, and there is no TLS.
        unsafe { speech.state(socket.as_fd()) }
    }

    /// Waits until what was sent has arrived.
    fn settle() {
        std::thread::sleep(Duration::from_millis(20));
    }

    #[test]
    fn what_comes_on_an_idle_socket_spends_it() {
        for http2 in [false, true] {
            let (ours, mut theirs) = pair();
            assert_eq!(state(&ours, http2), State::Quiet);
            theirs.write_all(PING).expect("written");
            settle();
            let expected = if http2 { State::Harmless } else { State::Spent };
            assert_eq!(state(&ours, http2), expected);
            assert_eq!(state(&ours, http2), expected, "it stays to be read");
            theirs.write_all(GO_AWAY).expect("written");
            settle();
            assert_eq!(state(&ours, http2), State::Spent);
            let (ours, theirs) = pair();
            drop(theirs);
            settle();
            assert_eq!(state(&ours, http2), State::Spent, "closed");
            let (ours, theirs) = pair();
            SockRef::from(&theirs)
                .set_linger(Some(Duration::ZERO))
                .expect("a socket");
            drop(theirs);
            settle();
            assert_eq!(state(&ours, http2), State::Spent, "reset");
            assert_eq!(state(&ours, http2), State::Spent, "and so it stays");
        }
    }
}
