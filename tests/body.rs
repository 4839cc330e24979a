//! What a body asks for, in every dialect and spelling; and what is no strict JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::bodies::{scan, text};
use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::{Body, Media, Route, routes};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn a_prompt_and_functions_of_the_callers_own_ask_for_nothing() {
    for body in [
        json!({}),
        json!({ "contents": [{ "role": "user", "parts": [{ "text": "see gs://b/x and https://x" }] }] }),
        json!({ "contents": [], "tools": [{ "functionDeclarations": [{ "name": "f",
            "parameters": { "type": "object", "properties": {
                "url": { "type": "string" }, "tools": {}, "cachedContent": "x" } } }] }] }),
        json!({ "contents": [{ "parts": [
            { "functionCall": { "name": "f", "args": { "fileUri": "gs://b/x", "tools": [{}] } } },
            { "functionResponse": { "name": "f", "response": { "uri": "https://x" } } } ] }] }),
        json!({ "generationConfig": { "responseSchema": { "properties": { "uri": { "type": "string" } } },
            "response_json_schema": { "tools": [1] } }, "labels": { "tools": "x" } }),
        json!({ "messages": [], "tools": [{ "type": "function", "function": { "name": "f",
            "description": "d", "parameters": { "url": "x" }, "strict": true } }] }),
        json!({ "messages": [{ "role": "assistant", "content": [
            { "type": "tool_use", "id": "1", "name": "f", "input": { "url": "https://x" } } ] }],
            "tools": [{ "name": "f", "input_schema": { "url": "x" }, "cache_control": {} },
                      { "type": "custom", "name": "g", "input_schema": {} }] }),
        json!({ "messages": [{ "role": "user", "content": [
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } } ] }] }),
        json!({ "contents": [{ "parts": [{ "inlineData": { "mimeType": "image/png", "data": "AA==" } }] }] }),
        json!({ "cachedContent": null, "model": null, "tools": null }),
        // What a search found comes back with the next turn.
        json!({ "messages": [{ "role": "assistant", "content": [
            { "type": "web_search_tool_result", "tool_use_id": "1", "content": [
                { "type": "web_search_result", "url": "https://x", "title": "t", "encrypted_content": "e" } ] },
            { "type": "text", "text": "https://x", "citations": [{ "url": "https://x" }] },
            { "type": "search_result", "source": "https://x", "content": [{ "type": "text", "text": "t" }] } ] }] }),
        json!({ "input": [{ "content": [{ "type": "output_text", "text": "t",
            "annotations": [{ "type": "url_citation", "url": "https://x" }] }] }] }),
        json!({ "input": [{ "type": "function_call_output", "output": "https://x" }] }),
        json!({ "messages": [{ "role": "user", "content": [
            { "type": "image_url", "image_url": { "url": "DATA:image/png;base64,AA==" } } ] }] }),
        // The caller's own functions, with all that the libraries write of one.
        json!({ "tools": [
            { "name": "f", "input_schema": {}, "eager_input_streaming": true, "allowed_callers": ["direct"] },
            { "type": "custom", "custom": { "name": "g", "format": { "type": "text" } } },
            { "type": "custom", "name": "h", "format": { "type": "grammar" } } ] }),
        json!({ "functions": [{ "name": "f", "parameters": { "tools": {}, "session": "x", "url": "y" } }] }),
        json!({ "model": { "displayName": "an upload" } }),
        json!({ "prompt": "gs://b/x", "generationConfig": { "candidateCount": null } }),
        // Tools of Claude's that the caller's own code carries out.
        json!({ "tools": [
            { "type": "bash_20250124", "name": "bash" },
            { "type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9 },
            { "type": "memory_20250818", "name": "memory" },
            { "type": "computer_20251124", "name": "computer", "display_width_px": 9, "cache_control": {} } ] }),
    ] {
        let asked = Body { media: Media::default(), ..scan(&body) };
        assert_eq!(asked, Body::default(), "{body}");
    }
}

