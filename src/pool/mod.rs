//! Where the rooms meet: shards, streams, wake-ups, shutdown.

#![forbid(unsafe_code)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use crate::address::{self, Limits};
use crate::engine::Names;
use crate::error::{Error, Failure};
use crate::fetch::Heads;
use crate::job::JobResult;
use crate::plan::Plans;
use crate::process::{descriptors, fork};
use crate::schedule::{Rule, StreamId};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex};
use callbacks::Callbacks;
use inbox::{Inbox, Message};
use log::Log;
use shard::{Shard, caught};
use workers::Workers;

mod attempts;
mod callbacks;
mod inbox;
mod log;
#[cfg(all(test, engine = "pretend"))]
mod models;
mod shard;
mod stream;
#[cfg(test)]
mod tests;
mod workers;

pub use log::{Level, LogFn};
#[cfg(feature = "capi")]
pub(crate) use stream::Until;
pub use stream::{Callback, Next, Results, Stream, StreamConfig, StreamStats, Submit};

/// Workers a core when the configuration leaves it open.
const WORKERS_A_CORE: u32 = 64;
/// The most threads a pool may be asked for.
const MAX_THREADS: u32 = 256;
/// Descriptors left to the rest of the process: files, a log, event descriptors.
const SPARE_DESCRIPTORS: u64 = 64;
/// Descriptors a shard has beside its connections: its poller's, curl's.
const DESCRIPTORS_A_SHARD: u64 = 6;

/// Says how long a group waits, from the end of a job on, before its next one starts, given what
/// came of that job; `None`: as the pool's rule says.
pub type ThrottleFn = Arc<dyn Fn(&str, &JobResult) -> Option<Duration> + Send + Sync>;

/// Says how many jobs of a group may be in flight; 0 counts as 1.
pub type ParallelismFn = Arc<dyn Fn(&str) -> u32 + Send + Sync>;

/// How a pool is set up.
#[derive(Clone)]
pub struct PoolConfig {
    /// Transfers at once, over all streams; 0 (default): 64 a core, within the process's limit of
    /// descriptors.
    pub max_workers: u32,
    /// Threads that run transfers, 256 at most; 0 (default): one a core. Never more than
    /// `max_workers`.
    pub threads: u32,
    /// The rule of groups that have none of their own. Default: 0.2 s, one at a time.
    pub rule: Rule,
    /// Asked at the end of each attempt at a job how long its group waits, unless the group has a
    /// rule of its own; a server's `Retry-After` can be heeded so. What it says holds until the
    /// next end, or until the group has had nothing to do for that long. It runs on the thread
    /// that does the group's transfers: it must be quick, and must not wait for the pool. Default
    /// none.
    pub throttle_fn: Option<ThrottleFn>,
    /// Asked when a group gets a job that has none and whose throttle has run out how many may be
    /// in flight, unless it has a rule of its own. It runs where `throttle_fn` does. Default none.
    pub parallelism_fn: Option<ParallelismFn>,
    /// Whether jobs that lead to an address that is no public server's end in
    /// [`forbidden-address`](crate::ErrorCode::ForbiddenAddress): loopback, private and link-local
    /// networks, multicast, the metadata of clouds, all that IANA has set apart, and the addresses of
    /// IPv6 that carry one of these (IPv4-mapped, NAT64, 6to4, Teredo).
    ///
    /// This and the fields below hold for the address that is connected to, on every hop,
    /// after the name was looked up, whatever named it: a URL, a redirection, `dns`,
    /// `connect_to`. A *proxy* is free of them, being the caller's choice. Of what it is asked for,
    /// scheme, port and addresses are held to them, but names only with `socks5://`, as the others
    /// look names up themselves. Default no.
    pub deny_private_addresses: bool,
    /// Networks that are forbidden, as `10.0.0.0/8`, `fc00::/7`, or an address; 10,000 at most. A
    /// NAT64 prefix of one's own belongs here. `0.0.0.0` and `::` are judged as `127.0.0.1` and
    /// `::1`, where Linux connects them to. Default none.
    pub deny_networks: Vec<String>,
    /// Networks that are not forbidden, whatever the two fields above say; 10,000 at most. Refused
    /// when neither forbids any. Default none.
    pub allow_networks: Vec<String>,
    /// The only ports that may be connected to. Default any.
    pub allowed_ports: Vec<u16>,
    /// Whether only `https` URLs are asked for, redirections included. Default no.
    pub https_only: bool,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_workers: 0,
            threads: 0,
            rule: Rule {
                throttle: Duration::from_millis(200),
                parallelism: 1,
            },
            throttle_fn: None,
            parallelism_fn: None,
            deny_private_addresses: false,
            deny_networks: Vec::new(),
            allow_networks: Vec::new(),
            allowed_ports: Vec::new(),
            https_only: false,
        }
    }
}

