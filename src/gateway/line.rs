//! Ends a request when HAProxy writes its log line: counts the tokens of its answer, settles its
//! limits and adds the last fields of the line.

use crate::error::Reason;
use crate::gateway::Gateway;
use crate::gateway::calls::log_fields::{Line, Record, Style};
use crate::gateway::calls::log_tail::{self, Tail};
use crate::gateway::calls::table::{Call, CallMark};
use crate::gateway::calls::unlogged::{self, Came, Connection};
use crate::gateway::decide::reply::VerdictText;
use crate::gateway::ended::Ended;
use crate::meter;
use crate::time::{Now, UnixTime};

impl Gateway {
    /// Reads a JSON answer to this call that is here as a whole; whether all of it is.
    pub fn usage(&self, call: u64, body: &[u8], now: Now) -> bool {
        meter::whole(body).is_some_and(|usage| self.calls.table.keep(call, usage, now.mono))
    }

    /// Starts to read the answer to a verdict's call as it passes, if its content type can be read.
    /// Returns the call's number; `None` if the answer is not read.
    #[must_use]
    pub fn meter(&self, verdict: &str, content_type: &str) -> Option<u64> {
        let mark = VerdictText::of(verdict).call().and_then(CallMark::parse)?;
        self.calls.meter(mark, content_type).then_some(mark.number)
    }

    /// Reads a piece of the answer to such a call.
    pub fn feed(&self, call: u64, piece: &[u8], now: Now) {
        self.calls.table.feed(call, piece, now.mono);
    }

    /// Ends the request whose log line HAProxy is writing, and returns the fields of that line.
    #[must_use]
    pub fn log_fields(&self, text: &str, style: Style, now: Now) -> Option<String> {
        let ended = Ended::parse(text)?;
        if ended.verdict.word().is_empty() {
            // HAProxy answered before the rules ran: its log format says so by itself.
            self.admin.counters.decision(ended.refusal());
            return Some(String::new());
        }
        let call = ended.mark().and_then(|mark| self.calls.table.end(mark.number));
        let number = ended.number();
        let line = self.line(ended, call, now, style);
        self.end_upload(number);
        Some(line)
    }

    /// What was decided on a request, as the start of its line's fields, where nobody can say what
    /// became of it.
    #[must_use]
    pub fn decided(&self, text: &str) -> Option<String> {
        let ended = Ended::parse(text)?;
        let verdict = ended.verdict;
        if verdict.word().is_empty() {
            return Some(String::new());
        }
        let (tail, id) = (self.tail(verdict), verdict.id().unwrap_or("-"));
        Some(format!("{tail} google=- id={id}"))
    }

    /// Ends a call whose connection Google closed, for which HAProxy writes no log line, and
    /// returns that line. `None` if the call has ended already. `date` formats a time as `%tr`
    /// does.
    #[must_use]
    pub fn unlogged(
        &self,
        call: u64,
        verdict: &str,
        connection: &Connection,
        now: Now,
        date: impl FnOnce(UnixTime) -> String,
    ) -> Option<String> {
        let number = call;
        let call = self.calls.table.end(number);
        let began = match &call {
            Some(call) => call.begun.at,
            None => self.decide.uploads.with(number, |upload| upload.began)?,
        };
        let millis_ago = now.mono.millis_since(began);
        let at = now.wall + -(millis_ago / 1000);
        let came = Came { date: date(at), secs: at.0, millis_ago };
        let ended = Ended::closed(VerdictText::of(verdict), connection.uploaded);
        let said = self.line(ended, call, now, connection.style);
        self.decide.uploads.take(number);
        Some(unlogged::line(connection, &came, &said))
    }

    /// Withdraws the call that a former verdict on the same request allowed: only the last verdict
    /// counts.
    pub fn withdraw(&self, verdict: &str, now: Now) {
        let verdict = VerdictText::of(verdict);
        if let (Some(mark), Some(id)) = (verdict.call().and_then(CallMark::parse), verdict.id()) {
            self.calls.withdraw(mark.number, id, now);
        }
    }

    fn line(&self, ended: Ended<'_>, call: Option<Call>, now: Now, style: Style) -> String {
        let (verdict, refusal) = (ended.verdict, ended.refusal());
        self.admin.counters.decision(refusal);
        let mut signals: Vec<_> = verdict.signals().split_terminator(',').collect();
        let (record, tail) = match call {
            Some(mut call) => {
                let tail = std::mem::take(&mut call.begun.tail);
                let settled = self.calls.settle(call, ended.into_ending(), now);
                self.admin.counters.settled(&settled, verdict.location());
                signals.extend(settled.signals.iter().map(|signal| signal.name()));
                (settled.record, tail)
            }
            None => {
                let upstream = ended.into_ending().upstream;
                (Record { upstream, ..Record::default() }, self.tail(verdict))
            }
        };
        // The tail of a call was written with its allow.
        let tail = match refusal {
            None if !tail.is_empty() => tail,
            _ => log_tail::with_outcome(&tail, refusal).unwrap_or_else(|| unknown_tail(refusal)),
        };
        record.render(&Line { tail, id: verdict.id(), refusal, signals }, style)
    }
}

/// The log tail of a request that has no verdict.
fn unknown_tail(refusal: Option<Reason>) -> String {
    let (mut out, decision) = (String::new(), if refusal.is_none() { "allow" } else { "deny" });
    Tail::default().write_to(&mut out, decision, refusal);
    out
}
