//! JWK sets (RFC 7517): what can verify here is kept, what cannot is passed over.

use std::fmt;
use std::sync::Arc;

use crate::error::{Reason, Refusal};
use crate::jose::key::{Key, PublishedKey};
use crate::jose::{Algorithms, Compact};
use crate::json::{self, Json, syntax_fault};
use crate::time::UnixTime;

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

/// An issuer's keys.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<Key>>,
    /// The members that are none of them, and why.
    passed_over: Vec<String>,
}

impl KeySet {
    /// Reads a JWK set. Members that cannot verify here (encryption keys, other types, weak ones)
    /// are passed over, as RFC 7517 section 5 asks.
    ///
    /// # Errors
    /// Not JSON, too large, or no key left.
    pub fn parse(bytes: &[u8], allowed: &Algorithms) -> Result<Self, JwksError> {
        if bytes.len() > json::MAX_BYTES {
            return Err(JwksError(format!(
                "it has {} bytes, and at most {} bytes are wanted",
                bytes.len(),
                json::MAX_BYTES
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
        for (index, member) in members.iter().enumerate() {
            if let Err(why) = Key::from_json(member, allowed).and_then(|key| set.add(key)) {
                set.passed_over.push(format!("keys[{index}]: {why}"));
            }
        }
        if members.is_empty() {
            return Err(JwksError("no usable key: it holds none".to_owned()));
        }
        if set.keys.is_empty() {
            return Err(JwksError(format!("no usable key: {}", set.passed_over.join("; "))));
        }
        Ok(set)
    }

    /// One that stands twice counts once, so that its removal retires it whole.
    fn add(&mut self, key: Key) -> Result<(), &'static str> {
        if self.keys.iter().any(|known| known.same_as(&key)) {
            return Ok(());
        }
        if key.kid.as_deref().is_some_and(|kid| self.named(kid).count() >= MAX_KEYS_OF_A_KID) {
            return Err("its kid has two keys");
        }
        self.keys.push(Arc::new(key));
        Ok(())
    }

    /// The keys called `kid`: as a rule one.
    pub fn named(&self, kid: &str) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.iter().filter(move |key| key.kid.as_deref() == Some(kid))
    }

    /// The key that verifies a token: one of its `kid`, or, for a token without, the only one that
    /// is for its algorithm.
    ///
    /// # Errors
    /// `key_unknown`, `alg_not_allowed`, `bad_signature`.
    pub fn verify(&self, token: &Compact<'_>) -> Result<Arc<Key>, Refusal> {
        let Some(kid) = &token.header.kid else {
            let mut fitting = self.keys.iter().filter(|key| key.is_for(token.header.alg));
            return match (fitting.next(), fitting.next()) {
                (Some(key), None) => Ok(key.verify(token).map(|()| Arc::clone(key))?),
                (None, _) => Err(Refusal::detailed(
                    Reason::KeyUnknown,
                    "it has no kid, and no key is for its algorithm",
                )),
                (Some(_), Some(_)) => Err(Refusal::detailed(
                    Reason::KeyUnknown,
                    "it has no kid, and more than one key is for its algorithm",
                )),
            };
        };
        let mut refusal = Reason::KeyUnknown;
        for key in self.named(kid) {
            match key.verify(token) {
                Ok(()) => return Ok(Arc::clone(key)),
                // With two keys of one kid, the one whose algorithm fits says more.
                Err(Reason::AlgNotAllowed) if refusal == Reason::BadSignature => {}
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal.into())
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Members of the set that are not used, and why.
    #[must_use]
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// Takes the place of `former`: keys that stay are the same ones, so that what they verified
    /// stays verified; keys that are gone are retired. One that had retired comes back as a new one.
    #[must_use]
    pub fn replacing(mut self, former: &Self) -> Self {
        for old in &former.keys {
            let kept = self.keys.iter_mut().find(|new| new.same_as(old) && old.is_current());
            match kept {
                Some(new) => *new = Arc::clone(old),
                None => old.retire(),
            }
        }
        self
    }

    /// Takes every key out of service.
    pub fn retire(&self) {
        self.keys.iter().for_each(|key| key.retire());
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
        let mut keys: Vec<_> = self.keys.iter().map(Arc::as_ref).collect();
        keys.sort_by(|a, b| a.kid.cmp(&b.kid));
        keys
    }

    /// Notes when keys that are new were seen first.
    pub fn seen(&self, at: UnixTime) {
        self.keys.iter().for_each(|key| key.seen(at));
    }
}
