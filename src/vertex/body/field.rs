//! The meaning of each member of a body, by its place. An unknown element of `tools` that is no
//! function of the caller's own counts as a tool; elsewhere members are known by their names, and
//! an address counts anywhere but in prose.
//!
//! A member that names a model, sets a limit or lets data go unseen counts only as APIs spell it;
//! one that forbids counts in any spelling.

use crate::vertex::body::cap::CapMember;
use crate::vertex::body::name::Name;

/// The place of a value in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The body itself.
    Root,
    /// A place without a meaning of its own.
    Plain,
    /// Text that people write and models read; an address in it has no effect.
    Prose,
    /// Data of the caller's own shape: arguments, answers and schemas of functions, labels.
    Free,
    /// `model`.
    Model,
    /// `requests`, and each of its elements.
    Requests,
    /// Another model that may answer: of an element of `requests`, of `routingConfig`, of a tool.
    OtherModel,
    /// A model that works beside the one that answers: it ranks, judges or teaches.
    ModelBeside,
    /// `baseModel`.
    BaseModel,
    /// `operationName`.
    OperationName,
    /// `generationConfig`.
    GenerationConfig,
    /// `parameters` of a prediction.
    Parameters,
    /// `routingConfig` and everything below it: another model than the path's may answer.
    Routing,
    /// `fallbacks`, and each of its elements: models that may answer instead.
    Fallbacks,
    /// A member that lets Google choose the model.
    AnyModel,
    /// A limit on output tokens.
    OutputLimit(CapMember),
    /// The number of answers asked for.
    Answers,
    /// `stream`: whether the answer comes in pieces.
    Stream,
    /// An address that Google reads.
    ReadUri,
    /// Data, or its address.
    DataOrUri,
    /// The media type of the data beside it.
    MediaType,
    /// `inputAudio`: data of a sound, whose type has another name.
    InputAudio,
    /// A place that Google writes to, and everything below it.
    Output,
    /// An address that Google writes to.
    WriteUri,
    /// State that Google keeps.
    StoredState,
    /// `input`: a text, or items of a conversation.
    Input,
    /// An item of `input`: what it says, or a reference to one that is stored.
    Item,
    /// The type of an item.
    ItemType,
    /// The id of an item: of a stored one, if the item says nothing else.
    ItemId,
    /// `role` of an item.
    ItemRole,
    /// `content` of an item.
    ItemContent,
    /// A version of a secret in Secret Manager.
    Secret,
    /// An object that is stored if it has an id: a prompt, an answer's sound.
    StoredById,
    /// `environment`: the id of a stored one, or the parts of a new one.
    Environment,
    /// A voice: one of Google's, or a stored one.
    Voice,
    /// `modelArmorConfig`.
    ModelArmor,
    /// `tools`, and each of its elements.
    Tools,
    /// The type of an element of `tools`.
    ToolType,
    /// A member whose presence asks for a tool.
    Tool,
    /// Settings of a tool, at any depth.
    ToolSettings,
    /// Where a tool is called: an address, with a scheme or without.
    Endpoint,
    /// `messages`, and each of its elements.
    Messages,
    /// `content` of a message, and each of its parts.
    MessageContent,
    /// `source` of such a part.
    Source,
    /// The type of a source.
    SourceType,
    /// The data of a source: prose, if its type is `text`.
    SourceData,
    /// `functionCall`, `functionResponse`.
    FunctionPart,
}

/// The members of an element of `tools` that describe a function of the caller's.
const FUNCTION_MEMBERS: &[&str] = &[
    "allowed_callers",
    "cache_control",
    "custom",
    "defer_loading",
    "description",
    "eager_input_streaming",
    "format",
    "function",
    "function_declarations",
    "input_examples",
    "input_schema",
    "name",
    "parameters",
    "strict",
];

/// Claude's tools that the caller's own code carries out (Claude API, "Tool use"), before their version.
const CLIENT_TOOLS: &[&str] = &["bash", "computer", "memory", "text_editor"];

/// Models that judge or teach the one that is tuned.
const MODELS_BESIDE: &[&str] = &["autoratermodel", "baseteachermodel", "studentmodel"];

/// Members that name a version of a secret.
const SECRETS: &[&str] = &["apikeysecret", "apikeysecretversion", "credentialsecret"];

/// Members that name stored state, in any dialect.
const STORED_STATE: &[&str] = &[
    "cachedcontent",
    "container",
    "containerid",
    "contextcache",
    "continuationtoken",
    "conversation",
    "datasetname",
    "datastore",
    "datastores",
    "environmentid",
    "fileid",
    "fileids",
    "filesearchstorenames",
    "notificationchannels",
    "previousinteractionid",
    "previousresponseid",
    "ragcorpora",
    "ragcorpus",
    "session",
    "skillid",
    "trainingdataset",
    "tunedmodelname",
    "tunedteachermodelsource",
    "vectorstoreids",
];

