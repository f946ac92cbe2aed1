//! `pool_result_t`: a job's result, in one block of memory and its body.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null};
use std::sync::{Arc, OnceLock};

use super::block::{Plan, pool_header_t, pool_result_t};
use super::pool_status_t::{self, *};
use super::read::{slice, text};
use super::{guard, invalid};
use crate::error::Error;
use crate::job::once;
use crate::process::memory;
use crate::{Element, JobResult};

/// One reference from a page to something else, by an attribute of an element. It belongs to the
/// library.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pool_element_t {
    /// The size of this struct in the library that made it: the next one starts that many bytes
    /// after it.
    pub struct_size: usize,
    /// Where it leads: absolute, http or https, its query in the page's encoding.
    pub url: *const c_char,
    /// The number of its bytes, without the NUL.
    pub url_size: usize,
    /// The name of the element in lower case, such as "img".
    pub element: *const c_char,
    /// The name of the attribute in lower case, such as "srcset".
    pub attribute: *const c_char,
    /// The element's rel, with white space made single blanks; "" if it has none.
    pub rel: *const c_char,
    /// The number of its bytes, without the NUL.
    pub rel_size: usize,
    /// What a reader sees in its place, in one line: the text of an `<a>` or `<button>` with the
    /// alt of its images; the alt of an image; otherwise "". UTF-8, without NULs.
    pub text: *const c_char,
    /// The number of its bytes, without the NUL.
    pub text_size: usize,
}

/// What lies before each `pool_result_t`.
#[repr(align(16))]
struct Private {
    layout: Layout,
    /// The result that it was made from: `owned`, or one that was lent for a call.
    job: *const JobResult,
    owned: Option<JobResult>,
    mimetype: OnceLock<Option<CString>>,
    ext: OnceLock<Option<CString>>,
    encoding: OnceLock<Option<CString>>,
    links: OnceLock<Links>,
    elements: OnceLock<Elements>,
}

/// The links of a page, each ending in a NUL, and their addresses.
#[derive(Default)]
struct Links {
    pointers: Vec<*const c_char>,
    _text: Vec<CString>,
}

/// A page's references and their texts.
#[derive(Default)]
struct Elements {
    list: Vec<pool_element_t>,
    _texts: Texts,
}

/// Memory for a result in C's form. It is allocated before the result is taken: if that fails, the
/// result stays in its stream.
pub(super) struct Room(NonNull<u8>, Layout);

impl Room {
    /// `None`: no memory is left.
    pub fn of(result: &JobResult) -> Option<Self> {
        if memory::is_spent() {
            return None;
        }
        let plan = Plan::of(result);
        let size = size_of::<Private>().checked_add(plan.size)?;
        let layout = Layout::from_size_align(size, align_of::<Private>()).ok()?;
        // SAFETY: the layout is not empty.
        Some(Self(NonNull::new(unsafe { alloc(layout) })?, layout))
    }

    /// Moves the result that this memory was made for into C's form.
    pub fn fill(self, result: JobResult) -> *mut pool_result_t {
        let block = self.lay_out(&result);
        // SAFETY: `lay_out` put it there, and nobody else has it yet.
        unsafe {
            let private = &mut *private(block);
            private.job = private.owned.insert(result);
        }
        block
    }

    /// Fills the block from the result that it was made for, which must outlive the block or be
    /// moved into it.
    fn lay_out(self, result: &JobResult) -> *mut pool_result_t {
        let Self(start, layout) = self;
        std::mem::forget(self);
        let plan = Plan::of(result);
        assert!(size_of::<Private>() + plan.size <= layout.size());
        // SAFETY: there is room for both; the block is aligned, because the size of `Private` is a
        // multiple of its alignment.
        unsafe {
            start.cast::<Private>().write(Private {
                layout,
                job: result,
                owned: None,
                mimetype: OnceLock::new(),
                ext: OnceLock::new(),
                encoding: OnceLock::new(),
                links: OnceLock::new(),
                elements: OnceLock::new(),
            });
            let block = start.as_ptr().add(size_of::<Private>());
            plan.write(block.cast());
            block.cast()
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: it was allocated with that layout, and nobody has it.
        unsafe { dealloc(self.0.as_ptr(), self.1) };
    }
}

/// Copies a body of the caller's, which may be too large for two copies.
fn copy(body: &[u8]) -> Result<Vec<u8>, Error> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(body.len())
        .map_err(|_| Error::no_memory(&format!("a copy of {} bytes", body.len())))?;
    copy.extend_from_slice(body);
    Ok(copy)
}

