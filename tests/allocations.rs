//! How often a request asks for memory: counted, so that it stays few. Release builds have an
//! allocator of their own, which would count nothing.

#![cfg(debug_assertions)]

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rouet::{Job, Pool, PoolConfig, Rule, StreamConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: a\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\n\
    Content-Type: text/html\r\nContent-Length: 10\r\nLast-Modified: Mon, 23 Nov 2026 00:00:00 GMT\r\n\
    ETag: \"1\"\r\nAccept-Ranges: bytes\r\n\r\n0123456789";

/// Answers requests, one behind the other, without asking for memory itself.
fn serve(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += read;
        // curl sends a request at once, and the next one after its answer.
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            if stream.write_all(ANSWER).is_err() {
                return;
            }
        }
    }
}

/// The URL and its job, the parsed URL, the job on its way and its group; the attempt, its URL for all
/// who name it, its one hop and its receiver, curl's copy of the URL, the headers, the body; and what
/// is used again by many (queues) now and then.
const MOST: f64 = 13.5;

#[test]
fn a_request_asks_for_memory_a_dozen_times() {
    const AT_ONCE: usize = 8;
    const REQUESTS: usize = 4_000;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    let rule = Rule::default()
        .throttle(Duration::ZERO)
        .parallelism(AT_ONCE as u32);
    let config = PoolConfig::default()
        .rule(rule)
        .max_workers(AT_ONCE as u32)
        .threads(1);
    let pool = Pool::new(config).expect("a pool");
    let stream = pool.stream(StreamConfig::default()).expect("a stream");
    let mut results = Vec::with_capacity(1024);
    let mut run = |number: usize| {
        let (mut submitted, mut taken) = (0, 0);
        while taken < number {
            while submitted < number && submitted - taken < 4 * AT_ONCE {
                // Two of these: the URL itself, and the job's.
                let url = format!("http://127.0.0.1:{port}/a/page?number={submitted}");
                stream.submit(Job::request(url), None).expect("accepted");
                submitted += 1;
            }
            stream.next_many(1024, None, &mut results);
            taken += results.len();
            for ((), result) in results.drain(..) {
                assert_eq!((result.status, result.body.len()), (200, 10));
                assert_eq!(result.headers.len(), 7);
            }
        }
    };
    run(1_000); // connections, handles, tables
    let region = Region::new(ALLOCATOR);
    run(REQUESTS);
    let change = region.change();
    let each = |number: usize| number as f64 / REQUESTS as f64;
    let (new, grown) = (each(change.allocations), each(change.reallocations));
    println!("a request: {new:.2} allocations, {grown:.2} reallocations");
    assert!(new <= MOST, "{new:.2} allocations a request");
    assert!(grown <= 2.0, "{grown:.2} reallocations a request");
    let left = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    assert!(
        left.abs() < 256e3,
        "{left} bytes more are held than before: they are lost"
    );
}
