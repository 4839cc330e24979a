//! Decides on a request: who calls, for what, under which role, as which Google identity.

pub(super) mod actions;
pub(super) mod buffer;
pub(super) mod connection;
pub(super) mod dialect;
pub(super) mod explain;
pub(super) mod judge;
pub(super) mod known_body;
mod model_list;
pub(super) mod rate_limit_headers;
pub(super) mod reply;
pub(super) mod request;
pub(super) mod request_id;
mod token_values;
mod trace_context;
pub(super) mod upload;
pub(super) mod verdict;
pub(super) mod verified_token;
pub(super) mod waiting;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::fetch::Reply;
use crate::google::{Bearers, Disk};
use crate::oidc::{TokenHeaders, Verifier};
use crate::policy::Policy;
use crate::time::Now;
use crate::vertex::Labels;
use buffer::Buffer;
use judge::Judgement;
use reply::Accepted;
use request_id::RequestIds;
use upload::Uploads;
use verified_token::VerifiedTokens;
use waiting::Waiting;

/// The state that decisions depend on.
#[derive(Debug)]
pub(super) struct Decide {
    pub(super) verifier: Verifier,
    pub(super) tokens: VerifiedTokens,
    pub(super) policy: Policy,
    pub(super) bearers: Bearers,
    pub(super) buffer: Buffer,
    pub(super) waiting: Waiting,
    pub(super) uploads: Uploads,
    /// The labels of each role's requests.
    pub(super) labels: Vec<Labels>,
    pub(super) ids: RequestIds,
    /// Number of events that may end a wait: answers to fetches, and tokens signed.
    pub(super) learnt: AtomicU64,
    /// The headers that are read for tokens.
    pub(super) token_headers: TokenHeaders,
    pub(super) accepted: Accepted,
}

impl Decide {
    /// Number of events so far that may end a wait.
    pub(super) fn learnt(&self) -> u64 {
        self.learnt.load(Ordering::Acquire)
    }

    /// Signs what is due. Returns whether something was signed.
    pub(super) fn sign_due(&self, now: Now) -> bool {
        let has_signed = self.bearers.step(now);
        if has_signed {
            self.learnt.fetch_add(1, Ordering::Release);
        }
        has_signed
    }

    /// Looks at the files that are due. Returns whether another source came into use.
    pub(super) fn look_at_files(&self, disk: Disk<'_>, now: Now) -> bool {
        let is_new = self.bearers.look_at_files(disk, now);
        if is_new {
            self.learnt.fetch_add(1, Ordering::Release);
        }
        is_new
    }

    /// Takes the result of a fetch for a credential's token. Returns whether one asked for it.
    pub(super) fn answer_credential(
        &self,
        place: usize,
        number: u32,
        reply: &Reply,
        now: Now,
    ) -> bool {
        let is_known = self.bearers.answer(place, number, reply, now);
        if is_known {
            self.learnt.fetch_add(1, Ordering::Release);
        }
        is_known
    }

    /// Takes the result of a fetch from an issuer. Returns whether there is such an issuer.
    pub(super) fn answer(&self, issuer: usize, number: u32, reply: &Reply, now: Now) -> bool {
        let Some(issuer) = self.verifier.issuers().get(issuer) else {
            return false;
        };
        issuer.answer(number, reply, now);
        self.learnt.fetch_add(1, Ordering::Release);
        true
    }

    /// The value of `X-Vertex-AI-Labels` for a request.
    pub(super) fn labels_of(&self, judgement: &Judgement<'_>) -> Option<String> {
        let (token, role) = judgement.token.as_ref().zip(judgement.role)?;
        self.labels.get(role.place)?.header(&token.principal)
    }
}
