//! What kind of thing a body is: its media type, the file extension that fits, whether it is text
//! or HTML.

use std::str;

use super::encoding;

/// How much of a body shows whether it is HTML or text; the MIME Sniffing standard takes 1,445
/// bytes.
const START: usize = 2 << 10;

/// The media type of a body: the `Content-Type`'s without its parameters, in lower case; when there
/// is none that is well-formed (RFC 9110, section 8.3.1), what the body looks like, or what the
/// extension in the URL says.
pub(crate) fn mimetype(content_type: Option<&[u8]>, url: &str, body: &[u8]) -> Option<String> {
    if let Some(essence) = content_type.and_then(essence) {
        return Some(essence);
    }
    if looks_like_html(body) {
        return Some("text/html".into());
    }
    type_of(&url_ext(url)?)
}

/// The file extension that fits, with its dot: that of the media type, or the URL's when the media
/// type says nothing definite.
pub(crate) fn ext(mimetype: Option<&str>, url: &str) -> Option<String> {
    let indefinite = |mimetype: &&str| {
        matches!(
            *mimetype,
            // What servers send for what they do not know, or want to be saved.
            "application/octet-stream"
                | "binary/octet-stream"
                | "application/binary"
                | "application/download"
                | "application/x-download"
                | "application/force-download"
                | "application/unknown"
                | "application/x-unknown"
                | "unknown/unknown"
        )
    };
    let known = mimetype
        .filter(|mimetype| !indefinite(mimetype))
        .and_then(ext_of);
    // An unheard-of one may be anything behind a dot.
    let from_url = || url_ext(url).filter(|ext| type_of(ext).is_some());
    let unknown = || (mimetype == Some("application/octet-stream")).then(|| "bin".to_owned());
    known
        .map(str::to_owned)
        .or_else(from_url)
        .or_else(unknown)
        .map(|ext| format!(".{ext}"))
}

/// The usual extension of a media type.
fn ext_of(mimetype: &str) -> Option<&'static str> {
    match mimetype {
        // Those that the table has under another name, or for which it has one that few use.
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        "audio/aac" => Some("aac"),
        "audio/flac" | "audio/x-flac" => Some("flac"),
        "application/x-mobipocket-ebook" => Some("mobi"),
        "audio/mp4" => Some("m4a"),
        "audio/ogg" => Some("ogg"),
        "application/x-gzip" => Some("gz"),
        "application/x-yaml" | "application/yaml" => Some("yaml"),
        "application/x-javascript" => Some("js"),
        "application/font-woff" => Some("woff"),
        "application/csv" => Some("csv"),
        "application/x-ndjson" | "application/jsonlines" => Some("jsonl"),
        "application/x-zip-compressed" => Some("zip"),
        "application/vnd.api+json" => Some("json"),
        "image/jpg" | "image/pjpeg" | "image/jpeg" => Some("jpg"),
        "image/tiff" => Some("tiff"),
        "application/postscript" => Some("ps"),
        "application/x-compressed" => Some("tgz"),
        "text/vcard" => Some("vcf"),
        "text/x-python" => Some("py"),
        "video/quicktime" => Some("mov"),
        "image/x-icon" | "image/vnd.microsoft.icon" => Some("ico"),
        _ => mime2ext::mime2ext(mimetype),
    }
}

/// The media type that an extension in lower case stands for.
fn type_of(ext: &str) -> Option<String> {
    let known = match ext {
        // Those that the table lacks, or has by a name of long ago.
        "flac" => "audio/flac",
        "mjs" => "text/javascript",
        "rpm" => "application/x-rpm",
        "tgz" => "application/gzip",
        "vcf" => "text/vcard",
        "woff" => "font/woff",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "zst" => "application/zstd",
        _ => {
            let guess = mime_guess::from_ext(ext).first()?;
            return Some(guess.essence_str().to_ascii_lowercase());
        }
    };
    Some(known.to_owned())
}

/// Whether that media type is text, for people or programs, so that an encoding makes sense of it.
/// What has no media type is text when its bytes are.
pub(crate) fn is_text(mimetype: Option<&str>, body: &[u8]) -> bool {
    match mimetype {
        Some(mimetype) => is_text_type(mimetype),
        None => !is_binary(&body[..body.len().min(START)]),
    }
}

/// Whether the media type allows for a page of HTML.
pub(crate) fn could_be_html(mimetype: Option<&str>) -> bool {
    matches!(mimetype, None | Some("text/html" | "application/xhtml+xml"))
}

