//! Reading queries, and writing JSON strings.

use std::str::FromStr;

/// The query of a request, without its `?`.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a>(pub &'a str);

impl Query<'_> {
    /// The values of a key, percent-decoded (a `+` stays one).
    pub fn all(self, key: &str) -> impl Iterator<Item = Vec<u8>> {
        self.0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(move |(name, _)| *name == key)
            .map(|(_, value)| percent_decode(value))
    }

    /// The first value of a key, percent-decoded.
    pub fn get(self, key: &str) -> Option<Vec<u8>> {
        self.all(key).next()
    }

    /// The number a key has, or `default` without the key or with something else.
    pub fn number<T: FromStr>(self, key: &str, default: T) -> T {
        self.get(key)
            .and_then(|value| String::from_utf8(value).ok()?.parse().ok())
            .unwrap_or(default)
    }
}

/// The bytes a percent-encoded text stands for; a `%` that is not followed by two digits stays.
fn percent_decode(text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while i < text.len() {
        let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
        match (text[i], digit(i + 1), digit(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                i += 3;
            }
            (byte, ..) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    out
}

/// A JSON string; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn json_string(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for letter in String::from_utf8_lossy(bytes).chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\0'..='\x1F' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query("url=/%E9%C3%A9%zz+%&n=12&n=x&set=a=b%3D");
        assert_eq!(query.get("url").unwrap(), b"/\xE9\xC3\xA9%zz+%");
        assert_eq!(query.number("n", 0), 12);
        assert_eq!(query.number("m", 7), 7);
        assert_eq!(query.all("n").count(), 2);
        assert_eq!(query.get("set").unwrap(), b"a=b=");
        assert_eq!(Query("").get("a"), None);
    }

    #[test]
    fn json_strings_are_escaped() {
        assert_eq!(json_string(b"a\"\\\n\xE9"), "\"a\\\"\\\\\\u000a\u{FFFD}\"");
    }
}
