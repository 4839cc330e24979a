//! The compiled policy against a slow and obvious reading of the same configuration's JSON: random
//! configurations, tokens and requests of a small alphabet, so that they meet. One configuration
//! serves many requests. `POLICY_CASES` sets their number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod arbitrary;
#[path = "../common/mod.rs"]
mod common;
mod reference;

use arbitrary::{Request, request, roles};
use common::keys::SigningKey;
use common::settings::{Files, minimal};
use haproxy_vertex::json::Json;
use haproxy_vertex::policy::{
    Ask, AskedTiers, Caller, Certificate, Client, Contents, Decision, Place, Policy, Reading,
};
use haproxy_vertex::time::UnixTime;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// How many requests are decided, unless the environment says otherwise.
const CASES: usize = 50_000;
const REQUESTS_A_CONFIGURATION: usize = 250;

fn compiled(roles: &[Value], files: &Files) -> Policy {
    let mut settings = minimal();
    let mut partner = settings["issuers"][0].clone();
    partner["name"] = json!("partner");
    partner["issuer"] = json!("https://partner.example");
    settings["issuers"].as_array_mut().unwrap().push(partner);
    settings["roles"] = json!(roles);
    Policy::new(files.load(&settings.to_string()).unwrap_or_else(|e| panic!("{e}")).roles)
}

/// What the compiled policy says, asked as the gateway asks it: more of the request only when it
/// is wanted.
fn decided(policy: &Policy, request: &Request) -> String {
    let claims = Json::parse(request.claims.to_string().as_bytes()).unwrap();
    let texts = |list: &Value| -> Vec<String> {
        list.as_array()
            .map_or(Vec::new(), |l| l.iter().map(|v| v.as_str().unwrap().to_owned()).collect())
    };
    let groups = texts(&request.claims["groups"]);
    let subject = request.claims["sub"].as_str().unwrap();
    let caller = Caller { issuer: request.issuer, subject, groups: &groups, claims: &claims };
    let grants = policy.grants_of(&caller);
    let body = request.body.clone().unwrap_or_default();
    let (tools, file_uris) = (texts(&body["tools"]), texts(&body["file_uris"]));
    let (stored, output_uris) = (texts(&body["stored_state"]), texts(&body["output_uris"]));
    let contents = Contents {
        models: Vec::new(),
        secrets: &[],
        tools: &tools,
        file_uris: &file_uris,
        stored_state: &stored,
        output_uris: &output_uris,
        model_armor_templates: &[],
        max_output_tokens: body["max_output_tokens"].as_u64(),
    };
    let certificate = request.certificate.map(|subject| Certificate { subject, sha256: "00" });
    let client = Client { address: request.address.map(|a| a.parse().unwrap()), certificate };
    // Monday, 23 November 2026, 00:00 UTC, and then minutes of the week.
    let wall = UnixTime(1_795_392_000 + request.minute * 60);
    let mut tiers = AskedTiers::NONE;
    let (request_type, shared_request_type) = request.tiers;
    request_type.into_iter().for_each(|value| tiers.add_request_type(value));
    shared_request_type.into_iter().for_each(|value| tiers.add_shared_request_type(value));
    let mut ask = Ask {
        place: Some(Place { project: request.project, location: request.location }),
        model: request.model,
        method: request.method,
        takes_cap: request.takes_cap,
        tiers,
        size: request.size,
        contents: Reading::Later,
        client: None,
        wall,
    };
    for _ in 0..3 {
        match policy.decide(&grants, &ask) {
            Decision::Allow(role) => return role.name.clone(),
            Decision::RoleNone => return "-".to_owned(),
            Decision::Missed(missed) => return format!("- {}", missed.term().name()),
            Decision::Unreadable => return "unreadable".to_owned(),
            Decision::NeedClient => ask.client = Some(&client),
            Decision::NeedContents if request.body.is_some() => {
                ask.contents = Reading::Done(&contents);
            }
            Decision::NeedContents => ask.contents = Reading::Never,
        }
    }
    panic!("it never ends: {request:?}");
}

fn expected(roles: &[Value], request: &Request) -> String {
    let model = request.model.map(|(publisher, name)| format!("{publisher}/{name}"));
    reference::decide(
        roles,
        &reference::Request {
            issuer: request.issuer,
            claims: &request.claims,
            address: request.address,
            subject_of_certificate: request.certificate,
            minute_of_week: request.minute,
            project: request.project,
            location: request.location,
            model: model.as_deref(),
            method: request.method,
            tiers: request.tiers,
            size: request.size,
            takes_cap: request.takes_cap,
            body: request.body.as_ref(),
        },
    )
}

#[test]
#[allow(clippy::disallowed_methods, reason = "how long to look is no configuration")]
fn the_compiled_policy_is_what_the_configuration_says() {
    let cases = std::env::var("POLICY_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let files = Files::new(&SigningKey::rsa());
    let mut runner = TestRunner::new(Config {
        cases: u32::try_from(cases / REQUESTS_A_CONFIGURATION).unwrap(),
        failure_persistence: None,
        ..Config::default()
    });
    let requests = prop::collection::vec(request(), 25);
    let picks = prop::collection::vec(any::<Index>(), 10);
    let outcomes = std::cell::RefCell::new(std::collections::BTreeMap::<String, usize>::new());
    runner
        .run(&(roles(), requests, picks), |(roles, requests, picks)| {
            let policy = compiled(&roles, &files);
            for request in &requests {
                for pick in &picks {
                    // The token of one request, the target of another.
                    let other = pick.get(&requests);
                    let request = Request {
                        issuer: other.issuer,
                        claims: other.claims.clone(),
                        minute: other.minute,
                        ..request.clone()
                    };
                    let outcome = decided(&policy, &request);
                    prop_assert_eq!(&outcome, &expected(&roles, &request), "{:?}", request);
                    let kind = if outcome.starts_with('r') { "allow".to_owned() } else { outcome };
                    *outcomes.borrow_mut().entry(kind).or_default() += 1;
                }
            }
            Ok(())
        })
        .unwrap();
    let outcomes = outcomes.into_inner();
    println!("{} decisions: {outcomes:?}", outcomes.values().sum::<usize>());
    for kind in ["allow", "-", "unreadable", "- tools", "- stored_state", "- max_output_tokens"] {
        assert!(
            outcomes.get(kind).is_some_and(|n| n * 2000 > cases),
            "{kind} is rare: {outcomes:?}"
        );
    }
}
