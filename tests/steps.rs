//! The decision in three steps: what each tells, what it wants before it, and that all three
//! together say what the one call says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::at;
use common::gateway::{Ask, BACKENDS, Said, URL, bearer, fetching, member, open, open_minimal};
use common::keys::SigningKey;
use common::script::{JWKS, ok};
use common::settings::{Files, haproxy, minimal};
use haproxy_vertex::gateway::{Gateway, Passage, Signed, Step, Style, Variables};
use haproxy_vertex::haproxy::Haproxy;
use haproxy_vertex::time::Now;
use serde_json::json;

fn verify(gateway: &Gateway, ask: &Ask, now: Now) -> Step<Passage> {
    gateway.verify(&ask.bytes(), gateway.start_waiting(now), now)
}

fn permit(gateway: &Gateway, passage: &Passage, ask: &Ask, now: Now) -> Step<Passage> {
    gateway.permit(passage, &ask.bytes(), gateway.start_waiting(now), now)
}

fn done<T>(step: Step<T>) -> (T, Variables) {
    match step {
        Step::Done(given, told) => (given, told),
        Step::Wait => panic!("waits"),
        Step::Needs(what) => panic!("needs {what}"),
        Step::Refused(told) => panic!("refused: {told:?}"),
    }
}

fn refused<T>(step: Step<T>) -> Variables {
    match step {
        Step::Refused(told) => told,
        _ => panic!("not refused"),
    }
}

fn value<'v>(told: &'v Variables, name: &str) -> &'v str {
    told.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

/// All three, and what the last that was asked has told.
fn all(gateway: &Gateway, ask: &Ask, now: Now) -> Result<(Signed, Variables), Variables> {
    let (passage, _) = match verify(gateway, ask, now) {
        Step::Done(passage, told) => (passage, told),
        other => return Err(refused(other)),
    };
    let (passage, told) = match permit(gateway, &passage, ask, now) {
        Step::Done(passage, told) => (passage, told),
        other => return Err(refused(other)),
    };
    Ok((done(gateway.sign(Some(&passage), "role", now)).0, told))
}

#[test]
fn the_steps_say_what_the_one_call_says() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let ask = Ask::with(&key.token("k1", &member()));
    let asks = [
        ask.clone(),
        ask.clone().url(&URL.replace("us-central1", "global")),
        ask.clone().url(&URL.replace("2.5", "1.5")),
        ask.clone().url(&URL.replace(":generateContent", "%3AgenerateContent")),
        ask.clone().url("/anything"),
        ask.clone().url(&format!("{URL}?key=x")),
        ask.clone().header("x-http-method-override", "GET"),
        ask.clone().header("x-api-key", "second"),
        ask.clone().body("{"),
        Ask::anonymous(),
        Ask::with(&SigningKey::ed().token("k1", &member())),
        Ask::with("ya29.google"),
    ];
    let mut allowed = 0;
    for ask in &asks {
        let said = Said::new(&gateway.decide(&ask.bytes(), at(1)));
        match all(&gateway, ask, at(1)) {
            Ok((signed, told)) => {
                let target = signed.target.unwrap();
                assert_eq!(value(&told, "location"), said.field(2));
                assert_eq!(
                    (target.host.as_str(), target.uri.as_str()),
                    (said.field(7), said.field(8))
                );
                assert_eq!(target.method, "POST");
                let bearer = bearer(&gateway, said.handle(), at(1));
                assert_eq!(Some(signed.authorization.as_str()), bearer.as_deref());
                assert_eq!(value(&told, "audit"), said.tail());
                allowed += 1;
            }
            Err(told) => {
                let fields = ["decision", "status", "reason"].map(|name| value(&told, name));
                assert_eq!(fields, [1, 2, 3].map(|n| said.field(n)), "{}", ask.url);
                let error = value(&told, "error").replace(value(&told, "id"), "");
                assert_eq!(error, said.field(7).replace(said.field(5), ""));
                assert_eq!(value(&told, "audit").split(" principal=").next(), {
                    said.tail().split(" principal=").next()
                });
            }
        }
    }
    assert_eq!(allowed, 2);
}

