//! The calls in flight: each begins with its allow and ends with its line in the access log, which
//! HAProxy writes once for every request, however that ended.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::{Prompt, Reservation};
use crate::meter::{Framing, Reader};
use crate::time::Monotonic;

/// Milliseconds without a sign of a call after which it lapses: its log line will not come, as the
/// operator's log format lacks it. An answer that is read slowly may take longer.
const LAPSE_MILLIS: i64 = 3_600_000;

/// Milliseconds between two searches for lapsed calls.
const SWEEP_MILLIS: i64 = 10_000;

/// Shards, each with a lock of its own, so that threads seldom wait for each other.
const SHARDS: usize = 64;

/// What is known of a call when it begins.
#[derive(Debug)]
pub(in crate::gateway) struct Begun {
    /// The role's index in the configuration.
    pub(in crate::gateway) role: usize,
    /// The index of the pattern in the role's `models` that matches the model.
    pub(in crate::gateway) pattern: Option<usize>,
    /// The keyed digest of the caller's issuer and subject.
    pub(in crate::gateway) principal: u128,
    /// The request's id, a UUID as text.
    pub(in crate::gateway) id: [u8; 36],
    pub(in crate::gateway) prompt: Prompt,
    /// The most output tokens of all its answers together, by the body or the role.
    pub(in crate::gateway) output: u64,
    pub(in crate::gateway) answer: AnswerShape,
    /// Number of answers that it asks for.
    pub(in crate::gateway) answers: u64,
    /// Whether Google charges nothing for it.
    pub(in crate::gateway) is_free: bool,
    /// Whether a model generates the answer, which always takes tokens.
    pub(in crate::gateway) generates: bool,
    /// Its reservation, if limits apply.
    pub(in crate::gateway) reservation: Option<Reservation>,
    pub(in crate::gateway) at: Monotonic,
}

impl Begun {
    /// Tokens that it was expected to take; 0 if its route reports none.
    pub(in crate::gateway) fn estimate(&self) -> u64 {
        match self.is_free || self.answer == AnswerShape::Unmetered {
            true => 0,
            false => self.prompt.tokens(None).saturating_add(self.output),
        }
    }
}

/// A call in flight.
#[derive(Debug)]
pub(in crate::gateway) struct Call {
    pub(in crate::gateway) begun: Begun,
    /// When Google's credential was added; without it the call cannot have left.
    pub(in crate::gateway) sent: Option<Monotonic>,
    /// When the first piece of an answer came that is read as it passes.
    pub(in crate::gateway) first_byte: Option<Monotonic>,
    /// When the call last gave a sign.
    heard: Monotonic,
    pub(in crate::gateway) reader: Option<Box<Reader>>,
}

/// The calls in flight of all threads.
#[derive(Debug)]
pub(in crate::gateway) struct CallTable {
    shards: Vec<Mutex<Shard>>,
    latest: AtomicU64,
    lapses: AtomicU64,
    swept_at: AtomicI64,
}

type Shard = HashMap<u64, Call, BuildHasherDefault<Number>>;

/// A hasher for sequential numbers, which need no real hash.
#[derive(Clone, Copy, Debug, Default)]
struct Number(u64);

impl Default for CallTable {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let (latest, lapses, swept_at) = Default::default();
        Self { shards, latest, lapses, swept_at }
    }
}

impl CallTable {
    /// Adds a call and returns its number.
    pub(in crate::gateway) fn begin(&self, begun: Begun) -> u64 {
        let number = self.latest.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if let Some(mut shard) = self.shard(number) {
            let heard = begun.at;
            shard.insert(number, Call { begun, sent: None, first_byte: None, heard, reader: None });
        }
        number
    }

    /// Notes that the call is sent.
    pub(in crate::gateway) fn send(&self, number: u64, now: Monotonic) {
        self.with(number, |call| (call.sent, call.heard) = (Some(now), now));
    }

