//! Members that limit output tokens. Each API reads its own at one place, and some ignore unknown
//! members: a limit at another place limits nothing.

/// The place of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapMember {
    /// `generationConfig.maxOutputTokens`, in either spelling (ProtoJSON).
    GenerationConfig,
    /// `max_tokens` at the top.
    MaxTokens,
    /// `max_completion_tokens` at the top.
    MaxCompletionTokens,
    /// `max_output_tokens` at the top.
    MaxOutputTokens,
    /// Where no API with a route reads it, or in a spelling that none takes.
    Elsewhere,
}

impl CapMember {
    /// The places that an API reads.
    const LOOKED_FOR: [Self; 4] =
        [Self::GenerationConfig, Self::MaxTokens, Self::MaxCompletionTokens, Self::MaxOutputTokens];

    /// The member as `routes.txt` writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenerationConfig => "generationConfig.maxOutputTokens",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::Elsewhere => "-",
        }
    }

    /// The member that `routes.txt` writes like this.
    pub(in crate::vertex) fn of_column(text: &str) -> Option<Self> {
        Self::LOOKED_FOR.into_iter().find(|member| member.name() == text)
    }

    /// The place of a top-level member; `name` is folded.
    pub(super) fn at_top(name: &str) -> Option<Self> {
        match name {
            "maxtokens" => Some(Self::MaxTokens),
            "maxcompletiontokens" => Some(Self::MaxCompletionTokens),
            "maxoutputtokens" => Some(Self::MaxOutputTokens),
            "maxtokenstosample" => Some(Self::Elsewhere),
            _ => None,
        }
    }

    /// The place, or `Elsewhere` if the member is not spelled as it must be there.
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
