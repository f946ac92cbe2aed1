//! A server with kept connections that says, to each request, what a test tells it to, and when.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A part of what is said.
#[derive(Clone)]
pub enum Piece {
    Say(Vec<u8>),
    Pause(Duration),
    /// Over TLS: new keys (RFC 8446, section 4.6.3).
    NewKeys,
    Close,
}

/// A request as the server met it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// The number of the connection, from 0 on.
    pub connection: usize,
    pub method: String,
    /// Of HTTP/2: the number of the stream.
    pub target: String,
}

type Answer = dyn Fn(&Met) -> Vec<Piece> + Send + Sync;
type Log = Mutex<Vec<Met>>;

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tongue {
    Http1,
    /// Without TLS, and without asking first.
    Http2,
    Tls,
    TlsHttp2,
    /// What the client would rather.
    TlsBoth,
}

/// It lives as long as the process. Its certificate is for any name, and signed by nobody.
pub struct Script {
    pub port: u16,
    tongue: Tongue,
    met: Arc<Log>,
    said: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Script {
    pub fn start(
        tongue: Tongue,
        answer: impl Fn(&Met) -> Vec<Piece> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let tls = match tongue {
            Tongue::Http1 | Tongue::Http2 => None,
            Tongue::Tls => Some(tls(&[b"http/1.1"])),
            Tongue::TlsHttp2 => Some(tls(&[b"h2"])),
            Tongue::TlsBoth => Some(tls(&[b"h2", b"http/1.1"])),
        };
        let met = Arc::new(Log::default());
        let said = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::new(AtomicUsize::new(0));
        let (count, opened) = (Arc::clone(&said), Arc::clone(&accepted));
        let (log, answer): (_, Arc<Answer>) = (Arc::clone(&met), Arc::new(answer));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                opened.fetch_add(1, Ordering::SeqCst);
                let (log, said, tls) = (Arc::clone(&log), Arc::clone(&count), tls.clone());
                let answer = Arc::clone(&answer);
                thread::spawn(move || -> io::Result<()> {
                    // What is said behind an answer waits for its acknowledgement: no nodelay.
                    let mut wire = match tls {
                        None => Wire::Plain(stream),
                        Some(config) => {
                            let tls = ServerConnection::new(config).map_err(io::Error::other)?;
                            Wire::Tls(Box::new(StreamOwned::new(tls, stream)))
                        }
                    };
                    // The client may go away when it likes.
                    let say = |wire: &mut Wire, met: Met| {
                        log.lock().expect("a log").push(met.clone());
                        let outcome = wire.say(&answer(&met));
                        said.fetch_add(1, Ordering::SeqCst);
                        outcome
                    };
                    let over_http2 = match tongue {
                        Tongue::TlsBoth => wire.agrees_on_http2()?,
                        _ => matches!(tongue, Tongue::Http2 | Tongue::TlsHttp2),
                    };
                    match over_http2 {
                        false => http1(&mut wire, connection, say),
                        true => http2(&mut wire, connection, say),
                    }
                });
            }
        });
        Self {
            port,
            tongue,
            met,
            said,
            accepted,
        }
    }

    pub fn url(&self, path: &str) -> String {
        let scheme = match self.tongue {
            Tongue::Http1 | Tongue::Http2 => "http",
            Tongue::Tls | Tongue::TlsHttp2 | Tongue::TlsBoth => "https",
        };
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    pub fn is_secure(&self) -> bool {
        !matches!(self.tongue, Tongue::Http1 | Tongue::Http2)
    }

    /// The requests so far.
    pub fn met(&self) -> Vec<Met> {
        self.met.lock().expect("a log").clone()
    }

    /// To how many of them all was said.
    pub fn said(&self) -> usize {
        self.said.load(Ordering::SeqCst)
    }

    /// How many connections were made, used or not.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// How many connections had one.
    pub fn connections(&self) -> usize {
        let met = self.met();
        let used: HashSet<usize> = met.iter().map(|met| met.connection).collect();
        used.len()
    }
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Wire {
    /// Whether the client takes HTTP/2, which only the handshake tells (RFC 7301).
    fn agrees_on_http2(&mut self) -> io::Result<bool> {
        let Self::Tls(stream) = self else {
            return Ok(false);
        };
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream.conn.alpn_protocol() == Some(b"h2"))
    }

    fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.read_exact(into),
            Self::Tls(stream) => stream.read_exact(into),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    fn renew_keys(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            stream
                .conn
                .refresh_traffic_keys()
                .map_err(io::Error::other)?;
            stream.flush()?;
        }
        Ok(())
    }

    /// Says the pieces. `false`: nothing more is to be said.
    fn say(&mut self, pieces: &[Piece]) -> io::Result<bool> {
        for piece in pieces {
            match piece {
                Piece::Say(bytes) => self.write(bytes)?,
                Piece::Pause(time) => thread::sleep(*time),
                Piece::NewKeys => self.renew_keys()?,
                Piece::Close => return Ok(false),
            }
        }
        Ok(true)
    }
}

