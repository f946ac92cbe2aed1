//! A caller's handle on a pool, and the pool's start and end.

use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::available_parallelism;

use log::Level;

use super::answer::question;
use super::common::Common;
use super::config::PoolConfig;
use super::inbox::{Message, Order};
use super::shard::{Shard, caught};
use crate::address::{self, Limits};
use crate::error::{Error, Failure};
use crate::process::{descriptors, fork};
use crate::ranges;
use crate::schedule::{Rule, StreamId};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex};

/// Workers a core when the configuration leaves it open.
const WORKERS_A_CORE: u32 = 64;
/// Descriptors left to the rest of the process: files, a log, event descriptors.
const SPARE_DESCRIPTORS: u64 = 64;
/// Descriptors a shard has beside its connections: its poller's, curl's.
const DESCRIPTORS_A_SHARD: u64 = 6;

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
/// [`JobStream`](crate::JobStream)s is gone.
#[derive(Clone)]
pub struct Pool {
    engine: Arc<Engine>,
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
        config.check()?;
        let limits = Limits::new(
            config.deny_private_addresses,
            &config.deny_networks,
            &config.allow_networks,
            &config.allowed_ports,
            config.https_only,
        )
        .map_err(Error::InvalidArgument)?;
        let cores = available_parallelism().map_or(1, NonZero::get) as u32;
        let asked_threads = config.threads.unwrap_or(cores);
        let spare = SPARE_DESCRIPTORS + DESCRIPTORS_A_SHARD * u64::from(asked_threads);
        let limit = descriptors::limit().saturating_sub(spare).max(1);
        let max_workers = match config.max_workers {
            // Idle connections need the other half of the descriptors.
            None => (u64::from(cores * WORKERS_A_CORE)).min(limit / 2).max(1),
            Some(asked) if u64::from(asked) > limit => {
                return Err(Error::InvalidArgument(format!(
                    "max_workers is {asked}, but the process may open {} descriptors, of which \
                     {spare} are left to the rest of it: raise the limit (ulimit -n) \
                     or ask for at most {limit}",
                    descriptors::limit(),
                )));
            }
            Some(asked) => asked.into(),
        } as u32;
        let threads = asked_threads.min(max_workers);

        let out_of = |what: &str, error: &dyn std::fmt::Display| {
            Error::OutOfResources(format!("no {what} for a shard: {error}"))
        };
        fork::watch().map_err(|error| out_of("memory", &error))?;
        // Shards would sleep for good, and this would wait for their start.
        if fork::is_ending() {
            return Err(out_of("thread", &"the process is ending"));
        }
        let common = Common::new(threads, max_workers, config.throttle_fn.clone(), limits)
            .map_err(|error| out_of("descriptor", &error))?;
        let common = Arc::new(common);
        // Idle connections are kept as the workers may need them again, within the descriptors that
        // running transfers leave.
        let workers = u64::from(max_workers);
        let max_connects = (workers * 4).min(limit - workers.min(limit)) / u64::from(threads);
        // This is made before the first thread: if a later one cannot start, its drop stops the others.
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

    /// Sets the rule of one group, a registrable domain or the name jobs gave. It holds over all
    /// streams, from the group's next start on, until it is set anew.
    ///
    /// What reads as a host (`Ex.com`, `ex.com.`, `bücher.com`, `http://ex.com/`) is taken for it.
    /// [`Error::InvalidArgument`]: it is no group of its own (`www.ex.com` is in that of `ex.com`,
    /// as [`url_group`](crate::url_group) tells), a malformed URL, or empty; or the `parallelism` is 0.
    pub fn set_domain_rule(&self, group: &str, rule: Rule) -> Result<(), Error> {
        ranges::at_least("parallelism", rule.parallelism, 1)?;
        for group in groups("domain", group)? {
            self.common().tell(group, Order::Rule(rule));
        }
        Ok(())
    }

    /// Lets no job of a group start any more, over all streams, until [`Pool::release`]. Gives how many
    /// of its jobs are under way; these go on. After it returns, none starts. Jobs are accepted and
    /// cancelled as ever, and a group may be held before it has any. In an ordered stream the results
    /// of later jobs wait for those of a group that is held. One release ends it, however often the
    /// group was held.
    ///
    /// It waits for the thread that does the group's transfers, which is prompt. What reads as a host is
    /// taken for it.
    ///
    /// [`Error::InvalidArgument`]: as for [`Pool::set_domain_rule`]; or the name is empty, or the process
    /// is ending or was forked from the pool's, or `throttle_fn` or `parallelism_fn` calls it, for which
    /// it would wait. [`Error::OutOfResources`]: a fault in the library, which
    /// its log tells of, lost the call.
    pub fn hold(&self, group: &str) -> Result<u64, Error> {
        let groups = groups("group", group)?;
        // Nobody would answer.
        if let Some(why) = self.why_useless() {
            return Err(Error::InvalidArgument(why.into()));
        }
        if fork::is_worker() {
            return Err(Error::InvalidArgument(
                "throttle_fn and parallelism_fn can't hold a group: that waits for the thread they run \
                 on. Hold it from another thread, or by a callback"
                    .into(),
            ));
        }
        let mut in_flight = 0;
        for group in groups {
            let (question, answer) = question();
            self.common().tell(group, Order::Hold(answer));
            in_flight += question.wait().ok_or_else(|| {
                Error::OutOfResources(
                    "a fault in the library, which its log tells of, lost the call: try again"
                        .into(),
                )
            })?;
        }
        Ok(in_flight)
    }

    /// Lets the jobs of a group start again, at the group's pace. Does not wait. The group is named as
    /// for [`Pool::hold`]; one that is not held stays as it is.
    pub fn release(&self, group: &str) -> Result<(), Error> {
        for group in groups("group", group)? {
            self.common().tell(group, Order::Release);
        }
        Ok(())
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

    pub(crate) fn common(&self) -> &Arc<Common> {
        &self.engine.common
    }

    /// The number of a new stream.
    pub(crate) fn next_stream(&self) -> StreamId {
        StreamId(self.engine.next_stream.fetch_add(1, Ordering::Relaxed))
    }
}

/// The groups that a name stands for. `field`: what the caller calls it.
fn groups(field: &str, name: &str) -> Result<impl Iterator<Item = Box<str>>, Error> {
    if name.is_empty() {
        let why = "is empty: the jobs of that group wait for nothing";
        return Err(Error::InvalidArgument(format!("{field} {why}")));
    }
    let named = address::named(name);
    let (own, site) = named.map_err(|why| Error::InvalidArgument(format!("{field} {why}")))?;
    Ok(own.map(Box::from).into_iter().chain(site.map(Box::from)))
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
            // To join or detach them would touch threads that are not here, or wait for threads that
            // never end.
            std::mem::forget(std::mem::take(&mut self.threads));
            return;
        }
        self.common.broadcast(|| Message::Stop);
        // If an item that nobody took was the last to hold the pool, this may be one of the threads,
        // which can't wait for itself. They end by themselves.
        let is_own = fork::is_worker();
        for thread in self.threads.drain(..).filter(|_| !is_own) {
            let _ = thread.join();
        }
        self.common.names.stop();
        self.common.callbacks.stop(is_own);
        self.common
            .log
            .write(Level::Info, || "engine stopped".into());
    }
}
