//! The local web site rouet's tests and demo download from. It listens on 127.0.0.1 only.
//!
//! [`Site`] is a decent HTTP/1.1 and HTTP/2 server with a log of what it was asked; [`Faults`] is
//! an indecent one, that closes, resets, lies and stalls. The routes of each are listed where they
//! are written: `routes.rs` and `faults.rs`.
//!
//! ```
//! use rouet_site::{Options, Site, gaps};
//!
//! let site = Site::start(Options::default())?;
//! println!("{}", site.url("/page/1"));
//! // ... have it downloaded ...
//! println!("{:?}", gaps(&site.log()).smallest);
//! # Ok::<(), std::io::Error>(())
//! ```

mod body;
mod faults;
mod log;
mod net;
mod pages;
mod query;
mod report;
mod rng;
mod routes;
mod samples;
mod site;
mod tls;
mod urls;
mod words;

pub use faults::{Faults, Late};
pub use log::{Entry, Gaps, gaps, gaps_between};
pub use pages::{Fate, Kind, Page, fate, kind, page, partner};
pub use report::Report;
pub use samples::{known_text, pattern};
pub use site::{Options, Site};
pub use urls::urls;