/// No memory is left to show a result to C.
pub(super) fn no_memory(result: &JobResult) -> Error {
    Error::no_memory(&format!("a result of {} bytes", Plan::of(result).size))
}

/// Moves a Rust result into C's form.
pub(super) fn into_c(result: JobResult) -> Result<*mut pool_result_t, Error> {
    match Room::of(&result) {
        Some(room) => Ok(room.fill(result)),
        None => Err(no_memory(&result)),
    }
}

/// Shows a result to C for the time of a call. `None`: no memory is left for that.
pub(super) fn lend<T>(result: &JobResult, call: impl FnOnce(*mut pool_result_t) -> T) -> Option<T> {
    let block = Room::of(result)?.lay_out(result);
    let outcome = call(block);
    // SAFETY: made above; C has promised to keep nothing of it.
    unsafe { free(block) };
    Some(outcome)
}

/// Returns what lies before a result.
///
/// # Safety
/// `result` came from `lay_out` and was not freed.
unsafe fn private(result: *const pool_result_t) -> *mut Private {
    // SAFETY: the caller's promise.
    unsafe { result.cast::<u8>().sub(size_of::<Private>()) }
        .cast::<Private>()
        .cast_mut()
}

/// Makes a result from a page that the caller kept, as if it had come with status 200, to ask for
/// its text, links and the like. Writes it to `result`, the caller's until pool_result_free. Any
/// thread may call it, and no pool is needed.
///
/// `url` is where the page was found; its links, and in part its media type and encoding, depend on
/// it. The URL is cleaned up like a job's. `content_type` is the value of the Content-Type header,
/// and `known_encoding` is as in pool_options_t; each of the three may be NULL. The body is copied;
/// it may be NULL if `body_size` is 0.
///
/// POOL_OK: here it is. POOL_INVALID_ARGUMENT: `url` is not a URL, `content_type` has a line break,
/// `known_encoding` is not an encoding, `body` is NULL and `body_size` not 0, or `result` is NULL.
/// POOL_OUT_OF_RESOURCES: no memory is left for the copy.
///
/// # Safety
/// `url`, `content_type` and `known_encoding` are NULL or end in a NUL; `body` points to
/// `body_size` bytes; `result` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_of_page(
    url: *const c_char,
    content_type: *const c_char,
    known_encoding: *const c_char,
    body: *const c_void,
    body_size: usize,
    result: *mut *mut pool_result_t,
) -> pool_status_t {
    guard(|| {
        if result.is_null() {
            return invalid("result is NULL");
        }
        if body.is_null() && body_size > 0 {
            return invalid(format!("body is NULL, but body_size is {body_size}"));
        }
        // SAFETY: the caller's promise.
        let (url, content_type, known_encoding, body) = unsafe {
            (
                text(url, 0, "url")?,
                (!content_type.is_null()).then(|| CStr::from_ptr(content_type).to_bytes()),
                text(known_encoding, 0, "known_encoding")?,
                match body_size {
                    0 => &[],
                    _ => std::slice::from_raw_parts(body.cast::<u8>(), body_size),
                },
            )
        };
        let body = copy(body)?;
        let page = into_c(JobResult::of_page(url, content_type, known_encoding, body)?)?;
        // SAFETY: not NULL; the caller's promise.
        unsafe { result.write(page) };
        Ok(POOL_OK)
    })
}

