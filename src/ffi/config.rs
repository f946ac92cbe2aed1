//! `pool_config_t` and `pool_options_t`: how a pool, a stream and a job are set up.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use super::result::{lend, no_memory, pool_result_t};
use super::{Sized_, init_sized, invalid, pool_status_t, read_sized, write_sized};
use crate::error::Error;
use crate::process::memory;
use crate::{
    Callback, HttpVersion, Options, ParallelismFn, PoolConfig, Retry, Rule, StreamConfig,
    ThrottleFn,
};

/// Offer HTTP/2 over TLS, HTTP/1.1 otherwise. A host that gives HTTP/2 up (RFC 9113, section 7,
/// HTTP_1_1_REQUIRED) is asked once more over HTTP/1.1, and so for an hour.
pub const POOL_HTTP_ANY: i32 = 0;
/// HTTP/1.1 only.
pub const POOL_HTTP_1_1: i32 = 1;
/// HTTP/2 without asking first, in the clear too (RFC 9113, section 3.3).
pub const POOL_HTTP_2_PRIOR_KNOWLEDGE: i32 = 2;

/// One header: of a request in pool_options_t, of an answer in pool_result_t.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct pool_header_t {
    /// The name, in the case it was written in.
    pub name: *const c_char,
    /// The value without the white space around it. In an answer these are the bytes as received,
    /// which need not be UTF-8.
    pub value: *const c_char,
    /// The bytes of the name; 0 in a request: up to the NUL.
    pub name_size: usize,
    /// The bytes of the value; 0 in a request: up to the NUL.
    pub value_size: usize,
}