#[test]
fn tools_are_named_whatever_the_dialect() {
    for (body, tools) in [
        (json!({ "tools": [{ "googleSearch": {} }] }), vec!["googleSearch"]),
        (
            json!({ "tools": [{ "google_search": {} }, { "codeExecution": {} }] }),
            vec!["google_search", "codeExecution"],
        ),
        (
            json!({ "tools": [{ "functionDeclarations": [], "urlContext": {} }] }),
            vec!["urlContext"],
        ),
        (json!({ "tools": [{ "neverHeardOf": { "x": 1 } }] }), vec!["neverHeardOf"]),
        (
            json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search", "max_uses": 5 }] }),
            vec!["web_search_20250305"],
        ),
        (
            json!({ "tools": [{ "type": "bash_20250124", "name": "bash" },
                { "type": "code_execution_20250825", "name": "code_execution" },
                { "type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex" },
                { "type": "mcp_toolset", "mcp_server_name": "m" } ] }),
            vec!["code_execution_20250825", "tool_search_tool_regex_20251119", "mcp_toolset"],
        ),
        (
            json!({ "tools": [{ "type": "bash_20250124", "googleSearch": {} }] }),
            vec!["googleSearch"],
        ),
        (json!({ "tools": [{ "type": "bash_code_execution" }] }), vec!["bash_code_execution"]),
        (json!({ "tools": [{ "type": "bash_2025012" }] }), vec!["bash_2025012"]),
        (json!({ "tools": [{ "type": "Bash_20250124" }] }), vec!["Bash_20250124"]),
        (json!({ "tools": [{ "type": "_20250124" }] }), vec!["_20250124"]),
        (json!({ "tools": [{ "type": "function", "googleSearch": {} }] }), vec!["googleSearch"]),
        (
            json!({ "codeExecutionRewardScorer": { "pythonCodeSnippet": "x" } }),
            vec!["pythonCodeSnippet"],
        ),
        (
            json!({ "tools": [{ "type": "web_search", "googleSearch": {} }] }),
            vec!["web_search", "googleSearch"],
        ),
        (json!({ "web_search_options": {} }), vec!["web_search_options"]),
        (json!({ "mcp_servers": [{ "name": "m" }] }), vec!["mcp_servers"]),
        (
            json!({ "extra_body": { "google": { "tools": [{ "googleSearch": {} }] } } }),
            vec!["googleSearch"],
        ),
        (json!({ "serviceAccount": "x@y" }), vec!["serviceAccount"]),
    ] {
        assert_eq!(scan(&body).tools, tools, "{body}");
    }
    let nested = json!({ "tools": [{ "retrieval": { "vertexAiSearch": { "engine": "gs" },
        "x": { "dataUri": "gs://b/x" } } }] });
    assert_eq!(scan(&nested).file_uris, ["gs://b/x"]);
}

#[test]
fn what_google_reads_and_writes_is_found() {
    for (body, reads) in [
        (
            json!({ "contents": [{ "parts": [{ "fileData": { "fileUri": "gs://b/x" } }] }] }),
            "gs://b/x",
        ),
        (
            json!({ "contents": [{ "parts": [{ "file_data": { "file_uri": "gs://b/x" } }] }] }),
            "gs://b/x",
        ),
        (
            json!({ "system_instruction": { "parts": [{ "fileData": { "fileUri": "gs://b/x" } }] } }),
            "gs://b/x",
        ),
        (
            json!({ "contents": [{ "parts": [{ "functionResponse": { "response": {}, "parts": [
            { "fileData": { "fileUri": "https://h/x" } } ] } }] }] }),
            "https://h/x",
        ),
        (
            json!({ "messages": [{ "content": [{ "image_url": { "url": "gs://b/x" } }] }] }),
            "gs://b/x",
        ),
        (
            json!({ "input": [{ "content": [{ "type": "input_image", "image_url": "https://h/x" }] }] }),
            "https://h/x",
        ),
        (
            json!({ "messages": [{ "content": [{ "type": "image", "source": { "type": "url", "url": "https://h/x" } }] }] }),
            "https://h/x",
        ),
        (
            json!({ "messages": [{ "content": [{ "type": "tool_result", "content": [
            { "type": "document", "source": { "type": "url", "url": "https://h/x" } } ] }] }] }),
            "https://h/x",
        ),
        (json!({ "instances": [{ "image": { "gcsUri": "gs://b/x" } }] }), "gs://b/x"),
        (json!({ "inputConfig": { "gcsSource": { "uris": ["gs://b/x"] } } }), "gs://b/x"),
        (json!({ "supervisedTuningSpec": { "trainingDatasetUri": "gs://b/x" } }), "gs://b/x"),
    ] {
        assert_eq!(
            scan(&body),
            Body { file_uris: vec![reads.to_owned()], ..Body::default() },
            "{body}"
        );
    }
    for body in [
        json!({ "parameters": { "storageUri": "gs://b/x" } }),
        json!({ "parameters": { "storage_uri": "gs://b/x" } }),
        json!({ "outputConfig": { "gcsDestination": { "outputUriPrefix": "gs://b/x" } } }),
        json!({ "outputConfig": { "bigqueryDestination": { "outputUri": "gs://b/x" } } }),
        json!({ "output_config": { "x": { "uri": "gs://b/x" } } }),
        json!({ "generationConfig": { "responseFormat": [{ "video": { "gcsUri": "gs://b/x" } }] } }),
        json!({ "distillationSpec": { "pipelineRootDirectory": "gs://b/x" } }),
    ] {
        let writes = Body { output_uris: vec!["gs://b/x".to_owned()], ..Body::default() };
        assert_eq!(scan(&body), writes, "{body}");
    }
}

