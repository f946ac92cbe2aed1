//! A decoder on a thread of its own, for a coding whose steps may take longer than a shard can wait.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::decoder::{Decoder, Step, breaks_off};

/// How long the shard's decoders together wait for their threads in a turn: as long as a transfer's
/// share of it.
const WAIT: Duration = crate::engine::SHARE;
/// How many bytes wait for the thread while it has others. One exchange for many costs less.
const AHEAD: usize = 16 << 10;

/// The system has no thread left.
pub(super) const NO_THREAD: io::ErrorKind = io::ErrorKind::ResourceBusy;

thread_local! {
    /// Held in each step of a decoder that belongs to this shard. However many bodies it has, they take
    /// no more of the machine together than one.
    static TURN: Arc<Mutex<()>> = Arc::default();
}

/// Hands bytes to a decoder on another thread, and gives out what it makes of them. The decoder is asked
/// for its `end` after each exchange, which must change nothing in it.
pub(super) struct Aside {
    /// Its end ends the thread, after the step that it is in.
    to_thread: Sender<Vec<u8>>,
    from_thread: Receiver<Made>,
    /// Taken only when the thread has panicked.
    thread: Option<JoinHandle<()>>,
    /// The bytes that are taken and not handed over yet.
    waiting: Vec<u8>,
    /// The thread has bytes whose last has not been answered.
    is_busy: bool,
    made: Made,
    /// How much of what was made is given out.
    given: usize,
}

/// What the thread made of the bytes that it was handed.
struct Made {
    bytes: Vec<u8>,
    /// Whether more of them follows. An error: what follows is not in the coding.
    outcome: io::Result<bool>,
    /// The decoder's answer if nothing follows.
    end: io::Result<bool>,
}

impl Aside {
    /// `room`: the most that the thread makes at once. An error: there is no thread left.
    pub fn new<D: Decoder + 'static>(room: usize, decoder: fn() -> D) -> io::Result<Self> {
        let (to_thread, bytes) = channel();
        // What is made and not given out yet is one of these, beside the one in the making.
        let (made, from_thread) = sync_channel(0);
        let thread = Builder::new().name("rouet-decoder".to_owned());
        let turn = TURN.with(Arc::clone);
        let thread = thread.spawn(move || work(room, decoder(), &turn, &bytes, &made));
        Ok(Self {
            to_thread,
            from_thread,
            thread: Some(thread.map_err(|_| NO_THREAD)?),
            waiting: Vec::new(),
            is_busy: false,
            made: Made {
                bytes: Vec::new(),
                outcome: Ok(false),
                end: Err(breaks_off()),
            },
            given: 0,
        })
    }

    /// Keeps bytes for the thread, and hands them over if it has none. Returns how many were taken.
    fn hand_over(&mut self, from: &[u8]) -> io::Result<usize> {
        let taken = from.len().min(AHEAD - self.waiting.len());
        let reserved = self.waiting.try_reserve(taken);
        reserved.map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.waiting.extend_from_slice(&from[..taken]);
        if !self.is_busy && !self.waiting.is_empty() {
            // If the thread is gone, that is seen when nothing comes from it.
            let _ = self.to_thread.send(std::mem::take(&mut self.waiting));
            self.is_busy = true;
        }
        Ok(taken)
    }

    /// Takes what the thread made, if it comes in that time.
    fn receive(&mut self, within: Duration) {
        match self.from_thread.recv_timeout(within) {
            Ok(made) => {
                self.is_busy = matches!(made.outcome, Ok(true));
                self.made = made;
                self.given = 0;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let ended = self.thread.take().map(JoinHandle::join);
                resume_unwind(match ended {
                    Some(Err(panic)) => panic,
                    _ => Box::new("a decoder's thread is gone"),
                });
            }
        }
    }
}

impl Decoder for Aside {
    fn step(&mut self, from: &[u8], to: &mut [u8]) -> Step {
        let taken = match self.hand_over(from) {
            Ok(taken) => taken,
            Err(error) => return Step::of(0, 0, Err(error)),
        };
        if self.is_busy && self.given == self.made.bytes.len() {
            // While more can be taken there is no need to wait.
            let others = TURN.with(Arc::strong_count).max(2) - 1;
            self.receive(if taken > 0 {
                Duration::ZERO
            } else {
                WAIT / others as u32
            });
        }
        let left = &self.made.bytes[self.given..];
        let count = left.len().min(to.len());
        to[..count].copy_from_slice(&left[..count]);
        self.given += count;
        let is_all = self.given == self.made.bytes.len();
        let outcome = match &mut self.made.outcome {
            Err(_) if is_all => std::mem::replace(&mut self.made.outcome, Ok(false)),
            _ => Ok(!is_all || self.is_busy || !self.waiting.is_empty()),
        };
        Step::of(taken, count, outcome)
    }

    fn end(&mut self) -> io::Result<bool> {
        std::mem::replace(&mut self.made.end, Ok(false))
    }
}

/// Decodes what comes until nothing can come, or nobody takes it.
fn work(
    room: usize,
    mut decoder: impl Decoder,
    turn: &Mutex<()>,
    bytes: &Receiver<Vec<u8>>,
    to: &SyncSender<Made>,
) {
    for bytes in bytes {
        let mut from = &bytes[..];
        let mut goes_on = true;
        while goes_on {
            let mut made = Vec::new();
            let step = match made.try_reserve_exact(room) {
                Ok(()) => {
                    made.resize(room, 0);
                    let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                    decoder.step(from, &mut made)
                }
                Err(_) => Step::of(0, 0, Err(io::ErrorKind::OutOfMemory.into())),
            };
            from = &from[step.taken..];
            made.truncate(step.made);
            let outcome = step.outcome.map(|more| more || !from.is_empty());
            goes_on = matches!(outcome, Ok(true));
            let end = match goes_on {
                true => Ok(false),
                false => decoder.end(),
            };
            let made = Made {
                bytes: made,
                outcome,
                end,
            };
            if to.send(made).is_err() {
                return;
            }
        }
    }
}
