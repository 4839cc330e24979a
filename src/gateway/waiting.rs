//! Who waits on the slow path, and for how long. A client that hangs up may end its request
//! without a word to us, so a ticket also ends by itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::time::Monotonic;

/// How long a request waits for keys or a credential.
const WAIT_MILLIS: i64 = 5_000;

/// How long after that its ticket counts, should nobody give it back.
const GRACE_MILLIS: i64 = 1_000;

/// How many requests wait at a time.
const MAX_WAITING: usize = 1_000;

/// What becomes of a request that would have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It waits.
    Left,
    /// It has waited long enough: refused for what it waited for.
    Spent,
    /// Too many wait already: refused as `busy`.
    NoRoom,
}

#[derive(Debug, Default)]
struct Room {
    latest: u64,
    tickets: HashMap<u64, Monotonic>,
}

/// The waiting room. A ticket is a number; 0 is none.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Room>);

impl Waiting {
    pub(super) fn start(&self, now: Monotonic) -> u64 {
        let mut room = self.room();
        if room.tickets.len() >= MAX_WAITING {
            room.tickets.retain(|_, since| now.millis_since(*since) < WAIT_MILLIS + GRACE_MILLIS);
        }
        if room.tickets.len() >= MAX_WAITING {
            return 0;
        }
        room.latest = room.latest.wrapping_add(1).max(1);
        let ticket = room.latest;
        room.tickets.insert(ticket, now);
        ticket
    }

    /// When the request with this ticket came, and what patience it has left.
    pub(super) fn patience(&self, ticket: u64, now: Monotonic) -> (Monotonic, Patience) {
        match self.room().tickets.get(&ticket) {
            None => (now, Patience::NoRoom),
            Some(since) if now.millis_since(*since) < WAIT_MILLIS => (*since, Patience::Left),
            Some(since) => (*since, Patience::Spent),
        }
    }

    pub(super) fn end(&self, ticket: u64) {
        self.room().tickets.remove(&ticket);
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_room_empties_itself_of_those_who_left_without_a_word() {
        let room = Waiting::default();
        for _ in 0..MAX_WAITING {
            assert_ne!(room.start(Monotonic(0)), 0);
        }
        assert_eq!(room.start(Monotonic(5_999)), 0);
        assert_eq!(room.patience(0, Monotonic(5_999)).1, Patience::NoRoom);
        let ticket = room.start(Monotonic(6_000));
        assert_eq!(room.patience(ticket, Monotonic(10_999)).1, Patience::Left);
        assert_eq!(room.patience(ticket, Monotonic(11_000)).1, Patience::Spent);
    }
}
