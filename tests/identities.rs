//! Tokens that are fetched: when they are asked for, how long they serve, what a failure does, with
//! a clock that moves when told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::gateway::{Ask, BACKENDS, Said, URL, bearer};
use common::identity::{
    CLOUD, DEFAULT, IAM, METADATA, OAUTH, Place, STS, answer, external, form, iam_token,
    impersonated, key_file, loaded, login, place, token, value,
};
use common::journal::{keep_lines, take_lines};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal};
use common::{at, now};
use haproxy_vertex::fetch::{Id, Reply};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::time::Now;
use serde_json::{Value, json};

#[test]
fn requests_wait_for_the_first_token_which_serves_every_location() {
    let place = Place::metadata();
    assert_eq!(place.sent(at(0)), "wait credential_unavailable");
    let (id, request) = place.asks(at(0)).unwrap();
    assert_eq!(request.endpoint.to_string(), DEFAULT);
    assert_eq!(request.method.name(), "GET");
    let [header] = request.headers.as_slice() else { panic!() };
    assert_eq!((&*header.name, header.value.as_str()), ("metadata-flavor", "Google"));
    assert!(place.asks(at(1)).is_none(), "one at a time");
    place.gateway.answer(id, &token("ya29.first", 3599), at(1));
    assert_eq!(place.sent(at(1)), "Bearer ya29.first");
    let elsewhere = Ask::with(&place.token).url(&URL.replace("us-central1", "global"));
    let said = Said::new(&place.gateway.decide(&elsewhere.bytes(), at(1)));
    assert_eq!(bearer(&place.gateway, said.handle(), at(1)).unwrap().as_ref(), "Bearer ya29.first");
    assert_eq!(said.logged("google_identity"), "-");
    assert!(place.asks(at(2)).is_none(), "there is one");
}

#[test]
fn a_named_account_and_scopes_are_asked_for() {
    let place = Place::new(json!({
        "name": "ml-prod", "type": "metadata", "account": "gw@acme-ml.iam.gserviceaccount.com",
        "scopes": ["https://www.googleapis.com/auth/cloud-platform", "openid"],
    }));
    let (id, request) = place.asks(at(0)).unwrap();
    assert_eq!(
        request.endpoint.path,
        "/computeMetadata/v1/instance/service-accounts/gw@acme-ml.iam.gserviceaccount.com/token\
         ?scopes=https://www.googleapis.com/auth/cloud-platform,openid"
    );
    place.gateway.answer(id, &token("ya29.first", 3599), at(1));
    let said = place.decide(at(1));
    assert_eq!(said.logged("google_identity"), "gw@acme-ml.iam.gserviceaccount.com");
}

#[test]
fn only_the_metadata_servers_own_answer_counts() {
    for reply in [
        answer(200, None, json!({ "access_token": "x", "expires_in": 3599 }).to_string()),
        answer(200, Some("google"), json!({ "access_token": "x", "expires_in": 3599 }).to_string()),
        answer(200, Some("Google"), "<html>"),
        answer(404, Some("Google"), ""),
        token("x", 0),
        token("a b", 3599),
        Reply::Failure("no answer".to_owned()),
    ] {
        let place = Place::metadata();
        place.expect(at(0), &reply);
        assert_eq!(place.sent(at(1)), "wait credential_unavailable", "{reply:?}");
        assert!(!place.credentials(at(1))["last_error"].is_null());
    }
    let twin = Place::metadata();
    twin.expect(at(0), &token("x", 3599));
    assert_eq!(twin.sent(at(1)), "Bearer x");
    assert!(twin.credentials(at(1))["last_error"].is_null());
}

#[test]
fn a_token_is_renewed_ahead_and_not_while_the_server_gives_the_same_one() {
    let mut dues = Vec::new();
    for _ in 0..16 {
        let place = Place::metadata();
        place.expect(at(0), &token("ya29.first", 3600));
        let (due, id) = place.due_at(1);
        assert!((3600 - 225..=3600 - 180).contains(&due), "{due}");
        dues.push(due);
        assert_eq!(place.sent(at(due)), "Bearer ya29.first");
        place.gateway.answer(id, &token("ya29.second", 3599), at(due));
        assert_eq!(place.sent(at(due)), "Bearer ya29.second");
    }
    assert!(dues.iter().any(|due| *due != dues[0]), "spread: {dues:?}");
}

