//! The end of the access-log line: the request line, then who, what and why. Every value is bounded
//! and percent-encoded, so that no claim and no URL can forge a field or a line. Decision, reason
//! and principal come first, so that a line that is cut still has them.

use crate::error::Reason;
use crate::log_value::{self, MAX_VALUE_BYTES};

/// The most bytes of a path in the log.
const MAX_PATH_BYTES: usize = 256;

/// The text before the decision, and the one before the caller.
const DECISION: &str = " vertex{decision=";
const PRINCIPAL: &str = " principal=";

/// The values that the tail reports of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::gateway) struct Tail<'t> {
    pub(in crate::gateway) request: Option<RequestLine<'t>>,
    /// Already encoded.
    pub(in crate::gateway) principal: Option<&'t str>,
    /// Field names, and values whose alphabets were checked when they were parsed.
    pub(in crate::gateway) named: &'t [(&'static str, Option<&'t str>)],
    /// Already encoded.
    pub(in crate::gateway) display: Option<&'t str>,
    /// The part of the request that is refused.
    pub(in crate::gateway) detail: Option<&'t str>,
    /// The caller's own name of its session.
    pub(in crate::gateway) session: Option<&'t str>,
    /// A trace id, whose alphabet was checked.
    pub(in crate::gateway) trace: Option<&'t str>,
}

/// A request line without its query.
#[derive(Clone, Copy, Debug)]
pub(in crate::gateway) struct RequestLine<'t> {
    pub(in crate::gateway) method: &'t str,
    pub(in crate::gateway) path: &'t str,
    /// Whether the path's alphabet was checked.
    pub(in crate::gateway) is_checked: bool,
    /// `1.1`, `2.0`.
    pub(in crate::gateway) version: &'t str,
}

impl Tail<'_> {
    /// Writes the tail; HAProxy's log format adds later fields and the closing brace.
    pub(in crate::gateway) fn write_to(
        &self,
        out: &mut String,
        decision: &str,
        reason: Option<Reason>,
    ) {
        match self.request {
            Some(RequestLine { method, path, is_checked, version }) => {
                out.push('"');
                log_value::write(out, method, 32);
                out.push(' ');
                match is_checked {
                    true => checked(out, path, MAX_PATH_BYTES),
                    false => log_value::write(out, path, MAX_PATH_BYTES),
                }
                out.push_str(" HTTP/");
                log_value::write(out, version, 8);
                out.push('"');
            }
            None => out.push_str("\"-\""),
        }
        let reason = reason.map_or("ok", Reason::code);
        let principal = self.principal.unwrap_or("-");
        for part in [DECISION, decision, " reason=", reason, PRINCIPAL, principal] {
            out.push_str(part);
        }
        for (name, value) in self.named {
            for part in [" ", name, "="] {
                out.push_str(part);
            }
            checked(out, value.unwrap_or_default(), MAX_VALUE_BYTES);
        }
        for part in [" display=", self.display.unwrap_or("-"), " detail="] {
            out.push_str(part);
        }
        log_value::write(out, self.detail.unwrap_or_default(), MAX_VALUE_BYTES);
        out.push_str(" session=");
        log_value::write(out, self.session.unwrap_or_default(), MAX_VALUE_BYTES);
        for part in [" trace=", self.trace.unwrap_or("-")] {
            out.push_str(part);
        }
    }
}

/// The tail with another outcome; `None` if `tail` is no tail.
pub(in crate::gateway) fn with_outcome(tail: &str, refusal: Option<Reason>) -> Option<String> {
    let (request, fields) = tail.split_once(DECISION)?;
    let (_, who) = fields.split_once(PRINCIPAL)?;
    let (decision, reason) = outcome(refusal);
    Some([request, DECISION, decision, " reason=", reason, PRINCIPAL, who].concat())
}

fn outcome(refusal: Option<Reason>) -> (&'static str, &'static str) {
    match refusal {
        None => ("allow", "ok"),
        Some(reason) => ("deny", reason.code()),
    }
}

/// The tail with another credential's name and Google identity.
pub(in crate::gateway) fn with_credential(
    tail: &str,
    credential: &str,
    google_identity: Option<&str>,
) -> String {
    let (Some((before, _)), Some((_, after))) =
        (tail.split_once(" credential="), tail.split_once(" project="))
    else {
        return String::new();
    };
    let mut out = format!("{before} credential={credential} google_identity=");
    checked(&mut out, google_identity.unwrap_or_default(), MAX_VALUE_BYTES);
    out.push_str(" project=");
    out.push_str(after);
    out
}

/// Writes a value whose alphabet was checked when it was parsed; encodes it if it is too long or
/// not plain.
fn checked(out: &mut String, text: &str, limit: usize) {
    match text {
        "" | "-" => log_value::write(out, text, limit),
        _ if text.len() > limit => log_value::write(out, text, limit),
        _ => out.push_str(text),
    }
}