impl std::fmt::Debug for PoolConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolConfig")
            .field("max_workers", &self.max_workers)
            .field("threads", &self.threads)
            .field("rule", &self.rule)
            .field("throttle_fn", &self.throttle_fn.is_some())
            .field("parallelism_fn", &self.parallelism_fn.is_some())
            .field("deny_private_addresses", &self.deny_private_addresses)
            .field("deny_networks", &self.deny_networks)
            .field("allow_networks", &self.allow_networks)
            .field("allowed_ports", &self.allowed_ports)
            .field("https_only", &self.https_only)
            .finish()
    }
}

impl PoolConfig {
    /// The first field that is neither the default nor what `other` has; functions can't be told
    /// to be the same.
    #[cfg(feature = "capi")]
    pub(crate) fn conflict(&self, other: &Self) -> Option<&'static str> {
        let default = Self::default();
        let differs = |ours: bool, theirs: bool| !ours && !theirs;
        [
            (
                "max_workers",
                differs(
                    self.max_workers == default.max_workers,
                    self.max_workers == other.max_workers,
                ),
            ),
            (
                "threads",
                differs(
                    self.threads == default.threads,
                    self.threads == other.threads,
                ),
            ),
            (
                "throttle",
                differs(
                    self.rule.throttle == default.rule.throttle,
                    self.rule.throttle == other.rule.throttle,
                ),
            ),
            (
                "domain_parallelism",
                differs(
                    self.rule.parallelism == default.rule.parallelism,
                    self.rule.parallelism == other.rule.parallelism,
                ),
            ),
            ("throttle_fn", self.throttle_fn.is_some()),
            ("parallelism_fn", self.parallelism_fn.is_some()),
            (
                "deny_private_addresses",
                self.deny_private_addresses && !other.deny_private_addresses,
            ),
            (
                "deny_networks",
                differs(
                    self.deny_networks.is_empty(),
                    self.deny_networks == other.deny_networks,
                ),
            ),
            (
                "allow_networks",
                differs(
                    self.allow_networks.is_empty(),
                    self.allow_networks == other.allow_networks,
                ),
            ),
            (
                "allowed_ports",
                differs(
                    self.allowed_ports.is_empty(),
                    self.allowed_ports == other.allowed_ports,
                ),
            ),
            ("https_only", self.https_only && !other.https_only),
        ]
        .into_iter()
        .find_map(|(field, differs)| differs.then_some(field))
    }
}

/// What a pool is doing and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Transfers running.
    pub in_flight: u64,
    /// Groups that have jobs, or whose throttle has not run out.
    pub groups: u64,
    /// Connections opened so far, those that came to nothing included.
    pub connections: u64,
    /// Name look-ups made so far; those answered from the cache are not counted.
    pub name_lookups: u64,
}

/// The engine: threads, connections, names and the state of politeness.
///
/// Cheap to clone: clones are the same engine. It stops when the last of them and of its
/// [`Stream`]s is gone.
#[derive(Clone)]
pub struct Pool {
    engine: Arc<Engine>,
}

/// What the shards and the handles of a pool share.
pub(crate) struct Common {
    pub workers: Workers,
    pub names: Arc<Names>,
    pub heads: Heads,
    pub plans: Plans,
    pub callbacks: Callbacks,
    pub throttle_fn: Option<ThrottleFn>,
    pub limits: Arc<Limits>,
    pub log: Log,
    pub inboxes: Vec<Arc<Inbox>>,
    pub connections: Arc<AtomicU64>,
    /// The live groups of each shard.
    pub groups: Vec<AtomicU64>,
    /// Which shard a group lives in.
    hasher: RandomState,
    #[cfg(test)]
    trap: tests::Trap,
}

impl Common {
    /// The shard that a group lives in.
    fn shard_of(&self, group: &str) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(group.as_bytes());
        (hasher.finish() % self.inboxes.len() as u64) as usize
    }

    /// Where the tests have a shard panic.
    #[inline]
    fn pass(&self, _place: &'static str) {
        #[cfg(test)]
        self.trap.pass(_place);
    }

    fn broadcast(&self, message: impl Fn() -> Message) {
        for inbox in &self.inboxes {
            inbox.send(message());
        }
    }
}

