//! The verdict on a request.

use crate::error::{Reason, Refusal};
use crate::gateway::decide::waiting::Patience;
use crate::google::Signer;
use crate::limits::Exhausted;

/// The verdict on a request.
#[derive(Clone, Debug)]
pub(in crate::gateway) enum Verdict<'v> {
    /// It goes to Google, signed so.
    Allow(Signer<'v>),
    /// Answered by the gateway itself, with this JSON.
    Answer(String),
    /// Refused.
    Deny(Refusal),
    /// Refused for a limit.
    Exhausted(Exhausted),
    /// Not decided yet; the reason is for the refusal if it stays so.
    Wait(Reason),
    /// The client's end of the connection is needed.
    NeedsClient,
    /// The body is needed.
    NeedsBody,
}

impl Verdict<'_> {
    /// The verdict for a request with this patience: a wait becomes a refusal once it is spent.
    pub(in crate::gateway) fn within(self, patience: Patience) -> Self {
        match (self, patience) {
            (Self::Wait(reason), Patience::Spent) => Self::Deny(reason.into()),
            (Self::Wait(_), Patience::NoRoom) => Self::Deny(Reason::Busy.into()),
            (verdict, _) => verdict,
        }
    }

    /// The first word of the verdict's text.
    pub(in crate::gateway) const fn word(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Answer(_) => "answer",
            Self::Deny(_) | Self::Exhausted(_) => "deny",
            Self::Wait(_) => "wait",
            Self::NeedsClient => "peer",
            Self::NeedsBody => "body",
        }
    }

    /// Whether the verdict is final.
    pub(in crate::gateway) const fn is_final(&self) -> bool {
        matches!(self, Self::Allow(_) | Self::Answer(_) | Self::Deny(_) | Self::Exhausted(_))
    }

    /// The reason of a refusal, final or not.
    pub(in crate::gateway) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Allow(_) | Self::Answer(_) => None,
            Self::Deny(refusal) => Some(refusal.reason),
            Self::Wait(reason) => Some(*reason),
            Self::Exhausted(exhausted) => Some(exhausted.reason()),
            Self::NeedsClient | Self::NeedsBody => Some(Reason::Internal),
        }
    }

    /// The part of the request that is refused.
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