/// Makes a result as pool_result_of_page does, from an answer with all its headers. Several
/// Content-Type headers count together, the file name in a Content-Disposition counts for
/// pool_result_ext, and a Content-Encoding says that the body is still in that coding. Header sizes
/// are as in pool_options_t; `headers` may be NULL if `header_count` is 0.
///
/// POOL_OK: here it is. POOL_INVALID_ARGUMENT: `url` is not a URL, a header's name is not a name or
/// its value has a line break, `known_encoding` is not an encoding, `headers` or `body` is NULL and
/// its number not 0, or `result` is NULL.
///
/// # Safety
/// `url` and `known_encoding` are NULL or end in a NUL; `headers` points to `header_count` headers,
/// as pool_options_t says; `body` points to `body_size` bytes; `result` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_of_answer(
    url: *const c_char,
    headers: *const pool_header_t,
    header_count: usize,
    known_encoding: *const c_char,
    body: *const c_void,
    body_size: usize,
    result: *mut *mut pool_result_t,
) -> pool_status_t {
    guard(|| {
        if result.is_null() {
            return invalid("result is NULL");
        }
        // SAFETY: the caller's promise.
        let (url, known_encoding, headers, body) = unsafe {
            (
                text(url, 0, "url")?,
                text(known_encoding, 0, "known_encoding")?,
                slice(headers, header_count, "headers")?,
                slice(body.cast::<u8>(), body_size, "body")?,
            )
        };
        let mut lines = Vec::with_capacity(headers.len().min(1024));
        for header in headers {
            // SAFETY: the caller's promise.
            let line = unsafe {
                let name = text(header.name, header.name_size, "headers.name")?;
                let value = match (header.value.is_null(), header.value_size) {
                    (true, _) => &[],
                    (false, 0) => CStr::from_ptr(header.value).to_bytes(),
                    (false, size) => std::slice::from_raw_parts(header.value.cast::<u8>(), size),
                };
                (name.unwrap_or_default(), value)
            };
            lines.push(line);
        }
        let body = copy(body)?;
        let answer = into_c(JobResult::of_answer(url, lines, known_encoding, body)?)?;
        // SAFETY: not NULL; the caller's promise.
        unsafe { result.write(answer) };
        Ok(POOL_OK)
    })
}

/// Frees a result with its block, its body and everything it was asked for; userdata and value stay
/// the caller's. NULL does nothing. Any thread may call it, once, when no thread uses the result
/// any more. Never fails.
///
/// # Safety
/// `result` is NULL or came from pool_next_result, pool_next_results, pool_result_of_page or
/// pool_result_of_answer, and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_free(result: *mut pool_result_t) {
    if !result.is_null() {
        // SAFETY: the caller's promise.
        unsafe { free(result) };
    }
}

/// # Safety
/// `result` came from `lay_out` and was not freed.
unsafe fn free(result: *mut pool_result_t) {
    // SAFETY: Private lies before it, in the same allocation of that layout.
    unsafe {
        let private = private(result);
        let layout = (*private).layout;
        std::ptr::drop_in_place(private);
        dealloc(private.cast(), layout);
    }
}

/// Returns the media type of the body, in lower case and without parameters, such as "text/html".
/// The Content-Type headers decide (Fetch Standard, "extract a MIME type": the last that is
/// well-formed counts). If they are missing, or say unknown/unknown or application/unknown, the
/// first bytes of the body decide (MIME Sniffing Standard), and then the extension of its file name
/// or URL. NULL: unknown, or no body was asked for or came.
///
/// This function and those after it compute their answer at the first call, on the caller's thread,
/// and keep it; what they return lives as long as the result. Several threads may ask one result at
/// once. They never fail; a NULL result gives NULL or 0.
///
/// # Safety
/// `result` is NULL or a result that was not freed. The same holds for all functions after this
/// one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_mimetype(result: *const pool_result_t) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe {
        ask(result, null(), |private, job| {
            kept(&private.mimetype, || job.mimetype())
        })
    }
}

/// Returns the file extension that fits the body, with its dot, such as ".html". The file name in
/// Content-Disposition gives it (RFC 6266), if its extension is a usual one; otherwise the media
/// type, or the URL if that type says nothing definite. NULL: unknown.
///
/// # Safety
/// As for pool_result_mimetype.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_ext(result: *const pool_result_t) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe {
        ask(result, null(), |private, job| {
            kept(&private.ext, || job.ext())
        })
    }
}

