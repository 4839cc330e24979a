//! Google's bearers: behind which handles they are, what they say, what a clock step does to
//! them, and that no secret is ever in anything that is written down.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::gateway::{Ask, BACKENDS, Said, URL, bearer, member, open, open_minimal};
use common::journal::{keep_lines, take_lines};
use common::keys::{KEY_FILE, SigningKey, from_base64url, rsa_pem};
use common::settings::{Files, haproxy, minimal};
use common::{START, at, now};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::jose::{Algorithm, PublicKey};
use haproxy_vertex::time::Now;
use proptest::prelude::*;
use serde_json::{Value, json};

fn allowed(gateway: &Gateway, key: &SigningKey, url: &str, now: Now) -> Said {
    let ask = Ask::with(&key.token("k1", &member())).url(url);
    Said::new(&gateway.decide(&ask.bytes(), now))
}

/// Header, claims, and whether the signature is that of the throw-away key.
fn opened(bearer: &str) -> (Value, Value, bool) {
    let token = bearer.strip_prefix("Bearer ").unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = input.split_once('.').unwrap();
    let (n, e) = SigningKey::rsa().numbers();
    let key = PublicKey::Rsa { n, e };
    let verified =
        key.verify(Algorithm::Rs256, input.as_bytes(), &from_base64url(signature)).is_ok();
    let json = |part: &str| serde_json::from_slice(&from_base64url(part)).unwrap();
    (json(header), json(claims), verified)
}

#[test]
fn a_verdicts_handle_leads_to_the_bearer_of_its_credential_and_location() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    for (location, host) in [
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
    ] {
        let said = allowed(&gateway, &key, &URL.replace("us-central1", location), at(1));
        assert_eq!(said.field(7), host);
        let bearer = bearer(&gateway, said.handle(), at(1)).unwrap();
        let (header, claims, verified) = opened(&bearer);
        assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT", "kid": "throwaway-2048" }));
        let account = "gateway@acme-ml.iam.gserviceaccount.com";
        // AIP-4111: the issuer is the subject, the lifetime an hour, the audience ends in a slash.
        let expected = json!({
            "iss": account, "sub": account, "aud": format!("https://{host}/"),
            "iat": START - 10, "exp": START - 10 + 3600,
        });
        assert_eq!((claims, verified), (expected, true));
    }
}

#[test]
fn with_the_scope_form_a_bearer_has_a_scope_and_no_audience() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    settings["credentials"][0]["form"] = json!("scope");
    let gateway = open(&key, &settings, BACKENDS);
    let said = allowed(&gateway, &key, URL, at(1));
    let (_, claims, verified) = opened(&bearer(&gateway, said.handle(), at(1)).unwrap());
    assert!(verified && claims.get("aud").is_none());
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
}

#[test]
fn a_made_up_handle_leads_to_nothing() {
    let key = SigningKey::ed();
    let (gateway, other) = (open_minimal(&key), open_minimal(&key));
    let handle = allowed(&gateway, &key, URL, at(1)).handle().to_owned();
    let foreign = allowed(&other, &key, URL, at(1)).handle().to_owned();
    assert!(bearer(&gateway, &handle, at(1)).is_some());
    let seal = handle.split_once('.').unwrap().1;
    assert!(seal.len() == 32 && seal.bytes().all(|b| b.is_ascii_hexdigit()), "128 bits");
    for made_up in [
        "",
        "-",
        "0",
        "0.",
        "ml-prod",
        seal,
        &foreign,
        &handle[1..],
        &handle[..handle.len() - 1],
        &format!("{handle} "),
        &format!("{handle}|"),
        &handle.to_uppercase(),
        &format!("9.{seal}"),
        &format!("-1.{seal}"),
        &format!("00.{seal}"),
    ] {
        let found = bearer(&gateway, made_up, at(1)).is_some();
        assert!(!found || made_up == handle, "{made_up}");
    }
    assert!(gateway.bearer(b"\xff\xfe", at(1)).is_none());
}

