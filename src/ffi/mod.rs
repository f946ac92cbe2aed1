//! The C API: one more user of the Rust API, and nothing more.
//!
//! Here values are converted and checked and panics are caught; what a call means is decided in
//! `pool`. The types and functions bear the names that C sees, because `include/rouet.h` is
//! generated from them.

use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, words_of};

/// cbindgen:ignore
#[cfg(not(debug_assertions))]
mod allocator;
mod block;
pub mod config;
/// cbindgen:ignore
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod job;
pub mod kept;
pub mod pool;
/// cbindgen:ignore
#[cfg(any(test, not(debug_assertions)))]
mod reserve;
pub mod result;

#[cfg(not(debug_assertions))]
pub(crate) use allocator::Allocator;

/// What a call came to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum pool_status_t {
    /// Done as asked.
    POOL_OK = 0,
    /// Not now: the buffer is full, or no result is there yet, and the time to wait is up.
    POOL_AGAIN = 1,
    /// The stream was finished or cancelled and all its results were taken: none will come.
    POOL_DONE = 2,
    /// The stream was finished or cancelled: it takes no more jobs.
    POOL_CLOSED = 3,
    /// An argument or a field is not what it should be; pool_last_error names it.
    POOL_INVALID_ARGUMENT = 4,
    /// The machine gave no thread, descriptor or memory for it; pool_last_error says which.
    POOL_OUT_OF_RESOURCES = 5,
    /// A fault in the library; pool_last_error has its words. Please report it.
    POOL_INTERNAL_ERROR = 6,
}

use pool_status_t::*;

/// The version of the C interface: it grows by one when a program must be compiled anew.
pub const POOL_ABI_VERSION: u32 = 1;

/// The library's version, as "0.1.0". Static. Any thread may call it; never fails.
#[unsafe(no_mangle)]
pub extern "C" fn pool_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The POOL_ABI_VERSION the library was built with. Any thread may call it; never fails.
#[unsafe(no_mangle)]
pub extern "C" fn pool_abi_version() -> u32 {
    POOL_ABI_VERSION
}

/// The name of a status, as "POOL_AGAIN"; "unknown status" for a number that is none.
/// Static. Any thread may call it; never fails.
#[unsafe(no_mangle)]
pub extern "C" fn pool_status_name(status: i32) -> *const c_char {
    const NAMES: [&CStr; 7] = [
        c"POOL_OK",
        c"POOL_AGAIN",
        c"POOL_DONE",
        c"POOL_CLOSED",
        c"POOL_INVALID_ARGUMENT",
        c"POOL_OUT_OF_RESOURCES",
        c"POOL_INTERNAL_ERROR",
    ];
    usize::try_from(status)
        .ok()
        .and_then(|index| NAMES.get(index))
        .unwrap_or(&c"unknown status")
        .as_ptr()
}

/// The bytes kept of a thread's last message, its NUL included.
const MESSAGE_SIZE: usize = 1024;

thread_local! {
    // On the heap, because thread-local storage is scarce: a library's copies, and other libraries,
    // share what the C library has set aside for it. Made once: its address stays, so that a pointer
    // taken before a call in the same expression reads that call's message.
    static LAST_ERROR: RefCell<Box<[u8; MESSAGE_SIZE]>> =
        RefCell::new(Box::new([0; MESSAGE_SIZE]));
}

/// What was wrong with the last call of this thread that returned POOL_CLOSED,
/// POOL_INVALID_ARGUMENT, POOL_OUT_OF_RESOURCES or POOL_INTERNAL_ERROR: a sentence that names the
/// field at fault; "" before the first. The same address each time, for this thread to read until
/// it ends; the next failing call writes over it. Never fails.
#[unsafe(no_mangle)]
pub extern "C" fn pool_last_error() -> *const c_char {
    LAST_ERROR
        .try_with(|last| last.borrow().as_ptr().cast())
        // The thread is ending.
        .unwrap_or(c"".as_ptr())
}

