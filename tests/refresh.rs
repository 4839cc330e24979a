//! The machine that keeps an issuer's keys fresh, driven by a script: what it asks for and when,
//! what it makes of each answer, who waits for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;

use common::keys::{SigningKey, jwks};
use common::script::{
    DISCOVERY, ISSUER, JWKS, Script, answer, claims, discovery_document, fetched, ok, token_at,
};
use common::{START, now};
use haproxy_vertex::fetch::Reply;
use haproxy_vertex::jose::Key;
use haproxy_vertex::oidc::{Outcome, StoredKeys};
use serde_json::{Value, json};

const DAY: i64 = 24 * 3600;

fn failure() -> Reply {
    Reply::Failure("connection refused".to_owned())
}

fn document(issuer: &str, jwks_uri: &str) -> Reply {
    ok(json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string())
}

/// The key that verifies this token now.
fn key_of(script: &Script, token: &str) -> Arc<Key> {
    match script.verifier.verify(token, script.now(), script.now().mono) {
        Outcome::Valid(verified) => verified.key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_come_by_discovery_and_then_from_the_place_it_names() {
    let key = SigningKey::ed();
    let token = key.token("k", &claims());
    let script = Script::new(fetched(None));
    assert_eq!(script.verdict(&token), "wait");
    script.expect(DISCOVERY, &discovery_document());
    assert_eq!(script.verdict(&token), "wait");
    script.expect(JWKS, &ok(jwks(&[key.jwk("k")])));
    assert_eq!(script.verdict(&token), "ok");
    assert!(script.is_quiet());
}

#[test]
fn a_place_that_is_configured_is_asked_without_discovery() {
    let key = SigningKey::ed();
    let script = Script::new(fetched(Some("https://keys.example/set?v=1")));
    script.expect("https://keys.example/set?v=1", &ok(jwks(&[key.jwk("k")])));
    assert_eq!(script.verdict(&key.token("k", &claims())), "ok");
}

#[test]
fn the_discovery_document_must_be_the_issuers_own_and_name_https_on_a_listed_host() {
    let key = SigningKey::ed();
    let taken = |reply: &Reply| {
        let script = Script::new(fetched(None));
        script.expect(DISCOVERY, reply);
        script.step().map(|(_, url)| url)
    };
    let good = |url: &str| assert_eq!(taken(&document(ISSUER, url)).as_deref(), Some(url));
    good(JWKS);
    good("https://idp.example/other?x=1");
    good("https://keys.example/set");
    let refused = [
        document("https://evil.example", JWKS),
        document("https://idp.example/", JWKS),
        document("https://IDP.example", JWKS),
        document("", JWKS),
        ok(json!({ "jwks_uri": JWKS }).to_string()),
        ok(json!({ "issuer": [ISSUER], "jwks_uri": JWKS }).to_string()),
        document(ISSUER, "http://idp.example/keys"),
        document(ISSUER, "https://evil.example/keys"),
        document(ISSUER, "https://idp.example.evil.example/keys"),
        document(ISSUER, "https://idp.example:8443/keys"),
        document(ISSUER, "https://user@idp.example/keys"),
        document(ISSUER, "https://idp.example@evil.example/keys"),
        document(ISSUER, "https://idp.example/keys#x"),
        document(ISSUER, "https://idp.example/keys\r\nhost: evil.example"),
        document(ISSUER, "file:///keys"),
        document(ISSUER, ""),
        ok(json!({ "issuer": ISSUER }).to_string()),
        ok(json!({ "issuer": ISSUER, "jwks_uri": [JWKS] }).to_string()),
        ok(format!(r#"{{"issuer":"{ISSUER}","issuer":"{ISSUER}","jwks_uri":"{JWKS}"}}"#)),
        ok("[]"),
        ok("<html>"),
        ok(""),
        ok(jwks(&[key.jwk("k")])),
    ];
    for reply in refused {
        assert_eq!(taken(&reply), None, "{reply:?}");
    }
}

#[test]
fn only_an_answer_with_status_200_and_a_usable_set_brings_keys() {
    let key = SigningKey::ed();
    let (token, set) = (key.token("k", &claims()), jwks(&[key.jwk("k")]));
    let outcome = |reply: &Reply| {
        let mut script = Script::new(fetched(None));
        script.expect(DISCOVERY, &discovery_document());
        script.expect(JWKS, reply);
        let verdict = script.verdict(&token);
        script.pass(1);
        // After a failure everything begins anew: the place may have moved.
        (verdict, script.step().map(|(_, url)| url))
    };
    assert_eq!(outcome(&ok(set.clone())), ("ok", None));
    let again = ("wait", Some(DISCOVERY.to_owned()));
    for status in [100, 201, 204, 206, 301, 302, 304, 307, 401, 403, 404, 500, 502, 503, 504] {
        assert_eq!(outcome(&answer(status, "", "", set.clone())), again, "{status}");
    }
    for body in ["", "null", "{}", r#"{"keys":[]}"#, "<html>", r#"{"keys":[{"kty":"oct"}]}"#] {
        assert_eq!(outcome(&ok(body)), again, "{body}");
    }
    assert_eq!(outcome(&ok(set[..set.len() - 1].to_vec())), again, "cut short");
    assert_eq!(outcome(&failure()), again);
}

#[test]
fn after_failures_it_asks_again_in_1_2_4_and_then_every_5_seconds() {
    let key = SigningKey::ed();
    let mut script = Script::new(fetched(Some(JWKS)));
    for pause in [1, 2, 4, 5, 5, 5] {
        script.expect(JWKS, &failure());
        script.pass_millis(pause * 1000 - 1);
        assert!(script.is_quiet(), "{pause}");
        script.pass_millis(1);
    }
    script.expect(JWKS, &ok(jwks(&[key.jwk("k")])));
    script.pass(900);
    script.expect(JWKS, &failure());
    script.pass(1);
    assert!(!script.is_quiet(), "a success ends the row of failures");
}

#[test]
fn an_answer_is_fresh_as_long_as_it_says_but_between_a_minute_and_an_hour() {
    let key = SigningKey::ed();
    let set = jwks(&[key.jwk("k")]);
    let cases = [
        ("", "", 900),
        ("public", "", 900),
        ("max-age=600", "", 600),
        ("public, Max-Age=600, must-revalidate", "", 600),
        ("max-age=\"600\"", "", 600),
        ("max-age=600", "100", 500),
        ("max-age=600", "-100", 600),
        ("max-age=600", "old", 600),
        ("max-age=600", "590", 60),
        ("max-age=600", "99999", 60),
        ("max-age=60", "", 60),
        ("max-age=59", "", 60),
        ("max-age=0", "", 60),
        ("max-age=-5", "", 60),
        ("max-age=3600", "", 3600),
        ("max-age=3601", "", 3600),
        ("max-age=31536000", "", 3600),
        ("max-age=99999999999999999999", "", 3600),
        ("max-age=86400", "85000", 1400),
        ("max-age=soon", "", 60),
        ("s-maxage=600", "", 900),
        ("no-store", "", 60),
        ("no-cache", "", 60),
        ("no-store, max-age=600", "", 60),
        ("max-age=600, NO-STORE", "", 60),
        ("max-age=9223372036854775807", "9223372036854775807", 60),
    ];
    for (cache_control, age, fresh) in cases {
        let mut script = Script::new(fetched(Some(JWKS)));
        script.expect(JWKS, &answer(200, cache_control, age, set.clone()));
        script.pass_millis(fresh * 1000 - 1);
        assert!(script.is_quiet(), "{cache_control} {age}");
        script.pass_millis(1);
        assert!(!script.is_quiet(), "{cache_control} {age}");
    }
}

#[test]
fn a_discovered_place_is_asked_for_anew_after_a_day() {
    let key = SigningKey::ed();
    let mut script = Script::with_keys(&[key.jwk("k")]);
    script.pass(DAY - 1);
    script.expect(JWKS, &answer(200, "max-age=60", "", jwks(&[key.jwk("k")])));
    script.pass(60);
    script.expect(DISCOVERY, &document(ISSUER, "https://keys.example/moved"));
    script.expect("https://keys.example/moved", &ok(jwks(&[key.jwk("k")])));
}

#[test]
fn however_many_tokens_name_unknown_keys_they_share_one_fetch() {
    let (key, next) = (SigningKey::ed(), SigningKey::ed());
    let mut script = Script::with_keys(&[key.jwk("k")]);
    script.pass(60);
    let came = script.now();
    let tokens: Vec<String> =
        (0..500).map(|index| next.token(&format!("n{index}"), &claims())).collect();
    assert!(tokens.iter().all(|token| script.verdict(token) == "wait"));
    script.expect(JWKS, &ok(jwks(&[key.jwk("k"), next.jwk("n7")])));
    assert!(script.is_quiet());
    // One of them has a key now; the others know that they have none.
    let last = |script: &Script, index: usize| script.verdict_since(&tokens[index], came);
    assert_eq!((last(&script, 7), last(&script, 8)), ("ok", "key_unknown"));
    // Whoever comes later waits for the next one, 1.5 s after the former.
    script.pass_millis(1);
    assert_eq!(script.verdict(&next.token("y", &claims())), "wait");
    script.pass_millis(1_498);
    assert!(script.is_quiet());
    script.pass_millis(1);
    script.expect(JWKS, &ok(jwks(&[next.jwk("y")])));
    assert_eq!(script.verdict(&next.token("y", &claims())), "ok");
}

#[test]
fn a_kid_that_a_fetch_did_not_help_waits_longer_for_the_next_one() {
    let (key, next) = (SigningKey::ed(), SigningKey::ed());
    let mut script = Script::with_keys(&[key.jwk("k")]);
    script.pass(60);
    let (came, unknown) = (script.now(), next.token("n", &claims()));
    assert_eq!(script.verdict(&unknown), "wait");
    script.expect(JWKS, &ok(jwks(&[key.jwk("k")])));
    assert_eq!(script.verdict_since(&unknown, came), "key_unknown");
    script.pass_millis(1_000);
    assert_eq!(script.verdict(&unknown), "wait");
    script.pass_millis(2_999);
    assert!(script.is_quiet());
    script.pass_millis(1);
    script.expect(JWKS, &ok(jwks(&[next.jwk("n")])));
    assert_eq!(script.verdict(&unknown), "ok");
}

#[test]
fn keys_that_were_asked_for_before_a_token_came_refuse_it_not() {
    let (key, next) = (SigningKey::ed(), SigningKey::ed());
    let mut script = Script::with_keys(&[key.jwk("k")]);
    script.pass(900);
    let (number, _) = script.step().unwrap();
    script.pass_millis(1);
    // The issuer rotates after it was asked, and before it has answered.
    let (came, token) = (script.now(), next.token("n", &claims()));
    assert_eq!(script.verdict(&token), "wait");
    script.answer(number, &ok(jwks(&[key.jwk("k")])));
    assert_eq!(script.verdict_since(&token, came), "wait");
    script.pass_millis(1_499);
    script.expect(JWKS, &ok(jwks(&[key.jwk("k")])));
    // The twin: the next set was asked for since, and the key is not in it.
    assert_eq!(script.verdict_since(&token, came), "key_unknown");
}

#[test]
fn a_token_that_would_be_refused_anyway_causes_no_fetch_and_its_twin_does() {
    let key = SigningKey::ed();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        key.token("new", &claims)
    };
    let cases = [
        ("issuer_unknown", with("iss", json!("https://evil.example"))),
        ("audience_wrong", with("aud", json!("other"))),
        ("token_expired", with("exp", json!(START - 30))),
        ("token_not_yet_valid", with("nbf", json!(START + 3000))),
        ("lifetime_too_long", with("exp", json!(START + 2 * DAY))),
        ("claim_missing", with("sub", json!(""))),
        ("token_malformed", with("aud", json!(5))),
        ("alg_not_allowed", key.compact(r#"{"alg":"HS256","kid":"new"}"#, &claims().to_string())),
    ];
    let mut script = Script::with_keys(&[key.jwk("k")]);
    script.pass(60);
    for (reason, token) in cases {
        assert_eq!(script.verdict(&token), reason);
        assert!(script.is_quiet(), "{reason}");
    }
    assert_eq!(script.verdict(&key.token("new", &claims())), "wait");
    assert!(!script.is_quiet());
}

#[test]
fn unknown_keys_wait_while_the_issuer_fails_and_are_answered_by_its_next_success() {
    let key = SigningKey::ed();
    let mut script = Script::with_keys(&[key.jwk("k")]);
    script.pass(60);
    let came = script.now();
    let unknown = key.token("new", &claims());
    assert_eq!(script.verdict(&unknown), "wait");
    script.expect(JWKS, &failure());
    assert_eq!(script.verdict_since(&unknown, came), "wait");
    script.pass(1);
    script.expect(DISCOVERY, &discovery_document());
    script.expect(JWKS, &ok(jwks(&[key.jwk("k")])));
    assert_eq!(script.verdict_since(&unknown, came), "key_unknown");
}

#[test]
fn keys_serve_through_an_outage_of_24_hours_and_then_not() {
    let key = SigningKey::ed();
    let mut script = Script::with_keys(&[key.jwk("k")]);
    let kept = key_of(&script, &key.token("k", &claims()));
    script.pass(DAY);
    assert_eq!(script.verdict(&token_at(&key, "k", DAY)), "ok");
    assert!(kept.is_current());
    script.pass_millis(1);
    assert_eq!(script.verdict(&token_at(&key, "k", DAY)), "wait");
    assert!(!kept.is_current(), "what it verified is void");
    // The issuer is back with the same key, which must be cacheable again.
    script.expect(DISCOVERY, &discovery_document());
    script.expect(JWKS, &ok(jwks(&[key.jwk("k")])));
    assert!(key_of(&script, &token_at(&key, "k", DAY)).is_current());
}

#[test]
fn a_key_that_stays_keeps_what_it_verified_and_one_that_goes_retires_at_once() {
    let (stays, goes, comes) = (SigningKey::ed(), SigningKey::ed(), SigningKey::ed());
    // The issuer lists one of them twice: it still leaves as one.
    let mut script = Script::with_keys(&[stays.jwk("s"), goes.jwk("g"), goes.jwk("g")]);
    let (kept, gone) = (
        key_of(&script, &stays.token("s", &claims())),
        key_of(&script, &goes.token("g", &claims())),
    );
    for _ in 0..2 {
        script.pass(900);
        script.expect(JWKS, &ok(jwks(&[stays.jwk("s"), goes.jwk("g"), goes.jwk("g")])));
    }
    assert!(kept.is_current() && gone.is_current());
    script.pass(900);
    script.expect(JWKS, &ok(jwks(&[stays.jwk("s"), comes.jwk("c")])));
    assert!(kept.is_current() && !gone.is_current());
    assert!(Arc::ptr_eq(&kept, &key_of(&script, &stays.token("s", &claims()))));
    // A kid that is used again for another key is another key.
    script.pass(900);
    script.expect(JWKS, &ok(jwks(&[comes.jwk("s")])));
    assert!(!kept.is_current());
    assert_eq!(script.verdict(&stays.token("s", &claims())), "bad_signature");
}

#[test]
fn a_failed_fetch_takes_no_key_away() {
    let key = SigningKey::ed();
    let mut script = Script::with_keys(&[key.jwk("k")]);
    script.pass(900);
    for reply in [ok(r#"{"keys":[]}"#), ok("<html>"), answer(500, "", "", ""), failure()] {
        let (number, _) = script.step().unwrap();
        script.answer(number, &reply);
        assert_eq!(script.verdict(&key.token("k", &claims())), "ok");
        script.pass(5);
    }
}

#[test]
fn restored_keys_serve_until_the_first_fetch_which_is_due_at_once() {
    let key = SigningKey::ed();
    let stored = Script::with_keys(&[key.jwk("k")]).issuer().stored().unwrap();
    assert_eq!((stored.issuer.as_str(), stored.fetched_at), (ISSUER, START));
    let text = serde_json::to_string(&stored).unwrap();
    let restored = |age: i64| {
        let stored: StoredKeys = serde_json::from_str(&text).unwrap();
        let script = Script::new(fetched(None));
        let stored = StoredKeys { fetched_at: START - age, ..stored };
        let restored = script.issuer().restore(&stored, script.now());
        assert_eq!(restored.is_ok(), (-3600..DAY).contains(&age), "{restored:?}");
        script
    };
    let token = key.token("k", &claims());
    for (age, verdict) in
        [(0, "ok"), (DAY - 1, "ok"), (DAY, "wait"), (-3600, "ok"), (-3601, "wait")]
    {
        let script = restored(age);
        assert_eq!(script.verdict(&token), verdict, "{age}");
        assert_eq!(script.step().unwrap().1, DISCOVERY);
    }
    // Their 24 hours go on counting, and an unknown key still waits for the first fetch.
    let mut script = restored(DAY - 60);
    assert_eq!(script.verdict(&key.token("new", &claims())), "wait");
    script.pass(60);
    assert_eq!(script.verdict(&token), "ok");
    script.pass(1);
    assert_eq!(script.verdict(&token), "wait");
}

#[test]
fn stored_keys_that_cannot_be_used_are_told_and_change_nothing() {
    let script = Script::new(fetched(None));
    let stored = |jwks: Value| StoredKeys { issuer: ISSUER.to_owned(), fetched_at: START, jwks };
    let why = script.issuer().restore(&stored(json!({ "keys": [] })), script.now()).unwrap_err();
    assert!(why.contains("no usable key"), "{why}");
    assert_eq!(script.verdict(&SigningKey::ed().token("k", &claims())), "wait");
    assert!(script.issuer().stored().is_none(), "nothing was fetched, nothing is kept");
    let misspelt = r#"{"issuer":"a","fetched_at":1,"jwks":{},"also":1}"#;
    assert!(serde_json::from_str::<StoredKeys>(misspelt).is_err());
}

#[test]
fn an_answer_to_another_fetch_is_dropped() {
    let (key, evil) = (SigningKey::ed(), SigningKey::ed());
    let script = Script::new(fetched(Some(JWKS)));
    let (number, _) = script.step().unwrap();
    for stale in [number + 1, number.wrapping_sub(1), 0, u32::MAX] {
        script.answer(stale, &ok(jwks(&[evil.jwk("k")])));
        assert_eq!(script.verdict(&evil.token("k", &claims())), "wait");
    }
    script.answer(number, &ok(jwks(&[key.jwk("k")])));
    assert_eq!(script.verdict(&key.token("k", &claims())), "ok");
    // The same answer once more, with another set.
    script.answer(number, &ok(jwks(&[evil.jwk("k")])));
    assert_eq!(script.verdict(&key.token("k", &claims())), "ok");
}

#[test]
fn a_fetch_without_answer_is_given_up_after_30_seconds_and_at_most_two_are_outstanding() {
    let (key, late) = (SigningKey::ed(), SigningKey::ed());
    let mut script = Script::new(fetched(Some(JWKS)));
    let (first, _) = script.step().unwrap();
    script.pass_millis(29_999);
    assert!(script.is_quiet());
    script.pass_millis(1);
    assert!(script.is_quiet(), "given up, and a pause as after any failure");
    script.pass(1);
    let (second, _) = script.step().unwrap();
    assert_ne!(first, second);
    for _ in 0..200 {
        script.pass(30);
        assert!(script.is_quiet(), "two of HAProxy's tasks are held by this issuer");
    }
    // The first one ends at last: too late for its answer, but there is room again.
    script.answer(first, &ok(jwks(&[late.jwk("k")])));
    assert_eq!(script.verdict(&token_at(&late, "k", 6000)), "wait");
    let (third, _) = script.step().unwrap();
    script.answer(second, &failure());
    script.answer(third, &ok(jwks(&[key.jwk("k")])));
    assert_eq!(script.verdict(&token_at(&key, "k", 6000)), "ok");
}

#[test]
fn a_step_of_the_wall_clock_moves_no_fetch() {
    let key = SigningKey::ed();
    let script = Script::with_keys(&[key.jwk("k")]);
    let due = |wall: i64, mono: i64| script.issuer().step(now(wall, mono)).is_some();
    assert!(!due(2 * DAY, 899_999) && !due(-2 * DAY, 899_999));
    assert!(due(-2 * DAY, 900_000));
}
