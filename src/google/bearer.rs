//! The bearers that are valid now: one slot for each credential and Google host. A verdict names a
//! slot by its handle, which nobody can guess: it ends in a random part that only this process
//! knows.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use crate::google::authorization::{Authorization, BEARER};
use crate::google::callers::Callers;
use crate::google::fetching::Fetching;
use crate::google::rejection::Rejection;
use crate::google::rotation::Rotation;
use crate::google::self_signed::LIFETIME_SECS;
use crate::google::token::Token;
use crate::google::{Credential, CredentialSource, TokenSource};
use crate::time::{Monotonic, Now, UnixTime};

/// Seconds before its expiry at which a bearer is renewed: a quarter of the lifetime, far more than
/// any outage of the task that signs.
pub(super) const RENEW_SECS: i64 = 900;

/// Seconds before its expiry from which a bearer is not sent, so that it does not expire on its
/// way.
const SPENT_SECS: i64 = 30;

/// The same for one that was fetched: its clock is this machine's, and never steps.
const FETCHED_SPENT_SECS: i64 = 5;

/// Seconds: a bearer issued later than this from now was signed before the clock was set back.
const AHEAD_SECS: i64 = 30;

/// Bearers signed in one step: each takes about a millisecond, in which HAProxy's thread serves
/// nothing else.
const SIGNED_A_STEP: usize = 4;

pub(super) struct Bearer {
    /// The value of the `Authorization` header.
    header: Authorization,
    /// `None` for a token whose times are unknown.
    pub(super) life: Option<Life>,
    /// Since when it is in use.
    pub(super) since: Monotonic,
}

/// From when until when a bearer is valid.
#[derive(Clone, Copy)]
pub(super) enum Life {
    /// As it says itself, in dates.
    Signed { issued: UnixTime },
    /// For so many seconds after it came.
    Fetched { at: Monotonic, secs: i64 },
}

/// A credential at one of Google's hosts.
pub struct Slot {
    /// Its place among the slots.
    number: usize,
    pub(super) credential: usize,
    host: String,
    handle: String,
    pub(super) bearer: RwLock<Option<Bearer>>,
    pub(super) signing: Mutex<Signing>,
    /// Whether another one is wanted before this one ends.
    pub(super) is_wanted: AtomicBool,
    pub(super) rejection: Mutex<Rejection>,
}

/// The results of signing for a slot.
#[derive(Clone, Copy, Default)]
pub(super) struct Signing {
    /// When signing failed last.
    pub(super) failed_at: Option<Monotonic>,
    /// Whether the latest try failed.
    pub(super) is_failing: bool,
}

/// All credentials and their bearers.
pub struct Bearers {
    pub(super) credentials: Vec<Credential>,
    pub(super) locations: Vec<String>,
    /// The slots of the first credential, one for each location, then those of the second, and so
    /// on.
    pub(super) slots: Vec<Slot>,
    /// Those of the credentials whose tokens are fetched.
    pub(super) fetching: Vec<Fetching>,
    /// The files of each credential.
    pub(super) rotations: Vec<Mutex<Rotation>>,
    /// The hosts that HAProxy has backends for.
    askable: HashSet<String>,
    /// Those whose tokens stand for one caller each.
    pub(super) callers: Callers,
    /// The longest `Authorization` header that HAProxy can send.
    room: usize,
    places: HashMap<String, usize>,
    by_handle: HashMap<String, usize>,
}

impl Bearers {
    /// Slots for each credential at each (location, host), all signed; `seal` is the random part of
    /// their handles.
    #[must_use]
    pub fn new(
        credentials: Vec<Credential>,
        locations: Vec<(String, String)>,
        seal: &str,
        now: Now,
    ) -> Self {
        let mut slots = Vec::new();
        for (index, credential) in credentials.iter().enumerate() {
            for (_, host) in &locations {
                let header = credential.source.now().held();
                let bearer = header.map(|header| Bearer { header, life: None, since: now.mono });
                slots.push(Slot {
                    number: slots.len(),
                    credential: index,
                    host: host.clone(),
                    handle: format!("{}.{seal}", slots.len()),
                    bearer: RwLock::new(bearer),
                    signing: Mutex::default(),
                    is_wanted: AtomicBool::new(false),
                    rejection: Mutex::default(),
                });
            }
        }
        let by_handle =
            slots.iter().enumerate().map(|(index, slot)| (slot.handle.clone(), index)).collect();
        let locations: Vec<String> = locations.into_iter().map(|(location, _)| location).collect();
        let places = locations.iter().cloned().zip(0..).collect();
        let seed = seal
            .bytes()
            .fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let fetching = Fetching::of(&credentials, seed, now.mono);
        let rotations = Rotation::of(&credentials, seed, now.mono);
        let callers = Callers::of(&credentials, slots.len(), now.mono);
        let (askable, room) = (HashSet::new(), usize::MAX);
        let bearers = Self {
            credentials,
            locations,
            slots,
            fetching,
            rotations,
            askable,
            callers,
            room,
            places,
            by_handle,
        };
        while bearers.step(now) {}
        bearers
    }

