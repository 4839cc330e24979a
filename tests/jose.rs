//! Tokens and key sets, without an issuer: what is a well-formed JWS, which signatures hold,
//! which keys are usable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::keys::{SigningKey, compact, from_base64url, jwks, pem};
use common::vectors::{expect, run};
use haproxy_vertex::error::Reason;
use haproxy_vertex::jose::{
    Algorithm, Algorithms, Compact, Key, KeySet, MAX_TOKEN_BYTES, PublicKey,
};
use proptest::prelude::*;
use ring::hmac;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rfc {
    name: String,
    comment: String,
    alg: String,
    jwk: Value,
    signing_input: String,
    signature: String,
    /// Whether the payload is a JSON object.
    claims: bool,
}
named!(Rfc);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spelling {
    name: String,
    comment: String,
    token: String,
    expect: String,
}
named!(Spelling);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SignedAs {
    Rsa,
    Ec,
    EcDer,
    Ed,
    AnotherEd,
    Hmac,
    HmacPem,
    Zeros,
    Nothing,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inside {
    name: String,
    comment: String,
    protected: String,
    payload: String,
    signed_as: SignedAs,
    /// The `kid` of the key that verifies.
    key: String,
    expect: String,
}
named!(Inside);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    name: String,
    comment: String,
    jwks: Value,
    /// The `kid` and algorithm of each key that is kept; none for a set that is refused.
    kids: Vec<String>,
    /// A fragment of the refusal.
    says: String,
}
named!(Published);

const RFC: &str = include_str!("vectors/rfc.json");

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(&jwks(keys), &Algorithms::default()).unwrap()
}

fn verify(set: &KeySet, kid: &str, token: &str) -> Result<(), Reason> {
    let token = Compact::parse(token)?;
    set.named(kid).next().unwrap().verify(&token)
}

fn algorithm(case: &Rfc) -> Algorithm {
    Algorithm::from_name(&case.alg).unwrap()
}

fn public_key(jwk: &Value) -> PublicKey {
    let number = |name: &str| from_base64url(jwk[name].as_str().unwrap());
    match jwk["kty"].as_str().unwrap() {
        "RSA" => PublicKey::Rsa { n: number("n"), e: number("e") },
        "EC" => PublicKey::P256([vec![4], number("x"), number("y")].concat()),
        _ => PublicKey::Ed25519(number("x")),
    }
}

#[test]
fn the_rfcs_own_signatures_verify() {
    run::<Rfc>(RFC, |case| {
        let signature = from_base64url(&case.signature);
        let (alg, input) = (algorithm(case), case.signing_input.as_bytes());
        let verified = public_key(&case.jwk).verify(alg, input, &signature);
        expect(verified, "ok")?;
        let token = format!("{}.{}", case.signing_input, case.signature);
        let kid = case.jwk["kid"].as_str().unwrap();
        let whole = verify(&set(std::slice::from_ref(&case.jwk)), kid, &token);
        expect(whole, if case.claims { "ok" } else { "token_malformed" })
    });
}

#[test]
fn each_bit_of_the_rfcs_signatures_and_each_byte_of_what_they_sign_counts() {
    run::<Rfc>(RFC, |case| {
        let (key, alg) = (public_key(&case.jwk), algorithm(case));
        let (input, signature) = (case.signing_input.as_bytes(), from_base64url(&case.signature));
        for bit in 0..signature.len() * 8 {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            expect(key.verify(alg, input, &changed), "bad_signature")?;
        }
        for index in 0..input.len() {
            let mut changed = input.to_vec();
            changed[index] ^= 1 << (index % 8);
            expect(key.verify(alg, &changed, &signature), "bad_signature")?;
        }
        Ok(())
    });
}

#[test]
fn a_token_has_one_spelling() {
    let key: Vec<Rfc> = common::vectors::read(RFC);
    let set = set(&[key[1].jwk.clone()]);
    run::<Spelling>(include_str!("vectors/compact.json"), |case| {
        expect(verify(&set, "a3", &case.token), &case.expect)
    });
}

#[test]
fn header_and_payload_are_read_strictly_and_the_key_alone_says_the_algorithm() {
    let (rsa, ec, ed) = (SigningKey::rsa(), SigningKey::ec(), SigningKey::ed());
    let another = SigningKey::ed();
    let set = set(&[rsa.jwk("rsa"), ec.jwk("ec"), ed.jwk("ed")]);
    let (n, e) = rsa.numbers();
    let public_pem = pem("PUBLIC KEY", &[n.clone(), e].concat());
    let mac = |secret: &[u8], message: &[u8]| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
    };
    run::<Inside>(include_str!("vectors/jws.json"), |case| {
        let token = compact(&case.protected, &case.payload, |message| match case.signed_as {
            SignedAs::Rsa => rsa.sign(message),
            SignedAs::Ec => ec.sign(message),
            SignedAs::EcDer => ec.sign_der(message),
            SignedAs::Ed => ed.sign(message),
            SignedAs::AnotherEd => another.sign(message),
            SignedAs::Hmac => mac(&n, message),
            SignedAs::HmacPem => mac(public_pem.as_bytes(), message),
            SignedAs::Zeros => vec![0; 64],
            SignedAs::Nothing => Vec::new(),
        });
        expect(verify(&set, &case.key, &token), &case.expect)
    });
}

