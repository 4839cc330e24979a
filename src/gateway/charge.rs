//! What a call that has ended costs its limits: what its answer says or, where it does not, no less
//! than was expected.

use crate::gateway::calls::{Answer, Begun, Call};
use crate::limits;
use crate::meter::{Counted, Usage};

/// What came of a call, as far as its cost goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// The status that Google answered with.
    pub(super) upstream: Option<u16>,
    /// Whether Google can have seen the call.
    pub(super) may_have_arrived: bool,
}

/// What is known of the answer: `whole`, if it was read in one piece, else what was read as it
/// passed.
pub(super) fn usage_of(call: &Call, outcome: Outcome, whole: Option<Usage>) -> Usage {
    let read = || call.reader.as_ref().map(|reader| reader.usage());
    let has_tokens = call.begun.answer != Answer::Unmetered
        && outcome.may_have_arrived
        && outcome.upstream.is_none_or(|status| status < 400);
    let usage = whole.or_else(read);
    let mut usage = usage.unwrap_or_else(|| Usage { is_complete: !has_tokens, ..Usage::default() });
    // A model that answers says what that took, or why it did not answer. Anything else is none of
    // the shapes that are known.
    let is_explained = usage.block.is_some() || usage.error.is_some();
    if usage.quality() == Counted::Nothing && has_tokens && call.begun.generates && !is_explained {
        usage.is_complete = false;
    }
    if usage.quality() == Counted::AtLeast {
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
pub(super) fn charge(call: &Call, outcome: Outcome, usage: &Usage) -> u64 {
    let Begun { answer, prompt_bytes, is_free, .. } = call.begun;
    let is_refused = outcome.upstream.is_some_and(|status| status >= 400);
    let is_unmetered = answer == Answer::Unmetered;
    if is_free || is_refused || is_unmetered || !outcome.may_have_arrived {
        return 0;
    }
    match usage.quality() {
        Counted::Exact => usage.total.unwrap_or(0),
        Counted::AtLeast | Counted::Unknown => at_the_least(call, usage.total),
        // A prompt that was blocked: Google says nothing of what reading it took.
        Counted::Nothing => limits::estimate(prompt_bytes, Some(0), 0),
    }
}

/// What a call costs whose counts never came: no less than was expected, than is known, and than the
/// text that came makes.
pub(super) fn at_the_least(call: &Call, known: Option<u64>) -> u64 {
    let bytes = call.reader.as_ref().map_or(0, |reader| reader.generated_bytes());
    let written = limits::estimate(call.begun.prompt_bytes, Some(limits::tokens_in(bytes)), 0);
    call.begun.estimate.max(known.unwrap_or(0)).max(written)
}
