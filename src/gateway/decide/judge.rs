//! Judges a request: who calls, for what, under which role, as which Google identity. The body is
//! read only if the decision depends on it.

use std::sync::Arc;

use crate::error::{Reason, Refusal};
use crate::gateway::decide::Decide;
use crate::gateway::decide::connection::ClientEnd;
use crate::gateway::decide::known_body::{AnswerAsked, Known, no_body_taken, target_and_body};
use crate::gateway::decide::model_list;
use crate::gateway::decide::request::{Payload, Request};
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::verified_token::{Fingerprint, VerifiedToken};
use crate::gateway::decide::waiting::Patience;
use crate::google::{Credential, OfCaller, Signer, Slot};
use crate::jose::Key;
use crate::oidc::{Identity, Outcome, Verified};
use crate::policy::{Ask, Caller, Client, Decision, Place, Reading, Role, Term};
use crate::test_switches::{Check, on};
use crate::time::{Monotonic, Now};
use crate::vertex::{Api, Model, ModelText, Target, base_url_fault, model_list_asked};

/// A judged request: the verdict, and what was found on the way to it.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Judgement<'j> {
    pub(in crate::gateway) verdict: Verdict<'j>,
    pub(in crate::gateway) token: Option<Arc<VerifiedToken>>,
    pub(in crate::gateway) target: Option<Target<'j>>,
    pub(in crate::gateway) role: Option<&'j Role>,
    pub(in crate::gateway) credential: Option<&'j Credential>,
    /// Who the caller is to Google, where that is the caller's own identity.
    pub(in crate::gateway) own_identity: Option<Arc<str>>,
    pub(in crate::gateway) answer: AnswerAsked,
    /// Whether the body is still to be judged, as it passes: an allow is for the head alone then.
    pub(in crate::gateway) awaits_body: bool,
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
            own_identity: None,
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

    /// Writes the path and query that are sent to Google.
    pub(in crate::gateway) fn write_path(&self, out: &mut String) {
        match (&self.target, self.credential) {
            (Some(target), Some(credential)) if credential.source.is_api_key() => {
                target.write_express_to(out);
            }
            (Some(target), _) => target.write_to(out),
            (None, _) => {}
        }
    }

    /// The names of role and target, by their names in the log line and in variables.
    pub(in crate::gateway) fn named(&self) -> [(&'static str, Option<&str>); 8] {
        let (target, credential) = (self.target.as_ref(), self.credential);
        let model = target.and_then(|target| target.model);
        [
            ("role", self.role.map(|role| role.name.as_str())),
            ("credential", credential.map(|credential| credential.name.as_str())),
            (
                "google_identity",
                self.own_identity
                    .as_deref()
                    .or_else(|| credential.and_then(Credential::google_identity)),
            ),
            ("project", target.and_then(|target| target.project)),
            (
                "location",
                target.map(|target| target.location).filter(|location| !location.is_empty()),
            ),
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
        if let Some(answer) = self.model_list(request, &token) {
            return Judgement::of(answer).found(token, None);
        }
        let target = request.origin_url().map_err(Refusal::from).and_then(|url| {
            Target::parse(request.method, url)
                .map_err(|reason| unrouted(reason, request.method, url))
        });
        let target = match target {
            Ok(target) => target,
            Err(refusal) => return Judgement::of(Verdict::Deny(refusal)).found(token, None),
        };
        if let Some(reason) = request.forbidden_header() {
            return Judgement::of(reason).found(token, Some(target));
        }
        if target.lacks_place() && !self.policy.has_default(&token.grants) {
            return Judgement::of(Verdict::Deny(no_default())).found(token, Some(target));
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
        let judgement = match judgement {
            Judgement { verdict: Verdict::NeedsBody, target: Some(target), .. }
                if self.needs_no_beginning(request, &target) =>
            {
                let judgement = self.judge_head(request, &token, target, &[], now);
                return Judgement { token: Some(token), ..judgement };
            }
            judgement => judgement,
        };
        // The filter that reads long bodies changes those that have to be.
        let awaits_body = matches!(judgement.verdict, Verdict::Allow(_))
            && request.edit_for(judgement.target.as_ref()).is_some();
        Judgement { token: Some(token), awaits_body, ..judgement }
    }

    /// Whether the body of a request will be read as it passes, and nobody has to wait for its beginning.
    fn needs_no_beginning(&self, request: &Request<'_>, target: &Target<'_>) -> bool {
        request.payload() == Payload::Unread
            && self.buffer.is_exceeded(request)
            && !target.names_model_in_body()
            && target.route.takes_body()
    }

    /// The list of the models that the caller may use, if that is what the request asks for.
    fn model_list(&self, request: &Request<'_>, token: &VerifiedToken) -> Option<Verdict<'static>> {
        let api = model_list_asked(request.method, request.origin_url().ok()?)?;
        let api = request.client_api.unwrap_or(api);
        Some(match (request.forbidden_header(), self.policy.has_default(&token.grants)) {
            (Some(reason), _) => reason.into(),
            (None, false) => Verdict::Deny(no_default()),
            (None, true) => {
                Verdict::Answer(model_list::json(api, self.policy.roles_of(&token.grants)))
            }
        })
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
        let other = others.iter().find(|role| !role.sends_like(first, &ask));
        if let (true, None, Some(other)) = (target.names_model_in_body(), target.model, other) {
            let detail = format!(
                "its model does not stand at its beginning, and the roles {} and {} differ in \"as\" \
                 or \"default\"; send \"model\" as the first member, or let them agree",
                first.name, other.name
            );
            return refuse(Refusal::detailed(Reason::BodyTooLargeToCheck, &detail), target);
        }
        if target.api == Api::Claude && target.model.is_none() {
            let detail = "its model does not stand at its beginning, and Google wants it in the \
                          path, or by another name; send \"model\" as the first member";
            return refuse(Refusal::detailed(Reason::BodyTooLargeToCheck, detail), target);
        }
        let awaits_body = first.may.body.is_some() || target.names_model_in_body();
        let answer = AnswerAsked { is_streamed: target.route.streams, ..AnswerAsked::default() };
        Judgement { awaits_body, ..self.signed_by((request, token), first, target, answer, now) }
    }

    /// Judges a request whose body has passed, and whose head this role has sent.
    pub(in crate::gateway) fn judge_passed<'j>(
        &'j self,
        request: &'j Request<'_>,
        token: Arc<VerifiedToken>,
        sender: usize,
        now: Now,
    ) -> Judgement<'j> {
        let Some(sender) = self.policy.roles().get(sender) else {
            return Judgement::of(Reason::Internal);
        };
        // A body may take its time.
        if let Err(reason) = token.check(now.wall) {
            return Judgement::refused(request, token, reason.into());
        }
        let judgement = self.judge_target(request, Arc::clone(&token), now);
        match judgement.role {
            Some(role) if role.place != sender.place => {
                self.judge_like(request, token, judgement, (role, sender), now)
            }
            _ => judgement,
        }
    }

    /// Judges by the roles that send a request like `sender`, unless `meant` does, the first that
    /// allows it.
    fn judge_like<'j>(
        &'j self,
        request: &'j Request<'_>,
        token: Arc<VerifiedToken>,
        judgement: Judgement<'j>,
        (meant, sender): (&Role, &Role),
        now: Now,
    ) -> Judgement<'j> {
        let Some((target, body)) = target_and_body(request) else {
            return Judgement::of(Reason::Internal);
        };
        let client = request.client.as_ref().map(ClientEnd::as_client);
        let contents = body.contents(&target);
        let ask = ask(request, &target, body.reading(&contents), client.as_ref(), now);
        if meant.sends_like(sender, &ask) {
            return judgement;
        }
        let judgement = match self.policy.decide_like(&token.grants, &ask, sender) {
            Decision::Allow(role) => {
                let answer = body.answer_asked(&contents, &target);
                self.signed_by((request, &token), role, target, answer, now)
            }
            _ => {
                let detail = format!(
                    "the role {} allows it, but a role with another \"as\" or \"default\" had signed \
                     before the body came; put {} first, or let both agree",
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
                return self.signed_by((request, token), role, target, answer, now);
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
        (request, token): (&Request<'_>, &VerifiedToken),
        role: &'j Role,
        target: Target<'j>,
        answer: AnswerAsked,
        now: Now,
    ) -> Judgement<'j> {
        let target = match &role.default {
            Some(default) => target.at(&default.project, &default.location),
            None => target,
        };
        let credential = self.bearers.credential(role.credential);
        let mut own_identity = None;
        let verdict = match self.bearers.slot(role.credential, target.location) {
            None => Verdict::from(Reason::LocationWithoutBackend),
            // The load refuses roles that grant it; no key leaves to another place, whatever comes.
            Some(_)
                if credential.is_some_and(|c| c.source.is_api_key()) && !target.is_express() =>
            {
                let detail = "the role's API key reaches Google's express mode only, which has no such \
                              route";
                Verdict::Deny(Refusal::detailed(Reason::RouteUnknown, detail))
            }
            Some(slot) if slot.is_ready(now) => Verdict::Allow(Signer::of(slot)),
            Some(slot) if credential.is_some_and(|c| c.source.exchange().is_some()) => {
                let (verdict, identity) = self.signed_as_caller(request, token, slot, now);
                own_identity = identity;
                verdict
            }
            Some(_) => Verdict::Wait(Reason::CredentialUnavailable),
        };
        Judgement {
            verdict,
            token: None,
            target: Some(target),
            role: Some(role),
            credential,
            own_identity,
            answer,
            awaits_body: false,
        }
    }

    /// Allows the request once the caller's own token is exchanged, which is asked for here; and who the
    /// caller is to Google.
    #[cold]
    fn signed_as_caller<'j>(
        &'j self,
        request: &Request<'_>,
        token: &VerifiedToken,
        slot: &'j Slot,
        now: Now,
    ) -> (Verdict<'j>, Option<Arc<str>>) {
        let waits = (Verdict::Wait(Reason::CredentialUnavailable), None);
        let Some(subject) = token.subject() else {
            return waits;
        };
        // Rules may have changed the request since its token was verified.
        let text = || {
            let text = request.token(&self.token_headers).ok()?;
            token.is(self.tokens.fingerprint(text)).then_some(text)
        };
        match self.bearers.of_caller(slot, &subject, text, now) {
            OfCaller::Signs(signer, identity) => (Verdict::Allow(signer), identity),
            OfCaller::Awaited => waits,
            OfCaller::Refused(refusal) => (Verdict::Deny(refusal), None),
        }
    }

    /// The judgement where the rules of vertex.cfg are not at work: nobody reads a body as it passes, or
    /// changes it, and nobody gives an answer of the gateway's own.
    pub(in crate::gateway) fn without_rules<'j>(
        &self,
        judgement: Judgement<'j>,
        request: &Request<'_>,
    ) -> Judgement<'j> {
        let needs_rules = || {
            Refusal::detailed(
                Reason::RouteUnknown,
                "the rules of vertex.cfg are needed for this path",
            )
        };
        let refusal = match judgement.verdict {
            Verdict::Answer(_) => needs_rules(),
            _ if !judgement.awaits_body => return judgement,
            _ if request.edit_for(judgement.target.as_ref()).is_some() => needs_rules(),
            _ => self.buffer.too_large(request),
        };
        let (verdict, role, credential) = (Verdict::Deny(refusal), None, None);
        Judgement { verdict, role, credential, own_identity: None, awaits_body: false, ..judgement }
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
                let verified =
                    self.token_of(identity, (Some(key), fingerprint)).map_err(Verdict::from)?;
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
        verified: (Option<Arc<Key>>, Option<Fingerprint>),
    ) -> Result<Arc<VerifiedToken>, Reason> {
        let issuer = self.verifier.issuers().get(identity.issuer).ok_or(Reason::Internal)?;
        let name = &issuer.config.name;
        let grants = self.policy.grants_of(&caller(&identity, name));
        let grants = self.tokens.shared(grants);
        Ok(Arc::new(VerifiedToken::new(&identity, verified, name, grants, &self.tokens.hash)))
    }
}

/// The refusal of a URL that is no target.
fn unrouted(reason: Reason, http_method: &str, url: &str) -> Refusal {
    match (reason, base_url_fault(http_method, url)) {
        (Reason::RouteUnknown, Some(fault)) => Refusal::detailed(reason, fault),
        (Reason::RouteUnknown, None) if !url.contains("/projects/") => Refusal::detailed(
            reason,
            "no project in the path; call /v1/projects/<project>/locations/<location>/..., e.g. \
             set project and location in your client",
        ),
        _ => reason.into(),
    }
}

/// The refusal of a path without project and location, if no role of the caller has a default.
fn no_default() -> Refusal {
    Refusal::detailed(
        Reason::RouteUnknown,
        "no project in the path, and no role of yours has a \"default\": set project and location in \
         your client, or call /v1/projects/<project>/locations/<location>/...",
    )
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
    let asked: Vec<_> = asked.into_iter().flatten().filter(|name| !name.is_empty()).collect();
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
        place: (!target.lacks_place())
            .then_some(Place { project: target.project, location: target.location }),
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
