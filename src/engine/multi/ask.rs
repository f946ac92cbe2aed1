//! Asks and tells curl what the `curl` crate does not hand on.

use std::ffi::{CString, c_int, c_long, c_void};
use std::os::fd::RawFd;
use std::time::Duration;

use curl::easy::Easy2;
use curl::multi::Easy2Handle;
use curl_sys::CURLoption;

// Not in curl-sys.
pub(super) const CURLOPT_PREREQFUNCTION: CURLoption = curl_sys::CURLOPTTYPE_FUNCTIONPOINT + 312;
pub(super) const CURLOPT_PREREQDATA: CURLoption = curl_sys::CURLOPTTYPE_OBJECTPOINT + 313;
pub(super) const PREREQ_OK: c_int = 0;
pub(super) const PREREQ_ABORT: c_int = 1;
pub(super) const CURLOPT_REQUEST_TARGET: CURLoption = curl_sys::CURLOPTTYPE_OBJECTPOINT + 266;
pub(super) const CURLOPT_TLS13_CIPHERS: CURLoption = curl_sys::CURLOPTTYPE_OBJECTPOINT + 276;
pub(super) const TIME_T: curl_sys::CURLINFO = 0x60_0000;
pub(super) const TOTAL_TIME_T: curl_sys::CURLINFO = TIME_T + 50;
pub(super) const NAMELOOKUP_TIME_T: curl_sys::CURLINFO = TIME_T + 51;
pub(super) const CONNECT_TIME_T: curl_sys::CURLINFO = TIME_T + 52;
pub(super) const STARTTRANSFER_TIME_T: curl_sys::CURLINFO = TIME_T + 54;
pub(super) const APPCONNECT_TIME_T: curl_sys::CURLINFO = TIME_T + 56;
pub(super) const ACTIVESOCKET: curl_sys::CURLINFO = 0x50_0000 + 44;
pub(super) const TLS_SSL_PTR: curl_sys::CURLINFO = 0x40_0000 + 45;
pub(super) const CONN_ID: curl_sys::CURLINFO = TIME_T + 64;
pub(super) const NO_CONNECTION: curl_sys::curl_off_t = -1;
/// A proxy's answer to CONNECT is not the server's.
pub(super) const CURLOPT_SUPPRESS_CONNECT_HEADERS: CURLoption = curl_sys::CURLOPTTYPE_LONG + 265;

pub(super) fn check(code: curl_sys::CURLcode) -> Result<(), curl::Error> {
    match code {
        curl_sys::CURLE_OK => Ok(()),
        code => Err(curl::Error::new(code)),
    }
}

/// A time of a transfer that has ended, in curl's own unit, because the `curl` crate goes through
/// floating point.
pub(super) fn time<H>(easy: &Easy2<H>, what: curl_sys::CURLINFO) -> Duration {
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

pub(super) fn set_long<H>(
    easy: &Easy2<H>,
    option: CURLoption,
    value: i64,
) -> Result<(), curl::Error> {
    // SAFETY: the handle is live; the option takes a long.
    check(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, value as c_long) })
}

pub(super) fn set_text<H>(
    easy: &Easy2<H>,
    option: CURLoption,
    value: &[u8],
) -> Result<(), curl::Error> {
    let value = CString::new(value)?;
    // SAFETY: the handle is live; the option takes text that ends in a NUL, which curl copies.
    check(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, value.as_ptr()) })
}

pub(super) fn set_null<H>(easy: &Easy2<H>, option: CURLoption) -> Result<(), curl::Error> {
    // SAFETY: the handle is live; the option takes a pointer, NULL for none.
    check(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, std::ptr::null::<c_void>()) })
}
