//! Takes the C interface through a sequence of good and bad calls, in front of a server that
//! answers well and badly. Each accepted job must give exactly one result, and each call must do
//! what its documentation says. See `crate::fuzz`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ptr::{null, null_mut};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::block::*;
use super::config::*;
use super::job::*;
use super::kept::*;
use super::pool::*;
use super::pool_status_t::{self, *};
use super::result::*;
use super::{Sized_, pool_last_error, pool_status_name};

/// The number of calls in a sequence, and the most handles and taken results meanwhile.
const CALLS: usize = 80;
const HANDLES: usize = 4;
const RESULTS: usize = 16;
/// How long a result may take, in milliseconds: the server keeps nobody waiting for long.
const PATIENCE: i32 = 20_000;
/// How long the server stays silent on the path for that.
const SILENCE: Duration = Duration::from_millis(100);

/// Makes the calls that the bytes stand for, and lets everything end.
pub(crate) fn run(input: &[u8]) {
    let mut bytes = Bytes(input);
    let mut session = Session::new();
    for _ in 0..CALLS {
        if bytes.0.is_empty() {
            break;
        }
        session.step(&mut bytes);
    }
    session.finish();
}

/// The input, read from its start.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.next()) % end.max(1)
    }

    /// True once in so many times.
    fn once_in(&mut self, number: usize) -> bool {
        self.below(number) == number - 1
    }

    fn take(&mut self, size: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(size.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The server's answers, by the first digit of a path; other paths get what the bytes said last.
/// The server closes the connection behind answers that do not end by themselves.
const ANSWERS: [&[u8]; 9] = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 18\r\n\r\n<p><a href=/x>x</a>",
    b"HTTP/1.1 302 Found\r\nLocation: /0\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: http://b.test/2\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nRefresh: 0; url=/0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta http-equiv=refresh content='0;url=/0'>",
    b"HTTP/1.1 503 No\r\nContent-Length: 1000\r\n\r\ncut off",
    b"",
    b"no HTTP",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
];
/// The digit of the path where the server stays silent for a while.
const SILENT: char = '9';

fn own_answer() -> MutexGuard<'static, Vec<u8>> {
    static OWN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the port of the server, which runs as long as the process.
fn server() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Without a thread the connection is closed, which is an answer too.
                let _ = thread::Builder::new().spawn(move || serve(stream));
            }
        });
        port
    })
}

fn serve(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        head.extend_from_slice(&buffer[..read]);
        // With TLS the server would wait for more, and so would its client.
        if !head[0].is_ascii_uppercase() {
            return;
        }
        while let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            let path = head.iter().position(|&byte| byte == b'/');
            let first = path.and_then(|at| head.get(at + 1)).copied();
            let first = char::from(first.unwrap_or_default());
            let is_head = head.starts_with(b"HEAD ");
            head.drain(..end + 4);
            if first == SILENT {
                thread::sleep(SILENCE);
            }
            let answer = match first.to_digit(10).and_then(|at| ANSWERS.get(at as usize)) {
                Some(answer) => answer.to_vec(),
                None => own_answer().clone(),
            };
            let head_end = answer.windows(4).position(|four| four == b"\r\n\r\n");
            let size = head_end
                .filter(|_| is_head)
                .map_or(answer.len(), |end| end + 4);
            let goes_on = matches!(first, '0'..='3' | '8');
            if stream.write_all(&answer[..size]).is_err() || !goes_on {
                return;
            }
        }
    }
}

/// A handle, and what is known of it.
struct Handle {
    pool: *mut pool_t,
    ordered: bool,
    passthrough: bool,
    callback: bool,
    closed: bool,
    /// The accepted jobs whose results were not taken: the userdata of each, by tag.
    outstanding: BTreeMap<u64, usize>,
    accepted: u64,
}

struct Session {
    handles: Vec<Handle>,
    results: Vec<*mut pool_result_t>,
    next_tag: u64,
    connect_to: Vec<Vec<u8>>,
}

/// What a result's callback returns and attaches, which follows from its tag alone.
fn fails(tag: u64) -> bool {
    tag % 5 == 4
}

unsafe extern "C" fn see(result: *mut pool_result_t, userdata: *mut c_void) -> c_int {
    // SAFETY: it is valid during the call.
    let result = unsafe { &mut *result };
    assert_eq!(userdata.addr(), 7);
    result.value = std::ptr::without_provenance_mut(result.tag as usize + 1);
    fails(result.tag).into()
}

unsafe extern "C" fn throttle(
    group: *const c_char,
    result: *const pool_result_t,
    userdata: *mut c_void,
) -> f64 {
    assert_eq!(userdata.addr(), 9);
    // SAFETY: both are valid during the call.
    let (name, tag) = unsafe { (CStr::from_ptr(group), (*result).tag) };
    match tag % 4 {
        0 => f64::NAN,
        1 => -1.0,
        _ => name.count_bytes() as f64 / 10_000.0,
    }
}

unsafe extern "C" fn parallelism(group: *const c_char, userdata: *mut c_void) -> u32 {
    assert_eq!(userdata.addr(), 9);
    // SAFETY: it is valid during the call.
    unsafe { CStr::from_ptr(group) }.count_bytes() as u32 % 3
}

