//! The usual size of something for one principal: mean and variance on a logarithmic scale, as
//! sizes and rates spread over orders of magnitude. Old observations count less and less.

use crate::watch::decay::{Second, left};

/// Seconds after which an observation counts half: a week, so that workdays and weekends are both
/// remembered.
const HALF_LIFE_SECS: u32 = 7 * 86_400;

/// The least weight of observations, after decay, that say anything.
const MIN_WEIGHT: f64 = 4.0;

/// Weight of assumed observations with a deviation of one bit (a factor of two), as few
/// observations may have too small a variance by chance.
const PRIOR_WEIGHT: f64 = 4.0;
const PRIOR_VARIANCE: f64 = 1.0;

/// How far above the mean a value is unusual.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// Number of standard deviations.
    pub(super) deviations: f64,
    /// Least distance in bits (1 is a factor of two), for values that hardly vary.
    pub(super) bits: f64,
    /// A value below this, in bits, is never unusual.
    pub(super) least: f64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Baseline {
    /// Number of observations, each decayed.
    weight: f64,
    /// In bits: the base-2 logarithm.
    mean: f64,
    /// The sum of the squared deviations from the mean, each decayed.
    squares: f64,
    at: Second,
}

impl Baseline {
    pub(super) const fn new(now: Second) -> Self {
        Self { weight: 0.0, mean: 0.0, squares: 0.0, at: now }
    }

    /// Decays the observations up to `now`.
    pub(super) fn age(&mut self, now: Second) {
        let left = left(self.at.advance(now), HALF_LIFE_SECS);
        self.weight *= left;
        self.squares *= left;
    }

    /// The value, in bits, from which on a value is unusual; `None` while too little is known.
    pub(super) fn limit(&self, tolerance: Tolerance) -> Option<f64> {
        let squares = self.squares + PRIOR_WEIGHT * PRIOR_VARIANCE;
        let deviation = (squares / (self.weight + PRIOR_WEIGHT)).sqrt();
        let distance = tolerance.bits.max(tolerance.deviations * deviation);
        (self.weight >= MIN_WEIGHT).then(|| tolerance.least.max(self.mean + distance))
    }

    /// Adds an observation of this instant, in bits. One beyond the limit counts as the limit: a
    /// single incident does not become usual, a lasting change does. Returns whether it lies
    /// beyond.
    pub(super) fn learn(&mut self, bits: f64, tolerance: Tolerance) -> bool {
        let limit = self.limit(tolerance).unwrap_or(f64::INFINITY);
        let (bits, is_beyond) = (bits.min(limit), bits > limit);
        let distance = bits - self.mean;
        self.weight += 1.0;
        self.mean += distance / self.weight;
        self.squares += distance * (bits - self.mean);
        is_beyond
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Monotonic;

    const TOLERANCE: Tolerance = Tolerance { deviations: 3.0, bits: 2.0, least: 1.0 };

    fn second(secs: u32) -> Second {
        Second::of(Monotonic(0).plus_secs(secs.into()))
    }

    fn close(one: f64, two: f64) -> bool {
        (one - two).abs() <= 1e-9 * (1.0 + one.abs())
    }

    proptest! {
        #[test]
        fn looking_in_between_changes_nothing(
            seen in prop::collection::vec((0_u32..500_000, 0.0..40.0, 1_u32..20), 1..50),
        ) {
            let (mut once, mut often) = (Baseline::new(second(0)), Baseline::new(second(0)));
            let mut now = 0;
            for (elapsed, bits, looks) in seen {
                for look in 1..=looks {
                    often.age(second(now + elapsed / looks * look));
                }
                now += elapsed;
                for baseline in [&mut once, &mut often] {
                    baseline.age(second(now));
                    baseline.learn(bits, TOLERANCE);
                }
                prop_assert!(close(once.weight, often.weight));
                prop_assert!(close(once.mean, often.mean));
                prop_assert!(close(once.squares, often.squares));
            }
        }

        #[test]
        fn mean_and_variance_are_the_weighted_ones(
            seen in prop::collection::vec((0_u32..500_000, 5.0..7.0), 1..50),
        ) {
            let mut baseline = Baseline::new(second(0));
            let (mut now, mut all) = (0, Vec::new());
            for (elapsed, bits) in seen {
                now += elapsed;
                baseline.age(second(now));
                // No limit cuts here: all lie within two bits.
                baseline.learn(bits, TOLERANCE);
                all.push((now, bits));
            }
            let weighed = all.iter().map(|(at, bits)| (left(now - at, HALF_LIFE_SECS), bits));
            let weight: f64 = weighed.clone().map(|(weight, _)| weight).sum();
            let mean = weighed.clone().map(|(weight, bits)| weight * bits).sum::<f64>() / weight;
            let squares: f64 = weighed.map(|(weight, bits)| weight * (bits - mean).powi(2)).sum();
            prop_assert!(close(baseline.weight, weight));
            prop_assert!(close(baseline.mean, mean));
            prop_assert!(close(baseline.squares, squares));
        }
    }

    #[test]
    fn a_limit_wants_observations_and_an_outlier_hardly_moves_it() {
        let mut baseline = Baseline::new(second(0));
        for _ in 0..4 {
            assert_eq!(baseline.limit(TOLERANCE), None);
            baseline.learn(10.0, TOLERANCE);
        }
        for _ in 0..100 {
            baseline.learn(10.0, TOLERANCE);
        }
        let limit = baseline.limit(TOLERANCE).unwrap();
        assert!(close(limit, 12.0), "{limit}");
        baseline.learn(30.0, TOLERANCE);
        assert!(baseline.limit(TOLERANCE).unwrap() < 12.1);
    }
}
