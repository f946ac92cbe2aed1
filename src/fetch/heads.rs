//! Remembers hosts that answer HEAD differently from GET.
//!
//! RFC 9110, section 9.3.2 wants equal answers, apart from the body. Many hosts differ: they do not
//! know HEAD, or refuse it as they refuse suspected robots. A resolve that gets such an answer asks
//! again with GET. The outcome is remembered, which spares a list of one host's URLs that cost for
//! each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use url::{Position, Url};

use crate::engine::Exchange;

/// At least this many hosts are remembered, those met last; twice as many at most.
const MOST: usize = 5000;

/// An answer to HEAD that GET may not get.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// There was no answer: the connection was closed or reset.
    Closed,
    Status(u16),
}

impl Doubt {
    /// What is doubtful about an exchange, if it used HEAD.
    pub fn of<R>(exchange: &Exchange<R>) -> Option<Self> {
        match exchange.status {
            status @ (400 | 403 | 404 | 405 | 406 | 500..=599) => Some(Self::Status(status)),
            0 if exchange.unanswered => Some(Self::Closed),
            _ => None,
        }
    }

    /// The doubts that are believed of a host together; 0: never believed.
    fn kind(self) -> u8 {
        match self {
            Self::Closed => 1,
            Self::Status(400) => 1 << 1,
            Self::Status(403) => 1 << 2,
            Self::Status(404) => 1 << 3,
            // These concern the method, not the target (sections 15.5.6 and 15.6.2).
            Self::Status(405 | 501) => 0,
            Self::Status(406) => 1 << 4,
            Self::Status(_) => 1 << 5,
        }
    }
}

/// How a host behaves.
#[derive(Clone, Copy, Default)]
struct Habit {
    /// GET gets another answer: the host is asked with GET at once.
    lies: bool,
    /// The kinds of doubt that are settled, because GET got the same.
    believed: u8,
}

/// The hosts of a pool.
#[derive(Default)]
pub(crate) struct Heads {
    known: Mutex<Known>,
}

/// Hosts by scheme, host and port. When the young are many, they become the old, and the former old are
/// forgotten.
#[derive(Default)]
struct Known {
    young: HashMap<Box<str>, Habit>,
    old: HashMap<Box<str>, Habit>,
}

impl Known {
    fn of(&self, host: &str) -> Habit {
        let habit = self.young.get(host).or_else(|| self.old.get(host));
        habit.copied().unwrap_or_default()
    }
}

impl Heads {
    /// Whether a host answers HEAD differently from GET.
    pub(super) fn lies(&self, url: &Url) -> bool {
        self.habit(url).lies
    }

    /// Whether GET is known to get the same.
    pub(super) fn is_believed(&self, url: &Url, doubt: Doubt) -> bool {
        self.habit(url).believed & doubt.kind() != 0
    }

    /// Remembers what asking with GET too has shown.
    pub(super) fn learn(&self, url: &Url, doubt: Doubt, is_same: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let host = host(url);
        let mut habit = known.of(&host);
        match is_same {
            true => habit.believed |= doubt.kind(),
            false => habit.lies = true,
        }
        if known.young.len() >= MOST && !known.young.contains_key(&*host) {
            known.old = std::mem::take(&mut known.young);
        }
        known.young.insert(host, habit);
    }

    fn habit(&self, url: &Url) -> Habit {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.young.is_empty() && known.old.is_empty() {
            true => Habit::default(),
            false => known.of(&host(url)),
        }
    }
}

fn host(url: &Url) -> Box<str> {
    let name = &url[Position::BeforeHost..Position::AfterPort];
    format!("{}://{name}", url.scheme()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn a_host_is_known_by_scheme_name_and_port() {
        let heads = Heads::default();
        heads.learn(&url("http://me:x@a.com/x"), Doubt::Closed, false);
        for (text, lies) in [
            ("http://a.com/y?z#f", true),
            ("http://a.com:80/", true),
            ("https://a.com/", false),
            ("http://a.com:81/", false),
            ("http://www.a.com/", false),
        ] {
            assert_eq!(heads.lies(&url(text)), lies, "{text}");
        }
    }

    #[test]
    fn a_host_is_believed_of_what_it_was_right_about() {
        let heads = Heads::default();
        let home = url("http://a.com/");
        heads.learn(&home, Doubt::Status(404), true);
        heads.learn(&home, Doubt::Status(503), true);
        for (doubt, believed) in [
            (Doubt::Status(404), true),
            (Doubt::Status(500), true),
            (Doubt::Status(501), false),
            (Doubt::Status(403), false),
            (Doubt::Closed, false),
        ] {
            assert_eq!(heads.is_believed(&home, doubt), believed);
        }
        assert!(!heads.lies(&home));
    }

    #[test]
    fn what_is_known_is_bounded_and_the_latest() {
        let heads = Heads::default();
        for number in 0..3 * MOST {
            let home = url(&format!("http://{number}.example/"));
            heads.learn(&home, Doubt::Closed, false);
        }
        let known = heads.known.lock().expect("no panic");
        assert!(known.young.len() + known.old.len() <= 2 * MOST);
        drop(known);
        for number in [2 * MOST, 3 * MOST - 1] {
            assert!(heads.lies(&url(&format!("http://{number}.example/"))));
        }
        assert!(!heads.lies(&url("http://0.example/")));
    }
}
