//! The encoding of a body, and its text.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    CoderResult, DecoderResult, Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252,
    X_USER_DEFINED,
};

/// How much of a body is searched for a declaration. The HTML standard asks for 1 KiB. Some pages
/// declare it later and still work in browsers, which parse on and start again.
const PRESCAN: usize = 64 << 10;
/// How much is read to see where the NUL bytes are.
const NULS: usize = 4 << 10;
/// How many characters of an East Asian encoding may happen to be UTF-8 too without proving anything:
/// for one of them the chance is one in ten.
const ACCIDENT: usize = 4;
/// How many non-ASCII bytes are used for detection; more do not change the guess.
const DETECT: usize = 1 << 20;

/// The encoding with that WHATWG label. `None` also for the labels of `replacement`, which stand for
/// encodings that nobody should decode.
pub(crate) fn for_label(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label.as_bytes())
}

/// The WHATWG name in lower case, as in JavaScript's `TextDecoder.encoding`.
pub(crate) fn name(encoding: &'static Encoding) -> &'static str {
    match encoding.name() {
        "UTF-8" => "utf-8",
        "UTF-16BE" => "utf-16be",
        "UTF-16LE" => "utf-16le",
        "IBM866" => "ibm866",
        "ISO-8859-2" => "iso-8859-2",
        "ISO-8859-3" => "iso-8859-3",
        "ISO-8859-4" => "iso-8859-4",
        "ISO-8859-5" => "iso-8859-5",
        "ISO-8859-6" => "iso-8859-6",
        "ISO-8859-7" => "iso-8859-7",
        "ISO-8859-8" => "iso-8859-8",
        "ISO-8859-8-I" => "iso-8859-8-i",
        "ISO-8859-10" => "iso-8859-10",
        "ISO-8859-13" => "iso-8859-13",
        "ISO-8859-14" => "iso-8859-14",
        "ISO-8859-15" => "iso-8859-15",
        "ISO-8859-16" => "iso-8859-16",
        "KOI8-R" => "koi8-r",
        "KOI8-U" => "koi8-u",
        "GBK" => "gbk",
        "Big5" => "big5",
        "EUC-JP" => "euc-jp",
        "ISO-2022-JP" => "iso-2022-jp",
        "Shift_JIS" => "shift_jis",
        "EUC-KR" => "euc-kr",
        // The other names are in lower case already: windows-1252, gb18030, macintosh, …
        lower => lower,
    }
}

/// The encoding of a whole body: what its bytes show, then what is declared, then a guess. `header`:
/// the declaration of the `Content-Type`. `tld`: the top-level domain of its source, which helps to
/// tell one legacy encoding from another.
pub(crate) fn detect(
    header: Option<&'static Encoding>,
    body: &[u8],
    tld: Option<&str>,
) -> &'static Encoding {
    let utf8 = Utf8::of(body);
    known(header, body, &utf8).unwrap_or_else(|| guess(body, &utf8, tld))
}

/// The text of a body, as the Encoding Standard decodes it: without the encoding's own byte order mark,
/// with U+FFFD for malformed parts, and with that many bytes of room behind it. `None`: no memory is
/// left for it.
pub(crate) fn decode(encoding: &'static Encoding, body: &[u8], spare: usize) -> Option<String> {
    // Most text is as long as its bytes. The decoder says when that was too little.
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut text = String::new();
    text.try_reserve_exact(body.len().checked_add(spare)?)
        .ok()?;
    let mut rest = body;
    loop {
        let (result, read, _) = decoder.decode_to_string(rest, &mut text, true);
        rest = &rest[read..];
        if result == CoderResult::InputEmpty {
            text.try_reserve_exact(spare).ok()?;
            return Some(text);
        }
        // The room is for at least one character, and at most for what is left.
        let more = decoder.max_utf8_buffer_length(rest.len())?;
        text.try_reserve_exact(more.min(rest.len() / 2 + 64)).ok()?;
    }
}

/// The encoding of the start of a page. It is too short for a guess: without a declaration it is UTF-8
/// or windows-1252.
pub(crate) fn detect_start(header: Option<&'static Encoding>, bytes: &[u8]) -> &'static Encoding {
    let utf8 = Utf8::of(bytes);
    known(header, bytes, &utf8).unwrap_or(match utf8.is_likely() {
        true => UTF_8,
        false => WINDOWS_1252,
    })
}

/// The text of the start of a page, without a character that is cut off at the end.
pub(crate) fn decode_start(encoding: &'static Encoding, bytes: &[u8]) -> String {
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let room = decoder.max_utf8_buffer_length(bytes.len());
    let mut text = String::with_capacity(room.unwrap_or_default());
    // The room suffices for everything; `false` keeps back what is cut off.
    let _ = decoder.decode_to_string(bytes, &mut text, false);
    text
}

/// The encoding, if no guess is needed.
fn known(header: Option<&'static Encoding>, body: &[u8], utf8: &Utf8) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return Some(encoding);
    }
    shown(body).or_else(|| declared(header, body, utf8))
}

