//! Whether requests should be sent to this gateway: once every issuer has keys and every credential
//! a bearer, or the time that a request would wait for them has passed. From then on it stays
//! ready: an issuer that fails later concerns its own callers, and all gateways alike.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::gateway::admin::View;
use crate::oidc::MAX_WAIT_MILLIS;
use crate::time::{Monotonic, Now};

#[derive(Debug)]
pub(in crate::gateway) struct Readiness {
    opened: Monotonic,
    was_ready: AtomicBool,
}

/// The answer of the readiness check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Whether the gateway is ready.
    pub is_ready: bool,
    /// What it waits for, and what is not well, as JSON.
    pub details: String,
}

#[derive(Serialize)]
struct Details {
    ready: bool,
    issuers: Vec<IssuerDetails>,
    credentials: Vec<CredentialDetails>,
}

#[derive(Serialize)]
struct IssuerDetails {
    name: String,
    ready: bool,
    keys: usize,
    age_seconds: Option<i64>,
    failing_seconds: Option<i64>,
}

#[derive(Serialize)]
struct CredentialDetails {
    name: String,
    location: String,
    ready: bool,
    expires_in_seconds: Option<i64>,
}

impl Readiness {
    pub(in crate::gateway) const fn new(opened: Now) -> Self {
        Self { opened: opened.mono, was_ready: AtomicBool::new(false) }
    }

    /// Whether it is ready: it became so before, all is well, or the time for that has passed.
    fn is_ready(&self, all_is_well: bool, now: Now) -> bool {
        let had_its_time = now.mono.millis_since(self.opened) >= MAX_WAIT_MILLIS;
        if all_is_well || had_its_time {
            self.was_ready.store(true, Ordering::Relaxed);
        }
        self.was_ready.load(Ordering::Relaxed)
    }
}

impl View<'_> {
    /// Whether requests should be sent here, and what is not well.
    pub(in crate::gateway) fn ready(&self, now: Now) -> Ready {
        let issuers = self.issuer_rows(now).into_iter().map(|row| IssuerDetails {
            name: row.name,
            ready: row.ready,
            keys: row.keys,
            age_seconds: row.age_seconds,
            failing_seconds: row.failing_seconds,
        });
        let credentials = self.credential_rows(now).into_iter().map(|row| CredentialDetails {
            name: row.name,
            location: row.location,
            ready: row.ready,
            expires_in_seconds: row.expires_in_seconds,
        });
        let mut details = Details {
            ready: false,
            issuers: issuers.collect(),
            credentials: credentials.collect(),
        };
        let all_is_well = details.issuers.iter().all(|issuer| issuer.ready)
            && details.credentials.iter().all(|credential| credential.ready);
        let is_ready = self.admin.readiness.is_ready(all_is_well, now);
        details.ready = is_ready;
        Ready { is_ready, details: serde_json::to_string(&details).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

    fn at(millis: i64) -> Now {
        Now { wall: UnixTime(1_800_000_000), mono: Monotonic(7_000 + millis) }
    }

    #[test]
    fn it_is_ready_when_all_is_well_and_stays_so() {
        let readiness = Readiness::new(at(0));
        assert!(!readiness.is_ready(false, at(0)));
        assert!(!readiness.is_ready(false, at(4_999)));
        assert!(readiness.is_ready(true, at(4_999)));
        assert!(readiness.is_ready(false, at(5_000)));
        assert!(readiness.is_ready(false, at(86_400_000)));
    }

    #[test]
    fn it_is_ready_after_the_time_that_a_request_would_wait() {
        let readiness = Readiness::new(at(0));
        assert!(!readiness.is_ready(false, at(4_999)));
        assert!(readiness.is_ready(false, at(5_000)));
        assert!(readiness.is_ready(false, at(0)), "whatever the clock says then");
    }
}
