//! The whole decision on one request, in one call: identity, target, role, credential. Nothing
//! here does I/O or reads a clock; the host says what time it is and fetches what `step` names.

mod audit;
mod dialect;
mod load;
mod peer;
mod request;
mod session;
mod steps;
mod verdict;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Reason;
use crate::google::Bearers;
use crate::jose;
use crate::oidc::{Issuer, MAX_UNANSWERED, Outcome, Reply, StoredKeys, Verifier};
use crate::policy::{self, Ask, Contents, Policy};
use crate::time::{Monotonic, Now};
use crate::vertex::{Body, Target};
use audit::Facts;
use dialect::Dialect;
use peer::PeerLine;
use request::{Payload, Request};
use session::{Session, Sessions};
use verdict::Verdict;
use waiting::{Patience, Waiting};

pub use steps::{Passage, Signed, SignedTarget, Step, Variables};

/// A request to an issuer that is due now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// To be given back with the answer.
    pub id: u64,
    /// The host to ask, also the end of the backend's name.
    pub authority: String,
    /// The path to ask for.
    pub path: String,
}

/// A configuration at work, shared by all threads.
#[derive(Debug)]
pub struct Gateway {
    verifier: Verifier,
    sessions: Sessions,
    policy: Policy,
    bearers: Bearers,
    waiting: Waiting,
    /// Counts what may end a wait: answers, and tokens signed.
    learnt: AtomicU64,
    /// Which tokens are taken here, for callers who bring another.
    accepted: String,
}

impl Gateway {
    /// The verdict on a request that has just come, as one line of text (see `verdict`).
    #[must_use]
    pub fn decide(&self, request: &[u8], now: Now) -> String {
        self.decide_within(request, now, (now.mono, Patience::Left))
    }

    /// Admits a request to the slow path: the number of its ticket, 0 when too many wait already.
    #[must_use]
    pub fn start_waiting(&self, now: Now) -> u64 {
        self.waiting.start(now.mono)
    }

    /// The verdict on a request that waits; nothing while it has to wait on.
    #[must_use]
    pub fn resume(&self, request: &[u8], ticket: u64, now: Now) -> Option<String> {
        let within = self.waiting.news(ticket, self.learnt(), now.mono)?;
        let verdict = self.decide_within(request, now, within);
        match verdict.split('|').next() {
            Some("wait") => return None,
            // It comes back with what is missing.
            Some("peer" | "body") => self.waiting.again(ticket),
            _ => self.waiting.end(ticket),
        }
        Some(verdict)
    }

    fn learnt(&self) -> u64 {
        self.learnt.load(Ordering::Acquire)
    }

    fn decide_within(&self, request: &[u8], now: Now, within: (Monotonic, Patience)) -> String {
        let render =
            |verdict: Verdict<'_>, facts: &Facts<'_>| verdict.render(facts, &self.accepted);
        self.judge(request, None, now, within, render)
    }

    /// Comes to a verdict and hands it, with what it rests on, to `take`. A caller who is `known`
    /// brings no token any more.
    fn judge<T>(
        &self,
        request: &[u8],
        known: Option<&Arc<Session>>,
        now: Now,
        (since, patience): (Monotonic, Patience),
        take: impl FnOnce(Verdict<'_>, &Facts<'_>) -> T,
    ) -> T {
        let Ok((head, body)) = request::split(request) else {
            return take(Verdict::Deny(Reason::Internal), &Facts::default());
        };
        let Ok(request) = Request::parse(&head, body) else {
            return take(Verdict::Deny(Reason::Internal), &Facts::default());
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
            Err(reason) => return take(Verdict::Deny(reason), &facts),
        };
        let target = match Target::parse(request.method, &url) {
            Ok(target) => target,
            Err(reason) => return take(Verdict::Deny(reason), &facts),
        };
        facts.target = Some(&target);
        if let Some(reason) = request.forbidden_header() {
            return take(Verdict::Deny(reason), &facts);
        }
        let verdict = match Self::first_look(&request, &target) {
            Ok(contents) => self.authorize(&session, &target, contents, &mut facts, now),
            Err(verdict) => verdict,
        };
        if !matches!(verdict, Verdict::NeedsBody) {
            return take(verdict.within(patience), &facts);
        }
        let body = match Self::read(&request) {
            Ok(body) => body,
            Err(verdict) => return take(verdict, &facts),
        };
        let target = match target.clone().with_body(&body) {
            Ok(target) => target,
            Err(reason) => return take(Verdict::Deny(reason), &facts),
        };
        let mut facts = Facts { target: Some(&target), ..facts };
        let contents = contents(&body, request.content_length());
        let verdict = self.authorize(&session, &target, Some(contents), &mut facts, now);
        take(verdict.within(patience), &facts)
    }

    /// What is known of the contents before any body is read.
    fn first_look(
        request: &Request<'_>,
        target: &Target<'_>,
    ) -> Result<Option<Contents<'static>>, Verdict<'static>> {
        match request.payload() {
            Payload::Empty if target.names_model_in_body() => {
                Err(Verdict::Deny(Reason::ModelMissing))
            }
            Payload::Empty => Ok(Some(Contents::default())),
            _ if !target.route.takes_body() => Err(Verdict::Deny(Reason::BodyNotAllowed)),
            _ if target.names_model_in_body() => Err(Verdict::NeedsBody),
            _ => Ok(None),
        }
    }

