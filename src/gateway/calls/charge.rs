//! What a call that has ended costs its limits: what its answer says or, where it does not, no less
//! than it may have taken.

use crate::gateway::calls::table::{AnswerShape, Call};
use crate::limits;
use crate::meter::{Counted, Usage};

/// What came of a call, as far as its cost goes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::gateway) struct Outcome {
    /// The status that Google answered with.
    pub(in crate::gateway) upstream: Option<u16>,
    /// Whether Google can have seen the call.
    pub(in crate::gateway) may_have_arrived: bool,
    /// The bytes that came from the caller, headers included.
    pub(in crate::gateway) uploaded: Option<u64>,
}

impl Outcome {
    fn is_refused(self) -> bool {
        self.upstream.is_some_and(|status| status >= 400)
    }

    /// Whether Google did not take the call for what it names: a model that is not there is answered
    /// so.
    pub(in crate::gateway) fn names_nothing(self) -> bool {
        matches!(self.upstream, Some(400 | 403 | 404))
    }
}

/// What is known of the answer: `whole`, if it was read in one piece, else what was read as it
/// passed.
pub(in crate::gateway) fn usage_of(call: &Call, outcome: Outcome, whole: Option<Usage>) -> Usage {
    let has_tokens = call.begun.answer != AnswerShape::Unmetered
        && outcome.may_have_arrived
        && !outcome.is_refused();
    let whole = whole.map(|usage| Usage { is_complete: true, ..usage });
    let read = || call.reader.as_ref().map(|reader| reader.usage());
    let mut usage = whole.or_else(read).unwrap_or_else(|| match has_tokens {
        true => Usage::default(),
        false => Usage { is_complete: true, counted: Counted::Nothing, ..Usage::default() },
    });
    // A model that answers says what that took, or why it did not answer. Anything else is none of
    // the shapes that are known.
    let is_explained = usage.block.is_some() || usage.error.is_some();
    if usage.counted == Counted::Nothing && has_tokens && call.begun.generates && !is_explained {
        (usage.counted, usage.is_complete) = (Counted::Unknown, false);
    }
    if usage.counted == Counted::AtLeast {
        at_least(&mut usage);
    }
    usage
}

/// Each piece of an answer was a token or more.
fn at_least(usage: &mut Usage) {
    let seen = usage.parts.saturating_sub(usage.thought.unwrap_or(0));
    usage.output = Some(usage.output.unwrap_or(0).max(seen));
    let known = [usage.input, usage.output, usage.thought, usage.tool_use];
    let sum = known.into_iter().flatten().fold(0, u64::saturating_add);
    usage.total = Some(usage.total.unwrap_or(0).max(sum));
}

/// The tokens that a call costs its limits.
pub(in crate::gateway) fn charge(call: &Call, outcome: Outcome, usage: &Usage) -> u64 {
    let is_unmetered = call.begun.answer == AnswerShape::Unmetered;
    if call.begun.is_free || is_unmetered || outcome.is_refused() || !outcome.may_have_arrived {
        return 0;
    }
    match usage.counted {
        Counted::Exact => usage.total.unwrap_or(0),
        Counted::AtLeast | Counted::Unknown => at_the_least(call, outcome, usage.total),
        // A prompt that was blocked: Google says nothing of what reading it took.
        Counted::Nothing => call.begun.prompt.tokens(outcome.uploaded),
    }
}

/// What a call costs whose counts never came: all that it may have taken, as what a model thinks is
/// not seen in its text; or more, if more is known or came.
pub(in crate::gateway) fn at_the_least(call: &Call, outcome: Outcome, known: Option<u64>) -> u64 {
    let said = call.reader.as_ref().and_then(|reader| reader.total());
    let bytes = call.reader.as_ref().map_or(0, |reader| reader.generated_bytes());
    let output = call.begun.output.max(limits::tokens_in(bytes));
    let may_have_taken = call.begun.prompt.tokens(outcome.uploaded).saturating_add(output);
    let known = [known, said].into_iter().flatten();
    known.fold(call.begun.estimate().max(may_have_taken), u64::max)
}
