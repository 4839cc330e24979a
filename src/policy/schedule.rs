//! Times of the week. There is no table of time zones: an offset from UTC holds in winter and
//! summer.

use crate::time::UnixTime;

const MINUTES_A_DAY: i64 = 24 * 60;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A span of the day, on some days of the week. If it ends before it begins, it ends on the next
/// day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The days on which it begins.
    pub days: Vec<Day>,
    /// The first minute of the day.
    pub from: u16,
    /// The first minute that is no longer within.
    pub to: u16,
    /// Local time's offset from UTC, in minutes; positive if ahead.
    pub utc_offset: i16,
}

impl Day {
    /// Monday first.
    pub const ALL: [Self; 7] =
        [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// The weekday of this many days after 1 January 1970, a Thursday.
    fn after_epoch(days: i64) -> Self {
        match days.rem_euclid(7) {
            0 => Self::Thu,
            1 => Self::Fri,
            2 => Self::Sat,
            3 => Self::Sun,
            4 => Self::Mon,
            5 => Self::Tue,
            _ => Self::Wed,
        }
    }
}

impl Schedule {
    /// Reads `HH:MM`, `24:00` included, as a minute of the day.
    #[must_use]
    pub fn minute(text: &str) -> Option<u16> {
        let (hours, minutes) = text.split_once(':')?;
        let two_digits = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<u16>().ok())?
        };
        let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
        let minute = hours * 60 + minutes;
        (minutes < 60 && i64::from(minute) <= MINUTES_A_DAY).then_some(minute)
    }

    pub(super) fn holds_at(&self, now: UnixTime) -> bool {
        let local = now.0.div_euclid(60) + i64::from(self.utc_offset);
        let (days, minute) = (local.div_euclid(MINUTES_A_DAY), local.rem_euclid(MINUTES_A_DAY));
        let begins_on = |days: i64| self.days.contains(&Day::after_epoch(days));
        let (from, to) = (i64::from(self.from), i64::from(self.to));
        if from < to {
            return begins_on(days) && (from..to).contains(&minute);
        }
        (begins_on(days) && minute >= from) || (begins_on(days - 1) && minute < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wednesday, 25 November 2026, 00:00 UTC.
    const WEDNESDAY: i64 = 1_795_564_800;

    fn holds(schedule: &Schedule, hours: i64, minutes: i64) -> bool {
        schedule.holds_at(UnixTime(WEDNESDAY + (hours * 60 + minutes) * 60))
    }

    #[test]
    fn a_window_begins_with_its_first_minute_and_ends_before_its_last() {
        let schedule = Schedule { days: vec![Day::Wed], from: 8 * 60, to: 18 * 60, utc_offset: 0 };
        assert!(!holds(&schedule, 7, 59) && holds(&schedule, 8, 0));
        assert!(holds(&schedule, 17, 59) && !holds(&schedule, 18, 0));
        assert!(!holds(&schedule, 24 + 9, 0) && !holds(&schedule, 9 - 24, 0));
        let berlin = Schedule { utc_offset: 60, ..schedule };
        assert!(holds(&berlin, 7, 0) && !holds(&berlin, 17, 0));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
        let schedule = Schedule { days: vec![Day::Wed], from: 22 * 60, to: 6 * 60, utc_offset: 0 };
        assert!(!holds(&schedule, 5, 0) && !holds(&schedule, 21, 59));
        assert!(holds(&schedule, 22, 0) && holds(&schedule, 29, 59) && !holds(&schedule, 30, 0));
    }

    #[test]
    fn reads_minutes() {
        assert_eq!(Schedule::minute("08:30"), Some(510));
        assert_eq!(Schedule::minute("24:00"), Some(1440));
        for wrong in ["8:30", "08:60", "24:01", "08.30", "", "+8:30", "08:3x"] {
            assert_eq!(Schedule::minute(wrong), None, "{wrong}");
        }
    }
}
