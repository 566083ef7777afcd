//! Places the pending tasks of one job: as many as fit, or all or nothing for a gang.

use super::{
    classes::Score, find::Spot, index::Index, kind::ZoneId, shape::ShapeId, spread::Spread,
};
use crate::{
    event::Placement,
    model::{AllocationId, Job, Name, Node, NodeId, TaskIndex},
    state::State,
};

/// Places up to `limit` pending tasks of the job (all of them for a gang); none if it cannot.
///
/// The index has the room taken; the placements' allocation ids follow the state's.
pub(super) fn place(
    index: &mut Index,
    state: &State,
    shape: ShapeId,
    job: &Job,
    limit: u32,
) -> Vec<Placement> {
    if job.tasks.len() == 1 && job.spec.constraints.spreads.is_empty() {
        return place_single(index, state, shape);
    }
    let gang = job.spec.gang;
    let wanted = if gang { job.counts.pending } else { limit.min(job.counts.pending) };
    let mut spots = Vec::new();
    let placed = if job.spec.constraints.spreads.is_empty() {
        take_anywhere(index, shape, wanted, &mut spots)
    } else {
        Spreading::new(index, shape, Spread::of(state, job)).take(wanted, &mut spots)
    };
    if gang && placed < wanted {
        spots.iter().rev().for_each(|spot| index.untake(shape, spot));
        return Vec::new();
    }
    placements(job, &spots, state.next_ids().3)
}

/// Places the only task of a job, which is what most placements are.
fn place_single(index: &mut Index, state: &State, shape: ShapeId) -> Vec<Placement> {
    let Some(Spot { node, devices, .. }) = index.take_best(shape, 1) else { return Vec::new() };
    let (task, allocation) = (TaskIndex(0), state.next_ids().3);
    vec![Placement { task, count: 1, node, allocation, devices }]
}

fn take_anywhere(index: &mut Index, shape: ShapeId, wanted: u32, spots: &mut Vec<Spot>) -> u32 {
    let mut placed = 0;
    while placed < wanted {
        let Some(spot) = index.take_best(shape, wanted - placed) else { break };
        placed += spot.count;
        spots.push(spot);
    }
    placed
}

/// Deals the room taken out to the job's pending tasks.
pub(super) fn placements(job: &Job, spots: &[Spot], mut next: AllocationId) -> Vec<Placement> {
    let placed = spots.iter().map(|spot| spot.count).sum();
    let mut placements = Vec::with_capacity(spots.len());
    let mut runs = job.pending_runs(placed).into_iter();
    let (mut first, mut left) = (TaskIndex(0), 0);
    for spot in spots {
        let mut count = spot.count;
        while count > 0 {
            if left == 0 {
                (first, left) = runs.next().expect("invariant: so many are pending");
            }
            let run = count.min(left);
            let (node, devices) = (spot.node, spot.devices);
            placements.push(Placement { task: first, count: run, node, allocation: next, devices });
            next = AllocationId(next.0 + u64::from(run));
            first = TaskIndex(first.0 + run);
            (left, count) = (left - run, count - run);
        }
    }
    placements
}

/// Takes room for one placed task of the job as if it had left its node already. It may be room on that very node.
pub(super) fn take_elsewhere(
    index: &mut Index,
    state: &State,
    shape: ShapeId,
    job: &Job,
    from: NodeId,
) -> Option<Spot> {
    if job.spec.constraints.spreads.is_empty() {
        return index.take_best(shape, 1);
    }
    let mut spread = Spread::of(state, job);
    spread.remove_in(state, from);
    let mut spreading = Spreading::new(index, shape, spread);
    // Once it has left, there may be room where it was: then its zone counts as the emptier one that it is.
    let stays_open = state.node(from).is_some_and(Node::is_open);
    spreading.left = index_zone(spreading.index, from).filter(|_| stays_open);
    let mut spots = Vec::new();
    spreading.take(1, &mut spots);
    spots.pop()
}

