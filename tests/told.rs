//! What a refusal tells the caller to do about it, and its line the operator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::gateway::{
    Ask, BACKENDS, BODY, Said, URL, decide, member, member_with, open, open_minimal,
};
use common::keys::SigningKey;
use common::settings::minimal;
use haproxy_vertex::error::Reason;
use serde_json::{Value, json};

#[test]
fn who_brings_the_wrong_token_is_told_which_one_is_wanted() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    settings["issuers"][0]["audiences"] = json!(["a|b", "second"]);
    let gateway = open(&key, &settings, BACKENDS);
    for ask in [
        Ask::with("ya29.x"),
        Ask::with(&key.token("k1", &member_with("iss", json!("https://x.example")))),
        Ask::with(&key.token("k1", &member_with("aud", json!("other")))),
    ] {
        let said = decide(&gateway, &ask);
        let message = said.json()["error"]["message"].to_string();
        assert!(
            message.contains("issuer https://idp.example, audience a|b or second"),
            "{message}"
        );
        assert_eq!(said.count(), 9, "the separator is written as an escape");
    }
    assert!(!decide(&gateway, &Ask::anonymous()).field(7).contains("idp.example"));
}

#[test]
fn a_caller_whose_groups_were_left_out_is_told_so() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let told = |change: &dyn Fn(&mut Value)| {
        let mut claims = member();
        change(&mut claims);
        let said = decide(&gateway, &Ask::with(&key.token("k1", &claims)));
        let message = match said.decision() {
            "allow" => String::new(),
            _ => said.json()["error"]["message"].as_str().unwrap().to_owned(),
        };
        (said.reason().to_owned(), message)
    };
    let without_groups = |claims: &mut Value| {
        claims.as_object_mut().unwrap().remove("groups");
    };
    let (reason, message) = told(&|claims| {
        without_groups(claims);
        claims["_claim_names"] = json!({ "groups": "src1" });
    });
    assert_eq!(reason, "role_none");
    assert!(message.ends_with("left your groups out of the token, as they are too many for it"));
    // The twins: no groups at all, and groups that are there.
    let (reason, message) = told(&without_groups);
    let asked = "generateContent, google/gemini-2.5-flash, acme-ml, us-central1";
    let named = format!("{}: {asked}", Reason::RoleNone.text());
    assert_eq!((reason.as_str(), message), ("role_none", named));
    let referred = |claims: &mut Value| claims["_claim_names"] = json!({ "groups": "src1" });
    assert_eq!(told(&referred).0, "ok");
}

#[test]
fn a_claim_that_is_missing_is_named_to_the_caller() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let mut claims = member();
    claims.as_object_mut().unwrap().remove("sub");
    let said = decide(&gateway, &Ask::with(&key.token("k1", &claims)));
    assert_eq!(said.reason(), "claim_missing");
    let message = said.json()["error"]["message"].clone();
    assert_eq!(message, "the token lacks a required claim: sub");
}

/// What a refusal tells the caller, and what its line tells the operator.
fn told(said: &Said) -> (String, String) {
    assert_eq!(said.decision(), "deny", "{said:?}");
    (said.json()["error"]["message"].as_str().unwrap().to_owned(), said.logged("detail").to_owned())
}

