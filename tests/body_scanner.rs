//! Bodies that come in pieces, and the bounds of what is looked into, each beside what just fits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use haproxy_vertex::error::Reason;
use haproxy_vertex::vertex::{Body, BodyScanner, CapMember, Media};
use proptest::prelude::*;

type Scanned = Result<Body, Reason>;

const TOO_COMPLEX: Scanned = Err(Reason::BodyTooComplex);
const NOT_JSON: Scanned = Err(Reason::BodyNotJson);

fn in_pieces<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Scanned {
    let mut scanner = BodyScanner::new();
    pieces.into_iter().try_for_each(|piece| scanner.push(piece))?;
    scanner.finish()
}

fn scan(body: &str) -> Scanned {
    Body::scan(body.as_bytes())
}

/// The result of a body in one piece, after comparing other cuts with it.
fn cut_anywhere(body: &str) -> Scanned {
    let whole = scan(body);
    for size in [1, 2, 3, 7, 1000, 8191, 8192, 8193] {
        assert_eq!(in_pieces(body.as_bytes().chunks(size)), whole, "{size}");
    }
    whole
}

/// Bodies that are cut at every byte.
fn tricky() -> Vec<Vec<u8>> {
    let texts = [
        r#"{}"#,
        " {\n} ",
        r#"{"model":"google\/g\u002d1","stream":true,"n":3}"#,
        r#"{"mo\u0064el":"\ud83d\ude00 \u20AC \\ \" \b\f\n\r\t","x":"ä€😀"}"#,
        r#"{"generationConfig":{"maxOutputTokens":100.0,"candidateCount":2e0},"max_tokens":"7"}"#,
        r#"{"tools":[{"type":"function","googleSearch":{}},{"url_context":null}],"webSearchOptions":{}}"#,
        r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"QUJDREVGRw=="}}]}]}"#,
        r#"{"a":"data:x","fileUri":"daTA:audio/wav;a=b,AAAA","u":{"url":"data:"}}"#,
        r#"{"input_audio":{"data":"gs://b/x"},"x":["gs://b/\u00e4","gs://b/　x","ab:c","ab:/","ab://"]}"#,
        r#"{"a":[0,-0,1.5,-1.5e+10,1E5,10],"b":[true,false,null],"c":[[],{},[{}]]}"#,
        r#"{"a":-}"#,
        r#"{"a":1.}"#,
        r#"{"a":1e}"#,
        r#"{"a":01}"#,
        r#"{"a":nulL}"#,
        r#"{"a":"\ud83d"}"#,
        r#"{"a":"\ud83dx"}"#,
        r#"{"a":"\ud83d\n"}"#,
        r#"{"a":"\ud83d\u0041"}"#,
        r#"{"a":"\ude00"}"#,
        r#"{"a":"\u00g0"}"#,
        r#"{"a":"\x"}"#,
        "{\"a\":\"\u{1f}\"}",
        r#"{"fileUri":"a","file_uri":"b"}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"a":1}}"#,
        r#"{"a":1} x"#,
        r#"[{}]"#,
        r#"{"model":1}"#,
        r#"{"max_tokens":["#,
    ];
    let crooked: [&[u8]; 9] = [
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"\xc3\"}",
        b"{\"a\":\"\xe2\x82\"}",
        b"{\"a\":\"\xf0\x9f\x98\\n\"}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xc0\xaf\"}",
        b"{\"a\":\"\xf4\x90\x80\x80\"}",
        b"{\"\xe4\":1}",
        b"\xef\xbb\xbf{}",
    ];
    let texts = texts.into_iter().map(|text| text.as_bytes().to_vec());
    texts.chain(crooked.map(<[u8]>::to_vec)).collect()
}

#[test]
fn a_body_may_be_cut_at_every_byte() {
    for body in tricky() {
        let (whole, shown) = (Body::scan(&body), String::from_utf8_lossy(&body));
        assert_eq!(in_pieces(body.chunks(1)), whole, "{shown}");
        for at in 0..=body.len() {
            let (head, tail) = body.split_at(at);
            assert_eq!(in_pieces([head, tail]), whole, "{shown} at {at}");
            assert_eq!(in_pieces([head, b"", tail]), whole, "{shown} at {at}");
            // What has not ended is no body, unless only white space is left.
            let cut_short = Body::scan(head);
            assert!(
                cut_short == NOT_JSON || tail.iter().all(u8::is_ascii_whitespace) || whole.is_err(),
                "{shown} at {at}"
            );
        }
    }
}

