//! Spreads what several gateways would do at the same moment.

/// Random enough for that, and for nothing else (splitmix64).
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `most`.
    pub(super) fn up_to(&mut self, most: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let count = u64::try_from(most).unwrap_or(0).saturating_add(1);
        i64::try_from(bits % count).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_their_bound_and_fill_it() {
        let mut jitter = Jitter::new(7);
        let drawn: Vec<i64> = (0..1000).map(|_| jitter.up_to(9)).collect();
        for number in 0..10 {
            assert!(drawn.contains(&number), "{number}");
        }
        assert!(drawn.iter().all(|number| (0..10).contains(number)));
        assert_eq!((jitter.up_to(0), jitter.up_to(-5)), (0, 0));
    }
}