struct Engine {
    config: PoolConfig,
    common: Arc<Common>,
    threads: Vec<JoinHandle<()>>,
    next_stream: AtomicU32,
    /// Which process made it.
    generation: u32,
}

/// How the start of the shards went. (A channel would do, but leaves its waiting thread's handle
/// allocated for ever, which leak checkers see.)
#[derive(Default)]
struct Report {
    /// How many have started or failed, and the first failure.
    state: Mutex<(usize, Option<String>)>,
    changed: Condvar,
}

impl Report {
    fn give(&self, failure: Option<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        state.1 = state.1.take().or(failure);
        self.changed.notify_one();
    }

    fn wait(&self, shards: usize) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self
            .changed
            .wait_while(state, |(reported, _)| *reported < shards)
            .unwrap_or_else(PoisonError::into_inner);
        state.1.take()
    }
}

impl Pool {
    /// Starts the threads of a pool.
    ///
    /// [`Error::InvalidArgument`] names a field that is out of its range;
    /// [`Error::OutOfResources`]: the system gave no thread or no descriptor.
    pub fn new(config: PoolConfig) -> Result<Self, Error> {
        if config.rule.parallelism == 0 {
            return Err(Error::InvalidArgument(
                "domain_parallelism is 0: it is at least 1".into(),
            ));
        }
        if config.threads > MAX_THREADS {
            return Err(Error::InvalidArgument(format!(
                "threads is {}: it is {MAX_THREADS} at most",
                config.threads
            )));
        }
        let limits = Limits::new(
            config.deny_private_addresses,
            &config.deny_networks,
            &config.allow_networks,
            &config.allowed_ports,
            config.https_only,
        )
        .map_err(Error::InvalidArgument)?;
        let cores = available_parallelism().map_or(1, NonZero::get) as u32;
        let asked_threads = match config.threads {
            0 => cores,
            asked => asked,
        };
        let spare = SPARE_DESCRIPTORS + DESCRIPTORS_A_SHARD * u64::from(asked_threads);
        let limit = descriptors::limit().saturating_sub(spare).max(1);
        let max_workers = match config.max_workers {
            // Half of the descriptors: idle connections want theirs.
            0 => (u64::from(cores * WORKERS_A_CORE)).min(limit / 2).max(1),
            asked if u64::from(asked) > limit => {
                return Err(Error::InvalidArgument(format!(
                    "max_workers is {asked}, but the process may open {} descriptors, of which \
                     {spare} are left to the rest of it: raise the limit (ulimit -n) \
                     or ask for at most {limit}",
                    descriptors::limit(),
                )));
            }
            asked => asked.into(),
        } as u32;
        let threads = asked_threads.min(max_workers);

        let out_of = |what: &str, error: &dyn std::fmt::Display| {
            Error::OutOfResources(format!("no {what} for a shard: {error}"))
        };
        fork::watch().map_err(|error| out_of("memory", &error))?;
        // Shards would sleep for good, and their start be waited for.
        if fork::is_ending() {
            return Err(out_of("thread", &"the process is ending"));
        }
        let inboxes = (0..threads)
            .map(|_| Inbox::new().map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| out_of("descriptor", &error))?;
        let common = Arc::new(Common {
            workers: Workers::new(max_workers as usize, threads as usize),
            names: Arc::new(Names::new()),
            heads: Heads::default(),
            plans: Plans::default(),
            callbacks: Callbacks::default(),
            throttle_fn: config.throttle_fn.clone(),
            limits: Arc::new(limits),
            log: Log::default(),
            inboxes,
            connections: Arc::default(),
            groups: (0..threads).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            #[cfg(test)]
            trap: tests::Trap::default(),
        });
        // Idle connections kept: what the workers may need again, within the descriptors
        // that running transfers leave.
        let workers = u64::from(max_workers);
        let max_connects = (workers * 4).min(limit - workers.min(limit)) / u64::from(threads);
        // Made before the first thread: if a later one can't start, the drop stops the others.
        let mut engine = Engine {
            config,
            common,
            threads: Vec::new(),
            next_stream: AtomicU32::new(0),
            generation: fork::generation(),
        };
        let report = Arc::new(Report::default());
        for index in 0..threads as usize {
            let common = Arc::clone(&engine.common);
            let config = engine.config.clone();
            let report = Arc::clone(&report);
            let thread = thread::Builder::new()
                .name(format!("rouet-{index}"))
                .spawn(move || {
                    fork::at_work(|| {
                        let max_connects = max_connects.max(1) as usize;
                        let mut shard = None;
                        let outcome = caught(|| {
                            shard = Some(Shard::new(index, common, config, max_connects)?);
                            Ok::<_, Failure>(())
                        });
                        report.give(outcome.err());
                        if let Some(shard) = shard {
                            shard.run();
                        }
                    });
                })
                .map_err(|error| out_of("thread", &error))?;
            engine.threads.push(thread);
        }
        if let Some(failure) = report.wait(engine.threads.len()) {
            return Err(out_of("engine", &failure));
        }
        Ok(Self {
            engine: Arc::new(engine),
        })
    }

