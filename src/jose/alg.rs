//! Algorithms, and the calls into ring: nothing else in this crate verifies or signs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    self, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::error::Reason;

/// A signature algorithm of RFC 7518 section 3.1 or RFC 8037 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 to 4096 bits (`jwk` sees to that).
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm that is supported.
    pub const ALL: &'static [Self] = &[Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with this `alg`; names are compared exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|alg| alg.name() == name)
    }
}

/// A public key's numbers, checked for their shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The public exponent.
        e: Vec<u8>,
    },
    /// An uncompressed point of P-256: 0x04, x, y.
    P256(Vec<u8>),
    /// 32 bytes (RFC 8032).
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Checks a signature. ring tells no detail, and neither does this.
    ///
    /// # Errors
    /// `bad_signature`, also for a key that does not lie on its curve.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Reason> {
        match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            Self::P256(point) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature),
            Self::Ed25519(bytes) => {
                UnparsedPublicKey::new(&signature::ED25519, bytes).verify(message, signature)
            }
        }
        .map_err(|_| Reason::BadSignature)
    }
}

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
            .map_err(|why| format!("not an RSA key of 2048 to 4096 bits: {why}"))?;
        Ok(Self(pair))
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