/// What the bytes show against any declaration. Text has no NUL and no escape of its own: these are no
/// accident, and a declaration that makes them characters is wrong. This also decides the byte order
/// when a header says only `utf-16`.
fn shown(body: &[u8]) -> Option<&'static Encoding> {
    utf16(body).or_else(|| iso_2022_jp(body))
}

/// UTF-16 without a byte order mark, recognised by which half of its units is NUL.
fn utf16(body: &[u8]) -> Option<&'static Encoding> {
    let (units, _) = body[..body.len().min(NULS)].as_chunks::<2>();
    let (mut little, mut big) = (0, 0);
    for unit in units {
        match unit {
            // No text has U+0000, but much that is not text does.
            [0, 0] => return None,
            [_, 0] => little += 1,
            [0, _] => big += 1,
            _ => {}
        }
    }
    // U+3000, the wide space, looks like the other byte order, but markup and digits outnumber it. One
    // stray NUL in a page of another encoding is not enough.
    let enough =
        |more: usize, less: usize| more >= 2 && more > 16 * less && more >= units.len() / 32;
    match enough(little, big) {
        true => Some(UTF_16LE),
        false => enough(big, little).then_some(UTF_16BE),
    }
}

/// ISO-2022-JP: ASCII with escapes, all of which must be its own. A terminal's escapes are not.
fn iso_2022_jp(body: &[u8]) -> Option<&'static Encoding> {
    if !body.contains(&0x1b) || !body.is_ascii() {
        return None;
    }
    // A character that the end cuts off is not a mistake.
    is_sound(ISO_2022_JP, body, false).then_some(ISO_2022_JP)
}

/// Whether bytes have no mistake in an encoding. `last`: nothing follows them, so that a character that
/// they cut off is one.
fn is_sound(encoding: &'static Encoding, mut bytes: &[u8], last: bool) -> bool {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    // The text itself does not matter, and takes several times the memory of the bytes.
    let mut room = [0; 4096];
    loop {
        let (result, read, _) = decoder.decode_to_utf8_without_replacement(bytes, &mut room, last);
        bytes = &bytes[read..];
        if result != DecoderResult::OutputFull {
            return result == DecoderResult::InputEmpty;
        }
    }
}

/// What header and body declare, unless the bytes show it to be wrong.
fn declared(
    header: Option<&'static Encoding>,
    body: &[u8],
    utf8: &Utf8,
) -> Option<&'static Encoding> {
    let prescanned = || prescan(&body[..body.len().min(PRESCAN)]);
    // Another encoding is declared, often by a server's default, but the whole body is UTF-8. Legacy
    // text is not UTF-8 by accident, unless it is a word or two of a two-byte encoding. If all is
    // ASCII, both are right, and the declaration stays.
    if utf8.well_formed > 0 && utf8.malformed == 0 {
        let short = utf8.well_formed < ACCIDENT;
        let declared = || header.or_else(prescanned).filter(|it| !it.is_single_byte());
        return Some(match short {
            true => declared().unwrap_or(UTF_8),
            false => UTF_8,
        });
    }
    let right = |&encoding: &&'static Encoding| match encoding {
        // UTF-8 is declared, but most non-ASCII parts are malformed: the next declaration counts. Some
        // malformed sequences among good ones occur in real UTF-8 pages.
        _ if encoding == UTF_8 => utf8.malformed <= utf8.well_formed,
        // UTF-16 is declared, but the body has no markup, space or line break in it: `shown` did not
        // find it, and the body is ASCII without a single NUL.
        _ if encoding == UTF_16LE || encoding == UTF_16BE => {
            utf8.malformed > 0 || body.contains(&0)
        }
        _ => true,
    };
    let header = header.filter(right);
    let page = prescanned().filter(right);
    match (header, page) {
        // Servers were set up to say ISO-8859-1 of every page; the author knows better. So does the
        // author of a page that is malformed in the header's encoding, and not in its own.
        (Some(header), Some(page))
            if header == WINDOWS_1252
                || is_malformed(header, body) && !is_malformed(page, body) =>
        {
            Some(page)
        }
        _ => header.or(page),
    }
}

