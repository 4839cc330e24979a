//! What a role allows: a target, and, unless its bodies go unread, what a body asks for.

use crate::policy::{BodyTerms, Client, Missed, Pattern, Reading, Term};
use crate::test_switches::{Check, on};
use crate::time::UnixTime;

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The Google project; none for what belongs to no project.
    pub project: Option<&'a str>,
    /// The location.
    pub location: &'a str,
    /// Publisher and name of the model; none for what is for no model.
    pub model: Option<(&'a str, &'a str)>,
    /// The method.
    pub method: &'a str,
    /// Whether the method answers with tokens that a body can limit.
    pub takes_cap: bool,
    /// The declared length of the body, in bytes; none where nobody says.
    pub size: Option<u64>,
    /// What is known of the body.
    pub contents: Reading<'a>,
    /// The other end of the connection, where it is known.
    pub client: Option<&'a Client<'a>>,
    /// When.
    pub wall: UnixTime,
}

/// What a role allows; each list must match.
#[derive(Clone, Debug, PartialEq)]
pub struct May {
    /// Google projects.
    pub projects: Vec<Pattern>,
    /// Locations.
    pub locations: Vec<Pattern>,
    /// Models, as `publisher/model`.
    pub models: Vec<Pattern>,
    /// Methods; a star stays within its class.
    pub methods: Vec<Pattern>,
    /// The longest body.
    pub max_request_bytes: Option<u64>,
    /// The terms for bodies; none where they go unread.
    pub body: Option<BodyTerms>,
}

impl May {
    /// Whether this method is allowed somewhere.
    #[must_use]
    pub fn has_method(&self, method: &str) -> bool {
        any(&self.methods, method)
    }

    /// What caps a request: the terms that are numbers, by their names.
    #[must_use]
    pub fn caps(&self) -> Vec<(&'static str, u64)> {
        let tokens = self.body.as_ref().and_then(|terms| terms.max_output_tokens);
        let caps =
            [(Term::MaxOutputTokens, tokens), (Term::MaxRequestBytes, self.max_request_bytes)];
        caps.into_iter().filter_map(|(term, most)| Some((term.name(), most?))).collect()
    }

    pub(super) fn is_for(&self, ask: &Ask<'_>) -> bool {
        self.has_method(ask.method)
            && self.has_location(ask.location)
            && self.has_project(ask.project)
            && self.has_model(ask.model)
    }

    pub(super) fn has_location(&self, location: &str) -> bool {
        any(&self.locations, location)
    }

    pub(super) fn has_project(&self, project: Option<&str>) -> bool {
        project.is_none_or(|project| any(&self.projects, project) || !on(Check::Project))
    }

    pub(super) fn has_model(&self, model: Option<(&str, &str)>) -> bool {
        model.is_none() || self.pattern_of(model).is_some()
    }

    /// The place of the first pattern that matches a model.
    #[must_use]
    pub fn pattern_of(&self, model: Option<(&str, &str)>) -> Option<usize> {
        let (publisher, name) = model?;
        self.models.iter().position(|pattern| pattern.matches_pair(publisher, name))
    }

    /// What a request for this target fails first.
    ///
    /// # Errors
    /// What is known of a body that would have to be read.
    pub(super) fn missed<'a>(&self, ask: &Ask<'a>) -> Result<Option<Missed<'a>>, Reading<'a>> {
        let is_asked = |missed: &Missed<'_>| on(Check::Term(missed.term().name()));
        if let Some(most) = self.max_request_bytes
            && ask.size.is_none_or(|size| size > most)
        {
            let beyond = Missed::Beyond { term: Term::MaxRequestBytes, asked: ask.size, most };
            return Ok(Some(beyond).filter(is_asked));
        }
        let Some(terms) = &self.body else {
            return Ok(None);
        };
        match ask.contents {
            Reading::Done(contents) => {
                let belongs = |name: &str| self.is_home_of(name, ask.location);
                Ok(terms.missed(contents, ask.takes_cap, belongs).filter(is_asked))
            }
            unread => Err(unread),
        }
    }

    /// Whether a resource that is named in full is of these projects and this location.
    fn is_home_of(&self, name: &str, location: &str) -> bool {
        let mut parts = name.trim_start_matches('/').split('/');
        if parts.next() != Some("projects") {
            return !name.contains("projects/");
        }
        let project = parts.next().unwrap_or_default();
        any(&self.projects, project)
            && parts.next() == Some("locations")
            && parts.next() == Some(location)
    }
}

fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}
