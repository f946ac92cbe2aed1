//! The URLs of the demo.

use crate::rng::Rng;

/// What the hosts are named after.
const NAMES: [&str; 12] = [
    "news", "shop", "blog", "wiki", "forum", "photo", "music", "travel", "recipe", "science",
    "museum", "radio",
];

/// The exponent of the popularity of the hosts.
const ZIPF: f64 = 0.8;

/// The host of the given rank, 0 being the most popular.
pub(crate) fn host_name(rank: usize) -> String {
    format!("{}-{:02}.test", NAMES[rank % NAMES.len()], rank + 1)
}

/// `count` different URLs `http://HOST/page/N` over `domains` hosts, each host being its own
/// registrable domain, of popularities following Zipf's law (exponent 0.8), in a shuffled order
/// that is always the same.
///
/// The least popular hosts (1 in 30, at least one when there are two hosts or more) are
/// `old-K.test`, whose pages all redirect to `site-K.test` ([`partner`](crate::partner)): about
/// 1 % of the URLs. Hosts `site-K.test` are in no URL.
///
/// Each `N` comes once, so that the answers have the shares [`fate`](crate::fate) tells. The
/// `port` is in the URLs when it is given.
pub fn urls(count: usize, domains: usize, port: Option<u16>) -> impl Iterator<Item = String> {
    let old = if domains < 2 {
        0
    } else {
        (domains / 30).max(1)
    };
    let mut pages: Vec<(usize, usize)> = shares(count, domains)
        .into_iter()
        .enumerate()
        .flat_map(|(rank, share)| std::iter::repeat_n(rank, share))
        .enumerate()
        .map(|(n, rank)| (rank, n))
        .collect();
    let mut rng = Rng::new(0x5107);
    for i in (1..pages.len()).rev() {
        pages.swap(i, rng.below(i as u64 + 1) as usize);
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    pages.into_iter().map(move |(rank, n)| {
        let number = domains - rank; // 1 is the least popular
        let host = match number <= old {
            true => format!("old-{number}.test"),
            false => host_name(rank),
        };
        format!("http://{host}{port}/page/{n}")
    })
}

/// How many of `count` URLs each of the `domains` gets: one each as far as they go, then by
/// popularity.
fn shares(count: usize, domains: usize) -> Vec<usize> {
    let rest = count.saturating_sub(domains);
    let weight = |rank: usize| ((rank + 1) as f64).powf(-ZIPF);
    let total: f64 = (0..domains).map(weight).sum();
    let (mut below, mut given) = (0.0, 0);
    (0..domains)
        .map(|rank| {
            below += weight(rank);
            let upto = match rank + 1 == domains {
                true => rest,
                false => (rest as f64 * below / total) as usize,
            };
            let share = upto - given + usize::from(rank < count);
            given = upto;
            share
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn urls_are_as_many_as_asked_and_all_different() {
        for (count, domains) in [(2000, 60), (10, 60), (60, 60), (1, 1), (0, 5), (7, 2)] {
            let all: HashSet<String> = urls(count, domains, None).collect();
            assert_eq!(all.len(), count);
        }
        assert_eq!(urls(0, 0, None).count(), 0);
        assert!(urls(300, 9, Some(81)).eq(urls(300, 9, Some(81))));
        assert!(urls(9, 3, Some(81)).all(|url| url.contains(".test:81/page/")));
    }

    #[test]
    fn hosts_are_popular_by_zipf_and_old_ones_are_one_in_a_hundred() {
        let mut hosts: HashMap<String, usize> = HashMap::new();
        for url in urls(2000, 60, None) {
            let host = url.split('/').nth(2).unwrap();
            assert_eq!(host.split('.').count(), 2);
            assert!(!host.starts_with("site-"));
            *hosts.entry(host.to_owned()).or_default() += 1;
        }
        assert_eq!(hosts.len(), 60);
        let old: usize = hosts
            .iter()
            .filter(|(host, _)| host.starts_with("old-"))
            .map(|(_, count)| count)
            .sum();
        assert!((15..40).contains(&old), "{old}");
        let first = hosts["news-01.test"] as f64 / hosts["shop-02.test"] as f64;
        assert!((1.6..1.85).contains(&first), "{first}");
    }
}
