//! Where in an answer a value stands. Only the members named here are read, and only at their own
//! place: what a model writes, and the arguments of a function call, lie elsewhere.

use crate::meter::counts::Count;

/// The deepest place: `[` `{` candidates `[` `{` content `{` parts `[` `{` inlineData `{`.
pub(super) const MAX_DEPTH: usize = 8;

/// The place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing in it is read.
    Skipped,
    /// The whole body, or the data of one event: an answer, or an array of them.
    Top,
    Answers,
    Answer,
    /// `message` of Claude's first event, `response` of OpenAI's, `interaction` of Google's.
    Resource,

    /// A usage object.
    Usage,
    InputDetails,
    OutputDetails,
    Counted(Count),
    Iterations,
    Iteration,
    CountedOf(Count),
    /// `metadata` of an Interactions event, which holds `total_usage`.
    Metadata,
    /// The answer of `countTokens`.
    CountTokens,

    Predictions,
    Prediction,
    Embeddings,
    Statistics,
    TokenCount,
    /// `bytesBase64Encoded` or `gcsUri` of a prediction.
    Media,
    MediaType,

    Candidates,
    Candidate,
    CandidateIndex,
    FinishReason,
    Content,
    Parts,
    Part,
    InlineData,
    InlineType,

    Choices,
    Choice,
    /// `message` or `delta` of a choice.
    Message,
    /// `delta` of an event: an object or, in OpenAI's Responses API, a string.
    Delta,
    /// Something that was generated: a text, an object, an array of either.
    Generated,
    GeneratedItem,

    EventType,
    EventCode,
    /// `status` of a response or an interaction, which says why it ended if nothing else does.
    Status,
    StopReason,
    IncompleteDetails,
    PromptFeedback,
    BlockReason,
    Id,
    RequestId,
    Model,

    Error,
    ErrorStatus,
    ErrorType,
    ErrorCode,
}

impl Place {
    /// The place of an object's member, `name` being unescaped.
    pub(super) fn member(self, name: &[u8]) -> Self {
        match self {
            Self::Answer => answer(name),
            Self::Resource => resource(name),
            Self::Usage => Count::named(name).map_or_else(|| usage_part(name), Self::Counted),
            Self::Iteration => Count::named(name).map_or(Self::Skipped, Self::CountedOf),
            Self::Candidate | Self::Content | Self::Part | Self::InlineData => gemini(self, name),
            Self::Choice | Self::Message | Self::Delta => generated(self, name),
            Self::Predictions | Self::Prediction | Self::Embeddings | Self::Statistics => {
                prediction(self, name)
            }
            _ => small(self, name),
        }
    }

    /// The place of an array's elements.
    pub(super) const fn element(self) -> Self {
        match self {
            Self::Answers => Self::Answer,
            Self::Iterations => Self::Iteration,
            Self::Predictions => Self::Prediction,
            Self::Candidates => Self::Candidate,
            Self::Parts => Self::Part,
            Self::Choices => Self::Choice,
            Self::Generated => Self::GeneratedItem,
            _ => Self::Skipped,
        }
    }

    /// The place as which an object here is read on.
    pub(super) const fn as_object(self) -> Self {
        match self {
            Self::Top => Self::Answer,
            Self::Answer
            | Self::Resource
            | Self::Usage
            | Self::InputDetails
            | Self::OutputDetails
            | Self::Iteration
            | Self::Metadata
            | Self::Prediction
            | Self::Embeddings
            | Self::Statistics
            | Self::Candidate
            | Self::Content
            | Self::Part
            | Self::InlineData
            | Self::Choice
            | Self::Message
            | Self::Delta
            | Self::IncompleteDetails
            | Self::PromptFeedback
            | Self::Error => self,
            _ => Self::Skipped,
        }
    }

    /// The place as which an array here is read on.
    pub(super) const fn as_array(self) -> Self {
        match self {
            Self::Top => Self::Answers,
            Self::Iterations
            | Self::Predictions
            | Self::Candidates
            | Self::Parts
            | Self::Choices
            | Self::Generated => self,
            _ => Self::Skipped,
        }
    }

    /// Whether a string or a number here is read.
    pub(super) const fn is_read(self) -> bool {
        matches!(
            self,
            Self::Counted(_)
                | Self::CountedOf(_)
                | Self::CountTokens
                | Self::TokenCount
                | Self::MediaType
                | Self::CandidateIndex
                | Self::FinishReason
                | Self::InlineType
                | Self::EventType
                | Self::EventCode
                | Self::Status
                | Self::StopReason
                | Self::BlockReason
                | Self::Id
                | Self::RequestId
                | Self::Model
                | Self::ErrorStatus
                | Self::ErrorType
                | Self::ErrorCode
        )
    }
}

