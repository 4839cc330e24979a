//! A table that holds so many and no more: who was seen longest ago makes room.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Past the end of the list.
const NONE: usize = usize::MAX;

/// Keys are digests already; the half that does not choose the shard serves as their hash.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digested(u64);

impl Hasher for Digested {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = u64::try_from(digest & u128::from(u64::MAX)).unwrap_or_default();
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The neighbours of a place in the order of last use.
#[derive(Clone, Copy, Debug)]
struct Link {
    newer: usize,
    older: usize,
}

const LOOSE: Link = Link { newer: NONE, older: NONE };

/// Values by digest, at most `most` of them.
#[derive(Debug)]
pub(super) struct LruTable<V> {
    places: HashMap<u128, usize, BuildHasherDefault<Digested>>,
    entries: Vec<(u128, V)>,
    /// One for each entry, apart: they are small, and stay in the processor's cache.
    links: Vec<Link>,
    newest: usize,
    oldest: usize,
    most: usize,
    evicted: u64,
}

impl<V> LruTable<V> {
    /// An empty one that takes no memory yet.
    pub(super) fn new(most: usize) -> Self {
        Self {
            places: HashMap::default(),
            entries: Vec::new(),
            links: Vec::new(),
            newest: NONE,
            oldest: NONE,
            most,
            evicted: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many have made room.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The value of this key, if it is here.
    pub(super) fn get(&mut self, key: u128) -> Option<&mut V> {
        let place = *self.places.get(&key)?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// The value of this key, from now on the one last used; a new one if there was none.
    pub(super) fn touch(&mut self, key: u128, new: impl FnOnce() -> V) -> Option<&mut V> {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => self.put(key, new()),
        };
        if place != self.newest {
            self.unlink(place);
            self.link(place);
        }
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Puts a new entry at the end, or in place of the one last used longest ago.
    fn put(&mut self, key: u128, value: V) -> usize {
        let place = if self.entries.len() < self.most {
            self.entries.push((key, value));
            self.links.push(LOOSE);
            self.entries.len() - 1
        } else {
            let place = self.oldest;
            if let Some(entry) = self.entries.get_mut(place) {
                self.places.remove(&entry.0);
                *entry = (key, value);
                self.evicted += 1;
            }
            place
        };
        self.places.insert(key, place);
        place
    }

    /// Takes a place out of the order; one that is not in it stays out.
    fn unlink(&mut self, place: usize) {
        let Some(link) = self.links.get_mut(place) else {
            return;
        };
        let Link { newer, older } = std::mem::replace(link, LOOSE);
        match self.links.get_mut(newer) {
            Some(newer) => newer.older = older,
            None if self.newest == place => self.newest = older,
            None => {}
        }
        match self.links.get_mut(older) {
            Some(older) => older.newer = newer,
            None if self.oldest == place => self.oldest = newer,
            None => {}
        }
    }

    /// Puts a place that is out of the order at its new end.
    fn link(&mut self, place: usize) {
        match self.links.get_mut(self.newest) {
            Some(newest) => newest.newer = place,
            None => self.oldest = place,
        }
        if let Some(link) = self.links.get_mut(place) {
            link.older = self.newest;
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn who_was_seen_longest_ago_makes_room(keys in prop::collection::vec(0_u128..12, 0..200)) {
            let (mut table, mut list, mut evicted) = (LruTable::new(5), Vec::new(), 0);
            for (number, key) in keys.into_iter().enumerate() {
                let place = list.iter().position(|(known, _)| *known == key);
                let (_, value) = place.map_or((key, number), |place| list.remove(place));
                list.push((key, value));
                if list.len() > 5 {
                    list.remove(0);
                    evicted += 1;
                }
                prop_assert_eq!(table.touch(key, || number), Some(&mut value.clone()));
                prop_assert_eq!((table.len(), table.evicted()), (list.len(), evicted));
                for key in 0..12 {
                    let here = list.iter().find(|(known, _)| *known == key);
                    prop_assert_eq!(table.get(key).copied(), here.map(|(_, value)| *value));
                }
            }
        }
    }
}
