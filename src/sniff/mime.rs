//! What the head of an answer says about its body: media type, encoding, file name.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::encoding;
use crate::address;
use crate::headers::is_token;

/// What the `Content-Type` headers of an answer say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContentType {
    /// `type/subtype` in lower case. `None`: there is none, or one that means unknown.
    pub essence: Option<String>,
    /// The encoding that the `charset` names.
    pub charset: Option<&'static Encoding>,
}

impl ContentType {
    /// Reads the values of all `Content-Type` headers of an answer, in order.
    ///
    /// This is "extract a MIME type" of the Fetch Standard: the last that is well-formed counts, and an
    /// earlier `charset` stays while the type is the same.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let all = values.into_iter().collect::<Vec<_>>().join(&b", "[..]);
        let values = split(&all);
        let mut found: Option<String> = None;
        let mut charset = None;
        for value in &values {
            let Some((essence, label)) = parse(value) else {
                continue;
            };
            // `*/*` is what a client accepts, not a media type.
            if essence == "*/*" {
                continue;
            }
            if found.as_deref() != Some(&*essence) {
                charset = None;
            }
            charset = label.or(charset);
            found = Some(essence);
        }
        match found {
            Some(essence) => Self {
                charset: charset.and_then(|label| Encoding::for_label_no_replacement(&label)),
                // By the MIME Sniffing Standard, section 7, these say as little as no type.
                essence: Some(essence)
                    .filter(|it| !matches!(&**it, "unknown/unknown" | "application/unknown")),
            },
            // Nothing is well-formed, and nothing can outweigh this `charset`: what looks like one is
            // better than a guess.
            None => Self {
                essence: None,
                charset: values.iter().find_map(|value| encoding::charset(value)),
            },
        }
    }
}

/// The parts of a header's value between its commas: "get, decode, and split" of the Fetch Standard. A
/// comma within quotes does not separate.
fn split(value: &[u8]) -> Vec<&[u8]> {
    let mut values = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < value.len() {
        match value[at] {
            b'"' => at += quoted(&value[at..]).1,
            b',' => {
                values.push(&value[start..at]);
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    values.push(&value[start..]);
    for value in &mut values {
        *value = value.trim_ascii();
    }
    values
}

/// The text of a quoted string that starts here, and its length with the quotes. The last quote may be
/// missing: "collect an HTTP quoted string" of the Fetch Standard.
fn quoted(text: &[u8]) -> (Vec<u8>, usize) {
    let mut value = Vec::new();
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => {
                // At the very end the backslash stands for itself.
                value.push(text.get(at).copied().unwrap_or(byte));
                at += 1;
            }
            _ => value.push(byte),
        }
    }
    (value, at.min(text.len()))
}

/// A `type/subtype` in lower case and the `charset` behind it: "parse a MIME type" of the MIME
/// Sniffing Standard, section 4.4.
fn parse(value: &[u8]) -> Option<(String, Option<Vec<u8>>)> {
    let value = trim(value);
    let end = value.iter().position(|&byte| byte == b';');
    let (essence, parameters) = value.split_at(end.unwrap_or(value.len()));
    let slash = essence.iter().position(|&byte| byte == b'/')?;
    let (kind, subtype) = (&essence[..slash], trim_end(&essence[slash + 1..]));
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    let essence = [kind, b"/", subtype].concat().to_ascii_lowercase();
    let mut charset = None;
    parameters_of(parameters, |name, value, in_quotes| {
        let is_fine = |&byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        if name.eq_ignore_ascii_case(b"charset")
            && charset.is_none()
            && (in_quotes || !value.is_empty())
            && value.iter().all(is_fine)
        {
            charset = Some(value);
        }
    });
    Some((String::from_utf8(essence).ok()?, charset))
}

/// Visits the parameters in text that starts with the `;` before the first: name, value, and whether
/// the value was quoted. White space is removed from the end of an unquoted value and from before a
/// name.
fn parameters_of(text: &[u8], mut visit: impl FnMut(&[u8], Vec<u8>, bool)) {
    let mut rest = text;
    while let [b';', after @ ..] = rest {
        let start = after.iter().position(|byte| !is_white(*byte));
        rest = &after[start.unwrap_or(after.len())..];
        let end = rest.iter().position(|byte| matches!(byte, b';' | b'='));
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        let Some(value) = after.strip_prefix(b"=") else {
            rest = after;
            continue;
        };
        let in_quotes = value.first() == Some(&b'"');
        let (found, size) = match in_quotes {
            true => quoted(value),
            false => (Vec::new(), 0),
        };
        let end = value[size..].iter().position(|&byte| byte == b';');
        let end = end.map_or(value.len(), |end| size + end);
        let found = match in_quotes {
            true => found,
            false => trim_end(&value[..end]).to_vec(),
        };
        visit(name, found, in_quotes);
        rest = &value[end..];
    }
}

/// The file name that `Content-Disposition` headers give the body, without folders: the first header
/// that has one counts.
///
/// `filename*` takes precedence over `filename` (RFC 6266, section 4.3), and is in an encoding of its
/// own (RFC 8187, section 3.2; RFC 5987 had ISO-8859-1 too). A malformed header is read as far as it
/// makes sense, as in browsers: unquoted names with blanks, no type before the parameters.
pub(crate) fn filename<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
    values.into_iter().find_map(|value| {
        let (mut plain, mut extended) = (None, None);
        let start = value.iter().position(|&byte| byte == b';');
        let before = &value[..start.unwrap_or(value.len())];
        let parameters = match before.contains(&b'=') {
            // There is no type, and this is the first parameter.
            true => [b";", value].concat(),
            false => value[before.len()..].to_vec(),
        };
        parameters_of(&parameters, |name, value, _| {
            let name = trim_end(name);
            if name.eq_ignore_ascii_case(b"filename") {
                plain.get_or_insert(value);
            } else if name.eq_ignore_ascii_case(b"filename*") && extended.is_none() {
                extended = extended_value(&value);
            }
        });
        let plain = plain.map(|bytes| {
            // RFC 9110, section 5.5: non-ASCII bytes have no known meaning; mostly they are UTF-8.
            let text = String::from_utf8(trim(&bytes).to_vec());
            text.unwrap_or_else(|error| WINDOWS_1252.decode(error.as_bytes()).0.into_owned())
        });
        let name = extended.or(plain)?;
        // Single quotes are not meant to be part of it.
        let name = name.trim().trim_matches('\'');
        // A server must not choose folders (RFC 6266, section 4.3).
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        (!name.is_empty()).then(|| name.to_owned())
    })
}