#[test]
fn the_old_token_serves_until_it_expires_through_an_outage() {
    let place = Place::metadata();
    place.expect(at(0), &token("ya29.first", 600));
    let (mut now, mut id) = place.due_at(1);
    let mut asked = 0;
    while now < 594 {
        asked += 1;
        place.gateway.answer(id, &answer(503, Some("Google"), ""), at(now));
        assert_eq!(place.sent(at(now)), "Bearer ya29.first", "{now}");
        (now, id) = place.due_at(now);
    }
    assert!((20..200).contains(&asked), "{asked} times");
    assert_eq!(place.sent(at(594)), "Bearer ya29.first");
    assert_eq!(place.sent(at(595)), "wait credential_unavailable");
    place.gateway.answer(id, &token("ya29.second", 600), at(now));
    assert_eq!(place.sent(at(now)), "Bearer ya29.second");
}

#[test]
fn who_is_refused_for_good_asks_again_slowly() {
    let gap = |reply: &Reply| {
        let place = Place::metadata();
        place.expect(at(0), reply);
        place.due_at(0).0
    };
    let refusal = r#"{"error":"invalid_grant","error_description":"Account disabled"}"#;
    let refused = gap(&answer(403, Some("Google"), refusal));
    assert!((60..=76).contains(&refused), "{refused}");
    let passing = gap(&answer(503, Some("Google"), ""));
    assert!((1..=2).contains(&passing), "{passing}");
    let crowded = gap(&answer(429, Some("Google"), ""));
    assert!((30..=38).contains(&crowded), "{crowded}");
}

#[test]
fn a_short_life_is_no_reason_to_ask_without_end() {
    for (lives, within) in [(1, 5..=5), (20, 10..=10), (100, 30..=30), (400, 175..=220)] {
        let place = Place::metadata();
        place.expect(at(0), &token("x", lives));
        let (due, _) = place.due_at(0);
        assert!(within.contains(&due), "{lives}: {due}");
    }
    let place = Place::metadata();
    place.expect(at(0), &token("x", u64::MAX));
    assert_eq!(place.credentials(at(0))["expires_in_seconds"], 43_200);
}

#[test]
fn a_clock_step_neither_ends_a_token_nor_lends_it_life() {
    for wall in [-3600 * 24 * 365, -600, 600, 3600 * 24 * 365] {
        let place = Place::metadata();
        place.expect(at(0), &token("ya29.first", 3600));
        let stored = |mono: i64| bearer_at(&place, now(wall, mono));
        assert_eq!(stored(3_594_000).as_deref(), Some("Bearer ya29.first"), "{wall}");
        assert_eq!(stored(3_595_000), None, "{wall}");
    }
    // A machine that slept: its steady clock stood still, so a new one is asked for at once.
    let place = Place::metadata();
    place.expect(at(0), &token("ya29.first", 3600));
    assert!(place.asks(now(60, 1_000)).is_none());
    assert!(place.asks(now(7_200, 2_000)).is_some());
}

/// The header behind the credential's slot, which no caller's clock concerns.
fn bearer_at(place: &Place, now: Now) -> Option<String> {
    let handle = place.decide(at(1)).handle().to_owned();
    bearer(&place.gateway, &handle, now).map(|bearer| bearer.as_ref().to_owned())
}

#[test]
fn an_answer_that_comes_too_late_is_nobodys() {
    let place = Place::metadata();
    let (first, _) = place.asks(at(0)).unwrap();
    assert!(place.asks(at(29)).is_none());
    let (second, _) = (30..40).find_map(|secs| place.asks(at(secs))).unwrap();
    assert_ne!(u64::from(first), u64::from(second));
    place.gateway.answer(first, &token("ya29.late", 3599), at(41));
    assert_eq!(place.sent(at(41)), "wait credential_unavailable");
    place.gateway.answer(Id { asker: 7, number: 1 }, &token("ya29.none", 3599), at(41));
    assert_eq!(place.sent(at(41)), "wait credential_unavailable");
    place.gateway.answer(second, &token("ya29.second", 3599), at(41));
    assert_eq!(place.sent(at(41)), "Bearer ya29.second");
}

