//! Time in the gateway: who waits, for how long, what the cache of verified tokens forgets, what
//! a reload keeps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::gateway::{Ask, BACKENDS, FETCHING_BACKENDS, Said, fetching, member, open};
use common::keys::{SigningKey, jwks};
use common::script::{DISCOVERY, JWKS, discovery_document, ok};
use common::settings::{Files, haproxy, minimal};
use common::{START, at, now};
use haproxy_vertex::fetch::{Id, Reply};
use haproxy_vertex::gateway::{Fetch, Gateway};
use haproxy_vertex::time::Now;
use serde_json::{Value, json};

fn decide(gateway: &Gateway, ask: &Ask, now: Now) -> Said {
    Said::new(&gateway.decide(&ask.bytes(), now))
}

fn url(fetch: &Fetch) -> String {
    fetch.request.endpoint.to_string()
}

/// A fetch of `wanted` is due, and gets this reply.
fn serve(gateway: &Gateway, wanted: &str, reply: &Reply, now: Now) {
    let fetch = gateway.step(now).unwrap_or_else(|| panic!("no fetch of {wanted}"));
    assert_eq!(url(&fetch), wanted);
    gateway.answer(fetch.id, reply, now);
}

/// A gateway whose issuer published these keys at `now`.
fn with_keys(keys: &[Value], now: Now) -> Gateway {
    let gateway = open(&SigningKey::ed(), &fetching(), FETCHING_BACKENDS);
    serve(&gateway, DISCOVERY, &discovery_document(), now);
    serve(&gateway, JWKS, &ok(jwks(keys)), now);
    gateway
}

/// A member's token, valid from the beginning for a day.
fn day_ask(key: &SigningKey, kid: &str) -> Ask {
    let mut claims = member();
    claims["exp"] = json!(START + 86_400);
    Ask::with(&key.token(kid, &claims))
}

#[test]
fn a_request_before_the_first_keys_waits_and_then_passes() {
    let key = SigningKey::ed();
    let gateway = open(&key, &fetching(), FETCHING_BACKENDS);
    let ask = day_ask(&key, "k");
    let said = decide(&gateway, &ask, at(0));
    assert_eq!((said.decision(), said.reason()), ("wait", "keys_unavailable"));
    assert_eq!((said.count(), said.field(2)), (9, "503"), "what to say if nobody resumes it");
    let ticket = gateway.start_waiting(at(0));
    assert!(ticket > 0);
    assert_eq!(gateway.resume(&ask.bytes(), ticket, at(1)), None);
    serve(&gateway, DISCOVERY, &discovery_document(), at(1));
    serve(&gateway, JWKS, &ok(jwks(&[key.jwk("k")])), at(1));
    let verdict = gateway.resume(&ask.bytes(), ticket, at(1)).unwrap();
    assert!(verdict.starts_with("allow|us-central1|"));
    // The ticket was given back with the verdict.
    let late = gateway.resume(&day_ask(&key, "new").bytes(), ticket, at(60)).unwrap();
    assert_eq!(Said::new(&late).reason(), "busy");
}

#[test]
fn a_request_waits_for_5_seconds_and_is_then_refused_for_what_it_waited_for() {
    let key = SigningKey::ed();
    let gateway = open(&key, &fetching(), FETCHING_BACKENDS);
    let ask = day_ask(&key, "k");
    let ticket = gateway.start_waiting(at(0));
    for millis in [0, 1, 2_500, 4_999] {
        assert_eq!(gateway.resume(&ask.bytes(), ticket, now(0, millis)), None, "{millis}");
    }
    let said = Said::new(&gateway.resume(&ask.bytes(), ticket, now(0, 5_000)).unwrap());
    assert_eq!((said.decision(), said.reason()), ("deny", "keys_unavailable"));
    assert_eq!(said.logged("decision"), "deny");
}

#[test]
fn a_request_that_was_never_undecided_may_resume_all_the_same() {
    let key = SigningKey::ed();
    let gateway = open(&key, &minimal(), BACKENDS);
    for (ask, wanted) in [(day_ask(&key, "k1"), "allow"), (Ask::anonymous(), "deny")] {
        let ticket = gateway.start_waiting(at(0));
        let verdict = gateway.resume(&ask.bytes(), ticket, at(1)).unwrap();
        assert_eq!(Said::new(&verdict).decision(), wanted);
    }
}

