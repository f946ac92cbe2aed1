//! Options as hops use them: read once, when a stream is opened or a job submitted, and shared by all
//! jobs with equal options.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use encoding_rs::Encoding;

use crate::address;
use crate::error::Error;
use crate::options::{self, Options};

/// With fewer plans, the search for dead ones is skipped.
const FEW: usize = 64;

/// What was read from options. The options themselves hold everything that is not text.
pub(crate) struct Plan {
    options: Arc<Options>,
    connect_to: Places<Lead>,
    dns: Places<Arc<[IpAddr]>>,
    proxy: Option<Proxy>,
    encoding: Option<&'static Encoding>,
    /// What each header is about, by its place in the list.
    headers: Vec<Concern>,
}

/// Options that were read and checked once, for any number of jobs. Such jobs cost as little to submit
/// as jobs without their own options, however many entries `dns` and `connect_to` have. Clones share
/// the same options.
///
/// ```
/// use rouet::{Job, KeptOptions, Options};
///
/// let kept = KeptOptions::new(Options::default().compressed(true))?;
/// let urls = ["http://a.example/", "http://b.example/"];
/// let jobs = urls.map(|url| Job::request(url).kept_options(kept.clone()));
/// # assert!(jobs.iter().all(|job| job.kept_options.as_ref().unwrap().options().compressed));
/// # Ok::<(), rouet::Error>(())
/// ```
#[derive(Clone)]
pub struct KeptOptions(pub(crate) Arc<Plan>);

impl KeptOptions {
    /// Reads options. [`Error::InvalidArgument`] says which is out of its range.
    pub fn new(options: Options) -> Result<Self, Error> {
        Plan::of(options.into()).map(|plan| Self(plan.into()))
    }

    /// The options.
    pub fn options(&self) -> &Options {
        &self.0
    }
}

impl std::fmt::Debug for KeptOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("KeptOptions")
            .field(self.options())
            .finish()
    }
}

/// Values by host and port. A host of `""` or a port of 0 matches any.
struct Places<T>(HashMap<u16, HashMap<Box<str>, T>>);

/// Where an entry of `connect_to` leads; what it leaves open stays as it was.
struct Lead {
    /// Its place in the list: the first entry for a host and port counts.
    order: usize,
    host: Option<Box<str>>,
    port: Option<u16>,
}

/// A proxy, apart from its URL.
pub(crate) struct Proxy {
    pub scheme: Scheme,
    pub host: Box<str>,
    pub port: u16,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
    Socks5,
    /// As SOCKS5, but the proxy gets names.
    Socks5h,
}

/// What a header is about, which decides to whom it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// The request: everyone gets it.
    Request,
    /// The caller: only the origin that was meant gets it.
    Caller,
    /// The body: it is sent when the body is (Fetch Standard, HTTP-redirect fetch).
    Body,
    /// The proxy: nobody else gets it (RFC 9110, section 11.7.2).
    Proxy,
}

impl Concern {
    fn of(name: &str) -> Self {
        let is = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        match () {
            () if is(&["authorization", "cookie", "host"]) => Self::Caller,
            () if is(&["proxy-authorization"]) => Self::Proxy,
            () if is(&[
                "content-encoding",
                "content-language",
                "content-location",
                "content-type",
            ]) =>
            {
                Self::Body
            }
            () => Self::Request,
        }
    }
}

