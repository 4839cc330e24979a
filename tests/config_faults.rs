//! All that is wrong with a configuration is told at once, in the order of the file, and nothing
//! that only follows from it. What is no fault (a state file that cannot be used) is a log line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::at;
use common::gateway::{BACKENDS, FETCHING_BACKENDS, fetching};
use common::journal::{keep_lines, take_lines};
use common::keys::{SigningKey, jwks};
use common::settings::{Files, haproxy, minimal, sections};
use haproxy_vertex::gateway::Gateway;
use serde_json::{Value, json};

fn told(files: &Files, text: &str) -> Vec<String> {
    let errors = files.load(text).err().into_iter().flatten();
    errors.map(|error| format!("{}: {}", error.pointer, error.problem)).collect()
}

fn assert_begins(told: &[String], wanted: &[&str]) {
    let begins = told.len() == wanted.len()
        && told.iter().zip(wanted).all(|(told, wanted)| told.starts_with(wanted));
    assert!(begins, "{told:#?}");
}

const FAULTY: &str = r#"{
  "roles": [
    {
      "name": "a b", "who": { "issuer": "corp", "grups": ["ml"] }, "as": "ml-prod",
      "may": { "projects": "acme", "locations": ["Mars"], "models": ["gemini"], "methods": ["*"] }
    },
    {
      "name": "second", "who": { "issuer": "other", "anyone": "yes" }, "as": "ml-test",
      "may": { "locations": ["*"], "models": ["*"], "methods": ["fly", "generateContent"] },
      "limits": { "requests_per_day": 5, "tokens_per_minute": 0 }, "reserve_tokens": -1
    }
  ],
  "credentials": [
    { "name": "ml-prod", "type": "service_account", "file": "nowhere.json", "form": "both" },
    { "name": "ml-prod", "type": "access_token", "file": "token.txt", "form": "aud" }
  ],
  "issuers": [
    { "name": "corp", "name": "x", "issuer": "http://idp.example", "audiences": [] },
    { "issuer": "https://idp.example", "audiences": ["a", ""], "jwks_uri": 5 },
    { "name": "third", "issuer": "https://idp.example", "audiences": ["a"], "jwks_file": "none" }
  ],
  "limit": {}
}"#;

#[test]
fn every_fault_is_told_at_once_in_the_order_of_the_file() {
    let told = told(&Files::new(&SigningKey::ed()), FAULTY);
    assert_begins(
        &told,
        &[
            "/roles/0/name: \"a b\": 1 to 64 of letters",
            "/roles/0/who/grups: no such member is known here: one of `issuer`",
            "/roles/0/may/projects: a list [...] is wanted, not a text",
            "/roles/0/may/locations/0: \"Mars\" matches nothing",
            "/roles/0/may/models/0: \"gemini\" matches nothing",
            // Whether there is an issuer `other` shows once all are named.
            "/roles/1/who/anyone: true or false is wanted, not a text",
            "/roles/1/as: there is no credential \"ml-test\"",
            "/roles/1/may: `projects` is missing",
            "/roles/1/may/methods/0: \"fly\" matches nothing",
            "/roles/1/limits/requests_per_day: limits of a day or a month come only once",
            "/roles/1/limits/tokens_per_minute: 0: an amount of 1 to",
            "/roles/1/reserve_tokens: a whole number is wanted, not -1",
            "/credentials/0/file: cannot read conf/nowhere.json: no such file",
            "/credentials/0/form: \"both\": one of \"aud\", \"scope\", \"exchange\" is wanted",
            "/credentials/1/name: \"ml-prod\" stands twice; names are unique",
            "/credentials/1/form: only a service_account has `form`",
            "/issuers/0/name: it stands twice; leave one of them",
            "/issuers/0/issuer: http://idp.example: a URL that begins with https:// is wanted",
            "/issuers/0/audiences: empty",
            "/issuers/1: `name` is missing",
            "/issuers/1/audiences/1: empty; a text is wanted",
            "/issuers/1/jwks_uri: a text \"...\" is wanted, not 5",
            "/issuers/2/issuer: https://idp.example stands twice",
            "/issuers/2/jwks_file: cannot read conf/none: no such file",
            "/limit: no such member is known here: one of `issuers`",
        ],
    );
}

#[test]
fn what_only_follows_from_a_fault_is_not_told() {
    let files = Files::new(&SigningKey::ed());
    let put = |pointer: &str, value: Value| {
        let mut settings = minimal();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        settings.pointer_mut(parent).unwrap()[member] = value;
        told(&files, &settings.to_string())
    };
    assert_eq!(put("/roles/0/name", json!("ml-team")), [""; 0], "the twin");
    for (pointer, value) in [
        ("/issuers/0/name", json!(5)),
        ("/issuers/0/name", json!(null)),
        ("/credentials/0/name", json!([])),
        ("/credentials/0/file", json!({})),
        ("/issuers", json!({})),
        ("/issuers", json!([])),
        ("/credentials", json!("none")),
        ("/roles/0/who/groups", json!("ml")),
        ("/roles/0/who", json!("everybody")),
        ("/roles/0/may", json!(["*"])),
        ("/roles/0/may/methods", json!("stateful/*")),
        ("/roles/0/limits", json!({ "per": "model", "tokens_per_minuet": 5 })),
        ("/roles/0/body", json!(true)),
    ] {
        let told = put(pointer, value.clone());
        assert_eq!(told.len(), 1, "{pointer} {value}: {told:#?}");
        assert!(told[0].starts_with(pointer), "{pointer} {value}: {told:#?}");
    }
    // Nor that a role reserves tokens, where it is the limit on them that is misspelt.
    let mut settings = minimal();
    settings["roles"][0]["limits"] = json!({ "requests_per_hour": 5, "tokens_per_huor": 5 });
    settings["roles"][0]["reserve_tokens"] = json!(5);
    assert_begins(&told(&files, &settings.to_string()), &["/roles/0/limits/tokens_per_huor: no"]);
    assert_begins(&told(&files, "[1]"), &[": an object {...} is wanted, not a list [...]"]);
}

