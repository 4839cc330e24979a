//! From an allow to a call: what it may take is reserved in its limits, and it is followed until its
//! log line.

use std::fmt::Display;

use crate::error::Reason;
use crate::gateway::Gateway;
use crate::gateway::calls::table::{AnswerShape, Begun, CallMark};
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::reply::Attached;
use crate::gateway::decide::request::Request;
use crate::gateway::decide::request_id::RequestId;
use crate::gateway::decide::verdict::Verdict;
use crate::limits::Prompt;
use crate::time::Now;
use crate::vertex::{Target, Tokens};
use crate::watch::{Seen, Signals};

/// A request whose call, if it is allowed, has begun.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) id: RequestId,
    /// Nothing where nobody tells of its end.
    pub(super) call: Option<CallMark>,
    labels: Option<String>,
    signals: Signals,
}

impl Begin {
    /// What the verdict's text tells of it.
    pub(super) fn attached(&self) -> Attached<'_> {
        let call: Option<&dyn Display> = match &self.call {
            Some(mark) => Some(mark),
            None => None,
        };
        Attached {
            id: Some(self.id.as_str()),
            call,
            labels: self.labels.as_deref(),
            signals: self.signals,
        }
    }
}

impl Gateway {
    /// Begins the call that a judgement allows; it becomes a refusal if the limits refuse it.
    pub(super) fn begin(
        &self,
        judgement: &mut Judgement<'_>,
        request: Option<&Request<'_>>,
        now: Now,
    ) -> Begin {
        let id = self.decide.ids.next();
        let mut call = None;
        if matches!(judgement.verdict, Verdict::Allow { .. }) {
            match self.begin_call(judgement, request, &id, now) {
                Ok(mark) => call = mark,
                Err(refusal) => judgement.verdict = refusal,
            }
        }
        let signals = self.signals_of(judgement, request, now);
        let labels = self.decide.labels_of(judgement);
        Begin { id, call, labels, signals }
    }

    fn begin_call(
        &self,
        judgement: &Judgement<'_>,
        request: Option<&Request<'_>>,
        id: &RequestId,
        now: Now,
    ) -> Result<Option<CallMark>, Verdict<'static>> {
        let Judgement { token: Some(token), target: Some(target), role: Some(role), .. } =
            judgement
        else {
            return Err(Reason::Internal.into());
        };
        let asked = judgement.answer;
        let answer = match (target.route.is_metered(), asked.is_streamed) {
            (false, _) => AnswerShape::Unmetered,
            (true, true) => AnswerShape::Streamed,
            (true, false) => AnswerShape::Whole,
        };
        // The body's cap is one for all answers; the role's number is of one answer.
        let reserve_tokens = self.calls.limits.reserve_tokens(role.place);
        let output =
            asked.output_cap.unwrap_or_else(|| reserve_tokens.saturating_mul(asked.count.max(1)));
        let pattern = role.may.pattern_of(target.model.map(|model| (model.publisher, model.name)));
        let begun = Begun {
            role: role.place,
            pattern,
            principal: token.digest,
            id: *id.as_bytes(),
            prompt: Prompt {
                bytes: request.and_then(|request| request.body_bytes()),
                media_bytes: asked.media.bytes,
                media_tokens: asked.media.tokens,
            },
            output,
            answer,
            answers: asked.count,
            is_free: target.route.is_free(),
            generates: target.route.tokens == Tokens::Generated,
            reservation: None,
            at: now.mono,
        };
        let call = self.calls.begin(begun, || model_of(target), now);
        if matches!(call, Ok(None)) {
            self.admin.counters.request(role.place, pattern);
        }
        call.map_err(Verdict::Exhausted)
    }

    /// What is unusual about a request that was decided on; nothing of one whose caller is not
    /// known, or that is to be decided on later.
    fn signals_of(
        &self,
        judgement: &Judgement<'_>,
        request: Option<&Request<'_>>,
        now: Now,
    ) -> Signals {
        let Judgement { verdict, token, target, .. } = judgement;
        let (Some(token), Some(request), true) = (token, request, verdict.is_final()) else {
            return Signals::NONE;
        };
        let model = target.as_ref().map(model_of).unwrap_or_default();
        let seen = Seen {
            is_allowed: verdict.reason().is_none(),
            model: Some(model.as_str()).filter(|model| !model.is_empty()),
            location: target.as_ref().map_or("", |target| target.location),
            network: request.address,
            client: request.user_agent,
            body_bytes: request.body_bytes(),
        };
        let signals = self.calls.watch.request(token.digest, &seen, now);
        self.admin.counters.signals(signals);
        signals
    }
}

/// `publisher/model`, or nothing.
fn model_of(target: &Target<'_>) -> String {
    target.model.map(|model| format!("{}/{}", model.publisher, model.name)).unwrap_or_default()
}
