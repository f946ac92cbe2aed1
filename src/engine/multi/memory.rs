//! Gives curl memory from the library's own allocator.
//!
//! curl asks for memory dozens of times a request, half of it with `calloc`, which takes a lock in
//! glibc as soon as a process has two threads.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

use libmimalloc_sys::{mi_free, mi_malloc, mi_realloc, mi_zalloc};

/// This runs when the library is loaded, before the `curl` crate does the same with the system's
/// functions, because curl keeps the first that it is given. Nothing else works, since each piece of
/// memory must go back to where it came from.
#[used]
// SAFETY: what the section holds, pointers to functions without arguments, is what this is. The number
// places it before those of `.init_array`, among them the `curl` crate's.
#[unsafe(link_section = ".init_array.00100")]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        // SAFETY: no other thread uses curl yet, and the functions are a whole allocator.
        unsafe {
            // If this fails, the `curl` crate's attempt will too, and says so.
            curl_sys::curl_global_init_mem(
                curl_sys::CURL_GLOBAL_ALL,
                malloc,
                free,
                realloc,
                strdup,
                calloc,
            );
        }
    }
    at_load
};

extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: always allowed.
    unsafe { mi_malloc(size) }
}

extern "C" fn calloc(number: usize, size: usize) -> *mut c_void {
    match number.checked_mul(size) {
        // SAFETY: always allowed.
        Some(size) => unsafe { mi_zalloc(size) },
        None => null_mut(),
    }
}

extern "C" fn realloc(memory: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: curl gives what one of these functions gave it, or NULL.
    unsafe { mi_realloc(memory, size) }
}

extern "C" fn free(memory: *mut c_void) {
    // SAFETY: as above.
    unsafe { mi_free(memory) }
}

extern "C" fn strdup(text: *const c_char) -> *mut c_char {
    // SAFETY: curl gives text that ends in a NUL; the copy has room for that too.
    unsafe {
        let bytes = CStr::from_ptr(text).to_bytes_with_nul();
        let copy = mi_malloc(bytes.len()).cast::<u8>();
        if !copy.is_null() {
            copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        copy.cast()
    }
}
