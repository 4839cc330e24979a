//! Judges a request: who calls, for what, under which role, as which Google identity. The body is
//! read only if the decision depends on it.

use std::sync::Arc;

use once_cell::sync::Lazy;

use crate::error::{Reason, Refusal};
use crate::gateway::decide::Decide;
use crate::gateway::decide::connection::ClientEnd;
use crate::gateway::decide::request::{Payload, Request};
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::verified_token::VerifiedToken;
use crate::gateway::decide::waiting::Patience;
use crate::google::Credential;
use crate::jose::Key;
use crate::oidc::{Identity, Outcome, Verified};
use crate::policy::{Ask, Caller, Client, Contents, Decision, ModelBeside, Reading, Role, Term};
use crate::test_switches::{Check, on};
use crate::time::{Monotonic, Now};
use crate::vertex::{Body, Media, Misnamed, Model, ModelText, Target};

/// A judged request: the verdict, and what was found on the way to it.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Judgement<'j> {
    pub(in crate::gateway) verdict: Verdict<'j>,
    pub(in crate::gateway) token: Option<Arc<VerifiedToken>>,
    pub(in crate::gateway) target: Option<Target<'j>>,
    pub(in crate::gateway) role: Option<&'j Role>,
    pub(in crate::gateway) credential: Option<&'j Credential>,
    pub(in crate::gateway) answer: AnswerAsked,
    /// Whether the body is still to be judged, as it passes: an allow is for the head alone then.
    pub(in crate::gateway) awaits_body: bool,
}

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

impl<'j> Judgement<'j> {
    /// A judgement of which only the verdict is known.
    pub(in crate::gateway) fn of(verdict: impl Into<Verdict<'j>>) -> Self {
        Self {
            verdict: verdict.into(),
            token: None,
            target: None,
            role: None,
            credential: None,
            answer: AnswerAsked::default(),
            awaits_body: false,
        }
    }

    fn found(self, token: Arc<VerifiedToken>, target: Option<Target<'j>>) -> Self {
        Self { token: Some(token), target, ..self }
    }

    /// The refusal of a request whose target is known.
    pub(in crate::gateway) fn refused(
        request: &'j Request<'_>,
        token: Arc<VerifiedToken>,
        refusal: Refusal,
    ) -> Self {
        let target = request.origin_url().and_then(|url| Target::parse(request.method, url)).ok();
        Self::of(Verdict::Deny(refusal)).found(token, target)
    }

