//! Calls of tools: a text that reads `call NAME {…}` is answered with that call, if the request
//! declares the tool.

use serde::Deserialize;
use serde_json::Value;

pub struct Call {
    pub name: String,
    pub arguments: Value,
}

impl Call {
    pub fn asked(text: &str, tools: &[Tool]) -> Option<Self> {
        let (name, arguments) = text.trim().strip_prefix("call ")?.split_once(' ')?;
        let arguments = serde_json::from_str(arguments).ok()?;
        let declared = tools.iter().any(|tool| tool.declares(name));
        declared.then(|| Self { name: name.to_owned(), arguments })
    }
}

/// A declaration in Claude's, OpenAI's or Gemini's shape.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    name: Option<String>,
    function: Option<Function>,
    #[serde(default)]
    function_declarations: Vec<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
}

impl Tool {
    fn declares(&self, name: &str) -> bool {
        let functions = self.function.iter().chain(&self.function_declarations);
        let names = functions.map(|function| function.name.as_str());
        names.chain(self.name.as_deref()).any(|declared| declared == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Answer;
    use crate::http1::Body;
    use serde_json::json;

    fn answer(body: &Value) -> Answer {
        let kept = body.to_string().into_bytes();
        let body = Body { length: 0, sha256: [0; 32], kept, trailers: Vec::new() };
        Answer::new("m", &body, false)
    }

    const ASKED: &str = r#"call look {"at":"x"}"#;

    fn bodies(last: [Value; 3]) -> [Value; 3] {
        let [gemini, claude, chat] = last;
        let system = json!({ "role": "system", "content": "be kind" });
        let (look, function) = (json!({ "name": "look" }), json!({ "function": {"name": "look"} }));
        [
            json!({ "contents": [gemini], "tools": [{ "functionDeclarations": [look] }] }),
            json!({ "messages": [claude, system], "tools": [{ "name": "other" }, look] }),
            json!({ "messages": [chat], "tools": [function] }),
        ]
    }

    #[test]
    fn a_call_in_every_dialect() {
        let text = json!({ "text": ASKED });
        for mut body in bodies([
            json!({ "parts": [text] }),
            json!({ "content": [text, { "text": "be kind" }] }),
            json!({ "content": ASKED }),
        ]) {
            let call = answer(&body).call.unwrap();
            assert_eq!((call.name.as_str(), &call.arguments), ("look", &json!({ "at": "x" })));
            body["tools"] = json!([]);
            assert!(answer(&body).call.is_none());
        }
    }

    #[test]
    fn what_a_tool_gave_is_echoed() {
        for body in bodies([
            json!({ "parts": [{ "functionResponse": { "response": { "output": "seen" } } }] }),
            json!({ "content": [{ "tool_use_id": "t", "content": "seen" }, { "text": "be kind" }] }),
            json!({ "content": "seen", "tool_call_id": "t" }),
        ]) {
            let answer = answer(&body);
            assert!(answer.text.contains("seen"), "{}", answer.text);
            assert!(answer.call.is_none());
        }
    }

    #[test]
    fn shapes() {
        let [_, _, body] = bodies([json!({}), json!({}), json!({ "content": ASKED })]);
        let answer = answer(&body);
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let call = &parse(&answer.unary())["candidates"][0]["content"]["parts"][1];
        assert_eq!(call["functionCall"]["args"]["at"], "x");
        let claude = parse(&answer.claude());
        assert_eq!(claude["content"][1]["input"]["at"], "x");
        assert_eq!(claude["stop_reason"], "tool_use");
        let choice = &parse(&answer.chat())["choices"][0];
        let arguments = &choice["message"]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(arguments, r#"{"at":"x"}"#);
        assert_eq!(choice["finish_reason"], "tool_calls");
        let events = answer.claude_events(0, 1);
        assert!(events.contains(r#""stop_reason":"tool_use""#), "{events}");
        assert!(events.contains(r#""partial_json":"{\"at\":\"x\"}""#), "{events}");
        assert_eq!(answer.chat_event(0, 2).matches("tool_calls").count(), 0);
        assert_eq!(answer.chat_event(1, 2).matches("tool_calls").count(), 2);
    }
}
