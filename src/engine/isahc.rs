//! The engine over isahc: the same work on another client of the same curl, as a check of both.
//! `docs/isahc.md` says what it does differently, and why.
//!
//! isahc runs curl on a thread of its own for each shard, and wakes the shard's futures from there. The
//! shard itself only ever waits for its bell.

use std::cell::RefCell;
use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_io::AsyncRead;
use futures_util::FutureExt as _;
use isahc::auth::Authentication;
use isahc::config::{Configurable, VersionNegotiation};
use isahc::http::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use isahc::http::{Method, Uri};
use isahc::net::interface::Name;
use isahc::tls::{TlsConfig, TrustStore};
use isahc::{AsyncBody, HttpClient, Metrics, Request};
use once_cell::unsync::OnceCell;

use super::codes::{self, Circumstances};
use super::{
    Engine, Exchange, Flow, Hop, Names, Receive, SHARE, guard, in_curls_range, left, others_first,
    request, route,
};
use crate::address::{Limits, shown};
use crate::error::{ErrorCode, Failure};
use crate::headers::Headers;
use crate::job::Timings;
use crate::options::HttpVersion;
use crate::process::fork;
use crate::sync::Poller;

/// How much of a body is taken at once: curl hands over no more.
const PIECE: usize = 16 << 10;
/// The poller has no sockets; it exists only to be notified.
const EVENTS: NonZero<usize> = NonZero::new(1).unwrap();

/// Performs hops on isahc.
pub(crate) struct Isahc<R: Receive> {
    client: HttpClient,
    /// A client that keeps no connections, for requests that must not be sent twice. isahc can't keep
    /// curl from repeating a request when a kept connection turns out to be closed.
    once: OnceCell<HttpClient>,
    names: Arc<Names>,
    limits: Arc<Limits>,
    connections: Arc<AtomicU64>,
    poller: Arc<Poller>,
    events: RefCell<polling::Events>,
    piece: RefCell<Box<[u8]>>,
    receivers: PhantomData<fn(R) -> R>,
}

/// What has come of an answer so far.
#[derive(Default)]
struct Answer {
    status: u16,
    headers: Headers,
    timings: Timings,
    /// The connection broke before the answer began.
    unanswered: bool,
}

/// A request that got no answer.
struct Lost {
    failure: Failure,
    /// Whether there was no connection, which allows trying another address.
    unconnected: bool,
}

impl<R: Receive> Engine<R> for Isahc<R> {
    fn new(
        poller: Arc<Poller>,
        names: Arc<Names>,
        connections: Arc<AtomicU64>,
        max_connects: usize,
        limits: Arc<Limits>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            // For isahc, keeping none means closing all.
            client: client(max_connects.max(1))?,
            once: OnceCell::new(),
            names,
            limits,
            connections,
            poller,
            events: RefCell::new(polling::Events::with_capacity(EVENTS)),
            piece: RefCell::new(vec![0; PIECE].into()),
            receivers: PhantomData,
        })
    }

    async fn perform(&self, hop: Hop<'_>, mut receiver: R) -> Exchange<R> {
        let began = Instant::now();
        let addresses = self.addresses(&hop).await;
        let name_lookup = began.elapsed();
        let addresses = match addresses {
            Ok(addresses) => addresses,
            Err(failure) => return Exchange::failed(receiver, failure, name_lookup),
        };
        let mut answer = Answer::default();
        // The receiver may panic, and isahc does if its thread has ended.
        let exchange =
            AssertUnwindSafe(self.exchange(&hop, &addresses, began, &mut receiver, &mut answer));
        let failure = match exchange.catch_unwind().await {
            Ok(Ok(())) => codes::refused_by_proxy(hop.url, answer.status, hop.plan),
            Ok(Err(failure)) => Some(failure),
            Err(_) => Some(fails(
                &hop,
                ErrorCode::InternalError,
                "the library panicked over the answer",
            )),
        };
        answer.timings.name_lookup += name_lookup;
        Exchange {
            receiver,
            status: answer.status,
            headers: answer.headers,
            timings: answer.timings,
            failure,
            // curl repeats such a request at once; `once` is for requests that must not be repeated.
            stale: false,
            // curl decides this too.
            unprocessed: false,
            // isahc does not pass on curl's words, and nothing else tells this.
            unclosed: false,
            unanswered: answer.unanswered,
        }
    }

    fn drive(&self) -> bool {
        // isahc has a thread for that.
        false
    }

    fn wait(&self, until: Option<Instant>) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        events.clear();
        match fork::at_rest(|| self.poller.wait(&mut events, until.map(left))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }
}

