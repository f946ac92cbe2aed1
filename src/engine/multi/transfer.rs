//! One transfer: the intake of what arrives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use curl::easy::{Handler, InfoType, ReadError, WriteError};
use curl::multi::Easy2Handle;

use super::ask::check;
use super::watch::Watch;
use crate::engine::{Flow, Receive, SHARE, SHARE_BYTES};
use crate::headers::Headers;
use crate::process::memory;

/// Trailers mean nothing to us, but curl keeps them: 5,000 of 4 KB, where it takes a head of 300 KB.
const MAX_TRAILERS: usize = 300 << 10;

/// What curl calls while a transfer runs.
pub(super) struct Transfer<R> {
    /// Present while a transfer runs.
    pub receiver: Option<R>,
    pub headers: Headers,
    pub status: u16,
    /// The head is over: later header lines are trailers, which nobody asked for.
    pub body_began: bool,
    /// The answer is HTTP/1.x.
    pub is_http1: bool,
    /// The receiver wanted no more: curl's error about that does not count.
    pub stopped: bool,
    /// The number of bytes of trailers that came.
    pub trailers: usize,
    /// The number of bytes of the body that came, as they were sent.
    pub received: u64,
    /// A fault in the head, or behind the body, that curl tolerates.
    pub malformed: Option<String>,
    /// What no memory was left for.
    pub lacking: Option<&'static str>,
    /// A receiver panicked. The `curl` crate would catch that too, but tell nobody afterwards.
    pub panicked: bool,
    pub share: Share,
    pub watch: Rc<Watch>,
}

/// How much of the shard's turn a transfer has used.
#[derive(Default)]
pub(super) struct Share {
    /// The transfer's number in its engine.
    pub key: usize,
    /// The turn that this share belongs to.
    pub turn: u64,
    pub time: Duration,
    pub bytes: usize,
    /// How many bytes were taken of those that curl gives again after a pause.
    pub taken: usize,
}

impl Share {
    fn is_used_up(&self) -> bool {
        self.time >= SHARE || self.bytes >= SHARE_BYTES
    }
}

impl<R> Transfer<R> {
    /// One that has met nothing yet.
    pub fn new(watch: Rc<Watch>) -> Self {
        Self {
            receiver: None,
            headers: Headers::default(),
            status: 0,
            body_began: false,
            is_http1: false,
            stopped: false,
            trailers: 0,
            received: 0,
            malformed: None,
            lacking: None,
            panicked: false,
            share: Share::default(),
            watch,
        }
    }
}

impl<R: Receive> Transfer<R> {
    /// Whether the final answer began, not only an interim one (1xx).
    pub fn has_answer(&self) -> bool {
        self.status >= 200
    }

    /// Takes the status and headers of the answer, as far as they came.
    pub fn take_answer(&mut self) -> (u16, Headers) {
        let headers = std::mem::take(&mut self.headers);
        match self.has_answer() {
            // Others need the memory that the headers hold.
            true if self.lacking.is_some() => (self.status, Headers::default()),
            true => (self.status, headers),
            false => Default::default(),
        }
    }

    fn begin_body(&mut self) -> Flow {
        self.body_began = true;
        let (status, headers) = (self.status, &self.headers);
        let Some(receiver) = &mut self.receiver else {
            return Flow::Stop;
        };
        let flow = catch_unwind(AssertUnwindSafe(|| receiver.head(status, headers)));
        self.after(flow)
    }

    /// Pauses the transfer, unless it is paused already. False: nothing was done.
    pub fn pause(&self, easy: &Easy2Handle<Self>) -> bool {
        let pause = || {
            // SAFETY: the handle is live, and no callback of its transfer runs.
            check(unsafe { curl_sys::curl_easy_pause(easy.raw(), curl_sys::CURLPAUSE_RECV) })
        };
        let pauses = !self.watch.paused.get() && pause().is_ok();
        if pauses {
            self.watch.paused.set(true);
        }
        pauses
    }

    /// The transfer has ended and no longer uses its connection.
    pub fn leave(&self) {
        self.watch.leave();
    }

    /// Whether it was paused; this ends the pause.
    pub fn was_paused(&self) -> bool {
        self.watch.paused.replace(false)
    }

