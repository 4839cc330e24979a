//! Decides on a request in one call: identity, target, role, credential, limits. Then follows the
//! call until its log line: reads its answer and settles its limits. Nothing here does I/O or reads
//! a clock; the host passes the time in and fetches what `step` names.

mod actions;
mod admin;
mod begin;
mod calls;
mod decide;
mod ended;
mod line;
mod load;
mod upload;

use std::path::Path;

use crate::error::{Reason, Refusal, Status};
use crate::fetch::{self, Id, MAX_UNANSWERED, Reply};
use crate::google::{Authorization, Disk};
use crate::json::Json;
use crate::oidc::{Issuer, STORED_FORMAT, StoredKeys};
use crate::time::{Monotonic, Now};
use admin::{Admin, View};
use calls::Calls;
use calls::log_tail::{RequestLine, Tail};
use calls::table::CallMark;
use decide::Decide;
use decide::dialect::Dialect;
use decide::judge::Judgement;
use decide::reply::{self, Attached, ToldRefusal, VerdictText};
use decide::request::{Received, Request};
use decide::verdict::Verdict;
use decide::waiting::Patience;
use upload::UploadMark;

pub use admin::counters::{Metrics, TokenKind};
pub use admin::prometheus::LocationTimes;
pub use admin::readiness::Ready;
pub use calls::log_fields::Style;
pub use calls::unlogged::Connection;
pub use decide::actions::{Passage, Signed, SignedTarget, Step, Variables};
pub use decide::explain::Explanation;
pub use load::{check_rules, doubts_of_rules};
pub use upload::{Passed, Piece};

/// A request that is due now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// To be given back with the answer.
    pub id: Id,
    /// What to send.
    pub request: fetch::Request,
}

/// A gateway at work on a configuration, shared by all threads.
#[derive(Debug)]
pub struct Gateway {
    decide: Decide,
    calls: Calls,
    admin: Admin,
}

impl Gateway {
    /// The verdict on a new request, as one line of text (see `reply`).
    #[must_use]
    pub fn decide(&self, request: &[u8], now: Now) -> String {
        self.decide_within(request, now, (now.mono, Patience::Left)).1
    }

    /// Admits a request to wait: returns the number of its ticket, 0 if too many wait already.
    #[must_use]
    pub fn start_waiting(&self, now: Now) -> u64 {
        self.decide.waiting.start(now.mono)
    }

    /// The verdict on a waiting request; `None` while it has to wait on.
    #[must_use]
    pub fn resume(&self, request: &[u8], ticket: u64, now: Now) -> Option<String> {
        let waiting = &self.decide.waiting;
        let within = waiting.news(ticket, self.decide.learnt(), now.mono)?;
        let (next, text) = self.decide_within(request, now, within);
        match next {
            Next::Waits => return None,
            Next::BringsMore => waiting.again(ticket),
            Next::Ends => self.stop_waiting(ticket, now),
        }
        Some(text)
    }

    /// Ends a ticket.
    fn stop_waiting(&self, ticket: u64, now: Now) {
        if let Some(since) = self.decide.waiting.end(ticket) {
            self.admin.counters.waited(now.mono.millis_since(since));
        }
    }

    fn decide_within(
        &self,
        bytes: &[u8],
        now: Now,
        within: (Monotonic, Patience),
    ) -> (Next, String) {
        let received = Received::split(bytes);
        let request = received.request();
        let request = request.as_ref();
        let mut judgement = self.decide.judge(request, None, now, within);
        let begun = self.begin(&mut judgement, request, now);
        if !judgement.awaits_body {
            self.count_decision(&judgement.verdict);
        }
        (Next::of(&judgement.verdict), self.text(&judgement, request, &begun.attached()))
    }

    /// Writes a verdict as text: the fields for HAProxy and the caller, then the log tail, unless the
    /// call holds it.
    fn text(
        &self,
        judgement: &Judgement<'_>,
        request: Option<&Request<'_>>,
        attached: &Attached<'_>,
    ) -> String {
        let mut out = String::with_capacity(1024);
        if reply::write(&mut out, judgement, request, attached, &self.decide.accepted) {
            write_tail(&mut out, judgement, request);
        }
        out
    }

