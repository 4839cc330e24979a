//! The decision in three steps, for rules of HAProxy's in between: verify (who calls), authorize
//! (whether it is allowed), sign (as which Google identity). A step hands its result to the next
//! one in the passage, which no rule can reach.

use std::sync::Arc;

use crate::error::Reason;
use crate::gateway::decide::Decide;
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::request::Request;
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::verified_token::VerifiedToken;
use crate::gateway::decide::waiting::Patience;
use crate::google::{Authorization, Credential};
use crate::time::{Monotonic, Now};

/// What a step tells, by the names of the variables below `txn.vertex`.
pub type Variables = Vec<(&'static str, String)>;

/// A request's progress through the steps.
#[derive(Clone, Debug)]
pub struct Passage {
    pub(in crate::gateway) token: Arc<VerifiedToken>,
    pub(in crate::gateway) grant: Option<Grant>,
}

/// An allowed request.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Grant {
    /// The number of its bearer.
    pub(in crate::gateway) bearer: usize,
    pub(in crate::gateway) call: Option<u64>,
    pub(in crate::gateway) target: SignedTarget,
    pub(in crate::gateway) location: String,
    /// The log tail, for the case that another credential than the role's signs.
    pub(in crate::gateway) audit: String,
    /// The variables for the case that no credential can sign.
    pub(in crate::gateway) unavailable: Variables,
}

/// The allowed target, as it is sent to Google.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTarget {
    /// The method.
    pub method: String,
    /// Google's host.
    pub host: String,
    /// Path and query.
    pub uri: String,
    /// A header of the caller's that does not leave.
    pub without: Option<&'static str>,
}

/// What replaces the caller's request when it is sent to Google.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What is sent in place of the caller's token.
    pub authorization: Authorization,
    /// The number of the call.
    pub call: Option<u64>,
    /// `None` for a credential that is used without a role: then the request is sent as it is.
    pub target: Option<SignedTarget>,
}

/// The result of a step.
#[derive(Clone, Debug)]
pub enum Step<T> {
    /// Ask again later.
    Wait,
    /// Ask again with more of the request: `peer` or `body`.
    Needs(&'static str),
    /// The request is refused.
    Refused(Variables),
    /// The step succeeded.
    Done(T, Variables),
}

impl Decide {
    /// Verifies the caller's token; without one, returns the verdict.
    pub(in crate::gateway) fn verify(
        &self,
        request: Option<&Request<'_>>,
        now: Now,
        (since, patience): (Monotonic, Patience),
    ) -> Result<Arc<VerifiedToken>, Verdict<'static>> {
        let request = request.ok_or_else(|| Verdict::from(Reason::Internal))?;
        let token = self.token(request, now, since);
        token.map_err(|verdict| verdict.within(patience))
    }

    /// Judges what the verified caller asks for. The token is checked again, as there may be a wait
    /// between the steps.
    pub(in crate::gateway) fn permit<'j>(
        &'j self,
        token: &Arc<VerifiedToken>,
        request: Option<&'j Request<'_>>,
        now: Now,
        within: (Monotonic, Patience),
    ) -> Judgement<'j> {
        match token.check(now.wall) {
            Ok(()) => self.judge(request, Some(token), now, within),
            Err(reason) => Judgement { token: Some(Arc::clone(token)), ..Judgement::of(reason) },
        }
    }

    /// The `Authorization` header for a request, and its credential if that is not the role's own.
    /// Without a role only a credential with `without_role` is used.
    pub(in crate::gateway) fn sign(
        &self,
        grant: Option<&Grant>,
        name: &str,
        now: Now,
    ) -> Option<(Authorization, Option<&Credential>)> {
        if let ("role", Some(grant)) = (name, grant) {
            return Some((self.bearers.header_of(grant.bearer, now)?, None));
        }
        let location = grant.map(|grant| grant.location.as_str());
        let (credential, slot) = self.bearers.named(name, location)?;
        // The path of an API key's request is another than that of a token's.
        let is_api_key = |number| self.bearers.is_api_key(number);
        let may_sign = match grant {
            Some(grant) => is_api_key(grant.bearer) == is_api_key(slot.number()),
            None => credential.without_role,
        };
        let header = self.bearers.header_of(slot.number(), now).filter(|_| may_sign)?;
        Some((header, Some(credential)))
    }
}
