//! The whole decision on one request, in one call: identity, target, role, credential, limits; then
//! the call until its log line: its answer is read, its limits are settled. Nothing here does I/O or
//! reads a clock; the host says what time it is and fetches what `step` names.

mod admin;
mod begin;
mod calls;
mod decide;
mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Reason, Status};
use crate::google::Bearers;
use crate::limits::Limits;
use crate::oidc::{Issuer, MAX_UNANSWERED, Reply, STORED_FORMAT, StoredKeys, Verifier};
use crate::policy::Policy;
use crate::time::{Monotonic, Now};
use crate::vertex::Labels;
use crate::watch::Watch;
use admin::health_log::Conditions;
use admin::readiness::Readiness;
use calls::table::{CallMark, Calls};
use decide::buffer::Buffer;
use decide::dialect::Dialect;
use decide::request_id::RequestIds;
use decide::verdict;
use decide::verified_token::Sessions;
use decide::waiting::{Patience, Waiting};

pub use admin::counters::{Metrics, TokenKind};
pub use admin::prometheus::LocationTimes;
pub use admin::readiness::Ready;
pub use calls::log_fields::Style;
pub use calls::unlogged::Connection;
pub use decide::actions::{Passage, Signed, SignedTarget, Step, Variables};
pub use decide::explain::Explanation;
pub use load::{check_rules, doubts_of_rules};

/// A request to an issuer that is due now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// To be given back with the answer.
    pub id: u64,
    /// The host to ask, also the end of the backend's name.
    pub authority: String,
    /// The path to ask for.
    pub path: String,
}

/// A configuration at work, shared by all threads.
#[derive(Debug)]
pub struct Gateway {
    verifier: Verifier,
    sessions: Sessions,
    policy: Policy,
    bearers: Bearers,
    buffer: Buffer,
    waiting: Waiting,
    /// Those of each role's requests.
    labels: Vec<Labels>,
    limits: Limits,
    watch: Watch,
    /// Whether it is told when a request has ended.
    accounts: bool,
    calls: Calls,
    conditions: Conditions,
    readiness: Readiness,
    metrics: Metrics,
    ids: RequestIds,
    /// Counts what may end a wait: answers, and tokens signed.
    learnt: AtomicU64,
    /// Which tokens are taken here, for callers who bring another.
    accepted: String,
}

impl Gateway {
    /// The verdict on a request that has just come, as one line of text (see `verdict`).
    #[must_use]
    pub fn decide(&self, request: &[u8], now: Now) -> String {
        self.decide_within(request, now, (now.mono, Patience::Left))
    }

    /// Admits a request to the slow path: the number of its ticket, 0 when too many wait already.
    #[must_use]
    pub fn start_waiting(&self, now: Now) -> u64 {
        self.waiting.start(now.mono)
    }

    /// How large a body can be that HAProxy can hold, in bytes: a larger one never comes as a whole.
    #[must_use]
    pub fn body_room(&self) -> u64 {
        self.buffer.room()
    }

    /// The verdict on a request that waits; nothing while it has to wait on.
    #[must_use]
    pub fn resume(&self, request: &[u8], ticket: u64, now: Now) -> Option<String> {
        let within = self.waiting.news(ticket, self.learnt(), now.mono)?;
        let verdict = self.decide_within(request, now, within);
        match verdict.split('|').next() {
            Some("wait") => return None,
            // It comes back with what is missing.
            Some("peer" | "body") => self.waiting.again(ticket),
            _ => self.stop_waiting(ticket, now),
        }
        Some(verdict)
    }

    /// Takes a ticket back.
    fn stop_waiting(&self, ticket: u64, now: Now) {
        if let Some(since) = self.waiting.end(ticket) {
            self.metrics.waited(now.mono.millis_since(since));
        }
    }

    fn learnt(&self) -> u64 {
        self.learnt.load(Ordering::Acquire)
    }

