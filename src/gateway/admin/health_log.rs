//! Looks at the issuers and credentials and tells the log what has changed. A change comes from
//! an answer, a signature or time alone, so looking after each of them misses none.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::gateway::admin::changes::{Condition, Line, Watched};
use crate::gateway::decide::Decide;
use crate::google::{Bearers, Credential};
use crate::oidc::{Issuer, IssuerStatus};
use crate::time::{Monotonic, Now};

/// How often one looks for what time alone changes.
const LOOK_MILLIS: i64 = 1_000;

/// A set that changes all the time tells what is wrong with it no more often than this.
const PASSED_OVER_MILLIS: i64 = 60_000;

/// Of the keys that are passed over, so many are told.
const MOST_PASSED_OVER: usize = 5;

#[derive(Debug)]
struct Things {
    issuers: Vec<Watched>,
    passed_over: Vec<PassedOver>,
    credentials: Vec<Watched>,
    looked_at: Option<Monotonic>,
}

/// The keys of an issuer that are not used, as they were told last.
#[derive(Clone, Debug, Default)]
struct PassedOver {
    told: Vec<String>,
    told_at: Option<Monotonic>,
}

/// All that is looked at, in the order of the configuration.
#[derive(Debug)]
pub(in crate::gateway) struct HealthLog(Mutex<Things>);

/// Of a credential's bearers, how many are what.
#[derive(Clone, Copy, Default)]
struct Tally {
    places: usize,
    ready: usize,
    failing: usize,
}

impl HealthLog {
    pub(in crate::gateway) fn new(issuers: &[Issuer], credentials: &[Credential]) -> Self {
        let issuer = |issuer: &Issuer| Watched::new(format!("issuer {}", issuer.config.name));
        let credential =
            |credential: &Credential| Watched::new(format!("credential {}", credential.name));
        Self(Mutex::new(Things {
            issuers: issuers.iter().map(issuer).collect(),
            passed_over: vec![PassedOver::default(); issuers.len()],
            credentials: credentials.iter().map(credential).collect(),
            looked_at: None,
        }))
    }

    /// Looks at one issuer, which has just had an answer.
    pub(in crate::gateway) fn look_at_issuer(&self, decide: &Decide, index: usize, now: Now) {
        let mut things = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let things = &mut *things;
        if let (Some(watched), Some(issuer)) =
            (things.issuers.get_mut(index), decide.verifier.issuers().get(index))
        {
            log(look(watched, &issuer.status(now), now));
        }
    }

    /// Looks at everything, not more often than is of use.
    pub(in crate::gateway) fn look_around(&self, decide: &Decide, has_signed: bool, now: Now) {
        let mut things = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let things = &mut *things;
        let is_recent = |at: Monotonic| (0..LOOK_MILLIS).contains(&now.mono.millis_since(at));
        if things.looked_at.is_some_and(is_recent) && !has_signed {
            return;
        }
        things.looked_at = Some(now.mono);
        let told = things.issuers.iter_mut().zip(&mut things.passed_over);
        for ((watched, passed_over), issuer) in told.zip(decide.verifier.issuers()) {
            let status = issuer.status(now);
            log(look(watched, &status, now));
            log(passed_over.look(&issuer.config.name, &status.passed_over, now.mono));
        }
        let tallies = tallies(&decide.bearers, now);
        for (watched, tally) in things.credentials.iter_mut().zip(tallies) {
            let condition = match tally {
                Tally { places, ready, failing: 0 } if ready == places => Condition::Ready,
                Tally { ready: 0, .. } => Condition::Spent,
                Tally { .. } => Condition::Failing,
            };
            log(watched.look(condition, || tally.told(), now.mono));
        }
    }
}

fn look(watched: &mut Watched, status: &IssuerStatus, now: Now) -> Option<Line> {
    let is_failing = status.record.failing_since.is_some();
    let condition = match (status.is_ready(), is_failing) {
        (true, false) => Condition::Ready,
        (_, true) if !status.is_too_old => Condition::Failing,
        (false, _) if status.is_too_old => Condition::Spent,
        _ => Condition::Starting,
    };
    let why = || status.record.last_failure.as_ref().map_or("", |(_, why)| why.as_str());
    let details = || match (condition, status.age_secs) {
        (Condition::Ready | Condition::Starting, _) => format!("keys ready ({})", status.keys),
        (Condition::Failing, Some(age)) => {
            format!("keys not fetched: {}; those of {age} s ago serve on", why())
        }
        (Condition::Failing, None) => format!("keys not fetched: {}; it has none", why()),
        (Condition::Spent, _) => {
            format!("its keys are more than 24 hours old and serve no more: {}", why())
        }
    };
    watched.look(condition, details, now.mono)
}

impl PassedOver {
    fn look(&mut self, issuer: &str, passed_over: &[String], now: Monotonic) -> Option<Line> {
        let is_quiet = self.told_at.is_some_and(|at| now.millis_since(at) < PASSED_OVER_MILLIS);
        if is_quiet || self.told == passed_over {
            return None;
        }
        self.told = passed_over.to_vec();
        self.told_at = Some(now);
        let count = passed_over.len();
        let some: Vec<&str> =
            passed_over.iter().take(MOST_PASSED_OVER).map(String::as_str).collect();
        let more = if count > some.len() { "; …" } else { "" };
        let text = format!("issuer {issuer}: {count} keys not used: {}{more}", some.join("; "));
        (count > 0).then_some(Line { level: log::Level::Info, text })
    }
}

/// One for each credential, in the order of the configuration.
fn tallies(bearers: &Bearers, now: Now) -> Vec<Tally> {
    let mut tallies = BTreeMap::<usize, Tally>::new();
    for (index, status) in bearers.statuses(now) {
        let tally = tallies.entry(index).or_default();
        tally.places += 1;
        tally.ready += usize::from(status.is_ready);
        tally.failing += usize::from(status.is_failing);
    }
    tallies.into_values().collect()
}

impl Tally {
    fn told(self) -> String {
        let Self { places, ready, failing } = self;
        match failing {
            0 if ready == places => format!("ready at {places} locations"),
            0 => format!("no token that can be sent at {} of {places} locations", places - ready),
            _ => format!("could not sign for {failing} of {places} locations; {ready} are ready"),
        }
    }
}

fn log(line: Option<Line>) {
    if let Some(Line { level, text }) = line {
        log::log!(level, "{text}");
    }
}
