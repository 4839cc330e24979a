//! Who may do what: roles in the order of the file, the first that matches decides, and no match
//! is a refusal. Which roles a caller can have follows from the token alone and is kept with it;
//! what depends on the request or the clock is looked at each time.

mod claim;
mod client;
mod index;
mod may;
mod near_miss;
mod pattern;
mod schedule;
mod shadow;
mod terms;
mod uri;
mod who;

pub use claim::{Claim, ClaimPath, ClaimTest, Scalar};
pub use client::{Certificate, CertificateTest, Client, Network};
pub use may::{Ask, May};
pub use near_miss::NearMiss;
pub use pattern::Pattern;
pub use schedule::{Day, Schedule};
pub use terms::{BodyTerms, Contents, Missed, Reading, Term};
pub use uri::UriPrefix;
pub use who::{Caller, Who};

use index::Index;

/// Who may do what, as which Google identity.
#[derive(Debug)]
pub struct Role {
    /// The name in log lines.
    pub name: String,
    /// Whom it is for: any of these.
    pub who: Vec<Who>,
    /// What it allows.
    pub may: May,
    /// The place of its credential in the configuration.
    pub credential: usize,
    /// Its own place in the configuration.
    pub place: usize,
}

/// The outcome.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'p, 'b> {
    /// This role allows it.
    Allow(&'p Role),
    /// No role of the caller is for this target.
    RoleNone,
    /// Roles are for the target, but none allows all that is asked; this is what the first does not.
    Missed(Missed<'b>),
    /// A role would have to read the body, which cannot be read.
    Unreadable,
    /// Who is at the other end of the connection has to be known.
    NeedClient,
    /// The body has to be read.
    NeedContents,
}

/// One alternative of one role's `who`: what a caller can have.
#[derive(Clone, Copy, Debug)]
struct Grant {
    role: usize,
    who: usize,
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

    /// What a caller can have by the token alone: numbers for [`Self::decide`], in order.
    #[must_use]
    pub fn grants_of(&self, caller: &Caller<'_>) -> Box<[u32]> {
        let fits = |number: &u32| self.grant(*number).is_some_and(|(_, who)| who.fits(caller));
        self.index.candidates(caller).into_iter().filter(fits).collect()
    }

    /// The first role among `grants` that allows `ask`.
    #[must_use]
    pub fn decide<'b>(&self, grants: &[u32], ask: &Ask<'b>) -> Decision<'_, 'b> {
        let mut otherwise = Decision::RoleNone;
        for number in self.index.within(grants, ask.project).iter() {
            let Some((role, who)) = self.grant(*number) else {
                continue;
            };
            if !role.may.is_for(ask) || !who.holds_at(ask.wall) {
                continue;
            }
            if who.asks_for_client() {
                match ask.client {
                    None => return Decision::NeedClient,
                    Some(client) if !who.fits_client(client) => continue,
                    Some(_) => {}
                }
            }
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

    fn grant(&self, number: u32) -> Option<(&Role, &Who)> {
        let grant = self.grants.get(usize::try_from(number).ok()?)?;
        let role = self.roles.get(grant.role)?;
        Some((role, role.who.get(grant.who)?))
    }
}