proptest! {
    #[test]
    fn a_body_may_be_cut_anywhere(
        body in prop::sample::select(tricky()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &body[ends[0]..ends[1]]);
        prop_assert_eq!(in_pieces(pieces), Body::scan(&body));
    }
}

#[test]
fn what_is_known_before_the_end_is_told() {
    let mut scanner = BodyScanner::new();
    for (piece, model, is_closed) in [
        (&b" {\"x\":{\"model\":\"no\"},\"mod"[..], None, false),
        (b"el\":\"google/", None, false),
        (b"g\"", Some("google/g"), false),
        (b",\"y\":[{}]", Some("google/g"), false),
        (b"}", Some("google/g"), true),
        (b" \r\n", Some("google/g"), true),
    ] {
        scanner.push(piece).unwrap();
        assert_eq!((scanner.model_so_far(), scanner.is_closed()), (model, is_closed));
    }
    assert_eq!(scanner.finish().unwrap().model.as_deref(), Some("google/g"));
}

#[test]
fn a_fault_stays() {
    for (body, fault) in [
        ("{} x".to_owned(), Reason::BodyNotJson),
        (format!("{{\"{}", "x".repeat(8193)), Reason::BodyTooComplex),
    ] {
        let mut scanner = BodyScanner::new();
        assert_eq!(scanner.push(body.as_bytes()), Err(fault));
        assert_eq!((scanner.push(b"{}"), scanner.push(b"")), (Err(fault), Err(fault)));
        assert!(!scanner.is_closed());
        assert_eq!(scanner.finish(), Err(fault));
    }
    let mut scanner = BodyScanner::new();
    scanner.push(b"{\"a\":1").unwrap();
    assert!(!scanner.is_closed());
    assert_eq!(scanner.finish(), NOT_JSON);
    assert_eq!(BodyScanner::new().finish(), NOT_JSON);
}

/// An object of as many members, and what else is inside.
fn members(count: usize, inside: &str) -> String {
    let names: Vec<_> = (0..count).map(|index| format!("\"n{index}\":0")).collect();
    format!("{{{}{inside}}}", names.join(","))
}

#[test]
fn open_objects_hold_4096_names() {
    assert_eq!(cut_anywhere(&members(4096, "")), Ok(Body::default()));
    assert_eq!(cut_anywhere(&members(4097, "")), TOO_COMPLEX);
    assert_eq!(scan(&members(4096, ",\"n7\":0")), NOT_JSON);
    // In objects within each other they count together.
    let nested = |inner: usize| members(4000, &format!(",\"x\":{}", members(inner, "")));
    assert_eq!((scan(&nested(95)), scan(&nested(96))), (Ok(Body::default()), TOO_COMPLEX));
    let labels = |count: usize| format!("{{\"labels\":{}}}", members(count, ""));
    assert_eq!((scan(&labels(4095)), scan(&labels(4096))), (Ok(Body::default()), TOO_COMPLEX));
    // An object that has closed counts no more.
    let many = vec![members(3000, ""); 20].join(",");
    assert_eq!(scan(&format!("{{\"x\":[{many}]}}")), Ok(Body::default()));
    // A name that acts counts in its two spellings.
    let acting = |count: usize| {
        let names: Vec<_> = (0..count).map(|index| format!("\"n{index}Uri\":null")).collect();
        format!("{{{}}}", names.join(","))
    };
    assert_eq!((scan(&acting(2048)), scan(&acting(2049))), (Ok(Body::default()), TOO_COMPLEX));
}

#[test]
fn names_and_texts_that_count_have_8_kilobytes() {
    let long = |count: usize| "x".repeat(count);
    for (before, after) in [
        ("{\"", "\":1}"),
        ("{\"labels\":{\"", "\":1}}"),
        ("{\"model\":\"", "\"}"),
        ("{\"fileUri\":\"", "\"}"),
        ("{\"fileUri\":[\"", "\"]}"),
        ("{\"outputUri\":\"", "\"}"),
        ("{\"cachedContent\":\"", "\"}"),
        ("{\"mimeType\":\"", "\"}"),
        ("{\"voice\":\"", "\"}"),
        ("{\"tools\":[{\"type\":\"", "\"}]}"),
        ("{\"tools\":[{\"", "\":true}]}"),
        ("{\"n\":", "1}"),
    ] {
        let of = |count: usize| match before.ends_with('"') {
            true => format!("{before}{}{after}", long(count)),
            false => format!("{before}{}{after}", "1".repeat(count - 1)),
        };
        assert!(cut_anywhere(&of(8192)).is_ok(), "{before}");
        assert_eq!(cut_anywhere(&of(8193)), TOO_COMPLEX, "{before}");
        if before.ends_with('"') {
            // Unescaped bytes count.
            let escaped = format!("{before}{}\\u0041{after}", long(8191));
            assert!(cut_anywhere(&escaped).is_ok(), "{before}");
        }
    }
}

