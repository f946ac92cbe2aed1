use proptest::prelude::*;

use super::*;

const PAGE: &[u8] = b"<!DOCTYPE html><title>x</title>";

fn head(content_type: Option<&[u8]>, disposition: Option<&[u8]>) -> Head {
    Head {
        content_type: ContentType::of(content_type),
        filename: crate::sniff::filename(disposition),
        coded: false,
    }
}

fn media(content_type: &str, url: &str, body: &[u8]) -> Media {
    let content_type = Some(content_type.as_bytes()).filter(|it| !it.is_empty());
    Media::of(&head(content_type, None), url, body)
}

#[test]
fn takes_the_type_of_the_header() {
    for (content_type, expected) in [
        ("text/html", "text/html"),
        ("Text/HTML; charset=utf-8", "text/html"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("application/octet-stream", "application/octet-stream"),
    ] {
        let found = media(content_type, "http://ex.com/a.pdf", b"\x89PNG\r\n\x1a\n");
        assert_eq!(found.mimetype.as_deref(), Some(expected), "{content_type}");
    }
    for none in ["text", "*/*", "unknown/unknown", "Application/Unknown"] {
        let found = media(none, "http://ex.com/a.pdf", b"x");
        assert_eq!(found.mimetype.as_deref(), Some("application/pdf"), "{none}");
        let found = media(none, "http://ex.com/a.pdf", b"<!doctype html>");
        assert_eq!(found.mimetype.as_deref(), Some("text/html"), "{none}");
        assert_eq!(
            media(none, "http://ex.com/a", b"x").mimetype,
            None,
            "{none}"
        );
    }
}

/// The MIME Sniffing standard, section 7.1, with the bytes of the web platform tests
/// (mimesniff/mime-type-sniffing) where they have some.
#[test]
fn knows_files_by_their_first_bytes() {
    let mp3 = [&b"\xff\xfb\x90\0"[..], &[0; 413], b"\xff\xfb\x90\0"].concat();
    let eot = [&[1; 34][..], b"LP", &[0; 20]].concat();
    let json = format!("{{\"a\": \"{}\"}}", "\u{e9}".repeat(3000));
    let bmp = [&b"BM\x36\0\x0c\0\0\0\0\0"[..], &[0; 50]].concat();
    let id3 = [&b"ID3\x03\0\0\0\0"[..], &[b'x'; 50]].concat();
    for (body, mimetype, ext) in [
        (&b"\0\0\x01\0"[..], "image/x-icon", ".ico"),
        (b"\0\0\x02\0", "image/x-icon", ".ico"),
        (b"BM", "image/bmp", ".bmp"),
        (&bmp, "image/bmp", ".bmp"),
        (b"GIF87a", "image/gif", ".gif"),
        (b"GIF89a\x01\0\x01\0\0\0\0\0\0\0\0\0", "image/gif", ".gif"),
        (b"RIFF\0\0\0\0WEBPVP", "image/webp", ".webp"),
        (b"RIFF\x24\x10\0\0WEBPVP8 ", "image/webp", ".webp"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png", ".png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg", ".jpg"),
        (b"FORM\0\0\0\0AIFF", "audio/aiff", ".aiff"),
        (b"ID3", "audio/mpeg", ".mp3"),
        (&id3, "audio/mpeg", ".mp3"),
        (&mp3, "audio/mpeg", ".mp3"),
        (b"OggS\0", "application/ogg", ".ogg"),
        (b"MThd\0\0\0\x06", "audio/midi", ".mid"),
        (b"RIFF\0\0\0\0AVI ", "video/avi", ".avi"),
        (b"RIFF\0\0\0\0WAVE", "audio/wave", ".wav"),
        (b"\0\0\0\x10ftypmp42\0\0\0\0", "video/mp4", ".mp4"),
        (
            b"\0\0\0\x18ftypisom\0\0\x02\0isommp41 and more",
            "video/mp4",
            ".mp4",
        ),
        (
            b"\x1a\x45\xdf\xa3\x81\x42\x82\x84webm",
            "video/webm",
            ".webm",
        ),
        (
            b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff\x42\x86\x81\x01\x42\x82\x84webm",
            "video/webm",
            ".webm",
        ),
        (b"\x1f\x8b\x08\0", "application/x-gzip", ".gz"),
        (b"PK\x03\x04", "application/zip", ".zip"),
        (b"Rar!\x1a\x07\0", "application/x-rar-compressed", ".rar"),
        (b"\0\x01\0\0\0\x0c", "font/ttf", ".ttf"),
        (b"OTTO\0\x0c", "font/otf", ".otf"),
        (b"ttcf\0\x01", "font/collection", ".ttc"),
        (b"wOFF\0\x01\0\0", "font/woff", ".woff"),
        (b"wOF2\0\x01\0\0", "font/woff2", ".woff2"),
        (&eot, "application/vnd.ms-fontobject", ".eot"),
        (
            b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
            "application/pdf",
            ".pdf",
        ),
        (b"\n%PDF-1.4 ASCII alone", "application/pdf", ".pdf"),
        (b"%!PS-Adobe-3.0\n", "application/postscript", ".ps"),
        (b"<?xml version='1.0'?><rss/>", "text/xml", ".xml"),
        (
            b"\xef\xbb\xbf<?xml version='1.0'?><!-- x --><a/>",
            "text/xml",
            ".xml",
        ),
        (b"<!DOCTYPE HTML>", "text/html", ".html"),
        (b"\t\n\x0c\r <HTML ", "text/html", ".html"),
        (
            b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>",
            "application/xhtml+xml",
            ".xhtml",
        ),
        (b" {\"a\": [1, null]}\n", "application/json", ".json"),
        (b"[]", "application/json", ".json"),
        (json.as_bytes(), "application/json", ".json"),
    ] {
        let shown = String::from_utf8_lossy(body);
        // The URL's extension does not matter.
        let found = media("", "http://ex.com/a.txt", body);
        assert_eq!(found.mimetype.as_deref(), Some(mimetype), "{shown:.40?}");
        assert_eq!(found.ext.as_deref(), Some(ext), "{shown:.40?}");
        let text = mimetype.starts_with("text/")
            || ["application/json", "application/xhtml+xml"].contains(&mimetype);
        assert_eq!(found.is_text, text, "{shown:.40?}");
        assert_eq!(found.is_html, mimetype.contains("html"), "{shown:.40?}");
        // A declared type is believed.
        let found = media("text/css", "", body);
        assert_eq!(found.mimetype.as_deref(), Some("text/css"), "{shown:.40?}");
    }
    for text in [
        "BMW builds cars, since 1916",
        "ID3 is how songs are named",
        "GIF89a is from 1989, as it says",
        "wOFF wOFF, said the old dog",
        "[INFO] started",
        "[2026-11-25] started",
        "{{ a template }}",
        "{'a': 1}",
        "[1] a note, and [2] another",
        "[1][2]",
        "{",
        "12",
        "\"text\"",
        "<rss>",
        "PDF",
        "x %PDF-1.7",
    ] {
        let found = media("", "http://ex.com/a", text.as_bytes());
        assert_eq!((found.mimetype, found.is_text), (None, true), "{text}");
    }
    for binary in [
        &b"RIFF\0\0\0\0WEBP"[..],
        b"\0\0\0\x10ftypavif\0\0\0\0",
        b"\0\0\0\x11ftypmp42\0\0\0\0",
        b"\0\0\0\xffftypmp42\0\0\0\0",
        b"\x1a\x45\xdf\xa3\x42\x82\x88matroska",
        b"\xff\xfb\x90\0\0\0\0",
        b"\0\x01\x02\x03",
    ] {
        for url in [
            "http://ex.com/a",
            "http://ex.com/a.html",
            "http://ex.com/a.txt",
        ] {
            let found = media("", url, binary);
            assert_eq!((found.mimetype, found.is_text), (None, false), "{binary:?}");
        }
        let found = media("", "http://ex.com/a.bin", binary);
        assert_eq!(found.ext.as_deref(), Some(".bin"));
    }
}

#[test]
fn the_name_of_the_file_counts() {
    for (content_type, disposition, url, mimetype, expected) in [
        (
            "application/octet-stream",
            "attachment; filename=\"report.PDF\"",
            "/x",
            "application/octet-stream",
            ".pdf",
        ),
        (
            "text/plain",
            "inline; filename=data.csv",
            "/x.php",
            "text/plain",
            ".csv",
        ),
        (
            "text/html",
            "attachment; filename*=UTF-8''%e2%82%ac.jpeg",
            "/x.png",
            "text/html",
            ".jpg",
        ),
        // Nobody else knows this type.
        (
            "text/html",
            "attachment; filename=index.php",
            "/x",
            "text/html",
            ".html",
        ),
        (
            "text/html",
            "attachment; filename=x.unheard-of",
            "/x",
            "text/html",
            ".html",
        ),
        (
            "text/html",
            "attachment; filename=x",
            "/x.pdf",
            "text/html",
            ".html",
        ),
        // Without a type the body says it.
        (
            "",
            "attachment; filename=x.csv",
            "/x.png",
            "text/csv",
            ".csv",
        ),
    ] {
        let head = head(Some(content_type.as_bytes()), Some(disposition.as_bytes()));
        let found = Media::of(&head, &format!("http://ex.com{url}"), b"a,b");
        assert_eq!(found.mimetype.as_deref(), Some(mimetype), "{disposition}");
        assert_eq!(found.ext.as_deref(), Some(expected), "{disposition}");
    }
}

#[test]
fn what_is_packed_is_no_text() {
    for (coded, body) in [
        (false, &b"\x1f\x8b\x08\0\0\0\0\0"[..]),
        (true, b"\x1f\x8b\x08"),
        (false, b"\x28\xb5\x2f\xfd\x04"),
        // br and deflate.
        (true, b"\x1b\x0e\0\xf8\xa5"),
        (true, b"\x78\x9c\x4b\x4c\x02\0"),
    ] {
        for content_type in ["text/html", "application/json"] {
            let head = Head {
                coded,
                ..head(Some(content_type.as_bytes()), None)
            };
            let found = Media::of(&head, "", body);
            assert_eq!(found.mimetype.as_deref(), Some(content_type));
            assert!(!found.is_text && !found.is_html, "{body:?}");
        }
    }
    // A server may only claim a coding.
    let head = Head {
        coded: true,
        ..head(Some(b"text/html"), None)
    };
    let found = Media::of(&head, "", "<p>\u{e9}t\u{e9}".as_bytes());
    assert!(found.is_text && found.is_html);
}

#[test]
fn guesses_the_type() {
    for (url, expected) in [
        ("http://ex.com/a.PDF", Some("application/pdf")),
        ("http://ex.com/a.pdf?x=.html#y.zip", Some("application/pdf")),
        ("http://ex.com/a.jpeg", Some("image/jpeg")),
        ("http://ex.com/a.tar.gz", Some("application/gzip")),
        ("http://ex.com/a.htm;jsessionid=1.2", Some("text/html")),
        ("http://ex.com/a.js", Some("text/javascript")),
        ("http://ex.com/a.xml", Some("application/xml")),
        ("http://ex.com", None),
        ("http://ex.com/", None),
        ("http://ex.com/a?f=x.pdf", None),
        ("http://ex.com/a.b/c", None),
        ("http://ex.com/.html", None),
        ("http://ex.com/a.", None),
        ("http://ex.com/a.php", None),
        ("http://ex.com/a.pdf/", None),
        ("", None),
    ] {
        let found = mimetype(None, None, url, b"x");
        assert_eq!(found.as_deref(), expected, "{url}");
    }
    let found = mimetype(None, None, "http://ex.com/a.pdf", PAGE);
    assert_eq!(found.as_deref(), Some("text/html"));
}

#[test]
fn gives_an_extension() {
    for (mimetype, expected) in [
        ("text/html", ".html"),
        ("application/xhtml+xml", ".xhtml"),
        ("text/plain", ".txt"),
        ("text/css", ".css"),
        ("text/javascript", ".js"),
        ("application/javascript", ".js"),
        ("application/x-javascript", ".js"),
        ("application/json", ".json"),
        ("application/ld+json", ".jsonld"),
        ("application/geo+json", ".geojson"),
        ("application/xml", ".xml"),
        ("text/xml", ".xml"),
        ("application/rss+xml", ".rss"),
        ("application/atom+xml", ".atom"),
        ("image/svg+xml", ".svg"),
        ("application/pdf", ".pdf"),
        ("application/zip", ".zip"),
        ("application/gzip", ".gz"),
        ("application/msword", ".doc"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            ".docx",
        ),
        ("application/vnd.ms-excel", ".xls"),
        ("application/epub+zip", ".epub"),
        ("image/jpeg", ".jpg"),
        ("image/jpg", ".jpg"),
        ("image/png", ".png"),
        ("image/gif", ".gif"),
        ("image/webp", ".webp"),
        ("image/avif", ".avif"),
        ("image/x-icon", ".ico"),
        ("image/tiff", ".tiff"),
        ("image/bmp", ".bmp"),
        ("audio/mpeg", ".mp3"),
        ("audio/mp4", ".m4a"),
        ("audio/ogg", ".ogg"),
        ("audio/wav", ".wav"),
        ("audio/x-wav", ".wav"),
        ("video/mp4", ".mp4"),
        ("video/webm", ".webm"),
        ("video/quicktime", ".mov"),
        ("video/mpeg", ".mpeg"),
        ("video/ogg", ".ogv"),
        ("font/woff2", ".woff2"),
        ("text/csv", ".csv"),
        ("text/tab-separated-values", ".tsv"),
        ("text/markdown", ".md"),
        ("text/calendar", ".ics"),
        ("text/vcard", ".vcf"),
        ("text/rtf", ".rtf"),
        ("text/yaml", ".yaml"),
        ("application/wasm", ".wasm"),
        ("application/x-tar", ".tar"),
        ("application/x-7z-compressed", ".7z"),
        ("application/x-bzip2", ".bz2"),
        ("application/postscript", ".ps"),
        ("application/rtf", ".rtf"),
        ("application/rdf+xml", ".rdf"),
        ("message/rfc822", ".eml"),
    ] {
        let found = ext(Some(mimetype), None, "http://ex.com/a.gif");
        assert_eq!(found.as_deref(), Some(expected), "{mimetype}");
    }
}

#[test]
fn takes_the_extension_of_the_url_when_the_type_says_nothing() {
    for (mimetype, url, expected) in [
        (None, "http://ex.com/a.PDF", Some(".pdf")),
        (
            Some("application/octet-stream"),
            "http://ex.com/a.zip",
            Some(".zip"),
        ),
        (
            Some("binary/octet-stream"),
            "http://ex.com/a.jpeg",
            Some(".jpg"),
        ),
        (
            Some("application/force-download"),
            "http://ex.com/a.mp3?x",
            Some(".mp3"),
        ),
        (
            Some("application/x-unheard-of"),
            "http://ex.com/a.csv",
            Some(".csv"),
        ),
        (
            Some("application/octet-stream"),
            "http://ex.com/a",
            Some(".bin"),
        ),
        (Some("application/force-download"), "http://ex.com/a", None),
        (
            Some("application/octet-stream"),
            "http://ex.com/a.EXE",
            Some(".exe"),
        ),
        (
            Some("application/octet-stream"),
            "http://ex.com/a.tar.zst",
            Some(".zst"),
        ),
        (Some("text/html"), "http://ex.com/a.pdf", Some(".html")),
        (None, "http://ex.com/a.php", None),
        (None, "http://ex.com/a.unheard", None),
        (None, "http://ex.com", None),
    ] {
        assert_eq!(
            ext(mimetype, None, url).as_deref(),
            expected,
            "{mimetype:?} {url}"
        );
    }
}

#[test]
fn tells_text() {
    for text in [
        "text/html",
        "text/plain",
        "text/x-whatever",
        "application/json",
        "application/xml",
        "application/rss+xml",
        "application/ld+json",
        "image/svg+xml",
        "application/javascript",
        "application/x-javascript",
        "application/yaml",
        "application/x-ndjson",
        "application/sql",
    ] {
        assert!(is_text(Some(text), b"\0"), "{text}");
    }
    for binary in [
        "application/pdf",
        "image/png",
        "application/octet-stream",
        "application/zip",
        "font/woff",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "nonsense",
    ] {
        assert!(!is_text(Some(binary), b"x"), "{binary}");
    }
    assert!(is_text(None, b""));
    assert!(is_text(None, "été".as_bytes()));
    assert!(is_text(None, b"\xe9t\xe9\r\n\t\x0c"));
    assert!(is_text(None, b"\xff\xfea\0b\0"));
    assert!(is_text(None, b"a\0b\0c\0"));
    assert!(is_text(None, b"\x1b$B%F%9%H\x1b(B"));
    assert!(!is_text(None, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"));
    assert!(!is_text(None, b"\x1f\x8b\x08\0"));
}

#[test]
fn tells_html() {
    const XHTML: &[u8] = b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>";
    // The beginning does not matter.
    for start in [
        "",
        "x",
        "<b>Notice</b>: Undefined index in <b>/x.php</b>",
        "Notice: Undefined index",
        "<h5>",
        "<my-element>",
        "<?php echo 1 ?><p>",
        "\u{feff}\u{feff}<!doctype html>",
        "<svg>",
        "{}",
        "%PDF-1.7",
    ] {
        for kind in ["text/html", "application/xhtml+xml"] {
            let found = media(kind, "http://ex.com/a.txt", start.as_bytes());
            assert!(
                found.is_html && found.is_text && found.could_be_html,
                "{start}"
            );
        }
    }
    for (kind, could, page, xhtml, other) in [
        ("", true, true, true, false),
        ("unknown/unknown", true, true, true, false),
        ("text/plain", false, false, false, false),
        ("application/json", false, false, false, false),
        ("application/xml", false, true, true, false),
        ("text/xml", false, true, true, false),
        ("application/pdf", false, false, false, false),
        ("application/octet-stream", false, false, false, false),
    ] {
        let found = [PAGE, XHTML, b"x"].map(|body| media(kind, "", body).is_html);
        assert_eq!(found, [page, xhtml, other], "{kind}");
        assert_eq!(media(kind, "", b"x").could_be_html, could, "{kind}");
    }
    assert!(media("", "", "\u{feff}\u{feff}<p>".as_bytes()).is_html);
    let comment = format!("<?xml version='1.0'?><!-- {} --><rss/>", "x".repeat(3000));
    assert!(!media("", "", comment.as_bytes()).is_html);
    assert!(!media("application/xml", "", comment.as_bytes()).is_html);
}

#[test]
fn knows_the_start_of_a_page() {
    let white = format!("{}<html>", " \n".repeat(5000));
    let comment = format!("<!--{}", "x".repeat(5000));
    for html in [
        "<html>",
        "  \n<HTML lang=fr>",
        "\u{feff}<html>",
        "\u{feff} <!DOCTYPE html>",
        "<!doctype\nHTML PUBLIC>",
        "<head>",
        "<body>",
        "<div>x</div>",
        "<p>x",
        "<a href=x>",
        "<!-- c --><html>",
        "<!-- c -->x",
        "<!-- c --> <!-- d --><br/>",
        "<?xml version='1.0'?><html xmlns='x'>",
        "<?xml version='1.0'?>\n<!-- c --><!DOCTYPE html>",
        "<script>1</script>",
        "<title>x",
        "<table>",
        "<img src=x>",
        "<h1>",
        "<html",
        "<link>",
        &white,
        &comment,
    ] {
        assert!(Start::of(html.as_bytes()).is_html(), "{html}");
    }
    for other in [
        "",
        "<",
        "x",
        "hello <html> x",
        "<rss><html>",
        "<?xml version='1.0'?><rss>",
        "<!doctype svg>",
        "<svg>",
        "<feed>",
        "<foo>",
        "<htmlx>",
        "< html>",
        "</html>",
        "<ht",
        "{\"a\":\"<html>\"}",
        "<!-- c --><svg>",
        "<?xml",
        "<!doc",
        "%PDF-1.4",
        "<b:x>",
        "<?php echo 1",
    ] {
        assert!(!Start::of(other.as_bytes()).is_html(), "{other}");
    }
    let wide: Vec<_> = "<html>é"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(Start::of(&wide).is_html());
    assert!(Start::of(&[b"\xff\xfe", &wide[..]].concat()).is_html());
    assert!(Start::of(b"<html>\xe9").is_html());
}

const PIECES: &[&[u8]] = &[
    b"<",
    b"!doctype",
    b" ",
    b"html",
    b">",
    b"<!--",
    b"-->",
    b"<?xml",
    b"?>",
    b"/",
    b"\xe9",
    b"\0",
    b"\xc3",
    b"\xff\xfe",
    b"p",
];

proptest! {
    #[test]
    fn takes_anything(
        content_type in prop::option::of(any::<Vec<u8>>()),
        url in any::<String>(),
        body in any::<Vec<u8>>(),
        kind in prop::option::of(any::<Vec<u8>>()),
    ) {
        let head = head(content_type.as_deref(), kind.as_deref());
        let found = Media::of(&head, &url, &body);
        prop_assert!(found.is_text || !found.is_html);
    }

    #[test]
    fn takes_any_start(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..30)) {
        let body = pieces.concat();
        let found = media("", "", &body);
        prop_assert!(found.is_text || !found.is_html);
    }

    #[test]
    fn takes_any_url(url in "(http://)?[a./?#;:é]{0,20}(\\.(pdf|html|é))?[a./?#;é]{0,5}") {
        if let Some(ext) = ext(None, None, &url) {
            prop_assert!(ext.starts_with('.') && ext.len() > 1);
        }
        mimetype(None, None, &url, b"");
    }
}