/// The text of an `ext-value`, such as `UTF-8''%e2%82%ac` (RFC 8187, section 3.2.1).
fn extended_value(value: &[u8]) -> Option<String> {
    let mut parts = trim(value).splitn(3, |&byte| byte == b'\'');
    let (charset, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    let encoding = Encoding::for_label(charset)?;
    let bytes = address::percent_decoded(text);
    let (text, malformed) = encoding.decode_without_bom_handling(&bytes);
    (!malformed || encoding != UTF_8).then(|| text.into_owned())
}

/// The Fetch Standard's "HTTP whitespace".
fn is_white(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' ')
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_white(*byte));
    trim_end(&text[start.unwrap_or(text.len())..])
}

fn trim_end(text: &[u8]) -> &[u8] {
    let last = text.iter().rposition(|byte| !is_white(*byte));
    &text[..last.map_or(0, |last| last + 1)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[&str]) -> (Option<String>, Option<&'static str>) {
        let found = ContentType::of(values.iter().map(|value| value.as_bytes()));
        (found.essence, found.charset.map(Encoding::name))
    }

    /// The outcome of several headers, as in the web platform tests (fetch/content-type).
    #[test]
    fn several_headers() {
        for (values, essence, charset) in [
            (&["", "text/plain"][..], "text/plain", None),
            (&["text/plain", ""], "text/plain", None),
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
                Some("GBK"),
            ),
            (
                &["text/plain;charset=gbk", "text/plain;charset=windows-1252"],
                "text/plain",
                Some("windows-1252"),
            ),
            (
                &["text/html;charset=gbk", "text/html;x=\",text/plain"],
                "text/html",
                Some("GBK"),
            ),
            (
                &["text/html;charset=gbk", "text/plain", "text/html"],
                "text/html",
                None,
            ),
            (&["text/plain", "*/*"], "text/plain", None),
            (&["*/*", "text/html"], "text/html", None),
            (&["text/html", "*/*;charset=gbk"], "text/html", None),
            (&["text/html;x=\"", "text/plain"], "text/html", None),
            (&["text/html;\"", "text/plain"], "text/html", None),
            // One header with all of them gives the same.
            (&["text/html, text/plain"], "text/plain", None),
            (
                &["text/html;charset=gbk ,text/html"],
                "text/html",
                Some("GBK"),
            ),
            (&["text/html, nonsense"], "text/html", None),
        ] {
            let expected = (Some(essence.to_owned()), charset);
            assert_eq!(of(values), expected, "{values:?}");
        }
    }

    /// The MIME Sniffing Standard, section 4.4, as in the web platform tests (mimesniff/mime-types).
    #[test]
    fn one_header() {
        const HTML: &str = "text/html";
        let long = format!("text/html;{}=x;charset=gbk", "0".repeat(200));
        let long_type = format!("{}/{}", "0".repeat(200), "1".repeat(200));
        for (value, essence, charset) in [
            ("text/html;charset=gbk", HTML, Some("GBK")),
            ("TEXT/HTML;CHARSET=GBK", HTML, Some("GBK")),
            ("  text/html\t", HTML, None),
            ("text/html;", HTML, None),
            ("text/html;charset=gbk(", HTML, None),
            ("text/html;x=(;charset=gbk", HTML, Some("GBK")),
            (
                "text/html;charset=gbk;charset=windows-1255",
                HTML,
                Some("GBK"),
            ),
            ("text/html;charset =gbk", HTML, None),
            ("text/html ;charset=gbk", HTML, Some("GBK")),
            ("text/html; charset=gbk", HTML, Some("GBK")),
            ("text/html;charset= gbk", HTML, Some("GBK")),
            ("text/html;charset='gbk'", HTML, None),
            ("text/html;charset='gbk", HTML, None),
            ("text/html;charset=gbk'", HTML, None),
            ("text/html;test;charset=gbk", HTML, Some("GBK")),
            ("text/html;test=;charset=gbk", HTML, Some("GBK")),
            ("text/html;';charset=gbk", HTML, Some("GBK")),
            ("text/html;\";charset=gbk", HTML, Some("GBK")),
            ("text/html ; ; charset=gbk", HTML, Some("GBK")),
            ("text/html;;;;charset=gbk", HTML, Some("GBK")),
            ("text/html;charset=\";charset=GBK", HTML, None),
            ("text/html;charset=;charset=GBK", HTML, Some("GBK")),
            ("text/html;charset=\"\";charset=GBK", HTML, None),
            ("text/html;charset=\"gbk\"", HTML, Some("GBK")),
            ("text/html;charset=\"gbk", HTML, Some("GBK")),
            ("text/html;charset=gbk\"", HTML, None),
            ("text/html;charset=\" gbk\"", HTML, Some("GBK")),
            ("text/html;charset=\"\\ gbk\"", HTML, Some("GBK")),
            ("text/html;charset=\"\\g\\b\\k\"", HTML, Some("GBK")),
            ("text/html;charset=\"gbk\"x", HTML, Some("GBK")),
            ("text/html;charset={gbk}", HTML, None),
            (&long, HTML, Some("GBK")),
            (&long_type, &long_type, None),
            (
                "!#$%&'+-.^_`|~0A/!#$&|~0A",
                "!#$%&'+-.^_`|~0a/!#$&|~0a",
                None,
            ),
            ("x/x;test", "x/x", None),
            ("x/x;test=\"\\", "x/x", None),
            ("text/html;test=\u{ff};charset=gbk", HTML, Some("GBK")),
        ] {
            let expected = (Some(essence.to_owned()), charset);
            assert_eq!(of(&[value]), expected, "{value}");
        }
        for value in [
            "",
            "\t",
            "bogus",
            "bogus/",
            "bogus/ ",
            // White space is removed only from behind the subtype.
            "text/ html",
            "text /html",
            "/bogus",
            "bogus/bogus/;",
            "</>",
            "(/)",
            "text/html(;doesnot=matter",
            "{/}",
            "\u{100}/\u{100}",
        ] {
            assert_eq!(of(&[value]), (None, None), "{value}");
        }
    }

    #[test]
    fn a_type_that_says_nothing_is_none() {
        for values in [
            &["unknown/unknown"][..],
            &["Application/Unknown; x=y"],
            &["*/*"],
            &[""],
            &["text"],
            &["text / html"],
            &["\"text/html\""],
            &["text/ht ml"],
            &["text/h\u{e9}"],
        ] {
            assert_eq!(of(values), (None, None), "{values:?}");
        }
        assert_eq!(of(&[]), (None, None));
        // The encoding is known all the same.
        assert_eq!(of(&["unknown/unknown; charset=koi8-r"]).1, Some("KOI8-R"));
        for value in [
            "charset=koi8-r",
            "text/html charset=koi8-r",
            "; charset=koi8-r",
        ] {
            assert_eq!(of(&[value]), (None, Some("KOI8-R")), "{value}");
        }
    }

    fn named(value: &str) -> Option<String> {
        filename([value.as_bytes()])
    }

    /// RFC 6266, sections 4 and 5 and appendix D; RFC 8187, section 3.2.3.
    #[test]
    fn file_names() {
        for (value, expected) in [
            ("Attachment; filename=example.html", "example.html"),
            ("INLINE; FILENAME=\"an example.html\"", "an example.html"),
            (
                "attachment; filename*= UTF-8''%e2%82%ac%20rates",
                "\u{20ac} rates",
            ),
            (
                "attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates",
                "\u{20ac} rates",
            ),
            (
                "attachment; filename*=utf-8'en'%e2%82%ac; filename=EURO",
                "\u{20ac}",
            ),
            (
                "attachment; filename*=iso-8859-1''%a3%20rates",
                "\u{a3} rates",
            ),
            (
                "attachment; filename=\"foo-%c3%a4.html\"",
                "foo-%c3%a4.html",
            ),
            ("attachment; filename=\"f\\oo.html\"", "foo.html"),
            (
                "attachment; filename=\"\\\"quoting\\\" x.html\"",
                "\"quoting\" x.html",
            ),
            (
                "attachment; filename=\"semi;colon.html\"",
                "semi;colon.html",
            ),
            ("attachment; name=x; filename=foo.html", "foo.html"),
            ("attachment;filename=foo.html;", "foo.html"),
            ("attachment; filename=foo bar.html", "foo bar.html"),
            ("attachment; filename='foo.html'", "foo.html"),
            ("filename=foo.html", "foo.html"),
            ("attachment; filename=\"../../etc/foo.html\"", "foo.html"),
            ("attachment; filename=\"C:\\\\dir\\\\foo.html\"", "foo.html"),
            (
                "attachment; filename=first.html; filename=second.html",
                "first.html",
            ),
            ("attachment; filename=\"open.html", "open.html"),
            // Well-formed parts take precedence over malformed ones.
            (
                "attachment; filename*=klingon''x; filename=foo.html",
                "foo.html",
            ),
            (
                "attachment; filename*=UTF-8''%ff; filename=foo.html",
                "foo.html",
            ),
            (
                "attachment; filename*=foo.html; filename=bar.html",
                "bar.html",
            ),
            ("attachment; filename*=\"UTF-8''foo.html\"", "foo.html"),
        ] {
            assert_eq!(named(value).as_deref(), Some(expected), "{value}");
        }
        for value in [
            "",
            "attachment",
            "attachment; filename",
            "attachment; filename=\"\"",
            "filename=/",
            ";;=",
        ] {
            assert_eq!(named(value), None, "{value}");
        }
        let latin = b"attachment; filename=\"caf\xe9.html\"";
        assert_eq!(filename([&latin[..]]).as_deref(), Some("caf\u{e9}.html"));
        let several = [&b"inline"[..], b"attachment; filename=x.pdf"];
        assert_eq!(filename(several).as_deref(), Some("x.pdf"));
    }

    proptest! {
        #[test]
        fn takes_anything(values: Vec<Vec<u8>>) {
            ContentType::of(values.iter().map(|value| &**value));
            filename(values.iter().map(|value| &**value));
        }

        #[test]
        fn takes_any_form(value in "(text|/|html|;|,| |charset|filename|\\*|=|\"|\\\\|'|%e9|%|gbk|utf-8|x){0,20}") {
            ContentType::of([value.as_bytes()]);
            if let Some(name) = named(&value) {
                prop_assert!(!name.is_empty() && !name.contains(['/', '\\']));
            }
        }
    }
}