/// How jobs are done. Set by pool_options_init, then changed as wanted; copied by each call that
/// takes it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct pool_options_t {
    /// Set by pool_options_init.
    pub struct_size: usize,
    /// The request method, but CONNECT. Default NULL: GET for a request; for a resolve HEAD, or GET
    /// with a body.
    pub method: *const c_char,
    /// Headers to send, in this order. Authorization, Cookie and Host are not sent on to another origin;
    /// Proxy-Authorization goes to an HTTP proxy alone. A name or value with a line break, a NUL
    /// or another control character is refused. So is what says where a request ends and what
    /// becomes of its connection: Content-Length, Transfer-Encoding, Trailer, Expect, Upgrade,
    /// HTTP2-Settings, Proxy-Connection, TE but for trailers, Connection but for keep-alive, TE
    /// and close (which closes it behind the answer), a second Host and one that is no host.
    /// Default NULL: none.
    pub headers: *const pool_header_t,
    /// The number of headers, 1000 at most. Default 0.
    pub header_count: usize,
    /// The value of a Cookie header, not sent on to another origin. Default NULL: none.
    pub cookie: *const c_char,
    /// 1: cookies that answers set on the way are sent with the job's next hops, to the hosts and
    /// paths they are meant for (RFC 6265). They are forgotten when the attempt ends. A URL may
    /// then be met again after a cookie was set. Default 0.
    pub stateful: i32,
    /// 1: send the User-Agent of a widespread browser instead of rouet/VERSION. One among headers
    /// comes first. Default 0.
    pub spoof_ua: i32,
    /// What to send as the request's body. Default NULL: none.
    pub body: *const c_void,
    /// The bytes of the body. Default 0.
    pub body_size: usize,
    /// Seconds to look up the name, connect and shake hands, each hop; above 0. Default 5.
    pub connect_timeout: f64,
    /// Seconds for a whole attempt, all hops and the body; above 0. Default 30.
    pub timeout: f64,
    /// The largest body taken, in bytes after decompression; beyond it the job ends in
    /// body-too-large. Default 268435456: 256 MiB.
    pub max_body_size: u64,
    /// 1: ask for gzip, deflate, br or zstd, and undo them. Default 0.
    pub compressed: i32,
    /// 1: follow redirections, of any kind. Default 1.
    pub follow_redirects: i32,
    /// How many redirections are followed before max-redirects; -1: 10 for a request, 20 for a
    /// resolve. Default -1.
    pub max_redirects: i32,
    /// 1: follow a Refresh header, on an answer below 400 that is no redirection itself, whatever
    /// its delay. Several such lines: the first that leads to what can be requested. A page that
    /// refreshes itself, or leads back to where the job was, or to what can't be requested, is where a
    /// job ends. Default 1.
    pub follow_refresh_header: i32,
    /// 1: follow a page's <meta http-equiv="refresh"> likewise. It is looked for in the first 1 KiB
    /// of an HTML body, or 64 KiB with follow_js_relocation or canonicalize; a resolve then uses
    /// GET. One within `<noscript>` counts only without follow_js_relocation and where nothing else
    /// leads on. Default 0.
    pub follow_meta_refresh: i32,
    /// 1: follow a page's script likewise that sends its reader elsewhere by plain text such as
    /// location = "…" or location.replace("…") within the first 64 KiB of an HTML body; a resolve
    /// then uses GET. Default 0.
    pub follow_js_relocation: i32,
    /// 1: take the target from the URL itself, without a request, where the URL is that of a known
    /// kind of redirection: …?url=…, l.facebook.com/l.php?u=…, AMP caches. The job's group is then
    /// that of the target. Default 0.
    pub infer_redirection: i32,
    /// 1: the stack ends in the URL that the last page calls its own with <link rel="canonical">,
    /// if it is another and is told in the first 64 KiB. It is not requested. A resolve then uses
    /// GET. Default 0.
    pub canonicalize: i32,
    /// 1: certificates go unchecked. Default 0.
    pub insecure: i32,
    /// 1: offer the TLS ciphers of a widespread browser, in its order. Default 0.
    pub spoof_tls_ciphers: i32,
    /// Final statuses that are errors: invalid-status-404. Default NULL: none.
    pub raise_on_statuses: *const u16,
    /// The number of these statuses. Default 0.
    pub raise_on_status_count: usize,
    /// The encoding of the text, by a label of the Encoding Standard such as "windows-1251": it is
    /// then not looked for. Default NULL: none.
    pub known_encoding: *const c_char,
    /// A PEM file of the certificate authorities to trust. Default NULL: the system's.
    pub ca_file: *const c_char,
    /// A proxy: http://, https://, socks5:// or socks5h://, with credentials if it needs them. The
    /// environment's http_proxy and no_proxy are not looked at. Default NULL: none.
    pub proxy: *const c_char,
    /// "HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT", as in curl: connect there instead. An empty
    /// HOST or PORT matches any. Ports are 1 to 65535, and hosts are written as in a URL (xn--…).
    /// Default NULL: none.
    pub connect_to: *const *const c_char,
    /// The number of connect_to entries, 10,000 at most. Default 0.
    pub connect_to_count: usize,
    /// "HOST:PORT:ADDRESS", or several addresses with commas between, as in curl's --resolve: use
    /// these. A HOST of * is any. Jobs of one pool share connections by host and port: do not give
    /// one host different addresses in one pool. Default NULL: none.
    pub dns: *const *const c_char,
    /// The number of dns entries, 10,000 at most. Default 0.
    pub dns_count: usize,
    /// The local interface, address or host name to connect from. A host name is looked up for each
    /// hop, as the URL's is. Default NULL: any.
    pub network_interface: *const c_char,
    /// POOL_HTTP_ANY, POOL_HTTP_1_1 or POOL_HTTP_2_PRIOR_KNOWLEDGE. Default POOL_HTTP_ANY.
    pub http_version: i32,
    /// 1: a failed attempt is made again, after retry_min_wait·4^(n−1) seconds, at most
    /// retry_max_wait, varied by a quarter either way. The waiting job occupies no worker, and its
    /// group's throttle still holds. Made again: connections refused, reset or broken off,
    /// unreachable hosts and networks, protocol errors, and names that can't be looked up for now.
    /// With 0 retry_on_timeout and retry_on_statuses have no effect, and are refused. Default 0.
    pub retry: i32,
    /// Attempts in all, the first included; at least 1. Default 3.
    pub retry_max_attempts: u32,
    /// 1: time-outs are tried again too. Default 0.
    pub retry_on_timeout: i32,
    /// Seconds to wait after the first attempt; 0 or above. Default 10.
    pub retry_min_wait: f64,
    /// The longest wait, in seconds; at least retry_min_wait. Default 86400: one day.
    pub retry_max_wait: f64,
    /// Statuses of a final answer that are tried again too. Default NULL: none.
    pub retry_on_statuses: *const u16,
    /// The number of these statuses. Default 0.
    pub retry_on_status_count: usize,
    /// 1: the result's URLs, as submitted and in its stack, have *** in place of a user and password.
    /// Messages and the log always do. Headers and bodies stay as they came. Default 0.
    pub mask_credentials: i32,
    /// 1: a resolve whose HEAD got 400, 403, 404, 405, 406 or 5xx, or no answer because the connection
    /// was closed or reset, asks with GET too, at once: many servers answer HEAD otherwise than GET.
    /// The pool remembers of each host, up to some thousands, what came of it: where GET got another
    /// answer its next URLs are asked for with GET alone, where it got the same such an answer to
    /// HEAD is believed, but for 405 and 501, which are of the method. 0: the answer to HEAD is the
    /// result. Default 1.
    pub head_fallback: i32,
}

// SAFETY: repr(C), struct_size first, numbers and pointers only.
unsafe impl Sized_ for pool_options_t {
    const NAME: &'static str = "pool_options_t";
    const SIZES: &'static [usize] = &[offset_of!(Self, mask_credentials), size_of::<Self>()];