#[test]
fn an_address_counts_wherever_it_is_no_prose() {
    for body in [
        json!({ "messages": [{ "content": [{ "input_audio": { "data": "gs://b/x" } }] }] }),
        json!({ "messages": [{ "content": [{ "image_url": { "data": "https://b/x" } }] }] }),
        json!({ "messages": [{ "content": [{ "file": { "file_data": "gs://b/x" } }] }] }),
        json!({ "contents": [{ "parts": [{ "fileData": { "fileUri": { "x": "gs://b/x" } } }] }] }),
        json!({ "contents": [{ "parts": [{ "anySchema": { "fileUri": "gs://b/x" } }] }] }),
        json!({ "neverHeardOf": "gs://b/x" }),
        json!({ "customBaseModel": "gs://b/x" }),
        json!({ "tools": [{ "type": "mcp", "server_url": "https://b/x" }] }),
        json!({ "tools": [{ "retrieval": { "externalApi": { "endpoint": "https://b/x" } } }] }),
        json!({ "input": [{ "type": "function_call_output",
            "output": [{ "type": "input_image", "image_url": "gs://b/x" }] }] }),
        json!({ "messages": [{ "content": [{ "type": "tool_result", "content": [
            { "type": "image", "source": { "type": "url", "url": "https://b/x" } } ] }] }] }),
    ] {
        let found = scan(&body);
        assert_eq!(found.file_uris.len(), 1, "{body}");
        assert!(found.output_uris.is_empty(), "{body}");
    }
    for body in [
        json!({ "messages": [{ "content": "gs://b/x" }] }),
        json!({ "input": "https://b/x" }),
        json!({ "neverHeardOf": "see gs://b/x" }),
        json!({ "neverHeardOf": "://" }),
        json!({ "audio": { "data": "AA==" } }),
    ] {
        assert_eq!(scan(&body), Body::default(), "{body}");
    }
}

#[test]
fn a_tools_settings_count_as_they_would_anywhere() {
    for (settings, state) in [
        (json!({ "type": "code_interpreter", "container": "c1" }), "c1"),
        (json!({ "type": "file_search", "vector_store_ids": ["v1"] }), "v1"),
        (json!({ "retrieval": { "vertexAiSearch": { "datastore": "d1" } } }), "d1"),
        (
            json!({ "retrieval": { "vertexRagStore": { "ragResources": [{ "ragCorpus": "r1" }] } } }),
            "r1",
        ),
    ] {
        let found = scan(&json!({ "tools": [settings] }));
        assert_eq!(
            (found.stored_state.as_slice(), found.tools.len()),
            (&[state.to_owned()][..], 1)
        );
    }
    let located = json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search",
        "user_location": { "type": "approximate", "city": "Berlin" }, "allowed_domains": ["x"] }] });
    assert_eq!(scan(&located).tools, ["web_search_20250305"]);
}

