//! The keys that counters are kept under: role, principal and model.

use crate::limits::limit::Per;

/// The role, principal and model that a request is counted for.
#[derive(Clone, Copy, Debug)]
pub struct BudgetKey<'s> {
    /// The role's index in the configuration.
    pub role: usize,
    /// The keyed digest of issuer and subject. All 128 bits are as good as random: counters are
    /// found by it alone.
    pub principal: u128,
    /// `publisher/model` as the request names it; empty where it names none.
    pub model: &'s str,
}

/// The digests of role, principal and model that the keys of one request are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) role: u128,
    pub(super) principal: u128,
    pub(super) model: u128,
}

impl Parts {
    /// The key under a limit with this digest of its own: the exclusive or, as each digest is as
    /// good as random.
    pub(super) const fn key(&self, limit: u128, per: Per) -> u128 {
        let mut key = limit;
        if per.role {
            key ^= self.role;
        }
        if per.principal {
            key ^= self.principal;
        }
        if per.model {
            key ^= self.model;
        }
        key
    }
}