    /// Takes in as much of what came as this turn's share allows. Returns how much that was, and
    /// whether there is more to do.
    fn take_share(&mut self, data: &[u8]) -> (usize, Flow) {
        let turn = self.watch.shared.turn.load(Ordering::Relaxed);
        if self.share.turn != turn {
            self.share.turn = turn;
            self.share.time = Duration::ZERO;
            self.share.bytes = 0;
        }
        let is_costly = self.receiver.as_ref().is_some_and(R::is_costly);
        let before = self.share.time;
        // Cheap data is counted in bytes alone, which saves two looks at the clock.
        let began = is_costly.then(Instant::now);
        let mut rest = data;
        let mut flow = Flow::More;
        while flow == Flow::More && !self.share.is_used_up() {
            let left = rest.len();
            flow = self.take_in(&mut rest);
            self.share.bytes += left - rest.len();
            if let Some(began) = began {
                self.share.time = before + began.elapsed();
            }
        }
        let taken = data.len() - rest.len();
        self.received += taken as u64;
        (taken, flow)
    }

    fn take_in(&mut self, data: &mut &[u8]) -> Flow {
        let Some(receiver) = &mut self.receiver else {
            return Flow::Stop;
        };
        if memory::is_out() {
            self.lacking = Some("the body");
            return Flow::Stop;
        }
        let flow = catch_unwind(AssertUnwindSafe(|| receiver.data(data)));
        self.after(flow)
    }

    fn after(&mut self, flow: std::thread::Result<Flow>) -> Flow {
        flow.unwrap_or_else(|_| {
            self.panicked = true;
            Flow::Stop
        })
    }
}

impl<R: Receive> Handler for Transfer<R> {
    fn header(&mut self, line: &[u8]) -> bool {
        if self.body_began {
            self.trailers += line.len();
            let fits = self.trailers <= MAX_TRAILERS;
            if !fits {
                let what =
                    format!("more than {MAX_TRAILERS} bytes of trailers came behind the body");
                self.malformed = Some(what);
            }
            return fits;
        }
        // curl ignores case here too.
        if line
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"HTTP/"))
        {
            if self.status == 0 && self.watch.is_early() {
                self.watch.early.set(true);
                return false;
            }
            // Each answer starts anew, because interim ones (1xx) come before the one that counts.
            self.headers.clear();
            self.is_http1 = line.get(5..7) == Some(b"1.");
            match status_of(line) {
                // HTTP ends here: curl would wait for an answer behind it.
                Some(101) => {
                    let what = "the answer is 101 (Switching Protocols), which was not asked for";
                    self.malformed = Some(what.to_owned());
                    return false;
                }
                Some(status) => self.status = status,
                None => {
                    let line = String::from_utf8_lossy(line.trim_ascii());
                    let what = format!("the answer starts with {line:?}, which is no status line");
                    self.malformed = Some(what);
                    return false;
                }
            }
        } else if let Some(b'\r' | b'\n') = line.first() {
            // curl ends a head by the same rule.
            if self.has_answer() {
                match self.begin_body() {
                    Flow::Continue | Flow::More => {}
                    Flow::Hurry => self.watch.hurry(true),
                    Flow::Stop => {
                        self.stopped = true;
                        return false;
                    }
                }
            }
        } else if memory::is_out() || !self.headers.make_room(line) {
            self.lacking = Some("the headers");
            return false;
        } else {
            self.headers.push(line);
        }
        true
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        // After a pause curl gives the same bytes again, together with newer ones.
        let Some(new) = data.get(self.share.taken..) else {
            self.share.taken -= data.len();
            return Ok(data.len());
        };
        let (taken, flow) = self.take_share(new);
        match flow {
            Flow::Stop => {
                self.stopped = true;
                Ok(0)
            }
            Flow::More => {
                self.share.taken += taken;
                self.watch.paused.set(true);
                self.watch.shared.paused().push(self.share.key);
                Err(WriteError::Pause)
            }
            Flow::Continue | Flow::Hurry => {
                self.share.taken = 0;
                Ok(data.len())
            }
        }
    }

    fn debug(&mut self, kind: InfoType, data: &[u8]) {
        if let InfoType::Text = kind {
            self.watch.hear(data);
        }
    }

    fn read(&mut self, _: &mut [u8]) -> Result<usize, ReadError> {
        // curl gets bodies whole.
        Ok(0)
    }
}

/// The status of a status line (RFC 9112, section 4): three digits.
fn status_of(line: &[u8]) -> Option<u16> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = &line[space + 1..] else {
        return None;
    };
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
    let digits = [a, b, c].map(|digit| u16::from(digit - b'0'));
    ends.then_some(digits[0] * 100 + digits[1] * 10 + digits[2])
}
