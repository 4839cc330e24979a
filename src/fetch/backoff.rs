//! The pause after a fetch that failed.

/// The longest pause between failures, in seconds: a server that is back is noticed soon.
const MAX_PAUSE_SECS: i64 = 5;

/// The pause after an answer that asks for fewer requests (RFC 6585 section 4).
const TOO_MANY_REQUESTS: u16 = 429;
const TOO_MANY_PAUSE_SECS: i64 = 30;

/// Counts failures in a row: after the first one the pause is a second, then twice as long each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Whether the latest fetch failed.
    #[must_use]
    pub const fn is_failing(self) -> bool {
        self.failures > 0
    }

    /// Counts a failure. Returns the pause before the next fetch, in seconds; `status` is that of the
    /// answer, if there was one.
    pub fn fail(&mut self, status: Option<u16>) -> i64 {
        let doubled = 1_i64.checked_shl(self.failures).unwrap_or(MAX_PAUSE_SECS);
        self.failures = self.failures.saturating_add(1).min(16);
        match status {
            Some(TOO_MANY_REQUESTS) => TOO_MANY_PAUSE_SECS,
            _ => doubled.clamp(1, MAX_PAUSE_SECS),
        }
    }

    /// Forgets the failures: a fetch brought what it was for.
    pub const fn succeed(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_in_a_row_doubles_the_pause_up_to_a_bound() {
        let mut backoff = Backoff::default();
        assert!(!backoff.is_failing());
        let pauses: Vec<i64> = (0..100).map(|_| backoff.fail(None)).collect();
        assert_eq!(pauses[..5], [1, 2, 4, 5, 5]);
        assert!(pauses[5..].iter().all(|pause| *pause == 5));
        assert_eq!(backoff.fail(Some(429)), 30);
        assert_eq!(backoff.fail(Some(503)), 5);
        assert!(backoff.is_failing());
        backoff.succeed();
        assert_eq!((backoff.is_failing(), backoff.fail(Some(500))), (false, 1));
    }
}
