//! What is said to whoever asks, byte for byte, and what becomes of the connection then.

use super::Then::{self, *};

macro_rules! ok {
    ($($rest:literal),*) => { concat!("HTTP/1.1 200 OK\r\n", $($rest),*) };
}

macro_rules! chunked {
    ($($rest:literal),*) => { ok!("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" $(, $rest)*) };
}

/// Ten times ten letters.
macro_rules! partial {
    () => {
        ok!(
            "Content-Type: text/plain\r\nContent-Length: 1000\r\n\r\n",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        )
    };
}

macro_rules! hello {
    ($($head:literal),*) => { ok!("Content-Length: 5\r\n", $($head,)* "\r\nhello") };
}

/// The path without its `/`, the bytes, and what comes then.
pub(super) const SAID: &[(&str, &str, Then)] = &[
    // The end at every stage: closed, reset, half closed.
    ("close", "", Close),
    ("reset", "", Reset),
    ("half-close", hello!(), HalfClose),
    ("half-close-early", "", HalfClose),
    ("half-close-body", partial!(), HalfClose),
    ("close-status", "HTTP/1.", Close),
    ("reset-status", "HTTP/1.", Reset),
    ("close-head", ok!("Content-Le"), Close),
    ("reset-head", ok!("Content-Le"), Reset),
    ("truncate", partial!(), Close),
    ("reset-body", partial!(), Reset),
    ("close-end", hello!(), Close),
    ("reset-end", hello!(), Reset),
    ("close-open", ok!("\r\nhello"), Close),
    ("reset-open", ok!("\r\nhello"), Reset),
    // Silence at every stage.
    ("silence", "", Silence),
    ("silence-status", "HTTP/1.", Silence),
    ("silence-head", ok!("Content-Le"), Silence),
    ("stall", partial!(), Silence),
    ("silence-chunk", chunked!("5\r\nhe"), Silence),
    ("silence-end", chunked!(), Silence),
    (
        "moved-silence",
        "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 9\r\n\r\nmo",
        Silence,
    ),
    (
        "moved-silence-chunk",
        "HTTP/1.1 302 Found\r\nLocation: /ok\r\nTransfer-Encoding: chunked\r\n\r\n",
        Silence,
    ),
    // Lengths that lie, or are none.
    (
        "length-short",
        ok!("Content-Length: 5\r\n\r\nhello, world"),
        Keep,
    ),
    ("length-zero", ok!("Content-Length: 0\r\n\r\nhello"), Keep),
    (
        "length-negative",
        ok!("Content-Length: -1\r\n\r\nhello"),
        Close,
    ),
    (
        "length-words",
        ok!("Content-Length: many\r\n\r\nhello"),
        Close,
    ),
    ("length-empty", ok!("Content-Length:\r\n\r\nhello"), Close),
    ("length-plus", ok!("Content-Length: +5\r\n\r\nhello"), Close),
    ("length-hex", ok!("Content-Length: 0x5\r\n\r\nhello"), Close),
    (
        "length-list",
        ok!("Content-Length: 5, 5\r\n\r\nhello"),
        Close,
    ),
    (
        "length-most",
        ok!("Content-Length: 9223372036854775807\r\n\r\nhello"),
        Close,
    ),
    (
        "length-beyond",
        ok!("Content-Length: 99999999999999999999\r\n\r\nhello"),
        Close,
    ),
    ("length-twice", hello!("Content-Length: 5\r\n"), Close),
    (
        "dup-length",
        ok!("Content-Length: 5\r\nContent-Length: 10\r\n\r\nhellohello"),
        Close,
    ),
    (
        "length-and-chunks",
        ok!("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        Close,
    ),
    // Chunks.
    ("truncate-chunk", chunked!(), Close),
    ("reset-chunk", chunked!(), Reset),
    ("bad-chunk", chunked!("ZZZ\r\nhello\r\n0\r\n\r\n"), Close),
    ("chunk-empty", chunked!("\r\nhello\r\n0\r\n\r\n"), Close),
    (
        "chunk-negative",
        chunked!("-5\r\nhello\r\n0\r\n\r\n"),
        Close,
    ),
    (
        "chunk-beyond",
        chunked!("FFFFFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
        Close,
    ),
    ("chunk-most", chunked!("7FFFFFFFFFFFFFFF\r\nhello"), Close),
    (
        "chunk-long",
        chunked!("5\r\nhello, world\r\n0\r\n\r\n"),
        Close,
    ),
    (
        "chunk-glued",
        chunked!("5\r\nhello5\r\nhello\r\n0\r\n\r\n"),
        Close,
    ),
    ("chunk-cut-size", chunked!("5"), Close),
    ("chunk-cut", chunked!("5\r\nhe"), Close),
    ("chunk-cut-last", chunked!("0\r\n"), Close),
    ("chunk-cut-trailer", chunked!("0\r\nX-Trailer: 1"), Close),
    ("chunk-trailer", chunked!("0\r\nX-Trailer: 1\r\n\r\n"), Keep),
    (
        "chunk-bad-trailer",
        chunked!("0\r\nno colon, and \0\x01\r\n\r\n"),
        Keep,
    ),
    (
        "chunk-extension",
        chunked!("5;name=value\r\nhello\r\n0;\r\n\r\n"),
        Keep,
    ),
    ("chunk-more", chunked!("0\r\n\r\nand more"), Keep),
    (
        "chunked-twice",
        ok!("Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        Close,
    ),
    ("woven", ok!("Transfer-Encoding: woven\r\n\r\nhello"), Close),
    // Answers before the answer.
    (
        "continue",
        concat!("HTTP/1.1 100 Continue\r\n\r\n", hello!()),
        Keep,
    ),
    (
        "early-hints",
        concat!(
            "HTTP/1.1 103 Early Hints\r\nLink: </style>; rel=preload\r\n\r\n",
            hello!()
        ),
        Keep,
    ),
    ("continue-only", "HTTP/1.1 100 Continue\r\n\r\n", Close),
    ("continue-silence", "HTTP/1.1 100 Continue\r\n\r\n", Silence),
    (
        "continue-body",
        concat!(
            "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n",
            hello!()
        ),
        Close,
    ),
    (
        "switching",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n\0\0\0\x04",
        Close,
    ),
    (
        "switching-silence",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        Silence,
    ),
    (
        "switching-head",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n",
        Silence,
    ),
    // More answers than questions.
    (
        "double",
        concat!(
            hello!(),
            "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nbad"
        ),
        Keep,
    ),
    (
        "double-close",
        concat!(
            hello!(),
            "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nbad"
        ),
        Close,
    ),
    ("garbage-behind", concat!(hello!(), "\0\x01\x02"), Keep),
    // What is not HTTP, or not of today.
    ("garbage", "\0\x01 not HTTP at all\r\n\r\n\x02", Close),
    ("http09", "<html>no head at all</html>\n", Close),
    ("http09-silence", "<html>no head at all</html>\n", Silence),
    ("ssh", "SSH-2.0-OpenSSH_9.6\r\n", Silence),
    ("icy", "ICY 200 OK\r\nicy-name: radio\r\n\r\nnoise", Close),
    (
        "rtsp",
        "RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    ("line-breaks", concat!("\r\n\r\n", hello!()), Close),
    ("http10", "HTTP/1.0 200 OK\r\n\r\nhello", Close),
    (
        "http12",
        "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "http20",
        "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "http77",
        "HTTP/7.7 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "lower-case",
        "http/1.1 200 ok\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    // Status lines.
    (
        "status-none",
        "HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "status-two",
        "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "status-four",
        "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "status-zero",
        "HTTP/1.1 000 None\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "status-words",
        "HTTP/1.1 OK 200\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "status-999",
        "HTTP/1.1 999 Beyond\r\nContent-Length: 5\r\n\r\nhello",
        Keep,
    ),
    (
        "status-bare",
        "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
        Keep,
    ),
    (
        "status-nul",
        "HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello",
        Close,
    ),
    (
        "status-204",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        Keep,
    ),
    (
        "status-304",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        Keep,
    ),
    // Lines in heads.
    ("header-cr", hello!("X-A: b\rX-B: c\r\n"), Close),
    (
        "header-lf",
        ok!("Content-Length: 5\nX-A: b\n\nhello"),
        Close,
    ),
    ("header-nul", hello!("X-A: b\0c\r\n"), Close),
    ("header-nul-name", hello!("X-\0A: b\r\n"), Close),
    ("header-bell", hello!("X-A: b\x07\r\n"), Close),
    ("header-folded", hello!("X-A: b\r\n c\r\n\td\r\n"), Close),
    (
        "header-folded-first",
        ok!(" X-A: b\r\nContent-Length: 5\r\n\r\nhello"),
        Close,
    ),
    (
        "header-folded-length",
        ok!("Content-Length:\r\n 5\r\n\r\nhello"),
        Close,
    ),
    ("header-no-colon", hello!("no colon at all\r\n"), Close),
    ("header-no-name", hello!(": no name\r\n"), Close),
    ("header-no-value", hello!("X-A:\r\n"), Close),
    ("header-space", hello!("X-A : b\r\n"), Close),
    (
        "header-space-length",
        ok!("Content-Length : 5\r\n\r\nhello"),
        Close,
    ),
    ("header-utf8", hello!("X-Größe: ☃\r\n"), Close),
    ("header-request", hello!("GET /secret HTTP/1.1\r\n"), Close),
    ("header-status", hello!("HTTP/1.1 500 Again\r\n"), Close),
    // Codings that are not what they say.
    (
        "gzip-noise",
        ok!("Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"),
        Close,
    ),
    (
        "deflate-noise",
        ok!("Content-Encoding: deflate\r\nContent-Length: 9\r\n\r\nx\u{1}garbage"),
        Close,
    ),
    (
        "br-noise",
        ok!("Content-Encoding: br\r\nContent-Length: 9\r\n\r\n\x7F\x7Fgarbage"),
        Close,
    ),
    (
        "zstd-noise",
        ok!("Content-Encoding: zstd\r\nContent-Length: 9\r\n\r\nnot zstd!"),
        Close,
    ),
    (
        "gzip-nothing",
        ok!("Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"),
        Keep,
    ),
    (
        "coding-unknown",
        hello!("Content-Encoding: woven\r\n"),
        Keep,
    ),
    (
        "codings-many",
        hello!("Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip\r\n"),
        Close,
    ),
];
