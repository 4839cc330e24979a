//! The callers' tokens that one credential exchanges: who is known, who waits, what is asked next. It
//! says what to fetch (`step`) and takes what came (`answer`); it does no I/O.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::fetch::{Ended, InFlight, Record, Reply, Request};
use crate::google::TokenExchange;
use crate::google::bearer::header;
use crate::google::token::{Fault, Token};
use crate::google::token_exchange::CallersToken;
use crate::jose::Key;
use crate::keyed_hash::DigestMap;
use crate::time::{Monotonic, Now, UnixTime};

/// Exchanges under way at once.
pub(super) const LANES: usize = 8;

/// Most callers whose exchange is awaited: as many requests wait at once.
const MAX_AWAITED: usize = 1_000;

/// Seconds for which an exchange is tried after a request has asked for it: as long as that waits.
const ASKED_SECS: i64 = 5;

/// Seconds for which a refusal holds, so that a caller's retries ask nobody.
const REFUSED_SECS: i64 = 10;

/// Milliseconds after which an exchange that failed is tried again.
const RETRY_MILLIS: i64 = 1_000;

/// Seconds for which nothing is asked after an answer that asks for fewer requests.
const TOO_MANY_PAUSE_SECS: i64 = 10;

/// Seconds before its end from which a token is not sent.
const SPENT_SECS: i64 = 5;

/// A token of the caller that lives less longer than Google's is not worth another exchange.
const WORTH_RENEWING_SECS: i64 = 60;

/// How often those are forgotten whose time is over.
const TIDY_MILLIS: i64 = 1_000;

const SECOND_MILLIS: i64 = 1_000;

/// A caller's verified token.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// A keyed digest of the whole token.
    pub digest: u128,
    /// What verified it.
    pub key: &'s Arc<Key>,
    /// Its `exp`.
    pub expires: UnixTime,
}

/// What is known of a caller's exchange.
#[derive(Debug)]
pub(super) enum Exchanged {
    /// There is a bearer with this number; Google sees this identity.
    Ready { number: usize, identity: Option<Arc<str>> },
    /// It is asked for.
    Awaited,
    /// Google refused it.
    Refused(Arc<str>),
    /// The caller's token is about to expire.
    Expired,
    /// The caller's token is not at hand.
    Unavailable,
}

/// The counts of a credential's exchanges since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// Those that brought a token.
    pub done: u64,
    /// Those that Google refused.
    pub refused: u64,
    /// Requests without an answer that could be used.
    pub failed: u64,
    /// Those that had to wait, as so many a second were begun already.
    pub paced: u64,
    /// Callers that were forgotten to make room for others.
    pub evicted: u64,
}

/// The exchanges of one credential.
pub(super) struct Exchanges {
    /// In the order of their numbers: the oldest first.
    known: DigestMap<Known>,
    numbers: BTreeMap<usize, u128>,
    latest: usize,
    asked: DigestMap<Asked>,
    queue: VecDeque<u128>,
    lanes: Vec<InFlight<u128>>,
    /// When the exchanges of the last second were begun.
    begun: VecDeque<Monotonic>,
    paused_until: Monotonic,
    tidied_at: Monotonic,
    pub(super) record: Record,
    /// What Google said when it refused last.
    pub(super) refusal: Option<(Monotonic, Arc<str>)>,
    pub(super) counts: ExchangeCounts,
}

struct Known {
    number: usize,
    key: Arc<Key>,
    outcome: Outcome,
}

enum Outcome {
    Bearer {
        header: Arc<str>,
        identity: Option<Arc<str>>,
        until: Monotonic,
        renew_at: Option<Monotonic>,
    },
    Refused {
        why: Arc<str>,
        until: Monotonic,
    },
}

/// A caller whose exchange is asked for.
struct Asked {
    token: CallersToken,
    key: Arc<Key>,
    expires: UnixTime,
    identity: Option<Arc<str>>,
    /// What the first request brought, where there are two.
    former: Option<Token>,
    until: Monotonic,
    not_before: Monotonic,
    lane: Option<usize>,
    was_paced: bool,
}

impl Outcome {
    const fn until(&self) -> Monotonic {
        match self {
            Self::Bearer { until, .. } | Self::Refused { until, .. } => *until,
        }
    }
}

impl Known {
    fn holds(&self, now: Monotonic) -> bool {
        now < self.outcome.until() && self.key.is_current()
    }
}

impl Exchanges {
    pub(super) fn new(now: Monotonic) -> Self {
        Self {
            known: DigestMap::default(),
            numbers: BTreeMap::new(),
            latest: 0,
            asked: DigestMap::default(),
            queue: VecDeque::new(),
            lanes: (0..LANES).map(|_| InFlight::default()).collect(),
            begun: VecDeque::new(),
            paused_until: now,
            tidied_at: now,
            record: Record::default(),
            refusal: None,
            counts: ExchangeCounts::default(),
        }
    }

