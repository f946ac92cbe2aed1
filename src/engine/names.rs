//! Looks up host names: the system's resolver on threads of its own, and a cache over it.
//!
//! curl could do it, but would not say why a look-up failed. Only that reason tells a host that does
//! not exist from a resolver that fails for now.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType};
use futures_channel::oneshot;
use tokio::runtime::{Builder, Handle};

use super::Hop;
use crate::address::shown;
use crate::error::{ErrorCode, Failure};
use crate::process::descriptors;

/// How long an answer holds. The system's resolver does not tell the record's own time to live; curl
/// uses a minute too.
const KEEP: Duration = Duration::from_secs(60);
/// How long a passing failure holds: long enough to answer the jobs that wait for it.
const KEEP_TEMPORARY: Duration = Duration::from_secs(1);
/// The most look-ups at once. The system's resolver blocks a thread for each.
const THREADS: usize = 64;
/// How long the end of a pool waits for look-ups under way.
const PATIENCE: Duration = Duration::from_millis(50);
/// The cache is swept when it has doubled since the last sweep and holds at least this many.
const SWEEP_AT: usize = 4096;

type Answer = Result<Arc<[IpAddr]>, Failure>;

/// The names a pool has looked up.
pub(crate) struct Names {
    cache: Arc<Mutex<Cache>>,
    /// Started by the first look-up, because many pools never need it.
    runtime: Mutex<Option<Runtime>>,
    lookups: AtomicU64,
}

/// What the look-ups run on.
struct Runtime {
    handle: Handle,
    /// Runs until the sender is dropped.
    thread: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

struct Cache {
    entries: HashMap<Box<str>, Entry>,
    sweep_at: usize,
}

enum Entry {
    Known {
        answer: Answer,
        until: Instant,
    },
    /// The look-up is under way, and these wait for it.
    Pending(Vec<oneshot::Sender<Answer>>),
}

impl Names {
    pub fn new() -> Self {
        Self {
            cache: Arc::new(Mutex::new(Cache {
                entries: HashMap::new(),
                sweep_at: SWEEP_AT,
            })),
            runtime: Mutex::new(None),
            lookups: AtomicU64::new(0),
        }
    }

    /// The number of look-ups made.
    pub fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }

    /// The addresses of a host name, looked up once however many ask.
    pub async fn lookup(&self, host: &str, timeout: Duration) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let first = match lock(&self.cache).ask(host, sender) {
            Asked::Known(answer) => return answer,
            Asked::First => true,
            Asked::Joined => false,
        };
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(failure) => {
                lock(&self.cache).settle(host.into(), Err(failure.clone()), KEEP_TEMPORARY);
                return Err(failure);
            }
        };
        if first {
            self.lookups.fetch_add(1, Ordering::Relaxed);
            let cache = Arc::clone(&self.cache);
            let name: Box<str> = host.into();
            let look_up = move || {
                let (answer, keep) = catch_unwind(|| look_up(&name)).unwrap_or_else(|_| {
                    let message = format!("the library panicked over the look-up of {name}");
                    let failure = Failure::new(ErrorCode::InternalError, message);
                    (Err(failure), KEEP_TEMPORARY)
                });
                lock(&cache).settle(name, answer, keep);
            };
            // tokio panics if it has no thread for the task and can't get one.
            let started = catch_unwind(AssertUnwindSafe(|| runtime.spawn_blocking(look_up)));
            if started.is_err() {
                let failure = no_thread(&io::Error::from_raw_os_error(libc::EAGAIN));
                lock(&self.cache).settle(host.into(), Err(failure), KEEP_TEMPORARY);
            }
        }
        // tokio's clock is used, because the end of the look-up then wakes the shard in every case.
        let timed = runtime.spawn(async move { tokio::time::timeout(timeout, receiver).await });
        match timed.await {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Err(_)) => Err(Failure::new(
                ErrorCode::NameResolutionFailure,
                format!(
                    "looking up {host} took more than {} s",
                    timeout.as_secs_f64()
                ),
            )),
            _ => Err(Failure::new(
                ErrorCode::InternalError,
                format!("the look-up of {host} was broken off"),
            )),
        }
    }

    /// The addresses of a name that a hop needs, within the time it has to connect.
    pub async fn lookup_for(&self, hop: &Hop<'_>, host: &str) -> Answer {
        self.lookup(host, hop.patience())
            .await
            .map_err(|failure| Failure {
                message: format!("{}: {}", shown(hop.url.as_str()), failure.message),
                ..failure
            })
    }

    /// Ends the threads. A thread that the system's resolver keeps busy can't be interrupted, and ends
    /// by itself later.
    pub fn stop(&self) {
        if let Some(runtime) = lock(&self.runtime).take() {
            drop(runtime.end);
            let _ = runtime.thread.join();
        }
    }

    fn runtime(&self) -> Result<Handle, Failure> {
        let mut runtime = lock(&self.runtime);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle.clone());
        }
        let start = || {
            // The runtime needs a thread of ours: if it got none for its own, tokio would panic and
            // leak its memory.
            let tokio = Builder::new_current_thread()
                .max_blocking_threads(THREADS)
                .thread_name("rouet-names")
                .enable_time()
                .build()?;
            let handle = tokio.handle().clone();
            let (end, ended) = oneshot::channel::<()>();
            let work = move || {
                let _ = tokio.block_on(ended);
                tokio.shutdown_timeout(PATIENCE);
            };
            let thread = thread::Builder::new()
                .name("rouet-names".to_owned())
                .spawn(work)?;
            Ok(Runtime {
                handle,
                thread,
                end,
            })
        };
        let started = start().map_err(|error| no_thread(&error))?;
        Ok(runtime.insert(started).handle.clone())
    }
}

