//! URLs of pages in another encoding than UTF-8.

use std::borrow::Cow;

use encoding_rs::{Encoder, EncoderResult, Encoding, UTF_8};
use url::{ParseError, Url};

use super::check;
use super::parse::{parse, parse_with};

/// The URL that a reference in a page of that encoding stands for. The URL Standard's parser takes the
/// encoding: the query of an `http` or `https` URL is written in it, and everything else in UTF-8.
/// Characters that the encoding lacks become numeric character references, and pages in UTF-16 use
/// UTF-8.
pub(crate) fn parse_in(
    base: &Url,
    text: &str,
    encoding: &'static Encoding,
) -> Result<Url, ParseError> {
    let encoding = encoding.output_encoding();
    if encoding == UTF_8 || text.is_ascii() && encoding.is_ascii_compatible() {
        return parse(Some(base), text);
    }
    // The parser skips these, and would encode the parts around them separately, which matters where an
    // encoding has a state.
    let is_passed_over = |c: char| matches!(c, '\t' | '\n' | '\r');
    let text: Cow<'_, str> = match text.contains(is_passed_over) {
        true => text.replace(is_passed_over, "").into(),
        false => text.into(),
    };
    parse_with(
        Some(base),
        &text,
        Some(&|query| encoded(query, encoding.new_encoder()).into()),
    )
}

/// Where a page in that encoding leads by a reference in it. `None`: to what can't be fetched.
pub(crate) fn target_in(base: &Url, text: &str, encoding: &'static Encoding) -> Option<Url> {
    let url = parse_in(base, text, encoding).ok()?;
    check(&url).ok()?;
    Some(url)
}

/// Text as bytes of an encoding: the URL Standard's "percent-encode after encoding", without the
/// percent-encoding of the resulting bytes, which the parser does.
fn encoded(text: &str, mut encoder: Encoder) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
        let start = bytes.len();
        bytes.resize(start + room.unwrap_or(rest.len() + 16), 0);
        let (result, read, written) =
            encoder.encode_from_utf8_without_replacement(rest, &mut bytes[start..], true);
        bytes.truncate(start + written);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return bytes,
            EncoderResult::OutputFull => {}
            // `&#` and `;` are escaped, because a query gives them a meaning.
            EncoderResult::Unmappable(character) => {
                bytes.extend(format!("%26%23{}%3B", u32::from(character)).bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str, label: &str) -> String {
        let base = Url::parse("https://example.com/?base").expect("a URL");
        let encoding = Encoding::for_label(label.as_bytes()).expect(label);
        let url = parse_in(&base, &format!("/?{text}"), encoding).expect(text);
        url.query().unwrap_or_default().to_owned()
    }

    /// The URL Standard, section 1.3, "percent-encode after encoding", with the cases of the web
    /// platform tests (url/resources/percent-encoding.json, encoding/iso-2022-jp-encoder.html).
    #[test]
    fn queries() {
        for (text, label, expected) in [
            ("q=ж", "windows-1251", "q=%E6"),
            ("q=ж", "koi8-r", "q=%D6"),
            ("q=ж", "utf-8", "q=%D0%B6"),
            ("q=ж", "utf-16le", "q=%D0%B6"),
            ("q=ж", "utf-16be", "q=%D0%B6"),
            ("q=ж", "replacement", "q=%D0%B6"),
            ("q=ж", "x-user-defined", "q=%26%231078%3B"),
            ("†", "big5", "%26%238224%3B"),
            ("†", "euc-kr", "%A2%D3"),
            ("†", "windows-1252", "%86"),
            ("\u{e}A", "big5", "%0EA"),
            ("\u{e}A", "iso-2022-jp", "%26%2365533%3BA"),
            ("\u{203e}\\", "iso-2022-jp", "%1B(J~%1B(B\\"),
            ("\u{e5e5}", "gb18030", "%26%2358853%3B"),
            ("\u{2212}", "shift_jis", "%81|"),
            ("¢", "iso-8859-2", "%26%23162%3B"),
            ("日本", "shift_jis", "%93%FA%96{"),
            ("日本", "euc-jp", "%C6%FC%CB%DC"),
            ("日本", "iso-2022-jp", "%1B$BF|K\\%1B(B"),
            ("s", "iso-2022-jp", "s"),
            (
                "\u{a5}\u{203e}s\\\u{ff90}\u{4f69}",
                "iso-2022-jp",
                "%1B(J\\~s%1B(B\\%1B$B%_PP%1B(B",
            ),
            ("\u{ff61}", "iso-2022-jp", "%1B$B!%23%1B(B"),
            ("\u{393}", "iso-2022-jp", "%1B$B&%23%1B(B"),
            (
                "\u{203e}\u{fffd}",
                "iso-2022-jp",
                "%1B(J~%26%2365533%3B%1B(B",
            ),
            (
                "\u{ff61}\u{fffd}",
                "iso-2022-jp",
                "%1B$B!%23%1B(B%26%2365533%3B",
            ),
            ("日\n本", "iso-2022-jp", "%1B$BF|K\\%1B(B"),
            // What is encoded already stays, and so does what needs no encoding.
            ("%E6=a+b&c='d'", "windows-1251", "%E6=a+b&c=%27d%27"),
            ("😀", "windows-1251", "%26%23128512%3B"),
            ("中\u{20ac}", "gbk", "%D6%D0%80"),
        ] {
            assert_eq!(query(text, label), expected, "{text} in {label}");
        }
    }

    #[test]
    fn only_the_query_of_what_can_be_fetched() {
        let base = Url::parse("http://example.com/dir/page?ж").expect("a URL");
        let encoding = Encoding::for_label(b"windows-1251").expect("known");
        for (text, expected) in [
            ("ж?ж#ж", "http://example.com/dir/%D0%B6?%E6#%D0%B6"),
            ("?ж", "http://example.com/dir/page?%E6"),
            ("#ж", "http://example.com/dir/page?%D0%B6#%D0%B6"),
            ("//münchen.de/?ж", "http://xn--mnchen-3ya.de/?%E6"),
            ("https://o.com?ж", "https://o.com/?%E6"),
            ("ws://o.com/?ж", "ws://o.com/?%D0%B6"),
            ("wss://o.com/?ж", "wss://o.com/?%D0%B6"),
            ("mailto:a?ж", "mailto:a?%D0%B6"),
        ] {
            let url = parse_in(&base, text, encoding).expect(text);
            assert_eq!(url.as_str(), expected, "{text}");
        }
        for text in [
            "mailto:a",
            "market://x",
            "intent://x#Intent;end",
            "javascript:x()",
            "http://[",
            "ftp://x/",
        ] {
            assert_eq!(target_in(&base, text, encoding), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_query_in_any_encoding(text in "\\PC{0,20}", at in 0..40_usize) {
            const LABELS: [&str; 8] =
                ["windows-1251", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "iso-2022-jp", "euc-kr"];
            let label = LABELS[at % LABELS.len()];
            let query = query(&text.replace('#', ""), label);
            proptest::prop_assert!(query.is_ascii());
        }
    }
}
