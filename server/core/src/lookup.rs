//! Finds numbered objects by keys that clients chose. It is asked for single keys and never iterated, so that nothing can
//! depend on its order.
//!
//! A hash table by linear probing over tables whose pages are shared between copies. It holds numbers: the keys themselves
//! stay where the objects are. When it gets too full, or too empty, the numbers move to another size, a few with each
//! change, so that no change has to wait for all of them.

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

/// There are never fewer slots than two to the power of this.
const LEAST_BITS: u32 = 6;

/// How many slots are emptied with each change while numbers move.
const MOVED: u64 = 32;

/// Numbers by keys. Copies share all they can.
#[derive(Clone, Default)]
pub(crate) struct Lookup {
    seed: Seed,
    slots: Slots,
    /// What has yet to move.
    former: Option<Slots>,
}

/// Slots, to which the first bits of a hash lead. Those before `first` are empty already. An entry stands in its home slot
/// or behind it, with no empty slot between them but those before `first`; the last ones may stand behind all homes.
#[derive(Clone)]
struct Slots {
    bits: u32,
    first: u64,
    entries: Table<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    /// And one, so that an empty slot takes no room of its own.
    number: NonZeroU64,
}

impl Entry {
    fn number(self) -> u64 {
        self.number.get() - 1
    }
}

impl Default for Slots {
    fn default() -> Self {
        Self::new(LEAST_BITS)
    }
}

impl Slots {
    fn new(bits: u32) -> Self {
        Self { bits, first: 0, entries: Table::default() }
    }

    fn home(&self, hash: u64) -> u64 {
        hash >> (u64::BITS - self.bits)
    }

    /// The slot of the number with this hash of which `is` holds.
    fn find(&self, hash: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
        let mut at = self.home(hash).max(self.first);
        while let Some(entry) = self.entries.get(at) {
            if entry.hash == hash && is(entry.number()) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    fn insert(&mut self, entry: Entry) {
        let mut at = self.home(entry.hash);
        while self.entries.get(at).is_some() {
            at += 1;
        }
        self.entries.insert(at, entry);
    }

    /// Empties a slot. What stands behind it and would be cut off from its home moves up.
    fn remove(&mut self, mut at: u64) {
        self.entries.remove(at);
        let mut next = at + 1;
        while let Some(entry) = self.entries.get(next).copied() {
            if self.home(entry.hash) <= at {
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
        self.slots.entries.len() + self.former.as_ref().map_or(0, |former| former.entries.len())
    }

    /// The number under a key of which `is` holds: other keys may have the same hash.
    pub(crate) fn get(&self, key: &impl Hash, is: impl Fn(u64) -> bool) -> Option<u64> {
        let hash = self.seed.hash_one(key);
        let number = |slots: &Slots| {
            let at = slots.find(hash, &is)?;
            slots.entries.get(at).map(|entry| entry.number())
        };
        number(&self.slots).or_else(|| number(self.former.as_ref()?))
    }

    /// Reads the home slot of a key, and whether it is shared.
    pub(crate) fn read_ahead(&self, key: &impl Hash) -> u64 {
        let at = self.slots.home(self.seed.hash_one(key));
        let hash = self.slots.entries.get(at).map_or(0, |entry| entry.hash);
        hash ^ self.slots.entries.sharers(at) as u64
    }

    /// Adds a number under a key that has none.
    pub(crate) fn insert(&mut self, key: &impl Hash, number: u64) {
        self.move_some();
        let size = 1 << self.slots.bits;
        if self.len() * 8 >= size * 5 {
            self.resize(self.slots.bits + 1);
        }
        let number = NonZeroU64::MIN.saturating_add(number);
        self.slots.insert(Entry { hash: self.seed.hash_one(key), number });
    }

    /// Removes the number under a key, if it is there.
    pub(crate) fn remove(&mut self, key: &impl Hash, number: u64) {
        self.move_some();
        let hash = self.seed.hash_one(key);
        let all = [Some(&mut self.slots), self.former.as_mut()];
        for slots in all.into_iter().flatten() {
            if let Some(at) = slots.find(hash, |other| other == number) {
                slots.remove(at);
                break;
            }
        }
        if self.slots.bits > LEAST_BITS && self.len() * 8 < 1 << self.slots.bits {
            self.resize(self.slots.bits - 1);
        }
    }

    fn resize(&mut self, bits: u32) {
        while self.former.is_some() {
            self.move_some();
        }
        self.former = Some(mem::replace(&mut self.slots, Slots::new(bits)));
    }

    fn move_some(&mut self) {
        let Some(former) = &mut self.former else { return };
        for at in former.first..former.first + MOVED {
            if former.entries.get(at).is_some()
                && let Some(entry) = former.entries.remove(at)
            {
                self.slots.insert(entry);
            }
        }
        former.first += MOVED;
        if former.entries.len() == 0 {
            self.former = None;
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
    fn what_is_gone_leaves_few_slots() {
        let mut lookup = Lookup::default();
        (0..100_000).for_each(|key| lookup.insert(&key, key));
        (0..100_000).for_each(|key| lookup.remove(&key, key));
        (0..10).for_each(|key| lookup.insert(&key, key));
        assert!(lookup.slots.bits < 10, "{} slots for ten", 1 << lookup.slots.bits);
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
