//! Budgets of requests and tokens: by role, principal and model, in a minute and in an hour, and
//! how many requests may be in flight at once.
//!
//! - A request *reserves* before it is let through: one request, and the tokens that it is
//!   estimated to need. Either every limit that applies takes the reservation or none does, and
//!   all is checked under the locks of all, so that nobody is refused for what another request
//!   only tried to take.
//! - When it has ended it is *settled* with the tokens that it has used. In the window that it was
//!   reserved in, what was too much comes back. Once that window has passed, nothing comes back,
//!   and what was too little is charged to the current one. So a window is exceeded by no more
//!   than the requests in flight used beyond their estimates, and not at all where no estimate is
//!   too low.
//! - Windows are fixed and aligned to UTC by the wall clock. A clock that is set back opens no
//!   window again: the one of the future is counted on with. If it is more than one window ahead
//!   its counts become those of the current window. So a key is never locked for longer than two
//!   windows, and a step back gives nobody a second budget, unless it is longer than two minutes
//!   and the key has made room meanwhile.
//! - Memory is bounded by [`MAX_KEYS`]. A key whose windows have passed, or hold nothing, and that
//!   has no request in flight makes room for others, and so does one under which nothing but
//!   models was asked that Google does not know. One caller brings up [`MAX_CALLER_KEYS`] at most,
//!   and one of several limits four times what is free (see `shares`). Where there is no room,
//!   newcomers share one budget in each limit, as large as one caller's ([`Limits::overflowed`]
//!   counts them): refused too early rather than not counted.
//!
//! Counts are of this process alone, and begin empty.

mod budget_key;
mod counters;
mod estimate;
mod exhausted;
mod limit;
mod reservation;
mod rule;
mod shares;
mod status;
mod table;
mod window;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::Now;
use budget_key::{Digests, Parts};
use counters::Counters;
use reservation::{Hold, Want};
use rule::Rule;
use shares::Shares;
use table::CounterTable;
use window::Current;

pub use budget_key::BudgetKey;
pub use estimate::{Prompt, tokens_in};
pub use exhausted::{Exhausted, What};
pub use limit::{
    Amounts, DEFAULT_RESERVE_TOKENS, Limit, LimitSet, MAX_AMOUNT, Per, RoleLimits, Rules,
};
pub use reservation::Reservation;
pub use shares::MAX_CALLER_KEYS;
pub use status::{LimitStatus, LimitUsage};
pub use table::MAX_KEYS;
pub use window::Window;

/// A role's part of the rules.
#[derive(Debug)]
struct RoleRules {
    digest: u128,
    /// Its own limits: from this number up to that one.
    first: u32,
    end: u32,
    reserve_tokens: u64,
}

/// The limits of a configuration at work, shared by all threads.
#[derive(Debug)]
pub struct Limits {
    /// Those of the gateway, then those of each role.
    rules: Box<[Rule]>,
    /// How many are the gateway's.
    gateway: u32,
    roles: Box<[RoleRules]>,
    digests: Digests,
    table: CounterTable,
}