impl Scheme {
    const ALL: [(&str, Self); 4] = [
        ("http", Self::Http),
        ("https", Self::Https),
        ("socks5", Self::Socks5),
        ("socks5h", Self::Socks5h),
    ];

    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

impl Proxy {
    fn read(proxy: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::InvalidArgument(format!("proxy {why}"));
        let known = proxy.split_once("://").and_then(|(scheme, rest)| {
            let known = Scheme::ALL.iter().find(|(name, _)| *name == scheme)?;
            Some((known.1, rest))
        });
        let Some((scheme, rest)) = known else {
            let names = Scheme::ALL.map(|(name, _)| name).join(", ");
            return Err(wrong(format!("does not start with one of {names} and ://")));
        };
        if let Err(why) = address::check_proxy(proxy) {
            return Err(wrong(format!("is {:?}: {why}", address::shown(proxy))));
        }
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = place.rsplit('@').next().unwrap_or_default();
        let (host, port) = address::split_host(place).unwrap_or((place, ""));
        // These are curl's own defaults for a proxy.
        let usual = if scheme == Scheme::Https { 443 } else { 1080 };
        Ok(Self {
            scheme,
            host: host.to_ascii_lowercase().into(),
            port: port.parse().unwrap_or(usual),
        })
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Places<T> {
    fn at(&mut self, host: &str, port: u16) -> std::collections::hash_map::Entry<'_, Box<str>, T> {
        let of_port = self.0.entry(port).or_default();
        of_port.entry(host.to_ascii_lowercase().into())
    }

    fn get(&self, host: &str, port: u16) -> Option<&T> {
        let of_port = self.0.get(&port)?;
        // Hosts of URLs are in lower case.
        of_port.get(host)
    }
}

impl Plan {
    /// Reads options. An error says which is out of its range.
    pub fn of(options: Arc<Options>) -> Result<Self, Error> {
        options.check()?;
        let mut connect_to = Places::default();
        for (order, entry) in options.connect_to.iter().enumerate() {
            let read = read("connect_to", entry, address::read_connect_to)?;
            let place = connect_to.at(read.host, read.port.unwrap_or(0));
            place.or_insert(Lead {
                order,
                host: (!read.to_host.is_empty()).then(|| read.to_host.to_ascii_lowercase().into()),
                port: read.to_port,
            });
        }
        let mut dns = Places::default();
        for entry in &options.dns {
            let (host, port, addresses) = read("dns", entry, address::read_dns)?;
            // The last counts, as in curl.
            dns.at(host, port).insert_entry(addresses.into());
        }
        let label = options.known_encoding.as_deref();
        let headers = options.headers.iter();
        Ok(Self {
            connect_to,
            dns,
            proxy: options.proxy.as_deref().map(Proxy::read).transpose()?,
            encoding: label.map(options::encoding).transpose()?,
            headers: headers.map(|(name, _)| Concern::of(name)).collect(),
            options,
        })
    }

    /// Where `connect_to` leads a host and port, if anywhere.
    pub fn led<'a>(&'a self, host: &'a str, port: u16) -> Option<(&'a str, u16)> {
        let places = [(host, port), (host, 0), ("", port), ("", 0)];
        let leads = places
            .into_iter()
            .filter_map(|(host, port)| self.connect_to.get(host, port));
        let lead = leads.min_by_key(|lead| lead.order)?;
        let to = lead.host.as_deref().unwrap_or(host);
        Some((to, lead.port.unwrap_or(port)))
    }

    /// The addresses that `dns` gives a host. An entry for its name takes precedence over one for any.
    pub fn given(&self, host: &str, port: u16) -> Option<&Arc<[IpAddr]>> {
        self.dns.get(host, port).or_else(|| self.dns.get("*", port))
    }

    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// How its proxy is spoken to.
    pub fn proxy_scheme(&self) -> Option<Scheme> {
        self.proxy.as_ref().map(|proxy| proxy.scheme)
    }

    /// The encoding of the text, if it is known beforehand.
    pub fn encoding(&self) -> Option<&'static Encoding> {
        self.encoding
    }

    /// The headers, without the blanks around a value, which do not belong to it (RFC 9110, section
    /// 5.5).
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str, Concern)> {
        let concerns = self.headers.iter();
        let pairs = self.options.headers.iter().zip(concerns);
        pairs.map(|((name, value), concern)| (&**name, value.trim_matches([' ', '\t']), *concern))
    }

    /// Whether there is a header of that name.
    pub fn has_header(&self, name: &str) -> bool {
        let mut names = self.options.headers.iter().map(|(name, _)| name);
        names.any(|other| other.eq_ignore_ascii_case(name))
    }
}

