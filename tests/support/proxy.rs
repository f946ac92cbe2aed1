//! Small proxies: HTTP (absolute form and CONNECT) and SOCKS5.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::raw::{Request, read_request};

/// Whom a proxy serves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    All,
    /// Those who show the user `spinner` and the password `wh:eel`.
    Known,
    Nobody,
}

/// `spinner:wh:eel`, as in a proxy's URL.
pub const CREDENTIALS: &str = "spinner:wh%3Aeel";
/// And as in the Basic scheme.
const BASIC: &str = "Basic c3Bpbm5lcjp3aDplZWw=";

/// A proxy on 127.0.0.1. It lives as long as the process.
pub struct Proxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn http(admit: Admit) -> Self {
        Self::start(move |stream, asked| http(stream, admit, asked))
    }

    pub fn socks5(admit: Admit) -> Self {
        Self::start(move |stream, asked| socks5(stream, admit, asked))
    }

    fn start(
        serve: impl Fn(TcpStream, &Mutex<Vec<String>>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serve, log) = (Arc::clone(&serve), Arc::clone(&log));
                // Either side going away is nothing to tell.
                thread::spawn(move || serve(stream, &log));
            }
        });
        Self { port, asked }
    }

    /// `SCHEME://127.0.0.1:PORT`
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The same with the credentials it admits.
    pub fn url_with_credentials(&self, scheme: &str) -> String {
        format!("{scheme}://{CREDENTIALS}@127.0.0.1:{}", self.port)
    }

    /// What it was asked for, such as `CONNECT localhost:443`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a log").clone()
    }
}

fn note(asked: &Mutex<Vec<String>>, what: String) {
    asked.lock().expect("a log").push(what);
}

fn http(mut client: TcpStream, admit: Admit, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    let Some(request) = read_request(&mut client) else {
        return Ok(());
    };
    let Request {
        method,
        target,
        head,
        body,
        ..
    } = &request;
    note(asked, format!("{method} {target}"));
    let refusal = match admit {
        Admit::Nobody => Some("403 Forbidden\r\n"),
        Admit::Known if !head.contains(BASIC) => Some(
            "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\n",
        ),
        _ => None,
    };
    if let Some(refusal) = refusal {
        let answer =
            format!("HTTP/1.1 {refusal}Content-Length: 3\r\nConnection: close\r\n\r\nno\n");
        return client.write_all(answer.as_bytes());
    }
    if method == "CONNECT" {
        let Ok(server) = TcpStream::connect(target) else {
            return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        };
        client.write_all(b"HTTP/1.1 200 Connected\r\nX-Proxy: was here\r\n\r\n")?;
        return relay(client, server);
    }
    let (authority, path) = target
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or(io::ErrorKind::InvalidInput)?;
    let mut server = match authority.contains(':') {
        true => TcpStream::connect(authority)?,
        false => TcpStream::connect((authority, 80))?,
    };
    let (_, headers) = head.split_once("\r\n").ok_or(io::ErrorKind::InvalidInput)?;
    let headers: String = headers
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("proxy-"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    write!(
        server,
        "{method} /{path} HTTP/1.1\r\n{headers}Via: 1.1 test\r\nConnection: close\r\n\r\n"
    )?;
    server.write_all(body)?;
    relay(client, server)
}

fn socks5(mut client: TcpStream, admit: Admit, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    let read = |client: &mut TcpStream, count: usize| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let text = |client: &mut TcpStream| -> io::Result<String> {
        let length = read(client, 1)?[0];
        let bytes = read(client, length.into())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    // RFC 1928: version, methods; then, with RFC 1929, the credentials.
    let count = read(&mut client, 2)?[1];
    let methods = read(&mut client, count.into())?;
    let method = if admit == Admit::Known { 2 } else { 0 };
    if !methods.contains(&method) {
        return client.write_all(&[5, 0xFF]);
    }
    client.write_all(&[5, method])?;
    if admit == Admit::Known {
        read(&mut client, 1)?;
        let known = (text(&mut client)?, text(&mut client)?) == ("spinner".into(), "wh:eel".into());
        client.write_all(&[1, u8::from(!known)])?;
        if !known {
            return Ok(());
        }
    }
    let kind = read(&mut client, 4)?[3];
    let host = match kind {
        1 => {
            let bytes: [u8; 4] = read(&mut client, 4)?.try_into().expect("four");
            Ipv4Addr::from(bytes).to_string()
        }
        _ => text(&mut client)?,
    };
    let port = u16::from_be_bytes(read(&mut client, 2)?.try_into().expect("two"));
    note(asked, format!("{host}:{port}"));
    let server = match admit {
        Admit::Nobody => None,
        _ => TcpStream::connect((host.as_str(), port)).ok(),
    };
    // 2: not allowed by the rules.
    client.write_all(&[
        5,
        if server.is_some() { 0 } else { 2 },
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
    ])?;
    match server {
        Some(server) => relay(client, server),
        None => Ok(()),
    }
}

fn relay(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let pump = |mut from: TcpStream, mut to: TcpStream| {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    let (back_from, back_to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || pump(back_from, back_to));
    pump(client, server);
    Ok(())
}
