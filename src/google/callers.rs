//! The bearers that stand for one caller each: the credentials that exchange the caller's own token, each
//! an asker with as many places as it has lanes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Reason, Refusal};
use crate::fetch::{Record, Reply, Request};
use crate::google::exchanges::{ExchangeCounts, Exchanged, Exchanges, LANES, Subject};
use crate::google::signer::sealed;
use crate::google::{Bearers, Credential, CredentialSource, Signer, Slot, TokenExchange};
use crate::keyed_hash::KeyedHash;
use crate::time::{Monotonic, Now};

/// Whether a caller has a bearer.
#[derive(Debug)]
pub enum OfCaller<'s> {
    /// It has, and Google sees this identity, as the log writes it, if that is known.
    Signs(Signer<'s>, Option<Arc<str>>),
    /// Not yet: it is asked for.
    Awaited,
    /// It will not.
    Refused(Refusal),
}

/// One of these credentials.
#[derive(Debug)]
struct Exchanging {
    /// Its place among all credentials.
    credential: usize,
    exchanges: Mutex<Exchanges>,
}

impl Exchanging {
    fn exchanges(&self) -> MutexGuard<'_, Exchanges> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All of them. The numbers of their bearers follow those of the slots, in turn.
#[derive(Debug)]
pub(super) struct Callers {
    exchanging: Vec<Exchanging>,
    slots: usize,
    hash: KeyedHash,
}

/// The exchanges of a credential at one moment; never a token.
#[derive(Clone, Debug)]
pub struct ExchangeStatus<'b> {
    /// The credential.
    pub credential: &'b Credential,
    /// The most exchanges that are begun in a second.
    pub per_second: usize,
    /// Number of callers with a bearer or a refusal, and the most there can be.
    pub callers: (usize, usize),
    /// The counts since the start.
    pub counts: ExchangeCounts,
    /// How the latest ones went.
    pub record: Record,
    /// What Google said when it refused last, and when that was.
    pub refusal: Option<(Monotonic, Arc<str>)>,
}

impl Callers {
    /// Those among these credentials, which have so many slots.
    pub(super) fn of(credentials: &[Credential], slots: usize, now: Monotonic) -> Self {
        let is_one =
            |(_, credential): &(usize, &Credential)| credential.source.exchange().is_some();
        let exchanging = credentials.iter().enumerate().filter(is_one);
        let exchanging = exchanging.map(|(credential, _)| Exchanging {
            credential,
            exchanges: Mutex::new(Exchanges::new(now)),
        });
        Self { exchanging: exchanging.collect(), slots, hash: KeyedHash::default() }
    }

    fn seal(&self, number: usize) -> u128 {
        self.hash.digest(number)
    }

    /// Which credential has the bearer with this number, and its number there.
    fn locate(&self, number: usize) -> Option<(&Exchanging, usize)> {
        let place = number.checked_sub(self.slots)?;
        let which = place.checked_rem(self.exchanging.len())?;
        Some((self.exchanging.get(which)?, place.checked_div(self.exchanging.len())?))
    }

    /// The inverse.
    fn number(&self, which: usize, own: usize) -> Option<usize> {
        own.checked_mul(self.exchanging.len())?.checked_add(which)?.checked_add(self.slots)
    }

    /// The value of the `Authorization` header of the bearer with this number.
    pub(super) fn header_of(&self, number: usize, now: Monotonic) -> Option<Arc<str>> {
        let (exchanging, own) = self.locate(number)?;
        exchanging.exchanges().header(own, now)
    }

    /// The value of the `Authorization` header behind a handle.
    pub(super) fn header(&self, handle: &str, now: Monotonic) -> Option<Arc<str>> {
        let (number, _) = handle.split_once('.')?;
        let number = number.parse().ok()?;
        (handle == sealed(number, self.seal(number))).then(|| self.header_of(number, now))?
    }

    /// Number of fetches that can run at once.
    pub(super) const fn fetchers(&self) -> usize {
        self.exchanging.len().saturating_mul(LANES)
    }
}

impl Bearers {
    /// The caller's bearer at a slot of a credential; one that is not there is asked for, with the `text`
    /// of the caller's token.
    pub fn of_caller<'s, 't>(
        &'s self,
        slot: &'s Slot,
        subject: &Subject<'_>,
        text: impl FnOnce() -> Option<&'t str>,
        now: Now,
    ) -> OfCaller<'s> {
        let unavailable = || OfCaller::Refused(Reason::CredentialUnavailable.into());
        let credential = slot.credential();
        let all = self.callers.exchanging.iter().enumerate();
        let Some((which, exchanging)) = all.into_iter().find(|(_, e)| e.credential == credential)
        else {
            return unavailable();
        };
        let Some(exchange) = self.exchange(exchanging) else {
            return unavailable();
        };
        let exchanged = exchanging.exchanges().of(exchange, subject, text, now);
        match exchanged {
            Exchanged::Ready { number, identity } => match self.callers.number(which, number) {
                Some(number) => {
                    let signer = Signer::of_caller(slot, number, self.callers.seal(number));
                    OfCaller::Signs(signer, identity)
                }
                None => unavailable(),
            },
            Exchanged::Awaited => OfCaller::Awaited,
            Exchanged::Refused(why) => {
                OfCaller::Refused(Refusal::detailed(Reason::GoogleExchangeRefused, &why))
            }
            Exchanged::Expired => OfCaller::Refused(Reason::TokenExpired.into()),
            Exchanged::Unavailable => unavailable(),
        }
    }

    /// A request of these credentials that is due now: whose place asks, the request's number, and it.
    pub(super) fn fetch_for_caller(&self, now: Now) -> Option<(usize, u32, Request)> {
        self.callers.exchanging.iter().enumerate().find_map(|(which, exchanging)| {
            let exchange = self.exchange(exchanging)?;
            let (lane, number, request) = exchanging.exchanges().step(exchange, now)?;
            Some((which.checked_mul(LANES)?.checked_add(lane)?, number, request))
        })
    }

    /// Takes the reply to a request of one of these places; whether there is such a one.
    pub(super) fn answer_for_caller(
        &self,
        place: usize,
        number: u32,
        reply: &Reply,
        now: Now,
    ) -> bool {
        let (which, lane) = (place / LANES, place % LANES);
        let Some(exchanging) = self.callers.exchanging.get(which) else {
            return false;
        };
        if let Some(exchange) = self.exchange(exchanging) {
            let most = self.longest_token();
            exchanging.exchanges().answer(exchange, (lane, number), reply, most, now);
        }
        true
    }

    /// The exchanges of each credential that has some, with its index in the configuration.
    pub fn exchange_statuses(&self) -> impl Iterator<Item = (usize, ExchangeStatus<'_>)> {
        self.callers.exchanging.iter().filter_map(|exchanging| {
            let credential = self.credentials.get(exchanging.credential)?;
            let CredentialSource::Exchanged(exchange) = &credential.source else { return None };
            let exchanges = exchanging.exchanges();
            let status = ExchangeStatus {
                credential,
                per_second: exchange.per_second,
                callers: (exchanges.len(), exchange.max_callers),
                counts: exchanges.counts,
                record: exchanges.record.clone(),
                refusal: exchanges.refusal.clone(),
            };
            Some((exchanging.credential, status))
        })
    }

    fn exchange(&self, exchanging: &Exchanging) -> Option<&TokenExchange> {
        self.credentials.get(exchanging.credential)?.source.exchange()
    }
}
