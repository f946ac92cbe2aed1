//! What the library's own allocator keeps. One test, so that nothing else runs in its process.

use std::fs;
use std::sync::mpsc::sync_channel;
use std::thread;

use rouet as _; // whose allocator this program has

const BODY: usize = 8 << 20;

/// The most memory this process has had resident, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the process has a status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number")
        << 10
}

/// As shards and a caller do: one thread makes bodies, another frees them.
#[test]
#[cfg_attr(debug_assertions, ignore = "a debug build has the system's allocator")]
fn bodies_freed_by_another_thread_do_not_pile_up() {
    let before = peak();
    let (give, take) = sync_channel::<Vec<u8>>(1);
    let taker = thread::spawn(move || take.iter().map(|body| body.len()).sum::<usize>());
    for _ in 0..200 {
        give.send(vec![1; BODY]).expect("the taker takes");
    }
    drop(give);
    assert_eq!(taker.join().expect("it ends"), 200 * BODY);
    // Three are there at once.
    let grown = peak() - before;
    assert!(grown < 12 * BODY, "{} MiB", grown >> 20);
}