/// Whether it is a page of HTML: its media type allows for it, or is another one of text, and the
/// body looks like it. Servers do send pages as `text/plain` or `application/xml`.
pub(crate) fn is_html(mimetype: Option<&str>, body: &[u8]) -> bool {
    (could_be_html(mimetype) || mimetype.is_some_and(is_text_type)) && looks_like_html(body)
}

fn is_text_type(mimetype: &str) -> bool {
    let Some((kind, subtype)) = mimetype.split_once('/') else {
        return false;
    };
    let subtype = subtype.strip_prefix("x-").unwrap_or(subtype);
    // The structured syntaxes of RFC 6839 that are text.
    let suffix = subtype.rsplit_once('+').map(|(_, suffix)| suffix);
    kind == "text"
        || matches!(suffix, Some("xml" | "json" | "yaml"))
        || kind == "application"
            && matches!(
                subtype,
                "csv"
                    | "ecmascript"
                    | "graphql"
                    | "javascript"
                    | "json"
                    | "json5"
                    | "jsonlines"
                    | "ndjson"
                    | "httpd-php"
                    | "n-quads"
                    | "n-triples"
                    | "rtf"
                    | "sh"
                    | "sparql-query"
                    | "sql"
                    | "tex"
                    | "text"
                    | "toml"
                    | "trig"
                    | "typescript"
                    | "www-form-urlencoded"
                    | "xml"
                    | "xml-dtd"
                    | "yaml"
            )
        || matches!(
            mimetype,
            "application/vnd.apple.mpegurl" | "application/x-mpegurl"
        )
}

/// A `type/subtype` in lower case. Of several values, which is what a repeated header becomes, the
/// first counts.
fn essence(content_type: &[u8]) -> Option<String> {
    let is_token = |part: &str| {
        let symbol = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || symbol(byte))
    };
    let end = content_type
        .iter()
        .position(|byte| matches!(byte, b';' | b','))
        .unwrap_or(content_type.len());
    let essence = str::from_utf8(content_type[..end].trim_ascii()).ok()?;
    let (kind, subtype) = essence.split_once('/')?;
    // `*/*` is what a client accepts, and no media type.
    (is_token(kind) && is_token(subtype) && !essence.contains('*'))
        .then(|| essence.to_ascii_lowercase())
}

/// The extension in the last segment of a URL's path, in lower case and without its dot; of those
/// that stand for the same, the usual one.
fn url_ext(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next()?;
    let (_, path) = path.split_once('/')?;
    let name = path.rsplit('/').next()?;
    let name = name.split(';').next()?;
    let (stem, ext) = name.rsplit_once('.')?;
    if stem.is_empty() || ext.is_empty() {
        return None;
    }
    let ext = ext.to_ascii_lowercase();
    match ext.as_str() {
        "htm" | "shtml" => Some("html".into()),
        "jpeg" | "jpe" => Some("jpg".into()),
        "tif" => Some("tiff".into()),
        // Those of programs on the server say nothing of what they answer.
        "asp" | "aspx" | "ashx" | "cfm" | "cgi" | "do" | "jsp" | "jspx" | "php" | "php3"
        | "php4" | "php5" | "phtml" | "pl" => None,
        _ => Some(ext),
    }
}

/// Whether bytes are those of no text: the "binary data bytes" of the MIME Sniffing standard.
/// UTF-16 has them too, and ISO-2022-JP its escapes.
fn is_binary(start: &[u8]) -> bool {
    let binary = |text: &[u8]| {
        text.iter()
            .any(|byte| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f))
    };
    binary(start) && binary(encoding::decode_start(None, start).as_bytes())
}

/// Whether a body starts as a page does: the patterns of the MIME Sniffing standard, and more tags
/// that fragments of pages start with.
fn looks_like_html(body: &[u8]) -> bool {
    let white = |byte: &u8| !byte.is_ascii_whitespace();
    let start = &body[body.iter().position(white).unwrap_or(body.len())..];
    let text = encoding::decode_start(None, &start[..start.len().min(START)]);
    let mut rest = text.trim_start();
    let mut comment = false;
    loop {
        // Before a page may come its XML declaration, and comments.
        let end = match rest {
            _ if rest.starts_with("<?xml") => "?>",
            _ if rest.starts_with("<!--") => {
                comment = true;
                "-->"
            }
            _ => break,
        };
        let Some((_, after)) = rest.split_once(end) else {
            return comment;
        };
        rest = after.trim_start();
    }
    if let Some(tag) = rest.strip_prefix('<') {
        let end = tag
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
            .unwrap_or(tag.len());
        let (name, after) = tag.split_at(end);
        return match name.to_ascii_lowercase().as_str() {
            "!doctype" => {
                let root = after.trim_start();
                root.get(..4)
                    .is_some_and(|root| root.eq_ignore_ascii_case("html"))
            }
            name => TAGS.contains(&name),
        };
    }
    // Browsers take text behind a comment for HTML, and so does the standard.
    comment
}

