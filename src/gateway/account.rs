//! The end of a request, asked for by its log line: what its answer took is counted, and the line
//! gets its last fields.

use crate::gateway::Gateway;
use crate::gateway::calls::{Answer, Begun, Call, CallMark};
use crate::gateway::charge::{Outcome, at_the_least, charge, usage_of};
use crate::gateway::record::{Record, Style};
use crate::meter::Usage;
use crate::time::{Monotonic, Now};

/// Between the parts of what HAProxy hands over; none of them can hold it but the first.
const SEPARATOR: char = '^';

/// Without a verdict there is still something for HAProxy's rules to begin with.
const START: char = '-';

/// What HAProxy knows of a request that has ended.
pub(super) struct Ended<'t> {
    /// The last verdict.
    pub(super) verdict: &'t str,
    /// An allow that could not be carried out.
    undone: &'t str,
    /// The status that Google answered with.
    pub(super) upstream: Option<u16>,
    /// The status of the answer that left, if one did; 0 if no server had been chosen by then.
    status: Option<u16>,
    /// What `usage` said of a whole answer.
    whole: Option<(Monotonic, Usage)>,
    /// The bytes that came from the caller, headers included.
    uploaded: Option<u64>,
}

impl<'t> Ended<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let (text, uploaded) = uploaded(text.strip_prefix(START)?);
        let mut parts = text.rsplitn(5, SEPARATOR);
        let mut part = || parts.next();
        let (whole, status, upstream, undone, verdict) =
            (part()?, part()?, part()?, part()?, part()?);
        let whole = whole.split_once(' ').and_then(|(millis, fields)| {
            Some((Monotonic(millis.parse().ok()?), Usage::parse_fields(fields)?))
        });
        Some(Self {
            verdict,
            undone,
            upstream: upstream.parse().ok(),
            status: status.parse().ok(),
            whole,
            uploaded,
        })
    }

    /// Whether Google can have seen the call: HAProxy says 503 where no connection came about.
    fn may_have_arrived(&self, call: &Call) -> bool {
        let is_unsent = matches!(self.status, Some(0 | 503));
        call.sent.is_some() && (self.upstream.is_some() || !is_unsent)
    }
}

/// The text without its last part, and what that says; a log format of an earlier version lacks it,
/// and ends in the usage.
fn uploaded(text: &str) -> (&str, Option<u64>) {
    let is_there = text.matches(SEPARATOR).count() >= 5;
    match text.rsplit_once(SEPARATOR) {
        Some((text, uploaded)) if is_there => (text, uploaded.parse().ok()),
        _ => (text, None),
    }
}

impl Gateway {
    /// Ends the request whose line is being written: the fields at the end of the line.
    #[must_use]
    pub fn account(&self, text: &str, style: Style, now: Now) -> Option<String> {
        let mut ended = Ended::parse(text)?;
        self.count_ended(&ended);
        if ended.verdict.is_empty() {
            // HAProxy answered before the rules ran: its log format says so by itself.
            return Some(String::new());
        }
        let mark =
            CallMark::in_verdict(ended.verdict).or_else(|| CallMark::in_verdict(ended.undone));
        let call = mark.and_then(|mark| self.calls.end(mark.number));
        let mut record = match call {
            Some(call) => self.settled(&mut ended, call, now),
            None => Record::default(),
        };
        let mut fields = ended.verdict.rsplit('|').skip(1);
        let signals = fields.next().filter(|signals| !matches!(*signals, "" | "-"));
        record
            .signals
            .splice(0..0, signals.into_iter().flat_map(|s| s.split(',')).map(str::to_owned));
        Some(record.render(ended.verdict, style))
    }

    /// Ends the calls whose log line does not come, as the operator's own log format lacks it: what
    /// they reserved stays used, or what was read if that is more.
    pub(super) fn end_lapsed(&self, now: Now) {
        for call in self.calls.lapsed(now.mono) {
            let charged = at_the_least(&call, Outcome::default(), None);
            if let Some(reservation) = call.begun.reservation {
                self.limits.settle(reservation, charged, now);
            }
        }
    }

    fn settled(&self, ended: &mut Ended<'_>, call: Call, now: Now) -> Record {
        let whole = ended.whole.take();
        let first_byte = call.first_byte.or_else(|| whole.as_ref().map(|(at, _)| *at));
        let is_read = whole.is_some() || call.reader.is_some();
        let may_have_arrived = ended.may_have_arrived(&call);
        let Ended { upstream, uploaded, .. } = *ended;
        let outcome = Outcome { upstream, may_have_arrived, uploaded };
        let usage = usage_of(&call, outcome, whole.map(|(_, usage)| usage));
        self.count_call(ended, &call.begun, &usage, is_read);
        let first_byte_millis = first_byte.zip(call.sent).map(|(at, sent)| at.millis_since(sent));
        if let (Some(millis), Some(location)) = (first_byte_millis, ended.verdict.split('|').nth(1))
        {
            self.metrics.first_byte(location, millis);
        }
        let is_unanswered = ended.upstream.is_none() && may_have_arrived;
        let is_aborted = (is_read || is_unanswered).then_some(!usage.is_complete || is_unanswered);
        let charged = charge(&call, outcome, &usage);
        let signals = self.watch.tokens(call.begun.principal, charged, now);
        signals.iter().for_each(|signal| self.metrics.signal(signal));
        let reserved = call.begun.estimate();
        let Begun { answer, prompt, reservation, .. } = call.begun;
        match reservation {
            Some(reservation) if outcome.names_nothing() => {
                self.limits.settle_unknown(reservation, now);
            }
            Some(reservation) => self.limits.settle(reservation, charged, now),
            None => {}
        }
        Record {
            is_streamed: Some(answer == Answer::Streamed),
            upstream: ended.upstream,
            is_aborted,
            first_byte_millis,
            prompt_bytes: prompt.bytes,
            reserved: Some(reserved),
            charged: Some(charged),
            signals: signals.iter().map(|signal| signal.name().to_owned()).collect(),
            usage: Some(usage),
        }
    }
}
