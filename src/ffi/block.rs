//! How a result lies in memory for C: the struct, the headers, the stack, then all text.

use std::borrow::Cow;
use std::ffi::{c_char, c_void};
use std::ptr::null;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::job::{JobResult, Kind};

/// Download: the body is in the result.
pub const POOL_REQUEST: i32 = 0;
/// Find where the URL ends, without a body.
pub const POOL_RESOLVE: i32 = 1;

/// One header: of a request in pool_options_t, of an answer in pool_result_t.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct pool_header_t {
    /// The name, in the case it was written in.
    pub name: *const c_char,
    /// The value without the white space around it. An answer's value is the bytes as received,
    /// which need not be UTF-8.
    pub value: *const c_char,
    /// The number of bytes in the name. In a request, 0 means up to the NUL.
    pub name_size: usize,
    /// The number of bytes in the value. In a request, 0 means up to the NUL.
    pub value_size: usize,
}

/// One entry of a result's stack: a URL at which the job was.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pool_hop_t {
    /// The URL as it was requested, or would have been.
    pub url: *const c_char,
    /// The number of its bytes, without the NUL.
    pub url_size: usize,
    /// What led on from here: "location-header", "refresh-header", "meta-refresh", "js-relocation"
    /// or "infer" (the URL itself). "hit": the job ended here. "canonical", always last: the URL
    /// that the page before declares for itself.
    pub r#type: *const c_char,
    /// The answer's status. 0: no answer came, or no request was made (infer, canonical).
    pub status: i32,
}

/// The result of a job, the caller's until pool_result_free.
///
/// The body is one piece of memory. The struct and everything else it points to, except userdata
/// and value, are another: block_size bytes from the struct's own address, with the struct, the
/// headers, the stack and then all text, each right behind the last. Both can be copied whole.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pool_result_t {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The number of bytes in the block, including this struct.
    pub block_size: usize,
    /// The job's tag.
    pub tag: u64,
    /// The job's userdata.
    pub userdata: *mut c_void,
    /// The URL as submitted, with U+FFFD for bytes that are not UTF-8. NULL: the job had none
    /// (passthrough).
    pub url: *const c_char,
    /// The number of its bytes, without the NUL.
    pub url_size: usize,
    /// The error's stable name, such as "connection-refused"; docs/errors.md lists them. NULL:
    /// success, whatever the status.
    pub error_code: *const c_char,
    /// What failed, where and why, for people; NULL on success.
    pub error_message: *const c_char,
    /// Where the job ended: the last URL of the stack, or NULL if there is none.
    pub end_url: *const c_char,
    /// The number of its bytes, without the NUL.
    pub end_url_size: usize,
    /// The headers of the last answer, with their order, case and repeats.
    pub headers: *const pool_header_t,
    /// The number of headers.
    pub header_count: usize,
    /// The URLs at which the job was, one for each hop, in order.
    pub stack: *const pool_hop_t,
    /// The number of entries in the stack.
    pub stack_count: usize,
    /// The body of the last answer, decompressed if the job asked for compression, without a NUL at
    /// its end. NULL: no body.
    pub body: *const u8,
    /// The number of bytes in the body.
    pub body_size: usize,
    /// When the last attempt began, in seconds since 1970 UTC.
    pub start_time: f64,
    /// When the last attempt ended, in the same way.
    pub end_time: f64,
    /// Seconds the last attempt spent, over all its hops, in looking up names.
    pub name_lookup_time: f64,
    /// ... in connecting, also to a proxy.
    pub connect_time: f64,
    /// ... in TLS handshakes.
    pub tls_time: f64,
    /// ... from then to the first byte of the answer.
    pub wait_time: f64,
    /// ... from the first byte of the answer to its last.
    pub receive_time: f64,
    /// POOL_REQUEST or POOL_RESOLVE.
    pub kind: i32,
    /// The status of the last answer; 0 if none came.
    pub status: i32,
    /// The number of attempts made; 0 if the job ended before its first.
    pub attempts: u32,
    /// What the stream's callback attached by writing it here; NULL without a callback. The library
    /// does not look at it.
    pub value: *mut c_void,
    /// The particular cause, where an error's name covers several. For "ssl" it is "expired",
    /// "not-yet-valid", "wrong-name", "unknown-authority", "bad-certificate", "ca-file",
    /// "client-certificate" or "protocol", and there may be more. NULL: nothing more is known.
    pub error_subcode: *const c_char,
    /// The group whose turn the job waited for: the one it named, or that of its URL
    /// (pool_url_group). Redirections do not change it. "": unconstrained. NULL: no server was to
    /// be asked, because the URL was missing or bad.
    pub group: *const c_char,
    /// The number of its bytes, without the NUL.
    pub group_size: usize,
    /// Why the body may be incomplete, in the words of WARC-Truncated (WARC 1.1, section 5.13) and
    /// one more; NULL if it is whole or there is none. "disconnect": the connection ended without
    /// TLS's goodbye, where only its end marks the body's; most often the body is whole. "coding":
    /// the body broke the rules of its Content-Encoding, but its content came whole: the trailer
    /// was missing or wrong, or the body was in no coding and is as it came. Later versions may add
    /// others.
    pub truncated: *const c_char,
}

