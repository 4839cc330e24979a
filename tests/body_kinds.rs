//! What a body names by its kind, where the members beside it tell: below a tool, in an item, in a
//! document.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::bodies::{scan, text};
use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::{Body, Media};
use serde_json::{Value, json};

#[test]
fn what_is_named_below_a_tool_is_seen_by_its_kind() {
    let below = |settings: &Value| scan(&json!({ "tools": [{ "retrieval": settings }] }));
    let retrieval = || Body { tools: vec!["retrieval".to_owned()], ..Body::default() };
    let owned = |text: &str| vec![text.to_owned()];
    for (settings, state) in [
        (json!({ "vertexAiSearch": { "engine": "e1" } }), "e1"),
        (json!({ "vertex_ai_search": { "Engine": "e1" } }), "e1"),
        (json!({ "vertexAiSearch": { "dataStoreSpecs": [{ "dataStore": "d1" }] } }), "d1"),
        (json!({ "vertex_ai_search_config": { "datastores": ["d1"] } }), "d1"),
        (json!({ "vertexRagStore": { "ragCorpora": ["r1"] } }), "r1"),
        (json!({ "vertex_rag_store": { "rag_corpora": ["r1"] } }), "r1"),
    ] {
        let named = Body { stored_state: owned(state), ..retrieval() };
        assert_eq!(below(&settings), named, "{settings}");
    }
    let ranking = |ranking: Value| json!({ "vertexRagStore": { "ragRetrievalConfig": { "ranking": ranking } } });
    for settings in [
        ranking(json!({ "llmRanker": { "modelName": "m1" } })),
        ranking(json!({ "llm_ranker": { "model_name": "m1" } })),
        ranking(json!({ "rankService": { "modelName": "m1" } })),
    ] {
        let named = Body { models_beside: owned("m1"), ..retrieval() };
        assert_eq!(below(&settings), named, "{settings}");
    }
    let auth = |config: Value| json!({ "externalApi": { "authConfig": config } });
    for settings in [
        auth(json!({ "apiKeyConfig": { "apiKeySecret": "s1" } })),
        auth(json!({ "api_key_config": { "api_key_secret": "s1" } })),
        auth(json!({ "httpBasicAuthConfig": { "credentialSecret": "s1" } })),
        auth(json!({ "neverHeardOf": { "someOtherSecret": "s1" } })),
        json!({ "externalApi": { "apiAuth": { "apiKeyConfig": { "apiKeySecretVersion": "s1" } } } }),
    ] {
        assert_eq!(below(&settings), Body { secrets: owned("s1"), ..retrieval() }, "{settings}");
    }
    for (endpoint, address) in [
        ("https://h.example/x", "https://h.example/x"),
        ("http://h.example", "http://h.example"),
        ("https://h.example/a b", "https://h.example/a b"),
        ("h.example:8080/x", "https://h.example:8080/x"),
        ("//h.example/x", "https://h.example/x"),
        ("me@h.example", "https://me@h.example"),
        ("data:x", "https://data:x"),
    ] {
        let settings = json!({ "externalApi": { "endpoint": endpoint } });
        let named = Body { file_uris: owned(address), ..retrieval() };
        assert_eq!(below(&settings), named, "{settings}");
    }
    // Elsewhere these are names like any other.
    for body in [
        json!({ "instances": [{ "engine": "x", "endpoint": "h.example", "modelName": "m",
            "clientSecret": "s" }] }),
        json!({ "tools": [{ "functionDeclarations": [{ "name": "f",
            "parameters": { "engine": "x", "endpoint": "h.example", "apiKeySecret": "s" } }] }] }),
    ] {
        assert_eq!(scan(&body), Body::default(), "{body}");
    }
    let tuning = json!({ "evaluationConfig": { "autoraterConfig": { "autoraterModel": "m1" } },
        "distillationSpec": { "studentModel": "m2", "base_teacher_model": "m3" } });
    let mut judges = scan(&tuning).models_beside;
    judges.sort();
    assert_eq!(judges, ["m1", "m2", "m3"]);
    assert_eq!(text(r#"{"studentModel":["m"]}"#), Err(Reason::BodyNotJson));
}

#[test]
fn an_item_that_says_nothing_else_is_a_reference() {
    let stored = |item: &str| {
        let body = text(&format!("{{\"input\":[{item}]}}")).unwrap();
        assert_eq!(Body { stored_state: vec![], ..body.clone() }, Body::default(), "{item}");
        body.stored_state
    };
    for reference in [
        r#"{"type":"item_reference","id":"m1"}"#,
        r#"{"id":"m1","type":"item_reference"}"#,
        r#"{"id":"m1"}"#,
        r#"{"id":"m1","type":null}"#,
        r#"{"id":"m1","type":1}"#,
        r#"{"id":"m1","type":["message"]}"#,
        r#"{"ID":"m1"}"#,
        r#"{"id":["m1"],"Type":"message"}"#,
        r#"{"id":"m1","role":"user"}"#,
        r#"{"id":"m1","content":"x"}"#,
        r#"{"id":"m1","role":"user","content":null}"#,
        r#"{"role":"user","content":"x"},{"id":"m1","type":"item_reference"}"#,
        r#"{"id":"m1","type":"item_reference","role":"user"}"#,
    ] {
        assert_eq!(stored(reference), ["m1"], "{reference}");
    }
    for item in [
        r#"{"id":"m1","type":"message","role":"user","content":"x"}"#,
        r#"{"id":"m1","role":"assistant","content":[{"type":"output_text","text":"x"}]}"#,
        r#"{"content":"x","role":"user","id":"m1"}"#,
        r#"{"type":"function_call","id":"fc1","call_id":"c","name":"f","arguments":"{}"}"#,
        r#"{"type":"reasoning","id":"rs1","summary":[]}"#,
        r#"{"type":"item_reference","id":null}"#,
        r#""gs://b/x""#,
        r#"{"type":"message","content":[{"type":"input_text","text":"x","id":"m1"}]}"#,
    ] {
        assert!(stored(item).is_empty(), "{item}");
    }
    // An agent's arguments are no items.
    assert_eq!(scan(&json!({ "input": { "id": "m1" } })), Body::default());
    // A type of an item hides no tool.
    let tool = json!({ "input": [{ "type": "message", "agent": "x" }] });
    assert_eq!(scan(&tool).tools, ["agent"]);
}

#[test]
fn a_document_of_text_and_a_label_are_prose() {
    let document = |source: &str| {
        let part =
            format!("{{\"type\":\"document\",\"source\":{source},\"title\":\"https://h/t\"}}");
        let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":[{part}]}}]}}");
        let found = text(&body).unwrap();
        let files = found.file_uris.clone();
        let rest = Body { file_uris: vec![], media: Media::default(), ..found };
        assert_eq!(rest, Body::default(), "{source}");
        files
    };
    for prose in [
        r#"{"type":"text","media_type":"text/plain","data":"https://h/x"}"#,
        r#"{"data":"https://h/x","media_type":"text/plain","type":"text"}"#,
        r#"{"type":"text","data":"see https://h/x"}"#,
    ] {
        assert!(document(prose).is_empty(), "{prose}");
    }
    for read in [
        r#"{"type":"base64","data":"https://h/x"}"#,
        r#"{"data":"https://h/x"}"#,
        r#"{"type":["text"],"data":"https://h/x"}"#,
        r#"{"Type":"text","data":"https://h/x"}"#,
        r#"{"type":"text","Data":"https://h/x"}"#,
        r#"{"type":"text","url":"https://h/x"}"#,
        r#"{"type":"text","data":{"data":"https://h/x"}}"#,
        r#"{"type":"url","url":"https://h/x"}"#,
    ] {
        assert_eq!(document(read), ["https://h/x"], "{read}");
    }
    for name in ["displayName", "display_name", "tunedModelDisplayName"] {
        let file = |name: &str| json!({ "contents": [{ "parts": [{ "inlineData": { name: "https://h/x" } }] }] });
        assert_eq!(scan(&file(name)), Body::default(), "{name}");
        let misspelt = name.to_uppercase();
        assert_eq!(scan(&file(&misspelt)).file_uris, ["https://h/x"], "{misspelt}");
    }
}