    fn defaults() -> Self {
        let options = Options::default();
        let retry = Retry::default();
        Self {
            struct_size: size_of::<Self>(),
            method: std::ptr::null(),
            headers: std::ptr::null(),
            header_count: 0,
            cookie: std::ptr::null(),
            stateful: options.stateful.into(),
            spoof_ua: options.spoof_ua.into(),
            body: std::ptr::null(),
            body_size: 0,
            connect_timeout: options.connect_timeout.as_secs_f64(),
            timeout: options.timeout.as_secs_f64(),
            max_body_size: options.max_body_size,
            compressed: options.compressed.into(),
            follow_redirects: options.follow_redirects.into(),
            max_redirects: -1,
            follow_refresh_header: options.follow_refresh_header.into(),
            follow_meta_refresh: options.follow_meta_refresh.into(),
            follow_js_relocation: options.follow_js_relocation.into(),
            infer_redirection: options.infer_redirection.into(),
            canonicalize: options.canonicalize.into(),
            insecure: options.insecure.into(),
            spoof_tls_ciphers: options.spoof_tls_ciphers.into(),
            raise_on_statuses: std::ptr::null(),
            raise_on_status_count: 0,
            known_encoding: std::ptr::null(),
            ca_file: std::ptr::null(),
            proxy: std::ptr::null(),
            connect_to: std::ptr::null(),
            connect_to_count: 0,
            dns: std::ptr::null(),
            dns_count: 0,
            network_interface: std::ptr::null(),
            http_version: POOL_HTTP_ANY,
            retry: options.retry.is_some().into(),
            retry_max_attempts: retry.max_attempts,
            retry_on_timeout: retry.on_timeout.into(),
            retry_min_wait: retry.min_wait.as_secs_f64(),
            retry_max_wait: retry.max_wait.as_secs_f64(),
            retry_on_statuses: std::ptr::null(),
            retry_on_status_count: 0,
            mask_credentials: options.mask_credentials.into(),
            head_fallback: options.head_fallback.into(),
        }
    }
}

/// Writes the defaults into `options`, which stays the caller's; `struct_size` is
/// `sizeof(pool_options_t)`. Any thread may call it.
///
/// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or a size that is not known.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_options_init(
    options: *mut pool_options_t,
    struct_size: usize,
) -> pool_status_t {
    // SAFETY: the caller's promise.
    unsafe { init_sized(options, struct_size) }
}

/// Options in C's form, with what they point to.
#[derive(Debug)]
pub(super) struct KeptOptions {
    options: pool_options_t,
    _texts: Vec<CString>,
    _lists: Vec<Vec<*const c_char>>,
    _headers: Vec<pool_header_t>,
    _source: Arc<Options>,
}

// SAFETY: it owns all that its pointers point to, and nothing of it changes.
unsafe impl Send for KeptOptions {}
// SAFETY: as above.
unsafe impl Sync for KeptOptions {}

impl KeptOptions {
    pub fn of(source: Arc<Options>) -> Self {
        let mut texts = Vec::new();
        // Options::check has seen to it that none has a NUL.
        let mut text = |text: &[u8]| {
            texts.push(CString::new(text).unwrap_or_default());
            texts.last().map_or(std::ptr::null(), |text| text.as_ptr())
        };
        let headers: Vec<pool_header_t> = source
            .headers
            .iter()
            .map(|(name, value)| pool_header_t {
                name: text(name.as_bytes()),
                value: text(value.as_bytes()),
                name_size: name.len(),
                value_size: value.len(),
            })
            .collect();
        let lists: Vec<Vec<_>> = [&source.connect_to, &source.dns]
            .map(|list| list.iter().map(|entry| text(entry.as_bytes())).collect())
            .into();
        let mut optional = |value: Option<&[u8]>| value.map_or(std::ptr::null(), &mut text);
        let retry = source.retry.clone().unwrap_or_default();
        let retried = source
            .retry
            .as_ref()
            .map_or(&[][..], |retry| &retry.on_statuses);
        let options = pool_options_t {
            struct_size: size_of::<pool_options_t>(),
            method: optional(source.method.as_deref().map(str::as_bytes)),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            cookie: optional(source.cookie.as_deref().map(str::as_bytes)),
            stateful: source.stateful.into(),
            spoof_ua: source.spoof_ua.into(),
            body: source
                .body
                .as_ref()
                .map_or(std::ptr::null(), |body| body.as_ptr().cast()),
            body_size: source.body.as_ref().map_or(0, |body| body.len()),
            connect_timeout: source.connect_timeout.as_secs_f64(),
            timeout: source.timeout.as_secs_f64(),
            max_body_size: source.max_body_size,
            compressed: source.compressed.into(),
            follow_redirects: source.follow_redirects.into(),
            max_redirects: source.max_redirects.map_or(-1, |most| most as i32),
            follow_refresh_header: source.follow_refresh_header.into(),
            follow_meta_refresh: source.follow_meta_refresh.into(),
            follow_js_relocation: source.follow_js_relocation.into(),
            infer_redirection: source.infer_redirection.into(),
            canonicalize: source.canonicalize.into(),
            insecure: source.insecure.into(),
            spoof_tls_ciphers: source.spoof_tls_ciphers.into(),
            raise_on_statuses: source.raise_on_statuses.as_ptr(),
            raise_on_status_count: source.raise_on_statuses.len(),
            known_encoding: optional(source.known_encoding.as_deref().map(str::as_bytes)),
            ca_file: optional(
                source
                    .ca_file
                    .as_deref()
                    .map(|file| file.as_os_str().as_bytes()),
            ),
            proxy: optional(source.proxy.as_deref().map(str::as_bytes)),
            connect_to: lists[0].as_ptr(),
            connect_to_count: lists[0].len(),
            dns: lists[1].as_ptr(),
            dns_count: lists[1].len(),
            network_interface: optional(source.interface.as_deref().map(str::as_bytes)),
            http_version: match source.http_version {
                HttpVersion::Any => POOL_HTTP_ANY,
                HttpVersion::Http11 => POOL_HTTP_1_1,
                HttpVersion::Http2PriorKnowledge => POOL_HTTP_2_PRIOR_KNOWLEDGE,
            },
            retry: source.retry.is_some().into(),
            retry_max_attempts: retry.max_attempts,
            retry_on_timeout: retry.on_timeout.into(),
            retry_min_wait: retry.min_wait.as_secs_f64(),
            retry_max_wait: retry.max_wait.as_secs_f64(),
            retry_on_statuses: retried.as_ptr(),
            retry_on_status_count: retried.len(),
            mask_credentials: source.mask_credentials.into(),
            head_fallback: source.head_fallback.into(),
        };
        Self {
            options,
            _texts: texts,
            _lists: lists,
            _headers: headers,
            _source: source,
        }
    }

