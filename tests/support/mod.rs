//! What the tests of the public API share.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rouet::{Job, JobResult, Next, Options, Pool, PoolConfig, Rule, Stream, StreamConfig, Submit};
use rouet_site::{Entry, Faults, Options as SiteOptions, Site};
use socket2::{Domain, Socket, Type};

pub mod c;
pub mod dns;
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
    Pool::new(PoolConfig {
        max_workers,
        threads,
        rule: Rule {
            throttle,
            parallelism,
        },
        ..PoolConfig::default()
    })
    .expect("a pool")
}

/// A pool that is not polite.
pub fn hasty_pool() -> Pool {
    pool(Duration::ZERO, 64)
}

pub fn stream(pool: &Pool) -> Stream {
    stream_of(pool, |_| {})
}

pub fn stream_of(pool: &Pool, set: impl FnOnce(&mut StreamConfig)) -> Stream {
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
pub fn submit(stream: &Stream, job: Job) {
    match stream.submit(job, Some(PATIENCE)) {
        Ok(Submit::Accepted) => {}
        other => panic!("not accepted: {other:?}"),
    }
}

/// The next result, which must come.
pub fn take(stream: &Stream) -> JobResult {
    match stream.next(Some(PATIENCE)) {
        Next::Result(result) => *result,
        other => panic!("no result: {other:?}, {:?}", stream.stats()),
    }
}

/// The results still to come of a stream that was finished or cancelled.
pub fn drain(stream: &Stream) -> Vec<JobResult> {
    let mut results = Vec::new();
    loop {
        match stream.next(Some(PATIENCE)) {
            Next::Result(result) => results.push(*result),
            Next::Done => return results,
            Next::Nothing => panic!("stuck: {:?}", stream.stats()),
        }
    }
}

/// Hands in these jobs and finishes; their results in the order they came.
pub fn run(stream: &Stream, jobs: impl IntoIterator<Item = Job>) -> Vec<JobResult> {
    for job in jobs {
        submit(stream, job);
    }
    stream.finish();
    drain(stream)
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

pub fn tags(results: &[JobResult]) -> Vec<u64> {
    results.iter().map(|result| result.tag).collect()
}

/// The times between the arrivals of requests, in the order they came.
pub fn gaps(log: &[Entry]) -> Vec<Duration> {
    log.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}