#[test]
fn a_bearer_is_signed_ahead_of_its_end_and_never_sent_when_it_is_spent() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let handle = allowed(&gateway, &key, URL, at(1)).handle().to_owned();
    let bearer = |secs: i64| bearer(&gateway, &handle, at(secs));
    let first = bearer(1).unwrap();
    // It is valid until 3590 s; a quarter of an hour before that it is due.
    let _ = gateway.step(at(2689));
    assert_eq!(bearer(2689).as_ref(), Some(&first));
    assert!(bearer(3559).is_some() && bearer(3560).is_none(), "30 s are left for the way");
    let _ = gateway.step(at(2690));
    let second = bearer(3560).unwrap();
    assert_ne!(second, first);
    assert_eq!(opened(&second).1["iat"], START + 2680);
    assert_eq!(allowed(&gateway, &key, URL, at(3560)).handle(), handle, "the handle stays");
}

#[test]
fn a_clock_step_of_ten_minutes_is_made_good_by_one_step() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    settings["roles"][0]["may"]["locations"] = json!(["global", "us-central1", "eu", "us"]);
    let backends = ["vertex_global", "vertex_us-central1", "vertex_eu", "vertex_us"];
    let mut day = member();
    day["iat"] = json!(START - 3600);
    let token = key.token("k1", &day);
    for wall in [-600, 600, -3600 * 24 * 365, 3600 * 24 * 365] {
        let gateway = open(&key, &settings, &backends);
        let decide = |location: &str, now: Now| {
            let url = URL.replace("us-central1", location);
            Said::new(&gateway.decide(&Ask::with(&token).url(&url).bytes(), now))
        };
        let handles = backends.map(|backend| {
            let location = backend.trim_start_matches("vertex_");
            decide(location, at(0)).handle().to_owned()
        });
        let stepped = now(wall, 1000);
        let good = |handle: &str, now: Now| {
            bearer(&gateway, handle, now).is_some_and(|bearer| {
                let (_, claims, verified) = opened(&bearer);
                let date = |name: &str| claims[name].as_i64().unwrap();
                verified && date("iat") <= now.wall.0 + 30 && date("exp") > now.wall.0 + 30
            })
        };
        // Ten minutes forward it is still good; otherwise none is sent at all.
        let before: Vec<bool> = handles.iter().map(|handle| good(handle, stepped)).collect();
        assert_eq!(before, [wall == 600; 4], "{wall}");
        if wall == -600 {
            let said = decide("global", stepped);
            assert_eq!((said.decision(), said.reason()), ("wait", "credential_unavailable"));
        }
        assert!(gateway.step(stepped).is_none(), "nothing to fetch");
        for handle in &handles {
            assert!(good(handle, stepped), "{wall}");
        }
        if wall.abs() == 600 {
            assert_eq!(decide("global", stepped).decision(), "allow", "{wall}");
        }
    }
}

#[test]
fn an_access_token_is_sent_as_it_was_read_and_its_identity_is_not_known() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    let credential = json!({ "name": "wif", "type": "access_token", "file": "token.txt" });
    settings["credentials"].as_array_mut().unwrap().push(credential);
    settings["roles"][0]["as"] = json!("wif");
    let gateway = open(&key, &settings, BACKENDS);
    let said = allowed(&gateway, &key, URL, at(1));
    assert_eq!((said.logged("credential"), said.logged("google_identity")), ("wif", "-"));
    for secs in [1, 3600, -600, 3600 * 24 * 365] {
        let bearer = bearer(&gateway, said.handle(), at(secs)).unwrap();
        assert_eq!(bearer.as_ref(), "Bearer a-google-access-token");
    }
}

#[test]
fn roles_with_different_credentials_get_different_handles() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    let credential = json!({ "name": "wif", "type": "access_token", "file": "token.txt" });
    settings["credentials"].as_array_mut().unwrap().push(credential);
    let mut second = settings["roles"][0].clone();
    second["name"] = json!("ops");
    second["who"]["groups"] = json!(["ops"]);
    second["as"] = json!("wif");
    settings["roles"].as_array_mut().unwrap().push(second);
    let gateway = open(&key, &settings, BACKENDS);
    let handle = |group: &str| {
        let mut claims = member();
        claims["groups"] = json!(group);
        let ask = Ask::with(&key.token("k1", &claims));
        let said = Said::new(&gateway.decide(&ask.bytes(), at(1)));
        (said.handle().to_owned(), said.logged("role").to_owned())
    };
    let ((ml, ml_role), (ops, ops_role)) = (handle("ml"), handle("ops"));
    assert_eq!((ml_role.as_str(), ops_role.as_str()), ("ml-team", "ops"));
    assert_ne!(ml, ops);
    let bearer = |handle: &str| bearer(&gateway, handle, at(1)).unwrap();
    assert!(bearer(&ml).starts_with("Bearer eyJ") && !bearer(&ops).starts_with("Bearer eyJ"));
}

