//! Streams: what a caller hands in and takes out, and the bounds on what lies between.
//!
//! Files name each other, never this one: it only says which there are.

pub(super) mod any;
mod calls;
pub(super) mod config;
pub(super) mod core;
pub(super) mod event;
pub(super) mod handle;
pub(super) mod results;
pub(super) mod until;
