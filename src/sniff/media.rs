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
mod tests;
