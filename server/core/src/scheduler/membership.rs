//! Which classes nodes are in: those of their slack, except while it changes and while the job that is being placed may
//! have no more there.

use std::mem;

use super::{
    classes::Classes,
    index::Index,
    room::{Places, Room},
};
use crate::model::{Horizon, NodeId};

impl Index {
    /// Follows a change of the node's slack.
    pub(super) fn reclassify(&mut self, node: NodeId) {
        self.leave_class(node);
        self.join_later(node);
        self.briefs.set(node.0 as usize, self.rooms[node.0 as usize].as_ref());
    }

    /// Takes the node out of its classes. Which these were.
    pub(super) fn leave_class(&mut self, node: NodeId) -> Places {
        let Some(room) = &mut self.rooms[node.0 as usize] else { return Default::default() };
        let left = room.take_places();
        for (at, left) in left.iter().enumerate() {
            let Some((class, place)) = *left else { continue };
            if let Some(moved) = self.classes.leave(class, place) {
                let moved = self.rooms[moved.0 as usize].as_mut();
                let moved = moved.expect("invariant: a member has a room");
                *moved.place_mut(at) = Some((class, place));
            }
        }
        left
    }

    /// Lets [`Self::classify`] add the node to its classes: until then it may change often.
    pub(super) fn join_later(&mut self, node: NodeId) {
        let Some(room) = &mut self.rooms[node.0 as usize] else { return };
        if !room.sidelined && !mem::replace(&mut room.unclassed, true) {
            self.unclassed.push(node);
        }
    }

    /// Adds those whose slack changed to their classes.
    pub(super) fn classify(&mut self) {
        for node in self.unclassed.drain(..) {
            if let Some(room) = &mut self.rooms[node.0 as usize]
                && mem::take(&mut room.unclassed)
            {
                join(&mut self.classes, node, room, self.horizons);
            }
        }
        if self.classes.is_crowded() {
            self.classify_anew();
        }
    }

    pub(super) fn classify_anew(&mut self) {
        self.classes.restart();
        for (node, room) in (0..).map(NodeId).zip(self.rooms.iter_mut()) {
            let Some(room) = room else { continue };
            room.take_places();
            room.unclassed = false;
            join(&mut self.classes, node, room, self.horizons);
        }
    }

    /// Keeps the job that is being placed off a node of which it may have no more.
    pub(super) fn sideline(&mut self, node: NodeId) -> Sidelined {
        let places = self.leave_class(node);
        let room = self.rooms[node.0 as usize].as_mut().expect("invariant: it has a room");
        room.sidelined = true;
        Sidelined { node, places, epoch: self.classes.epoch() }
    }

    /// Lets the node in again after what it had was taken.
    pub(super) fn let_in(&mut self, node: NodeId) {
        let room = self.rooms[node.0 as usize].as_mut().expect("invariant: it has a room");
        room.sidelined = false;
        self.join_later(node);
    }

    /// Lets a node in again: into the classes that it left, if it was in any and they are still known.
    pub(super) fn let_back(&mut self, sidelined: Sidelined) {
        let Sidelined { node, places, epoch } = sidelined;
        if places.iter().all(Option::is_none) || epoch != self.classes.epoch() {
            return self.let_in(node);
        }
        let room = self.rooms[node.0 as usize].as_mut().expect("invariant: it has a room");
        room.sidelined = false;
        for (at, place) in places.iter().enumerate() {
            let Some((class, _)) = *place else { continue };
            *room.place_mut(at) = Some((class, self.classes.add_member(node, class)));
        }
    }
}

/// Adds a node that may take tasks to a class for each horizon that anybody asks for.
fn join(classes: &mut Classes, node: NodeId, room: &mut Room, horizons: [bool; Horizon::COUNT]) {
    if !room.open || room.sidelined {
        return;
    }
    if room.is_level() {
        *room.place_mut(0) = Some(classes.join(node, room, None));
        return;
    }
    for horizon in Horizon::ALL.into_iter().filter(|horizon| horizons[horizon.index()]) {
        *room.place_mut(horizon.index()) = Some(classes.join(node, room, Some(horizon)));
    }
}

/// A node that is kept out of the classes for a while, and where it was.
#[derive(Clone, Debug)]
pub(super) struct Sidelined {
    node: NodeId,
    places: Places,
    epoch: u32,
}

impl Sidelined {
    /// A node that was out of the classes when tasks were placed on it.
    pub(super) fn taken_out(node: NodeId) -> Self {
        Self { node, places: Default::default(), epoch: 0 }
    }
}
