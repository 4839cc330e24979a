//! The whole decision on one request, in one call: identity, target, role, credential. Nothing
//! here does I/O or reads a clock; the host says what time it is and fetches what `step` names.

mod audit;
mod load;
mod request;
mod session;
mod verdict;
mod waiting;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Reason;
use crate::google::Bearers;
use crate::jose;
use crate::oidc::{Issuer, MAX_UNANSWERED, Outcome, Reply, StoredKeys, Verifier};
use crate::policy::{Ask, Policy};
use crate::time::{Monotonic, Now};
use crate::vertex::Target;
use audit::Facts;
use request::Request;
use session::{Session, Sessions};
use verdict::Verdict;
use waiting::{Patience, Waiting};

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
        let learnt = self.learnt.load(Ordering::Acquire);
        let patience = self.waiting.news(ticket, learnt, now.mono)?;
        let verdict = self.decide_within(request, now, patience);
        if verdict.starts_with(verdict::WAIT) {
            return None;
        }
        self.waiting.end(ticket);
        Some(verdict)
    }

    fn decide_within(
        &self,
        request: &[u8],
        now: Now,
        (since, patience): (Monotonic, Patience),
    ) -> String {
        // What is not UTF-8 is read as a character that no URL and no token can hold.
        let text = match str::from_utf8(request) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(request),
        };
        let Ok(request) = Request::parse(&text) else {
            return Verdict::Deny(Reason::Internal).render(&Facts::default(), &self.accepted);
        };
        let mut facts = Facts { request: Some(&request), ..Facts::default() };
        let session = match self.session(&request, now, since) {
            Ok(session) => session,
            Err(verdict) => return verdict.within(patience).render(&facts, &self.accepted),
        };
        facts.session = Some(&session);
        let target = match request.target() {
            Ok(target) => target,
            Err(reason) => return Verdict::Deny(reason).render(&facts, &self.accepted),
        };
        facts.target = Some(&target);
        let verdict = match request.forbidden_header() {
            Some(reason) => Verdict::Deny(reason),
            None => self.authorize(&session, &target, &mut facts, now),
        };
        verdict.within(patience).render(&facts, &self.accepted)
    }

    /// The role that decides, and its credential's bearer.
    fn authorize<'g>(
        &'g self,
        session: &Session,
        target: &'g Target<'g>,
        facts: &mut Facts<'g>,
        now: Now,
    ) -> Verdict<'g> {
        let Some(role) = self.policy.decide(&session.roles, ask(target)) else {
            return Verdict::Deny(Reason::RoleNone);
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

fn ask<'t>(target: &Target<'t>) -> Ask<'t> {
    Ask {
        project: target.project,
        location: target.location,
        publisher: target.publisher,
        model: target.model,
        method: target.method.name(),
    }
}

/// All threads of HAProxy share one gateway; mlua cannot check that here.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Gateway>();
};
