//! Encodes values of a log line: percent-encoding (RFC 3986 section 2.1), so that no text from
//! outside can leave its field, forge another or break the line.

use std::fmt::Write as _;

use crate::jose;

/// Most bytes of a value, without the mark of one that was cut.
pub const MAX_VALUE_BYTES: usize = 128;

/// Whether a byte stays as it is.
#[must_use]
pub const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'@' | b'/')
}

/// An upper-case hexadecimal digit; `nibble` is below 16.
#[must_use]
pub const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

/// Encodes a value, to at most [`MAX_VALUE_BYTES`] bytes.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    write(&mut out, text, MAX_VALUE_BYTES);
    out
}

/// Encodes a value; an empty one becomes `-`. One of more than `limit` bytes is cut, and ends in
/// `~` and the first digits of its SHA-256, so that two long values stay different.
pub fn write(out: &mut String, text: &str, limit: usize) {
    match text {
        "" => out.push('-'),
        "-" => out.push_str("%2D"),
        _ if text.len() <= limit && text.bytes().all(is_plain) => out.push_str(text),
        _ => {
            let start = out.len();
            for byte in text.bytes() {
                if out.len() - start + 3 > limit {
                    let digest = jose::hex(&jose::digest(text.as_bytes()));
                    let _ = write!(out, "~{}", digest.get(..8).unwrap_or_default());
                    return;
                }
                if is_plain(byte) {
                    out.push(char::from(byte));
                } else {
                    let _ = write!(out, "%{byte:02X}");
                }
            }
        }
    }
}

/// Decodes an encoded value.
#[must_use]
pub fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let (digits, after) = behind.split_at_checked(2).unwrap_or((behind, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_value_can_leave_its_field(text in ".*") {
            let encoded = encoded(&text);
            prop_assert!(!encoded.is_empty() && encoded.len() <= MAX_VALUE_BYTES + 9);
            let crooked = |c: char| !c.is_ascii_graphic() || "|\"{}= ".contains(c);
            prop_assert!(!encoded.contains(crooked), "{}", encoded);
        }
    }

    #[test]
    fn long_values_that_differ_at_the_end_stay_different() {
        let (one, two) = (encoded(&("x".repeat(300) + "1")), encoded(&("x".repeat(300) + "2")));
        assert_eq!(one.len(), two.len());
        assert_ne!(one, two);
        assert_eq!((encoded("-"), encoded("")), ("%2D".to_owned(), "-".to_owned()));
    }

    #[test]
    fn what_was_encoded_is_read_back() {
        for text in ["a b%\n", "ä\u{1f600}", "-", "plain"] {
            assert_eq!(decoded(&encoded(text)), text);
        }
    }
}
