//! Whom a role is for. All of what it says must hold: the token part once a token, the rest at
//! each request.

use crate::json::Json;
use crate::policy::{CertificateTest, Claim, Client, Network, Schedule};
use crate::time::UnixTime;

/// A caller, as roles see one.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'c> {
    /// The name of the issuer in the configuration.
    pub issuer: &'c str,
    /// `sub`.
    pub subject: &'c str,
    /// The groups claim.
    pub groups: &'c [String],
    /// Every claim of the token.
    pub claims: &'c Json,
}

/// One alternative of a role's `who`. What it does not name, it does not ask for; without groups,
/// subjects and claims it is for every caller of its issuer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Who {
    /// The name of the one issuer whose callers can have this role.
    pub issuer: String,
    /// One of these must be among the caller's groups.
    pub groups: Option<Vec<String>>,
    /// `sub` must be one of these.
    pub subjects: Option<Vec<String>>,
    /// Each of these must hold.
    pub claims: Vec<Claim>,
    /// The caller's address must be in one of these.
    pub networks: Option<Vec<Network>>,
    /// The caller's client certificate.
    pub certificate: Option<CertificateTest>,
    /// It must be within one of these.
    pub times: Option<Vec<Schedule>>,
}

impl Who {
    /// Whether a token can have the role.
    #[must_use]
    pub fn fits(&self, caller: &Caller<'_>) -> bool {
        self.issuer == caller.issuer
            && self.fits_groups(caller)
            && self.fits_subject(caller)
            && self.claims.iter().all(|claim| claim.holds(caller.claims))
    }

    /// Whether every caller of its issuer fits.
    #[must_use]
    pub const fn is_for_anyone(&self) -> bool {
        self.groups.is_none() && self.subjects.is_none() && self.claims.is_empty()
    }

    pub(super) fn fits_groups(&self, caller: &Caller<'_>) -> bool {
        let groups = self.groups.as_ref();
        groups.is_none_or(|groups| caller.groups.iter().any(|group| groups.contains(group)))
    }

    pub(super) fn fits_subject(&self, caller: &Caller<'_>) -> bool {
        let subjects = self.subjects.as_ref();
        subjects.is_none_or(|subjects| subjects.iter().any(|subject| subject == caller.subject))
    }

    /// Whether it is in force now.
    pub(super) fn holds_at(&self, now: UnixTime) -> bool {
        let times = self.times.as_ref();
        times.is_none_or(|times| times.iter().any(|schedule| schedule.holds_at(now)))
    }

    /// Whether it depends on the other end of the connection.
    pub(super) const fn asks_for_client(&self) -> bool {
        self.networks.is_some() || self.certificate.is_some()
    }

    pub(super) fn fits_client(&self, client: &Client<'_>) -> bool {
        self.fits_network(client) && self.fits_certificate(client)
    }

    pub(super) fn fits_network(&self, client: &Client<'_>) -> bool {
        self.networks.as_ref().is_none_or(|networks| {
            client.address.is_some_and(|address| networks.iter().any(|net| net.contains(address)))
        })
    }

    pub(super) fn fits_certificate(&self, client: &Client<'_>) -> bool {
        self.certificate.as_ref().is_none_or(|test| test.holds(client.certificate.as_ref()))
    }
}
