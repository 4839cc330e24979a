//! What a call costs its limits, in process, where HAProxy would take hours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::at;
use common::gateway::{Ask, BACKENDS, Said, URL, member};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal};
use haproxy_vertex::gateway::{Connection, Gateway, Style};
use haproxy_vertex::haproxy::Haproxy;
use serde_json::json;

const HOUR_SECS: i64 = 3600;

const EVENT: &[u8] = b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}],\
    \"usageMetadata\":{\"totalTokenCount\":5000}}\n\n";

/// One request at once, and a stream that has begun after one second.
fn streaming(key: &SigningKey) -> (Gateway, String, u64) {
    let mut settings = minimal();
    settings["roles"][0]["may"]["methods"] = json!(["streamGenerateContent"]);
    settings["roles"][0]["limits"] = json!({ "parallel_requests": 1 });
    let config = Files::new(key).load(&settings.to_string()).unwrap();
    let host = Haproxy { accounts: true, ..haproxy(BACKENDS) };
    let gateway = Gateway::open(config, &host, at(0)).unwrap();
    let url = URL.replace(":generateContent", ":streamGenerateContent");
    let verdict = gateway.decide(&Ask::with(&key.token("k1", &member())).url(&url).bytes(), at(1));
    let said = Said::new(&verdict);
    assert_eq!((said.decision(), said.field(4).starts_with('s')), ("allow", true), "{verdict}");
    let call = said.call_and_id();
    assert!(gateway.bearer(call.as_bytes(), at(1)).is_some());
    let call = gateway.meter(&verdict, "text/event-stream").unwrap();
    gateway.feed(call, EVENT, at(1));
    (gateway, verdict, call)
}

fn line(gateway: &Gateway, verdict: &str, secs: i64) -> String {
    gateway.log_fields(&format!("-{verdict}^^200^200^"), Style::Text, at(secs)).unwrap()
}

fn in_flight(gateway: &Gateway, secs: i64) -> bool {
    gateway.metrics_page(&[], at(secs)).contains("haproxy_vertex_calls_in_flight 1\n")
}

#[test]
fn an_answer_that_is_read_slowly_is_followed_to_its_end() {
    let key = SigningKey::rsa();
    let (gateway, verdict, call) = streaming(&key);
    for half_hour in 1..6 {
        let now = half_hour * HOUR_SECS / 2;
        let _ = gateway.step(at(now));
        gateway.feed(call, EVENT, at(now));
    }
    assert!(in_flight(&gateway, 3 * HOUR_SECS));
    let line = line(&gateway, &verdict, 3 * HOUR_SECS);
    assert!(line.contains(" tokens=at_least ") && line.contains(" charged=5000 "), "{line}");
}

#[test]
fn a_call_of_which_nothing_is_heard_for_an_hour_ends_by_itself() {
    let key = SigningKey::rsa();
    let (gateway, verdict, _) = streaming(&key);
    let _ = gateway.step(at(HOUR_SECS));
    assert!(in_flight(&gateway, HOUR_SECS));
    let _ = gateway.step(at(HOUR_SECS + 60));
    assert!(!in_flight(&gateway, HOUR_SECS + 60));
    let page = gateway.metrics_page(&[], at(HOUR_SECS + 60));
    assert!(page.contains("haproxy_vertex_calls_lapsed_total 1\n"));
    // A line that comes all the same costs nothing twice, and says whose call it was.
    let late = line(&gateway, &verdict, 2 * HOUR_SECS);
    assert!(late.contains(" charged=- ") && late.contains(" principal=corp:"), "{late}");
    // It is kept for a day after that.
    let _ = gateway.step(at(26 * HOUR_SECS));
    assert!(line(&gateway, &verdict, 26 * HOUR_SECS).contains(" principal=- "));
}

fn connection() -> Connection {
    Connection { client: "192.0.2.7".to_owned(), client_port: 1, ..Connection::default() }
}

/// What the log says of a stream whose connection Google closed.
fn unlogged(gateway: &Gateway, verdict: &str, call: u64, secs: i64) -> Option<String> {
    let connection = connection();
    gateway.unlogged(call, verdict, &connection, at(secs), |_| "a date".to_owned())
}

#[test]
fn a_call_whose_line_haproxy_does_not_write_ends_with_a_line_all_the_same() {
    let key = SigningKey::rsa();
    let (gateway, verdict, call) = streaming(&key);
    let line = unlogged(&gateway, &verdict, call, 4).unwrap();
    assert!(line.starts_with("192.0.2.7:1 [a date]  / -1/-1/-1/-1/3000 -1 "), "{line}");
    assert!(
        line.contains(" vertex{decision=deny reason=upstream_closed principal=corp:"),
        "{line}"
    );
    assert!(line.contains(" upstream=closed aborted=1 "), "{line}");
    assert!(!in_flight(&gateway, 4));
    assert!(gateway.metrics_page(&[], at(4)).contains("reason=\"upstream_closed\"} 1\n"));
    assert_eq!(unlogged(&gateway, &verdict, call, 5), None, "once");
}

#[test]
fn a_call_whose_line_haproxy_has_written_gets_no_other() {
    let key = SigningKey::rsa();
    let (gateway, verdict, call) = streaming(&key);
    assert!(line(&gateway, &verdict, 4).contains("{decision=allow "));
    assert_eq!(unlogged(&gateway, &verdict, call, 4), None);
    assert!(!in_flight(&gateway, 4));
}

#[test]
fn a_call_that_is_withdrawn_leaves_nothing_taken_and_only_its_own_verdict_withdraws_it() {
    let key = SigningKey::rsa();
    let (gateway, verdict, _) = streaming(&key);
    let id = Said::new(&verdict).field(5).to_owned();
    for forged in [verdict.replace(&id, "x"), verdict.replace(&id, "-"), verdict.replace(&id, "")] {
        gateway.withdraw(&forged, at(2));
        assert!(in_flight(&gateway, 2), "{forged}");
    }
    gateway.withdraw(&verdict, at(2));
    assert!(!in_flight(&gateway, 2));
    assert!(line(&gateway, &verdict, 3).contains(" charged=- "));
}

/// The page after a call of this method whose answer told this usage.
fn page_after(method: &str, usage: &str) -> String {
    let key = SigningKey::rsa();
    let config = Files::new(&key).load(&minimal().to_string()).unwrap();
    let host = Haproxy { accounts: true, ..haproxy(BACKENDS) };
    let gateway = Gateway::open(config, &host, at(0)).unwrap();
    let url = URL.replace(":generateContent", &format!(":{method}"));
    let ask = Ask::with(&key.token("k1", &member())).url(&url);
    let verdict = gateway.decide(&ask.bytes(), at(1));
    let said = Said::new(&verdict);
    let call = said.call_and_id();
    assert!(gateway.bearer(call.as_bytes(), at(1)).is_some(), "{verdict}");
    let number = said.field(4)[1..].parse().unwrap();
    assert!(gateway.usage(number, usage.as_bytes(), at(1)));
    let line = gateway.log_fields(&format!("-{verdict}^^200^200^"), Style::Text, at(1));
    assert!(line.unwrap().contains(" tokens=exact tokens_in=12 "));
    gateway.metrics_page(&[], at(1))
}

#[test]
fn tokens_that_google_only_counts_are_on_the_line_and_in_no_metric() {
    let used = page_after(
        "generateContent",
        r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"totalTokenCount":12}}"#,
    );
    assert!(used.contains(r#"kind="input"} 12"#), "{used}");
    let counted = page_after("countTokens", r#"{"totalTokens":12}"#);
    assert!(!counted.contains(r#"kind="input"}"#), "{counted}");
}
