//! What a member's name means at a place, remembered, so that names that stand in each message are
//! looked up once.

use std::num::NonZeroU64;

use crate::error::Reason;
use crate::keyed_hash::KeyedHash;
use crate::vertex::body::field::Field;
use crate::vertex::body::name::Name;

/// Objects among a tool's settings that have no effect.
const TOOL_SETTINGS: &[&str] = &["filters", "ranking_options", "user_location"];

/// Meanings that are remembered, two for each slot.
const SLOTS: usize = 16;

/// What a name means at a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meaning {
    /// The member's place.
    pub(super) member: Field,
    /// The place of its value: another one for a tool.
    pub(super) inside: Field,
    /// Whether it is one of a tool's settings whatever its value.
    pub(super) is_setting: bool,
    /// The hash of the form that all spellings share, if the member acts and is spelled otherwise.
    pub(super) other_spelling: Option<NonZeroU64>,
}

impl Meaning {
    fn of(place: Field, written: &str, keys: &KeyedHash) -> Self {
        let name = Name::of(written);
        let member = place.member(&name);
        let other = name.other_spelling().filter(|_| member.acts());
        Self {
            member,
            inside: if member == Field::Tool { Field::of_tool(&name) } else { member },
            is_setting: TOOL_SETTINGS.contains(&name.snake.as_ref()),
            other_spelling: other
                .and_then(|other| NonZeroU64::new(keys.of_bytes(other.as_bytes()))),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    place: Field,
    meaning: Meaning,
}

/// The meanings of the names that came last.
#[derive(Debug)]
pub(super) struct Meanings([[Option<Entry>; 2]; SLOTS]);

impl Meanings {
    pub(super) const fn new() -> Self {
        Self([[None; 2]; SLOTS])
    }

    /// The meaning of a name with this keyed hash.
    pub(super) fn of(
        &mut self,
        place: Field,
        name: &[u8],
        hash: u64,
        keys: &KeyedHash,
    ) -> Result<Meaning, Reason> {
        // The lower bits choose a slot in `Names`.
        let slot = usize::try_from(hash >> 60).ok().and_then(|slot| self.0.get_mut(slot));
        let is_it = |entry: &Entry| entry.hash == hash && entry.place == place;
        match &slot {
            Some([Some(entry), _]) if is_it(entry) => return Ok(entry.meaning),
            Some([_, Some(entry)]) if is_it(entry) => return Ok(entry.meaning),
            _ => {}
        }
        let name = str::from_utf8(name).map_err(|_| Reason::BodyNotJson)?;
        let meaning = Meaning::of(place, name, keys);
        if let Some([newer, older]) = slot {
            *older = newer.replace(Entry { hash, place, meaning });
        }
        Ok(meaning)
    }
}
