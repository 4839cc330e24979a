//! Every algorithm, signed by another implementation than ours, and what must not verify in its
//! name; which keys are for which algorithm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::keys::{SigningKey, jwks};
use common::vectors::{expect, run};
use haproxy_vertex::error::Reason;
use haproxy_vertex::jose::{Algorithm, Algorithms, Compact, KeySet};
use serde::Deserialize;
use serde_json::{Value, json};

/// `algorithms.json`, as `make-algorithms.py` writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keys: Vec<Value>,
    cases: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    comment: String,
    /// The `kid` of its key.
    key: String,
    /// The key's `alg`; empty for none.
    key_alg: String,
    /// The operator's `algorithms`; empty for none.
    listed: Vec<String>,
    token: String,
    expect: String,
}
named!(Case);

fn file() -> File {
    serde_json::from_str(include_str!("vectors/algorithms.json")).unwrap()
}

fn key(kid: &str) -> Value {
    file().keys.into_iter().find(|key| key["kid"] == kid).unwrap()
}

fn algorithms(names: &[String]) -> Algorithms {
    let named = |name: &String| Algorithm::from_name(name).unwrap();
    match names {
        [] => Algorithms::default(),
        names => Algorithms::listed(names.iter().map(named).collect()),
    }
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(&jwks(keys), &Algorithms::default()).unwrap()
}

fn verify(set: &KeySet, kid: &str, token: &str) -> Result<(), Reason> {
    let token = Compact::parse(token)?;
    set.named(kid).next().ok_or(Reason::KeyUnknown)?.verify(&token)
}

#[test]
fn a_key_verifies_its_own_algorithm_and_nothing_else() {
    run::<Case>(&file().cases.to_string(), |case| {
        let mut jwk = key(&case.key);
        if !case.key_alg.is_empty() {
            jwk["alg"] = json!(case.key_alg);
        }
        let allowed = algorithms(&case.listed);
        let outcome = match KeySet::parse(&jwks(&[jwk]), &allowed) {
            Ok(set) => {
                // What a state file holds is read the same.
                let stored = set.to_json().to_string();
                let again = KeySet::parse(stored.as_bytes(), &allowed).unwrap();
                let outcome = verify(&set, &case.key, &case.token);
                assert_eq!(verify(&again, &case.key, &case.token), outcome, "{}", case.name);
                outcome
            }
            Err(why) if why.0.contains("not on the issuer's list") => Err(Reason::KeyUnknown),
            Err(why) => return Err(why.0),
        };
        expect(outcome, &case.expect)
    });
}

#[test]
fn every_algorithm_has_its_cases() {
    let cases: Vec<Case> = common::vectors::read(&file().cases.to_string());
    for alg in Algorithm::ALL {
        let of = |expect: &str| {
            let own = |case: &&Case| case.name.starts_with(&format!("{}: ", alg.name()));
            cases.iter().filter(own).filter(|case| case.expect == expect).count()
        };
        let counts = [of("ok"), of("bad_signature"), of("alg_not_allowed"), of("key_unknown")];
        assert!(counts[0] >= 2 && counts[1] >= 6 && counts[2] >= 3 && counts[3] == 1, "{alg:?}");
    }
}

#[test]
fn the_issuers_list_of_algorithms_narrows_the_keys() {
    let text = jwks(&[SigningKey::rsa().jwk("rsa"), SigningKey::ec().jwk("ec")]);
    let listed = |list: &[Algorithm]| KeySet::parse(&text, &Algorithms::listed(list.to_vec()));
    let both = listed(&[Algorithm::Es256, Algorithm::Rs256]).unwrap();
    assert_eq!((both.named("rsa").count(), both.named("ec").count()), (1, 1));
    let one = listed(&[Algorithm::Es256]).unwrap();
    assert_eq!((one.named("rsa").count(), one.named("ec").count()), (0, 1));
    let none = listed(&[Algorithm::EdDsa]).unwrap_err();
    assert!(none.0.contains("not on the issuer's list"), "{none}");
}

