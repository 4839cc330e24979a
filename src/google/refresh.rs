//! The machine that keeps one fetched token fresh: its hops one after the other, then again ahead
//! of need. It says what to fetch (`step`) and takes what came (`answer`); it does no I/O.

use crate::fetch::{Backoff, Ended, InFlight, Record, Reply, Request};
use crate::google::TokenSource;
use crate::google::brought::Brought;
use crate::google::jitter::Jitter;
use crate::google::token::{Fault, Token};
use crate::time::{Monotonic, Now, UnixTime};

/// Seconds after which one who was refused for good asks again, and up to how many more.
const REFUSED_PAUSE_SECS: i64 = 60;
const REFUSED_JITTER_SECS: i64 = 15;

/// The metadata server gives the same token again while more seconds than these are left.
const METADATA_RENEW_SECS: i64 = 225;

/// Least seconds between two tokens, however short they live.
const LEAST_SECS: i64 = 5;

/// One token's refresh.
#[derive(Debug)]
pub(super) struct Refresh {
    /// Each fetch is for the hop with this place.
    fetches: InFlight<usize>,
    /// The hop that is next, and what those before brought.
    hop: usize,
    brought: Brought,
    backoff: Backoff,
    next_at: Monotonic,
    /// When a new token is due by the wall clock: it goes on while a machine sleeps.
    due: Option<UnixTime>,
    jitter: Jitter,
    pub(super) record: Record,
}

impl Refresh {
    pub(super) fn new(seed: u64, now: Monotonic) -> Self {
        Self {
            fetches: InFlight::default(),
            hop: 0,
            brought: Brought::default(),
            backoff: Backoff::default(),
            next_at: now,
            due: None,
            jitter: Jitter::new(seed),
            record: Record::default(),
        }
    }

    /// Forgets all but the fetches that nobody has answered, and begins now.
    pub(super) fn start_anew(&mut self, now: Monotonic) {
        self.fetches.give_up();
        self.start_over();
        self.backoff.succeed();
        self.record = Record::default();
        (self.next_at, self.due) = (now, None);
    }

    /// Another token of `source` is there, as if it had been fetched here.
    pub(super) fn adopt(&mut self, source: &TokenSource, lifetime_secs: i64, now: Now) {
        self.fetches.give_up();
        self.succeed(source, lifetime_secs, now);
    }

    /// Fetches as soon as can be.
    pub(super) fn hurry(&mut self, now: Monotonic) {
        self.next_at = now;
    }

    /// Nobody wants the reply to this fetch.
    pub(super) fn forget(&mut self, number: u32) {
        let _ = self.fetches.end(number);
    }

    /// How many fetches have no reply so far.
    pub(super) const fn unanswered(&self) -> usize {
        self.fetches.unanswered()
    }

    /// Whether the latest fetch failed.
    pub(super) const fn is_failing(&self) -> bool {
        self.backoff.is_failing()
    }

    /// Whether the first request for a token is due now.
    pub(super) fn is_due(&self, now: Now) -> bool {
        self.hop == 0 && self.may_ask(now)
    }

    fn may_ask(&self, now: Now) -> bool {
        // After a failure its pause counts, whatever the wall clock says.
        let is_due = self.due.is_some_and(|due| now.wall >= due) && !self.backoff.is_failing();
        self.fetches.has_room() && (now.mono >= self.next_at || is_due)
    }

    /// The fetch that is due now, and its number.
    pub(super) fn step(&mut self, source: &TokenSource, now: Now) -> Option<(u32, Request)> {
        if self.fetches.give_up_overdue(now.mono) {
            self.fail(&Fault::passing("no answer in time"), None, now.mono);
        }
        if !self.may_ask(now) {
            return None;
        }
        match source.hops.get(self.hop)?.request(&self.brought, now.wall) {
            Ok(request) => Some((self.fetches.begin(self.hop, now.mono)?, request)),
            Err(fault) => {
                self.fail(&fault, None, now.mono);
                None
            }
        }
    }

    /// Takes the reply to fetch `number`; one that was given up is nobody's. A token of more than
    /// `most_bytes` could not be sent.
    pub(super) fn answer(
        &mut self,
        source: &TokenSource,
        number: u32,
        reply: &Reply,
        most_bytes: usize,
        now: Now,
    ) -> Option<Token> {
        let Ended { what: place, .. } = self.fetches.end(number)?;
        let hop = source.hops.get(place)?;
        let is_last = place + 1 >= source.hops.len();
        let taken = match reply {
            Reply::Failure(why) => Err(Fault::passing(why)),
            Reply::Answer(answer) => hop.take(answer, &mut self.brought, now.wall),
        };
        let token = taken.and_then(|()| match is_last {
            false => Ok(None),
            true => self.brought.token.take().ok_or_else(Fault::internal).map(Some),
        });
        let token = token.and_then(|token| match &token {
            Some(Token { text, .. }) if text.len() > most_bytes => Err(Fault::passing(&format!(
                "a token of {} bytes, and {most_bytes} fit: set a larger VERTEX_MAXREWRITE",
                text.len()
            ))),
            _ => Ok(token),
        });
        match token {
            Ok(None) => {
                self.hop = place + 1;
                self.next_at = now.mono;
                None
            }
            Ok(Some(token)) => {
                self.succeed(source, token.lifetime_secs, now);
                Some(token)
            }
            Err(Fault { why, is_permanent }) => {
                let why = match source.hops.len() {
                    1 => why,
                    _ => format!("{}: {why}", hop.endpoint().authority),
                };
                self.fail(&Fault { why, is_permanent }, reply.status(), now.mono);
                None
            }
        }
    }

    /// Seconds until the next fetch; 0 for one that is due or under way.
    pub(super) fn next_secs(&self, now: Monotonic) -> i64 {
        match self.fetches.is_under_way() {
            true => 0,
            false => self.next_at.millis_since(now).max(0) / 1000,
        }
    }

    fn succeed(&mut self, source: &TokenSource, lifetime: i64, now: Now) {
        self.start_over();
        self.backoff.succeed();
        self.record.succeed(now.mono);
        let (ahead, jitter) = match source.is_metadata() {
            // Earlier it gives the same one again, so the spread is to the other side.
            true => (METADATA_RENEW_SECS, METADATA_RENEW_SECS / 5),
            false => (lifetime / 4, -lifetime / 20),
        };
        let spread = self.jitter.up_to(jitter.abs()) * jitter.signum();
        let secs = (lifetime - ahead + spread).max((lifetime / 2).min(30)).max(LEAST_SECS);
        self.next_at = now.mono.plus_secs(secs);
        self.due = Some(now.wall + secs);
    }

    fn fail(&mut self, fault: &Fault, status: Option<u16>, now: Monotonic) {
        self.start_over();
        self.record.fail(&fault.why, now);
        let pause = self.backoff.fail(status) * 1000;
        let (pause, jitter) = match fault.is_permanent {
            true => (REFUSED_PAUSE_SECS * 1000, REFUSED_JITTER_SECS * 1000),
            false => (pause, pause / 4),
        };
        self.next_at = now.plus_millis(pause + self.jitter.up_to(jitter));
    }

    fn start_over(&mut self) {
        self.hop = 0;
        self.brought = Brought::default();
    }
}
