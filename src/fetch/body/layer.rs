//! One coding over a body: whether it is there at all, and undoing it step by step.

use std::io;
use std::ops::Range;

use super::coding::{Coding, START};
use super::decoder::{Decoder, Step};
use super::inflate::WINDOW;

/// The most that a step takes. It may be nothing but beginnings and ends, which cost far more than
/// their size suggests.
const PIECE: usize = 256;
/// The most that a step makes.
pub(super) const ROOM: usize = WINDOW;

/// A coding that is said to be there. If the first bytes are not in it, they pass as they are, because
/// servers say gzip of what they left plain.
pub(super) struct Layer {
    coding: Coding,
    /// `None`: it is not known yet whether the coding is there.
    decoder: Option<Box<dyn Decoder>>,
    /// The first bytes, which tell that, until they are used.
    start: Vec<u8>,
    /// What the last step made, and which part of it is not used yet.
    room: Box<[u8]>,
    made: Range<usize>,
    /// What was taken may yield more.
    goes_on: bool,
    /// Nothing more is made. Whether the coding ended as it should, or what is wrong.
    end: Option<io::Result<bool>>,
}

impl Layer {
    /// `room`: the most that a step makes.
    pub fn new(coding: Coding, room: usize) -> Self {
        Self {
            coding,
            decoder: None,
            start: Vec::new(),
            room: vec![0; room].into(),
            made: 0..0,
            goes_on: false,
            end: None,
        }
    }

    /// The bytes that were made and are not used yet.
    pub fn made(&self) -> &[u8] {
        &self.room[self.made.clone()]
    }

    pub fn use_up(&mut self, count: usize) {
        self.made.start += count;
    }

    /// Whether what was made includes the end.
    pub fn has_ended(&self) -> bool {
        matches!(self.end, Some(Ok(_)))
    }

    /// Whether it ended as it should.
    pub fn is_whole(&self) -> bool {
        matches!(self.end, Some(Ok(true)))
    }

    /// What is wrong with it; told once.
    pub fn mistake(&mut self) -> Option<io::Error> {
        self.end.take_if(|end| end.is_err())?.err()
    }

    /// Whether it can take a step. `is_fed`: there is something to take, or nothing will come.
    pub fn can_go_on(&self, is_fed: bool) -> bool {
        self.end.is_none() && self.made.is_empty() && (self.goes_on || is_fed)
    }

    /// Takes a step: makes something of what was taken before, or of the first of these bytes. Returns
    /// how many of them were taken. `is_end`: nothing comes behind them.
    pub fn step(&mut self, from: &[u8], is_end: bool) -> usize {
        let Some(decoder) = &mut self.decoder else {
            return self.settle(from, is_end);
        };
        let of_start = !self.start.is_empty();
        let from = if of_start { &self.start } else { from };
        let from = &from[..from.len().min(PIECE)];
        if from.is_empty() && !self.goes_on {
            self.end = Some(decoder.end());
            return 0;
        }
        let Step {
            taken,
            made,
            outcome,
        } = decoder.step(from, &mut self.room);
        if of_start {
            self.start.drain(..taken);
        }
        self.made = 0..made;
        match outcome {
            Ok(goes_on) => self.goes_on = goes_on || !self.start.is_empty(),
            Err(mistake) => self.end = Some(Err(mistake)),
        }
        if of_start { 0 } else { taken }
    }

    /// Takes bytes until it is clear what they are. That verdict must not depend on where the network
    /// cut them; it is based on a fixed number at most.
    fn settle(&mut self, from: &[u8], is_end: bool) -> usize {
        let taken = from.len().min(START - self.start.len());
        self.start.extend_from_slice(&from[..taken]);
        let is_end = is_end && taken == from.len();
        if is_end && self.start.is_empty() {
            // An empty body is in any coding.
            self.end = Some(Ok(true));
        } else if let Some(is_coded) = self.coding.is_of(&self.start, is_end) {
            let decoder = match is_coded {
                true => self.coding.decoder(&self.start),
                false => Ok(Box::new(Plain) as _),
            };
            self.goes_on = true;
            match decoder {
                Ok(decoder) => self.decoder = Some(decoder),
                Err(mistake) => self.end = Some(Err(mistake)),
            }
        }
        taken
    }
}

/// Data that is in no coding, whatever it is said to be in.
struct Plain;

impl Decoder for Plain {
    fn step(&mut self, from: &[u8], to: &mut [u8]) -> Step {
        let count = from.len().min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        Step::of(count, count, Ok(false))
    }

    fn end(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}