#[test]
fn an_rsa_key_without_alg_is_for_what_the_list_says_when_it_is_read() {
    let rsa = || vec![SigningKey::rsa().jwk("rsa")];
    let read = |text: &[u8], list: &[Algorithm]| {
        let allowed = match list {
            [] => Algorithms::default(),
            list => Algorithms::listed(list.to_vec()),
        };
        let set = KeySet::parse(text, &allowed).unwrap();
        (set.named("rsa").next().unwrap().algorithms().to_vec(), set.to_json().to_string())
    };
    let (algs, stored) = read(&jwks(&rsa()), &[]);
    assert_eq!(algs, [Algorithm::Rs256]);
    assert!(!stored.contains("alg"), "{stored}");
    // A process with another list that finds the state file of this one goes by its own list.
    let listed = [Algorithm::Ps512, Algorithm::Rs384, Algorithm::Es256];
    let (algs, stored) = read(stored.as_bytes(), &listed);
    assert_eq!(algs, [Algorithm::Rs384, Algorithm::Ps512]);
    assert_eq!(read(stored.as_bytes(), &[]).0, [Algorithm::Rs256]);
    // One that says what it is for stays that, however long the list.
    let mut named = rsa();
    named[0]["alg"] = json!("PS256");
    let (algs, stored) = read(&jwks(&named), Algorithm::ALL);
    assert_eq!(algs, [Algorithm::Ps256]);
    assert_eq!(read(stored.as_bytes(), Algorithm::ALL).0, [Algorithm::Ps256]);
}

#[test]
fn a_key_that_changes_its_algorithm_is_another_key() {
    let with = |alg: Option<&str>| {
        let mut jwk = SigningKey::rsa().jwk("rsa");
        if let Some(alg) = alg {
            jwk["alg"] = json!(alg);
        }
        set(&[jwk])
    };
    let (former, same) = (with(Some("RS256")), with(Some("RS256")));
    let held = former.named("rsa").next().unwrap().clone();
    assert!(same.replacing(&former).named("rsa").next().unwrap().is_current() && held.is_current());
    let _ = with(Some("PS256")).replacing(&former);
    assert!(!held.is_current());
    let former = with(None);
    let held = former.named("rsa").next().unwrap().clone();
    let _ = with(Some("RS256")).replacing(&former);
    assert!(!held.is_current());
}

#[test]
fn a_set_written_and_read_again_verifies_the_same() {
    let keys = [SigningKey::rsa(), SigningKey::ec(), SigningKey::ed(), SigningKey::p384()];
    let kids = ["0", "1", "2", "3"];
    let published: Vec<Value> = keys.iter().zip(kids).map(|(key, kid)| key.jwk(kid)).collect();
    let written = set(&published).to_json().to_string();
    let again = KeySet::parse(written.as_bytes(), &Algorithms::default()).unwrap();
    for (key, kid) in keys.iter().zip(kids) {
        assert_eq!(verify(&again, kid, &key.token(kid, &json!({}))), Ok(()));
        assert_eq!(again.named(kid).next().unwrap().algorithms()[0].name(), key.alg());
    }
}

#[test]
fn a_point_off_its_curve_is_passed_over() {
    for key in [SigningKey::ec(), SigningKey::p384()] {
        let (mut jwk, token) = (key.jwk("ec"), key.token("ec", &json!({})));
        assert_eq!(verify(&set(&[jwk.clone()]), "ec", &token), Ok(()));
        let twin = SigningKey::ed().jwk("twin");
        let kept = |jwk: &Value| {
            let set = set(&[jwk.clone(), twin.clone()]);
            assert!(set.passed_over().iter().all(|why| why.contains("not on its curve")));
            set.named("ec").count()
        };
        assert_eq!(kept(&jwk), 1);
        jwk["y"] = jwk["x"].clone();
        assert_eq!(kept(&jwk), 0);
        // (0, 0) is on neither curve, and in some formulas behaves like the point at infinity.
        let zeros =
            haproxy_vertex::jose::base64url(&vec![0; if key.alg() == "ES256" { 32 } else { 48 }]);
        (jwk["x"], jwk["y"]) = (json!(zeros), json!(zeros));
        assert_eq!(kept(&jwk), 0);
    }
}