#[test]
fn what_interactions_and_responses_are_made_of_is_seen() {
    let stored = |body: Value| scan(&body).stored_state;
    assert_eq!(stored(json!({ "environment": "env_1" })), ["env_1"]);
    let made = scan(&json!({ "environment": { "environment_id": "env_1",
        "sources": [{ "type": "gcs", "source": "gs://b/" }] } }));
    assert_eq!(
        (made.tools.as_slice(), made.stored_state.as_slice()),
        (&["environment".to_owned()][..], &["env_1".to_owned()][..])
    );
    assert_eq!(made.file_uris, ["gs://b/"]);
    assert_eq!(scan(&json!({ "agent": "deep-research" })).tools, ["agent"]);
    assert_eq!(stored(json!({ "prompt": { "id": "pmpt_1" } })), ["pmpt_1"]);
    assert_eq!(stored(json!({ "messages": [{ "audio": { "id": "audio_1" } }] })), ["audio_1"]);
}

#[test]
fn stored_state_and_templates_are_found() {
    for body in [
        json!({ "cachedContent": "s" }),
        json!({ "cached_content": "s" }),
        json!({ "extra_body": { "google": { "cached_content": "s" } } }),
        json!({ "previous_response_id": "s" }),
        json!({ "conversation": { "id": "s" } }),
        json!({ "input": [{ "output": [{ "type": "input_file", "file_id": "s" }] }] }),
        json!({ "outputConfig": { "cachedContent": "s" } }),
        json!({ "continuationToken": "s" }),
        json!({ "inputConfig": { "vertexMultimodalDatasetSource": { "datasetName": "s" } } }),
        json!({ "preTunedModel": { "tunedModelName": "s" } }),
        json!({ "messages": [{ "content": [{ "source": { "type": "file", "file_id": "s" } }] }] }),
        json!({ "container": { "skills": [{ "skill_id": "s" }] } }),
    ] {
        let named = Body { stored_state: vec!["s".to_owned()], ..Body::default() };
        assert_eq!(scan(&body), named, "{body}");
    }
    let voice = |name: &str| {
        scan(
            &json!({ "generationConfig": { "speechConfig": { "voiceConfig": { "voice": name } } } }),
        )
    };
    assert_eq!(voice("voice_other").stored_state, ["voice_other"]);
    assert_eq!(voice("voicekey_other").stored_state, ["voicekey_other"]);
    assert_eq!(voice("Kore"), Body::default());
    let armor =
        json!({ "modelArmorConfig": { "promptTemplateName": "p", "responseTemplateName": "r" } });
    assert_eq!(scan(&armor).model_armor_templates, ["p", "r"]);
}

#[test]
fn the_largest_limit_on_output_counts() {
    for (body, limit) in [
        (json!({ "generationConfig": { "maxOutputTokens": 100 } }), Some(100)),
        (json!({ "generation_config": { "max_output_tokens": 100 } }), Some(100)),
        (json!({ "generationConfig": { "maxOutputTokens": "100" } }), Some(100)),
        (json!({ "generationConfig": { "maxOutputTokens": 100.0 } }), Some(100)),
        (json!({ "generationConfig": { "maxOutputTokens": 100.5 } }), Some(u64::MAX)),
        (json!({ "generationConfig": { "maxOutputTokens": -1 } }), Some(u64::MAX)),
        (json!({ "generationConfig": { "maxOutputTokens": "1e9" } }), Some(u64::MAX)),
        (json!({ "generationConfig": { "maxOutputTokens": true } }), Some(u64::MAX)),
        (json!({ "generationConfig": { "maxOutputTokens": 0 } }), Some(u64::MAX)),
        (json!({ "generationConfig": { "maxOutputTokens": null } }), None),
        (json!({ "generationConfig": { "maxOutputTokens": 5 }, "max_tokens": 7 }), Some(7)),
        (json!({ "contents": [{ "maxOutputTokens": 7 }] }), None),
    ] {
        let said = scan(&body).max_output_tokens(route("generateContent"));
        assert_eq!(said, limit, "{body}");
    }
}

fn route(method: &str) -> &'static Route {
    routes().iter().find(|route| route.method == method).expect("a route")
}