    /// The credentials, in the order of the configuration.
    #[must_use]
    pub fn credentials(&self) -> &[Credential] {
        &self.credentials
    }

    /// The credential with this index in the configuration.
    #[must_use]
    pub fn credential(&self, index: usize) -> Option<&Credential> {
        self.credentials.get(index)
    }

    /// The locations that are served.
    #[must_use]
    pub fn locations(&self) -> &[String] {
        &self.locations
    }

    /// The index of a location among them.
    #[must_use]
    pub fn place(&self, location: &str) -> Option<usize> {
        self.places.get(location).copied()
    }

    /// The slot of a credential at the host of a location; `None` for a location that is not
    /// served.
    #[must_use]
    pub fn slot(&self, credential: usize, location: &str) -> Option<&Slot> {
        let place = self.places.get(location)?;
        self.slots.get(credential.checked_mul(self.places.len())?.checked_add(*place)?)
    }

    /// The slot of a credential by name, at the host of a location, or at any if that does not
    /// matter.
    #[must_use]
    pub fn named(&self, name: &str, location: Option<&str>) -> Option<(&Credential, &Slot)> {
        let index = self.credentials.iter().position(|credential| credential.name == name)?;
        let slot = match location {
            Some(location) => self.slot(index, location)?,
            None => self.slots.iter().find(|slot| slot.credential == index)?,
        };
        Some((self.credentials.get(index)?, slot))
    }

    /// The value of the `Authorization` header behind a handle.
    #[must_use]
    pub fn header(&self, handle: &str, now: Now) -> Option<Authorization> {
        self.header_of(self.number_of(handle)?, now)
    }

    pub(super) fn number_of(&self, handle: &str) -> Option<usize> {
        self.by_handle.get(handle).copied().or_else(|| self.callers.number_of(handle))
    }

    /// The value of the `Authorization` header of the bearer with this number.
    #[must_use]
    pub fn header_of(&self, number: usize, now: Now) -> Option<Authorization> {
        let Some(slot) = self.slots.get(number) else {
            return self.callers.header_of(number, now.mono);
        };
        let bearer = slot.bearer.read().unwrap_or_else(PoisonError::into_inner);
        bearer.as_ref().filter(|bearer| bearer.sendable(now)).map(|b| b.header.clone())
    }

    /// Whether the bearer with this number is an API key.
    #[must_use]
    pub fn is_api_key(&self, number: usize) -> bool {
        let credential = self.slots.get(number).and_then(|slot| self.credential(slot.credential));
        credential.is_some_and(|credential| credential.source.is_api_key())
    }

    /// Signs what is due, a few at a time. Returns whether anything was signed.
    pub fn step(&self, now: Now) -> bool {
        let mut signed = false;
        let is_due = |slot: &&Slot| slot.is_due(now) && self.is_signed(slot.credential);
        for slot in self.slots.iter().filter(is_due).take(SIGNED_A_STEP) {
            signed |= self.sign(slot, now);
        }
        signed
    }

    fn sign(&self, slot: &Slot, now: Now) -> bool {
        let Some(credential) = self.credentials.get(slot.credential) else {
            return false;
        };
        // Whoever wants another one from here on wants one after this.
        slot.is_wanted.store(false, Ordering::Release);
        let signed = match credential.source.now().as_ref() {
            CredentialSource::ServiceAccount { account, form } => {
                account.sign(*form, &slot.host, now.wall)
            }
            CredentialSource::AccessToken(_)
            | CredentialSource::ApiKey(_)
            | CredentialSource::Fetched(_)
            | CredentialSource::Exchanged(_) => return false,
        };
        let mut signing = slot.signing.lock().unwrap_or_else(PoisonError::into_inner);
        signing.is_failing = signed.is_err();
        match signed {
            Ok(signed) => {
                let life = Some(Life::Signed { issued: signed.issued });
                let header = Authorization::of(&signed.token);
                slot.set(Bearer { header, life, since: now.mono });
                true
            }
            Err(_) => {
                signing.failed_at = Some(now.mono);
                slot.is_wanted.store(true, Ordering::Release);
                false
            }
        }
    }

    fn is_signed(&self, credential: usize) -> bool {
        self.credentials.get(credential).is_some_and(|credential| credential.source.is_signed())
    }

    /// The longest token that HAProxy can send.
    pub(super) const fn longest_token(&self) -> usize {
        self.room.saturating_sub(BEARER.len())
    }

    /// Gives all slots of a credential this token.
    pub(super) fn share(&self, credential: usize, token: &Token, now: Monotonic) {
        let life = Some(Life::Fetched { at: now, secs: token.lifetime_secs });
        self.put(credential, &Authorization::of(&token.text), life, now);
    }

