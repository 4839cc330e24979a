//! The outcome of a decision.

use crate::error::{Reason, Refusal};
use crate::gateway::decide::waiting::Patience;
use crate::limits::Exhausted;

/// The outcome of a decision.
#[derive(Clone, Debug)]
pub(in crate::gateway) enum Verdict<'v> {
    /// It goes to Google.
    Allow {
        /// Google's host.
        host: &'v str,
        /// The handle of the bearer.
        handle: &'v str,
    },
    /// Refused.
    Deny(Refusal),
    /// Refused for a limit.
    Exhausted(Exhausted),
    /// Undecided; the reason is what to say if it stays so.
    Wait(Reason),
    /// Who is at the other end of the connection has to be known.
    NeedsClient,
    /// The body has to be read.
    NeedsBody,
}

impl Verdict<'_> {
    /// A verdict for a request with this patience.
    pub(in crate::gateway) fn within(self, patience: Patience) -> Self {
        match (self, patience) {
            (Self::Wait(reason), Patience::Spent) => Self::Deny(reason.into()),
            (Self::Wait(_), Patience::NoRoom) => Self::Deny(Reason::Busy.into()),
            (verdict, _) => verdict,
        }
    }

    /// The first word of its text.
    pub(in crate::gateway) const fn word(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Deny(_) | Self::Exhausted(_) => "deny",
            Self::Wait(_) => "wait",
            Self::NeedsClient => "peer",
            Self::NeedsBody => "body",
        }
    }

    /// Whether it is the last word on the request.
    pub(in crate::gateway) const fn is_final(&self) -> bool {
        matches!(self, Self::Allow { .. } | Self::Deny(_) | Self::Exhausted(_))
    }

    /// Why it is no allow.
    pub(in crate::gateway) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Allow { .. } => None,
            Self::Deny(refusal) => Some(refusal.reason),
            Self::Wait(reason) => Some(*reason),
            Self::Exhausted(exhausted) => Some(exhausted.reason()),
            Self::NeedsClient | Self::NeedsBody => Some(Reason::Internal),
        }
    }

    /// What of the request is refused.
    pub(in crate::gateway) fn detail(&self) -> Option<&str> {
        match self {
            Self::Deny(refusal) => refusal.detail.as_deref(),
            _ => None,
        }
    }
}

impl From<Reason> for Verdict<'_> {
    fn from(reason: Reason) -> Self {
        Self::Deny(reason.into())
    }
}
