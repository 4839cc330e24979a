//! The bearer check of the Google side: self-signed JWTs of the service account (AIP-4111) and
//! registered access tokens.

use crate::account::Account;
use crate::http1::Authorization;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How far ahead of this clock a token may have been issued, in seconds.
const SKEW: i64 = 60;
/// Above this the cache starts anew: a test with that many tokens has no use for it.
const CACHE_LIMIT: usize = 50_000;

/// What does not change about a token while it is presented to the same host.
pub struct Verdict {
    pub kind: &'static str,
    /// Why it is refused for ever, if it is.
    refused: Option<String>,
    claims: Option<Value>,
    iat: i64,
    exp: i64,
}

/// A verdict at one moment.
#[derive(Clone)]
pub struct Checked {
    verdict: Arc<Verdict>,
    pub valid: bool,
    late: &'static str,
}

type ByHost = Vec<(Box<str>, Arc<Verdict>)>;

pub struct Checker {
    account: Account,
    /// Token → the hosts it was presented to.
    cache: Mutex<HashMap<Box<str>, ByHost>>,
    access_tokens: RwLock<HashSet<String>>,
}

impl Checked {
    pub fn to_json(&self) -> Value {
        let reason = self.verdict.refused.as_deref().unwrap_or(self.late);
        let reason = if reason.is_empty() { Value::Null } else { json!(reason) };
        json!({"valid": self.valid, "kind": self.verdict.kind, "reason": reason,
            "claims": self.verdict.claims})
    }
}

impl Verdict {
    fn refuse(kind: &'static str, reason: impl Into<String>) -> Self {
        Self { kind, refused: Some(reason.into()), claims: None, iat: 0, exp: i64::MAX }
    }

    fn at(self: Arc<Self>, now: i64) -> Checked {
        let late = if self.exp <= now {
            "expired"
        } else if self.iat > now + SKEW {
            "iat is in the future"
        } else {
            ""
        };
        Checked { valid: self.refused.is_none() && late.is_empty(), late, verdict: self }
    }
}

impl Checker {
    pub fn new(account: Account) -> Self {
        Self { account, cache: Mutex::default(), access_tokens: RwLock::default() }
    }

    pub fn register(&self, token: String) {
        self.access_tokens.write().unwrap_or_else(PoisonError::into_inner).insert(token);
    }

    pub fn forget(&self, token: &str) -> bool {
        self.access_tokens.write().unwrap_or_else(PoisonError::into_inner).remove(token)
    }

    /// Judges the credential of a request with this `Host` header (lower case).
    pub fn check(&self, authorization: &Authorization, host: &str, now: i64) -> Checked {
        let verdict = match authorization {
            Authorization::None => Arc::new(Verdict::refuse("none", "no Authorization header")),
            Authorization::Many => {
                Arc::new(Verdict::refuse("none", "several Authorization headers"))
            }
            Authorization::One(value) => match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    self.token(token.trim(), host)
                }
                _ => Arc::new(Verdict::refuse("none", "not a Bearer credential")),
            },
        };
        verdict.at(now)
    }

    fn token(&self, token: &str, host: &str) -> Arc<Verdict> {
        if self.access_tokens.read().unwrap_or_else(PoisonError::into_inner).contains(token) {
            let (kind, refused, claims) = ("access_token", None, None);
            return Arc::new(Verdict { kind, refused, claims, iat: 0, exp: i64::MAX });
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cache.get(token).and_then(|v| v.iter().find(|(h, _)| **h == *host));
        if let Some((_, verdict)) = known {
            return Arc::clone(verdict);
        }
        let verdict = Arc::new(self.jwt(token, host));
        // An unknown opaque token may be registered later: that verdict is not for keeping.
        if verdict.kind == "jwt" {
            if cache.len() >= CACHE_LIMIT {
                cache.clear();
            }
            let hosts = cache.entry(token.into()).or_default();
            // A client that varies Host must not grow the list for ever.
            if hosts.len() < 16 {
                hosts.push((host.into(), Arc::clone(&verdict)));
            }
        }
        verdict
    }

    fn jwt(&self, token: &str, host: &str) -> Verdict {
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Verdict::refuse("none", "neither a JWT nor a registered access token");
        };
        let decode = |part| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part| {
            let value: Value = serde_json::from_slice(&decode(part)?).ok()?;
            value.is_object().then_some(value)
        };
        let (Some(header), Some(claims)) = (object(header), object(claims)) else {
            return Verdict::refuse("jwt", "header or claims are not JSON");
        };
        let signed = &token[..token.len() - signature.len() - 1];
        let fault = self
            .signature_fault(&header, signed, decode(signature))
            .or_else(|| self.claims_fault(&claims, host));
        let number = |name: &str, absent| claims[name].as_i64().unwrap_or(absent);
        Verdict {
            kind: "jwt",
            refused: fault,
            iat: number("iat", 0),
            exp: number("exp", i64::MAX),
            claims: Some(claims),
        }
    }

    fn signature_fault(
        &self,
        header: &Value,
        signed: &str,
        signature: Option<Vec<u8>>,
    ) -> Option<String> {
        if header["alg"] != "RS256" {
            return Some(format!("alg is {}", header["alg"]));
        }
        if header["kid"] != self.account.private_key_id.as_str() {
            return Some(format!("unknown kid {}", header["kid"]));
        }
        let verified = signature.is_some_and(|signature| {
            let key = &self.account.public;
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).is_ok()
        });
        (!verified).then(|| "bad signature".to_owned())
    }

    fn claims_fault(&self, claims: &Value, host: &str) -> Option<String> {
        for name in ["iss", "sub"] {
            if claims[name] != self.account.email {
                return Some(format!("{name} is not the service account"));
            }
        }
        let (Some(iat), Some(exp)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
            return Some("iat or exp is missing".to_owned());
        };
        if iat.checked_add(3600) != Some(exp) {
            return Some("exp is not iat + 3600".to_owned());
        }
        match (claims.get("aud"), claims.get("scope")) {
            (Some(_), Some(_)) => Some("both aud and scope".to_owned()),
            (None, None) => Some("neither aud nor scope".to_owned()),
            (Some(aud), None) => {
                let wanted = format!("https://{host}/");
                (*aud != wanted.as_str()).then(|| format!("aud is {aud}, not {wanted}"))
            }
            (None, Some(scope)) => {
                let held = scope.as_str().is_some_and(|s| s.split(' ').any(|one| one == SCOPE));
                (!held).then(|| "scope does not hold cloud-platform".to_owned())
            }
        }
    }
}

#[cfg(test)]
#[path = "bearer_tests.rs"]
mod tests;
