//! How threads hand work over to each other. Where that fails, a thread waits for ever.
//!
//! Under shuttle (`make shuttle`) each model is run many times, in other orders each time. shuttle
//! sees when all threads wait, and tells of the order that led there. It tries only what is
//! sequentially consistent, as is all that threads share here. No time passes: whatever waits for a
//! time goes on at once. Under Miri (`make miri`) each is run once, and Miri sees races.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream as _;

use super::attempts::Attempts;
use super::common::Common;
use super::inbox::{Inbox, Message};
use super::{JobStream, Next, Pool, PoolConfig, StreamConfig};
use crate::error::{Error, ErrorCode};
use crate::job::Job;
use crate::schedule::{Rule, StreamId};
use crate::sync::atomic::{AtomicBool, Ordering::SeqCst};
use crate::sync::thread::{self, JoinHandle};
use runs::{block_on, in_all_orders, in_many_orders};

#[cfg(feature = "shuttle")]
mod runs {
    pub use shuttle::future::block_on;
    use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
    use shuttle::{Config, Runner};

    /// How many orders are tried of a model that has too many to try all, by each of two ways to
    /// choose them. `ROUET_ORDERS` sets another number.
    const ORDERS: usize = 100;
    /// Where the choice begins: the same each time, so that a failure is one tomorrow too.
    const SEED: u64 = 8;
    /// PCT looks for mishaps that need this many threads to be held up at the right places.
    const DEPTH: usize = 3;

    fn run(scheduler: impl Scheduler + 'static, model: impl Fn() + Send + Sync + 'static) {
        let mut config = Config::new();
        // The library's futures are large where nothing is optimized.
        config.stack_size = 1 << 20;
        Runner::new(scheduler, config).run(model);
    }

    pub fn in_all_orders(model: impl Fn() + Send + Sync + 'static) {
        run(DfsScheduler::new(None, false), model);
    }

    pub fn in_many_orders(model: impl Fn() + Send + Sync + Clone + 'static) {
        let orders = std::env::var("ROUET_ORDERS").map_or(ORDERS, |orders| {
            orders.parse().expect("ROUET_ORDERS is a number")
        });
        run(RandomScheduler::new_from_seed(SEED, orders), model.clone());
        run(PctScheduler::new_from_seed(SEED, DEPTH, orders), model);
    }
}

#[cfg(not(feature = "shuttle"))]
mod runs {
    pub fn in_all_orders(model: impl Fn()) {
        model();
    }

    pub fn in_many_orders(model: impl Fn()) {
        model();
    }

    pub fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("it needs nothing").block_on(future)
    }
}

/// A message of no weight.
fn message() -> Message {
    Message::Close(StreamId(0))
}

fn inbox() -> Arc<Inbox> {
    Arc::new(Inbox::new().expect("it takes nothing of the system"))
}

fn sleep(inbox: &Inbox) {
    inbox.sleep(|| inbox.bell.poller().wait(None));
}

fn ends(thread: JoinHandle<()>) {
    thread.join().expect("it ends");
}

/// A shard's turns, until it read so many messages.
fn read(inbox: &Inbox, messages: usize) {
    let (mut post, mut read) = (VecDeque::new(), 0);
    loop {
        inbox.empty(&mut post);
        read += post.drain(..).len();
        if read == messages {
            return;
        }
        inbox.bell.silence();
        sleep(inbox);
    }
}

/// Others send a message each, and the shard reads them.
fn messages(number: usize) {
    let inbox = inbox();
    let others: Vec<_> = (0..number)
        .map(|_| {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || inbox.send(message()))
        })
        .collect();
    read(&inbox, number);
    others.into_iter().for_each(ends);
}

#[test]
fn a_message_wakes_the_shard() {
    in_all_orders(|| messages(1));
}

#[test]
fn each_of_several_messages_wakes_the_shard() {
    in_many_orders(|| messages(3));
}

/// What another thread does before it rings is seen, whenever the shard falls asleep.
#[test]
fn the_bell_wakes_the_shard() {
    in_all_orders(|| {
        let (inbox, done) = (inbox(), Arc::new(AtomicBool::new(false)));
        let (theirs, does) = (Arc::clone(&inbox), Arc::clone(&done));
        let other = thread::spawn(move || {
            does.store(true, SeqCst);
            theirs.bell.ring();
        });
        loop {
            inbox.bell.silence();
            if done.load(SeqCst) {
                return ends(other);
            }
            sleep(&inbox);
        }
    });
}