impl Limits {
    /// Sets rules to work, with nothing used.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let digests = Digests::default();
        let mut all: Vec<Rule> = Vec::new();
        let add = |all: &mut Vec<Rule>, limits: &LimitSet| {
            for limit in limits.as_slice() {
                let digest = digests.of(("limit", all.len()));
                all.push(Rule { limit: limit.clone(), digest, overflowed: AtomicU64::new(0) });
            }
            u32::try_from(all.len()).unwrap_or(u32::MAX)
        };
        let gateway = add(&mut all, &rules.gateway);
        let mut first = gateway;
        let roles: Box<[RoleRules]> = rules
            .roles
            .iter()
            .enumerate()
            .map(|(index, role)| {
                let end = add(&mut all, &role.limits);
                let digest = digests.of(("role", index));
                let reserve_tokens = role.reserve_tokens.unwrap_or(DEFAULT_RESERVE_TOKENS);
                RoleRules { digest, first: std::mem::replace(&mut first, end), end, reserve_tokens }
            })
            .collect();
        let open = all.iter().filter(|rule| rule.limit.per.is_open()).count();
        let shares = Shares::new(MAX_KEYS, all.len(), open > 1);
        let table = CounterTable::new(fixed(&all, &roles).into_iter(), shares);
        Self { rules: all.into(), gateway, roles, digests, table }
    }

    /// Whether no limit applies to a role's requests.
    #[must_use]
    pub fn is_empty_for(&self, role: usize) -> bool {
        self.gateway == 0 && self.roles.get(role).is_none_or(|role| role.first == role.end)
    }

    /// The output tokens to reserve for a role's request whose own limit on them was not read.
    #[must_use]
    pub fn reserve_tokens(&self, role: usize) -> u64 {
        self.roles.get(role).map_or(DEFAULT_RESERVE_TOKENS, |role| role.reserve_tokens)
    }

    /// Where a limit stands in the configuration.
    #[must_use]
    pub fn pointer(&self, rule: u32) -> &str {
        self.rule(rule).map_or("", |rule| &rule.limit.pointer)
    }

    /// Reserves one request and `tokens` in every limit that applies, or in none.
    ///
    /// # Errors
    /// The limit that is exhausted; of several, the one that is to be waited for longest.
    pub fn reserve(
        &self,
        who: BudgetKey<'_>,
        tokens: u64,
        now: Now,
    ) -> Result<Reservation, Exhausted> {
        self.take(who, Want { tokens, is_free: false }, now)
    }

    /// Counts one request that costs nothing: it takes no tokens and no place among those in flight.
    ///
    /// # Errors
    /// The limit on requests that is exhausted.
    pub fn count(&self, who: BudgetKey<'_>, now: Now) -> Result<Reservation, Exhausted> {
        self.take(who, Want { tokens: 0, is_free: true }, now)
    }

    fn take(&self, who: BudgetKey<'_>, want: Want, now: Now) -> Result<Reservation, Exhausted> {
        let current = Current::at(now.wall);
        let mut reservation = self.holds_of(who, want);
        let caller = reservation.caller;
        // Whether there is such a model, Google's answer says.
        let new =
            |rule: &Rule, hold: &Hold| Counters::new(hold.rule, caller, !rule.limit.per.model);
        let mut locked = self.table.lock(reservation.holds());
        let mut refusal = None;
        for hold in reservation.holds_mut() {
            let Some(rule) = self.rule(hold.rule) else {
                continue;
            };
            let (new, now) = (new(rule, hold), (&current, now.mono));
            let counters = locked.find(hold, new, now).unwrap_or_else(|| {
                rule.overflowed.fetch_add(1, Ordering::Relaxed);
                locked.overflow(hold, rule.digest, new, now)
            });
            if let Some(exhausted) = rule.check(&counters, want, hold.rule, &current) {
                refusal = Some(exhausted.or_longer(refusal));
            }
        }
        if let Some(exhausted) = refusal {
            return Err(exhausted);
        }
        for hold in reservation.holds_mut() {
            let Some(rule) = self.rule(hold.rule) else {
                continue;
            };
            if let Some(counters) = locked.entry_or(hold, new(rule, hold)) {
                hold.opened = counters.take(&rule.limit.amounts, want, &current);
            }
        }
        drop(locked);
        Ok(reservation)
    }

    /// Ends a request that has used `tokens`.
    pub fn settle(&self, reservation: Reservation, tokens: u64, now: Now) {
        self.end(&reservation, tokens, true, now);
    }

    /// Ends a request that Google refused as it knows nothing of the name: it has used no tokens, and
    /// keys that it brought up make room before any other.
    pub fn settle_unknown(&self, reservation: Reservation, now: Now) {
        self.end(&reservation, 0, false, now);
    }

    fn end(&self, reservation: &Reservation, tokens: u64, is_known: bool, now: Now) {
        let current = Current::at(now.wall);
        let Want { tokens: reserved, is_free } = reservation.want;
        let mut locked = self.table.lock(reservation.holds());
        for hold in reservation.holds() {
            // What has a request in flight is never dropped.
            let (Some(rule), Some(counters)) = (self.rule(hold.rule), locked.entry(hold)) else {
                continue;
            };
            if is_known {
                counters.know();
            }
            if !is_free {
                let reserved = (reserved, hold.opened);
                counters.give_back(&rule.limit.amounts, reserved, tokens, &current);
            }
        }
    }

    /// Takes a reservation back as if it had never been made.
    pub fn withdraw(&self, reservation: Reservation, now: Now) {
        self.end(&reservation, 0, false, now);
        let current = Current::at(now.wall);
        let mut locked = self.table.lock(reservation.holds());
        for hold in reservation.holds() {
            if let (Some(rule), Some(counters)) = (self.rule(hold.rule), locked.entry(hold)) {
                counters.forget_request(&rule.limit.amounts, hold.opened, &current);
            }
        }
    }

    fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(number).ok()?)
    }

    /// Where a request is counted: in the role's own limits first, then in the gateway's.
    fn holds_of(&self, who: BudgetKey<'_>, want: Want) -> Reservation {
        let mut reservation = Reservation::new(want, shares::caller_of(who.principal));
        let role = self.roles.get(who.role);
        let (first, end) = role.map_or((0, 0), |role| (role.first, role.end));
        let role = role.map_or(0, |role| role.digest);
        let mut parts = Parts { role, principal: who.principal, model: 0 };
        let mut has_model = false;
        for number in (first..end).chain(0..self.gateway) {
            let Some(rule) = self.rule(number) else {
                continue;
            };
            let per = rule.limit.per;
            if per.model && !has_model {
                (parts.model, has_model) = (self.digests.of(who.model), true);
            }
            let key = parts.key(rule.digest, per);
            let shard = if per.is_open() { table::shard_of(key) } else { table::FIXED };
            reservation.push(Hold { key, rule: number, shard, ..Hold::default() });
        }
        reservation
    }
}

/// The entries that are always there: a limit's one budget, or one for each role where that is
/// all it tells apart, or the one that newcomers share.
fn fixed(rules: &[Rule], roles: &[RoleRules]) -> Vec<(u128, u32)> {
    let mut entries = Vec::new();
    for (rule, number) in rules.iter().zip(0..) {
        let per = rule.limit.per;
        if per.role && !per.is_open() {
            let key = |role: &RoleRules| Parts { role: role.digest, principal: 0, model: 0 };
            entries.extend(roles.iter().map(|role| (key(role).key(rule.digest, per), number)));
        } else {
            entries.push((rule.digest, number));
        }
    }
    entries
}

/// All threads of HAProxy share the limits.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Limits>();
};
