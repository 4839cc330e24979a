//! What a request asks, in any of the dialects that the Google side takes.

use crate::http1::Body;
use crate::tools::{Call, Tool};
use serde::Deserialize;
use serde_json::Value;

/// The members of a body that an answer depends on; what is not there, or not so, counts as none.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Prompt {
    /// Gemini's `generateContent`.
    contents: Vec<Content>,
    /// Gemini's `embedContent`.
    content: Option<Content>,
    /// OpenAI's chat and Claude.
    messages: Vec<Message>,
    /// OpenAI's embeddings.
    input: Option<Texts>,
    /// `predict`.
    instances: Vec<Instance>,
    /// What may be called, in any of the dialects.
    tools: Vec<Tool>,
    /// Where the path names no model.
    pub model: String,
    pub stream: bool,
    /// OpenAI's embeddings: `base64`, else numbers.
    pub encoding_format: String,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    /// Gemini: what a tool gave.
    function_response: Option<Value>,
    /// Claude: the same.
    #[serde(rename = "tool_use_id")]
    tool_use: Option<String>,
    content: Option<Value>,
}

impl Part {
    fn tool_result(&self) -> Option<String> {
        match (&self.function_response, &self.tool_use, &self.content) {
            (Some(response), ..) => Some(response.to_string()),
            (None, Some(_), Some(Value::String(text))) => Some(text.clone()),
            (None, Some(_), Some(content)) => Some(content.to_string()),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    role: String,
    content: Said,
    /// OpenAI: the content is what a tool gave.
    tool_call_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Text(String),
    Parts(Vec<Part>),
    Nothing(()),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Instance {
    content: Option<String>,
}

impl Prompt {
    /// Of a body that is no JSON, or longer than what is kept of it, nothing is known.
    pub fn read(body: &Body) -> Self {
        serde_json::from_slice(&body.kept).unwrap_or_default()
    }

    /// What the tools of the last message gave.
    pub fn tool_result(&self) -> Option<String> {
        if let Some(Message { content: Said::Text(text), tool_call_id: Some(_), .. }) =
            self.last_message()
        {
            return Some(text.clone());
        }
        self.last_parts().iter().find_map(Part::tool_result)
    }

    /// The call that a text of the last message asks for.
    pub fn call(&self) -> Option<Call> {
        let whole = match self.last_message() {
            Some(Message { content: Said::Text(text), .. }) => Some(text.as_str()),
            _ => None,
        };
        let texts = self.last_parts().iter().filter_map(|part| part.text.as_deref());
        texts.chain(whole).find_map(|text| Call::asked(text, &self.tools))
    }

    /// Of the conversation: what its host adds may stand behind it.
    fn last_message(&self) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.role != "system")
    }

    fn last_parts(&self) -> &[Part] {
        match (self.contents.last(), self.last_message()) {
            (Some(content), _) => &content.parts,
            (None, Some(Message { content: Said::Parts(parts), .. })) => parts,
            _ => &[],
        }
    }

    /// All texts, in order, those of a host first; takes them out.
    pub fn texts(&mut self) -> Vec<String> {
        let contents = std::mem::take(&mut self.contents).into_iter().chain(self.content.take());
        let parts = contents.flat_map(|content| content.parts).filter_map(|part| part.text);
        let mut messages = std::mem::take(&mut self.messages);
        messages.sort_by_key(|message| message.role != "system");
        let said = messages.into_iter().flat_map(|message| match message.content {
            Said::Text(text) => vec![text],
            Said::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
            Said::Nothing(()) => Vec::new(),
        });
        let inputs = match self.input.take() {
            Some(Texts::One(text)) => vec![text],
            Some(Texts::Many(texts)) => texts,
            None => Vec::new(),
        };
        let instances = std::mem::take(&mut self.instances).into_iter();
        let instances = instances.filter_map(|instance| instance.content);
        parts.chain(said).chain(inputs).chain(instances).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Vec<String> {
        let kept = body.as_bytes().to_vec();
        Prompt::read(&Body { length: 0, sha256: [0; 32], kept, trailers: Vec::new() }).texts()
    }

    #[test]
    fn every_dialect() {
        for body in [
            r#"{"contents":[{"parts":[{"text":"a"},{"inlineData":{}}]},{"parts":[{"text":"b"}]}]}"#,
            r#"{"content":{"parts":[{"text":"a"},{"text":"b"}]}}"#,
            r#"{"messages":[{"role":"user","content":"a"},{"content":[{"type":"text","text":"b"}]},
                {"role":"assistant","content":null}]}"#,
            r#"{"model":"m","input":["a","b"]}"#,
            r#"{"instances":[{"content":"a"},{"content":"b"}]}"#,
        ] {
            assert_eq!(texts(body), ["a", "b"], "{body}");
        }
        assert_eq!(texts(r#"{"input":"a"}"#), ["a"]);
        assert!(texts("no json").is_empty());
    }
}