/// Futures that other threads wake are polled.
#[test]
fn futures_wake_the_shard() {
    in_many_orders(|| {
        let inbox = inbox();
        let mut attempts = Attempts::new(Arc::clone(&inbox.bell));
        for _ in 0..3 {
            let ready = Arc::new(AtomicBool::new(false));
            let mut other = None;
            let attempt = move |context: &mut Context<'_>| {
                let waker = context.waker().clone();
                let wakes = Arc::clone(&ready);
                other.get_or_insert_with(|| {
                    thread::spawn(move || {
                        wakes.store(true, SeqCst);
                        waker.wake();
                    })
                });
                match ready.load(SeqCst) {
                    true => Poll::Ready(other.take().map(ends)),
                    false => Poll::Pending,
                }
            };
            attempts.push((), poll_fn(attempt));
        }
        let mut ended = Vec::new();
        loop {
            inbox.bell.silence();
            attempts.poll(&mut ended);
            if ended.len() == 3 {
                return;
            }
            sleep(&inbox);
        }
    });
}

/// A pool of two shards that share so many workers, and whose groups need not wait.
fn pool(max_workers: u32) -> Pool {
    Pool::new(PoolConfig {
        max_workers: Some(max_workers),
        threads: Some(2),
        rule: Rule {
            throttle: Duration::ZERO,
            parallelism: 1,
        },
        ..PoolConfig::default()
    })
    .expect("a pool")
}

fn stream(pool: &Pool, config: StreamConfig<u64>) -> Arc<JobStream<u64>> {
    Arc::new(pool.stream(config).expect("a stream"))
}

/// A job whose group lives in the shard that its item says.
fn job(common: &Common, item: u64) -> Job<u64> {
    let shard = item as usize % common.inboxes.len();
    let group = (item * 1000..).map(|number| number.to_string());
    let mut theirs = group.filter(|group| common.shard_of(group) == shard);
    let group = theirs.next().expect("there are names enough");
    Job::request("http://a/").group(group).item(item)
}

/// Submits jobs with these items; gives those that were accepted.
fn submit(
    stream: &Arc<JobStream<u64>>,
    items: impl IntoIterator<Item = u64>,
) -> JoinHandle<Vec<u64>> {
    let jobs: Vec<Job<u64>> = items
        .into_iter()
        .map(|item| job(stream.pool().common(), item))
        .collect();
    let stream = Arc::clone(stream);
    thread::spawn(move || {
        let mut accepted = Vec::new();
        for job in jobs {
            let item = job.item;
            match stream.submit(job, None) {
                Ok(()) => accepted.push(item),
                Err(refused) => {
                    assert_eq!((refused.error, refused.job.item), (Error::Closed, item));
                    break;
                }
            }
        }
        accepted
    })
}

/// Takes results until there are no more; gives their items and error codes.
type Taken = Vec<(u64, Option<ErrorCode>)>;

fn take(stream: &Arc<JobStream<u64>>) -> JoinHandle<Taken> {
    let stream = Arc::clone(stream);
    thread::spawn(move || {
        let mut taken = Vec::new();
        loop {
            match stream.next(None) {
                Next::Result(item, result) => {
                    taken.push((item, result.error.map(|failure| failure.code)));
                }
                Next::Done => return taken,
                Next::Nothing => panic!("it waits for ever"),
            }
        }
    })
}

/// The end of a stream whose results were taken: nothing is left of it, and all workers are given
/// back.
fn end(stream: Arc<JobStream<u64>>) {
    let stats = stream.stats();
    assert_eq!(
        (stats.held, stats.started, stats.buffered_bytes),
        (0, 0, 0),
        "{stats:?}"
    );
    assert_eq!(stats.accepted, stats.delivered, "{stats:?}");
    let common = Arc::clone(stream.pool().common());
    drop(Arc::into_inner(stream).expect("the last"));
    assert_eq!(common.workers.in_use(), 0);
}