    /// The verdict in place of a former one, for what came up afterwards: the caller, the role and the
    /// target stay as they were. Nothing for any other text.
    #[must_use]
    pub fn refused(&self, verdict: &str, reason: Reason) -> Option<String> {
        let former = VerdictText::of(verdict);
        let tail = calls::log_tail::with_outcome(&self.tail(former), Some(reason))?;
        let told = ToldRefusal::for_reason(reason, Dialect::of(&tail), reason.text(), former.id());
        let mut out = String::with_capacity(1024);
        told.write_to(&mut out, "deny", former.id());
        out.push_str("-|");
        out.push_str(&tail);
        Some(out)
    }

    /// The log tail of a verdict, which its text has or its call; empty where neither has one.
    fn tail(&self, verdict: VerdictText<'_>) -> String {
        match verdict.tail() {
            "" => verdict.call().and_then(|call| self.tail_kept(call)).unwrap_or_default(),
            tail => tail.to_owned(),
        }
    }

    /// The log tail that a call keeps, or an upload.
    fn tail_kept(&self, mark: &str) -> Option<String> {
        match (CallMark::parse(mark), UploadMark::parse(mark)) {
            (Some(mark), _) => self.calls.table.tail(mark.number),
            (None, Some(UploadMark(number))) => {
                self.decide.uploads.with(number, |upload| upload.tail.clone())
            }
            (None, None) => None,
        }
    }

    /// Counts a decision that is the last word, where no log line will.
    fn count_decision(&self, verdict: &Verdict<'_>) {
        if verdict.is_final() && !self.calls.accounts {
            self.admin.counters.decision(verdict.reason());
        }
    }

    /// The `Authorization` header for fields 4 and 5 of a verdict (`call|id`), and the call's number;
    /// `None` for any other text. The call counts as sent now. If calls are not followed, field 4 is
    /// the bearer's handle, and there is no number.
    #[must_use]
    pub fn bearer(&self, text: &[u8], now: Now) -> Option<(Authorization, Option<u64>)> {
        let (call, id) = str::from_utf8(text).ok()?.rsplit_once('|')?;
        if let Some(UploadMark(number)) = UploadMark::parse(call) {
            let slot = self.decide.uploads.with(number, |upload| {
                upload.sent = Some(now.mono);
                (upload.id.as_str() == id).then_some(upload.slot)
            });
            return Some((self.decide.bearers.header_of(slot??, now)?, Some(number)));
        }
        let Some(CallMark { number, .. }) = CallMark::parse(call) else {
            return Some((self.decide.bearers.header(call, now)?, None));
        };
        let slot = self.calls.table.slot(number, id)?;
        let header = self.decide.bearers.header_of(slot, now)?;
        self.calls.table.send(number, now.mono);
        Some((header, Some(number)))
    }

    /// Verifies a token's signature if its issuer's keys are known. Returns whether they are.
    ///
    /// # Errors
    /// Why the token is refused.
    pub fn has_verified(&self, token: &str, now: Now) -> Result<bool, Refusal> {
        self.decide.has_verified(token, now)
    }

    /// Decides on a request of the caller with these claims, for people to read: the claims are not
    /// verified, nothing is cached, no limit is charged.
    #[must_use]
    pub fn explain(&self, claims: &Json, request: &[u8], now: Now) -> Explanation {
        self.decide.explain(claims, request, now)
    }

