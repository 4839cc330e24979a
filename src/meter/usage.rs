//! The token usage of an answer, in one shape for every API.

use crate::meter::log_text::LogText;
use crate::meter::traffic_type::TrafficType;

/// The token usage that an answer reports. A count that it does not report is absent, not zero.
///
/// The APIs count differently; here `input + tool_use + output + thought` is everything, and
/// `cached` and `cache_write` are parts of `input`:
///
/// | | `input` | `output` | `thought` |
/// |---|---|---|---|
/// | Gemini `usageMetadata` | `promptTokenCount` (holds what was cached) | `candidatesTokenCount` | `thoughtsTokenCount` |
/// | OpenAI, Chat Completions and Responses | `prompt_tokens`, `input_tokens` | `completion_tokens`, `output_tokens` | `reasoning_tokens`: beside the output if the total leaves room for both, else taken out of it |
/// | Claude | `input_tokens` + cache reads + cache writes, of all `iterations` where they are listed | `output_tokens` | `thinking_tokens`, taken out of the output |
/// | Interactions | `total_input_tokens` | `total_output_tokens` | `total_thought_tokens` |
/// | embeddings by `predict` | the sum of `statistics.token_count` | | |
/// | `countTokens` of either vendor | what was counted, with no `total` as nothing was generated | | |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, those that were cached and those written to a cache included,
    /// those of the results of Google's own tools (`tool_use`) not.
    pub input: Option<u64>,
    /// Tokens of the visible answer, without thoughts where the API tells them apart.
    pub output: Option<u64>,
    /// Tokens of `input` that came from a cache.
    pub cached: Option<u64>,
    /// Tokens of `input` that were written to a cache.
    pub cache_write: Option<u64>,
    /// Tokens of thoughts.
    pub thought: Option<u64>,
    /// Tokens of the results of tools, beside `input` (Gemini's `toolUsePromptTokenCount`).
    pub tool_use: Option<u64>,
    /// All tokens: what the API says, and never less than the sum of the others.
    pub total: Option<u64>,
    /// Images of an answer: Imagen's predictions, Gemini's inline parts.
    pub images: Option<u64>,
    /// Why the model stopped, as the API reports it for the last candidate. An integer of Google's
    /// enum is written as its name.
    pub finish: Option<LogText>,
    /// Why the prompt was blocked (`promptFeedback.blockReason`).
    pub block: Option<LogText>,
    /// The answer's id.
    pub response_id: Option<LogText>,
    /// The model that answered, by its own name.
    pub model_version: Option<LogText>,
    /// Which quota it took (`trafficType`).
    pub traffic: Option<TrafficType>,
    /// The error in the body: the name of a google.rpc code, else the type or code of the vendor's
    /// error, else `UNKNOWN`.
    pub error: Option<LogText>,
    /// Number of pieces of the answer with generated content. Each is at least one token, so this
    /// is a lower bound if the end is missing.
    pub parts: u64,
    /// Whether the end was read, and everything before it was readable: a complete JSON value, a
    /// stream's last event. An error ends a stream too.
    pub is_complete: bool,
    /// The quality of the counts as the API reported them; whoever adds counts of their own does
    /// not change it.
    pub counted: Counted,
}

/// The quality of the counts of a [`Usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// The counts are the API's final ones.
    Exact,
    /// The counts, and `parts` as output, are lower bounds: the stream broke off, ended in an
    /// error, held something unreadable, or reported no counts for all of its content.
    AtLeast,
    /// Nothing is known: the answer broke off before it reported or held anything.
    #[default]
    Unknown,
    /// There is nothing to count: a complete answer without content and counts, such as an error
    /// or a blocked prompt.
    Nothing,
}

impl Counted {
    /// Every quality.
    pub const ALL: [Self; 4] = [Self::Exact, Self::AtLeast, Self::Unknown, Self::Nothing];

    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::AtLeast => "at_least",
            Self::Unknown => "unknown",
            Self::Nothing => "none",
        }
    }
}

impl Usage {
    /// The quality of counts that are all the API's own. `is_last_word` tells that they are those
    /// of the whole answer.
    pub(super) fn judged(&self, is_last_word: bool) -> Counted {
        // Images among text belong to an answer with token counts; Imagen reports no tokens.
        let says_tokens = self.input.is_some() || self.output.is_some() || self.total.is_some();
        let is_counted = says_tokens || (self.images.is_some() && self.parts == 0);
        let is_exact = self.is_complete && self.error.is_none() && is_last_word;
        match (is_counted, self.is_complete) {
            (true, _) if is_exact && self.says_what_was_generated() => Counted::Exact,
            (true, _) => Counted::AtLeast,
            _ if self.parts > 0 => Counted::AtLeast,
            (false, true) => Counted::Nothing,
            (false, false) => Counted::Unknown,
        }
    }

    /// Whether the counts cover the answer's content, and not only the prompt.
    fn says_what_was_generated(&self) -> bool {
        let all = [self.input, self.tool_use].into_iter().flatten().fold(0, u64::saturating_add);
        let generated = [self.output, self.total.map(|total| total.saturating_sub(all))];
        self.parts == 0 || generated.into_iter().flatten().any(|tokens| tokens > 0)
    }
}