proptest! {
    #[test]
    fn no_text_but_a_handle_leads_to_a_bearer(text in prop_oneof!["\\PC*", "[0-9]\\.[0-9a-f]{32}"]) {
        static PLACE: std::sync::LazyLock<Gateway> =
            std::sync::LazyLock::new(|| open_minimal(&SigningKey::ed()));
        prop_assert!(bearer(&PLACE, &text, at(1)).is_none());
    }
}

#[test]
fn no_secret_is_in_a_verdict_in_debug_output_or_in_a_journal_line() {
    keep_lines(log::LevelFilter::Trace);
    let key = SigningKey::ed();
    let mut settings = minimal();
    let wif = json!({ "name": "wif", "type": "access_token", "file": "token.txt" });
    settings["credentials"].as_array_mut().unwrap().push(wif);
    settings["issuers"][0].as_object_mut().unwrap().remove("jwks_file");
    let config = Files::new(&key).load(&settings.to_string()).unwrap();
    let mut written = vec![format!("{config:?}"), format!("{config:#?}")];
    let backends = ["vertex_us-central1", "vertex_global", "vertex_fetch_idp.example"];
    let gateway = Gateway::open(config, &haproxy(&backends), at(0)).unwrap();
    let token = key.token("k1", &member());
    let stolen = key.token("k1", &json!({ "secret-claim": token }));
    let asks = [
        Ask::with(&token),
        Ask::with(&token).url(&format!("{URL}?access_token={token}")),
        Ask::with(&token).url(&format!("{URL}/?key={token}")),
        Ask::with(&token).method("GET"),
        Ask::with(&stolen),
        Ask::with(&format!("ya29.{token}")),
        Ask::anonymous().header("x-api-key", &token).header("x-goog-api-key", &token),
    ];
    let discovery = common::script::discovery_document();
    let mut secrets = vec![token.clone(), token.rsplit('.').next().unwrap().to_owned()];
    // Before the first keys, with garbage for keys, with keys, and long after.
    let replies = [
        discovery,
        common::script::ok(format!("{{\"{token}\":")),
        common::script::discovery_document(),
    ];
    for (reply, secs) in replies.iter().zip([0, 1, 5]) {
        written.extend(asks.iter().map(|ask| gateway.decide(&ask.bytes(), at(secs))));
        let fetch = gateway.step(at(secs)).unwrap();
        written.push(format!("{fetch:?} {reply:?}").replace(&token, ""));
        gateway.answer(fetch.id, reply, at(secs));
    }
    let fetch = gateway.step(at(5)).unwrap();
    let set = common::keys::jwks(&[key.jwk("k1")]);
    gateway.answer(fetch.id, &common::script::ok(set), at(5));
    for now in [at(6), now(-600, 6000), at(4000)] {
        written.extend(asks.iter().map(|ask| gateway.decide(&ask.bytes(), now)));
    }
    let said = allowed(&gateway, &key, URL, at(6));
    let bearer = bearer(&gateway, said.handle(), at(6)).unwrap();
    secrets.extend(bearer.trim_start_matches("Bearer ").split('.').map(str::to_owned));
    secrets.push("a-google-access-token".to_owned());
    secrets.extend(rsa_pem().lines().filter(|line| line.len() > 20).map(str::to_owned));
    secrets.push(KEY_FILE.to_owned());
    written.push(format!("{gateway:?}"));
    written.push(format!("{gateway:#?}"));
    written.push(gateway.keys_json());
    let lines = take_lines();
    assert!(lines.iter().any(|line| line.contains("keys not fetched: not JSON")), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.contains("recovered after 4 s, keys ready (1)")),
        "{lines:?}"
    );
    assert!(written.iter().any(|text| text.starts_with("allow|")));
    written.extend(lines);
    for secret in &secrets {
        for text in &written {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
    }
}
