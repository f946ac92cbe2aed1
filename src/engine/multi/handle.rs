//! A curl easy handle: its settings for a hop, and what became of the hop.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use curl::easy::{Easy2, HttpVersion as CurlVersion, List};
use once_cell::sync::OnceCell;
use url::{Position, Url};

use super::ask::*;
use super::shared::Shared;
use super::transfer::Transfer;
use super::watch::{Watch, set_before_send, set_close_socket, set_open_socket};
use crate::address::shown;
use crate::engine::codes::{self, Circumstances};
use crate::engine::{Hop, Receive, browser, guard, request};
use crate::error::{ErrorCode, Failure};
use crate::job::Timings;
use crate::options::HttpVersion;
use crate::plan::{Plan, Scheme};
use crate::process::descriptors;

/// The failure of a request whose kept connection was too old.
pub(super) fn stale(url: &Url) -> Failure {
    let what = "the kept connection was closed, or out of step, before an answer came";
    Failure::new(
        ErrorCode::ConnectionAborted,
        format!("{}: {what}", shown(url.as_str())),
    )
}

/// All of a handle's settings that the next hop may well share.
pub(super) struct Profile {
    plan: Arc<Plan>,
    method: String,
    body: bool,
    home: bool,
}

impl Profile {
    fn of(hop: &Hop<'_>) -> Self {
        Self {
            plan: Arc::clone(hop.plan),
            method: hop.method.to_owned(),
            body: hop.body,
            home: hop.home,
        }
    }

    fn fits(&self, hop: &Hop<'_>) -> bool {
        Arc::ptr_eq(&self.plan, hop.plan)
            && self.method == hop.method
            && self.body == hop.body
            && self.home == hop.home
    }
}

/// The settings of a handle: the next hop sets only what differs.
pub(super) struct Settings {
    profile: Profile,
    timeout: Duration,
    connect_timeout: Duration,
    /// The host and port that it connects to instead of the URL's.
    led: Option<(String, u16)>,
    /// Whether addresses are set.
    pinned: bool,
    cookie: Option<Vec<u8>>,
    from: Option<String>,
    fresh: bool,
    http1: bool,
    /// Whether the request's target is set, instead of curl taking it from the URL.
    targeted: bool,
    /// Whether the hop's URL is https.
    secure: bool,
}

impl Settings {
    fn of(hop: &Hop<'_>) -> Self {
        Self {
            profile: Profile::of(hop),
            timeout: Duration::ZERO,
            connect_timeout: Duration::ZERO,
            led: None,
            pinned: false,
            cookie: None,
            from: None,
            fresh: false,
            http1: false,
            targeted: false,
            secure: false,
        }
    }
}

/// Where a hop goes, and from where.
#[derive(Default)]
pub(super) struct Ways {
    /// The host and port to connect to, if they are not the URL's.
    pub led: Option<(String, u16)>,
    /// Addresses of that host and of the proxy, as in curl's --resolve.
    pub pins: Vec<String>,
    /// The source of its connections, as in curl's --interface.
    pub from: Option<String>,
}

/// A curl handle that runs nothing.
pub(super) struct Handle<R> {
    pub easy: Easy2<Transfer<R>>,
    settings: Settings,
}

impl<R: Receive> Handle<R> {
    pub fn new(shared: &Arc<Shared>, hop: &Hop<'_>) -> Result<Self, curl::Error> {
        let easy = Easy2::new(Transfer::new(Rc::new(Watch::new(shared))));
        let mut handle = Self::join(easy, Settings::of(hop));
        handle.configure()?;
        Ok(handle)
    }

    /// Whether its settings suit the hop, apart from those that differ between any two hops.
    pub fn fits(&self, hop: &Hop<'_>) -> bool {
        self.settings.profile.fits(hop)
    }

    /// Splits off the handle that curl runs under that number in its engine.
    pub fn split(mut self, key: usize) -> (Easy2<Transfer<R>>, Settings) {
        self.easy.get_mut().share.key = key;
        (self.easy, self.settings)
    }

    pub fn join(easy: Easy2<Transfer<R>>, settings: Settings) -> Self {
        Self { easy, settings }
    }

