//! What is about this process: its memory and descriptors, its forks and its end. The room is below all
//! others.

pub(crate) mod descriptors;
pub(crate) mod fork;
pub(crate) mod memory;
