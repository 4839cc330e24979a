//! JWK sets (RFC 7517): what can verify here is kept, what cannot is passed over.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::error::Reason;
use crate::jose::encoding::{base64url, from_base64url};
use crate::jose::{Algorithm, Compact, PublicKey};
use crate::json::Json;

const MAX_JWKS_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 100;

/// What one token may cost is bounded, whatever its issuer publishes: keys tried, and the size of
/// each.
const MAX_KEYS_OF_A_KID: usize = 2;
const MAX_RSA_BITS: usize = 4096;
const MAX_EXPONENT_BYTES: usize = 3;

/// A JWK set that holds nothing to verify with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksError(pub String);

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One key with its one algorithm.
#[derive(Debug)]
pub struct Key {
    /// `kid`: tokens name the key by it.
    pub kid: String,
    /// The only algorithm that this key verifies.
    pub alg: Algorithm,
    public: PublicKey,
    retired: AtomicBool,
}

impl Key {
    /// Whether the issuer's current set holds this key; what it verified before is void if not.
    #[must_use]
    pub fn is_current(&self) -> bool {
        !self.retired.load(Ordering::Relaxed)
    }

    /// Takes the key out of service, in every cache at once.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Checks a token's algorithm and signature.
    ///
    /// # Errors
    /// `alg_not_allowed`, `bad_signature`.
    pub fn verify(&self, token: &Compact<'_>) -> Result<(), Reason> {
        if token.header.alg != self.alg {
            return Err(Reason::AlgNotAllowed);
        }
        self.public.verify(token.signing_input().as_bytes(), token.signature())
    }

    /// Reads one member of `keys`, or says why it cannot be used.
    fn from_json(jwk: &Json, allowed: &[Algorithm]) -> Result<Self, &'static str> {
        let text = |name: &str| jwk.get(name).and_then(Json::as_str);
        let number = |name: &str| text(name).and_then(from_base64url);
        let kid = text("kid").ok_or("no kid")?.to_owned();
        if jwk.get("use").is_some_and(|usage| usage.as_str() != Some("sig")) {
            return Err("its use is not sig");
        }
        if let Some(operations) = jwk.get("key_ops") {
            let operations = operations.as_array().unwrap_or_default();
            if !operations.iter().any(|operation| operation.as_str() == Some("verify")) {
                return Err("its key_ops lack verify");
            }
        }
        let (public, family) = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => {
                let n = number("n").ok_or("no modulus")?;
                let bits = n.len().saturating_mul(8);
                let leading = n.first().map_or(8, |byte| byte.leading_zeros());
                let bits = bits.saturating_sub(usize::try_from(leading).unwrap_or(8));
                if leading >= 8 || !(2048..=MAX_RSA_BITS).contains(&bits) {
                    return Err("an RSA modulus of 2048 to 4096 bits is wanted");
                }
                let e = number("e").filter(|e| e.len() <= MAX_EXPONENT_BYTES);
                let e = e.filter(|e| e.first().is_some_and(|byte| *byte > 0));
                let e = e.ok_or("an exponent of 1 to 3 bytes without leading zeros is wanted")?;
                (PublicKey::Rsa { n, e }, Algorithm::Rs256)
            }
            (Some("EC"), Some("P-256")) => {
                let x = number("x").filter(|x| x.len() == 32).ok_or("x is not 32 bytes")?;
                let y = number("y").filter(|y| y.len() == 32).ok_or("y is not 32 bytes")?;
                (PublicKey::P256([&[4], x.as_slice(), &y].concat()), Algorithm::Es256)
            }
            (Some("OKP"), Some("Ed25519")) => {
                let x = number("x").filter(|x| x.len() == 32).ok_or("x is not 32 bytes")?;
                (PublicKey::Ed25519(x), Algorithm::EdDsa)
            }
            _ => return Err("a key type that is not supported"),
        };
        // RFC 7517 makes `alg` optional: without it the key type says which one it is.
        let alg = match jwk.get("alg") {
            None => family,
            Some(name) => name
                .as_str()
                .and_then(Algorithm::from_name)
                .filter(|alg| *alg == family)
                .ok_or("its alg is not supported, or not for its key type")?,
        };
        if !allowed.contains(&alg) {
            return Err("its algorithm is not on the issuer's list");
        }
        Ok(Self { kid, alg, public, retired: AtomicBool::new(false) })
    }

    fn same_as(&self, other: &Self) -> bool {
        self.kid == other.kid && self.alg == other.alg && self.public == other.public
    }
}

