use super::*;
use crate::account;
use crate::keys::{Alg, Key, b64};
use std::sync::OnceLock;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const HOST: &str = "aiplatform.googleapis.com";
const NOW: i64 = 1_800_000_000;

/// One RSA key for all tests: making it is slow in a debug build.
fn key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::generate(Alg::Rs256).unwrap())
}

fn checker() -> Checker {
    Checker::new(account::describe(key()).unwrap())
}

fn token(header: Value, claims: Value) -> String {
    let account = account::describe(key()).unwrap();
    let mut all = [
        json!({"typ": "JWT", "alg": "RS256", "kid": account.private_key_id}),
        json!({"iss": account.email, "sub": account.email, "iat": NOW, "exp": NOW + 3600,
            "aud": "https://aiplatform.googleapis.com/"}),
    ];
    for (base, over) in all.iter_mut().zip([header, claims]) {
        for (name, value) in over.as_object().unwrap() {
            base[name] = value.clone();
            if value.is_null() {
                base.as_object_mut().unwrap().remove(name);
            }
        }
    }
    let message = format!("{}.{}", b64(all[0].to_string()), b64(all[1].to_string()));
    format!("{message}.{}", b64(key().sign(Alg::Rs256, message.as_bytes()).unwrap()))
}

fn reason(checker: &Checker, token: &str, host: &str, now: i64) -> String {
    let authorization = Authorization::One(format!("Bearer {token}"));
    let checked = checker.check(&authorization, host, Api::Vertex, now);
    let json = checked.to_json();
    assert_eq!(json["valid"], json!(json["reason"].is_null()));
    json["reason"].as_str().unwrap_or("").to_owned()
}

#[test]
fn both_forms_are_taken_until_they_expire() {
    let checker = checker();
    let aud = token(json!({}), json!({}));
    let scope = token(json!({}), json!({"aud": null, "scope": format!("openid {SCOPE}")}));
    for good in [&aud, &scope] {
        // Twice, so that the second answer comes from the cache.
        assert_eq!(reason(&checker, good, HOST, NOW), "");
        assert_eq!(reason(&checker, good, HOST, NOW + 3599), "");
        assert_eq!(reason(&checker, good, HOST, NOW + 3600), "expired");
        assert_eq!(reason(&checker, good, HOST, NOW - 60), "");
        assert_eq!(reason(&checker, good, HOST, NOW - 61), "iat is in the future");
    }
    assert!(reason(&checker, &aud, "other.googleapis.com", NOW).starts_with("aud is"));
    assert_eq!(reason(&checker, &scope, "other.googleapis.com", NOW), "");
}

#[test]
fn wrong_tokens_are_refused() {
    let checker = checker();
    let cases = [
        (json!({"alg": "none"}), json!({}), "alg is \"none\""),
        (json!({"kid": "x"}), json!({}), "unknown kid \"x\""),
        (json!({}), json!({"iss": "x"}), "iss is not the service account"),
        (json!({}), json!({"sub": "x"}), "sub is not the service account"),
        (json!({}), json!({"exp": NOW + 3601}), "exp is not iat + 3600"),
        (json!({}), json!({"scope": SCOPE}), "both aud and scope"),
        (json!({}), json!({"aud": null}), "neither aud nor scope"),
        (json!({}), json!({"aud": null, "scope": "x"}), "scope does not hold cloud-platform"),
    ];
    for (header, claims, expected) in cases {
        assert_eq!(reason(&checker, &token(header, claims), HOST, NOW), expected);
    }
    let no_slash = token(json!({}), json!({"aud": "https://aiplatform.googleapis.com"}));
    assert!(reason(&checker, &no_slash, HOST, NOW).starts_with("aud is"));
    let good = token(json!({}), json!({}));
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{message}.{}", b64([7; 256]));
    assert_eq!(reason(&checker, &forged, HOST, NOW), "bad signature");
    assert!(reason(&checker, "a.b.c", HOST, NOW).starts_with("header or claims"));
}

#[test]
fn access_tokens_come_and_go() {
    let checker = checker();
    assert!(reason(&checker, "ya29.x", HOST, NOW).starts_with("neither a JWT"));
    checker.register("ya29.x".to_owned());
    assert_eq!(reason(&checker, "ya29.x", HOST, NOW), "");
    assert!(checker.forget("ya29.x"));
    assert!(reason(&checker, "ya29.x", HOST, NOW).starts_with("neither a JWT"));
}

#[test]
fn credentials_must_be_one_bearer() {
    let checker = checker();
    for authorization in
        [Authorization::None, Authorization::Many, Authorization::One("Basic eDp5".to_owned())]
    {
        let checked = checker.check(&authorization, HOST, Api::Vertex, NOW);
        assert!(!checked.valid);
        assert_eq!(checked.to_json()["kind"], "none");
    }
}

#[test]
fn issued_tokens_are_good_where_their_scope_is_and_as_long_as_they_last() {
    let checker = checker();
    let issue = |scope: &str| {
        let grant = crate::identity::issued::Grant {
            by: "sts",
            principal: "principal://x".to_owned(),
            scopes: vec![scope.to_owned()],
            lifetime: 60,
        };
        Authorization::One(format!("Bearer {}", checker.issued.issue(grant, 0, NOW)))
    };
    let iam = "https://www.googleapis.com/auth/iam";
    // Scope, API, moment, whether it holds.
    for (scope, api, now, valid) in [
        (SCOPE, Api::Vertex, NOW + 59, true),
        (SCOPE, Api::IamCredentials, NOW + 59, true),
        (iam, Api::IamCredentials, NOW, true),
        (iam, Api::Vertex, NOW, false),
        ("openid", Api::IamCredentials, NOW, false),
        (SCOPE, Api::Vertex, NOW + 60, false),
    ] {
        let checked = checker.check(&issue(scope), HOST, api, now);
        assert_eq!(checked.valid, valid, "{scope} {api:?} {now}");
        assert_eq!(checked.lacks_scope(), !valid && now == NOW);
        assert_eq!(checked.principal(), Some("principal://x"));
    }
    let token = issue(SCOPE);
    assert!(checker.check(&token, HOST, Api::Vertex, NOW).valid);
    checker.issued.revoke(None);
    assert!(!checker.check(&token, HOST, Api::Vertex, NOW).valid);
}

#[test]
fn a_self_signed_token_for_iam_alone_opens_iam_alone() {
    let checker = checker();
    let scope = "https://www.googleapis.com/auth/iam";
    let iam = token(json!({}), json!({"aud": null, "scope": scope}));
    let authorization = Authorization::One(format!("Bearer {iam}"));
    assert!(!checker.check(&authorization, HOST, Api::Vertex, NOW).valid);
    assert!(checker.check(&authorization, HOST, Api::IamCredentials, NOW).valid);
}

#[test]
fn an_api_key_comes_alone_and_opens_express_mode() {
    let checker = checker();
    checker.register_api_key("AIza.known".to_owned());
    let bearer = Authorization::One("Bearer t".to_owned());
    for (key, authorization, is_express, reason) in [
        ("AIza.known", &Authorization::None, true, Value::Null),
        ("AIza.other", &Authorization::None, true, json!("an unknown API key")),
        ("AIza.known", &bearer, true, json!("an API key and an Authorization header")),
        ("AIza.known", &Authorization::None, false, json!("an API key outside of express mode")),
    ] {
        let told = checker.check_api_key(key, authorization, is_express).to_json();
        assert_eq!((&told["kind"], &told["reason"]), (&json!("api_key"), &reason));
        assert_eq!(told["valid"], json!(reason.is_null()));
    }
}