fn is_malformed(encoding: &'static Encoding, body: &[u8]) -> bool {
    let start = &body[..body.len().min(DETECT)];
    // A character that only our own cut splits is not malformed.
    !is_sound(encoding, start, start.len() == body.len())
}

/// The probable encoding of a body without declaration, or with only wrong ones.
fn guess(body: &[u8], utf8: &Utf8, tld: Option<&str>) -> &'static Encoding {
    // The detector takes a single malformed sequence as proof against UTF-8. One non-ASCII byte at the
    // very end is more probably a letter than half of one.
    let is_utf8 = match utf8.well_formed {
        0 => body.is_ascii(),
        _ => utf8.is_likely(),
    };
    if is_utf8 {
        return UTF_8;
    }
    // The byte before decides what a letter's neighbour is.
    let start = Encoding::ascii_valid_up_to(body).saturating_sub(1);
    let rest = &body[start..];
    let sample = &rest[..rest.len().min(DETECT)];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, sample.len() == rest.len());
    // The detector panics on any other domain name.
    let tld = tld
        .filter(|tld| tld.is_ascii() && !tld.contains('.'))
        .map(str::to_ascii_lowercase);
    detector.guess(tld.as_deref().map(str::as_bytes), Utf8Detection::Deny)
}

/// How far a body is UTF-8, beyond its ASCII.
struct Utf8 {
    /// The number of characters beyond ASCII.
    well_formed: usize,
    malformed: usize,
}

impl Utf8 {
    fn of(body: &[u8]) -> Self {
        let mut counts = Self {
            well_formed: 0,
            malformed: 0,
        };
        let ascii = Encoding::ascii_valid_up_to(body);
        for chunk in body[ascii..].utf8_chunks() {
            // Every character beyond ASCII has one byte that starts it.
            let starts = |&&byte: &&u8| byte >= 0xc0;
            counts.well_formed += chunk.valid().as_bytes().iter().filter(starts).count();
            // A sequence that only the end of the body cuts off is not malformed.
            let invalid = chunk.invalid();
            let at_end = invalid.as_ptr_range().end == body.as_ptr_range().end;
            let cut_off = std::str::from_utf8(invalid)
                .is_err_and(|error| at_end && error.error_len().is_none());
            counts.malformed += usize::from(!invalid.is_empty() && !cut_off);
        }
        counts
    }

    /// Whether it is UTF-8 when nothing says so. Legacy text has some well-formed sequences by
    /// accident, and a UTF-8 page may have a broken one, but neither has many.
    fn is_likely(&self) -> bool {
        self.malformed * 8 <= self.well_formed
    }
}

/// The encoding that the `content` of a `<meta>` declares: the HTML standard's "algorithm for
/// extracting a character encoding from a meta element". Unknown labels are passed over.
pub(super) fn charset(content_type: &[u8]) -> Option<&'static Encoding> {
    const NAME: &[u8] = b"charset";
    let mut rest = content_type;
    loop {
        let found = rest
            .windows(NAME.len())
            .position(|window| window.eq_ignore_ascii_case(NAME))?;
        rest = rest[found + NAME.len()..].trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b"=") {
            return label(charset_value(value.trim_ascii_start())?);
        }
    }
}

fn charset_value(text: &[u8]) -> Option<&[u8]> {
    match *text.first()? {
        quote @ (b'"' | b'\'') => {
            let end = text[1..].iter().position(|&byte| byte == quote)?;
            Some(&text[1..=end])
        }
        // Repeated headers are joined by a comma, which no label has.
        _ => text
            .split(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b','))
            .next(),
    }
}

fn label(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label)
}

/// The encoding declared within a page: the HTML standard's "prescan a byte stream to determine its
/// encoding". As in the standard, its `<meta>` takes precedence over its XML declaration.
///
/// This search reaches the scripts, and therefore also skips raw text, whose quotes and `<` are not
/// markup.
fn prescan(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut scan = Scan { rest: bytes };
    scan.metas().or_else(|| xml(bytes)).map(|encoding| {
        // It was read as ASCII, and therefore can't be what it says.
        match encoding {
            _ if encoding == UTF_16LE || encoding == UTF_16BE => UTF_8,
            _ if encoding == X_USER_DEFINED => WINDOWS_1252,
            _ => encoding,
        }
    })
}

/// What `<?xml … encoding="…"?>` says at the start, after white space.
fn xml(bytes: &[u8]) -> Option<&'static Encoding> {
    let rest = bytes.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = rest.iter().position(|&byte| byte == b'>')?;
    let mut rest = &rest[..end];
    loop {
        let found = rest.windows(8).position(|window| window == b"encoding")?;
        rest = rest[found + 8..].trim_ascii_start();
        if let Some(value) = rest.strip_prefix(b"=") {
            return label(charset_value(value.trim_ascii_start())?);
        }
    }
}

