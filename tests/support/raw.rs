//! A server that answers what a test tells it to, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A request as it came.
pub struct Request {
    pub method: String,
    /// The path and query, or what else was asked for.
    pub target: String,
    pub head: String,
    pub body: Vec<u8>,
    pub peer: SocketAddr,
    /// Where the connection was made to.
    pub local: SocketAddr,
}

type Answer = dyn Fn(&Request) -> Vec<u8> + Send + Sync;

/// A server with a connection for each request. It lives as long as the process.
pub struct Raw {
    port: u16,
}

impl Raw {
    /// Starts a server that answers with these bytes.
    pub fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", answer)
    }

    /// The same at an address of the caller's.
    pub fn on(address: &str, answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let answer: Arc<Answer> = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                thread::spawn(move || converse(stream, &*answer));
            }
        });
        Self { port }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// An answer of that status, with those header lines and that body, after which the connection is
/// closed.
pub fn answer(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn converse(mut stream: TcpStream, answer: &Answer) {
    if let Some(request) = read_request(&mut stream) {
        // The client may have gone away.
        let _ = stream.write_all(&answer(&request));
    }
}

/// Reads a request with its body; `None`: the client went away.
pub fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let peer = stream.peer_addr().ok()?;
    let local = stream.local_addr().ok()?;
    let mut received = Vec::new();
    let end = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, &mut received)?;
    };
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    while received.len() < end + length {
        read_more(stream, &mut received)?;
    }
    let mut words = head.split(' ').map(str::to_owned);
    Some(Request {
        method: words.next()?,
        target: words.next()?,
        head,
        body: received.split_off(end),
        peer,
        local,
    })
}

fn read_more(stream: &mut TcpStream, into: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 4096];
    let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
    into.extend_from_slice(&piece[..count]);
    Some(())
}

/// What answers wait for until a test opens it.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().expect("a gate") = true;
        self.0.1.notify_all();
    }

    pub fn pass(&self) {
        let shut = self.0.0.lock().expect("a gate");
        drop(self.0.1.wait_while(shut, |open| !*open).expect("a gate"));
    }
}
