//! What HAProxy knows of a request that has ended, handed over by its log line, and what that means
//! for the caller.

use crate::error::Reason;
use crate::gateway::calls::log_fields::Upstream;
use crate::gateway::calls::table::{Call, CallMark};
use crate::gateway::decide::verdict;
use crate::meter::Usage;
use crate::time::Monotonic;

/// Between the parts of what HAProxy hands over; none of them can hold it but the first.
const SEPARATOR: char = '^';

/// Without a verdict there is still something for HAProxy's rules to begin with.
const START: char = '-';

/// A request that has ended.
#[derive(Debug)]
pub(in crate::gateway) struct Ended<'t> {
    /// The last verdict.
    pub(in crate::gateway) verdict: &'t str,
    /// An allow that could not be carried out.
    undone: &'t str,
    /// The status that Google answered with.
    pub(in crate::gateway) upstream: Option<u16>,
    left: Option<Left>,
    /// Google closed the connection before it answered, and HAProxy says nothing of that.
    is_closed: bool,
    /// What `usage` said of a whole answer.
    pub(in crate::gateway) whole: Option<(Monotonic, Usage)>,
    /// The bytes that came from the caller, headers included.
    pub(in crate::gateway) uploaded: Option<u64>,
}

/// An answer that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    status: u16,
    /// Whether a server had been chosen by then.
    had_server: bool,
}

impl Left {
    /// A status; below zero where no server had been chosen.
    fn parse(text: &str) -> Option<Self> {
        let status: i32 = text.parse().ok()?;
        let had_server = status > 0;
        Some(Self { status: u16::try_from(status.unsigned_abs()).ok()?, had_server })
    }
}

impl<'t> Ended<'t> {
    /// Takes apart what the log format hands over.
    pub(in crate::gateway) fn parse(text: &'t str) -> Option<Self> {
        let text = text.strip_prefix(START)?;
        // A log format of an operator's own may lack the last part.
        let is_whole = text.matches(SEPARATOR).count() >= 5;
        let (text, uploaded) =
            text.rsplit_once(SEPARATOR).filter(|_| is_whole).unwrap_or((text, ""));
        let mut parts = text.rsplitn(5, SEPARATOR);
        let mut part = || parts.next();
        let (whole, left, upstream, undone, verdict) =
            (part()?, part()?, part()?, part()?, part()?);
        let whole = whole.split_once(' ').and_then(|(millis, fields)| {
            Some((Monotonic(millis.parse().ok()?), Usage::parse_fields(fields)?))
        });
        let (upstream, left) = (upstream.parse().ok(), Left::parse(left));
        let uploaded = uploaded.parse().ok();
        Some(Self { verdict, undone, upstream, left, is_closed: false, whole, uploaded })
    }

    /// One whose connection Google closed before it answered, as far as HAProxy's log line is missing.
    pub(in crate::gateway) const fn closed(verdict: &'t str) -> Self {
        Self {
            verdict,
            undone: "",
            upstream: None,
            left: None,
            is_closed: true,
            whole: None,
            uploaded: None,
        }
    }

    /// How Google answered.
    pub(in crate::gateway) const fn answer(&self) -> Option<Upstream> {
        match self.upstream {
            Some(status) => Some(Upstream::Status(status)),
            None if self.is_closed => Some(Upstream::Closed),
            None => None,
        }
    }

    /// The call that was allowed.
    pub(in crate::gateway) fn mark(&self) -> Option<CallMark> {
        CallMark::in_verdict(self.verdict).or_else(|| CallMark::in_verdict(self.undone))
    }

