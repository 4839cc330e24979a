//! How much of the limits is used, for operators and metrics.

use std::sync::atomic::Ordering;

use crate::limits::counters::Counters;
use crate::limits::reservation::Want;
use crate::limits::rule::Rule;
use crate::limits::window::Current;
use crate::limits::{BudgetKey, Limits, What, Window};
use crate::time::{Now, UnixTime};

/// The use of one amount of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitUsage {
    /// The amount.
    pub what: What,
    /// The window; `None` for requests in flight.
    pub window: Option<Window>,
    /// How much is used, reservations included; can exceed the limit if answers were longer than
    /// estimated.
    pub used: u64,
    /// How much is allowed.
    pub limit: u64,
    /// When the window ends.
    pub reset: Option<UnixTime>,
}

/// The use of one limit over all its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitStatus<'l> {
    /// Its JSON pointer in the configuration.
    pub pointer: &'l str,
    /// Number of keys that have used some of it, or have requests in flight.
    pub keys: usize,
    /// The fullest amount of the fullest key.
    pub fullest: Option<LimitUsage>,
    /// Number of reservations counted in the shared entry for want of room.
    pub overflowed: u64,
}

impl Limits {
    /// The status of every limit, in the order of the configuration. Visits every key: some
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

    /// Number of keys.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.table.shards().map(|shard| shard.values().count()).sum()
    }

    /// Number of reservations counted in the shared entries for want of room, over all limits.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.rules.iter().map(|rule| rule.overflowed.load(Ordering::Relaxed)).sum()
    }
}

impl Rule {
    /// Calls `show` with each amount of this limit, and what these counters have used of it.
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
    /// Whether a larger share is used than of `other`, compared without a division.
    fn is_fuller(&self, other: &Self) -> bool {
        u128::from(self.used) * u128::from(other.limit)
            > u128::from(other.used) * u128::from(self.limit)
    }
}
