//! What a request has reserved in its limits until it ends.

use crate::limits::shares::Caller;
use crate::limits::window::Each;

/// Number of limits that a request can have without an allocation.
const INLINE: usize = 4;

/// One request in one limit's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hold {
    pub(super) key: u128,
    /// Numbers of the windows that it was counted in.
    pub(super) opened: Each<u32>,
    /// The number of the limit.
    pub(super) rule: u32,
    pub(super) shard: u8,
}

/// The amounts that a request wants of its limits, beside being counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    /// Its estimated tokens.
    pub(super) tokens: u64,
    /// Whether it needs no tokens and does not count as in flight.
    pub(super) is_free: bool,
}

/// The result of [`Limits::reserve`](crate::limits::Limits::reserve), to be passed to
/// [`Limits::settle`](crate::limits::Limits::settle) once: a lost one counts as in flight for ever.
#[must_use = "it counts as in flight until it is settled"]
#[derive(Debug)]
pub struct Reservation {
    first: [Hold; INLINE],
    count: usize,
    more: Vec<Hold>,
    pub(super) want: Want,
    pub(super) caller: Caller,
}

impl Reservation {
    pub(super) fn new(want: Want, caller: Caller) -> Self {
        Self { first: [Hold::default(); INLINE], count: 0, more: Vec::new(), want, caller }
    }

    /// The reserved tokens.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.want.tokens
    }

    /// Whether no limit applied, so that there is nothing to settle.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn push(&mut self, hold: Hold) {
        match self.first.get_mut(self.count) {
            Some(place) => *place = hold,
            None => self.more.push(hold),
        }
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.first.iter().take(self.count).chain(&self.more)
    }

    pub(super) fn holds_mut(&mut self) -> impl Iterator<Item = &mut Hold> {
        self.first.iter_mut().take(self.count).chain(&mut self.more)
    }
}
