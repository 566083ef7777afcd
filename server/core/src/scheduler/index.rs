//! The scheduler's picture of the fleet and of what is asked of it, kept in step with the state.
//!
//! Each node has a room (`room.rs`); rooms with equal slack are one class (`classes.rs`); each shape ranks the classes
//! that may have room for it (`find.rs`). Parts of rooms may be promised to shapes (`promise.rs`): what is free of
//! them is slack. A change of a node costs its room; it gets its class, and the shapes look at what is new, when somebody
//! next looks for room.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use super::{
    amounts::{CountNames, Want},
    briefs::Briefs,
    changes::{Changes, Cursor},
    classes::Classes,
    kind::{Kinds, ZoneId},
    room::{Place, Promise, Room},
    shape::{KeyRef, Shape, ShapeId, ShapeKey},
    shapes::Shapes,
};
use crate::{
    model::{DeviceSet, Horizon, JobSpec, NodeId},
    paged::Paged,
    state::State,
};

/// Shapes without waiting work that keep their place for work to come.
const IDLE_SHAPES_KEPT: usize = 2_048;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) rooms: Paged<Option<Room>>,
    pub(super) briefs: Briefs,
    pub(super) kinds: Arc<Kinds>,
    pub(super) names: CountNames,
    pub(super) classes: Classes,
    /// Nodes whose slack changed, which are in no class until somebody looks for room.
    pub(super) unclassed: Vec<NodeId>,
    pub(super) shapes: Shapes,
    /// How many shapes were dropped whose places may be taken by others since.
    pub(super) dropped_shapes: u64,
    /// Changes when shapes come or their worth changes.
    pub(super) shapes_version: u32,
    /// Nodes that take no tasks because somebody counts on their room: gangs, and starts that are planned.
    held: BTreeMap<NodeId, u32>,
    /// Whether rooms promise anything: then what ends leaves its room promised to its like.
    pub(super) promising: bool,
    /// Where the next scan of all rooms begins.
    pub(super) scan_from: usize,
    /// Horizons for which any shape has asked.
    pub(super) horizons: [bool; Horizon::COUNT],
    grown: Changes,
    /// Growth that parked shapes have been asked about.
    woken: Cursor,
    pub(super) uses: u64,
}

impl Index {
    pub(super) fn room(&self, node: NodeId) -> Option<&Room> {
        self.rooms.get(node.0 as usize)?.as_ref()
    }

    pub(super) fn shape(&self, id: ShapeId) -> &Shape {
        self.shapes.used(id)
    }

    pub(super) fn shape_mut(&mut self, id: ShapeId) -> &mut Shape {
        self.shapes.used_mut(id)
    }

    /// How many pages are not those of an earlier copy.
    pub(super) fn pages_changed(&self, earlier: &Self) -> usize {
        self.rooms.pages_changed(&earlier.rooms) + self.classes.pages_changed(&earlier.classes)
    }

    /// The shape of this key, made if there is none.
    pub(super) fn shape_of(&mut self, key: KeyRef<'_>) -> ShapeId {
        if let Some(id) = self.shapes.find(key) {
            return id;
        }
        let key = ShapeKey::from(key);
        let want = self.names.want(&key.request, key.horizon);
        let known = mem::replace(&mut self.horizons[key.horizon.index()], true);
        if !known && self.rooms.iter().flatten().any(|room| !room.is_level()) {
            self.classify_anew();
        }
        self.shapes_version += u32::from(key.job.is_none());
        self.shapes.add(Shape::new(key, want))
    }

    /// The shape of this key, if there is one.
    pub(super) fn known_shape(&self, key: KeyRef<'_>) -> Option<ShapeId> {
        self.shapes.find(key)
    }

    /// Called when no lane holds the shape any more: a job's own shape goes, others stay for a while.
    pub(super) fn release_shape(&mut self, id: ShapeId) {
        if self.shape(id).key.job.is_some() {
            self.drop_shape(id);
        }
        if self.shapes.len() > 2 * IDLE_SHAPES_KEPT {
            let idle = self.shapes.iter().filter(|(_, shape)| !shape.waits && shape.promises == 0);
            let mut idle: Vec<(u64, ShapeId)> = idle.map(|(id, shape)| (shape.used, id)).collect();
            idle.sort_unstable();
            let surplus = idle.len().saturating_sub(IDLE_SHAPES_KEPT);
            idle.into_iter().take(surplus).for_each(|(_, id)| self.drop_shape(id));
        }
    }

