//! The whole decision on one request, in one call: identity, target, role, credential. Nothing
//! here does I/O or reads a clock; the host says what time it is and fetches what `step` names.

mod audit;
mod request;
mod session;
mod verdict;
mod waiting;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Config;
use crate::error::{ConfigError, Reason};
use crate::google::Bearers;
use crate::haproxy::Haproxy;
use crate::jose;
use crate::oidc::{Issuer, MAX_UNANSWERED, Outcome, Reply, StoredKeys, Verifier};
use crate::policy::{Ask, Policy};
use crate::time::{Monotonic, Now};
use crate::vertex::{Target, host_of};
use audit::Facts;
use request::Request;
use session::{Session, Sessions};
use verdict::Verdict;
use waiting::{Patience, Waiting};

/// Backends of HAProxy's are called so, and then the location.
const LOCATION_BACKEND: &str = "vertex_";

/// Backends that lead to an issuer's host are called so, and then its authority.
const FETCH_BACKEND: &str = "vertex_fetch_";

/// Where HAProxy sends a request whose location has no backend; it is no location itself.
const UNROUTED_BACKEND: &str = "vertex_unrouted";

/// Beside the bearer, a request may grow by its Host and path before HAProxy runs out of room.
const REWRITE_RESERVE_BYTES: usize = 1024;

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
    /// Sets a checked configuration to work: tokens for Google are signed before this returns.
    ///
    /// # Errors
    /// A backend that is missing, buffers that are too small.
    pub fn open(config: Config, haproxy: &Haproxy, now: Now) -> Result<Self, ConfigError> {
        let file = config.file.clone();
        Self::try_open(config, haproxy, now).map_err(|error| ConfigError { file, ..error })
    }

    fn try_open(config: Config, haproxy: &Haproxy, now: Now) -> Result<Self, ConfigError> {
        let locations: Vec<(String, String)> = haproxy
            .backends
            .iter()
            .filter(|name| !name.starts_with(FETCH_BACKEND) && name.as_str() != UNROUTED_BACKEND)
            .filter_map(|name| name.strip_prefix(LOCATION_BACKEND))
            .map(|location| (location.to_owned(), host_of(location)))
            .collect();
        config.check_backends(&haproxy.backends, LOCATION_BACKEND, FETCH_BACKEND)?;
        let seal = jose::random_hex()
            .ok_or_else(|| ConfigError::at("", "the system gives no random numbers"))?;
        let accepted = config.issuers.iter().fold(String::new(), |mut text, issuer| {
            let separator = if text.is_empty() { "" } else { "; or " };
            let audiences = issuer.audiences.join(" or ");
            let _ = write!(text, "{separator}issuer {}, audience {audiences}", issuer.issuer);
            text
        });
        let issuers: Vec<_> =
            config.issuers.into_iter().map(|issuer| Issuer::new(issuer, now)).collect();
        for stored in &config.stored_keys {
            for issuer in issuers.iter().filter(|i| i.config.issuer == stored.issuer) {
                if let Err(why) = issuer.restore(stored, now) {
                    log::warn!("issuer {}: keys of the state file: {why}", issuer.config.name);
                }
            }
        }
        let gateway = Self {
            verifier: Verifier::new(issuers),
            sessions: Sessions::default(),
            policy: Policy::new(config.roles),
            bearers: Bearers::new(config.credentials, locations, &seal, now),
            waiting: Waiting::default(),
            learnt: AtomicU64::new(0),
            accepted,
        };
        gateway.check_buffers(haproxy)?;
        Ok(gateway)
    }

    fn check_buffers(&self, haproxy: &Haproxy) -> Result<(), ConfigError> {
        let longest = self.bearers.longest_header();
        let wanted = longest.saturating_add(REWRITE_RESERVE_BYTES);
        if haproxy.maxrewrite >= wanted && haproxy.bufsize >= haproxy.maxrewrite.saturating_mul(2) {
            return Ok(());
        }
        let maxrewrite = wanted.next_power_of_two().max(4096);
        let bufsize = maxrewrite.saturating_mul(4).max(65_536);
        Err(ConfigError::at(
            "/credentials",
            format!(
                "an Authorization header of {longest} bytes does not fit tune.maxrewrite {} in \
                 tune.bufsize {}: write `setenv VERTEX_MAXREWRITE {maxrewrite}` and `setenv \
                 VERTEX_BUFSIZE {bufsize}` in `global` before vertex.cfg is read",
                haproxy.maxrewrite, haproxy.bufsize
            ),
        ))
    }

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
        let Ok(request) = Request::parse(request) else {
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

    /// How many tasks of HAProxy's fetches can hold at once.
    #[must_use]
    pub fn fetchers(&self) -> usize {
        let unanswered = usize::try_from(MAX_UNANSWERED).unwrap_or(1);
        self.verifier.issuers().len().saturating_mul(unanswered)
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
