//! The machine that keeps one issuer's keys fresh: discovery, then the key set, then again in
//! time. It says what to fetch (`step`) and takes what came (`answer`); it does no I/O.

use std::collections::HashSet;

use crate::fetch::{Answer, Backoff, Ended, Endpoint, InFlight, Record, Reply, Request};
use crate::jose::{Algorithms, KeySet};
use crate::oidc::discovery::jwks_uri;
use crate::time::Monotonic;

/// How long keys are fresh where the answer does not say, and the bounds of what it may say.
const FRESH_SECS: i64 = 900;
const FRESH_RANGE_SECS: (i64, i64) = (60, 3600);

/// Tokens that no key verifies cause at most one fetch in this time, however many they are: 2,400
/// an hour. Whoever floods cannot be told from a caller with a new key, so anything slower would
/// hold up that caller. An issuer that finds it too much says so with status 429.
const DEMAND_MILLIS: i64 = 1_500;

/// The same for a `kid` that a fetch did not help before: 900 an hour.
const REPEAT_MILLIS: i64 = 4_000;

/// How long a request waits for keys.
pub(crate) const MAX_WAIT_MILLIS: i64 = 5_000;

/// A discovered place of the key set is asked for anew after this.
const DISCOVERY_SECS: i64 = 24 * 3600;

/// How many `kid`s that a fetch did not help are remembered. Beyond that they are forgotten, and
/// fetched for like new ones: no flood of them can slow a new key down.
const MAX_REFUSED_KIDS: usize = 1024;

#[derive(Debug)]
enum Document {
    Discovery,
    Jwks,
}

/// A key set as its issuer published it.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) keys: KeySet,
    /// When the issuer was asked for it: what was published before then is in it.
    pub(super) asked_at: Monotonic,
}

/// One issuer's refresh.
#[derive(Debug)]
pub(super) struct Refresh {
    issuer: String,
    discovery: Endpoint,
    /// The place of the key set, and when it was discovered; a configured one never ages.
    jwks: Option<(Endpoint, Option<Monotonic>)>,
    hosts: Vec<String>,
    fetches: InFlight<Document>,
    backoff: Backoff,
    next_at: Monotonic,
    /// When to fetch for a token that no key verifies.
    wanted_at: Option<Monotonic>,
    /// When the issuer was asked for its keys last.
    asked_at: Option<Monotonic>,
    refused_kids: HashSet<String>,
    pub(super) record: Record,
}

impl Refresh {
    pub(super) fn new(
        issuer: String,
        discovery: Endpoint,
        jwks: Option<Endpoint>,
        hosts: Vec<String>,
        now: Monotonic,
    ) -> Self {
        Self {
            issuer,
            discovery,
            jwks: jwks.map(|endpoint| (endpoint, None)),
            hosts,
            fetches: InFlight::default(),
            backoff: Backoff::default(),
            next_at: now,
            wanted_at: None,
            asked_at: None,
            refused_kids: HashSet::new(),
            record: Record::default(),
        }
    }

    /// No key verifies a token with this `kid`: asks for a fetch.
    pub(super) fn want(&mut self, kid: &str, now: Monotonic) {
        let gap = match self.refused_kids.contains(kid) {
            true => REPEAT_MILLIS,
            false => DEMAND_MILLIS,
        };
        let at = self.asked_at.map_or(now, |at| at.plus_millis(gap));
        self.wanted_at = Some(self.wanted_at.map_or(at, |wanted_at| wanted_at.min(at)));
    }

    /// A fetch did not help a token with this `kid`.
    pub(super) fn refuse(&mut self, kid: &str) {
        if self.refused_kids.len() >= MAX_REFUSED_KIDS {
            self.refused_kids.clear();
        }
        self.refused_kids.insert(kid.to_owned());
    }

    /// The fetch that is due now, and its number.
    pub(super) fn step(&mut self, now: Monotonic) -> Option<(u32, Request)> {
        if self.fetches.give_up_overdue(now) {
            self.fail("no answer in time", None, now);
        }
        if !self.fetches.has_room() {
            return None;
        }
        // After a failure its pause counts, whoever wants what.
        let is_wanted = !self.backoff.is_failing() && self.wanted_at.is_some_and(|at| now >= at);
        if now < self.next_at && !is_wanted {
            return None;
        }
        let discovered = self.jwks.as_ref().filter(|(_, discovered_at)| {
            discovered_at.is_none_or(|at| now.millis_since(at) < DISCOVERY_SECS * 1000)
        });
        let (document, endpoint) = match discovered {
            Some((endpoint, _)) => {
                self.asked_at = Some(now);
                self.wanted_at = None;
                (Document::Jwks, endpoint.clone())
            }
            None => (Document::Discovery, self.discovery.clone()),
        };
        let number = self.fetches.begin(document, now)?;
        Some((number, Request::get(endpoint)))
    }

    /// Takes the reply to fetch `number`; one that was given up is nobody's.
    pub(super) fn answer(
        &mut self,
        number: u32,
        reply: &Reply,
        allowed: &Algorithms,
        now: Monotonic,
    ) -> Option<Published> {
        let Ended { what: document, begun_at } = self.fetches.end(number)?;
        let outcome = match (reply, document) {
            (Reply::Failure(why), _) => Err(why.clone()),
            (Reply::Answer(answer), _) if answer.status != 200 => {
                Err(format!("status {} instead of 200", answer.status))
            }
            (Reply::Answer(answer), Document::Discovery) => {
                jwks_uri(&answer.body, &self.issuer, &self.hosts).map(|endpoint| {
                    self.jwks = Some((endpoint, Some(now)));
                    self.next_at = now;
                    None
                })
            }
            (Reply::Answer(answer), Document::Jwks) => {
                KeySet::parse(&answer.body, allowed).map_err(|why| why.to_string()).map(|keys| {
                    self.succeed(answer, now);
                    Some(Published { keys, asked_at: begun_at })
                })
            }
        };
        outcome.unwrap_or_else(|why| {
            self.fail(&why, reply.status(), now);
            None
        })
    }

    /// Seconds until the next fetch; 0 for one that is due or under way.
    pub(super) fn next_secs(&self, now: Monotonic) -> i64 {
        match self.fetches.is_under_way() {
            true => 0,
            false => self.next_at.millis_since(now).max(0) / 1000,
        }
    }

    fn succeed(&mut self, answer: &Answer, now: Monotonic) {
        self.backoff.succeed();
        self.record.succeed(now);
        let (least, most) = FRESH_RANGE_SECS;
        let fresh = answer.fresh_secs().unwrap_or(FRESH_SECS).clamp(least, most);
        self.next_at = now.plus_secs(fresh);
    }

    fn fail(&mut self, why: &str, status: Option<u16>, now: Monotonic) {
        self.record.fail(why, now);
        self.next_at = now.plus_secs(self.backoff.fail(status));
        // A place that was discovered may have moved.
        self.jwks.take_if(|(_, discovered_at)| discovered_at.is_some());
    }
}
