//! One issuer: its configuration, its keys now, and the machine that keeps them fresh.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::error::Refusal;
use crate::fetch::{Endpoint, Reply, Request};
use crate::jose::{Algorithms, Compact, Key, KeySet};
use crate::oidc::refresh::{Published, Refresh};
use crate::time::{Monotonic, Now, UnixTime};

/// How long keys serve after their last fetch, through an outage of the issuer.
pub(super) const KEYS_SERVE_SECS: i64 = 24 * 3600;

/// What the operator says of an issuer.
#[derive(Debug)]
pub struct IssuerConfig {
    /// The name that roles, log lines and commands use.
    pub name: String,
    /// `iss`, compared exactly.
    pub issuer: String,
    /// One of these must be in the audience claim.
    pub audiences: Vec<String>,
    /// The algorithms that its keys may have.
    pub algorithms: Algorithms,
    /// Which claims mean what.
    pub claims: ClaimNames,
    /// Where its keys are.
    pub source: KeySource,
}

/// The names of claims that differ between issuers.
#[derive(Debug)]
pub struct ClaimNames {
    /// The audience: `aud`, `azp` or `client_id`.
    pub audience: String,
    /// Who calls: `sub`, or what tells this issuer's callers apart better.
    pub subject: String,
    /// The caller's groups.
    pub groups: String,
    /// A name for people to read, in the log.
    pub display: Option<String>,
}

/// Where an issuer's keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// A file that was read at load.
    File(KeySet),
    /// Fetched; without a fixed place it is the discovery document that names it.
    Fetched {
        /// The discovery document.
        discovery: Endpoint,
        /// A fixed place of the key set.
        jwks: Option<Endpoint>,
        /// Whose key sets are taken: the issuer's own host, and those that are listed.
        hosts: Vec<String>,
    },
}

/// What an issuer's keys say of a token.
#[derive(Debug)]
pub enum Signature {
    /// This key verifies it.
    Holds(Arc<Key>),
    /// None does, of those that the issuer published when the token was here already.
    Refused(Refusal),
    /// None does so far: the issuer is to be asked.
    Awaited,
}

/// The format of the state file that this version writes and reads.
pub const STORED_FORMAT: u64 = 1;

/// A key set as it is kept over a reload (`state_file`).
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredKeys {
    /// `iss`: keys belong to an issuer, whatever its name in the configuration.
    pub issuer: String,
    /// When the issuer published them last, Unix seconds.
    pub fetched_at: i64,
    /// The JWK set.
    pub jwks: serde_json::Value,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Current {
    pub(super) keys: Arc<KeySet>,
    /// When this process asked the issuer for them; nothing for a file's.
    asked_at: Option<Monotonic>,
    /// When they were fetched; nothing for a file's.
    pub(super) fetched: Option<(Monotonic, UnixTime)>,
}

/// An issuer at work.
#[derive(Debug)]
pub struct Issuer {
    /// What the operator said.
    pub config: IssuerConfig,
    pub(super) current: RwLock<Current>,
    pub(super) refresh: Option<Mutex<Refresh>>,
}

impl Issuer {
    /// An issuer whose keys are in its file, or are to be fetched at once.
    #[must_use]
    pub fn new(mut config: IssuerConfig, now: Now) -> Self {
        let (keys, refresh) = match &mut config.source {
            KeySource::File(keys) => {
                keys.seen(now.wall);
                (std::mem::take(keys), None)
            }
            KeySource::Fetched { discovery, jwks, hosts } => {
                let refresh = Refresh::new(
                    config.issuer.clone(),
                    discovery.clone(),
                    jwks.clone(),
                    hosts.clone(),
                    now.mono,
                );
                (KeySet::default(), Some(Mutex::new(refresh)))
            }
        };
        let current = RwLock::new(Current { keys: Arc::new(keys), ..Current::default() });
        Self { config, current, refresh }
    }

    /// Whether one of the keys verifies a token that came at `since`. Keys that the issuer was
    /// asked for before that refuse nothing: a key may be newer than they, also under an old `kid`.
    pub fn verify(&self, token: &Compact<'_>, now: Now, since: Monotonic) -> Signature {
        let Current { keys, asked_at, .. } = self.current(now.mono);
        let refusal = match keys.verify(token) {
            Ok(key) => return Signature::Holds(key),
            Err(refusal) => refusal,
        };
        let Some(refresh) = &self.refresh else { return Signature::Refused(refusal) };
        let kid = token.header.kid.as_deref().unwrap_or_default();
        if asked_at.is_some_and(|asked_at| asked_at >= since) {
            lock(refresh).refuse(kid);
            return Signature::Refused(refusal);
        }
        lock(refresh).want(kid, now.mono);
        Signature::Awaited
    }

    /// The request that is due now, and its number. Keys that are too old retire here too, so
    /// that no cached token outlives them.
    pub fn step(&self, now: Now) -> Option<(u32, Request)> {
        self.current(now.mono);
        lock(self.refresh.as_ref()?).step(now.mono)
    }

    /// Takes the reply to request `number`.
    pub fn answer(&self, number: u32, reply: &Reply, now: Now) {
        let Some(refresh) = &self.refresh else { return };
        let mut refresh = lock(refresh);
        let published = refresh.answer(number, reply, &self.config.algorithms, now.mono);
        let Some(Published { keys, asked_at }) = published else { return };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.replacing(&current.keys);
        keys.seen(now.wall);
        let fetched = Some((now.mono, now.wall));
        *current = Current { keys: Arc::new(keys), asked_at: Some(asked_at), fetched };
    }

    /// The keys, for the next process.
    pub fn stored(&self) -> Option<StoredKeys> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let (_, fetched_at) = current.fetched?;
        Some(StoredKeys {
            issuer: self.config.issuer.clone(),
            fetched_at: fetched_at.0,
            jwks: current.keys.to_json(),
        })
    }

    /// Takes over keys that the former process kept, unless they are too old; they serve until
    /// the first fetch, which stays due at once.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn restore(&self, stored: &StoredKeys, now: Now) -> Result<(), String> {
        let age = now.wall - UnixTime(stored.fetched_at);
        if self.refresh.is_none() {
            return Ok(());
        }
        if !(-3600..KEYS_SERVE_SECS).contains(&age) {
            return Err("not of the last 24 hours".to_owned());
        }
        let jwks = stored.jwks.to_string();
        let keys = KeySet::parse(jwks.as_bytes(), &self.config.algorithms)
            .map_err(|why| why.to_string())?;
        keys.seen(UnixTime(stored.fetched_at));
        let fetched = (now.mono.plus_secs(-age.max(0)), UnixTime(stored.fetched_at));
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Current { keys: Arc::new(keys), asked_at: None, fetched: Some(fetched) };
        Ok(())
    }

    /// The keys now. Those that were not renewed for too long retire, with all they verified.
    pub(super) fn current(&self, now: Monotonic) -> Current {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let age = current.fetched.map_or(0, |(fetched, _)| now.millis_since(fetched));
        if age > KEYS_SERVE_SECS * 1000 {
            current.keys.retire();
            return Current::default();
        }
        current.clone()
    }
}

pub(super) fn lock(refresh: &Mutex<Refresh>) -> std::sync::MutexGuard<'_, Refresh> {
    refresh.lock().unwrap_or_else(PoisonError::into_inner)
}
