//! Writes the verdict as one line of text, which HAProxy cuts with `field(n,|)`. What rules read often
//! comes early, as HAProxy walks every byte that it skips. No field holds the separator: names and
//! hosts come from checked alphabets, the tail is percent-encoded, JSON escapes it.
//!
//! | field | allow | deny, answer, wait, peer, body |
//! |---|---|---|
//! | 1 | `allow`; `passing` while the body is still to be judged | `deny`; `answer` of the gateway's own; `wait`, `peer`, `body`: undecided |
//! | 2 | location | HTTP status |
//! | 3 | signals, or `-` | reason code; `ok` of an answer |
//! | 4 | the call (see `CallMark`) or the upload (see `UploadMark`); the bearer's handle if calls are not followed | `WWW-Authenticate`; of a 429 the limit's headers (see `rate_limit_headers`); or `-` |
//! | 5 | the request's id | the request's id |
//! | 6 | value of `X-Vertex-AI-Labels`, or `-` | seconds of `Retry-After`, or `-`; empty for a limit that never has room |
//! | 7 | Google's host | JSON of the error or answer |
//! | 8 | path and query | signals, or `-` |
//! | 9 | header of the caller's that does not leave; nothing or `-` if all of the list do | log tail |
//! | 10 | log tail, if calls are not followed: the call holds it otherwise | |

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::{Reason, Status};
use crate::gateway::decide::dialect::Dialect;
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::rate_limit_headers;
use crate::gateway::decide::request::Request;
use crate::gateway::decide::verdict::Verdict;
use crate::google::Signer;
use crate::limits::Exhausted;
use crate::vertex::Target;
use crate::watch::Signals;

/// Seconds until a caller may try again: the time that keys or a credential are usually missing at
/// most.
const RETRY_AFTER_SECS: &str = "5";

/// The first word of an allow for a head alone.
const PASSING: &str = "passing";

/// The parts of a verdict's text that do not follow from the judgement.
#[derive(Clone, Copy, Default)]
pub(in crate::gateway) struct Attached<'a> {
    /// The request's id; `None` if the request is only explained.
    pub(in crate::gateway) id: Option<&'a str>,
    /// Nothing where the request is not made: it is only asked about.
    pub(in crate::gateway) call: Option<&'a str>,
    /// The value of `X-Vertex-AI-Labels`.
    pub(in crate::gateway) labels: Option<&'a str>,
    /// Signs of misuse in the request.
    pub(in crate::gateway) signals: Signals,
}

/// A refusal as the caller gets it.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct ToldRefusal {
    pub(in crate::gateway) status: Status,
    pub(in crate::gateway) reason: Reason,
    /// `WWW-Authenticate`, or a limit's headers.
    header: Cow<'static, str>,
    retry_after: Cow<'static, str>,
    /// The body, in the caller's dialect.
    json: Cow<'static, str>,
}

/// The texts that tell a refused caller what this gateway takes.
#[derive(Debug)]
pub(in crate::gateway) struct Accepted {
    /// Issuers and audiences.
    pub(in crate::gateway) tokens: String,
    /// Where a token may stand.
    pub(in crate::gateway) headers: String,
}

/// Writes all fields but the tail, and returns whether one is to follow.
pub(in crate::gateway) fn write(
    out: &mut String,
    judgement: &Judgement<'_>,
    request: Option<&Request<'_>>,
    attached: &Attached<'_>,
    accepted: &Accepted,
) -> bool {
    if let (Verdict::Allow(signer), Some(target)) = (&judgement.verdict, &judgement.target) {
        out.push_str(if judgement.awaits_body { PASSING } else { "allow" });
        write_allow(out, (judgement, target), *signer, attached);
        return attached.call.is_none();
    }
    let verdict = &judgement.verdict;
    if let Verdict::Answer(json) = verdict {
        let (id, json) = (attached.id.unwrap_or("-"), without_separators(json));
        let _ = write!(out, "{}|200|ok|-|{id}|-|{json}|-|", verdict.word());
        return true;
    }
    let dialect = request.map(Request::dialect).unwrap_or_default();
    let told = ToldRefusal::of(verdict, dialect, attached.id, accepted);
    told.write_to(out, verdict.word(), attached.id);
    write_signals(out, attached.signals);
    out.push('|');
    true
}

fn write_allow(
    out: &mut String,
    (judgement, target): (&Judgement<'_>, &Target<'_>),
    signer: Signer<'_>,
    attached: &Attached<'_>,
) {
    for part in ["|", target.location, "|"] {
        out.push_str(part);
    }
    write_signals(out, attached.signals);
    out.push('|');
    match attached.call {
        Some(call) => out.push_str(call),
        None => out.push_str(&signer.handle()),
    }
    let (id, labels) = (attached.id.unwrap_or("-"), attached.labels.unwrap_or("-"));
    for part in ["|", id, "|", labels, "|", signer.host(), "|"] {
        out.push_str(part);
    }
    judgement.write_path(out);
    // What follows from the path stands behind it, as few requests have any of it.
    let (without, has_tail) = (target.route.without, attached.call.is_none());
    if without.is_some() || has_tail {
        out.push('|');
        out.push_str(without.unwrap_or("-"));
    }
    if has_tail {
        out.push('|');
    }
}

