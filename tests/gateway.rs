//! The whole decision, in process: every reason, the verdict's line, what hostile callers can
//! write into it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::LazyLock;

use common::gateway::{
    Ask, BACKENDS, FETCHING_BACKENDS, Said, URL, decide, fetching, member, member_with, open,
    open_minimal,
};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal};
use common::{START, at, now};
use haproxy_vertex::error::Reason;
use haproxy_vertex::fetch::{Answer, Headers, Reply};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::haproxy::Haproxy;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Said by the rules of HAProxy alone: `undecided` where no rule ran, the others for what became of
/// an allow. Tests with a real HAProxy produce them.
const NOT_RUSTS: &[Reason] = &[
    Reason::Undecided,
    Reason::GoogleCredentialRefused,
    Reason::GoogleDenied,
    Reason::Unrouted,
    Reason::UpstreamUnavailable,
    Reason::UpstreamClosed,
    Reason::UpstreamTimeout,
    Reason::AnsweredByRule,
    Reason::BodyTimeout,
];

const OPENAI_URL: &str =
    "/v1/projects/acme-ml/locations/us-central1/endpoints/openapi/chat/completions";

/// A body with a name of this length.
fn long_name(bytes: usize) -> String {
    format!("{{\"{}\":1}}", "x".repeat(bytes))
}