/// Returns 1 if the body is text, by its media type, or by its bytes if that is unknown; otherwise
/// 0. Bytes in a coding that was not undone, such as gzip that nobody asked for, are not text.
///
/// # Safety
/// As for pool_result_mimetype.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_is_text(result: *const pool_result_t) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { ask(result, 0, |_, job| job.is_text().into()) }
}

/// Returns 1 if the body's media type allows for HTML or is unknown, otherwise 0.
///
/// # Safety
/// As for pool_result_mimetype.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_could_be_html(result: *const pool_result_t) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { ask(result, 0, |_, job| job.could_be_html().into()) }
}

/// Returns 1 if the body is HTML, otherwise 0. HTML is text of the media type text/html or
/// application/xhtml+xml, however it begins, and of another XML type if its root is `<html>`.
///
/// # Safety
/// As for pool_result_mimetype.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_is_html(result: *const pool_result_t) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { ask(result, 0, |_, job| job.is_html().into()) }
}

/// Returns the encoding of the body, by its lower-case name in the Encoding Standard, such as
/// "utf-8" or "windows-1251". It comes from known_encoding, the byte order mark, the Content-Type,
/// the page's own declaration, or detection, in this order. A declaration that the bytes contradict
/// is passed over, and so is ISO-8859-1 in the Content-Type if the page says something else. NULL:
/// the body is not text.
///
/// # Safety
/// As for pool_result_mimetype.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_encoding(result: *const pool_result_t) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe {
        ask(result, null(), |private, job| {
            kept(&private.encoding, || job.encoding())
        })
    }
}

/// Returns the body as UTF-8 text that ends in a NUL, decoded by the Encoding Standard: malformed
/// parts become U+FFFD. Writes its number of bytes without the NUL to `size`, unless that is NULL.
/// NULL, and 0: the body is not text, or no memory is left for it.
///
/// # Safety
/// As for pool_result_mimetype; `size` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_text(
    result: *const pool_result_t,
    size: *mut usize,
) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe {
        let text = ask(result, None, |_, job| job.text_and_nul());
        give(size, text.map_or(0, |text| text.len() - 1));
        text.map_or(null(), |text| text.as_ptr().cast())
    }
}

/// Returns the links of an HTML body: the http and https URLs of its `<a>` and `<area>`, absolute,
/// each once, in the order of the page. Their queries are in the page's encoding, as browsers write
/// them (URL Standard). Writes their number to `count`, unless that is NULL. NULL, and 0: there are
/// no links, or no memory is left for them. pool_result_elements gives a page's other references.
///
/// # Safety
/// As for pool_result_mimetype; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_links(
    result: *const pool_result_t,
    count: *mut usize,
) -> *const *const c_char {
    // SAFETY: the caller's promise.
    unsafe {
        let links = ask(result, None, |private, job| {
            once(&private.links, || Links::of(job.find_links()?))
        });
        give_list(count, links.map_or(&[], |links| &links.pointers))
    }
}

/// Returns everything that an HTML body refers to: by `<a>`, `<img>`, srcset, `<script>`, `<link>`,
/// `<iframe>`, `<form>`, `<source>` and all others whose attributes have URLs, including those of
/// SVG and obsolete ones. Order and repeats are the page's. References that are not http or https,
/// that stay within the page (`#top`), and `<a>` and `<area>` that lead to the page itself are left
/// out. The library does not judge whether a browser would load a reference: see rel. Writes their
/// number to `count`, unless that is NULL. NULL, and 0: there are none, or no memory is left for
/// them.
///
/// Step through the array by the struct_size of its elements, or as an array of pool_element_t in a
/// program compiled with the library's own header.
///
/// # Safety
/// As for pool_result_mimetype; `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_result_elements(
    result: *const pool_result_t,
    count: *mut usize,
) -> *const pool_element_t {
    // SAFETY: the caller's promise.
    unsafe {
        let elements = ask(result, None, |private, job| {
            once(&private.elements, || Elements::of(job.find_elements()?))
        });
        give_list(count, elements.map_or(&[], |elements| &elements.list))
    }
}