    /// # Safety
    /// `options` is NULL or points to `struct_size` writable bytes.
    pub unsafe fn write(&self, options: *mut pool_options_t, struct_size: usize) -> pool_status_t {
        // SAFETY: the caller's promise.
        unsafe { write_sized(&self.options, options, struct_size) }
    }
}

/// Says how many seconds a group waits, from the end of a job on, before its next one starts; below
/// 0 or NaN: as the pool's throttle says. `result` is what came of that attempt, valid during the
/// call and not to be freed. Called on the thread that does the group's transfers, on several at
/// once for several groups: it must be quick and must not call the library, but for the pool_result
/// functions.
pub type pool_throttle_fn = Option<
    unsafe extern "C" fn(
        group: *const c_char,
        result: *const pool_result_t,
        userdata: *mut c_void,
    ) -> f64,
>;

/// Says how many jobs of a group may be in flight; 0 counts as 1. Called when a group gets a job
/// that has none and whose throttle has run out, where and as pool_throttle_fn is.
pub type pool_parallelism_fn =
    Option<unsafe extern "C" fn(group: *const c_char, userdata: *mut c_void) -> u32>;

/// Sees a result before it can be taken, to save its body for instance, and may attach a value by
/// writing result->value; nothing else of the result is to be written, and it is not to be freed.
/// Returns 0; anything else makes the result an error, callback-error.
///
/// Called once for each job that has an answer, whatever its status, on threads of its own, 64 at
/// most over the pool, for several results at once. It may take its time: it holds back no
/// transfer, only the room in the stream's buffer that a result takes, and its thread from other
/// callbacks. It may submit jobs and cancel, but must not wait for room or results, nor free the
/// handle. Results that wait for it when the stream is cancelled end in cancelled; pool_free waits
/// for the calls under way. A value attached to a result that nobody takes is lost: pool_cancel,
/// and take until POOL_DONE, before pool_free.
pub type pool_callback_fn =
    Option<unsafe extern "C" fn(result: *mut pool_result_t, userdata: *mut c_void) -> c_int>;

/// How a pool and its stream are set up. Set by pool_config_init, then changed as wanted; copied
/// by the call that takes it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pool_config_t {
    /// Set by pool_config_init.
    pub struct_size: usize,
    /// Of the pool: transfers at once, over all its streams. Default 0: 64 a core, within the
    /// process's limit of descriptors.
    pub max_workers: u32,
    /// Of the pool: threads that run transfers, 256 at most, and never more than max_workers.
    /// Default 0: one a core.
    pub threads: u32,
    /// Of the pool: seconds between the end (and the start) of a group's last job and the start
    /// of its next; 0 or above. Default 0.2.
    pub throttle: f64,
    /// Of the pool: jobs of one group in flight at once; at least 1. Default 1.
    pub domain_parallelism: u32,
    /// Of the pool: asked at the end of each attempt at a job how long its group waits, unless the
    /// group has a rule (pool_set_domain_rule): a server's Retry-After can be heeded so. What it
    /// says holds until the next end, or until the group has had nothing to do for that long.
    /// Default NULL: throttle holds.
    pub throttle_fn: pool_throttle_fn,
    /// Of the pool: asked how many jobs of a group may be in flight, unless it has a rule.
    /// Default NULL: domain_parallelism holds.
    pub parallelism_fn: pool_parallelism_fn,
    /// Of the pool: handed to throttle_fn and parallelism_fn. Default NULL.
    pub domain_userdata: *mut c_void,
    /// Of the stream: 1: results come in the order of submission, within a window of buffer_size
    /// jobs. Default 0: as they are done.
    pub ordered: i32,
    /// Of the stream: 1: a job without URL gives a result without URL, error and answer.
    /// Default 0: it is POOL_INVALID_ARGUMENT.
    pub passthrough: i32,
    /// Of the stream: jobs held and not started, those that wait for a retry included, and again
    /// jobs started whose results were not taken, so it also bounds the stream's transfers at
    /// once; at least 1. An ordered stream has this many jobs outstanding in all. Default 1024.
    pub buffer_size: usize,
    /// Of the stream: bytes of results not taken, beyond which no more jobs are started; the
    /// bodies of those under way come on top. At least 1. Default 268435456: 256 MiB.
    pub max_buffered_bytes: u64,
    /// Of the stream: how its jobs are done. Default NULL: as pool_options_init has it.
    pub options: *const pool_options_t,
    /// Of the stream: called with each result that has an answer before it can be taken. Default
    /// NULL: none.
    pub callback: pool_callback_fn,
    /// Of the stream: handed to callback. Default NULL.
    pub callback_userdata: *mut c_void,
    /// Of the pool: 1: jobs that lead to an address that is no public server's end in
    /// forbidden-address: loopback, private and link-local networks, multicast, the metadata of
    /// clouds, all that IANA has set apart, and addresses of IPv6 that carry one of these
    /// (IPv4-mapped, NAT64, 6to4, Teredo). This and the fields below hold for the address that is
    /// connected to, on every hop, after the name was looked up, whatever named it: a URL, a
    /// redirection, dns, connect_to. A proxy is free of them, being the caller's choice; of what it
    /// is asked for, scheme, port and addresses are held to them, but names only with socks5://, as
    /// the others look names up themselves. Default 0.
    pub deny_private_addresses: i32,
    /// Of the pool: 1: only https URLs are asked for; another, or a redirection to one, ends in
    /// forbidden-address. Default 0.
    pub https_only: i32,
    /// Of the pool: networks that are forbidden, as "10.0.0.0/8", "fc00::/7", or an address. A NAT64
    /// prefix of one's own belongs here. 0.0.0.0 and :: are judged as 127.0.0.1 and ::1, where Linux
    /// connects them to. Default NULL: none.
    pub deny_networks: *const *const c_char,
    /// Of the pool: the number of deny_networks, 10,000 at most. Default 0.
    pub deny_network_count: usize,
    /// Of the pool: networks that are not forbidden, whatever deny_private_addresses and
    /// deny_networks say; refused when neither forbids any. To let nothing through but these, deny
    /// "0.0.0.0/0" and "::/0". Default NULL: none.
    pub allow_networks: *const *const c_char,
    /// Of the pool: the number of allow_networks, 10,000 at most. Default 0.
    pub allow_network_count: usize,
    /// Of the pool: the only ports that may be connected to; others end in forbidden-address.
    /// Default NULL: any.
    pub allowed_ports: *const u16,
    /// Of the pool: the number of allowed_ports. Default 0.
    pub allowed_port_count: usize,
}

