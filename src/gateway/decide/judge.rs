//! From a request to its verdict: who asks, for what, under which role, as whom. Of the body only
//! what has to be known is read, and only when it has to be.

use std::sync::Arc;

use crate::error::{Reason, Refusal};
use crate::gateway::Gateway;
use crate::gateway::calls::log_tail::Facts;
use crate::gateway::decide::connection::PeerLine;
use crate::gateway::decide::request::{self, Payload, Request};
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::verified_token::Session;
use crate::gateway::decide::waiting::Patience;
use crate::jose::{self, Key};
use crate::oidc::{Identity, Outcome, Verified};
use crate::policy::{Ask, Caller, Contents, Decision, Peer, Reading};
use crate::switch::{Check, on};
use crate::time::{Monotonic, Now};
use crate::vertex::{Body, Media, Route, Target};

impl Gateway {
    /// Comes to a verdict and hands it, with what it rests on, to `take`. A caller who is `known`
    /// brings no token any more.
    pub(in crate::gateway) fn judge<T>(
        &self,
        request: &[u8],
        known: Option<&Arc<Session>>,
        now: Now,
        (since, patience): (Monotonic, Patience),
        take: impl FnOnce(Verdict<'_>, &Facts<'_>) -> T,
    ) -> T {
        let Ok((head, body)) = request::split(request) else {
            return take(Verdict::Deny(Reason::Internal.into()), &Facts::default());
        };
        let Ok(request) = Request::parse(&head, body) else {
            return take(Verdict::Deny(Reason::Internal.into()), &Facts::default());
        };
        let mut facts = Facts { request: Some(&request), ..Facts::default() };
        let session = match known {
            Some(session) => Ok(Arc::clone(session)),
            None => self.session(&request, now, since),
        };
        let session = match session {
            Ok(session) => session,
            Err(verdict) => return take(verdict.within(patience), &facts),
        };
        facts.session = Some(&session);
        let url = match request.origin_url() {
            Ok(url) => url,
            Err(reason) => return take(Verdict::Deny(reason.into()), &facts),
        };
        let target = match Target::parse(request.method, &url) {
            Ok(target) => target,
            Err(reason) => return take(Verdict::Deny(unrouted(reason, &url)), &facts),
        };
        facts.target = Some(&target);
        if let Some(reason) = request.forbidden_header() {
            return take(Verdict::Deny(reason.into()), &facts);
        }
        // The body says which model is asked, or that there is none: no role can be asked before.
        let must_read = target.names_model_in_body() || !target.route.takes_body();
        // Otherwise it is cheaper to ask whether a role has to know the body than to read it.
        if !must_read && matches!(request.payload(), Payload::Whole(_)) {
            let verdict = self.authorize(&session, &target, &Known::Later, &mut facts, now);
            if !matches!(verdict, Verdict::NeedsBody) {
                return take(verdict.within(patience), &facts);
            }
        }
        let body = match (Known::of(&request, &target), must_read) {
            (Err(refusal), _) => return take(Verdict::Deny(refusal), &facts),
            (Ok(Known::Later), false) => Known::Later,
            (Ok(Known::Later), true) => return take(Verdict::NeedsBody, &facts),
            (Ok(Known::Never(reason)), true) => {
                return take(Verdict::Deny(self.unread(reason, &request, &target)), &facts);
            }
            (Ok(known), _) => known,
        };
        // A body of another model is none that a role can judge; where it goes unread, nobody does.
        let (target, body) = match body.complete(&target) {
            Ok(target) => (target, &body),
            Err(reason) if target.names_model_in_body() => {
                return take(Verdict::Deny(reason.into()), &facts);
            }
            Err(reason) => (target.clone(), &Known::Never(reason)),
        };
        let mut facts = Facts { target: Some(&target), ..facts };
        let verdict = self.authorize(&session, &target, body, &mut facts, now);
        take(verdict.within(patience), &facts)
    }

