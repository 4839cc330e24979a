//! Recorded and published answers, where they lie beside the repository.

use std::fs;
use std::path::PathBuf;

use haproxy_vertex::meter::{Framing, Usage, whole};

use crate::{counts, read, texts};

/// A sample; nothing where there are none.
#[allow(clippy::disallowed_methods, reason = "a test reads its samples")]
fn sample(name: &str) -> Option<Vec<u8>> {
    // The worktree of a branch lies one level deeper.
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folders = root.ancestors().skip(1).take(2).map(|up| up.join("shared/samples"));
    let folder = folders.find(|folder| folder.exists())?;
    Some(fs::read(folder.join(name)).unwrap_or_else(|why| panic!("{name}: {why}")))
}

fn said(name: &str, framing: Framing) -> Option<(Usage, String)> {
    let usage = read(framing, &sample(name)?);
    let said = format!("{} {}", counts(&usage), texts(&usage)).trim_end().to_owned();
    Some((usage, said))
}

#[test]
fn answers() {
    for (name, framing, want, parts) in [
        (
            "vertex/unary.json",
            Framing::Json,
            "exact in 8 out 433 thought 1477 total 1918 finish STOP",
            1,
        ),
        (
            "vertex/unary_enum_int.json",
            Framing::Json,
            "exact in 5 out 5 thought 294 total 304 finish STOP",
            1,
        ),
        (
            "vertex/stream_json_array.json",
            Framing::Json,
            "exact in 8 out 11 total 19 finish STOP",
            2,
        ),
        (
            "vertex/stream_sse.txt",
            Framing::EventStream,
            "exact in 8 out 388 thought 2193 total 2589 finish STOP",
            6,
        ),
        (
            "vertex/openai_compat_stream_tail.txt",
            Framing::EventStream,
            "exact in 27 out 45 thought 504 total 576 finish tool_calls",
            1,
        ),
        (
            "vertex/anthropic_firstparty_test_anthropic_compaction_usage_with_cache_streaming.sse.txt",
            Framing::EventStream,
            "exact in 55377 out 91 total 55468 cached 55096 write 0 finish end_turn",
            4,
        ),
        ("vertex/anthropic_vertex_event.json", Framing::Json, "none", 0),
        ("vertex/embedContent.json", Framing::Json, "exact in 11 total 11", 0),
        ("vertex/predict_embedding.json", Framing::Json, "exact in 4 total 4", 0),
        (
            "vertex/firebase_unary-success-detailed-token-response.json",
            Framing::Json,
            "exact in 1837",
            0,
        ),
        (
            "errors/firebase_streaming-failure-error-mid-stream.txt",
            Framing::EventStream,
            "at_least finish STOP error CANCELLED",
            2,
        ),
        (
            "errors/firebase_streaming-failure-finish-reason-safety.txt",
            Framing::EventStream,
            "exact in 10 out 66 total 76 finish SAFETY",
            1,
        ),
    ] {
        let Some((usage, said)) = said(name, framing) else { return };
        assert_eq!((said.as_str(), usage.parts), (want, parts), "{name}");
    }
}

#[test]
fn errors() {
    for (name, error) in [
        ("firebase_unary-failure-api-key.json", "INVALID_ARGUMENT"),
        ("firebase_unary-failure-context-cache-model-doesnt-match.json", "INVALID_ARGUMENT"),
        ("firebase_unary-failure-context-cache-not-found.json", "NOT_FOUND"),
        ("firebase_unary-failure-firebasevertexai-api-not-enabled.json", "PERMISSION_DENIED"),
        ("firebase_unary-failure-iam-permission-denied.json", "PERMISSION_DENIED"),
        ("firebase_unary-failure-quota-exceeded.json", "RESOURCE_EXHAUSTED"),
        ("gemini_429_retryinfo.json", "RESOURCE_EXHAUSTED"),
        ("vertex_401.json", "UNAUTHENTICATED"),
        ("vertex_429_dsq.json", "RESOURCE_EXHAUSTED"),
        ("vertex_invalid_role.json", "INVALID_ARGUMENT"),
        ("vertex_invalid_temperature.json", "INVALID_ARGUMENT"),
        ("vertex_missing_model.json", "NOT_FOUND"),
        ("vertex_stream_404_array.json", "NOT_FOUND"),
    ] {
        for framing in [Framing::Json, Framing::EventStream] {
            let Some((_, said)) = said(&format!("errors/{name}"), framing) else { return };
            assert_eq!(said, format!("none error {error}"), "{name}");
        }
    }
    let Some(html) = sample("errors/firebase_unary-failure-invalid-location-url-not-found.html")
    else {
        return;
    };
    assert_eq!(whole(&html), None);
    assert_eq!(counts(&read(Framing::Json, &html)), "unknown");
}

#[test]
fn no_sample_says_something_else_in_pieces_or_too_much_too_early() {
    let files = [
        ("vertex/unary.json", Framing::Json),
        ("vertex/stream_json_array.json", Framing::Json),
        ("vertex/stream_sse.txt", Framing::EventStream),
        ("vertex/openai_compat_stream_tail.txt", Framing::EventStream),
        (
            "vertex/anthropic_firstparty_test_anthropic_compaction_usage_with_cache_streaming.sse.txt",
            Framing::EventStream,
        ),
        ("errors/firebase_streaming-failure-error-mid-stream.txt", Framing::EventStream),
    ];
    for (name, framing) in files {
        let Some(body) = sample(name) else { return };
        crate::pieces::hold_in_pieces(framing, &body);
    }
}
