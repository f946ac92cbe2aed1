//! What must hold for any answer. See `crate::fuzz`.

use std::sync::Arc;

use crate::address;
use crate::engine::{Flow, Receive};
use crate::error::ErrorCode;
use crate::fuzz::lines::{line, maybe_line, text_line};
use crate::headers::Headers;
use crate::job::Truncated;

use super::cookies::Jar;
use super::reader::{Look, Reader, Want};

/// The pieces that curl hands over are no larger.
const PIECE: usize = 16 << 10;

/// What was read of an answer: its body, and where it leads.
#[derive(Debug, PartialEq)]
struct Read {
    body: Vec<u8>,
    truncated: Option<Truncated>,
    meta_refresh: Option<String>,
    js_relocation: Option<String>,
    canonical: Option<String>,
}

fn read<'a>(
    mut reader: Reader,
    (status, headers): (u16, &Headers),
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Read, ErrorCode> {
    let mut flow = reader.head(status, headers);
    for piece in pieces {
        if flow == Flow::Stop {
            break;
        }
        let mut rest = piece;
        flow = reader.data(&mut rest);
        while flow == Flow::More {
            flow = reader.data(&mut rest);
        }
    }
    let (page, targets) = reader.finish(false).map_err(|failure| failure.code)?;
    Ok(Read {
        body: page.body,
        truncated: page.truncated,
        meta_refresh: targets.meta_refresh.map(|target| String::from(*target)),
        js_relocation: targets.js_relocation.map(|target| String::from(*target)),
        canonical: targets.canonical.map(|target| String::from(*target)),
    })
}

/// The first two bytes say what is wanted of an answer, and its status; the third says how it is cut
/// into pieces. Its head goes up to an empty line, its body to the end.
pub(crate) fn answer(input: &[u8]) {
    let [flags, more, cut, rest @ ..] = input else {
        return;
    };
    let flag = |bit: u8| flags & (1 << bit) != 0;
    let want = Want {
        body: flag(0),
        bodiless: flag(1) && flag(7),
        follow: flag(2),
        refresh: flag(2),
        decode: flag(3),
        limit: [10, 1_000, 5_000, 1 << 20][usize::from(more & 3)],
        look: Look {
            meta_refresh: flag(4),
            js_relocation: flag(5),
            canonical: flag(6),
        },
        encoding: None,
    };
    let status = [200, 200, 302, 404][usize::from(more >> 2 & 3)];
    let mut body = rest;
    let mut headers = Headers::default();
    while let Some(line) = maybe_line(&mut body) {
        headers.push(line);
    }
    for (name, value) in headers.iter() {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(value.trim_ascii(), value);
        assert!(headers.get(name).is_some());
    }
    assert_eq!(headers.iter().count(), headers.len());

    let url: Arc<str> = "http://example.com/a/b?c".into();
    let reader = || Reader::new(&url, &[], want);
    let head = (status, &headers);
    let whole = read(reader(), head, body.chunks(PIECE));
    // Where the network cuts must make no difference.
    let size = usize::from(*cut).pow(2) / 4 + 1;
    let cut = read(reader(), head, body.chunks(size));
    assert_eq!(whole, cut, "in pieces of {size}");

    match whole {
        Ok(read) => {
            assert!(read.body.len() as u64 <= want.limit || !want.body);
            assert!(want.body || read.body.is_empty());
            assert!(want.decode && want.body || read.truncated.is_none());
            assert!(want.look.meta_refresh || read.meta_refresh.is_none());
            assert!(want.look.js_relocation || read.js_relocation.is_none());
            assert!(want.look.canonical || read.canonical.is_none());
            let targets = [&read.meta_refresh, &read.js_relocation, &read.canonical];
            for target in targets.into_iter().flatten() {
                assert_eq!(address::clean(target).expect("a URL").as_str(), target);
            }
        }
        Err(code) => {
            let known = [
                ErrorCode::BodyTooLarge,
                ErrorCode::InvalidGzip,
                ErrorCode::InvalidEncoding,
            ];
            assert!(known.contains(&code), "{code}");
        }
    }
}

/// The part of a host that belongs to one owner.
fn site(url: &url::Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host);
    match url.domain().and_then(|_| psl::domain(host.as_bytes())) {
        Some(domain) => &host[host.len() - domain.as_bytes().len()..],
        None => host,
    }
}

/// The first line is the URL that sets cookies, the second a URL that they may be sent to, the third
/// what the caller sends there; the others are the cookies.
pub(crate) fn cookies(mut input: &[u8]) {
    let from = address::clean(&text_line(&mut input));
    let to = address::clean(&text_line(&mut input));
    let (Ok(from), Ok(to)) = (from, to) else {
        return;
    };
    let own = text_line(&mut input).replace(char::is_control, "");
    let mut headers = Headers::default();
    while !input.is_empty() {
        headers.push(&[b"Set-Cookie: ", line(&mut input)].concat());
    }
    let mut jar = Jar::default();
    jar.take(&from, &headers);
    let sent = jar.header(&to, None);
    let is_clean = |bytes: &[u8]| {
        bytes
            .iter()
            .all(|byte| !byte.is_ascii_control() || *byte == b'\t')
    };
    if let Some(sent) = &sent {
        assert!(is_clean(sent), "{}", sent.escape_ascii());
        assert_eq!(
            site(&from),
            site(&to),
            "{} of {from} to {to}",
            sent.escape_ascii()
        );
        assert!(to.scheme() == "https" || from.host_str() == to.host_str() || !headers.is_empty());
    }
    let own = Some(&*own).filter(|own| !own.is_empty());
    if let Some(both) = jar.header(&to, own) {
        assert!(is_clean(&both), "{}", both.escape_ascii());
        assert!(
            sent.is_none_or(|sent| both.ends_with(&sent)),
            "those set come last"
        );
    }
    assert_eq!(jar.header(&to, own), jar.header(&to, own));
}