fn set_last_error(message: &str) {
    let _ = LAST_ERROR.try_with(|last| {
        let mut text = last.borrow_mut();
        text.fill(0);
        // At a character's boundary, and with room for the NUL.
        let end = message.floor_char_boundary(MESSAGE_SIZE - 1);
        for (to, from) in text.iter_mut().zip(message[..end].bytes()) {
            // A NUL would end it.
            *to = if from == 0 { b'?' } else { from };
        }
    });
}

/// The status of an outcome; leaves a failure's sentence for `pool_last_error`. No panic gets by.
fn guard(call: impl FnOnce() -> Result<pool_status_t, Error>) -> pool_status_t {
    let (status, message) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(status)) => return status,
        Ok(Err(error)) => {
            let status = match error {
                Error::Closed => POOL_CLOSED,
                Error::InvalidArgument(_) => POOL_INVALID_ARGUMENT,
                Error::OutOfResources(_) => POOL_OUT_OF_RESOURCES,
            };
            (status, error.to_string())
        }
        Err(panic) => (
            POOL_INTERNAL_ERROR,
            format!("the library panicked: {}", words_of(&*panic)),
        ),
    };
    set_last_error(&message);
    status
}

fn invalid<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::InvalidArgument(why.into()))
}

/// A struct that C hands over, whose first field is the size its caller knows.
///
/// # Safety
/// Implemented by `#[repr(C)]` structs whose first field is `struct_size: usize` and which hold
/// only numbers and pointers, so that a caller's shorter struct padded with our defaults is valid.
/// A field added must make the struct longer: one that fits into the padding at its end leaves the
/// size as it was, and old callers can't be told from new ones. `tests/abi.rs` sees to that, and
/// that no size is forgotten in `SIZES`.
unsafe trait Sized_: Copy {
    /// The struct's name in C.
    const NAME: &'static str;
    /// The sizes this struct had in earlier versions, and has now: each a number above the one
    /// before, and `size_of::<Self>()` last. Those of options come from `since` in
    /// `options/options.toml`.
    const SIZES: &'static [usize];
    /// The documented defaults, `struct_size` included.
    fn defaults() -> Self;
}

/// Reads the caller's struct over the defaults, after a look at its size.
///
/// # Safety
/// `given` is NULL or points to a struct that is as long as its `struct_size` says.
unsafe fn read_sized<T: Sized_>(given: *const T) -> Result<T, Error> {
    if given.is_null() {
        return invalid(format!("{} is NULL", T::NAME));
    }
    if !given.is_aligned() {
        return invalid(format!("{} is not aligned", T::NAME));
    }
    // SAFETY: every version of the struct starts with its size.
    let size = unsafe { given.cast::<usize>().read() };
    check_size::<T>(size)?;
    let mut value = T::defaults();
    // SAFETY: `given` is as long as `size`, which is at most the size of `value`; both are plain.
    unsafe {
        std::ptr::copy_nonoverlapping(given.cast::<u8>(), (&raw mut value).cast::<u8>(), size)
    };
    Ok(value)
}

/// Writes the defaults into the caller's struct, as much of them as it has room for.
///
/// # Safety
/// `given` is NULL or points to `size` writable bytes, aligned for `T`.
unsafe fn init_sized<T: Sized_>(given: *mut T, size: usize) -> pool_status_t {
    // SAFETY: the caller's promise.
    unsafe { write_sized(&T::defaults(), given, size) }
}

/// Writes a value into the caller's struct, as much of it as it has room for.
///
/// # Safety
/// `given` is NULL or points to `size` writable bytes, aligned for `T`.
unsafe fn write_sized<T: Sized_>(value: &T, given: *mut T, size: usize) -> pool_status_t {
    guard(|| {
        if given.is_null() {
            return invalid(format!("{} is NULL", T::NAME));
        }
        if !given.is_aligned() {
            return invalid(format!("{} is not aligned", T::NAME));
        }
        check_size::<T>(size)?;
        // SAFETY: the caller gave `size` bytes, which is at most the size of `value`.
        unsafe {
            std::ptr::copy_nonoverlapping(
                std::ptr::from_ref(value).cast::<u8>(),
                given.cast::<u8>(),
                size,
            );
            given.cast::<usize>().write(size);
        }
        Ok(POOL_OK)
    })
}