/// A token of exactly this many bytes.
fn token_of(key: &SigningKey, bytes: usize) -> String {
    // A change of the header shifts by the one or two bytes that base64 of the payload skips.
    for header in [r#"{"alg":"EdDSA"}"#, r#"{"alg":"EdDSA" }"#, r#"{"alg":"EdDSA"  }"#] {
        let around = key.compact(header, r#"{"iss":""}"#).len();
        let fill = (bytes - around) / 4 * 3;
        for fill in fill..fill + 3 {
            let token = key.compact(header, &json!({ "iss": "x".repeat(fill) }).to_string());
            if token.len() == bytes {
                return token;
            }
        }
    }
    panic!("no token of {bytes} bytes");
}

#[test]
fn a_token_of_16_384_bytes_is_read_and_one_of_16_385_is_not() {
    let key = SigningKey::ed();
    let set = set(&[key.jwk("ed")]);
    assert_eq!(MAX_TOKEN_BYTES, 16_384);
    assert_eq!(verify(&set, "ed", &token_of(&key, 16_384)), Ok(()));
    assert_eq!(verify(&set, "ed", &token_of(&key, 16_385)), Err(Reason::TokenTooLong));
    assert_eq!(Compact::parse(&"x".repeat(16_385)).err(), Some(Reason::TokenTooLong));
}

#[test]
fn what_can_verify_is_kept_and_the_rest_is_passed_over() {
    run::<Published>(include_str!("vectors/jwks.json"), |case| {
        let text = case.jwks.to_string();
        let parsed = KeySet::parse(text.as_bytes(), &Algorithms::default());
        match (parsed, case.kids.as_slice()) {
            (Err(why), []) if !case.says.is_empty() && why.0.contains(&case.says) => Ok(()),
            (Ok(set), kids) if !kids.is_empty() && case.says.is_empty() => {
                let told = |key: &Key| {
                    let kid = key.kid.as_deref().unwrap_or("-");
                    format!("{kid} {}", key.algorithms()[0].name())
                };
                let mut found: Vec<String> = set.sorted().into_iter().map(told).collect();
                found.sort();
                match found == kids && set.len() == kids.len() {
                    true => Ok(()),
                    false => Err(format!("{found:?} of {} keys", set.len())),
                }
            }
            (parsed, _) => Err(format!("{:?}", parsed.map(|set| set.len()))),
        }
    });
}

#[test]
fn a_key_set_holds_at_most_100_keys_and_256_kib() {
    let key = SigningKey::ed();
    let keys: Vec<Value> = (0..101).map(|index| key.jwk(&format!("k{index}"))).collect();
    assert_eq!(set(&keys[..100]).len(), 100);
    let refused = |text: &[u8]| KeySet::parse(text, &Algorithms::default()).unwrap_err().0;
    assert!(refused(&jwks(&keys)).contains("at most 100 keys"));
    // A hundred is counted before anything is passed over: junk costs as well.
    assert!(refused(&jwks(&vec![json!(null); 101])).contains("at most 100 keys"));
    let mut text = jwks(&keys[..1]);
    text.resize(256 * 1024, b' ');
    assert!(KeySet::parse(&text, &Algorithms::default()).is_ok());
    text.push(b' ');
    assert!(refused(&text).contains("at most 262144 bytes"));
}

#[test]
fn a_key_set_is_one_json_object_without_a_name_twice() {
    let key = SigningKey::ed().jwk("a").to_string();
    let refused =
        |text: String| KeySet::parse(text.as_bytes(), &Algorithms::default()).map(|set| set.len());
    assert_eq!(refused(format!("{{\"keys\":[{key}]}}")), Ok(1));
    let twice = key.replacen('{', "{\"kid\":\"b\",", 1);
    for text in [
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
        format!("[{key}]"),
        format!("{{\"keys\":{key}}}"),
        format!("{{\"Keys\":[{key}]}}"),
        format!("{{\"keys\":[{key}]}} x"),
        format!("{{\"keys\":[{key}],\"keys\":[]}}"),
        format!("{{\"keys\":[{twice}]}}"),
        "<html>503</html>".to_owned(),
    ] {
        assert!(refused(text.clone()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn reading_a_token_never_panics(token in "\\PC*") {
        let _ = Compact::parse(&token);
    }

    #[test]
    fn reading_what_is_inside_a_token_never_panics(header in ".*", payload in "\\PC*") {
        let _ = Compact::parse(&compact(&header, &payload, |_| Vec::new()));
    }

    #[test]
    fn reading_a_key_set_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = KeySet::parse(&bytes, &Algorithms::default());
    }
}

#[test]
fn of_one_kid_two_keys_are_kept_and_a_third_is_not() {
    let keys: Vec<_> = (0..3).map(|_| SigningKey::ed().jwk("same")).collect();
    for (count, kept) in [(1, 1), (2, 2), (3, 2)] {
        let set = serde_json::json!({ "keys": keys[..count] }).to_string();
        let set = KeySet::parse(set.as_bytes(), &Algorithms::default()).unwrap();
        assert_eq!((set.len(), set.named("same").count()), (kept, kept));
    }
}
