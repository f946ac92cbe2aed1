//! `pool_kept_options_t`: options that are read once for many jobs.

use super::config::{pool_options_t, read_options};
use super::{guard, invalid, pool_status_t};
use crate::KeptOptions;

/// Options that were read and checked, for any number of jobs of any pool.
pub struct pool_kept_options_t(pub(super) KeptOptions);

/// Reads and checks options once, for jobs to name as kept_options. Such jobs cost as little to
/// submit as jobs without their own options, however many entries dns and connect_to have. Writes
/// the kept options to `kept`, the caller's until pool_kept_options_free; `options` and what it
/// points to are copied. Any thread may call it.
///
/// POOL_OK: here they are. POOL_INVALID_ARGUMENT: an option is out of its range, or `options` or
/// `kept` is NULL.
///
/// # Safety
/// `options` points to a pool_options_t as its comments describe; `kept` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_options_keep(
    options: *const pool_options_t,
    kept: *mut *mut pool_kept_options_t,
) -> pool_status_t {
    guard(|| {
        if kept.is_null() {
            return invalid("kept is NULL");
        }
        // SAFETY: the caller's promise.
        let read = KeptOptions::new(unsafe { read_options(options) }?)?;
        let read = Box::into_raw(Box::new(pool_kept_options_t(read)));
        // SAFETY: not NULL; the caller's promise.
        unsafe { kept.write(read) };
        Ok(pool_status_t::POOL_OK)
    })
}

/// Frees kept options; jobs submitted with them are unaffected. NULL does nothing. Any thread may
/// call it, once, when no other call uses them. Never fails.
///
/// # Safety
/// `kept` is NULL or came from pool_options_keep, and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_kept_options_free(kept: *mut pool_kept_options_t) {
    if !kept.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(kept) });
    }
}
