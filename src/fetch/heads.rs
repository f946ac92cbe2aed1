//! What is known of hosts that answer HEAD otherwise than GET.
//!
//! RFC 9110, section 9.3.2 has them answer alike, but for the body. Many don't: they know no HEAD, or
//! refuse it as they refuse what they take for robots. A resolve that gets such an answer asks with GET
//! too; and what came of it is kept, so that a list of one host's URLs does not pay for each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use url::{Position, Url};

use crate::engine::Exchange;

/// How many hosts are known at least, if there are so many: those met last. Twice as many at most.
const MOST: usize = 5000;

/// An answer to HEAD that GET may not get.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// None: the connection was closed or reset.
    Closed,
    Status(u16),
}

impl Doubt {
    /// What of an exchange is in doubt, if it was one by HEAD.
    pub fn of<R>(exchange: &Exchange<R>) -> Option<Self> {
        match exchange.status {
            status @ (400 | 403 | 404 | 405 | 406 | 500..=599) => Some(Self::Status(status)),
            0 if exchange.unanswered => Some(Self::Closed),
            _ => None,
        }
    }

    /// Those that a host is believed together; 0: it is believed none.
    fn kind(self) -> u8 {
        match self {
            Self::Closed => 1,
            Self::Status(400) => 1 << 1,
            Self::Status(403) => 1 << 2,
            Self::Status(404) => 1 << 3,
            // Of the method, not of what it was asked for (sections 15.5.6 and 15.6.2).
            Self::Status(405 | 501) => 0,
            Self::Status(406) => 1 << 4,
            Self::Status(_) => 1 << 5,
        }
    }
}

/// What a host does.
#[derive(Clone, Copy, Default)]
struct Habit {
    /// GET gets another answer: it is asked with GET at once.
    lies: bool,
    /// GET got the same: the kinds of doubt there is none about.
    believed: u8,
}

/// The hosts of a pool.
#[derive(Default)]
pub(crate) struct Heads {
    known: Mutex<Known>,
}

/// By scheme, host and port. When the young are many, they are the old, and the old are forgotten.
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
    /// Whether a host answers HEAD otherwise than GET.
    pub(super) fn lies(&self, url: &Url) -> bool {
        self.habit(url).lies
    }

    /// Whether GET is known to get the same.
    pub(super) fn is_believed(&self, url: &Url, doubt: Doubt) -> bool {
        self.habit(url).believed & doubt.kind() != 0
    }

    /// Keeps what came of asking with GET too.
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
