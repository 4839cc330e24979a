//! Streams: framings, ends, and what breaks off.

use haproxy_vertex::meter::{Counted, Framing, Reader};

use crate::{counts, events, id, json, texts};

const TEXT: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"},"responseId":"r1"}"#;
const LAST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":11,"totalTokenCount":19}}"#;

#[test]
fn geminis_counts_come_with_the_last_event() {
    let usage = events(&format!("data: {TEXT}\r\n\r\ndata: {LAST}\r\n\r\n"));
    assert_eq!(counts(&usage), "exact in 8 out 11 total 19");
    assert_eq!((texts(&usage), id(&usage), usage.parts), ("finish STOP".to_owned(), "r1", 2));
    let usage = json(&format!("[{TEXT}\n,\n{LAST}\n]"));
    assert_eq!(counts(&usage), "exact in 8 out 11 total 19");
    assert_eq!(usage.parts, 2);
}

#[test]
fn a_stream_that_breaks_off_is_not_exact() {
    let usage = events(&format!("data: {TEXT}\n\ndata: {TEXT}\n\n"));
    assert_eq!((counts(&usage), usage.parts), ("at_least".to_owned(), 2));
    assert_eq!(events("").counted, Counted::Unknown);
    assert_eq!(json("[").counted, Counted::Unknown);
    assert_eq!(counts(&json(&format!("[{TEXT},{LAST}"))), "at_least in 8 out 11 total 19");
    // A body that is cut after its counts still says them.
    let usage =
        json(r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7},"id":"#);
    assert_eq!(counts(&usage), "at_least in 3 out 4 total 7");
}

#[test]
fn every_candidate_has_to_end() {
    let candidate = |index: u32, rest: &str| {
        format!(
            "data: {{\"candidates\":[{{\"index\":{index}{rest}}}],\"usageMetadata\":{{\"promptTokenCount\":{}}}}}\n\n",
            index + 1
        )
    };
    let (open, end) = ("", ",\"finishReason\":\"STOP\"");
    let stream = candidate(0, open) + &candidate(1, open) + &candidate(0, end);
    assert_eq!(counts(&events(&stream)), "at_least in 1 total 1");
    assert_eq!(counts(&events(&(stream + &candidate(1, end)))), "exact in 2 total 2");
}

#[test]
fn a_candidate_that_was_asked_for_and_has_not_begun_has_not_ended() {
    let candidate = |index: u32| {
        format!(
            "data: {{\"candidates\":[{{\"index\":{index},\"finishReason\":\"STOP\"}}],\"usageMetadata\":{{\"promptTokenCount\":2}}}}\n\n"
        )
    };
    let read = |candidates: u64, body: &str| {
        let mut reader = Reader::of(Framing::EventStream, candidates);
        reader.feed(body.as_bytes());
        counts(&reader.usage())
    };
    for candidates in [0, 1] {
        assert_eq!(read(candidates, ""), "unknown");
        assert_eq!(read(candidates, &candidate(0)), "exact in 2 total 2");
    }
    assert_eq!(read(2, &candidate(0)), "at_least in 2 total 2");
    assert_eq!(read(2, &(candidate(0) + &candidate(1))), "exact in 2 total 2");
    assert_eq!(read(u64::MAX, &candidate(0)), "at_least in 2 total 2");
}

#[test]
fn claudes_counts_are_cumulative() {
    let stream = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","model":"claude-x","content":[],"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}    }

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"usage\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}

event: vertex_event
data: {"type":"vertex_event","usage":{"input_tokens":9,"output_tokens":99,"cache_read_input_tokens":null,"tiers":{"0-to-200000":{"input_tokens":9}}}}

event: message_stop
data: {"type":"message_stop"}

"#;
    let usage = events(stream);
    assert_eq!(counts(&usage), "exact in 125 out 15 total 140 cached 100 write 0");
    assert_eq!(
        (texts(&usage), id(&usage), usage.parts),
        ("finish end_turn".to_owned(), "msg_1", 2)
    );
    let (cut, _) = stream.split_once("event: message_delta").unwrap();
    assert_eq!(counts(&events(cut)), "at_least in 125 total 125 cached 100 write 0");
    let broken = format!(
        "{cut}event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":\"m\"}}}}\n\n"
    );
    let usage = events(&broken);
    assert_eq!((counts(&usage).split(' ').next(), usage.is_complete), (Some("at_least"), true));
    assert_eq!(texts(&usage), "error overloaded_error");
    // The name of the event is enough.
    assert_eq!(texts(&events("event: error\ndata: {\"detail\":\"m\"}\n\n")), "error UNKNOWN");
}

