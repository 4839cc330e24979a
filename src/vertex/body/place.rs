//! Which member of a body means what, by where it stands. What is not known to be the caller's own
//! data counts: a new tool of Google's is a tool before anybody has heard of it.

use crate::vertex::body::limit::LimitPlace;

/// Where in a body a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The body itself.
    Root,
    /// Somewhere without a meaning of its own.
    Plain,
    /// Data in the caller's own shape: arguments, answers and schemas of functions, labels.
    Free,
    /// `model`.
    Model,
    /// `requests`, and each of its elements.
    Requests,
    /// `model` of such an element, or of `routingConfig`.
    BatchedModel,
    /// `baseModel`.
    BaseModel,
    /// `operationName`.
    OperationName,
    /// `generationConfig`.
    GenerationConfig,
    /// `parameters` of a prediction.
    Parameters,
    /// `routingConfig`, and all below it: another model than the path's may answer.
    Routing,
    /// Google chooses the model.
    AnyModel,
    /// A limit on output tokens.
    OutputLimit(LimitPlace),
    /// What Google reads.
    ReadUri,
    /// Something that is written to, and all below it.
    Output,
    /// What Google writes.
    WriteUri,
    /// State that Google keeps.
    StoredState,
    /// A voice: one of Google's, or one that is stored.
    Voice,
    /// `modelArmorConfig`.
    ModelArmor,
    /// `tools`, and each of its elements.
    Tools,
    /// The type of an element of `tools`.
    ToolType,
    /// A member that asks for a tool by being there.
    Tool,
    /// `messages`, and each of its elements.
    Messages,
    /// `content` of a message, and each of its parts.
    MessageContent,
    /// `functionCall`, `functionResponse`.
    FunctionPart,
}

/// The members of an element of `tools` that describe a function of the caller's.
const FUNCTION_MEMBERS: &[&str] = &[
    "cachecontrol",
    "deferloading",
    "description",
    "function",
    "functiondeclarations",
    "inputexamples",
    "inputschema",
    "name",
    "parameters",
    "strict",
];

/// State that bodies name, in any dialect.
const STORED_STATE: &[&str] = &[
    "autoratermodel",
    "cachedcontent",
    "container",
    "contextcache",
    "continuationtoken",
    "conversation",
    "datasetname",
    "fileid",
    "fileids",
    "previousinteractionid",
    "previousresponseid",
    "session",
    "tunedmodelname",
    "tunedteachermodelsource",
];

/// Members that ask for a tool outside of `tools`; a job's service account is as powerful as one.
const TOOLS_ELSEWHERE: &[&str] = &["mcpservers", "serviceaccount", "websearchoptions"];

impl Place {
    /// Where the value of a member stands; `name` is [`fold_name`].
    pub(super) fn member(self, name: &str) -> Self {
        if let Some(at) = self.limit(name) {
            return Self::OutputLimit(at);
        }
        match (self, name) {
            (Self::Free, _) => Self::Free,
            (Self::Output, name) if is_uri(name) => Self::WriteUri,
            (Self::ModelArmor, _) => Self::ModelArmor,
            (Self::StoredState, _) => Self::StoredState,
            (Self::Tools, "type") => Self::ToolType,
            (Self::Tools, name) if FUNCTION_MEMBERS.contains(&name) => Self::Free,
            (Self::Tools, _) => Self::Tool,
            (Self::FunctionPart, "args" | "partialargs" | "response") => Self::Free,
            (Self::Messages, "content") => Self::MessageContent,
            (Self::MessageContent, "input") => Self::Free,
            (Self::Root, "model") => Self::Model,
            (Self::Root, "basemodel") => Self::BaseModel,
            (Self::Root, "operationname") => Self::OperationName,
            (Self::Root, "generationconfig") => Self::GenerationConfig,
            (Self::Root, "parameters") => Self::Parameters,
            (Self::Root, "messages") => Self::Messages,
            (Self::Root, "requests") => Self::Requests,
            (Self::Requests, "model") => Self::BatchedModel,
            (_, "functioncall" | "functionresponse") => Self::FunctionPart,
            (_, "tools") => Self::Tools,
            (Self::Root, "labels" | "metadata") => Self::Free,
            (Self::Routing, "modelname") => Self::BatchedModel,
            (Self::Routing, "automode") => Self::AnyModel,
            (Self::Routing, _) | (_, "routingconfig") => Self::Routing,
            (_, "modelarmorconfig") => Self::ModelArmor,
            (_, name) if name.ends_with("schema") => Self::Free,
            (_, "voice") => Self::Voice,
            (_, "pipelinerootdirectory") => Self::WriteUri,
            (_, name) if STORED_STATE.contains(&name) => Self::StoredState,
            (_, name) if TOOLS_ELSEWHERE.contains(&name) => Self::Tool,
            (_, name) if is_uri(name) && is_output(name) => Self::WriteUri,
            (_, name) if is_uri(name) => Self::ReadUri,
            (_, name) if is_output(name) => Self::Output,
            (Self::Output, _) => Self::Output,
            _ => Self::Plain,
        }
    }

    fn limit(self, name: &str) -> Option<LimitPlace> {
        match (self, LimitPlace::at_top(name)?) {
            (Self::Root, at) => Some(at),
            (Self::GenerationConfig, LimitPlace::MaxOutputTokens) => {
                Some(LimitPlace::GenerationConfig)
            }
            (Self::GenerationConfig | Self::Parameters, _) => Some(LimitPlace::Elsewhere),
            _ => None,
        }
    }

    /// Where a member stands whose name is written so.
    pub(super) fn spelled(self, name: &str) -> Self {
        match self {
            Self::OutputLimit(at) => Self::OutputLimit(at.spelled(name)),
            other => other,
        }
    }

    /// Whether a member must not stand in an object in two spellings: where it means something.
    pub(super) const fn acts(self) -> bool {
        !matches!(self, Self::Plain | Self::Free)
    }

    /// Whether only a text (or null, which is nothing) makes sense here.
    pub(super) const fn wants_text(self) -> bool {
        matches!(
            self,
            Self::Model
                | Self::BatchedModel
                | Self::BaseModel
                | Self::OperationName
                | Self::ToolType
        )
    }
}

/// A name without the difference between `fileUri` and `file_uri`.
#[must_use]
pub fn fold_name(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

fn is_uri(name: &str) -> bool {
    ["uri", "uris", "url", "urls", "uriprefix"].iter().any(|ending| name.ends_with(ending))
}

fn is_output(name: &str) -> bool {
    // `responseFormat.video.gcsUri` is where a video goes.
    name.starts_with("output")
        || name.starts_with("storage")
        || name.ends_with("destination")
        || name == "responseformat"
}