/// The size of a result's block, and its contents.
pub(super) struct Plan<'a> {
    result: &'a JobResult,
    error: Option<(&'a str, Option<&'a str>, Cow<'a, str>)>,
    group: Option<&'a str>,
    headers: usize,
    hops: usize,
    /// The bytes of the block.
    pub size: usize,
}

impl<'a> Plan<'a> {
    pub fn of(result: &'a JobResult) -> Self {
        let error = result.error.as_ref().map(|failure| {
            let message: Cow<str> = match failure.message.contains('\0') {
                true => failure.message.replace('\0', "\u{fffd}").into(),
                false => failure.message.as_str().into(),
            };
            let subcode = failure.subcode.map(|subcode| subcode.as_str());
            (failure.code.as_str(), subcode, message)
        });
        let group = result.group();
        let headers = result.headers.len();
        let hops = result.stack.len();
        let arrays = size_of::<pool_result_t>()
            + headers * size_of::<pool_header_t>()
            + hops * size_of::<pool_hop_t>();
        let text = result.url.as_ref().map_or(0, |url| url.len() + 1)
            + error.as_ref().map_or(0, |(code, subcode, message)| {
                code.len() + message.len() + 2 + subcode.map_or(0, |subcode| subcode.len() + 1)
            })
            + group.map_or(0, |group| group.len() + 1)
            + result.truncated.map_or(0, |why| why.as_str().len() + 1)
            + result
                .headers
                .lines()
                .map(|(name, value)| name.len() + value.len() + 2)
                .sum::<usize>()
            + result
                .stack
                .iter()
                .map(|hop| hop.url.len() + hop.kind.as_str().len() + 2)
                .sum::<usize>();
        Self {
            result,
            error,
            group,
            headers,
            hops,
            size: arrays + text,
        }
    }

    /// The size of the block with a copy of the body behind it, a multiple of the struct's
    /// alignment.
    pub fn packed_size(&self) -> usize {
        (self.size + self.result.body.len()).next_multiple_of(align_of::<pool_result_t>())
    }

    /// Writes the block to `at`.
    ///
    /// # Safety
    /// `at` has room for `size` bytes, and is aligned.
    pub unsafe fn write(&self, at: *mut pool_result_t) {
        // SAFETY: the caller's promise.
        unsafe { self.write_from(at, 0, self.size, self.result.body.as_ptr()) };
    }

    /// Writes the block and a copy of the body behind it to `at`, with offsets from `at` in place
    /// of pointers.
    ///
    /// # Safety
    /// `at` has room for `packed_size()` bytes, and is aligned.
    pub unsafe fn write_packed(&self, at: *mut pool_result_t) {
        let body = &self.result.body;
        // SAFETY: the caller's promise; the body lies behind the block, within the packed size.
        unsafe {
            let copy = at.cast::<u8>().add(self.size);
            std::ptr::copy_nonoverlapping(body.as_ptr(), copy, body.len());
            self.write_from(at, at.addr(), self.packed_size(), copy);
        }
    }

