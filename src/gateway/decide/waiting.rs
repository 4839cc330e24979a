//! Who waits on the slow path, and for how long. A client that hangs up may end its request
//! without a word to us, so a ticket also ends by itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::oidc::MAX_WAIT_MILLIS;
use crate::time::Monotonic;

/// How long after that its ticket counts, should nobody give it back.
const GRACE_MILLIS: i64 = 1_000;

/// How many requests wait at a time.
const MAX_WAITING: usize = 1_000;

/// What becomes of a request that would have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Patience {
    /// It waits.
    Left,
    /// It has waited long enough: refused for what it waited for.
    Spent,
    /// Too many wait already: refused as `busy`.
    NoRoom,
}

/// What is kept of a waiting request.
#[derive(Debug)]
struct Ticket {
    since: Monotonic,
    /// What had been learnt when the request was decided on last.
    decided_at: Option<u64>,
}

#[derive(Debug, Default)]
struct Room {
    latest: u64,
    tickets: HashMap<u64, Ticket>,
}

impl Room {
    fn sweep(&mut self, now: Monotonic) {
        let counts = |held: &Ticket| now.millis_since(held.since) < MAX_WAIT_MILLIS + GRACE_MILLIS;
        self.tickets.retain(|_, held| counts(held));
    }
}

/// The waiting room. A ticket is a number; 0 is none.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Waiting(Mutex<Room>);

impl Waiting {
    pub(in crate::gateway) fn start(&self, now: Monotonic) -> u64 {
        let mut room = self.room();
        if room.tickets.len() >= MAX_WAITING {
            room.sweep(now);
        }
        if room.tickets.len() >= MAX_WAITING {
            return 0;
        }
        room.latest = room.latest.wrapping_add(1).max(1);
        let ticket = room.latest;
        room.tickets.insert(ticket, Ticket { since: now, decided_at: None });
        ticket
    }

    /// Takes back the tickets of those who left without a word.
    pub(in crate::gateway) fn sweep(&self, now: Monotonic) {
        self.room().sweep(now);
    }

    /// When the request with this ticket came and what patience it has left; nothing while there
    /// is no news, as `learnt` counts it, since it was decided on last.
    pub(in crate::gateway) fn news(
        &self,
        ticket: u64,
        learnt: u64,
        now: Monotonic,
    ) -> Option<(Monotonic, Patience)> {
        let mut room = self.room();
        let Some(held) = room.tickets.get_mut(&ticket) else {
            return Some((now, Patience::NoRoom));
        };
        if now.millis_since(held.since) >= MAX_WAIT_MILLIS {
            return Some((held.since, Patience::Spent));
        }
        let news = held.decided_at.replace(learnt) != Some(learnt);
        news.then_some((held.since, Patience::Left))
    }

    /// The request is decided on again at once: more of it is known.
    pub(in crate::gateway) fn again(&self, ticket: u64) {
        if let Some(held) = self.room().tickets.get_mut(&ticket) {
            held.decided_at = None;
        }
    }

    /// How many requests wait, and how many can.
    pub(in crate::gateway) fn places(&self) -> (usize, usize) {
        (self.room().tickets.len(), MAX_WAITING)
    }

    /// The ticket is given back; since when it was held.
    pub(in crate::gateway) fn end(&self, ticket: u64) -> Option<Monotonic> {
        self.room().tickets.remove(&ticket).map(|held| held.since)
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
        assert_eq!(room.news(0, 0, Monotonic(5_999)), Some((Monotonic(5_999), Patience::NoRoom)));
        assert_ne!(room.start(Monotonic(6_000)), 0);
    }

    #[test]
    fn those_who_left_without_a_word_are_not_counted_for_ever() {
        let room = Waiting::default();
        let (left, stays) = (room.start(Monotonic(0)), room.start(Monotonic(1)));
        room.sweep(Monotonic(5_999));
        assert_eq!(room.places().0, 2);
        room.sweep(Monotonic(6_000));
        assert_eq!(room.places().0, 1);
        assert_eq!((room.end(left), room.end(stays)), (None, Some(Monotonic(1))));
    }

    #[test]
    fn a_request_is_decided_on_again_only_when_something_was_learnt_or_its_time_is_up() {
        let room = Waiting::default();
        let since = Monotonic(1_000);
        let ticket = room.start(since);
        assert_eq!(room.news(ticket, 7, Monotonic(1_000)), Some((since, Patience::Left)));
        assert_eq!(room.news(ticket, 7, Monotonic(1_020)), None);
        assert_eq!(room.news(ticket, 8, Monotonic(1_040)), Some((since, Patience::Left)));
        assert_eq!(room.news(ticket, 8, Monotonic(5_999)), None);
        assert_eq!(room.news(ticket, 8, Monotonic(6_000)), Some((since, Patience::Spent)));
    }
}
