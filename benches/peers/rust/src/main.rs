//! What `examples/c/throughput.c` does, with Rust's clients.
//!
//!     peers PEER N CONCURRENCY URL
//!
//! Each at its best: one thread of ours, CONCURRENCY connections that are kept, as many tasks.
//! PEER is `hyper`, which is hyper by itself, a task a connection; `hyper-util`, its client with a
//! pool; `hyper-util-threads`, the same on tokio with a thread a core; `reqwest`; or `isahc`.

mod hyper;
mod hyper_util;
mod isahc;
mod reqwest;

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

/// The size of the page.
const LENGTH: usize = 1024;

/// Of a request, as all peers have it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A request's worth of work, or why it failed.
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

struct Run {
    number: usize,
    concurrency: usize,
    url: String,
    started: AtomicUsize,
    errors: AtomicUsize,
}

impl Run {
    /// Does `request` until enough were started, in one of the tasks.
    async fn task<Request: Future<Output = Outcome>>(&self, mut request: impl FnMut() -> Request) {
        while self.start() {
            self.ended(request().await);
        }
    }

    /// As many tasks as there are to be, each over `request`.
    async fn tasks<Request: Future<Output = Outcome>>(&self, request: impl Fn() -> Request) {
        join_all((0..self.concurrency).map(|_| self.task(&request))).await;
    }

    fn start(&self) -> bool {
        self.started.fetch_add(1, Relaxed) < self.number
    }

    fn ended(&self, outcome: Outcome) {
        if let Err(error) = outcome
            && self.errors.fetch_add(1, Relaxed) == 0
        {
            eprintln!("peers: {error}");
        }
    }
}

fn check(status: impl PartialEq<u16> + Display, length: usize) -> Outcome {
    match length {
        _ if status != 200 => Err(format!("status {status}").into()),
        LENGTH => Ok(()),
        _ => Err(format!("{length} bytes").into()),
    }
}

/// User and system time of all threads, in seconds.
fn cpu() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the pointer is to room for one, which getrusage fills.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || {
        eprintln!("Usage: peers PEER N CONCURRENCY URL");
        ExitCode::from(2)
    };
    let [peer, number, concurrency, url] = arguments.as_slice() else {
        return usage();
    };
    let (Ok(number), Ok(concurrency)) = (number.parse(), concurrency.parse()) else {
        return usage();
    };
    let run = Arc::new(Run {
        number,
        concurrency,
        url: url.clone(),
        started: AtomicUsize::new(0),
        errors: AtomicUsize::new(0),
    });
    let (start, before) = (Instant::now(), cpu());
    let outcome = match peer.as_str() {
        "hyper" => hyper::all(&run),
        "hyper-util" => hyper_util::all(&run),
        "hyper-util-threads" => hyper_util::on_all_cores(run.clone()),
        "reqwest" => reqwest::all(&run),
        "isahc" => isahc::all(&run),
        _ => return usage(),
    };
    if let Err(error) = outcome {
        eprintln!("peers: {peer}: {error}");
        return ExitCode::FAILURE;
    }
    let (wall, used) = (start.elapsed().as_secs_f64(), cpu() - before);
    let (count, errors) = (number as f64, run.errors.load(Relaxed));
    println!(
        "{number} requests, {errors} errors, {wall:.3} s, {:.0} requests/s, {:.2} CPU us/request",
        count / wall,
        used * 1e6 / count
    );
    ExitCode::from(u8::from(errors > 0))
}

/// tokio on this thread alone.
fn block_on(all: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(all)
}
