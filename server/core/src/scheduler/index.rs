//! Which nodes can take a task of a shape, best first, without looking at all nodes.
//!
//! Every shape keeps a heap of candidates and follows the list of changed nodes. A changed node enters the heap
//! anew with its new version; its older entries are dropped when they surface. So the top of the heap is always
//! the best node there is, and a node's change costs each shape one look, however many tasks wait.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::{
    changes::{Changes, Cursor},
    filter,
    shape::{Candidate, Shape, ShapeId, ShapeKey},
    slot::Slot,
};
use crate::{
    model::{DeviceSet, Name, NodeId},
    state::State,
};

/// Shapes without waiting work that keep their candidates for work to come.
const IDLE_SHAPES_KEPT: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    slots: Vec<Option<Slot>>,
    versions: Vec<u32>,
    /// Nodes that take no tasks because a gang counts on their room, with the number of such gangs.
    held: BTreeMap<NodeId, u32>,
    changed: Changes,
    grown: Changes,
    /// Growth that parked shapes have been asked about.
    woken: Cursor,
    shapes: BTreeMap<ShapeId, Shape>,
    by_key: BTreeMap<ShapeKey, ShapeId>,
    next_shape: u32,
    uses: u64,
}

impl Index {
    pub(super) fn slot(&self, node: NodeId) -> Option<&Slot> {
        self.slots.get(node.0 as usize)?.as_ref()
    }

    pub(super) fn shape(&self, id: ShapeId) -> &Shape {
        self.shapes.get(&id).expect("invariant: a shape in use is kept")
    }

    pub(super) fn shape_mut(&mut self, id: ShapeId) -> &mut Shape {
        self.shapes.get_mut(&id).expect("invariant: a shape in use is kept")
    }

    /// The shape of this key, made if there is none.
    pub(super) fn shape_of(&mut self, key: ShapeKey) -> ShapeId {
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        let id = ShapeId(self.next_shape);
        self.next_shape += 1;
        self.by_key.insert(key.clone(), id);
        self.shapes.insert(id, Shape::new(key));
        id
    }

    /// Called when no lane holds the shape any more: a job's own shape goes, others stay for a while.
    pub(super) fn release_shape(&mut self, id: ShapeId) {
        if self.shape(id).key.job.is_some() {
            self.drop_shape(id);
        }
        if self.shapes.len() > 2 * IDLE_SHAPES_KEPT {
            let mut idle: Vec<(u64, ShapeId)> = self
                .shapes
                .iter()
                .filter(|(_, s)| s.lanes == 0)
                .map(|(id, s)| (s.used, *id))
                .collect();
            idle.sort_unstable();
            let surplus = idle.len().saturating_sub(IDLE_SHAPES_KEPT);
            idle.into_iter().take(surplus).for_each(|(_, id)| self.drop_shape(id));
        }
    }

    fn drop_shape(&mut self, id: ShapeId) {
        if let Some(shape) = self.shapes.remove(&id) {
            self.by_key.remove(&shape.key);
        }
    }

