use super::*;
use crate::keys::{Alg, b64};
use std::sync::OnceLock;

const NOW: i64 = 1_800_000_000;
const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/corp";

fn key() -> Arc<Key> {
    static KEY: OnceLock<Arc<Key>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(Key::generate(Alg::Es256).unwrap())))
}

fn over(base: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        base[name] = value.clone();
    }
}

fn subject_token(header: &Value, claims: &Value) -> String {
    let mut head = json!({"typ": "JWT", "alg": "ES256", "kid": key().kid});
    let mut body = json!({"iss": "https://idp.example/corp", "sub": "alice", "iat": NOW,
        "exp": NOW + 600, "aud": format!("https:{AUDIENCE}")});
    over(&mut head, header);
    over(&mut body, claims);
    let message = format!("{}.{}", b64(head.to_string()), b64(body.to_string()));
    format!("{message}.{}", b64(key().sign(Alg::Es256, message.as_bytes()).unwrap()))
}

/// With these fields over those of a good request.
fn judged(fields: &Value, token: &str) -> (Result<Grant, Fault>, Facts) {
    let mut all = json!({"grant_type": GRANT_TYPE, "audience": AUDIENCE, "scope": "a b",
        "requested_token_type": ACCESS_TOKEN, "subject_token_type": SUBJECT_TYPES[0],
        "subject_token": token});
    over(&mut all, fields);
    let pairs: Vec<String> = all
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap().replace('%', "%25")))
        .collect();
    let form = Form::parse(pairs.join("&").as_bytes()).unwrap();
    let pool = Pool { rejected_subjects: vec!["mallory".to_owned()], ..Pool::default() };
    let keys = |issuer: &str| (issuer == "corp").then(|| vec![key()]);
    let mut facts = Facts::new();
    (exchange(&form, &pool, &keys, NOW, &mut facts), facts)
}

#[test]
fn a_good_exchange_is_granted() {
    let options = json!({"options": "%7B%22userProject%22%3A%20%229%22%7D"});
    let (grant, facts) = judged(&options, &subject_token(&json!({}), &json!({})));
    let grant = grant.unwrap();
    let pool = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p";
    assert_eq!(grant.principal, format!("{pool}/subject/alice"));
    assert_eq!(grant.scopes, ["a", "b"]);
    assert_eq!(facts["options"], json!({"userProject": "9"}));
    assert_eq!(facts["subject"]["claims"]["sub"], "alice");
    let of_the_gateway = subject_token(&json!({}), &json!({"aud": ["x", "vertex-gateway"]}));
    assert!(judged(&json!({}), &of_the_gateway).0.is_ok());
}

#[test]
fn wrong_fields_are_refused() {
    let token = subject_token(&json!({}), &json!({}));
    for (field, value, error) in [
        ("grant_type", "refresh_token", "unsupported_grant_type"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:id_token", "invalid_request"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2", "invalid_request"),
        ("scope", "", "invalid_scope"),
        ("audience", "vertex-gateway", "invalid_target"),
        ("audience", &AUDIENCE.replace("corp", "nobody"), "invalid_target"),
        ("options", "userProject", "invalid_request"),
        ("subject_token", "a.b.c", "invalid_grant"),
    ] {
        let fault = judged(&json!({field: value}), &token).0.unwrap_err();
        assert_eq!(fault.error, error, "{field}={value}: {}", fault.description);
    }
}

#[test]
fn wrong_subject_tokens_are_refused() {
    let none = json!({});
    for (header, claims, text) in [
        (json!({"alg": "EdDSA"}), none.clone(), "algorithm"),
        (json!({"kid": "x"}), none.clone(), "signature"),
        (json!({"kid": null}), none.clone(), "signature"),
        (none.clone(), json!({"iss": "https://idp.example/partner"}), "issuer"),
        (none.clone(), json!({"iat": NOW + 61}), "future"),
        (none.clone(), json!({"iat": NOW - 86_401}), "stale"),
        (none.clone(), json!({"exp": NOW}), "stale"),
        (none.clone(), json!({"exp": null}), "no iat or exp"),
        (none.clone(), json!({"aud": "x"}), "audience in ID Token [x]"),
        (none.clone(), json!({"sub": ""}), "no subject"),
    ] {
        let fault = judged(&none, &subject_token(&header, &claims)).0.unwrap_err();
        assert_eq!((fault.status, fault.error.as_str()), (400, "invalid_grant"));
        assert!(fault.description.contains(text), "{}", fault.description);
    }
    let good = subject_token(&none, &none);
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = judged(&none, &format!("{message}.{}", b64([7; 64]))).0.unwrap_err();
    assert!(forged.description.contains("signature"));
    let mallory = judged(&none, &subject_token(&none, &json!({"sub": "mallory"})));
    assert_eq!(mallory.0.unwrap_err().error, "unauthorized_client");
}

#[test]
fn the_client_authenticates_itself() {
    let mut facts = Facts::new();
    let mut judge = |required, authorization| {
        let pool = Pool { client_required: required, ..Pool::default() };
        client(&authorization, &pool, &mut facts).map_err(|fault| fault.error)
    };
    let basic = |text: String| Authorization::One(format!("Basic {}", b64_standard(text)));
    let refused = Err("invalid_client".to_owned());
    assert_eq!(judge(false, Authorization::None), Ok(()));
    assert_eq!(judge(true, Authorization::None), refused);
    assert_eq!(judge(true, basic(format!("{CLIENT_ID}:{CLIENT_SECRET}"))), Ok(()));
    assert_eq!(judge(false, basic(format!("{CLIENT_ID}:x"))), refused);
    assert_eq!(judge(false, Authorization::Many), refused);
    assert_eq!(facts["client"], CLIENT_ID);
}
