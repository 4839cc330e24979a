//! What is known of an issuer at one moment: its keys, their age, how its fetches went.

use std::sync::PoisonError;

use crate::fetch::Record;
use crate::oidc::issuer::{Issuer, KEYS_SERVE_SECS, KeySource, lock};
use crate::time::{Now, UnixTime};

/// Where the keys that serve came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// There are none yet.
    Nowhere,
    /// The issuer's `jwks_file`.
    File,
    /// The former process, by the state file; the first fetch is still to come.
    StateFile,
    /// The issuer.
    Fetched,
}

/// An issuer's keys and fetches now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerStatus {
    /// Where its keys came from.
    pub origin: Origin,
    /// How many keys serve.
    pub keys: usize,
    /// What its set holds beside them, and why it is not used.
    pub passed_over: Vec<String>,
    /// When the issuer published them last; nothing for a file's.
    pub fetched_at: Option<UnixTime>,
    /// Seconds since then.
    pub age_secs: Option<i64>,
    /// Whether they have retired for their age.
    pub is_too_old: bool,
    /// Seconds until the next fetch; 0 for one that is due or under way, nothing for a file's.
    pub next_fetch_secs: Option<i64>,
    /// How its fetches went.
    pub record: Record,
}

impl IssuerStatus {
    /// Whether its tokens can be verified.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.keys > 0
    }
}

/// One public key of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// `kid`, as the issuer wrote it.
    pub kid: Option<String>,
    /// The algorithms that it verifies, by their names.
    pub algorithms: Vec<&'static str>,
    /// Whether it serves; not once the set is too old.
    pub is_current: bool,
    /// When it was seen first.
    pub since: Option<UnixTime>,
}

impl Issuer {
    /// What is known now.
    #[must_use]
    pub fn status(&self, now: Now) -> IssuerStatus {
        let (next_fetch_secs, record) = match &self.refresh {
            None => (None, Record::default()),
            Some(refresh) => {
                let refresh = lock(refresh);
                (Some(refresh.next_secs(now.mono)), refresh.record.clone())
            }
        };
        let serving = self.current(now.mono).keys;
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let origin = match (&self.config.source, current.fetched, record.succeeded_at) {
            (KeySource::File(_), ..) => Origin::File,
            (KeySource::Fetched { .. }, None, _) => Origin::Nowhere,
            (KeySource::Fetched { .. }, Some(_), None) => Origin::StateFile,
            (KeySource::Fetched { .. }, Some(_), Some(_)) => Origin::Fetched,
        };
        let age_millis = current.fetched.map(|(fetched, _)| now.mono.millis_since(fetched));
        IssuerStatus {
            origin,
            keys: serving.len(),
            passed_over: serving.passed_over().to_vec(),
            fetched_at: current.fetched.map(|(_, fetched_at)| fetched_at),
            age_secs: age_millis.map(|millis| millis / 1000),
            is_too_old: age_millis.is_some_and(|millis| millis > KEYS_SERVE_SECS * 1000),
            next_fetch_secs,
            record,
        }
    }

    /// Its keys, in the order of their names.
    #[must_use]
    pub fn key_statuses(&self) -> Vec<KeyStatus> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let keys = current.keys.sorted();
        keys.into_iter()
            .map(|key| KeyStatus {
                kid: key.kid.clone(),
                algorithms: key.algorithms().iter().map(|alg| alg.name()).collect(),
                is_current: key.is_current(),
                since: key.since(),
            })
            .collect()
    }
}