    /// The bearer of this caller; one that is not there is asked for, with the `text` of the caller's
    /// token, and one that ends soon as well.
    pub(super) fn of<'t>(
        &mut self,
        exchange: &TokenExchange,
        subject: &Subject<'_>,
        text: impl FnOnce() -> Option<&'t str>,
        now: Now,
    ) -> Exchanged {
        let known = self.known.get(&subject.digest).filter(|known| known.holds(now.mono));
        match known.map(|known| (known.number, &known.outcome)) {
            Some((number, Outcome::Bearer { identity, renew_at, .. })) => {
                let (identity, renew_at) = (identity.clone(), *renew_at);
                if renew_at.is_some_and(|at| now.mono >= at) {
                    self.ask(exchange, subject, text, now);
                }
                Exchanged::Ready { number, identity }
            }
            Some((_, Outcome::Refused { why, .. })) => Exchanged::Refused(Arc::clone(why)),
            None => self.ask(exchange, subject, text, now),
        }
    }

    fn ask<'t>(
        &mut self,
        exchange: &TokenExchange,
        subject: &Subject<'_>,
        text: impl FnOnce() -> Option<&'t str>,
        now: Now,
    ) -> Exchanged {
        let until = now.mono.plus_secs(ASKED_SECS);
        if let Some(asked) = self.asked.get_mut(&subject.digest) {
            asked.until = until;
            return Exchanged::Awaited;
        }
        if subject.expires - now.wall <= SPENT_SECS {
            return Exchanged::Expired;
        }
        if self.asked.len() >= MAX_AWAITED {
            return Exchanged::Awaited;
        }
        let Some(text) = text() else {
            return Exchanged::Unavailable;
        };
        let asked = Asked {
            token: CallersToken::new(text.to_owned()),
            key: Arc::clone(subject.key),
            expires: subject.expires,
            identity: exchange.identity(text).map(Arc::from),
            former: None,
            until,
            not_before: now.mono,
            lane: None,
            was_paced: false,
        };
        self.asked.insert(subject.digest, asked);
        self.queue.push_back(subject.digest);
        Exchanged::Awaited
    }

    /// The `Authorization` header of the bearer with this number.
    pub(super) fn header(&self, number: usize, now: Monotonic) -> Option<Arc<str>> {
        let known = self.known.get(self.numbers.get(&number)?)?;
        match &known.outcome {
            Outcome::Bearer { header, .. } if known.holds(now) => Some(Arc::clone(header)),
            _ => None,
        }
    }

    /// The request that is due now: its lane, its number there, and it.
    pub(super) fn step(
        &mut self,
        exchange: &TokenExchange,
        now: Now,
    ) -> Option<(usize, u32, Request)> {
        self.tidy(now.mono);
        let lane = self.lanes.iter().position(InFlight::has_room)?;
        let digest = self.next(exchange.per_second, now.mono)?;
        let asked = self.asked.get_mut(&digest)?;
        let request = match &asked.former {
            Some(former) => exchange.last_request(former, now.wall),
            None => Ok(exchange.first_request(&asked.token)),
        };
        match request {
            Ok(request) => {
                let number = self.lanes.get_mut(lane)?.begin(digest, now.mono)?;
                asked.lane = Some(lane);
                Some((lane, number, request))
            }
            Err(fault) => {
                self.fail(digest, &fault.why, None, now.mono);
                None
            }
        }
    }

    /// The caller whose turn it is; a second request always has it, a first one as the pace allows.
    fn next(&mut self, per_second: usize, now: Monotonic) -> Option<u128> {
        self.begun.retain(|begun| now.millis_since(*begun) < SECOND_MILLIS);
        let has_turn = self.begun.len() < per_second;
        let may_begin = has_turn && now >= self.paused_until;
        let is_due = |asked: &Asked| now >= asked.not_before;
        let asked = &mut self.asked;
        let place = self.queue.iter().position(|digest| {
            asked.get(digest).is_some_and(|one| is_due(one) && (may_begin || one.former.is_some()))
        });
        if !has_turn {
            for digest in &self.queue {
                let held = asked.get_mut(digest).filter(|one| is_due(one) && one.former.is_none());
                if let Some(one) = held.filter(|one| !one.was_paced) {
                    one.was_paced = true;
                    self.counts.paced = self.counts.paced.saturating_add(1);
                }
            }
        }
        let digest = self.queue.remove(place?)?;
        if self.asked.get(&digest)?.former.is_none() {
            self.begun.push_back(now);
        }
        Some(digest)
    }

    /// Takes the reply to request `number` of a lane. A token of more than `most_bytes` could not be
    /// sent.
    pub(super) fn answer(
        &mut self,
        exchange: &TokenExchange,
        (lane, number): (usize, u32),
        reply: &Reply,
        most_bytes: usize,
        now: Now,
    ) {
        let ended = self.lanes.get_mut(lane).and_then(|lane| lane.end(number));
        let Some(Ended { what: digest, .. }) = ended else { return };
        let Some(asked) = self.asked.get_mut(&digest) else { return };
        asked.lane = None;
        let is_second = asked.former.is_some();
        let token = match reply {
            Reply::Failure(why) => Err(Fault::passing(why)),
            Reply::Answer(answer) => exchange.token(answer, is_second, now.wall),
        };
        match token {
            Ok(token) if exchange.has_second() && !is_second => {
                asked.former = Some(token);
                asked.token = CallersToken::default();
                self.queue.push_front(digest);
            }
            Ok(token) if token.text.len() > most_bytes => {
                let why = format!(
                    "a token of {} bytes, and {most_bytes} fit: set a larger VERTEX_MAXREWRITE",
                    token.text.len()
                );
                self.fail(digest, &why, None, now.mono);
            }
            Ok(token) => self.succeed(digest, &token, exchange.max_callers, now),
            Err(Fault { why, is_permanent: true }) => {
                self.refuse(digest, why, exchange.max_callers, now.mono);
            }
            Err(Fault { why, .. }) => self.fail(digest, &why, reply.status(), now.mono),
        }
    }

    fn succeed(&mut self, digest: u128, token: &Token, most: usize, now: Now) {
        let Some(asked) = self.asked.remove(&digest) else { return };
        let (lifetime, left) = (token.lifetime_secs, asked.expires - now.wall);
        let is_worth_renewing = left > lifetime.saturating_add(WORTH_RENEWING_SECS);
        let outcome = Outcome::Bearer {
            header: header(&token.text),
            identity: asked.identity,
            until: now.mono.plus_secs(lifetime.min(left).saturating_sub(SPENT_SECS)),
            renew_at: is_worth_renewing.then(|| now.mono.plus_secs(lifetime / 4 * 3)),
        };
        self.keep(digest, asked.key, outcome);
        self.make_room(most, now.mono);
        self.record.succeed(now.mono);
        self.counts.done = self.counts.done.saturating_add(1);
    }

    fn refuse(&mut self, digest: u128, why: String, most: usize, now: Monotonic) {
        let Some(asked) = self.asked.remove(&digest) else { return };
        let why: Arc<str> = why.into();
        self.refusal = Some((now, Arc::clone(&why)));
        self.keep(digest, asked.key, Outcome::Refused { why, until: now.plus_secs(REFUSED_SECS) });
        self.make_room(most, now);
        // Google answers, and as it should.
        self.record.succeed(now);
        self.counts.refused = self.counts.refused.saturating_add(1);
    }

    fn fail(&mut self, digest: u128, why: &str, status: Option<u16>, now: Monotonic) {
        self.record.fail(why, now);
        self.counts.failed = self.counts.failed.saturating_add(1);
        if status == Some(429) {
            self.paused_until = now.plus_secs(TOO_MANY_PAUSE_SECS);
        }
        if let Some(asked) = self.asked.get_mut(&digest) {
            asked.not_before = now.plus_millis(RETRY_MILLIS);
            self.queue.push_back(digest);
        }
    }

    /// Keeps an outcome; one that is renewed keeps its number.
    fn keep(&mut self, digest: u128, key: Arc<Key>, outcome: Outcome) {
        let number = self.known.get(&digest).map(|known| known.number);
        let number = number.unwrap_or_else(|| {
            self.latest = self.latest.saturating_add(1);
            self.latest
        });
        self.numbers.insert(number, digest);
        self.known.insert(digest, Known { number, key, outcome });
    }

    /// Keeps to so many callers: those go whose time is over, then the oldest.
    fn make_room(&mut self, most: usize, now: Monotonic) {
        if self.known.len() > most {
            self.forget_over(now);
        }
        while self.known.len() > most {
            let Some((_, digest)) = self.numbers.pop_first() else { return };
            self.known.remove(&digest);
            self.counts.evicted = self.counts.evicted.saturating_add(1);
        }
    }

    /// Forgets what is over.
    fn tidy(&mut self, now: Monotonic) {
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            if lane.give_up_overdue(now) {
                self.asked.retain(|_, asked| asked.lane != Some(place));
                self.record.fail("no answer in time", now);
                self.counts.failed = self.counts.failed.saturating_add(1);
            }
        }
        let is_awaited =
            |asked: &Asked| (now < asked.until && asked.key.is_current()) || asked.lane.is_some();
        if !self.asked.values().all(is_awaited) {
            self.asked.retain(|_, asked| is_awaited(asked));
            self.queue.retain(|digest| self.asked.contains_key(digest));
        }
        if now.millis_since(self.tidied_at) >= TIDY_MILLIS {
            self.tidied_at = now;
            self.forget_over(now);
        }
    }

    fn forget_over(&mut self, now: Monotonic) {
        let Self { known, numbers, .. } = self;
        known.retain(|_, known| {
            let holds = known.holds(now);
            if !holds {
                numbers.remove(&known.number);
            }
            holds
        });
    }

    /// Number of callers with a bearer or a refusal.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

impl fmt::Debug for Exchanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchanges of {} callers, {} awaited", self.known.len(), self.asked.len())
    }
}
