//! The names of a model, and the spellings that clients write into bodies.

use crate::error::{Reason, Refusal};
use crate::test_switches::{Check, on};
use crate::vertex::route::Variable;
use crate::vertex::{Api, Body, MAX_NAME_BYTES, ModelPlace, Target};

/// The publisher of names without one: Google's own models.
const DEFAULT_PUBLISHER: &str = "google";

/// A publisher's model, or a project's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Model<'m> {
    /// The publisher; `endpoints` or `models` for a project's own.
    pub publisher: &'m str,
    /// The name.
    pub name: &'m str,
}

/// A name in a body that does not fit the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misnamed<'b> {
    /// `model_missing` or `model_mismatch`.
    pub reason: Reason,
    /// The member, or what it says.
    pub member: &'static str,
    /// Its text; `None` if there is none.
    pub text: Option<&'b str>,
}

impl From<Misnamed<'_>> for Refusal {
    fn from(Misnamed { reason, member, text }: Misnamed<'_>) -> Self {
        match text {
            Some(text) => Self::detailed(reason, &format!("{member}: {text}")),
            None => Self::detailed(reason, member),
        }
    }
}

/// A model as `publisher/name`, without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct ModelText {
    bytes: [u8; 2 * MAX_NAME_BYTES + 1],
    len: usize,
}

impl ModelText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl<'m> Model<'m> {
    /// A deployed or tuned model.
    #[must_use]
    pub const fn endpoint(name: &'m str) -> Self {
        Self { publisher: "endpoints", name }
    }

    /// `publisher/name`.
    #[must_use]
    pub fn text(self) -> ModelText {
        let mut text = ModelText { bytes: [0; 2 * MAX_NAME_BYTES + 1], len: 0 };
        for part in [self.publisher, "/", self.name] {
            let end = text.len.saturating_add(part.len());
            if let Some(room) = text.bytes.get_mut(text.len..end) {
                room.copy_from_slice(part.as_bytes());
                text.len = end;
            }
        }
        text
    }

    /// Reads a name in a body: `google/gemini-2.5-flash`, `gemini-2.5-flash`, or a resource's name
    /// in whole or from `publishers`, `endpoints` or `models` on.
    fn parse(text: &'m str, target: &Target<'m>) -> Result<Self, Reason> {
        let mut parts: Vec<&str> = text.splitn(9, '/').collect();
        if let ["projects", project, "locations", location, ..] = *parts.as_slice() {
            let is_own = Some(project) == target.project && location == target.location;
            if on(Check::BodyModel) && !is_own {
                return Err(Reason::ModelMismatch);
            }
            parts.drain(..4);
        }
        let model = match *parts.as_slice() {
            [name] => Self { publisher: target.publisher().unwrap_or(DEFAULT_PUBLISHER), name },
            [publisher, name] => Self { publisher, name },
            ["publishers", "endpoints" | "models", ..] => return Err(Reason::ModelMissing),
            ["publishers", publisher, "models", name] => Self { publisher, name },
            _ => return Err(Reason::ModelMissing),
        };
        let fits = Variable::Publisher.fits(model.publisher) && Variable::Model.fits(model.name);
        fits.then_some(model).ok_or(Reason::ModelMissing)
    }
}

impl<'u> Target<'u> {
    /// Whether only the body names the request's model.
    #[must_use]
    pub const fn names_model_in_body(&self) -> bool {
        self.model_member().is_some()
    }