    /// Makes the node's slot equal to the state, and tells the shapes if that changed it.
    pub(super) fn refresh(&mut self, state: &State, node: NodeId) {
        let index = node.0 as usize;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, None);
            self.versions.resize(index + 1, 0);
        }
        let now = self.slot_now(state, node);
        if now == self.slots[index] {
            return;
        }
        let grew = match (&now, &self.slots[index]) {
            (Some(now), Some(before)) => now.grew(before),
            (now, _) => now.is_some(),
        };
        self.slots[index] = now;
        self.touch(node);
        if grew {
            self.grown.push(node);
        }
    }

    /// As `refresh`, when the node's description changed: what was known of it is void.
    pub(super) fn redescribe(&mut self, state: &State, node: NodeId) {
        self.shapes.values_mut().for_each(|shape| shape.forget_allowed(node));
        self.refresh(state, node);
        self.touch(node);
        self.grown.push(node);
    }

    /// The node's region and zone as the index knows them.
    pub(super) fn place_of(&self, node: NodeId) -> Option<&(Name, Name)> {
        self.slot(node).map(|slot| &slot.place)
    }

    fn slot_now(&self, state: &State, node: NodeId) -> Option<Slot> {
        state.node(node).map(|node| Slot::of(state, node, self.is_held(node.id)))
    }

    pub(super) fn is_held(&self, node: NodeId) -> bool {
        self.held.contains_key(&node)
    }

    /// Keeps tasks off the node until it is let go.
    pub(super) fn hold(&mut self, state: &State, node: NodeId) {
        *self.held.entry(node).or_default() += 1;
        self.refresh(state, node);
    }

    pub(super) fn let_go(&mut self, state: &State, node: NodeId) {
        let count = self.held.get_mut(&node).expect("invariant: it is held");
        *count -= 1;
        if *count == 0 {
            self.held.remove(&node);
            self.refresh(state, node);
        }
    }

    /// Gives back what a plan took. To those that wait nothing has grown.
    pub(super) fn untake(&mut self, state: &State, node: NodeId) {
        self.slots[node.0 as usize] = self.slot_now(state, node);
        self.touch(node);
    }

    /// Shapes whose jobs' other tasks decide where the next may go.
    pub(super) fn spreading_shapes(&self) -> Vec<ShapeId> {
        let spreading = self.shapes.iter().filter(|(_, shape)| shape.key.spreads());
        spreading.map(|(id, _)| *id).collect()
    }

    fn touch(&mut self, node: NodeId) {
        let version = &mut self.versions[node.0 as usize];
        *version = version.wrapping_add(1);
        self.changed.push(node);
    }

    /// Takes room on a node for a plan.
    pub(super) fn take(&mut self, shape: ShapeId, node: NodeId, count: u32) -> DeviceSet {
        let request = &self.shapes[&shape].key.request;
        let slot = self.slots[node.0 as usize].as_mut().expect("invariant: a candidate is there");
        let devices = slot.devices_for(request.gpu_millis).expect("invariant: a candidate fits");
        slot.take(request, count, devices);
        self.touch(node);
        devices
    }

    /// How many tasks of the shape the node can take, `limit` at most.
    pub(super) fn fits(&self, shape: ShapeId, node: NodeId, limit: u32) -> u32 {
        self.slot(node).map_or(0, |slot| slot.fits(&self.shape(shape).key.request, limit))
    }

    /// The best node for a task of the shape in each group of zones, the best first. One group for most shapes.
    pub(super) fn best(&mut self, state: &State, id: ShapeId) -> Vec<(Candidate, (Name, Name))> {
        self.catch_up(state, id);
        let mut shape = self.shapes.remove(&id).expect("invariant: a shape in use is kept");
        let mut best = Vec::new();
        for (place, heap) in &mut shape.heaps {
            while let Some(Reverse(candidate)) = heap.peek() {
                if self.versions[candidate.node.0 as usize] == candidate.version {
                    best.push((*candidate, place.clone()));
                    break;
                }
                heap.pop();
                shape.candidates -= 1;
            }
        }
        best.sort_unstable();
        self.shapes.insert(id, shape);
        best
    }

    /// Drops the best node of a group: the shape's job cannot use it although it fits.
    pub(super) fn skip(&mut self, id: ShapeId, place: &(Name, Name)) {
        let shape = self.shape_mut(id);
        if let Some(heap) = shape.heaps.get_mut(place)
            && heap.pop().is_some()
        {
            shape.candidates -= 1;
        }
    }

    fn catch_up(&mut self, state: &State, id: ShapeId) {
        self.uses += 1;
        let mut shape = self.shapes.remove(&id).expect("invariant: a shape in use is kept");
        shape.used = self.uses;
        let crowded = shape.candidates > 4 * self.slots.len() + 1024;
        let changed = match shape.seen {
            Some(seen) if !crowded => self.changed.since(seen),
            _ => None,
        };
        if let Some(changed) = changed {
            changed.for_each(|node| self.consider(&mut shape, state, node));
        } else {
            shape.reset();
            let all = (0..).map(NodeId).take(self.slots.len());
            all.for_each(|node| self.consider(&mut shape, state, node));
        }
        shape.seen = Some(self.changed.end());
        self.shapes.insert(id, shape);
    }

    fn consider(&self, shape: &mut Shape, state: &State, node: NodeId) {
        let Some(slot) = self.slot(node) else { return };
        if !slot.fits_one(&shape.key.request) || !self.allows(shape, state, node) {
            return;
        }
        let score = slot.score(&shape.key.request);
        let version = self.versions[node.0 as usize];
        let place =
            if shape.key.spreads_over_zones() { slot.place.clone() } else { Default::default() };
        shape.heaps.entry(place).or_default().push(Reverse(Candidate { score, node, version }));
        shape.candidates += 1;
    }

    fn allows(&self, shape: &mut Shape, state: &State, node: NodeId) -> bool {
        let index = node.0 as usize;
        if shape.allowed.len() <= index {
            shape.allowed.resize(self.slots.len(), None);
        }
        *shape.allowed[index].get_or_insert_with(|| {
            state.node(node).is_some_and(|node| filter::allows(&node.spec, &shape.key.constraints))
        })
    }

    /// Sets a shape aside until a node grows that can take it.
    pub(super) fn park(&mut self, id: ShapeId) {
        let end = self.grown.end();
        self.shape_mut(id).parked = Some(end);
    }

    /// Wakes a shape whatever its nodes say. Whether it was parked.
    pub(super) fn wake(&mut self, id: ShapeId) -> bool {
        self.shapes.get_mut(&id).is_some_and(|shape| shape.parked.take().is_some())
    }

    /// Wakes the parked shapes among `parked` that a grown node can take now, or on which `makes_room` says that room
    /// for them could be made.
    pub(super) fn wake_grown(
        &mut self,
        state: &State,
        parked: &BTreeSet<ShapeId>,
        makes_room: impl Fn(ShapeId, &ShapeKey, NodeId) -> bool,
    ) -> Vec<ShapeId> {
        let end = self.grown.end();
        let mut woken = Vec::new();
        if mem::replace(&mut self.woken, end) == end {
            return woken;
        }
        for id in parked {
            let mut shape = self.shapes.remove(id).expect("invariant: a parked shape is kept");
            if let Some(since) = shape.parked.filter(|since| *since < end) {
                let takes = |shape: &mut Shape, node: NodeId| {
                    self.allows(shape, state, node)
                        && (self.slot(node).is_some_and(|slot| slot.fits_one(&shape.key.request))
                            || makes_room(*id, &shape.key, node))
                };
                let wake = match self.grown.since(since) {
                    Some(mut nodes) => nodes.any(|node| takes(&mut shape, node)),
                    None => true,
                };
                shape.parked = (!wake).then_some(end);
                if wake {
                    woken.push(*id);
                }
            }
            self.shapes.insert(*id, shape);
        }
        woken
    }
}