fn joined<T>(threads: impl IntoIterator<Item = JoinHandle<Vec<T>>>) -> Vec<T> {
    let joined = threads.into_iter().map(|thread| thread.join());
    joined.flat_map(|all| all.expect("it ends")).collect()
}

fn sorted(items: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut items: Vec<u64> = items.into_iter().collect();
    items.sort_unstable();
    items
}

/// Two submit, two take, and one says that it was all.
fn all_are_done(config: StreamConfig<u64>, workers: u32) {
    in_many_orders(move || {
        let stream = stream(&pool(workers), config.clone());
        let takers = [take(&stream), take(&stream)];
        let submitters = [submit(&stream, 0..3), submit(&stream, 3..6)];
        let accepted = joined(submitters);
        stream.finish();
        let taken = joined(takers);
        assert!(taken.iter().all(|(_, error)| error.is_none()), "{taken:?}");
        assert_eq!(sorted(accepted), sorted(0..6));
        assert_eq!(
            sorted(taken.into_iter().map(|(item, _)| item)),
            sorted(0..6)
        );
        end(stream);
    });
}

#[test]
fn each_job_has_one_result() {
    let config = StreamConfig {
        buffer_size: 1,
        ..StreamConfig::default()
    };
    all_are_done(config, 2);
}

#[test]
fn each_job_of_an_ordered_stream_has_one_result() {
    let config = StreamConfig {
        buffer_size: 2,
        ordered: true,
        ..StreamConfig::default()
    };
    all_are_done(config, 3);
}

#[test]
fn each_job_has_one_result_though_each_is_too_heavy() {
    for ordered in [false, true] {
        let config = StreamConfig {
            buffer_size: 2,
            max_buffered_bytes: 1,
            ordered,
            ..StreamConfig::default()
        };
        all_are_done(config, 2);
    }
}

#[test]
fn each_job_has_one_result_through_a_callback() {
    let config = StreamConfig {
        buffer_size: 2,
        callback: Some(Arc::new(|_, result| {
            assert_eq!(result.body, b"http://a/");
            Ok(())
        })),
        ..StreamConfig::default()
    };
    all_are_done(config, 2);
}

#[test]
fn an_ordered_stream_keeps_its_order() {
    in_many_orders(|| {
        let config = StreamConfig {
            buffer_size: 3,
            ordered: true,
            ..StreamConfig::default()
        };
        let stream = stream(&pool(3), config);
        let taker = take(&stream);
        assert_eq!(joined([submit(&stream, 0..5)]), [0, 1, 2, 3, 4]);
        stream.finish();
        let taken = joined([taker]);
        assert!(taken.into_iter().map(|(item, _)| item).eq(0..5));
        end(stream);
    });
}

/// Whatever is accepted by the time of a cancel has its result, and nobody waits on.
fn all_end_when_cancelled(config: StreamConfig<u64>) {
    in_many_orders(move || {
        let stream = stream(&pool(2), config.clone());
        let takers = [take(&stream), take(&stream)];
        let submitters = [submit(&stream, 0..2), submit(&stream, 2..4)];
        let other = Arc::clone(&stream);
        let canceller = thread::spawn(move || other.cancel());
        stream.cancel();
        let accepted = joined(submitters);
        let taken = joined(takers);
        let known = [None, Some(ErrorCode::Cancelled)];
        assert!(taken.iter().all(|(_, error)| known.contains(error)));
        assert_eq!(
            sorted(taken.into_iter().map(|(item, _)| item)),
            sorted(accepted)
        );
        ends(canceller);
        end(stream);
    });
}

#[test]
fn a_cancel_ends_all() {
    for ordered in [false, true] {
        all_end_when_cancelled(StreamConfig {
            buffer_size: 1,
            ordered,
            ..StreamConfig::default()
        });
    }
}

#[test]
fn a_cancel_ends_what_waits_for_a_callback() {
    all_end_when_cancelled(StreamConfig {
        buffer_size: 2,
        callback: Some(Arc::new(|_, _| Ok(()))),
        ..StreamConfig::default()
    });
}

