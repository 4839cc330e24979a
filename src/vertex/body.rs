//! Reads the parts of a body that roles depend on: once, front to back, in pieces of any size, as
//! strict JSON (RFC 8259, no member name twice). Only names, addresses and limits are kept, within
//! bounds. `scanner` is where pieces come in, `syntax` makes events of them, `walk` gives each its
//! meaning, `kept` holds what is found.
//!
//! Names are read in both spellings that Google's servers take, `fileUri` and `file_uri`
//! (ProtoJSON, protobuf.dev/programming-guides/json); in any other spelling they can only forbid.

mod address;
mod cap;
mod field;
mod kept;
mod meaning;
mod media;
mod member;
mod name;
mod names;
mod number;
mod scanner;
mod syntax;
mod text;
mod walk;

use crate::error::Reason;
use crate::vertex::Route;
pub use cap::CapMember;
pub use media::Media;
pub(super) use member::member_of_root;
pub use scanner::BodyScanner;

/// The parts of a body that roles depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// `model`.
    pub model: Option<String>,
    /// Other models that may answer: of each request in a batch, of `routingConfig`, `fallbacks`
    /// or a tool.
    pub other_models: Vec<String>,
    /// Models that work beside the one that answers: they rank, judge or teach.
    pub models_beside: Vec<String>,
    /// Whether Google may choose the model.
    pub any_model: bool,
    /// `baseModel`, of a tuning job.
    pub base_model: Option<String>,
    /// `operationName`.
    pub operation_name: Option<String>,
    /// Tools that are not functions of the caller's own, by their names or types.
    pub tools: Vec<String>,
    /// Addresses that Google is to read, except data URLs.
    pub file_uris: Vec<String>,
    /// Stored state that the body names: `cachedContent`, a file, a former response, a session.
    pub stored_state: Vec<String>,
    /// Versions of secrets in Secret Manager.
    pub secrets: Vec<String>,
    /// Addresses that Google is to write to.
    pub output_uris: Vec<String>,
    /// Templates of Model Armor that replace the project's own.
    pub model_armor_templates: Vec<String>,
    /// Limits on output tokens, wherever they stand.
    pub limits: Vec<(CapMember, u64)>,
    /// Number of answers asked for, each with as many tokens; 1 if the body does not say.
    pub answers: Option<u64>,
    /// Whether the body asks for a streamed answer.
    pub is_streamed: bool,
    /// Images, sounds and the like, in base64.
    pub media: Media,
}

impl Body {
    /// Reads a body that came whole.
    ///
    /// # Errors
    /// `body_not_json`, `body_too_complex`.
    pub fn scan(bytes: &[u8]) -> Result<Self, Reason> {
        let mut scanner = BodyScanner::new();
        scanner.push(bytes)?;
        scanner.finish()
    }

    /// The largest limit on output tokens, of all answers together, if the body sets the one that
    /// this route honours.
    #[must_use]
    pub fn max_output_tokens(&self, route: &Route) -> Option<u64> {
        let caps = &route.caps;
        let is_heeded = caps.is_empty() || self.limits.iter().any(|(at, _)| caps.contains(at));
        let most = self.limits.iter().map(|(_, tokens)| *tokens).max().filter(|_| is_heeded)?;
        Some(most.saturating_mul(self.answers.unwrap_or(1)))
    }
}
