//! One log line for each change of how an issuer or a credential is. What goes to and fro tells
//! each of its conditions once a minute, with how often it has changed meanwhile.

use log::Level;

use crate::time::Monotonic;

/// The same condition of the same thing is told again after this at the earliest.
const QUIET_MILLIS: i64 = 60_000;

/// How a thing is, as far as an operator has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Condition {
    /// Nobody can tell yet.
    Starting,
    /// It serves, and is renewed in time.
    Ready,
    /// It could not be renewed; what there is serves on, if there is anything.
    Failing,
    /// What there was serves no more.
    Spent,
}

impl Condition {
    const COUNT: usize = 4;

    const fn place(self) -> usize {
        match self {
            Self::Starting => 0,
            Self::Ready => 1,
            Self::Failing => 2,
            Self::Spent => 3,
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Starting | Self::Ready => Level::Info,
            Self::Failing => Level::Warn,
            Self::Spent => Level::Error,
        }
    }
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct Line {
    pub(in crate::gateway) level: Level,
    pub(in crate::gateway) text: String,
}

/// One thing whose condition is looked at.
#[derive(Debug)]
pub(in crate::gateway) struct Watched {
    /// What lines call it, as `issuer corp`.
    name: String,
    condition: Condition,
    is_told: bool,
    told_at: [Option<Monotonic>; Condition::COUNT],
    /// Since when it has not been ready.
    away_since: Option<Monotonic>,
    /// Changes since the latest line that had none of their own.
    untold: u32,
}

impl Watched {
    pub(in crate::gateway) const fn new(name: String) -> Self {
        Self {
            name,
            condition: Condition::Starting,
            is_told: true,
            told_at: [None; Condition::COUNT],
            away_since: None,
            untold: 0,
        }
    }

    /// The line that is due now, if one is; `details` says more of this condition.
    pub(in crate::gateway) fn look(
        &mut self,
        condition: Condition,
        details: impl FnOnce() -> String,
        now: Monotonic,
    ) -> Option<Line> {
        if condition != self.condition {
            if !self.is_told {
                self.untold = self.untold.saturating_add(1);
            }
            self.condition = condition;
            self.is_told = condition == Condition::Starting;
            if matches!(condition, Condition::Failing | Condition::Spent) {
                self.away_since = self.away_since.or(Some(now));
            }
        }
        let told_at = self.told_at.get_mut(condition.place())?;
        let is_quiet = told_at.is_some_and(|at| now.millis_since(at) < QUIET_MILLIS);
        if self.is_told || is_quiet {
            return None;
        }
        *told_at = Some(now);
        self.is_told = true;
        let back = match condition {
            Condition::Ready => self.away_since.take().map_or_else(String::new, |since| {
                format!("recovered after {} s, ", now.millis_since(since) / 1000)
            }),
            _ => String::new(),
        };
        let untold = match std::mem::take(&mut self.untold) {
            0 => String::new(),
            count => format!("; {count} earlier changes not logged"),
        };
        let text = format!("{}: {back}{}{untold}", self.name, details());
        Some(Line { level: condition.level(), text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of what is due when the thing is so at these seconds.
    fn told(seen: &[(i64, Condition)]) -> Vec<(i64, String)> {
        let mut thing = Watched::new("issuer corp".to_owned());
        let look = |(secs, condition): &(i64, Condition)| {
            let at = Monotonic(7_000 + secs * 1000);
            let line = thing.look(*condition, || format!("{condition:?}"), at)?;
            assert_eq!(line.level, condition.level());
            Some((*secs, line.text))
        };
        seen.iter().filter_map(look).collect()
    }

    fn line(secs: i64, text: &str) -> (i64, String) {
        (secs, format!("issuer corp: {text}"))
    }

    use Condition::{Failing, Ready, Spent, Starting};

    #[test]
    fn each_change_is_one_line() {
        let seen = [
            (0, Starting),
            (1, Ready),
            (2, Ready),
            (900, Failing),
            (905, Failing),
            (90_000, Spent),
            (90_100, Spent),
            (90_101, Ready),
            (90_102, Ready),
        ];
        let lines = [
            line(1, "Ready"),
            line(900, "Failing"),
            line(90_000, "Spent"),
            line(90_101, "recovered after 89201 s, Ready"),
        ];
        assert_eq!(told(&seen), lines);
    }

    #[test]
    fn what_goes_to_and_fro_is_told_once_a_minute_with_how_often() {
        let flaps = (0..120).map(|n| (n, if n % 2 == 0 { Ready } else { Failing }));
        let seen: Vec<_> = flaps.chain([(120, Ready), (121, Ready), (500, Ready)]).collect();
        let lines = [
            line(0, "Ready"),
            line(1, "Failing"),
            line(60, "recovered after 59 s, Ready; 58 earlier changes not logged"),
            line(61, "Failing"),
            line(120, "recovered after 59 s, Ready; 58 earlier changes not logged"),
        ];
        assert_eq!(told(&seen), lines);
    }

    #[test]
    fn a_condition_that_came_too_soon_is_told_when_it_still_holds_a_minute_later() {
        let seen = [(0, Ready), (10, Failing), (12, Ready), (30, Ready), (59, Ready), (60, Ready)];
        let lines =
            [line(0, "Ready"), line(10, "Failing"), line(60, "recovered after 50 s, Ready")];
        assert_eq!(told(&seen), lines);
    }
}
