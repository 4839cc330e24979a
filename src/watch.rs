//! Signs of misuse: what a principal does against what it has done before. Signals are told, to be
//! looked at; nothing here refuses a request.
//!
//! The history is in memory alone, and begins anew with each process. It decays by a clock that
//! never steps.

mod baseline;
mod decay;
mod history;
mod rate;
mod seen;
mod signal;
mod suppress;
mod table;

use std::fmt;
use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::time::Now;
use decay::Second;
use history::{History, Use};
use seen::Tag;
use table::LruTable;

pub use signal::{Signal, Signals};

/// The most principals with a history, each of about 375 bytes; the one seen longest ago (in its
/// shard) makes room.
pub const MAX_PRINCIPALS: usize = 200_000;

/// Threads wait for each other only where their principals share one of these.
const SHARDS: usize = 64;

/// A request that was decided on.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s> {
    /// Whether it was allowed. What a refused one asked for was not used: neither its model nor its
    /// location nor the size of its body counts.
    pub is_allowed: bool,
    /// Publisher and name of the model, however they are joined.
    pub model: Option<&'s str>,
    /// The location; empty where there is none.
    pub location: &'s str,
    /// The address of the connection's other end; none on a Unix socket.
    pub network: Option<IpAddr>,
    /// `User-Agent` or `x-goog-api-client`, always the same of the two; empty where it is missing.
    /// The caller chooses what it says.
    pub client: &'s str,
    /// Bytes of the request's body, as far as they are known.
    pub body_bytes: Option<u64>,
}

/// The histories of principals, shared by all threads. A principal is the keyed digest of what
/// names it.
pub struct Watch {
    /// The key of the tags.
    key: RandomState,
    shards: Box<[Mutex<LruTable<History>>]>,
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

impl Watch {
    /// One without a history.
    #[must_use]
    pub fn new() -> Self {
        let shard = || Mutex::new(LruTable::new(MAX_PRINCIPALS / SHARDS));
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { key: RandomState::new(), shards }
    }

    /// Takes a request: what is unusual about it.
    pub fn request(&self, principal: u128, seen: &Seen<'_>, now: Now) -> Signals {
        let tag = |value: &str| Tag::of(value.as_bytes(), &self.key);
        let request = Use {
            is_allowed: seen.is_allowed,
            model: seen.model.map(tag),
            location: (!seen.location.is_empty()).then(|| tag(seen.location)),
            network: seen.network.map(|address| Tag::of_network(address, &self.key)),
            client: Tag::of_client(seen.client, &self.key),
            body_bytes: seen.body_bytes,
        };
        let now = Second::of(now.mono);
        let Some(mut shard) = self.shard(principal) else {
            return Signals::NONE;
        };
        shard
            .touch(principal, || History::new(now))
            .map_or(Signals::NONE, |history| history.request(&request, now))
    }

    /// Takes the tokens of a call that has ended: whether they are unusually many. Of a principal
    /// without a history nothing is kept.
    pub fn tokens(&self, principal: u128, tokens: u64, now: Now) -> Signals {
        let now = Second::of(now.mono);
        let mut shard = self.shard(principal);
        let history = shard.as_mut().and_then(|shard| shard.get(principal));
        history.map_or(Signals::NONE, |history| history.tokens(tokens, now))
    }

    /// How many principals have a history.
    #[must_use]
    pub fn len(&self) -> usize {
        self.each().map(|shard| shard.len()).sum()
    }

    /// Whether there is no history at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many principals lost their history to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.each().map(|shard| shard.evicted()).sum()
    }

    fn shard(&self, principal: u128) -> Option<MutexGuard<'_, LruTable<History>>> {
        let [high, ..] = principal.to_be_bytes();
        let shard = self.shards.get(usize::from(high) % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn each(&self) -> impl Iterator<Item = MutexGuard<'_, LruTable<History>>> {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Monotonic, UnixTime};

    #[test]
    fn a_panic_under_a_lock_ends_nothing() {
        let watch = Watch::new();
        let seen = Seen {
            is_allowed: false,
            model: None,
            location: "",
            network: None,
            client: "",
            body_bytes: None,
        };
        let now = Now { wall: UnixTime(0), mono: Monotonic(0) };
        let mut told = Signals::NONE;
        for _ in 0..10 {
            told = watch.request(7, &seen, now);
            let panicked = std::panic::catch_unwind(|| {
                let _shard = watch.shard(7);
                panic!("on purpose");
            });
            assert!(panicked.is_err());
        }
        assert!(watch.shards.iter().any(Mutex::is_poisoned));
        assert_eq!(told, Signal::Refusals.into());
        assert_eq!(watch.len(), 1);
    }
}
