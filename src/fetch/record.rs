//! How an asker's fetches went, for whoever looks after the gateway.

use crate::time::Monotonic;

/// The most bytes of a failure that are kept: what a server sends may be part of it.
const MAX_WHY_BYTES: usize = 256;

/// The fetches of one asker since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// How many failed.
    pub failures: u64,
    /// Since when none has succeeded; nothing while the latest did.
    pub failing_since: Option<Monotonic>,
    /// The latest failure, and when that was; it stays after a success.
    pub last_failure: Option<(Monotonic, String)>,
    /// When one brought what it was for, the last time.
    pub succeeded_at: Option<Monotonic>,
}

impl Record {
    /// Counts a failure, and why.
    pub fn fail(&mut self, why: &str, now: Monotonic) {
        let mut why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        while why.len() > MAX_WHY_BYTES {
            why.pop();
        }
        self.failures = self.failures.saturating_add(1);
        self.failing_since = self.failing_since.or(Some(now));
        self.last_failure = Some((now, why));
    }

    /// Notes that a fetch brought what it was for.
    pub fn succeed(&mut self, now: Monotonic) {
        self.failing_since = None;
        self.succeeded_at = Some(now);
    }
}