/// At least one request for every reason that a decision can have.
fn refusals() -> Vec<(Reason, &'static str, Said)> {
    let (key, stranger) = (SigningKey::ed(), SigningKey::ed());
    let mut settings = minimal();
    settings["roles"][0]["may"]["locations"] = json!(["*"]);
    let gateway = open(&key, &settings, BACKENDS);
    let good = || Ask::with(&key.token("k1", &member()));
    let claims = |name: &str, value: Value| Ask::with(&key.token("k1", &member_with(name, value)));
    let url = |from: &str, to: &str| good().url(&URL.replace(from, to));
    let without_iss = || {
        let mut claims = member();
        claims.as_object_mut().unwrap().remove("iss");
        Ask::with(&key.token("k1", &claims))
    };
    let hs256 = key.compact(r#"{"alg":"HS256","kid":"k1"}"#, &member().to_string());
    let api_key = || Ask::anonymous().header("x-goog-api-key", "AIzaSyExample");
    let requests = [
        (Reason::TokenMissing, "no credential", Ask::anonymous()),
        (Reason::TokenMissing, "another header", Ask::anonymous().header("cookie", "a=b")),
        (Reason::TokenDuplicate, "twice in one", good().header("authorization", "Bearer x")),
        (Reason::TokenDuplicate, "in two", good().header("x-api-key", "x")),
        (Reason::TokenDuplicate, "another in a third", good().header("x-goog-api-key", "-")),
        (Reason::TokenMalformed, "no JWT", Ask::with("opaque")),
        (Reason::TokenMalformed, "Basic", Ask::anonymous().header("authorization", "Basic eDp5")),
        (Reason::TokenMalformed, "no scheme", Ask::anonymous().header("authorization", "a.b.c")),
        (Reason::TokenMalformed, "empty", Ask::anonymous().header("authorization", "-")),
        (Reason::TokenTooLong, "16,385 bytes", Ask::with(&"x".repeat(16_385))),
        (Reason::GoogleTokenNotAccepted, "an access token", Ask::with("ya29.a0AfH6S")),
        (Reason::GoogleTokenNotAccepted, "an API key", api_key()),
        (Reason::AlgNotAllowed, "HS256", Ask::with(&hs256)),
        (Reason::KeyUnknown, "kid", Ask::with(&key.token("k2", &member()))),
        (Reason::BadSignature, "key", Ask::with(&stranger.token("k1", &member()))),
        (Reason::IssuerUnknown, "iss", claims("iss", json!("https://idp.example/"))),
        (Reason::AudienceWrong, "aud", claims("aud", json!("other"))),
        (Reason::TokenExpired, "exp", claims("exp", json!(START - 29))),
        (Reason::TokenNotYetValid, "nbf", claims("nbf", json!(START + 32))),
        (Reason::LifetimeTooLong, "exp", claims("exp", json!(START + 86_401))),
        (Reason::ClaimMissing, "iss", without_iss()),
        (Reason::ClaimMissing, "sub", claims("sub", json!(""))),
        (Reason::UrlNotCanonical, "encoded", url("google", "%67oogle")),
        (Reason::UrlNotCanonical, "absolute", good().url(&format!("https://x.example{URL}"))),
        (Reason::RouteUnknown, "path", url("/v1/", "/v2/")),
        (Reason::RouteUnknown, "method", good().method("GET")),
        (Reason::QueryNotAllowed, "key", good().url(&format!("{URL}?key=x"))),
        (Reason::HeaderNotAllowed, "override", good().header("x-http-method-override", "GET")),
        (Reason::HeaderNotAllowed, "gzip", good().header("content-encoding", "gzip")),
        (Reason::HeaderNotAllowed, "upgrade", good().header("upgrade", "websocket")),
        (Reason::RoleNone, "group", claims("groups", json!(["ops"]))),
        (Reason::RoleNone, "model", url("gemini-2.5", "gemini-3")),
        (Reason::RoleNone, "project", url("acme-ml", "acme-hr")),
        (Reason::RoleNone, "method", url("generateContent", "streamGenerateContent")),
        (Reason::LocationWithoutBackend, "location", url("us-central1", "europe-west4")),
        (Reason::BodyNotJson, "a name twice", good().body(r#"{"a":1,"\u0061":2}"#)),
        (Reason::BodyNotJson, "no content type", good().without("content-type")),
        (Reason::RequestIncomplete, "cut short", begun(good(), "999")),
        (Reason::BodyNotJson, "a long one of no type", begun(good(), LONG).without("content-type")),
        (Reason::BodyTooComplex, "a long name", good().body(&long_name(8193))),
        (Reason::ModelMissing, "none", good().url(OPENAI_URL).body("{}")),
        (Reason::ModelMismatch, "another", good().body(r#"{"model":"google/gemini-2.5-pro"}"#)),
        (Reason::TierNotAllowed, "a tier", good().header("x-vertex-ai-llm-request-type", "shared")),
        (Reason::BodyNotAllowed, "a tool", good().body(r#"{"tools":[{"googleSearch":{}}]}"#)),
    ];
    let mut said: Vec<_> = requests
        .into_iter()
        .map(|(reason, name, ask)| (reason, name, decide(&gateway, &ask)))
        .collect();
    assert_eq!(decide(&gateway, &good()).decision(), "allow", "the twin of all of them");
    let twin = good().body(&long_name(8192));
    assert_eq!(decide(&gateway, &twin).decision(), "allow", "a name that is not too long");
    let long = decide(&gateway, &begun(good(), LONG));
    assert_eq!(long.decision(), "passing", "a body that is read as it passes");
    let chat = || good().url(OPENAI_URL);
    let named = |model: &str| chat().body(&format!(r#"{{"model":"google/{model}","messages":["#));
    let (two, late) = (two_identities(&key), chat().body(r#"{"messages":[{"#));
    said.push((Reason::BodyTooLargeToCheck, "a late model", decide(&two, &begun(late, LONG))));
    let early = decide(&two, &begun(named("gemini-2.5-pro"), LONG));
    assert_eq!(early.decision(), "passing", "{early:?}");
    for (name, bytes) in [
        ("nothing", &b""[..]),
        ("no stage", b"1.1\nPOST\n/\n-\n\r\n"),
        ("no headers", b"1.1\nPOST\n/\n-\nhead\n"),
        ("headers that were cut", b"1.1\nPOST\n/\n-\nhead\nhost: x\r\nauthorization: Bearer a"),
        ("headers without their end", b"1.1\nPOST\n/\n-\nhead\nhost: x\r\n"),
        ("a header without a colon", b"1.1\nPOST\n/\n-\nhead\nhost\r\n\r\n"),
    ] {
        said.push((Reason::Internal, name, Said::new(&gateway.decide(bytes, at(1)))));
    }
    let late = |gateway: &Gateway, ask: &Ask, ticket: u64, wall: i64| {
        Said::new(&gateway.resume(&ask.bytes(), ticket, now(wall, 6000)).unwrap())
    };
    let keyless = open(&key, &fetching(), FETCHING_BACKENDS);
    let ticket = keyless.start_waiting(at(1));
    said.push((Reason::KeysUnavailable, "no fetch", late(&keyless, &good(), ticket, 6)));
    said.push((Reason::Busy, "no ticket", late(&keyless, &good(), 0, 6)));
    let ticket = gateway.start_waiting(at(1));
    let early = claims("iat", json!(START - 900));
    let unsigned = late(&gateway, &early, ticket, -600);
    said.push((Reason::CredentialUnavailable, "clock set back", unsigned));
    said.push((Reason::GoogleExchangeRefused, "no exchange", not_exchanged(&key, &good())));
    for (reason, limit) in [
        (Reason::LimitRequests, "requests_per_minute"),
        (Reason::LimitTokens, "tokens_per_hour"),
        (Reason::LimitParallel, "parallel_requests"),
    ] {
        let mut settings = minimal();
        // Without a body a request reserves 1024 tokens of output.
        let amount = if reason == Reason::LimitTokens { 1500 } else { 1 };
        settings["roles"][0]["limits"] = json!({ limit: amount });
        let config = Files::new(&key).load(&settings.to_string()).unwrap();
        let host = Haproxy { accounts: true, ..haproxy(BACKENDS) };
        let gateway = Gateway::open(config, &host, at(0)).unwrap();
        assert_eq!(decide(&gateway, &good()).decision(), "allow", "{limit}");
        let refused = decide(&gateway, &good());
        assert!(refused.field(6).parse::<u64>().is_ok_and(|secs| secs > 0), "{refused:?}");
        let (retry, headers) = refused.field(4).split_once('/').unwrap();
        assert!(["true", "false"].contains(&retry), "{refused:?}");
        assert!(headers.chars().all(|c| c == '/'), "Google has no such headers");
        said.push((reason, limit, refused));
    }
    said
}

/// The verdict on a request whose caller's token Google does not exchange.
fn not_exchanged(key: &SigningKey, ask: &Ask) -> Said {
    let mut settings = minimal();
    settings["credentials"] = json!([{ "name": "ml-prod", "type": "exchange",
        "audience": "//iam.googleapis.com/locations/global/workforcePools/p/providers/corp" }]);
    let gateway = open(key, &settings, &[BACKENDS, &["vertex_fetch_sts.googleapis.com"]].concat());
    assert_eq!(decide(&gateway, ask).decision(), "wait");
    let answer = Answer::new(403, Headers::default(), Vec::new());
    gateway.answer(gateway.step(at(1)).unwrap().id, &Reply::Answer(answer), at(1));
    decide(&gateway, ask)
}

/// The length of a body that no buffer holds.
const LONG: &str = "999999";

/// A request of which no more than this has come.
fn begun(ask: Ask, declared: &str) -> Ask {
    let mut ask = ask.without("content-length").header("content-length", declared);
    ask.stage = format!("body {} 0", ask.body.len());
    ask
}

/// A gateway with a second role for the same, which signs as another identity.
fn two_identities(key: &SigningKey) -> Gateway {
    let mut settings = minimal();
    settings["roles"][0]["may"]["methods"] = json!(["*"]);
    for (list, name) in [("credentials", "name"), ("roles", "name"), ("roles", "as")] {
        if name == "name" {
            let second = settings[list][0].clone();
            settings[list].as_array_mut().unwrap().push(second);
        }
        settings[list][1][name] = json!("second");
    }
    open(key, &settings, BACKENDS)
}

#[test]
fn every_reason_is_produced_and_said_as_the_list_says_it() {
    let refusals = refusals();
    for (reason, name, said) in &refusals {
        let name = format!("{} ({name}): {said:?}", reason.code());
        let status = reason.status();
        assert_eq!(said.decision(), "deny", "{name}");
        assert_eq!((said.count(), said.reason()), (9, reason.code()), "{name}");
        assert_eq!(said.field(2), status.code.to_string(), "{name}");
        let authenticate = match (status.code, reason.bearer_error()) {
            (401, None) => r#"Bearer realm="vertex""#.to_owned(),
            (401, Some(error)) => format!(
                r#"Bearer realm="vertex", error="{error}", error_description="{}""#,
                reason.text()
            ),
            (429, _) => said.field(4).to_owned(),
            _ => "-".to_owned(),
        };
        assert_eq!(said.field(4), authenticate, "{name}");
        let wait = match status.code {
            503 => "5",
            429 => said.field(6),
            _ => "-",
        };
        assert_eq!(said.field(6), wait, "{name}");
        assert_eq!((said.logged("decision"), said.logged("reason")), ("deny", reason.code()));
        let error = &said.json()["error"];
        if error["type"].is_string() {
            assert_eq!(error["code"], reason.code(), "{name}");
            continue;
        }
        assert_eq!(error["code"], status.code, "{name}");
        assert_eq!(error["status"], status.name, "{name}");
        assert!(error["message"].as_str().unwrap().starts_with(reason.text()), "{name}");
        assert_eq!(error["details"][0]["reason"], reason.code(), "{name}");
        assert_eq!(error["details"][0]["domain"], "haproxy-vertex", "{name}");
    }
    for reason in Reason::ALL {
        let produced = refusals.iter().any(|(produced, _, _)| produced == reason);
        let listed = NOT_RUSTS.contains(reason);
        assert!(produced != listed, "{}: produced {produced}, listed {listed}", reason.code());
    }
}

#[test]
fn an_allow_names_place_host_path_handle_and_what_the_log_wants() {
    let key = SigningKey::rsa();
    let gateway = open_minimal(&key);
    let said = decide(&gateway, &Ask::with(&key.token("k1", &member())));
    assert_eq!((said.count(), said.decision(), said.field(2)), (10, "allow", "us-central1"));
    assert_eq!(said.field(7), "us-central1-aiplatform.googleapis.com");
    assert_eq!(said.field(8), URL);
    let expected = format!(
        "\"POST {URL} HTTP/1.1\" vertex{{decision=allow reason=ok principal=corp:alice \
         role=ml-team credential=ml-prod \
         google_identity=gateway@acme-ml.iam.gserviceaccount.com project=acme-ml \
         location=us-central1 publisher=google model=gemini-2.5-flash method=generateContent \
         display=alice@corp.example detail=- session=- trace=-"
    );
    assert_eq!(said.tail(), expected);
}

#[test]
fn a_header_that_google_refuses_where_claude_s_tokens_are_counted_is_named_there_alone() {
    let key = SigningKey::ed();
    let mut settings = minimal();
    settings["roles"][0]["may"]["models"] = json!(["anthropic/*", "google/*"]);
    settings["roles"][0]["may"]["methods"] = json!(["*"]);
    let gateway = open(&key, &settings, BACKENDS);
    let models = "/v1/projects/acme-ml/locations/us-central1/publishers/anthropic/models";
    let withheld = |url: &str, body: &str| {
        let ask = Ask::with(&key.token("k1", &member())).url(url).body(body);
        let said = decide(&gateway, &ask);
        assert_eq!((said.decision(), said.field(8)), ("allow", url));
        said.field(9).to_owned()
    };
    let count = withheld(
        &format!("{models}/count-tokens:rawPredict"),
        r#"{"model":"claude-sonnet-4-5","messages":[]}"#,
    );
    assert_eq!(count, "anthropic-beta");
    assert_eq!(withheld(&format!("{models}/claude-sonnet-4-5:rawPredict"), "{}"), "-");
    assert_eq!(withheld(&URL.replace("generateContent", "countTokens"), "{}"), "-");
}

#[test]
fn the_caller_s_own_ids_are_in_the_log_if_they_are_what_they_should_be() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let good = || Ask::with(&key.token("k1", &member()));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traceparent = format!("00-{trace}-b7ad6b7169203331-01");
    let session = "5f0c1b9e-8a0e-4f0e-9d55-0a9a1a2f3c4d";
    for name in ["x-claude-code-session-id", "session-id", "session_id"] {
        let ask = good().header(name, session).header("traceparent", &traceparent);
        let said = decide(&gateway, &ask);
        assert_eq!((said.logged("session"), said.logged("trace")), (session, trace), "{name}");
    }
    let refused =
        Ask::anonymous().header("session-id", "a b\u{e9}=|}").header("traceparent", "00-1-2-3");
    let said = decide(&gateway, &refused);
    assert_eq!((said.logged("session"), said.logged("trace")), ("a%20b%C3%A9%3D%7C%7D", "-"));
    let twice = good().header("traceparent", &traceparent).header("traceparent", &traceparent);
    assert_eq!(decide(&gateway, &twice).logged("trace"), "-");
    let long = decide(&gateway, &good().header("session-id", &"x".repeat(4000)));
    assert!(long.logged("session").len() <= 137, "{}", long.logged("session"));
}

#[test]
fn what_is_not_known_when_a_request_is_refused_is_a_dash_in_the_log() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let said = decide(&gateway, &Ask::anonymous());
    for name in ["principal", "role", "credential", "google_identity", "model", "display"] {
        assert_eq!(said.logged(name), "-", "{name}");
    }
    let unverified = decide(&gateway, &Ask::with(&SigningKey::ed().token("k1", &member())));
    assert_eq!(unverified.logged("principal"), "-", "a claim is nobody's before its signature");
    let crooked = Ask::with(&key.token("k1", &member())).url(&format!("{URL}/?access_token=x"));
    let said = decide(&gateway, &crooked);
    assert_eq!((said.logged("principal"), said.logged("model")), ("corp:alice", "-"));
    assert!(!said.tail().contains("access_token"), "no query in the log");
    let said = Said::new(&gateway.decide(b"", at(1)));
    assert!(said.tail().starts_with("\"-\" vertex{decision=deny reason=internal"));
}

#[test]
fn the_token_is_taken_from_three_headers_where_they_agree() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let token = &key.token("k1", &member());
    let ask = |name: &str, value: &str| Ask::anonymous().header(name, value);
    for ask in [
        ask("authorization", &format!("Bearer {token}")),
        ask("authorization", &format!("bearer {token}")),
        ask("authorization", &format!("BEARER   {token}")),
        ask("x-goog-api-key", token),
        ask("x-api-key", token),
        ask("x-api-key", token).header("authorization", &format!("bearer {token}")),
        ask("x-api-key", token).header("x-api-key", token),
        ask("x-api-key", token).header("x-goog-api-key", ""),
    ] {
        assert_eq!(decide(&gateway, &ask).decision(), "allow", "{:?}", ask.headers);
    }
    for ask in [
        ask("authorization", token),
        ask("authorization", &format!("Bearer{token}")),
        ask("authorization", &format!("Bearer\t{token}")),
        ask("authorization", &format!("Bearer {token} ")),
        ask("authorization", &format!("Bearer {token}, Bearer {token}")),
        ask("authorization", &format!("Token {token}")),
        ask("x-goog-api-key", &format!("Bearer {token}")),
        ask("authorization", token).header("x-api-key", token),
    ] {
        assert_eq!(decide(&gateway, &ask).reason(), "token_malformed", "{:?}", ask.headers);
    }
    assert_eq!(decide(&gateway, &ask("x-api-key", "")).reason(), "token_missing");
    for name in ["x-authorization", "proxy-authorization", "cookie", "authorization2"] {
        assert_eq!(decide(&gateway, &ask(name, token)).reason(), "token_missing", "{name}");
    }
}

#[test]
fn over_http_2_the_url_comes_with_scheme_and_authority_and_over_http_1_it_must_not() {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    let reason = |version: &str, url: &str| {
        let mut ask = Ask::with(&key.token("k1", &member())).url(url);
        version.clone_into(&mut ask.version);
        decide(&gateway, &ask).reason().to_owned()
    };
    let absolute = format!("https://gateway.example{URL}");
    for version in ["2.0", "3.0"] {
        assert_eq!(reason(version, &absolute), "ok");
        assert_eq!(reason(version, &absolute.replace("https", "http")), "ok");
        assert_eq!(reason(version, URL), "ok");
        assert_eq!(reason(version, &absolute.replace("https", "ftp")), "url_not_canonical");
        assert_eq!(reason(version, "https://gateway.example"), "url_not_canonical");
    }
    for version in ["1.1", "1.0", "2", "-", ""] {
        assert_eq!(reason(version, URL), "ok");
        assert_eq!(reason(version, &absolute), "url_not_canonical", "{version}");
    }
}

#[test]
fn over_http_2_only_a_look_says_that_a_get_brings_no_body() {
    let key = SigningKey::ed();
    for unread in [false, true] {
        let mut settings = minimal();
        settings["roles"][0]["may"]["methods"] = json!(["stateful/cachedContents.get"]);
        if unread {
            settings["roles"][0]["body"] = json!("unread");
        }
        let gateway = open(&key, &settings, BACKENDS);
        let url = "/v1/projects/acme-ml/locations/us-central1/cachedContents/7";
        let mut get = Ask::with(&key.token("k1", &member())).method("GET").url(url).bodiless();
        assert_eq!(decide(&gateway, &get.clone().head()).decision(), "allow");
        for version in ["2.0", "3.0"] {
            version.clone_into(&mut get.version);
            assert_eq!(decide(&gateway, &get.clone().head()).decision(), "body");
            assert_eq!(decide(&gateway, &get).decision(), "allow");
            let mut bringing = get.clone();
            bringing.body = b"{}".to_vec();
            let refused = decide(&gateway, &bringing);
            assert_eq!(refused.reason(), "body_not_allowed");
            assert!(
                refused.json().to_string().contains(": this method takes no body"),
                "{refused:?}"
            );
        }
    }
}

static PLACE: LazyLock<(SigningKey, Gateway)> = LazyLock::new(|| {
    let key = SigningKey::ed();
    let gateway = open_minimal(&key);
    (key, gateway)
});

const LOGGED: [&str; 15] = [
    "decision",
    "reason",
    "principal",
    "role",
    "credential",
    "google_identity",
    "project",
    "location",
    "publisher",
    "model",
    "method",
    "display",
    "detail",
    "session",
    "trace",
];

/// Nothing a caller sent has left its field.
fn is_in_order(verdict: &str) -> Result<Said, TestCaseError> {
    let said = Said::new(verdict);
    prop_assert!(matches!(said.decision(), "allow" | "deny" | "wait" | "body"), "{}", verdict);
    let fields = if said.decision() == "allow" { 10 } else { 9 };
    prop_assert_eq!(said.count(), fields, "{}", verdict);
    prop_assert!(!verdict.contains(|c: char| c.is_control() || !c.is_ascii()), "{}", verdict);
    let (line, inside) = said.tail().split_once(" vertex{").unwrap();
    if line != "\"-\"" {
        let line = line.strip_prefix('"').and_then(|l| l.strip_suffix('"')).unwrap();
        prop_assert_eq!(line.split(' ').count(), 3, "{}", verdict);
        prop_assert!(!line.contains('"') && line.len() < 360, "{}", verdict);
    }
    let pairs: Vec<_> = inside.split(' ').map(|pair| pair.split_once('=').unwrap()).collect();
    prop_assert_eq!(pairs.iter().map(|(name, _)| *name).collect::<Vec<_>>(), LOGGED);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:@/%~".contains(c);
    for (name, value) in pairs {
        prop_assert!(!value.is_empty() && value.chars().all(plain), "{}: {}", name, value);
        prop_assert!(value.len() <= if name == "principal" { 280 } else { 140 }, "{}", value);
    }
    if said.decision() != "allow" {
        prop_assert_eq!(&said.json()["error"]["details"][0]["reason"], said.reason());
    }
    Ok(said)
}

proptest! {
    #[test]
    fn hostile_claims_stay_in_their_fields(sub in ".*", email in "(?s).{0,300}", group in ".*") {
        let (key, gateway) = &*PLACE;
        let mut claims = member();
        claims["sub"] = json!(sub);
        claims["email"] = json!(email);
        claims["groups"] = json!([group, "ml"]);
        let ask = Ask::with(&key.token("k1", &claims));
        let verdict = gateway.decide(&ask.bytes(), at(1));
        let said = is_in_order(&verdict)?;
        prop_assert_eq!(said.reason(), if sub.is_empty() { "claim_missing" } else { "ok" });
    }

    #[test]
    fn two_subjects_are_two_principals_in_the_log(one in ".{1,200}", other in ".{1,200}") {
        let (key, gateway) = &*PLACE;
        let principal = |sub: &str| {
            let token = key.token("k1", &member_with("sub", json!(sub)));
            decide(gateway, &Ask::with(&token)).logged("principal").to_owned()
        };
        prop_assert_eq!(principal(&one) == principal(&other), one == other);
    }

    #[test]
    fn hostile_requests_stay_in_their_fields(
        version in "[^\r\n]{0,12}", method in "[^\r\n]{0,40}", url in "[^\r\n]{0,400}",
        peer in "[^\r\n]{0,40}", stage in "head|body|[^\r\n]{0,9}", name in "[^\n]{0,40}", value in "[^\n]{0,40}", good in any::<bool>(),
    ) {
        let (key, gateway) = &*PLACE;
        let token = format!("Bearer {}", key.token("k1", &member()));
        let (name, value) = if good { ("authorization".to_owned(), token) } else { (name, value) };
        let fields = [version, method, url, peer, stage, format!("{name}: {value}\r\n\r\n")];
        let said = is_in_order(&gateway.decide(fields.join("\n").as_bytes(), at(1)))?;
        prop_assert_eq!(said.decision(), "deny");
        prop_assert_eq!(said.logged("principal"), if good { "corp:alice" } else { "-" });
    }

    #[test]
    fn hostile_models_stay_in_their_fields(model in "[^\n]{0,200}") {
        let (key, gateway) = &*PLACE;
        let url = URL.replace("gemini-2.5-flash", &model);
        let ask = Ask::with(&key.token("k1", &member())).url(&url);
        let said = is_in_order(&gateway.decide(&ask.bytes(), at(1)))?;
        prop_assert_eq!(said.decision() == "allow", model.starts_with("gemini-2.5-")
            && model.replace("%40", "@").bytes().all(|b| b.is_ascii_alphanumeric() || b"-._@".contains(&b))
            && model.len() <= 128);
    }

    #[test]
    fn any_bytes_get_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let said = is_in_order(&PLACE.1.decide(&bytes, at(1)))?;
        prop_assert_eq!(said.decision(), "deny");
    }
}
