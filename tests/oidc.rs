//! Claims and keys of one token, with keys that are there: what `Verifier` takes and refuses, and
//! in which order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::START;
use common::keys::{SigningKey, jwks};
use common::script::{ISSUER, Script, claims, issuer_config};
use common::vectors::{expect, run};
use haproxy_vertex::fetch::Endpoint;
use haproxy_vertex::jose::{Algorithm, Algorithms, KeySet};
use haproxy_vertex::oidc::{
    ClaimNames, Issuer, IssuerConfig, KeySource, LEEWAY_SECS, MAX_LIFETIME_SECS, Outcome, Verified,
    Verifier, discovery,
};
use haproxy_vertex::time::{Monotonic, Now, UnixTime};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    comment: String,
    /// The claim that the issuer's configuration names for the audience.
    audience: String,
    claims: Value,
    /// Unix seconds.
    now: i64,
    expect: String,
}
named!(Case);

fn from_file(keys: &[Value]) -> KeySource {
    KeySource::File(KeySet::parse(&jwks(keys), &Algorithms::default()).unwrap())
}

fn verified(verifier: &Verifier, token: &str) -> Verified {
    match verifier.verify(token, common::at(0), common::at(0).mono) {
        Outcome::Valid(verified) => verified,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_claim_is_checked_at_its_bounds() {
    assert_eq!((LEEWAY_SECS, MAX_LIFETIME_SECS), (30, 86_400));
    let key = SigningKey::ed();
    run::<Case>(include_str!("vectors/claims.json"), |case| {
        let mut config = issuer_config(from_file(&[key.jwk("k")]));
        config.claims.audience.clone_from(&case.audience);
        let now = Now { wall: UnixTime(case.now), mono: Monotonic(0) };
        let verifier = Verifier::new(vec![Issuer::new(config, now)]);
        let token = key.token("k", &case.claims);
        let outcome = match verifier.verify(&token, now, now.mono) {
            Outcome::Valid(_) => Ok(()),
            Outcome::Refuse(refusal) => Err(refusal.reason),
            Outcome::Wait(reason) => panic!("{}: waits for {reason:?}", case.name),
        };
        expect(outcome, &case.expect)
    });
}

#[test]
fn what_a_token_says_of_its_caller_is_handed_on() {
    let key = SigningKey::ed();
    let script = Script::new(from_file(&[key.jwk("k")]));
    let mut claims = claims();
    claims["groups"] = json!(["ml", "ops"]);
    claims["email"] = json!("alice@corp.example");
    claims["nbf"] = json!(START - 5);
    let verified = verified(&script.verifier, &key.token("k", &claims));
    assert_eq!((verified.identity.issuer, verified.identity.subject.as_str()), (0, "alice"));
    assert_eq!(verified.identity.groups, ["ml", "ops"]);
    assert_eq!(verified.identity.display.as_deref(), Some("alice@corp.example"));
    assert_eq!(verified.identity.validity.not_before, UnixTime(START));
    assert_eq!(verified.identity.validity.expires, UnixTime(START + 3600));
    assert!(verified.key.is_current());
}

#[test]
fn groups_and_display_come_from_the_claims_that_the_issuer_names() {
    let key = SigningKey::ed();
    let mut config = issuer_config(from_file(&[key.jwk("k")]));
    let audience = "aud".to_owned();
    config.claims = ClaimNames {
        audience,
        subject: "sub".to_owned(),
        groups: "roles".to_owned(),
        display: None,
    };
    let verifier = Verifier::new(vec![Issuer::new(config, common::at(0))]);
    let mut claims = claims();
    claims["groups"] = json!(["not these"]);
    claims["email"] = json!("alice@corp.example");
    assert!(verified(&verifier, &key.token("k", &claims)).identity.groups.is_empty());
    claims["roles"] = json!("ml");
    let verified = verified(&verifier, &key.token("k", &claims));
    assert_eq!(
        (verified.identity.groups, verified.identity.display),
        (vec!["ml".to_owned()], None)
    );
}

#[test]
fn a_key_is_looked_up_by_issuer_and_kid_and_by_nothing_else() {
    let (key, stranger) = (SigningKey::ed(), SigningKey::ed());
    let script = Script::new(from_file(&[key.jwk("k")]));
    assert_eq!(script.verdict(&key.token("k", &claims())), "ok");
    assert_eq!(script.verdict(&key.token("K", &claims())), "key_unknown");
    assert_eq!(script.verdict(&key.token("", &claims())), "key_unknown");
    let without_kid = key.compact(r#"{"alg":"EdDSA"}"#, &claims().to_string());
    assert_eq!(script.verdict(&without_kid), "ok", "there is but one that fits");
    assert_eq!(script.verdict(&stranger.token("k", &claims())), "bad_signature");
}

#[test]
fn one_issuers_key_verifies_no_token_of_another() {
    let (own, other) = (SigningKey::ed(), SigningKey::ed());
    let second = IssuerConfig {
        name: "partner".to_owned(),
        issuer: "https://partner.example".to_owned(),
        ..issuer_config(from_file(&[other.jwk("p")]))
    };
    let first = issuer_config(from_file(&[own.jwk("k")]));
    let issuers = [first, second].map(|config| Issuer::new(config, common::at(0)));
    let verifier = Verifier::new(issuers.into());
    let mut partner = claims();
    partner["iss"] = json!("https://partner.example");
    assert_eq!(verified(&verifier, &own.token("k", &claims())).identity.issuer, 0);
    assert_eq!(verified(&verifier, &other.token("p", &partner)).identity.issuer, 1);
    let refused = |token: &str| match verifier.verify(token, common::at(0), common::at(0).mono) {
        Outcome::Refuse(refusal) => refusal.reason.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&other.token("p", &claims())), "key_unknown");
    assert_eq!(refused(&other.token("k", &claims())), "bad_signature");
    assert_eq!(refused(&own.token("k", &partner)), "key_unknown");
}

#[test]
fn of_two_keys_with_one_kid_each_verifies_its_own_tokens() {
    let keys = [SigningKey::ec(), SigningKey::ed()];
    let script = Script::new(from_file(&keys.each_ref().map(|key| key.jwk("k"))));
    for key in &keys {
        assert_eq!(script.verdict(&key.token("k", &claims())), "ok", "{}", key.alg());
    }
    // Neither order of the keys hides that one of them fits the algorithm.
    assert_eq!(script.verdict(&SigningKey::ed().token("k", &claims())), "bad_signature");
    assert_eq!(script.verdict(&SigningKey::ec().token("k", &claims())), "bad_signature");
    assert_eq!(script.verdict(&SigningKey::rsa().token("k", &claims())), "alg_not_allowed");
}

/// What the caller of a refused token is told.
fn told(source: KeySource, token: &str) -> String {
    let script = Script::new(source);
    match script.verifier.verify(token, common::at(0), common::at(0).mono) {
        Outcome::Refuse(refusal) => format!("{} {}", refusal.reason.code(), refusal.message()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_without_kid_is_for_the_only_key_of_its_algorithm() {
    let (first, second, ec) = (SigningKey::ed(), SigningKey::ed(), SigningKey::ec());
    let bare = |key: &SigningKey| {
        key.compact(&format!(r#"{{"alg":"{}"}}"#, key.alg()), &claims().to_string())
    };
    let one = [first.jwk("a"), ec.jwk("b")];
    let script = Script::new(from_file(&one));
    assert_eq!((script.verdict(&bare(&first)), script.verdict(&bare(&ec))), ("ok", "ok"));
    assert_eq!(script.verdict(&bare(&second)), "bad_signature");
    // The key may have none either; a token that names one is not for it.
    let mut nameless = first.jwk("a");
    nameless.as_object_mut().unwrap().remove("kid");
    let script = Script::new(from_file(&[nameless]));
    assert_eq!(script.verdict(&bare(&first)), "ok");
    assert_eq!(script.verdict(&first.token("", &claims())), "key_unknown");
    assert_eq!(script.verdict(&first.token("a", &claims())), "key_unknown");

    let two = [first.jwk("a"), second.jwk("b")];
    let said = told(from_file(&two), &bare(&first));
    assert!(
        said.starts_with("key_unknown") && said.contains("no kid, and more than one"),
        "{said}"
    );
    let said = told(from_file(&[ec.jwk("b")]), &bare(&first));
    assert!(said.starts_with("key_unknown") && said.contains("no kid, and no key"), "{said}");
}

#[test]
fn a_claim_that_is_missing_or_mistyped_is_named() {
    let key = SigningKey::ed();
    let said = |name: &str, value: Option<Value>| {
        let mut claims = claims();
        match value {
            Some(value) => claims[name] = value,
            None => drop(claims.as_object_mut().unwrap().remove(name)),
        }
        told(from_file(&[key.jwk("k")]), &key.token("k", &claims))
    };
    for name in ["iss", "sub", "exp", "aud"] {
        let said = said(name, None);
        assert!(
            said.starts_with("claim_missing") && said.ends_with(&format!(": {name}")),
            "{said}"
        );
    }
    let mistyped = [
        ("iss", json!(1)),
        ("sub", json!(1)),
        ("aud", json!(1)),
        ("groups", json!(1)),
        ("email", json!(1)),
        ("exp", json!("soon")),
        ("iat", json!("soon")),
        ("nbf", json!("soon")),
    ];
    for (name, value) in mistyped {
        let said = said(name, Some(value));
        assert!(said.starts_with("token_malformed"), "{said}");
        assert!(said.contains(&format!("the claim {name} must be")), "{said}");
    }
}

#[test]
fn groups_that_the_issuer_left_out_are_noticed() {
    let key = SigningKey::ed();
    let script = Script::new(from_file(&[key.jwk("k")]));
    let lacks = |names: &[(&str, Value)]| {
        let mut claims = claims();
        names.iter().for_each(|(name, value)| claims[*name] = value.clone());
        verified(&script.verifier, &key.token("k", &claims)).identity.lacks_groups
    };
    let referred = json!({ "groups": "src1" });
    assert!(lacks(&[("_claim_names", referred.clone())]));
    assert!(lacks(&[("hasgroups", json!(true))]));
    assert!(!lacks(&[]));
    assert!(!lacks(&[("hasgroups", json!(false))]));
    assert!(!lacks(&[("_claim_names", json!({ "address": "src1" }))]));
    assert!(!lacks(&[("_claim_names", referred), ("groups", json!(["ml"]))]));
}

#[test]
fn an_algorithm_outside_the_issuers_list_is_refused_before_keys_are_asked_for() {
    let key = SigningKey::ed();
    let mut config = issuer_config(common::script::fetched(None));
    config.algorithms = Algorithms::listed(vec![Algorithm::Rs256]);
    let verifier = Verifier::new(vec![Issuer::new(config, common::at(0))]);
    let outcome = |token: &str| verifier.verify(token, common::at(0), common::at(0).mono);
    assert!(matches!(outcome(&SigningKey::rsa().token("k", &claims())), Outcome::Wait(_)));
    let refused = outcome(&key.token("k", &claims()));
    assert!(
        matches!(refused, Outcome::Refuse(refusal) if refusal.reason.code() == "alg_not_allowed")
    );
}

#[test]
fn https_urls_are_taken_apart_and_everything_else_is_refused() {
    let parsed = |url: &str| Endpoint::parse(url).map(|e| (e.authority, e.path));
    let good = |authority: &str, path: &str| Ok((authority.to_owned(), path.to_owned()));
    assert_eq!(parsed("https://idp.example/keys?v=1"), good("idp.example", "/keys?v=1"));
    assert_eq!(parsed("https://IDP.example"), good("idp.example", "/"));
    assert_eq!(parsed("https://idp.example:443/k"), good("idp.example", "/k"));
    assert_eq!(parsed("https://idp.example:8443/k"), good("idp.example:8443", "/k"));
    for url in [
        "http://idp.example/keys",
        "HTTPS://idp.example/keys",
        "https:/idp.example/keys",
        "//idp.example/keys",
        "/keys",
        "",
        "https://",
        "https:///keys",
        "https://user@idp.example/keys",
        "https://user:password@idp.example/keys",
        "https://[::1]/keys",
        "https://idp.example?keys",
        "https://idp.example/keys#fragment",
        "https://idp.example/ke ys",
        "https://idp.example/keys\r\nhost: evil",
        "https://idp.example\\@evil.example/",
        "https://idp.éxample/keys",
        "ftp://idp.example/keys",
    ] {
        assert!(parsed(url).is_err(), "{url}");
    }
}

#[test]
fn the_discovery_document_is_below_the_issuer_with_or_without_its_slash() {
    let found = |issuer: &str| discovery(issuer).map(|endpoint| endpoint.to_string());
    let expected = Ok(format!("{ISSUER}/.well-known/openid-configuration"));
    assert_eq!(found(ISSUER), expected);
    assert_eq!(found(&format!("{ISSUER}/")), expected);
    let below = "https://idp.example/realms/ml/.well-known/openid-configuration";
    assert_eq!(found("https://idp.example/realms/ml"), Ok(below.to_owned()));
    assert!(found("https://idp.example/?tenant=ml").is_err());
    assert!(found("https://idp.example/#ml").is_err());
    assert!(found("http://idp.example").is_err());
}
