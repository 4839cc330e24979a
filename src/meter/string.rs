//! Reads JSON strings: those that are needed are kept, unescaped, up to a bound; the others are
//! skipped at memory speed.

use memchr::memchr2;

/// Most bytes of a string that are kept.
const MAX_BYTES: usize = 64;

/// The use of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The name of a member that may be needed.
    Name,
    /// The name of another member.
    NameSkipped,
    /// A value that is needed.
    Value,
    /// Another value; only whether it is empty matters.
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    /// After a backslash.
    Begun,
    /// Within `\uXXXX`: number of digits to come, and the value of those read.
    Hex(u8, u32),
}

/// A string, or the digits of a number.
#[derive(Clone, Debug)]
pub(super) struct Text {
    purpose: Purpose,
    escape: Escape,
    bytes: [u8; MAX_BYTES],
    len: usize,
    /// Whether more was read than is kept.
    is_cut: bool,
    /// Number of skipped bytes, without escapes.
    skipped: u64,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self {
            purpose: Purpose::Skipped,
            escape: Escape::None,
            bytes: [0; MAX_BYTES],
            len: 0,
            is_cut: false,
            skipped: 0,
        }
    }

    /// Clears the kept bytes.
    pub(super) const fn clear(&mut self) {
        self.len = 0;
        self.is_cut = false;
        self.skipped = 0;
    }

    /// Begins a string, after its quotation mark.
    pub(super) const fn open(&mut self, purpose: Purpose) {
        self.clear();
        self.purpose = purpose;
        self.escape = Escape::None;
    }

    /// Reads the next bytes. At the end of the string `done` gets the kept bytes and whether there
    /// were more. Returns the bytes after the string, or `None` if it continues.
    pub(super) fn feed<'b>(
        &mut self,
        bytes: &'b [u8],
        done: impl FnOnce(Purpose, &[u8], bool),
    ) -> Option<&'b [u8]> {
        let mut rest = bytes;
        loop {
            if self.escape != Escape::None {
                let (byte, tail) = rest.split_first()?;
                rest = if self.escaped(*byte) { tail } else { rest };
                continue;
            }
            if matches!(self.purpose, Purpose::Skipped | Purpose::NameSkipped) {
                rest = self.skip(rest);
            }
            let Some(at) = find_mark(rest) else {
                self.keep(rest);
                return None;
            };
            let (piece, after) = rest.split_at(at);
            let (mark, after) = after.split_first()?;
            if *mark == b'"' {
                match self.purpose {
                    // A string in one piece need not be copied.
                    Purpose::Name | Purpose::Value if self.len == 0 && piece.len() <= MAX_BYTES => {
                        done(self.purpose, piece, self.is_cut);
                    }
                    _ => {
                        self.keep(piece);
                        self.kept(|text, is_cut| done(self.purpose, text, is_cut));
                    }
                }
                return Some(after);
            }
            self.keep(piece);
            self.escape = Escape::Begun;
            rest = after;
        }
    }

    /// Skips what has come of a string that is not read; what begins at its closing quotation mark or
    /// at half an escape is left.
    fn skip<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (mut rest, mut escaped) = (bytes, 0_u64);
        while let Some(at) = find_mark(rest) {
            rest = rest.get(at..).unwrap_or_default();
            let [b'\\', _, after @ ..] = rest else { break };
            rest = after;
            escaped += 1;
        }
        let left = match rest {
            [b'"' | b'\\', ..] => rest,
            _ => &[],
        };
        let came = u64::try_from(bytes.len() - left.len()).unwrap_or(0);
        self.is_cut |= came > 0;
        // An escape is one character, as a byte otherwise.
        self.skipped = self.skipped.saturating_add(came - escaped);
        left
    }

    /// Keeps bytes; of a string that is not needed, only whether there are any.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        if matches!(self.purpose, Purpose::Skipped | Purpose::NameSkipped) {
            self.is_cut |= !bytes.is_empty();
            self.skipped = self.skipped.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
            return;
        }
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let count = bytes.len().min(room.len());
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
        self.len += count;
        self.is_cut |= count < bytes.len();
    }

    /// Number of bytes of a string that was skipped.
    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Passes the kept bytes on.
    pub(super) fn kept(&self, done: impl FnOnce(&[u8], bool)) {
        done(self.bytes.get(..self.len).unwrap_or_default(), self.is_cut);
    }

    /// Reads a byte of an escape (RFC 8259 section 7). Returns whether it is valid.
    fn escaped(&mut self, byte: u8) -> bool {
        let is_kept = matches!(self.purpose, Purpose::Name | Purpose::Value);
        match (self.escape, byte) {
            (Escape::Begun, b'u') if is_kept => self.escape = Escape::Hex(4, 0),
            (Escape::Begun, _) => {
                self.escape = Escape::None;
                self.keep(&[match byte {
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => other,
                }]);
            }
            (Escape::Hex(left, value), _) => {
                let Some(digit) = char::from(byte).to_digit(16) else {
                    // Not a valid escape, so the text is none that is compared.
                    self.escape = Escape::None;
                    self.is_cut = true;
                    return false;
                };
                let value = value << 4 | digit;
                self.escape = Escape::Hex(left - 1, value);
                if left == 1 {
                    self.escape = Escape::None;
                    // Half a surrogate pair is no character; no text that is compared holds one.
                    let char = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
                    self.keep(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            (Escape::None, _) => {}
        }
        true
    }
}

/// The index of the next quotation mark or backslash. Most strings are short: the first bytes are
/// compared here, eight at a time, before the search that is faster from some dozens on.
fn find_mark(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    for before in [0, 8] {
        let Some((word, tail)) = rest.split_first_chunk::<8>() else { break };
        let word = u64::from_le_bytes(*word);
        let marks = zero_bytes(word ^ (ONES * 0x22)) | zero_bytes(word ^ (ONES * 0x5C));
        if marks != 0 {
            return usize::try_from(marks.trailing_zeros() / 8).ok().map(|at| before + at);
        }
        rest = tail;
    }
    let before = bytes.len() - rest.len();
    memchr2(b'"', b'\\', rest).map(|at| before + at)
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// Sets the lowest bit in the first byte of `word` that is zero.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn marks_are_found_wherever_they_are(bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), Just(b'x'), Just(b'\"'), Just(b'\\')], 0..50,
        )) {
            let slow = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            prop_assert_eq!(find_mark(&bytes), slow);
        }
    }
}
