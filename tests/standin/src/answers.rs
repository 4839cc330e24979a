//! The contents of good answers: they depend on the request only, but for times and ids.

use crate::clock;
use crate::http1::Body;
use crate::keys::{b64, hex, random};
use crate::prompt::Prompt;
use crate::tools::Call;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Said to be used for thinking, in every answer, so that meters must add it up.
pub const THOUGHTS: usize = 7;
const MAX_ECHO: usize = 2000;

/// What the answers to one request are made of.
pub struct Answer {
    pub text: String,
    /// Behind the text.
    pub call: Option<Call>,
    /// What was said, each text by itself.
    pub texts: Vec<String>,
    prompt_chars: usize,
    pub model: String,
    created: String,
    pub id: String,
    /// Whether the body asks for events.
    pub stream: bool,
    /// Whether the body asks for embeddings in base64.
    pub base64: bool,
    int_enums: bool,
}

/// An enumeration as its name or its number.
#[derive(Serialize, Clone, Copy)]
#[serde(untagged)]
enum Enum {
    Name(&'static str),
    Number(u8),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    candidates: [Candidate<'a>; 1],
    usage_metadata: Usage,
    model_version: &'a str,
    create_time: &'a str,
    response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    content: ModelContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<Enum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg_logprobs: Option<f64>,
}

#[derive(Serialize)]
struct ModelContent<'a> {
    role: &'static str,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Text { text: &'a str },
    Call(Value),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    #[serde(flatten)]
    counts: Option<Counts>,
    traffic_type: Enum,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    prompt_token_count: usize,
    candidates_token_count: usize,
    total_token_count: usize,
    prompt_tokens_details: [Detail; 1],
    candidates_tokens_details: [Detail; 1],
    thoughts_token_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    modality: Enum,
    token_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    total_tokens: usize,
    total_billable_characters: usize,
    prompt_tokens_details: [Detail; 1],
}

/// Four characters a token: near enough, and easy to predict in a test.
pub fn tokens(chars: usize) -> usize {
    chars.div_ceil(4).max(1)
}

/// Unique, and short: random bytes of this run and a number.
fn response_id() -> String {
    static RUN: OnceLock<[u8; 8]> = OnceLock::new();
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(RUN.get_or_init(random));
    bytes[8..].copy_from_slice(&NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    b64(bytes)
}

impl Answer {
    /// `model` as in the path; empty: the body names it.
    pub fn new(model: &str, body: &Body, int_enums: bool) -> Self {
        let mut prompt = Prompt::read(body);
        let (result, call) = (prompt.tool_result(), prompt.call());
        let texts = prompt.texts();
        let said = match result.as_ref().or(texts.last()) {
            Some(last) => last.chars().take(MAX_ECHO).collect(),
            // No text in it, no JSON, or longer than what is kept of a body.
            None => format!("body {}", hex(&body.sha256[..8])),
        };
        let model = if model.is_empty() { prompt.model } else { model.to_owned() };
        Self {
            text: format!("Echo from {model}: {said}"),
            call,
            prompt_chars: texts.iter().map(|t| t.chars().count()).sum(),
            texts,
            model,
            created: clock::rfc3339(clock::micros()),
            id: response_id(),
            stream: prompt.stream,
            base64: prompt.encoding_format == "base64",
            int_enums,
        }
    }

    /// Of the prompt, and of the answer's text.
    pub fn token_counts(&self) -> (usize, usize) {
        (tokens(self.prompt_chars), tokens(self.text.chars().count()))
    }

    /// The text of part `index` of `of` parts.
    pub fn piece(&self, index: usize, of: usize) -> String {
        let chars = self.text.chars().count();
        let (from, to) = (index * chars / of, (index + 1) * chars / of);
        self.text.chars().skip(from).take(to - from).collect()
    }

    fn value(&self, name: &'static str, number: u8) -> Enum {
        if self.int_enums { Enum::Number(number) } else { Enum::Name(name) }
    }

    fn detail(&self, token_count: usize) -> [Detail; 1] {
        [Detail { modality: self.value("TEXT", 1), token_count }]
    }

    fn counts(&self) -> Counts {
        let (prompt, candidates) = self.token_counts();
        Counts {
            prompt_token_count: prompt,
            candidates_token_count: candidates,
            total_token_count: prompt + candidates + THOUGHTS,
            prompt_tokens_details: self.detail(prompt),
            candidates_tokens_details: self.detail(candidates),
            thoughts_token_count: THOUGHTS,
        }
    }

    fn response<'a>(&'a self, text: &'a str, last: bool, unary: bool) -> Response<'a> {
        let mut parts = vec![Part::Text { text }];
        if let Some(Call { name, arguments }) = self.call.as_ref().filter(|_| last) {
            parts.push(Part::Call(json!({ "functionCall": { "name": name, "args": arguments } })));
        }
        Response {
            candidates: [Candidate {
                content: ModelContent { role: "model", parts },
                finish_reason: last.then(|| self.value("STOP", 1)),
                avg_logprobs: unary.then_some(-0.25),
            }],
            usage_metadata: Usage {
                counts: last.then(|| self.counts()),
                traffic_type: self.value("ON_DEMAND", 1),
            },
            model_version: &self.model,
            create_time: &self.created,
            response_id: &self.id,
        }
    }

    pub fn unary(&self) -> String {
        pretty(&self.response(&self.text, true, true))
    }

    pub fn count_tokens(&self) -> String {
        let total_tokens = tokens(self.prompt_chars);
        pretty(&Counted {
            total_tokens,
            total_billable_characters: self.prompt_chars,
            prompt_tokens_details: self.detail(total_tokens),
        })
    }

    /// Part `index` of a stream of `of` parts: their texts together are the unary text. Only the
    /// last one has counts, as on Vertex.
    pub fn part(&self, index: usize, of: usize, one_line: bool) -> String {
        let text = self.piece(index, of);
        let response = self.response(&text, index + 1 == of, false);
        if one_line {
            serde_json::to_string(&response).unwrap_or_default()
        } else {
            pretty(&response)
        }
    }
}

pub fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
