//! Explains a decision: the verdict that the gateway would give and, if no role allows the request,
//! what each role lacks. The caller's claims are not verified, nothing is cached.

use crate::error::{Reason, Refusal};
use crate::gateway::decide::Decide;
use crate::gateway::decide::actions::Variables;
use crate::gateway::decide::connection::ClientEnd;
use crate::gateway::decide::judge::{self, Judgement};
use crate::gateway::decide::known_body::target_and_body;
use crate::gateway::decide::reply;
use crate::gateway::decide::request::{Received, Request};
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::waiting::Patience;
use crate::json::Json;
use crate::oidc::Outcome;
use crate::policy::NearMiss;
use crate::time::Now;

/// An explained decision.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Why the request is refused; `None` if it is allowed.
    pub refusal: Option<Reason>,
    /// What the caller would be told.
    pub message: String,
    /// The known facts, by their names in the log line.
    pub facts: Variables,
    /// The role's numeric terms that limit a request, by their names in `may`.
    pub caps: Vec<(&'static str, u64)>,
    /// What each role lacks, the nearest first; empty unless no role allows the request.
    pub nearest: Vec<(String, Vec<NearMiss>)>,
}

impl Decide {
    /// Verifies a token's signature if its issuer's keys are known. Returns whether they are.
    ///
    /// # Errors
    /// Why the token is refused.
    pub(in crate::gateway) fn has_verified(&self, token: &str, now: Now) -> Result<bool, Refusal> {
        match self.verifier.verify(token, now, now.mono) {
            Outcome::Valid(_) => Ok(true),
            Outcome::Wait(_) => Ok(false),
            Outcome::Refuse(refusal) => Err(refusal),
        }
    }

    /// Decides on a request of the caller with these claims.
    pub(in crate::gateway) fn explain(
        &self,
        claims: &Json,
        request: &[u8],
        now: Now,
    ) -> Explanation {
        let token = self
            .verifier
            .identify(claims.clone(), now.wall)
            .and_then(|identity| Ok(self.token_of(identity, (None, None))?));
        let received = Received::split(request);
        let request = received.request();
        let judgement = match token {
            Ok(token) => {
                let within = (now.mono, Patience::Left);
                self.judge(request.as_ref(), Some(&token), now, within)
            }
            Err(refusal) => Judgement::of(Verdict::Deny(refusal)),
        };
        // Nothing is fetched here: a token that is still to come refuses nothing.
        let awaits_credential =
            matches!(judgement.verdict, Verdict::Wait(Reason::CredentialUnavailable));
        let refusal = judgement.verdict.reason().filter(|_| !awaits_credential);
        let nearest = match (refusal, &request) {
            (
                Some(Reason::RoleNone | Reason::BodyNotAllowed | Reason::TierNotAllowed),
                Some(request),
            ) => self.nearest(claims, request, now).unwrap_or_default(),
            _ => Vec::new(),
        };
        Explanation {
            refusal,
            message: refusal
                .map(|_| reply::message(&judgement.verdict, &self.accepted))
                .unwrap_or_default(),
            facts: told(&judgement),
            caps: judgement.role.map_or_else(Vec::new, |role| role.may.caps()),
            nearest,
        }
    }

    fn nearest(
        &self,
        claims: &Json,
        request: &Request<'_>,
        now: Now,
    ) -> Option<Vec<(String, Vec<NearMiss>)>> {
        let identity = self.verifier.identify(claims.clone(), now.wall).ok()?;
        let issuer = self.verifier.issuers().get(identity.issuer)?;
        let caller = judge::caller(&identity, &issuer.config.name);
        let (target, body) = target_and_body(request)?;
        let client = request.client.as_ref().map(ClientEnd::as_client);
        let contents = body.contents(&target);
        let ask = judge::ask(request, &target, body.reading(&contents), client.as_ref(), now);
        let misses = self.policy.misses(&caller, &ask);
        Some(misses.into_iter().map(|(role, misses)| (role.name.clone(), misses)).collect())
    }
}

fn told(judgement: &Judgement<'_>) -> Variables {
    let token = judgement.token.as_ref();
    [
        ("principal", token.map(|token| token.principal.as_ref())),
        ("display", token.map(|token| token.display.as_ref())),
    ]
    .into_iter()
    .chain(judgement.named())
    .filter_map(|(name, value)| Some((name, value.filter(|value| *value != "-")?.to_owned())))
    .collect()
}
