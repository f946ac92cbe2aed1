//! The descriptors that a process may have.

use rustix::process::{Resource, getrlimit};

/// What to do when no descriptor is left.
pub(crate) const MORE: &str = "raise the limit (ulimit -n) or lower max_workers";

/// The number of descriptors that the process may have.
pub(crate) fn limit() -> u64 {
    if cfg!(miri) {
        // The target has no such function, and opens none.
        return 1 << 20;
    }
    getrlimit(Resource::Nofile).current.unwrap_or(1 << 20)
}

/// Whether the system's error says that no descriptor is left.
pub(crate) fn are_out(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE)
}
