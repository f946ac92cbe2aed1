//! What the tests of the public API share.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::fmt::Debug;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rouet::{Job, JobResult, JobStream, Next, Options, Pool, PoolConfig, Rule, StreamConfig};
use rouet_site::{Entry, Faults, Options as SiteOptions, Site};
use socket2::{Domain, Socket, Type};

pub mod c;
pub mod dns;
pub mod log;
pub mod needs;
pub mod own;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod script;
pub mod source;
pub mod venv;
pub mod wire;

/// What holds over curl's multi handle, and what over isahc, the second engine; `docs/isahc.md` has
/// the reason of each.
pub fn by_engine<T>(multi: T, isahc: T) -> T {
    match cfg!(feature = "isahc") {
        false => multi,
        true => isahc,
    }
}

/// The code of a connection refused: isahc does not tell why there was none.
pub fn refused() -> &'static str {
    by_engine("connection-refused", "connection-error")
}

/// How long anything may take that has no reason to take long.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn site() -> Site {
    Site::start(SiteOptions::default()).expect("a site")
}

/// A site that serves `https` too.
pub fn secure_site() -> Site {
    let options = SiteOptions {
        tls: true,
        ..SiteOptions::default()
    };
    Site::start(options).expect("a site")
}

pub fn faults() -> Faults {
    Faults::start().expect("a server")
}

/// A port on which nobody listens.
pub fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// Where nobody accepts, and the system drops what comes: the queue of connections to be accepted
/// is full, for as long as the second value lives.
pub fn full_listener() -> (SocketAddr, impl Drop) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&loopback.into()).expect("a port");
    listener.listen(0).expect("a queue");
    let address = listener
        .local_addr()
        .ok()
        .and_then(|address| address.as_socket());
    let address = address.expect("bound");
    let mut filling = vec![listener];
    while let Ok(stream) = TcpStream::connect_timeout(&address, ms(200)) {
        filling.push(stream.into());
    }
    (address, filling.into_iter())
}

/// A pool that spaces the jobs of a group by that much, and runs that many at once.
pub fn pool(throttle: Duration, parallelism: u32) -> Pool {
    pool_of(throttle, parallelism, 64, 2)
}

pub fn pool_of(throttle: Duration, parallelism: u32, max_workers: u32, threads: u32) -> Pool {
    let config = PoolConfig::default()
        .max_workers(max_workers)
        .threads(threads)
        .rule(rule(throttle, parallelism));
    Pool::new(config).expect("a pool")
}

pub fn rule(throttle: Duration, parallelism: u32) -> Rule {
    Rule::default().throttle(throttle).parallelism(parallelism)
}

/// A pool that is not polite.
pub fn hasty_pool() -> Pool {
    pool(Duration::ZERO, 64)
}

pub fn stream<T: Send + 'static>(pool: &Pool) -> JobStream<T> {
    stream_of(pool, |_| {})
}

pub fn stream_of<T: Send + 'static>(
    pool: &Pool,
    set: impl FnOnce(&mut StreamConfig<T>),
) -> JobStream<T> {
    let mut config = StreamConfig::default();
    set(&mut config);
    pool.stream(config).expect("a stream")
}

pub fn options(set: impl FnOnce(&mut Options)) -> Arc<Options> {
    let mut options = Options::default();
    set(&mut options);
    Arc::new(options)
}

/// Connects every name to a port of this machine.
pub fn all_to(port: u16) -> Vec<String> {
    vec![format!("::127.0.0.1:{port}")]
}

/// Does a job on a pool of its own.
pub fn fetch(job: Job) -> JobResult {
    let stream = stream(&hasty_pool());
    submit(&stream, job);
    take(&stream)
}

/// Downloads a URL with those options.
pub fn fetch_with(url: impl Into<Arc<str>>, set: impl FnOnce(&mut Options)) -> JobResult {
    fetch(Job::request(url).options(options(set)))
}

/// Hands in a job, for which there is room or will be.
pub fn submit<T: Debug + Send + 'static>(stream: &JobStream<T>, job: Job<T>) {
    stream.submit(job, Some(PATIENCE)).expect("accepted");
}

/// The next result, which must come.
pub fn take<T: Debug + Send + 'static>(stream: &JobStream<T>) -> JobResult {
    take_pair(stream).1
}

/// The same, with its job's item.
pub fn take_pair<T: Debug + Send + 'static>(stream: &JobStream<T>) -> (T, JobResult) {
    match stream.next(Some(PATIENCE)) {
        Next::Result(item, result) => (item, *result),
        other => panic!("no result: {other:?}, {:?}", stream.stats()),
    }
}

/// The results still to come of a stream that was finished or cancelled.
pub fn drain<T: Debug + Send + 'static>(stream: &JobStream<T>) -> Vec<JobResult> {
    results(drain_pairs(stream))
}

/// The same, with their jobs' items.
pub fn drain_pairs<T: Debug + Send + 'static>(stream: &JobStream<T>) -> Vec<(T, JobResult)> {
    let mut pairs = Vec::new();
    loop {
        match stream.next(Some(PATIENCE)) {
            Next::Result(item, result) => pairs.push((item, *result)),
            Next::Done => return pairs,
            Next::Nothing => panic!("stuck: {:?}", stream.stats()),
        }
    }
}

/// Hands in these jobs and finishes; their results in the order they came.
pub fn run<T: Debug + Send + 'static>(
    stream: &JobStream<T>,
    jobs: impl IntoIterator<Item = Job<T>>,
) -> Vec<JobResult> {
    results(run_pairs(stream, jobs))
}

/// The same, with their jobs' items.
pub fn run_pairs<T: Debug + Send + 'static>(
    stream: &JobStream<T>,
    jobs: impl IntoIterator<Item = Job<T>>,
) -> Vec<(T, JobResult)> {
    for job in jobs {
        submit(stream, job);
    }
    stream.finish();
    drain_pairs(stream)
}

fn results<T>(pairs: Vec<(T, JobResult)>) -> Vec<JobResult> {
    pairs.into_iter().map(|(_, result)| result).collect()
}

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::sleep(ms(2));
    }
}

/// The slug of a result's error, or "ok".
pub fn code(result: &JobResult) -> &'static str {
    result
        .error
        .as_ref()
        .map_or("ok", |failure| failure.code.as_str())
}

/// The words of a result's error.
pub fn message(result: &JobResult) -> &str {
    result
        .error
        .as_ref()
        .map_or("", |failure| failure.message.as_str())
}

#[track_caller]
pub fn assert_ok(result: &JobResult) {
    assert!(result.error.is_none(), "{:?}", result.error);
}

/// The body as text.
pub fn text(result: &JobResult) -> String {
    assert_ok(result);
    String::from_utf8_lossy(&result.body).into_owned()
}

/// The URL, kind and status of each entry of a stack.
pub fn hops(result: &JobResult) -> Vec<(&str, &'static str, u16)> {
    result
        .stack
        .iter()
        .map(|entry| (&*entry.url, entry.kind.as_str(), entry.status))
        .collect()
}

pub fn items<T: Copy>(pairs: &[(T, JobResult)]) -> Vec<T> {
    pairs.iter().map(|(item, _)| *item).collect()
}

/// The times between the arrivals of requests, in the order they came.
pub fn gaps(log: &[Entry]) -> Vec<Duration> {
    log.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}
