//! What was received: the last requests in compact form, and counters that never drop.

use crate::bearer::Checked;
use crate::http1::{Body, Head, MAX_HEADERS};
use crate::identity::Service;
use crate::keys::hex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MAX_RECORDS: usize = 200_000;
/// 200,000 requests with long tokens would be too much: the oldest go earlier then.
const MAX_BYTES: usize = 384 * 1024 * 1024;
/// How much of a body is kept as text.
pub const KEPT_BODY: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Port {
    GoogleHttps,
    GoogleHttp,
    IdpHttps,
    IdpHttp,
    MetadataHttp,
    Oauth2Https,
    StsHttps,
    IamcredentialsHttps,
    MachineHttp,
    Control,
}

/// One of those that the stand-in plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Google,
    Idp,
    #[serde(untagged)]
    Identity(Service),
}

impl Port {
    pub fn side(self) -> Option<Side> {
        Some(match self {
            Self::GoogleHttps | Self::GoogleHttp => Side::Google,
            Self::IdpHttps | Self::IdpHttp => Side::Idp,
            Self::MetadataHttp => Side::Identity(Service::Metadata),
            Self::Oauth2Https => Side::Identity(Service::Oauth2),
            Self::StsHttps => Side::Identity(Service::Sts),
            Self::IamcredentialsHttps => Side::Identity(Service::Iamcredentials),
            Self::MachineHttp => Side::Identity(Service::Machine),
            Self::Control => return None,
        })
    }
}

#[derive(Default, Serialize)]
pub struct Counters {
    pub google_connections: AtomicU64,
    pub google_requests: AtomicU64,
    pub google_valid_bearers: AtomicU64,
    pub google_invalid_bearers: AtomicU64,
    /// Requests that were no requests, with ambiguous framing or cut off.
    pub google_bad_requests: AtomicU64,
    pub google_unary: AtomicU64,
    pub google_streams: AtomicU64,
    pub google_stream_chunks: AtomicU64,
    /// The client left before the answer ended.
    pub google_clients_gone: AtomicU64,
    pub idp_connections: AtomicU64,
    pub idp_requests: AtomicU64,
    pub idp_discovery: AtomicU64,
    pub idp_jwks: AtomicU64,
    pub idp_followed: AtomicU64,
    pub idp_other: AtomicU64,
    pub tokens_minted: AtomicU64,
    pub metadata_requests: AtomicU64,
    pub metadata_tokens: AtomicU64,
    pub oauth2_requests: AtomicU64,
    pub oauth2_tokens: AtomicU64,
    pub sts_requests: AtomicU64,
    pub sts_tokens: AtomicU64,
    pub iamcredentials_requests: AtomicU64,
    pub iamcredentials_tokens: AtomicU64,
    pub machine_requests: AtomicU64,
    pub machine_tokens: AtomicU64,
}

impl Counters {
    /// How many requests were delivered there, and how many answers gave out a token.
    pub fn identity(&self, service: Service) -> (&AtomicU64, &AtomicU64) {
        match service {
            Service::Metadata => (&self.metadata_requests, &self.metadata_tokens),
            Service::Oauth2 => (&self.oauth2_requests, &self.oauth2_tokens),
            Service::Sts => (&self.sts_requests, &self.sts_tokens),
            Service::Iamcredentials => (&self.iamcredentials_requests, &self.iamcredentials_tokens),
            Service::Machine => (&self.machine_requests, &self.machine_tokens),
        }
    }
}

pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How an answer is going; shared between its task and the record.
#[derive(Default)]
pub struct Outcome {
    pub status: AtomicU16,
    pub chunks: AtomicU32,
    state: AtomicU8,
}

const STATES: [&str; 4] = ["open", "complete", "client_gone", "cut"];

impl Outcome {
    pub fn complete(&self) {
        self.state.store(1, Ordering::Relaxed);
    }

    pub fn client_gone(&self) {
        self.state.store(2, Ordering::Relaxed);
    }

    /// The stand-in itself cut the answer off, unless something else is known.
    pub fn cut_if_open(&self) {
        let _ = self.state.compare_exchange(0, 3, Ordering::Relaxed, Ordering::Relaxed);
    }
}

