//! What undoes a coding, a step at a time.

use std::io;

/// Undoes a coding step by step.
pub(super) trait Decoder {
    /// Takes bytes and makes others.
    fn step(&mut self, from: &[u8], to: &mut [u8]) -> Step;
    /// Whether the coding ended as it should, when nothing follows what was taken and nothing is left
    /// to make. An error: the data is incomplete.
    fn end(&mut self) -> io::Result<bool>;
}

/// The outcome of a step.
pub(super) struct Step {
    /// The number of bytes taken.
    pub taken: usize,
    /// The number of bytes made.
    pub made: usize,
    /// Whether what was taken may yield more. An error: what follows the bytes made is not in the
    /// coding.
    pub outcome: io::Result<bool>,
}

impl Step {
    pub fn of(taken: usize, made: usize, outcome: io::Result<bool>) -> Self {
        Self {
            taken,
            made,
            outcome,
        }
    }
}

pub(super) fn breaks_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it breaks off")
}
