//! `pool_result_t`: what comes back for a job, in one block of memory and its body.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ffi::{c_char, c_void};
use std::mem::ManuallyDrop;
use std::time::{SystemTime, UNIX_EPOCH};

use super::config::pool_header_t;
use super::job::{POOL_REQUEST, POOL_RESOLVE};
use crate::{JobResult, Kind};

/// One entry of a result's stack: a URL the job was at.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pool_hop_t {
    /// The URL as it was requested.
    pub url: *const c_char,
    /// Its bytes, without the NUL.
    pub url_size: usize,
    /// What led on from here: "location-header"; or "hit": this is where the job ended.
    pub r#type: *const c_char,
    /// The answer's status; 0: no answer came.
    pub status: i32,
}

/// What came of a job. The caller's, until pool_result_free.
///
/// The struct and everything it points to but the body and userdata are one block of memory:
/// block_size bytes from the struct's own address. The body is one more. Both can be copied whole.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pool_result_t {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The bytes of the block, this struct included.
    pub block_size: usize,
    /// The job's tag.
    pub tag: u64,
    /// The job's userdata.
    pub userdata: *mut c_void,
    /// The URL as it was submitted; NULL: the job had none (passthrough).
    pub url: *const c_char,
    /// Its bytes, without the NUL.
    pub url_size: usize,
    /// NULL: success, whatever the status. Otherwise the error's stable name, as
    /// "connection-refused"; docs/errors.md lists them.
    pub error_code: *const c_char,
    /// What failed, where and why, for people; NULL on success.
    pub error_message: *const c_char,
    /// Where the job ended: the last URL of the stack; NULL when there is none.
    pub end_url: *const c_char,
    /// Its bytes, without the NUL.
    pub end_url_size: usize,
    /// The headers of the last answer, in order, case and repeats kept.
    pub headers: *const pool_header_t,
    /// The number of headers.
    pub header_count: usize,
    /// The URLs the job was at, one a hop, the first one first.
    pub stack: *const pool_hop_t,
    /// The number of these.
    pub stack_count: usize,
    /// The body of the last answer, decompressed when the job asked for compression; not followed
    /// by a NUL. NULL: none.
    pub body: *const u8,
    /// Its bytes.
    pub body_size: usize,
    /// When the last attempt began, in seconds since 1970 UTC.
    pub start_time: f64,
    /// When it ended.
    pub end_time: f64,
    /// Seconds of the last attempt, over all its hops, in looking up names.
    pub name_lookup_time: f64,
    /// ... in connecting, to a proxy too.
    pub connect_time: f64,
    /// ... in TLS handshakes.
    pub tls_time: f64,
    /// ... from then to the first byte of the answer.
    pub wait_time: f64,
    /// ... from the first byte of the answer to its last.
    pub receive_time: f64,
    /// POOL_REQUEST or POOL_RESOLVE.
    pub kind: i32,
    /// The status of the last answer; 0: none came.
    pub status: i32,
    /// How many attempts were made; 0: none, the job ended before its first.
    pub attempts: u32,
}

/// What lies before each `pool_result_t`: what it takes to free it.
#[repr(C, align(16))]
struct Private {
    layout: Layout,
    body_capacity: usize,
}

/// Fills a block from both ends of its plan: the arrays first, then the text behind them.
struct Block {
    result: *mut pool_result_t,
    /// Where the next text goes.
    text: *mut u8,
}

impl Block {
    /// Copies `bytes` and a NUL into the block.
    ///
    /// # Safety
    /// The block was planned with `bytes.len() + 1` more bytes of text.
    unsafe fn text(&mut self, bytes: &[u8]) -> *const c_char {
        let start = self.text;
        // SAFETY: the plan has room for the bytes and the NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len());
            start.add(bytes.len()).write(0);
            self.text = start.add(bytes.len() + 1);
        }
        start.cast()
    }
}