#[test]
fn openais_stream_ends_in_done() {
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"c1\",\"model\":\"m\",\"choices\":[{choices}],\"usage\":{usage}}}\n\n"
        )
    };
    let stream =
        chunk(r#"{"delta":{"role":"assistant","content":""},"finish_reason":null}"#, "null")
            + &chunk(r#"{"delta":{"content":"Hi"}}"#, "null")
            + &chunk(r#"{"delta":{},"finish_reason":"stop"}"#, "null")
            + &chunk("", r#"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}"#);
    let usage = events(&stream);
    assert_eq!((counts(&usage), usage.parts), ("at_least in 5 out 1 total 6".to_owned(), 1));
    for end in ["data: [DONE]\n\n", "data:[DONE]", "data: [DONE]\r\n"] {
        let usage = events(&(stream.clone() + end));
        assert_eq!(counts(&usage), "exact in 5 out 1 total 6", "{end}");
        assert_eq!(texts(&usage), "finish stop");
    }
    for end in
        ["data: [DONE", "data: [DONE\n\n", "data: [done]\n\n", "data: DONE\n\n", "[DONE]\n\n"]
    {
        assert_eq!(
            counts(&events(&(stream.clone() + end))),
            "at_least in 5 out 1 total 6",
            "{end}"
        );
    }
    // A server that was not asked for counts gives none.
    let silent = chunk(r#"{"delta":{"content":"Hi"}}"#, "null") + "data: [DONE]\n\n";
    assert_eq!(counts(&events(&silent)), "at_least");
}

#[test]
fn responses_and_interactions_stream_too() {
    let stream = r#"event: response.created
data: {"type":"response.created","response":{"id":"resp_1","status":"in_progress","usage":null,"error":null}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"i","delta":"Hi"}

event: response.completed
data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[{"type":"message"}],"usage":{"input_tokens":36,"output_tokens":8,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":44}}}

"#;
    let usage = events(stream);
    assert_eq!(counts(&usage), "exact in 36 out 8 thought 0 total 44");
    assert_eq!((texts(&usage), usage.parts), ("finish completed".to_owned(), 1));
    let failed =
        "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"m\"}\n\n";
    assert_eq!(texts(&events(failed)), "error server_error");

    let stream = r#"event: interaction.created
data: {"event_type":"interaction.created","interaction":{"id":"i1","status":"in_progress"}}

event: step.delta
data: {"event_type":"step.delta","index":0,"delta":{"type":"text","text":"Hi"}}

event: interaction.completed
data: {"event_type":"interaction.completed","interaction":{"id":"i1","status":"completed"},"metadata":{"total_usage":{"total_input_tokens":7,"total_output_tokens":2,"total_tokens":9}}}

"#;
    let usage = events(stream);
    assert_eq!(counts(&usage), "exact in 7 out 2 total 9");
    assert_eq!((texts(&usage), usage.parts), ("finish completed".to_owned(), 1));
}

#[test]
fn an_error_in_the_midst_is_bare_json() {
    let bare = "{\r\n  \"error\": {\r\n    \"code\": 499,\r\n\r\n    \"status\": \"CANCELLED\",\r\n    \"details\": []\r\n  }\r\n}";
    for error in [bare.to_owned(), bare.replace("\r\n", "\n"), format!("[{bare}\n]\n")] {
        let usage = events(&format!("data: {LAST}\n\n{error}"));
        assert_eq!(counts(&usage), "at_least in 8 out 11 total 19", "{error}");
        assert_eq!(texts(&usage), "finish STOP error CANCELLED");
        assert_eq!(counts(&events(&error)), "none");
    }
    // One that breaks off does not swallow what follows.
    let usage = events(&format!("{{\n  \"error\": {{\n\ndata: {TEXT}\n\ndata: {LAST}\n\n"));
    assert_eq!((counts(&usage), usage.parts), ("at_least in 8 out 11 total 19".to_owned(), 2));
}

#[test]
fn lines_may_end_in_any_way() {
    let pretty = LAST.replace("[{", "[\ndata: {");
    for stream in [
        format!("data: {TEXT}\n\ndata: {LAST}\n\n"),
        format!("data: {TEXT}\r\rdata: {LAST}\r\r"),
        format!("data:{TEXT}\n\r\ndata:{LAST}"),
        format!(
            ": hello\nid: 7\nretry: 3\ndata: {TEXT}\n: data: {{}}\n\nevent: x\n\ndata: {LAST}\nunknown\n"
        ),
        format!("data: {TEXT}\n\ndata: {pretty}\n\n"),
        format!("\u{feff}data: {TEXT}\n\ndata\n\ndata:\n\n\n\ndata: {LAST}\n\n"),
        format!("data: {TEXT}\ndata: {LAST}\n"),
        format!("data: [{TEXT}\ndata: ,\ndata: {LAST}]\n\n"),
    ] {
        let usage = events(&stream);
        assert_eq!(counts(&usage), "exact in 8 out 11 total 19", "{stream}");
        assert_eq!(usage.parts, 2, "{stream}");
    }
}

#[test]
fn an_unreadable_event_lowers_the_quality_and_nothing_else() {
    for noise in
        ["data: ping\n\n", "data: {\"a\n\n", "data: {\"a\":\"x\ndata: y\"}\n\n", "data: {]\n\n"]
    {
        let usage = events(&format!("data: {TEXT}\n\n{noise}data: {LAST}\n\n"));
        assert_eq!(counts(&usage), "at_least in 8 out 11 total 19", "{noise}");
        assert_eq!((usage.parts, usage.is_complete), (2, false), "{noise}");
    }
}

#[test]
fn an_unreadable_event_says_nothing() {
    let broken = r#"{"usage":{"prompt_tokens":99,"total_tokens":99},"candidates":[{"finishReason":"STOP"}],"x":]"#;
    for next in [TEXT, r#"{"choices":[{"delta":{"content":"a"}}]}"#] {
        let usage = events(&format!("data: {broken}\n\ndata: {next}\n\n"));
        assert_eq!((counts(&usage), usage.parts), ("at_least".to_owned(), 1), "{next}");
    }
    // Nor is the end exact behind which something is broken.
    let usage = events(&format!("data: {LAST}\n\ndata: {{]"));
    assert_eq!(counts(&usage), "at_least in 8 out 11 total 19");
}

#[test]
fn the_name_of_an_event_is_its_own() {
    for stream in [
        format!("event: error\n\ndata: {LAST}\n\n"),
        format!("data: {TEXT}\nevent: error\n\ndata: {LAST}\n\n"),
        format!("event: errors\ndata: {LAST}\n\n"),
        format!(": event: error\ndata: {LAST}\n\n"),
    ] {
        let usage = events(&stream);
        assert_eq!(counts(&usage), "exact in 8 out 11 total 19", "{stream}");
    }
}

#[test]
fn text_that_came_is_measured_whether_its_counts_came_or_not() {
    let written = |body: &str| {
        let mut reader = Reader::new(Framing::EventStream);
        reader.feed(body.as_bytes());
        reader.generated_bytes()
    };
    let gemini = |text: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}}}]}}\n\n"
        )
    };
    assert_eq!(written(&gemini("hello")), 5);
    assert_eq!(written(&(gemini("hello") + &gemini("a\\n\\\"b"))), 9, "an escape is one");
    assert_eq!(written("data: {\"id\":\"hello\",\"labels\":{\"text\":\"hello\"}}\n\n"), 0);
    let chat =
        "data: {\"choices\":[{\"delta\":{\"content\":\"hello\",\"role\":\"assistant\"}}]}\n\n";
    assert_eq!(written(chat), 5);
    let claude = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
                  \"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n";
    assert_eq!(written(claude), 5);
}