    /// The names of role and target, by their names in the log line and in variables.
    pub(in crate::gateway) fn named(&self) -> [(&'static str, Option<&str>); 8] {
        let (target, credential) = (self.target.as_ref(), self.credential);
        let model = target.and_then(|target| target.model);
        [
            ("role", self.role.map(|role| role.name.as_str())),
            ("credential", credential.map(|credential| credential.name.as_str())),
            ("google_identity", credential.and_then(Credential::google_identity)),
            ("project", target.and_then(|target| target.project)),
            ("location", target.map(|target| target.location)),
            ("publisher", model.map(|model| model.publisher)),
            ("model", model.map(|model| model.name)),
            ("method", target.map(|target| target.route.method.as_str())),
        ]
    }
}

impl Decide {
    /// Judges a request; `None` stands for one that could not be parsed. A caller who is `known`
    /// need not bring the token again.
    pub(in crate::gateway) fn judge<'j>(
        &'j self,
        request: Option<&'j Request<'_>>,
        known: Option<&Arc<VerifiedToken>>,
        now: Now,
        (since, patience): (Monotonic, Patience),
    ) -> Judgement<'j> {
        let Some(request) = request else {
            return Judgement::of(Reason::Internal);
        };
        let token = match known {
            Some(token) => Ok(Arc::clone(token)),
            None => self.token(request, now, since),
        };
        match token {
            Ok(token) => {
                let judgement = self.judge_target(request, token, now);
                Judgement { verdict: judgement.verdict.within(patience), ..judgement }
            }
            Err(verdict) => Judgement::of(verdict.within(patience)),
        }
    }

    fn judge_target<'j>(
        &'j self,
        request: &'j Request<'_>,
        token: Arc<VerifiedToken>,
        now: Now,
    ) -> Judgement<'j> {
        let target = request.origin_url().map_err(Refusal::from).and_then(|url| {
            Target::parse(request.method, url).map_err(|reason| unrouted(reason, url))
        });
        let target = match target {
            Ok(target) => target,
            Err(refusal) => return Judgement::of(Verdict::Deny(refusal)).found(token, None),
        };
        if let Some(reason) = request.forbidden_header() {
            return Judgement::of(reason).found(token, Some(target));
        }
        if let Payload::Begun(bytes) = request.payload() {
            let judgement = self.judge_head(request, &token, target, bytes, now);
            return Judgement { token: Some(token), ..judgement };
        }
        // Only the body tells the model, or that there is none; no role can be tried before.
        let must_read = target.names_model_in_body() || !target.route.takes_body();
        // Otherwise asking whether a role depends on the body is cheaper than reading it.
        if !must_read && matches!(request.payload(), Payload::Whole(_)) {
            let judgement = self.authorize(request, &token, target.clone(), &Known::Later, now);
            if !matches!(judgement.verdict, Verdict::NeedsBody) {
                return Judgement { token: Some(token), ..judgement };
            }
        }
        let body = match (Known::of(request, &target), must_read) {
            (Err(refusal), _) => Err(Verdict::Deny(refusal)),
            (Ok(Known::Later), true) => Err(Verdict::NeedsBody),
            (Ok(Known::Never(reason)), true) => Err(Verdict::Deny(self.unread(reason, request))),
            (Ok(known), _) => Ok(known),
        };
        let body = match body {
            Ok(body) => body,
            Err(verdict) => return Judgement::of(verdict).found(token, Some(target)),
        };
        // To roles a body for another model is unreadable; those that leave it unread still allow.
        let (target, body) = match body.complete(&target) {
            Ok(target) => (target, body),
            Err(misnamed) if target.names_model_in_body() => {
                return Judgement::of(Verdict::Deny(misnamed.into())).found(token, Some(target));
            }
            Err(misnamed) => (target, Known::Misnamed(misnamed)),
        };
        let judgement = self.authorize(request, &token, target, &body, now);
        Judgement { token: Some(token), ..judgement }
    }

    /// Judges the head of a request whose body is longer than HAProxy's buffer. The first role that may
    /// allow it signs; which one decides, the body tells when it has passed.
    fn judge_head<'j>(
        &'j self,
        request: &'j Request<'_>,
        token: &VerifiedToken,
        target: Target<'j>,
        bytes: &'j [u8],
        now: Now,
    ) -> Judgement<'j> {
        let refuse = |refusal: Refusal, target| Judgement {
            target: Some(target),
            ..Judgement::of(Verdict::Deny(refusal))
        };
        if !target.route.takes_body() && on(Check::BodyTaken) {
            return refuse(no_body_taken(), target);
        }
        if let Some(refusal) = self.buffer.incomplete(request) {
            return refuse(refusal, target);
        }
        if !request.is_json() {
            return refuse(Reason::BodyNotJson.into(), target);
        }
        let target = match target.names_model_in_body() {
            true => match target.clone().with_model_of(request.begun_model(bytes)) {
                Ok(target) => target,
                Err(misnamed) => return refuse(misnamed.into(), target),
            },
            false => target,
        };
        let client = request.client.as_ref().map(ClientEnd::as_client);
        let ask = ask(request, &target, Reading::Passing, client.as_ref(), now);
        let Some(roles) = self.policy.candidates(&token.grants, &ask) else {
            return Judgement { target: Some(target), ..Judgement::of(Verdict::NeedsClient) };
        };
        let Some((first, others)) = roles.split_first() else {
            return self.authorize(request, token, target, &Known::Passing, now);
        };
        let other = others.iter().find(|role| role.credential != first.credential);
        if let (true, None, Some(other)) = (target.names_model_in_body(), target.model, other) {
            let detail = format!(
                "its model does not stand at its beginning, and the roles {} and {} sign as \
                 different Google identities; send \"model\" as the first member, or give both \
                 roles one \"as\"",
                first.name, other.name
            );
            return refuse(Refusal::detailed(Reason::BodyTooLargeToCheck, &detail), target);
        }
        let awaits_body = first.may.body.is_some() || target.names_model_in_body();
        let answer = AnswerAsked { is_streamed: target.route.streams, ..AnswerAsked::default() };
        Judgement { awaits_body, ..self.signed_by(first, target, answer, now) }
    }

    /// Judges a request whose body has passed, and which was signed with this credential.
    pub(in crate::gateway) fn judge_passed<'j>(
        &'j self,
        request: &'j Request<'_>,
        token: Arc<VerifiedToken>,
        credential: usize,
        now: Now,
    ) -> Judgement<'j> {
        // A body may take its time.
        if let Err(reason) = token.check(now.wall) {
            return Judgement::refused(request, token, reason.into());
        }
        let judgement = self.judge_target(request, Arc::clone(&token), now);
        match judgement.role {
            Some(role) if role.credential != credential => {
                let target = judgement.target;
                let known = target.as_ref().map(|target| Known::of(request, target));
                let (Some(target), Some(Ok(body))) = (target, known) else {
                    return Judgement::of(Reason::Internal);
                };
                self.judge_as(request, token, (target, body), (role, credential), now)
            }
            _ => judgement,
        }
    }

    /// Judges by the roles that sign with one credential: `meant`, the first that allows the request,
    /// signs with another.
    fn judge_as<'j>(
        &'j self,
        request: &'j Request<'_>,
        token: Arc<VerifiedToken>,
        (target, body): (Target<'j>, Known<'_>),
        (meant, credential): (&Role, usize),
        now: Now,
    ) -> Judgement<'j> {
        let client = request.client.as_ref().map(ClientEnd::as_client);
        let contents = body.contents(&target);
        let ask = ask(request, &target, body.reading(&contents), client.as_ref(), now);
        let judgement = match self.policy.decide_as(&token.grants, &ask, credential) {
            Decision::Allow(role) => {
                let answer = body.answer_asked(&contents, &target);
                self.signed_by(role, target, answer, now)
            }
            _ => {
                let detail = format!(
                    "the role {} allows it, but a role before it had signed as another Google \
                     identity before the body came; put {} first, or give both one \"as\"",
                    meant.name, meant.name
                );
                let refusal = Refusal::detailed(Reason::BodyTooLargeToCheck, &detail);
                Judgement { target: Some(target), ..Judgement::of(Verdict::Deny(refusal)) }
            }
        };
        Judgement { token: Some(token), ..judgement }
    }

    /// Finds the role that decides, and its credential's bearer.
    fn authorize<'j>(
        &'j self,
        request: &Request<'_>,
        token: &VerifiedToken,
        target: Target<'j>,
        body: &Known<'_>,
        now: Now,
    ) -> Judgement<'j> {
        let client = request.client.as_ref().map(ClientEnd::as_client);
        let contents = body.contents(&target);
        let ask = ask(request, &target, body.reading(&contents), client.as_ref(), now);
        let verdict = match (self.policy.decide(&token.grants, &ask), body) {
            (Decision::Allow(role), _) => {
                let answer = body.answer_asked(&contents, &target);
                return self.signed_by(role, target, answer, now);
            }
            (Decision::RoleNone, _) => Verdict::Deny(role_none(token, &target)),
            (Decision::Missed(missed), _) => {
                let reason = match missed.term() {
                    Term::Tiers => Reason::TierNotAllowed,
                    _ => Reason::BodyNotAllowed,
                };
                Verdict::Deny(Refusal::detailed(reason, &missed.to_string()))
            }
            (Decision::Unreadable, Known::Never(reason)) => {
                Verdict::Deny(self.unread(*reason, request))
            }
            (Decision::Unreadable, Known::Misnamed(misnamed)) => Verdict::Deny((*misnamed).into()),
            (Decision::Unreadable, _) => Verdict::from(Reason::Internal),
            (Decision::NeedClient, _) => Verdict::NeedsClient,
            (Decision::NeedContents, _) => Verdict::NeedsBody,
        };
        Judgement { target: Some(target), ..Judgement::of(verdict) }
    }

    /// Allows the request once the role's credential has a bearer at the location.
    fn signed_by<'j>(
        &'j self,
        role: &'j Role,
        target: Target<'j>,
        answer: AnswerAsked,
        now: Now,
    ) -> Judgement<'j> {
        let verdict = match self.bearers.slot(role.credential, target.location) {
            None => Verdict::from(Reason::LocationWithoutBackend),
            Some(slot) if slot.is_ready(now) => Verdict::Allow(slot),
            Some(_) => Verdict::Wait(Reason::CredentialUnavailable),
        };
        Judgement {
            verdict,
            token: None,
            target: Some(target),
            role: Some(role),
            credential: self.bearers.credential(role.credential),
            answer,
            awaits_body: false,
        }
    }

    /// The refusal of a body that nobody would read as it passes.
    pub(in crate::gateway) fn unpassed<'j>(
        &self,
        judgement: Judgement<'j>,
        request: &Request<'_>,
    ) -> Judgement<'j> {
        let verdict = Verdict::Deny(self.buffer.too_large(request));
        let (role, credential) = (None, None);
        Judgement { verdict, role, credential, awaits_body: false, ..judgement }
    }

    /// The refusal of a request whose body had to be read and could not be.
    fn unread(&self, reason: Reason, request: &Request<'_>) -> Refusal {
        match reason {
            Reason::BodyTooLargeToCheck => self.buffer.too_large(request),
            reason => reason.into(),
        }
    }

    /// Verifies the caller's token, or finds it in the cache of verified tokens.
    pub(in crate::gateway) fn token(
        &self,
        request: &Request<'_>,
        now: Now,
        since: Monotonic,
    ) -> Result<Arc<VerifiedToken>, Verdict<'static>> {
        let token = request.token(&self.token_headers).map_err(Verdict::Deny)?;
        let fingerprint = self.tokens.fingerprint(token);
        if let Some(verified) = fingerprint.and_then(|fingerprint| self.tokens.get(&fingerprint))
            && verified.is_current()
        {
            verified.validity.check(now.wall).map_err(Verdict::from)?;
            return Ok(verified);
        }
        match self.verifier.verify(token, now, since) {
            Outcome::Refuse(refusal) => Err(Verdict::Deny(refusal)),
            Outcome::Wait(reason) => Err(Verdict::Wait(reason)),
            Outcome::Valid(Verified { key, identity }) => {
                let verified = self.token_of(identity, Some(key)).map_err(Verdict::from)?;
                if let Some(fingerprint) = fingerprint {
                    self.tokens.insert(fingerprint, Arc::clone(&verified));
                }
                Ok(verified)
            }
        }
    }

    pub(in crate::gateway) fn token_of(
        &self,
        identity: Identity,
        key: Option<Arc<Key>>,
    ) -> Result<Arc<VerifiedToken>, Reason> {
        let issuer = self.verifier.issuers().get(identity.issuer).ok_or(Reason::Internal)?;
        let name = &issuer.config.name;
        let grants = self.policy.grants_of(&caller(&identity, name));
        let grants = self.tokens.shared(grants);
        Ok(Arc::new(VerifiedToken::new(&identity, key, name, grants, &self.tokens.hash)))
    }
}

