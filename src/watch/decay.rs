//! Exponential decay in closed form: the rest depends on the time that has passed, and not on how
//! often it is computed.

use crate::time::Monotonic;

/// A whole second of the monotonic clock, modulo 2^32: two of them compare correctly within 68
/// years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Second(u32);

impl Second {
    pub(super) fn of(instant: Monotonic) -> Self {
        let second = instant.0.div_euclid(1000).rem_euclid(1 << 32);
        Self(u32::try_from(second).unwrap_or_default())
    }

    /// Seconds since `earlier`; 0 if that lies ahead, as another thread's clock may have been read
    /// later.
    pub(super) fn since(self, earlier: Self) -> u32 {
        match self.0.wrapping_sub(earlier.0) {
            ahead if ahead > u32::MAX / 2 => 0,
            elapsed => elapsed,
        }
    }

    /// Moves on to `now`, never back. Returns the seconds that have passed.
    pub(super) fn advance(&mut self, now: Self) -> u32 {
        let elapsed = now.since(*self);
        if elapsed > 0 {
            *self = now;
        }
        elapsed
    }
}

/// The rest of 1 after `elapsed` seconds.
pub(super) fn left(elapsed: u32, half_life: u32) -> f64 {
    if elapsed == 0 { 1.0 } else { (-f64::from(elapsed) / f64::from(half_life)).exp2() }
}

/// Converts to a float; more than `u32::MAX` is far above every limit anyhow.
pub(super) fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn splitting_an_interval_changes_nothing(
            parts in prop::collection::vec(0_u32..100_000, 1..20),
            half_life in 60_u32..1_000_000,
        ) {
            let whole = left(parts.iter().sum(), half_life);
            let split: f64 = parts.iter().map(|part| left(*part, half_life)).product();
            prop_assert!((whole - split).abs() <= 1e-12 * whole, "{} {}", whole, split);
        }

        #[test]
        fn seconds_differ_by_what_has_passed_wherever_the_clock_began(
            start in any::<i32>(),
            passed in 0_u32..1_000_000_000,
        ) {
            let begin = i64::from(start) * 1_000_000;
            let (one, two) = (Monotonic(begin), Monotonic(begin).plus_secs(passed.into()));
            prop_assert_eq!(Second::of(two).since(Second::of(one)), passed);
            prop_assert_eq!(Second::of(one).since(Second::of(two)), 0);
        }
    }
}
