//! Bodies that are longer than HAProxy's buffer: read as they pass, and decided on at their last brace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::at;
use common::gateway::{Ask, BACKENDS, Said, decide, member};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal};
use haproxy_vertex::gateway::{Gateway, Passed, Piece, Style};
use haproxy_vertex::haproxy::Haproxy;
use serde_json::{Value, json};

const PROMPT: &str = r#"{"contents":[{"parts":[{"text":"hi"}]}]"#;

/// A gateway that follows calls, with this changed in its role.
fn stage(key: &SigningKey, change: impl FnOnce(&mut Value)) -> Gateway {
    let mut settings = minimal();
    change(&mut settings["roles"][0]);
    let config = Files::new(key).load(&settings.to_string()).unwrap();
    let host = Haproxy { accounts: true, ..haproxy(BACKENDS) };
    Gateway::open(config, &host, at(0)).unwrap()
}

/// A request of which the buffer holds a beginning.
fn begun(key: &SigningKey) -> Ask {
    let ask = Ask::with(&key.token("k1", &member())).body(PROMPT);
    let mut ask = ask.without("content-length").header("content-length", "100000");
    ask.stage = format!("body {} 0", PROMPT.len());
    ask
}

/// The head's verdict, and the number of its upload.
fn start(gateway: &Gateway, key: &SigningKey) -> (Said, u64) {
    let said = decide(gateway, &begun(key));
    assert_eq!(said.decision(), "passing", "{said:?}");
    let (number, _) = gateway.upload(&text(&said)).expect("an upload");
    (said, number)
}

fn text(said: &Said) -> String {
    (1..=said.count()).map(|n| said.field(n)).collect::<Vec<_>>().join("|")
}

fn piece(gateway: &Gateway, upload: u64, text: &str) -> Passed {
    gateway.pass(upload, text.as_bytes(), at(1))
}

fn goes() -> Passed {
    Passed { piece: Piece::Goes, verdict: None, status: None, instead: None }
}

#[test]
fn a_body_that_no_buffer_fits_is_decided_on_from_its_head() {
    let key = SigningKey::ed();
    let gateway = stage(&key, |_| {});
    let ask = |length: &str| {
        let ask = Ask::with(&key.token("k1", &member())).head();
        ask.without("content-length").header("content-length", length)
    };
    let decision = |ask: &Ask| decide(&gateway, ask).decision().to_owned();
    let room = 65_536 - 16_384;
    assert_eq!(decision(&ask(&(room + 1).to_string())), "passing");
    assert_eq!(decision(&ask(&room.to_string())), "body", "it may fit");
    let long = ask("100000");
    assert_eq!(decision(&long), "passing");
    // Who waits to be told to go on is told by HAProxy's wait for the body.
    assert_eq!(decision(&long.clone().header("expect", "100-continue")), "body");
    assert_eq!(decision(&long.clone().header("transfer-encoding", "chunked")), "body");
    let place = "/v1/projects/acme-ml/locations/us-central1";
    let chat = long.clone().url(&format!("{place}/endpoints/openapi/chat/completions"));
    assert_eq!(decision(&chat), "body", "its model is in the body");
    let said = decide(&gateway, &long.without("content-type").header("content-type", "text/plain"));
    assert_eq!(said.reason(), "body_not_json");
    let unread = stage(&key, |role| role["body"] = json!("unread"));
    assert_eq!(decide(&unread, &ask("100000")).decision(), "allow");
}

#[test]
fn the_last_brace_goes_with_an_allow_and_nothing_but_white_space_behind_it() {
    let key = SigningKey::ed();
    let gateway = stage(&key, |_| {});
    let (head, upload) = start(&gateway, &key);
    assert_eq!(piece(&gateway, upload, PROMPT), goes());
    let ended = piece(&gateway, upload, "}");
    let verdict = Said::new(ended.verdict.as_deref().unwrap());
    assert_eq!((ended.piece, ended.status), (Piece::Goes, None));
    assert_eq!((verdict.decision(), verdict.field(5)), ("allow", head.field(5)), "the same id");
    assert_eq!(verdict.field(4)[1..], head.field(4)[1..], "the same number");
    assert_eq!(piece(&gateway, upload, " \n"), goes());
    assert_eq!(gateway.end_body(upload, at(1)), goes());
    assert_eq!(gateway.end_body(upload, at(1)).piece, Piece::Ends, "it has ended");

    let (_, upload) = start(&gateway, &key);
    assert_eq!(piece(&gateway, upload, PROMPT), goes());
    assert_eq!(piece(&gateway, upload, "}").piece, Piece::Goes);
    let more = piece(&gateway, upload, " x");
    assert_eq!((more.piece, more.status), (Piece::Dropped, Some(400)));
    assert_eq!(Said::new(more.verdict.as_deref().unwrap()).reason(), "body_not_json");
}

