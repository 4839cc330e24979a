//! How the Google side answers, as the control API sets it.

use serde::{Deserialize, Serialize};

/// How to answer; set as a whole through the control API.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    pub status: u16,
    pub delay_ms: u64,
    pub chunks: usize,
    pub interval_ms: u64,
    pub gate: bool,
    pub hangup_after_chunks: Option<usize>,
    pub mid_stream_error: bool,
    pub record: bool,
    /// Instead of the answer that the request deserves.
    pub canned: Option<Canned>,
}

/// An answer as the test writes it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Canned {
    /// Empty: none is sent.
    pub content_type: String,
    /// Each goes out as a chunk of its own, `interval_ms` after the former.
    pub pieces: Vec<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            status: 200,
            delay_ms: 0,
            chunks: 5,
            interval_ms: 100,
            gate: false,
            hangup_after_chunks: None,
            mid_stream_error: false,
            record: true,
            canned: None,
        }
    }
}
