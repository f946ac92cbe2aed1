//! `pool_t`: a handle on a stream and the pool it runs on.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use log::Level;

use super::block::{Plan, pool_result_t};
use super::config::{pool_config_t, pool_options_t, read_config, rule};
use super::job::{pool_job_t, read_job};
use super::pool_status_t::{self, *};
use super::read::{lossy, text};
use super::result::{Room, no_memory};
use super::written::Written;
use super::{Sized_, guard, invalid, read_sized};
use crate::error::Error;
use crate::job::{Done, Item, Job};
use crate::pool::{AnyStream, LogFn, Until};
use crate::{JobResult, Pool};

/// A handle on one stream of jobs and the engine it runs on.
pub struct pool_t {
    pool: Pool,
    stream: AnyStream,
    /// What pool_options_from hands out.
    options: OnceLock<Written>,
}

/// Starts an engine and opens its first stream. `config` may be NULL for the defaults. Writes the
/// handle to `pool`, the caller's until pool_free. Any thread may call it.
///
/// POOL_OK: it runs. POOL_INVALID_ARGUMENT: pool_last_error names the argument or field.
/// POOL_OUT_OF_RESOURCES: no thread, descriptor or memory is left.
///
/// # Safety
/// `config` and what it points to are as pool_config_t says; `pool` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_new(
    config: *const pool_config_t,
    pool: *mut *mut pool_t,
) -> pool_status_t {
    guard(|| {
        if pool.is_null() {
            return invalid("pool is NULL");
        }
        // SAFETY: the caller's promise.
        let (pool_config, stream_config) = unsafe { read_config(config) }?;
        let engine = Pool::new(pool_config)?;
        let stream = AnyStream::open(&engine, stream_config)?;
        let handle = Box::new(pool_t {
            pool: engine,
            stream,
            options: OnceLock::new(),
        });
        // SAFETY: not NULL; the caller's promise.
        unsafe { pool.write(Box::into_raw(handle)) };
        Ok(POOL_OK)
    })
}

/// Opens another stream on the engine of `pool`. The stream has its own jobs, order, buffer and
/// results, and shares threads, connections and politeness. `config` may be NULL for the defaults;
/// the pool's fields in it must be as pool_config_init left them or as pool_new got them, and
/// throttle_fn and parallelism_fn must be NULL. Writes the handle to `shared`, the caller's until
/// pool_free. The engine lives until its last handle ends. Any thread may call it.
///
/// POOL_OK: it is open. POOL_INVALID_ARGUMENT: pool_last_error names the argument or field.
///
/// # Safety
/// `pool` is a live handle; `config` and what it points to are as pool_config_t says; `shared` is
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_share(
    pool: *mut pool_t,
    config: *const pool_config_t,
    shared: *mut *mut pool_t,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        if shared.is_null() {
            return invalid("shared is NULL");
        }
        // SAFETY: the caller's promise.
        let (pool_config, stream_config) = unsafe { read_config(config) }?;
        if let Some(field) = pool_config.conflict(pool.pool.config()) {
            return invalid(format!(
                "{field} is of the pool and can't differ in pool_share: leave it as \
                 pool_config_init set it"
            ));
        }
        let stream = AnyStream::open(&pool.pool, stream_config)?;
        let handle = Box::new(pool_t {
            pool: pool.pool.clone(),
            stream,
            options: OnceLock::new(),
        });
        // SAFETY: not NULL; the caller's promise.
        unsafe { shared.write(Box::into_raw(handle)) };
        Ok(POOL_OK)
    })
}

