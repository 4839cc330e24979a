//! What is known of a request's body when it is judged, and of the answer that it asks for.

use once_cell::sync::Lazy;

use crate::error::{Reason, Refusal};
use crate::gateway::decide::request::{Payload, Request};
use crate::policy::{Contents, ModelBeside, Reading};
use crate::test_switches::{Check, on};
use crate::vertex::{Api, Body, Media, Misnamed, Model, Target};

/// What a request says of the answer that it asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::gateway) struct AnswerAsked {
    /// The limit on output tokens in the body, if it was read.
    pub(in crate::gateway) output_cap: Option<u64>,
    /// Number of answers that the body asks for; 0 if unknown.
    pub(in crate::gateway) count: u64,
    /// Images, sounds and the like in the body, if it was read.
    pub(in crate::gateway) media: Media,
    /// Whether the answer is to be streamed.
    pub(in crate::gateway) is_streamed: bool,
}

/// The state of a request's body.
#[derive(Clone, Copy)]
pub(in crate::gateway) enum Known<'b> {
    /// It can be read on demand.
    Later,
    /// It is read as it passes.
    Passing,
    /// It cannot be read, for this reason.
    Never(Reason),
    /// It names another model than the path: unreadable to roles, too.
    Misnamed(Misnamed<'b>),
    /// What it asks for; nothing without a body.
    Read(&'b Body),
}

/// The body of a request that has none.
static NO_BODY: Lazy<Body> = Lazy::new(Body::default);

impl<'b> Known<'b> {
    pub(in crate::gateway) fn of(
        request: &'b Request<'_>,
        target: &Target<'_>,
    ) -> Result<Self, Refusal> {
        match request.payload() {
            Payload::Empty if target.names_model_in_body() => Err(Reason::ModelMissing.into()),
            Payload::Empty => Ok(Self::Read(&NO_BODY)),
            Payload::Unsaid => Ok(Self::Later),
            _ if !target.route.takes_body() && on(Check::BodyTaken) => Err(no_body_taken()),
            Payload::Unread => Ok(Self::Later),
            Payload::Begun(_) => Ok(Self::Passing),
            Payload::Unreadable => Ok(Self::Never(Reason::BodyTooLargeToCheck)),
            Payload::Whole(_) if !request.is_json() => Ok(Self::Never(Reason::BodyNotJson)),
            Payload::Whole(bytes) => Ok(Self::scanned(request, bytes)),
            Payload::Read => Ok(Self::scanned(request, &[])),
        }
    }

    fn scanned(request: &'b Request<'_>, bytes: &[u8]) -> Self {
        request.scanned(bytes).map_or_else(Self::Never, Self::Read)
    }

    /// Completes the target with what the body names.
    pub(in crate::gateway) fn complete<'u>(
        self,
        target: &Target<'u>,
    ) -> Result<Target<'u>, Misnamed<'u>>
    where
        'b: 'u,
    {
        match self {
            Self::Read(body) => target.clone().with_body(body),
            _ => Ok(target.clone()),
        }
    }

    pub(in crate::gateway) fn contents<'c>(&'c self, target: &'c Target<'_>) -> Contents<'c> {
        let Self::Read(body) = self else { return Contents::default() };
        let beside =
            |(Model { publisher, name }, written)| ModelBeside { publisher, name, written };
        Contents {
            models: target.models_beside(body).map(beside).collect(),
            tools: &body.tools,
            file_uris: &body.file_uris,
            stored_state: &body.stored_state,
            secrets: &body.secrets,
            output_uris: &body.output_uris,
            model_armor_templates: &body.model_armor_templates,
            max_output_tokens: body.max_output_tokens(target.route),
        }
    }

    /// The answer that the request asks for.
    pub(super) fn answer_asked(&self, contents: &Contents<'_>, target: &Target<'_>) -> AnswerAsked {
        let route = target.route;
        let output_cap = contents.max_output_tokens.filter(|_| route.takes_cap());
        let asked =
            AnswerAsked { output_cap, is_streamed: route.streams, ..AnswerAsked::default() };
        // Claude's own path has one method for both.
        let always_streams = route.streams && target.api != Api::Claude;
        match self {
            Self::Read(body) => AnswerAsked {
                count: body.answers.unwrap_or(0),
                media: body.media,
                is_streamed: always_streams || body.is_streamed,
                ..asked
            },
            Self::Later | Self::Passing | Self::Never(_) | Self::Misnamed(_) => asked,
        }
    }

    pub(in crate::gateway) const fn reading<'c>(&self, contents: &'c Contents<'c>) -> Reading<'c> {
        match self {
            Self::Later => Reading::Later,
            Self::Passing => Reading::Passing,
            Self::Never(_) | Self::Misnamed(_) => Reading::Never,
            Self::Read(_) => Reading::Done(contents),
        }
    }
}

/// The refusal of a body where the method takes none.
pub(super) fn no_body_taken() -> Refusal {
    Refusal::detailed(Reason::BodyNotAllowed, "this method takes no body")
}

/// The target of a request with what its body names, and the body; `None` if either has a fault.
pub(super) fn target_and_body<'r>(request: &'r Request<'_>) -> Option<(Target<'r>, Known<'r>)> {
    let target = Target::parse(request.method, request.origin_url().ok()?).ok()?;
    let body = Known::of(request, &target).ok()?;
    Some((body.complete(&target).ok()?, body))
}
