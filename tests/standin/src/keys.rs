//! Signing keys: generated, signing, and shown as JSON Web Keys.

use crate::rsagen;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64_STANDARD, URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alg {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "RS384")]
    Rs384,
    #[serde(rename = "RS512")]
    Rs512,
    #[serde(rename = "PS256")]
    Ps256,
    #[serde(rename = "PS384")]
    Ps384,
    #[serde(rename = "PS512")]
    Ps512,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "ES384")]
    Es384,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Alg {
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// What an issuer has keys for at first: finding RSA primes takes its time.
    pub const FIRST: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    fn rsa(self) -> Option<&'static dyn RsaEncoding> {
        Some(match self {
            Self::Rs256 => &signature::RSA_PKCS1_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_SHA512,
            Self::Ps256 => &signature::RSA_PSS_SHA256,
            Self::Ps384 => &signature::RSA_PSS_SHA384,
            Self::Ps512 => &signature::RSA_PSS_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }

    fn ecdsa(self) -> Option<&'static EcdsaSigningAlgorithm> {
        match self {
            Self::Es256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Self::Es384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
            _ => None,
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
        let pkcs8 = match (alg.rsa(), alg.ecdsa()) {
            (Some(_), _) => rsagen::pkcs8()?,
            (_, Some(kind)) => {
                EcdsaKeyPair::generate_pkcs8(kind, &rng).map_err(failed)?.as_ref().to_vec()
            }
            _ => Ed25519KeyPair::generate_pkcs8(&rng).map_err(failed)?.as_ref().to_vec(),
        };
        Self::load(b64(random::<15>()), alg, pkcs8)
    }

    pub fn load(kid: String, alg: Alg, pkcs8: Vec<u8>) -> Result<Self, String> {
        let failed = |e: ring::error::KeyRejected| format!("{} key refused: {e}", alg.name());
        let pair = match (alg.rsa(), alg.ecdsa()) {
            (Some(_), _) => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(&pkcs8).map_err(failed)?)),
            (_, Some(kind)) => {
                let rng = SystemRandom::new();
                Pair::Ec(Box::new(EcdsaKeyPair::from_pkcs8(kind, &pkcs8, &rng).map_err(failed)?))
            }
            _ => Pair::Ed(Box::new(Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(failed)?)),
        };
        Ok(Self { kid, alg, pkcs8, pair })
    }

    /// A signature of `alg`, which can be another one than the key's if that is an RSA key.
    pub fn sign(&self, alg: Alg, message: &[u8]) -> Result<Vec<u8>, String> {
        let rng = SystemRandom::new();
        let failed = |_| "signing failed".to_owned();
        match (&self.pair, alg.rsa()) {
            (Pair::Rsa(pair), Some(encoding)) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &rng, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            _ if alg != self.alg => {
                Err(format!("a key for {} cannot sign {}", self.alg.name(), alg.name()))
            }
            (Pair::Ec(pair), _) => Ok(pair.sign(&rng, message).map_err(failed)?.as_ref().to_vec()),
            (Pair::Ed(pair), _) => Ok(pair.sign(message).as_ref().to_vec()),
            (Pair::Rsa(_), None) => Err("not an RSA algorithm".to_owned()),
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
            (_, Some(rsa)) => json!({"kty": "RSA", "n": b64(&rsa.n), "e": b64(&rsa.e)}),
            // An uncompressed point: 04, x, y.
            (Alg::Es256, _) => json!({"kty": "EC", "crv": "P-256",
                "x": b64(&public[1..33]), "y": b64(&public[33..65])}),
            (Alg::Es384, _) => json!({"kty": "EC", "crv": "P-384",
                "x": b64(&public[1..49]), "y": b64(&public[49..97])}),
            _ => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(public)}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.alg);
        jwk
    }
}