#[test]
fn what_is_refused_is_dropped_to_its_end_and_no_longer_than_is_bearable() {
    let key = SigningKey::ed();
    let gateway = stage(&key, |_| {});
    for refused in
        ["{\"tools\":[{\"googleSearch\":{}}]}", "{} }", "{\"a\":1,\"a\":2", "[", "{\"a\":\u{1}"]
    {
        let (head, upload) = start(&gateway, &key);
        let told = piece(&gateway, upload, refused);
        let verdict = Said::new(told.verdict.as_deref().unwrap());
        assert_eq!((told.piece, verdict.decision()), (Piece::Dropped, "deny"), "{refused}");
        assert_eq!(verdict.field(5), head.field(5), "{refused}");
        assert_eq!(verdict.logged("principal"), "corp:alice", "{refused}");
        assert_eq!(piece(&gateway, upload, "}").piece, Piece::Dropped, "{refused}");
        assert_eq!(gateway.end_body(upload, at(1)).piece, Piece::Ends, "{refused}");
    }
    let (_, upload) = start(&gateway, &key);
    assert_eq!(piece(&gateway, upload, "[").piece, Piece::Dropped);
    let late = gateway.pass(upload, b" ", at(12));
    assert_eq!(late.piece, Piece::Ends, "more than 10 s");
    let (_, upload) = start(&gateway, &key);
    assert_eq!(piece(&gateway, upload, "[").piece, Piece::Dropped);
    let megabyte = " ".repeat(1 << 20);
    assert!((0..64).all(|_| piece(&gateway, upload, &megabyte).piece == Piece::Dropped));
    assert_eq!(piece(&gateway, upload, " ").piece, Piece::Ends, "more than 64 MB");
}

#[test]
fn a_body_that_does_not_end_is_refused_at_its_end() {
    let key = SigningKey::ed();
    let gateway = stage(&key, |_| {});
    let (_, upload) = start(&gateway, &key);
    assert_eq!(piece(&gateway, upload, PROMPT), goes());
    let ended = gateway.end_body(upload, at(1));
    assert_eq!((ended.piece, ended.status), (Piece::Ends, Some(400)));
    assert_eq!(Said::new(ended.verdict.as_deref().unwrap()).reason(), "body_not_json");
    assert_eq!(
        piece(&gateway, 4711, "{"),
        Passed { piece: Piece::Ends, ..goes() },
        "no such upload"
    );
}

#[test]
fn limits_are_reserved_at_the_end_and_a_refused_body_takes_nothing() {
    let key = SigningKey::ed();
    let gateway = stage(&key, |role| role["limits"] = json!({ "requests_per_minute": 1 }));
    let (_, first) = start(&gateway, &key);
    let (_, second) = start(&gateway, &key);
    let (_, refused) = start(&gateway, &key);
    assert_eq!(piece(&gateway, refused, "[").status, Some(400));
    assert_eq!(piece(&gateway, first, &format!("{PROMPT}}}")).piece, Piece::Goes);
    let full = piece(&gateway, second, &format!("{PROMPT}}}"));
    assert_eq!((full.piece, full.status), (Piece::Dropped, Some(429)));
    let verdict = Said::new(full.verdict.as_deref().unwrap());
    assert_eq!(verdict.reason(), "limit_requests");
    assert!(verdict.field(6).parse::<u64>().is_ok_and(|secs| secs > 0), "{verdict:?}");
}

#[test]
fn the_line_of_a_body_that_was_left_names_the_role_that_signed() {
    let key = SigningKey::ed();
    let gateway = stage(&key, |_| {});
    for (upstream, left, reason) in [
        ("", "", "request_incomplete"),
        ("", "408", "body_timeout"),
        ("429", "429", "request_incomplete"),
    ] {
        let (head, upload) = start(&gateway, &key);
        assert_eq!(piece(&gateway, upload, PROMPT), goes());
        let ended = format!("-{}^^{upstream}^{left}^", text(&head));
        let line = gateway.log_fields(&ended, Style::Text, at(1)).unwrap();
        assert!(line.contains(&format!("decision=deny reason={reason} ")), "{line}");
        assert!(line.contains(" principal=corp:alice role=ml-team "), "{line}");
        assert!(line.contains(" charged=- "), "{line}");
        assert_eq!(gateway.upload(&text(&head)), None, "it is forgotten");
    }
}

#[test]
fn the_bearer_is_the_head_s() {
    let key = SigningKey::ed();
    let gateway = stage(&key, |_| {});
    let (head, upload) = start(&gateway, &key);
    let handle = format!("{}|{}", head.field(4), head.field(5));
    let (header, number) = gateway.bearer(handle.as_bytes(), at(1)).unwrap();
    assert!(header.as_str().starts_with("Bearer "), "{header:?}");
    assert_eq!(number, Some(upload));
    let forged = format!("{}|{}", head.field(4), "another-id");
    assert_eq!(gateway.bearer(forged.as_bytes(), at(1)), None);
}

#[test]
fn a_token_that_ends_while_its_body_passes_is_refused_at_the_end() {
    let key = SigningKey::ed();
    let gateway = stage(&key, |_| {});
    let whole = format!("{PROMPT}}}");
    let (_, upload) = start(&gateway, &key);
    let told = gateway.pass(upload, whole.as_bytes(), at(7200));
    let verdict = Said::new(told.verdict.as_deref().unwrap());
    assert_eq!((told.piece, told.status), (Piece::Dropped, Some(401)));
    assert_eq!((verdict.reason(), verdict.logged("principal")), ("token_expired", "corp:alice"));
    assert!(verdict.field(4).starts_with("Bearer "), "{verdict:?}");
    let (_, upload) = start(&gateway, &key);
    assert_eq!(gateway.pass(upload, whole.as_bytes(), at(60)).piece, Piece::Goes);
}
