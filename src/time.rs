//! Time as a value. Only `host` reads a clock.

use std::ops::{Add, Sub};

/// Seconds since 1970-01-01T00:00:00Z, as in RFC 7519's `NumericDate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub i64);

/// Milliseconds of a clock that never steps; its zero has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub i64);

/// Both clocks, read at the same instant: dates are compared with `wall`, durations with `mono`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which may be stepped.
    pub wall: UnixTime,
    /// The monotonic clock.
    pub mono: Monotonic,
}

impl UnixTime {
    /// Formats the time as RFC 3339 in UTC: `2027-01-15T08:00:00Z`. Years are 1970 to 9999; a time
    /// outside becomes the nearest within.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let secs = self.0.clamp(0, LAST_SECOND);
        let (mut day, second) = (secs / SECS_A_DAY, secs % SECS_A_DAY);
        let mut year = 1970;
        while day >= days_of_year(year) {
            day -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while day >= days_of_month(year, month) {
            day -= days_of_month(year, month);
            month += 1;
        }
        let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{:02}T{hours:02}:{minutes:02}:{seconds:02}Z", day + 1)
    }

    /// Reads a time of RFC 3339, of the years 1970 to 9999; a fraction of a second is left out.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once(['T', 't'])?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let (time, zone) = rest.split_at_checked(8)?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
        let zone = match zone.strip_prefix('.') {
            Some(fraction) => {
                let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
                (zone.len() < fraction.len()).then_some(zone)?
            }
            None => zone,
        };
        let is_date = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day);
        // A leap second is one second, 60.
        if !is_date || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = (1970..year).map(days_of_year).sum::<i64>()
            + (1..month).map(|month| days_of_month(year, month)).sum::<i64>()
            + day
            - 1;
        let secs = days * SECS_A_DAY + hour * 3600 + minute * 60 + second;
        Some(Self(secs - offset_secs(zone)?))
    }
}

/// Numbers of exactly so many digits, with a separator between them.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut number = |digits: usize| {
        let part = parts.next()?;
        let is_right = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        is_right.then(|| part.parse().ok()).flatten()
    };
    let [first, second, third] = digits;
    let numbers = [number(first)?, number(second)?, number(third)?];
    parts.next().is_none().then_some(numbers)
}

/// Seconds that a time zone is ahead of UTC.
fn offset_secs(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone {
        "Z" | "z" => return Some(0),
        _ => match zone.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        },
    };
    let [hours, minutes, _] = numbers(&format!("{rest}:00"), ':', [2, 2, 2])?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

const SECS_A_DAY: i64 = 24 * 3600;

/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Add<i64> for UnixTime {
    type Output = Self;

    fn add(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs))
    }
}

impl Sub for UnixTime {
    type Output = i64;

    fn sub(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Monotonic {
    /// This time plus `secs`, which may be negative.
    #[must_use]
    pub fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1000)))
    }

    /// This time plus `millis`, which may be negative.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds since `earlier`.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times_as_rfc_3339_does() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_800_000_000, "2027-01-15T08:00:00Z"),
            (1_830_297_599, "2027-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST_SECOND, "9999-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
            (-1, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(UnixTime(secs).rfc3339(), text, "{secs}");
            let is_within = (0..=LAST_SECOND).contains(&secs);
            let read = UnixTime::parse_rfc3339(text);
            assert_eq!(read == Some(UnixTime(secs)), is_within, "{text}");
        }
    }

    #[test]
    fn reads_times_as_rfc_3339_writes_them() {
        for text in [
            "2027-01-15T08:00:00Z",
            "2027-01-15t08:00:00z",
            "2027-01-15T08:00:00.5Z",
            "2027-01-15T08:00:00.123456789Z",
            "2027-01-15T10:30:00+02:30",
            "2027-01-14T20:00:00.0-12:00",
            "2027-01-15T07:59:60Z",
        ] {
            assert_eq!(UnixTime::parse_rfc3339(text), Some(UnixTime(1_800_000_000)), "{text}");
        }
        for text in [
            "",
            "2027-01-15",
            "2027-01-15T08:00:00",
            "2027-01-15 08:00:00Z",
            "2027-01-15T08:00Z",
            "2027-01-15T08:00:00.Z",
            "2027-1-15T08:00:00Z",
            "2027-02-29T08:00:00Z",
            "2027-00-15T08:00:00Z",
            "2027-01-15T24:00:00Z",
            "2027-01-15T08:00:00+2:30",
            "2027-01-15T08:00:00+02:30:00",
            "2027-01-15T08:00:00Z ",
            "+027-01-15T08:00:00Z",
            "1969-12-31T23:59:59Z",
            "2027-01-15T08:00:\u{e9}0Z",
        ] {
            assert_eq!(UnixTime::parse_rfc3339(text), None, "{text}");
        }
    }
}
