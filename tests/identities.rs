//! Tokens that are fetched: when they are asked for, how long they serve, what a failure does, with
//! a clock that moves when told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::gateway::{Ask, BACKENDS, Said, URL, bearer, member};
use common::journal::{keep_lines, take_lines};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal};
use common::{at, now};
use haproxy_vertex::fetch::{Answer, Headers, Id, Reply, Request};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::time::Now;
use serde_json::{Value, json};

const METADATA: &str = "vertex_fetch_metadata.google.internal";
const DEFAULT: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

/// A gateway whose only credential is `credential`, and a caller's token for it.
struct Place {
    gateway: Gateway,
    token: String,
}

impl Place {
    fn new(credential: Value) -> Self {
        Self::with_room(credential, 16_384)
    }

    fn with_room(credential: Value, maxrewrite: usize) -> Self {
        let key = SigningKey::ed();
        let mut settings = minimal();
        settings["credentials"] = json!([credential]);
        let config = Files::new(&key).load(&settings.to_string()).unwrap_or_else(|e| panic!("{e}"));
        let mut haproxy = haproxy(&[BACKENDS, &[METADATA]].concat());
        haproxy.maxrewrite = maxrewrite;
        let gateway = Gateway::open(config, &haproxy, at(0)).unwrap_or_else(|e| panic!("{e}"));
        let mut claims = member();
        claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 24 * 3600);
        Self { gateway, token: key.token("k1", &claims) }
    }

    fn metadata() -> Self {
        Self::new(json!({ "name": "ml-prod", "type": "metadata" }))
    }

    fn decide(&self, now: Now) -> Said {
        Said::new(&self.gateway.decide(&Ask::with(&self.token).url(URL).bytes(), now))
    }

    /// The header that a request leaves with, or why it waits.
    fn sent(&self, now: Now) -> String {
        let said = self.decide(now);
        match said.decision() {
            "allow" => bearer(&self.gateway, said.handle(), now).unwrap().as_ref().to_owned(),
            other => format!("{other} {}", said.reason()),
        }
    }

    fn asks(&self, now: Now) -> Option<(Id, Request)> {
        self.gateway.step(now).map(|fetch| (fetch.id, fetch.request))
    }

    /// A request is due now, and gets this reply.
    fn expect(&self, now: Now, reply: &Reply) {
        let (id, _) = self.asks(now).unwrap_or_else(|| panic!("nothing is due at {now:?}"));
        self.gateway.answer(id, reply, now);
    }

    /// The first second from `from` at which a request is due, of a whole day.
    fn due_at(&self, from: i64) -> (i64, Id) {
        (from..from + 90_000).find_map(|secs| Some((secs, self.asks(at(secs))?.0))).unwrap()
    }

    fn credentials(&self, now: Now) -> Value {
        let shown: Value =
            serde_json::from_str(&self.gateway.show(&["credentials", "json"], now)).unwrap();
        shown["credentials"][0].clone()
    }
}

fn answer(status: u16, flavor: Option<&str>, body: impl Into<Vec<u8>>) -> Reply {
    let headers = Headers::new(flavor.map(|flavor| ("Metadata-Flavor", flavor)));
    Reply::Answer(Answer::new(status, headers, body.into()))
}

fn token(text: &str, expires_in: impl Into<Value>) -> Reply {
    let body =
        json!({ "access_token": text, "expires_in": expires_in.into(), "token_type": "Bearer" });
    answer(200, Some("Google"), body.to_string())
}

#[test]
fn requests_wait_for_the_first_token_which_serves_every_location() {
    let place = Place::metadata();
    assert_eq!(place.sent(at(0)), "wait credential_unavailable");
    let (id, request) = place.asks(at(0)).unwrap();
    assert_eq!(request.endpoint.to_string(), DEFAULT);
    assert_eq!(request.method.name(), "GET");
    let [header] = request.headers.as_slice() else { panic!() };
    assert_eq!((header.name, header.value.as_str()), ("metadata-flavor", "Google"));
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
fn who_is_refused_for_good_asks_again_slowly_and_tells_at_once() {
    keep_lines(log::LevelFilter::Info);
    let gap = |reply: &Reply| {
        let place = Place::metadata();
        place.expect(at(0), reply);
        let lines = take_lines();
        let told = lines.into_iter().find(|line| line.contains("credential ml-prod: token not"));
        (place.due_at(0).0, told.unwrap())
    };
    let refusal = r#"{"error":"invalid_grant","error_description":"Account disabled"}"#;
    let (refused, told) = gap(&answer(403, Some("Google"), refusal));
    assert!((60..=76).contains(&refused), "{refused}");
    assert!(
        told.ends_with(
            "token not fetched: status 403: invalid_grant: Account disabled; it has none"
        ),
        "{told}"
    );
    let (passing, _) = gap(&answer(503, Some("Google"), ""));
    assert!((1..=2).contains(&passing), "{passing}");
    let (crowded, _) = gap(&answer(429, Some("Google"), ""));
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