// SAFETY: repr(C), struct_size first, numbers and pointers only.
unsafe impl Sized_ for pool_config_t {
    const NAME: &'static str = "pool_config_t";
    const SIZES: &'static [usize] = &[offset_of!(Self, deny_private_addresses), size_of::<Self>()];

    fn defaults() -> Self {
        let pool = PoolConfig::default();
        let stream = StreamConfig::default();
        Self {
            struct_size: size_of::<Self>(),
            max_workers: pool.max_workers,
            threads: pool.threads,
            throttle: pool.rule.throttle.as_secs_f64(),
            domain_parallelism: pool.rule.parallelism,
            throttle_fn: None,
            parallelism_fn: None,
            domain_userdata: std::ptr::null_mut(),
            ordered: stream.ordered.into(),
            passthrough: stream.passthrough.into(),
            buffer_size: stream.buffer_size,
            max_buffered_bytes: stream.max_buffered_bytes,
            options: std::ptr::null(),
            callback: None,
            callback_userdata: std::ptr::null_mut(),
            deny_private_addresses: pool.deny_private_addresses.into(),
            https_only: pool.https_only.into(),
            deny_networks: std::ptr::null(),
            deny_network_count: 0,
            allow_networks: std::ptr::null(),
            allow_network_count: 0,
            allowed_ports: std::ptr::null(),
            allowed_port_count: 0,
        }
    }
}

/// Writes the defaults into `config`, which stays the caller's; `struct_size` is
/// `sizeof(pool_config_t)`. Any thread may call it.
///
/// POOL_OK: written. POOL_INVALID_ARGUMENT: NULL, or a size that is not known.
///
/// # Safety
/// `config` is NULL or points to `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pool_config_init(
    config: *mut pool_config_t,
    struct_size: usize,
) -> pool_status_t {
    // SAFETY: the caller's promise.
    unsafe { init_sized(config, struct_size) }
}

/// The Rust configurations of a C one; NULL gives the defaults.
///
/// # Safety
/// `config` and what it points to are as `pool_config_t` documents them; its functions may be
/// called for as long as the pool and the stream live.
pub(super) unsafe fn read_config(
    config: *const pool_config_t,
) -> Result<(PoolConfig, StreamConfig), Error> {
    if config.is_null() {
        return Ok(Default::default());
    }
    // SAFETY: the caller's promise.
    let config = unsafe { read_sized(config) }?;
    let options = if config.options.is_null() {
        Options::default()
    } else {
        // SAFETY: the caller's promise.
        unsafe { read_options(config.options) }?
    };
    // SAFETY: the caller's promise, for each pointer with its count.
    let (deny_networks, allow_networks, allowed_ports) = unsafe {
        (
            texts(
                config.deny_networks,
                config.deny_network_count,
                "deny_networks",
            )?,
            texts(
                config.allow_networks,
                config.allow_network_count,
                "allow_networks",
            )?,
            slice(
                config.allowed_ports,
                config.allowed_port_count,
                "allowed_ports",
            )?
            .to_vec(),
        )
    };
    let pool = PoolConfig {
        max_workers: config.max_workers,
        threads: config.threads,
        rule: rule(
            config.throttle,
            config.domain_parallelism,
            "domain_parallelism",
        )?,
        // SAFETY: the caller's promise.
        throttle_fn: unsafe { throttle_fn(config.throttle_fn, config.domain_userdata) },
        // SAFETY: the caller's promise.
        parallelism_fn: unsafe { parallelism_fn(config.parallelism_fn, config.domain_userdata) },
        deny_private_addresses: flag(config.deny_private_addresses, "deny_private_addresses")?,
        deny_networks,
        allow_networks,
        allowed_ports,
        https_only: flag(config.https_only, "https_only")?,
    };
    let stream = StreamConfig {
        buffer_size: config.buffer_size,
        max_buffered_bytes: config.max_buffered_bytes,
        ordered: flag(config.ordered, "ordered")?,
        passthrough: flag(config.passthrough, "passthrough")?,
        options: Arc::new(options),
        // SAFETY: the caller's promise.
        callback: unsafe { callback(config.callback, config.callback_userdata) },
    };
    Ok((pool, stream))
}