impl Elements {
    /// `None`: no memory is left for them.
    fn of(elements: Vec<Element>) -> Option<Self> {
        let mut texts = Texts::default();
        // References of one element share its texts.
        let mut last: Option<&Element> = None;
        let (mut rel, mut text) = ((null(), 0), (null(), 0));
        let mut list = Vec::new();
        list.try_reserve_exact(elements.len()).ok()?;
        for it in &elements {
            let _kept = texts.make_room(it.url.len() + it.rel.len() + it.text.len())?;
            if last.is_none_or(|last| !Arc::ptr_eq(&last.rel, &it.rel)) {
                rel = texts.put(&it.rel);
            }
            if last.is_none_or(|last| !Arc::ptr_eq(&last.text, &it.text)) {
                text = texts.put(&it.text);
            }
            last = Some(it);
            let (url, url_size) = texts.put(&it.url);
            list.push(pool_element_t {
                struct_size: size_of::<pool_element_t>(),
                url,
                url_size,
                element: texts.name(it.element),
                attribute: texts.name(it.attribute),
                rel: rel.0,
                rel_size: rel.1,
                text: text.0,
                text_size: text.1,
            });
        }
        Some(Self {
            list,
            _texts: texts,
        })
    }
}

/// Texts for C.
#[derive(Default)]
struct Texts {
    // Each is on the heap, and stays where it is.
    texts: Vec<CString>,
    names: HashMap<&'static str, *const c_char>,
}

impl Texts {
    /// Makes room for the texts of one element, which have that size. `None`: no memory is left for
    /// them.
    fn make_room(&mut self, size: usize) -> Option<memory::Kept> {
        self.texts.try_reserve(5).ok()?;
        memory::keep_back(size)
    }

    /// Returns the text's new place and its number of bytes.
    fn put(&mut self, text: &str) -> (*const c_char, usize) {
        let text = match text.contains('\0') {
            true => CString::new(text.replace('\0', "\u{fffd}")),
            false => CString::new(text),
        };
        let text = text.unwrap_or_default();
        let place = (text.as_ptr(), text.as_bytes().len());
        self.texts.push(text);
        place
    }

    /// Returns the place of one of a few names.
    fn name(&mut self, name: &'static str) -> *const c_char {
        match self.names.get(name) {
            Some(place) => *place,
            None => {
                let (place, _) = self.put(name);
                self.names.insert(name, place);
                place
            }
        }
    }
}

impl Links {
    /// `None`: no memory is left for them.
    fn of(links: Vec<String>) -> Option<Self> {
        let (mut pointers, mut text) = (Vec::new(), Vec::new());
        pointers.try_reserve_exact(links.len()).ok()?;
        text.try_reserve_exact(links.len()).ok()?;
        for link in links {
            let _kept = memory::keep_back(link.len())?;
            // URLs contain no NUL.
            let link = CString::new(link).unwrap_or_default();
            pointers.push(link.as_ptr());
            text.push(link);
        }
        Some(Self {
            pointers,
            _text: text,
        })
    }
}

/// Asks a result something. `otherwise` is the answer if the result is NULL or the question
/// panicked.
///
/// # Safety
/// `result` is NULL or came from `lay_out` and lives for `'a`.
unsafe fn ask<'a, T>(
    result: *const pool_result_t,
    otherwise: T,
    question: impl FnOnce(&'a Private, &'a JobResult) -> T,
) -> T {
    if result.is_null() {
        return otherwise;
    }
    // SAFETY: the caller's promise: both live as long as the result, and are only read.
    let (private, job) = unsafe {
        let private = &*private(result);
        (private, &*private.job)
    };
    catch_unwind(AssertUnwindSafe(|| question(private, job))).unwrap_or(otherwise)
}

fn kept<'a>(
    place: &OnceLock<Option<CString>>,
    text: impl FnOnce() -> Option<&'a str>,
) -> *const c_char {
    let text = place.get_or_init(|| text().and_then(|text| CString::new(text).ok()));
    text.as_ref().map_or(null(), |text| text.as_ptr())
}

