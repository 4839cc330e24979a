//! Signing keys: generated, signing, and shown as JSON Web Keys.

use crate::rsagen;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64_STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alg {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Alg {
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

pub struct Key {
    pub kid: String,
    pub alg: Alg,
    pub pkcs8: Vec<u8>,
    pair: Pair,
}

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn b64_standard(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // On Linux this fails only without a getrandom system call; zeros still make a stand-in.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl Key {
    /// A new key with a random-looking key id.
    pub fn generate(alg: Alg) -> Result<Self, String> {
        let rng = SystemRandom::new();
        let failed = |_| format!("cannot generate a key for {}", alg.name());
        let pkcs8 = match alg {
            Alg::Rs256 => rsagen::pkcs8()?,
            Alg::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng)
                .map_err(failed)?
                .as_ref()
                .to_vec(),
            Alg::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng).map_err(failed)?.as_ref().to_vec(),
        };
        Self::load(b64(random::<15>()), alg, pkcs8)
    }

    pub fn load(kid: String, alg: Alg, pkcs8: Vec<u8>) -> Result<Self, String> {
        let failed = |e: ring::error::KeyRejected| format!("{} key refused: {e}", alg.name());
        let pair = match alg {
            Alg::Rs256 => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(&pkcs8).map_err(failed)?)),
            Alg::Es256 => {
                let (kind, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
                Pair::Ec(Box::new(EcdsaKeyPair::from_pkcs8(kind, &pkcs8, &rng).map_err(failed)?))
            }
            Alg::EdDsa => Pair::Ed(Box::new(Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(failed)?)),
        };
        Ok(Self { kid, alg, pkcs8, pair })
    }

    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let rng = SystemRandom::new();
        let failed = |_| "signing failed".to_owned();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::Ec(pair) => Ok(pair.sign(&rng, message).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// Modulus and exponent of an RSA key, as ring wants them for verifying.
    pub fn rsa_public(&self) -> Option<ring::rsa::PublicKeyComponents<Vec<u8>>> {
        match &self.pair {
            Pair::Rsa(pair) => Some(pair.public().into()),
            _ => None,
        }
    }

    /// The raw public key bytes: the point of an elliptic curve, PKCS#1 of an RSA key.
    pub fn public_bytes(&self) -> &[u8] {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ec(pair) => pair.public_key().as_ref(),
            Pair::Ed(pair) => pair.public_key().as_ref(),
        }
    }

    pub fn jwk(&self) -> Value {
        let public = self.public_bytes();
        let mut jwk = match (self.alg, self.rsa_public()) {
            (Alg::Rs256, Some(rsa)) => json!({"kty": "RSA", "n": b64(&rsa.n), "e": b64(&rsa.e)}),
            // An uncompressed point: 04, x, y.
            (Alg::Es256, _) => json!({"kty": "EC", "crv": "P-256",
                "x": b64(&public[1..33]), "y": b64(&public[33..65])}),
            _ => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(public)}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.alg);
        jwk
    }
}
