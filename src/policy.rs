//! Who may do what: roles in the order of the file, the first that matches decides, and no match
//! is a refusal. Which roles a caller can have follows from the token alone and is kept with it.

mod pattern;

pub use pattern::Pattern;

/// A caller, as roles see one.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'c> {
    /// The name of the issuer in the configuration.
    pub issuer: &'c str,
    /// `sub`.
    pub subject: &'c str,
    /// The groups claim.
    pub groups: &'c [String],
}

/// What is asked for, as roles see it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The Google project.
    pub project: &'a str,
    /// The location.
    pub location: &'a str,
    /// The publisher of the model.
    pub publisher: &'a str,
    /// The model.
    pub model: &'a str,
    /// The method's name.
    pub method: &'a str,
}

/// Whom a role is for.
#[derive(Debug)]
pub struct Who {
    /// The name of the one issuer whose callers can have this role.
    pub issuer: String,
    /// Which of them.
    pub members: Members,
}

/// Which callers of an issuer.
#[derive(Debug)]
pub enum Members {
    /// All of them.
    Anyone,
    /// Those with one of these groups or subjects.
    Listed {
        /// Values of the groups claim.
        groups: Vec<String>,
        /// Values of `sub`.
        subjects: Vec<String>,
    },
}

/// What a role allows; each list must match.
#[derive(Debug)]
pub struct May {
    /// Google projects.
    pub projects: Vec<Pattern>,
    /// Locations.
    pub locations: Vec<Pattern>,
    /// Models, as `publisher/model`.
    pub models: Vec<Pattern>,
    /// Methods.
    pub methods: Vec<Pattern>,
}

/// Who may do what, as which Google identity.
#[derive(Debug)]
pub struct Role {
    /// The name in log lines.
    pub name: String,
    /// Whom it is for.
    pub who: Who,
    /// What it allows.
    pub may: May,
    /// The place of its credential in the configuration.
    pub credential: usize,
}

impl Who {
    fn matches(&self, caller: Caller<'_>) -> bool {
        self.issuer == caller.issuer
            && match &self.members {
                Members::Anyone => true,
                Members::Listed { groups, subjects } => {
                    subjects.iter().any(|subject| subject == caller.subject)
                        || caller.groups.iter().any(|group| groups.contains(group))
                }
            }
    }
}

impl May {
    fn allows(&self, ask: Ask<'_>) -> bool {
        let any = |patterns: &[Pattern], text: &str| patterns.iter().any(|p| p.matches(text));
        any(&self.methods, ask.method)
            && any(&self.locations, ask.location)
            && any(&self.projects, ask.project)
            && self.models.iter().any(|pattern| pattern.matches_pair(ask.publisher, ask.model))
    }
}

/// The roles of a configuration.
#[derive(Debug)]
pub struct Policy {
    roles: Vec<Role>,
}

impl Policy {
    /// A policy of these roles, in this order.
    #[must_use]
    pub fn new(roles: Vec<Role>) -> Self {
        Self { roles }
    }

    /// The roles, in order.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The places of the roles that this caller can have, in order.
    #[must_use]
    pub fn roles_of(&self, caller: Caller<'_>) -> Box<[usize]> {
        let matching = self.roles.iter().enumerate().filter(|(_, role)| role.who.matches(caller));
        matching.map(|(index, _)| index).collect()
    }

    /// The first of `candidates` that allows what is asked.
    #[must_use]
    pub fn decide(&self, candidates: &[usize], ask: Ask<'_>) -> Option<&Role> {
        candidates
            .iter()
            .filter_map(|index| self.roles.get(*index))
            .find(|role| role.may.allows(ask))
    }
}