#[test]
fn nothing_is_signed_without_a_grant_but_what_says_so() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    let second = |name: &str, without_role: bool| json!({ "name": name, "type": "access_token", "file": "token.txt", "without_role": without_role });
    let credentials = settings["credentials"].as_array_mut().unwrap();
    credentials.extend([second("closed", false), second("open", true)]);
    let gateway = open(&key, &settings, BACKENDS);
    let ask = Ask::with(&key.token("k1", &member()));
    let (verified, told) = done(verify(&gateway, &ask, at(1)));
    assert_eq!(value(&told, "principal"), "corp:alice");
    let (granted, _) = done(permit(&gateway, &verified, &ask, at(1)));

    for passage in [None, Some(&verified)] {
        for name in ["role", "ml-prod", "closed", "nobody", ""] {
            assert_eq!(refused(gateway.sign(passage, name, at(1))), [], "{name}");
        }
        let (signed, told) = done(gateway.sign(passage, "open", at(1)));
        assert_eq!(signed.authorization.as_str(), "Bearer a-google-access-token");
        assert_eq!(signed.target, None);
        assert_eq!((value(&told, "credential"), value(&told, "google_identity")), ("open", "-"));
    }
    for name in ["ml-prod", "closed", "open"] {
        let (signed, told) = done(gateway.sign(Some(&granted), name, at(1)));
        assert!(signed.target.is_some());
        let tail = value(&told, "audit");
        assert!(
            tail.contains(&format!(" role=ml-team credential={name} google_identity=")),
            "{tail}"
        );
        assert!(tail.contains(" project=acme-ml location=us-central1 "), "{tail}");
    }
    let told = refused(gateway.sign(Some(&granted), "nobody", at(1)));
    assert_eq!(value(&told, "reason"), "credential_unavailable");
    assert!(value(&told, "audit").contains("principal=corp:alice role=ml-team"));
}

#[test]
fn the_log_line_names_the_credential_that_signed() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    let second = json!({ "name": "other", "type": "access_token", "file": "token.txt" });
    settings["credentials"].as_array_mut().unwrap().push(second);
    let config = Files::new(&key).load(&settings.to_string()).unwrap();
    let host = Haproxy { accounts: true, ..haproxy(BACKENDS) };
    let gateway = Gateway::open(config, &host, at(0)).unwrap();
    for (name, logged) in [("role", "ml-prod"), ("other", "other")] {
        let ask = Ask::with(&key.token("k1", &member()));
        let (verified, _) = done(verify(&gateway, &ask, at(1)));
        let (granted, told) = done(permit(&gateway, &verified, &ask, at(1)));
        done(gateway.sign(Some(&granted), name, at(1)));
        let ended = format!("-{}^^200^200^", value(&told, "verdict"));
        let line = gateway.log_fields(&ended, Style::Text, at(2)).unwrap();
        assert!(line.contains(&format!(" role=ml-team credential={logged} ")), "{line}");
    }
}

#[test]
fn a_bearer_that_is_spent_by_then_is_not_signed_with() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let ask = Ask::with(&key.token("k1", &member()));
    let (verified, _) = done(verify(&gateway, &ask, at(1)));
    let (granted, _) = done(permit(&gateway, &verified, &ask, at(1)));
    assert!(matches!(gateway.sign(Some(&granted), "role", at(3_500)), Step::Done(..)));
    let told = refused(gateway.sign(Some(&granted), "role", at(3_700)));
    assert_eq!(value(&told, "reason"), "credential_unavailable");
}

#[test]
fn a_token_that_ends_between_the_steps_is_refused() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let ask = Ask::with(&key.token("k1", &member()));
    let (verified, _) = done(verify(&gateway, &ask, at(3_600)));
    let _ = gateway.step(at(3_600));
    assert!(matches!(permit(&gateway, &verified, &ask, at(3_620)), Step::Done(..)));
    let told = refused(permit(&gateway, &verified, &ask, at(3_640)));
    assert_eq!(value(&told, "reason"), "token_expired");
    assert!(value(&told, "audit").contains("principal=corp:alice"));
}

#[test]
fn a_key_that_is_removed_between_the_steps_is_unknown() {
    let (key, next) = (SigningKey::ed(), SigningKey::ed());
    let mut settings = fetching();
    settings["issuers"][0]["jwks_uri"] = json!(JWKS);
    let gateway = open(&key, &settings, common::gateway::FETCHING_BACKENDS);
    let ask = Ask::with(&key.token("k1", &member()));
    let publish = |keys: &[serde_json::Value], now: Now| {
        let fetch = gateway.step(now).expect("a fetch is due");
        gateway.answer(fetch.id, &ok(common::keys::jwks(keys)), now);
    };
    assert!(matches!(verify(&gateway, &ask, at(0)), Step::Wait));
    publish(&[key.jwk("k1")], at(1));
    let (verified, _) = done(verify(&gateway, &ask, at(2)));
    assert!(matches!(permit(&gateway, &verified, &ask, at(2)), Step::Done(..)));
    publish(&[next.jwk("k2")], at(1_000));
    let told = refused(permit(&gateway, &verified, &ask, at(1_001)));
    assert_eq!(value(&told, "reason"), "key_unknown");
}
