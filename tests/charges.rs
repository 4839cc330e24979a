//! What a call costs its limits that was given up, was never counted, or costs nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::at;
use common::gateway::{Ask, BACKENDS, BODY, Said, URL, member};
use common::keys::SigningKey;
use common::settings::{Files, haproxy, minimal};
use haproxy_vertex::gateway::{Gateway, Style};
use haproxy_vertex::haproxy::Haproxy;
use serde_json::{Value, json};

const STREAM: &str = "text/event-stream";

/// What belongs to no project.
const CATALOGUE: &str = "/v1/publishers/google/models/gemini-2.5-flash";

/// A gateway whose only role may do everything that a test asks for, and one caller's token.
struct Stage {
    gateway: Gateway,
    token: String,
}

/// A call on its way, and what came of it.
struct Call<'s> {
    stage: &'s Stage,
    verdict: String,
}

impl Stage {
    fn new(change: impl FnOnce(&mut Value)) -> Self {
        let key = SigningKey::rsa();
        let mut settings = minimal();
        let role = &mut settings["roles"][0];
        role["may"]["methods"] = json!(["*", "stateful/responses.create"]);
        role["may"]["models"] = json!(["*"]);
        role["may"]["projects"] = json!(["*"]);
        change(role);
        let config = Files::new(&key).load(&settings.to_string()).unwrap_or_else(|e| panic!("{e}"));
        let host = Haproxy { accounts: true, ..haproxy(BACKENDS) };
        let gateway = Gateway::open(config, &host, at(0)).unwrap();
        Self { gateway, token: key.token("k1", &member()) }
    }

    fn ask(&self, url: &str, body: &str) -> Ask {
        Ask::with(&self.token).url(url).body(body)
    }

    fn call(&self, ask: &Ask) -> Call<'_> {
        let verdict = self.gateway.decide(&ask.bytes(), at(1));
        let said = Said::new(&verdict);
        assert_eq!(said.decision(), "allow", "{verdict}");
        let call = said.call_and_id();
        assert!(self.gateway.bearer(call.as_bytes(), at(1)).is_some(), "{verdict}");
        Call { stage: self, verdict }
    }

    fn refusal(&self, ask: &Ask) -> String {
        Said::new(&self.gateway.decide(&ask.bytes(), at(1))).reason().to_owned()
    }
}

impl Call<'_> {
    /// Its answer comes as events, as far as these.
    fn streamed(self, events: &str) -> Self {
        let call = self.stage.gateway.meter(&self.verdict, STREAM).unwrap();
        self.stage.gateway.feed(call, events.as_bytes(), at(1));
        self
    }

    /// Its answer comes as a whole; whether it is one.
    fn whole(&self, answer: &[u8]) -> bool {
        let number = Said::new(&self.verdict).field(4)[1..].parse().unwrap();
        self.stage.gateway.usage(number, answer, at(1))
    }

    /// The line, after Google's status, HAProxy's, and the bytes that came.
    fn line(self, upstream: &str, left: &str, uploaded: &str) -> String {
        let text = format!("-{}^^{upstream}^{left}^{uploaded}", self.verdict);
        self.stage.gateway.log_fields(&text, Style::Text, at(2)).unwrap()
    }

    fn ends(self) -> String {
        self.line("200", "200", "600")
    }
}

fn number(line: &str, name: &str) -> u64 {
    let value = line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {line}"))
}

fn quality(line: &str) -> &str {
    line.split(' ').find_map(|field| field.strip_prefix("tokens=")).unwrap()
}

fn streamed() -> String {
    URL.replace(":generateContent", ":streamGenerateContent")
}

/// Tokens that the body makes.
fn prompt(body: &str) -> u64 {
    u64::try_from(body.len().div_ceil(4)).unwrap()
}

const PIECE: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}]}\n\n";

/// The last event, with these counts.
fn last(usage: &str) -> String {
    format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"x\"}}]}},\"finishReason\":\"STOP\"}}]{usage}}}\n\n"
    )
}