#[test]
fn a_limit_is_that_of_all_answers_together() {
    let (gemini, chat) = (route("generateContent"), route("chat.completions"));
    for (route, body, most) in [
        (gemini, json!({ "generationConfig": { "maxOutputTokens": 100 } }), Some(100)),
        (
            gemini,
            json!({ "generationConfig": { "maxOutputTokens": 100, "candidateCount": 8 } }),
            Some(800),
        ),
        (
            gemini,
            json!({ "generation_config": { "max_output_tokens": 100, "candidate_count": "8" } }),
            Some(800),
        ),
        (chat, json!({ "max_tokens": 100, "n": 128 }), Some(12_800)),
        (chat, json!({ "max_tokens": 100, "n": 0 }), Some(100)),
        (chat, json!({ "max_tokens": 100, "n": 1.5 }), Some(u64::MAX)),
        (chat, json!({ "max_tokens": 100, "n": 2, "best_of": 3 }), Some(600)),
        (chat, json!({ "n": 2 }), None),
        (
            route("rawPredict"),
            json!({ "max_tokens": 9, "fallbacks": [{ "max_tokens": 900 }] }),
            Some(900),
        ),
        (
            route("rawPredict"),
            json!({ "max_tokens": 9, "tools": [{ "type": "advisor", "max_tokens": 900 }] }),
            Some(900),
        ),
    ] {
        assert_eq!(scan(&body).max_output_tokens(route), most, "{body}");
    }
}

#[test]
fn a_limit_counts_only_where_its_api_looks_for_it() {
    let gemini = json!({ "generationConfig": { "maxOutputTokens": 5 } });
    let gemini_snake = json!({ "generation_config": { "max_output_tokens": 5 } });
    let tokens = json!({ "max_tokens": 5 });
    let completion = json!({ "max_completion_tokens": 5 });
    let output = json!({ "max_output_tokens": 5 });
    let nowhere = [
        json!({ "maxTokens": 5 }),
        json!({ "MAX_TOKENS": 5 }),
        json!({ "max_tokens_to_sample": 5 }),
        json!({ "parameters": { "maxOutputTokens": 5 } }),
        json!({ "generationConfig": { "max_tokens": 5 } }),
        json!({ "generationConfig": { "MaxOutputTokens": 5 } }),
    ];
    let places = [&gemini, &gemini_snake, &tokens, &completion, &output];
    for (method, heeded) in [
        ("generateContent", &[&gemini, &gemini_snake][..]),
        ("streamGenerateContent", &[&gemini, &gemini_snake]),
        ("stateful/interactions.create", &[&gemini, &gemini_snake]),
        ("chat.completions", &[&tokens, &completion]),
        ("openapi.completions", &[&tokens]),
        ("rawPredict", &[&tokens]),
        ("streamRawPredict", &[&tokens]),
        ("stateful/responses.create", &[&output]),
    ] {
        assert!(route(method).takes_cap(), "{method}");
        for body in places.into_iter().chain(&nowhere) {
            let limit = heeded.contains(&body).then_some(5);
            assert_eq!(scan(body).max_output_tokens(route(method)), limit, "{method} {body}");
        }
    }
    let others = routes().iter().filter(|route| !route.takes_cap()).count();
    assert!(others > 50);
    assert_eq!(scan(&tokens).max_output_tokens(route("predict")), Some(5));
}

#[test]
fn beside_a_type_only_what_holds_no_object_is_a_setting() {
    for (tool, found) in [
        (json!({ "type": "function", "googleSearch": [{}] }), &["googleSearch"][..]),
        (json!({ "type": "function", "googleSearch": [[{}]] }), &["googleSearch"]),
        (json!({ "type": "function", "googleSearch": ["x", {}] }), &["googleSearch"]),
        (json!({ "type": "custom", "name": "f", "code_execution": [{}] }), &["code_execution"]),
        (json!({ "Type": "function", "googleSearch": true }), &["Type", "googleSearch"]),
        (json!({ "type": null, "googleSearch": true }), &["googleSearch"]),
        (json!({ "type": "function", "USER_LOCATION": {} }), &["USER_LOCATION"]),
        (json!({ "type": "function", "function": { "name": "f" }, "strict": true }), &[]),
        (json!({ "type": "function", "name": "f", "newSetting": ["x", 1, null] }), &[]),
        (
            json!({ "type": "web_search_20250305", "name": "web_search", "max_uses": 5,
                "allowed_domains": ["x"], "user_location": { "type": "approximate" } }),
            &["web_search_20250305"],
        ),
        (
            json!({ "type": "file_search", "vector_store_ids": ["v1"], "max_num_results": 5,
                "filters": [{ "key": "k" }], "rankingOptions": { "ranker": "auto" } }),
            &["file_search"],
        ),
    ] {
        assert_eq!(scan(&json!({ "tools": [tool] })).tools, found, "{tool}");
    }
}

