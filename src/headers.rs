//! The headers of an answer, as they came.

use std::ops::Range;

/// The headers of an answer: order, case and repeats kept.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// The header lines, one behind the other.
    text: Vec<u8>,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    name: Range<u32>,
    value: Range<u32>,
}

impl Headers {
    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Each header's name and value; a value need not be UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // `push` lets only ASCII into a name.
        self.lines()
            .map(|(name, value)| (std::str::from_utf8(name).unwrap_or_default(), value))
    }

    /// The value of the first header of that name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.lines()
            .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Each header's name and value, as bytes.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| {
            (
                &self.text[range(&line.name)],
                &self.text[range(&line.value)],
            )
        })
    }

    /// The bytes held.
    pub(crate) fn size(&self) -> usize {
        self.text.len()
    }

    /// Takes in one line as received, its end included. A line that is none, such as the empty
    /// one at the end, is passed over; a folded one (RFC 9112, section 5.2) goes on the one before.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        if self.lines.capacity() == 0 {
            // What most answers need: no growing step by step.
            self.lines.reserve(16);
            self.text.reserve(512);
        }
        let start = self.text.len();
        let folded = line
            .first()
            .is_some_and(|first| matches!(first, b' ' | b'\t'));
        if folded && let Some(last) = self.lines.last_mut() {
            self.text.push(b' ');
            self.text.extend_from_slice(line.trim_ascii());
            last.value.end = self.text.len() as u32;
            return;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return;
        };
        let name = line[..colon].trim_ascii_end();
        let value = line[colon + 1..].trim_ascii_start();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return;
        }
        self.text.extend_from_slice(name);
        let middle = self.text.len();
        self.text.extend_from_slice(value);
        self.lines.push(Line {
            name: start as u32..middle as u32,
            value: middle as u32..self.text.len() as u32,
        });
    }

    #[cfg(not(feature = "isahc"))]
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
    }
}

fn range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_case_and_repeats() {
        let mut headers = Headers::default();
        for line in [
            "Set-Cookie: a=1\r\n",
            "X-Empty:\r\n",
            "set-cookie:  b=2 \r\n",
            "\r\n",
            "no colon\r\n",
        ] {
            headers.push(line.as_bytes());
        }
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(
            all,
            [
                ("Set-Cookie", &b"a=1"[..]),
                ("X-Empty", b""),
                ("set-cookie", b"b=2")
            ]
        );
        assert_eq!(headers.get("SET-COOKIE"), Some(&b"a=1"[..]));
        assert_eq!(headers.get("missing"), None);
    }

    #[test]
    fn joins_folded_lines() {
        let mut headers = Headers::default();
        headers.push(b" orphan: not a header's second line\r\n");
        headers.push(b"X-Long: one\r\n");
        headers.push(b"\t two\r\n");
        assert_eq!(headers.get("x-long"), Some(&b"one two"[..]));
    }
}
