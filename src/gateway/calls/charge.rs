//! Computes what an ended call costs its limits: the tokens that its answer reports or, if it
//! reports none, at least as many as it may have taken.

use crate::gateway::calls::table::{AnswerShape, Call};
use crate::limits;
use crate::meter::{Counted, Usage};

/// The outcome of a call, as far as its cost depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::gateway) struct Outcome {
    /// The status that Google answered with.
    pub(in crate::gateway) upstream: Option<u16>,
    /// Whether Google may have received the call.
    pub(in crate::gateway) may_have_arrived: bool,
    /// Bytes received from the caller, headers included.
    pub(in crate::gateway) uploaded: Option<u64>,
}

impl Outcome {
    fn is_refused(self) -> bool {
        self.upstream.is_some_and(|status| status >= 400)
    }

    /// Whether Google refused the call because the model or another name in it does not exist.
    pub(in crate::gateway) fn names_nothing(self) -> bool {
        matches!(self.upstream, Some(400 | 403 | 404))
    }
}

/// What is known of the answer: what it said in one piece, else what was read as it passed.
pub(in crate::gateway) fn usage_of(call: &Call, outcome: Outcome) -> Usage {
    let has_tokens = call.begun.answer != AnswerShape::Unmetered
        && outcome.may_have_arrived
        && !outcome.is_refused();
    let whole = call.whole.map(|usage| Usage { is_complete: true, ..usage });
    let read = || call.reader.as_ref().map(|reader| reader.usage());
    let mut usage = whole.or_else(read).unwrap_or_else(|| match has_tokens {
        true => Usage::default(),
        false => Usage { is_complete: true, counted: Counted::Nothing, ..Usage::default() },
    });
    // A model's answer reports its tokens, or why there are none; anything else is of an unknown
    // shape.
    let is_explained = usage.block.is_some() || usage.error.is_some();
    if usage.counted == Counted::Nothing && has_tokens && call.begun.generates && !is_explained {
        (usage.counted, usage.is_complete) = (Counted::Unknown, false);
    }
    if usage.counted == Counted::AtLeast {
        at_least(&mut usage);
    }
    usage
}

/// Marks the counts as lower bounds: each piece of an answer is at least one token.
fn at_least(usage: &mut Usage) {
    let seen = usage.parts.saturating_sub(usage.thought.unwrap_or(0));
    usage.output = Some(usage.output.unwrap_or(0).max(seen));
    let known = [usage.input, usage.output, usage.thought, usage.tool_use];
    let sum = known.into_iter().flatten().fold(0, u64::saturating_add);
    usage.total = Some(usage.total.unwrap_or(0).max(sum));
}

/// Tokens that a call costs its limits.
pub(in crate::gateway) fn charge(call: &Call, outcome: Outcome, usage: &Usage) -> u64 {
    let is_unmetered = call.begun.answer == AnswerShape::Unmetered;
    if call.begun.is_free || is_unmetered || outcome.is_refused() || !outcome.may_have_arrived {
        return 0;
    }
    match usage.counted {
        Counted::Exact => usage.total.unwrap_or(0),
        Counted::AtLeast | Counted::Unknown => at_the_least(call, outcome, usage.total),
        // A blocked prompt: Google does not report the tokens of reading it.
        Counted::Nothing => call.begun.prompt.tokens(outcome.uploaded),
    }
}

/// Tokens that a call without final counts costs: its whole estimate, as thoughts do not show in
/// the text; more if `known` or the text that came is more.
pub(in crate::gateway) fn at_the_least(call: &Call, outcome: Outcome, known: Option<u64>) -> u64 {
    let said = call.reader.as_ref().and_then(|reader| reader.total());
    let bytes = call.reader.as_ref().map_or(0, |reader| reader.generated_bytes());
    let output = call.begun.output.max(limits::tokens_in(bytes));
    let may_have_taken = call.begun.prompt.tokens(outcome.uploaded).saturating_add(output);
    let known = [known, said].into_iter().flatten();
    known.fold(call.begun.estimate().max(may_have_taken), u64::max)
}