    /// The member of the body that names the model.
    const fn model_member(&self) -> Option<&'static str> {
        match (self.route.model, self.api) {
            (ModelPlace::Body(member), _) => Some(member),
            (ModelPlace::Path, Api::Claude) => Some("model"),
            (ModelPlace::Path | ModelPlace::None, _) => None,
        }
    }

    /// The target for the model in this member of the body.
    fn asking(mut self, member: &'static str, text: Option<&'u str>) -> Result<Self, Misnamed<'u>> {
        let model = self.named(member, text)?;
        if self.publisher().is_some_and(|publisher| publisher != model.publisher) {
            return Err(Misnamed { reason: Reason::ModelMismatch, member, text });
        }
        let named = self.names.iter_mut().zip(self.route.variables());
        // A path of Vertex AI's has its name then.
        for (name, _) in named.filter(|(_, variable)| *variable == Variable::Model) {
            *name = model.name;
        }
        self.model = Some(model);
        Ok(self)
    }

    /// The target with the model in the body, or unchanged if the path names it.
    ///
    /// # Errors
    /// `model_missing`; `model_mismatch` for a body that names another model, or an operation or a
    /// model beside it of another project or location than the path.
    pub fn with_body(mut self, body: &'u Body) -> Result<Self, Misnamed<'u>> {
        let mismatch = |member, text: &'u str| {
            let text = Some(text);
            Misnamed { reason: Reason::ModelMismatch, member, text }
        };
        if let Some(member) = self.model_member() {
            let text = match member {
                "model" => body.model.as_deref(),
                "baseModel" => body.base_model.as_deref(),
                _ => None,
            };
            self = self.asking(member, text)?;
        } else if let Some(text) = &body.model
            && on(Check::BodyModel)
            && !self.is_for(text)
        {
            return Err(mismatch("model", text));
        }
        if on(Check::BodyModel) {
            if let Some(text) = body.other_models.iter().find(|text| !self.is_for(text)) {
                return Err(mismatch("another model", text));
            }
            if body.any_model {
                let member = "a model that Google chooses";
                return Err(Misnamed { reason: Reason::ModelMismatch, member, text: None });
            }
            let foreign = |text: &&String| Model::parse(text, &self).is_err();
            if let Some(text) = body.models_beside.iter().find(foreign) {
                return Err(mismatch("another model", text));
            }
        }
        match &body.operation_name {
            Some(operation) if on(Check::Operation) && !self.owns(operation) => {
                Err(mismatch("operationName", operation))
            }
            _ => Ok(self),
        }
    }

    /// The target with a model that a body was seen to name before all of it came, unless the path
    /// names it.
    ///
    /// # Errors
    /// As `with_body`.
    pub fn with_model_of(self, model: Option<&'u str>) -> Result<Self, Misnamed<'u>> {
        match (self.model_member(), model) {
            (Some("model"), Some(text)) => self.asking("model", Some(text)),
            _ => Ok(self),
        }
    }

    /// The model that a member of the body names.
    fn named(
        &self,
        member: &'static str,
        text: Option<&'u str>,
    ) -> Result<Model<'u>, Misnamed<'u>> {
        let text = text.filter(|text| !text.is_empty());
        let model = text.ok_or(Reason::ModelMissing).and_then(|text| Model::parse(text, self));
        model.map_err(|reason| Misnamed { reason, member, text })
    }

    /// The models that a body names beside the one that answers, each with the body's own text.
    pub fn models_beside<'b>(
        &'b self,
        body: &'b Body,
    ) -> impl Iterator<Item = (Model<'b>, &'b str)> {
        let unread = Model { publisher: "", name: "" };
        body.models_beside
            .iter()
            .map(move |text| (Model::parse(text, self).unwrap_or(unread), text.as_str()))
    }

    /// Whether `text` is the model in the path, or there is none. A served model's container may be
    /// given the endpoint's bare name.
    fn is_for(&self, text: &str) -> bool {
        match self.model {
            _ if text.is_empty() => true,
            Some(model) if model.publisher == "endpoints" && text == model.name => true,
            Some(model) => Model::parse(text, self) == Ok(model),
            None => false,
        }
    }

    /// Whether an operation belongs to the resource in the path.
    fn owns(&self, operation: &str) -> bool {
        let mut path = String::new();
        self.write_to(&mut path);
        let resource = path.split(['?', ':']).next().unwrap_or_default();
        let resource = resource.strip_prefix('/').and_then(|path| path.split_once('/'));
        resource
            .and_then(|(_, resource)| {
                operation.strip_prefix(resource)?.strip_prefix("/operations/")
            })
            .is_some_and(|id| Variable::Id.fits(id))
    }
}