#[test]
fn a_thousand_faults_are_told_by_the_first_hundred() {
    let mut settings = minimal();
    let role = settings["roles"][0].clone();
    let misspelt = |index: usize| {
        let mut role = role.clone();
        role["name"] = json!(format!("role-{index}"));
        role["labels_"] = json!({});
        role
    };
    settings["roles"] = (0..1000).map(misspelt).collect();
    let told = told(&Files::new(&SigningKey::ed()), &settings.to_string());
    assert_eq!(told.len(), 101);
    assert_eq!(told[0], ": there is more to mend than is told here");
    assert!(told[100].starts_with("/roles/99/labels_: "), "{}", told[100]);
}

#[test]
fn what_haproxy_lacks_is_told_at_once() {
    let mut settings = fetching();
    settings["limits"] = json!({ "parallel_requests": 5 });
    let config = Files::new(&SigningKey::ed()).load(&settings.to_string()).unwrap();
    let mut host = haproxy(&["vertex_us-central1"]);
    host.maxrewrite = 1024;
    host.sections = sections("defaults mine\n mode http\nbackend vertex_us-central1 from mine\n");
    let errors = Gateway::open(config, &host, at(0)).map(|_| ()).unwrap_err();
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_begins(
        &told,
        &[
            "conf/vertex.json: /issuers/0: HAProxy has no backend vertex_fetch_idp.example",
            "conf/vertex.json: /roles/0/may/locations/1: HAProxy has no backend vertex_global",
            "conf/vertex.json: /limits: nobody tells when a request has ended",
            "conf/vertex.json: keys cannot be fetched: HAProxy's worker looks for the socket",
            "haproxy.cfg:3: HAProxy's backend vertex_us-central1 lacks our rules",
            "haproxy.cfg:3: HAProxy's backend vertex_us-central1 does not read answers",
            "haproxy.cfg:3: HAProxy's backend vertex_us-central1 has no server",
            "conf/vertex.json: /credentials: tune.bufsize 65536 with tune.maxrewrite 1024",
        ],
    );
    // The twin.
    let config = Files::new(&SigningKey::ed()).load(&minimal().to_string()).unwrap();
    assert!(Gateway::open(config, &haproxy(BACKENDS), at(0)).is_ok());
}

#[test]
fn a_state_file_that_cannot_be_used_is_a_line_that_names_it_and_one_that_is_missing_is_none() {
    keep_lines(log::LevelFilter::Info);
    let key = SigningKey::ed();
    let keys: Value = serde_json::from_slice(&jwks(&[key.jwk("k1")])).unwrap();
    let stored = |fetched_at: i64, jwks: &Value| {
        let stored =
            json!({ "issuer": "https://idp.example", "fetched_at": fetched_at, "jwks": jwks });
        json!({ "format": 1, "issuers": [stored] })
    };
    let good = stored(common::START, &keys);
    let with = |member: &str, value: Value| {
        let mut state = good.clone();
        state[member] = value;
        state.to_string()
    };
    let mut first_release = good.clone();
    first_release.as_object_mut().unwrap().remove("format");
    let no_use = "WARN state file state.json: not used, keys are fetched:";
    let no_keys = "WARN state file state.json: keys of issuer corp not used, they are fetched:";
    for (state, line) in [
        (None, None),
        (Some(good.to_string()), None),
        (Some(first_release.to_string()), None),
        (
            Some(with("format", json!(2))),
            Some(format!("{no_use} its format is 2; this version reads 1")),
        ),
        (
            Some(json!({ "format": 2, "providers": {} }).to_string()),
            Some(format!("{no_use} its format is 2; this version reads 1")),
        ),
        (Some(String::new()), Some(format!("{no_use} empty; JSON is wanted"))),
        (Some("[]".to_owned()), Some(format!("{no_use} an object {{...}} is wanted"))),
        (
            Some(with("also", json!(1))),
            Some(format!("{no_use} /also: no such member is known here")),
        ),
        (
            Some(stored(common::START, &json!({ "keys": [] })).to_string()),
            Some(format!("{no_keys} no usable key")),
        ),
        (
            Some(stored(common::START - 90_000, &keys).to_string()),
            Some(format!("{no_keys} not of the last 24 hours")),
        ),
    ] {
        let mut files = Files::new(&key);
        if let Some(state) = &state {
            files.put("state.json", state.as_str());
        }
        let mut settings = fetching();
        settings["state_file"] = json!("state.json");
        let config = files.load(&settings.to_string()).unwrap();
        Gateway::open(config, &haproxy(FETCHING_BACKENDS), at(0)).unwrap();
        let lines = take_lines();
        let as_wanted = lines.len() == usize::from(line.is_some())
            && lines.iter().zip(&line).all(|(told, wanted)| told.starts_with(wanted));
        assert!(as_wanted, "{state:?}: {lines:?}");
    }
}