/// The refusal of a body where the method takes none.
fn no_body_taken() -> Refusal {
    Refusal::detailed(Reason::BodyNotAllowed, "this method takes no body")
}

/// The refusal of a URL that is no target.
fn unrouted(reason: Reason, url: &str) -> Refusal {
    match reason {
        Reason::RouteUnknown if !url.contains("/projects/") => Refusal::detailed(
            reason,
            "no project in the path; call /v1/projects/<project>/locations/<location>/..., e.g. \
             set project and location in your client",
        ),
        _ => reason.into(),
    }
}

/// The refusal if no role allows the target.
fn role_none(token: &VerifiedToken, target: &Target<'_>) -> Refusal {
    if token.lacks_groups {
        let detail = "the issuer left your groups out of the token, as they are too many for it";
        return Refusal::detailed(Reason::RoleNone, detail);
    }
    let model = target.model.map(Model::text);
    let asked = [
        Some(target.route.method.as_str()),
        model.as_ref().map(ModelText::as_str),
        target.project,
        Some(target.location),
    ];
    let asked: Vec<_> = asked.into_iter().flatten().collect();
    Refusal::detailed(Reason::RoleNone, &asked.join(", "))
}

/// The caller as the policy sees it; `issuer` is its issuer's name.
pub(in crate::gateway) fn caller<'c>(identity: &'c Identity, issuer: &'c str) -> Caller<'c> {
    let Identity { subject, groups, claims, .. } = identity;
    Caller { issuer, subject, groups, claims }
}

/// The request as the policy sees it.
pub(in crate::gateway) fn ask<'a>(
    request: &'a Request<'_>,
    target: &'a Target<'a>,
    contents: Reading<'a>,
    client: Option<&'a Client<'a>>,
    now: Now,
) -> Ask<'a> {
    Ask {
        project: target.project,
        location: target.location,
        model: target.model.map(|model| (model.publisher, model.name)),
        method: &target.route.method,
        takes_cap: target.route.takes_cap(),
        tiers: request.tiers,
        size: request.body_bytes(),
        contents,
        client,
        wall: now.wall,
    }
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
    fn answer_asked(&self, contents: &Contents<'_>, target: &Target<'_>) -> AnswerAsked {
        let route = target.route;
        let output_cap = contents.max_output_tokens.filter(|_| route.takes_cap());
        let asked =
            AnswerAsked { output_cap, is_streamed: route.streams, ..AnswerAsked::default() };
        match self {
            Self::Read(body) => AnswerAsked {
                count: body.answers.unwrap_or(0),
                media: body.media,
                is_streamed: route.streams || body.is_streamed,
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
