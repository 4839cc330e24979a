//! The end of a request, asked for by its log line: what its answer took is counted, and the line
//! gets its last fields.

use crate::gateway::Gateway;
use crate::gateway::calls::charge::{Outcome, at_the_least, charge, usage_of};
use crate::gateway::calls::ended::Ended;
use crate::gateway::calls::log_fields::{Line, Record, Style};
use crate::gateway::calls::table::{Answer, Begun, Call, CallMark};
use crate::gateway::calls::unlogged::{self, Came, Connection};
use crate::gateway::decide::verdict;
use crate::time::{Now, UnixTime};

impl Gateway {
    /// Ends the request whose line is being written: what the line says of it.
    #[must_use]
    pub fn account(&self, text: &str, style: Style, now: Now) -> Option<String> {
        let mut ended = Ended::parse(text)?;
        if ended.verdict.is_empty() {
            // HAProxy answered before the rules ran: its log format says so by itself.
            self.metrics.decision(ended.refusal());
            return Some(String::new());
        }
        let call = ended.mark().and_then(|mark| self.calls.end(mark.number));
        Some(self.line(&mut ended, call, now, style))
    }

    /// Ends a call that Google closed the connection on, of which HAProxy says nothing: the line that
    /// is missing. Nothing if the call is over. `date` writes a time as `%tr` does.
    #[must_use]
    pub fn unlogged(
        &self,
        call: u64,
        verdict: &str,
        connection: &Connection,
        now: Now,
        date: impl FnOnce(UnixTime) -> String,
    ) -> Option<String> {
        let call = self.calls.end(call)?;
        let millis_ago = now.mono.millis_since(call.begun.at);
        let at = now.wall + -(millis_ago / 1000);
        let came = Came { date: date(at), secs: at.0, millis_ago };
        let said = self.line(&mut Ended::closed(verdict), Some(call), now, connection.style);
        Some(unlogged::line(connection, &came, &said))
    }

    /// Takes back the call that a former verdict on the same request allowed: only the last one counts.
    pub fn withdraw(&self, verdict: &str, now: Now) {
        let (Some(mark), Some(id)) = (CallMark::in_verdict(verdict), verdict::id_in(verdict))
        else {
            return;
        };
        let reservation = self.calls.withdraw(mark.number, id).and_then(|c| c.begun.reservation);
        if let Some(reservation) = reservation {
            self.limits.withdraw(reservation, now);
        }
    }

    /// Ends the calls whose log line does not come, as the operator's own log format lacks it: what
    /// they reserved stays used, or what was read if that is more.
    pub(in crate::gateway) fn end_lapsed(&self, now: Now) {
        for call in self.calls.lapsed(now.mono) {
            self.metrics.request(call.begun.role, call.begun.pattern);
            let charged = at_the_least(&call, Outcome::default(), None);
            if let Some(reservation) = call.begun.reservation {
                self.limits.settle(reservation, charged, now);
            }
        }
    }

    fn line(&self, ended: &mut Ended<'_>, call: Option<Call>, now: Now, style: Style) -> String {
        let line = Line::of(ended);
        self.metrics.decision(line.refusal);
        let mut record = match call {
            Some(call) => self.settled(ended, call, now),
            None => Record::default(),
        };
        let signals = ended.verdict.rsplit('|').nth(1).filter(|names| !matches!(*names, "" | "-"));
        let signals = signals.into_iter().flat_map(|names| names.split(',')).map(str::to_owned);
        record.signals.splice(0..0, signals);
        record.render(&line, style)
    }

    fn settled(&self, ended: &mut Ended<'_>, call: Call, now: Now) -> Record {
        let whole = ended.whole.take();
        let first_byte = call.first_byte.or_else(|| whole.as_ref().map(|(at, _)| *at));
        let is_read = whole.is_some() || call.reader.is_some();
        let may_have_arrived = ended.may_have_arrived(&call);
        let Ended { upstream, uploaded, .. } = *ended;
        let outcome = Outcome { upstream, may_have_arrived, uploaded };
        let usage = usage_of(&call, outcome, whole.map(|(_, usage)| usage));
        self.metrics.request(call.begun.role, call.begun.pattern);
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
            upstream: ended.answer(),
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
