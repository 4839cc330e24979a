//! How full the limits are, for people and for metrics.

use std::sync::atomic::Ordering;

use crate::limits::counters::Counters;
use crate::limits::reservation::Want;
use crate::limits::rule::Rule;
use crate::limits::window::Current;
use crate::limits::{BudgetKey, Limits, What, Window};
use crate::time::{Now, UnixTime};

/// One amount of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitUsage {
    /// What is counted.
    pub what: What,
    /// The window; nothing for requests in flight.
    pub window: Option<Window>,
    /// How much is used, reservations included; may be more than the limit where answers were
    /// longer than estimated.
    pub used: u64,
    /// How much is allowed.
    pub limit: u64,
    /// When the window ends.
    pub reset: Option<UnixTime>,
}

/// One limit over all its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitStatus<'l> {
    /// Where it stands in the configuration.
    pub pointer: &'l str,
    /// The keys that have used some of it, or have requests in flight.
    pub keys: usize,
    /// The amount that is used up furthest, by whichever key.
    pub fullest: Option<LimitUsage>,
    /// Reservations that were counted in the entry for those who found no room.
    pub overflowed: u64,
}

impl Limits {
    /// Every limit's status, in the order of the configuration. Looks at each key there is: some
    /// milliseconds for a million, one shard locked at a time.
    #[must_use]
    pub fn statuses(&self, now: Now) -> Vec<LimitStatus<'_>> {
        let current = Current::at(now.wall);
        let mut all: Vec<LimitStatus<'_>> = self
            .rules
            .iter()
            .map(|rule| LimitStatus {
                pointer: &rule.limit.pointer,
                keys: 0,
                fullest: None,
                overflowed: rule.overflowed.load(Ordering::Relaxed),
            })
            .collect();
        for shard in self.table.shards() {
            for counters in shard.values().filter(|counters| counters.is_in_use(&current)) {
                let number = usize::try_from(counters.rule).ok();
                let place = number.and_then(|number| all.get_mut(number));
                let (Some(rule), Some(status)) = (self.rule(counters.rule), place) else {
                    continue;
                };
                status.keys = status.keys.saturating_add(1);
                rule.each_usage(counters, &current, |usage| {
                    if status.fullest.is_none_or(|fullest| usage.is_fuller(&fullest)) {
                        status.fullest = Some(usage);
                    }
                });
            }
        }
        all
    }

    /// What one subject has used of each limit that applies to it, by the limit's pointer.
    #[must_use]
    pub fn lookup(&self, who: BudgetKey<'_>, now: Now) -> Vec<(&str, Vec<LimitUsage>)> {
        let current = Current::at(now.wall);
        let want = Want { tokens: 0, is_free: false };
        let reservation = self.holds_of(who, want);
        let mut locked = self.table.lock(reservation.holds());
        reservation
            .holds()
            .filter_map(|hold| {
                let rule = self.rule(hold.rule)?;
                let new = || Counters::new(hold.rule, reservation.caller, true);
                let counters = locked.peek(hold).unwrap_or_else(new);
                let mut usage = Vec::new();
                rule.each_usage(&counters, &current, |amount| usage.push(amount));
                Some((rule.limit.pointer.as_str(), usage))
            })
            .collect()
    }

    /// How many keys are kept.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.table.shards().map(|shard| shard.values().count()).sum()
    }

    /// Reservations that were counted in the entry for those who found no room, over all limits.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.rules.iter().map(|rule| rule.overflowed.load(Ordering::Relaxed)).sum()
    }
}

impl Rule {
    /// Shows every amount of this limit, with what these counters have used of it.
    pub(super) fn each_usage(
        &self,
        counters: &Counters,
        current: &Current,
        mut show: impl FnMut(LimitUsage),
    ) {
        let amounts = &self.limit.amounts;
        if let Some(limit) = amounts.parallel_requests {
            let used = counters.in_flight().into();
            show(LimitUsage { what: What::Parallel, window: None, used, limit, reset: None });
        }
        for window in Window::ALL.into_iter().filter(|window| amounts.counts(*window)) {
            let counted = counters.counted(window, current);
            let reset = Some(window.end(counted.index));
            let window = Some(window);
            if let Some(limit) = window.and_then(|window| amounts.requests(window)) {
                show(LimitUsage {
                    what: What::Requests,
                    window,
                    used: counted.requests.into(),
                    limit,
                    reset,
                });
            }
            if let Some(limit) = window.and_then(|window| amounts.tokens(window)) {
                show(LimitUsage { what: What::Tokens, window, used: counted.tokens, limit, reset });
            }
        }
    }
}

impl LimitUsage {
    /// Compares shares, without a division.
    fn is_fuller(&self, other: &Self) -> bool {
        u128::from(self.used) * u128::from(other.limit)
            > u128::from(other.used) * u128::from(self.limit)
    }
}
