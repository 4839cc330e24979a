//! A request's id, which stands in its log line, in a refusal, and in the User-Agent that Google's
//! audit log keeps.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::keyed_hash::KeyedHash;

/// Before which of its bytes a UUID has a hyphen.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

/// A hexadecimal digit; `nibble` is below 16.
const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// Generates ids that nobody can foresee: a counter, hashed under keys of this process.
#[derive(Debug, Default)]
pub(in crate::gateway) struct RequestIds {
    hash: KeyedHash,
    latest: AtomicU64,
}

/// A UUID of version 4 as text (RFC 9562 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct RequestId([u8; 36]);

impl RequestIds {
    pub(in crate::gateway) fn next(&self) -> RequestId {
        let number = self.latest.fetch_add(1, Ordering::Relaxed);
        let version = self.hash.digest(number) & !(0xf000 << 64) | (0x4000 << 64);
        RequestId::new(version & !(0b11 << 62) | (0b10 << 62))
    }
}

impl RequestId {
    fn new(bits: u128) -> Self {
        let mut text = [b'-'; 36];
        let bytes = bits.to_be_bytes();
        let mut start = 0;
        for (index, byte) in bytes.iter().enumerate() {
            start += usize::from(HYPHENS.contains(&index));
            if let Some([high, low]) = text.get_mut(start..start + 2) {
                (*high, *low) = (digit(byte >> 4), digit(byte & 15));
            }
            start += 2;
        }
        Self(text)
    }

    pub(in crate::gateway) const fn as_bytes(&self) -> &[u8; 36] {
        &self.0
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_4() {
        let id = RequestId::new(0x0123_4567_89ab_4def_8123_4567_89ab_cdef);
        assert_eq!(id.as_str(), "01234567-89ab-4def-8123-456789abcdef");
        let ids = RequestIds::default();
        for id in (0..1000).map(|_| ids.next()) {
            assert_eq!(id.as_str().as_bytes()[14], b'4');
            assert!(b"89ab".contains(&id.as_str().as_bytes()[19]), "{}", id.as_str());
        }
    }

    #[test]
    fn no_two_requests_share_an_id_nor_do_two_processes() {
        let (one, other) = (RequestIds::default(), RequestIds::default());
        let all = (0..1000).flat_map(|_| [one.next(), other.next()]);
        let mut all: Vec<_> = all.map(|id| id.as_str().to_owned()).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 2000);
    }
}
