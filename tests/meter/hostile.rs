//! Answers that try to say what is not so, or to cost what they should not.

use haproxy_vertex::meter::{Counted, Framing, Reader, whole};

use crate::{counts, events, json, read, texts};

#[test]
fn counts_stand_at_their_own_place_alone() {
    let fake = r#"{"usageMetadata":{"promptTokenCount":1},"usage":{"prompt_tokens":1},"error":{"status":"X"},"totalTokens":1,"id":"x"}"#;
    let text = serde_json::to_string(fake).unwrap();
    for content in [
        format!(r#"{{"text":{text}}}"#),
        format!(r#"{{"functionCall":{{"name":"f","args":{fake}}}}}"#),
        format!(r#"{{"functionCall":{fake}}}"#),
        format!(r#"{{"text":"a","thoughtSignature":{text}}},{fake},[{fake}]"#),
    ] {
        let body = format!(
            r#"{{"candidates":[{{"content":{{"parts":[{content}]}},"finishReason":"STOP","groundingMetadata":{fake}}},{fake}],
            "usageMetadata":{{"promptTokenCount":8,"candidatesTokenCount":2,"totalTokenCount":10}},"modelStatus":{fake}}}"#
        );
        let usage = json(&body);
        assert_eq!(
            (counts(&usage), texts(&usage)),
            ("exact in 8 out 2 total 10".into(), "finish STOP".into())
        );
        assert_eq!(usage.response_id, None, "{body}");
    }
    let calls = format!(
        r#"{{"choices":[{{"message":{{"content":null,"tool_calls":[{{"function":{{"arguments":{text}}}}}],"usage":{fake}}}}}],
        "usage":{{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10,"x":{fake}}}}}"#
    );
    assert_eq!(counts(&json(&calls)), "exact in 8 out 2 total 10");
    // Nor in an array within an array.
    assert_eq!(counts(&json(&format!("[[{fake}]]"))), "none");
}

