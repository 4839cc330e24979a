//! One JSON Web Key (RFC 7517): what it may verify, read and written.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use once_cell::sync::OnceCell;
use serde::Serialize;

use crate::error::Reason;
use crate::jose::encoding::{base64url, from_padded_base64url};
use crate::jose::weak::weakness;
use crate::jose::{Algorithm, Algorithms, Compact, PublicKey};
use crate::json::Json;
use crate::time::UnixTime;

/// RFC 7517 section 4.2, and SPIFFE's "Trust Domain and Bundle" section 4.2.3.
const USES: &[&str] = &["sig", "jwt-svid"];

/// What one signature may cost is bounded, whatever its issuer publishes.
const MAX_RSA_BITS: usize = 4096;
const MAX_EXPONENT_BYTES: usize = 3;

/// One key with the algorithm that it is for.
#[derive(Debug)]
pub struct Key {
    /// `kid`: tokens name the key by it. Only a token without one can be for a key without.
    pub kid: Option<String>,
    /// `alg`, where the issuer says it.
    named: Option<Algorithm>,
    /// What it verifies: as a rule one algorithm. An RSA key without `alg` verifies those of its
    /// type that the operator wrote down.
    algs: Vec<Algorithm>,
    public: PublicKey,
    retired: AtomicBool,
    since: OnceCell<UnixTime>,
}

impl Key {
    /// The only algorithms that this key verifies.
    #[must_use]
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algs
    }

    /// Whether it verifies this algorithm.
    #[must_use]
    pub fn is_for(&self, alg: Algorithm) -> bool {
        self.algs.contains(&alg)
    }

    /// Whether the issuer's current set holds this key; what it verified before is void if not.
    #[must_use]
    pub fn is_current(&self) -> bool {
        !self.retired.load(Ordering::Relaxed)
    }

    /// Takes the key out of service, in every cache at once.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// When it was seen first, where that was noted.
    #[must_use]
    pub fn since(&self) -> Option<UnixTime> {
        self.since.get().copied()
    }

    /// Notes when it was seen; the first note stays.
    pub(super) fn seen(&self, at: UnixTime) {
        let _ = self.since.set(at);
    }

    /// Checks a token's algorithm and signature.
    ///
    /// # Errors
    /// `alg_not_allowed`, `bad_signature`.
    pub fn verify(&self, token: &Compact<'_>) -> Result<(), Reason> {
        let alg = token.header.alg;
        if !self.is_for(alg) {
            return Err(Reason::AlgNotAllowed);
        }
        self.public.verify(alg, token.signing_input().as_bytes(), token.signature())
    }

    /// Reads one member of `keys`, or says why it cannot be used.
    pub(super) fn from_json(jwk: &Json, allowed: &Algorithms) -> Result<Self, &'static str> {
        let kid = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().ok_or("its kid is no text")?.to_owned()),
        };
        let is_for_signatures =
            |usage: &Json| usage.as_str().is_some_and(|usage| USES.contains(&usage));
        if jwk.get("use").is_some_and(|usage| !is_for_signatures(usage)) {
            return Err("its use is not sig");
        }
        if let Some(operations) = jwk.get("key_ops") {
            let operations = operations.as_array().unwrap_or_default();
            if !operations.iter().any(|operation| operation.as_str() == Some("verify")) {
                return Err("its key_ops lack verify");
            }
        }
        let public = public_key(jwk)?;
        // RFC 7517 makes `alg` optional: without it the key type and the operator say which.
        let named = match jwk.get("alg") {
            None => None,
            Some(name) => Some(
                name.as_str()
                    .and_then(Algorithm::from_name)
                    .filter(|alg| public.algorithms().contains(alg))
                    .ok_or("its alg is not supported, or not for its key type")?,
            ),
        };
        let algs = match named {
            Some(alg) => allowed.of_named(alg),
            None => allowed.of_unnamed(public.algorithms()),
        };
        if algs.is_empty() {
            return Err("its algorithm is not on the issuer's list");
        }
        if let Some(why) = weakness(&public) {
            return Err(why);
        }
        Ok(Self {
            kid,
            named,
            algs,
            public,
            retired: AtomicBool::new(false),
            since: OnceCell::new(),
        })
    }

    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.named == other.named
            && self.algs == other.algs
            && self.public == other.public
    }
}

fn public_key(jwk: &Json) -> Result<PublicKey, &'static str> {
    let text = |name: &str| jwk.get(name).and_then(Json::as_str);
    let number = |name: &str| text(name).and_then(from_padded_base64url);
    let number_of = |name: &str, bytes: usize| number(name).filter(|n| n.len() == bytes);
    let point = |bytes: usize| {
        let x = number_of("x", bytes).ok_or("x is not as long as its curve's numbers")?;
        let y = number_of("y", bytes).ok_or("y is not as long as its curve's numbers")?;
        Ok([&[4], x.as_slice(), &y].concat())
    };
    match (text("kty"), text("crv")) {
        (Some("RSA"), _) => {
            let n = without_leading_zeros(number("n").ok_or("no modulus")?);
            let leading = n.first().map_or(0, |byte| byte.leading_zeros());
            let bits = n.len().saturating_mul(8);
            let bits = bits.saturating_sub(usize::try_from(leading).unwrap_or(0));
            if !(2048..=MAX_RSA_BITS).contains(&bits) {
                return Err("an RSA modulus of 2048 to 4096 bits is wanted");
            }
            let e = without_leading_zeros(number("e").ok_or("no exponent")?);
            if !(1..=MAX_EXPONENT_BYTES).contains(&e.len()) {
                return Err("an exponent of 1 to 3 bytes is wanted");
            }
            Ok(PublicKey::Rsa { n, e })
        }
        (Some("EC"), Some("P-256")) => point(32).map(PublicKey::P256),
        (Some("EC"), Some("P-384")) => point(48).map(PublicKey::P384),
        (Some("OKP"), Some("Ed25519")) => {
            number_of("x", 32).map(PublicKey::Ed25519).ok_or("x is not 32 bytes")
        }
        _ => Err("a key type that is not supported"),
    }
}

/// Some issuers write numbers as signed ones are written (RFC 7518 section 2 does not).
fn without_leading_zeros(number: Vec<u8>) -> Vec<u8> {
    number.into_iter().skip_while(|byte| *byte == 0).collect()
}

/// A key in the shape that `from_json` reads, with `alg` only where the issuer gave one: the list
/// of the process that reads it decides on all others.
#[derive(Serialize)]
pub(super) struct PublishedKey<'k> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'k str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    #[serde(flatten)]
    numbers: HashMap<&'static str, String>,
}

impl<'k> From<&'k Key> for PublishedKey<'k> {
    fn from(key: &'k Key) -> Self {
        let name = str::to_owned;
        let on = |curve: &str, point: &[u8]| {
            let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
            vec![
                ("kty", name("EC")),
                ("crv", name(curve)),
                ("x", base64url(x)),
                ("y", base64url(y)),
            ]
        };
        let numbers = match &key.public {
            PublicKey::Rsa { n, e } => {
                vec![("kty", name("RSA")), ("n", base64url(n)), ("e", base64url(e))]
            }
            PublicKey::P256(point) => on("P-256", point),
            PublicKey::P384(point) => on("P-384", point),
            PublicKey::Ed25519(x) => {
                vec![("kty", name("OKP")), ("crv", name("Ed25519")), ("x", base64url(x))]
            }
        };
        let alg = key.named.map(Algorithm::name);
        Self { kid: key.kid.as_deref(), alg, numbers: numbers.into_iter().collect() }
    }
}
