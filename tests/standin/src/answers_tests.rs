use super::*;
use serde_json::{Value, json};

fn answer(body: &str, int_enums: bool) -> Answer {
    let body = Body {
        length: 0,
        sha256: [0xab; 32],
        kept: body.as_bytes().to_vec(),
        trailers: Vec::new(),
    };
    Answer::new("gemini-x", &body, int_enums)
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const BODY: &str = r#"{"contents":[{"role":"user","parts":[{"text":"héllo wörld"},{"x":1}]}]}"#;

#[test]
fn unary() {
    let text = answer(BODY, false).unary();
    assert!(text.starts_with("{\n  \"candidates\": [\n"));
    let value = parse(&text);
    let candidate = &value["candidates"][0];
    assert_eq!(candidate["content"]["parts"][0]["text"], "Echo from gemini-x: héllo wörld");
    assert_eq!(candidate["finishReason"], "STOP");
    let usage = &value["usageMetadata"];
    assert_eq!(usage["promptTokenCount"], 3);
    assert_eq!(usage["candidatesTokenCount"], 8);
    assert_eq!(usage["totalTokenCount"], 18);
    assert_eq!(usage["trafficType"], "ON_DEMAND");
    assert_eq!(answer("no json", false).text, "Echo from gemini-x: body abababababababab");
}

#[test]
fn integers_for_enums() {
    let value = parse(&answer(BODY, true).unary());
    assert_eq!(value["candidates"][0]["finishReason"], 1);
    assert_eq!(value["usageMetadata"]["trafficType"], 1);
    assert_eq!(value["usageMetadata"]["promptTokensDetails"][0]["modality"], 1);
}

#[test]
fn parts_make_the_whole() {
    let answer = answer(BODY, false);
    for of in [1, 5, 200] {
        let mut text = String::new();
        for index in 0..of {
            let line = answer.part(index, of, true);
            assert!(!line.contains('\n'));
            let value = parse(&line);
            text.push_str(value["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap());
            let usage = value["usageMetadata"].as_object().unwrap();
            if index + 1 == of {
                assert_eq!(usage["totalTokenCount"], 18);
            } else {
                assert_eq!(usage.keys().collect::<Vec<_>>(), ["trafficType"]);
            }
        }
        assert_eq!(text, answer.text);
    }
}

#[test]
fn counting() {
    let value = parse(&answer(BODY, false).count_tokens());
    assert_eq!(value["totalTokens"], 3);
    assert_eq!(value["totalBillableCharacters"], json!(11));
}
