//! HAProxy's version, as far as its configuration language depends on it.

/// A version of HAProxy like `2.6.12`, without a distribution's suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// The first version in which `lua-load` and `lua-load-per-thread` go together.
    pub const V3_0: Self = Self { major: 3, minor: 0, patch: 0 };
    /// The first version that sets the SNI of a server by itself.
    pub const V3_3: Self = Self { major: 3, minor: 3, patch: 0 };
    /// The first version that drops the word of an unset variable.
    pub(super) const V2_7: Self = Self { major: 2, minor: 7, patch: 0 };

    /// Parses `2.6.12-1+deb12u4` or `3.2`. `None` for a development version, which precedes its
    /// number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains("-dev") {
            return None;
        }
        let numbers = text.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?;
        let mut numbers = numbers.split('.').map(str::parse::<u32>);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let patch = numbers.next().transpose().ok()?.unwrap_or(0);
        Some(Self { major, minor, patch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let version = |text| Version::parse(text).expect("a version");
        assert!(version("2.6.12-1+deb12u4") > version("2.6"));
        assert!(version("2.10") > version("2.9.9"));
        assert_eq!(version("3.0.0"), Version::V3_0);
        assert_eq!(version("3.2.26-1"), version("3.2.26"));
        for unknown in ["", "3", "x", "3.5-dev5", "3.x"] {
            assert_eq!(Version::parse(unknown), None, "{unknown}");
        }
    }
}