#[test]
fn a_member_in_a_spelling_of_no_api_limits_and_hides_nothing() {
    let gemini = route("generateContent");
    for name in ["GenerationConfig", "generationconfig", "generation_Config", "GENERATION_CONFIG"] {
        let body = scan(&json!({ name: { "maxOutputTokens": 5, "candidateCount": 2 } }));
        assert_eq!((body.max_output_tokens(gemini), body.answers), (None, None), "{name}");
    }
    assert!(scan(&json!({ "stream": true })).is_streamed);
    for name in ["Stream", "STREAM", "stre_am"] {
        assert!(!scan(&json!({ name: true })).is_streamed, "{name}");
    }
    for body in [
        json!({ "N": 3 }),
        json!({ "BestOf": 3 }),
        json!({ "generationConfig": { "CandidateCount": 3 } }),
    ] {
        assert_eq!(scan(&body).answers, None, "{body}");
    }
    let address = json!({ "url": "gs://b/x" });
    for name in ["labels", "responseSchema", "response_schema"] {
        assert_eq!(scan(&json!({ name: address })), Body::default(), "{name}");
    }
    for name in ["LABELS", "Labels", "responseschema", "ResponseSchema", "meta_data"] {
        assert_eq!(scan(&json!({ name: address })).file_uris, ["gs://b/x"], "{name}");
    }
}

#[test]
fn what_is_not_strict_json_is_refused_and_its_twin_is_read() {
    assert!(text(r#" {"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]} "#).is_ok());
    for crooked in [
        "",
        " ",
        "null",
        "[]",
        "\"x\"",
        "1",
        "true",
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":1}"#,
        r#"{"x":{"args":{"a":1,"a":2}}}"#,
        r#"{"fileUri":"a","file_uri":"b"}"#,
        r#"{"model":"a","Model":"b"}"#,
        r#"{"model":1}"#,
        r#"{"model":["a"]}"#,
        r#"{"generationConfig":{"maxOutputTokens":[1]}}"#,
        "{\"a\":1} x",
        "{\"a\":1}{}",
        "{\"a\":1}\0",
        "\u{feff}{\"a\":1}",
        r#"{"a":1,}"#,
        r#"{a:1}"#,
        r#"{'a':1}"#,
        r#"{"a":NaN}"#,
        r#"{"a":01}"#,
        r#"{"a":"\ud800"}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":1 /* x */}",
    ] {
        assert_eq!(text(crooked), Err(Reason::BodyNotJson), "{crooked}");
    }
    assert_eq!(Body::scan(b"{\"a\":\"\xff\"}"), Err(Reason::BodyNotJson));
    let utf_16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Body::scan(&utf_16), Err(Reason::BodyNotJson));
    let deep = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    assert!(text(&deep(100)).is_ok());
    assert_eq!(text(&deep(200)), Err(Reason::BodyNotJson));
    let wide = |twice: bool| {
        let names: Vec<_> = (0..4000).map(|index| format!("\"{index}\":0")).collect();
        let again = if twice { ",\"3210\":0" } else { "" };
        text(&format!("{{{}{again}}}", names.join(",")))
    };
    assert!(wide(false).is_ok());
    assert_eq!(wide(true), Err(Reason::BodyNotJson));
}

/// Members that APIs read: where they stand, as Google's documents and the libraries spell them.
const READ: &[(&[&str], &[&str])] = &[
    (&[], &["model"]),
    (&[], &["baseModel", "base_model"]),
    (&[], &["operationName", "operation_name"]),
    (&[], &["generationConfig", "generation_config"]),
    (&[], &["max_tokens"]),
    (&[], &["max_completion_tokens"]),
    (&[], &["max_output_tokens"]),
    (&[], &["stream"]),
    (&[], &["n"]),
    (&[], &["best_of", "bestOf"]),
    (&[], &["labels"]),
    (&[], &["tools"]),
    (&[], &["cachedContent", "cached_content"]),
    (&["generationConfig"], &["maxOutputTokens", "max_output_tokens"]),
    (&["generationConfig"], &["candidateCount", "candidate_count"]),
    (&["generationConfig"], &["responseSchema", "response_schema"]),
    (&["tools"], &["type"]),
    (&["tools"], &["function"]),
    (&["tools"], &["functionDeclarations", "function_declarations"]),
];

/// Bodies of callers who ask for this and that.
fn honest() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({ "tools": {} }),
        json!({ "generationConfig": {}, "tools": {} }),
        json!({ "model": "google/g", "generationConfig": { "maxOutputTokens": 9 }, "tools": {} }),
        json!({ "generationConfig": { "candidateCount": 2 }, "tools": { "googleSearch": true } }),
        json!({ "max_tokens": 9, "n": 2, "stream": true, "generationConfig": {},
            "tools": { "googleSearch": ["x"], "codeExecution": {} } }),
        json!({ "model": "google/g", "generationConfig": {}, "cachedContent": "c",
            "tools": { "type": "web_search_2", "max_uses": 5 } }),
    ])
}

