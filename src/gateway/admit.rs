//! From an allow to a call: what it may take is reserved, and it is followed until its log line.

use crate::gateway::Gateway;
use crate::gateway::audit::Facts;
use crate::gateway::calls::{Answer, Begun, CallMark};
use crate::gateway::verdict::Verdict;
use crate::meter::Framing;
use crate::time::Now;

impl Gateway {
    /// Begins the call that a verdict allows; any other verdict stays as it is.
    pub(super) fn admit<'v>(
        &self,
        verdict: Verdict<'v>,
        facts: &Facts<'_>,
        now: Now,
    ) -> Verdict<'v> {
        let Verdict::Allow { target, host, handle, .. } = verdict else {
            return verdict;
        };
        let prompt_bytes = facts.request.and_then(|request| request.body_bytes());
        let model = target.model.map(|model| (model.publisher, model.name));
        let answer = match () {
            () if !target.route.is_metered() => Answer::Unmetered,
            () if facts.is_streamed => Answer::Streamed,
            () => Answer::Whole,
        };
        let begun = Begun {
            role: facts.role_number,
            pattern: facts.role.zip(model).and_then(|(role, model)| role.may.model_pattern(model)),
            prompt_bytes,
            answer,
            is_free: target.route.is_free(),
            prompt_estimate: 0,
            estimate: 0,
            at: now.mono,
        };
        let number = self.calls.begin(begun);
        Verdict::Allow { target, host, handle, call: Some(CallMark { number, answer }) }
    }

    /// The call of a verdict if its answer, of this content type, is one that can be read: from now
    /// on it is, as it passes.
    #[must_use]
    pub fn meter(&self, verdict: &str, content_type: &str) -> Option<u64> {
        let CallMark { number, answer } = CallMark::in_verdict(verdict)?;
        if answer == Answer::Unmetered {
            return None;
        }
        let framing = Framing::of(content_type)?;
        self.calls.read(number, framing).then_some(number)
    }

    /// A piece of the answer to such a call.
    pub fn feed(&self, call: u64, piece: &[u8], now: Now) {
        self.calls.feed(call, piece, now.mono);
    }
}
