//! The place of a value in an answer. Only the members named here are read, and only at their own
//! place: text that a model writes, and the arguments of a function call, stand at others.

use crate::meter::counts::Count;

/// The deepest place: `[` `{` candidates `[` `{` content `{` parts `[` `{` inlineData `{`.
pub(super) const MAX_DEPTH: usize = 8;

/// The place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
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
    TrafficType,
    /// `extra_properties` of a usage object, where the OpenAI-compatible endpoint has Google's own.
    ExtraProperties,
    GoogleProperties,
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

impl Member {
    /// The place of an object's member; `name` is unescaped.
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

    /// The place as which an object here is read.
    pub(super) const fn as_object(self) -> Self {
        match self {
            Self::Top => Self::Answer,
            Self::Answer
            | Self::Resource
            | Self::Usage
            | Self::InputDetails
            | Self::OutputDetails
            | Self::Iteration
            | Self::ExtraProperties
            | Self::GoogleProperties
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

    /// The place as which an array here is read.
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
                | Self::TrafficType
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

fn answer(name: &[u8]) -> Member {
    match name {
        b"usageMetadata" | b"usage" => Member::Usage,
        b"metadata" => Member::Metadata,
        b"totalTokens" | b"input_tokens" => Member::CountTokens,
        b"candidates" => Member::Candidates,
        b"choices" => Member::Choices,
        b"predictions" | b"embeddings" | b"responses" => Member::Predictions,
        b"delta" => Member::Delta,
        b"message" | b"response" | b"interaction" => Member::Resource,
        b"content" | b"output" | b"steps" => Member::Generated,
        b"promptFeedback" => Member::PromptFeedback,
        b"type" | b"event_type" => Member::EventType,
        b"code" => Member::EventCode,
        b"request_id" => Member::RequestId,
        _ => resource(name),
    }
}

fn resource(name: &[u8]) -> Member {
    match name {
        b"usage" => Member::Usage,
        b"responseId" | b"id" => Member::Id,
        b"modelVersion" | b"model" => Member::Model,
        b"status" => Member::Status,
        b"stop_reason" => Member::StopReason,
        b"incomplete_details" => Member::IncompleteDetails,
        b"error" => Member::Error,
        _ => Member::Skipped,
    }
}

fn usage_part(name: &[u8]) -> Member {
    match name {
        b"prompt_tokens_details" | b"input_tokens_details" => Member::InputDetails,
        b"completion_tokens_details" | b"output_tokens_details" => Member::OutputDetails,
        b"iterations" => Member::Iterations,
        b"trafficType" => Member::TrafficType,
        b"extra_properties" => Member::ExtraProperties,
        _ => Member::Skipped,
    }
}

fn gemini(place: Member, name: &[u8]) -> Member {
    match (place, name) {
        (Member::Candidate, b"content") => Member::Content,
        (Member::Candidate, b"finishReason") => Member::FinishReason,
        (Member::Candidate, b"index") => Member::CandidateIndex,
        (Member::Content, b"parts") => Member::Parts,
        (Member::Part, b"text" | b"functionCall" | b"executableCode") => Member::Generated,
        (Member::Part, b"inlineData") => Member::InlineData,
        (Member::InlineData, b"mimeType") => Member::InlineType,
        _ => Member::Skipped,
    }
}

fn generated(place: Member, name: &[u8]) -> Member {
    match (place, name) {
        (Member::Choice, b"message" | b"delta") => Member::Message,
        (Member::Choice, b"finish_reason") | (Member::Delta, b"stop_reason") => Member::StopReason,
        (Member::Choice, b"text")
        | (
            Member::Message,
            b"content" | b"reasoning_content" | b"reasoning" | b"refusal" | b"tool_calls"
            | b"function_call",
        )
        | (
            Member::Delta,
            b"text" | b"thinking" | b"partial_json" | b"content" | b"arguments" | b"data",
        ) => Member::Generated,
        _ => Member::Skipped,
    }
}

fn prediction(place: Member, name: &[u8]) -> Member {
    match (place, name) {
        (Member::Prediction, b"embeddings") => Member::Embeddings,
        // `batchEmbedContents` reports tokens here or for the whole answer.
        (Member::Prediction, b"statistics" | b"usageMetadata") => Member::Statistics,
        (Member::Prediction, b"bytesBase64Encoded" | b"gcsUri") => Member::Media,
        (Member::Prediction, b"mimeType") => Member::MediaType,
        (Member::Embeddings, b"statistics") => Member::Statistics,
        (Member::Statistics, b"token_count" | b"tokenCount" | b"promptTokenCount") => {
            Member::TokenCount
        }
        _ => Member::Skipped,
    }
}

fn small(place: Member, name: &[u8]) -> Member {
    match (place, name) {
        (Member::InputDetails, b"cached_tokens") => Member::Counted(Count::Cached),
        (Member::InputDetails, b"cache_write_tokens") => Member::Counted(Count::CacheWritten),
        (Member::OutputDetails, b"reasoning_tokens" | b"thinking_tokens") => {
            Member::Counted(Count::Reasoning)
        }
        (Member::ExtraProperties, b"google") => Member::GoogleProperties,
        (Member::GoogleProperties, b"traffic_type") => Member::TrafficType,
        (Member::Metadata, b"total_usage" | b"totalUsage") => Member::Usage,
        (Member::IncompleteDetails, b"reason") => Member::StopReason,
        (Member::PromptFeedback, b"blockReason") => Member::BlockReason,
        (Member::Error, b"status") => Member::ErrorStatus,
        (Member::Error, b"type") => Member::ErrorType,
        (Member::Error, b"code") => Member::ErrorCode,
        _ => Member::Skipped,
    }
}