/// A name with letters in another case and `_` put in, as `changes` say.
fn misspelt(name: &str, changes: &[u8]) -> String {
    let mut written = String::new();
    for (letter, change) in name.chars().zip(changes.iter().cycle()) {
        match change {
            0 => written.extend(['_', letter]),
            1 => written.extend(letter.to_uppercase()),
            2 => written.extend(letter.to_lowercase()),
            _ => written.push(letter),
        }
    }
    written
}

/// Whether all of `less` is among `more`.
fn within(less: &[String], more: &[String]) -> bool {
    less.iter().all(|text| more.contains(text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn a_member_that_no_api_reads_grants_nothing_that_the_body_without_it_would_not_have(
        body in honest(),
        read in prop::sample::select(READ),
        changes in prop::collection::vec(0_u8..6, 1..24),
        value in prop::sample::select(vec![
            json!(1), json!(true), json!("function"), json!("google/g"), json!(null), json!([{}]),
            json!({ "maxOutputTokens": 1 }), json!({ "googleSearch": {} }), json!(["gs://b/x"]),
        ]),
    ) {
        let (place, spellings) = read;
        let name = misspelt(spellings[0], &changes);
        prop_assume!(!spellings.contains(&name.as_str()));
        let mut with = body.clone();
        let object = place.iter().fold(&mut with, |value, step| &mut value[step]);
        prop_assume!(object.get(&name).is_none());
        object[&name] = value;
        let without = scan(&body);
        // Where it is refused it grants nothing either.
        if let Ok(with) = text(&with.to_string()) {
            prop_assert_eq!((&with.model, &with.base_model), (&without.model, &without.base_model));
            prop_assert_eq!(with.is_streamed, without.is_streamed);
            prop_assert_eq!(with.answers, without.answers);
            for route in routes().iter().filter(|route| route.takes_cap()) {
                let (limit, before) = (with.max_output_tokens(route), without.max_output_tokens(route));
                prop_assert!(limit.is_some() == before.is_some() && limit >= before, "{}", name);
            }
            prop_assert!(within(&without.tools, &with.tools), "{:?}", with.tools);
            prop_assert!(within(&without.stored_state, &with.stored_state));
            prop_assert!(within(&without.file_uris, &with.file_uris));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Body::scan(&bytes);
    }

    #[test]
    fn a_uri_is_found_wherever_it_stands_but_in_the_callers_own_data(
        path in prop::collection::vec("[a-z]{1,6}|parts|contents|tools|messages|content", 0..6),
        spelling in prop::sample::select(vec!["fileUri", "file_uri", "gcsUri", "url"]),
    ) {
        // The `url` of a search's result says where it was found.
        let found_there = spelling == "url" && path.iter().rev().find(|name| *name != "content").is_some_and(|name| name == "messages") && path.last().is_some_and(|name| name == "content");
        let free = found_there || path.iter().any(|name| name == "labels" || name == "metadata" || name.ends_with("schema"));
        let body = path.iter().rev().fold(json!({ spelling: "gs://b/x" }), |inner, name| json!({ name: [inner] }));
        let found = scan(&body);
        let seen = found.file_uris.len() + found.tools.len() + found.output_uris.len() + found.stored_state.len();
        prop_assert!(free || seen > 0, "{}", body);
    }
}