fn answer(name: &[u8]) -> Place {
    match name {
        b"usageMetadata" | b"usage" => Place::Usage,
        b"metadata" => Place::Metadata,
        b"totalTokens" | b"input_tokens" => Place::CountTokens,
        b"candidates" => Place::Candidates,
        b"choices" => Place::Choices,
        b"predictions" | b"embeddings" | b"responses" => Place::Predictions,
        b"delta" => Place::Delta,
        b"message" | b"response" | b"interaction" => Place::Resource,
        b"content" | b"output" | b"steps" => Place::Generated,
        b"promptFeedback" => Place::PromptFeedback,
        b"type" | b"event_type" => Place::EventType,
        b"code" => Place::EventCode,
        b"request_id" => Place::RequestId,
        _ => resource(name),
    }
}

fn resource(name: &[u8]) -> Place {
    match name {
        b"usage" => Place::Usage,
        b"responseId" | b"id" => Place::Id,
        b"modelVersion" | b"model" => Place::Model,
        b"status" => Place::Status,
        b"stop_reason" => Place::StopReason,
        b"incomplete_details" => Place::IncompleteDetails,
        b"error" => Place::Error,
        _ => Place::Skipped,
    }
}

fn usage_part(name: &[u8]) -> Place {
    match name {
        b"prompt_tokens_details" | b"input_tokens_details" => Place::InputDetails,
        b"completion_tokens_details" | b"output_tokens_details" => Place::OutputDetails,
        b"iterations" => Place::Iterations,
        _ => Place::Skipped,
    }
}

fn gemini(place: Place, name: &[u8]) -> Place {
    match (place, name) {
        (Place::Candidate, b"content") => Place::Content,
        (Place::Candidate, b"finishReason") => Place::FinishReason,
        (Place::Candidate, b"index") => Place::CandidateIndex,
        (Place::Content, b"parts") => Place::Parts,
        (Place::Part, b"text" | b"functionCall" | b"executableCode") => Place::Generated,
        (Place::Part, b"inlineData") => Place::InlineData,
        (Place::InlineData, b"mimeType") => Place::InlineType,
        _ => Place::Skipped,
    }
}

fn generated(place: Place, name: &[u8]) -> Place {
    match (place, name) {
        (Place::Choice, b"message" | b"delta") => Place::Message,
        (Place::Choice, b"finish_reason") | (Place::Delta, b"stop_reason") => Place::StopReason,
        (Place::Choice, b"text")
        | (
            Place::Message,
            b"content" | b"reasoning_content" | b"reasoning" | b"refusal" | b"tool_calls"
            | b"function_call",
        )
        | (
            Place::Delta,
            b"text" | b"thinking" | b"partial_json" | b"content" | b"arguments" | b"data",
        ) => Place::Generated,
        _ => Place::Skipped,
    }
}

fn prediction(place: Place, name: &[u8]) -> Place {
    match (place, name) {
        (Place::Prediction, b"embeddings") => Place::Embeddings,
        // Of `batchEmbedContents`, if not of the whole answer.
        (Place::Prediction, b"statistics" | b"usageMetadata") => Place::Statistics,
        (Place::Prediction, b"bytesBase64Encoded" | b"gcsUri") => Place::Media,
        (Place::Prediction, b"mimeType") => Place::MediaType,
        (Place::Embeddings, b"statistics") => Place::Statistics,
        (Place::Statistics, b"token_count" | b"tokenCount" | b"promptTokenCount") => {
            Place::TokenCount
        }
        _ => Place::Skipped,
    }
}

fn small(place: Place, name: &[u8]) -> Place {
    match (place, name) {
        (Place::InputDetails, b"cached_tokens") => Place::Counted(Count::Cached),
        (Place::InputDetails, b"cache_write_tokens") => Place::Counted(Count::CacheWritten),
        (Place::OutputDetails, b"reasoning_tokens" | b"thinking_tokens") => {
            Place::Counted(Count::Reasoning)
        }
        (Place::Metadata, b"total_usage" | b"totalUsage") => Place::Usage,
        (Place::IncompleteDetails, b"reason") => Place::StopReason,
        (Place::PromptFeedback, b"blockReason") => Place::BlockReason,
        (Place::Error, b"status") => Place::ErrorStatus,
        (Place::Error, b"type") => Place::ErrorType,
        (Place::Error, b"code") => Place::ErrorCode,
        _ => Place::Skipped,
    }
}