/// A job whose tasks are spread, while it is being placed. Nodes of which it may have no more are out of the classes.
struct Spreading<'a> {
    index: &'a mut Index,
    shape: ShapeId,
    spread: Spread,
    /// The best node of each zone as far as it is known; `Some(None)` where there is none.
    best: Vec<Option<Option<(Score, NodeId)>>>,
    over_zones: bool,
    sidelined: Vec<NodeId>,
    /// A zone that counts as one with room.
    left: Option<(Name, Name)>,
}

impl<'a> Spreading<'a> {
    fn new(index: &'a mut Index, shape: ShapeId, spread: Spread) -> Self {
        let over_zones = index.shape(shape).key.spreads_over_zones();
        let zones = if over_zones { index.kinds.zone_count() } else { 1 };
        let best = vec![None; zones];
        let (sidelined, left) = (Vec::new(), None);
        let mut spreading = Self { index, shape, spread, best, over_zones, sidelined, left };
        let full: Vec<NodeId> = spreading.spread.full_nodes().collect();
        full.into_iter().for_each(|node| spreading.sideline(node));
        spreading
    }

    fn take(mut self, wanted: u32, spots: &mut Vec<Spot>) -> u32 {
        let mut placed = 0;
        while placed < wanted {
            let Some((zone, node, room)) = self.choose() else { break };
            let spot = self.index.take(self.shape, node, room.min(wanted - placed));
            let name = index_zone(self.index, node).expect("invariant: it has a room");
            self.spread.add(node, name, spot.count);
            if self.spread.node_room(node) == 0 {
                self.sideline(node);
            }
            self.best[zone] = None;
            placed += spot.count;
            spots.push(spot);
        }
        for node in std::mem::take(&mut self.sidelined) {
            self.index.sideline(node, false);
        }
        placed
    }

    fn sideline(&mut self, node: NodeId) {
        self.index.sideline(node, true);
        self.sidelined.push(node);
    }

    /// The zone and node for the next task, and how many may go there.
    fn choose(&mut self) -> Option<(usize, NodeId, u32)> {
        let mut open = Vec::with_capacity(self.best.len());
        for zone in 0..self.best.len() {
            let name = self.zone_name(zone);
            if self.spread.zone_room(&name) == 0 {
                continue;
            }
            if self.best[zone].is_none() {
                self.best[zone] = Some(self.find(zone));
            }
            if let Some(Some((score, node))) = self.best[zone] {
                open.push((zone, name, score, node));
            }
        }
        let zones = open.iter().map(|(_, name, ..)| name).chain(&self.left);
        let emptiest = zones.map(|name| self.spread.in_zone(name)).min()?;
        let rooms = open.into_iter().map(|(zone, name, score, node)| {
            (score, node, zone, self.spread.room(node, &name, emptiest))
        });
        let best = rooms.filter(|(.., room)| *room > 0).min();
        best.map(|(_, node, zone, room)| (zone, node, room))
    }

    fn zone_name(&self, zone: usize) -> (Name, Name) {
        if self.over_zones {
            self.index.kinds.zone(zone_id(zone)).clone()
        } else {
            Default::default()
        }
    }

    fn find(&mut self, zone: usize) -> Option<(Score, NodeId)> {
        let zone = zone_id(zone);
        if let Some(found) = self.index.tightest(self.shape, zone) {
            return Some(found);
        }
        let rooms: Vec<bool> = if self.over_zones {
            let rooms = self.index.rooms.iter();
            let kinds = &self.index.kinds;
            rooms.map(|room| room.as_ref().is_some_and(|r| kinds.zone_of(r.kind) == zone)).collect()
        } else {
            Vec::new()
        };
        let spread = &self.spread;
        let among = |node: NodeId| {
            spread.node_room(node) > 0 && rooms.get(node.0 as usize).copied().unwrap_or(true)
        };
        let node = self.index.break_any(self.shape, Some(&among))?;
        Some((Score::LAST, node))
    }
}

fn index_zone(index: &Index, node: NodeId) -> Option<(Name, Name)> {
    index.zone_of(node).map(|zone| index.kinds.zone(zone).clone())
}

fn zone_id(zone: usize) -> ZoneId {
    ZoneId(u32::try_from(zone).expect("invariant: fewer than 2^32"))
}