    fn decide_within(&self, request: &[u8], now: Now, within: (Monotonic, Patience)) -> String {
        self.judge(request, None, now, within, |verdict, facts| {
            self.admit(verdict, facts, now, |verdict, facts| {
                self.count(&verdict);
                verdict.render(facts, &self.accepted)
            })
        })
    }

    /// The `Authorization` header behind a verdict's handle; nothing for any other text. The call
    /// whose mark stands behind it and a `|` is taken to leave now.
    #[must_use]
    pub fn bearer(&self, text: &[u8], now: Now) -> Option<Arc<str>> {
        let text = str::from_utf8(text).ok()?;
        let Some((handle, mark)) = text.split_once('|') else {
            return self.bearers.header(text, now);
        };
        let CallMark { number, .. } = CallMark::parse(mark)?;
        let header = self.bearers.header(handle, now)?;
        self.calls.send(number, now.mono);
        Some(header)
    }

    /// Signs what is due, and names a document that is to be fetched now.
    #[must_use]
    pub fn step(&self, now: Now) -> Option<Fetch> {
        self.end_lapsed(now);
        self.waiting.sweep(now.mono);
        let has_signed = self.bearers.step(now);
        if has_signed {
            self.learnt.fetch_add(1, Ordering::Release);
        }
        self.look_around(has_signed, now);
        self.verifier.issuers().iter().zip(0_u32..).find_map(|(issuer, index)| {
            let (number, endpoint) = issuer.step(now)?;
            Some(Fetch {
                id: (u64::from(index) << 32) | u64::from(number),
                authority: endpoint.authority,
                path: endpoint.path,
            })
        })
    }

    /// Takes what a fetch brought; an answer that is no longer awaited is dropped.
    pub fn answer(&self, id: u64, reply: &Reply, now: Now) {
        let (Ok(index), Ok(number)) = (usize::try_from(id >> 32), u32::try_from(id & 0xffff_ffff))
        else {
            return;
        };
        if let Some(issuer) = self.verifier.issuers().get(index) {
            issuer.answer(number, reply, now);
            self.learnt.fetch_add(1, Ordering::Release);
            self.look_at_issuer(index, now);
        }
    }

    /// How many tasks HAProxy needs: all that fetches can hold at once, and one that signs on.
    #[must_use]
    pub fn fetchers(&self) -> usize {
        self.verifier.issuers().len().saturating_mul(MAX_UNANSWERED).saturating_add(1)
    }

    /// The keys of every issuer, as `state_file` reads them back.
    #[must_use]
    pub fn keys_json(&self) -> String {
        let stored: Vec<StoredKeys> =
            self.verifier.issuers().iter().filter_map(Issuer::stored).collect();
        serde_json::json!({ "format": STORED_FORMAT, "issuers": stored }).to_string()
    }
}

/// The verdict in place of a former one, for what came up afterwards; nothing for any other text.
#[must_use]
pub fn refused(verdict: &str, reason: Reason) -> Option<String> {
    verdict::refused(verdict, reason)
}

/// The number of the call whose mark stands behind a handle.
#[must_use]
pub fn call_of(text: &[u8]) -> Option<u64> {
    let (_, mark) = str::from_utf8(text).ok()?.split_once('|')?;
    Some(CallMark::parse(mark)?.number)
}

/// What an answer of HAProxy's own says: JSON in the dialect that is spoken at the path in a verdict,
/// with its request's id. `status` is HAProxy's, where that is not the reason's.
#[must_use]
pub fn says(verdict: &str, reason: Reason, status: Option<u16>) -> String {
    // As the log line says of it: nobody has decided.
    let is_undecided = verdict.is_empty() && reason != Reason::Unrouted;
    let own = reason.status();
    let reason = if is_undecided { Reason::Undecided } else { reason };
    let status = match status {
        Some(code) if code != own.code => Status::of_http(code),
        _ => own,
    };
    Dialect::of(verdict).answer(reason, status, verdict::id_in(verdict))
}

/// All threads of HAProxy share one gateway; mlua cannot check that here.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Gateway>();
};
