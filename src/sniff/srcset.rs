//! The value of a `srcset` or `imagesrcset`.

/// The URLs of the candidates, as written there: the HTML Standard's "parse a srcset attribute"
/// (section 4.8.4.2.2). A candidate with senseless descriptors does not count, and the next one does.
pub(super) fn candidates(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(|c: char| c.is_ascii_whitespace());
            let (url, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            if url.ends_with(',') {
                // There are no descriptors.
                return Some(url.trim_end_matches(','));
            }
            let descriptors;
            (descriptors, rest) = rest.split_at(end_of_descriptors(rest));
            if are_sound(descriptors) {
                return Some(url);
            }
        }
    })
}

/// The place of the comma that ends the descriptors, or the end of the text. Commas in parentheses end
/// nothing.
fn end_of_descriptors(text: &str) -> usize {
    let mut in_parentheses = false;
    let end = text.bytes().position(|byte| {
        match byte {
            b'(' => in_parentheses = true,
            b')' => in_parentheses = false,
            _ => {}
        }
        byte == b',' && !in_parentheses
    });
    end.unwrap_or(text.len())
}

/// Whether a candidate's descriptors state the size or density of its image at most once.
fn are_sound(descriptors: &str) -> bool {
    let (mut width, mut density, mut height) = (false, false, false);
    for descriptor in split(descriptors) {
        let Some(unit) = descriptor.chars().last() else {
            continue;
        };
        let number = &descriptor[..descriptor.len() - unit.len_utf8()];
        let is_size = || {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            digits && number.bytes().any(|byte| byte != b'0')
        };
        match unit {
            'w' if !width && !density && is_size() => width = true,
            'h' if !height && !density && is_size() => height = true,
            'x' if !width && !density && !height && is_density(number) => density = true,
            _ => return false,
        }
    }
    // A height alone is reserved for a future that did not come.
    width || !height
}

/// The descriptors in a text. White space in parentheses does not separate.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut in_parentheses = false;
    text.split(move |c: char| {
        match c {
            '(' => in_parentheses = true,
            ')' => in_parentheses = false,
            _ => {}
        }
        c.is_ascii_whitespace() && !in_parentheses
    })
    .filter(|descriptor| !descriptor.is_empty())
}

/// Whether this is one of HTML's "valid floating-point numbers", and not below 0.
fn is_density(number: &str) -> bool {
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let is_exponent = |text: &str| are_digits(text.strip_prefix(['+', '-']).unwrap_or(text));
    if !exponent.is_none_or(is_exponent) {
        return false;
    }
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let is_number = match mantissa.split_once('.') {
        Some((whole, part)) => (whole.is_empty() || are_digits(whole)) && are_digits(part),
        None => are_digits(mantissa),
    };
    // -0 is not below 0.
    is_number && (!negative || mantissa.bytes().all(|byte| matches!(byte, b'0' | b'.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The HTML Standard, section 4.8.4.2.2, in the kinds of the web platform tests
    /// (html/semantics/embedded-content/the-img-element/srcset).
    #[test]
    fn sets() {
        for (value, expected) in [
            ("", &[][..]),
            (",", &[]),
            (" , ,\t,", &[]),
            ("a", &["a"]),
            (" a ", &["a"]),
            ("a 1x", &["a"]),
            ("a 1x, b 2x", &["a", "b"]),
            ("a 1x,b 2x", &["a", "b"]),
            ("a 1x , b", &["a", "b"]),
            ("a, b", &["a", "b"]),
            // A comma is part of a URL unless white space follows.
            ("a,b", &["a,b"]),
            ("a,b 1x", &["a,b"]),
            ("a,, b", &["a", "b"]),
            (",a", &["a"]),
            ("data:,a 1x", &["data:,a"]),
            ("data:,a, b", &["data:,a", "b"]),
            ("a\n100w,\n b\u{c}200w", &["a", "b"]),
            ("a 100w 50h, b 1x", &["a", "b"]),
            ("a 50h 100w", &["a"]),
            ("a ,b", &["a", "b"]),
            (
                "a 1.5x, b .5x, c 1e3x, d 1E-3x, e -0x, f 0x",
                &["a", "b", "c", "d", "e", "f"],
            ),
            // These make no sense.
            ("a foo", &[]),
            ("a foo, b 1x", &["b"]),
            ("a 1x 2x", &[]),
            ("a 1w 2w", &[]),
            ("a 1w 1x", &[]),
            ("a 1x 1w", &[]),
            ("a 1h", &[]),
            ("a 1h 1h 1w", &[]),
            ("a 1h 1x", &[]),
            ("a 0w", &[]),
            ("a 0w, b", &["b"]),
            ("a 00w", &[]),
            ("a -1w", &[]),
            ("a +1w", &[]),
            ("a 1.0w", &[]),
            ("a 1e0w", &[]),
            ("a 1W", &[]),
            ("a 1X", &[]),
            ("a -1x", &[]),
            ("a +1x", &[]),
            ("a 1.x", &[]),
            ("a .x", &[]),
            ("a x", &[]),
            ("a 1e x", &[]),
            ("a NaNx", &[]),
            ("a Infinityx", &[]),
            ("a 1 x", &[]),
            ("a 1xx", &[]),
            ("a é", &[]),
            // Parentheses are reserved for a future that did not come either.
            ("a (, 1x), b 1x", &["b"]),
            ("a (b c, d 1x, e", &[]),
            ("a ( , b 1x), c", &["c"]),
            ("a (x) 1x, b", &["b"]),
        ] {
            let found: Vec<_> = candidates(value).collect();
            assert_eq!(found, expected, "{value:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_set(value in "(a|b,|,| |1x|2w|3h|\\(|\\)|\t|é|0|-|\\.|e){0,20}") {
            for url in candidates(&value) {
                proptest::prop_assert!(!url.is_empty() && value.contains(url));
                proptest::prop_assert!(!url.contains([' ', '\t']) && !url.starts_with(','));
            }
        }
    }

    #[test]
    fn stays_linear() {
        for piece in ["a,", ",", "a 1x,", "a (", " ", "a ", "(", "1x "] {
            candidates(&piece.repeat(500_000)).for_each(drop);
        }
    }
}
