//! What the library's own allocator keeps. One test, so that nothing else runs in its process.

mod support;

use std::sync::mpsc::sync_channel;
use std::thread;

use rouet as _; // whose allocator this program has
use support::process::peak;

const BODY: usize = 8 << 20;

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