/// The tags a page starts with.
const TAGS: [&str; 42] = [
    "html",
    "head",
    "body",
    "title",
    "meta",
    "link",
    "base",
    "script",
    "style",
    "noscript",
    "iframe",
    "h1",
    "h2",
    "h3",
    "h4",
    "div",
    "span",
    "font",
    "table",
    "a",
    "b",
    "p",
    "br",
    "i",
    "img",
    "ul",
    "ol",
    "form",
    "center",
    "section",
    "article",
    "main",
    "header",
    "nav",
    "strong",
    "em",
    "hr",
    "pre",
    "frameset",
    "template",
    "input",
    "blockquote",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &[u8] = b"<!DOCTYPE html><title>x</title>";

    fn mimetype_of(content_type: &str, url: &str) -> Option<String> {
        mimetype(Some(content_type.as_bytes()), url, b"x")
    }

    #[test]
    fn takes_the_type_of_the_header() {
        for (content_type, expected) in [
            ("text/html", "text/html"),
            ("Text/HTML; charset=utf-8", "text/html"),
            ("  text/html ;", "text/html"),
            ("text/html, text/plain", "text/html"),
            ("application/vnd.api+json", "application/vnd.api+json"),
            ("x/y!#$&^_.+-", "x/y!#$&^_.+-"),
        ] {
            let found = mimetype_of(content_type, "http://ex.com/a.pdf");
            assert_eq!(found.as_deref(), Some(expected), "{content_type}");
        }
        for malformed in [
            "",
            ";",
            "text",
            "text/",
            "/html",
            "text/html/x",
            "text / html",
            "\"text/html\"",
            "*/*",
            "text/ht ml",
            "text/hé",
            "charset=utf-8",
        ] {
            let found = mimetype_of(malformed, "http://ex.com/a.pdf");
            assert_eq!(found.as_deref(), Some("application/pdf"), "{malformed}");
            assert_eq!(
                mimetype_of(malformed, "http://ex.com/a"),
                None,
                "{malformed}"
            );
        }
        assert_eq!(mimetype(Some(b"text/\xff"), "", b""), None);
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
            assert_eq!(mimetype(None, url, b"x").as_deref(), expected, "{url}");
        }
        let found = mimetype(None, "http://ex.com/a.pdf", PAGE);
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
            let found = ext(Some(mimetype), "http://ex.com/a.gif");
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
                ext(mimetype, url).as_deref(),
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
        for (mimetype, could, is) in [
            (None, true, true),
            (Some("text/html"), true, true),
            (Some("application/xhtml+xml"), true, true),
            (Some("text/plain"), false, true),
            (Some("application/xml"), false, true),
            (Some("application/pdf"), false, false),
            (Some("application/octet-stream"), false, false),
        ] {
            assert_eq!(could_be_html(mimetype), could, "{mimetype:?}");
            assert_eq!(is_html(mimetype, PAGE), is, "{mimetype:?}");
            assert!(!is_html(mimetype, b"x"), "{mimetype:?}");
        }
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
            assert!(looks_like_html(html.as_bytes()), "{html}");
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
            assert!(!looks_like_html(other.as_bytes()), "{other}");
        }
        let wide: Vec<_> = "<html>é"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(looks_like_html(&wide));
        assert!(looks_like_html(&[b"\xff\xfe", &wide[..]].concat()));
        assert!(looks_like_html(b"<html>\xe9"));
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
            kind in prop::option::of(any::<String>()),
        ) {
            let found = mimetype(content_type.as_deref(), &url, &body);
            for kind in [found.as_deref(), kind.as_deref()] {
                ext(kind, &url);
                could_be_html(kind);
                is_text(kind, &body);
                is_html(kind, &body);
            }
        }

        #[test]
        fn takes_any_start(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..30)) {
            let body = pieces.concat();
            is_html(None, &body);
            is_text(None, &body);
        }

        #[test]
        fn takes_any_url(url in "(http://)?[a./?#;:é]{0,20}(\\.(pdf|html|é))?[a./?#;é]{0,5}") {
            if let Some(ext) = ext(None, &url) {
                prop_assert!(ext.starts_with('.') && ext.len() > 1);
            }
            mimetype(None, &url, b"");
        }
    }
}
