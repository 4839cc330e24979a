//! base64, base64url without padding (RFC 7515 section 2), SHA-256, random names.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD,
};
use ring::rand::SecureRandom as _;

/// base64 of `bytes`, with padding (RFC 4648 section 4).
#[must_use]
pub fn base64_padded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// base64url of `bytes`, without padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes behind strict base64url: no padding, no white space, no stray bits at the end.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// As `from_base64url`, and with or without padding: some issuers pad the numbers of their keys.
pub(super) fn from_padded_base64url(text: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    ENGINE.decode(text).ok()
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in
        out.iter_mut().zip(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
    {
        *to = *from;
    }
    out
}

/// HMAC-SHA-256 of `bytes` (RFC 2104).
#[must_use]
pub fn hmac(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(ring::hmac::sign(&key, bytes).as_ref()) {
        *to = *from;
    }
    out
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 128 random bits in hexadecimal, or nothing where the system gives none.
#[must_use]
pub fn random_hex() -> Option<String> {
    let mut bytes = [0; 16];
    ring::rand::SystemRandom::new().fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}
