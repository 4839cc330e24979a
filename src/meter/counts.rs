//! Token counts as the APIs report them, and their conversion to one shape.

use crate::meter::usage::Usage;

/// A count in a usage object, by its relation to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// `promptTokenCount`, `prompt_tokens`, `input_tokens`, `total_input_tokens`
    Input,
    /// `candidatesTokenCount`, `completion_tokens`, `output_tokens`, `total_output_tokens`
    Output,
    /// Part of the input, read from a cache: Google, OpenAI.
    Cached,
    /// Part of the input, written to a cache: OpenAI.
    CacheWritten,
    /// Beside the input, read from a cache: Claude.
    CacheRead,
    /// Beside the input, written to a cache: Claude.
    CacheCreation,
    /// Beside the output: Google's own APIs.
    Thought,
    /// Part of the output, or beside it: `reasoning_tokens`, `thinking_tokens`.
    Reasoning,
    /// Beside the input: Google's own APIs.
    ToolUse,
    /// All of them.
    Total,
}

impl Count {
    /// The count that a member of a usage object reports.
    pub(super) const fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"promptTokenCount"
            | b"prompt_tokens"
            | b"input_tokens"
            | b"totalInputTokens"
            | b"total_input_tokens" => Self::Input,
            b"candidatesTokenCount"
            | b"responseTokenCount"
            | b"completion_tokens"
            | b"output_tokens"
            | b"totalOutputTokens"
            | b"total_output_tokens" => Self::Output,
            b"cachedContentTokenCount" | b"totalCachedTokens" | b"total_cached_tokens" => {
                Self::Cached
            }
            b"cache_read_input_tokens" => Self::CacheRead,
            b"cache_creation_input_tokens" => Self::CacheCreation,
            b"thoughtsTokenCount" | b"totalThoughtTokens" | b"total_thought_tokens" => {
                Self::Thought
            }
            b"toolUsePromptTokenCount" | b"totalToolUseTokens" | b"total_tool_use_tokens" => {
                Self::ToolUse
            }
            b"totalTokenCount" | b"total_tokens" | b"totalTokens" => Self::Total,
            _ => return None,
        })
    }
}

/// The counts of one usage object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    cache_written: Option<u64>,
    cache_read: Option<u64>,
    cache_creation: Option<u64>,
    thought: Option<u64>,
    reasoning: Option<u64>,
    tool_use: Option<u64>,
    total: Option<u64>,
    /// The sums of Claude's `iterations`, which hold more than the members beside them: "a
    /// compaction entry's tokens are not included in the top-level usage fields" (Claude API,
    /// `usage.iterations`).
    iterations: Option<Iteration>,
    /// Whether a count was reported that is not a valid number.
    has_nonsense: bool,
}

/// One of Claude's `iterations`, or the sum of several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Iteration {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_creation: u64,
}

impl Iteration {
    /// Sets a count; ignores those that an iteration does not have.
    pub(super) const fn set(&mut self, count: Count, value: Option<u64>) {
        let place = match count {
            Count::Input => &mut self.input,
            Count::Output => &mut self.output,
            Count::CacheRead => &mut self.cache_read,
            Count::CacheCreation => &mut self.cache_creation,
            _ => return,
        };
        *place = match value {
            Some(value) => value,
            None => 0,
        };
    }
}

impl Counts {
    /// Sets a count.
    pub(super) const fn set(&mut self, count: Count, value: Option<u64>) {
        *match count {
            Count::Input => &mut self.input,
            Count::Output => &mut self.output,
            Count::Cached => &mut self.cached,
            Count::CacheWritten => &mut self.cache_written,
            Count::CacheRead => &mut self.cache_read,
            Count::CacheCreation => &mut self.cache_creation,
            Count::Thought => &mut self.thought,
            Count::Reasoning => &mut self.reasoning,
            Count::ToolUse => &mut self.tool_use,
            Count::Total => &mut self.total,
        } = value;
    }

    /// Sets a reported count; an invalid one puts the others in doubt.
    pub(super) const fn say(&mut self, count: Count, value: Option<u64>) {
        self.set(count, value);
        self.has_nonsense |= value.is_none();
    }

    /// Whether a count was reported that is not a valid number.
    pub(super) const fn has_nonsense(&self) -> bool {
        self.has_nonsense
    }

    /// Whether it reports output, and not only the prompt.
    pub(super) const fn says_output(&self) -> bool {
        self.output.is_some() || self.total.is_some() || self.iterations.is_some()
    }

    /// Forgets the details of the input.
    pub(super) const fn forget_input_details(&mut self) {
        (self.cached, self.cache_written) = (None, None);
    }

    /// Forgets the details of the output.
    pub(super) const fn forget_output_details(&mut self) {
        self.reasoning = None;
    }

