//! The calls in flight: each begins with its allow and ends with its line in the access log, which
//! HAProxy writes once for every request, however that ended.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::{Prompt, Reservation};
use crate::meter::{Framing, Reader, Usage};
use crate::time::Monotonic;

/// Milliseconds without a sign of a call after which it lapses: its log line will not come, as the
/// operator's log format lacks it. An answer that is read slowly may take longer.
const LAPSE_MILLIS: i64 = 3_600_000;

/// How long its tail is kept nonetheless: an answer that nobody reads may take hours.
const FORGET_MILLIS: i64 = 86_400_000;

/// How often one looks for them.
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
    /// The number of its credential's slot.
    pub(in crate::gateway) slot: usize,
    /// The log tail of its verdict.
    pub(in crate::gateway) tail: String,
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
    /// What reads its answer as it passes.
    pub(in crate::gateway) reader: Option<Box<Reader>>,
    /// What its answer said, where that was read in one piece.
    pub(in crate::gateway) whole: Option<Usage>,
}

/// The calls in flight of all threads.
#[derive(Debug)]
pub(in crate::gateway) struct CallTable {
    shards: Vec<Mutex<Shard>>,
    latest: AtomicU64,
    lapses: AtomicU64,
    swept_at: AtomicI64,
}

#[derive(Debug, Default)]
struct Shard {
    calls: HashMap<u64, Call, BuildHasherDefault<Number>>,
    /// Log tails of those that have lapsed, and since when: their line may come yet.
    lapsed: HashMap<u64, (Monotonic, String), BuildHasherDefault<Number>>,
}

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
    /// A number that no call has had.
    pub(in crate::gateway) fn number(&self) -> u64 {
        self.latest.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Adds a call under a number of its own.
    pub(in crate::gateway) fn begin(&self, number: u64, begun: Begun) {
        if let Some(mut shard) = self.shard(number) {
            let heard = begun.at;
            let (sent, first_byte, reader, whole) = (None, None, None, None);
            shard.calls.insert(number, Call { begun, sent, first_byte, heard, reader, whole });
        }
    }

    /// Notes that the call is sent.
    pub(in crate::gateway) fn send(&self, number: u64, now: Monotonic) {
        self.with(number, |call| (call.sent, call.heard) = (Some(now), now));
    }

    /// The slot of the credential of the call with this number, if its request has this id.
    pub(in crate::gateway) fn slot(&self, number: u64, id: &str) -> Option<usize> {
        let shard = self.shard(number)?;
        let begun = &shard.calls.get(&number)?.begun;
        (begun.id == *id.as_bytes()).then_some(begun.slot)
    }

    /// The slot that signed the call of the request with this id, and when it was sent.
    pub(in crate::gateway) fn sent(
        &self,
        number: u64,
        id: &str,
    ) -> Option<(usize, Option<Monotonic>)> {
        let shard = self.shard(number)?;
        let call = shard.calls.get(&number)?;
        (call.begun.id == *id.as_bytes()).then_some((call.begun.slot, call.sent))
    }

    /// The log tail of a call, also of one that has lapsed.
    pub(in crate::gateway) fn tail(&self, number: u64) -> Option<String> {
        let shard = self.shard(number)?;
        let call = shard.calls.get(&number).map(|call| &call.begun.tail);
        call.or_else(|| Some(&shard.lapsed.get(&number)?.1)).cloned()
    }

    /// Replaces the log tail of a call.
    pub(in crate::gateway) fn tell(&self, number: u64, tail: &str) {
        self.with(number, |call| tail.clone_into(&mut call.begun.tail));
    }

    /// Keeps what its answer said; whether there is such a call.
    pub(in crate::gateway) fn keep(&self, number: u64, usage: Usage, now: Monotonic) -> bool {
        let keep = |call: &mut Call| {
            call.first_byte.get_or_insert(now);
            call.whole = Some(usage);
        };
        self.with(number, keep).is_some()
    }

    /// From now on its answer is read as it passes; whether there is such a call.
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
        let is_its = shard.calls.get(&number)?.begun.id == *id.as_bytes();
        if is_its { shard.calls.remove(&number) } else { None }
    }

    /// Removes a call; `None` if it was removed before.
    pub(in crate::gateway) fn end(&self, number: u64) -> Option<Call> {
        self.shard(number)?.calls.remove(&number)
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
            let late: Vec<_> = shard.calls.extract_if(is_late).collect();
            shard.lapsed.retain(|_, (since, _)| now.millis_since(*since) < FORGET_MILLIS);
            for (number, mut call) in late {
                shard.lapsed.insert(number, (now, std::mem::take(&mut call.begun.tail)));
                lapsed.push(call);
            }
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
            |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).calls.len();
        self.shards.iter().map(count).sum()
    }

    fn with<T>(&self, number: u64, change: impl FnOnce(&mut Call) -> T) -> Option<T> {
        self.shard(number)?.calls.get_mut(&number).map(change)
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

/// A mark as text: a letter, and at most twenty digits.
#[derive(Clone, Copy, Debug)]
pub(in crate::gateway) struct MarkText {
    bytes: [u8; 21],
    len: usize,
}

impl MarkText {
    pub(in crate::gateway) fn new(kind: u8, number: u64) -> Self {
        let mut text = itoa::Buffer::new();
        let digits = text.format(number).as_bytes();
        let mut bytes = [kind; 21];
        if let Some(room) = bytes.get_mut(1..=digits.len()) {
            room.copy_from_slice(digits);
        }
        Self { bytes, len: digits.len() + 1 }
    }

    pub(in crate::gateway) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl CallMark {
    /// `s17` for a streamed answer, `w17` for a whole one, `n17` for one that is not metered.
    pub(in crate::gateway) fn text(self) -> MarkText {
        let kind = match self.answer {
            AnswerShape::Streamed => b's',
            AnswerShape::Whole => b'w',
            AnswerShape::Unmetered => b'n',
        };
        MarkText::new(kind, self.number)
    }

    /// Reads a mark.
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
