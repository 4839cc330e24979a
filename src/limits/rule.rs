//! One limit at work: decides whether a request fits.

use std::sync::atomic::AtomicU64;

use crate::limits::counters::Counters;
use crate::limits::reservation::Want;
use crate::limits::window::Current;
use crate::limits::{Exhausted, Limit, What};

/// A limit at work.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) limit: Limit,
    /// The part of its keys that is its own; by itself the key of all that it counts together.
    pub(super) digest: u128,
    pub(super) overflowed: AtomicU64,
}

impl Rule {
    /// The amount that one more request with these tokens would exceed, if any.
    pub(super) fn check(
        &self,
        counters: &Counters,
        want: Want,
        number: u32,
        current: &Current,
    ) -> Option<Exhausted> {
        let mut refusal = None;
        self.each_usage(counters, current, |usage| {
            let wanted = if usage.what == What::Tokens { want.tokens } else { 1 };
            let is_asked = usage.what == What::Requests || !want.is_free;
            if !is_asked || usage.used.saturating_add(wanted) <= usage.limit {
                return;
            }
            let wait = usage.reset.map_or(1, |reset| (reset - current.now).max(1));
            let exhausted = Exhausted {
                what: usage.what,
                window: usage.window,
                limit: usage.limit,
                remaining: usage.limit.saturating_sub(usage.used),
                wanted,
                never: wanted > usage.limit,
                retry_after_secs: u64::try_from(wait).unwrap_or(1),
                reset: current.now + wait,
                rule: number,
            };
            refusal = Some(exhausted.or_longer(refusal));
        });
        refusal
    }
}
