//! A map that is asked for single keys and never iterated, so that nothing can depend on its order.

use std::{borrow::Borrow, fmt, hash::Hash};

use imbl::{GenericHashMap, shared_ptr::DefaultSharedPtr};

#[expect(
    clippy::disallowed_types,
    reason = "clients choose the keys, and could make them collide if they knew how they are hashed"
)]
type Seed = std::hash::RandomState;

/// Values by keys that clients chose. Copies share all they can.
#[derive(Clone)]
pub(crate) struct Lookup<K, V>(GenericHashMap<K, V, Seed, DefaultSharedPtr>);

impl<K: Hash + Eq + Clone, V: Clone> Lookup<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, value);
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.0.remove(key);
    }
}

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(GenericHashMap::default())
    }
}

/// How many there are: the rest is in no order.
impl<K, V> fmt::Debug for Lookup<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lookup").field(&self.0.len()).finish()
    }
}