    /// Signs what is due, and names a request that is to be sent now.
    #[must_use]
    pub fn step(&self, now: Now) -> Option<Fetch> {
        for call in self.calls.end_lapsed(now) {
            self.admin.counters.request(call.begun.role, call.begun.pattern);
        }
        self.decide.waiting.sweep(now.mono);
        self.decide.uploads.sweep(now.mono);
        let has_signed = self.decide.sign_due(now);
        self.admin.health_log.look_around(&self.decide, has_signed, now);
        let issuers = self.decide.verifier.issuers();
        let of_issuer = issuers.iter().enumerate().find_map(|(index, issuer)| {
            let (number, request) = issuer.step(now)?;
            Some((index, number, request))
        });
        let (asker, number, request) = of_issuer.or_else(|| {
            let (place, number, request) = self.decide.bearers.fetch(now)?;
            Some((issuers.len().saturating_add(place), number, request))
        })?;
        let asker = u32::try_from(asker).ok()?;
        Some(Fetch { id: Id { asker, number }, request })
    }

    /// Looks at the credentials' files that are due. Never in a request's way: it waits for the disk.
    pub fn look_at_files(&self, disk: Disk<'_>, now: Now) {
        if self.decide.look_at_files(disk, now) {
            self.admin.health_log.look_around(&self.decide, true, now);
        }
    }

    /// The files that the credentials were made from.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        self.decide.bearers.files().collect()
    }

    /// Google refused the credential of the call in this verdict. Returns whether a fresh one is there,
    /// or on its way.
    #[must_use]
    pub fn credential_refused(&self, verdict: &str, now: Now) -> bool {
        let (bearers, verdict) = (&self.decide.bearers, VerdictText::of(verdict));
        let (Some(call), Some(id)) = (verdict.call(), verdict.id()) else {
            return false;
        };
        if let Some(UploadMark(number)) = UploadMark::parse(call) {
            let sent = self.decide.uploads.with(number, |upload| {
                (upload.id.as_str() == id).then_some((upload.slot, upload.sent))
            });
            return sent.flatten().is_some_and(|(slot, sent)| bearers.reject(slot, sent, now));
        }
        match CallMark::parse(call) {
            None => bearers.reject_handle(call, now),
            Some(CallMark { number, .. }) => self
                .calls
                .table
                .sent(number, id)
                .is_some_and(|(slot, sent)| bearers.reject(slot, sent, now)),
        }
    }

    /// Whether commands may change something.
    #[must_use]
    pub const fn has_admin_commands(&self) -> bool {
        self.admin.may_change
    }

    /// The answer to `vertex reload` with these words, which changes something; it ends in a line feed.
    #[must_use]
    pub fn reload(&self, words: &[&str], now: Now) -> String {
        match (self.admin.may_change, words) {
            (false, _) => {
                "vertex reload: `admin_commands` of vertex.json does not allow it\n".into()
            }
            (true, ["credential", name]) => match self.decide.bearers.hurry(name, now.mono) {
                true => format!(
                    "credential {name}: its file is read now; `vertex show credentials` tells more\n"
                ),
                false => format!("vertex reload: no credential {name} has a file\n"),
            },
            (true, _) => "vertex reload: credential and its name are wanted\n".into(),
        }
    }

    /// Takes what a fetch brought; an answer that is no longer awaited is dropped.
    pub fn answer(&self, Id { asker, number }: Id, reply: &Reply, now: Now) {
        let Ok(index) = usize::try_from(asker) else {
            return;
        };
        // The issuers come first, then the credentials whose tokens are fetched.
        match index.checked_sub(self.decide.verifier.issuers().len()) {
            None => {
                if self.decide.answer(index, number, reply, now) {
                    self.admin.health_log.look_at_issuer(&self.decide, index, now);
                }
            }
            Some(place) => {
                if self.decide.answer_credential(place, number, reply, now) {
                    self.admin.health_log.look_around(&self.decide, true, now);
                }
            }
        }
    }

    /// Number of tasks that HAProxy needs: one for each fetch that can run at once, and one that
    /// signs.
    #[must_use]
    pub fn fetchers(&self) -> usize {
        let issuers = self.decide.verifier.issuers().len();
        let askers = issuers.saturating_add(self.decide.bearers.fetchers());
        askers.saturating_mul(MAX_UNANSWERED).saturating_add(1)
    }

    /// The public keys of every issuer, as `state_file` reads them.
    #[must_use]
    pub fn keys_json(&self) -> String {
        let stored: Vec<StoredKeys> =
            self.decide.verifier.issuers().iter().filter_map(Issuer::stored).collect();
        serde_json::json!({ "format": STORED_FORMAT, "issuers": stored }).to_string()
    }

    /// The counters, for those who see what happens to a request after its decision.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.admin.counters
    }

    /// The page for Prometheus, in its text format 0.0.4.
    #[must_use]
    pub fn metrics_page(&self, times: &[LocationTimes], now: Now) -> String {
        self.view().metrics_page(times, now)
    }

    /// Whether this gateway is ready for requests, and what is not well.
    #[must_use]
    pub fn ready(&self, now: Now) -> Ready {
        self.view().ready(now)
    }

    /// The answer to `vertex show` with these words; it ends in a line feed.
    #[must_use]
    pub fn show(&self, words: &[&str], now: Now) -> String {
        match words {
            ["keys", "json"] => self.keys_json() + "\n",
            words => self.view().show(words, now),
        }
    }

    const fn view(&self) -> View<'_> {
        View { decide: &self.decide, calls: &self.calls, admin: &self.admin }
    }
}