    /// Starts to read the call's answer as it passes. Returns whether there is such a call.
    pub(in crate::gateway) fn read(&self, number: u64, framing: Framing) -> bool {
        let read = |call: &mut Call| {
            call.reader = Some(Box::new(Reader::of(framing, call.begun.answers)));
        };
        self.with(number, read).is_some()
    }

    /// Reads a piece of the call's answer.
    pub(in crate::gateway) fn feed(&self, number: u64, piece: &[u8], now: Monotonic) {
        self.with(number, |call| {
            call.first_byte.get_or_insert(now);
            call.heard = now;
            if let Some(reader) = &mut call.reader {
                reader.feed(piece);
            }
        });
    }

    /// Removes a call of the request with this id that will not be made.
    pub(in crate::gateway) fn withdraw(&self, number: u64, id: &str) -> Option<Call> {
        let mut shard = self.shard(number)?;
        let is_its = shard.get(&number)?.begun.id == *id.as_bytes();
        if is_its { shard.remove(&number) } else { None }
    }

    /// Removes a call; `None` if it was removed before.
    pub(in crate::gateway) fn end(&self, number: u64) -> Option<Call> {
        self.shard(number)?.remove(&number)
    }

    /// Removes the calls whose log line will not come.
    pub(in crate::gateway) fn lapsed(&self, now: Monotonic) -> Vec<Call> {
        let mut lapsed = Vec::new();
        let swept_at = self.swept_at.load(Ordering::Relaxed);
        if now.millis_since(Monotonic(swept_at)) < SWEEP_MILLIS {
            return lapsed;
        }
        self.swept_at.store(now.0, Ordering::Relaxed);
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let is_late = |_: &u64, call: &mut Call| now.millis_since(call.heard) > LAPSE_MILLIS;
            lapsed.extend(shard.extract_if(is_late).map(|(_, call)| call));
        }
        let count = u64::try_from(lapsed.len()).unwrap_or(0);
        self.lapses.fetch_add(count, Ordering::Relaxed);
        lapsed
    }

    /// Number of calls that lapsed since the start.
    pub(in crate::gateway) fn lapses(&self) -> u64 {
        self.lapses.load(Ordering::Relaxed)
    }

    /// Number of calls in flight.
    pub(in crate::gateway) fn len(&self) -> usize {
        let count =
            |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(count).sum()
    }

    fn with<T>(&self, number: u64, change: impl FnOnce(&mut Call) -> T) -> Option<T> {
        self.shard(number)?.get_mut(&number).map(change)
    }

    fn shard(&self, number: u64) -> Option<MutexGuard<'_, Shard>> {
        let place = usize::try_from(number % u64::try_from(SHARDS).ok()?).ok()?;
        Some(self.shards.get(place)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hasher for Number {
    fn finish(&self) -> u64 {
        // hashbrown looks at the highest bits as well.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// How the answer to a call will come, by its route and request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) enum AnswerShape {
    /// In pieces, which are passed on without delay.
    Streamed,
    /// In one piece.
    Whole,
    /// Not read: it reports no tokens.
    Unmetered,
}

/// A call as a verdict names it: the shape of its answer, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway) struct CallMark {
    pub(in crate::gateway) number: u64,
    pub(in crate::gateway) answer: AnswerShape,
}

/// `s17` for a streamed answer, `w17` for a whole one, `n17` for one that is not metered.
impl fmt::Display for CallMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.answer {
            AnswerShape::Streamed => 's',
            AnswerShape::Whole => 'w',
            AnswerShape::Unmetered => 'n',
        };
        write!(f, "{kind}{}", self.number)
    }
}

impl CallMark {
    /// Parses a mark.
    pub(in crate::gateway) fn parse(text: &str) -> Option<Self> {
        let (kind, number) = text.split_at_checked(1)?;
        let answer = match kind {
            "s" => AnswerShape::Streamed,
            "w" => AnswerShape::Whole,
            "n" => AnswerShape::Unmetered,
            _ => return None,
        };
        Some(Self { number: number.parse().ok()?, answer })
    }
}
