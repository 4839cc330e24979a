//! Settles an ended call: charges its limits with what it took.

use crate::gateway::calls::Calls;
use crate::gateway::calls::charge::{Outcome, at_the_least, charge, usage_of};
use crate::gateway::calls::log_fields::Record;
use crate::gateway::calls::table::{AnswerShape, Begun, Call};
use crate::gateway::calls::upstream::Upstream;
use crate::meter::{Counted, Usage};
use crate::time::Now;
use crate::watch::Signals;

/// How a call ended, as HAProxy reports it.
#[derive(Debug)]
pub(in crate::gateway) struct Ending {
    /// Google's response, if any.
    pub(in crate::gateway) upstream: Option<Upstream>,
    /// Whether no connection to Google was established.
    pub(in crate::gateway) is_unsent: bool,
    /// The bytes that came from the caller, headers included.
    pub(in crate::gateway) uploaded: Option<u64>,
}

/// A settled call.
#[derive(Debug)]
pub(in crate::gateway) struct Settled {
    /// The role's index in the configuration.
    pub(in crate::gateway) role: usize,
    /// The index of the pattern in the role's `models` that matches the model.
    pub(in crate::gateway) pattern: Option<usize>,
    /// The fields of its log line.
    pub(in crate::gateway) record: Record,
    /// Tokens that it used; `None` if it only counted tokens (`countTokens`).
    pub(in crate::gateway) used: Option<Usage>,
    /// Why its tokens could not be counted; `None` if they were.
    pub(in crate::gateway) uncounted: Option<Uncounted>,
    /// Signs of misuse in what it used.
    pub(in crate::gateway) signals: Signals,
}

/// Why the tokens of a call could not be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Uncounted {
    /// The answer's format is unknown, or no filter read it.
    Unread,
    /// The answer broke off, or held an error or invalid JSON.
    BrokenOff,
    /// The call may have reached Google, but no answer came.
    Unanswered,
}

impl Uncounted {
    /// Every value, in order.
    pub(in crate::gateway) const ALL: [Self; 3] = [Self::Unread, Self::BrokenOff, Self::Unanswered];

    /// The value of the metric's label.
    pub(in crate::gateway) const fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::BrokenOff => "broken_off",
            Self::Unanswered => "unanswered",
        }
    }
}

impl Calls {
    /// Withdraws a call of the request with this id that will not be made.
    pub(in crate::gateway) fn withdraw(&self, number: u64, id: &str, now: Now) {
        let call = self.table.withdraw(number, id);
        if let Some(reservation) = call.and_then(|call| call.begun.reservation) {
            self.limits.withdraw(reservation, now);
        }
    }

    /// Ends calls whose log line never came because the operator's log format does not ask. They
    /// are charged their reservation, or what was read of the answer if that is more.
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

    /// Ends a call and charges its limits.
    pub(in crate::gateway) fn settle(&self, call: Call, ending: Ending, now: Now) -> Settled {
        let Ending { upstream, is_unsent, uploaded } = ending;
        let status = upstream.and_then(Upstream::status);
        let is_read = call.whole.is_some() || call.reader.is_some();
        let may_have_arrived = call.sent.is_some() && (status.is_some() || !is_unsent);
        let outcome = Outcome { upstream: status, may_have_arrived, uploaded };
        let usage = usage_of(&call, outcome);
        let uncounted = uncounted(&call.begun, &usage, status, is_read);
        let is_unanswered = status.is_none() && may_have_arrived;
        let is_aborted = (is_read || is_unanswered).then_some(!usage.is_complete || is_unanswered);
        let charged = charge(&call, outcome, &usage);
        let signals = self.watch.tokens(call.begun.principal, charged, now);
        let reserved = call.begun.estimate();
        let first_byte_millis =
            call.first_byte.zip(call.sent).map(|(at, sent)| at.millis_since(sent));
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
