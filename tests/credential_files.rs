//! Credentials' files that change: when they are looked at, what is taken and what is refused, and
//! that what was there serves until what is new has been proved, with a clock that moves when told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;

use common::gateway::{Ask, BACKENDS, Said, URL, bearer, member};
use common::keys::{KEY_FILE, SigningKey, from_base64url};
use common::settings::{Files, haproxy, minimal};
use common::{START, at};
use haproxy_vertex::fetch::{Answer, Headers, Id, Reply};
use haproxy_vertex::gateway::Gateway;
use haproxy_vertex::google::Disk;
use haproxy_vertex::time::{Now, UnixTime};
use serde_json::{Value, json};

const OAUTH: &str = "vertex_fetch_oauth2.googleapis.com";
const STS: &str = "vertex_fetch_sts.googleapis.com";

struct Place {
    gateway: Gateway,
    files: RefCell<Files>,
    reads: Cell<usize>,
    token: String,
}

impl Place {
    fn new(credential: Value, more: &[(&str, &str)], backends: &[&str]) -> Self {
        let key = SigningKey::ed();
        let mut settings = minimal();
        settings["credentials"] = json!([credential]);
        settings["admin_commands"] = json!(true);
        let mut files = Files::new(&key);
        for (name, text) in more {
            files.put(name, *text);
        }
        let config = files.load(&settings.to_string()).unwrap_or_else(|e| panic!("{e}"));
        let haproxy = haproxy(&[BACKENDS, backends].concat());
        let gateway = Gateway::open(config, &haproxy, at(0)).unwrap_or_else(|e| panic!("{e}"));
        let mut claims = member();
        claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 24 * 3600);
        let (files, reads) = (RefCell::new(files), Cell::new(0));
        Self { gateway, files, reads, token: key.token("k1", &claims) }
    }

    fn self_signed(backends: &[&str]) -> Self {
        let credential = json!({
            "name": "ml-prod", "type": "service_account", "file": "ml-prod.json", "max_age_days": 1
        });
        Self::new(credential, &[], backends)
    }

    fn put(&self, name: &str, text: &str) {
        self.files.borrow_mut().put(name, text);
    }

    /// What HAProxy's task does each time.
    fn step(&self, now: Now) -> Option<(Id, Vec<u8>)> {
        let read = |path: &Path| {
            self.reads.set(self.reads.get() + 1);
            let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
            self.files.borrow().0.get(path.to_str().unwrap()).cloned().ok_or_else(missing)
        };
        let written = |_: &Path| Some(UnixTime(START));
        self.gateway.look_at_files(Disk { read: &read, written: &written }, now);
        self.gateway.step(now).map(|fetch| (fetch.id, fetch.request.body.to_vec()))
    }

    /// The id of the key that signed what a request leaves with.
    fn sent_key(&self, now: Now) -> String {
        let sent = self.sent(now);
        let header = sent.strip_prefix("Bearer ").unwrap().split('.').next().unwrap().to_owned();
        let header: Value = serde_json::from_slice(&from_base64url(&header)).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    }

    fn sent(&self, now: Now) -> String {
        let said = Said::new(&self.gateway.decide(&Ask::with(&self.token).url(URL).bytes(), now));
        assert_eq!(said.decision(), "allow", "{}", said.reason());
        bearer(&self.gateway, said.handle(), now).unwrap().to_string()
    }

    fn shown(&self, now: Now) -> Value {
        let shown: Value =
            serde_json::from_str(&self.gateway.show(&["credentials", "json"], now)).unwrap();
        shown["credentials"][0].clone()
    }

    fn file(&self, now: Now) -> (String, String) {
        let shown = self.shown(now);
        let text = |name: &str| shown[name].as_str().unwrap_or("-").to_owned();
        (text("file"), text("key_id"))
    }
}

fn key_file(id: &str) -> String {
    let mut file: Value = serde_json::from_str(KEY_FILE).unwrap();
    file["private_key_id"] = json!(id);
    file.to_string()
}