/// Whether a struct has grown with each of its sizes and has the last one. A shorter one is what may
/// be read and written: so memory safety rests on this.
const fn has_grown<T: Sized_>() -> bool {
    let mut index = 1;
    while index < T::SIZES.len() {
        if T::SIZES[index - 1] >= T::SIZES[index] {
            return false;
        }
        index += 1;
    }
    T::SIZES[index - 1] == size_of::<T>()
}

fn check_size<T: Sized_>(size: usize) -> Result<(), Error> {
    const {
        assert!(
            has_grown::<T>(),
            "SIZES are to grow, up to the size of the struct"
        )
    };
    if T::SIZES.contains(&size) {
        return Ok(());
    }
    invalid(format!(
        "{}.struct_size is {size}, which no version of this library knows (this one: {}): \
         call the struct's _init function with sizeof, and use a header no newer than the library",
        T::NAME,
        size_of::<T>()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct that grew.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Grown {
        struct_size: usize,
        old: u64,
        new: u64,
    }

    /// The same as it was before.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Earlier {
        struct_size: usize,
        old: u64,
    }

    // SAFETY: repr(C), struct_size first, numbers only.
    unsafe impl Sized_ for Grown {
        const NAME: &'static str = "grown_t";
        const SIZES: &'static [usize] = &[size_of::<Earlier>(), size_of::<Self>()];

        fn defaults() -> Self {
            Self {
                struct_size: size_of::<Self>(),
                old: 1,
                new: 2,
            }
        }
    }

    #[test]
    fn a_struct_of_an_earlier_version_has_the_defaults_of_what_came_later() {
        let size = size_of::<Earlier>();
        // Beside it lies what is not to be touched.
        let mut given = [Earlier {
            struct_size: 0,
            old: 7,
        }; 2];
        let pointer = given.as_mut_ptr().cast::<Grown>();
        // SAFETY: the struct is as long as `size`.
        assert_eq!(unsafe { init_sized(pointer, size) }, POOL_OK);
        assert_eq!((given[0].struct_size, given[0].old), (size, 1));
        assert_eq!((given[1].struct_size, given[1].old), (0, 7));
        given[0].old = 9;
        // SAFETY: the struct is as long as its struct_size.
        let read = unsafe { read_sized(given.as_ptr().cast::<Grown>()) }.expect("a known size");
        assert_eq!((read.struct_size, read.old, read.new), (size, 9, 2));
    }

    #[test]
    fn a_size_that_no_version_had_is_refused() {
        for size in [0, 8, 17, 23, 25, 32] {
            let mut given = [Grown::defaults(); 2];
            // SAFETY: there is room for more than `size`.
            let status = unsafe { init_sized(given.as_mut_ptr(), size) };
            assert_eq!(status, POOL_INVALID_ARGUMENT, "{size}");
            assert_eq!(given[0].struct_size, size_of::<Grown>(), "{size}");
        }
    }

    #[test]
    fn a_place_that_is_not_aligned_is_left_alone() {
        let mut room = [Grown::defaults(); 2];
        let size = size_of::<Grown>();
        let place = room.as_mut_ptr().wrapping_byte_add(1);
        // SAFETY: there is room for `size` bytes.
        assert_eq!(unsafe { init_sized(place, size) }, POOL_INVALID_ARGUMENT);
        // SAFETY: as above.
        assert!(unsafe { read_sized(place) }.is_err());
        assert_eq!(room.map(|one| one.old), [1, 1]);
    }
}
