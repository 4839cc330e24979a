//! The verdict as one line of text, cut by HAProxy's `field(n,|)`. The decision stands first, what a
//! rule reads often comes early (HAProxy walks every byte it skips), the audit tail is last. No field
//! can hold the separator: names and hosts come from checked alphabets, the tail is percent-encoded,
//! JSON writes it as an escape.
//!
//! | field | allow | deny, wait, peer, body |
//! |---|---|---|
//! | 1 | `allow` | `deny`; `wait`, `peer`, `body`: not the last word |
//! | 2 | location | HTTP status |
//! | 3 | handle of the bearer | reason code |
//! | 4 | the call (see `CallMark`) | `WWW-Authenticate`; for a 429 what is left of the limit (see `rate_limit_headers`); or `-` |
//! | 5 | the request's id | the request's id |
//! | 6 | value of `X-Vertex-AI-Labels`, or `-` | seconds of `Retry-After`, or `-`; nothing for a limit that never has room |
//! | 7 | Google's host | error JSON |
//! | 8 | path and query | |
//! | last but one | signals, or `-` | signals, or `-` |
//! | last | audit tail | audit tail |

use std::fmt::Write as _;

use crate::error::{Reason, Refusal, Status};
use crate::gateway::calls::log_tail::{self, Decision, Facts};
use crate::gateway::calls::table::CallMark;
use crate::gateway::decide::dialect::Dialect;
use crate::gateway::decide::rate_limit_headers;
use crate::gateway::decide::request::Request;
use crate::gateway::decide::waiting::Patience;
use crate::limits::Exhausted;
use crate::vertex::Target;

/// When a caller may try again: the longest that keys or a credential are away as a rule.
const RETRY_AFTER_SECS: &str = "5";

/// The outcome of a decision.
#[derive(Clone, Debug)]
pub(in crate::gateway) enum Verdict<'v> {
    Allow {
        target: &'v Target<'v>,
        host: &'v str,
        handle: &'v str,
        /// Nothing where the request is not made: it is only asked about.
        call: Option<CallMark>,
        labels: Option<&'v str>,
    },
    Deny(Refusal),
    /// Refused for a limit.
    Exhausted(Exhausted),
    /// Undecided; the reason is what to say if it stays so.
    Wait(Reason),
    /// Who is at the other end of the connection has to be known.
    NeedsPeer,
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

    /// Why it is no allow.
    pub(in crate::gateway) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Allow { .. } => None,
            Self::Deny(refusal) => Some(refusal.reason),
            Self::Wait(reason) => Some(*reason),
            Self::Exhausted(exhausted) => Some(exhausted.reason()),
            Self::NeedsPeer | Self::NeedsBody => Some(Reason::Internal),
        }
    }

    /// What of the request is refused.
    fn detail(&self) -> Option<&str> {
        match self {
            Self::Deny(refusal) => refusal.detail.as_deref(),
            _ => None,
        }
    }

    /// The line of text. `accepted` says which tokens are taken here.
    pub(in crate::gateway) fn render(&self, facts: &Facts<'_>, accepted: &str) -> String {
        let facts = &Facts { detail: self.detail(), ..*facts };
        let mut out = String::with_capacity(1024);
        let (decision, reason) = match self {
            Self::Allow { target, host, handle, call, labels } => {
                for part in ["allow|", target.location, "|", handle, "|"] {
                    out.push_str(part);
                }
                match call {
                    Some(call) => call.write_to(&mut out),
                    None => out.push('-'),
                }
                for part in ["|", facts.id(), "|", labels.unwrap_or("-"), "|", host, "|"] {
                    out.push_str(part);
                }
                target.write_to(&mut out);
                out.push('|');
                write_signals(&mut out, facts);
                log_tail::write_tail(&mut out, Decision::Allow, None, facts);
                return out;
            }
            Self::Deny(refusal) => (Decision::Deny, refusal.reason),
            Self::Exhausted(exhausted) => (Decision::Deny, exhausted.reason()),
            Self::Wait(reason) => (Decision::Wait, *reason),
            Self::NeedsPeer => return undecided(out, Decision::Peer, facts),
            Self::NeedsBody => return undecided(out, Decision::Body, facts),
        };
        if let Self::Exhausted(exhausted) = self {
            write_exhausted(&mut out, exhausted, facts);
            return out;
        }
        write_refusal(&mut out, decision, reason, &self.message(accepted), facts);
        out
    }

    /// What the caller is told.
    pub(in crate::gateway) fn message(&self, accepted: &str) -> String {
        match self {
            Self::Deny(refusal) => match refusal.reason {
                Reason::GoogleTokenNotAccepted | Reason::IssuerUnknown | Reason::AudienceWrong => {
                    format!("{}; this gateway wants a token of {accepted}", refusal.message())
                }
                _ => refusal.message(),
            },
            Self::Wait(reason) => reason.text().to_owned(),
            Self::Exhausted(exhausted) => exhausted.message(),
            Self::Allow { .. } => String::new(),
            Self::NeedsPeer | Self::NeedsBody => Reason::Internal.text().to_owned(),
        }
    }
}