    /// Forgets the iterations.
    pub(super) const fn forget_iterations(&mut self) {
        self.iterations = None;
    }

    /// Adds an iteration to the sums.
    pub(super) fn add(&mut self, one: &Iteration) {
        let sum = self.iterations.get_or_insert_default();
        sum.input = sum.input.saturating_add(one.input);
        sum.output = sum.output.saturating_add(one.output);
        sum.cache_read = sum.cache_read.saturating_add(one.cache_read);
        sum.cache_creation = sum.cache_creation.saturating_add(one.cache_creation);
    }

    /// Whether any count is set.
    pub(super) fn is_any(&self) -> bool {
        let Self { input, output, cached, cache_written, cache_read, cache_creation, .. } = self;
        let Self { thought, reasoning, tool_use, total, iterations, .. } = self;
        let beside = [cached, cache_written, cache_read, cache_creation, reasoning, tool_use];
        [input, output, thought, total].into_iter().chain(beside).any(Option::is_some)
            || iterations.is_some()
    }

    /// Merges the counts of a later event. Counts of a stream are cumulative, so nothing is added
    /// up. Counts with a total replace all; of any others, what they leave out stays.
    pub(super) fn update(&mut self, later: &Self) {
        if later.total.is_some() {
            *self = *later;
            return;
        }
        let take = |place: &mut Option<u64>, value: Option<u64>| *place = value.or(*place);
        take(&mut self.input, later.input);
        take(&mut self.output, later.output);
        take(&mut self.cached, later.cached);
        take(&mut self.cache_written, later.cache_written);
        take(&mut self.cache_read, later.cache_read);
        take(&mut self.cache_creation, later.cache_creation);
        take(&mut self.thought, later.thought);
        take(&mut self.reasoning, later.reasoning);
        take(&mut self.tool_use, later.tool_use);
        take(&mut self.total, later.total);
        self.iterations = later.iterations.or(self.iterations);
        self.has_nonsense |= later.has_nonsense;
    }

    /// The counts without those of the output, which are no lower bound while it is written: an API
    /// may count as output what turns out to be a thought.
    pub(super) fn without_output(&self) -> Self {
        let iterations = self.iterations.map(|all| Iteration { output: 0, ..all });
        Self { output: None, iterations, ..*self }
    }

    /// Writes the counts to `usage`, in its one shape.
    pub(super) fn write_to(&self, usage: &mut Usage) {
        (usage.input, usage.output, usage.cached, usage.cache_write) = match self.iterations {
            Some(all) => (
                sum([Some(all.input), Some(all.cache_read), Some(all.cache_creation)]),
                Some(all.output),
                Some(all.cache_read),
                Some(all.cache_creation),
            ),
            None => (
                sum([self.input, self.cache_read, self.cache_creation]),
                self.output,
                self.cached.or(self.cache_read),
                self.cache_written.or(self.cache_creation),
            ),
        };
        usage.thought = self.thought.or(self.reasoning);
        if let (None, Some(reasoning)) = (self.thought, self.reasoning)
            && !self.leaves_room_for(reasoning, usage)
        {
            usage.output = usage.output.map(|output| output.saturating_sub(reasoning));
        }
        usage.tool_use = self.tool_use;
        let parts = sum([usage.input, usage.output, usage.thought, usage.tool_use]);
        usage.total = self.total.max(parts);
    }

    /// Whether the total counts the reasoning beside the output: Gemini on its OpenAI-compatible
    /// endpoint does (27 + 45 + 504 = 576), OpenAI's own API does not.
    fn leaves_room_for(&self, reasoning: u64, usage: &Usage) -> bool {
        match (self.total, usage.input, usage.output) {
            (Some(total), Some(_), Some(_)) => {
                sum([usage.input, usage.output, Some(reasoning)]).is_some_and(|all| total >= all)
            }
            _ => false,
        }
    }
}

/// The sum of the counts that are set.
fn sum<const N: usize>(counts: [Option<u64>; N]) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

/// The largest valid count: JSON readers hold it exactly (RFC 8259 section 6). Metrics add counts
/// up, and must never overflow.
const MAX_COUNT: u64 = 1 << 53;

/// Parses a count in JSON: a whole number that is not negative, `12` or `12.0`. `None` for anything
/// else, or more than [`MAX_COUNT`].
pub(super) fn parse(number: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(number).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let only = |digits: &str, of: fn(&u8) -> bool| digits.as_bytes().iter().all(of);
    let is_whole = only(whole, u8::is_ascii_digit) && !fraction.is_empty();
    let count = (is_whole && only(fraction, |digit| *digit == b'0')).then(|| whole.parse().ok())?;
    count.filter(|count| *count <= MAX_COUNT)
}
