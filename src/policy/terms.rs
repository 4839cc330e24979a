//! What a body asks for beyond an answer, and the terms on which a role grants it: nothing that
//! is not listed.

use crate::policy::{Pattern, UriPrefix};

/// What a body asks for. Without a body, nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents<'b> {
    /// Tools that are not functions of the caller's own, in lower case without `_`.
    pub tools: &'b [String],
    /// What Google is to read.
    pub file_uris: &'b [String],
    /// Stored state.
    pub stored_state: &'b [String],
    /// Where Google is to write.
    pub output_uris: &'b [String],
    /// Templates of Model Armor in place of the project's own.
    pub model_armor_templates: &'b [String],
    /// The limit on output tokens that it sets.
    pub max_output_tokens: Option<u64>,
}

/// What is known of a body.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'b> {
    /// It can be read if need be.
    Later,
    /// It cannot be read.
    Never,
    /// It says this.
    Done(&'b Contents<'b>),
}

/// The terms of a role that reads bodies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BodyTerms {
    /// Tools, in lower case without `_`.
    pub tools: Vec<Pattern>,
    /// What Google may be told to read.
    pub file_uris: Vec<UriPrefix>,
    /// Stored state that may be named.
    pub stored_state: Vec<Pattern>,
    /// Where Google may be told to write.
    pub output_uris: Vec<UriPrefix>,
    /// Templates of Model Armor.
    pub model_armor_templates: Vec<Pattern>,
    /// A body must set a limit on output tokens, and not a higher one.
    pub max_output_tokens: Option<u64>,
}

/// A term that a request may fail: a member of `may`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// `tools`
    Tools,
    /// `file_uris`
    FileUris,
    /// `stored_state`
    StoredState,
    /// `output_uris`
    OutputUris,
    /// `model_armor_templates`
    ModelArmorTemplates,
    /// `max_output_tokens`
    MaxOutputTokens,
    /// `max_request_bytes`
    MaxRequestBytes,
}

impl Term {
    /// Every term.
    pub const ALL: [Self; 7] = [
        Self::Tools,
        Self::FileUris,
        Self::StoredState,
        Self::OutputUris,
        Self::ModelArmorTemplates,
        Self::MaxOutputTokens,
        Self::MaxRequestBytes,
    ];

    /// The member of `may`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::FileUris => "file_uris",
            Self::StoredState => "stored_state",
            Self::OutputUris => "output_uris",
            Self::ModelArmorTemplates => "model_armor_templates",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::MaxRequestBytes => "max_request_bytes",
        }
    }
}

impl BodyTerms {
    /// The first term that `contents` fails. `generates` is whether the method answers with
    /// tokens, so that a limit must be set; `belongs` whether stored state is of a project and
    /// location that the role is for.
    pub(super) fn missing(
        &self,
        contents: &Contents<'_>,
        generates: bool,
        belongs: impl Fn(&str) -> bool,
    ) -> Option<Term> {
        let listed = |patterns: &[Pattern], texts: &[String]| {
            texts.iter().all(|text| patterns.iter().any(|pattern| pattern.matches(text)))
        };
        let within = |prefixes: &[UriPrefix], uris: &[String]| {
            uris.iter().all(|uri| prefixes.iter().any(|prefix| prefix.matches(uri)))
        };
        let limited = |limit: u64| match contents.max_output_tokens {
            Some(tokens) => tokens <= limit,
            None => !generates,
        };
        let state = contents.stored_state;
        if !listed(&self.tools, contents.tools) {
            Some(Term::Tools)
        } else if !within(&self.file_uris, contents.file_uris) {
            Some(Term::FileUris)
        } else if !listed(&self.stored_state, state) || !state.iter().all(|name| belongs(name)) {
            Some(Term::StoredState)
        } else if !within(&self.output_uris, contents.output_uris) {
            Some(Term::OutputUris)
        } else if !listed(&self.model_armor_templates, contents.model_armor_templates) {
            Some(Term::ModelArmorTemplates)
        } else if !self.max_output_tokens.is_none_or(limited) {
            Some(Term::MaxOutputTokens)
        } else {
            None
        }
    }
}