/// A hold is answered whatever the shard is at, and nothing of the group starts before its release.
#[test]
fn a_held_group_waits_for_its_release() {
    in_many_orders(|| {
        let pool = pool(2);
        let stream = stream(&pool, StreamConfig::default());
        let held = job(pool.common(), 0).group.expect("its own");
        let submitter = submit(&stream, [1]);
        assert_eq!(pool.hold(&held).expect("a group"), 0);
        let taker = take(&stream);
        assert_eq!(joined([submit(&stream, [0]), submitter]).len(), 2);
        let other = pool.clone();
        let releaser = thread::spawn(move || other.release(&held).expect("a group"));
        stream.finish();
        let taken = joined([taker]).into_iter().map(|(item, _)| item);
        assert_eq!(sorted(taken), [0, 1]);
        ends(releaser);
        drop(pool);
        end(stream);
    });
}

#[test]
fn a_held_group_does_not_keep_a_stream_from_its_end() {
    in_many_orders(|| {
        let pool = pool(2);
        let stream = stream(&pool, StreamConfig::default());
        let held = job(pool.common(), 0).group.expect("its own");
        assert_eq!(pool.hold(&held).expect("a group"), 0);
        drop(pool);
        let taker = take(&stream);
        assert_eq!(joined([submit(&stream, [0])]), [0]);
        stream.cancel();
        assert_eq!(joined([taker]), [(0, Some(ErrorCode::Cancelled))]);
        end(stream);
    });
}

#[test]
fn a_stream_leaves_its_workers_to_others() {
    in_many_orders(|| {
        let pool = pool(1);
        let (one, other) = (
            stream(&pool, StreamConfig::default()),
            stream(&pool, StreamConfig::default()),
        );
        drop(pool);
        let taker = take(&other);
        let submitters = [submit(&one, 0..2), submit(&other, 2..4)];
        let [to_one, to_other] = submitters.map(|submitter| joined([submitter]));
        // Nobody takes the results of the one.
        assert_eq!(to_one.len(), 2);
        drop(one);
        other.finish();
        let taken = joined([taker]).into_iter().map(|(item, _)| item);
        assert_eq!(sorted(taken), to_other);
        end(other);
    });
}

/// A task that waits for results is woken for each, and for the end.
#[test]
fn a_task_is_woken() {
    in_many_orders(|| {
        let stream = stream(&pool(2), StreamConfig::default());
        let submitter = submit(&stream, 0..3);
        let other = Arc::clone(&stream);
        let taker = thread::spawn(move || {
            let mut results = pin!(other.results());
            let mut items = Vec::new();
            block_on(async {
                while let Some((item, _)) =
                    poll_fn(|context| results.as_mut().poll_next(context)).await
                {
                    items.push(item);
                }
            });
            items
        });
        assert_eq!(joined([submitter]), [0, 1, 2]);
        stream.finish();
        assert_eq!(sorted(joined([taker])), [0, 1, 2]);
        end(stream);
    });
}

/// Tasks that wait for room learn of it, and one that gives up holds back no other.
#[test]
fn tasks_are_told_of_room() {
    in_many_orders(|| {
        let config = StreamConfig {
            buffer_size: 1,
            ..StreamConfig::default()
        };
        let stream = stream(&pool(2), config);
        let submitters = [0, 3].map(|first| {
            let stream = Arc::clone(&stream);
            thread::spawn(move || {
                let jobs: Vec<_> = (first..first + 2)
                    .map(|item| job(stream.pool().common(), item))
                    .collect();
                block_on(async {
                    // One look, and it is dropped: the job is accepted at once or never.
                    let early = job(stream.pool().common(), first + 2);
                    let mut submission = Box::pin(stream.submit_async(early));
                    let looked = poll_fn(|context| Poll::Ready(submission.as_mut().poll(context)));
                    let mut accepted = Vec::new();
                    if looked.await.is_ready() {
                        accepted.push(first + 2);
                    }
                    drop(submission);
                    for job in jobs {
                        accepted.push(job.item);
                        stream.submit_async(job).await.expect("accepted");
                    }
                    accepted
                })
            })
        });
        let taker = take(&stream);
        let accepted = joined(submitters);
        stream.finish();
        let taken = joined([taker]).into_iter().map(|(item, _)| item);
        assert_eq!(sorted(taken), sorted(accepted));
        end(stream);
    });
}