    /// How the transfer's time was spent, and the total. curl counts each phase from the transfer's
    /// start, and gives 0 for phases that were not reached; a reused connection skips some.
    pub fn timings(&self) -> (Timings, Duration) {
        let at = |what| time(&self.easy, what);
        let total = at(TOTAL_TIME_T);
        let (mut looked_up, mut connected, mut secured) = Default::default();
        if self.opened() {
            looked_up = at(NAMELOOKUP_TIME_T).min(total);
            connected = at(CONNECT_TIME_T).max(looked_up);
            secured = at(APPCONNECT_TIME_T).max(connected);
            if !self.is_connected() {
                // The phase that failed took the rest.
                secured = total;
                if connected == looked_up {
                    connected = total;
                }
            }
        }
        let answered = match at(STARTTRANSFER_TIME_T) {
            Duration::ZERO => total,
            time => time.max(secured),
        };
        let timings = Timings {
            name_lookup: looked_up,
            connect: connected - looked_up,
            tls: secured - connected,
            wait: answered.saturating_sub(secured),
            receive: total.saturating_sub(answered),
        };
        (timings, total)
    }

    /// Whether the connection turned out to be gone when the request was on it, and curl would have
    /// repeated the request at once. curl was stopped, because the engine does not decide when to ask a
    /// server again.
    fn was_repeated(&self) -> bool {
        self.easy.get_ref().watch.repeats.get()
    }

    /// Whether a kept connection was gone when the request was on it, or an HTTP/2 connection ended to
    /// make way for HTTP/1.1. `error` is curl's, `failure` is ours for it. curl reports the end of an
    /// HTTP/2 connection by many errors, and repeats nothing.
    pub fn is_stale(&self, error: Option<&curl::Error>, failure: Option<&Failure>) -> bool {
        let transfer = self.easy.get_ref();
        let ended = failure.is_some_and(|failure| failure.code == ErrorCode::ConnectionAborted)
            && !error.is_some_and(codes::is_of_stream);
        let watch = &transfer.watch;
        let unanswered = self.was_sent() && transfer.status == 0;
        let told = || watch.shared.sockets().http1_wanted(watch.connection.get());
        let foreseen = !self.opened() || told().is_some();
        self.was_repeated() || watch.early.get() || ended && unanswered && foreseen
    }

    /// Whether it opened a connection instead of reusing one.
    fn opened(&self) -> bool {
        self.easy.get_ref().watch.opened.get()
    }

    /// Whether a connection stood, TLS included.
    fn is_connected(&self) -> bool {
        let last = match self.settings.secure {
            true => APPCONNECT_TIME_T,
            false => CONNECT_TIME_T,
        };
        !self.opened() || !time(&self.easy, last).is_zero()
    }

    /// Whether the request was on a connection.
    pub fn was_sent(&self) -> bool {
        self.easy.get_ref().watch.sent.get()
    }

    /// Whether the only fault is that the connection ended without TLS's goodbye, where only that end
    /// marks the end of the answer (RFC 9112, section 6.3).
    pub fn is_unclosed(&self, error: &curl::Error) -> bool {
        let transfer = self.easy.get_ref();
        let tells = |name| transfer.headers.get(name).is_some();
        transfer.body_began
            && transfer.malformed.is_none()
            && transfer.is_http1
            && !tells("content-length")
            && !tells("transfer-encoding")
            && codes::is_unclosed(error)
    }

    /// Whether an HTTP/2 answer came whole, by its length, and only telling the peer so failed: a peer
    /// that closes its connection at once may have reset it by then.
    fn is_whole(&self, error: &curl::Error) -> bool {
        let transfer = self.easy.get_ref();
        let length = || {
            let value = std::str::from_utf8(transfer.headers.get("content-length")?).ok()?;
            value.trim().parse().ok()
        };
        error.is_send_error()
            && transfer.watch.multiplexed.get()
            && !transfer.watch.broken.get()
            && transfer.body_began
            && length() == Some(transfer.received)
    }

    /// Whether the system had no descriptor for a socket that the transfer needed, and nothing was sent
    /// over another.
    pub fn had_no_descriptor(&self) -> bool {
        let no_socket = self.easy.get_ref().watch.no_socket.get();
        !self.was_sent() && descriptors::are_out(no_socket)
    }