fn write_signals(out: &mut String, signals: Signals) {
    if signals.is_empty() {
        out.push('-');
    }
    for (index, signal) in signals.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(signal.name());
    }
}

impl ToldRefusal {
    /// The refusal for a verdict that is no allow.
    pub(in crate::gateway) fn of(
        verdict: &Verdict<'_>,
        dialect: Dialect,
        id: Option<&str>,
        accepted: &Accepted,
    ) -> Self {
        match verdict {
            // Usually not final, and asked again at once: must be cheap.
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

    /// The body with every separator escaped.
    pub(in crate::gateway) fn json_field(&self) -> Cow<'_, str> {
        without_separators(&self.json)
    }

    /// Writes the fields up to the signals.
    pub(in crate::gateway) fn write_to(&self, out: &mut String, word: &str, id: Option<&str>) {
        let Self { status, reason, header, retry_after, .. } = self;
        let json = self.json_field();
        let _ = write!(out, "{word}|{}|{}|{header}|", status.code, reason.code());
        for part in [id.unwrap_or("-"), "|", retry_after, "|", &json, "|"] {
            out.push_str(part);
        }
    }
}

/// JSON with every separator escaped, which can stand in its texts only.
fn without_separators(json: &str) -> Cow<'_, str> {
    match json.contains('|') {
        true => json.replace('|', "\\u007c").into(),
        false => Cow::Borrowed(json),
    }
}

/// The message for the caller; empty for an allow.
pub(in crate::gateway) fn message(verdict: &Verdict<'_>, accepted: &Accepted) -> String {
    match verdict {
        Verdict::Deny(refusal) => match refusal.reason {
            Reason::GoogleTokenNotAccepted | Reason::IssuerUnknown | Reason::AudienceWrong => {
                format!("{}; this gateway wants a token of {}", refusal.message(), accepted.tokens)
            }
            Reason::TokenMissing => {
                format!("{}: send one in {}", refusal.message(), accepted.headers)
            }
            _ => refusal.message(),
        },
        Verdict::Wait(reason) => reason.text().to_owned(),
        Verdict::Exhausted(exhausted) => exhausted.message(),
        Verdict::Allow(_) | Verdict::Answer(_) => String::new(),
        Verdict::NeedsClient | Verdict::NeedsBody => Reason::Internal.text().to_owned(),
    }
}

/// A verdict's text, handed back by HAProxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gateway) struct VerdictText<'t>([&'t str; 10]);

impl<'t> VerdictText<'t> {
    /// Any text; a field that is not there is empty.
    pub(in crate::gateway) fn of(text: &'t str) -> Self {
        let mut fields = [""; 10];
        let mut start = 0;
        let ends = memchr::memchr_iter(b'|', text.as_bytes()).take(9).chain([text.len()]);
        for (field, end) in fields.iter_mut().zip(ends) {
            *field = text.get(start..end).unwrap_or_default();
            start = end.saturating_add(1);
        }
        Self(fields)
    }

    /// Its first word.
    pub(in crate::gateway) const fn word(self) -> &'t str {
        let [word, ..] = self.0;
        word
    }

    /// Whether it is an allow, if only for the head.
    pub(in crate::gateway) fn is_allow(self) -> bool {
        self.word() == "allow" || self.is_passing()
    }

    /// Whether its body was still to be judged.
    pub(in crate::gateway) fn is_passing(self) -> bool {
        self.word() == PASSING
    }

    /// The location of an allow.
    pub(in crate::gateway) fn location(self) -> Option<&'t str> {
        let [_, location, ..] = self.0;
        self.is_allow().then_some(location)
    }

    /// The reason of a verdict that is no allow.
    pub(in crate::gateway) fn reason(self) -> Reason {
        let [_, _, code, ..] = self.0;
        Reason::of_code(code).unwrap_or(Reason::Internal)
    }

    /// The call of an allow, or its bearer's handle.
    pub(in crate::gateway) fn call(self) -> Option<&'t str> {
        let [_, _, _, call, ..] = self.0;
        self.is_allow().then_some(call)
    }

    /// The body of a refusal.
    pub(in crate::gateway) fn error_json(self) -> Option<&'t str> {
        let [word, _, _, _, _, _, json, ..] = self.0;
        (word == "deny").then_some(json)
    }

    /// The request's id.
    pub(in crate::gateway) fn id(self) -> Option<&'t str> {
        let [_, _, _, _, id, ..] = self.0;
        Some(id).filter(|id| !matches!(*id, "" | "-"))
    }

    /// The names of the signals, with commas between; nothing where there are none.
    pub(in crate::gateway) fn signals(self) -> &'t str {
        let [_, _, of_allow, _, _, _, _, of_others, ..] = self.0;
        match if self.is_allow() { of_allow } else { of_others } {
            "-" => "",
            names => names,
        }
    }

    /// The log tail, where the text has one.
    pub(in crate::gateway) fn tail(self) -> &'t str {
        let [.., of_others, of_allow] = self.0;
        if self.is_allow() { of_allow } else { of_others }
    }
}
