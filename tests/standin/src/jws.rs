//! Signed tokens in compact form: their parts, and whether a key made the signature.

use crate::keys::{Alg, Key};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    NotThreeParts,
    NotJson,
}

#[derive(Debug)]
pub struct Jws<'a> {
    pub header: Value,
    pub claims: Value,
    signed: &'a str,
    signature: Option<Vec<u8>>,
}

impl<'a> Jws<'a> {
    pub fn parse(token: &'a str) -> Result<Self, Malformed> {
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::NotThreeParts);
        };
        let decode = |part| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part| {
            let value: Value = serde_json::from_slice(&decode(part)?).ok()?;
            value.is_object().then_some(value)
        };
        let (Some(header), Some(claims)) = (object(header), object(claims)) else {
            return Err(Malformed::NotJson);
        };
        let signed = &token[..token.len() - signature.len() - 1];
        Ok(Self { header, claims, signed, signature: decode(signature) })
    }

    /// RS256.
    pub fn verifies_rsa(&self, key: &PublicKeyComponents<Vec<u8>>) -> bool {
        self.signature.as_ref().is_some_and(|signature| {
            key.verify(&RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), signature).is_ok()
        })
    }

    /// RS256 and ES256: what Google's STS takes. The header has to name the key's algorithm.
    pub fn verifies(&self, key: &Key) -> bool {
        if self.header["alg"] != key.alg.name() {
            return false;
        }
        match (key.alg, key.rsa_public()) {
            (Alg::Rs256, Some(public)) => self.verifies_rsa(&public),
            (Alg::Es256, _) => self.signature.as_ref().is_some_and(|signature| {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_bytes())
                    .verify(self.signed.as_bytes(), signature)
                    .is_ok()
            }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::b64;

    fn token(key: &Key, named: &str) -> String {
        let message = format!("{}.{}", b64(format!(r#"{{"alg":"{named}"}}"#)), b64("{}"));
        format!("{message}.{}", b64(key.sign(key.alg, message.as_bytes()).unwrap()))
    }

    #[test]
    fn the_right_key_and_the_right_name() {
        let [key, other] = [(); 2].map(|()| Key::generate(Alg::Es256).unwrap());
        let good = token(&key, "ES256");
        assert!(Jws::parse(&good).unwrap().verifies(&key));
        assert!(!Jws::parse(&good).unwrap().verifies(&other));
        assert!(!Jws::parse(&token(&key, "ES384")).unwrap().verifies(&key));
        let edwards = Key::generate(Alg::EdDsa).unwrap();
        assert!(!Jws::parse(&token(&edwards, "EdDSA")).unwrap().verifies(&edwards));
    }

    #[test]
    fn what_is_no_token() {
        assert_eq!(Jws::parse("a.b").unwrap_err(), Malformed::NotThreeParts);
        assert_eq!(Jws::parse("a.b.c.d").unwrap_err(), Malformed::NotThreeParts);
        assert_eq!(Jws::parse("a.b.c").unwrap_err(), Malformed::NotJson);
    }
}
