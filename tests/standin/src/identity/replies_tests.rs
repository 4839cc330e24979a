use super::*;

const NOW: i64 = 1_767_323_045;

fn answer(service: Service, by: &'static str, behaviour: &str) -> Value {
    let behaviour = serde_json::from_str(behaviour).unwrap();
    let grant = Grant {
        by,
        principal: String::new(),
        scopes: vec!["a".to_owned(), "b".to_owned()],
        lifetime: 3600,
    };
    let reply = token(service, &behaviour, &grant, "ya29.x", 3600, NOW);
    assert_eq!(reply.status, 200);
    serde_json::from_str(&reply.body).unwrap()
}

#[test]
fn expiry_is_written_in_each_way() {
    for (kind, wanted) in [
        ("number", json!(3600)),
        ("string", json!("3600")),
        ("zero", json!(0)),
        ("negative", json!(-3600)),
        ("huge", json!(1_000_000_000_000_000_000_i64)),
    ] {
        let behaviour = format!(r#"{{"expires_in":"{kind}"}}"#);
        assert_eq!(answer(Service::Metadata, "metadata", &behaviour)["expires_in"], wanted);
    }
    let missing = answer(Service::Sts, "sts", r#"{"expires_in":"missing"}"#);
    assert!(missing.get("expires_in").is_none() && missing["access_token"] == "ya29.x");
    for (kind, wanted) in [
        ("seconds", json!("2026-01-02T04:04:05Z")),
        ("fractions", json!("2026-01-02T04:04:05.123456Z")),
        ("past", json!("2026-01-02T02:04:05Z")),
        ("not_a_time", json!("tomorrow")),
    ] {
        let behaviour = format!(r#"{{"expire_time":"{kind}"}}"#);
        let value = answer(Service::Iamcredentials, "iamcredentials", &behaviour);
        assert_eq!(value, json!({"accessToken": "ya29.x", "expireTime": wanted}));
    }
    let missing = answer(Service::Iamcredentials, "iamcredentials", r#"{"expire_time":"missing"}"#);
    assert_eq!(missing, json!({"accessToken": "ya29.x"}));
}

#[test]
fn each_flow_says_what_is_its_own() {
    let sts = answer(Service::Sts, "sts", "{}");
    assert_eq!(sts["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!(answer(Service::Oauth2, "refresh_token", "{}")["scope"], "a b");
    let plain = json!({"access_token": "ya29.x", "token_type": "Bearer", "expires_in": 3600});
    assert_eq!(answer(Service::Oauth2, "jwt_bearer", "{}"), plain);
    assert_eq!(answer(Service::Metadata, "metadata", "{}"), plain);
}

#[test]
fn errors_have_the_form_of_their_service() {
    let said = |service, json: &str| ordered(service, &serde_json::from_str(json).unwrap());
    let value = |service, json| -> Value {
        serde_json::from_str(&said(service, json).unwrap().body).unwrap()
    };
    assert!(said(Service::Sts, "{}").is_none());
    let order = r#"{"mode":"status","status":400}"#;
    assert_eq!(value(Service::Sts, order)["error"], "invalid_grant");
    let order = r#"{"mode":"status","status":400,"error":"x","error_description":"y"}"#;
    let named = json!({"error": "x", "error_description": "y"});
    assert_eq!(value(Service::Oauth2, order), named);
    let order = r#"{"mode":"status","status":403}"#;
    let denied = value(Service::Iamcredentials, order);
    assert_eq!(denied["error"]["status"], "PERMISSION_DENIED");
    assert_eq!(denied["error"]["details"][0]["reason"], "IAM_PERMISSION_DENIED");
    let order = r#"{"mode":"status","status":429,"retry_after":7}"#;
    let busy = said(Service::Metadata, order).unwrap();
    assert!(busy.status == 429 && busy.headers.ends_with("Retry-After: 7\r\n"));
}
