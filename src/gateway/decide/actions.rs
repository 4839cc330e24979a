//! The decision in three steps, for rules that look at it in between: who asks (verify), whether
//! that is allowed (authorize), and as whom it goes on (sign). What one step found, the next one
//! takes from the passage, which no rule can reach.

use std::sync::Arc;

use crate::error::Reason;
use crate::gateway::decide::Decide;
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::request::Request;
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::decide::verified_token::VerifiedToken;
use crate::gateway::decide::waiting::Patience;
use crate::google::Credential;
use crate::time::{Monotonic, Now};

/// What a step tells, by the names of the variables below `txn.vertex`.
pub type Variables = Vec<(&'static str, String)>;

/// How far one request has come.
#[derive(Clone, Debug)]
pub struct Passage {
    pub(in crate::gateway) token: Arc<VerifiedToken>,
    pub(in crate::gateway) grant: Option<Grant>,
}

/// What was allowed.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Grant {
    /// The number of the credential's slot.
    pub(in crate::gateway) slot: usize,
    pub(in crate::gateway) call: Option<u64>,
    pub(in crate::gateway) target: SignedTarget,
    pub(in crate::gateway) location: String,
    /// The log tail, for a credential that is not the role's.
    pub(in crate::gateway) audit: String,
    /// What to tell if there is no credential to sign with.
    pub(in crate::gateway) unavailable: Variables,
}

/// What was decided on, as it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTarget {
    /// The method.
    pub method: String,
    /// Google's host.
    pub host: String,
    /// Path and query.
    pub uri: String,
}

/// What leaves in place of what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The value of the `Authorization` header.
    pub authorization: Arc<str>,
    /// The call that leaves with it.
    pub call: Option<u64>,
    /// Nothing for a credential that is used without a role: then the request leaves as it is.
    pub target: Option<SignedTarget>,
}

/// The end of a step.
#[derive(Clone, Debug)]
pub enum Step<T> {
    /// It is to be asked again later.
    Wait,
    /// It is to be asked again with more of the request: `peer` or `body`.
    Needs(&'static str),
    /// No.
    Refused(Variables),
    /// Yes.
    Done(T, Variables),
}

impl Decide {
    /// Who asks: the caller's token, or the verdict without one.
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

    /// Whether a verified caller may do what the request asks for. A wait may lie between the steps,
    /// so the token is looked at again.
    pub(in crate::gateway) fn permit<'j>(
        &'j self,
        token: &Arc<VerifiedToken>,
        request: Option<&'j Request<'_>>,
        now: Now,
        within: (Monotonic, Patience),
    ) -> Judgement<'j> {
        let holds = match token.is_current() {
            true => token.validity.check(now.wall),
            false => Err(Reason::KeyUnknown),
        };
        match holds {
            Ok(()) => self.judge(request, Some(token), now, within),
            Err(reason) => Judgement { token: Some(Arc::clone(token)), ..Judgement::of(reason) },
        }
    }

    /// The `Authorization` header for a request, and whose it is where that is not the role's own
    /// credential. Without a role only a credential that the configuration gives away so.
    pub(in crate::gateway) fn sign(
        &self,
        grant: Option<&Grant>,
        name: &str,
        now: Now,
    ) -> Option<(Arc<str>, Option<&Credential>)> {
        if let ("role", Some(grant)) = (name, grant) {
            return Some((self.bearers.header_of(grant.slot, now)?, None));
        }
        let location = grant.map(|grant| grant.location.as_str());
        let (credential, slot) = self.bearers.named(name, location)?;
        let may_sign = grant.is_some() || credential.without_role;
        let header = self.bearers.header_of(slot.number(), now).filter(|_| may_sign)?;
        Some((header, Some(credential)))
    }
}
