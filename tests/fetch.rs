//! The facility that fetches, with a caller as those to come: it exchanges a token at Google's Security
//! Token Service and impersonates a service account with what it gets (IAM Credentials). The caller
//! speaks to its host by the gateway's types alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use haproxy_vertex::fetch::{
    Answer, Backoff, Ended, Endpoint, FieldValue, Header, Headers, Id, InFlight, Method, Record,
    Reply, Request, Scheme,
};
use haproxy_vertex::gateway::Fetch;
use haproxy_vertex::json::Json;
use haproxy_vertex::time::Monotonic;
use serde_json::json;

const STS: &str = "https://sts.googleapis.com/v1/token";
const IMPERSONATE: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\
                           ml@acme.iam.gserviceaccount.com:generateAccessToken";

enum Step {
    Exchange,
    Impersonate,
}

/// The caller: its place among those that ask is 3.
struct Impersonation {
    fetches: InFlight<Step>,
    backoff: Backoff,
    record: Record,
    next_at: Monotonic,
    exchanged: Option<FieldValue>,
    token: Option<String>,
}

impl Impersonation {
    fn new() -> Self {
        Self {
            fetches: InFlight::default(),
            backoff: Backoff::default(),
            record: Record::default(),
            next_at: at(0),
            exchanged: None,
            token: None,
        }
    }

    fn step(&mut self, now: Monotonic) -> Option<Fetch> {
        if self.fetches.give_up_overdue(now) {
            self.fail("no answer in time", None, now);
        }
        if now < self.next_at || self.token.is_some() {
            return None;
        }
        let (step, request) = match &self.exchanged {
            None => {
                let form = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                    ("subject_token", "eyJ.a+b/c=.d"),
                ];
                (Step::Exchange, Request::post_form(Endpoint::parse(STS).unwrap(), &form))
            }
            Some(bearer) => {
                let json = json!({ "scope": ["cloud-platform"], "lifetime": "3600s" });
                let request = Request::post_json(Endpoint::parse(IMPERSONATE).unwrap(), &json);
                (Step::Impersonate, request.with("authorization", bearer.clone()))
            }
        };
        let number = self.fetches.begin(step, now)?;
        Some(Fetch { id: Id { asker: 3, number }, request })
    }

    fn answer(&mut self, Id { number, .. }: Id, reply: &Reply, now: Monotonic) {
        let Some(Ended { what, .. }) = self.fetches.end(number) else {
            return;
        };
        let taken = match reply {
            Reply::Failure(why) => Err(why.clone()),
            Reply::Answer(answer) if answer.status != 200 => Err(answer.status.to_string()),
            Reply::Answer(answer) => self.take(&what, answer),
        };
        match taken {
            Ok(()) => {
                self.backoff.succeed();
                self.record.succeed(now);
            }
            Err(why) => self.fail(&why, reply.status(), now),
        }
    }

    fn take(&mut self, step: &Step, answer: &Answer) -> Result<(), String> {
        if answer.headers.first("content-type") != Some("application/json; charset=UTF-8") {
            return Err("not JSON".to_owned());
        }
        let json = Json::parse(&answer.body).map_err(|_| "not JSON".to_owned())?;
        let text =
            |name: &str| json.get(name).and_then(Json::as_str).ok_or_else(|| name.to_owned());
        match step {
            Step::Exchange => {
                let bearer = format!("Bearer {}", text("access_token")?);
                self.exchanged = Some(FieldValue::new(&bearer).ok_or("no token")?);
            }
            Step::Impersonate => self.token = Some(text("accessToken")?.to_owned()),
        }
        Ok(())
    }

    fn fail(&mut self, why: &str, status: Option<u16>, now: Monotonic) {
        self.record.fail(why, now);
        self.next_at = now.plus_secs(self.backoff.fail(status));
    }
}

const fn at(secs: i64) -> Monotonic {
    Monotonic(secs * 1000)
}