/// Ends a handle: cancels its stream's outstanding jobs, frees the results that were not taken and,
/// with the engine's last handle, stops and joins the threads. Returns promptly, whatever the
/// network does. NULL does nothing. Results that were taken stay the caller's. Any thread may call
/// it, but it must be the last call on the handle, with no other call running. In a forked child,
/// or when the process is ending, it waits for nothing and leaves the rest to the system: a program
/// may also end without it, whatever is under way. Never fails.
///
/// # Safety
/// `pool` is NULL or a live handle that no other thread is using.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_free(pool: *mut pool_t) {
    // SAFETY: the caller's promise. An inherited handle is left alone.
    if unsafe { handle(pool) }.is_err() {
        return;
    }
    guard(|| {
        // SAFETY: the caller's promise. Callbacks under way may use the handle until they have been
        // waited for; nobody owns it alone before.
        unsafe { &*pool }.stream.end();
        // SAFETY: the caller's promise: it came from Box::into_raw and was not freed.
        drop(unsafe { Box::from_raw(pool) });
        Ok(POOL_OK)
    });
}

/// Writes into `options` the stream's own options, as a start for a job that is to differ.
/// `struct_size` is `sizeof(pool_options_t)`. What the struct points to lives until pool_free and
/// must not be written to. Any thread may call it.
///
/// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or an unknown size.
///
/// # Safety
/// `pool` is a live handle; `options` is NULL or points to `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_options_from(
    pool: *mut pool_t,
    options: *mut pool_options_t,
    struct_size: usize,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        let kept = pool
            .options
            .get_or_init(|| Written::of(Arc::clone(pool.stream.options())));
        // SAFETY: the caller's promise.
        Ok(unsafe { kept.write(options, struct_size) })
    })
}

/// Submits a job; the stream copies what it needs. The call waits up to `timeout_ms` for room in
/// the buffer; 0 never waits, negative waits for ever. A program with one thread must not wait for
/// ever, because only taking results makes room. Any thread may call it, several at once.
///
/// POOL_OK: accepted; exactly one result will come. POOL_AGAIN: no room in time; nothing was kept.
/// POOL_CLOSED: the stream was finished or cancelled. POOL_INVALID_ARGUMENT: pool_last_error names
/// the argument or field; nothing was kept. POOL_OUT_OF_RESOURCES: no memory is left for it;
/// nothing was kept.
///
/// # Safety
/// `pool` is a live handle; `job` and what it points to are as pool_job_t says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_submit(
    pool: *mut pool_t,
    job: *const pool_job_t,
    timeout_ms: i32,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let (pool, job) = unsafe { (handle(pool)?, read_job(job)?) };
        submit(pool, job, Until::after(timeout(timeout_ms)))
    })
}

/// Submits `count` jobs in order and writes to `accepted` how many found room. The call waits up to
/// `timeout_ms` until all fit; 0 takes those that fit at once, negative waits for ever. The jobs
/// stay the caller's, as for pool_submit. Any thread may call it, several at once.
///
/// POOL_OK: all were accepted. POOL_AGAIN: only the first `accepted` were. POOL_CLOSED,
/// POOL_INVALID_ARGUMENT, POOL_OUT_OF_RESOURCES: the job at index `accepted` was refused, those
/// before it were accepted. `accepted` is written whatever the status, unless it or another
/// argument is NULL.
///
/// # Safety
/// `pool` is a live handle; `jobs` points to `count` jobs of the first one's struct_size, each as
/// pool_job_t says; `accepted` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_submit_many(
    pool: *mut pool_t,
    jobs: *const pool_job_t,
    count: usize,
    timeout_ms: i32,
    accepted: *mut usize,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        if accepted.is_null() {
            return invalid("accepted is NULL");
        }
        // SAFETY: not NULL; the caller's promise.
        unsafe { accepted.write(0) };
        if count == 0 {
            return Ok(POOL_OK);
        }
        // SAFETY: the caller's promise: at least one job.
        let stride = unsafe { read_sized(jobs) }?.struct_size;
        let until = Until::after(timeout(timeout_ms));
        for index in 0..count {
            // SAFETY: the caller's promise: `count` jobs, one behind the other. Each is read with
            // its own size, which steps over an older caller's shorter structs.
            let job = unsafe { read_job(jobs.byte_add(index * stride)) }?;
            let status = submit(pool, job, until)?;
            if status != POOL_OK {
                return Ok(status);
            }
            // SAFETY: not NULL; the caller's promise.
            unsafe { accepted.write(index + 1) };
        }
        Ok(POOL_OK)
    })
}