impl<R: Receive> Isahc<R> {
    /// The addresses to connect to, one after the other. None: curl needs none to be told.
    ///
    /// isahc accepts curl's --resolve only for a whole client, and --connect-to only as one address for
    /// all of a request's connections. A name is therefore looked up for each request, and its
    /// addresses are tried here.
    async fn addresses(&self, hop: &Hop<'_>) -> Result<Vec<SocketAddr>, Failure> {
        let plan = &**hop.plan;
        let limits = &*self.limits;
        guard::check(limits, hop)?;
        let led = route::led(hop.url, plan);
        let Some((host, port)) = led.or_else(|| route::own(hop.url)) else {
            return Ok(Vec::new());
        };
        let sift = |addresses| guard::sift(limits, hop, host, addresses);
        let addresses = if let Some(proxy) = &plan.proxy {
            let addresses = for_proxy(hop, proxy, led)?;
            let is_name = addresses.is_empty() && route::address(host).is_none();
            match is_name && guard::is_told_addresses(limits, plan) {
                true => sift(self.names.lookup_for(hop, host).await?)?[..1].to_vec(),
                false => addresses,
            }
        } else if let Some(address) = route::address(host) {
            led.iter().map(|_| address).collect()
        } else if let Some(list) = plan.given(host, port) {
            sift(Arc::clone(list))?.to_vec()
        } else if route::is_local(host) {
            // curl knows them too, but would try both.
            let told = led.is_some() || limits.are_on_addresses();
            let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            match told {
                true => sift(loopback.into())?.to_vec(),
                false => Vec::new(),
            }
        } else {
            sift(self.names.lookup_for(hop, host).await?)?.to_vec()
        };
        let socket = |address| SocketAddr::new(address, port);
        Ok(addresses.into_iter().map(socket).collect())
    }

