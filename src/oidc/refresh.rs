//! The machine that keeps one issuer's keys fresh: discovery, then the key set, then again in
//! time. It says what to fetch (`step`) and takes what came (`answer`); it does no I/O.

use std::collections::HashSet;

use crate::jose::{Algorithms, KeySet};
use crate::json::{Json, syntax_fault};
use crate::oidc::Record;
use crate::oidc::endpoint::Endpoint;
use crate::time::Monotonic;

/// A fetch that has brought nothing by then is given up; HAProxy's own time-outs are far shorter,
/// but an endless run of 1xx answers renews them for ever.
const FETCH_SECS: i64 = 30;

/// Fetches of one issuer that may be given up and still hold a task of HAProxy's: an issuer can
/// exhaust its own tasks and nobody else's.
pub(crate) const MAX_UNANSWERED: usize = 2;

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

/// The longest pause between failures: an issuer that is back is noticed soon.
const MAX_PAUSE_SECS: i64 = 5;

/// The pause after an answer that asks for fewer requests (RFC 6585 section 4).
const TOO_MANY_REQUESTS: u16 = 429;
const TOO_MANY_PAUSE_SECS: i64 = 30;

/// A discovered place of the key set is asked for anew after this.
const DISCOVERY_SECS: i64 = 24 * 3600;

/// How many `kid`s that a fetch did not help are remembered. Beyond that they are forgotten, and
/// fetched for like new ones: no flood of them can slow a new key down.
const MAX_REFUSED_KIDS: usize = 1024;

/// What came back from a fetch.
#[derive(Debug)]
pub enum Reply {
    /// An answer of the server that was asked.
    Answer(Answer),
    /// None; why is for the log.
    Failure(String),
}

/// An HTTP answer, as far as it matters here.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Cache-Control`.
    pub cache_control: String,
    /// `Age`.
    pub age: String,
    /// The whole body.
    pub body: Vec<u8>,
}

#[derive(Debug)]
enum Document {
    Discovery,
    Jwks,
}

#[derive(Debug)]
struct UnderWay {
    number: u32,
    document: Document,
    begun_at: Monotonic,
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
    under_way: Option<UnderWay>,
    unanswered: Vec<u32>,
    number: u32,
    next_at: Monotonic,
    failures: u32,
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
            under_way: None,
            unanswered: Vec::new(),
            number: 0,
            next_at: now,
            failures: 0,
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
    pub(super) fn step(&mut self, now: Monotonic) -> Option<(u32, Endpoint)> {
        if let Some(under_way) = &self.under_way {
            if now < under_way.begun_at.plus_secs(FETCH_SECS) {
                return None;
            }
            self.fail("no answer in time", now);
        }
        if self.unanswered.len() >= MAX_UNANSWERED {
            return None;
        }
        // After a failure its pause counts, whoever wants what.
        let is_wanted = self.failures == 0 && self.wanted_at.is_some_and(|at| now >= at);
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
        self.number = self.number.wrapping_add(1);
        self.unanswered.push(self.number);
        self.under_way = Some(UnderWay { number: self.number, document, begun_at: now });
        Some((self.number, endpoint))
    }

    /// Takes the reply to fetch `number`; one that was given up is nobody's.
    pub(super) fn answer(
        &mut self,
        number: u32,
        reply: &Reply,
        allowed: &Algorithms,
        now: Monotonic,
    ) -> Option<Published> {
        self.unanswered.retain(|unanswered| *unanswered != number);
        let UnderWay { document, begun_at, .. } =
            self.under_way.take_if(|under_way| under_way.number == number)?;
        let outcome = match (reply, document) {
            (Reply::Failure(why), _) => Err(why.clone()),
            (Reply::Answer(answer), _) if answer.status != 200 => {
                Err(format!("status {} instead of 200", answer.status))
            }
            (Reply::Answer(answer), Document::Discovery) => {
                self.discovered(answer).map(|endpoint| {
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
            self.fail(&why, now);
            if matches!(reply, Reply::Answer(answer) if answer.status == TOO_MANY_REQUESTS) {
                self.next_at = now.plus_secs(TOO_MANY_PAUSE_SECS);
            }
            None
        })
    }

    /// OpenID Connect Discovery 1.0 section 4.3: the document must be the issuer's own.
    fn discovered(&self, answer: &Answer) -> Result<Endpoint, String> {
        let json = Json::parse(&answer.body)
            .map_err(|why| format!("not JSON: {}", syntax_fault(&why, &answer.body)))?;
        if json.get("issuer").and_then(Json::as_str) != Some(&self.issuer) {
            return Err(format!("the discovery document's issuer is not {}", self.issuer));
        }
        let jwks_uri = json.get("jwks_uri").and_then(Json::as_str).ok_or("no jwks_uri")?;
        let endpoint = Endpoint::parse(jwks_uri).map_err(|why| format!("jwks_uri: {why}"))?;
        if !self.hosts.contains(&endpoint.authority) {
            return Err(format!(
                "jwks_uri is on {}, which is not the issuer's host: list it in jwks_hosts",
                endpoint.authority
            ));
        }
        Ok(endpoint)
    }

    /// Seconds until the next fetch; 0 for one that is due or under way.
    pub(super) fn next_secs(&self, now: Monotonic) -> i64 {
        match self.under_way {
            Some(_) => 0,
            None => self.next_at.millis_since(now).max(0) / 1000,
        }
    }

    fn succeed(&mut self, answer: &Answer, now: Monotonic) {
        self.failures = 0;
        self.record.succeed(now);
        self.next_at = now.plus_secs(freshness(&answer.cache_control, &answer.age));
    }

    fn fail(&mut self, why: &str, now: Monotonic) {
        self.record.fail(why, now);
        self.under_way = None;
        let pause =
            1_i64.checked_shl(self.failures).map_or(MAX_PAUSE_SECS, |p| p.clamp(1, MAX_PAUSE_SECS));
        self.failures = self.failures.saturating_add(1).min(16);
        self.next_at = now.plus_secs(pause);
        // A place that was discovered may have moved.
        self.jwks.take_if(|(_, discovered_at)| discovered_at.is_some());
    }
}

/// Seconds until an answer is stale (RFC 9111 section 4.2: max-age less Age), within bounds.
fn freshness(cache_control: &str, age: &str) -> i64 {
    let (least, most) = FRESH_RANGE_SECS;
    let directives = || cache_control.split(',').map(|d| d.trim().to_ascii_lowercase());
    if directives().any(|d| d == "no-store" || d == "no-cache") {
        return least;
    }
    // A max-age that is no number makes an answer stale (section 4.2.1).
    let max_age = directives().find_map(|directive| {
        let value = directive.strip_prefix("max-age=")?;
        Some(delta_seconds(value.trim_matches('"')).unwrap_or(0))
    });
    let age = delta_seconds(age.trim()).unwrap_or(0);
    max_age.map_or(FRESH_SECS, |secs| secs.saturating_sub(age)).clamp(least, most)
}

/// RFC 9111 section 1.2.2; more than fits is a very long time.
fn delta_seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i64::MAX))
}