/// Takes the next result: the next in order from an ordered stream, otherwise the next that is
/// done. The call waits up to `timeout_ms` for one; 0 never waits, negative waits for ever. Writes
/// it to `result`, the caller's until pool_result_free, also after pool_free. Any thread may call
/// it, several at once: each result goes to one of them.
///
/// POOL_OK: here it is. POOL_AGAIN: none in time. POOL_DONE: the stream was finished or cancelled
/// and all results were taken. POOL_INVALID_ARGUMENT: `pool` or `result` is NULL.
/// POOL_OUT_OF_RESOURCES: no memory is left to give it in; it can still be taken later.
///
/// # Safety
/// `pool` is a live handle; `result` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_next_result(
    pool: *mut pool_t,
    timeout_ms: i32,
    result: *mut *mut pool_result_t,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        if result.is_null() {
            return invalid("result is NULL");
        }
        take(pool, 1, timeout_ms, |_, taken| {
            // SAFETY: not NULL; the caller's promise.
            unsafe { result.write(taken) };
        })
    })
}

/// Takes up to `max` results at once: waits for the first as pool_next_result does, and adds those
/// that are there already. Writes them to `results` and their number to `count`; each is the
/// caller's until pool_result_free. Any thread may call it, several at once.
///
/// POOL_OK: at least one. POOL_AGAIN and POOL_DONE: as for pool_next_result. POOL_INVALID_ARGUMENT:
/// a pointer is NULL, or `max` is 0.
///
/// # Safety
/// `pool` is a live handle; `results` has room for `max` pointers; `count` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_next_results(
    pool: *mut pool_t,
    results: *mut *mut pool_result_t,
    max: usize,
    timeout_ms: i32,
    count: *mut usize,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        if results.is_null() || count.is_null() {
            return invalid("results or count is NULL");
        }
        if max == 0 {
            return invalid("max is 0: there must be room for a result");
        }
        take(pool, max, timeout_ms, |index, taken| {
            // SAFETY: not NULL, and `index` is below `max`; the caller's promise.
            unsafe {
                results.add(index).write(taken);
                count.write(index + 1);
            }
        })
    })
}

/// Takes results as pool_next_results does, copies as many into `buffer` as fit, and frees them. It
/// serves languages for which a call into C is costly. Any thread may call it.
///
/// Each result is a pool_result_t followed by its block and its body, block_size bytes in all; the
/// next begins there. All its pointers except userdata and value are offsets from its start; 0 is
/// NULL. The pool_result functions do not accept it; pool_result_of_page makes one that they do.
///
/// POOL_OK: `count` is how many were written: at least one, or none because the next takes more
/// than `size` bytes; `needed` is how many bytes the next takes, 0 when there is no next.
/// POOL_AGAIN and POOL_DONE: as for pool_next_result; neither is written. POOL_INVALID_ARGUMENT:
/// something is NULL, or the buffer is not aligned.
///
/// # Safety
/// `pool` is a live handle; `buffer` has `size` bytes and the alignment of pool_result_t; `count`
/// and `needed` are writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_next_packed(
    pool: *mut pool_t,
    buffer: *mut c_void,
    size: usize,
    timeout_ms: i32,
    count: *mut usize,
    needed: *mut usize,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        if buffer.is_null() || count.is_null() || needed.is_null() {
            return invalid("buffer, count or needed is NULL");
        }
        if !buffer.cast::<pool_result_t>().is_aligned() {
            return invalid("buffer is not aligned: its address is no multiple of 8");
        }
        let mut taken = Vec::new();
        let (mut left, mut next) = (size, 0);
        let fits = |result: &JobResult| {
            next = Plan::of(result).packed_size();
            let fits = next <= left;
            if fits {
                left -= std::mem::take(&mut next);
            }
            fits
        };
        if !pool
            .stream
            .take_while(timeout(timeout_ms), &mut taken, fits)
        {
            return Ok(POOL_DONE);
        }
        if taken.is_empty() && next == 0 {
            return Ok(POOL_AGAIN);
        }
        let mut start = buffer;
        for Done { result, .. } in &taken {
            let plan = Plan::of(result);
            // SAFETY: `fits` has seen that there is room, and each size keeps the alignment.
            unsafe {
                plan.write_packed(start.cast());
                start = start.byte_add(plan.packed_size());
            }
        }
        // SAFETY: not NULL; the caller's promise.
        unsafe {
            count.write(taken.len());
            needed.write(next);
        }
        Ok(POOL_OK)
    })
}

