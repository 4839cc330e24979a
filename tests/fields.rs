//! What Google's documents say of request bodies: whatever may act at a distance is seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use haproxy_vertex::vertex::Body;
use serde_json::{Value, json};

const FIELDS: &str = include_str!("vectors/fields.txt");

/// A body with a text at this path.
fn with(path: &str) -> Value {
    path.rsplit('.').fold(json!("b/x"), |value, name| json!({ name: value }))
}

#[test]
fn every_member_that_may_act_at_a_distance_is_seen_and_the_callers_own_are_not() {
    let rows: Vec<(&str, &str)> = FIELDS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("two words"))
        .map(|(kind, path)| (kind, path.trim()))
        .collect();
    let of = |kind: &str| rows.iter().filter(|(k, _)| *k == kind).count();
    assert!(of("acts") > 50 && of("own") > 10 && of("acts") + of("own") == rows.len());
    let mut wrong = Vec::new();
    for (kind, path) in rows {
        let body = with(path).to_string();
        let seen = Body::scan(body.as_bytes()).expect("strict JSON") != Body::default();
        if seen != (kind == "acts") {
            wrong.push(format!("{kind} {path}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