    /// Sends the request and hands the answer to the receiver.
    async fn exchange(
        &self,
        hop: &Hop<'_>,
        addresses: &[SocketAddr],
        began: Instant,
        receiver: &mut R,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        let keeps = !hop.fresh && !request::closes(hop.plan);
        let client = match request::is_idempotent(hop.method) && keeps {
            true => &self.client,
            false => self.once.get_or_try_init(|| client(0))?,
        };
        let mut addresses = addresses.iter().copied();
        let (response, sent) = loop {
            let address = addresses.next();
            let time = in_curls_range(whole(hop.time_left.saturating_sub(began.elapsed())));
            let connect = hop.plan.connect_timeout.saturating_sub(began.elapsed());
            // curl does the same: an address that does not answer leaves the next as much time.
            let connect = if addresses.len() > 0 {
                connect / 2
            } else {
                connect
            };
            let request = make(hop, address, time, in_curls_range(connect))?;
            let sent = Instant::now();
            match client.send_async(request).await {
                Ok(response) => break (response, sent),
                Err(error) => {
                    self.connections.fetch_add(1, Relaxed);
                    let took = sent.elapsed();
                    let lost = lost(hop, &error, address, false, took, time);
                    match lost.unconnected {
                        true => answer.timings.connect += took,
                        false => answer.timings.wait += took,
                    }
                    if !lost.unconnected || addresses.len() == 0 {
                        answer.unanswered = !lost.unconnected && is_of_connection(&lost.failure);
                        return Err(lost.failure);
                    }
                }
            }
        };

        let (head, mut body) = response.into_parts();
        answer.status = head.status.as_u16();
        for (name, value) in &head.headers {
            let line = [name.as_str().as_bytes(), b": ", value.as_bytes()].concat();
            answer.headers.push(&line);
        }
        let metrics = head.extensions.get::<Metrics>();
        if metrics.is_some_and(|metrics| !metrics.connect_time().is_zero()) {
            self.connections.fetch_add(1, Relaxed);
        }
        let answered = sent.elapsed();
        let mut flow = receiver.head(answer.status, &answer.headers);
        let mut outcome = Ok(());
        let mut turn = Instant::now();
        // What came and was not taken yet.
        let mut rest = Vec::new();
        while flow != Flow::Stop {
            if turn.elapsed() >= SHARE {
                others_first().await;
                turn = Instant::now();
            }
            if flow == Flow::More {
                let mut left = &rest[..];
                flow = receiver.data(&mut left);
                let taken = rest.len() - left.len();
                rest.drain(..taken);
                continue;
            }
            let read = poll_fn(|context| {
                let mut piece = self.piece.borrow_mut();
                let read = Pin::new(&mut body).poll_read(context, &mut piece);
                read.map_ok(|length| {
                    let mut came = &piece[..length];
                    let flow = (length > 0).then(|| receiver.data(&mut came));
                    rest.extend_from_slice(came);
                    flow
                })
            });
            match read.await {
                Ok(Some(next)) => flow = next,
                Ok(None) => break,
                Err(error) => {
                    let (time, error) = (hop.time_left, isahc::Error::from(error));
                    outcome = Err(lost(hop, &error, None, true, sent.elapsed(), time).failure);
                    break;
                }
            }
        }
        answer.timings += match metrics {
            Some(metrics) => timings(metrics, hop.url.scheme() == "https"),
            None => Timings {
                wait: answered,
                receive: sent.elapsed() - answered,
                ..Timings::default()
            },
        };
        outcome
    }
}

/// A client that keeps that many connections, without anything that isahc may do beyond one exchange,
/// and without the environment.
fn client(keep: usize) -> Result<HttpClient, Failure> {
    HttpClient::builder()
        .connection_cache_size(keep)
        .automatic_decompression(false)
        // The credentials are those in a URL, as in curl.
        .authentication(Authentication::basic())
        .proxy(None)
        .proxy_blacklist(std::iter::empty::<String>())
        .metrics(true)
        // isahc ignores the case of headers; this is how most are written.
        .title_case_headers(true)
        .build()
        .map_err(|error| Failure::new(ErrorCode::InternalError, format!("isahc: {error}")))
}

/// isahc's request for a hop. `address`: where to connect instead of to the URL's host.
fn make(
    hop: &Hop<'_>,
    address: Option<SocketAddr>,
    time: Duration,
    connect: Duration,
) -> Result<Request<AsyncBody>, Failure> {
    let plan = &**hop.plan;
    let uri: Uri = hop.url.as_str().parse().map_err(|error| {
        let what = format!("the isahc engine can't read the URL: {error}");
        fails(hop, ErrorCode::InvalidUrl, &what)
    })?;
    let method = Method::from_bytes(hop.method.as_bytes())
        .map_err(|_| cannot(hop, &format!("send the method {:?}", hop.method)))?;
    let post = method == Method::POST;

    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .timeout(time)
        .connect_timeout(connect)
        .version_negotiation(match plan.http_version {
            HttpVersion::Any => VersionNegotiation::latest_compatible(),
            HttpVersion::Http11 => VersionNegotiation::http11(),
            HttpVersion::Http2PriorKnowledge => VersionNegotiation::http2(),
        })
        .tls_config(tls(hop)?)
        .expect_continue(false);
    if let Some(proxy) = &plan.proxy {
        request = request.proxy(proxy_uri(hop, proxy)?);
    }
    if let Some(address) = address {
        request = request.dial(address);
    }
    request = match &plan.network_interface {
        None => request,
        Some(name) => match name.parse::<IpAddr>() {
            Ok(address) => request.interface(address),
            Err(_) => request.interface(Name(name.clone())),
        },
    };

    let body = request::body(plan, hop.method, hop.body);
    let mut headers = headers(hop)?;
    if post && body.is_some() && !headers.contains_key(CONTENT_TYPE) {
        // curl would call it a form. An unknown type says no more than no type at all (RFC 9110,
        // section 8.3).
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
    }
    if let Some(ours) = request.headers_mut() {
        *ours = headers;
    }
    request
        .body(body.map_or_else(AsyncBody::empty, AsyncBody::from))
        .map_err(|error| cannot(hop, &format!("make the request: {error}")))
}