fn http1(
    wire: &mut Wire,
    connection: usize,
    say: impl Fn(&mut Wire, Met) -> io::Result<bool>,
) -> io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            wire.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        wire.read_exact(&mut vec![0; length])?;
        let mut words = head.split(' ');
        let met = Met {
            connection,
            method: words.next().unwrap_or_default().to_owned(),
            target: words.next().unwrap_or_default().to_owned(),
        };
        if !say(wire, met)? {
            return Ok(());
        }
    }
}

/// Reads a client's preface (RFC 9113, section 3.4) and its frames.
fn http2(
    wire: &mut Wire,
    connection: usize,
    say: impl Fn(&mut Wire, Met) -> io::Result<bool>,
) -> io::Result<()> {
    wire.read_exact(&mut [0; 24])?;
    wire.write(SETTINGS)?;
    loop {
        let mut head = [0; 9];
        wire.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        wire.read_exact(&mut vec![0; length as usize])?;
        const HEADERS: u8 = 1;
        if head[3] == HEADERS {
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let met = Met {
                connection,
                // Which only HPACK would tell.
                method: String::new(),
                target: stream.to_string(),
            };
            if !say(wire, met)? {
                return Ok(());
            }
        }
    }
}

/// Frames of HTTP/2 (RFC 9113, section 6).
pub const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
pub const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingpong";
pub const WINDOW_UPDATE: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\0\0\x10\0";

/// The connection is to end; streams above `last` were not looked at.
pub fn go_away(last: u32, error: u8) -> Vec<u8> {
    let mut frame = b"\0\0\x08\x07\0\0\0\0\0".to_vec();
    frame.extend(last.to_be_bytes());
    frame.extend([0, 0, 0, error]);
    frame
}

/// The stream of a request ends without an answer.
pub fn reset(met: &Met, error: u8) -> Vec<u8> {
    let mut frame = b"\0\0\x04\x03\0".to_vec();
    frame.extend(stream_of(met).to_be_bytes());
    frame.extend([0, 0, 0, error]);
    frame
}

/// `:status: 200` and the body `ok` to a request.
pub fn answer2(met: &Met) -> Vec<u8> {
    let stream = stream_of(met).to_be_bytes();
    [
        b"\0\0\x01\x01\x04",
        &stream[..],
        b"\x88\0\0\x02\0\x01",
        &stream,
        b"ok",
    ]
    .concat()
}

pub fn stream_of(met: &Met) -> u32 {
    met.target.parse().expect("a stream of HTTP/2")
}

fn tls(protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let names = ["localhost", "127.0.0.1", "a.test", "b.test"].map(str::to_owned);
    let params = CertificateParams::new(names.to_vec()).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a key for the certificate");
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}