/// Members that ask for a tool outside of `tools`: code that Google runs, too. A job's service account
/// is as powerful as one.
const TOOLS_ELSEWHERE: &[&str] = &[
    "agent",
    "aggregationfunction",
    "codeconfig",
    "emailalertconfig",
    "evaluationfunction",
    "mcpservers",
    "parsingfunction",
    "pythoncodesnippet",
    "serviceaccount",
    "websearchoptions",
];

/// Members with former answers and data of the caller's own shape: nothing in them has an effect
/// again.
const FREE: &[&str] = &[
    "annotations",
    "citations",
    "grounding_metadata",
    "input_schema",
    "json_schema",
    "output_schema",
    "parameters_json_schema",
    "response_json_schema",
    "response_schema",
    "schema",
    "session_state",
    "state_delta",
];

/// Members that hold prose.
const PROSE: &[&str] = &[
    "arguments",
    "content",
    "description",
    "display_name",
    "feature_display_name",
    "input",
    "instructions",
    "output",
    "prompt",
    "query",
    "refusal",
    "stop",
    "stop_sequences",
    "suffix",
    "system",
    "text",
    "thinking",
    "title",
    "tuned_model_display_name",
];

impl Field {
    /// The place of a member's value. The second column is compared in the spellings of APIs only,
    /// the third in any.
    pub(super) fn member(self, name: &Name<'_>) -> Self {
        // What nearly every body holds, without the way through all of the below.
        if matches!(self, Self::Root | Self::Plain | Self::Messages | Self::MessageContent) {
            match name.written {
                "contents" | "parts" | "role" => return Self::Plain,
                "text" => return Self::Prose,
                _ => {}
            }
        }
        if let Some(at) = self.limit(name) {
            return Self::OutputLimit(at);
        }
        match (self, name.snake.as_ref(), name.folded.as_ref()) {
            (Self::Free, ..) => Self::Free,
            (Self::Output, _, name) if is_uri(name) => Self::WriteUri,
            (Self::ModelArmor, ..) => Self::ModelArmor,
            (Self::StoredState, ..) => Self::StoredState,
            (Self::Tools, "type", _) => Self::ToolType,
            (Self::Tools, name, _) if FUNCTION_MEMBERS.contains(&name) => Self::Free,
            (Self::Tools, ..) => Self::Tool,
            (Self::FunctionPart, "args" | "partial_args" | "response", _) => Self::Free,
            (Self::Messages, "content", _) => Self::MessageContent,
            (Self::MessageContent, "input", _) => Self::Free,
            (Self::MessageContent, "content", _) => Self::MessageContent,
            // Where a search found a result; addresses to be read stand deeper.
            (Self::MessageContent, "url", _) => Self::Prose,
            (Self::MessageContent, "source", _) => Self::Source,
            (Self::Source, "type", _) => Self::SourceType,
            (Self::Source, "data", _) => Self::SourceData,
            (Self::Item, "type", _) => Self::ItemType,
            (Self::Item, _, "id") => Self::ItemId,
            (Self::Item, "role", _) => Self::ItemRole,
            (Self::Item, "content", _) => Self::ItemContent,
            (Self::Messages, _, "audio") | (Self::Root, _, "prompt") => Self::StoredById,
            (Self::StoredById, _, "id") => Self::StoredState,
            (Self::Root, "model", _) => Self::Model,
            (Self::Root, "base_model", _) => Self::BaseModel,
            (Self::Root, _, "model" | "basemodel") => Self::OtherModel,
            (Self::Root, _, "operationname") => Self::OperationName,
            (Self::Root, "generation_config", _) => Self::GenerationConfig,
            (Self::Root, _, "generationconfig" | "parameters") => Self::Parameters,
            (Self::Root, "messages", _) => Self::Messages,
            (Self::Root, _, "requests") => Self::Requests,
            (Self::Root, _, "input") => Self::Input,
            (Self::Root, "n" | "best_of", _) | (Self::GenerationConfig, "candidate_count", _) => {
                Self::Answers
            }
            (Self::Root, "stream", _) => Self::Stream,
            (Self::Root, _, "environment") => Self::Environment,
            (Self::Requests | Self::Fallbacks, _, "model") => Self::OtherModel,
            (_, "function_call" | "function_response", _) => Self::FunctionPart,
            (_, _, "tools") => Self::Tools,
            (Self::Root, "functions" | "labels" | "metadata", _) => Self::Free,
            (Self::Routing, _, "modelname") => Self::OtherModel,
            (Self::Routing, _, "automode") => Self::AnyModel,
            (Self::Routing, ..) | (_, _, "routingconfig") => Self::Routing,
            (Self::Root, _, "fallbacks") => Self::Fallbacks,
            (_, _, "modelarmorconfig") => Self::ModelArmor,
            (_, name, _) if FREE.contains(&name) => Self::Free,
            (_, _, "voice") => Self::Voice,
            (Self::ToolSettings, _, "model" | "modelname") => Self::ModelBeside,
            (_, _, name) if MODELS_BESIDE.contains(&name) => Self::ModelBeside,
            (Self::ToolSettings, _, "engine") => Self::StoredState,
            (Self::ToolSettings, _, name) if name.ends_with("endpoint") => Self::Endpoint,
            (Self::ToolSettings, _, name) if name.ends_with("secret") => Self::Secret,
            (_, _, name) if SECRETS.contains(&name) => Self::Secret,
            (_, _, "custombasemodel") => Self::ReadUri,
            (_, _, "pipelinerootdirectory") => Self::WriteUri,
            (_, _, name) if STORED_STATE.contains(&name) => Self::StoredState,
            (_, _, name) if TOOLS_ELSEWHERE.contains(&name) => Self::Tool,
            (_, _, name) if is_uri(name) && is_output(name) => Self::WriteUri,
            (_, _, name) if is_uri(name) => Self::ReadUri,
            (_, _, name) if is_output(name) => Self::Output,
            (Self::Output, ..) => Self::Output,
            (_, "input_audio", _) => Self::InputAudio,
            (_, "mime_type" | "media_type", _) => Self::MediaType,
            (_, "data" | "file_data" | "bytes_base64_encoded", _) => Self::DataOrUri,
            (_, name, _) if PROSE.contains(&name) => Self::Prose,
            (Self::ToolSettings, ..) => Self::ToolSettings,
            _ => Self::Plain,
        }
    }

