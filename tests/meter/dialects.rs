//! One answer of each API, and what the meter makes of its counts.

use haproxy_vertex::meter::{Counted, Framing, Usage, whole};

use crate::{counts, events, id, json, model, texts};

#[test]
fn gemini() {
    let usage = json(
        r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi."}]},"finishReason":"STOP"}],
        "usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":7,
        "thoughtsTokenCount":30,"toolUsePromptTokenCount":5,"totalTokenCount":142,
        "promptTokensDetails":[{"modality":"TEXT","tokenCount":100}],"trafficType":"ON_DEMAND"},
        "modelVersion":"gemini-2.5-flash","responseId":"abc_-1"}"#,
    );
    assert_eq!(counts(&usage), "exact in 100 out 7 thought 30 tool 5 total 142 cached 60");
    assert_eq!(texts(&usage), "finish STOP");
    assert_eq!((id(&usage), model(&usage), usage.parts), ("abc_-1", "gemini-2.5-flash", 1));
}

#[test]
fn integers_of_googles_enums_are_written_as_names() {
    let finish =
        |number: &str| texts(&json(&format!(r#"{{"candidates":[{{"finishReason":{number}}}]}}"#)));
    assert_eq!(finish("1"), "finish STOP");
    assert_eq!(finish("10"), "finish MODEL_ARMOR");
    assert_eq!(finish("99"), "finish 99");
    assert_eq!(texts(&json(r#"{"promptFeedback":{"blockReason":5}}"#)), "block MODEL_ARMOR");
}

#[test]
fn the_kind_of_traffic_is_told_where_it_is_one() {
    let traffic = |usage: &Usage| usage.traffic.map(|traffic| traffic.as_str().to_owned());
    let said =
        |value: &str| traffic(&json(&format!(r#"{{"usageMetadata":{{"trafficType":{value}}}}}"#)));
    assert_eq!(said(r#""PROVISIONED_THROUGHPUT""#).as_deref(), Some("PROVISIONED_THROUGHPUT"));
    assert_eq!(said("1").as_deref(), Some("ON_DEMAND"));
    assert_eq!(said("4").as_deref(), Some("ON_DEMAND_FLEX"));
    assert_eq!(said(&format!("\"{}\"", "A".repeat(40))), Some("A".repeat(40)));
    for other in [
        "9",
        "-1",
        "null",
        r#""""#,
        r#""on_demand""#,
        r#""A B""#,
        r#""A1""#,
        "{}",
        r#"["ON_DEMAND"]"#,
        &format!("\"{}\"", "A".repeat(41)),
        &format!("\"{}\"", "A".repeat(400)),
    ] {
        assert_eq!(said(other), None, "{other}");
    }
    // Of a stream the last that says one; a model's text is none.
    let event = |traffic: &str, text: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}}}],\
             \"usageMetadata\":{{{traffic}}}}}\n\n"
        )
    };
    let (demand, flex) = (r#""trafficType":"ON_DEMAND""#, r#""trafficType":"ON_DEMAND_FLEX""#);
    let stream = [event(demand, "a"), event(flex, r#"trafficType\":\"X"#), event("", "b")].concat();
    assert_eq!(traffic(&events(&stream)).as_deref(), Some("ON_DEMAND_FLEX"));
    let chat = json(
        r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,
        "completion_tokens":1,"total_tokens":2,
        "extra_properties":{"google":{"traffic_type":"ON_DEMAND_PRIORITY"},"traffic_type":"X"}}}"#,
    );
    assert_eq!(traffic(&chat).as_deref(), Some("ON_DEMAND_PRIORITY"));
    assert_eq!(counts(&chat), "exact in 1 out 1 total 2");
    assert_eq!(traffic(&json(r#"{"trafficType":"ON_DEMAND","usage":{"traffic_type":"X"}}"#)), None);
}

#[test]
fn a_blocked_prompt_has_nothing_to_count() {
    let usage = json(
        r#"{"promptFeedback":{"blockReason":"MODEL_ARMOR","blockReasonMessage":"no"},
        "usageMetadata":{"trafficType":"ON_DEMAND"},"responseId":"m"}"#,
    );
    assert_eq!(
        (counts(&usage), texts(&usage)),
        ("none".to_owned(), "block MODEL_ARMOR".to_owned())
    );
}

#[test]
fn images_of_gemini_and_imagen() {
    let usage = json(
        r#"{"candidates":[{"content":{"parts":[{"text":""},
        {"inlineData":{"mimeType":"image/png","data":"AAAA"}},
        {"inlineData":{"data":"AAAA","mimeType":"image/jpeg"}},
        {"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}]},"finishReason":"STOP"}],
        "usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2580,"totalTokenCount":2585}}"#,
    );
    assert_eq!(counts(&usage), "exact in 5 out 2580 total 2585 images 2");
    let usage =
        json(r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png"}}]}}]}"#);
    assert_eq!(counts(&usage), "at_least images 1");
    let usage = json(
        r#"{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"AAAA"},
        {"bytesBase64Encoded":"AAAA"},{"gcsUri":"gs://b/o","mimeType":"image/png"},
        {"raiFilteredReason":"no"},{"bytesBase64Encoded":"AAAA","mimeType":"audio/wav"}]}"#,
    );
    assert_eq!(counts(&usage), "exact images 3");
    assert_eq!(counts(&json(r#"{"predictions":[{"raiFilteredReason":"no"}]}"#)), "none");
}

#[test]
fn embeddings() {
    let usage = json(
        r#"{"predictions":[{"embeddings":{"statistics":{"token_count":4,"truncated":false},"values":[-0.1,2e-3]}},
        {"embeddings":{"values":[1],"statistics":{"tokenCount":6}}}],"metadata":{"billableCharacterCount":12}}"#,
    );
    assert_eq!(counts(&usage), "exact in 10 total 10");
    let usage = json(
        r#"{"embedding":{"values":[-0.006]},"usageMetadata":{"promptTokenCount":11,"totalTokenCount":11}}"#,
    );
    assert_eq!(counts(&usage), "exact in 11 total 11");
    let usage = json(
        r#"{"object":"list","data":[{"embedding":[0.1]}],"model":"e","usage":{"prompt_tokens":9,"total_tokens":9}}"#,
    );
    assert_eq!(counts(&usage), "exact in 9 total 9");
}

#[test]
fn counting_tokens_has_no_total() {
    let usage =
        json(r#"{"totalTokens":1837,"totalBillableCharacters":117,"promptTokensDetails":[]}"#);
    assert_eq!(counts(&usage), "exact in 1837");
    assert_eq!(counts(&json(r#"{"input_tokens":14}"#)), "exact in 14");
}

#[test]
fn reasoning_beside_the_output_or_in_it() {
    let chat = |usage: &str| {
        counts(&json(&format!(
            r#"{{"id":"c1","choices":[{{"message":{{"content":"Hi."}},"finish_reason":"stop"}}],"usage":{usage}}}"#
        )))
    };
    let details = r#""completion_tokens_details":{"reasoning_tokens":504}"#;
    // Gemini's total counts it beside the output.
    let usage =
        format!(r#"{{"prompt_tokens":27,"completion_tokens":45,"total_tokens":576,{details}}}"#);
    assert_eq!(chat(&usage), "exact in 27 out 45 thought 504 total 576");
    // OpenAI's does not.
    let usage = format!(
        r#"{{"prompt_tokens":27,"completion_tokens":549,"total_tokens":576,{details},
        "prompt_tokens_details":{{"cached_tokens":20,"cache_write_tokens":3}}}}"#
    );
    assert_eq!(chat(&usage), "exact in 27 out 45 thought 504 total 576 cached 20 write 3");
    // Without a total nothing speaks for Google's way.
    let usage = format!(r#"{{"prompt_tokens":27,"completion_tokens":549,{details}}}"#);
    assert_eq!(chat(&usage), "exact in 27 out 45 thought 504 total 576");
    let usage = r#"{"prompt_tokens":27,"completion_tokens":45,"total_tokens":72,"completion_tokens_details":null}"#;
    assert_eq!(chat(usage), "exact in 27 out 45 total 72");
}

#[test]
fn claude_counts_caches_beside_the_input() {
    let usage = json(
        r#"{"id":"msg_vrtx_01","type":"message","role":"assistant","model":"claude-sonnet-4-5",
        "content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","stop_sequence":null,
        "usage":{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,
        "cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":0},
        "output_tokens":40,"output_tokens_details":{"thinking_tokens":15},"service_tier":"standard"}}"#,
    );
    assert_eq!(counts(&usage), "exact in 3210 out 25 thought 15 total 3250 cached 3000 write 200");
    assert_eq!((texts(&usage), id(&usage)), ("finish end_turn".to_owned(), "msg_vrtx_01"));
    let usage = json(
        r#"{"type":"message","content":[],"usage":{"input_tokens":10,"output_tokens":4,
        "cache_creation_input_tokens":null,"cache_read_input_tokens":null}}"#,
    );
    assert_eq!(counts(&usage), "exact in 10 out 4 total 14");
}

#[test]
fn claudes_iterations_count_instead_of_the_last_one() {
    let usage = json(
        r#"{"content":[{"type":"text"}],"usage":{"input_tokens":181,"output_tokens":8,"iterations":[
        {"type":"compaction","input_tokens":100,"output_tokens":83,"cache_read_input_tokens":55096,"cache_creation_input_tokens":0},
        {"type":"message","input_tokens":181,"output_tokens":8,"cache_read_input_tokens":0,"cache_creation_input_tokens":2}]}}"#,
    );
    assert_eq!(counts(&usage), "exact in 55379 out 91 total 55470 cached 55096 write 2");
    let usage = json(r#"{"usage":{"input_tokens":181,"output_tokens":8,"iterations":[]}}"#);
    assert_eq!(counts(&usage), "exact in 181 out 8 total 189");
}

#[test]
fn openais_responses_and_googles_interactions() {
    let usage = json(
        r#"{"id":"resp_1","object":"response","status":"incomplete","error":null,
        "incomplete_details":{"reason":"max_output_tokens"},"model":"gpt-oss-120b",
        "output":[{"type":"message"}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":4},
        "output_tokens":87,"output_tokens_details":{"reasoning_tokens":80},"total_tokens":123}}"#,
    );
    assert_eq!(counts(&usage), "exact in 36 out 7 thought 80 total 123 cached 4");
    assert_eq!((texts(&usage), id(&usage)), ("finish max_output_tokens".to_owned(), "resp_1"));
    for (input, output, thought, cached, tool) in [
        (
            "totalInputTokens",
            "totalOutputTokens",
            "totalThoughtTokens",
            "totalCachedTokens",
            "totalToolUseTokens",
        ),
        (
            "total_input_tokens",
            "total_output_tokens",
            "total_thought_tokens",
            "total_cached_tokens",
            "total_tool_use_tokens",
        ),
    ] {
        let usage = json(&format!(
            r#"{{"id":"i1","model":"gemini-3-pro","status":"completed","steps":[{{"type":"model_output"}}],
            "usage":{{"{input}":10,"{output}":20,"{thought}":30,"{cached}":4,"{tool}":5,"totalTokens":65}}}}"#
        ));
        assert_eq!(counts(&usage), "exact in 10 out 20 thought 30 tool 5 total 65 cached 4");
        assert_eq!(texts(&usage), "finish completed");
    }
}

#[test]
fn errors_of_each_vendor() {
    for (body, error) in [
        (
            r#"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}"#,
            "RESOURCE_EXHAUSTED",
        ),
        (r#"[{"error":{"status":"NOT_FOUND","code":404}}]"#, "NOT_FOUND"),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"req_vrtx_1"}"#,
            "overloaded_error",
        ),
        (
            r#"{"error":{"message":"m","code":"context_length_exceeded","type":"invalid_request_error"}}"#,
            "invalid_request_error",
        ),
        (r#"{"error":{"message":"m","type":null,"code":"rate_limit"}}"#, "rate_limit"),
        (r#"{"error":{"code":503}}"#, "503"),
        (r#"{"error":"something"}"#, "UNKNOWN"),
        (r#"{"error":{}}"#, "UNKNOWN"),
        (r#"{"type":"error"}"#, "UNKNOWN"),
    ] {
        let usage = json(body);
        assert_eq!(texts(&usage), format!("error {error}"), "{body}");
        assert_eq!(usage.counted, Counted::Nothing, "{body}");
    }
    assert_eq!(texts(&json(r#"{"error":null}"#)), "");
    assert_eq!(id(&json(r#"{"type":"error","request_id":"req_1"}"#)), "req_1");
}

#[test]
fn the_framing_is_told_by_the_content_type() {
    for (header, framing) in [
        ("text/event-stream", Some(Framing::EventStream)),
        ("Text/Event-Stream; charset=utf-8", Some(Framing::EventStream)),
        ("application/json; charset=UTF-8", Some(Framing::Json)),
        (" application/json ", Some(Framing::Json)),
        ("text/html", None),
        ("application/jsonp", None),
        ("application/octet-stream", None),
        ("", None),
    ] {
        assert_eq!(Framing::of(header), framing, "{header}");
    }
}

#[test]
fn a_whole_answer_is_one_closed_value() {
    for body in ["{}", "[]", " {\"usage\":{}}\r\n\t ", "[{},{}]", "\u{feff}{}"] {
        assert!(whole(body.as_bytes()).is_some(), "{body}");
    }
    for body in
        ["", " ", "{", "{}x", "{}{}", "1", "\"a\"", "null", "[{}", "[{},]", "<html>", "\u{feff}"]
    {
        assert_eq!(whole(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn batches_of_embeddings_say_their_tokens_for_all_or_for_each() {
    let values = r#""values":[-0.006,0.02]"#;
    for (body, want) in [
        (
            format!(
                r#"{{"embeddings":[{{{values}}},{{{values}}}],"usageMetadata":{{"promptTokenCount":11,"totalTokenCount":11}}}}"#
            ),
            "exact in 11 total 11",
        ),
        (
            format!(
                r#"{{"embeddings":[{{{values},"statistics":{{"tokenCount":4,"truncated":false}}}},{{"statistics":{{"token_count":5}},{values}}}]}}"#
            ),
            "exact in 9 total 9",
        ),
        (
            format!(
                r#"{{"responses":[{{"embedding":{{{values}}},"usageMetadata":{{"promptTokenCount":4,"totalTokenCount":4}}}},{{"usageMetadata":{{"promptTokenCount":7}}}}]}}"#
            ),
            "exact in 11 total 11",
        ),
        (format!(r#"{{"embeddings":[{{{values}}}]}}"#), "none"),
    ] {
        assert_eq!(counts(&json(&body)), want, "{body}");
    }
}
