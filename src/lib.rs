//! Downloads or resolves huge lazy streams of URLs as fast as the machine allows, without hitting any
//! one server too often, in bounded memory.
//!
//! ```
//! use rouet::{Job, Pool, PoolConfig, StreamConfig};
//!
//! let pool = Pool::new(PoolConfig::default())?;
//! let config = StreamConfig::default();
//! # let site = rouet_site::Site::start(Default::default()).unwrap();
//! # let connect_to = [format!("::127.0.0.1:{}", site.port())];
//! # let config = config.options(rouet::Options::default().connect_to(connect_to));
//! let stream = pool.stream(config)?;
//! let jobs = (1..=3).map(|page| Job::request(format!("http://example.com/{page}")).item(page));
//! for done in stream.run(jobs) {
//!     let (page, result) = done?;
//!     println!("{page}: {} {}", result.status, result.body.len());
//!     # assert_ne!(result.status, 0, "{:?}", result.error);
//! }
//! # assert_eq!(stream.stats().delivered, 3);
//! # Ok::<(), rouet::Error>(())
//! ```
//!
//! A [`Pool`] is the engine: threads, connections, politeness. A [`JobStream`] is a sequence of jobs on
//! it, with its own order, buffer and results. A [`Job`] is one URL; each accepted job gives exactly
//! one [`JobResult`], which comes with the job's *item*, whatever that is. A *group* is the politeness
//! key of a job, by default the registrable domain of its URL. At most [`Rule::parallelism`] jobs of a
//! group are in flight, and the next starts no sooner than [`Rule::throttle`] after the last start and
//! the last end.
//!
//! # Feeding a stream
//!
//! A stream holds a bounded number of jobs (`buffer_size` of [`StreamConfig`]): whoever submits waits
//! for room, and there is room when results are taken. Hence three ways:
//!
//! - [`JobStream::run`] submits and takes in turns, on one thread;
//! - one thread calls [`JobStream::submit`], another one [`JobStream::next`] or [`JobStream::iter`];
//! - asynchronous tasks await [`JobStream::submit_async`] and [`JobStream::results`], on any executor.
//!   An event loop can watch [`JobStream::event_fd`].
//!
//! # Logs
//!
//! What no result tells goes to the crate `log`, with the target `rouet`: at level error what the
//! library could not do, at warn attempts that failed and will be made again, at info the engine's stop
//! and streams that open and end, at debug each hop. Passwords in URLs are masked.
//!
//! # The C interface
//!
//! `include/rouet.h` is made from this crate with the feature `capi`, which Rust programs do not need.

#![deny(missing_docs)]
#![cfg_attr(engine = "pretend", allow(dead_code, reason = "there is no network"))]

mod address;
mod engine;
mod error;
mod fetch;
#[cfg(feature = "capi")]
#[expect(nonstandard_style, reason = "the names are those that C sees")]
#[doc(hidden)]
pub mod ffi;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod headers;
mod job;
mod options;
mod plan;
mod pool;
mod process;
mod ranges;
mod schedule;
mod setters;
mod sniff;
mod subcode;
mod sync;

pub use error::{Error, ErrorCode, Failure};
pub use headers::Headers;
pub use job::{HopKind, Job, JobResult, Kind, StackEntry, Timings, Truncated};
pub use options::{HttpVersion, Options, Retry};
pub use plan::KeptOptions;
pub use pool::{
    Callback, EventFd, Iter, JobStream, Next, ParallelismFn, Pool, PoolConfig, PoolStats, Results,
    Run, StreamConfig, StreamStats, SubmitError, ThrottleFn,
};
pub use schedule::Rule;
pub use sniff::Element;
pub use subcode::Subcode;

/// The group that a job with this URL has unless it names its own: the URL's registrable domain by the
/// public suffix list, private section included, or the host if it has none. With
/// [`Options::infer_redirection`], a job's group is that of the inferred URL instead.
///
/// The URL is read like a job's. A [`Failure`] with [`ErrorCode::InvalidUrl`] says why it is not a URL.
///
/// ```
/// assert_eq!(rouet::url_group("HTTPS://WWW.Example.co.uk/x").unwrap(), "example.co.uk");
/// assert_eq!(rouet::url_group("someone.github.io").unwrap(), "someone.github.io");
/// assert_eq!(rouet::url_group("http://127.0.0.1:8080/").unwrap(), "127.0.0.1");
/// assert!(rouet::url_group("/about").is_err());
/// ```
pub fn url_group(url: &str) -> Result<String, Failure> {
    address::clean(url).map(|url| address::group(&url).to_owned())
}

// One thread makes a result and another frees it; glibc's allocator makes them wait for each other,
// which costs a fifth of the CPU of a small request. Debug builds use the system's allocator, for the
// sake of memory checkers.
#[cfg(all(feature = "capi", not(debug_assertions)))]
#[global_allocator]
static ALLOCATOR: ffi::Allocator = ffi::Allocator;