    /// # Safety
    /// `at` has room for `size` bytes, and is aligned.
    unsafe fn write_from(
        &self,
        at: *mut pool_result_t,
        origin: usize,
        block_size: usize,
        body: *const u8,
    ) {
        let result = self.result;
        // SAFETY: the size is the sum of exactly the parts written here, and each array is aligned
        // because the sizes before it are multiples of everyone's alignment.
        unsafe {
            let headers = at.add(1).cast::<pool_header_t>();
            let stack = headers.add(self.headers).cast::<pool_hop_t>();
            let mut text = Text {
                next: stack.add(self.hops).cast(),
                origin,
            };
            for (index, (name, value)) in result.headers.lines().enumerate() {
                headers.add(index).write(pool_header_t {
                    name: text.put(name),
                    value: text.put(value),
                    name_size: name.len(),
                    value_size: value.len(),
                });
            }
            let (mut end_url, mut end_url_size) = (null(), 0);
            for (index, hop) in result.stack.iter().enumerate() {
                (end_url, end_url_size) = (text.put(hop.url.as_bytes()), hop.url.len());
                stack.add(index).write(pool_hop_t {
                    url: end_url,
                    url_size: end_url_size,
                    r#type: text.put(hop.kind.as_str().as_bytes()),
                    status: hop.status.into(),
                });
            }
            let (url, url_size) = match &result.url {
                Some(url) => (text.put(url.as_bytes()), url.len()),
                None => (null(), 0),
            };
            let (mut error_code, mut error_message, mut error_subcode) = (null(), null(), null());
            if let Some((code, subcode, message)) = &self.error {
                error_code = text.put(code.as_bytes());
                error_message = text.put(message.as_bytes());
                if let Some(subcode) = subcode {
                    error_subcode = text.put(subcode.as_bytes());
                }
            }
            let (group, group_size) = match self.group {
                Some(group) => (text.put(group.as_bytes()), group.len()),
                None => (null(), 0),
            };
            let truncated = match result.truncated {
                Some(why) => text.put(why.as_str().as_bytes()),
                None => null(),
            };
            let unless_empty = |count: usize, start: *const u8| match count {
                0 => null(),
                _ => start.wrapping_byte_sub(origin),
            };
            at.write(pool_result_t {
                struct_size: size_of::<pool_result_t>(),
                block_size,
                tag: result.numbers.tag,
                userdata: result.numbers.userdata as *mut c_void,
                url,
                url_size,
                error_code,
                error_message,
                end_url,
                end_url_size,
                headers: unless_empty(self.headers, headers.cast()).cast(),
                header_count: self.headers,
                stack: unless_empty(self.hops, stack.cast()).cast(),
                stack_count: self.hops,
                body: unless_empty(result.body.len(), body),
                body_size: result.body.len(),
                start_time: epoch_seconds(result.start_time),
                end_time: epoch_seconds(result.end_time),
                name_lookup_time: result.timings.name_lookup.as_secs_f64(),
                connect_time: result.timings.connect.as_secs_f64(),
                tls_time: result.timings.tls.as_secs_f64(),
                wait_time: result.timings.wait.as_secs_f64(),
                receive_time: result.timings.receive.as_secs_f64(),
                kind: match result.kind {
                    Kind::Request => POOL_REQUEST,
                    Kind::Resolve => POOL_RESOLVE,
                },
                status: result.status.into(),
                attempts: result.attempts,
                value: result.numbers.value as *mut c_void,
                error_subcode,
                group,
                group_size,
                truncated,
            });
        }
    }
}

/// Where text goes, behind the arrays.
struct Text {
    next: *mut u8,
    /// The address from which offsets are counted.
    origin: usize,
}

impl Text {
    /// Copies `bytes` and a NUL into the block.
    ///
    /// # Safety
    /// The block was planned with `bytes.len() + 1` more bytes of text.
    unsafe fn put(&mut self, bytes: &[u8]) -> *const c_char {
        let start = self.next;
        // SAFETY: the plan has room for the bytes and the NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len());
            start.add(bytes.len()).write(0);
            self.next = start.add(bytes.len() + 1);
        }
        start.wrapping_byte_sub(self.origin).cast()
    }
}

fn epoch_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
