//! Dates of cookies (RFC 6265, section 5.1.1).

const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

/// The date as seconds of Unix's time. `None`: it is not a date.
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let tokens = text.split(|&byte| is_delimiter(byte));
    for token in tokens.filter(|token| !token.is_empty()) {
        // A token is the first of these that it can be and that was not found before.
        let _ = time.is_none() && set(&mut time, time_of(token))
            || day.is_none() && set(&mut day, number(token, 1..=2))
            || month.is_none() && set(&mut month, month_of(token))
            || year.is_none() && set(&mut year, number(token, 2..=4));
    }
    let ((hour, minute, second), day, month) = (time?, day?, month?);
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let fits = year >= 1601 && hour <= 23 && minute <= 59 && second <= 59;
    let days = days(year, month, day).filter(|_| fits)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'/' | b';'..=b'@' | b'['..=b'`' | b'{'..=b'~')
}

/// A number of that many digits, followed by nothing or by a non-digit.
fn number(token: &[u8], digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let (value, count, _) = leading_number(token);
    digits.contains(&count).then_some(value)
}

/// The number at a token's start, its number of digits, and the rest.
fn leading_number(token: &[u8]) -> (i64, usize, &[u8]) {
    let count = token
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let value = token[..count]
        .iter()
        .take(5)
        .fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
    (value, count, &token[count..])
}

/// `1*2DIGIT ":" 1*2DIGIT ":" 1*2DIGIT`, perhaps followed by a non-digit.
fn time_of(token: &[u8]) -> Option<(i64, i64, i64)> {
    let (hour, first, rest) = leading_number(token);
    let (minute, second, rest) = leading_number(rest.strip_prefix(b":")?);
    let (seconds, third, _) = leading_number(rest.strip_prefix(b":")?);
    let all = [first, second, third];
    all.iter()
        .all(|count| (1..=2).contains(count))
        .then_some((hour, minute, seconds))
}

/// The month, from 1 on, by its first three letters.
fn month_of(token: &[u8]) -> Option<i64> {
    let start = token.get(..3)?;
    let at = MONTHS
        .iter()
        .position(|month| start.eq_ignore_ascii_case(&month[..]))?;
    Some(at as i64 + 1)
}

/// The days from 1970-01-01 to a day of the Gregorian calendar. `None`: the day does not exist.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March need no table for the day of the year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let before = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(before + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37, the date of RFC 9110, section 5.6.7.
    const THAT: i64 = 784_111_777;

    #[test]
    fn forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 6-Nov-1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 UTC",
            "Sun, 06 Nov 94 8:49:37",
            "06 november 1994 08:49:37",
            "1994 nov 06 08:49:37",
            "08:49:37 6 NOVEMBER 1994",
            "6 1994 Nov 08:49:37",
            "Nov/6/1994/08:49:37",
            "6;Nov;1994;08:49:37",
            "6th Nov 1994ad 08:49:37.000Z",
            "Sun, 06 Nov 1994 08:49:37 +0100",
            "{6} [Nov] (1994) <08:49:37>",
            "\"6\"\tNov\t'94\t08:49:37",
            "6 Nov 1994 08:49:37 7 Dec 1995 09:50:38",
            "x 6 y\u{e9} Novembre z 1994 t 08:49:37a:1",
        ] {
            assert_eq!(seconds(text.as_bytes()), Some(THAT), "{text}");
        }
    }

    #[test]
    fn years_and_days() {
        for (text, expected) in [
            ("1 Jan 1970 00:00:00", 0),
            ("1 Jan 70 00:00:00", 0),
            ("1 Jan 69 00:00:00", 3_124_224_000),
            ("31 Dec 99 23:59:59", 946_684_799),
            ("1 Jan 00 00:00:00", 946_684_800),
            ("29 Feb 2000 00:00:00", 951_782_400),
            ("29 Feb 2096 00:00:00", 3_981_312_000),
            ("1 Mar 1900 00:00:00", -2_203_891_200),
            ("1 Jan 1601 00:00:00", -11_644_473_600),
            ("31 Dec 9999 23:59:59", 253_402_300_799),
            ("19 Jan 2038 03:14:08", 1 << 31),
        ] {
            assert_eq!(seconds(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "Nov",
            "never",
            "6 Nov 1994",
            "6 Nov 08:49:37",
            "Nov 1994 08:49:37",
            "6 1994 08:49:37",
            "0 Nov 1994 08:49:37",
            "31 Nov 1994 08:49:37",
            "32 Dec 1994 08:49:37",
            "29 Feb 1900 00:00:00",
            "29 Feb 2001 00:00:00",
            "6 Nov 1600 08:49:37",
            "6 Nov 100 08:49:37",
            "6 Nov 19945 08:49:37",
            "6 Nov 1994 24:00:00",
            "6 Nov 1994 08:60:00",
            "6 Nov 1994 08:49:60",
            "6 Nov 1994 08:49",
            "6 Nov 1994 8:49:371",
            "6 Nov 1994 :49:37",
            "6 No 1994 08:49:37",
            "1994-11-06T08:49:37Z",
            "784111777",
        ] {
            assert_eq!(seconds(text.as_bytes()), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text(text: Vec<u8>) {
            seconds(&text);
        }

        #[test]
        fn a_date_is_counted_as_a_calendar_has_it(
            year in 1601i64..9999, month in 1i64..=12, day in 1i64..=28,
        ) {
            let here = days(year, month, day).expect("a day");
            let next = match (month, day) {
                (_, ..28) => days(year, month, day + 1),
                (12, _) => days(year + 1, 1, 1).map(|first| first - 3),
                _ => days(year, month + 1, 1).map(|first| {
                    let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30][month as usize - 1];
                    let leap = month == 2 && days_of_year(year) == 366;
                    first - (days - 28) - i64::from(leap)
                }),
            };
            proptest::prop_assert_eq!(next, Some(here + 1));
        }
    }

    fn days_of_year(year: i64) -> i64 {
        days(year + 1, 1, 1).expect("a day") - days(year, 1, 1).expect("a day")
    }
}
