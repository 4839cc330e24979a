//! The end of a call: its limits are settled by what it took.

use crate::gateway::calls::Calls;
use crate::gateway::calls::charge::{Outcome, at_the_least, charge, usage_of};
use crate::gateway::calls::log_fields::Record;
use crate::gateway::calls::read::WholeUsage;
use crate::gateway::calls::table::{AnswerShape, Begun, Call, CallMark};
use crate::gateway::calls::upstream::Upstream;
use crate::meter::{Counted, Usage};
use crate::time::Now;
use crate::watch::Signals;

/// How a call ended, as HAProxy tells it.
#[derive(Debug)]
pub(in crate::gateway) struct Ending {
    /// How Google answered.
    pub(in crate::gateway) upstream: Option<Upstream>,
    /// Whether no connection to Google came about.
    pub(in crate::gateway) is_unsent: bool,
    /// What was said of a whole answer.
    pub(in crate::gateway) whole: Option<WholeUsage>,
    /// The bytes that came from the caller, headers included.
    pub(in crate::gateway) uploaded: Option<u64>,
}

/// A call that is over.
#[derive(Debug)]
pub(in crate::gateway) struct Settled {
    /// The role's place in the configuration.
    pub(in crate::gateway) role: usize,
    /// The place of the pattern in the role's `models` that the model matches.
    pub(in crate::gateway) pattern: Option<usize>,
    /// What its line tells.
    pub(in crate::gateway) record: Record,
    /// What it took; nothing where tokens were only counted (`countTokens`).
    pub(in crate::gateway) used: Option<Usage>,
    /// Why its tokens could not be counted.
    pub(in crate::gateway) uncounted: Option<Uncounted>,
    /// What is unusual about what it took.
    pub(in crate::gateway) signals: Signals,
}

/// Why the tokens of a call could not be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Uncounted {
    /// Google's answer was of a kind that nobody can read, or no filter saw it.
    Unread,
    /// It broke off, or held an error or nonsense.
    BrokenOff,
    /// The call may have reached Google, and there was no answer.
    Unanswered,
}

impl Uncounted {
    /// All of them, in order.
    pub(in crate::gateway) const ALL: [Self; 3] = [Self::Unread, Self::BrokenOff, Self::Unanswered];

    /// The label's value.
    pub(in crate::gateway) const fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::BrokenOff => "broken_off",
            Self::Unanswered => "unanswered",
        }
    }
}

impl Calls {
    /// Takes back a call of the request with this id that is not to be made.
    pub(in crate::gateway) fn withdraw(&self, mark: CallMark, id: &str, now: Now) {
        let call = self.table.withdraw(mark.number, id);
        if let Some(reservation) = call.and_then(|call| call.begun.reservation) {
            self.limits.withdraw(reservation, now);
        }
    }

    /// Ends the calls whose log line does not come, as the operator's own log format lacks it: what
    /// they reserved stays used, or what was read if that is more.
    pub(in crate::gateway) fn end_lapsed(&self, now: Now) -> Vec<Call> {
        let mut lapsed = self.table.lapsed(now.mono);
        for call in &mut lapsed {
            let charged = at_the_least(call, Outcome::default(), None);
            if let Some(reservation) = call.begun.reservation.take() {
                self.limits.settle(reservation, charged, now);
            }
        }
        lapsed
    }

    /// Ends a call.
    pub(in crate::gateway) fn settle(&self, call: Call, ending: Ending, now: Now) -> Settled {
        let Ending { upstream, is_unsent, whole, uploaded } = ending;
        let status = upstream.and_then(Upstream::status);
        let first_byte = call.first_byte.or_else(|| whole.as_ref().map(|(at, _)| *at));
        let is_read = whole.is_some() || call.reader.is_some();
        let may_have_arrived = call.sent.is_some() && (status.is_some() || !is_unsent);
        let outcome = Outcome { upstream: status, may_have_arrived, uploaded };
        let usage = usage_of(&call, outcome, whole.map(|(_, usage)| usage));
        let uncounted = uncounted(&call.begun, &usage, status, is_read);
        let is_unanswered = status.is_none() && may_have_arrived;
        let is_aborted = (is_read || is_unanswered).then_some(!usage.is_complete || is_unanswered);
        let charged = charge(&call, outcome, &usage);
        let signals = self.watch.tokens(call.begun.principal, charged, now);
        let reserved = call.begun.estimate();
        let first_byte_millis = first_byte.zip(call.sent).map(|(at, sent)| at.millis_since(sent));
        let Begun { role, pattern, answer, prompt, reservation, is_free, .. } = call.begun;
        match reservation {
            Some(reservation) if outcome.names_nothing() => {
                self.limits.settle_unknown(reservation, now);
            }
            Some(reservation) => self.limits.settle(reservation, charged, now),
            None => {}
        }
        Settled {
            role,
            pattern,
            record: Record {
                is_streamed: Some(answer == AnswerShape::Streamed),
                upstream,
                is_aborted,
                first_byte_millis,
                prompt_bytes: prompt.bytes,
                reserved: Some(reserved),
                charged: Some(charged),
                usage: Some(usage),
            },
            used: (!is_free).then_some(usage),
            uncounted,
            signals,
        }
    }
}

fn uncounted(
    begun: &Begun,
    usage: &Usage,
    status: Option<u16>,
    is_read: bool,
) -> Option<Uncounted> {
    let is_counted = matches!(usage.counted, Counted::Exact | Counted::Nothing);
    let why = match (status, is_read) {
        (None, _) => Uncounted::Unanswered,
        (Some(_), false) => Uncounted::Unread,
        (Some(_), true) => Uncounted::BrokenOff,
    };
    (!is_counted && begun.answer != AnswerShape::Unmetered).then_some(why)
}
