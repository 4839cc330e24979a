//! What Google's documents say of request bodies: what each member names that may act at a distance
//! is seen as that, and nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use haproxy_vertex::vertex::Body;
use serde_json::{Value, json};

const FIELDS: &str = include_str!("vectors/fields.txt");

/// Every kind that `packaging/fields.rules` knows.
const KINDS: [&str; 16] = [
    "armor",
    "base",
    "beside",
    "endpoint",
    "model",
    "operation",
    "other",
    "own",
    "prose",
    "read",
    "secret",
    "setting",
    "stored",
    "tool",
    "tool_above",
    "write",
];

/// A body with this text at this path.
fn with(path: &str, text: &str) -> Value {
    path.rsplit('.').fold(json!(text), |value, name| json!({ name: value }))
}

/// What is seen of such a body.
fn expected(kind: &str, path: &str, text: &str) -> Body {
    let texts = || vec![text.to_owned()];
    let mut names = path.rsplit('.');
    let mut body = match kind {
        "own" | "prose" | "setting" => Body::default(),
        "model" => Body { model: Some(text.to_owned()), ..Body::default() },
        "base" => Body { base_model: Some(text.to_owned()), ..Body::default() },
        "operation" => Body { operation_name: Some(text.to_owned()), ..Body::default() },
        "other" => Body { other_models: texts(), ..Body::default() },
        "beside" => Body { models_beside: texts(), ..Body::default() },
        "read" => Body { file_uris: texts(), ..Body::default() },
        "endpoint" => Body { file_uris: vec![format!("https://{text}")], ..Body::default() },
        "write" => Body { output_uris: texts(), ..Body::default() },
        "stored" => Body { stored_state: texts(), ..Body::default() },
        "secret" => Body { secrets: texts(), ..Body::default() },
        "armor" => Body { model_armor_templates: texts(), ..Body::default() },
        "tool" | "tool_above" => {
            let above = usize::from(kind == "tool_above");
            Body { tools: vec![names.nth(above).unwrap().to_owned()], ..Body::default() }
        }
        other => panic!("{other} is no kind"),
    };
    let tool = path.strip_prefix("tools.").and_then(|below| below.split('.').next());
    body.tools.extend(tool.filter(|name| *name != "functionDeclarations").map(str::to_owned));
    body
}

#[test]
fn every_member_is_seen_as_what_it_names() {
    let rows: Vec<(&str, &str)> = FIELDS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("two words"))
        .map(|(kind, path)| (kind, path.trim()))
        .collect();
    assert!(rows.len() > 150);
    let kinds: BTreeSet<_> = rows.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, KINDS.into());
    let mut wrong = Vec::new();
    for (kind, path) in rows {
        let text = if kind == "prose" { "https://h.example/x" } else { "b/x" };
        let body = with(path, text).to_string();
        let mut seen = Body::scan(body.as_bytes()).expect("strict JSON");
        let mut wanted = expected(kind, path, text);
        seen.tools.sort();
        wanted.tools.sort();
        if seen != wanted {
            wrong.push(format!("{kind} {path}: {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