    fn read(request: &Request<'_>) -> Result<Body, Verdict<'static>> {
        match request.payload() {
            Payload::Whole(_) if !request.is_json() => Err(Verdict::Deny(Reason::BodyNotJson)),
            Payload::Whole(bytes) => Body::scan(bytes).map_err(Verdict::Deny),
            Payload::Unread => Err(Verdict::NeedsBody),
            Payload::Unreadable | Payload::Empty => Err(Verdict::Deny(Reason::BodyTooLargeToCheck)),
        }
    }

    /// The role that decides, and its credential's bearer.
    fn authorize<'g>(
        &'g self,
        session: &Session,
        target: &'g Target<'g>,
        contents: Option<Contents<'_>>,
        facts: &mut Facts<'g>,
        now: Now,
    ) -> Verdict<'g> {
        let request = facts.request;
        let peer = request.and_then(|request| request.peer.as_ref()).map(PeerLine::as_peer);
        let ask = Ask {
            project: target.project,
            location: target.location,
            model: target.model.map(|model| (model.publisher, model.name)),
            method: &target.route.method,
            wall: now.wall,
            peer: peer.as_ref(),
            contents: contents.as_ref(),
            size: request.and_then(Request::content_length),
        };
        let role = match self.policy.decide(&session.roles, &ask) {
            policy::Decision::Allow(role) => role,
            policy::Decision::RoleNone => return Verdict::Deny(Reason::RoleNone),
            policy::Decision::BodyNotAllowed(condition) => return Verdict::DenyBody(condition),
            policy::Decision::NeedPeer => return Verdict::NeedsPeer,
            policy::Decision::NeedContents => return Verdict::NeedsBody,
        };
        facts.role = Some(role);
        facts.credential = self.bearers.credential(role.credential);
        match self.bearers.slot(role.credential, target.location) {
            None => Verdict::Deny(Reason::LocationWithoutBackend),
            Some(slot) if slot.is_ready(now) => {
                Verdict::Allow { target, host: slot.host(), handle: slot.handle() }
            }
            Some(_) => Verdict::Wait(Reason::CredentialUnavailable),
        }
    }

    /// Who asks: from the cache of verified tokens, or verified now.
    fn session(
        &self,
        request: &Request<'_>,
        now: Now,
        since: Monotonic,
    ) -> Result<Arc<Session>, Verdict<'static>> {
        let token = request.token().map_err(Verdict::Deny)?;
        let digest = jose::digest(token.as_bytes());
        if let Some(session) = self.sessions.get(&digest)
            && session.key.is_current()
        {
            session.validity.check(now.wall).map_err(Verdict::Deny)?;
            return Ok(session);
        }
        match self.verifier.verify(token, now, since) {
            Outcome::Refuse(reason) => Err(Verdict::Deny(reason)),
            Outcome::Wait(reason) => Err(Verdict::Wait(reason)),
            Outcome::Valid(verified) => {
                let issuer = self.verifier.issuers().get(verified.issuer);
                let issuer = issuer.ok_or(Verdict::Deny(Reason::Internal))?;
                let session = Arc::new(Session::new(verified, &issuer.config.name, &self.policy));
                self.sessions.insert(digest, Arc::clone(&session));
                Ok(session)
            }
        }
    }

    /// The `Authorization` header behind a verdict's handle; nothing for any other text.
    #[must_use]
    pub fn bearer(&self, handle: &[u8], now: Now) -> Option<Arc<str>> {
        self.bearers.header(str::from_utf8(handle).ok()?, now)
    }

    /// Signs what is due, and names a document that is to be fetched now.
    #[must_use]
    pub fn step(&self, now: Now) -> Option<Fetch> {
        if self.bearers.step(now) {
            self.learnt.fetch_add(1, Ordering::Release);
        }
        self.verifier.issuers().iter().zip(0_u32..).find_map(|(issuer, index)| {
            let (number, endpoint) = issuer.step(now)?;
            Some(Fetch {
                id: (u64::from(index) << 32) | u64::from(number),
                authority: endpoint.authority,
                path: endpoint.path,
            })
        })
    }

    /// Takes what a fetch brought; an answer that is no longer awaited is dropped.
    pub fn answer(&self, id: u64, reply: &Reply, now: Now) {
        let (Ok(index), Ok(number)) = (usize::try_from(id >> 32), u32::try_from(id & 0xffff_ffff))
        else {
            return;
        };
        if let Some(issuer) = self.verifier.issuers().get(index) {
            issuer.answer(number, reply, now);
            self.learnt.fetch_add(1, Ordering::Release);
        }
    }

    /// How many tasks HAProxy needs: all that fetches can hold at once, and one that signs on.
    #[must_use]
    pub fn fetchers(&self) -> usize {
        self.verifier.issuers().len().saturating_mul(MAX_UNANSWERED).saturating_add(1)
    }

    /// The keys of every issuer, as `state_file` reads them back.
    #[must_use]
    pub fn keys_json(&self) -> String {
        let stored: Vec<StoredKeys> =
            self.verifier.issuers().iter().filter_map(Issuer::stored).collect();
        serde_json::json!({ "issuers": stored }).to_string()
    }
}

/// A refusal as JSON, in the dialect that is spoken at the path in `text`.
#[must_use]
pub fn refusal(reason: Reason, text: &str) -> String {
    Dialect::of(text).refusal(reason, reason.text())
}

fn contents(body: &Body, size: Option<u64>) -> Contents<'_> {
    Contents {
        size: size.unwrap_or(0),
        tools: &body.tools,
        file_uris: &body.file_uris,
        cached_contents: &body.cached_contents,
        output_uris: &body.output_uris,
        model_armor_templates: &body.model_armor_templates,
        max_output_tokens: body.max_output_tokens,
    }
}

/// All threads of HAProxy share one gateway; mlua cannot check that here.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Gateway>();
};
