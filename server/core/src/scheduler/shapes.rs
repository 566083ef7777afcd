//! The shapes that are known, by place and by key. Copies share each until one of them changes it.

use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use hashbrown::{Equivalent, HashTable};
use rustc_hash::FxBuildHasher;

use super::shape::{KeyRef, Shape, ShapeId};

#[derive(Clone, Debug, Default)]
pub(super) struct Shapes {
    all: Vec<Option<Arc<Shape>>>,
    /// Places by key.
    by_key: HashTable<ShapeId>,
    free: Vec<ShapeId>,
}

impl Shapes {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ShapeId, &Shape)> {
        let shapes = (0..).map(ShapeId).zip(&self.all);
        shapes.filter_map(|(id, shape)| Some((id, &**shape.as_ref()?)))
    }

    /// The shape of this key, if there is one.
    pub(super) fn find(&self, key: KeyRef<'_>) -> Option<ShapeId> {
        let is_it = |id: &ShapeId| key.equivalent(&self.used(*id).key);
        self.by_key.find(hash(&key), is_it).copied()
    }

    /// Adds a shape of a key that is not there.
    pub(super) fn add(&mut self, shape: Shape) -> ShapeId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.all.push(None);
            ShapeId(u32::try_from(self.all.len() - 1).expect("invariant: fewer than 2^32"))
        });
        let at = hash(&shape.key);
        self.all[id.0 as usize] = Some(Arc::new(shape));
        let all = &self.all;
        self.by_key.insert_unique(at, id, |id| hash(&used(all, *id).key));
        id
    }

    pub(super) fn remove(&mut self, id: ShapeId) -> Option<Arc<Shape>> {
        let shape = self.all[id.0 as usize].take()?;
        let place = self.by_key.find_entry(hash(&shape.key), |known| *known == id);
        place.expect("invariant: every shape has its place").remove();
        self.free.push(id);
        Some(shape)
    }

    /// A shape that somebody counts on.
    #[inline]
    pub(super) fn used(&self, id: ShapeId) -> &Shape {
        used(&self.all, id)
    }

    #[inline]
    pub(super) fn used_mut(&mut self, id: ShapeId) -> &mut Shape {
        self.get_mut(id).expect("invariant: a shape in use is kept")
    }

    /// A shape for changes, if it is still there.
    #[inline]
    pub(super) fn get_mut(&mut self, id: ShapeId) -> Option<&mut Shape> {
        self.all.get_mut(id.0 as usize)?.as_mut().map(Arc::make_mut)
    }
}

fn used(all: &[Option<Arc<Shape>>], id: ShapeId) -> &Shape {
    all[id.0 as usize].as_ref().expect("invariant: a shape in use is kept")
}

fn hash(key: &impl Hash) -> u64 {
    FxBuildHasher.hash_one(key)
}
