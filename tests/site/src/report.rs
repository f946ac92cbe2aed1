//! What a log file tells.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::{self, BufRead};
use std::rc::Rc;
use std::time::Duration;

use crate::log::gaps_between;

/// The summary of a log file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many requests there were.
    pub requests: u64,
    /// How many domains they went to.
    pub domains: usize,
    /// From the start of the first request to the start of the last one.
    pub span: Duration,
    /// How many answers of each status; 0 is for no answer.
    pub statuses: BTreeMap<u16, u64>,
    /// The bytes of all the bodies.
    pub bytes: u64,
    /// The smallest time between the starts of two requests to one domain, and that domain.
    pub smallest_gap: Option<(String, Duration)>,
}

impl Report {
    /// Reads a log file.
    pub fn read(log: impl BufRead) -> io::Result<Self> {
        let mut report = Self::default();
        let mut names: HashSet<Rc<str>> = HashSet::new();
        let mut starts = Vec::new();
        for (number, line) in log.lines().enumerate() {
            let line = line?;
            let (at, host, status, bytes) = parse(&line).ok_or_else(|| {
                io::Error::other(format!("line {} is not a request: {line}", number + 1))
            })?;
            let domain = domain(host);
            let name = match names.get(domain) {
                Some(name) => name.clone(),
                None => {
                    let name: Rc<str> = domain.into();
                    names.insert(name.clone());
                    name
                }
            };
            starts.push((name, Duration::from_micros(at)));
            report.requests += 1;
            report.bytes += bytes;
            *report.statuses.entry(status).or_default() += 1;
        }
        let times = || starts.iter().map(|(_, at)| *at);
        if let (Some(first), Some(last)) = (times().min(), times().max()) {
            report.span = last - first;
        }
        report.domains = names.len();
        report.smallest_gap = gaps_between(starts.iter().map(|(name, at)| (&**name, *at))).smallest;
        Ok(report)
    }

    /// Why the log breaks the promise of `throttle` between the starts of two requests to one
    /// domain, if it does.
    pub fn impolite(&self, throttle: Duration) -> Option<String> {
        let (domain, gap) = self.smallest_gap.as_ref()?;
        (*gap < throttle).then(|| {
            format!(
                "two requests to {domain} started {:.3} ms apart, below the throttle of {:.3} ms",
                millis(*gap),
                millis(throttle)
            )
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "requests      {}", self.requests)?;
        writeln!(out, "domains       {}", self.domains)?;
        writeln!(out, "seconds       {:.3}", self.span.as_secs_f64())?;
        write!(out, "statuses     ")?;
        for (status, count) in &self.statuses {
            match status {
                0 => write!(out, " none:{count}")?,
                _ => write!(out, " {status}:{count}")?,
            }
        }
        writeln!(out, "\nbytes         {}", self.bytes)?;
        match &self.smallest_gap {
            Some((domain, gap)) => write!(out, "smallest gap  {:.3} ms ({domain})", millis(*gap)),
            None => write!(out, "smallest gap  none (no domain was asked twice)"),
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A line's start in microseconds, host, status and bytes.
fn parse(line: &str) -> Option<(u64, &str, u16, u64)> {
    let mut fields = line.split('\t');
    let (at, host) = (fields.next()?, fields.next()?);
    let (_method, _path) = (fields.next()?, fields.next()?);
    let (status, bytes) = (fields.next()?, fields.next()?);
    Some((
        at.parse().ok()?,
        host,
        status.parse().ok()?,
        bytes.parse().ok()?,
    ))
}

/// The last two labels of a host's name (an IP address is left whole).
fn domain(host: &str) -> &str {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return host;
    }
    match host.rmatch_indices('.').nth(1) {
        Some((dot, _)) => &host[dot + 1..],
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_summed_up() {
        let log = "1000000\ta.test\tGET\t/x?y=1\t200\t10\n\
                   1300000\twww.a.test\tGET\t/\t0\t0\n\
                   1200000\tb.test\tHEAD\t/\t404\t5\n\
                   2000000\tb.test\tGET\t/\t200\t7\n";
        let report = Report::read(log.as_bytes()).unwrap();
        assert_eq!((report.requests, report.domains, report.bytes), (4, 2, 22));
        assert_eq!(report.span, Duration::from_secs(1));
        assert_eq!(
            report.statuses,
            BTreeMap::from([(0, 1), (200, 2), (404, 1)])
        );
        let gap = Duration::from_millis(300);
        assert_eq!(report.smallest_gap, Some(("a.test".to_owned(), gap)));
        assert_eq!(report.impolite(gap), None);
        assert!(report.impolite(gap + Duration::from_micros(1)).is_some());
        assert!(report.to_string().contains("none:1 200:2 404:1"));
        assert!(Report::read("oops\n".as_bytes()).is_err());
        assert_eq!(Report::read("".as_bytes()).unwrap(), Report::default());
    }

    #[test]
    fn a_domain_is_two_labels() {
        assert_eq!(domain("a.b.c.test"), "c.test");
        assert_eq!(domain("c.test"), "c.test");
        assert_eq!(domain("localhost"), "localhost");
        assert_eq!(domain("127.0.0.1"), "127.0.0.1");
    }
}
