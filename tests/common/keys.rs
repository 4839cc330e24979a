//! Throw-away keys: EC and Ed25519 ones are made anew by every run, the RSA one was made by
//! openssl for these tests and opens nothing anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use haproxy_vertex::jose::base64url;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};

/// A Google key file with the throw-away RSA key.
pub const KEY_FILE: &str = include_str!("../vectors/throwaway-key-file.json");

/// The RSA key in PEM.
pub fn rsa_pem() -> String {
    let file: Value = serde_json::from_str(KEY_FILE).unwrap();
    file["private_key"].as_str().unwrap().to_owned()
}

/// The RSA key in PKCS #8.
pub fn rsa_der() -> Vec<u8> {
    let pem = rsa_pem();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).unwrap()
}

/// A PEM block.
pub fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A new P-256 key in PKCS #8.
pub fn ec_der() -> Vec<u8> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    key.as_ref().to_vec()
}

/// Bytes behind base64url.
pub fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec { fixed: Box<EcdsaKeyPair>, der: Box<EcdsaKeyPair> },
    P384(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

/// A private key that signs tokens.
pub struct SigningKey(Pair);

impl SigningKey {
    /// The throw-away RSA key.
    pub fn rsa() -> Self {
        Self(Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(&rsa_der()).unwrap())))
    }

    /// A new P-256 key.
    pub fn ec() -> Self {
        let der = ec_der();
        let pair = |algorithm| {
            Box::new(EcdsaKeyPair::from_pkcs8(algorithm, &der, &SystemRandom::new()).unwrap())
        };
        let fixed = pair(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self(Pair::Ec { fixed, der: pair(&ECDSA_P256_SHA256_ASN1_SIGNING) })
    }

    /// A new P-384 key.
    pub fn p384() -> Self {
        let (alg, random) = (&ECDSA_P384_SHA384_FIXED_SIGNING, SystemRandom::new());
        let der = EcdsaKeyPair::generate_pkcs8(alg, &random).unwrap();
        Self(Pair::P384(Box::new(EcdsaKeyPair::from_pkcs8(alg, der.as_ref(), &random).unwrap())))
    }

    /// A new Ed25519 key: the cheapest to sign with.
    pub fn ed() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Pair::Ed(Box::new(Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap())))
    }

    /// The `alg` that goes with the key.
    pub fn alg(&self) -> &'static str {
        match self.0 {
            Pair::Rsa(_) => "RS256",
            Pair::Ec { .. } => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// A signature in JOSE's form.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::P384(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ec { fixed, .. } => fixed.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// An ECDSA signature as X.509 writes it, which JOSE does not.
    pub fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let Pair::Ec { der, .. } = &self.0 else { panic!("not an EC key") };
        der.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// Modulus and exponent of the RSA key.
    pub fn numbers(&self) -> (Vec<u8>, Vec<u8>) {
        let Pair::Rsa(pair) = &self.0 else { panic!("not an RSA key") };
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
        (n, e)
    }

    /// The public key as a JWK, without `alg`.
    pub fn jwk(&self, kid: &str) -> Value {
        match &self.0 {
            Pair::Rsa(_) => {
                let (n, e) = self.numbers();
                json!({ "kty": "RSA", "kid": kid, "n": base64url(&n), "e": base64url(&e) })
            }
            Pair::Ec { fixed, .. } => {
                let point = fixed.public_key().as_ref();
                let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y })
            }
            Pair::P384(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (base64url(&point[1..49]), base64url(&point[49..]));
                json!({ "kty": "EC", "crv": "P-384", "kid": kid, "x": x, "y": y })
            }
            Pair::Ed(pair) => {
                let x = base64url(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })
            }
        }
    }

    /// A token with these claims.
    pub fn token(&self, kid: &str, claims: &Value) -> String {
        let header = json!({ "alg": self.alg(), "typ": "JWT", "kid": kid });
        self.compact(&header.to_string(), &claims.to_string())
    }

    /// A token with exactly this text inside.
    pub fn compact(&self, header: &str, payload: &str) -> String {
        compact(header, payload, |message| self.sign(message))
    }
}

/// A token of these texts with a signature made by `sign`.
pub fn compact(header: &str, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = base64url(&sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// A key set's text.
pub fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}
