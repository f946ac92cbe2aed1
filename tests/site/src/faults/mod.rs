//! A server that misbehaves.
//!
//! | path | what happens |
//! |------|--------------|
//! | those of `said.rs` ([`Faults::said`]) | fixed bytes: the end, or silence, at every stage; lengths, chunks, status lines and headers that lie or are none; answers before and behind the answer; broken codings |
//! | `/drip-head?ms=N`, `/drip-body?ms=N` | a sound answer, from its head or its body on byte by byte, N ms (1000) apart |
//! | `/header-flood`, `/header-lines?mb=N`, `/header-line?mb=N`, `/status-line?mb=N`, `/continue-flood?mb=N` | headers (numbered, or the same), one header, a status line, interim answers: of N MB, or for ever |
//! | `/body?mb=N`, `/body-chunks?mb=N`, `/chunk-size?mb=N`, `/chunk-extensions?mb=N`, `/chunk-trailers?mb=N`, `/gzip-members?mb=N` | a body, or a part of it, of N MB, or for ever |
//! | `/bomb-gzip?mb=N`, `/bomb-gzip-twice`, `/bomb-deflate`, `/bomb-br`, `/bomb-br-slow`, `/bomb-zstd` | N MB (1024) of zeros in that coding |
//! | `/window-br?log=N`, `/window-zstd?log=N` | a coding that asks for a window of 2^N bytes (30, 31) |
//! | `/cut-gzip`, `/cut-deflate`, `/cut-br`, `/cut-zstd` | half of a body in that coding |
//! | `/location?to=…&status=S` | a redirection of status S (302), its `Location` being the percent-decoded bytes of `to` |
//! | `/location-long?kb=N` | the same, to a path of N KB (10) |
//! | `/chain/N` | redirects to `/chain/N+1` |
//! | `/loop/a`, `/loop/b`, `/self` | redirect to each other, and to itself |
//! | `/flaky/KEY/N` | the first N requests are closed without an answer, the others get 200 |
//! | `/flaky-status/KEY/N/S` | the first N requests get status S, the others get 200 |
//! | `/keep-then-close?ms=N` | 200, keep-alive; closes after N ms (20) all the same |
//! | `/keep-then-drop` | 200, keep-alive; closes when the connection's next request comes, without an answer |
//! | `/head` | 200 with the request's head, byte for byte |
//! | `/no-head?status=S` | HEAD gets status S (0: the connection is closed), any other method 200 |
//! | anything else | 200, keep-alive |
//!
//! To HEAD it says the same as to GET, but there. What happens before there is a path, or in another protocol,
//! has a port of its own: [`Faults::door`].

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::net::{Background, accept, listen};
use crate::query::Query;
use doors::DOORS;
use said::SAID;

mod doors;
mod endless;
mod said;

/// A server on 127.0.0.1 that misbehaves, until it is dropped. `faults.rs` lists how.
pub struct Faults {
    port: u16,
    shared: Arc<Shared>,
    /// Those that were asked for, and where they are.
    doors: Mutex<HashMap<&'static str, u16>>,
    background: Background,
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
            doors: Mutex::default(),
            background,
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

    /// The paths that are answered with fixed bytes, without their `/`.
    pub fn said() -> impl Iterator<Item = &'static str> {
        SAID.iter().map(|(name, ..)| *name)
    }

    /// The paths of what is slow, large or without end, without their `/`.
    pub fn endless() -> impl Iterator<Item = &'static str> {
        endless::NAMES.iter().copied()
    }

    /// The names of the doors.
    pub fn doors() -> impl Iterator<Item = &'static str> {
        DOORS.iter().map(|door| door.name)
    }

    /// `SCHEME://127.0.0.1:PORT` of a door: a port where it goes wrong before anything is asked
    /// (`close`, `reset`, `silence`), in the handshake (`tls-…`), or in HTTP/2 without TLS (`h2-…`).
    /// It is opened when first asked for. `doors.rs` lists them.
    pub fn door(&self, name: &str) -> io::Result<String> {
        let door = DOORS
            .iter()
            .find(|door| door.name == name)
            .ok_or_else(|| io::Error::other(format!("{name} is no door")))?;
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let port = match doors.get(door.name) {
            Some(port) => *port,
            None => {
                let (listener, port) = self.background.within(|| listen(0))?;
                let shared = Arc::clone(&self.shared);
                self.background.spawn(async move {
                    loop {
                        let stream = accept(&listener).await;
                        shared.connections.fetch_add(1, Ordering::Relaxed);
                        tokio::spawn(door.converse(stream));
                    }
                });
                doors.insert(door.name, port);
                port
            }
        };
        Ok(format!("{}://127.0.0.1:{port}", door.scheme))
    }

    /// A port that refuses connections until it is opened.
    pub fn late(&self) -> io::Result<Late> {
        let socket = self.background.within(TcpSocket::new_v4)?;
        // Bound and not listened to, it is kept from others and refuses.
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Late {
            port: socket.local_addr()?.port(),
            socket,
            shared: Arc::clone(&self.shared),
            runtime: self.background.within(Handle::current),
        })
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