fn state(stage: &str, key: &str) -> (String, String) {
    (stage.to_owned(), key.to_owned())
}

fn answer(status: u16, body: &Value) -> Reply {
    Reply::Answer(Answer::new(status, Headers::default(), body.to_string().into()))
}

fn granted(text: &str, secs: i64) -> Reply {
    answer(200, &json!({ "access_token": text, "expires_in": secs }))
}

#[test]
fn files_are_looked_at_every_ten_seconds_and_not_in_a_requests_way() {
    let place = Place::self_signed(&[]);
    for secs in 0..60 {
        assert!(place.step(at(secs)).is_none());
        let _ = place.sent(at(secs));
    }
    assert_eq!(place.reads.get(), 6);
    let said = place.gateway.reload(&["credential", "ml-prod"], at(60));
    assert!(said.contains("is read now"), "{said}");
    assert_eq!(place.reads.get(), 6, "by the task, not by the command");
    let _ = place.step(at(60));
    assert_eq!(place.reads.get(), 7);
}

#[test]
fn where_nobody_can_be_asked_its_own_public_part_proves_a_key() {
    let place = Place::self_signed(&[]);
    let _ = place.step(at(0));
    assert_eq!(place.sent_key(at(1)), "throwaway-2048");
    place.put("ml-prod.json", &key_file("second"));
    assert_eq!(place.sent_key(at(9)), "throwaway-2048", "not looked at yet");
    assert!(place.step(at(10)).is_none(), "nothing is fetched");
    assert_eq!(place.file(at(10)), state("in_use", "second"));
    assert_eq!(place.sent_key(at(11)), "second");
}

#[test]
fn until_its_exchange_has_succeeded_a_key_signs_nothing() {
    let place = Place::self_signed(&[OAUTH]);
    let _ = place.step(at(0));
    place.put("ml-prod.json", &key_file("second"));
    let (id, body) = place.step(at(10)).expect("an exchange");
    assert!(String::from_utf8(body).unwrap().contains("assertion="));
    assert_eq!(place.file(at(10)), state("proving", "throwaway-2048"));
    place.gateway.answer(id, &answer(400, &json!({ "error": "invalid_grant" })), at(11));
    assert_eq!(place.file(at(11)), state("refused", "throwaway-2048"));
    assert_eq!(place.shown(at(11))["file_error"], "status 400: invalid_grant");
    assert_eq!(place.sent_key(at(12)), "throwaway-2048");
    let again = (12..200).find_map(|secs| Some((secs, place.step(at(secs))?.0)));
    let (secs, id) = again.expect("it is asked again");
    assert!((60..100).contains(&secs), "{secs}");
    place.gateway.answer(id, &granted("ya29.dropped", 3599), at(secs));
    assert_eq!(place.file(at(secs)), state("in_use", "second"));
    let _ = place.step(at(secs));
    assert_eq!(place.sent_key(at(secs)), "second", "and not the token that proved it");
}

#[test]
fn a_reply_for_one_file_proves_no_other() {
    let place = Place::self_signed(&[OAUTH]);
    let _ = place.step(at(0));
    place.put("ml-prod.json", &key_file("second"));
    let (of_second, _) = place.step(at(10)).expect("an exchange");
    place.put("ml-prod.json", &key_file("third"));
    let (of_third, _) = place.step(at(20)).expect("another one");
    assert_ne!(of_second, of_third);
    place.gateway.answer(of_second, &granted("ya29.x", 3599), at(21));
    assert_eq!(place.file(at(21)), state("proving", "throwaway-2048"));
    place.gateway.answer(of_third, &granted("ya29.y", 3599), at(22));
    assert_eq!(place.file(at(22)), state("in_use", "third"));
}