/// An issuer's keys by `kid`.
#[derive(Debug, Default)]
pub struct KeySet(HashMap<String, Vec<Arc<Key>>>);

impl KeySet {
    /// Reads a JWK set. Members that cannot verify here (encryption keys, other types, weak ones)
    /// are passed over, as RFC 7517 section 5 asks.
    ///
    /// # Errors
    /// Not JSON, too large, or no key left.
    pub fn parse(bytes: &[u8], allowed: &[Algorithm]) -> Result<Self, JwksError> {
        if bytes.len() > MAX_JWKS_BYTES {
            return Err(JwksError(format!(
                "a key set of at most {MAX_JWKS_BYTES} bytes is wanted"
            )));
        }
        let json = Json::parse(bytes).map_err(|why| JwksError(format!("not JSON: {why}")))?;
        let members = json
            .get("keys")
            .and_then(Json::as_array)
            .ok_or_else(|| JwksError("an object with an array `keys` is wanted".to_owned()))?;
        if members.len() > MAX_KEYS {
            return Err(JwksError(format!("at most {MAX_KEYS} keys are wanted")));
        }
        let mut set = Self::default();
        let mut passed_over = Vec::new();
        for (index, member) in members.iter().enumerate() {
            match Key::from_json(member, allowed) {
                Ok(key) => {
                    let keys = set.0.entry(key.kid.clone()).or_default();
                    // One that stands twice counts once, so that its removal retires it whole.
                    match keys.iter().any(|known| known.same_as(&key)) {
                        true => {}
                        false if keys.len() < MAX_KEYS_OF_A_KID => keys.push(Arc::new(key)),
                        false => passed_over.push(format!("keys[{index}]: its kid has two keys")),
                    }
                }
                Err(why) => passed_over.push(format!("keys[{index}]: {why}")),
            }
        }
        if set.0.is_empty() {
            return Err(JwksError(format!("no usable key: {}", passed_over.join("; "))));
        }
        Ok(set)
    }

    /// The keys called `kid`: as a rule one.
    #[must_use]
    pub fn get(&self, kid: &str) -> &[Arc<Key>] {
        self.0.get(kid).map_or(&[], Vec::as_slice)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the place of `former`: keys that stay are the same ones, so that what they verified
    /// stays verified; keys that are gone are retired. One that had retired comes back as a new one.
    #[must_use]
    pub fn replacing(mut self, former: &Self) -> Self {
        for old in former.0.values().flatten() {
            let kept = self
                .0
                .get_mut(&old.kid)
                .and_then(|keys| keys.iter_mut().find(|new| new.same_as(old)))
                .filter(|_| old.is_current());
            match kept {
                Some(new) => *new = Arc::clone(old),
                None => old.retire(),
            }
        }
        self
    }

    /// Takes every key out of service.
    pub fn retire(&self) {
        self.0.values().flatten().for_each(|key| key.retire());
    }

    /// The set as JSON, in the shape `parse` reads.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut keys: Vec<_> = self.0.values().flatten().collect();
        keys.sort_by(|a, b| a.kid.cmp(&b.kid));
        let keys: Vec<_> = keys.into_iter().map(|key| PublishedKey::from(key.as_ref())).collect();
        serde_json::json!({ "keys": keys })
    }
}

#[derive(Serialize)]
struct PublishedKey<'k> {
    kid: &'k str,
    alg: &'static str,
    #[serde(flatten)]
    numbers: HashMap<&'static str, String>,
}

impl<'k> From<&'k Key> for PublishedKey<'k> {
    fn from(key: &'k Key) -> Self {
        let name = str::to_owned;
        let numbers = match &key.public {
            PublicKey::Rsa { n, e } => {
                vec![("kty", name("RSA")), ("n", base64url(n)), ("e", base64url(e))]
            }
            PublicKey::P256(point) => {
                let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
                let curve = name("P-256");
                vec![("kty", name("EC")), ("crv", curve), ("x", base64url(x)), ("y", base64url(y))]
            }
            PublicKey::Ed25519(x) => {
                vec![("kty", name("OKP")), ("crv", name("Ed25519")), ("x", base64url(x))]
            }
        };
        Self { kid: &key.kid, alg: key.alg.name(), numbers: numbers.into_iter().collect() }
    }
}
