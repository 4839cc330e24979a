//! The metrics' counters, one field a family. Labels are names of the configuration and of closed
//! lists, never text from a caller, an issuer or Google. A counter is found by index, not by name.

use crate::error::Reason;
use crate::gateway::calls::settle::{Settled, Uncounted};
use crate::meter::Usage;
use crate::metrics::{Counter, Histogram};
use crate::policy::Role;
use crate::watch::{Signal, Signals};

/// Buckets of the time to an answer's first byte, in milliseconds: from a cached prompt to a model
/// that thinks.
const FIRST_BYTE_MILLIS: &[u64; 12] =
    &[50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000];

/// Buckets of the time that a request waits for keys or a credential, in milliseconds: 5 s at most.
const WAIT_MILLIS: &[u64; 9] = &[10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/// A kind of token; Google's names differ by method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Prompt, including what was cached.
    Input,
    /// Answer, without thoughts.
    Output,
    /// The part of the prompt that was read from a cache.
    Cached,
    /// The part of the prompt that was written to a cache.
    CacheWrite,
    /// Thoughts.
    Thought,
    /// Results of Google's own tools.
    ToolUse,
}

impl TokenKind {
    /// Every kind, in order.
    pub const ALL: [Self; 6] =
        [Self::Input, Self::Output, Self::Cached, Self::CacheWrite, Self::Thought, Self::ToolUse];

    /// The value of the metric's label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Cached => "cached",
            Self::CacheWrite => "cache_write",
            Self::Thought => "thought",
            Self::ToolUse => "tool_use",
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Input => 0,
            Self::Output => 1,
            Self::Cached => 2,
            Self::CacheWrite => 3,
            Self::Thought => 4,
            Self::ToolUse => 5,
        }
    }
}

/// The counts of a role's calls to the models of one pattern.
#[derive(Debug)]
pub(in crate::gateway) struct ModelCounters {
    /// The pattern as the role writes it; `-` for calls without a model.
    pub(in crate::gateway) model: Box<str>,
    pub(in crate::gateway) requests: Counter,
    pub(in crate::gateway) tokens: [Counter; TokenKind::ALL.len()],
}

/// The counters of one role: one for each of its patterns, and one for calls without a model.
#[derive(Debug)]
pub(in crate::gateway) struct RoleCounters {
    pub(in crate::gateway) role: Box<str>,
    pub(in crate::gateway) models: Box<[ModelCounters]>,
}

