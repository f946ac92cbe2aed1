//! Parses URLs by the URL Standard where the `url` crate does not.

use std::borrow::Cow;

use url::{EncodingOverride, ParseError, Url};

/// The URL that a text stands for, within a page if there is one, by the URL Standard (section 4.4).
///
/// The `url` crate does the work, except for what version 2.5.8 has wrong about http URLs:
///
/// - `///host/x` in a page is `//host/x` (special authority ignore slashes state); the crate finds no
///   host. Its own `tests/expected_failures.txt` has this case.
/// - `..` removes a segment like `C:`, which is a drive only in file URLs (shorten a URL's path); the
///   crate keeps it, because its `last_slash_can_be_removed` does not check the scheme.
/// - `^` in a path is `%5E` (path percent-encode set); the crate's next version has this right.
pub(crate) fn parse(base: Option<&Url>, text: &str) -> Result<Url, ParseError> {
    parse_with(base, text, None)
}

/// The same for a text in a page whose queries that function writes.
pub(super) fn parse_with(
    base: Option<&Url>,
    text: &str,
    encode: EncodingOverride<'_>,
) -> Result<Url, ParseError> {
    let text = match base {
        Some(_) => few_slashes(text),
        None => text.into(),
    };
    let mut url = Url::options()
        .base_url(base)
        .encoding_override(encode)
        .parse(&text)?;
    if !url.cannot_be_a_base() && matches!(url.scheme(), "http" | "https") {
        if has_drive(url.path())
            && let Some(path) = path(base, &url, &text)
        {
            url.set_path(&path);
        }
        if url.path().contains('^') {
            let path = url.path().replace('^', "%5E");
            url.set_path(&path);
        }
    }
    Ok(url)
}

fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// The text as the URL Standard's parser sees it.
fn stripped(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(|c| c <= ' ');
    match text.contains(['\t', '\n', '\r']) {
        true => text.replace(['\t', '\n', '\r'], "").into(),
        false => text.into(),
    }
}

/// The text with at most two of the slashes that it starts with.
fn few_slashes(text: &str) -> Cow<'_, str> {
    let starts = text.trim_start_matches(|c| c <= ' ').starts_with(is_slash);
    if starts {
        let plain = stripped(text);
        let rest = plain.trim_start_matches(is_slash);
        if plain.len() - rest.len() > 2 {
            return format!("//{rest}").into();
        }
    }
    text.into()
}

/// Whether a segment of the path looks like a Windows drive.
fn has_drive(path: &str) -> bool {
    // Most paths have neither.
    path.bytes().any(|byte| matches!(byte, b':' | b'|'))
        && path.split('/').any(|segment| {
            let bytes = segment.as_bytes();
            matches!(bytes, [letter, b':' | b'|'] if letter.is_ascii_alphabetic())
        })
}

/// The path of the URL that a text stands for, computed anew. `None`: there is no `..` in it.
fn path(base: Option<&Url>, url: &Url, text: &str) -> Option<String> {
    let text = stripped(text);
    let scheme = format!("{}:", url.scheme());
    let (named, mut rest) = match text.get(..scheme.len()) {
        Some(start) if start.eq_ignore_ascii_case(&scheme) => (true, &text[scheme.len()..]),
        _ => (false, &*text),
    };
    let slashes = rest.len() - rest.trim_start_matches(is_slash).len();
    let is_relative =
        slashes < 2 && base.is_some_and(|base| !named || base.scheme() == url.scheme());
    if !is_relative {
        // The path starts behind the host.
        let authority = rest.trim_start_matches(is_slash);
        let end = authority.find(|c| is_slash(c) || matches!(c, '?' | '#'));
        rest = &authority[end.unwrap_or(authority.len())..];
    }
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let given: Vec<&str> = {
        let path = &rest[..end];
        let path = path.strip_prefix(is_slash).unwrap_or(path);
        path.split(is_slash).collect()
    };
    if !given.iter().any(|segment| dots(segment) == 2) {
        return None;
    }
    let mut segments: Vec<&str> = match base {
        Some(base) if is_relative && slashes == 0 => {
            let mut of_base: Vec<&str> = base.path().split('/').skip(1).collect();
            of_base.pop();
            of_base
        }
        _ => Vec::new(),
    };
    for (at, segment) in given.iter().enumerate() {
        let dots = dots(segment);
        if dots == 2 {
            segments.pop();
        }
        match dots {
            0 => segments.push(segment),
            _ if at + 1 == given.len() => segments.push(""),
            _ => {}
        }
    }
    Some(format!("/{}", segments.join("/")))
}