/// Reads markup byte by byte, as the prescan demands.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// The encoding of the first `<meta>` that declares one.
    fn metas(&mut self) -> Option<&'static Encoding> {
        loop {
            let start = self.rest.iter().position(|&byte| byte == b'<')?;
            self.rest = &self.rest[start + 1..];
            if self.rest.starts_with(b"!--") {
                // `<!-->` is a whole comment.
                self.rest = &self.rest[1..];
                self.skip_past(b"-->")?;
                continue;
            }
            match *self.rest {
                [b'!' | b'?', ..] => self.skip_past(b">")?,
                [b'/', letter, ..] if letter.is_ascii_alphabetic() => {
                    self.tag_name();
                    while self.attribute()?.is_some() {}
                }
                [b'/', ..] => self.skip_past(b">")?,
                [letter, ..] if letter.is_ascii_alphabetic() => {
                    let name = self.tag_name();
                    if name.eq_ignore_ascii_case(b"meta") {
                        if let Some(encoding) = self.meta()? {
                            return Some(encoding);
                        }
                        continue;
                    }
                    while self.attribute()?.is_some() {}
                    let raw = [&b"script"[..], b"style", b"textarea", b"title"]
                        .into_iter()
                        .find(|raw| name.eq_ignore_ascii_case(raw));
                    if let Some(raw) = raw {
                        self.skip_raw(raw)?;
                    }
                }
                _ => {}
            }
        }
    }

    /// Moves behind the next `end`; `None` if there is none, which ends the whole prescan.
    fn skip_past(&mut self, end: &[u8]) -> Option<()> {
        let found = self
            .rest
            .windows(end.len())
            .position(|bytes| bytes == end)?;
        self.rest = &self.rest[found + end.len()..];
        Some(())
    }

    /// Moves to the end tag of an element whose content is not markup.
    fn skip_raw(&mut self, name: &[u8]) -> Option<()> {
        let is_end =
            |bytes: &[u8]| bytes.starts_with(b"</") && bytes[2..].eq_ignore_ascii_case(name);
        let found = self.rest.windows(name.len() + 2).position(is_end)?;
        self.rest = &self.rest[found..];
        Some(())
    }

    fn tag_name(&mut self) -> &'a [u8] {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        self.take(ends)
    }

    /// The bytes before the first that ends them.
    fn take(&mut self, ends: impl FnMut(&u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// What the `<meta>` whose attributes come next declares. The outer `None` is the end of the bytes.
    fn meta(&mut self) -> Option<Option<&'static Encoding>> {
        let (mut equiv, mut content, mut charset_) = (None, None, None);
        while let Some((name, value)) = self.attribute()? {
            // The first of a name counts.
            let slot = match name {
                _ if name.eq_ignore_ascii_case(b"http-equiv") => &mut equiv,
                _ if name.eq_ignore_ascii_case(b"content") => &mut content,
                _ if name.eq_ignore_ascii_case(b"charset") => &mut charset_,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        let is_content_type =
            equiv.is_some_and(|value: &[u8]| value.eq_ignore_ascii_case(b"content-type"));
        Some(match charset_ {
            Some(value) => label(value),
            None if is_content_type => content.and_then(charset),
            None => None,
        })
    }

    /// The next attribute of a tag, or `None` at the tag's end; the outer `None` is the end of the
    /// bytes. The standard's "get an attribute".
    fn attribute(&mut self) -> Option<Option<(&'a [u8], &'a [u8])>> {
        self.take(|byte| !byte.is_ascii_whitespace() && *byte != b'/');
        if self.rest.first()? == &b'>' {
            self.rest = &self.rest[1..];
            return Some(None);
        }
        // A name may start with `=`.
        let whole = self.rest;
        self.rest = &whole[1..];
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'=');
        let length = 1 + self.take(ends).len();
        let name = &whole[..length];
        self.take(|byte| !byte.is_ascii_whitespace());
        if self.rest.first()? != &b'=' {
            return Some(Some((name, b"")));
        }
        self.rest = self.rest[1..].trim_ascii_start();
        let value = match *self.rest.first()? {
            quote @ (b'"' | b'\'') => {
                self.rest = &self.rest[1..];
                let value = self.take(|&byte| byte == quote);
                self.rest = self.rest.get(1..)?;
                value
            }
            _ => self.take(|byte| byte.is_ascii_whitespace() || *byte == b'>'),
        };
        Some(Some((name, value)))
    }
}

#[cfg(test)]
mod tests;