#[test]
fn prose_data_and_data_urls_may_be_of_any_length() {
    let prose = "Twelve words and \\n an \\u00e4, an ä, and so on. ".repeat(2000);
    for place in ["text", "content", "labels", "generationConfig", "x", "neverHeardOf"] {
        let body = format!("{{\"{place}\":\"{prose}\"}}");
        assert_eq!(cut_anywhere(&body), Ok(Body::default()), "{place}");
    }
    let media = |body: &str| cut_anywhere(body).map(|body| (body.media, body.file_uris));
    let data = "QUJD".repeat(25_000);
    let image = Ok((Media { bytes: 100_000, tokens: 4_784 }, vec![]));
    let inline = |data: &str| format!("{{\"mimeType\":\"image/png\",\"data\":\"{data}\"}}");
    assert_eq!(media(&inline(&data)), image);
    assert_eq!(media(&inline(&data.replace('Q', "\\u0051"))), image);
    for url in ["{\"url\":\"data:image/png;base64,", "{\"data\":\"DATA:image/png,"] {
        assert_eq!(media(&format!("{url}{data}\"}}")), image, "{url}");
    }
    let head = |count: usize| format!("{{\"url\":\"data:{},AAAA\"}}", "x".repeat(count));
    assert!(cut_anywhere(&head(8187)).is_ok());
    assert_eq!(cut_anywhere(&head(8188)), TOO_COMPLEX);
}

#[test]
fn only_what_begins_as_an_address_may_be_too_long_for_one() {
    for place in ["x", "data"] {
        let body = |text: &str| cut_anywhere(&format!("{{\"{place}\":\"{text}\"}}"));
        let address = format!("gs://b/{}", "x".repeat(8192 - 7));
        assert_eq!(body(&address).unwrap().file_uris.len(), 1);
        assert_eq!(body(&format!("{address}x")), TOO_COMPLEX);
        let blank = format!("gs://b/ {}", "x".repeat(20_000));
        assert_eq!(body(&blank).unwrap().file_uris.len(), 0);
        let wide = format!("gs://b/\u{3000}{}", "x".repeat(20_000));
        assert_eq!(body(&wide).unwrap().file_uris.len(), 0);
        assert_eq!(body(&format!("{address} {address}")), TOO_COMPLEX);
        // A blank that the bound goes through is not seen.
        let cut = format!("gs://b/{}\u{3000}x", "x".repeat(8192 - 8));
        assert_eq!(body(&cut), TOO_COMPLEX);
        let scheme = |count: usize| body(&format!("{}://b", "s".repeat(count))).unwrap().file_uris;
        assert_eq!((scheme(64).len(), scheme(65).len()), (1, 0));
        assert!(body(&"s".repeat(20_000)).is_ok());
    }
}