fn answer(status: u16, body: &serde_json::Value) -> Reply {
    let headers = Headers::new([("Content-Type", "application/json; charset=UTF-8")]);
    Reply::Answer(Answer::new(status, headers, body.to_string().into_bytes()))
}

fn values(request: &Request, name: &str) -> Vec<String> {
    let lines = request.headers.iter().filter(|header| header.name == name);
    lines.map(|header| header.value.as_str().to_owned()).collect()
}

#[test]
fn a_token_is_exchanged_and_its_bearer_goes_out_with_the_next_request() {
    let mut caller = Impersonation::new();
    let Fetch { id, request } = caller.step(at(0)).unwrap();
    assert_eq!((request.method, request.endpoint.to_string().as_str()), (Method::Post, STS));
    assert_eq!(values(&request, "content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!(
        str::from_utf8(&request.body).unwrap(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &subject_token=eyJ.a%2Bb%2Fc%3D.d"
    );
    assert_eq!(caller.step(at(0)), None, "one at a time");

    // By way of the number that HAProxy's Lua and C hosts hold.
    let id = Id::from(u64::from(id));
    caller.answer(id, &answer(200, &json!({ "access_token": "ya29.x" })), at(1));
    let Fetch { id: next, request } = caller.step(at(1)).unwrap();
    assert_ne!(next, id);
    assert_eq!(
        (request.method.name(), request.endpoint.to_string().as_str()),
        ("POST", IMPERSONATE)
    );
    assert_eq!(values(&request, "content-type"), ["application/json"]);
    assert_eq!(values(&request, "authorization"), ["Bearer ya29.x"]);
    let body = Json::parse(&request.body).unwrap();
    assert_eq!(body.get("lifetime").and_then(Json::as_str), Some("3600s"));

    caller.answer(id, &answer(200, &json!({ "accessToken": "old" })), at(2));
    assert_eq!(caller.token, None, "the first request has had its answer");
    caller.answer(next, &answer(200, &json!({ "accessToken": "ya29.y" })), at(2));
    assert_eq!(caller.token.as_deref(), Some("ya29.y"));
    assert_eq!((caller.step(at(2)), caller.record.succeeded_at), (None, Some(at(2))));
}

#[test]
fn a_token_that_would_add_a_line_leaves_with_no_request() {
    let hostile = ["a\r\nhost: evil.example", "a\nb", "a\0", "caf\u{e9}", ""];
    for token in hostile {
        let mut caller = Impersonation::new();
        let fetch = caller.step(at(0)).unwrap();
        caller.answer(fetch.id, &answer(200, &json!({ "access_token": token })), at(0));
        assert_eq!((caller.exchanged.is_some(), caller.record.failures), (false, 1), "{token:?}");
        assert_eq!(caller.step(at(1)).unwrap().request.endpoint.to_string(), STS);
    }
}

#[test]
fn failures_pause_and_requests_that_nobody_answers_come_to_an_end() {
    let mut caller = Impersonation::new();
    let busy = caller.step(at(0)).unwrap();
    caller.answer(busy.id, &answer(429, &json!({})), at(0));
    assert_eq!((caller.step(at(29)), caller.record.failures), (None, 1));
    let first = caller.step(at(30)).unwrap();
    assert_eq!(caller.step(at(59)), None);
    // Given up after 30 s; this was the second failure.
    assert_eq!((caller.step(at(60)), caller.step(at(61))), (None, None));
    let second = caller.step(at(62)).unwrap();
    assert_eq!(caller.step(at(92)), None);
    assert_eq!(caller.step(at(10_000)), None, "two hold a task each");
    assert_eq!(caller.record.last_failure, Some((at(92), "no answer in time".to_owned())));
    caller.answer(first.id, &answer(200, &json!({ "access_token": "late" })), at(10_001));
    assert!(caller.exchanged.is_none());
    let third = caller.step(at(10_001)).unwrap();
    assert!(third.id != first.id && third.id != second.id);
    caller.answer(third.id, &Reply::Failure("refused".to_owned()), at(10_002));
    assert_eq!(caller.record.failing_since, Some(at(0)));
}

#[test]
fn the_metadata_server_is_asked_in_clear_text_and_must_say_who_it_is() {
    let url = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
    let endpoint = Endpoint::parse_http(url).unwrap();
    assert_eq!(
        (endpoint.scheme, endpoint.authority.as_str()),
        (Scheme::Http, "metadata.google.internal")
    );
    assert_eq!(endpoint.to_string(), url);
    let flavor = || FieldValue::new("Google").unwrap();
    let request = Request::get(endpoint).with("metadata-flavor", flavor());
    assert_eq!((request.method, request.body.len()), (Method::Get, 0));
    assert_eq!(request.headers, [Header { name: "metadata-flavor".into(), value: flavor() }]);

    let trusted = |lines: &[(&str, &str)]| {
        Headers::new(lines.iter().copied()).first("metadata-flavor") == Some("Google")
    };
    assert!(trusted(&[("Server", "Metadata Server for VM"), ("Metadata-Flavor", "Google")]));
    assert!(!trusted(&[("Server", "nginx")]));
    assert!(!trusted(&[("Metadata-Flavor", "Other")]));

    let parsed = |url: &str| Endpoint::parse_http(url).map(|endpoint| endpoint.authority);
    assert_eq!(parsed("http://169.254.169.254:80/").as_deref(), Ok("169.254.169.254"));
    assert_eq!(parsed("http://169.254.169.254:443/").as_deref(), Ok("169.254.169.254:443"));
    for url in ["https://metadata.google.internal/", "http://", "http://a/b c", "http://u@a/", "a"]
    {
        assert!(parsed(url).is_err(), "{url}");
    }
}

#[test]
fn no_secret_is_shown_to_those_who_look_for_faults() {
    let endpoint = Endpoint::parse(STS).unwrap();
    let request = Request::post_form(endpoint, &[("subject_token", "hush")])
        .with("authorization", FieldValue::new("Bearer hush").unwrap());
    let shown = format!("{:?}", Fetch { id: Id { asker: 0, number: 1 }, request });
    assert!(shown.contains("POST https://sts.googleapis.com/v1/token"), "{shown}");
    assert!(shown.contains("authorization") && !shown.contains("hush"), "{shown}");
    let shown = format!("{:?}", answer(200, &json!({ "access_token": "hush" })));
    assert!(shown.contains("200") && !shown.contains("hush"), "{shown}");
}

#[test]
fn an_answer_says_for_how_long_it_is_fresh() {
    let fresh = |lines: &[(&str, &str)]| {
        Answer::new(200, Headers::new(lines.iter().copied()), Vec::new()).fresh_secs()
    };
    type Lines = &'static [(&'static str, &'static str)];
    let cases: [(Lines, Option<i64>); 10] = [
        (&[], None),
        (&[("cache-control", "public")], None),
        (&[("Cache-Control", "public, max-age=300")], Some(300)),
        (&[("cache-control", "max-age=300"), ("age", "100")], Some(200)),
        (&[("cache-control", "max-age=300"), ("age", "400")], Some(-100)),
        (&[("cache-control", "max-age=300"), ("age", "100, 7")], Some(200)),
        (&[("cache-control", "max-age=300"), ("age", "soon")], Some(300)),
        (&[("cache-control", "max-age=soon"), ("age", "5")], Some(-5)),
        (&[("cache-control", "max-age=300"), ("cache-control", "no-store")], Some(0)),
        (&[("cache-control", "no-cache"), ("age", "5")], Some(0)),
    ];
    for (lines, secs) in cases {
        assert_eq!(fresh(lines), secs, "{lines:?}");
    }
}
