//! Logs each change of an issuer's or a credential's condition, one line each. A condition that
//! comes and goes is logged once a minute, with the number of changes in between. A change comes
//! from an answer, a signature or time alone, so looking after each of them misses none.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use log::Level;

use crate::gateway::decide::Decide;
use crate::google::{Bearers, Credential};
use crate::oidc::{Issuer, IssuerStatus};
use crate::time::{Monotonic, Now};

/// Milliseconds between two looks for changes that time alone brings.
const LOOK_MILLIS: i64 = 1_000;

/// Least milliseconds between two lines on the unused keys of one issuer, as some sets change all
/// the time.
const PASSED_OVER_MILLIS: i64 = 60_000;

/// Most unused keys that a line names.
const MOST_PASSED_OVER: usize = 5;

#[derive(Debug)]
struct Things {
    issuers: Vec<Watched>,
    passed_over: Vec<PassedOver>,
    credentials: Vec<Watched>,
    looked_at: Option<Monotonic>,
}

/// The unused keys of an issuer, as they were logged last.
#[derive(Clone, Debug, Default)]
struct PassedOver {
    told: Vec<String>,
    told_at: Option<Monotonic>,
}

/// Logs the condition of every issuer and credential, in the order of the configuration.
#[derive(Debug)]
pub(in crate::gateway) struct HealthLog(Mutex<Things>);

/// Number of locations at which a credential's bearers are ready or failing.
#[derive(Clone, Default)]
struct Tally {
    places: usize,
    ready: usize,
    failing: usize,
    /// Whether a token is fetched, and none has come so far.
    is_starting: bool,
    is_fetched: bool,
    /// How it failed the last time.
    failure: Option<String>,
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

    /// Looks at everything, once in [`LOOK_MILLIS`] unless something was signed.
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
                Tally { places, ready, failing: 0, .. } if ready == places => Condition::Ready,
                Tally { is_starting: true, .. } => Condition::Starting,
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
        (count > 0).then_some(Line { level: Level::Info, text })
    }
}

/// The tally of each credential, in the order of the configuration.
fn tallies(bearers: &Bearers, now: Now) -> Vec<Tally> {
    let mut tallies = BTreeMap::<usize, Tally>::new();
    for (index, status) in bearers.statuses(now) {
        let tally = tallies.entry(index).or_default();
        tally.places += 1;
        tally.ready += usize::from(status.is_ready);
        tally.failing += usize::from(status.is_failing);
        tally.is_starting |= status.is_starting;
        tally.is_fetched |= status.credential.source.is_fetched();
        tally.failure = status.failure;
    }
    tallies.into_values().collect()
}

