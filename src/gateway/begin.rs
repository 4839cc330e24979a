//! Turns an allow into a call: reserves what it may take in its limits, and follows it until its
//! log line.

use crate::error::Reason;
use crate::gateway::calls::table::{AnswerShape, Begun, CallMark, MarkText};
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::reply::Attached;
use crate::gateway::decide::request::Request;
use crate::gateway::decide::request_id::RequestId;
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::{Gateway, tail_of};
use crate::google::Signer;
use crate::limits::Prompt;
use crate::time::Now;
use crate::vertex::{Model, ModelText, Tokens};
use crate::watch::{Seen, Signals};

/// A judged request; its call has begun if it is allowed.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) id: RequestId,
    /// `None` if the request is not allowed, or if nobody reports its end.
    pub(super) call: Option<CallMark>,
    mark: Option<MarkText>,
    labels: Option<String>,
    pub(super) signals: Signals,
}

impl Begin {
    /// The parts of the verdict's text that do not follow from the judgement.
    pub(super) fn attached(&self) -> Attached<'_> {
        Attached {
            id: Some(self.id.as_str()),
            call: self.mark.as_ref().map(MarkText::as_str),
            labels: self.labels.as_deref(),
            signals: self.signals,
        }
    }
}

impl Gateway {
    /// Begins the call that a judgement allows. The verdict becomes a refusal if a limit is
    /// exhausted.
    pub(super) fn begin(
        &self,
        judgement: &mut Judgement<'_>,
        request: Option<&Request<'_>>,
        now: Now,
    ) -> Begin {
        let id = self.decide.ids.next();
        let mut call = None;
        if let Verdict::Allow(signer) = judgement.verdict
            && !judgement.awaits_body
        {
            match self.begin_call(judgement, request, (&id, signer), None, now) {
                Ok(mark) => call = mark,
                Err(refusal) => judgement.verdict = refusal,
            }
        }
        let signals = self.signals_of(judgement, request, now);
        let labels = self.decide.labels_of(judgement);
        let mark = match (judgement.awaits_body, request) {
            (true, Some(request)) => self.begin_upload(judgement, request, (id, signals), now),
            _ => call.map(CallMark::text),
        };
        Begin { id, call, mark, labels, signals }
    }

    /// Begins the call of an allow; under `number`, if the request has one already.
    pub(super) fn begin_call(
        &self,
        judgement: &Judgement<'_>,
        request: Option<&Request<'_>>,
        (id, signer): (&RequestId, Signer<'_>),
        number: Option<u64>,
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
        // The body's cap covers all answers; the role's number is for a single one.
        let reserve_tokens = self.calls.limits.reserve_tokens(role.place);
        let output =
            asked.output_cap.unwrap_or_else(|| reserve_tokens.saturating_mul(asked.count.max(1)));
        let pattern = role.may.pattern_of(target.model.map(|model| (model.publisher, model.name)));
        let begun = Begun {
            role: role.place,
            pattern,
            principal: token.digest,
            id: *id.as_bytes(),
            bearer: signer.number(),
            tail: if self.calls.accounts { tail_of(judgement, request) } else { String::new() },
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
        let call = self.calls.begin(begun, number, target.model.map(Model::text), now);
        if matches!(call, Ok(None)) {
            self.admin.counters.request(role.place, pattern);
        }
        call.map_err(Verdict::Exhausted)
    }

    /// The signs of misuse in a judged request; none if its caller is unknown or if it will be
    /// judged again.
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
        let model = target.as_ref().and_then(|target| target.model).map(Model::text);
        let seen = Seen {
            is_allowed: verdict.reason().is_none(),
            model: model.as_ref().map(ModelText::as_str),
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
