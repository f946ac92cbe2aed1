//! What is slow, large or without end.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::Then;
use crate::query::Query;
use crate::samples;

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The names of the paths answered here.
pub(super) const NAMES: &[&str] = &[
    "drip-head",
    "drip-body",
    "header-flood",
    "header-line",
    "header-lines",
    "status-line",
    "continue-flood",
    "body",
    "body-chunks",
    "chunk-size",
    "chunk-extensions",
    "chunk-trailers",
    "gzip-members",
    "bomb-gzip",
    "bomb-gzip-twice",
    "bomb-deflate",
    "bomb-br",
    "bomb-br-slow",
    "bomb-zstd",
    "window-br",
    "window-zstd",
    "cut-gzip",
    "cut-deflate",
    "cut-br",
    "cut-zstd",
];

/// Answers one of `NAMES`. `None`: it is another.
pub(super) async fn answer(
    stream: &mut TcpStream,
    name: &str,
    query: Query<'_>,
) -> io::Result<Option<Then>> {
    let mb = query.number("mb", u64::MAX);
    let line = format!("X-Flood: {:x<1000}\r\n", "");
    match name {
        "drip-head" | "drip-body" => drip(stream, name == "drip-head", query).await?,
        "header-flood" => {
            stream.write_all(OK.as_bytes()).await?;
            for i in 0_u64.. {
                let line = format!("X-Flood-{i}: {:x<1000}\r\n", "");
                stream.write_all(line.as_bytes()).await?;
            }
        }
        "header-lines" => repeat(stream, OK, line.as_bytes(), mb, "\r\n").await?,
        "header-line" => {
            let start = format!("{OK}X-Long: ");
            repeat(stream, &start, &[b'x'; 1 << 16], mb, "\r\n\r\n").await?;
        }
        "status-line" => {
            repeat(stream, "HTTP/1.1 200 ", &[b'x'; 1 << 16], mb, "\r\n\r\n").await?;
        }
        "continue-flood" => {
            let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </style>; rel=preload\r\n\r\n";
            repeat(stream, "", &interim.repeat(100), mb, OK).await?;
        }
        "body" => {
            let start = format!("{OK}\r\n");
            repeat(stream, &start, &[b'x'; 1 << 16], mb, "").await?;
        }
        "body-chunks" => {
            let chunk = [&b"10000\r\n"[..], &[b'x'; 1 << 16], b"\r\n"].concat();
            repeat(stream, CHUNKED, &chunk, mb, "0\r\n\r\n").await?;
        }
        "chunk-size" => repeat(stream, CHUNKED, &[b'0'; 1 << 16], mb, "\r\n\r\n").await?,
        "chunk-extensions" => {
            let start = format!("{CHUNKED}5;x=");
            repeat(
                stream,
                &start,
                &[b'x'; 1 << 16],
                mb,
                "\r\nhello\r\n0\r\n\r\n",
            )
            .await?;
        }
        "chunk-trailers" => {
            let start = format!("{CHUNKED}5\r\nhello\r\n0\r\n");
            repeat(stream, &start, line.as_bytes(), mb, "\r\n").await?;
        }
        // Each is empty: much to read, nothing to keep.
        "gzip-members" => {
            let start = format!("{OK}Content-Encoding: gzip\r\n\r\n");
            let members = samples::gzip(b"").repeat(1000);
            repeat(stream, &start, &members, mb, "").await?;
        }
        "window-br" => {
            let body = samples::br_window(query.number("log", 30));
            pieces(stream, "br", [body.into()]).await?;
        }
        "window-zstd" => {
            let body = samples::zstd_window(query.number("log", 31));
            pieces(stream, "zstd", [body.into()]).await?;
        }
        _ => return coded(stream, name, query).await,
    }
    Ok(Some(Then::Close))
}

/// What unfolds to a lot, and what breaks off.
async fn coded(stream: &mut TcpStream, name: &str, query: Query<'_>) -> io::Result<Option<Then>> {
    let mb = query.number("mb", 1024);
    match name {
        "bomb-gzip" => pieces(stream, "gzip", samples::gzip_bomb(mb).0).await?,
        "bomb-gzip-twice" => {
            // The bomb is mostly the same itself: some ten times smaller still.
            let inner: Vec<u8> = samples::gzip_bomb(mb).0.flatten().collect();
            pieces(stream, "gzip, gzip", [samples::gzip(&inner).into()]).await?;
        }
        "bomb-deflate" => pieces(stream, "deflate", samples::deflate_bomb(mb)).await?,
        "bomb-br" => pieces(stream, "br", samples::br_bomb(mb)).await?,
        "bomb-br-slow" => {
            pieces(stream, "br", samples::br_slow(mb, query.number("log", 24))).await?
        }
        "bomb-zstd" => pieces(stream, "zstd", samples::zstd_bomb(mb)).await?,
        _ => {
            let Some((whole, coding)) = name.strip_prefix("cut-").and_then(samples::encoded) else {
                return Ok(None);
            };
            pieces(stream, coding, [whole.slice(..whole.len() / 2)]).await?;
        }
    }
    Ok(Some(Then::Close))
}

/// Sends a sound answer byte by byte, `ms` (1000) apart: from its head on, or from its body on.
async fn drip(stream: &mut TcpStream, head: bool, query: Query<'_>) -> io::Result<()> {
    let pause = Duration::from_millis(query.number("ms", 1000));
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let at_once = if head { 0 } else { answer.len() - 5 };
    stream.write_all(&answer[..at_once]).await?;
    for byte in &answer[at_once..] {
        sleep(pause).await;
        stream.write_all(&[*byte]).await?;
    }
    Ok(())
}

/// Sends a start, then a piece, once and then over and over until it was `mb` MB, then an end.
async fn repeat(
    stream: &mut TcpStream,
    start: &str,
    piece: &[u8],
    mb: u64,
    end: &str,
) -> io::Result<()> {
    stream.write_all(start.as_bytes()).await?;
    let mut left = mb.saturating_mul(1 << 20);
    loop {
        stream.write_all(piece).await?;
        left = left.saturating_sub(piece.len() as u64);
        if left == 0 {
            break;
        }
    }
    stream.write_all(end.as_bytes()).await
}

/// Sends a body in a coding, which ends with the connection.
async fn pieces(
    stream: &mut TcpStream,
    coding: &str,
    pieces: impl IntoIterator<Item = Bytes>,
) -> io::Result<()> {
    let head = format!("{OK}Content-Encoding: {coding}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    for piece in pieces {
        stream.write_all(&piece).await?;
    }
    Ok(())
}
