//! Whether options are in their ranges, told in the same words for all. `options/options.toml` says
//! what is checked.

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::time::Duration;

use crate::error::Error;

/// The time must be above zero.
pub fn above_zero(field: &str, time: Duration) -> Result<(), Error> {
    match time.is_zero() {
        true => wrong(format!("{field} is 0: it is above 0")),
        false => Ok(()),
    }
}

pub fn at_least<T: PartialOrd + Display>(field: &str, value: T, least: T) -> Result<(), Error> {
    match value < least {
        true => wrong(format!("{field} is {value}: it is at least {least}")),
        false => Ok(()),
    }
}

pub fn at_most<T: PartialOrd + Display>(field: &str, value: T, most: T) -> Result<(), Error> {
    match value > most {
        true => wrong(format!("{field} is {value}: it is {most} at most")),
        false => Ok(()),
    }
}

/// The list must not be longer than that.
pub fn entries(field: &str, count: usize, most: usize) -> Result<(), Error> {
    match count > most {
        true => wrong(format!(
            "{field} has {count} entries: it has at most {most}"
        )),
        false => Ok(()),
    }
}

pub fn statuses(field: &str, statuses: &[u16]) -> Result<(), Error> {
    let is_none = |status: &&u16| !(100..1000).contains(*status);
    match statuses.iter().find(is_none) {
        Some(status) => wrong(format!("{field} has {status}: a status has three digits")),
        None => Ok(()),
    }
}

/// A refusal, in these words.
fn wrong(why: String) -> Result<(), Error> {
    Err(Error::InvalidArgument(why))
}