    pub(in crate::gateway) fn id(&self) -> Option<&'t str> {
        verdict::id_in(self.verdict)
    }

    /// Whether Google can have seen the call: HAProxy says 503 where no connection came about.
    pub(in crate::gateway) fn may_have_arrived(&self, call: &Call) -> bool {
        let is_unsent = self.left.is_some_and(|left| !left.had_server || left.status == 503);
        call.sent.is_some() && (self.upstream.is_some() || !is_unsent)
    }

    /// Why its caller did not get what was asked for; nothing for an answer of Google's.
    pub(in crate::gateway) fn refusal(&self) -> Option<Reason> {
        let mut fields = self.verdict.split('|');
        let told = self.left.map(|left| left.status);
        match (fields.next().unwrap_or_default(), self.upstream) {
            ("", _) => Some(Reason::Undecided),
            ("allow", Some(401)) => Some(Reason::GoogleCredentialRefused),
            ("allow", Some(403)) => Some(Reason::GoogleDenied),
            // Google's answer began and did not come whole in time: HAProxy put its own in its place.
            ("allow", Some(upstream)) => match told {
                Some(500 | 502 | 504) if told != Some(upstream) => told.map(of_status),
                _ => None,
            },
            ("allow", None) if self.is_closed => Some(Reason::UpstreamClosed),
            ("allow", None) => Some(told.map_or(Reason::RequestIncomplete, of_status)),
            // The caller left, or HAProxy waited for a body that did not come.
            ("body", _) if matches!(told, None | Some(400 | 408)) => {
                Some(Reason::RequestIncomplete)
            }
            _ => {
                let code = fields.nth(1).unwrap_or_default();
                let known = Reason::ALL.iter().find(|reason| reason.code() == code);
                Some(known.copied().unwrap_or(Reason::Internal))
            }
        }
    }
}

/// Why HAProxy gives an answer of its own with this status to a request that was allowed.
const fn of_status(status: u16) -> Reason {
    match status {
        400 | 408 => Reason::RequestIncomplete,
        502 => Reason::UpstreamClosed,
        503 => Reason::UpstreamUnavailable,
        504 => Reason::UpstreamTimeout,
        200..=499 => Reason::AnsweredByRule,
        _ => Reason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<Reason> {
        Ended::parse(text).expect("parts").refusal()
    }

    #[test]
    fn the_reason_is_what_the_caller_was_told() {
        let allow = |upstream: &str, left: &str| {
            refusal(&format!("-allow|us-central1|0.ab|s1|id|-|h|/|-|t^^{upstream}^{left}^^"))
        };
        for (upstream, left, reason) in [
            ("200", "200", None),
            ("200", "", None),
            ("429", "429", None),
            ("500", "500", None),
            ("502", "502", None),
            ("200", "504", Some(Reason::UpstreamTimeout)),
            ("200", "502", Some(Reason::UpstreamClosed)),
            ("401", "503", Some(Reason::GoogleCredentialRefused)),
            ("403", "502", Some(Reason::GoogleDenied)),
            ("", "502", Some(Reason::UpstreamClosed)),
            ("", "503", Some(Reason::UpstreamUnavailable)),
            ("", "-503", Some(Reason::UpstreamUnavailable)),
            ("", "504", Some(Reason::UpstreamTimeout)),
            ("", "500", Some(Reason::Internal)),
            ("", "400", Some(Reason::RequestIncomplete)),
            ("", "408", Some(Reason::RequestIncomplete)),
            ("", "", Some(Reason::RequestIncomplete)),
            ("", "-302", Some(Reason::AnsweredByRule)),
            ("", "-429", Some(Reason::AnsweredByRule)),
        ] {
            assert_eq!(allow(upstream, left), reason, "{upstream} {left}");
        }
    }

    #[test]
    fn a_caller_who_left_or_was_slow_is_no_failure_of_the_gateway() {
        let body = |left: &str| refusal(&format!("-body|503|internal|-|id|5|{{}}|-|t^^^{left}^^"));
        for left in ["", "-400", "-408"] {
            assert_eq!(body(left), Some(Reason::RequestIncomplete), "{left}");
        }
        assert_eq!(body("-503"), Some(Reason::Internal));
        assert_eq!(refusal("-deny|403|role_none|-|id|-|{}|-|t^^^-403^^"), Some(Reason::RoleNone));
        assert_eq!(refusal("-^^^-400^^"), Some(Reason::Undecided));
        assert_eq!(refusal("-junk^^^-400^^"), Some(Reason::Internal));
    }
}