/// Thirty years, in seconds.
const LONGEST: f64 = 1e9;

/// A group's name for C.
fn name(group: &str) -> CString {
    CString::new(group.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// # Safety
/// `ask` may be called with `userdata` on any thread for as long as the pool lives.
unsafe fn throttle_fn(ask: pool_throttle_fn, userdata: *mut c_void) -> Option<ThrottleFn> {
    let (ask, userdata) = (ask?, userdata as usize);
    Some(Arc::new(move |group, result| {
        let group = name(group);
        let seconds = lend(result, |result| {
            // SAFETY: the caller's promise; the name and the result live during the call.
            unsafe { ask(group.as_ptr(), result, userdata as *mut c_void) }
        })?;
        // What is no time says nothing; what is too long for the clock is as long as it goes.
        // `min` would take LONGEST for NaN.
        let seconds = if seconds > LONGEST { LONGEST } else { seconds };
        Duration::try_from_secs_f64(seconds).ok()
    }))
}

/// # Safety
/// `ask` may be called with `userdata` on any thread for as long as the pool lives.
unsafe fn parallelism_fn(ask: pool_parallelism_fn, userdata: *mut c_void) -> Option<ParallelismFn> {
    let (ask, userdata) = (ask?, userdata as usize);
    Some(Arc::new(move |group| {
        let group = name(group);
        // SAFETY: the caller's promise; the name lives during the call.
        unsafe { ask(group.as_ptr(), userdata as *mut c_void) }
    }))
}

/// # Safety
/// `see` may be called with `userdata` on any thread for as long as the stream lives.
unsafe fn callback(see: pool_callback_fn, userdata: *mut c_void) -> Option<Callback> {
    let (see, userdata) = (see?, userdata as usize);
    Some(Arc::new(move |result| {
        let (returned, value) = lend(result, |result| {
            // SAFETY: the caller's promise; the result lives during the call.
            unsafe { (see(result, userdata as *mut c_void), (*result).value) }
        })
        .ok_or_else(|| no_memory(result))?;
        result.value = value as usize;
        match returned {
            0 => Ok(()),
            other => Err(format!("it returned {other}")),
        }
    }))
}

/// A group's rule, from the fields of that name.
pub(super) fn rule(throttle: f64, parallelism: u32, field: &str) -> Result<Rule, Error> {
    if parallelism == 0 {
        return invalid(format!("{field} is 0: it is at least 1"));
    }
    Ok(Rule {
        throttle: seconds(throttle, "throttle")?,
        parallelism,
    })
}

/// The Rust options of C ones.
///
/// # Safety
/// `options` and what it points to are as `pool_options_t` documents them.
pub(super) unsafe fn read_options(options: *const pool_options_t) -> Result<Options, Error> {
    // SAFETY: the caller's promise.
    let given = unsafe { read_sized(options) }?;
    // SAFETY: the caller's promise, for each pointer with its count.
    unsafe {
        let mut headers = Vec::with_capacity(given.header_count.min(1024));
        for header in slice(given.headers, given.header_count, "headers")? {
            headers.push((
                text(header.name, header.name_size, "headers.name")?
                    .unwrap_or_default()
                    .to_owned(),
                text(header.value, header.value_size, "headers.value")?
                    .unwrap_or_default()
                    .to_owned(),
            ));
        }
        let body = if given.body.is_null() && given.body_size == 0 {
            None
        } else {
            let body = slice(given.body.cast::<u8>(), given.body_size, "body")?;
            let kept = memory::keep_back(body.len());
            let _kept = kept.ok_or_else(|| Error::no_memory("a copy of the body"))?;
            Some(body.into())
        };
        let ca_file = if given.ca_file.is_null() {
            None
        } else {
            Some(OsStr::from_bytes(CStr::from_ptr(given.ca_file).to_bytes()).into())
        };
        check_retry(&given)?;
        let retry = Retry {
            max_attempts: given.retry_max_attempts,
            min_wait: seconds(given.retry_min_wait, "retry_min_wait")?,
            max_wait: seconds(given.retry_max_wait, "retry_max_wait")?,
            on_timeout: flag(given.retry_on_timeout, "retry_on_timeout")?,
            on_statuses: slice(
                given.retry_on_statuses,
                given.retry_on_status_count,
                "retry_on_statuses",
            )?
            .to_vec(),
        };
        Ok(Options {
            method: text(given.method, 0, "method")?.map(str::to_owned),
            headers,
            cookie: text(given.cookie, 0, "cookie")?.map(str::to_owned),
            stateful: flag(given.stateful, "stateful")?,
            spoof_ua: flag(given.spoof_ua, "spoof_ua")?,
            body,
            compressed: flag(given.compressed, "compressed")?,
            connect_timeout: seconds(given.connect_timeout, "connect_timeout")?,
            timeout: seconds(given.timeout, "timeout")?,
            follow_redirects: flag(given.follow_redirects, "follow_redirects")?,
            max_redirects: match given.max_redirects {
                -1 => None,
                count => Some(count.try_into().or_else(|_| {
                    invalid(format!("max_redirects is {count}: it is -1 or above"))
                })?),
            },
            follow_refresh_header: flag(given.follow_refresh_header, "follow_refresh_header")?,
            follow_meta_refresh: flag(given.follow_meta_refresh, "follow_meta_refresh")?,
            follow_js_relocation: flag(given.follow_js_relocation, "follow_js_relocation")?,
            infer_redirection: flag(given.infer_redirection, "infer_redirection")?,
            canonicalize: flag(given.canonicalize, "canonicalize")?,
            head_fallback: flag(given.head_fallback, "head_fallback")?,
            raise_on_statuses: slice(
                given.raise_on_statuses,
                given.raise_on_status_count,
                "raise_on_statuses",
            )?
            .to_vec(),
            known_encoding: text(given.known_encoding, 0, "known_encoding")?.map(str::to_owned),
            max_body_size: given.max_body_size,
            insecure: flag(given.insecure, "insecure")?,
            spoof_tls_ciphers: flag(given.spoof_tls_ciphers, "spoof_tls_ciphers")?,
            ca_file,
            proxy: text(given.proxy, 0, "proxy")?.map(str::to_owned),
            connect_to: texts(given.connect_to, given.connect_to_count, "connect_to")?,
            dns: texts(given.dns, given.dns_count, "dns")?,
            interface: text(given.network_interface, 0, "network_interface")?.map(str::to_owned),
            http_version: match given.http_version {
                POOL_HTTP_ANY => HttpVersion::Any,
                POOL_HTTP_1_1 => HttpVersion::Http11,
                POOL_HTTP_2_PRIOR_KNOWLEDGE => HttpVersion::Http2PriorKnowledge,
                other => {
                    return invalid(format!(
                        "http_version is {other}: it is a POOL_HTTP_* value"
                    ));
                }
            },
            retry: flag(given.retry, "retry")?.then_some(retry),
            mask_credentials: flag(given.mask_credentials, "mask_credentials")?,
        })
    }
}

/// Whether nothing is to be tried again where there are no retries: it would have no effect. How
/// often, and after how long, may well be said once for both.
fn check_retry(given: &pool_options_t) -> Result<(), Error> {
    if given.retry != 0 {
        return Ok(());
    }
    let said = [
        ("retry_on_statuses", given.retry_on_status_count > 0),
        ("retry_on_timeout", given.retry_on_timeout != 0),
    ];
    match said.into_iter().find(|(_, is_said)| *is_said) {
        Some((field, _)) => invalid(format!(
            "{field} is given, but retry is 0, so that nothing is tried again: set retry to 1, or \
             take it back"
        )),
        None => Ok(()),
    }
}

/// Text that C hands over: NULL is none, a size of 0 means up to the NUL.
///
/// # Safety
/// `start` is NULL or points to `size` bytes, or with a size of 0 to text that ends in a NUL.
pub(super) unsafe fn text<'a>(
    start: *const c_char,
    size: usize,
    field: &str,
) -> Result<Option<&'a str>, Error> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { bytes(start, size, field) }?;
    match bytes.map(std::str::from_utf8).transpose() {
        Ok(text) => Ok(text),
        Err(error) => invalid(format!("{field} is not UTF-8: {error}")),
    }
}

