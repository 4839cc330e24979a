//! Minting of identity tokens: good ones by default, wrong ones on request.

use crate::clock;
use crate::keys::{Alg, Key, b64, random};
use crate::keystore::{Issuer, Keystore};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub const MAX_COUNT: usize = 200_000;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Order {
    pub issuer: String,
    pub alg: Alg,
    /// Sign with this key, even one that was removed from the JWKS.
    pub kid: Option<String>,
    /// Merged over the default claims; null deletes.
    pub claims: Map<String, Value>,
    /// Merged over the default header; null deletes.
    pub header: Map<String, Value>,
    pub lifetime: i64,
    pub iat_offset: i64,
    pub count: usize,
    pub sign_with: SignWith,
    /// Use an RSA key for another algorithm than its own, and say so in the header.
    pub sign_as: Option<Alg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignWith {
    Own,
    /// A key of the same algorithm that is in no JWKS, under the right kid.
    Other,
    /// An empty signature.
    None,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            issuer: "corp".to_owned(),
            alg: Alg::Rs256,
            kid: None,
            claims: Map::new(),
            header: Map::new(),
            lifetime: 3600,
            iat_offset: 0,
            count: 1,
            sign_with: SignWith::Own,
            sign_as: None,
        }
    }
}

fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        if value.is_null() {
            base.remove(name);
        } else {
            base.insert(name.clone(), value.clone());
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Everything settled but the signature.
pub struct Draft {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    key: Option<Arc<Key>>,
    alg: Alg,
    count: usize,
    distinct_jti: bool,
}

pub fn draft(
    order: &Order,
    issuer: &Issuer,
    issuer_url: &str,
    store: &Keystore,
) -> Result<Draft, String> {
    if order.count == 0 || order.count > MAX_COUNT {
        return Err(format!("count must be 1 to {MAX_COUNT}"));
    }
    let key = issuer.signer(order.alg, order.kid.as_deref())?;
    let iat = clock::seconds().saturating_add(order.iat_offset);
    let mut claims = object(json!({
        "iss": issuer_url, "sub": "alice", "aud": "vertex-gateway",
        "iat": iat, "nbf": iat, "exp": iat.saturating_add(order.lifetime),
        "jti": b64(random::<12>()),
        "email": format!("alice@{}.example", issuer.name), "groups": ["ml"],
    }));
    merge(&mut claims, &order.claims);
    let alg = order.sign_as.unwrap_or(key.alg);
    let mut header = object(json!({"alg": alg, "kid": key.kid, "typ": "JWT"}));
    merge(&mut header, &order.header);
    let key = match order.sign_with {
        SignWith::Own => Some(key),
        SignWith::Other => Some(store.foreign(key.alg)?),
        SignWith::None => None,
    };
    // A null jti means: no jti at all, also in a series.
    let distinct_jti = order.count > 1 && order.claims.get("jti").is_none_or(|v| !v.is_null());
    Ok(Draft { header, claims, key, alg, count: order.count, distinct_jti })
}

impl Draft {
    /// Signs on all processors: an RS256 signature costs most of a millisecond.
    pub fn sign(&self) -> Result<Vec<String>, String> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(self.count);
        let share = self.count.div_ceil(workers);
        std::thread::scope(|scope| {
            let parts: Vec<_> = (0..workers)
                .map(|w| w * share..self.count.min((w + 1) * share))
                .map(|range| scope.spawn(move || range.map(|n| self.one(n)).collect()))
                .collect();
            let mut tokens = Vec::with_capacity(self.count);
            for part in parts {
                let mut signed: Result<Vec<String>, String> =
                    part.join().unwrap_or_else(|_| Err("signing panicked".to_owned()));
                tokens.append(signed.as_mut().map_err(|e| e.clone())?);
            }
            Ok(tokens)
        })
    }

    fn one(&self, number: usize) -> Result<String, String> {
        let to_text = |map: &Map<String, Value>| serde_json::to_vec(map).map_err(|e| e.to_string());
        let claims = if self.distinct_jti {
            let mut claims = self.claims.clone();
            let stem = claims.get("jti").and_then(Value::as_str).unwrap_or("jti").to_owned();
            claims.insert("jti".to_owned(), json!(format!("{stem}-{number}")));
            to_text(&claims)?
        } else {
            to_text(&self.claims)?
        };
        let message = format!("{}.{}", b64(to_text(&self.header)?), b64(claims));
        let signature = match &self.key {
            Some(key) => key.sign(self.alg, message.as_bytes())?,
            None => Vec::new(),
        };
        Ok(format!("{message}.{}", b64(signature)))
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