#[test]
fn a_thousand_wait_and_the_next_one_is_told_busy() {
    let key = SigningKey::ed();
    let gateway = open(&key, &fetching(), FETCHING_BACKENDS);
    let ask = day_ask(&key, "k").bytes();
    let tickets: Vec<u64> = (0..1_000).map(|_| gateway.start_waiting(at(0))).collect();
    assert!(tickets.iter().all(|ticket| *ticket > 0));
    assert_eq!(gateway.start_waiting(at(0)), 0);
    let reason = |ticket: u64, now: Now| {
        let verdict = gateway.resume(&ask, ticket, now)?;
        Some(Said::new(&verdict).reason().to_owned())
    };
    assert_eq!(reason(0, at(0)).as_deref(), Some("busy"));
    // Whoever has a place keeps it, and a made-up ticket is none.
    assert_eq!(reason(tickets[999], at(4)), None);
    assert_eq!(reason(u64::MAX, at(4)).as_deref(), Some("busy"));
    // One that is settled makes room for one.
    assert_eq!(reason(tickets[0], at(5)).as_deref(), Some("keys_unavailable"));
    assert!(gateway.start_waiting(at(5)) > 0);
    assert_eq!(gateway.start_waiting(at(5)), 0);
    // Those who hung up without a word make room by themselves.
    assert!(gateway.start_waiting(at(6)) > 0);
}

#[test]
fn a_request_that_is_refused_anyway_never_waits() {
    let key = SigningKey::ed();
    let gateway = open(&key, &fetching(), FETCHING_BACKENDS);
    let mut expired = member();
    expired["exp"] = json!(START - 60);
    let ask = Ask::with(&key.token("k", &expired));
    assert_eq!(decide(&gateway, &ask, at(0)).reason(), "token_expired");
    assert_eq!(decide(&gateway, &Ask::anonymous(), at(0)).reason(), "token_missing");
    assert_eq!(decide(&gateway, &day_ask(&key, "k"), at(0)).decision(), "wait");
}

#[test]
fn a_token_that_is_kept_is_refused_as_soon_as_its_key_left_the_set() {
    let (key, next) = (SigningKey::ed(), SigningKey::ed());
    let gateway = with_keys(&[key.jwk("k")], at(0));
    let ask = day_ask(&key, "k");
    for secs in 1..4 {
        assert_eq!(decide(&gateway, &ask, at(secs)).decision(), "allow");
    }
    serve(&gateway, JWKS, &ok(jwks(&[next.jwk("n")])), at(900));
    assert_eq!(decide(&gateway, &ask, at(900)).reason(), "key_unknown");
    assert_eq!(decide(&gateway, &day_ask(&next, "n"), at(900)).decision(), "allow");
    // Later it may ask once more, as any token with an unknown key, and passes no more.
    let ticket = gateway.start_waiting(at(911));
    assert_eq!(gateway.resume(&ask.bytes(), ticket, at(911)), None);
    serve(&gateway, JWKS, &ok(jwks(&[next.jwk("n")])), at(911));
    let verdict = gateway.resume(&ask.bytes(), ticket, at(912)).unwrap();
    assert_eq!(Said::new(&verdict).reason(), "key_unknown");
}

#[test]
fn a_token_that_is_kept_is_refused_when_its_time_is_over_and_before_it_has_come() {
    let key = SigningKey::ed();
    let gateway = open(&key, &minimal(), BACKENDS);
    let ask = Ask::with(&key.token("k1", &member()));
    let reason = |wall: i64| decide(&gateway, &ask, now(wall, 1000)).reason().to_owned();
    assert_eq!(reason(0), "ok");
    // The wall clock alone decides: it may be set back.
    let _ = gateway.step(now(3600, 1000));
    assert_eq!((reason(3629), reason(3630)), ("ok".to_owned(), "token_expired".to_owned()));
    let _ = gateway.step(now(-60, 1000));
    assert_eq!((reason(-30), reason(-31)), ("ok".to_owned(), "token_not_yet_valid".to_owned()));
    let _ = gateway.step(now(0, 1000));
    assert_eq!(reason(0), "ok");
}

#[test]
fn what_depends_on_the_request_is_decided_anew_for_a_token_that_is_kept() {
    let key = SigningKey::ed();
    let gateway = open(&key, &minimal(), BACKENDS);
    let ask = Ask::with(&key.token("k1", &member()));
    let reason = |ask: Ask| decide(&gateway, &ask, at(1)).reason().to_owned();
    assert_eq!(reason(ask.clone()), "ok");
    assert_eq!(reason(ask.clone().method("GET")), "route_unknown");
    assert_eq!(reason(ask.clone().header("upgrade", "h2c")), "header_not_allowed");
    let other = ask.url.replace("gemini-2.5", "gemini-3");
    assert_eq!(reason(ask.clone().url(&other)), "role_none");
    assert_eq!(reason(ask), "ok");
}

#[test]
fn a_refusal_is_not_kept_and_a_changed_signature_is_another_token() {
    let key = SigningKey::ed();
    let gateway = open(&key, &minimal(), BACKENDS);
    let mut claims = member();
    claims["nbf"] = json!(START + 60);
    let ask = Ask::with(&key.token("k1", &claims));
    assert_eq!(decide(&gateway, &ask, at(0)).reason(), "token_not_yet_valid");
    assert_eq!(decide(&gateway, &ask, at(30)).reason(), "ok");
    let token = key.token("k1", &member());
    assert_eq!(decide(&gateway, &Ask::with(&token), at(0)).reason(), "ok");
    let dot = token.rfind('.').unwrap();
    let first = if &token[dot + 1..dot + 2] == "A" { "B" } else { "A" };
    let changed = format!("{}{first}{}", &token[..=dot], &token[dot + 2..]);
    assert_eq!(decide(&gateway, &Ask::with(&changed), at(0)).reason(), "bad_signature");
    assert_eq!(decide(&gateway, &Ask::with(&token[..=dot]), at(0)).reason(), "bad_signature");
}

