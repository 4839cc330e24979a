//! The counters of all keys, in shards with a lock each. Memory is bounded: what is no longer in
//! use makes room, what is in use is never dropped, and who then finds no room is counted in the
//! entry that each limit has for that.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::counters::Counters;
use crate::limits::reservation::Hold;
use crate::limits::shares::{Caller, Shares};
use crate::limits::window::Current;
use crate::time::Monotonic;

/// Shards for keys that callers bring up.
const SHARDS: u8 = 64;

/// The last shard: entries that are always there, so the last one to lock.
pub(super) const FIXED: u8 = SHARDS;

/// The most entries of a shard.
const MAX_SHARD_KEYS: usize = 16_384;

/// The most keys that callers can bring up, over all limits: about a million.
pub const MAX_KEYS: usize = 64 * MAX_SHARD_KEYS;

/// As many shards can be locked without an allocation: one for each of four limits, and the last.
const INLINE: usize = 5;

/// A shard is searched for what is no longer in use at most this often, in milliseconds.
const SWEEP_MILLIS: i64 = 1000;

/// What was used this long ago still counts as in use, in seconds, so that a clock that is set
/// back by less opens no window of a key that has made room.
const STEP_BACK_SECS: i64 = 120;

/// Keys are digests already.
#[derive(Debug, Default)]
pub(super) struct Digested(u64);

impl Hasher for Digested {
    fn write_u128(&mut self, key: u128) {
        self.0 = u64::try_from(key & u128::from(u64::MAX)).unwrap_or_default();
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    entries: HashMap<u128, Counters, BuildHasherDefault<Digested>>,
    swept: Option<Monotonic>,
}

impl Shard {
    /// Whether a new entry of this limit and caller has room. A table that would have to grow is
    /// searched first.
    fn has_room(
        &mut self,
        (rule, caller): (u32, Caller),
        shares: &Shares,
        (current, mono): (&Current, Monotonic),
    ) -> bool {
        let is_full = |shard: &Self| shard.entries.len() >= MAX_SHARD_KEYS;
        let may_grow = !is_full(self) && self.entries.len() < self.entries.capacity();
        if may_grow && shares.allow(rule, caller) {
            return true;
        }
        if self.swept.is_none_or(|swept| mono.millis_since(swept) >= SWEEP_MILLIS) {
            self.swept = Some(mono);
            let former = Current::at(current.now + -STEP_BACK_SECS);
            self.entries.retain(|_, counters| {
                counters.follow(current);
                let is_kept = counters.is_in_use(&former) && !counters.is_spare();
                if !is_kept {
                    shares.remove(counters.rule, counters.caller);
                }
                is_kept
            });
        }
        !is_full(self) && shares.allow(rule, caller)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Counters> {
        self.entries.values()
    }
}

/// The shard of a key that a caller brought up: its first six bits.
pub(super) fn shard_of(key: u128) -> u8 {
    u8::try_from(key >> 122).unwrap_or(0)
}

/// The counters of all keys.
#[derive(Debug)]
pub(super) struct CounterTable {
    shards: Box<[Mutex<Shard>]>,
    shares: Shares,
}

impl CounterTable {
    /// A table whose last shard has these entries: key and number of the limit.
    pub(super) fn new(fixed: impl Iterator<Item = (u128, u32)>, shares: Shares) -> Self {
        let entries = fixed.map(|(key, rule)| (key, Counters::new(rule, 0, true))).collect();
        let open = (0..SHARDS).map(|_| Mutex::default());
        let fixed = Mutex::new(Shard { entries, swept: None });
        Self { shards: open.chain([fixed]).collect(), shares }
    }

    /// Locks the shards of these holds, in ascending order, which is every thread's.
    pub(super) fn lock<'h>(&self, holds: impl Iterator<Item = &'h Hold>) -> Locked<'_> {
        let mut locked =
            Locked { table: self, set: 0, first: [const { None }; INLINE], more: Vec::new() };
        let mut wanted = holds.fold(0_u128, |set, hold| set | (1 << hold.shard));
        while wanted != 0 {
            locked.add(wanted.trailing_zeros());
            wanted &= wanted - 1;
        }
        locked
    }

    /// One shard after the other.
    pub(super) fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Some shards, locked.
pub(super) struct Locked<'t> {
    table: &'t CounterTable,
    /// A bit for each shard that is locked.
    set: u128,
    /// In ascending order.
    first: [Option<MutexGuard<'t, Shard>>; INLINE],
    more: Vec<MutexGuard<'t, Shard>>,
}

impl Locked<'_> {
    /// Locks a shard behind those that are locked.
    fn add(&mut self, number: u32) {
        let shard = usize::try_from(number).ok().and_then(|number| self.table.shards.get(number));
        if let Some(shard) = shard {
            let guard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            match self.first.get_mut(count(self.set)) {
                Some(place) => *place = Some(guard),
                None => self.more.push(guard),
            }
            self.set |= 1 << number;
        }
    }

    fn shard(&mut self, number: u8) -> Option<&mut Shard> {
        let bit = 1_u128 << number;
        if self.set & bit == 0 {
            return None;
        }
        let place = count(self.set & (bit - 1));
        match self.first.get_mut(place) {
            Some(guard) => guard.as_deref_mut(),
            None => self.more.get_mut(place.checked_sub(INLINE)?).map(|guard| &mut **guard),
        }
    }

    /// The counters of a hold; new ones where it has none yet and there is room for them.
    pub(super) fn find(
        &mut self,
        hold: &Hold,
        new: Counters,
        now: (&Current, Monotonic),
    ) -> Option<Counters> {
        let shares = &self.table.shares;
        let shard = self.shard(hold.shard)?;
        match shard.entries.get_mut(&hold.key) {
            Some(counters) => {
                counters.follow(now.0);
                Some(*counters)
            }
            None => shard.has_room((new.rule, new.caller), shares, now).then_some(new),
        }
    }

    /// The counters of a hold, as they are.
    pub(super) fn peek(&mut self, hold: &Hold) -> Option<Counters> {
        self.shard(hold.shard)?.entries.get(&hold.key).copied()
    }

    /// Moves a hold to the entry that its limit always has, and locks that.
    pub(super) fn overflow(
        &mut self,
        hold: &mut Hold,
        key: u128,
        new: Counters,
        now: (&Current, Monotonic),
    ) -> Counters {
        (hold.shard, hold.key) = (FIXED, key);
        if self.set & (1 << FIXED) == 0 {
            self.add(FIXED.into());
        }
        self.find(hold, new, now).unwrap_or(new)
    }

    /// The counters of a hold to be changed; these, where it has none yet.
    pub(super) fn entry_or(&mut self, hold: &Hold, new: Counters) -> Option<&mut Counters> {
        let shares = &self.table.shares;
        let shard = self.shard(hold.shard)?;
        Some(shard.entries.entry(hold.key).or_insert_with(|| {
            shares.add(new.rule, new.caller);
            new
        }))
    }

    /// The counters of a hold to be changed, if it has some.
    pub(super) fn entry(&mut self, hold: &Hold) -> Option<&mut Counters> {
        self.shard(hold.shard)?.entries.get_mut(&hold.key)
    }
}

fn count(set: u128) -> usize {
    usize::try_from(set.count_ones()).unwrap_or(usize::MAX)
}
