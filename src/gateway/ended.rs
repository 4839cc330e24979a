//! Parses what HAProxy reports of an ended request with its log line, and derives how the call
//! ended and what the caller got.

use crate::error::Reason;
use crate::gateway::calls::settle::Ending;
use crate::gateway::calls::table::CallMark;
use crate::gateway::calls::upstream::Upstream;
use crate::gateway::decide::reply::VerdictText;
use crate::gateway::upload::UploadMark;

/// Between the parts of what HAProxy hands over; none of them can hold it but the first.
const SEPARATOR: u8 = b'^';

/// Stands behind HAProxy's termination state, where HAProxy reports it (from 3.0).
const STATE_END: char = '=';

/// Begins the report of a request without a verdict: a rule of HAProxy's needs some text.
const START: char = '-';

/// A request that has ended, as HAProxy reports it.
#[derive(Debug)]
pub(super) struct Ended<'t> {
    /// The last verdict.
    pub(super) verdict: VerdictText<'t>,
    /// Why an allow could not be carried out.
    revoked: Option<Reason>,
    upstream: Option<Upstream>,
    state: Option<State>,
    left: Option<Left>,
    /// The bytes that came from the caller, headers included.
    uploaded: Option<u64>,
}

/// HAProxy's termination state (its manual, section 8.5): who ended the stream, and at which stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    by: char,
    stage: char,
}

/// HAProxy's termination state, if it stands before a verdict, and the rest.
pub(super) fn state_and_verdict(text: &str) -> (Option<State>, &str) {
    text.split_at_checked(2)
        .and_then(|(state, rest)| Some((State::parse(state)?, rest.strip_prefix(STATE_END)?)))
        .map_or((None, text), |(state, rest)| (Some(state), rest))
}

impl State {
    fn parse(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        let (by, stage) = (chars.next()?, chars.next()?);
        chars.next().is_none().then_some(Self { by, stage })
    }

    /// Whether a rule of HAProxy's answered or closed the connection.
    const fn is_rule(self) -> bool {
        matches!(self.by, 'L' | 'P')
    }

    /// Whether the caller brought nothing for longer than HAProxy waits.
    pub(super) const fn is_slow_caller(self) -> bool {
        self.by == 'c'
    }

    /// Whether nothing was sent to a server: the stream ended in the request, a tarpit, the queue
    /// or the connection.
    const fn is_unsent(self) -> bool {
        matches!(self.stage, 'R' | 'T' | 'Q' | 'C')
    }
}

/// An answer that was sent to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    status: u16,
    /// Whether HAProxy had chosen a server before it answered.
    had_server: bool,
}

impl Left {
    /// Parses a status; it is negative if no server had been chosen.
    fn parse(text: &str) -> Option<Self> {
        let status: i32 = text.parse().ok()?;
        let had_server = status > 0;
        Some(Self { status: u16::try_from(status.unsigned_abs()).ok()?, had_server })
    }
}

impl<'t> Ended<'t> {
    /// Parses the report that the log format hands over.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let (state, rest) = state_and_verdict(text);
        let text = if state.is_some() { rest } else { text.strip_prefix(START)? };
        let mut rest = text;
        let mut part = || {
            let at = memchr::memrchr(SEPARATOR, rest.as_bytes())?;
            let (before, part) = (rest.get(..at)?, rest.get(at + 1..)?);
            rest = before;
            Some(part)
        };
        let (uploaded, left, upstream, revoked) = (part()?, part()?, part()?, part()?);
        let verdict = rest;
        Some(Self {
            verdict: VerdictText::of(verdict),
            revoked: Reason::of_code(revoked),
            upstream: match upstream {
                "closed" => Some(Upstream::Closed),
                status => status.parse().ok().map(Upstream::Status),
            },
            state,
            left: Left::parse(left),
            uploaded: uploaded.parse().ok(),
        })
    }

    /// A request whose connection Google closed before it answered, so that HAProxy writes no log
    /// line.
    pub(super) const fn closed(verdict: VerdictText<'t>, uploaded: Option<u64>) -> Self {
        Self {
            verdict,
            revoked: None,
            upstream: Some(Upstream::Closed),
            state: None,
            left: None,
            uploaded,
        }
    }

    /// The call that the verdict allowed.
    pub(super) fn mark(&self) -> Option<CallMark> {
        self.verdict.call().and_then(CallMark::parse)
    }

    /// The number of the call, or of the upload that it would have come from.
    pub(super) fn number(&self) -> Option<u64> {
        let text = self.verdict.call()?;
        let upload = UploadMark::parse(text).map(|UploadMark(number)| number);
        upload.or_else(|| CallMark::parse(text).map(|mark| mark.number))
    }

    /// How the call ended. HAProxy reports 503 if no connection was established.
    pub(super) fn into_ending(self) -> Ending {
        let is_unsent = self.state.is_some_and(State::is_unsent)
            || self.left.is_some_and(|left| !left.had_server || left.status == 503);
        let Self { upstream, uploaded, .. } = self;
        Ending { upstream, is_unsent, uploaded }
    }

    /// Why the caller did not get what it asked for; `None` if it got an answer of Google's.
    pub(super) fn refusal(&self) -> Option<Reason> {
        match self.verdict.is_passing() {
            true => self.refusal_after("allow").or(Some(Reason::RequestIncomplete)),
            false => self.refusal_after(self.verdict.word()),
        }
    }

    fn refusal_after(&self, word: &str) -> Option<Reason> {
        let told = self.left.map(|left| left.status);
        let is_rule = self.state.is_some_and(State::is_rule);
        // HAProxy's own answer with Google's status.
        let is_local = self.state.is_some_and(|state| state.by == 'L');
        match (word, self.upstream) {
            ("", _) => Some(Reason::Undecided),
            ("answer", _) => match told {
                Some(200) => None,
                told => Some(told.map_or(Reason::RequestIncomplete, of_status)),
            },
            ("allow", _) if self.revoked.is_some() => self.revoked,
            ("allow", Some(Upstream::Closed)) => Some(Reason::UpstreamClosed),
            ("allow", Some(Upstream::Status(401))) => Some(Reason::GoogleCredentialRefused),
            ("allow", Some(Upstream::Status(403))) => Some(Reason::GoogleDenied),
            ("allow", Some(Upstream::Status(upstream))) => match told {
                Some(status) if status == upstream && !is_local => None,
                None if !is_rule => None,
                // Google's answer began and did not come whole in time: HAProxy put its own in its
                // place.
                Some(status @ (500 | 502 | 504)) if !is_rule => Some(of_status(status)),
                _ => Some(Reason::AnsweredByRule),
            },
            ("allow", None) if is_rule && self.state.is_some_and(State::is_unsent) => {
                Some(Reason::AnsweredByRule)
            }
            ("allow", None) => Some(told.map_or(Reason::RequestIncomplete, of_status)),
            ("body", _) if told == Some(408) => Some(Reason::BodyTimeout),
            // The caller left.
            ("body", _) if matches!(told, None | Some(400)) => Some(Reason::RequestIncomplete),
            _ => Some(self.verdict.reason()),
        }
    }
}

