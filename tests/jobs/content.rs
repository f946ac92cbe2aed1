//! What a result says of its body: real legacy pages, from a real server.

use crate::support::raw::Raw;
use crate::support::*;
use encoding_rs::Encoding;
use rouet::{Job, JobResult};

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

/// A page that came with these header lines, asked for with these options.
fn answered(headers: &[&str], body: &[u8], set: impl FnOnce(&mut rouet::Options)) -> JobResult {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let body = body.to_vec();
    let server = Raw::start(move |_| {
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\n\r\n");
        [head.as_bytes(), &body].concat()
    });
    let result = fetch_with(server.url("/"), set);
    assert_ok(&result);
    result
}

/// Fetch Standard, "extract a MIME type": the cases of the web platform tests
/// (fetch/content-type), on the wire.
#[test]
fn several_content_types_count_as_fetch_has_it() {
    for (values, mimetype, encoding) in [
        (&["", "text/plain"][..], "text/plain", None),
        (&["text/html", "text/plain"], "text/plain", None),
        (&["text/plain;charset=gbk", "text/html"], "text/html", None),
        (
            &["text/plain;charset=gbk", "text/html;charset=windows-1254"],
            "text/html",
            Some("windows-1254"),
        ),
        (
            &["text/plain;charset=gbk", "text/plain"],
            "text/plain",
            Some("gbk"),
        ),
        (
            &["text/html;charset=gbk", "text/html;x=\",text/plain"],
            "text/html",
            Some("gbk"),
        ),
        (
            &["text/html;charset=gbk", "text/plain", "text/html"],
            "text/html",
            None,
        ),
        (&["text/html", "*/*;charset=gbk"], "text/html", None),
        (&["text/html;x=\"", "text/plain"], "text/html", None),
    ] {
        let lines: Vec<_> = values
            .iter()
            .map(|value| format!("Content-Type: {value}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let result = answered(&lines, b"<a href=/x>ASCII</a>", |_| {});
        assert_eq!(result.mimetype(), Some(mimetype), "{values:?}");
        let expected = encoding.or(Some("utf-8"));
        assert_eq!(result.encoding(), expected, "{values:?}");
        assert_eq!(result.is_html(), mimetype == "text/html", "{values:?}");
        assert_eq!(result.links().len(), usize::from(result.is_html()));
        // The same page, kept.
        let joined = values.join(", ");
        let body = result.body.clone();
        let kept = JobResult::of_page(result.end_url(), Some(joined.as_bytes()), None, body);
        let kept = kept.expect("a page");
        assert_eq!(
            (kept.mimetype(), kept.encoding()),
            (result.mimetype(), result.encoding()),
            "{values:?}"
        );
    }
}

#[test]
fn html_is_html_however_it_begins() {
    for start in [
        "",
        "Notice: Undefined index: x in /var/www/x.php on line 3\n",
        "<br /><b>Notice</b>: Undefined index",
        "<h5>five</h5>",
        "<?php echo 1; ?>",
        "\u{feff}\u{feff}",
        "plain text ",
        "<my-element>",
        "<!-- c --><svg></svg>",
        "{\"a\": 1}",
        "%PDF-1.7",
    ] {
        let page = format!("{start}<a href=/x>x</a>");
        let result = served(Some("text/html"), page.clone().into_bytes());
        assert!(result.is_html() && result.could_be_html(), "{start}");
        assert_eq!(result.links().len(), 1, "{start}");
        assert!(result.text().is_some_and(|text| text.contains("<a href")));
        // Under another type it is none, however it begins.
        for kind in ["text/plain", "application/json", "text/css"] {
            let result = served(Some(kind), page.clone().into_bytes());
            assert!(!result.is_html() && result.links().is_empty(), "{start}");
            assert!(result.is_text());
        }
    }
    for unknown in ["unknown/unknown", "application/unknown", "*/*", "nonsense"] {
        let result = served(Some(unknown), b"<!doctype html><a href=/x>x</a>".to_vec());
        assert_eq!(result.mimetype(), Some("text/html"), "{unknown}");
        assert_eq!(result.links().len(), 1, "{unknown}");
    }
}

#[test]
fn what_has_no_type_is_known_by_its_first_bytes() {
    // Latin letters in UTF-16 are no such thing; that is in media.rs.
    for (body, mimetype, ext, is_text) in [
        (
            &b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"[..],
            "application/pdf",
            ".pdf",
            false,
        ),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png", ".png", false),
        (b"GIF89a\x01\0\x01\0", "image/gif", ".gif", false),
        (b"\xff\xd8\xff\xe0", "image/jpeg", ".jpg", false),
        (b"RIFF\x1a\0\0\0WEBPVP8L", "image/webp", ".webp", false),
        (b"PK\x03\x04\x14\0", "application/zip", ".zip", false),
        (
            b"\x1f\x8b\x08\0\0\0\0\0",
            "application/x-gzip",
            ".gz",
            false,
        ),
        (
            b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
            "video/mp4",
            ".mp4",
            false,
        ),
        (b"wOFF\0\x01\0\0", "font/woff", ".woff", false),
        (
            b"<?xml version=\"1.0\"?><rss></rss>",
            "text/xml",
            ".xml",
            true,
        ),
        (b"{\"a\": [1, 2]}", "application/json", ".json", true),
    ] {
        for kind in [None, Some("application/unknown")] {
            let result = served(kind, body.to_vec());
            assert_eq!(result.mimetype(), Some(mimetype));
            assert_eq!(result.ext(), Some(ext), "{mimetype}");
            assert_eq!(result.is_text(), is_text, "{mimetype}");
            assert_eq!(result.text().is_some(), is_text, "{mimetype}");
            assert_eq!(result.encoding().is_some(), is_text, "{mimetype}");
        }
    }
}

/// RFC 6266 and RFC 8187.
#[test]
fn the_name_in_content_disposition_counts_for_the_extension() {
    let body = b"%PDF-1.7 in the eyes of all";
    for (kind, disposition, ext) in [
        (
            "application/octet-stream",
            "attachment; filename=\"report.pdf\"",
            ".pdf",
        ),
        (
            "application/octet-stream",
            "attachment; filename=report.csv",
            ".csv",
        ),
        (
            "application/force-download",
            "attachment; filename*=UTF-8''%e2%82%ac%20rates.xlsx; filename=\"rates.txt\"",
            ".xlsx",
        ),
        ("text/html", "inline; filename=\"report.pdf\"", ".pdf"),
        ("text/html", "attachment; filename=download.php", ".html"),
        ("text/html", "attachment", ".html"),
    ] {
        let lines = [
            format!("Content-Type: {kind}"),
            format!("Content-Disposition: {disposition}"),
        ];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let result = answered(&lines, body, |_| {});
        assert_eq!(result.ext(), Some(ext), "{disposition}");
        assert_eq!(result.mimetype(), Some(kind));
        let headers = result.headers.iter();
        let kept = JobResult::of_answer(result.end_url(), headers, None, body.to_vec());
        assert_eq!(kept.expect("a page").ext(), Some(ext), "{disposition}");
    }
}

#[test]
fn gzip_that_nobody_asked_for_is_no_text() {
    use std::io::Write;
    let page = "<p>Text that was packed</p>";
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(page.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    for headers in [
        &["Content-Type: text/html"][..],
        &["Content-Type: text/html", "Content-Encoding: gzip"],
        &[
            "Content-Type: text/plain; charset=utf-8",
            "Content-Encoding: x-gzip",
        ],
        &["Content-Encoding: gzip"],
        &[],
    ] {
        let result = answered(headers, &packed, |_| {});
        assert_eq!(result.body, packed);
        assert!(!result.is_text() && !result.is_html(), "{headers:?}");
        assert_eq!((result.text(), result.encoding()), (None, None));
        assert!(result.links().is_empty());
    }
    let headers = ["Content-Type: text/html", "Content-Encoding: gzip"];
    let result = answered(&headers, &packed, |options| options.compressed = true);
    assert!(result.is_html());
    assert_eq!(result.text(), Some(page));
    // Other codings have no mark of their own; the header tells.
    let deflated = b"\x78\x9c\x4b\x4c\x02\0";
    let headers = ["Content-Type: text/html", "Content-Encoding: deflate"];
    assert!(!answered(&headers, deflated, |_| {}).is_text());
}

#[test]
fn a_kept_answer_s_headers_are_looked_at() {
    let of = |headers: &[(&str, &[u8])]| {
        JobResult::of_answer(None, headers.iter().copied(), None, Vec::new())
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(of(&[("Content-Type", b"text/html")]), Ok(()));
    for bad in ["", "a b", "a:", "caf\u{e9}"] {
        let error = of(&[(bad, b"x")]).expect_err("a name that is none");
        assert!(error.contains("no header's name"), "{error}");
    }
    let error = of(&[("X", b"a\r\nb: c")]).expect_err("a line break");
    assert!(error.contains("line break"), "{error}");
}
