//! Tells whether a name stands in an object already. Names leave in the reverse order of their coming,
//! when their object closes, so that adding one and removing one take constant time in any body.

/// Most names in all objects that are open at once.
const MAX_NAMES: usize = 4096;

/// Fewest and most slots; at most half of them are taken.
const MIN_SLOTS: usize = 64;
const MAX_SLOTS: usize = 2 * MAX_NAMES;

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    New,
    /// It was there already.
    Known,
    /// There are too many.
    Full,
}

/// Names, each by a key: a keyed hash of the name, mixed with a number of its object.
#[derive(Debug, Default)]
pub(super) struct Names {
    keys: Vec<u64>,
    /// Open addressing with linear probing: the number of a key, counted from 1, or 0. Clearing the
    /// slot that was taken last is an exact undo, as no probe has gone past it.
    slots: Vec<u16>,
}

impl Names {
    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// What they hold on the heap.
    #[cfg(test)]
    pub(super) const fn heap_bytes(&self) -> usize {
        self.keys.capacity() * 8 + self.slots.capacity() * 2
    }

    pub(super) fn add(&mut self, key: u64) -> Added {
        if self.keys.len() * 2 >= self.slots.len() && self.slots.len() < MAX_SLOTS {
            self.grow();
        }
        let mut at = self.first_slot(key);
        loop {
            match self.slots.get(at).copied().map(usize::from) {
                None | Some(0) => break,
                Some(number) if self.keys.get(number - 1) == Some(&key) => return Added::Known,
                Some(_) => at = self.slot_after(at),
            }
        }
        if self.keys.len() == MAX_NAMES {
            return Added::Full;
        }
        self.keys.push(key);
        self.take(at, self.keys.len());
        Added::New
    }

    /// Removes all names but the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        while self.keys.len() > len {
            let number = self.keys.len();
            let Some(key) = self.keys.pop() else { return };
            let mut at = self.first_slot(key);
            while self.slots.get(at).is_some_and(|slot| usize::from(*slot) != number) {
                at = self.slot_after(at);
            }
            self.take(at, 0);
        }
    }

    /// Doubles the slots, and takes them anew in the order of the names.
    fn grow(&mut self) {
        let wanted = (self.slots.len() * 2).clamp(MIN_SLOTS, MAX_SLOTS);
        self.slots.clear();
        self.slots.resize(wanted, 0);
        for index in 0..self.keys.len() {
            let Some(key) = self.keys.get(index) else { return };
            let mut at = self.first_slot(*key);
            while self.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = self.slot_after(at);
            }
            self.take(at, index + 1);
        }
    }

    fn take(&mut self, at: usize, number: usize) {
        if let (Some(slot), Ok(number)) = (self.slots.get_mut(at), u16::try_from(number)) {
            *slot = number;
        }
    }

    fn first_slot(&self, key: u64) -> usize {
        usize::try_from(key & 0xffff).unwrap_or_default() & self.slots.len().wrapping_sub(1)
    }

    const fn slot_after(&self, at: usize) -> usize {
        (at + 1) & self.slots.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_set_that_is_cut_back(
            steps in prop::collection::vec((0_u8..8, 0_u64..300, any::<prop::sample::Index>()), 1..600),
        ) {
            let (mut names, mut order) = (Names::default(), Vec::new());
            for (step, key, cut) in steps {
                if step == 0 {
                    let len = cut.index(order.len() + 1);
                    names.truncate(len);
                    order.truncate(len);
                } else {
                    // Few slots, so that probes are long.
                    let key = (key % 7) | (key << 20);
                    let want = if order.contains(&key) { Added::Known } else { Added::New };
                    prop_assert_eq!(names.add(key), want);
                    if want == Added::New {
                        order.push(key);
                    }
                }
                prop_assert_eq!(names.len(), order.len());
            }
            names.truncate(0);
            prop_assert!(names.slots.iter().all(|slot| *slot == 0));
        }
    }

    #[test]
    fn takes_as_many_as_it_may_and_then_no_new_one() {
        let mut names = Names::default();
        let key = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        assert!((0..4096).all(|index| names.add(key(index)) == Added::New));
        assert_eq!((names.add(key(4096)), names.add(key(7))), (Added::Full, Added::Known));
        names.truncate(4095);
        assert_eq!((names.add(key(4096)), names.add(key(4095))), (Added::New, Added::Full));
    }
}