#[test]
fn a_token_of_12_kib_is_sent_where_there_is_room_and_refused_where_not() {
    let long = "x".repeat(12_288);
    let place = Place::metadata();
    place.expect(at(0), &token(&long, 3599));
    assert_eq!(place.sent(at(1)), format!("Bearer {long}"));
    let place = Place::with_room(json!({ "name": "ml-prod", "type": "metadata" }), 8192);
    place.expect(at(0), &token(&long, 3599));
    assert_eq!(place.sent(at(1)), "wait credential_unavailable");
    assert_eq!(
        place.credentials(at(1))["last_error"],
        "a token of 12288 bytes, and 7161 fit: set a larger VERTEX_MAXREWRITE"
    );
}

#[test]
fn a_metadata_credential_needs_its_backend_and_nothing_else() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    settings["credentials"] = json!([{ "name": "ml-prod", "type": "metadata" }]);
    let load = || Files::new(&key).load(&settings.to_string()).unwrap();
    let errors = Gateway::open(load(), &haproxy(BACKENDS), at(0)).unwrap_err().to_string();
    assert_eq!(
        errors,
        "conf/vertex.json: /credentials/0: HAProxy has no backend \
         vertex_fetch_metadata.google.internal; paste this into its configuration:\n\
         backend vertex_fetch_metadata.google.internal from vertex-fetch\n    \
         server metadata 169.254.169.254:80"
    );
    assert!(Gateway::open(load(), &haproxy(&[BACKENDS, &[METADATA]].concat()), at(0)).is_ok());
}