/// The bytes of such a text.
///
/// # Safety
/// As for `text`.
pub(super) unsafe fn bytes<'a>(
    start: *const c_char,
    size: usize,
    field: &str,
) -> Result<Option<&'a [u8]>, Error> {
    match (start.is_null(), size) {
        (true, 0) => Ok(None),
        (true, _) => invalid(format!("{field} is NULL, but its size is {size}")),
        // SAFETY: the caller's promise.
        (false, 0) => Ok(Some(unsafe { CStr::from_ptr(start) }.to_bytes())),
        // SAFETY: the caller's promise.
        (false, _) => unsafe { slice(start.cast::<u8>(), size, field) }.map(Some),
    }
}

/// The same, but for what is not UTF-8: bytes that are none become U+FFFD, which is no URL's.
///
/// # Safety
/// As for `text`.
pub(super) unsafe fn lossy<'a>(
    start: *const c_char,
    size: usize,
    field: &str,
) -> Result<Cow<'a, str>, Error> {
    // SAFETY: the caller's promise.
    Ok(String::from_utf8_lossy(
        unsafe { bytes(start, size, field) }?.unwrap_or_default(),
    ))
}

unsafe fn texts(
    start: *const *const c_char,
    count: usize,
    field: &str,
) -> Result<Vec<String>, Error> {
    // SAFETY: the caller's promise: `count` pointers to text.
    unsafe {
        slice(start, count, field)?
            .iter()
            .map(|&entry| match text(entry, 0, field)? {
                Some(entry) => Ok(entry.to_owned()),
                None => invalid(format!("an entry of {field} is NULL")),
            })
            .collect()
    }
}

