//! Sizes, offsets, field types, constants and signatures of `src/lib.rs` are those of the header.
//! Signatures and field types are compared when the C side is compiled, the rest when this runs.

#![allow(warnings, clippy::all)]

// For its symbols.
use rouet as _;

use libc::*;
use rouet_header::*;

include!(concat!(env!("OUT_DIR"), "/all.rs"));
