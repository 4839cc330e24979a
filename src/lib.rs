//! HAProxy as the identity-aware front door of Google Vertex AI.
//!
//! This crate contains no networking code and reads no clock: HAProxy's Lua passes requests,
//! answers and the time in, and carries out the decisions. The layers, each using only those to
//! its right:
//!
//! `lua`, `ffi`, `cli` → `gateway` → `oidc`, `policy`, `vertex`, `google`, `limits`, `meter`, `watch` → `log_value` → `jose`, `fetch` → `json`, `error`, `time`, `metrics`, `keyed_hash`, `test_switches`
//!
//! `config` builds what each layer wants from one file; `host` reads clocks, environment and files
//! for those at the left. mlua stays in `lua`, unsafe code in `ffi` and `lua/raw.rs`,
//! ring in `jose`; a test holds these.

#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod error;
pub mod fetch;
#[allow(unsafe_code)]
pub mod ffi;
pub mod gateway;
pub mod google;
pub mod haproxy;
#[allow(dead_code, reason = "each face uses a part of it")]
mod host;
pub mod jose;
pub mod json;
mod keyed_hash;
pub mod limits;
#[cfg(any(feature = "lua53", feature = "lua54"))]
mod log_queue;
pub mod log_value;
#[cfg(any(feature = "lua53", feature = "lua54"))]
mod lua;
pub mod meter;
pub mod metrics;
pub mod oidc;
pub mod policy;
mod test_switches;
pub mod time;
pub mod vertex;
pub mod watch;
