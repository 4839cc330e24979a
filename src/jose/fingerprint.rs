//! Fingerprints of secrets, for tables of this process: equal fingerprints mean equal texts, and the
//! text cannot be told from one.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

/// The key of this process: GMAC (NIST SP 800-38D), a quarter of what SHA-256 takes and less. One nonce
/// serves all texts, as no fingerprint leaves the process: whoever has seen none brings two texts of
/// 16 KB under one with a probability below 2^-117.
#[derive(Debug)]
pub struct FingerprintKey(LessSafeKey);

impl FingerprintKey {
    /// A random key; `None` if the system gives no random numbers.
    #[must_use]
    pub fn random() -> Option<Self> {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).ok()?;
        Some(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?)))
    }

    /// The fingerprint of a text; `None` for one that is longer than GCM allows (64 GiB).
    #[must_use]
    pub fn of(&self, text: &[u8]) -> Option<[u8; 16]> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(text), &mut []).ok()?;
        tag.as_ref().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_one_bit_or_their_length_differ_and_so_do_processes() {
        let (one, other) = (FingerprintKey::random().unwrap(), FingerprintKey::random().unwrap());
        let text = b"header.payload.signature".repeat(20);
        let known = one.of(&text);
        assert!(known.is_some());
        assert_eq!(one.of(&text), known);
        assert_ne!(other.of(&text), known);
        for bit in 0..text.len() * 8 {
            let mut changed = text.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(one.of(&changed), known, "{bit}");
        }
        for length in 0..text.len() {
            assert_ne!(one.of(&text[..length]), known, "{length}");
        }
        assert_ne!(one.of(&[text.as_slice(), b"\0"].concat()), known);
    }
}
