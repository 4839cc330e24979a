//! The model that a body names: in every form that clients write, and beside the one in the path.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::{Body, Model, Target};
use serde_json::{Value, json};

const PLACE: &str = "/v1/projects/acme-ml/locations/us-central1";

fn named(path: &str, body: &Value) -> Result<(String, String), Reason> {
    let url = format!("{PLACE}{path}");
    let body = Body::scan(body.to_string().as_bytes())?;
    let target = Target::parse("POST", &url)
        .unwrap()
        .with_body(&body)
        .map_err(|misnamed| misnamed.reason)?;
    let Model { publisher, name } = target.model.unwrap();
    Ok((publisher.to_owned(), name.to_owned()))
}

#[test]
fn the_model_in_a_body_is_read_in_every_form_that_clients_write() {
    let chat = "/endpoints/openapi/chat/completions";
    let count = "/publishers/anthropic/models/count-tokens:rawPredict";
    let in_place = |rest: &str| format!("{}/{rest}", &PLACE[4..]);
    for (path, model, expected) in [
        (chat, "google/gemini-2.5-flash", Ok(("google", "gemini-2.5-flash"))),
        (chat, "gemini-2.5-flash", Ok(("google", "gemini-2.5-flash"))),
        (chat, "meta/llama-4@001", Ok(("meta", "llama-4@001"))),
        (chat, "publishers/google/models/gemini-2.5-pro", Ok(("google", "gemini-2.5-pro"))),
        (chat, &in_place("publishers/google/models/g"), Ok(("google", "g"))),
        (chat, &in_place("endpoints/4711"), Ok(("endpoints", "4711"))),
        (chat, "endpoints/4711", Ok(("endpoints", "4711"))),
        (count, "claude-sonnet-4-5@20250929", Ok(("anthropic", "claude-sonnet-4-5@20250929"))),
        (
            chat,
            "projects/other/locations/us-central1/publishers/google/models/g",
            Err(Reason::ModelMismatch),
        ),
        (
            chat,
            "projects/acme-ml/locations/global/publishers/google/models/g",
            Err(Reason::ModelMismatch),
        ),
        (chat, "", Err(Reason::ModelMissing)),
        (chat, "a/b/c", Err(Reason::ModelMissing)),
        (chat, "google/../x", Err(Reason::ModelMissing)),
        (chat, "google/gemini%2d", Err(Reason::ModelMissing)),
        (chat, "publishers/endpoints/models/4711", Err(Reason::ModelMissing)),
        (chat, "Google/gemini", Err(Reason::ModelMissing)),
        (chat, "google/gemini|x", Err(Reason::ModelMissing)),
    ] {
        let named = named(path, &json!({ "model": model }));
        let expected = expected.map(|(publisher, name)| (publisher.to_owned(), name.to_owned()));
        assert_eq!(named, expected, "{path} {model}");
    }
    assert_eq!(named(chat, &json!({})), Err(Reason::ModelMissing));
    let tuning = json!({ "baseModel": "gemini-2.5-flash" });
    assert_eq!(named("/tuningJobs", &tuning).unwrap().1, "gemini-2.5-flash");
}

#[test]
fn a_member_in_a_spelling_of_no_api_names_no_model() {
    let chat = "/endpoints/openapi/chat/completions";
    let model = "google/gemini-2.5-flash";
    assert!(named(chat, &json!({ "model": model })).is_ok());
    for name in ["Model", "MODEL", "mo_del", "model_", "_model", "mOdel"] {
        assert_eq!(named(chat, &json!({ name: model })), Err(Reason::ModelMissing), "{name}");
        // It still must not be another one than the one that is named.
        let path = "/publishers/google/models/gemini-2.5-flash:generateContent";
        assert!(named(path, &json!({ name: model })).is_ok(), "{name}");
        let other = json!({ name: "google/gemini-2.5-pro" });
        assert_eq!(named(path, &other), Err(Reason::ModelMismatch), "{name}");
    }
    let tuning = |name: &str| named("/tuningJobs", &json!({ name: "gemini-2.5-flash" }));
    assert!(tuning("baseModel").is_ok() && tuning("base_model").is_ok());
    for name in ["BaseModel", "basemodel", "base_Model", "BASE_MODEL"] {
        assert_eq!(tuning(name), Err(Reason::ModelMissing), "{name}");
    }
}

fn routing(config: &Value) -> Value {
    json!({ "generationConfig": { "routingConfig": config } })
}

