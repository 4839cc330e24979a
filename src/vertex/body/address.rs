//! Tells addresses and data URLs from other texts, also from the beginning of a text.

/// The longest scheme of an address, so that few bytes of a text tell whether it may be one.
const MAX_SCHEME_BYTES: usize = 64;

/// Bytes of a text after which it is decided how it begins: a scheme and `://`.
pub(super) const BYTES_THAT_DECIDE: usize = MAX_SCHEME_BYTES + 3;

/// How a text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// As `data:`.
    DataUrl,
    /// As `scheme://`.
    Address,
    /// As neither, whatever follows.
    Other,
    /// As what, the bytes that follow tell.
    Unknown,
}

impl Beginning {
    /// How a text begins that may go on.
    pub(super) fn of(text: &[u8]) -> Self {
        let data = b"data:";
        let common = text.len().min(data.len());
        if text.iter().zip(data).all(|(a, b)| a.eq_ignore_ascii_case(b)) {
            return if common == data.len() { Self::DataUrl } else { Self::Unknown };
        }
        Self::of_address(text)
    }

    /// The same, whether or not a data URL is nothing else.
    pub(super) fn of_address(text: &[u8]) -> Self {
        let scheme = scheme_bytes(text);
        let rest = text.get(scheme..).unwrap_or_default();
        match scheme {
            _ if scheme > MAX_SCHEME_BYTES => Self::Other,
            _ if rest.is_empty() => Self::Unknown,
            0 => Self::Other,
            _ if rest.starts_with(b"://") => Self::Address,
            _ if b"://".starts_with(rest) => Self::Unknown,
            _ => Self::Other,
        }
    }
}

/// Number of bytes that may be a scheme (RFC 3986 section 3.1), counted to one more than one has.
fn scheme_bytes(text: &[u8]) -> usize {
    let mark = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-');
    text.iter().take(MAX_SCHEME_BYTES + 1).take_while(mark).count()
}

/// Whether a text is a data URL (RFC 2397); the scheme is case-insensitive.
pub(super) fn is_data_url(text: &str) -> bool {
    text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

/// Whether a text begins with a scheme and `://`.
pub(super) fn begins_as_address(text: &[u8]) -> bool {
    Beginning::of_address(text) == Beginning::Address
}

/// Whether a text is nothing but an address: a scheme, `://`, no blank.
pub(super) fn is_address(text: &str) -> bool {
    begins_as_address(text.as_bytes()) && !text.contains(char::is_whitespace)
}

/// Whether there is white space in the first bytes of a text; the last character may be cut.
pub(super) fn holds_blank(text: &[u8]) -> bool {
    let whole = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(cut) => {
            let good = text.get(..cut.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(good).unwrap_or_default()
        }
    };
    whole.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_a_text_is_known_after_few_bytes() {
        let long = "a".repeat(64);
        for (text, is) in [
            ("gs://b/x", true),
            ("a+b.c-1://x", true),
            ("x://", true),
            (&format!("{long}://x"), true),
            (&format!("{long}a://x"), false),
            ("://x", false),
            ("", false),
            ("a:b://x", false),
            ("a://b c", false),
            ("a://b\u{3000}c", false),
            ("see a://b", false),
            ("data://x", true),
        ] {
            assert_eq!(is_address(text), is, "{text}");
            let bytes = text.as_bytes();
            if is {
                let begins = |len: usize| Beginning::of_address(&bytes[..len]);
                assert!((0..bytes.len()).all(|len| begins(len) != Beginning::Other), "{text}");
            }
        }
        let begins = |text: &str| Beginning::of(text.as_bytes());
        assert_eq!(begins("dATa:x"), Beginning::DataUrl);
        assert_eq!(begins("dAT"), Beginning::Unknown);
        assert_eq!(begins("date"), Beginning::Unknown);
        assert_eq!(begins("dat:"), Beginning::Unknown);
        assert_eq!(begins("dat:/x"), Beginning::Other);
        for length in 0..=BYTES_THAT_DECIDE {
            let text = "a".repeat(length);
            assert_eq!(begins(&text) == Beginning::Unknown, length <= 64, "{length}");
        }
    }
}