unsafe extern "C" fn log(level: i32, message: *const c_char, userdata: *mut c_void) {
    assert_eq!(userdata.addr(), 11);
    // SAFETY: it is valid during the call.
    let message = unsafe { CStr::from_ptr(message) };
    assert!((POOL_LOG_ERROR..=POOL_LOG_DEBUG).contains(&level) && !message.is_empty());
}

/// Checks a call's status. A failing call must have left its sentence.
#[track_caller]
fn expect(status: pool_status_t, expected: pool_status_t) {
    // SAFETY: the thread reads its own message.
    let words = unsafe { CStr::from_ptr(pool_last_error()) };
    assert_eq!(status, expected, "{words:?}");
    assert!(status != POOL_INVALID_ARGUMENT || words.to_str().is_ok_and(|words| !words.is_empty()));
}

/// A pointer that marks what was not written.
fn untouched<T>() -> *mut T {
    std::ptr::without_provenance_mut(16)
}

/// Options for a job or a stream, with everything they point to.
struct OwnOptions {
    options: pool_options_t,
    _connect_to: Vec<*const c_char>,
}

impl Session {
    fn new() -> Self {
        // Nobody listens on port 1; everything else leads to the server.
        let entries = [
            "closed.test::127.0.0.1:1".to_owned(),
            format!("::127.0.0.1:{}", server()),
        ];
        own_answer().clear();
        Self {
            handles: Vec::new(),
            results: Vec::new(),
            next_tag: 0,
            connect_to: entries.map(|entry| (entry + "\0").into_bytes()).into(),
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let kind = bytes.next();
        if self.handles.is_empty() && kind % 32 > 3 {
            return self.open(bytes);
        }
        match kind % 32 {
            0 => self.open(bytes),
            1 => self.share(bytes),
            2 => self.bad_call(bytes),
            3 => {
                let size = bytes.below(200);
                *own_answer() = bytes.take(size).to_vec();
            }
            4..12 => self.submit(bytes),
            12 => self.submit_many(bytes),
            13..18 => self.next(bytes),
            18..20 => self.next_many(bytes),
            20..22 => self.next_packed(bytes),
            22 => self.finish_one(bytes),
            23 => self.cancel_one(bytes),
            24 => self.ask(bytes),
            25 => self.set(bytes),
            26..28 => self.free_result(bytes),
            28..30 => self.read_result(bytes),
            30 => self.page(bytes),
            _ => self.free(bytes),
        }
        for handle in &self.handles {
            let mut pending = usize::MAX;
            // SAFETY: the handle lives.
            expect(unsafe { pool_pending(handle.pool, &mut pending) }, POOL_OK);
            assert_eq!(pending, handle.outstanding.len());
        }
    }

    /// Valid options, each field set by some bits.
    fn options(&self, bytes: &mut Bytes<'_>) -> OwnOptions {
        let connect_to: Vec<_> = self
            .connect_to
            .iter()
            .map(|entry| entry.as_ptr().cast())
            .collect();
        let mut options = pool_options_init_();
        let (one, two) = (bytes.next(), bytes.next());
        let flag = |byte: u8, bit: u8| i32::from(byte & (1 << bit) != 0);
        options.connect_to = connect_to.as_ptr();
        options.connect_to_count = connect_to.len();
        options.follow_redirects = 1 - flag(one, 0);
        options.follow_meta_refresh = flag(one, 1);
        options.follow_js_relocation = flag(one, 2);
        options.canonicalize = flag(one, 3);
        options.head_fallback = flag(one ^ two, 0);
        options.infer_redirection = flag(one, 4);
        options.compressed = flag(one, 5);
        options.stateful = flag(one, 6);
        options.retry = flag(one, 7);
        if options.retry == 1 {
            options.retry_min_wait = 0.001;
            options.retry_max_wait = 0.002;
            options.retry_max_attempts = 1 + u32::from(two & 3);
            options.retry_on_timeout = flag(two, 2);
        }
        options.timeout = if two & 8 == 0 { 2.0 } else { 0.02 };
        options.max_redirects = if two & 16 == 0 { -1 } else { 1 };
        options.max_body_size = if two & 32 == 0 { 1 << 20 } else { 10 };
        options.method = if two & 64 == 0 {
            null()
        } else {
            c"POST".as_ptr()
        };
        options.known_encoding = if two & 128 == 0 {
            null()
        } else {
            c"koi8-r".as_ptr()
        };
        OwnOptions {
            options,
            _connect_to: connect_to,
        }
    }

    /// A valid configuration of a stream, with `options`.
    fn config(bytes: &mut Bytes<'_>, options: &OwnOptions) -> pool_config_t {
        let mut config = pool_config_init_();
        let byte = bytes.next();
        config.ordered = i32::from(byte & 1 != 0);
        config.passthrough = i32::from(byte & 2 != 0);
        config.buffer_size = [1, 2, 5, 1024][usize::from(byte >> 2 & 3)];
        config.max_buffered_bytes = if byte & 16 == 0 { 1 << 20 } else { 1 };
        if byte & 32 != 0 {
            config.callback = Some(see);
            config.callback_userdata = std::ptr::without_provenance_mut(7);
        }
        config.options = &options.options;
        config
    }

    /// Puts something wrong into a configuration.
    fn spoil(bytes: &mut Bytes<'_>, config: &mut pool_config_t) {
        match bytes.below(12) {
            0 => config.struct_size -= 1,
            1 => config.struct_size = usize::MAX,
            2 => config.ordered = 2,
            3 => config.buffer_size = 0,
            4 => config.max_buffered_bytes = 0,
            5 => config.throttle = f64::NAN,
            6 => config.throttle = -1.0,
            7 => config.deny_network_count = usize::MAX,
            8 => config.options = config.options.wrapping_byte_add(1),
            9 => config.passthrough = -1,
            10 => config.domain_parallelism = 0,
            _ => {
                config.deny_networks = null();
                config.deny_network_count = 1;
            }
        }
    }

    fn keep(&mut self, pool: *mut pool_t, config: &pool_config_t) {
        assert!(!pool.is_null() && pool != untouched());
        self.handles.push(Handle {
            pool,
            ordered: config.ordered == 1,
            passthrough: config.passthrough == 1,
            callback: config.callback.is_some(),
            closed: false,
            outstanding: BTreeMap::new(),
            accepted: 0,
        });
    }

    fn open(&mut self, bytes: &mut Bytes<'_>) {
        if self.handles.len() >= HANDLES {
            return self.free(bytes);
        }
        let options = self.options(bytes);
        let mut config = Self::config(bytes, &options);
        // The engine may reach nothing but this machine, whatever else is set.
        let (deny, allow) = (
            [c"0.0.0.0/0".as_ptr(), c"::/0".as_ptr()],
            [c"127.0.0.0/8".as_ptr()],
        );
        config.deny_networks = deny.as_ptr();
        config.deny_network_count = deny.len();
        config.allow_networks = allow.as_ptr();
        config.allow_network_count = allow.len();
        let byte = bytes.next();
        config.threads = 1 + u32::from(byte & 1);
        config.max_workers = [1, 2, 3, 8][usize::from(byte >> 1 & 3)];
        config.throttle = [0.0, 0.0, 0.001, 0.003][usize::from(byte >> 3 & 3)];
        config.domain_parallelism = 1 + u32::from(byte >> 5 & 1);
        if byte & 64 != 0 {
            config.throttle_fn = Some(throttle);
            config.parallelism_fn = Some(parallelism);
            config.domain_userdata = std::ptr::without_provenance_mut(9);
        }
        let mut pool = untouched();
        if byte & 128 != 0 && bytes.once_in(4) {
            Self::spoil(bytes, &mut config);
            // SAFETY: what is wrong is not followed.
            expect(
                unsafe { pool_new(&config, &mut pool) },
                POOL_INVALID_ARGUMENT,
            );
            assert_eq!(pool, untouched());
            return;
        }
        // SAFETY: all that it points to lives.
        expect(unsafe { pool_new(&config, &mut pool) }, POOL_OK);
        self.keep(pool, &config);
    }

    fn share(&mut self, bytes: &mut Bytes<'_>) {
        if self.handles.is_empty() || self.handles.len() >= HANDLES {
            return;
        }
        let of = self.handle(bytes).pool;
        let options = self.options(bytes);
        let mut config = Self::config(bytes, &options);
        let mut pool = untouched();
        if bytes.once_in(6) {
            match bytes.next() {
                byte if byte & 1 == 0 => Self::spoil(bytes, &mut config),
                byte if byte & 2 == 0 => config.max_workers = 77,
                _ => config.throttle_fn = Some(throttle),
            }
            // SAFETY: what is wrong is not followed.
            expect(
                unsafe { pool_share(of, &config, &mut pool) },
                POOL_INVALID_ARGUMENT,
            );
            assert_eq!(pool, untouched());
            return;
        }
        // SAFETY: all that it points to lives.
        expect(unsafe { pool_share(of, &config, &mut pool) }, POOL_OK);
        self.keep(pool, &config);
    }

    fn handle(&mut self, bytes: &mut Bytes<'_>) -> &mut Handle {
        let at = bytes.below(self.handles.len());
        &mut self.handles[at]
    }

    /// The text of a job's URL.
    fn url(bytes: &mut Bytes<'_>) -> Vec<u8> {
        const HOSTS: [&str; 5] = [
            "a.test",
            "b.test",
            "www.example.com",
            "127.0.0.1",
            "closed.test",
        ];
        match bytes.below(8) {
            0 => {
                let size = bytes.below(64);
                bytes.take(size).to_vec()
            }
            1 => b" ".to_vec(),
            _ => {
                let (host, path) = (HOSTS[bytes.below(HOSTS.len())], bytes.below(12));
                format!("http://{host}/{path}").into_bytes()
            }
        }
    }

    fn submit(&mut self, bytes: &mut Bytes<'_>) {
        let mut url = Self::url(bytes);
        let own = bytes.once_in(4).then(|| self.options(bytes));
        let (tag, userdata) = (self.next_tag, bytes.below(3));
        let mut job = pool_job_init_();
        job.url_size = url.len();
        url.push(0);
        job.url = url.as_ptr().cast();
        job.tag = tag;
        job.userdata = std::ptr::without_provenance_mut(userdata);
        job.kind = if bytes.once_in(4) {
            POOL_RESOLVE
        } else {
            POOL_REQUEST
        };
        job.group = match bytes.below(8) {
            0 => c"".as_ptr(),
            1 => c"own".as_ptr(),
            _ => null(),
        };
        let mut kept = std::ptr::null_mut();
        if let Some(own) = &own {
            job.options = &own.options;
            if bytes.once_in(2) {
                // SAFETY: the options and all that they point to live.
                expect(
                    unsafe { pool_options_keep(&own.options, &mut kept) },
                    POOL_OK,
                );
                (job.options, job.kept_options) = (null(), kept);
            }
        }
        let mut options = own.as_ref().map_or(pool_options_init_(), |own| own.options);
        let timeout = i32::from(bytes.once_in(8));
        let text = String::from_utf8_lossy(&url[..url.len() - 1]);
        let at = bytes.below(self.handles.len());
        let handle = &mut self.handles[at];
        let mut is_good = handle.passthrough || !text.trim().is_empty();
        let framing = pool_header_t {
            name: c"Content-Length".as_ptr(),
            value: c"3".as_ptr(),
            name_size: 0,
            value_size: 0,
        };
        if bytes.once_in(12) {
            is_good = false;
            match bytes.below(9) {
                0 => job.struct_size += 8,
                1 => job.kind = 2,
                2 => (job.url, job.url_size) = (null(), 1),
                3 => (job.group, job.group_size) = (c"\xff".as_ptr(), 1),
                which => {
                    match which {
                        4 => options.compressed = 2,
                        5 => options.timeout = 0.0,
                        6 => (options.headers, options.header_count) = (&framing, 1),
                        7 => (options.retry, options.retry_on_timeout) = (0, 1),
                        _ => options.method = c"NO METHOD".as_ptr(),
                    }
                    job.options = &options;
                }
            }
        }
        // One or the other.
        is_good &= job.options.is_null() || job.kept_options.is_null();
        // SAFETY: all that it points to lives; what is wrong is not followed.
        let status = unsafe { pool_submit(handle.pool, &job, timeout) };
        // SAFETY: the job was handed in.
        unsafe { pool_kept_options_free(kept) };
        match status {
            POOL_OK => {
                assert!(is_good && !handle.closed);
                handle.accepted += 1;
                handle.outstanding.insert(tag, userdata);
                self.next_tag += 1;
            }
            POOL_AGAIN => assert!(is_good && !handle.closed),
            POOL_CLOSED => assert!(is_good && handle.closed),
            other => {
                expect(other, POOL_INVALID_ARGUMENT);
                assert!(!is_good);
            }
        }
    }

    fn submit_many(&mut self, bytes: &mut Bytes<'_>) {
        let mut urls: Vec<_> = (0..bytes.below(5)).map(|_| Self::url(bytes)).collect();
        let mut jobs = Vec::new();
        for (index, url) in urls.iter_mut().enumerate() {
            let mut job = pool_job_init_();
            job.url_size = url.len();
            url.push(0);
            job.url = url.as_ptr().cast();
            job.tag = self.next_tag + index as u64;
            jobs.push(job);
        }
        let timeout = i32::from(bytes.once_in(4));
        let at = bytes.below(self.handles.len());
        let handle = &mut self.handles[at];
        let mut accepted = usize::MAX;
        let (start, count) = (jobs.as_ptr(), jobs.len());
        // SAFETY: there are so many jobs, and all that they point to lives.
        let status = unsafe { pool_submit_many(handle.pool, start, count, timeout, &mut accepted) };
        let is_good = |url: &Vec<u8>| {
            let text = String::from_utf8_lossy(&url[..url.len() - 1]);
            handle.passthrough || !text.trim().is_empty()
        };
        let first_bad = urls.iter().position(|url| !is_good(url)).unwrap_or(count);
        assert!(accepted <= first_bad);
        match status {
            POOL_OK => assert!(accepted == count),
            POOL_AGAIN => assert!(accepted < count && !handle.closed),
            POOL_CLOSED => assert!(accepted == 0 && handle.closed),
            other => {
                expect(other, POOL_INVALID_ARGUMENT);
                assert_eq!(accepted, first_bad);
            }
        }
        assert!(accepted == 0 || !handle.closed);
        handle.accepted += accepted as u64;
        for job in &jobs[..accepted] {
            handle.outstanding.insert(job.tag, 0);
        }
        self.next_tag += count as u64;
    }

    fn next(&mut self, bytes: &mut Bytes<'_>) {
        let timeout = [0, 1, 10][bytes.below(3)];
        let mut result = untouched();
        let at = bytes.below(self.handles.len());
        let handle = &mut self.handles[at];
        // SAFETY: the handle lives.
        let status = unsafe { pool_next_result(handle.pool, timeout, &mut result) };
        match status {
            POOL_OK => {
                // SAFETY: it was just taken.
                handle.took(unsafe { &*result }, 0);
                self.results.push(result);
            }
            other => {
                handle.has_none(other);
                assert_eq!(result, untouched());
            }
        }
    }

    fn next_many(&mut self, bytes: &mut Bytes<'_>) {
        let (timeout, max) = ([0, 1, 10][bytes.below(3)], 1 + bytes.below(4));
        let mut results = [untouched(); 4];
        let mut count = usize::MAX;
        let at = bytes.below(self.handles.len());
        let handle = &mut self.handles[at];
        let start = results.as_mut_ptr();
        // SAFETY: there is room for `max`.
        let status = unsafe { pool_next_results(handle.pool, start, max, timeout, &mut count) };
        match status {
            POOL_OK => {
                assert!((1..=max).contains(&count));
                for &result in &results[..count] {
                    // SAFETY: it was just taken.
                    handle.took(unsafe { &*result }, 0);
                    self.results.push(result);
                }
                assert!(results[count..].iter().all(|&rest| rest == untouched()));
            }
            other => {
                handle.has_none(other);
                assert_eq!(count, usize::MAX);
            }
        }
    }

    fn next_packed(&mut self, bytes: &mut Bytes<'_>) {
        let timeout = [0, 1, 10][bytes.below(3)];
        // Bytes behind the buffer must stay as they are.
        let size = bytes.below(256) * 8;
        let mut buffer = vec![u64::MAX; size / 8];
        let (mut count, mut needed) = (usize::MAX, usize::MAX);
        let handle = self.handle(bytes);
        let start = buffer.as_mut_ptr();
        // SAFETY: there are so many bytes.
        let status = unsafe {
            pool_next_packed(
                handle.pool,
                start.cast(),
                size,
                timeout,
                &mut count,
                &mut needed,
            )
        };
        if status != POOL_OK {
            handle.has_none(status);
            assert_eq!((count, needed), (usize::MAX, usize::MAX));
            return;
        }
        assert!(count > 0 || needed > size);
        let mut at = 0;
        for _ in 0..count {
            // SAFETY: it was just written there.
            let result = unsafe { &*start.cast::<u8>().add(at).cast::<pool_result_t>() };
            at += result.block_size;
            assert!(at <= size);
            handle.took(result, start.cast::<u8>().addr() + at - result.block_size);
        }
    }

    fn finish_one(&mut self, bytes: &mut Bytes<'_>) {
        let handle = self.handle(bytes);
        // SAFETY: the handle lives.
        expect(unsafe { pool_finish(handle.pool) }, POOL_OK);
        handle.closed = true;
    }

    fn cancel_one(&mut self, bytes: &mut Bytes<'_>) {
        let handle = self.handle(bytes);
        // SAFETY: the handle lives.
        expect(unsafe { pool_cancel(handle.pool) }, POOL_OK);
        handle.closed = true;
    }

    /// Asks a handle about itself.
    fn ask(&mut self, bytes: &mut Bytes<'_>) {
        let handle = self.handle(bytes);
        let mut stats = pool_stats_t::defaults();
        // SAFETY: the handle lives, and all is writable.
        unsafe {
            expect(pool_stats(handle.pool, &mut stats), POOL_OK);
            let mut options = pool_options_init_();
            expect(
                pool_options_from(handle.pool, &mut options, size_of::<pool_options_t>()),
                POOL_OK,
            );
            assert_eq!(options.connect_to_count, 2);
            let (mut fd, mut same) = (-1, -1);
            expect(pool_event_fd(handle.pool, &mut fd), POOL_OK);
            expect(pool_event_fd(handle.pool, &mut same), POOL_OK);
            assert!(fd >= 0 && fd == same);
        }
        assert_eq!(stats.accepted, handle.accepted);
        assert_eq!(
            stats.accepted - stats.delivered,
            handle.outstanding.len() as u64
        );
        assert!(stats.failed <= stats.accepted && stats.held <= stats.accepted);
        // All names are given, and the system is never asked.
        assert_eq!(stats.name_lookups, 0);
    }

    /// Sets what can be set while the engine runs.
    fn set(&mut self, bytes: &mut Bytes<'_>) {
        let (which, number) = (bytes.below(4), bytes.next());
        let pool = self.handle(bytes).pool;
        let throttle = f64::from(number % 4) / 1000.0;
        let number = u32::from(number % 3);
        let good = |is_good: bool| {
            if is_good {
                POOL_OK
            } else {
                POOL_INVALID_ARGUMENT
            }
        };
        // SAFETY: the handle lives, as do the names.
        unsafe {
            match which {
                0 => {
                    let name = c"example.com".as_ptr();
                    expect(
                        pool_set_domain_rule(pool, name, throttle, number),
                        good(number > 0),
                    );
                    let mut in_flight = u64::MAX;
                    expect(pool_hold_group(pool, name, &mut in_flight), POOL_OK);
                    assert!(in_flight < u64::MAX);
                    expect(pool_release_group(pool, name), POOL_OK);
                }
                1 => {
                    let status = pool_set_domain_rule(pool, c"".as_ptr(), throttle, 1);
                    expect(status, POOL_INVALID_ARGUMENT);
                    let url = Self::url(bytes);
                    let mut group = [0x7f; 16];
                    let (room, mut size) = (usize::from(number as u8) * 8, usize::MAX);
                    let start = group.as_mut_ptr().cast();
                    // A size of 0 would mean: up to the NUL.
                    let url = if url.is_empty() { b" ".to_vec() } else { url };
                    let status =
                        pool_url_group(url.as_ptr().cast(), url.len(), start, room, &mut size);
                    let told = crate::url_group(&String::from_utf8_lossy(&url));
                    match told {
                        Ok(name) if name.len() < room => {
                            expect(status, POOL_OK);
                            assert_eq!(&group[..name.len()], name.as_bytes());
                            assert_eq!((group[name.len()], size), (0, name.len()));
                        }
                        told => {
                            expect(status, POOL_INVALID_ARGUMENT);
                            assert_eq!(size, told.map_or(usize::MAX, |name| name.len()));
                            assert_eq!(group, [0x7f; 16]);
                        }
                    }
                }
                2 => {
                    let level = number as i32 * 2;
                    let userdata = std::ptr::without_provenance_mut(11);
                    expect(pool_set_log(pool, level, Some(log), userdata), POOL_OK);
                }
                _ => expect(
                    pool_set_log(pool, 5 + number as i32, None, null_mut()),
                    POOL_INVALID_ARGUMENT,
                ),
            }
        }
    }

    fn free_result(&mut self, bytes: &mut Bytes<'_>) {
        if !self.results.is_empty() {
            let at = bytes.below(self.results.len());
            // SAFETY: it was taken and is freed once.
            unsafe { pool_result_free(self.results.swap_remove(at)) };
        }
        while self.results.len() > RESULTS {
            // SAFETY: as above.
            unsafe { pool_result_free(self.results.remove(0)) };
        }
    }

    fn read_result(&mut self, bytes: &mut Bytes<'_>) {
        if !self.results.is_empty() {
            let at = bytes.below(self.results.len());
            read_content(self.results[at]);
        }
    }

    /// Makes a page that comes from no job.
    fn page(&mut self, bytes: &mut Bytes<'_>) {
        let mut text = |size: usize| {
            let size = bytes.below(size);
            let mut text: Vec<u8> = bytes.take(size).to_vec();
            text.push(0);
            text
        };
        let (url, content_type, body) = (text(40), text(40), text(200));
        let (with_url, with_type) = (bytes.once_in(2), bytes.once_in(2));
        let encoding = if bytes.once_in(4) {
            c"utf-16le".as_ptr()
        } else {
            null()
        };
        let mut result = untouched();
        // One header and a list of headers are read in different ways.
        let headers = [pool_header_t {
            name: c"content-type".as_ptr(),
            value: content_type.as_ptr().cast(),
            name_size: 0,
            value_size: 0,
        }; 2];
        let answer = bytes.once_in(2);
        // SAFETY: all end in a NUL, and the body has so many bytes.
        let status = unsafe {
            if answer {
                pool_result_of_answer(
                    if with_url {
                        url.as_ptr().cast()
                    } else {
                        null()
                    },
                    headers.as_ptr(),
                    if with_type { 2 } else { 0 },
                    encoding,
                    body.as_ptr().cast(),
                    body.len() - 1,
                    &mut result,
                )
            } else {
                pool_result_of_page(
                    if with_url {
                        url.as_ptr().cast()
                    } else {
                        null()
                    },
                    if with_type {
                        content_type.as_ptr().cast()
                    } else {
                        null()
                    },
                    encoding,
                    body.as_ptr().cast(),
                    body.len() - 1,
                    &mut result,
                )
            }
        };
        if status == POOL_OK {
            read_content(result);
            // SAFETY: it was just made.
            unsafe { pool_result_free(result) };
        } else {
            expect(status, POOL_INVALID_ARGUMENT);
            assert!(result == untouched() && (with_url || with_type));
        }
    }

    /// Makes calls with bad arguments: each is refused and writes nothing.
    fn bad_call(&mut self, bytes: &mut Bytes<'_>) {
        let pool = match self.handles.first() {
            Some(handle) if bytes.once_in(2) => handle.pool,
            _ => null_mut(),
        };
        let (mut number, mut needed) = (usize::MAX, usize::MAX);
        let mut result = untouched();
        let mut handle = untouched();
        let mut descriptor = -7;
        let mut buffer = [u64::MAX; 64];
        let job = pool_job_init_();
        let odd: *mut c_void = buffer.as_mut_ptr().wrapping_byte_add(1).cast();
        let bad = POOL_INVALID_ARGUMENT;
        // SAFETY: what is wrong is not followed.
        unsafe {
            match bytes.below(20) {
                0 => expect(pool_new(null(), null_mut()), bad),
                1 => expect(pool_share(null_mut(), null(), &mut handle), bad),
                2 => expect(pool_share(pool, null(), null_mut()), bad),
                3 => expect(pool_submit(pool, null(), 0), bad),
                4 => expect(pool_submit(null_mut(), &job, 0), bad),
                5 => expect(pool_submit_many(pool, &job, 1, 0, null_mut()), bad),
                6 => expect(pool_submit_many(pool, null(), 1, 0, &mut number), bad),
                7 => expect(pool_next_result(pool, 0, null_mut()), bad),
                8 => expect(pool_next_result(null_mut(), -1, &mut result), bad),
                9 => expect(pool_next_results(pool, &mut result, 0, 0, &mut number), bad),
                10 => expect(pool_next_results(pool, null_mut(), 1, 0, &mut number), bad),
                11 => expect(
                    pool_next_packed(pool, odd, 64, 0, &mut number, &mut needed),
                    bad,
                ),
                12 => expect(
                    pool_next_packed(pool, null_mut(), 64, 0, &mut number, &mut needed),
                    bad,
                ),
                13 => {
                    expect(pool_finish(null_mut()), bad);
                    expect(pool_cancel(null_mut()), bad);
                    pool_free(null_mut());
                    pool_result_free(null_mut());
                }
                14 => expect(pool_event_fd(null_mut(), &mut descriptor), bad),
                15 => expect(pool_event_fd(pool, null_mut()), bad),
                16 => expect(pool_stats(pool, odd.cast()), bad),
                17 => {
                    let name = c"\xff".as_ptr();
                    expect(pool_set_domain_rule(pool, name, 0.0, 1), bad);
                    expect(pool_hold_group(pool, name, null_mut()), bad);
                    expect(pool_release_group(pool, name), bad);
                }
                18 => {
                    expect(
                        pool_config_init(odd.cast(), size_of::<pool_config_t>()),
                        bad,
                    );
                    expect(pool_job_init(null_mut(), size_of::<pool_job_t>()), bad);
                    expect(
                        pool_options_init(buffer.as_mut_ptr().cast(), bytes.below(64)),
                        bad,
                    );
                    let size = size_of::<pool_options_t>();
                    expect(pool_options_from(pool, null_mut(), size), bad);
                }
                _ => {
                    let status = i32::from(bytes.next()) - 100;
                    assert!(!CStr::from_ptr(pool_status_name(status)).is_empty());
                    assert!(pool_result_mimetype(null()).is_null());
                    assert!(pool_result_links(null(), &mut number).is_null());
                    assert!(pool_result_elements(null(), &mut number).is_null());
                    assert_eq!(number, 0);
                    number = usize::MAX;
                }
            }
        }
        // submit_many writes `accepted` even then: no job was accepted.
        assert!(number == usize::MAX || number == 0);
        assert_eq!(needed, usize::MAX);
        assert_eq!((result, handle, descriptor), (untouched(), untouched(), -7));
        assert!(buffer.iter().all(|&word| word == u64::MAX));
    }

    fn free(&mut self, bytes: &mut Bytes<'_>) {
        let at = bytes.below(self.handles.len());
        let handle = self.handles.swap_remove(at);
        // SAFETY: the handle lives, and this is the last call on it.
        unsafe { pool_free(handle.pool) };
    }

    /// Checks that every accepted job has its result, and that no other comes.
    fn finish(mut self) {
        for (index, mut handle) in std::mem::take(&mut self.handles).into_iter().enumerate() {
            // SAFETY: the handle lives until it is freed.
            unsafe {
                if index % 2 == 1 {
                    expect(pool_cancel(handle.pool), POOL_OK);
                }
                expect(pool_finish(handle.pool), POOL_OK);
                handle.closed = true;
                loop {
                    let mut result = untouched();
                    match pool_next_result(handle.pool, PATIENCE, &mut result) {
                        POOL_OK => {
                            handle.took(&*result, 0);
                            pool_result_free(result);
                        }
                        POOL_DONE => break,
                        other => panic!("{other:?}, with {:?} outstanding", handle.outstanding),
                    }
                }
                assert!(
                    handle.outstanding.is_empty(),
                    "lost: {:?}",
                    handle.outstanding
                );
                pool_free(handle.pool);
            }
        }
        // The results outlive their handle.
        for result in self.results {
            read_content(result);
            // SAFETY: it was taken and is freed once.
            unsafe { pool_result_free(result) };
        }
    }
}

impl Handle {
    /// Checks a result that was taken. `origin` is where its pointers count from.
    fn took(&mut self, result: &pool_result_t, origin: usize) {
        if self.ordered {
            let first = self.outstanding.first_key_value();
            assert_eq!(first.map(|(tag, _)| *tag), Some(result.tag), "in order");
        }
        let userdata = self.outstanding.remove(&result.tag);
        assert_eq!(userdata, Some(result.userdata.addr()), "tag {}", result.tag);
        let read = Reading(origin);
        let code = read.text(result.error_code).map(|code| code.to_owned());
        let code = code.as_deref().and_then(|code| code.to_str().ok());
        assert_eq!(code.is_some(), read.text(result.error_message).is_some());
        let has_answer = result.status != 0 && matches!(code, None | Some("callback-error"));
        if has_answer && self.callback {
            let attached = result.tag as usize + 1;
            let callback_failed = code == Some("callback-error");
            // A job that was cancelled before its callback has no value.
            assert_eq!(result.value.addr(), attached);
            assert_eq!(callback_failed, fails(result.tag));
        } else if !self.callback {
            assert!(result.value.is_null());
        }
        assert_eq!(result.struct_size, size_of::<pool_result_t>());
        assert!(result.start_time <= result.end_time + 60.0);
        assert!(
            code != Some("internal-error"),
            "{:?}",
            read.text(result.error_message)
        );
        read.bytes(result.url.cast(), result.url_size);
        read.bytes(result.end_url.cast(), result.end_url_size);
        read.bytes(result.group.cast(), result.group_size);
        let subcode = read.text(result.error_subcode);
        assert!(
            subcode.is_none() || code == Some("ssl"),
            "{code:?} {subcode:?}"
        );
        read.bytes(result.body, result.body_size);
        assert_eq!(result.headers.is_null(), result.header_count == 0);
        assert_eq!(result.stack.is_null(), result.stack_count == 0);
        for index in 0..result.header_count {
            // SAFETY: there are so many.
            let header = unsafe { &*read.at(result.headers).add(index) };
            read.bytes(header.name.cast(), header.name_size);
            read.bytes(header.value.cast(), header.value_size);
        }
        for index in 0..result.stack_count {
            // SAFETY: there are so many.
            let hop = unsafe { &*read.at(result.stack).add(index) };
            read.bytes(hop.url.cast(), hop.url_size);
            let kind = read.text(hop.r#type).and_then(|kind| kind.to_str().ok());
            let is_last = index + 1 == result.stack_count;
            // The step after this hop may be what failed.
            let ends = code.is_some() || matches!(kind, Some("hit" | "canonical"));
            assert!(!is_last || ends, "{kind:?}");
        }
    }

    /// Checks that no result came, given that status.
    fn has_none(&self, status: pool_status_t) {
        let is_done = self.closed && self.outstanding.is_empty();
        expect(status, if is_done { POOL_DONE } else { POOL_AGAIN });
    }
}

/// Reads what a result points to; its pointers count from this address.
struct Reading(usize);

impl Reading {
    fn at<T>(&self, pointer: *const T) -> *const T {
        match self.0 {
            0 => pointer,
            origin => std::ptr::with_exposed_provenance(origin + pointer.addr()),
        }
    }

