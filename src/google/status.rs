//! The state of credentials' bearers at one moment; never a bearer itself.

use std::sync::PoisonError;

use crate::google::bearer::{Bearers, RENEW_SECS, Slot};
use crate::google::callers::ExchangeStatus;
use crate::google::fetching::Fetching;
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
    /// Seconds until the next one is signed or fetched; 0 when that is due.
    pub next_signing_secs: Option<i64>,
    /// Whether the first one is still to come, and nothing has failed so far.
    pub is_starting: bool,
    /// Whether the latest try to sign or to fetch failed.
    pub is_failing: bool,
    /// When such a try failed last.
    pub failed_at: Option<Monotonic>,
    /// How; it may quote the endpoint.
    pub failure: Option<String>,
}

impl CredentialSource {
    /// Whether its bearers are signed here, ahead of need.
    pub(super) const fn is_signed(&self) -> bool {
        match self {
            Self::ServiceAccount { .. } => true,
            Self::AccessToken(_) | Self::ApiKey(_) | Self::Fetched(_) | Self::Exchanged(_) => false,
        }
    }

    /// As the configuration's `type` writes it.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::ServiceAccount { .. } => "service_account",
            Self::AccessToken(_) => "access_token",
            Self::ApiKey(_) => "api_key",
            Self::Fetched(source) => source.kind,
            Self::Exchanged(_) => "exchange",
        }
    }
}

impl Bearers {
    /// The state of every credential's bearer at every location, with the credential's index in the
    /// configuration.
    pub fn statuses(&self, now: Now) -> impl Iterator<Item = (usize, BearerStatus<'_>)> {
        let places = self.slots.chunks(self.locations.len().max(1));
        let exchanges: Vec<_> = self.exchange_statuses().collect();
        self.credentials.iter().zip(places).enumerate().flat_map(
            move |(index, (credential, slots))| {
                let pairs = self.locations.iter().zip(slots);
                let fetching = self.fetching_of(index);
                let exchange = exchanges.iter().find(|(one, _)| *one == index).cloned();
                pairs.map(move |(location, slot)| {
                    let status = slot.status(credential, location, fetching, now);
                    (
                        index,
                        match &exchange {
                            Some((_, exchange)) => status.of_exchange(exchange),
                            None => status,
                        },
                    )
                })
            },
        )
    }
}

impl BearerStatus<'_> {
    /// What a caller lacks is that caller's: the credential itself has nothing to wait for.
    fn of_exchange(self, exchange: &ExchangeStatus<'_>) -> Self {
        let refusal = exchange.refusal.as_ref().map(|(at, why)| (*at, why.to_string()));
        let failure = exchange.record.last_failure.clone();
        let (failed_at, failure) =
            failure.into_iter().chain(refusal).max_by_key(|(at, _)| *at).unzip();
        Self {
            is_ready: true,
            is_failing: exchange.record.failing_since.is_some(),
            failed_at,
            failure,
            ..self
        }
    }
}

impl Slot {
    fn status<'b>(
        &'b self,
        credential: &'b Credential,
        location: &'b str,
        fetching: Option<&Fetching>,
        now: Now,
    ) -> BearerStatus<'b> {
        let is_ready = self.is_ready(now);
        let bearer = self.bearer.read().unwrap_or_else(PoisonError::into_inner);
        let life = bearer.as_ref().and_then(|bearer| bearer.life);
        let left_secs = life.map(|life| life.left_secs(now));
        let status = BearerStatus {
            credential,
            location,
            host: self.host(),
            is_ready,
            age_secs: life.map(|life| life.age_secs(now)),
            expires_in_secs: left_secs,
            next_signing_secs: None,
            is_starting: false,
            is_failing: false,
            failed_at: None,
            failure: None,
        };
        if let Some(fetching) = fetching {
            let (record, next_secs) = fetching.record(now.mono);
            let (failed_at, failure) = record.last_failure.unzip();
            return BearerStatus {
                next_signing_secs: Some(next_secs),
                is_starting: record.succeeded_at.is_none() && failed_at.is_none(),
                is_failing: record.failing_since.is_some(),
                failed_at,
                failure,
                ..status
            };
        }
        let signing = *self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        let next_secs = left_secs.map_or(0, |secs| secs.saturating_sub(RENEW_SECS).max(0));
        BearerStatus {
            next_signing_secs: credential.source.now().is_signed().then_some(next_secs),
            is_failing: signing.is_failing,
            failed_at: signing.failed_at,
            failure: signing.failed_at.map(|_| "could not sign".to_owned()),
            ..status
        }
    }
}
