//! A server that misbehaves.
//!
//! | path | what happens |
//! |------|--------------|
//! | `/close` | closes right after the request (an empty reply) |
//! | `/reset` | resets right after the request |
//! | `/truncate` | `Content-Length: 1000`, 100 bytes, closes |
//! | `/truncate-chunk` | chunked, 5 bytes, closes before the last chunk |
//! | `/reset-body` | the same as `/truncate`, but resets |
//! | `/stall` | the same, but stays silent |
//! | `/silence` | never answers |
//! | `/garbage` | answers something that is not HTTP |
//! | `/bad-chunk` | chunked, with a size that is not one |
//! | `/http09` | a body without a head |
//! | `/header-flood` | headers for ever |
//! | `/dup-length` | `Content-Length` 5 and 10 |
//! | `/flaky/KEY/N` | the first N requests are closed without an answer, the others get 200 |
//! | `/flaky-status/KEY/N/S` | the first N requests get status S, the others get 200 |
//! | `/keep-then-close?ms=N` | 200, keep-alive; closes after N ms (20) all the same |
//! | `/keep-then-drop` | 200, keep-alive; closes when the connection's next request comes, without an answer |
//! | `/head` | 200 with the request's head, byte for byte |
//! | anything else | 200, keep-alive |

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::net::{Background, accept, listen};
use crate::query::Query;

/// A server on 127.0.0.1 that misbehaves, until it is dropped. `faults.rs` lists how.
pub struct Faults {
    port: u16,
    shared: Arc<Shared>,
    _background: Background,
}

struct Shared {
    start: Instant,
    connections: AtomicU64,
    /// When each path (and query) was asked.
    times: Mutex<HashMap<String, Vec<Duration>>>,
}

impl Shared {
    fn times(&self) -> MutexGuard<'_, HashMap<String, Vec<Duration>>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and tells how many there were of this path before.
    fn count(&self, path: &str) -> usize {
        let mut times = self.times();
        let times = times.entry(path.to_owned()).or_default();
        times.push(self.start.elapsed());
        times.len() - 1
    }
}

impl Faults {
    /// Starts a server.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared {
            start: Instant::now(),
            connections: AtomicU64::new(0),
            times: Mutex::default(),
        });
        let background = Background::start("faults")?;
        let port = background.within(|| -> io::Result<_> {
            let (listener, port) = listen(0)?;
            tokio::spawn(serve(listener, Arc::clone(&shared)));
            Ok(port)
        })?;
        Ok(Self {
            port,
            shared,
            _background: background,
        })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// How many requests of a path (and query) came.
    pub fn requests(&self, path: &str) -> usize {
        self.shared.times().get(path).map_or(0, Vec::len)
    }

    /// When the requests of a path (and query) came, since the start.
    pub fn times(&self, path: &str) -> Vec<Duration> {
        self.shared.times().get(path).cloned().unwrap_or_default()
    }

    /// How many TCP connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let stream = accept(&listener).await;
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // The client going away is nothing to tell.
            let _ = converse(stream, &shared).await;
        });
    }
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Keep,
    Close,
    CloseAfter(Duration),
    Drop,
    Reset,
    Silence,
}

const PARTIAL: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n";

async fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut received = Vec::new();
    let mut doomed = false;
    while let Some(head) = read_request(&mut stream, &mut received).await? {
        let text = String::from_utf8_lossy(&head);
        let path = text.split(' ').nth(1).unwrap_or_default();
        let before = shared.count(path);
        if doomed {
            break;
        }
        match answer(&mut stream, path, before, &head).await? {
            Then::Keep => {}
            Then::Close => break,
            Then::CloseAfter(pause) => {
                sleep(pause).await;
                break;
            }
            Then::Drop => doomed = true,
            Then::Reset => {
                sleep(Duration::from_millis(20)).await; // for what was sent to be received
                stream.set_zero_linger()?;
                break;
            }
            Then::Silence => {
                while stream.read(&mut [0; 1024]).await? > 0 {}
                break;
            }
        }
    }
    Ok(())
}

async fn answer(
    stream: &mut TcpStream,
    path: &str,
    before: usize,
    head: &[u8],
) -> io::Result<Then> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parts = path.trim_start_matches('/').split('/');
    let name = parts.next().unwrap_or_default();
    let first = parts.nth(1).and_then(|n| n.parse().ok()).unwrap_or(1);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let (text, then) = match name {
        "close" => (String::new(), Then::Close),
        "reset" => (String::new(), Then::Reset),
        "truncate" => (format!("{PARTIAL}{:x<100}", ""), Then::Close),
        "truncate-chunk" => (chunked.to_owned(), Then::Close),
        "reset-body" => (format!("{PARTIAL}{:x<100}", ""), Then::Reset),
        "stall" => (format!("{PARTIAL}{:x<100}", ""), Then::Silence),
        "silence" => (String::new(), Then::Silence),
        "garbage" => ("\0\x01 not HTTP at all\r\n\r\n\x02".to_owned(), Then::Close),
        "bad-chunk" => (format!("{chunked}ZZZ\r\nhello\r\n0\r\n\r\n"), Then::Close),
        "http09" => ("<html>no head at all</html>\n".to_owned(), Then::Close),
        "header-flood" => return header_flood(stream).await,
        "dup-length" => (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 10\r\n\r\nhellohello"
                .to_owned(),
            Then::Close,
        ),
        "flaky" if before < first => (String::new(), Then::Close),
        "flaky-status" if before < first => {
            let status = parts.next().unwrap_or("503");
            (whole(&format!("{status} Flaky"), "flaky\n"), Then::Keep)
        }
        "keep-then-close" => {
            let ms = Query(query).number("ms", 20);
            let then = Then::CloseAfter(Duration::from_millis(ms));
            (whole("200 OK", "ok\n"), then)
        }
        "keep-then-drop" => (whole("200 OK", "ok\n"), Then::Drop),
        "head" => (whole("200 OK", &String::from_utf8_lossy(head)), Then::Keep),
        _ => (whole("200 OK", "ok\n"), Then::Keep),
    };
    stream.write_all(text.as_bytes()).await?;
    Ok(then)
}

/// A sound answer.
fn whole(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Sends headers until the client goes away.
async fn header_flood(stream: &mut TcpStream) -> io::Result<Then> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
    for i in 0_u64.. {
        let line = format!("X-Flood-{i}: {:x<1000}\r\n", "");
        stream.write_all(line.as_bytes()).await?;
    }
    Ok(Then::Close)
}

/// The next request's head, its body being skipped; `received` keeps what came after it. `None` is
/// the end of the connection.
async fn read_request(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
) -> io::Result<Option<Vec<u8>>> {
    let head = loop {
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let rest = received.split_off(end + 4);
            break std::mem::replace(received, rest);
        }
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    };
    let length = String::from_utf8_lossy(&head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    while received.len() < length {
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
    received.drain(..length);
    Ok(Some(head))
}