fn no_thread(error: &io::Error) -> Failure {
    let message = format!("no thread to look up names on: {error}");
    Failure::new(ErrorCode::InternalError, message)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Asked {
    Known(Answer),
    /// The caller must start the look-up.
    First,
    /// The look-up is under way.
    Joined,
}

impl Cache {
    /// Gives an answer that holds, or queues `sender` for the look-up's answer.
    fn ask(&mut self, host: &str, sender: oneshot::Sender<Answer>) -> Asked {
        match self.entries.get_mut(host) {
            Some(Entry::Known { answer, until }) if Instant::now() < *until => {
                Asked::Known(answer.clone())
            }
            Some(Entry::Pending(waiting)) => {
                waiting.push(sender);
                Asked::Joined
            }
            _ => {
                self.sweep();
                self.entries
                    .insert(host.into(), Entry::Pending(vec![sender]));
                Asked::First
            }
        }
    }

    fn settle(&mut self, host: Box<str>, answer: Answer, keep: Duration) {
        let known = Entry::Known {
            answer: answer.clone(),
            until: Instant::now() + keep,
        };
        if let Some(Entry::Pending(waiting)) = self.entries.insert(host, known) {
            for sender in waiting {
                // A receiver that no longer waits was cancelled.
                let _ = sender.send(answer.clone());
            }
        }
    }

    fn sweep(&mut self) {
        if self.entries.len() < self.sweep_at {
            return;
        }
        let now = Instant::now();
        self.entries
            .retain(|_, entry| !matches!(entry, Entry::Known { until, .. } if *until <= now));
        self.sweep_at = SWEEP_AT.max(2 * self.entries.len());
    }
}

/// Asks the system's resolver, and returns how long the answer holds.
fn look_up(host: &str) -> (Answer, Duration) {
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).map(|entries| {
        entries
            .filter_map(Result::ok)
            .map(|entry| entry.sockaddr.ip())
    });
    let (code, why, keep) = match found {
        Ok(addresses) => {
            let mut unique = Vec::new();
            for address in addresses {
                if !unique.contains(&address) {
                    unique.push(address);
                }
            }
            if !unique.is_empty() {
                return (Ok(unique.into()), KEEP);
            }
            let code = ErrorCode::NoAddressAssociatedWithHostname;
            (code, "it has no address".into(), KEEP)
        }
        // The lack of a descriptor explains whatever the resolver said.
        Err(_) if no_descriptor_is_left() => {
            let why = format!("no descriptor is left: {}", descriptors::MORE);
            (ErrorCode::NameResolutionFailure, why, KEEP_TEMPORARY)
        }
        Err(error) => {
            let (code, keep) = match error.kind() {
                LookupErrorKind::NoName => (ErrorCode::UnknownHost, KEEP),
                LookupErrorKind::NoData => (ErrorCode::NoAddressAssociatedWithHostname, KEEP),
                _ => (ErrorCode::NameResolutionFailure, KEEP_TEMPORARY),
            };
            (code, io::Error::from(error).to_string(), keep)
        }
    };
    let message = format!("looking up {host}: {why}");
    (Err(Failure::new(code, message)), keep)
}

fn no_descriptor_is_left() -> bool {
    let error = File::open("/dev/null").err();
    let errno = error.and_then(|error| error.raw_os_error());
    errno.is_some_and(descriptors::are_out)
}