/// Often not the last word, so it must be cheap.
fn undecided(mut out: String, decision: Decision, facts: &Facts<'_>) -> String {
    let dialect = facts.request.map(Request::dialect).unwrap_or_default();
    for part in [decision.name(), "|503|internal|-|", facts.id(), "|5|", dialect.undecided(), "|-|"]
    {
        out.push_str(part);
    }
    log_tail::write_tail(&mut out, decision, Some(Reason::Internal), facts);
    out
}

fn write_exhausted(out: &mut String, exhausted: &Exhausted, facts: &Facts<'_>) {
    let reason = exhausted.reason();
    let dialect = facts.request.map(Request::dialect).unwrap_or_default();
    let retry_after = match exhausted.never {
        true => String::new(),
        false => exhausted.retry_after_secs.to_string(),
    };
    let _ = write!(
        out,
        "deny|{}|{}|{}|{}|{}|{}|",
        reason.status().code,
        reason.code(),
        rate_limit_headers::told(dialect, exhausted),
        facts.id(),
        retry_after,
        dialect.exhausted(exhausted, facts.known_id()).replace('|', "\\u007c"),
    );
    write_signals(out, facts);
    log_tail::write_tail(out, Decision::Deny, Some(reason), facts);
}

fn write_signals(out: &mut String, facts: &Facts<'_>) {
    if facts.signals.is_empty() {
        out.push('-');
    }
    for (index, signal) in facts.signals.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(signal.name());
    }
    out.push('|');
}

fn write_refusal(
    out: &mut String,
    decision: Decision,
    reason: Reason,
    message: &str,
    facts: &Facts<'_>,
) {
    let status = reason.status();
    let _ = write!(out, "{}|{}|{}|", decision.name(), status.code, reason.code());
    match (status.code, reason.bearer_error()) {
        (401, Some(error)) => {
            let text = reason.text();
            let _ = write!(
                out,
                r#"Bearer realm="vertex", error="{error}", error_description="{text}""#
            );
        }
        (401, None) => out.push_str(r#"Bearer realm="vertex""#),
        _ => out.push('-'),
    }
    let dialect = facts.request.map(Request::dialect).unwrap_or_default();
    let json = dialect.refusal(reason, message, facts.known_id());
    write_told(out, status, facts.id(), &json);
    write_signals(out, facts);
    log_tail::write_tail(out, decision, Some(reason), facts);
}

/// The fields of a refusal from its id on: what its caller is told.
fn write_told(out: &mut String, status: Status, id: &str, json: &str) {
    let retry_after = if status.code == 503 { RETRY_AFTER_SECS } else { "-" };
    let json = json.replace('|', "\\u007c");
    for part in ["|", id, "|", retry_after, "|", &json, "|"] {
        out.push_str(part);
    }
}

/// The refusal of a request that had this verdict, for what came up afterwards. The caller, the role
/// and the target stay as they were; nothing for a text that is no verdict.
pub(in crate::gateway) fn refused(verdict: &str, reason: Reason) -> Option<String> {
    let id = verdict.split('|').nth(4)?;
    let tail = log_tail::with_outcome(verdict.rsplit('|').next()?, Some(reason))?;
    let json = Dialect::of(&tail).refusal(reason, reason.text(), Some(id));
    let mut out = format!("deny|{}|{}|-", reason.status().code, reason.code());
    write_told(&mut out, reason.status(), id, &json);
    out.push_str("-|");
    out.push_str(&tail);
    Some(out)
}

/// The id in a verdict; nothing where there is none.
pub(in crate::gateway) fn id_in(verdict: &str) -> Option<&str> {
    verdict.split('|').nth(4).filter(|id| !matches!(*id, "" | "-"))
}
