//! Where the tests have a shard panic.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

/// The places where a shard panics, and at which of the times that it goes by.
#[derive(Default)]
pub(crate) struct Trap(Mutex<BTreeMap<&'static str, (usize, Range<usize>)>>);

impl Trap {
    pub fn set(&self, place: &'static str, times: Range<usize>) {
        self.0.lock().unwrap().insert(place, (0, times));
    }

    pub fn pass(&self, place: &str) {
        let mut traps = self.0.lock().unwrap();
        let Some((passed, times)) = traps.get_mut(place) else {
            return;
        };
        let now = *passed;
        *passed += 1;
        if times.contains(&now) {
            drop(traps);
            panic!("on purpose: {place}");
        }
    }
}
