//! The C API: one more user of the Rust API, and nothing more.
//!
//! This module converts and checks values and catches panics; `pool` decides what a call means.
//! Types and functions bear the names that C sees, because `include/rouet.h` is generated from
//! them.

use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, words_of};

/// cbindgen:ignore
#[cfg(not(debug_assertions))]
mod allocator;
pub mod block;
pub mod config;
/// cbindgen:ignore
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod job;
pub mod kept;
pub mod pool;
mod read;
/// cbindgen:ignore
#[cfg(any(test, not(debug_assertions)))]
mod reserve;
pub mod result;
mod written;

#[cfg(not(debug_assertions))]
pub(crate) use allocator::Allocator;

/// The outcome of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum pool_status_t {
    /// The call did what it was asked to.
    POOL_OK = 0,
    /// The buffer is full or no result is there yet, and the time to wait is up.
    POOL_AGAIN = 1,
    /// The stream was finished or cancelled and all its results were taken: none will come.
    POOL_DONE = 2,
    /// The stream was finished or cancelled: it takes no more jobs.
    POOL_CLOSED = 3,
    /// An argument or a field is wrong; pool_last_error names it.
    POOL_INVALID_ARGUMENT = 4,
    /// The machine gave no thread, descriptor or memory; pool_last_error says which.
    POOL_OUT_OF_RESOURCES = 5,
    /// The library has a fault; pool_last_error describes it. Please report it.
    POOL_INTERNAL_ERROR = 6,
}

use pool_status_t::*;

/// The version of the C interface. It grows by one when programs must be recompiled.
pub const POOL_ABI_VERSION: u32 = 1;

/// Returns the library's version, such as "0.1.0". The text is static. Any thread may call it;
/// never fails.
#[unsafe(no_mangle)]
pub extern "C" fn pool_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Returns the POOL_ABI_VERSION that the library was built with. Any thread may call it; never
/// fails.
#[unsafe(no_mangle)]
pub extern "C" fn pool_abi_version() -> u32 {
    POOL_ABI_VERSION
}

/// Returns the name of a status, such as "POOL_AGAIN", or "unknown status" for any other number.
/// The text is static. Any thread may call it; never fails.
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

/// The bytes kept of a thread's last message, including its NUL.
const MESSAGE_SIZE: usize = 1024;

thread_local! {
    // The message is on the heap because thread-local storage is scarce: all copies of the library,
    // and other libraries, share what the C library has set aside. Its address stays, which lets a
    // pointer that was taken before a call in the same expression read that call's message.
    static LAST_ERROR: RefCell<Box<[u8; MESSAGE_SIZE]>> =
        RefCell::new(Box::new([0; MESSAGE_SIZE]));
}

/// Returns what was wrong with this thread's last call that gave POOL_CLOSED,
/// POOL_INVALID_ARGUMENT, POOL_OUT_OF_RESOURCES or POOL_INTERNAL_ERROR: a sentence that names the
/// field at fault, or "" before the first such call. The address is the same each time. Only this
/// thread may read there, until it ends; its next failing call overwrites the text. Never fails.
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
        // The cut is at a character's boundary and leaves room for the NUL.
        let end = message.floor_char_boundary(MESSAGE_SIZE - 1);
        for (to, from) in text.iter_mut().zip(message[..end].bytes()) {
            // A NUL would end the message.
            *to = if from == 0 { b'?' } else { from };
        }
    });
}

/// Returns the status of an outcome, keeps a failure's sentence for `pool_last_error`, and lets no
/// panic through.
fn guard(call: impl FnOnce() -> Result<pool_status_t, Error>) -> pool_status_t {
    let (status, message) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(status)) => return status,
        Ok(Err(error)) => {
            let status = match error {
                Error::Full => POOL_AGAIN,
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

/// A struct that C hands over. Its first field is the size that the caller knows.
///
/// # Safety
/// Implementers are `#[repr(C)]` structs that begin with `struct_size: usize` and hold only numbers
/// and pointers; a caller's shorter struct, filled up with our defaults, is then valid. A new field
/// must make the struct longer: if it fitted into the padding at the end, old callers could not be
/// told from new ones. `tests/abi.rs` checks this, and that no size is missing from `SIZES`.
unsafe trait Sized_: Copy {
    /// The struct's name in C.
    const NAME: &'static str;
    /// The sizes of this struct in all versions, ascending; the last is `size_of::<Self>()`. Those
    /// of options come from `since` in `options/options.toml`.
    const SIZES: &'static [usize];
    /// The documented defaults, including `struct_size`.
    fn defaults() -> Self;
}

/// Checks the size of the caller's struct and reads it over the defaults.
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

/// Writes as much of the defaults into the caller's struct as it has room for.
///
/// # Safety
/// `given` is NULL or points to `size` writable bytes, aligned for `T`.
unsafe fn init_sized<T: Sized_>(given: *mut T, size: usize) -> pool_status_t {
    // SAFETY: the caller's promise.
    unsafe { write_sized(&T::defaults(), given, size) }
}

/// Writes as much of a value into the caller's struct as it has room for.
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

/// Whether `SIZES` ascends and ends with the struct's real size. These sizes decide what is read
/// and written: memory safety rests on this check.
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

    /// The same struct before it grew.
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
        // The memory beside it must not be touched.
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
