//! The tools, files, state and limits that a body asks for, and the terms on which a role grants
//! them: nothing that is not listed.

use std::fmt;

use crate::json::fold_name;
use crate::policy::{Pattern, UriPrefix};

/// The contents of a body that terms apply to; empty without a body.
#[derive(Clone, Debug, Default)]
pub struct Contents<'b> {
    /// Models that work beside the one that answers.
    pub models: Vec<ModelBeside<'b>>,
    /// Tools that are not functions of the caller's own.
    pub tools: &'b [String],
    /// Files that Google is to read.
    pub file_uris: &'b [String],
    /// Stored state.
    pub stored_state: &'b [String],
    /// Versions of secrets.
    pub secrets: &'b [String],
    /// Places that Google is to write to.
    pub output_uris: &'b [String],
    /// Templates of Model Armor in place of the project's own.
    pub model_armor_templates: &'b [String],
    /// The limit on output tokens that the body sets.
    pub max_output_tokens: Option<u64>,
}

/// A model that works beside the one that answers, as it was read and as the body writes it.
#[derive(Clone, Copy, Debug)]
pub struct ModelBeside<'b> {
    /// The publisher.
    pub publisher: &'b str,
    /// The name.
    pub name: &'b str,
    /// The body's text.
    pub written: &'b str,
}

/// The state of a body: read, readable on demand or as it passes, or unreadable.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'b> {
    /// It can be read on demand.
    Later,
    /// It is read as it passes: its contents are asked about at its end.
    Passing,
    /// It cannot be read.
    Never,
    /// It was read.
    Done(&'b Contents<'b>),
}

/// The terms of a role that reads bodies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BodyTerms {
    /// Tools, by [`Pattern::of_tool`].
    pub tools: Vec<Pattern>,
    /// Files that Google may be told to read.
    pub file_uris: Vec<UriPrefix>,
    /// Stored state that may be named.
    pub stored_state: Vec<Pattern>,
    /// Versions of secrets that Google may be told to use.
    pub secrets: Vec<Pattern>,
    /// Places that Google may be told to write to.
    pub output_uris: Vec<UriPrefix>,
    /// Templates of Model Armor.
    pub model_armor_templates: Vec<Pattern>,
    /// A body must set a limit on output tokens, and not a higher one.
    pub max_output_tokens: Option<u64>,
}

/// A term of `may` that a request can miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// `models`, for those beside the one that answers
    Models,
    /// `tools`
    Tools,
    /// `file_uris`
    FileUris,
    /// `stored_state`
    StoredState,
    /// `secrets`
    Secrets,
    /// `output_uris`
    OutputUris,
    /// `model_armor_templates`
    ModelArmorTemplates,
    /// `max_output_tokens`
    MaxOutputTokens,
    /// `max_request_bytes`
    MaxRequestBytes,
    /// `tiers`
    Tiers,
}

impl Term {
    /// Every term.
    pub const ALL: [Self; 10] = [
        Self::Models,
        Self::Tools,
        Self::FileUris,
        Self::StoredState,
        Self::Secrets,
        Self::OutputUris,
        Self::ModelArmorTemplates,
        Self::MaxOutputTokens,
        Self::MaxRequestBytes,
        Self::Tiers,
    ];

    /// The member of `may`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Tools => "tools",
            Self::FileUris => "file_uris",
            Self::StoredState => "stored_state",
            Self::Secrets => "secrets",
            Self::OutputUris => "output_uris",
            Self::ModelArmorTemplates => "model_armor_templates",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::MaxRequestBytes => "max_request_bytes",
            Self::Tiers => "tiers",
        }
    }
}

/// A missed term, and what misses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed<'b> {
    /// A name, an address or a tier that is not listed.
    Unlisted(Term, &'b str),
    /// More than `most`; `asked` is `None` if the body sets no limit.
    Beyond {
        /// The limit.
        term: Term,
        /// The amount that is asked for.
        asked: Option<u64>,
        /// The amount that is allowed.
        most: u64,
    },
}

impl Missed<'_> {
    /// The term.
    #[must_use]
    pub const fn term(&self) -> Term {
        match self {
            Self::Unlisted(term, _) | Self::Beyond { term, .. } => *term,
        }
    }
}