#[test]
fn a_keys_assertion_is_exchanged_where_its_file_says() {
    let place = place(&json!({ "type": "service_account", "form": "exchange" }), &key_file());
    let (id, request) = place.asks(at(0)).unwrap();
    assert_eq!((request.method.name(), request.endpoint.to_string()), ("POST", OAUTH.to_owned()));
    let form = form(&request);
    assert_eq!(form.len(), 2);
    assert_eq!(value(&form, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let claims = value(&form, "assertion").split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&common::keys::from_base64url(claims)).unwrap();
    let expected = json!({
        "iss": "gateway@acme-ml.iam.gserviceaccount.com", "aud": OAUTH, "scope": CLOUD,
        "iat": common::START - 10, "exp": common::START - 10 + 3600,
    });
    assert_eq!(claims, expected);
    place.gateway.answer(id, &token("ya29.exchanged", 3599), at(0));
    assert_eq!(place.sent(at(1)), "Bearer ya29.exchanged");
    let said = place.decide(at(1));
    assert_eq!(said.logged("google_identity"), "gateway@acme-ml.iam.gserviceaccount.com");
    let (due, _) = place.due_at(1);
    assert!((2700 - 180..=2700).contains(&due), "a quarter ahead, or a little more: {due}");
}

#[test]
fn a_source_impersonates_with_its_own_token() {
    for (source, first) in [(key_file(), OAUTH), (json!({ "type": "metadata" }), DEFAULT)] {
        let kind = json!({ "type": "impersonated_service_account", "scopes": [CLOUD, "openid"] });
        let place = place(&kind, &impersonated(source));
        let (id, request) = place.asks(at(0)).unwrap();
        assert_eq!(request.endpoint.to_string(), first);
        place.gateway.answer(id, &token("ya29.source", 3599), at(0));
        assert_eq!(place.sent(at(0)), "wait credential_unavailable", "the source's is not sent");
        let (id, request) = place.asks(at(0)).unwrap();
        assert_eq!((request.method.name(), request.endpoint.to_string()), ("POST", IAM.to_owned()));
        let bearer = request.headers.iter().find(|header| header.name == "authorization").unwrap();
        assert_eq!(bearer.value.as_str(), "Bearer ya29.source");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let expected = json!({
            "delegates": ["projects/-/serviceAccounts/b@x.iam.gserviceaccount.com"],
            "scope": [CLOUD, "openid"], "lifetime": "3600s",
        });
        assert_eq!(body, expected);
        place.gateway.answer(id, &iam_token("ya29.target", "2027-01-15T08:30:00.5Z"), at(0));
        assert_eq!(place.sent(at(1)), "Bearer ya29.target");
        assert_eq!(place.credentials(at(0))["expires_in_seconds"], 1800);
        let said = place.decide(at(1));
        assert_eq!(said.logged("google_identity"), "gw@acme-ml.iam.gserviceaccount.com");
    }
}

#[test]
fn a_persons_login_is_renewed_and_may_impersonate_and_is_doubted() {
    let direct = place(&json!({ "type": "authorized_user" }), &login());
    let (id, request) = direct.asks(at(0)).unwrap();
    assert_eq!((request.method.name(), request.endpoint.to_string()), ("POST", OAUTH.to_owned()));
    let sent = form(&request);
    for (name, expected) in [
        ("grant_type", "refresh_token"),
        ("client_id", "us.apps.example"),
        ("client_secret", "our-secret"),
        ("refresh_token", "1//0refresh"),
    ] {
        assert_eq!(value(&sent, name), expected);
    }
    assert_eq!(sent.len(), 4, "the scopes of the login");
    direct.gateway.answer(id, &token("ya29.of-a-person", 3599), at(0));
    assert_eq!(direct.sent(at(1)), "Bearer ya29.of-a-person");
    let scoped =
        place(&json!({ "type": "authorized_user", "scopes": [CLOUD, "openid"] }), &login());
    assert_eq!(value(&form(&scoped.asks(at(0)).unwrap().1), "scope"), format!("{CLOUD} openid"));

    let two = place(&json!({}), &impersonated(login()));
    two.expect(at(0), &token("ya29.of-a-person", 3599));
    let (_, request) = two.asks(at(0)).unwrap();
    let bearer = request.headers.iter().find(|header| header.name == "authorization").unwrap();
    assert_eq!(bearer.value.as_str(), "Bearer ya29.of-a-person");

    let doubts = |file: &Value| loaded(&json!({}), &file.to_string()).unwrap().0.doubts();
    for file in [login(), impersonated(login())] {
        let doubts = doubts(&file);
        let says = "/credentials/0: \"ml-prod\" is a person's own login (authorized_user): ";
        assert!(doubts.iter().any(|doubt| doubt.starts_with(says)), "{doubts:?}");
    }
    for file in [key_file(), external(), impersonated(key_file())] {
        assert!(!doubts(&file).iter().any(|doubt| doubt.contains("a person")), "{file}");
    }
}

#[test]
fn a_failure_on_the_second_hop_begins_again_with_the_first_and_says_where() {
    let place = place(
        &json!({ "type": "impersonated_service_account" }),
        &impersonated(json!({ "type": "metadata" })),
    );
    for reply in [
        iam_token("x", "soon"),
        iam_token("x", "2027-01-15T07:00:00Z"),
        answer(200, None, r#"{"accessToken":"x"}"#),
        answer(503, None, ""),
    ] {
        let (due, id) = place.due_at(0);
        place.gateway.answer(id, &token("ya29.source", 3599), at(due));
        let (id, request) = place.asks(at(due)).unwrap();
        assert_eq!(request.endpoint.to_string(), IAM);
        place.gateway.answer(id, &reply, at(due));
        assert_eq!(place.sent(at(due)), "wait credential_unavailable", "{reply:?}");
        let told = place.credentials(at(due))["last_error"].to_string();
        assert!(told.starts_with("\"iamcredentials.googleapis.com: "), "{told}");
    }
    let (due, id) = place.due_at(0);
    place.gateway.answer(id, &token("ya29.source", 3599), at(due));
    // A clock that is behind lends no life beyond what was asked for.
    place.expect(at(due), &iam_token("ya29.target", "2037-01-15T07:00:00Z"));
    assert_eq!(place.credentials(at(due))["expires_in_seconds"], 3600);
}

#[test]
fn another_issuers_token_is_exchanged_and_may_impersonate() {
    let place = |change: &dyn Fn(&mut Value)| {
        let mut file = external();
        change(&mut file);
        place(&json!({ "type": "external_account" }), &file)
    };
    let direct = place(&|_| {});
    let (id, request) = direct.asks(at(0)).unwrap();
    assert_eq!((request.method.name(), request.endpoint.to_string()), ("POST", STS.to_owned()));
    let sent = form(&request);
    for (name, expected) in [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", "//iam.googleapis.com/pool"),
        ("scope", CLOUD),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token", "subject.of.corp"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ] {
        assert_eq!(value(&sent, name), expected);
    }
    assert_eq!(sent.len(), 6);
    direct.gateway.answer(id, &token("ya29.federated", "3599"), at(0));
    assert_eq!(direct.sent(at(1)), "Bearer ya29.federated");
    assert_eq!(direct.decide(at(1)).logged("google_identity"), "-");

    let json_field = place(&|file| {
        file["workforce_pool_user_project"] = json!("acme-users");
        file["credential_source"] = json!({
            "file": "subject.json",
            "format": { "type": "json", "subject_token_field_name": "id_token" },
        });
    });
    let sent = form(&json_field.asks(at(0)).unwrap().1);
    assert_eq!(value(&sent, "subject_token"), "subject.of.json");
    assert_eq!(value(&sent, "options"), "%7B%22userProject%22%3A%22acme-users%22%7D");

    let two = place(&|file| {
        file["service_account_impersonation_url"] = json!(IAM);
        file["service_account_impersonation"] = json!({ "token_lifetime_seconds": 1200 });
    });
    two.expect(at(0), &token("ya29.federated", 3599));
    let (id, request) = two.asks(at(0)).unwrap();
    assert_eq!(request.endpoint.to_string(), IAM);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({ "delegates": [], "scope": [CLOUD], "lifetime": "1200s" }));
    two.gateway.answer(id, &iam_token("ya29.target", "2027-01-15T08:20:00Z"), at(0));
    assert_eq!(two.sent(at(1)), "Bearer ya29.target");
}

#[test]
fn each_fault_of_a_file_is_told_with_its_place_in_it() {
    let external_kind = json!({ "type": "external_account" });
    let impersonated_kind = json!({ "type": "impersonated_service_account" });
    let exchange_kind = json!({ "type": "service_account", "form": "exchange" });
    let (key_kind, person_kind) =
        (json!({ "type": "service_account" }), json!({ "type": "authorized_user" }));
    let metadata = || impersonated(json!({ "type": "metadata" }));
    let with = |mut file: Value, at: &str, value: Value| {
        let (parent, last) = at.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[last] = value;
        file
    };
    // The twins of all below.
    for (kind, file) in [
        (&external_kind, external()),
        (&impersonated_kind, metadata()),
        (&impersonated_kind, impersonated(external())),
        (&impersonated_kind, impersonated(metadata())),
        (&exchange_kind, key_file()),
        (&key_kind, key_file()),
        (&person_kind, login()),
        (&impersonated_kind, impersonated(login())),
        (&json!({}), key_file()),
        (&json!({}), login()),
        (&json!({}), external()),
        (&json!({}), metadata()),
        (&json!({ "form": "exchange" }), key_file()),
        (&exchange_kind, with(key_file(), "/universe_domain", json!("googleapis.com"))),
    ] {
        assert!(loaded(kind, &file.to_string()).is_ok(), "{file}");
        let crlf = serde_json::to_string_pretty(&file).unwrap().replace('\n', "\r\n");
        assert!(loaded(kind, &crlf).is_ok(), "line ends");
    }
    let evil = json!("https://sts.evil.example/v1/token");
    let host = "no host of Google's: one of *.googleapis.com is wanted";
    let source = |member: &str| {
        let mut file = external();
        file["credential_source"] = json!({ member: "x" });
        file
    };
    let deep = (0..5).fold(metadata(), |file, _| impersonated(file));
    let iam = json!("https://iamcredentials.googleapis.com/v1/other");
    let life = json!({ "token_lifetime_seconds": 5 });
    let life = with(
        with(external(), "/service_account_impersonation_url", json!(IAM)),
        "/service_account_impersonation",
        life,
    );
    let format = |format: Value| with(external(), "/credential_source/format", format);
    let cases = [
        (&external_kind, json!("x"), "line 1, column 3: no value that such a file"),
        (&external_kind, json!({}), "/type: missing"),
        (
            &external_kind,
            metadata(),
            "/type: it is impersonated_service_account, not external_account: write \"type\": \
             \"impersonated_service_account\" for this file, or leave `type` out",
        ),
        (&impersonated_kind, external(), "/type: it is external_account, not impersonated_serv"),
        (&person_kind, external(), "/type: it is external_account, not authorized_user"),
        (&key_kind, login(), "or write \"type\": \"authorized_user\" for this file"),
        (
            &json!({}),
            with(external(), "/type", json!("gdch_service_account")),
            "/type: an account of",
        ),
        (&json!({}), with(external(), "/type", json!("x")), "/type: no type that is served here"),
        (
            &json!({}),
            with(external(), "/type", Value::Null),
            "/type: missing; service_account, ext",
        ),
        (&json!({}), json!({ "installed": {} }), "an OAuth client's file"),
        (&person_kind, with(login(), "/client_id", json!("")), "/client_id: missing"),
        (&person_kind, with(login(), "/client_secret", Value::Null), "/client_secret: missing"),
        (&person_kind, with(login(), "/refresh_token", Value::Null), "/refresh_token: missing"),
        (&person_kind, with(login(), "/universe_domain", json!("x.example")), "/universe_domain"),
        (&external_kind, with(external(), "/token_url", evil.clone()), host),
        (
            &external_kind,
            with(external(), "/token_url", json!("http://sts.googleapis.com/")),
            "https://",
        ),
        (&external_kind, with(external(), "/token_url", Value::Null), "/token_url: missing"),
        (&external_kind, with(external(), "/audience", json!("")), "/audience: missing"),
        (
            &external_kind,
            with(external(), "/subject_token_type", Value::Null),
            "/subject_token_type: m",
        ),
        (&external_kind, with(external(), "/client_id", json!("x")), "/client_id: no OAuth client"),
        (
            &external_kind,
            with(external(), "/universe_domain", json!("x.example")),
            "/universe_domain",
        ),
        (
            &external_kind,
            with(external(), "/credential_source", Value::Null),
            "/credential_source: m",
        ),
        (&external_kind, source("url"), "/credential_source/url: a URL that begins with https://"),
        (&external_kind, source("environment_id"), "/credential_source/environment_id: aws1 is"),
        (&external_kind, source("executable"), "/credential_source/executable: no program"),
        (&external_kind, source("certificate"), "/credential_source/certificate: no client"),
        (&external_kind, source("other"), "/credential_source/file: missing"),
        (
            &external_kind,
            with(external(), "/credential_source/file", json!("none")),
            "cannot read conf/none",
        ),
        (
            &external_kind,
            with(external(), "/credential_source/file", json!("subject.json")),
            "one token of",
        ),
        (
            &external_kind,
            format(json!({ "type": "xml" })),
            "/credential_source/format/type: text or json",
        ),
        (&external_kind, format(json!({ "type": "json" })), "/subject_token_field_name: missing"),
        (
            &external_kind,
            format(json!({ "type": "json", "subject_token_field_name": "id_token" })),
            "is no JSON with a text id_token",
        ),
        (
            &external_kind,
            with(external(), "/service_account_impersonation_url", iam.clone()),
            "ACCOUNT:gen",
        ),
        (&external_kind, life, "/service_account_impersonation/token_lifetime_seconds: 600 to"),
        (
            &impersonated_kind,
            with(metadata(), "/service_account_impersonation_url", iam),
            "ACCOUNT:gen",
        ),
        (
            &impersonated_kind,
            with(metadata(), "/service_account_impersonation_url", Value::Null),
            "/service_account_impersonation_url: missing",
        ),
        (
            &impersonated_kind,
            with(
                metadata(),
                "/service_account_impersonation_url",
                json!(IAM.replace("googleapis.com", "evil.example")),
            ),
            "iamcredentials.evil.example is no host of Google's",
        ),
        (&impersonated_kind, impersonated(Value::Null), "/source_credentials: missing"),
        (
            &impersonated_kind,
            impersonated(json!({ "type": "authorized_user" })),
            "/source_credentials/client_id: missing",
        ),
        (
            &impersonated_kind,
            impersonated(json!({ "type": "x" })),
            "/source_credentials/type: a source",
        ),
        (&impersonated_kind, impersonated(json!({})), "/source_credentials/type: a source"),
        (
            &impersonated_kind,
            impersonated(with(external(), "/token_url", evil.clone())),
            "/source_credentials/token_url: sts.evil.example is no host",
        ),
        (
            &impersonated_kind,
            impersonated(with(key_file(), "/private_key", Value::Null)),
            "/source_credentials/private_key: missing",
        ),
        (
            &impersonated_kind,
            impersonated(with(key_file(), "/private_key", json!("x"))),
            "/source_credentials: private_key: not a PEM",
        ),
        (&impersonated_kind, deep, "more sources within sources"),
        (&exchange_kind, with(key_file(), "/token_uri", evil.clone()), host),
        (
            &exchange_kind,
            with(key_file(), "/universe_domain", json!("x.example")),
            "/universe_domain",
        ),
    ];
    for (kind, file, says) in cases {
        let Err((pointer, problem)) = loaded(kind, &file.to_string()) else {
            panic!("{says}: {file}");
        };
        assert_eq!(pointer, "/credentials/0/file", "{problem}");
        assert!(
            problem.starts_with("identity.json: ") && problem.contains(says),
            "{says}: {problem}"
        );
    }
    for cut in ["", "{", "not JSON", &external().to_string()[..40]] {
        for kind in [&external_kind, &json!({})] {
            let (_, problem) = loaded(kind, cut).err().unwrap();
            assert!(problem.starts_with("identity.json: not JSON: "), "{problem}");
        }
    }
    let trusting = json!({ "type": "external_account", "hosts": ["sts.evil.example"] });
    assert!(loaded(&trusting, &with(external(), "/token_url", evil).to_string()).is_ok());
}

#[test]
fn a_refusal_is_told_at_once_and_no_secret_with_it() {
    keep_lines(log::LevelFilter::Trace);
    let file = impersonated(key_file());
    let kind = json!({ "type": "impersonated_service_account" });
    let (config, _) = loaded(&kind, &file.to_string()).unwrap();
    let mut written = vec![format!("{config:?}")];
    let place = place(&kind, &file);
    let (id, request) = place.asks(at(0)).unwrap();
    let assertion = value(&form(&request), "assertion").to_owned();
    written.push(format!("{request:?}"));
    place.gateway.answer(id, &token("ya29.source", 3599), at(0));
    let (id, request) = place.asks(at(0)).unwrap();
    written.push(format!("{request:?}"));
    let echo = json!({ "error": { "status": "INVALID", "message": format!("not {assertion}") } });
    place.gateway.answer(id, &answer(400, None, echo.to_string()), at(0));
    written.push(place.gateway.show(&["credentials", "json"], at(0)));
    written.push(format!("{:?}", place.gateway));
    let lines = take_lines();
    let told = "credential ml-prod: token not fetched: iamcredentials.googleapis.com: status 400: \
                INVALID: not ...; it has none";
    assert!(lines.iter().any(|line| line.ends_with(told)), "{lines:?}");
    written.extend(lines);
    assert!(
        written.iter().any(|text| text.contains("status 400: INVALID: not ...")),
        "{written:?}"
    );
    let mut secrets = vec!["ya29.source".to_owned()];
    secrets.extend(assertion.split('.').map(str::to_owned));
    secrets.extend(common::keys::rsa_pem().lines().filter(|l| l.len() > 20).map(str::to_owned));
    for text in &written {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
    }
}