/// An array that C hands over.
///
/// # Safety
/// `start` is NULL or points to `count` values that stay as they are during the call.
pub(super) unsafe fn slice<'a, T>(
    start: *const T,
    count: usize,
    field: &str,
) -> Result<&'a [T], Error> {
    if count == 0 {
        return Ok(&[]);
    }
    if start.is_null() {
        return invalid(format!("{field} is NULL, but its count is {count}"));
    }
    if !start.is_aligned() || count > isize::MAX as usize / size_of::<T>().max(1) {
        return invalid(format!(
            "{field} is not aligned, or {count} of it can't be in memory"
        ));
    }
    // SAFETY: not NULL, aligned, not too long; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(start, count) })
}

pub(super) fn flag(value: i32, field: &str) -> Result<bool, Error> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => invalid(format!("{field} is {value}: it is 0 or 1")),
    }
}

fn seconds(value: f64, field: &str) -> Result<Duration, Error> {
    match Duration::try_from_secs_f64(value) {
        Ok(duration) => Ok(duration),
        Err(_) => invalid(format!(
            "{field} is {value}: it is a number of seconds, 0 or above"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_back_as_they_were_given() {
        let to = [c"::127.0.0.1:80".as_ptr(), c"a.test::b.test:".as_ptr()];
        let header = pool_header_t {
            name: c"X-One".as_ptr(),
            value: c"two and more".as_ptr(),
            name_size: 0,
            value_size: 3,
        };
        let statuses = [503, 404];
        let mut given = pool_options_t::defaults();
        given.method = c"POST".as_ptr();
        given.headers = &header;
        given.header_count = 1;
        given.cookie = c"a=1".as_ptr();
        given.body = c"body".as_ptr().cast();
        given.body_size = 4;
        given.connect_to = to.as_ptr();
        given.connect_to_count = to.len();
        given.raise_on_statuses = statuses.as_ptr();
        given.raise_on_status_count = statuses.len();
        given.retry = 1;
        given.retry_on_statuses = statuses.as_ptr();
        given.retry_on_status_count = 1;
        // SAFETY: all that it points to lives.
        let read = unsafe { read_options(&given) }.expect("options");
        assert_eq!(read.headers, [("X-One".into(), "two".into())]);
        assert_eq!(read.connect_to, ["::127.0.0.1:80", "a.test::b.test:"]);

        let kept = KeptOptions::of(Arc::new(read.clone()));
        let mut back = pool_options_t::defaults();
        // SAFETY: there is room for it.
        let status = unsafe { kept.write(&mut back, size_of::<pool_options_t>()) };
        assert_eq!(status, pool_status_t::POOL_OK);
        // SAFETY: `kept` owns what it points to, and lives.
        let again = unsafe { read_options(&back) }.expect("options");
        assert_eq!(format!("{again:?}"), format!("{read:?}"));
    }

    #[test]
    fn a_throttle_that_is_no_time_says_nothing() {
        unsafe extern "C" fn ask(
            _: *const c_char,
            _: *const pool_result_t,
            seconds: *mut c_void,
        ) -> f64 {
            // SAFETY: it is the number below, which lives.
            unsafe { *seconds.cast::<f64>() }
        }
        let page = crate::JobResult::of_page(None, None, None, Vec::new()).expect("a page");
        for (mut seconds, expected) in [
            (f64::NAN, None),
            (-f64::NAN, None),
            (-0.5, None),
            (f64::NEG_INFINITY, None),
            (0.0, Some(0.0)),
            (1.5, Some(1.5)),
            (1e300, Some(LONGEST)),
            (f64::INFINITY, Some(LONGEST)),
        ] {
            // SAFETY: the function is called before `seconds` ends.
            let throttle = unsafe { throttle_fn(Some(ask), (&raw mut seconds).cast()) };
            let said = throttle.expect("a function")("group", &page);
            let expected = expected.map(Duration::from_secs_f64);
            assert_eq!(said, expected, "{seconds}");
        }
    }

    #[test]
    fn arrays_and_texts_that_are_none_are_refused() {
        let numbers = [1_u16, 2];
        // SAFETY: what is not aligned or too long is not read; the rest is as long as it says.
        unsafe {
            let odd = numbers.as_ptr().cast::<u8>().add(1).cast::<u16>();
            assert!(slice(odd, 1, "x").is_err());
            assert!(slice(numbers.as_ptr(), usize::MAX, "x").is_err());
            assert!(slice(std::ptr::null::<u16>(), 1, "x").is_err());
            assert!(slice(std::ptr::null::<u16>(), 0, "x").unwrap().is_empty());
            assert_eq!(slice(numbers.as_ptr(), 2, "x").unwrap(), numbers);
            assert!(text(std::ptr::null(), 1, "x").is_err());
            assert_eq!(text(std::ptr::null(), 0, "x").unwrap(), None);
            assert_eq!(text(c"abc".as_ptr(), 0, "x").unwrap(), Some("abc"));
            assert_eq!(text(c"abc".as_ptr(), 2, "x").unwrap(), Some("ab"));
            assert!(text(c"\xe9".as_ptr(), 0, "x").is_err());
        }
    }
}
