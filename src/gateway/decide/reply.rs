//! The verdict as one line of text, cut by HAProxy's `field(n,|)`. The decision stands first, what a
//! rule reads often comes early (HAProxy walks every byte it skips), the log tail is last. No field
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
//! | last | log tail | log tail |

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use crate::error::{Reason, Status};
use crate::gateway::decide::dialect::Dialect;
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::rate_limit_headers;
use crate::gateway::decide::verdict::Verdict;
use crate::limits::Exhausted;
use crate::vertex::Target;
use crate::watch::Signals;

/// When a caller may try again: the longest that keys or a credential are away as a rule.
const RETRY_AFTER_SECS: &str = "5";

/// What else a verdict's text tells.
#[derive(Clone, Copy, Default)]
pub(in crate::gateway) struct Attached<'a> {
    /// The request's id; nothing of one that is only asked about.
    pub(in crate::gateway) id: Option<&'a str>,
    /// Nothing where the request is not made: it is only asked about.
    pub(in crate::gateway) call: Option<&'a dyn Display>,
    /// The value of `X-Vertex-AI-Labels`.
    pub(in crate::gateway) labels: Option<&'a str>,
    /// What is unusual about the request.
    pub(in crate::gateway) signals: Signals,
}

/// A refusal as its caller is told of it.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct ToldRefusal {
    pub(in crate::gateway) status: Status,
    pub(in crate::gateway) reason: Reason,
    /// `WWW-Authenticate`, or the headers of a limit.
    header: Cow<'static, str>,
    retry_after: Cow<'static, str>,
    /// The body, in the dialect that the caller reads.
    json: Cow<'static, str>,
}

/// All fields but the tail. `accepted` says which tokens are taken here.
pub(in crate::gateway) fn write(
    out: &mut String,
    judgement: &Judgement<'_>,
    dialect: Dialect,
    attached: &Attached<'_>,
    accepted: &str,
) {
    match (&judgement.verdict, &judgement.target) {
        (Verdict::Allow { host, handle }, Some(target)) => {
            write_allow(out, target, host, handle, attached);
        }
        (verdict, _) => {
            let told = ToldRefusal::of(verdict, dialect, attached.id, accepted);
            told.write_to(out, verdict.word(), attached.id);
        }
    }
    write_signals(out, attached.signals);
}

fn write_allow(
    out: &mut String,
    target: &Target<'_>,
    host: &str,
    handle: &str,
    attached: &Attached<'_>,
) {
    for part in ["allow|", target.location, "|", handle, "|"] {
        out.push_str(part);
    }
    let _ = match attached.call {
        Some(call) => write!(out, "{call}"),
        None => write!(out, "-"),
    };
    let (id, labels) = (attached.id.unwrap_or("-"), attached.labels.unwrap_or("-"));
    for part in ["|", id, "|", labels, "|", host, "|"] {
        out.push_str(part);
    }
    target.write_to(out);
    out.push('|');
}

fn write_signals(out: &mut String, signals: Signals) {
    if signals.is_empty() {
        out.push('-');
    }
    for (index, signal) in signals.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(signal.name());
    }
    out.push('|');
}

impl ToldRefusal {
    /// What the caller is told of a verdict that is no allow.
    pub(in crate::gateway) fn of(
        verdict: &Verdict<'_>,
        dialect: Dialect,
        id: Option<&str>,
        accepted: &str,
    ) -> Self {
        match verdict {
            // Often not the last word, so it must be cheap.
            Verdict::NeedsClient | Verdict::NeedsBody => Self {
                status: Reason::Internal.status(),
                reason: Reason::Internal,
                header: "-".into(),
                retry_after: RETRY_AFTER_SECS.into(),
                json: dialect.undecided().into(),
            },
            Verdict::Exhausted(exhausted) => Self::of_limit(exhausted, dialect, id),
            other => {
                let reason = other.reason().unwrap_or(Reason::Internal);
                Self::for_reason(reason, dialect, &message(other, accepted), id)
            }
        }
    }