    /// The role that decides, and its credential's bearer.
    fn authorize<'g>(
        &'g self,
        session: &Session,
        target: &'g Target<'g>,
        body: &Known,
        facts: &mut Facts<'g>,
        now: Now,
    ) -> Verdict<'g> {
        let request = facts.request;
        let peer = request.and_then(|request| request.peer.as_ref()).map(PeerLine::as_peer);
        let contents = body.contents(target.route);
        let Some(request) = request else {
            return Verdict::Deny(Reason::Internal.into());
        };
        let ask = ask(request, target, body.reading(&contents), peer.as_ref(), now);
        let role = match (self.policy.decide(&session.grants, &ask), body) {
            (Decision::Allow(role), _) => role,
            (Decision::RoleNone, _) => return Verdict::Deny(role_none(session)),
            (Decision::Missed(missed), _) => {
                let detail = missed.to_string();
                return Verdict::Deny(Refusal::detailed(Reason::BodyNotAllowed, &detail));
            }
            (Decision::Unreadable, Known::Never(reason)) => {
                return Verdict::Deny(self.unread(*reason, request, target));
            }
            (Decision::Unreadable, _) => return Verdict::Deny(Reason::Internal.into()),
            (Decision::NeedPeer, _) => return Verdict::NeedsPeer,
            (Decision::NeedContents, _) => return Verdict::NeedsBody,
        };
        facts.role = Some(role);
        facts.output_cap = contents.max_output_tokens.filter(|_| target.route.takes_cap());
        facts.answers = body.answers();
        facts.media = body.media();
        facts.is_streamed = target.route.streams || body.is_streamed();
        facts.credential = self.bearers.credential(role.credential);
        match self.bearers.slot(role.credential, target.location) {
            None => Verdict::Deny(Reason::LocationWithoutBackend.into()),
            Some(slot) if slot.is_ready(now) => Verdict::Allow {
                target,
                host: slot.host(),
                handle: slot.handle(),
                call: None,
                labels: None,
            },
            Some(_) => Verdict::Wait(Reason::CredentialUnavailable),
        }
    }

    /// Why a body that had to be read is not.
    fn unread(&self, reason: Reason, request: &Request<'_>, target: &Target<'_>) -> Refusal {
        match reason {
            Reason::BodyTooLargeToCheck => {
                self.buffer.refusal(request, target.names_model_in_body())
            }
            reason => reason.into(),
        }
    }

    /// Who asks: from the cache of verified tokens, or verified now.
    pub(in crate::gateway) fn session(
        &self,
        request: &Request<'_>,
        now: Now,
        since: Monotonic,
    ) -> Result<Arc<Session>, Verdict<'static>> {
        let deny = |reason: Reason| Verdict::Deny(reason.into());
        let token = request.token().map_err(deny)?;
        let digest = jose::digest(token.as_bytes());
        if let Some(session) = self.sessions.get(&digest)
            && session.is_current()
        {
            session.validity.check(now.wall).map_err(deny)?;
            return Ok(session);
        }
        match self.verifier.verify(token, now, since) {
            Outcome::Refuse(refusal) => Err(Verdict::Deny(refusal)),
            Outcome::Wait(reason) => Err(Verdict::Wait(reason)),
            Outcome::Valid(Verified { key, identity }) => {
                let session = self.session_of(identity, Some(key)).map_err(deny)?;
                self.sessions.insert(digest, Arc::clone(&session));
                Ok(session)
            }
        }
    }

    pub(in crate::gateway) fn session_of(
        &self,
        identity: Identity,
        key: Option<Arc<Key>>,
    ) -> Result<Arc<Session>, Reason> {
        let issuer = self.verifier.issuers().get(identity.issuer).ok_or(Reason::Internal)?;
        let name = &issuer.config.name;
        let grants = self.policy.grants_of(&caller(&identity, name));
        let grants = self.sessions.shared(grants);
        Ok(Arc::new(Session::new(&identity, key, name, grants, &self.sessions.names)))
    }
}

/// Why a URL is no target.
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