/// What happens to a request after its verdict.
enum Next {
    /// It waits.
    Waits,
    /// It comes back with the client's certificate or its body.
    BringsMore,
    Ends,
}

impl Next {
    const fn of(verdict: &Verdict<'_>) -> Self {
        match verdict {
            Verdict::Wait(_) => Self::Waits,
            Verdict::NeedsClient | Verdict::NeedsBody => Self::BringsMore,
            Verdict::Allow(_) | Verdict::Answer(_) | Verdict::Deny(_) | Verdict::Exhausted(_) => {
                Self::Ends
            }
        }
    }
}

/// Most log tails are shorter.
const TAIL_BYTES: usize = 640;

/// The log tail of a judgement.
fn write_tail(out: &mut String, judgement: &Judgement<'_>, request: Option<&Request<'_>>) {
    let token = judgement.token.as_ref();
    let tail = Tail {
        request: request.map(|request| RequestLine {
            method: request.method,
            path: request.path(),
            is_checked: judgement.target.is_some(),
            version: request.version,
        }),
        principal: token.map(|token| token.principal.as_ref()),
        named: &judgement.named(),
        display: token.map(|token| token.display.as_ref()),
        detail: judgement.verdict.detail(),
        session: request.map(|request| request.session),
        trace: request.and_then(Request::trace),
    };
    let decision = match &judgement.verdict {
        Verdict::Answer(_) => "allow",
        verdict => verdict.word(),
    };
    tail.write_to(out, decision, judgement.verdict.reason());
}

fn tail_of(judgement: &Judgement<'_>, request: Option<&Request<'_>>) -> String {
    let mut out = String::with_capacity(TAIL_BYTES);
    write_tail(&mut out, judgement, request);
    out
}

/// What an answer of HAProxy's own says: JSON in the dialect that is spoken at the path in a verdict,
/// with its request's id; of a refusal its own. HAProxy's termination state may stand before the verdict,
/// as in the log line's report. `status` is HAProxy's, where that is not the reason's.
#[must_use]
pub fn error_json(verdict: &str, reason: Reason, status: Option<u16>) -> String {
    let (state, verdict) = ended::state_and_verdict(verdict);
    let (reason, status) = match state {
        Some(state) if state.is_slow_caller() && reason == Reason::RequestIncomplete => {
            (Reason::BodyTimeout, None)
        }
        _ => (reason, status),
    };
    // The log line reports `undecided` too.
    let is_undecided = verdict.is_empty() && reason != Reason::Unrouted;
    let text = VerdictText::of(verdict);
    if let Some(json) = text.error_json() {
        return json.to_owned();
    }
    let own = reason.status();
    let reason = if is_undecided { Reason::Undecided } else { reason };
    let status = match status {
        Some(code) if code != own.code => Status::of_http(code),
        _ => own,
    };
    Dialect::of(verdict).answer(reason, status, text.id())
}

/// All threads of HAProxy share one gateway; mlua cannot check that here.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Gateway>();
};
