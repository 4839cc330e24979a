//! The end of a request, asked for by its log line: what its answer took is counted, and the line
//! gets its last fields.

use crate::error::Reason;
use crate::gateway::calls::log_fields::{Line, Record, Style};
use crate::gateway::calls::log_tail;
use crate::gateway::calls::read;
use crate::gateway::calls::table::{Call, CallMark};
use crate::gateway::calls::unlogged::{self, Came, Connection};
use crate::gateway::decide::judge::Judgement;
use crate::gateway::decide::reply::VerdictText;
use crate::gateway::decide::verdict::Verdict;
use crate::gateway::ended::Ended;
use crate::gateway::{Gateway, tail_of};
use crate::time::{Now, UnixTime};

impl Gateway {
    /// What a JSON answer that is here as a whole says of its tokens, for [`Self::account`]; nothing
    /// if more of it is to come.
    #[must_use]
    pub fn usage(&self, body: &[u8], now: Now) -> Option<String> {
        read::usage_text(body, now)
    }

    /// The call of a verdict if its answer, of this content type, is one that can be read: from now
    /// on it is, as it passes.
    #[must_use]
    pub fn meter(&self, verdict: &str, content_type: &str) -> Option<u64> {
        let mark = VerdictText(verdict).call().and_then(CallMark::parse)?;
        self.calls.meter(mark, content_type).then_some(mark.number)
    }

    /// A piece of the answer to such a call.
    pub fn feed(&self, call: u64, piece: &[u8], now: Now) {
        self.calls.table.feed(call, piece, now.mono);
    }

    /// Ends the request whose line is being written: what the line says of it.
    #[must_use]
    pub fn account(&self, text: &str, style: Style, now: Now) -> Option<String> {
        let ended = Ended::parse(text)?;
        if ended.verdict.word().is_empty() {
            // HAProxy answered before the rules ran: its log format says so by itself.
            self.admin.counters.decision(ended.refusal());
            return Some(String::new());
        }
        let call = ended.mark().and_then(|mark| self.calls.table.end(mark.number));
        Some(self.line(ended, call, now, style))
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
        let call = self.calls.table.end(call)?;
        let millis_ago = now.mono.millis_since(call.begun.at);
        let at = now.wall + -(millis_ago / 1000);
        let came = Came { date: date(at), secs: at.0, millis_ago };
        let ended = Ended::closed(VerdictText(verdict), connection.uploaded);
        let said = self.line(ended, Some(call), now, connection.style);
        Some(unlogged::line(connection, &came, &said))
    }

    /// Takes back the call that a former verdict on the same request allowed: only the last one counts.
    pub fn withdraw(&self, verdict: &str, now: Now) {
        let verdict = VerdictText(verdict);
        if let (Some(mark), Some(id)) = (verdict.call().and_then(CallMark::parse), verdict.id()) {
            self.calls.withdraw(mark, id, now);
        }
    }

    fn line(&self, ended: Ended<'_>, call: Option<Call>, now: Now, style: Style) -> String {
        let (verdict, refusal) = (ended.verdict, ended.refusal());
        self.admin.counters.decision(refusal);
        let mut signals: Vec<_> = verdict.signals().collect();
        let record = match call {
            Some(call) => {
                let settled = self.calls.settle(call, ended.into_ending(), now);
                self.admin.counters.settled(&settled, verdict.location());
                signals.extend(settled.signals.iter().map(|signal| signal.name()));
                settled.record
            }
            None => Record::default(),
        };
        let tail = log_tail::with_outcome(verdict.tail(), refusal)
            .unwrap_or_else(|| unknown_tail(refusal));
        record.render(&Line { tail, id: verdict.id(), refusal, signals }, style)
    }
}

/// The tail of a request of which nothing is known but its outcome.
fn unknown_tail(refusal: Option<Reason>) -> String {
    let allow = Verdict::Allow { host: "", handle: "" };
    tail_of(&Judgement::of(refusal.map_or(allow, Verdict::from)), None)
}
