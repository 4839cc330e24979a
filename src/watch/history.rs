//! The history of one principal, against which its requests are compared.

use crate::watch::baseline::{Baseline, Tolerance};
use crate::watch::decay::{Second, float};
use crate::watch::rate::Rate;
use crate::watch::seen::{SeenValues, Tag};
use crate::watch::signal::{Signal, Signals};
use crate::watch::suppress::Suppress;

/// Number of a principal's first requests for which only refusals are reported: fewer say nothing
/// of what it usually does.
const LEARNING_REQUESTS: u32 = 50;

/// Seconds after a principal's first request for which only refusals are reported: fifty requests
/// may be one job. It is not a day, as a reload begins anew, and some operators reload each day.
const LEARNING_SECS: u32 = 2 * 3600;

/// Number of refusals in a row that is reported.
const REFUSALS: u16 = 10;

/// Seconds after which a row of refusals begins anew.
const PAUSE_SECS: u32 = 3600;

/// For requests in the last minutes: four times the usual, and 32 at least.
const OF_REQUESTS: Tolerance = Tolerance { deviations: 3.0, bits: 2.0, least: 5.0 };

/// For tokens in the last minutes: four times the usual, and 65,536 at least.
const OF_TOKENS: Tolerance = Tolerance { deviations: 3.0, bits: 2.0, least: 16.0 };

/// For the bytes of a body: eight times the usual, and 64 KiB at least.
const OF_BODIES: Tolerance = Tolerance { deviations: 3.5, bits: 3.0, least: 16.0 };

/// A request, its values as tags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) is_allowed: bool,
    pub(super) model: Option<Tag>,
    pub(super) location: Option<Tag>,
    pub(super) network: Option<Tag>,
    pub(super) client: Tag,
    pub(super) body_bytes: Option<u64>,
}

#[derive(Debug)]
pub(super) struct History {
    first: Second,
    last: Second,
    requests: u32,
    /// Number of refusals since the last allowed request.
    refusals: u16,
    models: SeenValues<8>,
    locations: SeenValues<8>,
    networks: SeenValues<16>,
    clients: SeenValues<8>,
    request_rate: Rate,
    token_rate: Rate,
    /// Sizes of bodies.
    bodies: Baseline,
    told: Suppress,
}

impl History {
    pub(super) const fn new(now: Second) -> Self {
        Self {
            first: now,
            last: now,
            requests: 0,
            refusals: 0,
            models: SeenValues::new(),
            locations: SeenValues::new(),
            networks: SeenValues::new(),
            clients: SeenValues::new(),
            request_rate: Rate::new(now),
            token_rate: Rate::new(now),
            bodies: Baseline::new(now),
            told: Suppress::new(now),
        }
    }

    /// Adds a request. Returns its signals.
    pub(super) fn request(&mut self, request: &Use, now: Second) -> Signals {
        let refusals = self.refused(request.is_allowed, now);
        self.requests = self.requests.saturating_add(1);
        let level = self.request_rate.add(1.0, OF_REQUESTS, now);
        let mut raised = self.told.rate(Signal::RequestRate, level);
        let mut new = |signal, is_new| {
            if is_new {
                raised = raised | Signals::from(signal);
            }
        };
        new(Signal::NewClient, self.clients.note(request.client));
        if let Some(network) = request.network {
            new(Signal::NewNetwork, self.networks.note(network));
        }
        // A refused request used nothing.
        if request.is_allowed {
            if let Some(model) = request.model {
                new(Signal::NewModel, self.models.note(model));
            }
            if let Some(location) = request.location {
                new(Signal::NewLocation, self.locations.note(location));
            }
            if let Some(bytes) = request.body_bytes.filter(|bytes| *bytes > 0) {
                self.bodies.age(now);
                new(Signal::PromptSize, self.bodies.learn(float(bytes).log2(), OF_BODIES));
            }
        }
        let raised = if self.has_learnt(now) { raised } else { Signals::NONE };
        self.told.tell(raised | refusals, now)
    }

    /// Adds the tokens of an ended call. Returns its signals.
    pub(super) fn tokens(&mut self, tokens: u64, now: Second) -> Signals {
        let level = self.token_rate.add(float(tokens), OF_TOKENS, now);
        let raised = self.told.rate(Signal::TokenRate, level);
        let raised = if self.has_learnt(now) { raised } else { Signals::NONE };
        self.told.tell(raised, now)
    }

    fn has_learnt(&self, now: Second) -> bool {
        self.requests > LEARNING_REQUESTS && now.since(self.first) >= LEARNING_SECS
    }

    /// Counts refusals in a row, which are reported without a history too.
    fn refused(&mut self, is_allowed: bool, now: Second) -> Signals {
        let pause = self.last.advance(now);
        if is_allowed || pause >= PAUSE_SECS {
            self.refusals = 0;
        }
        if is_allowed {
            return Signals::NONE;
        }
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals == REFUSALS { Signal::Refusals.into() } else { Signals::NONE }
    }
}
