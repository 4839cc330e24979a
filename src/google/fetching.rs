//! The credentials whose tokens are fetched, each an asker of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fetch::{Record, Reply, Request};
use crate::google::refresh::Refresh;
use crate::google::token::Token;
use crate::google::{Bearers, Credential, TokenSource};
use crate::time::{Monotonic, Now};

/// One of them.
pub(super) struct Fetching {
    /// Its place among all credentials.
    pub(super) credential: usize,
    refresh: Mutex<Refresh>,
}

impl Fetching {
    /// Those among these credentials; `seed` is random.
    pub(super) fn of(credentials: &[Credential], seed: u64, now: Monotonic) -> Vec<Self> {
        let fetched = credentials.iter().zip(0_u64..).enumerate();
        let fetched = fetched.filter(|(_, (credential, _))| credential.source.is_fetched());
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

    pub(super) fn refresh(&self) -> MutexGuard<'_, Refresh> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bearers {
    /// Number of those whose fetches may run at once: the credentials whose tokens are fetched, and
    /// one for all that is to be proved.
    #[must_use]
    pub fn fetchers(&self) -> usize {
        let has_files = self.credentials.iter().any(|credential| credential.files.is_some());
        self.fetching.len().saturating_add(usize::from(has_files))
    }

    /// A request that is due now: who asks, the request's number, and it. First come the credentials
    /// whose tokens are fetched, then each that may have something to prove.
    pub fn fetch(&self, now: Now) -> Option<(usize, u32, Request)> {
        let of_token = self.fetching.iter().enumerate().find_map(|(place, fetching)| {
            let source = self.credentials.get(fetching.credential)?.source.now();
            let (number, request) = fetching.refresh().step(source.token_source()?, now)?;
            Some((place, number, request))
        });
        of_token.or_else(|| {
            let (index, number, request) = self.fetch_proof(now)?;
            Some((self.fetching.len().checked_add(index)?, number, request))
        })
    }

    /// Takes the reply to a request of one of these credentials; whether there is such a one.
    pub fn answer(&self, place: usize, number: u32, reply: &Reply, now: Now) -> bool {
        let Some(fetching) = self.fetching.get(place) else {
            let index = place.saturating_sub(self.fetching.len());
            return self.answer_proof(index, number, reply, now);
        };
        let most = self.longest_token();
        let token = self.credentials.get(fetching.credential).and_then(|credential| {
            let source = credential.source.now();
            fetching.refresh().answer(source.token_source()?, number, reply, most, now)
        });
        if let Some(token) = token {
            self.share(fetching.credential, &token, now.mono);
        }
        true
    }

    /// Whether the first request for a token of this credential is due.
    pub(super) fn is_fetch_due(&self, credential: usize, now: Now) -> bool {
        self.fetching_of(credential).is_some_and(|fetching| fetching.refresh().is_due(now))
    }

    /// A token of this credential came by another way.
    pub(super) fn adopt_token(
        &self,
        credential: usize,
        source: &TokenSource,
        token: &Token,
        now: Now,
    ) {
        if let Some(fetching) = self.fetching_of(credential) {
            fetching.refresh().adopt(source, token.lifetime_secs, now);
        }
    }

    pub(super) fn fetching_of(&self, credential: usize) -> Option<&Fetching> {
        self.fetching.iter().find(|fetching| fetching.credential == credential)
    }
}
