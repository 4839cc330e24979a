//! Limits as the configuration gives them: which requests are counted together, and how much they
//! may use.

use crate::limits::Window;

/// The largest amount, 2^53: up to there a JSON number is the same integer for every reader (RFC
/// 8259 section 6).
pub const MAX_AMOUNT: u64 = 1 << 53;

/// Output tokens to reserve for a request whose own limit on them was not read, if the role does
/// not say.
pub const DEFAULT_RESERVE_TOKENS: u64 = 1024;

/// Which of role, principal and model have a budget of their own. Without any, all requests that
/// the limit is for share one.
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
    /// Their names in the configuration.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [(self.role, "role"), (self.principal, "principal"), (self.model, "model")];
        all.into_iter().filter_map(|(is_there, name)| is_there.then_some(name))
    }

    /// Whether callers can add keys; otherwise they all follow from the configuration.
    pub(super) const fn is_open(self) -> bool {
        self.principal || self.model
    }
}

/// The amounts of a limit, each 1 to [`MAX_AMOUNT`]; `None` if unlimited.
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

    /// Whether anything is limited in windows of this length.
    pub(super) const fn counts(&self, window: Window) -> bool {
        self.requests(window).is_some() || self.tokens(window).is_some()
    }
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its RFC 6901 JSON pointer in the configuration.
    pub pointer: String,
    /// What has a budget of its own.
    pub per: Per,
    /// The budget.
    pub amounts: Amounts,
}

/// The limits of one JSON list, no two with the same [`Per`]: at most eight.
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
    /// The limits that count this role's requests only.
    pub limits: LimitSet,
    /// The output tokens that are reserved where a request's own limit on them was not read, as far
    /// as the role says.
    pub reserve_tokens: Option<u64>,
}

/// All limits of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The limits that count the requests of all roles.
    pub gateway: LimitSet,
    /// The limits of each role, by the role's index.
    pub roles: Vec<RoleLimits>,
}

impl Rules {
    /// The JSON pointer of the first limit on requests in flight.
    #[must_use]
    pub fn parallel(&self) -> Option<&str> {
        let sets = std::iter::once(&self.gateway).chain(self.roles.iter().map(|role| &role.limits));
        let limit = sets
            .flat_map(LimitSet::as_slice)
            .find(|limit| limit.amounts.parallel_requests.is_some())?;
        Some(&limit.pointer)
    }
}
