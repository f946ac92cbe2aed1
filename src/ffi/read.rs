//! Reads what C hands over: text, arrays, flags, times.

use std::borrow::Cow;
use std::ffi::{CStr, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::invalid;
use crate::error::Error;
use crate::process::memory;

/// Reads text that C hands over. NULL is none; a size of 0 means up to the NUL.
///
/// # Safety
/// `start` is NULL or points to `size` bytes, or with a size of 0 to text that ends in a NUL.
pub(super) unsafe fn text<'a>(
    start: *const c_char,
    size: usize,
    field: &str,
) -> Result<Option<&'a str>, Error> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { bytes(start, size, field) }?;
    match bytes.map(std::str::from_utf8).transpose() {
        Ok(text) => Ok(text),
        Err(error) => invalid(format!("{field} is not UTF-8: {error}")),
    }
}

/// Reads the bytes of such a text.
///
/// # Safety
/// As for `text`.
pub(super) unsafe fn bytes<'a>(
    start: *const c_char,
    size: usize,
    field: &str,
) -> Result<Option<&'a [u8]>, Error> {
    match (start.is_null(), size) {
        (true, 0) => Ok(None),
        (true, _) => invalid(format!("{field} is NULL, but its size is {size}")),
        // SAFETY: the caller's promise.
        (false, 0) => Ok(Some(unsafe { CStr::from_ptr(start) }.to_bytes())),
        // SAFETY: the caller's promise.
        (false, _) => unsafe { slice(start.cast::<u8>(), size, field) }.map(Some),
    }
}

/// Reads a text that need not be UTF-8: malformed bytes become U+FFFD, which no URL has.
///
/// # Safety
/// As for `text`.
pub(super) unsafe fn lossy<'a>(
    start: *const c_char,
    size: usize,
    field: &str,
) -> Result<Cow<'a, str>, Error> {
    // SAFETY: the caller's promise.
    Ok(String::from_utf8_lossy(
        unsafe { bytes(start, size, field) }?.unwrap_or_default(),
    ))
}

/// Reads a text and copies it.
///
/// # Safety
/// As for `text`.
pub(super) unsafe fn owned(start: *const c_char, field: &str) -> Result<Option<String>, Error> {
    // SAFETY: the caller's promise.
    Ok(unsafe { text(start, 0, field) }?.map(str::to_owned))
}

/// Reads a file's name, which need not be UTF-8.
///
/// # Safety
/// `start` is NULL or points to text that ends in a NUL.
pub(super) unsafe fn path(start: *const c_char) -> Option<PathBuf> {
    if start.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { CStr::from_ptr(start) }.to_bytes();
    Some(OsStr::from_bytes(bytes).into())
}

/// # Safety
/// As for `slice`.
pub(super) unsafe fn body(start: *const c_void, size: usize) -> Result<Option<Arc<[u8]>>, Error> {
    if start.is_null() && size == 0 {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let body = unsafe { slice(start.cast::<u8>(), size, "body") }?;
    let kept = memory::keep_back(body.len());
    let _kept = kept.ok_or_else(|| Error::no_memory("a copy of the body"))?;
    Ok(Some(body.into()))
}

/// # Safety
/// As for `slice`.
pub(super) unsafe fn numbers(
    start: *const u16,
    count: usize,
    field: &str,
) -> Result<Vec<u16>, Error> {
    // SAFETY: the caller's promise.
    Ok(unsafe { slice(start, count, field) }?.to_vec())
}

/// # Safety
/// As for `slice`; the entries are text that ends in a NUL.
pub(super) unsafe fn texts(
    start: *const *const c_char,
    count: usize,
    field: &str,
) -> Result<Vec<String>, Error> {
    // SAFETY: the caller's promise: `count` pointers to text.
    unsafe {
        slice(start, count, field)?
            .iter()
            .map(|&entry| match text(entry, 0, field)? {
                Some(entry) => Ok(entry.to_owned()),
                None => invalid(format!("an entry of {field} is NULL")),
            })
            .collect()
    }
}

/// Reads an array that C hands over.
///
/// # Safety
/// `start` is NULL or points to `count` values that stay unchanged during the call.
pub(super) unsafe fn slice<'a, T>(
    start: *const T,
    count: usize,
    field: &str,
) -> Result<&'a [T], Error> {
    if count == 0 {
        return Ok(&[]);
    }
    if start.is_null() {
        return invalid(format!("{field} is NULL, but its count is {count}"));
    }
    if !start.is_aligned() || count > isize::MAX as usize / size_of::<T>().max(1) {
        return invalid(format!(
            "{field} is not aligned, or {count} of it can't be in memory"
        ));
    }
    // SAFETY: not NULL, aligned, not too long; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(start, count) })
}

pub(super) fn flag(value: i32, field: &str) -> Result<bool, Error> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => invalid(format!("{field} is {value}: it is 0 or 1")),
    }
}

/// A number for which 0 leaves the choice to the library.
pub(super) fn choice(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}

/// A number for which -1 means that none is given.
pub(super) fn limit(value: i32, field: &str) -> Result<Option<u32>, Error> {
    match value {
        -1 => Ok(None),
        count => match count.try_into() {
            Ok(count) => Ok(Some(count)),
            Err(_) => invalid(format!("{field} is {count}: it is -1 or above")),
        },
    }
}

pub(super) fn seconds(value: f64, field: &str) -> Result<Duration, Error> {
    match Duration::try_from_secs_f64(value) {
        Ok(duration) => Ok(duration),
        Err(_) => invalid(format!("{field} is {value}, which is no time in seconds")),
    }
}