impl Tally {
    fn told(&self) -> String {
        let Self { places, ready, failing, .. } = *self;
        let why = self.failure.as_deref().unwrap_or_default();
        match failing {
            1.. if self.is_fetched && ready > 0 => {
                format!("token not fetched: {why}; the one before serves on until it expires")
            }
            1.. if self.is_fetched => format!("token not fetched: {why}; it has none"),
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

/// Least milliseconds between two lines on the same condition of the same thing.
const QUIET_MILLIS: i64 = 60_000;

/// The condition of an issuer or a credential, as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// Not known yet.
    Starting,
    /// Works, and is renewed in time.
    Ready,
    /// Could not be renewed; what there is still works, if there is anything.
    Failing,
    /// Works no more.
    Spent,
}

impl Condition {
    const COUNT: usize = 4;

    const fn place(self) -> usize {
        match self {
            Self::Starting => 0,
            Self::Ready => 1,
            Self::Failing => 2,
            Self::Spent => 3,
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Starting | Self::Ready => Level::Info,
            Self::Failing => Level::Warn,
            Self::Spent => Level::Error,
        }
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    level: Level,
    text: String,
}

/// An issuer or a credential, with the condition that was logged last.
#[derive(Debug)]
struct Watched {
    /// The name that lines begin with, as `issuer corp`.
    name: String,
    condition: Condition,
    is_told: bool,
    told_at: [Option<Monotonic>; Condition::COUNT],
    /// Since when it has not been ready; `None` while it is.
    away_since: Option<Monotonic>,
    /// Number of changes without a line since the latest line.
    untold: u32,
}

impl Watched {
    const fn new(name: String) -> Self {
        Self {
            name,
            condition: Condition::Starting,
            is_told: true,
            told_at: [None; Condition::COUNT],
            away_since: None,
            untold: 0,
        }
    }

    /// The line that is due now, if any; `details` describes the condition.
    fn look(
        &mut self,
        condition: Condition,
        details: impl FnOnce() -> String,
        now: Monotonic,
    ) -> Option<Line> {
        if condition != self.condition {
            if !self.is_told {
                self.untold = self.untold.saturating_add(1);
            }
            self.condition = condition;
            self.is_told = condition == Condition::Starting;
            if matches!(condition, Condition::Failing | Condition::Spent) {
                self.away_since = self.away_since.or(Some(now));
            }
        }
        let told_at = self.told_at.get_mut(condition.place())?;
        let is_quiet = told_at.is_some_and(|at| now.millis_since(at) < QUIET_MILLIS);
        if self.is_told || is_quiet {
            return None;
        }
        *told_at = Some(now);
        self.is_told = true;
        let back = match condition {
            Condition::Ready => self.away_since.take().map_or_else(String::new, |since| {
                format!("recovered after {} s, ", now.millis_since(since) / 1000)
            }),
            _ => String::new(),
        };
        let untold = match std::mem::take(&mut self.untold) {
            0 => String::new(),
            count => format!("; {count} earlier changes not logged"),
        };
        let text = format!("{}: {back}{}{untold}", self.name, details());
        Some(Line { level: condition.level(), text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of what is due when the thing is so at these seconds.
    fn told(seen: &[(i64, Condition)]) -> Vec<(i64, String)> {
        let mut thing = Watched::new("issuer corp".to_owned());
        let look = |(secs, condition): &(i64, Condition)| {
            let at = Monotonic(7_000 + secs * 1000);
            let line = thing.look(*condition, || format!("{condition:?}"), at)?;
            assert_eq!(line.level, condition.level());
            Some((*secs, line.text))
        };
        seen.iter().filter_map(look).collect()
    }

    fn line(secs: i64, text: &str) -> (i64, String) {
        (secs, format!("issuer corp: {text}"))
    }

    use Condition::{Failing, Ready, Spent, Starting};

    #[test]
    fn each_change_is_one_line() {
        let seen = [
            (0, Starting),
            (1, Ready),
            (2, Ready),
            (900, Failing),
            (905, Failing),
            (90_000, Spent),
            (90_100, Spent),
            (90_101, Ready),
            (90_102, Ready),
        ];
        let lines = [
            line(1, "Ready"),
            line(900, "Failing"),
            line(90_000, "Spent"),
            line(90_101, "recovered after 89201 s, Ready"),
        ];
        assert_eq!(told(&seen), lines);
    }

    #[test]
    fn what_goes_to_and_fro_is_told_once_a_minute_with_how_often() {
        let flaps = (0..120).map(|n| (n, if n % 2 == 0 { Ready } else { Failing }));
        let seen: Vec<_> = flaps.chain([(120, Ready), (121, Ready), (500, Ready)]).collect();
        let lines = [
            line(0, "Ready"),
            line(1, "Failing"),
            line(60, "recovered after 59 s, Ready; 58 earlier changes not logged"),
            line(61, "Failing"),
            line(120, "recovered after 59 s, Ready; 58 earlier changes not logged"),
        ];
        assert_eq!(told(&seen), lines);
    }

    #[test]
    fn a_condition_that_came_too_soon_is_told_when_it_still_holds_a_minute_later() {
        let seen = [(0, Ready), (10, Failing), (12, Ready), (30, Ready), (59, Ready), (60, Ready)];
        let lines =
            [line(0, "Ready"), line(10, "Failing"), line(60, "recovered after 50 s, Ready")];
        assert_eq!(told(&seen), lines);
    }
}
