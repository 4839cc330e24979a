//! The targets that a role allows and, unless its bodies go unread, the contents of bodies.

use crate::policy::{
    AskedTiers, BodyTerms, Client, Missed, ModelBeside, Pattern, Reading, Term, Tier,
};
use crate::test_switches::{Check, on};
use crate::time::UnixTime;

/// A project and a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'p> {
    /// The Google project; `None` for a target of no project.
    pub project: Option<&'p str>,
    /// The location.
    pub location: &'p str,
}

/// A request, as the policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Where it is to be served; `None` if its path does not say, and each role's default stands for
    /// it.
    pub place: Option<Place<'a>>,
    /// Publisher and name of the model; `None` for a target without a model.
    pub model: Option<(&'a str, &'a str)>,
    /// The method.
    pub method: &'a str,
    /// Whether bodies of the method can limit output tokens.
    pub takes_cap: bool,
    /// The tiers that its headers ask for.
    pub tiers: AskedTiers<'a>,
    /// The declared length of the body, in bytes; `None` if undeclared.
    pub size: Option<u64>,
    /// The state of the body.
    pub contents: Reading<'a>,
    /// The client's end of the connection, if known.
    pub client: Option<&'a Client<'a>>,
    /// The time of the request.
    pub wall: UnixTime,
}

/// What a role allows; every list must match.
#[derive(Clone, Debug, PartialEq)]
pub struct May {
    /// Google projects.
    pub projects: Vec<Pattern>,
    /// Locations.
    pub locations: Vec<Pattern>,
    /// Models, as `publisher/model`.
    pub models: Vec<Pattern>,
    /// Methods; a star matches within one class.
    pub methods: Vec<Pattern>,
    /// Tiers of capacity and price.
    pub tiers: Vec<Tier>,
    /// The longest body, in bytes.
    pub max_request_bytes: Option<u64>,
    /// The terms for bodies; `None` if they go unread.
    pub body: Option<BodyTerms>,
}

impl May {
    /// Whether this method is allowed at some target.
    #[must_use]
    pub fn has_method(&self, method: &str) -> bool {
        any(&self.methods, method)
    }

    /// The numeric terms that limit a request, by their names.
    #[must_use]
    pub fn caps(&self) -> Vec<(&'static str, u64)> {
        let tokens = self.body.as_ref().and_then(|terms| terms.max_output_tokens);
        let caps =
            [(Term::MaxOutputTokens, tokens), (Term::MaxRequestBytes, self.max_request_bytes)];
        caps.into_iter().filter_map(|(term, most)| Some((term.name(), most?))).collect()
    }

    pub(super) fn is_for(&self, ask: &Ask<'_>, place: Place<'_>) -> bool {
        self.has_method(ask.method)
            && self.has_location(place.location)
            && place.project.is_none_or(|project| self.has_project(project))
            && self.has_model(ask.model)
    }

    /// Whether it allows something in this location.
    #[must_use]
    pub fn has_location(&self, location: &str) -> bool {
        any(&self.locations, location)
    }

    /// Whether it allows something in this Google project.
    #[must_use]
    pub fn has_project(&self, project: &str) -> bool {
        any(&self.projects, project) || !on(Check::Project)
    }

    pub(super) fn has_model(&self, model: Option<(&str, &str)>) -> bool {
        model.is_none() || self.pattern_of(model).is_some()
    }

    /// The index of the first pattern that matches a model.
    #[must_use]
    pub fn pattern_of(&self, model: Option<(&str, &str)>) -> Option<usize> {
        let (publisher, name) = model?;
        self.models.iter().position(|pattern| pattern.matches_pair(publisher, name))
    }

    /// The first term that a request for this target in `location` misses.
    ///
    /// # Errors
    /// The state of a body that would have to be read.
    pub(super) fn missed<'a>(
        &self,
        ask: &Ask<'a>,
        location: &str,
    ) -> Result<Option<Missed<'a>>, Reading<'a>> {
        let is_asked = |missed: &Missed<'_>| on(Check::Term(missed.term().name()));
        if let Some(tier) = ask.tiers.unlisted(&self.tiers)
            && on(Check::Term(Term::Tiers.name()))
        {
            return Ok(Some(Missed::Unlisted(Term::Tiers, tier)));
        }
        let is_unknown_yet = ask.size.is_none() && matches!(ask.contents, Reading::Passing);
        if let Some(most) = self.max_request_bytes
            && ask.size.is_none_or(|size| size > most)
            && !is_unknown_yet
        {
            let beyond = Missed::Beyond { term: Term::MaxRequestBytes, asked: ask.size, most };
            return Ok(Some(beyond).filter(is_asked));
        }
        let Some(terms) = &self.body else {
            return Ok(None);
        };
        match ask.contents {
            Reading::Done(contents) => {
                let belongs = |name: &str| self.is_home_of(name, location);
                let has_model =
                    |model: &ModelBeside<'_>| self.has_model(Some((model.publisher, model.name)));
                Ok(terms.missed(contents, ask.takes_cap, has_model, belongs).filter(is_asked))
            }
            Reading::Passing => Ok(None),
            unread @ (Reading::Later | Reading::Never) => Err(unread),
        }
    }

    /// Whether a fully named resource is of these projects and this location, or of a service without
    /// such locations.
    fn is_home_of(&self, name: &str, location: &str) -> bool {
        let mut parts = name.trim_start_matches('/').split('/');
        if parts.next() != Some("projects") {
            return !name.contains("projects/");
        }
        let project = parts.next().unwrap_or_default();
        let is_here = match (parts.next(), parts.next(), parts.next()) {
            // Vertex AI Search has no regions.
            (Some("locations"), Some("global" | "eu" | "us"), Some("collections")) => true,
            (Some("locations"), Some(own), _) => own == location,
            (Some("secrets" | "notificationChannels"), ..) => true,
            _ => false,
        };
        is_here && any(&self.projects, project)
    }
}

fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}
