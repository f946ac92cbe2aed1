//! Downloads the URL it is given, over an allocator of its own, and says how much came.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use rouet::{Job, Next, Pool, PoolConfig, StreamConfig};

static TAKEN: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: it only hands on to the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller has it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller has it.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), rouet::Error> {
    let url = std::env::args().nth(1).expect("a URL");
    let stream = Pool::new(PoolConfig::default())?.stream(StreamConfig::default())?;
    stream.submit(Job::request(url), None)?;
    stream.finish();
    let before = TAKEN.load(Ordering::Relaxed);
    while let Next::Result((), result) = stream.next(None) {
        println!("{} {}", result.status, result.body.len());
        let taken = TAKEN.load(Ordering::Relaxed) - before;
        assert!(taken >= result.body.len(), "{taken}");
    }
    Ok(())
}