/// Why no role allows it.
fn role_none(session: &Session) -> Refusal {
    match session.lacks_groups {
        true => Refusal::detailed(
            Reason::RoleNone,
            "the issuer left your groups out of the token, as they are too many for it",
        ),
        false => Reason::RoleNone.into(),
    }
}

/// A caller as roles see one; `issuer` is its issuer's name.
pub(in crate::gateway) fn caller<'c>(identity: &'c Identity, issuer: &'c str) -> Caller<'c> {
    let Identity { subject, groups, claims, .. } = identity;
    Caller { issuer, subject, groups, claims }
}

/// What roles are asked.
pub(in crate::gateway) fn ask<'a>(
    request: &Request<'_>,
    target: &'a Target<'a>,
    contents: Reading<'a>,
    peer: Option<&'a Peer<'a>>,
    now: Now,
) -> Ask<'a> {
    Ask {
        project: target.project,
        location: target.location,
        model: target.model.map(|model| (model.publisher, model.name)),
        method: &target.route.method,
        takes_cap: target.route.takes_cap(),
        size: request.body_bytes(),
        contents,
        peer,
        wall: now.wall,
    }
}

/// What is known of a body.
pub(in crate::gateway) enum Known {
    /// It can be read if need be.
    Later,
    /// It cannot be read, for this reason.
    Never(Reason),
    /// It asks for this; without a body, for nothing.
    Read(Box<Body>),
}

impl Known {
    pub(in crate::gateway) fn of(
        request: &Request<'_>,
        target: &Target<'_>,
    ) -> Result<Self, Refusal> {
        match request.payload() {
            Payload::Empty if target.names_model_in_body() => Err(Reason::ModelMissing.into()),
            Payload::Empty => Ok(Self::Read(Box::default())),
            Payload::Unsaid => Ok(Self::Later),
            _ if !target.route.takes_body() && on(Check::BodyTaken) => {
                Err(Refusal::detailed(Reason::BodyNotAllowed, "this method takes no body"))
            }
            Payload::Unread => Ok(Self::Later),
            Payload::Unreadable => Ok(Self::Never(Reason::BodyTooLargeToCheck)),
            Payload::Whole(_) if !request.is_json() => Ok(Self::Never(Reason::BodyNotJson)),
            Payload::Whole(bytes) => match Body::scan(bytes) {
                Ok(body) => Ok(Self::Read(Box::new(body))),
                Err(reason) => Ok(Self::Never(reason)),
            },
        }
    }

    /// The target, with what the body says of it.
    pub(in crate::gateway) fn complete<'u>(
        &'u self,
        target: &Target<'u>,
    ) -> Result<Target<'u>, Reason> {
        match self {
            Self::Read(body) => target.clone().with_body(body),
            Self::Later | Self::Never(_) => Ok(target.clone()),
        }
    }

    pub(in crate::gateway) fn contents(&self, route: &Route) -> Contents<'_> {
        match self {
            Self::Later | Self::Never(_) => Contents::default(),
            Self::Read(body) => Contents {
                tools: &body.tools,
                file_uris: &body.file_uris,
                stored_state: &body.stored_state,
                output_uris: &body.output_uris,
                model_armor_templates: &body.model_armor_templates,
                max_output_tokens: body.max_output_tokens(route),
            },
        }
    }

    fn is_streamed(&self) -> bool {
        matches!(self, Self::Read(body) if body.is_streamed)
    }

    fn answers(&self) -> u64 {
        match self {
            Self::Read(body) => body.answers.unwrap_or(0),
            Self::Later | Self::Never(_) => 0,
        }
    }

    fn media(&self) -> Media {
        match self {
            Self::Read(body) => body.media,
            Self::Later | Self::Never(_) => Media::default(),
        }
    }

    pub(in crate::gateway) const fn reading<'c>(&self, contents: &'c Contents<'c>) -> Reading<'c> {
        match self {
            Self::Later => Reading::Later,
            Self::Never(_) => Reading::Never,
            Self::Read(_) => Reading::Done(contents),
        }
    }
}
