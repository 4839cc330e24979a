//! Verified tokens, kept by the digest of the whole token, signature included. A session holds
//! what follows from token, key and configuration alone; refusals are not kept.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter};

use crate::gateway::audit;
use crate::jose::Key;
use crate::oidc::{Identity, Validity};
use crate::policy::{Caller, Policy};

/// The most tokens that are kept; the least used make room.
const MAX_SESSIONS: u64 = 1_000_000;

/// A caller with a verified token.
#[derive(Debug)]
pub(super) struct Session {
    /// What verified the token; nothing where claims were only read, and such a session is never
    /// one of the cache.
    key: Option<Arc<Key>>,
    pub(super) validity: Validity,
    /// What this caller can have of the roles, in order.
    pub(super) grants: Box<[u32]>,
    /// `issuer:subject` as the log writes it.
    pub(super) principal: Box<str>,
    /// The display claim as the log writes it.
    pub(super) display: Box<str>,
}

impl Session {
    pub(super) fn new(
        identity: Identity,
        key: Option<Arc<Key>>,
        issuer: &str,
        policy: &Policy,
    ) -> Self {
        let Identity { validity, subject, groups, display, claims, .. } = identity;
        let caller = Caller { issuer, subject: &subject, groups: &groups, claims: &claims };
        let grants = policy.grants_of(&caller);
        let principal = audit::principal(issuer, &subject).into();
        let display = audit::value(display.as_deref().unwrap_or_default()).into();
        Self { key, validity, grants, principal, display }
    }

    /// Whether the issuer still publishes the key that verified the token.
    pub(super) fn is_current(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.is_current())
    }
}

/// The cache, shared by all threads.
pub(super) struct Sessions(Option<Cache<[u8; 32], Arc<Session>>>);

impl Default for Sessions {
    fn default() -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(1024)
            .weight_capacity(MAX_SESSIONS)
            .build();
        Self(options.ok().map(|options| {
            Cache::with_options(
                options,
                UnitWeighter,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            )
        }))
    }
}

impl Sessions {
    pub(super) fn get(&self, digest: &[u8; 32]) -> Option<Arc<Session>> {
        self.0.as_ref()?.get(digest)
    }

    pub(super) fn insert(&self, digest: [u8; 32], session: Arc<Session>) {
        if let Some(cache) = &self.0 {
            cache.insert(digest, session);
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}
