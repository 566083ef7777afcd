//! Finds numbered objects by keys that clients chose. It is asked for single keys and never iterated, so that nothing can
//! depend on its order.
//!
//! Numbers stand at the place to which their key's hash leads, or behind it (linear probing), in tables whose pages are
//! shared between copies; the keys themselves stay where the objects are. When the places get too full, or too empty, the
//! numbers move to others one by one, a few with each change, so that no change has to wait for all of them.

use std::{
    fmt,
    hash::{BuildHasher, Hash},
    mem,
    num::NonZeroU64,
};

use crate::table::Table;

#[expect(
    clippy::disallowed_types,
    reason = "clients choose the keys, and could make them collide if they knew how they are hashed"
)]
type Seed = std::hash::RandomState;

/// There are never fewer places than two to the power of this.
const LEAST_BITS: u32 = 6;

/// How many places are emptied with each change while numbers move.
const MOVED: u64 = 32;

/// Numbers by keys. Copies share all they can.
#[derive(Clone, Default)]
pub(crate) struct Lookup {
    seed: Seed,
    places: Places,
    /// Those that are being left.
    left: Option<Places>,
}

/// The places before `first` are empty. Each number stands at its hash's own place or behind it, and between the two no
/// place is empty but those before `first`. The last ones may stand behind the places that hashes lead to.
#[derive(Clone)]
struct Places {
    bits: u32,
    first: u64,
    entries: Table<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    /// And one, so that an empty place takes no room of its own.
    number: NonZeroU64,
}

impl Entry {
    fn number(self) -> u64 {
        self.number.get() - 1
    }
}

impl Default for Places {
    fn default() -> Self {
        Self::new(LEAST_BITS)
    }
}

impl Places {
    fn new(bits: u32) -> Self {
        Self { bits, first: 0, entries: Table::default() }
    }

    fn own(&self, hash: u64) -> u64 {
        hash >> (u64::BITS - self.bits)
    }