/// Counters by the values of a closed list.
pub(in crate::gateway) type Listed = Box<[(&'static str, Counter)]>;

/// All counters.
#[derive(Debug)]
pub struct Metrics {
    pub(in crate::gateway) allowed: Counter,
    /// Refusals, by the reasons' numbers.
    pub(in crate::gateway) denied: Box<[Counter]>,
    pub(in crate::gateway) roles: Box<[RoleCounters]>,
    pub(in crate::gateway) uncounted: Listed,
    pub(in crate::gateway) first_bytes: Box<[(Box<str>, Histogram<12>)]>,
    pub(in crate::gateway) wait: Histogram<9>,
    pub(in crate::gateway) signals: Listed,
}

impl Metrics {
    /// Counters at zero, for these roles and locations in their order.
    #[must_use]
    pub fn new(roles: &[Role], locations: &[String]) -> Self {
        let listed = |name: &'static str| (name, Counter::default());
        let first_byte =
            |location: &String| (location.as_str().into(), Histogram::new(FIRST_BYTE_MILLIS));
        Self {
            allowed: Counter::default(),
            denied: Reason::ALL.iter().map(|_| Counter::default()).collect(),
            roles: roles.iter().map(RoleCounters::new).collect(),
            uncounted: Uncounted::ALL.iter().map(|why| listed(why.name())).collect(),
            first_bytes: locations.iter().map(first_byte).collect(),
            wait: Histogram::new(WAIT_MILLIS),
            signals: Signal::ALL.iter().map(|signal| listed(signal.name())).collect(),
        }
    }

    /// Counts a decision: a refusal for this reason, or an allow.
    pub fn decision(&self, refusal: Option<Reason>) {
        match refusal {
            None => self.allowed.add(1),
            Some(reason) => {
                let place = usize::try_from(reason.number()).unwrap_or(0);
                if let Some(count) = place.checked_sub(1).and_then(|place| self.denied.get(place)) {
                    count.add(1);
                }
            }
        }
    }

    /// Counts a request that a role allowed. `model` is the index of the pattern in the role's
    /// `may.models` that matched; `None` for a request without a model.
    pub fn request(&self, role: usize, model: Option<usize>) {
        if let Some(counters) = self.of(role, model) {
            counters.requests.add(1);
        }
    }

    /// Counts tokens of an ended call.
    pub fn tokens(&self, role: usize, model: Option<usize>, kind: TokenKind, tokens: u64) {
        if let Some(count) = self.of(role, model).and_then(|c| c.tokens.get(kind.place())) {
            count.add(tokens);
        }
    }

    /// Counts a call whose tokens could not be counted.
    fn uncounted(&self, why: Uncounted) {
        let place = Uncounted::ALL.iter().position(|other| *other == why);
        if let Some((_, count)) = place.and_then(|place| self.uncounted.get(place)) {
            count.add(1);
        }
    }

    /// Counts the time to the first byte of an answer from this location, in milliseconds.
    pub fn first_byte(&self, location: &str, millis: i64) {
        let served = self.first_bytes.iter().find(|(name, _)| **name == *location);
        if let Some((_, histogram)) = served {
            histogram.observe(millis);
        }
    }

    /// Counts the time that a request waited for keys or a credential, in milliseconds.
    pub fn waited(&self, millis: i64) {
        self.wait.observe(millis);
    }

    /// Counts a sign of misuse.
    pub fn signal(&self, signal: Signal) {
        if let Some((_, count)) = self.signals.get(usize::from(signal.place())) {
            count.add(1);
        }
    }

    /// Counts signs of misuse.
    pub(in crate::gateway) fn signals(&self, signals: Signals) {
        signals.iter().for_each(|signal| self.signal(signal));
    }

    /// Counts a settled call; `location` is where it went.
    pub(in crate::gateway) fn settled(&self, settled: &Settled, location: Option<&str>) {
        let Settled { role, pattern, record, used, uncounted, signals } = settled;
        self.request(*role, *pattern);
        for (kind, tokens) in used.iter().flat_map(tokens_of) {
            self.tokens(*role, *pattern, kind, tokens);
        }
        if let Some(why) = uncounted {
            self.uncounted(*why);
        }
        if let Some((millis, location)) = record.first_byte_millis.zip(location) {
            self.first_byte(location, millis);
        }
        self.signals(*signals);
    }

    fn of(&self, role: usize, model: Option<usize>) -> Option<&ModelCounters> {
        let models = &self.roles.get(role)?.models;
        match model {
            Some(place) => models.get(place),
            None => models.last(),
        }
    }
}

fn tokens_of(usage: &Usage) -> impl Iterator<Item = (TokenKind, u64)> {
    [
        (TokenKind::Input, usage.input),
        (TokenKind::Output, usage.output),
        (TokenKind::Cached, usage.cached),
        (TokenKind::CacheWrite, usage.cache_write),
        (TokenKind::Thought, usage.thought),
        (TokenKind::ToolUse, usage.tool_use),
    ]
    .into_iter()
    .map(|(kind, tokens)| (kind, tokens.unwrap_or(0)))
}

impl RoleCounters {
    fn new(role: &Role) -> Self {
        let counters = |model: Box<str>| ModelCounters {
            model,
            requests: Counter::default(),
            tokens: Default::default(),
        };
        let patterns = role.may.models.iter().map(|pattern| pattern.to_string().into());
        let models = patterns.chain([Box::from("-")]).map(counters).collect();
        Self { role: role.name.as_str().into(), models }
    }

    /// Number of requests over all models.
    pub(in crate::gateway) fn requests(&self) -> u64 {
        self.models.iter().map(|model| model.requests.get()).fold(0, u64::saturating_add)
    }
}
