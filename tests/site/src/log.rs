//! What the site was asked, and when.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When its head arrived, since the site's start.
    pub at: Duration,
    /// When the last byte of its answer was handed to the connection, or when the request was
    /// given up; [`Duration::MAX`] until then.
    pub ended: Duration,
    /// The host asked (`Host` header or HTTP/2 authority), in lower case and without its port;
    /// empty when there is none.
    pub host: String,
    /// The method.
    pub method: String,
    /// The path and query.
    pub path: String,
    /// The status answered; 0 until then, and for ever if there was no answer.
    pub status: u16,
    /// How many bytes of body were handed to the connection (without the framing).
    pub bytes: u64,
    /// Which TCP connection it came by: 1 is the first accepted.
    pub connection: u64,
}

/// The requests of a site.
pub(crate) struct Log {
    start: Instant,
    epoch: Duration,
    keep: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: Vec<Entry>,
    /// How many times the log was cleared: tells the tickets whether their index still stands.
    clears: u64,
    file: Option<BufWriter<File>>,
}

impl Log {
    /// An empty log that keeps its entries if `keep`, and appends them to `file` if given.
    pub fn new(keep: bool, file: Option<&Path>) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let file = file.map(open).transpose()?.map(BufWriter::new);
        Ok(Self {
            start: Instant::now(),
            epoch: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            keep,
            inner: Mutex::new(Inner {
                file,
                ..Inner::default()
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the site's start.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Writes down that a request arrived. Its end is written when the ticket is dropped.
    pub fn arrived(self: &Arc<Self>, entry: Entry) -> Ticket {
        let mut inner = self.inner();
        let place = (inner.clears, inner.entries.len());
        if self.keep {
            inner.entries.push(entry.clone());
        }
        drop(inner);
        Ticket {
            log: Arc::clone(self),
            place,
            entry,
        }
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.inner().entries.clone()
    }

    pub fn clear(&self) {
        let mut inner = self.inner();
        inner.clears += 1;
        inner.entries.clear();
    }

    pub fn flush(&self) {
        if let Some(file) = &mut self.inner().file
            && let Err(error) = file.flush()
        {
            eprintln!("site: cannot write the log: {error}");
        }
    }
}

/// A request under way.
pub(crate) struct Ticket {
    log: Arc<Log>,
    place: (u64, usize),
    entry: Entry,
}

impl Ticket {
    /// The head of the answer is given.
    pub fn answered(&mut self, status: u16) {
        self.entry.status = status;
        self.update(&mut self.log.inner());
    }

    /// Some of the body is given.
    pub fn sent(&mut self, bytes: usize) {
        self.entry.bytes += bytes as u64;
    }

    fn update(&self, inner: &mut Inner) {
        if self.log.keep && inner.clears == self.place.0 {
            inner.entries[self.place.1] = self.entry.clone();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.entry.ended = self.log.now();
        let mut inner = self.log.inner();
        self.update(&mut inner);
        let Some(file) = &mut inner.file else { return };
        let Entry {
            at,
            host,
            method,
            path,
            status,
            bytes,
            ..
        } = &self.entry;
        let at = (self.log.epoch + *at).as_micros();
        // A failure stays in the writer, and is told by the next flush.
        let _ = writeln!(file, "{at}\t{host}\t{method}\t{path}\t{status}\t{bytes}");
    }
}

/// The smallest time between the start of a request and the start of the next one, by host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// For each host that was asked twice or more.
    pub hosts: BTreeMap<String, Duration>,
    /// The smallest of all, and its host.
    pub smallest: Option<(String, Duration)>,
}

/// The smallest gaps between the requests of a log.
pub fn gaps(entries: &[Entry]) -> Gaps {
    gaps_between(entries.iter().map(|entry| (entry.host.as_str(), entry.at)))
}

/// The smallest gaps between the starts of requests, given in any order, each with its host.
pub fn gaps_between<'a>(starts: impl IntoIterator<Item = (&'a str, Duration)>) -> Gaps {
    let mut hosts: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for (host, at) in starts {
        hosts.entry(host).or_default().push(at);
    }
    let mut gaps = Gaps::default();
    for (host, mut starts) in hosts {
        starts.sort_unstable();
        let Some(gap) = starts.windows(2).map(|pair| pair[1] - pair[0]).min() else {
            continue;
        };
        gaps.hosts.insert(host.to_owned(), gap);
        if gaps.smallest.as_ref().is_none_or(|(_, least)| gap < *least) {
            gaps.smallest = Some((host.to_owned(), gap));
        }
    }
    gaps
}

/// The most requests that were under way at once, among those of `host`.
pub(crate) fn most_in_flight(entries: &[Entry], host: &str) -> usize {
    let mut steps: Vec<(Duration, isize)> = entries
        .iter()
        .filter(|entry| entry.host == host)
        .flat_map(|entry| [(entry.at, 1), (entry.ended, -1)])
        .collect();
    steps.sort_unstable(); // at the same time, an end comes before a start
    let (mut now, mut most) = (0, 0);
    for (_, step) in steps {
        now += step;
        most = most.max(now);
    }
    most.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn entry(host: &str, at: u64, ended: u64) -> Entry {
        Entry {
            at: ms(at),
            ended: ms(ended),
            host: host.to_owned(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            status: 200,
            bytes: 0,
            connection: 1,
        }
    }

    #[test]
    fn gaps_are_from_start_to_start_of_each_host() {
        let log = [
            entry("a.test", 0, 5),
            entry("b.test", 1, 5),
            entry("a.test", 70, 75),
            entry("a.test", 30, 90),
            entry("b.test", 61, 65),
            entry("c.test", 62, 65),
        ];
        let gaps = gaps(&log);
        assert_eq!(gaps.hosts["a.test"], ms(30));
        assert_eq!(gaps.hosts["b.test"], ms(60));
        assert!(!gaps.hosts.contains_key("c.test"));
        assert_eq!(gaps.smallest, Some(("a.test".to_owned(), ms(30))));
        assert_eq!(super::gaps(&[]), Gaps::default());
    }

    #[test]
    fn requests_in_flight_are_counted_by_host() {
        let log = [
            entry("a.test", 0, 5),
            entry("a.test", 5, 9),
            entry("a.test", 6, u64::MAX),
            entry("b.test", 7, 9),
        ];
        assert_eq!(most_in_flight(&log, "a.test"), 2);
        assert_eq!(most_in_flight(&log, "b.test"), 1);
        assert_eq!(most_in_flight(&log, "c.test"), 0);
    }

    #[test]
    fn a_ticket_outlives_a_clear() {
        let log = Arc::new(Log::new(true, None).unwrap());
        let mut first = log.arrived(entry("a.test", 0, 0));
        first.answered(204);
        first.sent(3);
        assert_eq!(log.entries()[0].status, 204);
        log.clear();
        let second = log.arrived(entry("b.test", 1, 0));
        drop(first);
        assert_eq!(log.entries()[0].host, "b.test");
        drop(second);
        assert_eq!(log.entries().len(), 1);
    }
}
