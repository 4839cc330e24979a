//! A short text of an answer, in the log's encoding.

use std::fmt;

use crate::log_value::{hex_digit, is_plain};

/// Most bytes of a value in the log, percent-encoding included.
pub(super) const MAX_BYTES: usize = 64;

/// The last byte of a text that was cut; it stands nowhere else.
const CUT: u8 = b'~';

/// A text of 1 to 64 bytes of `[A-Za-z0-9._:@/-]` and `%XX`; one that was cut ends in `~`. It is
/// encoded as soon as it is read, so that no answer can forge a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LogText {
    bytes: [u8; MAX_BYTES],
    len: usize,
}

impl LogText {
    /// Percent-encodes `raw`; `None` for an empty text. `is_cut` tells that `raw` was cut.
    #[must_use]
    pub fn new(raw: &[u8], is_cut: bool) -> Option<Self> {
        let mut text = Self { bytes: [0; MAX_BYTES], len: 0 };
        let mut fits = !is_cut;
        for byte in raw {
            let whole = match is_plain(*byte) && raw != b"-" {
                true => text.push(&[*byte]),
                false => text.push(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 15)]),
            };
            if !whole {
                fits = false;
                break;
            }
        }
        if !fits {
            text.len = text.len.min(MAX_BYTES - 1);
            text.drop_half_an_escape();
            // Equal texts are equal in all their bytes.
            text.bytes.get_mut(text.len..).unwrap_or_default().fill(0);
            text.push(&[CUT]);
        }
        (text.len > 0).then_some(text)
    }

    /// The text as the log holds it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("-")
    }

    /// Appends all of `bytes`, or nothing if they do not fit.
    fn push(&mut self, bytes: &[u8]) -> bool {
        let end = self.len + bytes.len();
        let Some(room) = self.bytes.get_mut(self.len..end) else { return false };
        room.copy_from_slice(bytes);
        self.len = end;
        true
    }

    fn drop_half_an_escape(&mut self) {
        let tail = |back: usize| self.len.checked_sub(back).and_then(|at| self.bytes.get(at));
        match (tail(1), tail(2)) {
            (Some(b'%'), _) => self.len -= 1,
            (_, Some(b'%')) => self.len -= 2,
            _ => {}
        }
    }
}

impl fmt::Debug for LogText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_can_leave_its_field(raw: Vec<u8>, is_cut: bool) {
            match LogText::new(&raw, is_cut) {
                None => prop_assert!(raw.is_empty() && !is_cut),
                Some(text) => {
                    prop_assert!((1..=MAX_BYTES).contains(&text.as_str().len()));
                    prop_assert_ne!(text.as_str(), "-");
                    let is_held = |c: char| c.is_ascii_alphanumeric() || "-._:@/%~".contains(c);
                    prop_assert!(text.as_str().chars().all(is_held), "{}", text.as_str());
                }
            }
        }
    }

    #[test]
    fn escapes_are_whole_and_long_texts_end_in_a_mark() {
        let encoded = |raw: &[u8]| LogText::new(raw, false).map(|text| text.as_str().to_owned());
        assert_eq!(encoded(b"a b=\n").as_deref(), Some("a%20b%3D%0A"));
        assert_eq!(encoded(b"-").as_deref(), Some("%2D"));
        assert_eq!(encoded(&[b'x'; 64]), Some("x".repeat(64)));
        assert_eq!(encoded(&[b'x'; 65]), Some("x".repeat(63) + "~"));
        assert_eq!(encoded(&[b' '; 22]), Some("%20".repeat(21) + "~"));
        let mut raw = vec![b'x'; 61];
        raw.extend(b" y");
        assert_eq!(encoded(&raw), Some("x".repeat(61) + "~"));
    }
}
