use super::*;
use crate::account;
use crate::keys::{Alg, Key, b64};
use std::sync::OnceLock;

const NOW: i64 = 1_800_000_000;

/// One RSA key for all tests: making it is slow in a debug build.
fn key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::generate(Alg::Rs256).unwrap())
}

fn merged(mut base: Value, over: &Value) -> String {
    for (name, value) in over.as_object().unwrap() {
        base[name] = value.clone();
        if value.is_null() {
            base.as_object_mut().unwrap().remove(name);
        }
    }
    base.to_string()
}

fn judged(header: &Value, claims: &Value, spoil: bool) -> (Result<Grant, Fault>, Facts) {
    let account = account::describe(key()).unwrap();
    let head = json!({"typ": "JWT", "alg": "RS256", "kid": account.private_key_id});
    let body = json!({"iss": account.email, "iat": NOW, "exp": NOW + 3600, "aud": AUDIENCE,
        "scope": "https://www.googleapis.com/auth/cloud-platform email"});
    let message = format!("{}.{}", b64(merged(head, header)), b64(merged(body, claims)));
    let mut signature = key().sign(Alg::Rs256, message.as_bytes()).unwrap();
    signature[9] ^= u8::from(spoil);
    let form = format!("assertion={message}.{}", b64(signature));
    let mut facts = Facts::new();
    let form = Form::parse(form.as_bytes()).unwrap();
    (judge(&form, &account, NOW, &mut facts), facts)
}

#[test]
fn a_good_assertion_is_granted() {
    let more = json!({"sub": account::describe(key()).unwrap().email});
    for (header, claims) in
        [(json!({}), json!({})), (json!({"kid": null}), json!({})), (json!({}), more)]
    {
        let (grant, facts) = judged(&header, &claims, false);
        let grant = grant.unwrap();
        assert_eq!(grant.scopes, ["https://www.googleapis.com/auth/cloud-platform", "email"]);
        assert!(grant.principal.starts_with("vertex-gateway@"));
        assert_eq!(facts["assertion"]["claims"]["aud"], AUDIENCE);
    }
}

#[test]
fn each_wrong_part_is_refused() {
    let timeframe = "Invalid JWT: Token must be a short-lived token";
    let none = json!({});
    let cases = [
        (none.clone(), json!({"iss": "x@y"}), "invalid_grant", "Invalid grant: account not"),
        (json!({"alg": "none"}), none.clone(), "invalid_grant", "Invalid JWT Signature."),
        (json!({"kid": "x"}), none.clone(), "invalid_grant", "Invalid JWT Signature."),
        (none.clone(), json!({"aud": "https://x/"}), "invalid_grant", "Invalid JWT: Failed aud"),
        (none.clone(), json!({"exp": NOW + 3601}), "invalid_grant", timeframe),
        (none.clone(), json!({"exp": NOW}), "invalid_grant", timeframe),
        (none.clone(), json!({"exp": "soon"}), "invalid_grant", timeframe),
        (none.clone(), json!({"iat": NOW + 61, "exp": NOW + 90}), "invalid_grant", timeframe),
        (none.clone(), json!({"iat": null}), "invalid_grant", timeframe),
        (none.clone(), json!({"sub": "x@y"}), "unauthorized_client", "Client is unauthorized"),
        (none.clone(), json!({"scope": null}), "invalid_scope", "Invalid OAuth scope"),
    ];
    for (header, claims, error, text) in cases {
        let fault = judged(&header, &claims, false).0.unwrap_err();
        assert_eq!(fault.error, error, "{header} {claims}");
        assert!(fault.description.starts_with(text), "{}", fault.description);
    }
    let forged = judged(&none, &none, true).0.unwrap_err();
    assert_eq!(forged, refuse("Invalid JWT Signature."));
    let empty = judge(
        &Form::parse(b"").unwrap(),
        &account::describe(key()).unwrap(),
        NOW,
        &mut Facts::new(),
    );
    assert_eq!(empty.unwrap_err().error, "invalid_request");
}