/// Says that no more jobs will come: pool_submit gives POOL_CLOSED from now on, and
/// pool_next_result gives POOL_DONE once all results were taken. Does not wait. Any thread may call
/// it, more than once.
///
/// POOL_OK: finished. POOL_INVALID_ARGUMENT: `pool` is NULL.
///
/// # Safety
/// `pool` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_finish(pool: *mut pool_t) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { handle(pool) }?.stream.finish();
        Ok(POOL_OK)
    })
}

/// Finishes the stream and ends its outstanding jobs: each result comes promptly, with the error
/// "cancelled" unless the job was done already. Does not wait. The engine's other streams go on.
/// Any thread may call it, more than once.
///
/// POOL_OK: cancelled. POOL_INVALID_ARGUMENT: `pool` is NULL.
///
/// # Safety
/// `pool` is a live handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_cancel(pool: *mut pool_t) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { handle(pool) }?.stream.cancel();
        Ok(POOL_OK)
    })
}

/// Writes to `pending` the number of accepted jobs whose results were not taken yet. A crawl that
/// submits new jobs for its results is over when this is 0. Any thread may call it.
///
/// POOL_OK: written. POOL_INVALID_ARGUMENT: `pool` or `pending` is NULL.
///
/// # Safety
/// `pool` is a live handle; `pending` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_pending(pool: *mut pool_t, pending: *mut usize) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        if pending.is_null() {
            return invalid("pending is NULL");
        }
        // SAFETY: not NULL; the caller's promise.
        unsafe { pending.write(pool.stream.pending()) };
        Ok(POOL_OK)
    })
}

/// Writes to `fd` a descriptor, for poll, epoll, libuv and the like, that is readable while
/// pool_next_result would not give POOL_AGAIN: a result is there, or the stream is done. The first
/// call makes it; it belongs to the handle, and pool_free closes it. Any thread may call it. While
/// more results are to come, the descriptor may report the next up to 1 ms late, to let a loop that
/// wakes up find several: take them with pool_next_results, until POOL_AGAIN.
///
/// An event loop that can only read may read from it: reading never blocks, and gives a byte each
/// time something arrives after there was nothing. Then take until POOL_AGAIN.
///
/// POOL_OK: written. POOL_INVALID_ARGUMENT: `pool` or `fd` is NULL. POOL_OUT_OF_RESOURCES: no
/// descriptor is left.
///
/// # Safety
/// `pool` is a live handle; `fd` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_event_fd(pool: *mut pool_t, fd: *mut c_int) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        if fd.is_null() {
            return invalid("fd is NULL");
        }
        // The stream keeps the descriptor open.
        let number = pool.stream.event_fd()?.as_raw_fd();
        // SAFETY: not NULL; the caller's promise.
        unsafe { fd.write(number) };
        Ok(POOL_OK)
    })
}

