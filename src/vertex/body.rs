//! Reads the parts of a body that roles depend on: once, front to back, as strict JSON (RFC 8259,
//! no member name twice). Only names, addresses and limits are kept.
//!
//! Names are read in both spellings that Google's servers take, `fileUri` and `file_uri`
//! (ProtoJSON, protobuf.dev/programming-guides/json); in any other spelling they can only forbid.

mod cap;
mod field;
mod media;
mod name;
mod scan;

use crate::error::Reason;
use crate::test_switches::{Check, on};
use crate::vertex::Route;
pub use cap::CapMember;
pub use media::Media;

use field::Field;

/// The parts of a body that roles depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// `model`.
    pub model: Option<String>,
    /// Other models that may answer: of each request in a batch, of `routingConfig`, `fallbacks`
    /// or a tool.
    pub other_models: Vec<String>,
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

    /// Takes a text at a place where it has an effect.
    fn text(&mut self, place: Field, text: &str) {
        let owned = || text.to_owned();
        match place {
            Field::Model => self.model = Some(owned()),
            Field::OtherModel => self.other_models.push(owned()),
            Field::BaseModel => self.base_model = Some(owned()),
            Field::OperationName => self.operation_name = Some(owned()),
            Field::ReadUri | Field::DataOrUri if is_data_url(text) => self.media.add_url(text),
            Field::DataOrUri | Field::Plain if !is_address(text) => {}
            Field::ReadUri | Field::DataOrUri | Field::Plain => self.file_uris.push(owned()),
            Field::WriteUri => self.output_uris.push(owned()),
            Field::StoredState | Field::Environment => self.stored_state.push(owned()),
            // The others are names of Google's own, like `Kore`.
            Field::Voice if text.starts_with("voice") => self.stored_state.push(owned()),
            Field::AnyModel | Field::Fallbacks => self.any_model = true,
            Field::Answers => self.answer_count(text.parse().ok()),
            Field::ModelArmor => self.model_armor_templates.push(owned()),
            Field::OutputLimit(at) => self.limit(at, text.parse().ok()),
            Field::Tool => self.tools.push(owned()),
            _ => {}
        }
    }

    /// Takes a limit on output tokens. An unreadable number limits nothing, nor does zero, which
    /// some APIs read as no limit.
    fn limit(&mut self, at: CapMember, tokens: Option<u64>) {
        self.limits.push((at, tokens.filter(|tokens| *tokens > 0).unwrap_or(u64::MAX)));
    }

    /// Takes the number of answers; an unreadable one may be any.
    fn answer_count(&mut self, count: Option<u64>) {
        let count = count.unwrap_or(u64::MAX).max(1);
        self.answers = Some(self.answers.unwrap_or(1).saturating_mul(count));
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

/// Whether a text is a data URL (RFC 2397); the scheme is case-insensitive.
fn is_data_url(text: &str) -> bool {
    text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

/// Whether a text is nothing but an address: a scheme (RFC 3986 section 3.1), `://`, no blank.
fn is_address(text: &str) -> bool {
    let mark = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-');
    text.split_once("://").is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && scheme.bytes().all(mark) && !rest.contains(char::is_whitespace)
    })
}
