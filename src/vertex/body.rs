//! What a body says that a role has to know: read once, front to back, as strict JSON (RFC 8259,
//! and no member name twice). Nothing of the text is kept but names, addresses and limits.
//!
//! Names are read in both spellings that Google's servers take, `fileUri` and `file_uri`
//! (ProtoJSON, protobuf.dev/programming-guides/json).

mod limit;
mod place;
mod scan;

use crate::error::Reason;
use crate::switch::{Check, on};
use crate::vertex::Route;
pub use limit::LimitPlace;
pub(super) use limit::heeded;
pub use place::fold_name;

use place::Place;

/// What a body asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// `model`.
    pub model: Option<String>,
    /// `model` of each request in a batch, and what `routingConfig` chooses.
    pub batched_models: Vec<String>,
    /// `baseModel`, of a tuning job.
    pub base_model: Option<String>,
    /// `operationName`.
    pub operation_name: Option<String>,
    /// Tools that are not functions of the caller's own, by their names or types, folded.
    pub tools: Vec<String>,
    /// What Google is to read: every address but data URLs.
    pub file_uris: Vec<String>,
    /// Stored state that the body names: `cachedContent`, a file, a former response, a session.
    pub stored_state: Vec<String>,
    /// Where Google is to write.
    pub output_uris: Vec<String>,
    /// Templates of Model Armor that replace the project's own.
    pub model_armor_templates: Vec<String>,
    /// Limits on output tokens, wherever they stand.
    pub limits: Vec<(LimitPlace, u64)>,
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// `body_not_json`.
    pub fn scan(bytes: &[u8]) -> Result<Self, Reason> {
        let mut body = Self::default();
        match scan::scan(bytes, &mut body) {
            Err(_) if on(Check::StrictJson) => Err(Reason::BodyNotJson),
            _ => Ok(body),
        }
    }

    /// Takes a text that stands where it acts.
    fn text(&mut self, place: Place, text: &str) {
        let owned = || text.to_owned();
        match place {
            Place::Model => self.model = Some(owned()),
            Place::BatchedModel => self.batched_models.push(owned()),
            Place::BaseModel => self.base_model = Some(owned()),
            Place::OperationName => self.operation_name = Some(owned()),
            Place::ReadUri if text.starts_with("data:") => {}
            Place::ReadUri => self.file_uris.push(owned()),
            Place::WriteUri => self.output_uris.push(owned()),
            Place::StoredState => self.stored_state.push(owned()),
            // The others are names of Google's own, like `Kore`.
            Place::Voice if text.starts_with("voice") => self.stored_state.push(owned()),
            // No model is called so: none in a path is meant by it.
            Place::AnyModel => self.batched_models.push("*".to_owned()),
            Place::ModelArmor => self.model_armor_templates.push(owned()),
            Place::OutputLimit(at) => self.limit(at, text.parse().ok()),
            Place::Tool => self.tools.push(fold_name(text)),
            _ => {}
        }
    }

    /// Takes a limit on output tokens. What is no number that can be read limits nothing, nor does
    /// zero, which some take for none.
    fn limit(&mut self, at: LimitPlace, tokens: Option<u64>) {
        self.limits.push((at, tokens.filter(|tokens| *tokens > 0).unwrap_or(u64::MAX)));
    }

    /// The largest limit on output tokens, if the one that this route heeds is there.
    #[must_use]
    pub fn max_output_tokens(&self, route: &Route) -> Option<u64> {
        let heeded = heeded(&route.method);
        let is_heeded = heeded.is_empty() || self.limits.iter().any(|(at, _)| heeded.contains(at));
        self.limits.iter().map(|(_, tokens)| *tokens).max().filter(|_| is_heeded)
    }
}
