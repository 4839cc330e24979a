//! Authorization: roles in the order of the file; the first that matches decides, and no match is a
//! refusal. The roles that a caller can have follow from the token alone and are cached with it;
//! terms on the request or the time are checked at each request.

mod claim;
mod client;
mod index;
mod may;
mod near_miss;
mod pattern;
mod schedule;
mod shadow;
mod terms;
mod tier;
mod uri;
mod who;

pub use claim::{Claim, ClaimPath, ClaimTest, Scalar};
pub use client::{Certificate, CertificateTest, Client, Network};
pub use may::{Ask, May, Place};
pub use near_miss::NearMiss;
pub use pattern::Pattern;
pub use schedule::{Day, Schedule};
pub use terms::{BodyTerms, Contents, Missed, ModelBeside, Reading, Term};
pub use tier::{AskedTiers, REQUEST_TYPE, SHARED_REQUEST_TYPE, Tier};
pub use uri::UriPrefix;
pub use who::{Caller, Who};

use std::borrow::Cow;

use index::Index;

/// A role: who may do what, as which Google identity.
#[derive(Debug)]
pub struct Role {
    /// The name in log lines.
    pub name: String,
    /// Its callers: any of these alternatives.
    pub who: Vec<Who>,
    /// What it allows.
    pub may: May,
    /// The place of requests whose path names none.
    pub default: Option<DefaultPlace>,
    /// The index of its credential in the configuration.
    pub credential: usize,
    /// Its own index in the configuration.
    pub place: usize,
}

/// The place of a role's requests whose path names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultPlace {
    /// A Google project's id or number.
    pub project: String,
    /// A location.
    pub location: String,
}

impl Role {
    /// Where a request is served under this role; `None` if neither says it.
    #[must_use]
    pub fn place_of<'a>(&'a self, ask: &Ask<'a>) -> Option<Place<'a>> {
        let of = |default: &'a DefaultPlace| Place {
            project: Some(&default.project),
            location: &default.location,
        };
        ask.place.or_else(|| self.default.as_ref().map(of))
    }

    /// Whether both roles send this request to the same place, signed by the same credential.
    #[must_use]
    pub fn sends_like(&self, other: &Self, ask: &Ask<'_>) -> bool {
        self.credential == other.credential && self.place_of(ask) == other.place_of(ask)
    }
}

/// The result of [`Policy::decide`].
#[derive(Clone, Copy, Debug)]
pub enum Decision<'p, 'b> {
    /// This role allows it.
    Allow(&'p Role),
    /// No role of the caller is for this target.
    RoleNone,
    /// Some roles are for the target, but none allows the request; the first one misses this.
    Missed(Missed<'b>),
    /// A role depends on the body, which cannot be read.
    Unreadable,
    /// The client's end of the connection is needed.
    NeedClient,
    /// The body is needed.
    NeedContents,
}

/// A grant: one alternative of one role's `who`.
#[derive(Clone, Copy, Debug)]
struct Grant {
    role: usize,
    who: usize,
}

/// Whether a grant is for a request, whatever its body holds.
enum Match<'p, 'a> {
    Role(&'p Role, Place<'a>),
    None,
    NeedClient,
}

/// The roles of a configuration.
#[derive(Debug)]
pub struct Policy {
    roles: Vec<Role>,
    grants: Vec<Grant>,
    index: Index,
}

impl Policy {
    /// A policy of these roles, in this order.
    #[must_use]
    pub fn new(roles: Vec<Role>) -> Self {
        let alternatives = |(role, held): (usize, &Role)| {
            (0..held.who.len()).map(move |who| Grant { role, who }).collect::<Vec<_>>()
        };
        let grants: Vec<Grant> = roles.iter().enumerate().flat_map(alternatives).collect();
        let index =
            Index::new(roles.iter().flat_map(|role| {
                role.who.iter().map(move |who| (who, role.may.projects.as_slice()))
            }));
        Self { roles, grants, index }
    }

    /// The roles, in order.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The grants that a caller can have by the token alone: numbers for [`Self::decide`], in
    /// order.
    #[must_use]
    pub fn grants_of(&self, caller: &Caller<'_>) -> Box<[u32]> {
        let fits = |number: &u32| self.grant(*number).is_some_and(|(_, who)| who.fits(caller));
        self.index.candidates(caller).into_iter().filter(fits).collect()
    }

    /// The first role among `grants` that allows `ask`.
    #[must_use]
    pub fn decide<'b>(&self, grants: &[u32], ask: &Ask<'b>) -> Decision<'_, 'b> {
        self.decide_among(grants, ask, |_| true)
    }

    /// The first role among `grants` that allows `ask` and sends it like this one.
    #[must_use]
    pub fn decide_like<'b>(
        &self,
        grants: &[u32],
        ask: &Ask<'b>,
        sender: &Role,
    ) -> Decision<'_, 'b> {
        self.decide_among(grants, ask, |role| role.sends_like(sender, ask))
    }

