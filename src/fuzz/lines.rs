//! The input of a target, read line by line.

use std::borrow::Cow;

/// The bytes up to the end of a line or of the input, which then continues behind it.
pub(crate) fn line<'a>(input: &mut &'a [u8]) -> &'a [u8] {
    let mut parts = input.splitn(2, |&byte| byte == b'\n');
    let line = parts.next().unwrap_or_default();
    *input = parts.next().unwrap_or_default();
    line
}

/// The same as text.
pub(crate) fn text_line<'a>(input: &mut &'a [u8]) -> Cow<'a, str> {
    String::from_utf8_lossy(line(input))
}

/// A line that may be missing; an empty one counts as missing.
pub(crate) fn maybe_line<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    Some(line(input)).filter(|line| !line.is_empty())
}
