//! The shape of limits.

use crate::config::raw::shape::OneOrMoreNames;
#[cfg(feature = "cli")]
use crate::limits::MAX_AMOUNT;

/// A budget.
// `K` has the names that `per` may hold.
#[derive(Debug, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Limit<K> {
    /// What has a budget of its own: one of these or two; all share one without.
    pub(in crate::config) per: Option<OneOrMoreNames<K>>,
    /// Requests in a minute.
    #[cfg_attr(feature = "cli", schemars(range(min = 1, max = MAX_AMOUNT)))]
    pub(in crate::config) requests_per_minute: Option<u64>,
    /// Requests in an hour.
    #[cfg_attr(feature = "cli", schemars(range(min = 1, max = MAX_AMOUNT)))]
    pub(in crate::config) requests_per_hour: Option<u64>,
    /// Tokens, input and output, in a minute.
    #[cfg_attr(feature = "cli", schemars(range(min = 1, max = MAX_AMOUNT)))]
    pub(in crate::config) tokens_per_minute: Option<u64>,
    /// Tokens, input and output, in an hour.
    #[cfg_attr(feature = "cli", schemars(range(min = 1, max = MAX_AMOUNT)))]
    pub(in crate::config) tokens_per_hour: Option<u64>,
    /// Requests in flight at once.
    #[cfg_attr(feature = "cli", schemars(range(min = 1, max = MAX_AMOUNT)))]
    pub(in crate::config) parallel_requests: Option<u64>,
}

/// What a role's limit may tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RoleKey {
    Principal,
    Model,
}

/// What a limit of all roles may tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Key {
    Role,
    Principal,
    Model,
}

impl From<RoleKey> for Key {
    fn from(key: RoleKey) -> Self {
        match key {
            RoleKey::Principal => Self::Principal,
            RoleKey::Model => Self::Model,
        }
    }
}
