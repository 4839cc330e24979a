//! The state of credentials' bearers at one moment; never a bearer itself.

use std::sync::PoisonError;

use crate::google::bearer::{Bearers, RENEW_SECS, Slot};
use crate::google::self_signed::LIFETIME_SECS;
use crate::google::{Credential, CredentialSource};
use crate::time::{Monotonic, Now};

/// The state of a credential's bearer at one location.
#[derive(Clone, Debug)]
pub struct BearerStatus<'b> {
    /// The credential.
    pub credential: &'b Credential,
    /// The location.
    pub location: &'b str,
    /// Google's host there.
    pub host: &'b str,
    /// Whether it can be sent now.
    pub is_ready: bool,
    /// Seconds since it was issued; `None` for a token whose times are unknown.
    pub age_secs: Option<i64>,
    /// Seconds until it expires.
    pub expires_in_secs: Option<i64>,
    /// Seconds until the next one is signed; 0 when that is due.
    pub next_signing_secs: Option<i64>,
    /// Whether the latest try to sign failed.
    pub is_failing: bool,
    /// When a try to sign failed last.
    pub failed_at: Option<Monotonic>,
}

impl CredentialSource {
    /// Whether its bearers are signed here, ahead of need.
    const fn is_signed(&self) -> bool {
        match self {
            Self::ServiceAccount { .. } => true,
            Self::AccessToken(_) => false,
        }
    }

    /// As the configuration's `type` writes it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::ServiceAccount { .. } => "service_account",
            Self::AccessToken(_) => "access_token",
        }
    }
}

impl Bearers {
    /// The state of every credential's bearer at every location, with the credential's index in the
    /// configuration.
    pub fn statuses(&self, now: Now) -> impl Iterator<Item = (usize, BearerStatus<'_>)> {
        let places = self.slots.chunks(self.locations.len().max(1));
        self.credentials.iter().zip(places).enumerate().flat_map(
            move |(index, (credential, slots))| {
                let pairs = self.locations.iter().zip(slots);
                pairs.map(move |(location, slot)| (index, slot.status(credential, location, now)))
            },
        )
    }
}

impl Slot {
    fn status<'b>(
        &'b self,
        credential: &'b Credential,
        location: &'b str,
        now: Now,
    ) -> BearerStatus<'b> {
        let is_ready = self.is_ready(now);
        let bearer = self.bearer.read().unwrap_or_else(PoisonError::into_inner);
        let issued = bearer.as_ref().and_then(|bearer| bearer.issued);
        let expires_in_secs = issued.map(|issued| issued + LIFETIME_SECS - now.wall);
        let signing = *self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        let next_signing_secs =
            expires_in_secs.map_or(0, |secs| secs.saturating_sub(RENEW_SECS).max(0));
        BearerStatus {
            credential,
            location,
            host: self.host(),
            is_ready,
            age_secs: issued.map(|issued| now.wall - issued),
            expires_in_secs,
            next_signing_secs: credential.source.is_signed().then_some(next_signing_secs),
            is_failing: signing.is_failing,
            failed_at: signing.failed_at,
        }
    }
}