    /// The roles of these grants.
    pub fn roles_of(&self, grants: &[u32]) -> impl Iterator<Item = &Role> {
        grants.iter().filter_map(|number| self.grant(*number).map(|(role, _)| role))
    }

    /// Whether a role of these grants has a default place.
    #[must_use]
    pub fn has_default(&self, grants: &[u32]) -> bool {
        self.roles_of(grants).any(|role| role.default.is_some())
    }

    fn decide_among<'b>(
        &self,
        grants: &[u32],
        ask: &Ask<'b>,
        may_decide: impl Fn(&Role) -> bool,
    ) -> Decision<'_, 'b> {
        let mut otherwise = Decision::RoleNone;
        for number in self.within(grants, ask).iter() {
            let (role, place) = match self.role_for(*number, ask) {
                Match::Role(role, place) if may_decide(role) => (role, place),
                Match::Role(..) | Match::None => continue,
                Match::NeedClient => return Decision::NeedClient,
            };
            let problem = match role.may.missed(ask, place.location) {
                Ok(None) => return Decision::Allow(role),
                Ok(Some(missed)) => Decision::Missed(missed),
                Err(Reading::Later) => return Decision::NeedContents,
                Err(_) => Decision::Unreadable,
            };
            if matches!(otherwise, Decision::RoleNone) {
                otherwise = problem;
            }
        }
        otherwise
    }

    /// The roles among `grants` that may allow `ask` once its body was read, in order; `None` if the
    /// client's end of the connection is needed.
    #[must_use]
    pub fn candidates(&self, grants: &[u32], ask: &Ask<'_>) -> Option<Vec<&Role>> {
        let mut roles = Vec::new();
        for number in self.within(grants, ask).iter() {
            match self.role_for(*number, ask) {
                Match::Role(role, place)
                    if matches!(role.may.missed(ask, place.location), Ok(None)) =>
                {
                    roles.push(role);
                }
                Match::Role(..) | Match::None => {}
                Match::NeedClient => return None,
            }
        }
        Some(roles)
    }

    fn within<'g>(&self, grants: &'g [u32], ask: &Ask<'_>) -> Cow<'g, [u32]> {
        self.index.within(grants, ask.place.and_then(|place| place.project))
    }

    /// The role of a grant, if it is for this target, time and client.
    fn role_for<'p: 'a, 'a>(&'p self, number: u32, ask: &'a Ask<'_>) -> Match<'p, 'a> {
        let Some((role, who)) = self.grant(number) else {
            return Match::None;
        };
        let Some(place) = role.place_of(ask) else {
            return Match::None;
        };
        if !role.may.is_for(ask, place) || !who.holds_at(ask.wall) {
            return Match::None;
        }
        if !who.asks_for_client() {
            return Match::Role(role, place);
        }
        match ask.client {
            None => Match::NeedClient,
            Some(client) if who.fits_client(client) => Match::Role(role, place),
            Some(_) => Match::None,
        }
    }

    fn grant(&self, number: u32) -> Option<(&Role, &Who)> {
        let grant = self.grants.get(usize::try_from(number).ok()?)?;
        let role = self.roles.get(grant.role)?;
        Some((role, role.who.get(grant.who)?))
    }
}
