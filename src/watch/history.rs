//! What is known of one principal, and what a request means against it.

use crate::watch::baseline::{Baseline, Tolerance};
use crate::watch::decay::{Second, float};
use crate::watch::rate::Rate;
use crate::watch::seen::{SeenValues, Tag};
use crate::watch::signal::{Signal, Signals};
use crate::watch::suppress::Suppress;

/// Nothing but refusals is told of a principal within its first requests: fewer say nothing of
/// what it uses.
const LEARNING_REQUESTS: u32 = 50;

/// Nor within the first two hours: fifty requests may be one job. It is not a day, as a reload
/// begins anew, and there are those who reload each day.
const LEARNING_SECS: u32 = 2 * 3600;

/// So many refusals in a row are many.
const REFUSALS: u16 = 10;

/// After such a pause a row of refusals begins anew.
const PAUSE_SECS: u32 = 3600;

/// Of requests in the last minutes: four times the usual, and 32 at least.
const OF_REQUESTS: Tolerance = Tolerance { deviations: 3.0, bits: 2.0, least: 5.0 };

/// Of tokens in the last minutes: four times the usual, and 65,536 at least.
const OF_TOKENS: Tolerance = Tolerance { deviations: 3.0, bits: 2.0, least: 16.0 };

/// Of a body's bytes: eight times the usual, and 64 KiB at least.
const OF_BODIES: Tolerance = Tolerance { deviations: 3.5, bits: 3.0, least: 16.0 };

/// A request, with what it uses as tags.
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
    /// Refusals since the last request that was allowed.
    refusals: u16,
    models: SeenValues<8>,
    locations: SeenValues<8>,
    networks: SeenValues<16>,
    clients: SeenValues<8>,
    request_rate: Rate,
    token_rate: Rate,
    /// Of the sizes of bodies.
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

    /// Takes a request.
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
        // What was refused was not used.
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

    /// Takes the tokens of a call that has ended.
    pub(super) fn tokens(&mut self, tokens: u64, now: Second) -> Signals {
        let level = self.token_rate.add(float(tokens), OF_TOKENS, now);
        let raised = self.told.rate(Signal::TokenRate, level);
        let raised = if self.has_learnt(now) { raised } else { Signals::NONE };
        self.told.tell(raised, now)
    }

    fn has_learnt(&self, now: Second) -> bool {
        self.requests > LEARNING_REQUESTS && now.since(self.first) >= LEARNING_SECS
    }

    /// Counts refusals in a row, which are told without a history too.
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