#[test]
fn a_stream_that_ends_well_without_a_count_costs_what_was_reserved() {
    let stage = Stage::new(|role| role["limits"] = json!({ "tokens_per_hour": 3000 }));
    let ask = stage.ask(&streamed(), BODY);
    let silent = format!("{PIECE}{}", last(""));
    for _ in 0..2 {
        let line = stage.call(&ask).streamed(&silent).ends();
        assert_eq!((quality(&line), number(&line, "tokens_out")), ("at_least", 2), "{line}");
        assert!(line.contains(" aborted=0 "), "{line}");
        assert_eq!(number(&line, "charged"), prompt(BODY) + 1024);
    }
    assert_eq!(stage.refusal(&ask), "limit_tokens", "the budget of 3000 is used up");
    // One that says its counts costs those.
    let stage = Stage::new(|role| role["limits"] = json!({ "tokens_per_hour": 3000 }));
    let usage =
        r#","usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}"#;
    for _ in 0..30 {
        let line = stage.call(&ask).streamed(&format!("{PIECE}{}", last(usage))).ends();
        assert_eq!((quality(&line), number(&line, "charged")), ("exact", 7), "{line}");
    }
}

#[test]
fn a_whole_answer_that_ends_well_without_a_count_costs_what_was_reserved() {
    let stage = Stage::new(|_| ());
    let answer = last("");
    let answer = answer.trim().strip_prefix("data: ").unwrap();
    for uploaded in ["", "700"] {
        let call = stage.call(&stage.ask(URL, BODY));
        assert!(call.whole(answer.as_bytes()));
        let line = call.line("200", "200", uploaded);
        assert_eq!((quality(&line), number(&line, "charged")), ("at_least", prompt(BODY) + 1024));
        assert!(line.contains(" aborted=0 "), "{line}");
        assert!(stage.gateway.metrics_page(&[], at(2)).contains("unmetered"));
    }
}

#[test]
fn text_that_came_costs_what_it_makes_where_that_is_more() {
    let stage = Stage::new(|role| {
        role["limits"] = json!({ "tokens_per_hour": 1_000_000 });
        role["reserve_tokens"] = json!(1);
    });
    let stage_of = |text: &str| {
        stage.call(&stage.ask(&streamed(), BODY)).streamed(&PIECE.replace("hello", text)).ends()
    };
    assert_eq!(number(&stage_of(&"x".repeat(4000)), "charged"), prompt(BODY) + 1000);
    assert_eq!(number(&stage_of("x"), "charged"), prompt(BODY) + 1);
}

#[test]
fn a_call_that_is_given_up_costs_its_cap_for_each_answer() {
    let capped = |cap: u64, count: u64| {
        json!({ "contents": [], "generationConfig": { "maxOutputTokens": cap, "candidateCount": count } })
            .to_string()
    };
    let counted = |count: u64| {
        json!({ "contents": [], "generationConfig": { "candidateCount": count } }).to_string()
    };
    let stage = Stage::new(|role| {
        role["limits"] = json!({ "tokens_per_hour": 1_000_000 });
        role["reserve_tokens"] = json!(2000);
    });
    for (body, output) in [
        (capped(24_000, 1), 24_000),
        (capped(24_000, 3), 72_000),
        (counted(4), 8000),
        (BODY.to_owned(), 2000),
    ] {
        let ask = stage.ask(&streamed(), &body);
        // Half read, not answered at all, and broken off by HAProxy.
        let half = stage.call(&ask).streamed(PIECE).ends();
        let unanswered = stage.call(&ask).line("", "400", "500");
        let broken = stage.call(&ask).line("200", "200", "500");
        for line in [half, unanswered, broken] {
            assert_eq!(number(&line, "charged"), prompt(&body) + output, "{line}");
        }
        // One that never left costs nothing, nor does one that Google refused.
        for (upstream, left) in [("", "503"), ("429", "429"), ("404", "404")] {
            let line = stage.call(&ask).line(upstream, left, "500");
            assert_eq!(number(&line, "charged"), 0, "{line}");
        }
    }
    // What Google said on the way counts if it is more.
    let said = r#"data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":30000,"thoughtsTokenCount":35}}"#;
    let line = stage.call(&stage.ask(&streamed(), BODY)).streamed(&format!("{said}\n\n")).ends();
    assert_eq!((quality(&line), number(&line, "charged")), ("at_least", 30_044), "{line}");
}