/// Tells the group that a job with this URL has unless it names its own: the URL's registrable
/// domain by the public suffix list, private section included, or the host if it has none. With
/// infer_redirection, a job's group is that of the inferred URL instead. The URL is read like a
/// job's; `url_size` is its number of bytes, 0 up to the NUL. Writes the name and a NUL to `group`,
/// which has room for `size` bytes, and the name's number of bytes to `group_size`. Any thread may
/// call it, and no pool is needed.
///
/// POOL_OK: written. POOL_INVALID_ARGUMENT: `url` is not a URL, and pool_last_error says why; or
/// `size` is too small, and only `group_size` is written; or a pointer is NULL.
///
/// # Safety
/// `url` is NULL or has `url_size` bytes, or ends in a NUL; `group` has `size` writable bytes;
/// `group_size` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_url_group(
    url: *const c_char,
    url_size: usize,
    group: *mut c_char,
    size: usize,
    group_size: *mut usize,
) -> pool_status_t {
    guard(|| {
        if group.is_null() || group_size.is_null() {
            return invalid("group or group_size is NULL");
        }
        // SAFETY: the caller's promise.
        let url = unsafe { lossy(url, url_size, "url") }?;
        let name = crate::url_group(&url)
            .or_else(|failure| invalid(format!("url: {}", failure.message)))?;
        // SAFETY: not NULL; the caller's promise.
        unsafe { group_size.write(name.len()) };
        if size <= name.len() {
            return invalid(format!(
                "size is {size}: the group takes {} bytes, with its NUL",
                name.len() + 1
            ));
        }
        // SAFETY: there is room for the name and the NUL behind it.
        unsafe {
            std::ptr::copy_nonoverlapping(name.as_ptr().cast(), group, name.len());
            group.add(name.len()).write(0);
        }
        Ok(POOL_OK)
    })
}

/// Sets the rule of one group, given by a registrable domain or the name from a job: `throttle` in
/// seconds, at least 0, and `parallelism`, at least 1. The rule holds over all streams of the
/// engine, from the group's next start until it is set anew. The name is copied. Any thread may
/// call it.
///
/// A name that reads as a host ("Ex.com", "ex.com.", "bücher.com", `http://ex.com/`) is taken for
/// that host.
///
/// POOL_OK: set. POOL_INVALID_ARGUMENT: pool_last_error names the argument. A host that is not a
/// group of its own is refused too: "www.ex.com" is in the group "ex.com" (pool_url_group tells).
///
/// # Safety
/// `pool` is a live handle; `domain` ends in a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_set_domain_rule(
    pool: *mut pool_t,
    domain: *const c_char,
    throttle: f64,
    parallelism: u32,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let (pool, domain) = unsafe { (handle(pool)?, text(domain, 0, "domain")?) };
        let Some(domain) = domain else {
            return invalid("domain is NULL");
        };
        let rule = rule(throttle, parallelism, "parallelism")?;
        pool.pool.set_domain_rule(domain, rule)?;
        Ok(POOL_OK)
    })
}

/// Lets no job of a group start any more, over all streams of the engine, until
/// pool_release_group: `group` is a registrable domain or the name a job gave. Writes to
/// `in_flight` how many of its jobs are under way; these go on, and after this returns none
/// starts. `in_flight` may be NULL. Jobs are accepted and cancelled as ever, and a group may be
/// held before it has any. In an ordered stream the results of later jobs wait for those of a
/// group that is held. One release ends it, however often the group was held. What reads as a host
/// is taken for it, as for pool_set_domain_rule. Any thread may call it, but throttle_fn and
/// parallelism_fn may not: it waits for the thread on which these run.
///
/// POOL_OK: held. POOL_INVALID_ARGUMENT: pool_last_error names the argument, or says who called.
/// POOL_OUT_OF_RESOURCES: a fault in the library, which its log tells of, lost the call.
///
/// # Safety
/// `pool` is a live handle; `group` ends in a NUL; `in_flight` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_hold_group(
    pool: *mut pool_t,
    group: *const c_char,
    in_flight: *mut u64,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let (pool, group) = unsafe { (handle(pool)?, text(group, 0, "group")?) };
        let held = pool.pool.hold(group.unwrap_or_default())?;
        if !in_flight.is_null() {
            // SAFETY: not NULL; the caller's promise.
            unsafe { in_flight.write(held) };
        }
        Ok(POOL_OK)
    })
}

/// Lets the jobs of a group that is held start again, at the group's pace. It is named as for
/// pool_hold_group. One that is not held stays as it is. Never waits. Any thread may call it.
///
/// POOL_OK: it is not held. POOL_INVALID_ARGUMENT: pool_last_error names the argument.
///
/// # Safety
/// `pool` is a live handle; `group` ends in a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_release_group(
    pool: *mut pool_t,
    group: *const c_char,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let (pool, group) = unsafe { (handle(pool)?, text(group, 0, "group")?) };
        pool.pool.release(group.unwrap_or_default())?;
        Ok(POOL_OK)
    })
}

