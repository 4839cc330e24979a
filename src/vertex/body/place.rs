//! Which member of a body means what, by where it stands. Among `tools` what is not known to be a
//! function of the caller's own is a tool before anybody has heard of it; elsewhere members are
//! known by their names, and an address counts wherever it is no prose.

use crate::vertex::body::limit::LimitPlace;

/// Where in a body a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The body itself.
    Root,
    /// Somewhere without a meaning of its own.
    Plain,
    /// What people write and models read; an address in it leads nobody anywhere.
    Prose,
    /// Data in the caller's own shape: arguments, answers and schemas of functions, labels.
    Free,
    /// `model`.
    Model,
    /// `requests`, and each of its elements.
    Requests,
    /// Another model that may answer, too: of such an element, of `routingConfig`, of a tool.
    OtherModel,
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
    /// `fallbacks`, and each of its elements: models that may answer instead.
    Fallbacks,
    /// Google chooses the model.
    AnyModel,
    /// A limit on output tokens.
    OutputLimit(LimitPlace),
    /// How many answers are wanted.
    Answers,
    /// `stream`: whether the answer comes in pieces.
    Stream,
    /// What Google reads.
    ReadUri,
    /// Data, or the address of it.
    DataOrUri,
    /// The type of the data beside it: a media type.
    MediaType,
    /// `inputAudio`: data of a sound, whose type has a name of its own.
    InputAudio,
    /// Something that is written to, and all below it.
    Output,
    /// What Google writes.
    WriteUri,
    /// State that Google keeps.
    StoredState,
    /// Something that is stored if it has an id: a prompt, an answer's sound.
    StoredById,
    /// `environment`: the id of one that is stored, or what a new one is made of.
    Environment,
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
    "allowedcallers",
    "cachecontrol",
    "custom",
    "deferloading",
    "description",
    "eagerinputstreaming",
    "format",
    "function",
    "functiondeclarations",
    "inputexamples",
    "inputschema",
    "name",
    "parameters",
    "strict",
];

/// The objects among a tool's settings that act on nothing.
pub(super) const TOOL_SETTINGS: &[&str] = &["filters", "rankingoptions", "userlocation"];

/// State that bodies name, in any dialect.
const STORED_STATE: &[&str] = &[
    "apikeysecretversion",
    "autoratermodel",
    "baseteachermodel",
    "cachedcontent",
    "container",
    "containerid",
    "contextcache",
    "continuationtoken",
    "conversation",
    "datasetname",
    "datastore",
    "environmentid",
    "fileid",
    "fileids",
    "filesearchstorenames",
    "notificationchannels",
    "previousinteractionid",
    "previousresponseid",
    "ragcorpus",
    "session",
    "skillid",
    "studentmodel",
    "trainingdataset",
    "tunedmodelname",
    "tunedteachermodelsource",
    "vectorstoreids",
];

/// Members that ask for a tool outside of `tools`; a job's service account is as powerful as one.
const TOOLS_ELSEWHERE: &[&str] = &[
    "agent",
    "aggregationfunction",
    "emailalertconfig",
    "mcpservers",
    "serviceaccount",
    "websearchoptions",
];

/// What former answers said, and the caller's own shapes of data: nothing in them acts again.
const FREE: &[&str] = &[
    "annotations",
    "citations",
    "groundingmetadata",
    "inputschema",
    "jsonschema",
    "outputschema",
    "parametersjsonschema",
    "responsejsonschema",
    "responseschema",
    "schema",
    "sessionstate",
    "statedelta",
];

/// Members that hold prose.
const PROSE: &[&str] = &[
    "arguments",
    "content",
    "description",
    "input",
    "instructions",
    "output",
    "prompt",
    "query",
    "refusal",
    "stop",
    "stopsequences",
    "suffix",
    "system",
    "text",
    "thinking",
    "title",
];

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
            (Self::MessageContent, "content") => Self::MessageContent,
            // Where a search's result was found; what is to be read stands deeper.
            (Self::MessageContent, "url" | "source") => Self::Prose,
            (Self::Messages, "audio") | (Self::Root, "prompt") => Self::StoredById,
            (Self::StoredById, "id") => Self::StoredState,
            (Self::Root, "model") => Self::Model,
            (Self::Root, "basemodel") => Self::BaseModel,
            (Self::Root, "operationname") => Self::OperationName,
            (Self::Root, "generationconfig") => Self::GenerationConfig,
            (Self::Root, "parameters") => Self::Parameters,
            (Self::Root, "messages") => Self::Messages,
            (Self::Root, "requests") => Self::Requests,
            (Self::Root, "n" | "bestof") | (Self::GenerationConfig, "candidatecount") => {
                Self::Answers
            }
            (Self::Root, "stream") => Self::Stream,
            (Self::Root, "environment") => Self::Environment,
            (Self::Requests | Self::Fallbacks, "model") => Self::OtherModel,
            (_, "functioncall" | "functionresponse") => Self::FunctionPart,
            (_, "tools") => Self::Tools,
            (Self::Root, "functions" | "labels" | "metadata") => Self::Free,
            (Self::Routing, "modelname") => Self::OtherModel,
            (Self::Routing, "automode") => Self::AnyModel,
            (Self::Routing, _) | (_, "routingconfig") => Self::Routing,
            (Self::Root, "fallbacks") => Self::Fallbacks,
            (_, "modelarmorconfig") => Self::ModelArmor,
            (_, name) if FREE.contains(&name) => Self::Free,
            (_, "voice") => Self::Voice,
            (_, "custombasemodel") => Self::ReadUri,
            (_, "pipelinerootdirectory") => Self::WriteUri,
            (_, name) if STORED_STATE.contains(&name) => Self::StoredState,
            (_, name) if TOOLS_ELSEWHERE.contains(&name) => Self::Tool,
            (_, name) if is_uri(name) && is_output(name) => Self::WriteUri,
            (_, name) if is_uri(name) => Self::ReadUri,
            (_, name) if is_output(name) => Self::Output,
            (Self::Output, _) => Self::Output,
            (_, "inputaudio") => Self::InputAudio,
            (_, "mimetype" | "mediatype") => Self::MediaType,
            (_, "data" | "filedata" | "bytesbase64encoded") => Self::DataOrUri,
            (_, name) if PROSE.contains(&name) => Self::Prose,
            _ => Self::Plain,
        }
    }

    fn limit(self, name: &str) -> Option<LimitPlace> {
        match (self, LimitPlace::at_top(name)?) {
            (Self::Root, at) => Some(at),
            (Self::GenerationConfig, LimitPlace::MaxOutputTokens) => {
                Some(LimitPlace::GenerationConfig)
            }
            (Self::GenerationConfig | Self::Parameters | Self::Fallbacks | Self::Tools, _) => {
                Some(LimitPlace::Elsewhere)
            }
            _ => None,
        }
    }

    /// Where the value of a tool stands: as it would anywhere else, for a tool is no way around.
    pub(super) fn of_tool(name: &str) -> Self {
        match Self::Plain.member(name) {
            _ if name == "model" => Self::OtherModel,
            Self::Tool => Self::Plain,
            other => other,
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
        !matches!(self, Self::Plain | Self::Prose | Self::Free)
    }

    /// Whether only a text (or null, which is nothing) makes sense here.
    pub(super) const fn wants_text(self) -> bool {
        matches!(
            self,
            Self::Model | Self::OtherModel | Self::BaseModel | Self::OperationName | Self::ToolType
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
    (name.starts_with("output") && name != "output")
        || name.starts_with("storage")
        || name.ends_with("destination")
        || name == "responseformat"
}
