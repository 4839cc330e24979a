//! Callers' own tokens that are exchanged for Google's: who gets which, when one is asked for, how long
//! it serves, with a clock that moves when told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::gateway::{Ask, BACKENDS, Said, URL, bearer, member_with};
use common::journal::{keep_lines, take_lines};
use common::keys::{SigningKey, jwks};
use common::script::ok;
use common::settings::{Files, haproxy, minimal};
use common::{at, now};
use haproxy_vertex::fetch::{Answer, Headers, Id, Reply, Request};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::time::Now;
use serde_json::{Value, json};

const PROVIDER: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/corp";
const STS: &str = "https://sts.googleapis.com/v1/token";
const ACCOUNT: &str = "gw@acme-ml.iam.gserviceaccount.com";
const FETCHES: &[&str] =
    &["vertex_fetch_sts.googleapis.com", "vertex_fetch_iamcredentials.googleapis.com"];

/// A gateway whose credential exchanges the callers' tokens.
struct Place {
    gateway: Gateway,
    key: SigningKey,
}

impl Place {
    fn new() -> Self {
        Self::with(&json!({}))
    }

    /// With these members of the credential.
    fn with(members: &Value) -> Self {
        let key = SigningKey::ed();
        let gateway = Self::open(&key, &settings(members));
        Self { gateway, key }
    }