    /// Opens a stream of jobs on this pool.
    ///
    /// [`Error::InvalidArgument`] names a field that is out of its range.
    pub fn stream(&self, config: StreamConfig) -> Result<Stream, Error> {
        let id = StreamId(self.engine.next_stream.fetch_add(1, Ordering::Relaxed));
        Stream::open(self.clone(), id, config)
    }

    /// Sets the rule of one group, a registrable domain or the name jobs gave. It holds over all
    /// streams, from the group's next start on, until it is set anew.
    ///
    /// What reads as a host (`Ex.com`, `ex.com.`, `bücher.com`, `http://ex.com/`) is taken for it.
    /// [`Error::InvalidArgument`]: it is no group of its own (`www.ex.com` is in that of `ex.com`,
    /// as [`url_group`](crate::url_group) tells), a URL that is none, or the `parallelism` is 0.
    pub fn set_domain_rule(&self, group: &str, rule: Rule) -> Result<(), Error> {
        if rule.parallelism == 0 {
            return Err(Error::InvalidArgument(
                "parallelism is 0: it is at least 1".into(),
            ));
        }
        let (own, site) =
            address::named(group).map_err(|why| Error::InvalidArgument(format!("domain {why}")))?;
        let common = self.common();
        for group in own.into_iter().chain(site.as_deref()) {
            let message = Message::Rule(Box::new((group.into(), rule)));
            common.inboxes[common.shard_of(group)].send(message);
        }
        Ok(())
    }

    /// Sends what the pool has to say, up to a level, to a function; `None` (the default): nowhere.
    ///
    /// It is called on any thread, on several at once, and must not call the pool.
    pub fn set_log(&self, log: Option<(Level, LogFn)>) {
        self.common().log.set(log);
    }

    /// What the pool is doing; the figures may be a moment old.
    pub fn stats(&self) -> PoolStats {
        let common = self.common();
        PoolStats {
            in_flight: common.workers.in_use() as u64,
            groups: common
                .groups
                .iter()
                .map(|groups| groups.load(Ordering::Relaxed))
                .sum(),
            connections: common.connections.load(Ordering::Relaxed),
            name_lookups: common.names.lookups(),
        }
    }

    /// Why it is of no use to this thread, if so.
    pub(crate) fn why_useless(&self) -> Option<&'static str> {
        if self.engine.is_inherited() {
            return Some(
                "pool is of the process that this one was forked from, and of no use here: make \
                 another one with pool_new",
            );
        }
        fork::is_ender().then_some(
            "pool does nothing any more: the process is ending. What takes results at its end is \
             to be registered with atexit after the first pool was made",
        )
    }

    pub(crate) fn config(&self) -> &PoolConfig {
        &self.engine.config
    }

    fn common(&self) -> &Arc<Common> {
        &self.engine.common
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("config", self.config())
            .finish_non_exhaustive()
    }
}

impl Engine {
    fn is_inherited(&self) -> bool {
        self.generation != fork::generation()
    }

    /// Whether its threads do nothing any more, or are not here.
    fn is_dead(&self) -> bool {
        self.is_inherited() || fork::is_ending()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.is_dead() {
            // Their end would have the system let go of threads that are not here, or wait for those
            // that never end.
            std::mem::forget(std::mem::take(&mut self.threads));
            return;
        }
        self.common.broadcast(|| Message::Stop);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        self.common.names.stop();
        self.common.callbacks.stop();
        self.common
            .log
            .write(Level::Info, || "engine stopped".into());
    }
}