/// The message for people who write roles and bodies; a name or an address is the caller's own
/// text.
impl fmt::Display for Missed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.term().name())?;
        match self {
            Self::Unlisted(Term::FileUris | Term::OutputUris, uri) => {
                let (scheme, place) = shown(uri);
                write!(f, "{scheme}{place}")
            }
            Self::Unlisted(_, text) => f.write_str(text),
            Self::Beyond { asked: Some(asked), most, .. } => {
                write!(f, "{asked}, at most {most} is allowed")
            }
            Self::Beyond { asked: None, most, .. } => {
                write!(f, "not set, at most {most} is allowed")
            }
        }
    }
}

/// Scheme and place of a URI, without what may be a password or a signature.
fn shown(uri: &str) -> (&str, &str) {
    let (scheme, rest) = uri.split_at(uri.find("://").map_or(0, |at| at.saturating_add(3)));
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    let host_ends = place.find('/').unwrap_or(place.len());
    let user_ends = place.get(..host_ends).and_then(|host| host.rfind('@'));
    let host = user_ends.map_or(0, |at| at.saturating_add(1));
    (scheme, place.get(host..).unwrap_or_default())
}

impl BodyTerms {
    /// The first term that `contents` misses. `takes_cap`: the method generates tokens, so that a
    /// limit must be set; `has_model` and `belongs` tell whether the role is for a model, and for the
    /// project and location of what is stored.
    pub(super) fn missed<'b>(
        &self,
        contents: &Contents<'b>,
        takes_cap: bool,
        has_model: impl Fn(&ModelBeside<'b>) -> bool,
        belongs: impl Fn(&str) -> bool,
    ) -> Option<Missed<'b>> {
        let any = |patterns: &[Pattern], text: &str| patterns.iter().any(|own| own.matches(text));
        let within =
            |prefixes: &[UriPrefix], uri: &str| prefixes.iter().any(|own| own.matches(uri));
        let (stored, armor) = (&self.stored_state, &self.model_armor_templates);
        let other = contents.models.iter().find(|model| !has_model(model));
        other
            .map(|model| Missed::Unlisted(Term::Models, model.written))
            .or_else(|| {
                unlisted(Term::Tools, contents.tools, |tool| any(&self.tools, &fold_name(tool)))
            })
            .or_else(|| {
                unlisted(Term::FileUris, contents.file_uris, |uri| within(&self.file_uris, uri))
            })
            .or_else(|| {
                unlisted(Term::StoredState, contents.stored_state, |name| {
                    any(stored, name) && belongs(name)
                })
            })
            .or_else(|| {
                unlisted(Term::Secrets, contents.secrets, |name| {
                    any(&self.secrets, name) && belongs(name)
                })
            })
            .or_else(|| {
                unlisted(Term::OutputUris, contents.output_uris, |uri| {
                    within(&self.output_uris, uri)
                })
            })
            .or_else(|| {
                let templates = contents.model_armor_templates;
                unlisted(Term::ModelArmorTemplates, templates, |name| any(armor, name))
            })
            .or_else(|| {
                let (most, asked) = (self.max_output_tokens?, contents.max_output_tokens);
                let fits = asked.map_or(!takes_cap, |tokens| tokens <= most);
                (!fits).then_some(Missed::Beyond { term: Term::MaxOutputTokens, asked, most })
            })
    }
}

/// The first of `texts` that is not listed.
fn unlisted<'b>(
    term: Term,
    texts: &'b [String],
    is_listed: impl Fn(&str) -> bool,
) -> Option<Missed<'b>> {
    texts.iter().find(|text| !is_listed(text)).map(|text| Missed::Unlisted(term, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_by_its_host_and_path_alone() {
        for (uri, told) in [
            ("gs://acme/in/a.pdf", "gs://acme/in/a.pdf"),
            ("https://h.example/a/b?X-Goog-Signature=s3cret", "https://h.example/a/b"),
            ("https://h.example/a#s3cret", "https://h.example/a"),
            ("https://me:s3cret@h.example/a@b", "https://h.example/a@b"),
            ("https://me:s3cret@h.example", "https://h.example"),
            ("h.example/a?s3cret", "h.example/a"),
            ("", ""),
        ] {
            for term in [Term::FileUris, Term::OutputUris] {
                let missed = Missed::Unlisted(term, uri).to_string();
                assert_eq!(missed, format!("{}: {told}", term.name()));
            }
        }
        let tool = Missed::Unlisted(Term::Tools, "a://b@c?d");
        assert_eq!(tool.to_string(), "tools: a://b@c?d");
    }
}