#[test]
fn of_members_that_stand_twice_the_last_one_counts() {
    for (body, want) in [
        (r#"{"usage":{"prompt_tokens":1,"prompt_tokens":2}}"#, "exact in 2 total 2"),
        (
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":5},"usage":{"prompt_tokens":2}}"#,
            "exact in 2 total 2",
        ),
        (r#"{"usage":{"prompt_tokens":1},"usage":null}"#, "none"),
        (r#"{"usage":{"prompt_tokens":1,"prompt_tokens":null}}"#, "none"),
        (r#"{"usage":{"prompt_tokens":1,"prompt_tokens":{}}}"#, "none"),
        (
            r#"{"usage":{"input_tokens":1,"iterations":[{"input_tokens":9,"input_tokens":2},{"input_tokens":3}],"iterations":[{"input_tokens":4}]}}"#,
            "exact in 4 out 0 total 4 cached 0 write 0",
        ),
        (
            r#"{"predictions":[{"embeddings":{"statistics":{"token_count":1,"token_count":2}}}]}"#,
            "exact in 2 total 2",
        ),
        (r#"{"predictions":[{"bytesBase64Encoded":""}],"predictions":[]}"#, "none"),
        (
            r#"{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":5},"prompt_tokens_details":{}}}"#,
            "exact in 9 total 9",
        ),
        (
            r#"{"usage":{"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":5},"completion_tokens_details":null}}"#,
            "exact out 9 total 9",
        ),
        ("{\"us\\u0061ge\":{\"prompt\\u005ftokens\":7}}", "exact in 7 total 7"),
    ] {
        assert_eq!(counts(&json(body)), want, "{body}");
    }
}

#[test]
fn a_count_is_a_whole_number_that_is_not_negative() {
    let count = |number: &str| {
        json(&format!(r#"{{"usageMetadata":{{"promptTokenCount":{number}}}}}"#)).input
    };
    for (number, want) in [
        ("0", Some(0)),
        ("12", Some(12)),
        ("12.0", Some(12)),
        ("\"12\"", Some(12)),
        ("9007199254740992", Some(1 << 53)),
        ("9007199254740993", None),
        ("18446744073709551615", None),
        ("18446744073709551616", None),
        ("12.5", None),
        ("-1", None),
        ("-0", None),
        ("1e3", None),
        ("\"x\"", None),
        ("\"\"", None),
        ("true", None),
        ("[12]", None),
        ("{}", None),
    ] {
        assert_eq!(count(number), want, "{number}");
    }
    assert_eq!(count(&"9".repeat(1000)), None);
    assert_eq!(count(&format!("1{}", "0".repeat(1_000_000))), None);
    let huge = 1_u64 << 53;
    let usage = json(&format!(
        r#"{{"usage":{{"input_tokens":{huge},"cache_read_input_tokens":{huge},"output_tokens":{huge}}}}}"#
    ));
    assert_eq!((usage.input, usage.total), (Some(2 * huge), Some(3 * huge)));
}

#[test]
fn nesting_costs_nothing_and_hides_nothing() {
    let usage = r#""usage":{"prompt_tokens":3,"total_tokens":3}"#;
    for depth in [7, 100, 126, 127, 128, 129, 130, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inner = if open == "[" { "\"]\\\"\"" } else { "\"}\"" };
            let deep = open.repeat(depth) + inner + &close.repeat(depth);
            assert_eq!(
                counts(&json(&format!("{{\"x\":{deep},{usage}}}"))),
                "exact in 3 total 3",
                "{depth}"
            );
            let cut = format!("{{{usage},\"x\":{}", open.repeat(depth));
            assert_eq!(counts(&json(&cut)), "at_least in 3 total 3", "{depth}");
        }
    }
    for wrong in
        ["[}", "{\"a\":1]", "{]", "[1,]", "{,}", "{\"a\"}", "{\"a\":}", "[1 2]", "[tru]", "{1:2}"]
    {
        assert_eq!(
            counts(&json(&format!("{{{usage},\"x\":{wrong}}}"))),
            "at_least in 3 total 3",
            "{wrong}"
        );
        assert_eq!(whole(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn what_follows_an_answer_is_no_part_of_it() {
    let usage = r#"{"usage":{"prompt_tokens":3}}"#;
    for more in [r#"{"usage":{"prompt_tokens":9}}"#, "x", "]", ",", "\u{0}"] {
        let said = json(&format!("{usage}{more}"));
        assert_eq!(counts(&said), "at_least in 3 total 3", "{more:?}");
    }
}

#[test]
fn strings_without_end_are_not_kept() {
    let long = "x".repeat(10_000_000);
    let usage = r#""usage":{"prompt_tokens":3}"#;
    assert_eq!(
        counts(&json(&format!(r#"{{"a":"{long}","{long}":1,{usage}}}"#))),
        "exact in 3 total 3"
    );
    assert_eq!(counts(&json(&format!(r#"{{{usage},"a":"{long}"#))), "at_least in 3 total 3");
    assert_eq!(counts(&json(&format!(r#"{{"{long}"#))), "unknown");
    assert_eq!(counts(&events(&long)), "unknown");
    assert_eq!(
        counts(&events(&format!("{long}: {long}\n\ndata: {{{usage}}}\n\n"))),
        "at_least in 3 total 3"
    );
    let id = json(&format!(r#"{{"id":"{long}","model":"a b\u00e9\n\"|{{}}"}}"#));
    let id_text = id.response_id.unwrap();
    assert_eq!((id_text.as_str().len(), id_text.as_str().ends_with("x~")), (64, true));
    assert_eq!(id.model_version.unwrap().as_str(), "a%20b%C3%A9%0A%22%7C%7B%7D");
    assert!(size_of::<Reader>() <= 1488, "{} bytes", size_of::<Reader>());
}

#[test]
fn nul_and_other_noise() {
    assert_eq!(
        counts(&json("{\"a\":\"\u{0}\",\"usage\":{\"prompt_tokens\":3}}")),
        "exact in 3 total 3"
    );
    for noise in ["\u{0}", "\u{0}{}", "{\u{0}}", "{}\u{0}", "{\"usage\u{0}\":1", "\u{b}{}"] {
        assert_ne!(json(noise).counted, Counted::Exact, "{noise:?}");
        assert_ne!(events(noise).counted, Counted::Exact, "{noise:?}");
    }
    assert_eq!(read(Framing::Json, &[0xEF, 0xBB, b'{', b'}']).counted, Counted::Unknown);
    assert_eq!(read(Framing::EventStream, &[0xFF; 1000]).counted, Counted::Unknown);
}

#[test]
fn fields_are_closed() {
    let usage = json(
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"responseId":"r=1 x",
        "usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":11,"cachedContentTokenCount":0,"totalTokenCount":19}}"#,
    );
    let mut fields = String::new();
    usage.write_fields(&mut fields);
    let want = "tokens=exact tokens_in=8 tokens_out=11 tokens_cached=0 tokens_cache_write=- \
                tokens_thought=- tokens_tool_use=- tokens_total=19 images=- finish=STOP block=- \
                response_id=r%3D1%20x model_version=- traffic=- error=- parts=1";
    assert_eq!(fields, want);
}
