//! Reads bytes: what a body is, its encoding, its links, and where a page leads on to. Pure: bytes in,
//! decisions out. Any bytes will do, and the work is linear in their number.

#![forbid(unsafe_code)]

mod elements;
mod encoding;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hints;
mod js;
mod links;
mod media;
mod mime;
mod refresh;
mod srcset;
mod tags;

pub use elements::Element;
pub(crate) use elements::elements;
pub(crate) use encoding::{decode, decode_start, detect, detect_start, for_label, name};
pub(crate) use hints::{Hints, hints};
pub(crate) use links::links;
pub(crate) use media::{Head, Media, could_be_html, is_html, mimetype, syntax};
pub(crate) use mime::{ContentType, filename};
pub(crate) use refresh::refresh;
pub(crate) use tags::Syntax;
