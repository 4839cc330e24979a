//! Limits on output tokens. Each API looks for its own in one place, and some ignore what they do
//! not know: a limit that stands elsewhere limits nothing.

/// Where a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitPlace {
    /// `generationConfig.maxOutputTokens`, in either spelling (ProtoJSON).
    GenerationConfig,
    /// `max_tokens` at the top.
    MaxTokens,
    /// `max_completion_tokens` at the top.
    MaxCompletionTokens,
    /// `max_output_tokens` at the top.
    MaxOutputTokens,
    /// Where no API with a route looks, or in a spelling that none takes.
    Elsewhere,
}

impl LimitPlace {
    /// The place of a member at the top; `name` is folded.
    pub(super) fn at_top(name: &str) -> Option<Self> {
        match name {
            "maxtokens" => Some(Self::MaxTokens),
            "maxcompletiontokens" => Some(Self::MaxCompletionTokens),
            "maxoutputtokens" => Some(Self::MaxOutputTokens),
            "maxtokenstosample" => Some(Self::Elsewhere),
            _ => None,
        }
    }

    /// The place, if the member is spelled as it must be there.
    pub(super) fn spelled(self, name: &str) -> Self {
        let fits = match self {
            Self::GenerationConfig => matches!(name, "maxOutputTokens" | "max_output_tokens"),
            Self::MaxTokens => name == "max_tokens",
            Self::MaxCompletionTokens => name == "max_completion_tokens",
            Self::MaxOutputTokens => name == "max_output_tokens",
            Self::Elsewhere => true,
        };
        if fits { self } else { Self::Elsewhere }
    }
}

/// The places where a method looks; none where no answer has tokens to limit.
pub(in crate::vertex) fn heeded(method: &str) -> &'static [LimitPlace] {
    match method {
        "generateContent" | "streamGenerateContent" | "stateful/interactions.create" => {
            &[LimitPlace::GenerationConfig]
        }
        "chat.completions" => &[LimitPlace::MaxTokens, LimitPlace::MaxCompletionTokens],
        "openapi.completions" | "rawPredict" | "streamRawPredict" => &[LimitPlace::MaxTokens],
        "stateful/responses.create" => &[LimitPlace::MaxOutputTokens],
        _ => &[],
    }
}