    fn open(key: &SigningKey, settings: &Value) -> Gateway {
        let config = Files::new(key).load(&settings.to_string()).unwrap_or_else(|e| panic!("{e}"));
        let backends = [BACKENDS, FETCHES, &["vertex_fetch_idp.example"]].concat();
        Gateway::open(config, &haproxy(&backends), at(0)).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The token of this caller, for so many seconds.
    fn token(&self, subject: &str, secs: i64) -> String {
        let mut claims = member_with("sub", json!(subject));
        claims["exp"] = json!(common::START + secs);
        self.key.token("k1", &claims)
    }

    fn decide(&self, token: &str, now: Now) -> Said {
        Said::new(&self.gateway.decide(&Ask::with(token).url(URL).bytes(), now))
    }

    /// The header that a request leaves with, or why it does not.
    fn sent(&self, token: &str, now: Now) -> String {
        let said = self.decide(token, now);
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

    /// Exchanges this caller's token for that one.
    fn exchange(&self, caller: &str, google: &str, lives: i64, now: Now) {
        assert_eq!(self.sent(caller, now), WAITS);
        self.expect(now, &granted(google, lives));
        assert_eq!(self.sent(caller, now), format!("Bearer {google}"));
    }

    /// A number of the metrics page.
    fn metric(&self, name: &str, now: Now) -> u64 {
        let page = self.gateway.metrics_page(&[], now);
        let line =
            page.lines().find_map(|line| line.strip_prefix(&format!("haproxy_vertex_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }
}

const WAITS: &str = "wait credential_unavailable";

fn settings(members: &Value) -> Value {
    let mut settings = minimal();
    let mut credential = json!({ "name": "as-caller", "type": "exchange", "audience": PROVIDER });
    for (name, value) in members.as_object().unwrap() {
        credential[name] = value.clone();
    }
    settings["credentials"] = json!([credential]);
    settings["roles"][0]["as"] = json!("as-caller");
    settings
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply::Answer(Answer::new(status, Headers::default(), body.to_string().into_bytes()))
}

fn granted(text: &str, lives: i64) -> Reply {
    reply(200, &json!({ "access_token": text, "expires_in": lives, "token_type": "Bearer" }))
}

fn refused(description: &str) -> Reply {
    reply(400, &json!({ "error": "invalid_grant", "error_description": description }))
}

fn body(request: &Request) -> String {
    String::from_utf8(request.body.to_vec()).unwrap()
}

#[test]
fn each_caller_gets_a_token_of_its_own() {
    let place = Place::new();
    let (alice, bob) = (place.token("alice", 3600), place.token("bob", 3600));
    assert!(place.asks(at(0)).is_none(), "nobody has called");
    for (token, google) in [(&alice, "ya29.alice"), (&bob, "ya29.bob")] {
        assert_eq!(place.sent(token, at(0)), WAITS);
        let (id, request) = place.asks(at(0)).unwrap();
        assert_eq!(request.endpoint.to_string(), STS);
        assert!(body(&request).contains(&format!("subject_token={token}")), "{}", body(&request));
        place.gateway.answer(id, &granted(google, 3599), at(0));
    }
    assert_eq!(place.sent(&alice, at(1)), "Bearer ya29.alice");
    assert_eq!(place.sent(&bob, at(1)), "Bearer ya29.bob");
    let said = place.decide(&alice, at(1));
    let pool = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p";
    assert_eq!(said.logged("google_identity"), format!("{pool}/subject/alice"));
    assert_eq!(said.logged("credential"), "as-caller");
    assert!(place.asks(at(1)).is_none(), "both are there");
}

#[test]
fn a_callers_handle_is_worth_nothing_changed() {
    let place = Place::new();
    let (alice, bob) = (place.token("alice", 3600), place.token("bob", 3600));
    place.exchange(&alice, "ya29.alice", 3599, at(0));
    place.exchange(&bob, "ya29.bob", 3599, at(0));
    let (of_alice, of_bob) = (place.decide(&alice, at(1)), place.decide(&bob, at(1)));
    let (alice, bob) = (of_alice.handle().to_owned(), of_bob.handle().to_owned());
    assert_eq!(bearer(&place.gateway, &bob, at(1)).as_deref(), Some("Bearer ya29.bob"));
    let (number, seal) = alice.split_once('.').unwrap();
    let (others_number, others_seal) = bob.split_once('.').unwrap();
    assert_ne!(number, others_number);
    assert_ne!(seal, others_seal, "no part serves twice");
    for forged in [
        format!("{others_number}.{seal}"),
        format!("{number}.{others_seal}"),
        format!("+{bob}"),
        format!("0{bob}"),
        format!("{bob}0"),
        others_number.to_owned(),
        format!("{}.{seal}", u64::MAX),
        format!("0.{seal}"),
    ] {
        assert_eq!(bearer(&place.gateway, &forged, at(1)), None, "{forged}");
    }
}

#[test]
fn each_caller_becomes_the_account_by_a_second_request() {
    let place = Place::with(&json!({ "account": ACCOUNT, "scopes": ["openid"] }));
    let alice = place.token("alice", 3600);
    assert_eq!(place.sent(&alice, at(0)), WAITS);
    let (id, first) = place.asks(at(0)).unwrap();
    assert!(
        body(&first).contains("scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform")
    );
    place.gateway.answer(id, &granted("ya29.federated", 3599), at(0));
    assert_eq!(place.sent(&alice, at(0)), WAITS, "the federated one is not sent");
    let (id, second) = place.asks(at(0)).unwrap();
    let url = format!(
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:\
         generateAccessToken"
    );
    assert_eq!(second.endpoint.to_string(), url);
    let sent = second.headers.iter().find(|header| header.name == "authorization").unwrap();
    assert_eq!(sent.value.as_str(), "Bearer ya29.federated");
    assert!(!body(&second).contains(&alice));
    let expires = now(3600, 0).wall.rfc3339();
    let given = reply(200, &json!({ "accessToken": "ya29.target", "expireTime": expires }));
    place.gateway.answer(id, &given, at(0));
    assert_eq!(place.sent(&alice, at(1)), "Bearer ya29.target");
    assert_eq!(place.decide(&alice, at(1)).logged("google_identity"), ACCOUNT);
}

#[test]
fn many_first_calls_of_one_caller_are_one_exchange() {
    let place = Place::new();
    let alice = place.token("alice", 3600);
    for _ in 0..20 {
        assert_eq!(place.sent(&alice, at(0)), WAITS);
    }
    let (id, _) = place.asks(at(0)).unwrap();
    for _ in 0..20 {
        assert_eq!(place.sent(&alice, at(0)), WAITS);
    }
    assert!(place.asks(at(0)).is_none());
    place.gateway.answer(id, &granted("ya29.alice", 3599), at(0));
    assert_eq!(place.sent(&alice, at(0)), "Bearer ya29.alice");
    assert!(place.asks(at(0)).is_none());
}

#[test]
fn the_earlier_end_counts() {
    let place = Place::new();
    let (short, long) = (place.token("short", 600), place.token("long", 7200));
    place.exchange(&short, "ya29.short", 3599, at(0));
    place.exchange(&long, "ya29.long", 1000, at(0));
    assert_eq!(place.sent(&short, at(594)), "Bearer ya29.short");
    assert!(place.asks(at(594)).is_none(), "another would end no later");
    // It would arrive with nothing left of it; its caller has to come with another.
    assert_eq!(place.sent(&short, at(595)), "deny token_expired");
    assert_eq!(place.sent(&long, at(749)), "Bearer ya29.long");
    assert!(place.asks(at(749)).is_none());
    assert_eq!(place.sent(&long, at(750)), "Bearer ya29.long", "it serves meanwhile");
    let (id, _) = place.asks(at(750)).unwrap();
    assert_eq!(place.sent(&long, at(994)), "Bearer ya29.long");
    assert_eq!(place.sent(&long, at(995)), WAITS);
    place.gateway.answer(id, &granted("ya29.next", 1000), at(996));
    assert_eq!(place.sent(&long, at(996)), "Bearer ya29.next");
}

#[test]
fn a_refusal_is_told_once_asked_and_held_for_a_while() {
    let place = Place::new();
    let (alice, bob) = (place.token("alice", 3600), place.token("bob", 3600));
    assert_eq!(place.sent(&alice, at(0)), WAITS);
    let jwt = format!("{}.{}", "a".repeat(70), "b".repeat(70));
    place.expect(at(0), &refused(&format!("no\nsuch {jwt} | audience")));
    let said = place.decide(&alice, at(0));
    assert_eq!((said.decision(), said.field(2)), ("deny", "403"));
    assert_eq!(said.reason(), "google_exchange_refused");
    let told = said.field(7);
    assert!(told.contains("invalid_grant: no?such ... \\u007c audience"), "{told}");
    assert!(place.asks(at(1)).is_none(), "nobody is asked again");
    place.exchange(&bob, "ya29.bob", 3599, at(1));
    assert_eq!(place.sent(&alice, at(9)), "deny google_exchange_refused");
    place.exchange(&alice, "ya29.alice", 3599, at(10));
    for (name, count) in [("ok", 2), ("refused", 1), ("failed", 0)] {
        let name = format!("exchanges_total{{credential=\"as-caller\",outcome=\"{name}\"}}");
        assert_eq!(place.metric(&name, at(11)), count, "{name}");
    }
}

#[test]
fn a_refused_renewal_ends_what_was_good() {
    let place = Place::new();
    let alice = place.token("alice", 7200);
    place.exchange(&alice, "ya29.alice", 1000, at(0));
    let handle = place.decide(&alice, at(750)).handle().to_owned();
    place.expect(at(750), &refused("the pool is disabled"));
    assert_eq!(place.sent(&alice, at(750)), "deny google_exchange_refused");
    assert_eq!(bearer(&place.gateway, &handle, at(750)), None);
}

#[test]
fn a_bearer_that_googles_api_refuses_is_exchanged_anew_but_not_at_once() {
    let place = Place::new();
    let (alice, bob) = (place.token("alice", 3600), place.token("bob", 3600));
    place.exchange(&alice, "ya29.alice", 3599, at(0));
    place.exchange(&bob, "ya29.bob", 3599, at(0));
    let verdict = |now: Now| place.gateway.decide(&Ask::with(&alice).url(URL).bytes(), now);
    assert!(!place.gateway.credential_refused(&verdict(at(4)), at(4)), "it came just now");
    assert_eq!(place.sent(&alice, at(4)), "Bearer ya29.alice");
    let told = verdict(at(5));
    let forged = told.replace(place.decide(&alice, at(5)).handle(), "7.0");
    assert!(!place.gateway.credential_refused(&forged, at(5)), "{forged}");
    assert_eq!(place.sent(&alice, at(5)), "Bearer ya29.alice");

    assert!(place.gateway.credential_refused(&told, at(5)), "another one is asked for");
    assert_eq!(place.sent(&alice, at(5)), WAITS);
    assert_eq!(place.sent(&bob, at(5)), "Bearer ya29.bob", "a caller's refusal is that caller's");
    place.expect(at(5), &granted("ya29.again", 3599));
    assert_eq!(place.sent(&alice, at(5)), "Bearer ya29.again");
    assert!(place.gateway.credential_refused(&told, at(6)), "there is another one already");
    assert_eq!(place.sent(&alice, at(6)), "Bearer ya29.again");
}

#[test]
fn an_outage_is_waited_for_and_asked_again() {
    let place = Place::new();
    let alice = place.token("alice", 3600);
    for failure in [
        reply(503, &json!({})),
        reply(200, &json!({ "access_token": 5 })),
        granted("a b", 3599),
        Reply::Failure("no connection".to_owned()),
    ] {
        assert_eq!(place.sent(&alice, at(0)), WAITS);
        let (id, _) = place.asks(at(0)).unwrap_or_else(|| panic!("{failure:?}"));
        place.gateway.answer(id, &failure, now(0, -1_000));
    }
    assert_eq!(place.sent(&alice, at(0)), WAITS);
    place.expect(at(0), &reply(503, &json!({})));
    assert!(place.asks(now(0, 999)).is_none(), "after a second");
    place.expect(at(1), &granted("ya29.alice", 3599));
    assert_eq!(place.sent(&alice, at(1)), "Bearer ya29.alice");
}

#[test]
fn whoever_waits_no_more_is_not_asked_for() {
    let place = Place::new();
    let alice = place.token("alice", 3600);
    assert_eq!(place.sent(&alice, at(0)), WAITS);
    assert!(place.asks(now(5, 5_000)).is_none());
    assert_eq!(place.sent(&alice, at(6)), WAITS);
    assert!(place.asks(at(6)).is_some(), "until it comes again");
}

#[test]
fn too_many_requests_pause_them_all() {
    let place = Place::new();
    let (alice, bob) = (place.token("alice", 3600), place.token("bob", 3600));
    assert_eq!(place.sent(&alice, at(0)), WAITS);
    place.expect(at(0), &reply(429, &json!({})));
    assert_eq!(place.sent(&bob, at(0)), WAITS);
    assert!(place.asks(at(1)).is_none());
    assert_eq!(place.sent(&bob, at(9)), WAITS);
    assert!(place.asks(at(9)).is_none());
    assert!(place.asks(at(10)).is_some());
}

#[test]
fn a_hang_holds_up_as_many_as_there_are_lanes() {
    let place = Place::with(&json!({ "exchanges_per_second": 1000 }));
    let callers: Vec<_> = (0..9).map(|n| place.token(&format!("c{n}"), 3600)).collect();
    for caller in &callers {
        assert_eq!(place.sent(caller, at(0)), WAITS);
    }
    let hung: Vec<_> = (0..8).map(|_| place.asks(at(0)).unwrap().0).collect();
    assert!(place.asks(at(0)).is_none());
    assert_eq!(place.sent(&callers[8], at(1)), WAITS);
    place.gateway.answer(hung[3], &granted("ya29.c3", 3599), at(1));
    assert_eq!(place.sent(&callers[3], at(1)), "Bearer ya29.c3");
    assert!(place.asks(at(1)).is_some(), "a lane is free");
    // What is given up is asked for anew, and its late answer is nobody's.
    assert!(place.asks(at(30)).is_none());
    assert_eq!(place.sent(&callers[0], at(30)), WAITS);
    let (id, _) = place.asks(at(30)).unwrap();
    place.gateway.answer(hung[0], &granted("ya29.late", 3599), at(30));
    assert_eq!(place.sent(&callers[0], at(30)), WAITS);
    place.gateway.answer(id, &granted("ya29.c0", 3599), at(31));
    assert_eq!(place.sent(&callers[0], at(31)), "Bearer ya29.c0");
}

#[test]
fn no_more_are_begun_in_a_second_than_allowed_and_the_log_says_so() {
    keep_lines(log::LevelFilter::Info);
    let place = Place::with(&json!({ "exchanges_per_second": 2 }));
    let callers: Vec<_> = (0..5).map(|n| place.token(&format!("c{n}"), 3600)).collect();
    for caller in &callers {
        assert_eq!(place.sent(caller, at(0)), WAITS);
    }
    let run = |millis: i64| {
        let mut begun = 0;
        while let Some((id, _)) = place.asks(now(0, millis)) {
            place.gateway.answer(id, &granted("ya29.x", 3599), now(0, millis));
            begun += 1;
        }
        begun
    };
    assert_eq!([0, 999, 1_000, 1_500, 2_000, 3_000].map(run), [2, 0, 2, 0, 1, 0]);
    for caller in &callers {
        assert_eq!(place.sent(caller, at(3)), "Bearer ya29.x");
    }
    let paced = "exchanges_paced_total{credential=\"as-caller\"}";
    assert_eq!(place.metric(paced, at(3)), 3);
    let told = "WARN credential as-caller: 3 callers had to wait for their turn: \
                exchanges_per_second is 2";
    let lines = take_lines();
    assert_eq!(lines.iter().filter(|line| line.as_str() == told).count(), 1, "{lines:?}");
}

#[test]
fn the_oldest_make_room() {
    let place = Place::with(&json!({ "max_callers": 2 }));
    let callers: Vec<_> = (0..3).map(|n| place.token(&format!("c{n}"), 3600)).collect();
    place.exchange(&callers[0], "ya29.c0", 100, at(0));
    place.exchange(&callers[1], "ya29.c1", 3599, at(0));
    place.exchange(&callers[2], "ya29.c2", 3599, at(0));
    let evicted = "exchanged_callers_evicted_total{credential=\"as-caller\"}";
    let kept = "exchanged_callers{credential=\"as-caller\"}";
    assert_eq!((place.metric(evicted, at(0)), place.metric(kept, at(0))), (1, 2));
    assert_eq!(place.sent(&callers[1], at(1)), "Bearer ya29.c1");
    // One whose time is over goes before one that is good.
    place.exchange(&callers[0], "ya29.c0", 100, at(1));
    assert_eq!(place.metric(evicted, at(1)), 2);
    place.exchange(&callers[1], "ya29.c1", 3599, at(200));
    assert_eq!(place.metric(evicted, at(200)), 2, "its time was over");
    assert_eq!(place.sent(&callers[2], at(200)), "Bearer ya29.c2");
}

#[test]
fn a_withdrawn_key_ends_what_its_tokens_were_exchanged_for() {
    let key = SigningKey::ed();
    let mut settings = settings(&json!({}));
    settings["issuers"][0].as_object_mut().unwrap().remove("jwks_file");
    settings["issuers"][0]["jwks_uri"] = json!("https://idp.example/keys");
    let place = Place { gateway: Place::open(&key, &settings), key };
    let published = || ok(jwks(&[place.key.jwk("k1")]));
    let other = ok(jwks(&[SigningKey::ed().jwk("k2")]));
    let (alice, bob) = (place.token("alice", 7200), place.token("bob", 7200));
    place.expect(at(0), &published());
    place.exchange(&alice, "ya29.alice", 3599, at(0));
    let handle = place.decide(&alice, at(1)).handle().to_owned();
    assert_eq!(bearer(&place.gateway, &handle, at(1)).as_deref(), Some("Bearer ya29.alice"));
    place.expect(at(1_000), &published());
    assert_eq!(place.sent(&alice, at(1_000)), "Bearer ya29.alice", "its twin");
    // Bob's exchange is under way when the key is withdrawn.
    assert_eq!(place.sent(&bob, at(2_000)), WAITS);
    let (keys, _) = place.asks(at(2_000)).unwrap();
    let (exchange, _) = place.asks(at(2_000)).unwrap();
    place.gateway.answer(keys, &other, at(2_000));
    place.gateway.answer(exchange, &granted("ya29.bob", 3599), at(2_000));
    for token in [&alice, &bob] {
        assert_eq!(place.sent(token, at(2_000)), "deny key_unknown");
    }
    assert_eq!(bearer(&place.gateway, &handle, at(2_000)), None);
    let _ = place.asks(at(2_002));
    assert_eq!(place.metric("exchanged_callers{credential=\"as-caller\"}", at(2_002)), 0);
}

#[test]
fn a_token_that_rules_have_changed_is_not_exchanged() {
    let place = Place::new();
    let (alice, bob) = (place.token("alice", 3600), place.token("bob", 3600));
    let ask = |token: &str| Ask::with(token).url(URL).bytes();
    let ticket = || place.gateway.start_waiting(at(0));
    let verified = |token: &str| match place.gateway.verify(&ask(token), ticket(), at(0)) {
        haproxy_vertex::gateway::Step::Done(passage, _) => passage,
        other => panic!("{other:?}"),
    };
    let passage = verified(&alice);
    let refused = place.gateway.permit(&passage, &ask(&bob), ticket(), at(0));
    let haproxy_vertex::gateway::Step::Refused(told) = refused else { panic!("{refused:?}") };
    assert!(told.contains(&("reason", "credential_unavailable".to_owned())), "{told:?}");
    assert!(place.asks(at(0)).is_none(), "nobody is asked");
    let waits = place.gateway.permit(&passage, &ask(&alice), ticket(), at(0));
    assert!(matches!(waits, haproxy_vertex::gateway::Step::Wait), "its twin: {waits:?}");
    assert!(place.asks(at(0)).is_some());
}

#[test]
fn no_caller_lends_another_a_token_by_name() {
    let mut settings = settings(&json!({}));
    let ours = json!({ "name": "ml-prod", "type": "service_account", "file": "ml-prod.json",
        "form": "scope", "without_role": true });
    settings["credentials"].as_array_mut().unwrap().push(ours);
    settings["roles"][0]["as"] = json!("ml-prod");
    let key = SigningKey::ed();
    let place = Place { gateway: Place::open(&key, &settings), key };
    let signs = |name: &str| {
        matches!(place.gateway.sign(None, name, at(0)), haproxy_vertex::gateway::Step::Done(..))
    };
    assert!(signs("ml-prod"));
    assert!(!signs("as-caller"));
}

#[test]
fn a_decision_is_explained_without_an_exchange() {
    let place = Place::new();
    let explained = |groups: Value| {
        let claims = member_with("groups", groups).to_string();
        let claims = haproxy_vertex::json::Json::parse(claims.as_bytes()).unwrap();
        place.gateway.explain(&claims, &Ask::anonymous().url(URL).bytes(), at(0))
    };
    let allowed = explained(json!(["ml"]));
    assert_eq!((allowed.refusal, allowed.message.as_str()), (None, ""));
    let refused = explained(json!([]));
    assert_eq!(refused.refusal, Some(haproxy_vertex::error::Reason::RoleNone));
    assert!(place.asks(at(0)).is_none());
}

#[test]
fn callers_whose_tokens_google_does_not_take_are_doubted() {
    let doubts = |change: &dyn Fn(&mut Value)| {
        let mut settings = settings(&json!({}));
        change(&mut settings);
        Files::new(&SigningKey::rsa()).load(&settings.to_string()).unwrap().doubts()
    };
    assert_eq!(doubts(&|_| {}), [""; 0]);
    let rsa = doubts(&|settings| settings["issuers"][0]["algorithms"] = json!(["PS256", "RS256"]));
    assert_eq!(rsa, [""; 0]);
    let unfit = doubts(&|settings| settings["issuers"][0]["algorithms"] = json!(["PS256"]));
    assert_eq!(unfit.len(), 1, "{unfit:?}");
    assert!(unfit[0].starts_with("/roles/0/as: Google exchanges tokens signed by RS256 or ES256"));
    let two = doubts(&|settings| {
        let mut other = settings["issuers"][0].clone();
        (other["name"], other["issuer"]) = (json!("partner"), json!("https://idp.other.example"));
        settings["issuers"].as_array_mut().unwrap().push(other);
        let who = settings["roles"][0]["who"].clone();
        settings["roles"][0]["who"] = json!([who, { "issuer": "partner", "anyone": true }]);
    });
    assert_eq!(two.len(), 1, "{two:?}");
    assert!(two[0].contains("a pool's provider trusts one issuer, and `who` names 2"), "{two:?}");
}

#[test]
fn a_long_token_is_told_and_not_sent() {
    let key = SigningKey::ed();
    let config =
        Files::new(&key).load(&settings(&json!({ "account": ACCOUNT })).to_string()).unwrap();
    let mut haproxy = haproxy(&[BACKENDS, FETCHES].concat());
    haproxy.maxrewrite = 8_192;
    let gateway = Gateway::open(config, &haproxy, at(0)).unwrap();
    let place = Place { gateway, key };
    let alice = place.token("alice", 3600);
    assert_eq!(place.sent(&alice, at(0)), WAITS);
    // What is only sent to Google's other endpoint may be longer.
    place.expect(at(0), &granted(&"f".repeat(9_000), 3599));
    let expires = now(3600, 0).wall.rfc3339();
    let long = json!({ "accessToken": "x".repeat(9_000), "expireTime": expires });
    place.expect(at(0), &reply(200, &long));
    assert_eq!(place.sent(&alice, at(0)), WAITS);
    let shown = place.gateway.show(&["credentials", "json"], at(0));
    assert!(shown.contains("a token of 9000 bytes, and"), "{shown}");
}