/// A port of a server that refuses connections for now.
pub struct Late {
    port: u16,
    socket: TcpSocket,
    shared: Arc<Shared>,
    runtime: Handle,
}

impl Late {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on it is as the server's own, as long as that lives.
    pub fn open(self) -> io::Result<()> {
        let _within = self.runtime.enter();
        let listener = self.socket.listen(4096)?;
        tokio::spawn(serve(listener, self.shared));
        Ok(())
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
    /// Its next request is not answered.
    Drop,
    Reset,
    /// No more is said, but the client is still heard.
    HalfClose,
    Silence,
}

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
            Then::Keep if text.to_ascii_lowercase().contains("\nconnection: close\r") => break,
            Then::Keep => {}
            Then::Drop => doomed = true,
            last => return then(&mut stream, last).await,
        }
    }
    Ok(())
}

/// Ends a connection, or waits for the client to do so. It is to be dropped then.
async fn then(stream: &mut TcpStream, last: Then) -> io::Result<()> {
    match last {
        Then::Reset => {
            sleep(Duration::from_millis(20)).await; // for what was sent to be received
            return stream.set_zero_linger();
        }
        Then::CloseAfter(pause) => sleep(pause).await,
        Then::HalfClose => stream.shutdown().await?,
        _ => {}
    }
    if matches!(last, Then::HalfClose | Then::Silence) {
        while stream.read(&mut [0; 1024]).await? > 0 {}
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
    let query = Query(query);
    let mut parts = path.trim_start_matches('/').split('/');
    let name = parts.next().unwrap_or_default();
    if let Some((_, text, then)) = SAID.iter().find(|(said, ..)| *said == name) {
        stream.write_all(text.as_bytes()).await?;
        return Ok(*then);
    }
    if let Some(then) = endless::answer(stream, name, query).await? {
        return Ok(then);
    }
    let of = parts.next().unwrap_or_default();
    let first = parts.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let (bytes, then) = match name {
        "flaky" if before < first => (Vec::new(), Then::Close),
        "flaky-status" if before < first => {
            let status = parts.next().unwrap_or("503");
            (whole(&format!("{status} Flaky"), "flaky\n"), Then::Keep)
        }
        "keep-then-close" => {
            let ms = query.number("ms", 20);
            let then = Then::CloseAfter(Duration::from_millis(ms));
            (whole("200 OK", "ok\n"), then)
        }
        "keep-then-drop" => (whole("200 OK", "ok\n"), Then::Drop),
        "head" => (whole("200 OK", &String::from_utf8_lossy(head)), Then::Keep),
        "no-head" if head.starts_with(b"HEAD ") => match query.number("status", 0) {
            0 => (Vec::new(), Then::Close),
            status => (whole(&format!("{status} No"), ""), Then::Keep),
        },
        "location" => {
            let to = query.get("to").unwrap_or_default();
            (moved(query.number("status", 302), &to), Then::Keep)
        }
        "location-long" => {
            let path = vec![b'x'; query.number("kb", 10) << 10];
            (moved(302, &[b"/", &path[..]].concat()), Then::Keep)
        }
        "chain" => {
            let next = of.parse().unwrap_or(0_u64).wrapping_add(1);
            (moved(302, format!("/chain/{next}").as_bytes()), Then::Keep)
        }
        "loop" => {
            let other = if of == "a" { "/loop/b" } else { "/loop/a" };
            (moved(302, other.as_bytes()), Then::Keep)
        }
        "self" => (moved(302, b"/self"), Then::Keep),
        _ => (whole("200 OK", "ok\n"), Then::Keep),
    };
    stream.write_all(&bytes).await?;
    Ok(then)
}

/// A sound answer.
fn whole(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A redirection without a body.
fn moved(status: u16, location: &[u8]) -> Vec<u8> {
    let start = format!("HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\nLocation: ");
    [start.as_bytes(), location, b"\r\n\r\n"].concat()
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_is_there_twice() {
        let others = "location location-long chain loop self flaky flaky-status keep-then-close \
                      keep-then-drop head no-head";
        let paths = Faults::said()
            .chain(Faults::endless())
            .chain(others.split(' '));
        for names in [paths.collect::<Vec<_>>(), Faults::doors().collect()] {
            let unique: HashSet<_> = names.iter().collect();
            assert_eq!(unique.len(), names.len());
        }
    }
}
