//! The one private key that this gateway holds: Google's service accounts sign RS256 with it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::error::Reason;

/// An RSA private key that signs RS256.
pub struct RsaSigner(RsaKeyPair);

impl fmt::Debug for RsaSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaSigner")
    }
}

impl RsaSigner {
    /// Reads a PKCS #8 key (RFC 5958) in PEM (RFC 7468), as Google's key files hold it.
    ///
    /// # Errors
    /// Says what is not right with the key, never what the key is.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, String> {
        let body = pem
            .trim()
            .strip_prefix("-----BEGIN PRIVATE KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))
            .ok_or("not a PEM block named PRIVATE KEY (PKCS #8)")?;
        let body: Zeroizing<String> =
            Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
        let der = Zeroizing::new(
            STANDARD.decode(body.as_bytes()).map_err(|_| "the PEM block is not base64")?,
        );
        let pair = RsaKeyPair::from_pkcs8(&der)
            .map_err(|why| format!("not an RSA key of 2048 to 4096 bits: {}", rejection(&why)))?;
        Ok(Self(pair))
    }

    /// Whether its own public part verifies what it signs.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let message = b"haproxy-vertex";
        self.sign(message).is_ok_and(|signature| {
            let public = self.0.public().as_ref();
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
                .verify(message, &signature)
                .is_ok()
        })
    }

    /// The RS256 signature of `message`.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Reason> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| Reason::Internal)?;
        Ok(signature)
    }
}

/// Why a key is not taken, in words.
fn rejection(why: &KeyRejected) -> &'static str {
    match why.to_string().as_str() {
        "TooSmall" => "it is shorter",
        "TooLarge" => "it is longer",
        "WrongAlgorithm" => "it is a key of another kind",
        "VersionNotSupported" => "its PKCS #8 is of another version",
        _ => "its numbers do not belong together, or are cut",
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

    use super::*;

    #[test]
    fn a_key_of_another_kind_is_refused_in_words() {
        let der =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let body = STANDARD.encode(der.unwrap().as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let why = RsaSigner::from_pkcs8_pem(&pem).unwrap_err();
        assert!(why.ends_with(": it is a key of another kind"), "{why}");
    }
}