    /// The same for one that stands in its header already.
    pub(super) fn put(
        &self,
        credential: usize,
        header: &Authorization,
        life: Option<Life>,
        now: Monotonic,
    ) {
        for slot in self.slots_of(credential) {
            slot.set(Bearer { header: header.clone(), life, since: now });
        }
    }

    /// Has all slots of a credential signed for anew; what they have serves until then.
    pub(super) fn want_signatures(&self, credential: usize) {
        for slot in self.slots_of(credential) {
            slot.is_wanted.store(true, Ordering::Release);
        }
    }

    pub(super) fn slots_of(&self, credential: usize) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(move |slot| slot.credential == credential)
    }

    /// Whether HAProxy has a backend for this host.
    pub(super) fn can_ask(&self, host: &str) -> bool {
        self.askable.contains(host)
    }

    /// The same, in an HAProxy that has backends for these hosts.
    #[must_use]
    pub fn with_askable(self, hosts: impl IntoIterator<Item = String>) -> Self {
        Self { askable: hosts.into_iter().collect(), ..self }
    }

    /// The same, with room for `Authorization` headers of so many bytes.
    #[must_use]
    pub fn with_room(self, room: usize) -> Self {
        Self { room, ..self }
    }

    /// The longest `Authorization` header, in bytes; of tokens that are fetched, as long as they
    /// usually are.
    #[must_use]
    pub fn longest_header(&self) -> usize {
        let length = |slot: &Slot| {
            let bearer = slot.bearer.read().unwrap_or_else(PoisonError::into_inner);
            bearer.as_ref().map_or(0, |bearer| bearer.header.as_str().len())
        };
        let fetched = self.credentials.iter().filter_map(|credential| {
            let source = credential.source.now();
            let fetched = source.token_source().map(TokenSource::usual_token_bytes);
            let exchanged = source.exchange().map(|exchange| exchange.usual_token_bytes());
            Some(BEARER.len() + fetched.or(exchanged)?)
        });
        self.slots.iter().map(length).chain(fetched).max().unwrap_or(0)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot at {}", self.host)
    }
}

impl fmt::Debug for Bearers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bearers of {:?}", self.credentials)
    }
}

impl Slot {
    /// The handle of this slot in verdicts.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// The place of its credential among all.
    pub(super) const fn credential(&self) -> usize {
        self.credential
    }

    /// Its number, for [`Bearers::header_of`].
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number
    }

    /// Google's host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether its bearer can be sent now; if not, it will be signed soon.
    #[must_use]
    pub fn is_ready(&self, now: Now) -> bool {
        let bearer = self.bearer.read().unwrap_or_else(PoisonError::into_inner);
        bearer.as_ref().is_some_and(|bearer| bearer.sendable(now))
    }

    fn is_due(&self, now: Now) -> bool {
        let bearer = self.bearer.read().unwrap_or_else(PoisonError::into_inner);
        let good_for = |life: Life| life.is_sound(now) && life.left_secs(now) > RENEW_SECS;
        self.is_wanted.load(Ordering::Acquire)
            || bearer.as_ref().is_none_or(|bearer| !bearer.life.is_none_or(good_for))
    }

    /// Since when its bearer is in use.
    pub(super) fn since(&self) -> Option<Monotonic> {
        let bearer = self.bearer.read().unwrap_or_else(PoisonError::into_inner);
        bearer.as_ref().map(|bearer| bearer.since)
    }

    fn set(&self, bearer: Bearer) {
        *self.bearer.write().unwrap_or_else(PoisonError::into_inner) = Some(bearer);
    }
}

impl Bearer {
    fn sendable(&self, now: Now) -> bool {
        self.life.is_none_or(|life| {
            let spent = match life {
                Life::Signed { .. } => SPENT_SECS,
                Life::Fetched { .. } => FETCHED_SPENT_SECS,
            };
            life.is_sound(now) && life.left_secs(now) > spent
        })
    }
}

impl Life {
    /// Whether it did not begin after `now`, as after a clock step.
    fn is_sound(self, now: Now) -> bool {
        match self {
            Self::Signed { issued } => issued - now.wall <= AHEAD_SECS,
            Self::Fetched { .. } => true,
        }
    }

    /// Seconds since it began.
    pub(super) fn age_secs(self, now: Now) -> i64 {
        match self {
            Self::Signed { issued } => now.wall - issued,
            Self::Fetched { at, .. } => now.mono.millis_since(at) / 1000,
        }
    }

    /// Seconds until it ends.
    pub(super) fn left_secs(self, now: Now) -> i64 {
        let secs = match self {
            Self::Signed { .. } => LIFETIME_SECS,
            Self::Fetched { secs, .. } => secs,
        };
        secs.saturating_sub(self.age_secs(now))
    }
}