    /// Whether the server wants HTTP/1.1 for what was sent, and if so, whether it said that it did not
    /// act on it. `stale`: nothing came of the request.
    pub fn wants_http1(&self, stale: bool) -> Option<bool> {
        let transfer = self.easy.get_ref();
        let watch = &transfer.watch;
        if transfer.status != 0 {
            return None;
        }
        match watch.wants_http1.get() {
            true => Some(true),
            false => {
                let told = watch.shared.sockets().http1_wanted(watch.connection.get());
                told.filter(|_| stale)
            }
        }
    }

    /// Gives up the connection, because its peer broke the protocol. curl would keep an HTTP/2
    /// connection.
    pub fn give_up_connection(&self) {
        let watch = &self.easy.get_ref().watch;
        watch.shared.sockets().give_up(watch.connection.get());
    }

    /// Whether curl chose a kept connection that was unfit, with the effect that nothing was sent.
    pub fn met_unfit(&self) -> bool {
        self.easy.get_ref().watch.unfit.get()
    }

    /// Why the transfer is not whole, if it is not, given the time that it took.
    pub fn failure(
        &self,
        url: &Url,
        error: Option<&curl::Error>,
        took: Duration,
    ) -> Option<Failure> {
        let transfer = self.easy.get_ref();
        let plan = &self.settings.profile.plan;
        let protocol = |code, what: &str| {
            Some(Failure::new(
                code,
                format!("{}: {what}", shown(url.as_str())),
            ))
        };
        if transfer.panicked {
            return protocol(
                ErrorCode::InternalError,
                "the library panicked over the answer",
            );
        }
        if let Some(what) = transfer.lacking {
            return Some(Failure::no_memory(&shown(url.as_str()), what));
        }
        if let Some(what) = &transfer.malformed {
            return protocol(ErrorCode::ProtocolError, what);
        }
        if error.is_none()
            && let Some(failure) = codes::refused_by_proxy(url, transfer.status, plan)
        {
            return Some(failure);
        }
        // curl takes what it has as the answer.
        if error.is_none() && !transfer.body_began {
            return protocol(
                ErrorCode::ConnectionAborted,
                "the connection was closed within the head of the answer",
            );
        }
        let error = error.filter(|error| !transfer.stopped && !self.is_whole(error))?;
        // If there were other addresses, their outcome counts.
        if !self.opened()
            && transfer.watch.no_socket.get() == 0
            && let Some((address, by)) = &*transfer.watch.refused.borrow()
        {
            return Some(guard::forbidden(url, address, by));
        }
        let peer = self.easy.primary_ip().ok().flatten();
        let circumstances = Circumstances {
            errno: match self.easy.os_errno() {
                Ok(0) => Some(transfer.watch.no_socket.get()),
                Ok(errno) if errno == transfer.watch.errno_before.get() => Some(0),
                errno => errno.ok(),
            },
            connected: self.is_connected(),
            answered: transfer.has_answer(),
            broken: transfer.watch.broken.get(),
            peer: peer.filter(|ip| !ip.is_empty()),
            proxy: plan.proxy.as_deref(),
            interface: plan.network_interface.as_deref(),
            took,
        };
        Some(codes::failure(url.as_str(), error, &circumstances))
    }

    /// Prepares the handle for a hop. `http1`: its host wants HTTP/1.1.
    pub fn prepare(
        &mut self,
        hop: &Hop<'_>,
        receiver: R,
        timeout: Duration,
        connect_timeout: Duration,
        ways: &Ways,
        http1: bool,
    ) -> Result<(), (R, curl::Error)> {
        match self.set(hop, timeout, connect_timeout, ways, http1) {
            Ok(()) => {
                let transfer = self.easy.get_mut();
                transfer.watch.clear();
                *transfer = Transfer {
                    receiver: Some(receiver),
                    headers: std::mem::take(&mut transfer.headers),
                    ..Transfer::new(Rc::clone(&transfer.watch))
                };
                Ok(())
            }
            Err(error) => Err((receiver, error)),
        }
    }

