//! What goes wrong before anything is asked, in a protocol other than HTTP/1, or in how TLS ends: each
//! has a port of its own, and does the same whatever is asked.

use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::{Then, then};
use crate::tls;

/// One such port.
pub(super) struct Door {
    pub name: &'static str,
    pub scheme: &'static str,
    kind: Kind,
}

enum Kind {
    /// Without a look at what comes.
    AtOnce(Then),
    /// Said to the client's first record of TLS.
    Hello(&'static [u8], Then),
    /// Said within TLS to a request, and then the connection ends without TLS's goodbye.
    Within(&'static [u8], Then),
    /// Said to the client's first request in HTTP/2, without TLS; then the last over and over.
    Frames(&'static [&'static [u8]], Option<&'static [u8]>, Then),
}

use Kind::*;
use Then::{Close, HalfClose, Reset, Silence};

const fn tls(name: &'static str, said: &'static [u8], then: Then) -> Door {
    Door {
        name,
        scheme: "https",
        kind: Hello(said, then),
    }
}

const fn within(name: &'static str, said: &'static [u8], then: Then) -> Door {
    Door {
        name,
        scheme: "https",
        kind: Within(said, then),
    }
}

const fn http2(name: &'static str, said: &'static [&'static [u8]]) -> Door {
    Door {
        name,
        scheme: "http",
        kind: Frames(said, None, HalfClose),
    }
}

const fn flood(name: &'static str, said: &'static [&'static [u8]], more: &'static [u8]) -> Door {
    Door {
        name,
        scheme: "http",
        kind: Frames(said, Some(more), Close),
    }
}

const fn at_once(name: &'static str, then: Then) -> Door {
    Door {
        name,
        scheme: "http",
        kind: AtOnce(then),
    }
}

// Frames of HTTP/2 (RFC 9113, section 6): three bytes of length, type, flags, four of the stream.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// `:status: 200`; the stream goes on.
const HEAD: &[u8] = b"\0\0\x01\x01\x04\0\0\0\x01\x88";
/// The same, and the head goes on.
const HEAD_OPEN: &[u8] = b"\0\0\x01\x01\0\0\0\0\x01\x88";
const DATA: &[u8] = b"\0\0\x05\0\0\0\0\0\x01hello";
const DATA_LAST: &[u8] = b"\0\0\x05\0\x01\0\0\0\x01hello";
/// More than the peer's window lets pass; it has 10 MB at most.
const DATA_FLOOD: &[u8] = &{
    let mut frame = [b'x'; 9 + 16_384];
    let head = *b"\0\x40\0\0\0\0\0\0\x01";
    let mut at = 0;
    while at < head.len() {
        frame[at] = head[at];
        at += 1;
    }
    frame
};
/// Ten bytes of a head: `x: 123456`, which nobody keeps (RFC 7541, section 6.2.2).
const CONTINUATION: &[u8] = b"\0\0\x0A\x09\0\0\0\0\x01\0\x01x\x06123456";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingpong";
const GO_AWAY_0: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
const GO_AWAY_1: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0";
/// It is to be asked over HTTP/1.1 (HTTP_1_1_REQUIRED).
const GO_AWAY_HTTP11: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0D";
/// It calms down the client (ENHANCE_YOUR_CALM).
const GO_AWAY_CALM: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0B";
const RST_NO_ERROR: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\0";
const RST_INTERNAL: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02";
const RST_REFUSED: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07";
const RST_CANCEL: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08";
const RST_HTTP11: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x0D";
/// Puts a header of 4,000 letters into the table, and names it 12,000 times: 48 MB.
const HPACK_BOMB: &[u8] = &{
    const VALUE: usize = 4000;
    const TIMES: usize = 12_000;
    // `:status: 200`, then the new header: literal, indexed, name `x`, a length of two bytes more.
    let start = *b"\x88\x40\x01x\x7F\xA1\x1E";
    let mut frame = [0xBE; 9 + 7 + VALUE + TIMES];
    let length = 7 + VALUE + TIMES;
    frame[0] = 0;
    frame[1] = (length >> 8) as u8;
    frame[2] = (length & 0xFF) as u8;
    let head = *b"\x01\x04\0\0\0\x01";
    let mut at = 0;
    while at < head.len() {
        frame[3 + at] = head[at];
        at += 1;
    }
    at = 0;
    while at < start.len() {
        frame[9 + at] = start[at];
        at += 1;
    }
    at = 0;
    while at < VALUE {
        frame[9 + 7 + at] = b'v';
        at += 1;
    }
    frame
};

/// Alerts of TLS that end a handshake (RFC 8446, section 6).
const HANDSHAKE_FAILURE: &[u8] = b"\x15\x03\x03\0\x02\x02\x28";
const PROTOCOL_VERSION: &[u8] = b"\x15\x03\x03\0\x02\x02\x46";
const TLS_INTERNAL_ERROR: &[u8] = b"\x15\x03\x03\0\x02\x02\x50";
const UNRECOGNIZED_NAME: &[u8] = b"\x15\x03\x03\0\x02\x02\x70";
/// SSL 3, and a cipher that nobody offered, in hellos that are whole.
const OLD_HELLO: &[u8] = &hello(0x0300, 0x002F);
const ODD_HELLO: &[u8] = &hello(0x0303, 0x0001);

/// All of them.
pub(super) const DOORS: &[Door] = &[
    at_once("close", Close),
    at_once("reset", Reset),
    at_once("silence", Silence),
    tls("tls-close", b"", Close),
    tls("tls-reset", b"", Reset),
    tls("tls-silence", b"", Silence),
    tls(
        "tls-http",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        HalfClose,
    ),
    tls("tls-garbage", b"\0\x01\x02 not TLS at all", HalfClose),
    tls("tls-handshake-failure", HANDSHAKE_FAILURE, HalfClose),
    tls("tls-protocol-version", PROTOCOL_VERSION, HalfClose),
    tls("tls-internal-error", TLS_INTERNAL_ERROR, HalfClose),
    tls("tls-unrecognized-name", UNRECOGNIZED_NAME, HalfClose),
    // A warning, of which the client may make nothing, and then nothing.
    tls("tls-goodbye", b"\x15\x03\x03\0\x02\x01\0", HalfClose),
    // A hello of 70 bytes, of which there are four.
    tls(
        "tls-cut-hello",
        b"\x16\x03\x03\0\x4A\x02\0\0\x46",
        HalfClose,
    ),
    tls("tls-old", OLD_HELLO, HalfClose),
    tls("tls-odd-cipher", ODD_HELLO, HalfClose),
    // A record longer than any may be.
    tls("tls-long-record", b"\x16\x03\x03\xFF\xFF\x02", Silence),
    within("tls-open", b"HTTP/1.1 200 OK\r\n\r\nhello", Close),
    within("tls-open-10", b"HTTP/1.0 200 OK\r\n\r\nhello", Close),
    within("tls-open-empty", b"HTTP/1.1 200 OK\r\n\r\n", Close),
    within("tls-open-gzip", OPEN_GZIP, Close),
    within(
        "tls-open-gzip-cut",
        OPEN_GZIP.split_at(OPEN_GZIP.len() - 4).0,
        Close,
    ),
    within("tls-open-reset", b"HTTP/1.1 200 OK\r\n\r\nhello", Reset),
    within("tls-open-head", b"HTTP/1.1 200 OK\r\nX-A: b", Close),
    within(
        "tls-open-length",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        Close,
    ),
    within(
        "tls-open-chunk",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        Close,
    ),
    http2("h2-close", &[SETTINGS]),
    http2("h2-close-mute", &[]),
    http2("h2-close-head", &[SETTINGS, HEAD]),
    http2("h2-close-body", &[SETTINGS, HEAD, DATA]),
    http2("h2-go-away", &[SETTINGS, GO_AWAY_0]),
    http2("h2-go-away-calm", &[SETTINGS, GO_AWAY_CALM]),
    http2("h2-go-away-http11", &[SETTINGS, GO_AWAY_HTTP11]),
    http2("h2-go-away-head", &[SETTINGS, HEAD, GO_AWAY_1]),
    http2("h2-go-away-body", &[SETTINGS, HEAD, DATA, GO_AWAY_1]),
    // What is under way may end.
    http2("h2-go-away-sound", &[SETTINGS, GO_AWAY_1, HEAD, DATA_LAST]),
    http2("h2-reset", &[SETTINGS, RST_NO_ERROR]),
    http2("h2-reset-internal", &[SETTINGS, RST_INTERNAL]),
    http2("h2-reset-refused", &[SETTINGS, RST_REFUSED]),
    http2("h2-reset-cancel", &[SETTINGS, RST_CANCEL]),
    http2("h2-reset-http11", &[SETTINGS, RST_HTTP11]),
    http2("h2-reset-head", &[SETTINGS, HEAD, RST_INTERNAL]),
    http2("h2-reset-body", &[SETTINGS, HEAD, DATA, RST_INTERNAL]),
    http2("h2-reset-end", &[SETTINGS, HEAD, DATA_LAST, RST_NO_ERROR]),
    http2(
        "h2-http1",
        &[b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ),
    http2("h2-odd-settings", &[b"\0\0\x03\x04\0\0\0\0\0\x01\x02\x03"]),
    http2("h2-no-settings", &[HEAD, DATA_LAST]),
    http2("h2-no-stream", &[SETTINGS, b"\0\0\x01\0\0\0\0\0\0x"]),
    http2(
        "h2-other-stream",
        &[SETTINGS, b"\0\0\x01\x01\x05\0\0\0\x63\x88"],
    ),
    http2("h2-no-head", &[SETTINGS, DATA]),
    http2(
        "h2-odd-head",
        &[
            SETTINGS,
            b"\0\0\x06\x01\x04\0\0\0\x01\xFF\xFF\xFF\xFF\xFF\xFF",
        ],
    ),
    http2(
        "h2-no-status",
        &[SETTINGS, b"\0\0\x01\x01\x04\0\0\0\x01\x84"],
    ),
    http2(
        "h2-long-frame",
        &[SETTINGS, HEAD, b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"],
    ),
    http2(
        "h2-push",
        &[SETTINGS, b"\0\0\x05\x05\x04\0\0\0\x01\0\0\0\x02\x82"],
    ),
    http2("h2-hpack-bomb", &[SETTINGS, HPACK_BOMB]),
    Door {
        name: "h2-hpack-bomb-open",
        scheme: "http",
        kind: Frames(&[SETTINGS, HPACK_BOMB], None, Silence),
    },
    // RFC 9113, section 8.6: there is none in HTTP/2.
    Door {
        name: "h2-switching",
        scheme: "http",
        kind: Frames(
            &[SETTINGS, b"\0\0\x05\x01\x04\0\0\0\x01\x08\x03101"],
            None,
            Silence,
        ),
    },
    Door {
        name: "h2-silence",
        scheme: "http",
        kind: Frames(&[SETTINGS], None, Silence),
    },
    Door {
        name: "h2-silence-body",
        scheme: "http",
        kind: Frames(&[SETTINGS, HEAD, DATA], None, Silence),
    },
    flood("h2-continuations", &[SETTINGS, HEAD_OPEN], CONTINUATION),
    flood("h2-settings", &[], SETTINGS),
    flood("h2-pings", &[SETTINGS], PING),
    flood("h2-body", &[SETTINGS, HEAD], DATA_FLOOD),
];

/// "hello" in gzip, without the trailer.
const OPEN_GZIP: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\
    \x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xcb\x48\xcd\xc9\xc9\x07\x00";

/// A server's hello of that version and cipher.
const fn hello(version: u16, cipher: u16) -> [u8; 47] {
    let mut hello = [7; 47];
    let [high, low] = version.to_be_bytes();
    let head = [22, 3, 3, 0, 42, 2, 0, 0, 38, high, low];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    // 32 bytes of chance, then: no session, the cipher, no compression.
    hello[43] = 0;
    let [high, low] = cipher.to_be_bytes();
    hello[44] = high;
    hello[45] = low;
    hello[46] = 0;
    hello
}

impl Door {
    pub async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        match self.kind {
            AtOnce(last) => then(&mut stream, last).await,
            Hello(said, last) => {
                let mut record = [0; 5];
                stream.read_exact(&mut record).await?;
                let length = u16::from_be_bytes([record[3], record[4]]);
                stream.read_exact(&mut vec![0; length.into()]).await?;
                stream.write_all(said).await?;
                then(&mut stream, last).await
            }
            Within(said, last) => {
                let mut secure = WITHIN.accept(stream).await?;
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(secure.read_u8().await?);
                }
                secure.write_all(said).await?;
                secure.flush().await?;
                then(secure.get_mut().0, last).await
            }
            Frames(said, more, last) => {
                if !request(&mut stream).await? {
                    // Over HTTP/1.1 there is no fault.
                    let hello = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
                    return stream.write_all(hello).await;
                }
                stream.write_all(&said.concat()).await?;
                while let Some(more) = more {
                    let many = (1 << 16) / more.len() + 1;
                    stream.write_all(&more.repeat(many)).await?;
                }
                if matches!(last, HalfClose) {
                    sleep(Duration::from_millis(20)).await; // for its SETTINGS to be acknowledged
                }
                then(&mut stream, last).await
            }
        }
    }
}

/// Takes connections of TLS, for HTTP/1.1 alone.
static WITHIN: LazyLock<TlsAcceptor> = LazyLock::new(|| {
    let (acceptor, _) = tls::authority().expect("a CA");
    let mut config = ServerConfig::clone(acceptor.config());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
});

/// Reads a client's preface (RFC 9113, section 3.4) and its frames, up to the first head. `false`: it
/// was one of HTTP/1.1.
async fn request(stream: &mut TcpStream) -> io::Result<bool> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    if !preface.starts_with(b"PRI * HTTP/2.0") {
        let mut head = preface.to_vec();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        return Ok(false);
    }
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize]).await?;
        if head[3] == 1 {
            return Ok(true);
        }
    }
}
