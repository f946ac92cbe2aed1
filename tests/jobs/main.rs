//! What becomes of jobs, through the Rust interface and against real servers: the tests that need no
//! process of their own.

#[path = "../support/mod.rs"]
mod support;

mod callbacks;
mod codings;
mod content;
mod cookies;
mod errors;
mod forbidden;
mod head;
mod kept;
mod leads;
mod politeness;
mod proxy;
mod redirects;
mod request;
mod retries;
mod streams;