#[test]
fn a_body_of_undeclared_length_costs_what_went_up() {
    let stage = Stage::new(|role| role["body"] = json!("unread"));
    let mut ask =
        stage.ask(URL, BODY).without("content-length").header("transfer-encoding", "chunked");
    ask.stage = "head".to_owned();
    let charged = |rest: &str| number(&stage.call(&ask).line("200", "200", rest), "charged");
    assert_eq!(charged("80000000"), 20_000_000 + 1024);
    // No less than was reserved, also where nobody says how much it was.
    for rest in ["400", "", "0"] {
        assert_eq!(charged(rest), 8192 + 1024, "{rest}");
    }
    // A length that is declared is not what its headers add.
    let declared = stage.call(&stage.ask(URL, BODY)).line("200", "200", "80000000");
    assert_eq!(number(&declared, "charged"), prompt(BODY) + 1024);
    // A prompt that was blocked costs its reading.
    let blocked = stage.call(&ask);
    assert!(blocked.whole(br#"{"promptFeedback":{"blockReason":"SAFETY"}}"#));
    assert_eq!(number(&blocked.line("200", "200", "4000"), "charged"), 1000);
}

#[test]
fn what_costs_nothing_takes_no_place_and_no_tokens() {
    let model = URL.rsplit_once(':').unwrap().0;
    let claude = "anthropic/models/count-tokens:rawPredict";
    let free = |stage: &Stage, index: usize| match index % 3 {
        0 => stage.ask(&format!("{model}:countTokens"), BODY),
        1 => stage.ask(
            &model.replace("google/models/gemini-2.5-flash", claude),
            r#"{"model":"claude-opus-4-1","messages":[]}"#,
        ),
        _ => Ask::with(&stage.token).url(CATALOGUE).method("GET").bodiless(),
    };
    let stage = Stage::new(|role| {
        role["limits"] = json!({ "parallel_requests": 1, "requests_per_hour": 22 });
    });
    let ask = stage.ask(URL, BODY);
    let held = stage.call(&ask);
    let calls: Vec<Call<'_>> = (0..20).map(|index| stage.call(&free(&stage, index))).collect();
    assert_eq!(stage.refusal(&ask), "limit_parallel", "a call that is not free finds no place");
    for call in calls {
        let line = call.line("200", "200", "500");
        assert_eq!((number(&line, "reserved"), number(&line, "charged")), (0, 0), "{line}");
    }
    assert_eq!(stage.refusal(&ask), "limit_parallel");
    drop(held.line("200", "200", "500"));
    drop(stage.call(&ask).line("200", "200", "500"));
    assert_eq!(stage.refusal(&free(&stage, 0)), "limit_requests", "they count all the same");

    let stage = Stage::new(|role| role["limits"] = json!({ "tokens_per_hour": 1100 }));
    drop(stage.call(&ask_of(&stage)).line("200", "200", "500"));
    assert_eq!(stage.refusal(&ask_of(&stage)), "limit_tokens");
    (0..6).for_each(|index| drop(stage.call(&free(&stage, index)).line("200", "200", "500")));
}

fn ask_of(stage: &Stage) -> Ask {
    stage.ask(URL, BODY)
}

#[test]
fn an_image_is_reserved_as_an_image_and_text_as_text() {
    let stage = Stage::new(|_| ());
    let data = "A".repeat(200_000);
    let reserved = |url: &str, body: Value| {
        let body = body.to_string();
        let line = stage.call(&stage.ask(url, &body)).line("404", "404", "1");
        let rest = u64::try_from((body.len() - data.len()).div_ceil(4)).unwrap();
        number(&line, "reserved") - rest - 1024
    };
    let gemini = |kind: &str| json!({ "contents": [{ "parts": [{ "inlineData": { "mimeType": kind, "data": data } }] }] });
    for (kind, tokens) in [
        ("image/png", 4784),
        ("audio/mp3", 2500),
        ("video/mp4", 4000),
        ("application/pdf", 12_500),
        ("text/plain", 50_000),
        ("application/x-unheard-of", 50_000),
    ] {
        assert_eq!(reserved(URL, gemini(kind)), tokens, "{kind}");
    }
    let snake = json!({ "contents": [{ "parts": [{ "inline_data": { "data": data, "mime_type": "image/png" } }] }] });
    assert_eq!(reserved(URL, snake), 4784);
    let claude = URL.replace(
        "google/models/gemini-2.5-flash:generateContent",
        "anthropic/models/claude-x:rawPredict",
    );
    let source = |kind: &str| {
        json!({ "messages": [{ "role": "user", "content": [{ "type": "image",
            "source": { "type": "base64", "media_type": kind, "data": data } }] }] })
    };
    assert_eq!(reserved(&claude, source("image/jpeg")), 4784);
    assert_eq!(reserved(&claude, source("text/plain")), 50_000);
    let chat = URL.replace(
        "publishers/google/models/gemini-2.5-flash:generateContent",
        "endpoints/openapi/chat/completions",
    );
    let part = |part: Value| json!({ "model": "google/gemini-2.5-flash", "messages": [{ "role": "user", "content": [part] }] });
    let url = format!("data:image/png;base64,{data}");
    assert_eq!(
        reserved(&chat, part(json!({ "type": "image_url", "image_url": { "url": url } }))),
        4784
    );
    let sound = json!({ "type": "input_audio", "input_audio": { "data": data, "format": "wav" } });
    assert_eq!(reserved(&chat, part(sound)), 2500);
    let file = json!({ "type": "file", "file": { "file_data": format!("data:application/pdf;base64,{data}") } });
    assert_eq!(reserved(&chat, part(file)), 12_500);
    // What only looks so is what it is: prose, or arguments of a function.
    let prose = json!({ "contents": [{ "parts": [{ "text": data, "mimeType": "image/png" }] }] });
    assert_eq!(reserved(URL, prose), 50_000);
    let call = json!({ "contents": [{ "parts": [{ "functionCall": { "name": "f",
        "args": { "mimeType": "image/png", "data": data } } }] }] });
    assert_eq!(reserved(URL, call), 50_000);
}

#[test]
fn models_that_google_does_not_know_leave_their_callers_share_of_the_keys() {
    let overflowed = |upstream: &str| {
        let stage = Stage::new(|role| {
            role["limits"] = json!({ "per": ["principal", "model"], "requests_per_hour": 1000 });
        });
        for index in 0..1500 {
            let url = URL.replace("2.5-flash", &format!("invented-{index}"));
            // Fifty a second.
            let now = at(1 + index / 50);
            let ask = stage.ask(&url, BODY);
            let verdict = stage.gateway.decide(&ask.bytes(), now);
            let text = format!("-{verdict}^^{upstream}^{upstream}^500");
            assert!(
                stage
                    .gateway
                    .log_fields(&text, Style::Text, now)
                    .unwrap()
                    .contains("reserved=1039")
            );
        }
        let page = stage.gateway.metrics_page(&[], at(2));
        let line =
            page.lines().find_map(|line| line.strip_prefix("haproxy_vertex_limit_overflow_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(["404", "403", "400"].map(overflowed), [0; 3]);
    assert_eq!(["200", "429", "500"].map(overflowed), [1500 - 1024; 3]);
}

#[test]
fn a_budget_belongs_to_whom_the_issuers_claim_names() {
    let asked = |subject: Option<&str>, repository: Option<&str>| -> Vec<String> {
        let key = SigningKey::rsa();
        let mut settings = minimal();
        settings["issuers"][0]["claims"]["subject"] = json!(subject);
        settings["roles"][0]["limits"] = json!({ "per": "principal", "requests_per_hour": 1 });
        let config = Files::new(&key).load(&settings.to_string()).unwrap();
        let gateway = Gateway::open(config, &haproxy(BACKENDS), at(0)).unwrap();
        let tags = ["v1", "v2"].map(|tag| {
            let mut claims = member();
            claims["sub"] = json!(format!("repo:acme/ml:ref:refs/tags/{tag}"));
            if let Some(repository) = repository {
                claims["repository_id"] = json!(repository);
            }
            Said::new(&gateway.decide(&Ask::with(&key.token("k1", &claims)).bytes(), at(1)))
        });
        tags.iter().map(|said| format!("{} {}", said.reason(), said.logged("principal"))).collect()
    };
    let of_tag = |tag| format!("ok corp:repo:acme/ml:ref:refs/tags/{tag}");
    assert_eq!(asked(None, Some("4711")), ["v1", "v2"].map(of_tag));
    let of_repository = ["ok corp:4711", "limit_requests corp:4711"];
    assert_eq!(asked(Some("repository_id"), Some("4711")), of_repository);
    // There is nothing to fall back to.
    for absent in [None, Some("")] {
        let refused = ["claim_missing -"; 2];
        assert_eq!(asked(Some("repository_id"), absent), refused, "{absent:?}");
    }
}