    fn limit(self, name: &Name<'_>) -> Option<CapMember> {
        let at = match (self, CapMember::at_top(&name.folded)?) {
            (Self::Root, at) => at,
            (Self::GenerationConfig, CapMember::MaxOutputTokens) => CapMember::GenerationConfig,
            (Self::GenerationConfig | Self::Parameters | Self::Fallbacks | Self::Tools, _) => {
                CapMember::Elsewhere
            }
            _ => return None,
        };
        Some(at.spelled(name.written))
    }

    /// The place of a tool's value: the same as anywhere else, so that a tool is no way around a
    /// term.
    pub(super) fn of_tool(name: &Name<'_>) -> Self {
        match Self::ToolSettings.member(name) {
            // Its tokens count as the answer's, so it must not be another one.
            _ if name.folded == "model" => Self::OtherModel,
            Self::Tool => Self::ToolSettings,
            other => other,
        }
    }

    /// The place of an array's elements.
    pub(super) const fn element(self) -> Self {
        if matches!(self, Self::Input) { Self::Item } else { self }
    }

    /// The place of an object's members, as `member` takes it.
    pub(super) const fn object(self) -> Self {
        match self {
            // A whole model, as in an upload, is not a model that is asked.
            Self::Model => Self::Plain,
            // An agent's own arguments.
            Self::Input => Self::Prose,
            other => other,
        }
    }

    /// Whether a tool's type is one that the caller's own code carries out: a function, or one of
    /// Claude's client tools, like `bash_20250124`.
    pub(super) fn is_callers_own(tool_type: &str) -> bool {
        let is_version =
            |version: &str| version.len() == 8 && version.bytes().all(|byte| byte.is_ascii_digit());
        let (name, version) = tool_type.rsplit_once('_').unwrap_or_default();
        matches!(tool_type, "function" | "custom")
            || (CLIENT_TOOLS.contains(&name) && is_version(version))
    }

    /// Whether a member has a meaning, so that it must not stand twice, in whichever spelling.
    pub(super) const fn acts(self) -> bool {
        !matches!(self, Self::Plain | Self::ToolSettings | Self::Prose | Self::Free)
    }

    /// Whether only a text (or null) is valid here.
    pub(super) const fn wants_text(self) -> bool {
        matches!(
            self,
            Self::Model
                | Self::OtherModel
                | Self::ModelBeside
                | Self::BaseModel
                | Self::OperationName
                | Self::ToolType
        )
    }
}

fn is_uri(name: &str) -> bool {
    ["uri", "uris", "url", "urls", "uriprefix"].iter().any(|ending| name.ends_with(ending))
}

fn is_output(name: &str) -> bool {
    // `responseFormat.video.gcsUri` is where a video goes.
    (name.starts_with("output") && name != "output")
        || name.starts_with("storage")
        || name.ends_with("destination")
        || name == "responseformat"
}
