//! What kind of thing a body is: its media type, the fitting file extension, whether it is text or
//! HTML.

use std::str;

use serde_json::error::Category;

use super::encoding;
use super::mime::ContentType;
use super::tags::Syntax;

/// How much of a body shows whether it is HTML or text; the MIME Sniffing standard uses 1,445 bytes.
const START: usize = 2 << 10;

/// What the head of an answer says about its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub content_type: ContentType,
    /// The file name in `Content-Disposition`.
    pub filename: Option<String>,
    /// Whether the body is still in the coding that `Content-Encoding` names.
    pub coded: bool,
}

/// What kind of thing a body is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Media {
    /// The media type in lower case, without parameters.
    pub mimetype: Option<String>,
    /// The extension with its dot.
    pub ext: Option<String>,
    pub is_text: bool,
    pub could_be_html: bool,
    pub is_html: bool,
}

impl Media {
    pub fn of(head: &Head, url: &str, body: &[u8]) -> Self {
        let declared = head.content_type.essence.as_deref();
        let mimetype = mimetype(declared, head.filename.as_deref(), url, body);
        let known = mimetype.as_deref();
        let is_text = is_text(known, body) && !is_packed(head.coded, body);
        Self {
            ext: ext(known, head.filename.as_deref(), url),
            is_text,
            could_be_html: could_be_html(known),
            is_html: is_text && is_html(known, body),
            mimetype,
        }
    }
}

/// The media type of a body: the declared one. If it is missing, the first bytes decide, and then the
/// extension of its file name or URL.
pub(crate) fn mimetype(
    declared: Option<&str>,
    filename: Option<&str>,
    url: &str,
    body: &[u8],
) -> Option<String> {
    if let Some(declared) = declared {
        return Some(declared.to_owned());
    }
    if let Some(sniffed) = sniffed(body) {
        return Some(sniffed.to_owned());
    }
    let ext = filename.and_then(name_ext).or_else(|| url_ext(url))?;
    // A name is no proof: what is not text can't be of a text type.
    type_of(&ext).filter(|named| !is_text_type(named) || !is_binary(body))
}

/// The file extension that fits, with its dot: that of the file name, which the sender chose; or that
/// of the media type; or the URL's if that type says nothing definite.
fn ext(mimetype: Option<&str>, filename: Option<&str>, url: &str) -> Option<String> {
    let indefinite = |mimetype: &&str| {
        matches!(
            *mimetype,
            // Servers send this for what they do not know, or want to be saved.
            "application/octet-stream"
                | "binary/octet-stream"
                | "application/binary"
                | "application/download"
                | "application/x-download"
                | "application/force-download"
                | "application/x-unknown"
        )
    };
    let known = mimetype
        .filter(|mimetype| !indefinite(mimetype))
        .and_then(ext_of);
    // An unknown extension may be anything behind a dot.
    let heard_of = |ext: &String| type_of(ext).is_some();
    let from_name = filename.and_then(name_ext).filter(heard_of);
    let from_url = || url_ext(url).filter(heard_of);
    let unknown = || (mimetype == Some("application/octet-stream")).then(|| "bin".to_owned());
    from_name
        .or_else(|| known.map(str::to_owned))
        .or_else(from_url)
        .or_else(unknown)
        .map(|ext| format!(".{ext}"))
}

/// The usual extension of a media type.
fn ext_of(mimetype: &str) -> Option<&'static str> {
    match mimetype {
        // The table has these under another name, or with a rare extension.
        "application/ogg" => Some("ogg"),
        "application/vnd.ms-fontobject" => Some("eot"),
        "application/x-rar-compressed" => Some("rar"),
        "audio/aiff" => Some("aiff"),
        "audio/midi" => Some("mid"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        "audio/wave" => Some("wav"),
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
        "font/collection" => Some("ttc"),
        "image/bmp" => Some("bmp"),
        "image/tiff" => Some("tiff"),
        "application/postscript" => Some("ps"),
        "application/x-compressed" => Some("tgz"),
        "text/vcard" => Some("vcf"),
        "text/x-python" => Some("py"),
        "video/avi" => Some("avi"),
        "video/quicktime" => Some("mov"),
        "image/x-icon" | "image/vnd.microsoft.icon" => Some("ico"),
        _ => mime2ext::mime2ext(mimetype),
    }
}

