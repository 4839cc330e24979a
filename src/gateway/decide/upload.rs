//! The requests whose bodies are longer than HAProxy's buffer, while these pass: each begins with an
//! allow for its head, and is decided on when its last brace is here.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gateway::decide::request_id::RequestId;
use crate::gateway::decide::verified_token::VerifiedToken;
use crate::time::Monotonic;
use crate::vertex::{BodyEdit, BodyScanner};
use crate::watch::Signals;

/// Milliseconds after which a refused one is forgotten: whose upload nobody knows is refused.
const FORGET_MILLIS: i64 = 60_000;

/// Milliseconds without a byte after which an upload lapses: its log line will not come, as the
/// operator's log format lacks it.
const LAPSE_MILLIS: i64 = 3_600_000;

/// Most bytes that are taken from a caller after the refusal, so that it reads the answer: many send
/// all of a request before they read.
const MOST_DROPPED: u64 = 64 << 20;

/// For how long they are taken, in milliseconds.
const MOST_DROPPING_MILLIS: i64 = 10_000;

/// A request whose body is passing.
pub(in crate::gateway) struct Upload {
    /// Its head, as it was decided on, without the token.
    pub(in crate::gateway) head: String,
    pub(in crate::gateway) token: Arc<VerifiedToken>,
    pub(in crate::gateway) id: RequestId,
    /// The index of the role that sent its head, and the number of the bearer that signed it.
    pub(in crate::gateway) role: usize,
    pub(in crate::gateway) bearer: usize,
    /// What is changed in it on its way, and its length before, if known.
    pub(in crate::gateway) edit: Option<BodyEdit>,
    pub(in crate::gateway) length: Option<u64>,
    pub(in crate::gateway) signals: Signals,
    /// The log tail for the case that its body does not end.
    pub(in crate::gateway) tail: String,
    pub(in crate::gateway) stage: Stage,
    /// Bytes of the body that came.
    pub(in crate::gateway) bytes: u64,
    pub(in crate::gateway) began: Monotonic,
    /// When its credential was sent.
    pub(in crate::gateway) sent: Option<Monotonic>,
    /// When the last byte came.
    pub(in crate::gateway) heard: Monotonic,
}

/// How far it has come.
pub(in crate::gateway) enum Stage {
    /// The body is read as it passes.
    Reading(Box<BodyScanner>),
    /// Allowed, with all of its body but white space.
    Allowed,
    /// Refused at this time: what still comes is dropped, this many bytes so far.
    Refused { at: Monotonic, dropped: u64 },
}

impl Stage {
    /// Whether a refused caller's bytes are to be taken on, with these as well.
    pub(in crate::gateway) fn drops(at: Monotonic, dropped: u64, now: Monotonic) -> bool {
        dropped <= MOST_DROPPED && now.millis_since(at) <= MOST_DROPPING_MILLIS
    }
}

/// The uploads of all threads, by their numbers.
#[derive(Default)]
pub(in crate::gateway) struct Uploads {
    held: Mutex<HashMap<u64, Upload>>,
    count: AtomicUsize,
}

impl Uploads {
    /// Adds an upload, or puts back one that was taken.
    pub(in crate::gateway) fn put(&self, number: u64, upload: Upload) {
        self.change(|held| held.insert(number, upload));
    }

    /// Takes an upload out, so that no other thread waits for what is done with it.
    pub(in crate::gateway) fn take(&self, number: u64) -> Option<Upload> {
        match self.len() {
            0 => None,
            _ => self.change(|held| held.remove(&number)),
        }
    }

    /// Looks at an upload, or changes it.
    pub(in crate::gateway) fn with<T>(
        &self,
        number: u64,
        look: impl FnOnce(&mut Upload) -> T,
    ) -> Option<T> {
        self.lock().get_mut(&number).map(look)
    }

    /// Removes the uploads that nobody will end.
    pub(in crate::gateway) fn sweep(&self, now: Monotonic) {
        if self.len() > 0 {
            let most = |stage: &Stage| match stage {
                Stage::Refused { .. } => FORGET_MILLIS,
                Stage::Reading(_) | Stage::Allowed => LAPSE_MILLIS,
            };
            self.change(|held| {
                held.retain(|_, upload| now.millis_since(upload.heard) < most(&upload.stage));
            });
        }
    }

    /// Number of uploads.
    pub(in crate::gateway) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<u64, Upload>) -> T) -> T {
        let mut held = self.lock();
        let changed = change(&mut held);
        self.count.store(held.len(), Ordering::Release);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Upload>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uploads({})", self.len())
    }
}
