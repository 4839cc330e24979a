//! Who signs an allowed request.

use std::borrow::Cow;

use crate::google::Slot;

/// A slot, and the bearer that is sent there: its own, or one that stands for the caller alone.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'s> {
    slot: &'s Slot,
    number: usize,
    /// What makes the handle of a caller's bearer unguessable.
    seal: Option<u128>,
}

impl<'s> Signer<'s> {
    /// The slot's own bearer.
    #[must_use]
    pub const fn of(slot: &'s Slot) -> Self {
        Self { slot, number: slot.number(), seal: None }
    }

    /// A caller's bearer.
    pub(super) const fn of_caller(slot: &'s Slot, number: usize, seal: u128) -> Self {
        Self { slot, number, seal: Some(seal) }
    }

    /// The bearer's number, for [`crate::google::Bearers::header_of`].
    #[must_use]
    pub const fn number(self) -> usize {
        self.number
    }

    /// Google's host.
    #[must_use]
    pub fn host(self) -> &'s str {
        self.slot.host()
    }

    /// The bearer's handle in verdicts.
    #[must_use]
    pub fn handle(self) -> Cow<'s, str> {
        match self.seal {
            None => Cow::Borrowed(self.slot.handle()),
            Some(seal) => Cow::Owned(sealed(self.number, seal)),
        }
    }
}

/// The handle of a caller's bearer.
pub(super) fn sealed(number: usize, seal: u128) -> String {
    format!("{number}.{seal:032x}")
}
