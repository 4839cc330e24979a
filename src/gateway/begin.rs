//! From an allow to a call: what it may take is reserved in its limits, and it is followed until its
//! log line.

use crate::error::Reason;
use crate::gateway::Gateway;
use crate::gateway::calls::log_tail::Facts;
use crate::gateway::calls::table::{Answer, Begun, CallMark};
use crate::gateway::decide::verdict::Verdict;
use crate::limits::{Prompt, Subject};
use crate::time::Now;
use crate::vertex::Tokens;
use crate::watch::{Seen, Signals};

impl Gateway {
    /// Begins the call that a verdict allows, if its limits do, and hands on what is then the
    /// verdict, with what is unusual about the request.
    pub(super) fn admit<T>(
        &self,
        verdict: Verdict<'_>,
        facts: &Facts<'_>,
        now: Now,
        take: impl FnOnce(Verdict<'_>, &Facts<'_>) -> T,
    ) -> T {
        let id = self.ids.next();
        let facts = &Facts { id: Some(&id), ..*facts };
        let labels = facts
            .session
            .zip(facts.role)
            .and_then(|(session, role)| self.labels.get(role.place)?.header(&session.principal));
        let verdict = match verdict {
            Verdict::Allow { target, host, handle, .. } => match self.begin(facts, now) {
                Ok(call) => {
                    Verdict::Allow { target, host, handle, call, labels: labels.as_deref() }
                }
                Err(refusal) => refusal,
            },
            other => other,
        };
        let signals = self.signals_of(&verdict, facts, now);
        take(verdict, &Facts { signals, ..*facts })
    }

    fn begin(&self, facts: &Facts<'_>, now: Now) -> Result<Option<CallMark>, Verdict<'static>> {
        let (Some(session), Some(target), Some(role)) = (facts.session, facts.target, facts.role)
        else {
            return Err(Verdict::Deny(Reason::Internal.into()));
        };
        let answer = if !target.route.is_metered() {
            Answer::Unmetered
        } else if facts.is_streamed {
            Answer::Streamed
        } else {
            Answer::Whole
        };
        // The body's cap is one for all answers; the role's number is of one answer.
        let reserve_tokens = self.limits.reserve_tokens(role.place);
        let output =
            facts.output_cap.unwrap_or_else(|| reserve_tokens.saturating_mul(facts.answers.max(1)));
        let mut begun = Begun {
            role: role.place,
            pattern: role.may.pattern_of(target.model.map(|model| (model.publisher, model.name))),
            principal: session.digest,
            id: facts.id.copied(),
            prompt: Prompt {
                bytes: facts.request.and_then(|request| request.body_bytes()),
                media_bytes: facts.media.bytes,
                media_tokens: facts.media.tokens,
            },
            output,
            answer,
            answers: facts.answers,
            is_free: target.route.is_free(),
            generates: target.route.tokens == Tokens::Generated,
            reservation: None,
            at: now.mono,
        };
        let estimate = begun.estimate();
        if !self.limits.is_empty_for(role.place) {
            let model = facts.model();
            let who = Subject { role: role.place, principal: session.digest, model: &model };
            let reserved = match begun.is_free {
                true => self.limits.count(who, now),
                false => self.limits.reserve(who, estimate, now),
            };
            begun.reservation = Some(reserved.map_err(Verdict::Exhausted)?);
        }
        if !self.accounts {
            self.metrics.request(role.place, begun.pattern);
            if let Some(reservation) = begun.reservation {
                self.limits.settle(reservation, estimate, now);
            }
            return Ok(None);
        }
        let number = self.calls.begin(begun);
        Ok(Some(CallMark { number, answer }))
    }

    /// What is unusual about a request that was decided on; nothing of one whose caller is not
    /// known, or that is to be decided on later.
    fn signals_of(&self, verdict: &Verdict<'_>, facts: &Facts<'_>, now: Now) -> Signals {
        let is_decided =
            matches!(verdict, Verdict::Allow { .. } | Verdict::Deny(_) | Verdict::Exhausted(_));
        let (Some(session), Some(request), true) = (facts.session, facts.request, is_decided)
        else {
            return Signals::NONE;
        };
        let model = facts.model();
        let seen = Seen {
            is_allowed: verdict.reason().is_none(),
            model: Some(model.as_str()).filter(|model| !model.is_empty()),
            location: facts.target.map_or("", |target| target.location),
            network: request.address,
            client: request.user_agent,
            body_bytes: request.body_bytes(),
        };
        let signals = self.watch.request(session.digest, &seen, now);
        signals.iter().for_each(|signal| self.metrics.signal(signal));
        signals
    }
}
