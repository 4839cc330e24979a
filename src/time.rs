//! Time as a value. Nothing in this crate reads a clock but the host's edge (`lua`).

use std::ops::{Add, Sub};

/// Seconds since 1970-01-01T00:00:00Z, as in RFC 7519's `NumericDate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub i64);

/// Milliseconds of a clock that never steps; its zero means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub i64);

/// Both clocks, read at one instant: dates are compared with `wall`, durations with `mono`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which may be stepped.
    pub wall: UnixTime,
    /// The clock for durations.
    pub mono: Monotonic,
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
    /// This instant and `secs` more; negative moves back.
    #[must_use]
    pub fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1000)))
    }

    /// Milliseconds since `earlier`.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}
