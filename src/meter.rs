//! What an answer says of its tokens. Gemini, Claude, the OpenAI-compatible endpoint, Interactions,
//! embeddings and Imagen each say it in their own members; which of them speaks is told by the
//! names of the members, not by the route.
//!
//! A body is hostile: a model writes what a caller asks for. So members count at their own place
//! alone (`place`), nothing is buffered but short texts, and what cannot be read lowers the
//! [quality](Usage::counted) of the counts and nothing else.

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
mod usage;
mod usage_builder;

pub use log_text::LogText;
pub use reader::{Framing, Reader, whole};
pub use usage::{Counted, Usage};
