//! Calls on their way: each begins with its allow and ends with its line in the access log, which
//! HAProxy writes once for every request, however that ended.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::{Prompt, Reservation};
use crate::meter::{Framing, Reader};
use crate::time::Monotonic;

/// A log line that has not come so long after the last that was heard of its call will not come: the
/// operator's own log format lacks it. An answer that is read slowly may take longer.
const LAPSE_MILLIS: i64 = 3_600_000;

/// How often one looks for them.
const SWEEP_MILLIS: i64 = 10_000;

/// Calls of one shard share a lock; those on different threads seldom meet.
const SHARDS: usize = 64;

/// What is known of a call before it is made.
#[derive(Debug)]
pub(in crate::gateway) struct Begun {
    /// The role's place in the configuration.
    pub(in crate::gateway) role: usize,
    /// The place of the pattern in the role's `models` that the model matches.
    pub(in crate::gateway) pattern: Option<usize>,
    /// Stands for the caller.
    pub(in crate::gateway) principal: u128,
    /// The request's, a UUID.
    pub(in crate::gateway) id: [u8; 36],
    pub(in crate::gateway) prompt: Prompt,
    /// The most tokens that its answers may take together, as far as anything says.
    pub(in crate::gateway) output: u64,
    pub(in crate::gateway) answer: AnswerShape,
    /// How many answers are asked for at once.
    pub(in crate::gateway) answers: u64,
    /// Whether they cost nothing.
    pub(in crate::gateway) is_free: bool,
    /// Whether a model writes the answer, which never is for nothing.
    pub(in crate::gateway) generates: bool,
    /// What it holds of its limits, if there are any.
    pub(in crate::gateway) reservation: Option<Reservation>,
    pub(in crate::gateway) at: Monotonic,
}

impl Begun {
    /// The tokens that it was expected to take: nothing where none are counted.
    pub(in crate::gateway) fn estimate(&self) -> u64 {
        match self.is_free || self.answer == AnswerShape::Unmetered {
            true => 0,
            false => self.prompt.tokens(None).saturating_add(self.output),
        }
    }
}

/// A call on its way.
#[derive(Debug)]
pub(in crate::gateway) struct Call {
    pub(in crate::gateway) begun: Begun,
    /// When Google's credential was written into it; without one it cannot have left.
    pub(in crate::gateway) sent: Option<Monotonic>,
    /// When the first piece of an answer came that is read as it passes.
    pub(in crate::gateway) first_byte: Option<Monotonic>,
    /// When something was last heard of it.
    heard: Monotonic,
    pub(in crate::gateway) reader: Option<Box<Reader>>,
}

/// The calls of all threads.
#[derive(Debug)]
pub(in crate::gateway) struct CallTable {
    shards: Vec<Mutex<Shard>>,
    latest: AtomicU64,
    lapses: AtomicU64,
    swept_at: AtomicI64,
}

type Shard = HashMap<u64, Call, BuildHasherDefault<Number>>;

/// Numbers that are given out one after the other need no hash.
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
    /// Takes a call in; its number.
    pub(in crate::gateway) fn begin(&self, begun: Begun) -> u64 {
        let number = self.latest.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if let Some(mut shard) = self.shard(number) {
            let heard = begun.at;
            shard.insert(number, Call { begun, sent: None, first_byte: None, heard, reader: None });
        }
        number
    }

    /// The call goes out now.
    pub(in crate::gateway) fn send(&self, number: u64, now: Monotonic) {
        self.with(number, |call| (call.sent, call.heard) = (Some(now), now));
    }

    /// From now on its answer is read as it passes; whether there is such a call.
    pub(in crate::gateway) fn read(&self, number: u64, framing: Framing) -> bool {
        let read = |call: &mut Call| {
            call.reader = Some(Box::new(Reader::of(framing, call.begun.answers)));
        };
        self.with(number, read).is_some()
    }

    /// A piece of its answer.
    pub(in crate::gateway) fn feed(&self, number: u64, piece: &[u8], now: Monotonic) {
        self.with(number, |call| {
            call.first_byte.get_or_insert(now);
            call.heard = now;
            if let Some(reader) = &mut call.reader {
                reader.feed(piece);
            }
        });
    }

    /// Gives back a call of the request with this id that is not to be made.
    pub(in crate::gateway) fn withdraw(&self, number: u64, id: &str) -> Option<Call> {
        let mut shard = self.shard(number)?;
        let is_its = shard.get(&number)?.begun.id == *id.as_bytes();
        if is_its { shard.remove(&number) } else { None }
    }

    /// Gives the call back; nothing if it was given back before.
    pub(in crate::gateway) fn end(&self, number: u64) -> Option<Call> {
        self.shard(number)?.remove(&number)
    }

    /// Gives back the calls whose log line will not come any more.
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

    /// How many calls have lapsed.
    pub(in crate::gateway) fn lapses(&self) -> u64 {
        self.lapses.load(Ordering::Relaxed)
    }

    /// How many there are.
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
    /// In pieces, so that nobody shall wait for its end.
    Streamed,
    /// As a whole.
    Whole,
    /// Without a word on tokens.
    Unmetered,
}

/// A call as a verdict names it: how its answer comes, and its number.
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
