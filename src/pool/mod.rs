//! Where the rooms meet: shards, streams, wake-ups, shutdown.
//!
//! Files name each other, never this one: it only says which there are, and what others see of them.

#![forbid(unsafe_code)]

mod answer;
mod attempts;
mod bell;
mod callbacks;
mod common;
mod config;
mod delivery;
mod handle;
mod inbox;
mod log;
#[cfg(all(test, engine = "pretend"))]
mod models;
mod shard;
mod stream;
mod task;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trap;
mod workers;

pub use config::{ParallelismFn, PoolConfig, ThrottleFn};
pub use handle::{Pool, PoolStats};
#[cfg(feature = "capi")]
pub(crate) use log::LogFn;
#[cfg(feature = "capi")]
pub(crate) use stream::any::AnyStream;
pub use stream::config::{Callback, StreamConfig};
pub use stream::core::StreamStats;
pub use stream::event::EventFd;
pub use stream::handle::{JobStream, Next, SubmitError};
pub use stream::results::{Iter, Results, Run};
#[cfg(feature = "capi")]
pub(crate) use stream::until::Until;
