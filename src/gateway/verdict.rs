//! The verdict as one line of text, cut by HAProxy's `field(n,|)`. The decision stands first, what a
//! rule reads often comes early (HAProxy walks every byte it skips), the audit tail is last. No field
//! can hold the separator: names and hosts come from checked alphabets, the tail is percent-encoded,
//! JSON writes it as an escape.
//!
//! | field | allow | deny, wait |
//! |---|---|---|
//! | 1 | `allow` | `deny`, `wait` |
//! | 2 | location | HTTP status |
//! | 3 | handle of the bearer | reason code |
//! | 4 | Google's host | `WWW-Authenticate`, or `-` |
//! | 5 | path and query | seconds of `Retry-After`, or `-` |
//! | 6 | audit tail | error JSON |
//! | 7 | | audit tail |

use std::fmt::Write as _;

use crate::error::Reason;
use crate::gateway::audit::{self, Decision, Facts};
use crate::gateway::waiting::Patience;
use crate::vertex::Target;

/// What the text of a verdict that is not the last word begins with.
pub(super) const WAIT: &str = "wait|";

/// When a caller may try again: the longest that keys or a credential are away as a rule.
const RETRY_AFTER_SECS: u8 = 5;

/// The outcome of a decision.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict<'v> {
    Allow {
        target: &'v Target<'v>,
        host: &'v str,
        handle: &'v str,
    },
    Deny(Reason),
    /// Undecided; the reason is what to say if it stays so.
    Wait(Reason),
}

impl Verdict<'_> {
    /// A verdict for a request with this patience.
    pub(super) fn within(self, patience: Patience) -> Self {
        match (self, patience) {
            (Self::Wait(reason), Patience::Spent) => Self::Deny(reason),
            (Self::Wait(_), Patience::NoRoom) => Self::Deny(Reason::Busy),
            _ => self,
        }
    }

    /// The line of text. `accepted` says which tokens are taken here.
    pub(super) fn render(self, facts: &Facts<'_>, accepted: &str) -> String {
        let mut out = String::with_capacity(1024);
        match self {
            Self::Allow { target, host, handle } => {
                for part in ["allow|", target.location, "|", handle, "|", host, "|"] {
                    out.push_str(part);
                }
                target.write_to(&mut out);
                out.push('|');
                audit::write_tail(&mut out, Decision::Allow, None, facts);
            }
            Self::Deny(reason) => refusal(&mut out, Decision::Deny, reason, facts, accepted),
            Self::Wait(reason) => refusal(&mut out, Decision::Wait, reason, facts, accepted),
        }
        out
    }
}

fn refusal(
    out: &mut String,
    decision: Decision,
    reason: Reason,
    facts: &Facts<'_>,
    accepted: &str,
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
    let _ = match status.code {
        503 => write!(out, "|{RETRY_AFTER_SECS}|"),
        _ => write!(out, "|-|"),
    };
    let _ = write!(out, "{}|", error_json(reason, accepted));
    audit::write_tail(out, decision, Some(reason), facts);
}

/// Google's error JSON (google.rpc.Status in its HTTP mapping, AIP-193).
fn error_json(reason: Reason, accepted: &str) -> String {
    let status = reason.status();
    let message = match reason {
        Reason::GoogleTokenNotAccepted | Reason::IssuerUnknown | Reason::AudienceWrong => {
            format!("{}; this gateway wants a token of {accepted}", reason.text())
        }
        _ => reason.text().to_owned(),
    };
    let json = serde_json::json!({ "error": {
        "code": status.code,
        "message": message,
        "status": status.name,
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason.code(),
            "domain": "haproxy-vertex",
        }],
    }});
    json.to_string().replace('|', "\\u007c")
}
