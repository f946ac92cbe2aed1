//! What a result says of its body: real legacy pages, from a real server.

mod support;

use encoding_rs::Encoding;
use rouet::{Job, JobResult};
use support::raw::Raw;
use support::*;

/// Natural text, and the encoding it is in on the wire.
const PAGES: [(&str, &str); 13] = [
    (
        "windows-1251",
        "Широкая электрификация южных губерний даст мощный толчок подъёму.",
    ),
    (
        "koi8-r",
        "Широкая электрификация южных губерний даст мощный толчок подъёму.",
    ),
    (
        "shift_jis",
        "いろはにほへと散りぬるを、我が世誰ぞ常ならむ。有為の奥山今日越えて。",
    ),
    (
        "euc-jp",
        "いろはにほへと散りぬるを、我が世誰ぞ常ならむ。有為の奥山今日越えて。",
    ),
    (
        "iso-2022-jp",
        "いろはにほへと散りぬるを、我が世誰ぞ常ならむ。有為の奥山今日越えて。",
    ),
    (
        "gb18030",
        "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，秋收冬藏。㐀",
    ),
    (
        "big5",
        "天地玄黃，宇宙洪荒。日月盈昃，辰宿列張。寒來暑往，秋收冬藏。",
    ),
    (
        "euc-kr",
        "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    ),
    ("iso-8859-2", "Příliš žluťoučký kůň úpěl ďábelské ódy."),
    (
        "iso-8859-7",
        "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία σε κάθε περίπτωση.",
    ),
    (
        "windows-1254",
        "Pijamalı hasta yağız şoföre çabucak güvendi.",
    ),
    (
        "iso-8859-15",
        "Dès Noël où un zéphyr haï me vêt de glaçons würmiens, 12 €.",
    ),
    (
        "windows-1252",
        "Portez ce vieux whisky au juge blond qui fume, “déjà” là – 12 €.",
    ),
];

fn encode(label: &str, text: &str) -> Vec<u8> {
    let encoding = Encoding::for_label(label.as_bytes()).expect("a label");
    let (bytes, _, unmappable) = encoding.encode(text);
    assert!(!unmappable, "{text} is not in {label}");
    bytes.into_owned()
}

/// Downloads these bytes under that `Content-Type`, if any.
fn served(content_type: Option<&str>, bytes: Vec<u8>) -> JobResult {
    let header = content_type.map_or(String::new(), |kind| format!("Content-Type: {kind}\r\n"));
    let server = Raw::start(move |_| {
        let length = bytes.len();
        let head = format!("HTTP/1.1 200 OK\r\n{header}Content-Length: {length}\r\n\r\n");
        [head.as_bytes(), &bytes].concat()
    });
    let result = fetch(Job::request(server.url("/")));
    assert_ok(&result);
    result
}

#[track_caller]
fn assert_reads(result: &JobResult, encoding: &str, text: &str) {
    assert_eq!(result.encoding(), Some(encoding));
    let read = result.text().expect("text");
    assert!(read.contains(text), "{read} has no {text}");
}

#[test]
fn a_page_is_read_in_the_encoding_that_is_declared() {
    for (label, text) in PAGES {
        let html = Some("text/html");
        // By the header.
        let header = format!("text/html; Charset=\"{}\"", label.to_uppercase());
        let plain = encode(label, &format!("<p>{text}</p>"));
        assert_reads(&served(Some(&header), plain), label, text);
        // By the page, early and late.
        for before in [0, 5000] {
            let before = "<!-- -->".repeat(before / 8);
            let page = format!("<html><head>{before}<meta charset={label}></head>{text}");
            assert_reads(&served(html, encode(label, &page)), label, text);
            let page = format!(
                "<html>{before}<META content='text/html; charset={label}' HTTP-EQUIV=Content-Type>\
                 {text}"
            );
            assert_reads(&served(html, encode(label, &page)), label, text);
        }
        let page = format!("<?xml version='1.0' encoding='{label}'?><p>{text}</p>");
        assert_reads(&served(Some("text/xml"), encode(label, &page)), label, text);
    }
}

#[test]
fn utf8_is_known_whatever_is_declared() {
    for (label, text) in PAGES {
        let header = format!("text/html; charset={label}");
        for page in [
            format!("<p>{text}"),
            format!("<meta charset={label}><p>{text}"),
            format!("\u{feff}<p>{text}"),
        ] {
            let result = served(Some(&header), page.clone().into_bytes());
            assert_reads(&result, "utf-8", text);
            assert!(!result.text().unwrap().starts_with('\u{feff}'));
        }
    }
}

#[test]
fn a_header_that_wrongly_says_utf8_is_passed_over() {
    for (label, text) in PAGES {
        let page = format!("<meta charset={label}><p>{}", text.repeat(3));
        let result = served(Some("text/html; charset=utf-8"), encode(label, &page));
        assert_reads(&result, label, text);
    }
}

#[test]
fn an_encoding_that_nobody_declares_is_detected() {
    for (label, text) in PAGES {
        // The last ones share their alphabet: nobody could tell.
        let alike = matches!(label, "iso-8859-15" | "windows-1252" | "gb18030");
        for kind in [
            Some("text/html"),
            Some("text/html; charset=utf-8"),
            Some("text/plain"),
            None,
        ] {
            let result = served(kind, encode(label, &format!("<p>{}</p>", text.repeat(4))));
            let read = result.text().expect("text");
            if !alike {
                assert!(
                    read.contains(text),
                    "{label} as {:?}: {read}",
                    result.encoding()
                );
            }
        }
    }
}

#[test]
fn utf16_is_known_with_and_without_its_mark() {
    let text = "<html><p>Широкая 天地 plain</p></html>";
    for (label, bytes) in [
        (
            "utf-16le",
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>(),
        ),
        (
            "utf-16be",
            text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
    ] {
        let mark: &[u8] = match label {
            "utf-16le" => &[0xFF, 0xFE],
            _ => &[0xFE, 0xFF],
        };
        for kind in [
            "text/html",
            "text/html; charset=utf-16",
            "text/html; charset=utf-8",
        ] {
            for bytes in [bytes.clone(), [mark, &bytes].concat()] {
                let result = served(Some(kind), bytes);
                assert_reads(&result, label, text);
                assert!(result.is_html());
            }
        }
    }
}

#[test]
fn the_media_type_tells_what_a_body_is() {
    for (header, body, mimetype, ext, is_text, is_html) in [
        (
            Some("Text/HTML;charset=x"),
            "<p>",
            Some("text/html"),
            Some(".html"),
            true,
            true,
        ),
        (
            Some("text/plain"),
            "hello",
            Some("text/plain"),
            Some(".txt"),
            true,
            false,
        ),
        (
            Some("application/json"),
            "{}",
            Some("application/json"),
            Some(".json"),
            true,
            false,
        ),
        (
            Some("application/pdf"),
            "%PDF-1.7",
            Some("application/pdf"),
            Some(".pdf"),
            false,
            false,
        ),
        (
            Some("image/jpeg"),
            "\u{1}",
            Some("image/jpeg"),
            Some(".jpg"),
            false,
            false,
        ),
        (
            None,
            "<!doctype html><p>",
            Some("text/html"),
            Some(".html"),
            true,
            true,
        ),
        (None, "what is this", None, None, true, false),
    ] {
        let result = served(header, body.as_bytes().to_vec());
        assert_eq!(
            (
                result.mimetype(),
                result.ext(),
                result.is_text(),
                result.is_html()
            ),
            (mimetype, ext, is_text, is_html),
            "{header:?}"
        );
        assert_eq!(result.text().is_some(), is_text);
    }
}

#[test]
fn links_are_absolute_and_come_once() {
    let page = "<base href='/dir/'><a href=one>1</a><a href='./one'>1</a><area href='//h.example/2'>\
                <a href='mailto:x@y.z'>no</a><!-- <a href=no> --><a href=''>no</a>\
                <a href='three?a=1&amp;b=2'>";
    let result = served(Some("text/html"), page.into());
    let start = result
        .url
        .as_deref()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    assert_eq!(
        result.links(),
        [
            format!("{start}/dir/one"),
            "http://h.example/2".into(),
            format!("{start}/dir/"),
            format!("{start}/dir/three?a=1&b=2"),
        ]
    );
    assert!(
        served(Some("text/plain"), "see <a href=/x>".into())
            .links()
            .is_empty()
    );
}

#[test]
fn what_has_no_body_says_nothing_of_it() {
    let site = site();
    let refused = fetch(Job::request(format!("http://127.0.0.1:{}/", closed_port())));
    for result in [fetch(Job::resolve(site.url("/text"))), refused] {
        assert_eq!(
            (result.mimetype(), result.ext(), result.encoding()),
            (None, None, None)
        );
        assert_eq!(result.text(), None);
        assert!(!result.is_text() && !result.could_be_html() && !result.is_html());
        assert!(result.links().is_empty());
    }
    let empty = served(Some("text/plain"), Vec::new());
    assert_eq!(empty.text(), Some(""));
}
