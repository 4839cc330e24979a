//! OpenAI's chat as Google's `endpoints/openapi` answers it.

use crate::answers::{Answer, THOUGHTS, pretty};
use crate::clock;
use crate::tools::Call;
use serde_json::{Value, json};

pub const END: &str = "data: [DONE]\n\n";

impl Answer {
    /// Thoughts are not among the completion's tokens, unlike OpenAI's own answers.
    fn chat_usage(&self) -> Value {
        let (prompt, completion) = self.token_counts();
        json!({
            "completion_tokens": completion,
            "completion_tokens_details": { "reasoning_tokens": THOUGHTS },
            "extra_properties": { "google": { "traffic_type": "ON_DEMAND" } },
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion + THOUGHTS,
        })
    }

    fn chat_stop(&self) -> &'static str {
        if self.call.is_some() { "tool_calls" } else { "stop" }
    }

    /// The call as a member of what is said.
    fn chat_call(&self, said: &mut Value) {
        if let Some(Call { name, arguments }) = &self.call {
            let function = json!({ "name": name, "arguments": arguments.to_string() });
            let id = format!("function-call-{}", self.id);
            said["tool_calls"] =
                json!([{ "id": id, "index": 0, "type": "function", "function": function }]);
        }
    }

    fn chat_object(&self, object: &str, choice: Value) -> Value {
        json!({
            "choices": [choice],
            "created": clock::micros() / 1_000_000,
            "id": self.id,
            "model": self.model,
            "object": object,
            "system_fingerprint": "",
        })
    }

    pub fn chat(&self) -> String {
        let mut message = json!({ "content": self.text, "role": "assistant" });
        self.chat_call(&mut message);
        let mut whole = self.chat_object(
            "chat.completion",
            json!({
                "finish_reason": self.chat_stop(),
                "index": 0,
                "logprobs": null,
                "message": message,
            }),
        );
        whole["usage"] = self.chat_usage();
        pretty(&whole)
    }

    /// Part `index` of a stream of `of` parts as one event. The usage comes with the last choices,
    /// whether the request asked for it or not.
    pub fn chat_event(&self, index: usize, of: usize) -> String {
        let last = index + 1 == of;
        let mut delta = json!({ "content": self.piece(index, of), "role": "assistant" });
        if last {
            self.chat_call(&mut delta);
        }
        let mut chunk = self.chat_object(
            "chat.completion.chunk",
            json!({
                "delta": delta,
                "finish_reason": last.then_some(self.chat_stop()),
                "index": 0,
                "logprobs": null,
            }),
        );
        if last {
            chunk["usage"] = self.chat_usage();
        }
        format!("data: {chunk}\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Body;

    const BODY: &str = r#"{"model":"google/g","messages":[{"role":"user","content":"hello"}]}"#;

    fn answer() -> Answer {
        let body = Body {
            length: 0,
            sha256: [0; 32],
            kept: BODY.as_bytes().to_vec(),
            trailers: Vec::new(),
        };
        Answer::new("", &body, false)
    }

    #[test]
    fn unary() {
        let value: Value = serde_json::from_str(&answer().chat()).unwrap();
        assert_eq!(value["model"], "google/g");
        assert_eq!(value["choices"][0]["message"]["content"], "Echo from google/g: hello");
        let usage = &value["usage"];
        assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&2.into(), &7.into()));
        assert_eq!(usage["total_tokens"], 16);
    }

    #[test]
    fn parts_make_the_whole() {
        let answer = answer();
        let mut text = String::new();
        for index in 0..3 {
            let event = answer.chat_event(index, 3);
            let json = event.strip_prefix("data: ").and_then(|e| e.strip_suffix("\n\n")).unwrap();
            assert!(!json.contains('\n'));
            let value: Value = serde_json::from_str(json).unwrap();
            text.push_str(value["choices"][0]["delta"]["content"].as_str().unwrap());
            assert_eq!(value.get("usage").is_some(), index == 2);
        }
        assert_eq!(text, answer.text);
    }
}