/// What a stream and its engine are doing and have done. Set struct_size before pool_stats.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pool_stats_t {
    /// sizeof(pool_stats_t), set by the caller.
    pub struct_size: usize,
    /// Stream: jobs accepted so far.
    pub accepted: u64,
    /// Stream: results taken so far.
    pub delivered: u64,
    /// Stream: results so far, taken or not, that were errors.
    pub failed: u64,
    /// Stream: jobs accepted and not started, including those that wait for a retry.
    pub held: u64,
    /// Stream: jobs started whose results were not taken.
    pub started: u64,
    /// Stream: bytes held by results that were not taken, with everything that belongs to them.
    pub buffered_bytes: u64,
    /// Engine: transfers running.
    pub in_flight: u64,
    /// Engine: groups that have jobs, or whose throttle has not run out.
    pub groups: u64,
    /// Engine: connections opened so far, including those that failed.
    pub connections: u64,
    /// Engine: name look-ups made so far, not counting answers from the cache.
    pub name_lookups: u64,
}

// SAFETY: repr(C), struct_size first, numbers only.
unsafe impl Sized_ for pool_stats_t {
    const NAME: &'static str = "pool_stats_t";
    const SIZES: &'static [usize] = &[size_of::<Self>()];

    fn defaults() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            accepted: 0,
            delivered: 0,
            failed: 0,
            held: 0,
            started: 0,
            buffered_bytes: 0,
            in_flight: 0,
            groups: 0,
            connections: 0,
            name_lookups: 0,
        }
    }
}

/// Writes to `stats`, which stays the caller's, what the stream and its engine are doing; the
/// figures may be a moment old. Any thread may call it.
///
/// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or an unknown struct_size.
///
/// # Safety
/// `pool` is a live handle; `stats` has struct_size bytes, and that field is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_stats(pool: *mut pool_t, stats: *mut pool_stats_t) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let (pool, given) = unsafe { (handle(pool)?, read_sized(stats)?) };
        let stream = pool.stream.stats();
        let engine = pool.pool.stats();
        let value = pool_stats_t {
            struct_size: given.struct_size,
            accepted: stream.accepted,
            delivered: stream.delivered,
            failed: stream.failed,
            held: stream.held,
            started: stream.started,
            buffered_bytes: stream.buffered_bytes,
            in_flight: engine.in_flight,
            groups: engine.groups,
            connections: engine.connections,
            name_lookups: engine.name_lookups,
        };
        // SAFETY: the caller's struct is as long as its struct_size, which we know.
        unsafe {
            std::ptr::copy_nonoverlapping(
                (&raw const value).cast::<u8>(),
                stats.cast::<u8>(),
                given.struct_size,
            );
        }
        Ok(POOL_OK)
    })
}

/// Nothing is logged.
pub const POOL_LOG_OFF: i32 = 0;
/// Failures of the library that no result reports.
pub const POOL_LOG_ERROR: i32 = 1;
/// The same, and attempts that failed and will be made again.
pub const POOL_LOG_WARN: i32 = 2;
/// The same, and streams opened, finished and cancelled, and the engine's stop.
pub const POOL_LOG_INFO: i32 = 3;
/// The same, and each hop.
pub const POOL_LOG_DEBUG: i32 = 4;

/// Takes one line of log. `level` is a POOL_LOG_* value; `message` ends in a NUL and is valid
/// during the call. The function is called on any thread, several at once, and must not call the
/// library.
pub type pool_log_fn =
    Option<unsafe extern "C" fn(level: i32, message: *const c_char, userdata: *mut c_void)>;