/// The same few words, as each API streams them: what is said of tokens, and the rest.
fn said_and_silent() -> Vec<(&'static str, String, String)> {
    let gemini = |usage: &str| {
        format!(
            "data: {TEXT}\n\ndata: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"b\"}}]}},\
             \"finishReason\":\"STOP\"}}],\"usageMetadata\":{usage}}}\n\n"
        )
    };
    let claude = |start: &str, end: &str| {
        format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"m\"{start}}}}}\n\n\
             event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"a\"}}}}\n\n\
             event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}}{end}}}\n\n\
             event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
        )
    };
    let chat = |usage: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}]}}\n\n\
             data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}]{usage}}}\n\ndata: [DONE]\n\n"
        )
    };
    let responses = |usage: &str| {
        format!(
            "data: {{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}}\n\n\
             data: {{\"type\":\"response.completed\",\"response\":{{\"status\":\"completed\"{usage}}}}}\n\n"
        )
    };
    let interactions = |usage: &str| {
        format!(
            "data: {{\"event_type\":\"step.delta\",\"delta\":{{\"text\":\"a\"}}}}\n\n\
             data: {{\"event_type\":\"interaction.completed\",\"interaction\":{{\"status\":\"completed\"}}{usage}}}\n\n"
        )
    };
    let of_openai = r#","usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}"#;
    let start = r#","usage":{"input_tokens":5,"output_tokens":1}"#;
    let total = r#","metadata":{"total_usage":{"total_input_tokens":5,"total_output_tokens":1}}"#;
    vec![
        (
            "gemini",
            gemini(r#"{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6}"#),
            gemini(r#"{"trafficType":"ON_DEMAND"}"#),
        ),
        (
            "gemini, of its prompt alone",
            gemini(r#"{"promptTokenCount":5,"thoughtsTokenCount":1,"totalTokenCount":6}"#),
            gemini(r#"{"promptTokenCount":5,"totalTokenCount":5}"#),
        ),
        ("claude", claude(start, r#","usage":{"output_tokens":1}"#), claude("", "")),
        ("claude, at its start alone", claude("", start), claude(start, "")),
        ("chat", chat(of_openai), chat("")),
        (
            "chat, unknown",
            chat(of_openai),
            chat(r#","usage":{"prompt_tokens":-1,"completion_tokens":-1,"total_tokens":-1}"#),
        ),
        (
            "chat, nothing",
            chat(of_openai),
            chat(r#","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#),
        ),
        (
            "responses",
            responses(r#","usage":{"input_tokens":5,"output_tokens":1,"total_tokens":6}"#),
            responses(r#","usage":null"#),
        ),
        ("interactions", interactions(total), interactions("")),
    ]
}

#[test]
fn a_stream_that_ends_well_and_says_no_counts_of_its_text_is_no_exact_one() {
    for (api, said, silent) in said_and_silent() {
        let (said, silent) = (events(&said), events(&silent));
        assert_eq!((said.counted, said.is_complete), (Counted::Exact, true), "{api}: {said:?}");
        assert_eq!((silent.counted, silent.is_complete), (Counted::AtLeast, true), "{api}");
    }
}

#[test]
fn a_whole_answer_that_says_no_counts_of_its_text_is_no_exact_one() {
    let text = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]"#;
    for (usage, want) in [
        ("", "at_least"),
        (r#","usageMetadata":{"trafficType":"ON_DEMAND"}"#, "at_least"),
        (r#","usageMetadata":{"promptTokenCount":5}"#, "at_least in 5 total 5"),
        (r#","usageMetadata":{"promptTokenCount":-1,"candidatesTokenCount":-1}"#, "at_least"),
        (
            r#","usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1}"#,
            "exact in 5 out 1 total 6",
        ),
        (r#","usageMetadata":{"totalTokenCount":6}"#, "exact total 6"),
    ] {
        let body = format!("{text}{usage}}}");
        assert_eq!(counts(&json(&body)), want, "{usage}");
    }
}

/// Two events of a recorded stream whose model used tools: the first one's counts are no part of
/// the last one's, and none of them but the prompt and the total are bounds.
const ON_ITS_WAY: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":21,"thoughtsTokenCount":35,"totalTokenCount":65}}"#;
const IN_THE_END: &str = r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":87,"thoughtsTokenCount":78,"totalTokenCount":165}}"#;

#[test]
fn a_last_event_that_says_a_total_says_all() {
    let stream = format!("data: {ON_ITS_WAY}\n\ndata: {IN_THE_END}\n\n");
    assert_eq!(counts(&events(&stream)), "exact in 87 thought 78 total 165");
    assert_eq!(
        counts(&json(&format!("[{ON_ITS_WAY},{IN_THE_END}]"))),
        "exact in 87 thought 78 total 165"
    );
    // One that says none adds to what was said: Claude's end tells the output alone.
    let partial = IN_THE_END.replace(r#","totalTokenCount":165"#, "");
    let stream = format!("data: {ON_ITS_WAY}\n\ndata: {partial}\n\n");
    assert_eq!(counts(&events(&stream)), "at_least in 87 thought 78 total 165");
}

/// Streams that end well, whose last word on tokens came before they were written, or is none.
const WITHOUT_A_LAST_WORD: &[(&str, &[&str])] = &[
    (
        "Claude, content that is no text",
        &[
            r#"{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"x"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        "Claude, an output that is no count",
        &[
            r#"{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"hello"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":25,"output_tokens":-1}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        "Claude, no output",
        &[
            r#"{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"hello"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":25,"output_tokens":null}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    ),
    (
        "Gemini, thoughts and then the end",
        &[
            r#"{"candidates":[{"content":{"parts":[]}}],"usageMetadata":{"promptTokenCount":5,"thoughtsTokenCount":30,"totalTokenCount":35}}"#,
            r#"{"candidates":[{"finishReason":"STOP"}]}"#,
        ],
    ),
    (
        "Gemini, the result of code",
        &[
            r#"{"candidates":[{"content":{"parts":[{"codeExecutionResult":{"outcome":"OUTCOME_OK"}}]}}],"usageMetadata":{"promptTokenCount":5}}"#,
            r#"{"candidates":[{"finishReason":"STOP"}]}"#,
        ],
    ),
    (
        "Gemini, blocked amid its text",
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6}}"#,
            r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#,
        ],
    ),
    (
        "Gemini, counts that are none",
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":-1,"thoughtsTokenCount":5,"totalTokenCount":-1}}"#,
        ],
    ),
    (
        "OpenAI, sound",
        &[
            r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5}}"#,
            r#"{"choices":[{"delta":{"audio":{"data":"x"}}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        ],
    ),
];

#[test]
fn an_end_without_a_last_word_is_not_exact() {
    for (what, said) in WITHOUT_A_LAST_WORD {
        let stream: String = said.iter().map(|event| format!("data: {event}\n\n")).collect();
        let usage = events(&(stream + "data: [DONE]\n\n"));
        assert_eq!((usage.counted, usage.is_complete), (Counted::AtLeast, true), "{what}");
    }
    // Whole answers say it once.
    for nonsense in [
        r#"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":-1,"total_tokens":-1,"completion_tokens_details":{"reasoning_tokens":3}}}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":-1}}"#,
    ] {
        assert_eq!(json(nonsense).counted, Counted::AtLeast, "{nonsense}");
        let honest = nonsense.replace("-1", "9");
        assert_eq!(json(&honest).counted, Counted::Exact, "{honest}");
    }
}

#[test]
fn what_a_later_event_may_lower_is_no_lower_bound() {
    let cut = events(&format!("data: {ON_ITS_WAY}\n\n"));
    assert_eq!(counts(&cut), "at_least in 9 thought 35 total 65");
    let cut = json(&format!("[{ON_ITS_WAY},"));
    assert_eq!(counts(&cut), "at_least in 9 thought 35 total 65");
    // What was said with the end is a bound, whatever breaks behind it.
    let ended = LAST.replace("candidatesTokenCount\":11", "candidatesTokenCount\":10");
    let cut = events(&format!("data: {TEXT}\n\ndata: {ended}\n\ndata: {{]\n\n"));
    assert_eq!(counts(&cut), "at_least in 8 out 10 total 19");
    let stream = format!("data: {ON_ITS_WAY}\n\ndata: {IN_THE_END}\n\n");
    crate::pieces::hold_in_pieces(Framing::EventStream, stream.as_bytes());
}

#[test]
fn what_was_generated_stays_so_when_its_event_breaks() {
    let broken = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"},}]}\n\n";
    let whole = broken.replace(",}", "}");
    for (stream, is_damaged) in [(broken, true), (whole.as_str(), false)] {
        let mut reader = Reader::new(Framing::EventStream);
        let (mut parts, mut known) = (0, false);
        for byte in stream.bytes() {
            reader.feed(&[byte]);
            let usage = reader.usage();
            assert!(usage.parts >= parts, "{} after {parts}", usage.parts);
            assert!(!known || usage.counted == Counted::AtLeast, "{:?}", usage.counted);
            (parts, known) = (usage.parts, usage.counted == Counted::AtLeast);
        }
        assert_eq!((parts, known, reader.generated_bytes()), (1, true, 5));
        reader.feed(format!("data: {LAST}\n\ndata: [DONE]\n\n").as_bytes());
        let usage = reader.usage();
        assert_eq!((usage.parts, usage.is_complete), (2, !is_damaged), "{stream}");
    }
}
