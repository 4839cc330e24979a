//! Whose budget it is: the keys that counters are kept under.

use crate::limits::limit::Per;

/// Whom a request is counted for.
#[derive(Clone, Copy, Debug)]
pub struct BudgetKey<'s> {
    /// The role's place in the configuration.
    pub role: usize,
    /// A digest of issuer and subject under a key that only this process knows, all 128 bits as
    /// good as random: counters are found by it alone.
    pub principal: u128,
    /// `publisher/model` as the request names it; empty where it names none.
    pub model: &'s str,
}

/// The digests that keys of one request are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) role: u128,
    pub(super) principal: u128,
    pub(super) model: u128,
}

impl Parts {
    /// The key under a limit with this digest of its own. As good as random each, they can be put
    /// together by exclusive or.
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
