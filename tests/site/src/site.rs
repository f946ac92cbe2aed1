//! The site: its threads, its ports, its connections.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::body::{Body, Source};
use crate::log::{Entry, Log, most_in_flight};
use crate::net::{Background, accept, listen};
use crate::routes::{self, Asked};
use crate::tls;

/// How a [`Site`] is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port of `http`; 0 (the default) is for any free one.
    pub port: u16,
    /// Whether to serve `https` too, on a port of its own (no by default).
    pub tls: bool,
    /// The port of `https`; 0 (the default) is for any free one.
    pub https_port: u16,
    /// Whether to keep the log in memory, for [`Site::log`] (yes by default).
    pub keep_log: bool,
    /// A file to append the log to (none by default). It has a line a request, written when it
    /// ends: microseconds since the Unix epoch when it started (of a clock that never goes back),
    /// host, method, path, status (0 without an answer) and bytes of body, between tabs.
    pub log_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            tls: false,
            https_port: 0,
            keep_log: true,
            log_file: None,
        }
    }
}

/// A web site on 127.0.0.1, in threads of its own, until it is dropped.
///
/// It speaks HTTP/1 and HTTP/2, by prior knowledge on the `http` port and by ALPN on the `https`
/// one. `routes.rs` lists what it answers.
pub struct Site {
    port: u16,
    secure: Option<Secure>,
    shared: Arc<Shared>,
    background: Option<Background>,
}

/// The `https` side; the folder is removed when it is dropped.
struct Secure {
    port: u16,
    folder: PathBuf,
    ca_file: PathBuf,
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What the connections share.
struct Shared {
    log: Arc<Log>,
    connections: AtomicU64,
}

impl Site {
    /// Starts a site.
    pub fn start(options: Options) -> io::Result<Self> {
        let log = Arc::new(Log::new(options.keep_log, options.log_file.as_deref())?);
        let shared = Arc::new(Shared {
            log,
            connections: AtomicU64::new(0),
        });
        let background = Background::start("site")?;
        let (port, secure) = background.within(|| -> io::Result<_> {
            let (listener, port) = listen(options.port)?;
            tokio::spawn(serve(listener, None, Arc::clone(&shared)));
            tokio::spawn(flush_often(Arc::clone(&shared.log)));
            if !options.tls {
                return Ok((port, None));
            }
            let (listener, https_port) = listen(options.https_port)?;
            let (acceptor, pem) = tls::authority()?;
            let secure = Secure::new(https_port, &pem)?;
            tokio::spawn(serve(listener, Some(acceptor), Arc::clone(&shared)));
            Ok((port, Some(secure)))
        })?;
        Ok(Self {
            port,
            secure,
            shared,
            background: Some(background),
        })
    }

    /// The port of `http`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The port of `https`, when it is served.
    pub fn https_port(&self) -> Option<u16> {
        self.secure.as_ref().map(|secure| secure.port)
    }

    /// `https://localhost:PORT` and the path, when it is served.
    pub fn https_url(&self, path: &str) -> Option<String> {
        Some(format!("https://localhost:{}{path}", self.https_port()?))
    }

    /// The PEM file of the CA of the certificates, when `https` is served: they are for
    /// localhost, 127.0.0.1 and any name in `.test`.
    pub fn ca_file(&self) -> Option<&Path> {
        self.secure.as_ref().map(|secure| secure.ca_file.as_path())
    }

    /// The requests up to now, in the order they came.
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log.entries()
    }

    /// Forgets the requests up to now (the log file does not).
    pub fn clear_log(&self) {
        self.shared.log.clear();
    }

    /// How many TCP connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The most requests to a host (in lower case) that were under way at once, in the log.
    pub fn max_in_flight(&self, host: &str) -> usize {
        most_in_flight(&self.log(), host)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.background.take()); // which ends the requests under way, and logs that
        self.shared.log.flush();
    }
}

impl Secure {
    fn new(port: u16, pem: &str) -> io::Result<Self> {
        let name = format!("rouet-site-{}-{port}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder)?;
        let secure = Self {
            port,
            ca_file: folder.join("ca.pem"),
            folder,
        };
        fs::write(&secure.ca_file, pem)?;
        Ok(secure)
    }
}

async fn flush_often(log: Arc<Log>) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        log.flush();
    }
}

/// Serves a port for ever.
async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let stream = accept(&listener).await;
        let id = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let (tls, log) = (tls.clone(), Arc::clone(&shared.log));
        tokio::spawn(async move {
            match tls {
                None => converse(stream, false, id, log).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, true, id, log).await;
                    }
                }
            }
        });
    }
}

/// Answers the requests of a connection.
async fn converse<S>(stream: S, secure: bool, connection: u64, log: Arc<Log>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| respond(Arc::clone(&log), connection, secure, request));
    // The client going away, and the answers that must not be, are errors: nothing to do.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Answers and logs a request.
async fn respond(
    log: Arc<Log>,
    connection: u64,
    secure: bool,
    request: Request<Incoming>,
) -> io::Result<Response<Body>> {
    let at = log.now();
    let asked = Asked::new(&request, secure);
    let path = request.uri().path_and_query();
    let mut ticket = log.arrived(Entry {
        at,
        ended: Duration::MAX,
        host: asked.host.clone(),
        method: request.method().to_string(),
        path: path.map_or("*", |path| path.as_str()).to_owned(),
        status: 0,
        bytes: 0,
        connection,
    });
    let head = request.method() == Method::HEAD;
    let mut response = routes::answer(&asked, request).await?;
    let bodiless = matches!(response.status().as_u16(), 204 | 304);
    if head
        && !bodiless
        && let Some(length) = response.body().length()
    {
        let length = HeaderValue::from(length);
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    if head || bodiless {
        *response.body_mut() = Source::of("");
    }
    ticket.answered(response.status().as_u16());
    Ok(response.map(|source| Body::new(source, ticket)))
}
