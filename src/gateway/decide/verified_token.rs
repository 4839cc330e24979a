//! The cache of verified tokens, by the fingerprint of the whole token, signature included. An entry
//! follows from token, key and configuration alone; refusals are not cached.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter};

use crate::error::Reason;
use crate::google::Subject;
use crate::jose::{FingerprintKey, Key};
use crate::keyed_hash::KeyedHash;
use crate::log_value;
use crate::oidc::{Identity, Validity};
use crate::time::UnixTime;

/// Most tokens; the least used one makes room.
const MAX_TOKENS: u64 = 1_000_000;

/// Most lists of grants that are shared.
const MAX_LISTS: usize = 4096;

/// A caller with a verified token.
#[derive(Debug)]
pub(in crate::gateway) struct VerifiedToken {
    /// The key that verified the token; `None` if claims were only read, and such a token is never
    /// cached.
    key: Option<Arc<Key>>,
    /// What it is cached by; `None` where nothing is cached.
    fingerprint: Option<Fingerprint>,
    pub(in crate::gateway) validity: Validity,
    /// The grants that the token can have, in order.
    pub(in crate::gateway) grants: Arc<[u32]>,
    /// `issuer:subject` as the log writes it.
    pub(in crate::gateway) principal: Box<str>,
    /// The keyed digest of issuer and subject, for tables.
    pub(in crate::gateway) digest: u128,
    /// The display claim, as the log writes it.
    pub(in crate::gateway) display: Box<str>,
    /// Whether the issuer left the caller's groups out.
    pub(in crate::gateway) lacks_groups: bool,
}

impl VerifiedToken {
    /// A caller of the issuer with this name, having these grants; what verified the token, and what it is
    /// cached by.
    pub(in crate::gateway) fn new(
        identity: &Identity,
        (key, fingerprint): (Option<Arc<Key>>, Option<Fingerprint>),
        issuer: &str,
        grants: Arc<[u32]>,
        hash: &KeyedHash,
    ) -> Self {
        let principal = principal(issuer, &identity.subject).into();
        let display = log_value::encoded(identity.display.as_deref().unwrap_or_default()).into();
        let digest = hash.digest((issuer, &identity.subject));
        let Identity { validity, lacks_groups, .. } = *identity;
        Self { key, fingerprint, validity, grants, principal, digest, display, lacks_groups }
    }

    /// The two parts of [`Self::principal`], both encoded.
    pub(in crate::gateway) fn issuer_and_subject(&self) -> (&str, &str) {
        self.principal.split_once(':').unwrap_or_default()
    }

    /// The token as one that is exchanged; `None` for one that was not verified.
    pub(in crate::gateway) fn subject(&self) -> Option<Subject<'_>> {
        let (key, fingerprint) = self.key.as_ref().zip(self.fingerprint)?;
        let digest = u128::from_ne_bytes(fingerprint);
        Some(Subject { digest, key, expires: self.validity.expires })
    }

    /// Whether a text is this token.
    pub(in crate::gateway) fn is(&self, fingerprint: Option<Fingerprint>) -> bool {
        fingerprint.is_some() && self.fingerprint == fingerprint
    }

    /// Whether the issuer still publishes the key that verified the token.
    pub(in crate::gateway) fn is_current(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.is_current())
    }

    /// Whether a token that was verified before still holds.
    ///
    /// # Errors
    /// `key_unknown`, `token_expired`, `token_not_yet_valid`.
    pub(in crate::gateway) fn check(&self, now: UnixTime) -> Result<(), Reason> {
        match self.is_current() {
            true => self.validity.check(now),
            false => Err(Reason::KeyUnknown),
        }
    }
}

/// `issuer:subject`; an issuer's name holds no colon.
fn principal(issuer: &str, subject: &str) -> String {
    let mut out = log_value::encoded(issuer);
    out.push(':');
    log_value::write(&mut out, subject, log_value::MAX_VALUE_BYTES);
    out
}

pub(in crate::gateway) type Fingerprint = [u8; 16];

/// The cache, shared by all threads.
pub(in crate::gateway) struct VerifiedTokens {
    /// Makes the digests of issuer and subject.
    pub(in crate::gateway) hash: KeyedHash,
    fingerprints: Option<FingerprintKey>,
    cache: Option<Cache<Fingerprint, Arc<VerifiedToken>>>,
    /// Each list of grants once: callers with the same roles share it.
    lists: Mutex<HashSet<Arc<[u32]>>>,
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(1024)
            .weight_capacity(MAX_TOKENS)
            .build();
        let cache = options.ok().map(|options| {
            Cache::with_options(
                options,
                UnitWeighter,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            )
        });
        Self {
            hash: KeyedHash::default(),
            fingerprints: FingerprintKey::random(),
            cache,
            lists: Mutex::default(),
        }
    }
}

impl VerifiedTokens {
    /// What a token is cached by; `None` where nothing is cached.
    pub(in crate::gateway) fn fingerprint(&self, token: &str) -> Option<Fingerprint> {
        self.fingerprints.as_ref()?.of(token.as_bytes())
    }

    pub(in crate::gateway) fn get(&self, fingerprint: &Fingerprint) -> Option<Arc<VerifiedToken>> {
        self.cache.as_ref()?.get(fingerprint)
    }

    /// The shared list of these grants.
    pub(in crate::gateway) fn shared(&self, grants: Box<[u32]>) -> Arc<[u32]> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.get(&*grants) {
            return Arc::clone(list);
        }
        if lists.len() >= MAX_LISTS {
            lists.retain(|list| Arc::strong_count(list) > 1);
        }
        let list: Arc<[u32]> = grants.into();
        if lists.len() < MAX_LISTS {
            lists.insert(Arc::clone(&list));
        }
        list
    }

    /// Number of cached tokens, and the most there can be.
    pub(in crate::gateway) fn tokens(&self) -> (usize, usize) {
        let kept = self.cache.as_ref().map_or(0, Cache::len);
        (kept, usize::try_from(MAX_TOKENS).unwrap_or(usize::MAX))
    }

    /// Number of shared lists of grants, and the most there can be.
    pub(in crate::gateway) fn lists(&self) -> (usize, usize) {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        (lists.len(), MAX_LISTS)
    }

    pub(in crate::gateway) fn insert(&self, fingerprint: Fingerprint, token: Arc<VerifiedToken>) {
        if let Some(cache) = &self.cache {
            cache.insert(fingerprint, token);
        }
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_with_the_same_roles_share_one_list_and_lists_are_bounded() {
        let tokens = VerifiedTokens::default();
        let list = |number: u32| tokens.shared(vec![number, 1_000_000].into());
        assert!(Arc::ptr_eq(&list(0), &list(0)));
        let kept = list(7);
        let most = u32::try_from(MAX_LISTS).unwrap();
        for number in 0..most + 10 {
            assert_eq!(*list(number), [number, 1_000_000]);
        }
        assert!(tokens.lists.lock().unwrap().len() <= MAX_LISTS);
        assert!(Arc::ptr_eq(&list(7), &kept), "one in use stays");
    }
}
