//! The value of a `Refresh` header, or of the `<meta>` that stands for one.

/// The URL that a `Refresh` value leads to, as written there, if it names one.
///
/// This is the HTML standard's "shared declarative refresh steps", which browsers apply to the header
/// too. The delay must be there, but any will do: nobody waits here.
pub(crate) fn refresh(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii_start();
    let rest = skip(value, |byte| byte.is_ascii_digit());
    if rest.len() == value.len() && !rest.starts_with(b".") {
        return None;
    }
    let rest = skip(rest, |byte| byte.is_ascii_digit() || byte == b'.');
    if !rest.first().is_some_and(|&byte| is_gap(byte)) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let rest = match rest {
        [b';' | b',', rest @ ..] => rest.trim_ascii_start(),
        _ => rest,
    };
    let url = match rest {
        [b'u' | b'U', ..] => named(rest).map_or(rest, unquoted),
        _ => unquoted(rest),
    };
    trimmed(url)
}

/// The text without white space and control characters around it. A URL parser skips these anyway; here
/// it shows whether anything is left.
fn trimmed(text: &[u8]) -> Option<&[u8]> {
    let counts = |byte: &u8| *byte > b' ';
    let (first, last) = (
        text.iter().position(counts)?,
        text.iter().rposition(counts)?,
    );
    Some(&text[first..=last])
}

/// What follows `url =`. Without that the text is the URL itself, even `urlfoo`.
fn named(text: &[u8]) -> Option<&[u8]> {
    let (name, rest) = text.split_at_checked(3)?;
    let rest = rest.trim_ascii_start().strip_prefix(b"=")?;
    name.eq_ignore_ascii_case(b"url")
        .then(|| rest.trim_ascii_start())
}

/// The text between quotes, if it starts with one. The second quote may be missing.
fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [quote @ (b'"' | b'\''), rest @ ..] => {
            rest.split(|byte| byte == quote).next().unwrap_or(rest)
        }
        _ => text,
    }
}

fn skip(text: &[u8], skipped: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|&byte| !skipped(byte));
    &text[end.unwrap_or(text.len())..]
}

/// What may follow the delay.
fn is_gap(byte: u8) -> bool {
    matches!(byte, b';' | b',') || byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let table = include_str!("../../tests/data/refresh-forms.txt");
        let rows = table
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("//"));
        let mut count = 0;
        for row in rows {
            let (value, expected) = row.split_once(" -> ").expect(row);
            let unescaped = |text: &str| {
                text.replace("\\t", "\t")
                    .replace("\\n", "\n")
                    .replace("\\f", "\x0c")
                    .replace("\\r", "\r")
            };
            // Braces make white space at either end visible.
            let value = value.strip_prefix('{').and_then(|v| v.strip_suffix('}'));
            let value = unescaped(value.expect(row));
            let expected = match expected {
                "none" => None,
                url => Some(unescaped(url)),
            };
            let url = refresh(value.as_bytes()).map(|url| std::str::from_utf8(url).unwrap());
            assert_eq!(url, expected.as_deref(), "{row}");
            count += 1;
        }
        assert!(count > 80, "{count} rows read");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        assert_eq!(refresh(b"0; url=/\xe9"), Some(&b"/\xe9"[..]));
    }

    #[test]
    fn control_characters_alone_are_no_url() {
        assert_eq!(refresh(b"0; url='\x01 \x1e'"), None);
        assert_eq!(refresh(b"0; url=\x1e/x\x01y\x1f"), Some(&b"/x\x01y"[..]));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(value: Vec<u8>) {
            refresh(&value);
        }

        #[test]
        fn what_is_found_is_not_empty(value in "[ 0-9.]{0,3}[;, \t]{0,2}(url|URL|ur)?[ =]{0,2}['\"]?[a-z/ '\"]{0,5}") {
            if let Some(url) = refresh(value.as_bytes()) {
                proptest::prop_assert!(!url.trim_ascii().is_empty());
            }
        }
    }
}
