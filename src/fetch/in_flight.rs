//! The fetches of one asker: one at a time, each with an end, and few that nobody answers.

use crate::time::Monotonic;

/// A fetch that has brought nothing after so many seconds is given up; HAProxy's own time-outs are
/// far shorter, but an endless run of 1xx answers renews them for ever.
const TIMEOUT_SECS: i64 = 30;

/// Fetches of one asker that may be given up and still hold a task of HAProxy's: an asker can exhaust
/// its own tasks and nobody else's.
pub(crate) const MAX_UNANSWERED: usize = 2;

/// The fetches of one asker. `T` is what the asker wants to know of a fetch when its reply comes.
#[derive(Debug)]
pub struct InFlight<T> {
    under_way: Option<UnderWay<T>>,
    /// All without a reply so far, those included that were given up.
    unanswered: Vec<u32>,
    number: u32,
}

#[derive(Debug)]
struct UnderWay<T> {
    number: u32,
    what: T,
    begun_at: Monotonic,
}

/// A fetch whose reply has come.
#[derive(Debug)]
pub struct Ended<T> {
    /// What it was begun for.
    pub what: T,
    /// When it was begun.
    pub begun_at: Monotonic,
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self { under_way: None, unanswered: Vec::new(), number: 0 }
    }
}

impl<T> InFlight<T> {
    /// Whether a fetch is under way.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether a fetch may begin: none is under way, and not too many are without a reply.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.under_way.is_none() && self.unanswered.len() < MAX_UNANSWERED
    }

    /// Gives up the fetch under way if its time is over; whether it was. It goes on counting as
    /// unanswered until its reply comes, which `end` drops.
    pub fn give_up_overdue(&mut self, now: Monotonic) -> bool {
        let is_overdue = |fetch: &mut UnderWay<T>| now >= fetch.begun_at.plus_secs(TIMEOUT_SECS);
        self.under_way.take_if(is_overdue).is_some()
    }

    /// Gives up the fetch under way, whatever its reply will be.
    pub fn give_up(&mut self) {
        self.under_way = None;
    }

    /// How many have no reply so far.
    #[must_use]
    pub const fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Begins a fetch, and returns its number; nothing where none may begin.
    pub fn begin(&mut self, what: T, now: Monotonic) -> Option<u32> {
        if !self.has_room() {
            return None;
        }
        // 0 names no fetch.
        self.number = self.number.checked_add(1).unwrap_or(1);
        self.unanswered.push(self.number);
        self.under_way = Some(UnderWay { number: self.number, what, begun_at: now });
        Some(self.number)
    }

    /// Ends fetch `number`, whose reply has come; nothing for one that was given up, or that never was.
    pub fn end(&mut self, number: u32) -> Option<Ended<T>> {
        self.unanswered.retain(|unanswered| *unanswered != number);
        let UnderWay { what, begun_at, .. } =
            self.under_way.take_if(|under_way| under_way.number == number)?;
        Some(Ended { what, begun_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Monotonic {
        Monotonic(secs * 1000)
    }

    #[test]
    fn a_second_one_waits_for_the_first_ones_reply() {
        let mut fetches = InFlight::default();
        assert_eq!(fetches.begin("a", at(0)), Some(1));
        assert_eq!((fetches.has_room(), fetches.begin("b", at(0))), (false, None));
        assert!(fetches.end(7).is_none(), "nobody's");
        assert!(fetches.is_under_way());
        let ended = fetches.end(1).map(|ended| (ended.what, ended.begun_at));
        assert_eq!(ended, Some(("a", at(0))));
        assert!(fetches.end(1).is_none(), "a second reply");
        assert_eq!(fetches.begin("b", at(1)), Some(2));
    }

    #[test]
    fn those_given_up_count_until_their_replies_come() {
        let mut fetches = InFlight::default();
        for (number, begun) in [(1, 0), (2, 30)] {
            assert_eq!(fetches.begin((), at(begun)), Some(number));
            assert!(!fetches.give_up_overdue(at(begun + 29)));
            assert!(fetches.give_up_overdue(at(begun + 30)));
            assert!(!fetches.give_up_overdue(at(begun + 31)), "once");
        }
        assert_eq!((fetches.is_under_way(), fetches.begin((), at(1_000_000))), (false, None));
        assert!(fetches.end(1).is_none(), "too late");
        assert_eq!(fetches.begin((), at(1_000_001)), Some(3));
    }

    #[test]
    fn no_number_is_0() {
        let mut fetches = InFlight { number: u32::MAX, ..InFlight::default() };
        assert_eq!(fetches.begin((), at(0)), Some(1));
    }
}