/// The reason for a status that HAProxy itself answered to an allowed request.
const fn of_status(status: u16) -> Reason {
    match status {
        400 => Reason::RequestIncomplete,
        408 => Reason::BodyTimeout,
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
            refusal(&format!("-allow|us-central1|-|s1|id|-|h|/^^{upstream}^{left}^"))
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
            ("", "408", Some(Reason::BodyTimeout)),
            ("", "", Some(Reason::RequestIncomplete)),
            ("", "-302", Some(Reason::AnsweredByRule)),
            ("", "-429", Some(Reason::AnsweredByRule)),
        ] {
            assert_eq!(allow(upstream, left), reason, "{upstream} {left}");
        }
    }

    #[test]
    fn an_answer_by_a_rule_is_none_of_googles() {
        let allow = |state: &str, upstream: &str, left: &str| {
            refusal(&format!("{state}allow|us-central1|-|s1|id|-|h|/^^{upstream}^{left}^"))
        };
        let by_rule = Some(Reason::AnsweredByRule);
        for (state, upstream, left, reason) in [
            ("-", "200", "403", by_rule),
            ("-", "200", "503", by_rule),
            ("-", "200", "302", by_rule),
            ("PH=", "200", "502", by_rule),
            ("SH=", "200", "502", Some(Reason::UpstreamClosed)),
            ("PH=", "200", "", by_rule),
            ("CD=", "200", "", None),
            ("--=", "200", "200", None),
            ("LH=", "200", "200", by_rule),
            ("PD=", "200", "200", None),
            ("PR=", "", "-500", by_rule),
            ("PT=", "", "-500", by_rule),
            ("LR=", "", "-503", by_rule),
            ("PR=", "", "", by_rule),
            ("IR=", "", "-500", Some(Reason::Internal)),
            ("SC=", "", "503", Some(Reason::UpstreamUnavailable)),
            ("sQ=", "", "503", Some(Reason::UpstreamUnavailable)),
            ("PH=", "", "502", Some(Reason::UpstreamClosed)),
            ("CC=", "", "", Some(Reason::RequestIncomplete)),
        ] {
            assert_eq!(allow(state, upstream, left), reason, "{state} {upstream} {left}");
        }
    }

    #[test]
    fn what_did_not_leave_costs_nothing() {
        let is_unsent = |state: &str| {
            let text = format!("{state}allow|us-central1|-|s1|id|-|h|/^^^^");
            Ended::parse(&text).expect("parts").into_ending().is_unsent
        };
        for (state, unsent) in [
            ("CC=", true),
            ("CQ=", true),
            ("PR=", true),
            ("CH=", false),
            ("SH=", false),
            ("-", false),
        ] {
            assert_eq!(is_unsent(state), unsent, "{state}");
        }
    }

    #[test]
    fn a_caller_who_left_or_was_slow_is_no_failure_of_the_gateway() {
        let body = |left: &str| refusal(&format!("-body|503|internal|-|id|5|{{}}|-|t^^^{left}^"));
        for left in ["", "-400"] {
            assert_eq!(body(left), Some(Reason::RequestIncomplete), "{left}");
        }
        assert_eq!(body("-408"), Some(Reason::BodyTimeout));
        assert_eq!(body("-503"), Some(Reason::Internal));
        assert_eq!(refusal("-deny|403|role_none|-|id|-|{}|-|t^^^-403^"), Some(Reason::RoleNone));
        let answer = |left: &str| refusal(&format!("-answer|200|ok|-|id|-|{{}}|-|t^^^{left}^"));
        assert_eq!((answer("-200"), answer("")), (None, Some(Reason::RequestIncomplete)));
        assert_eq!(refusal("-^^^-400^"), Some(Reason::Undecided));
        assert_eq!(refusal("-junk^^^-400^"), Some(Reason::Internal));
    }
}