/// # Safety
/// `to` is NULL or writable.
unsafe fn give(to: *mut usize, number: usize) {
    if !to.is_null() {
        // SAFETY: the caller's promise.
        unsafe { to.write(number) };
    }
}

/// Gives a list that the result keeps: its length to `count`, and its start. NULL: it is empty.
///
/// # Safety
/// `count` is NULL or writable.
unsafe fn give_list<T>(count: *mut usize, list: &[T]) -> *const T {
    // SAFETY: the caller's promise.
    unsafe { give(count, list.len()) };
    match list {
        [] => null(),
        list => list.as_ptr(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::error::{ErrorCode, Failure};
    use crate::ffi::block::Plan;
    use crate::job::Truncated;

    fn page(url: &str, content_type: &[u8], body: &[u8]) -> JobResult {
        JobResult::of_page(Some(url), Some(content_type), None, body.to_vec()).expect("a page")
    }

    /// Results of all shapes, with and without each part.
    fn results() -> Vec<JobResult> {
        let html =
            b"<a href=/x rel=next><img srcset='/1, /2' alt=one><a href='/\xc3\xa9'>caf\xc3\xa9";
        let full = page("http://example.com/", b"text/html; x=\xe9", html);
        let mut failed = page("http://example.com/", b"", b"");
        failed.error = Some(Failure::new(ErrorCode::Timeout, "with a \0 in it"));
        failed.start_time = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let mut other = page("http://www.example.com/", b"", b"");
        other.group = crate::job::Group::Own("".into());
        other.error = Some(Failure {
            subcode: Some(crate::Subcode::Expired),
            ..Failure::new(ErrorCode::Ssl, "late")
        });
        let mut bare = JobResult::of_page(None, None, None, Vec::new()).expect("a page");
        bare.status = 0;
        let mut cut = page("http://example.com/", b"text/html", html);
        cut.truncated = Some(Truncated::Disconnect);
        vec![full, failed, other, bare, cut]
    }

    /// # Safety
    /// It is NULL or ends in a NUL.
    unsafe fn read(text: *const c_char) -> Option<String> {
        // SAFETY: the caller's promise.
        let text = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) });
        text.map(|text| text.to_str().expect("UTF-8").to_owned())
    }

    #[test]
    fn a_block_tells_what_the_result_does() {
        for result in results() {
            let expected = result.clone();
            let block = into_c(result).expect("memory");
            // SAFETY: all is read before it is freed.
            unsafe {
                let all = &*block;
                assert_eq!(read(all.url).as_deref(), expected.url.as_deref());
                assert_eq!(read(all.end_url).as_deref(), expected.end_url());
                let code = expected.error.as_ref().map(|error| error.code.as_str());
                assert_eq!(read(all.error_code).as_deref(), code);
                let subcode = expected.error.as_ref().and_then(|error| error.subcode);
                let subcode = subcode.map(|subcode| subcode.as_str());
                assert_eq!(read(all.error_subcode).as_deref(), subcode);
                assert_eq!(read(all.group).as_deref(), expected.group());
                assert_eq!(all.group_size, expected.group().map_or(0, str::len));
                assert!(!read(all.error_message).is_some_and(|text| text.is_empty()));
                assert_eq!(all.header_count, expected.headers.len());
                for (index, (name, value)) in expected.headers.iter().enumerate() {
                    let header = &*all.headers.add(index);
                    assert_eq!(read(header.name).as_deref(), Some(name));
                    assert_eq!(CStr::from_ptr(header.value).to_bytes(), value);
                }
                let truncated = expected.truncated.map(Truncated::as_str);
                assert_eq!(read(all.truncated).as_deref(), truncated);
                assert_eq!(all.stack_count, expected.stack.len());
                for (index, hop) in expected.stack.iter().enumerate() {
                    let other = &*all.stack.add(index);
                    assert_eq!(read(other.url).as_deref(), Some(&*hop.url));
                    assert_eq!(read(other.r#type).as_deref(), Some(hop.kind.as_str()));
                }
                let body = match all.body_size {
                    0 => &[],
                    size => std::slice::from_raw_parts(all.body, size),
                };
                assert_eq!(body, expected.body);
                // The block is in one piece, and can be copied whole.
                let copy = std::slice::from_raw_parts(block.cast::<u8>(), all.block_size).to_vec();
                assert_eq!(copy.len(), Plan::of(&expected).size);
                pool_result_free(block);
            }
        }
    }

    #[test]
    fn answers_are_kept_as_long_as_the_result() {
        for result in results() {
            let expected = result.clone();
            let block = into_c(result).expect("memory");
            // SAFETY: all is read before it is freed.
            unsafe {
                let mimetype = pool_result_mimetype(block);
                assert_eq!(read(mimetype).as_deref(), expected.mimetype());
                assert_eq!(read(pool_result_ext(block)).as_deref(), expected.ext());
                let encoding = pool_result_encoding(block);
                assert_eq!(read(encoding).as_deref(), expected.encoding());
                let (mut size, mut count) = (0, 0);
                let text = pool_result_text(block, &mut size);
                assert_eq!(read(text).as_deref(), expected.text());
                assert_eq!(size, expected.text().map_or(0, str::len));
                let links = pool_result_links(block, &mut count);
                let links: Vec<_> = (0..count).map(|at| read(*links.add(at)).unwrap()).collect();
                assert_eq!(links, expected.links());
                let elements = pool_result_elements(block, &mut count);
                assert_eq!(count, expected.elements().len());
                for (at, expected) in expected.elements().iter().enumerate() {
                    let found = &*elements.add(at);
                    assert_eq!(found.struct_size, size_of::<pool_element_t>());
                    assert_eq!(read(found.url).as_deref(), Some(&*expected.url));
                    assert_eq!(found.url_size, expected.url.len());
                    assert_eq!(read(found.element).as_deref(), Some(expected.element));
                    assert_eq!(read(found.attribute).as_deref(), Some(expected.attribute));
                    assert_eq!(read(found.rel).as_deref(), Some(&*expected.rel));
                    assert_eq!(found.rel_size, expected.rel.len());
                    let text = expected.text.replace('\0', "\u{fffd}");
                    assert_eq!(read(found.text), Some(text));
                }
                assert_eq!(pool_result_elements(block, std::ptr::null_mut()), elements);
                assert_eq!(pool_result_mimetype(block), mimetype);
                assert_eq!(pool_result_text(block, std::ptr::null_mut()), text);
                pool_result_free(block);
            }
        }
    }

    #[test]
    fn a_result_is_lent_for_a_call() {
        for result in results() {
            let seen = lend(&result, |block| {
                // SAFETY: it is read while it is lent.
                unsafe {
                    (*block).value = block.cast();
                    assert_eq!(
                        (*block).body,
                        match result.body.len() {
                            0 => null(),
                            _ => result.body.as_ptr(),
                        }
                    );
                    read(pool_result_mimetype(block))
                }
            });
            assert_eq!(seen.expect("memory").as_deref(), result.mimetype());
        }
    }

    #[test]
    fn packed_results_lie_one_behind_the_other() {
        let results = results();
        let plans: Vec<_> = results.iter().map(Plan::of).collect();
        let size: usize = plans.iter().map(Plan::packed_size).sum();
        let mut room = vec![0_u64; size / size_of::<u64>()];
        let start = room.as_mut_ptr().cast::<u8>();
        let mut at = 0;
        for (plan, result) in plans.iter().zip(&results) {
            // SAFETY: there is room for all, and each size keeps the alignment.
            unsafe {
                let block = start.add(at);
                plan.write_packed(block.cast());
                let all = block.cast::<pool_result_t>().read();
                assert_eq!(all.block_size, plan.packed_size());
                if let Some(url) = &result.url {
                    let text = CStr::from_ptr(block.add(all.url.addr()).cast());
                    assert_eq!(text.to_bytes(), url.as_bytes());
                }
                let body = std::slice::from_raw_parts(block.add(all.body.addr()), all.body_size);
                assert_eq!(body, result.body);
            }
            at += plan.packed_size();
        }
        assert_eq!(at, size);
    }
}