fn headers(hop: &Hop<'_>) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::new();
    let agent = request::user_agent(hop.plan);
    let agent = agent.map(|agent| (USER_AGENT.as_str(), agent.as_bytes()));
    let cookie = hop.cookie.map(|cookie| (COOKIE.as_str(), cookie));
    let others = request::headers(hop.plan, hop.home, hop.body);
    let mut to_proxy = request::proxy_headers(hop.plan).peekable();
    if to_proxy.peek().is_some() && hop.url.scheme() == "https" {
        return Err(cannot(hop, "send Proxy-Authorization to the proxy alone"));
    }
    let all = agent
        .into_iter()
        .chain(others.map(|(name, value)| (name, value.as_bytes())))
        .chain(to_proxy.map(|(name, value)| (name, value.as_bytes())))
        .chain(cookie);
    for (name, value) in all {
        // isahc panics over other values.
        let value = HeaderValue::from_bytes(value)
            .ok()
            .filter(|value| value.to_str().is_ok())
            .ok_or_else(|| cannot(hop, &format!("send {name}: its value is not plain ASCII")))?;
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| cannot(hop, &format!("send a header of the name {name:?}")))?;
        map.append(name, value);
    }
    Ok(map)
}

fn tls(hop: &Hop<'_>) -> Result<TlsConfig, Failure> {
    let plan = &**hop.plan;
    if plan.spoof_tls_ciphers && hop.url.scheme() == "https" {
        // isahc sets only the ciphers of TLS 1.2, and half of the list fools nobody.
        return Err(cannot(
            hop,
            "set the ciphers of TLS 1.3 (spoof_tls_ciphers)",
        ));
    }
    let mut tls = TlsConfig::builder()
        .danger_accept_invalid_certs(plan.insecure)
        .danger_accept_invalid_hosts(plan.insecure);
    if let Some(file) = &plan.ca_file {
        tls = tls.trust_store(TrustStore::from_file(file));
    }
    Ok(tls.build())
}

/// The address to ask the proxy for, if it is not the URL's host. `led`: where `connect_to` leads.
fn for_proxy(hop: &Hop<'_>, proxy: &str, led: Option<(&str, u16)>) -> Result<Vec<IpAddr>, Failure> {
    let uri = proxy_uri(hop, proxy)?;
    let own = hop.plan.proxy();
    if own.is_some_and(|own| hop.plan.given(&own.host, own.port).is_some()) {
        return Err(cannot(hop, "take a proxy's address from dns"));
    }
    if let Some((host, _)) = led {
        return match route::address(host) {
            Some(address) => Ok(vec![address]),
            None => Err(cannot(hop, "have a proxy connect_to a name")),
        };
    }
    // This kind of proxy gets addresses; for others, dns does not matter.
    let local = uri.scheme_str() == Some("socks5");
    match route::own(hop.url).and_then(|(host, port)| hop.plan.given(host, port)) {
        Some(list) if local => Ok(list[..1].to_vec()),
        _ => Ok(Vec::new()),
    }
}

