//! `pool_job_t`: what `pool_submit` takes.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::block::{POOL_REQUEST, POOL_RESOLVE};
use super::config::{pool_options_t, read_options};
use super::kept::pool_kept_options_t;
use super::read::{bytes, text};
use super::{Sized_, init_sized, invalid, pool_status_t, read_sized};
use crate::Kind;
use crate::error::Error;
use crate::job::{Item, Job};
use crate::process::memory;

/// One URL to request or resolve. pool_job_init sets the defaults, and the caller changes fields.
/// Submitting copies the struct.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pool_job_t {
    /// Set by pool_job_init.
    pub struct_size: usize,
    /// The URL. White space, invisible marks (such as byte order marks) and quotes around it are
    /// removed. A URL without a scheme gets http:// if it starts with a host; a path, a file name,
    /// a number or a mail address does not. A bad URL, or one that is not UTF-8, gives a result
    /// with invalid-url. Default NULL: the job has no URL, which is accepted only with passthrough
    /// in pool_config_t; the empty text means the same.
    pub url: *const c_char,
    /// The number of bytes in the URL. Default 0: up to the NUL.
    pub url_size: usize,
    /// The politeness key. "" is unconstrained: no throttle, no limit. Default NULL: the URL's
    /// registrable domain, or the host if it has none.
    pub group: *const c_char,
    /// The number of bytes in the group. Default 0: up to the NUL.
    pub group_size: usize,
    /// A number that comes back in the result. Default 0.
    pub tag: u64,
    /// A pointer that comes back in the result; the library does not look at it. Default NULL.
    pub userdata: *mut c_void,
    /// How the job is done; pool_options_from gives the stream's options to start from. Default
    /// NULL: the stream's options.
    pub options: *const pool_options_t,
    /// POOL_REQUEST or POOL_RESOLVE. Default POOL_REQUEST.
    pub kind: i32,
    /// Options that pool_options_keep has read, instead of `options`. Default NULL.
    pub kept_options: *const pool_kept_options_t,
}

// SAFETY: repr(C), struct_size first, numbers and pointers only.
unsafe impl Sized_ for pool_job_t {
    const NAME: &'static str = "pool_job_t";
    const SIZES: &'static [usize] = &[size_of::<Self>()];

    fn defaults() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            url: std::ptr::null(),
            url_size: 0,
            group: std::ptr::null(),
            group_size: 0,
            tag: 0,
            userdata: std::ptr::null_mut(),
            options: std::ptr::null(),
            kind: POOL_REQUEST,
            kept_options: std::ptr::null(),
        }
    }
}

/// Writes the defaults into `job`, which stays the caller's. `struct_size` is `sizeof(pool_job_t)`.
/// Any thread may call it.
///
/// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or an unknown size.
///
/// # Safety
/// `job` is NULL or points to `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_job_init(job: *mut pool_job_t, struct_size: usize) -> pool_status_t {
    // SAFETY: the caller's promise.
    unsafe { init_sized(job, struct_size) }
}

/// Reads the Rust job from a C one.
///
/// # Safety
/// `job` and what it points to are as `pool_job_t` documents them.
pub(super) unsafe fn read_job(job: *const pool_job_t) -> Result<Job<Item>, Error> {
    // SAFETY: the caller's promise, for the struct and each of its pointers.
    unsafe {
        let given = read_sized(job)?;
        let url = bytes(given.url, given.url_size, "url")?.unwrap_or_default();
        let kept = memory::keep_back(url.len());
        let _kept = kept.ok_or_else(|| Error::no_memory("one more job"))?;
        Ok(Job {
            kind: match given.kind {
                POOL_REQUEST => Kind::Request,
                POOL_RESOLVE => Kind::Resolve,
                other => {
                    return invalid(format!(
                        "kind is {other}: it is POOL_REQUEST or POOL_RESOLVE"
                    ));
                }
            },
            // Bytes that are not UTF-8 become U+FFFD, which no URL has.
            url: String::from_utf8_lossy(url).into(),
            group: text(given.group, given.group_size, "group")?.map(Into::into),
            item: Item::Numbers(given.tag, given.userdata as usize),
            options: match given.options.is_null() {
                true => None,
                false => Some(Arc::new(read_options(given.options)?)),
            },
            kept_options: given.kept_options.as_ref().map(|kept| kept.0.clone()),
        })
    }
}
