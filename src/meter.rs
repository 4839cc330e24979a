//! Reads the token usage that an answer reports. Gemini, Claude, the OpenAI-compatible endpoint,
//! Interactions, embeddings and Imagen report it in members of different names; these names, not
//! the route, tell which API answers.
//!
//! A body is hostile: a model writes what a caller asks for. So members count only at their own
//! place (`member`), nothing but short texts is buffered, and what cannot be read only lowers the
//! [quality](Usage::counted) of the counts.

mod counts;
mod event;
mod json;
mod log_text;
mod member;
mod names;
mod reader;
mod sse;
mod string;
mod text;
mod traffic_type;
mod usage;
mod usage_builder;

pub use log_text::LogText;
pub use reader::{Framing, Reader, whole};
pub use traffic_type::TrafficType;
pub use usage::{Counted, Usage};
