//! What follows when Google refuses a bearer that looked good: another one, once, and not at once again
//! where that one is refused as well.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::google::CredentialSource;
use crate::google::bearer::Bearers;
use crate::time::{Monotonic, Now};

/// Least seconds between two bearers that are wanted because Google refused one. The pause doubles up to
/// the second number where that does not help.
const PAUSE_SECS: (i64, i64) = (5, 60);

/// Seconds after which another refusal has nothing to do with the one before.
const FORGET_SECS: i64 = 300;

/// The latest refusals of a slot's bearers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rejection {
    /// When another bearer was wanted for that.
    at: Option<Monotonic>,
    /// How many in a row did not help.
    in_vain: u32,
}

impl Rejection {
    /// Another one is refused; whether a bearer is wanted for it.
    fn add(&mut self, now: Monotonic) -> bool {
        let Some(at) = self.at else {
            *self = Self { at: Some(now), in_vain: 0 };
            return true;
        };
        let (least, most) = PAUSE_SECS;
        let pause = least.checked_shl(self.in_vain).unwrap_or(most).min(most) * 1000;
        let since = now.millis_since(at);
        if since < pause {
            return false;
        }
        let is_old = since > FORGET_SECS * 1000;
        let in_vain = if is_old { 0 } else { self.in_vain.saturating_add(1).min(8) };
        *self = Self { at: Some(now), in_vain };
        true
    }
}

impl Bearers {
    /// Google refused the bearer with this number that was sent then; without a time, the one it is now.
    /// Returns whether a fresh one is there, or on its way: what was sent serves others until then.
    pub fn reject(&self, number: usize, sent: Option<Monotonic>, now: Now) -> bool {
        let Some(slot) = self.slots.get(number) else {
            return self.callers.reject(number, sent, now.mono);
        };
        let since = slot.since();
        if sent.zip(since).is_some_and(|(sent, since)| since > sent) {
            return true;
        }
        let Some(credential) = self.credentials.get(slot.credential) else {
            return false;
        };
        // What is fetched is one for all locations.
        let fetching = self.fetching_of(slot.credential);
        let first = fetching.and_then(|_| self.slots_of(slot.credential).next());
        let rejection = &first.unwrap_or(slot).rejection;
        let mut rejection = rejection.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = rejection.add(now.mono);
        let may_help = rejection.in_vain == 0;
        drop(rejection);
        if is_wanted && may_help {
            let (name, host) = (&credential.name, slot.host());
            log::warn!("credential {name}: {host} refused its token, and another one is wanted");
        }
        match (credential.source.now().as_ref(), fetching) {
            (CredentialSource::ServiceAccount { .. }, _) => {
                if is_wanted {
                    slot.is_wanted.store(true, Ordering::Release);
                }
                may_help && slot.is_wanted.load(Ordering::Acquire)
            }
            (CredentialSource::Fetched(_), Some(fetching)) => {
                let mut refresh = fetching.refresh();
                if is_wanted && !refresh.is_failing() {
                    refresh.hurry(now.mono);
                }
                may_help && !refresh.is_failing() && refresh.next_secs(now.mono) == 0
            }
            (CredentialSource::Fetched(_), None) | (CredentialSource::Exchanged(_), _) => false,
            (CredentialSource::AccessToken(_) | CredentialSource::ApiKey(_), _) => {
                // Nobody knows whether its file holds another one; no request waits for a disk.
                if let Some(Ok(mut rotation)) =
                    self.rotations.get(slot.credential).map(std::sync::Mutex::try_lock)
                {
                    rotation.look_at(now.mono);
                }
                false
            }
        }
    }

    /// The same for the bearer behind a handle.
    pub fn reject_handle(&self, handle: &str, now: Now) -> bool {
        self.number_of(handle).is_some_and(|slot| self.reject(slot, None, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_help_is_tried_ever_less_often() {
        let mut rejection = Rejection::default();
        let wanted: Vec<i64> =
            (0..200).filter(|secs| rejection.add(Monotonic(secs * 1000))).collect();
        assert_eq!(wanted, [0, 5, 15, 35, 75, 135, 195]);
        assert!(rejection.add(Monotonic(600_000)));
        assert_eq!(rejection.in_vain, 0, "that was another matter");
    }
}
