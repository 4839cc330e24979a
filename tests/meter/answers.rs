//! Random answers of every dialect and framing, with what they say.

use haproxy_vertex::meter::Framing;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A body, and the counts line that the meter has to make of it.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) framing: Framing,
    pub(crate) bytes: Vec<u8>,
    pub(crate) counts: String,
}

#[derive(Clone, Debug)]
struct Parts {
    texts: Vec<String>,
    input: u64,
    output: u64,
    thought: u64,
    cached: u64,
    written: u64,
}

/// What a model may be made to write.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{1,40}",
        "[\"\\\\{}\\[\\]:, \r\n\t\u{0}-\u{1f}\u{80}-\u{ff}a]{1,40}",
        select(vec![
            r#""usageMetadata":{"promptTokenCount":999999}"#.to_owned(),
            "\n\ndata: {\"usage\":{\"prompt_tokens\":999999}}\n\ndata: [DONE]\n\n".to_owned(),
            "\"}]}}],\"usage\":{\"input_tokens\":999999}}".to_owned(),
            "x".repeat(300),
            "\\".repeat(33),
            "\u{1F600}\u{2028}".to_owned(),
        ]),
    ]
}

fn parts() -> impl Strategy<Value = Parts> {
    // What was written took a token: an end that says none of it has no last word.
    let counts = (0..1_000_000_u64, 1..100_000_u64, 0..100_000_u64, 0..1000_u64, 0..1000_u64);
    (prop::collection::vec(text(), 1..5), counts).prop_map(
        |(texts, (input, output, thought, cached, written))| Parts {
            texts,
            input,
            output,
            thought,
            cached,
            written,
        },
    )
}

fn gemini(parts: &Parts, is_cumulative: bool) -> (Vec<Value>, String) {
    let Parts { texts, input, output, thought, .. } = parts;
    let last = texts.len() - 1;
    let events = texts.iter().enumerate().map(|(index, text)| {
        let mut event = json!({
            "candidates": [{ "content": { "role": "model", "parts": [
                { "text": text },
                { "functionCall": { "name": "f", "args": { "usageMetadata": { "promptTokenCount": 7 } } } },
            ] } }],
            "usageMetadata": { "trafficType": "ON_DEMAND" },
            "responseId": "r",
        });
        if is_cumulative && index < last {
            event["usageMetadata"] = json!({ "promptTokenCount": input, "totalTokenCount": input });
        }
        if index == last {
            event["candidates"][0]["finishReason"] = json!("STOP");
            event["usageMetadata"] = json!({
                "promptTokenCount": input, "candidatesTokenCount": output,
                "thoughtsTokenCount": thought, "totalTokenCount": input + output + thought,
                "candidatesTokensDetails": [{ "modality": "TEXT", "tokenCount": output }],
            });
        }
        event
    });
    let total = input + output + thought;
    (events.collect(), format!("exact in {input} out {output} thought {thought} total {total}"))
}

fn claude(parts: &Parts) -> (Vec<Value>, String) {
    let Parts { texts, input, output, cached, written, .. } = parts;
    let start = json!({ "type": "message_start", "message": { "id": "msg_1", "content": [], "usage": {
        "input_tokens": input, "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": written, "output_tokens": 0 } } });
    let delta = |text| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } });
    let end = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": output } });
    let events = [start].into_iter().chain(texts.iter().map(delta));
    let events = events.chain([end, json!({ "type": "message_stop" })]);
    let all = input + cached + written;
    let counts = format!(
        "exact in {all} out {output} total {} cached {cached} write {written}",
        all + output
    );
    (events.collect(), counts)
}

fn chat(parts: &Parts, is_beside: bool) -> (Vec<Value>, String) {
    let Parts { texts, input, output, thought, cached, .. } = parts;
    let completion = if is_beside { *output } else { output + thought };
    let usage = json!({ "prompt_tokens": input, "completion_tokens": completion,
        "total_tokens": input + output + thought, "prompt_tokens_details": { "cached_tokens": cached },
        "completion_tokens_details": { "reasoning_tokens": thought } });
    let chunk = |text| json!({ "id": "c", "choices": [{ "index": 0, "delta": { "content": text } }], "usage": null });
    let end =
        json!({ "id": "c", "choices": [{ "delta": {}, "finish_reason": "stop" }], "usage": usage });
    let total = input + output + thought;
    let counts =
        format!("exact in {input} out {output} thought {thought} total {total} cached {cached}");
    (texts.iter().map(chunk).chain([end]).collect(), counts)
}

/// Writes events as lines, each in a random way.
fn lines(events: &[Value], ends: &[usize], is_done: bool) -> Vec<u8> {
    let mut out = String::new();
    for (index, event) in events.iter().enumerate() {
        let style = ends[index % ends.len()];
        let end = ["\n", "\r\n", "\r"][style % 3];
        let space = if style.is_multiple_of(2) { " " } else { "" };
        if style.is_multiple_of(5) {
            out += &format!(": a comment{end}event: some{end}");
        }
        let pretty = style.is_multiple_of(7);
        let text =
            if pretty { serde_json::to_string_pretty(event) } else { serde_json::to_string(event) };
        for line in text.unwrap().split('\n') {
            out += &format!("data:{space}{line}{end}");
        }
        out += end;
    }
    if is_done {
        out += "data: [DONE]\n\n";
    }
    out.into_bytes()
}

pub(crate) fn body() -> impl Strategy<Value = Body> {
    let ends = prop::collection::vec(0..210_usize, 1..4);
    (parts(), 0..8_u8, ends, any::<bool>()).prop_map(|(parts, dialect, ends, flag)| {
        let ((events, counts), is_chat) = match dialect {
            0..=3 => (gemini(&parts, flag), false),
            4 | 5 => (claude(&parts), false),
            _ => (chat(&parts, flag), true),
        };
        let (framing, bytes) = match (dialect, flag) {
            (0, true) => (Framing::Json, serde_json::to_vec_pretty(&events).unwrap()),
            (0 | 1, _) => (Framing::Json, serde_json::to_vec(&events).unwrap()),
            // The last event holds all that an answer which is no stream would.
            (2, _) => (Framing::Json, serde_json::to_vec_pretty(events.last().unwrap()).unwrap()),
            _ => (Framing::EventStream, lines(&events, &ends, is_chat)),
        };
        Body { framing, bytes, counts }
    })
}
