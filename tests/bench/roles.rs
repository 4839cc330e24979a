//! What ten thousand roles cost against ten, in process: `decide` on a token that is known, for a
//! caller with one of the roles and for one with all of them, and on a token not seen before. Each
//! ratio is the lower quartile of interleaved rounds. Exit status 1 when the bar was missed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, reason = "a benchmark")]

#[path = "../common/mod.rs"]
mod common;
mod compare;

use std::hint::black_box;
use std::process::ExitCode;

use common::at;
use common::gateway::{Ask, Said, URL, member, open};
use common::keys::SigningKey;
use common::settings::minimal;
use compare::{Compared, ROUNDS, calls_ns};
use haproxy_vertex::gateway::Gateway;
use serde_json::{Value, json};

const FEW: usize = 10;
const MANY: usize = 10_000;
const COMPARED: Compared = Compared { few: FEW, many: MANY, bar: 1.3 };
const CALLS: usize = 2_000;

/// Roles that differ in who has them and in their project; the caller's is in the middle.
fn settings(roles: usize, for_all: bool) -> Value {
    let mut settings = minimal();
    let role = |index: usize| {
        let mut role = minimal()["roles"][0].clone();
        let own = index == roles / 2;
        let project = if own { "acme-ml".to_owned() } else { format!("acme-{index}") };
        role["name"] = json!(format!("role-{index}"));
        role["may"]["projects"] = json!([project]);
        role["who"] = match (for_all, own) {
            (true, _) => json!({ "issuer": "corp", "anyone": true }),
            (false, true) => json!({ "issuer": "corp", "groups": ["ml"] }),
            (false, false) => json!({ "issuer": "corp", "groups": [format!("group-{index}")] }),
        };
        role
    };
    settings["roles"] = (0..roles).map(role).collect();
    settings
}

/// Nanoseconds a call.
fn measure(gateway: &Gateway, requests: &[Vec<u8>]) -> f64 {
    calls_ns(CALLS, |index| {
        let verdict = gateway.decide(&requests[index % requests.len()], at(1));
        assert!(black_box(verdict).starts_with("allow|"));
    })
}

fn main() -> ExitCode {
    let key = SigningKey::ed();
    let backends = ["vertex_us-central1", "vertex_global"];
    let gateway = |roles: usize, for_all: bool| open(&key, &settings(roles, for_all), &backends);
    let token = |number: usize| {
        let mut claims = member();
        claims["jti"] = json!(number);
        key.token("k1", &claims)
    };
    let known = vec![Ask::with(&token(0)).url(URL).bytes()];
    let mut good = true;
    for (name, for_all) in [("one of the roles", false), ("all of the roles", true)] {
        let (few, many) = (gateway(FEW, for_all), gateway(MANY, for_all));
        assert_eq!(Said::new(&many.decide(&known[0], at(1))).logged("role"), "role-5000");
        good &= COMPARED.by(name, |_| measure(&few, &known), |_| measure(&many, &known));
    }
    let (few, many) = (gateway(FEW, false), gateway(MANY, false));
    let fresh = |round: usize| -> Vec<Vec<u8>> {
        (0..CALLS).map(|index| Ask::with(&token(1 + round * CALLS + index)).bytes()).collect()
    };
    let rounds: Vec<_> = (0..ROUNDS).map(fresh).collect();
    good &= COMPARED.by(
        "a token not seen before",
        |round| measure(&few, &rounds[round]),
        |round| measure(&many, &rounds[round]),
    );
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
