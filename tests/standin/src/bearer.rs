//! The bearer check of Google's APIs: self-signed JWTs of the service account (AIP-4111), access
//! tokens that the identity services have given out, and registered ones; and API keys.

use crate::account::Account;
use crate::http1::Authorization;
use crate::identity::issued::{Issued, Tokens};
use crate::jws::{Jws, Malformed};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// How far ahead of this clock a token may have been issued, in seconds.
const SKEW: i64 = 60;
/// Above this the cache starts anew: a test with that many tokens has no use for it.
const CACHE_LIMIT: usize = 50_000;

/// Which scopes open an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Vertex,
    IamCredentials,
}

impl Api {
    fn scopes(self) -> &'static [&'static str] {
        let all = &[
            "https://www.googleapis.com/auth/cloud-platform",
            "https://www.googleapis.com/auth/iam",
        ];
        match self {
            Self::Vertex => &all[..1],
            Self::IamCredentials => all,
        }
    }

    fn opens<'a>(self, mut scopes: impl Iterator<Item = &'a str>) -> bool {
        scopes.any(|scope| self.scopes().contains(&scope))
    }
}

const LACKS_SCOPE: &str = "scope does not hold cloud-platform";

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

type ByHost = Vec<(Api, Box<str>, Arc<Verdict>)>;

pub struct Checker {
    account: Account,
    /// Token → the hosts it was presented to.
    cache: Mutex<HashMap<Box<str>, ByHost>>,
    access_tokens: RwLock<HashSet<String>>,
    api_keys: RwLock<HashSet<String>>,
    pub issued: Tokens,
}

impl Checked {
    pub fn lacks_scope(&self) -> bool {
        self.verdict.refused.as_deref() == Some(LACKS_SCOPE)
    }

    /// Whom the token stands for, as far as it says.
    pub fn principal(&self) -> Option<&str> {
        let claims = self.verdict.claims.as_ref()?;
        claims.get("principal").or_else(|| claims.get("iss"))?.as_str()
    }

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

    fn of(issued: &Issued, api: Api) -> Self {
        let lacks_scope = !api.opens(issued.grant.scopes.iter().map(String::as_str));
        Self {
            kind: "issued",
            refused: lacks_scope.then(|| LACKS_SCOPE.to_owned()),
            claims: Some(issued.to_json()),
            iat: issued.iat,
            exp: issued.exp,
        }
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
        Self {
            account,
            cache: Mutex::default(),
            access_tokens: RwLock::default(),
            api_keys: RwLock::default(),
            issued: Tokens::default(),
        }
    }

    pub fn account(&self) -> &Account {
        &self.account
    }

    /// These keys of the account exist no more.
    pub fn delete_keys(&self, ids: HashSet<String>) {
        self.account.delete_keys(ids);
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn register(&self, token: String) {
        self.access_tokens.write().unwrap_or_else(PoisonError::into_inner).insert(token);
    }

    pub fn forget(&self, token: &str) -> bool {
        self.access_tokens.write().unwrap_or_else(PoisonError::into_inner).remove(token)
    }

    pub fn register_api_key(&self, key: String) {
        self.api_keys.write().unwrap_or_else(PoisonError::into_inner).insert(key);
    }

    pub fn forget_api_key(&self, key: &str) -> bool {
        self.api_keys.write().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// Judges a request that brings an API key, which opens express mode and nothing else, and comes
    /// alone.
    pub fn check_api_key(
        &self,
        key: &str,
        authorization: &Authorization,
        is_express: bool,
    ) -> Checked {
        let is_known = self.api_keys.read().unwrap_or_else(PoisonError::into_inner).contains(key);
        let fault = match (is_known, authorization, is_express) {
            (false, ..) => Some("an unknown API key"),
            (true, Authorization::One(_) | Authorization::Many, _) => {
                Some("an API key and an Authorization header")
            }
            (true, Authorization::None, false) => Some("an API key outside of express mode"),
            (true, Authorization::None, true) => None,
        };
        let (refused, claims) = (fault.map(str::to_owned), None);
        Arc::new(Verdict { kind: "api_key", refused, claims, iat: 0, exp: i64::MAX }).at(0)
    }

    /// Judges the credential of a request with this `Host` header (lower case).
    pub fn check(&self, authorization: &Authorization, host: &str, api: Api, now: i64) -> Checked {
        let verdict = match authorization {
            Authorization::None => Arc::new(Verdict::refuse("none", "no Authorization header")),
            Authorization::Many => {
                Arc::new(Verdict::refuse("none", "several Authorization headers"))
            }
            Authorization::One(value) => match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    self.token(token.trim(), host, api)
                }
                _ => Arc::new(Verdict::refuse("none", "not a Bearer credential")),
            },
        };
        verdict.at(now)
    }

    fn token(&self, token: &str, host: &str, api: Api) -> Arc<Verdict> {
        if self.access_tokens.read().unwrap_or_else(PoisonError::into_inner).contains(token) {
            let (kind, refused, claims) = ("access_token", None, None);
            return Arc::new(Verdict { kind, refused, claims, iat: 0, exp: i64::MAX });
        }
        if let Some(issued) = self.issued.find(token) {
            return Arc::new(Verdict::of(&issued, api));
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            cache.get(token).and_then(|v| v.iter().find(|(a, h, _)| *a == api && **h == *host));
        if let Some((_, _, verdict)) = known {
            return Arc::clone(verdict);
        }
        let verdict = Arc::new(self.jwt(token, host, api));
        // An unknown opaque token may be registered later: that verdict is not for keeping.
        if verdict.kind == "jwt" {
            if cache.len() >= CACHE_LIMIT {
                cache.clear();
            }
            let hosts = cache.entry(token.into()).or_default();
            // A client that varies Host must not grow the list for ever.
            if hosts.len() < 16 {
                hosts.push((api, host.into(), Arc::clone(&verdict)));
            }
        }
        verdict
    }

    fn jwt(&self, token: &str, host: &str, api: Api) -> Verdict {
        let jws = match Jws::parse(token) {
            Ok(jws) => jws,
            Err(Malformed::NotThreeParts) => {
                return Verdict::refuse("none", "neither a JWT nor a known access token");
            }
            Err(Malformed::NotJson) => {
                return Verdict::refuse("jwt", "header or claims are not JSON");
            }
        };
        let fault =
            self.signature_fault(&jws).or_else(|| self.claims_fault(&jws.claims, host, api));
        let number = |name: &str, absent| jws.claims[name].as_i64().unwrap_or(absent);
        Verdict {
            kind: "jwt",
            refused: fault,
            iat: number("iat", 0),
            exp: number("exp", i64::MAX),
            claims: Some(jws.claims),
        }
    }

    fn signature_fault(&self, jws: &Jws<'_>) -> Option<String> {
        let header = &jws.header;
        if header["alg"] != "RS256" {
            return Some(format!("alg is {}", header["alg"]));
        }
        let kid = header["kid"].as_str().unwrap_or("");
        if !self.account.knows(kid) {
            return Some(format!("unknown kid {}", header["kid"]));
        }
        (!self.account.has_signed(jws, Some(kid))).then(|| "bad signature".to_owned())
    }

    fn claims_fault(&self, claims: &Value, host: &str, api: Api) -> Option<String> {
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
                let held = scope.as_str().is_some_and(|scopes| api.opens(scopes.split(' ')));
                (!held).then(|| LACKS_SCOPE.to_owned())
            }
        }
    }
}

#[cfg(test)]
#[path = "bearer_tests.rs"]
mod tests;
