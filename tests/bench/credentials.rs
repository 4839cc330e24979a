//! What fifty credentials cost against one, in process: `decide` on a token that is known, and the bearer
//! of its verdict, with self-signed and with fetched tokens. Exit status 1 when the bar was missed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, reason = "a benchmark")]

#[path = "../common/mod.rs"]
mod common;
mod compare;

use std::hint::black_box;
use std::process::ExitCode;

use common::at;
use common::gateway::{Ask, Said, URL, member};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal};
use compare::{Compared, calls_ns};
use haproxy_vertex::fetch::{Answer, Headers, Reply};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::time::Now;
use serde_json::{Value, json};

const COMPARED: Compared = Compared { few: 1, many: 50, bar: 1.1 };
const CALLS: usize = 2_000;
const BACKENDS: [&str; 3] =
    ["vertex_us-central1", "vertex_global", "vertex_fetch_metadata.google.internal"];

/// A role for each credential; the caller's is in the middle.
fn settings(credentials: usize, credential: &Value) -> Value {
    let mut settings = minimal();
    let named = |index: usize| {
        let mut credential = credential.clone();
        credential["name"] = json!(format!("google-{index}"));
        credential
    };
    let role = |index: usize| {
        let mut role = minimal()["roles"][0].clone();
        role["name"] = json!(format!("role-{index}"));
        role["as"] = json!(format!("google-{index}"));
        let is_callers = index == credentials / 2;
        let project = if is_callers { "acme-ml".to_owned() } else { format!("acme-{index}") };
        role["may"]["projects"] = json!([project]);
        role
    };
    settings["credentials"] = (0..credentials).map(named).collect();
    settings["roles"] = (0..credentials).map(role).collect();
    settings
}

/// Renews what is due.
fn renew(gateway: &Gateway, now: Now) {
    let headers = || Headers::new([("Metadata-Flavor", "Google")]);
    while let Some(fetch) = gateway.step(now) {
        let token = json!({ "access_token": "ya29.x", "expires_in": 3599, "token_type": "Bearer" });
        let answer = Answer::new(200, headers(), token.to_string().into_bytes());
        gateway.answer(fetch.id, &Reply::Answer(answer), now);
    }
}

fn main() -> ExitCode {
    let key = SigningKey::ed();
    let kinds = [
        ("self-signed", json!({ "type": "service_account", "file": "ml-prod.json" })),
        ("fetched", json!({ "type": "metadata" })),
    ];
    let gateway = |credentials: usize, credential: &Value| {
        let settings = settings(credentials, credential).to_string();
        let config = Files::new(&key).load(&settings).unwrap();
        let gateway = Gateway::open(config, &haproxy(&BACKENDS), at(0)).unwrap();
        renew(&gateway, at(0));
        gateway
    };
    let request = Ask::with(&key.token("k1", &member())).url(URL).bytes();
    let call = |gateway: &Gateway, now: Now| {
        let verdict = gateway.decide(&request, now);
        assert!(verdict.starts_with("allow|"), "{verdict}");
        let (mark, id) = {
            let said = Said::new(&verdict);
            (said.field(4).to_owned(), said.field(5).to_owned())
        };
        black_box(gateway.bearer(format!("{mark}|{id}").as_bytes(), now)).unwrap();
    };
    let mut good = true;
    for (name, credential) in &kinds {
        let (few, many) = (gateway(COMPARED.few, credential), gateway(COMPARED.many, credential));
        let measure = |gateway: &Gateway| calls_ns(CALLS, |_| call(gateway, at(1)));
        good &= COMPARED.by(name, |_| measure(&few), |_| measure(&many));
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