    fn drop_shape(&mut self, id: ShapeId) {
        if let Some(shape) = self.shapes.remove(id) {
            let solo = shape.key.job.is_some();
            self.dropped_shapes += u64::from(!solo);
            self.shapes_version += u32::from(!solo);
        }
    }

    pub(super) fn want_of(&mut self, spec: &JobSpec) -> Want {
        self.names.want(&spec.request, spec.horizon())
    }

    /// Makes the node's room as the state has it.
    pub(super) fn refresh(&mut self, state: &State, node: NodeId) {
        let index = node.0 as usize;
        if self.rooms.len() <= index {
            self.rooms.grow_to(index + 1);
            self.briefs.grow_to(index + 1);
        }
        let now = self.room_now(state, node);
        if let (Some(now), Some(before)) = (&now, &self.rooms[index])
            && now.matches(before)
        {
            return;
        }
        self.leave_class(node);
        let before = self.rooms[index].take();
        let listed = before.as_ref().is_some_and(|room| room.unclassed);
        let grew = match (&now, &before) {
            (Some(now), Some(before)) => now.grew(before),
            (now, _) => now.is_some(),
        };
        let mut now = self.keep_promises(now, before);
        if let Some(room) = &mut now {
            room.unclassed = listed;
        }
        self.briefs.set(index, now.as_ref());
        self.rooms[index] = now;
        self.join_later(node);
        if grew {
            self.grown.push(node);
        }
    }

    /// As `refresh`, when the node's description changed.
    pub(super) fn redescribe(&mut self, state: &State, node: NodeId) {
        self.refresh(state, node);
        self.grown.push(node);
    }

    /// What was promised and still fits.
    fn keep_promises(&mut self, now: Option<Room>, before: Option<Room>) -> Option<Room> {
        let mut now = now;
        for promise in before.into_iter().flat_map(|before| before.promises) {
            let Some(shape) = self.shapes.get_mut(promise.shape) else { continue };
            let kept = now.as_mut().is_some_and(|room| {
                room.open
                    && shape.allowed.ask(&self.kinds, room.kind, &shape.key.constraints)
                    && room.promise(promise, &shape.want)
            });
            shape.promises -= usize::from(!kept);
        }
        now
    }

    /// The node's region and zone as the index knows them.
    pub(super) fn zone_of(&self, node: NodeId) -> Option<ZoneId> {
        self.room(node).map(|room| self.kinds.zone_of(room.kind))
    }

    fn room_now(&mut self, state: &State, node: NodeId) -> Option<Room> {
        let node = state.node(node)?;
        let known = self.room(node.id).filter(|room| Arc::ptr_eq(&room.spec, &node.spec));
        let kind =
            known.map(|room| room.kind).unwrap_or_else(|| Kinds::of(&mut self.kinds, &node.spec));
        let open = node.is_open() && !self.is_held(node.id) && !state.is_preempting(node);
        Some(Room::of(node, kind, open, &mut self.names))
    }

    /// Whether the node's room is as the state has it.
    pub(super) fn is_true(&mut self, state: &State, node: NodeId) -> bool {
        let now = self.room_now(state, node);
        match (self.rooms.get(node.0 as usize).and_then(Option::as_ref), &now) {
            (Some(room), Some(now)) => {
                let classes = &mut self.classes;
                let holds = |at: &Place| classes.holds(node, room, *at);
                room.matches(now)
                    && self.briefs.is_true(node.0 as usize, room)
                    && !room.sidelined
                    && !room.unclassed
                    && (!room.is_level() || room.open == room.places()[0].is_some())
                    && room.places().iter().flatten().all(holds)
            }
            (None, None) => true,
            _ => false,
        }
    }

    pub(super) fn is_held(&self, node: NodeId) -> bool {
        self.held.contains_key(&node)
    }

    /// How many count on the node being kept free.
    pub(super) fn holds_on(&self, node: NodeId) -> u32 {
        self.held.get(&node).copied().unwrap_or(0)
    }