#[test]
fn a_list_has_256_entries_and_says_nothing_twice() {
    let entries = |count: usize, entry: fn(usize) -> String| {
        (0..count).map(entry).collect::<Vec<_>>().join(",")
    };
    type Build = fn(usize) -> String;
    type Len = fn(&Body) -> usize;
    let kinds: [(&str, &str, Build, Len); 7] = [
        ("{\"requests\":[", "]}", |i| format!("{{\"model\":\"m{i}\"}}"), |b| b.other_models.len()),
        ("{\"tools\":[", "]}", |i| format!("{{\"t{i}\":{{}}}}"), |b| b.tools.len()),
        ("{\"fileUri\":[", "]}", |i| format!("\"gs://{i}\""), |b| b.file_uris.len()),
        ("{\"fileIds\":[", "]}", |i| format!("\"f{i}\""), |b| b.stored_state.len()),
        ("{\"outputUri\":[", "]}", |i| format!("\"o{i}\""), |b| b.output_uris.len()),
        (
            "{\"modelArmorConfig\":[",
            "]}",
            |i| format!("\"a{i}\""),
            |b| b.model_armor_templates.len(),
        ),
        ("{\"fallbacks\":[", "]}", |i| format!("{{\"max_tokens\":{}}}", i + 1), |b| b.limits.len()),
    ];
    for (before, after, entry, len) in kinds {
        let of = |count: usize| scan(&format!("{before}{}{after}", entries(count, entry)));
        assert_eq!(of(256).map(|body| len(&body)), Ok(256), "{before}");
        assert_eq!(of(257), TOO_COMPLEX, "{before}");
        let twice = entries(256, entry);
        let again = scan(&format!("{before}{twice},{twice}{after}"));
        assert_eq!(again.map(|body| len(&body)), Ok(256), "{before}");
    }
    let order = scan(r#"{"fileUri":["c","a","c","b","a"]}"#).unwrap();
    assert_eq!(order.file_uris, ["c", "a", "b"]);
    let limits =
        scan(r#"{"max_tokens":5,"fallbacks":[{"max_tokens":5},{"max_tokens":5}]}"#).unwrap();
    assert_eq!(limits.limits, [(CapMember::MaxTokens, 5), (CapMember::Elsewhere, 5)]);
    // The settings of one tool count as well, while it is open.
    let settings = |count: usize| {
        let settings = entries(count, |i| format!("\"s{i}\":1"));
        scan(&format!("{{\"tools\":[{{\"type\":\"function\",{settings}}}]}}"))
    };
    assert_eq!((settings(256), settings(257)), (Ok(Body::default()), TOO_COMPLEX));
}

#[test]
fn all_texts_together_have_32_kilobytes() {
    let body = |last: usize| {
        let text = |c: &str, count: usize| format!("\"{}\"", c.repeat(count));
        let four = ["a", "b", "c"].map(|c| text(c, 8192)).join(",");
        scan(&format!("{{\"fileUri\":[{four}],\"model\":{}}}", text("d", last)))
    };
    assert!(body(8192).is_ok());
    let with_a_tool = |name: &str| {
        let text = ["a", "b", "c"].map(|c| format!("\"{}\"", c.repeat(8192))).join(",");
        let state = "d".repeat(8190);
        scan(&format!(
            "{{\"fileUri\":[{text}],\"session\":\"{state}\",\"tools\":[{{\"{name}\":{{}}}}]}}"
        ))
    };
    assert_eq!((with_a_tool("ab").is_ok(), with_a_tool("abc")), (true, TOO_COMPLEX));
}

#[test]
fn values_are_127_deep() {
    for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
        let deep = |depth: usize| {
            let (open, close) = (open.repeat(depth - 1), close.repeat(depth - 1));
            scan(&format!("{{\"a\":{open}1{close}}}"))
        };
        assert_eq!((deep(127), deep(128)), (Ok(Body::default()), NOT_JSON));
    }
}

#[test]
fn a_number_may_be_beyond_a_doubles_range() {
    assert_eq!(scan(r#"{"a":1e999,"b":-1E+999}"#), Ok(Body::default()));
    let unreadable = vec![(CapMember::MaxTokens, u64::MAX)];
    assert_eq!(scan(r#"{"max_tokens":1e999}"#).unwrap().limits, unreadable);
    assert_eq!(scan(r#"{"n":1e999}"#).unwrap().answers, Some(u64::MAX));
}

#[test]
fn large_bodies_are_read_in_few_steps_whatever_they_are_made_of() {
    // Time decides nothing here: without the bounds this would take hours.
    let pieces = |head: &str, part: &str, tail: &str| {
        let mut body = head.to_owned();
        while body.len() < 1 << 20 {
            body.push_str(part);
        }
        body.push_str(tail);
        in_pieces(body.as_bytes().chunks(24 * 1024))
    };
    let small = format!("{},", members(9, ""));
    assert_eq!(pieces("{\"x\":[", &small, "0]}"), Ok(Body::default()));
    let wide = format!("{},", members(4000, ""));
    assert_eq!(pieces("{\"x\":[", &wide, "0]}"), Ok(Body::default()));
    assert_eq!(pieces("{\"x\":[", &"[".repeat(100), ""), NOT_JSON);
    assert_eq!(pieces("{\"x\":\"", "\\n\\u00e4\\ud83d\\ude00", "\"}"), Ok(Body::default()));
    assert_eq!(pieces("{\"x\":[", "-1.5e-9,", "0]}"), Ok(Body::default()));
    let listed: String = (0..256).map(|index| format!("\"gs://{index}\",")).collect();
    assert_eq!(pieces("{\"x\":[", &listed, "0]}").unwrap().file_uris.len(), 256);
    let long = format!("{{\"{}\":0}},", "x".repeat(8192));
    assert_eq!(pieces("{\"x\":[", &long, "0]}"), Ok(Body::default()));
}