/// The media type for an extension in lower case.
fn type_of(ext: &str) -> Option<String> {
    let known = match ext {
        // The table lacks these, or has them under an outdated name.
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

/// Whether that media type is text, for people or programs, for which an encoding makes sense. Without
/// a media type the bytes decide.
fn is_text(mimetype: Option<&str>, body: &[u8]) -> bool {
    match mimetype {
        Some(mimetype) => is_text_type(mimetype),
        None => !is_binary(body),
    }
}

/// Whether the bytes are in a coding that nobody undid: gzip and zstd have a mark, and the head tells
/// of the others. Text that a head wrongly calls coded is text.
fn is_packed(coded: bool, body: &[u8]) -> bool {
    body.starts_with(b"\x1f\x8b\x08")
        || body.starts_with(b"\x28\xb5\x2f\xfd")
        || coded && is_binary(body)
}

/// Whether the media type allows for an HTML page.
pub(crate) fn could_be_html(mimetype: Option<&str>) -> bool {
    matches!(mimetype, None | Some("text/html" | "application/xhtml+xml"))
}

/// Whether it is an HTML page: by its media type, however it begins. For another XML type the root of
/// the document decides. A body without a type that starts like a page has a type here: see `mimetype`.
pub(crate) fn is_html(mimetype: Option<&str>, body: &[u8]) -> bool {
    match mimetype {
        Some("text/html" | "application/xhtml+xml") => true,
        Some(other) => is_xml(other) && Start::of(body).root.as_deref() == Some("html"),
        None => false,
    }
}

/// The rules for reading documents of that type.
pub(crate) fn syntax(mimetype: Option<&str>) -> Syntax {
    match mimetype.is_some_and(is_xml) {
        true => Syntax::Xml,
        false => Syntax::Html,
    }
}

/// An XML MIME type of the MIME Sniffing standard, section 4.6.
fn is_xml(mimetype: &str) -> bool {
    matches!(mimetype, "text/xml" | "application/xml") || mimetype.ends_with("+xml")
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

/// The extension in the last segment of a URL's path.
fn url_ext(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next()?;
    let (_, path) = path.split_once('/')?;
    let name = path.rsplit('/').next()?;
    name_ext(name.split(';').next()?)
}

/// The extension of a file's name, in lower case and without its dot; for synonyms the usual one.
fn name_ext(name: &str) -> Option<String> {
    let (stem, ext) = name.trim_end_matches(['.', ' ']).rsplit_once('.')?;
    if stem.is_empty() || ext.is_empty() {
        return None;
    }
    let ext = ext.to_ascii_lowercase();
    match ext.as_str() {
        "htm" | "shtml" => Some("html".into()),
        "jpeg" | "jpe" => Some("jpg".into()),
        "tif" => Some("tiff".into()),
        // Extensions of programs on the server say nothing about their answers.
        "asp" | "aspx" | "ashx" | "cfm" | "cgi" | "do" | "jsp" | "jspx" | "php" | "php3"
        | "php4" | "php5" | "phtml" | "pl" => None,
        _ => Some(ext),
    }
}

/// The media type that the first bytes of a body show, by the MIME Sniffing standard, section 7.1.
/// Fonts, which it sniffs elsewhere (section 6.3), and JSON are added. `None`: they show none. "Text"
/// and "not text" are not types here.
fn sniffed(body: &[u8]) -> Option<&'static str> {
    let start = Start::of(body);
    if start.is_html() {
        return Some(match start.declares_xml {
            // The standard calls it XML; its root tells the kind.
            true => "application/xhtml+xml",
            false => "text/html",
        });
    }
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = text.trim_ascii_start();
    match text {
        _ if text.starts_with(b"<?xml") => return Some("text/xml"),
        _ if text.starts_with(b"%PDF-") => return Some("application/pdf"),
        _ if body.starts_with(b"%!PS-Adobe-") => return Some("application/postscript"),
        [b'{' | b'[', ..] if is_json(text) => return Some("application/json"),
        _ => {}
    }
    let marked = |(mark, kind): &(&[u8], &'static str)| {
        // Text may start like that too. It has no binary bytes, which files soon have.
        let is_text = || mark.is_ascii() && !mark.contains(&0) && body.len() > 16;
        (body.starts_with(mark) && (is_binary(body) || !is_text())).then_some(*kind)
    };
    // `RIFF` and `FORM` are followed by a size, which may be anything.
    let boxed = |outer: &[u8], inner: &[u8]| {
        body.starts_with(outer) && body.get(8..).is_some_and(|rest| rest.starts_with(inner))
    };
    MARKS.iter().find_map(marked).or_else(|| match () {
        () if boxed(b"RIFF", b"WEBPVP") => Some("image/webp"),
        () if boxed(b"FORM", b"AIFF") => Some("audio/aiff"),
        () if boxed(b"RIFF", b"AVI ") => Some("video/avi"),
        () if boxed(b"RIFF", b"WAVE") => Some("audio/wave"),
        () if is_mp4(body) => Some("video/mp4"),
        () if is_webm(body) => Some("video/webm"),
        () if is_mp3(body) => Some("audio/mpeg"),
        () if body.get(34..36) == Some(b"LP") && is_binary(body) => {
            Some("application/vnd.ms-fontobject")
        }
        () => None,
    })
}

/// How files start, and their type.
const MARKS: [(&[u8], &str); 19] = [
    (b"\0\0\x01\0", "image/x-icon"),
    (b"\0\0\x02\0", "image/x-icon"),
    (b"BM", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\0", "application/ogg"),
    (b"MThd\0\0\0\x06", "audio/midi"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07\0", "application/x-rar-compressed"),
    (b"\0\x01\0\0", "font/ttf"),
    (b"OTTO", "font/otf"),
    (b"ttcf", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    // This is not in the standard: servers now pack pages in it.
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
];

/// Whether text is JSON, as far as its start shows.
fn is_json(text: &[u8]) -> bool {
    let start = &text[..text.len().min(START)];
    match serde_json::from_slice::<serde_json::Value>(start) {
        Ok(_) => start.len() == text.len() || text[start.len()..].trim_ascii().is_empty(),
        // The JSON continues behind the part examined.
        Err(error) => error.classify() == Category::Eof && start.len() < text.len(),
    }
}

/// The MIME Sniffing standard's "signature for MP4", section 6.2.1.
fn is_mp4(body: &[u8]) -> bool {
    let Some((size, rest)) = body.split_first_chunk::<4>() else {
        return false;
    };
    let size = u32::from_be_bytes(*size) as usize;
    let Some(head) = body
        .get(..size)
        .filter(|_| size.is_multiple_of(4) && size >= 12)
    else {
        return false;
    };
    let brand = |at: usize| head.get(at..at + 3) == Some(b"mp4");
    // A version lies between the first brand and the others.
    rest.starts_with(b"ftyp") && (brand(8) || (16..head.len()).step_by(4).any(brand))
}

/// The MIME Sniffing standard's "signature for WebM", section 6.2.2.
fn is_webm(body: &[u8]) -> bool {
    body.starts_with(b"\x1a\x45\xdf\xa3")
        && (4..38).any(|at| {
            let Some(rest) = body
                .get(at..)
                .and_then(|rest| rest.strip_prefix(b"\x42\x82"))
            else {
                return false;
            };
            // The number has as many bytes as its first byte has leading zeros, and one more.
            let size = rest
                .first()
                .map_or(0, |first| first.leading_zeros() as usize + 1);
            let name = rest.get(size.min(8)..).unwrap_or_default();
            let padding = name
                .iter()
                .position(|&byte| byte != 0)
                .unwrap_or(name.len());
            name[padding..].starts_with(b"webm")
        })
}

/// The MIME Sniffing standard's "signature for MP3 without ID3", section 6.2.3: two frames in a row.
fn is_mp3(body: &[u8]) -> bool {
    const RATES: [usize; 15] = [
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
    ];
    const LOW_RATES: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const SAMPLES: [usize; 3] = [44_100, 48_000, 32_000];
    let size = |body: &[u8]| {
        let [0xff, second, third, _, ..] = *body else {
            return None;
        };
        // Layer III is marked by two bits that count backwards.
        if second & 0xe0 != 0xe0 || second >> 1 & 3 != 1 {
            return None;
        }
        let version = second >> 3 & 3;
        let rates = if version & 1 == 1 { RATES } else { LOW_RATES };
        let rate = rates.get(usize::from(third >> 4))? * 1000;
        let samples = SAMPLES.get(usize::from(third >> 2 & 3))?;
        let scale = if version == 1 { 72 } else { 144 };
        Some(rate * scale / samples + usize::from(third >> 1 & 1))
    };
    size(body)
        .filter(|&size| size >= 4)
        .and_then(|first| size(body.get(first..)?))
        .is_some()
}

/// Whether bytes can't be text: the start has some of the "binary data bytes" of the MIME Sniffing
/// standard. UTF-16 has these too, and ISO-2022-JP its escapes.
fn is_binary(body: &[u8]) -> bool {
    let start = &body[..body.len().min(START)];
    let binary = |text: &[u8]| {
        text.iter()
            .any(|byte| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f))
    };
    binary(start) && binary(text_of(start).as_bytes())
}

/// How a body starts, for a reader of markup.
#[derive(Default)]
struct Start {
    /// It has an XML declaration.
    declares_xml: bool,
    /// A comment precedes everything else.
    comment: bool,
    /// Apart from these, it starts with a tag of that name, in lower case, or with a doctype for that
    /// root.
    root: Option<String>,
}

impl Start {
    fn of(body: &[u8]) -> Self {
        let white = |byte: &u8| !byte.is_ascii_whitespace();
        let start = &body[body.iter().position(white).unwrap_or(body.len())..];
        let text = text_of(&start[..start.len().min(START)]);
        let mut rest = text.trim_start_matches(is_blank);
        let mut found = Self {
            declares_xml: rest.starts_with("<?xml"),
            ..Self::default()
        };
        loop {
            let end = match rest {
                _ if rest.starts_with("<?xml") => "?>",
                _ if rest.starts_with("<!--") => {
                    found.comment = true;
                    "-->"
                }
                _ => break,
            };
            let Some((_, after)) = rest.split_once(end) else {
                return found;
            };
            rest = after.trim_start_matches(is_blank);
        }
        let Some(tag) = rest.strip_prefix('<') else {
            return found;
        };
        let end = tag
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
            .unwrap_or(tag.len());
        let (name, after) = tag.split_at(end);
        let name = match name.eq_ignore_ascii_case("!doctype") {
            true => after.trim_start().get(..4).unwrap_or_default(),
            false => name,
        };
        found.root = Some(name.to_ascii_lowercase());
        found
    }

    /// Whether a page starts like this: by the patterns of the MIME Sniffing standard, and by more tags
    /// that fragments of pages start with.
    fn is_html(&self) -> bool {
        match self.root.as_deref() {
            Some(root) if self.declares_xml => root == "html",
            Some(root) => TAGS.contains(&root),
            // Browsers and the standard treat text behind a comment as HTML; other XML documents have
            // comments too.
            None => self.comment && !self.declares_xml,
        }
    }
}

/// The text of bytes about which nothing is known.
fn text_of(start: &[u8]) -> String {
    encoding::decode_start(encoding::detect_start(None, start), start)
}

/// White space and byte order marks, of which some pages have several.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
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
}
