//! Claude's messages as `:rawPredict` and `:streamRawPredict` answer them.

use crate::answers::{Answer, pretty};
use crate::tools::Call;
use serde_json::{Value, json};

/// One server-sent event, named by its type.
fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

pub fn end() -> String {
    event(&json!({ "type": "message_stop" }))
}

/// What went wrong with the model, not with the platform, is told in Anthropic's own shape.
pub fn error(status: u16, id: &str) -> Value {
    let (kind, message) = match status {
        400 => ("invalid_request_error", "The stand-in was told to find a request invalid."),
        _ => ("api_error", "Internal server error (stand-in)"),
    };
    json!({
        "type": "error",
        "error": { "type": kind, "message": message },
        "request_id": format!("req_vrtx_{id}"),
    })
}

pub fn error_event() -> String {
    event(&json!({
        "type": "error",
        "error": { "type": "overloaded_error", "message": "Overloaded (stand-in)" },
    }))
}

impl Answer {
    fn claude_usage(&self, output: usize) -> Value {
        json!({
            "input_tokens": self.token_counts().0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": { "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0 },
            "output_tokens": output,
        })
    }

    fn message(&self, content: Value, stop: Option<&str>, output: usize) -> Value {
        json!({
            "model": self.model,
            "id": format!("msg_vrtx_{}", self.id),
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": stop,
            "stop_sequence": null,
            "usage": self.claude_usage(output),
        })
    }

    fn claude_stop(&self) -> &'static str {
        if self.call.is_some() { "tool_use" } else { "end_turn" }
    }

    fn tool_use(&self, call: &Call, input: Value) -> Value {
        let id = format!("toolu_vrtx_{}", self.id);
        json!({ "type": "tool_use", "id": id, "name": call.name, "input": input })
    }

    pub fn claude(&self) -> String {
        let mut content = vec![json!({ "type": "text", "text": self.text })];
        content.extend(self.call.iter().map(|call| self.tool_use(call, call.arguments.clone())));
        pretty(&self.message(json!(content), Some(self.claude_stop()), self.token_counts().1))
    }

    pub fn claude_count(&self) -> String {
        pretty(&json!({ "input_tokens": self.token_counts().0 }))
    }

    /// The events of part `index` of a stream of `of` parts. Vertex adds one of its own,
    /// `vertex_event`; where exactly is not known, here it is the second.
    pub fn claude_events(&self, index: usize, of: usize) -> String {
        let mut out = String::new();
        if index == 0 {
            let message = self.message(json!([]), None, 1);
            out += &event(&json!({ "type": "message_start", "message": message }));
            let mut usage = self.claude_usage(1);
            usage["cache_creation_input_tokens"] = Value::Null;
            usage["cache_read_input_tokens"] = Value::Null;
            usage["web_search_requests"] = Value::Null;
            usage["tiers"] = json!({ "0-to-200000": usage.clone() });
            out += &event(&json!({ "type": "vertex_event", "usage": usage }));
            let block = json!({ "type": "text", "text": "" });
            out += &event(
                &json!({ "type": "content_block_start", "index": 0, "content_block": block }),
            );
            out += &event(&json!({ "type": "ping" }));
        }
        let delta = json!({ "type": "text_delta", "text": self.piece(index, of) });
        out += &event(&json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
        if index + 1 == of {
            out += &event(&json!({ "type": "content_block_stop", "index": 0 }));
            if let Some(call) = &self.call {
                let block = self.tool_use(call, json!({}));
                let input = call.arguments.to_string();
                let delta = json!({ "type": "input_json_delta", "partial_json": input });
                for data in [
                    json!({ "type": "content_block_start", "index": 1, "content_block": block }),
                    json!({ "type": "content_block_delta", "index": 1, "delta": delta }),
                    json!({ "type": "content_block_stop", "index": 1 }),
                ] {
                    out += &event(&data);
                }
            }
            out += &event(&json!({
                "type": "message_delta",
                "delta": { "stop_reason": self.claude_stop(), "stop_sequence": null },
                "usage": self.claude_usage(self.token_counts().1),
            }));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Body;

    const BODY: &str = r#"{"messages":[{"role":"user","content":"hello"}],"stream":true}"#;

    fn answer() -> Answer {
        let body = Body {
            length: 0,
            sha256: [0; 32],
            kept: BODY.as_bytes().to_vec(),
            trailers: Vec::new(),
        };
        Answer::new("claude-x@1", &body, false)
    }

    fn events(text: &str) -> Vec<Value> {
        let data = text.split("\n\n").filter_map(|event| event.split_once("\ndata: "));
        data.map(|(_, json)| serde_json::from_str(json).unwrap()).collect()
    }

    #[test]
    fn unary() {
        let value: Value = serde_json::from_str(&answer().claude()).unwrap();
        assert_eq!(value["content"][0]["text"], "Echo from claude-x@1: hello");
        assert_eq!(value["usage"]["output_tokens"], 7);
        let counted: Value = serde_json::from_str(&answer().claude_count()).unwrap();
        assert_eq!(counted, json!({ "input_tokens": 2 }));
    }

    #[test]
    fn parts_make_the_whole() {
        let answer = answer();
        for of in [1, 3] {
            let text: String = (0..of).map(|index| answer.claude_events(index, of)).collect();
            let events = events(&(text + &end()));
            let kinds: Vec<_> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
            assert_eq!(
                kinds[..4],
                ["message_start", "vertex_event", "content_block_start", "ping"]
            );
            assert_eq!(kinds[4 + of..], ["content_block_stop", "message_delta", "message_stop"]);
            let deltas = events.iter().filter_map(|e| e["delta"]["text"].as_str());
            assert_eq!(deltas.collect::<String>(), answer.text);
            assert_eq!(events[1]["usage"]["tiers"]["0-to-200000"]["input_tokens"], 2);
        }
    }

    #[test]
    fn errors_name_their_event() {
        assert!(error_event().starts_with("event: error\ndata: {"));
        assert_eq!(error(400, "x")["error"]["type"], "invalid_request_error");
    }
}