/// Moves a Rust result into C's form.
pub(super) fn into_c(result: JobResult) -> *mut pool_result_t {
    let error = result.error.as_ref().map(|failure| {
        (
            failure.code.as_str(),
            failure.message.replace('\0', "\u{fffd}"),
        )
    });
    let headers = result.headers.len();
    let hops = result.stack.len();

    let arrays = size_of::<pool_result_t>()
        + headers * size_of::<pool_header_t>()
        + hops * size_of::<pool_hop_t>();
    let text = result.url.as_ref().map_or(0, |url| url.len() + 1)
        + error
            .as_ref()
            .map_or(0, |(code, message)| code.len() + message.len() + 2)
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
    let layout =
        Layout::from_size_align(size_of::<Private>() + arrays + text, align_of::<Private>())
            .expect("a result fits into memory");

    // SAFETY: the layout is not empty; its size was summed from the very parts written here, and
    // each array is aligned because its predecessors' sizes are multiples of the alignment of all.
    unsafe {
        let start = alloc(layout);
        if start.is_null() {
            handle_alloc_error(layout);
        }
        let mut body = ManuallyDrop::new(result.body);
        start.cast::<Private>().write(Private {
            layout,
            body_capacity: body.capacity(),
        });
        let c_result = start.add(size_of::<Private>()).cast::<pool_result_t>();
        let c_headers = c_result.add(1).cast::<pool_header_t>();
        let c_stack = c_headers.add(headers).cast::<pool_hop_t>();
        let mut block = Block {
            result: c_result,
            text: c_stack.add(hops).cast(),
        };

        for (index, (name, value)) in result.headers.lines().enumerate() {
            c_headers.add(index).write(pool_header_t {
                name: block.text(name),
                value: block.text(value),
                name_size: name.len(),
                value_size: value.len(),
            });
        }
        let (mut end_url, mut end_url_size) = (std::ptr::null(), 0);
        for (index, hop) in result.stack.iter().enumerate() {
            (end_url, end_url_size) = (block.text(hop.url.as_bytes()), hop.url.len());
            c_stack.add(index).write(pool_hop_t {
                url: end_url,
                url_size: end_url_size,
                r#type: block.text(hop.kind.as_str().as_bytes()),
                status: hop.status.into(),
            });
        }
        let (url, url_size) = match &result.url {
            Some(url) => (block.text(url.as_bytes()), url.len()),
            None => (std::ptr::null(), 0),
        };
        let (error_code, error_message) = match &error {
            Some((code, message)) => (block.text(code.as_bytes()), block.text(message.as_bytes())),
            None => (std::ptr::null(), std::ptr::null()),
        };
        block.result.write(pool_result_t {
            struct_size: size_of::<pool_result_t>(),
            block_size: arrays + text,
            tag: result.tag,
            userdata: result.userdata as *mut c_void,
            url,
            url_size,
            error_code,
            error_message,
            end_url,
            end_url_size,
            headers: if headers == 0 {
                std::ptr::null()
            } else {
                c_headers
            },
            header_count: headers,
            stack: if hops == 0 { std::ptr::null() } else { c_stack },
            stack_count: hops,
            body: if body.capacity() == 0 {
                std::ptr::null()
            } else {
                body.as_mut_ptr()
            },
            body_size: body.len(),
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
        });
        c_result
    }
}

fn epoch_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// Frees a result, its block and its body. NULL is nothing. Never fails.
///
/// # Safety
/// `result` is NULL or came from pool_next_result or pool_next_results and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_free(result: *mut pool_result_t) {
    if result.is_null() {
        return;
    }
    // SAFETY: `into_c` made it: Private lies before it, the body was a Vec of that capacity.
    unsafe {
        let start = result.cast::<u8>().sub(size_of::<Private>());
        let Private {
            layout,
            body_capacity,
        } = start.cast::<Private>().read();
        let pool_result_t {
            body, body_size, ..
        } = result.read();
        if !body.is_null() {
            drop(Vec::from_raw_parts(
                body.cast_mut(),
                body_size,
                body_capacity,
            ));
        }
        dealloc(start, layout);
    }
}
