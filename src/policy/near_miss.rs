//! Explains why a role does not match a request, for people who look for the role that should.

use crate::policy::{Ask, Caller, Client, Policy, Reading, Role, Term, Who};

/// Something that a role demands and a request lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NearMiss {
    /// `who.issuer`
    Issuer,
    /// `who.groups`
    Groups,
    /// `who.subjects`
    Subjects,
    /// `who.claims`: this one.
    Claim(String),
    /// `who.networks`
    Networks,
    /// `who.certificate`
    Certificate,
    /// `who.times`
    Times,
    /// `default`
    Default,
    /// `may.projects`
    Projects,
    /// `may.locations`
    Locations,
    /// `may.models`
    Models,
    /// `may.methods`
    Methods,
    /// Another member of `may`.
    Term(Term),
    /// The role has to read the body, which cannot be read.
    Body,
}

impl NearMiss {
    /// The member of the role.
    #[must_use]
    pub fn member(&self) -> String {
        match self {
            Self::Issuer => "who.issuer".to_owned(),
            Self::Groups => "who.groups".to_owned(),
            Self::Subjects => "who.subjects".to_owned(),
            Self::Claim(path) => format!("who.claims {path}"),
            Self::Networks => "who.networks".to_owned(),
            Self::Certificate => "who.certificate".to_owned(),
            Self::Times => "who.times".to_owned(),
            Self::Default => "default".to_owned(),
            Self::Projects => "may.projects".to_owned(),
            Self::Locations => "may.locations".to_owned(),
            Self::Models => "may.models".to_owned(),
            Self::Methods => "may.methods".to_owned(),
            Self::Term(term) => format!("may.{}", term.name()),
            Self::Body => "body".to_owned(),
        }
    }
}

impl Policy {
    /// What each role lacks; those that lack least come first, then in the order of the file.
    #[must_use]
    pub fn misses(&self, caller: &Caller<'_>, ask: &Ask<'_>) -> Vec<(&Role, Vec<NearMiss>)> {
        let least = |role: &Role| {
            let of = |who: &Who| [who_misses(who, caller, ask), may_misses(role, ask)].concat();
            role.who.iter().map(of).min_by_key(Vec::len)
        };
        let mut misses: Vec<_> =
            self.roles().iter().filter_map(|role| Some((role, least(role)?))).collect();
        misses.sort_by_key(|(_, misses)| misses.len());
        misses
    }
}

fn who_misses(who: &Who, caller: &Caller<'_>, ask: &Ask<'_>) -> Vec<NearMiss> {
    let client = ask.client.copied().unwrap_or(Client { address: None, certificate: None });
    let claims = who.claims.iter().filter(|claim| !claim.holds(caller.claims));
    [
        (who.issuer == caller.issuer, NearMiss::Issuer),
        (who.fits_groups(caller), NearMiss::Groups),
        (who.fits_subject(caller), NearMiss::Subjects),
        (who.fits_network(&client), NearMiss::Networks),
        (who.fits_certificate(&client), NearMiss::Certificate),
        (who.holds_at(ask.wall), NearMiss::Times),
    ]
    .into_iter()
    .filter_map(|(fits, miss)| (!fits).then_some(miss))
    .chain(claims.map(|claim| NearMiss::Claim(claim.path.as_str().to_owned())))
    .collect()
}

fn may_misses(role: &Role, ask: &Ask<'_>) -> Vec<NearMiss> {
    let may = &role.may;
    let place = role.place_of(ask);
    let mut misses: Vec<_> = [
        (place.is_some(), NearMiss::Default),
        (
            place.and_then(|place| place.project).is_none_or(|project| may.has_project(project)),
            NearMiss::Projects,
        ),
        (place.is_none_or(|place| may.has_location(place.location)), NearMiss::Locations),
        (may.has_model(ask.model), NearMiss::Models),
        (may.has_method(ask.method), NearMiss::Methods),
    ]
    .into_iter()
    .filter_map(|(fits, miss)| (!fits).then_some(miss))
    .collect();
    match may.missed(ask, place.map_or("", |place| place.location)) {
        Ok(missed) => misses.extend(missed.map(|missed| NearMiss::Term(missed.term()))),
        Err(Reading::Never) => misses.push(NearMiss::Body),
        Err(_) => {}
    }
    misses
}