impl Deref for Plan {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}

/// Reads an entry of a field, or says what is wrong with it.
fn read<'a, T>(
    field: &str,
    entry: &'a str,
    read: impl FnOnce(&'a str) -> Result<T, String>,
) -> Result<T, Error> {
    // curl passes connect_to's hosts to a proxy as they are.
    let read = match entry.contains(char::is_control) {
        true => Err("it has a control character".into()),
        false => read(entry),
    };
    read.map_err(|why| Error::InvalidArgument(format!("{field} has {entry:?}: {why}")))
}

/// The plans of a pool, for as long as a job, a stream or the caller has them.
#[derive(Default)]
pub(crate) struct Plans(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Plans by the address of their options, which nothing else can have while they are known.
    by_place: HashMap<usize, (Weak<Options>, Weak<Plan>)>,
    /// By the hash of their options.
    by_hash: HashMap<u64, Weak<Plan>>,
    /// The number of plans at which dead ones are searched for.
    sweep_at: usize,
}

impl Plans {
    /// The plan of options; equal options share one.
    pub fn of(&self, options: &Arc<Options>) -> Result<Arc<Plan>, Error> {
        let place = Arc::as_ptr(options).addr();
        if let Some((_, plan)) = self.known().by_place.get(&place)
            && let Some(plan) = plan.upgrade()
        {
            return Ok(plan);
        }
        let mut hasher = DefaultHasher::new();
        options.hash(&mut hasher);
        let hash = hasher.finish();
        let equal = self.known().by_hash.get(&hash).and_then(Weak::upgrade);
        let plan = match equal.filter(|plan| *plan.options == **options) {
            Some(plan) => plan,
            None => Arc::new(Plan::of(Arc::clone(options))?),
        };
        self.known().learn(place, options, hash, &plan);
        Ok(plan)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn learn(&mut self, place: usize, options: &Arc<Options>, hash: u64, plan: &Arc<Plan>) {
        if self.by_place.len() >= self.sweep_at {
            self.by_hash.retain(|_, plan| plan.strong_count() > 0);
            // Nobody can ask by the place of options that are gone, though their plan may live.
            self.by_place
                .retain(|_, (options, plan)| options.strong_count() > 0 && plan.strong_count() > 0);
            self.sweep_at = FEW.max(2 * self.by_place.len());
        }
        self.by_hash.insert(hash, Arc::downgrade(plan));
        let known = (Arc::downgrade(options), Arc::downgrade(plan));
        self.by_place.insert(place, known);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where the first entry for a host and port leads: curl's rule, one entry at a time.
    fn first<'a>(options: &'a Options, host: &'a str, port: u16) -> Option<(&'a str, u16)> {
        options.connect_to.iter().find_map(|entry| {
            let lead = address::read_connect_to(entry).expect("an entry");
            let about = (lead.host.is_empty() || lead.host == host)
                && lead.port.is_none_or(|other| other == port);
            let to_host = if lead.to_host.is_empty() {
                host
            } else {
                lead.to_host
            };
            about.then_some((to_host, lead.to_port.unwrap_or(port)))
        })
    }

    /// The addresses of the last entry for a name, or else for any.
    fn last(options: &Options, host: &str, port: u16) -> Option<Vec<IpAddr>> {
        let of = |name: &str| {
            let mut entries = options.dns.iter().rev();
            entries.find_map(|entry| {
                let (other, of_port, addresses) = address::read_dns(entry).expect("an entry");
                (other.eq_ignore_ascii_case(name) && of_port == port).then_some(addresses)
            })
        };
        of(host).or_else(|| of("*"))
    }

    const HOSTS: [&str; 4] = ["a.test", "b.test", "[::1]", "127.0.0.1"];
    const PORTS: [u16; 3] = [80, 443, 8080];

    proptest! {
        #[test]
        fn entries_are_found_as_one_after_the_other(
            leads in prop::collection::vec((0..5_usize, 0..4_usize, 0..5_usize, 0..4_usize), 0..8),
            given in prop::collection::vec((0..5_usize, 0..3_usize, 1..9_u8), 0..8),
        ) {
            let host = |at: usize| HOSTS.get(at).copied().unwrap_or("");
            let port = |at: usize| PORTS.get(at).map(u16::to_string).unwrap_or_default();
            let lead = |(from, from_port, to, to_port)| {
                let (from_port, to_port) = (port(from_port), port(to_port));
                format!("{}:{from_port}:{}:{to_port}", host(from), host(to))
            };
            let given_entry = |(at, port_at, last): (usize, usize, u8)| {
                let name = HOSTS.get(at).map_or("*".to_owned(), |host| host.to_uppercase());
                format!("{name}:{}:10.0.0.{last},10.1.0.{last}", PORTS[port_at])
            };
            let options = Arc::new(Options {
                connect_to: leads.into_iter().map(lead).collect(),
                dns: given.into_iter().map(given_entry).collect(),
                ..Options::default()
            });
            let plan = Plan::of(Arc::clone(&options)).expect("options in range");
            for host in HOSTS {
                for port in PORTS {
                    prop_assert_eq!(plan.led(host, port), first(&options, host, port));
                    let given = plan.given(host, port).map(|list| list.to_vec());
                    prop_assert_eq!(given, last(&options, host, port));
                }
            }
        }
    }

    #[test]
    fn a_proxy_is_where_curl_looks_for_it() {
        for (proxy, scheme, host, port) in [
            ("http://proxy.test", Scheme::Http, "proxy.test", 1080),
            ("http://proxy.test:80", Scheme::Http, "proxy.test", 80),
            (
                "https://me:se@Proxy.test/",
                Scheme::Https,
                "proxy.test",
                443,
            ),
            (
                "https://proxy.test:8443/x",
                Scheme::Https,
                "proxy.test",
                8443,
            ),
            ("socks5://[::1]:9", Scheme::Socks5, "[::1]", 9),
            ("socks5h://[::1]", Scheme::Socks5h, "[::1]", 1080),
        ] {
            let read = Proxy::read(proxy).expect("a proxy");
            assert_eq!(
                (read.scheme, &*read.host, read.port),
                (scheme, host, port),
                "{proxy}"
            );
        }
        assert!(Proxy::read("ftp://proxy.test").is_err());
        assert!(Proxy::read("HTTP://proxy.test").is_err());
    }

    #[test]
    fn equal_options_share_a_plan() {
        let plans = Plans::default();
        let options = |max_redirects| {
            Arc::new(Options {
                max_redirects: Some(max_redirects),
                ..Options::default()
            })
        };
        let of = |options: &Arc<Options>| plans.of(options).expect("options in range");
        let (one, two) = (options(1), options(2));
        let (first, second) = (of(&one), of(&two));
        assert!(!Arc::ptr_eq(&first, &second));
        for _ in 0..3 {
            assert!(Arc::ptr_eq(&of(&one), &first));
            assert!(Arc::ptr_eq(&of(&options(2)), &second));
        }
        for other in 3..1000 {
            of(&options(other));
        }
        assert!(Arc::ptr_eq(&of(&options(1)), &first));
        // Options made anew for each job share the plan, and leave nothing behind.
        for _ in 0..1000 {
            assert!(Arc::ptr_eq(&of(&options(1)), &first));
        }
        // The dead plans made room.
        assert!(plans.known().by_place.len() <= FEW);
        assert!(plans.known().by_hash.len() <= FEW);
    }

    #[test]
    fn bad_options_are_refused_each_time() {
        let plans = Plans::default();
        let bad = Arc::new(Options {
            dns: vec!["a.test:80:nothost".into()],
            ..Options::default()
        });
        for _ in 0..2 {
            let error = plans.of(&bad).err().expect("no address").to_string();
            assert!(error.contains("dns has \"a.test:80:nothost\""), "{error}");
        }
    }
}
