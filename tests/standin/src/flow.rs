//! Good answers by dialect: in one piece, or as a stream of parts.

use crate::answers::Answer;
use crate::framing::Stream;
use crate::google_errors::{self, JSON_HEADERS, SSE_HEADERS};
use crate::route::{Options, Route, Verb};
use crate::{catalogue, chat, claude, embeddings};

/// The whole answer of what is not streamed.
pub fn unary(route: &Route<'_>, answer: &Answer) -> String {
    match route.verb {
        Verb::Generate | Verb::Stream => answer.unary(),
        Verb::CountTokens => answer.count_tokens(),
        Verb::EmbedContent => embeddings::embed_content(&answer.texts),
        Verb::Predict => embeddings::predict(&answer.texts),
        Verb::Messages => answer.claude(),
        Verb::CountMessages => answer.claude_count(),
        Verb::Chat => answer.chat(),
        Verb::Embeddings => embeddings::openai(&answer.model, &answer.texts, answer.base64),
        Verb::ListModels => catalogue::list(route.publisher()),
        Verb::GetModel => catalogue::get(route.publisher(), route.model),
    }
}

/// A streamed answer.
pub enum Flow<'a> {
    Gemini(Stream, &'a Answer),
    Chat(&'a Answer),
    Claude(&'a Answer),
}

impl<'a> Flow<'a> {
    /// Nothing if the request does not ask for a stream: Gemini's do by their verb, all others in
    /// their body.
    pub fn of(route: &Route<'_>, answer: &'a Answer, options: Options) -> Option<Self> {
        match route.verb {
            Verb::Stream if options.sse => Some(Self::Gemini(Stream::Sse, answer)),
            Verb::Stream => Some(Self::Gemini(Stream::Array, answer)),
            Verb::Chat if answer.stream => Some(Self::Chat(answer)),
            Verb::Messages if answer.stream => Some(Self::Claude(answer)),
            _ => None,
        }
    }

    pub fn headers(&self) -> &'static str {
        match self {
            Self::Gemini(Stream::Array, _) => JSON_HEADERS,
            _ => SSE_HEADERS,
        }
    }

    /// Part `index` of `of`, in the pieces that go out as chunks of their own.
    pub fn part(&self, index: usize, of: usize) -> Vec<String> {
        match self {
            Self::Gemini(stream, answer) => {
                stream.element(index, &answer.part(index, of, *stream == Stream::Sse))
            }
            Self::Chat(answer) => vec![answer.chat_event(index, of)],
            Self::Claude(answer) => vec![answer.claude_events(index, of)],
        }
    }

    /// An error in the middle.
    pub fn error(&self) -> Vec<String> {
        let google = google_errors::body(500, None, "");
        match self {
            Self::Gemini(stream, _) => {
                stream.error(&serde_json::to_string_pretty(&google).unwrap_or_default())
            }
            Self::Chat(_) => vec![format!("data: {google}\n\n")],
            Self::Claude(_) => vec![claude::error_event()],
        }
    }

    /// An error is the last event, but an array has to be closed all the same.
    pub fn end(&self, broken: bool) -> String {
        match self {
            Self::Gemini(stream, _) => stream.end().to_owned(),
            _ if broken => String::new(),
            Self::Chat(_) => chat::END.to_owned(),
            Self::Claude(_) => claude::end(),
        }
    }
}