    fn text(&self, pointer: *const c_char) -> Option<&CStr> {
        // SAFETY: it is NULL or ends in a NUL.
        (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(self.at(pointer)) })
    }

    /// Touches each byte.
    fn bytes(&self, pointer: *const u8, size: usize) {
        assert!(!pointer.is_null() || size == 0);
        if size > 0 {
            // SAFETY: there are so many.
            let bytes = unsafe { std::slice::from_raw_parts(self.at(pointer), size) };
            std::hint::black_box(
                bytes
                    .iter()
                    .fold(0, |sum: u8, byte| sum.wrapping_add(*byte)),
            );
        }
    }
}

/// Asks a result everything that it can be asked.
fn read_content(result: *mut pool_result_t) {
    let (mut size, mut count) = (usize::MAX, usize::MAX);
    let read = Reading(0);
    // SAFETY: the result lives.
    unsafe {
        let texts = [
            pool_result_mimetype(result),
            pool_result_ext(result),
            pool_result_encoding(result),
        ];
        for text in texts {
            assert!(
                read.text(text)
                    .is_none_or(|text| text.to_str().is_ok_and(|text| !text.is_empty()))
            );
        }
        let flags = [
            pool_result_is_text(result),
            pool_result_could_be_html(result),
            pool_result_is_html(result),
        ];
        assert!(flags.iter().all(|flag| matches!(flag, 0 | 1)));
        let text = pool_result_text(result, &mut size);
        assert_eq!(text.is_null(), flags[0] == 0);
        if !text.is_null() {
            let bytes = std::slice::from_raw_parts(text.cast::<u8>(), size + 1);
            let (end, text) = bytes.split_last().expect("a NUL at least");
            assert!(*end == 0 && std::str::from_utf8(text).is_ok());
        }
        let links = pool_result_links(result, &mut count);
        assert_eq!(links.is_null(), count == 0);
        let mut seen = BTreeSet::new();
        for index in 0..count {
            let link = CStr::from_ptr(*links.add(index)).to_bytes();
            assert!(link.starts_with(b"http") && seen.insert(link));
        }
        let elements = pool_result_elements(result, &mut count);
        assert_eq!(elements.is_null(), count == 0);
        for index in 0..count {
            let it = &*elements.add(index);
            assert_eq!(it.struct_size, size_of::<pool_element_t>());
            assert!(CStr::from_ptr(it.url).to_bytes().starts_with(b"http"));
            for (text, size) in [
                (it.url, it.url_size),
                (it.rel, it.rel_size),
                (it.text, it.text_size),
            ] {
                let text = CStr::from_ptr(text).to_str().expect("UTF-8");
                assert_eq!(text.len(), size);
            }
            assert!(!it.element.is_null() && !it.attribute.is_null());
        }
        assert_eq!(pool_result_text(result, null_mut()), text);
    }
}

macro_rules! initialized {
    ($name:ident, $type:ty, $init:ident) => {
        fn $name() -> $type {
            let mut value = std::mem::MaybeUninit::<$type>::uninit();
            // SAFETY: there is room for it, and it is then written.
            unsafe {
                expect($init(value.as_mut_ptr(), size_of::<$type>()), POOL_OK);
                value.assume_init()
            }
        }
    };
}

initialized!(pool_config_init_, pool_config_t, pool_config_init);
initialized!(pool_options_init_, pool_options_t, pool_options_init);
initialized!(pool_job_init_, pool_job_t, pool_job_init);
