//! What concerns this process: its memory, descriptors, forks and end. The room is below all others.

pub(crate) mod descriptors;
pub(crate) mod fork;
pub(crate) mod memory;
