//! What this process has taken of the system.

use std::fs;

/// The threads of this process that are a pool's.
pub fn threads() -> usize {
    fs::read_dir("/proc/self/task")
        .expect("the process has threads")
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .filter(|name| name.starts_with("rouet-"))
        .count()
}

/// How many descriptors are open, the one that looks among them.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("descriptors").count()
}

/// The most memory this process has had resident, in bytes.
pub fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the process has a status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number")
        << 10
}
