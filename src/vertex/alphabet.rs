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
    let (mut table, mut byte) = ([0; 256], 0_u8);
    loop {
        let of_all = Alphabet::Model.bit() | Alphabet::Id.bit() | Alphabet::Path.bit();
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        let known = &mut table[byte as usize];
        *known = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => of_all | Alphabet::Lower.bit(),
            b'A'..=b'Z' | b'.' | b'_' => of_all,
            b'@' => Alphabet::Model.bit() | Alphabet::Path.bit(),
            b':' => Alphabet::Path.bit(),
            _ => 0,
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};
