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
pub use may::{Ask, May};
pub use near_miss::NearMiss;
pub use pattern::Pattern;
pub use schedule::{Day, Schedule};
pub use terms::{BodyTerms, Contents, Missed, ModelBeside, Reading, Term};
pub use tier::{AskedTiers, REQUEST_TYPE, SHARED_REQUEST_TYPE, Tier};
pub use uri::UriPrefix;
pub use who::{Caller, Who};

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
    /// The index of its credential in the configuration.
    pub credential: usize,
    /// Its own index in the configuration.
    pub place: usize,
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
enum Match<'p> {
    Role(&'p Role),
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

    /// The first role among `grants` that allows `ask` and signs with this credential.
    #[must_use]
    pub fn decide_as<'b>(
        &self,
        grants: &[u32],
        ask: &Ask<'b>,
        credential: usize,
    ) -> Decision<'_, 'b> {
        self.decide_among(grants, ask, |role| role.credential == credential)
    }

    fn decide_among<'b>(
        &self,
        grants: &[u32],
        ask: &Ask<'b>,
        may_decide: impl Fn(&Role) -> bool,
    ) -> Decision<'_, 'b> {
        let mut otherwise = Decision::RoleNone;
        for number in self.index.within(grants, ask.project).iter() {
            let role = match self.role_for(*number, ask) {
                Match::Role(role) if may_decide(role) => role,
                Match::Role(_) | Match::None => continue,
                Match::NeedClient => return Decision::NeedClient,
            };
            let problem = match role.may.missed(ask) {
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
        for number in self.index.within(grants, ask.project).iter() {
            match self.role_for(*number, ask) {
                Match::Role(role) if matches!(role.may.missed(ask), Ok(None)) => roles.push(role),
                Match::Role(_) | Match::None => {}
                Match::NeedClient => return None,
            }
        }
        Some(roles)
    }

    /// The role of a grant, if it is for this target, time and client.
    fn role_for(&self, number: u32, ask: &Ask<'_>) -> Match<'_> {
        let Some((role, who)) = self.grant(number) else {
            return Match::None;
        };
        if !role.may.is_for(ask) || !who.holds_at(ask.wall) {
            return Match::None;
        }
        if !who.asks_for_client() {
            return Match::Role(role);
        }
        match ask.client {
            None => Match::NeedClient,
            Some(client) if who.fits_client(client) => Match::Role(role),
            Some(_) => Match::None,
        }
    }

    fn grant(&self, number: u32) -> Option<(&Role, &Who)> {
        let grant = self.grants.get(usize::try_from(number).ok()?)?;
        let role = self.roles.get(grant.role)?;
        Some((role, role.who.get(grant.who)?))
    }
}
