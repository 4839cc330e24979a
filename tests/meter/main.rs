//! The meter: what answers say of their tokens, in every dialect and framing, whole and in pieces.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod dialects;
mod hostile;
mod pieces;
mod samples;
mod streams;

use haproxy_vertex::meter::{Framing, Reader, Usage};

/// Reads a body at once.
fn read(framing: Framing, body: &[u8]) -> Usage {
    let mut reader = Reader::new(framing);
    reader.feed(body);
    reader.usage()
}

fn json(body: &str) -> Usage {
    read(Framing::Json, body.as_bytes())
}

fn events(body: &str) -> Usage {
    read(Framing::EventStream, body.as_bytes())
}

/// The counts in one line: input, output, thought, tool use, total, cached, cache write, images.
fn counts(usage: &Usage) -> String {
    let all = [
        ("in", usage.input),
        ("out", usage.output),
        ("thought", usage.thought),
        ("tool", usage.tool_use),
        ("total", usage.total),
        ("cached", usage.cached),
        ("write", usage.cache_write),
        ("images", usage.images),
    ];
    let known = all.iter().filter_map(|(name, count)| count.map(|count| format!("{name} {count}")));
    let line = known.collect::<Vec<_>>().join(" ");
    format!("{} {line}", usage.counted.name()).trim_end().to_owned()
}

/// The texts in one line: finish, block, error.
fn texts(usage: &Usage) -> String {
    let all = [("finish", &usage.finish), ("block", &usage.block), ("error", &usage.error)];
    let known = all
        .iter()
        .filter_map(|(name, text)| text.as_ref().map(|text| format!("{name} {}", text.as_str())));
    known.collect::<Vec<_>>().join(" ")
}

fn id(usage: &Usage) -> &str {
    usage.response_id.as_ref().map_or("-", |id| id.as_str())
}

fn model(usage: &Usage) -> &str {
    usage.model_version.as_ref().map_or("-", |model| model.as_str())
}
