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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sniff::ContentType;

    fn header(content_type: Option<&[u8]>) -> Option<&'static Encoding> {
        ContentType::of(content_type).charset
    }

    fn detect(content_type: Option<&[u8]>, body: &[u8], tld: Option<&str>) -> &'static Encoding {
        super::detect(header(content_type), body, tld)
    }

    fn decode_start(content_type: Option<&[u8]>, bytes: &[u8]) -> String {
        let encoding = super::detect_start(header(content_type), bytes);
        super::decode_start(encoding, bytes)
    }

    /// There is memory for it.
    fn decode(encoding: &'static Encoding, body: &[u8]) -> String {
        super::decode(encoding, body, 0).expect("memory")
    }

    struct Sample {
        label: &'static str,
        /// What is found when nothing is declared.
        guessed: &'static str,
        tld: &'static str,
        text: &'static str,
    }

    const JAPANESE: &str = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\
        何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。";
    const CHINESE: &str = "今天的天气很好，我们一起去公园散步。图书馆从早上九点开到晚上八点，\
        星期一不开放，请各位读者注意。";
    const POLISH: &str = "Dzień dobry! Zażółć gęślą jaźń. Biblioteka jest otwarta we wtorek i w \
        środę, a książki można wypożyczyć na dwa tygodnie. Proszę zachować ciszę.";
    const FRENCH: &str = "Voilà l'été où les élèves de première année étudièrent à la \
        bibliothèque, près de la forêt. Ça n'était pas très sûr.";
    const RUSSIAN: &str = "Все счастливые семьи похожи друг на друга. Библиотека открыта с девяти \
        утра, и читать книги там приятно.";

    const SAMPLES: [Sample; 21] = [
        Sample {
            label: "windows-1251",
            guessed: "windows-1251",
            tld: "ru",
            text: RUSSIAN,
        },
        Sample {
            label: "koi8-r",
            guessed: "koi8-u",
            tld: "ru",
            text: RUSSIAN,
        },
        Sample {
            label: "iso-8859-5",
            guessed: "iso-8859-5",
            tld: "ru",
            text: RUSSIAN,
        },
        Sample {
            label: "shift_jis",
            guessed: "shift_jis",
            tld: "jp",
            text: JAPANESE,
        },
        Sample {
            label: "euc-jp",
            guessed: "euc-jp",
            tld: "jp",
            text: JAPANESE,
        },
        Sample {
            label: "iso-2022-jp",
            guessed: "iso-2022-jp",
            tld: "jp",
            text: JAPANESE,
        },
        Sample {
            label: "gbk",
            guessed: "gbk",
            tld: "cn",
            text: CHINESE,
        },
        Sample {
            label: "gb18030",
            guessed: "gbk",
            tld: "cn",
            text: CHINESE,
        },
        Sample {
            label: "big5",
            guessed: "big5",
            tld: "tw",
            text: "今天的天氣很好，我們一起去公園散步。圖書館從早上九點開到晚上八點，請各位讀者注意。",
        },
        Sample {
            label: "euc-kr",
            guessed: "euc-kr",
            tld: "kr",
            text: "오늘은 날씨가 참 좋습니다. 도서관은 아침 아홉 시에 문을 열고 저녁 여덟 시에 닫습니다.",
        },
        Sample {
            label: "iso-8859-2",
            guessed: "iso-8859-2",
            tld: "pl",
            text: POLISH,
        },
        Sample {
            label: "windows-1250",
            guessed: "windows-1250",
            tld: "pl",
            text: POLISH,
        },
        Sample {
            label: "iso-8859-7",
            guessed: "iso-8859-7",
            tld: "gr",
            text: "Άνοιξε η βιβλιοθήκη της πόλης. Η είσοδος είναι ελεύθερη για όλους, και τα \
                βιβλία δανείζονται για δύο εβδομάδες. Άλλη μέρα θα έρθω.",
        },
        Sample {
            label: "windows-1254",
            guessed: "windows-1254",
            tld: "tr",
            text: "Kütüphane sabah dokuzda açılır ve akşam sekizde kapanır. Çocuklar için ayrı \
                bir oda vardır, ağaçların altında da oturabilirsiniz. İstanbul'da yağmur yağıyor.",
        },
        Sample {
            label: "iso-8859-15",
            guessed: "windows-1252",
            tld: "fr",
            text: FRENCH,
        },
        Sample {
            label: "windows-1252",
            guessed: "windows-1252",
            tld: "fr",
            text: FRENCH,
        },
        Sample {
            label: "windows-1256",
            guessed: "windows-1256",
            tld: "eg",
            text: "تفتح المكتبة أبوابها في الساعة التاسعة صباحا وتغلق في المساء. يرجى من القراء \
                المحافظة على الهدوء.",
        },
        Sample {
            label: "windows-1255",
            guessed: "windows-1255",
            tld: "il",
            text: "הספרייה פתוחה משעה תשע בבוקר ועד שמונה בערב. הכניסה חופשית לכל תושבי העיר.",
        },
        Sample {
            label: "windows-874",
            guessed: "windows-874",
            tld: "th",
            text: "ห้องสมุดเปิดตั้งแต่เก้าโมงเช้าถึงสองทุ่ม กรุณางดใช้เสียงดังในห้องอ่านหนังสือ",
        },
        Sample {
            label: "utf-16le",
            guessed: "utf-16le",
            tld: "ru",
            text: RUSSIAN,
        },
        Sample {
            label: "utf-16be",
            guessed: "utf-16be",
            tld: "jp",
            text: JAPANESE,
        },
    ];

    impl Sample {
        fn encoding(&self) -> &'static Encoding {
            for_label(self.label).unwrap()
        }

        /// A page with that head.
        fn page(&self, head: &str) -> Vec<u8> {
            self.encode(&format!(
                "{head}<title>A page</title>\n<p>{}</p>\n",
                self.text
            ))
        }

        fn encode(&self, text: &str) -> Vec<u8> {
            match self.label {
                "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                _ => {
                    let (bytes, _, failed) = self.encoding().encode(text);
                    assert!(!failed, "{}", self.label);
                    bytes.into_owned()
                }
            }
        }

        /// Checks that a page is found to be in that encoding, and decodes to what was written.
        #[track_caller]
        fn check(&self, content_type: Option<&str>, body: &[u8], expected: &str) {
            let content_type = content_type.map(str::as_bytes);
            let found = detect(content_type, body, Some(self.tld));
            assert_eq!(name(found), expected, "{}", self.label);
            assert!(decode(found, body).contains(self.text), "{}", self.label);
        }
    }

    #[test]
    fn agrees_with_every_label_of_the_standard() {
        let table = include_str!("../../tests/data/encoding-labels.txt");
        let mut count = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let (label, expected) = line.split_once('\t').unwrap();
            let found = for_label(label).map(name);
            assert_eq!(found.unwrap_or("replacement"), expected, "{label}");
            assert_eq!(
                for_label(&format!(" {}\n", label.to_uppercase())).map(name),
                found
            );
            if found.is_some() {
                assert_eq!(
                    for_label(expected).map(name),
                    found,
                    "the name is a label too"
                );
            }
            count += 1;
        }
        assert_eq!(count, 228);
        for none in ["", "foo", "utf-7", "utf 8", "utf-8\0", "ütf-8"] {
            assert!(for_label(none).is_none(), "{none}");
        }
    }

    #[test]
    fn finds_declarations() {
        let padding = format!("<!--{}-->", "x".repeat(5000));
        for sample in &SAMPLES {
            let label = sample.label;
            let plain = sample.page("");
            sample.check(Some(&format!("text/html; charset={label}")), &plain, label);
            for head in [
                format!("<meta charset=\"{label}\">"),
                format!("<!doctype html><html><head><META CharSet={label} />"),
                format!("<meta http-equiv='Content-Type' content='text/html; charset={label}'>"),
                format!("<meta content=\"charset={label}\" http-equiv=content-type>"),
                format!("{padding}<meta charset='{label}'>"),
                format!("<?xml version=\"1.0\" encoding=\"{label}\"?>"),
                format!("\n<?xml version='1.0' encoding = '{label}' ?><html>"),
            ] {
                let page = sample.page(&head);
                sample.check(None, &page, label);
                sample.check(Some("text/html"), &page, label);
                sample.check(Some("text/html; charset=foo"), &page, label);
                // The header is wrong, and the body contradicts it.
                sample.check(Some("text/html; charset=utf-8"), &page, label);
            }
        }
    }

    #[test]
    fn guesses() {
        for sample in &SAMPLES {
            let page = sample.page("");
            for content_type in [None, Some("text/html"), Some("text/html; charset=UTF-8")] {
                sample.check(content_type, &page, sample.guessed);
            }
            let page = sample.page("<meta charset=utf8>");
            sample.check(Some("text/html; charset=UTF-8"), &page, sample.guessed);
        }
    }

    #[test]
    fn believes_a_header_that_nothing_contradicts() {
        let russian = SAMPLES[0].page("<meta charset=windows-1251>");
        let found = detect(Some(b"text/html; charset=koi8-r"), &russian, None);
        assert_eq!(name(found), "koi8-r");
        let found = detect(Some(b"text/html; charset=windows-1251"), b"ASCII", None);
        assert_eq!(name(found), "windows-1251");
    }

    #[test]
    fn believes_a_byte_order_mark_first() {
        for (mark, expected) in [
            (&b"\xef\xbb\xbf"[..], "utf-8"),
            (b"\xff\xfe", "utf-16le"),
            (b"\xfe\xff", "utf-16be"),
        ] {
            let sample = SAMPLES.iter().find(|sample| sample.label == expected);
            let text = match sample {
                Some(sample) => sample.page("<meta charset=koi8-r>"),
                None => format!("<meta charset=koi8-r><p>{FRENCH}").into_bytes(),
            };
            let page = [mark, &text].concat();
            let found = detect(Some(b"text/html; charset=big5"), &page, None);
            assert_eq!(name(found), expected);
            assert!(decode(found, &page).starts_with("<meta"), "{expected}");
        }
    }

    #[test]
    fn utf_16_shows_its_byte_order() {
        let [.., little, big] = &SAMPLES;
        for header in ["utf-16", "utf-16le", "utf-16be", "windows-1252", "utf-8"] {
            let header = format!("text/html; charset={header}");
            little.check(Some(&header), &little.page(""), "utf-16le");
            big.check(Some(&header), &big.page(""), "utf-16be");
        }
        // A wide space looks like the other byte order.
        let wide = format!("<html lang=ja><body><p>\u{3000}{JAPANESE}");
        let wide: Vec<_> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(name(detect(None, &wide, None)), "utf-16le");
        // No byte of this is NUL: the header decides.
        let bytes: Vec<_> = "吾輩は猫である"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let found = detect(Some(b"text/plain; charset=utf-16be"), &bytes, None);
        assert_eq!(name(found), "utf-16be");
        // A header that calls ASCII UTF-16 is wrong.
        let found = detect(Some(b"text/html; charset=utf-16"), b"<p>ASCII", None);
        assert_eq!(name(found), "utf-8");
        // Neither a stray NUL nor a binary file makes UTF-16.
        let found = detect(
            Some(b"text/html; charset=koi8-r"),
            b"ab\0c plain text",
            None,
        );
        assert_eq!(name(found), "koi8-r");
        assert_eq!(utf16(&[0; 64]), None);
    }

    #[test]
    fn iso_2022_jp_shows_itself() {
        let sample = SAMPLES.iter().find(|sample| sample.label == "iso-2022-jp");
        let page = sample.unwrap().page("");
        for header in ["iso-2022-jp", "utf-8", "shift_jis", "windows-1252"] {
            let header = format!("text/html; charset={header}");
            sample.unwrap().check(Some(&header), &page, "iso-2022-jp");
        }
        // The cut may be anywhere but within an escape.
        let cut = page.len() - 30;
        assert!(!page[cut - 3..cut + 3].contains(&0x1b));
        for cut in [cut, cut + 1] {
            assert_eq!(name(detect(None, &page[..cut], None)), "iso-2022-jp");
            assert!(decode_start(None, &page[..cut]).contains("吾輩は猫である"));
        }
        let ascii = b"<p>no \x1b[1mJapanese\x1b(B\x1b[m";
        let found = detect(Some(b"text/html; charset=koi8-r"), ascii, None);
        assert_eq!(name(found), "koi8-r");
    }

    #[test]
    fn utf_8_shows_itself_whatever_is_declared() {
        for sample in &SAMPLES {
            let header = format!("text/html; charset={}", sample.label);
            let page = format!("<meta charset={}><p>{}", sample.label, sample.text);
            for body in [&page[..], "éééé", "ASCII and four €€€€"] {
                let found = detect(Some(header.as_bytes()), body.as_bytes(), None);
                assert_eq!(name(found), "utf-8", "{}", sample.label);
                assert_eq!(decode(found, body.as_bytes()), body);
            }
            // The cut is within a character.
            for cut in 1..3 {
                let cut = &"néééé €".as_bytes()[..13 - cut];
                let found = detect(Some(header.as_bytes()), cut, None);
                assert_eq!(name(found), "utf-8", "{}", sample.label);
            }
        }
        assert_eq!(name(detect(None, b"ASCII", Some("ru"))), "utf-8");
        assert_eq!(name(detect(None, b"", None)), "utf-8");
        // Half a character, and nothing else, is a whole one of another encoding.
        assert_eq!(name(detect(None, b"caf\xe9", Some("fr"))), "windows-1252");
        let utf8 = Some(&b"text/html; charset=utf-8"[..]);
        assert_eq!(name(detect(utf8, b"caf\xc3", Some("fr"))), "utf-8");
        assert_eq!(name(detect(None, b"\x1b[31mred\x1b[0m", None)), "utf-8");
    }

    #[test]
    fn utf_8_may_have_mistakes() {
        let mut page = RUSSIAN.as_bytes().to_vec();
        page.insert(20, 0xff);
        assert_eq!(name(detect(None, &page, Some("ru"))), "utf-8");
        let utf8 = Some(&b"text/html; charset=utf-8"[..]);
        assert_eq!(name(detect(utf8, &page, Some("ru"))), "utf-8");
        // The other declaration is not proven wrong.
        let other = Some(&b"text/html; charset=windows-1251"[..]);
        assert_eq!(name(detect(other, &page, Some("ru"))), "windows-1251");
        // With as many mistakes as characters the declaration stands; with more it does not.
        assert_eq!(name(detect(utf8, b"\xc3\xa9 \xe9 ", None)), "utf-8");
        assert_eq!(
            name(detect(utf8, b"\xc3\xa9 \xe9t\xe9 d\xe9j\xe0 ", None)),
            "windows-1252"
        );
    }

    #[test]
    fn reads_content_types() {
        for (content_type, expected) in [
            ("text/html; charset=koi8-r", Some("koi8-r")),
            ("text/html;CHARSET = \"koi8-r\"; x=y", Some("koi8-r")),
            ("text/html; charset='koi8-r'", Some("koi8-r")),
            ("charset=koi8-r", Some("koi8-r")),
            ("text/html; charset=koi8-r, text/html", Some("koi8-r")),
            ("text/html; charset; charset=koi8-r", Some("koi8-r")),
            ("text/html; charset=iso-2022-kr", None),
            ("text/html; charset=\"koi8-r", None),
            ("text/html; charset=", None),
            ("text/html; charset", None),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(
                charset(content_type.as_bytes()).map(name),
                expected,
                "{content_type}"
            );
        }
    }

    #[test]
    fn prescans_as_the_standard_does() {
        for (html, expected) in [
            ("<meta charset=koi8-r>", Some("koi8-r")),
            ("<meta/charset=koi8-r/>", None),
            ("<meta/charset='koi8-r'/>", Some("koi8-r")),
            (
                "<p a='<meta charset=big5>'><meta charset=koi8-r>",
                Some("koi8-r"),
            ),
            (
                "<!-- <meta charset=big5> --><meta charset=koi8-r>",
                Some("koi8-r"),
            ),
            ("<!--><meta charset=koi8-r>", Some("koi8-r")),
            ("<!-- <meta charset=koi8-r>", None),
            ("<? <meta charset=koi8-r>", None),
            (
                "<?x?></x <meta charset=big5>><meta charset=koi8-r>",
                Some("koi8-r"),
            ),
            ("<metal charset=koi8-r>", None),
            ("<meta name=charset content=koi8-r>", None),
            ("<meta content='charset=koi8-r'>", None),
            ("<meta http-equiv=refresh content='charset=koi8-r'>", None),
            ("<meta charset=foo><meta charset=koi8-r>", Some("koi8-r")),
            ("<meta charset=koi8-r charset=big5>", Some("koi8-r")),
            ("<meta charset=utf-16be>", Some("utf-8")),
            ("<meta charset=x-user-defined>", Some("windows-1252")),
            ("<meta charset=koi8-r", None),
            ("<meta charset='koi8-r", None),
            (
                "<script>\"<meta charset=big5>\"</script><meta charset=koi8-r>",
                Some("koi8-r"),
            ),
            (
                "<script>if (a<b) c='</script><meta charset=koi8-r>",
                Some("koi8-r"),
            ),
            ("<script><meta charset=koi8-r>", None),
            (
                "<meta charset=koi8-r><?xml encoding='big5'?>",
                Some("koi8-r"),
            ),
            (
                "<?xml encoding='big5'?><meta charset=koi8-r>",
                Some("koi8-r"),
            ),
            ("<?xml version='1.0' encoding='utf-16'?>", Some("utf-8")),
            ("x <?xml version='1.0' encoding='big5'?>", None),
            ("<?xml version='1.0'?><x encoding='big5'>", None),
            ("<?xml version='1.0' encoding='big5", None),
            ("< meta charset=koi8-r>", None),
            ("", None),
        ] {
            assert_eq!(prescan(html.as_bytes()).map(name), expected, "{html}");
        }
        let late = format!("{}<meta charset=koi8-r>", " ".repeat(PRESCAN));
        assert_eq!(name(detect(None, late.as_bytes(), None)), "utf-8");
    }

    #[test]
    fn decodes_as_the_standard_does() {
        let latin = for_label("latin1").unwrap();
        assert_eq!(decode(latin, b"\x80\xe9"), "€é");
        assert_eq!(
            decode(UTF_8, b"\xef\xbb\xbfa\xff\xe2\x82b\xe2\x82"),
            "a\u{fffd}\u{fffd}b\u{fffd}"
        );
        // Another encoding's mark is text.
        assert_eq!(decode(latin, b"\xef\xbb\xbfa"), "ï»¿a");
        assert_eq!(decode(UTF_16LE, b"\xff\xfea\0\0\xd8"), "a\u{fffd}");
    }

    #[test]
    fn decodes_the_start_of_a_page() {
        for sample in &SAMPLES {
            let page = sample.page(&format!("<meta charset={}>", sample.label));
            let whole = decode(sample.encoding(), &page);
            let header = format!("text/html; charset={}", sample.label);
            for end in (page.len() - 60)..page.len() {
                for content_type in [None, Some(header.as_bytes())] {
                    let start = decode_start(content_type, &page[..end]);
                    assert!(whole.starts_with(&start), "{}: {start}", sample.label);
                    assert!(start.len() + 8 >= whole.len() * end / page.len() / 2);
                }
            }
        }
        assert_eq!(decode_start(None, "é…".as_bytes()), "é…");
        assert_eq!(decode_start(None, &"é…".as_bytes()[..4]), "é");
        assert_eq!(decode_start(None, b"\xe9t\xe9"), "été");
        assert_eq!(decode_start(None, b"\xef\xbb\xbfa"), "a");
        assert_eq!(decode_start(None, b""), "");
    }

    #[test]
    fn stays_linear() {
        for piece in [
            "<",
            "<!--",
            "<!",
            "<a ",
            "<meta ",
            "<script>",
            "<title>",
            "charset",
            "charset=",
            "=",
            "<a '",
            "<?xml ",
            "encoding",
            "encoding=",
        ] {
            let text = piece.repeat(1 << 18);
            detect(Some(text.as_bytes()), text.as_bytes(), None);
            detect(None, format!("<?xml {text}>").as_bytes(), None);
        }
    }

    const PIECES: &[&[u8]] = &[
        b"<meta",
        b" ",
        b"/",
        b"charset",
        b"=",
        b"\"",
        b"'",
        b">",
        b"<",
        b"utf-8",
        b"koi8-r",
        b"utf-16",
        b"<!--",
        b"-->",
        b"<?xml",
        b"encoding",
        b"?>",
        b"<script",
        b"</script",
        b"http-equiv",
        b"content",
        b"content-type",
        b";",
        b"\xe9",
        b"\xc3\xa9",
        b"\0",
        b"\x1b$B",
        b"\x1b(B",
        b"a",
    ];

    proptest! {
        #[test]
        fn takes_any_bytes(
            body in any::<Vec<u8>>(),
            content_type in prop::option::of(any::<Vec<u8>>()),
            tld in prop::option::of(any::<String>()),
            label in any::<String>(),
        ) {
            let found = detect(content_type.as_deref(), &body, tld.as_deref());
            decode(found, &body);
            decode_start(content_type.as_deref(), &body);
            for_label(&label);
            prop_assert_eq!(for_label(name(found)), Some(found));
        }

        #[test]
        fn takes_any_markup(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
            let body = pieces.concat();
            for content_type in [None, Some(&body[..])] {
                let found = detect(content_type, &body, None);
                decode(found, &body);
                decode_start(content_type, &body);
            }
        }

        #[test]
        fn utf_8_stays_utf_8(text in "[^\0\x1b]{0,40}[é-ퟀ]{4}[^\0\x1b]{0,40}", cut in 0_usize..3) {
            let found = detect(Some(b"text/html; charset=big5"), text.as_bytes(), Some("ru"));
            let marked = text.starts_with('\u{feff}');
            prop_assert!(marked || decode(found, text.as_bytes()) == text);
            let cut = &text.as_bytes()[..text.len() - cut.min(text.len())];
            let start = decode_start(None, cut);
            prop_assert!(marked || text.starts_with(&start));
        }
    }

    #[test]
    fn a_page_is_believed_above_what_servers_say_of_all_pages() {
        for (label, text) in [
            ("windows-1251", RUSSIAN),
            ("iso-8859-2", "Příliš žluťoučký kůň"),
        ] {
            let page = format!("<meta charset={label}><p>{text}");
            let encoding = for_label(label).unwrap_or(UTF_8);
            let (body, _, _) = encoding.encode(&page);
            for (header, expected) in [
                ("iso-8859-1", label),
                ("windows-1252", label),
                ("koi8-r", "koi8-r"),
                // The text is malformed in these.
                ("shift_jis", label),
                ("euc-jp", label),
            ] {
                let header = format!("text/html; charset={header}");
                let found = detect(Some(header.as_bytes()), &body, None);
                assert_eq!(name(found), expected, "{header}, {label}");
            }
        }
    }

    #[test]
    fn a_word_that_happens_to_be_utf8_is_what_is_declared() {
        let (word, _, _) = encoding_rs::EUC_KR.encode("천");
        assert_eq!(std::str::from_utf8(&word), Ok("õ"));
        let header = Some(&b"text/plain; charset=euc-kr"[..]);
        assert_eq!(name(detect(header, &word, None)), "euc-kr");
        assert_eq!(name(detect(header, "õõõõ".as_bytes(), None)), "utf-8");
        let header = Some(&b"text/plain; charset=iso-8859-1"[..]);
        assert_eq!(name(detect(header, &word, None)), "utf-8");
    }
}