/// Sends the engine's log, up to `level`, to `log`. NULL or POOL_LOG_OFF, the default, turns the
/// log off. The call holds for all streams of the engine. The former function may still get a line
/// while this call runs, but not after it. `userdata` stays the caller's. Any thread may call it,
/// but not from `log` itself.
///
/// POOL_OK: set. POOL_INVALID_ARGUMENT: `pool` is NULL, or `level` is not a POOL_LOG_* value.
///
/// # Safety
/// `pool` is a live handle; `log` may be called on any thread, with `userdata`, until it is
/// replaced or the engine's last handle is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_set_log(
    pool: *mut pool_t,
    level: i32,
    log: pool_log_fn,
    userdata: *mut c_void,
) -> pool_status_t {
    guard(|| {
        // SAFETY: the caller's promise.
        let pool = unsafe { handle(pool) }?;
        let level = match level {
            POOL_LOG_OFF => None,
            POOL_LOG_ERROR => Some(Level::Error),
            POOL_LOG_WARN => Some(Level::Warn),
            POOL_LOG_INFO => Some(Level::Info),
            POOL_LOG_DEBUG => Some(Level::Debug),
            other => return invalid(format!("level is {other}: it is a POOL_LOG_* value")),
        };
        let Some((level, log)) = level.zip(log) else {
            pool.pool.common().log.set(None);
            return Ok(POOL_OK);
        };
        let userdata = userdata as usize;
        let write: LogFn = Arc::new(move |level, message: &str| {
            let number = match level {
                Level::Error => POOL_LOG_ERROR,
                Level::Warn => POOL_LOG_WARN,
                Level::Info => POOL_LOG_INFO,
                Level::Debug | Level::Trace => POOL_LOG_DEBUG,
            };
            let text = CString::new(message.replace('\0', "\u{fffd}")).unwrap_or_default();
            let text: &CStr = &text;
            // SAFETY: the caller's promise in pool_set_log.
            unsafe { log(number, text.as_ptr(), userdata as *mut c_void) };
        });
        pool.pool.common().log.set(Some((level, write)));
        Ok(POOL_OK)
    })
}

/// Hands in a job.
fn submit(pool: &pool_t, job: Job<Item>, until: Until) -> Result<pool_status_t, Error> {
    match pool.stream.submit(job, until) {
        Ok(()) => Ok(POOL_OK),
        Err((Error::Full, _)) => Ok(POOL_AGAIN),
        Err((error, _)) => Err(error),
    }
}

/// Takes up to `max` results and gives each in C's form, counted from 0. A result for which there
/// is no memory stays where it is.
fn take(
    pool: &pool_t,
    max: usize,
    timeout_ms: i32,
    mut give: impl FnMut(usize, *mut pool_result_t),
) -> Result<pool_status_t, Error> {
    let (mut taken, mut rooms, mut lacking) = (Vec::new(), Vec::new(), None);
    let wanted = |result: &JobResult| {
        if rooms.len() == max {
            return false;
        }
        match Room::of(result) {
            Some(room) if rooms.try_reserve(1).is_ok() => rooms.push(room),
            _ => lacking = Some(no_memory(result)),
        }
        lacking.is_none()
    };
    let timeout = timeout(timeout_ms);
    if !pool.stream.take_while(timeout, &mut taken, wanted) {
        return Ok(POOL_DONE);
    }
    match (taken.is_empty(), lacking) {
        (true, None) => Ok(POOL_AGAIN),
        (true, Some(what)) => Err(Error::OutOfResources(format!(
            "{what}: it stays where it is"
        ))),
        _ => {
            for (index, (room, done)) in rooms.into_iter().zip(taken).enumerate() {
                give(index, room.fill(done.result));
            }
            Ok(POOL_OK)
        }
    }
}

/// Returns the handle behind a pointer.
///
/// # Safety
/// `pool` is NULL or a live handle.
unsafe fn handle<'a>(pool: *mut pool_t) -> Result<&'a pool_t, Error> {
    // SAFETY: the caller's promise.
    match unsafe { pool.as_ref() } {
        Some(handle) => handle.pool.why_useless().map_or(Ok(handle), invalid),
        None => invalid("pool is NULL"),
    }
}

/// A time to wait; negative waits for ever.
fn timeout(milliseconds: i32) -> Option<Duration> {
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}