    /// Where the number with this hash stands that is the one.
    fn find(&self, hash: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
        let mut at = self.own(hash).max(self.first);
        while let Some(entry) = self.entries.get(at) {
            if entry.hash == hash && is(entry.number()) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    fn insert(&mut self, entry: Entry) {
        let mut at = self.own(entry.hash);
        while self.entries.get(at).is_some() {
            at += 1;
        }
        self.entries.insert(at, entry);
    }

    /// Empties a place. What stands behind it and would be cut off from its own place moves up.
    fn remove(&mut self, mut at: u64) {
        self.entries.remove(at);
        let mut next = at + 1;
        while let Some(entry) = self.entries.get(next).copied() {
            if self.own(entry.hash) <= at {
                self.entries.remove(next);
                self.entries.insert(at, entry);
                at = next;
            }
            next += 1;
        }
    }
}

impl Lookup {
    pub(crate) fn len(&self) -> usize {
        self.places.entries.len() + self.left.as_ref().map_or(0, |left| left.entries.len())
    }

    /// The number under a key. Hashes of other keys may be the same, so it is asked whether a number is the one.
    pub(crate) fn get(&self, key: &impl Hash, is: impl Fn(u64) -> bool) -> Option<u64> {
        let hash = self.seed.hash_one(key);
        let number = |places: &Places| {
            let at = places.find(hash, &is)?;
            places.entries.get(at).map(|entry| entry.number())
        };
        number(&self.places).or_else(|| number(self.left.as_ref()?))
    }

    /// Reads the place to which a key leads, and whether it is shared.
    pub(crate) fn read_ahead(&self, key: &impl Hash) -> u64 {
        let at = self.places.own(self.seed.hash_one(key));
        let hash = self.places.entries.get(at).map_or(0, |entry| entry.hash);
        hash ^ self.places.entries.sharers(at) as u64
    }

    /// Adds a number under a key that has none.
    pub(crate) fn insert(&mut self, key: &impl Hash, number: u64) {
        self.move_some();
        let size = 1 << self.places.bits;
        if self.len() * 8 >= size * 5 {
            self.resize(self.places.bits + 1);
        }
        let number = NonZeroU64::MIN.saturating_add(number);
        self.places.insert(Entry { hash: self.seed.hash_one(key), number });
    }

    /// Removes the number under a key, if it is there.
    pub(crate) fn remove(&mut self, key: &impl Hash, number: u64) {
        self.move_some();
        let hash = self.seed.hash_one(key);
        let places = [Some(&mut self.places), self.left.as_mut()];
        for places in places.into_iter().flatten() {
            if let Some(at) = places.find(hash, |other| other == number) {
                places.remove(at);
                break;
            }
        }
        if self.places.bits > LEAST_BITS && self.len() * 8 < 1 << self.places.bits {
            self.resize(self.places.bits - 1);
        }
    }

    fn resize(&mut self, bits: u32) {
        while self.left.is_some() {
            self.move_some();
        }
        self.left = Some(mem::replace(&mut self.places, Places::new(bits)));
    }

    fn move_some(&mut self) {
        let Some(left) = &mut self.left else { return };
        for at in left.first..left.first + MOVED {
            if left.entries.get(at).is_some()
                && let Some(entry) = left.entries.remove(at)
            {
                self.places.insert(entry);
            }
        }
        left.first += MOVED;
        if left.entries.len() == 0 {
            self.left = None;
        }
    }
}

/// How many there are: the rest is in no order.
impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lookup").field(&self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Lookup;

    /// Keys are numbers below a thousand of which each leads to itself and its thousands.
    fn get(lookup: &Lookup, key: u64) -> Option<u64> {
        lookup.get(&key, |number| number % 1000 == key)
    }

    #[test]
    fn a_copy_does_not_see_later_writes() {
        let mut lookup = Lookup::default();
        (0..500).for_each(|key| lookup.insert(&key, key));
        let copy = lookup.clone();
        (500..1000).for_each(|key| lookup.insert(&key, key));
        (0..400).for_each(|key| lookup.remove(&key, key));
        assert_eq!((copy.len(), get(&copy, 300), get(&copy, 700)), (500, Some(300), None));
        assert_eq!((lookup.len(), get(&lookup, 300), get(&lookup, 700)), (600, None, Some(700)));
    }

    #[test]
    fn what_is_gone_leaves_few_places() {
        let mut lookup = Lookup::default();
        (0..100_000).for_each(|key| lookup.insert(&key, key));
        (0..100_000).for_each(|key| lookup.remove(&key, key));
        (0..10).for_each(|key| lookup.insert(&key, key));
        assert!(lookup.places.bits < 10, "{} places for ten", 1 << lookup.places.bits);
        assert_eq!((lookup.len(), get(&lookup, 7)), (10, Some(7)));
    }

    proptest! {
        /// It finds what a vector has, however keys come and go.
        #[test]
        fn what_was_added_is_found(
            turns in prop::collection::vec((any::<bool>(), 0_u64..1000, 1_u64..400), 1..60),
        ) {
            let (mut lookup, mut model) = (Lookup::default(), vec![None; 1000]);
            for (turn, (adds, first, count)) in (1_u64..).zip(turns) {
                for key in (first..first + count).map(|key| key % 1000) {
                    let known = &mut model[usize::try_from(key).expect("small")];
                    match *known {
                        None if adds => {
                            let number = turn * 1000 + key;
                            lookup.insert(&key, number);
                            *known = Some(number);
                        }
                        Some(number) if !adds => {
                            lookup.remove(&key, number);
                            *known = None;
                        }
                        _ => {}
                    }
                }
                for (key, known) in (0..).zip(&model) {
                    prop_assert_eq!(get(&lookup, key), *known);
                }
                prop_assert_eq!(lookup.len(), model.iter().flatten().count());
            }
        }
    }
}
