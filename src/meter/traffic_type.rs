//! The kind of traffic that an answer was served as (`trafficType`): which quota it took.

use std::fmt;

/// The longest one, in bytes; Google's are half as long.
const MAX_BYTES: usize = 40;

/// A text of 1 to 40 bytes of `[A-Z_]`, as `ON_DEMAND` or `PROVISIONED_THROUGHPUT`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrafficType {
    bytes: [u8; MAX_BYTES],
    len: u8,
}

impl TrafficType {
    /// Takes a text that fits; `None` for any other.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_BYTES];
        let is_name = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
        if text.is_empty() || !text.iter().all(is_name) {
            return None;
        }
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, len: u8::try_from(text.len()).ok()? })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.len));
        text.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("-")
    }
}

impl fmt::Debug for TrafficType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
