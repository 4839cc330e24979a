//! How many keys each caller and each limit has added, so that neither one caller nor one limit
//! takes the room of all others.

use std::sync::atomic::{AtomicU32, Ordering};

/// The most keys that one caller can bring up, over all limits: a caller who asks sixty models under
/// four limits needs 240.
pub const MAX_CALLER_KEYS: u32 = 1024;

/// Multiple of the free room that a limit may hold: four fifths of the table if it is alone. The
/// more limits grow, the less each gets, so there always is some room for the next.
const TIMES_FREE: u64 = 4;

/// Number of counts of callers, by 16 bits of their digest, which no caller can choose. With a
/// million callers some 15 share a count, and need 15 keys a limit of the 1024.
const CALLERS: usize = 1 << 16;

/// The callers whose keys are counted together.
pub(super) type Caller = u16;

/// The count of a caller with this digest.
pub(super) fn caller_of(principal: u128) -> Caller {
    Caller::try_from(principal & u128::from(Caller::MAX)).unwrap_or_default()
}

#[derive(Debug)]
pub(super) struct Shares {
    /// Most keys in all.
    most: usize,
    all: AtomicU32,
    /// Number of keys of each limit.
    rules: Box<[AtomicU32]>,
    callers: Box<[AtomicU32]>,
    /// Whether more than one limit adds keys.
    are_several: bool,
}

impl Shares {
    pub(super) fn new(most: usize, rules: usize, are_several: bool) -> Self {
        let counts = |count| (0..count).map(|_| AtomicU32::new(0)).collect();
        let (rules, callers) = (counts(rules), counts(CALLERS));
        Self { most, all: AtomicU32::new(0), rules, callers, are_several }
    }

    /// Whether one more key is within the shares of its limit and its caller.
    pub(super) fn allow(&self, rule: u32, caller: Caller) -> bool {
        if self.caller(caller).is_none_or(|keys| keys.load(Ordering::Relaxed) >= MAX_CALLER_KEYS) {
            return false;
        }
        let held = |keys: &AtomicU32| u64::from(keys.load(Ordering::Relaxed));
        let most = u64::try_from(self.most).unwrap_or(u64::MAX);
        let free = most.saturating_sub(held(&self.all));
        !self.are_several || self.rule(rule).is_some_and(|keys| held(keys) < free * TIMES_FREE)
    }

    pub(super) fn add(&self, rule: u32, caller: Caller) {
        self.each(rule, caller).for_each(|keys| {
            keys.fetch_add(1, Ordering::Relaxed);
        });
    }

    pub(super) fn remove(&self, rule: u32, caller: Caller) {
        self.each(rule, caller).for_each(|keys| {
            let less = |keys: u32| keys.checked_sub(1);
            let _ = keys.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        });
    }

    fn each(&self, rule: u32, caller: Caller) -> impl Iterator<Item = &AtomicU32> {
        [Some(&self.all), self.rule(rule), self.caller(caller)].into_iter().flatten()
    }

    fn rule(&self, rule: u32) -> Option<&AtomicU32> {
        self.rules.get(usize::try_from(rule).ok()?)
    }

    fn caller(&self, caller: Caller) -> Option<&AtomicU32> {
        self.callers.get(usize::from(caller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many keys a limit gets, each from a caller of its own.
    fn fill(shares: &Shares, rule: u32) -> u64 {
        let callers = (0..Caller::MAX).cycle();
        let added = callers.take_while(|caller| {
            let is_allowed = shares.allow(rule, *caller);
            if is_allowed {
                shares.add(rule, *caller);
            }
            is_allowed
        });
        u64::try_from(added.count()).unwrap()
    }

    #[test]
    fn of_several_limits_none_takes_the_room_of_all() {
        let most = 10_000;
        let shares = Shares::new(10_000, 3, true);
        let first = fill(&shares, 0);
        assert!(first.abs_diff(most * 4 / 5) <= 5, "{first}");
        let second = fill(&shares, 1);
        assert!(second.abs_diff(most * 4 / 25) <= 5, "{second}");
        assert!(shares.allow(2, 0) && fill(&shares, 2) > most / 50);
        assert!(!shares.allow(0, 0) && !shares.allow(1, 0) && !shares.allow(2, 0));
        // What one gives back, all can have again.
        (0..2000).for_each(|_| shares.remove(0, 0));
        assert!(shares.allow(0, 0) && shares.allow(1, 0) && shares.allow(2, 0));
        // Alone, it is bounded by the table.
        let alone = Shares::new(1, 1, false);
        (0..10).for_each(|caller| alone.add(0, caller));
        assert!(alone.allow(0, 0));
    }

    #[test]
    fn a_caller_has_a_share_and_gets_back_what_made_room() {
        let shares = Shares::new(1, 1, false);
        for _ in 0..MAX_CALLER_KEYS {
            assert!(shares.allow(0, 7));
            shares.add(0, 7);
        }
        assert!(!shares.allow(0, 7) && shares.allow(0, 8));
        shares.remove(0, 7);
        assert!(shares.allow(0, 7));
        // What was never added takes nothing from others.
        shares.remove(0, 9);
        assert!(shares.allow(0, 9));
    }
}