    /// The refusal for a reason, with this message.
    pub(in crate::gateway) fn for_reason(
        reason: Reason,
        dialect: Dialect,
        message: &str,
        id: Option<&str>,
    ) -> Self {
        let status = reason.status();
        let header = match (status.code, reason.bearer_error()) {
            (401, Some(error)) => {
                let text = reason.text();
                let fields = format!(r#"error="{error}", error_description="{text}""#);
                format!(r#"Bearer realm="vertex", {fields}"#).into()
            }
            (401, None) => r#"Bearer realm="vertex""#.into(),
            _ => "-".into(),
        };
        let retry_after = if status.code == 503 { RETRY_AFTER_SECS } else { "-" };
        let json = dialect.refusal(reason, message, id);
        Self { status, reason, header, retry_after: retry_after.into(), json: json.into() }
    }

    fn of_limit(exhausted: &Exhausted, dialect: Dialect, id: Option<&str>) -> Self {
        let reason = exhausted.reason();
        let retry_after = match exhausted.never {
            true => String::new(),
            false => exhausted.retry_after_secs.to_string(),
        };
        Self {
            status: reason.status(),
            reason,
            header: rate_limit_headers::told(dialect, exhausted).into(),
            retry_after: retry_after.into(),
            json: dialect.exhausted(exhausted, id).into(),
        }
    }

    /// The body that the caller reads, without a separator in it.
    pub(in crate::gateway) fn json_field(&self) -> Cow<'_, str> {
        match self.json.contains('|') {
            true => self.json.replace('|', "\\u007c").into(),
            false => Cow::Borrowed(&self.json),
        }
    }

    /// The fields up to the signals.
    pub(in crate::gateway) fn write_to(&self, out: &mut String, word: &str, id: Option<&str>) {
        let Self { status, reason, header, retry_after, .. } = self;
        let json = self.json_field();
        let _ = write!(out, "{word}|{}|{}|{header}|", status.code, reason.code());
        for part in [id.unwrap_or("-"), "|", retry_after, "|", &json, "|"] {
            out.push_str(part);
        }
    }
}

/// What the caller is told in words; nothing for an allow.
pub(in crate::gateway) fn message(verdict: &Verdict<'_>, accepted: &str) -> String {
    match verdict {
        Verdict::Deny(refusal) => match refusal.reason {
            Reason::GoogleTokenNotAccepted | Reason::IssuerUnknown | Reason::AudienceWrong => {
                format!("{}; this gateway wants a token of {accepted}", refusal.message())
            }
            _ => refusal.message(),
        },
        Verdict::Wait(reason) => reason.text().to_owned(),
        Verdict::Exhausted(exhausted) => exhausted.message(),
        Verdict::Allow { .. } => String::new(),
        Verdict::NeedsClient | Verdict::NeedsBody => Reason::Internal.text().to_owned(),
    }
}

/// A verdict's text that HAProxy hands back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gateway) struct VerdictText<'t>(pub(in crate::gateway) &'t str);

impl<'t> VerdictText<'t> {
    /// Its first word.
    pub(in crate::gateway) fn word(self) -> &'t str {
        self.field(0).unwrap_or_default()
    }

    /// The location of an allow.
    pub(in crate::gateway) fn location(self) -> Option<&'t str> {
        self.field(1).filter(|_| self.word() == "allow")
    }

    /// Why it is no allow.
    pub(in crate::gateway) fn reason(self) -> Reason {
        let code = self.field(2).unwrap_or_default();
        let known = Reason::ALL.iter().find(|reason| reason.code() == code);
        known.copied().unwrap_or(Reason::Internal)
    }

    /// The call of an allow.
    pub(in crate::gateway) fn call(self) -> Option<&'t str> {
        self.field(3).filter(|_| self.word() == "allow")
    }

    /// The request's id.
    pub(in crate::gateway) fn id(self) -> Option<&'t str> {
        self.field(4).filter(|id| !matches!(*id, "" | "-"))
    }

    /// The names of the signals.
    pub(in crate::gateway) fn signals(self) -> impl Iterator<Item = &'t str> {
        let names = self.0.rsplit('|').nth(1).filter(|names| !matches!(*names, "" | "-"));
        names.into_iter().flat_map(|names| names.split(','))
    }

    /// The log tail.
    pub(in crate::gateway) fn tail(self) -> &'t str {
        self.0.rsplit('|').next().unwrap_or_default()
    }

    fn field(self, n: usize) -> Option<&'t str> {
        self.0.split('|').nth(n)
    }
}