fn proxy_uri(hop: &Hop<'_>, proxy: &str) -> Result<Uri, Failure> {
    let uri: Uri = proxy
        .parse()
        .map_err(|error| cannot(hop, &format!("read the proxy {}: {error}", shown(proxy))))?;
    match uri.scheme_str() {
        // isahc 2.0.2 has it inverted: it checks a proxy's certificate when told not to.
        Some("https") => Err(cannot(hop, "talk TLS to a proxy")),
        _ => Ok(uri),
    }
}

/// The failure for isahc's error. `address`: where it was to connect to; `time`: all it had.
fn lost(
    hop: &Hop<'_>,
    error: &isahc::Error,
    address: Option<SocketAddr>,
    answered: bool,
    took: Duration,
    time: Duration,
) -> Lost {
    let plan = &**hop.plan;
    let Some(curl) = error
        .source()
        .and_then(|source| source.downcast_ref::<curl::Error>())
    else {
        let source = error.source().map(|source| format!(": {source}"));
        let words = format!("isahc: {error}{}", source.unwrap_or_default());
        return Lost {
            failure: fails(hop, ErrorCode::InternalError, &words),
            unconnected: false,
        };
    };
    if curl.is_write_error() {
        // isahc refuses a line that it can't read.
        let words = "the head of the answer has a line that is no header";
        return Lost {
            failure: fails(hop, ErrorCode::ProtocolError, words),
            unconnected: false,
        };
    }
    let timed_out = curl.is_operation_timedout();
    // isahc does not tell how far it came. A transfer that ended before its time was ended by the other
    // limit.
    let connected = answered
        || match timed_out {
            true if took < time => false,
            true => plan.connect_timeout < time || error.remote_addr().is_some(),
            false => !curl.is_couldnt_connect() && plan.proxy.is_none(),
        };
    // isahc does not pass on curl's own words either.
    let mut curl = curl.clone();
    if let Some(file) = plan
        .ca_file
        .as_ref()
        .filter(|_| curl.is_ssl_cacert_badfile())
    {
        curl.set_extra(format!("{}: {}", curl.description(), file.display()));
    }
    let peer = error
        .remote_addr()
        .or(address)
        .map(|peer| peer.ip().to_string());
    let how = Circumstances {
        errno: None,
        connected,
        answered,
        broken: false,
        peer: peer.as_deref(),
        proxy: plan.proxy.as_deref(),
        interface: plan.network_interface.as_deref(),
        took,
    };
    let unconnected = match timed_out {
        true => !connected,
        false => curl.is_couldnt_connect() || curl.is_interface_failed(),
    };
    Lost {
        failure: codes::failure(hop.url.as_str(), &curl, &how),
        unconnected,
    }
}

/// How a transfer's time was spent, as far as it came.
fn timings(metrics: &Metrics, secure: bool) -> Timings {
    let name_lookup = metrics.name_lookup_time();
    let connect = metrics.connect_time();
    let tls = match secure {
        true => metrics.secure_connect_time(),
        false => Duration::ZERO,
    };
    let before = name_lookup + connect + tls;
    Timings {
        name_lookup,
        connect,
        tls,
        wait: metrics.transfer_start_time().saturating_sub(before),
        receive: metrics.transfer_time(),
    }
}

/// A time in whole milliseconds, rounded up, as curl counts it.
fn whole(time: Duration) -> Duration {
    let millis = time.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(millis.try_into().unwrap_or(u64::MAX))
}

/// Whether the connection broke: isahc has the same words for a reset and for other trouble with it.
fn is_of_connection(failure: &Failure) -> bool {
    use ErrorCode::*;
    matches!(failure.code, ConnectionAborted | ReceiveError | SendError)
}

fn fails(hop: &Hop<'_>, code: ErrorCode, what: &str) -> Failure {
    Failure::new(code, format!("{}: {what}", shown(hop.url.as_str())))
}

fn cannot(hop: &Hop<'_>, what: &str) -> Failure {
    let what = format!("the isahc engine can't {what}");
    fails(hop, ErrorCode::InternalError, &what)
}