#[test]
fn a_file_that_is_being_written_is_looked_at_once_more_before_it_is_refused() {
    let place = Place::self_signed(&[]);
    let _ = place.step(at(0));
    let whole = key_file("second");
    place.put("ml-prod.json", &whole[..whole.len() / 2]);
    let _ = place.step(at(10));
    assert_eq!(place.file(at(10)), state("in_use", "throwaway-2048"));
    place.put("ml-prod.json", &whole);
    let _ = place.step(at(11));
    assert_eq!(place.file(at(11)), state("in_use", "second"));
    // Its twin stays as it is.
    place.put("ml-prod.json", "{");
    let _ = (place.step(at(21)), place.step(at(22)));
    assert_eq!(place.file(at(22)), state("refused", "second"));
    assert_eq!(place.sent_key(at(23)), "second");
    let page = place.gateway.metrics_page(&[], at(23));
    let refused = "credential_file_changes_total{credential=\"ml-prod\",outcome=\"refused\"} 1";
    assert!(page.contains(refused), "{page}");
}

#[test]
fn only_the_same_account_and_the_same_hosts_are_taken() {
    let signed: Value = serde_json::from_str(KEY_FILE).unwrap();
    let with = |name: &str, value: &str| {
        let mut file = signed.clone();
        file[name] = json!(value);
        file.to_string()
    };
    let credential = json!({
        "name": "ml-prod", "type": "service_account", "file": "ml-prod.json", "form": "exchange"
    });
    for (content, why) in [
        (with("client_email", "other@acme-ml.iam.gserviceaccount.com"), "for another identity"),
        (with("token_uri", "https://sts.googleapis.com/v1/token"), "for another host"),
        (with("token_uri", "https://evil.example/token"), "no host of Google's"),
    ] {
        let place = Place::new(credential.clone(), &[], &[OAUTH, STS]);
        let (id, _) = place.step(at(0)).expect("its own token");
        place.gateway.answer(id, &granted("ya29.first", 36_000), at(1));
        place.put("ml-prod.json", &content);
        let _ = (place.step(at(10)), place.step(at(11)));
        let shown = place.shown(at(11));
        assert!(shown["file_error"].as_str().unwrap().contains(why), "{shown}");
        assert_eq!(place.sent(at(12)), "Bearer ya29.first");
        // The twin differs in what may differ.
        place.put("ml-prod.json", &with("private_key_id", "second"));
        let (id, _) = place.step(at(21)).expect("a proof");
        assert_eq!(place.sent(at(21)), "Bearer ya29.first");
        place.gateway.answer(id, &granted("ya29.second", 36_000), at(22));
        assert_eq!(place.sent(at(22)), "Bearer ya29.second", "what proved it serves");
        assert_eq!(place.file(at(22)), state("in_use", "second"));
    }
}

#[test]
fn each_exchange_sends_the_subject_token_as_it_is_then() {
    let external = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pool/providers/corp",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": { "file": "subject" }
    });
    let credential = json!({ "name": "ml-prod", "type": "external_account", "file": "pool.json" });
    let files = [("pool.json", external.to_string()), ("subject", "one".to_owned())];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let place = Place::new(credential, &files, &[STS]);
    place.put("subject", "two");
    let (id, body) = place.step(at(0)).expect("an exchange");
    assert!(String::from_utf8(body).unwrap().contains("subject_token=two"));
    place.gateway.answer(id, &granted("ya29.first", 60), at(0));
    let mut seconds = 1..100;
    place.put("subject", "three");
    let (_, body) = seconds.find_map(|secs| place.step(at(secs))).expect("the next one");
    assert!(String::from_utf8(body).unwrap().contains("subject_token=three"));
    assert_eq!(place.shown(at(60))["file_error"], Value::Null);
}

#[test]
fn a_file_of_too_many_days_is_told_in_a_metric() {
    let place = Place::self_signed(&[]);
    let overdue = |secs: i64| {
        let _ = place.step(at(secs));
        let page = place.gateway.metrics_page(&[], at(secs));
        page.contains("credential_file_overdue{credential=\"ml-prod\"} 1")
    };
    assert_eq!((overdue(2 * 86_400 - 1), overdue(2 * 86_400 + 10)), (false, true));
}