#[test]
fn what_of_a_body_found_no_role_is_named_to_its_caller_and_in_the_line() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    let may = settings["roles"][0]["may"].as_object_mut().unwrap();
    may.insert("tools".into(), json!(["googleSearch"]));
    may.insert("file_uris".into(), json!(["gs://acme/in/"]));
    may.insert("stored_state".into(), json!(["projects/acme-ml/locations/*/cachedContents/*"]));
    may.insert("max_output_tokens".into(), json!(1000));
    may.insert("max_request_bytes".into(), json!(5000));
    let gateway = open(&key, &settings, BACKENDS);
    let token = key.token("k1", &member());
    let limited = |more: Value| {
        let mut body = json!({ "generationConfig": { "maxOutputTokens": 9 } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let file = |uri: &str| {
        limited(json!({ "contents": [{ "parts": [{ "fileData": { "fileUri": uri } }] }] }))
    };
    let cache = |name: &str| limited(json!({ "cachedContent": name }));
    let own = "projects/acme-ml/locations/us-central1/cachedContents/7";
    let search = limited(json!({ "tools": [{ "googleSearch": {} }] }));
    let search_by = |settings: Value| limited(json!({ "tools": [{ "googleSearch": settings }] }));
    let fits = json!({ "generationConfig": { "maxOutputTokens": 1000 } });
    let long = format!("gs://acme-hr/{}", "x".repeat(400));
    for (refused, twin, message, logged) in [
        (
            limited(json!({ "tools": [{ "googleSearch": {}, "codeExecution": {} }] })),
            &search,
            "tools: codeExecution",
            "tools:%20codeExecution",
        ),
        (
            limited(json!({ "tools": [{ "type": "Evil|}\n\" x" }] })),
            &search,
            "tools: Evil|}?\" x",
            "tools:%20Evil%7C%7D%3F%22%20x",
        ),
        (
            file("gs://acme-hr/in/a"),
            &file("gs://acme/in/a"),
            "file_uris: gs://acme-hr/in/a",
            "file_uris:%20gs://acme-hr/in/a",
        ),
        (
            file("gs://acme-hr/\u{e9}"),
            &file("gs://acme/in/\u{e9}"),
            "file_uris: gs://acme-hr/?",
            "file_uris:%20gs://acme-hr/%3F",
        ),
        (
            cache(&own.replace("acme-ml", "acme-hr")),
            &cache(own),
            "stored_state: projects/acme-hr/locations/us-central1/cachedContents/7",
            "stored_state:%20projects/acme-hr/locations/us-central1/cachedContents/7",
        ),
        (
            limited(
                json!({ "outputConfig": { "gcsDestination": { "outputUriPrefix": "gs://b/" } } }),
            ),
            &limited(json!({})),
            "output_uris: gs://b/",
            "output_uris:%20gs://b/",
        ),
        (
            limited(json!({ "modelArmorConfig": { "promptTemplateName": "mine" } })),
            &limited(json!({})),
            "model_armor_templates: mine",
            "model_armor_templates:%20mine",
        ),
        (
            file("https://me:pw@h.example/a?X-Goog-Signature=s3cret"),
            &file("gs://acme/in/a"),
            "file_uris: https://h.example/a",
            "file_uris:%20https://h.example/a",
        ),
        (
            search_by(json!({ "externalApi": { "endpoint": "h.example" } })),
            &search,
            "file_uris: https://h.example",
            "file_uris:%20https://h.example",
        ),
        (
            search_by(json!({ "externalApi": { "authConfig": { "apiKeyConfig": {
                "apiKeySecret": "projects/acme-ml/secrets/s/versions/1" } } } })),
            &search,
            "secrets: projects/acme-ml/secrets/s/versions/1",
            "secrets:%20projects/acme-ml/secrets/s/versions/1",
        ),
        (
            search_by(json!({ "vertexRagStore": { "ragRetrievalConfig": { "ranking": {
                "llmRanker": { "modelName": "text-bison" } } } } })),
            &search,
            "models: text-bison",
            "models:%20text-bison",
        ),
        (
            json!({ "generationConfig": { "maxOutputTokens": 1001 } }),
            &fits,
            "max_output_tokens: 1001, at most 1000 is allowed",
            "max_output_tokens:%201001%2C%20at%20most%201000%20is%20allowed",
        ),
        (
            json!({}),
            &fits,
            "max_output_tokens: not set, at most 1000 is allowed",
            "max_output_tokens:%20not%20set%2C%20at%20most%201000%20is%20allowed",
        ),
    ] {
        let ask = Ask::with(&token).body(&refused.to_string());
        let expected =
            (format!("no role allows you what the body asks for: {message}"), logged.to_owned());
        assert_eq!(told(&decide(&gateway, &ask)), expected, "{refused}");
        let honest = decide(&gateway, &Ask::with(&token).body(&twin.to_string()));
        assert_eq!((honest.reason(), honest.logged("detail")), ("ok", "-"), "{twin}");
    }
    // What is long is cut, in the message as in the line.
    let (message, logged) =
        told(&decide(&gateway, &Ask::with(&token).body(&file(&long).to_string())));
    assert!(message.len() < 220 && message.contains("gs://acme-hr/xxx"), "{message}");
    assert!(logged.len() < 140 && logged.contains('~'), "{logged}");
    let ask = Ask::with(&token).body(&format!("{}{BODY}", " ".repeat(5000)));
    let bytes = ask.body.len();
    let (message, _) = told(&decide(&gateway, &ask));
    assert!(
        message.ends_with(&format!(": max_request_bytes: {bytes}, at most 5000 is allowed")),
        "{message}"
    );
}

#[test]
fn a_model_that_does_not_fit_is_named() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let token = key.token("k1", &member());
    let chat = "/v1/projects/acme-ml/locations/us-central1/endpoints/openapi/chat/completions";
    for (url, body, reason, detail) in [
        (URL, json!({ "model": "evil\n|}" }), "model_mismatch", "model: evil?|}"),
        (
            URL,
            json!({ "generationConfig": { "routingConfig": { "manualMode": { "modelName": "x" } } } }),
            "model_mismatch",
            "another model: x",
        ),
        (URL, json!({ "fallbacks": "default" }), "model_mismatch", "a model that Google chooses"),
        (chat, json!({}), "model_missing", "model"),
        (chat, json!({ "model": "a/b/c" }), "model_missing", "model: a/b/c"),
        (
            chat,
            json!({ "model": "projects/other/locations/us-central1/publishers/google/models/g" }),
            "model_mismatch",
            "model: projects/other/locations/us-central1/publishers/google/models/g",
        ),
    ] {
        let said = decide(&gateway, &Ask::with(&token).url(url).body(&body.to_string()));
        assert_eq!(said.reason(), reason, "{body}");
        let message = said.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.ends_with(&format!(": {detail}")), "{message}");
        assert_ne!(said.logged("detail"), "-");
    }
    let honest = json!({ "model": "google/gemini-2.5-flash" }).to_string();
    assert_eq!(decide(&gateway, &Ask::with(&token).url(URL).body(&honest)).reason(), "ok");
}