    fn set(
        &mut self,
        hop: &Hop<'_>,
        timeout: Duration,
        connect_timeout: Duration,
        ways: &Ways,
        http1: bool,
    ) -> Result<(), curl::Error> {
        if !self.fits(hop) {
            self.easy.reset();
            self.settings = Settings::of(hop);
            self.configure()?;
        }
        if self.settings.timeout != timeout {
            self.easy.timeout(timeout)?;
            self.settings.timeout = timeout;
        }
        if self.settings.connect_timeout != connect_timeout {
            self.easy.connect_timeout(connect_timeout)?;
            self.settings.connect_timeout = connect_timeout;
        }
        if self.settings.cookie.as_deref() != hop.cookie {
            match hop.cookie {
                Some(cookie) => set_text(&self.easy, curl_sys::CURLOPT_COOKIE, cookie)?,
                None => set_null(&self.easy, curl_sys::CURLOPT_COOKIE)?,
            }
            self.settings.cookie = hop.cookie.map(Into::into);
        }
        if self.settings.from != ways.from {
            // A hop without a source has a profile of its own, and therefore a handle that was reset.
            if let Some(from) = &ways.from {
                self.easy.interface(from)?;
            }
            self.settings.from.clone_from(&ways.from);
        }
        if self.settings.http1 != http1 {
            self.easy
                .http_version(version(&self.settings.profile.plan, http1))?;
            self.settings.http1 = http1;
        }
        if self.settings.fresh != hop.fresh {
            self.easy.fresh_connect(hop.fresh)?;
            self.settings.fresh = hop.fresh;
        }
        if self.settings.led != ways.led {
            // The list has the one place, already found: curl would search all of connect_to.
            let mut list = List::new();
            if let Some((host, port)) = &ways.led {
                list.append(&format!("::{host}:{port}"))?;
            }
            self.easy.connect_to(list)?;
            self.settings.led.clone_from(&ways.led);
        }
        // curl drops these after each transfer.
        if self.settings.pinned || !ways.pins.is_empty() {
            let mut list = List::new();
            for pin in &ways.pins {
                list.append(pin)?;
            }
            self.easy.resolve(list)?;
            self.settings.pinned = !ways.pins.is_empty();
        }
        self.settings.secure = hop.url.scheme() == "https";
        let target = changed_by_curl(hop.url).then(|| {
            let plan = &self.settings.profile.plan;
            target(
                hop.url,
                !self.settings.secure && request::has_http_proxy(plan),
            )
        });
        match &target {
            Some(target) => set_text(&self.easy, CURLOPT_REQUEST_TARGET, target.as_bytes())?,
            None if self.settings.targeted => set_null(&self.easy, CURLOPT_REQUEST_TARGET)?,
            None => {}
        }
        self.settings.targeted = target.is_some();
        self.easy.url(hop.url.as_str())
    }

    /// Applies the profile to a handle that is new or reset.
    fn configure(&mut self) -> Result<(), curl::Error> {
        let Profile {
            plan,
            method,
            body,
            home,
        } = &self.settings.profile;
        let easy = &mut self.easy;

        let watch = Rc::clone(&easy.get_ref().watch);
        watch.direct.set(plan.proxy.is_none());
        watch.easy.set(easy.raw());
        let clear = plan.http_version == HttpVersion::Http2PriorKnowledge;
        watch.prior_knowledge.set(clear);
        set_open_socket(easy, Rc::as_ptr(&watch))?;
        set_close_socket(easy, &watch.shared.sockets)?;
        set_before_send(easy, Rc::as_ptr(&watch))?;
        set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)?;
        // The URL parser has removed the dots already.
        easy.path_as_is(true)?;

        let bytes = request::body(plan, method, *body);
        watch.bodiless.set(bytes.is_none());
        match bytes {
            Some(bytes) => {
                easy.post_fields_copy(bytes)?;
                easy.custom_request(method)?;
            }
            None if method == "GET" => easy.get(true)?,
            None if method == "HEAD" => easy.nobody(true)?,
            None => easy.custom_request(method)?,
        }
        easy.http_headers(headers(plan, *home, *body, bytes.is_some())?)?;
        let mut to_proxy = List::new();
        for (name, value) in request::proxy_headers(plan) {
            append(&mut to_proxy, name, value)?;
        }
        easy.proxy_headers(to_proxy)?;
        if let Some(name) = request::user_agent(plan) {
            easy.useragent(name)?;
        }
        // curl heeds `Connection: close` only in the answer. What a TLS proxy sends unasked can't be
        // seen, because curl does not give that TLS out.
        let single = request::closes(plan) || plan.proxy_scheme() == Some(Scheme::Https);
        easy.get_ref().watch.single.set(single);
        easy.forbid_reuse(single)?;

