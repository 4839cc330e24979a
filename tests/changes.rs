//! The log's lines on issuers and credentials, over days of a clock that moves when told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Mutex;

use common::at;
use common::gateway::{FETCHING_BACKENDS, fetching, open};
use common::keys::{SigningKey, jwks};
use common::script::{discovery_document, ok};
use haproxy_vertex::fetch::Reply;
use haproxy_vertex::gateway::Gateway;
use serde_json::json;

struct Lines(Mutex<Vec<(log::Level, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push((record.level(), record.args().to_string()));
    }
    fn flush(&self) {}
}

fn lines() -> Vec<String> {
    let lines = std::mem::take(&mut *LINES.0.lock().unwrap());
    lines.into_iter().map(|(level, text)| format!("{level} {text}")).collect()
}

/// Everything that is due until then, second by second; while the provider is down it fails.
fn run(gateway: &Gateway, key: Option<&SigningKey>, secs: std::ops::Range<i64>) -> Vec<String> {
    for secs in secs {
        while let Some(fetch) = gateway.step(at(secs)) {
            let reply = match key {
                None => Reply::Failure("no route to host".to_owned()),
                Some(_) if fetch.request.endpoint.path.contains("well-known") => {
                    discovery_document()
                }
                Some(key) => ok(jwks(&[key.jwk("k")])),
            };
            gateway.answer(fetch.id, &reply, at(secs));
        }
    }
    lines()
}

#[test]
fn an_outage_is_a_few_lines_and_not_one_a_try() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let key = SigningKey::ed();
    let gateway = open(&key, &fetching(), FETCHING_BACKENDS);
    let day = 24 * 3600;

    let start = run(&gateway, Some(&key), 0..100);
    let fine = run(&gateway, Some(&key), 100..2_000);
    let away = run(&gateway, None, 2_000..2_000 + day + 1_000);
    let back = run(&gateway, Some(&key), 2_000 + day + 1_000..2_000 + day + 1_100);

    assert_eq!(
        start,
        ["INFO credential ml-prod: ready at 2 locations", "INFO issuer corp: keys ready (1)"]
    );
    assert_eq!(fine, [""; 0]);
    let expected = [
        "WARN issuer corp: keys not fetched: no route to host; those of 900 s ago serve on",
        "ERROR issuer corp: its keys are more than 24 hours old and serve no more: no route to host",
    ];
    assert_eq!(away, expected);
    assert_eq!(back.len(), 1, "{back:?}");
    assert!(back[0].starts_with("INFO issuer corp: recovered after 86"), "{back:?}");
    assert!(back[0].ends_with(" s, keys ready (1)"), "{back:?}");

    // Keys that are not used are told when that changes, once a minute.
    let weak = SigningKey::rsa().jwk("w");
    let set = |e: &str| {
        let mut weak = weak.clone();
        weak["e"] = json!(e);
        jwks(&[key.jwk("k"), weak])
    };
    let told = |set: &[u8], secs: std::ops::Range<i64>| {
        for secs in secs {
            while let Some(fetch) = gateway.step(at(secs)) {
                let reply = match fetch.request.endpoint.path.contains("well-known") {
                    true => discovery_document(),
                    false => ok(set),
                };
                gateway.answer(fetch.id, &reply, at(secs));
            }
        }
        lines()
    };
    let begin = 100_000;
    assert_eq!(
        told(&set("AQ"), begin..begin + 2_000),
        ["INFO issuer corp: 1 keys not used: keys[1]: weak: its exponent is even or 1"]
    );
    assert_eq!(told(&set("AQAB"), begin + 2_000..begin + 4_000), [""; 0]);
    assert_eq!(told(&set("AQ"), begin + 4_000..begin + 6_000).len(), 1);
}
