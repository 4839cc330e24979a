//! The grammar of numbers (RFC 8259 section 6), byte by byte, and what a number counts.

/// Where in a number its last byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    Minus,
    /// A zero in front, which no digit follows.
    Zero,
    Integer,
    Point,
    Fraction,
    ExponentMark,
    ExponentSign,
    Exponent,
}

impl Digits {
    /// The first byte of a number.
    pub(super) const fn first(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Integer),
            _ => None,
        }
    }

    /// The next byte, if it belongs to the number.
    pub(super) const fn then(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus | Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::ExponentMark),
            (Self::ExponentMark, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::ExponentMark | Self::ExponentSign | Self::Exponent, b'0'..=b'9') => {
                Some(Self::Exponent)
            }
            _ => None,
        }
    }

    /// Whether a number may end here.
    pub(super) const fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Exponent)
    }
}

/// Longest number that is looked into: a count has 20 digits at most.
const MAX_BYTES: usize = 64;

/// The value of a number, if it is a count: `100`, `100.0`, `1e2`.
pub(super) fn count(number: &[u8]) -> Option<u64> {
    let text = str::from_utf8(number).ok().filter(|text| text.len() <= MAX_BYTES)?;
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

/// The value of a float that is whole, not negative and no more than an integer holds.
fn whole(value: f64) -> Option<u64> {
    // IEEE 754: a sign, 11 bits of exponent, 52 of the significand, whose first bit is not written.
    let bits = value.to_bits();
    let significand = (bits & ((1 << 52) - 1)) | (1 << 52);
    let exponent = u32::try_from(bits >> 52).ok()?;
    match exponent {
        0 if bits == 0 => Some(0),
        // Below 2^53: bits after the point are none, or it is not whole.
        1023..=1075 if value.fract() == 0.0 => significand.checked_shr(1075 - exponent),
        1076..=1086 => significand.checked_shl(exponent - 1075),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_not_negative() {
        for (number, want) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("100.0", Some(100)),
            ("1e2", Some(100)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-0", None),
            ("-1", None),
            ("1.5", None),
            ("1e999", None),
            ("0.0", Some(0)),
            ("-0.0", None),
            ("0e5", Some(0)),
            ("5e-1", None),
            ("5e-324", None),
            ("1.0", Some(1)),
            ("3.0", Some(3)),
            ("12e-1", None),
            ("2251799813685248.5", None),
            ("9007199254740992.0", Some(1 << 53)),
            ("9007199254740994.0", Some((1 << 53) + 2)),
            ("9223372036854775808.0", Some(1 << 63)),
            ("18446744073709549568.0", Some(u64::MAX - 2047)),
            ("1e19", Some(10_000_000_000_000_000_000)),
            ("1e20", None),
        ] {
            assert_eq!(count(number.as_bytes()), want, "{number}");
        }
        let long = |zeros: usize| count(format!("1.{}", "0".repeat(zeros)).as_bytes());
        assert_eq!((long(62), long(63)), (Some(1), None));
    }
}