    /// Whether any node is held.
    pub(super) fn holds_any(&self) -> bool {
        !self.held.is_empty()
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

    /// A task has ended: its room is promised to its like, if rooms are promised at all.
    pub(super) fn give(&mut self, state: &State, node: NodeId, ended: &Ended) {
        let room = self.rooms[node.0 as usize].as_mut().expect("invariant: it held a task");
        if !room.open || room.is_odd() {
            self.refresh(state, node);
            return;
        }
        room.give(&ended.want, ended.devices);
        let shape = ended.shape.filter(|_| self.promising);
        let like = shape.and_then(|id| Some((id, self.shapes.get_mut(id)?)));
        let promised = like.is_some_and(|(id, shape)| {
            // It may have come before the node's description ruled it out.
            let promise = Promise { shape: id, devices: ended.devices };
            let kept = shape.allowed.ask(&self.kinds, room.kind, &shape.key.constraints)
                && room.promise(promise, &ended.want);
            if kept {
                shape.promised.push(node);
                shape.promises += 1;
            }
            kept
        });
        if promised {
            self.briefs.set(node.0 as usize, Some(room));
        } else {
            self.reclassify(node);
        }
        self.grown.push(node);
    }

    /// Shapes whose jobs' other tasks decide where the next may go.
    pub(super) fn spreading_shapes(&self) -> Vec<ShapeId> {
        let spreading = self.shapes.iter().filter(|(_, shape)| shape.key.spreads());
        spreading.map(|(id, _)| id).collect()
    }

    /// Sets a shape aside until a node grows that can take it.
    pub(super) fn park(&mut self, id: ShapeId) {
        let end = self.grown.end();
        self.shape_mut(id).parked = Some(end);
    }

    /// How far nodes have grown.
    pub(super) fn growth(&self) -> Cursor {
        self.grown.end()
    }

    /// Whether parked shapes have been asked about all growth.
    pub(super) fn has_woken(&self) -> bool {
        self.woken == self.grown.end()
    }

    /// Whether the node has room for a task of the shape, promised to others or not.
    pub(super) fn could_take(&mut self, id: ShapeId, node: NodeId) -> bool {
        let shape = self.shapes.used_mut(id);
        let Some(room) = self.rooms[node.0 as usize].as_ref() else { return false };
        shape.allowed.ask(&self.kinds, room.kind, &shape.key.constraints)
            && room.fits_free(&shape.want)
    }

    /// Wakes a shape whatever its nodes say. Whether it was parked.
    pub(super) fn wake(&mut self, id: ShapeId) -> bool {
        let shape = self.shapes.get_mut(id);
        shape.is_some_and(|shape| shape.parked.take().is_some())
    }

    /// Wakes the parked shapes among `parked` that a grown node can take now, or on which `makes_room` says that room
    /// for them could be made.
    pub(super) fn wake_grown(
        &mut self,
        parked: &BTreeSet<ShapeId>,
        mut makes_room: impl FnMut(ShapeId, &ShapeKey, NodeId) -> bool,
    ) -> Vec<ShapeId> {
        let end = self.grown.end();
        let mut woken = Vec::new();
        if mem::replace(&mut self.woken, end) == end {
            return woken;
        }
        for id in parked {
            let shape = self.shapes.used_mut(*id);
            if let Some(since) = shape.parked.filter(|since| *since < end) {
                let mut takes = |shape: &mut Shape, node: NodeId| {
                    let Some(room) = self.rooms[node.0 as usize].as_ref() else { return false };
                    shape.allowed.ask(&self.kinds, room.kind, &shape.key.constraints)
                        && (room.fits_free(&shape.want) || makes_room(*id, &shape.key, node))
                };
                let wake = match self.grown.since(since) {
                    Some(mut nodes) => nodes.any(|node| takes(shape, node)),
                    None => true,
                };
                shape.parked = (!wake).then_some(end);
                if wake {
                    woken.push(*id);
                }
            }
        }
        woken
    }
}

/// What a task that ended held.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// Its shape, if others of it may come.
    pub(super) shape: Option<ShapeId>,
    pub(super) want: Want,
    pub(super) devices: DeviceSet,
}
