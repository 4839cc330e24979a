//! What a body says that a role has to know: read once, front to back, as strict JSON (RFC 8259,
//! and no member name twice). Nothing of the text is kept but names, addresses and limits.
//!
//! Names are read in both spellings that Google's servers take, `fileUri` and `file_uri`
//! (ProtoJSON, protobuf.dev/programming-guides/json).

mod place;
mod scan;

use crate::error::Reason;
use crate::switch::{Check, on};
pub use place::fold_name;

use place::Place;

/// What a body asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// `model`.
    pub model: Option<String>,
    /// `model` of each request in a batch.
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
    /// The largest number of output tokens that the body sets as a limit.
    pub max_output_tokens: Option<u64>,
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
            Place::ModelArmor => self.model_armor_templates.push(owned()),
            Place::OutputLimit => self.limit(text.parse().ok()),
            Place::Tool => self.tools.push(fold_name(text)),
            _ => {}
        }
    }

    /// Takes a limit on output tokens; what is no number that can be read is none at all.
    fn limit(&mut self, tokens: Option<u64>) {
        let tokens = tokens.unwrap_or(u64::MAX);
        self.max_output_tokens = Some(self.max_output_tokens.map_or(tokens, |was| was.max(tokens)));
    }
}
