//! The alphabets of what stands in a path, one look-up a byte.

/// Which characters a text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Lower-case letters, digits, `-`.
    Lower,
    /// Letters, digits, `-._@`.
    Model,
    /// Letters, digits, `-._`.
    Id,
    /// Letters, digits, `-._:@`.
    Path,
}

impl Alphabet {
    /// Whether it has this character.
    pub(super) fn has(self, byte: u8) -> bool {
        TABLE.get(usize::from(byte)).is_some_and(|known| known & self.bit() != 0)
    }

    /// The bits of those that have this character.
    const fn of(byte: u8) -> u8 {
        let of_all = Self::Model.bit() | Self::Id.bit() | Self::Path.bit();
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => of_all | Self::Lower.bit(),
            b'A'..=b'Z' | b'.' | b'_' => of_all,
            b'@' => Self::Model.bit() | Self::Path.bit(),
            b':' => Self::Path.bit(),
            _ => 0,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Lower => 1,
            Self::Model => 2,
            Self::Id => 4,
            Self::Path => 8,
        }
    }
}

static TABLE: [u8; 256] = {
    let (mut table, mut byte, mut index) = ([0; 256], 0_u8, 0_usize);
    while index < table.len() {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        let known = &mut table[index];
        *known = Alphabet::of(byte);
        (byte, index) = (byte.wrapping_add(1), index + 1);
    }
    table
};
