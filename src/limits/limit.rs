//! Limits as the configuration gives them: what is counted together, and how much is allowed.

use crate::limits::Window;

/// The largest amount: up to 2^53 a JSON number is the same integer for every reader (RFC 8259
/// section 6).
pub const MAX_AMOUNT: u64 = 1 << 53;

/// The output tokens that are reserved for a request whose own limit on them was not read, where
/// the role does not say.
pub const DEFAULT_RESERVE_TOKENS: u64 = 1024;

/// What has a budget of its own. Without any, everybody whom the limit is for shares one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Per {
    /// Each role.
    pub role: bool,
    /// Each principal: issuer and subject.
    pub principal: bool,
    /// Each model, as `publisher/model`.
    pub model: bool,
}

impl Per {
    /// The names, as the configuration writes them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [(self.role, "role"), (self.principal, "principal"), (self.model, "model")];
        all.into_iter().filter_map(|(is_there, name)| is_there.then_some(name))
    }

    /// Whether callers can bring up new keys; otherwise the configuration has them all.
    pub(super) const fn is_open(self) -> bool {
        self.principal || self.model
    }
}

/// How much is allowed; each is 1 to [`MAX_AMOUNT`], and nothing where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Requests in a minute.
    pub requests_per_minute: Option<u64>,
    /// Requests in an hour.
    pub requests_per_hour: Option<u64>,
    /// Tokens, input and output, in a minute.
    pub tokens_per_minute: Option<u64>,
    /// Tokens, input and output, in an hour.
    pub tokens_per_hour: Option<u64>,
    /// Requests that are in flight at once.
    pub parallel_requests: Option<u64>,
}

impl Amounts {
    /// The requests that are allowed in a window.
    #[must_use]
    pub const fn requests(&self, window: Window) -> Option<u64> {
        match window {
            Window::Minute => self.requests_per_minute,
            Window::Hour => self.requests_per_hour,
        }
    }

    /// The tokens that are allowed in a window.
    #[must_use]
    pub const fn tokens(&self, window: Window) -> Option<u64> {
        match window {
            Window::Minute => self.tokens_per_minute,
            Window::Hour => self.tokens_per_hour,
        }
    }

    /// Whether tokens are limited.
    #[must_use]
    pub fn limits_tokens(&self) -> bool {
        Window::ALL.iter().any(|window| self.tokens(*window).is_some())
    }

    /// Whether anything is counted in windows of this length.
    pub(super) const fn counts(&self, window: Window) -> bool {
        self.requests(window).is_some() || self.tokens(window).is_some()
    }
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Where it stands in the configuration: an RFC 6901 JSON pointer.
    pub pointer: String,
    /// What has a budget of its own.
    pub per: Per,
    /// The budget.
    pub amounts: Amounts,
}

/// The limits of one place, no two with the same [`Per`]: at most eight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitSet(Vec<Limit>);

impl LimitSet {
    /// Adds a limit.
    ///
    /// # Errors
    /// The pointer of the limit that has the same `per` already.
    pub fn add(&mut self, limit: Limit) -> Result<(), String> {
        match self.0.iter().find(|former| former.per == limit.per) {
            Some(former) => Err(former.pointer.clone()),
            None => {
                self.0.push(limit);
                Ok(())
            }
        }
    }

    /// The limits, in the file's order.
    #[must_use]
    pub fn as_slice(&self) -> &[Limit] {
        &self.0
    }
}

/// The limits of one role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleLimits {
    /// They count this role's requests alone.
    pub limits: LimitSet,
    /// The output tokens that are reserved where a request's own limit on them was not read, as far
    /// as the role says.
    pub reserve_tokens: Option<u64>,
}

/// All limits of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Those that count the requests of all roles.
    pub gateway: LimitSet,
    /// Those of each role, at the role's place in the configuration.
    pub roles: Vec<RoleLimits>,
}

impl Rules {
    /// Where the first limit on requests in flight stands.
    #[must_use]
    pub fn parallel(&self) -> Option<&str> {
        let sets = std::iter::once(&self.gateway).chain(self.roles.iter().map(|role| &role.limits));
        let limit = sets
            .flat_map(LimitSet::as_slice)
            .find(|limit| limit.amounts.parallel_requests.is_some())?;
        Some(&limit.pointer)
    }
}
