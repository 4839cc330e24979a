//! JWK sets (RFC 7517): what can verify here is kept, what cannot is passed over.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::jose::Algorithms;
use crate::jose::key::{Key, PublishedKey};
use crate::json::{Json, syntax_fault};
use crate::time::UnixTime;

const MAX_JWKS_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 100;

/// How many keys one token may try is bounded, whatever its issuer publishes.
const MAX_KEYS_OF_A_KID: usize = 2;

/// A JWK set that holds nothing to verify with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksError(pub String);

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    pub fn parse(bytes: &[u8], allowed: &Algorithms) -> Result<Self, JwksError> {
        if bytes.len() > MAX_JWKS_BYTES {
            return Err(JwksError(format!(
                "a key set of at most {MAX_JWKS_BYTES} bytes is wanted"
            )));
        }
        let json = Json::parse(bytes)
            .map_err(|why| JwksError(format!("not JSON: {}", syntax_fault(&why, bytes))))?;
        let members = json
            .get("keys")
            .and_then(Json::as_array)
            .ok_or_else(|| JwksError("an object with a list `keys` is wanted".to_owned()))?;
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
        let keys: Vec<_> = self.sorted().into_iter().map(PublishedKey::from).collect();
        serde_json::json!({ "keys": keys })
    }

    /// Its keys in the order of their `kid`.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Key> {
        let mut keys: Vec<_> = self.0.values().flatten().map(Arc::as_ref).collect();
        keys.sort_by(|a, b| a.kid.cmp(&b.kid));
        keys
    }

    /// Notes when keys that are new were seen first.
    pub fn seen(&self, at: UnixTime) {
        self.0.values().flatten().for_each(|key| key.seen(at));
    }
}
