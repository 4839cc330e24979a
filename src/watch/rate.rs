//! The rate of the last minutes, compared with the busiest minutes of the hours before: people and
//! jobs come in bursts, so averages say little.

use crate::watch::baseline::{Baseline, Tolerance};
use crate::watch::decay::{Second, left};

/// The half-life, in seconds, of what is counted as the last minutes.
const HALF_LIFE_SECS: u32 = 300;

/// Seconds of an hour: each hour that has requests is one observation, of its peak.
const HOUR_SECS: u32 = 3600;

#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Amount of the last minutes, decayed.
    recent: f64,
    at: Second,
    /// The largest `recent` since `hour` began.
    peak: f64,
    hour: Second,
    /// The peaks of past hours.
    baseline: Baseline,
}

/// A rate compared with the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Below half the limit, or too little is known.
    Usual,
    /// Above half the limit.
    High,
    /// Above the limit.
    Unusual,
}

impl Rate {
    pub(super) const fn new(now: Second) -> Self {
        Self { recent: 0.0, at: now, peak: 0.0, hour: now, baseline: Baseline::new(now) }
    }

    /// Adds an amount. Returns the level of the rate.
    pub(super) fn add(&mut self, amount: f64, tolerance: Tolerance, now: Second) -> Level {
        self.recent = self.recent * left(self.at.advance(now), HALF_LIFE_SECS) + amount;
        if now.since(self.hour) >= HOUR_SECS {
            self.end_hour(tolerance, now);
        }
        self.peak = self.peak.max(self.recent);
        let Some(limit) = self.baseline.limit(tolerance) else {
            return Level::Usual;
        };
        match self.recent.log2() {
            recent if recent > limit => Level::Unusual,
            recent if recent > limit - 1.0 => Level::High,
            _ => Level::Usual,
        }
    }

    fn end_hour(&mut self, tolerance: Tolerance, now: Second) {
        self.baseline.age(now);
        if self.peak > 0.0 {
            self.baseline.learn(self.peak.log2(), tolerance);
        }
        self.peak = 0.0;
        self.hour = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Monotonic;

    const TOLERANCE: Tolerance = Tolerance { deviations: 3.5, bits: 2.0, least: 3.0 };

    fn second(secs: u32) -> Second {
        Second::of(Monotonic(-7_000).plus_secs(secs.into()))
    }

    /// One a minute for a day, and at the end so many at once.
    fn at_once(count: u32) -> Level {
        let mut rate = Rate::new(second(0));
        let mut level = Level::Usual;
        for minute in 0..1440 {
            level = rate.add(1.0, TOLERANCE, second(minute * 60));
            assert_eq!(level, Level::Usual, "minute {minute}");
        }
        for _ in 0..count {
            level = rate.add(1.0, TOLERANCE, second(1439 * 60 + 1));
        }
        level
    }

    #[test]
    fn only_what_is_far_above_the_busiest_minutes_before_is_unusual() {
        // One a minute is 7.7 in the last minutes.
        assert_eq!(at_once(5), Level::Usual);
        assert_eq!(at_once(20), Level::High);
        assert_eq!(at_once(60), Level::Unusual);
    }

    #[test]
    fn a_rate_that_lasts_becomes_usual() {
        let mut rate = Rate::new(second(0));
        let mut unusual = Vec::new();
        for minute in 0..14 * 1440 {
            let now = second(minute * 60);
            let times = if minute < 2 * 1440 { 1 } else { 10 };
            for _ in 0..times {
                if rate.add(1.0, TOLERANCE, now) == Level::Unusual {
                    unusual.push(minute);
                }
            }
        }
        let days: Vec<_> = unusual.iter().map(|minute| minute / 1440).collect();
        assert_eq!(days.first(), Some(&2));
        assert!(*days.last().unwrap() < 8, "{days:?}");
    }
}
