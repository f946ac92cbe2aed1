//! The headers of an answer, as they came.

#![forbid(unsafe_code)]

/// The headers of an answer, with their order, case and repeats.
#[derive(Clone, Default)]
pub struct Headers {
    /// Each header's `Sizes` and line. All are in one piece of memory, because one thread makes an
    /// answer and another frees it.
    lines: Vec<u8>,
    count: usize,
    /// Where the last header starts.
    last: usize,
}

/// The sizes that stand before a line: of the name, the separator and the value.
#[derive(Clone, Copy)]
struct Sizes([usize; 3]);

impl Sizes {
    const LEN: usize = 3 * size_of::<u32>();

    fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        for (bytes, size) in bytes.chunks_exact_mut(4).zip(self.0) {
            // curl accepts no head of more than some hundred kilobytes.
            bytes.copy_from_slice(&(size as u32).to_ne_bytes());
        }
        bytes
    }

    /// The sizes of the header that starts here. `None`: no header starts here.
    fn at_start(lines: &[u8]) -> Option<Self> {
        let (bytes, _) = lines.first_chunk::<{ Self::LEN }>()?.as_chunks::<4>();
        let size = |index: usize| u32::from_ne_bytes(bytes[index]) as usize;
        Some(Self([size(0), size(1), size(2)]))
    }
}

impl Headers {
    /// The number of headers.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no headers.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each header's name and value; a value need not be UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // `push` lets only ASCII into a name.
        self.lines()
            .map(|(name, value)| (std::str::from_utf8(name).unwrap_or_default(), value))
    }

    /// The value of the first header of that name, in any case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.lines()
            .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The values of all headers of that name, in any case, in their order. Together they are one list,
    /// if the header is a list (RFC 9110, section 5.3).
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The members of a list header, from all its lines (RFC 9110, section 5.6.1).
    pub(crate) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
    }

    /// The codings of the body, in the order in which they were applied (RFC 9110, section 8.4).
    pub(crate) fn codings(&self) -> impl Iterator<Item = &[u8]> {
        self.list("content-encoding")
            .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
    }

    /// Each header's name and value, as bytes.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &self.lines[..];
        std::iter::from_fn(move || {
            let Sizes([name, between, value]) = Sizes::at_start(rest)?;
            let line;
            (line, rest) = rest[Sizes::LEN..].split_at(name + between + value);
            Some((&line[..name], &line[name + between..]))
        })
    }

    /// The number of bytes held.
    pub(crate) fn size(&self) -> usize {
        self.lines.capacity()
    }

    /// Makes room for another line. `false`: no memory is left for it.
    #[cfg(not(engine = "isahc"))]
    pub(crate) fn make_room(&mut self, line: &[u8]) -> bool {
        // The first allocation suffices for most answers and saves growing step by step.
        let least = if self.lines.capacity() == 0 { 512 } else { 0 };
        let size = least.max(Sizes::LEN + line.len());
        self.lines.try_reserve(size).is_ok()
    }

    /// Takes one line as received, with its end. A line that is not a header, such as the empty one at
    /// the end, is passed over; a folded line (RFC 9112, section 5.2) continues the one before.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        if let [b' ' | b'\t', folded @ ..] = line
            && self.count > 0
        {
            return self.unfold(folded.trim_ascii_start());
        }
        // A name is visible ASCII; white space between it and the colon is tolerated.
        let end = line
            .iter()
            .position(|&byte| byte == b':' || !byte.is_ascii_graphic());
        let Some(end) = end.filter(|&end| end > 0) else {
            return;
        };
        let Some(value) = line[end..].trim_ascii_start().strip_prefix(b":") else {
            return;
        };
        let value = value.trim_ascii_start().len();
        self.last = self.lines.len();
        self.count += 1;
        let sizes = Sizes([end, line.len() - end - value, value]);
        self.lines.extend_from_slice(&sizes.to_bytes());
        self.lines.extend_from_slice(line);
    }

    /// Continues the last header's value, or begins it.
    fn unfold(&mut self, more: &[u8]) {
        let Some(Sizes([name, between, value])) = Sizes::at_start(&self.lines[self.last..]) else {
            return;
        };
        self.lines.push(b' ');
        self.lines.extend_from_slice(more);
        let sizes = match value {
            0 => [name, between + 1, more.len()],
            _ => [name, between, value + 1 + more.len()],
        };
        let place = self.last..self.last + Sizes::LEN;
        self.lines[place].copy_from_slice(&Sizes(sizes).to_bytes());
    }

    #[cfg(not(engine = "isahc"))]
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.count = 0;
    }
}

/// Whether this is a `token` (RFC 9110, section 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    let symbol = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || symbol(*byte))
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value| String::from_utf8_lossy(value).into_owned();
        f.debug_list()
            .entries(self.iter().map(|(name, value)| (name, shown(value))))
            .finish()
    }
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
        let both: Vec<_> = headers.get_all("Set-cookie").collect();
        assert_eq!(both, [b"a=1", b"b=2"]);
        assert_eq!(headers.get_all("missing").count(), 0);
    }

    #[test]
    fn joins_folded_lines() {
        let mut headers = Headers::default();
        headers.push(b" orphan: not a header's second line\r\n");
        headers.push(b"X-Long: one\r\n");
        headers.push(b"\t two\r\n");
        headers.push(b" \r\n");
        headers.push(b"X-Below:\r\n");
        headers.push(b" one\r\n");
        headers.push(b" two\r\n");
        headers.push(b"X-Last:a\r\n");
        assert_eq!(headers.get("x-long"), Some(&b"one two"[..]));
        assert_eq!(headers.get("x-below"), Some(&b"one two"[..]));
        assert_eq!(headers.get("x-last"), Some(&b"a"[..]));
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn names_are_visible_ascii() {
        let mut headers = Headers::default();
        for line in ["X Y: 1", "X\u{e9}: 1", ": 1", "X\0: 1", "X-Ok \t: 1"] {
            headers.push(line.as_bytes());
        }
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("X-Ok", &b"1"[..])]);
    }
}