#[test]
fn keys_serve_through_an_outage_of_a_day_and_then_all_they_verified_is_void() {
    let key = SigningKey::ed();
    let gateway = with_keys(&[key.jwk("k")], at(0));
    let mut claims = member();
    claims["iat"] = json!(START + 80_000);
    claims["exp"] = json!(START + 90_000);
    let ask = Ask::with(&key.token("k", &claims));
    // Google's own bearer is signed anew meanwhile.
    let step =
        |secs: i64| gateway.step(at(secs)).map(|fetch| gateway.answer(fetch.id, &down(), at(secs)));
    for secs in (0..86_400).step_by(1_000) {
        step(secs);
    }
    assert_eq!(decide(&gateway, &ask, at(86_400)).reason(), "ok");
    // The step of the same moment retires them, whoever's token is in the cache.
    let later = now(86_401, 86_400_001);
    let _ = gateway.step(later);
    let said = decide(&gateway, &ask, later);
    assert_eq!((said.decision(), said.reason()), ("wait", "keys_unavailable"));
}

fn down() -> Reply {
    Reply::Failure("no route to host".to_owned())
}

#[test]
fn keys_of_the_state_file_serve_at_once_and_only_their_own_issuer() {
    let (key, other) = (SigningKey::ed(), SigningKey::rsa());
    let state = with_keys(&[key.jwk("k"), other.jwk("o")], at(0)).keys_json();
    let reloaded = |state: &str, secs: i64| {
        let mut settings = fetching();
        settings["state_file"] = json!("state.json");
        let mut files = Files::new(&key);
        files.put("state.json", state);
        let config = files.load(&settings.to_string()).unwrap();
        Gateway::open(config, &haproxy(FETCHING_BACKENDS), at(secs)).unwrap()
    };
    let decision = |state: &str, secs: i64| {
        let gateway = reloaded(state, secs);
        let said = decide(&gateway, &day_ask(&key, "k"), at(secs));
        let fetch = gateway.step(at(secs)).expect("the first fetch is due at once");
        assert_eq!(url(&fetch), DISCOVERY);
        said.decision().to_owned()
    };
    assert_eq!(decision(&state, 10), "allow");
    assert_eq!(decide(&reloaded(&state, 10), &day_ask(&other, "o"), at(10)).decision(), "allow");
    assert_eq!(decision(&state, 86_399), "allow");
    assert_eq!(decision(&state.replace("idp.example", "evil.example"), 10), "wait");
    for unusable in
        ["", "{}", "[]", r#"{"issuers":[]}"#, r#"{"issuers":[],"also":1}"#, &state[..80]]
    {
        assert_eq!(decision(unusable, 10), "wait", "{unusable}");
    }
    let again = reloaded(&state, 10).keys_json();
    assert_eq!(again, state, "what was restored is handed on with its age");
}

#[test]
fn answers_find_their_issuer_and_an_answer_to_nothing_changes_nothing() {
    let (key, partner) = (SigningKey::ed(), SigningKey::ed());
    let mut settings = fetching();
    settings["issuers"].as_array_mut().unwrap().push(json!({
        "name": "partner", "issuer": "https://partner.example", "audiences": ["vertex-gateway"],
        "jwks_uri": "https://partner.example/jwks"
    }));
    settings["roles"][0]["who"] = json!({ "issuer": "partner", "anyone": true });
    let backends = [FETCHING_BACKENDS, &["vertex_fetch_partner.example"]].concat();
    let gateway = open(&key, &settings, &backends);
    assert_eq!(
        gateway.fetchers(),
        7,
        "two for each issuer, two that prove a new file, and one that signs on"
    );
    let first = gateway.step(at(0)).unwrap();
    let second = gateway.step(at(0)).unwrap();
    assert_eq!(
        (url(&first).as_str(), url(&second).as_str()),
        (DISCOVERY, "https://partner.example/jwks")
    );
    assert_eq!(gateway.step(at(0)), None);
    let mut claims = member();
    claims["iss"] = json!("https://partner.example");
    let ask = Ask::with(&partner.token("p", &claims));
    let set = || ok(jwks(&[partner.jwk("p")]));
    let (one, two) = (u64::from(first.id), u64::from(second.id));
    for id in [0, u64::MAX, one, one ^ two, two + 1, 7 << 32] {
        gateway.answer(Id::from(id), &set(), at(0));
        assert_eq!(decide(&gateway, &ask, at(0)).decision(), "wait", "{id}");
    }
    gateway.answer(second.id, &set(), at(0));
    assert_eq!(decide(&gateway, &ask, at(0)).decision(), "allow");
}
