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
    pub claims: &'c crate::json::Json,
}

#[derive(Clone, Copy, Debug)]
pub struct Certificate<'p> {
    pub subject: &'p str,
    pub sha256: &'p str,
}
#[derive(Clone, Copy, Debug)]
pub struct Peer<'p> {
    pub address: Option<std::net::IpAddr>,
    pub certificate: Option<Certificate<'p>>,
}
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents<'b> {
    pub size: u64,
    pub tools: &'b [String],
    pub file_uris: &'b [String],
    pub cached_contents: &'b [String],
    pub output_uris: &'b [String],
    pub model_armor_templates: &'b [String],
    pub max_output_tokens: Option<u64>,
}
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub project: Option<&'a str>,
    pub location: &'a str,
    pub model: Option<(&'a str, &'a str)>,
    pub method: &'a str,
    pub wall: crate::time::UnixTime,
    pub peer: Option<&'a Peer<'a>>,
    pub contents: Option<&'a Contents<'a>>,
    pub size: Option<u64>,
}
#[derive(Clone, Copy, Debug)]
pub enum Decision<'p> {
    Allow(&'p Role),
    RoleNone,
    BodyNotAllowed(Condition),
    NeedPeer,
    NeedContents,
}
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    Tools,
}
impl Condition {
    pub fn name(self) -> &'static str {
        "tools"
    }
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
    fn allows(&self, ask: &Ask<'_>) -> bool {
        let any = |patterns: &[Pattern], text: &str| patterns.iter().any(|p| p.matches(text));
        any(&self.methods, ask.method)
            && any(&self.locations, ask.location)
            && ask.project.is_none_or(|p| any(&self.projects, p))
            && ask
                .model
                .is_none_or(|(a, b)| self.models.iter().any(|pattern| pattern.matches_pair(a, b)))
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

    pub fn roles_of(&self, caller: &Caller<'_>) -> Box<[u32]> {
        self.roles
            .iter()
            .zip(0..)
            .filter(|(role, _)| role.who.matches(*caller))
            .map(|(_, i)| i)
            .collect()
    }
    pub fn decide(&self, candidates: &[u32], ask: &Ask<'_>) -> Decision<'_> {
        for i in candidates {
            let Some(role) = self.roles.get(usize::try_from(*i).unwrap_or(0)) else { continue };
            if role.may.allows(ask) {
                let Some(c) = ask.contents else { return Decision::NeedContents };
                if !c.tools.is_empty() {
                    return Decision::BodyNotAllowed(Condition::Tools);
                }
                return Decision::Allow(role);
            }
        }
        Decision::RoleNone
    }
}
