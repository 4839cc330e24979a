//! Whether one role leaves nothing for a later one in the file. If that cannot be told, the answer
//! is no.

use crate::policy::{BodyTerms, CertificateTest, May, Network, Pattern, Role, UriPrefix, Who};

impl Role {
    /// Whether this role decides on every request that `later` matches.
    #[must_use]
    pub fn hides(&self, later: &Self) -> bool {
        let covered = |later: &Who| self.who.iter().any(|own| own.covers(later));
        let is_placed_alike = later.default.is_none() || self.default == later.default;
        is_placed_alike
            && !later.who.is_empty()
            && later.who.iter().all(covered)
            && self.may.covers(&later.may)
    }
}

impl Role {
    /// Whether this role signs long requests, before their bodies are read, that only `later` allows,
    /// which signs as another identity. Roles for groups or subjects that differ are taken to be for
    /// different callers.
    #[must_use]
    pub fn signs_before(&self, later: &Self) -> bool {
        let is_stricter = match (&self.may.body, &later.may.body) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(own), Some(later)) => !own.covers(later),
        };
        let meets = |own: &Who| later.who.iter().any(|later| own.meets(later));
        let is_elsewhere =
            self.default.is_some() && later.default.is_some() && self.default != later.default;
        (self.credential != later.credential || is_elsewhere)
            && is_stricter
            && self.who.iter().any(meets)
            && self.may.meets(&later.may)
    }
}

impl Who {
    fn meets(&self, other: &Self) -> bool {
        let texts = |own: &Option<Vec<String>>, other: &Option<Vec<String>>| match (own, other) {
            (Some(own), Some(other)) => other.iter().any(|text| own.contains(text)),
            _ => true,
        };
        self.issuer == other.issuer
            && texts(&self.groups, &other.groups)
            && texts(&self.subjects, &other.subjects)
    }

    fn covers(&self, later: &Self) -> bool {
        let texts = |own: &Option<Vec<String>>, later: &Option<Vec<String>>| match (own, later) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(later)) => later.iter().all(|text| own.contains(text)),
        };
        self.issuer == later.issuer
            && texts(&self.groups, &later.groups)
            && texts(&self.subjects, &later.subjects)
            && self.claims.iter().all(|claim| later.claims.contains(claim))
            && networks(self.networks.as_deref(), later.networks.as_deref())
            && certificate(self.certificate.as_ref(), later.certificate.as_ref())
            && (self.times.is_none() || self.times == later.times)
    }
}

impl May {
    fn meets(&self, other: &Self) -> bool {
        let lists = [
            (&self.projects, &other.projects),
            (&self.locations, &other.locations),
            (&self.models, &other.models),
            (&self.methods, &other.methods),
        ];
        lists
            .iter()
            .all(|(own, other)| other.iter().any(|other| own.iter().any(|own| own.overlaps(other))))
    }

    fn covers(&self, later: &Self) -> bool {
        patterns(&self.projects, &later.projects)
            && patterns(&self.locations, &later.locations)
            && patterns(&self.models, &later.models)
            && patterns(&self.methods, &later.methods)
            && later.tiers.iter().all(|tier| self.tiers.contains(tier))
            && limit(self.max_request_bytes, later.max_request_bytes)
            && match (&self.body, &later.body) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(own), Some(later)) => own.covers(later),
            }
    }
}

impl BodyTerms {
    fn covers(&self, later: &Self) -> bool {
        patterns(&self.tools, &later.tools)
            && prefixes(&self.file_uris, &later.file_uris)
            && patterns(&self.stored_state, &later.stored_state)
            && patterns(&self.secrets, &later.secrets)
            && prefixes(&self.output_uris, &later.output_uris)
            && patterns(&self.model_armor_templates, &later.model_armor_templates)
            && limit(self.max_output_tokens, later.max_output_tokens)
    }
}

fn patterns(own: &[Pattern], later: &[Pattern]) -> bool {
    later.iter().all(|later| own.iter().any(|own| own.covers(later)))
}

fn prefixes(own: &[UriPrefix], later: &[UriPrefix]) -> bool {
    later.iter().all(|later| own.iter().any(|own| own.covers(later)))
}

fn limit(own: Option<u64>, later: Option<u64>) -> bool {
    own.is_none_or(|own| later.is_some_and(|later| later <= own))
}

fn networks(own: Option<&[Network]>, later: Option<&[Network]>) -> bool {
    match (own, later) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(later)) => {
            later.iter().all(|later| own.iter().any(|own| own.covers(later)))
        }
    }
}

fn certificate(own: Option<&CertificateTest>, later: Option<&CertificateTest>) -> bool {
    match (own, later) {
        (None, _) | (Some(CertificateTest::Verified), Some(_)) => true,
        (own, later) => own == later,
    }
}
