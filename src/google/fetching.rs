//! The credentials whose tokens are fetched, each an asker of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fetch::{Record, Reply, Request};
use crate::google::refresh::Refresh;
use crate::google::{Bearers, Credential, TokenSource};
use crate::time::{Monotonic, Now};

/// One of them.
pub(super) struct Fetching {
    /// Its place among all credentials.
    pub(super) credential: usize,
    refresh: Mutex<Refresh>,
}

impl Fetching {
    /// Those among these credentials; `seal` is random.
    pub(super) fn of(credentials: &[Credential], seal: &str, now: Monotonic) -> Vec<Self> {
        let seed = seal
            .bytes()
            .fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let fetched = credentials.iter().zip(0_u64..).enumerate();
        let fetched =
            fetched.filter(|(_, (credential, _))| credential.source.token_source().is_some());
        fetched
            .map(|(credential, (_, number))| Self {
                credential,
                refresh: Mutex::new(Refresh::new(seed.wrapping_add(number), now)),
            })
            .collect()
    }

    /// How its fetches went, and seconds until the next.
    pub(super) fn record(&self, now: Monotonic) -> (Record, i64) {
        let refresh = self.refresh();
        (refresh.record.clone(), refresh.next_secs(now))
    }

    fn refresh(&self) -> MutexGuard<'_, Refresh> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bearers {
    /// Number of places that ask: one for each credential whose token is fetched, then those that
    /// exchange the callers' tokens.
    #[must_use]
    pub const fn fetchers(&self) -> usize {
        self.fetching.len().saturating_add(self.callers.fetchers())
    }

    /// A request that is due now: which of these places asks, the request's number, and it.
    pub fn fetch(&self, now: Now) -> Option<(usize, u32, Request)> {
        let own = self.fetching.iter().enumerate().find_map(|(place, fetching)| {
            let source = self.source(fetching)?;
            let (number, request) = fetching.refresh().step(source, now)?;
            Some((place, number, request))
        });
        own.or_else(|| {
            let (place, number, request) = self.fetch_for_caller(now)?;
            Some((self.fetching.len().saturating_add(place), number, request))
        })
    }

    /// Takes the reply to a request of one of these places; whether there is such a one.
    pub fn answer(&self, place: usize, number: u32, reply: &Reply, now: Now) -> bool {
        let Some(fetching) = self.fetching.get(place) else {
            let place = place.saturating_sub(self.fetching.len());
            return self.answer_for_caller(place, number, reply, now);
        };
        let most = self.longest_token();
        let token = self
            .source(fetching)
            .and_then(|source| fetching.refresh().answer(source, number, reply, most, now));
        if let Some(token) = token {
            self.share(fetching.credential, &token, now.mono);
        }
        true
    }

    fn source(&self, fetching: &Fetching) -> Option<&TokenSource> {
        self.credentials.get(fetching.credential)?.source.token_source()
    }
}
