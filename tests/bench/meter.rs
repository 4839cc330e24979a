//! What reading an answer costs, in process: bulk by the gigabyte, a stream by its events. Each
//! number is the lower quartile of the rounds. Exit status 1 when a bar was missed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use haproxy_vertex::meter::{Counted, Framing, Reader, whole};
use serde_json::json;

const ROUNDS: usize = 21;
/// What HAProxy hands to a filter at once.
const PIECE: usize = 16 * 1024;

/// Nanoseconds a call, over some calls.
fn measure(calls: u32, mut call: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            (0..calls).for_each(|_| call());
            started.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 4]
}

fn gigabytes(name: &str, body: &[u8], bar: f64) -> bool {
    let nanos = measure(1, || {
        let mut reader = Reader::new(Framing::Json);
        body.chunks(PIECE).for_each(|piece| reader.feed(piece));
        assert_eq!(black_box(reader.usage()).counted, Counted::Exact);
    });
    let rate = f64::from(u32::try_from(body.len()).unwrap()) / nanos;
    println!("{}", json!({ "name": name, "bytes": body.len(), "gb_per_s": rate, "bar": bar }));
    rate >= bar
}

fn micros(name: &str, events: u32, bytes: usize, bar: f64, call: impl FnMut()) -> bool {
    let micros = measure(100, call) / f64::from(events) / 1000.0;
    println!("{}", json!({ "name": name, "bytes": bytes, "us": micros, "bar": bar }));
    micros <= bar
}

fn answer(text: &str) -> serde_json::Value {
    json!({
        "candidates": [{ "content": { "role": "model", "parts": [{ "text": text }] }, "finishReason": "STOP",
            "safetyRatings": [{ "category": "HARM_CATEGORY_HATE_SPEECH", "probability": "NEGLIGIBLE" }] }],
        "usageMetadata": { "promptTokenCount": 8, "candidatesTokenCount": 388, "totalTokenCount": 2589,
            "trafficType": "ON_DEMAND", "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": 8 }],
            "candidatesTokensDetails": [{ "modality": "TEXT", "tokenCount": 388 }], "thoughtsTokenCount": 2193 },
        "modelVersion": "gemini-2.5-flash", "createTime": "2025-10-10T15:56:46.229905Z",
        "responseId": "vizpaJGEDvXZnvgPisGa2A0",
    })
}

/// A body of as many bytes, the text made of `word`.
fn of_bytes(bytes: usize, word: &str) -> Vec<u8> {
    let empty = answer("").to_string().len();
    let a_word = json!(word).to_string().len() - 2;
    answer(&word.repeat(bytes.saturating_sub(empty) / a_word)).to_string().into_bytes()
}

fn main() -> ExitCode {
    let mut good = gigabytes("a long text", &of_bytes(64 << 20, "word "), 1.0);
    good &= gigabytes(
        "a text of lines",
        &of_bytes(64 << 20, "Twelve words of text, as a model writes them, and then a new line.\n"),
        1.0,
    );
    // No bar: what is no text is rare and short, or a vector.
    gigabytes("a text of escapes", &of_bytes(16 << 20, "\n\""), 0.0);
    let vector: Vec<f64> = (0..768).map(|index| f64::from(index) / -7919.0).collect();
    let predictions = vec![
        json!({ "embeddings": { "values": vector, "statistics": { "token_count": 4 } } });
        250
    ];
    gigabytes("vectors", json!({ "predictions": predictions }).to_string().as_bytes(), 0.0);

    let event = format!("data: {}\r\n\r\n", String::from_utf8(of_bytes(1016, "word ")).unwrap());
    let stream = event.repeat(20);
    good &= micros("an event of 1 KB", 20, event.len(), 1.5, || {
        let mut reader = Reader::new(Framing::EventStream);
        for piece in stream.as_bytes().chunks(event.len()) {
            reader.feed(piece);
        }
        assert_eq!(black_box(reader.usage()).counted, Counted::Exact);
    });
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n";
    let stream = delta.repeat(100);
    good &= micros("a delta of Claude's", 100, delta.len(), 1.5, || {
        let mut reader = Reader::new(Framing::EventStream);
        reader.feed(stream.as_bytes());
        assert_eq!(black_box(reader.usage()).parts, 100);
    });
    let body = of_bytes(4096, "word ");
    good &= micros("an answer of 4 KB, whole", 1, body.len(), 3.0, || {
        assert!(black_box(whole(&body)).is_some());
    });
    let usage = whole(&body).unwrap();
    good &= micros("its fields, written", 1, 0, 1.5, || {
        let mut out = String::with_capacity(512);
        usage.write_fields(&mut out);
        black_box(out);
    });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