#[test]
fn a_body_that_names_another_model_than_the_path_is_refused() {
    let path = "/publishers/google/models/gemini-2.5-flash:generateContent";
    for (body, same) in [
        (json!({}), true),
        (json!({ "model": "gemini-2.5-flash" }), true),
        (json!({ "model": "publishers/google/models/gemini-2.5-flash" }), true),
        (json!({ "model": "google/gemini-2.5-flash" }), true),
        (json!({ "model": "" }), true),
        (json!({ "model": "gemini-2.5-pro" }), false),
        (json!({ "model": "meta/gemini-2.5-flash" }), false),
        (json!({ "mo\u{64}el": "gemini-2.5-pro" }), false),
        (json!({ "Model": "gemini-2.5-pro" }), false),
        (json!({ "requests": [{ "model": "gemini-2.5-flash" }] }), true),
        (json!({ "requests": [{ "model": "gemini-2.5-flash" }, { "model": "x" }] }), false),
        (routing(&json!({ "manualMode": { "modelName": "gemini-2.5-flash" } })), true),
        (routing(&json!({ "manualMode": { "modelName": "gemini-1.5-pro" } })), false),
        (routing(&json!({ "manual_mode": { "model_name": "gemini-1.5-pro" } })), false),
        (
            routing(&json!({ "autoMode": { "modelRoutingPreference": "PRIORITIZE_QUALITY" } })),
            false,
        ),
        (routing(&json!({ "autoMode": {} })), false),
        (routing(&json!({ "autoMode": null })), true),
        (routing(&json!({})), true),
        (json!({ "fallbacks": [{ "model": "gemini-2.5-flash" }] }), true),
        (json!({ "fallbacks": [{ "model": "gemini-2.5-pro", "max_tokens": 5 }] }), false),
        (json!({ "fallbacks": "default" }), false),
        (json!({ "tools": [{ "type": "advisor_20260301", "model": "gemini-2.5-flash" }] }), true),
        (json!({ "tools": [{ "type": "advisor_20260301", "model": "gemini-2.5-pro" }] }), false),
    ] {
        assert_eq!(named(path, &body).is_ok(), same, "{body}");
    }
    let served = "/endpoints/4711/chat/completions";
    for (model, same) in [
        ("", true),
        ("4711", true),
        ("endpoints/4711", true),
        ("4712", false),
        ("google/gemini", false),
    ] {
        assert_eq!(named(served, &json!({ "model": model })).is_ok(), same, "{model}");
    }
}

#[test]
fn a_model_beside_it_may_be_another_of_the_same_place() {
    let path = "/publishers/google/models/gemini-2.5-flash:generateContent";
    let ranked = |model: &str| {
        let ranking = json!({ "llmRanker": { "modelName": model } });
        let store = json!({ "ragRetrievalConfig": { "ranking": ranking } });
        named(path, &json!({ "tools": [{ "retrieval": { "vertexRagStore": store } }] }))
    };
    let own = format!("{}/publishers/google/models/g", &PLACE[4..]);
    for model in ["gemini-2.5-pro", "google/gemini-2.5-pro", "semantic-ranker-512@latest", &own] {
        assert_eq!(ranked(model).unwrap().1, "gemini-2.5-flash", "{model}");
    }
    for (model, reason) in [
        (own.replace("acme-ml", "acme-hr"), Reason::ModelMismatch),
        (own.replace("us-central1", "global"), Reason::ModelMismatch),
        ("a/b/c".to_owned(), Reason::ModelMismatch),
        (String::new(), Reason::ModelMismatch),
    ] {
        assert_eq!(ranked(&model), Err(reason), "{model}");
    }
}

#[test]
fn an_operation_is_one_of_the_model_in_the_path() {
    let path = "/publishers/google/models/veo-3:fetchPredictOperation";
    let operation = format!("{}/publishers/google/models/veo-3/operations/77", &PLACE[4..]);
    let ask = |name: &str| named(path, &json!({ "operationName": name }));
    assert!(ask(&operation).is_ok());
    for other in [
        operation.replace("acme-ml", "acme-hr"),
        operation.replace("us-central1", "global"),
        operation.replace("veo-3", "veo-2"),
        operation.replace("/77", "/77/x"),
        operation.replace("/77", "/.."),
        operation.replace("operations/77", "x"),
        "77".to_owned(),
        String::new(),
    ] {
        assert_eq!(ask(&other), Err(Reason::ModelMismatch), "{other}");
    }
}