        easy.http_version(version(plan, false))?;
        // An empty proxy also keeps curl from the environment's.
        easy.proxy(plan.proxy.as_deref().unwrap_or(""))?;
        easy.noproxy("")?;

        if let Some(file) = plan.ca_file.as_deref().or(system_authorities()) {
            easy.cainfo(file)?;
            easy.proxy_cainfo(&file.to_string_lossy())?;
            // curl parses a bundle once for all its connections, but only if no directory is set:
            // otherwise a connection costs 20 times as much (docs/tls.md).
            set_null(easy, curl_sys::CURLOPT_CAPATH)?;
        }
        if plan.spoof_tls_ciphers {
            easy.ssl_cipher_list(browser::TLS12_CIPHERS)?;
            set_text(
                easy,
                CURLOPT_TLS13_CIPHERS,
                browser::TLS13_CIPHERS.as_bytes(),
            )?;
        }
        if plan.insecure {
            easy.ssl_verify_peer(false)?;
            easy.ssl_verify_host(false)?;
            easy.proxy_ssl_verify_peer(false)?;
            easy.proxy_ssl_verify_host(false)?;
        }
        Ok(())
    }
}

/// The system's bundle of certificate authorities. `None`: the system has only a directory of them, or
/// the environment names a directory, which curl then reads for each connection.
fn system_authorities() -> Option<&'static Path> {
    static FOUND: OnceCell<Option<PathBuf>> = OnceCell::new();
    FOUND
        .get_or_init(|| match std::env::var_os("SSL_CERT_DIR") {
            Some(_) => None,
            None => openssl_probe::probe().cert_file,
        })
        .as_deref()
}

/// Whether curl would alter the URL's path or query. Since 8.20 it writes `%c3` as `%C3`, which the URL
/// Standard does not, and servers may tell the two apart. To a proxy it omits the question mark of an
/// empty query.
fn changed_by_curl(url: &Url) -> bool {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let is_rewritten = |(at, _): (usize, &str)| {
        let hex = target.as_bytes().get(at + 1..at + 3).unwrap_or_default();
        let is_lower = |byte: &u8| matches!(byte, b'a'..=b'f');
        hex.iter().all(u8::is_ascii_hexdigit) && hex.iter().any(is_lower)
    };
    target.ends_with('?') || target.match_indices('%').any(is_rewritten)
}

/// The request target (RFC 9112, section 3.2). `whole`: a proxy gets the whole URL.
fn target(url: &Url, whole: bool) -> Cow<'_, str> {
    match whole {
        false => url[Position::BeforePath..Position::AfterQuery].into(),
        // The server's credentials and the fragment are left out.
        true => {
            let scheme = &url[..Position::AfterScheme];
            let rest = &url[Position::BeforeHost..Position::AfterQuery];
            format!("{scheme}://{rest}").into()
        }
    }
}

/// The version to offer. `http1`: the host wants HTTP/1.1.
fn version(plan: &Plan, http1: bool) -> CurlVersion {
    match plan.http_version {
        _ if http1 => CurlVersion::V11,
        HttpVersion::Any => CurlVersion::V2TLS,
        HttpVersion::Http11 => CurlVersion::V11,
        HttpVersion::Http2PriorKnowledge => CurlVersion::V2PriorKnowledge,
    }
}

/// The header lines to send, in curl's syntax. `home` and `kept` are the hop's; `body`: whether a body
/// is sent.
fn headers(plan: &Plan, home: bool, kept: bool, body: bool) -> Result<List, curl::Error> {
    let mut list = List::new();
    // curl adds these to a body by itself otherwise.
    if body {
        list.append("Expect:")?;
        if !plan.has_header("content-type") {
            list.append("Content-Type:")?;
        }
    }
    for (name, value) in request::headers(plan, home, kept) {
        append(&mut list, name, value)?;
    }
    Ok(list)
}

fn append(list: &mut List, name: &str, value: &str) -> Result<(), curl::Error> {
    match value.is_empty() {
        true => list.append(&format!("{name};")),
        false => list.append(&format!("{name}: {value}")),
    }
}