struct Record {
    seq: u64,
    micros: u64,
    port: Port,
    head: Box<[u8]>,
    body_length: u64,
    body_sha256: [u8; 32],
    body_text: Box<[u8]>,
    trailers: Box<[String]>,
    bearer: Option<Checked>,
    /// What an identity service found of the request.
    verified: Option<Value>,
    outcome: Arc<Outcome>,
}

impl Record {
    fn size(&self) -> usize {
        let trailers: usize = self.trailers.iter().map(|line| line.len() + 24).sum();
        self.head.len() + self.body_text.len() + trailers + 256
    }

    fn to_json(&self) -> Value {
        // The head was parsed once already: what was taken then parses again.
        let mut space = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut space);
        let _ = request.parse(&self.head);
        let headers: Vec<[String; 2]> = request
            .headers
            .iter()
            .map(|h| [h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned()])
            .collect();
        let state = self.outcome.state.load(Ordering::Relaxed);
        json!({
            "seq": self.seq,
            "time": self.micros as f64 / 1e6,
            "port": self.port,
            "method": request.method,
            "target": request.path,
            "version": if request.version == Some(0) { "HTTP/1.0" } else { "HTTP/1.1" },
            "headers": headers,
            "body_length": self.body_length,
            "body_sha256": hex(&self.body_sha256),
            "body_text": String::from_utf8_lossy(&self.body_text),
            "trailers": self.trailers,
            "bearer": self.bearer.as_ref().map(Checked::to_json),
            "verified": self.verified,
            "status": self.outcome.status.load(Ordering::Relaxed),
            "chunks_sent": self.outcome.chunks.load(Ordering::Relaxed),
            "state": STATES.get(usize::from(state)),
            "client_gone": state == 2,
        })
    }
}

#[derive(Default)]
struct Log {
    next: u64,
    bytes: usize,
    records: VecDeque<Record>,
}

#[derive(Default)]
pub struct Recorder {
    pub counters: Counters,
    /// Details off: for benchmarks.
    pub off: AtomicBool,
    log: Mutex<Log>,
}

impl Recorder {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request; the outcome is to be told as the answer goes on.
    pub fn add(
        &self,
        port: Port,
        micros: u64,
        head: &Head,
        body: &Body,
        bearer: Option<Checked>,
        verified: Option<Value>,
    ) -> Arc<Outcome> {
        let outcome = Arc::new(Outcome::default());
        if self.off.load(Ordering::Relaxed) {
            return outcome;
        }
        let text = &body.kept[..body.kept.len().min(KEPT_BODY)];
        let mut record = Record {
            seq: 0,
            micros,
            port,
            head: head.raw.clone(),
            body_length: body.length,
            body_sha256: body.sha256,
            body_text: text.into(),
            trailers: body.trailers.as_slice().into(),
            bearer,
            verified,
            outcome: Arc::clone(&outcome),
        };
        let mut log = self.log();
        record.seq = log.next;
        log.next += 1;
        log.bytes += record.size();
        log.records.push_back(record);
        while log.records.len() > MAX_RECORDS || log.bytes > MAX_BYTES {
            let Some(old) = log.records.pop_front() else {
                break;
            };
            log.bytes -= old.size();
        }
        outcome
    }

    /// At most `limit` records from number `since` on, of all ports or of those of one side.
    pub fn since(&self, since: u64, limit: usize, side: Option<Side>) -> Value {
        let log = self.log();
        let first = log.records.front().map_or(log.next, |r| r.seq);
        let skip = usize::try_from(since.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut next = log.next;
        let mut found = Vec::new();
        for record in log.records.iter().skip(skip) {
            if side.is_some() && record.port.side() != side {
                continue;
            }
            if found.len() == limit {
                next = record.seq;
                break;
            }
            found.push(record.to_json());
        }
        json!({"next": next, "more": next < log.next, "requests": found})
    }

    pub fn clear(&self) {
        let mut log = self.log();
        log.records = VecDeque::new();
        log.bytes = 0;
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
