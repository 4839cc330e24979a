//! How a body is cut changes nothing, and what is cut off is never taken for said.

use haproxy_vertex::meter::{Counted, Framing, Reader, Usage, whole};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::answers::body;
use crate::{counts, read};

fn in_pieces(framing: Framing, body: &[u8], cuts: &[Index]) -> Usage {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.extend([0, body.len()]);
    at.sort_unstable();
    let mut reader = Reader::new(framing);
    for piece in at.windows(2) {
        reader.feed(&body[piece[0]..piece[1]]);
    }
    reader.usage()
}

/// Byte by byte it says the same, and each beginning says no count as exact that is not the whole's.
pub(crate) fn hold_in_pieces(framing: Framing, body: &[u8]) {
    let all = read(framing, body);
    let mut reader = Reader::new(framing);
    for byte in body {
        holds_before(&reader.usage(), &all);
        reader.feed(&[*byte]);
    }
    assert_eq!(reader.usage(), all);
    let mut at_once = Reader::new(framing);
    at_once.feed(body);
    assert_eq!(reader.generated_bytes(), at_once.generated_bytes());
    for end in (0..body.len()).step_by(1 + body.len() / 200) {
        let before = read(framing, &body[..end]);
        holds_before(&before, &all);
        if framing == Framing::Json && end < body.trim_ascii_end().len() {
            assert_eq!(whole(&body[..end]), None);
        }
    }
}

fn holds_before(before: &Usage, all: &Usage) {
    if before.counted == Counted::Exact {
        assert_eq!(counts(before), counts(all));
    }
    let numbers = |usage: &Usage| [usage.input, usage.output, usage.thought, usage.total];
    for (early, late) in numbers(before).into_iter().zip(numbers(all)) {
        assert!(early <= late, "{early:?} before, {late:?} at the end");
    }
    assert!(before.parts <= all.parts);
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::EventStream), Just(Framing::Json)]
}

/// Pieces of JSON and of events in any order: broken, but nearly right.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u00e9",
        "\\ud83d",
        "1",
        "-2.0e5",
        "true",
        "null",
        " ",
        "\n",
        "\r",
        "\r\n",
        "data:",
        "data: ",
        "event: error",
        "[DONE]",
        "\"usage\":{",
        "\"usageMetadata\":{",
        "\"promptTokenCount\":3",
        "\"prompt_tokens\":4",
        "\"total_tokens\"",
        "\"candidates\":[{",
        "\"error\":",
        "\"finishReason\":\"STOP\"",
        "\"choices\":[",
        "\"delta\":{",
        "\"content\":\"x\"",
        "\u{feff}",
        "nul",
        "\u{0}",
        "\"iterations\":[{",
        "\"input_tokens\":5",
        "\"type\":\"message_stop\"",
        "id",
        ": x",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat().into_bytes())
}

proptest! {
    #[test]
    fn a_body_says_what_it_was_made_to_say(body in body()) {
        let usage = read(body.framing, &body.bytes);
        prop_assert_eq!(counts(&usage), body.counts, "{}", String::from_utf8_lossy(&body.bytes));
        if body.framing == Framing::Json {
            prop_assert_eq!(whole(&body.bytes), Some(usage));
        }
    }

    #[test]
    fn a_body_in_pieces_says_the_same(body in body(), cuts: Vec<Index>) {
        let all = read(body.framing, &body.bytes);
        prop_assert_eq!(in_pieces(body.framing, &body.bytes, &cuts), all);
    }

    #[test]
    fn what_is_cut_off_is_never_taken_for_said(body in body(), cut: Index) {
        let all = read(body.framing, &body.bytes);
        holds_before(&read(body.framing, &body.bytes[..cut.index(body.bytes.len())]), &all);
    }

    #[test]
    fn anything_may_come_in_any_pieces(
        framing in framing(),
        body in prop_oneof![soup(), prop::collection::vec(any::<u8>(), 0..200)],
        cuts: Vec<Index>,
    ) {
        let all = read(framing, &body);
        prop_assert_eq!(in_pieces(framing, &body, &cuts), all);
        let mut fields = String::new();
        all.write_fields(&mut fields);
        // No answer can forge a field of the log line.
        let names: Vec<_> = fields.split(' ').map(|field| field.split('=').collect::<Vec<_>>()).collect();
        prop_assert!(names.len() == 16 && names.iter().all(|parts| parts.len() == 2), "{}", fields);
    }

    #[test]
    fn a_body_with_one_byte_changed_may_be_read_or_not(body in body(), at: Index, byte: u8, cuts: Vec<Index>) {
        let mut bytes = body.bytes;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let all = read(body.framing, &bytes);
        prop_assert_eq!(in_pieces(body.framing, &bytes, &cuts), all);
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
        if body.framing == Framing::Json && is_json {
            prop_assert_eq!(whole(&bytes), Some(all));
        }
    }
}