#[test]
fn a_body_that_has_not_come_is_told_how_much_came() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let begun = |declared: &str, came: usize| {
        let mut ask = Ask::with(&key.token("k1", &member()));
        ask = ask.without("content-length").header("content-length", declared);
        ask.body = vec![b' '; came];
        ask.stage = format!("body {came} 0");
        decide(&gateway, &ask)
    };
    assert_eq!(
        told(&begun("200", 57)).0,
        "the request did not come whole: its body broke off: of 200 bytes 57 came"
    );
    assert_eq!(begun("49152", 48_000).decision(), "passing");
}

#[test]
fn a_path_without_a_project_is_told_what_it_lacks() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let said = |url: &str| decide(&gateway, &Ask::with(&key.token("k1", &member())).url(url));
    for url in [
        "/v1/publishers/google/models/gemini-2.5-flash:generateContent",
        "/v1beta1/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "/v1beta/models/gemini-2.5-flash:generateContent",
        "/v1/chat/completions",
        "/v1/messages",
        "/",
    ] {
        let said = said(url);
        assert_eq!(said.reason(), "route_unknown", "{url}");
        let message = said.json()["error"]["message"].to_string();
        assert!(message.contains("no project in the path"), "{message}");
        assert!(message.contains("/v1/projects/<project>/locations/<location>/"), "{message}");
    }
    let elsewhere = said(&URL.replace("generateContent", "dream"));
    assert_eq!((elsewhere.reason(), elsewhere.logged("detail")), ("route_unknown", "-"));
    assert_eq!(said(URL).reason(), "ok");
}
