//! A decision told to people: the verdict that the gateway would come to, and, where no role
//! allows it, what each role lacks. The caller's claims are believed, nothing is cached.

use crate::error::{Reason, Refusal};
use crate::gateway::Gateway;
use crate::gateway::calls::log_tail::Facts;
use crate::gateway::decide::actions::Variables;
use crate::gateway::decide::connection::PeerLine;
use crate::gateway::decide::judge::{self, Known};
use crate::gateway::decide::request::{self, Request};
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::waiting::Patience;
use crate::json::Json;
use crate::oidc::Outcome;
use crate::policy::Miss;
use crate::time::Now;
use crate::vertex::Target;

/// A decision, told; refused or not.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Why it is refused; nothing if it is allowed.
    pub refusal: Option<Reason>,
    /// What the caller would be told.
    pub message: String,
    /// What is known, by the names of the log line.
    pub facts: Variables,
    /// The terms of the role that cap a request, by the names of `may`.
    pub caps: Vec<(&'static str, u64)>,
    /// What each role lacks, the nearest first; empty unless it is roles that refuse.
    pub nearest: Vec<(String, Vec<Miss>)>,
}

impl Gateway {
    /// Whether a token's signature holds, as far as its issuer's keys are at hand.
    ///
    /// # Errors
    /// Why the token is refused.
    pub fn has_verified(&self, token: &str, now: Now) -> Result<bool, Refusal> {
        match self.verifier.verify(token, now, now.mono) {
            Outcome::Valid(_) => Ok(true),
            Outcome::Wait(_) => Ok(false),
            Outcome::Refuse(refusal) => Err(refusal),
        }
    }

    /// Decides on a request of the caller with these claims.
    #[must_use]
    pub fn explain(&self, claims: &Json, request: &[u8], now: Now) -> Explanation {
        let session = self
            .verifier
            .identify(claims.clone(), now.wall)
            .and_then(|identity| Ok(self.session_of(identity, None)?));
        let session = match session {
            Ok(session) => session,
            Err(refusal) => {
                let reason = Some(refusal.reason);
                let message = Verdict::Deny(refusal).message(&self.accepted);
                let facts = Vec::new();
                let (caps, nearest) = (Vec::new(), Vec::new());
                return Explanation { refusal: reason, message, facts, caps, nearest };
            }
        };
        let within = (now.mono, Patience::Left);
        self.judge(request, Some(&session), now, within, |verdict, facts| {
            let reason = verdict.reason();
            let nearest = match reason {
                Some(Reason::RoleNone | Reason::BodyNotAllowed) => {
                    self.nearest(claims, request, now).unwrap_or_default()
                }
                _ => Vec::new(),
            };
            let message = verdict.message(&self.accepted);
            let caps = facts.role.map_or_else(Vec::new, |role| role.may.caps());
            Explanation { refusal: reason, message, facts: told(facts), caps, nearest }
        })
    }

    fn nearest(&self, claims: &Json, bytes: &[u8], now: Now) -> Option<Vec<(String, Vec<Miss>)>> {
        let identity = self.verifier.identify(claims.clone(), now.wall).ok()?;
        let issuer = self.verifier.issuers().get(identity.issuer)?;
        let caller = judge::caller(&identity, &issuer.config.name);
        let (head, body) = request::split(bytes).ok()?;
        let request = Request::parse(&head, body).ok()?;
        let url = request.origin_url().ok()?;
        let target = Target::parse(request.method, &url).ok()?;
        let body = Known::of(&request, &target).ok()?;
        let target = body.complete(&target).ok()?;
        let peer = request.peer.as_ref().map(PeerLine::as_peer);
        let contents = body.contents(target.route);
        let ask = judge::ask(&request, &target, body.reading(&contents), peer.as_ref(), now);
        let misses = self.policy.misses(&caller, &ask);
        Some(misses.into_iter().map(|(role, misses)| (role.name.clone(), misses)).collect())
    }
}

fn told(facts: &Facts<'_>) -> Variables {
    let session = facts.session;
    [
        ("principal", session.map(|session| session.principal.as_ref())),
        ("display", session.map(|session| session.display.as_ref())),
    ]
    .into_iter()
    .chain(facts.named())
    .filter_map(|(name, value)| Some((name, value.filter(|value| *value != "-")?.to_owned())))
    .collect()
}