/// The number of dots if a segment is `.` or `..`, in any spelling; otherwise 0.
fn dots(segment: &str) -> usize {
    let mut rest = segment;
    for count in 1..=2 {
        rest = match rest.strip_prefix('.') {
            Some(rest) => rest,
            None => match rest.get(..3) {
                Some(coded) if coded.eq_ignore_ascii_case("%2e") => &rest[3..],
                _ => return 0,
            },
        };
        if rest.is_empty() {
            return count;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, text: &str) -> String {
        let base = Url::parse(base).expect("a URL");
        parse(Some(&base), text).map_or_else(|error| error.to_string(), String::from)
    }

    /// Rows of the web platform tests' urltestdata.json, and similar ones.
    #[test]
    fn three_slashes_are_as_good_as_two() {
        for (text, expected) in [
            ("///test", "http://test/"),
            ("///\\//\\//test", "http://test/"),
            ("///example.org/path", "http://example.org/path"),
            ("///example.org/../path", "http://example.org/path"),
            ("///example.org/../../", "http://example.org/"),
            ("///example.org/../path/../../", "http://example.org/"),
            (
                "///example.org/../path/../../path",
                "http://example.org/path",
            ),
            ("//\\h.example:81/x?a#b", "http://h.example:81/x?a#b"),
            ("\\\\\\h.example", "http://h.example/"),
            (" \t/\n//h.example/x \r", "http://h.example/x"),
            ("//h.example/x", "http://h.example/x"),
            ("/\\h.example/x", "http://h.example/x"),
            ("http:///h.example/x", "http://h.example/x"),
            ("/x", "http://example.org/x"),
            ("///", "empty host"),
            ("///?x", "empty host"),
        ] {
            assert_eq!(joined("http://example.org/", text), expected, "{text:?}");
        }
    }

    #[test]
    fn dots_take_away_what_looks_like_a_drive() {
        let base = "http://h/C:/a/b?q#f";
        for (text, expected) in [
            ("http://h/C:/..", "http://h/"),
            ("http://h/C:/../", "http://h/"),
            ("http://h/C:/../x", "http://h/x"),
            ("http://h/C|/../x", "http://h/x"),
            ("http://h/a/C:/../x", "http://h/a/x"),
            ("http://h/a/C:/%2e%2E/.%2e/x", "http://h/x"),
            ("http://h/C:/./../D:/x/../y", "http://h/D:/y"),
            ("http:\\\\h\\C:\\..\\x", "http://h/x"),
            ("http://C:/../D:/../x", "http://c/x"),
            (
                "https://C:/D:/../x?/E:/../#/F:/..",
                "https://c/x?/E:/../#/F:/..",
            ),
            ("/C:/../x", "http://h/x"),
            ("/C:/d/../x", "http://h/C:/x"),
            ("//g/C:/../x", "http://g/x"),
            ("../x", "http://h/C:/x"),
            ("../../x", "http://h/x"),
            ("..", "http://h/C:/"),
            ("../..", "http://h/"),
            ("../../../..", "http://h/"),
            ("http:../../x", "http://h/x"),
            ("./D|/../x", "http://h/C:/a/x"),
            ("D|/../x", "http://h/C:/a/x"),
            ("?/..", "http://h/C:/a/b?/.."),
            ("x?/../..", "http://h/C:/a/x?/../.."),
            (" /C:/.\t./x\n", "http://h/x"),
            ("/C:/../é", "http://h/%C3%A9"),
            ("/C:/../%c3", "http://h/%c3"),
        ] {
            assert_eq!(joined(base, text), expected, "{text:?}");
            if text.starts_with("http") && text.contains("//") {
                let alone = parse(None, text).map(String::from);
                assert_eq!(alone.as_deref(), Ok(expected), "{text:?}");
            }
        }
    }

    #[test]
    fn a_caret_is_encoded_in_paths_alone() {
        for (text, expected) in [
            ("/a^b?a^b#a^b", "http://h/a%5Eb?a^b#a^b"),
            ("/%5e^", "http://h/%5e%5E"),
        ] {
            assert_eq!(joined("http://h/", text), expected, "{text:?}");
        }
    }

    proptest::proptest! {
        /// Text that the mistakes do not touch parses as in the crate, and a URL stays itself.
        #[test]
        fn any_text(text in "[a-cA-C:|./\\\\?#@%2eé \t]{0,14}") {
            let base = Url::parse("http://h/C:/a/b").expect("a URL");
            for base in [None, Some(&base)] {
                let Ok(url) = parse(base, &text) else { continue };
                proptest::prop_assert_eq!(parse(None, url.as_str()), Ok(url.clone()));
                let theirs = match base {
                    None => Url::parse(&text),
                    Some(base) => base.join(&text),
                };
                if let Ok(theirs) = theirs && !has_drive(theirs.path()) {
                    proptest::prop_assert_eq!(url, theirs);
                }
            }
        }
    }
}
