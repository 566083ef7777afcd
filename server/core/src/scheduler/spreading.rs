//! Places tasks that keep apart. A node is taken out of the classes while it is in hand: the best of its zone as long as
//! every task that it takes makes it fit tighter, which no other node of the zone does meanwhile.

use std::mem;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::{
    classes::Score, find::Spot, index::Index, kind::ZoneId, membership::Sidelined, shape::ShapeId,
    spread::Limits,
};
use crate::{
    model::{Job, Node, NodeId},
    state::State,
};

/// A job whose tasks are spread, while it is being placed.
pub(super) struct Spreading<'a> {
    index: &'a mut Index,
    shape: ShapeId,
    limits: Limits,
    over_zones: bool,
    /// By [`ZoneId`]; one for all nodes where zones do not matter.
    zones: Vec<Zone>,
    /// How many tasks lie on nodes that may take more, where that is limited.
    on_nodes: HashMap<NodeId, u32, FxBuildHasher>,
    /// Nodes that may take no more.
    full: Vec<Sidelined>,
    /// A zone that counts as one with room.
    left: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct Zone {
    tasks: u32,
    /// The best node as far as it is known; `Some(None)` where there is none.
    best: Option<Option<(Score, NodeId)>>,
    /// The best node has taken tasks and is out of the classes.
    in_hand: Option<NodeId>,
}

impl<'a> Spreading<'a> {
    /// Places more tasks of the job.
    pub(super) fn new(index: &'a mut Index, state: &State, shape: ShapeId, job: &Job) -> Self {
        Self::beside(index, shape, job, state.allocations_of(job).map(|it| it.at.node).collect())
    }

    /// Places one task as if it had left its node already.
    pub(super) fn leaving(
        index: &'a mut Index,
        state: &State,
        shape: ShapeId,
        job: &Job,
        from: NodeId,
    ) -> Self {
        let mut placed: Vec<NodeId> = state.allocations_of(job).map(|it| it.at.node).collect();
        if let Some(at) = placed.iter().position(|node| *node == from) {
            placed.swap_remove(at);
        }
        let mut spreading = Self::beside(index, shape, job, placed);
        // Once it has left, there may be room where it was: then its zone counts as the emptier one that it is.
        if state.node(from).is_some_and(Node::is_open) {
            spreading.left = Some(spreading.zone_of(from));
        }
        spreading
    }

    /// Where tasks of the job are placed already.
    fn beside(index: &'a mut Index, shape: ShapeId, job: &Job, mut placed: Vec<NodeId>) -> Self {
        let over_zones = index.shape(shape).key.spreads_over_zones();
        let zones = if over_zones { index.kinds.zone_count() } else { 1 };
        let mut spreading = Self {
            index,
            shape,
            limits: Limits::of(&job.spec),
            over_zones,
            zones: vec![Zone::default(); zones],
            on_nodes: HashMap::default(),
            full: Vec::new(),
            left: None,
        };
        for node in &placed {
            let zone = spreading.zone_of(*node);
            spreading.zones[zone].tasks += 1;
        }
        if spreading.limits.node.is_some() {
            placed.sort_unstable();
            for alike in placed.chunk_by(|one, other| one == other) {
                let (node, tasks) = (alike[0], u32::try_from(alike.len()).unwrap_or(u32::MAX));
                if spreading.count(node, tasks) {
                    spreading.full.push(spreading.index.sideline(node));
                }
            }
        }
        spreading
    }

    pub(super) fn take(mut self, wanted: u32, spots: &mut Vec<Spot>) -> u32 {
        let mut placed = 0;
        while placed < wanted {
            let Some((zone, node, room)) = self.choose() else { break };
            let spot = self.index.take_out(self.shape, node, room.min(wanted - placed));
            self.zones[zone].tasks += spot.count;
            if self.count(node, spot.count) {
                (self.zones[zone].best, self.zones[zone].in_hand) = (None, None);
                self.full.push(Sidelined::taken_out(node));
            } else {
                self.follow_best(zone, node);
            }
            placed += spot.count;
            spots.push(spot);
        }
        let in_hand: Vec<NodeId> = self.zones.iter().filter_map(|zone| zone.in_hand).collect();
        in_hand.into_iter().for_each(|node| self.index.let_in(node));
        mem::take(&mut self.full).into_iter().for_each(|node| self.index.let_back(node));
        placed
    }

    /// Counts more tasks on a node. Whether it may take no more.
    fn count(&mut self, node: NodeId, more: u32) -> bool {
        if self.limits.node.is_none() {
            return false;
        }
        let tasks = self.on_node(node).saturating_add(more);
        let is_full = self.limits.node_room(tasks) == 0;
        if !is_full {
            self.on_nodes.insert(node, tasks);
        }
        is_full
    }

    fn on_node(&self, node: NodeId) -> u32 {
        self.on_nodes.get(&node).copied().unwrap_or(0)
    }

    /// After the best node of a zone took a task: it remains the best if it fits tighter than it did.
    fn follow_best(&mut self, zone: usize, node: NodeId) {
        let zone = &mut self.zones[zone];
        let before = zone.best.flatten().map_or(Score::LAST, |(score, _)| score);
        let score = self.index.score(self.shape, node).filter(|score| *score < before);
        zone.best = score.map(|score| Some((score, node)));
        zone.in_hand = score.map(|_| node);
        if score.is_none() {
            self.index.let_in(node);
        }
    }

    /// The zone and node for the next task, and how many may go there.
    fn choose(&mut self) -> Option<(usize, NodeId, u32)> {
        let mut emptiest = self.left.map(|zone| self.zones[zone].tasks);
        for zone in 0..self.zones.len() {
            let Zone { tasks, best, .. } = self.zones[zone];
            if self.limits.zone_room(tasks) == 0 {
                continue;
            }
            let best = best.unwrap_or_else(|| self.find(zone));
            self.zones[zone].best = Some(best);
            if best.is_some() {
                emptiest = Some(emptiest.map_or(tasks, |least| least.min(tasks)));
            }
        }
        let emptiest = emptiest?;
        let mut chosen: Option<(Score, NodeId, usize, u32)> = None;
        for (at, zone) in self.zones.iter().enumerate() {
            let Some(Some((score, node))) = zone.best else { continue };
            let room = self.limits.even_room(zone.tasks, emptiest);
            if room > 0 && chosen.is_none_or(|(least, first, ..)| (score, node) < (least, first)) {
                chosen = Some((score, node, at, room));
            }
        }
        let (_, node, zone, room) = chosen?;
        Some((zone, node, room.min(self.limits.node_room(self.on_node(node)))))
    }

    fn find(&mut self, zone: usize) -> Option<(Score, NodeId)> {
        let zone = zone_id(zone);
        if let Some(found) = self.index.tightest(self.shape, zone) {
            return Some(found);
        }
        let among = self.over_zones.then_some(zone);
        let node = self.index.break_any(self.shape, among)?;
        Some((Score::LAST, node))
    }

    fn zone_of(&self, node: NodeId) -> usize {
        if !self.over_zones {
            return 0;
        }
        self.index.zone_of(node).expect("invariant: it has a room").0 as usize
    }
}

fn zone_id(zone: usize) -> ZoneId {
    ZoneId(u32::try_from(zone).expect("invariant: fewer than 2^32"))
}
